package admin

import (
	"context"
	"net/http"

	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/order"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

// Order is an order.
type Order struct {
	ID          web.ID    `json:"id"`
	Platform    string    `json:"platform" example:"douyin"`
	OrderNo     string    `json:"order_no" example:"DY20261120001"`
	Status      string    `json:"status" enum:"unknown,paid,partial_refund,refunded,cancelled" doc:"unknown: only a refund was told so far"`
	MemberID    web.ID    `json:"member_id" doc:"0: it waits for a claim"`
	Claimed     bool      `json:"claimed" doc:"By its owner; false: the push named him"`
	AmountFen   int64     `json:"amount_fen" example:"26850" doc:"Net goods paid"`
	ShippingFen int64     `json:"shipping_fen"`
	RefundedFen int64     `json:"refunded_fen"`
	NetFen      int64     `json:"net_fen" example:"26850"`
	PhoneTail   string    `json:"phone_tail" example:"1234"`
	Source      string    `json:"source" example:"live:3"`
	LiveID      web.ID    `json:"live_id" doc:"Live session that it is credited to; 0: none"`
	QuizID      web.ID    `json:"quiz_id" doc:"Quiz that it is credited to; 0: none"`
	PaidAt      *web.Time `json:"paid_at"`
	CreatedAt   web.Time  `json:"created_at"`
	UpdatedAt   web.Time  `json:"updated_at"`
}

func orderView(o model.Order) Order {
	return Order{
		ID: web.IDOf(o.ID), Platform: o.Platform, OrderNo: o.No, Status: o.Status(), MemberID: web.IDOf(o.MemberID), Claimed: o.MemberID != 0 && o.ClaimID != 0,
		AmountFen: o.AmountFen, ShippingFen: o.ShippingFen, RefundedFen: o.RefundedFen, NetFen: o.Net(), PhoneTail: o.PhoneTail, Source: o.Source,
		LiveID: web.IDOf(o.LiveID), QuizID: web.IDOf(o.QuizID), PaidAt: web.AtPtr(o.PaidAt), CreatedAt: web.At(o.CreatedAt), UpdatedAt: web.At(o.UpdatedAt),
	}
}

// OrderItem is one line of an order.
type OrderItem struct {
	SKU       string `json:"sku"`
	Product   string `json:"product"`
	Category  string `json:"category"`
	Quantity  int64  `json:"quantity"`
	AmountFen int64  `json:"amount_fen"`
}

// OrderRefund is one refund.
type OrderRefund struct {
	RefundNo   string   `json:"refund_no"`
	AmountFen  int64    `json:"amount_fen"`
	RefundedAt web.Time `json:"refunded_at"`
}

// OrderClaim is a member saying that an order is his.
type OrderClaim struct {
	ID        web.ID    `json:"id"`
	MemberID  web.ID    `json:"member_id"`
	OrderID   web.ID    `json:"order_id"`
	Platform  string    `json:"platform"`
	OrderNo   string    `json:"order_no"`
	State     string    `json:"state" enum:"pending,done,refused,lapsed"`
	Code      string    `json:"code" example:"ORDER_MISMATCH" doc:"Why it was refused"`
	PhoneTail string    `json:"phone_tail" doc:"That he gave"`
	At        web.Time  `json:"at"`
	EndedAt   *web.Time `json:"ended_at"`
}

func orderClaim(c model.OrderClaim) OrderClaim {
	return OrderClaim{web.IDOf(c.ID), web.IDOf(c.MemberID), web.IDOf(c.OrderID), c.Platform, c.No, c.State, c.Reason, c.PhoneTail, web.At(c.At), web.AtPtr(c.EndedAt)}
}

// OrderEvent is something that happened to an order.
type OrderEvent struct {
	ID         web.ID   `json:"id"`
	Kind       string   `json:"kind" example:"order.claimed"`
	MemberID   web.ID   `json:"member_id"`
	OccurredAt web.Time `json:"occurred_at"`
}

// OrderEntry is a line of the ledger that an order caused.
type OrderEntry struct {
	ID       web.ID   `json:"id"`
	EventID  web.ID   `json:"event_id"`
	MemberID web.ID   `json:"member_id"`
	Account  string   `json:"account" example:"points"`
	Delta    int64    `json:"delta" example:"268"`
	Kind     string   `json:"kind" example:"earn"`
	RuleID   web.ID   `json:"rule_id"`
	Bonus    bool     `json:"bonus"`
	Note     string   `json:"note"`
	At       web.Time `json:"occurred_at"`
}

// OrderFacts is an order with everything that belongs to it.
type OrderFacts struct {
	Order
	Items   []OrderItem   `json:"items"`
	Refunds []OrderRefund `json:"refunds"`
	Claims  []OrderClaim  `json:"claims"`
	Events  []OrderEvent  `json:"events"`
	Entries []OrderEntry  `json:"entries" doc:"What it earned and what was taken back, of former owners too"`
}

// OrderSettings says how members claim orders.
type OrderSettings struct {
	MatchPhone   bool     `json:"match_phone" example:"false" doc:"true: an order goes by itself to the one member with its phone number"`
	ClaimDays    int      `json:"claim_days" minimum:"1" maximum:"3650" example:"90" doc:"How long after the payment an order can be claimed"`
	PendingDays  int      `json:"pending_days" minimum:"1" maximum:"365" example:"15" doc:"How long a claim waits for its order"`
	WrongLimit   int64    `json:"wrong_limit" minimum:"1" maximum:"1000" example:"5" doc:"Wrong claims of a member in a day"`
	PendingLimit int64    `json:"pending_limit" minimum:"0" maximum:"1000" example:"10" doc:"Claims of a member that wait at a time"`
	Platforms    []string `json:"platforms" maxItems:"10" example:"taobao,douyin,store" doc:"Whose orders may be claimed"`
}

func orderSettings(s *model.OrderSettings) OrderSettings {
	v := OrderSettings{MatchPhone: s.MatchPhone, ClaimDays: s.ClaimDays, PendingDays: s.PendingDays, WrongLimit: s.WrongLimit, PendingLimit: s.PendingLimit, Platforms: []string{}}
	_ = s.Platforms.Into(&v.Platforms) // was written as a list
	return v
}

type orderSettingsIn struct{ Body OrderSettings }

type ordersIn struct {
	web.Paging
	Platform string     `query:"platform" maxLength:"16" example:"douyin"`
	OrderNo  string     `query:"order_no" maxLength:"128" doc:"In full"`
	MemberID OptionalID `query:"member_id"`
	Owned    string     `query:"owned" enum:"true,false" doc:"false: those that wait for a claim"`
}

type claimsIn struct {
	web.Paging
	MemberID OptionalID `query:"member_id"`
	State    string     `query:"state" enum:"pending,done,refused,lapsed"`
}

type assignIn struct {
	ID   web.ID `path:"id"`
	Body struct {
		MemberID web.ID `json:"member_id" doc:"Whose it becomes"`
		Reason   string `json:"reason" minLength:"1" maxLength:"200" example:"claimed by his wife by mistake"`
	}
}

func (h *handler) orders(api *web.API) {
	web.Read(api, op(operator.MembersRead, http.MethodGet, "/orders", "Orders, newest first"), h.getOrders)
	web.Read(api, op(operator.MembersRead, http.MethodGet, "/orders/claims", "Claims, newest first"), h.getOrderClaims)
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/orders/settings", "How members claim orders"), h.getOrderSettings)
	web.Write(api, op(operator.ProgrammeWrite, http.MethodPut, "/orders/settings", "Change how members claim orders"), h.putOrderSettings)
	h.orderImports(api)
	web.Read(api, op(operator.MembersRead, http.MethodGet, "/orders/{id}", "One order, with what it earned", http.StatusNotFound), h.getOrder)
	o := op(operator.PointsGrant, http.MethodPost, "/orders/{id}/assign", "Give an order to another member", http.StatusNotFound, http.StatusConflict)
	o.Description = "What it earned is taken back from its owner and earned by the other, by the rules of the same moment; both sides name one event."
	web.Write(api, o, h.assignOrder)
}

func (h *handler) getOrders(ctx context.Context, in *ordersIn) (*web.Out[web.List[Order]], error) {
	before, err := after(in.Paging)
	if err != nil {
		return nil, err
	}
	q := order.Query{Platform: in.Platform, No: in.OrderNo, Before: before, Limit: in.Limit + 1}
	if q.MemberID, err = ref("member_id", in.MemberID); err != nil {
		return nil, err
	}
	if in.Owned != "" {
		owned := in.Owned == "true"
		q.Owned = &owned
	}
	rows, err := h.Orders.List(ctx, q)
	if err != nil {
		return nil, err
	}
	return &web.Out[web.List[Order]]{Body: web.ListOf(rows, in.Limit, orderView, func(o model.Order) []any { return []any{o.ID} })}, nil
}

func (h *handler) getOrderClaims(ctx context.Context, in *claimsIn) (*web.Out[web.List[OrderClaim]], error) {
	before, err := after(in.Paging)
	if err != nil {
		return nil, err
	}
	q := order.ClaimQuery{State: in.State, Before: before, Limit: in.Limit + 1}
	if q.MemberID, err = ref("member_id", in.MemberID); err != nil {
		return nil, err
	}
	rows, err := h.Orders.Claims(ctx, q)
	if err != nil {
		return nil, err
	}
	return &web.Out[web.List[OrderClaim]]{Body: web.ListOf(rows, in.Limit, orderClaim, func(c model.OrderClaim) []any { return []any{c.ID} })}, nil
}

func (h *handler) getOrder(ctx context.Context, in *byID) (*web.Out[OrderFacts], error) {
	w, err := h.Orders.Get(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	f := OrderFacts{Order: orderView(w.Order), Items: []OrderItem{}, Refunds: []OrderRefund{}, Claims: []OrderClaim{}, Events: []OrderEvent{}, Entries: []OrderEntry{}}
	for _, it := range w.Items {
		f.Items = append(f.Items, OrderItem{it.SKU, it.Product, it.Category, it.Quantity, it.AmountFen})
	}
	for _, r := range w.Refunds {
		f.Refunds = append(f.Refunds, OrderRefund{r.RefundNo, r.AmountFen, web.At(r.RefundedAt)})
	}
	for _, c := range w.Claims {
		f.Claims = append(f.Claims, orderClaim(c))
	}
	for _, e := range w.Events {
		f.Events = append(f.Events, OrderEvent{web.IDOf(e.ID), e.Kind, web.IDOf(e.MemberID), web.At(e.OccurredAt)})
	}
	for _, e := range w.Entries {
		f.Entries = append(f.Entries, OrderEntry{
			web.IDOf(e.ID), web.IDOf(e.EventID), web.IDOf(e.MemberID), e.Account, e.Delta, e.Kind, web.IDOf(e.RuleID), e.Bonus, e.Note, web.At(e.OccurredAt),
		})
	}
	return &web.Out[OrderFacts]{Body: f}, nil
}

func (h *handler) assignOrder(ctx context.Context, in *assignIn) (*web.Out[OrderFacts], error) {
	id, to := in.ID.Int(), in.Body.MemberID.Int()
	old, err := h.Orders.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	ctx = audited(ctx, h, "order.assign", map[string]any{"member_id": web.IDOf(old.MemberID)}, func(p order.Pushed) (string, any) {
		return object("order", id), map[string]any{"member_id": web.IDOf(p.Order.MemberID), "reason": in.Body.Reason}
	})
	if _, err := h.Orders.Assign(ctx, id, to); err != nil {
		return nil, err
	}
	return h.getOrder(ctx, &byID{ID: in.ID})
}

func (h *handler) getOrderSettings(ctx context.Context, _ *web.None) (*web.Out[OrderSettings], error) {
	s, err := h.Orders.Settings(ctx)
	if err != nil {
		return nil, err
	}
	return &web.Out[OrderSettings]{Body: orderSettings(s)}, nil
}

func (h *handler) putOrderSettings(ctx context.Context, in *orderSettingsIn) (*web.Out[OrderSettings], error) {
	old, err := h.Orders.Settings(ctx)
	if err != nil {
		return nil, err
	}
	ctx = audited(ctx, h, "order.settings", orderSettings(old), func(s model.OrderSettings) (string, any) { return "order:settings", orderSettings(&s) })
	b := in.Body
	s, err := h.Orders.SaveSettings(ctx, model.OrderSettings{
		MatchPhone: b.MatchPhone, ClaimDays: b.ClaimDays, PendingDays: b.PendingDays, WrongLimit: b.WrongLimit, PendingLimit: b.PendingLimit,
		Platforms: model.ToJSON(append([]string{}, b.Platforms...)),
	})
	if err != nil {
		return nil, err
	}
	return &web.Out[OrderSettings]{Body: orderSettings(s)}, nil
}
