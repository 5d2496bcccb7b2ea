package task

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// unreadShown bounds the list of unread grants.
const unreadShown = 20

// Unread are the newest lines that gave the member something since he last said what he has read; more: there are others.
func (s *Service) Unread(ctx context.Context, memberID int64) (lines []model.Entry, more bool, err error) {
	tx := s.db.Reader(ctx)
	var read []model.GrantRead
	if err := tx.Where("member_id = ?", memberID).Limit(1).Find(&read).Error; err != nil {
		return nil, false, fmt.Errorf("task: unread: %w", err)
	}
	q := tx.Where("member_id = ? AND kind = ?", memberID, model.EntryEarn)
	if len(read) > 0 {
		q = q.Where("id > ?", read[0].EntryID)
	}
	if err := q.Order("id DESC").Limit(unreadShown + 1).Find(&lines).Error; err != nil {
		return nil, false, fmt.Errorf("task: unread: %w", err)
	}
	if len(lines) > unreadShown {
		return lines[:unreadShown], true, nil
	}
	return lines, false, nil
}

// MarkRead notes that the member has seen his lines up to one of them. An older one changes nothing; one that is not his is errs.NotFound.
func (s *Service) MarkRead(ctx context.Context, memberID, entryID int64) error {
	_, err := db.Do(ctx, s.db, func(_ context.Context, tx *gorm.DB) (bool, error) {
		now := s.clock.Now()
		memberID, err := s.members.ActTx(tx, memberID, now, true)
		if err != nil {
			return false, err
		}
		var his int64
		if err := tx.Model(&model.Entry{}).Where("id = ? AND member_id = ?", entryID, memberID).Count(&his).Error; err != nil {
			return false, fmt.Errorf("task: mark read: %w", err)
		}
		if his == 0 {
			return false, errs.New(errs.NotFound, "task.no_entry")
		}
		dup, err := db.Insert(tx, &model.GrantRead{MemberID: memberID, EntryID: entryID, At: now})
		if err == nil && dup {
			err = tx.Model(&model.GrantRead{}).Where("member_id = ? AND entry_id < ?", memberID, entryID).Updates(map[string]any{"entry_id": entryID, "at": now}).Error
		}
		if err != nil {
			return false, fmt.Errorf("task: mark read: %w", err)
		}
		return true, nil
	})
	return err
}
