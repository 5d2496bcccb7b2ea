package condition_test

import (
	"testing"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/errs"
)

func calendar(t require.TestingT, args string, at string) condition.Verdict {
	leaf := condition.Calendar(clock.Shanghai)
	when, err := time.ParseInLocation(time.DateTime, at, clock.Shanghai.Location())
	require.NoError(t, err)
	v, err := leaf.Eval(nil, nil, &condition.Subject{At: when}, []byte(args))
	require.NoError(t, err)
	all, err := leaf.Members(nil, nil, when, roaring.BitmapOf(1), []byte(args))
	require.NoError(t, err)
	require.Equal(t, v.Holds, all.Contains(1))
	return v
}

func TestCalendar(t *testing.T) {
	t.Parallel()

	t.Run("EveryPartMustFit", func(t *testing.T) {
		t.Parallel()
		for _, c := range []struct {
			args, at string
			holds    bool
		}{
			{`{"weekdays":[3]}`, "2026-11-24 23:59:59", false},
			{`{"weekdays":[3]}`, "2026-11-25 00:00:00", true},
			{`{"weekdays":[3]}`, "2026-11-26 00:00:00", false},
			{`{"weekdays":[7]}`, "2026-11-29 12:00:00", true},
			{`{"month_days":[8,18,28]}`, "2026-11-18 12:00:00", true},
			{`{"month_days":[-1]}`, "2027-02-28 12:00:00", true},
			{`{"month_days":[-1]}`, "2028-02-28 12:00:00", false},
			{`{"month_days":[31]}`, "2026-11-30 12:00:00", false},
			{`{"month_days":[31],"short":"last"}`, "2026-11-30 12:00:00", true},
			{`{"month_days":[31],"short":"last"}`, "2026-12-30 12:00:00", false},
			{`{"dates":["2026-11-11","2026-12-12"]}`, "2026-12-12 23:59:59", true},
			{`{"dates":["2026-11-11","2026-12-12"]}`, "2026-12-13 00:00:00", false},
			{`{"from":"10:00","to":"22:00"}`, "2026-11-25 09:59:59", false},
			{`{"from":"10:00","to":"22:00"}`, "2026-11-25 10:00:00", true},
			{`{"from":"10:00","to":"22:00"}`, "2026-11-25 22:00:00", false},
			{`{"from":"20:00","to":"24:00"}`, "2026-11-25 23:59:59", true},
			{`{"from":"20:00","to":"24:00"}`, "2026-11-26 00:00:00", false},
			{`{"from":"20:00","to":"24:00"}`, "2026-11-26 19:59:59", false},
			{`{"from":"22:00","to":"02:00"}`, "2026-11-25 01:59:59", true},
			{`{"from":"22:00","to":"02:00"}`, "2026-11-25 02:00:00", false},
			{`{"weekdays":[3],"from":"10:00","to":"22:00"}`, "2026-11-26 12:00:00", false},
		} {
			require.Equal(t, c.holds, calendar(t, c.args, c.at).Holds, "%s at %s", c.args, c.at)
		}
	})

	t.Run("ItFlipsWhenItSays", func(t *testing.T) {
		t.Parallel()
		forms := []string{
			`{"weekdays":[1,3]}`, `{"month_days":[31]}`, `{"month_days":[31,-1],"short":"last","from":"09:00","to":"18:30"}`, `{"dates":["2026-12-31","2027-01-01"]}`,
			`{"from":"20:00","to":"24:00"}`, `{"weekdays":[3],"from":"20:00","to":"24:00"}`,
			`{"from":"22:00","to":"02:00"}`, `{"weekdays":[6,7],"from":"22:00","to":"02:00"}`,
		}
		rapid.Check(t, func(r *rapid.T) {
			args := rapid.SampledFrom(forms).Draw(r, "args")
			at := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(rapid.IntRange(0, 200*24*60).Draw(r, "minutes")) * time.Minute)
			say := func(t time.Time) string { return clock.Shanghai.In(t).Format(time.DateTime) }
			v := calendar(r, args, say(at))
			last := at.Add(90 * 24 * time.Hour)
			for t := at; t.Before(last); t = t.Add(30 * time.Minute) { // every edge above lies on a half hour
				edge := t.Truncate(30 * time.Minute)
				if edge.After(at) && calendar(r, args, say(edge)).Holds != v.Holds {
					require.Equal(r, edge.UTC(), v.FlipsAt.UTC(), args)
					return
				}
			}
			require.True(r, v.FlipsAt.IsZero() || v.FlipsAt.After(last.Add(-time.Hour)), args)
		})
	})

	t.Run("WhatIsNoCalendarIsRefused", func(t *testing.T) {
		t.Parallel()
		for _, args := range []string{
			`{}`, `{"weekdays":[0]}`, `{"weekdays":[8]}`, `{"month_days":[32]}`, `{"month_days":[0]}`, `{"from":"10:00"}`, `{"from":"24:00","to":"25:00"}`,
			`{"from":"10:00","to":"10:00"}`, `{"dates":["2026-02-30"]}`, `{"dates":[""]}`, `{"weekdays":[1],"short":"never"}`, `{"hours":[1]}`,
		} {
			err := condition.Calendar(clock.Shanghai).Check(nil, nil, []byte(args))
			require.Error(t, err, args)
			if args != `{"dates":["2026-02-30"]}` {
				require.Equal(t, errs.Invalid, errs.CodeOf(err), args)
			}
		}
	})
}
