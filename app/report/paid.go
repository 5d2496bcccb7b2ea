package report

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/model"
)

// Paid is what a rule granted in an account, pending lots included; what was taken back later is still in it.
type Paid struct {
	Account string
	Amount  int64
}

// PaidThisMonth is what each rule granted since the month began, by its id.
func (s *Service) PaidThisMonth(ctx context.Context) (map[int64][]Paid, error) {
	r := s.db.Reader(ctx)
	from := s.zone.MonthStart(s.clock.Now())
	begin, err := first(r, "entries", from)
	if err != nil {
		return nil, err
	}
	var rows []struct {
		RuleID int64
		Paid
	}
	err = r.Model(&model.Entry{}).Select("rule_id, account, SUM(delta) AS amount").
		Where("id >= ? AND recorded_at >= ? AND kind = ? AND rule_id <> 0", begin, from, model.EntryEarn).
		Group("rule_id, account").Order("rule_id, account").Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("report: paid by rules: %w", err)
	}
	out := map[int64][]Paid{}
	for _, row := range rows {
		out[row.RuleID] = append(out[row.RuleID], row.Paid)
	}
	return out, nil
}

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
