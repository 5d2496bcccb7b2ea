// Package order owns orders: what the platforms push and files hold, with refunds in any order, whom an order belongs to, and what members
// claim. Points are the rules' business: an order that gets an owner is one event, its changes adjust what that event earned.
package order

import (
	"context"
	"strings"
	"time"
	"unicode"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/reward"
	"github.com/siyu-scrm/siyu/model"
)

// Service is the use cases of orders.
type Service struct {
	db      *db.DB
	clock   clock.Clock
	zone    clock.Zone
	events  *event.Log
	members *member.Service
	rewards *reward.Service

	// Lost looks again at what a member could claim while an order seemed to be his; nil: nothing.
	Lost func(ctx context.Context, tx *gorm.DB, memberID int64, at time.Time) error
}

// New returns the service.
func New(d *db.DB, c clock.Clock, z clock.Zone, events *event.Log, members *member.Service, rewards *reward.Service) *Service {
	return &Service{db: d, clock: c, zone: z, events: events, members: members, rewards: rewards}
}

// Push is what a platform tells of an order. JSON is how an import keeps it; the phone number is not in it.
type Push struct {
	Platform    string     `json:"platform"`
	No          string     `json:"no"`
	Version     int64      `json:"version,omitempty"` // 0: the platform has none
	Status      string     `json:"status"`
	MemberID    int64      `json:"member,omitempty"`    // who the pusher says it is; 0 = he does not
	MemberNo    string     `json:"member_no,omitempty"` // the same by number, in a file
	Phone       string     `json:"-"`
	PhoneIndex  string     `json:"phone,omitempty"`
	PhoneTail   string     `json:"tail,omitempty"`
	PaidAt      *time.Time `json:"paid_at,omitempty"`
	AmountFen   *int64     `json:"amount,omitempty"` // nil: not told, as may be with a refund
	ShippingFen int64      `json:"shipping,omitempty"`
	Items       []Item     `json:"items,omitempty"`
	Refunds     []Refund   `json:"refunds,omitempty"`
	Source      string     `json:"source,omitempty"`
}

// Item is one line of an order.
type Item struct {
	SKU       string `json:"sku,omitempty"`
	Product   string `json:"product"`
	Category  string `json:"category,omitempty"`
	Quantity  int64  `json:"quantity"`
	AmountFen int64  `json:"amount"`
}

// Refund is one refund of an order.
type Refund struct {
	No         string    `json:"no"`
	AmountFen  int64     `json:"amount"`
	RefundedAt time.Time `json:"at"`
}

// maxNo bounds the number of an order and of a refund, in bytes.
const maxNo = 64

// Number normalises the number of an order, and refuses what is none.
func Number(field, s string) (string, error) {
	s = model.OrderNo(s)
	if s == "" || len(s) > maxNo || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return "", errs.Field(field, "order.number", "limit", maxNo)
	}
	return s, nil
}
