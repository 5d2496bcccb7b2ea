package model

import "time"

// MallItem is something that points are exchanged for: a thing, or a coupon. Written by app/mall.
type MallItem struct {
	ID        int64     `gorm:"primaryKey"`
	Code      string    `gorm:"size:64;not null;uniqueIndex"`
	Name      string    `gorm:"size:64;not null"`
	Text      string    `gorm:"size:1000;not null;default:''"`
	Picture   string    `gorm:"size:512;not null;default:''"`
	Kind      string    `gorm:"size:12;not null"`   // goods | coupon
	CouponID  int64     `gorm:"not null;default:0"` // of kind coupon
	Account   string    `gorm:"size:32;not null"`   // that is spent
	Price     int64     `gorm:"not null"`
	Stock     *int64    // how many there ever are; nil = unlimited
	Taken     int64     `gorm:"not null;default:0"`         // redeemed and not cancelled: ≤ Stock, by a conditional UPDATE
	PerMember int       `gorm:"not null;default:0"`         // in a window, or in a lifetime where there is no monthly one; 0 = unlimited
	MonthDay  int       `gorm:"not null;default:0"`         // open from this day of each month to its end; 0 = always. The last day where a month is shorter
	MonthTime string    `gorm:"size:5;not null;default:''"` // "10:00", of that day
	Terms     JSON      `gorm:"not null"`                   // coupon.Terms: who, and in which stretch of time
	Enabled   bool      `gorm:"not null"`
	Position  int       `gorm:"not null;default:0"`
	CreatedAt time.Time `gorm:"not null;precision:6"`
	UpdatedAt time.Time `gorm:"not null;precision:6;autoUpdateTime:false"`
}

// Left is how many there still are; nil = unlimited.
func (i *MallItem) Left() *int64 {
	if i.Stock == nil {
		return nil
	}
	left := max(*i.Stock-i.Taken, 0)
	return &left
}

// Kinds of mall items.
const (
	MallGoods  = "goods"
	MallCoupon = "coupon"
)

// Redemption is what a member exchanged points for. Written by app/mall.
type Redemption struct {
	ID             int64      `gorm:"primaryKey"`
	ItemID         int64      `gorm:"not null;uniqueIndex:uq_redemption,priority:2;index"`
	MemberID       int64      `gorm:"not null;uniqueIndex:uq_redemption,priority:1"`
	Period         string     `gorm:"size:16;not null;uniqueIndex:uq_redemption,priority:3"` // 2026-12, or lifetime
	Seq            int64      `gorm:"not null;uniqueIndex:uq_redemption,priority:4"`         // 1, 2, 3 … of the member in the period; −ID once cancelled
	State          string     `gorm:"size:12;not null"`
	Account        string     `gorm:"size:32;not null"`
	Price          int64      `gorm:"not null"`
	EntryID        int64      `gorm:"not null;default:0"` // the line that paid; 0 = it cost nothing
	MemberCouponID int64      `gorm:"not null;default:0"`
	At             time.Time  `gorm:"not null;precision:6"`
	EndedAt        *time.Time `gorm:"precision:6"` // fulfilled or cancelled
}

// States of a redemption.
const (
	RedemptionOpen      = "open"      // paid; it can be cancelled
	RedemptionFulfilled = "fulfilled" // handed over
	RedemptionCancelled = "cancelled" // the points are back in their lots
)

// Kinds of events about redemptions.
const (
	EventRedeemed   = "mall.redeemed"
	EventUnredeemed = "mall.cancelled"
)
