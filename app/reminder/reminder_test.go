package reminder_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/coupon"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/app/wechat/sandbox/phone"
	"github.com/siyu-scrm/siyu/model"
)

const template = "TPL_ACTIVITY"

func message() reach.Message {
	return reach.Message{Subscribe: &reach.SubscribeContent{TemplateID: template, Data: map[string]string{"thing1": "今天还没签到", "thing2": "连续签到", "time3": "2026年11月25日 23:59"}}}
}

// streak is the reminder of a streak; cron is minute and hour.
func streak(days int, cron string) model.Reminder {
	return model.Reminder{Kind: model.ReminderStreak, Name: "签到提醒", Enabled: true, Days: days, Cron: cron + " * * *"}
}

func save(w *apptest.World, r model.Reminder, m reach.Message) *model.Reminder {
	w.T.Helper()
	out, err := w.Reminders.Save(w.T.Context(), r, m)
	require.NoError(w.T, err)
	return out
}

func remind(w *apptest.World, days int, cron string) model.Reminder {
	w.T.Helper()
	return *save(w, streak(days, cron), message())
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
		r := remind(w, 2, "0 20")
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
		r.Cron = "30 20 * * *"
		save(w, r, message()) // the time is changed: today has had its reminder
		w.Set("2026-11-25 23:00:00")
		require.Equal(t, 1, got(w, alice))
		w.Set("2026-11-26 21:00:00") // alice lost it; carl is about to
		require.Equal(t, []int{1, 1}, []int{got(w, alice), got(w, carl)})
	})

	t.Run("WhoChecksInBeforeItIsSentDoesNotGetIt", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		r := remind(w, 1, "0 20")
		alice, a := accepting(w, "alice", 1)
		bob, b := accepting(w, "bob", 1)
		checkIn(w, a, b)
		w.Jump("2026-11-24 20:00:00")
		for _, what := range []string{"yesterday's is left out", "today's goes"} {
			n, err := w.Reminders.RunDue(t.Context(), w.Now())
			require.NoError(t, err)
			require.Equal(t, 1, n, what)
		}
		checkIn(w, a) // between the freeze and the send
		w.Settle()
		require.Equal(t, []int{0, 1}, []int{got(w, alice), got(w, bob)})
		runs, err := w.Reach.Runs(t.Context(), "reminder", r.ID, 0, 10)
		require.NoError(t, err)
		reasons, err := w.Reach.Reasons(t.Context(), runs[0].ID)
		require.NoError(t, err)
		require.Equal(t, []reach.Reason{{Reason: reach.Condition, Count: 1}}, reasons)
	})

	t.Run("WhatWaitsUntilMorningIsDropped", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		remind(w, 1, "59 21")
		alice, a := accepting(w, "alice", 1)
		checkIn(w, a)
		w.Set("2026-11-24 09:00:00")
		w.Jump("2026-11-24 21:59:00")
		n, err := w.Reminders.RunDue(t.Context(), w.Now())
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
		remind(w, 1, "0 19")
		alice, a := accepting(w, "alice", 1)
		checkIn(w, a)
		w.Set("2026-11-24 09:00:00")
		w.Jump("2026-11-24 20:00:01")
		w.Settle()
		require.Zero(t, got(w, alice))
		at, _, err := w.Reminders.Due(t.Context())
		require.NoError(t, err)
		require.True(t, w.At("2026-11-25 19:00:00").Equal(at))
	})

	t.Run("TwoProcessesMakeOneRun", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		remind(w, 1, "0 20")
		_, a := accepting(w, "alice", 5)
		checkIn(w, a)
		w.Set("2026-11-24 19:00:00")
		w.Jump("2026-11-24 20:00:00")
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if _, err := w.Reminders.RunDue(context.WithoutCancel(t.Context()), w.Now()); err != nil {
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
		r := remind(w, 1, "0 20")
		alice, a := accepting(w, "alice", 1)
		checkIn(w, a)
		w.Tx(func(_ context.Context, tx *gorm.DB) error { return w.Members.OptOutTx(tx, a, w.Now()) })
		w.Set("2026-11-24 20:00:00")
		require.Zero(t, got(w, alice))
		r.Enabled = false
		save(w, r, message())
		_, due, err := w.Reminders.Due(t.Context())
		require.NoError(t, err)
		require.False(t, due)
	})

	t.Run("SwitchedOffWhatWaitsIsNotSent", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		r := remind(w, 1, "0 20")
		alice, a := accepting(w, "alice", 1)
		checkIn(w, a)
		w.Set("2026-11-24 19:00:00")
		w.Jump("2026-11-24 20:00:00")
		_, err := w.Reminders.RunDue(t.Context(), w.Now())
		require.NoError(t, err)
		require.NoError(t, w.Reminders.Delete(t.Context(), r.ID))
		w.Settle()
		require.Zero(t, got(w, alice))
		_, err = w.Reminders.Get(t.Context(), r.ID)
		require.Equal(t, errs.NotFound, errs.CodeOf(err))
	})
}

