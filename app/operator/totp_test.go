package operator_test

import (
	"context"
	"encoding/base32"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/model"
)

// The vectors of RFC 6238, appendix B: the last six of their eight digits.
func TestCodesAreThoseOfTheRFC(t *testing.T) {
	t.Parallel()
	for at, want := range map[int64]string{
		59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130",
	} {
		require.Equal(t, want, operator.Code([]byte("12345678901234567890"), at/30))
	}
}

func TestTwoStep(t *testing.T) {
	t.Parallel()
	// on is an operator with an authenticator: code gives what it shows so many steps from now. A test may see the step after that begin, so
	// the code of now turns it on and the next one opens.
	on := func(t *testing.T) (s *operator.Service, u *model.Operator, password string, code func(steps int64) string, recovery []string) {
		t.Helper()
		s, _ = newService(t)
		made, err := s.CreateUser(t.Context(), owner, "xiaomei", operator.RoleSupport)
		require.NoError(t, err)
		e := s.Enrol(&made.Operator)
		key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(e.Secret)
		require.NoError(t, err)
		now := clock.Real().Unix() / 30
		code = func(steps int64) string { return operator.Code(key, now+steps) }
		recovery, err = s.EnableCodes(t.Context(), made.ID, "", made.Password, e.Sealed, code(0))
		require.NoError(t, err)
		return s, &made.Operator, made.Password, code, recovery
	}
	ticket := func(t *testing.T, s *operator.Service, password string) string {
		t.Helper()
		in, err := s.Login(t.Context(), "xiaomei", password, t.Name())
		require.NoError(t, err)
		require.Empty(t, in.Token, "the password alone opens nothing")
		return in.Ticket
	}
	wrong := func(t *testing.T, err error, key string) {
		t.Helper()
		var e *errs.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, key, e.Key)
	}

	t.Run("ACodeOpensOnce", func(t *testing.T) {
		t.Parallel()
		s, _, password, code, _ := on(t)
		at := ticket(t, s, password)
		_, err := s.LoginCode(t.Context(), at, code(0))
		wrong(t, err, "operator.code_wrong") // it turned the second step on
		typed := code(1)
		token, err := s.LoginCode(t.Context(), at, " "+typed[:3]+" "+typed[3:])
		require.NoError(t, err)
		_, err = s.Session(t.Context(), token)
		require.NoError(t, err)
		_, err = s.LoginCode(t.Context(), at, code(1))
		wrong(t, err, "operator.code_wrong")
		_, err = s.LoginCode(t.Context(), at, code(0))
		wrong(t, err, "operator.code_wrong") // older than the last
		_, err = s.LoginCode(t.Context(), at, code(9))
		wrong(t, err, "operator.code_wrong")
	})
	t.Run("OfTenAtOnceOneGetsIn", func(t *testing.T) {
		t.Parallel()
		for _, recovery := range []bool{false, true} {
			s, _, password, code, codes := on(t)
			at, typed := ticket(t, s, password), code(1)
			if recovery {
				typed = codes[3]
			}
			var in atomic.Int32
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					if _, err := s.LoginCode(t.Context(), at, typed); err == nil {
						in.Add(1)
					}
				})
			}
			wg.Wait()
			require.EqualValues(t, 1, in.Load())
		}
	})
	t.Run("ARecoveryCodeOpensOnceAndIsInTheAuditLog", func(t *testing.T) {
		t.Parallel()
		s, u, password, _, codes := on(t)
		require.Len(t, codes, 8)
		at := ticket(t, s, password)
		_, err := s.LoginCode(t.Context(), at, codes[0])
		require.NoError(t, err)
		_, err = s.LoginCode(t.Context(), at, codes[0])
		wrong(t, err, "operator.code_wrong")
		left, err := s.RecoveryLeft(t.Context(), u.ID)
		require.NoError(t, err)
		require.EqualValues(t, 7, left)
		fresh, err := s.RenewRecovery(t.Context(), u.ID, password)
		require.NoError(t, err)
		_, err = s.LoginCode(t.Context(), at, codes[1])
		wrong(t, err, "operator.code_wrong")
		_, err = s.LoginCode(t.Context(), at, fresh[1])
		require.NoError(t, err)
		log, err := s.Audits(t.Context(), operator.AuditQuery{Action: "operator.recovery_used", Limit: 9})
		require.NoError(t, err)
		require.Len(t, log, 2)
	})
	t.Run("FiveWrongOnesAndNoneIsTakenForAWhile", func(t *testing.T) {
		t.Parallel()
		s, d := newService(t)
		made, err := s.CreateUser(t.Context(), owner, "xiaomei", operator.RoleSupport)
		require.NoError(t, err)
		e := s.Enrol(&made.Operator)
		key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(e.Secret)
		require.NoError(t, err)
		now := clock.Real().Unix() / 30
		codes, err := s.EnableCodes(t.Context(), made.ID, "", made.Password, e.Sealed, operator.Code(key, now))
		require.NoError(t, err)
		at := ticket(t, s, made.Password)
		for range 5 {
			_, err := s.LoginCode(t.Context(), at, "000000x")
			wrong(t, err, "operator.code_wrong")
		}
		for _, typed := range []string{operator.Code(key, now+1), codes[0]} {
			_, err = s.LoginCode(t.Context(), at, typed)
			require.Equal(t, errs.RateLimited, errs.CodeOf(err), "nor a right one")
		}
		log, err := s.Audits(t.Context(), operator.AuditQuery{Action: "operator.codes_paused", Limit: 9})
		require.NoError(t, err)
		require.Len(t, log, 1)
		require.NoError(t, d.Tx(t.Context(), func(_ context.Context, tx *gorm.DB) error {
			return tx.Model(&model.Operator{}).Where("id = ?", made.ID).Update("codes_from", clock.Real().Add(-time.Second)).Error
		}))
		_, err = s.LoginCode(t.Context(), at, operator.Code(key, now+1))
		require.NoError(t, err)
		u, err := s.User(t.Context(), made.ID)
		require.NoError(t, err)
		require.Zero(t, u.CodeFails)
	})
	t.Run("ATicketIsOfItsPasswordAndOfNobodyElse", func(t *testing.T) {
		t.Parallel()
		s, u, password, code, _ := on(t)
		at := ticket(t, s, password)
		for _, forged := range []string{"", "x", at[:9] + "." + at[10:], s.Enrol(u).Sealed} {
			_, err := s.LoginCode(t.Context(), forged, code(1))
			wrong(t, err, "operator.ticket_over")
		}
		_, err := s.ResetPassword(t.Context(), owner, u.ID)
		require.NoError(t, err)
		_, err = s.LoginCode(t.Context(), at, code(1))
		wrong(t, err, "operator.ticket_over")
	})
	t.Run("ItIsTurnedOnWithTheFirstCodeAndThePasswordAlone", func(t *testing.T) {
		t.Parallel()
		s, d := newService(t)
		made, err := s.CreateUser(t.Context(), owner, "xiaomei", operator.RoleSupport)
		require.NoError(t, err)
		other, err := s.CreateUser(t.Context(), owner, "xiaohua", operator.RoleSupport)
		require.NoError(t, err)
		here, err := signIn(t, s, "xiaomei", made.Password, "")
		require.NoError(t, err)
		there, err := signIn(t, s, "xiaomei", made.Password, "")
		require.NoError(t, err)
		e := s.Enrol(&made.Operator)
		require.Contains(t, e.URL, "otpauth://totp/siyu:xiaomei?issuer=siyu&secret="+e.Secret)
		require.Equal(t, e, s.Enrolled(&made.Operator, e.Sealed))
		require.NotEqual(t, e.Secret, s.Enrolled(&other.Operator, e.Sealed).Secret)
		key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(e.Secret)
		require.NoError(t, err)
		code := operator.Code(key, clock.Real().Unix()/30)
		enable := func(id int64, password, sealed, code string) error {
			return second(s.EnableCodes(t.Context(), id, here, password, sealed, code))
		}
		require.Equal(t, "password", fieldOf(t, enable(made.ID, "wrong", e.Sealed, code)))
		require.Equal(t, "code", fieldOf(t, enable(made.ID, made.Password, e.Sealed, "000000x")))
		require.Equal(t, "code", fieldOf(t, enable(other.ID, other.Password, e.Sealed, code)))
		require.Equal(t, errs.Conflict, errs.CodeOf(s.DisableCodes(t.Context(), made.ID, made.Password)))
		require.NoError(t, enable(made.ID, made.Password, e.Sealed, code))
		require.Equal(t, errs.Conflict, errs.CodeOf(enable(made.ID, made.Password, e.Sealed, code)))
		require.Equal(t, errs.RateLimited, errs.CodeOf(enable(made.ID, made.Password, e.Sealed, code)), "each try counts as one at the password")
		_, err = s.Session(t.Context(), here)
		require.NoError(t, err)
		_, err = s.Session(t.Context(), there)
		require.Equal(t, errs.Unauthorized, errs.CodeOf(err))
		for table, rows := range map[string]any{"operators": &[]model.Operator{}, "audits": &[]model.Audit{}, "recovery_codes": &[]model.RecoveryCode{}} {
			require.NoError(t, d.Reader(t.Context()).Table(table).Find(rows).Error)
			require.NotContains(t, fmt.Sprintf("%+v", rows), e.Secret, "%s holds the key as it is", table)
		}
	})
	t.Run("ItIsTurnedOffWithThePasswordOrByAnOwner", func(t *testing.T) {
		t.Parallel()
		s, u, password, _, _ := on(t)
		lesser := operator.Caller{Name: "key:9", Rights: operator.Rights{operator.Operators}}
		require.Equal(t, errs.Forbidden, errs.CodeOf(second(s.ResetCodes(t.Context(), lesser, u.ID))))
		require.Equal(t, errs.NotFound, errs.CodeOf(second(s.ResetCodes(t.Context(), owner, 999))))
		row, err := s.ResetCodes(t.Context(), owner, u.ID)
		require.NoError(t, err)
		require.False(t, row.TwoStep())
		_, err = signIn(t, s, "xiaomei", password, "")
		require.NoError(t, err)
		left, err := s.RecoveryLeft(t.Context(), u.ID)
		require.NoError(t, err)
		require.Zero(t, left)
		s, u, password, _, _ = on(t)
		require.Equal(t, "password", fieldOf(t, s.DisableCodes(t.Context(), u.ID, "wrong")))
		require.NoError(t, s.DisableCodes(t.Context(), u.ID, password))
		in, err := s.Login(t.Context(), "xiaomei", password, "")
		require.NoError(t, err)
		require.NotEmpty(t, in.Token)
		for _, action := range []string{"operator.two_step_on", "operator.two_step_off"} {
			log, err := s.Audits(t.Context(), operator.AuditQuery{Action: action, Limit: 9})
			require.NoError(t, err)
			require.Len(t, log, 1, action)
			require.Contains(t, string(log[0].After), `"two_step"`)
		}
	})
}
