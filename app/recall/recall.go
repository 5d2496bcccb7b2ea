// Package recall brings back people whom the brand knew before siyu: an SMS to the customers of a file, a call some days later to who did not
// come, and how many came within a window (PLAYBOOKS P01-E).
package recall

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/RoaringBitmap/roaring/v2"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/customer"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/app/tag"
	"github.com/siyu-scrm/siyu/app/work"
	"github.com/siyu-scrm/siyu/model"
)

// Source is that of recalls' runs in reach, and the kind of the work that begins one.
const Source = "recall"

// Slots of runs.
const (
	slotSMS  = "sms"
	slotCall = "call"
)

// tagName is the tag of who was recalled, in the group 渠道.
const tagName = "老客召回"

// Bounds.
const (
	maxDays  = 90
	chunk    = 200 // people made in one transaction
	dayHours = 24 * time.Hour
)

// Deps are what recalls stand on.
type Deps struct {
	DB        *db.DB
	Clock     clock.Clock
	Customers *customer.Service
	Tags      *tag.Service
	Reach     *reach.Service
	Works     *work.Service
}

// Service is the use cases of recalls.
type Service struct{ Deps }

// New returns the service and registers what it does with the works and the delivery engine.
func New(d Deps) *Service {
	s := &Service{d}
	d.Works.Register(Source, s.slice)
	d.Reach.Recheck(Source, s.recheck)
	return s
}

// Input is a recall as an operator writes it.
type Input struct {
	Name      string
	ImportID  int64
	Days      int
	SMS       reach.PhoneContent
	Call      *reach.PhoneContent
	CallAfter int // days; the cap of marketing messages a day holds for calls too
}

// Save makes a recall. It refuses what could not be sent, and a file that is none of customers.
func (s *Service) Save(ctx context.Context, in Input) (*model.Recall, error) {
	in.Name = strings.TrimSpace(in.Name)
	switch {
	case in.Name == "" || utf8.RuneCountInString(in.Name) > 64:
		return nil, errs.Field("name", "recall.name", "limit", 64)
	case in.Days < 1 || in.Days > maxDays:
		return nil, errs.Field("days", "recall.days", "limit", maxDays)
	case in.Call != nil && (in.CallAfter < 1 || in.CallAfter >= in.Days):
		return nil, errs.Field("call_after_days", "recall.call_after", "limit", in.Days-1)
	case in.Call == nil && in.CallAfter != 0:
		return nil, errs.Field("call", "recall.no_call")
	}
	t, err := s.Tags.Ensure(ctx, tag.Channel, tagName)
	if err != nil {
		return nil, err
	}
	r, err := db.Do(ctx, s.DB, func(_ context.Context, tx *gorm.DB) (model.Recall, error) {
		r := model.Recall{
			Name: in.Name, ImportID: in.ImportID, SMS: model.ToJSON(in.SMS), Call: model.ToJSON(in.Call), CallAfter: in.CallAfter, Days: in.Days,
			TagID: t.ID, State: model.RecallDraft, CreatedAt: s.Clock.Now(),
		}
		var n int64
		if err := tx.Model(&model.Import{}).Where("id = ? AND kind = ?", in.ImportID, customer.Import).Count(&n).Error; err != nil {
			return r, fmt.Errorf("recall: save: %w", err)
		}
		if n == 0 {
			return r, errs.New(errs.NotFound, "recall.no_import")
		}
		for _, m := range messages(in.SMS, in.Call) {
			if err := s.Reach.CheckTx(tx, model.ClassMarketing, m); err != nil {
				return r, err
			}
		}
		return r, tx.Create(&r).Error
	})
	return &r, err
}

func messages(sms reach.PhoneContent, call *reach.PhoneContent) []reach.Message {
	list := []reach.Message{{Channels: []string{reach.SMS}, SMS: &sms}}
	if call != nil {
		list = append(list, reach.Message{Channels: []string{reach.Call}, Call: call})
	}
	return list
}

