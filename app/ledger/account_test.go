package ledger_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/model"
)

// at is an instant written in Shanghai's time.
func at(t *testing.T, s string) time.Time {
	t.Helper()
	v, err := time.ParseInLocation(time.DateTime, s, clock.Shanghai.Location())
	require.NoError(t, err)
	return v.UTC()
}

// account adds a spendable account with an expiry.
func (w *world) account(code, kind string, count int, on model.Day) {
	_, err := w.book.AddAccount(w.ctx(), model.Account{
		Code: code, Name: code, Spendable: true, Debt: true, Expiry: kind, ExpiryCount: count, ExpiryOn: on, GraceDays: 7,
	})
	require.NoError(w.t, err)
}

func TestExpiryPolicies(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		kind   string
		count  int
		on     model.Day
		earned string
		until  string // "" = never
	}{
		"Never":                              {model.ExpiryNever, 0, "", "2026-11-23 09:00:00", ""},
		"DaysEndWithTheDay":                  {model.ExpiryDays, 30, "", "2026-11-23 09:00:00", "2026-12-24 00:00:00"},
		"TheLastSecondOfADayIsThatDay":       {model.ExpiryDays, 1, "", "2026-11-23 23:59:59", "2026-11-25 00:00:00"},
		"TheFirstSecondIsTheNext":            {model.ExpiryDays, 1, "", "2026-11-24 00:00:00", "2026-11-26 00:00:00"},
		"MonthsOfAShorterMonth":              {model.ExpiryMonths, 3, "", "2026-11-30 09:00:00", "2027-03-01 00:00:00"},
		"MonthsIntoALeapFebruary":            {model.ExpiryMonths, 3, "", "2027-11-30 09:00:00", "2028-03-01 00:00:00"},
		"TwelveMonthsFrom29February":         {model.ExpiryMonths, 12, "", "2028-02-29 09:00:00", "2029-03-01 00:00:00"},
		"EndOfTheMonth":                      {model.ExpiryMonthEnd, 0, "", "2026-11-30 23:59:59", "2026-12-01 00:00:00"},
		"EndOfTheMonthFromItsFirstSecond":    {model.ExpiryMonthEnd, 0, "", "2026-12-01 00:00:00", "2027-01-01 00:00:00"},
		"EndOfTheQuarter":                    {model.ExpiryQuarterEnd, 0, "", "2026-11-23 09:00:00", "2027-01-01 00:00:00"},
		"EndOfTheFirstQuarter":               {model.ExpiryQuarterEnd, 0, "", "2027-01-01 00:00:00", "2027-04-01 00:00:00"},
		"EndOfTheYear":                       {model.ExpiryYearEnd, 0, "", "2026-12-31 23:59:59", "2027-01-01 00:00:00"},
		"EndOfTheNextYear":                   {model.ExpiryNextYearEnd, 0, "", "2026-12-31 23:59:59", "2028-01-01 00:00:00"},
		"AFixedDayCountsToItsEnd":            {model.ExpiryDate, 0, "2026-12-31", "2026-12-31 23:59:59", "2027-01-01 00:00:00"},
		"AfterTheFixedDayThatOfTheYearAfter": {model.ExpiryDate, 0, "2026-12-31", "2027-01-01 00:00:00", "2028-01-01 00:00:00"},
		"SlidingDays":                        {model.ExpirySlidingDays, 10, "", "2026-11-23 09:00:00", "2026-12-04 00:00:00"},
		"SlidingMonths":                      {model.ExpirySlidingMonths, 1, "", "2027-01-31 09:00:00", "2027-03-01 00:00:00"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.account("miles", c.kind, c.count, c.on)
			m := w.member()
			w.clock.Set(at(t, c.earned))
			_, err := w.post(ledger.Posting{MemberID: m, Account: "miles", Amount: 10})
			require.NoError(t, err)
			lot := w.lots(m)[0]
			if c.until == "" {
				require.Nil(t, lot.ExpiresAt)
				return
			}
			until := at(t, c.until)
			require.Equal(t, until, lot.ExpiresAt.UTC())
			w.clock.Set(until.Add(-time.Microsecond))
			require.EqualValues(t, 10, w.view(m, "miles").Available)
			w.clock.Set(until)
			require.Zero(t, w.view(m, "miles").Available)
			_, err = w.book.RunDue(t.Context(), until, 10)
			require.NoError(t, err)
			require.EqualValues(t, 10, w.clean().Accounts["miles"].Expired)
		})
	}
}

