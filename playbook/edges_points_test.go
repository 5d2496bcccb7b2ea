package playbook_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/wechat/sandbox/phone"
)

// The edges of PLAYBOOKS §3 that touch points.

// perYuan is a rule that gives points for what was paid.
func (s *siyu) perYuan(amount int64) string {
	s.t.Helper()
	return s.rule("orders", "order.paid", obj{"grants": []obj{{"kind": "per_yuan", "account": "points", "amount": amount}}})
}

// keep changes the account of points.
func (s *siyu) keep(in obj) {
	s.t.Helper()
	in["spendable"], in["expiry"] = true, obj{"kind": "never"}
	s.do("PUT", "/accounts/points", in)
}

// A refund that comes after the points were spent: by setting a debt, which later earnings repay first, or nothing below zero and an entry in
// the list of risks. Several partial refunds take exactly what one full refund would.
func TestEdgeRefundAfterSpending(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		shortage     string
		fen          int64
		earned       int64
		price        int64
		parts        []int64 // fen
		later, again int64   // yuan that he pays afterwards
	}{
		{"debt", 268_50, 268, 250, []int64{1, 68_49, 99_99, 100_01}, 200, 60},
		{"clamp", 99_99, 99, 99, []int64{33_33, 66_66}, 7, 100},
		{"debt", 10_00, 10, 1, []int64{10_00}, 1, 1},
	} {
		t.Run(fmt.Sprint(c.shortage, c.fen), func(t *testing.T) {
			t.Parallel()
			s := open(t, "2026-11-23 09:00:00")
			s.keep(obj{"shortage": c.shortage})
			s.perYuan(1)
			gift := s.create("/mall", obj{"code": "gift", "name": "礼品", "kind": "goods", "price": c.price})
			redeem := func(m *phone.Person) error { return m.API(s.ctx(), "POST", "/mall/"+gift+"/redemptions", nil, nil) }
			key, m := s.openKey(), s.come()
			require.Equal(t, c.earned, points(s.pays(key, m, "A", c.fen)))
			require.NoError(t, redeem(m))
			for _, fen := range c.parts {
				s.advance("1m")
				s.refunds(key, "A", fen)
			}
			risks := s.do("GET", "/risks?kind=points.shortfall", nil)["items"].([]any)
			want := -c.price
			if c.shortage == "clamp" {
				want = 0
				require.NotEmpty(t, risks)
				var short int64
				for _, r := range risks {
					short += int64(r.(obj)["data"].(obj)["shortfall"].(float64))
				}
				require.Equal(t, c.price, short)
			} else {
				require.Empty(t, risks)
				require.Equal(t, "POINTS_DEBT", refusal(t, redeem(m)).Code)
			}
			require.Equal(t, want, s.balance(m))
			for i, yuan := range []int64{c.later, c.again} {
				s.pays(key, m, fmt.Sprint("B", i), yuan*100)
				want += yuan
				require.Equal(t, want, s.balance(m), "later earnings repay it first")
			}
		})
	}
}

// What is pending is cancelled by a refund, never debited.
func TestEdgeRefundOfWhatIsPending(t *testing.T) {
	t.Parallel()
	s := open(t, "2026-11-23 09:00:00")
	s.rule("orders", "order.paid", obj{"grants": []obj{{"kind": "per_yuan", "account": "points", "amount": 2, "activate_after_days": 7}}})
	key, m := s.openKey(), s.come()
	s.pays(key, m, "A", 50_00)
	s.pays(key, m, "B", 30_00)
	pending := func() (available, waits int64) {
		var out struct {
			Balance  int64
			Accounts []struct {
				Account string
				Pending int64
			}
		}
		require.NoError(t, m.API(s.ctx(), "GET", "/points", nil, &out))
		for _, a := range out.Accounts {
			if a.Account == "points" {
				waits = a.Pending
			}
		}
		return out.Balance, waits
	}
	same := func(available, waits int64) {
		t.Helper()
		a, w := pending()
		require.Equal(t, [2]int64{available, waits}, [2]int64{a, w})
	}
	same(0, 160)
	s.set("2026-11-30 08:59:59")
	s.refunds(key, "A", 0)
	same(0, 60)
	s.set("2026-11-30 09:00:00")
	s.login(m)
	same(60, 0)
	s.refunds(key, "B", 10_00)
	same(40, 0)
}

