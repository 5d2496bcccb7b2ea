package order_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/order"
	"github.com/siyu-scrm/siyu/app/risk"
	"github.com/siyu-scrm/siyu/model"
)

func setPhone(id int64, index string) func(context.Context, *gorm.DB) error {
	return func(_ context.Context, tx *gorm.DB) error {
		return tx.Model(&model.Member{}).Where("id = ?", id).Update("phone_index", index).Error
	}
}

func claim(w *apptest.World, m int64, no, tail string) (*order.Claimed, error) {
	return w.Orders.Claim(context.WithoutCancel(w.T.Context()), m, "douyin", no, tail)
}

func risks(w *apptest.World, kind string, m int64) int {
	w.T.Helper()
	rows, err := w.Risks.List(w.T.Context(), risk.Query{Kind: kind, MemberID: m, Limit: 50})
	require.NoError(w.T, err)
	return len(rows)
}

func TestClaim(t *testing.T) {
	t.Parallel()

	t.Run("GetsTheOrderAtTheRulesOfNow", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		perYuan(w)
		push(w, paid(w, "DY1", 26850, 0))
		a, b := w.Joined("a"), w.Joined("b")
		out, err := claim(w, a, "　dy1 ", "")
		require.NoError(t, err)
		require.Equal(t, model.ClaimDone, out.Claim.State)
		require.EqualValues(t, 805, w.Points(a), "base 268, bonus 537")
		_, err = claim(w, a, "DY1", "")
		refused(t, errs.AlreadyClaimed, err)
		require.Zero(t, risks(w, model.RiskClaimTaken, a))
		_, err = claim(w, b, "DY1", "")
		require.Empty(t, refused(t, errs.AlreadyClaimed, err), "nothing about the owner")
		require.Equal(t, 1, risks(w, model.RiskClaimTaken, b))
		push(w, refund("DY1", back(w, "R", 6850)))
		require.EqualValues(t, 600, w.Points(a), "f(200.00)×3")
		w.Verified()
	})

	t.Run("WaitsForAnOrderThatIsNotToldYet", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		perYuan(w)
		a, b := w.Joined("a"), w.Joined("b")
		out, err := claim(w, a, "DY1", "")
		require.NoError(t, err)
		require.Equal(t, model.ClaimPending, out.Claim.State)
		again, err := claim(w, a, "dy1", "")
		require.NoError(t, err)
		require.Equal(t, out.Claim.ID, again.Claim.ID)
		_, err = claim(w, b, "DY1", "")
		refused(t, errs.AlreadyClaimed, err)
		w.Set("2026-12-01 03:00:00")
		require.Equal(t, a, push(w, paid(w, "DY1", 9900, 0)).Order.MemberID)
		require.EqualValues(t, 297, w.Points(a), "at the multiplier of the claim")
		require.EqualValues(t, 1, w.Count(&model.Event{}, "kind = ? AND member_id = ?", model.EventOrderClaimed, a))
		require.Zero(t, w.Count(&model.Event{}, "kind = ?", model.EventOrderPaid))
	})

	t.Run("OfManyExactlyOneWins", func(t *testing.T) {
		t.Parallel()
		for _, known := range []bool{true, false} {
			w := apptest.New(t)
			perYuan(w)
			if known {
				push(w, paid(w, "DY1", 10000, 0))
			}
			var ids []int64
			for i := range 12 {
				ids = append(ids, w.Joined(fmt.Sprint("m", i)))
			}
			var won atomic.Int64
			var wg sync.WaitGroup
			for _, id := range ids {
				wg.Go(func() {
					_, err := claim(w, id, "DY1", "")
					switch {
					case err == nil:
						won.Add(1)
					case errs.CodeOf(err) != errs.AlreadyClaimed:
						t.Errorf("Claim: %v", err)
					}
				})
			}
			if !known {
				wg.Go(func() {
					if _, err := w.Orders.Push(context.WithoutCancel(t.Context()), paid(w, "DY1", 10000, 0)); err != nil {
						t.Errorf("Push: %v", err)
					}
				})
			}
			wg.Wait()
			require.EqualValues(t, 1, won.Load())
			total := int64(0)
			for _, id := range ids {
				total += w.Points(id)
			}
			require.EqualValues(t, 300, total)
			w.Verified()
		}
	})

	t.Run("OfManyWhoWaitExactlyOneDoes", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		perYuan(w)
		var ids []int64
		for i := range 12 {
			ids = append(ids, w.Joined(fmt.Sprint("m", i)))
		}
		var won atomic.Int64
		var wg sync.WaitGroup
		for _, id := range ids {
			wg.Go(func() {
				out, err := claim(w, id, "DY1", "")
				switch {
				case err == nil && out.Claim.State == model.ClaimPending && won.CompareAndSwap(0, id):
				case err == nil:
					t.Errorf("Claim of %d: %s, beside %d", id, out.Claim.State, won.Load())
				case errs.CodeOf(err) != errs.AlreadyClaimed:
					t.Errorf("Claim: %v", err)
				}
			})
		}
		wg.Wait()
		require.NotZero(t, won.Load())
		require.EqualValues(t, 1, w.Count(&model.OrderClaim{}, "state = ?", model.ClaimPending))
		require.EqualValues(t, 11, w.Count(&model.OrderClaim{}, "state = ?", model.ClaimRefused))
		require.Equal(t, won.Load(), push(w, paid(w, "DY1", 10000, 0)).Order.MemberID)
		for _, id := range ids {
			want := int64(0)
			if id == won.Load() {
				want = 300
			}
			require.Equal(t, want, w.Points(id))
		}
		w.Verified()
	})

	t.Run("NeedsTheTailOfThePhone", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		perYuan(w)
		a, b := w.Joined("a"), w.Joined("b")
		p := paid(w, "DY1", 10000, 0)
		p.Phone = "13800001234"
		push(w, p)
		for _, tail := range []string{"", "4321"} {
			_, err := claim(w, a, "DY1", tail)
			refused(t, errs.Mismatch, err)
		}
		_, err := claim(w, a, "DY1", "1234")
		require.NoError(t, err)

		_, err = claim(w, a, "DY2", "9999")
		require.NoError(t, err)
		p.No = "DY2"
		require.Zero(t, push(w, p).Order.MemberID)
		claims, err := w.Orders.Claims(t.Context(), order.ClaimQuery{MemberID: a, Limit: 1})
		require.NoError(t, err)
		require.Equal(t, model.ClaimRefused, claims[0].State)
		require.Equal(t, string(errs.Mismatch), claims[0].Reason)
		_, err = claim(w, b, "DY2", "1234")
		require.NoError(t, err, "the number is free again")
	})

	t.Run("WrongOnesAreLimitedPerDay", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		a := w.Joined("a")
		push(w, paid(w, "DY1", 100, w.Joined("owner")))
		var wg sync.WaitGroup
		var limited atomic.Int64
		for range 20 {
			wg.Go(func() {
				_, err := claim(w, a, "DY1", "")
				if errs.CodeOf(err) == errs.RateLimited {
					limited.Add(1)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 15, limited.Load(), "five may be wrong")
		require.EqualValues(t, 5, w.Count(&model.OrderClaim{}, "state = ?", model.ClaimRefused))
		require.Equal(t, 1, risks(w, model.RiskClaimWrong, a))
		_, err := claim(w, a, "NEW", "")
		require.Contains(t, refused(t, errs.RateLimited, err), "opens_at")
		w.Set("2026-11-24 00:00:00")
		_, err = claim(w, a, "NEW", "")
		require.NoError(t, err)
	})

	t.Run("OfAnOldOrderIsRefused", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		a := w.Joined("a")
		for no, age := range map[string]time.Duration{"OK": 90 * 24 * time.Hour, "OLD": 90*24*time.Hour + time.Second} {
			p := paid(w, no, 100, 0)
			at := w.Now().Add(-age)
			p.PaidAt = &at
			push(w, p)
		}
		_, err := claim(w, a, "OLD", "")
		require.EqualValues(t, 90, refused(t, errs.WindowClosed, err)["limit"])
		_, err = claim(w, a, "OK", "")
		require.NoError(t, err)
	})

	t.Run("OneThatWaitsTooLongLapses", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		perYuan(w)
		a, b := w.Joined("a"), w.Joined("b")
		_, err := claim(w, a, "DY1", "")
		require.NoError(t, err)
		_, err = claim(w, a, "DY2", "")
		require.NoError(t, err)
		w.Jump("2026-12-08 09:00:00") // no job has run
		require.Zero(t, push(w, paid(w, "DY1", 100, 0)).Order.MemberID)
		out, err := claim(w, b, "DY2", "")
		require.NoError(t, err)
		require.Equal(t, model.ClaimPending, out.Claim.State)
		require.EqualValues(t, 2, w.Count(&model.OrderClaim{}, "state = ?", model.ClaimLapsed))
		w.Set("2026-12-24 09:00:00")
		require.EqualValues(t, 3, w.Count(&model.OrderClaim{}, "state = ?", model.ClaimLapsed))
		require.EqualValues(t, 1, w.Count(&model.Order{}), "of DY2 nothing was told: its row went with its claim")
		require.Equal(t, model.ClaimPending, must(claim(w, b, "DY2", "")).Claim.State, "it can be claimed again")
		require.Zero(t, push(w, paid(w, "DY2", 100, 0)).Order.EndVersion)
	})

	t.Run("ARefundThatWasToldOutlivesTheClaim", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		perYuan(w)
		a := w.Joined("a")
		_, err := claim(w, a, "DY1", "")
		require.NoError(t, err)
		push(w, refund("DY1", back(w, "R", 40)))
		w.Set("2026-12-24 09:00:00")
		require.EqualValues(t, 1, w.Count(&model.OrderClaim{}, "state = ?", model.ClaimLapsed))
		require.EqualValues(t, 40, push(w, paid(w, "DY1", 100, 0)).Order.RefundedFen)
	})

	t.Run("ClaimsAndPushesAtOnceWithTheLapseLoseNothing", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		perYuan(w)
		a, b := w.Joined("a"), w.Joined("b")
		for i := range 8 {
			_, err := claim(w, a, fmt.Sprint("N", i), "")
			require.NoError(t, err)
		}
		w.Jump("2026-12-24 09:00:00")
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				if _, err := w.Orders.Lapse(t.Context(), 100); err != nil {
					t.Errorf("Lapse: %v", err)
				}
			})
		}
		for i := range 8 {
			wg.Go(func() {
				if i%2 == 0 {
					if _, err := claim(w, b, fmt.Sprint("N", i), ""); err != nil {
						t.Errorf("Claim: %v", err)
					}
				} else if _, err := w.Orders.Push(t.Context(), paid(w, fmt.Sprint("N", i), 100, 0)); err != nil {
					t.Errorf("Push: %v", err)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 8, w.Count(&model.Order{}))
		require.EqualValues(t, 4, w.Count(&model.Order{}, "claim_id <> 0"))
		require.EqualValues(t, 4, w.Count(&model.Order{}, "paid_at IS NOT NULL"))
		require.EqualValues(t, 8, w.Count(&model.OrderClaim{}, "state = ?", model.ClaimLapsed))
	})

	t.Run("WaitsForSoManyAtATime", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		a := w.Joined("a")
		for i := range 10 {
			_, err := claim(w, a, fmt.Sprint("N", i), "")
			require.NoError(t, err)
		}
		_, err := claim(w, a, "N10", "")
		require.EqualValues(t, 10, refused(t, errs.LimitReached, err)["limit"])
		require.EqualValues(t, 10, w.Count(&model.Order{}))
	})
}

