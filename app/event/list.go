package event

import (
	"context"
	"fmt"

	"github.com/siyu-scrm/siyu/model"
)

// Of lists what a member did, newest first, with ids below beforeID (0 = from the newest).
func (l *Log) Of(ctx context.Context, memberID, beforeID int64, limit int) ([]model.Event, error) {
	q := l.db.Reader(ctx).Where("member_id = ?", memberID)
	if beforeID > 0 {
		q = q.Where("id < ?", beforeID)
	}
	var rows []model.Event
	if err := q.Order("id DESC").Limit(limit).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("event: of member %d: %w", memberID, err)
	}
	return rows, nil
}
