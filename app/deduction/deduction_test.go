package deduction_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/deduction"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/model"
)

// world is a programme in which 100 points pay ¥1, up to half of the goods, and a member with points.
func world(t *testing.T, points int64) (*apptest.World, int64) {
	t.Helper()
	w := apptest.New(t)
	_, err := w.Deduction.Save(t.Context(), model.DeductionSettings{Enabled: true, Points: 100, Fen: 100, MaxPercent: 50, HoldMinutes: 30})
	require.NoError(t, err)
	id := w.Joined("alice")
	if points > 0 {
		_, err = w.Book.Grant(t.Context(), ledger.Manual{MemberID: id, Account: model.AccountPoints, Amount: points - w.Points(id), Memo: "x", Actor: "test"})
		require.NoError(t, err)
	}
	return w, id
}

func fact(err error, name string) any {
	var e *errs.Error
	if errors.As(err, &e) {
		return e.Args[name]
	}
	return nil
}

func TestQuote(t *testing.T) {
	t.Parallel()
	w, id := world(t, 381)
	for _, c := range []struct{ goods, points, fen, most int64 }{
		{6000, 300, 300, 3000}, // P37: 381 points pay ¥3
		{500, 200, 200, 200},   // half of ¥5 is ¥2.50: two whole units
		{199, 0, 0, 0},
		{0, 0, 0, 0},
	} {
		q, err := w.Deduction.Quote(t.Context(), id, c.goods)
		require.NoError(t, err)
		require.Equal(t, c.points, q.Points, c.goods)
		require.Equal(t, c.fen, q.Fen, c.goods)
		require.Equal(t, c.most, q.MaxPoints, c.goods)
	}
	_, err := w.Deduction.Quote(t.Context(), id, -1)
	require.Equal(t, errs.Invalid, errs.CodeOf(err))
	_, err = w.Deduction.Save(t.Context(), model.DeductionSettings{Points: 100, Fen: 100, MaxPercent: 50, HoldMinutes: 30})
	require.NoError(t, err)
	q, err := w.Deduction.Quote(t.Context(), id, 6000)
	require.NoError(t, err)
	require.Zero(t, q.Points, "switched off")
}

func TestOrderHold(t *testing.T) {
	t.Parallel()
	t.Run("PaidItIsSpentUnpaidItComesBack", func(t *testing.T) {
		t.Parallel()
		w, id := world(t, 381)
		o := deduction.Order{MemberID: id, Ref: "A1", GoodsFen: 6000, Points: 300, Key: "k1"}
		h, err := w.Deduction.Hold(t.Context(), o)
		require.NoError(t, err)
		require.EqualValues(t, 300, h.Worth)
		require.EqualValues(t, 81, w.Points(id))
		again, err := w.Deduction.Hold(t.Context(), o)
		require.NoError(t, err)
		require.Equal(t, h.ID, again.ID)
		o.Points = 200
		_, err = w.Deduction.Hold(t.Context(), o)
		require.Equal(t, errs.Conflict, errs.CodeOf(err), "the key with another request")
		for range 2 {
			_, err = w.Deduction.End(t.Context(), h.ID, false)
			require.NoError(t, err)
		}
		require.EqualValues(t, 381, w.Points(id))
		o.Key, o.Points = "k2", 300
		h, err = w.Deduction.Hold(t.Context(), o)
		require.NoError(t, err)
		for range 2 {
			_, err = w.Deduction.End(t.Context(), h.ID, true)
			require.NoError(t, err)
		}
		_, err = w.Deduction.End(t.Context(), h.ID, false)
		require.Equal(t, errs.Conflict, errs.CodeOf(err))
		require.EqualValues(t, 81, w.Points(id))
		w.Verified()
	})
	t.Run("TheTimeIsOverByItself", func(t *testing.T) {
		t.Parallel()
		w, id := world(t, 300)
		h, err := w.Deduction.Hold(t.Context(), deduction.Order{MemberID: id, Ref: "A1", GoodsFen: 6000, Points: 300, Key: "k1"})
		require.NoError(t, err)
		w.Advance(30*time.Minute - time.Second)
		require.Zero(t, w.Points(id))
		w.Advance(time.Second)
		require.EqualValues(t, 300, w.Points(id), "the job releases it")
		h, err = w.Deduction.Get(t.Context(), h.ID)
		require.NoError(t, err)
		require.Equal(t, model.HoldReleased, h.State)
		w.Verified()
	})
	t.Run("RefusalsNameTheNextFact", func(t *testing.T) {
		t.Parallel()
		w, id := world(t, 300)
		ask := func(goods, points int64) error {
			_, err := w.Deduction.Hold(t.Context(), deduction.Order{MemberID: id, Ref: "A1", GoodsFen: goods, Points: points, Key: fmt.Sprint(goods, points)})
			return err
		}
		err := ask(500, 300)
		require.Equal(t, errs.DeductionLimit, errs.CodeOf(err))
		require.EqualValues(t, 200, fact(err, "limit"))
		err = ask(6000, 400)
		require.Equal(t, errs.Insufficient, errs.CodeOf(err))
		require.EqualValues(t, 100, fact(err, "short_by"))
		err = ask(6000, 150)
		require.Equal(t, errs.Invalid, errs.CodeOf(err))
		require.EqualValues(t, 100, fact(err, "unit"))
		require.Equal(t, errs.Invalid, errs.CodeOf(ask(-1, 100)))
		require.Equal(t, errs.Invalid, errs.CodeOf(ask(1<<62, 100)))
		require.EqualValues(t, 300, w.Points(id), "a refusal changes nothing")
	})
	t.Run("OfManyTillsAtOnceExactlyAsManyAsThePointsAllow", func(t *testing.T) {
		t.Parallel()
		w, id := world(t, 500)
		var held atomic.Int32
		var wg sync.WaitGroup
		for i := range 12 {
			wg.Go(func() {
				_, err := w.Deduction.Hold(context.WithoutCancel(t.Context()), deduction.Order{MemberID: id, Ref: "A", GoodsFen: 6000, Points: 100, Key: fmt.Sprint(i)})
				switch {
				case err == nil:
					held.Add(1)
				case errs.CodeOf(err) != errs.Insufficient:
					t.Errorf("Hold: %v", err)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 5, held.Load())
		w.Verified()
	})
}

func TestSettings(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	s, err := w.Deduction.Settings(t.Context())
	require.NoError(t, err)
	require.False(t, s.Enabled, "off at first")
	good := model.DeductionSettings{Enabled: true, Points: 100, Fen: 100, MaxPercent: 50, HoldMinutes: 30}
	for field, change := range map[string]func(s *model.DeductionSettings){
		"points":       func(s *model.DeductionSettings) { s.Points = 0 },
		"fen":          func(s *model.DeductionSettings) { s.Fen = -1 },
		"max_percent":  func(s *model.DeductionSettings) { s.MaxPercent = 101 },
		"hold_minutes": func(s *model.DeductionSettings) { s.HoldMinutes = 0 },
	} {
		bad := good
		change(&bad)
		_, err := w.Deduction.Save(t.Context(), bad)
		require.Equal(t, field, fact(err, "field"))
	}
}
