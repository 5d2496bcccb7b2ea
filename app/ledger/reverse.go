package ledger

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// NoteClamped marks a reversal that took less than was granted, because no more was there. The rest is the shortfall.
const NoteClamped = "CLAMPED"

// ReverseTx writes the opposite line of an earning or a spending, or of what is left of an earning of which a part was taken back. The caller
// holds the lock of the member who holds it now: after a merge that is the survivor. A line is reversed once; a second time under
// another key is errs.Conflict.
//
// What was earned is taken from its own lot, then from the earliest-expiring, then it is debt, or with clamp it ends at zero; while
// it is pending it is cancelled, never debited. What was spent goes back into the same lots, after the debt, the longest-lived first; a
// lot that has expired meanwhile comes back as a new one, with the account's days of grace. What the spending took from
// no lot but as debt, and was repaid since, comes back as a new lot with the account's own expiry.
func (b *Book) ReverseTx(ctx context.Context, tx *gorm.DB, entryID int64, key, reason string, at time.Time, clamp bool) (*model.Entry, error) {
	at = micro(at)
	hash := digest(fmt.Appendf(nil, "reverse\x00%d\x00%q\x00%d\x00%t", entryID, reason, at.UnixMicro(), clamp))
	return b.reverseTx(ctx, tx, reversal{
		entry: entryID, clamp: &clamp, line: model.Entry{Reason: reason, OccurredAt: at, Key: key, Hash: hash},
	})
}

// TakeBack asks for a part of what an earning granted.
type TakeBack struct {
	EntryID, Amount int64
	Key, Reason     string
	EventID         int64 // the event that caused it; 0 = that of the earning
	At              time.Time
}

// TakeBackTx takes back a part of what an earning granted: its own lot first (pending is cancelled, never debited), then the
// earliest-expiring, then by the account's policy as debt, or clamped at zero (note CLAMPED): then shortfall is what was not there.
// All that was asked back of one earning, shortfalls among it, never exceeds it (errs.Conflict, with left). The same key returns the
// first line and its shortfall. The caller holds the lock of the member who holds it now.
func (b *Book) TakeBackTx(ctx context.Context, tx *gorm.DB, t TakeBack) (e *model.Entry, shortfall int64, err error) {
	if t.Amount <= 0 || beyond(t.Amount) {
		return nil, 0, errs.Field("amount", "ledger.amount", "limit", int64(maxValue))
	}
	t.At = micro(t.At)
	hash := digest(fmt.Appendf(nil, "takeback\x00%d\x00%d\x00%q\x00%d\x00%d", t.EntryID, t.Amount, t.Reason, t.EventID, t.At.UnixMicro()))
	e, err = b.reverseTx(ctx, tx, reversal{
		entry: t.EntryID, amount: t.Amount, line: model.Entry{Reason: t.Reason, EventID: t.EventID, OccurredAt: t.At, Key: t.Key, Hash: hash},
	})
	if err != nil {
		return nil, 0, err
	}
	return e, e.Shortfall, nil
}

// LeftTx is how much of each earning was not asked back yet.
func (b *Book) LeftTx(tx *gorm.DB, entryIDs ...int64) (map[int64]int64, error) {
	left := make(map[int64]int64, len(entryIDs))
	for some := range slices.Chunk(entryIDs, batch) {
		var rows []model.Entry
		if err := tx.Where("id IN ? OR reverses_id IN ?", some, some).Find(&rows).Error; err != nil {
			return nil, fmt.Errorf("ledger: what is left of earnings: %w", err)
		}
		for _, e := range rows {
			switch {
			case e.ReversesID != 0:
				left[e.ReversesID] += e.Delta - e.Shortfall
			case e.Kind == model.EntryEarn:
				left[e.ID] += e.Delta
			}
		}
	}
	return left, nil
}

// reversal is an opposite line to come.
type reversal struct {
	entry  int64       // what it answers
	amount int64       // of an earning; 0 = what is left
	clamp  *bool       // nil = by the account's policy
	manual bool        // also of what was taken by hand
	line   model.Entry // what the caller gave of it
}

