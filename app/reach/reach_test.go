package reach_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/model"
)

func TestSkips(t *testing.T) {
	t.Parallel()
	all := func(channels ...string) reach.Message {
		return reach.Message{Text: "hi", Channels: channels, Subscribe: &template}
	}
	for _, c := range []struct {
		name string
		who  who
		msg  reach.Message
		want string
	}{
		{"Unsubscribed", who{left: true}, customer, "suppressed UNSUBSCRIBED"},
		{"NeverFollowed", who{mp: true}, mass, "suppressed UNSUBSCRIBED"},
		{"UnsubscribedBeforeOptedOut", who{left: true, optedOut: true}, customer, "suppressed UNSUBSCRIBED"},
		{"UnsubscribedWithoutAcceptance", who{left: true, mp: true}, all(reach.Mass, reach.Subscribe), "suppressed UNSUBSCRIBED"},
		{"UnsubscribedButAccepted", who{left: true, mp: true, accepted: 1}, all(reach.Mass, reach.Subscribe), "accepted subscribe"},
		{"OptedOut", who{oa: true, window: 1, optedOut: true}, customer, "suppressed OPTED_OUT"},
		{"WindowClosed", who{oa: true}, customer, "suppressed NO_QUOTA window_closed"},
		{"NoAcceptance", who{mp: true}, subs, "suppressed NO_QUOTA no_acceptance"},
		{"NoMiniProgram", who{oa: true}, subs, "suppressed INVALID_TARGET"},
		{"OneAlone", who{oa: true}, mass, "suppressed NO_QUOTA mass_minimum"},
		{"OneAloneTakesTheNextChannel", who{oa: true, mp: true, accepted: 1}, all(reach.Mass, reach.Subscribe), "accepted subscribe"},
		{"TheFirstOpenChannel", who{oa: true, mp: true, accepted: 1}, all(reach.Customer, reach.Subscribe), "accepted subscribe"},
		{"Reached", who{oa: true, window: 1}, customer, "accepted customer"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			id := w.person(c.who)
			f, err := w.Forecast(t.Context(), model.ClassMarketing, c.msg, set([]int64{id}))
			require.NoError(t, err)
			run := w.start(c.msg, []int64{id})
			w.settle(run)
			require.Equal(t, c.want, w.why(run, id))
			require.Equal(t, model.RunDone, w.state(run))
			counts := w.exact(run)
			require.Equal(t, counts.Accepted, f.Reachable, "the forecast says what the send does")
			reasons, err := w.Reasons(t.Context(), run.ID)
			require.NoError(t, err)
			require.Equal(t, f.Skipped, reasons)
		})
	}
	t.Run("OptOutDoesNotStopService", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		id := w.person(who{oa: true, window: 1, optedOut: true})
		run := w.startClass(model.ClassService, customer, []int64{id})
		w.settle(run)
		require.Equal(t, "accepted customer", w.why(run, id))
		require.Zero(t, w.used(id, "marketing"))
	})
	t.Run("AMissingMemberIsAnInvalidTarget", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		run := w.start(customer, []int64{77})
		w.settle(run)
		require.Equal(t, "suppressed INVALID_TARGET", w.why(run, 77))
	})
}

