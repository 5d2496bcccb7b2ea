package channel

import (
	"context"
	"fmt"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// Visits counts what came by a code.
type Visits struct {
	New        int64 `json:"new"`        // followed for the first time
	Returning  int64 `json:"returning"`  // followed again
	Scans      int64 `json:"scans"`      // scanned as followers
	Registered int64 `json:"registered"` // by first touch
}

func (v *Visits) add(kind string, n int64) {
	switch kind {
	case model.VisitNew:
		v.New += n
	case model.VisitReturning:
		v.Returning += n
	case model.VisitScan:
		v.Scans += n
	case model.VisitRegistered:
		v.Registered += n
	}
}

// View is a code with what came by it.
type View struct {
	model.ChannelCode
	Visits
}

// List lists the codes with what came by them.
func (s *Service) List(ctx context.Context) ([]View, error) {
	tx := s.db.Reader(ctx)
	var codes []model.ChannelCode
	if err := tx.Order("id").Find(&codes).Error; err != nil {
		return nil, err
	}
	var counts []struct {
		ChannelID int64
		Kind      string
		N         int64
	}
	err := tx.Model(&model.ChannelVisit{}).Select("channel_id, kind, COUNT(*) AS n").Group("channel_id, kind").Scan(&counts).Error
	if err != nil {
		return nil, err
	}
	views := make([]View, len(codes))
	byID := map[int64]*View{}
	for i, c := range codes {
		views[i] = View{ChannelCode: c}
		byID[c.ID] = &views[i]
	}
	for _, c := range counts {
		if v := byID[c.ChannelID]; v != nil {
			v.add(c.Kind, c.N)
		}
	}
	return views, nil
}

// Get reads one code with what came by it.
func (s *Service) Get(ctx context.Context, id int64) (*View, error) {
	views, err := s.List(ctx)
	if err != nil {
		return nil, err
	}
	for i := range views {
		if views[i].ID == id {
			return &views[i], nil
		}
	}
	return nil, errs.New(errs.NotFound, "channel.not_found")
}

// DayVisits is what came by a code on a day.
type DayVisits struct {
	Day model.Day
	Visits
}

// maxDays bounds a report.
const maxDays = 366

// Days counts what came by a code on each day from ≤ d ≤ to of the zone; a day without visits is there with zeros.
func (s *Service) Days(ctx context.Context, zone clock.Zone, id int64, from, to model.Day) ([]DayVisits, error) {
	n := to.Sub(from) + 1
	if n < 1 || n > maxDays {
		return nil, errs.Field("from", "channel.days", "limit", maxDays)
	}
	days := make([]DayVisits, n)
	for i := range days {
		days[i].Day = from.Add(i)
	}
	var counts []struct {
		Slot int64
		Kind string
		N    int64
	}
	r := s.db.Reader(ctx)
	err := r.Model(&model.ChannelVisit{}).Select(db.Slot(r, "at")+" AS slot, kind, COUNT(*) AS n").
		Where("channel_id = ? AND at >= ? AND at < ?", id, zone.Start(from), zone.End(to)).Group("slot, kind").Scan(&counts).Error
	if err != nil {
		return nil, fmt.Errorf("channel: days: %w", err)
	}
	for _, c := range counts {
		days[zone.DayOf(db.SlotStart(c.Slot)).Sub(from)].add(c.Kind, c.N)
	}
	return days, nil
}
