package checkin_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/checkin"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/model"
)

// makeups sets limit, reach and price.
func makeups(w *apptest.World, limit, reach int, price int64) {
	w.T.Helper()
	_, err := w.Checkins.SaveSettings(w.T.Context(), model.CheckinSettings{MakeupLimit: limit, MakeupReach: reach, MakeupPrice: price})
	require.NoError(w.T, err)
}

// give posts points by hand.
func give(w *apptest.World, id, points int64) {
	w.T.Helper()
	w.Tx(func(ctx context.Context, tx *gorm.DB) error {
		_, err := w.Members.ActTx(tx, id, w.Now(), true)
		if err == nil {
			_, err = w.Book.PostTx(ctx, tx, ledger.Posting{MemberID: id, Account: model.AccountPoints, Amount: points, Reason: "manual", Key: fmt.Sprintf("test:%d:%d", id, points)})
		}
		return err
	})
}

// on checks in on days of November at noon.
func on(w *apptest.World, id int64, days ...int) {
	w.T.Helper()
	for _, d := range days {
		w.Jump(fmt.Sprintf("2026-11-%02d 12:00:00", d))
		checkIn(w, id, w.Now())
	}
}

func makeUp(w *apptest.World, id int64, day string) *checkin.MadeUp {
	w.T.Helper()
	r, err := w.Checkins.MakeUp(w.T.Context(), id, model.Day(day), w.Now())
	require.NoError(w.T, err, day)
	return r
}

func refused(w *apptest.World, id int64, day string) *errs.Error {
	w.T.Helper()
	before := w.Points(id)
	_, err := w.Checkins.MakeUp(w.T.Context(), id, model.Day(day), w.Now())
	var e *errs.Error
	require.ErrorAs(w.T, err, &e, day)
	require.Equal(w.T, before, w.Points(id), "a refusal changes nothing")
	return e
}

