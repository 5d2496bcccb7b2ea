package ledger

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// reasonUnmerge marks the lines that undo a merge.
const reasonUnmerge = "unmerge"

// UnmergeTx undoes the merge of loser into winner at the moment at, by opposite pairs of lines: what is left of each lot that was moved goes
// back as it is, with its activation, expiry and origin; what it repaid of a debt is owed again; debt and lifetime go back. After
// a spending of the winner it is errs.Conflict ("member.undo_spent"). The caller holds both locks.
func (b *Book) UnmergeTx(ctx context.Context, tx *gorm.DB, loser, winner int64, at time.Time) error {
	p, err := newPage(tx, b.clock.Now(), []int64{loser, winner})
	if err != nil {
		return err
	}
	if err := p.settle(); err != nil {
		return err
	}
	if err := p.write(); err != nil {
		return err
	}
	var came []model.Entry
	err = tx.Where("member_id = ? AND origin_id = ? AND kind = ? AND reason = ? AND occurred_at = ?", winner, loser, model.EntryMergeIn, "merge", micro(at)).
		Order("id").Find(&came).Error
	if err != nil {
		return fmt.Errorf("ledger: find what a merge moved: %w", err)
	}
	for i := range came {
		if err := unspent(tx, &came[i]); err != nil {
			return err
		}
		w, l := p.sheet(winner, came[i].Account), p.sheet(loser, came[i].Account)
		if err := p.lots(w, l); err != nil {
			return err
		}
		do := b.unmergeRest
		switch {
		case strings.HasPrefix(came[i].Key, "merge:lot:"):
			do = b.unmergeLot
		case strings.HasPrefix(came[i].Key, "merge:hold:"):
			do = b.unmergeHold
		}
		if err := do(p, w, l, &came[i]); err != nil {
			return err
		}
	}
	return b.finishTx(ctx, p)
}

// unspent refuses where the winner spent, set aside or converted in the account since.
func unspent(tx *gorm.DB, came *model.Entry) error {
	var spent int64
	err := tx.Model(&model.Entry{}).Where("member_id = ? AND account = ? AND seq > ? AND kind IN ?", came.MemberID, came.Account, came.Seq,
		[]string{model.EntrySpend, model.EntryHold, model.EntryRelease, model.EntryConvert}).
		Count(&spent).Error
	if err == nil && spent > 0 {
		err = errs.New(errs.Conflict, "member.undo_spent", "account", came.Account)
	}
	return err
}

// unmergeRest gives debt and lifetime back. Its pair is written even if both are nothing: it says that the account went back.
func (b *Book) unmergeRest(p *page, w, l *sheet, came *model.Entry) error {
	key := "unmerge:" + strconv.FormatInt(came.ID, 10)
	e := model.Entry{Bucket: model.BucketAvailable, Reason: reasonUnmerge, OccurredAt: p.now}
	e.Kind, e.Delta, e.Lifetime, e.OriginID = model.EntryMergeOut, came.Delta, came.Lifetime, w.MemberID
	if _, err := p.add(l, named(e, key+":out"), l.take(-came.Delta, 0)); err != nil {
		return err
	}
	e.Kind, e.Delta, e.Lifetime, e.OriginID = model.EntryMergeIn, -came.Delta, -came.Lifetime, l.MemberID
	if came.Delta == 0 {
		_, err := p.add(w, named(e, key+":in"), nil)
		return err
	}
	_, err := b.giveBack(p, w, named(e, key+":in"), came)
	return err
}

// unmergeHold gives a hold back.
func (b *Book) unmergeHold(p *page, w, l *sheet, came *model.Entry) error {
	var id int64
	if _, err := fmt.Sscanf(came.Key, "merge:hold:%d:", &id); err != nil {
		return fmt.Errorf("ledger: hold of entry %d: %w", came.ID, err)
	}
	h, err := b.FindHold(p.tx, id)
	if err != nil {
		return err
	}
	return p.moveHold(h, w, l, "unmerge:"+strconv.FormatInt(came.ID, 10), reasonUnmerge, p.now)
}

// unmergeLot gives back what is left of a lot, and what it repaid of the winner's debt when it came.
func (b *Book) unmergeLot(p *page, w, l *sheet, came *model.Entry) error {
	var made []model.Lot
	if err := p.tx.Where("entry_id = ?", came.ID).Find(&made).Error; err != nil {
		return fmt.Errorf("ledger: find the lot of entry %d: %w", came.ID, err)
	}
	repaid, key := came.Delta, "unmerge:"+strconv.FormatInt(came.ID, 10)
	for _, m := range made {
		repaid -= m.Amount
		for _, o := range w.lots {
			if o.ID != m.ID || o.Remaining == 0 {
				continue
			}
			t := heir(&o.Lot)
			amount := o.Remaining
			if err := p.part(w, l, key, t, amount, []model.LotMove{o.move(-amount)}); err != nil {
				return err
			}
		}
	}
	if repaid == 0 {
		return nil
	}
	t, err := p.source(came)
	if err != nil {
		return err
	}
	return p.part(w, l, key+":repaid", t, repaid, w.take(repaid, 0))
}

// part adds the pair that takes amount from a sheet and puts it as a lot like t into another.
func (p *page) part(from, to *sheet, key string, t model.Lot, amount int64, moves []model.LotMove) error {
	e := model.Entry{Bucket: model.BucketAvailable, Reason: reasonUnmerge, OccurredAt: p.now}
	if !t.Active {
		e.Bucket = model.BucketPending
	}
	e.Kind, e.Delta, e.OriginID = model.EntryMergeOut, -amount, to.MemberID
	if _, err := p.add(from, named(e, key+":out"), moves); err != nil {
		return err
	}
	e.Kind, e.Delta, e.OriginID = model.EntryMergeIn, amount, from.MemberID
	_, err := p.put(to, named(e, key+":in"), t)
	return err
}

// source is the lot that a merge took, to make another like it.
func (p *page) source(came *model.Entry) (model.Lot, error) {
	var was model.Lot
	var id int64
	_, err := fmt.Sscanf(came.Key, "merge:lot:%d:", &id)
	if err == nil {
		err = p.tx.Take(&was, id).Error
	}
	if err != nil {
		return was, fmt.Errorf("ledger: find the lot behind entry %d: %w", came.ID, err)
	}
	t := heir(&was)
	t.Active = true
	return t, nil
}
