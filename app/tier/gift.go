package tier

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/coupon"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/model"
)

// give gives the gifts of the tiers, each once in a lifetime: again only where the first was a coupon that was revoked unused.
func (s *Service) give(ctx context.Context, tx *gorm.DB, l *Ladder, ev *model.Event, tiers []string) ([]event.Grant, error) {
	var grants []event.Grant
	for _, t := range l.Tiers {
		if !within(tiers, t.ID) {
			continue
		}
		for n, g := range t.Gifts {
			again, err := s.mayGive(tx, ev.MemberID, t.ID, n)
			if err != nil {
				return nil, err
			}
			if !again {
				continue
			}
			grant, err := s.giveOne(ctx, tx, ev, t, n, g)
			if err != nil {
				return nil, fmt.Errorf("tier: gift %d of %s: %w", n, t.Name, err)
			}
			grants = append(grants, grant)
		}
	}
	return grants, nil
}

// mayGive reports whether a member may have a gift: he never did, or its coupon was revoked unused. The caller holds his lock.
func (s *Service) mayGive(tx *gorm.DB, memberID, tierID int64, n int) (bool, error) {
	var row model.TierGift
	err := tx.Where("member_id = ? AND tier_id = ? AND n = ?", memberID, tierID, n).Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return true, nil
	}
	if err != nil || row.MemberCouponID == 0 {
		return false, err
	}
	var revoked int64
	err = tx.Model(&model.MemberCoupon{}).Where("id = ? AND state = ?", row.MemberCouponID, model.CouponRevoked).Count(&revoked).Error
	return revoked > 0, err
}

func (s *Service) giveOne(ctx context.Context, tx *gorm.DB, ev *model.Event, t Tier, n int, g Gift) (event.Grant, error) {
	row := model.TierGift{MemberID: ev.MemberID, TierID: t.ID, N: n, At: ev.OccurredAt}
	grant := event.Grant{Account: g.Account, Amount: g.Amount, Rule: t.Name}
	if g.CouponID == 0 {
		e, err := s.Book.PostTx(ctx, tx, ledger.Posting{
			MemberID: ev.MemberID, Account: g.Account, Amount: g.Amount, Reason: "tier.gift", Memo: t.Name, EventID: ev.ID, OccurredAt: ev.OccurredAt,
			Key: fmt.Sprintf("tier:%d:%d:%d", t.ID, n, ev.MemberID),
		})
		if err != nil {
			return grant, err
		}
		grant.Balance = e.Balance
		return grant, tx.Create(&row).Error
	}
	c, err := coupon.Get(tx, g.CouponID)
	if err != nil {
		return grant, err
	}
	grant.Coupon, grant.Amount = c.Name, 1
	given, err := s.Coupons.IssueTx(ctx, tx, ev.MemberID, c.ID, coupon.Cause{Source: model.CouponByTier, ID: t.ID, EventID: ev.ID}, s.Clock.Now())
	if code := errs.CodeOf(err); code != "" { // he rises all the same, and may get it when he comes again
		grant.Amount, grant.Note = 0, string(code)
		return grant, nil
	}
	if err != nil {
		return grant, err
	}
	row.MemberCouponID = given.ID
	if err := tx.Where("member_id = ? AND tier_id = ? AND n = ?", row.MemberID, row.TierID, n).Delete(&model.TierGift{}).Error; err != nil {
		return grant, err
	}
	return grant, tx.Create(&row).Error
}

// takeBack revokes the unused coupons that the tiers gave. What was used cannot be taken back: operators should look at it.
func (s *Service) takeBack(tx *gorm.DB, ev *model.Event, tiers []string) error {
	var rows []model.TierGift
	if err := tx.Where("member_id = ? AND tier_id IN ? AND member_coupon_id <> 0", ev.MemberID, tiers).Order("tier_id, n").Find(&rows).Error; err != nil {
		return fmt.Errorf("tier: gifts: %w", err)
	}
	for _, r := range rows {
		var c model.MemberCoupon
		if err := tx.Take(&c, r.MemberCouponID).Error; err != nil {
			return fmt.Errorf("tier: gift: %w", err)
		}
		if err := s.Coupons.TakeBackTx(tx, &c, ev.OccurredAt); err != nil {
			return err
		}
	}
	return nil
}
