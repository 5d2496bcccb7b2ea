// Package form owns forms: questions with a window that a member answers once, what his answer sets and gives, and what all answers come to.
package form

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/coupon"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/reward"
	"github.com/siyu-scrm/siyu/app/tag"
	"github.com/siyu-scrm/siyu/app/tier"
	"github.com/siyu-scrm/siyu/model"
)

// Deps are what the service stands on.
type Deps struct {
	DB         *db.DB
	Clock      clock.Clock
	Zone       clock.Zone
	Conditions *condition.Registry
	Events     *event.Log
	Members    *member.Service
	Tags       *tag.Service
	Book       *ledger.Book
	Coupons    *coupon.Service
	Rewards    *reward.Service
	Tiers      *tier.Service
}

// Service is the use cases of forms.
type Service struct{ Deps }

// New returns the service.
func New(d Deps) *Service { return &Service{d} }

// View is a form with its questions.
type View struct {
	model.Form
	Questions []Question `json:"questions"`
}

// Question is a question with its options.
type Question struct {
	model.FormQuestion
	Options []model.FormOption `json:"options"`
}

// option finds an option by its id; nil if the question has none such.
func (q *Question) option(id int64) *model.FormOption {
	for i := range q.Options {
		if q.Options[i].ID == id {
			return &q.Options[i]
		}
	}
	return nil
}

// most is how many options one may choose.
func (q *Question) most() int {
	switch {
	case q.Kind == model.QuestionSingle:
		return 1
	case q.Max > 0:
		return q.Max
	}
	return len(q.Options)
}

// question finds a question by its id; nil if the form has none such.
func (v *View) question(id int64) *Question {
	for i := range v.Questions {
		if v.Questions[i].ID == id {
			return &v.Questions[i]
		}
	}
	return nil
}

// Phase is where a form stands in its life: off, coming, open or closed.
func (v *View) Phase(now time.Time) string {
	switch {
	case !v.Enabled:
		return "off"
	case now.Before(v.OpensAt):
		return "coming"
	case now.Before(v.ClosesAt):
		return "open"
	}
	return "closed"
}

// within refuses outside the window.
func (s *Service) within(v *View, at time.Time) error {
	switch v.Phase(at) {
	case "coming":
		return errs.New(errs.WindowClosed, "form.not_open", "opens_at", s.Zone.In(v.OpensAt))
	case "closed":
		return errs.New(errs.WindowClosed, "form.closed", "closed_at", s.Zone.In(v.ClosesAt))
	}
	return nil
}

// asks refuses who is not asked. tx may be a reader.
func (s *Service) asks(ctx context.Context, tx *gorm.DB, v *View, memberID int64, at time.Time) error {
	t, err := s.Conditions.Parse(v.Condition)
	if err != nil || t.Empty() {
		return err
	}
	verdict, _, err := s.Conditions.Eval(ctx, tx, &condition.Subject{MemberID: memberID, At: at, Cache: map[string]any{}}, t)
	if err == nil && !verdict.Holds {
		err = errs.New(errs.Forbidden, "form.not_for_you")
	}
	return err
}

func get(tx *gorm.DB, id int64) (*View, error) {
	row, err := db.ByID[model.Form](tx, id, "form.not_found", "form_id", fmt.Sprint(id))
	if err != nil {
		return nil, err
	}
	views, err := withQuestions(tx, []model.Form{*row})
	if err != nil {
		return nil, err
	}
	return &views[0], nil
}

func withQuestions(tx *gorm.DB, rows []model.Form) ([]View, error) {
	views, at := make([]View, len(rows)), map[int64]*View{}
	ids := make([]int64, len(rows))
	for i, f := range rows {
		views[i].Form, ids[i], at[f.ID] = f, f.ID, &views[i]
	}
	var questions []model.FormQuestion
	var options []model.FormOption
	err := errors.Join(tx.Where("form_id IN ?", ids).Order("form_id, seq").Find(&questions).Error,
		tx.Where("form_id IN ?", ids).Order("question_id, seq").Find(&options).Error)
	if err != nil {
		return nil, fmt.Errorf("form: questions: %w", err)
	}
	for _, q := range questions {
		at[q.FormID].Questions = append(at[q.FormID].Questions, Question{FormQuestion: q})
	}
	for _, o := range options {
		q := at[o.FormID].question(o.QuestionID)
		q.Options = append(q.Options, o)
	}
	return views, nil
}

// Get reads one form.
func (s *Service) Get(ctx context.Context, id int64) (*View, error) { return get(s.DB.Reader(ctx), id) }

// Line is a form in a list, with how many answered it.
type Line struct {
	View
	Answers int64
}

