package model

import "time"

// Order is what was bought on a platform, once for its platform and number (PLAYBOOKS H9). A row may stand for an order of which only a
// refund or a claim is known: PaidAt is nil then. Its row is the lock of every decision about it. Written by app/order.
type Order struct {
	ID          int64      `gorm:"primaryKey"`
	Platform    string     `gorm:"size:16;not null;uniqueIndex:uq_order,priority:1"`
	No          string     `gorm:"size:64;not null;uniqueIndex:uq_order,priority:2"` // normalised
	MemberID    int64      `gorm:"not null;default:0;index:ix_order_member,priority:1"`
	Locks       int64      `gorm:"not null;default:0"` // raised by whoever decides
	Version     int64      `gorm:"not null;default:0"` // the platform's, of amount, items and time
	EndVersion  int64      `gorm:"not null;default:0"` // the platform's, of Ended
	Ended       string     `gorm:"size:16;not null"`   // refunded | cancelled: nothing of it remains; "" = it stands
	AmountFen   int64      `gorm:"not null"`           // net goods paid: after discounts, without shipping, before refunds
	ShippingFen int64      `gorm:"not null"`           //
	RefundedFen int64      `gorm:"not null"`           // Σ of its refunds
	PaidAt      *time.Time `gorm:"precision:6;index"`  // nil: not told yet
	PhoneIndex  string     `gorm:"size:64;not null"`   // blind index of the buyer's number
	PhoneTail   string     `gorm:"size:4;not null"`    // its last four digits
	Source      string     `gorm:"size:64;not null"`   // what it came from: live:3, quiz:5, a channel
	LiveID      int64      `gorm:"not null;index"`     // live session that it is credited to; 0 = none
	QuizID      int64      `gorm:"not null;index"`     // quiz that it is credited to; 0 = none
	ClaimID     int64      `gorm:"not null;default:0"` // the claim that waits for it, or got it
	EventID     int64      `gorm:"not null;default:0"` // order.paid or order.claimed of its owner
	Events      int64      `gorm:"not null;default:0"` // recorded about it so far: the next one's number
	CreatedAt   time.Time  `gorm:"not null;precision:6"`
	UpdatedAt   time.Time  `gorm:"not null;precision:6;autoUpdateTime:false"`
}

// Net is what of the goods is still paid for, in fen.
func (o *Order) Net() int64 {
	if o.Ended != "" {
		return 0
	}
	return max(0, o.AmountFen-o.RefundedFen)
}

// Status is where the order stands; OrderUnknown while only a refund or a claim is known.
func (o *Order) Status() string {
	switch {
	case o.Ended != "":
		return o.Ended
	case o.PaidAt == nil:
		return OrderUnknown
	case o.RefundedFen > 0 && o.Net() == 0:
		return OrderRefunded
	case o.RefundedFen > 0:
		return OrderPartialRefund
	}
	return OrderPaid
}

// States of an order.
const (
	OrderUnknown       = "unknown"
	OrderPaid          = "paid"
	OrderPartialRefund = "partial_refund"
	OrderRefunded      = "refunded"
	OrderCancelled     = "cancelled"
)

// Platforms are where orders come from.
var Platforms = []string{"taobao", "tmall", "jd", "douyin", "kuaishou", "youzan", "tencent_mall", "own_mall", "store", "other"}

// OrderItem is one line of an order. Written by app/order.
type OrderItem struct {
	OrderID   int64  `gorm:"primaryKey;autoIncrement:false"`
	Line      int    `gorm:"primaryKey;autoIncrement:false"` // from 1
	SKU       string `gorm:"size:64;not null"`
	Product   string `gorm:"size:200;not null"`
	Category  string `gorm:"size:64;not null"`
	Quantity  int64  `gorm:"not null"`
	AmountFen int64  `gorm:"not null"`
}

// OrderRefund is one refund, once for its number. Written by app/order.
type OrderRefund struct {
	OrderID    int64     `gorm:"primaryKey;autoIncrement:false"`
	RefundNo   string    `gorm:"primaryKey;size:64"` // normalised
	AmountFen  int64     `gorm:"not null"`
	RefundedAt time.Time `gorm:"not null;precision:6"`
}

// OrderClaim is a member saying that an order is his. Written by app/order.
type OrderClaim struct {
	ID        int64      `gorm:"primaryKey"`
	MemberID  int64      `gorm:"not null;index:ix_order_claim_member,priority:1"`
	OrderID   int64      `gorm:"not null"`
	Platform  string     `gorm:"size:16;not null"`
	No        string     `gorm:"size:64;not null"` // normalised
	State     string     `gorm:"size:8;not null;index:ix_order_claim_state,priority:1;index:ix_order_claim_member,priority:2"`
	Reason    string     `gorm:"size:32;not null"` // code of the refusal
	PhoneTail string     `gorm:"size:4;not null"`  // that he gave, or of his own number
	At        time.Time  `gorm:"not null;precision:6;index:ix_order_claim_state,priority:2"`
	EndedAt   *time.Time `gorm:"precision:6"` // nil: pending
}

// States of a claim.
const (
	ClaimPending = "pending" // the order has not been told yet
	ClaimDone    = "done"
	ClaimRefused = "refused"
	ClaimLapsed  = "lapsed" // the order did not come in time
)

// OrderSettings says how members claim orders: one row. Written by app/order.
type OrderSettings struct {
	ID           int64     `gorm:"primaryKey;autoIncrement:false"`
	MatchPhone   bool      `gorm:"not null"` // an order goes to the one member with its phone number by itself
	ClaimDays    int       `gorm:"not null"` // how old an order may be at the claim
	PendingDays  int       `gorm:"not null"` // how long a claim waits for its order
	WrongLimit   int64     `gorm:"not null"` // wrong claims of a member in a day
	PendingLimit int64     `gorm:"not null"` // claims of a member that wait at a time
	Platforms    JSON      `gorm:"not null"` // that may be claimed: a list
	UpdatedAt    time.Time `gorm:"not null;precision:6"`
}
