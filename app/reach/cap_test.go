package reach_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/model"
)

func (w *world) cap(c model.ReachCap) {
	w.t.Helper()
	_, err := w.SaveCap(context.Background(), c)
	require.NoError(w.t, err)
}

func TestCapTable(t *testing.T) {
	t.Parallel()
	// Each step sends to one person; the caps stand from the beginning.
	type step struct {
		at   time.Time
		spec reach.RunSpec
		want string
	}
	text := func(class string, m reach.Message) reach.RunSpec { return reach.RunSpec{Class: class, Message: m} }
	marketing, service := text(model.ClassMarketing, customer), text(model.ClassService, customer)
	monday := noon.Add(6 * 24 * time.Hour) // 2026-11-30 12:00
	for _, c := range []struct {
		name  string
		caps  []model.ReachCap
		steps []step
	}{
		{"TheLastHoursRoll", []model.ReachCap{{Class: model.ClassMarketing, Per: model.PerHours, Hours: 26, Limit: 2}}, []step{
			{noon, marketing, "accepted customer"},
			{noon.Add(time.Hour), marketing, "accepted customer"},
			{noon.Add(26*time.Hour - time.Second), marketing, "suppressed FREQ_CAP marketing 2/26h"},
			{noon.Add(26 * time.Hour), marketing, "accepted customer"},
			{noon.Add(27*time.Hour - time.Second), marketing, "suppressed FREQ_CAP marketing 2/26h"},
			{noon.Add(27 * time.Hour), marketing, "accepted customer"},
		}},
		{"AWeekBeginsOnMonday", []model.ReachCap{{Class: model.ClassMarketing, Per: model.PerWeek, Limit: 1}}, []step{
			{noon, marketing, "accepted customer"},
			{monday.Add(-15 * time.Hour), marketing, "suppressed FREQ_CAP marketing 1/week"}, // Sunday 21:00
			{monday.Add(-4 * time.Hour), marketing, "accepted customer"},                     // Monday 08:00
		}},
		{"AMonthIsTheCalendars", []model.ReachCap{{Class: model.ClassMarketing, Per: model.PerMonth, Limit: 1}}, []step{
			{noon, marketing, "accepted customer"},
			{monday.Add(9 * time.Hour), marketing, "suppressed FREQ_CAP marketing 1/month"}, // 30 November, 21:00
			{monday.Add(20 * time.Hour), marketing, "accepted customer"},                    // 1 December, 08:00
		}},
		{"TheTableReplacesTheDefault", []model.ReachCap{{Class: model.ClassMarketing, Per: model.PerDay, Limit: 2}}, []step{
			{noon, marketing, "accepted customer"},
			{noon, marketing, "accepted customer"},
			{noon.Add(time.Minute), marketing, "suppressed FREQ_CAP marketing 2/day"},
			{noon.Add(time.Minute), service, "accepted customer"},
		}},
		{"AllCountsServiceToo", []model.ReachCap{{Class: model.ClassAll, Per: model.PerDay, Limit: 2}}, []step{
			{noon, service, "accepted customer"},
			{noon, marketing, "accepted customer"},
			{noon.Add(time.Hour), service, "suppressed FREQ_CAP all 2/day"},
		}},
		{"ServiceIsExemptFromMarketingCaps", nil, []step{
			{noon, service, "accepted customer"},
			{noon, service, "accepted customer"},
			{noon, marketing, "accepted customer"},
			{noon, service, "accepted customer"},
			{noon, marketing, "suppressed FREQ_CAP"},
		}},
		{"TheCapThatIsFullIsNamed", []model.ReachCap{
			{Class: model.ClassMarketing, Per: model.PerDay, Limit: 3}, {Class: model.ClassMarketing, Per: model.PerWeek, Limit: 2},
		}, []step{
			{noon, marketing, "accepted customer"},
			{noon, marketing, "accepted customer"},
			{noon, marketing, "suppressed FREQ_CAP marketing 2/week"},
		}},
		{"OneChannelIsFullTheNextIsTaken", []model.ReachCap{{Class: model.ClassMarketing, Channel: reach.Customer, Per: model.PerDay, Limit: 1}}, []step{
			{noon, marketing, "accepted customer"},
			{noon, text(model.ClassMarketing, reach.Message{Text: "x", Channels: []string{reach.Customer, reach.Subscribe}, Subscribe: &template}), "accepted subscribe"},
			{noon, marketing, "suppressed FREQ_CAP marketing/customer 1/day"},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.settings(func(set *model.ReachSettings) { set.QuietFrom, set.QuietTo = "", "" })
			id := w.person(who{oa: true, mp: true, window: 5, accepted: 5})
			w.tx(func(tx *gorm.DB) error {
				return tx.Model(&model.Allowance{}).Where("1 = 1").Updates(map[string]any{"remaining": 99, "expires_at": noon.AddDate(1, 0, 0)}).Error
			})
			for _, row := range c.caps {
				w.cap(row)
			}
			for _, s := range c.steps {
				w.clock.Set(s.at)
				s.spec.Members = set([]int64{id})
				f, err := w.ForecastRun(t.Context(), s.spec)
				require.NoError(t, err)
				run := w.startSpec(s.spec)
				w.settle(run)
				require.Equal(t, s.want, w.why(run, id), "at %s", s.at)
				require.Equal(t, w.exact(run).Accepted, f.Reachable)
				reasons, err := w.Reasons(t.Context(), run.ID)
				require.NoError(t, err)
				require.Equal(t, f.Skipped, reasons, "the forecast says what the send does")
			}
		})
	}
	t.Run("ANewCapCountsWhatWasSentBefore", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		ids := []int64{w.person(who{oa: true, window: 5})}
		w.settle(w.start(customer, ids))
		w.clock.Set(noon.Add(24 * time.Hour))
		w.cap(model.ReachCap{Class: model.ClassMarketing, Per: model.PerWeek, Limit: 1})
		run := w.start(customer, ids)
		w.settle(run)
		require.Equal(t, "suppressed FREQ_CAP marketing 1/week", w.why(run, ids[0]))
	})
	t.Run("AtOnceInManyRunsItHolds", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.cap(model.ReachCap{Class: model.ClassMarketing, Per: model.PerHours, Hours: 5, Limit: 3})
		ids := w.people(20, who{oa: true, window: 5})
		var runs []*model.Run
		for range 6 {
			runs = append(runs, w.start(customer, ids))
		}
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() {
				s := w.engine()
				for {
					did, err := s.Work(context.Background())
					if err != nil {
						t.Errorf("Work: %v", err)
					}
					if !did || err != nil {
						return
					}
				}
			})
		}
		wg.Wait()
		w.settle(runs...)
		for who, n := range w.wx.got() {
			require.Equal(t, 3, n, who)
		}
	})
	t.Run("WhatCannotBeIsRefused", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		for field, c := range map[string]model.ReachCap{
			"class":   {Class: "x", Per: model.PerDay},
			"channel": {Class: model.ClassAll, Per: model.PerDay, Channel: "x"},
			"per":     {Class: model.ClassAll, Per: "x"},
			"hours":   {Class: model.ClassAll, Per: model.PerHours},
			"limit":   {Class: model.ClassAll, Per: model.PerDay, Limit: -1},
		} {
			_, err := w.SaveCap(t.Context(), c)
			require.Equal(t, errs.Invalid, errs.CodeOf(err), field)
		}
		_, err := w.SaveCap(t.Context(), model.ReachCap{ID: 7, Class: model.ClassAll, Per: model.PerDay})
		require.Equal(t, errs.NotFound, errs.CodeOf(err))
		require.Equal(t, errs.NotFound, errs.CodeOf(w.DeleteCap(t.Context(), 7)))
	})
	t.Run("OldUsesAreForgottenAndTheOthersKept", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		ids := w.people(3, who{oa: true, window: 5})
		w.settle(w.start(reach.Message{Text: "x", Channels: []string{reach.Mass}}, ids))
		w.clock.Set(noon.Add(35 * 24 * time.Hour))
		require.NoError(t, w.ForgetUses(t.Context(), w.clock.Now()))
		require.Equal(t, 1, w.used(ids[0], "marketing"))
		w.clock.Set(noon.Add(41 * 24 * time.Hour))
		require.NoError(t, w.ForgetUses(t.Context(), w.clock.Now()))
		require.Zero(t, w.used(ids[0], "marketing"))
		require.Equal(t, 1, w.used(ids[0], "mass:oa"), "as long as its month may be asked for")
		w.clock.Set(noon.Add(75 * 24 * time.Hour))
		require.NoError(t, w.ForgetUses(t.Context(), w.clock.Now()))
		require.Zero(t, w.used(ids[0], "mass:oa"))
	})
}

