package ledger_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/model"
)

// converts lets growth become points, one for one.
func (w *world) converts(mode string) {
	_, err := w.book.SaveConversion(w.ctx(), model.ConversionRule{
		FromAccount: model.AccountGrowth, ToAccount: model.AccountPoints, Units: 1, Amount: 1, Mode: mode, Enabled: true,
	})
	require.NoError(w.t, err)
}

func (w *world) tryConvert(m, units int64) (*model.Conversion, error) {
	return w.book.Convert(w.ctx(), ledger.Convert{MemberID: m, From: model.AccountGrowth, To: model.AccountPoints, Units: units})
}

func (w *world) convert(m, units int64) {
	_, err := w.tryConvert(m, units)
	require.NoError(w.t, err)
}

func (w *world) grow(m, amount int64) *model.Entry {
	e, err := w.post(ledger.Posting{MemberID: m, Account: model.AccountGrowth, Amount: amount})
	require.NoError(w.t, err)
	return e
}

func TestConvert(t *testing.T) {
	t.Parallel()
	t.Run("AUnitConvertsOnceInEitherMode", func(t *testing.T) {
		t.Parallel()
		for _, mode := range []string{model.ConvertConsume, model.ConvertKeep} {
			w := newWorld(t)
			w.converts(mode)
			m := w.member()
			w.grow(m, 100)
			w.convert(m, 40)
			growth := w.view(m, model.AccountGrowth)
			require.EqualValues(t, 100, growth.Lifetime, "a tier on the lifetime stays")
			require.Equal(t, map[string]int64{model.ConvertConsume: 60, model.ConvertKeep: 100}[mode], growth.Available)
			require.EqualValues(t, 40, w.points(m))
			_, err := w.tryConvert(m, 61)
			require.Equal(t, errs.Insufficient, errs.CodeOf(err))
			w.convert(m, 0) // the rest
			require.EqualValues(t, 100, w.points(m))
			_, err = w.tryConvert(m, 0)
			require.Equal(t, errs.Insufficient, errs.CodeOf(err))
			w.grow(m, 5)
			open, err := w.book.Convertible(t.Context(), m)
			require.NoError(t, err)
			require.EqualValues(t, 5, open[0].Max)
			w.clean()
		}
	})
	t.Run("AnotherModeDoesNotConvertAgain", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.converts(model.ConvertKeep)
		m := w.member()
		w.grow(m, 100)
		w.convert(m, 40)
		w.converts(model.ConvertConsume)
		_, err := w.tryConvert(m, 61)
		require.Equal(t, errs.Insufficient, errs.CodeOf(err))
		w.convert(m, 60)
		w.clean()
	})
	t.Run("AfterARefundOnlyWhatIsLeft", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.converts(model.ConvertKeep)
		m := w.member()
		e := w.grow(m, 100)
		w.convert(m, 40)
		_, _, err := w.takeBack(e.ID, m, 70)
		require.NoError(t, err)
		_, err = w.tryConvert(m, 1)
		require.Equal(t, errs.Insufficient, errs.CodeOf(err))
		w.grow(m, 11)
		_, err = w.tryConvert(m, 2)
		require.Equal(t, errs.Insufficient, errs.CodeOf(err), "41 were left, 40 of them converted")
		w.convert(m, 1)
		w.clean()
	})
	t.Run("WholeBatchesOnly", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		_, err := w.book.SaveConversion(t.Context(), model.ConversionRule{
			FromAccount: model.AccountGrowth, ToAccount: model.AccountPoints, Units: 10, Amount: 3, Mode: model.ConvertConsume, Enabled: true,
		})
		require.NoError(t, err)
		m := w.member()
		w.grow(m, 29)
		_, err = w.tryConvert(m, 15)
		require.Equal(t, errs.Invalid, errs.CodeOf(err))
		w.convert(m, 0)
		require.EqualValues(t, 6, w.points(m))
		require.EqualValues(t, 9, w.view(m, model.AccountGrowth).Available)
		for _, units := range []int64{-10, 1 << 62, -1 << 62} {
			_, err = w.tryConvert(m, units)
			require.Contains(t, []errs.Code{errs.Invalid, errs.Insufficient}, errs.CodeOf(err))
		}
		w.clean()
	})
	t.Run("AMergeUnitesWhatWasConverted", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.converts(model.ConvertKeep)
		a, b := w.member(), w.member()
		w.grow(a, 100)
		w.convert(a, 100)
		w.merge(a, b)
		_, err := w.tryConvert(b, 1)
		require.Equal(t, errs.Insufficient, errs.CodeOf(err))
		require.EqualValues(t, 100, w.points(b))
		w.clean()
	})
	t.Run("ItRepaysADebtFirst", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.converts(model.ConvertConsume)
		m := w.member()
		_, err := w.post(ledger.Posting{MemberID: m, Amount: -30, AllowDebt: true})
		require.NoError(t, err)
		w.grow(m, 100)
		w.convert(m, 40)
		require.EqualValues(t, 10, w.points(m))
		w.clean()
	})
	t.Run("OfManyAtOnceEachUnitOnce", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.converts(model.ConvertKeep)
		m := w.member()
		w.grow(m, 50)
		var done atomic.Int32
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				switch _, err := w.tryConvert(m, 10); {
				case err == nil:
					done.Add(1)
				case errs.CodeOf(err) != errs.Insufficient:
					t.Errorf("Convert: %v", err)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 5, done.Load())
		require.EqualValues(t, 50, w.points(m))
		w.clean()
	})
	t.Run("OnlyWhatTheOperatorOffers", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		m := w.member()
		w.grow(m, 50)
		_, err := w.tryConvert(m, 10)
		require.Equal(t, errs.NotFound, errs.CodeOf(err))
		good := model.ConversionRule{FromAccount: model.AccountGrowth, ToAccount: model.AccountPoints, Units: 1, Amount: 1, Mode: model.ConvertKeep}
		_, err = w.book.SaveConversion(t.Context(), good)
		require.NoError(t, err)
		_, err = w.tryConvert(m, 10)
		require.Equal(t, errs.NotFound, errs.CodeOf(err), "it is off")
		for _, change := range []func(r *model.ConversionRule){
			func(r *model.ConversionRule) { r.ToAccount = r.FromAccount },
			func(r *model.ConversionRule) { r.ToAccount = "rooms" },
			func(r *model.ConversionRule) { r.Units = 0 },
			func(r *model.ConversionRule) { r.Amount = -1 },
			func(r *model.ConversionRule) { r.Mode = "x" },
		} {
			bad := good
			change(&bad)
			_, err := w.book.SaveConversion(t.Context(), bad)
			require.Equal(t, errs.Invalid, errs.CodeOf(err), "%+v", bad)
		}
		rules, err := w.book.Conversions(t.Context())
		require.NoError(t, err)
		require.Len(t, rules, 1, "saved again it is the same one")
	})
}
