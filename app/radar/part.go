package radar

import (
	"context"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/model"
)

// Part says what becomes of a member's rows. At a merge what both did with a link adds up, and the higher grade stays; it is no news, so
// no event.
func (s *Service) Part() member.Part {
	const name = "(SELECT name FROM radar_links WHERE id = link_id) AS link"
	return member.Part{
		Name: "radar", Merge: merge,
		Tables: []member.Table{
			{Row: &model.RadarSend{}, Export: []string{name, "at"}, Erase: member.Keep},
			{Row: &model.RadarShare{}, Undo: member.Return, Export: []string{name, "at"}, Erase: member.Keep},
			{Row: &model.RadarVisitor{}, Undo: member.Return, Hidden: "browsers in which links were opened", Erase: member.Delete},
			{Row: &model.RadarView{}, Undo: member.Return, Export: []string{name, "opened_at", "seconds", "forwards"}, Erase: member.Keep},
			{
				Row: &model.RadarReader{}, Counters: []string{"opens", "seconds", "forwards"}, Export: []string{name, "opens", "seconds", "forwards", "grade", "graded_at"},
				Erase: member.Keep,
			},
		},
	}
}

func merge(_ context.Context, tx *gorm.DB, m member.MergeOf) error {
	for _, table := range []string{"radar_shares", "radar_visitors", "radar_views"} {
		if err := member.Move(tx, table, m); err != nil {
			return err
		}
	}
	var sends []model.RadarSend
	if err := tx.Where("member_id = ?", m.Loser).Find(&sends).Error; err != nil {
		return err
	}
	if err := tx.Where("member_id = ?", m.Loser).Delete(&model.RadarSend{}).Error; err != nil {
		return err
	}
	for _, row := range sends {
		row.MemberID = m.Winner
		if _, err := db.Insert(tx, &row); err != nil { // a duplicate: both got it
			return err
		}
	}
	var readers []model.RadarReader
	if err := tx.Where("member_id = ?", m.Loser).Find(&readers).Error; err != nil {
		return err
	}
	if err := tx.Where("member_id = ?", m.Loser).Delete(&model.RadarReader{}).Error; err != nil {
		return err
	}
	for _, l := range readers {
		w, err := reader(tx, l.LinkID, m.Winner)
		if err != nil {
			return err
		}
		w.Opens, w.Seconds, w.Forwards = w.Opens+l.Opens, w.Seconds+l.Seconds, w.Forwards+l.Forwards
		if model.RadarRank(l.Grade) > model.RadarRank(w.Grade) {
			w.Grade, w.GradedAt = l.Grade, l.GradedAt
		}
		if w.LastAt == nil || l.LastAt != nil && l.LastAt.After(*w.LastAt) {
			w.LastAt = l.LastAt
		}
		if err := save(tx, w); err != nil {
			return err
		}
	}
	return nil
}
