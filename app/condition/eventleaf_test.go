package condition_test

import (
	"fmt"
	"testing"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/model"
)

func holdsFor(t *testing.T, raw string, ev *model.Event) condition.Verdict {
	t.Helper()
	r := condition.New()
	r.Seal()
	tree, err := r.Parse([]byte(raw))
	require.NoError(t, err)
	require.NoError(t, r.Check(t.Context(), nil, tree))
	v, _, err := r.Eval(t.Context(), nil, &condition.Subject{MemberID: 1, At: start, Event: ev}, tree)
	require.NoError(t, err)
	return v
}

func TestEventText(t *testing.T) {
	t.Parallel()
	rule := `{"leaf":"event.text","contains_any":["敏感肌","Sensitive"],"excludes":["不是敏感肌","非敏感肌"]}`
	text := func(s string) *model.Event {
		return &model.Event{Kind: model.EventMessage, Data: model.ToJSON(map[string]any{"content": s})}
	}
	for s, want := range map[string]bool{ // PLAYBOOKS P01-B
		"我是敏感肌能用吗": true, "敏感肌": true, "朋友是敏感肌": true, "我不是敏感肌": false, "你好": false, "": false,
		"我非敏感肌,朋友是敏感肌": false, "is it for SENSITIVE skin?": true,
	} {
		require.Equal(t, want, holdsFor(t, rule, text(s)).Holds, s)
	}
	require.Equal(t, map[string]string{"found": "敏感肌", "excluded_by": "不是敏感肌"}, holdsFor(t, rule, text("我不是敏感肌")).Saw)
	require.False(t, holdsFor(t, rule, nil).Holds, "no event at hand")
	other := text("敏感肌")
	other.Kind = model.EventCheckin
	require.False(t, holdsFor(t, rule, other).Holds, "not a message")
	require.False(t, holdsFor(t, rule, &model.Event{Kind: model.EventMessage}).Holds, "a picture has no text")
}

func TestEventField(t *testing.T) {
	t.Parallel()
	ev := &model.Event{Kind: model.EventQuiz, Data: model.JSON(
		`{"correct":true,"quiz_id":9007199254740993,"flavour":"草莓","net":12.50,"skus":["a1",7,["x"]],"none":null,"in":{"a":1}}`)}
	for _, c := range []struct {
		field, op, value string
		want             bool
	}{
		{"correct", "eq", "true", true},
		{"correct", "ne", "true", false},
		{"quiz_id", "eq", `"9007199254740993"`, true},
		{"quiz_id", "eq", "9007199254740992", false},
		{"quiz_id", "gte", "9007199254740994", false},
		{"quiz_id", "lte", "9007199254740993", true},
		{"flavour", "eq", `"草莓"`, true},
		{"flavour", "in", `["芒果","草莓"]`, true},
		{"flavour", "in", `["芒果"]`, false},
		{"flavour", "gte", "1", false},
		{"net", "eq", "12.5", true},
		{"net", "gte", "12.5", true},
		{"net", "gte", "12.51", false},
		{"net", "lte", "12", false},
		{"skus", "eq", `"a1"`, true},
		{"skus", "in", `["b","7"]`, true},
		{"skus", "ne", `"a1"`, false},
		{"skus", "eq", `"x"`, false},
		{"skus", "gte", "1", false},
		{"none", "eq", `""`, false},
		{"none", "ne", `"a"`, true},
		{"in", "eq", "1", false},
		{"missing", "eq", `"a"`, false},
		{"missing", "ne", `"a"`, true},
		{"missing", "lte", "5", false},
	} {
		raw := fmt.Sprintf(`{"leaf":"event.field","field":%q,"op":%q,"value":%s}`, c.field, c.op, c.value)
		require.Equal(t, c.want, holdsFor(t, raw, ev).Holds, raw)
	}
	raw := `{"leaf":"event.field","field":"a","op":"ne","value":1}`
	require.False(t, holdsFor(t, raw, nil).Holds, "no event at hand")
	require.True(t, holdsFor(t, raw, &model.Event{}).Holds, "an event without data")
}

func TestRandom(t *testing.T) {
	t.Parallel()
	r := condition.New()
	r.Seal()
	universe := roaring.New()
	universe.AddRange(1, 20001)
	draw := func(percent float64, salt string) *roaring.Bitmap {
		tree := condition.Is("random", map[string]any{"percent": percent, "salt": salt})
		found, err := r.Members(t.Context(), nil, start, universe, tree)
		require.NoError(t, err)
		for id := uint32(1); id <= 500; id++ {
			v, _, err := r.Eval(t.Context(), nil, &condition.Subject{MemberID: int64(id), At: start}, tree)
			require.NoError(t, err)
			require.Equal(t, found.Contains(id), v.Holds)
			require.Zero(t, v.FlipsAt)
		}
		return found
	}
	ten, half := draw(10, "spring"), draw(50, "spring")
	require.InDelta(t, 2000, ten.GetCardinality(), 150)
	require.InDelta(t, 10000, half.GetCardinality(), 300)
	require.Equal(t, ten.GetCardinality(), ten.AndCardinality(half), "more percent keeps those drawn")
	require.InDelta(t, 5000, half.AndCardinality(draw(50, "autumn")), 300, "another salt draws anew")
	require.Zero(t, draw(0, "spring").GetCardinality())
	require.EqualValues(t, 20000, draw(100, "spring").GetCardinality())
	require.Equal(t, []uint32{4, 7, 13, 15, 25, 44}, ten.ToArray()[:6], "the draw never changes")
}