func TestSlidingExpiry(t *testing.T) {
	t.Parallel()
	earn := func(w *world, m, amount int64) *model.Entry {
		e, err := w.post(ledger.Posting{MemberID: m, Account: "miles", Amount: amount})
		require.NoError(w.t, err)
		return e
	}
	t.Run("EveryEarningAndSpendingPutsAllLotsOff", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.account("miles", model.ExpirySlidingDays, 10, "")
		a, b := w.member(), w.member()
		earn(w, a, 10)
		earn(w, b, 10)
		w.advance(9 * 24 * time.Hour)
		earn(w, a, 5)
		w.advance(9 * 24 * time.Hour)
		_, err := w.post(ledger.Posting{MemberID: a, Account: "miles", Amount: -3})
		require.NoError(t, err)
		w.advance(9 * 24 * time.Hour)
		require.EqualValues(t, 12, w.view(a, "miles").Available)
		require.Zero(t, w.view(b, "miles").Available, "somebody else's acts do not count")
		w.clean()
		w.advance(2 * 24 * time.Hour)
		require.Zero(t, w.view(a, "miles").Available)
		_, err = w.book.RunDue(t.Context(), w.clock.Now(), 10)
		require.NoError(t, err)
		w.clean()
	})
	t.Run("WhatArrivesLateNeverShortensIt", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.account("miles", model.ExpirySlidingDays, 10, "")
		m := w.member()
		earn(w, m, 10)
		_, err := w.post(ledger.Posting{MemberID: m, Account: "miles", Amount: 1, OccurredAt: start.AddDate(0, 0, -5)})
		require.NoError(t, err)
		w.advance(6 * 24 * time.Hour)
		require.EqualValues(t, 10, w.view(m, "miles").Available, "the late one is over, the other not")
		w.clean()
	})
	t.Run("TakingBackIsNoActivityAndAMergeKeepsIt", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.account("miles", model.ExpirySlidingDays, 10, "")
		a, b := w.member(), w.member()
		e := earn(w, a, 10)
		w.advance(5 * 24 * time.Hour)
		_, _, err := w.takeBack(e.ID, a, 4)
		require.NoError(t, err)
		w.merge(a, b)
		w.advance(5 * 24 * time.Hour)
		require.EqualValues(t, 6, w.view(b, "miles").Available)
		earn(w, b, 1)
		w.advance(9 * 24 * time.Hour)
		require.EqualValues(t, 7, w.view(b, "miles").Available, "at the survivor it slides on")
		w.advance(2 * 24 * time.Hour)
		require.Zero(t, w.view(b, "miles").Available)
		w.clean()
	})
	t.Run("AnotherPolicyCountsForWhatIsEarnedFromThenOn", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.account("miles", model.ExpirySlidingDays, 10, "")
		m := w.member()
		earn(w, m, 10)
		_, err := w.book.SaveAccount(t.Context(), model.Account{Code: "miles", Name: "miles", Spendable: true, Expiry: model.ExpiryNever})
		require.NoError(t, err)
		w.advance(9 * 24 * time.Hour)
		earn(w, m, 5)
		w.advance(9 * 24 * time.Hour)
		require.EqualValues(t, 15, w.view(m, "miles").Available, "the old lot slides on")
		w.advance(2 * 24 * time.Hour)
		require.EqualValues(t, 5, w.view(m, "miles").Available)
		w.clean()
	})
	t.Run("TwoLinesAtOnceSlideWhatWasThere", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.account("miles", model.ExpirySlidingDays, 10, "")
		m := w.member()
		earn(w, m, 10)
		w.advance(5 * 24 * time.Hour)
		_, err := w.postAll(
			ledger.Posting{MemberID: m, Account: "miles", Amount: 3},
			ledger.Posting{MemberID: m, Account: "miles", Amount: 2, ExpiresAt: ptr(w.clock.Now().Add(time.Hour))},
			ledger.Posting{MemberID: m, Account: "miles", Amount: -12},
		)
		require.NoError(t, err)
		w.advance(9 * 24 * time.Hour)
		require.EqualValues(t, 3, w.view(m, "miles").Available)
		w.clean()
	})
}

