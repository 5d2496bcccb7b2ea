package report

import (
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// first finds the first row of entries or events recorded at or after t: they have no index on their time, but their ids grow with it.
func first(r *gorm.DB, table string, t time.Time) (int64, error) {
	var last int64
	if err := r.Table(table).Select("COALESCE(MAX(id), 0)").Scan(&last).Error; err != nil {
		return 0, fmt.Errorf("report: %s: %w", table, err)
	}
	low, high := int64(0), last+1
	for low < high {
		mid := low + (high-low)/2
		var e struct {
			ID         int64
			RecordedAt time.Time
		}
		err := r.Table(table).Select("id", "recorded_at").Where("id >= ?", mid).Order("id").Limit(1).Take(&e).Error
		if err != nil && !errors.Is(err, gorm.ErrRecordNotFound) {
			return 0, fmt.Errorf("report: %s: %w", table, err)
		}
		if err == nil && e.RecordedAt.Before(t) {
			low = e.ID + 1
		} else {
			high = mid
		}
	}
	return low, nil
}
