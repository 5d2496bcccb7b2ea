package tier_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/tier"
	"github.com/siyu-scrm/siyu/model"
)

// hold sets a tier by hand, until a moment; "" = until it is ended.
func hold(w *apptest.World, id, tierID int64, until string) {
	w.T.Helper()
	in := tier.Hold{TierID: tierID, Reason: "天猫 V3", Actor: "operator:1"}
	if until != "" {
		at := w.At(until)
		in.Until = &at
	}
	_, err := w.Tiers.Set(w.T.Context(), id, in)
	require.NoError(w.T, err)
}

func TestSetByHand(t *testing.T) {
	t.Parallel()
	review := settings
	review.Downgrade = model.TierReview

	t.Run("HeIsNotBelowItUntilItEnds", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		ids := ladder(w, settings, at(0), at(100, tier.Gift{Account: "points", Amount: 7}), at(200), at(300))
		alice := w.Joined("alice")
		grow(w, alice, 50)
		hold(w, alice, ids[2], "2026-12-01 10:00:00")
		require.Equal(t, "V3", name(w, alice))
		require.EqualValues(t, 7, w.Points(alice), "the gifts of what he crossed")
		v, err := w.Tiers.Of(t.Context(), alice)
		require.NoError(t, err)
		require.EqualValues(t, 50, v.Value, "his value stays")
		require.EqualValues(t, 250, v.Gap)
		require.Equal(t, []string{"V3", "天猫 V3", "operator:1"}, []string{v.Held.Name, v.Held.Reason, v.Held.Actor})
		grow(w, alice, -20)
		require.Equal(t, "V3", name(w, alice))
		grow(w, alice, 270)
		require.Equal(t, "V4", name(w, alice), "he earns more as before")
		grow(w, alice, -250)
		require.Equal(t, "V3", name(w, alice))
		saved, err := w.Tiers.Save(t.Context(), tier.Input{Settings: settings, Tiers: mustLadder(w).Tiers}, "test")
		require.NoError(t, err)
		require.NotNil(t, saved.Work)
		w.Settle()
		require.Equal(t, "V3", name(w, alice), "also when everybody is looked at again")
		p, err := w.Tiers.Preview(t.Context(), tier.Input{Settings: settings, Tiers: mustLadder(w).Tiers})
		require.NoError(t, err)
		require.Zero(t, p.Down, "a preview knows it")

		w.Set("2026-12-01 09:59:59")
		require.Equal(t, "V3", name(w, alice))
		w.Set("2026-12-01 10:00:00")
		require.Equal(t, "V1", name(w, alice))
		rows, err := w.Tiers.Holds(t.Context(), alice)
		require.NoError(t, err)
		require.Len(t, rows, 1)
		require.Equal(t, w.At("2026-12-01 10:00:00"), rows[0].EndedAt.UTC())
		require.Empty(t, rows[0].EndedBy)
		history, err := w.Tiers.History(t.Context(), alice)
		require.NoError(t, err)
		require.Equal(t, []string{"operator", "change", "change", "operator", "joined"}, causes(history))
		w.Verified()
	})

	t.Run("ItIsOverAtItsInstantAlsoIfNoJobHasRun", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		ids := ladder(w, settings, at(0), at(100), at(200))
		alice := w.Joined("alice")
		hold(w, alice, ids[2], "2026-12-01 10:00:00")
		w.Jump("2026-12-01 10:00:00")
		v, err := w.Tiers.Of(t.Context(), alice)
		require.NoError(t, err)
		require.Nil(t, v.Held)
		grow(w, alice, 1)
		require.Equal(t, "V1", name(w, alice))
	})

	t.Run("WhoRegistersLaterBeginsThere", func(t *testing.T) { // P01-E #5
		t.Parallel()
		w := apptest.New(t)
		ids := ladder(w, settings, at(0), at(100), at(200))
		alice := w.Touched("oa", "follower")
		hold(w, alice, ids[1], "")
		require.Empty(t, name(w, alice))
		_, err := w.Members.Register(t.Context(), alice, member.Profile{}, "1")
		require.NoError(t, err)
		require.Equal(t, "V2", name(w, alice))
		require.Zero(t, w.Count(&model.Balance{}, "account = ? AND available <> 0", "growth"))
	})

	t.Run("AnotherReplacesItAndTheEndLetsHimFall", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		ids := ladder(w, review, at(0), at(100), at(200), at(300))
		alice := w.Joined("alice")
		hold(w, alice, ids[3], "")
		hold(w, alice, ids[1], "")
		require.Equal(t, "V2", name(w, alice), "what was set by hand is no merit of his that a review protects")
		_, err := w.Tiers.End(t.Context(), alice, "operator:2")
		require.NoError(t, err)
		require.Equal(t, "V1", name(w, alice))
		_, err = w.Tiers.End(t.Context(), alice, "operator:2")
		require.Equal(t, errs.Conflict, errs.CodeOf(err))
		rows, err := w.Tiers.Holds(t.Context(), alice)
		require.NoError(t, err)
		require.Equal(t, []string{"operator:2", "operator:1"}, []string{rows[0].EndedBy, rows[1].EndedBy})
	})

	t.Run("WhatHeEarnedWaitsForItsReview", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		ids := ladder(w, review, at(0), at(100), at(200))
		alice := w.Joined("alice")
		grow(w, alice, 250)
		grow(w, alice, -250)
		require.Equal(t, "V3", name(w, alice))
		hold(w, alice, ids[1], "2026-12-01 00:00:00")
		require.Equal(t, "V3", name(w, alice))
		w.Set("2026-12-01 00:00:00")
		require.Equal(t, "V3", name(w, alice))
		w.Set("2026-12-23 00:00:00")
		require.Equal(t, "V1", name(w, alice))
	})

	t.Run("AReviewKeepsWhatIsHeldAndTellsNobody", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		ids := ladder(w, review, at(0), at(100))
		alice := w.Joined("alice")
		hold(w, alice, ids[1], "2027-01-15 00:00:00")
		w.Set("2026-12-23 00:00:00")
		require.Equal(t, "V2", name(w, alice))
		require.Zero(t, w.Count(&model.Event{}, "kind = ?", model.EventTierSoon))
		w.Set("2027-01-15 00:00:00")
		require.Equal(t, "V1", name(w, alice))
	})

	t.Run("OfTwoWhoAreOneTheHigherCountsAndAnUndoPartsThem", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		ids := ladder(w, settings, at(0), at(100), at(200, tier.Gift{Account: "points", Amount: 7}))
		alice, bob := w.Joined("alice"), w.Joined("bob")
		hold(w, alice, ids[1], "")
		hold(w, bob, ids[2], "2026-12-01 00:00:00")
		require.EqualValues(t, 7, w.Points(bob))
		w.Tx(func(ctx context.Context, tx *gorm.DB) error {
			_, err := w.Members.MergeTx(ctx, tx, alice, bob, "test")
			return err
		})
		require.Equal(t, "V3", name(w, alice))
		require.EqualValues(t, 7, w.Points(alice), "the gift once")
		_, err := w.Members.UndoMerge(t.Context(), bob)
		require.NoError(t, err)
		require.Equal(t, []string{"V2", "V3"}, []string{name(w, alice), name(w, bob)})
		w.Set("2026-12-01 00:00:00")
		require.Equal(t, []string{"V2", "V1"}, []string{name(w, alice), name(w, bob)})
		w.Verified()
	})

	t.Run("TwentyAtOnceLeaveOne", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		ids := ladder(w, settings, at(0), at(100), at(200))
		alice := w.Joined("alice")
		var ok atomic.Int32
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				if _, err := w.Tiers.Set(t.Context(), alice, tier.Hold{TierID: ids[i%3], Reason: "x", Actor: "a"}); err == nil {
					ok.Add(1)
				} else {
					t.Errorf("Set: %v", err)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 20, ok.Load())
		require.EqualValues(t, 1, w.Count(&model.TierHold{}, "open = ?", true))
		require.EqualValues(t, 20, w.Count(&model.TierHold{}))
		rows, err := w.Tiers.Holds(t.Context(), alice)
		require.NoError(t, err)
		require.Equal(t, rows[0].Name, name(w, alice))
	})

	t.Run("TheIndexForbidsTwoAtOnceAndAllowsAHistory", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		w.Tx(func(_ context.Context, tx *gorm.DB) error {
			yes := true
			for i, open := range []*bool{&yes, nil, nil, &yes} {
				dup, err := db.Insert(tx, &model.TierHold{MemberID: 1, Open: open, TierID: 1, Reason: "x", Actor: "x", At: w.Now()})
				require.NoError(t, err)
				require.Equal(t, i == 3, dup)
			}
			return nil
		})
	})

	t.Run("BadInputIsRefused", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		ids := ladder(w, settings, at(0))
		alice := w.Joined("alice")
		past := w.Now()
		far := past.Add(20 * 366 * 24 * time.Hour)
		for field, in := range map[string]tier.Hold{
			"reason": {TierID: ids[0], Reason: " "}, "until": {TierID: ids[0], Reason: "x", Until: &past},
		} {
			_, err := w.Tiers.Set(t.Context(), alice, in)
			var e *errs.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, field, e.Args["field"])
		}
		_, err := w.Tiers.Set(t.Context(), alice, tier.Hold{TierID: ids[0], Reason: "x", Until: &far})
		require.Equal(t, errs.Invalid, errs.CodeOf(err))
		_, err = w.Tiers.Set(t.Context(), alice, tier.Hold{TierID: 999, Reason: "x"})
		require.Equal(t, errs.NotFound, errs.CodeOf(err))
		_, err = w.Tiers.Set(t.Context(), 999, tier.Hold{TierID: ids[0], Reason: "x"})
		require.Equal(t, errs.NotFound, errs.CodeOf(err))
		require.Zero(t, w.Count(&model.TierHold{}))
	})
}

func mustLadder(w *apptest.World) *tier.Ladder {
	w.T.Helper()
	l, err := w.Tiers.Ladder(w.T.Context())
	require.NoError(w.T, err)
	return l
}

func causes(rows []tier.Stretch) (out []string) {
	for _, r := range rows {
		out = append(out, r.Cause)
	}
	return out
}
