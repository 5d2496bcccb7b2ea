// Package broadcast says who gets what message when: once, by a cron line, or by hand. Each firing freezes a run of reach.
package broadcast

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/audience"
	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/model"
)

// Source is that of broadcasts' runs in reach.
const Source = "broadcast"

// CatchUp is how late a firing may still be sent; later it is missed.
const CatchUp = time.Hour

// Service keeps broadcasts and fires them.
type Service struct {
	db         *db.DB
	clock      clock.Clock
	zone       clock.Zone
	conditions *condition.Registry
	audience   *audience.Service
	reach      *reach.Service
}

// New returns the broadcasts of a database.
func New(d *db.DB, c clock.Clock, z clock.Zone, conditions *condition.Registry, a *audience.Service, r *reach.Service) *Service {
	return &Service{db: d, clock: c, zone: z, conditions: conditions, audience: a, reach: r}
}

// Input is a broadcast as an operator writes it. At most one of Cron and At is given; with neither it is sent by hand.
type Input struct {
	ID        int64          // 0 makes a new one
	Name      string         // shown to operators
	Class     string         // model.ClassMarketing (default) or model.ClassService
	Condition condition.Tree // empty: everybody
	Message   reach.Message
	Rules     reach.Rules
	Trial     Trial
	Cron      string     // minute hour day month weekday, in the programme's zone
	At        *time.Time // once
}

// Save makes or changes a broadcast. It refuses, as errs.Invalid, what could not be sent: an unknown tag, a condition that needs an event,
// variables without a fallback or in a mass send, a cron line that can never fire, a time that is over. A broadcast that was sent
// (model.BroadcastDone) is not changed: errs.Conflict.
func (s *Service) Save(ctx context.Context, in Input) (*model.Broadcast, error) {
	b, err := db.Do(ctx, s.db, func(ctx context.Context, tx *gorm.DB) (model.Broadcast, error) {
		row := model.Broadcast{State: model.BroadcastActive, CreatedAt: s.clock.Now()}
		if in.ID != 0 {
			old, err := lock(tx, in.ID)
			if err != nil {
				return row, err
			}
			if row = *old; row.State == model.BroadcastDone {
				return row, errs.New(errs.Conflict, "broadcast.done")
			}
		}
		if err := s.apply(ctx, tx, &row, in); err != nil {
			return row, err
		}
		if err := tx.Save(&row).Error; err != nil {
			return row, err
		}
		messages := []reach.Message{in.Message}
		for _, v := range in.Trial.Variants {
			messages = append(messages, v.Message)
		}
		return row, s.reach.UseTx(tx, Source, row.ID, messages...)
	})
	if err != nil {
		return nil, wrap("save", err)
	}
	return &b, nil
}

// apply checks the input and puts it into the row.
func (s *Service) apply(ctx context.Context, tx *gorm.DB, row *model.Broadcast, in Input) error {
	now := s.clock.Now()
	if err := s.check(ctx, tx, &in); err != nil {
		return err
	}
	row.Name, row.Class, row.Cron, row.At = in.Name, in.Class, in.Cron, nil
	row.Condition, row.Message, row.UpdatedAt = model.ToJSON(in.Condition), model.ToJSON(in.Message), now
	row.Rules, row.Trial = model.ToJSON(in.Rules), model.ToJSON(in.Trial)
	if in.At != nil {
		at := in.At.UTC().Truncate(time.Microsecond)
		row.At = &at
	}
	row.NextAt = nil
	if row.State == model.BroadcastActive {
		row.NextAt = s.next(row, now)
	}
	return nil
}

func (s *Service) check(ctx context.Context, tx *gorm.DB, in *Input) error {
	in.Name, in.Cron = strings.TrimSpace(in.Name), strings.TrimSpace(in.Cron)
	if in.Class == "" {
		in.Class = model.ClassMarketing
	}
	switch {
	case in.Name == "" || utf8.RuneCountInString(in.Name) > 64:
		return errs.Field("name", "broadcast.name", "limit", 64)
	case in.Class != model.ClassMarketing && in.Class != model.ClassService:
		return errs.Field("class", "broadcast.class")
	case in.Cron != "" && in.At != nil:
		return errs.Field("at", "broadcast.twice")
	case in.At != nil && in.At.Before(s.clock.Now()):
		return errs.Field("at", "broadcast.past")
	}
	if in.Cron != "" {
		if _, _, err := clock.CheckCron(in.Cron, s.zone, s.clock.Now()); err != nil {
			return err
		}
	}
	if err := s.reach.CheckTx(tx, in.Class, in.Message); err != nil {
		return err
	}
	if err := in.Rules.Validate(); err != nil {
		return err
	}
	if err := in.Trial.validate(func(m reach.Message) error { return s.reach.CheckTx(tx, in.Class, m) }); err != nil {
		return err
	}
	if err := s.conditions.Check(ctx, tx, in.Condition); err != nil {
		return err
	}
	if s.conditions.EventScoped(in.Condition) {
		return errs.Field("condition", "broadcast.event_scoped")
	}
	return nil
}

