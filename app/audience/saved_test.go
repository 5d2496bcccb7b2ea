package audience_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/audience"
	"github.com/siyu-scrm/siyu/app/broadcast"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/app/tag"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

// crowded is a programme with members who hold a tag.
type crowded struct {
	*apptest.World
	tagID   int64
	holders condition.Tree
}

func newCrowded(t *testing.T) *crowded {
	w := &crowded{World: apptest.New(t)}
	w.tagID = w.Tag(tag.Preference, "唇膜")
	w.holders = condition.Is("tag", map[string]any{"tag_id": fmt.Sprint(w.tagID)})
	return w
}

// holding is somebody new who holds the tag.
func (w *crowded) holding(name string) int64 {
	w.T.Helper()
	_, id := w.Member(name)
	w.hold(id, true)
	return id
}

func (w *crowded) hold(id int64, set bool) {
	w.T.Helper()
	require.NoError(w.T, w.Tags.SetManual(w.T.Context(), id, w.tagID, 1, set, ""))
}

func (w *crowded) save(id int64, name string, t condition.Tree) *model.Audience {
	w.T.Helper()
	a, err := w.Audience.Save(w.T.Context(), audience.Input{ID: id, Name: name, Condition: t, Actor: "test"})
	require.NoError(w.T, err)
	return a
}

// who are those in a condition, by the sets; the tables, and every member asked alone, must say the same.
func (w *crowded) who(t condition.Tree) []uint32 {
	w.T.Helper()
	ctx := w.T.Context()
	found, _, err := w.Audience.Now(ctx, t)
	require.NoError(w.T, err)
	exact, _, err := w.Audience.Members(ctx, w.DB.Reader(ctx), w.Now(), t)
	require.NoError(w.T, err)
	require.Equal(w.T, exact.ToArray(), found.ToArray())
	all, _, err := w.Audience.Now(ctx, condition.Tree{})
	require.NoError(w.T, err)
	for _, id := range all.ToArray() {
		v, _, err := w.Audience.Why(ctx, t, int64(id), w.Now())
		require.NoError(w.T, err)
		require.Equal(w.T, exact.Contains(id), v.Holds, "member %d", id)
	}
	return found.ToArray()
}

func field(t *testing.T, err error) string {
	t.Helper()
	var e *errs.Error
	require.ErrorAs(t, err, &e)
	f, _ := e.Args["field"].(string)
	return f
}

