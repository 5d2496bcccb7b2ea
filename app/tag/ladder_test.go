package tag_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/tag"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

func did(action string) condition.Tree {
	return condition.Is("did", map[string]any{"event": "behavior." + action, "op": "gte", "count": 1, "window": "1d"})
}

func TestPyramid(t *testing.T) {
	t.Parallel()
	save := func(w *apptest.World, steps ...tag.Step) error {
		_, err := w.Tags.SavePyramid(w.T.Context(), steps, templates.English)
		w.Settle()
		return err
	}
	joined := tag.Step{Name: "joined", Condition: condition.Is("member", map[string]any{"field": "joined", "value": true})}

	t.Run("TheFirstLayerThatHoldsIsTheMembersAndEachMoveIsOneEvent", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		require.NoError(t, save(w, tag.Step{Name: "high", Condition: did("buy")}, tag.Step{Name: "mid", Condition: did("look")}, joined))
		alice := w.Joined("alice")
		events := func() int64 { return w.Count(&model.Event{}, "kind = ? AND member_id = ?", model.EventTag, alice) }
		require.Equal(t, []string{"joined"}, w.Held(alice))
		require.NoError(t, w.Behave(alice, "look", "1", w.Now()))
		require.Equal(t, []string{"mid"}, w.Held(alice))
		require.NoError(t, w.Behave(alice, "buy", "2", w.Now()))
		require.Equal(t, []string{"high"}, w.Held(alice))
		require.EqualValues(t, 3, events())
		w.Set("2026-11-24 08:59:59")
		require.EqualValues(t, 3, events())
		w.Set("2026-11-24 09:00:00")
		require.Equal(t, []string{"joined"}, w.Held(alice), "both end at one instant: one move")
		require.EqualValues(t, 4, events())
		flow, err := w.Tags.Flow(t.Context(), apptest.Start, w.Now().AddDate(0, 0, 1))
		require.NoError(t, err)
		require.ElementsMatch(t, []tag.Move{{From: "", To: "joined", Members: 1}, {From: "joined", To: "mid", Members: 1}, {From: "mid", To: "high", Members: 1}, {From: "high", To: "joined", Members: 1}}, flow)
	})

	t.Run("AChangedDefinitionMovesWhoItConcernsAndNobodyElse", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		require.NoError(t, save(w, tag.Step{Name: "mid", Condition: did("look")}, joined))
		alice, bob := w.Joined("alice"), w.Joined("bob")
		require.NoError(t, w.Behave(alice, "look", "1", w.Now()))
		before := w.Count(&model.TagChange{}, "member_id = ?", bob)
		require.NoError(t, save(w, tag.Step{Name: "new", Condition: did("look")}, joined))
		require.Equal(t, []string{"new"}, w.Held(alice))
		require.NoError(t, save(w, tag.Step{Name: "other", Condition: did("buy")}))
		require.Empty(t, w.Held(alice), "what is no layer any more holds nobody")
		require.Empty(t, w.Held(bob))
		require.Equal(t, before+1, w.Count(&model.TagChange{}, "member_id = ?", bob))
	})

	t.Run("ARuleOnTheLayerThatIsLeftHears", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		require.NoError(t, save(w, tag.Step{Name: "mid", Condition: did("look")}, joined))
		layers, err := w.Tags.PyramidLayers(t.Context(), templates.English)
		require.NoError(t, err)
		w.AutoTag(w.Tag(tag.Value, "x"), fmt.Sprintf(`{"leaf":"tag","tag_id":"%d"}`, layers[1].TagID))
		alice := w.Joined("alice")
		require.Equal(t, []string{"joined", "x"}, w.Held(alice))
		require.NoError(t, w.Behave(alice, "look", "1", w.Now()))
		require.Equal(t, []string{"mid"}, w.Held(alice))
	})

	t.Run("WhatCannotBeALadderIsRefusedWithItsPath", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		for field, steps := range map[string][]tag.Step{
			"layers":                     {},
			"layers[0].name":             {{Name: " ", Condition: did("a")}},
			"layers[1].name":             {joined, joined},
			"layers[0].condition":        {{Name: "all"}},
			"layers[1].condition":        {joined, {Name: "text", Condition: condition.Is("event.text", map[string]any{"contains_any": []string{"x"}})}},
			"layers[0].condition.tag_id": {{Name: "x", Condition: condition.Is("tag", map[string]any{"tag_id": "999"})}},
		} {
			err := save(w, steps...)
			var e *errs.Error
			require.ErrorAs(t, err, &e, field)
			require.Equal(t, field, e.Args["field"])
		}
		require.Zero(t, w.Count(&model.AutoTag{}))
		require.NoError(t, save(w, joined))
		rules, err := w.Tags.ListRules(t.Context(), templates.English)
		require.NoError(t, err)
		_, err = w.Tags.SaveRule(t.Context(), tag.Rule{ID: rules[0].ID, TagID: rules[0].TagID, Name: "mine", Condition: rules[0].Condition}, templates.English)
		require.Equal(t, errs.Conflict, errs.CodeOf(err), "it is changed where it is made")
	})
}

