package ledger

import (
	"context"
	"fmt"
	"strconv"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/model"
)

// ReasonErased marks the lines that end what a member held when he was erased.
const ReasonErased = "erased"

// VoidTx ends everything that a member holds, as if it expired now: in every account one line for what he could use and one for what was
// pending. A debt stays, since nobody paid it. The caller holds the member's lock. Again it writes nothing.
func (b *Book) VoidTx(ctx context.Context, tx *gorm.DB, memberID int64) error {
	var holds []model.Hold
	if err := tx.Where("member_id = ? AND state = ?", memberID, model.HoldHeld).Find(&holds).Error; err != nil {
		return fmt.Errorf("ledger: holds of member %d: %w", memberID, err)
	}
	for _, h := range holds {
		if _, err := b.ReleaseHoldTx(ctx, tx, h.ID, ReasonErased, b.clock.Now()); err != nil {
			return err
		}
	}
	p, err := newPage(tx, b.clock.Now(), []int64{memberID})
	if err != nil {
		return err
	}
	if err := p.settle(); err != nil {
		return err
	}
	all := p.sorted()
	if err := p.lots(all...); err != nil {
		return err
	}
	for _, s := range all {
		for _, active := range []bool{true, false} {
			if err := p.void(s, active); err != nil {
				return err
			}
		}
	}
	return b.finishTx(ctx, p)
}

// void adds the line that ends the lots of a bucket.
func (p *page) void(s *sheet, active bool) error {
	e := model.Entry{Bucket: model.BucketPending, Kind: model.EntryExpire, Reason: ReasonErased, OccurredAt: p.now}
	if active {
		e.Bucket = model.BucketAvailable
	}
	var moves []model.LotMove
	for _, l := range s.lots {
		if l.Active == active && l.Remaining > 0 {
			e.Delta -= l.Remaining
			moves = append(moves, l.move(-l.Remaining))
		}
	}
	if len(moves) == 0 {
		return nil
	}
	_, err := p.add(s, named(e, "erase:"+strconv.FormatInt(s.MemberID, 10)+":"+s.Account+":"+e.Bucket), moves)
	return err
}
