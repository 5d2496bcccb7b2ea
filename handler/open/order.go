package open

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/order"
	"github.com/siyu-scrm/siyu/handler/web"
)

// OrderItem is one line of an order.
type OrderItem struct {
	SKU       string `json:"sku,omitempty" maxLength:"64" example:"LZ-LIP-01"`
	Product   string `json:"product" minLength:"1" maxLength:"200" example:"草莓味保湿修护唇膜"`
	Category  string `json:"category,omitempty" maxLength:"64" example:"美妆"`
	Quantity  int64  `json:"quantity" minimum:"1" maximum:"1000000" example:"1"`
	AmountFen int64  `json:"amount_fen" minimum:"0" maximum:"10000000000" example:"26850"`
}

// OrderRefund is one refund.
type OrderRefund struct {
	RefundNo   string   `json:"refund_no" minLength:"1" maxLength:"64" example:"R20261125001" doc:"The platform's own number: each counts once"`
	AmountFen  int64    `json:"amount_fen" minimum:"1" maximum:"10000000000" example:"6850"`
	RefundedAt web.Time `json:"refunded_at" example:"2026-11-23T09:00:00+08:00"`
}

// OrderBody is what a platform tells of an order.
type OrderBody struct {
	Platform    string        `json:"platform" enum:"taobao,tmall,jd,douyin,kuaishou,youzan,tencent_mall,own_mall,store,other" example:"own_mall"`
	OrderNo     string        `json:"order_no" minLength:"1" maxLength:"128" example:"DY20261120001" doc:"Spaces around it, full-width characters and case make no difference"`
	Version     int64         `json:"version,omitempty" minimum:"0" doc:"The platform's own, rising: amount, items and end of the highest count"`
	Status      string        `json:"status" enum:"paid,partial_refund,refunded,cancelled" example:"paid"`
	Member      *Ref          `json:"member,omitempty" doc:"Whose it is, where you know"`
	Phone       string        `json:"phone,omitempty" maxLength:"32" doc:"Of the buyer: its last four digits and a keyed hash are kept"`
	PhoneTail   string        `json:"phone_tail,omitempty" maxLength:"4" example:"1234" doc:"Its last four digits, where you have no more"`
	PaidAt      *web.Time     `json:"paid_at,omitempty" example:"2026-11-23T09:00:00+08:00" doc:"Needed when paid; may be absent with a refund"`
	AmountFen   *int64        `json:"amount_fen,omitempty" minimum:"0" maximum:"10000000000" example:"26850" doc:"Net goods paid, in fen: after discounts, without shipping, before refunds"`
	ShippingFen int64         `json:"shipping_fen,omitempty" minimum:"0" maximum:"10000000000"`
	Items       []OrderItem   `json:"items,omitempty" maxItems:"200"`
	Refunds     []OrderRefund `json:"refunds,omitempty" maxItems:"200" doc:"New ones, or all so far: each counts once by its number. refunded without any means everything that remains."`
	Source      string        `json:"source,omitempty" maxLength:"64" example:"live:3" doc:"What it came from: live:<id>, quiz:<id>, or a name of yours"`
}

type orderIn struct{ Body OrderBody }

// PushedOrder is what became of a push.
type PushedOrder struct {
	ID          web.ID  `json:"id"`
	Platform    string  `json:"platform"`
	OrderNo     string  `json:"order_no" doc:"Normalised"`
	Status      string  `json:"status" doc:"unknown as long as only a refund was told"`
	NetFen      int64   `json:"net_fen" doc:"What remains paid"`
	RefundedFen int64   `json:"refunded_fen"`
	Owned       bool    `json:"owned" doc:"false: it waits for a claim"`
	Applied     bool    `json:"applied" doc:"false: nothing new, or an older version"`
	Grants      []Grant `json:"grants" doc:"What it earned; below zero what was taken back"`
}

type pushedOrder struct {
	Status int
	Body   PushedOrder
}

func (h *handler) orders(api *web.API) {
	o := op(operator.OpenOrders, http.MethodPost, "/orders", "Tell of an order, a refund or a correction", http.StatusNotFound, http.StatusConflict)
	o.Description = "201 for an order that was not known, 200 for a change or a repeat. Any number of pushes of an order, in any sequence, end in the same: refunds are a set by " +
		"refund_no, amount and items are those of the highest version. More refunds than paid are refused, with limit in details. An order without a member waits for his claim."
	o.DefaultStatus = http.StatusCreated
	o.Responses = map[string]*huma.Response{"200": {Description: "It was known"}}
	o.RequestBody = &huma.RequestBody{Content: map[string]*huma.MediaType{"application/json": {Example: map[string]any{
		"platform": "own_mall", "order_no": "OM20261123001", "status": "paid", "paid_at": "2026-11-23T09:00:00+08:00", "amount_fen": 26850, "phone_tail": "1234",
		"items": []any{map[string]any{"product": "草莓味保湿修护唇膜", "quantity": 1, "amount_fen": 26850}},
	}}}}
	web.Write(api, o, h.postOrder)
}

func (h *handler) postOrder(ctx context.Context, in *orderIn) (*pushedOrder, error) {
	p, err := h.push(ctx, &in.Body)
	if err != nil {
		return nil, err
	}
	r, err := h.Orders.Push(ctx, p)
	if err != nil {
		return nil, err
	}
	out := &pushedOrder{Status: http.StatusOK, Body: PushedOrder{
		ID: web.IDOf(r.Order.ID), Platform: r.Order.Platform, OrderNo: r.Order.No, Status: r.Order.Status(), NetFen: r.Order.Net(), RefundedFen: r.Order.RefundedFen,
		Owned: r.Order.MemberID != 0, Applied: r.Applied, Grants: grantsOf(r.Grants),
	}}
	if r.New {
		out.Status = http.StatusCreated
	}
	return out, nil
}

func (h *handler) push(ctx context.Context, b *OrderBody) (p order.Push, err error) {
	p = order.Push{
		Platform: b.Platform, No: b.OrderNo, Version: b.Version, Status: b.Status, Phone: b.Phone, PhoneTail: b.PhoneTail, AmountFen: b.AmountFen,
		ShippingFen: b.ShippingFen, Source: b.Source,
	}
	if b.Member != nil {
		m, err := h.Members.Find(ctx, b.Member.ref())
		if errs.CodeOf(err) == errs.NotFound {
			return p, errs.New(errs.NotFound, "member.not_found", "field", "member")
		}
		if err != nil {
			return p, err
		}
		p.MemberID = m.ID
	}
	if b.PaidAt != nil {
		p.PaidAt = at(*b.PaidAt)
	}
	for _, it := range b.Items {
		p.Items = append(p.Items, order.Item(it))
	}
	for _, r := range b.Refunds {
		p.Refunds = append(p.Refunds, order.Refund{No: r.RefundNo, AmountFen: r.AmountFen, RefundedAt: *at(r.RefundedAt)})
	}
	return p, nil
}

func at(t web.Time) *time.Time { u := t.UTC(); return &u }

func grantsOf(all []event.Grant) []Grant {
	out := make([]Grant, len(all))
	for i, g := range all {
		out[i] = Grant{
			Account: g.Account, Amount: g.Amount, Balance: g.Balance, Tag: g.Tag, RuleID: web.IDOf(g.RuleID), Rule: g.Rule, Bonus: g.Bonus, Note: g.Note,
		}
	}
	return out
}