func TestProvenance(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	x := w.Tag(tag.Value, "x")
	r := w.AutoTag(x, `{"leaf":"did","event":"behavior.share","op":"gte","count":2,"window":"7d"}`)
	_, err := w.Tags.SaveRule(t.Context(), tag.Rule{ID: r.ID, TagID: x, Name: "r", Enabled: true, Condition: r.Condition}, templates.English)
	require.NoError(t, err)
	w.Settle()
	alice := w.Joined("alice")
	for i := range 2 {
		require.NoError(t, w.Behave(alice, "share", fmt.Sprint(i), w.Now()))
	}
	held, err := w.Tags.Of(t.Context(), alice)
	require.NoError(t, err)
	require.Len(t, held, 1)
	require.Equal(t, r.ID, held[0].CauseID)
	require.Equal(t, 2, held[0].Version, "saved twice")
	require.JSONEq(t, `[{"leaf":"did","saw":2}]`, string(held[0].Evidence))
	require.Equal(t, apptest.Start, held[0].At)
	require.Equal(t, apptest.Start.AddDate(0, 0, 7), held[0].Until)
}

func TestHygiene(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	dead, used := w.Tag(tag.Value, "dead"), w.Tag(tag.Value, "used")
	same := []int64{w.Tag(tag.Value, "VIP 1"), w.Tag(tag.Preference, "vip1")}
	alice, bob := w.Joined("alice"), w.Joined("bob")
	require.NoError(t, w.Tags.SetManual(t.Context(), alice, used, 1, true, ""))
	for i := range 31 {
		x := w.Tag(tag.Attribute, fmt.Sprint("t", i))
		require.NoError(t, w.Tags.SetManual(t.Context(), bob, x, 1, true, ""))
		if i < 29 {
			require.NoError(t, w.Tags.SetManual(t.Context(), alice, x, 1, true, ""))
		}
	}
	names := func(rows []tag.View) (ids []int64) {
		for _, r := range rows {
			ids = append(ids, r.ID)
		}
		return ids
	}
	h, err := w.Tags.Hygiene(t.Context())
	require.NoError(t, err)
	require.Empty(t, h.Dead, "new tags have time")
	require.Equal(t, []tag.Crowded{{MemberID: bob, Tags: 31}}, h.Crowded, "thirty are not too many")
	require.EqualValues(t, 1, h.CrowdedAll)
	require.Len(t, h.Duplicates, 1)
	require.ElementsMatch(t, same, names(h.Duplicates[0]))
	require.True(t, w.Sandbox.Clock().Set(apptest.Start.AddDate(0, 0, 80)))
	require.NoError(t, w.Tags.SetManual(t.Context(), alice, same[0], 1, true, ""))
	require.NoError(t, w.Tags.SetManual(t.Context(), alice, same[0], 1, false, ""))
	require.True(t, w.Sandbox.Clock().Set(apptest.Start.AddDate(0, 0, 91)))
	h, err = w.Tags.Hygiene(t.Context())
	require.NoError(t, err)
	require.Subset(t, names(h.Dead), []int64{dead, same[1]})
	require.NotContains(t, names(h.Dead), same[0], "it had a member eleven days ago")
	require.NotContains(t, names(h.Dead), used)
}

