package sop

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/model"
)

// Input is a SOP as an operator writes it.
type Input struct {
	ID         int64 // 0 makes a draft
	Definition Definition
	// Move takes those who run by an older version to the step of this one that has the same key; whoever has none there is out. Else
	// they stay on theirs.
	Move  bool
	Actor string
}

// Save makes a draft, or the next version of a SOP; one that has ended is errs.Conflict.
func (s *Service) Save(ctx context.Context, in Input) (*model.SOP, error) {
	out, err := db.Do(ctx, s.DB, func(ctx context.Context, tx *gorm.DB) (model.SOP, error) { return s.saveTx(ctx, tx, in) })
	return &out, err
}

func (s *Service) saveTx(ctx context.Context, tx *gorm.DB, in Input) (row model.SOP, err error) {
	now, d := s.Clock.Now(), in.Definition
	row = model.SOP{State: model.SOPDraft, CreatedAt: now}
	if in.ID != 0 {
		old, err := lock(tx, in.ID)
		if err != nil {
			return row, err
		}
		if row = *old; row.State == model.SOPEnded {
			return row, errs.New(errs.Conflict, "sop.ended")
		}
	}
	if err := s.check(ctx, tx, &d); err != nil {
		return row, err
	}
	row.Name, row.UpdatedAt = d.Name, now
	row.Version++
	if row.State == model.SOPActive {
		if row.NextAt, err = s.next(&d, now); err != nil {
			return row, err
		}
	}
	if err := tx.Save(&row).Error; err != nil {
		return row, fmt.Errorf("sop: save: %w", err)
	}
	v := model.SOPVersion{SOPID: row.ID, Version: row.Version, Definition: model.ToJSON(d), Actor: in.Actor, CreatedAt: now}
	if err := tx.Create(&v).Error; err != nil {
		return row, fmt.Errorf("sop: save: %w", err)
	}
	if err := s.use(tx, row.ID, row.Version); err != nil {
		return row, err
	}
	if in.Move && row.State != model.SOPDraft {
		f := model.SOPFiring{SOPID: row.ID, Kind: model.FiringMove, Version: row.Version, State: model.FiringOpen, At: now, Members: []byte{}, CreatedAt: now}
		if err := tx.Create(&f).Error; err != nil {
			return row, fmt.Errorf("sop: move: %w", err)
		}
	}
	return row, db.Bump(tx, revision)
}

// use notes the pictures that this version sends, and those by which somebody still runs.
func (s *Service) use(tx *gorm.DB, id int64, version int) error {
	var rows []model.SOPVersion
	err := tx.Find(&rows, "sop_id = ? AND (version = ? OR version IN (SELECT version FROM sop_enrolments WHERE sop_id = ? AND running = 1))", id, version, id).Error
	if err != nil {
		return fmt.Errorf("sop: pictures: %w", err)
	}
	var messages []reach.Message
	for _, v := range rows {
		d, err := read(v.Definition)
		if err != nil {
			return err
		}
		for _, st := range d.Steps {
			if st.Send != nil {
				messages = append(messages, st.Send.Message)
			}
		}
	}
	return s.Reach.UseTx(tx, Source, id, messages...)
}

// next is the entry by the clock after now; nil if there is none. One that can never come is refused.
func (s *Service) next(d *Definition, now time.Time) (*time.Time, error) {
	switch {
	case d.Entry.At != nil:
		if at := d.Entry.At.UTC().Truncate(time.Microsecond); !at.Before(now) {
			return &at, nil
		}
		return nil, nil
	case d.Entry.Cron != "":
		_, first, err := clock.CheckCron(d.Entry.Cron, s.Zone, now)
		return &first, errs.Under(err, "entry")
	}
	return nil, nil
}

// Enable begins a draft. One whose only entry is over is refused.
func (s *Service) Enable(ctx context.Context, id int64) (*model.SOP, error) {
	return s.turn(ctx, id, []string{model.SOPDraft}, model.SOPActive)
}

// Pause lets nobody in and sends nothing.
func (s *Service) Pause(ctx context.Context, id int64) (*model.SOP, error) {
	return s.turn(ctx, id, []string{model.SOPActive}, model.SOPPaused)
}

