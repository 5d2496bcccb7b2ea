package operator

import (
	"context"
	"crypto/rand"
	"fmt"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// SessionTTL is how long a console login lasts, in real time.
const SessionTTL = 12 * time.Hour

// Opened is what a right password gives: a session, or a ticket to answer with a code for who has a second step.
type Opened struct {
	Token  string // for the cookie
	Ticket string // for LoginCode
}

// Login opens a session, or asks for a code. A wrong login and a wrong password are the same errs.Unauthorized;
// too many attempts on one login from one address are errs.RateLimited with retry_after in seconds.
func (s *Service) Login(ctx context.Context, login, password, ip string) (in Opened, err error) {
	if err := s.attempt(login + "|" + ip); err != nil {
		return in, err
	}
	user, err := first[model.Operator](s.db.Reader(ctx).Where("login = ?", login), errs.Unauthorized, "operator.login_wrong")
	hash := nobody
	switch {
	case err == nil:
		hash = user.PasswordHash
	case errs.CodeOf(err) == "":
		return in, err
	}
	same, verr := s.verify(ctx, password, hash)
	if verr != nil {
		return in, verr
	}
	if user == nil || !same || user.DisabledAt != nil {
		return in, errs.New(errs.Unauthorized, "operator.login_wrong")
	}
	if user.TwoStep() {
		in.Ticket, err = s.ticket(user)
		return in, err
	}
	err = s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		in.Token, err = openSession(tx, user.ID)
		return err
	})
	return in, err
}

// openSession returns the token of a new session.
func openSession(tx *gorm.DB, id int64) (token string, err error) {
	token = rand.Text()
	now := clock.Real()
	err = tx.Where("expires_at <= ?", now).Delete(&model.Session{}).Error
	if err == nil {
		err = tx.Create(&model.Session{TokenHash: hashToken(token), OperatorID: id, ExpiresAt: now.Add(SessionTTL)}).Error
	}
	if err != nil {
		return "", fmt.Errorf("operator: open a session: %w", err)
	}
	return token, nil
}

// Session is the user of a session token; errs.Unauthorized if there is none or it has expired.
func (s *Service) Session(ctx context.Context, token string) (*model.Operator, error) {
	q := s.db.Reader(ctx).Joins("JOIN sessions ON sessions.operator_id = operators.id").
		Where("sessions.token_hash = ? AND sessions.expires_at > ? AND operators.disabled_at IS NULL", hashToken(token), clock.Real())
	return first[model.Operator](q, errs.Unauthorized, "web.unauthorized")
}

// endSessions signs an operator out everywhere but where the token is his.
func endSessions(tx *gorm.DB, id int64, but string) error {
	if err := tx.Where("operator_id = ? AND token_hash <> ?", id, hashToken(but)).Delete(&model.Session{}).Error; err != nil {
		return fmt.Errorf("operator: end sessions: %w", err)
	}
	return nil
}

// Logout ends a session; an unknown one is no error.
func (s *Service) Logout(ctx context.Context, token string) error {
	return s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		return tx.Where("token_hash = ?", hashToken(token)).Delete(&model.Session{}).Error
	})
}

// Five attempts at once, then one in twelve seconds, per login and address.
const (
	attemptBurst = 5
	attemptEvery = 12 * time.Second
	attemptsKept = 10_000 // keys in memory; beyond it the idle ones go
)

// attempt counts a try at a password; too many are errs.RateLimited.
func (s *Service) attempt(key string) error {
	if wait := s.attempts.take(key); wait > 0 {
		return errs.New(errs.RateLimited, "operator.login_too_often", "retry_after", int(math.Ceil(wait.Seconds())))
	}
	return nil
}

type attempts struct {
	mu   sync.Mutex
	keys map[string]*rate.Limiter
}

func newAttempts() *attempts { return &attempts{keys: map[string]*rate.Limiter{}} }

// take counts an attempt; a positive duration means: not now, wait so long.
func (a *attempts) take(key string) time.Duration {
	now := clock.Real()
	a.mu.Lock()
	defer a.mu.Unlock()
	l, ok := a.keys[key]
	if !ok {
		if len(a.keys) >= attemptsKept {
			a.evict(now)
		}
		l = rate.NewLimiter(rate.Every(attemptEvery), attemptBurst)
		a.keys[key] = l
	}
	r := l.ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait > 0 {
		r.CancelAt(now)
	}
	return wait
}

// evict forgets the keys that would be allowed a full burst: they are as good as new. If that frees nothing, all go.
func (a *attempts) evict(now time.Time) {
	for k, l := range a.keys {
		if l.TokensAt(now) >= attemptBurst {
			delete(a.keys, k)
		}
	}
	if len(a.keys) >= attemptsKept {
		clear(a.keys)
	}
}
