package reach

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/model"
)

// errLost means that another worker has the lease by now: whatever was not committed is his.
var errLost = errors.New("reach: the lease was lost")

// delta is how a transaction changes the counters of a range.
type delta struct {
	pending, mass, accepted, rejected, unknown, suppressed, deferred, cancelled int64
	reasons                                                                     map[string]int64
	reopen                                                                      bool // somebody in the range is to be looked at again
}

// move counts n rows from one state to another.
func (d *delta) move(from, to string, n int64) {
	d.add(from, -n)
	d.add(to, n)
}

func (d *delta) add(state string, n int64) {
	switch state {
	case model.DeliveryPending, model.DeliveryAttempting:
		d.pending += n
	case model.DeliveryAccepted:
		d.accepted += n
	case model.DeliveryRejected:
		d.rejected += n
	case model.DeliveryUnknown:
		d.unknown += n
	case model.DeliverySuppressed:
		d.suppressed += n
	case model.DeliveryDeferred:
		d.deferred += n
	case model.DeliveryCancelled:
		d.cancelled += n
	}
}

// why counts n suppressed rows of a reason.
func (d *delta) why(reason, detail string, n int64) {
	if d.reasons == nil {
		d.reasons = map[string]int64{}
	}
	if detail != "" {
		reason += "/" + detail
	}
	d.reasons[reason] += n
}

// bump changes the counters of a range. The caller changed the row before in this transaction, or holds its lease.
func bump(ctx context.Context, tx *gorm.DB, runID, no int64, d *delta) error {
	q := "UPDATE ranges SET step = step + 1, pending = pending + ?, mass = mass + ?, accepted = accepted + ?, rejected = rejected + ?, " +
		"unknown_count = unknown_count + ?, suppressed = suppressed + ?, deferred_count = deferred_count + ?, cancelled = cancelled + ?"
	list := []any{d.pending, d.mass, d.accepted, d.rejected, d.unknown, d.suppressed, d.deferred, d.cancelled}
	if len(d.reasons) > 0 {
		sum := map[string]int64{}
		err := each(ctx, tx, func(r *sql.Rows) error {
			var raw model.JSON
			if err := r.Scan(&raw); err != nil {
				return err
			}
			return json.Unmarshal(raw, &sum)
		}, "SELECT reasons FROM ranges WHERE run_id = ? AND no = ?", runID, no)
		if err != nil {
			return fmt.Errorf("reach: count reasons: %w", err)
		}
		for k, n := range d.reasons {
			sum[k] += n
		}
		q, list = q+", reasons = ?", append(list, model.ToJSON(sum))
	}
	if _, err := exec(ctx, tx, q+" WHERE run_id = ? AND no = ?", append(list, runID, no)...); err != nil {
		return fmt.Errorf("reach: count: %w", err)
	}
	return nil
}

// lease is the right to send a range, as long as the fence is ours.
type lease struct {
	run      *model.Run
	msg      *Message
	law      *law
	no       int64
	from, to int64
	cursor   int64
	fence    int64
	set      set
}

