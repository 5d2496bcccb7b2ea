package ledger_test

import (
	"cmp"
	"slices"
	"time"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/model"
)

// reference is a naive ledger in memory that lives through every instant, to hold the real one against.
type reference struct {
	now     time.Time
	lastID  int
	members map[int64]*refMember
	home    map[int64]int64    // loser → winner
	earned  map[int64]*refDeed // by entry
	spent   map[int64]*refDeed // by entry
	holds   map[int64]*refDeed // that are held, by hold
	policy  model.Account      // of points
}

type refMember struct {
	id       int64
	lots     []*refLot
	debt     int64
	lifetime int64
	growth   refGrowth
}

// refGrowth is an account that nothing expires in.
type refGrowth struct{ left, lifetime, converted int64 }

type refLot struct {
	id          int
	owner       int64
	root        int64 // entry that earned it; 0 = none
	left        int64
	active      bool
	from, until *time.Time
	slide       model.Account // as of the earning: until moves with every activity
}

// refDeed is an earning, of which parts may be taken back, or a spending or hold that comes back whole.
type refDeed struct {
	member, amount int64
	took           []refTook
	back           int64 // asked back of it
	until          time.Time
}

type refTook struct {
	lot *refLot
	n   int64
}

func newReference(now time.Time, members ...int64) *reference {
	r := &reference{now: now, members: map[int64]*refMember{}, home: map[int64]int64{}, earned: map[int64]*refDeed{}, spent: map[int64]*refDeed{}, holds: map[int64]*refDeed{}}
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

// act puts off whatever slides and is not empty.
func (r *reference) act(m *refMember, at time.Time) {
	for _, l := range m.lots {
		if next := l.slides(at); next != nil && l.left > 0 && next.After(*l.until) {
			l.until = next
		}
	}
}

func (l *refLot) slides(at time.Time) *time.Time {
	if l.slide.Expiry != model.ExpirySlidingDays && l.slide.Expiry != model.ExpirySlidingMonths {
		return nil
	}
	return naiveExpiry(l.slide, at)
}

func (r *reference) earn(entry, member, amount int64, at time.Time, from, until *time.Time) {
	m := r.members[member]
	l := refLot{root: entry, from: from, until: until, active: from == nil || !from.After(r.now)}
	if until == nil {
		l.slide, l.until = r.policy, naiveExpiry(r.policy, at)
	}
	r.earned[entry] = &refDeed{member: member, amount: amount}
	l.left = amount
	if l.active {
		m.lifetime += amount
		l.left = r.repay(m, amount)
	}
	r.lot(m, l)
	r.act(m, at)
	r.advance(r.now) // what came late may be over already
}

func (r *reference) spend(entry, member, amount int64) {
	m := r.members[member]
	r.spent[entry] = &refDeed{member: member, amount: amount, took: r.take(m, amount, 0)}
	r.act(m, r.now)
}

func (r *reference) hold(id, member, amount int64, until time.Time) {
	r.spend(-id, member, amount)
	r.holds[id] = r.spent[-id]
	r.holds[id].until = until
	delete(r.spent, -id)
}

func (r *reference) endHold(id, end int64, commit bool, at time.Time) {
	d := r.holds[id]
	delete(r.holds, id)
	if commit {
		r.spent[end] = d
		return
	}
	r.giveBack(d, at)
}

func (r *reference) holder(member int64) int64 {
	for r.home[member] != 0 {
		member = r.home[member]
	}
	return member
}

// takeBack takes back a part of an earning; it returns what was not there.
func (r *reference) takeBack(entry, amount int64, clamp bool) (short int64) {
	d := r.earned[entry]
	d.back += amount
	m := r.members[r.holder(d.member)]
	for _, l := range m.lots {
		if l.root == entry && !l.active && l.left > 0 {
			l.left -= amount
			return 0
		}
	}
	if there := max(0, r.available(m)); clamp && amount > there {
		short, amount = amount-there, there
	}
	m.lifetime -= amount
	r.take(m, amount, entry)
	return short
}

func (r *reference) reverseSpend(entry int64) {
	d := r.spent[entry]
	d.back = d.amount
	r.giveBack(d, r.now)
}

func (r *reference) giveBack(d *refDeed, at time.Time) {
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
			r.lot(m, refLot{root: t.lot.root, left: n, active: true, from: t.lot.from, until: t.lot.until, slide: t.lot.slide})
		}
	}
	r.lot(m, refLot{left: left, active: true, until: naiveExpiry(r.policy, at), slide: r.policy})
	r.advance(r.now)
}

func (r *reference) convertible(m *refMember) int64 {
	return max(0, min(m.growth.left, m.growth.lifetime-m.growth.converted))
}

func (r *reference) convert(m *refMember, entry, units int64, keep bool) {
	m.growth.converted += units
	if !keep {
		m.growth.left -= units
	}
	r.earn(entry, m.id, units, r.now, nil, nil)
}

func (r *reference) merge(loser, winner int64) {
	l, w := r.members[loser], r.members[winner]
	r.home[loser] = winner
	w.lifetime += l.lifetime
	r.take(w, l.debt, 0)
	w.growth.left, w.growth.lifetime, w.growth.converted = w.growth.left+l.growth.left, w.growth.lifetime+l.growth.lifetime, w.growth.converted+l.growth.converted
	l.lifetime, l.debt, l.growth = 0, 0, refGrowth{}
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

// naiveExpiry counts days in Shanghai one by one; nil = never.
func naiveExpiry(p model.Account, t time.Time) *time.Time {
	y, m, d := t.In(clock.Shanghai.Location()).Date()
	midnight := func(y int, m time.Month, d int) *time.Time {
		return ptr(time.Date(y, m, d, 0, 0, 0, 0, clock.Shanghai.Location()))
	}
	switch p.Expiry {
	case model.ExpiryDays, model.ExpirySlidingDays:
		return midnight(y, m, d+p.ExpiryCount+1)
	case model.ExpiryMonths, model.ExpirySlidingMonths:
		for range p.ExpiryCount {
			if m++; m > time.December {
				y, m = y+1, time.January
			}
		}
		for time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Month() != m {
			d--
		}
		return midnight(y, m, d+1)
	case model.ExpiryMonthEnd:
		return midnight(y, m+1, 1)
	case model.ExpiryQuarterEnd:
		for m%3 != 0 {
			m++
		}
		return midnight(y, m+1, 1)
	case model.ExpiryYearEnd:
		return midnight(y+1, time.January, 1)
	case model.ExpiryNextYearEnd:
		return midnight(y+2, time.January, 1)
	case model.ExpiryDate:
		on := p.ExpiryOn.Time()
		until := midnight(on.Year(), on.Month(), on.Day()+1)
		for !until.After(t) {
			on = on.AddDate(1, 0, 0)
			until = midnight(on.Year(), on.Month(), on.Day()+1)
		}
		return until
	}
	return nil
}
