package ledger

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/model"
)

// chunk is how many members RunDue settles in one transaction: well under 20 ms.
const chunk = 20

// settlers is how many transactions of RunDue are in flight: they share a commit.
const settlers = 4

// SettleTx writes the lines of the member that fell due by now: activations and expiries, in the order of their instants.
// The caller holds the member's lock. Again for the same moment it writes nothing.
func (b *Book) SettleTx(ctx context.Context, tx *gorm.DB, memberID int64, now time.Time) error {
	return b.settleTx(ctx, tx, now, memberID)
}

func (b *Book) settleTx(ctx context.Context, tx *gorm.DB, now time.Time, members ...int64) error {
	p, err := newPage(tx, now, members)
	if err != nil {
		return err
	}
	if err := p.settle(); err != nil {
		return err
	}
	if err := p.write(); err != nil {
		return err
	}
	return b.tell(ctx, tx, p)
}

// Due is the earliest instant at which a lot falls due; false if none ever does.
func (b *Book) Due(ctx context.Context) (time.Time, bool, error) {
	var rows []model.Balance
	err := b.db.Reader(ctx).Select("next_due_at").Where("next_due_at IS NOT NULL").Order("next_due_at").Limit(1).Find(&rows).Error
	if err != nil {
		return time.Time{}, false, fmt.Errorf("ledger: due: %w", err)
	}
	if len(rows) == 0 {
		return time.Time{}, false, nil
	}
	return *rows[0].NextDueAt, true, nil
}

// RunDue settles up to limit members whose lots fell due by now, the longest overdue first; it reports how many.
// A member whose books do not settle does not keep the others from it.
func (b *Book) RunDue(ctx context.Context, now time.Time, limit int) (n int, err error) {
	now = micro(now)
	var ids []int64
	err = b.db.Reader(ctx).Model(&model.Balance{}).Where("next_due_at <= ?", now).
		Group("member_id").Order("MIN(next_due_at), member_id").Limit(limit).Pluck("member_id", &ids).Error
	if err != nil {
		return 0, fmt.Errorf("ledger: find due members: %w", err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var first atomic.Int64
	for range min(settlers, len(ids)) {
		wg.Go(func() {
			for {
				from := int(first.Add(chunk)) - chunk
				if from >= len(ids) {
					return
				}
				did, e := b.runChunk(ctx, now, ids[from:min(from+chunk, len(ids))])
				mu.Lock()
				n, err = n+did, errors.Join(err, e)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return n, err
}

// runChunk settles some members together or, where one of them does not settle, each by himself.
func (b *Book) runChunk(ctx context.Context, now time.Time, ids []int64) (n int, err error) {
	if b.runDue(ctx, now, ids) == nil {
		return len(ids), nil
	}
	for _, id := range ids {
		if e := b.runDue(ctx, now, []int64{id}); e != nil {
			err = errors.Join(err, fmt.Errorf("ledger: settle member %d: %w", id, e))
			continue
		}
		n++
	}
	return n, err
}

func (b *Book) runDue(ctx context.Context, now time.Time, ids []int64) error {
	return b.db.BulkTx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		if err := member.LockTx(tx, ids...); err != nil {
			return err
		}
		return b.settleTx(ctx, tx, now, ids...)
	})
}

// settle adds the due lines of every sheet of the page.
func (p *page) settle() error {
	var due []*sheet
	for _, s := range p.sorted() {
		if s.NextDueAt != nil && !s.NextDueAt.After(p.now) {
			due = append(due, s)
		}
	}
	if len(due) == 0 {
		return nil
	}
	if err := p.lots(due...); err != nil {
		return err
	}
	for _, s := range due {
		if err := p.settleSheet(s); err != nil {
			return err
		}
	}
	return nil
}

// finish writes the lines, and those of lots that were made already dead, as a late event makes them.
func (p *page) finish() error {
	if err := p.write(); err != nil {
		return err
	}
	if err := p.settle(); err != nil {
		return err
	}
	return p.write()
}

// settleSheet adds the due lines by instant; at one instant the earliest-expiring lot goes first, so that it is what repays a debt.
func (p *page) settleSheet(s *sheet) error {
	for {
		var next *lot
		for _, l := range s.lots {
			if d := l.Due(); d != nil && !d.After(p.now) && (next == nil || d.Before(*next.Due())) {
				next = l
			}
		}
		if next == nil {
			break
		}
		do := p.expire
		if !next.Active {
			do = p.activate
		}
		if err := do(s, next); err != nil {
			return err
		}
	}
	s.NextDueAt = s.nextDue(nil)
	return nil
}

// expire adds the line of all that expires in the account together with l.
func (p *page) expire(s *sheet, l *lot) error {
	var moves []model.LotMove
	var sum int64
	for _, o := range s.lots {
		if o.Open && o.Active && o.ExpiresAt != nil && o.ExpiresAt.Equal(*l.ExpiresAt) {
			sum += o.Remaining
			moves = append(moves, o.move(-o.Remaining))
		}
	}
	e := model.Entry{Bucket: model.BucketAvailable, Delta: -sum, Kind: model.EntryExpire, Reason: model.EntryExpire, OccurredAt: *l.ExpiresAt}
	_, err := p.add(s, named(e, "expire:"+strconv.FormatInt(l.ID, 10)), moves)
	return err
}

// activate adds the two lines that take l from pending to available.
func (p *page) activate(s *sheet, l *lot) error {
	amount, at, key := l.Remaining, *l.ActivatesAt, "activate:"+strconv.FormatInt(l.ID, 10)
	e := model.Entry{Kind: model.EntryActivate, Reason: model.EntryActivate, OccurredAt: at}
	e.Bucket, e.Delta = model.BucketPending, -amount
	if _, err := p.add(s, named(e, key+":out"), []model.LotMove{l.move(-amount)}); err != nil {
		return err
	}
	l.Active = true
	e.Bucket, e.Delta, e.Lifetime = model.BucketAvailable, amount, amount
	var moves []model.LotMove
	if rest := amount - min(amount, s.debt()); rest > 0 {
		moves = append(moves, l.move(rest))
	}
	_, err := p.add(s, named(e, key+":in"), moves)
	return err
}

// named gives an entry that no caller asked for its key.
func named(e model.Entry, key string) model.Entry {
	e.Key, e.Hash = key, digest([]byte(key))
	return e
}
