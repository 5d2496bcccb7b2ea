package admin

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/risk"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

// Risk is something that an operator should look at.
type Risk struct {
	ID       web.ID    `json:"id"`
	Kind     string    `json:"kind" example:"order.claim_taken"`
	Says     string    `json:"says" example:"认领了他人的订单" doc:"The kind as a sentence"`
	Subject  string    `json:"subject" example:"order:7" doc:"What it is about"`
	MemberID web.ID    `json:"member_id" doc:"0: nobody's"`
	Data     any       `json:"data" doc:"Its facts"`
	At       web.Time  `json:"at"`
	DoneAt   *web.Time `json:"done_at" doc:"null: nobody looked at it yet"`
}

func riskView(ctx context.Context, r model.Risk) Risk {
	return Risk{
		web.IDOf(r.ID), r.Kind, templates.T(web.Lang(ctx), "risk.kind."+r.Kind, nil), r.Subject, web.IDOf(r.MemberID), json.RawMessage(r.Data), web.At(r.At), web.AtPtr(r.DoneAt),
	}
}

type risksIn struct {
	web.Paging
	Kind     string     `query:"kind" maxLength:"32" example:"order.claim_taken"`
	MemberID OptionalID `query:"member_id"`
	Done     string     `query:"done" enum:"true,false" doc:"Looked at or not"`
}

func (h *handler) risks(api *web.API) {
	web.Read(api, op(operator.MembersRead, http.MethodGet, "/risks", "What operators should look at, newest first"), h.getRisks)
	web.Write(api, op(operator.MembersWrite, http.MethodPost, "/risks/{id}/done", "Say that it was looked at", http.StatusNotFound), h.postRiskDone)
}

func (h *handler) getRisks(ctx context.Context, in *risksIn) (*web.Out[web.List[Risk]], error) {
	before, err := after(in.Paging)
	if err != nil {
		return nil, err
	}
	q := risk.Query{Kind: in.Kind, Before: before, Limit: in.Limit + 1}
	if q.MemberID, err = ref("member_id", in.MemberID); err != nil {
		return nil, err
	}
	if in.Done != "" {
		done := in.Done == "true"
		q.Done = &done
	}
	rows, err := h.Risks.List(ctx, q)
	if err != nil {
		return nil, err
	}
	list := web.ListOf(rows, in.Limit, func(r model.Risk) Risk { return riskView(ctx, r) }, func(r model.Risk) []any { return []any{r.ID} })
	return &web.Out[web.List[Risk]]{Body: list}, nil
}

func (h *handler) postRiskDone(ctx context.Context, in *byID) (*web.Out[Risk], error) {
	ctx = audited(ctx, h, "risk.done", map[string]any{"done_at": nil}, func(r model.Risk) (string, any) {
		return object("risk", r.ID), map[string]any{"done_at": web.AtPtr(r.DoneAt)}
	})
	r, err := h.Risks.Done(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	return &web.Out[Risk]{Body: riskView(ctx, *r)}, nil
}
