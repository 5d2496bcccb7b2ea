package form

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/coupon"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/tag"
	"github.com/siyu-scrm/siyu/model"
)

// Reply is what a member says to one question.
type Reply struct {
	QuestionID int64
	Options    []int64 // of a ranking from the first place
	Rating     int
	Text       string
}

// Submitted is what an answer answers.
type Submitted struct {
	Form   model.Form    `json:"form"`
	Answer Answer        `json:"answer"`
	Edited bool          `json:"edited"`
	Grants []event.Grant `json:"grants"` // by rules, and the prize
	Coupon *coupon.Held  `json:"coupon"` // the prize
}

// source numbers the events by the row of the answer.
const source = "form"

// Submit records a member's answer; where the form allows it, another one takes its place: tags and results follow, and nothing is earned
// twice. It refuses with errs.NotFound, errs.WindowClosed (opens_at or closed_at), errs.AlreadyAnswered, errs.Forbidden for who is not asked,
// and errs.Invalid, which names the question. Once the prizes are gone an answer is accepted without one.
func (s *Service) Submit(ctx context.Context, memberID, formID int64, replies []Reply, at time.Time) (*Submitted, error) {
	out, err := db.Do(ctx, s.DB, func(ctx context.Context, tx *gorm.DB) (out Submitted, err error) {
		v, err := get(tx, formID)
		if err != nil {
			return out, err
		}
		if !v.Enabled {
			return out, errs.New(errs.NotFound, "form.not_found")
		}
		if err := s.within(v, at); err != nil {
			return out, err
		}
		memberID, err := s.Members.ActTx(tx, memberID, at, true)
		if err != nil {
			return out, err
		}
		old, err := answerOf(tx, v.ID, memberID)
		if err != nil {
			return out, err
		}
		if old != nil {
			return s.editTx(ctx, tx, v, old, replies, at)
		}
		return s.submitTx(ctx, tx, v, memberID, replies, at)
	})
	return &out, err
}

func (s *Service) submitTx(ctx context.Context, tx *gorm.DB, v *View, memberID int64, replies []Reply, at time.Time) (out Submitted, err error) {
	if v, err = fixed(tx, v); err != nil {
		return out, err
	}
	if err := s.asks(ctx, tx, v, memberID, at); err != nil {
		return out, err
	}
	out.Form = v.Form
	a := &out.Answer
	if a.Choices, err = v.read(replies); err != nil {
		return out, err
	}
	a.FormAnswer = model.FormAnswer{FormID: v.ID, MemberID: memberID, At: at}
	if dup, err := db.Insert(tx, &a.FormAnswer); err != nil || dup {
		return out, fmt.Errorf("form: answer of member %d, who must be locked (duplicate: %t): %w", memberID, dup, err)
	}
	if err := writeChoices(tx, a); err != nil {
		return out, err
	}
	ev, grants, err := s.recordTx(ctx, tx, v, a, model.EventForm, fmt.Sprint(a.ID), at)
	if err != nil {
		return out, err
	}
	a.EventID, out.Grants = ev.ID, grants
	if err := s.tagTx(ctx, tx, v, a, at); err != nil {
		return out, err
	}
	if err := s.prizeTx(ctx, tx, v, &out, at); err != nil {
		return out, err
	}
	return out, tx.Save(&a.FormAnswer).Error
}

// fixed is the form with questions that do not change any more: the first who answer hold its row, against an operator who changes them.
func fixed(tx *gorm.DB, v *View) (*View, error) {
	if v.Answered {
		return v, nil
	}
	if err := tx.Exec("UPDATE forms SET answered = ? WHERE id = ?", true, v.ID).Error; err != nil {
		return nil, fmt.Errorf("form: fix: %w", err)
	}
	return get(tx, v.ID)
}

func (s *Service) editTx(ctx context.Context, tx *gorm.DB, v *View, old *Answer, replies []Reply, at time.Time) (out Submitted, err error) {
	if !v.Editable {
		return out, errs.New(errs.AlreadyAnswered, "form.already", "at", s.Zone.In(old.At))
	}
	out.Form, out.Edited, out.Grants = v.Form, true, []event.Grant{}
	a := &out.Answer
	if a.Choices, err = v.read(replies); err != nil {
		return out, err
	}
	a.FormAnswer = old.FormAnswer
	a.Edits, a.EditedAt = a.Edits+1, &at
	if err := tx.Save(&a.FormAnswer).Error; err != nil {
		return out, fmt.Errorf("form: edit: %w", err)
	}
	if err := tx.Where("answer_id = ?", a.ID).Delete(&model.FormChoice{}).Error; err != nil {
		return out, fmt.Errorf("form: edit: %w", err)
	}
	if err := writeChoices(tx, a); err != nil {
		return out, err
	}
	ev, _, err := s.recordTx(ctx, tx, v, a, model.EventFormEdited, fmt.Sprintf("%d:%d", a.ID, a.Edits), at)
	if err != nil {
		return out, err
	}
	edited := *a
	edited.EventID = ev.ID
	return out, s.tagTx(ctx, tx, v, &edited, at)
}