func (b *Book) reverseTx(ctx context.Context, tx *gorm.DB, r reversal) (*model.Entry, error) {
	old, err := byKey(tx, r.line.Key)
	if err != nil {
		return nil, err
	}
	if e, ok := old[r.line.Key]; ok {
		if e.Hash != r.line.Hash {
			return nil, errs.New(errs.Conflict, "ledger.key_reused", "key", e.Key)
		}
		return &e, nil
	}
	orig, left, err := reversible(tx, r.entry, r.manual)
	if err != nil {
		return nil, err
	}
	switch {
	case r.amount > 0 && orig.Kind != model.EntryEarn:
		return nil, errs.New(errs.Conflict, "ledger.not_reversible", "entry_id", orig.ID)
	case r.amount > max(0, left):
		return nil, errs.New(errs.Conflict, "ledger.taken_back", "entry_id", orig.ID, "left", left)
	}
	holder, err := holder(tx, orig.MemberID, orig.Account)
	if err != nil {
		return nil, err
	}
	p, err := newPage(tx, b.clock.Now(), []int64{holder}, orig.Account)
	if err != nil {
		return nil, err
	}
	if err := p.settle(); err != nil {
		return nil, err
	}
	s := p.sheet(holder, orig.Account)
	if err := p.lots(s); err != nil {
		return nil, err
	}
	policies, err := b.accounts(tx, []string{s.Account})
	if err != nil {
		return nil, err
	}
	e := r.line
	e.Bucket, e.Kind, e.RuleID, e.RuleVersion = model.BucketAvailable, model.EntryReverse, orig.RuleID, orig.RuleVersion
	e.Bonus, e.EventID, e.ReversesID = orig.Bonus, cmp.Or(e.EventID, orig.EventID), orig.ID
	var l *line
	if orig.Kind == model.EntryEarn {
		clamp := !policies[s.Account].Debt
		if r.clamp != nil {
			clamp = *r.clamp
		}
		l, err = p.takeBack(s, e, orig.ID, cmp.Or(r.amount, left), clamp)
	} else {
		if orig.Kind == model.EntryReverse {
			e.Kind, e.Lifetime = model.EntryRestore, -orig.Delta
		}
		l, err = b.giveBack(p, s, e, orig)
	}
	if err != nil {
		return nil, err
	}
	if err := b.finishTx(ctx, p); err != nil {
		return nil, err
	}
	return &l.entry, nil
}

// reversible is the entry, if it may be reversed, and of an earning what is left of it.
func reversible(tx *gorm.DB, id int64, manual bool) (*model.Entry, int64, error) {
	var rows []model.Entry
	if err := tx.Where("id = ? OR reverses_id = ?", id, id).Order("id").Find(&rows).Error; err != nil {
		return nil, 0, fmt.Errorf("ledger: find entry %d: %w", id, err)
	}
	i := slices.IndexFunc(rows, func(e model.Entry) bool { return e.ID == id })
	if id <= 0 || i < 0 {
		return nil, 0, errs.New(errs.NotFound, "ledger.entry_unknown")
	}
	orig := rows[i]
	left := orig.Delta
	for _, r := range rows {
		if r.ReversesID == id {
			left += r.Delta - r.Shortfall
		}
	}
	taken := manual && orig.Kind == model.EntryReverse && orig.ReversesID == 0
	switch {
	case orig.Kind != model.EntryEarn && orig.Kind != model.EntrySpend && !taken:
		return nil, 0, errs.New(errs.Conflict, "ledger.not_reversible", "entry_id", id)
	case left == 0:
		return nil, 0, errs.New(errs.Conflict, "ledger.reversed", "entry_id", id)
	}
	return &orig, left, nil
}

// holder is the member who holds now what the member held in the account: he himself, or whom he was merged into.
func holder(tx *gorm.DB, member int64, code string) (int64, error) {
	for {
		key := mergeKey(member, code) + ":in"
		found, err := byKey(tx, key)
		if err != nil {
			return 0, err
		}
		if _, ok := found[key]; !ok {
			return member, nil // never merged
		}
		into, err := mergedInto(tx, member, code)
		if err != nil || into == 0 {
			return member, err
		}
		member = into
	}
}

// mergedInto is where the member's account went last, unless that merge was undone: then 0.
func mergedInto(tx *gorm.DB, member int64, code string) (int64, error) {
	var last []model.Entry
	err := tx.Where("member_id = ? AND account = ? AND (reason = ? OR kind = ? AND reason = ?)", member, code, reasonUnmerge, model.EntryMergeOut, "merge").
		Order("seq DESC").Limit(1).Find(&last).Error
	if err != nil {
		return 0, fmt.Errorf("ledger: where account %s of %d went: %w", code, member, err)
	}
	if len(last) == 0 || last[0].Reason == reasonUnmerge {
		return 0, nil
	}
	return last[0].OriginID, nil
}

