package open

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

// dataLimit bounds the facts of one behaviour, in bytes.
const dataLimit = 16 << 10

// Data is an object of facts that rules can name.
type Data json.RawMessage

// MarshalJSON implements json.Marshaler.
func (d Data) MarshalJSON() ([]byte, error) { return json.RawMessage(d).MarshalJSON() }

// UnmarshalJSON implements json.Unmarshaler.
func (d *Data) UnmarshalJSON(b []byte) error { return (*json.RawMessage)(d).UnmarshalJSON(b) }

// Schema implements huma.SchemaProvider.
func (Data) Schema(huma.Registry) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true, Examples: []any{map[string]any{"group": "美妆一群", "count": 1}}}
	s.PrecomputeMessages()
	return s
}

type behaviorIn struct {
	Body struct {
		Member     Ref       `json:"member"`
		Action     string    `json:"action" minLength:"1" maxLength:"23" example:"group.talk" doc:"What he did; rules name it as behavior.<action>"`
		Key        string    `json:"key" minLength:"1" maxLength:"96" example:"2026-11-23-0001" doc:"Your own number of it: the same key again changes nothing."`
		OccurredAt *web.Time `json:"occurred_at,omitempty" doc:"When he did it; now if absent. At most five minutes ahead."`
		Data       Data      `json:"data,omitempty"`
	}
}

type recorded struct {
	Status int
	Body   Recorded
}

// Recorded is what became of a behaviour.
type Recorded struct {
	EventID web.ID  `json:"event_id"`
	New     bool    `json:"new" doc:"false: it was recorded before, nothing changed"`
	Grants  []Grant `json:"grants" doc:"What it earned"`
}

// Grant is something that a behaviour earned: an amount in an account, a tag, or coupons.
type Grant struct {
	Account string `json:"account,omitempty" example:"points"`
	Amount  int64  `json:"amount" example:"3"`
	Balance int64  `json:"balance" doc:"Of the account, afterwards"`
	Tag     string `json:"tag,omitempty"`
	Coupon  string `json:"coupon,omitempty" doc:"Name of a coupon; amount says how many"`
	RuleID  web.ID `json:"rule_id"`
	Rule    string `json:"rule"`
	Bonus   bool   `json:"bonus"`
	Note    string `json:"note,omitempty" example:"DAILY_CAP"`
}

func (h *handler) behaviors(api *web.API) {
	o := op(operator.OpenBehaviors, http.MethodPost, "/behaviors", "Record what a member did elsewhere", http.StatusNotFound, http.StatusConflict)
	o.Description = "201 for a new one, 200 for a repeat of the key with the same content, 409 for the key with another content. Who has not registered yet is recorded and earns nothing. " +
		"Three actions do more than trigger rules: group.talk with data.group, a group's id or name, counts as taking part in it (community.interacted); " +
		"live.enter and live.leave with data.session, a live session's id, count as watching between them, in its window (live.watched once it was long enough). " +
		"Give data.visit where one person's visits may overlap or arrive out of order."
	o.DefaultStatus = http.StatusCreated
	o.Responses = map[string]*huma.Response{"200": {Description: "It was recorded before"}}
	o.RequestBody = &huma.RequestBody{Content: map[string]*huma.MediaType{"application/json": {Example: map[string]any{
		"member": map[string]any{"no": "1234567890"}, "action": "group.talk", "key": "2026-11-23-0001", "data": map[string]any{"group": "美妆一群", "count": 1},
	}}}}
	web.Write(api, o, h.postBehavior)
}

func (h *handler) postBehavior(ctx context.Context, in *behaviorIn) (*recorded, error) {
	b := in.Body
	if len(b.Data) > dataLimit {
		return nil, errs.Field("data", "handlers.data_size", "limit", dataLimit)
	}
	at, err := instant("occurred_at", b.OccurredAt)
	if err != nil {
		return nil, err
	}
	m, err := h.Members.Find(ctx, b.Member.ref())
	if err != nil {
		return nil, err
	}
	r, err := h.Events.Record(ctx, "open", event.Behavior{
		MemberID: m.ID, Action: b.Action, Key: b.Key, OccurredAt: at, Data: model.ToJSON(condition.DataFields(b.Data)), // in one order, for repeats
	}, h.Members.SeenTx)
	if err != nil {
		return nil, err
	}
	out := &recorded{Status: http.StatusOK, Body: Recorded{EventID: web.IDOf(r.EventID), New: r.New, Grants: grantsOf(r.Grants)}}
	if r.New {
		out.Status = http.StatusCreated
	}
	return out, nil
}

// instant refuses times that no programme knows; nil is the zero time.
func instant(field string, t *web.Time) (time.Time, error) {
	if t == nil {
		return time.Time{}, nil
	}
	if y := t.UTC().Year(); y < 2000 || y > 2199 {
		return time.Time{}, errs.Field(field, "handlers.time")
	}
	return t.Time, nil
}