func TestMakeUp(t *testing.T) {
	t.Parallel()

	t.Run("RepairsTheStreakAndEarnsWhatTheLongerOneReaches", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		w.Rule("checkin", model.EventCheckin, streaks) // 5 a day, 20 on day 3, 50 on day 7, once a day
		makeups(w, 2, 7, 10)
		alice := w.Joined("alice")
		on(w, alice, 23, 24, 26, 27, 28) // 1 2 – 1 2 3
		require.EqualValues(t, 5*5+20, w.Points(alice))
		r := makeUp(w, alice, "2026-11-25") // 1 2 3 4 5 6: the third day was paid on the 28th
		require.Equal(t, 6, r.Streak)
		require.Empty(t, r.Grants)
		require.EqualValues(t, 5*5+20-10, w.Points(alice))
		w.Jump("2026-11-29 12:00:00")
		today := checkIn(w, alice, w.Now())
		require.Equal(t, 7, today.Streak)
		require.EqualValues(t, 55, sum(today.Grants))
		require.EqualValues(t, 6*5+20+50-10, w.Points(alice))
		w.Verified()
	})

	t.Run("AMadeUpDayThatCompletesTheTableIsPaid", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		w.Rule("checkin", model.EventCheckin, `{"grants":[{"kind":"fixed","account":"points","amount":5},{"kind":"streak","account":"points","table":[{"days":4,"amount":30}]}],"caps":[{"period":"day","times":1}]}`)
		makeups(w, 5, 7, 10)
		alice := w.Joined("alice")
		on(w, alice, 23, 24, 25) // the fourth day is missed
		w.Jump("2026-11-27 09:00:00")
		r := makeUp(w, alice, "2026-11-26")
		require.Equal(t, 4, r.Streak)
		require.EqualValues(t, 30, sum(r.Grants))
		today := checkIn(w, alice, w.Now())
		require.Equal(t, 5, today.Streak)
		require.EqualValues(t, 5, sum(today.Grants), "the cap of the day is not used by a day that was made up")
		require.EqualValues(t, 4*5+30-10, w.Points(alice))
		w.Verified()
	})

	t.Run("ALineOfTheTablePaysOnceInARun", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		w.Rule("checkin", model.EventCheckin, streaks)
		makeups(w, 31, 30, 1)
		alice := w.Joined("alice")
		on(w, alice, 26, 27, 28) // 1 2 3
		require.EqualValues(t, 35, w.Points(alice))
		for i, day := range []string{"25", "24", "23"} { // backwards: each time another day is the third
			require.Empty(t, makeUp(w, alice, "2026-11-"+day).Grants)
			require.EqualValues(t, 35-1-i, w.Points(alice))
		}
		w.Verified()
	})

	t.Run("WithACycleALinePaysOnceARound", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		w.Rule("checkin", model.EventCheckin, `{"grants":[{"kind":"streak","account":"points","table":[{"days":2,"amount":7},{"days":3,"amount":20}],"cycle":3}]}`)
		makeups(w, 31, 30, 1)
		alice := w.Joined("alice")
		give(w, alice, 100)
		w.Jump("2026-11-23 12:00:00")
		first := checkIn(w, alice, w.Now())
		require.Equal(t, 1, first.Next.Days)
		require.EqualValues(t, 7, first.Next.Amount)
		on(w, alice, 24, 25)
		require.EqualValues(t, 127, w.Points(alice))
		w.Jump("2026-11-27 12:00:00") // the 26th is missed
		checkIn(w, alice, w.Now())
		w.Jump("2026-11-28 12:00:00")
		second := checkIn(w, alice, w.Now()) // 2: +7
		require.Equal(t, 1, second.Next.Days)
		require.EqualValues(t, 20, second.Next.Amount)
		require.EqualValues(t, 134, w.Points(alice))
		r := makeUp(w, alice, "2026-11-26") // 1 2 3 4 5 6: of two rounds 7+20 twice, less 7+20+7
		require.Equal(t, 6, r.Streak)
		require.EqualValues(t, 20, sum(r.Grants))
		require.EqualValues(t, 134-1+20, w.Points(alice))
		w.Jump("2026-11-29 12:00:00")
		seventh := checkIn(w, alice, w.Now())
		require.Equal(t, 7, seventh.Streak)
		require.Zero(t, sum(seventh.Grants))
		require.Equal(t, 1, seventh.Next.Days, "the next round")
		w.Verified()
	})

	t.Run("OfManyAtOnceTheLimitIsMadeUp", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		makeups(w, 3, 20, 10)
		alice := w.Joined("alice")
		give(w, alice, 1000)
		w.Jump("2026-12-10 09:00:00") // twelve days of the sixteen are asked for, each twice
		var ok, twice, limit atomic.Int32
		var wg sync.WaitGroup
		for i := range 24 {
			wg.Go(func() {
				day := model.Day("2026-11-28").Add(i / 2)
				switch _, err := w.Checkins.MakeUp(t.Context(), alice, day, w.Now()); errs.CodeOf(err) {
				case "":
					if err != nil {
						t.Errorf("MakeUp: %v", err)
					}
					ok.Add(1)
				case errs.AlreadyCheckedIn:
					twice.Add(1)
				case errs.MakeupLimit:
					limit.Add(1)
				default:
					t.Errorf("MakeUp: %v", err)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 3, ok.Load())
		require.EqualValues(t, 21, twice.Load()+limit.Load())
		require.EqualValues(t, 1000-30, w.Points(alice))
		require.EqualValues(t, 3, w.Count(&model.Checkin{}, "via = ?", model.ViaMakeup))
		w.Verified()
	})

	t.Run("TheBalanceNeverGoesBelowZero", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		makeups(w, 31, 20, 10)
		alice := w.Joined("alice")
		give(w, alice, 25)
		w.Jump("2026-12-10 09:00:00")
		var ok atomic.Int32
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				_, err := w.Checkins.MakeUp(t.Context(), alice, model.Day("2026-12-01").Add(i), w.Now())
				switch {
				case err == nil:
					ok.Add(1)
				case errs.CodeOf(err) != errs.Insufficient:
					t.Errorf("MakeUp: %v", err)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 2, ok.Load())
		require.EqualValues(t, 5, w.Points(alice))
		require.EqualValues(t, 5, refused(w, alice, "2026-12-09").Args["short_by"])
		require.EqualValues(t, 2, w.Count(&model.Checkin{}), "no day without its price")
		w.Verified()
	})

	t.Run("RefusalsSayWhatIsPossible", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		alice := w.Joined("alice") // on the 23rd
		on(w, alice, 25)
		w.Jump("2026-11-27 09:00:00")
		require.Equal(t, errs.MakeupLimit, refused(w, alice, "2026-11-26").Code, "none are offered")
		makeups(w, 2, 3, 0)
		for day, want := range map[string]errs.Code{
			"2026-11-27": errs.Invalid, "2026-11-28": errs.Invalid, "2026-11-25": errs.AlreadyCheckedIn, "2026-11-23": errs.WindowClosed,
			"2026-11-22": errs.WindowClosed, "1999-01-01": errs.WindowClosed, "": errs.Invalid,
		} {
			require.Equal(t, want, refused(w, alice, day).Code, day)
		}
		require.Equal(t, model.Day("2026-11-24"), refused(w, alice, "2026-11-23").Args["from"])
		makeups(w, 2, 60, 0)
		require.Equal(t, "checkin.makeup_before", refused(w, alice, "2026-11-22").Key, "he was no member")
		require.Equal(t, model.Day("2026-11-23"), refused(w, alice, "2026-11-22").Args["from"])
		makeUp(w, alice, "2026-11-24")
		makeUp(w, alice, "2026-11-26")
		e := refused(w, alice, "2026-11-23")
		require.Equal(t, errs.MakeupLimit, e.Code)
		require.Equal(t, 2, e.Args["limit"])
		w.Jump("2026-11-30 23:59:59")
		require.Equal(t, errs.MakeupLimit, refused(w, alice, "2026-11-28").Code)
		w.Jump("2026-12-01 00:00:00") // the month in which he does it counts
		makeUp(w, alice, "2026-11-30")
		_, err := w.Checkins.MakeUp(t.Context(), w.Touched("mp", "stranger"), "2026-11-30", w.Now())
		require.Equal(t, errs.NotMember, errs.CodeOf(err))
	})

	t.Run("TheCalendarSaysWhatTheMakeUpDoes", func(t *testing.T) { // DESIGN P8
		t.Parallel()
		w := apptest.New(t)
		makeups(w, 3, 9, 10)
		alice := w.Joined("alice")
		give(w, alice, 25)
		on(w, alice, 25, 29)
		w.Jump("2026-12-03 09:00:00")
		missed := func(month string) []checkin.Missed {
			c, err := w.Checkins.Month(t.Context(), alice, month)
			require.NoError(t, err)
			require.EqualValues(t, 10, c.Makeup.Price)
			return c.Makeup.Missed
		}
		looked := 0
		for _, month := range []string{"2026-10", "2026-11", "2026-12", "2027-01"} {
			for i := range missed(month) {
				looked++
				m := missed(month)
				d := m[min(i, len(m)-1)] // one that was made up is gone from the list
				if d.Refusal != nil {
					require.Equal(t, d.Refusal, refused(w, alice, string(d.Day)), d.Day)
				} else {
					makeUp(w, alice, string(d.Day))
				}
			}
		}
		require.Equal(t, 8, looked, "since the 23rd, without the 25th and the 29th")
		require.EqualValues(t, 5, w.Points(alice), "two days could be paid for")
	})

	t.Run("AMergeGivesBackThePriceOfADayThatBothHave", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		makeups(w, 3, 9, 10)
		alice, twin := w.Joined("alice"), w.Joined("twin")
		give(w, twin, 30)
		on(w, alice, 23)
		w.Jump("2026-11-24 12:00:00")
		makeUp(w, twin, "2026-11-23")
		require.EqualValues(t, 20, w.Points(twin))
		w.Tx(func(ctx context.Context, tx *gorm.DB) error {
			_, err := w.Members.MergeTx(ctx, tx, alice, twin, "test")
			return err
		})
		require.EqualValues(t, 30, w.Points(alice))
		require.EqualValues(t, 1, w.Count(&model.Checkin{}))
		w.Verified()
	})
}

func TestSettings(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	for field, bad := range map[string]model.CheckinSettings{
		"makeup_limit": {MakeupLimit: 32, MakeupReach: 1}, "makeup_reach": {MakeupLimit: 1}, "makeup_price": {MakeupPrice: -1},
	} {
		_, err := w.Checkins.SaveSettings(t.Context(), bad)
		var e *errs.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, field, e.Args["field"])
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if _, err := w.Checkins.SaveSettings(t.Context(), model.CheckinSettings{MakeupLimit: 1 + i, MakeupReach: 7}); err != nil {
				t.Errorf("SaveSettings: %v", err)
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, 1, w.Count(&model.CheckinSettings{}), "there is one row")
}