// List is forms, newest first; before is the id of the last one of the page before, 0 = the first page.
func (s *Service) List(ctx context.Context, before int64, limit int) ([]Line, error) {
	tx := s.DB.Reader(ctx)
	q := tx.Order("id DESC").Limit(limit)
	if before > 0 {
		q = q.Where("id < ?", before)
	}
	var rows []model.Form
	if err := q.Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("form: list: %w", err)
	}
	return lines(tx, rows)
}

// Line reads one form with how many answered it.
func (s *Service) Line(ctx context.Context, id int64) (*Line, error) {
	tx := s.DB.Reader(ctx)
	v, err := get(tx, id)
	if err != nil {
		return nil, err
	}
	list, err := lines(tx, []model.Form{v.Form})
	if err != nil {
		return nil, err
	}
	return &list[0], nil
}

func lines(tx *gorm.DB, rows []model.Form) ([]Line, error) {
	views, err := withQuestions(tx, rows)
	if err != nil {
		return nil, err
	}
	ids := make([]int64, len(rows))
	for i, f := range rows {
		ids[i] = f.ID
	}
	var counts []struct{ FormID, N int64 }
	if err := tx.Model(&model.FormAnswer{}).Select("form_id, COUNT(*) AS n").Where("form_id IN ?", ids).Group("form_id").Scan(&counts).Error; err != nil {
		return nil, fmt.Errorf("form: list: %w", err)
	}
	list := make([]Line, len(views))
	for i, v := range views {
		list[i].View = v
		for _, c := range counts {
			if c.FormID == v.ID {
				list[i].Answers = c.N
			}
		}
	}
	return list, nil
}

// Mine is a form as a member sees it.
type Mine struct {
	View
	SecondsLeft int64
	Answer      *Answer // nil: he has not answered
}

// Answer is what a member answered.
type Answer struct {
	model.FormAnswer
	Choices []model.FormChoice `json:"choices"` // in no order; of a ranking the value is the place
}

// Of are the lines of the answer to a question; of a ranking from the first place.
func (a *Answer) Of(questionID int64) (lines []model.FormChoice) {
	for _, c := range a.Choices {
		if c.QuestionID == questionID {
			lines = append(lines, c)
		}
	}
	slices.SortStableFunc(lines, func(a, b model.FormChoice) int { return a.Value - b.Value })
	return lines
}

// Open lists the forms that are open now and ask the member, or that he has answered.
func (s *Service) Open(ctx context.Context, memberID int64) ([]Mine, error) {
	now, tx := s.Clock.Now(), s.DB.Reader(ctx)
	var rows []model.Form
	if err := tx.Where("enabled = ? AND closes_at > ? AND opens_at <= ?", true, now, now).Order("opens_at, id").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("form: open: %w", err)
	}
	if len(rows) == 0 {
		return nil, nil
	}
	views, err := withQuestions(tx, rows)
	if err != nil {
		return nil, err
	}
	var out []Mine
	for _, v := range views {
		m, err := s.mine(ctx, tx, v, memberID, now)
		switch {
		case errs.CodeOf(err) == errs.Forbidden:
		case err != nil:
			return nil, err
		default:
			out = append(out, *m)
		}
	}
	return out, nil
}

// For is one form for a member: errs.WindowClosed and errs.Forbidden say that he cannot answer it, and has not.
func (s *Service) For(ctx context.Context, memberID, id int64) (*Mine, error) {
	now, tx := s.Clock.Now(), s.DB.Reader(ctx)
	v, err := get(tx, id)
	if err != nil {
		return nil, err
	}
	if !v.Enabled {
		return nil, errs.New(errs.NotFound, "form.not_found")
	}
	return s.mine(ctx, tx, *v, memberID, now)
}

func (s *Service) mine(ctx context.Context, tx *gorm.DB, v View, memberID int64, now time.Time) (*Mine, error) {
	m := &Mine{View: v, SecondsLeft: max(0, int64(v.ClosesAt.Sub(now).Seconds()))}
	a, err := answerOf(tx, v.ID, memberID)
	if err != nil {
		return nil, err
	}
	if m.Answer = a; a != nil {
		return m, nil
	}
	if err := s.within(&v, now); err != nil {
		return nil, err
	}
	return m, s.asks(ctx, tx, &v, memberID, now)
}

// answerOf is the member's answer to the form; nil before he has given one.
func answerOf(tx *gorm.DB, formID, memberID int64) (*Answer, error) {
	var rows []model.FormAnswer
	if err := tx.Where("form_id = ? AND member_id = ?", formID, memberID).Limit(1).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("form: answer: %w", err)
	}
	if len(rows) == 0 {
		return nil, nil
	}
	a := &Answer{FormAnswer: rows[0]}
	if err := tx.Where("answer_id = ?", a.ID).Order("id").Find(&a.Choices).Error; err != nil {
		return nil, fmt.Errorf("form: answer: %w", err)
	}
	return a, nil
}