// A refund takes back by the version of the rule that gave, however often it has changed since.
func TestEdgeRuleChangeBeforeARefund(t *testing.T) {
	t.Parallel()
	s := open(t, "2026-11-23 09:00:00")
	id := s.perYuan(3)
	key, m := s.openKey(), s.come()
	require.EqualValues(t, 805, points(s.pays(key, m, "A", 268_50)))
	s.advance("1h")
	s.do("PUT", "/rules/"+id, obj{"name": "orders", "trigger": "order.paid", "definition": obj{"grants": []obj{{"kind": "per_yuan", "account": "points", "amount": 1}}}})
	s.advance("1h")
	require.EqualValues(t, -205, points(s.refunds(key, "A", 68_50)))
	require.EqualValues(t, 10, points(s.pays(key, m, "B", 10_00)))
	late := s.order(key, obj{
		"platform": "own_mall", "order_no": "C", "status": "paid", "member": s.who(m), "amount_fen": 10_00, "paid_at": "2026-11-23T09:30:00+08:00",
	})
	require.EqualValues(t, 30, points(late.Grants), "what comes late counts by the rule of its time")
	s.do("PUT", "/rules/"+id, obj{"name": "orders", "enabled": false, "trigger": "order.paid", "definition": obj{"grants": []obj{{"kind": "per_yuan", "account": "points", "amount": 1}}}})
	require.EqualValues(t, -600, points(s.refunds(key, "A", 0)))
}

// Several multipliers on one order combine by the setting of its time, within a bound; a try says what then comes, and why the other was not
// taken (DESIGN P8).
func TestEdgeMultipliers(t *testing.T) {
	t.Parallel()
	s := open(t, "2026-11-23 09:00:00")
	s.perYuan(1)
	for code, factor := range map[string]string{"double": "2", "more": "3.5"} {
		s.rule(code, "order.paid", obj{"grants": []obj{{"kind": "multiply", "account": "points", "factor": json.Number(factor)}}})
	}
	key, m := s.openKey(), s.come()
	id := s.facts(m).ID
	const fen = 9_99
	for i, c := range []struct {
		combine, most string
		want          int64
		not           map[string]string
	}{
		{"max", "", 34, map[string]string{"double": "lower"}}, // 9.99 × 3.5 = 34.965
		{"add", "", 44, map[string]string{}},                  // × 4.5 = 44.955
		{"multiply", "", 69, map[string]string{}},             // × 7 = 69.93
		{"multiply", "6.5", 64, map[string]string{}},          // 64.935
	} {
		setting := obj{"combine": c.combine}
		if c.most != "" {
			setting["max_factor"] = json.Number(c.most)
		}
		s.do("PUT", "/rules/setting", setting)
		s.advance("1m")
		before := len(s.ledger(m))
		var tried struct {
			Rules []struct {
				Lines []struct {
					Base, Bonus int64
					Multipliers []struct{ Rule, Not string }
				}
			}
		}
		require.NoError(t, s.Call(s.ctx(), "POST", "/admin/v1/rules/try", s.admin, obj{"member_id": id, "amount_fen": fen}, &tried))
		require.Len(t, s.ledger(m), before, "a try writes nothing")
		var sum int64
		not := map[string]string{}
		for _, r := range tried.Rules {
			for _, l := range r.Lines {
				sum += l.Base + l.Bonus
				for _, x := range l.Multipliers {
					if x.Not != "" {
						not[x.Rule] = x.Not
					}
				}
			}
		}
		require.Equal(t, c.want, sum, c.combine)
		require.Equal(t, c.not, not)
		require.Equal(t, c.want, points(s.pays(key, m, fmt.Sprint("A", i), fen)), c.combine)
	}
}

