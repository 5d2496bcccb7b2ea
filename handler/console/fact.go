package console

import (
	"bytes"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

// Shapes of a condition in a form. What a shape cannot say stands as JSON.
const (
	shapeWords = "words" // a message contains a word
	shapeCount = "count" // did something so many times in so many days
	shapeTags  = "tags"  // holds all or any of some tags
	shapeJSON  = "json"
)

// wordArgs and countArgs are the args of the leaves event.text and did.
type wordArgs struct {
	ContainsAny []string `json:"contains_any"`
	Excludes    []string `json:"excludes,omitempty"`
}

type countArgs struct {
	Event  string `json:"event"`
	Op     string `json:"op"`
	Count  int64  `json:"count"`
	Window string `json:"window,omitempty"`
}

// writeFact fills the controls of an auto-tag rule's condition: one of the two short forms where it is such, else the rows of facts.
func (con *Console) writeFact(v url.Values, raw []byte) {
	v.Set("shape", shapeWords)
	v.Set("days", "30")
	v.Set("count", "15")
	v.Set("event", model.EventCheckin)
	var t condition.Tree
	if len(raw) == 0 || json.Unmarshal(raw, &t) != nil {
		return
	}
	var words wordArgs
	var count countArgs
	switch {
	case t.Leaf == "event.text" && exactly(t.Args, &words):
		v.Set("words", strings.Join(words.ContainsAny, "\n"))
		v.Set("excludes", strings.Join(words.Excludes, "\n"))
	case t.Leaf == "did" && exactly(t.Args, &count) && count.Op == string(condition.Gte) && daysOf(count.Window) != "":
		v.Set("shape", shapeCount)
		v.Set("event", count.Event)
		v.Set("count", strconv.FormatInt(count.Count, 10))
		v.Set("days", daysOf(count.Window))
	default:
		v.Set("shape", shapeForm)
	}
	con.writeFacts(v, "", t)
}

// exactly decodes what it fully understands.
func exactly(raw json.RawMessage, into any) bool {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	return dec.Decode(into) == nil
}

// daysOf is the number of a window in days; "" for any other window.
func daysOf(window string) string {
	days, ok := strings.CutSuffix(window, "d")
	if _, err := strconv.Atoi(days); !ok || err != nil {
		return ""
	}
	return days
}

// readFact makes the condition of an auto-tag rule from its controls.
func (con *Console) readFact(f *Form) (condition.Tree, error) {
	switch f.Get("shape") {
	case shapeWords:
		words := lines(f.Get("words"))
		if len(words) == 0 {
			return condition.Tree{}, errs.Field("words", "console.required")
		}
		f.from("condition", "words")
		return leaf("event.text", wordArgs{words, lines(f.Get("excludes"))}), nil
	case shapeCount:
		count, err := f.Number("count")
		if err != nil {
			return condition.Tree{}, err
		}
		days, err := f.Number("days")
		if err != nil {
			return condition.Tree{}, err
		}
		for _, name := range []string{"event", "count"} {
			f.from("condition."+name, name)
		}
		f.from("condition.window", "days")
		return leaf("did", countArgs{f.Get("event"), string(condition.Gte), count, strconv.FormatInt(days, 10) + "d"}), nil
	case shapeForm:
		return con.readFacts(f, "", "condition")
	}
	return condition.Tree{}, errs.Field("shape", "console.required")
}

// leaf is one leaf with its args.
func leaf(name string, args any) condition.Tree {
	return condition.Tree{Leaf: name, Args: json.RawMessage(model.ToJSON(args))}
}

// pretty indents JSON for a textarea.
func pretty(raw []byte) string {
	var b bytes.Buffer
	if json.Indent(&b, raw, "", "  ") != nil {
		return string(raw)
	}
	return b.String()
}

// eventChoices are the kinds of events that rules may name.
func (con *Console) eventChoices(c *gin.Context) []choice {
	var out []choice
	for _, kind := range event.Kinds() {
		out = append(out, choice{kind, event.KindName(web.Lang(c.Request.Context()), kind)})
	}
	return out
}

// crowd is a condition on tags as its form shows it.
type crowd struct {
	Tags     []string // ids; who holds all, or any, of them
	Any      bool
	Without  []string // who holds none of them
	Joined   bool     // registered members only
	Follower bool     // followers only
}

// tree is the condition of the crowd.
func (w crowd) tree() condition.Tree {
	var parts []condition.Tree
	if w.Joined {
		parts = append(parts, condition.Is("member", map[string]any{"field": "joined", "value": true}))
	}
	if w.Follower {
		parts = append(parts, condition.Is("member", map[string]any{"field": "follower", "value": true}))
	}
	held := holds(w.Tags)
	if w.Any && len(held) > 1 {
		parts = append(parts, condition.Tree{Any: held})
	} else {
		parts = append(parts, held...)
	}
	for _, t := range holds(w.Without) {
		parts = append(parts, condition.Tree{Not: &t})
	}
	return condition.And(parts...)
}

func holds(ids []string) []condition.Tree {
	var out []condition.Tree
	for _, id := range ids {
		out = append(out, condition.Is("tag", map[string]any{"tag_id": id}))
	}
	return out
}

// crowdOf reads a condition back; false if the form cannot show it.
func crowdOf(raw []byte) (w crowd, ok bool) {
	var t condition.Tree
	if json.Unmarshal(raw, &t) != nil {
		return w, false
	}
	parts := t.All
	if t.Leaf != "" || t.Not != nil || t.Any != nil {
		parts = []condition.Tree{t}
	}
	for _, p := range parts {
		if !w.take(p) {
			return crowd{}, false
		}
	}
	return w, true
}

func (w *crowd) take(p condition.Tree) bool {
	switch {
	case p.Any != nil && len(w.Tags) == 0:
		w.Any = true
		for _, kid := range p.Any {
			id, ok := tagOf(kid)
			if !ok {
				return false
			}
			w.Tags = append(w.Tags, id)
		}
		return true
	case p.Not != nil:
		id, ok := tagOf(*p.Not)
		w.Without = append(w.Without, id)
		return ok
	case p.Leaf == "member":
		return w.takeMember(p.Args)
	}
	id, ok := tagOf(p)
	if !ok || w.Any {
		return false
	}
	w.Tags = append(w.Tags, id)
	return true
}

func (w *crowd) takeMember(raw json.RawMessage) bool {
	var a struct {
		Field string `json:"field"`
		Value any    `json:"value"`
	}
	if !exactly(raw, &a) || a.Value != true {
		return false
	}
	switch a.Field {
	case "joined":
		w.Joined = true
	case "follower":
		w.Follower = true
	default:
		return false
	}
	return true
}

func tagOf(t condition.Tree) (string, bool) {
	var a struct {
		TagID string `json:"tag_id"`
	}
	return a.TagID, t.Leaf == "tag" && exactly(t.Args, &a) && a.TagID != ""
}

// shapeAudience is the choice of a saved audience.
const shapeAudience = "audience"

// audienceOf is the id of the audience that a condition is.
func audienceOf(raw []byte) (string, bool) {
	var a struct {
		Leaf       string `json:"leaf"`
		AudienceID string `json:"audience_id"`
	}
	return a.AudienceID, exactly(raw, &a) && a.Leaf == "audience"
}

// writeCrowd fills the controls of a broadcast's condition.
func writeCrowd(v url.Values, raw []byte) {
	v.Set("condition", pretty(raw))
	if id, ok := audienceOf(raw); ok {
		v.Set("shape", shapeAudience)
		v.Set("audience", id)
		return
	}
	w, ok := crowdOf(raw)
	if !ok {
		v.Set("shape", shapeJSON)
		return
	}
	v.Set("shape", shapeTags)
	v["tags"], v["without"] = w.Tags, w.Without
	v.Set("match", "all")
	if w.Any {
		v.Set("match", "any")
	}
	if w.Joined {
		v.Set("joined", "on")
	}
	if w.Follower {
		v.Set("follower", "on")
	}
}

// readCrowd makes the condition of a broadcast from its controls.
func readCrowd(f *Form) ([]byte, error) {
	if f.Get("shape") == shapeJSON {
		return []byte(f.Get("condition")), nil
	}
	if f.Get("shape") == shapeAudience {
		f.from("condition.audience_id", "audience")
		return model.ToJSON(condition.Is("audience", map[string]any{"audience_id": f.Get("audience")})), nil
	}
	w := crowd{Tags: f.Values["tags"], Any: f.Get("match") == "any", Without: f.Values["without"], Joined: f.On("joined"), Follower: f.On("follower")}
	for _, id := range w.Tags {
		if slices.Contains(w.Without, id) {
			return nil, errs.Field("without", "console.both_ways")
		}
	}
	return model.ToJSON(w.tree()), nil
}
