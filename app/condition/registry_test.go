package condition_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

// refused asserts that err names the field and has a sentence in both languages.
func refused(t *testing.T, err error, field, key string) {
	t.Helper()
	var e *errs.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, errs.Invalid, e.Code)
	require.Equal(t, []any{field, key}, []any{e.Args["field"], e.Key})
	if !strings.HasPrefix(key, "world.") {
		require.True(t, templates.Has(key), key)
		for _, lang := range templates.Languages() {
			require.NotContains(t, templates.T(lang, key, e.Args), "{", "a placeholder without a value")
		}
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	r := (&world{}).registry()
	deep := strings.Repeat(`{"not":`, 8) + `{"leaf":"fixed"}` + strings.Repeat(`}`, 8)
	wide := `{"all":[` + strings.Repeat(`{"leaf":"fixed"},`, 99) + `{"leaf":"fixed"}]}`

	for name, c := range map[string]struct{ raw, field, key string }{
		"NoJSON":             {`{"all":`, "condition", "condition.malformed"},
		"TwoDocuments":       {`{} {}`, "condition", "condition.malformed"},
		"AList":              {`[]`, "condition", "condition.not_an_object"},
		"AString":            {`"tag"`, "condition", "condition.not_an_object"},
		"AnUnknownKey":       {`{"every":[]}`, "condition.every", "condition.unknown_key"},
		"AKeyInCapitals":     {`{"All":[]}`, "condition.All", "condition.unknown_key"},
		"AKeyBesideAll":      {`{"all":[{"leaf":"fixed"}],"n":1}`, "condition.n", "condition.unknown_key"},
		"AllAndAny":          {`{"all":[{"leaf":"fixed"}],"any":[]}`, "condition", "condition.one_key"},
		"ALeafWithAll":       {`{"leaf":"fixed","all":[]}`, "condition", "condition.one_key"},
		"AllTwice":           {`{"all":[],"all":[]}`, "condition.all", "condition.repeated_key"},
		"AnArgTwice":         {`{"not":{"leaf":"fixed","n":1,"n":2}}`, "condition.not.n", "condition.repeated_key"},
		"AnyOfNothing":       {`{"any":[]}`, "condition.any", "condition.empty"},
		"NothingWithin":      {`{"all":[{"leaf":"fixed"},{}]}`, "condition.all[1]", "condition.empty"},
		"NullWithin":         {`{"not":null}`, "condition.not", "condition.not_an_object"},
		"AllOfNothingWithin": {`{"any":[{"all":[]}]}`, "condition.any[0].all", "condition.empty"},
		"AllIsNoList":        {`{"all":{"leaf":"fixed"}}`, "condition.all", "condition.not_a_list"},
		"AllIsNull":          {`{"all":null}`, "condition.all", "condition.not_a_list"},
		"TheNameIsANumber":   {`{"leaf":7}`, "condition.leaf", "condition.leaf_name"},
		"AnUnknownLeaf":      {`{"any":[{"leaf":"fixed"},{"not":{"leaf":"stars"}}]}`, "condition.any[1].not.leaf", "condition.unknown_leaf"},
		"NineDeep":           {deep, "condition" + strings.Repeat(".not", 8), "condition.too_deep"},
		"ManyNodes":          {wide, "condition.all[99]", "condition.too_many"},
	} {
		t.Run("Refuses"+name, func(t *testing.T) {
			t.Parallel()
			_, err := r.Parse([]byte(c.raw))
			refused(t, err, c.field, c.key)
		})
	}

	t.Run("AnEmptyTreeHoldsForEverybody", func(t *testing.T) {
		t.Parallel()
		for _, raw := range []string{"", " ", "null", "{}", ` { "all" : [] } `} {
			tree, err := r.Parse([]byte(raw))
			require.NoError(t, err, raw)
			require.True(t, tree.Empty(), raw)
			v, _, err := r.Eval(t.Context(), nil, &condition.Subject{MemberID: 1, At: start}, tree)
			require.NoError(t, err)
			require.True(t, v.Holds)
			found, err := r.Members(t.Context(), nil, start, roaring.BitmapOf(1, 5), tree)
			require.NoError(t, err)
			require.Equal(t, []uint32{1, 5}, found.ToArray())
		}
	})
	t.Run("EightDeepAndAHundredNodesAreFine", func(t *testing.T) {
		t.Parallel()
		_, err := r.Parse([]byte(strings.TrimSuffix(strings.TrimPrefix(deep, `{"not":`), `}`)))
		require.NoError(t, err)
		_, err = r.Parse([]byte(strings.Replace(wide, `{"leaf":"fixed"},`, "", 1)))
		require.NoError(t, err)
	})
	t.Run("ArgsAreWhatStandsBesideTheLeaf", func(t *testing.T) {
		t.Parallel()
		tree, err := r.Parse([]byte(`{"n": 1, "leaf": "fixed", "window": 5}`))
		require.NoError(t, err)
		require.Equal(t, condition.Tree{Leaf: "fixed", Args: []byte(`{"n":1,"window":5}`)}, tree)
	})
}