func TestHold(t *testing.T) {
	t.Parallel()
	at := func(h, m int) time.Time {
		return noon.Add(time.Duration(h-12)*time.Hour + time.Duration(m)*time.Minute)
	}
	run := func(t *testing.T, m reach.Message, r reach.Rules, start time.Time) (*world, *model.Run, []int64) {
		w := newWorld(t)
		ids := w.people(3, who{oa: true, window: 5})
		w.clock.Set(start)
		spec := reach.RunSpec{Class: model.ClassMarketing, Message: m, Members: set(ids), Rules: r}
		f, err := w.ForecastRun(t.Context(), spec)
		require.NoError(t, err)
		run := w.startSpec(spec)
		w.settle(run)
		c := w.exact(run)
		require.Equal(t, f.Deferred, c.Deferred+c.Pending)
		require.Equal(t, f.Reachable, c.Accepted+c.Deferred+c.Pending)
		return w, run, ids
	}
	for _, m := range []reach.Message{customer, mass} {
		t.Run("DropSkipsInQuietHours/"+m.Channels[0], func(t *testing.T) {
			t.Parallel()
			w, r, ids := run(t, m, reach.Rules{Quiet: reach.QuietDrop}, at(22, 0))
			require.Equal(t, "suppressed QUIET_HOURS", w.why(r, ids[0]))
			require.Equal(t, model.RunDone, w.state(r))
		})
		t.Run("ADeadlineBeforeTheEndOfQuietHoursSkips/"+m.Channels[0], func(t *testing.T) {
			t.Parallel()
			w, r, ids := run(t, m, reach.Rules{HoldMinutes: 600}, at(22, 0)) // to 08:00, when nobody is sent to any more
			require.Equal(t, "suppressed QUIET_HOURS", w.why(r, ids[0]))
			require.Equal(t, model.RunDone, w.state(r))
		})
		t.Run("ALaterDeadlineDefers/"+m.Channels[0], func(t *testing.T) {
			t.Parallel()
			w, r, _ := run(t, m, reach.Rules{HoldMinutes: 601}, at(22, 0))
			w.clock.Set(at(32, 0))
			w.settle(r)
			require.EqualValues(t, 3, w.exact(r).Accepted)
		})
	}
	t.Run("WhoWaitedWhileNobodyWorkedIsSkippedForWhatHeWaited", func(t *testing.T) {
		t.Parallel()
		w, r, ids := run(t, customer, reach.Rules{HoldMinutes: 700}, at(22, 0))
		require.EqualValues(t, 3, w.exact(r).Deferred)
		w.clock.Set(at(34, 0))
		w.settle(r)
		require.Equal(t, "suppressed QUIET_HOURS expired", w.why(r, ids[0]))
	})
	t.Run("APausedRunEndsAtItsDeadline", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		ids := w.people(3, who{oa: true})
		for _, m := range []reach.Message{mass, customer} {
			r := w.startSpec(reach.RunSpec{Class: model.ClassService, Message: m, Members: set(ids), Rules: reach.Rules{HoldMinutes: 60}})
			require.NoError(t, w.Pause(t.Context(), r.ID, true))
			w.clock.Set(w.clock.Now().Add(time.Hour))
			require.NoError(t, w.Pause(t.Context(), r.ID, false))
			w.settle(r)
			require.Equal(t, "suppressed CONDITION expired", w.why(r, ids[0]))
		}
	})
	t.Run("AMassSendThatIsReadyIsNotSentAfterItsDeadline", func(t *testing.T) {
		t.Parallel()
		var w *world
		w = newWorld(t, func(o *reach.Options) {
			o.Crash = func(point string) {
				if point == "mass_reserved" && w.clock.Now().Equal(noon) {
					w.clock.Set(noon.Add(2 * time.Hour))
				}
			}
		})
		ids := w.people(3, who{oa: true})
		r := w.startSpec(reach.RunSpec{Class: model.ClassMarketing, Message: mass, Members: set(ids), Rules: reach.Rules{HoldMinutes: 60}})
		w.settle(r)
		require.Empty(t, w.wx.calls)
		require.Equal(t, "suppressed CONDITION expired", w.why(r, ids[0]))
		require.Zero(t, w.used(ids[0], "marketing"))
		require.Zero(t, w.used(ids[0], "mass:oa"))
	})
}

