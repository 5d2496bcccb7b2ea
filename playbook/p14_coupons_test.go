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

// P06 and P12: a ladder by lifetime points that gives a coupon, and a window at the end of each month.
func TestP06P12Mall(t *testing.T) {
	t.Parallel()
	s := open(t, "2026-12-20 09:59:59")
	off := s.create("/coupons", obj{"code": "95", "name": "9.5折", "kind": "discount", "percent_off": 5, "valid_days": 30})
	ladder := s.create("/mall", obj{
		"code": "95", "name": "9.5折券", "kind": "coupon", "coupon_id": off, "price": 200,
		"terms": obj{"account": obj{"account": "points", "basis": "lifetime", "at_least": 1000}},
	})
	set := s.create("/mall", obj{"code": "set-a", "name": "套装A", "kind": "goods", "price": 700, "stock": 1, "per_member": 1, "month_day": 20, "month_time": "10:00"})
	s.rule("meal", "behavior.meal", obj{"grants": []obj{{"kind": "per_unit", "account": "points", "amount": 1, "field": "yuan"}}})
	m, other := s.come(), s.come()
	meal := func(p *phone.Person, key string, yuan int) {
		var me struct{ Member struct{ No string } }
		require.NoError(t, p.API(s.ctx(), "GET", "/home", nil, &me))
		require.NoError(t, s.Call(s.ctx(), "POST", "/open/v1/behaviors", s.admin, obj{"member": obj{"no": me.Member.No}, "action": "meal", "key": key, "data": obj{"yuan": yuan}}, nil))
	}
	redeem := func(p *phone.Person, id string) error {
		return p.API(s.ctx(), "POST", "/mall/"+id+"/redemptions", nil, nil)
	}
	meal(m, "1", 486)
	meal(m, "2", 513)
	short := refusal(t, redeem(m, ladder))
	require.Equal(t, "THRESHOLD_NOT_MET", short.Code)
	require.EqualValues(t, 1, short.Details["short_by"])
	meal(m, "3", 88)
	require.NoError(t, redeem(m, ladder))
	require.EqualValues(t, 887, s.balance(m))
	require.Len(t, s.coupons(m), 1)

	closed := refusal(t, redeem(m, set))
	require.Equal(t, "WINDOW_CLOSED", closed.Code)
	require.Equal(t, "2026-12-20T10:00:00+08:00", closed.Details["opens_at"])
	s.set("2026-12-20 10:00:00")
	require.NoError(t, redeem(m, set))
	require.EqualValues(t, 187, s.balance(m))
	require.Equal(t, "LIMIT_REACHED", refusal(t, redeem(m, set)).Code)
	meal(other, "4", 700)
	require.Equal(t, "OUT_OF_STOCK", refusal(t, redeem(other, set)).Code)
	require.EqualValues(t, 700, s.balance(other))
	s.set("2027-01-01 00:00:00")
	_, err := other.Login(s.ctx())
	require.NoError(t, err)
	require.Equal(t, "2027-01-20T10:00:00+08:00", refusal(t, redeem(other, set)).Details["opens_at"])
}
