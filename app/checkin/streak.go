package checkin

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/reward"
	"github.com/siyu-scrm/siyu/model"
)

// streakAt is the number of days in a row that end on day; 0 if the member did not check in on it.
func streakAt(tx *gorm.DB, memberID int64, day model.Day) (int, error) {
	var last []model.Checkin
	if err := tx.Where("member_id = ? AND day = ?", memberID, day).Limit(1).Find(&last).Error; err != nil {
		return 0, fmt.Errorf("checkin: streak: %w", err)
	}
	if len(last) == 0 {
		return 0, nil
	}
	return last[0].Streak, nil
}

// growTx mends the streaks after a day was added behind others, and grants what the longer ones earn; with itself also what the day's own
// streak does. Nothing that was granted is taken away.
func (s *Service) growTx(ctx context.Context, tx *gorm.DB, memberID int64, day model.Day, itself bool) ([]event.Grant, error) {
	days, changed, err := repair(tx, memberID)
	if err != nil {
		return nil, err
	}
	var run []reward.StreakDay
	grew := false
	for _, row := range runOf(days, day) {
		d := reward.StreakDay{Key: fmt.Sprint(row.ID), Streak: row.Streak, Grew: row.Day > day && changed[row.ID] || itself && row.Day == day}
		grew = grew || d.Grew
		run = append(run, d)
	}
	if !grew {
		return nil, nil
	}
	return s.rewards.StreaksGrewTx(ctx, tx, source, run)
}

// runOf is the days in a row, oldest first, to which the day belongs.
func runOf(days []model.Checkin, day model.Day) []model.Checkin {
	from, to := -1, 0
	for i := range days {
		if days[i].Streak == 1 && days[i].Day <= day {
			from = i
		}
	}
	if from < 0 {
		return nil
	}
	for to = from + 1; to < len(days) && days[to].Streak > 1; to++ {
	}
	return days[from:to]
}

// repair rewrites the streaks of a member after days were added behind others; it returns his days and which of them changed.
func repair(tx *gorm.DB, memberID int64) (days []model.Checkin, changed map[int64]bool, err error) {
	if err := tx.Where("member_id = ?", memberID).Order("day").Find(&days).Error; err != nil {
		return nil, nil, fmt.Errorf("checkin: streaks: %w", err)
	}
	changed = map[int64]bool{}
	for i := range days {
		streak := 1
		if i > 0 && days[i].Day == days[i-1].Day.Add(1) {
			streak = days[i-1].Streak + 1
		}
		if days[i].Streak == streak {
			continue
		}
		days[i].Streak = streak
		if err := tx.Model(&days[i]).Update("streak", streak).Error; err != nil {
			return nil, nil, fmt.Errorf("checkin: streaks: %w", err)
		}
		changed[days[i].ID] = true
	}
	return days, changed, nil
}
