package model

import "time"

// Coupon is what an operator defines once and gives out many times. Its face is fixed once one was given out: a holder keeps what he was
// promised. Written by app/coupon.
type Coupon struct {
	ID           int64      `gorm:"primaryKey"`
	Code         string     `gorm:"size:64;not null;uniqueIndex"`
	Name         string     `gorm:"size:64;not null"`
	Kind         string     `gorm:"size:24;not null"`
	ThresholdFen int64      `gorm:"not null;default:0"` // the goods must cost this much, after the member price; 0 = anything
	OffFen       int64      `gorm:"not null;default:0"` // cash_off, shipping: so much less
	PercentOff   int        `gorm:"not null;default:0"` // discount: 5 = 5 % less, 9.5折
	PayFen       int64      `gorm:"not null;default:0"` // exchange: the holder pays this for Quantity pieces; 0 = free
	Quantity     int        `gorm:"not null;default:1"` // exchange, free_item: pieces
	Stackable    bool       `gorm:"not null"`           // beside other coupons in one order; else an order takes one (PLAYBOOKS H14)
	Products     JSON       `gorm:"not null"`           // what it is for: list of product codes; empty = any
	Categories   JSON       `gorm:"not null"`
	Text         string     `gorm:"size:255;not null;default:''"` // for the member: where and how
	Stock        *int64     // how many are ever given out; nil = unlimited
	Issued       int64      `gorm:"not null;default:0"` // given out and not revoked: ≤ Stock, by a conditional UPDATE
	PerMember    int        `gorm:"not null;default:0"` // one member holds or held so many; 0 = unlimited
	ValidDays    int        `gorm:"not null;default:0"` // the day it is got is day 1: it expires at 00:00 of that date + ValidDays; 0 = not by days
	UsableFrom   *time.Time `gorm:"precision:6"`        // usable in [UsableFrom, UsableUntil), where these are set
	UsableUntil  *time.Time `gorm:"precision:6"`
	Claimable    bool       `gorm:"not null"` // members take it themselves, on Terms; else it is only given
	Terms        JSON       `gorm:"not null"` // coupon.Terms of a claim
	Enabled      bool       `gorm:"not null"` // false: none is given out; those that are out stay usable
	Position     int        `gorm:"not null;default:0"`
	CreatedAt    time.Time  `gorm:"not null;precision:6"`
	UpdatedAt    time.Time  `gorm:"not null;precision:6;autoUpdateTime:false"`
}

// Left is how many can still be given out; nil = unlimited.
func (c *Coupon) Left() *int64 {
	if c.Stock == nil {
		return nil
	}
	left := max(*c.Stock-c.Issued, 0)
	return &left
}

// Kinds of coupons.
const (
	CouponCashOff    = "cash_off"          // ThresholdFen, OffFen: 满148减20
	CouponDiscount   = "discount"          // PercentOff: 9.5折
	CouponExchange   = "exchange"          // PayFen for Quantity pieces
	CouponFreeItem   = "free_item"         // Quantity pieces for nothing
	CouponSecondHalf = "second_half_price" // of two, the cheaper at half its price
	CouponShipping   = "shipping"          // OffFen less for shipping; 0 = free shipping
)

// MemberCoupon is a coupon in somebody's hands. Written by app/coupon.
type MemberCoupon struct {
	ID         int64      `gorm:"primaryKey"`
	CouponID   int64      `gorm:"not null;uniqueIndex:uq_member_coupon,priority:2"`
	MemberID   int64      `gorm:"not null;uniqueIndex:uq_member_coupon,priority:1"`
	Seq        int64      `gorm:"not null;uniqueIndex:uq_member_coupon,priority:3"` // 1, 2, 3 … of the member; −ID once revoked, so that it no longer counts
	Code       string     `gorm:"size:24;not null;uniqueIndex"`                     // what the till reads; nobody guesses it
	State      string     `gorm:"size:8;not null"`                                  // usable | used | revoked; see StateAt
	UsableFrom *time.Time `gorm:"precision:6"`
	ExpiresAt  *time.Time `gorm:"precision:6;index"` // unusable from this instant; nil = never
	Source     string     `gorm:"size:16;not null"`  // claim | rule | tier | mall | form | operator
	SourceID   int64      `gorm:"not null;default:0"`
	EventID    int64      `gorm:"not null;default:0"`
	Memo       string     `gorm:"size:255;not null;default:''"` // an operator's reason, of giving or of revoking
	IssuedAt   time.Time  `gorm:"not null;precision:6"`
	LockedTill *time.Time `gorm:"precision:6"`                 // set aside for OrderNo until then
	OrderNo    string     `gorm:"size:64;not null;default:''"` // that it is locked for, or was used with
	Store      string     `gorm:"size:64;not null;default:''"`
	Uses       int        `gorm:"not null;default:0"` // a returned coupon can be used again
	UsedAt     *time.Time `gorm:"precision:6"`
	RevokedAt  *time.Time `gorm:"precision:6"`
}

// States of a coupon in somebody's hands. Locked and expired are told by the clock, never stored.
const (
	CouponUsable  = "usable"
	CouponLocked  = "locked"
	CouponUsed    = "used"
	CouponExpired = "expired"
	CouponRevoked = "revoked"
)

// StateAt is the state at an instant.
func (c *MemberCoupon) StateAt(t time.Time) string {
	switch {
	case c.State != CouponUsable:
		return c.State
	case c.ExpiresAt != nil && !t.Before(*c.ExpiresAt):
		return CouponExpired
	case c.LockedTill != nil && t.Before(*c.LockedTill):
		return CouponLocked
	}
	return CouponUsable
}

// Sources of coupons.
const (
	CouponByClaim    = "claim"
	CouponByRule     = "rule"
	CouponByTier     = "tier"
	CouponByMall     = "mall"
	CouponByForm     = "form"
	CouponBySOP      = "sop"
	CouponByOperator = "operator"
)
