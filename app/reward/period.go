package reward

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/errs"
)

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
	Year     Period = "year"
	Lifetime Period = "lifetime"
)

// Periods are all of them, the shortest first.
var Periods = []Period{Day, Week, Month, Year, Lifetime}

// Key names the period that contains t.
func (p Period) Key(z clock.Zone, t time.Time) string {
	switch p {
	case Day:
		return string(z.DayOf(t))
	case Week:
		return z.WeekOf(t)
	case Month:
		return z.MonthOf(t)
	case Year:
		return z.MonthOf(t)[:4]
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
	case Year:
		return z.Start(day[:4] + "-01-01")
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
	case Year:
		return z.End(z.DayOf(t)[:4] + "-12-31")
	default:
		return time.Time{}
	}
}

// note is what a line says that a cap of the period cut.
func (p Period) note() string {
	return notes[p]
}

var notes = map[Period]string{Day: "DAILY_CAP", Week: "WEEKLY_CAP", Month: "MONTHLY_CAP", Year: "YEARLY_CAP", Lifetime: "LIFETIME_CAP"}

func (c *Cap) check(at string, accounts []string) error {
	if c.Period.note() == "" {
		return errs.Field(at+"period", "reward.period")
	}
	byAmount := c.Account != "" || c.Amount != 0
	if (c.Times > 0) == byAmount || c.Times < 0 {
		return errs.Field(cmp.Or(strings.TrimSuffix(at, "."), "times"), "reward.cap")
	}
	if byAmount && (c.Amount <= 0 || !slices.Contains(accounts, c.Account)) {
		return errs.Field(at+"account", "reward.cap_account")
	}
	return nil
}

func checkCaps(caps []Cap, accounts []string) error {
	for i, c := range caps {
		if err := c.check(fmt.Sprintf("caps[%d].", i), accounts); err != nil {
			return err
		}
	}
	return nil
}
