package report

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/model"
)

// BoardDays is how many days the board looks back, today included.
const BoardDays = 14

// Board is what an operator looks at first. Days are the programme's calendar days.
type Board struct {
	Members   int64            // registered, the merged ones not counted
	Followers int64            // people who follow an official account now
	Days      []model.BoardDay // the last BoardDays; the last one is today until now
	Kept      *model.BoardDay  // the last that is over and was counted: what ends soon is as of its night; nil: none was yet
	Windows   int64            // people whom a customer message would reach now
	Closing   int64            // of them, those of whom that ends within a day
	Backlog
}

// Ending is how many points end within so many days, as of the night after the day that is Kept.
func (b Board) Ending() map[int]int64 { return map[int]int64{7: b.Kept.Ending7, 30: b.Kept.Ending30} }

// Today is until now.
func (b Board) Today() model.BoardDay { return b.Days[len(b.Days)-1] }

// Yesterday is the day before.
func (b Board) Yesterday() model.BoardDay { return b.Days[len(b.Days)-2] }

// Board counts: how many people there are by people, which knows them by heart, the days that are over as they were counted in the night
// after, and today by the events.
func (s *Service) Board(ctx context.Context, people func(context.Context, condition.Tree) (int64, error)) (b Board, err error) {
	today := s.zone.DayOf(s.clock.Now())
	if b.Backlog, err = s.Backlog(ctx); err != nil {
		return b, err
	}
	for field, into := range map[string]*int64{"joined": &b.Members, "follower": &b.Followers} {
		if *into, err = people(ctx, condition.Is("member", map[string]any{"field": field, "value": true})); err != nil {
			return b, fmt.Errorf("report: count: %w", err)
		}
	}
	var kept []model.BoardDay
	if err := s.db.Reader(ctx).Where("day > ? AND day < ?", today.Add(-BoardDays), today).Order("day").Find(&kept).Error; err != nil {
		return b, fmt.Errorf("report: board: %w", err)
	}
	for i := range BoardDays {
		d := model.BoardDay{Day: today.Add(i + 1 - BoardDays)}
		switch {
		case len(kept) > 0 && kept[0].Day == d.Day:
			d, b.Kept, kept = kept[0], &kept[0], kept[1:]
		case d.Day >= today.Add(-1): // yesterday is counted after midnight
			if d, err = s.day(ctx, d.Day); err != nil {
				return b, err
			}
		}
		b.Days = append(b.Days, d)
	}
	for within, into := range map[string]*int64{DidWindow: &b.Windows, DidClosing: &b.Closing} {
		open, err := s.Who(ctx, within, today)
		if err != nil {
			return b, err
		}
		*into = int64(open.GetCardinality()) //nolint:gosec // ids fit 32 bits
	}
	return b, nil
}

// What the people of a number of the board did on its day, or what is so of them now.
const (
	DidRegister = "registered"
	DidFollow   = "followed"
	DidUnfollow = "unfollowed"
	DidAct      = "active"   // anything
	DidSign     = "checkin"  // checked in
	DidWindow   = "window"   // a customer message would reach them now
	DidEnding7  = "ending7"  // some of their points end within 7 days
	DidEnding30 = "ending30" // … within 30
	DidClosing  = "closing"  // of those, the ones of whom that ends within a day
)

// BoardDids are all of them.
var BoardDids = []string{DidRegister, DidFollow, DidUnfollow, DidAct, DidSign, DidWindow, DidClosing, DidEnding7, DidEnding30}

// didBy are the numbers in which an event counts.
func didBy(kind string) (what []string) {
	switch kind {
	case model.EventRegistered:
		what = append(what, DidRegister)
	case model.EventFollowed:
		what = append(what, DidFollow)
	case model.EventUnfollowed:
		what = append(what, DidUnfollow)
	case model.EventCheckin:
		what = append(what, DidSign)
	}
	if event.Act(kind) {
		what = append(what, DidAct)
	}
	return what
}

// counted is who did what on a day, by the events up to an id.
type counted struct {
	upto int64
	who  map[string]*roaring.Bitmap
}

// lateEvents are looked at again: an event may be committed after one with a higher id. To count it twice changes nothing.
const lateEvents = 2_000

