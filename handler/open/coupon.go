package open

import (
	"context"
	"net/http"

	"github.com/siyu-scrm/siyu/app/coupon"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/handler/web"
)

// Coupon is a coupon at the till, with who holds it.
type Coupon struct {
	web.HeldCoupon
	Member string `json:"member" example:"1234567890" doc:"Number of the member who holds it"`
}

// CouponUse says which coupon, and where.
type CouponUse struct {
	Code    string `json:"code" minLength:"1" maxLength:"64" example:"7PZ4Q2M6XK3ADWRB" doc:"Spaces, dashes and lower case do not matter."`
	Member  *Ref   `json:"member,omitempty" doc:"Whose it must be; whoever holds it if absent"`
	Store   string `json:"store,omitempty" maxLength:"64" example:"sh-01"`
	OrderNo string `json:"order_no,omitempty" maxLength:"64" example:"T20261223-0001"`
}

type couponUseIn struct{ Body CouponUse }

type couponLockIn struct {
	Body struct {
		CouponUse
		Until web.Time `json:"until" example:"2026-11-23T09:30:00+08:00" doc:"At most 24 hours ahead"`
	}
}

type couponCode struct {
	Code string `path:"code" maxLength:"64" example:"7PZ4Q2M6XK3ADWRB"`
}

func (h *handler) coupons(api *web.API) {
	const missing, busy = http.StatusNotFound, http.StatusConflict
	web.Read(api, op(operator.OpenCoupons, http.MethodGet, "/coupons/{code}", "Look at a coupon", missing), h.getCoupon)
	o := op(operator.OpenCoupons, http.MethodPost, "/coupons/verify", "Use a coupon at the till, once", missing, busy)
	o.Description = "409 COUPON_USED (details: used_at), COUPON_EXPIRED (expired_at), WINDOW_CLOSED before its first day (opens_at), " +
		"COUPON_NOT_STACKABLE where the member used another coupon with this order, or it has set one aside (coupon, code: return that one first), CONFLICT while another order holds it (until); " +
		"404 for one that is none, was revoked, or is not the member's."
	web.Write(api, o, h.verifyCoupon)
	o = op(operator.OpenCoupons, http.MethodPost, "/coupons/lock", "Set a coupon aside for an unpaid order", missing, busy)
	o.Description = "Until then only the order can use it. It is released by itself, or by a return. What a use would be refused for, this is too."
	web.Write(api, o, h.lockCoupon)
	o = op(operator.OpenCoupons, http.MethodPost, "/coupons/return", "Give back a coupon whose use was cancelled", missing, busy)
	o.Description = "It keeps its original expiry: once that has passed it is refused with COUPON_EXPIRED and stays used."
	web.Write(api, o, h.returnCoupon)
}

func (h *handler) getCoupon(ctx context.Context, in *couponCode) (*web.Out[Coupon], error) {
	held, err := h.Coupons.Look(ctx, in.Code)
	return h.couponOut(ctx, held, err)
}

func (h *handler) verifyCoupon(ctx context.Context, in *couponUseIn) (*web.Out[Coupon], error) {
	u, err := h.use(ctx, in.Body)
	if err != nil {
		return nil, err
	}
	held, err := h.Coupons.Verify(ctx, u, h.Clock.Now())
	return h.couponOut(ctx, held, err)
}

func (h *handler) lockCoupon(ctx context.Context, in *couponLockIn) (*web.Out[Coupon], error) {
	u, err := h.use(ctx, in.Body.CouponUse)
	if err != nil {
		return nil, err
	}
	held, err := h.Coupons.Lock(ctx, u, in.Body.Until.Time, h.Clock.Now())
	return h.couponOut(ctx, held, err)
}

func (h *handler) returnCoupon(ctx context.Context, in *couponUseIn) (*web.Out[Coupon], error) {
	u, err := h.use(ctx, in.Body)
	if err != nil {
		return nil, err
	}
	held, err := h.Coupons.Return(ctx, u, h.Clock.Now())
	return h.couponOut(ctx, held, err)
}

func (h *handler) use(ctx context.Context, b CouponUse) (coupon.Use, error) {
	u := coupon.Use{Code: b.Code, Store: b.Store, OrderNo: b.OrderNo}
	if b.Member == nil {
		return u, nil
	}
	m, err := h.Members.Find(ctx, b.Member.ref())
	if err != nil {
		return u, err
	}
	u.MemberID = m.ID
	return u, nil
}

func (h *handler) couponOut(ctx context.Context, held *coupon.Held, err error) (*web.Out[Coupon], error) {
	if err != nil {
		return nil, err
	}
	m, err := h.Members.Get(ctx, held.MemberID)
	if err != nil {
		return nil, err
	}
	return &web.Out[Coupon]{Body: Coupon{HeldCoupon: web.HeldOf(web.Lang(ctx), held, web.At(h.Clock.Now())), Member: m.No}}, nil
}
