package community

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/model"
)

// Part says what a merge does with groups: a person is in a group once, and each proof of a day counts once: what the loser's second one
// earned is taken back. Wrong guesses add up. It runs before the ledger's Part, while the loser still has his own lots.
func (s *Service) Part() member.Part {
	group := "(SELECT name FROM community_groups WHERE id = group_id) AS group_name"
	return member.Part{
		Name: "community", Merge: s.merge,
		Tables: []member.Table{
			{Row: &model.GroupMember{}, Export: []string{group, "via", "joined_at"}, Erase: member.Delete},
			{Row: &model.Interaction{}, Export: []string{group, "day", "proof", "at"}, Erase: member.Keep},
			{Row: &model.GroupGuess{}, Hidden: "a limit on guessing", Erase: member.Delete},
		},
	}
}

func (s *Service) merge(ctx context.Context, tx *gorm.DB, m member.MergeOf) error {
	if err := s.dropTwice(ctx, tx, m); err != nil {
		return err
	}
	twice := tx.Model(&model.GroupMember{}).Select("group_id").Where("member_id = ?", m.Winner)
	var groups []int64
	if err := twice.Pluck("group_id", &groups).Error; err != nil {
		return err
	}
	if err := tx.Where("member_id = ? AND group_id IN ?", m.Loser, groups).Delete(&model.GroupMember{}).Error; err != nil {
		return err
	}
	for _, table := range []string{"group_members", "interactions"} {
		if err := member.Move(tx, table, m); err != nil {
			return err
		}
	}
	return mergeGuesses(tx, m)
}

// dropTwice removes the loser's interactions that the winner has too.
func (s *Service) dropTwice(ctx context.Context, tx *gorm.DB, m member.MergeOf) error {
	var twice []model.Interaction
	err := tx.Where("member_id = ? AND EXISTS (SELECT 1 FROM interactions w WHERE w.member_id = ? AND w.group_id = interactions.group_id"+
		" AND w.day = interactions.day AND w.proof = interactions.proof)", m.Loser, m.Winner).Order("id").Find(&twice).Error
	if err != nil || len(twice) == 0 {
		return err
	}
	events := make([]int64, len(twice))
	for i, row := range twice {
		events[i] = row.EventID
	}
	if err := s.rewards.TakeBackTx(ctx, tx, m, events); err != nil {
		return err
	}
	return tx.Delete(&twice).Error
}

func mergeGuesses(tx *gorm.DB, m member.MergeOf) error {
	var rows []model.GroupGuess
	if err := tx.Where("member_id = ?", m.Loser).Find(&rows).Error; err != nil {
		return err
	}
	if err := tx.Where("member_id = ?", m.Loser).Delete(&model.GroupGuess{}).Error; err != nil {
		return err
	}
	for _, g := range rows {
		g.MemberID = m.Winner
		dup, err := db.Insert(tx, &g)
		if err == nil && dup {
			err = tx.Model(&model.GroupGuess{}).Where("member_id = ? AND day = ?", m.Winner, g.Day).Update("wrong", gorm.Expr("wrong + ?", g.Wrong)).Error
		}
		if err != nil {
			return fmt.Errorf("community: guesses: %w", err)
		}
	}
	return nil
}
