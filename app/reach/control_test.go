package reach_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/model"
)

func (w *world) run(run *model.Run) *model.Run {
	w.t.Helper()
	r, err := w.Run(context.Background(), run.ID)
	require.NoError(w.t, err)
	return r
}

func (w *world) risks() (rows []model.Risk) {
	w.t.Helper()
	require.NoError(w.t, w.db.Reader(context.Background()).Find(&rows).Error)
	return rows
}

func TestTurns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	big := w.start(customer, w.people(200, who{oa: true, window: 1}))
	small := w.start(customer, w.people(5, who{oa: true, window: 1}))
	other := w.start(customer, w.people(25, who{oa: true, window: 1}))
	for range 3 {
		_, err := w.Work(t.Context())
		require.NoError(t, err)
	}
	require.EqualValues(t, 5, w.exact(small).Accepted, "a small run is sent within one turn of each")
	require.EqualValues(t, 10, w.holds(big).Accepted)
	require.Positive(t, w.holds(other).Accepted)
	w.settle(big, small, other)
	require.EqualValues(t, 200, w.exact(big).Accepted)
}

func TestStop(t *testing.T) {
	t.Parallel()
	// fails makes the calls with these numbers, from 1, fail.
	fails := func(w *world, when func(n int) error) {
		var mu sync.Mutex
		n := 0
		w.wx.answer = func(call) error {
			mu.Lock()
			defer mu.Unlock()
			n++
			return when(n)
		}
	}
	one := func(o *reach.Options) { o.InFlight, o.Workers = 1, 1 }
	stopAt20 := func(w *world) { w.settings(func(set *model.ReachSettings) { set.StopCalls = 20 }) }
	t.Run("ARunPausesItselfWhenTooManyOfItsLastCallsFail", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, one)
		stopAt20(w)
		run := w.start(customer, w.people(300, who{oa: true, window: 1}))
		fails(w, func(n int) error {
			if n > 100 {
				return fail(reach.Refused, 45000)
			}
			return nil
		})
		w.settle(run)
		r := w.run(run)
		require.True(t, r.Paused)
		require.Equal(t, "17/80 45000 refused", r.PausedFor, "more than 20 % of the last 80")
		require.EqualValues(t, 17, w.holds(run).Rejected)
		require.Len(t, w.risks(), 1)
		require.Equal(t, model.RiskRunStopped, w.risks()[0].Kind)

		require.NoError(t, w.Pause(t.Context(), run.ID, false))
		require.Empty(t, w.run(run).PausedFor)
		w.settle(run)
		require.True(t, w.run(run).Paused, "it still fails")
		require.EqualValues(t, 17+20, w.holds(run).Rejected, "it is given as many calls as a new run")
		require.Len(t, w.risks(), 2)

		w.wx.answer = nil
		require.NoError(t, w.Pause(t.Context(), run.ID, false))
		w.settle(run)
		require.Equal(t, model.RunDone, w.state(run))
		require.EqualValues(t, 300-37, w.exact(run).Accepted)
	})
	t.Run("NotByFewerCallsNorByALesserShare", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, one)
		stopAt20(w)
		few := w.start(customer, w.people(19, who{oa: true, window: 1}))
		fails(w, func(int) error { return fail(reach.Refused, 45000) })
		w.settle(few)
		require.Equal(t, model.RunDone, w.state(few))
		many := w.start(customer, w.people(200, who{oa: true, window: 1}))
		fails(w, func(n int) error {
			if n%5 == 0 { // exactly 20 %
				return fail(reach.Refused, 45000)
			}
			return nil
		})
		w.settle(many)
		require.Equal(t, model.RunDone, w.state(many))
		require.Empty(t, w.risks())
	})
	t.Run("QuotasAreNoFailures", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, one)
		stopAt20(w)
		run := w.start(customer, w.people(60, who{oa: true, window: 1}))
		fails(w, func(int) error { return fail(reach.Window, 45015) })
		w.settle(run)
		require.Equal(t, model.RunDone, w.state(run))
		require.EqualValues(t, 60, w.exact(run).Rejected)
	})
	t.Run("AMassSendCountsItsPeople", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, func(o *reach.Options) { o.MassMax = 60 })
		run := w.start(mass, w.people(180, who{oa: true}))
		w.wx.answer = func(call) error { return fail(reach.Refused, 45000) }
		w.settle(run)
		require.True(t, w.run(run).Paused)
		require.Len(t, w.wx.calls, 1)
		w.wx.answer = nil
		require.NoError(t, w.Pause(t.Context(), run.ID, false))
		w.settle(run)
		c := w.exact(run)
		require.EqualValues(t, 60, c.Rejected)
		require.EqualValues(t, 120, c.Accepted)
	})
	t.Run("AMisconfiguredAccountStopsTheRunAtItsFirstCallAndNobodyElseIsLost", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, one)
		stopAt20(w)
		ids := w.people(30, who{oa: true, window: 1})
		run := w.start(customer, ids)
		w.wx.answer = func(call) error { return fail(reach.Broken, 48001) }
		w.settle(run)
		require.Len(t, w.wx.calls, 1)
		require.Equal(t, "1/1 48001 broken", w.run(run).PausedFor)
		require.EqualValues(t, 1, w.holds(run).Rejected)
		require.Zero(t, w.used(ids[0], "marketing"))
		other := w.start(customer, w.people(5, who{oa: true, window: 1}))
		w.settle(other)
		require.Len(t, w.wx.calls, 1, "another run does not ask again")
		require.True(t, w.run(other).Paused)
		w.wx.answer = nil
		require.NoError(t, w.Retry(t.Context(), run.ID))
		require.NoError(t, w.Pause(t.Context(), other.ID, false))
		w.settle(run, other)
		require.EqualValues(t, 30, w.exact(run).Accepted)
		require.EqualValues(t, 5, w.exact(other).Accepted)
	})
	t.Run("AMisconfiguredAccountKeepsAMassSendWaiting", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		run := w.start(mass, w.people(30, who{oa: true}))
		w.wx.answer = func(call) error { return fail(reach.Broken, 48001) }
		w.settle(run)
		require.Len(t, w.wx.calls, 1)
		require.True(t, w.run(run).Paused)
		require.EqualValues(t, 30, w.holds(run).Pending)
		w.wx.answer = nil
		require.NoError(t, w.Pause(t.Context(), run.ID, false))
		w.settle(run)
		require.EqualValues(t, 30, w.exact(run).Accepted)
	})
}

