package form

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

// leafArgs is {"form_id":"3"}, {"option_id":"12"} or both, where the option is the form's.
type leafArgs struct {
	FormID   string `json:"form_id,omitempty"`
	OptionID string `json:"option_id,omitempty"`
}

func leafIDs(raw json.RawMessage) (form, option int64, err error) {
	var a leafArgs
	if err := condition.DecodeArgs(raw, &a); err != nil {
		return 0, 0, err
	}
	for _, arg := range []struct {
		name, text string
		into       *int64
	}{{"form_id", a.FormID, &form}, {"option_id", a.OptionID, &option}} {
		if arg.text == "" && (arg.name == "option_id" || a.OptionID != "") {
			continue
		}
		if *arg.into, err = condition.ID(arg.name, arg.text); err != nil {
			return 0, 0, err
		}
	}
	return form, option, nil
}

// answered are the answers to the form, where an option is named those that chose it; in a ranking it is chosen that stands first.
func answered(tx *gorm.DB, form, option int64) *gorm.DB {
	q := tx.Model(&model.FormAnswer{})
	if form != 0 {
		q = q.Where("form_answers.form_id = ?", form)
	}
	if option != 0 {
		q = q.Joins("JOIN form_choices AS c ON c.answer_id = form_answers.id AND c.value = 1 AND c.option_id = ? "+
			"AND c.question_id = (SELECT question_id FROM form_options WHERE id = ?)", option, option)
	}
	return q
}

// named finds the form and its option; errs.Field names what is not there.
func named(tx *gorm.DB, form, option int64) (*View, *model.FormOption, error) {
	if option != 0 {
		var rows []model.FormOption
		if err := tx.Where("id = ?", option).Limit(1).Find(&rows).Error; err != nil {
			return nil, nil, fmt.Errorf("form: option: %w", err)
		}
		if len(rows) == 0 || form != 0 && rows[0].FormID != form {
			return nil, nil, errs.Field("option_id", "form.option_unknown")
		}
		v, err := get(tx, rows[0].FormID)
		return v, &rows[0], err
	}
	v, err := get(tx, form)
	return v, nil, errs.AtField(err, "form_id")
}

// Leaf is the leaf "form": the member answered the form, and in his newest answer chose the option. An option names its form.
func Leaf() condition.Leaf {
	return condition.Leaf{
		Name: "form", ByActing: true,
		Check: func(_ context.Context, tx *gorm.DB, raw json.RawMessage) error {
			form, option, err := leafIDs(raw)
			if err == nil {
				_, _, err = named(tx, form, option)
			}
			return err
		},
		Eval: func(_ context.Context, tx *gorm.DB, s *condition.Subject, raw json.RawMessage) (condition.Verdict, error) {
			form, option, err := leafIDs(raw)
			if err != nil {
				return condition.Verdict{}, err
			}
			var n int64
			err = answered(tx, form, option).Where("form_answers.member_id = ?", s.MemberID).Count(&n).Error
			return condition.Verdict{Holds: n > 0, Saw: n > 0}, err
		},
		Members: func(_ context.Context, tx *gorm.DB, _ time.Time, _ *roaring.Bitmap, raw json.RawMessage) (*roaring.Bitmap, error) {
			form, option, err := leafIDs(raw)
			if err != nil {
				return nil, err
			}
			return condition.Bitmap(answered(tx, form, option).Select("form_answers.member_id"))
		},
		Moves:    condition.Still,
		Sentence: sentence,
		Triggers: func(json.RawMessage) []string { return []string{model.EventForm, model.EventFormEdited} },
		Index:    index(),
	}
}

func sentence(_ context.Context, tx *gorm.DB, lang string, raw json.RawMessage) (string, error) {
	form, option, err := leafIDs(raw)
	if err != nil {
		return "", err
	}
	v, o, err := named(tx, form, option)
	switch {
	case errs.CodeOf(err) == errs.Invalid: // what is not there holds for nobody
		return templates.T(lang, "condition.form", map[string]any{"form": fmt.Sprint("#", cmp.Or(option, form))}), nil
	case err != nil:
		return "", err
	case o == nil:
		return templates.T(lang, "condition.form", map[string]any{"form": v.Title}), nil
	}
	return templates.T(lang, "condition.form_option", map[string]any{"form": v.Title, "option": o.Text}), nil
}

// index keeps who chose each option under its id, and who answered each form under the negative of the form's.
func index() *condition.Index {
	chosen := "SELECT " + condition.Pair("c.option_id", "a.member_id") + " FROM form_choices c JOIN form_answers a ON a.id = c.answer_id WHERE c.option_id > 0 AND c.value = 1"
	return &condition.Index{
		Rows: func(ctx context.Context, tx *gorm.DB, ids []int64, put func(int64, uint32)) error {
			forms, options, in, args := "SELECT "+condition.Pair("-form_id", "member_id")+" FROM form_answers", chosen, "", []any{}
			if ids != nil {
				in, args = condition.Placed(ids)
				forms, options = forms+" WHERE member_id IN "+in, options+" AND a.member_id IN "+in
			}
			return errors.Join(condition.Pairs(ctx, tx, put, forms, args...), condition.Pairs(ctx, tx, put, options, args...))
		},
		Keys: func(_ context.Context, _ *gorm.DB, raw json.RawMessage) ([]int64, bool, error) {
			form, option, err := leafIDs(raw)
			if option == 0 {
				option = -form
			}
			return []int64{option}, false, err
		},
	}
}
