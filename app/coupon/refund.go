package coupon

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/model"
)

// Follow is the event follower: after less of an order remains, claims whose terms asked for orders are looked at again. What no longer
// qualifies is revoked, or stands on the list of risks where it was used (PLAYBOOKS P02 #11).
func (s *Service) Follow(ctx context.Context, tx *gorm.DB, ev *model.Event) ([]event.Grant, error) {
	if ev.Kind != model.EventOrderRefunded && ev.Kind != model.EventOrderCorrected {
		return nil, nil
	}
	rows, err := claimed(tx, ev.MemberID)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	// The row of the order is written after its event, which says what remains.
	var data struct {
		OrderID string `json:"order_id"`
		Fen     int64  `json:"amount_fen"`
	}
	if err := ev.Data.Into(&data); err != nil {
		return nil, fmt.Errorf("coupon: order: %w", err)
	}
	orderID, err := strconv.ParseInt(data.OrderID, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("coupon: order: %w", err)
	}
	largest, total, err := s.Paid(ctx, tx, ev.MemberID, orderID)
	if err != nil {
		return nil, err
	}
	return nil, s.recheck(tx, rows, max(largest, data.Fen), total+data.Fen, ev.OccurredAt)
}

// RecheckTx looks at the claims of a member again who paid less than he seemed to: an order of his turned out to be another's. The caller
// holds his lock.
func (s *Service) RecheckTx(ctx context.Context, tx *gorm.DB, memberID int64, at time.Time) error {
	rows, err := claimed(tx, memberID)
	if err != nil || len(rows) == 0 {
		return err
	}
	largest, total, err := s.Paid(ctx, tx, memberID, 0)
	if err != nil {
		return err
	}
	return s.recheck(tx, rows, largest, total, at)
}

func claimed(tx *gorm.DB, memberID int64) (rows []model.MemberCoupon, err error) {
	err = tx.Where("member_id = ? AND seq > 0 AND source = ?", memberID, model.CouponByClaim).Order("id").Find(&rows).Error
	return rows, err
}

func (s *Service) recheck(tx *gorm.DB, rows []model.MemberCoupon, largest, total int64, at time.Time) error {
	for i := range rows {
		c, err := Get(tx, rows[i].CouponID)
		if err != nil {
			return err
		}
		if c.Terms.Order.met(largest, total) {
			continue
		}
		if err := s.TakeBackTx(tx, &rows[i], at); err != nil {
			return err
		}
	}
	return nil
}

// met reports whether the payments are enough; without a term anything is.
func (o *OrderTerm) met(largest, total int64) bool {
	return o == nil || o.Basis == Single && largest >= o.Fen || o.Basis == Cumulative && total >= o.Fen
}
