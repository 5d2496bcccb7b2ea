package playbook_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/wechat/sandbox/phone"
)

// plus is the practice of P18 #1 to #3 and #7: growth for what a member says of himself, once each; a yuan is a point and a unit of growth;
// who holds PLUS gets the points several times over, not the growth. Membership of the plan is a tag here.
type plus struct {
	nickname, phone, birthday, gender, address int64
	order                                      int64 // fen
	times                                      int64
	points, growth                             int64 // for the order without PLUS
	bonus                                      int64
	part, back                                 int64 // fen of a partial refund with PLUS, and what it takes
}

func TestP18Plus(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]plus{
		"JD":           {20, 50, 30, 20, 30, 200_00, 5, 200, 200, 800, 50_10, 251},
		"AnotherBrand": {1, 2, 3, 4, 5, 99_99, 3, 99, 99, 200, 33_33, 100},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p.play(t)
		})
	}
}

func (p plus) play(t *testing.T) {
	s := open(t, "2026-11-23 09:00:00")
	for kind, n := range map[string]int64{"profile.nickname": p.nickname, "profile.phone": p.phone, "profile.birthday": p.birthday, "profile.gender": p.gender, "profile.address": p.address} {
		s.rule(kind, kind, obj{"grants": []obj{gives("growth", n)}})
	}
	s.rule("orders", "order.paid", obj{"grants": []obj{{"kind": "per_yuan", "account": "points", "amount": 1}, {"kind": "per_yuan", "account": "growth", "amount": 1}}})
	tag := s.tag("价值", "PLUS")
	s.rule("plus", "order.paid", obj{"condition": holds(tag), "grants": []obj{{"kind": "multiply", "account": "points", "factor": p.times}}})
	key, m := s.openKey(), s.come()
	fill := func(in obj) { require.NoError(t, m.API(t.Context(), "PUT", "/profile", in, nil)) }

	// 1
	fill(obj{"nickname": "小林", "gender": "female"})
	fill(obj{"birthday": "1998-11-30", "address": "北京市大兴区科创十一街18号"})
	var code struct{ Code string }
	s.control("POST", "/users/"+m.ID+"/phone", obj{"account": "mp", "number": "13800000001"}, &code)
	require.NoError(t, m.API(t.Context(), "POST", "/phone", obj{"code": code.Code}, nil))
	growth := p.nickname + p.phone + p.birthday + p.gender + p.address
	require.Equal(t, growth, s.accounts(m)["growth"])
	for _, in := range []obj{{"nickname": "", "gender": "", "address": ""}, {"nickname": "小木", "gender": "male", "address": "北京市通州区"}} {
		s.advance("1h")
		fill(in)
	}
	require.Equal(t, growth, s.accounts(m)["growth"], "emptying a field and filling it again adds nothing")

	// 2
	require.Equal(t, p.points, points(s.pays(key, m, "A1", p.order)))
	growth += p.growth
	require.Equal(t, growth, s.accounts(m)["growth"])

	// 3
	s.do("PUT", "/members/"+s.facts(m).ID+"/tags/"+tag, obj{"reason": "开通 PLUS"})
	s.advance("1m")
	require.Equal(t, p.points+p.bonus, points(s.pays(key, m, "A2", p.order)))
	lines := s.ledger(m)
	base, bonus := lines[len(lines)-2], lines[len(lines)-1]
	require.Equal(t, [2]int64{p.points, p.bonus}, [2]int64{base.Delta, bonus.Delta})
	require.Equal(t, [2]bool{false, true}, [2]bool{base.Bonus, bonus.Bonus})
	growth += p.growth
	require.Equal(t, growth, s.accounts(m)["growth"], "a multiplier of points does not touch it")

	// 7: by the multiplier of the order, though he gave PLUS up.
	s.do("DELETE", "/members/"+s.facts(m).ID+"/tags/"+tag, nil)
	s.advance("1m")
	p.refunded(s, m, key)
	require.Equal(t, map[string]int64{"points": p.points, "growth": growth - p.growth}, some(s.accounts(m), "points", "growth"))
}

// refunded takes the order back in two parts, which together take exactly what it gave.
func (p plus) refunded(s *siyu, m *phone.Person, key string) {
	s.t.Helper()
	require.Equal(s.t, -p.back, points(s.refunds(key, "A2", p.part)))
	require.Equal(s.t, p.points+p.points+p.bonus-p.back, s.balance(m))
	require.Equal(s.t, -(p.points + p.bonus - p.back), points(s.refunds(key, "A2", 0)))
}

// some of the accounts.
func some(all map[string]int64, names ...string) map[string]int64 {
	out := map[string]int64{}
	for _, n := range names {
		out[n] = all[n]
	}
	return out
}