func TestReserve(t *testing.T) {
	t.Parallel()
	reserve := func(at time.Time, ids ...int64) []reach.Reserve {
		return []reach.Reserve{{SourceID: 9, At: at, Channels: []string{reach.Mass}, Members: set(ids)}}
	}
	for _, c := range []struct {
		name     string
		cap      *model.ReachCap
		at       time.Time // of the more important one
		from, to time.Time // the lesser one begins; is worked on
		want     string
	}{
		{"LaterToday", nil, noon.Add(3 * time.Hour), noon, noon, "suppressed FREQ_CAP reserved:9"},
		{"NotForAnotherDay", nil, noon.Add(24 * time.Hour), noon, noon, "accepted customer"},
		{"NotOnceTheDayIsOver", nil, noon.Add(3 * time.Hour), noon.Add(10 * time.Hour), noon.Add(20 * time.Hour), "accepted customer"},
		{"WhereTwoFitBothAreSent", &model.ReachCap{Class: model.ClassMarketing, Per: model.PerDay, Limit: 2}, noon.Add(3 * time.Hour), noon, noon, "accepted customer"},
		{"WhereTheWindowIsOverByThenItIsSent", &model.ReachCap{Class: model.ClassMarketing, Per: model.PerHours, Hours: 2, Limit: 1}, noon.Add(3 * time.Hour), noon, noon, "accepted customer"},
		{"WhereItIsNotItWaits", &model.ReachCap{Class: model.ClassMarketing, Per: model.PerHours, Hours: 4, Limit: 1}, noon.Add(3 * time.Hour), noon, noon, "suppressed FREQ_CAP reserved:9"},
		{"ACapOfAnotherChannelIsNotTouched", &model.ReachCap{Class: model.ClassMarketing, Channel: reach.Customer, Per: model.PerDay, Limit: 1}, noon.Add(3 * time.Hour), noon, noon, "accepted customer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			ids := w.people(2, who{oa: true, window: 5})
			if c.cap != nil {
				w.cap(*c.cap)
			}
			w.clock.Set(c.from)
			run := w.startSpec(reach.RunSpec{Class: model.ClassMarketing, Message: customer, Members: set(ids), Reserves: reserve(c.at, ids[0])})
			w.settle(run)
			w.clock.Set(c.to)
			w.settle(run)
			require.Equal(t, c.want, w.why(run, ids[0]))
			require.Equal(t, "accepted customer", w.why(run, ids[1]), "who is not meant by it")
		})
	}
	t.Run("ServiceTakesNoNotice", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		id := w.person(who{oa: true, window: 5})
		run := w.startSpec(reach.RunSpec{Class: model.ClassService, Message: customer, Members: set([]int64{id}), Reserves: reserve(noon.Add(time.Hour), id)})
		w.settle(run)
		require.Equal(t, "accepted customer", w.why(run, id))
	})
	t.Run("AHeldPlaceThatWasUsedCountsOnce", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.cap(model.ReachCap{Class: model.ClassMarketing, Per: model.PerDay, Limit: 2})
		id := w.person(who{oa: true, window: 5})
		run := w.startSpec(reach.RunSpec{Class: model.ClassMarketing, Message: customer, Members: set([]int64{id}), Reserves: reserve(noon.Add(time.Hour), id)})
		require.NoError(t, w.Pause(t.Context(), run.ID, true))
		w.clock.Set(noon.Add(time.Hour))
		w.settle(w.start(customer, []int64{id})) // the more important one
		require.NoError(t, w.Pause(t.Context(), run.ID, false))
		w.settle(run)
		require.Equal(t, "accepted customer", w.why(run, id))
	})
}

