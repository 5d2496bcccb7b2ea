package order_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/order"
	"github.com/siyu-scrm/siyu/app/risk"
	"github.com/siyu-scrm/siyu/model"
)

// perYuan gives a point a yuan for orders of both ways, three for claims in the week of apptest.Start.
func perYuan(w *apptest.World) {
	for _, kind := range []string{model.EventOrderPaid, model.EventOrderClaimed} {
		w.Rule("yuan-"+kind, kind, `{"grants":[{"kind":"per_yuan","account":"points","amount":1}]}`)
	}
	w.Rule("week", model.EventOrderClaimed, `{"grants":[{"kind":"multiply","account":"points","factor":3}],"from":"2026-11-23T00:00:00+08:00","until":"2026-11-30T00:00:00+08:00"}`)
}

func paid(w *apptest.World, no string, fen int64, memberID int64) order.Push {
	at := w.Now()
	return order.Push{Platform: "douyin", No: no, Status: model.OrderPaid, MemberID: memberID, PaidAt: &at, AmountFen: &fen}
}

func refund(no string, refunds ...order.Refund) order.Push {
	return order.Push{Platform: "douyin", No: no, Status: model.OrderPartialRefund, Refunds: refunds}
}

func back(w *apptest.World, no string, fen int64) order.Refund {
	return order.Refund{No: no, AmountFen: fen, RefundedAt: w.Now()}
}

func push(w *apptest.World, p order.Push) *order.Pushed {
	w.T.Helper()
	out, err := w.Orders.Push(context.WithoutCancel(w.T.Context()), p)
	require.NoError(w.T, err)
	return out
}

func refused(t require.TestingT, code errs.Code, err error) map[string]any {
	var e *errs.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, code, e.Code, "%v", e)
	return e.Args
}

