package sop

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/model"
)

const nameOf = "(SELECT name FROM sops WHERE id = sop_id) AS sop"

// Part says what a merge does with enrolments: of two that run in one SOP the earlier one goes on, the other ends. An erasure ends them.
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

func (s *Service) merge(_ context.Context, tx *gorm.DB, m member.MergeOf) error {
	var rows []model.SOPEnrolment
	err := tx.Where("member_id IN ? AND state = ?", []int64{m.Winner, m.Loser}, model.EnrolmentRunning).Order("entered_at, id").Find(&rows).Error
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
