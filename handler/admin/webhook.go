package admin

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/webhook"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

// Webhook is an address that is told of events.
type Webhook struct {
	ID        web.ID    `json:"id"`
	URL       string    `json:"url" example:"https://shop.example.com/siyu"`
	Kinds     []string  `json:"kinds" doc:"Kinds of events; empty: all"`
	State     string    `json:"state" example:"active" doc:"active or off"`
	Reason    string    `json:"reason" doc:"Why it is off: operator, gone (it answered 410) or failing (nothing got through for three days)"`
	OldUntil  *web.Time `json:"old_until" doc:"Until then the former secret signs beside the present one"`
	CreatedAt web.Time  `json:"created_at"`
	UpdatedAt web.Time  `json:"updated_at"`
}

func webhookView(e model.WebhookEndpoint) Webhook {
	v := Webhook{
		ID: web.IDOf(e.ID), URL: e.URL, Kinds: []string{}, State: e.State, Reason: e.Reason, OldUntil: web.AtPtr(e.OldUntil),
		CreatedAt: web.At(e.CreatedAt), UpdatedAt: web.At(e.UpdatedAt),
	}
	_ = e.Kinds.Into(&v.Kinds) // written by us as a list
	return v
}

// NewWebhook is an endpoint with its secret.
type NewWebhook struct {
	Webhook
	Secret string `json:"secret" doc:"Shown once: whsec_ and the key in base64"`
}

// WebhookBody is an endpoint as an operator writes it.
type WebhookBody struct {
	URL   string   `json:"url" minLength:"8" maxLength:"500" example:"https://93.184.216.34/siyu" doc:"https; an address that is not public is refused unless the settings allow it"`
	Kinds []string `json:"kinds,omitempty" maxItems:"50" example:"checkin.done,quiz.answered" doc:"As GET /admin/v1/events/kinds names them, alert.raised (a send paused itself, was missed, or WeChat does not answer a mass send), message.send, member.erased or behavior.*; all if absent"`
	Off   bool     `json:"off,omitempty" doc:"true: it is told of nothing"`
}

type webhookIn struct{ Body WebhookBody }

type webhookPut struct {
	ID   web.ID `path:"id"`
	Body WebhookBody
}

// WebhookDelivery is an event that an endpoint is told of.
type WebhookDelivery struct {
	ID        web.ID    `json:"id"`
	WebhookID web.ID    `json:"webhook_id"`
	EventID   web.ID    `json:"event_id"`
	Kind      string    `json:"kind" example:"checkin.done"`
	State     string    `json:"state" example:"done" doc:"pending, done or failed"`
	Attempts  int       `json:"attempts"`
	DueAt     web.Time  `json:"due_at" doc:"Of a pending one: the next attempt"`
	Error     string    `json:"error" doc:"Of the last attempt"`
	CreatedAt web.Time  `json:"created_at"`
	DoneAt    *web.Time `json:"done_at"`
}

func webhookDelivery(d model.WebhookDelivery) WebhookDelivery {
	return WebhookDelivery{
		web.IDOf(d.ID), web.IDOf(d.EndpointID), web.IDOf(d.EventID), d.Kind, d.State, d.Attempts, web.At(d.DueAt), d.Error, web.At(d.CreatedAt), web.AtPtr(d.DoneAt),
	}
}

// WebhookAttempt is one call.
type WebhookAttempt struct {
	At      web.Time `json:"at"`
	Status  int      `json:"status" example:"200" doc:"HTTP; 0: no answer"`
	TookMS  int64    `json:"took_ms" example:"35"`
	Error   string   `json:"error"`
	Excerpt string   `json:"excerpt" doc:"The beginning of the answer"`
}

// WebhookStory is a delivery with every call and what is sent.
type WebhookStory struct {
	WebhookDelivery
	Log  []WebhookAttempt `json:"log"`
	Body json.RawMessage  `json:"body" doc:"null: the event was erased"`
}

type webhookDeliveriesIn struct {
	ID web.ID `path:"id"`
	web.Paging
	State string `query:"state" enum:"pending,done,failed"`
	Kind  string `query:"kind" maxLength:"32"`
}

type replayIn struct {
	ID   web.ID `path:"id"`
	Body struct {
		From  web.Time `json:"from" doc:"Of the deliveries' making"`
		To    web.Time `json:"to"`
		State string   `json:"state,omitempty" enum:"failed,all" default:"failed"`
	}
}

// Replayed counts.
type Replayed struct {
	Count int64 `json:"count"`
	More  bool  `json:"more" doc:"true: call again for the rest"`
}

