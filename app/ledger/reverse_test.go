package ledger_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/model"
)

func TestReverse(t *testing.T) {
	t.Parallel()
	t.Run("ASpendingGoesBackToTheSameLots", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		m := w.member()
		w.give(m, 10, time.Hour)
		w.give(m, 10, 2*time.Hour)
		before := w.lots(m)
		spent := w.spend(m, 15)
		_, err := w.reverse(spent.ID, m, false)
		require.NoError(t, err)
		require.Equal(t, before, w.lots(m))
		w.clean()
	})
	t.Run("AnExpiredLotComesBackWithGrace", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		m := w.member()
		w.give(m, 10, time.Hour)
		w.give(m, 10, 30*24*time.Hour)
		spent := w.spend(m, 15)
		w.advance(2 * time.Hour)
		_, err := w.reverse(spent.ID, m, false)
		require.NoError(t, err)
		require.EqualValues(t, 20, w.points(m))
		w.advance(7*24*time.Hour - time.Microsecond)
		require.EqualValues(t, 20, w.points(m))
		w.advance(time.Microsecond)
		require.EqualValues(t, 10, w.points(m))
		w.clean()
	})
	t.Run("AnEarningLeavesItsOwnLotFirst", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		m := w.member()
		w.give(m, 10, time.Hour)
		e := w.give(m, 10, 2*time.Hour)
		_, err := w.reverse(e.ID, m, false)
		require.NoError(t, err)
		w.advance(time.Hour)
		require.Zero(t, w.points(m), "the other lot was left alone, and expired")
		require.Zero(t, w.view(m, model.AccountPoints).Lifetime-10)
		w.clean()
	})
	t.Run("WhatWasSpentBecomesDebtOrIsClamped", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		a, b := w.member(), w.member()
		for _, m := range []int64{a, b} {
			e := w.give(m, 10, 0)
			w.spend(m, 7)
			r, err := w.reverse(e.ID, m, m == b)
			require.NoError(t, err)
			require.Equal(t, e.ID, r.ReversesID)
			require.Equal(t, m == b, r.Note == ledger.NoteClamped)
		}
		require.EqualValues(t, -7, w.points(a))
		require.Zero(t, w.points(b))
		w.clean()
	})
	t.Run("PendingIsCancelledNeverDebited", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		m := w.member()
		w.give(m, 5, 0)
		e, err := w.post(ledger.Posting{MemberID: m, Amount: 10, ActivatesAt: ptr(start.Add(time.Hour))})
		require.NoError(t, err)
		r, err := w.reverse(e.ID, m, false)
		require.NoError(t, err)
		require.Equal(t, model.BucketPending, r.Bucket)
		w.advance(2 * time.Hour)
		require.EqualValues(t, 5, w.points(m))
		require.Zero(t, w.view(m, model.AccountPoints).Pending)
		w.clean()
	})
	t.Run("OnceOnly", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		m := w.member()
		e := w.give(m, 10, 0)
		again := func(key, reason string) (r *model.Entry, err error) {
			err = w.db.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
				if err := member.LockTx(tx, m); err != nil {
					return err
				}
				r, err = w.book.ReverseTx(ctx, tx, e.ID, key, reason, start, false)
				return err
			})
			return r, err
		}
		first, err := again("r", "undo")
		require.NoError(t, err)
		repeat, err := again("r", "undo")
		require.NoError(t, err)
		require.Equal(t, first.ID, repeat.ID)
		_, err = again("r", "other")
		require.Equal(t, errs.Conflict, errs.CodeOf(err))
		_, err = again("other", "undo")
		require.Equal(t, errs.Conflict, errs.CodeOf(err))
		_, err = w.reverse(first.ID, m, false)
		require.Equal(t, errs.Conflict, errs.CodeOf(err), "a reversal is not reversed")
		_, err = w.reverse(99999, m, false)
		require.Equal(t, errs.NotFound, errs.CodeOf(err))
		require.Zero(t, w.points(m))
		w.clean()
	})
}

