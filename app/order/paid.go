package order

import (
	"context"
	"fmt"

	"gorm.io/gorm"
)

const net = "CASE WHEN ended <> '' OR refunded_fen >= amount_fen THEN 0 ELSE amount_fen - refunded_fen END"

// Paid is what a member paid, net of refunds, in fen: with his largest order, and with all of them but one (0 = with all). tx may be a reader.
func (s *Service) Paid(_ context.Context, tx *gorm.DB, memberID, but int64) (largest, total int64, err error) {
	var sums struct{ Largest, Total int64 }
	err = tx.Table("orders").Select("COALESCE(MAX("+net+"), 0) AS largest, COALESCE(SUM("+net+"), 0) AS total").
		Where("member_id = ? AND paid_at IS NOT NULL AND id <> ?", memberID, but).Scan(&sums).Error
	if err != nil {
		return 0, 0, fmt.Errorf("order: paid: %w", err)
	}
	return sums.Largest, sums.Total, nil
}
