package playbook_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/wechat/sandbox/phone"
)

// three is points, growth and experience.
type three [3]int64

func (n three) of() map[string]int64 {
	return map[string]int64{"points": n[0], "growth": n[1], "experience": n[2]}
}

func (n three) and(m three) three { return three{n[0] + m[0], n[1] + m[1], n[2] + m[2]} }

// grants are those of a rule: an account of which nothing comes is left out.
func (n three) grants() (out []obj) {
	for i, account := range []string{"points", "growth", "experience"} {
		if n[i] > 0 {
			out = append(out, gives(account, n[i]))
		}
	}
	return out
}

// climb is the practice of P38 #1 to #3 and #5: three accounts, tiers by growth, a coupon from so much growth on, and how fast one rises.
type climb struct {
	checkin, quiz, yuan three
	days, right         int
	orders              []int64 // fen
	first               three   // before the last check-in
	tiers               []star
	reached             string // at the last check-in
	short               int64  // of the coupon before it
	monthly             []int64
	months              []int64 // in which each tier is reached: check-ins every day and orders of monthly yuan
	night               int64   // growth for a night, once that is what drives
	nights              int64
}

func TestP38Accounts(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]climb{
		"Numbers": {
			checkin: three{5, 1, 2}, quiz: three{10, 2, 5}, yuan: three{1, 1, 0}, days: 10, right: 3, orders: []int64{983_00}, first: three{1063, 999, 35},
			tiers: []star{{"黄金", 1000}, {"白金", 3000}}, reached: "黄金", short: 1, monthly: []int64{300_00}, months: []int64{4, 10}, night: 500, nights: 4,
		},
		"OtherNumbers": {
			checkin: three{2, 7, 1}, quiz: three{3, 5, 9}, yuan: three{2, 3, 1}, days: 4, right: 2, orders: []int64{10_99, 20_01}, first: three{8 + 6 + 61, 28 + 10 + 92, 4 + 18 + 30},
			tiers: []star{{"绿", 0}, {"蓝", 135}, {"紫", 1000}}, reached: "蓝", short: 7, monthly: []int64{50_00, 33_50}, months: []int64{0, 1, 3}, night: 30, nights: 29,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p.play(t)
		})
	}
}

func (p climb) play(t *testing.T) {
	s := open(t, "2026-11-23 12:00:00")
	s.rule("checkin", "checkin.done", obj{"grants": p.checkin.grants()})
	s.rule("quiz", "quiz.answered", obj{"condition": obj{"leaf": "event.field", "field": "correct", "op": "eq", "value": true}, "grants": p.quiz.grants()})
	spend := func(growth bool) (out []obj) {
		for _, g := range p.yuan.grants() {
			if g["kind"] = "per_yuan"; growth || g["account"] != "growth" {
				out = append(out, g)
			}
		}
		return out
	}
	orders := s.rule("orders", "order.paid", obj{"grants": spend(true)})
	var tiers []obj
	for _, x := range p.tiers {
		tiers = append(tiers, obj{"name": x.name, "threshold": x.fen})
	}
	s.tiers(nil, tiers...)
	need := p.first[1] + p.short
	coupon := s.create("/coupons", obj{
		"code": "x", "name": "券X", "kind": "cash_off", "off_fen": 1000, "valid_days": 30, "claimable": true,
		"terms": obj{"account": obj{"account": "growth", "basis": "lifetime", "at_least": need}},
	})
	claim := func(m *phone.Person) error {
		return m.API(t.Context(), "POST", "/coupons/claims", obj{"coupon_id": coupon}, nil)
	}
	key, m := s.openKey(), s.come()

	// 1
	for n := range max(p.days, p.right) {
		s.set(at("2026-11-23 12:00:00").AddDate(0, 0, n).Format(time.DateTime))
		s.login(m)
		if n < p.days {
			require.NoError(t, m.API(t.Context(), "POST", "/checkins", nil, nil))
		}
		if n < p.right {
			quiz := s.create("/quizzes", obj{
				"question": "?", "opens_at": s.now().Format(time.RFC3339), "closes_at": s.now().Add(time.Hour).Format(time.RFC3339),
				"options": []obj{{"text": "对的", "correct": true}, {"text": "错的"}},
			})
			require.NoError(t, m.API(t.Context(), "POST", "/quizzes/"+quiz+"/answers", obj{"answer": "A"}, nil))
		}
	}
	for i, fen := range p.orders {
		s.pays(key, m, fmt.Sprint("A", i), fen)
	}
	require.Equal(t, p.first.of(), s.accounts(m))
	require.NotEqual(t, p.reached, s.standing(m).Tier.Name)
	refused := refusal(t, claim(m))
	require.Equal(t, "THRESHOLD_NOT_MET", refused.Code)
	require.EqualValues(t, p.short, refused.Details["short_by"])

	// 2
	s.advance("24h")
	require.NoError(t, m.API(t.Context(), "POST", "/checkins", nil, nil))
	now := p.first.and(p.checkin)
	require.Equal(t, now.of(), s.accounts(m))
	require.Equal(t, p.reached, s.standing(m).Tier.Name, "at once")
	require.NoError(t, claim(m))
	require.Len(t, s.coupons(m), 1)

	// 3
	acts := []obj{{"event": "checkin.done", "times": 30}}
	perMonth := 30 * p.checkin[1]
	for _, fen := range p.monthly {
		acts = append(acts, obj{"event": "order.paid", "times": 1, "data": obj{"amount_fen": fen}})
		perMonth += fen * p.yuan[1] / 100
	}
	var pace struct {
		PerMonth int64 `json:"per_month"`
		Tiers    []struct {
			Name  string
			Month *int64
		}
	}
	require.NoError(t, s.Call(t.Context(), "POST", "/admin/v1/tiers/simulate", s.admin, obj{"acts": acts}, &pace))
	require.Equal(t, perMonth, pace.PerMonth)
	require.Len(t, pace.Tiers, len(p.months))
	for i, month := range p.months {
		require.Equal(t, month, *pace.Tiers[i].Month, pace.Tiers[i].Name)
	}

	// 5: nights drive the growth from now on, by settings alone.
	s.do("PUT", "/rules/"+orders, obj{"name": "orders", "trigger": "order.paid", "definition": obj{"grants": spend(false)}})
	s.rule("nights", "behavior.stay", obj{"grants": []obj{{"kind": "per_unit", "account": "growth", "amount": p.night, "field": "nights"}}})
	s.advance("1m")
	s.pays(key, m, "B", 100_00)
	now = now.and(three{p.yuan[0] * 100, 0, p.yuan[2] * 100})
	require.Equal(t, now.of(), s.accounts(m), "money no longer does")
	stay := obj{"member": s.who(m), "action": "stay", "key": "stay-1", "data": obj{"nights": p.nights}}
	for range 2 {
		require.NoError(t, s.Call(t.Context(), "POST", "/open/v1/behaviors", key, stay, nil))
		require.Equal(t, now.and(three{0, p.night * p.nights, 0}).of(), s.accounts(m))
	}
	require.Equal(t, p.tiers[len(p.tiers)-1].name, s.standing(m).Tier.Name)
}
