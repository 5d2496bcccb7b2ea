package sop

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/model"
)

// Work does one piece of what is due: it moves a chunk of a firing on, lets in whom the clock brings, or freezes a step that is due. Any
// number of processes may call it.
func (s *Service) Work(ctx context.Context) (did bool, err error) {
	set, err := s.load(s.DB.Reader(ctx))
	if err != nil {
		return false, err
	}
	now := s.Clock.Now()
	for _, p := range set.list {
		if p.State != model.SOPActive {
			continue
		}
		if did, err := s.work(ctx, p, now); did || err != nil {
			return did, err
		}
	}
	return false, nil
}

func (s *Service) work(ctx context.Context, p *plan, now time.Time) (did bool, err error) {
	if open, err := s.open(s.DB.Reader(ctx), p.ID); err != nil || open != nil {
		if err != nil {
			return false, err
		}
		return true, s.move(ctx, p, open.ID)
	}
	if p.NextAt != nil && !p.NextAt.After(now) {
		return s.fireEntry(ctx, p.ID, now)
	}
	first, err := s.first(s.DB.Reader(ctx), p.ID)
	if err != nil || first == nil || first.DueAt.After(now) {
		return false, err
	}
	return s.freeze(ctx, p.ID, now)
}

// open is the firing of a SOP whose members are not all moved on: one comes after another.
func (s *Service) open(tx *gorm.DB, sopID int64) (*model.SOPFiring, error) {
	var rows []model.SOPFiring
	err := tx.Omit("members").Where("sop_id = ? AND state = ?", sopID, model.FiringOpen).Order("id").Limit(1).Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return &rows[0], nil
}

// first is who is due first.
func (s *Service) first(tx *gorm.DB, sopID int64) (*model.SOPEnrolment, error) {
	var rows []model.SOPEnrolment
	err := tx.Select("id", "version", "step", "due_at").Where("sop_id = ? AND due_at IS NOT NULL", sopID).Order("due_at").Limit(1).Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return &rows[0], nil
}

// Due is when something falls due next; false if never.
func (s *Service) Due(ctx context.Context) (at time.Time, ok bool, err error) {
	r := s.DB.Reader(ctx)
	set, err := s.load(r)
	if err != nil {
		return at, false, err
	}
	sooner := func(t *time.Time) {
		if t != nil && (!ok || t.Before(at)) {
			at, ok = t.UTC(), true
		}
	}
	for _, p := range set.list {
		if p.State != model.SOPActive {
			continue
		}
		sooner(p.NextAt)
		first, err := s.first(r, p.ID)
		if err != nil {
			return at, false, err
		}
		if first != nil {
			sooner(first.DueAt)
		}
		open, err := s.open(r, p.ID)
		if err != nil {
			return at, false, err
		}
		if open != nil {
			sooner(&open.At)
		}
	}
	return at, ok, nil
}

// maxMissed bounds the rows of one downtime.
const maxMissed = 20