// A cap says on the line what it cut, and is counted on the day of the act.
func TestEdgeDailyCap(t *testing.T) {
	t.Parallel()
	s := open(t, "2026-11-23 12:00:00")
	s.create("/cap-sets", obj{"code": "daily", "name": "互动合计", "period": "day", "account": "points", "amount": 12})
	for _, action := range []string{"like", "comment"} {
		s.rule(action, "behavior."+action, obj{"grants": []obj{gives("points", 5)}, "cap_sets": []string{"daily"}})
	}
	key, m := s.openKey(), s.come()
	for i, c := range []struct {
		action, when string
		want         int64
		note         string
	}{
		{"like", "2026-11-23 12:00:00", 5, ""},
		{"comment", "2026-11-23 12:00:00", 5, ""},
		{"like", "2026-11-23 12:00:00", 2, "DAILY_CAP"},
		{"comment", "2026-11-23 12:00:00", 0, "DAILY_CAP"},
	} {
		got := s.behave(key, m, c.action, fmt.Sprint(i), c.when, nil).Grants
		require.Len(t, got, 1)
		require.Equal(t, c.want, got[0].Amount)
		require.Equal(t, c.note, got[0].Note)
	}
	s.set("2026-11-24 00:00:10")
	require.EqualValues(t, 0, points(s.behave(key, m, "like", "late", "2026-11-23 23:59:59", nil).Grants), "yesterday's")
	require.EqualValues(t, 5, points(s.behave(key, m, "like", "new", "2026-11-24 00:00:00", nil).Grants))
	lines := s.ledger(m)
	require.Equal(t, "DAILY_CAP", lines[2].Note)
}

// A missed day is bought back within reach, so many times a month, and mends the streak.
func TestEdgeMakeUp(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ price, limit, reach, checkin, more int64 }{{10, 1, 2, 5, 20}, {0, 2, 3, 50, 3}} {
		t.Run(fmt.Sprint("Price", c.price), func(t *testing.T) {
			t.Parallel()
			s := open(t, "2026-11-20 09:00:00")
			s.checkinRule(c.checkin, 4, c.more)
			m := s.come()
			id := s.facts(m).ID
			check := func() { require.NoError(t, m.API(s.ctx(), "POST", "/checkins", nil, nil)) }
			makeUp := func(day string) error { return m.API(s.ctx(), "POST", "/checkins/makeup", obj{"day": day}, nil) }
			check() // the 20th; then nothing for days
			s.set("2026-11-22 09:00:00")
			check()
			s.set("2026-11-23 09:00:00")
			check()
			require.Equal(t, 2, s.facts(m).Checkin.Streak)
			require.Equal(t, "MAKEUP_LIMIT", refusal(t, makeUp("2026-11-21")).Code, "it is off")
			s.do("PUT", "/checkins/settings", obj{"makeup_limit": c.limit, "makeup_reach": c.reach, "makeup_price": c.price})
			before := s.balance(m)
			require.Equal(t, 3*c.checkin, before)
			require.NoError(t, makeUp("2026-11-21"))
			require.Equal(t, 4, s.facts(m).Checkin.Streak)
			require.Equal(t, before-c.price+c.more, s.balance(m), "the day itself earns nothing, the mended streak what it reaches")
			require.Equal(t, "ALREADY_CHECKED_IN", refusal(t, makeUp("2026-11-21")).Code)
			require.Equal(t, "WINDOW_CLOSED", refusal(t, makeUp("2026-11-19")).Code, "he was no member")

			// Too far back, and then too many.
			last := at("2026-11-23 09:00:00").AddDate(0, 0, int(c.reach)+2)
			s.set(last.Format(time.DateTime))
			s.login(m)
			far := refusal(t, makeUp("2026-11-24"))
			require.Equal(t, "WINDOW_CLOSED", far.Code)
			require.Equal(t, "2026-11-25", far.Details["from"])
			balance := s.balance(m)
			for n := int64(1); n < c.limit; n++ {
				require.NoError(t, makeUp("2026-11-25"))
			}
			over := refusal(t, makeUp(last.AddDate(0, 0, -1).Format(time.DateOnly)))
			require.Equal(t, "MAKEUP_LIMIT", over.Code)
			require.Equal(t, "2026-12-01T00:00:00+08:00", over.Details["opens_at"])
			require.Equal(t, balance-(c.limit-1)*c.price, s.balance(m))
			s.set("2026-12-01 00:00:00")
			s.login(m)
			require.NoError(t, makeUp("2026-11-30"))
			require.Equal(t, id, s.facts(m).ID)
		})
	}
}

