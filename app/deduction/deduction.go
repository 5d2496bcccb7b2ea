// Package deduction lets members pay a part of an order with points: the points of an unpaid order are held, paying commits them,
// cancelling or a time-out gives them back.
package deduction

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/model"
)

// Service holds points for orders.
type Service struct {
	db    *db.DB
	clock clock.Clock
	book  *ledger.Book
}

// New returns the service.
func New(d *db.DB, c clock.Clock, b *ledger.Book) *Service { return &Service{db: d, clock: c, book: b} }

// Bounds of the settings and of an order.
const (
	id         = 1 // of the one row of settings
	maxUnit    = 1_000_000
	maxMinutes = 7 * 24 * 60
	maxFen     = 1_000_000_000_00 // of an order's goods
)

// reason stands in the ledger.
const reason = "deduction"

// Settings are what is in force; before an operator saved any: off, 100 points = ¥1, up to half of the goods, half an hour.
func (s *Service) Settings(ctx context.Context) (*model.DeductionSettings, error) {
	return settings(s.db.Reader(ctx))
}

func settings(tx *gorm.DB) (*model.DeductionSettings, error) {
	row := model.DeductionSettings{ID: id, Points: 100, Fen: 100, MaxPercent: 50, HoldMinutes: 30}
	if err := tx.Limit(1).Find(&row).Error; err != nil {
		return nil, fmt.Errorf("deduction: settings: %w", err)
	}
	return &row, nil
}

// Save changes the settings.
func (s *Service) Save(ctx context.Context, in model.DeductionSettings) (*model.DeductionSettings, error) {
	for _, f := range []struct {
		name             string
		value, min, most int64
	}{
		{"points", in.Points, 1, maxUnit},
		{"fen", in.Fen, 1, maxUnit},
		{"max_percent", int64(in.MaxPercent), 1, 100},
		{"hold_minutes", int64(in.HoldMinutes), 1, maxMinutes},
	} {
		if f.value < f.min || f.value > f.most {
			return nil, errs.Field(f.name, "deduction.range", "limit", f.most)
		}
	}
	saved, err := db.Do(ctx, s.db, func(_ context.Context, tx *gorm.DB) (model.DeductionSettings, error) {
		in.ID, in.UpdatedAt = id, s.clock.Now()
		return in, tx.Save(&in).Error
	})
	return &saved, err
}

// Quote is what points can pay of an order.
type Quote struct {
	model.DeductionSettings
	Balance   int64 // points that are usable
	Points    int64 // deductible: whole units, within the balance and the limit
	Fen       int64 // what they pay
	MaxPoints int64 // the limit of the order, whatever the balance
	MaxFen    int64
}

// Quote says how many points are deductible from goods of so many fen.
func (s *Service) Quote(ctx context.Context, memberID, goodsFen int64) (*Quote, error) {
	set, err := s.Settings(ctx)
	if err != nil {
		return nil, err
	}
	held, err := s.book.PointsOf(ctx, s.db.Reader(ctx), []int64{memberID})
	if err != nil {
		return nil, err
	}
	if err := checkGoods(goodsFen); err != nil {
		return nil, err
	}
	q := &Quote{DeductionSettings: *set, Balance: held[memberID]}
	if set.Enabled {
		units := limit(set, goodsFen)
		q.MaxPoints, q.MaxFen = units*set.Points, units*set.Fen
		units = max(0, min(units, q.Balance/set.Points))
		q.Points, q.Fen = units*set.Points, units*set.Fen
	}
	return q, nil
}

func checkGoods(fen int64) error {
	if fen < 0 || fen > maxFen {
		return errs.Field("amount_fen", "deduction.amount", "limit", int64(maxFen))
	}
	return nil
}

// limit is how many units goods of so many fen take: MaxPercent of them, floored.
func limit(set *model.DeductionSettings, goodsFen int64) int64 {
	return goodsFen * int64(set.MaxPercent) / 100 / set.Fen
}

// Order asks for points of a member to be held for an order.
type Order struct {
	MemberID int64
	Ref      string // the order's number at the caller
	GoodsFen int64  // goods after member price and coupon, without shipping
	Points   int64  // whole units
	Key      string // the caller's own: the same key again returns the first hold
}

// Hold sets the points of an unpaid order aside. Points that are no whole units are errs.Invalid, with unit; more than the order may
// take errs.DeductionLimit, with limit; more than the member has errs.Insufficient or errs.PointsDebt, with short_by.
func (s *Service) Hold(ctx context.Context, o Order) (*model.Hold, error) {
	if err := checkGoods(o.GoodsFen); err != nil {
		return nil, err
	}
	return db.Do(ctx, s.db, func(ctx context.Context, tx *gorm.DB) (*model.Hold, error) {
		if err := member.LockTx(tx, o.MemberID); err != nil {
			return nil, err
		}
		first, err := s.before(tx, o)
		if first != nil || err != nil {
			return first, err
		}
		set, err := settings(tx)
		if err != nil {
			return nil, err
		}
		most := limit(set, o.GoodsFen) * set.Points
		switch {
		case o.Points <= 0 || o.Points%set.Points != 0:
			return nil, errs.Field("points", "deduction.unit", "unit", set.Points)
		case !set.Enabled:
			return nil, errs.New(errs.DeductionLimit, "deduction.off", "limit", 0)
		case o.Points > most:
			return nil, errs.New(errs.DeductionLimit, "deduction.limit", "limit", most, "percent", set.MaxPercent)
		}
		return s.book.HoldTx(ctx, tx, ledger.Hold{
			MemberID: o.MemberID, Account: model.AccountPoints, Amount: o.Points, Worth: o.Points / set.Points * set.Fen, Ref: o.Ref,
			Key: keyOf(o), Reason: reason, Until: s.clock.Now().Add(time.Duration(set.HoldMinutes) * time.Minute),
		})
	})
}

func keyOf(o Order) string { return "order:" + o.Key }

// before is the hold that the same request made: whatever the settings say now.
func (s *Service) before(tx *gorm.DB, o Order) (*model.Hold, error) {
	var h model.Hold
	if err := tx.Where("`key` = ?", keyOf(o)).Limit(1).Find(&h).Error; err != nil {
		return nil, fmt.Errorf("deduction: find hold: %w", err)
	}
	switch {
	case h.ID == 0:
		return nil, nil
	case h.MemberID != o.MemberID || h.Amount != o.Points || h.Ref != o.Ref:
		return nil, errs.New(errs.Conflict, "ledger.key_reused", "key", o.Key)
	}
	return &h, nil
}

// Get is a hold of an order.
func (s *Service) Get(ctx context.Context, id int64) (*model.Hold, error) {
	return s.book.FindHold(s.db.Reader(ctx), id)
}

// End commits the points of an order that was paid, or releases those of one that was not. Repeated it answers the same; the other
// way round it is errs.Conflict.
func (s *Service) End(ctx context.Context, id int64, commit bool) (*model.Hold, error) {
	return db.Do(ctx, s.db, func(ctx context.Context, tx *gorm.DB) (*model.Hold, error) {
		if commit {
			return s.book.CommitHoldTx(ctx, tx, id, "commit", s.clock.Now())
		}
		return s.book.ReleaseHoldTx(ctx, tx, id, "release", s.clock.Now())
	})
}
