package reach

import (
	"cmp"
	"context"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/model"
)

// Now is what a source knows of a person right before he is sent to.
type Now struct {
	Gone   bool              // the run has become pointless for him since it was frozen: he is skipped
	Reason string            // of Gone: Condition, the default, or Exited
	Values map[string]string // of the variables that only this source knows
}

// Rechecker says what is true now of the people of a run, who are locked.
type Rechecker func(ctx context.Context, tx *gorm.DB, run *model.Run, ids []int64) (map[int64]Now, error)

// Recheck registers the question that runs of a source ask about everybody right before he is sent to. It is called while the app is built.
func (s *Service) Recheck(source string, ask Rechecker) {
	if s.recheck == nil {
		s.recheck = map[string]Rechecker{}
	}
	s.recheck[source] = ask
}

// markNow asks about the people of a batch.
func (s *Service) markNow(ctx context.Context, tx *gorm.DB, run *model.Run, all map[int64]*person) error {
	ask := s.recheck[run.Source]
	if ask == nil {
		return nil
	}
	ids := make([]int64, 0, len(all))
	for _, p := range all {
		ids = append(ids, p.who)
	}
	now, err := ask(ctx, tx, run, ids)
	for _, p := range all {
		p.is(now[p.who])
	}
	return err
}

// is takes in what the source of the run knows of the person.
func (p *person) is(now Now) {
	if p.gone, p.values = "", now.Values; now.Gone {
		p.gone = cmp.Or(now.Reason, Condition)
	}
}
