package form

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/tag"
	"github.com/siyu-scrm/siyu/model"
)

// ofAnswers are the lines of members' answers.
const ofAnswers = "answer_id IN (SELECT id FROM form_answers WHERE member_id IN @ids)"

// Part says what a merge does with answers: a person answers a form once. Of a form that both answered the winner's answer counts; the
// loser's goes, with the tags that only it set, and what it earned is taken back. An erasure keeps what was chosen, and no words.
func (s *Service) Part() member.Part {
	const question = "(SELECT text FROM form_questions WHERE id = question_id) AS question"
	return member.Part{
		Name: "form", Merge: s.merge,
		Tables: []member.Table{
			{Row: &model.FormAnswer{}, Export: []string{"(SELECT title FROM forms WHERE id = form_id) AS form", "prize", "at", "edited_at"}, Erase: member.Keep},
			{
				Row: &model.FormChoice{}, By: ofAnswers, Erase: member.Blank(map[string]any{"text": ""}),
				Export: []string{question, "(SELECT text FROM form_options WHERE id = option_id) AS chosen", "value", "text"},
			},
		},
	}
}

func (s *Service) merge(ctx context.Context, tx *gorm.DB, m member.MergeOf) error {
	var twice []model.FormAnswer
	err := tx.Where("member_id = ? AND form_id IN (?)", m.Loser, tx.Model(&model.FormAnswer{}).Select("form_id").Where("member_id = ?", m.Winner)).
		Order("id").Find(&twice).Error
	if err != nil {
		return err
	}
	for i := range twice {
		if err := s.drop(ctx, tx, m, &twice[i]); err != nil {
			return fmt.Errorf("answer %d: %w", twice[i].ID, err)
		}
	}
	return member.Move(tx, "form_answers", m)
}

// drop takes the loser's answer away.
func (s *Service) drop(ctx context.Context, tx *gorm.DB, m member.MergeOf, a *model.FormAnswer) error {
	v, err := get(tx, a.FormID)
	if err != nil {
		return err
	}
	stays, err := answerOf(tx, v.ID, m.Winner)
	if err != nil {
		return err
	}
	if err := tag.ForgetTx(tx, m.Loser, model.CauseForm, v.ID, v.others(v.tags(stays.Choices))); err != nil {
		return err
	}
	if err := s.Rewards.TakeBackTx(ctx, tx, m, []int64{a.EventID}); err != nil {
		return err
	}
	if a.MemberCouponID != 0 {
		if err := s.Coupons.DropTx(tx, a.MemberCouponID, m.At); err != nil {
			return err
		}
	}
	return errors.Join(tx.Where("answer_id = ?", a.ID).Delete(&model.FormChoice{}).Error, tx.Delete(a).Error)
}
