package reach

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// row is a delivery that is due.
type row struct {
	seq, member int64
	state       string
	reason      string // what he was put off for
	noMass      bool
}

// item is one call: decided and committed as attempting, then made, then written down.
type item struct {
	row
	who       int64
	channel   string
	account   string
	to        identity
	allowance string // kind that was used
	use       string // what was counted for the caps: kind and second
	key       string // of this row, for what knows repeats by it
	text      string
	rich      *CustomerContent // of a customer message that is not text
	title     string           // of the inbox
	template  string           // of what was accepted, and of template messages
	data      map[string]string
	page      string
	params    []string // of the provider's template
	result    result
}

// result is what came of a call.
type result struct {
	state  string // accepted | rejected | unknown | deferred | pending: the next channel is tried
	detail string
	until  time.Time // deferred
	msgID  string
	close  bool // WeChat says that the allowance or the acceptance is used up
	called bool // a call was made
	failed bool // and did not do what it should, by no quota of the person or the path
	broken bool // the account is misconfigured
}

// flight is a batch of calls.
type flight struct {
	items []*item
	set   *model.ReachSettings // by which it was decided
}

// walk sends a leased range from its cursor to its end. One transaction per batch writes what came of the batch before and decides the next.
func (s *Service) walk(ctx context.Context, l *lease) error {
	var done *flight
	for {
		next, err := s.stepAgain(ctx, l, done)
		if errors.Is(err, errLost) {
			return nil
		}
		if err != nil || next == nil {
			return err
		}
		if done = next; len(next.items) > 0 {
			s.o.Crash("after_attempting_commit")
			if err := s.call(ctx, l, next); err != nil {
				s.o.Log.Error("reach: a run could not be paused", "run", l.run.ID, "error", err)
			}
		}
	}
}

// stepAgain is step, repeated while the database says that nothing was done: what WeChat answered should not be lost to a busy moment.
func (s *Service) stepAgain(ctx context.Context, l *lease, done *flight) (next *flight, err error) {
	for n := range 5 {
		next, err = s.step(ctx, l, done)
		if errs.CodeOf(err) != errs.Unavailable || !clock.Sleep(ctx, time.Duration(n+1)*50*time.Millisecond) {
			break
		}
	}
	return next, err
}

// step is one transaction. It returns nil when the range is put back.
func (s *Service) step(ctx context.Context, l *lease, done *flight) (next *flight, err error) {
	cursor := l.cursor
	stopping := ctx.Err() != nil
	err = s.db.BulkTx(context.WithoutCancel(ctx), func(ctx context.Context, tx *gorm.DB) error {
		next = nil
		now := s.clock.Now()
		t, err := s.deciding(tx, l.law, l.msg, now)
		if err != nil {
			return err
		}
		rows, err := pick(ctx, tx, l, now, s.batchOf(l.msg))
		if err != nil {
			return err
		}
		if err := lockFor(ctx, tx, rows, done); err != nil {
			return err
		}
		if err := s.hold(ctx, tx, l); err != nil {
			return err
		}
		var d delta
		if done != nil {
			if err := s.settle(ctx, tx, l, done, &d, now); err != nil {
				return err
			}
		}
		going, err := going(ctx, tx, l.run.ID)
		if err != nil {
			return err
		}
		cursor = l.cursor
		if len(rows) > 0 && going && !stopping {
			if next, err = s.prepare(ctx, tx, l, t, rows, &d); err != nil {
				return err
			}
			cursor = rows[len(rows)-1].seq + 1
			s.o.Crash("deciding")
		}
		if err := bump(ctx, tx, l.run.ID, l.no, &d); err != nil {
			return err
		}
		if done != nil {
			s.o.Crash("before_outcome_commit")
		}
		if next == nil {
			return s.putBack(ctx, tx, l, now, going && len(rows) == 0)
		}
		return nil
	})
	if err != nil && !errors.Is(err, errLost) {
		return nil, fmt.Errorf("reach: run %d range %d: %w", l.run.ID, l.no, err)
	}
	if err == nil {
		l.cursor = cursor
		if done != nil {
			s.o.Crash("after_outcome_commit")
		}
	}
	return next, err
}

