package coupon

import (
	"context"
	"fmt"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/model"
)

// Ending is who holds an unused coupon that expires in (after, until].
func (s *Service) Ending(ctx context.Context, after, until time.Time) (*roaring.Bitmap, error) {
	return condition.Bitmap(s.db.Reader(ctx).Model(&model.MemberCoupon{}).Select("DISTINCT member_id").
		Where("expires_at > ? AND expires_at <= ? AND state = ?", after, until, model.CouponUsable))
}

// EndingTx is what members hold unused that expires by until, of each the soonest first.
func (s *Service) EndingTx(tx *gorm.DB, ids []int64, until time.Time) (map[int64][]Held, error) {
	now := s.clock.Now()
	var rows []model.MemberCoupon
	err := tx.Where("member_id IN ? AND state = ? AND expires_at <= ?", ids, model.CouponUsable, until).Order("expires_at, id").Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("coupon: ending: %w", err)
	}
	known, out := map[int64]*Definition{}, map[int64][]Held{}
	for _, row := range rows {
		if row.StateAt(now) != model.CouponUsable {
			continue
		}
		c := known[row.CouponID]
		if c == nil {
			if c, err = Get(tx, row.CouponID); err != nil {
				return nil, err
			}
			known[row.CouponID] = c
		}
		out[row.MemberID] = append(out[row.MemberID], Held{MemberCoupon: row, Coupon: c.Coupon})
	}
	return out, nil
}
