package community

import (
	"context"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

const (
	maxWrong = 5  // guesses of a member and day
	maxTexts = 30 // texts of a member and day that are looked at as words without being called one
	prefix   = "口令"
)

// Word counts that the member typed the word of the day: whoever knows it read the group. A wrong one is errs.WrongWord, and after five in
// a day errs.RateLimited.
func (s *Service) Word(ctx context.Context, memberID int64, word string, at time.Time) (*Interacted, error) {
	r, err := db.Do(ctx, s.db, func(ctx context.Context, tx *gorm.DB) (Interacted, error) {
		return s.wordTx(ctx, tx, memberID, normal(word), at)
	})
	if err == nil {
		err = r.Refusal()
	}
	return &r, err
}

// Refusal is what a wrong word is told; its guess stays counted.
func (r Interacted) Refusal() error {
	if r.Wrong == 0 {
		return nil
	}
	return errs.New(errs.WrongWord, "community.wrong_word", "left", maxWrong-r.Wrong)
}

func (s *Service) wordTx(ctx context.Context, tx *gorm.DB, memberID int64, word string, at time.Time) (r Interacted, err error) {
	if memberID, err = s.members.ActTx(tx, memberID, at, true); err != nil {
		return r, err
	}
	day := s.zone.DayOf(at)
	var guess []model.GroupGuess
	if err := tx.Where("member_id = ? AND day = ?", memberID, day).Find(&guess).Error; err != nil {
		return r, fmt.Errorf("community: guesses: %w", err)
	}
	wrong := 0
	if len(guess) > 0 {
		wrong = guess[0].Wrong
	}
	if wrong >= maxWrong {
		rest := s.zone.End(day).Sub(at)
		return r, errs.New(errs.RateLimited, "community.too_many_words", "limit", maxWrong, "retry_after", int(rest.Seconds())+1)
	}
	g, err := s.groupOf(tx, day, word)
	if err != nil {
		return r, err
	}
	if g != nil {
		return s.interactTx(ctx, tx, memberID, g, ByWord, "", at)
	}
	r.Wrong = wrong + 1
	if wrong == 0 {
		_, err = db.Insert(tx, &model.GroupGuess{MemberID: memberID, Day: day, Wrong: 1})
		return r, err
	}
	return r, tx.Model(&model.GroupGuess{}).Where("member_id = ? AND day = ?", memberID, day).Update("wrong", r.Wrong).Error
}

// Says reports whether a chat message is about a word: 口令 with a word behind it, or the bare word of the day. Bare texts are guesses
// too, so that of a member's texts of a day only the first are looked at; beyond them he writes 口令 before it.
func (s *Service) Says(tx *gorm.DB, memberID int64, text string, at time.Time) (bool, error) {
	if _, called := called(text); called {
		return true, nil
	}
	g, err := s.groupOf(tx, s.zone.DayOf(at), normal(text))
	if err != nil || g == nil {
		return false, err
	}
	var texts int64
	err = tx.Model(&model.Event{}).Where("member_id = ? AND kind = ? AND occurred_at >= ? AND occurred_at <= ?",
		memberID, model.EventMessage, s.zone.Start(s.zone.DayOf(at)), at).Count(&texts).Error
	return err == nil && texts <= maxTexts, err
}

// TextTx is Word for a chat message that Says something, in the caller's transaction. The refusal of a wrong word is in its answer.
func (s *Service) TextTx(ctx context.Context, tx *gorm.DB, memberID int64, text string, at time.Time) (Interacted, error) {
	word, _ := called(text)
	return s.wordTx(ctx, tx, memberID, word, at)
}

// called is the word in a text, and whether 口令 and a space or colon stand before it.
func called(text string) (word string, ok bool) {
	text = normal(text)
	if rest, ok := strings.CutPrefix(text, prefix); ok {
		if word := strings.TrimLeft(rest, " :"); word != rest && word != "" {
			return word, true
		}
	}
	return text, false
}
