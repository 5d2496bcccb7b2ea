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

// History reads the newest versions of a rule, each in words. Its UpdatedAt is when the version began.
func (s *Service) History(ctx context.Context, id int64, limit int, lang string) ([]Rule, error) {
	tx := s.db.Reader(ctx)
	var versions []model.PointRuleVersion
	if err := tx.Where("rule_id = ?", id).Order("version DESC").Limit(limit).Find(&versions).Error; err != nil {
		return nil, fmt.Errorf("reward: rule %d: %w", id, err)
	}
	out := make([]Rule, len(versions))
	for i, v := range versions {
		r, err := s.Version(ctx, id, v.Version, lang)
		if err != nil {
			return nil, err
		}
		out[i] = *r
		out[i].Enabled, out[i].UpdatedAt = v.Enabled, v.EffectiveAt
	}
	return out, nil
}
