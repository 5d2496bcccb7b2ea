package ledger

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/model"
)

// errTaken says that the key of an entry is taken; nothing of the failed write was done.
var errTaken = errors.New("ledger: the key of a line is taken, or its member was not locked")

// batch is how many rows go into one statement: SQLite bounds the variables.
const batch = 500

// write writes the lines, the lots and the balances, and forgets the lines.
func (p *page) write() error {
	if len(p.lines) == 0 {
		return nil
	}
	touched := p.touched()
	for _, s := range touched {
		if err := s.balanced(p.lines); err != nil {
			return err
		}
		s.NextDueAt = s.nextDue(p.lines)
	}
	for lines := range slices.Chunk(p.lines, batch) {
		if err := p.writeEntries(lines); err != nil {
			return err
		}
	}
	if err := p.writeMade(); err != nil {
		return err
	}
	if err := p.newBalances(touched); err != nil {
		return err
	}
	for _, s := range touched {
		if err := p.writeSheet(s); err != nil {
			return err
		}
	}
	p.note(touched)
	for _, l := range p.lines {
		l.written = true
	}
	p.lines = nil
	return nil
}

// touched is the sheets that lines changed, in the order of writing.
func (p *page) touched() []*sheet {
	return slices.DeleteFunc(p.sorted(), func(s *sheet) bool { return s.Seq == s.stored })
}

// balanced asserts that the lots hold what the balance says. Without the lots in memory, each line's own equation stands for it.
func (s *sheet) balanced(lines []*line) error {
	if !s.loaded {
		return nil
	}
	var active, pending int64
	count := func(l *model.Lot) {
		if l.Active {
			active += l.Remaining
		} else {
			pending += l.Remaining
		}
	}
	for _, l := range s.lots {
		if l.Remaining < 0 {
			return fmt.Errorf("ledger: lot %d would hold %d", l.ID, l.Remaining)
		}
		count(&l.Lot)
	}
	s.eachMade(lines, count)
	if active-s.debt() != s.Available || pending != s.Pending {
		return fmt.Errorf("ledger: member %d, %s: lots hold %d and %d pending, the balance says %d and %d",
			s.MemberID, s.Account, active, pending, s.Available, s.Pending)
	}
	return nil
}

func (s *sheet) eachMade(lines []*line, do func(*model.Lot)) {
	for _, l := range lines {
		if l.entry.MemberID == s.MemberID && l.entry.Account == s.Account {
			for _, m := range l.made {
				do(m)
			}
		}
	}
}

// nextDue is the earliest instant at which time alone changes a lot.
func (s *sheet) nextDue(lines []*line) *time.Time {
	var next *time.Time
	see := func(l *model.Lot) {
		if d := l.Due(); d != nil && (next == nil || d.Before(*next)) {
			next = d
		}
	}
	if s.loaded || s.some {
		for _, l := range s.lots {
			see(&l.Lot)
		}
	} else {
		next = s.NextDueAt
	}
	s.eachMade(lines, see)
	return next
}

// writeEntries inserts the lines' entries and learns their ids. On MySQL those of a batch are read back: on a cluster they are not
// consecutive.
func (p *page) writeEntries(lines []*line) error {
	rows := make([]*model.Entry, len(lines))
	keys := make([]string, len(lines))
	for i, l := range lines {
		l.entry.Seal = seal(&l.entry, l.made, l.moves)
		rows[i], keys[i] = &l.entry, l.entry.Key
	}
	dup, err := db.Insert(p.tx, rows)
	if err != nil {
		return fmt.Errorf("ledger: write entries: %w", err)
	}
	if dup {
		return errTaken
	}
	if len(rows) == 1 || p.tx.Name() == db.SQLite {
		return nil
	}
	var got []model.Entry
	if err := p.tx.Select("id", "key").Where("`key` IN ?", keys).Find(&got).Error; err != nil {
		return fmt.Errorf("ledger: read back entries: %w", err)
	}
	ids := make(map[string]int64, len(got))
	for _, e := range got {
		ids[e.Key] = e.ID
	}
	for _, r := range rows {
		if r.ID = ids[r.Key]; r.ID == 0 {
			return fmt.Errorf("ledger: entry %s is not there after it was written", r.Key)
		}
	}
	return nil
}

