package console

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/coupon"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// fact is a leaf of a condition as a form asks for it.
type fact struct {
	Key   string            // of the choice, such as member.joined
	Leaf  string            // of the tree
	fixed map[string]string // args that the key stands for
	Args  []factArg
}

// factArg is one arg of a leaf.
type factArg struct {
	Name     string
	Choices  []choice // of a select
	Many     bool     // several of the choices
	Lines    bool     // a list of texts, a line each
	Optional bool
	Place    string // what an empty text shows

	literal bool // a number or true is one in JSON too; else everything is a text
	whole   bool // a whole number
	fen     bool // an amount of money, typed in yuan
}

// Places of a row of facts: fact.3.leaf is the key of the fourth one, fact.3.did.count an arg of it. Where a form has several conditions, the
// names of each begin with its place, at: entry.fact.3.leaf.
const (
	factRow  = "fact."
	factJSON = "json" // what no other row can say
	maxFacts = 30
)

// Of a group of facts all must hold, and one group is enough; or the other way round.
const (
	anyGroup = "any"
	allGroup = "all"
)

// leastFacts is how many rows an empty form offers.
const leastFacts = 4

// facts are the leaves that a form offers; without a request, for reading a form, their choices are empty.
func (con *Console) facts(c *gin.Context) ([]fact, error) {
	lists := struct{ tags, channels, tiers, accounts, events, audiences, forms, options, groups []choice }{[]choice{}, []choice{}, []choice{}, []choice{}, []choice{}, []choice{}, []choice{}, []choice{}, []choice{}} // none: still a select
	if c != nil {
		ctx := c.Request.Context()
		groups, err := con.tagGroups(c)
		if err != nil {
			return nil, err
		}
		for _, g := range groups {
			for _, t := range g.Tags {
				lists.tags = append(lists.tags, choice{strconv.FormatInt(t.ID, 10), g.Name + ":" + t.Name})
			}
		}
		channels, err := con.app.Channels.List(ctx)
		if err != nil {
			return nil, err
		}
		for _, ch := range channels {
			lists.channels = append(lists.channels, choice{ch.Code, ch.Name})
		}
		ladder, err := con.app.Tiers.Ladder(ctx)
		if err != nil {
			return nil, err
		}
		for _, t := range ladder.Tiers {
			lists.tiers = append(lists.tiers, choice{strconv.FormatInt(t.ID, 10), t.Name})
		}
		if lists.accounts, err = con.accountChoices(c); err != nil {
			return nil, err
		}
		lists.events = con.eventChoices(c)
		if lists.audiences, err = con.audienceChoices(c); err != nil {
			return nil, err
		}
		if lists.forms, lists.options, err = con.formChoices(c); err != nil {
			return nil, err
		}
		communities, err := con.app.Groups.List(ctx)
		if err != nil {
			return nil, err
		}
		for _, g := range communities {
			lists.groups = append(lists.groups, choice{strconv.FormatInt(g.ID, 10), g.Name})
		}
	}
	words := func(names ...string) (out []choice) { // a choice without a request has no sentence: only its value counts
		for _, n := range names {
			label := cmp.Or(n, "—")
			if c != nil && n != "" {
				label = con.t(c, "console.fact_word."+n)
			}
			out = append(out, choice{n, label})
		}
		return out
	}
	numbers := words("gte", "lte", "eq")
	yes := factArg{Name: "value", Choices: words("true", "false"), literal: true}
	count := factArg{Name: "value", whole: true}
	compared, days, window := factArg{Name: "op", Choices: numbers}, factArg{Name: "days", whole: true}, factArg{Name: "window", Optional: true, Place: "30d"}
	// What was bought; it may be left open but for where the product is what is asked about.
	items := []factArg{{Name: "product", Optional: true}, {Name: "category", Optional: true}, {Name: "sku", Optional: true}}
	return []fact{
		{"tag", "tag", nil, []factArg{{Name: "tag_id", Choices: lists.tags}}},
		{"audience", "audience", nil, []factArg{{Name: "audience_id", Choices: lists.audiences}}},
		{"did", "did", nil, []factArg{
			{Name: "event", Choices: lists.events},
			compared,
			{Name: "count", whole: true},
			window,
			{Name: "field", Optional: true, Place: "kind"},
			{Name: "value", Optional: true, literal: true},
		}},
		{"form", "form", nil, []factArg{{Name: "form_id", Choices: lists.forms}}},
		{"form.option", "form", nil, []factArg{{Name: "option_id", Choices: lists.options}}},
		{"tier.at_least", "tier", nil, []factArg{{Name: "at_least", Choices: lists.tiers}}},
		{"tier.in", "tier", nil, []factArg{{Name: "in", Choices: lists.tiers, Many: true}}},
		{"account", "account", nil, []factArg{
			{Name: "account", Choices: lists.accounts},
			{Name: "basis", Choices: words("", "available", "lifetime"), Optional: true},
			{Name: "op", Choices: words("gte", "lte", "eq", "ne")},
			count,
		}},
		{"orders.count", "orders", map[string]string{"measure": "count"}, append([]factArg{compared, count, window}, items...)},
		{"orders.amount", "orders", map[string]string{"measure": "amount"}, []factArg{compared, {Name: "value", fen: true}, window}},
		{"orders.days", "orders", map[string]string{"measure": "days"}, append([]factArg{compared, count}, items...)},
		{"running_low", "running_low", nil, append([]factArg{{Name: "cycle_days", whole: true}, {Name: "ahead_days", whole: true}}, items...)},
		{"inactive", "inactive", nil, []factArg{compared, days}},
		{"active_days", "active_days", nil, []factArg{compared, {Name: "count", whole: true}, days}},
		{"group", "group", nil, []factArg{{Name: "group_id", Choices: lists.groups}}},
		{"member.joined", "member", map[string]string{"field": "joined"}, []factArg{yes}},
		{"member.follower", "member", map[string]string{"field": "follower"}, []factArg{yes}},
		{"member.opted_out", "member", map[string]string{"field": "opted_out"}, []factArg{yes}},
		{"member.gender", "member", map[string]string{"field": "gender"}, []factArg{{Name: "value", Choices: words("female", "male")}}},
		{"member.channel", "member", map[string]string{"field": "channel"}, []factArg{{Name: "value", Choices: lists.channels}}},
		{"member.last_channel", "member", map[string]string{"field": "last_channel"}, []factArg{{Name: "value", Choices: lists.channels}}},
		{"member.age", "member", map[string]string{"field": "age"}, []factArg{compared, count}},
		{"member.joined_days", "member", map[string]string{"field": "joined_days"}, []factArg{compared, count}},
		{"birthday", "birthday", nil, []factArg{{Name: "scope", Choices: words("day", "week", "month")}, {Name: "feb29", Choices: words("", "feb28", "mar1"), Optional: true}}},
		{"calendar", "calendar", nil, []factArg{
			{Name: "weekdays", Choices: words("1", "2", "3", "4", "5", "6", "7"), Many: true, Optional: true, literal: true},
			{Name: "month_days", Lines: true, Optional: true, literal: true, Place: "1"},
			{Name: "short", Choices: words("", "skip", "last"), Optional: true},
			{Name: "dates", Lines: true, Optional: true, Place: "2026-11-11"},
			{Name: "from", Optional: true, Place: "20:00"},
			{Name: "to", Optional: true, Place: "24:00"},
		}},
		{"event.correct", "event.field", map[string]string{"field": "correct", "op": string(condition.Eq)}, []factArg{yes}},
		{"event.first", "event.field", map[string]string{"field": "first", "op": string(condition.Eq)}, []factArg{yes}},
		{"event.field", "event.field", nil, []factArg{{Name: "field", Place: model.OrderAmount}, {Name: "op", Choices: words("gte", "lte", "eq", "ne")}, {Name: "value", literal: true}}},
		{"event.field.in", "event.field", map[string]string{"op": "in"}, []factArg{{Name: "field"}, {Name: "value", Lines: true, literal: true}}},
		{"event.text", "event.text", nil, []factArg{
			{Name: "contains_any", Lines: true, Optional: true},
			{Name: "equals_any", Lines: true, Optional: true},
			{Name: "excludes", Lines: true, Optional: true},
			{Name: "account", Optional: true, Place: "oa"},
		}},
		{"random", "random", nil, []factArg{{Name: "percent", literal: true, Place: "10"}, {Name: "salt"}}},
	}, nil
}

