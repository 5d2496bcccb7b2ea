package member_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/audience"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/model"
)

func ptr[T any](v T) *T { return &v }

// link tells a unionid of an openid, as a login or UserInfo does; it returns the survivor.
func link(w *apptest.World, account, openID, unionID string) (id int64, err error) {
	err = w.DB.Tx(context.Background(), func(ctx context.Context, tx *gorm.DB) error {
		i, _, err := w.Members.TouchTx(tx, nil, account, account, openID, w.Now())
		if err != nil {
			return err
		}
		id, err = w.Members.LinkTx(ctx, tx, i, unionID)
		return err
	})
	return id, err
}

func identity(w *apptest.World, account, openID string) model.Identity {
	w.T.Helper()
	var id model.Identity
	require.NoError(w.T, w.DB.Reader(w.T.Context()).Where("account = ? AND open_id = ?", account, openID).Take(&id).Error)
	return id
}

func TestFirstContact(t *testing.T) {
	t.Parallel()

	t.Run("TheSameOpenIDAtOnceIsOnePerson", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		var wg sync.WaitGroup
		for range 12 {
			wg.Go(func() {
				if err := w.DB.Tx(context.Background(), func(_ context.Context, tx *gorm.DB) error {
					_, _, err := w.Members.TouchTx(tx, nil, "oa", "oa", "o1", w.Now())
					return err
				}); err != nil {
					t.Errorf("TouchTx: %v", err)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 1, w.Count(&model.Member{}))
		require.EqualValues(t, 1, w.Count(&model.Identity{}))
	})

	for _, order := range [][]string{{"oa", "mp"}, {"mp", "oa"}} {
		t.Run("OneUnionIDIsOnePerson/"+order[0]+"First", func(t *testing.T) {
			t.Parallel()
			w := apptest.New(t)
			a, err := link(w, order[0], "x", "union")
			require.NoError(t, err)
			b, err := link(w, order[1], "y", "union")
			require.NoError(t, err)
			require.Equal(t, a, b)
			require.Equal(t, a, identity(w, order[1], "y").MemberID)
		})

		t.Run("OneUnionIDLearnedLaterIsOnePerson/"+order[0]+"First", func(t *testing.T) {
			t.Parallel()
			w := apptest.New(t)
			w.Touched(order[0], "x")
			w.Touched(order[1], "y")
			a, err := link(w, order[0], "x", "union")
			require.NoError(t, err)
			b, err := link(w, order[1], "y", "union")
			require.NoError(t, err)
			require.Equal(t, a, b)
			require.EqualValues(t, 1, w.Count(&model.Member{}, "merged_into IS NULL"))
			require.EqualValues(t, 1, w.Count(&model.Union{}))
		})
	}

	t.Run("OneUnionIDAtOnceIsOnePerson", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		var wg sync.WaitGroup
		for i := range 12 {
			wg.Go(func() {
				account := []string{"oa", "mp"}[i%2]
				if _, err := link(w, account, fmt.Sprint(account, i/2%2), "union"); err != nil {
					t.Errorf("LinkTx: %v", err)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 1, w.Count(&model.Member{}, "merged_into IS NULL"))
		survivor := identity(w, "oa", "oa0").MemberID
		require.EqualValues(t, 4, w.Count(&model.Identity{}, "member_id = ?", survivor))
		w.Verified()
	})

	t.Run("AnotherUnionIDIsAnotherPerson", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		a, err := link(w, "oa", "x", "one")
		require.NoError(t, err)
		b, err := link(w, "mp", "y", "two")
		require.NoError(t, err)
		require.NotEqual(t, a, b)
		same, err := link(w, "oa", "x", "two")
		require.NoError(t, err, "a login goes on")
		require.Equal(t, a, same)
		require.Equal(t, "one", identity(w, "oa", "x").UnionID)
	})

	t.Run("AnOperatorsMergeDoesNotDragInAThirdUnionID", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		a, err := link(w, "mp", "x", "one")
		require.NoError(t, err)
		_, err = w.Members.Merge(t.Context(), a, w.Touched("oa", "o"), "operator")
		require.NoError(t, err)
		b, err := link(w, "mp", "y", "two")
		require.NoError(t, err)
		got, err := link(w, "oa", "o", "two")
		require.NoError(t, err)
		require.Equal(t, a, got)
		m, err := w.Members.Get(t.Context(), b)
		require.NoError(t, err)
		require.Equal(t, b, m.ID)
	})
}

// TestUnionIDIsAskedAfterAFollow drives the real order of things: pushes, the outbox, a login.
func TestUnionIDIsAskedAfterAFollow(t *testing.T) {
	t.Parallel()
	for name, act := range map[string]func(w *apptest.World, follow, login func()){
		"FollowThenLogin":            func(w *apptest.World, follow, login func()) { follow(); w.Settle(); login() },
		"LoginThenFollow":            func(w *apptest.World, follow, login func()) { login(); follow(); w.Settle() },
		"LoginBeforeTheOutboxRuns":   func(w *apptest.World, follow, login func()) { follow(); login(); w.Settle() },
		"WeChatIsDownForSomeSeconds": func(w *apptest.World, follow, login func()) { follow(); login(); fail(w, 2, 0); w.Advance(time.Minute) },
		"WeChatIsDownForAnHour": func(w *apptest.World, follow, login func()) {
			follow()
			login()
			fail(w, 12, 0)
			w.Advance(3 * time.Hour)
		},
		"TheDaysCallsAreUsedUp": func(w *apptest.World, follow, login func()) {
			follow()
			login()
			fail(w, 12, 45009)
			w.Advance(3 * time.Hour)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := apptest.New(t)
			p := w.Person("alice")
			act(w, func() { w.Act(p, "follow", nil) }, func() {
				_, err := p.Login(t.Context())
				require.NoError(t, err)
				require.NoError(t, p.API(t.Context(), "POST", "/register", map[string]any{}, nil))
			})
			oa, mp := w.MemberOf(p, "oa"), w.MemberOf(p, "mp")
			require.Equal(t, mp.ID, oa.ID)
			require.True(t, oa.Joined())
			require.NoError(t, p.API(t.Context(), "GET", "/me", nil, nil), "the token still works")
			require.EqualValues(t, 1, w.Count(&model.Member{}, "merged_into IS NULL"))
		})
	}
}

// fail makes the next calls for a unionid fail: with an errcode, or with HTTP 500.
func fail(w *apptest.World, times, errcode int) {
	w.T.Helper()
	kind := "http_500"
	if errcode != 0 {
		kind = "errcode"
	}
	in := map[string]any{"path": "/cgi-bin/user/info", "kind": kind, "times": times, "errcode": errcode}
	err := w.Call(w.T.Context(), "POST", "/sandbox/api/faults", "", in, nil)
	require.NoError(w.T, err)
}

func TestFollowing(t *testing.T) {
	t.Parallel()
	at := func(s int) time.Time { return apptest.Start.Add(time.Duration(s) * time.Second) }
	// change is FollowTx or UnfollowTx at a second.
	change := func(w *apptest.World, follow bool, second int) (f member.Follow) {
		w.Tx(func(_ context.Context, tx *gorm.DB) error {
			id, _, err := w.Members.TouchTx(tx, nil, "oa", "oa", "o", at(second))
			if err != nil {
				return err
			}
			if follow {
				f, err = w.Members.FollowTx(tx, id, "poster", at(second))
			} else {
				_, err = w.Members.UnfollowTx(tx, id, at(second))
			}
			return err
		})
		return f
	}

	t.Run("AnOlderUnsubscribeDoesNotFlipANewerSubscribe", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		require.Equal(t, member.Follow{New: true}, change(w, true, 10))
		change(w, false, 5)
		id := identity(w, "oa", "o")
		require.True(t, id.Subscribed)
		require.Equal(t, at(10), *id.StateAt)
		change(w, false, 11)
		require.False(t, identity(w, "oa", "o").Subscribed)
	})

	t.Run("AnOlderSubscribeDoesNotFlipANewerUnsubscribe", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		change(w, false, 10)
		require.Equal(t, member.Follow{New: true, Late: true}, change(w, true, 5))
		require.False(t, identity(w, "oa", "o").Subscribed)
		require.Equal(t, member.Follow{}, change(w, true, 12), "he came before: not new")
	})

	t.Run("PushesAtOnceLeaveTheNewestState", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		w.Touched("oa", "o")
		var wg sync.WaitGroup
		for s := range 10 {
			wg.Go(func() { change(w, s%2 == 0, s+1) })
		}
		wg.Wait()
		id := identity(w, "oa", "o")
		require.Equal(t, at(10), *id.StateAt)
		require.False(t, id.Subscribed)
	})
}

