package ledger_test

import (
	"context"
	"math"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/model"
)

func TestPost(t *testing.T) {
	t.Parallel()
	t.Run("SeveralAccountsAtOnce", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		m := w.member()
		es, err := w.postAll(
			ledger.Posting{MemberID: m, Amount: 10},
			ledger.Posting{MemberID: m, Amount: 5, Account: model.AccountGrowth},
			ledger.Posting{MemberID: m, Amount: 7, Bonus: true},
			ledger.Posting{MemberID: m, Amount: -12},
		)
		require.NoError(t, err)
		require.Equal(t, []int64{10, 5, 17, 5}, []int64{es[0].Balance, es[1].Balance, es[2].Balance, es[3].Balance})
		require.True(t, es[2].Bonus)
		require.EqualValues(t, 17, w.view(m, model.AccountPoints).Lifetime)
		totals := w.clean()
		require.Equal(t, ledger.AccountTotal{Issued: 17, Spent: 12, Available: 5, InLots: 5}, totals.Accounts[model.AccountPoints])
	})

	t.Run("RefusalsSayWhatIsShort", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		m := w.member()
		w.give(m, 30, 0)
		_, err := w.post(ledger.Posting{MemberID: m, Amount: -31})
		require.Equal(t, errs.Insufficient, errs.CodeOf(err))
		require.EqualValues(t, 1, args(t, err)["short_by"])
		_, err = w.post(ledger.Posting{MemberID: m, Amount: -50, AllowDebt: true})
		require.NoError(t, err)
		_, err = w.post(ledger.Posting{MemberID: m, Amount: -1})
		require.Equal(t, errs.PointsDebt, errs.CodeOf(err))
		require.EqualValues(t, 20, args(t, err)["debt"])
		require.EqualValues(t, 21, args(t, err)["short_by"])
		require.EqualValues(t, -20, w.points(m))
		w.clean()
	})

	t.Run("EarningsRepayDebtFirst", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		m := w.member()
		_, err := w.post(ledger.Posting{MemberID: m, Amount: -20, AllowDebt: true})
		require.NoError(t, err)
		w.give(m, 15, time.Hour)
		require.EqualValues(t, -5, w.points(m))
		w.give(m, 15, time.Hour)
		require.EqualValues(t, 10, w.points(m))
		w.advance(time.Hour)
		require.Zero(t, w.points(m), "only what is left of the lot expires")
		w.clean()
	})

	for _, kind := range []string{"that expire", "that never expire", "of both kinds", "of which some wait"} {
		t.Run("OfManyLots "+kind+" TheEarliestExpiringGoFirst", func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.account("coins", model.ExpiryNever, 0, "")
			m := w.member()
			var ps []ledger.Posting
			for i := range 200 {
				p := ledger.Posting{MemberID: m, Account: "coins", Amount: 10, ExpiresAt: ptr(start.Add(time.Duration(100-i%50) * time.Hour))}
				switch {
				case kind == "that never expire", kind == "of both kinds" && i%3 == 0:
					p.ExpiresAt = nil
				case kind == "of which some wait" && i%3 == 0:
					p.ActivatesAt = ptr(start.Add(40 * time.Hour))
				}
				ps = append(ps, p)
			}
			_, err := w.postAll(ps...)
			require.NoError(t, err)
			spend := func(prices ...int64) {
				var ps []ledger.Posting
				for _, n := range prices {
					ps = append(ps, ledger.Posting{MemberID: m, Account: "coins", Amount: -n})
				}
				_, err := w.postAll(ps...)
				require.NoError(t, err)
				w.clean()
			}
			for _, price := range []int64{5, 5, 15, 400, 1, 9} { // within a lot, to its end, across, more than is looked at first
				spend(price)
				w.inOrder(m)
			}
			spend(7, 330, -3, 2, 30) // the second needs more than was read for the first
			w.inOrder(m)
			w.advance(80 * time.Hour)
			spend(1, 1)
		})
	}

	t.Run("OneBadPostingUndoesAll", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		m := w.member()
		_, err := w.postAll(ledger.Posting{MemberID: m, Amount: 10}, ledger.Posting{MemberID: m, Amount: -11})
		require.Equal(t, errs.Insufficient, errs.CodeOf(err))
		require.Zero(t, w.points(m))
		require.Zero(t, w.clean().Entries)
	})

	t.Run("WhatCanNeverBePosted", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		m := w.member()
		soon, later := w.clock.Now().Add(time.Hour), w.clock.Now().Add(2*time.Hour)
		for name, p := range map[string]ledger.Posting{
			"zero":                     {MemberID: m},
			"the smallest integer":     {MemberID: m, Amount: math.MinInt64},
			"the largest integer":      {MemberID: m, Amount: math.MaxInt64},
			"an unknown account":       {MemberID: m, Amount: 1, Account: "gold"},
			"spending what qualifies":  {MemberID: m, Amount: -1, Account: model.AccountGrowth, AllowDebt: true},
			"expired before it starts": {MemberID: m, Amount: 1, ActivatesAt: &later, ExpiresAt: &soon},
			"activated after a year":   {MemberID: m, Amount: 1, ActivatesAt: ptr(start.AddDate(2, 0, 0))},
		} {
			_, err := w.post(p)
			require.Equal(t, errs.Invalid, errs.CodeOf(err), name)
		}
		for name, p := range map[string]ledger.Posting{
			"no member":         {Amount: 1},
			"an earning below":  {MemberID: m, Amount: -1, Kind: model.EntryEarn},
			"a spending above":  {MemberID: m, Amount: 1, Kind: model.EntrySpend},
			"an expiry by hand": {MemberID: m, Amount: -1, Kind: model.EntryExpire},
		} {
			_, err := w.post(p)
			require.Error(t, err, name)
		}
		require.Zero(t, w.clean().Entries)
	})

	t.Run("BalancesStopBeforeTheyOverflow", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		m := w.member()
		const limit = 1_000_000_000_000_000
		w.give(m, limit, 0)
		_, err := w.post(ledger.Posting{MemberID: m, Amount: 1})
		require.Equal(t, errs.Invalid, errs.CodeOf(err))
		require.EqualValues(t, limit, w.points(m))
		w.clean()
	})

	t.Run("ExpiryIsTheEndOfTheDayTwelveMonthsOn", func(t *testing.T) {
		t.Parallel()
		shanghai := time.FixedZone("", 8*3600)
		for earned, expires := range map[time.Time]time.Time{
			time.Date(2026, 11, 23, 23, 59, 59, 0, shanghai): time.Date(2027, 11, 24, 0, 0, 0, 0, shanghai),
			time.Date(2026, 11, 24, 0, 0, 0, 0, shanghai):    time.Date(2027, 11, 25, 0, 0, 0, 0, shanghai),
			time.Date(2028, 2, 29, 12, 0, 0, 0, shanghai):    time.Date(2029, 3, 1, 0, 0, 0, 0, shanghai),
		} {
			w := newWorld(t)
			m := w.member()
			require.True(t, w.clock.Set(earned))
			w.give(m, 5, 0)
			require.True(t, w.clock.Set(expires.Add(-time.Microsecond)))
			require.EqualValues(t, 5, w.points(m))
			w.clock.Set(expires)
			require.Zero(t, w.points(m))
		}
	})

	t.Run("ALateEventCountsFromItsOwnDay", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		m := w.member()
		e, err := w.post(ledger.Posting{MemberID: m, Amount: 5, OccurredAt: start.AddDate(-2, 0, 0)})
		require.NoError(t, err)
		require.EqualValues(t, 5, e.Delta)
		require.Zero(t, w.points(m), "it expired long ago")
		rows, _, err := w.book.Entries(t.Context(), m, "", "", 10)
		require.NoError(t, err)
		require.Len(t, rows, 2)
		require.Equal(t, model.EntryExpire, rows[0].Kind)
		w.clean()
	})
}

