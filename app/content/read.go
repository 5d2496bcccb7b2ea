package content

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/model"
)

const (
	maxRead = 30 * time.Minute // that one reading counts
	daily   = 2 * 3600         // seconds of a member and day
)

// Read is what starting or finishing a reading answers.
type Read struct {
	ArticleID  int64         `json:"article_id,string"`
	MinSeconds int           `json:"min_seconds"`
	StartedAt  time.Time     `json:"started_at"`
	Seconds    int64         `json:"seconds"` // counted
	Times      int           `json:"times"`
	Grants     []event.Grant `json:"grants"`
}

// Start begins a reading. One that began not long ago goes on: tabs of one article share it.
func (s *Service) Start(ctx context.Context, memberID, articleID int64) (*Read, error) {
	r, err := db.Do(ctx, s.db, func(_ context.Context, tx *gorm.DB) (Read, error) {
		now := s.clock.Now()
		a, row, err := s.readTx(tx, memberID, articleID, now)
		if err != nil {
			return Read{}, err
		}
		if row.StartedAt == nil || row.StartedAt.Before(now.Add(-maxRead)) {
			row.StartedAt = &now
			if err := tx.Model(row).Update("started_at", now).Error; err != nil {
				return Read{}, fmt.Errorf("content: start: %w", err)
			}
		}
		return Read{ArticleID: a.ID, MinSeconds: a.MinSeconds, StartedAt: *row.StartedAt, Times: row.Times}, nil
	})
	return &r, err
}

// readTx locks the member and finds his row of an enabled article, or makes it.
func (s *Service) readTx(tx *gorm.DB, memberID, articleID int64, now time.Time) (*model.Article, *model.ArticleRead, error) {
	memberID, err := s.members.ActTx(tx, memberID, now, true)
	if err != nil {
		return nil, nil, err
	}
	a, err := article(tx, articleID)
	if err != nil {
		return nil, nil, err
	}
	if !a.Enabled {
		return nil, nil, errs.New(errs.NotFound, "content.no_article")
	}
	row := &model.ArticleRead{ArticleID: a.ID, MemberID: memberID}
	dup, err := db.Insert(tx, row)
	if dup {
		row = &model.ArticleRead{}
		err = tx.Where("article_id = ? AND member_id = ?", a.ID, memberID).Take(row).Error
	}
	if err != nil {
		return nil, nil, fmt.Errorf("content: read: %w", err)
	}
	return a, row, nil
}

// Finish ends a reading. It counts the seconds since it began, as far as they were not counted for another article; claimed, what the
// client measured, can only make them fewer. Too few are errs.ThresholdNotMet, and the reading goes on; with nothing left of the day's
// seconds it is errs.LimitReached.
func (s *Service) Finish(ctx context.Context, memberID, articleID int64, claimed *int64) (*Read, error) {
	r, err := db.Do(ctx, s.db, func(ctx context.Context, tx *gorm.DB) (Read, error) {
		now := s.clock.Now()
		a, row, err := s.readTx(tx, memberID, articleID, now)
		if err != nil {
			return Read{}, err
		}
		if row.StartedAt == nil {
			return Read{}, errs.New(errs.Conflict, "content.not_started")
		}
		seconds, err := s.countTx(tx, a, row, claimed, now)
		if err != nil {
			return Read{}, err
		}
		return s.finishedTx(ctx, tx, a, row, seconds, now)
	})
	return &r, err
}

// countTx moves the member's reading clock on to now and returns the seconds that count for the reading.
func (s *Service) countTx(tx *gorm.DB, a *model.Article, row *model.ArticleRead, claimed *int64, now time.Time) (int64, error) {
	today := s.zone.DayOf(now)
	c := model.ReadingClock{MemberID: row.MemberID, Till: *row.StartedAt, Day: today}
	var rows []model.ReadingClock
	if err := tx.Where("member_id = ?", row.MemberID).Find(&rows).Error; err != nil {
		return 0, fmt.Errorf("content: clock: %w", err)
	}
	if len(rows) > 0 {
		if rows[0].Till.After(c.Till) {
			c.Till = rows[0].Till
		}
		if rows[0].Day == today {
			c.Seconds = rows[0].Seconds
		}
	}
	seconds := clock.Seconds(c.Till, now, maxRead, claimed)
	least := int64(a.MinSeconds)
	if seconds < least {
		return 0, errs.New(errs.ThresholdNotMet, "content.too_short", "short_by", least-seconds, "seconds", seconds)
	}
	if seconds = min(seconds, daily-c.Seconds); seconds < least {
		return 0, errs.New(errs.LimitReached, "content.enough_today", "limit", daily, "opens_at", s.zone.In(s.zone.End(today)))
	}
	c.Till, c.Seconds = now, c.Seconds+seconds
	if err := tx.Save(&c).Error; err != nil {
		return 0, fmt.Errorf("content: clock: %w", err)
	}
	return seconds, nil
}

// source numbers the events by the row and the times.
const source = "article"

func (s *Service) finishedTx(ctx context.Context, tx *gorm.DB, a *model.Article, row *model.ArticleRead, seconds int64, now time.Time) (Read, error) {
	r := Read{ArticleID: a.ID, MinSeconds: a.MinSeconds, StartedAt: *row.StartedAt, Seconds: seconds, Times: row.Times + 1}
	ev := &model.Event{
		MemberID: row.MemberID, Kind: model.EventArticle, Source: source, Key: fmt.Sprint(row.ID, ":", r.Times), OccurredAt: now, Joined: true,
		Data: model.ToJSON(map[string]any{
			"article_id": fmt.Sprint(a.ID), "article": a.Title, "seconds": seconds, "minutes": seconds / 60, "times": r.Times, "first": r.Times == 1,
		}),
	}
	var err error
	if r.Grants, err = s.events.RecordTx(ctx, tx, ev); err != nil {
		return r, err
	}
	if r.Times == 1 {
		row.FirstID = ev.ID
	}
	row.StartedAt, row.Times, row.Seconds, row.LastAt = nil, r.Times, row.Seconds+seconds, &now
	return r, tx.Save(row).Error
}