func writeChoices(tx *gorm.DB, a *Answer) error {
	if len(a.Choices) > 0 {
		for i := range a.Choices {
			a.Choices[i].AnswerID = a.ID
		}
		if err := tx.Create(&a.Choices).Error; err != nil {
			return fmt.Errorf("form: choices: %w", err)
		}
	}
	return member.ChangedTx(tx, a.MemberID)
}

// recordTx tells of the answer, but no words of the member: events are for rules and other systems.
func (s *Service) recordTx(ctx context.Context, tx *gorm.DB, v *View, a *Answer, kind, key string, at time.Time) (*model.Event, []event.Grant, error) {
	options := []string{}
	for _, c := range a.Choices {
		if c.OptionID != 0 && c.Value == 1 {
			options = append(options, fmt.Sprint(c.OptionID))
		}
	}
	ev := &model.Event{
		MemberID: a.MemberID, Kind: kind, Source: source, Key: key, OccurredAt: at, Joined: true,
		Data: model.ToJSON(map[string]any{"form_id": fmt.Sprint(v.ID), "title": v.Title, "options": options}),
	}
	grants, err := s.Events.RecordTx(ctx, tx, ev)
	return ev, grants, err
}

// tagTx gives the tags of what was chosen, and takes those of this form's other options.
func (s *Service) tagTx(ctx context.Context, tx *gorm.DB, v *View, a *Answer, at time.Time) error {
	want := v.tags(a.Choices)
	cause := tag.Cause{Kind: model.CauseForm, ID: v.ID, EventID: a.EventID, Reason: v.Title}
	if a.Edits > 0 {
		for _, id := range v.others(want) {
			if _, err := s.Tags.UnsetTx(ctx, tx, a.MemberID, id, cause, at); err != nil {
				return err
			}
		}
	}
	for _, id := range want {
		if _, err := s.Tags.SetTx(ctx, tx, a.MemberID, id, cause, at); err != nil {
			return err
		}
	}
	return nil
}

// tags are those of what was chosen.
func (v *View) tags(choices []model.FormChoice) (ids []int64) {
	for _, c := range choices {
		if c.OptionID == 0 || c.Value != 1 {
			continue
		}
		if q := v.question(c.QuestionID); q != nil {
			if o := q.option(c.OptionID); o != nil && o.TagID != 0 && !slices.Contains(ids, o.TagID) {
				ids = append(ids, o.TagID)
			}
		}
	}
	return ids
}

// others are the tags that the form can set but for these.
func (v *View) others(but []int64) (ids []int64) {
	for _, q := range v.Questions {
		for _, o := range q.Options {
			if o.TagID != 0 && !slices.Contains(but, o.TagID) && !slices.Contains(ids, o.TagID) {
				ids = append(ids, o.TagID)
			}
		}
	}
	return ids
}

// prizeTx gives the prize, if one is left.
func (s *Service) prizeTx(ctx context.Context, tx *gorm.DB, v *View, out *Submitted, at time.Time) error {
	a := &out.Answer
	if v.Prize == model.PrizeNone {
		return nil
	}
	res := tx.Exec("UPDATE forms SET taken = taken + 1 WHERE id = ? AND (stock IS NULL OR taken < stock)", v.ID)
	if res.Error != nil {
		return fmt.Errorf("form: stock: %w", res.Error)
	}
	if res.RowsAffected == 0 {
		a.Prize = model.PrizeGone
		return nil
	}
	a.Prize = model.PrizeGiven
	if v.Prize == model.PrizePoints {
		e, err := s.Book.PostTx(ctx, tx, ledger.Posting{
			MemberID: a.MemberID, Account: model.AccountPoints, Amount: v.Points, Reason: "form.prize", Memo: v.Title, EventID: a.EventID, OccurredAt: at,
			Key: pointsKey(fmt.Sprint(a.ID)),
		})
		if err == nil {
			out.Grants = append(out.Grants, event.Grant{Account: e.Account, Amount: e.Delta, Balance: e.Balance, Rule: v.Title})
		}
		return err
	}
	return s.couponTx(ctx, tx, v, out, at)
}

