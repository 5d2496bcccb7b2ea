package ledger_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/model"
)

func (w *world) manualLimit(limit int64) {
	a, err := w.book.Account(w.ctx(), model.AccountPoints)
	require.NoError(w.t, err)
	a.ManualLimit = limit
	_, err = w.book.SaveAccount(w.ctx(), *a)
	require.NoError(w.t, err)
}

func TestLargeGrants(t *testing.T) {
	t.Parallel()
	t.Run("AboveTheLimitASecondOperatorDecides", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.manualLimit(100)
		m := w.member()
		ask := ledger.Manual{MemberID: m, Account: model.AccountPoints, Amount: 100, Memo: "x", Actor: "operator:1"}
		g, err := w.book.Grant(t.Context(), ask)
		require.NoError(t, err)
		require.Nil(t, g.Request, "the limit itself is within")
		ask.Amount = 101
		g, err = w.book.Grant(t.Context(), ask)
		require.NoError(t, err)
		require.Nil(t, g.Entry)
		require.EqualValues(t, 100, w.points(m))
		_, err = w.book.Decide(t.Context(), g.Request.ID, true, "operator:1")
		require.Equal(t, errs.Forbidden, errs.CodeOf(err), "not who asked")
		r, err := w.book.Decide(t.Context(), g.Request.ID, true, "operator:2")
		require.NoError(t, err)
		require.NotZero(t, r.EntryID)
		require.EqualValues(t, 201, w.points(m))
		_, err = w.book.Decide(t.Context(), g.Request.ID, false, "operator:3")
		require.Equal(t, errs.Conflict, errs.CodeOf(err))
		rows, err := w.book.Requests(t.Context(), false, 0, 10)
		require.NoError(t, err)
		require.Empty(t, rows)
		rows, err = w.book.Requests(t.Context(), true, 0, 10)
		require.NoError(t, err)
		require.Equal(t, "operator:2", rows[0].DecidedBy)
		_, err = w.book.Decide(t.Context(), 404, true, "operator:2")
		require.Equal(t, errs.NotFound, errs.CodeOf(err))
		w.clean()
	})
	t.Run("RejectedGivesNothing", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.manualLimit(100)
		m := w.member()
		g, err := w.book.Grant(t.Context(), ledger.Manual{MemberID: m, Account: model.AccountPoints, Amount: 101, Memo: "x", Actor: "a"})
		require.NoError(t, err)
		_, err = w.book.Decide(t.Context(), g.Request.ID, false, "b")
		require.NoError(t, err)
		_, err = w.book.Decide(t.Context(), g.Request.ID, true, "b")
		require.Equal(t, errs.Conflict, errs.CodeOf(err))
		require.Zero(t, w.points(m))
	})
	t.Run("OfTenWhoApproveAtOnceOneDoes", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.manualLimit(100)
		m := w.member()
		g, err := w.book.Grant(t.Context(), ledger.Manual{MemberID: m, Account: model.AccountPoints, Amount: 500, Memo: "x", Actor: "a"})
		require.NoError(t, err)
		var done atomic.Int32
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				switch _, err := w.book.Decide(t.Context(), g.Request.ID, true, "b"); errs.CodeOf(err) {
				case "":
					if err == nil {
						done.Add(1)
						return
					}
					t.Errorf("Decide: %v", err)
				case errs.Conflict:
				default:
					t.Errorf("Decide: %v", err)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 1, done.Load())
		require.EqualValues(t, 500, w.points(m))
		w.clean()
	})
}

func TestUndo(t *testing.T) {
	t.Parallel()
	manual := func(w *world, m, amount int64) *model.Entry {
		g, err := w.book.Grant(w.ctx(), ledger.Manual{MemberID: m, Account: model.AccountPoints, Amount: amount, Memo: "x", Actor: "a"})
		require.NoError(w.t, err)
		return g.Entry
	}
	t.Run("AGrantIsTakenBackOnceWithWhoAndWhy", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		m := w.member()
		e := manual(w, m, 50)
		w.spend(m, 20)
		r, err := w.book.Undo(t.Context(), ledger.Undo{EntryID: e.ID, Memo: "wrong member", Actor: "b"})
		require.NoError(t, err)
		require.Equal(t, "wrong member", r.Memo)
		require.Equal(t, "b", r.Actor)
		require.Equal(t, e.ID, r.ReversesID)
		require.EqualValues(t, -20, w.points(m))
		require.Zero(t, w.view(m, model.AccountPoints).Lifetime)
		_, err = w.book.Undo(t.Context(), ledger.Undo{EntryID: e.ID, Memo: "again", Actor: "b"})
		require.Equal(t, errs.Conflict, errs.CodeOf(err))
		_, err = w.book.Undo(t.Context(), ledger.Undo{EntryID: r.ID, Memo: "undo the undo", Actor: "b"})
		require.Equal(t, errs.NotFound, errs.CodeOf(err))
		w.clean()
	})
	t.Run("WhatWasTakenComesBackToItsLots", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		m := w.member()
		w.give(m, 30, time.Hour)
		before := w.lots(m)
		e := manual(w, m, -20)
		require.EqualValues(t, 10, w.view(m, model.AccountPoints).Lifetime)
		r, err := w.book.Undo(t.Context(), ledger.Undo{EntryID: e.ID, Memo: "was right", Actor: "b"})
		require.NoError(t, err)
		require.Equal(t, model.EntryRestore, r.Kind)
		require.EqualValues(t, 30, w.points(m))
		require.EqualValues(t, 30, w.view(m, model.AccountPoints).Lifetime)
		require.Equal(t, before, w.lots(m))
		require.Zero(t, w.clean().Accounts[model.AccountPoints].Reversed)
	})
	t.Run("AfterAMergeAtTheSurvivor", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		a, b := w.member(), w.member()
		e := manual(w, a, 50)
		w.merge(a, b)
		_, err := w.book.Undo(t.Context(), ledger.Undo{EntryID: e.ID, Memo: "x", Actor: "b"})
		require.NoError(t, err)
		require.Zero(t, w.points(b))
		w.clean()
	})
	t.Run("OnlyWhatWasWrittenByHandAndWithAReason", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		m := w.member()
		e := w.give(m, 10, 0)
		_, err := w.book.Undo(t.Context(), ledger.Undo{EntryID: e.ID, Memo: "x", Actor: "b"})
		require.Equal(t, errs.NotFound, errs.CodeOf(err))
		_, err = w.book.Undo(t.Context(), ledger.Undo{EntryID: manual(w, m, 5).ID, Memo: " ", Actor: "b"})
		require.Equal(t, errs.Invalid, errs.CodeOf(err))
	})
}