func TestAssign(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	perYuan(w)
	push(w, paid(w, "DY1", 10000, 0))
	a, b := w.Joined("a"), w.Joined("b")
	out, err := claim(w, a, "DY1", "")
	require.NoError(t, err)
	w.Set("2026-12-05 10:00:00") // the promotion is over
	moved, err := w.Orders.Assign(t.Context(), out.Order.ID, b)
	require.NoError(t, err)
	require.Equal(t, b, moved.Order.MemberID)
	require.Zero(t, w.Points(a))
	require.EqualValues(t, 300, w.Points(b), "as the first claim earned")
	all, err := w.Orders.Get(t.Context(), out.Order.ID)
	require.NoError(t, err)
	require.Len(t, all.Events, 2)
	require.Len(t, all.Entries, 6)
	for _, e := range all.Entries[2:] {
		require.Equal(t, all.Events[1].ID, e.EventID, "both sides name it")
	}
	_, err = w.Orders.Assign(t.Context(), out.Order.ID, b)
	refused(t, errs.Conflict, err)
	push(w, refund("DY1", back(w, "R", 5000)))
	require.EqualValues(t, 150, w.Points(b))
	require.Zero(t, w.Points(a))
	_, err = w.Orders.Assign(t.Context(), out.Order.ID, a)
	require.NoError(t, err)
	require.EqualValues(t, 150, w.Points(a))
	w.Verified()
}