func TestCaps(t *testing.T) {
	t.Parallel()
	t.Run("OneMarketingMessageADayInShanghai", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		id := []int64{w.person(who{oa: true, window: 5})}
		for _, step := range []struct {
			at   time.Time
			want string
		}{
			{noon, "accepted customer"},
			{noon.Add(9*time.Hour + 59*time.Minute), "suppressed FREQ_CAP"}, // 21:59
			{noon.Add(20 * time.Hour), "accepted customer"},                 // 08:00
		} {
			require.True(t, w.clock.Set(step.at))
			run := w.start(customer, id)
			w.settle(run)
			require.Equal(t, step.want, w.why(run, id[0]))
		}
	})
	t.Run("QuietHoursDeferUntilEight", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		id := w.person(who{oa: true, window: 5})
		w.clock.Set(noon.Add(10 * time.Hour)) // 22:00
		f, err := w.Forecast(t.Context(), model.ClassMarketing, customer, set([]int64{id}))
		require.NoError(t, err)
		require.EqualValues(t, 1, f.Deferred, "decided, not only stopped before the call")
		run := w.start(customer, []int64{id})
		w.settle(run)
		require.Equal(t, "deferred QUIET_HOURS", w.why(run, id))
		require.EqualValues(t, 1, w.exact(run).Deferred)
		due, ok, err := w.Due(t.Context())
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, noon.Add(20*time.Hour), due)
		w.clock.Set(due.Add(-time.Microsecond))
		w.settle(run)
		require.Empty(t, w.wx.calls)
		w.clock.Set(due)
		w.settle(run)
		require.Equal(t, "accepted customer", w.why(run, id))
		require.Equal(t, due, w.wx.calls[0].at)
		require.EqualValues(t, 1, w.exact(run).Accepted)
	})
	t.Run("QuietHoursThatBeginBeforeTheCallStopIt", func(t *testing.T) {
		t.Parallel()
		var w *world
		w = newWorld(t, func(o *reach.Options) {
			o.Crash = func(point string) {
				if point == "after_attempting_commit" {
					w.clock.Set(noon.Add(10 * time.Hour))
				}
			}
		})
		id := w.person(who{oa: true, window: 5})
		run := w.start(customer, []int64{id})
		w.settle(run)
		require.Empty(t, w.wx.calls)
		require.Equal(t, "deferred QUIET_HOURS", w.why(run, id))
		require.Zero(t, w.used(id, "marketing"), "given back")
		w.opts.Crash = nil
		w.clock.Set(noon.Add(20 * time.Hour))
		w.settleWith(w.engine(), run)
		require.Equal(t, "accepted customer", w.why(run, id))
	})
	t.Run("ServiceKnowsNoQuietHours", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		id := w.person(who{oa: true, window: 5})
		w.clock.Set(noon.Add(12 * time.Hour))
		run := w.startClass(model.ClassService, customer, []int64{id})
		w.settle(run)
		require.Equal(t, "accepted customer", w.why(run, id))
	})
	t.Run("FourMassSendsAMonth", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		ids := w.people(3, who{oa: true})
		for week := range 6 { // 2 December at noon and every week after
			w.clock.Set(noon.AddDate(0, 0, 8+7*week))
			run := w.start(mass, ids)
			w.settle(run)
			want := "accepted mass"
			if week == 4 {
				want = "suppressed NO_QUOTA monthly_used"
			}
			require.Equal(t, want, w.why(run, ids[0]), "week %d", week)
			require.Equal(t, model.RunDone, w.state(run))
			w.exact(run)
		}
		require.Equal(t, []int{3, 3, 3, 3, 3}, w.wx.sizes())
	})
	t.Run("TwoRunsAtOnceReachAPersonOnce", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		ids := w.people(40, who{oa: true, window: 5})
		a, b := w.start(customer, ids), w.start(customer, ids)
		w.race(3, a, b)
		require.EqualValues(t, 40, w.exact(a).Accepted+w.exact(b).Accepted)
		for openid, n := range w.wx.got() {
			require.Equal(t, 1, n, openid)
		}
	})
}

// race works with n engines until all are idle.
func (w *world) race(n int, runs ...*model.Run) {
	w.t.Helper()
	for range 3 { // who found everything leased comes again
		var wg sync.WaitGroup
		for range n {
			s := w.engine()
			wg.Go(func() {
				for idle := 0; idle < 50; {
					did, err := s.Work(context.Background())
					if err != nil {
						w.t.Errorf("Work: %v", err)
						return
					}
					if idle++; did {
						idle = 0
					}
				}
			})
		}
		wg.Wait()
	}
	w.settle(runs...)
}

