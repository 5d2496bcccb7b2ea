package web

import (
	"github.com/siyu-scrm/siyu/app/coupon"
	"github.com/siyu-scrm/siyu/model"
)

// CouponFace is what a coupon is worth, as every API shows it.
type CouponFace struct {
	Kind         string   `json:"kind" enum:"cash_off,discount,exchange,free_item,second_half_price,shipping" example:"cash_off"`
	ThresholdFen int64    `json:"threshold_fen,omitempty" minimum:"0" example:"14800" doc:"The goods cost at least this, after the member price"`
	OffFen       int64    `json:"off_fen,omitempty" minimum:"0" example:"2000" doc:"cash_off, shipping: so much less; shipping with 0: free"`
	PercentOff   int      `json:"percent_off,omitempty" minimum:"0" maximum:"99" doc:"discount: 5 is 5 % less, 9.5折"`
	PayFen       int64    `json:"pay_fen,omitempty" minimum:"0" doc:"exchange: what the holder pays for quantity pieces; 0: nothing"`
	Quantity     int      `json:"quantity,omitempty" minimum:"0" doc:"exchange, free_item: pieces; 1 if absent"`
	Stackable    bool     `json:"stackable,omitempty" doc:"It goes beside other coupons; else an order takes one."`
	Products     []string `json:"products,omitempty" doc:"Codes of what it is for; any if absent"`
	Categories   []string `json:"categories,omitempty"`
}

// FaceOf shows what a coupon is worth.
func FaceOf(c *model.Coupon) CouponFace {
	f := CouponFace{Kind: c.Kind, ThresholdFen: c.ThresholdFen, OffFen: c.OffFen, PercentOff: c.PercentOff, PayFen: c.PayFen, Quantity: c.Quantity, Stackable: c.Stackable}
	_ = c.Products.Into(&f.Products)     // checked when it was saved
	_ = c.Categories.Into(&f.Categories) //
	return f
}

// HeldCoupon is a coupon in somebody's hands.
type HeldCoupon struct {
	ID       ID     `json:"id"`
	CouponID ID     `json:"coupon_id"`
	Coupon   string `json:"coupon" example:"cotton" doc:"Code of the kind of coupon"`
	Code     string `json:"code" example:"7PZ4Q2M6XK3ADWRB" doc:"What the till reads"`
	Name     string `json:"name" example:"2包棉柔巾"`
	Text     string `json:"text,omitempty"`
	Worth    string `json:"worth" example:"满 ¥148.00,减 ¥20.00" doc:"Ready to show"`
	CouponFace
	State       string `json:"state" enum:"usable,locked,used,expired,revoked" example:"usable"`
	Source      string `json:"source" enum:"claim,rule,tier,mall,operator" example:"claim"`
	IssuedAt    Time   `json:"issued_at"`
	UsableFrom  *Time  `json:"usable_from,omitempty"`
	ExpiresAt   *Time  `json:"expires_at" doc:"Unusable from this instant; null: never"`
	ExpiresSoon bool   `json:"expires_soon" doc:"Its last week has begun."`
	UsedAt      *Time  `json:"used_at,omitempty"`
	Store       string `json:"store,omitempty"`
	OrderNo     string `json:"order_no,omitempty"`
	LockedUntil *Time  `json:"locked_until,omitempty" doc:"locked: only the order can use it until then"`
}

// HeldOf shows a coupon as it is at the moment.
func HeldOf(lang string, h *coupon.Held, now Time) HeldCoupon {
	v := HeldCoupon{
		ID: IDOf(h.ID), CouponID: IDOf(h.CouponID), Coupon: h.Coupon.Code, Code: h.Code, Name: h.Coupon.Name, Text: h.Coupon.Text,
		Worth: coupon.Face(lang, &h.Coupon), CouponFace: FaceOf(&h.Coupon), State: h.StateAt(now.Time), Source: h.Source, IssuedAt: At(h.IssuedAt),
		UsableFrom: AtPtr(h.UsableFrom), ExpiresAt: AtPtr(h.ExpiresAt), ExpiresSoon: h.ExpiresSoon(now.Time), UsedAt: AtPtr(h.UsedAt), Store: h.Store, OrderNo: h.OrderNo,
	}
	if v.State == model.CouponLocked {
		v.LockedUntil = AtPtr(h.LockedTill)
	}
	return v
}
