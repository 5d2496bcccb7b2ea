package broadcast

import (
	"context"
	"time"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/model"
)

// Ahead is a broadcast with its firings to come.
type Ahead struct {
	model.Broadcast
	Who condition.Tree
	At  []time.Time
}

// Ahead are the active broadcasts that the clock sends before an instant, at most as many times each as a year has days.
func (s *Service) Ahead(ctx context.Context, until time.Time) ([]Ahead, error) {
	var rows []model.Broadcast
	err := s.db.Reader(ctx).Where("state = ? AND next_at < ?", model.BroadcastActive, until).Order("id").Find(&rows).Error
	if err != nil {
		return nil, wrap("ahead", err)
	}
	var all []Ahead
	for _, b := range rows {
		a := Ahead{Broadcast: b, At: clock.Firings(b.Cron, s.zone, *b.NextAt, until, 366)}
		if err := b.Condition.Into(&a.Who); err != nil {
			return nil, wrap("ahead", err)
		}
		all = append(all, a)
	}
	return all, nil
}

// For is the run by which a member would get the broadcast; held: he is of those who get nothing. What more important sends hold back is
// not in it.
func (a *Ahead) For(memberID int64) (run reach.RunSpec, held bool, err error) {
	if run, err = spec(&a.Broadcast, ""); err != nil {
		return run, false, err
	}
	trial, err := trialOf(&a.Broadcast)
	if err != nil {
		return run, false, err
	}
	held, variant := trial.Group(memberID)
	if variant > 0 {
		run.Message = trial.Variants[variant-1].Message
	}
	return run, held, nil
}
