// Package operator knows who may run the programme: console users and their sessions, API keys, the audit log of what they changed,
// and the secrets that all processes share.
package operator

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/config"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// DemoLogin is the user that the first start makes.
const DemoLogin = "demo"

// Service is safe for concurrent use.
type Service struct {
	db       *db.DB
	box      *config.Box
	clock    clock.Clock
	attempts *attempts
	hashing  chan struct{} // a slot per password hash at once
}

// New makes the Service.
func New(d *db.DB, box *config.Box, c clock.Clock) *Service {
	return &Service{db: d, box: box, clock: c, attempts: newAttempts(), hashing: make(chan struct{}, hashesAtOnce)}
}

// EnsureDemo makes the user demo if there is no user at all, and returns his password: only now, since just its hash is kept.
// It returns "" if there are users.
func (s *Service) EnsureDemo(ctx context.Context) (password string, err error) {
	var n int64
	if err := s.db.Reader(ctx).Model(&model.Operator{}).Count(&n).Error; err != nil {
		return "", fmt.Errorf("operator: count users: %w", err)
	}
	if n > 0 {
		return "", nil
	}
	password = readable()
	hash, err := s.hash(ctx, password)
	if err != nil {
		return "", err
	}
	dup := false
	err = s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) (err error) {
		dup, err = db.Insert(tx, &model.Operator{Login: DemoLogin, PasswordHash: hash, Role: string(RoleOwner), CreatedAt: s.clock.Now()})
		return err
	})
	if err != nil {
		return "", fmt.Errorf("operator: make user %s: %w", DemoLogin, err)
	}
	if dup { // another process was first, and showed its password
		return "", nil
	}
	return password, nil
}

// readable is a password of 80 random bits that can be typed: abcd-efgh-ijkl-mnop.
func readable() string {
	t := strings.ToLower(rand.Text())
	return t[:4] + "-" + t[4:8] + "-" + t[8:12] + "-" + t[12:16]
}

// hashToken is how a token of 128 bits or more is kept and found. It needs no salt and no slowness: it cannot be guessed.
func hashToken(token string) string {
	h := sha256.Sum256([]byte(token))
	return hex.EncodeToString(h[:])
}

// first reads one row; no row is errs.NotFound with the key.
func first[T any](q *gorm.DB, code errs.Code, key string) (*T, error) {
	row := new(T)
	switch err := q.Take(row).Error; {
	case errors.Is(err, gorm.ErrRecordNotFound):
		return nil, errs.New(code, key)
	case err != nil:
		return nil, fmt.Errorf("operator: read %T: %w", row, err)
	}
	return row, nil
}
