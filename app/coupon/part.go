package coupon

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/model"
)

// Part says what a merge does: the coupons of two people unite. Beyond the limit per member the loser's unused ones are taken back, the
// newest first; what was used stays used. An erasure takes back what is unused.
func (s *Service) Part() member.Part {
	return member.Part{
		Name: "coupon", Merge: s.merge,
		Tables: []member.Table{{
			Row: &model.MemberCoupon{}, Erase: member.Blank(map[string]any{"memo": "", "order_no": ""}),
			Export: []string{
				"(SELECT name FROM coupons WHERE id = coupon_id) AS coupon", "code", "state", "source", "issued_at", "expires_at", "used_at", "store", "order_no",
			},
		}},
		Erase: func(_ context.Context, tx *gorm.DB, m *model.Member) error {
			rows, err := of(tx, m.ID)
			for i := 0; i < len(rows) && err == nil; i++ {
				_, err = s.RevokeTx(tx, &rows[i], "", s.clock.Now())
			}
			return err
		},
	}
}

func of(tx *gorm.DB, memberID int64) (rows []model.MemberCoupon, err error) {
	return rows, tx.Where("member_id = ?", memberID).Order("id").Find(&rows).Error
}

func (s *Service) merge(_ context.Context, tx *gorm.DB, m member.MergeOf) error {
	rows, err := of(tx, m.Loser)
	if err != nil {
		return err
	}
	for i := range rows {
		if err := s.move(tx, m, &rows[i]); err != nil {
			return err
		}
	}
	return nil
}

// mergedAway is the memo of a coupon that a merge took.
const mergedAway = "merge"

// DropTx takes a coupon that a merge shows to have been given twice, if it is unused; not back to the stock, since the undoing of the merge
// gives it back to him. It is called before the coupons move.
func (s *Service) DropTx(tx *gorm.DB, id int64, at time.Time) error {
	err := tx.Model(&model.MemberCoupon{}).Where("id = ? AND state = ?", id, model.CouponUsable).
		Updates(map[string]any{"state": model.CouponRevoked, "seq": -id, "revoked_at": at, "memo": mergedAway}).Error
	if err != nil {
		return fmt.Errorf("coupon: drop %d: %w", id, err)
	}
	return nil
}

// move gives one coupon to the winner under his next number, or takes it back where he has had enough.
func (s *Service) move(tx *gorm.DB, m member.MergeOf, row *model.MemberCoupon) error {
	c, err := Get(tx, row.CouponID)
	if err != nil {
		return err
	}
	var mine struct{ N, Last int64 }
	err = tx.Model(&model.MemberCoupon{}).Select("COUNT(*) AS n, COALESCE(MAX(seq), 0) AS last").
		Where("member_id = ? AND coupon_id = ? AND seq > 0", m.Winner, row.CouponID).Scan(&mine).Error
	if err != nil {
		return err
	}
	to := map[string]any{"member_id": m.Winner}
	if row.Seq > 0 {
		to["seq"] = mine.Last + 1
		if row.State == model.CouponUsable && c.PerMember > 0 && mine.N >= int64(c.PerMember) {
			// Not back to the stock: the undoing of the merge gives it back to him.
			to["seq"], to["state"], to["revoked_at"], to["memo"] = -row.ID, model.CouponRevoked, m.At, mergedAway
		}
	}
	if err := tx.Model(&model.MemberCoupon{}).Where("id = ?", row.ID).Updates(to).Error; err != nil {
		return fmt.Errorf("coupon: merge %d: %w", row.ID, err)
	}
	return nil
}
