package reminder

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/model"
)

// late is how long after its time a reminder still goes out; later it is missed.
const late = time.Hour

// RunDue sends what is due; n is how many reminders it took care of. Any number of processes may call it: one of them fires, and a slot
// of a reminder has one run.
func (s *Service) RunDue(ctx context.Context, now time.Time) (n int, err error) {
	var due []model.Reminder
	if err := s.DB.Reader(ctx).Where("next_at <= ?", now).Order("next_at").Limit(maxCount).Find(&due).Error; err != nil {
		return 0, fmt.Errorf("reminder: due: %w", err)
	}
	for i := range due {
		fired, e := s.fire(ctx, &due[i], now)
		if e != nil {
			err = errors.Join(err, fmt.Errorf("reminder: fire %d: %w", due[i].ID, e))
		}
		if fired {
			n++
		}
	}
	return n, err
}

// Due is the next firing; false if there is none.
func (s *Service) Due(ctx context.Context) (time.Time, bool, error) {
	var rows []model.Reminder
	err := s.DB.Reader(ctx).Where("next_at IS NOT NULL").Order("next_at").Limit(1).Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return time.Time{}, false, err
	}
	return rows[0].NextAt.UTC(), true, nil
}

// fire takes care of a reminder that is due, unless another process did.
func (s *Service) fire(ctx context.Context, r *model.Reminder, now time.Time) (fired bool, err error) {
	k := s.kinds[r.Kind]
	slot := k.slot(r, *r.NextAt)
	spec := reach.RunSpec{Source: Source, SourceID: r.ID, Slot: string(slot), Class: k.class, Own: k.variables, Members: roaring.New()}
	if spec.Message, err = Message(r); err != nil {
		return false, err
	}
	missed := now.Sub(*r.NextAt) > late
	if !missed {
		if spec.Members, err = k.members(ctx, r, slot); err != nil {
			return false, err
		}
	}
	err = s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		var err error
		fired, err = s.advance(tx, r, now, slot, missed)
		switch {
		case err != nil || !fired:
		case missed:
			slog.WarnContext(ctx, "a reminder was missed", "reminder", r.ID, "firing", *r.NextAt)
			if _, err = s.Reach.MissTx(tx, spec); err == nil {
				err = s.Reach.MissedTx(ctx, tx, Source, r.ID, *r.NextAt)
			}
		case !spec.Members.IsEmpty():
			_, err = s.Reach.StartTx(ctx, tx, spec)
		}
		return err
	})
	if errs.CodeOf(err) == errs.Duplicate { // the time was changed after the slot's had gone
		err = s.DB.Tx(ctx, func(_ context.Context, tx *gorm.DB) (err error) {
			fired, err = s.advance(tx, r, now, slot, true)
			return err
		})
	}
	return fired, err
}

// advance moves the reminder to its next firing, by compare-and-set: of the firings that nobody was up for to the last one that may
// still go out.
func (s *Service) advance(tx *gorm.DB, r *model.Reminder, now time.Time, slot model.Day, missed bool) (bool, error) {
	line, err := clock.ParseCron(r.Cron, s.Zone)
	if err != nil {
		return false, err // was checked
	}
	from := *r.NextAt
	if t := now.Add(-late - time.Microsecond); t.After(from) {
		from = t
	}
	set := map[string]any{"next_at": nil}
	if next := line.Next(from); !next.IsZero() {
		set["next_at"] = next
	}
	if (r.Kind == model.ReminderExpiring || r.Kind == model.ReminderCoupon) && !missed {
		set["covered"] = slot
	}
	res := tx.Model(&model.Reminder{}).Where("id = ? AND next_at = ?", r.ID, r.NextAt).Updates(set)
	return res.RowsAffected > 0, res.Error
}

// recheck asks the run's reminder about people who are locked. What was switched off is over for all.
func (s *Service) recheck(ctx context.Context, tx *gorm.DB, run *model.Run, ids []int64) (map[int64]reach.Now, error) {
	r, err := get(tx, run.SourceID)
	if errs.CodeOf(err) == errs.NotFound || err == nil && !r.Enabled {
		out := map[int64]reach.Now{}
		for _, id := range ids {
			out[id] = reach.Now{Gone: true}
		}
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	return s.kinds[r.Kind].now(ctx, tx, r, run.Slot, ids)
}

// today is the slot of what concerns the day of the firing.
func (s *Service) today(_ *model.Reminder, at time.Time) model.Day { return s.Zone.DayOf(at) }
