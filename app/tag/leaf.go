package tag

import (
	"context"
	"encoding/json"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

type leafArgs struct {
	TagID string `json:"tag_id"`
}

func tagID(raw json.RawMessage) (int64, error) {
	var a leafArgs
	if err := condition.DecodeArgs(raw, &a); err != nil {
		return 0, err
	}
	return condition.ID("tag_id", a.TagID)
}

// Leaf is the leaf "tag": the member holds the tag, whatever its cause.
func Leaf() condition.Leaf {
	return condition.Leaf{
		Name: "tag",
		Check: func(_ context.Context, tx *gorm.DB, raw json.RawMessage) error {
			id, err := tagID(raw)
			if err != nil {
				return err
			}
			_, err = Get(tx, id)
			return errs.AtField(err, "tag_id")
		},
		Eval: func(ctx context.Context, tx *gorm.DB, s *condition.Subject, raw json.RawMessage) (condition.Verdict, error) {
			id, err := tagID(raw)
			if err != nil {
				return condition.Verdict{}, err
			}
			if s.Ahead != nil && s.Ahead.Tag != nil {
				holds, err := s.Ahead.Tag(ctx, tx, s, id)
				return condition.Verdict{Holds: holds, Saw: holds}, err
			}
			var n int64
			err = tx.Model(&model.TagHold{}).Where("tag_id = ? AND member_id = ?", id, s.MemberID).Limit(1).Count(&n).Error
			return condition.Verdict{Holds: n > 0, Saw: n > 0}, err
		},
		Members: func(_ context.Context, tx *gorm.DB, _ time.Time, _ *roaring.Bitmap, raw json.RawMessage) (*roaring.Bitmap, error) {
			id, err := tagID(raw)
			if err != nil {
				return nil, err
			}
			return condition.Bitmap(tx.Model(&model.TagHold{}).Select("member_id").Where("tag_id = ?", id))
		},
		Moves: condition.Still,
		Sentence: func(_ context.Context, tx *gorm.DB, lang string, raw json.RawMessage) (string, error) {
			id, err := tagID(raw)
			if err != nil {
				return "", err
			}
			name, err := Name(tx, id)
			return templates.T(lang, "condition.tag", map[string]any{"tag": name}), err
		},
		Triggers: func(json.RawMessage) []string { return []string{model.EventTag} },
		Index:    index(),
	}
}
