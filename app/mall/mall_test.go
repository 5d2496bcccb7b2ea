package mall_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/coupon"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/app/mall"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/model"
)

func item(w *apptest.World, in string) *mall.Item {
	w.T.Helper()
	i := mall.Item{MallItem: model.MallItem{Code: "tea", Name: "tea", Kind: model.MallGoods, Account: "points", Price: 100, Enabled: true}}
	require.NoError(w.T, json.Unmarshal([]byte(in), &i))
	saved, err := w.Mall.Save(w.T.Context(), i)
	require.NoError(w.T, err)
	return saved
}

// rich is somebody new with so many points.
func rich(w *apptest.World, name string, points int64) int64 {
	w.T.Helper()
	id := w.Joined(name)
	w.Tx(func(ctx context.Context, tx *gorm.DB) error {
		if err := member.LockTx(tx, id); err != nil {
			return err
		}
		_, err := w.Book.PostTx(ctx, tx, ledger.Posting{MemberID: id, Account: "points", Amount: points, Reason: "test", Key: name})
		return err
	})
	return id
}

func refused(t testing.TB, code errs.Code, err error) map[string]any {
	t.Helper()
	var e *errs.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, code, e.Code, "%v", e)
	return e.Args
}

func TestRedeem(t *testing.T) {
	t.Parallel()

	t.Run("TheWindowIsTheEndOfEachMonth", func(t *testing.T) { // P12
		t.Parallel()
		w := apptest.New(t)
		i := item(w, `{"Price":1000,"Stock":2,"PerMember":1,"MonthDay":20,"MonthTime":"10:00"}`)
		m1, m2, m3 := rich(w, "m1", 2300), rich(w, "m2", 1000), rich(w, "m3", 1000)
		redeem := func(at string, id int64) error {
			w.Jump(at)
			_, err := w.Mall.Redeem(t.Context(), id, i.ID, w.Now())
			return err
		}
		opens := func(err error) time.Time { return refused(t, errs.WindowClosed, err)["opens_at"].(time.Time).UTC() }
		require.Equal(t, w.At("2026-12-20 10:00:00"), opens(redeem("2026-12-20 09:59:59", m1)))
		offers, err := w.Mall.Offers(t.Context(), m1, w.Now())
		require.NoError(t, err)
		require.Equal(t, w.At("2026-12-20 10:00:00"), offers[0].OpensAt.UTC(), "shown, with when")
		require.NoError(t, redeem("2026-12-20 10:00:00", m1))
		require.EqualValues(t, 1300, w.Points(m1))
		require.Equal(t, w.At("2027-01-20 10:00:00"), refused(t, errs.LimitReached, redeem("2026-12-20 10:00:01", m1))["opens_at"].(time.Time).UTC())
		require.NoError(t, redeem("2026-12-31 23:59:59", m2))
		refused(t, errs.OutOfStock, redeem("2026-12-31 23:59:59", m3))
		require.EqualValues(t, 1000, w.Points(m3))
		require.Equal(t, w.At("2027-01-20 10:00:00"), opens(redeem("2027-01-01 00:00:00", m3)))
		seven := int64(7)
		i.Stock = &seven
		_, err = w.Mall.Save(t.Context(), *i)
		require.NoError(t, err)
		require.NoError(t, redeem("2027-01-20 10:00:00", m1))
		require.EqualValues(t, 300, w.Points(m1))
		opens(redeem("2027-02-20 09:59:59", m2))
		for n, edge := range [][2]string{{"2027-02-28 23:59:59", "2027-03-01 00:00:00"}, {"2027-04-30 23:59:59", "2027-05-01 00:00:00"}, {"2028-02-29 23:59:59", "2028-03-01 00:00:00"}} {
			w.Jump(edge[0])
			fresh := rich(w, fmt.Sprint("fresh", n), 2000)
			require.NoError(t, redeem(edge[0], fresh))
			opens(redeem(edge[1], fresh))
		}
	})

	t.Run("ADayThatAMonthHasNotIsItsLast", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		i := item(w, `{"MonthDay":31}`)
		alice := rich(w, "alice", 1000)
		_, err := w.Mall.Redeem(t.Context(), alice, i.ID, w.At("2026-11-29 23:59:59"))
		require.Equal(t, w.At("2026-11-30 00:00:00"), refused(t, errs.WindowClosed, err)["opens_at"].(time.Time).UTC())
	})

	t.Run("TwentyMembersAtOnceTakeThreeOfThree", func(t *testing.T) { // DESIGN P3
		t.Parallel()
		w := apptest.New(t)
		i := item(w, `{"Stock":3,"PerMember":1}`)
		ids := make([]int64, 20)
		for n := range ids {
			ids[n] = rich(w, fmt.Sprint("m", n), 100)
		}
		var ok atomic.Int32
		var wg sync.WaitGroup
		for _, id := range ids {
			wg.Go(func() {
				if _, err := w.Mall.Redeem(t.Context(), id, i.ID, apptest.Start); err == nil {
					ok.Add(1)
				} else if errs.CodeOf(err) != errs.OutOfStock {
					t.Errorf("Redeem: %v", err)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 3, ok.Load())
		var sum int64
		for _, id := range ids {
			sum += w.Points(id)
		}
		require.EqualValues(t, 1700, sum, "never a debit without the thing")
		w.Verified()
	})

	t.Run("OneMemberTwentyTimesAtOnceTakesTwo", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		byLimit, byPoints := item(w, `{"Code":"limit","PerMember":2,"Price":0}`), item(w, `{"Code":"points"}`)
		alice := rich(w, "alice", 250)
		for _, c := range []struct {
			item *mall.Item
			code errs.Code
		}{{byLimit, errs.LimitReached}, {byPoints, errs.Insufficient}} {
			var ok atomic.Int32
			var wg sync.WaitGroup
			for range 20 {
				wg.Go(func() {
					if _, err := w.Mall.Redeem(t.Context(), alice, c.item.ID, apptest.Start); err == nil {
						ok.Add(1)
					} else if errs.CodeOf(err) != c.code {
						t.Errorf("Redeem: %v", err)
					}
				})
			}
			wg.Wait()
			require.EqualValues(t, 2, ok.Load())
		}
		require.EqualValues(t, 50, w.Points(alice))
	})

	t.Run("ALadderByLifetimeGivesACoupon", func(t *testing.T) { // P06
		t.Parallel()
		w := apptest.New(t)
		c, err := w.Coupons.Save(t.Context(), coupon.Definition{Coupon: model.Coupon{Code: "95", Name: "95", Kind: model.CouponDiscount, PercentOff: 5, Enabled: true}})
		require.NoError(t, err)
		i := item(w, fmt.Sprintf(`{"Kind":"coupon","CouponID":%d,"Price":200,"terms":{"account":{"account":"points","basis":"lifetime","at_least":1000}}}`, c.ID))
		alice := rich(w, "alice", 999)
		_, err = w.Mall.Redeem(t.Context(), alice, i.ID, w.Now())
		require.EqualValues(t, 1, refused(t, errs.ThresholdNotMet, err)["short_by"])
		w.Rule("buy", "behavior.buy", apptest.Earns(88, ""))
		require.NoError(t, w.Behave(alice, "buy", "1", w.Now()))
		n, err := w.Mall.Affordable(t.Context(), w.DB.Reader(t.Context()), alice, 1087)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		n, err = w.Mall.Affordable(t.Context(), w.DB.Reader(t.Context()), alice, 199)
		require.NoError(t, err)
		require.Zero(t, n)
		r, err := w.Mall.Redeem(t.Context(), alice, i.ID, w.Now())
		require.NoError(t, err)
		require.EqualValues(t, 887, r.Balance)
		_, lifetime, err := w.Book.HeldTx(t.Context(), w.DB.Reader(t.Context()), alice, "points")
		require.NoError(t, err)
		require.EqualValues(t, 1087, lifetime)
		_, err = w.Coupons.Verify(t.Context(), coupon.Use{Code: r.Coupon.Code}, w.Now())
		require.NoError(t, err)
		_, err = w.Mall.Cancel(t.Context(), alice, r.ID)
		refused(t, errs.Conflict, err)
	})
}

func TestCancel(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	i := item(w, `{"Stock":1,"PerMember":1}`)
	alice, bob := rich(w, "alice", 100), rich(w, "bob", 100)
	r, err := w.Mall.Redeem(t.Context(), alice, i.ID, w.Now())
	require.NoError(t, err)
	_, err = w.Mall.Cancel(t.Context(), bob, r.ID)
	refused(t, errs.NotFound, err)
	var ok atomic.Int32
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			if _, err := w.Mall.Cancel(t.Context(), alice, r.ID); err == nil {
				ok.Add(1)
			} else if errs.CodeOf(err) != errs.Conflict {
				t.Errorf("Cancel: %v", err)
			}
		})
	}
	wg.Wait()
	require.EqualValues(t, 1, ok.Load())
	require.EqualValues(t, 100, w.Points(alice))
	r, err = w.Mall.Redeem(t.Context(), alice, i.ID, w.Now())
	require.NoError(t, err, "the stock and the limit are free again")
	_, err = w.Mall.Fulfil(t.Context(), r.ID)
	require.NoError(t, err)
	_, err = w.Mall.Cancel(t.Context(), alice, r.ID)
	refused(t, errs.Conflict, err)
	w.Verified()
}

func TestRedemptionsOfAPeriodAreNumbered(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	w.Tx(func(_ context.Context, tx *gorm.DB) error {
		for n, r := range []model.Redemption{{Period: "a", Seq: 1}, {Period: "a", Seq: 2}, {Period: "b", Seq: 1}, {Period: "a", Seq: 1}} {
			r.ItemID, r.MemberID, r.State, r.Account, r.At = 1, 1, "open", "points", w.Now()
			dup, err := db.Insert(tx, &r)
			require.NoError(t, err)
			require.Equal(t, n == 3, dup)
		}
		return nil
	})
}

func TestMerge(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	i := item(w, `{"PerMember":1}`)
	alice, again := rich(w, "alice", 100), rich(w, "again", 100)
	for _, id := range []int64{alice, again} {
		_, err := w.Mall.Redeem(t.Context(), id, i.ID, w.Now())
		require.NoError(t, err)
	}
	_, err := w.Members.Merge(t.Context(), alice, again, "same")
	require.NoError(t, err)
	rows, err := w.Mall.Redemptions(t.Context(), mall.Query{MemberID: alice, Limit: 10})
	require.NoError(t, err)
	require.Len(t, rows, 2)
}
