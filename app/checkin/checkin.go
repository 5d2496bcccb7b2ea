// Package checkin owns check-ins: one per member and day, streaks, days that are made up, and the month as a calendar.
package checkin

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/reward"
	"github.com/siyu-scrm/siyu/model"
)

// Service is the use cases of check-ins.
type Service struct {
	db      *db.DB
	clock   clock.Clock
	zone    clock.Zone
	events  *event.Log
	members *member.Service
	rewards *reward.Service
	book    *ledger.Book
}

// New returns the service.
func New(d *db.DB, c clock.Clock, z clock.Zone, events *event.Log, members *member.Service, rewards *reward.Service, book *ledger.Book) *Service {
	return &Service{db: d, clock: c, zone: z, events: events, members: members, rewards: rewards, book: book}
}

// Result is what a check-in answers.
type Result struct {
	Day      model.Day     `json:"day"`
	Streak   int           `json:"streak"`   // days in a row, this one included
	Grants   []event.Grant `json:"grants"`   // what it earned, by which rule
	Tomorrow []event.Grant `json:"tomorrow"` // what tomorrow's would earn, by the rules of now
	Next     *reward.Step  `json:"next"`     // in so many more days the streak earns so many points; nil: nothing ahead
}

// source numbers the events by the row of the day.
const source = "checkin"

// ahead is how far WeChat's clock, which says when a message was written, may be before ours.
const ahead = 5 * time.Minute

// CheckIn records the member's check-in for the day of at and grants its rewards, all or nothing.
// A second check-in on one day is errs.AlreadyCheckedIn; a person who has not registered gets errs.NotMember.
func (s *Service) CheckIn(ctx context.Context, memberID int64, via string, at time.Time) (*Result, error) {
	r, err := db.Do(ctx, s.db, func(ctx context.Context, tx *gorm.DB) (Result, error) {
		return s.CheckInTx(ctx, tx, memberID, via, at)
	})
	return &r, err
}

// CheckInTx is CheckIn in the caller's transaction.
func (s *Service) CheckInTx(ctx context.Context, tx *gorm.DB, memberID int64, via string, at time.Time) (r Result, err error) {
	if memberID, err = s.members.ActTx(tx, memberID, at, true); err != nil {
		return r, err
	}
	r.Day = s.zone.DayOf(at)
	before, err := streakAt(tx, memberID, r.Day.Add(-1))
	if err != nil {
		return r, err
	}
	r.Streak = before + 1
	row := &model.Checkin{MemberID: memberID, Day: r.Day, Streak: r.Streak, At: at, Via: via}
	dup, err := db.Insert(tx, row)
	if dup {
		return r, errs.New(errs.AlreadyCheckedIn, "checkin.already", "day", r.Day, "opens_at", s.zone.In(s.zone.End(r.Day)))
	}
	if err != nil {
		return r, fmt.Errorf("checkin: record: %w", err)
	}
	ev := &model.Event{
		MemberID: memberID, Kind: model.EventCheckin, Source: source, Key: fmt.Sprint(row.ID), OccurredAt: at, Joined: true,
		Data: model.ToJSON(map[string]any{"day": r.Day, "streak": r.Streak, "via": via}),
	}
	if r.Grants, err = s.events.RecordTx(ctx, tx, ev); err != nil {
		return r, err
	}
	if r.Day < s.zone.DayOf(s.clock.Now().Add(ahead)) { // a later day may be there already
		late, err := s.growTx(ctx, tx, memberID, r.Day, false)
		if err != nil {
			return r, err
		}
		r.Grants = append(r.Grants, late...)
	}
	r.Tomorrow, r.Next, err = s.rewards.ForecastTx(ctx, tx, &model.Event{
		MemberID: memberID, Kind: model.EventCheckin, OccurredAt: s.zone.End(r.Day),
		Data: model.ToJSON(map[string]any{"day": r.Day.Add(1), "streak": r.Streak + 1, "via": via}),
	})
	if r.Next != nil {
		r.Next.Days -= r.Streak
	}
	return r, err
}