func TestRegister(t *testing.T) {
	t.Parallel()

	t.Run("ANicknameHoldsNoControlCharacters", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		_, err := w.Members.Register(t.Context(), w.Touched("mp", "x"), member.Profile{Nickname: ptr("a\x00b")}, "1")
		require.Equal(t, errs.Invalid, errs.CodeOf(err))
	})

	t.Run("TwiceChangesNothing", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		w.Rule("register", model.EventRegistered, apptest.Earns(50, ""))
		id := w.Touched("mp", "x")
		first, err := w.Members.Register(t.Context(), id, member.Profile{Nickname: ptr("alice")}, "1")
		require.NoError(t, err)
		require.True(t, first.New)
		require.EqualValues(t, 50, first.Grants[0].Amount)
		w.Advance(time.Hour)
		again, err := w.Members.Register(t.Context(), id, member.Profile{Nickname: ptr("mallory")}, "2")
		require.NoError(t, err)
		require.False(t, again.New)
		require.Empty(t, again.Grants)
		require.Equal(t, "alice", again.Member.Nickname)
		require.Equal(t, apptest.Start, *again.Member.JoinedAt)
		require.EqualValues(t, 50, w.Points(id))
	})

	t.Run("TenAtOncePayOnce", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		w.Rule("register", model.EventRegistered, apptest.Earns(50, ""))
		id := w.Touched("mp", "x")
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if _, err := w.Members.Register(context.Background(), id, member.Profile{}, "1"); err != nil {
					t.Errorf("Register: %v", err)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 50, w.Points(id))
	})

	t.Run("ARefusedProfileRegistersNobody", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		id := w.Touched("mp", "x")
		_, err := w.Members.Register(t.Context(), id, member.Profile{Gender: ptr("other")}, "1")
		require.Equal(t, errs.Invalid, errs.CodeOf(err))
		m, err := w.Members.Get(t.Context(), id)
		require.NoError(t, err)
		require.False(t, m.Joined())
	})

	t.Run("WhatHeDidBeforeIsNotAMembersDeed", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		id := w.Touched("mp", "x")
		_, err := w.Checkins.CheckIn(t.Context(), id, "api", w.Now())
		require.Equal(t, errs.NotMember, errs.CodeOf(err))
		w.Advance(time.Minute)
		_, err = w.Members.Register(t.Context(), id, member.Profile{}, "1")
		require.NoError(t, err)
		_, err = w.Checkins.CheckIn(t.Context(), id, "text", apptest.Start.Add(time.Second))
		require.Equal(t, errs.NotMember, errs.CodeOf(err), "a late push from before does not use up the day")
		_, err = w.Checkins.CheckIn(t.Context(), id, "api", w.Now())
		require.NoError(t, err)
	})
}

