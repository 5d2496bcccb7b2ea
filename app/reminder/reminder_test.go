package reminder_test

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/app/wechat/sandbox/phone"
	"github.com/siyu-scrm/siyu/model"
)

const template = "TPL_ACTIVITY"

func message() reach.Message {
	return reach.Message{Subscribe: &reach.SubscribeContent{TemplateID: template, Data: map[string]string{"thing1": "今天还没签到", "thing2": "连续签到", "time3": "2026年11月25日 23:59"}}}
}

func remind(w *apptest.World, streak int, at string) {
	w.T.Helper()
	_, err := w.Reminder.Save(w.T.Context(), model.Reminder{Enabled: true, Streak: streak, At: at}, message())
	require.NoError(w.T, err)
}

// accepting is a member who accepted the template so many times.
func accepting(w *apptest.World, name string, times int) (*phone.Person, int64) {
	w.T.Helper()
	p, id := w.Member(name)
	if times > 0 {
		require.NoError(w.T, w.Call(w.T.Context(), "POST", "/sandbox/api/users/"+p.ID+"/accept", "", map[string]any{"account": "mp", "template": template, "times": times}, nil))
		w.Advance(0)
	}
	return p, id
}

func checkIn(w *apptest.World, ids ...int64) {
	w.T.Helper()
	for _, id := range ids {
		_, err := w.Checkins.CheckIn(w.T.Context(), id, "api", w.Now())
		require.NoError(w.T, err)
	}
}

// got is how many reminders reached a person.
func got(w *apptest.World, p *phone.Person) (n int) {
	w.T.Helper()
	all, err := p.Inbox(w.T.Context())
	require.NoError(w.T, err)
	for _, m := range all {
		if m.Channel == "subscribe" {
			n++
		}
	}
	return n
}

func TestReminder(t *testing.T) {
	t.Parallel()

	t.Run("GoesOnceADayToWhoAskedForItAndIsAboutToLose", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		remind(w, 2, "20:00")
		alice, a := accepting(w, "alice", 3) // about to lose
		bob, b := accepting(w, "bob", 0)     // did not ask
		carl, c := accepting(w, "carl", 3)   // checks in
		dora, d := accepting(w, "dora", 3)   // a streak of one
		checkIn(w, a, b, c)
		w.Set("2026-11-24 09:00:00")
		checkIn(w, a, b, c, d)
		w.Set("2026-11-25 19:59:59")
		checkIn(w, c)
		require.Zero(t, got(w, alice))
		w.Set("2026-11-25 20:00:00")
		require.Equal(t, []int{1, 0, 0, 0}, []int{got(w, alice), got(w, bob), got(w, carl), got(w, dora)})
		w.Advance(0)
		remind(w, 2, "20:30") // the time is changed: today has had its reminder
		w.Set("2026-11-25 23:00:00")
		require.Equal(t, 1, got(w, alice))
		w.Set("2026-11-26 21:00:00") // alice lost it; carl is about to
		require.Equal(t, []int{1, 1}, []int{got(w, alice), got(w, carl)})
	})

	t.Run("WhoChecksInBeforeItIsSentDoesNotGetIt", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		remind(w, 1, "20:00")
		alice, a := accepting(w, "alice", 1)
		bob, b := accepting(w, "bob", 1)
		checkIn(w, a, b)
		w.Jump("2026-11-24 20:00:00")
		for _, what := range []string{"yesterday's is left out", "today's goes"} {
			n, err := w.Reminder.RunDue(t.Context(), w.Now())
			require.NoError(t, err)
			require.Equal(t, 1, n, what)
		}
		checkIn(w, a) // between the freeze and the send
		w.Settle()
		require.Equal(t, []int{0, 1}, []int{got(w, alice), got(w, bob)})
		runs, err := w.Reach.Runs(t.Context(), "reminder", 0, 0, 10)
		require.NoError(t, err)
		reasons, err := w.Reach.Reasons(t.Context(), runs[0].ID)
		require.NoError(t, err)
		require.Equal(t, []reach.Reason{{Reason: reach.Condition, Count: 1}}, reasons)
	})

	t.Run("WhatWaitsUntilMorningIsDropped", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		remind(w, 1, "21:59")
		alice, a := accepting(w, "alice", 1)
		checkIn(w, a)
		w.Set("2026-11-24 09:00:00")
		w.Jump("2026-11-24 21:59:00")
		n, err := w.Reminder.RunDue(t.Context(), w.Now())
		require.NoError(t, err)
		require.Equal(t, 1, n)
		require.EqualValues(t, 1, w.Count(&model.Run{}))
		w.Jump("2026-11-24 22:00:00") // the quiet hours begin before it is sent
		w.Settle()
		w.Set("2026-11-25 12:00:00")
		require.Zero(t, got(w, alice))
	})

	t.Run("OneThatIsLateByMoreThanAnHourIsLeftOut", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		remind(w, 1, "19:00")
		alice, a := accepting(w, "alice", 1)
		checkIn(w, a)
		w.Set("2026-11-24 09:00:00")
		w.Jump("2026-11-24 20:00:01")
		w.Settle()
		require.Zero(t, got(w, alice))
		at, _, err := w.Reminder.Due(t.Context())
		require.NoError(t, err)
		require.True(t, w.At("2026-11-25 19:00:00").Equal(at))
	})

	t.Run("TwoProcessesMakeOneRun", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		remind(w, 1, "20:00")
		_, a := accepting(w, "alice", 5)
		checkIn(w, a)
		w.Set("2026-11-24 19:00:00")
		w.Jump("2026-11-24 20:00:00")
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if _, err := w.Reminder.RunDue(context.WithoutCancel(t.Context()), w.Now()); err != nil {
					t.Errorf("RunDue: %v", err)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 1, w.Count(&model.Run{}))
	})

	t.Run("OptedOutAndOffNothingGoes", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		remind(w, 1, "20:00")
		alice, a := accepting(w, "alice", 1)
		checkIn(w, a)
		w.Tx(func(_ context.Context, tx *gorm.DB) error { return w.Members.OptOutTx(tx, a, w.Now()) })
		w.Set("2026-11-24 20:00:00")
		require.Zero(t, got(w, alice))
		_, err := w.Reminder.Save(t.Context(), model.Reminder{Streak: 1, At: "20:00"}, reach.Message{})
		require.NoError(t, err)
		_, due, err := w.Reminder.Due(t.Context())
		require.NoError(t, err)
		require.False(t, due)
	})

	t.Run("WhatCouldNotBeSentIsRefused", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		for field, r := range map[string]model.Reminder{
			"streak": {Enabled: true, At: "20:00"}, "at": {Enabled: true, Streak: 1, At: "22:00"},
		} {
			_, err := w.Reminder.Save(t.Context(), r, message())
			var e *errs.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, field, e.Args["field"])
		}
		for _, at := range []string{"", "8", "24:00", "07:59", "20:60"} {
			_, err := w.Reminder.Save(t.Context(), model.Reminder{Enabled: true, Streak: 1, At: at}, message())
			require.Equal(t, errs.Invalid, errs.CodeOf(err), at)
		}
		_, err := w.Reminder.Save(t.Context(), model.Reminder{Enabled: true, Streak: 1, At: "20:00"}, reach.Message{})
		require.Equal(t, errs.Invalid, errs.CodeOf(err))
	})
}
