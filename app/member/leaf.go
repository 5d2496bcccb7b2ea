package member

import (
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

// leafArgs is one thing known of the person: {"field":"joined","value":true}, {"field":"channel","value":"poster"}.
type leafArgs struct {
	Field string `json:"field"`
	Value any    `json:"value"`
}

// where turns the args into a condition on members, for one member and for all alike.
func (a leafArgs) where() (string, []any, error) {
	yes, isBool := a.Value.(bool)
	text, isText := a.Value.(string)
	if sql, ok := map[string]string{
		"joined":    "members.joined_at IS NOT NULL",
		"opted_out": "members.opted_out_at IS NOT NULL",
		"follower":  "EXISTS (SELECT 1 FROM identities i WHERE i.member_id = members.id AND i.subscribed)",
	}[a.Field]; ok {
		if !isBool {
			return "", nil, errs.Field("value", "condition.member.value")
		}
		if !yes {
			sql = "NOT (" + sql + ")"
		}
		return sql, nil, nil
	}
	if !isText && (a.Field == "gender" || a.Field == "channel") {
		return "", nil, errs.Field("value", "condition.member.value")
	}
	switch a.Field {
	case "gender":
		return "members.gender = ?", []any{text}, nil
	case "channel":
		return "members.first_channel = (SELECT c.id FROM channel_codes c WHERE c.code = ?)", []any{text}, nil
	}
	return "", nil, errs.Field("field", "condition.member.field")
}

func readLeaf(raw json.RawMessage) (a leafArgs, sql string, args []any, err error) {
	if err = condition.DecodeArgs(raw, &a); err == nil {
		sql, args, err = a.where()
	}
	return a, sql, args, err
}

// Leaf is the leaf "member": something known of the person himself.
func Leaf() condition.Leaf {
	return condition.Leaf{
		Name: "member",
		Check: func(_ context.Context, tx *gorm.DB, raw json.RawMessage) error {
			a, _, _, err := readLeaf(raw)
			if err != nil || a.Field != "channel" {
				return err
			}
			err = tx.Where("code = ?", a.Value).Take(&model.ChannelCode{}).Error
			if errors.Is(err, gorm.ErrRecordNotFound) {
				return errs.Field("value", "channel.not_found")
			}
			return err
		},
		Eval: func(_ context.Context, tx *gorm.DB, s *condition.Subject, raw json.RawMessage) (condition.Verdict, error) {
			_, sql, args, err := readLeaf(raw)
			if err != nil {
				return condition.Verdict{}, err
			}
			var n int64
			err = tx.Model(&model.Member{}).Where("members.id = ?", s.MemberID).Where(sql, args...).Count(&n).Error
			return condition.Verdict{Holds: n > 0, Saw: n > 0}, err
		},
		Members: func(_ context.Context, tx *gorm.DB, _ time.Time, _ *roaring.Bitmap, raw json.RawMessage) (*roaring.Bitmap, error) {
			_, sql, args, err := readLeaf(raw)
			if err != nil {
				return nil, err
			}
			return condition.Bitmap(tx.Model(&model.Member{}).Select("members.id").Where("members.merged_into IS NULL").Where(sql, args...))
		},
		Sentence: func(_ context.Context, _ *gorm.DB, lang string, raw json.RawMessage) (string, error) {
			a, _, _, err := readLeaf(raw)
			key := "condition.member." + a.Field
			if a.Value == false {
				key = "condition.member.not_" + a.Field
			}
			return templates.T(lang, key, map[string]any{"value": fmt.Sprint(a.Value)}), err
		},
		Triggers: func(json.RawMessage) []string {
			return []string{
				model.EventFollowed, model.EventUnfollowed, model.EventRegistered, model.EventScanned, model.EventMessage,
				model.EventNickname, model.EventGender, model.EventBirthday, model.EventPhone,
			}
		},
	}
}