// next is the firing after now; nil if there is none.
func (s *Service) next(b *model.Broadcast, now time.Time) *time.Time {
	if b.Cron == "" {
		if b.At == nil || b.At.Before(now) {
			return nil
		}
		return b.At
	}
	line, err := clock.ParseCron(b.Cron, s.zone)
	if err != nil { // was checked
		return nil
	}
	if t := line.Next(now); !t.IsZero() {
		return &t
	}
	return nil
}

// Pause stops a broadcast and its unfinished runs.
func (s *Service) Pause(ctx context.Context, id int64) (*model.Broadcast, error) {
	return s.turn(ctx, id, model.BroadcastActive, model.BroadcastPaused)
}

// Resume lets a paused broadcast go on with its next firing: those in the pause are not sent.
func (s *Service) Resume(ctx context.Context, id int64) (*model.Broadcast, error) {
	return s.turn(ctx, id, model.BroadcastPaused, model.BroadcastActive)
}

func (s *Service) turn(ctx context.Context, id int64, from, to string) (*model.Broadcast, error) {
	b, err := db.Do(ctx, s.db, func(_ context.Context, tx *gorm.DB) (model.Broadcast, error) {
		b, err := lock(tx, id)
		if err != nil {
			return model.Broadcast{}, err
		}
		switch b.State {
		case to:
			return *b, nil
		case from:
		default:
			return *b, errs.New(errs.Conflict, "broadcast.done")
		}
		now := s.clock.Now()
		b.State, b.NextAt, b.UpdatedAt = to, nil, now
		if to == model.BroadcastActive {
			b.NextAt = s.next(b, now)
		}
		if err := s.reach.PauseSourceTx(tx, Source, id, to == model.BroadcastPaused); err != nil {
			return *b, err
		}
		return *b, tx.Save(b).Error
	})
	if err != nil {
		return nil, wrap("change", err)
	}
	return &b, nil
}

// Delete removes a broadcast that was never sent; one with runs is errs.Conflict ("broadcast.has_runs").
func (s *Service) Delete(ctx context.Context, id int64) error {
	_, err := db.Do(ctx, s.db, func(_ context.Context, tx *gorm.DB) (none struct{}, err error) {
		if _, err := lock(tx, id); err != nil {
			return none, err
		}
		if ran, err := hasRun(tx, id, ""); err != nil || ran {
			if ran {
				err = errs.New(errs.Conflict, "broadcast.has_runs")
			}
			return none, err
		}
		if err := s.reach.UseTx(tx, Source, id); err != nil {
			return none, err
		}
		return none, tx.Delete(&model.Broadcast{}, id).Error
	})
	return wrap("delete", err)
}

// Get reads a broadcast; errs.NotFound ("broadcast.not_found").
func (s *Service) Get(ctx context.Context, id int64) (*model.Broadcast, error) {
	return get(s.db.Reader(ctx), id)
}

// List reads broadcasts, newest first, below beforeID (0 = from the newest).
func (s *Service) List(ctx context.Context, beforeID int64, limit int) ([]model.Broadcast, error) {
	tx := s.db.Reader(ctx).Order("id DESC").Limit(min(max(limit, 1), 200))
	if beforeID > 0 {
		tx = tx.Where("id < ?", beforeID)
	}
	var rows []model.Broadcast
	return rows, wrap("list", tx.Find(&rows).Error)
}

func get(tx *gorm.DB, id int64) (*model.Broadcast, error) {
	return db.ByID[model.Broadcast](tx, id, "broadcast.not_found")
}

// lock reads a broadcast that this transaction decides about: all that concerns one goes one after another.
func lock(tx *gorm.DB, id int64) (*model.Broadcast, error) {
	if err := tx.Exec("UPDATE broadcasts SET version = version + 1 WHERE id = ?", id).Error; err != nil {
		return nil, wrap("lock", err)
	}
	return get(tx, id)
}

// hasRun reports whether the slot has a run; an empty slot means any.
func hasRun(tx *gorm.DB, id int64, slot string) (bool, error) {
	q := tx.Model(&model.Run{}).Where("source = ? AND source_id = ?", Source, id)
	if slot != "" {
		q = q.Where("slot = ?", slot)
	}
	var n int64
	err := q.Count(&n).Error
	return n > 0, wrap("find run", err)
}

// wrap adds where an error comes from, unless a caller must know it.
func wrap(what string, err error) error {
	if err == nil || errs.CodeOf(err) != "" {
		return err
	}
	return fmt.Errorf("broadcast: %s: %w", what, err)
}
