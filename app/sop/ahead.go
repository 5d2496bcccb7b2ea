package sop

import (
	"context"
	"fmt"
	"time"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/model"
)

// Ahead is what an active SOP will do at an instant.
type Ahead struct {
	SOP    *model.SOP
	At     time.Time
	People int64 // before a step that is due that day, At being the first of them; 0: its clock lets people in
}

// Ahead are the days of [from, to) on which members are due at a step, as they stand now, and the firings of entries by the clock.
func (s *Service) Ahead(ctx context.Context, from, to model.Day) (all []Ahead, err error) {
	r := s.DB.Reader(ctx)
	set, err := s.load(r)
	if err != nil {
		return nil, err
	}
	for _, p := range set.list {
		if p.State != model.SOPActive {
			continue
		}
		if p.NextAt != nil {
			for _, at := range clock.Firings(p.def().Entry.Cron, s.Zone, *p.NextAt, s.Zone.Start(to), 366) {
				all = append(all, Ahead{SOP: &p.SOP, At: at})
			}
		}
		for day := from; day < to; day = day.Add(1) {
			var due struct {
				People int64
				First  *time.Time
			}
			err := r.Model(&model.SOPEnrolment{}).Select("COUNT(*) AS people, MIN(due_at) AS first").
				Where("sop_id = ? AND due_at >= ? AND due_at < ?", p.ID, s.Zone.Start(day), s.Zone.End(day)).Scan(&due).Error
			if err != nil {
				return nil, fmt.Errorf("sop: ahead: %w", err)
			}
			if due.People > 0 {
				all = append(all, Ahead{&p.SOP, *due.First, due.People})
			}
		}
	}
	return all, nil
}
