// Package reminder tells members what concerns them: by the clock a streak that is about to be lost, points that can be spent, points
// or coupons that are about to expire; and what has just happened to them. Whom and how much is asked when it fires, and again right before each message is sent.
package reminder

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/RoaringBitmap/roaring/v2"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/audience"
	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/coupon"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/model"
)

// Source is that of the reminders' runs in reach.
const Source = "reminder"

// Deps are what the service stands on.
type Deps struct {
	DB         *db.DB
	Clock      clock.Clock
	Zone       clock.Zone
	Conditions *condition.Registry
	Book       *ledger.Book
	Coupons    *coupon.Service
	Audience   *audience.Service
	Reach      *reach.Service
	// Deduct is what a balance of the account is worth at the till, in fen; nil: there is no deduction.
	Deduct func(ctx context.Context, tx *gorm.DB, account string, balance int64) (fen int64, err error)
	// Gifts is how many things the member could have for so many points; nil: there are none.
	Gifts func(ctx context.Context, tx *gorm.DB, memberID, balance int64) (n int, err error)
}

// Service is the use cases of reminders.
type Service struct {
	Deps
	kinds map[string]kind

	heard db.Cached[map[string][]listener] // of events, by kind
}

// revision counts the changes of reminders.
const revision = "reminders"

// kind is what a sort of reminders knows.
type kind struct {
	class     string
	channels  []string // that it may use; one alone is what it uses
	variables []string
	check     func(ctx context.Context, tx *gorm.DB, r *model.Reminder) error
	slot      func(r *model.Reminder, at time.Time) model.Day
	members   func(ctx context.Context, r *model.Reminder, slot model.Day) (*roaring.Bitmap, error)
	// now is asked about people who are locked.
	now func(ctx context.Context, tx *gorm.DB, r *model.Reminder, slot string, ids []int64) (map[int64]reach.Now, error)
}

// New returns the service, and has reach ask it about everybody right before he is sent to.
func New(d Deps) *Service {
	s := &Service{Deps: d}
	chat := []string{reach.Customer, reach.Subscribe}
	s.kinds = map[string]kind{
		model.ReminderStreak: {
			model.ClassMarketing, []string{reach.Subscribe}, nil, s.checkStreak, s.today, s.losing, s.streakNow,
		},
		model.ReminderSpend: {
			model.ClassMarketing, chat, []string{"balance", "deduct", "gifts"}, s.checkSpend, s.today, s.rich, s.spendNow,
		},
		model.ReminderExpiring: {
			model.ClassService, chat, []string{"balance", "expiring", "ends_on"}, s.checkExpiring, s.ahead, s.ending, s.endingNow,
		},
		model.ReminderCoupon: {
			model.ClassService, chat, []string{"coupon", "coupons", "ends_on"}, s.checkCoupon, s.ahead, s.lapsing, s.lapsingNow,
		},
		model.ReminderEvent: {
			model.ClassService, chat, []string{"earned", "tier", "name", "order_no"}, s.checkEvent, nil, nil, s.eventNow, // it has no clock
		},
	}
	d.Reach.Recheck(Source, s.recheck)
	return s
}

// Kinds are the sorts of reminders.
var Kinds = []string{model.ReminderStreak, model.ReminderSpend, model.ReminderExpiring, model.ReminderCoupon, model.ReminderEvent}

// Variables are those that only reminders of the kind know.
func (s *Service) Variables(kind string) []string { return s.kinds[kind].variables }

// Class is how reminders of the kind go out: model.ClassMarketing or model.ClassService.
func (s *Service) Class(kind string) string { return s.kinds[kind].class }

// List reads all reminders.
func (s *Service) List(ctx context.Context) (rows []model.Reminder, err error) {
	if err := s.DB.Reader(ctx).Order("id").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("reminder: list: %w", err)
	}
	return rows, nil
}

// Get reads one; errs.NotFound ("reminder.not_found").
func (s *Service) Get(ctx context.Context, id int64) (*model.Reminder, error) {
	return get(s.DB.Reader(ctx), id)
}

func get(tx *gorm.DB, id int64) (*model.Reminder, error) {
	return db.ByID[model.Reminder](tx, id, "reminder.not_found")
}

// Message is what the reminder says.
func Message(r *model.Reminder) (m reach.Message, err error) {
	err = r.Message.Into(&m)
	return m, err
}

// Bounds.
const (
	maxName  = 64
	maxDays  = 365
	maxCount = 50
)

