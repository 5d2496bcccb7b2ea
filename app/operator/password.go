package operator

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/errs"
)

// The cost of a password hash. Each takes 19 MiB: hashesAtOnce bounds what logins can take from the machine.
const (
	hashTime     = 2
	hashMemory   = 19 * 1024 // KiB
	hashThreads  = 1
	hashLength   = 32
	hashesAtOnce = 2
	hashWait     = 5 * time.Second
)

// withSlot runs fn when a slot is free; errs.Unavailable if none is in time.
func (s *Service) withSlot(ctx context.Context, fn func()) error {
	select {
	case s.hashing <- struct{}{}:
		defer func() { <-s.hashing }()
		fn()
		return nil
	case <-ctx.Done():
	case <-clock.After(hashWait):
	}
	return errs.New(errs.Unavailable, "operator.login_busy")
}

// hash is the argon2id hash of a password, in the usual text form that names its cost.
func (s *Service) hash(ctx context.Context, password string) (text string, err error) {
	salt := make([]byte, 16)
	_, _ = rand.Read(salt) // never fails
	err = s.withSlot(ctx, func() {
		sum := argon2.IDKey([]byte(password), salt, hashTime, hashMemory, hashThreads, hashLength)
		b64 := base64.RawStdEncoding
		text = fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, hashMemory, hashTime, hashThreads, b64.EncodeToString(salt), b64.EncodeToString(sum))
	})
	return text, err
}

// nobody is compared with when there is no such user, so that the time of the answer does not tell.
const nobody = "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// verify compares a password with a stored hash.
func (s *Service) verify(ctx context.Context, password, text string) (same bool, err error) {
	parts := strings.Split(text, "$")
	var memory, passes uint32
	var threads uint8
	if len(parts) != 6 || parts[1] != "argon2id" {
		return false, fmt.Errorf("operator: a stored password hash is not argon2id")
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &memory, &passes, &threads); err != nil {
		return false, fmt.Errorf("operator: a stored password hash is damaged: %w", err)
	}
	salt, err := base64.RawStdEncoding.DecodeString(parts[4])
	if err != nil {
		return false, fmt.Errorf("operator: a stored password hash is damaged: %w", err)
	}
	want, err := base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil || len(want) != hashLength {
		return false, fmt.Errorf("operator: a stored password hash is damaged")
	}
	err = s.withSlot(ctx, func() {
		got := argon2.IDKey([]byte(password), salt, passes, memory, threads, hashLength)
		same = subtle.ConstantTimeCompare(got, want) == 1
	})
	return same, err
}