func TestWorkers(t *testing.T) {
	t.Parallel()
	t.Run("ThreeReachEverybodyOnce", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		ids := w.people(205, who{oa: true, window: 1, mp: true, accepted: 1})
		run := w.start(customer, ids)
		w.race(3, run)
		require.EqualValues(t, 205, w.exact(run).Accepted)
		require.Len(t, w.wx.got(), 205)
		require.Len(t, w.wx.calls, 205)
		require.Equal(t, model.RunDone, w.state(run))
	})
	t.Run("ALostLeaseSendsNobodyTwice", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, func(o *reach.Options) { o.InFlight, o.Workers = 4, 1 })
		ids := w.people(10, who{oa: true, window: 1})
		run := w.start(customer, ids)
		stolen := false
		w.wx.answer = func(call) error {
			w.wx.mu.Lock()
			defer w.wx.mu.Unlock()
			if !stolen { // the lease ends while calls are open, and another worker takes the range
				stolen = true
				w.tx(func(tx *gorm.DB) error {
					return tx.Exec("UPDATE ranges SET fence = fence + 1, lease_till = '1970-01-01 00:00:00' WHERE run_id = ?", run.ID).Error
				})
			}
			return nil
		}
		_, err := w.Work(t.Context())
		require.NoError(t, err)
		require.Len(t, w.wx.calls, 4)
		w.settleWith(w.engine(), run)
		c := w.exact(run)
		require.EqualValues(t, 4, c.Unknown, "in flight when the lease was lost")
		require.EqualValues(t, 6, c.Accepted)
		for openid, n := range w.wx.got() {
			require.Equal(t, 1, n, openid)
		}
	})
	t.Run("WhatADeadWorkerHadInFlightIsUnknown", func(t *testing.T) {
		t.Parallel()
		died := false
		w := newWorld(t, func(o *reach.Options) {
			o.InFlight, o.Workers = 3, 1
			o.Crash = func(point string) {
				if point == "before_outcome_commit" && !died {
					died = true
					panic(point)
				}
			}
		})
		ids := w.people(10, who{oa: true, window: 1})
		run := w.start(customer, ids)
		require.Panics(t, func() { _, _ = w.Work(t.Context()) })
		require.EqualValues(t, 10, w.exact(run).Pending)
		did, err := w.Work(t.Context())
		require.NoError(t, err)
		require.False(t, did, "the lease still runs")
		w.tx(func(tx *gorm.DB) error { return tx.Exec("UPDATE ranges SET lease_till = '1970-01-01 00:00:00'").Error })
		w.settle(run)
		c := w.exact(run)
		require.EqualValues(t, 3, c.Unknown)
		require.EqualValues(t, 7, c.Accepted)
		require.Len(t, w.wx.calls, 10)
		require.Equal(t, 1, w.used(ids[0], "marketing"), "unknown keeps the cap")
	})
	t.Run("AStopFinishesWhatIsInFlight", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, func(o *reach.Options) { o.InFlight, o.Workers = 3, 1 })
		ids := w.people(10, who{oa: true, window: 1})
		run := w.start(customer, ids)
		ctx, stop := context.WithCancel(t.Context())
		w.wx.answer = func(call) error { stop(); return nil }
		_, err := w.Work(ctx)
		require.NoError(t, err)
		c := w.exact(run)
		require.Zero(t, c.Unknown)
		require.Positive(t, c.Accepted)
		w.settle(run)
		require.EqualValues(t, 10, w.exact(run).Accepted)
		require.Len(t, w.wx.calls, 10)
	})
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		err     error
		msg     reach.Message
		want    string
		keeps   int // of the cap
		allowed int // messages left of the window or the acceptance, of 2
	}{
		{"ARefusalGivesEverythingBack", fail(reach.Refused, 40003), customer, "rejected customer 40003 refused", 0, 2},
		{"AClosedWindowClosesTheAllowance", fail(reach.Window, 45015), customer, "rejected customer 45015 window", 0, 0},
		{"ARefusedAcceptanceIsZero", fail(reach.Unaccepted, 43101), subs, "rejected subscribe 43101 unaccepted", 0, 0},
		{"AnUnknownOneKeepsThem", fail(reach.Unknown, 0), customer, "unknown customer unknown", 1, 1},
		{"NotSentComesAgain", fail(reach.NotSent, 0), customer, "deferred not_sent", 0, 2},
		{"AMinuteLimitWaits", fail(reach.MinuteLimit, 45011), customer, "deferred minute_limit", 0, 2},
		{"ADayLimitWaits", fail(reach.DayLimit, 45009), customer, "deferred day_limit", 0, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			id := w.person(who{oa: true, mp: true, window: 2, accepted: 2})
			run := w.start(c.msg, []int64{id})
			w.wx.answer = func(call) error { return c.err }
			w.settle(run)
			require.Equal(t, c.want, w.why(run, id))
			require.Equal(t, c.keeps, w.used(id, "marketing"))
			w.exact(run)
			var left int
			q := "SELECT remaining FROM allowances WHERE identity_id = ?"
			of := 2 * id
			if c.msg.Channels[0] == reach.Subscribe {
				q, of = "SELECT accepted_count FROM acceptances WHERE identity_id = ?", 2*id+1
			}
			require.NoError(t, w.db.Reader(t.Context()).Raw(q, of).Scan(&left).Error)
			require.Equal(t, c.allowed, left)
			if due, ok, err := w.Due(t.Context()); err == nil && ok { // deferred ones end well
				w.wx.answer = nil
				w.clock.Set(due)
				w.settle(run)
				if due, ok, _ := w.Due(t.Context()); ok { // a day's limit ends in the quiet hours
					w.clock.Set(due)
					w.settle(run)
				}
				require.Equal(t, "accepted customer", w.why(run, id))
				require.Len(t, w.wx.calls, 2)
			}
			require.Equal(t, model.RunDone, w.state(run))
		})
	}
	t.Run("AClosedWindowGoesToTheNextChannel", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		id := w.person(who{oa: true, mp: true, window: 1, accepted: 1})
		run := w.start(reach.Message{Text: "hi", Channels: []string{reach.Customer, reach.Subscribe}, Subscribe: &template}, []int64{id})
		w.wx.answer = func(c call) error {
			if c.channel == reach.Customer {
				return fail(reach.Window, 45047)
			}
			return nil
		}
		w.settle(run)
		require.Equal(t, "accepted subscribe", w.why(run, id))
		require.Equal(t, 1, w.used(id, "marketing"))
		w.exact(run)
	})
	t.Run("AMinuteLimitIsNotAskedAgainBeforeTheMinute", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, func(o *reach.Options) { o.InFlight, o.Workers = 1, 1 })
		ids := w.people(30, who{oa: true, window: 1})
		run := w.start(customer, ids)
		w.wx.answer = func(call) error { return fail(reach.MinuteLimit, 45011) }
		w.settle(run)
		require.Len(t, w.wx.calls, 1)
		require.EqualValues(t, 30, w.exact(run).Deferred)
		w.wx.answer = nil
		w.clock.Set(noon.Add(time.Minute))
		w.settle(run)
		require.EqualValues(t, 30, w.exact(run).Accepted)
	})
	t.Run("AReportOfFailureFindsItsRowWhicheverComesFirst", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		ids := w.people(2, who{mp: true, accepted: 1})
		run := w.start(subs, ids)
		w.tx(func(tx *gorm.DB) error {
			return w.SubscribeSentTx(t.Context(), tx, &model.Identity{Account: "mp", Kind: model.KindMP}, "t", "m1", 43101, "early", noon)
		})
		w.settle(run)
		require.EqualValues(t, 1, w.exact(run).Rejected)
		for range 2 {
			w.tx(func(tx *gorm.DB) error {
				return w.SubscribeSentTx(t.Context(), tx, &model.Identity{Account: "mp", Kind: model.KindMP}, "t", "m2", 43101, "late", noon)
			})
		}
		require.EqualValues(t, 2, w.exact(run).Rejected)
		w.tx(func(tx *gorm.DB) error {
			return w.SubscribeSentTx(t.Context(), tx, &model.Identity{Account: "mp", Kind: model.KindMP}, "t", "m2", 0, "success", noon)
		})
		require.EqualValues(t, 2, w.exact(run).Rejected)
	})
}

