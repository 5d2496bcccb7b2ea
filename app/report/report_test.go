package report_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/app/report"
	"github.com/siyu-scrm/siyu/model"
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
		now := func(members, followers int64, today, yesterday model.BoardDay) {
			t.Helper()
			b, err := s.Board(t.Context(), w.Audience.Count)
			require.NoError(t, err)
			require.Len(t, b.Days, report.BoardDays)
			require.Equal(t, []int64{members, followers}, []int64{b.Members, b.Followers})
			require.Equal(t, []model.BoardDay{yesterday, today}, []model.BoardDay{b.Yesterday(), b.Today()})
		}
		first := model.BoardDay{Day: "2026-11-23", Registered: 1, Followed: 1, Active: 1, Checkins: 1}
		now(1, 1, first, model.BoardDay{Day: "2026-11-22"})
		w.Set("2026-11-24 00:00:00")
		now(1, 1, model.BoardDay{Day: "2026-11-24"}, first)
		w.Act(p, "unfollow", map[string]any{"account": "oa"})
		second := model.BoardDay{Day: "2026-11-24", Unfollowed: 1}
		now(1, 0, second, first)
		for what, want := range map[string]int{report.DidRegister: 0, report.DidUnfollow: 1, report.DidAct: 0} {
			who, err := s.Who(t.Context(), what, "2026-11-24")
			require.NoError(t, err)
			require.EqualValues(t, want, who.GetCardinality(), what)
		}
		for range 2 { // a day is kept once
			w.Set("2026-11-25 00:30:00")
			require.NoError(t, s.KeepDays(t.Context(), w.Now()))
		}
		now(1, 0, model.BoardDay{Day: "2026-11-25"}, second)
		require.EqualValues(t, 1, w.Count(&model.BoardDay{}, "day = ?", "2026-11-24"))
	})
	t.Run("WhatEndsSoonIsKeptInTheNight", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		s, id := report.New(w.DB, w.App.Clock, w.Zone), w.Joined("甲")
		for _, days := range []int{6, 20, 60} {
			until := w.Now().AddDate(0, 0, days)
			_, err := w.Book.Grant(t.Context(), ledger.Manual{MemberID: id, Account: model.AccountPoints, Amount: int64(days), Memo: "x", Actor: "x", ExpiresAt: &until})
			require.NoError(t, err)
		}
		require.NoError(t, s.KeepDays(t.Context(), w.Now()))
		b, err := s.Board(t.Context(), w.Audience.Count)
		require.NoError(t, err)
		require.Equal(t, map[int]int64{7: 6, 30: 26}, b.Ending())
		for _, what := range []string{report.DidEnding7, report.DidEnding30} {
			who, err := s.Who(t.Context(), what, "")
			require.NoError(t, err)
			require.True(t, who.Contains(uint32(id)), what)
		}
		w.Advance(7 * 24 * time.Hour)
		who, err := s.Who(t.Context(), report.DidEnding7, "")
		require.NoError(t, err)
		require.True(t, who.IsEmpty())
	})
	t.Run("AWindowOpensAndCloses", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		s := report.New(w.DB, w.App.Clock, w.Zone)
		p, _ := w.Member("甲")
		w.Act(p, "follow", map[string]any{"account": "oa"})
		w.Advance(time.Hour)
		w.Act(p, "text", map[string]any{"account": "oa", "content": "你好"})
		for _, want := range [][]int64{{1, 0}, {1, 1}, {0, 0}} {
			b, err := s.Board(t.Context(), w.Audience.Count)
			require.NoError(t, err)
			require.Equal(t, want, []int64{b.Windows, b.Closing})
			w.Advance(24 * time.Hour)
		}
	})
	t.Run("WhatIsNoNumberIsRefused", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		s := report.New(w.DB, w.App.Clock, w.Zone)
		for what, day := range map[string]model.Day{"x": "2026-11-23", report.DidAct: "x"} {
			_, err := s.Who(t.Context(), what, day)
			require.Equal(t, errs.Invalid, errs.CodeOf(err))
		}
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
