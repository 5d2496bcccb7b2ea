package reach

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/model"
)

// Part says what becomes of the engine's rows at a merge: what was used of a cap adds up; deliveries stay with whom they were frozen for.
func (s *Service) Part() member.Part {
	return member.Part{
		Name: "reach", Merge: merge,
		Tables: []member.Table{
			{
				Row: &model.Delivery{}, Undo: member.Own, Export: []string{"state", "channel", "reason", "due_at", "at"},
				Erase: member.Blank(map[string]any{"detail": ""}),
			},
			{Row: &model.ReachUse{}, Counters: []string{"used"}, Hidden: "counters of caps, which follow from the deliveries", Erase: member.Delete},
			{Row: &model.OnceSend{}, Hidden: "keys of sends that he does not get twice", Erase: member.Delete},
			{Row: &model.InboxMessage{}, Undo: member.Return, Export: []string{"title", "text", "at", "read_at"}, Erase: member.Delete},
			{Row: &model.Allowance{}, By: member.ByIdentity, Undo: member.Own, Hidden: "what WeChat lets siyu send", Erase: member.Delete},
			{Row: &model.Acceptance{}, By: member.ByIdentity, Undo: member.Own, Export: []string{"template_id", "accepted_count", "updated_at"}, Erase: member.Delete},
		},
	}
}

func merge(ctx context.Context, tx *gorm.DB, m member.MergeOf) error {
	if err := mergeUses(ctx, tx, m); err != nil {
		return err
	}
	var both []string
	err := tx.Model(&model.OnceSend{}).Where("member_id IN ?", []int64{m.Loser, m.Winner}).Group("once_key").Having("COUNT(*) > 1").Pluck("once_key", &both).Error
	if err == nil && len(both) > 0 {
		err = tx.Where("member_id = ? AND once_key IN ?", m.Loser, both).Delete(&model.OnceSend{}).Error
	}
	if err != nil {
		return fmt.Errorf("reach: merge: %w", err)
	}
	return member.Move(tx, "once_sends", m)
}

func mergeUses(_ context.Context, tx *gorm.DB, m member.MergeOf) error {
	if err := member.Move(tx, "inbox_messages", m); err != nil {
		return fmt.Errorf("reach: merge: %w", err)
	}
	var rows []model.ReachUse
	if err := tx.Where("member_id = ?", m.Loser).Find(&rows).Error; err != nil {
		return fmt.Errorf("reach: merge: %w", err)
	}
	for _, r := range rows {
		r.MemberID = m.Winner
		dup, err := db.Insert(tx, &r)
		if dup {
			err = tx.Model(&model.ReachUse{}).Where("member_id = ? AND kind = ? AND period = ?", m.Winner, r.Kind, r.Period).
				Update("used", gorm.Expr("used + ?", r.Used)).Error
		}
		if err != nil {
			return fmt.Errorf("reach: merge: %w", err)
		}
	}
	return tx.Where("member_id = ?", m.Loser).Delete(&model.ReachUse{}).Error
}
