package playbook_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/wechat/sandbox/phone"
)

// myCoupon is a coupon as its holder sees it.
type myCoupon struct {
	Name, Code, State string
	ExpiresAt         string `json:"expires_at"`
	OffFen            int64  `json:"off_fen"`
}

func (s *siyu) coupons(p *phone.Person) []myCoupon {
	s.t.Helper()
	var out struct{ Mine []myCoupon }
	require.NoError(s.t, p.API(s.ctx(), "GET", "/coupons", nil, &out))
	return out.Mine
}

// The newcomer pack of P14 and the till of P02: three coupons on registration, one of them used once, the others until the last second.
func TestP14NewcomerPack(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]struct {
		off   []int64 // fen
		days  int
		ends  string
		last  string
		after string
	}{
		"TheBrand":     {[]int64{2000, 3000, 10000}, 30, "2026-12-23T00:00:00+08:00", "2026-12-22 23:59:59", "2026-12-23 00:00:00"},
		"AnotherBrand": {[]int64{500, 700}, 7, "2026-11-30T00:00:00+08:00", "2026-11-29 23:59:59", "2026-11-30 00:00:00"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, "2026-11-23 09:00:00")
			var pack []obj
			var face int64
			for i, off := range p.off {
				face += off
				id := s.create("/coupons", obj{"code": fmt.Sprint("c", i), "name": fmt.Sprint("c", i), "kind": "cash_off", "threshold_fen": 10 * off, "off_fen": off, "valid_days": p.days, "per_member": 1})
				pack = append(pack, obj{"kind": "coupon", "coupon_id": id})
			}
			s.rule("pack", "member.registered", obj{"grants": pack})
			m := s.come()
			mine := s.coupons(m)
			require.Len(t, mine, len(p.off))
			for _, c := range mine {
				face -= c.OffFen
				require.Equal(t, p.ends, c.ExpiresAt)
			}
			require.Zero(t, face)

			verify := func(code string) error {
				return s.Call(s.ctx(), "POST", "/open/v1/coupons/verify", s.admin, obj{"code": code, "store": "s1"}, nil)
			}
			s.set(p.last)
			require.NoError(t, verify(mine[0].Code))
			require.Equal(t, "COUPON_USED", refusal(t, verify(mine[0].Code)).Code)
			s.set(p.after)
			require.Equal(t, "COUPON_EXPIRED", refusal(t, verify(mine[1].Code)).Code)
			_, err := m.Login(s.ctx())
			require.NoError(t, err)
			require.Equal(t, "expired", s.coupons(m)[1].State)
		})
	}
}

// pack is the practice of P14 #4, #5, #6, #8 and #9: the newcomer pack is used up over three purchases, and their points buy a gift. The best
// coupon for a basket is a question of prices.
type pack struct {
	off    []int64 // fen
	bills  []int64 // fen, paid with each coupon
	snack  int64   // its price
	part   int64   // fen, of the second bill
	taken  int64   // points that this takes
	days   int
	inTime string // a full refund of the last bill: its coupon comes back
	late   string // and here not any more
}

func TestP14PackIsUsed(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]pack{
		"ThreeSquirrels": {
			off: []int64{20_00, 30_00, 100_00}, bills: []int64{128_00, 148_00, 50_00}, snack: 300, part: 74_00, taken: 74, days: 30,
			inTime: "2026-12-10 12:00:00", late: "2026-12-24 12:00:00",
		},
		"AnotherBrand": {
			off: []int64{5_00, 7_00}, bills: []int64{33_33, 12_50}, snack: 45, part: 1, taken: 0, days: 7, inTime: "2026-11-29 23:59:59", late: "2026-11-30 00:00:00",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p.play(t)
		})
	}
}