func TestPush(t *testing.T) {
	t.Parallel()

	t.Run("OfAMemberEarnsOnceHoweverOftenItComes", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		perYuan(w)
		m := w.Joined("a")
		first := push(w, paid(w, " ab－１ ", 3999, m))
		require.True(t, first.New && first.Applied)
		require.Len(t, first.Grants, 1)
		require.Equal(t, "AB-1", first.Order.No)
		for range 3 {
			again := push(w, paid(w, "AB-1", 3999, m))
			require.False(t, again.New || again.Applied)
			require.Empty(t, again.Grants)
		}
		require.EqualValues(t, 39, w.Points(m))
		other := paid(w, "AB-1", 100, m)
		other.Platform = "jd"
		require.True(t, push(w, other).New, "a number is another platform's too")
		require.EqualValues(t, 40, w.Points(m))
		require.EqualValues(t, 2, w.Count(&model.Event{}, "kind = ?", model.EventOrderPaid))
		w.Verified()
	})

	t.Run("AtOnceIsOneOrder", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		perYuan(w)
		m := w.Joined("a")
		p := paid(w, "X1", 5000, m)
		r := refund("X1", back(w, "R1", 1000))
		var wg sync.WaitGroup
		for i := range 16 {
			wg.Go(func() {
				in := p
				if i%2 == 1 {
					in = r
				}
				if _, err := w.Orders.Push(context.WithoutCancel(t.Context()), in); err != nil {
					t.Errorf("Push: %v", err)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 40, w.Points(m))
		require.EqualValues(t, 1, w.Count(&model.Order{}))
		require.EqualValues(t, 1, w.Count(&model.OrderRefund{}))
		w.Verified()
	})

	t.Run("OfNobodyWaits", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		perYuan(w)
		p := paid(w, "X1", 5000, 0)
		require.Zero(t, push(w, p).Order.MemberID)
		w.Advance(time.Hour)
		m := w.Joined("a")
		p.MemberID = m
		named := push(w, p)
		require.True(t, named.Applied)
		require.EqualValues(t, 0, w.Points(m), "it was paid before he registered")
		require.Equal(t, m, named.Order.MemberID)
	})

	t.Run("GoesByPhoneWhereThatIsSet", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		m := w.Joined("a")
		index, tail := w.Members.PhoneKeys("+86 138-0000-1234")
		require.NoError(t, w.DB.Tx(t.Context(), setPhone(m, index)))
		p := paid(w, "X1", 5000, 0)
		p.Phone = "13800001234"
		require.Zero(t, push(w, p).Order.MemberID)
		set, err := w.Orders.Settings(t.Context())
		require.NoError(t, err)
		set.MatchPhone = true
		_, err = w.Orders.SaveSettings(t.Context(), *set)
		require.NoError(t, err)
		out := push(w, p)
		require.Equal(t, m, out.Order.MemberID)
		require.Equal(t, tail, out.Order.PhoneTail)
		require.NoError(t, w.DB.Tx(t.Context(), setPhone(w.Joined("b"), index)))
		p.No = "X2"
		require.Zero(t, push(w, p).Order.MemberID, "two have the number")
	})

	t.Run("RefusesWhatNoOrderCanBe", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		for field, spoil := range map[string]func(*order.Push){
			"platform":              func(p *order.Push) { p.Platform = "ebay" },
			"order_no":              func(p *order.Push) { p.No = " 　" },
			"version":               func(p *order.Push) { p.Version = -1 },
			"status":                func(p *order.Push) { p.Status = "shipped" },
			"amount_fen":            func(p *order.Push) { n := int64(-1); p.AmountFen = &n },
			"shipping_fen":          func(p *order.Push) { p.ShippingFen = 1 << 60 },
			"paid_at":               func(p *order.Push) { at := w.Now().Add(5*time.Minute + time.Second); p.PaidAt = &at },
			"refunds[0].amount_fen": func(p *order.Push) { p.Refunds = []order.Refund{back(w, "R", 5001)} },
			"items[0].quantity":     func(p *order.Push) { p.Items = []order.Item{{Product: "x"}} },
			"items[0].product":      func(p *order.Push) { p.Items = []order.Item{{Quantity: 1}} },
			"phone":                 func(p *order.Push) { p.Phone = "12" },
			"phone_tail":            func(p *order.Push) { p.PhoneTail = "12a4" },
		} {
			p := paid(w, "X1", 5000, 0)
			spoil(&p)
			_, err := w.Orders.Push(t.Context(), p)
			require.Equal(t, field, refused(t, errs.Invalid, err)["field"], "%v", err)
		}
		require.Zero(t, w.Count(&model.Order{}), "a refusal changes nothing")
		edge := paid(w, "X1", 0, 0)
		at := w.Now().Add(5 * time.Minute)
		edge.PaidAt = &at
		push(w, edge)
	})
}

