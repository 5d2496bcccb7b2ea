package member

import (
	"context"
	"net/http"

	"github.com/siyu-scrm/siyu/app/coupon"
	"github.com/siyu-scrm/siyu/handler/web"
)

// Offer is a coupon that can be claimed.
type Offer struct {
	ID        web.ID `json:"id"`
	Code      string `json:"code" example:"cotton"`
	Name      string `json:"name" example:"2包棉柔巾"`
	Text      string `json:"text,omitempty"`
	Worth     string `json:"worth" example:"¥9.90 换 2 件" doc:"Ready to show"`
	ValidDays int    `json:"valid_days,omitempty" example:"30" doc:"The day of the claim is day 1; it ends at midnight."`
	web.CouponFace
	UsableUntil *web.Time `json:"usable_until,omitempty"`
	PerMember   int       `json:"per_member" doc:"0: no limit"`
	Mine        int       `json:"mine" doc:"How many I have had"`
	Left        *int64    `json:"left" doc:"null: no limit"`
	CanClaim    bool      `json:"can_claim"`
	Why         *web.Why  `json:"why" doc:"What is missing; null: it can be claimed"`
}

type couponList struct {
	web.Stamped
	Mine      []web.HeldCoupon `json:"mine" doc:"The newest first, at most 100, with those that are used or expired"`
	Claimable []Offer          `json:"claimable" doc:"What can be claimed, or is missing something yet"`
}

type couponClaimIn struct {
	Body struct {
		CouponID web.ID `json:"coupon_id"`
	}
}

type couponClaimed struct {
	web.Stamped
	Coupon web.HeldCoupon `json:"coupon"`
	Grants []Grant        `json:"grants" doc:"What claiming it earned"`
}

func (h *handler) coupons(api *web.API) {
	web.Read(api, op(http.MethodGet, "/coupons", "My coupons, and those that I can claim or what I miss for them"), h.getCoupons)
	o := op(http.MethodPost, "/coupons/claims", "Claim a coupon", http.StatusForbidden, http.StatusNotFound, http.StatusConflict)
	o.Description = "409 WINDOW_CLOSED (details: opens_at), TIER_TOO_LOW (next_tier, short_by), THRESHOLD_NOT_MET (short_by, of money in fen), LIMIT_REACHED (limit), OUT_OF_STOCK."
	o.DefaultStatus = http.StatusCreated
	web.Write(api, o, h.postCouponClaim)
}

func (h *handler) getCoupons(ctx context.Context, _ *web.None) (*web.Out[couponList], error) {
	now := h.Clock.Now()
	held, err := h.Coupons.Of(ctx, web.MemberID(ctx), 0, 100)
	if err != nil {
		return nil, err
	}
	offers, err := h.Coupons.Offers(ctx, web.MemberID(ctx), now)
	if err != nil {
		return nil, err
	}
	out := couponList{Stamped: web.Stamp(h.Clock), Mine: make([]web.HeldCoupon, len(held)), Claimable: make([]Offer, len(offers))}
	for i := range held {
		out.Mine[i] = web.HeldOf(web.Lang(ctx), &held[i], web.At(now))
	}
	for i, o := range offers {
		out.Claimable[i] = Offer{
			ID: web.IDOf(o.ID), Code: o.Code, Name: o.Name, Text: o.Text, Worth: coupon.Face(web.Lang(ctx), &o.Coupon), CouponFace: web.FaceOf(&o.Coupon),
			ValidDays: o.ValidDays, UsableUntil: web.AtPtr(o.UsableUntil), PerMember: o.PerMember, Mine: o.Mine, Left: o.Left(), CanClaim: o.Why == nil, Why: web.WhyOf(ctx, o.Why),
		}
	}
	return &web.Out[couponList]{Body: out}, nil
}

func (h *handler) postCouponClaim(ctx context.Context, in *couponClaimIn) (*web.Out[couponClaimed], error) {
	now := h.Clock.Now()
	r, err := h.Coupons.Claim(ctx, web.MemberID(ctx), in.Body.CouponID.Int(), now)
	if err != nil {
		return nil, err
	}
	return &web.Out[couponClaimed]{Body: couponClaimed{
		Stamped: web.Stamp(h.Clock), Coupon: web.HeldOf(web.Lang(ctx), &r.Held, web.At(now)), Grants: grants(ctx, r.Grants),
	}}, nil
}
