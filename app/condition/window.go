package condition

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/siyu-scrm/siyu/app/errs"
)

// Op is how a leaf compares what it saw with what the operator wrote.
type Op string

// The comparisons.
const (
	Eq  Op = "eq"
	Ne  Op = "ne"
	In  Op = "in"
	Gte Op = "gte"
	Lte Op = "lte"
)

// CheckCount refuses, as errs.Field("op"), an Op that does not compare counts.
func CheckCount(op Op) error {
	if op != Gte && op != Lte && op != Eq {
		return errs.Field("op", "condition.arg_op", "want", "gte, lte, eq")
	}
	return nil
}

// holds compares a count.
func (op Op) holds(count, n int) bool {
	switch op {
	case Gte:
		return count >= n
	case Lte:
		return count <= n
	}
	return op == Eq && count == n
}

// maxWindowDays bounds a window to ten years.
const maxWindowDays = 3660

// ParseWindow reads the length of a rolling window: "30d", "48h", "90m"; "" is for ever and gives 0.
// A refusal is errs.Field("window").
func ParseWindow(s string) (time.Duration, error) {
	if s == "" {
		return 0, nil
	}
	units := map[byte]time.Duration{'d': 24 * time.Hour, 'h': time.Hour, 'm': time.Minute}
	unit := units[s[len(s)-1]]
	n, err := strconv.ParseUint(s[:len(s)-1], 10, 31)
	if err != nil || strings.HasPrefix(s, "+") || n == 0 || unit == 0 || n > uint64(maxWindowDays*24*time.Hour/unit) {
		return 0, errs.Field("window", "condition.arg_window", "days", maxWindowDays)
	}
	return time.Duration(n) * unit, nil // bounded above: cannot overflow
}

// CountWindow compares the number of events in the rolling window that ends at the instant with n. An event at t counts at the
// instants of [t, t+window); window 0 is for ever. Later events do not count yet, but a known one that time will reach does
// take part in FlipsAt, which is exact. Saw is the count. times need no order and are not changed.
func CountWindow(times []time.Time, op Op, n int, window time.Duration, at time.Time) Verdict {
	type change struct {
		at time.Time
		by int
	}
	count := 0
	var changes []change
	for _, t := range times {
		switch {
		case t.After(at):
			changes = append(changes, change{t, 1})
		case window == 0 || t.Add(window).After(at):
			count++
		default:
			continue
		}
		if window > 0 {
			changes = append(changes, change{t.Add(window), -1})
		}
	}
	v := Verdict{Holds: op.holds(count, n), Saw: count}
	slices.SortFunc(changes, func(a, b change) int { return a.at.Compare(b.at) })
	for i, c := range changes {
		count += c.by
		last := i+1 == len(changes) || changes[i+1].at.After(c.at)
		if last && op.holds(count, n) != v.Holds {
			v.FlipsAt = c.at
			break
		}
	}
	return v
}
