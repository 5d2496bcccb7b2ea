package operator_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/config"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/db/dbtest"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/model"
)

var start = time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC)

// owner holds every right.
var owner = operator.Caller{Name: "operator:1", Rights: operator.AllRights()}

func newService(t *testing.T) (*operator.Service, *db.DB) {
	t.Helper()
	d := dbtest.Open(t)
	return operator.New(d, config.NewBox([32]byte{1}), clock.NewFrozen(start)), d
}

func TestLogin(t *testing.T) {
	t.Parallel()
	t.Run("TheFirstStartMakesOneUserWhosePasswordIsShownOnce", func(t *testing.T) {
		t.Parallel()
		s, d := newService(t)
		password, err := s.EnsureDemo(t.Context())
		require.NoError(t, err)
		require.Len(t, password, 19)
		again, err := s.EnsureDemo(t.Context())
		require.NoError(t, err)
		require.Empty(t, again)
		var user model.Operator
		require.NoError(t, d.Reader(t.Context()).Take(&user).Error)
		require.NotContains(t, user.PasswordHash, password)
		require.True(t, strings.HasPrefix(user.PasswordHash, "$argon2id$v=19$m=19456,t=2,p=1$"))

		token, err := signIn(t, s, "demo", password, "1.1.1.1")
		require.NoError(t, err)
		found, err := s.Session(t.Context(), token)
		require.NoError(t, err)
		require.Equal(t, "demo", found.Login)
		require.EqualValues(t, operator.RoleOwner, found.Role)

		require.NoError(t, s.Logout(t.Context(), token))
		_, err = s.Session(t.Context(), token)
		require.Equal(t, errs.Unauthorized, errs.CodeOf(err))
	})
	t.Run("AWrongLoginAndAWrongPasswordAreTheSame", func(t *testing.T) {
		t.Parallel()
		s, _ := newService(t)
		_, err := s.EnsureDemo(t.Context())
		require.NoError(t, err)
		_, one := signIn(t, s, "demo", "wrong", "1.1.1.1")
		_, other := signIn(t, s, "nobody", "wrong", "1.1.1.1")
		require.Equal(t, one, other)
		require.Equal(t, errs.Unauthorized, errs.CodeOf(one))
	})
	t.Run("TooManyAttemptsWait", func(t *testing.T) {
		t.Parallel()
		s, _ := newService(t)
		for range 5 {
			_, err := signIn(t, s, "demo", "wrong", "1.1.1.1")
			require.Equal(t, errs.Unauthorized, errs.CodeOf(err))
		}
		_, err := signIn(t, s, "demo", "wrong", "1.1.1.1")
		var e *errs.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, errs.RateLimited, e.Code)
		require.Positive(t, e.Args["retry_after"])
		_, err = signIn(t, s, "demo", "wrong", "2.2.2.2")
		require.Equal(t, errs.Unauthorized, errs.CodeOf(err))
	})
	t.Run("AnExpiredSessionIsNone", func(t *testing.T) {
		t.Parallel()
		s, d := newService(t)
		password, err := s.EnsureDemo(t.Context())
		require.NoError(t, err)
		token, err := signIn(t, s, "demo", password, "")
		require.NoError(t, err)
		require.NoError(t, d.Tx(t.Context(), func(_ context.Context, tx *gorm.DB) error {
			return tx.Model(&model.Session{}).Where("1 = 1").Update("expires_at", clock.Real().Add(-time.Second)).Error
		}))
		_, err = s.Session(t.Context(), token)
		require.Equal(t, errs.Unauthorized, errs.CodeOf(err))
	})
	t.Run("ManyAtOnceOnAnEmptyDatabaseMakeOneUser", func(t *testing.T) {
		t.Parallel()
		s, _ := newService(t)
		var wg sync.WaitGroup
		made := make(chan string, 4)
		for range 4 {
			wg.Go(func() {
				p, err := s.EnsureDemo(t.Context())
				if err != nil {
					t.Error(err)
				}
				if p != "" {
					made <- p
				}
			})
		}
		wg.Wait()
		require.Len(t, made, 1)
		_, err := signIn(t, s, "demo", <-made, "")
		require.NoError(t, err)
	})
}

