package form

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/coupon"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/tag"
	"github.com/siyu-scrm/siyu/model"
)

// Bounds of a form.
const (
	maxTitle     = 100
	maxAbout     = 1000
	maxQuestions = 50
	maxQuestion  = 200
	maxOptions   = 50
	maxOption    = 100
	maxMark      = 10
	maxWords     = 1000
	maxPoints    = 1_000_000
	maxStock     = 1_000_000_000
)

// Defaults of what a question leaves open.
const (
	defaultMark  = 5
	defaultWords = 500
)

// Kinds are those of questions.
var Kinds = []string{model.QuestionSingle, model.QuestionMulti, model.QuestionRating, model.QuestionRanking, model.QuestionText}

// Prizes are what an answer may give beside what rules give for it.
var Prizes = []string{model.PrizeNone, model.PrizePoints, model.PrizeCoupon}

// Save makes a form (ID 0) or changes one. Questions and options that keep their ids stay what conditions name; once somebody has answered
// they are fixed: then errs.Conflict. The stock is at least what was given.
func (s *Service) Save(ctx context.Context, in View) (*View, error) {
	in = clone(in)
	if err := check(&in); err != nil {
		return nil, err
	}
	t, err := s.Conditions.Parse(in.Condition)
	if err != nil {
		return nil, err
	}
	in.Condition = model.ToJSON(t) // in the form in which audiences are looked for
	out, err := db.Do(ctx, s.DB, func(ctx context.Context, tx *gorm.DB) (View, error) {
		if err := s.checkRefs(ctx, tx, &in, t); err != nil {
			return in, err
		}
		return s.saveTx(tx, clone(in))
	})
	return &out, err
}

// clone is a copy that shares no questions: what is written into them stays there.
func clone(v View) View {
	v.Questions = slices.Clone(v.Questions)
	for i := range v.Questions {
		v.Questions[i].Options = slices.Clone(v.Questions[i].Options)
	}
	return v
}

func check(v *View) error {
	v.Title, v.Text = strings.TrimSpace(v.Title), strings.TrimSpace(v.Text)
	switch {
	case v.Title == "" || utf8.RuneCountInString(v.Title) > maxTitle:
		return errs.Field("title", "form.title", "limit", maxTitle)
	case utf8.RuneCountInString(v.Text) > maxAbout:
		return errs.Field("text", "form.text", "limit", maxAbout)
	case !v.OpensAt.Before(v.ClosesAt):
		return errs.Field("closes_at", "form.closes_at")
	case !slices.Contains(Prizes, v.Prize):
		return errs.Field("prize", "form.prize", "want", strings.Join(Prizes[1:], ", "))
	case (v.Prize == model.PrizeCoupon) != (v.CouponID != 0):
		return errs.Field("coupon_id", "form.prize_coupon")
	case v.Prize == model.PrizePoints && (v.Points < 1 || v.Points > maxPoints), v.Prize != model.PrizePoints && v.Points != 0:
		return errs.Field("points", "form.prize_points", "limit", maxPoints)
	case v.Stock != nil && (*v.Stock < 0 || *v.Stock > maxStock || v.Prize == model.PrizeNone):
		return errs.Field("stock", "form.stock", "limit", maxStock)
	case len(v.Questions) == 0 || len(v.Questions) > maxQuestions:
		return errs.Field("questions", "form.questions", "limit", maxQuestions)
	}
	for i := range v.Questions {
		if err := checkQuestion(&v.Questions[i], fmt.Sprintf("questions[%d]", i)); err != nil {
			return err
		}
	}
	return nil
}

func checkQuestion(q *Question, at string) error {
	q.Text = strings.TrimSpace(q.Text)
	if q.Text == "" || utf8.RuneCountInString(q.Text) > maxQuestion {
		return errs.Field(at+".text", "form.question", "limit", maxQuestion)
	}
	if !slices.Contains(Kinds, q.Kind) {
		return errs.Field(at+".kind", "form.kind", "want", strings.Join(Kinds, ", "))
	}
	if err := checkOptions(q, at); err != nil {
		return err
	}
	lo, hi, most := 0, 0, 0 // of max, and the highest min
	switch n := len(q.Options); q.Kind {
	case model.QuestionMulti, model.QuestionRanking:
		lo, hi, most = 0, n, n
		if q.Max > 0 {
			most = q.Max
		}
	case model.QuestionRating:
		if q.Max == 0 {
			q.Max = defaultMark
		}
		lo, hi = 2, maxMark
	case model.QuestionText:
		if q.Max == 0 {
			q.Max = defaultWords
		}
		lo, hi = 1, maxWords
	}
	switch {
	case q.Max < lo || q.Max > hi:
		return errs.Field(at+".max", "form.between", "from", lo, "limit", hi)
	case q.Min < 0 || q.Min > most:
		return errs.Field(at+".min", "form.between", "from", 0, "limit", most)
	}
	return nil
}

