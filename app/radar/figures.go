package radar

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/model"
)

// Figures are the numbers of a link. Opens, seconds and forwards are everybody's; the others count people.
type Figures struct {
	Delivered, Opened       int64 // members
	Opens, Seconds          int64
	Forwards                int64
	Visitors, Known         int64 // who came by what another held; of them those who are known by now
	High, Medium, Low, None int64 // members by grade; None: opened, and too little for any
}

// View is a link with its figures.
type View struct {
	model.RadarLink
	Figures
}

// Get reads a link.
func (s *Service) Get(ctx context.Context, id int64) (*View, error) {
	tx := s.DB.Reader(ctx)
	l, err := link(tx, id)
	if err != nil {
		return nil, err
	}
	views, err := withFigures(tx, []model.RadarLink{*l})
	if err != nil {
		return nil, err
	}
	return &views[0], nil
}

// List lists the last links, the newest first.
func (s *Service) List(ctx context.Context, limit int) ([]View, error) {
	tx := s.DB.Reader(ctx)
	var rows []model.RadarLink
	if err := tx.Order("id DESC").Limit(limit).Find(&rows).Error; err != nil {
		return nil, err
	}
	return withFigures(tx, rows)
}

// visited restricts openings v to those of visitors: by a share s that is not the viewer's own.
const visited = "(v.member_id = 0 OR v.member_id <> s.member_id) AND NOT (v.visitor_id <> 0 AND v.visitor_id = s.visitor_id)"

// person tells viewers apart: a member, or a browser.
const person = "CASE WHEN v.member_id > 0 THEN v.member_id ELSE -v.visitor_id END"

func withFigures(tx *gorm.DB, rows []model.RadarLink) ([]View, error) {
	views, at, ids := make([]View, len(rows)), map[int64]*Figures{}, make([]int64, len(rows))
	for i, l := range rows {
		views[i].RadarLink, ids[i], at[l.ID] = l, l.ID, &views[i].Figures
	}
	var sums []struct {
		LinkID int64
		Figures
	}
	read := func(q *gorm.DB, take func(f *Figures, n Figures)) error {
		sums = sums[:0]
		if err := q.Scan(&sums).Error; err != nil {
			return fmt.Errorf("radar: figures: %w", err)
		}
		for _, n := range sums {
			take(at[n.LinkID], n.Figures)
		}
		return nil
	}
	err := read(tx.Model(&model.RadarSend{}).Select("link_id, COUNT(DISTINCT member_id) AS delivered").Where("link_id IN ?", ids).Group("link_id"),
		func(f *Figures, n Figures) { f.Delivered = n.Delivered })
	if err != nil {
		return nil, err
	}
	err = read(tx.Model(&model.RadarView{}).Select("link_id, COUNT(*) AS opens, SUM(seconds) AS seconds, SUM(forwards) AS forwards").Where("link_id IN ?", ids).Group("link_id"),
		func(f *Figures, n Figures) { f.Opens, f.Seconds, f.Forwards = n.Opens, n.Seconds, n.Forwards })
	if err != nil {
		return nil, err
	}
	err = read(tx.Model(&model.RadarReader{}).Select("link_id, SUM(CASE WHEN opens > 0 THEN 1 ELSE 0 END) AS opened, SUM(CASE grade WHEN 'high' THEN 1 ELSE 0 END) AS high, "+
		"SUM(CASE grade WHEN 'medium' THEN 1 ELSE 0 END) AS medium, SUM(CASE grade WHEN 'low' THEN 1 ELSE 0 END) AS low, SUM(CASE WHEN grade = '' AND opens > 0 THEN 1 ELSE 0 END) AS none").
		Where("link_id IN ?", ids).Group("link_id"),
		func(f *Figures, n Figures) {
			f.Opened, f.High, f.Medium, f.Low, f.None = n.Opened, n.High, n.Medium, n.Low, n.None
		})
	if err != nil {
		return nil, err
	}
	return views, read(visits(tx, "v.link_id IN ?", ids).Select("v.link_id, COUNT(DISTINCT "+person+") AS visitors, COUNT(DISTINCT CASE WHEN v.member_id > 0 THEN v.member_id END) AS known").Group("v.link_id"),
		func(f *Figures, n Figures) { f.Visitors, f.Known = n.Visitors, n.Known })
}

// visits are the openings of visitors.
func visits(tx *gorm.DB, where string, args ...any) *gorm.DB {
	return tx.Table("radar_views AS v").Joins("JOIN radar_shares AS s ON s.id = v.share_id").Where(visited).Where(where, args...)
}

// SendFigures are those of one send of a link.
type SendFigures struct {
	RunID             int64
	At                time.Time
	Delivered, Opened int64 // members; opened from what this send brought
}

// Sends lists the last sends of a link, the newest first.
func (s *Service) Sends(ctx context.Context, linkID int64, limit int) ([]SendFigures, error) {
	tx := s.DB.Reader(ctx)
	var rows []struct {
		RunID, Delivered, Opened int64
	}
	opened := tx.Table("radar_views AS v").Select("1").Joins("JOIN radar_shares AS s ON s.id = v.share_id").
		Where("v.link_id = d.link_id AND v.member_id = d.member_id AND s.run_id = d.run_id AND s.parent_id = 0")
	err := tx.Table("radar_sends AS d").Select("d.run_id, COUNT(*) AS delivered, SUM(CASE WHEN EXISTS (?) THEN 1 ELSE 0 END) AS opened", opened).
		Where("d.link_id = ?", linkID).Group("d.run_id").Order("d.run_id DESC").Limit(limit).Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("radar: sends: %w", err)
	}
	out := make([]SendFigures, len(rows))
	for i, r := range rows {
		var first model.RadarSend
		if err := tx.Where("link_id = ? AND run_id = ?", linkID, r.RunID).Order("at").Limit(1).Find(&first).Error; err != nil {
			return nil, fmt.Errorf("radar: sends: %w", err)
		}
		out[i] = SendFigures{RunID: r.RunID, At: first.At, Delivered: r.Delivered, Opened: r.Opened}
	}
	return out, nil
}
