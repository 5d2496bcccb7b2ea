package reward

import (
	"encoding/json"
	"maps"
	"math/big"
	"slices"
	"time"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/model"
)

// use is what one cap has counted: the key of a model.RuleUse without the member, or of a model.RuleBudget.
type use struct {
	of      scope
	id      int64 // of the rule or the set
	period  string
	account string // "" counts the times
}

// scope says what a cap is over.
type scope string

const (
	ofRule   scope = "rule"   // of one member, by one rule
	ofSet    scope = "set"    // of one member, by the rules of a set
	ofBudget scope = "budget" // of all members, by one rule
)

// situation is all that decide reads.
type situation struct {
	ev      *model.Event
	data    map[string]any          // the fields of the event's data
	hits    []matched               // multipliers among them, by priority
	beaten  []matched               // filled by decide: excluded by others
	used    map[use]int64           // before the event
	sets    map[string]model.CapSet // by code
	setting model.RewardSetting
	zone    clock.Zone
}

// line is one grant that was decided. What is multiplied is floored once, with its multiplier; the base is what it were without, and
// the bonus the difference (PLAYBOOKS H5, H8).
type line struct {
	index       int // of the grant in the definition
	spec        *Spec
	boost       boost
	base, bonus int64 // after the caps
	wantBase    int64 // before the caps
	wantBonus   int64
	room        *int64 // what the caps left; nil = no cap
	note        string // which cap cut it
}

func (l *line) want() int64 { return l.wantBase + l.wantBonus }

// outcome is what one rule gives for one event.
type outcome struct {
	hit   matched
	lines []line
	uses  map[use]int64 // what is to be added to the counters
}

// apart keeps of the rules that exclude each other the first one.
func apart(hits []matched) (kept, beaten []matched) {
	taken := map[string]bool{}
	for _, h := range hits {
		name := h.v.def.Exclusive
		if name != "" && taken[name] {
			beaten = append(beaten, h)
			continue
		}
		taken[name] = true
		kept = append(kept, h)
	}
	return kept, beaten
}

// decide says what the rules give for an event for which their conditions hold, in their order. It reads nothing but its argument.
func decide(s *situation) []outcome {
	s.hits, s.beaten = apart(s.hits)
	used := maps.Clone(s.used)
	if used == nil {
		used = map[use]int64{}
	}
	var outs []outcome
	for _, h := range s.hits {
		if h.v.def.multiplier() != nil {
			continue
		}
		o := s.outcome(h, used)
		for k, n := range o.uses {
			used[k] += n
		}
		outs = append(outs, o)
	}
	return outs
}

// limit is a cap in the period of the event.
type limit struct {
	key  use
	most int64
	note string
}

// limits are the caps that bind what the rule gives.
func (s *situation) limits(h matched) []limit {
	d := &h.v.def
	limits := make([]limit, 0, len(d.Caps)+len(d.CapSets)+1)
	add := func(of scope, id int64, c Cap, note string) { // of times and amount one is set
		limits = append(limits, limit{use{of, id, c.Period.Key(s.zone, s.ev.OccurredAt), c.Account}, c.Times + c.Amount, note})
	}
	for _, c := range d.Caps {
		add(ofRule, h.rule.id, c, c.Period.note())
	}
	for _, code := range d.CapSets {
		set := s.sets[code]
		add(ofSet, set.ID, capOf(set), Period(set.Period).note())
	}
	if b := d.Budget; b != nil {
		add(ofBudget, h.rule.id, Cap{Period: b.Period, Account: b.Account, Amount: b.Amount}, noteBudget)
	}
	return limits
}

