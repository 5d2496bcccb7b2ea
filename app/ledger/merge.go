package ledger

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/model"
)

// MergeTx moves what the loser holds to the winner: per account one pair of lines (merge_out, merge_in) for debt and lifetime, and one
// for each open lot, which keeps its activation, its expiry and its origin. A debt on one side is repaid from the lots of the other.
// The loser's earlier entries stay with him, his balances end at zero. Again for the same pair it moves what came since the first
// time, if anything did, or nothing. The caller holds both locks.
func (b *Book) MergeTx(ctx context.Context, tx *gorm.DB, loser, winner int64, at time.Time) error {
	if loser == winner {
		return fmt.Errorf("ledger: member %d cannot be merged into himself", loser)
	}
	p, err := newPage(tx, b.clock.Now(), []int64{loser, winner})
	if err != nil {
		return err
	}
	if err := p.settle(); err != nil {
		return err
	}
	var from []*sheet
	for _, s := range p.sorted() {
		if s.MemberID == loser {
			from = append(from, s)
		}
	}
	if err := p.lots(from...); err != nil {
		return err
	}
	for _, s := range from {
		if err := p.merge(s, winner, micro(at)); err != nil {
			return err
		}
	}
	if err := p.finish(); err != nil {
		return err
	}
	for k := range p.changed {
		if k.member == loser {
			delete(p.changed, k)
		}
	}
	return b.tell(ctx, tx, p)
}

// mergeKey is the key of the pair that says where a member's account went.
func mergeKey(loser int64, code string) string {
	return "merge:" + strconv.FormatInt(loser, 10) + ":" + code
}

func (p *page) merge(s *sheet, winner int64, at time.Time) error {
	w := p.sheet(winner, s.Account)
	if err := p.mergeRest(s, w, at); err != nil {
		return err
	}
	if err := p.mergeHolds(s, w, at); err != nil {
		return err
	}
	for _, l := range s.lots {
		if l.Remaining == 0 {
			continue
		}
		e := model.Entry{Bucket: model.BucketAvailable, Reason: "merge", OccurredAt: at}
		if !l.Active {
			e.Bucket = model.BucketPending
		}
		key, amount := fmt.Sprintf("merge:lot:%d:%d", l.ID, s.Seq), l.Remaining // a lot that came back may go again
		t := heir(&l.Lot)
		e.Kind, e.Delta, e.OriginID = model.EntryMergeOut, -amount, winner
		if _, err := p.add(s, named(e, key+":out"), []model.LotMove{l.move(-amount)}); err != nil {
			return err
		}
		e.Kind, e.Delta, e.OriginID = model.EntryMergeIn, amount, s.MemberID
		if _, err := p.put(w, named(e, key+":in"), t); err != nil {
			return err
		}
	}
	return nil
}

// mergeHolds moves what is set aside, with its holds.
func (p *page) mergeHolds(s, w *sheet, at time.Time) error {
	if s.Held == 0 {
		return nil
	}
	var holds []model.Hold
	err := p.tx.Where("member_id = ? AND account = ? AND state = ?", s.MemberID, s.Account, model.HoldHeld).Order("id").Find(&holds).Error
	if err != nil {
		return fmt.Errorf("ledger: holds of member %d: %w", s.MemberID, err)
	}
	for i := range holds {
		if err := p.moveHold(&holds[i], s, w, fmt.Sprintf("merge:hold:%d:%d", holds[i].ID, s.Seq), "merge", at); err != nil {
			return err
		}
	}
	return nil
}

// moveHold adds the pair that moves a hold from one member to another.
func (p *page) moveHold(h *model.Hold, from, to *sheet, key, reason string, at time.Time) error {
	e := model.Entry{Bucket: model.BucketHeld, Reason: reason, OccurredAt: at}
	e.Kind, e.Delta, e.OriginID = model.EntryMergeOut, -h.Amount, to.MemberID
	if _, err := p.add(from, named(e, key+":out"), nil); err != nil {
		return err
	}
	e.Kind, e.Delta, e.OriginID = model.EntryMergeIn, h.Amount, from.MemberID
	if _, err := p.add(to, named(e, key+":in"), nil); err != nil {
		return err
	}
	res := p.tx.Exec("UPDATE holds SET member_id = ? WHERE id = ? AND member_id = ? AND state = ?", to.MemberID, h.ID, from.MemberID, model.HoldHeld)
	if err := one(res, 1); err != nil {
		return fmt.Errorf("ledger: move hold %d: %w", h.ID, err)
	}
	return nil
}

// mergeRest moves what is in no lot: the debt and the lifetime. Its pair is written even if both are nothing: it says where the account went.
func (p *page) mergeRest(s, w *sheet, at time.Time) error {
	key, debt, lifetime := mergeKey(s.MemberID, s.Account), s.debt(), s.Lifetime
	done, err := byKey(p.tx, key+":in")
	if err != nil {
		return err
	}
	if len(done) > 0 {
		into, err := mergedInto(p.tx, s.MemberID, s.Account)
		if err != nil {
			return err
		}
		if into == w.MemberID && debt == 0 && lifetime == 0 {
			return nil
		}
		key += ":" + strconv.FormatInt(s.Seq, 10)
	}
	e := model.Entry{Bucket: model.BucketAvailable, Reason: "merge", OccurredAt: at}
	e.Kind, e.Delta, e.Lifetime, e.OriginID = model.EntryMergeOut, debt, -lifetime, w.MemberID
	if _, err := p.add(s, named(e, key+":out"), nil); err != nil {
		return err
	}
	if debt > 0 {
		if err := p.lots(w); err != nil {
			return err
		}
	}
	e.Kind, e.Delta, e.Lifetime, e.OriginID = model.EntryMergeIn, -debt, lifetime, s.MemberID
	_, err = p.add(w, named(e, key+":in"), w.take(debt, 0))
	return err
}
