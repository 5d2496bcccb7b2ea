// Package work runs long jobs: imports, backtests, gifts to many. A job is a row; it advances in bounded slices, each of which commits
// what it did together with how far it is, so that a killed process loses nothing and repeats nothing.
package work

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// Slice does one bounded piece of a work, well under a minute, and calls ProgressTx in the transaction of what it wrote. It reports
// whether the work is at its end. An errs.Error ends the work as failed; any other is tried again, a few times.
type Slice func(ctx context.Context, w *model.Work) (done bool, err error)

// Service is the works and what they do.
type Service struct {
	db     *db.DB
	clock  clock.Clock
	slices map[string]Slice
}

// New returns the service. Kinds are registered while the app is built.
func New(d *db.DB, c clock.Clock) *Service {
	return &Service{db: d, clock: c, slices: map[string]Slice{}}
}

// Register says what a kind of work does.
func (s *Service) Register(kind string, run Slice) { s.slices[kind] = run }

const (
	lease       = time.Minute     // real time: after a kill somebody else goes on then
	turn        = time.Second     // real time: how long slices follow one another without a look at anything else
	maxFailures = 5               // of one slice, in a row
	backOff     = 5 * time.Second // app time, doubled with each failure
)

// ErrLost is what ProgressTx answers when the work was cancelled or somebody else works on it: nothing may be written.
var ErrLost = errors.New("work: cancelled, or lost to another process")

// StartTx begins a work of a registered kind. total is how many things there are to do, 0 where that is not known.
func (s *Service) StartTx(tx *gorm.DB, kind string, args any, total int64, actor string) (*model.Work, error) {
	if s.slices[kind] == nil {
		return nil, fmt.Errorf("work: unknown kind %q", kind)
	}
	now, none := s.clock.Now(), model.JSON("{}")
	w := &model.Work{
		Kind: kind, State: model.WorkRunning, Args: model.ToJSON(args), Cursor: none, Result: none, Total: total, Actor: actor,
		LeaseTill: clock.Real(), RetryAt: now, StartedAt: now,
	}
	if err := tx.Create(w).Error; err != nil {
		return nil, fmt.Errorf("work: start %s: %w", kind, err)
	}
	return w, nil
}

// ProgressTx commits how far the work is, in the transaction of the rows that it counts: cursor for its next slice, done of Total, and
// what came of it so far. ErrLost must undo the transaction.
func (s *Service) ProgressTx(tx *gorm.DB, w *model.Work, cursor any, done int64, result any) error {
	set := map[string]any{
		"version": gorm.Expr("version + 1"), "cursor": model.ToJSON(cursor), "done": done, "result": model.ToJSON(result),
		"failures": 0, "error": "", "lease_till": clock.Real().Add(lease),
	}
	if err := held(tx, w, set); err != nil {
		return err
	}
	w.Cursor, w.Done, w.Result, w.Failures = model.ToJSON(cursor), done, model.ToJSON(result), 0
	return nil
}

// held changes the row if this process still holds it.
func held(tx *gorm.DB, w *model.Work, set map[string]any) error {
	res := tx.Model(&model.Work{}).Where("id = ? AND claim = ? AND state = ?", w.ID, w.Claim, model.WorkRunning).Updates(set)
	if res.Error != nil {
		return fmt.Errorf("work %d: %w", w.ID, res.Error)
	}
	if res.RowsAffected == 0 {
		return ErrLost
	}
	return nil
}

// Due is when the next work goes on.
func (s *Service) Due(ctx context.Context) (time.Time, bool, error) {
	var w model.Work
	res := s.db.Reader(ctx).Select("retry_at").Where("state = ?", model.WorkRunning).Order("retry_at").Limit(1).Find(&w)
	return w.RetryAt, res.RowsAffected > 0, res.Error
}

// Work does slices of one work that nobody else works on, for about a second; it reports whether there was one. Any number of processes
// may call it.
func (s *Service) Work(ctx context.Context) (bool, error) {
	w, err := s.claim(ctx)
	if err != nil || w == nil {
		return false, err
	}
	for began := clock.Real(); ; {
		done, err := s.slice(ctx, w)
		if errors.Is(err, ErrLost) {
			return true, nil
		}
		if ctx.Err() != nil {
			done, err = false, nil // a stop is no failure
		}
		if done || err != nil || ctx.Err() != nil || clock.Real().Sub(began) > turn {
			return true, s.release(context.WithoutCancel(ctx), w, done, err)
		}
	}
}

