package report_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/report"
)

func TestBoard(t *testing.T) {
	t.Parallel()
	t.Run("TodayIsTheProgrammesDay", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		s := report.New(w.DB, w.App.Clock, w.Zone)
		w.Set("2026-11-23 23:59:59")
		p, _ := w.Member("甲")
		w.Act(p, "follow", map[string]any{"account": "oa"})
		w.Advance(0)
		w.Act(p, "text", map[string]any{"account": "oa", "content": "签到"})
		b, err := s.Board(t.Context(), w.Audience.Count)
		require.NoError(t, err)
		require.Equal(t, report.Board{Members: 1, Followers: 1, Joined: 1, Followed: 1, Checkins: 1}, b)
		w.Set("2026-11-24 00:00:00")
		b, err = s.Board(t.Context(), w.Audience.Count)
		require.NoError(t, err)
		require.Equal(t, report.Board{Members: 1, Followers: 1}, b)
		w.Act(p, "unfollow", map[string]any{"account": "oa"})
		b, err = s.Board(t.Context(), w.Audience.Count)
		require.NoError(t, err)
		require.Equal(t, report.Board{Members: 1, Unfollowed: 1}, b)
	})
	t.Run("AMergedPersonIsCountedOnce", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		p := w.Person("甲")
		w.Act(p, "follow", map[string]any{"account": "oa"})
		_, err := p.Login(t.Context())
		require.NoError(t, err)
		require.NoError(t, p.API(t.Context(), "POST", "/register", map[string]any{}, nil))
		w.Advance(0)
		b, err := report.New(w.DB, w.App.Clock, w.Zone).Board(t.Context(), w.Audience.Count)
		require.NoError(t, err)
		require.EqualValues(t, 1, b.Members)
		require.EqualValues(t, 1, b.Followers)
	})
}
