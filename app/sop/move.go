package sop

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// A transaction moves a chunk, and where each member has to be asked about, as many as it gets done in its time: others wait for the writer.
const (
	chunk     = 500
	chunkTime = 15 * time.Millisecond // real time
)

// move moves the next members of a firing on, unless the SOP is paused or another process does.
func (s *Service) move(ctx context.Context, p *plan, firingID int64) error {
	done := false
	err := s.DB.BulkTx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		done = false
		row, err := lock(tx, p.ID)
		if err != nil || row.State != model.SOPActive {
			return err
		}
		var f model.SOPFiring
		if err := tx.Omit("members").Take(&f, firingID).Error; err != nil || f.State != model.FiringOpen {
			return err
		}
		fr, err := s.frozen(tx, firingID)
		if err != nil {
			return err
		}
		d, err := definition(tx, p.ID, f.Version)
		if err != nil {
			return err
		}
		m := &mover{s: s, ctx: ctx, tx: tx, row: row, f: &f, d: d, now: s.Clock.Now()}
		switch f.Kind {
		case model.FiringEntry:
			err = m.enterChunk(fr)
		case model.FiringMove:
			err = m.versionChunk()
		default:
			err = m.stepChunk(fr)
		}
		if err != nil {
			return err
		}
		if done = f.DoneAt != nil; done {
			s.Crash("sop_before_done")
		}
		return tx.Model(&f).Select("cursor_id", "state", "done_at").Updates(&f).Error
	})
	if err != nil {
		return fmt.Errorf("sop: move firing %d: %w", firingID, err)
	}
	s.Crash("sop_moved")
	if done {
		s.Crash("sop_after_done")
	}
	return nil
}

// mover is one chunk on its way.
type mover struct {
	s     *Service
	ctx   context.Context // lives as long as one transaction
	tx    *gorm.DB
	row   *model.SOP
	f     *model.SOPFiring
	d     *Definition
	now   time.Time
	began time.Time

	passed  map[int64]map[string]bool
	passes  []model.SOPPass
	changed []*model.SOPEnrolment
}

func (m *mover) done() {
	m.f.State, m.f.DoneAt = model.FiringDone, &m.now
}

// next are the ids of a frozen set behind the cursor, ascending.
func next(fr *firing, cursor int64, n int) []int64 {
	it := fr.set.Iterator()
	it.AdvanceIfNeeded(uint32(cursor + 1)) //nolint:gosec // an id of the set, or 0
	var ids []int64
	for it.HasNext() && len(ids) < n {
		ids = append(ids, int64(it.Next()))
	}
	return ids
}

// lockMembers is member.LockTx for many; who is gone is not missed here.
func lockMembers(tx *gorm.DB, ids []int64) error {
	slices.Sort(ids)
	if ids = slices.Compact(ids); len(ids) == 0 {
		return nil
	}
	if err := tx.Exec("UPDATE members SET version = version + 1 WHERE id IN ?", ids).Error; err != nil {
		return fmt.Errorf("lock members: %w", err)
	}
	return nil
}

// enterChunk lets the next members in whom the clock brings.
func (m *mover) enterChunk(fr *firing) error {
	ids := next(fr, m.f.Cursor, chunk)
	if len(ids) == 0 {
		m.done()
		return nil
	}
	m.f.Cursor = ids[len(ids)-1]
	if err := lockMembers(m.tx, ids); err != nil {
		return err
	}
	var there []int64
	err := m.tx.Model(&model.Member{}).Where("id IN ? AND merged_into IS NULL AND erased_at IS NULL", ids).Order("id").Pluck("id", &there).Error
	if err != nil {
		return err
	}
	last, err := m.s.last(m.tx, m.row.ID, there)
	if err != nil {
		return err
	}
	p := &plan{SOP: *m.row, defs: map[int]*Definition{m.row.Version: m.d}}
	p.Version = m.f.Version
	p.defs[p.Version] = m.d
	var in []*model.SOPEnrolment
	var missed [][]model.SOPPass
	for _, id := range there {
		if e, passes := m.s.enrol(p, id, m.f.At, last[id]); e != nil {
			in, missed = append(in, e), append(missed, passes)
		}
	}
	if len(in) == 0 {
		return nil
	}
	if err := m.tx.Create(in).Error; err != nil { // nobody else lets them in: their locks are held, and an entry is by the clock or by events
		return err
	}
	for i, e := range in {
		for _, pass := range missed[i] {
			pass.EnrolmentID = e.ID
			m.passes = append(m.passes, pass)
		}
	}
	return m.flush()
}

