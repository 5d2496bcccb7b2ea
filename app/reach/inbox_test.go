package reach_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/model"
)

func TestAllowance(t *testing.T) {
	t.Parallel()
	open := func(w *world, kind string, at time.Time) {
		w.tx(func(tx *gorm.DB) error { return w.OpenAllowanceTx(tx, 2, kind, at) })
	}
	use := func(w *world) (ok bool) {
		w.tx(func(tx *gorm.DB) (err error) {
			ok, err = w.UseAllowanceTx(tx, 2)
			return err
		})
		return ok
	}
	t.Run("AMenuClickOpensThreeForAMinute", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		open(w, reach.ByMenu, noon)
		for range 3 {
			require.True(t, use(w))
		}
		require.False(t, use(w))
		open(w, reach.ByMenu, noon)
		require.False(t, use(w), "the same action again opens nothing")
		open(w, reach.ByMenu, noon.Add(time.Second))
		w.clock.Set(noon.Add(time.Minute + time.Second))
		require.False(t, use(w), "the minute is over")
	})
	t.Run("TheOneThatEndsFirstIsUsedFirst", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		open(w, reach.ByMessage, noon)
		open(w, reach.ByFollow, noon)
		for range 3 {
			require.True(t, use(w))
		}
		w.clock.Set(noon.Add(48*time.Hour - time.Microsecond))
		for range 5 {
			require.True(t, use(w))
		}
		require.False(t, use(w))
	})
	t.Run("AnUnfollowClosesAll", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		open(w, reach.ByMessage, noon)
		w.tx(func(tx *gorm.DB) error { return w.CloseAllowancesTx(tx, 2) })
		require.False(t, use(w))
	})
}

func TestAcceptance(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.person(who{mp: true})
	accept := func(n int) {
		w.tx(func(tx *gorm.DB) error { return w.AcceptTx(tx, 2*id+1, "tpl", n, noon) })
	}
	accept(1)
	accept(2)
	w.tx(func(tx *gorm.DB) error { return w.RejectTx(tx, 2*id+1, "tpl", noon) })
	accept(2)
	for range 2 {
		run := w.startClass(model.ClassService, subs, []int64{id})
		w.settle(run)
		require.Equal(t, "accepted subscribe", w.why(run, id))
	}
	run := w.startClass(model.ClassService, subs, []int64{id})
	w.settle(run)
	require.Equal(t, "suppressed NO_QUOTA no_acceptance", w.why(run, id))
	sent, err := w.OfMember(t.Context(), id, 0, 10)
	require.NoError(t, err)
	require.Len(t, sent, 3)
	require.Equal(t, run.ID, sent[0].Run.ID)
}