// fireEntry freezes who comes in by the clock, unless another process did.
func (s *Service) fireEntry(ctx context.Context, sopID int64, now time.Time) (did bool, err error) {
	err = s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		did = false
		row, err := lock(tx, sopID)
		if err != nil {
			return err
		}
		if row.State != model.SOPActive || row.NextAt == nil || row.NextAt.After(now) {
			return nil
		}
		if open, err := s.open(tx, sopID); err != nil || open != nil {
			return err
		}
		did = true
		d, err := definition(tx, sopID, row.Version)
		if err != nil {
			return err
		}
		slots := s.slots(d, *row.NextAt, now)
		last := slots[len(slots)-1]
		if now.Sub(last) <= CatchUp {
			slots = slots[:len(slots)-1]
			if err := s.intake(ctx, tx, row, d, last, now); err != nil {
				return err
			}
		}
		for _, at := range slots[max(0, len(slots)-maxMissed):] {
			slog.WarnContext(ctx, "an entry of a SOP was missed", "sop", sopID, "firing", at)
			f := model.SOPFiring{SOPID: sopID, Kind: model.FiringEntry, Version: row.Version, State: model.FiringMissed, At: at, Members: []byte{}, CreatedAt: now, DoneAt: &now}
			if err := tx.Create(&f).Error; err != nil {
				return err
			}
			if err := s.Reach.MissedTx(ctx, tx, Source, sopID, at); err != nil {
				return err
			}
		}
		row.NextAt = nil
		if d.Entry.Cron != "" {
			if line, err := clock.ParseCron(d.Entry.Cron, s.Zone); err != nil {
				return err
			} else if next := line.Next(now); !next.IsZero() {
				row.NextAt = &next
			}
		}
		if err := tx.Model(row).Select("next_at").Updates(row).Error; err != nil {
			return err
		}
		return db.Bump(tx, revision)
	})
	if err != nil {
		return did, fmt.Errorf("sop: entry of %d: %w", sopID, err)
	}
	return did, nil
}

// slots are the firings from the one that is due up to now.
func (s *Service) slots(d *Definition, first, now time.Time) []time.Time {
	all := []time.Time{first.UTC()}
	line, err := clock.ParseCron(d.Entry.Cron, s.Zone)
	if d.Entry.Cron == "" || err != nil { // was checked
		return all
	}
	for t := line.Next(all[0]); !t.IsZero() && !t.After(now); t = line.Next(t) {
		if all = append(all, t); len(all) > 2*maxMissed {
			all = append(all[:0], all[len(all)-maxMissed-1:]...)
		}
	}
	return all
}

// intake freezes who meets the condition of the entry now.
func (s *Service) intake(ctx context.Context, tx *gorm.DB, row *model.SOP, d *Definition, at, now time.Time) error {
	who, _, err := s.Audience.Members(ctx, tx, now, d.Entry.Condition)
	if err != nil || who.IsEmpty() {
		return err
	}
	f := model.SOPFiring{SOPID: row.ID, Kind: model.FiringEntry, Version: row.Version, State: model.FiringOpen, At: at, CreatedAt: now}
	return create(tx, &f, who)
}

func create(tx *gorm.DB, f *model.SOPFiring, set *roaring.Bitmap) (err error) {
	set.RunOptimize()
	f.Audience = int64(set.GetCardinality()) //nolint:gosec // ids fit 32 bits
	if f.Members, err = set.ToBytes(); err != nil {
		return err
	}
	return tx.Create(f).Error
}

// freeze fixes who is due at a step, and of a message the run that sends it, unless another process did. Who is due for so long that
// nobody was up, or the SOP was paused, passes the step as missed: they are a firing of their own.
func (s *Service) freeze(ctx context.Context, sopID int64, now time.Time) (did bool, err error) {
	s.Crash("sop_before_freeze")
	err = s.DB.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		did = false
		row, err := lock(tx, sopID)
		if err != nil || row.State != model.SOPActive {
			return err
		}
		if open, err := s.open(tx, sopID); err != nil || open != nil {
			return err
		}
		first, err := s.first(tx, sopID)
		if err != nil || first == nil || first.DueAt.After(now) {
			return err
		}
		d, err := definition(tx, sopID, first.Version)
		if err != nil {
			return err
		}
		did = true
		return s.freezeStep(ctx, tx, row, d, first, now)
	})
	if err != nil {
		return did, fmt.Errorf("sop: freeze %d: %w", sopID, err)
	}
	if did {
		s.Crash("sop_after_freeze")
	}
	return did, nil
}