// versionChunk moves the next members who run by an older version.
func (m *mover) versionChunk() error {
	var rows []*model.SOPEnrolment
	read := func(q *gorm.DB) error {
		rows = nil
		return q.Where("state = ? AND version < ?", model.EnrolmentRunning, m.f.Version).Order("id").Find(&rows).Error
	}
	if err := read(m.tx.Where("sop_id = ? AND id > ?", m.row.ID, m.f.Cursor).Limit(chunk)); err != nil {
		return err
	}
	if len(rows) == 0 {
		m.done()
		return nil
	}
	ids := idsOf(rows)
	m.f.Cursor = ids[len(ids)-1]
	if err := m.lock(rows, func() error { return read(m.tx.Where("id IN ?", ids)) }, &rows); err != nil {
		return err
	}
	for _, e := range rows {
		e.Version, e.Moved = m.f.Version, true
	}
	var err error
	if m.passed, err = m.s.passed(m.tx, rows...); err != nil {
		return err
	}
	for _, e := range rows {
		i := m.d.index(e.Step)
		if i == len(m.d.Steps) {
			m.s.end(m.d, e, model.EnrolmentCut, m.now)
		} else {
			m.replace(e, i)
		}
		m.changed = append(m.changed, e)
	}
	return m.flush()
}

// replace gives a member the time of his step by the new version. One that is over is missed.
func (m *mover) replace(e *model.SOPEnrolment, i int) {
	due := m.d.Steps[i].due(m.s.Zone, e.EnteredAt, e.ReachedAt)
	if m.d.Steps[i].Send == nil || !due.IsZero() && !due.Before(m.now) {
		if due.IsZero() || due.Before(m.now) {
			due = m.now
		}
		e.DueAt = &due
		return
	}
	m.passes = append(m.passes, passOf(e, model.PassMissed, m.now))
	m.passes = append(m.passes, m.s.advance(m.d, e, m.d.after(i, m.d.Steps[i].Next), m.now, m.now, m.passed[e.ID])...)
}

func idsOf(rows []*model.SOPEnrolment) []int64 {
	ids := make([]int64, len(rows))
	for i, e := range rows {
		ids[i] = e.ID
	}
	return ids
}

// lock locks the members of enrolments and reads these again: also those who were merged meanwhile.
func (m *mover) lock(rows []*model.SOPEnrolment, again func() error, now *[]*model.SOPEnrolment) error {
	held := map[int64]bool{}
	for {
		var more []int64
		for _, e := range rows {
			if !held[e.MemberID] {
				more, held[e.MemberID] = append(more, e.MemberID), true
			}
		}
		if len(more) == 0 {
			return nil
		}
		if err := lockMembers(m.tx, more); err != nil {
			return err
		}
		if err := again(); err != nil {
			return err
		}
		rows = *now
	}
}

// stepChunk takes the next members of a step on.
func (m *mover) stepChunk(fr *firing) error {
	ids := next(fr, m.f.Cursor, chunk)
	if len(ids) == 0 {
		return m.finish()
	}
	var rows []*model.SOPEnrolment
	read := func() error {
		rows = nil
		return m.tx.Where("id IN ?", ids).Order("id").Find(&rows).Error
	}
	if err := read(); err != nil {
		return err
	}
	if err := m.lock(rows, read, &rows); err != nil {
		return err
	}
	rows = slices.DeleteFunc(rows, func(e *model.SOPEnrolment) bool { // he went another way since: as by an event that he waited for
		return e.State == model.EnrolmentEnded || e.Step != m.f.Step || e.Version != m.f.Version || e.DueAt == nil
	})
	var err error
	if m.passed, err = m.s.passed(m.tx, rows...); err != nil {
		return err
	}
	st := m.d.step(m.f.Step)
	g := &giver{mover: m, st: st}
	m.f.Cursor = ids[len(ids)-1]
	m.began = clock.Real() // what was read is not read again for nothing
	for i, e := range rows {
		if i > 0 && clock.Real().Sub(m.began) > chunkTime {
			m.f.Cursor = rows[i-1].ID
			break
		}
		if err := m.pass(e, st, g); err != nil {
			return err
		}
		m.changed = append(m.changed, e)
	}
	if err := g.flush(); err != nil {
		return err
	}
	return m.flush()
}

// finish ends the firing, and lets a run go that waited for what is given.
func (m *mover) finish() error {
	m.done()
	if st := m.d.step(m.f.Step); m.f.Late || st.Send == nil || st.Send.Grants == nil {
		return nil
	}
	return m.s.Reach.HoldTx(m.tx, m.f.RunID, false)
}