// says is a text to who has a window open.
func says(text string) reach.Message {
	return reach.Message{Text: text, Channels: []string{reach.Customer}, Fallbacks: map[string]string{"nickname": "您"}}
}

// texts are the customer messages that reached a person.
func texts(w *apptest.World, p *phone.Person) (list []string) {
	w.T.Helper()
	all, err := p.Inbox(w.T.Context())
	require.NoError(w.T, err)
	for _, m := range all {
		if m.Channel == "custom" {
			list = append(list, m.Content)
		}
	}
	return list
}

// give posts points, below zero what is spent.
func give(w *apptest.World, id, n int64) {
	w.T.Helper()
	w.Tx(func(ctx context.Context, tx *gorm.DB) error {
		if _, err := w.LockMember(tx, id, w.Now()); err != nil {
			return err
		}
		_, err := w.Book.PostTx(ctx, tx, ledger.Posting{MemberID: id, Account: model.AccountPoints, Amount: n, Reason: "test", Key: rand.Text()})
		return err
	})
}

// reachable is a member who follows and has just written.
func reachable(w *apptest.World, name string) (*phone.Person, int64) {
	w.T.Helper()
	p, id := w.Member(name)
	w.Act(p, "follow", nil)
	w.Act(p, "text", map[string]any{"content": "在吗"}) // opens the window for 48 hours
	return p, id
}

func TestSpend(t *testing.T) {
	t.Parallel()
	spend := func(cron string) model.Reminder {
		return model.Reminder{Kind: model.ReminderSpend, Name: "花积分", Enabled: true, Cron: cron, AtLeast: 100}
	}

	t.Run("GoesOnItsDayToWhoHoldsEnoughWithTheFiguresOfTheMoment", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		w.Reminders.Deduct = func(_ context.Context, _ *gorm.DB, _ string, balance int64) (int64, error) {
			return balance / 100 * 100, nil
		}
		w.Reminders.Gifts = func(_ context.Context, _ *gorm.DB, _, balance int64) (int, error) { return int(balance / 100), nil }
		save(w, spend("0 10 25 * *"), says("您有 {{balance}} 积分,可抵 ¥{{deduct}},或兑换 {{gifts}} 种礼品"))
		alice, a := reachable(w, "alice")
		bob, b := reachable(w, "bob")
		carl, c := reachable(w, "carl")
		give(w, a, 381)
		give(w, b, 99)
		give(w, c, 100)
		w.Set("2026-11-24 12:00:00")
		for _, p := range []*phone.Person{alice, bob, carl} {
			w.Act(p, "text", map[string]any{"content": "在吗"})
		}
		w.Set("2026-11-25 09:59:59")
		require.Empty(t, texts(w, alice))
		w.Jump("2026-11-25 10:00:00")
		n, err := w.Reminders.RunDue(t.Context(), w.Now())
		require.NoError(t, err)
		require.Equal(t, 1, n)
		give(w, a, 19) // between the freeze and the send
		give(w, c, -1)
		w.Settle()
		require.Equal(t, []string{"您有 400 积分,可抵 ¥4,或兑换 4 种礼品"}, texts(w, alice))
		require.Empty(t, texts(w, bob))
		require.Empty(t, texts(w, carl), "he spent it")
		w.Set("2026-11-30 10:00:00")
		require.Len(t, texts(w, alice), 1)
		at, _, err := w.Reminders.Due(t.Context())
		require.NoError(t, err)
		require.True(t, w.At("2026-12-25 10:00:00").Equal(at))
	})

	t.Run("WhoIsErasedAfterItFiredGetsNothing", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		save(w, spend("0 10 * * *"), says("{{balance}}"))
		alice, a := reachable(w, "alice")
		bob, b := reachable(w, "bob")
		give(w, a, 100)
		give(w, b, 100)
		w.Jump("2026-11-23 10:00:00")
		_, err := w.Reminders.RunDue(t.Context(), w.Now())
		require.NoError(t, err)
		require.NoError(t, w.Members.Erase(t.Context(), a))
		w.Settle()
		require.Empty(t, texts(w, alice))
		require.Equal(t, []string{"100"}, texts(w, bob))
	})

	t.Run("AConditionSaysWhom", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		id := w.Tag("value", "老客")
		r := spend("0 10 * * *")
		r.Condition = model.ToJSON(condition.Is("tag", map[string]any{"tag_id": fmt.Sprint(id)}))
		save(w, r, says("{{balance}}"))
		alice, a := reachable(w, "alice")
		bob, b := reachable(w, "bob")
		give(w, a, 100)
		give(w, b, 100)
		require.NoError(t, w.Tags.SetManual(t.Context(), a, id, 0, true, "test"))
		w.Set("2026-11-23 10:00:00")
		require.Equal(t, []string{"100"}, texts(w, alice))
		require.Empty(t, texts(w, bob))
	})
}

