package reminder

import (
	"context"
	"fmt"

	"github.com/RoaringBitmap/roaring/v2"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/model"
)

func (s *Service) checkStreak(_ context.Context, _ *gorm.DB, r *model.Reminder) error {
	r.Account, r.AtLeast, r.Condition = "", 0, model.JSON("{}")
	return days(r)
}

// losing are those who accepted the message, have a streak of at least the length up to yesterday, and have not checked in today.
// It goes from the acceptances: they are few, and a member's days are found by key.
func (s *Service) losing(ctx context.Context, r *model.Reminder, today model.Day) (*roaring.Bitmap, error) {
	m, err := Message(r)
	if err != nil {
		return nil, err
	}
	out := roaring.New()
	rows, err := s.DB.Reader(ctx).Raw(`SELECT i.member_id FROM acceptances a JOIN identities i ON i.id = a.identity_id
JOIN checkins c ON c.member_id = i.member_id AND c.day = ? AND c.streak >= ?
WHERE a.template_id = ? AND a.accepted_count > 0 AND NOT EXISTS (SELECT 1 FROM checkins t WHERE t.member_id = i.member_id AND t.day = ?)`,
		today.Add(-1), r.Days, m.Subscribe.TemplateID, today).Rows()
	if err != nil {
		return nil, fmt.Errorf("reminder: members: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var n uint32
		if err := rows.Scan(&n); err != nil {
			return nil, fmt.Errorf("reminder: members: %w", err)
		}
		out.Add(n)
	}
	return out, rows.Err()
}

// streakNow: it is over for who has checked in, and for all once the day is.
func (s *Service) streakNow(_ context.Context, tx *gorm.DB, _ *model.Reminder, day string, ids []int64) (map[int64]reach.Now, error) {
	var done []int64
	if err := tx.Model(&model.Checkin{}).Where("member_id IN ? AND day = ?", ids, day).Pluck("member_id", &done).Error; err != nil {
		return nil, fmt.Errorf("reminder: who has checked in: %w", err)
	}
	if s.Zone.DayOf(s.Clock.Now()) != model.Day(day) {
		done = ids
	}
	out := map[int64]reach.Now{}
	for _, id := range done {
		out[id] = reach.Now{Gone: true}
	}
	return out, nil
}
