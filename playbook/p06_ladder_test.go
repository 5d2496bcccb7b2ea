package playbook_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/wechat/sandbox/phone"
)

// rung is one of a ladder: from so many points ever earned on, a discount can be bought for some.
type rung struct {
	percentOff, atLeast, price int64
}

// ladder is the practice of P06, with the last column of its table worked out.
type ladder struct {
	rungs    []rung
	meals    []int64 // fen, before the first exchange is refused
	short    int64
	meal     int64 // fen, that reaches the first rung
	earned   int64 // ever, then
	with     int64 // fen of the meal that the coupon is used for, as it is paid
	balance  int64
	lifetime int64
	next     int64 // short of the second rung
}

func TestP06Ladder(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]ladder{
		"HaiDiLao": {
			rungs: []rung{{5, 1000, 200}, {10, 3000, 500}, {12, 6000, 800}}, meals: []int64{486_00, 513_50}, short: 1, meal: 88_00, earned: 1087,
			with: 285_00, balance: 1172, lifetime: 1372, next: 1628,
		},
		"AnotherBrand": {
			rungs: []rung{{3, 50, 49}, {7, 51, 20}}, meals: []int64{9_99, 19_99, 19_99}, short: 3, meal: 3_00, earned: 50, with: 99, balance: 1, lifetime: 50, next: 1,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p.play(t)
		})
	}
}

func (p ladder) play(t *testing.T) {
	s := open(t, "2026-11-23 12:00:00")
	s.rule("meals", "order.paid", obj{"grants": []obj{{"kind": "per_yuan", "account": "points", "amount": 1}}})
	var items []string
	for i, r := range p.rungs {
		coupon := s.create("/coupons", obj{"code": fmt.Sprint("r", i), "name": fmt.Sprint("折扣", i), "kind": "discount", "percent_off": r.percentOff, "valid_days": 30})
		items = append(items, s.create("/mall", obj{
			"code": fmt.Sprint("r", i), "name": fmt.Sprint("折扣券", i), "kind": "coupon", "coupon_id": coupon, "price": r.price,
			"terms": obj{"account": obj{"account": "points", "basis": "lifetime", "at_least": r.atLeast}},
		}))
	}
	key, m := s.openKey(), s.come()
	short := func(i int, by int64) {
		t.Helper()
		before := s.balance(m)
		refused := refusal(t, m.API(t.Context(), "POST", "/mall/"+items[i]+"/redemptions", nil, nil))
		require.Equal(t, "THRESHOLD_NOT_MET", refused.Code)
		require.EqualValues(t, by, refused.Details["short_by"])
		require.Equal(t, before, s.balance(m))
	}
	for i, fen := range p.meals {
		s.pays(key, m, fmt.Sprint("A", i), fen)
	}
	short(0, p.short)
	s.pays(key, m, "B", p.meal)
	require.Equal(t, p.earned, s.balance(m))
	require.NoError(t, m.API(t.Context(), "POST", "/mall/"+items[0]+"/redemptions", nil, nil))
	require.Equal(t, p.earned-p.rungs[0].price, s.balance(m))
	require.Equal(t, p.earned, s.lifetime(m), "what is spent was earned")

	held := s.coupons(m)
	require.Len(t, held, 1)
	require.NoError(t, s.use(held[0].Code, "C"))
	s.pays(key, m, "C", p.with)
	require.Equal(t, p.balance, s.balance(m))
	require.Equal(t, p.lifetime, s.lifetime(m))
	short(1, p.next)
}

// lifetime is what a person ever earned in points.
func (s *siyu) lifetime(p *phone.Person) int64 {
	s.t.Helper()
	var out struct {
		Accounts []struct {
			Account  string
			Lifetime int64
		}
	}
	require.NoError(s.t, p.API(s.ctx(), "GET", "/home", nil, &out))
	for _, a := range out.Accounts {
		if a.Account == "points" {
			return a.Lifetime
		}
	}
	return 0
}

// use verifies a coupon at the till, with an order.
func (s *siyu) use(code, orderNo string) error {
	return s.Call(s.ctx(), "POST", "/open/v1/coupons/verify", s.admin, obj{"code": code, "order_no": orderNo}, nil)
}
