package ledger

import (
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

// ReverseTx writes the opposite line of an earning or a spending. The caller holds the lock of the member who holds it now: after
// a merge that is the survivor. A line is reversed once; a second time under another key is errs.Conflict.
//
// What was earned is taken from its own lot, then from the earliest-expiring, then it is debt, or with clamp it ends at zero; while
// it is pending it is cancelled, never debited. What was spent goes back into the same lots, after the debt, the longest-lived first; a
// lot that has expired meanwhile comes back as a new one, with the account's days of grace. What the spending took from
// no lot but as debt, and was repaid since, comes back as a new lot with the account's own expiry.
func (b *Book) ReverseTx(_ context.Context, tx *gorm.DB, entryID int64, key, reason string, at time.Time, clamp bool) (*model.Entry, error) {
	at = micro(at)
	hash := digest(fmt.Appendf(nil, "reverse\x00%d\x00%q\x00%d\x00%t", entryID, reason, at.UnixMicro(), clamp))
	old, err := byKey(tx, key)
	if err != nil {
		return nil, err
	}
	if e, ok := old[key]; ok {
		if e.Hash != hash {
			return nil, errs.New(errs.Conflict, "ledger.key_reused", "key", key)
		}
		return &e, nil
	}
	orig, err := reversible(tx, entryID)
	if err != nil {
		return nil, err
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
	e := model.Entry{
		Bucket: model.BucketAvailable, Kind: model.EntryReverse, Reason: reason, RuleID: orig.RuleID, RuleVersion: orig.RuleVersion,
		Bonus: orig.Bonus, EventID: orig.EventID, ReversesID: orig.ID, OccurredAt: at, Key: key, Hash: hash,
	}
	var l *line
	if orig.Kind == model.EntryEarn {
		l, err = p.takeBack(s, e, orig, clamp)
	} else {
		l, err = b.giveBack(p, s, e, orig)
	}
	if err != nil {
		return nil, err
	}
	if err := p.finish(); err != nil {
		return nil, err
	}
	return &l.entry, nil
}

// reversible is the entry, if it may be reversed.
func reversible(tx *gorm.DB, id int64) (*model.Entry, error) {
	var rows []model.Entry
	if err := tx.Where("id = ? OR reverses_id = ?", id, id).Order("id").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("ledger: find entry %d: %w", id, err)
	}
	i := slices.IndexFunc(rows, func(e model.Entry) bool { return e.ID == id })
	switch {
	case id <= 0 || i < 0:
		return nil, errs.New(errs.NotFound, "ledger.entry_unknown")
	case len(rows) > 1:
		return nil, errs.New(errs.Conflict, "ledger.reversed", "entry_id", id)
	case rows[i].Kind != model.EntryEarn && rows[i].Kind != model.EntrySpend:
		return nil, errs.New(errs.Conflict, "ledger.not_reversible", "entry_id", id)
	}
	return &rows[i], nil
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

// takeBack adds the opposite of an earning.
func (p *page) takeBack(s *sheet, e model.Entry, orig *model.Entry, clamp bool) (*line, error) {
	var own []int64
	if err := p.tx.Model(&model.Lot{}).Where("entry_id = ?", orig.ID).Pluck("id", &own).Error; err != nil {
		return nil, fmt.Errorf("ledger: find the lot of entry %d: %w", orig.ID, err)
	}
	own = append(own, 0) // all of it repaid debt: no lot
	for _, l := range s.lots {
		if own[0] != 0 && !l.Active && (l.ID == own[0] || l.OriginID == own[0]) {
			e.Bucket, e.Delta = model.BucketPending, -l.Remaining
			return p.add(s, e, []model.LotMove{l.move(-l.Remaining)})
		}
	}
	amount := orig.Delta
	if there := max(0, s.Available); clamp && amount > there {
		amount, e.Note = there, NoteClamped
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
	took, lots, err := movesOf(p.tx, orig.ID)
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
		t := model.Lot{OriginID: root(&l), ActivatesAt: l.ActivatesAt, Active: true, ExpiresAt: l.ExpiresAt, EarnedAt: l.EarnedAt}
		if !alive {
			t.ExpiresAt = grace(policies[s.Account], p.now, e.OccurredAt)
		}
		made = append(made, s.make(t, n)...)
	}
	made = append(made, s.make(model.Lot{
		Active: true, ExpiresAt: b.expiry(policies[s.Account], e.OccurredAt), EarnedAt: e.OccurredAt,
	}, left)...)
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