func TestProfile(t *testing.T) {
	t.Parallel()

	t.Run("ABirthdayChangesOnceIn365Days", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		id := w.Joined("alice")
		set := func(day model.Day) error {
			_, err := w.Members.Update(t.Context(), id, member.Profile{Birthday: &day})
			return err
		}
		require.Equal(t, errs.Invalid, errs.CodeOf(set("2026-11-24")), "tomorrow")
		require.Equal(t, errs.Invalid, errs.CodeOf(set("1899-12-31")))
		require.NoError(t, set("2000-02-29"))
		require.NoError(t, set("2000-02-29"), "the same again is no change")
		require.NoError(t, set("2000-02-28"), "the first was none either") // PLAYBOOKS P11 #5
		w.Jump("2027-11-23 08:59:59")
		err := set("2000-03-01")
		require.Equal(t, errs.LimitReached, errs.CodeOf(err))
		var e *errs.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, apptest.Start.AddDate(0, 0, 365), e.Args["opens_at"])
		w.Jump("2027-11-23 09:00:00")
		require.NoError(t, set("2000-03-01"))
		m, err := w.Members.Get(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, model.Day("2000-03-01"), m.Birthday)
	})

	t.Run("TheFutureBeginsAtMidnightOfTheProgramme", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		id := w.Joined("alice")
		w.Set("2026-11-24 00:00:00") // the 23rd in UTC
		_, err := w.Members.Update(t.Context(), id, member.Profile{Birthday: ptr(model.Day("2026-11-24"))})
		require.NoError(t, err)
	})

	t.Run("APhoneIsSealedMaskedAndFound", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		p, id := w.Member("alice")
		var got struct{ Code string }
		require.NoError(t, w.Call(t.Context(), "POST", "/sandbox/api/users/"+p.ID+"/phone", "", map[string]any{"account": "mp", "number": "13812345678"}, &got))
		m, err := w.Members.SetPhone(t.Context(), id, "mp", got.Code)
		require.NoError(t, err)
		require.NotContains(t, m.PhoneSealed, "13812345678")
		require.NotContains(t, m.PhoneIndex, "13812345678")
		require.Equal(t, "138****5678", w.Members.Phone(m))
		for _, search := range []string{"13812345678", "+86 138-1234-5678", m.No, "alice"} {
			found, _, err := w.Audience.People(t.Context(), audience.Wanted{Search: search, Limit: 10})
			require.NoError(t, err)
			require.Len(t, found, 1, search)
			require.Equal(t, id, found[0].ID)
		}
		found, _, err := w.Audience.People(t.Context(), audience.Wanted{Search: "1381234567", Limit: 10})
		require.NoError(t, err)
		require.Empty(t, found, "only in full")
	})

	t.Run("OptOutHoldsUntilTakenBack", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		id := w.Joined("alice")
		w.Tx(func(_ context.Context, tx *gorm.DB) error { return w.Members.OptOutTx(tx, id, w.Now()) })
		w.Advance(time.Hour)
		m, err := w.Members.Update(t.Context(), id, member.Profile{Marketing: ptr(false)})
		require.NoError(t, err)
		require.Equal(t, apptest.Start, *m.OptedOutAt, "since the first time")
		m, err = w.Members.Update(t.Context(), id, member.Profile{Marketing: ptr(true)})
		require.NoError(t, err)
		require.Nil(t, m.OptedOutAt)
	})

	t.Run("APositionIsKeptOnlyWithConsent", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		id := w.Touched("mp", "x")
		at := func(lat float64, second int) {
			w.Tx(func(_ context.Context, tx *gorm.DB) error {
				return w.Members.LocateTx(tx, id, lat, 120, apptest.Start.Add(time.Duration(second)*time.Second))
			})
		}
		at(30, 0)
		require.Zero(t, w.Count(&model.Position{}))
		_, err := w.Members.Update(t.Context(), id, member.Profile{LocationConsent: ptr(true)})
		require.NoError(t, err)
		at(31, 2)
		at(32, 1)
		var p model.Position
		require.NoError(t, w.DB.Reader(t.Context()).Take(&p).Error)
		require.InDelta(t, 31, p.Lat, 0, "the later one stays")
		_, err = w.Members.Register(t.Context(), id, member.Profile{LocationConsent: ptr(false)}, "1")
		require.NoError(t, err)
		require.Zero(t, w.Count(&model.Position{}), "consent taken back at registration")
	})

	t.Run("TheListFilters", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		id, other := w.Joined("alice"), w.Touched("oa", "o")
		for joined, want := range map[bool]int64{true: id, false: other} {
			found, _, err := w.Audience.People(t.Context(), audience.Wanted{Joined: &joined, Limit: 10})
			require.NoError(t, err)
			require.Len(t, found, 1)
			require.Equal(t, want, found[0].ID)
		}
	})
}
