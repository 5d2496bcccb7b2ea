package tier

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/model"
)

// Act is something that a member does every month.
type Act struct {
	Kind  string
	Times int64
	Data  model.JSON // of the event: what rules read
}

// Pace is how fast somebody rises who does certain things every month.
type Pace struct {
	PerMonth int64
	Tiers    []Reach
}

// Reach is the month in which a tier is reached, counted from 1; 0 = at once, −1 = never.
type Reach struct {
	Tier  Tier
	Month int64
}

// maxActs bounds a simulation.
const maxActs = 20

// Simulate says in which month each tier is reached by who does the acts every month, by the rules as they are for somebody new. Each act
// is asked once, by itself: caps over several acts are not counted.
func (s *Service) Simulate(ctx context.Context, acts []Act) (*Pace, error) {
	if len(acts) == 0 || len(acts) > maxActs {
		return nil, errs.Field("acts", "tier.acts", "limit", maxActs)
	}
	p := &Pace{}
	err := s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		*p = Pace{}
		l, err := s.ladder(tx)
		if err != nil {
			return err
		}
		for i, a := range acts {
			n, err := s.actGives(ctx, tx, l.Settings.Account, fmt.Sprintf("acts[%d]", i), a)
			if err != nil {
				return err
			}
			p.PerMonth += n * a.Times
		}
		for _, t := range l.Tiers {
			p.Tiers = append(p.Tiers, Reach{t, month(t.Threshold, p.PerMonth)})
		}
		return errAsked // nothing is kept
	})
	if errors.Is(err, errAsked) {
		err = nil
	}
	return p, err
}

var errAsked = errors.New("tier: a simulation writes nothing")

func (s *Service) actGives(ctx context.Context, tx *gorm.DB, account, at string, a Act) (n int64, err error) {
	if !event.Known(a.Kind) {
		return 0, errs.Field(at+".event", "event.unknown_kind", "kind", a.Kind)
	}
	if a.Times < 1 || a.Times > 10_000 {
		return 0, errs.Field(at+".times", "tier.times", "limit", 10_000)
	}
	if len(a.Data) == 0 {
		a.Data = model.JSON("{}")
	}
	grants, _, err := s.Rewards.ForecastTx(ctx, tx, &model.Event{Kind: a.Kind, OccurredAt: s.Clock.Now(), Data: a.Data, Joined: true})
	for _, g := range grants {
		if g.Account == account {
			n += g.Amount
		}
	}
	return n, err
}

// month is ⌈threshold ÷ perMonth⌉.
func month(threshold, perMonth int64) int64 {
	switch {
	case threshold <= 0:
		return 0
	case perMonth <= 0:
		return -1
	}
	return (threshold + perMonth - 1) / perMonth
}
