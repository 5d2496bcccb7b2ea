package audience_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/audience"
	"github.com/siyu-scrm/siyu/app/member"
)

func TestPeople(t *testing.T) {
	t.Parallel()
	t.Run("APartOfANameIsFoundAsItIsNow", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		find := func(part string, want ...int64) {
			t.Helper()
			rows, total, err := w.Audience.People(t.Context(), audience.Wanted{Search: part, Limit: 10})
			require.NoError(t, err)
			got := []int64{}
			for _, m := range rows {
				got = append(got, m.ID)
			}
			require.Equal(t, append([]int64{}, want...), got, part)
			require.EqualValues(t, len(want), total)
		}
		find("林")
		a, b := w.Joined("小林同学"), w.Joined("Linda 林")
		find("林", b, a)
		find("同学", a)
		find("lIND", b)
		find("林同", a)
		find("学L") // of two names
		find("%")
		call := func(id int64, name string) {
			_, err := w.Members.Update(t.Context(), id, member.Profile{Nickname: &name})
			require.NoError(t, err)
		}
		call(a, "老王")
		find("同学")
		find("王", a)
		c := w.Joined("王五")
		find("王", c, a)
		_, err := w.Members.Merge(t.Context(), a, c, "test")
		require.NoError(t, err)
		find("王", a)
		require.NoError(t, w.Members.Erase(t.Context(), b))
		find("林")
		w.Verified()
	})
	t.Run("WhoIsNamedInFullIsFoundAlone", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		id := w.Joined("甲")
		m, err := w.Members.Get(t.Context(), id)
		require.NoError(t, err)
		w.Joined("不是" + m.No)
		identities, err := w.Members.Identities(t.Context(), id)
		require.NoError(t, err)
		for _, search := range []string{m.No, identities[0].OpenID} {
			rows, total, err := w.Audience.People(t.Context(), audience.Wanted{Search: search, Limit: 10})
			require.NoError(t, err)
			require.EqualValues(t, 1, total, search)
			require.Equal(t, id, rows[0].ID)
		}
	})
	t.Run("PagesAndFilters", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		tag, yes := w.Tag("preference", "t"), true
		var ids []int64
		for i := range 5 {
			ids = append(ids, w.Joined(fmt.Sprint("甲", i)))
			if i != 2 {
				require.NoError(t, w.Tags.SetManual(t.Context(), ids[i], tag, 1, true, ""))
			}
		}
		w.Touched("oa", "o")
		var got []int64
		for after := int64(0); ; {
			rows, total, err := w.Audience.People(t.Context(), audience.Wanted{Search: "甲", TagID: tag, Joined: &yes, AfterID: after, Limit: 3})
			require.NoError(t, err)
			require.EqualValues(t, 4, total)
			if len(rows) == 0 {
				break
			}
			for _, m := range rows {
				got, after = append(got, m.ID), m.ID
			}
		}
		require.Equal(t, []int64{ids[4], ids[3], ids[1], ids[0]}, got)
		rows, total, err := w.Audience.People(t.Context(), audience.Wanted{TagID: 9999, Limit: 3})
		require.NoError(t, err)
		require.Empty(t, rows)
		require.Zero(t, total)
	})
}

// However names change, who has a part in his is who has it now.
func TestNamesFollowChanges(t *testing.T) {
	t.Parallel()
	people := rapid.MapOf(rapid.Uint32Range(1, 30), rapid.StringOfN(rapid.SampledFrom([]rune("aAb林\x00")), 0, 4, -1))
	rapid.Check(t, func(rt *rapid.T) {
		first, changes := people.Draw(rt, "first"), rapid.SliceOfN(people, 0, 3).Draw(rt, "changes")
		if rapid.Bool().Draw(rt, "many") { // more than are looked through one by one
			many := map[uint32]string{}
			for id := range uint32(audience.NamesMost + 1) {
				many[id+40] = "z"
			}
			changes = append(changes, many)
		}
		now := maps.Clone(first)
		for _, c := range changes {
			maps.Copy(now, c)
		}
		part := rapid.StringOfN(rapid.SampledFrom([]rune("aAb林z")), 1, 3, -1).Draw(rt, "part")
		want := []uint32{}
		for _, id := range slices.Sorted(maps.Keys(now)) {
			if strings.Contains(strings.ReplaceAll(strings.ToLower(now[id]), "\x00", ""), strings.ToLower(part)) {
				want = append(want, id)
			}
		}
		require.Equal(rt, want, append([]uint32{}, audience.FindNames(first, changes, part)...))
	})
}