// pointsKey is that of the entry of an answer's points.
func pointsKey(answer string) string { return "form:" + answer }

// couponTx gives a coupon. One that cannot be given is none of the stock.
func (s *Service) couponTx(ctx context.Context, tx *gorm.DB, v *View, out *Submitted, at time.Time) error {
	a := &out.Answer
	given, err := s.Coupons.IssueTx(ctx, tx, a.MemberID, v.CouponID, coupon.Cause{Source: model.CouponByForm, ID: v.ID, EventID: a.EventID}, at)
	switch errs.CodeOf(err) {
	case "":
		if err != nil {
			return err
		}
	case errs.LimitReached:
		a.Prize = model.PrizeLimit
	default:
		a.Prize = model.PrizeGone
	}
	if err != nil {
		return tx.Exec("UPDATE forms SET taken = taken - 1 WHERE id = ?", v.ID).Error
	}
	c, err := coupon.Get(tx, v.CouponID)
	if err != nil {
		return err
	}
	a.MemberCouponID, out.Coupon = given.ID, &coupon.Held{MemberCoupon: *given, Coupon: c.Coupon}
	out.Grants = append(out.Grants, event.Grant{Coupon: c.Name, Amount: 1, Rule: v.Title})
	return nil
}

// read checks the replies against the questions and makes the lines of an answer of them.
func (v *View) read(replies []Reply) (choices []model.FormChoice, err error) {
	done := map[int64]bool{}
	for i, r := range replies {
		at := fmt.Sprintf("answers[%d]", i)
		q := v.question(r.QuestionID)
		if q == nil {
			return nil, errs.Field(at+".question_id", "form.no_question")
		}
		if done[q.ID] {
			return nil, q.refuse(at+".question_id", "form.twice")
		}
		done[q.ID] = true
		lines, err := q.read(r, at)
		if err != nil {
			return nil, err
		}
		choices = append(choices, lines...)
	}
	for i := range v.Questions {
		q := &v.Questions[i]
		if q.Required && !slices.ContainsFunc(choices, func(c model.FormChoice) bool { return c.QuestionID == q.ID }) {
			return nil, q.refuse("answers", "form.required")
		}
	}
	return choices, nil
}

// refuse is a refusal of the reply to the question: it names it for the member and for the program.
func (q *Question) refuse(field, key string, args ...any) error {
	return errs.Field(field, key, append([]any{"question_id", fmt.Sprint(q.ID), "n", q.Seq + 1, "question", q.Text}, args...)...)
}

// read makes lines of one reply; none of an empty one.
func (q *Question) read(r Reply, at string) ([]model.FormChoice, error) {
	r.Text = strings.TrimSpace(r.Text)
	switch {
	case len(r.Options) > 0 && !q.Choice():
		return nil, q.refuse(at+".options", "form.reply_kind")
	case r.Rating != 0 && q.Kind != model.QuestionRating:
		return nil, q.refuse(at+".rating", "form.reply_kind")
	case r.Text != "" && q.Kind != model.QuestionText:
		return nil, q.refuse(at+".text", "form.reply_kind")
	}
	line := model.FormChoice{QuestionID: q.ID, Value: r.Rating, Text: r.Text}
	switch q.Kind {
	case model.QuestionRating:
		if r.Rating < 0 || r.Rating > q.Max {
			return nil, q.refuse(at+".rating", "form.rating", "limit", q.Max)
		}
	case model.QuestionText:
		if utf8.RuneCountInString(r.Text) > q.Max {
			return nil, q.refuse(at+".text", "form.too_long", "limit", q.Max)
		}
	default:
		return q.readOptions(r.Options, at+".options")
	}
	if r.Rating == 0 && r.Text == "" {
		return nil, nil
	}
	return []model.FormChoice{line}, nil
}

func (q *Question) readOptions(ids []int64, at string) (lines []model.FormChoice, err error) {
	if len(ids) == 0 {
		return nil, nil
	}
	for i, id := range ids {
		if q.option(id) == nil || slices.Contains(ids[:i], id) {
			return nil, q.refuse(fmt.Sprintf("%s[%d]", at, i), "form.no_option")
		}
		line := model.FormChoice{QuestionID: q.ID, OptionID: id, Value: 1}
		if q.Kind == model.QuestionRanking {
			line.Value = i + 1
		}
		lines = append(lines, line)
	}
	if n := len(ids); n < q.Min || n > q.most() {
		return nil, q.refuse(at, "form.choices", "from", max(1, q.Min), "limit", q.most())
	}
	return lines, nil
}
