package checkin

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/model"
)

// Calendar is one month of check-ins.
type Calendar struct {
	Month  string      `json:"month"` // 2026-11
	Today  model.Day   `json:"today"`
	Done   bool        `json:"done"`   // today
	Streak int         `json:"streak"` // up to today, or to yesterday while today is open
	Days   []model.Day `json:"days"`
	Makeup *Makeup     `json:"makeup"` // nil: missed days are not made up, or not by him
}

// Makeup is what can be made up.
type Makeup struct {
	Price   int64
	Limit   int // per calendar month
	Left    int
	OpensAt time.Time // of the next month's make-ups
	Missed  []Missed  // the days of the calendar since he registered, up to yesterday, without a check-in
}

// Missed is a day without a check-in. Refusal is what a make-up of it would answer now; nil: it can be made up.
type Missed struct {
	Day     model.Day
	Refusal *errs.Error
}

// Month reads the member's check-ins of one month ("2026-11"; "" = this month).
func (s *Service) Month(ctx context.Context, memberID int64, month string) (*Calendar, error) {
	now := s.clock.Now()
	today := s.zone.DayOf(now)
	if month == "" {
		month = today.Month()
	}
	first, err := model.ParseDay(month + "-01")
	if err != nil {
		return nil, errs.Field("month", "checkin.month")
	}
	c := &Calendar{Month: month, Today: today, Days: []model.Day{}}
	end, yesterday := model.DayOf(first.Time().AddDate(0, 1, 0)), today.Add(-1)
	tx := s.db.Reader(ctx)
	var rows []model.Checkin
	err = tx.Where("member_id = ? AND (day >= ? AND day < ? OR day IN ?)", memberID, first, end, []model.Day{yesterday, today}).
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
	c.Makeup, err = s.makeup(ctx, tx, memberID, now, first, end, c.Days)
	return c, err
}

// Today says whether the member has checked in today, and how long the streak of a check-in now would be or is.
func (s *Service) Today(tx *gorm.DB, memberID int64) (done bool, streak int, err error) {
	today := s.zone.DayOf(s.clock.Now())
	var rows []model.Checkin
	if err := tx.Where("member_id = ? AND day IN ?", memberID, []model.Day{today.Add(-1), today}).Order("day").Find(&rows).Error; err != nil {
		return false, 0, fmt.Errorf("checkin: today: %w", err)
	}
	streak = 1
	for _, r := range rows {
		if done = r.Day == today; done {
			streak = r.Streak
		} else {
			streak = r.Streak + 1
		}
	}
	return done, streak, nil
}

// makeup says which of the missed days in [first, end) can be made up now.
func (s *Service) makeup(ctx context.Context, tx *gorm.DB, memberID int64, now time.Time, first, end model.Day, done []model.Day) (*Makeup, error) {
	m, err := member.Get(tx, memberID)
	if err != nil || !m.Joined() {
		return nil, err
	}
	t, err := s.termsOf(tx, m, now)
	if err != nil || t.MakeupLimit == 0 {
		return nil, err
	}
	out := &Makeup{Price: t.MakeupPrice, Limit: t.MakeupLimit, Left: max(0, t.MakeupLimit-t.used), OpensAt: t.opens}
	short, err := s.short(ctx, memberID, t.MakeupPrice)
	if err != nil {
		return nil, err
	}
	for day := max(first, t.joined); day < min(end, t.today); day = day.Add(1) {
		if _, found := slices.BinarySearch(done, day); found {
			continue
		}
		e := t.refuse(day)
		if e == nil {
			e = short
		}
		out.Missed = append(out.Missed, Missed{day, e})
	}
	return out, nil
}

// short is what the ledger would refuse the price with; nil if the member can pay.
func (s *Service) short(ctx context.Context, memberID int64, price int64) (*errs.Error, error) {
	if price == 0 {
		return nil, nil
	}
	views, err := s.book.Balances(ctx, memberID)
	if err != nil {
		return nil, err
	}
	var refusal *errs.Error
	for _, v := range views {
		if v.Account == model.AccountPoints {
			errors.As(ledger.Covers(v.Account, v.Available, price), &refusal)
		}
	}
	return refusal, nil
}
