package sop

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/model"
)

const nameOf = "(SELECT name FROM sops WHERE id = sop_id) AS sop"

// Part says what a merge does with enrolments: of two that run in one SOP the one that is further goes on, of equals the earlier one, and the
// other ends, so that no step comes twice. What a SOP gives a member once and both got is taken back. An erasure ends them. It runs before the
// ledger's Part, while the loser still has his own lots.
func (s *Service) Part() member.Part {
	return member.Part{
		Name: "sop", Merge: s.merge,
		Erase: func(_ context.Context, tx *gorm.DB, m *model.Member) error {
			return tx.Model(&model.SOPEnrolment{}).Where("member_id = ? AND state <> ?", m.ID, model.EnrolmentEnded).Updates(s.ended(model.EnrolmentErased)).Error
		},
		Tables: []member.Table{
			{Row: &model.SOPEnrolment{}, Export: []string{nameOf, "step", "state", "reason", "entered_at", "ended_at", "goal_at"}, Erase: member.Keep},
			{
				Row: &model.SOPPass{}, Undo: member.Own, Export: []string{nameOf, "step", "outcome", "granted", "at"}, Erase: member.Keep,
			},
		},
	}
}

func (s *Service) ended(reason string) map[string]any {
	now := s.Clock.Now()
	return map[string]any{"state": model.EnrolmentEnded, "reason": reason, "running": nil, "due_at": nil, "ended_at": now, "watch_till": now}
}

func (s *Service) merge(ctx context.Context, tx *gorm.DB, m member.MergeOf) error {
	if err := s.takeBack(ctx, tx, m); err != nil {
		return fmt.Errorf("sop: merge: %w", err)
	}
	var rows []model.SOPEnrolment
	err := tx.Where("member_id IN ? AND state = ?", []int64{m.Winner, m.Loser}, model.EnrolmentRunning).
		Order("(SELECT COUNT(*) FROM sop_passes p WHERE p.enrolment_id = sop_enrolments.id) DESC, entered_at, id").Find(&rows).Error
	if err != nil {
		return fmt.Errorf("sop: merge: %w", err)
	}
	kept := map[int64]bool{}
	for _, e := range rows {
		if !kept[e.SOPID] {
			kept[e.SOPID] = true
			continue
		}
		if err := tx.Model(&model.SOPEnrolment{}).Where("id = ?", e.ID).Updates(s.ended(model.EnrolmentMerged)).Error; err != nil {
			return fmt.Errorf("sop: merge: %w", err)
		}
	}
	return member.Move(tx, "sop_enrolments", m)
}

// takeBack takes what the loser was given by steps that gave to the winner too, where a member comes in once: down to zero and no further. Where
// he may come in again, both were his. It is given again if the merge is undone, by reward.
func (s *Service) takeBack(ctx context.Context, tx *gorm.DB, m member.MergeOf) error {
	var twice []model.SOPPass
	err := tx.Table("sop_passes AS p").Select("p.*").Joins("JOIN sop_enrolments e ON e.id = p.enrolment_id").
		Where("e.member_id = ? AND p.granted > 0", m.Loser).
		Where("EXISTS (SELECT 1 FROM sop_passes q JOIN sop_enrolments o ON o.id = q.enrolment_id "+
			"WHERE o.member_id = ? AND q.sop_id = p.sop_id AND q.step = p.step AND q.granted > 0)", m.Winner).
		Order("p.enrolment_id, p.step").Find(&twice).Error
	if err != nil || len(twice) == 0 {
		return err
	}
	for _, p := range twice {
		row, err := get(tx, p.SOPID)
		if err != nil {
			return err
		}
		d, err := s.def(tx, p.SOPID, row.Version)
		if err != nil {
			return err
		}
		if d.Reentry.Mode == Always || d.Reentry.Mode == After {
			continue
		}
		var ids []int64
		err = tx.Model(&model.Entry{}).Where("`key` = ? AND NOT EXISTS (SELECT 1 FROM entries r WHERE r.reverses_id = entries.id)",
			key(&model.SOPEnrolment{ID: p.EnrolmentID}, p.Step)).Pluck("id", &ids).Error
		if err != nil {
			return err
		}
		for _, id := range ids {
			if _, err := s.Book.ReverseTx(ctx, tx, id, fmt.Sprintf("merge:%d:%d", m.Loser, id), "merge.duplicate", m.At, true); err != nil {
				return err
			}
		}
	}
	return nil
}
