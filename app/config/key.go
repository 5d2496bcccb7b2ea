package config

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// KeySize is the length of the secret key in bytes.
const KeySize = 32

// LoadKey returns the key that protects phone numbers, tokens and logins: SIYU_SECRET_KEY, else data_dir/secret.key,
// which the first start makes. A file that others may read, or that holds something else, is refused.
func LoadKey(c *Config) ([KeySize]byte, error) {
	if c.SecretKey != "" {
		key, err := parseKey(string(c.SecretKey))
		if err != nil {
			return key, fmt.Errorf("config: SIYU_SECRET_KEY %w", err)
		}
		return key, nil
	}
	path := filepath.Join(c.DataDir, "secret.key")
	b, err := ReadSecret(path)
	if errors.Is(err, os.ErrNotExist) {
		b, err = makeKey(path)
	}
	if err != nil {
		return [KeySize]byte{}, err
	}
	key, err := parseKey(string(b))
	if err != nil {
		return key, fmt.Errorf("config: %s %w", path, err)
	}
	return key, nil
}

func makeKey(path string) ([]byte, error) {
	text := base64.StdEncoding.EncodeToString(random(KeySize)) + "\n"
	err := WriteSecret(path, []byte(text), false)
	if errors.Is(err, os.ErrExist) { // another process was first
		return ReadSecret(path)
	}
	return []byte(text), err
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}

// parseKey reads 32 bytes in base64 or hex.
func parseKey(s string) (key [KeySize]byte, err error) {
	s = strings.TrimSpace(s)
	for _, decode := range []func(string) ([]byte, error){hex.DecodeString, base64.StdEncoding.DecodeString, base64.RawURLEncoding.DecodeString} {
		if b, err := decode(s); err == nil && len(b) == KeySize {
			return [KeySize]byte(b), nil
		}
	}
	return key, fmt.Errorf("does not hold a key: expected %d bytes in base64 or hex, as made by: openssl rand -base64 %d", KeySize, KeySize)
}

// ReadSecret reads a file that only its owner may read; another mode is an error.
func ReadSecret(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("config: %s may be read by others (mode %04o): run chmod 600 %s", path, info.Mode().Perm(), path)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	return b, nil
}

// WriteSecret writes a file of mode 0600, whole or not at all, and makes its folder. Without replace an existing file is os.ErrExist.
func WriteSecret(path string, content []byte, replace bool) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("config: %w", err)
	}
	f, err := os.CreateTemp(dir, ".secret-*") // made with mode 0600
	if err != nil {
		return fmt.Errorf("config: %w", err)
	}
	defer func() { _ = os.Remove(f.Name()) }()
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("config: write %s: %w", path, err)
	}
	place := os.Link // fails on an existing file
	if replace {
		place = os.Rename
	}
	if err := place(f.Name(), path); err != nil {
		return fmt.Errorf("config: write %s: %w", path, err)
	}
	return nil
}
