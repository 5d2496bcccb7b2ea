package reach_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/model"
)

func TestMass(t *testing.T) {
	t.Parallel()
	t.Run("TenThousandAndOneGoAsTwo", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, func(o *reach.Options) { o.RangeSize = 1000 })
		ids := w.people(10_001, who{oa: true})
		run := w.start(mass, ids)
		w.settle(run)
		require.Equal(t, []int{9999, 2}, w.wx.sizes())
		require.EqualValues(t, 10_001, w.exact(run).Accepted)
		require.Len(t, w.wx.got(), 10_001)
		require.Equal(t, model.RunDone, w.state(run))
		for _, c := range w.wx.calls {
			require.LessOrEqual(t, len(c.clientMsgID), 64)
		}
		require.NotEqual(t, w.wx.calls[0].clientMsgID, w.wx.calls[1].clientMsgID)
	})
	small := func(o *reach.Options) { o.MassMax = 4 }
	t.Run("SizesAreNeverOne", func(t *testing.T) {
		t.Parallel()
		for n, want := range map[int][]int{2: {2}, 4: {4}, 5: {3, 2}, 8: {4, 4}, 9: {4, 3, 2}, 11: {4, 4, 3}} {
			w := newWorld(t, small)
			run := w.start(mass, w.people(n, who{oa: true}))
			w.settle(run)
			require.Equal(t, want, w.wx.sizes(), "%d people", n)
		}
	})
	t.Run("ABatchThatShrinksToOneGoesToTheNextChannel", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		ids := w.people(3, who{oa: true, mp: true, accepted: 1})
		run := w.start(reach.Message{Text: "hi", Channels: []string{reach.Mass, reach.Subscribe}, Subscribe: &template}, ids)
		w.step() // walked
		w.step() // cut
		w.tx(func(tx *gorm.DB) error {
			return tx.Exec("UPDATE members SET opted_out_at = ? WHERE id IN ?", noon, ids[:2]).Error
		})
		w.settle(run)
		require.Equal(t, "suppressed OPTED_OUT", w.why(run, ids[0]))
		require.Equal(t, "accepted subscribe", w.why(run, ids[2]))
		require.Zero(t, w.used(ids[2], "mass:oa"))
		require.Equal(t, 1, w.used(ids[2], "marketing"))
		require.Equal(t, model.RunDone, w.state(run))
		w.exact(run)
	})
	t.Run("WhoFailsTheReservationIsSkipped", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		ids := w.people(5, who{oa: true})
		run := w.start(mass, ids)
		w.step()
		w.tx(func(tx *gorm.DB) error {
			return tx.Exec("UPDATE identities SET subscribed = ? WHERE member_id = ?", false, ids[1]).Error
		})
		w.settle(run)
		require.Equal(t, []int{4}, w.wx.sizes())
		require.Equal(t, "suppressed UNSUBSCRIBED", w.why(run, ids[1]))
		w.exact(run)
	})
	t.Run("ATimeOutIsRepeatedWithTheSameIDAndList", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		ids := w.people(5, who{oa: true})
		run := w.start(mass, ids)
		w.wx.answer = func(call) error { return fail(reach.Unknown, 0) }
		w.settle(run)
		require.Len(t, w.wx.calls, 1)
		w.clock.Set(noon.Add(59 * time.Second))
		w.settle(run)
		require.Len(t, w.wx.calls, 1, "not before a minute")
		w.clock.Set(noon.Add(time.Minute))
		w.settle(run)
		require.Len(t, w.wx.calls, 2)
		w.wx.answer = nil
		w.clock.Set(noon.Add(2 * time.Minute))
		w.settle(run)
		require.Len(t, w.wx.calls, 3)
		for _, c := range w.wx.calls[1:] {
			require.Equal(t, w.wx.calls[0].clientMsgID, c.clientMsgID)
			require.Equal(t, w.wx.calls[0].openids, c.openids)
		}
		require.EqualValues(t, 5, w.exact(run).Accepted)
		require.Equal(t, 1, w.used(ids[0], "mass:oa"))
	})
	t.Run("AfterTheDayItIsUnknownAndKeepsTheQuota", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		ids := w.people(5, who{oa: true})
		run := w.start(mass, ids)
		w.wx.answer = func(call) error { return fail(reach.Unknown, 0) }
		w.settle(run)
		w.clock.Set(noon.Add(24 * time.Hour))
		w.settle(run)
		require.Len(t, w.wx.calls, 1)
		require.EqualValues(t, 5, w.exact(run).Unknown)
		require.Equal(t, 1, w.used(ids[0], "mass:oa"))
		require.Equal(t, model.RunDone, w.state(run))
	})
	t.Run("OneThatWeChatDoesNotAnswerAlertsLongBeforeTheDayIsOver", func(t *testing.T) {
		t.Parallel()
		var alerts []string
		w := newWorld(t, func(o *reach.Options) {
			o.Alert = func(_ context.Context, _ *gorm.DB, r *model.Risk) error {
				alerts = append(alerts, r.Kind)
				return nil
			}
		})
		run := w.start(mass, w.people(5, who{oa: true}))
		w.wx.answer = func(call) error { return fail(reach.Unknown, 0) }
		for minute := range 10 {
			w.clock.Set(noon.Add(time.Duration(minute) * time.Minute))
			w.settle(run)
		}
		require.Empty(t, w.risks(), "it may answer yet")
		for minute := range 5 {
			w.clock.Set(noon.Add(time.Duration(10+minute) * time.Minute))
			w.settle(run)
		}
		require.Len(t, w.risks(), 1)
		require.Equal(t, model.RiskRunUnanswered, w.risks()[0].Kind)
		require.Contains(t, alerts, model.RiskRunUnanswered)
		require.Contains(t, string(w.risks()[0].Data), `"people":5`)
	})
	t.Run("OneThatCannotBeAskedInQuietHoursAlertsAtOnce", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.clock.Set(noon.Add(9*time.Hour + 59*time.Minute)) // 21:59
		run := w.start(mass, w.people(5, who{oa: true}))
		w.wx.answer = func(call) error { return fail(reach.Unknown, 0) }
		w.settle(run)
		require.Empty(t, w.risks())
		w.clock.Set(noon.Add(10*time.Hour + time.Minute))
		w.settle(run)
		require.Len(t, w.wx.calls, 1)
		require.Len(t, w.risks(), 1)
	})
	t.Run("ARefusalGivesTheQuotaBack", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		ids := w.people(5, who{oa: true})
		run := w.start(mass, ids)
		w.wx.answer = func(call) error { return fail(reach.Refused, 40037) }
		w.settle(run)
		require.EqualValues(t, 5, w.exact(run).Rejected)
		require.Equal(t, "rejected mass 40037 refused", w.why(run, ids[0]))
		require.Zero(t, w.used(ids[0], "mass:oa"))
		require.Zero(t, w.used(ids[0], "marketing"))
	})
	t.Run("QuietHoursBeforeTheCallWaitAndUseTheCapsOfTheNextDay", func(t *testing.T) {
		t.Parallel()
		var w *world
		night := noon.Add(10 * time.Hour)
		w = newWorld(t, func(o *reach.Options) {
			o.Crash = func(point string) {
				if point == "mass_reserved" && w.clock.Now().Before(night) {
					w.clock.Set(night)
				}
			}
		})
		ids := w.people(5, who{oa: true})
		run := w.start(mass, ids)
		w.settle(run)
		require.Empty(t, w.wx.calls)
		require.Zero(t, w.used(ids[0], "marketing"), "given back")
		due, ok, err := w.Due(t.Context())
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, noon.Add(20*time.Hour), due)
		w.clock.Set(due)
		w.settle(run)
		require.Equal(t, []int{5}, w.wx.sizes())
		require.Equal(t, 1, w.used(ids[0], "marketing"))
		require.EqualValues(t, 5, w.exact(run).Accepted)
	})
	t.Run("TheDayLimitWaitsForTheNextMorning", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		ids := w.people(3, who{oa: true})
		run := w.start(mass, ids)
		w.wx.answer = func(call) error { return fail(reach.DayLimit, 45009) }
		w.settle(run)
		require.Zero(t, w.used(ids[0], "mass:oa"))
		w.wx.answer = nil
		for range 3 {
			due, ok, err := w.Due(t.Context())
			require.NoError(t, err)
			if !ok {
				break
			}
			w.clock.Set(due)
			w.settle(run)
		}
		require.EqualValues(t, 3, w.exact(run).Accepted)
		require.Equal(t, noon.Add(20*time.Hour), w.wx.calls[1].at)
	})
	t.Run("WeChatsOwnTotalsAreShown", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		run := w.start(mass, w.people(3, who{oa: true}))
		for range 2 { // the report comes before the answer, and again
			w.tx(func(tx *gorm.DB) error { return w.MassFinishedTx(tx, "oa", "m1", "send success", 3, 2, 2, 0, noon) })
		}
		w.settle(run)
		batches, err := w.Batches(t.Context(), run.ID)
		require.NoError(t, err)
		require.Len(t, batches, 1)
		require.EqualValues(t, 2, batches[0].Report.Sent)
		require.EqualValues(t, 3, w.exact(run).Accepted)
	})
	t.Run("ACancelledRunEndsItsBatches", func(t *testing.T) {
		t.Parallel()
		for steps := range 4 {
			w := newWorld(t, small)
			ids := w.people(9, who{oa: true})
			run := w.start(mass, ids)
			w.wx.answer = func(call) error { return fail(reach.Unknown, 0) }
			for range steps {
				w.step()
			}
			require.NoError(t, w.Cancel(t.Context(), run.ID))
			w.settle(run)
			c := w.holds(run)
			require.Equal(t, model.RunCancelled, w.state(run))
			require.Zero(t, c.Pending, "after %d steps", steps)
			require.EqualValues(t, 9, c.Cancelled+c.Unknown)
			for _, id := range ids {
				require.LessOrEqual(t, w.used(id, "marketing"), 1)
			}
		}
	})
	t.Run("ThreeWorkersSendEverybodyOnce", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, small)
		run := w.start(mass, w.people(97, who{oa: true}))
		w.race(3, run)
		require.EqualValues(t, 97, w.exact(run).Accepted)
		for openid, n := range w.wx.got() {
			require.Equal(t, 1, n, openid)
		}
		require.Len(t, w.wx.got(), 97)
	})
}

