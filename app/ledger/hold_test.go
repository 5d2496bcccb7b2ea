package ledger_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/model"
)

// hold sets points aside for an hour.
func (w *world) hold(m, amount int64) (*model.Hold, error) {
	return w.holdAs(ledger.Hold{MemberID: m, Account: model.AccountPoints, Amount: amount, Until: w.clock.Now().Add(time.Hour), Key: fmt.Sprintf("test:%d", w.n.Add(1))})
}

func (w *world) holdAs(h ledger.Hold) (row *model.Hold, err error) {
	err = w.db.Tx(context.Background(), func(ctx context.Context, tx *gorm.DB) error {
		if err := member.LockTx(tx, h.MemberID); err != nil {
			return err
		}
		row, err = w.book.HoldTx(ctx, tx, h)
		return err
	})
	return row, err
}

func (w *world) endHold(id int64, commit bool, key string) (h *model.Hold, err error) {
	err = w.db.Tx(context.Background(), func(ctx context.Context, tx *gorm.DB) error {
		do := w.book.ReleaseHoldTx
		if commit {
			do = w.book.CommitHoldTx
		}
		h, err = do(ctx, tx, id, key, w.clock.Now())
		return err
	})
	return h, err
}

func TestHold(t *testing.T) {
	t.Parallel()
	t.Run("WhatIsHeldIsNeitherUsableNorSpentUntilItIsCommitted", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		m := w.member()
		w.give(m, 100, 0)
		h, err := w.hold(m, 60)
		require.NoError(t, err)
		require.EqualValues(t, 40, w.points(m))
		_, err = w.hold(m, 41)
		require.Equal(t, errs.Insufficient, errs.CodeOf(err))
		total := w.clean().Accounts[model.AccountPoints]
		require.EqualValues(t, 60, total.Held)
		require.Zero(t, total.Spent)
		done, err := w.endHold(h.ID, true, "pay")
		require.NoError(t, err)
		require.Equal(t, model.HoldCommitted, done.State)
		total = w.clean().Accounts[model.AccountPoints]
		require.Zero(t, total.Held)
		require.EqualValues(t, 60, total.Spent)
		require.EqualValues(t, 100, w.view(m, model.AccountPoints).Lifetime)
		_, err = w.endHold(h.ID, true, "pay")
		require.NoError(t, err, "a repeat")
		_, err = w.endHold(h.ID, true, "pay again")
		require.Equal(t, errs.Conflict, errs.CodeOf(err))
		_, err = w.endHold(h.ID, false, "cancel")
		require.Equal(t, errs.Conflict, errs.CodeOf(err))
		w.clean()
	})
	t.Run("LotsWaitPastTheirExpiryAndComeBackWithGrace", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		m := w.member()
		w.give(m, 10, 30*time.Minute)
		w.give(m, 10, 48*time.Hour)
		h, err := w.hold(m, 15)
		require.NoError(t, err)
		w.advance(45 * time.Minute)
		_, err = w.book.RunDue(t.Context(), w.clock.Now(), 10)
		require.NoError(t, err)
		require.EqualValues(t, 5, w.points(m))
		_, err = w.endHold(h.ID, false, "cancel")
		require.NoError(t, err)
		require.EqualValues(t, 20, w.points(m))
		w.advance(7*24*time.Hour - time.Microsecond)
		require.EqualValues(t, 10, w.points(m), "the dead lot lives the days of grace")
		w.advance(time.Microsecond)
		require.Zero(t, w.points(m))
		w.clean()
	})
	t.Run("AnAliveLotComesBackAsItWas", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		m := w.member()
		w.give(m, 10, 2*time.Hour)
		before := w.lots(m)
		h, err := w.hold(m, 10)
		require.NoError(t, err)
		_, err = w.endHold(h.ID, false, "cancel")
		require.NoError(t, err)
		require.Equal(t, before, w.lots(m))
		_, err = w.endHold(h.ID, false, "once more")
		require.NoError(t, err, "released is released")
		_, err = w.endHold(h.ID, true, "pay")
		require.Equal(t, errs.Conflict, errs.CodeOf(err))
		w.clean()
	})
	t.Run("ItReleasesItselfAndThenNobodyCommitsIt", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		m := w.member()
		w.give(m, 10, 0)
		h, err := w.hold(m, 10)
		require.NoError(t, err)
		due, ok, err := w.book.HoldsDue(t.Context())
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, start.Add(time.Hour), due)
		w.advance(time.Hour)
		_, err = w.endHold(h.ID, true, "late")
		require.Equal(t, errs.Conflict, errs.CodeOf(err), "past its time, whether or not the job has run")
		for _, want := range []int{1, 0} {
			n, err := w.book.ReleaseDue(t.Context(), w.clock.Now(), 10)
			require.NoError(t, err)
			require.Equal(t, want, n)
		}
		require.EqualValues(t, 10, w.points(m))
		w.clean()
	})
	t.Run("TheSameKeyHoldsOnce", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		m := w.member()
		w.give(m, 10, 0)
		ask := ledger.Hold{MemberID: m, Account: model.AccountPoints, Amount: 6, Until: start.Add(time.Hour), Key: "order:1", Ref: "DY1"}
		first, err := w.holdAs(ask)
		require.NoError(t, err)
		again, err := w.holdAs(ask)
		require.NoError(t, err)
		require.Equal(t, first.ID, again.ID)
		ask.Amount = 5
		_, err = w.holdAs(ask)
		require.Equal(t, errs.Conflict, errs.CodeOf(err))
		ask.Key = "order:2"
		_, err = w.holdAs(ask)
		require.Equal(t, errs.Insufficient, errs.CodeOf(err))
		w.clean()
	})
	t.Run("WhatIsImpossibleIsRefused", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		m := w.member()
		w.give(m, 10, 0)
		for _, h := range []ledger.Hold{
			{MemberID: m, Account: model.AccountPoints, Amount: 0, Until: start.Add(time.Hour), Key: "a"},
			{MemberID: m, Account: model.AccountPoints, Amount: -5, Until: start.Add(time.Hour), Key: "a"},
			{MemberID: m, Account: model.AccountPoints, Amount: 5, Until: start, Key: "a"},
			{MemberID: m, Account: model.AccountGrowth, Amount: 5, Until: start.Add(time.Hour), Key: "a"},
			{MemberID: m, Account: "rooms", Amount: 5, Until: start.Add(time.Hour), Key: "a"},
		} {
			_, err := w.holdAs(h)
			require.Equal(t, errs.Invalid, errs.CodeOf(err), "%+v", h)
		}
		_, err := w.endHold(404, true, "x")
		require.Equal(t, errs.NotFound, errs.CodeOf(err))
		w.clean()
	})
	t.Run("ACommittedHoldIsReversedIntoItsLots", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		m := w.member()
		w.give(m, 10, 2*time.Hour)
		h, err := w.hold(m, 8)
		require.NoError(t, err)
		h, err = w.endHold(h.ID, true, "pay")
		require.NoError(t, err)
		_, err = w.reverse(h.EndID, m, false)
		require.NoError(t, err)
		require.EqualValues(t, 10, w.points(m))
		require.Zero(t, w.clean().Accounts[model.AccountPoints].Spent)
		w.advance(2 * time.Hour)
		require.Zero(t, w.points(m), "with the expiry that it had")
		w.clean()
	})
	t.Run("AMergeTakesTheHoldAlong", func(t *testing.T) {
		t.Parallel()
		for _, commit := range []bool{true, false} {
			w := newWorld(t)
			a, b := w.member(), w.member()
			w.give(a, 10, 48*time.Hour)
			h, err := w.hold(a, 8)
			require.NoError(t, err)
			w.merge(a, b)
			w.clean()
			require.EqualValues(t, 2, w.points(b))
			h, err = w.endHold(h.ID, commit, "end")
			require.NoError(t, err)
			require.Equal(t, b, h.MemberID)
			require.Equal(t, map[bool]int64{true: 2, false: 10}[commit], w.points(b))
			require.Zero(t, w.points(a))
			w.clean()
		}
	})
	t.Run("AnUndoneMergeGivesItBackUnlessItWasUsed", func(t *testing.T) {
		t.Parallel()
		for _, used := range []bool{true, false} {
			w := newWorld(t)
			a, b := w.member(), w.member()
			w.give(a, 10, 0)
			h, err := w.hold(a, 8)
			require.NoError(t, err)
			w.merge(a, b)
			if used {
				_, err = w.endHold(h.ID, true, "pay")
				require.NoError(t, err)
			}
			err = w.db.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
				if err := member.LockTx(tx, a, b); err != nil {
					return err
				}
				return w.book.UnmergeTx(ctx, tx, a, b, start)
			})
			if used {
				require.Equal(t, errs.Conflict, errs.CodeOf(err))
				continue
			}
			require.NoError(t, err)
			w.clean()
			_, err = w.endHold(h.ID, false, "cancel")
			require.NoError(t, err)
			require.EqualValues(t, 10, w.points(a))
			w.merge(a, b)
			w.clean()
		}
	})
	t.Run("ErasureReleasesAndVoids", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		m := w.member()
		w.give(m, 10, 0)
		h, err := w.hold(m, 8)
		require.NoError(t, err)
		w.tx(func(ctx context.Context, tx *gorm.DB) error {
			if err := member.LockTx(tx, m); err != nil {
				return err
			}
			return w.book.VoidTx(ctx, tx, m)
		})
		require.Zero(t, w.points(m))
		_, err = w.endHold(h.ID, true, "pay")
		require.Equal(t, errs.Conflict, errs.CodeOf(err))
		w.clean()
	})
	t.Run("OfManyAtOnceExactlyAsManyAsThePointsAllow", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		m := w.member()
		w.give(m, 50, 0)
		var held, refused atomic.Int32
		var wg sync.WaitGroup
		ids := make(chan int64, 20)
		for range 20 {
			wg.Go(func() {
				switch h, err := w.hold(m, 10); errs.CodeOf(err) {
				case "":
					held.Add(1)
					ids <- h.ID
				case errs.Insufficient:
					refused.Add(1)
				default:
					t.Errorf("hold: %v", err)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 5, held.Load())
		require.EqualValues(t, 15, refused.Load())
		close(ids)
		var committed, released atomic.Int32
		for id := range ids { // commit and release of each at once: one of them wins
			wg.Go(func() {
				if _, err := w.endHold(id, true, "pay"); err == nil {
					committed.Add(1)
				}
			})
			wg.Go(func() {
				if _, err := w.endHold(id, false, "cancel"); err == nil {
					released.Add(1)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 5, committed.Load()+released.Load())
		require.EqualValues(t, 10*released.Load(), w.points(m))
		w.clean()
	})
}
