package tag

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/model"
)

// Ahead reports whether the member will hold the tag at the subject's instant if he does nothing until then: what lasting rules give begins
// and ends with time alone, everything else stays. It is condition.Ahead's.
func (s *Service) Ahead(ctx context.Context, tx *gorm.DB, sub *condition.Subject, tagID int64) (bool, error) {
	rules, err := s.enabled(tx)
	if err != nil {
		return false, err
	}
	var held []model.TagHold
	if err := tx.Select("cause", "cause_id").Where("tag_id = ? AND member_id = ?", tagID, sub.MemberID).Find(&held).Error; err != nil {
		return false, fmt.Errorf("tag: ahead: %w", err)
	}
	for _, h := range held {
		if h.Cause != model.CauseRule {
			return true, nil
		}
		if u := rules.of(h.CauseID); u == nil || u.onEvent() {
			return true, nil
		}
	}
	for _, u := range rules.units {
		if u.onEvent() || !u.gives(tagID) {
			continue
		}
		v, err := s.ask(ctx, tx, u, sub)
		if err != nil || v.winner != nil && v.winner.TagID == tagID {
			return err == nil, err
		}
	}
	return false, nil
}