func TestMergeOfTags(t *testing.T) {
	t.Parallel()
	on := func(id int64) string { return fmt.Sprintf(`{"leaf":"tag","tag_id":"%d"}`, id) }

	t.Run("MembersRulesAndConditionsAreCarriedOver", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		x, y, z := w.Tag(tag.Value, "x"), w.Tag(tag.Preference, "y"), w.Tag(tag.Value, "z")
		w.AutoTag(x, `{"leaf":"did","event":"behavior.share","op":"gte","count":1,"window":"7d"}`)
		w.AutoTag(z, `{"not":{"not":`+on(x)+`}}`)
		rule := w.Rule("shop", model.EventCheckin, fmt.Sprintf(`{"condition":%s,"grants":[{"kind":"tag","tag_id":"%d"}]}`, on(x), x))
		var people []int64
		for i := range 60 {
			m := w.Joined(fmt.Sprint("m", i))
			people = append(people, m)
			switch i % 3 {
			case 0:
				require.NoError(t, w.Behave(m, "share", fmt.Sprint(i), w.Now()))
			case 1:
				require.NoError(t, w.Tags.SetManual(t.Context(), m, x, 1, true, ""))
			}
		}
		work, err := w.Tags.Merge(t.Context(), x, y, "test")
		require.NoError(t, err)
		require.EqualValues(t, 40, work.Total)
		w.Settle()
		for i, m := range people {
			want := []string{"y", "z"}
			if i%3 == 2 {
				want = []string{}
			}
			require.Equal(t, want, w.Held(m))
		}
		got, err := w.Works.Get(t.Context(), work.ID)
		require.NoError(t, err)
		require.Equal(t, model.WorkDone, got.State)
		require.EqualValues(t, 40, got.Done)
		_, err = tag.Get(w.DB.Reader(t.Context()), x)
		require.Equal(t, errs.NotFound, errs.CodeOf(err))
		require.Zero(t, w.Count(&model.TagChange{}, "tag_id = ?", x))
		require.Zero(t, w.Count(&model.TagChange{}, "tag_id = ? AND NOT is_set", z), "who held it never lost it")
		var v model.PointRuleVersion
		require.NoError(t, w.DB.Reader(t.Context()).Where("rule_id = ?", rule.ID).Take(&v).Error)
		require.Contains(t, string(v.Definition), fmt.Sprintf(`"%d"`, y))
		require.NotContains(t, string(v.Definition), fmt.Sprintf(`"%d"`, x))
		w.Advance(7 * 24 * 3600 * 1e9)
		require.Empty(t, w.Held(people[0]), "the rule now takes the tag that it sets")
		require.Equal(t, []string{"y", "z"}, w.Held(people[1]), "a hand stays")
	})

	t.Run("WhatWouldBreakIsRefused", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		x, y, z := w.Tag(tag.Value, "x"), w.Tag(tag.Value, "y"), w.Tag(tag.Value, "z")
		w.AutoTag(z, on(x))
		for into, want := range map[int64]errs.Code{x: errs.Invalid, 999: errs.Invalid, z: errs.Invalid} {
			_, err := w.Tags.Merge(t.Context(), x, into, "test")
			require.Equal(t, want, errs.CodeOf(err), "into %d", into)
		}
		_, err := w.Tags.Merge(t.Context(), 999, y, "test")
		require.Equal(t, errs.NotFound, errs.CodeOf(err))
		require.Zero(t, w.Count(&model.Work{}))
	})

	t.Run("EveryColumnThatCanNameATagIsKnown", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		own := []string{"tag_holds.tag_id", "tag_changes.tag_id", "auto_tags.tag_id", "menus.tag_id", "tag_mirrors.tag_id", "tag_mirror_works.tag_id", "tag_ladders.definition"}
		known := append(tag.Uses(), own...)
		w.Tx(func(_ context.Context, tx *gorm.DB) error {
			tables, err := tx.Migrator().GetTables()
			require.NoError(t, err)
			for _, table := range tables {
				columns, err := tx.Migrator().ColumnTypes(table)
				require.NoError(t, err)
				for _, c := range columns {
					if name := c.Name(); slices.Contains([]string{"tag_id", "condition", "definition", "terms"}, name) && !strings.HasPrefix(table, "sqlite") {
						require.Contains(t, known, table+"."+name, "see uses in merge.go")
					}
				}
			}
			return nil
		})
	})
}