// Resume lets a paused SOP go on: steps and entries that fell due in the pause are missed.
func (s *Service) Resume(ctx context.Context, id int64) (*model.SOP, error) {
	return s.turn(ctx, id, []string{model.SOPPaused}, model.SOPActive)
}

// Stop ends a SOP for good: whoever is in it is out, and what waits to be sent is skipped as EXITED.
func (s *Service) Stop(ctx context.Context, id int64) (*model.SOP, error) {
	return s.turn(ctx, id, []string{model.SOPActive, model.SOPPaused}, model.SOPEnded)
}

func (s *Service) turn(ctx context.Context, id int64, from []string, to string) (*model.SOP, error) {
	out, err := db.Do(ctx, s.DB, func(ctx context.Context, tx *gorm.DB) (model.SOP, error) {
		row, err := lock(tx, id)
		if err != nil {
			return model.SOP{}, err
		}
		if row.State == to {
			return *row, nil
		}
		if row.State != from[0] && row.State != from[len(from)-1] {
			return *row, errs.New(errs.Conflict, "sop.state", "state", row.State)
		}
		return s.turnTx(ctx, tx, *row, to)
	})
	return &out, err
}

func (s *Service) turnTx(ctx context.Context, tx *gorm.DB, row model.SOP, to string) (model.SOP, error) {
	now, was := s.Clock.Now(), row.State
	row.State, row.NextAt, row.UpdatedAt = to, nil, now
	if to == model.SOPActive {
		d, err := definition(tx, row.ID, row.Version)
		if err == nil && was == model.SOPDraft { // what it names may be gone since
			err = s.check(ctx, tx, d)
		}
		if err == nil {
			row.NextAt, err = s.next(d, now)
		}
		if err == nil && was == model.SOPDraft && d.Entry.At != nil && row.NextAt == nil {
			err = errs.Field("entry.at", "broadcast.past")
		}
		if err != nil {
			return row, err
		}
		if was == model.SOPPaused {
			row.ResumedAt = &now
		}
	}
	if err := tx.Save(&row).Error; err != nil {
		return row, fmt.Errorf("sop: %s: %w", to, err)
	}
	if err := s.Reach.PauseSourceTx(tx, Source, row.ID, to == model.SOPPaused); err != nil {
		return row, err
	}
	if was == model.SOPPaused && to == model.SOPActive {
		if err := s.holdOpen(tx, row.ID); err != nil {
			return row, err
		}
	}
	return row, db.Bump(tx, revision)
}

// holdOpen holds the run again whose grants are not all given.
func (s *Service) holdOpen(tx *gorm.DB, id int64) error {
	var open []model.SOPFiring
	err := tx.Omit("members").Where("sop_id = ? AND state = ? AND run_id > 0", id, model.FiringOpen).Find(&open).Error
	if err != nil {
		return fmt.Errorf("sop: open firings: %w", err)
	}
	for _, f := range open {
		if d, err := definition(tx, id, f.Version); err != nil {
			return err
		} else if st := d.step(f.Step); st == nil || st.Send == nil || st.Send.Grants == nil {
			continue
		}
		if err := s.Reach.HoldTx(tx, f.RunID, true); err != nil {
			return err
		}
	}
	return nil
}

// Delete removes a draft; what was enabled once is errs.Conflict.
func (s *Service) Delete(ctx context.Context, id int64) error {
	_, err := db.Do(ctx, s.DB, func(_ context.Context, tx *gorm.DB) (none struct{}, err error) {
		row, err := lock(tx, id)
		if err != nil {
			return none, err
		}
		if row.State != model.SOPDraft {
			return none, errs.New(errs.Conflict, "sop.state", "state", row.State)
		}
		if err := tx.Where("sop_id = ?", id).Delete(&model.SOPVersion{}).Error; err != nil {
			return none, fmt.Errorf("sop: delete: %w", err)
		}
		if err := s.Reach.UseTx(tx, Source, id); err != nil {
			return none, err
		}
		return none, tx.Delete(row).Error
	})
	return err
}
