package reach

import (
	"context"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// houseRules are the settings before the first change (PLAYBOOKS H16).
var houseRules = model.ReachSettings{ID: db.OnlyID, QuietFrom: "22:00", QuietTo: "08:00", StopPercent: 20, StopCalls: 50}

// Bounds of the settings.
const (
	maxStopPercent = 100
	maxStopCalls   = 100_000
)

// Settings are what every send of the programme obeys beside the caps.
func (s *Service) Settings(ctx context.Context) (*model.ReachSettings, error) {
	return settings(s.db.Reader(ctx))
}

func settings(tx *gorm.DB) (*model.ReachSettings, error) { return db.Only(tx, houseRules) }

// SaveSettings changes them: from the commit on every decision, of every process, obeys the new ones. Who waits already is decided about again
// when his wait ends.
func (s *Service) SaveSettings(ctx context.Context, in model.ReachSettings) (*model.ReachSettings, error) {
	if err := checkSettings(&in); err != nil {
		return nil, err
	}
	out, err := db.Do(ctx, s.db, func(_ context.Context, tx *gorm.DB) (model.ReachSettings, error) {
		in.ID, in.UpdatedAt = db.OnlyID, s.clock.Now()
		return in, db.SaveOnly(tx, &in)
	})
	return &out, err
}

func checkSettings(in *model.ReachSettings) error {
	if in.QuietFrom != "" || in.QuietTo != "" {
		from, ok := clock.Minutes(in.QuietFrom)
		if !ok || from == clock.DayMinutes {
			return errs.Field("quiet_from", "reach.quiet_from")
		}
		to, ok := clock.Minutes(in.QuietTo)
		switch {
		case !ok:
			return errs.Field("quiet_to", "reach.quiet_to")
		case from == to%clock.DayMinutes:
			return errs.Field("quiet_to", "reach.quiet_same")
		}
	}
	switch {
	case in.StopPercent < 0 || in.StopPercent > maxStopPercent:
		return errs.Field("stop_percent", "reach.stop_percent", "limit", maxStopPercent)
	case in.StopCalls < 1 || in.StopCalls > maxStopCalls:
		return errs.Field("stop_calls", "reach.stop_calls", "limit", maxStopCalls)
	}
	return nil
}

// Quiet reports whether marketing waits at the moment.
func (s *Service) Quiet(tx *gorm.DB, at time.Time) (bool, error) {
	set, err := settings(tx)
	return err == nil && !s.quietUntil(set, at).IsZero(), err
}

// Awake is the moment, or the end of the quiet hours in which it lies.
func (s *Service) Awake(tx *gorm.DB, at time.Time) (time.Time, error) {
	set, err := settings(tx)
	if err != nil {
		return at, err
	}
	if until := s.quietUntil(set, at); !until.IsZero() {
		return until, nil
	}
	return at, nil
}

// quietUntil is the end of the quiet hours that now lies in; zero outside them. Half-open: [from, to); they may span midnight.
func (s *Service) quietUntil(set *model.ReachSettings, now time.Time) time.Time {
	from, some := clock.Minutes(set.QuietFrom)
	to, _ := clock.Minutes(set.QuietTo)
	if !some {
		return time.Time{}
	}
	day := s.zone.DayOf(now)
	start, end := s.zone.At(day, 0, from), s.zone.At(day, 0, to)
	switch {
	case from < to:
		if !now.Before(start) && now.Before(end) {
			return end
		}
	case now.Before(end):
		return end
	case !now.Before(start):
		return s.zone.At(day.Add(1), 0, to)
	}
	return time.Time{}
}