func TestAccounts(t *testing.T) {
	t.Parallel()
	t.Run("ACodeIsTakenOnce", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.account("miles", model.ExpiryNever, 0, "")
		_, err := w.book.AddAccount(t.Context(), model.Account{Code: "miles", Name: "x", Expiry: model.ExpiryNever})
		require.Equal(t, errs.Conflict, errs.CodeOf(err))
		w.account("nights", model.ExpiryNever, 0, "")
		_, err = w.book.SaveAccount(t.Context(), model.Account{Code: "rooms", Name: "x", Expiry: model.ExpiryNever})
		require.Equal(t, errs.NotFound, errs.CodeOf(err))
	})
	t.Run("WhatQualifiesIsNotSpent", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		_, err := w.book.AddAccount(t.Context(), model.Account{Code: "nights", Name: "nights", Expiry: model.ExpiryNever})
		require.NoError(t, err)
		m := w.member()
		_, err = w.post(ledger.Posting{MemberID: m, Account: "nights", Amount: 10})
		require.NoError(t, err)
		_, err = w.post(ledger.Posting{MemberID: m, Account: "nights", Amount: -1})
		require.Equal(t, errs.Invalid, errs.CodeOf(err))
		_, err = w.book.SaveAccount(t.Context(), model.Account{Code: "nights", Name: "nights", Spendable: true, Expiry: model.ExpiryNever})
		require.NoError(t, err)
		_, err = w.post(ledger.Posting{MemberID: m, Account: "nights", Amount: -1})
		require.NoError(t, err, "the change counts at once")
		w.clean()
	})
	t.Run("WhatCannotBeIsRefused", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		good := model.Account{Code: "miles", Name: "miles", Expiry: model.ExpiryDays, ExpiryCount: 5}
		for field, change := range map[string]func(a *model.Account){
			"code":         func(a *model.Account) { a.Code = "Miles!" },
			"name":         func(a *model.Account) { a.Name = " " },
			"grace_days":   func(a *model.Account) { a.GraceDays = -1 },
			"manual_limit": func(a *model.Account) { a.ManualLimit = -1 },
			"expiry.kind":  func(a *model.Account) { a.Expiry = "sometime" },
			"expiry.count": func(a *model.Account) { a.ExpiryCount = 0 },
			"expiry.on":    func(a *model.Account) { a.Expiry, a.ExpiryOn = model.ExpiryDate, "2026-11-22" },
		} {
			a := good
			change(&a)
			_, err := w.book.AddAccount(t.Context(), a)
			var e *errs.Error
			require.ErrorAs(t, err, &e, field)
			require.Equal(t, field, e.Args["field"])
		}
	})
}

func TestLeaf(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rich, poor, none, late := w.member(), w.member(), w.member(), w.member()
	w.give(rich, 100, 0)
	w.spend(rich, 40)
	w.give(poor, 10, 0)
	w.give(late, 80, time.Hour) // expires, and no job has run
	w.advance(time.Hour)
	leaf := ledger.Leaf()
	everybody := roaring.BitmapOf(uint32(rich), uint32(poor), uint32(none), uint32(late))
	for args, want := range map[string][]int64{
		`{"account":"points","op":"gte","value":60}`:                     {rich},
		`{"account":"points","op":"gte","value":61}`:                     {},
		`{"account":"points","basis":"lifetime","op":"gte","value":80}`:  {rich, late},
		`{"account":"points","op":"lte","value":10}`:                     {poor, none, late},
		`{"account":"points","op":"eq","value":0}`:                       {none, late},
		`{"account":"points","op":"ne","value":0}`:                       {rich, poor},
		`{"account":"growth","op":"eq","value":0}`:                       {rich, poor, none, late},
		`{"account":"points","basis":"available","op":"gte","value":-5}`: {rich, poor, none, late},
	} {
		raw := json.RawMessage(args)
		require.NoError(t, w.db.Snapshot(t.Context(), func(tx *gorm.DB) error {
			require.NoError(t, leaf.Check(t.Context(), tx, raw))
			got, err := leaf.Members(t.Context(), tx, w.clock.Now(), everybody, raw)
			require.NoError(t, err)
			wanted := roaring.New()
			for _, id := range want {
				wanted.Add(uint32(id))
			}
			require.Equal(t, wanted.ToArray(), got.ToArray(), args)
			for _, id := range everybody.ToArray() {
				v, err := leaf.Eval(t.Context(), tx, &condition.Subject{MemberID: int64(id), At: w.clock.Now()}, raw)
				require.NoError(t, err)
				require.Equal(t, wanted.Contains(id), v.Holds, "%s of %d", args, id)
			}
			return nil
		}))
	}
	for _, args := range []string{
		`{"op":"gte","value":1}`, `{"account":"rooms","op":"gte","value":1}`, `{"account":"points","op":"in","value":1}`,
		`{"account":"points","basis":"x","op":"gte","value":1}`, `{"account":"points","op":"gte","value":1.5}`,
	} {
		require.Equal(t, errs.Invalid, errs.CodeOf(leaf.Check(t.Context(), w.db.Reader(t.Context()), json.RawMessage(args))), args)
	}
	says, err := leaf.Sentence(t.Context(), w.db.Reader(t.Context()), "zh-CN", json.RawMessage(`{"account":"growth","basis":"lifetime","op":"gte","value":1000}`))
	require.NoError(t, err)
	require.Equal(t, "累计成长值至少 1000", says)
}