func (s *situation) outcome(h matched, used map[use]int64) outcome {
	o := outcome{hit: h, uses: map[use]int64{}}
	limits := s.limits(h)
	full := slices.IndexFunc(limits, func(l limit) bool { return l.key.account == "" && used[l.key] >= l.most })
	acts := false
	for i := range h.v.def.Grants {
		l := s.line(h, i)
		switch {
		case full >= 0 && l.want() > 0:
			l.fit(0, limits[full].note)
		case full >= 0, !l.spec.thing() && l.want() == 0 && !s.ev.Order(): // of an order: it may grow
			continue
		default:
			s.count(&l, limits, used, o.uses)
			acts = acts || l.spec.thing() || l.want() > 0
		}
		o.lines = append(o.lines, l)
	}
	for _, l := range limits {
		if acts && l.key.account == "" {
			o.uses[l.key] = 1
		}
	}
	return o
}

// count fits the line into the caps on amounts of its account, and counts it there.
func (s *situation) count(l *line, limits []limit, used, uses map[use]int64) {
	for _, c := range limits {
		if c.key.account == "" || c.key.account != l.spec.Account {
			continue
		}
		if room := max(c.most-used[c.key]-uses[c.key], 0); l.room == nil || room < *l.room {
			l.fit(room, c.note)
		}
	}
	for i, c := range limits {
		again := func(earlier limit) bool { return earlier.key == c.key }
		if c.key.account != "" && c.key.account == l.spec.Account && !slices.ContainsFunc(limits[:i], again) {
			uses[c.key] += l.base + l.bonus
		}
	}
}

// fit cuts the line to the room that a cap leaves.
func (l *line) fit(room int64, note string) {
	l.room = &room
	if l.want() > room {
		l.note = note
	}
	l.base, l.bonus = within(l.wantBase, l.wantBonus, room)
}

// within is what the room leaves of a base and its bonus: the base goes first.
func within(base, bonus, room int64) (int64, int64) {
	total := min(base+bonus, room)
	base = min(base, total)
	return base, total - base
}

// line is what a grant gives before the caps.
func (s *situation) line(h matched, index int) line {
	l := line{index: index, spec: &h.v.def.Grants[index]}
	l.boost = s.boost(h, l.spec)
	l.wantBase, l.wantBonus = worth(l.spec, s.data, l.boost.by)
	l.base, l.bonus = l.wantBase, l.wantBonus
	return l
}

// worth is what a grant gives for an event with the data: without the multiplier, and what that adds. A multiplier of nil is 1.
func worth(spec *Spec, data map[string]any, by *big.Rat) (base, bonus int64) {
	num, denom := value(spec, data)
	base = min(num/denom, maxNumber)
	if by != nil {
		v := big.NewRat(num, denom)
		bonus = floor(v.Mul(v, by)) - base
	}
	return base, bonus
}

// value is what a grant gives, exactly: it is floored only at the end. An amount times a number fits an int64, as both are bounded.
func value(s *Spec, data map[string]any) (num, denom int64) {
	switch s.Kind {
	case Fixed:
		return s.Amount, 1
	case PerUnit:
		return s.Amount * number(data, s.counts()), 1
	case PerYuan:
		return s.Amount * number(data, s.counts()), 100 * max(s.Per, 1)
	case ByBracket:
		n := number(data, s.counts())
		for _, b := range s.Brackets {
			if n >= b.From {
				num = b.Amount
			}
		}
		return num, 1
	case Streak:
		return s.reached(number(data, "streak")), 1
	}
	return 0, 1
}

// floor is the whole part, at most maxNumber.
func floor(v *big.Rat) int64 {
	n := new(big.Int).Quo(v.Num(), v.Denom())
	if !n.IsInt64() {
		return maxNumber
	}
	return min(n.Int64(), maxNumber)
}

func inWindow(d *Definition, at time.Time) bool {
	return (d.From == nil || !at.Before(*d.From)) && (d.Until == nil || at.Before(*d.Until))
}

// number is a whole number above 0 in the event's data; 0 where there is none, or an absurd one.
func number(data map[string]any, field string) int64 {
	if v, ok := data[field].(json.Number); ok {
		if n, err := v.Int64(); err == nil && n > 0 && n <= maxNumber { // a fraction counts as nothing
			return n
		}
	}
	return 0
}