func checkOptions(q *Question, at string) error {
	if !q.Choice() {
		if len(q.Options) > 0 {
			return errs.Field(at+".options", "form.no_options")
		}
		return nil
	}
	if len(q.Options) < 2 || len(q.Options) > maxOptions {
		return errs.Field(at+".options", "form.options", "limit", maxOptions)
	}
	seen := map[string]bool{}
	for i := range q.Options {
		o := &q.Options[i]
		o.Text = strings.TrimSpace(o.Text)
		if o.Text == "" || utf8.RuneCountInString(o.Text) > maxOption || seen[o.Text] {
			return errs.Field(fmt.Sprintf("%s.options[%d].text", at, i), "form.option", "limit", maxOption)
		}
		seen[o.Text] = true
	}
	return nil
}

// checkRefs refuses what names something that is not there, and a condition that needs an event.
func (s *Service) checkRefs(ctx context.Context, tx *gorm.DB, v *View, t condition.Tree) error {
	if err := s.Conditions.Check(ctx, tx, t); err != nil {
		return err
	}
	if s.Conditions.EventScoped(t) {
		return errs.Field("condition", "broadcast.event_scoped")
	}
	for i, q := range v.Questions {
		for j, o := range q.Options {
			if o.TagID == 0 {
				continue
			}
			if _, err := tag.Get(tx, o.TagID); err != nil {
				return errs.AtField(err, fmt.Sprintf("questions[%d].options[%d].tag_id", i, j))
			}
		}
	}
	if v.CouponID == 0 {
		return nil
	}
	_, err := coupon.Get(tx, v.CouponID)
	return errs.AtField(err, "coupon_id")
}

func (s *Service) saveTx(tx *gorm.DB, in View) (View, error) {
	row := in.Form
	row.CreatedAt, row.UpdatedAt, row.Taken, row.Answered = s.Clock.Now(), s.Clock.Now(), 0, false
	if row.ID == 0 {
		if err := tx.Create(&row).Error; err != nil {
			return in, fmt.Errorf("form: save: %w", err)
		}
		in.Form = row
		return in, writeQuestions(tx, &View{}, &in)
	}
	// Nobody answers for the first time, and no prize is given, meanwhile: both change this row too.
	if err := tx.Exec("UPDATE forms SET updated_at = ? WHERE id = ?", row.UpdatedAt, row.ID).Error; err != nil {
		return in, fmt.Errorf("form: save: %w", err)
	}
	old, err := get(tx, row.ID)
	if err != nil {
		return in, err
	}
	row.CreatedAt, row.Taken, row.Answered = old.CreatedAt, old.Taken, old.Answered
	switch {
	case row.Stock != nil && *row.Stock < row.Taken:
		return in, errs.Field("stock", "form.stock_taken", "taken", row.Taken)
	case old.Answered && !same(old.Questions, in.Questions):
		return in, errs.New(errs.Conflict, "form.answered", "field", "questions")
	}
	if err := tx.Save(&row).Error; err != nil {
		return in, fmt.Errorf("form: save: %w", err)
	}
	if in.Form = row; old.Answered {
		in.Questions = old.Questions
		return in, nil
	}
	return in, writeQuestions(tx, old, &in)
}

// same compares what operators write of questions.
func same(a, b []Question) bool {
	return slices.EqualFunc(a, b, func(a, b Question) bool {
		return a.Kind == b.Kind && a.Text == b.Text && a.Required == b.Required && a.Min == b.Min && a.Max == b.Max &&
			slices.EqualFunc(a.Options, b.Options, func(a, b model.FormOption) bool { return a.Text == b.Text && a.TagID == b.TagID })
	})
}

// writeQuestions puts the questions of in, which are written back with their ids, in the place of the old ones.
func writeQuestions(tx *gorm.DB, old, in *View) error {
	for i := range in.Questions {
		q := &in.Questions[i]
		known := old.question(q.ID)
		if q.ID != 0 && known == nil || q.ID != 0 && slices.ContainsFunc(in.Questions[:i], func(o Question) bool { return o.ID == q.ID }) {
			return errs.Field(fmt.Sprintf("questions[%d].id", i), "form.question_unknown")
		}
		for j, o := range q.Options {
			if o.ID != 0 && (known == nil || known.option(o.ID) == nil || slices.ContainsFunc(q.Options[:j], func(p model.FormOption) bool { return p.ID == o.ID })) {
				return errs.Field(fmt.Sprintf("questions[%d].options[%d].id", i, j), "form.option_unknown")
			}
		}
	}
	for _, row := range []any{&model.FormQuestion{}, &model.FormOption{}} {
		if err := tx.Where("form_id = ?", in.ID).Delete(row).Error; err != nil {
			return fmt.Errorf("form: questions: %w", err)
		}
	}
	// Those with an id first: none of the others takes it.
	for _, anew := range []bool{false, true} {
		for i := range in.Questions {
			q := &in.Questions[i]
			if q.FormID, q.Seq = in.ID, i; (q.ID == 0) == anew {
				if err := tx.Create(&q.FormQuestion).Error; err != nil {
					return fmt.Errorf("form: questions: %w", err)
				}
			}
		}
	}
	for _, anew := range []bool{false, true} {
		for i := range in.Questions {
			q := &in.Questions[i]
			for j := range q.Options {
				o := &q.Options[j]
				if o.FormID, o.QuestionID, o.Seq = in.ID, q.ID, j; (o.ID == 0) == anew {
					if err := tx.Create(o).Error; err != nil {
						return fmt.Errorf("form: options: %w", err)
					}
				}
			}
		}
	}
	return nil
}
