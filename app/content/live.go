package content

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// SaveLive makes a session (ID 0) or changes one.
func (s *Service) SaveLive(ctx context.Context, l model.LiveSession) (*model.LiveSession, error) {
	if err := check(&l.Title, &l.URL, l.MinSeconds); err != nil {
		return nil, err
	}
	if !l.OpensAt.Before(l.ClosesAt) {
		return nil, errs.Field("closes_at", "content.closes_at")
	}
	out, err := db.Do(ctx, s.db, func(_ context.Context, tx *gorm.DB) (model.LiveSession, error) {
		row := l
		row.CreatedAt = s.clock.Now()
		if row.ID != 0 {
			old, err := live(tx, row.ID)
			if err != nil {
				return row, err
			}
			row.CreatedAt = old.CreatedAt
		}
		return row, tx.Save(&row).Error
	})
	return &out, err
}

func live(tx *gorm.DB, id int64) (*model.LiveSession, error) {
	var l model.LiveSession
	if err := tx.Take(&l, id).Error; errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, errs.New(errs.NotFound, "content.no_live")
	} else if err != nil {
		return nil, fmt.Errorf("content: live: %w", err)
	}
	return &l, nil
}

// LiveView is a session with its figures.
type LiveView struct {
	model.LiveSession
	Viewers int64
	Reached int64 // who watched long enough
}

// Live reads one session.
func (s *Service) Live(ctx context.Context, id int64) (*LiveView, error) {
	tx := s.db.Reader(ctx)
	l, err := live(tx, id)
	if err != nil {
		return nil, err
	}
	views, err := withViewers(tx, []model.LiveSession{*l})
	if err != nil {
		return nil, err
	}
	return &views[0], nil
}

// Lives lists the last sessions, the newest window first.
func (s *Service) Lives(ctx context.Context, limit int) ([]LiveView, error) {
	tx := s.db.Reader(ctx)
	var rows []model.LiveSession
	if err := tx.Order("opens_at DESC, id DESC").Limit(limit).Find(&rows).Error; err != nil {
		return nil, err
	}
	return withViewers(tx, rows)
}

func withViewers(tx *gorm.DB, rows []model.LiveSession) ([]LiveView, error) {
	views, at := make([]LiveView, len(rows)), map[int64]*LiveView{}
	ids := make([]int64, len(rows))
	for i, l := range rows {
		views[i].LiveSession, ids[i], at[l.ID] = l, l.ID, &views[i]
	}
	var sums []struct{ SessionID, Viewers, Reached int64 }
	err := tx.Model(&model.LiveView{}).Select("session_id, COUNT(*) AS viewers, COUNT(reached_at) AS reached").
		Where("session_id IN ? AND seconds > 0", ids).Group("session_id").Scan(&sums).Error
	for _, n := range sums {
		at[n.SessionID].Viewers, at[n.SessionID].Reached = n.Viewers, n.Reached
	}
	return views, err
}

// ToWatch is a session as a member sees it.
type ToWatch struct {
	model.LiveSession
	Seconds int64 // that he watched
	Reached bool
}

// ToWatch lists the enabled sessions that are open or will be, for a member, the next first.
func (s *Service) ToWatch(ctx context.Context, memberID int64, limit int) ([]ToWatch, error) {
	tx := s.db.Reader(ctx)
	var rows []model.LiveSession
	if err := tx.Where("enabled = ? AND closes_at > ?", true, s.clock.Now()).Order("opens_at, id").Limit(limit).Find(&rows).Error; err != nil {
		return nil, err
	}
	out, at := make([]ToWatch, len(rows)), map[int64]*ToWatch{}
	ids := make([]int64, len(rows))
	for i, l := range rows {
		out[i].LiveSession, ids[i], at[l.ID] = l, l.ID, &out[i]
	}
	var seen []model.LiveView
	err := tx.Where("member_id = ? AND session_id IN ?", memberID, ids).Find(&seen).Error
	for _, v := range seen {
		at[v.SessionID].Seconds, at[v.SessionID].Reached = v.Seconds, v.ReachedAt != nil
	}
	return out, err
}