func TestRetry(t *testing.T) {
	t.Parallel()
	t.Run("OnlyTheRejectedWhoseReasonMayPass", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		ids := w.people(40, who{oa: true, window: 1})
		run := w.start(customer, ids)
		answers := map[string]error{
			"oa3": fail(reach.Refused, 45000), "oa4": fail(reach.Refused, 40003), "oa5": fail(reach.Refused, 47003), "oa6": fail(reach.Unknown, 0),
		}
		w.wx.answer = func(c call) error { return answers[c.openid] }
		w.settle(run)
		require.Equal(t, model.RunDone, w.state(run))
		before := w.wx.got()
		w.wx.answer = nil
		require.NoError(t, w.Retry(t.Context(), run.ID))
		require.Nil(t, w.run(run).DoneAt)
		w.settle(run)
		require.Equal(t, model.RunDone, w.state(run))
		before["oa3"]++
		require.Equal(t, before, w.wx.got(), "nobody else was called")
		require.Equal(t, "accepted customer", w.why(run, ids[2]))
		require.Equal(t, "rejected customer 40003 refused", w.why(run, ids[3]))
		require.Equal(t, "rejected customer 47003 refused", w.why(run, ids[4]))
		require.Equal(t, "unknown customer unknown", w.why(run, ids[5]))
		require.EqualValues(t, 37, w.exact(run).Accepted)
		require.Equal(t, 1, w.used(ids[2], "marketing"))
	})
	t.Run("CapsHoldForTheSecondTryToo", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		ids := w.people(3, who{oa: true, window: 5})
		run := w.start(customer, ids)
		w.wx.answer = func(call) error { return fail(reach.Refused, 45000) }
		w.settle(run)
		w.wx.answer = nil
		w.settle(w.start(customer, ids[:1]))
		require.NoError(t, w.Retry(t.Context(), run.ID))
		w.settle(run)
		require.Contains(t, w.why(run, ids[0]), "suppressed FREQ_CAP")
		require.EqualValues(t, 2, w.exact(run).Accepted)
	})
	t.Run("ARejectedMassSendIsCutAnew", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, func(o *reach.Options) { o.MassMax = 10 })
		w.settings(func(set *model.ReachSettings) { set.StopPercent = 0 })
		run := w.start(mass, w.people(25, who{oa: true}))
		n := 0
		w.wx.answer = func(call) error {
			if n++; n == 2 {
				return fail(reach.Refused, 45000)
			}
			return nil
		}
		w.settle(run)
		require.EqualValues(t, 10, w.exact(run).Rejected)
		require.NoError(t, w.Retry(t.Context(), run.ID))
		w.settle(run)
		require.EqualValues(t, 25, w.exact(run).Accepted)
		require.Equal(t, []int{10, 10, 5, 10}, w.wx.sizes())
		for who, n := range w.wx.got() {
			require.LessOrEqual(t, n, 2, who)
		}
		require.NotEqual(t, w.wx.calls[1].clientMsgID, w.wx.calls[3].clientMsgID, "WeChat would take it for the first")
	})
	t.Run("WhileTheRunIsStillSending", func(t *testing.T) {
		t.Parallel()
		var w *world
		tried := false
		w = newWorld(t, func(o *reach.Options) {
			o.InFlight, o.Workers = 2, 1
			o.Crash = func(point string) {
				if point == "after_outcome_commit" && !tried { // its range is leased
					tried = true
					rows := w.risks()
					require.Empty(t, rows)
					require.NoError(t, w.Retry(context.Background(), 1))
				}
			}
		})
		run := w.start(customer, w.people(25, who{oa: true, window: 1}))
		n := 0
		w.wx.answer = func(call) error {
			if n++; n == 1 {
				return fail(reach.Refused, 45000)
			}
			return nil
		}
		w.opts.InFlight = 1
		w.Service = w.engine()
		w.settle(run)
		require.True(t, tried)
		require.EqualValues(t, 25, w.exact(run).Accepted)
		require.Equal(t, model.RunDone, w.state(run))
	})
	t.Run("ACancelledRunStaysAsItIs", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		run := w.start(customer, w.people(3, who{oa: true, window: 1}))
		require.NoError(t, w.Cancel(t.Context(), run.ID))
		w.settle(run)
		require.Equal(t, errs.Conflict, errs.CodeOf(w.Retry(t.Context(), run.ID)))
		sent := w.start(customer, w.people(3, who{oa: true, window: 1}))
		w.settle(sent)
		require.Equal(t, errs.Conflict, errs.CodeOf(w.Retry(t.Context(), sent.ID)), "nobody was rejected")
		require.Equal(t, errs.NotFound, errs.CodeOf(w.Retry(t.Context(), 999)))
	})
	t.Run("ItMayBeCancelledBeforeAnybodyIsTriedAgain", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		run := w.start(customer, w.people(12, who{oa: true, window: 1}))
		w.wx.answer = func(call) error { return fail(reach.Refused, 45000) }
		w.settle(run)
		require.NoError(t, w.Retry(t.Context(), run.ID))
		require.NoError(t, w.Cancel(t.Context(), run.ID))
		w.settle(run)
		require.Equal(t, model.RunCancelled, w.state(run))
		require.EqualValues(t, 12, w.exact(run).Rejected)
		require.Len(t, w.wx.calls, 12)
	})
}

