package ledger_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/model"
)

func TestLiability(t *testing.T) {
	t.Parallel()
	t.Run("TheSumIsTheLedgerToThePoint", func(t *testing.T) {
		t.Parallel()
		w := storied(t)
		today := model.DayOf(w.clock.Now())
		for _, from := range []model.Day{"2026-11-20", "2026-11-24", today} {
			report, err := w.book.Liability(t.Context(), from, "2027-02-01", "")
			require.NoError(t, err)
			flows := map[string]ledger.Flow{}
			for _, l := range report.Lines {
				f := flows[l.Account]
				flows[l.Account] = ledger.Flow{
					Issued: f.Issued + l.Issued, Spent: f.Spent + l.Spent, Expired: f.Expired + l.Expired, Reversed: f.Reversed + l.Reversed,
				}
			}
			for code, total := range w.clean().Accounts {
				got := report.Totals[code]
				require.Equal(t, total.Available+total.Held, got.Outstanding, code)
				require.Equal(t, got.Outstanding, report.Opening[code]+got.Issued-got.Spent-got.Expired-got.Reversed, code)
				sum := flows[code]
				sum.Outstanding = got.Outstanding
				require.Equal(t, sum, got, code)
				if from == "2026-11-20" {
					require.Zero(t, report.Opening[code])
					require.Equal(t, []int64{total.Issued, total.Spent, total.Expired, total.Reversed}, []int64{got.Issued, got.Spent, got.Expired, got.Reversed}, code)
				}
			}
		}
	})
	t.Run("WhatWasSpentCountsForTheRuleThatGrantedIt", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		m := w.member()
		earn := func(rule, amount int64, d time.Duration) {
			_, err := w.post(ledger.Posting{MemberID: m, Amount: amount, RuleID: rule, ExpiresAt: ptr(w.clock.Now().Add(d))})
			require.NoError(t, err)
		}
		earn(1, 10, 40*time.Hour)
		earn(2, 10, 60*time.Hour)
		w.spend(m, 4)
		_, err := w.hold(m, 3)
		require.NoError(t, err)
		w.advance(15 * time.Hour) // 2026-11-24 00:00 in Shanghai
		spent := w.spend(m, 1)
		_, err = w.reverse(spent.ID, m, false)
		require.NoError(t, err)
		_, err = w.book.ReleaseDue(t.Context(), w.clock.Now(), 10)
		require.NoError(t, err)
		h, err := w.hold(m, 5)
		require.NoError(t, err)
		_, err = w.endHold(h.ID, true, "pay")
		require.NoError(t, err)
		w.advance(25 * time.Hour)
		w.settledTotals()
		report, err := w.book.Liability(t.Context(), "2026-11-23", "2026-11-25", model.AccountPoints)
		require.NoError(t, err)
		require.Equal(t, []ledger.LiabilityLine{
			{Day: "2026-11-23", Account: "points", RuleID: 1, Flow: ledger.Flow{Issued: 10, Spent: 4, Outstanding: 6}},
			{Day: "2026-11-23", Account: "points", RuleID: 2, Flow: ledger.Flow{Issued: 10, Outstanding: 10}},
			{Day: "2026-11-24", Account: "points", RuleID: 1, Flow: ledger.Flow{Spent: 5, Outstanding: 1}},
			{Day: "2026-11-25", Account: "points", RuleID: 1, Flow: ledger.Flow{Expired: 1}},
		}, report.Lines)
		w.clean()
	})
	t.Run("ADebtBelongsToNoRule", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		m := w.member()
		_, err := w.post(ledger.Posting{MemberID: m, Amount: 10, RuleID: 1})
		require.NoError(t, err)
		_, err = w.post(ledger.Posting{MemberID: m, Amount: -15, AllowDebt: true})
		require.NoError(t, err)
		report, err := w.book.Liability(t.Context(), "2026-11-23", "2026-11-23", "")
		require.NoError(t, err)
		require.Equal(t, []ledger.LiabilityLine{
			{Day: "2026-11-23", Account: "points", RuleID: 0, Flow: ledger.Flow{Spent: 5, Outstanding: -5}},
			{Day: "2026-11-23", Account: "points", RuleID: 1, Flow: ledger.Flow{Issued: 10, Spent: 10}},
		}, report.Lines)
	})
	t.Run("WhatIsSummedUpIsWhatTheLinesSay", func(t *testing.T) {
		t.Parallel()
		w := storied(t)
		m := w.member()
		same := func() {
			t.Helper()
			// The days are Shanghai's, but under another name, for which nothing is summed up.
			singapore, err := clock.LoadZone("Asia/Singapore")
			require.NoError(t, err)
			for _, from := range []model.Day{"2026-11-20", "2026-11-25", "2027-01-01"} {
				for _, code := range []string{"", model.AccountPoints} {
					want, err := ledger.New(w.db, w.clock, singapore).Liability(t.Context(), from, "2027-02-01", code)
					require.NoError(t, err)
					got, err := w.book.Liability(t.Context(), from, "2027-02-01", code)
					require.NoError(t, err)
					require.Equal(t, want, got)
				}
			}
			w.clean()
		}
		same()
		_, err := w.post(ledger.Posting{MemberID: m, Amount: 8, RuleID: 4})
		require.NoError(t, err)
		same()
		// A line that says that it was recorded on a day long summed up, as of a process whose clock is slow.
		late := *w
		late.book = ledger.New(w.db, clock.NewFrozen(start), clock.Shanghai)
		_, err = late.post(ledger.Posting{MemberID: m, Amount: 3, RuleID: 4})
		require.NoError(t, err)
		same()
		w.advance(time.Hour)
		require.NoError(t, w.book.SumUpAll(t.Context()))
		same()
		report, err := w.book.Liability(t.Context(), "2026-11-23", "2026-11-23", "")
		require.NoError(t, err)
		require.Contains(t, report.Lines, ledger.LiabilityLine{Day: "2026-11-23", Account: "points", RuleID: 4, Flow: ledger.Flow{Issued: 3, Outstanding: 3}})
	})
	t.Run("AYoungLineWaits", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.give(w.member(), 10, 0)
		w.advance(10 * time.Minute)
		require.NoError(t, w.book.SumUpAll(t.Context()))
		require.Empty(t, w.days())
		w.advance(time.Microsecond)
		did, err := w.book.SumUp(t.Context())
		require.NoError(t, err)
		require.False(t, did, "one line is cheap to read")
		require.NoError(t, w.book.SumUpAll(t.Context()))
		require.Equal(t, []model.LiabilityDay{{Day: "2026-11-23", Account: model.AccountPoints, Granted: 10, Issued: 10}}, w.days())
	})
	t.Run("InAnotherZoneTheDaysAreSummedUpAnew", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		m := w.member()
		for range 9 {
			w.give(m, 2, 0)
			w.advance(5 * time.Hour)
		}
		require.NoError(t, w.book.SumUpAll(t.Context()))
		before := w.days()
		zone, err := clock.LoadZone("America/Los_Angeles")
		require.NoError(t, err)
		w.book = ledger.New(w.db, w.clock, zone)
		w.clean()
		require.NoError(t, w.book.SumUpAll(t.Context()))
		w.clean()
		require.NotEqual(t, before, w.days())
		w.book = ledger.New(w.db, w.clock, clock.Shanghai)
		require.NoError(t, w.book.SumUpAll(t.Context()))
		w.clean()
		require.Equal(t, before, w.days())
	})
	t.Run("ManyAtOnceSumUpOnce", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		for range 40 {
			w.give(w.member(), 2, 0)
		}
		w.advance(time.Hour)
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() {
				if err := w.book.SumUpAll(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		require.Equal(t, []model.LiabilityDay{{Day: "2026-11-23", Account: model.AccountPoints, Granted: 80, Issued: 80}}, w.days())
		w.clean()
	})
	t.Run("WhatARuleGrantedIsToldWithWhatIsPending", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		m := w.member()
		for i, amount := range []int64{10, 20} {
			_, err := w.post(ledger.Posting{MemberID: m, Amount: amount, RuleID: 1, ActivatesAt: ptr(start.Add(time.Duration(i) * time.Hour))})
			require.NoError(t, err)
		}
		w.spend(m, 5)
		w.advance(2 * time.Hour) // the second is active: it was granted once
		w.settledTotals()
		for range 2 {
			granted, err := w.book.Granted(t.Context(), "2026-11-01", "2026-11-30")
			require.NoError(t, err)
			require.Equal(t, map[int64]map[string]int64{1: {model.AccountPoints: 30}}, granted)
			require.NoError(t, w.book.SumUpAll(t.Context()))
		}
		granted, err := w.book.Granted(t.Context(), "2026-11-24", "2026-11-30")
		require.NoError(t, err)
		require.Empty(t, granted)
	})
	t.Run("TooManyDaysAreRefused", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		for _, from := range []model.Day{"2020-01-01", "2026-11-24"} {
			_, err := w.book.Liability(t.Context(), from, "2026-11-23", "")
			require.Equal(t, errs.Invalid, errs.CodeOf(err))
		}
	})
}

// days are the stored sums.
func (w *world) days() (rows []model.LiabilityDay) {
	require.NoError(w.t, w.db.Reader(w.ctx()).Order("day, account, rule_id").Find(&rows).Error)
	return rows
}
