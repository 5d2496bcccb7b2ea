package ledger_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/model"
)

func TestExpiry(t *testing.T) {
	t.Parallel()
	t.Run("UnusableFromTheInstantWithoutAJob", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		m := w.member()
		w.give(m, 10, time.Hour)
		w.advance(time.Hour - time.Microsecond)
		require.EqualValues(t, 10, w.points(m))
		require.EqualValues(t, 10, w.view(m, model.AccountPoints).ExpiringSoon)
		w.advance(time.Microsecond)
		require.Zero(t, w.points(m))
		_, err := w.post(ledger.Posting{MemberID: m, Amount: -1})
		require.Equal(t, errs.Insufficient, errs.CodeOf(err))
	})
	t.Run("TheJobWritesTheLineOnce", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		a, b := w.member(), w.member()
		w.give(a, 10, time.Hour)
		w.give(a, 7, time.Hour)
		w.give(b, 5, 2*time.Hour)
		due, ok, err := w.book.Due(t.Context())
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, start.Add(time.Hour), due)
		w.advance(2 * time.Hour)
		for _, want := range []int{1, 1, 0} {
			n, err := w.book.RunDue(t.Context(), w.clock.Now(), 1)
			require.NoError(t, err)
			require.Equal(t, want, n)
		}
		rows, _, err := w.book.Entries(t.Context(), a, model.AccountPoints, "", 10)
		require.NoError(t, err)
		require.Len(t, rows, 3, "what expires at one instant is one line")
		require.EqualValues(t, -17, rows[0].Delta)
		require.Equal(t, start.Add(time.Hour), rows[0].OccurredAt)
		_, ok, err = w.book.Due(t.Context())
		require.NoError(t, err)
		require.False(t, ok)
		w.clean()
	})
	t.Run("PendingBecomesUsableAtItsInstant", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		m := w.member()
		_, err := w.post(ledger.Posting{MemberID: m, Amount: 10, ActivatesAt: ptr(start.Add(time.Hour)), ExpiresAt: ptr(start.Add(2 * time.Hour))})
		require.NoError(t, err)
		require.Zero(t, w.points(m))
		require.EqualValues(t, 10, w.view(m, model.AccountPoints).Pending)
		require.Zero(t, w.view(m, model.AccountPoints).Lifetime)
		w.advance(time.Hour)
		require.EqualValues(t, 10, w.points(m))
		require.EqualValues(t, 10, w.view(m, model.AccountPoints).Lifetime)
		w.spend(m, 4)
		w.advance(time.Hour)
		require.Zero(t, w.points(m))
		require.EqualValues(t, 6, w.settledTotals().Expired)
	})
	t.Run("ManyMembersAtOnce", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		for range 45 {
			m := w.member()
			w.give(m, 10, time.Hour)
			w.give(m, 3, 2*time.Hour)
		}
		w.advance(time.Hour)
		n, err := w.book.RunDue(t.Context(), w.clock.Now(), 100)
		require.NoError(t, err)
		require.Equal(t, 45, n)
		total := w.clean().Accounts[model.AccountPoints]
		require.EqualValues(t, 450, total.Expired)
		require.EqualValues(t, 135, total.Available)
	})
	t.Run("SpendingTakesTheEarliestExpiringFirst", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		m := w.member()
		w.give(m, 10, 3*time.Hour)
		w.give(m, 10, time.Hour)
		w.give(m, 10, 2*time.Hour)
		w.spend(m, 15)
		w.advance(time.Hour)
		require.EqualValues(t, 15, w.points(m), "the first lot was spent whole: nothing expires")
		w.advance(time.Hour)
		require.EqualValues(t, 10, w.points(m))
		w.advance(time.Hour)
		require.Zero(t, w.points(m))
	})
}

// settledTotals runs what is due and returns the totals of points.
func (w *world) settledTotals() ledger.AccountTotal {
	_, err := w.book.RunDue(w.ctx(), w.clock.Now(), 1000)
	require.NoError(w.t, err)
	return w.clean().Accounts[model.AccountPoints]
}