// takeBack adds the line that takes the amount back of what an entry earned.
func (p *page) takeBack(s *sheet, e model.Entry, earned, amount int64, clamp bool) (*line, error) {
	var own []int64
	if err := p.tx.Model(&model.Lot{}).Where("entry_id = ?", earned).Pluck("id", &own).Error; err != nil {
		return nil, fmt.Errorf("ledger: find the lot of entry %d: %w", earned, err)
	}
	own = append(own, 0) // all of it repaid debt: no lot
	for _, l := range s.lots {
		if own[0] != 0 && !l.Active && (l.ID == own[0] || l.OriginID == own[0]) {
			e.Bucket, e.Delta = model.BucketPending, -amount
			return p.add(s, e, []model.LotMove{l.move(-amount)})
		}
	}
	if there := max(0, s.Available); clamp && amount > there {
		e.Shortfall, e.Note = amount-there, NoteClamped
		amount = there
	}
	e.Delta, e.Lifetime = -amount, -amount
	return p.add(s, e, s.take(amount, own[0]))
}

// giveBack adds the opposite of a spending.
func (b *Book) giveBack(p *page, s *sheet, e model.Entry, orig *model.Entry) (*line, error) {
	policies, err := b.accounts(p.tx, []string{s.Account})
	if err != nil {
		return nil, err
	}
	from := orig.ID
	if orig.Bucket == model.BucketHeld { // the hold took the lots
		var h model.Hold
		if err := p.tx.Take(&h, "end_id = ?", orig.ID).Error; err != nil {
			return nil, fmt.Errorf("ledger: hold that ended with entry %d: %w", orig.ID, err)
		}
		from = h.EntryID
	}
	took, lots, err := movesOf(p.tx, from)
	if err != nil {
		return nil, err
	}
	e.Delta = -orig.Delta
	left := e.Delta - min(e.Delta, s.debt())
	var moves []model.LotMove
	var made []*model.Lot
	for _, l := range lots { // the longest-lived first
		n := min(left, -took[l.ID])
		if n == 0 {
			continue
		}
		left -= n
		alive := l.ExpiresAt == nil || l.ExpiresAt.After(p.now)
		if alive && l.MemberID == s.MemberID {
			moves = append(moves, s.open(l).move(n))
			continue
		}
		t := heir(&l)
		t.Active = true
		if !alive {
			t.ExpiresAt, t.SlideDays, t.SlideMonths = grace(policies[s.Account], p.now, e.OccurredAt), 0, 0
		}
		made = append(made, s.make(t, n)...)
	}
	made = append(made, s.make(b.earned(policies[s.Account], e.OccurredAt), left)...)
	return p.add(s, e, moves, made...)
}

// movesOf is what an entry moved, by lot, and the lots, the longest-lived first.
func movesOf(tx *gorm.DB, entryID int64) (map[int64]int64, []model.Lot, error) {
	var moves []model.LotMove
	if err := tx.Where("entry_id = ?", entryID).Find(&moves).Error; err != nil {
		return nil, nil, fmt.Errorf("ledger: moves of entry %d: %w", entryID, err)
	}
	delta := make(map[int64]int64, len(moves))
	ids := make([]int64, len(moves))
	for i, m := range moves {
		delta[m.LotID], ids[i] = m.Delta, m.LotID
	}
	var lots []model.Lot
	for some := range slices.Chunk(ids, batch) {
		var rows []model.Lot
		if err := tx.Where("id IN ?", some).Find(&rows).Error; err != nil {
			return nil, nil, fmt.Errorf("ledger: lots of entry %d: %w", entryID, err)
		}
		lots = append(lots, rows...)
	}
	slices.SortFunc(lots, func(a, b model.Lot) int {
		if c := compareExpiry(b.ExpiresAt, a.ExpiresAt); c != 0 {
			return c
		}
		return int(b.ID - a.ID)
	})
	return delta, lots, nil
}

// open is the lot among those of the sheet; a closed one comes back to it.
func (s *sheet) open(l model.Lot) *lot {
	for _, o := range s.lots {
		if o.ID == l.ID {
			return o
		}
	}
	return s.hold(l)
}

// root is the lot as which the lot's value was earned.
func root(l *model.Lot) int64 {
	if l.OriginID != 0 {
		return l.OriginID
	}
	return l.ID
}

// grace is the expiry of what comes back to an expired lot: the account's days after the later of now and at.
func grace(a model.Account, now, at time.Time) *time.Time {
	if at.After(now) {
		now = at
	}
	t := now.AddDate(0, 0, a.GraceDays)
	return &t
}
