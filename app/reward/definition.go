// Package reward turns events into grants by rules that an operator writes: points in accounts, and tags.
// decide is pure; apply writes what it decided, in the transaction of the event.
package reward

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/errs"
)

// Definition is one version of a rule.
type Definition struct {
	Condition condition.Tree `json:"condition"`
	Grants    []Spec         `json:"grants"`
	Caps      []Cap          `json:"caps,omitempty"`
	From      *time.Time     `json:"from,omitempty"`  // the rule counts for events in [From, Until)
	Until     *time.Time     `json:"until,omitempty"` //
	Priority  int            `json:"priority,omitempty"`
}

// Spec is one thing that a rule grants.
type Spec struct {
	Kind    Kind   `json:"kind"`
	Account string `json:"account,omitempty"` // every kind but tag
	Amount  int64  `json:"amount,omitempty"`  // fixed: as it is; per_unit: per unit of Field
	Field   string `json:"field,omitempty"`   // per_unit: field of the event's data that is counted
	Table   []Step `json:"table,omitempty"`   // streak: what each length of the streak earns
	Cycle   int    `json:"cycle,omitempty"`   // streak: the table starts over after so many days; 0 = never
	TagID   int64  `json:"tag_id,string,omitempty"`
}

// Kind says how the amount of a grant comes about.
type Kind string

// The kinds of grants.
const (
	Fixed   Kind = "fixed"
	PerUnit Kind = "per_unit"
	Streak  Kind = "streak"
	Tag     Kind = "tag"
)

// Step is one line of a streak table: reaching the length earns the amount.
type Step struct {
	Days   int   `json:"days"`
	Amount int64 `json:"amount"`
}

// Cap limits what one member gets by the rule in one period: so many times, or so much in one account.
type Cap struct {
	Period  Period `json:"period"`
	Times   int64  `json:"times,omitempty"`
	Account string `json:"account,omitempty"`
	Amount  int64  `json:"amount,omitempty"`
}

// Period is the stretch of the calendar that a cap counts over.
type Period string

// The periods of caps.
const (
	Day      Period = "day"
	Week     Period = "week" // ISO: from Monday
	Month    Period = "month"
	Lifetime Period = "lifetime"
)

// Periods are all of them, the shortest first.
var Periods = []Period{Day, Week, Month, Lifetime}

// Key names the period that contains t.
func (p Period) Key(z clock.Zone, t time.Time) string {
	switch p {
	case Day:
		return string(z.DayOf(t))
	case Week:
		return z.WeekOf(t)
	case Month:
		return z.MonthOf(t)
	default:
		return string(Lifetime)
	}
}

// Start is the first instant of the period that contains t; zero for a lifetime.
func (p Period) Start(z clock.Zone, t time.Time) time.Time {
	day := z.DayOf(t)
	switch p {
	case Day:
		return z.Start(day)
	case Week:
		return z.Start(day.Add(-(int(day.Time().Weekday()) + 6) % 7))
	case Month:
		return z.MonthStart(t)
	default:
		return time.Time{}
	}
}

// End is the first instant after the period that contains t; zero for a lifetime.
func (p Period) End(z clock.Zone, t time.Time) time.Time {
	switch p {
	case Day:
		return z.End(z.DayOf(t))
	case Week:
		return z.Start(z.DayOf(p.Start(z, t)).Add(7))
	case Month:
		return z.MonthStart(p.Start(z, t).AddDate(0, 0, 40))
	default:
		return time.Time{}
	}
}

// note is what a line says that a cap of the period cut.
func (p Period) note() string {
	return map[Period]string{Day: "DAILY_CAP", Week: "WEEKLY_CAP", Month: "MONTHLY_CAP", Lifetime: "LIFETIME_CAP"}[p]
}

// maxAmount bounds every amount of a rule.
const maxAmount = 1_000_000

// check refuses what can never be meant. accounts are those that exist.
func (d *Definition) check(accounts []string) error {
	if len(d.Grants) == 0 || len(d.Grants) > 20 {
		return errs.Field("grants", "reward.grants", "limit", 20)
	}
	for i, g := range d.Grants {
		if err := g.check(fmt.Sprintf("grants[%d]", i), accounts); err != nil {
			return err
		}
	}
	for i, c := range d.Caps {
		if err := c.check(fmt.Sprintf("caps[%d]", i), accounts); err != nil {
			return err
		}
	}
	if d.From != nil && d.Until != nil && !d.From.Before(*d.Until) {
		return errs.Field("until", "reward.until")
	}
	return nil
}

func (g *Spec) check(at string, accounts []string) error {
	if g.Kind == Tag {
		if g.TagID <= 0 || g.Account != "" || g.Amount != 0 {
			return errs.Field(at+".tag_id", "reward.tag_id")
		}
		return nil
	}
	if g.Cycle != 0 && g.Kind != Streak {
		return errs.Field(at+".cycle", "reward.cycle", "days", 0, "limit", 366)
	}
	if !slices.Contains(accounts, g.Account) {
		return errs.Field(at+".account", "reward.account", "accounts", strings.Join(accounts, ", "))
	}
	switch g.Kind {
	case Fixed, PerUnit:
		if g.Amount <= 0 || g.Amount > maxAmount {
			return errs.Field(at+".amount", "reward.amount", "limit", maxAmount)
		}
		if (g.Kind == PerUnit) != (g.Field != "") {
			return errs.Field(at+".field", "reward.field")
		}
	case Streak:
		if len(g.Table) == 0 || len(g.Table) > 100 {
			return errs.Field(at+".table", "reward.table", "limit", 100)
		}
		if last := g.Table[len(g.Table)-1].Days; g.Cycle < 0 || g.Cycle > 366 || g.Cycle > 0 && g.Cycle < last {
			return errs.Field(at+".cycle", "reward.cycle", "days", last, "limit", 366)
		}
		for i, s := range g.Table {
			if s.Days <= 0 || s.Amount <= 0 || s.Amount > maxAmount || i > 0 && s.Days <= g.Table[i-1].Days {
				return errs.Field(fmt.Sprintf("%s.table[%d]", at, i), "reward.step", "limit", maxAmount)
			}
		}
	default:
		return errs.Field(at+".kind", "reward.kind")
	}
	return nil
}

func (c *Cap) check(at string, accounts []string) error {
	if c.Period.note() == "" {
		return errs.Field(at+".period", "reward.period")
	}
	byAmount := c.Account != "" || c.Amount != 0
	if (c.Times > 0) == byAmount || c.Times < 0 {
		return errs.Field(at, "reward.cap")
	}
	if byAmount && (c.Amount <= 0 || !slices.Contains(accounts, c.Account)) {
		return errs.Field(at+".account", "reward.cap_account")
	}
	return nil
}
