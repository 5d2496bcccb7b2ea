package clock

import (
	"fmt"
	"time"

	"github.com/siyu-scrm/siyu/model"
)

// Zone is the programme's time zone: all calendar arithmetic of business rules happens in it (PLAYBOOKS H1).
type Zone struct{ loc *time.Location }

// Shanghai is the default zone.
var Shanghai = must(LoadZone("Asia/Shanghai"))

func must(z Zone, err error) Zone {
	if err != nil {
		panic(err) // tzdata is embedded: cannot fail
	}
	return z
}

// LoadZone finds a zone by its IANA name.
func LoadZone(name string) (Zone, error) {
	loc, err := time.LoadLocation(name)
	if err != nil || name == "" || name == "Local" {
		return Zone{}, fmt.Errorf("clock: time zone %q is unknown: give an IANA name such as Asia/Shanghai", name)
	}
	return Zone{loc}, nil
}

// Location is for formatting: t.In(z.Location()).
func (z Zone) Location() *time.Location { return z.loc }

// In is t, to be shown in the zone.
func (z Zone) In(t time.Time) time.Time { return t.In(z.loc) }

// DayOf is the calendar day of t.
func (z Zone) DayOf(t time.Time) model.Day { return model.DayOf(t.In(z.loc)) }

// Start is the first instant of the day, in UTC.
func (z Zone) Start(d model.Day) time.Time {
	t := d.Time()
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, z.loc).UTC()
}

// End is the first instant after the day.
func (z Zone) End(d model.Day) time.Time { return z.Start(d.Add(1)) }

// At is the instant of hour:minute on the day, in UTC.
func (z Zone) At(d model.Day, hour, minute int) time.Time {
	t := d.Time()
	return time.Date(t.Year(), t.Month(), t.Day(), hour, minute, 0, 0, z.loc).UTC()
}

// MonthOf is the calendar month of t, as "2026-11".
func (z Zone) MonthOf(t time.Time) string { return t.In(z.loc).Format("2006-01") }

// MonthStart is the first instant of the month of t, in UTC.
func (z Zone) MonthStart(t time.Time) time.Time {
	t = t.In(z.loc)
	return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, z.loc).UTC()
}

// WeekOf is the ISO week of t, as "2026-W48"; weeks start on Monday.
func (z Zone) WeekOf(t time.Time) string {
	y, w := t.In(z.loc).ISOWeek()
	return fmt.Sprintf("%04d-W%02d", y, w)
}

// DayMinutes is the end of a day, 24:00.
const DayMinutes = 24 * 60

// Minutes reads a time of day such as 08:30, up to 24:00, as minutes after midnight.
func Minutes(s string) (n int, ok bool) {
	if s == "24:00" {
		return DayMinutes, true
	}
	t, err := time.Parse("15:04", s)
	return t.Hour()*60 + t.Minute(), err == nil && len(s) == len("15:04")
}
