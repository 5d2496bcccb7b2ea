package condition

import (
	"time"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// maxDays bounds a number of days: a long life.
const maxDays = 50_000

// CheckDays refuses, as errs.Field, an Op that does not compare counts and a number of days that cannot be.
func CheckDays(op Op, field string, n int64) error {
	if err := CheckCount(op); err != nil {
		return err
	}
	if n < 0 || n > maxDays {
		return errs.Field(field, "condition.arg_days", "limit", maxDays)
	}
	return nil
}

// DaysSince compares the calendar days in the zone from a day to the instant with n. Saw is their number.
func DaysSince(z clock.Zone, from model.Day, op Op, n int64, at time.Time) Verdict {
	days := func(at time.Time) int64 { return int64(z.DayOf(at).Sub(from)) }
	v := Verdict{Holds: op.Holds(days(at), n), Saw: days(at)}
	for _, d := range []int64{n, n + 1} {
		edge := z.Start(from.Add(int(d)))
		if edge.After(at) && op.Holds(d, n) != v.Holds {
			v.FlipsAt = edge
			break
		}
	}
	return v
}

// LastSince are those whose last time was so many calendar days before the instant, as DaysSince says of one. ever are those who have a last
// time; since are those whose last time is not before the instant that it is given.
func LastSince(z clock.Zone, op Op, n int64, at time.Time, ever func() (*roaring.Bitmap, error), since func(time.Time) (*roaring.Bitmap, error)) (*roaring.Bitmap, error) {
	today := z.DayOf(at)
	longest, err := ever() // the fewest days are none
	if err == nil && op != Gte {
		longest, err = since(z.Start(today.Add(int(-n))))
	}
	if err != nil || op == Lte {
		return longest, err
	}
	later, err := since(z.Start(today.Add(int(1 - n))))
	if err != nil {
		return nil, err
	}
	return roaring.AndNot(longest, later), nil
}