func (s *Service) freezeStep(ctx context.Context, tx *gorm.DB, row *model.SOP, d *Definition, first *model.SOPEnrolment, now time.Time) error {
	st := d.step(first.Step)
	if st == nil {
		return fmt.Errorf("version %d has no step %q", first.Version, first.Step)
	}
	f := model.SOPFiring{SOPID: row.ID, Step: st.Key, Kind: model.FiringStep, Version: first.Version, State: model.FiringOpen, At: now, CreatedAt: now}
	over := now.Add(-CatchUp)
	if row.ResumedAt != nil && row.ResumedAt.After(over) {
		over = *row.ResumedAt
	}
	f.Late = st.Send != nil && first.DueAt.Before(over)
	from, to := over, now
	switch {
	case f.Late:
		from, to = time.Unix(0, 0).UTC(), over.Add(-time.Microsecond)
	case st.Send == nil:
		from = time.Unix(0, 0).UTC()
	}
	rows, err := tx.Model(&model.SOPEnrolment{}).Select("id", "member_id").
		Where("sop_id = ? AND due_at >= ? AND due_at <= ? AND version = ? AND step = ?", row.ID, from, to, first.Version, st.Key).Rows()
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	set, members := roaring.New(), roaring.New()
	for rows.Next() {
		var id, member int64
		if err := rows.Scan(&id, &member); err != nil {
			return err
		}
		if id > math.MaxUint32 {
			return fmt.Errorf("enrolment %d is beyond 32 bits", id)
		}
		set.Add(uint32(id))         //nolint:gosec // looked at
		members.Add(uint32(member)) //nolint:gosec // ids fit 32 bits
	}
	if err := rows.Err(); err != nil {
		return err
	}
	_ = rows.Close()
	if err := create(tx, &f, set); err != nil {
		return err
	}
	if st.Send == nil {
		return nil
	}
	if f.Late && (row.ResumedAt == nil || first.DueAt.After(*row.ResumedAt)) { // not what an operator had paused
		if err := s.Reach.MissedTx(ctx, tx, Source, row.ID, *first.DueAt); err != nil {
			return err
		}
	}
	return s.startRun(ctx, tx, &f, d, st, members)
}

// startRun freezes the run of a message. What is given comes first: the run waits for it, so that one decision holds for both.
func (s *Service) startRun(ctx context.Context, tx *gorm.DB, f *model.SOPFiring, d *Definition, st *Step, members *roaring.Bitmap) error {
	spec := reach.RunSpec{
		Source: Source, SourceID: f.SOPID, Slot: strconv.FormatInt(f.ID, 10), Class: d.class(st), Message: st.Send.Message, Members: members, Hold: st.Send.Grants != nil,
	}
	var run *model.Run
	var err error
	if f.Late {
		slog.WarnContext(ctx, "a step of a SOP was missed", "sop", f.SOPID, "step", f.Step, "members", f.Audience)
		run, err = s.Reach.MissTx(tx, spec)
	} else {
		run, err = s.Reach.StartTx(ctx, tx, spec)
	}
	if err != nil {
		return err
	}
	f.RunID = run.ID
	return tx.Model(&model.SOPFiring{}).Where("id = ?", f.ID).Update("run_id", run.ID).Error
}

// firing is a firing with whom it froze. It is shared: nobody changes the set.
type firing struct {
	model.SOPFiring
	set *roaring.Bitmap
}

// maxFirings is how many that were asked for last stay in memory with what was frozen of them.
const maxFirings = 8

// frozen reads a firing with its set; its state and cursor may be old.
func (s *Service) frozen(tx *gorm.DB, id int64) (*firing, error) {
	return s.firings.Get(id, maxFirings, func() (*firing, error) { return readFiring(tx, id) })
}

func readFiring(tx *gorm.DB, id int64) (*firing, error) {
	f := &firing{set: roaring.New()}
	if err := tx.Take(&f.SOPFiring, id).Error; err != nil {
		return nil, fmt.Errorf("sop: firing %d: %w", id, err)
	}
	if len(f.Members) > 0 {
		if _, err := f.set.ReadFrom(bytes.NewReader(f.Members)); err != nil {
			return nil, fmt.Errorf("sop: members of firing %d: %w", id, err)
		}
		f.Members = nil
	}
	return f, nil
}
