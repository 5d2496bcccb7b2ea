package admin

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/handler/web"
)

// Condition is a condition tree as it is written.
type Condition json.RawMessage

// MarshalJSON implements json.Marshaler.
func (c Condition) MarshalJSON() ([]byte, error) {
	if len(c) == 0 {
		return []byte("{}"), nil
	}
	return json.RawMessage(c).MarshalJSON()
}

// UnmarshalJSON implements json.Unmarshaler.
func (c *Condition) UnmarshalJSON(b []byte) error { return (*json.RawMessage)(c).UnmarshalJSON(b) }

// conditionDoc names every leaf: TestEveryLeafIsDocumented.
const conditionDoc = `{"all":[…]}, {"any":[…]}, {"not":{…}}, or a leaf; {} is everybody. op is gte, lte or eq; windows such as 30d or 12h are rolling and exact, and may be left out. The leaves:

- {"leaf":"tag","tag_id":"1"}: holds the tag
- {"leaf":"audience","audience_id":"2"}: is in the saved audience
- {"leaf":"member","field":"joined","value":true}; field is joined, follower, opted_out (true, false), gender, channel (first touch), last_channel (a channel's code), or, with op, age and joined_days (a number)
- {"leaf":"tier","at_least":"3"} or {"leaf":"tier","in":["2","3"]}
- {"leaf":"account","account":"points","basis":"lifetime","op":"gte","value":1000}; basis is available (default) or lifetime
- {"leaf":"did","event":"checkin.done","op":"gte","count":15,"window":"30d"}; with field and value only events whose data say so: {"leaf":"did","event":"radar.viewed","field":"kind","value":"new-product","op":"gte","count":2,"window":"30d"}
- {"leaf":"orders","measure":"count","op":"gte","value":2,"window":"365d","category":"serum"}; measure is count, amount (fen paid, net of refunds) or days (calendar days since the last order; no window); count and days may be of a product (part of its name), category or sku
- {"leaf":"running_low","product":"serum","cycle_days":60,"ahead_days":10}: the last purchase is nearly used up
- {"leaf":"inactive","op":"gte","days":60}: calendar days without any activity
- {"leaf":"active_days","op":"gte","count":4,"days":30}: active on so many of the last days
- {"leaf":"birthday","scope":"day"}; scope is day, week or month; feb29 is feb28 (default) or mar1
- {"leaf":"calendar","weekdays":[3],"month_days":[1,-1],"short":"skip","dates":["2026-11-11"],"from":"20:00","to":"24:00"}: the moment, any part of it left out
- {"leaf":"form","form_id":"1"} or {"leaf":"form","option_id":"12"}: answered the form, chose the option
- {"leaf":"group","group_id":"1"}: is in the community group
- {"leaf":"random","percent":10,"salt":"a"}: a part of all people, the same ones for the same salt

Where something happened, as in rules:

- {"leaf":"event.field","field":"correct","op":"eq","value":true}; op also ne and in
- {"leaf":"event.text","contains_any":["…"],"equals_any":["…"],"excludes":["…"],"account":"oa"}: words of a message`

// Schema implements huma.SchemaProvider. The registry checks what is in it: it knows the leaves.
func (Condition) Schema(huma.Registry) *huma.Schema {
	s := &huma.Schema{
		Type: huma.TypeObject, AdditionalProperties: true,
		Description: conditionDoc,
		Examples:    []any{map[string]any{"leaf": "member", "field": "joined", "value": true}},
	}
	s.PrecomputeMessages()
	return s
}

// tree reads a condition; an absent one is everybody.
func (h *handler) tree(c Condition) (condition.Tree, error) {
	if len(c) == 0 {
		return condition.Tree{}, nil
	}
	return h.Conditions.Parse(c)
}

func conditionOf(t condition.Tree) Condition {
	b, err := t.MarshalJSON()
	if err != nil { // was read from JSON
		panic(err)
	}
	return b
}

type conditionIn struct {
	Body struct {
		Condition Condition `json:"condition"`
	}
}

// Checked is a condition that can be used, in words.
type Checked struct {
	Sentence   string   `json:"sentence" example:"是会员"`
	Leaves     []string `json:"leaves" example:"[\"member\"]"`
	NeedsEvent bool     `json:"needs_event" doc:"true: for rules only, it cannot select an audience"`
}

// Count is the size of an audience.
type Count struct {
	Count int64 `json:"count" example:"42"`
}

// Named is a code with its name in the caller's language.
type Named struct {
	Code string `json:"code" example:"checkin.done"`
	Name string `json:"name" example:"签到"`
}

func (h *handler) conditions(api *web.API) {
	web.Read(api, op(operator.ProgrammeRead, http.MethodPost, "/conditions/check", "Check a condition and say it in words"), h.checkCondition)
	web.Read(api, op(operator.ProgrammeRead, http.MethodPost, "/audience/count", "Count who meets a condition now"), h.countAudience)
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/events/kinds", "The kinds of events that rules may name"), h.getKinds)
}

func (h *handler) checkCondition(ctx context.Context, in *conditionIn) (*web.Out[Checked], error) {
	t, err := h.tree(in.Body.Condition)
	if err != nil {
		return nil, err
	}
	r := h.DB.Reader(ctx)
	if err := h.Conditions.Check(ctx, r, t); err != nil {
		return nil, err
	}
	out := Checked{Leaves: h.Conditions.Leaves(t), NeedsEvent: h.Conditions.EventScoped(t)}
	if out.Leaves == nil {
		out.Leaves = []string{}
	}
	out.Sentence, err = h.Conditions.Sentence(ctx, r, web.Lang(ctx), t)
	return &web.Out[Checked]{Body: out}, err
}

func (h *handler) countAudience(ctx context.Context, in *conditionIn) (*web.Out[Count], error) {
	t, err := h.tree(in.Body.Condition)
	if err != nil {
		return nil, err
	}
	n, err := h.Audience.Count(ctx, t)
	return &web.Out[Count]{Body: Count{n}}, err
}

func (h *handler) getKinds(ctx context.Context, _ *web.None) (*web.Out[web.List[Named]], error) {
	kinds := event.Kinds()
	out := web.List[Named]{Items: make([]Named, len(kinds))}
	for i, k := range kinds {
		out.Items[i] = Named{k, event.KindName(web.Lang(ctx), k)}
	}
	return &web.Out[web.List[Named]]{Body: out}, nil
}
