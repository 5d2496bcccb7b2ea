package open

import (
	"context"
	"net/http"

	"github.com/siyu-scrm/siyu/app/deduction"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

type holdIn struct {
	Body struct {
		Member    Ref    `json:"member"`
		Key       string `json:"key" minLength:"1" maxLength:"80" example:"hold-DY20261120001" doc:"Your own: the same key again returns the first hold."`
		Order     string `json:"order" minLength:"1" maxLength:"64" example:"DY20261120001"`
		AmountFen int64  `json:"amount_fen" minimum:"0" example:"6000" doc:"Goods after member price and coupon, without shipping"`
		Points    int64  `json:"points" minimum:"1" example:"100" doc:"Whole units, as GET /api/v1/deduction quotes them to the member"`
	}
}

// Hold is points set aside for an order.
type Hold struct {
	ID       web.ID    `json:"id"`
	MemberID web.ID    `json:"member_id"`
	Order    string    `json:"order" example:"DY20261120001"`
	Points   int64     `json:"points" example:"100"`
	Fen      int64     `json:"fen" example:"100" doc:"What they pay"`
	State    string    `json:"state" enum:"held,committed,released"`
	Until    web.Time  `json:"until" doc:"Released by itself from then on"`
	EndedAt  *web.Time `json:"ended_at"`
}

func hold(h *model.Hold) *web.Out[Hold] {
	return &web.Out[Hold]{Body: Hold{
		ID: web.IDOf(h.ID), MemberID: web.IDOf(h.MemberID), Order: h.Ref, Points: h.Amount, Fen: h.Worth, State: h.State, Until: web.At(h.Until),
		EndedAt: web.AtPtr(h.EndedAt),
	}}
}

type holdID struct {
	ID web.ID `path:"id"`
}

func (h *handler) holds(api *web.API) {
	o := op(operator.OpenHolds, http.MethodPost, "/holds", "Hold a member's points for an order that is not paid yet", http.StatusNotFound, http.StatusConflict)
	o.Description = "409 DEDUCTION_LIMIT (details: limit, in points), INSUFFICIENT_POINTS or POINTS_DEBT (short_by). Held points cannot be used and do not expire; they are given back when the time is over."
	o.DefaultStatus = http.StatusCreated
	web.Write(api, o, h.postHold)
	web.Read(api, op(operator.OpenHolds, http.MethodGet, "/holds/{id}", "A hold as it stands", http.StatusNotFound), h.getHold)
	o = op(operator.OpenHolds, http.MethodPost, "/holds/{id}/commit", "The order was paid: spend what is held", http.StatusNotFound, http.StatusConflict)
	web.Write(api, o, h.end(true))
	o = op(operator.OpenHolds, http.MethodPost, "/holds/{id}/release", "The order was cancelled: give back what is held", http.StatusNotFound, http.StatusConflict)
	web.Write(api, o, h.end(false))
}

func (h *handler) postHold(ctx context.Context, in *holdIn) (*web.Out[Hold], error) {
	b := in.Body
	m, err := h.Members.Find(ctx, b.Member.ref())
	if err != nil {
		return nil, err
	}
	row, err := h.Deduction.Hold(ctx, deduction.Order{MemberID: m.ID, Ref: b.Order, GoodsFen: b.AmountFen, Points: b.Points, Key: b.Key})
	if err != nil {
		return nil, err
	}
	return hold(row), nil
}

func (h *handler) getHold(ctx context.Context, in *holdID) (*web.Out[Hold], error) {
	row, err := h.Deduction.Get(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	return hold(row), nil
}

func (h *handler) end(commit bool) func(context.Context, *holdID) (*web.Out[Hold], error) {
	return func(ctx context.Context, in *holdID) (*web.Out[Hold], error) {
		row, err := h.Deduction.End(ctx, in.ID.Int(), commit)
		if err != nil {
			return nil, err
		}
		return hold(row), nil
	}
}
