package reach_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/model"
)

func TestQuietHours(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	at := func(s string) time.Time {
		v, err := time.ParseInLocation("01-02 15:04:05", s, time.FixedZone("", 8*3600))
		require.NoError(t, err)
		return v.AddDate(2026, 0, 0)
	}
	for _, c := range []struct{ from, to, at, awake string }{
		{"22:00", "08:00", "11-24 21:59:59", "11-24 21:59:59"},
		{"22:00", "08:00", "11-24 22:00:00", "11-25 08:00:00"},
		{"22:00", "08:00", "11-25 07:59:59", "11-25 08:00:00"},
		{"22:00", "08:00", "11-25 08:00:00", "11-25 08:00:00"},
		{"12:30", "14:00", "11-24 13:00:00", "11-24 14:00:00"},
		{"12:30", "14:00", "11-24 14:00:00", "11-24 14:00:00"},
		{"21:30", "24:00", "11-24 23:59:59", "11-25 00:00:00"},
		{"21:30", "24:00", "11-25 00:00:00", "11-25 00:00:00"},
		{"21:30", "00:00", "11-24 21:30:00", "11-25 00:00:00"},
		{"00:00", "09:00", "11-24 00:00:00", "11-24 09:00:00"},
		{"", "", "11-24 03:00:00", "11-24 03:00:00"},
	} {
		w.settings(func(set *model.ReachSettings) { set.QuietFrom, set.QuietTo = c.from, c.to })
		var got time.Time
		w.tx(func(tx *gorm.DB) (err error) {
			got, err = w.Awake(tx, at(c.at))
			return err
		})
		require.True(t, at(c.awake).Equal(got), "%v: %s", c, got)
	}
}

func TestSettingsAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	was, err := w.Settings(t.Context())
	require.NoError(t, err)
	for _, c := range []struct {
		key    string
		change func(*model.ReachSettings)
	}{
		{"reach.quiet_from", func(s *model.ReachSettings) { s.QuietFrom = "24:00" }},
		{"reach.quiet_from", func(s *model.ReachSettings) { s.QuietFrom = "9:00" }},
		{"reach.quiet_from", func(s *model.ReachSettings) { s.QuietFrom = "" }},
		{"reach.quiet_to", func(s *model.ReachSettings) { s.QuietTo = "" }},
		{"reach.quiet_to", func(s *model.ReachSettings) { s.QuietTo = "24:01" }},
		{"reach.quiet_same", func(s *model.ReachSettings) { s.QuietTo = s.QuietFrom }},
		{"reach.quiet_same", func(s *model.ReachSettings) { s.QuietFrom, s.QuietTo = "00:00", "24:00" }},
		{"reach.stop_percent", func(s *model.ReachSettings) { s.StopPercent = 101 }},
		{"reach.stop_calls", func(s *model.ReachSettings) { s.StopCalls = 0 }},
	} {
		in := *was
		c.change(&in)
		_, err := w.SaveSettings(t.Context(), in)
		require.Equal(t, errs.Invalid, errs.CodeOf(err), c.key)
		require.ErrorContains(t, err, c.key)
	}
	now, err := w.Settings(t.Context())
	require.NoError(t, err)
	require.Equal(t, was, now)
}

// What one process saves, the next decision of another obeys: of a message, and of a mass send that was cut already.
func TestSettingsHoldInEveryProcess(t *testing.T) {
	t.Parallel()
	for name, m := range map[string]reach.Message{"customer": customer, "mass": mass} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			other := w.engine()
			ids := w.people(2, who{oa: true, window: 1})
			first := w.start(m, ids)
			w.settle(first)
			require.EqualValues(t, 2, w.exact(first).Accepted)
			set, err := other.Settings(t.Context())
			require.NoError(t, err)
			set.QuietFrom, set.QuietTo = "11:00", "13:00"
			_, err = other.SaveSettings(t.Context(), *set)
			require.NoError(t, err)
			more := w.people(2, who{oa: true, window: 1})
			second := w.start(m, more)
			w.settle(second)
			require.Equal(t, "deferred QUIET_HOURS", w.why(second, more[0]))
			w.clock.Set(noon.Add(time.Hour))
			w.settle(second)
			require.EqualValues(t, 2, w.exact(second).Accepted)
		})
	}
}
