package sandbox

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // WeChat's protocol is SHA-1.
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
)

func sha1Hex(s string) string {
	sum := sha1.Sum([]byte(s)) //nolint:gosec // WeChat's protocol is SHA-1.
	return hex.EncodeToString(sum[:])
}

// sign is WeChat's signature of a push: the sorted parts, hashed (FACTS §2.1, §2.3).
func sign(parts ...string) string {
	parts = slices.Clone(parts)
	slices.Sort(parts)
	return sha1Hex(strings.Join(parts, ""))
}

func sameText(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// padBlock is the K of WeChat's PKCS#7: 32, not the block of AES.
const padBlock = 32

// box encrypts and decrypts messages between WeChat and one account (FACTS §2.3).
type box struct {
	block  cipher.Block
	iv     []byte
	token  string
	holder string // receive id: the appid
}

func newBox(token, encodingKey, holder string) (*box, error) {
	// The 43rd character has two spare bits that need not be zero: decoding is not strict.
	key, err := base64.StdEncoding.DecodeString(encodingKey + "=")
	if err != nil || len(key) != 32 {
		return nil, fmt.Errorf("sandbox: EncodingAESKey must be 43 letters and digits, not %d", len(encodingKey))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("sandbox: cipher: %w", err)
	}
	return &box{block: block, iv: key[:16], token: token, holder: holder}, nil
}

// seal is the Encrypt text of msg, with 16 given or random bytes in front.
func (b *box) seal(msg []byte, random []byte) string {
	if random == nil {
		random = make([]byte, 16)
		rand.Read(random)
	}
	full := make([]byte, 0, 20+len(msg)+len(b.holder)+padBlock)
	full = append(full, random[:16]...)
	full = binary.BigEndian.AppendUint32(full, uint32(len(msg))) //nolint:gosec // a message is far below 4 GiB.
	full = append(full, msg...)
	full = append(full, b.holder...)
	full = pad(full, padBlock)
	cipher.NewCBCEncrypter(b.block, b.iv).CryptBlocks(full, full)
	return base64.StdEncoding.EncodeToString(full)
}

// open checks msg_signature, then decrypts: the signature is all that holds a flipped bit off.
func (b *box) open(signature, timestamp, nonce, encrypt string) ([]byte, error) {
	if !sameText(signature, sign(b.token, timestamp, nonce, encrypt)) {
		return nil, errors.New("the message signature is wrong")
	}
	return b.decrypt(encrypt)
}

func (b *box) decrypt(encrypt string) ([]byte, error) {
	data, err := base64.StdEncoding.DecodeString(encrypt)
	if err != nil {
		return nil, fmt.Errorf("not base64: %w", err)
	}
	if len(data) == 0 || len(data)%aes.BlockSize != 0 {
		return nil, errors.New("the cipher text is not whole blocks")
	}
	cipher.NewCBCDecrypter(b.block, b.iv).CryptBlocks(data, data)
	n := int(data[len(data)-1])
	if n < 1 || n > padBlock || n > len(data) {
		return nil, errors.New("the padding is wrong")
	}
	for _, c := range data[len(data)-n:] {
		if int(c) != n {
			return nil, errors.New("the padding is wrong")
		}
	}
	data = data[:len(data)-n]
	if len(data) < 20 {
		return nil, errors.New("shorter than its header")
	}
	size := int64(binary.BigEndian.Uint32(data[16:20]))
	if size > int64(len(data)-20) {
		return nil, errors.New("the declared length does not fit")
	}
	msg, tail := data[20:20+size], data[20+size:]
	if !sameText(string(tail), b.holder) {
		return nil, errors.New("meant for another appid")
	}
	return msg, nil
}

// sealData is the encryptedData that a mini-program gets from the phone (AES-128-CBC, PKCS#7 with the block of AES).
func sealData(sessionKey, iv string, plain []byte) (string, error) {
	key, err := base64.StdEncoding.DecodeString(sessionKey)
	if err != nil {
		return "", fmt.Errorf("sandbox: session key: %w", err)
	}
	vector, err := base64.StdEncoding.DecodeString(iv)
	if err != nil || len(vector) != aes.BlockSize {
		return "", errors.New("sandbox: the initial vector must be 16 bytes")
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return "", fmt.Errorf("sandbox: session key: %w", err)
	}
	data := pad(slices.Clone(plain), aes.BlockSize)
	cipher.NewCBCEncrypter(block, vector).CryptBlocks(data, data)
	return base64.StdEncoding.EncodeToString(data), nil
}

func pad(data []byte, block int) []byte {
	n := block - len(data)%block
	for range n {
		data = append(data, byte(n))
	}
	return data
}

const (
	alnum = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	hexes = "0123456789abcdef"
)

// randomText is n characters of alphabet, from the system's random source.
func randomText(n int, alphabet string) string {
	raw := make([]byte, n)
	rand.Read(raw)
	for i, c := range raw {
		raw[i] = alphabet[int(c)%len(alphabet)]
	}
	return string(raw)
}