func TestExpiring(t *testing.T) {
	t.Parallel()

	t.Run("EachLastDayIsAnnouncedOnceSoManyDaysAhead", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		r := save(w, model.Reminder{Kind: model.ReminderExpiring, Name: "快过期", Enabled: true, Cron: "0 12 * * *", Days: 1},
			says("{{nickname}}有 {{expiring}} 积分 {{ends_on}} 到期,共 {{balance}}"))
		alice, a := reachable(w, "alice")
		bob, b := reachable(w, "bob")
		ends := func(id, n int64, at string) {
			end := w.At(at)
			w.Tx(func(ctx context.Context, tx *gorm.DB) error {
				_, err := w.Book.PostTx(ctx, tx, ledger.Posting{MemberID: id, Account: model.AccountPoints, Amount: n, Reason: "test", Key: fmt.Sprint(id, at, n), ExpiresAt: &end})
				return err
			})
		}
		ends(a, 30, "2026-11-25 00:00:00")
		ends(a, 5, "2026-11-25 00:00:00")
		ends(a, 7, "2026-11-26 00:00:00")
		ends(b, 9, "2026-11-25 00:00:00")
		carl, c := reachable(w, "carl")
		ends(c, 8, "2026-11-25 00:00:00")
		w.Set("2026-11-23 11:59:59")
		require.Empty(t, texts(w, alice))
		w.Jump("2026-11-23 12:00:00")
		_, err := w.Reminders.RunDue(t.Context(), w.Now())
		require.NoError(t, err)
		give(w, a, -10) // he spends of it between the freeze and the send
		give(w, b, -9)
		w.Settle()
		require.Equal(t, []string{"alice有 25 积分 2026-11-24 到期,共 32"}, texts(w, alice))
		require.Empty(t, texts(w, bob))
		r.Cron = "30 12 * * *" // fires twice that day
		save(w, *r, says("{{expiring}}"))
		w.Set("2026-11-23 13:00:00")
		require.Len(t, texts(w, alice), 1)
		w.Set("2026-11-24 13:00:00") // 25 and 7 are there, of which 7 were not announced
		require.Equal(t, "32", texts(w, alice)[1])
		require.Len(t, texts(w, carl), 1, "he was told the day before")
		w.Set("2026-11-26 13:00:00")
		require.Len(t, texts(w, alice), 2)
	})
}

