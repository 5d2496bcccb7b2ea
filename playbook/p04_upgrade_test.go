package playbook_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/wechat/sandbox/phone"
)

// upgrade is the practice of P04 but for its quotes: tiers by growth, each with a coupon for who reaches it, once in a lifetime.
type upgrade struct {
	tiers         []star   // in growth
	gifts         []string // of the tiers, the kind of coupon; empty = none
	bills         []bill   // up to the last tier
	growth        int64    // after them and what the free thing cost: nothing
	after         string   // where the refund of the last bill leaves him
	again         int64    // fen, that lifts him again
	direct        int64    // fen of somebody else's only order
	directly      string
	directCoupons int
}

func TestP04Upgrade(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]upgrade{
		"HeyTea": {
			tiers: []star{{"VIP.1", 0}, {"VIP.2", 100}, {"VIP.3", 300}, {"VIP.4", 800}}, gifts: []string{"", "", "second_half_price", "free_item"},
			bills:  []bill{{280_00, "VIP.2"}, {25_00, "VIP.3"}, {26_50, "VIP.3"}, {470_00, "VIP.4"}},
			growth: 801, after: "VIP.3", again: 500_00, direct: 900_00, directly: "VIP.4", directCoupons: 2,
		},
		"AnotherBrand": {
			tiers: []star{{"茶", 0}, {"花", 9}, {"果", 20}}, gifts: []string{"", "second_half_price", "free_item"},
			bills:  []bill{{8_99, "茶"}, {1_00, "花"}, {11_50, "果"}}, // 8 + 1 + 11 = 20
			growth: 20, after: "花", again: 12_00, direct: 20_00, directly: "果", directCoupons: 2,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, used := range []bool{true, false} {
				t.Run(fmt.Sprint("GiftUsed=", used), func(t *testing.T) {
					t.Parallel()
					p.play(t, used)
				})
			}
		})
	}
}

func (p upgrade) play(t *testing.T, used bool) {
	s := open(t, "2026-11-23 09:00:00")
	s.rule("orders", "order.paid", obj{"grants": []obj{{"kind": "per_yuan", "account": "points", "amount": 1}, {"kind": "per_yuan", "account": "growth", "amount": 1}}})
	var tiers []obj
	for i, x := range p.tiers {
		tier := obj{"name": x.name, "threshold": x.fen}
		if kind := p.gifts[i]; kind != "" {
			tier["gifts"] = []obj{{"coupon_id": s.create("/coupons", obj{"code": kind, "name": kind, "kind": kind, "valid_days": 30})}}
		}
		tiers = append(tiers, tier)
	}
	s.tiers(nil, tiers...)
	key, m := s.openKey(), s.come()
	gifts := func(m *phone.Person) (names []string) {
		for _, c := range s.coupons(m) {
			if c.State != "revoked" {
				names = append(names, c.Name)
			}
		}
		return names
	}
	top := p.gifts[len(p.gifts)-1]

	// 1, 2, 4, 5
	var want []string
	reached, growth := 0, int64(0)
	for i, b := range p.bills {
		s.advance("1m")
		s.pays(key, m, fmt.Sprint("A", i), b.fen)
		growth += b.fen / 100
		require.Equal(t, b.after, s.standing(m).Tier.Name, "at once")
		for ; reached+1 < len(p.tiers) && p.tiers[reached].name != b.after; reached++ {
			if kind := p.gifts[reached+1]; kind != "" {
				want = append(want, kind)
			}
		}
		require.ElementsMatch(t, want, gifts(m))
	}
	require.Equal(t, p.growth, growth)

	// 6: what costs nothing earns nothing.
	lines := len(s.ledger(m))
	if used {
		for _, c := range s.coupons(m) {
			if c.Name == top {
				require.NoError(t, s.use(c.Code, "FREE"))
			}
		}
		require.Empty(t, s.pays(key, m, "FREE", 0))
		require.Len(t, s.ledger(m), lines)
	}

	// 7
	last := p.bills[len(p.bills)-1]
	s.advance("1h")
	s.refunds(key, fmt.Sprint("A", len(p.bills)-1), 0)
	require.Equal(t, p.after, s.standing(m).Tier.Name)
	require.Equal(t, p.growth-last.fen/100, s.standing(m).Value)
	risks := s.do("GET", "/risks?kind=benefit.used", nil)["items"].([]any)
	if used {
		require.Len(t, risks, 1)
		require.Contains(t, gifts(m), top)
	} else {
		require.Empty(t, risks)
		require.NotContains(t, gifts(m), top, "unused it is revoked")
	}

	// 8: once in a lifetime, and again only where the first was revoked.
	s.advance("1m")
	s.pays(key, m, "B", p.again)
	require.Equal(t, p.tiers[len(p.tiers)-1].name, s.standing(m).Tier.Name)
	require.Equal(t, 1, count(gifts(m), top))
	usable := 0
	for _, c := range s.coupons(m) {
		if c.Name == top && c.State == "usable" {
			usable++
		}
	}
	require.Equal(t, !used, usable == 1)

	// 9
	fresh := s.come()
	s.pays(key, fresh, "C", p.direct)
	require.Equal(t, p.directly, s.standing(fresh).Tier.Name)
	require.Len(t, gifts(fresh), p.directCoupons)
}
