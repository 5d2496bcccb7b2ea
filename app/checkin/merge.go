package checkin

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/model"
)

// Part says what a merge does with check-ins: a day that both have counts once, what its second check-in earned is taken back, and the
// streaks are recomputed. It runs before the ledger's Part, while the loser still has his own lots.
func (s *Service) Part() member.Part {
	return member.Part{
		Name:   "checkin",
		Tables: []member.Table{{Row: &model.Checkin{}, Export: []string{"day", "streak", "at", "via"}, Erase: member.Keep}},
		Merge: func(ctx context.Context, tx *gorm.DB, m member.MergeOf) error {
			if err := s.dropTwice(ctx, tx, m); err != nil {
				return err
			}
			if err := member.Move(tx, "checkins", m); err != nil {
				return err
			}
			_, _, err := repair(tx, m.Winner)
			return err
		},
		Undo: func(_ context.Context, tx *gorm.DB, m member.MergeOf) error {
			for _, id := range []int64{m.Loser, m.Winner} {
				if _, _, err := repair(tx, id); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// dropTwice removes the loser's check-ins on days that the winner has too.
func (s *Service) dropTwice(ctx context.Context, tx *gorm.DB, m member.MergeOf) error {
	var ids []int64
	err := tx.Model(&model.Checkin{}).Where("member_id = ? AND day IN (?)", m.Loser, tx.Model(&model.Checkin{}).Select("day").Where("member_id = ?", m.Winner)).
		Order("id").Pluck("id", &ids).Error
	if err != nil || len(ids) == 0 {
		return err
	}
	keys := make([]string, len(ids))
	for i, id := range ids {
		keys[i] = fmt.Sprint(id)
	}
	var events []int64
	if err := tx.Model(&model.Event{}).Where("source = ? AND `key` IN ?", source, keys).Order("id").Pluck("id", &events).Error; err != nil {
		return fmt.Errorf("checkin: events of duplicates: %w", err)
	}
	if err := s.rewards.TakeBackTx(ctx, tx, m, events); err != nil {
		return err
	}
	for _, id := range ids {
		if err := s.payBack(ctx, tx, m, id); err != nil {
			return err
		}
	}
	return tx.Where("id IN ?", ids).Delete(&model.Checkin{}).Error
}

// payBack returns the price of a day that was made up and that the other person had checked in on.
func (s *Service) payBack(ctx context.Context, tx *gorm.DB, m member.MergeOf, row int64) error {
	var paid []int64
	if err := tx.Model(&model.Entry{}).Where("`key` = ? AND NOT EXISTS (SELECT 1 FROM entries r WHERE r.reverses_id = entries.id)", priceKey(row)).Pluck("id", &paid).Error; err != nil {
		return fmt.Errorf("checkin: price of a duplicate: %w", err)
	}
	for _, id := range paid {
		if _, err := s.book.ReverseTx(ctx, tx, id, fmt.Sprintf("merge:%d:%d", m.Loser, id), "merge.duplicate", m.At, true); err != nil {
			return err
		}
	}
	return nil
}
