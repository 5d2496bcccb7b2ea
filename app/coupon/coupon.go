// Package coupon keeps coupons: what operators define, who may claim one, how many are given out, and their use at a till, once.
//
// Three things decide who gets one, whatever asks for it: the stock (a conditional UPDATE), the limit per member (counted under his lock,
// with a unique index behind it) and, for claims, the Terms. What is given out keeps its face and its expiry.
package coupon

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/model"
)

// Service is the use cases of coupons.
type Service struct {
	db         *db.DB
	clock      clock.Clock
	zone       clock.Zone
	conditions *condition.Registry
	events     *event.Log
	members    *member.Service
	book       *ledger.Book

	// TierReached refuses a member below a tier with errs.TierTooLow, and a tier that is not there. Its owner stands above this package.
	TierReached func(ctx context.Context, tx *gorm.DB, memberID, tierID int64, at time.Time) error
	// Paid is what a member paid, net of refunds, in fen: with his largest order, and with all of them but one (0 = with all).
	Paid func(ctx context.Context, tx *gorm.DB, memberID, but int64) (largest, total int64, err error)
}

// New returns the service. Until the app fills in TierReached and Paid there are no tiers, and nobody paid anything.
func New(d *db.DB, c clock.Clock, z clock.Zone, conditions *condition.Registry, events *event.Log, members *member.Service, book *ledger.Book) *Service {
	return &Service{
		db: d, clock: c, zone: z, conditions: conditions, events: events, members: members, book: book,
		TierReached: func(context.Context, *gorm.DB, int64, int64, time.Time) error {
			return errs.New(errs.NotFound, "tier.not_found")
		},
		Paid: func(context.Context, *gorm.DB, int64, int64) (int64, int64, error) { return 0, 0, nil },
	}
}

// Definition is a coupon with its document read.
type Definition struct {
	model.Coupon
	Terms Terms `json:"terms"`
}

func read(row model.Coupon) (*Definition, error) {
	d := &Definition{Coupon: row}
	if err := row.Terms.Into(&d.Terms); err != nil {
		return nil, fmt.Errorf("coupon: terms of %d: %w", row.ID, err)
	}
	return d, nil
}

// Get reads one coupon by tx; errs.NotFound ("coupon.not_found").
func Get(tx *gorm.DB, id int64) (*Definition, error) {
	row, err := db.ByID[model.Coupon](tx, id, "coupon.not_found")
	if err != nil {
		return nil, err
	}
	return read(*row)
}

// Get reads one coupon.
func (s *Service) Get(ctx context.Context, id int64) (*Definition, error) {
	return Get(s.db.Reader(ctx), id)
}

// List is every coupon, in the operator's order.
func (s *Service) List(ctx context.Context) ([]Definition, error) {
	var rows []model.Coupon
	if err := s.db.Reader(ctx).Order("position, id").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("coupon: list: %w", err)
	}
	out := make([]Definition, len(rows))
	for i, row := range rows {
		d, err := read(row)
		if err != nil {
			return nil, err
		}
		out[i] = *d
	}
	return out, nil
}

// expiry is when a coupon that is got at t expires: 00:00 of the date of t + ValidDays (the day it is got is day 1, PLAYBOOKS H14), and
// not after UsableUntil; nil = never.
func (s *Service) expiry(c *model.Coupon, t time.Time) *time.Time {
	end := c.UsableUntil
	if c.ValidDays > 0 {
		if days := s.zone.Start(s.zone.DayOf(t).Add(c.ValidDays)); end == nil || days.Before(*end) {
			end = &days
		}
	}
	return end
}
