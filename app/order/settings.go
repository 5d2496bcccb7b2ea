package order

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// settingsID is the one row.
const settingsID = 1

// Bounds of the settings.
const (
	maxClaimDays   = 3650
	maxPendingDays = 365
	maxClaims      = 1000
)

// Settings reads how members claim orders.
func (s *Service) Settings(ctx context.Context) (*model.OrderSettings, error) {
	return settings(s.db.Reader(ctx))
}

func settings(tx *gorm.DB) (*model.OrderSettings, error) {
	var rows []model.OrderSettings
	if err := tx.Limit(1).Find(&rows, settingsID).Error; err != nil {
		return nil, fmt.Errorf("order: settings: %w", err)
	}
	if len(rows) == 0 {
		return &model.OrderSettings{
			ID: settingsID, ClaimDays: 90, PendingDays: 15, WrongLimit: 5, PendingLimit: 10, Platforms: model.ToJSON(model.Platforms),
		}, nil
	}
	return &rows[0], nil
}

// claimable are the platforms whose orders members may claim.
func claimable(s *model.OrderSettings) (list []string) {
	_ = s.Platforms.Into(&list) // was written as a list
	return list
}

// SaveSettings changes them: from the commit on every push and claim obeys the new ones.
func (s *Service) SaveSettings(ctx context.Context, in model.OrderSettings) (*model.OrderSettings, error) {
	for _, b := range []struct {
		field           string
		n, least, limit int64
	}{
		{"claim_days", int64(in.ClaimDays), 1, maxClaimDays},
		{"pending_days", int64(in.PendingDays), 1, maxPendingDays},
		{"wrong_limit", in.WrongLimit, 1, maxClaims},
		{"pending_limit", in.PendingLimit, 0, maxClaims},
	} {
		if b.n < b.least || b.n > b.limit {
			return nil, errs.Field(b.field, "order.setting", "least", b.least, "limit", b.limit)
		}
	}
	for _, p := range claimable(&in) {
		if !slices.Contains(model.Platforms, p) {
			return nil, errs.Field("platforms", "order.platform", "platforms", strings.Join(model.Platforms, ", "))
		}
	}
	out, err := db.Do(ctx, s.db, func(_ context.Context, tx *gorm.DB) (model.OrderSettings, error) {
		in.ID, in.UpdatedAt = settingsID, s.clock.Now()
		dup, err := db.Insert(tx, &in)
		if err == nil && dup {
			err = tx.Save(&in).Error
		}
		if err != nil {
			return in, fmt.Errorf("order: settings: %w", err)
		}
		return in, nil
	})
	return &out, err
}