// Label is the key of what the arg is called.
func (a factArg) Label() string {
	if a.fen {
		return "console.fact_arg.yuan"
	}
	return "console.fact_arg." + a.Name
}

// Select reports that the arg is chosen, not typed.
func (a factArg) Select() bool { return a.Choices != nil }

// Options are the choices of a select, with what stands there although it is not offered any more.
func (a factArg) Options(f *Form, control string) []choice {
	out := a.Choices
	for _, v := range f.Values[control] {
		if !known(out, v) {
			out = append(slices.Clone(out), choice{v, v})
		}
	}
	return out
}

// Control is where the arg of a fact stands in a row.
func (x fact) Control(row string, a factArg) string { return row + "." + x.Key + "." + a.Name }

// factAt is how the names of a row's controls begin.
func factAt(at string, row int) string { return at + factRow + strconv.Itoa(row) }

// writeFacts fills the rows of a condition; what they cannot say is a row of JSON.
func (con *Console) writeFacts(v url.Values, at string, t condition.Tree) {
	v.Set(at+"facts", anyGroup)
	if t.Empty() {
		return
	}
	mode, groups := grouped(t)
	trial, row := url.Values{at + "facts": {mode}}, 0
	for n, g := range groups {
		for _, kid := range g {
			con.writeFactRow(trial, factAt(at, row), n+1, kid)
			row++
		}
	}
	if back, err := con.readFacts(newForm(trial), at, "condition"); err != nil || row > maxFacts || !sameTree(back, t) {
		trial = url.Values{at + "facts": {anyGroup}}
		rawFact(trial, factAt(at, 0), 1, t)
	}
	for k, list := range trial {
		v[k] = list
	}
}