func (p pack) play(t *testing.T) {
	s := open(t, "2026-11-23 09:00:00")
	var grants []obj
	for i, off := range p.off {
		id := s.create("/coupons", obj{"code": fmt.Sprint("c", i), "name": fmt.Sprint("c", i), "kind": "cash_off", "threshold_fen": off + 1, "off_fen": off, "valid_days": p.days, "per_member": 1})
		grants = append(grants, obj{"kind": "coupon", "coupon_id": id})
	}
	s.rule("pack", "member.registered", obj{"grants": grants})
	s.rule("orders", "order.paid", obj{"grants": []obj{{"kind": "per_yuan", "account": "points", "amount": 1}}})
	snack := s.create("/mall", obj{"code": "snack", "name": "零食", "kind": "goods", "price": p.snack})
	key := s.openKey()
	last := len(p.off) - 1
	buy := func(m *phone.Person) (total int64) {
		coupons := map[string]myCoupon{}
		for _, c := range s.coupons(m) {
			coupons[c.Name] = c
		}
		require.Len(t, coupons, len(p.off))
		for i, fen := range p.bills {
			code := coupons[fmt.Sprint("c", i)].Code
			if i > 0 { // 4
				two := refusal(t, s.use(code, m.ID+fmt.Sprint(i-1)))
				require.Equal(t, "COUPON_NOT_STACKABLE", two.Code)
				require.Equal(t, coupons[fmt.Sprint("c", i-1)].Code, two.Details["code"])
			}
			require.NoError(t, s.use(code, m.ID+fmt.Sprint(i)))
			s.pays(key, m, m.ID+fmt.Sprint(i), fen)
			total += fen / 100
		}
		for _, c := range s.coupons(m) {
			require.Equal(t, "used", c.State)
		}
		require.Equal(t, total, s.balance(m))
		return total
	}
	redeems, partly, back, late := s.come(), s.come(), s.come(), s.come()

	total := buy(redeems) // 5, 6
	require.NoError(t, redeems.API(t.Context(), "POST", "/mall/"+snack+"/redemptions", nil, nil))
	require.Equal(t, total-p.snack, s.balance(redeems))

	buy(partly) // 8
	s.refunds(key, partly.ID+"1", p.part)
	require.Equal(t, total-p.taken, s.balance(partly))
	for _, c := range s.coupons(partly) {
		require.Equal(t, "used", c.State, "a part returns no coupon")
	}

	for _, m := range []*phone.Person{back, late} { // 9
		buy(m)
	}
	returns := func(m *phone.Person) error {
		s.login(m)
		s.refunds(key, m.ID+fmt.Sprint(last), 0)
		require.Equal(t, total-p.bills[last]/100, s.balance(m))
		for _, c := range s.coupons(m) {
			if c.Name == fmt.Sprint("c", last) {
				return s.Call(s.ctx(), "POST", "/open/v1/coupons/return", s.admin, obj{"code": c.Code, "order_no": m.ID + fmt.Sprint(last)}, nil)
			}
		}
		return nil
	}
	state := func(m *phone.Person) (state, expires string) {
		for _, c := range s.coupons(m) {
			if c.Name == fmt.Sprint("c", last) {
				return c.State, c.ExpiresAt
			}
		}
		return "", ""
	}
	_, expires := state(back)
	s.set(p.inTime)
	require.NoError(t, returns(back))
	got, still := state(back)
	require.Equal(t, []string{"usable", expires}, []string{got, still}, "with its original expiry")
	s.set(p.late)
	require.Equal(t, "COUPON_EXPIRED", refusal(t, returns(late)).Code)
	got, _ = state(late)
	require.Equal(t, "used", got)
}

// A window at the end of each month (P12 #1 to #3, #5 and #6).
func TestP12Window(t *testing.T) {
	t.Parallel()
	s := open(t, "2026-12-20 09:59:59")
	set := s.create("/mall", obj{"code": "set-a", "name": "套装A", "kind": "goods", "price": 700, "stock": 1, "per_member": 1, "month_day": 20, "month_time": "10:00"})
	s.rule("meal", "behavior.meal", obj{"grants": []obj{{"kind": "per_unit", "account": "points", "amount": 1, "field": "yuan"}}})
	m, other := s.come(), s.come()
	redeem := func(p *phone.Person) error { return p.API(s.ctx(), "POST", "/mall/"+set+"/redemptions", nil, nil) }
	s.behave(s.admin, m, "meal", "1", "2026-12-20 09:59:59", obj{"yuan": 887})
	closed := refusal(t, redeem(m))
	require.Equal(t, "WINDOW_CLOSED", closed.Code)
	require.Equal(t, "2026-12-20T10:00:00+08:00", closed.Details["opens_at"])
	s.set("2026-12-20 10:00:00")
	require.NoError(t, redeem(m))
	require.EqualValues(t, 187, s.balance(m))
	require.Equal(t, "LIMIT_REACHED", refusal(t, redeem(m)).Code)
	s.behave(s.admin, other, "meal", "2", "2026-12-20 10:00:00", obj{"yuan": 700})
	require.Equal(t, "OUT_OF_STOCK", refusal(t, redeem(other)).Code)
	require.EqualValues(t, 700, s.balance(other))
	s.set("2027-01-01 00:00:00")
	s.login(other)
	require.Equal(t, "2027-01-20T10:00:00+08:00", refusal(t, redeem(other)).Details["opens_at"])
}