func TestKey(t *testing.T) {
	t.Parallel()
	t.Run("ARepeatReturnsTheFirstEntry", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		m := w.member()
		at := w.clock.Now()
		first, err := w.post(ledger.Posting{MemberID: m, Amount: 5, Key: "k", OccurredAt: at})
		require.NoError(t, err)
		w.advance(time.Minute)
		again, err := w.post(ledger.Posting{MemberID: m, Amount: 5, Key: "k", OccurredAt: at})
		require.NoError(t, err)
		require.Equal(t, first.ID, again.ID)
		require.EqualValues(t, 5, w.points(m))
	})
	t.Run("AnotherInputIsAConflict", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		m := w.member()
		base := ledger.Posting{MemberID: m, Amount: 5, Key: "k", OccurredAt: w.clock.Now()}
		_, err := w.post(base)
		require.NoError(t, err)
		for name, change := range map[string]func(*ledger.Posting){
			"member":  func(p *ledger.Posting) { p.MemberID = w.member() },
			"account": func(p *ledger.Posting) { p.Account = model.AccountGrowth },
			"amount":  func(p *ledger.Posting) { p.Amount = 6 },
			"reason":  func(p *ledger.Posting) { p.Reason = "other" },
			"memo":    func(p *ledger.Posting) { p.Memo = "other" },
			"note":    func(p *ledger.Posting) { p.Note = "other" },
			"rule":    func(p *ledger.Posting) { p.RuleID = 1 },
			"version": func(p *ledger.Posting) { p.RuleVersion = 1 },
			"bonus":   func(p *ledger.Posting) { p.Bonus = true },
			"event":   func(p *ledger.Posting) { p.EventID = 1 },
			"moment":  func(p *ledger.Posting) { p.OccurredAt = p.OccurredAt.Add(time.Second) },
			"expiry":  func(p *ledger.Posting) { p.ExpiresAt = ptr(start.AddDate(1, 0, 0)) },
		} {
			p := base
			change(&p)
			_, err := w.post(p)
			require.Equal(t, errs.Conflict, errs.CodeOf(err), name)
		}
		require.EqualValues(t, 5, w.points(m))
	})
	t.Run("ARepeatedSpendingNeedsNothingMore", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		m := w.member()
		w.give(m, 10, 0)
		p := ledger.Posting{MemberID: m, Amount: -10, Key: "k"}
		first, err := w.post(p)
		require.NoError(t, err)
		again, err := w.post(p)
		require.NoError(t, err)
		require.Equal(t, first.ID, again.ID)
	})
	t.Run("InAListOnlyTheNewIsPosted", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		m := w.member()
		first, err := w.post(ledger.Posting{MemberID: m, Amount: 5, Key: "a"})
		require.NoError(t, err)
		es, err := w.postAll(ledger.Posting{MemberID: m, Amount: 5, Key: "a"}, ledger.Posting{MemberID: m, Amount: 7, Key: "b"})
		require.NoError(t, err)
		require.Equal(t, first.ID, es[0].ID)
		require.EqualValues(t, 12, es[1].Balance)
		_, err = w.postAll(ledger.Posting{MemberID: m, Amount: 1, Key: "c"}, ledger.Posting{MemberID: m, Amount: 1, Key: "c"})
		require.Equal(t, errs.Conflict, errs.CodeOf(err))
		w.clean()
	})
	t.Run("TwentyAtOncePostOnce", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		m := w.member()
		var wg sync.WaitGroup
		ids := make([]int64, 20)
		for i := range ids {
			wg.Go(func() {
				if e, err := w.post(ledger.Posting{MemberID: m, Amount: 5, Key: "k"}); err != nil {
					t.Errorf("post: %v", err)
				} else {
					ids[i] = e.ID
				}
			})
		}
		wg.Wait()
		for _, id := range ids {
			require.Equal(t, ids[0], id)
		}
		require.EqualValues(t, 5, w.points(m))
		w.clean()
	})
}

