package condition

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/templates"
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

// Holds compares a count or a sum.
func (op Op) Holds(saw, n int64) bool {
	switch op {
	case Gte:
		return saw >= n
	case Lte:
		return saw <= n
	}
	return op == Eq && saw == n
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
	list := make([]Amount, len(times))
	for i, t := range times {
		list[i] = Amount{t, 1}
	}
	v := SumWindow(list, op, int64(n), window, at)
	v.Saw = int(v.Saw.(int64))
	return v
}

// Amount is how much something at an instant counts.
type Amount struct {
	At time.Time
	N  int64
}

// SumWindow is CountWindow of amounts. Saw is their sum, an int64.
func SumWindow(list []Amount, op Op, n int64, window time.Duration, at time.Time) Verdict {
	sum := int64(0)
	var changes []Amount
	for _, a := range list {
		switch {
		case a.At.After(at):
			changes = append(changes, a)
		case window == 0 || a.At.Add(window).After(at):
			sum += a.N
		default:
			continue
		}
		if window > 0 {
			changes = append(changes, Amount{a.At.Add(window), -a.N})
		}
	}
	v := Verdict{Holds: op.Holds(sum, n), Saw: sum}
	slices.SortFunc(changes, func(a, b Amount) int { return a.At.Compare(b.At) })
	for i, c := range changes {
		sum += c.N
		last := i+1 == len(changes) || changes[i+1].At.After(c.At)
		if last && op.Holds(sum, n) != v.Holds {
			v.FlipsAt = c.At
			break
		}
	}
	return v
}

// WindowName is what an operator reads for a window that ParseWindow reads.
func WindowName(lang, w string) string {
	if w == "" {
		return ""
	}
	return templates.T(lang, "window."+w[len(w)-1:], map[string]any{"n": w[:len(w)-1]})
}
