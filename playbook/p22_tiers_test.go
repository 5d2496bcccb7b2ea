package playbook_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/wechat/sandbox/phone"
)

// who names a person to the open API.
func (s *siyu) who(p *phone.Person) obj {
	s.t.Helper()
	return obj{"account": "oa", "openid": s.openid(p.ID, "oa")}
}

// pays pushes an order of a person that he paid now, and returns what it earned.
func (s *siyu) pays(key string, p *phone.Person, no string, fen int64) []grant {
	s.t.Helper()
	return s.order(key, obj{
		"platform": "own_mall", "order_no": no, "status": "paid", "member": s.who(p), "amount_fen": fen, "paid_at": s.now().Format(time.RFC3339),
	}).Grants
}

// refunds pushes that an order was refunded now: so much of it, or with 0 all that remains.
func (s *siyu) refunds(key, no string, fen int64) []grant {
	s.t.Helper()
	in := obj{"platform": "own_mall", "order_no": no, "status": "refunded"}
	if fen > 0 {
		now := s.now().Format(time.RFC3339)
		in["status"], in["refunds"] = "partial_refund", []obj{{"refund_no": no + " " + now, "amount_fen": fen, "refunded_at": now}}
	}
	return s.order(key, in).Grants
}

// login logs a person in again: a token lasts seven days.
func (s *siyu) login(p *phone.Person) {
	s.t.Helper()
	_, err := p.Login(s.ctx())
	require.NoError(s.t, err)
}

// accounts are a person's balances.
func (s *siyu) accounts(p *phone.Person) map[string]int64 {
	s.t.Helper()
	var out struct {
		Accounts []struct {
			Account string
			Balance int64
		}
	}
	require.NoError(s.t, p.API(s.ctx(), "GET", "/home", nil, &out))
	all := map[string]int64{}
	for _, a := range out.Accounts {
		all[a.Account] = a.Balance
	}
	return all
}

// standing is a person's tier as he sees it.
type standing struct {
	Value int64
	Tier  struct{ Name string }
	Next  struct {
		Name string
		Gap  int64
	} `json:"next_tier"`
	ReviewAt string `json:"review_at"`
	KeepGap  int64  `json:"keep_gap"`
}

func (s *siyu) standing(p *phone.Person) (out standing) {
	s.t.Helper()
	require.NoError(s.t, p.API(s.ctx(), "GET", "/tier", nil, &out))
	return out
}

// tiers saves the tiers by growth, each {"name", "threshold", "gifts"}, and returns their ids by name.
func (s *siyu) tiers(settings obj, tiers ...obj) map[string]string {
	s.t.Helper()
	in := obj{"account": "growth", "tiers": tiers}
	for k, v := range settings {
		in[k] = v
	}
	list, _ := s.do("PUT", "/tiers", in)["tiers"].([]any)
	require.Len(s.t, list, len(tiers))
	ids := map[string]string{}
	for _, t := range list {
		ids[t.(obj)["name"].(string)] = t.(obj)["id"].(string)
	}
	s.advance("0s")
	return ids
}

// star is one tier of P22, by what was paid since joining.
type star struct {
	name string
	fen  int64
}

// bill is what an order cost after the member price, and where it lifts to.
type bill struct {
	fen   int64
	after string
}

// stars is the practice of P22 but for the member prices: who pays so much altogether rises at once, and falls at once on a refund.
type stars struct {
	stars        []star
	bills        []bill // the last two are refunded, the last first
	refunded     []bill // what remains paid, and where he is then
	direct       bill   // one order of somebody else
	days, notice int    // of the review
}

func TestP22Stars(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]stars{
		"TheBrand": {
			stars: []star{{"普通", 0}, {"一星", 500_00}, {"二星", 2000_00}, {"三星", 3000_00}},
			bills: []bill{
				{499_99, "普通"}, {1, "一星"}, {95_00, "一星"}, {1405_00, "二星"}, {90_00, "二星"}, {910_00, "三星"}, {85_00, "三星"},
			},
			refunded: []bill{{3000_00, "三星"}, {2090_00, "二星"}}, direct: bill{3000_00, "三星"}, days: 365, notice: 30,
		},
		"AnotherBrand": {
			stars:    []star{{"木", 0}, {"铜", 99}, {"银", 10_000_00}},
			bills:    []bill{{98, "木"}, {1, "铜"}, {5000_00, "铜"}, {4999_01, "银"}, {1, "银"}},
			refunded: []bill{{10_000_00, "银"}, {5000_99, "铜"}}, direct: bill{12_345_67, "银"}, days: 90, notice: 7,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			t.Run("ImmediateDowngrade", func(t *testing.T) {
				t.Parallel()
				p.immediate(t)
			})
			t.Run("DowngradeAtTheReview", func(t *testing.T) {
				t.Parallel()
				p.review(t)
			})
		})
	}
}