// did is who did what on a day, by the events that were recorded on it or on the next one. Those of today and yesterday are kept in memory,
// so that only what came since is read.
func (s *Service) did(ctx context.Context, day model.Day) (map[string]*roaring.Bitmap, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, from, to := s.db.Reader(ctx), s.zone.Start(day), s.zone.End(day)
	begin, err := first(r, "events", from)
	if err != nil {
		return nil, err
	}
	end, err := first(r, "events", s.zone.End(day.Add(1)))
	if err != nil {
		return nil, err
	}
	yesterday := s.zone.DayOf(s.clock.Now()).Add(-1)
	maps.DeleteFunc(s.days, func(d model.Day, _ *counted) bool { return d < yesterday })
	c := s.days[day]
	if c == nil {
		c = &counted{who: map[string]*roaring.Bitmap{}}
		for _, what := range BoardDids {
			c.who[what] = roaring.New()
		}
	}
	rows, err := r.Model(&model.Event{}).Select("kind", "member_id").
		Where("id >= ? AND id < ? AND occurred_at >= ? AND occurred_at < ?", max(begin, c.upto-lateEvents), end, from, to).Rows()
	if err != nil {
		return nil, fmt.Errorf("report: events of %s: %w", day, err)
	}
	defer func() { _ = rows.Close() }()
	var kind string
	var id uint32
	for rows.Next() {
		if err := rows.Scan(&kind, &id); err != nil {
			return nil, fmt.Errorf("report: events of %s: %w", day, err)
		}
		for _, what := range didBy(kind) {
			c.who[what].Add(id)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("report: events of %s: %w", day, err)
	}
	if c.upto = end; day >= yesterday {
		s.days[day] = c
	}
	who := map[string]*roaring.Bitmap{}
	for what, set := range c.who {
		who[what] = set.Clone()
	}
	return who, nil
}

// day counts who did what on a day, by the events.
func (s *Service) day(ctx context.Context, day model.Day) (d model.BoardDay, err error) {
	who, err := s.did(ctx, day)
	if err != nil {
		return d, err
	}
	n := func(what string) int64 { return int64(who[what].GetCardinality()) } //nolint:gosec // ids fit 32 bits
	return model.BoardDay{
		Day: day, Registered: n(DidRegister), Followed: n(DidFollow), Unfollowed: n(DidUnfollow), Active: n(DidAct), Checkins: n(DidSign),
	}, nil
}

// Who are the people of a number of the board; for what is so now the day does not count.
func (s *Service) Who(ctx context.Context, what string, day model.Day) (*roaring.Bitmap, error) {
	switch what {
	case DidWindow, DidClosing:
		now := s.clock.Now()
		q := s.db.Reader(ctx).Table("allowances").Joins("JOIN identities ON identities.id = allowances.identity_id").
			Where("allowances.expires_at > ? AND allowances.remaining > 0", now).Select("identities.member_id")
		if what == DidClosing {
			q = q.Group("identities.member_id").Having("MAX(allowances.expires_at) <= ?", now.Add(24*time.Hour))
		}
		return condition.Bitmap(q)
	case DidEnding7, DidEnding30:
		days := 7
		if what == DidEnding30 {
			days = 30
		}
		now := s.clock.Now()
		return s.book.Ending(ctx, model.AccountPoints, now, s.zone.Start(s.zone.DayOf(now).Add(days)))
	case DidRegister, DidFollow, DidUnfollow, DidAct, DidSign:
	default:
		return nil, errs.Field("did", "report.what")
	}
	if _, err := model.ParseDay(string(day)); err != nil {
		return nil, errs.Field("day", "ledger.expiry_on")
	}
	who, err := s.did(ctx, day)
	return who[what], err
}

// KeepDays counts the days that are over and were not counted yet, and of the last one what of points ends soon. What is recorded
// later stands in no day.
func (s *Service) KeepDays(ctx context.Context, now time.Time) error {
	today := s.zone.DayOf(now)
	for back := BoardDays - 1; back > 0; back-- {
		day := today.Add(-back)
		var n int64
		if err := s.db.Reader(ctx).Model(&model.BoardDay{}).Where("day = ?", day).Count(&n).Error; err != nil {
			return fmt.Errorf("report: keep %s: %w", day, err)
		}
		if n > 0 {
			continue
		}
		d, err := s.day(ctx, day)
		if err != nil {
			return err
		}
		if back == 1 {
			for days, into := range map[int]*int64{7: &d.Ending7, 30: &d.Ending30} {
				err := s.db.Reader(ctx).Model(&model.Lot{}).Where("account = ? AND `open` = ? AND active = ? AND expires_at > ? AND expires_at <= ?",
					model.AccountPoints, true, true, now, s.zone.Start(today.Add(days))).Select("COALESCE(SUM(remaining), 0)").Scan(into).Error
				if err != nil {
					return fmt.Errorf("report: keep %s: %w", day, err)
				}
			}
		}
		err = s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
			_, err := db.Insert(tx, &d) // a duplicate is another process
			return err
		})
		if err != nil {
			return fmt.Errorf("report: keep %s: %w", day, err)
		}
	}
	return nil
}
