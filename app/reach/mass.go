package reach

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/model"
)

const (
	massRetry   = time.Minute    // the same clientmsgid again: 45066 before
	massGiveUp  = 24 * time.Hour // WeChat forgets the clientmsgid
	fillChunk   = 1000
	settleChunk = 1000
)

// cut makes the mass batches over the whole run, none of them with one person: 10,001 are 9,999 and 2.
func (s *Service) cut(ctx context.Context, tx *gorm.DB, run *model.Run, account string, total int64) error {
	limit := int64(s.o.MassMax)
	var batches []model.Batch
	var made int64 // by an earlier cut: of those who get another try
	if err := tx.Model(&model.Batch{}).Where("run_id = ?", run.ID).Select("COALESCE(MAX(no), 0)").Scan(&made).Error; err != nil {
		return err
	}
	from, at := int64(0), int64(0) // at: people before the batch
	for at < total {
		size := min(limit, total-at)
		if total-at-size == 1 {
			size--
		}
		at += size
		to, err := seqOf(ctx, tx, run, at)
		if err != nil {
			return err
		}
		no := made + int64(len(batches)+1)
		batches = append(batches, model.Batch{
			RunID: run.ID, No: no, Account: account, FromSeq: from, ToSeq: to, Cursor: from, State: model.BatchFilling,
			ClientMsgID: clientMsgID(run, no), DueAt: s.clock.Now(), LeaseTill: past,
		})
		from = to
	}
	if err := tx.CreateInBatches(batches, 200).Error; err != nil {
		return err
	}
	return tx.Model(&model.Run{}).Where("id = ?", run.ID).Update("state", model.RunMassing).Error
}

// clientMsgID names a batch to WeChat for 24 hours. The time of the freeze keeps apart the runs of a database that was made anew.
func clientMsgID(run *model.Run, no int64) string {
	return "c" + strconv.FormatInt(run.ID, 10) + "-" + strconv.FormatInt(no, 10) + "-" + strconv.FormatInt(run.CreatedAt.UnixMicro(), 36)
}

// seqOf is the seq of the n-th person (from 0) who waits for the mass send; the end of the run if there is none.
func seqOf(ctx context.Context, tx *gorm.DB, run *model.Run, n int64) (int64, error) {
	seq, before, from, to := run.Audience, int64(0), int64(-1), int64(0)
	err := each(ctx, tx, func(r *sql.Rows) error {
		var a, b, mass int64
		if err := r.Scan(&a, &b, &mass); err != nil {
			return err
		}
		if from < 0 && before+mass > n {
			from, to = a, b
		} else if from < 0 {
			before += mass
		}
		return nil
	}, "SELECT from_seq, to_seq, mass FROM ranges WHERE run_id = ? AND mass > 0 ORDER BY no", run.ID)
	if err != nil || from < 0 {
		return seq, err
	}
	return seq, each(ctx, tx, func(r *sql.Rows) error { return r.Scan(&seq) },
		"SELECT seq FROM deliveries WHERE run_id = ? AND seq >= ? AND seq < ? AND state = 'pending' AND channel = 'mass' ORDER BY seq LIMIT 1 OFFSET ?",
		run.ID, from, to, n-before)
}

// leaveAlone sends the one person who is left for a mass send to the next of his channels.
func (s *Service) leaveAlone(ctx context.Context, tx *gorm.DB, run *model.Run) error {
	var no, from, to int64
	err := each(ctx, tx, func(r *sql.Rows) error { return r.Scan(&no, &from, &to) },
		"SELECT no, from_seq, to_seq FROM ranges WHERE run_id = ? AND mass > 0", run.ID)
	if err != nil {
		return err
	}
	_, err = exec(ctx, tx, "UPDATE deliveries SET channel = '', no_mass = ?, batch_no = 0, at = ? WHERE run_id = ? AND seq >= ? AND seq < ? AND state = 'pending' AND channel = 'mass'",
		true, s.clock.Now(), run.ID, from, to)
	if err != nil {
		return err
	}
	return s.reopen(ctx, tx, run.ID, no, s.clock.Now(), &delta{mass: -1})
}

// reopen counts, and has a range walked again at due.
func (s *Service) reopen(ctx context.Context, tx *gorm.DB, runID, no int64, due time.Time, d *delta) error {
	_, err := exec(ctx, tx, "UPDATE ranges SET due_at = CASE WHEN state = 'open' AND due_at < ? THEN due_at ELSE ? END, "+
		"cursor_seq = CASE WHEN state = 'open' THEN cursor_seq ELSE from_seq END, state = 'open', step = step + 1 WHERE run_id = ? AND no = ?",
		due, due, runID, no)
	if err != nil {
		return err
	}
	return bump(ctx, tx, runID, no, d)
}

// massLease is the right to work on a batch.
type massLease struct {
	model.Batch
	run *model.Run
	msg *Message
	law *law
	set set
}

