package community

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

// leafArgs is {"group_id":"3"}.
type leafArgs struct {
	GroupID string `json:"group_id"`
}

func leafID(raw json.RawMessage) (int64, error) {
	var a leafArgs
	if err := condition.DecodeArgs(raw, &a); err != nil {
		return 0, err
	}
	return condition.ID("group_id", a.GroupID)
}

// Leaf is the leaf "group": the member proved to be in the community group.
func Leaf() condition.Leaf {
	return condition.Leaf{
		Name: "group", ByActing: true,
		Check: func(_ context.Context, tx *gorm.DB, raw json.RawMessage) error {
			id, err := leafID(raw)
			if err != nil {
				return err
			}
			err = tx.Take(&model.CommunityGroup{}, id).Error
			if errors.Is(err, gorm.ErrRecordNotFound) {
				return errs.Field("group_id", "community.not_found")
			}
			return err
		},
		Eval: func(_ context.Context, tx *gorm.DB, s *condition.Subject, raw json.RawMessage) (condition.Verdict, error) {
			id, err := leafID(raw)
			if err != nil {
				return condition.Verdict{}, err
			}
			var n int64
			err = tx.Model(&model.GroupMember{}).Where("group_id = ? AND member_id = ?", id, s.MemberID).Count(&n).Error
			return condition.Verdict{Holds: n > 0, Saw: n > 0}, err
		},
		Members: func(_ context.Context, tx *gorm.DB, _ time.Time, _ *roaring.Bitmap, raw json.RawMessage) (*roaring.Bitmap, error) {
			id, err := leafID(raw)
			if err != nil {
				return nil, err
			}
			return condition.Bitmap(tx.Model(&model.GroupMember{}).Select("member_id").Where("group_id = ?", id))
		},
		Moves: condition.Still,
		Sentence: func(_ context.Context, tx *gorm.DB, lang string, raw json.RawMessage) (string, error) {
			id, err := leafID(raw)
			if err != nil {
				return "", err
			}
			g := model.CommunityGroup{Name: "#" + strconv.FormatInt(id, 10)}
			err = tx.Limit(1).Find(&g, id).Error
			return templates.T(lang, "condition.group", map[string]any{"group": g.Name}), err
		},
		Triggers: func(json.RawMessage) []string { return []string{model.EventGroup} },
		Index: &condition.Index{
			Rows: func(ctx context.Context, tx *gorm.DB, ids []int64, put func(int64, uint32)) error {
				query, args := "SELECT "+condition.Pair("group_id", "member_id")+" FROM group_members", []any{}
				if ids != nil {
					var in string
					in, args = condition.Placed(ids)
					query += " WHERE member_id IN " + in
				}
				return condition.Pairs(ctx, tx, put, query, args...)
			},
			Keys: func(_ context.Context, _ *gorm.DB, raw json.RawMessage) ([]int64, bool, error) {
				id, err := leafID(raw)
				return []int64{id}, false, err
			},
		},
	}
}