// writeMade inserts the new lots and the moves of the lines.
func (p *page) writeMade() error {
	var lots []*model.Lot
	var moves []model.LotMove
	for _, l := range p.lines {
		for _, m := range l.made {
			m.EntryID = l.entry.ID
		}
		lots = append(lots, l.made...)
		for _, m := range l.moves {
			m.EntryID = l.entry.ID
			moves = append(moves, m)
		}
	}
	for rows := range slices.Chunk(lots, batch) {
		if err := p.tx.Create(rows).Error; err != nil {
			return fmt.Errorf("ledger: write lots: %w", err)
		}
	}
	for rows := range slices.Chunk(moves, batch) {
		if err := p.tx.Create(rows).Error; err != nil {
			return fmt.Errorf("ledger: write lot moves: %w", err)
		}
	}
	return nil
}

// newBalances inserts the balances of those who held nothing in an account before.
func (p *page) newBalances(touched []*sheet) error {
	var rows []*model.Balance
	for _, s := range touched {
		if s.stored == 0 {
			rows = append(rows, &s.Balance)
		}
	}
	for rows := range slices.Chunk(rows, batch) {
		if err := p.tx.Create(rows).Error; err != nil {
			return fmt.Errorf("ledger: new balances: %w", err)
		}
	}
	return nil
}

// writeSheet writes what changed in the lots and the balance. Each update names what it expects to find: a missing row is an error,
// and every one of them changes a value, because MySQL counts only those.
func (p *page) writeSheet(s *sheet) error {
	if err := p.writeLots(s); err != nil {
		return err
	}
	if s.stored > 0 {
		res := p.tx.Exec("UPDATE balances SET seq = ?, available = ?, pending = ?, held = ?, lifetime = ?, next_due_at = ?"+
			" WHERE member_id = ? AND account = ? AND seq = ?",
			s.Seq, s.Available, s.Pending, s.Held, s.Lifetime, s.NextDueAt, s.MemberID, s.Account, s.stored)
		if err := one(res, 1); err != nil {
			return fmt.Errorf("ledger: balance of member %d in %s: %w", s.MemberID, s.Account, err)
		}
	}
	s.stored = s.Seq
	if s.made > 0 { // their ids are not known
		s.made, s.loaded, s.some, s.lots = 0, false, false, nil
	}
	return nil
}

func (p *page) writeLots(s *sheet) error {
	if err := p.writeSlid(s); err != nil {
		return err
	}
	closed := map[bool][]int64{} // by active
	for _, l := range s.lots {
		switch {
		case l.Remaining == l.remaining && l.Active == l.active:
			continue
		case l.Remaining == 0:
			closed[l.Active] = append(closed[l.Active], l.ID)
		default:
			res := p.tx.Exec("UPDATE lots SET remaining = ?, open = ?, active = ? WHERE id = ? AND remaining = ? AND active = ?",
				l.Remaining, true, l.Active, l.ID, l.remaining, l.active)
			if err := one(res, 1); err != nil {
				return fmt.Errorf("ledger: lot %d: %w", l.ID, err)
			}
		}
		l.remaining, l.active = l.Remaining, l.Active
	}
	for active, all := range closed {
		for ids := range slices.Chunk(all, batch) {
			res := p.tx.Exec("UPDATE lots SET remaining = 0, open = ?, active = ? WHERE id IN ? AND open = ?", false, active, ids, true)
			if err := one(res, len(ids)); err != nil {
				return fmt.Errorf("ledger: lots %v: %w", ids, err)
			}
		}
	}
	s.lots = slices.DeleteFunc(s.lots, func(l *lot) bool { return l.Remaining == 0 })
	return nil
}

// writeSlid writes the expiries that activity put off.
func (p *page) writeSlid(s *sheet) error {
	slid := map[time.Time][]int64{}
	for _, l := range s.lots {
		if compareExpiry(l.ExpiresAt, l.expires) != 0 {
			slid[*l.ExpiresAt] = append(slid[*l.ExpiresAt], l.ID)
			l.expires = l.ExpiresAt
		}
	}
	for until, all := range slid {
		for ids := range slices.Chunk(all, batch) {
			if err := one(p.tx.Exec("UPDATE lots SET expires_at = ? WHERE id IN ?", until, ids), len(ids)); err != nil {
				return fmt.Errorf("ledger: lots %v: %w", ids, err)
			}
		}
	}
	return nil
}

// one is an error unless the update changed n rows.
func one(res *gorm.DB, n int) error {
	if res.Error != nil {
		return res.Error
	}
	if res.RowsAffected != int64(n) {
		return fmt.Errorf("%d of %d rows changed: the member was not locked, or the row is not what it was", res.RowsAffected, n)
	}
	return nil
}
