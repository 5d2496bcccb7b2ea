package tier

import (
	"context"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/model"
)

// Part says what a merge does: the loser's stretch ends, gifts that either had are had, of what was set by hand the higher counts, and the survivor is looked at again with what both
// hold. It runs before the ledger's Part, whose lines are followed by that look, so that no gift is given twice.
func (s *Service) Part() member.Part {
	return member.Part{
		Name: "tier",
		Tables: []member.Table{
			{
				Row: &model.MemberTier{}, Erase: member.Keep,
				Export: []string{"(SELECT name FROM tiers WHERE id = tier_id) AS tier", "from_at", "until_at", "cause"},
			},
			{
				Row: &model.TierHold{}, Erase: member.Blank(map[string]any{"reason": ""}),
				Export: []string{"(SELECT name FROM tiers WHERE id = tier_id) AS tier", "at", "until_at", "ended_at"},
			},
			{Row: &model.TierGift{}, Erase: member.Keep, Export: []string{"(SELECT name FROM tiers WHERE id = tier_id) AS tier", "at"}},
		},
		Merge: func(ctx context.Context, tx *gorm.DB, m member.MergeOf) error {
			err := tx.Model(&model.MemberTier{}).Where("member_id = ? AND open = ?", m.Loser, true).
				Updates(map[string]any{"open": nil, "until_at": m.At, "review_at": nil}).Error
			if err != nil {
				return err
			}
			var gifts []model.TierGift
			if err := tx.Where("member_id = ?", m.Loser).Find(&gifts).Error; err != nil {
				return err
			}
			for _, g := range gifts {
				g.MemberID = m.Winner
				if _, err := db.Insert(tx, &g); err != nil {
					return err
				}
			}
			if err := tx.Where("member_id = ?", m.Loser).Delete(&model.TierGift{}).Error; err != nil {
				return err
			}
			return s.mergeHolds(ctx, tx, m)
		},
		Erase: func(_ context.Context, tx *gorm.DB, m *model.Member) error {
			err := tx.Model(&model.MemberTier{}).Where("member_id = ? AND open = ?", m.ID, true).
				Updates(map[string]any{"open": nil, "until_at": s.Clock.Now(), "review_at": nil}).Error
			if err != nil {
				return err
			}
			return tx.Model(&model.TierHold{}).Where("member_id = ? AND open = ?", m.ID, true).Updates(map[string]any{"open": nil, "ended_at": s.Clock.Now()}).Error
		},
	}
}