// step is one piece of work.
func (w *world) step() {
	w.t.Helper()
	did, err := w.Work(context.Background())
	require.NoError(w.t, err)
	require.True(w.t, did)
}

// A worker dies at every named point; another takes over when the lease has ended.
func TestDeath(t *testing.T) {
	t.Parallel()
	for _, point := range []string{
		"after_lease", "after_attempting_commit", "mid_calls", "before_outcome_commit", "after_outcome_commit",
		"mass_reserved", "mass_before_call", "mass_after_call", "mass_mid_outcome",
	} {
		for pass := 1; pass <= 2; pass++ {
			t.Run(point, func(t *testing.T) {
				t.Parallel()
				passes := 0
				w := newWorld(t, func(o *reach.Options) {
					o.InFlight, o.Workers, o.MassMax = 4, 1, 6
					o.Crash = func(at string) {
						if at == point {
							if passes++; passes == pass {
								panic(at)
							}
						}
					}
				})
				some, others := w.people(13, who{oa: true, window: 1}), w.people(14, who{oa: true})
				run := w.start(reach.Message{Text: "hi", Channels: []string{reach.Customer, reach.Mass}}, some, others)
				known := map[string]bool{} // WeChat's own memory of clientmsgids
				people := map[string]int{}
				w.wx.answer = func(c call) error {
					w.wx.mu.Lock()
					defer w.wx.mu.Unlock()
					if c.channel == reach.Mass && known[c.clientMsgID] {
						return nil
					}
					known[c.clientMsgID] = c.channel == reach.Mass
					for _, o := range append(c.openids, c.openid) {
						people[o]++
					}
					return nil
				}
				died := w.workUntilDeath()
				require.True(t, died)
				w.clock.Set(noon.Add(2 * time.Minute))
				w.tx(func(tx *gorm.DB) error {
					if err := tx.Exec("UPDATE ranges SET lease_till = '1970-01-01 00:00:00'").Error; err != nil {
						return err
					}
					return tx.Exec("UPDATE batches SET lease_till = '1970-01-01 00:00:00'").Error
				})
				w.settleWith(w.engine(), run)
				c := w.exact(run)
				require.Equal(t, model.RunDone, w.state(run))
				require.LessOrEqual(t, c.Unknown, int64(4))
				require.EqualValues(t, 27, c.Accepted+c.Unknown)
				delete(people, "")
				for openid, n := range people {
					require.Equal(t, 1, n, openid)
				}
				require.GreaterOrEqual(t, int64(len(people)), c.Accepted, "everyone received it or is shown as unknown")
				for _, id := range append(some, others...) {
					require.Equal(t, 1, w.used(id, "marketing"))
				}
			})
		}
	}
}

func (w *world) workUntilDeath() (died bool) {
	defer func() { died = recover() != nil }()
	w.settle()
	return false
}
