package checkin_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/checkin"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/reward"
	"github.com/siyu-scrm/siyu/model"
)

// streaks gives 5 a day, 20 more on day 3 and 50 more on day 7.
const streaks = `{"grants":[{"kind":"fixed","account":"points","amount":5},
	{"kind":"streak","account":"points","table":[{"days":3,"amount":20},{"days":7,"amount":50}]}],"caps":[{"period":"day","times":1}]}`

func checkIn(w *apptest.World, id int64, at time.Time) *checkin.Result {
	w.T.Helper()
	r, err := w.Checkins.CheckIn(w.T.Context(), id, "api", at)
	require.NoError(w.T, err)
	return r
}

func sum(grants []event.Grant) (n int64) {
	for _, g := range grants {
		n += g.Amount
	}
	return n
}

func TestCheckIn(t *testing.T) {
	t.Parallel()

	t.Run("TwentyAtOncePayOnce", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		w.Rule("checkin", model.EventCheckin, apptest.Earns(5, ""))
		alice := w.Joined("alice")
		var ok, refused atomic.Int32
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				switch _, err := w.Checkins.CheckIn(t.Context(), alice, "api", w.Now()); errs.CodeOf(err) {
				case "":
					if err != nil {
						t.Errorf("CheckIn: %v", err)
					}
					ok.Add(1)
				case errs.AlreadyCheckedIn:
					refused.Add(1)
				default:
					t.Errorf("CheckIn: %v", err)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 1, ok.Load())
		require.EqualValues(t, 19, refused.Load())
		require.EqualValues(t, 5, w.Points(alice))
		require.EqualValues(t, 1, w.Count(&model.Event{}, "kind = ?", model.EventCheckin))
		w.Verified()
	})

	t.Run("ARefusalSaysWhenTheDayEndsAndChangesNothing", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		w.Rule("checkin", model.EventCheckin, apptest.Earns(5, ""))
		alice := w.Joined("alice")
		checkIn(w, alice, w.Now())
		_, err := w.Checkins.CheckIn(t.Context(), alice, "text", w.Now())
		var e *errs.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, errs.AlreadyCheckedIn, e.Code)
		require.True(t, w.At("2026-11-24 00:00:00").Equal(e.Args["opens_at"].(time.Time)))
		require.EqualValues(t, 5, w.Points(alice))
	})

	t.Run("APersonWhoHasNotRegisteredIsInvited", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		_, err := w.Checkins.CheckIn(t.Context(), w.Touched("oa", "o"), "text", w.Now())
		require.Equal(t, errs.NotMember, errs.CodeOf(err))
		require.Zero(t, w.Count(&model.Checkin{}))
		_, err = w.Checkins.CheckIn(t.Context(), 999, "api", w.Now())
		require.Equal(t, errs.NotFound, errs.CodeOf(err))
	})

	t.Run("TheMomentOfTheActDecidesTheDay", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		alice := w.Joined("alice")
		w.Set("2026-11-24 00:00:05")
		late := checkIn(w, alice, w.At("2026-11-23 23:59:59"))
		require.Equal(t, model.Day("2026-11-23"), late.Day)
		next := checkIn(w, alice, w.At("2026-11-24 00:00:00"))
		require.Equal(t, model.Day("2026-11-24"), next.Day)
		require.Equal(t, 2, next.Streak)
	})

	t.Run("AMissedDayStartsOver", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		w.Rule("checkin", model.EventCheckin, streaks)
		alice := w.Joined("alice")
		for _, c := range []struct {
			day            string
			streak, points int
		}{{"23", 1, 5}, {"24", 2, 5}, {"26", 1, 5}, {"27", 2, 5}, {"28", 3, 25}, {"29", 4, 5}} {
			w.Set("2026-11-" + c.day + " 10:00:00")
			r := checkIn(w, alice, w.Now())
			require.Equal(t, c.streak, r.Streak, c.day)
			require.EqualValues(t, c.points, sum(r.Grants), c.day)
		}
	})

	t.Run("TomorrowIsWhatTomorrowGives", func(t *testing.T) { // DESIGN P8
		t.Parallel()
		w := apptest.New(t)
		w.Rule("checkin", model.EventCheckin, streaks)
		w.Rule("monthly", model.EventCheckin, apptest.Earns(3, `[{"period":"month","times":2},{"period":"week","account":"points","amount":5}]`))
		w.Rule("twelve", model.EventCheckin, `{"condition":{"leaf":"did","event":"checkin.done","op":"gte","count":6,"window":"30d"},"grants":[{"kind":"fixed","account":"growth","amount":1}],"until":"2026-12-01T00:00:00+08:00"}`)
		alice := w.Joined("alice")
		before := checkIn(w, alice, w.Now())
		require.Equal(t, &reward.Step{Days: 2, Amount: 20}, before.Next)
		require.EqualValues(t, 1, w.Count(&model.Event{}, "kind = ?", model.EventCheckin), "a forecast writes nothing")
		for range 12 {
			w.Advance(24 * time.Hour)
			r := checkIn(w, alice, w.Now())
			got := r.Grants
			for i := range got {
				got[i].Balance = 0
			}
			require.Equal(t, before.Tomorrow, got, r.Day)
			before = r
		}
	})
}

