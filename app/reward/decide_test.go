package reward

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/model"
)

func shanghai(t *testing.T, at string) time.Time {
	t.Helper()
	v, err := time.ParseInLocation(time.DateTime, at, clock.Shanghai.Location())
	require.NoError(t, err)
	return v.UTC()
}

// decideOne is what one rule gives, as match and decide find it.
func decideOne(d *Definition, ev *model.Event, used map[use]int64) (o outcome) {
	if !inWindow(d, ev.OccurredAt) {
		return o
	}
	h := matched{&rule{id: 1, code: "one"}, &version{def: *d}}
	return decide(&situation{ev: ev, data: condition.DataFields(ev.Data), hits: []matched{h}, used: used, zone: clock.Shanghai})[0]
}

// run decides one event after the other, with the counters kept, and returns the amounts and notes of the first line of each.
func run(d *Definition, moments ...time.Time) (got []string) {
	used := map[use]int64{}
	for _, at := range moments {
		out := decideOne(d, &model.Event{OccurredAt: at, Data: model.JSON(`{"n":4,"half":1.5,"minus":-3,"many":1000000000001,"streak":7}`)}, used)
		for k, n := range out.uses {
			used[k] += n
		}
		switch len(out.lines) {
		case 0:
			got = append(got, "-")
		default:
			got = append(got, strings.TrimSpace(fmt.Sprint(out.lines[0].base, " ", out.lines[0].note)))
		}
	}
	return got
}

func points(amount int64) []Spec { return []Spec{{Kind: Fixed, Account: "points", Amount: amount}} }

func TestDecide(t *testing.T) {
	t.Parallel()

	t.Run("PeriodsEndAtMidnightOfTheProgramme", func(t *testing.T) {
		t.Parallel()
		for period, c := range map[Period]struct{ last, next, note string }{
			Day:   {"2026-11-23 23:59:59", "2026-11-24 00:00:00", "DAILY_CAP"},
			Week:  {"2026-11-29 23:59:59", "2026-11-30 00:00:00", "WEEKLY_CAP"},
			Month: {"2026-11-30 23:59:59", "2026-12-01 00:00:00", "MONTHLY_CAP"},
		} {
			first := shanghai(t, "2026-11-23 00:00:00")
			last, next := shanghai(t, c.last), shanghai(t, c.next)
			require.Equal(t, []string{"5", "0 " + c.note, "5"}, run(&Definition{Grants: points(5), Caps: []Cap{{Period: period, Times: 1}}}, first, last, next), period)
			require.Equal(t, []string{"5", "3 " + c.note, "0 " + c.note, "5"},
				run(&Definition{Grants: points(5), Caps: []Cap{{Period: period, Account: "points", Amount: 8}}}, first, last, last, next), period)
		}
		require.Equal(t, []string{"5", "0 LIFETIME_CAP"},
			run(&Definition{Grants: points(5), Caps: []Cap{{Period: Lifetime, Times: 1}}}, shanghai(t, "2026-11-23 00:00:00"), shanghai(t, "2036-11-23 00:00:00")))
	})

	t.Run("AWeekAcrossNewYearIsOneWeek", func(t *testing.T) {
		t.Parallel()
		d := &Definition{Grants: points(5), Caps: []Cap{{Period: Week, Times: 1}}}
		require.Equal(t, []string{"5", "0 WEEKLY_CAP", "5"}, run(d, shanghai(t, "2026-12-28 00:00:00"), shanghai(t, "2027-01-03 23:59:59"), shanghai(t, "2027-01-04 00:00:00")))
	})

	t.Run("SeveralCapsAllHold", func(t *testing.T) {
		t.Parallel()
		d := &Definition{Grants: points(5), Caps: []Cap{{Period: Day, Account: "points", Amount: 8}, {Period: Month, Account: "points", Amount: 11}}}
		day1, day2 := shanghai(t, "2026-11-23 10:00:00"), shanghai(t, "2026-11-24 10:00:00")
		require.Equal(t, []string{"5", "3 DAILY_CAP", "3 MONTHLY_CAP", "0 MONTHLY_CAP"}, run(d, day1, day1, day2, day2))
	})

	t.Run("TheCapOfOneAccountLeavesTheOthers", func(t *testing.T) {
		t.Parallel()
		d := &Definition{
			Grants: append(points(5), Spec{Kind: Fixed, Account: "growth", Amount: 2}),
			Caps:   []Cap{{Period: Day, Account: "points", Amount: 3}},
		}
		out := decideOne(d, &model.Event{OccurredAt: shanghai(t, "2026-11-23 10:00:00")}, nil)
		require.Len(t, out.lines, 2)
		require.EqualValues(t, 3, out.lines[0].base)
		require.EqualValues(t, 2, out.lines[1].base)
		require.Empty(t, out.lines[1].note)
	})

	t.Run("TwoGrantsInOneAccountShareItsCap", func(t *testing.T) {
		t.Parallel()
		d := &Definition{Grants: append(points(5), points(5)...), Caps: []Cap{{Period: Day, Account: "points", Amount: 7}}}
		out := decideOne(d, &model.Event{OccurredAt: shanghai(t, "2026-11-23 10:00:00")}, nil)
		require.EqualValues(t, 5, out.lines[0].base)
		require.EqualValues(t, 2, out.lines[1].base)
		require.Equal(t, map[use]int64{{ofRule, 1, "2026-11-23", "points"}: 7}, out.uses)
	})

	t.Run("TheWindowIsHalfOpen", func(t *testing.T) {
		t.Parallel()
		from, until := shanghai(t, "2026-11-23 00:00:00"), shanghai(t, "2026-11-30 00:00:00")
		d := &Definition{Grants: points(5), From: &from, Until: &until}
		require.Equal(t, []string{"-", "5", "5", "-"}, run(d, from.Add(-time.Microsecond), from, until.Add(-time.Microsecond), until))
	})

	t.Run("AmountsFollowTheEvent", func(t *testing.T) {
		t.Parallel()
		at := shanghai(t, "2026-11-23 10:00:00")
		for field, want := range map[string]string{"n": "12", "half": "-", "minus": "-", "many": "-", "none": "-"} {
			require.Equal(t, []string{want}, run(&Definition{Grants: []Spec{{Kind: PerUnit, Account: "points", Amount: 3, Field: field}}}, at), field)
		}
		require.Equal(t, []string{"20"}, run(&Definition{Grants: []Spec{{Kind: Streak, Account: "points", Table: []Step{{3, 10}, {7, 20}}}}}, at))
		require.Equal(t, []string{"-"}, run(&Definition{Grants: []Spec{{Kind: Streak, Account: "points", Table: []Step{{3, 10}, {8, 20}}}}}, at))
	})
}
