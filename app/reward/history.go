package reward

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// Version reads a rule as one of its versions was defined: what stands behind a ledger line.
func (s *Service) Version(ctx context.Context, id int64, version int, lang string) (*Rule, error) {
	tx := s.db.Reader(ctx)
	var row model.PointRule
	if err := tx.Take(&row, id).Error; errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, errs.New(errs.NotFound, "reward.not_found")
	} else if err != nil {
		return nil, fmt.Errorf("reward: rule %d: %w", id, err)
	}
	row.Version = version
	return s.view(ctx, tx, lang, row)
}
