package tier

import (
	"context"
	"encoding/json"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/condition"
)

// index keeps those who are in a tier now under its id.
func (s *Service) index() *condition.Index {
	return &condition.Index{
		Rows: func(ctx context.Context, tx *gorm.DB, ids []int64, put func(int64, uint32)) error {
			query := "SELECT " + condition.Pair("tier_id", "member_id") + " FROM member_tiers WHERE open = ?"
			if ids == nil {
				return condition.Pairs(ctx, tx, put, query, true)
			}
			in, args := condition.Placed(ids)
			return condition.Pairs(ctx, tx, put, query+" AND member_id IN "+in, append([]any{true}, args...)...)
		},
		Keys: func(_ context.Context, tx *gorm.DB, raw json.RawMessage) ([]int64, bool, error) {
			_, ids, _, err := s.read(tx, raw)
			return ids, false, err
		},
	}
}
