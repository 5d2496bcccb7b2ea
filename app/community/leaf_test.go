package community_test

import (
	"fmt"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/templates"
)

func TestLeaf(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	one, two := group(w, "一群"), group(w, "二群")
	day := w.At("2026-11-24 09:00:00")
	w.Set("2026-11-24 09:00:00")
	plan(w, one, "2026-11-24", "一二三四")
	plan(w, two, "2026-11-24", "五六七八")
	alice, bob, carol := w.Joined("alice"), w.Joined("bob"), w.Joined("carol")
	all := roaring.BitmapOf(uint32(alice), uint32(bob), uint32(carol))
	in := func(group int64) []uint32 {
		tree, err := w.Conditions.Parse(fmt.Appendf(nil, `{"leaf":"group","group_id":"%d"}`, group))
		require.NoError(t, err)
		tx := w.DB.Reader(t.Context())
		require.NoError(t, w.Conditions.Check(t.Context(), tx, tree))
		got, err := w.Conditions.Members(t.Context(), tx, day, all, tree)
		require.NoError(t, err)
		counted, err := w.Audience.Count(t.Context(), tree)
		require.NoError(t, err)
		require.EqualValues(t, got.GetCardinality(), counted, "from memory")
		for _, id := range all.ToArray() {
			verdict, _, err := w.Conditions.Eval(t.Context(), tx, &condition.Subject{MemberID: int64(id), At: day}, tree)
			require.NoError(t, err)
			require.Equal(t, got.Contains(id), verdict.Holds)
		}
		return got.ToArray()
	}
	require.Empty(t, in(one.ID))
	for id, word := range map[int64]string{alice: "一二三四", bob: "五六七八"} {
		_, err := w.Groups.Word(t.Context(), id, word, day)
		require.NoError(t, err)
	}
	require.Equal(t, []uint32{uint32(alice)}, in(one.ID))
	require.Equal(t, []uint32{uint32(bob)}, in(two.ID))
	_, err := w.Groups.Word(t.Context(), bob, "一二三四", day)
	require.NoError(t, err)
	require.Equal(t, []uint32{uint32(alice), uint32(bob)}, in(one.ID))
	w.Indexed()

	tree := condition.Is("group", map[string]any{"group_id": fmt.Sprint(two.ID)})
	says, err := w.Conditions.Sentence(t.Context(), w.DB.Reader(t.Context()), templates.Chinese, tree)
	require.NoError(t, err)
	require.Equal(t, "在社群「二群」里", says)
	for _, bad := range []string{"", "x", "999"} {
		err := w.Conditions.Check(t.Context(), w.DB.Reader(t.Context()), condition.Is("group", map[string]any{"group_id": bad}))
		var e *errs.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, "condition.group_id", e.Args["field"], bad)
	}
}
