package model

import (
	"encoding/json"
	"fmt"
	"time"
)

// Day is a calendar day without a zone, as "2026-11-23". The zero value is no day.
type Day string

const dayLayout = "2006-01-02"

// DayOf is the calendar day that t shows in t's own location.
func DayOf(t time.Time) Day { return Day(t.Format(dayLayout)) }

// ParseDay reads "2026-11-23" and refuses what is no day, such as 2026-02-30.
func ParseDay(s string) (Day, error) {
	t, err := time.Parse(dayLayout, s)
	if err != nil {
		return "", fmt.Errorf("%q is not a day: write it as 2026-11-23", s)
	}
	return DayOf(t), nil
}

// Time is midnight UTC of the day: for arithmetic only.
func (d Day) Time() time.Time {
	t, _ := time.Parse(dayLayout, string(d))
	return t
}

// Add is the day n days later.
func (d Day) Add(n int) Day { return DayOf(d.Time().AddDate(0, 0, n)) }

// Sub is the number of days from other to d.
func (d Day) Sub(other Day) int { return int(d.Time().Sub(other.Time()) / (24 * time.Hour)) }

// Month is "2026-11".
func (d Day) Month() string {
	if len(d) < 7 {
		return ""
	}
	return string(d[:7])
}

// UnmarshalJSON refuses anything but a day or "".
func (d *Day) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	if s == "" {
		*d = ""
		return nil
	}
	v, err := ParseDay(s)
	*d = v
	return err
}