// pick reads the next people of a range that are due. The lease keeps others from them, so that no lock is needed yet.
func pick(ctx context.Context, tx *gorm.DB, l *lease, now time.Time, n int) ([]row, error) {
	rows := make([]row, 0, n)
	err := each(ctx, tx, func(r *sql.Rows) error {
		var one row
		if err := r.Scan(&one.seq, &one.member, &one.state, &one.reason, &one.noMass); err != nil {
			return err
		}
		rows = append(rows, one)
		return nil
	}, "SELECT seq, member_id, state, reason, no_mass FROM deliveries WHERE run_id = ? AND seq >= ? AND seq < ? AND "+
		"((state = 'pending' AND channel = '') OR (state = 'deferred' AND due_at <= ?)) ORDER BY seq LIMIT ?",
		l.run.ID, l.cursor, l.to, now, n)
	if err != nil {
		return nil, fmt.Errorf("reach: pick: %w", err)
	}
	return rows, nil
}

// lockFor locks those about whom this transaction decides.
func lockFor(ctx context.Context, tx *gorm.DB, rows []row, done *flight) error {
	ids := make([]int64, 0, 2*len(rows))
	for _, r := range rows {
		ids = append(ids, r.member)
	}
	if done != nil {
		for _, i := range done.items {
			if i.result.state != model.DeliveryAccepted && i.result.state != model.DeliveryUnknown {
				ids = append(ids, i.who) // gets something back
			}
		}
	}
	return lock(ctx, tx, ids)
}

// lock is member.LockTx for many: one statement locks the rows in the order of the primary key. A member who is gone is not missed here. On
// SQLite the transaction is the only one that writes.
func lock(ctx context.Context, tx *gorm.DB, ids []int64) error {
	if len(ids) == 0 || tx.Name() == db.SQLite {
		return nil
	}
	slices.Sort(ids)
	where, list := these("id", slices.Compact(ids))
	err := each(ctx, tx, func(*sql.Rows) error { return nil }, "SELECT id FROM members WHERE "+where+" ORDER BY id FOR UPDATE", list...)
	if err != nil {
		return fmt.Errorf("reach: lock members: %w", err)
	}
	return nil
}

// going reports whether the run is neither paused nor cancelled nor over.
func going(ctx context.Context, tx *gorm.DB, runID int64) (ok bool, err error) {
	err = each(ctx, tx, func(r *sql.Rows) error {
		var state string
		var paused bool
		err := r.Scan(&state, &paused)
		ok = !paused && (state == model.RunSending || state == model.RunMassing)
		return err
	}, "SELECT state, paused FROM runs WHERE id = ?", runID)
	return ok, err
}

// putBack gives the lease up. Somebody left to look at keeps the range open until he is due.
func (s *Service) putBack(ctx context.Context, tx *gorm.DB, l *lease, now time.Time, walked bool) error {
	state, due, cursor := model.RangeOpen, now, l.cursor
	if walked {
		cursor = l.from
		var found bool
		err := each(ctx, tx, func(r *sql.Rows) error {
			var at sql.NullTime
			var deferred string
			if err := r.Scan(&deferred, &at); err != nil {
				return err
			}
			if found = true; deferred == model.DeliveryDeferred && at.Time.After(now) {
				due = at.Time
			}
			return nil
		}, "SELECT state, due_at FROM deliveries WHERE run_id = ? AND seq >= ? AND seq < ? AND ((state = 'pending' AND channel = '') OR state = 'deferred') "+
			"ORDER BY CASE state WHEN 'pending' THEN 0 ELSE 1 END, due_at LIMIT 1", l.run.ID, l.from, l.to)
		if err != nil {
			return err
		}
		if !found {
			state = model.RangeWalked
		}
	}
	_, err := exec(ctx, tx, "UPDATE ranges SET state = CASE WHEN again THEN 'open' ELSE ? END, due_at = CASE WHEN again THEN ? ELSE ? END, "+
		"cursor_seq = ?, owner = '', lease_till = ?, step = step + 1 WHERE run_id = ? AND no = ? AND fence = ?",
		state, now, due, cursor, past, l.run.ID, l.no, l.fence)
	return err
}
