package checkin

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/model"
)

// MadeUp is what a make-up answers.
type MadeUp struct {
	Day    model.Day     `json:"day"`
	Streak int           `json:"streak"` // of the run that it joined: up to its last day
	Price  int64         `json:"price"`
	Grants []event.Grant `json:"grants"` // what the longer streaks earned
}

// terms are what the make-ups of one member obey at one moment. The calendar and the make-up itself ask the same ones.
type terms struct {
	*model.CheckinSettings
	today, joined model.Day
	used          int       // make-ups of this month
	opens         time.Time // of the next month
}

// refuse says why a day without a check-in cannot be made up; nil if it can. Money is the ledger's business.
func (t *terms) refuse(day model.Day) *errs.Error {
	from := max(t.today.Add(-t.MakeupReach), t.joined)
	switch {
	case day >= t.today:
		return errs.Field("day", "checkin.makeup_future", "today", t.today)
	case t.MakeupLimit == 0:
		return errs.New(errs.MakeupLimit, "checkin.makeup_off", "limit", 0)
	case day < t.joined:
		return errs.New(errs.WindowClosed, "checkin.makeup_before", "from", from)
	case day < from:
		return errs.New(errs.WindowClosed, "checkin.makeup_far", "from", from, "reach", t.MakeupReach)
	case t.used >= t.MakeupLimit:
		return errs.New(errs.MakeupLimit, "checkin.makeup_limit", "limit", t.MakeupLimit, "opens_at", t.opens)
	}
	return nil
}

// termsOf reads the terms of a member who has registered.
func (s *Service) termsOf(tx *gorm.DB, m *model.Member, at time.Time) (*terms, error) {
	set, err := settings(tx)
	if err != nil {
		return nil, err
	}
	t := &terms{CheckinSettings: set, today: s.zone.DayOf(at), joined: s.zone.DayOf(*m.JoinedAt)}
	first := s.zone.MonthStart(at)
	t.opens = s.zone.MonthStart(first.AddDate(0, 0, 40))
	if set.MakeupLimit == 0 {
		return t, nil
	}
	var used int64
	err = tx.Model(&model.Checkin{}).Where("member_id = ? AND day >= ? AND via = ? AND at >= ? AND at < ?",
		m.ID, s.zone.DayOf(first).Add(-maxReach-1), model.ViaMakeup, first, t.opens).Count(&used).Error
	if err != nil {
		return nil, fmt.Errorf("checkin: make-ups of the month: %w", err)
	}
	t.used = int(used)
	return t, nil
}

// MakeUp buys back a missed day: the streaks that it joins become one, and earn what the rules give for the longer ones. The day itself
// earns nothing by rules on check-ins; one on checkin.made_up may give something.
//
// A day with a check-in is errs.AlreadyCheckedIn, one out of reach errs.WindowClosed, one too many in the month errs.MakeupLimit; who
// cannot pay gets what the ledger says. A refusal changes nothing.
func (s *Service) MakeUp(ctx context.Context, memberID int64, day model.Day, at time.Time) (*MadeUp, error) {
	if day == "" {
		return nil, errs.Field("day", "checkin.day")
	}
	r, err := db.Do(ctx, s.db, func(ctx context.Context, tx *gorm.DB) (MadeUp, error) { return s.makeUpTx(ctx, tx, memberID, day, at) })
	return &r, err
}

func (s *Service) makeUpTx(ctx context.Context, tx *gorm.DB, memberID int64, day model.Day, at time.Time) (r MadeUp, err error) {
	if memberID, err = s.members.ActTx(tx, memberID, at, true); err != nil {
		return r, err
	}
	m, err := member.Get(tx, memberID)
	if err != nil {
		return r, err
	}
	t, err := s.termsOf(tx, m, at)
	if err != nil {
		return r, err
	}
	if done, err := streakAt(tx, memberID, day); err != nil {
		return r, err
	} else if done > 0 {
		return r, errs.New(errs.AlreadyCheckedIn, "checkin.makeup_done", "day", day)
	}
	if e := t.refuse(day); e != nil {
		return r, e
	}
	row := &model.Checkin{MemberID: memberID, Day: day, Streak: 1, At: at, Via: model.ViaMakeup}
	if dup, err := db.Insert(tx, row); err != nil || dup {
		return r, fmt.Errorf("checkin: make up (duplicate: %t): %w", dup, err)
	}
	ev := &model.Event{
		MemberID: memberID, Kind: model.EventMakeup, Source: source, Key: fmt.Sprint(row.ID), OccurredAt: at, Joined: true,
		Data: model.ToJSON(map[string]any{"day": day, "price": t.MakeupPrice}),
	}
	r.Day, r.Price = day, t.MakeupPrice
	if r.Price > 0 {
		_, err := s.book.PostTx(ctx, tx, ledger.Posting{
			MemberID: memberID, Account: model.AccountPoints, Amount: -r.Price, Reason: "checkin.makeup", OccurredAt: at, Key: priceKey(row.ID),
		})
		if err != nil {
			return r, err
		}
	}
	if r.Grants, err = s.events.RecordTx(ctx, tx, ev); err != nil {
		return r, err
	}
	grown, err := s.growTx(ctx, tx, memberID, day, true)
	if err != nil {
		return r, err
	}
	r.Grants = append(r.Grants, grown...)
	r.Streak, err = runEnd(tx, memberID, day)
	return r, err
}

// priceKey is the key of the line that paid for a made-up day.
func priceKey(row int64) string { return fmt.Sprintf("checkin:makeup:%d", row) }

// runEnd is the length of the run that the day belongs to.
func runEnd(tx *gorm.DB, memberID int64, day model.Day) (int, error) {
	var after []model.Checkin
	if err := tx.Where("member_id = ? AND day >= ?", memberID, day).Order("day").Find(&after).Error; err != nil {
		return 0, fmt.Errorf("checkin: run: %w", err)
	}
	n := 0
	for i, c := range after {
		if i > 0 && c.Streak == 1 {
			break
		}
		n = c.Streak
	}
	return n, nil
}