func TestSavedAudiences(t *testing.T) {
	t.Parallel()

	t.Run("TheyLiveByTheirConditionAndStandInOthers", func(t *testing.T) {
		t.Parallel()
		w := newCrowded(t)
		a, b := w.holding("a"), w.holding("b")
		_, c := w.Member("c")
		saved := w.save(0, "唇膜用户", w.holders)
		in := audience.Leaf(saved.ID)
		require.Equal(t, []uint32{uint32(a), uint32(b)}, w.who(in))
		rest := w.save(0, "其他人", condition.Tree{Not: &in})
		require.Equal(t, []uint32{uint32(c)}, w.who(audience.Leaf(rest.ID)))
		w.hold(a, false)
		require.Equal(t, []uint32{uint32(b)}, w.who(in))
		require.Equal(t, []uint32{uint32(a), uint32(c)}, w.who(audience.Leaf(rest.ID)))
		w.save(saved.ID, "唇膜用户", condition.Tree{})
		require.Empty(t, w.who(audience.Leaf(rest.ID)))
		says, err := w.Conditions.Sentence(t.Context(), w.DB.Reader(t.Context()), templates.English, audience.Leaf(rest.ID))
		require.NoError(t, err)
		require.Contains(t, says, "其他人")
		both := condition.Tree{Any: []condition.Tree{in, audience.Leaf(rest.ID), audience.Leaf(rest.ID)}}
		require.Len(t, w.who(both), 3)
	})

	t.Run("AFrozenOneStaysAsItWas", func(t *testing.T) {
		t.Parallel()
		w := newCrowded(t)
		a, b := w.holding("a"), w.holding("b")
		saved := w.save(0, "x", w.holders)
		frozen, err := w.Audience.Freeze(t.Context(), saved.ID, "x 11.11", "test")
		require.NoError(t, err)
		require.EqualValues(t, 2, frozen.Count)
		require.True(t, frozen.Frozen())
		w.hold(a, false)
		w.holding("c")
		in := audience.Leaf(frozen.ID)
		require.Equal(t, []uint32{uint32(a), uint32(b)}, w.who(in))

		w.save(frozen.ID, "双十一", condition.Tree{}) // its name may change
		_, err = w.Audience.Save(t.Context(), audience.Input{ID: frozen.ID, Name: "双十一", Condition: w.holders})
		require.Equal(t, errs.Conflict, errs.CodeOf(err))
		require.Equal(t, []uint32{uint32(a), uint32(b)}, w.who(in))

		_, d := w.Member("d")
		winner, err := w.Members.Merge(t.Context(), b, d, "test")
		require.NoError(t, err)
		require.Equal(t, b, winner.ID)
		winner, err = w.Members.Merge(t.Context(), a, b, "test") // who is merged away stands there as who he became
		require.NoError(t, err)
		require.Equal(t, []uint32{uint32(winner.ID)}, w.who(in))
		require.NoError(t, w.Members.Erase(t.Context(), winner.ID))
		require.Empty(t, w.who(in))
		require.NoError(t, w.Audience.Delete(t.Context(), saved.ID), "what was frozen from it does not need it")
		require.Empty(t, w.who(in))
	})

	t.Run("WhoWasMergedAwayHoldsForTheSurvivor", func(t *testing.T) {
		t.Parallel()
		w := newCrowded(t)
		_, a := w.Member("a") // the older survives
		b := w.holding("b")
		saved := w.save(0, "x", w.holders)
		frozen, err := w.Audience.Freeze(t.Context(), saved.ID, "y", "test")
		require.NoError(t, err)
		require.Equal(t, []uint32{uint32(b)}, w.who(audience.Leaf(frozen.ID)))
		winner, err := w.Members.Merge(t.Context(), a, b, "test")
		require.NoError(t, err)
		require.Equal(t, a, winner.ID)
		require.Equal(t, []uint32{uint32(a)}, w.who(audience.Leaf(frozen.ID)))
		_, err = w.Members.UndoMerge(t.Context(), b)
		require.NoError(t, err)
		require.Equal(t, []uint32{uint32(b)}, w.who(audience.Leaf(frozen.ID)))
	})

	t.Run("BadOnesAreRefusedWithThePlace", func(t *testing.T) {
		t.Parallel()
		w := newCrowded(t)
		saved := w.save(0, "x", w.holders)
		second := w.save(0, "y", audience.Leaf(saved.ID))
		for name, c := range map[string]struct {
			in    audience.Input
			field string
		}{
			"NoName":             {audience.Input{Name: " "}, "name"},
			"AMissingTag":        {audience.Input{Name: "z", Condition: condition.And(w.holders, condition.Is("tag", map[string]any{"tag_id": "999"}))}, "condition.all[1].tag_id"},
			"AnImpossibleWindow": {audience.Input{Name: "z", Condition: condition.Is("did", map[string]any{"event": "checkin.done", "op": "gte", "count": 1, "window": "0d"})}, "condition.window"},
			"AWrongType":         {audience.Input{Name: "z", Condition: condition.Is("member", map[string]any{"field": "joined", "value": "yes"})}, "condition.value"},
			"AMissingAudience":   {audience.Input{Name: "z", Condition: condition.And(w.holders, audience.Leaf(99))}, "condition.all[1].audience_id"},
			"AnEvent":            {audience.Input{Name: "z", Condition: condition.Is("event.text", map[string]any{"contains_any": []string{"x"}})}, "condition"},
			"Itself":             {audience.Input{ID: saved.ID, Name: "x", Condition: audience.Leaf(saved.ID)}, "condition"},
			"ACircle":            {audience.Input{ID: saved.ID, Name: "x", Condition: condition.And(w.holders, audience.Leaf(second.ID))}, "condition"},
		} {
			_, err := w.Audience.Save(t.Context(), c.in)
			require.Equal(t, errs.Invalid, errs.CodeOf(err), name)
			require.Equal(t, c.field, field(t, err), name)
		}
		_, err := w.Audience.Save(t.Context(), audience.Input{Name: "x"})
		require.Equal(t, errs.Conflict, errs.CodeOf(err), "two of one name")
		_, err = w.Audience.Save(t.Context(), audience.Input{ID: second.ID, Name: "x"})
		require.Equal(t, errs.Conflict, errs.CodeOf(err))
		_, err = w.Audience.Save(t.Context(), audience.Input{ID: 99, Name: "q"})
		require.Equal(t, errs.NotFound, errs.CodeOf(err))
	})

	t.Run("TwoThatAreSavedAtOnceMakeNoCircle", func(t *testing.T) {
		t.Parallel()
		w := newCrowded(t)
		a, b := w.save(0, "a", w.holders), w.save(0, "b", w.holders)
		var wg sync.WaitGroup
		refused := make(chan error, 2)
		for _, in := range []audience.Input{{ID: a.ID, Name: "a", Condition: audience.Leaf(b.ID)}, {ID: b.ID, Name: "b", Condition: audience.Leaf(a.ID)}} {
			wg.Go(func() {
				_, err := w.Audience.Save(t.Context(), in)
				refused <- err
			})
		}
		wg.Wait()
		one, two := <-refused, <-refused
		if one == nil {
			one, two = two, one
		}
		require.NoError(t, two)
		require.Equal(t, errs.Invalid, errs.CodeOf(one))
	})

	t.Run("WhatIsUsedStays", func(t *testing.T) {
		t.Parallel()
		w := newCrowded(t)
		ctx := t.Context()
		saved := w.save(0, "x", w.holders)
		used := audience.Leaf(saved.ID)
		other := w.save(0, "y", condition.And(w.holders, used))
		refused := func(kind, name string) {
			t.Helper()
			var e *errs.Error
			require.ErrorAs(t, w.Audience.Delete(ctx, saved.ID), &e)
			require.Equal(t, "audience.used", e.Key)
			require.Equal(t, kind, e.Args["kind"])
			require.Equal(t, name, e.Args["name"])
		}
		refused("audience", "y")
		require.NoError(t, w.Audience.Delete(ctx, other.ID))
		b, err := w.Broadcasts.Save(ctx, broadcast.Input{Name: "周三", Condition: used, Message: reach.Message{Text: "hi", Channels: []string{reach.Customer}}})
		require.NoError(t, err)
		refused("broadcast", "周三")
		require.NoError(t, w.Broadcasts.Delete(ctx, b.ID))
		w.Rule("r", model.EventCheckin, fmt.Sprintf(`{"condition":{"leaf":"audience","audience_id":"%d"},"grants":[{"kind":"fixed","account":"points","amount":5}]}`, saved.ID))
		refused("rule", "r")
		uses, err := w.Audience.Uses(ctx, saved.ID)
		require.NoError(t, err)
		require.Len(t, uses, 1)
		free := w.save(0, "z", used)
		require.NoError(t, w.Audience.Delete(ctx, free.ID))
		require.Equal(t, errs.NotFound, errs.CodeOf(w.Audience.Delete(ctx, free.ID)))
	})

	t.Run("ARulePaysThoseInIt", func(t *testing.T) {
		t.Parallel()
		w := newCrowded(t)
		a := w.holding("a")
		_, b := w.Member("b")
		saved := w.save(0, "x", w.holders)
		w.Rule("r", "behavior.buy", fmt.Sprintf(`{"condition":{"leaf":"audience","audience_id":"%d"},"grants":[{"kind":"fixed","account":"points","amount":5}]}`, saved.ID))
		for _, id := range []int64{a, b} {
			require.NoError(t, w.Behave(id, "buy", fmt.Sprint(id), w.Now()))
		}
		require.EqualValues(t, 5, w.Points(a))
		require.Zero(t, w.Points(b))
	})

	t.Run("TheyAreCompared", func(t *testing.T) {
		t.Parallel()
		w := newCrowded(t)
		a := w.holding("a")
		w.holding("b")
		w.Member("c")
		holders, all := w.save(0, "x", w.holders), w.save(0, "y", condition.Tree{})
		first, err := w.Audience.Freeze(t.Context(), holders.ID, "z", "test")
		require.NoError(t, err)
		w.hold(a, false)
		o, err := w.Audience.Overlap(t.Context(), []int64{holders.ID, all.ID, first.ID})
		require.NoError(t, err)
		require.Equal(t, &audience.Overlap{Counts: []int64{1, 3, 2}, Pairs: [][]int64{{1, 1, 1}, {1, 3, 2}, {1, 2, 2}}, Every: 1, Some: 3}, o)
		_, err = w.Audience.Overlap(t.Context(), []int64{1})
		require.Equal(t, "ids", field(t, err))
		_, err = w.Audience.Overlap(t.Context(), []int64{holders.ID, 99})
		require.Equal(t, errs.NotFound, errs.CodeOf(err))
	})

	t.Run("WhyLooksAtEveryPart", func(t *testing.T) {
		t.Parallel()
		w := newCrowded(t)
		a := w.holding("a")
		never := condition.Is("did", map[string]any{"event": "checkin.done", "op": "gte", "count": 1, "window": "30d"})
		v, trace, err := w.Audience.Why(t.Context(), condition.And(never, w.holders), a, w.Now())
		require.NoError(t, err)
		require.False(t, v.Holds)
		require.Equal(t, []bool{false, true}, []bool{trace.Children[0].Holds, trace.Children[1].Holds})
		require.Equal(t, 0, trace.Children[0].Saw)
		require.Equal(t, time.Time{}, v.FlipsAt)
	})
}