// pass takes one member past the step.
func (m *mover) pass(e *model.SOPEnrolment, st *Step, g *giver) error {
	i := m.d.index(st.Key)
	outcome, to := model.PassRun, m.d.after(i, st.Next)
	switch {
	case e.State == model.EnrolmentLeaving:
		outcome = model.PassExited
	case m.f.Late:
		outcome = model.PassMissed
	case st.Wait != nil:
		outcome, to = model.PassTimeout, m.d.after(i, st.Otherwise)
	case st.Branch != nil || st.Send.Grants != nil:
		sub := &condition.Subject{MemberID: e.MemberID, At: m.now, Cache: map[string]any{}}
		yes, exits, err := m.ask(sub, st)
		switch {
		case err != nil:
			return err
		case exits:
			e.ExitedAt, outcome = &m.now, model.PassExited
		case st.Branch != nil && yes:
			outcome = model.PassYes
		case st.Branch != nil:
			outcome, to = model.PassNo, m.d.after(i, st.Otherwise)
		case !yes:
			outcome = model.PassCondition
		default:
			g.give(e)
		}
	}
	m.passes = append(m.passes, passOf(e, outcome, m.now))
	if outcome == model.PassExited {
		m.s.end(m.d, e, model.EnrolmentExited, m.now)
		return nil
	}
	m.passes = append(m.passes, m.s.advance(m.d, e, to, *e.DueAt, m.now, m.passed[e.ID])...)
	return nil
}

// ask decides about a member whom the step gives something, or leads one way or the other.
func (m *mover) ask(sub *condition.Subject, st *Step) (yes, exits bool, err error) {
	if exits, err = m.s.over(m.ctx, m.tx, m.d, sub); err != nil || exits {
		return false, exits, err
	}
	var t condition.Tree
	switch {
	case st.Branch != nil:
		t = st.Branch.Condition
	default:
		t = st.Send.Condition
	}
	v, _, err := m.s.Conditions.Eval(m.ctx, m.tx, sub, t)
	return v.Holds, false, err
}

// over reports whether a condition of the exit holds, without an event.
func (s *Service) over(ctx context.Context, tx *gorm.DB, d *Definition, sub *condition.Subject) (bool, error) {
	for _, t := range d.Exit {
		if t.Event != "" {
			continue
		}
		if v, _, err := s.Conditions.Eval(ctx, tx, sub, t.Condition); err != nil || v.Holds {
			return v.Holds, err
		}
	}
	return false, nil
}

// flush writes what became of the chunk.
func (m *mover) flush() error {
	for i := range m.passes {
		m.passes[i].FiringID = m.f.ID
	}
	if len(m.passes) > 0 {
		if err := m.tx.CreateInBatches(m.passes, chunk).Error; err != nil {
			return err
		}
	}
	type same struct {
		version                   int
		step, state, reason       string
		reached, due, exited, end int64
	}
	unix := func(t *time.Time) int64 {
		if t == nil {
			return 0
		}
		return t.UnixMicro()
	}
	groups := map[same][]int64{}
	var order []*model.SOPEnrolment
	for _, e := range m.changed {
		k := same{e.Version, e.Step, e.State, e.Reason, e.ReachedAt.UnixMicro(), unix(e.DueAt), unix(e.ExitedAt), unix(e.EndedAt)}
		if groups[k] == nil {
			order = append(order, e)
		}
		groups[k] = append(groups[k], e.ID)
	}
	for _, e := range order {
		k := same{e.Version, e.Step, e.State, e.Reason, e.ReachedAt.UnixMicro(), unix(e.DueAt), unix(e.ExitedAt), unix(e.EndedAt)}
		err := m.tx.Model(&model.SOPEnrolment{}).Where("id IN ?", groups[k]).Updates(map[string]any{
			"version": e.Version, "moved": gorm.Expr("moved OR ?", m.f.Kind == model.FiringMove), "step": e.Step, "state": e.State, "reason": e.Reason,
			"reached_at": e.ReachedAt, "due_at": e.DueAt, "running": e.Running, "exited_at": e.ExitedAt, "ended_at": e.EndedAt, "watch_till": e.WatchTill,
		}).Error
		if err != nil {
			return err
		}
	}
	return nil
}

// couponCodes are the refusals of a coupon that the pass notes; anything else is a failure.
var couponCodes = []errs.Code{errs.LimitReached, errs.OutOfStock, errs.WindowClosed, errs.NotFound}
