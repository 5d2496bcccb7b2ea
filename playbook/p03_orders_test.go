package playbook_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/wechat/sandbox/phone"
)

// order pushes an order with an API key.
func (s *siyu) order(key string, body obj) (out struct {
	Status string
	NetFen int64 `json:"net_fen"`
	Grants []grant
},
) {
	s.t.Helper()
	require.NoError(s.t, s.Call(s.ctx(), "POST", "/open/v1/orders", key, body, &out))
	return out
}

// claimed is the answer to a claim.
type claimed struct {
	State   string
	Message string
	Grants  []grant
}

func (s *siyu) claims(p *phone.Person, platform, no string) (out claimed) {
	s.t.Helper()
	require.NoError(s.t, p.API(s.ctx(), "POST", "/orders/claims", obj{"platform": platform, "order_no": no}, &out))
	return out
}

func (s *siyu) claimRefused(p *phone.Person, platform, no string) *phone.Refusal {
	s.t.Helper()
	return refusal(s.t, p.API(s.ctx(), "POST", "/orders/claims", obj{"platform": platform, "order_no": no}, nil))
}

// orderShop is the practice of P03, in what a member does with his orders.
type orderShop struct {
	welcome, perYuan, times   int64
	from, until               string // of the promotion on claims
	first, waits              int64  // fen of the order at once and of the one that waits
	refund                    int64
	base, bonus, later, taken int64
	each                      int64 // fen of the orders at the end of the promotion
	before, after             int64 // what they give at its last second and at its end
}

func TestP03Orders(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]orderShop{
		"JiaoGePengYou": {
			welcome: 100, perYuan: 1, times: 3, from: "2026-11-23 00:00:00", until: "2026-11-30 00:00:00",
			first: 26850, waits: 9900, refund: 6850, base: 268, bonus: 537, later: 297, taken: 205, each: 10000, before: 300, after: 100,
		},
		"AnotherShop": {
			welcome: 7, perYuan: 2, times: 5, from: "2027-02-22 00:00:00", until: "2027-03-01 00:00:00",
			first: 12345, waits: 101, refund: 333, base: 246, bonus: 988, later: 10, taken: 33, each: 5050, before: 505, after: 101,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p.play(t)
		})
	}
}

func (p orderShop) play(t *testing.T) {
	s := open(t, p.from)
	start := at(p.from)
	set := func(d time.Duration) { s.set(start.Add(d).Format(time.DateTime)) }
	stamp := func(d time.Duration) string { return start.Add(d).Format(time.RFC3339) }
	s.registerRule(p.welcome)
	s.rule("claims", "order.claimed", obj{"grants": []obj{{"kind": "per_yuan", "account": "points", "amount": p.perYuan}}})
	s.rule("promotion", "order.claimed", obj{
		"grants": []obj{{"kind": "multiply", "account": "points", "factor": p.times}}, "from": start.Format(time.RFC3339), "until": at(p.until).Format(time.RFC3339),
	})
	key := s.openKey()
	day := 24 * time.Hour
	j1, j2 := s.come(), s.come()
	s.order(key, obj{"platform": "douyin", "order_no": "DY20261120001", "status": "paid", "amount_fen": p.first, "paid_at": stamp(-3 * day)})

	set(21 * time.Hour) // #3
	total := p.welcome + p.base + p.bonus
	out := s.claims(j1, "douyin", " dy20261120001　")
	require.Equal(t, "DONE", out.State)
	require.Equal(t, p.base+p.bonus, points(out.Grants))
	lines := s.ledger(j1)
	require.Equal(t, []int64{p.base, p.bonus}, []int64{lines[len(lines)-2].Delta, lines[len(lines)-1].Delta})
	require.True(t, lines[len(lines)-1].Bonus)
	require.Equal(t, total, s.balance(j1))

	set(21*time.Hour + 5*time.Second) // #4
	require.Equal(t, "ORDER_ALREADY_CLAIMED", s.claimRefused(j1, "douyin", "DY20261120001").Code)
	refused := s.claimRefused(j2, "douyin", "DY20261120001") // #5
	require.Equal(t, "ORDER_ALREADY_CLAIMED", refused.Code)
	require.Empty(t, refused.Details, "nothing about the owner")
	risks := s.do("GET", "/risks?kind=order.claim_taken", nil)["items"].([]any)
	require.Len(t, risks, 1)
	require.Equal(t, s.facts(j2).ID, risks[0].(obj)["member_id"])

	set(21*time.Hour + 10*time.Minute) // #6
	out = s.claims(j1, "taobao", "TB20261121007")
	require.Equal(t, "PENDING", out.State)
	require.Equal(t, "订单尚未同步,同步后自动到账", out.Message)
	require.Equal(t, total, s.balance(j1))
	s.do("POST", "/reminders", obj{"kind": "event", "event": "order.claimed", "name": "到账", "message": obj{
		"channels": []string{"customer", "subscribe"}, "text": "[service] {{order_no}} +{{earned}}",
		"subscribe": obj{"template_id": "TPL_ACTIVITY", "data": obj{"thing1": "[service] {{order_no}}", "thing2": "+{{earned}}", "time3": "2026-11-24 03:00"}},
	}})
	s.control("POST", "/users/"+j1.ID+"/accept", obj{"account": "mp", "template": "TPL_ACTIVITY", "times": 2}, nil)

	set(27 * time.Hour) // #7
	s.order(key, obj{"platform": "taobao", "order_no": "TB20261121007", "status": "paid", "amount_fen": p.waits, "paid_at": stamp(-2 * day)})
	total += p.later
	require.Equal(t, total, s.balance(j1))
	s.advance("0s")
	notices := s.inbox(j1, "subscribe")
	require.Len(t, notices, 1, "of the claim that completed")
	require.Contains(t, string(notices[0].Data), fmt.Sprint("+", p.later))

	set(2*day + 15*time.Hour) // #8
	back := obj{
		"platform": "douyin", "order_no": "DY20261120001", "status": "partial_refund",
		"refunds": []obj{{"refund_no": "R1", "amount_fen": p.refund, "refunded_at": stamp(2*day + 15*time.Hour)}},
	}
	require.Equal(t, -p.taken, points(s.order(key, back).Grants))
	total -= p.taken
	for range 2 {
		require.Empty(t, s.order(key, back).Grants, "a repeat changes nothing")
	}
	require.Equal(t, total, s.balance(j1))

	j3, j4 := s.come(), s.come()
	end := at(p.until).Sub(start)
	for _, no := range []string{"A", "B"} {
		s.order(key, obj{"platform": "store", "order_no": no, "status": "paid", "amount_fen": p.each, "paid_at": stamp(day)})
	}
	set(end - time.Second) // #10
	require.Equal(t, p.before, points(s.claims(j3, "store", "A").Grants))
	set(end) // #11
	require.Equal(t, p.after, points(s.claims(j4, "store", "B").Grants))
}