func TestOnce(t *testing.T) {
	t.Parallel()
	key := reach.Rules{OnceKey: "double-11"}
	w := func(t *testing.T, r reach.Rules, m reach.Message, w *world, ids ...int64) *model.Run {
		return w.startSpec(reach.RunSpec{Class: model.ClassService, Message: m, Members: set(ids), Rules: r})
	}
	t.Run("WhoReceivedItFromOneRunIsADuplicateInAnother", func(t *testing.T) {
		t.Parallel()
		x := newWorld(t)
		ids := x.people(5, who{oa: true, window: 5})
		a := w(t, key, customer, x, ids[:3]...)
		x.settle(a)
		for _, m := range []reach.Message{customer, mass} {
			b := w(t, key, m, x, ids[1:4]...)
			x.settle(b)
			require.Equal(t, "suppressed DUPLICATE", x.why(b, ids[1]))
			require.Equal(t, "suppressed DUPLICATE", x.why(b, ids[2]))
		}
		c := w(t, reach.Rules{OnceKey: "other"}, customer, x, ids...)
		x.settle(c)
		require.EqualValues(t, 5, x.exact(c).Accepted, "another key")
	})
	t.Run("AMassSendTakesTheKeyToo", func(t *testing.T) {
		t.Parallel()
		x := newWorld(t)
		ids := x.people(4, who{oa: true, window: 5})
		a := w(t, key, mass, x, ids[:3]...)
		x.settle(a)
		require.EqualValues(t, 3, x.exact(a).Accepted)
		b := w(t, key, customer, x, ids...)
		x.settle(b)
		require.EqualValues(t, 1, x.exact(b).Accepted)
	})
	t.Run("WhatWasNotSentLeavesTheKeyFree", func(t *testing.T) {
		t.Parallel()
		for _, m := range []reach.Message{customer, mass} {
			x := newWorld(t)
			ids := x.people(4, who{oa: true, window: 5})
			a := w(t, key, m, x, ids...)
			x.wx.answer = func(call) error { return fail(reach.Refused, 45000) }
			x.settle(a)
			x.wx.answer = nil
			b := w(t, key, m, x, ids...)
			x.settle(b)
			require.EqualValues(t, 4, x.exact(b).Accepted)
			require.NoError(t, x.Retry(t.Context(), a.ID))
			x.settle(a)
			require.Equal(t, "suppressed DUPLICATE", x.why(a, ids[0]))
		}
	})
	t.Run("WhatMayHaveBeenSentDoesNot", func(t *testing.T) {
		t.Parallel()
		x := newWorld(t)
		id := x.person(who{oa: true, window: 5})
		x.wx.answer = func(call) error { return fail(reach.Unknown, 0) }
		x.settle(w(t, key, customer, x, id))
		b := w(t, key, customer, x, id)
		x.settle(b)
		require.Equal(t, "suppressed DUPLICATE", x.why(b, id))
	})
	t.Run("ManyRunsAtOnceSendItOnce", func(t *testing.T) {
		t.Parallel()
		x := newWorld(t)
		ids := x.people(20, who{oa: true, window: 5})
		var runs []*model.Run
		for range 5 {
			runs = append(runs, w(t, key, customer, x, ids...))
		}
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				s := x.engine()
				for did := true; did; {
					var err error
					if did, err = s.Work(context.Background()); err != nil {
						t.Errorf("Work: %v", err)
					}
				}
			})
		}
		wg.Wait()
		x.settle(runs...)
		require.Len(t, x.wx.got(), 20)
		for who, n := range x.wx.got() {
			require.Equal(t, 1, n, who)
		}
	})
	t.Run("RulesThatNoRunCanObeyAreRefused", func(t *testing.T) {
		t.Parallel()
		for field, r := range map[string]reach.Rules{
			"quiet": {Quiet: "x"}, "hold": {HoldMinutes: -1}, "priority": {Priority: 10}, "key": {OnceKey: "双十一"},
		} {
			require.Equal(t, errs.Invalid, errs.CodeOf(r.Validate()), field)
		}
	})
}
