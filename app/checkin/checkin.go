// Package checkin owns check-ins: one per member and day, streaks, and the month as a calendar.
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
}

// New returns the service.
func New(d *db.DB, c clock.Clock, z clock.Zone, events *event.Log, members *member.Service, rewards *reward.Service) *Service {
	return &Service{db: d, clock: c, zone: z, events: events, members: members, rewards: rewards}
}

// Result is what a check-in answers.
type Result struct {
	Day      model.Day     `json:"day"`
	Streak   int           `json:"streak"`   // days in a row, this one included
	Grants   []event.Grant `json:"grants"`   // what it earned, by which rule
	Tomorrow []event.Grant `json:"tomorrow"` // what tomorrow's would earn, by the rules of now
	Next     *reward.Step  `json:"next"`     // in so many more days the streak earns so many points; nil: nothing ahead
}

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
		MemberID: memberID, Kind: model.EventCheckin, Source: "checkin", Key: fmt.Sprint(row.ID), OccurredAt: at, Joined: true,
		Data: model.ToJSON(map[string]any{"day": r.Day, "streak": r.Streak, "via": via}),
	}
	if r.Grants, err = s.events.RecordTx(ctx, tx, ev); err != nil {
		return r, err
	}
	if r.Day < s.zone.DayOf(s.clock.Now().Add(ahead)) { // a later day may be there already
		late, err := s.lateTx(ctx, tx, memberID, r.Day)
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

// streakAt is the number of days in a row that end on day; 0 if the member did not check in on it.
func streakAt(tx *gorm.DB, memberID int64, day model.Day) (int, error) {
	var last []model.Checkin
	if err := tx.Where("member_id = ? AND day = ?", memberID, day).Limit(1).Find(&last).Error; err != nil {
		return 0, fmt.Errorf("checkin: streak: %w", err)
	}
	if len(last) == 0 {
		return 0, nil
	}
	return last[0].Streak, nil
}

// lateTx mends the streaks of the days after a day that arrived late, and grants what their longer streaks earn.
// Nothing that was granted is taken away.
func (s *Service) lateTx(ctx context.Context, tx *gorm.DB, memberID int64, day model.Day) ([]event.Grant, error) {
	grown, err := repair(tx, memberID)
	if err != nil {
		return nil, err
	}
	var grants []event.Grant
	for _, row := range grown {
		if row.Day <= day {
			continue
		}
		g, err := s.rewards.StreakGrewTx(ctx, tx, "checkin", fmt.Sprint(row.ID), row.Streak)
		if err != nil {
			return nil, err
		}
		grants = append(grants, g...)
	}
	return grants, nil
}

// repair rewrites the streaks of a member after days were added behind others; it returns the rows it changed.
func repair(tx *gorm.DB, memberID int64) ([]model.Checkin, error) {
	var days, changed []model.Checkin
	if err := tx.Where("member_id = ?", memberID).Order("day").Find(&days).Error; err != nil {
		return nil, fmt.Errorf("checkin: streaks: %w", err)
	}
	for i := range days {
		streak := 1
		if i > 0 && days[i].Day == days[i-1].Day.Add(1) {
			streak = days[i-1].Streak + 1
		}
		if days[i].Streak == streak {
			continue
		}
		days[i].Streak = streak
		if err := tx.Model(&days[i]).Update("streak", streak).Error; err != nil {
			return nil, fmt.Errorf("checkin: streaks: %w", err)
		}
		changed = append(changed, days[i])
	}
	return changed, nil
}

// Calendar is one month of check-ins.
type Calendar struct {
	Month  string      `json:"month"` // 2026-11
	Today  model.Day   `json:"today"`
	Done   bool        `json:"done"`   // today
	Streak int         `json:"streak"` // up to today, or to yesterday while today is open
	Days   []model.Day `json:"days"`
}

// Month reads the member's check-ins of one month ("2026-11"; "" = this month).
func (s *Service) Month(ctx context.Context, memberID int64, month string) (*Calendar, error) {
	today := s.zone.DayOf(s.clock.Now())
	if month == "" {
		month = today.Month()
	}
	first, err := model.ParseDay(month + "-01")
	if err != nil {
		return nil, errs.Field("month", "checkin.month")
	}
	c := &Calendar{Month: month, Today: today, Days: []model.Day{}}
	end, yesterday := model.DayOf(first.Time().AddDate(0, 1, 0)), today.Add(-1)
	var rows []model.Checkin
	err = s.db.Reader(ctx).Where("member_id = ? AND (day >= ? AND day < ? OR day IN ?)", memberID, first, end, []model.Day{yesterday, today}).
		Order("day").Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("checkin: month: %w", err)
	}
	for _, r := range rows {
		if r.Day >= first && r.Day < end {
			c.Days = append(c.Days, r.Day)
		}
		if r.Day == yesterday || r.Day == today { // in this order
			c.Streak, c.Done = r.Streak, r.Day == today
		}
	}
	return c, nil
}

// Part says what a merge does with check-ins: a day that both have counts once, what its second check-in earned is taken back, and the
// streaks are recomputed. It runs before the ledger's Part, while the loser still has his own lots.
func (s *Service) Part() member.Part {
	return member.Part{
		Name:   "checkin",
		Tables: []member.Table{{Row: &model.Checkin{}, Export: []string{"day", "streak", "at", "via"}, Erase: member.Keep}},
		Merge: func(ctx context.Context, tx *gorm.DB, m member.MergeOf) error {
			if err := s.dropTwice(ctx, tx, m); err != nil {
				return err
			}
			if err := member.Move(tx, "checkins", m); err != nil {
				return err
			}
			_, err := repair(tx, m.Winner)
			return err
		},
	}
}

// dropTwice removes the loser's check-ins on days that the winner has too.
func (s *Service) dropTwice(ctx context.Context, tx *gorm.DB, m member.MergeOf) error {
	var ids []int64
	err := tx.Model(&model.Checkin{}).Where("member_id = ? AND day IN (?)", m.Loser, tx.Model(&model.Checkin{}).Select("day").Where("member_id = ?", m.Winner)).
		Order("id").Pluck("id", &ids).Error
	if err != nil || len(ids) == 0 {
		return err
	}
	keys := make([]string, len(ids))
	for i, id := range ids {
		keys[i] = fmt.Sprint(id)
	}
	var events []int64
	if err := tx.Model(&model.Event{}).Where("source = ? AND `key` IN ?", "checkin", keys).Order("id").Pluck("id", &events).Error; err != nil {
		return fmt.Errorf("checkin: events of duplicates: %w", err)
	}
	if err := s.rewards.TakeBackTx(ctx, tx, m, events); err != nil {
		return err
	}
	return tx.Where("id IN ?", ids).Delete(&model.Checkin{}).Error
}
