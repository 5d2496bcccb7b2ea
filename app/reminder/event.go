package reminder

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/model"
)

// past is how long after it happened an event that comes late is still told of: imported history is not.
const past = 7 * 24 * time.Hour

func (s *Service) checkEvent(ctx context.Context, tx *gorm.DB, r *model.Reminder) error {
	r.Days, r.Account, r.AtLeast, r.Cron = 0, "", 0, ""
	if !event.Known(r.Event) {
		return errs.Field("event", "event.unknown_kind", "kind", r.Event)
	}
	t, err := whom(r)
	if err == nil {
		err = s.Conditions.Check(ctx, tx, t)
	}
	return err
}

// listener is a reminder that goes when something happens.
type listener struct {
	model.Reminder
	tree condition.Tree
	spec reach.RunSpec
}

// Follow is the event follower: whoever did what a reminder waits for, and meets its condition, is told once.
func (s *Service) Follow(ctx context.Context, tx *gorm.DB, ev *model.Event) ([]event.Grant, error) {
	all, err := s.listeners(tx)
	if err != nil || len(all[ev.Kind]) == 0 || ev.OccurredAt.Before(s.Clock.Now().Add(-past)) {
		return nil, err
	}
	subject := &condition.Subject{MemberID: ev.MemberID, At: s.Clock.Now(), Event: ev, Cache: map[string]any{}}
	for _, l := range all[ev.Kind] {
		v, _, err := s.Conditions.Eval(ctx, tx, subject, l.tree)
		if err != nil {
			return nil, fmt.Errorf("reminder: %d: %w", l.ID, err)
		}
		if !v.Holds {
			continue
		}
		spec := l.spec
		spec.Slot, spec.Members = strconv.FormatInt(ev.ID, 10), roaring.BitmapOf(uint32(ev.MemberID)) //nolint:gosec // ids fit 32 bits
		if _, err := s.Reach.StartTx(ctx, tx, spec); err != nil {
			return nil, fmt.Errorf("reminder: %d: %w", l.ID, err)
		}
	}
	return nil, nil
}

// listeners are the reminders of events by kind, read again where they have changed.
func (s *Service) listeners(tx *gorm.DB) (map[string][]listener, error) {
	return s.heard.Get(tx, revision, s.load)
}

func (s *Service) load(tx *gorm.DB) (map[string][]listener, error) {
	var rows []model.Reminder
	if err := tx.Where("kind = ? AND enabled = ?", model.ReminderEvent, true).Order("id").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("reminder: of events: %w", err)
	}
	heard := map[string][]listener{}
	for _, r := range rows {
		k := s.kinds[r.Kind]
		l := listener{Reminder: r, spec: reach.RunSpec{Source: Source, SourceID: r.ID, Class: k.class, Own: k.variables}}
		var e1, e2 error
		l.tree, e1 = whom(&r)
		l.spec.Message, e2 = Message(&r)
		if err := errors.Join(e1, e2); err != nil {
			return nil, err
		}
		heard[r.Event] = append(heard[r.Event], l)
	}
	return heard, nil
}

// eventNow says what the event was about, and what it gave.
func (s *Service) eventNow(_ context.Context, tx *gorm.DB, _ *model.Reminder, slot string, ids []int64) (map[int64]reach.Now, error) {
	var ev model.Event
	if err := tx.Where("id = ?", slot).Take(&ev).Error; err != nil {
		return nil, fmt.Errorf("reminder: event %s: %w", slot, err)
	}
	var about struct {
		To      string // of a tier
		Name    string // of a coupon or another thing
		OrderNo string `json:"order_no"`
	}
	if err := ev.Data.Into(&about); err != nil {
		return nil, fmt.Errorf("reminder: event %s: %w", slot, err)
	}
	earned, err := s.Book.OfEventTx(tx, model.AccountPoints, ev.ID)
	out := map[int64]reach.Now{}
	for _, id := range ids {
		out[id] = reach.Now{Values: map[string]string{
			"earned": strconv.FormatInt(earned, 10), "tier": about.To, "name": about.Name, "order_no": about.OrderNo,
		}}
	}
	return out, err
}
