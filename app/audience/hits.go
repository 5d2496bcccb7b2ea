package audience

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/model"
)

// maxHits bounds how many events of a day are looked at.
const maxHits = 20_000

var errEnough = errors.New("audience: enough events")

// Hits is how many members a rule would tag: what an operator reads before he saves it.
type Hits struct {
	Members int64
	OnEvent bool // of a rule on single events: those whose event of today it would have been
	Partly  bool // today has more events than were looked at
}

// Hits counts them. It refuses what condition.Registry.Check refuses.
func (s *Service) Hits(ctx context.Context, t condition.Tree) (out Hits, err error) {
	if out.OnEvent = s.conditions.EventScoped(t); !out.OnEvent {
		out.Members, err = s.Count(ctx, t)
		return out, err
	}
	tx := s.db.Reader(ctx)
	if err := s.conditions.Check(ctx, tx, t); err != nil {
		return out, err
	}
	now := s.clock.Now()
	q := tx.Where("occurred_at >= ?", s.zone.Start(s.zone.DayOf(now)))
	if kinds := s.conditions.Triggers(t); len(kinds) > 0 && kinds[0] != condition.AnyEvent {
		q = q.Where("kind IN ?", kinds)
	}
	var events []model.Event
	hit, seen := map[int64]bool{}, 0
	err = q.FindInBatches(&events, 500, func(*gorm.DB, int) error {
		for i := range events {
			ev := &events[i]
			if seen++; hit[ev.MemberID] {
				continue
			}
			v, _, err := s.conditions.Eval(ctx, tx, &condition.Subject{MemberID: ev.MemberID, At: now, Event: ev}, t)
			if err != nil {
				return err
			}
			if v.Holds {
				hit[ev.MemberID] = true
			}
		}
		if seen >= maxHits {
			return errEnough
		}
		return nil
	}).Error
	out.Members, out.Partly = int64(len(hit)), errors.Is(err, errEnough)
	if err != nil && !out.Partly {
		return out, fmt.Errorf("audience: hits: %w", err)
	}
	return out, nil
}
