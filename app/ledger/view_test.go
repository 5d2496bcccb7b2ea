package ledger_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/model"
)

func TestBalances(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.member()
	vs, err := w.book.Balances(t.Context(), m)
	require.NoError(t, err)
	require.Equal(t, []ledger.View{{Account: "points", Spendable: true}, {Account: "growth"}, {Account: "experience"}}, vs)
	w.give(m, 10, 29*24*time.Hour)
	w.give(m, 20, 30*24*time.Hour)
	w.give(m, 40, 31*24*time.Hour)
	v := w.view(m, model.AccountPoints)
	require.EqualValues(t, 70, v.Available)
	require.EqualValues(t, 30, v.ExpiringSoon)
	require.Equal(t, start.Add(29*24*time.Hour), *v.NextExpiry)
}

func TestEntries(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.member()
	for range 5 {
		_, err := w.postAll(ledger.Posting{MemberID: m, Amount: 1}, ledger.Posting{MemberID: m, Amount: 2, Account: model.AccountGrowth})
		require.NoError(t, err)
	}
	w.give(m, 9, time.Hour)
	w.advance(time.Hour)
	for account, want := range map[string]int{"": 12, model.AccountPoints: 7, model.AccountGrowth: 5, model.AccountExperience: 0} {
		var all []model.Entry
		cursor := ""
		for {
			rows, next, err := w.book.Entries(t.Context(), m, account, cursor, 3)
			require.NoError(t, err)
			all = append(all, rows...)
			if cursor = next; next == "" {
				break
			}
		}
		require.Len(t, all, want, account)
		for i := 1; i < len(all); i++ {
			require.Less(t, all[i].ID, all[i-1].ID)
		}
	}
	_, _, err := w.book.Entries(t.Context(), m, "", "x", 3)
	require.Equal(t, errs.Invalid, errs.CodeOf(err))
	_, _, err = w.book.Entries(t.Context(), m, "", "", 101)
	require.Equal(t, errs.Invalid, errs.CodeOf(err))
}

func TestGrant(t *testing.T) {
	t.Parallel()
	t.Run("GivesAndTakes", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		m := w.member()
		e, err := w.book.Grant(t.Context(), ledger.Manual{MemberID: m, Account: model.AccountPoints, Amount: 50, Memo: "门店补偿", Actor: "amy"})
		require.NoError(t, err)
		require.Equal(t, "门店补偿", e.Memo)
		require.Equal(t, "amy", e.Actor)
		_, err = w.book.Grant(t.Context(), ledger.Manual{MemberID: m, Account: model.AccountPoints, Amount: -20, Memo: "误发", Actor: "amy"})
		require.NoError(t, err)
		require.EqualValues(t, 30, w.points(m))
		require.EqualValues(t, 30, w.view(m, model.AccountPoints).Lifetime)
		_, err = w.book.Grant(t.Context(), ledger.Manual{MemberID: m, Account: model.AccountPoints, Amount: -31, Memo: "误发"})
		require.Equal(t, errs.Insufficient, errs.CodeOf(err))
		require.EqualValues(t, 1, args(t, err)["short_by"])
		_, err = w.book.Grant(t.Context(), ledger.Manual{MemberID: m, Account: model.AccountPoints, Amount: -31, Memo: "误发", AllowDebt: true})
		require.NoError(t, err)
		require.EqualValues(t, -1, w.points(m))
		w.clean()
	})
	t.Run("ARepeatedRequestGivesOnce", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		m := w.member()
		var ids []int64
		for range 2 {
			ctx := db.WithKey(t.Context(), db.Key{Principal: "operator:1", Route: "grant", Key: "k"})
			e, err := w.book.Grant(ctx, ledger.Manual{MemberID: m, Account: model.AccountPoints, Amount: 50, Memo: "x"})
			require.NoError(t, err)
			ids = append(ids, e.ID)
		}
		require.Equal(t, ids[0], ids[1])
		require.EqualValues(t, 50, w.points(m))
	})
	t.Run("RefusesTheAbsurd", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		m := w.member()
		past := start.Add(-time.Hour)
		for name, g := range map[string]ledger.Manual{
			"blank memo":  {MemberID: m, Account: model.AccountPoints, Amount: 1, Memo: " "},
			"nothing":     {MemberID: m, Account: model.AccountPoints, Memo: "x"},
			"too much":    {MemberID: m, Account: model.AccountPoints, Amount: 1_000_001, Memo: "x"},
			"too little":  {MemberID: m, Account: model.AccountPoints, Amount: -1_000_001, Memo: "x"},
			"no reason":   {MemberID: m, Account: model.AccountPoints, Amount: 1},
			"a novel":     {MemberID: m, Account: model.AccountPoints, Amount: 1, Memo: strings.Repeat("字", 256)},
			"no account":  {MemberID: m, Account: "gold", Amount: 1, Memo: "x"},
			"the expired": {MemberID: m, Account: model.AccountPoints, Amount: 1, Memo: "x", ExpiresAt: &past},
		} {
			_, err := w.book.Grant(t.Context(), g)
			require.Equal(t, errs.Invalid, errs.CodeOf(err), name)
		}
		_, err := w.book.Grant(t.Context(), ledger.Manual{MemberID: 404, Account: model.AccountPoints, Amount: 1, Memo: "x"})
		require.Equal(t, errs.NotFound, errs.CodeOf(err))
		require.Zero(t, w.clean().Entries)
	})
}
