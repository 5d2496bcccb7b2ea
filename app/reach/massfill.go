package reach

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/model"
)

// fill looks again at the next people of a batch, under their locks, and uses their caps. more is false when the batch has to wait.
func (s *Service) fill(ctx context.Context, b *massLease) (more bool, err error) {
	old := b.Batch
	err = s.db.BulkTx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		b.Batch, more = old, true
		now := s.clock.Now()
		paused, over, err := stopped(ctx, tx, b.RunID)
		if err != nil {
			return err
		}
		until, err := s.blocked(tx, b, now)
		if err != nil {
			return err
		}
		switch {
		case over:
			b.settleAs(model.DeliveryCancelled, now)
			return s.save(ctx, tx, b, true)
		case paused:
			more = false
			return s.save(ctx, tx, b, false)
		case !b.skips(now, until) && !until.IsZero() || !s.valid(b, now):
			if b.ReservedAt != nil {
				b.settleAs(model.BatchFilling, now)
				return s.save(ctx, tx, b, true)
			}
			more, b.DueAt = false, until
			return s.save(ctx, tx, b, false)
		}
		return s.fillChunk(ctx, tx, b, now)
	})
	if err == nil && b.State == model.BatchReady {
		s.o.Crash("mass_reserved")
	}
	return more, err
}

func (s *Service) fillChunk(ctx context.Context, tx *gorm.DB, b *massLease, now time.Time) error {
	rows, err := massRows(ctx, tx, b, 0, fillChunk)
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		if b.State = model.BatchReady; b.Size < 2 { // one alone is no mass send
			b.settleAs(model.BatchEmpty, now)
		}
		return s.save(ctx, tx, b, true)
	}
	if err := lockFor(ctx, tx, rows, nil); err != nil {
		return err
	}
	b.Cursor = rows[len(rows)-1].seq + 1
	if b.ReservedAt == nil {
		b.ReservedAt = &now
	}
	t, err := s.deciding(tx, b.law, b.msg, now)
	if err != nil {
		return err
	}
	t.stamp = stamp(*b.ReservedAt)
	all, err := s.judge(ctx, tx, b.RunID, b.set, t, rows, taken)
	if err != nil {
		return err
	}
	if err := s.markNow(ctx, tx, b.run, all); err != nil {
		return err
	}
	w, u := newWriter(b.RunID, now), newUses(t)
	byRange := map[int64]*delta{}
	var list []massRow
	for _, r := range rows {
		p := all[r.member]
		d := deltaOf(byRange, r.seq/b.run.RangeSize)
		p.duplicate = p.duplicate || u.chosen[p.who]
		v := decide(p, t.fromMass())
		switch {
		case v.channel == Mass:
			list = append(list, massRow{row: r, to: p.oa.id})
			u.useMass(p)
			b.Size++
			continue
		case v.reason != "" && v.until.IsZero():
			w.suppressed(r.seq, v)
			d.move(model.DeliveryPending, model.DeliverySuppressed, 1)
			d.why(v.reason, v.detail, 1)
		default: // another channel: the range is walked again
			w.set("channel = '', no_mass = ?", r.seq, true)
			d.reopen = true
		}
		d.mass--
	}
	if err := s.save(ctx, tx, b, true); err != nil {
		return err
	}
	if err := s.bumpAll(ctx, tx, b.RunID, byRange, now); err != nil {
		return err
	}
	if err := reserve(ctx, tx, b, list); err != nil {
		return err
	}
	if err := w.flush(ctx, tx); err != nil {
		return err
	}
	return u.flush(ctx, tx, b.RunID)
}

// fromMass are the terms for one whose turn for the earlier channels is over.
func (t *terms) fromMass() *terms {
	after := *t
	msg := *t.msg
	msg.Channels = msg.Channels[slices.Index(msg.Channels, Mass):]
	after.msg = &msg
	return &after
}

func (u *uses) useMass(p *person) {
	u.send(p, Mass)
	u.count(useMass(u.t.oa), u.t.month, p.who, p.monthRow)
}

// massRow is a person of a batch.
type massRow struct {
	row
	to int64 // identity
}

// massRows are the next people of a batch: those that it took (its number), or those that wait (0).
func massRows(ctx context.Context, tx *gorm.DB, b *massLease, batch int64, n int) ([]row, error) {
	var rows []row
	err := each(ctx, tx, func(r *sql.Rows) error {
		one := row{state: model.DeliveryPending}
		err := r.Scan(&one.seq, &one.member)
		rows = append(rows, one)
		return err
	}, "SELECT seq, member_id FROM deliveries WHERE run_id = ? AND seq >= ? AND seq < ? AND state = 'pending' AND channel = 'mass' AND batch_no = ? ORDER BY seq LIMIT ?",
		b.RunID, b.Cursor, b.ToSeq, batch, n)
	return rows, err
}

// reserve writes the list of a batch: an upsert of rows that exist is one look at each, however many there are.
func reserve(ctx context.Context, tx *gorm.DB, b *massLease, taken []massRow) error {
	if len(taken) == 0 {
		return nil
	}
	var q strings.Builder
	q.WriteString("INSERT INTO deliveries (run_id, seq, member_id, state, batch_no, identity_id) VALUES ")
	for i, m := range taken {
		if i > 0 {
			q.WriteByte(',')
		}
		fmt.Fprintf(&q, "(%d,%d,%d,'pending',%d,%d)", b.RunID, m.seq, m.member, b.No, m.to)
	}
	if tx.Name() == db.SQLite {
		q.WriteString(" ON CONFLICT (run_id, seq) DO UPDATE SET batch_no = excluded.batch_no, identity_id = excluded.identity_id")
	} else {
		q.WriteString(" ON DUPLICATE KEY UPDATE batch_no = VALUES(batch_no), identity_id = VALUES(identity_id)")
	}
	_, err := exec(ctx, tx, q.String())
	return err
}

func deltaOf(byRange map[int64]*delta, no int64) *delta {
	d, ok := byRange[no]
	if !ok {
		d = &delta{}
		byRange[no] = d
	}
	return d
}

// bumpAll counts in several ranges, in their order.
func (s *Service) bumpAll(ctx context.Context, tx *gorm.DB, runID int64, byRange map[int64]*delta, now time.Time) error {
	nos := make([]int64, 0, len(byRange))
	for no := range byRange {
		nos = append(nos, no)
	}
	slices.Sort(nos)
	for _, no := range nos {
		var err error
		if d := byRange[no]; d.reopen {
			err = s.reopen(ctx, tx, runID, no, now, d)
		} else {
			_, err = exec(ctx, tx, "UPDATE ranges SET step = step + 1 WHERE run_id = ? AND no = ?", runID, no) // the lock, before reasons are read
			if err == nil {
				err = bump(ctx, tx, runID, no, d)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}
