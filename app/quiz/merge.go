package quiz

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/model"
)

// Part says what a merge does with answers: a person answers a quiz once. Of a quiz that both answered the tries of one stay – the
// winner's, unless the loser alone was right – and what the others earned is taken back.
func (s *Service) Part() member.Part {
	return member.Part{
		Name: "quiz", Merge: s.merge,
		Tables: []member.Table{{
			Row: &model.QuizAnswer{}, Erase: member.Keep,
			Export: []string{
				"(SELECT question FROM quizzes WHERE id = quiz_id) AS question", "(SELECT text FROM quiz_options WHERE id = option_id) AS answer",
				"attempt", "correct", "via", "at",
			},
		}},
	}
}

func (s *Service) merge(ctx context.Context, tx *gorm.DB, m member.MergeOf) error {
	var tries []model.QuizAnswer
	err := tx.Where("member_id IN ? AND quiz_id IN (SELECT quiz_id FROM quiz_answers WHERE member_id = ?)", []int64{m.Loser, m.Winner}, m.Loser).
		Order("id").Find(&tries).Error
	if err != nil {
		return err
	}
	if err := s.drop(ctx, tx, m, duplicates(tries, m)); err != nil {
		return err
	}
	return member.Move(tx, "quiz_answers", m)
}

// duplicates are the tries that give way.
func duplicates(tries []model.QuizAnswer, m member.MergeOf) (out []model.QuizAnswer) {
	type side struct{ quiz, member int64 }
	answered, right := map[side]bool{}, map[side]bool{}
	for _, a := range tries {
		k := side{a.QuizID, a.MemberID}
		answered[k], right[k] = true, right[k] || a.Correct
	}
	for _, a := range tries {
		w, l := side{a.QuizID, m.Winner}, side{a.QuizID, m.Loser}
		stays := m.Winner
		if right[l] && !right[w] {
			stays = m.Loser
		}
		if answered[w] && answered[l] && a.MemberID != stays {
			out = append(out, a)
		}
	}
	return out
}

func (s *Service) drop(ctx context.Context, tx *gorm.DB, m member.MergeOf, tries []model.QuizAnswer) error {
	if len(tries) == 0 {
		return nil
	}
	ids, keys := make([]int64, len(tries)), make([]string, len(tries))
	for i, a := range tries {
		ids[i], keys[i] = a.ID, fmt.Sprint(a.ID)
	}
	var events []int64
	if err := tx.Model(&model.Event{}).Where("source = ? AND `key` IN ?", source, keys).Pluck("id", &events).Error; err != nil {
		return err
	}
	if err := s.rewards.TakeBackTx(ctx, tx, m, events); err != nil {
		return err
	}
	return tx.Where("id IN ?", ids).Delete(&model.QuizAnswer{}).Error
}
