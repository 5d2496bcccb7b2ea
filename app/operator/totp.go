package operator

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // RFC 6238 as authenticators have it; HMAC does not lean on collisions
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// The second step of a login is a code of RFC 6238 as every authenticator makes it: SHA-1, six digits, a new one each thirty seconds; the one
// before and the one after are taken too. All its times are real times.
const (
	codeDigits  = 1_000_000
	codeSeconds = 30
	codeSlack   = 1 // steps on either side

	ticketTTL = 5 * time.Minute

	failsAtOnce = 5 // wrong codes, then a pause; so again after each further five
	failPause   = 15 * time.Minute

	recoveryCodes = 8
)

var base32Text = base32.StdEncoding.WithPadding(base32.NoPadding)

// code is that of a step of thirty seconds.
func code(key []byte, step int64) string {
	mac := hmac.New(sha1.New, key)
	_ = binary.Write(mac, binary.BigEndian, step)
	sum := mac.Sum(nil)
	at := sum[len(sum)-1] & 0xf
	return fmt.Sprintf("%06d", binary.BigEndian.Uint32(sum[at:])&math.MaxInt32%codeDigits)
}

// stepOf is the step after the last used one whose code it is; 0 if it is none.
func stepOf(key []byte, typed string, now time.Time, last int64) int64 {
	is := now.Unix() / codeSeconds
	for step := max(is-codeSlack, last+1); step <= is+codeSlack; step++ {
		if subtle.ConstantTimeCompare([]byte(code(key, step)), []byte(typed)) == 1 {
			return step
		}
	}
	return 0
}

// Enrolment is the key of an authenticator that is not in force yet.
type Enrolment struct {
	Secret string // to type
	URL    string // to scan
	Sealed string // to send back with the first code
}

func keyName(id int64) string { return fmt.Sprint("totp:", id) }

// Enrol makes a key for an operator; it counts once EnableCodes got a code of it.
func (s *Service) Enrol(u *model.Operator) *Enrolment {
	key := make([]byte, 20)
	_, _ = rand.Read(key) // never fails
	return enrolment(u, key, s.box.Seal(keyName(u.ID), key))
}

// Enrolled is an enrolment again, from what was sent back; another operator's or a forged one is a new one.
func (s *Service) Enrolled(u *model.Operator, sealed string) *Enrolment {
	key, err := s.box.Open(keyName(u.ID), sealed)
	if err != nil {
		return s.Enrol(u)
	}
	return enrolment(u, key, sealed)
}

func enrolment(u *model.Operator, key []byte, sealed string) *Enrolment {
	e := &Enrolment{Secret: base32Text.EncodeToString(key), Sealed: sealed}
	e.URL = (&url.URL{Scheme: "otpauth", Host: "totp", Path: "/siyu:" + u.Login, RawQuery: url.Values{"secret": {e.Secret}, "issuer": {"siyu"}}.Encode()}).String()
	return e
}

// EnableCodes asks for a code after the password from now on. It takes the password and the first code of the key, signs the operator out everywhere
// but here, and returns the recovery codes, which are shown once.
func (s *Service) EnableCodes(ctx context.Context, id int64, session, password, sealed, typed string) ([]string, error) {
	key, err := s.box.Open(keyName(id), sealed)
	if err != nil {
		return nil, errs.Field("code", "operator.code_stale")
	}
	return s.ownCodes(ctx, id, password, "operator.two_step_on", func(tx *gorm.DB, u *model.Operator) error {
		if u.TwoStep() {
			return errs.New(errs.Conflict, "operator.code_on")
		}
		step := stepOf(key, digits(typed), clock.Real(), 0)
		if step == 0 {
			return errs.Field("code", "operator.code_wrong")
		}
		u.TOTPSealed, u.TOTPStep = sealed, step
		return endSessions(tx, id, session)
	})
}

// RenewRecovery replaces the recovery codes by new ones, which are shown once.
func (s *Service) RenewRecovery(ctx context.Context, id int64, password string) ([]string, error) {
	return s.ownCodes(ctx, id, password, "operator.recovery_codes", func(_ *gorm.DB, u *model.Operator) error {
		if !u.TwoStep() {
			return errs.New(errs.Conflict, "operator.code_off")
		}
		return nil
	})
}

