package tag

import (
	"context"
	"encoding/json"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/condition"
)

// index keeps the holders of each tag under its id.
func index() *condition.Index {
	return &condition.Index{
		Rows: func(ctx context.Context, tx *gorm.DB, ids []int64, put func(int64, uint32)) error {
			query := "SELECT " + condition.Pair("tag_id", "member_id") + " FROM tag_holds"
			if ids == nil {
				return condition.Pairs(ctx, tx, put, query+" ORDER BY tag_id, member_id")
			}
			in, args := condition.Placed(ids)
			return condition.Pairs(ctx, tx, put, query+" WHERE member_id IN "+in, args...)
		},
		Keys: func(_ context.Context, _ *gorm.DB, raw json.RawMessage) ([]int64, bool, error) {
			id, err := tagID(raw)
			return []int64{id}, false, err
		},
	}
}
