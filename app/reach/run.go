package reach

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// RunSpec is a send to be frozen. (Source, SourceID, Slot) is its key: the second of two is refused.
type RunSpec struct {
	Source   string // broadcast
	SourceID int64
	Slot     string // the firing
	Class    string // model.ClassMarketing or model.ClassService
	Message  Message
	Members  *roaring.Bitmap
	Rules    Rules
	Reserves []Reserve // more important sends of the day
	Variant  string
	Held     *roaring.Bitmap // who gets nothing; nil = nobody
	Own      []string        // variables that the source fills: see Recheck
	Hold     bool            // it begins paused, until HoldTx lets it go
}

// past is before every lease.
var past = time.Unix(0, 0).UTC()

// StartTx freezes a run in the caller's transaction: one row with the exact members, and its ranges. Work does the rest.
// It returns errs.Duplicate ("reach.duplicate") if the slot has a run already; the caller's transaction must then end.
func (s *Service) StartTx(_ context.Context, tx *gorm.DB, spec RunSpec) (*model.Run, error) {
	if err := s.CheckTx(tx, spec.Class, spec.Message, spec.Own...); err != nil {
		return nil, err
	}
	if err := spec.Rules.Validate(); err != nil {
		return nil, err
	}
	now := s.clock.Now()
	members := roaring.New()
	if spec.Members != nil {
		members = spec.Members.Clone()
	}
	members.RunOptimize()
	raw, err := members.ToBytes()
	if err != nil {
		return nil, fmt.Errorf("reach: freeze: %w", err)
	}
	n := int64(members.GetCardinality()) //nolint:gosec // ids fit 32 bits
	run := spec.run(model.RunSending, now)
	run.Audience, run.Members, run.RangeSize, run.Paused = n, raw, int64(s.o.RangeSize), spec.Hold
	if n == 0 {
		run.State, run.DoneAt = model.RunDone, &now
	}
	run.Reserves, run.Variant = len(spec.Reserves), spec.Variant
	if spec.Held != nil {
		run.Held = int64(spec.Held.GetCardinality()) //nolint:gosec // ids fit 32 bits
	}
	if until := spec.Rules.until(now); !until.IsZero() {
		run.Until = &until
	}
	if err := insertRun(tx, run); err != nil {
		return nil, err
	}
	if run.Held > 0 {
		raw, err := spec.Held.ToBytes()
		if err == nil {
			err = tx.Create(&model.RunHeld{RunID: run.ID, Members: raw}).Error
		}
		if err != nil {
			return nil, fmt.Errorf("reach: freeze: %w", err)
		}
	}
	if err := freezeReserves(tx, run.ID, spec.Reserves); err != nil {
		return nil, err
	}
	var ranges []model.Range
	for from := int64(0); from < n; from += run.RangeSize {
		to := min(from+run.RangeSize, n)
		ranges = append(ranges, model.Range{
			RunID: run.ID, No: from / run.RangeSize, FromSeq: from, ToSeq: to, Cursor: from,
			State: model.RangeOpen, DueAt: now, LeaseTill: past, Pending: to - from, Reasons: model.JSON("{}"),
		})
	}
	if len(ranges) > 0 {
		if err := tx.CreateInBatches(ranges, 200).Error; err != nil {
			return nil, fmt.Errorf("reach: freeze: %w", err)
		}
	}
	s.o.Crash("freezing")
	run.Members = nil
	return run, nil
}

// MissTx records a firing that was never started.
func (s *Service) MissTx(tx *gorm.DB, spec RunSpec) (*model.Run, error) {
	now := s.clock.Now()
	run := spec.run(model.RunMissed, now)
	run.DoneAt = &now
	return run, insertRun(tx, run)
}

func (spec RunSpec) run(state string, now time.Time) *model.Run {
	return &model.Run{
		Source: spec.Source, SourceID: spec.SourceID, Slot: spec.Slot, Class: spec.Class,
		State: state, Message: model.ToJSON(spec.Message), Rules: model.ToJSON(spec.Rules), RangeSize: 1, Members: []byte{}, CreatedAt: now,
	}
}

func insertRun(tx *gorm.DB, run *model.Run) error {
	dup, err := db.Insert(tx, run)
	if err != nil {
		return fmt.Errorf("reach: freeze: %w", err)
	}
	if dup {
		return errs.New(errs.Duplicate, "reach.duplicate", "slot", run.Slot)
	}
	return nil
}

// maxSets is how many runs that were asked for last stay in memory with what does not change of them.
const maxSets = 4