// Save makes a reminder (ID 0) or changes one; its kind stays. A time in the quiet hours for what they hold back, and what reach could not
// send, are refused.
func (s *Service) Save(ctx context.Context, in model.Reminder, m reach.Message) (*model.Reminder, error) {
	out, err := db.Do(ctx, s.DB, func(ctx context.Context, tx *gorm.DB) (model.Reminder, error) { return s.saveTx(ctx, tx, in, m) })
	return &out, err
}

func (s *Service) saveTx(ctx context.Context, tx *gorm.DB, r model.Reminder, m reach.Message) (model.Reminder, error) {
	r.CreatedAt, r.UpdatedAt, r.Covered = s.Clock.Now(), s.Clock.Now(), ""
	if r.ID != 0 {
		old, err := get(tx, r.ID)
		if err != nil {
			return r, err
		}
		r.Kind, r.Covered, r.CreatedAt = old.Kind, old.Covered, old.CreatedAt
	} else if err := room(tx); err != nil {
		return r, err
	}
	next, err := s.check(ctx, tx, &r, &m)
	if err != nil {
		return r, err
	}
	r.Message, r.NextAt = model.ToJSON(m), nil
	if r.Enabled && !next.IsZero() {
		r.NextAt = &next
	}
	if err := tx.Save(&r).Error; err != nil {
		return r, fmt.Errorf("reminder: save: %w", err)
	}
	if err := s.Reach.UseTx(tx, Source, r.ID, m); err != nil {
		return r, err
	}
	return r, db.Bump(tx, revision)
}

func room(tx *gorm.DB) error {
	var n int64
	if err := tx.Model(&model.Reminder{}).Count(&n).Error; err != nil {
		return fmt.Errorf("reminder: count: %w", err)
	}
	if n >= maxCount {
		return errs.New(errs.LimitReached, "reminder.too_many", "limit", maxCount)
	}
	return nil
}

// check refuses what can never be meant; it returns the first firing, none of what waits for an event.
func (s *Service) check(ctx context.Context, tx *gorm.DB, r *model.Reminder, m *reach.Message) (next time.Time, err error) {
	r.Name, r.Cron = strings.TrimSpace(r.Name), strings.TrimSpace(r.Cron)
	k, ok := s.kinds[r.Kind]
	if !ok {
		return next, errs.Field("kind", "reminder.kind")
	}
	if r.Name == "" || utf8.RuneCountInString(r.Name) > maxName {
		return next, errs.Field("name", "reminder.name", "limit", maxName)
	}
	if r.Kind != model.ReminderEvent {
		r.Event = ""
		if _, next, err = clock.CheckCron(r.Cron, s.Zone, s.Clock.Now()); err != nil {
			return next, err
		}
	}
	if k.class == model.ClassMarketing {
		if quiet, err := s.Reach.Quiet(tx, next); err != nil {
			return next, err
		} else if quiet {
			return next, errs.Field("cron", "reminder.quiet")
		}
	}
	if len(r.Condition) == 0 {
		r.Condition = model.JSON("{}")
	}
	if err := k.check(ctx, tx, r); err != nil {
		return next, err
	}
	if len(k.channels) == 1 {
		m.Channels = k.channels
	}
	for _, c := range m.Channels {
		if !slices.Contains(k.channels, c) {
			return next, errs.Field("message.channels", "reach.unknown_channel", "channel", c)
		}
	}
	return next, s.Reach.CheckTx(tx, k.class, *m, k.variables...)
}

// days refuses a number of days beyond the bounds.
func days(r *model.Reminder) error {
	if r.Days < 1 || r.Days > maxDays {
		return errs.Field("days", "reminder.days", "limit", maxDays)
	}
	return nil
}

// account refuses one that is not there; the points are meant by none.
func account(tx *gorm.DB, r *model.Reminder) error {
	if r.Account == "" {
		r.Account = model.AccountPoints
	}
	_, err := ledger.Account(tx, r.Account)
	return errs.AtField(err, "account")
}

// Delete removes a reminder; what it has sent stays on record, and what waits is not sent.
func (s *Service) Delete(ctx context.Context, id int64) error {
	_, err := db.Do(ctx, s.DB, func(_ context.Context, tx *gorm.DB) (model.Reminder, error) {
		r, err := get(tx, id)
		if err != nil {
			return model.Reminder{}, err
		}
		return *r, errors.Join(s.Reach.UseTx(tx, Source, id), tx.Delete(&model.Reminder{}, id).Error, db.Bump(tx, revision))
	})
	return err
}