// grouped is a tree as groups of facts.
func grouped(t condition.Tree) (mode string, groups [][]condition.Tree) {
	simple := func(t condition.Tree) bool { return t.Leaf != "" || t.Not != nil }
	list, inner, mode, other := t.Any, func(t condition.Tree) []condition.Tree { return t.All }, anyGroup, allGroup
	if t.Any == nil {
		list, inner, mode, other = t.All, func(t condition.Tree) []condition.Tree { return t.Any }, allGroup, anyGroup
	}
	switch {
	case simple(t):
		return anyGroup, [][]condition.Tree{{t}}
	case !slices.ContainsFunc(list, func(t condition.Tree) bool { return !simple(t) }):
		return other, [][]condition.Tree{list}
	}
	for _, kid := range list {
		if group := inner(kid); len(group) > 0 {
			groups = append(groups, group)
		} else {
			groups = append(groups, []condition.Tree{kid})
		}
	}
	return mode, groups
}

// writeFactRow fills one row.
func (con *Console) writeFactRow(v url.Values, at string, group int, t condition.Tree) {
	if t.Not != nil && t.Not.Leaf != "" {
		v.Set(at+".not", "on")
		t = *t.Not
	}
	v.Set(at+".group", strconv.Itoa(group))
	args := map[string]any{}
	list, _ := con.facts(nil)
	if t.Leaf != "" && json.Unmarshal(t.Args, &args) == nil {
		for _, x := range list {
			if x.Leaf == t.Leaf && x.fits(args) {
				v.Set(at+".leaf", x.Key)
				x.write(v, at, t.Args)
				return
			}
		}
	}
	rawFact(v, at, group, t)
}

