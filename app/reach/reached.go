package reach

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/model"
)

// ReachedTx is when runs of a source first reached a person, also as whom he was before merges; false if they did not.
func (s *Service) ReachedTx(ctx context.Context, tx *gorm.DB, source string, sourceID, memberID int64) (time.Time, bool, error) {
	losers, err := mergedInto(ctx, tx, []int64{memberID})
	if err != nil {
		return time.Time{}, false, err
	}
	var rows []model.Delivery
	err = tx.Where("run_id IN (SELECT id FROM runs WHERE source = ? AND source_id = ?) AND member_id IN ? AND state IN ?", source, sourceID,
		append(losers[memberID], memberID), []string{model.DeliveryAttempting, model.DeliveryAccepted, model.DeliveryUnknown}).
		Order("at").Limit(1).Find(&rows).Error
	if err != nil || len(rows) == 0 || rows[0].At == nil {
		return time.Time{}, false, wrapReached(err)
	}
	return *rows[0].At, true, nil
}

func wrapReached(err error) error {
	if err != nil {
		err = fmt.Errorf("reach: reached: %w", err)
	}
	return err
}