// DisableCodes lets the password alone open again.
func (s *Service) DisableCodes(ctx context.Context, id int64, password string) error {
	_, err := s.ownCodes(ctx, id, password, "operator.two_step_off", func(_ *gorm.DB, u *model.Operator) error {
		if !u.TwoStep() {
			return errs.New(errs.Conflict, "operator.code_off")
		}
		u.TOTPSealed = ""
		return nil
	})
	return err
}

// ownCodes changes an operator's own second step, with his password; it returns his new recovery codes.
func (s *Service) ownCodes(ctx context.Context, id int64, password, action string, change func(tx *gorm.DB, u *model.Operator) error) (codes []string, err error) {
	if err := s.attempt(fmt.Sprintf("password|%d", id)); err != nil {
		return nil, err
	}
	known, err := s.User(ctx, id)
	if err != nil {
		return nil, err
	}
	switch same, err := s.verify(ctx, password, known.PasswordHash); {
	case err != nil:
		return nil, err
	case !same:
		return nil, errs.Field("password", "operator.password_wrong")
	}
	err = s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		u, err := lockUser(tx, id)
		if err != nil {
			return err
		}
		if u.PasswordHash != known.PasswordHash {
			return errs.New(errs.Unauthorized, "web.unauthorized") // reset meanwhile: his sessions are over
		}
		before := UserFacts(u)
		if err := change(tx, u); err != nil {
			return err
		}
		if codes, err = s.saveCodes(tx, u); err != nil {
			return err
		}
		return s.AuditTx(tx, userObject(id), action, userObject(id), before, UserFacts(u))
	})
	if err != nil {
		return nil, err
	}
	return codes, nil
}

// ResetCodes takes the second step from an operator who lost his authenticator, and signs him out everywhere.
func (s *Service) ResetCodes(ctx context.Context, by Caller, id int64) (*model.Operator, error) {
	row, err := db.Do(ctx, s.db, func(_ context.Context, tx *gorm.DB) (row model.Operator, err error) {
		if _, err := s.userTx(tx, by, id); err != nil {
			return row, err
		}
		u, err := lockUser(tx, id)
		if err != nil {
			return row, err
		}
		before := UserFacts(u)
		u.TOTPSealed = ""
		if _, err := s.saveCodes(tx, u); err != nil {
			return row, err
		}
		if err := endSessions(tx, id, ""); err != nil {
			return row, err
		}
		return *u, s.AuditTx(tx, by.Name, "operator.reset_two_step", userObject(id), before, UserFacts(u))
	})
	return &row, err
}

// lockUser reads an operator whom nobody else changes meanwhile.
func lockUser(tx *gorm.DB, id int64) (*model.Operator, error) {
	if err := tx.Exec("UPDATE operators SET code_fails = code_fails WHERE id = ?", id).Error; err != nil {
		return nil, fmt.Errorf("operator: lock: %w", err)
	}
	return first[model.Operator](tx.Where("id = ?", id), errs.NotFound, "operator.user_missing")
}

// saveCodes writes an operator's second step, forgets his recovery codes and makes new ones if it is on.
func (s *Service) saveCodes(tx *gorm.DB, u *model.Operator) (codes []string, err error) {
	if !u.TwoStep() {
		u.TOTPStep = 0
	}
	u.CodeFails, u.CodesFrom = 0, nil
	if err := tx.Save(u).Error; err != nil {
		return nil, fmt.Errorf("operator: second step: %w", err)
	}
	if err := tx.Where("operator_id = ?", u.ID).Delete(&model.RecoveryCode{}).Error; err != nil {
		return nil, fmt.Errorf("operator: recovery codes: %w", err)
	}
	for u.TwoStep() && len(codes) < recoveryCodes {
		t := strings.ToLower(rand.Text())
		codes = append(codes, t[:5]+"-"+t[5:10])
		if err := tx.Create(&model.RecoveryCode{OperatorID: u.ID, Hash: s.recoveryHash(u.ID, t[:10])}).Error; err != nil {
			return nil, fmt.Errorf("operator: recovery codes: %w", err)
		}
	}
	return codes, nil
}

func (s *Service) recoveryHash(id int64, code string) string {
	return s.box.BlindIndex(fmt.Sprint("recovery:", id), code)
}

// ticket says that the password was right a moment ago.
type ticket struct {
	ID    int64
	Until time.Time
	Hash  string // of the password: another one ends it
}

const ticketName = "login"

