package wechat

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha1" //nolint:gosec // WeChat's protocol fixes SHA-1
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"slices"
)

const (
	padBlock  = 32 // PKCS#7 with K = 32, not AES's 16
	randomLen = 16
	headerLen = randomLen + 4
)

// Crypt encrypts and decrypts the pushes of one account (FACTS 2.3).
type Crypt struct {
	token, receiveID string
	block            cipher.Block
	iv               []byte
}

// NewCrypt takes the push token, the 43 characters of the EncodingAESKey and the appid.
func NewCrypt(token, encodingAESKey, receiveID string) (*Crypt, error) {
	// Not Strict: the 43rd character has two spare bits, which real keys set.
	key, err := base64.StdEncoding.DecodeString(encodingAESKey + "=")
	if err != nil || len(encodingAESKey) != 43 || len(key) != 32 {
		return nil, errors.New("encoding_aes_key must be 43 letters and digits")
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, errors.New("encoding_aes_key is unusable")
	}
	return &Crypt{token: token, receiveID: receiveID, block: block, iv: key[:aes.BlockSize]}, nil
}

// Signature is hex(sha1(concat(sort(parts)))): of token, timestamp and nonce for a URL; with Encrypt as a fourth for a body.
func Signature(parts ...string) string {
	sorted := slices.Clone(parts)
	slices.Sort(sorted)
	h := sha1.New() //nolint:gosec // see the import
	for _, p := range sorted {
		h.Write([]byte(p))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Signature is the msg_signature over an Encrypt text.
func (c *Crypt) Signature(timestamp, nonce, encrypt string) string {
	return Signature(c.token, timestamp, nonce, encrypt)
}

// Encrypt returns the Encrypt text of msg. random must be 16 fresh random bytes.
func (c *Crypt) Encrypt(random, msg []byte) (string, error) {
	if len(random) != randomLen {
		return "", errors.New("wechat: encrypting needs 16 random bytes")
	}
	size := headerLen + len(msg) + len(c.receiveID)
	pad := padBlock - size%padBlock
	buf := make([]byte, 0, size+pad)
	buf = append(buf, random...)
	buf = binary.BigEndian.AppendUint32(buf, uint32(len(msg))) //nolint:gosec // replies are small
	buf = append(buf, msg...)
	buf = append(buf, c.receiveID...)
	buf = append(buf, bytes.Repeat([]byte{byte(pad)}, pad)...)
	cipher.NewCBCEncrypter(c.block, c.iv).CryptBlocks(buf, buf)
	return base64.StdEncoding.EncodeToString(buf), nil
}

// Decrypt returns the message in an Encrypt text. It proves nothing about who wrote it: check the msg_signature first,
// for CBC lets a stranger flip single bits.
func (c *Crypt) Decrypt(encrypt string) ([]byte, error) {
	buf, err := base64.StdEncoding.DecodeString(encrypt)
	if err != nil {
		return nil, errors.New("not base64")
	}
	if len(buf) == 0 || len(buf)%aes.BlockSize != 0 {
		return nil, errors.New("not whole cipher blocks")
	}
	cipher.NewCBCDecrypter(c.block, c.iv).CryptBlocks(buf, buf)
	buf, ok := unpad(buf, padBlock)
	if !ok {
		return nil, errors.New("bad padding")
	}
	if len(buf) < headerLen {
		return nil, errors.New("shorter than its header")
	}
	size, rest := binary.BigEndian.Uint32(buf[randomLen:headerLen]), buf[headerLen:]
	if uint64(size) > uint64(len(rest)) {
		return nil, errors.New("declared length does not fit")
	}
	if string(rest[size:]) != c.receiveID {
		return nil, errors.New("meant for another appid")
	}
	return rest[:size:size], nil
}

// unpad removes PKCS#7 padding of 1 to block bytes.
func unpad(buf []byte, block int) ([]byte, bool) {
	if len(buf) == 0 {
		return nil, false
	}
	n := int(buf[len(buf)-1])
	if n < 1 || n > block || n > len(buf) {
		return nil, false
	}
	for _, b := range buf[len(buf)-n:] {
		if int(b) != n {
			return nil, false
		}
	}
	return buf[:len(buf)-n], true
}
