package coupon

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/risk"
	"github.com/siyu-scrm/siyu/model"
)

// RevokeTx takes an unused coupon back and returns it to the stock; it no longer counts against the member's limit. One that was used, or
// was revoked before, stays as it is: revoked is false. The caller holds the member's lock.
func (s *Service) RevokeTx(tx *gorm.DB, c *model.MemberCoupon, memo string, at time.Time) (revoked bool, err error) {
	res := tx.Model(&model.MemberCoupon{}).Where("id = ? AND state = ?", c.ID, model.CouponUsable).
		Updates(map[string]any{"state": model.CouponRevoked, "seq": -c.ID, "revoked_at": at, "memo": memo, "locked_till": nil})
	if res.Error != nil {
		return false, fmt.Errorf("coupon: revoke %d: %w", c.ID, res.Error)
	}
	if res.RowsAffected == 0 {
		return false, nil
	}
	if err := tx.Exec("UPDATE coupons SET issued = issued - 1 WHERE id = ?", c.CouponID).Error; err != nil {
		return false, fmt.Errorf("coupon: stock: %w", err)
	}
	return true, nil
}

// TakeBackTx is for what a coupon was given for and is so no longer: an unused one is revoked, a used one goes on the list of risks. The caller
// holds the member's lock.
func (s *Service) TakeBackTx(tx *gorm.DB, c *model.MemberCoupon, at time.Time) error {
	revoked, err := s.RevokeTx(tx, c, "refund", at)
	if err != nil || revoked || c.State != model.CouponUsed {
		return err
	}
	return risk.AddTx(tx, model.Risk{
		MemberID: c.MemberID, Kind: model.RiskBenefitUsed, Subject: fmt.Sprint("coupon:", c.ID), At: at,
		Data: model.ToJSON(map[string]any{"coupon_id": fmt.Sprint(c.CouponID), "source": c.Source, "used_at": c.UsedAt}),
	})
}

// Revoke takes a coupon back by hand: one that was used is errs.CouponUsed, one revoked before errs.Conflict.
func (s *Service) Revoke(ctx context.Context, id int64, memo string) (*Held, error) {
	out, err := db.Do(ctx, s.db, func(_ context.Context, tx *gorm.DB) (Held, error) {
		h, err := lockHeld(tx, id, memo)
		if err != nil {
			return Held{}, err
		}
		revoked, err := s.RevokeTx(tx, &h.MemberCoupon, memo, s.clock.Now())
		switch {
		case err != nil:
			return *h, err
		case !revoked && h.State == model.CouponUsed:
			return *h, errs.New(errs.CouponUsed, "coupon.used", "used_at", s.zone.In(*h.UsedAt))
		case !revoked:
			return *h, errs.New(errs.Conflict, "coupon.revoked")
		}
		return *h, tx.Take(&h.MemberCoupon, id).Error
	})
	return &out, err
}

// lockHeld finds a coupon by its id, with its holder locked.
func lockHeld(tx *gorm.DB, id int64, memo string) (*Held, error) {
	if err := checkMemo(memo); err != nil {
		return nil, err
	}
	h, err := held(tx, id)
	if err != nil {
		return nil, err
	}
	if err := member.LockTx(tx, h.MemberID); err != nil {
		return nil, err
	}
	return byCode(tx, h.Code)
}

// Held is a coupon that was given out.
func (s *Service) Held(ctx context.Context, id int64) (*Held, error) {
	return held(s.db.Reader(ctx), id)
}

func held(tx *gorm.DB, id int64) (*Held, error) {
	var row model.MemberCoupon
	if err := tx.Take(&row, id).Error; errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, errs.New(errs.NotFound, "coupon.code_unknown")
	} else if err != nil {
		return nil, fmt.Errorf("coupon: find: %w", err)
	}
	return byCode(tx, row.Code)
}

func checkMemo(memo string) error {
	if memo = strings.TrimSpace(memo); memo == "" || utf8.RuneCountInString(memo) > 100 {
		return errs.Field("reason", "ledger.memo", "limit", 100)
	}
	return nil
}