func (s *Service) slice(ctx context.Context, w *model.Work) (bool, error) {
	run := s.slices[w.Kind]
	if run == nil {
		return false, fmt.Errorf("work: unknown kind %q: a newer siyu started it", w.Kind)
	}
	return run(ctx, w)
}

// claim takes the work that waits longest; nil where there is none, or another process was faster.
func (s *Service) claim(ctx context.Context) (*model.Work, error) {
	var w model.Work
	res := s.db.Reader(ctx).Where("state = ? AND retry_at <= ? AND lease_till <= ?", model.WorkRunning, s.clock.Now(), clock.Real()).
		Order("retry_at, id").Limit(1).Find(&w)
	if res.Error != nil || res.RowsAffected == 0 {
		return nil, res.Error
	}
	claim := strings.ToLower(rand.Text())
	taken := false
	err := s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		res := tx.Model(&model.Work{}).Where("id = ? AND version = ? AND state = ?", w.ID, w.Version, model.WorkRunning).
			Updates(map[string]any{"version": w.Version + 1, "claim": claim, "lease_till": clock.Real().Add(lease)})
		taken = res.RowsAffected == 1
		return res.Error
	})
	if err != nil || !taken {
		return nil, err
	}
	w.Claim = claim
	return &w, nil
}

// release gives the row back: finished, to be tried again, failed, or for the next turn.
func (s *Service) release(ctx context.Context, w *model.Work, done bool, failure error) error {
	now := s.clock.Now()
	set := map[string]any{"version": gorm.Expr("version + 1"), "lease_till": clock.Real(), "claim": ""}
	switch {
	case failure != nil:
		set["error"], set["failures"] = cut(failure.Error()), w.Failures+1
		set["retry_at"] = now.Add(backOff << w.Failures)
		if w.Failures+1 >= maxFailures || errs.CodeOf(failure) != "" {
			set["state"], set["ended_at"] = model.WorkFailed, now
		}
	case done:
		set["state"], set["ended_at"] = model.WorkDone, now
	}
	err := s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error { return held(tx, w, set) })
	if errors.Is(err, ErrLost) {
		return nil
	}
	if failure != nil {
		return errors.Join(fmt.Errorf("work %d (%s): %w", w.ID, w.Kind, failure), err)
	}
	return err
}

// cut fits the words of an error into its column.
func cut(s string) string {
	if r := []rune(s); len(r) > 500 {
		return string(r[:500])
	}
	return s
}

// Cancel ends a work before its end; what it did stays. One that ended already is errs.Conflict.
func (s *Service) Cancel(ctx context.Context, id int64) (*model.Work, error) {
	return s.change(ctx, id, model.WorkRunning, map[string]any{"state": model.WorkCancelled, "ended_at": s.clock.Now()})
}

// Retry lets a failed work go on where it stopped.
func (s *Service) Retry(ctx context.Context, id int64) (*model.Work, error) {
	return s.change(ctx, id, model.WorkFailed, map[string]any{"state": model.WorkRunning, "ended_at": nil, "failures": 0, "retry_at": s.clock.Now()})
}

func (s *Service) change(ctx context.Context, id int64, from string, set map[string]any) (*model.Work, error) {
	set["version"] = gorm.Expr("version + 1")
	out, err := db.Do(ctx, s.db, func(_ context.Context, tx *gorm.DB) (w model.Work, err error) {
		res := tx.Model(&model.Work{}).Where("id = ? AND state = ?", id, from).Updates(set)
		if res.Error != nil {
			return w, fmt.Errorf("work %d: %w", id, res.Error)
		}
		if w, err = get(tx, id); err == nil && res.RowsAffected == 0 {
			err = errs.New(errs.Conflict, "work.state", "state", w.State)
		}
		return w, err
	})
	return &out, err
}

// Get reads a work.
func (s *Service) Get(ctx context.Context, id int64) (*model.Work, error) {
	w, err := get(s.db.Reader(ctx), id)
	return &w, err
}

func get(tx *gorm.DB, id int64) (w model.Work, err error) {
	err = tx.Take(&w, id).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return w, errs.New(errs.NotFound, "work.not_found")
	}
	return w, err
}

// List is works, newest first: of one kind, or of all with "". before is the id of the last one of the page before; 0 = the first page.
func (s *Service) List(ctx context.Context, kind string, before int64, limit int) (rows []model.Work, err error) {
	q := s.db.Reader(ctx).Order("id DESC").Limit(limit)
	if kind != "" {
		q = q.Where("kind = ?", kind)
	}
	if before > 0 {
		q = q.Where("id < ?", before)
	}
	return rows, q.Find(&rows).Error
}
