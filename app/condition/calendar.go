package condition

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

// lastDay as a day of the month is its last one.
const lastDay = -1

// calendarArgs is a part of the calendar: every field that is given must fit.
type calendarArgs struct {
	Weekdays  []int       `json:"weekdays"`   // 1 Monday … 7 Sunday
	MonthDays []int       `json:"month_days"` // 1 … 31, -1 the last
	Short     string      `json:"short"`      // of a day that a shorter month has not: skip (default), or last
	Dates     []model.Day `json:"dates"`
	From      string      `json:"from"` // time of day, [from, to); from after to goes over midnight
	To        string      `json:"to"`   // up to 24:00
}

// span reports whether from and to are a part of the day.
func (a calendarArgs) span() bool {
	from, okFrom := clock.Minutes(a.From)
	_, okTo := clock.Minutes(a.To)
	return okFrom && okTo && from < clock.DayMinutes && a.From != a.To
}

func readCalendar(raw json.RawMessage) (a calendarArgs, err error) {
	if err := DecodeArgs(raw, &a); err != nil {
		return a, err
	}
	outside := func(list []int, low, high int) bool {
		return slices.ContainsFunc(list, func(n int) bool { return n < low || n > high || n == 0 })
	}
	switch {
	case outside(a.Weekdays, 1, 7):
		return a, errs.Field("weekdays", "condition.calendar")
	case outside(a.MonthDays, lastDay, 31):
		return a, errs.Field("month_days", "condition.calendar")
	case a.Short != "" && a.Short != "skip" && a.Short != "last":
		return a, errs.Field("short", "condition.calendar")
	case len(a.Dates) > 400 || slices.Contains(a.Dates, ""):
		return a, errs.Field("dates", "condition.calendar")
	case a.From+a.To != "" && !a.span():
		return a, errs.Field("from", "condition.calendar")
	case len(a.Weekdays)+len(a.MonthDays)+len(a.Dates) == 0 && a.From == "":
		return a, errs.Field("weekdays", "condition.arg_required")
	}
	return a, nil
}

// on reports whether the day fits.
func (a calendarArgs) on(d model.Day) bool {
	t := d.Time()
	if len(a.Weekdays) > 0 && !slices.Contains(a.Weekdays, (int(t.Weekday())+6)%7+1) {
		return false
	}
	if len(a.Dates) > 0 && !slices.Contains(a.Dates, d) {
		return false
	}
	if len(a.MonthDays) == 0 || slices.Contains(a.MonthDays, t.Day()) {
		return true
	}
	last := t.AddDate(0, 0, 1).Day() == 1
	beyond := func(n int) bool { return n > t.Day() }
	return last && (slices.Contains(a.MonthDays, lastDay) || a.Short == "last" && slices.ContainsFunc(a.MonthDays, beyond))
}

// holds reports whether the instant fits: its day and its time of day, in the zone.
func (a calendarArgs) holds(z clock.Zone, at time.Time) bool {
	if !a.on(z.DayOf(at)) {
		return false
	}
	now := z.In(at).Format("15:04")
	switch {
	case a.From == "":
		return true
	case a.From < a.To:
		return a.From <= now && now < a.To
	}
	return a.From <= now || now < a.To
}

// horizon is how many days ahead a flip is looked for: longer than the calendar takes to repeat any weekday in a month.
const horizon = 800

// flips is the first instant after at at which holds changes; zero = not within the horizon.
func (a calendarArgs) flips(z clock.Zone, at time.Time) time.Time {
	holds := a.holds(z, at)
	for d := range a.days(z.DayOf(at)) {
		edges := []time.Time{z.Start(d)}
		for _, s := range []string{min(a.From, a.To), max(a.From, a.To)} {
			if s != "" {
				minutes, _ := clock.Minutes(s)
				edges = append(edges, z.At(d, 0, minutes))
			}
		}
		for _, e := range edges {
			if e.After(at) && a.holds(z, e) != holds {
				return e
			}
		}
	}
	return time.Time{}
}

// days are those from today on on which something may change.
func (a calendarArgs) days(today model.Day) iter.Seq[model.Day] {
	if len(a.Dates) > 0 {
		days := []model.Day{today, today.Add(1)}
		for _, d := range a.Dates {
			if d >= today {
				days = append(days, d, d.Add(1))
			}
		}
		slices.Sort(days)
		return slices.Values(days)
	}
	return func(yield func(model.Day) bool) {
		for n := range horizon {
			if !yield(today.Add(n)) {
				return
			}
		}
	}
}

// Calendar is the leaf "calendar": weekdays, days of the month, dates and a time of day, at the moment in question, in the zone.
func Calendar(z clock.Zone) Leaf {
	args := Remember(readCalendar)
	return Leaf{
		Name: "calendar",
		Check: func(_ context.Context, _ *gorm.DB, raw json.RawMessage) error {
			_, err := readCalendar(raw)
			return err
		},
		Eval: func(_ context.Context, _ *gorm.DB, s *Subject, raw json.RawMessage) (Verdict, error) {
			a, err := args(raw)
			if err != nil {
				return Verdict{}, err
			}
			return Verdict{Holds: a.holds(z, s.At), FlipsAt: a.flips(z, s.At), Saw: z.In(s.At).Format("2006-01-02 15:04:05 Mon")}, nil
		},
		Members: func(_ context.Context, _ *gorm.DB, at time.Time, universe *roaring.Bitmap, raw json.RawMessage) (*roaring.Bitmap, error) {
			a, err := readCalendar(raw)
			if err != nil || !a.holds(z, at) {
				return roaring.New(), err
			}
			return universe, nil
		},
		Sentence: func(_ context.Context, _ *gorm.DB, lang string, raw json.RawMessage) (string, error) {
			a, err := readCalendar(raw)
			return a.sentence(lang), err
		},
	}
}

func (a calendarArgs) sentence(lang string) string {
	var parts []string
	say := func(key string, items []string) {
		if len(items) > 0 {
			parts = append(parts, templates.T(lang, key, map[string]any{"list": strings.Join(items, templates.T(lang, "condition.calendar.sep", nil))}))
		}
	}
	var weekdays, days, dates []string
	for _, d := range a.Weekdays {
		weekdays = append(weekdays, templates.T(lang, fmt.Sprint("weekday.", d), nil))
	}
	for _, d := range a.MonthDays {
		if d == lastDay {
			days = append(days, templates.T(lang, "condition.calendar.last", nil))
		} else {
			days = append(days, templates.T(lang, "condition.calendar.day", map[string]any{"day": d}))
		}
	}
	for _, d := range a.Dates {
		dates = append(dates, string(d))
	}
	say("condition.calendar.weekdays", weekdays)
	say("condition.calendar.month_days", days)
	if a.Short == "last" {
		parts = append(parts, templates.T(lang, "condition.calendar.short", nil))
	}
	say("condition.calendar.dates", dates)
	if a.From != "" {
		parts = append(parts, templates.T(lang, "condition.calendar.time", map[string]any{"from": a.From, "to": a.To}))
	}
	return strings.Join(parts, templates.T(lang, "condition.calendar.and", nil))
}