// said is what a recall sends: the SMS, and the call if there is one.
func said(r *model.Recall) ([]reach.Message, error) {
	var sms reach.PhoneContent
	var call *reach.PhoneContent
	if err := errors.Join(r.SMS.Into(&sms), r.Call.Into(&call)); err != nil {
		return nil, fmt.Errorf("recall: messages of %d: %w", r.ID, err)
	}
	return messages(sms, call), nil
}

// Get reads one; errs.NotFound.
func (s *Service) Get(ctx context.Context, id int64) (*model.Recall, error) {
	return get(s.DB.Reader(ctx), id)
}

func get(tx *gorm.DB, id int64) (*model.Recall, error) {
	return db.ByID[model.Recall](tx, id, "recall.not_found")
}

// lock reads a recall that this transaction decides about.
func lock(tx *gorm.DB, id int64) (*model.Recall, error) {
	if err := tx.Exec("UPDATE recalls SET version = version + 1 WHERE id = ?", id).Error; err != nil {
		return nil, fmt.Errorf("recall: lock: %w", err)
	}
	return get(tx, id)
}

// List lists recalls, newest first, below an id (0 = from the newest).
func (s *Service) List(ctx context.Context, before int64, limit int) (rows []model.Recall, err error) {
	tx := s.DB.Reader(ctx).Order("id DESC").Limit(limit)
	if before > 0 {
		tx = tx.Where("id < ?", before)
	}
	if err := tx.Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("recall: list: %w", err)
	}
	return rows, nil
}

type args struct {
	RecallID int64  `json:"recall_id,string"`
	Name     string `json:"name"`
}

// Run begins a recall: its window opens now, its people are made, the SMS go out. A second time is errs.Duplicate.
func (s *Service) Run(ctx context.Context, id int64, actor string) (*model.Recall, error) {
	r, err := db.Do(ctx, s.DB, func(_ context.Context, tx *gorm.DB) (model.Recall, error) {
		r, err := lock(tx, id)
		if err != nil {
			return model.Recall{}, err
		}
		if r.State != model.RecallDraft {
			return *r, errs.New(errs.Duplicate, "recall.started")
		}
		var n int64
		if err := tx.Model(&model.Customer{}).Where("import_id = ?", r.ImportID).Count(&n).Error; err != nil {
			return *r, fmt.Errorf("recall: run: %w", err)
		}
		now := s.Clock.Now()
		ends := now.Add(time.Duration(r.Days) * dayHours)
		r.State, r.StartedAt, r.EndsAt = model.RecallStarting, &now, &ends
		if _, err := s.Works.StartTx(tx, Source, args{id, r.Name}, n, actor); err != nil {
			return *r, err
		}
		return *r, tx.Save(r).Error
	})
	return &r, err
}

type cursor struct {
	After int64 `json:"after"`
}

// slice makes the next people of a recall; after the last of them the SMS are frozen.
func (s *Service) slice(ctx context.Context, w *model.Work) (done bool, err error) {
	var a args
	var c cursor
	if err := errors.Join(w.Args.Into(&a), w.Cursor.Into(&c)); err != nil {
		return false, err
	}
	err = s.DB.BulkTx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		next := c
		r, err := lock(tx, a.RecallID)
		if err != nil {
			return err
		}
		var some []model.Customer
		if err := tx.Where("import_id = ? AND id > ?", r.ImportID, c.After).Order("id").Limit(chunk).Find(&some).Error; err != nil {
			return fmt.Errorf("recall: customers: %w", err)
		}
		for i := range some {
			m, err := s.Customers.PersonTx(tx, &some[i])
			if err != nil {
				return err
			}
			if _, err := db.Insert(tx, &model.RecallPerson{RecallID: r.ID, MemberID: m.ID, CustomerID: some[i].ID}); err != nil {
				return fmt.Errorf("recall: person: %w", err)
			}
			next.After = some[i].ID
		}
		if done = len(some) < chunk; done {
			if err := s.start(ctx, tx, r); err != nil {
				return err
			}
		}
		return s.Works.ProgressTx(tx, w, next, w.Done+int64(len(some)), map[string]any{})
	})
	return done, err
}

