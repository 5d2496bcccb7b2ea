package reward_test

import (
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/condition"
)

// celebrating are the members for whom the birthday leaf holds, by the reading of one member and by that of all, which must agree: and
// the verdict stays until the instant at which it says that it flips.
func celebrating(w *apptest.World, args string, at time.Time, members ...int64) (who []int64) {
	w.T.Helper()
	return holding(w, `{"leaf":"birthday",`+args+`}`, at, members...)
}

func holding(w *apptest.World, leaf string, at time.Time, members ...int64) (who []int64) {
	w.T.Helper()
	var tree condition.Tree
	require.NoError(w.T, tree.UnmarshalJSON([]byte(leaf)))
	tx := w.DB.Reader(w.T.Context())
	universe := roaring.New()
	for _, id := range members {
		universe.Add(uint32(id))
	}
	all, err := w.Conditions.Members(w.T.Context(), tx, at, universe, tree)
	require.NoError(w.T, err)
	for _, id := range members {
		holds := func(at time.Time) condition.Verdict {
			v, _, err := w.Conditions.Eval(w.T.Context(), tx, &condition.Subject{MemberID: id, At: at}, tree)
			require.NoError(w.T, err)
			return v
		}
		v := holds(at)
		require.Equal(w.T, all.Contains(uint32(id)), v.Holds, "%s at %s of %d", leaf, at, id)
		if !v.FlipsAt.IsZero() {
			require.Equal(w.T, v.Holds, holds(v.FlipsAt.Add(-time.Microsecond)).Holds, "%s just before %s", leaf, v.FlipsAt)
			require.NotEqual(w.T, v.Holds, holds(v.FlipsAt).Holds, "%s at %s", leaf, v.FlipsAt)
		}
		if v.Holds {
			who = append(who, id)
		}
	}
	return who
}