// Of a crowd that claims one order exactly one gets it, whether the shop has told of it or not.
func TestEdgeOneOrderManyClaimants(t *testing.T) {
	t.Parallel()
	s := open(t, "2026-11-23 09:00:00")
	s.rule("claims", "order.claimed", obj{"grants": []obj{{"kind": "per_yuan", "account": "points", "amount": 1}}})
	key := s.openKey()
	push := func(no string) {
		s.order(key, obj{"platform": "jd", "order_no": no, "status": "paid", "amount_fen": 4200, "paid_at": "2026-11-23T08:00:00+08:00"})
	}
	push("KNOWN")
	people := make([]*phone.Person, 8)
	for i := range people {
		people[i] = s.come()
	}
	for _, no := range []string{"KNOWN", "LATER"} {
		var wg sync.WaitGroup
		codes := make([]string, len(people))
		for i, p := range people {
			wg.Go(func() {
				var refused *phone.Refusal
				if err := p.API(s.ctx(), "POST", "/orders/claims", obj{"platform": "jd", "order_no": no}, nil); err != nil {
					refused = refusal(t, err)
					codes[i] = refused.Code
				}
			})
		}
		wg.Wait()
		won := 0
		for _, code := range codes {
			if code == "" {
				won++
			} else {
				require.Equal(t, "ORDER_ALREADY_CLAIMED", code)
			}
		}
		require.Equal(t, 1, won, no)
	}
	push("LATER")
	var sum int64
	for _, p := range people {
		sum += s.balance(p)
	}
	require.EqualValues(t, 84, sum)
}

// Orders out of order: a refund before its order, repeats, more than was paid, older versions, absurd amounts.
func TestEdgeOrdersOutOfOrder(t *testing.T) {
	t.Parallel()
	s := open(t, "2026-11-23 09:00:00")
	s.rule("orders", "order.paid", obj{"grants": []obj{{"kind": "per_yuan", "account": "points", "amount": 1}}})
	key, m := s.openKey(), s.come()
	me := obj{"account": "oa", "openid": s.openid(m.ID, "oa")}
	body := func(no string, version, fen int64) obj {
		return obj{"platform": "own_mall", "order_no": no, "status": "paid", "member": me, "version": version, "amount_fen": fen, "paid_at": "2026-11-23T09:00:00+08:00"}
	}
	back := func(no, number string, fen int64) obj {
		return obj{"platform": "own_mall", "order_no": no, "status": "partial_refund", "refunds": []obj{{"refund_no": number, "amount_fen": fen, "refunded_at": "2026-11-23T09:00:00+08:00"}}}
	}
	refused := func(in obj) *phone.Refusal {
		return refusal(t, s.Call(s.ctx(), "POST", "/open/v1/orders", key, in, nil))
	}

	require.Equal(t, "unknown", s.order(key, back("a1", "r1", 3050)).Status)
	require.EqualValues(t, 6950, s.order(key, body(" Ａ1", 0, 10000)).NetFen)
	require.EqualValues(t, 69, s.balance(m))
	over := refused(back("A1", "R2", 6951))
	require.Equal(t, "INVALID", over.Code)
	require.EqualValues(t, 6950, over.Details["limit"])
	require.Equal(t, "CONFLICT", refused(back("A1", "R1", 1)).Code)
	s.order(key, obj{"platform": "own_mall", "order_no": "A1", "status": "refunded"})
	require.Zero(t, s.balance(m))
	s.order(key, body("A1", 0, 10000))
	require.Zero(t, s.balance(m), "what came late does not undo the end")

	s.order(key, body("V", 7, 5000))
	s.order(key, body("V", 6, 90000))
	require.EqualValues(t, 50, s.balance(m))
	for _, fen := range []any{-1, 1.5, "12", 10_000_000_001} {
		in := body("X", 0, 0)
		in["amount_fen"] = fen
		require.Equal(t, http.StatusBadRequest, refused(in).Status, fmt.Sprint(fen))
	}
	future := body("X", 0, 100)
	future["paid_at"] = "2026-11-23T09:05:01+08:00"
	require.Equal(t, "paid_at", refused(future).Details["field"])
}