// workMass does what is due of one batch of the run.
func (s *Service) workMass(ctx context.Context, run *model.Run, msg *Message, law *law) (bool, error) {
	b := &massLease{run: run, msg: msg, law: law}
	var found bool
	err := each(ctx, s.db.Reader(ctx), func(r *sql.Rows) error {
		found = true
		return r.Scan(&b.No)
	}, "SELECT no FROM batches WHERE run_id = ? AND state IN ('filling', 'ready', 'calling', 'settling') AND due_at <= ? AND lease_till <= ? ORDER BY due_at, no LIMIT 1",
		run.ID, s.clock.Now(), clock.Real())
	if err != nil || !found {
		return false, err
	}
	err = s.db.BulkTx(ctx, func(ctx context.Context, tx *gorm.DB) error { return s.takeBatch(ctx, tx, b) })
	for more := err == nil; more && err == nil && ctx.Err() == nil; {
		switch b.State {
		case model.BatchFilling:
			more, err = s.fill(ctx, b)
		case model.BatchReady:
			more, err = s.send(ctx, b)
		case model.BatchCalling:
			more, err = s.retry(ctx, b)
		case model.BatchSettling:
			more, err = s.settleMass(ctx, b)
		default:
			more = false
		}
	}
	if err != nil && !errors.Is(err, errLost) {
		return true, fmt.Errorf("reach: run %d batch %d: %w", run.ID, b.No, err)
	}
	return true, err
}

func (s *Service) takeBatch(ctx context.Context, tx *gorm.DB, b *massLease) error {
	no := b.No
	if err := tx.Take(&b.Batch, "run_id = ? AND no = ?", b.run.ID, no).Error; err != nil {
		return err
	}
	real := clock.Real()
	n, err := exec(ctx, tx, "UPDATE batches SET owner = ?, lease_till = ?, fence = fence + 1, step = step + 1 WHERE run_id = ? AND no = ? AND fence = ? AND lease_till <= ?",
		s.owner, real.Add(s.o.Lease), b.run.ID, no, b.Fence, real)
	if err == nil && n != 1 {
		err = errLost
	}
	if err != nil {
		return err
	}
	b.Fence++
	b.set, err = s.members(tx, b.run.ID)
	return err
}

// save proves that the lease is ours, and writes the batch. until: how long the lease is needed; zero gives it up.
func (s *Service) save(ctx context.Context, tx *gorm.DB, b *massLease, keep bool) error {
	till := past
	if keep {
		till = clock.Real().Add(s.o.Lease)
	}
	n, err := exec(ctx, tx, "UPDATE batches SET step = step + 1, lease_till = ?, cursor_seq = ?, state = ?, result = ?, size = ?, msg_id = ?, detail = ?, "+
		"reserved_at = ?, called_at = ?, due_at = ? WHERE run_id = ? AND no = ? AND fence = ?",
		till, b.Cursor, b.State, b.Result, b.Size, b.MsgID, b.Detail, b.ReservedAt, b.CalledAt, b.DueAt, b.RunID, b.No, b.Fence)
	if err == nil && n != 1 {
		err = errLost
	}
	return err
}

// change writes the batch in a transaction of its own.
func (s *Service) changeBatch(ctx context.Context, b *massLease, keep bool) error {
	return s.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error { return s.save(ctx, tx, b, keep) })
}

// settleAs begins the last chapter of a batch: its people get state, or (filling) wait again until due.
func (b *massLease) settleAs(result string, due time.Time) {
	b.State, b.Result, b.Cursor, b.DueAt = model.BatchSettling, result, b.FromSeq, due
}

// period is what the caps that a batch used belong to.
func (s *Service) period(class string, at time.Time) string {
	if class == model.ClassMarketing {
		return string(s.zone.DayOf(at))
	}
	return s.zone.MonthOf(at)
}

// valid reports whether the caps that the batch used are those of now.
func (s *Service) valid(b *massLease, now time.Time) bool {
	return b.ReservedAt == nil || s.period(b.run.Class, *b.ReservedAt) == s.period(b.run.Class, now)
}

// skips reports whether those of a batch are to be looked at again, because they are not sent to any more: now, or if they waited.
func (b *massLease) skips(now, until time.Time) bool {
	return b.law.over(now) || !until.IsZero() && (b.law.over(until) || b.law.Quiet == QuietDrop)
}

// blocked is until when no mass send may be made: quiet hours, or a pause that WeChat asked for.
func (s *Service) blocked(tx *gorm.DB, b *massLease, now time.Time) (time.Time, error) {
	set, err := settings(tx)
	if err != nil {
		return now, err
	}
	if quiet := s.quiet(b.law, set, now); !quiet.IsZero() {
		return quiet, nil
	}
	return s.terms(b.law, b.msg, now).held[Mass].until, nil
}

// stopped reads what became of the run: over means cancelled, otherwise it may be paused.
func stopped(ctx context.Context, tx *gorm.DB, runID int64) (paused, over bool, err error) {
	err = each(ctx, tx, func(r *sql.Rows) error {
		var state string
		err := r.Scan(&state, &paused)
		over = state != model.RunMassing && state != model.RunSending
		return err
	}, "SELECT state, paused FROM runs WHERE id = ?", runID)
	return paused, over, err
}
