package reward

import (
	"encoding/json"
	"time"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/model"
)

// use is what one cap has counted: the key of a model.RuleUse without the member.
type use struct {
	rule    int64
	period  string
	account string // "" counts the times
}

// line is one grant that was decided.
type line struct {
	index  int // of the grant in the definition
	spec   Spec
	amount int64  // after the caps; 0 where they left nothing
	note   string // which cap cut it
}

// outcome is what one rule gives for one event.
type outcome struct {
	lines []line
	uses  map[use]int64 // what is to be added to the counters
}

// decide says what a version of a rule gives for an event whose condition holds, given what was used before.
// It reads nothing but its arguments.
func decide(rule int64, d *Definition, ev *model.Event, used map[use]int64, z clock.Zone) outcome {
	out := outcome{uses: map[use]int64{}}
	if !inWindow(d, ev.OccurredAt) {
		return out
	}
	for _, c := range d.Caps {
		k := use{rule, c.Period.Key(z, ev.OccurredAt), ""}
		if c.Times > 0 && used[k] >= c.Times {
			return cutAll(d, ev, c.Period.note())
		}
	}
	for i, s := range d.Grants {
		l := line{index: i, spec: s, amount: amount(s, ev)}
		if s.Kind != Tag && l.amount == 0 {
			continue
		}
		for _, c := range d.Caps {
			if c.Account == "" || c.Account != s.Account {
				continue
			}
			k := use{rule, c.Period.Key(z, ev.OccurredAt), c.Account}
			if room := max(c.Amount-used[k]-out.uses[k], 0); l.amount > room {
				l.amount, l.note = room, c.Period.note()
			}
		}
		out.lines = append(out.lines, l)
		count(rule, d, ev, z, l, out.uses)
	}
	if len(out.lines) > 0 {
		countOnce(rule, d, ev, z, out.uses)
	}
	return out
}

// count adds a line to the counters of the amount caps of its account, each period once.
func count(rule int64, d *Definition, ev *model.Event, z clock.Zone, l line, uses map[use]int64) {
	seen := map[use]bool{}
	for _, c := range d.Caps {
		k := use{rule, c.Period.Key(z, ev.OccurredAt), c.Account}
		if c.Account == "" || c.Account != l.spec.Account || seen[k] {
			continue
		}
		seen[k] = true
		uses[k] += l.amount
	}
}

// countOnce adds one to the counters of the caps on times.
func countOnce(rule int64, d *Definition, ev *model.Event, z clock.Zone, uses map[use]int64) {
	for _, c := range d.Caps {
		if c.Times > 0 {
			uses[use{rule, c.Period.Key(z, ev.OccurredAt), ""}] = 1
		}
	}
}

// cutAll shows the grants that a cap on times left nothing of.
func cutAll(d *Definition, ev *model.Event, note string) outcome {
	var out outcome
	for i, s := range d.Grants {
		if s.Kind != Tag && amount(s, ev) > 0 {
			out.lines = append(out.lines, line{index: i, spec: s, note: note})
		}
	}
	return out
}

func inWindow(d *Definition, at time.Time) bool {
	return (d.From == nil || !at.Before(*d.From)) && (d.Until == nil || at.Before(*d.Until))
}

// amount is what the grant gives before caps.
func amount(s Spec, ev *model.Event) int64 {
	switch s.Kind {
	case Fixed:
		return s.Amount
	case PerUnit:
		n := number(ev, s.Field)
		if n <= 0 || n > maxAmount {
			return 0
		}
		return s.Amount * n
	case Streak:
		return s.reached(number(ev, "streak"))
	}
	return 0
}

// number is a whole number in the event's data; 0 where there is none.
func number(ev *model.Event, field string) int64 {
	if v, ok := condition.DataFields(ev.Data)[field].(json.Number); ok {
		n, _ := v.Int64() // a fraction counts as nothing
		return n
	}
	return 0
}
