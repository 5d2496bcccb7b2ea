package ledger_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

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
	t.Run("TooManyDaysAreRefused", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		for _, from := range []model.Day{"2020-01-01", "2026-11-24"} {
			_, err := w.book.Liability(t.Context(), from, "2026-11-23", "")
			require.Equal(t, errs.Invalid, errs.CodeOf(err))
		}
	})
}
