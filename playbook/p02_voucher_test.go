package playbook_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/wechat/sandbox/phone"
)

// voucher is the practice of P02 but for its reminder: who follows gets an article and a card; who paid so much with one order may claim a
// voucher, once, for so many days.
type voucher struct {
	pay, quantity       int64
	threshold           int64 // fen of one order
	stock               int64
	days                int
	says                string // what is missing, to a member
	small               int64  // fen of an order that is not enough
	order               int64  // and of one that is
	earned              int64  // by both
	claim, ends         string
	last                string // the last usable second
	points              int64  // after the till
	cumulative, missing int64  // with the other basis: so much is asked for, and missing after the small order
	left                int64  // points after the refund of the order
}

func TestP02Voucher(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]voucher{
		"hotwind": {
			pay: 9_90, quantity: 2, threshold: 39_80, stock: 1000, days: 30, says: "再消费 ¥39.80", small: 39_79, order: 39_80, earned: 78,
			claim: "2026-11-24 09:00:00", last: "2026-12-23 23:59:59", ends: "2026-12-24 00:00:00", points: 87, cumulative: 39_80, missing: 1, left: 48,
		},
		"AnotherShop": {
			pay: 1, quantity: 1, threshold: 100_00, stock: 2, days: 1, says: "再消费 ¥100", small: 99_99, order: 200_50, earned: 299,
			claim: "2026-11-24 23:59:58", last: "2026-11-24 23:59:59", ends: "2026-11-25 00:00:00", points: 299, cumulative: 150_00, missing: 50_01, left: 99,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p.play(t)
		})
	}
}

// offer is a coupon to be claimed, as a member sees it.
type offer struct {
	Name     string
	Left     *int64
	CanClaim bool `json:"can_claim"`
	Why      *struct {
		Code, Message string
		Details       obj
	}
}

func (s *siyu) offers(p *phone.Person) map[string]offer {
	s.t.Helper()
	var out struct{ Claimable []offer }
	require.NoError(s.t, p.API(s.ctx(), "GET", "/coupons", nil, &out))
	all := map[string]offer{}
	for _, o := range out.Claimable {
		all[o.Name] = o
	}
	return all
}

func (p voucher) play(t *testing.T) {
	s := open(t, "2026-11-23 20:00:00")
	s.create("/replies", obj{"name": "关注", "trigger": "follow", "messages": []obj{
		{"kind": "news", "title": "会员权益", "description": "一分钟看懂", "url": "https://example.com/rules"}, {"kind": "card", "title": "新会员卡", "path": "pages/card/index"},
	}})
	s.rule("orders", "order.paid", obj{"grants": []obj{{"kind": "per_yuan", "account": "points", "amount": 1}}})
	define := func(name, basis string, fen int64) string {
		return s.create("/coupons", obj{
			"code": name, "name": name, "kind": "exchange", "pay_fen": p.pay, "quantity": p.quantity, "stock": p.stock, "per_member": 1, "valid_days": p.days,
			"claimable": true, "terms": obj{"order": obj{"basis": basis, "fen": fen}},
		})
	}
	single, sum := define("cotton", "single", p.threshold), define("sum", "cumulative", p.cumulative)
	key := s.openKey()
	claim := func(m *phone.Person, id string) error {
		return m.API(t.Context(), "POST", "/coupons/claims", obj{"coupon_id": id}, nil)
	}

	// 1: an article and a card.
	m := s.person("")
	seen, err := m.Act(t.Context(), "follow", nil)
	require.NoError(t, err)
	require.NotEmpty(t, seen.Seen)
	require.Equal(t, "news", seen.Seen[0].Type)
	s.advance("0s")
	cards := s.inbox(m, "custom")
	require.Len(t, cards, 1)
	require.Equal(t, "miniprogrampage", cards[0].Type)

	// 2, 3
	s.register(m, "")
	shown := s.offers(m)["cotton"]
	require.False(t, shown.CanClaim)
	require.Contains(t, shown.Why.Message, p.says)
	refused := refusal(t, claim(m, single))
	require.Equal(t, "THRESHOLD_NOT_MET", refused.Code)
	require.EqualValues(t, p.threshold, refused.Details["short_by"])

	// 4
	s.pays(key, m, "A1", p.small)
	require.Equal(t, "THRESHOLD_NOT_MET", refusal(t, claim(m, single)).Code)
	require.EqualValues(t, p.missing, refusal(t, claim(m, sum)).Details["short_by"])

	// 5 to 7
	s.advance("1m")
	s.pays(key, m, "A2", p.order)
	require.Equal(t, p.earned, s.balance(m))
	require.True(t, s.offers(m)["cotton"].CanClaim)
	other, unused := s.come(), s.come()
	s.pays(key, other, "B1", p.order)
	s.pays(key, unused, "B2", p.order)
	s.set(p.claim)
	require.NoError(t, claim(m, single))
	require.NoError(t, claim(other, single))
	mine := s.coupons(m)
	require.Len(t, mine, 1)
	require.Equal(t, at(p.ends).Format(time.RFC3339), mine[0].ExpiresAt)
	require.Equal(t, p.stock-2, *s.offers(m)["cotton"].Left)
	require.Equal(t, "LIMIT_REACHED", refusal(t, claim(m, single)).Code)
	if p.stock == 2 {
		require.Equal(t, "OUT_OF_STOCK", refusal(t, claim(unused, single)).Code)
	}

	// 9, 10
	s.set(p.last)
	var used struct {
		State    string
		PayFen   int64 `json:"pay_fen"`
		Quantity int64
	}
	require.NoError(t, s.Call(t.Context(), "POST", "/open/v1/coupons/verify", s.admin, obj{"code": mine[0].Code, "order_no": "T1"}, &used))
	require.Equal(t, [2]int64{p.pay, p.quantity}, [2]int64{used.PayFen, used.Quantity})
	require.Equal(t, "used", used.State)
	s.pays(key, m, "T1", p.pay)
	s.login(m)
	require.Equal(t, p.points, s.balance(m))
	s.login(other)
	late := s.coupons(other)[0].Code
	s.set(p.ends)
	require.Equal(t, "COUPON_USED", refusal(t, s.use(mine[0].Code, "T2")).Code)
	require.Equal(t, "COUPON_EXPIRED", refusal(t, s.use(late, "T2")).Code)

	// 11: used, it cannot be taken back.
	s.advance("48h")
	s.login(m)
	require.Empty(t, s.do("GET", "/risks?kind=benefit.used", nil)["items"])
	s.refunds(key, "A2", 0)
	require.Equal(t, p.left, s.balance(m))
	risks := s.do("GET", "/risks?kind=benefit.used", nil)["items"].([]any)
	require.Len(t, risks, 1)
	require.Equal(t, s.facts(m).ID, risks[0].(obj)["member_id"])

	// Had it been unused: revoked, and in stock again.
	again := define("again", "single", p.threshold)
	s.pays(key, m, "A3", p.order)
	require.NoError(t, claim(m, again))
	require.Equal(t, p.stock-1, *s.offers(m)["again"].Left)
	s.advance("1m")
	s.refunds(key, "A3", 0)
	require.Equal(t, p.stock, *s.offers(m)["again"].Left)
	for _, c := range s.coupons(m) {
		require.NotEqual(t, "usable", c.State, c.Name)
	}
	require.Len(t, s.do("GET", "/risks?kind=benefit.used", nil)["items"], 1)
}