func TestCheck(t *testing.T) {
	t.Parallel()
	r := (&world{}).registry()
	for name, c := range map[string]struct{ raw, field, key string }{
		"TheLeafRefuses":  {`{"all":[{"leaf":"fixed"},{"leaf":"turning","n":9}]}`, "condition.all[1].n", "world.missing"},
		"AnUnknownArg":    {`{"not":{"leaf":"fixed","m":1}}`, "condition.not.m", "condition.arg_unknown"},
		"AWrongType":      {`{"leaf":"fixed","n":"1"}`, "condition.n", "condition.arg_type"},
		"NoWords":         {`{"leaf":"event.text"}`, "condition.contains_any", "condition.arg_required"},
		"AnEmptyWord":     {`{"leaf":"event.text","contains_any":[" "]}`, "condition.contains_any", "condition.arg_word"},
		"NoField":         {`{"leaf":"event.field","op":"eq","value":1}`, "condition.field", "condition.arg_required"},
		"AnUnknownOp":     {`{"leaf":"event.field","field":"a","op":"like","value":1}`, "condition.op", "condition.arg_op"},
		"NoValue":         {`{"leaf":"event.field","field":"a","op":"eq"}`, "condition.value", "condition.arg_required"},
		"InOneValue":      {`{"leaf":"event.field","field":"a","op":"in","value":1}`, "condition.value", "condition.arg_value"},
		"AtLeastAWord":    {`{"leaf":"event.field","field":"a","op":"gte","value":"x"}`, "condition.value", "condition.arg_value"},
		"EqualToAnObject": {`{"leaf":"event.field","field":"a","op":"eq","value":{}}`, "condition.value", "condition.arg_value"},
		"NoPercent":       {`{"leaf":"random","salt":"a"}`, "condition.percent", "condition.arg_required"},
		"PercentOver100":  {`{"leaf":"random","percent":100.01,"salt":"a"}`, "condition.percent", "condition.arg_percent"},
		"NoSalt":          {`{"leaf":"random","percent":5}`, "condition.salt", "condition.arg_required"},
	} {
		t.Run("Refuses"+name, func(t *testing.T) {
			t.Parallel()
			tree, err := r.Parse([]byte(c.raw))
			require.NoError(t, err)
			refused(t, r.Check(t.Context(), nil, tree), c.field, c.key)
		})
	}
	t.Run("ATreeMadeByTheProgramIsParsedToo", func(t *testing.T) {
		t.Parallel()
		err := r.Check(t.Context(), nil, condition.Tree{Any: []condition.Tree{{}}})
		refused(t, err, "condition.any[0]", "condition.empty")
	})
	t.Run("PathsMayBeginElsewhere", func(t *testing.T) {
		t.Parallel()
		err := r.Check(t.Context(), nil, condition.Is("fixed", map[string]any{"n": 9}))
		refused(t, condition.At("steps[2].exit", err), "steps[2].exit.n", "world.missing")
		refused(t, err, "condition.n", "world.missing")
		other := errors.New("other")
		require.Equal(t, other, condition.At("exit", other))
		require.NoError(t, condition.At("exit", nil))
	})
}