func TestText(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *reach.Options) {
		o.Points = func(_ context.Context, _ *gorm.DB, ids []int64) (map[int64]int64, error) {
			return map[int64]int64{ids[0]: 1230}, nil
		}
	})
	a := w.person(who{oa: true, window: 1, nickname: "小{{no}}明"})
	b := w.person(who{oa: true, window: 1})
	run := w.start(reach.Message{
		Text: "{{nickname}}:{{ points }}", Channels: []string{reach.Customer}, Fallbacks: map[string]string{"nickname": "亲", "points": "很多"},
	}, []int64{a, b})
	w.settle(run)
	texts := map[string]string{}
	for _, c := range w.wx.calls {
		texts[c.openid] = c.text
	}
	require.Equal(t, map[string]string{"oa1": "小{{no}}明:1230", "oa2": "亲:很多"}, texts)
}

func TestMerge(t *testing.T) {
	t.Parallel()
	t.Run("OnePersonGetsOneMessage", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, func(o *reach.Options) { o.RangeSize = 1 })
		ids := w.people(3, who{oa: true, window: 5, mp: true})
		run := w.start(customer, ids)
		w.tx(func(tx *gorm.DB) error {
			return tx.Exec("UPDATE members SET merged_into = ? WHERE id = ?", ids[2], ids[0]).Error
		})
		w.settle(run)
		c := w.exact(run)
		require.EqualValues(t, 2, c.Accepted)
		reasons, err := w.Reasons(t.Context(), run.ID)
		require.NoError(t, err)
		require.Equal(t, []reach.Reason{{Reason: "DUPLICATE", Count: 1}}, reasons)
	})
	t.Run("WhatWasUsedAddsUp", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		ids := w.people(2, who{oa: true, window: 5})
		w.settle(w.start(mass, ids))
		w.tx(func(tx *gorm.DB) error {
			return w.Part().Merge(t.Context(), tx, member.MergeOf{Loser: ids[0], Winner: ids[1], At: noon})
		})
		require.Equal(t, 2, w.used(ids[1], "mass:oa"))
		require.Zero(t, w.used(ids[0], "mass:oa"))
	})
	t.Run("TwoWhoWaitForAMassSendAndBecomeOne", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		ids := w.people(4, who{oa: true})
		run := w.start(mass, ids)
		did, err := w.Work(t.Context()) // the range is walked
		require.NoError(t, err)
		require.True(t, did)
		w.tx(func(tx *gorm.DB) error {
			return tx.Exec("UPDATE members SET merged_into = ? WHERE id = ?", ids[3], ids[0]).Error
		})
		w.settle(run)
		require.EqualValues(t, 3, w.exact(run).Accepted)
		require.Equal(t, []int{3}, w.wx.sizes())
	})
}

