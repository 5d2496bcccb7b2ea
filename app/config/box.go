package config

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
)

// Box seals values at rest with the secret key. Each use derives a key of its own, so that none can stand in for another.
type Box struct {
	key  [KeySize]byte
	aead cipher.AEAD
}

// ErrSealed means that a sealed value was made with another key or under another name, or was changed.
var ErrSealed = errors.New("config: a sealed value cannot be opened with this key")

// NewBox makes a Box of the secret key.
func NewBox(key [KeySize]byte) *Box {
	b := &Box{key: key}
	sealing := b.Derive("seal")
	block, err := aes.NewCipher(sealing[:])
	if err == nil {
		b.aead, err = cipher.NewGCMWithRandomNonce(block)
	}
	if err != nil {
		panic(err) // a key of 32 bytes is always accepted
	}
	return b
}

// Derive is the key for one purpose.
func (b *Box) Derive(purpose string) [KeySize]byte {
	k, err := hkdf.Key(sha256.New, b.key[:], nil, "siyu:"+purpose, KeySize)
	if err != nil {
		panic(err) // 32 bytes are within what HKDF gives
	}
	return [KeySize]byte(k)
}

// Seal encrypts plain with AES-256-GCM, bound to name ("phone:17"): it opens only under the same name.
func (b *Box) Seal(name string, plain []byte) string {
	return base64.RawStdEncoding.EncodeToString(b.aead.Seal(nil, nil, plain, []byte(name)))
}

// Open decrypts what Seal made under name; anything else is ErrSealed.
func (b *Box) Open(name, sealed string) ([]byte, error) {
	raw, err := base64.RawStdEncoding.DecodeString(sealed)
	if err != nil {
		return nil, fmt.Errorf("%w: not base64", ErrSealed)
	}
	plain, err := b.aead.Open(nil, nil, raw, []byte(name))
	if err != nil {
		return nil, ErrSealed
	}
	return plain, nil
}

// BlindIndex is a keyed hash (64 hex digits) by which a sealed value can be found without being opened.
func (b *Box) BlindIndex(name, value string) string {
	k := b.Derive("index:" + name)
	mac := hmac.New(sha256.New, k[:])
	mac.Write([]byte(value))
	return hex.EncodeToString(mac.Sum(nil))
}
