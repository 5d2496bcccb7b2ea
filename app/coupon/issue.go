package coupon

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/model"
)

// Cause is why a member gets a coupon.
type Cause struct {
	Source  string // model.CouponBy…
	ID      int64  // of the rule, the tier, the redemption
	EventID int64
	Memo    string // an operator's reason
}

// source numbers the events by the row of the member's coupon.
const source = "coupon"

// codeLength of 32 letters each: 80 bits that nobody guesses.
const codeLength = 16

// IssueTx gives the member one coupon. The caller holds his lock. errs.LimitReached (limit), errs.OutOfStock and, where it is switched off or
// over, errs.WindowClosed mean that nothing was written.
func (s *Service) IssueTx(_ context.Context, tx *gorm.DB, memberID, couponID int64, cause Cause, at time.Time) (*model.MemberCoupon, error) {
	c, err := Get(tx, couponID)
	if err != nil {
		return nil, err
	}
	return s.issueTx(tx, memberID, &c.Coupon, cause, at)
}

func (s *Service) issueTx(tx *gorm.DB, memberID int64, c *model.Coupon, cause Cause, at time.Time) (*model.MemberCoupon, error) {
	expires := s.expiry(c, at)
	if !c.Enabled || expires != nil && !at.Before(*expires) {
		return nil, errs.New(errs.WindowClosed, "coupon.over")
	}
	var mine struct{ N, Last int64 }
	err := tx.Model(&model.MemberCoupon{}).Select("COUNT(*) AS n, COALESCE(MAX(seq), 0) AS last").
		Where("member_id = ? AND coupon_id = ? AND seq > 0", memberID, c.ID).Scan(&mine).Error
	if err != nil {
		return nil, fmt.Errorf("coupon: count: %w", err)
	}
	if c.PerMember > 0 && mine.N >= int64(c.PerMember) {
		return nil, errs.New(errs.LimitReached, "coupon.limit", "limit", c.PerMember)
	}
	res := tx.Exec("UPDATE coupons SET issued = issued + 1 WHERE id = ? AND (stock IS NULL OR issued < stock)", c.ID)
	if res.Error != nil {
		return nil, fmt.Errorf("coupon: stock: %w", res.Error)
	}
	if res.RowsAffected == 0 {
		return nil, errs.New(errs.OutOfStock, "coupon.out_of_stock")
	}
	row := &model.MemberCoupon{
		CouponID: c.ID, MemberID: memberID, Seq: mine.Last + 1, Code: rand.Text()[:codeLength], State: model.CouponUsable,
		UsableFrom: c.UsableFrom, ExpiresAt: expires, Source: cause.Source, SourceID: cause.ID, EventID: cause.EventID, Memo: cause.Memo, IssuedAt: at,
	}
	if err := tx.Create(row).Error; err != nil {
		return nil, fmt.Errorf("coupon: issue %d to member %d, who must be locked: %w", c.ID, memberID, err)
	}
	return row, nil
}

// Claimed is what a claim answers.
type Claimed struct {
	Held   Held          `json:"held"`
	Grants []event.Grant `json:"grants"`
}

// Claim takes a coupon for the member, by its terms (see Meet and IssueTx for what it refuses); one that members cannot claim is errs.NotFound.
func (s *Service) Claim(ctx context.Context, memberID, couponID int64, at time.Time) (*Claimed, error) {
	out, err := db.Do(ctx, s.db, func(ctx context.Context, tx *gorm.DB) (r Claimed, err error) {
		memberID, err := s.members.ActTx(tx, memberID, at, true)
		if err != nil {
			return r, err
		}
		c, err := Get(tx, couponID)
		if err != nil {
			return r, err
		}
		if !c.Claimable || !c.Enabled {
			return r, errs.New(errs.NotFound, "coupon.not_found")
		}
		if err := s.Meet(ctx, tx, &c.Terms, memberID, at); err != nil {
			return r, err
		}
		row, err := s.issueTx(tx, memberID, &c.Coupon, Cause{Source: model.CouponByClaim}, at)
		if err != nil {
			return r, err
		}
		r.Held = Held{MemberCoupon: *row, Coupon: c.Coupon}
		r.Grants, err = s.record(ctx, tx, model.EventCoupon, fmt.Sprint("claim:", row.ID), &r.Held, at)
		return r, err
	})
	return &out, err
}

// record tells what happened to a coupon; the code is nobody's business.
func (s *Service) record(ctx context.Context, tx *gorm.DB, kind, key string, h *Held, at time.Time) ([]event.Grant, error) {
	data := map[string]any{"coupon_id": fmt.Sprint(h.CouponID), "coupon": h.Coupon.Code, "name": h.Coupon.Name, "kind": h.Coupon.Kind}
	if h.Store != "" {
		data["store"] = h.Store
	}
	if h.OrderNo != "" {
		data["order_no"] = h.OrderNo
	}
	return s.events.RecordTx(ctx, tx, &model.Event{
		MemberID: h.MemberID, Kind: kind, Source: source, Key: key, OccurredAt: at, Joined: true, Data: model.ToJSON(data),
	})
}

// Give gives a coupon by hand.
func (s *Service) Give(ctx context.Context, memberID, couponID int64, memo string) (*Held, error) {
	out, err := db.Do(ctx, s.db, func(ctx context.Context, tx *gorm.DB) (h Held, err error) {
		if err := checkMemo(memo); err != nil {
			return h, err
		}
		if err := member.LockTx(tx, memberID); err != nil {
			return h, err
		}
		m, err := member.Get(tx, memberID)
		if err != nil {
			return h, err
		}
		if m.ID != memberID {
			return h, errs.New(errs.Conflict, "ledger.member_merged", "member_id", fmt.Sprint(m.ID))
		}
		if !m.Joined() {
			return h, errs.New(errs.NotMember, "coupon.not_member")
		}
		c, err := Get(tx, couponID)
		if err != nil {
			return h, err
		}
		row, err := s.issueTx(tx, memberID, &c.Coupon, Cause{Source: model.CouponByOperator, Memo: memo}, s.clock.Now())
		if err != nil {
			return h, err
		}
		return Held{MemberCoupon: *row, Coupon: c.Coupon}, nil
	})
	return &out, err
}