func rawFact(v url.Values, at string, group int, t condition.Tree) {
	v.Set(at+".leaf", factJSON)
	v.Set(at+".group", strconv.Itoa(group))
	v.Set(at+"."+factJSON, pretty(model.ToJSON(t)))
}

// fits reports whether the args are such as the fact has.
func (x fact) fits(args map[string]any) bool {
	for name, want := range x.fixed {
		if args[name] != want {
			return false
		}
	}
	for name, v := range args {
		at := slices.IndexFunc(x.Args, func(a factArg) bool { return a.Name == name })
		_, list := v.([]any)
		if _, ok := x.fixed[name]; !ok && (at < 0 || list != x.Args[at].list()) {
			return false
		}
	}
	return true
}

func (x fact) write(v url.Values, row string, raw json.RawMessage) {
	var args map[string]json.RawMessage
	_ = json.Unmarshal(raw, &args) // was read before
	for _, a := range x.Args {
		values, _, ok := condition.Scalars(args[a.Name])
		if !ok {
			continue
		}
		texts := make([]string, len(values))
		for i, value := range values {
			texts[i] = a.text(value)
		}
		if a.Lines {
			texts = []string{strings.Join(texts, "\n")}
		}
		v[x.Control(row, a)] = texts
	}
}

func (a factArg) list() bool { return a.Many || a.Lines }

// text is how a value stands in its control: a text that would read as something else stands in quotes.
func (a factArg) text(value any) string {
	if n, ok := value.(json.Number); ok && a.fen {
		if fen, err := n.Int64(); err == nil {
			return strings.TrimSuffix(coupon.Yuan(fen), ".00")
		}
	}
	if s, ok := value.(string); ok {
		if a.literal && json.Valid([]byte(s)) {
			return string(model.ToJSON(s))
		}
		return s
	}
	return strings.TrimSpace(string(model.ToJSON(value)))
}

// value reads what stands in a control.
func (a factArg) value(control, s string) (any, error) {
	switch {
	case a.whole:
		return number(control, s)
	case a.fen:
		return readYuan(control, s)
	case a.literal && json.Valid([]byte(s)):
		return json.RawMessage(s), nil
	}
	return s, nil
}

// readFacts makes the condition of the rows at a place, and notes from which control each part comes; path is where the use case has it.
func (con *Console) readFacts(f *Form, place, whole string) (condition.Tree, error) {
	type part struct {
		row  string
		tree condition.Tree
	}
	list, err := con.facts(nil)
	if err != nil {
		return condition.Tree{}, err
	}
	groups := map[int64][]part{}
	var order []int64
	f.from(whole, factAt(place, 0)+".leaf")
	for row := range maxFacts {
		at := factAt(place, row)
		if f.Get(at+".leaf") == "" {
			continue
		}
		t, err := readFactRow(f, at, list)
		if err != nil {
			return condition.Tree{}, err
		}
		n := int64(1)
		if f.Get(at+".group") != "" {
			if n, err = f.Number(at + ".group"); err != nil {
				return condition.Tree{}, err
			}
		}
		if f.On(at + ".not") {
			t = not(t)
		}
		if groups[n] == nil {
			order = append(order, n)
		}
		groups[n] = append(groups[n], part{at, t})
	}
	slices.Sort(order)
	outer, inner, join, joinInner := "any", "all", either, condition.And
	if f.Get(place+"facts") == allGroup {
		outer, inner, join, joinInner = inner, outer, condition.And, either
	}
	var trees []condition.Tree
	for i, n := range order {
		path := whole
		if len(order) > 1 {
			path += fmt.Sprintf(".%s[%d]", outer, i)
		}
		var kids []condition.Tree
		for k, p := range groups[n] {
			at := path
			if len(groups[n]) > 1 {
				at += fmt.Sprintf(".%s[%d]", inner, k)
			}
			f.fromFact(at, p.row, p.tree, list)
			kids = append(kids, p.tree)
		}
		trees = append(trees, joinInner(kids...))
	}
	return join(trees...), nil
}

