package condition_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/siyu-scrm/siyu/app/condition"
)

func TestReadings(t *testing.T) {
	t.Parallel()

	t.Run("OneMemberAllMembersAndTheDefinitionAgree", func(t *testing.T) {
		t.Parallel()
		held, not := 0, 0
		rapid.Check(t, func(rt *rapid.T) {
			w := drawWorld(rt)
			r, tree := w.registry(), drawTree(rt, 1)
			at := minute(rapid.IntRange(0, horizon).Draw(rt, "at"))
			universe := roaring.BitmapOf(rapid.SliceOf(rapid.Uint32Range(1, people)).Draw(rt, "universe")...)
			asked := universe.Clone()

			found, err := r.Members(rt.Context(), nil, at, universe, tree)
			require.NoError(rt, err)
			require.True(rt, universe.Equals(asked), "the caller's universe was changed")
			for i := range w.handed {
				require.True(rt, w.handed[i].Equals(w.before[i]), "a leaf's bitmap was changed")
			}
			for m := 1; m <= people; m++ {
				want := w.naive(tree, m, at)
				s := &condition.Subject{MemberID: int64(m), At: at}
				v, trace, err := r.Eval(rt.Context(), nil, s, tree)
				require.NoError(rt, err)
				require.Equal(rt, want, v.Holds, "Eval of member %d", m)
				require.Equal(rt, want, trace.Holds)
				full, _, err := r.Explain(rt.Context(), nil, s, tree)
				require.NoError(rt, err)
				require.Equal(rt, want, full.Holds, "Explain of member %d", m)
				require.Equal(rt, want && universe.Contains(uint32(m)), found.Contains(uint32(m)), "Members with member %d", m)
				if want {
					held++
				} else {
					not++
				}
			}
			require.False(rt, found.Contains(people+1))
		})
		require.Greater(t, min(held, not), (held+not)/10, "the trees drawn hold nearly always or nearly never")
	})

	t.Run("NothingChangesBeforeItsFlip", func(t *testing.T) {
		t.Parallel()
		flips, changes := 0, 0
		rapid.Check(t, func(rt *rapid.T) {
			w := drawWorld(rt)
			r, tree := w.registry(), drawTree(rt, 1)
			at := minute(rapid.IntRange(0, horizon).Draw(rt, "at"))
			m := rapid.IntRange(1, people).Draw(rt, "member")
			s := &condition.Subject{MemberID: int64(m), At: at}
			v, _, err := r.Eval(rt.Context(), nil, s, tree)
			require.NoError(rt, err)
			full, _, err := r.Explain(rt.Context(), nil, s, tree)
			require.NoError(rt, err)
			for _, flip := range []time.Time{v.FlipsAt, full.FlipsAt} {
				require.True(rt, flip.IsZero() || flip.After(at))
				for n := 0; n <= 2*horizon; n++ {
					for _, then := range []time.Time{minute(n).Add(-time.Microsecond), minute(n)} {
						if !then.Before(at) && (flip.IsZero() || then.Before(flip)) {
							require.Equal(rt, v.Holds, w.naive(tree, m, then), "at %s, before the flip at %s", then, flip)
						}
					}
				}
			}
			require.False(rt, v.FlipsAt.IsZero() && !full.FlipsAt.IsZero(), "looking at more found a sooner flip")
			if !v.FlipsAt.IsZero() {
				require.False(rt, !full.FlipsAt.IsZero() && full.FlipsAt.Before(v.FlipsAt))
				flips++
				if w.naive(tree, m, v.FlipsAt) != v.Holds {
					changes++
				}
			}
		})
		require.NotZero(t, flips)
		require.Greater(t, changes, flips/4, "flips that change nothing are the rule")
	})

	t.Run("GoingFromFlipToFlipMissesNothing", func(t *testing.T) {
		t.Parallel()
		rapid.Check(t, func(rt *rapid.T) {
			w := drawWorld(rt)
			r, tree := w.registry(), drawTree(rt, 1)
			m := rapid.IntRange(1, people).Draw(rt, "member")
			v := condition.Verdict{FlipsAt: start}
			for n := 0; n <= 2*horizon; n++ {
				if !v.FlipsAt.IsZero() && !minute(n).Before(v.FlipsAt) {
					var err error
					v, _, err = r.Eval(rt.Context(), nil, &condition.Subject{MemberID: int64(m), At: v.FlipsAt}, tree)
					require.NoError(rt, err)
				}
				require.Equal(rt, w.naive(tree, m, minute(n)), v.Holds, "minute %d", n)
			}
		})
	})

	t.Run("WhatIsSavedIsWhatIsRead", func(t *testing.T) {
		t.Parallel()
		rapid.Check(t, func(rt *rapid.T) {
			r, tree := (&world{}).registry(), drawTree(rt, 1)
			raw, err := json.Marshal(tree)
			require.NoError(rt, err)
			back, err := r.Parse(raw)
			require.NoError(rt, err)
			require.Equal(rt, tree, back)
			require.NoError(rt, r.Check(rt.Context(), nil, tree))
		})
	})
}

func TestCountWindow(t *testing.T) {
	t.Parallel()

	t.Run("FlipsExactlyWhereTheDefinitionDoes", func(t *testing.T) {
		t.Parallel()
		rapid.Check(t, func(rt *rapid.T) {
			var times []time.Time
			for _, n := range rapid.SliceOfN(rapid.IntRange(0, horizon), 0, 12).Draw(rt, "times") {
				times = append(times, minute(n))
			}
			op := rapid.SampledFrom([]condition.Op{condition.Gte, condition.Lte, condition.Eq}).Draw(rt, "op")
			n := rapid.IntRange(0, 6).Draw(rt, "n")
			window := time.Duration(rapid.IntRange(0, 30).Draw(rt, "window")) * time.Minute
			at := minute(rapid.IntRange(0, horizon).Draw(rt, "at"))

			v := condition.CountWindow(times, op, n, window, at)
			require.Equal(rt, naiveCount(times, op, n, window, at), v.Holds)
			var first time.Time
			for then := at; !then.After(minute(2 * horizon)); then = then.Add(time.Minute) {
				if naiveCount(times, op, n, window, then) != v.Holds {
					first = then
					break
				}
			}
			require.Equal(rt, first, v.FlipsAt)
		})
	})

	t.Run("FifteenCheckInsInThirtyDaysEndThirtyDaysAfterTheFirst", func(t *testing.T) {
		t.Parallel()
		var days []time.Time // PLAYBOOKS P01-F: daily 11-23…12-07
		for i := range 15 {
			days = append(days, start.AddDate(0, 0, i))
		}
		window, err := condition.ParseWindow("30d")
		require.NoError(t, err)
		require.False(t, condition.CountWindow(days[:14], condition.Gte, 15, window, days[13]).Holds)
		v := condition.CountWindow(days, condition.Gte, 15, window, days[14])
		require.Equal(t, condition.Verdict{Holds: true, FlipsAt: start.AddDate(0, 0, 30), Saw: 15}, v)
		require.True(t, condition.CountWindow(days, condition.Gte, 15, window, v.FlipsAt.Add(-time.Microsecond)).Holds)
		require.False(t, condition.CountWindow(days, condition.Gte, 15, window, v.FlipsAt).Holds)
	})
}
