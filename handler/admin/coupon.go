package admin

import (
	"context"
	"net/http"
	"time"

	"github.com/siyu-scrm/siyu/app/coupon"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

// Coupon is a kind of coupon.
type Coupon struct {
	ID web.ID `json:"id"`
	CouponBody
	Worth     string   `json:"worth" example:"满 ¥148.00,减 ¥20.00"`
	Issued    int64    `json:"issued" doc:"Given out and not taken back"`
	Left      *int64   `json:"left" doc:"Of the stock; null: unlimited"`
	CreatedAt web.Time `json:"created_at"`
	UpdatedAt web.Time `json:"updated_at"`
}

// CouponBody is a kind of coupon as an operator writes it. What it is worth stays once one was given out.
type CouponBody struct {
	Code string `json:"code,omitempty" maxLength:"64" example:"newcomer-20" doc:"Required for a new one; it stays."`
	Name string `json:"name" minLength:"1" maxLength:"32" example:"满148减20"`
	web.CouponFace
	Text        string    `json:"text,omitempty" maxLength:"200" doc:"For the member: where and how"`
	Stock       *int64    `json:"stock,omitempty" minimum:"0" doc:"How many are ever given out; unlimited if absent. To add to it, raise it."`
	PerMember   int       `json:"per_member,omitempty" minimum:"0" maximum:"1000" example:"1" doc:"How many one member gets, however he comes by them; 0: no limit"`
	ValidDays   int       `json:"valid_days,omitempty" minimum:"0" maximum:"3650" example:"30" doc:"The day it is got is day 1: it expires at 00:00 of that date + valid_days; 0: not by days"`
	UsableFrom  *web.Time `json:"usable_from,omitempty" doc:"Usable in [usable_from, usable_until), and valid_days as well where both are given"`
	UsableUntil *web.Time `json:"usable_until,omitempty"`
	Claimable   bool      `json:"claimable,omitempty" doc:"Members take it themselves, on terms; else it is only given by rules, tiers, the mall and operators."`
	Terms       Terms     `json:"terms,omitempty"`
	Position    int       `json:"position,omitempty" minimum:"-1000" maximum:"1000" doc:"The lowest first"`
	Enabled     *bool     `json:"enabled,omitempty" doc:"true if absent; off: none is given out, those that are out stay usable"`
}

// Terms say who may have a thing, and when: all that is given must hold.
type Terms struct {
	From      *web.Time    `json:"from,omitempty" doc:"In [from, until)"`
	Until     *web.Time    `json:"until,omitempty"`
	Order     *OrderTerm   `json:"order,omitempty"`
	Account   *AccountTerm `json:"account,omitempty"`
	TierID    OptionalID   `json:"tier_id,omitempty" doc:"This tier or a higher one"`
	Condition Condition    `json:"condition,omitempty"`
}

// OrderTerm asks for what was paid, net of refunds.
type OrderTerm struct {
	Basis string `json:"basis" enum:"single,cumulative" example:"single" doc:"single: one order of so much; cumulative: all together"`
	Fen   int64  `json:"fen" minimum:"1" example:"3980"`
}

// AccountTerm asks for an amount in an account.
type AccountTerm struct {
	Account string `json:"account" maxLength:"32" example:"growth"`
	Basis   string `json:"basis" enum:"available,lifetime" example:"lifetime" doc:"available: usable now; lifetime: ever earned"`
	AtLeast int64  `json:"at_least" minimum:"1" example:"1000"`
}

type couponIn struct{ Body CouponBody }

type couponPut struct {
	ID   web.ID `path:"id"`
	Body CouponBody
}

type memberCouponIn struct {
	ID   web.ID `path:"id"`
	Body struct {
		CouponID web.ID `json:"coupon_id"`
		Reason   string `json:"reason" minLength:"1" maxLength:"100" example:"apology for a late parcel"`
	}
}

type revokeIn struct {
	ID   web.ID `path:"id"`
	Body struct {
		Reason string `json:"reason" minLength:"1" maxLength:"100" example:"given by mistake"`
	}
}

// Given is a coupon in a member's hands. Its code is masked: it is as good as the coupon.
type Given struct {
	web.HeldCoupon
	MemberID web.ID `json:"member_id"`
	SourceID web.ID `json:"source_id" doc:"The rule, tier or redemption; 0: none"`
	Memo     string `json:"memo,omitempty" doc:"Why an operator gave it or took it back"`
}

func (h *handler) coupons(api *web.API) {
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/coupons", "The kinds of coupons"), h.getCoupons)
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/coupons/{id}", "One kind of coupon", http.StatusNotFound), h.getCoupon)
	body := map[string]any{"code": "newcomer-20", "name": "满148减20", "kind": "cash_off", "threshold_fen": 14800, "off_fen": 2000, "per_member": 1, "valid_days": 30}
	web.Write(api, example(post(operator.ProgrammeWrite, "/coupons", "Define a coupon", http.StatusConflict), body), h.postCoupon)
	web.Write(api, example(op(operator.ProgrammeWrite, http.MethodPut, "/coupons/{id}", "Change a coupon", http.StatusNotFound, http.StatusConflict), body), h.putCoupon)
	web.Read(api, op(operator.MembersRead, http.MethodGet, "/coupons/{id}/given", "Who got it, newest first", http.StatusNotFound), h.getGiven)
	web.Read(api, op(operator.MembersRead, http.MethodGet, "/members/{id}/coupons", "His coupons, newest first", http.StatusNotFound), h.getMemberCoupons)
	web.Write(api, post(operator.PointsGrant, "/members/{id}/coupons", "Give a coupon by hand", http.StatusNotFound, http.StatusConflict), h.postMemberCoupon)
	web.Write(api, op(operator.PointsGrant, http.MethodPost, "/member-coupons/{id}/revoke", "Take an unused coupon back", http.StatusNotFound, http.StatusConflict), h.revokeCoupon)
}

func couponView(lang string) func(coupon.Definition) Coupon {
	return func(d coupon.Definition) Coupon {
		return Coupon{
			ID: web.IDOf(d.ID), Worth: coupon.Face(lang, &d.Coupon), Issued: d.Issued, Left: d.Left(), CreatedAt: web.At(d.CreatedAt), UpdatedAt: web.At(d.UpdatedAt),
			CouponBody: CouponBody{
				Code: d.Code, Name: d.Name, CouponFace: web.FaceOf(&d.Coupon), Text: d.Text, Stock: d.Stock, PerMember: d.PerMember, ValidDays: d.ValidDays,
				UsableFrom: web.AtPtr(d.UsableFrom), UsableUntil: web.AtPtr(d.UsableUntil), Claimable: d.Claimable, Terms: termsView(d.Terms), Position: d.Position, Enabled: &d.Enabled,
			},
		}
	}
}

func termsView(t coupon.Terms) Terms {
	v := Terms{From: web.AtPtr(t.From), Until: web.AtPtr(t.Until), TierID: optionalID(t.TierID), Condition: conditionOf(t.Condition)}
	if t.Order != nil {
		v.Order = &OrderTerm{t.Order.Basis, t.Order.Fen}
	}
	if t.Account != nil {
		v.Account = &AccountTerm{t.Account.Account, t.Account.Basis, t.Account.AtLeast}
	}
	return v
}

// termsOf reads the terms of a thing.
func (h *handler) termsOf(v Terms) (t coupon.Terms, err error) {
	for field, times := range map[string]struct {
		in  *web.Time
		out **time.Time
	}{"terms.from": {v.From, &t.From}, "terms.until": {v.Until, &t.Until}} {
		if *times.out, err = instant(field, times.in); err != nil {
			return t, err
		}
	}
	if t.TierID, err = ref("terms.tier_id", v.TierID); err != nil {
		return t, err
	}
	if v.Order != nil {
		t.Order = &coupon.OrderTerm{Basis: v.Order.Basis, Fen: v.Order.Fen}
	}
	if v.Account != nil {
		t.Account = &coupon.AccountTerm{Account: v.Account.Account, Basis: v.Account.Basis, AtLeast: v.Account.AtLeast}
	}
	t.Condition, err = h.tree(v.Condition)
	return t, below("terms", err, "condition")
}

func (h *handler) couponOf(id int64, b CouponBody) (d coupon.Definition, err error) {
	d.Coupon = model.Coupon{
		ID: id, Code: b.Code, Name: b.Name, Kind: b.Kind, ThresholdFen: b.ThresholdFen, OffFen: b.OffFen, PercentOff: b.PercentOff, PayFen: b.PayFen,
		Quantity: b.Quantity, Stackable: b.Stackable, Products: model.ToJSON(b.Products), Categories: model.ToJSON(b.Categories), Text: b.Text, Stock: b.Stock, PerMember: b.PerMember,
		ValidDays: b.ValidDays, Claimable: b.Claimable, Position: b.Position, Enabled: on(b.Enabled),
	}
	if d.UsableFrom, err = instant("usable_from", b.UsableFrom); err != nil {
		return d, err
	}
	if d.UsableUntil, err = instant("usable_until", b.UsableUntil); err != nil {
		return d, err
	}
	d.Terms, err = h.termsOf(b.Terms)
	return d, err
}

func (h *handler) getCoupons(ctx context.Context, _ *web.None) (*web.Out[web.List[Coupon]], error) {
	rows, err := h.Coupons.List(ctx)
	return listed(rows, couponView(web.Lang(ctx))), err
}

func (h *handler) getCoupon(ctx context.Context, in *byID) (*web.Out[Coupon], error) {
	d, err := h.Coupons.Get(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	return &web.Out[Coupon]{Body: couponView(web.Lang(ctx))(*d)}, nil
}

func (h *handler) postCoupon(ctx context.Context, in *couponIn) (*web.Out[Coupon], error) {
	return h.saveCoupon(ctx, "coupon.create", 0, nil, in.Body)
}

func (h *handler) putCoupon(ctx context.Context, in *couponPut) (*web.Out[Coupon], error) {
	old, err := h.getCoupon(ctx, &byID{ID: in.ID})
	if err != nil {
		return nil, err
	}
	return h.saveCoupon(ctx, "coupon.update", in.ID.Int(), old.Body, in.Body)
}

func (h *handler) saveCoupon(ctx context.Context, action string, id int64, before any, b CouponBody) (*web.Out[Coupon], error) {
	d, err := h.couponOf(id, b)
	if err != nil {
		return nil, err
	}
	view := couponView(web.Lang(ctx))
	ctx = audited(ctx, h, action, before, func(d coupon.Definition) (string, any) { return object("coupon", d.ID), view(d) })
	saved, err := h.Coupons.Save(ctx, d)
	if err != nil {
		return nil, err
	}
	return &web.Out[Coupon]{Body: view(*saved)}, nil
}

func (h *handler) getGiven(ctx context.Context, in *pageOf) (*web.Out[web.List[Given]], error) {
	if _, err := h.Coupons.Get(ctx, in.ID.Int()); err != nil {
		return nil, err
	}
	before, err := after(in.Paging)
	if err != nil {
		return nil, err
	}
	rows, err := h.Coupons.Given(ctx, in.ID.Int(), before, in.Limit+1)
	return h.givenList(ctx, rows, in.Limit), err
}

func (h *handler) getMemberCoupons(ctx context.Context, in *pageOf) (*web.Out[web.List[Given]], error) {
	m, err := h.Members.Get(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	before, err := after(in.Paging)
	if err != nil {
		return nil, err
	}
	rows, err := h.Coupons.Of(ctx, m.ID, before, in.Limit+1)
	return h.givenList(ctx, rows, in.Limit), err
}

func (h *handler) givenList(ctx context.Context, rows []coupon.Held, limit int) *web.Out[web.List[Given]] {
	view := h.given(ctx)
	return &web.Out[web.List[Given]]{Body: web.ListOf(rows, limit, func(r coupon.Held) Given { return view(&r) }, func(r coupon.Held) []any { return []any{r.ID} })}
}

func (h *handler) given(ctx context.Context) func(*coupon.Held) Given {
	lang, now := web.Lang(ctx), web.At(h.Clock.Now())
	return func(r *coupon.Held) Given {
		v := Given{HeldCoupon: web.HeldOf(lang, r, now), MemberID: web.IDOf(r.MemberID), SourceID: web.IDOf(r.SourceID), Memo: r.Memo}
		v.Code = "…" + r.Code[max(0, len(r.Code)-4):]
		return v
	}
}

func (h *handler) postMemberCoupon(ctx context.Context, in *memberCouponIn) (*web.Out[Given], error) {
	view := h.given(ctx)
	ctx = audited(ctx, h, "coupon.give", nil, func(r coupon.Held) (string, any) { return object("member", r.MemberID), view(&r) })
	r, err := h.Coupons.Give(ctx, in.ID.Int(), in.Body.CouponID.Int(), in.Body.Reason)
	if err != nil {
		return nil, err
	}
	return &web.Out[Given]{Body: view(r)}, nil
}

func (h *handler) revokeCoupon(ctx context.Context, in *revokeIn) (*web.Out[Given], error) {
	view := h.given(ctx)
	old, err := h.Coupons.Held(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	ctx = audited(ctx, h, "coupon.revoke", view(old), func(r coupon.Held) (string, any) { return object("member", r.MemberID), view(&r) })
	r, err := h.Coupons.Revoke(ctx, in.ID.Int(), in.Body.Reason)
	if err != nil {
		return nil, err
	}
	return &web.Out[Given]{Body: view(r)}, nil
}
