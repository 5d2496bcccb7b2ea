package reach

import (
	"context"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/model"
)

// Rechecker says which of the people, who are locked, a run has become pointless for since it was frozen.
type Rechecker func(ctx context.Context, tx *gorm.DB, run *model.Run, ids []int64) (gone map[int64]bool, err error)

// Recheck registers the question that runs of a source ask about everybody right before he is sent to: who is gone is skipped as
// CONDITION. It is called while the app is built.
func (s *Service) Recheck(source string, ask Rechecker) {
	if s.recheck == nil {
		s.recheck = map[string]Rechecker{}
	}
	s.recheck[source] = ask
}

// markGone asks about the people of a batch.
func (s *Service) markGone(ctx context.Context, tx *gorm.DB, run *model.Run, all map[int64]*person) error {
	ask := s.recheck[run.Source]
	if ask == nil {
		return nil
	}
	ids := make([]int64, 0, len(all))
	for _, p := range all {
		ids = append(ids, p.who)
	}
	gone, err := ask(ctx, tx, run, ids)
	for _, p := range all {
		p.gone = gone[p.who]
	}
	return err
}