func (p stars) open(t *testing.T, settings obj) (s *siyu, key string) {
	s = open(t, "2026-11-23 10:00:00")
	var tiers []obj
	for _, x := range p.stars {
		tiers = append(tiers, obj{"name": x.name, "threshold": x.fen})
	}
	s.tiers(settings, tiers...)
	s.rule("paid", "order.paid", obj{"grants": []obj{{"kind": "per_unit", "account": "growth", "amount": 1, "field": "amount_fen"}}})
	return s, s.openKey()
}

// climb pays the bills and returns what was paid.
func (p stars) climb(s *siyu, key string, m *phone.Person) (total int64) {
	for i, b := range p.bills {
		s.advance("1m")
		s.pays(key, m, fmt.Sprint("A", i), b.fen)
		total += b.fen
		got := s.standing(m)
		require.Equal(s.t, total, got.Value, "bill %d", i)
		require.Equal(s.t, b.after, got.Tier.Name, "bill %d", i)
		for n, x := range p.stars {
			if x.name == b.after && n+1 < len(p.stars) {
				require.Equal(s.t, p.stars[n+1].name, got.Next.Name)
				require.Equal(s.t, p.stars[n+1].fen-total, got.Next.Gap)
			}
		}
	}
	return total
}

func (p stars) immediate(t *testing.T) {
	s, key := p.open(t, nil)
	m := s.come()
	require.Equal(t, p.stars[0].name, s.standing(m).Tier.Name)
	p.climb(s, key, m)
	for i, b := range p.refunded {
		s.advance("1h")
		s.refunds(key, fmt.Sprint("A", len(p.bills)-1-i), 0)
		require.Equal(t, b.fen, s.standing(m).Value)
		require.Equal(t, b.after, s.standing(m).Tier.Name, "at once")
	}
	fresh := s.come()
	s.pays(key, fresh, "B", p.direct.fen)
	require.Equal(t, p.direct.after, s.standing(fresh).Tier.Name)
}

// review is row 12: who fell keeps his tier until the review, and is told of it before.
func (p stars) review(t *testing.T) {
	s, key := p.open(t, obj{"downgrade": "review", "review_days": p.days, "notice_days": p.notice})
	m := s.come()
	p.climb(s, key, m)
	s.advance("1h")
	for i := range p.refunded {
		s.refunds(key, fmt.Sprint("A", len(p.bills)-1-i), 0)
	}
	high, low := p.bills[len(p.bills)-1].after, p.refunded[1]
	review := at("2026-11-23 00:00:00").AddDate(0, 0, p.days)
	got := s.standing(m)
	require.Equal(t, low.fen, got.Value)
	require.Equal(t, high, got.Tier.Name)
	require.Equal(t, review.Format(time.RFC3339), got.ReviewAt)
	require.Positive(t, got.KeepGap)

	notice := review.AddDate(0, 0, -p.notice)
	id := s.facts(m).ID
	s.set(notice.Add(-time.Second).Format(time.DateTime))
	require.Zero(t, count(s.did(id), "tier.review_soon"))
	s.set(notice.Format(time.DateTime))
	require.Equal(t, 1, count(s.did(id), "tier.review_soon"))
	s.set(review.Add(-time.Second).Format(time.DateTime))
	s.login(m)
	require.Equal(t, high, s.standing(m).Tier.Name)
	s.set(review.Format(time.DateTime))
	require.Equal(t, low.after, s.standing(m).Tier.Name)
	require.Equal(t, 1, count(s.did(id), "tier.review_soon"), "once")
	require.Equal(t, 1, count(s.did(id), "tier.downgraded"))
	require.NotEqual(t, high, s.standing(m).Tier.Name, "a closed period is not opened again")
}
