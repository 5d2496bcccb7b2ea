package member

import (
	"context"
	"net/http"

	"github.com/siyu-scrm/siyu/app/order"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

// Order is an order of mine.
type Order struct {
	Platform    string    `json:"platform" example:"douyin"`
	Name        string    `json:"platform_name" example:"抖音"`
	OrderNo     string    `json:"order_no" example:"DY20261120001"`
	Status      string    `json:"status" example:"paid"`
	StatusName  string    `json:"status_name" example:"已付款"`
	AmountFen   int64     `json:"amount_fen" example:"26850" doc:"Net goods paid"`
	RefundedFen int64     `json:"refunded_fen"`
	NetFen      int64     `json:"net_fen" example:"26850"`
	PaidAt      *web.Time `json:"paid_at"`
}

// Claim is an order that I said is mine.
type Claim struct {
	ID        web.ID    `json:"id"`
	Platform  string    `json:"platform" example:"douyin"`
	Name      string    `json:"platform_name" example:"抖音"`
	OrderNo   string    `json:"order_no" example:"DY20261120001"`
	State     string    `json:"state" example:"PENDING" doc:"PENDING, DONE, REFUSED or LAPSED"`
	StateName string    `json:"state_name" example:"待同步"`
	Code      string    `json:"code,omitempty" example:"ORDER_MISMATCH" doc:"Why it was refused"`
	At        web.Time  `json:"at"`
	EndedAt   *web.Time `json:"ended_at"`
}

type orderClaimIn struct {
	Body struct {
		Platform  string `json:"platform" minLength:"1" maxLength:"16" example:"douyin" doc:"taobao, tmall, jd, douyin, kuaishou, youzan, tencent_mall, own_mall, store or other, as far as they may be claimed"`
		OrderNo   string `json:"order_no" minLength:"1" maxLength:"128" example:"DY20261120001" doc:"Spaces around it, full-width characters and case make no difference"`
		PhoneTail string `json:"phone_tail,omitempty" maxLength:"4" example:"1234" doc:"Last four digits of the phone number of the order; those of my own if absent"`
	}
}

type orderClaimed struct {
	Status int
	Body   claimedBody
}

type claimedBody struct {
	web.Stamped
	State   string    `json:"state" example:"DONE" doc:"DONE, or PENDING: it completes by itself when the order is told"`
	Message string    `json:"message,omitempty" example:"订单尚未同步,同步后自动到账" doc:"Of a pending one, ready to show"`
	Claim   Claim     `json:"claim"`
	Order   *Order    `json:"order" doc:"null while it is pending"`
	Until   *web.Time `json:"until" doc:"A pending claim waits until then"`
	Grants  []Grant   `json:"grants" doc:"What it earned"`
}

type myOrders struct {
	web.Stamped
	web.List[Order]
}

type myClaims struct {
	web.Stamped
	web.List[Claim]
}

type pageIn struct{ web.Paging }

func (h *handler) orders(api *web.API) {
	o := op(http.MethodPost, "/orders/claims", "Say that an order is mine", http.StatusForbidden, http.StatusConflict, http.StatusTooManyRequests)
	o.Description = "200 with what it earned, or 202 PENDING while the shop has not told of the order: it then completes by itself, at the promotions of now. " +
		"409 ORDER_ALREADY_CLAIMED, ORDER_MISMATCH (another phone number), WINDOW_CLOSED (too old, details: limit), LIMIT_REACHED (too many pending); " +
		"429 RATE_LIMITED after too many wrong ones in a day (details: opens_at)."
	web.Write(api, o, h.claimOrder)
	web.Read(api, op(http.MethodGet, "/orders", "My orders, newest first"), h.getOrders)
	web.Read(api, op(http.MethodGet, "/orders/claims", "My claims, newest first"), h.getClaims)
}

func (h *handler) claimOrder(ctx context.Context, in *orderClaimIn) (*orderClaimed, error) {
	r, err := h.Orders.Claim(ctx, web.MemberID(ctx), in.Body.Platform, in.Body.OrderNo, in.Body.PhoneTail)
	if err != nil {
		return nil, err
	}
	v := claimView(ctx, r.Claim)
	out := &orderClaimed{Status: http.StatusOK, Body: claimedBody{Stamped: web.Stamp(h.Clock), State: v.State, Claim: v, Grants: grants(ctx, r.Grants)}}
	if r.Order != nil {
		o := orderView(ctx, *r.Order)
		out.Body.Order = &o
	} else {
		out.Status, out.Body.Until = http.StatusAccepted, web.AtPtr(&r.Until)
		out.Body.Message = templates.T(web.Lang(ctx), "order.pending_promise", nil)
	}
	return out, nil
}

func (h *handler) getOrders(ctx context.Context, in *pageIn) (*web.Out[myOrders], error) {
	var before int64
	if _, err := in.Position(&before); err != nil {
		return nil, err
	}
	rows, err := h.Orders.List(ctx, order.Query{MemberID: web.MemberID(ctx), Before: before, Limit: in.Limit + 1})
	if err != nil {
		return nil, err
	}
	list := web.ListOf(rows, in.Limit, func(o model.Order) Order { return orderView(ctx, o) }, func(o model.Order) []any { return []any{o.ID} })
	return &web.Out[myOrders]{Body: myOrders{web.Stamp(h.Clock), list}}, nil
}

func (h *handler) getClaims(ctx context.Context, in *pageIn) (*web.Out[myClaims], error) {
	var before int64
	if _, err := in.Position(&before); err != nil {
		return nil, err
	}
	rows, err := h.Orders.Claims(ctx, order.ClaimQuery{MemberID: web.MemberID(ctx), Before: before, Limit: in.Limit + 1})
	if err != nil {
		return nil, err
	}
	list := web.ListOf(rows, in.Limit, func(c model.OrderClaim) Claim { return claimView(ctx, c) }, func(c model.OrderClaim) []any { return []any{c.ID} })
	return &web.Out[myClaims]{Body: myClaims{web.Stamp(h.Clock), list}}, nil
}

func orderView(ctx context.Context, o model.Order) Order {
	lang := web.Lang(ctx)
	return Order{
		Platform: o.Platform, Name: templates.T(lang, "order.platform."+o.Platform, nil), OrderNo: o.No, Status: o.Status(),
		StatusName: templates.T(lang, "order.status."+o.Status(), nil), AmountFen: o.AmountFen, RefundedFen: o.RefundedFen, NetFen: o.Net(), PaidAt: web.AtPtr(o.PaidAt),
	}
}

// claimStates are the states as clients see them.
var claimStates = map[string]string{
	model.ClaimPending: "PENDING", model.ClaimDone: "DONE", model.ClaimRefused: "REFUSED", model.ClaimLapsed: "LAPSED",
}

func claimView(ctx context.Context, c model.OrderClaim) Claim {
	lang := web.Lang(ctx)
	return Claim{
		ID: web.IDOf(c.ID), Platform: c.Platform, Name: templates.T(lang, "order.platform."+c.Platform, nil), OrderNo: c.No,
		State: claimStates[c.State], StateName: templates.T(lang, "order.claim."+c.State, nil), Code: c.Reason, At: web.At(c.At), EndedAt: web.AtPtr(c.EndedAt),
	}
}