func TestMerge(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	perYuan(w)
	a, b := w.Joined("a"), w.Joined("b")
	push(w, order.Push{Platform: "jd", No: "B1", Status: model.OrderPaid, MemberID: b, PaidAt: ptr(w.Now()), AmountFen: ptr[int64](2000)})
	_, err := claim(w, b, "B2", "")
	require.NoError(t, err)
	_, err = w.Members.Merge(t.Context(), a, b, "test")
	require.NoError(t, err)
	require.Equal(t, a, push(w, paid(w, "B2", 1000, 0)).Order.MemberID)
	require.EqualValues(t, 50, w.Points(a))
	w.Verified()
	_, err = claim(w, a, "WAITS", "")
	require.NoError(t, err)
	require.NoError(t, w.Members.Erase(t.Context(), a))
	require.EqualValues(t, 2, w.Count(&model.Order{}, "member_id = ?", a))
	require.EqualValues(t, 1, w.Count(&model.OrderClaim{}, "member_id = ? AND no = ? AND order_id > 0", a, "B2"), "the number of an order that he got")
	require.EqualValues(t, 1, w.Count(&model.OrderClaim{}, "member_id = ? AND no = '' AND order_id = 0", a), "the other is what he typed")
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func ptr[T any](v T) *T { return &v }