func TestKeys(t *testing.T) {
	t.Parallel()
	t.Run("AKeyHoldsTheRightsOfItsScopes", func(t *testing.T) {
		t.Parallel()
		s, _ := newService(t)
		key, err := s.CreateKey(t.Context(), owner, " shop ", []string{operator.ScopeOpen})
		require.NoError(t, err)
		caller, err := s.Key(t.Context(), key.Token)
		require.NoError(t, err)
		require.Equal(t, operator.Rights{operator.OpenBehaviors, operator.OpenMembers, operator.OpenOrders, operator.OpenCoupons, operator.OpenHolds, operator.OpenSMS}, caller.Rights)
		fine, err := s.CreateKey(t.Context(), owner, "till", []string{"members.read", "open.members.read", "members.read"})
		require.NoError(t, err)
		require.Equal(t, []string{"members.read", "open.members.read"}, fine.Scopes)
		caller, err = s.Key(t.Context(), fine.Token)
		require.NoError(t, err)
		require.Equal(t, operator.Rights{operator.MembersRead, operator.OpenMembers}, caller.Rights)
		_, err = s.Key(t.Context(), key.Token+"x")
		require.Equal(t, errs.Unauthorized, errs.CodeOf(err))
		_, err = s.CreateKey(t.Context(), owner, "shop", []string{operator.ScopeAdmin})
		require.Equal(t, errs.Conflict, errs.CodeOf(err))
		_, err = s.CreateKey(t.Context(), owner, "x", []string{"root"})
		require.Equal(t, errs.Invalid, errs.CodeOf(err))
		_, err = s.CreateKey(t.Context(), owner, "x", nil)
		require.Equal(t, errs.Invalid, errs.CodeOf(err))
		_, err = s.CreateKey(t.Context(), owner, " ", []string{operator.ScopeOpen})
		require.Equal(t, errs.Invalid, errs.CodeOf(err))
	})
	t.Run("NobodyGivesMoreThanHeHolds", func(t *testing.T) {
		t.Parallel()
		s, _ := newService(t)
		lesser := operator.Caller{Name: "key:7", Rights: operator.Rights{operator.Operators, operator.MembersRead}}
		_, err := s.CreateKey(t.Context(), lesser, "x", []string{"members.read"})
		require.NoError(t, err)
		for _, scope := range []string{"admin", "open", "points.grant"} {
			_, err := s.CreateKey(t.Context(), lesser, "y", []string{"members.read", scope})
			require.Equal(t, errs.Forbidden, errs.CodeOf(err), scope)
		}
	})
	t.Run("ARepeatGetsTheSameTokenWhichIsStoredNowhereInTheClear", func(t *testing.T) {
		t.Parallel()
		s, d := newService(t)
		ctx := func() context.Context {
			return db.WithKey(t.Context(), db.Key{Principal: "key:1", Route: "POST /admin/v1/keys", Key: "k", Hash: [32]byte{1}})
		}
		first, err := s.CreateKey(ctx(), owner, "shop", []string{operator.ScopeOpen})
		require.NoError(t, err)
		again, err := s.CreateKey(ctx(), owner, "shop", []string{operator.ScopeOpen})
		require.NoError(t, err)
		require.Equal(t, first, again)
		var rows []model.IdempotencyKey
		require.NoError(t, d.Reader(t.Context()).Find(&rows).Error)
		require.Len(t, rows, 1)
		require.NotContains(t, string(rows[0].Answer), first.Token)
	})
	t.Run("ADeletedKeyOpensNothingAndBothChangesAreAudited", func(t *testing.T) {
		t.Parallel()
		s, _ := newService(t)
		key, err := s.CreateKey(t.Context(), owner, "shop", []string{operator.ScopeOpen})
		require.NoError(t, err)
		require.NoError(t, s.DeleteKey(t.Context(), "operator:2", key.ID))
		_, err = s.Key(t.Context(), key.Token)
		require.Equal(t, errs.Unauthorized, errs.CodeOf(err))
		require.Equal(t, errs.NotFound, errs.CodeOf(s.DeleteKey(t.Context(), "operator:2", key.ID)))
		keys, err := s.Keys(t.Context())
		require.NoError(t, err)
		require.Empty(t, keys)
		log, err := s.Audits(t.Context(), operator.AuditQuery{Limit: 10})
		require.NoError(t, err)
		require.Len(t, log, 2)
		require.Equal(t, []string{"key.delete", "operator:2", "null"}, []string{log[0].Action, log[0].Actor, string(log[0].After)})
		require.JSONEq(t, `{"name":"shop","scopes":["open"]}`, string(log[0].Before))
		older, err := s.Audits(t.Context(), operator.AuditQuery{Before: log[0].ID, Limit: 10})
		require.NoError(t, err)
		require.Equal(t, log[1:], older)
		require.Equal(t, start, older[0].At.UTC())
	})
}