func (s *Service) ticket(u *model.Operator) (string, error) {
	b, err := json.Marshal(ticket{u.ID, clock.Real().Add(ticketTTL), hashToken(u.PasswordHash)})
	return s.box.Seal(ticketName, b), err
}

// LoginCode opens the session that Login gave a ticket for, with a code of the authenticator or a recovery code; each is taken once. A wrong one is
// errs.Unauthorized ("operator.code_wrong"); after too many, errs.RateLimited; a ticket that is over errs.Unauthorized ("operator.ticket_over").
func (s *Service) LoginCode(ctx context.Context, sealed, typed string) (token string, err error) {
	over := errs.New(errs.Unauthorized, "operator.ticket_over")
	var t ticket
	b, err := s.box.Open(ticketName, sealed)
	if err != nil || json.Unmarshal(b, &t) != nil || !clock.Real().Before(t.Until) {
		return "", over
	}
	var refused error // kept with the count of the failures
	err = s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		token, refused = "", nil
		u, err := lockUser(tx, t.ID)
		if err != nil {
			return err
		}
		if u.DisabledAt != nil || !u.TwoStep() || hashToken(u.PasswordHash) != t.Hash {
			return over
		}
		if wait := pause(u); wait > 0 {
			return errs.New(errs.RateLimited, "operator.login_too_often", "retry_after", int(math.Ceil(wait.Seconds())))
		}
		right, err := s.takeCode(tx, u, typed)
		if err != nil {
			return err
		}
		if !right {
			refused = errs.New(errs.Unauthorized, "operator.code_wrong", "field", "code")
			return s.failed(tx, u)
		}
		if err := tx.Model(u).Updates(map[string]any{"totp_step": u.TOTPStep, "code_fails": 0, "codes_from": nil}).Error; err != nil {
			return fmt.Errorf("operator: take a code: %w", err)
		}
		token, err = openSession(tx, u.ID)
		return err
	})
	switch {
	case errs.CodeOf(err) == errs.NotFound:
		return "", over
	case err != nil:
		return "", err
	}
	return token, refused
}

func pause(u *model.Operator) time.Duration {
	if u.CodesFrom == nil {
		return 0
	}
	return u.CodesFrom.Sub(clock.Real())
}

// takeCode uses up a code of the authenticator or a recovery code.
func (s *Service) takeCode(tx *gorm.DB, u *model.Operator, typed string) (right bool, err error) {
	key, err := s.box.Open(keyName(u.ID), u.TOTPSealed)
	if err != nil {
		return false, fmt.Errorf("operator: the key of an authenticator: %w", err)
	}
	typed = digits(typed)
	if step := stepOf(key, typed, clock.Real(), u.TOTPStep); step > 0 {
		u.TOTPStep = step
		return true, nil
	}
	res := tx.Where("operator_id = ? AND hash = ?", u.ID, s.recoveryHash(u.ID, typed)).Delete(&model.RecoveryCode{})
	if res.Error != nil || res.RowsAffected == 0 {
		return false, res.Error
	}
	return true, s.AuditTx(tx, userObject(u.ID), "operator.recovery_used", userObject(u.ID), nil, map[string]any{"login": u.Login})
}

// failed counts a wrong code.
func (s *Service) failed(tx *gorm.DB, u *model.Operator) error {
	u.CodeFails++
	if u.CodeFails%failsAtOnce == 0 {
		from := clock.Real().Add(failPause)
		u.CodesFrom = &from
		if err := s.AuditTx(tx, userObject(u.ID), "operator.codes_paused", userObject(u.ID), nil, map[string]any{"login": u.Login, "wrong_codes": u.CodeFails}); err != nil {
			return err
		}
	}
	if err := tx.Model(u).Updates(map[string]any{"code_fails": u.CodeFails, "codes_from": u.CodesFrom}).Error; err != nil {
		return fmt.Errorf("operator: count a wrong code: %w", err)
	}
	return nil
}

// RecoveryLeft is how many recovery codes an operator has left.
func (s *Service) RecoveryLeft(ctx context.Context, id int64) (n int64, err error) {
	err = s.db.Reader(ctx).Model(&model.RecoveryCode{}).Where("operator_id = ?", id).Count(&n).Error
	return n, err
}

// digits is a code without what people type between its parts.
func digits(typed string) string {
	return strings.NewReplacer(" ", "", "-", "").Replace(strings.ToLower(strings.TrimSpace(typed)))
}
