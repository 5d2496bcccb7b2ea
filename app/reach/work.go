package reach

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/model"
)

// Work does one piece of what is due now: a range, a mass batch, or a step of a run. did is false when nothing is due that another worker
// does not hold. It may be called by any number of goroutines and processes. When ctx ends it finishes the calls in flight.
func (s *Service) Work(ctx context.Context) (did bool, err error) {
	runs, err := s.active(ctx)
	if err != nil {
		return false, err
	}
	for _, run := range s.turns.order(runs) {
		did, err := s.work(ctx, run)
		if errors.Is(err, errLost) {
			return true, nil
		}
		if did || err != nil {
			s.turns.took(run.ID)
			return did, err
		}
	}
	return false, nil
}

// turns lets the runs take turns, a range or a mass batch each, so that a small one does not wait for the end of a big one.
type turns struct{ last atomic.Int64 }

func (t *turns) took(runID int64) { t.last.Store(runID) }

// order puts those that come after the run that was served last before the others. Runs are in the order of their ids.
func (t *turns) order(runs []model.Run) []*model.Run {
	all := make([]*model.Run, len(runs))
	last := t.last.Load()
	first, _ := slices.BinarySearchFunc(runs, last+1, func(r model.Run, id int64) int { return cmp.Compare(r.ID, id) })
	for i := range runs {
		all[i] = &runs[(first+i)%len(runs)]
	}
	return all
}

// active are the runs that somebody works on, without their members.
func (s *Service) active(ctx context.Context) ([]model.Run, error) {
	var runs []model.Run
	err := s.db.Reader(ctx).Omit("members").Where("state IN ? AND paused = ?",
		[]string{model.RunSending, model.RunMassing, model.RunCancelling}, false).Order("id").Find(&runs).Error
	if err != nil {
		return nil, fmt.Errorf("reach: active runs: %w", err)
	}
	return runs, nil
}

func (s *Service) work(ctx context.Context, run *model.Run) (bool, error) {
	var msg Message
	if err := run.Message.Into(&msg); err != nil {
		return false, fmt.Errorf("reach: message of run %d: %w", run.ID, err)
	}
	law, err := s.lawOf(s.db.Reader(ctx), run)
	if err != nil {
		return false, err
	}
	l, err := s.leaseRange(ctx, run, &msg, law)
	switch {
	case err != nil:
		return false, err
	case l != nil && l.run == nil:
		return true, nil
	case l != nil && run.State == model.RunCancelling:
		return true, s.cancelRange(ctx, l)
	case l != nil:
		return true, s.walk(ctx, l)
	}
	if did, err := s.workMass(ctx, run, &msg, law); did || err != nil {
		return did, err
	}
	return s.advance(ctx, run, &msg, law)
}

// advance takes a run to its next state when nobody in it is left to look at.
func (s *Service) advance(ctx context.Context, run *model.Run, msg *Message, law *law) (did bool, err error) {
	p, err := s.progress(ctx, s.db.Reader(ctx), run.ID)
	if err != nil || p.open > 0 || p.batches > 0 {
		return false, err
	}
	err = s.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		did = false
		if _, err := exec(ctx, tx, "UPDATE runs SET step = step + 1 WHERE id = ?", run.ID); err != nil { // two workers take turns
			return err
		}
		var now model.Run
		if err := tx.Omit("members").Take(&now, run.ID).Error; err != nil {
			return err
		}
		p, err := s.progress(ctx, tx, run.ID)
		if err != nil || now.State != run.State || now.Paused || p.open > 0 || p.batches > 0 {
			return err
		}
		did = true
		switch {
		case run.State == model.RunCancelling && p.rest > 0: // a batch gave people back after their range was ended
			_, err := exec(ctx, tx, "UPDATE ranges SET state = 'open', due_at = ?, step = step + 1 WHERE run_id = ? AND pending + deferred_count > 0",
				s.clock.Now(), run.ID)
			return err
		case run.State == model.RunCancelling:
			return s.end(tx, run.ID, model.RunCancelled)
		case p.mass == 0:
			s.o.Crash("finishing")
			return s.end(tx, run.ID, model.RunDone)
		case p.mass == 1:
			return s.leaveAlone(ctx, tx, run)
		}
		return s.cut(ctx, tx, run, s.terms(law, msg, s.clock.Now()).oa, p.mass)
	})
	if err != nil {
		return false, fmt.Errorf("reach: advance run %d: %w", run.ID, err)
	}
	if did {
		s.o.Crash("advanced")
	}
	return did, nil
}