func TestWindow(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]time.Duration{"": 0, "30d": 720 * time.Hour, "48h": 48 * time.Hour, "90m": 90 * time.Minute, "3660d": 3660 * 24 * time.Hour} {
		got, err := condition.ParseWindow(s)
		require.NoError(t, err, s)
		require.Equal(t, want, got, s)
	}
	for _, s := range []string{"d", "0d", "-1d", "+1d", "3661d", "1.5h", "30", "30s", "30D", "9999999999d", " 30d"} {
		_, err := condition.ParseWindow(s)
		refused(t, err, "window", "condition.arg_window")
	}
}

func TestSentence(t *testing.T) {
	t.Parallel()
	r := (&world{}).registry()
	leaf := func(n int) string { return fmt.Sprintf(`{"leaf":"fixed","n":%d}`, n) }
	for raw, want := range map[string][2]string{
		`{}`:    {"所有人", "everybody"},
		leaf(1): {"fixed1", "fixed1"},
		`{"all":[` + leaf(1) + `,` + leaf(2) + `]}`:                                   {"fixed1 且 fixed2", "fixed1 and fixed2"},
		`{"any":[` + leaf(1) + `,{"all":[` + leaf(2) + `,{"not":` + leaf(3) + `}]}]}`: {"fixed1 或 (fixed2 且 非 fixed3)", "fixed1 or (fixed2 and not fixed3)"},
		`{"not":{"any":[` + leaf(1) + `,` + leaf(2) + `]}}`:                           {"非 (fixed1 或 fixed2)", "not (fixed1 or fixed2)"},
		`{"all":[` + leaf(1) + `,{"all":[` + leaf(2) + `,` + leaf(3) + `]}]}`:         {"fixed1 且 fixed2 且 fixed3", "fixed1 and fixed2 and fixed3"},
		`{"all":[{"any":[` + leaf(1) + `,` + leaf(2) + `]}]}`:                         {"fixed1 或 fixed2", "fixed1 or fixed2"},
		`{"not":{"all":[{"any":[` + leaf(1) + `,` + leaf(2) + `]}]}}`:                 {"非 (fixed1 或 fixed2)", "not (fixed1 or fixed2)"},
		`{"leaf":"event.text","contains_any":["敏感肌"],"excludes":["不是敏感肌","非敏感肌"]}`: {
			"消息包含 「敏感肌」(不含 「不是敏感肌」 或 「非敏感肌」)", "the message contains “敏感肌” (but not “不是敏感肌” or “非敏感肌”)",
		},
		`{"leaf":"event.field","field":"amount","op":"gte","value":100}`: {"事件的 amount 不小于 「100」", "the event's amount is at least “100”"},
		`{"leaf":"random","percent":12.5,"salt":"ab"}`:                   {"随机 12.5% 的人(分组「ab」)", "a random 12.5% of people (draw “ab”)"},
	} {
		tree, err := r.Parse([]byte(raw))
		require.NoError(t, err, raw)
		for i, lang := range []string{"zh-CN", "en"} {
			got, err := r.Sentence(t.Context(), nil, lang, tree)
			require.NoError(t, err)
			require.Equal(t, want[i], got)
		}
	}
}

