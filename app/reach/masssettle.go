package reach

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/model"
)

// settleMass writes what came of a batch to its next people. What was not sent gives its caps back.
func (s *Service) settleMass(ctx context.Context, b *massLease) (more bool, err error) {
	old := b.Batch
	err = s.db.BulkTx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		b.Batch, more = old, true
		rows, err := massRows(ctx, tx, b, b.No, settleChunk)
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			more = b.settled(s)
			return s.save(ctx, tx, b, more)
		}
		if b.givesBack() {
			if err := s.giveBack(ctx, tx, b, rows); err != nil {
				return err
			}
		}
		b.Cursor = rows[len(rows)-1].seq + 1
		if err := s.save(ctx, tx, b, true); err != nil {
			return err
		}
		byRange := map[int64]*delta{}
		w := newWriter(b.RunID, s.clock.Now())
		for _, r := range rows {
			d := deltaOf(byRange, r.seq/b.run.RangeSize)
			switch b.Result {
			case model.BatchFilling:
				w.set("batch_no = 0, identity_id = 0", r.seq)
				continue
			case model.BatchEmpty: // one alone: the next of his channels
				w.set("channel = '', batch_no = 0, identity_id = 0, no_mass = ?", r.seq, true)
				d.reopen = true
			default:
				w.set("state = ?, detail = ?", r.seq, b.Result, b.words())
				d.move(model.DeliveryPending, b.Result, 1)
			}
			d.mass--
		}
		if err := s.bumpAll(ctx, tx, b.RunID, byRange, s.clock.Now()); err != nil {
			return err
		}
		return w.flush(ctx, tx)
	})
	if err == nil && b.State == model.BatchSettling {
		s.o.Crash("mass_mid_outcome")
	}
	return more, err
}

// words stand on the rows of a batch.
func (b *massLease) words() string {
	if b.Result == model.BatchRejected || b.Result == model.BatchUnknown {
		return b.Detail
	}
	return ""
}

// givesBack reports whether it is certain that nothing was sent.
func (b *massLease) givesBack() bool {
	return b.Result != model.BatchAccepted && b.Result != model.BatchUnknown
}

// settled ends the batch, or begins it again.
func (b *massLease) settled(s *Service) (more bool) {
	switch b.State = b.Result; b.Result {
	case model.BatchFilling:
		b.Cursor, b.Size, b.ReservedAt, b.CalledAt = b.FromSeq, 0, nil, nil
		more = !b.DueAt.After(s.clock.Now())
	case model.DeliveryCancelled:
		b.State = model.BatchEmpty
	}
	b.Result = ""
	return more
}

func (s *Service) giveBack(ctx context.Context, tx *gorm.DB, b *massLease, rows []row) error {
	if err := lockFor(ctx, tx, rows, nil); err != nil {
		return err
	}
	whos, err := s.whos(ctx, tx, rows)
	if err != nil {
		return err
	}
	if err := countUse(ctx, tx, useSend(b.run.Class, Mass)+" "+stamp(*b.ReservedAt), whos, -1); err != nil {
		return err
	}
	if err := deleteOnces(ctx, tx, b.law.OnceKey, whos, b.RunID); err != nil {
		return err
	}
	return countUse(ctx, tx, useMass(b.Account)+" "+s.zone.MonthOf(*b.ReservedAt), whos, -1)
}

// whos are those whose caps rows used: a merge since then has moved them.
func (s *Service) whos(ctx context.Context, tx *gorm.DB, rows []row) ([]int64, error) {
	ids := make([]int64, len(rows))
	for i, r := range rows {
		ids[i] = r.member // ascending, as seqs are
	}
	none := &terms{law: &law{}, msg: &Message{}}
	all, err := people(ctx, tx, none, ids, nil)
	if err != nil {
		return nil, err
	}
	for i, id := range ids {
		ids[i] = all[id].who
	}
	if len(ids) == 0 {
		return nil, fmt.Errorf("reach: nobody to give back to")
	}
	return ids, nil
}