func (h *handler) webhooks(api *web.API) {
	web.Read(api, op(operator.Settings, http.MethodGet, "/webhooks", "The addresses that are told of events"), h.getWebhooks)
	o := post(operator.Settings, "/webhooks", "Tell an address of events", http.StatusConflict)
	o.Description = "Each call has webhook-id, webhook-timestamp and webhook-signature (Standard Webhooks, v1: HMAC-SHA256 of id.timestamp.body). " +
		"Any 2xx within 15 s accepts; else it is called again after 5 s, 5 m, 30 m, 2 h, 5 h, 10 h, 14 h, 20 h and 24 h, or later where Retry-After says so; 410 ends it. " +
		"At least once: the same webhook-id is the same event. Order is not promised."
	web.Write(api, o, h.postWebhook)
	web.Write(api, op(operator.Settings, http.MethodPut, "/webhooks/{id}", "Change an endpoint, or switch it off and on", http.StatusNotFound), h.putWebhook)
	web.Write(api, op(operator.Settings, http.MethodDelete, "/webhooks/{id}", "End an endpoint", http.StatusNotFound), h.deleteWebhook)
	o = op(operator.Settings, http.MethodPost, "/webhooks/{id}/secret", "Give it another secret", http.StatusNotFound)
	o.Description = "The former one signs beside it for 24 hours."
	web.Write(api, o, h.rotateWebhook)
	web.Read(api, op(operator.Settings, http.MethodGet, "/webhooks/{id}/deliveries", "What it was told, newest first", http.StatusNotFound), h.getWebhookDeliveries)
	o = op(operator.Settings, http.MethodPost, "/webhooks/{id}/replay", "Tell it again what failed, or all, of a time", http.StatusNotFound, http.StatusConflict)
	web.Write(api, example(o, map[string]any{"from": "2026-11-23T00:00:00+08:00", "to": "2026-11-24T00:00:00+08:00"}), h.replayWebhook)
	web.Read(api, op(operator.Settings, http.MethodGet, "/webhook-deliveries/{id}", "One delivery with every call and the body", http.StatusNotFound), h.getWebhookDelivery)
	o = op(operator.Settings, http.MethodPost, "/webhook-deliveries/{id}/replay", "Make one delivery again", http.StatusNotFound, http.StatusConflict)
	web.Write(api, o, h.replayDelivery)
}

func (b WebhookBody) input() webhook.Input {
	return webhook.Input{URL: b.URL, Kinds: b.Kinds, Off: b.Off}
}

func (h *handler) getWebhooks(ctx context.Context, _ *web.None) (*web.Out[web.List[Webhook]], error) {
	rows, err := h.Webhooks.List(ctx)
	return listed(rows, webhookView), err
}

func (h *handler) postWebhook(ctx context.Context, in *webhookIn) (*web.Out[NewWebhook], error) {
	return newWebhook(h.Webhooks.Create(ctx, web.Actor(ctx), in.Body.input()))
}

func (h *handler) putWebhook(ctx context.Context, in *webhookPut) (*web.Out[Webhook], error) {
	e, err := h.Webhooks.Change(ctx, web.Actor(ctx), in.ID.Int(), in.Body.input())
	if err != nil {
		return nil, err
	}
	return &web.Out[Webhook]{Body: webhookView(*e)}, nil
}

func (h *handler) deleteWebhook(ctx context.Context, in *byID) (*web.None, error) {
	return nil, h.Webhooks.Delete(ctx, web.Actor(ctx), in.ID.Int())
}

func (h *handler) rotateWebhook(ctx context.Context, in *byID) (*web.Out[NewWebhook], error) {
	return newWebhook(h.Webhooks.Rotate(ctx, web.Actor(ctx), in.ID.Int()))
}

func newWebhook(m *webhook.Made, err error) (*web.Out[NewWebhook], error) {
	if err != nil {
		return nil, err
	}
	return &web.Out[NewWebhook]{Body: NewWebhook{webhookView(m.WebhookEndpoint), m.Secret}}, nil
}

func (h *handler) getWebhookDeliveries(ctx context.Context, in *webhookDeliveriesIn) (*web.Out[web.List[WebhookDelivery]], error) {
	if _, err := h.Webhooks.Get(ctx, in.ID.Int()); err != nil {
		return nil, err
	}
	before, err := after(in.Paging)
	if err != nil {
		return nil, err
	}
	rows, err := h.Webhooks.Deliveries(ctx, webhook.Query{EndpointID: in.ID.Int(), State: in.State, Kind: in.Kind, Before: before, Limit: in.Limit + 1})
	if err != nil {
		return nil, err
	}
	list := web.ListOf(rows, in.Limit, webhookDelivery, func(d model.WebhookDelivery) []any { return []any{d.ID} })
	return &web.Out[web.List[WebhookDelivery]]{Body: list}, nil
}

func (h *handler) getWebhookDelivery(ctx context.Context, in *byID) (*web.Out[WebhookStory], error) {
	d, err := h.Webhooks.Delivery(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	v := WebhookStory{WebhookDelivery: webhookDelivery(d.WebhookDelivery), Log: make([]WebhookAttempt, len(d.Attempts)), Body: d.Body}
	for i, a := range d.Attempts {
		v.Log[i] = WebhookAttempt{web.At(a.At), a.Status, a.TookMS, a.Error, a.Excerpt}
	}
	return &web.Out[WebhookStory]{Body: v}, nil
}

func (h *handler) replayDelivery(ctx context.Context, in *byID) (*web.Out[WebhookDelivery], error) {
	d, err := h.Webhooks.Replay(ctx, web.Actor(ctx), in.ID.Int())
	if err != nil {
		return nil, err
	}
	return &web.Out[WebhookDelivery]{Body: webhookDelivery(*d)}, nil
}

func (h *handler) replayWebhook(ctx context.Context, in *replayIn) (*web.Out[Replayed], error) {
	var at [2]time.Time
	for i, t := range []web.Time{in.Body.From, in.Body.To} {
		when, err := instant([]string{"from", "to"}[i], &t)
		if err != nil {
			return nil, err
		}
		at[i] = *when
	}
	r, err := h.Webhooks.ReplayRange(ctx, web.Actor(ctx), in.ID.Int(), webhook.Range{From: at[0], To: at[1], All: in.Body.State == "all"})
	return &web.Out[Replayed]{Body: Replayed(r)}, err
}
