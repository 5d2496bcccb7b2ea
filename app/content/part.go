package content

import (
	"context"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/model"
)

// Part says what becomes of what a member read and watched. At a merge an article is read for the first time once, and a session is
// watched once: what the loser got for the second is taken back. It runs before the ledger's Part, while the loser still has his own lots.
func (s *Service) Part() member.Part {
	return member.Part{
		Name: "content", Merge: s.merge,
		Tables: []member.Table{
			{Row: &model.ArticleRead{}, Export: []string{"(SELECT title FROM articles WHERE id = article_id) AS article", "times", "seconds", "last_at"}, Erase: member.Keep},
			{Row: &model.ReadingClock{}, Hidden: "how far the seconds of reading were counted", Erase: member.Delete},
			{Row: &model.LiveVisit{}, Export: []string{"(SELECT title FROM live_sessions WHERE id = session_id) AS session", "since", "till"}, Erase: member.Delete},
			{Row: &model.LiveView{}, Export: []string{"(SELECT title FROM live_sessions WHERE id = session_id) AS session", "seconds", "reached_at"}, Erase: member.Keep},
		},
	}
}

func (s *Service) merge(ctx context.Context, tx *gorm.DB, m member.MergeOf) error {
	for _, step := range []func(context.Context, *gorm.DB, member.MergeOf) error{s.mergeReads, mergeClocks, s.mergeViews} {
		if err := step(ctx, tx, m); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) mergeReads(ctx context.Context, tx *gorm.DB, m member.MergeOf) error {
	var both []model.ArticleRead
	err := tx.Where("member_id = ? AND article_id IN (?)", m.Loser, tx.Model(&model.ArticleRead{}).Select("article_id").Where("member_id = ?", m.Winner)).
		Order("id").Find(&both).Error
	if err != nil {
		return err
	}
	for _, l := range both {
		var w model.ArticleRead
		if err := tx.Where("article_id = ? AND member_id = ?", l.ArticleID, m.Winner).Take(&w).Error; err != nil {
			return err
		}
		if w.Times > 0 && l.Times > 0 {
			if err := s.rewards.TakeBackTx(ctx, tx, m, []int64{l.FirstID}); err != nil {
				return err
			}
		}
		if w.Times == 0 {
			w.FirstID = l.FirstID
		}
		w.Times, w.Seconds = w.Times+l.Times, w.Seconds+l.Seconds
		if w.LastAt == nil || l.LastAt != nil && l.LastAt.After(*w.LastAt) {
			w.LastAt = l.LastAt
		}
		if err := tx.Delete(&l).Error; err != nil {
			return err
		}
		if err := tx.Save(&w).Error; err != nil {
			return err
		}
	}
	return member.Move(tx, "article_reads", m)
}

func mergeClocks(_ context.Context, tx *gorm.DB, m member.MergeOf) error {
	var rows []model.ReadingClock
	if err := tx.Where("member_id IN ?", []int64{m.Loser, m.Winner}).Order("till DESC").Find(&rows).Error; err != nil || len(rows) == 0 {
		return err
	}
	if err := tx.Where("member_id IN ?", []int64{m.Loser, m.Winner}).Delete(&model.ReadingClock{}).Error; err != nil {
		return err
	}
	c := rows[0]
	if len(rows) == 2 && rows[1].Day == c.Day {
		c.Seconds += rows[1].Seconds
	}
	c.MemberID = m.Winner
	return tx.Create(&c).Error
}

func (s *Service) mergeViews(ctx context.Context, tx *gorm.DB, m member.MergeOf) error {
	if err := member.Move(tx, "live_visits", m); err != nil {
		return err
	}
	var both []model.LiveView
	err := tx.Where("member_id = ? AND session_id IN (?)", m.Loser, tx.Model(&model.LiveView{}).Select("session_id").Where("member_id = ?", m.Winner)).
		Order("session_id").Find(&both).Error
	if err != nil {
		return err
	}
	for _, l := range both {
		var w model.LiveView
		if err := tx.Where("session_id = ? AND member_id = ?", l.SessionID, m.Winner).Take(&w).Error; err != nil {
			return err
		}
		if err := tx.Where("session_id = ? AND member_id = ?", l.SessionID, m.Loser).Delete(&model.LiveView{}).Error; err != nil {
			return err
		}
		switch {
		case w.ReachedAt == nil:
			w.ReachedAt, w.EventID = l.ReachedAt, l.EventID
		case l.ReachedAt != nil:
			if err := s.rewards.TakeBackTx(ctx, tx, m, []int64{l.EventID}); err != nil {
				return err
			}
		}
		session, err := live(tx, l.SessionID)
		if err != nil {
			return err
		}
		var visits []model.LiveVisit
		if err := tx.Where("session_id = ? AND member_id = ?", l.SessionID, m.Winner).Find(&visits).Error; err != nil {
			return err
		}
		w.Seconds = int64(union(visits, session.OpensAt, earlier(session.ClosesAt, m.At)).Seconds())
		err = tx.Where("session_id = ? AND member_id = ?", w.SessionID, w.MemberID).Select("Seconds", "ReachedAt", "EventID").Updates(&w).Error
		if err != nil {
			return err
		}
	}
	return member.Move(tx, "live_views", m)
}
