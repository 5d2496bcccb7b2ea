// Package report computes read-only figures over the tables of all capabilities.
package report

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/model"
)

// Service reads. It writes nothing.
type Service struct {
	db    *db.DB
	clock clock.Clock
	zone  clock.Zone
}

// New returns the service.
func New(d *db.DB, c clock.Clock, z clock.Zone) *Service { return &Service{db: d, clock: c, zone: z} }

// Board is what an operator looks at first. Today is the programme's calendar day.
type Board struct {
	Members    int64 // registered, the merged ones not counted
	Followers  int64 // people who follow an official account now
	Joined     int64 // today
	Followed   int64 // today
	Unfollowed int64 // today
	Checkins   int64 // today
	Answers    int64 // to quizzes, today
	Points     int64 // earned today
	Backlog
}

// Backlog is what waits, and what was given up. Each has an index: it is cheap to ask.
type Backlog struct {
	FailedPushes  int64 // can be replayed
	PendingPushes int64 // stored, not run yet
	ParkedOutbox  int64 // given up after many attempts
	PendingOutbox int64
}

// Backlog counts what waits.
func (s *Service) Backlog(ctx context.Context) (b Backlog, err error) {
	r := s.db.Reader(ctx)
	err = count([]figure{
		{&b.FailedPushes, r.Model(&model.Inbox{}).Where("state = ?", model.InboxFailed)},
		{&b.PendingPushes, r.Model(&model.Inbox{}).Where("state = ?", model.InboxPending)},
		{&b.ParkedOutbox, r.Model(&model.Outbox{}).Where("state = ?", model.OutboxParked)},
		{&b.PendingOutbox, r.Model(&model.Outbox{}).Where("state = ?", model.OutboxPending)},
	})
	return b, err
}

type figure struct {
	into *int64
	from *gorm.DB
}

func count(figures []figure) error {
	for _, f := range figures {
		if err := f.from.Count(f.into).Error; err != nil {
			return fmt.Errorf("report: count: %w", err)
		}
	}
	return nil
}

// Board counts: how many people there are by people, which knows them by heart, and what happened today by the events.
func (s *Service) Board(ctx context.Context, people func(context.Context, condition.Tree) (int64, error)) (b Board, err error) {
	today := s.zone.DayOf(s.clock.Now())
	from, to := s.zone.Start(today), s.zone.End(today)
	r := s.db.Reader(ctx)
	if b.Backlog, err = s.Backlog(ctx); err != nil {
		return b, err
	}
	for field, into := range map[string]*int64{"joined": &b.Members, "follower": &b.Followers} {
		if *into, err = people(ctx, condition.Is("member", map[string]any{"field": field, "value": true})); err != nil {
			return b, fmt.Errorf("report: count: %w", err)
		}
	}
	begin, err := first(r, "events", from)
	if err != nil {
		return b, err
	}
	var rows []struct {
		Kind    string
		N       int64
		Members int64
	}
	err = r.Model(&model.Event{}).Select("kind, COUNT(*) AS n, COUNT(DISTINCT member_id) AS members").
		Where("id >= ? AND occurred_at >= ? AND occurred_at < ?", begin, from, to).Group("kind").Scan(&rows).Error
	if err != nil {
		return b, fmt.Errorf("report: today: %w", err)
	}
	for _, row := range rows {
		switch row.Kind {
		case model.EventRegistered:
			b.Joined = row.Members
		case model.EventFollowed:
			b.Followed = row.Members
		case model.EventUnfollowed:
			b.Unfollowed = row.Members
		case model.EventCheckin:
			b.Checkins = row.N
		case model.EventQuiz:
			b.Answers = row.N
		}
	}
	if begin, err = first(r, "entries", from); err != nil {
		return b, err
	}
	err = r.Model(&model.Entry{}).Select("COALESCE(SUM(delta), 0)").
		Where("id >= ? AND account = ? AND kind = ? AND recorded_at >= ? AND recorded_at < ?", begin, model.AccountPoints, model.EntryEarn, from, to).Scan(&b.Points).Error
	if err != nil {
		return b, fmt.Errorf("report: points today: %w", err)
	}
	return b, nil
}

// Events are the last things that a member did, newest first.
func (s *Service) Events(ctx context.Context, memberID int64, limit int) ([]model.Event, error) {
	var rows []model.Event
	err := s.db.Reader(ctx).Where("member_id = ?", memberID).Order("occurred_at DESC, id DESC").Limit(limit).Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("report: events of member %d: %w", memberID, err)
	}
	return rows, nil
}

// Parked are the outbox rows that were given up, newest first.
func (s *Service) Parked(ctx context.Context, limit int) ([]Parked, error) {
	var rows []Parked
	err := s.db.Reader(ctx).Table("outboxes").Select("outboxes.*, events.kind, events.occurred_at").
		Joins("JOIN events ON events.id = outboxes.event_id").Where("outboxes.state = ?", model.OutboxParked).
		Order("outboxes.id DESC").Limit(limit).Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("report: parked outbox: %w", err)
	}
	return rows, nil
}

// Parked is an outbox row that was given up, with its event.
type Parked struct {
	model.Outbox
	Kind       string
	OccurredAt time.Time
}
