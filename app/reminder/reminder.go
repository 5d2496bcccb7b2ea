// Package reminder reminds members in the evening who are about to lose a streak of check-ins. They asked for it: it goes as a subscribe
// message that they accepted.
package reminder

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/model"
)

// Source is that of the reminders' runs in reach.
const Source = "reminder"

// late is how long after its time a reminder still goes out.
const late = time.Hour

// Service is the use cases of the reminder.
type Service struct {
	db    *db.DB
	clock clock.Clock
	zone  clock.Zone
	reach *reach.Service
}

// New returns the service and tells reach when a reminder has become pointless.
func New(d *db.DB, c clock.Clock, z clock.Zone, r *reach.Service) *Service {
	s := &Service{db: d, clock: c, zone: z, reach: r}
	r.Recheck(Source, s.gone)
	return s
}

// id is the one row.
const id = 1

// Settings reads the reminder; before the first change there is none.
func (s *Service) Settings(ctx context.Context) (*model.Reminder, error) {
	return settings(s.db.Reader(ctx))
}

func settings(tx *gorm.DB) (*model.Reminder, error) {
	var rows []model.Reminder
	if err := tx.Limit(1).Find(&rows, id).Error; err != nil {
		return nil, fmt.Errorf("reminder: settings: %w", err)
	}
	if len(rows) == 0 {
		return &model.Reminder{ID: id, Streak: 3, At: "20:00", Message: model.JSON("{}")}, nil
	}
	return &rows[0], nil
}

var hhmm = regexp.MustCompile(`^([01][0-9]|2[0-3]):([0-5][0-9])$`)

// maxStreak bounds the setting.
const maxStreak = 365

// Save changes the reminder: m goes to whoever accepted its template. A time in the quiet hours, and what reach could not send, are refused.
func (s *Service) Save(ctx context.Context, in model.Reminder, m reach.Message) (*model.Reminder, error) {
	if in.Streak < 1 || in.Streak > maxStreak {
		return nil, errs.Field("streak", "reminder.streak", "limit", maxStreak)
	}
	if !hhmm.MatchString(in.At) {
		return nil, errs.Field("at", "reminder.at")
	}
	if s.reach.Quiet(s.on(s.zone.DayOf(s.clock.Now()), in.At)) {
		return nil, errs.Field("at", "reminder.quiet")
	}
	m.Channels = []string{reach.Subscribe}
	if in.Enabled || m.Subscribe != nil {
		if err := reach.Validate(m); err != nil {
			return nil, err
		}
	}
	out, err := db.Do(ctx, s.db, func(_ context.Context, tx *gorm.DB) (model.Reminder, error) {
		now := s.clock.Now()
		in.ID, in.Message, in.UpdatedAt, in.NextAt = id, model.ToJSON(m), now, nil
		if in.Enabled {
			in.NextAt = s.next(in.At, now)
		}
		dup, err := db.Insert(tx, &in)
		if err == nil && dup {
			err = tx.Save(&in).Error
		}
		if err != nil {
			return in, fmt.Errorf("reminder: save: %w", err)
		}
		return in, nil
	})
	return &out, err
}

// Message is what the reminder says.
func Message(r *model.Reminder) (m reach.Message, err error) {
	err = r.Message.Into(&m)
	return m, err
}

func (s *Service) on(day model.Day, at string) time.Time {
	m := hhmm.FindStringSubmatch(at)
	hour, _ := strconv.Atoi(m[1])
	minute, _ := strconv.Atoi(m[2])
	return s.zone.At(day, hour, minute)
}

// next is the first firing after now.
func (s *Service) next(at string, now time.Time) *time.Time {
	day := s.zone.DayOf(now)
	t := s.on(day, at)
	if !t.After(now) {
		t = s.on(day.Add(1), at)
	}
	return &t
}

// after is the firing after the one that is due: of those that nobody was up for only one that may still go out.
func (s *Service) after(r *model.Reminder, now time.Time) *time.Time {
	from := *r.NextAt
	if t := now.Add(-late); t.After(from) {
		from = t
	}
	return s.next(r.At, from)
}