// A large grant by hand waits for a second operator; a grant can be undone once, by the opposite line.
func TestEdgeGrantsByHand(t *testing.T) {
	t.Parallel()
	s := open(t, "2026-11-23 09:00:00")
	s.keep(obj{"manual_limit": 1000})
	m := s.come()
	id := s.facts(m).ID
	second, _ := s.do("POST", "/api-keys", obj{"name": "second", "scopes": []string{"admin"}})["token"].(string)
	give := func(amount int64) obj {
		return s.do("POST", "/members/"+id+"/adjustments", obj{"account": "points", "amount": amount, "memo": "补偿"})
	}
	require.Nil(t, give(1000)["request"])
	require.EqualValues(t, 1000, s.balance(m))
	request, _ := give(1001)["request"].(obj)
	require.NotNil(t, request)
	require.EqualValues(t, 1000, s.balance(m), "it waits")
	approve := "/grants/" + request["id"].(string) + "/approve"
	require.GreaterOrEqual(t, s.refused("POST", approve, obj{}).Status, 400, "not by who asked")
	require.NoError(t, s.Call(s.ctx(), "POST", "/admin/v1"+approve, second, obj{}, nil))
	require.EqualValues(t, 2001, s.balance(m))

	var entries struct{ Items []struct{ ID string } }
	s.read("/members/"+id+"/entries?account=points&limit=100", &entries)
	undo := "/entries/" + entries.Items[0].ID + "/undo"
	s.do("POST", undo, obj{"memo": "误操作"})
	require.EqualValues(t, 1000, s.balance(m))
	require.Equal(t, "CONFLICT", s.refused("POST", undo, obj{"memo": "误操作"}).Code)
	require.EqualValues(t, 1000, s.balance(m))
}

// Who has himself forgotten loses what he held, and is a new member when he comes back, but no newcomer; the ledger is still right. What is
// another's is not there for him.
func TestEdgeErasure(t *testing.T) {
	t.Parallel()
	s := open(t, "2026-11-23 09:00:00")
	coupon := s.create("/coupons", obj{"code": "pack", "name": "新人券", "kind": "cash_off", "off_fen": 1000, "valid_days": 30})
	s.rule("register", "member.registered", obj{"grants": []obj{gives("points", 100), {"kind": "coupon", "coupon_id": coupon}}})
	s.rule("checkin", "checkin.done", obj{"grants": []obj{gives("points", 5)}})
	gift := s.create("/mall", obj{"code": "gift", "name": "礼品", "kind": "goods", "price": 30})
	m, other := s.come(), s.come()
	old := s.facts(m)
	require.NoError(t, m.API(s.ctx(), "POST", "/checkins", nil, nil))
	var redeemed struct{ Redemption struct{ ID string } }
	require.NoError(t, m.API(s.ctx(), "POST", "/mall/"+gift+"/redemptions", nil, &redeemed))
	require.Equal(t, 404, refusal(t, other.API(s.ctx(), "POST", "/redemptions/"+redeemed.Redemption.ID+"/cancel", nil, nil)).Status)
	var all struct {
		Tables map[string][]obj
	}
	require.NoError(t, m.API(s.ctx(), "GET", "/me/export", nil, &all))
	for _, table := range []string{"entries", "member_coupons", "checkins", "redemptions"} {
		require.NotEmpty(t, all.Tables[table], table)
	}
	code := s.coupons(m)[0].Code

	var ask struct {
		Erased       bool
		Confirmation string
		Losses       []obj
	}
	require.NoError(t, m.API(s.ctx(), "DELETE", "/me", nil, &ask))
	require.False(t, ask.Erased)
	require.NotEmpty(t, ask.Losses)
	require.EqualValues(t, 75, s.balance(m))
	require.NoError(t, m.API(s.ctx(), "DELETE", "/me?confirmation="+ask.Confirmation, nil, &ask))
	require.True(t, ask.Erased)
	require.Equal(t, 401, refusal(t, m.API(s.ctx(), "GET", "/points", nil, nil)).Status)
	require.Error(t, s.use(code, "X"))

	s.advance("1h")
	id, earned := s.register(m, "")
	require.NotEqual(t, old.ID, id)
	require.Zero(t, earned, "a new member, no newcomer")
	require.Zero(t, s.balance(m))
	require.Empty(t, s.coupons(m))
	require.NoError(t, m.API(s.ctx(), "POST", "/checkins", nil, nil))
	require.EqualValues(t, 5, s.balance(m))
	require.Equal(t, 404, refusal(t, m.API(s.ctx(), "POST", "/redemptions/"+redeemed.Redemption.ID+"/cancel", nil, nil)).Status)
}