// members is the frozen set of a run. The result is shared: it is not changed.
func (s *Service) members(tx *gorm.DB, runID int64) (set, error) {
	return s.sets.Get(runID, maxSets, func() (set, error) {
		var run model.Run
		if err := tx.Select("members").Take(&run, runID).Error; err != nil {
			return nil, fmt.Errorf("reach: members of run %d: %w", runID, err)
		}
		bm := roaring.New()
		if _, err := bm.ReadFrom(bytes.NewReader(run.Members)); err != nil {
			return nil, fmt.Errorf("reach: members of run %d: %w", runID, err)
		}
		return bm, nil
	})
}

// MembersOf are those whom a run was frozen with, and those of its firing who are held back.
func (s *Service) MembersOf(tx *gorm.DB, run *model.Run) (members, held *roaring.Bitmap, err error) {
	frozen, err := s.members(tx, run.ID)
	if err != nil {
		return nil, nil, err
	}
	held = roaring.New()
	if run.Held == 0 {
		return frozen.Clone(), held, nil
	}
	var row model.RunHeld
	if err = tx.Take(&row, run.ID).Error; err == nil {
		_, err = held.ReadFrom(bytes.NewReader(row.Members))
	}
	if err != nil {
		return nil, nil, fmt.Errorf("reach: held of run %d: %w", run.ID, err)
	}
	return frozen.Clone(), held, nil
}

// Pause stops a run, or lets it go on. Calls in flight end.
func (s *Service) Pause(ctx context.Context, runID int64, paused bool) error {
	return s.turn(ctx, runID, func(_ context.Context, tx *gorm.DB) error {
		return s.change(tx.Where("id = ?", runID), paused)
	})
}

// turn changes a run; the answer, which the audit log takes, is the run as it is then.
func (s *Service) turn(ctx context.Context, runID int64, change func(ctx context.Context, tx *gorm.DB) error) error {
	_, err := db.Do(ctx, s.db, func(ctx context.Context, tx *gorm.DB) (r model.Run, err error) {
		if err := change(ctx, tx); err != nil {
			return r, err
		}
		row, err := get(tx, runID)
		if err != nil {
			return r, err
		}
		return *row, nil
	})
	return err
}

// PauseSourceTx pauses, or lets go on, every unfinished run of a source.
func (s *Service) PauseSourceTx(tx *gorm.DB, source string, sourceID int64, paused bool) error {
	err := s.change(tx.Where("source = ? AND source_id = ?", source, sourceID), paused)
	if errs.CodeOf(err) == errs.NotFound {
		return nil
	}
	return err
}

// HoldTx pauses an unfinished run, or lets it go on, in the caller's transaction.
func (s *Service) HoldTx(tx *gorm.DB, runID int64, hold bool) error {
	return s.change(tx.Where("id = ?", runID), hold)
}

// change pauses unfinished runs, or lets them go on; a finished one stays as it is. That an operator paused it replaces why a run had paused itself.
func (s *Service) change(tx *gorm.DB, paused bool) error {
	tx = tx.Session(&gorm.Session{}) // asked twice
	res := tx.Model(&model.Run{}).Where("state IN ?", []string{model.RunSending, model.RunMassing}).
		Updates(map[string]any{"paused": paused, "paused_for": ""})
	if res.Error != nil {
		return fmt.Errorf("reach: change run: %w", res.Error)
	}
	if res.RowsAffected == 0 {
		var n int64
		if err := tx.Model(&model.Run{}).Count(&n).Error; err != nil || n > 0 {
			return err
		}
		return errs.New(errs.NotFound, "reach.no_run")
	}
	return nil
}

// Cancel ends a run: who was not sent to yet is cancelled, by the workers. A finished run stays as it is.
func (s *Service) Cancel(ctx context.Context, runID int64) error {
	return s.turn(ctx, runID, func(ctx context.Context, tx *gorm.DB) error {
		res := tx.Model(&model.Run{}).Where("id = ? AND state IN ?", runID, []string{model.RunSending, model.RunMassing}).
			Updates(map[string]any{"state": model.RunCancelling, "paused": false})
		if res.Error != nil {
			return fmt.Errorf("reach: cancel: %w", res.Error)
		}
		if res.RowsAffected == 0 {
			_, err := get(tx, runID)
			return err
		}
		now := s.clock.Now()
		_, err := exec(ctx, tx, "UPDATE ranges SET state = ?, due_at = ?, step = step + 1 WHERE run_id = ? AND pending + deferred_count > 0",
			model.RangeOpen, now, runID)
		if err != nil {
			return fmt.Errorf("reach: cancel: %w", err)
		}
		_, err = exec(ctx, tx, "UPDATE batches SET due_at = ?, step = step + 1 WHERE run_id = ?", now, runID)
		if err != nil {
			return fmt.Errorf("reach: cancel: %w", err)
		}
		return nil
	})
}
