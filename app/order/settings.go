package order

import (
	"context"
	"slices"
	"strings"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

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
	return db.Only(tx, model.OrderSettings{
		ID: db.OnlyID, ClaimDays: 90, PendingDays: 15, WrongLimit: 5, PendingLimit: 10, Platforms: model.ToJSON(model.Platforms),
	})
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
		in.ID, in.UpdatedAt = db.OnlyID, s.clock.Now()
		return in, db.SaveOnly(tx, &in)
	})
	return &out, err
}