func TestEnsureAdminToken(t *testing.T) {
	t.Parallel()
	read := func(path string) string {
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		return strings.TrimSpace(string(b))
	}
	t.Run("IsMadeOnceForItsOwnerOnly", func(t *testing.T) {
		t.Parallel()
		s, _ := newService(t)
		path := filepath.Join(t.TempDir(), "d", "admin.token")
		made, err := s.EnsureAdminToken(t.Context(), path)
		require.NoError(t, err)
		require.True(t, made)
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.EqualValues(t, 0o600, info.Mode().Perm())
		token := read(path)
		_, err = s.Key(t.Context(), token)
		require.NoError(t, err)
		made, err = s.EnsureAdminToken(t.Context(), path)
		require.NoError(t, err)
		require.False(t, made)
		require.Equal(t, token, read(path))
	})
	t.Run("AMissingFileGetsANewTokenAndTheFormerOneEnds", func(t *testing.T) {
		t.Parallel()
		s, _ := newService(t)
		path := filepath.Join(t.TempDir(), "admin.token")
		_, err := s.EnsureAdminToken(t.Context(), path)
		require.NoError(t, err)
		former := read(path)
		require.NoError(t, os.Remove(path))
		made, err := s.EnsureAdminToken(t.Context(), path)
		require.NoError(t, err)
		require.True(t, made)
		_, err = s.Key(t.Context(), former)
		require.Equal(t, errs.Unauthorized, errs.CodeOf(err))
		_, err = s.Key(t.Context(), read(path))
		require.NoError(t, err)
	})
	t.Run("AnotherDatabaseLearnsTheToken", func(t *testing.T) {
		t.Parallel()
		s, _ := newService(t)
		path := filepath.Join(t.TempDir(), "admin.token")
		_, err := s.EnsureAdminToken(t.Context(), path)
		require.NoError(t, err)
		other, _ := newService(t)
		made, err := other.EnsureAdminToken(t.Context(), path)
		require.NoError(t, err)
		require.False(t, made)
		_, err = other.Key(t.Context(), read(path))
		require.NoError(t, err)
	})
	t.Run("ADamagedOrReadableFileIsRefused", func(t *testing.T) {
		t.Parallel()
		s, _ := newService(t)
		path := filepath.Join(t.TempDir(), "admin.token")
		require.NoError(t, os.WriteFile(path, []byte("\n"), 0o600))
		_, err := s.EnsureAdminToken(t.Context(), path)
		require.ErrorContains(t, err, "holds no token")
		require.NoError(t, os.Chmod(path, 0o644))
		_, err = s.EnsureAdminToken(t.Context(), path)
		require.ErrorContains(t, err, "chmod 600")
	})
}

func TestCheckKey(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t)
	require.NoError(t, operator.CheckKey(t.Context(), d, config.NewBox([32]byte{1})))
	require.NoError(t, operator.CheckKey(t.Context(), d, config.NewBox([32]byte{1})))
	err := operator.CheckKey(t.Context(), d, config.NewBox([32]byte{2}))
	require.ErrorContains(t, err, "SIYU_SECRET_KEY")
	require.ErrorIs(t, err, config.ErrSealed)
}

func TestTokens(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t)
	s := operator.NewTokens(d, config.NewBox([32]byte{1}))
	token, _, err := s.Get(t.Context(), "wx1")
	require.NoError(t, err)
	require.Empty(t, token)
	long := strings.Repeat("t", 512)
	for _, want := range []string{"one", "one", long} {
		require.NoError(t, s.Put(t.Context(), "wx1", want, start))
		got, expires, err := s.Get(t.Context(), "wx1")
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.Equal(t, start, expires.UTC())
	}
	token, _, err = operator.NewTokens(d, config.NewBox([32]byte{2})).Get(t.Context(), "wx1")
	require.NoError(t, err)
	require.Empty(t, token, "sealed with another key")
	var row model.Secret
	require.NoError(t, d.Reader(t.Context()).Take(&row).Error)
	b, err := json.Marshal(row)
	require.NoError(t, err)
	require.NotContains(t, string(b), long)
}

// signIn is the token of who needs no second step.
func signIn(t *testing.T, s *operator.Service, login, password, ip string) (string, error) {
	t.Helper()
	in, err := s.Login(t.Context(), login, password, ip)
	return in.Token, err
}