func TestRefund(t *testing.T) {
	t.Parallel()

	t.Run("TakesBackWhatTheRulesGaveTooMuch", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		perYuan(w)
		m := w.Joined("a")
		push(w, paid(w, "X1", 10099, m))
		out := push(w, refund("x1", back(w, "r1", 50)))
		require.Equal(t, model.OrderPartialRefund, out.Order.Status())
		require.EqualValues(t, 100, w.Points(m), "100.49 is 100 too")
		push(w, refund("X1", back(w, "R2", 50)))
		require.EqualValues(t, 99, w.Points(m))
		push(w, refund("X1", back(w, " Ｒ2", 50)))
		require.EqualValues(t, 99, w.Points(m), "the same refund")
		_, err := w.Orders.Push(t.Context(), refund("X1", back(w, "R2", 51)))
		refused(t, errs.Conflict, err)
		_, err = w.Orders.Push(t.Context(), refund("X1", back(w, "R3", 10000)))
		require.EqualValues(t, 9999, refused(t, errs.Invalid, err)["limit"])
		require.EqualValues(t, 99, w.Points(m))
		all := push(w, order.Push{Platform: "douyin", No: "X1", Status: model.OrderRefunded})
		require.Equal(t, model.OrderRefunded, all.Order.Status())
		require.Zero(t, w.Points(m))
		w.Verified()
	})

	t.Run("MoreThanWasPaidLeavesNothingAndIsARisk", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		perYuan(w)
		m := w.Joined("a")
		push(w, refund("X1", back(w, "R1", 6000)))
		out := push(w, paid(w, "X1", 5000, m))
		require.Zero(t, out.Order.Net())
		require.Zero(t, w.Points(m))
		rows, err := w.Risks.List(t.Context(), risk.Query{Kind: model.RiskOverRefund, Limit: 9})
		require.NoError(t, err)
		require.Len(t, rows, 1)
	})

	t.Run("AnOlderVersionChangesNothing", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		perYuan(w)
		m := w.Joined("a")
		v := func(version, fen int64) order.Push { p := paid(w, "X1", fen, m); p.Version = version; return p }
		push(w, v(3, 5000))
		require.False(t, push(w, v(2, 9000)).Applied)
		require.EqualValues(t, 50, w.Points(m))
		_, err := w.Orders.Push(t.Context(), v(3, 6000))
		refused(t, errs.Conflict, err)
		require.True(t, push(w, v(4, 7000)).Applied)
		require.EqualValues(t, 70, w.Points(m))
		require.True(t, push(w, v(5, 2000)).Applied)
		require.EqualValues(t, 20, w.Points(m))
		w.Verified()
	})

	t.Run("ReachesTheOrderOfWhoWasErased", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		perYuan(w)
		m := w.Joined("a")
		p := paid(w, "X1", 5000, m)
		p.Phone = "13800001234"
		push(w, p)
		require.NoError(t, w.Members.Erase(t.Context(), m))
		out := push(w, refund("X1", back(w, "R1", 1000)))
		require.EqualValues(t, 4000, out.Order.Net())
		require.Empty(t, out.Order.PhoneIndex+out.Order.PhoneTail)
		w.Verified()
	})
}

// Any sequence of the same pushes, with repeats, ends in the same order and the same balance.
func TestAnySequenceOfPushesEndsInTheSame(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	perYuan(w)
	m := w.Joined("a")
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		no := fmt.Sprint("P", n)
		amount := rapid.Int64Range(0, 100_000).Draw(t, "amount")
		pushes := []order.Push{paid(w, no, amount, m)}
		left := amount
		for i := range rapid.IntRange(0, 3).Draw(t, "refunds") {
			if left == 0 {
				break
			}
			fen := rapid.Int64Range(1, left).Draw(t, "fen")
			left -= fen
			pushes = append(pushes, refund(no, back(w, fmt.Sprint("R", i), fen)))
		}
		if rapid.Bool().Draw(t, "versions") { // of which the last lowers the amount by what nobody refunded
			for i := range pushes {
				pushes[i].Version = int64(i + 1)
			}
			p := paid(w, no, amount-left/2, m)
			p.Version = int64(len(pushes) + 1)
			pushes, left = append(pushes, p), left-left/2
		}
		if rapid.Bool().Draw(t, "cancelled") {
			pushes = append(pushes, order.Push{Platform: "douyin", No: no, Status: model.OrderCancelled, Version: pushes[len(pushes)-1].Version})
			left = 0
		}
		before := w.Points(m)
		for _, i := range rapid.SliceOfN(rapid.IntRange(0, len(pushes)-1), 0, 4).Draw(t, "repeated") {
			pushes = append(pushes, pushes[i])
		}
		for _, p := range rapid.Permutation(pushes).Draw(t, "sequence") {
			if _, err := w.Orders.Push(context.Background(), p); err != nil {
				t.Fatalf("Push: %v", err)
			}
		}
		if got := w.Points(m) - before; got != left/100 {
			t.Fatalf("%d points, want %d", got, left/100)
		}
	})
	w.Verified()
}
