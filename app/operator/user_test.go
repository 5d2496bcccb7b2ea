package operator_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/model"
)

func role(r operator.Role) operator.UserChange { return operator.UserChange{Role: &r} }

func disabled(b bool) operator.UserChange { return operator.UserChange{Disabled: &b} }

func TestUsers(t *testing.T) {
	t.Parallel()
	make := func(t *testing.T, s *operator.Service, login string, r operator.Role) *operator.NewUser {
		t.Helper()
		u, err := s.CreateUser(t.Context(), owner, login, r)
		require.NoError(t, err)
		return u
	}
	t.Run("ANewOneSignsInWithThePasswordThatIsShownOnceAndChoosesHisOwn", func(t *testing.T) {
		t.Parallel()
		s, d := newService(t)
		u := make(t, s, "xiaomei", operator.RoleSupport)
		token, err := signIn(t, s, "xiaomei", u.Password, "")
		require.NoError(t, err)
		elsewhere, err := signIn(t, s, "xiaomei", u.Password, "")
		require.NoError(t, err)
		in, err := s.Session(t.Context(), token)
		require.NoError(t, err)
		require.True(t, in.MustChange)

		require.Equal(t, "old", fieldOf(t, s.ChangePassword(t.Context(), u.ID, token, "wrong", "long enough, mine")))
		require.Equal(t, "password", fieldOf(t, s.ChangePassword(t.Context(), u.ID, token, u.Password, "short")))
		require.Equal(t, "password", fieldOf(t, s.ChangePassword(t.Context(), u.ID, token, u.Password, u.Password)))
		require.NoError(t, s.ChangePassword(t.Context(), u.ID, token, u.Password, "long enough, mine"))
		in, err = s.Session(t.Context(), token)
		require.NoError(t, err, "here he stays signed in")
		require.False(t, in.MustChange)
		_, err = s.Session(t.Context(), elsewhere)
		require.Equal(t, errs.Unauthorized, errs.CodeOf(err))
		_, err = signIn(t, s, "xiaomei", u.Password, "")
		require.Equal(t, errs.Unauthorized, errs.CodeOf(err))

		var log []model.Audit
		require.NoError(t, d.Reader(t.Context()).Order("id").Find(&log).Error)
		require.Len(t, log, 2)
		for _, a := range log {
			require.NotContains(t, string(a.Before)+string(a.After), "argon2")
			require.NotContains(t, string(a.After), u.Password)
		}
	})
	t.Run("AWrongOldPasswordCountsAsAnAttempt", func(t *testing.T) {
		t.Parallel()
		s, _ := newService(t)
		u := make(t, s, "xiaomei", operator.RoleSupport)
		for range 5 {
			require.Equal(t, "old", fieldOf(t, s.ChangePassword(t.Context(), u.ID, "", "wrong", "long enough, mine")))
		}
		require.Equal(t, errs.RateLimited, errs.CodeOf(s.ChangePassword(t.Context(), u.ID, "", u.Password, "long enough, mine")))
	})
	t.Run("AnotherRoleAndADisabledUserEndTheSessions", func(t *testing.T) {
		t.Parallel()
		s, _ := newService(t)
		make(t, s, "boss", operator.RoleOwner)
		u := make(t, s, "xiaomei", operator.RoleSupport)
		for _, change := range []func() error{
			func() error {
				_, err := s.ChangeUser(t.Context(), owner, u.ID, role(operator.RoleAnalyst))
				return err
			},
			func() error {
				fresh, err := s.ResetPassword(t.Context(), owner, u.ID)
				if err == nil {
					u.Password = fresh.Password
				}
				return err
			},
			func() error { _, err := s.ChangeUser(t.Context(), owner, u.ID, disabled(true)); return err },
		} {
			token, err := signIn(t, s, "xiaomei", u.Password, "")
			require.NoError(t, err)
			require.NoError(t, change())
			_, err = s.Session(t.Context(), token)
			require.Equal(t, errs.Unauthorized, errs.CodeOf(err))
		}
		_, err := signIn(t, s, "xiaomei", u.Password, "2")
		require.Equal(t, errs.Unauthorized, errs.CodeOf(err), "a disabled user does not sign in")
		_, err = s.ChangeUser(t.Context(), owner, u.ID, disabled(false))
		require.NoError(t, err)
		_, err = signIn(t, s, "xiaomei", u.Password, "2")
		require.NoError(t, err)
	})
	t.Run("TheLastOwnerStays", func(t *testing.T) {
		t.Parallel()
		s, _ := newService(t)
		boss := make(t, s, "boss", operator.RoleOwner)
		gone := make(t, s, "gone", operator.RoleOwner)
		_, err := s.ChangeUser(t.Context(), owner, gone.ID, disabled(true))
		require.NoError(t, err)
		for _, c := range []operator.UserChange{role(operator.RoleManager), disabled(true)} {
			_, err := s.ChangeUser(t.Context(), owner, boss.ID, c)
			require.Equal(t, errs.Conflict, errs.CodeOf(err))
		}
		u, err := s.User(t.Context(), boss.ID)
		require.NoError(t, err)
		require.Equal(t, string(operator.RoleOwner), u.Role)
		require.Nil(t, u.DisabledAt)
	})
	t.Run("TwoOwnersWhoRemoveEachOtherLeaveOne", func(t *testing.T) {
		t.Parallel()
		s, _ := newService(t)
		ids := []int64{make(t, s, "one", operator.RoleOwner).ID, make(t, s, "two", operator.RoleOwner).ID}
		var wg sync.WaitGroup
		refused := [2]error{}
		for i, id := range ids {
			wg.Go(func() { _, refused[i] = s.ChangeUser(t.Context(), owner, id, role(operator.RoleAnalyst)) })
		}
		wg.Wait()
		require.NotEqual(t, refused[0] == nil, refused[1] == nil, "%v", refused)
	})
	t.Run("NobodyRaisesHimselfOrTouchesWhoHoldsMore", func(t *testing.T) {
		t.Parallel()
		s, _ := newService(t)
		boss := make(t, s, "boss", operator.RoleOwner)
		u := make(t, s, "xiaomei", operator.RoleSupport)
		lesser := operator.Caller{Name: "key:9", Rights: append(operator.RoleSupport.Rights(), operator.Operators)}
		for _, err := range []error{
			second(s.CreateUser(t.Context(), lesser, "mine", operator.RoleOwner)),
			second(s.ChangeUser(t.Context(), lesser, u.ID, role(operator.RoleManager))),
			second(s.ChangeUser(t.Context(), lesser, boss.ID, disabled(true))),
			second(s.ResetPassword(t.Context(), lesser, boss.ID)),
		} {
			require.Equal(t, errs.Forbidden, errs.CodeOf(err))
		}
		require.NoError(t, second(s.ResetPassword(t.Context(), lesser, u.ID)))
	})
	t.Run("BadInputIsRefused", func(t *testing.T) {
		t.Parallel()
		s, _ := newService(t)
		u := make(t, s, "xiaomei", operator.RoleSupport)
		require.Equal(t, errs.Conflict, errs.CodeOf(second(s.CreateUser(t.Context(), owner, "xiaomei", operator.RoleSupport))))
		require.Equal(t, "role", fieldOf(t, second(s.CreateUser(t.Context(), owner, "other", "root"))))
		require.Equal(t, "role", fieldOf(t, second(s.ChangeUser(t.Context(), owner, u.ID, role("")))))
		for _, login := range []string{"", "x", "Big", "a b", "私域", "<script>"} {
			require.Equal(t, "login", fieldOf(t, second(s.CreateUser(t.Context(), owner, login, operator.RoleSupport))), login)
		}
		require.Equal(t, errs.NotFound, errs.CodeOf(second(s.ChangeUser(t.Context(), owner, 999, disabled(true)))))
		require.Equal(t, errs.NotFound, errs.CodeOf(second(s.ResetPassword(t.Context(), owner, 999))))
	})
}