// start freezes the SMS, and says when the calls follow.
func (s *Service) start(ctx context.Context, tx *gorm.DB, r *model.Recall) error {
	if r.State != model.RecallStarting {
		return nil
	}
	list, err := said(r)
	if err != nil {
		return err
	}
	if err := s.send(ctx, tx, r, slotSMS, list[0]); err != nil {
		return err
	}
	r.State = model.RecallStarted
	if len(list) > 1 {
		at := r.StartedAt.Add(time.Duration(r.CallAfter) * dayHours)
		r.CallAt = &at
	}
	return tx.Save(r).Error
}

func (s *Service) send(ctx context.Context, tx *gorm.DB, r *model.Recall, slot string, m reach.Message) error {
	var ids []int64
	if err := tx.Model(&model.RecallPerson{}).Where("recall_id = ?", r.ID).Order("member_id").Pluck("member_id", &ids).Error; err != nil {
		return fmt.Errorf("recall: people: %w", err)
	}
	who := roaring.New()
	for _, id := range ids {
		who.Add(uint32(id)) //nolint:gosec // ids fit 32 bits
	}
	_, err := s.Reach.StartTx(ctx, tx, reach.RunSpec{Source: Source, SourceID: r.ID, Slot: slot, Class: model.ClassMarketing, Message: m, Members: who})
	return err
}

// RunDue starts the calls that are due; n is how many recalls it took care of.
func (s *Service) RunDue(ctx context.Context, now time.Time) (n int, err error) {
	var due []model.Recall
	if err := s.DB.Reader(ctx).Where("call_at <= ?", now).Order("call_at").Limit(20).Find(&due).Error; err != nil {
		return 0, fmt.Errorf("recall: due: %w", err)
	}
	for _, one := range due {
		err = errors.Join(err, s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
			r, err := lock(tx, one.ID)
			if err != nil || r.CallAt == nil || r.CallAt.After(now) {
				return err
			}
			list, err := said(r)
			if err != nil {
				return err
			}
			r.CallAt = nil
			if err := tx.Save(r).Error; err != nil {
				return fmt.Errorf("recall: call: %w", err)
			}
			return s.send(ctx, tx, r, slotCall, list[1])
		}))
		n++
	}
	return n, err
}

// Calls are the recalls whose calls are due before an instant.
func (s *Service) Calls(ctx context.Context, until time.Time) (rows []model.Recall, err error) {
	if err = s.DB.Reader(ctx).Where("call_at < ?", until).Order("call_at").Find(&rows).Error; err != nil {
		err = fmt.Errorf("recall: calls: %w", err)
	}
	return rows, err
}

// Due is when the next calls are; false if none are.
func (s *Service) Due(ctx context.Context) (time.Time, bool, error) {
	var rows []model.Recall
	err := s.DB.Reader(ctx).Where("call_at IS NOT NULL").Order("call_at").Limit(1).Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return time.Time{}, false, err
	}
	return rows[0].CallAt.UTC(), true, nil
}

// recheck leaves out who is a member by now: he need not be recalled.
func (s *Service) recheck(_ context.Context, tx *gorm.DB, _ *model.Run, ids []int64) (map[int64]reach.Now, error) {
	var here []int64
	if err := tx.Model(&model.Member{}).Where("id IN ? AND joined_at IS NOT NULL", ids).Pluck("id", &here).Error; err != nil {
		return nil, fmt.Errorf("recall: recheck: %w", err)
	}
	now := map[int64]reach.Now{}
	for _, id := range here {
		now[id] = reach.Now{Gone: true}
	}
	return now, nil
}