func (s *Service) end(tx *gorm.DB, runID int64, state string) error {
	return tx.Model(&model.Run{}).Where("id = ?", runID).Updates(map[string]any{"state": state, "done_at": s.clock.Now()}).Error
}

// progress is what is left of a run.
type progress struct{ open, batches, mass, rest int64 }

func (s *Service) progress(ctx context.Context, tx *gorm.DB, runID int64) (p progress, err error) {
	scan := func(into ...any) func(*sql.Rows) error { return func(r *sql.Rows) error { return r.Scan(into...) } }
	err = each(ctx, tx, scan(&p.open), "SELECT COUNT(*) FROM ranges WHERE run_id = ? AND state = ?", runID, model.RangeOpen)
	if err != nil || p.open > 0 {
		return p, err
	}
	err = each(ctx, tx, scan(&p.mass, &p.rest), "SELECT COALESCE(SUM(mass), 0), COALESCE(SUM(pending + deferred_count), 0) FROM ranges WHERE run_id = ?", runID)
	if err != nil {
		return p, err
	}
	return p, each(ctx, tx, scan(&p.batches), "SELECT COUNT(*) FROM batches WHERE run_id = ? AND state IN (?, ?, ?, ?)", runID,
		model.BatchFilling, model.BatchReady, model.BatchCalling, model.BatchSettling)
}

// cancelRange ends who waits in a leased range. Who is in a mass batch is ended with it.
func (s *Service) cancelRange(ctx context.Context, l *lease) error {
	err := s.db.BulkTx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		now := s.clock.Now()
		if err := s.hold(ctx, tx, l); err != nil {
			return err
		}
		var row model.Range
		if err := tx.Take(&row, "run_id = ? AND no = ?", l.run.ID, l.no).Error; err != nil {
			return err
		}
		var d delta
		if !row.Made { // nobody has a row yet
			d.move(model.DeliveryPending, model.DeliveryCancelled, row.Pending)
		}
		for _, c := range []struct{ from, where string }{
			{model.DeliveryPending, "state = 'pending' AND channel = ''"},
			{model.DeliveryDeferred, "state = 'deferred'"},
			{Mass, "state = 'pending' AND channel = 'mass' AND batch_no = 0"},
		} {
			n, err := exec(ctx, tx, "UPDATE deliveries SET state = 'cancelled', due_at = NULL, at = ? WHERE run_id = ? AND seq >= ? AND seq < ? AND "+c.where,
				now, l.run.ID, l.from, l.to)
			if err != nil {
				return err
			}
			from := c.from
			if from == Mass {
				from, d.mass = model.DeliveryPending, -n
			}
			d.move(from, model.DeliveryCancelled, n)
		}
		if err := bump(ctx, tx, l.run.ID, l.no, &d); err != nil {
			return err
		}
		return s.putBack(ctx, tx, l, now, true)
	})
	if err != nil && !errors.Is(err, errLost) {
		return fmt.Errorf("reach: cancel run %d: %w", l.run.ID, err)
	}
	return nil
}

// Due is when the engine has something to do next, in app time; false if never. What another worker holds now counts as due.
func (s *Service) Due(ctx context.Context) (at time.Time, ok bool, err error) {
	runs, err := s.active(ctx)
	if err != nil {
		return at, false, err
	}
	for i := range runs {
		found := false
		for _, q := range []string{
			"SELECT due_at FROM ranges WHERE run_id = ? AND state = 'open' ORDER BY due_at LIMIT 1",
			"SELECT due_at FROM batches WHERE run_id = ? AND state IN ('filling', 'ready', 'calling', 'settling') ORDER BY due_at LIMIT 1",
		} {
			err := each(ctx, s.db.Reader(ctx), func(r *sql.Rows) error {
				var due time.Time
				err := r.Scan(&due)
				if found = true; !ok || due.Before(at) {
					at, ok = due, true
				}
				return err
			}, q, runs[i].ID)
			if err != nil {
				return at, false, fmt.Errorf("reach: due: %w", err)
			}
		}
		if !found { // to be advanced
			return s.clock.Now(), true, nil
		}
	}
	return at.UTC(), ok, nil
}