func TestCoupon(t *testing.T) { // P02 #8
	t.Parallel()
	w := apptest.New(t)
	define := func(name string, days int) int64 {
		c, err := w.Coupons.Save(t.Context(), coupon.Definition{Coupon: model.Coupon{Code: fmt.Sprint("c", days), Name: name, Kind: model.CouponFreeItem, ValidDays: days, Enabled: true}})
		require.NoError(t, err)
		return c.ID
	}
	three, four := define("三天券", 3), define("四天券", 4)
	w.Set("2026-11-23 11:00:00")
	save(w, model.Reminder{Kind: model.ReminderCoupon, Name: "券快过期", Enabled: true, Cron: "0 12 * * *", Days: 1}, says("{{coupon}}等 {{coupons}} 张 {{ends_on}} 到期"))
	hold := func(id int64, coupons ...int64) (held []*coupon.Held) {
		for _, c := range coupons {
			h, err := w.Coupons.Give(t.Context(), id, c, "x")
			require.NoError(t, err)
			held = append(held, h)
		}
		return held
	}
	alice, a := reachable(w, "alice")
	bob, b := reachable(w, "bob")
	carl, c := reachable(w, "carl")
	hold(a, three, three, four)
	hold(b, four)
	used := hold(c, three)
	dora, d := reachable(w, "dora")
	hold(d, three)
	erik, e := reachable(w, "erik")
	aside := hold(e, three)
	w.Set("2026-11-23 13:00:00")
	require.Empty(t, texts(w, alice), "the last day is the 25th")
	w.Jump("2026-11-24 12:00:00")
	_, err := w.Reminders.RunDue(t.Context(), w.Now())
	require.NoError(t, err)
	_, err = w.Coupons.Verify(t.Context(), coupon.Use{Code: used[0].Code}, w.Now()) // between the freeze and the send
	require.NoError(t, err)
	_, err = w.Coupons.Lock(t.Context(), coupon.Use{Code: aside[0].Code, OrderNo: "1"}, w.Now().Add(time.Hour), w.Now())
	require.NoError(t, err)
	w.Settle()
	require.Len(t, texts(w, dora), 1)
	require.Empty(t, texts(w, erik), "an order has set it aside")
	require.Equal(t, []string{"三天券等 2 张 2026-11-25 到期"}, texts(w, alice))
	require.Empty(t, texts(w, bob))
	require.Empty(t, texts(w, carl), "he has used it")
	for _, p := range []*phone.Person{alice, bob, dora} { // their windows were 48 hours
		w.Act(p, "text", map[string]any{"content": "在吗"})
	}
	w.Set("2026-11-25 12:00:00")
	require.Equal(t, []string{"四天券等 1 张 2026-11-26 到期"}, texts(w, bob))
	require.Equal(t, "三天券等 3 张 2026-11-25 到期", texts(w, alice)[1], "another one is about to expire")
	require.Len(t, texts(w, dora), 1, "each is announced once")
	w.Set("2026-11-27 12:00:00")
	require.Len(t, texts(w, alice), 2)
	require.Empty(t, texts(w, carl))
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	spend := model.Reminder{Kind: model.ReminderSpend, Name: "x", Cron: "0 10 25 * *", AtLeast: 1}
	for field, change := range map[string]func(r *model.Reminder, m *reach.Message){
		"kind":              func(r *model.Reminder, _ *reach.Message) { r.Kind = "x" },
		"name":              func(r *model.Reminder, _ *reach.Message) { r.Name = " " },
		"cron":              func(r *model.Reminder, _ *reach.Message) { r.Cron = "0 10 30 2 *" },
		"at_least":          func(r *model.Reminder, _ *reach.Message) { r.AtLeast = 0 },
		"account":           func(r *model.Reminder, _ *reach.Message) { r.Account = "x" },
		"days":              func(r *model.Reminder, _ *reach.Message) { r.Kind = model.ReminderExpiring },
		"message.channels":  func(_ *model.Reminder, m *reach.Message) { m.Channels = []string{reach.Mass} },
		"message.text":      func(_ *model.Reminder, m *reach.Message) { m.Text = "{{expiring}}" },
		"message.subscribe": func(r *model.Reminder, m *reach.Message) { r.Kind, r.Days, m.Text = model.ReminderStreak, 1, "" },
	} {
		r, m := spend, says("{{balance}}")
		change(&r, &m)
		_, err := w.Reminders.Save(t.Context(), r, m)
		var e *errs.Error
		require.ErrorAs(t, err, &e, field)
		require.Equal(t, field, e.Args["field"])
	}
	for _, cron := range []string{"", "8", "0 22 * * *", "59 7 * * *", "60 20 * * *"} {
		r := spend
		r.Cron = cron
		_, err := w.Reminders.Save(t.Context(), r, says("x"))
		require.Equal(t, errs.Invalid, errs.CodeOf(err), cron)
	}
	night := model.Reminder{Kind: model.ReminderExpiring, Name: "x", Cron: "0 22 * * *", Days: 1}
	save(w, night, says("x")) // service: the quiet hours do not hold it back
}
