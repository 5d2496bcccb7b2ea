// Package report computes figures over the tables of all capabilities. It writes none but its own, of the days that are over.
package report

import (
	"context"
	"fmt"
	"sync"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/model"
)

// Service reads.
type Service struct {
	db    *db.DB
	clock clock.Clock
	zone  clock.Zone
	book  *ledger.Book

	mu   sync.Mutex // guards what follows
	days map[model.Day]*counted
}

// New returns the service.
func New(d *db.DB, c clock.Clock, z clock.Zone) *Service {
	return &Service{db: d, clock: c, zone: z, book: ledger.New(d, c, z), days: map[model.Day]*counted{}}
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

// Waits is what waits for an operator.
type Waits struct {
	FailedJobs int64 // whose last run failed
	Risks      int64 // that nobody looked at
	Grants     int64 // for a second operator
}

// Waits counts what waits for an operator.
func (s *Service) Waits(ctx context.Context) (w Waits, err error) {
	r := s.db.Reader(ctx)
	err = count([]figure{
		{&w.FailedJobs, r.Model(&model.Job{}).Where("state = ?", model.JobFailed)},
		{&w.Risks, r.Model(&model.Risk{}).Where("done_at IS NULL")},
		{&w.Grants, r.Model(&model.GrantRequest{}).Where("state = ?", model.GrantWaiting)},
	})
	return w, err
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