func second[T any](_ T, err error) error { return err }

func fieldOf(t *testing.T, err error) string {
	t.Helper()
	var e *errs.Error
	require.ErrorAs(t, err, &e)
	field, _ := e.Args["field"].(string)
	return field
}

func TestAuditsAreFiltered(t *testing.T) {
	t.Parallel()
	s, _ := newService(t)
	for _, line := range [][3]string{{"operator:1", "rule.update", "rule:1"}, {"operator:2", "rule.create", "rule:11"}, {"key:1", "ruler.create", "ruler:1"}, {"key:1", "tag.create", "tag:1"}} {
		require.NoError(t, s.Audit(t.Context(), line[0], line[1], line[2], nil, "x"))
	}
	for want, q := range map[int]operator.AuditQuery{
		1: {Actor: "operator:2"}, 2: {Object: "rule", To: start.Add(time.Second)}, 3: {Before: 4}, 4: {From: start}, 0: {To: start},
	} {
		q.Limit = 10
		rows, err := s.Audits(t.Context(), q)
		require.NoError(t, err)
		require.Len(t, rows, want, "%+v", q)
	}
	for action, want := range map[string]int{"rule": 2, "rule.update": 1, "ruler": 1, "ru": 0} {
		rows, err := s.Audits(t.Context(), operator.AuditQuery{Action: action, Limit: 10})
		require.NoError(t, err)
		require.Len(t, rows, want, action)
	}
}
