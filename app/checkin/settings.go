package checkin

import (
	"context"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// Bounds of the settings.
const (
	maxReach = 60
	maxLimit = 31
	maxPrice = 1_000_000
)

// Settings reads how missed days are made up; before the first change they are not.
func (s *Service) Settings(ctx context.Context) (*model.CheckinSettings, error) {
	return settings(s.db.Reader(ctx))
}

func settings(tx *gorm.DB) (*model.CheckinSettings, error) {
	return db.Only(tx, model.CheckinSettings{ID: db.OnlyID})
}

// SaveSettings changes them: from the commit on every make-up obeys the new ones.
func (s *Service) SaveSettings(ctx context.Context, in model.CheckinSettings) (*model.CheckinSettings, error) {
	switch {
	case in.MakeupLimit < 0 || in.MakeupLimit > maxLimit:
		return nil, errs.Field("makeup_limit", "checkin.setting", "limit", maxLimit)
	case in.MakeupReach < 0 || in.MakeupReach > maxReach:
		return nil, errs.Field("makeup_reach", "checkin.setting", "limit", maxReach)
	case in.MakeupLimit > 0 && in.MakeupReach == 0:
		return nil, errs.Field("makeup_reach", "checkin.reach_missing", "limit", maxReach)
	case in.MakeupPrice < 0 || in.MakeupPrice > maxPrice:
		return nil, errs.Field("makeup_price", "checkin.setting", "limit", maxPrice)
	}
	out, err := db.Do(ctx, s.db, func(_ context.Context, tx *gorm.DB) (model.CheckinSettings, error) {
		in.ID, in.UpdatedAt = db.OnlyID, s.clock.Now()
		return in, db.SaveOnly(tx, &in)
	})
	return &out, err
}
