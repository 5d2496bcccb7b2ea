package ledger_test

import (
	"cmp"
	"slices"
	"time"

	"github.com/siyu-scrm/siyu/app/clock"
)

// reference is a naive ledger in memory that lives through every instant, to hold the real one against.
type reference struct {
	now     time.Time
	lastID  int
	members map[int64]*refMember
	home    map[int64]int64    // loser → winner
	earned  map[int64]*refDeed // by entry
	spent   map[int64]*refDeed // by entry
}

type refMember struct {
	id       int64
	lots     []*refLot
	debt     int64
	lifetime int64
}

type refLot struct {
	id          int
	owner       int64
	root        int64 // entry that earned it; 0 = none
	left        int64
	active      bool
	from, until *time.Time
}

// refDeed is an earning or a spending that may be reversed once.
type refDeed struct {
	member, amount int64
	took           []refTook
	reversed       bool
}

type refTook struct {
	lot *refLot
	n   int64
}

func newReference(now time.Time, members ...int64) *reference {
	r := &reference{now: now, members: map[int64]*refMember{}, home: map[int64]int64{}, earned: map[int64]*refDeed{}, spent: map[int64]*refDeed{}}
	for _, id := range members {
		r.members[id] = &refMember{id: id}
	}
	return r
}

func later(a, b *time.Time) int {
	far := time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)
	if a == nil {
		a = &far
	}
	if b == nil {
		b = &far
	}
	return a.Compare(*b)
}

func (r *reference) usable(m *refMember) (ls []*refLot) {
	for _, l := range m.lots {
		if l.active && l.left > 0 {
			ls = append(ls, l)
		}
	}
	slices.SortFunc(ls, func(a, b *refLot) int { return cmp.Or(later(a.until, b.until), cmp.Compare(a.id, b.id)) })
	return ls
}

func (r *reference) available(m *refMember) (sum int64) {
	for _, l := range r.usable(m) {
		sum += l.left
	}
	return sum - m.debt
}

func (r *reference) pending(m *refMember) (sum int64) {
	for _, l := range m.lots {
		if !l.active {
			sum += l.left
		}
	}
	return sum
}

func (r *reference) soon(m *refMember) (sum int64) {
	for _, l := range r.usable(m) {
		if l.until != nil && !l.until.After(r.now.Add(30*24*time.Hour)) {
			sum += l.left
		}
	}
	return sum
}

func (r *reference) repay(m *refMember, amount int64) int64 {
	n := min(amount, m.debt)
	m.debt -= n
	return amount - n
}

func (r *reference) lot(m *refMember, l refLot) {
	if l.left == 0 {
		return
	}
	r.lastID++
	l.id, l.owner = r.lastID, m.id
	m.lots = append(m.lots, &l)
}

// take takes from own first, then the earliest-expiring, then as debt.
func (r *reference) take(m *refMember, amount, own int64) (took []refTook) {
	all := r.usable(m)
	var order []*refLot
	for _, l := range all {
		if own != 0 && l.root == own {
			order = append(order, l)
		}
	}
	for _, l := range all {
		if own == 0 || l.root != own {
			order = append(order, l)
		}
	}
	for _, l := range order {
		n := min(amount, l.left)
		if n > 0 {
			l.left -= n
			amount -= n
			took = append(took, refTook{l, n})
		}
	}
	m.debt += amount
	return took
}

func (r *reference) earn(entry, member, amount int64, from, until *time.Time) {
	m := r.members[member]
	if until == nil {
		until = ptr(yearAfter(r.now))
	}
	r.earned[entry] = &refDeed{member: member, amount: amount}
	if from != nil && from.After(r.now) {
		r.lot(m, refLot{root: entry, left: amount, from: from, until: until})
		return
	}
	m.lifetime += amount
	r.lot(m, refLot{root: entry, left: r.repay(m, amount), active: true, from: from, until: until})
}

func (r *reference) spend(entry, member, amount int64) {
	r.spent[entry] = &refDeed{member: member, amount: amount, took: r.take(r.members[member], amount, 0)}
}

func (r *reference) holder(member int64) int64 {
	for r.home[member] != 0 {
		member = r.home[member]
	}
	return member
}

func (r *reference) reverseEarn(entry int64, clamp bool) {
	d := r.earned[entry]
	d.reversed = true
	m := r.members[r.holder(d.member)]
	for _, l := range m.lots {
		if l.root == entry && !l.active && l.left > 0 {
			l.left = 0
			return
		}
	}
	amount := d.amount
	if clamp {
		amount = min(amount, max(0, r.available(m)))
	}
	m.lifetime -= amount
	r.take(m, amount, entry)
}

func (r *reference) reverseSpend(entry int64) {
	d := r.spent[entry]
	d.reversed = true
	m := r.members[r.holder(d.member)]
	left := r.repay(m, d.amount)
	slices.SortFunc(d.took, func(a, b refTook) int {
		return cmp.Or(later(b.lot.until, a.lot.until), cmp.Compare(b.lot.id, a.lot.id))
	})
	for _, t := range d.took {
		n := min(left, t.n)
		left -= n
		switch dead := t.lot.until != nil && !t.lot.until.After(r.now); {
		case dead:
			r.lot(m, refLot{root: t.lot.root, left: n, active: true, from: t.lot.from, until: ptr(r.now.AddDate(0, 0, 7))})
		case t.lot.owner == m.id:
			t.lot.left += n
		default:
			r.lot(m, refLot{root: t.lot.root, left: n, active: true, from: t.lot.from, until: t.lot.until})
		}
	}
	r.lot(m, refLot{left: left, active: true, until: ptr(yearAfter(r.now))})
}

func (r *reference) merge(loser, winner int64) {
	l, w := r.members[loser], r.members[winner]
	r.home[loser] = winner
	w.lifetime += l.lifetime
	r.take(w, l.debt, 0)
	l.lifetime, l.debt = 0, 0
	slices.SortFunc(l.lots, func(a, b *refLot) int { return cmp.Or(later(a.until, b.until), cmp.Compare(a.id, b.id)) })
	for _, o := range l.lots {
		c := *o
		o.left = 0
		if c.active {
			c.left = r.repay(w, c.left)
		}
		r.lot(w, c)
	}
}

// advance lives through every instant until t at which a lot activates or expires.
func (r *reference) advance(t time.Time) {
	for {
		var next *time.Time
		for _, m := range r.members {
			for _, l := range m.lots {
				due := l.until
				if !l.active {
					due = l.from
				}
				if l.left > 0 && due != nil && !due.After(t) && (next == nil || due.Before(*next)) {
					next = due
				}
			}
		}
		if next == nil {
			r.now = t
			return
		}
		r.now = *next
		for _, m := range r.members { // of several at one instant the earliest-expiring repays the debt
			slices.SortFunc(m.lots, func(a, b *refLot) int { return cmp.Or(later(a.until, b.until), cmp.Compare(a.id, b.id)) })
			for _, l := range m.lots {
				if !l.active && l.left > 0 && !l.from.After(r.now) {
					l.active = true
					m.lifetime += l.left
					l.left = r.repay(m, l.left)
				}
				if l.active && l.until != nil && !l.until.After(r.now) {
					l.left = 0
				}
			}
		}
	}
}

// yearAfter is the end of the day a year after the day of t in Shanghai; 29 February is followed by 28 February.
func yearAfter(t time.Time) time.Time {
	d := t.In(clock.Shanghai.Location())
	y, m, day := d.Date()
	if m == time.February && day == 29 {
		day = 28
	}
	return time.Date(y+1, m, day+1, 0, 0, 0, 0, d.Location())
}
