package clock

import (
	"fmt"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/siyu-scrm/siyu/app/errs"
)

const maxCron = 64 // bytes

// Cron is a five-field cron line in a zone. It only computes times: siyu claims and runs what is due itself.
type Cron struct {
	schedule cron.Schedule
	zone     Zone
}

var cronParser = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow)

// ParseCron reads "minute hour day month weekday". It refuses a zone prefix, since the zone is the programme's.
func ParseCron(line string, z Zone) (Cron, error) {
	line = strings.TrimSpace(line)
	if strings.HasPrefix(line, "TZ=") || strings.HasPrefix(line, "CRON_TZ=") {
		return Cron{}, fmt.Errorf("clock: cron line %q names a zone: the programme's zone is used", line)
	}
	s, err := cronParser.Parse(line)
	if err != nil {
		return Cron{}, fmt.Errorf("clock: cron line %q: %w", line, err)
	}
	return Cron{s, z}, nil
}

// Firings are next and those that the cron line brings after it, before until and at most so many. A line that is none brings no more.
func Firings(line string, z Zone, next, until time.Time, most int) (all []time.Time) {
	c, err := ParseCron(line, z)
	for t := next; !t.IsZero() && t.Before(until) && len(all) < most; t = c.Next(t) {
		if all = append(all, t); err != nil {
			break
		}
	}
	return all
}

// CheckCron reads the line that an operator wrote in the field "cron" and gives its first firing after now. It refuses what is no cron
// line, is longer than its column or can never fire.
func CheckCron(line string, z Zone, now time.Time) (c Cron, first time.Time, err error) {
	if c, err = ParseCron(line, z); err != nil || len(line) > maxCron {
		return c, first, errs.Field("cron", "cron.bad")
	}
	if first = c.Next(now); first.IsZero() {
		return c, first, errs.Field("cron", "cron.never")
	}
	return c, first, nil
}

// Next is the first firing after t, in UTC; zero if there is none within five years.
func (c Cron) Next(t time.Time) time.Time {
	n := c.schedule.Next(t.In(c.zone.loc))
	if n.IsZero() {
		return n
	}
	return n.UTC()
}