// RunDue sends today's reminder if it is due; one that is late by more than an hour is left out. Any number of processes may call it: one
// of them fires, and a day has one run.
func (s *Service) RunDue(ctx context.Context, now time.Time) (int, error) {
	r, err := s.Settings(ctx)
	if err != nil || r.NextAt == nil || r.NextAt.After(now) {
		return 0, err
	}
	members, err := s.members(ctx, r, s.zone.DayOf(now))
	if err != nil {
		return 0, err
	}
	fired := 0
	err = s.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		fired = 0
		res := tx.Model(&model.Reminder{}).Where("id = ? AND next_at = ?", id, r.NextAt).Update("next_at", s.after(r, now))
		if res.Error != nil || res.RowsAffected == 0 {
			return res.Error
		}
		fired = 1
		if now.Sub(*r.NextAt) > late || members.IsEmpty() {
			return nil
		}
		m, err := Message(r)
		if err != nil {
			return err
		}
		_, err = s.reach.StartTx(ctx, tx, reach.RunSpec{
			Source: Source, Slot: string(s.zone.DayOf(*r.NextAt)), Class: model.ClassMarketing, Message: m, Members: members,
		})
		return err
	})
	if errs.CodeOf(err) == errs.Duplicate { // the time was changed after today's had gone
		err = s.skip(ctx, r, now)
	}
	return fired, err
}

// skip leaves out a firing on a day that has had its reminder.
func (s *Service) skip(ctx context.Context, r *model.Reminder, now time.Time) error {
	return s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		return tx.Model(&model.Reminder{}).Where("id = ? AND next_at = ?", id, r.NextAt).Update("next_at", s.after(r, now)).Error
	})
}

// Due is the next firing; false if there is none.
func (s *Service) Due(ctx context.Context) (time.Time, bool, error) {
	r, err := s.Settings(ctx)
	if err != nil || r.NextAt == nil {
		return time.Time{}, false, err
	}
	return r.NextAt.UTC(), true, nil
}

// members are those who accepted the message, have a streak of at least the length up to yesterday, and have not checked in today.
// It goes from the acceptances: they are few, and a member's days are found by key.
func (s *Service) members(ctx context.Context, r *model.Reminder, today model.Day) (*roaring.Bitmap, error) {
	m, err := Message(r)
	if err != nil {
		return nil, err
	}
	out := roaring.New()
	if m.Subscribe == nil {
		return out, nil
	}
	rows, err := s.db.Reader(ctx).Raw(`SELECT i.member_id FROM acceptances a JOIN identities i ON i.id = a.identity_id
JOIN checkins c ON c.member_id = i.member_id AND c.day = ? AND c.streak >= ?
WHERE a.template_id = ? AND a.accepted_count > 0 AND NOT EXISTS (SELECT 1 FROM checkins t WHERE t.member_id = i.member_id AND t.day = ?)`,
		today.Add(-1), r.Streak, m.Subscribe.TemplateID, today).Rows()
	if err != nil {
		return nil, fmt.Errorf("reminder: members: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var n uint32
		if err := rows.Scan(&n); err != nil {
			return nil, fmt.Errorf("reminder: members: %w", err)
		}
		out.Add(n)
	}
	return out, rows.Err()
}

// gone are those whom a reminder of the run would tell nothing now: they have checked in, or the day is over. They are locked.
func (s *Service) gone(_ context.Context, tx *gorm.DB, run *model.Run, ids []int64) (map[int64]bool, error) {
	day := model.Day(run.Slot)
	out := map[int64]bool{}
	if s.zone.DayOf(s.clock.Now()) != day {
		for _, id := range ids {
			out[id] = true
		}
		return out, nil
	}
	var done []int64
	if err := tx.Model(&model.Checkin{}).Where("member_id IN ? AND day = ?", ids, day).Pluck("member_id", &done).Error; err != nil {
		return nil, fmt.Errorf("reminder: who has checked in: %w", err)
	}
	for _, id := range done {
		out[id] = true
	}
	return out, nil
}