func TestPause(t *testing.T) {
	t.Parallel()
	t.Run("SendsNothingMoreAndGoesOnWithoutSendingAgain", func(t *testing.T) {
		t.Parallel()
		var w *world
		var once sync.Once
		w = newWorld(t, func(o *reach.Options) {
			o.InFlight, o.Workers = 4, 1
			o.Crash = func(point string) {
				if point == "mid_calls" && len(w.wx.got()) >= 5 { // of the second four
					once.Do(func() { require.NoError(t, w.Pause(context.Background(), 1, true)) })
				}
			}
		})
		run := w.start(customer, w.people(30, who{oa: true, window: 1}))
		w.settle(run)
		n := len(w.wx.calls)
		require.LessOrEqual(t, n, 12, "the calls in flight end, no more are made")
		c := w.holds(run)
		require.EqualValues(t, n, c.Accepted)
		require.EqualValues(t, 30-n, c.Pending)
		w.opts.Crash = nil
		w.Service = w.engine()
		w.clock.Set(noon.Add(time.Hour))
		require.NoError(t, w.Pause(t.Context(), run.ID, false))
		w.settle(run)
		require.EqualValues(t, 30, w.exact(run).Accepted)
		for who, n := range w.wx.got() {
			require.Equal(t, 1, n, who)
		}
	})
}