func TestRegistry(t *testing.T) {
	t.Parallel()

	t.Run("ATreeKnowsItsLeavesAndTriggers", func(t *testing.T) {
		t.Parallel()
		r := (&world{}).registry()
		quiet := condition.Is("random", map[string]any{"percent": 5, "salt": "a"})
		tree := condition.And(condition.Is("fixed", map[string]any{"n": 2}), condition.Tree{}, condition.Is("counted", nil),
			condition.Is("fixed", map[string]any{"n": 1}), quiet)
		require.Equal(t, []string{"counted", "fixed", "random"}, r.Leaves(tree))
		require.Equal(t, []string{"counted.0", "fixed.1", "fixed.2"}, r.Triggers(tree))
		require.Empty(t, r.Triggers(quiet))
		require.False(t, r.EventScoped(tree))
		tree = condition.And(tree, condition.Is("event.field", nil))
		require.Equal(t, []string{"*"}, r.Triggers(tree))
		require.True(t, r.EventScoped(tree))
		require.Equal(t, []string{model.EventMessage}, r.Triggers(condition.Is("event.text", nil)))
		require.Equal(t, []string{"counted", "event.field", "event.text", "fixed", "random", "turning"}, r.Names())
	})
	t.Run("AnEventCannotSelectAnAudience", func(t *testing.T) {
		t.Parallel()
		r := (&world{}).registry()
		tree := condition.Tree{Any: []condition.Tree{condition.Is("fixed", nil), condition.Is("event.text", nil)}}
		_, err := r.Members(t.Context(), nil, start, roaring.BitmapOf(1), tree)
		refused(t, err, "condition.any[1].leaf", "condition.event_scoped")
	})
	t.Run("AMissingLeafIsAnErrorNotAVerdict", func(t *testing.T) {
		t.Parallel()
		r, tree := (&world{}).registry(), condition.Is("gone", nil)
		_, _, err := r.Eval(t.Context(), nil, &condition.Subject{MemberID: 1, At: start}, tree)
		require.ErrorContains(t, err, `"gone"`)
		_, err = r.Members(t.Context(), nil, start, roaring.BitmapOf(1), tree)
		require.ErrorContains(t, err, `"gone"`)
		_, err = r.Sentence(t.Context(), nil, "en", tree)
		require.ErrorContains(t, err, `"gone"`)
	})
	t.Run("AFlipThatIsNotInTheFutureIsAnError", func(t *testing.T) {
		t.Parallel()
		r, l := condition.New(), (&world{}).leaf("stuck", func(_ worldArgs, _ int, at time.Time) condition.Verdict {
			return condition.Verdict{FlipsAt: at}
		})
		r.Register(l)
		_, _, err := r.Eval(t.Context(), nil, &condition.Subject{MemberID: 1, At: start}, condition.Is("stuck", nil))
		require.ErrorContains(t, err, "for ever")
	})
	t.Run("MistakesOfTheProgramPanic", func(t *testing.T) {
		t.Parallel()
		w := &world{}
		whole := w.leaf("new", nil)
		half := whole
		half.Members = nil
		r := condition.New()
		require.Panics(t, func() { r.Register(half) })
		require.Panics(t, func() { r.Register(condition.Leaf{}) })
		r.Register(whole)
		require.Panics(t, func() { r.Register(whole) })
		require.Panics(t, func() { w.registry().Register(whole) }, "sealed")
	})
	t.Run("ExplainLooksAtWhatEvalSkips", func(t *testing.T) {
		t.Parallel()
		r := (&world{fixed: [4][]uint32{{1}}}).registry()
		tree := condition.And(condition.Is("fixed", map[string]any{"n": 1}), condition.Is("fixed", map[string]any{"n": 0}))
		s := &condition.Subject{MemberID: 1, At: start}
		_, short, err := r.Eval(t.Context(), nil, s, tree)
		require.NoError(t, err)
		require.Len(t, short.Children, 1)
		_, long, err := r.Explain(t.Context(), nil, s, tree)
		require.NoError(t, err)
		require.Equal(t, condition.Trace{Op: "all", Children: []condition.Trace{
			{Leaf: "fixed", Args: []byte(`{"n":1}`)}, {Leaf: "fixed", Args: []byte(`{"n":0}`), Holds: true},
		}}, long)
	})
	t.Run("ADecidedListFlipsWithWhatDecides", func(t *testing.T) {
		t.Parallel()
		w := &world{}
		w.toggles[0][1] = []time.Time{start, minute(5)} // holds, until minute 5
		w.toggles[1][1] = []time.Time{minute(10)}       // from minute 10
		w.toggles[2][1] = []time.Time{minute(20)}       // from minute 20
		turning := func(n int) condition.Tree { return condition.Is("turning", map[string]any{"n": n}) }
		r, s := w.registry(), &condition.Subject{MemberID: 1, At: minute(1)}
		tree := condition.And(turning(0), turning(1), turning(2))
		v, _, err := r.Eval(t.Context(), nil, s, tree)
		require.NoError(t, err)
		require.Equal(t, condition.Verdict{FlipsAt: minute(10)}, v, "the first that decides")
		v, _, err = r.Explain(t.Context(), nil, s, tree)
		require.NoError(t, err)
		require.Equal(t, condition.Verdict{FlipsAt: minute(20)}, v, "the last that decides")
	})
}
