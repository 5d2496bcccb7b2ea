package admin

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

// Audit is one change by an operator or a script.
type Audit struct {
	ID     web.ID          `json:"id"`
	Actor  string          `json:"actor" example:"key:1"`
	Action string          `json:"action" example:"rule.update"`
	Object string          `json:"object" example:"rule:1"`
	Before json.RawMessage `json:"before"`
	After  json.RawMessage `json:"after"`
	At     web.Time        `json:"at"`
}

// Key is an API key.
type Key struct {
	ID        web.ID   `json:"id"`
	Name      string   `json:"name" example:"shop"`
	Scopes    []string `json:"scopes"`
	CreatedAt web.Time `json:"created_at"`
}

// NewKey is an API key as made.
type NewKey struct {
	ID     web.ID   `json:"id"`
	Name   string   `json:"name" example:"shop"`
	Scopes []string `json:"scopes"`
	Token  string   `json:"token" doc:"Shown once"`
}

type keyIn struct {
	Body struct {
		Name   string   `json:"name" minLength:"1" maxLength:"64" example:"shop"`
		Scopes []string `json:"scopes" minItems:"1" maxItems:"32" example:"open.behaviors.write,open.members.read" doc:"Rights, or admin for all of them, or open for those of the open API. Nobody gives more than he holds."`
	}
}

func (h *handler) system(api *web.API) {
	web.Read(api, op(operator.AuditRead, http.MethodGet, "/audits", "Who changed what, newest first, with before and after"), h.getAudits)
	web.Read(api, op(operator.Operators, http.MethodGet, "/api-keys", "The API keys, without their tokens"), h.getKeys)
	web.Write(api, post(operator.Operators, "/api-keys", "Make an API key", http.StatusConflict), h.postKey)
	web.Write(api, op(operator.Operators, http.MethodDelete, "/api-keys/{id}", "End an API key at once", http.StatusNotFound), h.deleteKey)
	h.operators(api)
	h.verify(api)
}

type auditsIn struct {
	web.Paging
	Actor  string    `query:"actor" maxLength:"64" example:"operator:1"`
	Object string    `query:"object" maxLength:"128" example:"rule:1" doc:"rule:1, or rule for all rules"`
	Action string    `query:"action" maxLength:"64" example:"rule.update" doc:"rule.update, or rule for all that was done to rules"`
	From   time.Time `query:"from" doc:"From then on"`
	To     time.Time `query:"to" doc:"Before then"`
}

func (h *handler) getAudits(ctx context.Context, in *auditsIn) (*web.Out[web.List[Audit]], error) {
	before, err := after(in.Paging)
	if err != nil {
		return nil, err
	}
	rows, err := h.Operators.Audits(ctx, operator.AuditQuery{
		Actor: in.Actor, Object: in.Object, Action: in.Action, From: in.From, To: in.To, Before: before, Limit: in.Limit + 1,
	})
	if err != nil {
		return nil, err
	}
	view := func(a model.Audit) Audit {
		return Audit{web.IDOf(a.ID), a.Actor, a.Action, a.Object, raw(a.Before), raw(a.After), web.At(a.At)}
	}
	return &web.Out[web.List[Audit]]{Body: web.ListOf(rows, in.Limit, view, func(a model.Audit) []any { return []any{a.ID} })}, nil
}

func (h *handler) getKeys(ctx context.Context, _ *web.None) (*web.Out[web.List[Key]], error) {
	rows, err := h.Operators.Keys(ctx)
	return listed(rows, func(k model.APIKey) Key {
		return Key{web.IDOf(k.ID), k.Name, strings.Fields(k.Scopes), web.At(k.CreatedAt)}
	}), err
}

func (h *handler) postKey(ctx context.Context, in *keyIn) (*web.Out[NewKey], error) {
	k, err := h.Operators.CreateKey(ctx, web.Caller(ctx), in.Body.Name, in.Body.Scopes)
	if err != nil {
		return nil, err
	}
	return &web.Out[NewKey]{Body: NewKey{web.IDOf(k.ID), k.Name, k.Scopes, k.Token}}, nil
}

func (h *handler) deleteKey(ctx context.Context, in *byID) (*web.None, error) {
	return nil, h.Operators.DeleteKey(ctx, web.Actor(ctx), in.ID.Int())
}
