package playbook_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// unlock is the practice of P09 in its gifts, its multiplier and what a tier lets one have; the list of benefits is to come.
type unlock struct {
	tiers           []star // in growth
	joining         int64  // points for registering
	rise            int64  // and for the second tier
	first           bill   // lifts to the second tier, at the points of the first
	factor          string
	second          bill
	earned, growth  int64 // by the second order; growth altogether
	tasting, goods  int   // the tiers that they ask for, by place
	tastes, redeems int64 // what is short
}

func TestP09Unlock(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]unlock{
		"AFoodBrand": {
			tiers: []star{{"V1", 0}, {"V2", 300}, {"V3", 1000}, {"V4", 3000}, {"V5", 8000}}, joining: 10, rise: 20, first: bill{300_00, "V2"}, factor: "2",
			second: bill{100_00, "V2"}, earned: 200, growth: 400, tasting: 2, goods: 3, tastes: 600, redeems: 2600,
		},
		"AnotherBrand": {
			tiers: []star{{"甲", 0}, {"乙", 7}, {"丙", 70}}, joining: 1, rise: 2, first: bill{7_99, "乙"}, factor: "1.5",
			second: bill{31_99, "乙"}, earned: 47, growth: 38, tasting: 2, goods: 2, tastes: 32, redeems: 32,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p.play(t)
		})
	}
}

func (p unlock) play(t *testing.T) {
	s := open(t, "2026-11-23 09:00:00")
	var tiers []obj
	for i, x := range p.tiers {
		tier := obj{"name": x.name, "threshold": x.fen}
		if gift := []int64{p.joining, p.rise}; i < len(gift) {
			tier["gifts"] = []obj{{"account": "points", "amount": gift[i]}}
		}
		tiers = append(tiers, tier)
	}
	ids := s.tiers(nil, tiers...)
	id := func(place int) string { return ids[p.tiers[place].name] }
	s.rule("orders", "order.paid", obj{"grants": []obj{{"kind": "per_yuan", "account": "points", "amount": 1}, {"kind": "per_yuan", "account": "growth", "amount": 1}}})
	s.rule("double", "order.paid", obj{
		"condition": obj{"leaf": "tier", "at_least": id(1)}, "grants": []obj{{"kind": "multiply", "account": "points", "factor": json.Number(p.factor)}},
	})
	body := func(place int) obj {
		return obj{"code": "tasting", "name": "新品试吃", "kind": "free_item", "valid_days": 7, "claimable": true, "terms": obj{"tier_id": id(place)}}
	}
	tasting := s.create("/coupons", body(p.tasting))
	goods := s.create("/mall", obj{"code": "gift", "name": "赠品", "kind": "goods", "price": 1, "terms": obj{"tier_id": id(p.goods)}})
	key, m := s.openKey(), s.come()
	require.Equal(t, p.tiers[0].name, s.standing(m).Tier.Name) // 1
	require.Equal(t, p.joining, s.balance(m))

	total := p.joining
	s.pays(key, m, "A1", p.first.fen) // 2: the order that lifts counts by the old tier
	total += p.first.fen/100 + p.rise
	require.Equal(t, total, s.balance(m))
	require.Equal(t, p.first.after, s.standing(m).Tier.Name)

	s.advance("1m")
	require.Equal(t, p.earned, points(s.pays(key, m, "A2", p.second.fen))) // 3
	total += p.earned
	require.Equal(t, total, s.balance(m))
	require.Equal(t, p.growth, s.standing(m).Value, "a multiplier of points does not touch it")

	apply := func() error { return m.API(t.Context(), "POST", "/coupons/claims", obj{"coupon_id": tasting}, nil) }
	refused := refusal(t, apply()) // 4
	require.Equal(t, "TIER_TOO_LOW", refused.Code)
	require.Equal(t, p.tiers[p.tasting].name, refused.Details["next_tier"])
	require.EqualValues(t, p.tastes, refused.Details["short_by"])
	refused = refusal(t, m.API(t.Context(), "POST", "/mall/"+goods+"/redemptions", nil, nil)) // 5
	require.Equal(t, "TIER_TOO_LOW", refused.Code)
	require.Equal(t, p.tiers[p.goods].name, refused.Details["next_tier"])
	require.EqualValues(t, p.redeems, refused.Details["short_by"])
	require.Equal(t, total, s.balance(m))

	s.do("PUT", "/coupons/"+tasting, body(1)) // 6
	require.NoError(t, apply())
}