func TestRuns(t *testing.T) {
	t.Parallel()
	t.Run("OneSlotIsOneRun", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		ids := w.people(2, who{oa: true, window: 1})
		spec := reach.RunSpec{Source: "test", SourceID: 9, Slot: "once", Class: model.ClassMarketing, Message: customer, Members: set(ids)}
		var ok, dup int
		var mu sync.Mutex
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				err := w.db.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
					_, err := w.StartTx(ctx, tx, spec)
					return err
				})
				mu.Lock()
				defer mu.Unlock()
				switch errs.CodeOf(err) {
				case "":
					ok++
				case errs.Duplicate:
					dup++
				default:
					t.Errorf("StartTx: %v", err)
				}
			})
		}
		wg.Wait()
		require.Equal(t, 1, ok)
		require.Equal(t, 7, dup)
	})
	t.Run("NobodyIsDoneAtOnce", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		require.Equal(t, model.RunDone, w.start(customer).State)
		_, ok, err := w.Due(t.Context())
		require.NoError(t, err)
		require.False(t, ok)
	})
	t.Run("APausedRunSendsNothingUntilItGoesOn", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, func(o *reach.Options) { o.InFlight, o.Workers = 2, 1 })
		ids := w.people(8, who{oa: true, window: 1})
		run := w.start(customer, ids)
		paused := false
		w.wx.answer = func(call) error {
			w.wx.mu.Lock()
			defer w.wx.mu.Unlock()
			if !paused {
				paused = true
				require.NoError(t, w.Pause(context.Background(), run.ID, true))
			}
			return nil
		}
		w.settle(run)
		require.EqualValues(t, 2, w.exact(run).Accepted)
		require.NoError(t, w.Pause(t.Context(), run.ID, false))
		w.settle(run)
		require.EqualValues(t, 8, w.exact(run).Accepted)
		require.Len(t, w.wx.calls, 8)
	})
	t.Run("ACancelledRunEnds", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, func(o *reach.Options) { o.InFlight, o.Workers = 2, 1 })
		ids := w.people(45, who{oa: true, window: 1})
		run := w.start(customer, ids)
		cancelled := false
		w.wx.answer = func(call) error {
			w.wx.mu.Lock()
			defer w.wx.mu.Unlock()
			if !cancelled {
				cancelled = true
				require.NoError(t, w.Cancel(context.Background(), run.ID))
			}
			return nil
		}
		w.settle(run)
		c := w.exactly(run)
		require.EqualValues(t, 2, c.Accepted)
		require.EqualValues(t, 43, c.Cancelled)
		require.Equal(t, model.RunCancelled, w.state(run))
		require.NoError(t, w.Cancel(t.Context(), run.ID), "again changes nothing")
		require.Equal(t, errs.NotFound, errs.CodeOf(w.Cancel(t.Context(), 999)))
	})
}

// exactly is holds: of a cancelled run, ranges never begun have no rows.
func (w *world) exactly(run *model.Run) reach.Counts { return w.holds(run) }
