package clock_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/model"
)

func at(t *testing.T, s string) time.Time {
	t.Helper()
	v, err := time.Parse(time.RFC3339, s)
	require.NoError(t, err)
	return v
}

func TestMovable(t *testing.T) {
	t.Parallel()
	start := at(t, "2026-11-23T09:00:00+08:00")
	t.Run("SettingFreezesAndNeverGoesBack", func(t *testing.T) {
		t.Parallel()
		c := clock.NewMovable(start)
		require.False(t, c.Frozen())
		require.True(t, c.Set(start.Add(time.Hour)))
		require.True(t, c.Frozen())
		require.Equal(t, start.Add(time.Hour).UTC(), c.Now())
		require.False(t, c.Set(start))
		require.Equal(t, start.Add(time.Hour).UTC(), c.Now())
	})
	t.Run("TicksOnFromWhereItStood", func(t *testing.T) {
		t.Parallel()
		c := clock.NewFrozen(start)
		require.Equal(t, start.UTC(), c.Now())
		c.Tick()
		require.False(t, c.Frozen())
		require.False(t, c.Now().Before(start))
		require.Less(t, c.Now().Sub(start), time.Minute)
	})
}

func TestWaitEndsEarly(t *testing.T) {
	t.Parallel()
	wake := make(chan struct{}, 1)
	wake <- struct{}{}
	require.True(t, clock.Wait(t.Context(), time.Hour, wake))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.False(t, clock.Sleep(ctx, time.Hour))
}

func TestZone(t *testing.T) {
	t.Parallel()
	z := clock.Shanghai
	t.Run("TheProgrammesZoneDecidesTheDayOnAnyServer", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, model.Day("2026-11-24"), z.DayOf(at(t, "2026-11-24T15:59:59Z")))
		require.Equal(t, model.Day("2026-11-25"), z.DayOf(at(t, "2026-11-24T16:00:00Z")))
		require.Equal(t, at(t, "2026-11-24T16:00:00Z"), z.Start("2026-11-25"))
		require.Equal(t, z.Start("2026-11-26"), z.End("2026-11-25"))
		require.Equal(t, at(t, "2026-11-25T02:00:00Z"), z.At("2026-11-25", 10, 0))
	})
	t.Run("MonthsAndWeeksTurnAtMidnightOfTheZone", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, "2026-12", z.MonthOf(at(t, "2026-12-31T15:59:59Z")))
		require.Equal(t, "2027-01", z.MonthOf(at(t, "2026-12-31T16:00:00Z")))
		require.Equal(t, at(t, "2028-01-31T16:00:00Z"), z.MonthStart(at(t, "2028-02-29T15:59:59Z")))
		require.Equal(t, "2026-W53", z.WeekOf(at(t, "2027-01-03T15:59:59Z"))) // Sunday
		require.Equal(t, "2027-W01", z.WeekOf(at(t, "2027-01-03T16:00:00Z"))) // Monday
	})
	t.Run("AZoneWithSummerTimeHasDaysOf23And25Hours", func(t *testing.T) {
		t.Parallel()
		ny, err := clock.LoadZone("America/New_York")
		require.NoError(t, err)
		require.Equal(t, 23*time.Hour, ny.End("2026-03-08").Sub(ny.Start("2026-03-08")))
		require.Equal(t, 25*time.Hour, ny.End("2026-11-01").Sub(ny.Start("2026-11-01")))
	})
	t.Run("UnknownZonesAreRefused", func(t *testing.T) {
		t.Parallel()
		for _, name := range []string{"", "Local", "Asia/Nowhere"} {
			_, err := clock.LoadZone(name)
			require.ErrorContains(t, err, "IANA", name)
		}
	})
}

func TestCron(t *testing.T) {
	t.Parallel()
	t.Run("LinesAreReadInTheProgrammesZone", func(t *testing.T) {
		t.Parallel()
		c, err := clock.ParseCron("0 10 * * 3", clock.Shanghai)
		require.NoError(t, err)
		require.Equal(t, at(t, "2026-11-25T02:00:00Z"), c.Next(at(t, "2026-11-24T00:00:00Z")))
		require.Equal(t, at(t, "2026-12-02T02:00:00Z"), c.Next(at(t, "2026-11-25T02:00:00Z")), "after, not at")
	})
	t.Run("TheLastDaysOfMonths", func(t *testing.T) {
		t.Parallel()
		c, err := clock.ParseCron("0 0 29 2 *", clock.Shanghai)
		require.NoError(t, err)
		require.Equal(t, clock.Shanghai.Start("2028-02-29"), c.Next(at(t, "2026-11-24T00:00:00Z")))
	})
	t.Run("ALineThatNeverFiresHasNoNext", func(t *testing.T) {
		t.Parallel()
		c, err := clock.ParseCron("0 0 31 2 *", clock.Shanghai)
		require.NoError(t, err)
		require.True(t, c.Next(at(t, "2026-11-24T00:00:00Z")).IsZero())
	})
	t.Run("SixFieldsMacrosWithAZoneAndNonsenseAreRefused", func(t *testing.T) {
		t.Parallel()
		for _, line := range []string{"", "* * * * * *", "0 10 * *", "61 * * * *", "TZ=UTC 0 10 * * 3", "CRON_TZ=UTC 0 10 * * 3", "soon"} {
			_, err := clock.ParseCron(line, clock.Shanghai)
			require.Error(t, err, line)
		}
	})
}