func TestLateDay(t *testing.T) {
	t.Parallel()
	noon := func(w *apptest.World, day string) time.Time { return w.At("2026-11-" + day + " 12:00:00") }

	t.Run("JoinsStreaksAndAddsWhatTheyEarn", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		w.Rule("checkin", model.EventCheckin, streaks)
		alice := w.Joined("alice")
		for _, day := range []string{"23", "24", "26", "27", "28", "29"} { // 1 2 – 1 2 3 4
			w.Set("2026-11-" + day + " 12:00:00")
			checkIn(w, alice, w.Now())
		}
		require.EqualValues(t, 6*5+20, w.Points(alice))
		r := checkIn(w, alice, noon(w, "25")) // 1 2 3 4 5 6 7
		require.Equal(t, 3, r.Streak)
		require.EqualValues(t, 5+20+50, sum(r.Grants), "its own day and third day, and the seventh day of the whole")
		require.EqualValues(t, 7*5+20+20+50, w.Points(alice), "nothing that was granted is taken away")
		month, err := w.Checkins.Month(t.Context(), alice, "")
		require.NoError(t, err)
		require.Equal(t, 7, month.Streak)
		w.Verified()
	})

	t.Run("ADayThatEarnedByItsShorterStreakEarnsByTheLongerToo", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		w.Rule("checkin", model.EventCheckin, streaks)
		alice := w.Joined("alice")
		for _, day := range []string{"23", "24", "25", "27", "28", "29"} { // 1 2 3 – 1 2 3: the 29th earned 20
			w.Set("2026-11-" + day + " 12:00:00")
			checkIn(w, alice, w.Now())
		}
		require.EqualValues(t, 6*5+20+20, w.Points(alice))
		r := checkIn(w, alice, noon(w, "26")) // the 29th is day 7 now, and earns 50 by the same grant of the rule
		require.EqualValues(t, 5+50, sum(r.Grants))
		w.Verified()
	})

	t.Run("ADayBehindOneThatWasAheadOfOurClockJoinsIt", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		alice := w.Joined("alice")
		w.Set("2026-11-23 23:58:00")
		checkIn(w, alice, w.At("2026-11-24 00:01:00"))
		checkIn(w, alice, w.Now())
		w.Set("2026-11-24 12:00:00")
		month, err := w.Checkins.Month(t.Context(), alice, "")
		require.NoError(t, err)
		require.Equal(t, 2, month.Streak)
	})
}

func TestMonth(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	alice := w.Joined("alice")
	for _, at := range []string{"2026-11-30 23:59:59", "2026-12-01 00:00:00", "2027-02-28 12:00:00", "2027-03-01 12:00:00", "2028-02-29 12:00:00"} {
		w.Jump(at)
		checkIn(w, alice, w.Now())
	}
	for month, days := range map[string][]model.Day{
		"2026-11": {"2026-11-30"}, "2026-12": {"2026-12-01"}, "2027-01": {}, "2027-02": {"2027-02-28"}, "2027-03": {"2027-03-01"},
		"2028-02": {"2028-02-29"}, "": {"2028-02-29"},
	} {
		c, err := w.Checkins.Month(t.Context(), alice, month)
		require.NoError(t, err)
		require.Equal(t, days, c.Days, month)
		require.True(t, c.Done)
		require.Equal(t, 1, c.Streak)
	}
	w.Jump("2028-03-01 00:00:00")
	c, err := w.Checkins.Month(t.Context(), alice, "")
	require.NoError(t, err)
	require.Equal(t, &checkin.Calendar{Month: "2028-03", Today: "2028-03-01", Streak: 1, Days: []model.Day{}}, c, "today is open: the streak stands")
	w.Jump("2028-03-02 00:00:00")
	c, err = w.Checkins.Month(t.Context(), alice, "")
	require.NoError(t, err)
	require.Zero(t, c.Streak)
	for _, bad := range []string{"2026-13", "2026-1", "november", "2026-11-01", "2026/11"} {
		_, err := w.Checkins.Month(t.Context(), alice, bad)
		require.Equal(t, errs.Invalid, errs.CodeOf(err), bad)
	}
}
