package quiz

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/tag"
	"github.com/siyu-scrm/siyu/model"
)

// Result is what an answer answers.
type Result struct {
	QuizID      int64         `json:"quiz_id,string"`
	Question    string        `json:"question"`
	Letter      string        `json:"letter"` // chosen
	Correct     bool          `json:"correct"`
	Right       string        `json:"right"` // "A.莓果复合物", once he is right or has no try left
	Explanation string        `json:"explanation"`
	Link        string        `json:"link"`
	TriesLeft   int           `json:"tries_left"`
	Grants      []event.Grant `json:"grants"`
}

// source numbers the events by the row of the try.
const source = "quiz"

// Answer records a member's answer: a letter or the whole text of an option. Outside the window it is
// errs.QuizClosed; after the right answer or the last try errs.AlreadyAnswered; no option at all errs.Invalid.
func (s *Service) Answer(ctx context.Context, memberID, quizID int64, answer string, at time.Time) (*Result, error) {
	r, err := db.Do(ctx, s.db, func(ctx context.Context, tx *gorm.DB) (Result, error) {
		v, err := get(tx, quizID)
		if err != nil {
			return Result{}, err
		}
		if !v.Enabled {
			return Result{}, errs.New(errs.NotFound, "quiz.not_found")
		}
		return s.answerTx(ctx, tx, memberID, v, answer, "api", at)
	})
	return &r, err
}

// afterClose is how long an answer by text is told that it came too late.
const afterClose = 24 * time.Hour

// Asks reports whether a text could be an answer to a quiz that is open at the moment, or closed within the last day.
func (s *Service) Asks(tx *gorm.DB, text string, at time.Time) (bool, error) {
	quizzes, err := s.openAt(tx, at, afterClose)
	return slices.ContainsFunc(quizzes, func(v View) bool { return v.option(text) != nil }), err
}

// TextTx treats a chat message as an answer. ok is false where it is none: no quiz was open at the moment it was
// sent, or the whole message is not an option. Of several open quizzes the first that the member can still answer
// counts. One that closed within the last day says so, as errs.QuizClosed.
func (s *Service) TextTx(ctx context.Context, tx *gorm.DB, memberID int64, text string, at time.Time) (r *Result, ok bool, err error) {
	quizzes, err := s.openAt(tx, at, afterClose)
	if err != nil {
		return nil, false, err
	}
	var refusal error
	for i := range quizzes {
		if quizzes[i].option(text) == nil {
			continue
		}
		res, err := s.answerTx(ctx, tx, memberID, &quizzes[i], text, "text", at)
		switch errs.CodeOf(err) {
		case "":
			return &res, true, err
		case errs.AlreadyAnswered, errs.QuizClosed: // another open quiz may take it
			if refusal == nil || errs.CodeOf(err) == errs.AlreadyAnswered {
				refusal = err
			}
		default:
			return nil, true, err
		}
	}
	return nil, refusal != nil, refusal
}

func (s *Service) answerTx(ctx context.Context, tx *gorm.DB, memberID int64, v *View, answer, via string, at time.Time) (r Result, err error) {
	if at.Before(v.OpensAt) || !at.Before(v.ClosesAt) {
		return r, errs.New(errs.QuizClosed, "quiz.closed", "opens_at", v.OpensAt, "closes_at", v.ClosesAt)
	}
	if memberID, err = s.members.ActTx(tx, memberID, at, true); err != nil {
		return r, err
	}
	var tries []model.QuizAnswer
	if err := tx.Where("quiz_id = ? AND member_id = ?", v.ID, memberID).Order("attempt").Find(&tries).Error; err != nil {
		return r, fmt.Errorf("quiz: tries: %w", err)
	}
	if n := len(tries); n >= v.Attempts || n > 0 && tries[n-1].Correct {
		return r, errs.New(errs.AlreadyAnswered, "quiz.already", "correct", n > 0 && tries[n-1].Correct)
	}
	o := v.option(answer)
	if o == nil {
		return r, errs.Field("answer", "quiz.no_option")
	}
	row := model.QuizAnswer{QuizID: v.ID, MemberID: memberID, Attempt: len(tries) + 1, OptionID: o.ID, Correct: o.Correct, Via: via, At: at}
	if dup, err := db.Insert(tx, &row); err != nil || dup {
		return r, fmt.Errorf("quiz: record (duplicate: %t): %w", dup, err)
	}
	ev := &model.Event{
		MemberID: memberID, Kind: model.EventQuiz, Source: source, Key: fmt.Sprint(row.ID), OccurredAt: at, Joined: true,
		Data: model.ToJSON(map[string]any{"quiz_id": fmt.Sprint(v.ID), "option": o.Letter, "correct": o.Correct, "attempt": row.Attempt, "via": via}),
	}
	if r.Grants, err = s.events.RecordTx(ctx, tx, ev); err != nil {
		return r, err
	}
	if o.TagID != 0 {
		c := tag.Cause{Kind: model.CauseQuiz, ID: v.ID, EventID: ev.ID, Reason: o.Text}
		if _, err := s.tags.SetTx(ctx, tx, memberID, o.TagID, c, at); err != nil {
			return r, err
		}
	}
	r.QuizID, r.Question, r.Letter, r.Correct, r.Link = v.ID, v.Question, o.Letter, o.Correct, v.Link
	if !o.Correct {
		r.TriesLeft = v.Attempts - row.Attempt
	}
	if r.TriesLeft == 0 {
		right := v.correct()
		r.Right, r.Explanation = right.Letter+"."+right.Text, v.Explanation
	}
	return r, nil
}

// Open is a quiz as a member sees it.
type Open struct {
	View
	SecondsLeft int64
	Answered    *model.QuizAnswer // his last try
	TriesLeft   int
}

// Open lists the quizzes open now for a member.
func (s *Service) Open(ctx context.Context, memberID int64) ([]Open, error) {
	now := s.clock.Now()
	tx := s.db.Reader(ctx)
	quizzes, err := s.openAt(tx, now, 0)
	if err != nil {
		return nil, err
	}
	out := make([]Open, 0, len(quizzes))
	for _, v := range quizzes {
		var tries []model.QuizAnswer
		if err := tx.Where("quiz_id = ? AND member_id = ?", v.ID, memberID).Order("attempt").Find(&tries).Error; err != nil {
			return nil, err
		}
		o := Open{View: v, SecondsLeft: int64(v.ClosesAt.Sub(now).Seconds()), TriesLeft: v.Attempts - len(tries)}
		if n := len(tries); n > 0 {
			o.Answered = &tries[n-1]
			if tries[n-1].Correct {
				o.TriesLeft = 0
			}
		}
		out = append(out, o)
	}
	return out, nil
}