// not holds where the tree does not.
func not(t condition.Tree) condition.Tree { return condition.Tree{Not: &t} }

// either holds where one of the trees does.
func either(trees ...condition.Tree) condition.Tree {
	if len(trees) < 2 {
		return condition.And(trees...)
	}
	return condition.Tree{Any: trees}
}

// fromFact notes from which controls of a row the tree at the path was read.
func (f *Form) fromFact(path, at string, t condition.Tree, list []fact) {
	if f.Get(at+".leaf") == factJSON {
		f.from(path, at+"."+factJSON)
		return
	}
	f.from(path, at+".leaf")
	if t.Not != nil {
		path += ".not"
	}
	for _, x := range list {
		if x.Key != f.Get(at+".leaf") {
			continue
		}
		for _, a := range x.Args {
			f.from(path+"."+a.Name, x.Control(at, a))
		}
	}
}

func readFactRow(f *Form, at string, list []fact) (t condition.Tree, err error) {
	key := f.Get(at + ".leaf")
	if key == factJSON {
		return t, condition.At(at+"."+factJSON, t.UnmarshalJSON([]byte(f.Get(at+"."+factJSON))))
	}
	i := slices.IndexFunc(list, func(x fact) bool { return x.Key == key })
	if i < 0 {
		return t, errs.Field(at+".leaf", "condition.unknown_leaf", "leaf", key)
	}
	x := list[i]
	args := map[string]any{}
	for name, v := range x.fixed {
		args[name] = v
	}
	for _, a := range x.Args {
		control := x.Control(at, a)
		var values []any
		for _, s := range f.Values[control] {
			for _, line := range lines(s) {
				v, err := a.value(control, line)
				if err != nil {
					return t, err
				}
				values = append(values, v)
			}
		}
		switch {
		case len(values) == 0 && !a.Optional:
			return t, errs.Field(control, "console.required")
		case len(values) > 0 && a.list():
			args[a.Name] = values
		case len(values) > 0:
			args[a.Name] = values[0]
		}
	}
	return condition.Is(x.Leaf, args), nil
}

// sameTree reports whether the trees say the same, whatever the order of args; an empty arg is none.
func sameTree(a, b condition.Tree) bool {
	return reflect.DeepEqual(plainTree(model.ToJSON(a)), plainTree(model.ToJSON(b)))
}

func plainTree(raw []byte) any {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	_ = dec.Decode(&v) // just encoded
	return withoutEmpty(v)
}

func withoutEmpty(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			if x = withoutEmpty(x); x == "" || x == nil || reflect.DeepEqual(x, []any{}) {
				delete(v, k)
			}
		}
	case []any:
		for i := range v {
			v[i] = withoutEmpty(v[i])
		}
	}
	return v
}

// factsView is what the rows of a condition need.
type factsView struct {
	At     string
	Facts  []fact
	Rows   []string // how the names of each begin
	Groups []int
}

func (con *Console) factsOf(c *gin.Context, f *Form) (factsView, error) {
	list, err := con.facts(c)
	return factsAt(f, list, "", leastFacts, 2), err
}

// factsAt shows so many rows at least, and so many to spare behind the last that is filled.
func factsAt(f *Form, list []fact, at string, least, spare int) factsView {
	v, n := factsView{At: at, Facts: list}, least
	for row := range maxFacts {
		if f.Get(factAt(at, row)+".leaf") != "" {
			n = min(max(n, row+1+spare), maxFacts)
		}
	}
	for i := range n {
		v.Rows, v.Groups = append(v.Rows, factAt(at, i)), append(v.Groups, i+1)
	}
	return v
}

// Filled reports that there is a condition.
func (v factsView) Filled(f *Form) bool {
	return slices.ContainsFunc(v.Rows, func(row string) bool { return f.Get(row+".leaf") != "" })
}
