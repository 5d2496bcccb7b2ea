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

// Schema implements huma.SchemaProvider. The registry checks what is in it: it knows the leaves.
func (Condition) Schema(huma.Registry) *huma.Schema {
	s := &huma.Schema{
		Type: huma.TypeObject, AdditionalProperties: true,
		Description: `{"all":[…]}, {"any":[…]}, {"not":{…}} or a leaf: {"leaf":"did","event":"checkin.done","op":"gte","count":15,"window":"30d"}, counted where a field of the event has a value: {"leaf":"did","event":"radar.viewed","field":"kind","value":"new-product","op":"gte","count":2,"window":"30d"}, ` +
			`{"leaf":"tag","tag_id":"1"}, {"leaf":"member","field":"joined","value":true}, {"leaf":"event.text","contains_any":["…"],"excludes":["…"]}, ` +
			`{"leaf":"event.field","field":"correct","op":"eq","value":true}, {"leaf":"form","form_id":"1"}, {"leaf":"form","option_id":"12"}, {"leaf":"random","percent":10,"salt":"a"}. {} is everybody.`,
		Examples: []any{map[string]any{"leaf": "member", "field": "joined", "value": true}},
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