func TestMerge(t *testing.T) {
	t.Parallel()
	t.Run("LotsKeepTheirExpiryAndEntriesTheirOwner", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		a, b := w.member(), w.member()
		w.give(a, 10, time.Hour)
		w.give(a, 20, 2*time.Hour)
		_, err := w.postAll(
			ledger.Posting{MemberID: a, Amount: 4, ActivatesAt: ptr(start.Add(90 * time.Minute))},
			ledger.Posting{MemberID: a, Amount: 9, Account: model.AccountGrowth},
		)
		require.NoError(t, err)
		w.give(b, 5, 3*time.Hour)
		w.merge(a, b)
		require.Zero(t, w.points(a))
		require.Equal(t, ledger.View{Account: model.AccountGrowth, Available: 9, Lifetime: 9}, w.view(b, model.AccountGrowth))
		require.Zero(t, w.view(a, model.AccountGrowth).Lifetime)
		for _, want := range []struct {
			after     time.Duration
			available int64
			pending   int64
		}{{0, 35, 4}, {time.Hour, 25, 4}, {30 * time.Minute, 29, 0}, {30 * time.Minute, 9, 0}, {time.Hour, 4, 0}} {
			w.advance(want.after)
			v := w.view(b, model.AccountPoints)
			require.Equal(t, want.available, v.Available)
			require.Equal(t, want.pending, v.Pending)
		}
		rows, _, err := w.book.Entries(t.Context(), a, model.AccountPoints, "", 100)
		require.NoError(t, err)
		require.Len(t, rows, 3+1+3, "the three earnings stay, beside the lines that took them away")
		w.clean()
	})
	t.Run("DebtMovesToo", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		a, b, c := w.member(), w.member(), w.member()
		_, err := w.post(ledger.Posting{MemberID: a, Amount: -30, AllowDebt: true})
		require.NoError(t, err)
		w.give(b, 100, 0)
		w.merge(a, b)
		require.Zero(t, w.points(a))
		require.EqualValues(t, 70, w.points(b))
		_, err = w.post(ledger.Posting{MemberID: c, Amount: -50, AllowDebt: true})
		require.NoError(t, err)
		w.merge(b, c)
		require.EqualValues(t, 20, w.points(c))
		w.clean()
	})
	t.Run("ALineOfTheLoserIsReversedAtTheSurvivor", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		a, b, c := w.member(), w.member(), w.member()
		pack := w.give(a, 50, time.Hour)
		w.give(a, 20, 3*time.Hour)
		spent := w.spend(a, 10)
		w.give(c, 5, 4*time.Hour)
		w.merge(a, b)
		w.merge(b, c)
		require.EqualValues(t, 65, w.points(c))
		_, err := w.reverse(spent.ID, c, false)
		require.NoError(t, err)
		require.EqualValues(t, 75, w.points(c))
		_, err = w.reverse(pack.ID, c, true)
		require.NoError(t, err)
		require.EqualValues(t, 25, w.points(c))
		w.advance(time.Hour)
		require.EqualValues(t, 25, w.points(c), "all of the pack's own lot was taken: nothing expires with it")
		w.advance(2 * time.Hour)
		require.EqualValues(t, 5, w.points(c))
		w.clean()
	})
	t.Run("AgainMovesNothing", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		a, b := w.member(), w.member()
		w.give(a, 10, 0)
		w.merge(a, b)
		entries := w.clean().Entries
		w.merge(a, b)
		require.Equal(t, entries, w.clean().Entries)
		w.give(a, 7, 0) // what came since
		w.merge(a, b)
		require.EqualValues(t, 17, w.points(b))
		w.clean()
	})
}

// lots is what the member's open lots hold.
func (w *world) lots(m int64) []model.Lot {
	var rows []model.Lot
	require.NoError(w.t, w.db.Reader(w.ctx()).Where("member_id = ? AND open = ?", m, true).Order("id").Find(&rows).Error)
	return rows
}