func TestRace(t *testing.T) {
	t.Parallel()
	t.Run("TwentySpendingsOfSeventyPaySeven", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		m := w.member()
		for range 7 {
			w.give(m, 10, 0)
		}
		var ok, refused atomic.Int32
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				switch _, err := w.post(ledger.Posting{MemberID: m, Amount: -10}); errs.CodeOf(err) {
				case "":
					if err != nil {
						t.Errorf("spend: %v", err)
					}
					ok.Add(1)
				case errs.Insufficient:
					refused.Add(1)
				default:
					t.Errorf("spend: %v", err)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 7, ok.Load())
		require.EqualValues(t, 13, refused.Load())
		require.Zero(t, w.points(m))
		w.clean()
	})
	t.Run("SpendingAgainstExpiryPaysOrExpiresEachPointOnce", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		m := w.member()
		w.give(m, 100, time.Hour)
		due := w.clock.Now().Add(time.Hour)
		var spent atomic.Int64
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				if i == 7 {
					w.clock.Set(due)
				}
				if i%5 == 4 {
					if _, err := w.book.RunDue(t.Context(), w.clock.Now(), 10); err != nil {
						t.Errorf("run due: %v", err)
					}
					return
				}
				if _, err := w.post(ledger.Posting{MemberID: m, Amount: -10}); err == nil {
					spent.Add(10)
				} else if errs.CodeOf(err) != errs.Insufficient {
					t.Errorf("spend: %v", err)
				}
			})
		}
		wg.Wait()
		_, err := w.book.RunDue(t.Context(), due, 10)
		require.NoError(t, err)
		total := w.clean().Accounts[model.AccountPoints]
		require.Equal(t, spent.Load(), total.Spent)
		require.Equal(t, 100-spent.Load(), total.Expired)
		require.Zero(t, total.Available)
	})
	t.Run("WithoutTheLockNothingIsLost", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		m := w.member()
		w.give(m, 10, 0)
		var ok atomic.Int64
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				err := w.db.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
					_, err := w.book.PostTx(ctx, tx, ledger.Posting{
						MemberID: m, Account: model.AccountPoints, Amount: -10, Reason: "test", Key: "race:" + strconv.FormatInt(w.n.Add(1), 10),
					})
					return err
				})
				if err == nil {
					ok.Add(1)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 1, ok.Load())
		require.Zero(t, w.points(m))
		w.clean()
	})
	t.Run("MergeAgainstSpendingKeepsEveryPoint", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		a, b := w.member(), w.member()
		w.give(a, 50, 0)
		w.give(b, 50, 0)
		var spent atomic.Int64
		var wg sync.WaitGroup
		for i := range 11 {
			wg.Go(func() {
				if i == 5 {
					w.merge(a, b)
				} else if _, err := w.post(ledger.Posting{MemberID: b, Amount: -10}); err == nil {
					spent.Add(10)
				}
			})
		}
		wg.Wait()
		require.Zero(t, w.points(a))
		require.Equal(t, 100-spent.Load(), w.points(b))
		w.clean()
	})
}

func args(t *testing.T, err error) map[string]any {
	t.Helper()
	var e *errs.Error
	require.ErrorAs(t, err, &e)
	return e.Args
}

// inOrder fails unless what is left of the member's active lots is what expires last.
func (w *world) inOrder(m int64) {
	var lots []model.Lot
	require.NoError(w.t, w.db.Reader(w.ctx()).Where("member_id = ? AND active = ?", m, true).Order("expires_at IS NULL, expires_at, id").Find(&lots).Error)
	for i, l := range lots[1:] {
		require.True(w.t, lots[i].Remaining == 0 || l.Remaining == l.Amount, "lot %d was taken from before lot %d was empty", l.ID, lots[i].ID)
	}
}