// leaseRange takes a due range of the run; nil if there is none. What an older lease left attempting may have been sent: it becomes unknown.
func (s *Service) leaseRange(ctx context.Context, run *model.Run, msg *Message, law *law) (*lease, error) {
	var nos []int64
	r := s.db.Reader(ctx)
	err := each(ctx, r, func(r *sql.Rows) error {
		var no int64
		nos = append(nos, 0)
		err := r.Scan(&no)
		nos[len(nos)-1] = no
		return err
	}, "SELECT no FROM ranges WHERE run_id = ? AND state = ? AND due_at <= ? AND lease_till <= ? ORDER BY due_at, no LIMIT 8",
		run.ID, model.RangeOpen, s.clock.Now(), clock.Real())
	if err != nil || len(nos) == 0 {
		return nil, err
	}
	l := &lease{run: run, msg: msg, law: law, no: nos[rand.IntN(len(nos))]}
	err = s.db.BulkTx(ctx, func(ctx context.Context, tx *gorm.DB) error { return s.takeRange(ctx, tx, l) })
	if errors.Is(err, errLost) { // another was faster: there is work, so the caller comes again
		return &lease{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reach: lease: %w", err)
	}
	s.o.Crash("after_lease")
	return l, nil
}

func (s *Service) takeRange(ctx context.Context, tx *gorm.DB, l *lease) error {
	var row model.Range
	if err := tx.Take(&row, "run_id = ? AND no = ?", l.run.ID, l.no).Error; err != nil {
		return err
	}
	real := clock.Real()
	if row.State != model.RangeOpen || row.LeaseTill.After(real) {
		return errLost
	}
	n, err := exec(ctx, tx, "UPDATE ranges SET owner = ?, lease_till = ?, fence = fence + 1, step = step + 1 WHERE run_id = ? AND no = ? AND fence = ? AND state = ?",
		s.owner, real.Add(s.o.Lease), l.run.ID, l.no, row.Fence, model.RangeOpen)
	if err != nil {
		return err
	}
	if n != 1 {
		return errLost
	}
	l.from, l.to, l.cursor, l.fence = row.FromSeq, row.ToSeq, row.Cursor, row.Fence+1
	if l.set, err = s.members(tx, l.run.ID); err != nil {
		return err
	}
	if row.Made {
		if err := s.sweep(ctx, tx, l); err != nil || !row.Again {
			return err
		}
		return s.again(ctx, tx, l)
	}
	if l.run.State == model.RunCancelling {
		return nil
	}
	return l.make(ctx, tx)
}

// make writes the rows of a range, by primary key.
func (l *lease) make(ctx context.Context, tx *gorm.DB) error {
	var b strings.Builder
	b.WriteString("INSERT INTO deliveries (run_id, seq, member_id, state) VALUES ")
	first, err := l.set.Select(uint32(l.from)) //nolint:gosec // seqs fit 32 bits
	if err != nil {
		return err
	}
	it := l.set.Iterator()
	it.AdvanceIfNeeded(first)
	run := strconv.FormatInt(l.run.ID, 10)
	for seq := l.from; seq < l.to; seq++ {
		if seq > l.from {
			b.WriteByte(',')
		}
		b.WriteString("(" + run + "," + strconv.FormatInt(seq, 10) + "," + strconv.FormatUint(uint64(it.Next()), 10) + ",'pending')")
	}
	if _, err := exec(ctx, tx, b.String()); err != nil {
		return err
	}
	_, err = exec(ctx, tx, "UPDATE ranges SET made = ?, step = step + 1 WHERE run_id = ? AND no = ?", true, l.run.ID, l.no)
	return err
}

// sweep ends what a dead worker had in flight.
func (s *Service) sweep(ctx context.Context, tx *gorm.DB, l *lease) error {
	n, err := exec(ctx, tx, "UPDATE deliveries SET state = ?, detail = ?, at = ? WHERE run_id = ? AND seq >= ? AND seq < ? AND state = ?",
		model.DeliveryUnknown, "interrupted", s.clock.Now(), l.run.ID, l.from, l.to, model.DeliveryAttempting)
	if err != nil || n == 0 {
		return err
	}
	var d delta
	d.move(model.DeliveryAttempting, model.DeliveryUnknown, n)
	return bump(ctx, tx, l.run.ID, l.no, &d)
}

// hold proves that the lease is ours and prolongs it.
func (s *Service) hold(ctx context.Context, tx *gorm.DB, l *lease) error {
	n, err := exec(ctx, tx, "UPDATE ranges SET lease_till = ?, step = step + 1 WHERE run_id = ? AND no = ? AND fence = ?",
		clock.Real().Add(s.o.Lease), l.run.ID, l.no, l.fence)
	if err == nil && n != 1 {
		err = errLost
	}
	return err
}
