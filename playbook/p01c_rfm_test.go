package playbook_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/wechat/sandbox/phone"
)

// rfm is the practice of P01-C: bands of recency, frequency and money, and who is where on a day.
type rfm struct {
	window                    int
	recency, frequency, money []band
	born, today               string     // everybody joins; what is asserted is asserted
	buyers                    []rfmBuyer // each has one order more than what is told
	returns                   int        // the buyer who comes back
	back, backTo              string
}

type band struct {
	Name string `json:"name"`
	From int64  `json:"from"`
}

type rfmBuyer struct {
	orders   []string // days on which he paid
	yuan     int      // each
	refunded int      // so many of them, fully
	tags     []string
}

func TestP01CRFM(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]rfm{
		"AsSet": {
			window: 365, born: "2025-11-20 09:00:00", today: "2026-12-01 09:00:00",
			recency:   []band{{"常购客户", 0}, {"低频客户", 31}, {"接近流失客户", 91}, {"流失客户", 181}},
			frequency: []band{{"尝鲜用户", 1}, {"复购用户", 2}, {"忠诚用户", 5}},
			money:     []band{{"低", 0}, {"中", 20000}, {"高", 100000}},
			buyers: []rfmBuyer{
				{orders: []string{"2026-11-01"}, yuan: 199, tags: []string{"常购客户", "尝鲜用户", "低"}},
				{orders: []string{"2026-10-31", "2026-10-30"}, yuan: 100, tags: []string{"低频客户", "复购用户", "中"}},
				{orders: []string{"2026-09-02", "2026-09-01", "2026-08-01", "2026-07-01"}, yuan: 250, tags: []string{"低频客户", "复购用户", "高"}},
				{orders: []string{"2026-09-01", "2026-08-01", "2026-07-01", "2026-06-01", "2026-05-01"}, yuan: 10, tags: []string{"接近流失客户", "忠诚用户", "低"}},
				{orders: []string{"2026-06-04", "2026-06-05"}, refunded: 1, yuan: 999, tags: []string{"接近流失客户", "尝鲜用户", "中"}},
				{orders: []string{"2026-06-03"}, yuan: 50, tags: []string{"流失客户", "尝鲜用户", "低"}},
				{},
			},
			returns: 5, back: "2026-12-01 11:00:00", backTo: "常购客户",
		},
		"OtherNumbers": {
			window: 90, born: "2026-11-24 09:00:00", today: "2027-03-01 08:00:00",
			recency:   []band{{"热", 0}, {"温", 8}, {"冷", 46}},
			frequency: []band{{"一", 1}, {"三", 3}},
			money:     []band{{"小", 0}, {"大", 30000}},
			buyers: []rfmBuyer{
				{orders: []string{"2027-02-22"}, yuan: 300, tags: []string{"热", "一", "大"}},
				{orders: []string{"2027-02-21", "2027-02-20", "2027-02-19"}, yuan: 99, tags: []string{"温", "三", "小"}},
				{orders: []string{"2027-01-14", "2026-11-25", "2026-11-26"}, yuan: 100, tags: []string{"冷", "一", "小"}},
				{orders: []string{"2026-11-25"}, yuan: 100, tags: []string{"冷"}}, // 96 days ago: its recency is known, but it is outside the window
				{orders: []string{"2027-02-22"}, refunded: 1, yuan: 100},
			},
			returns: 3, back: "2027-03-01 08:00:01", backTo: "热",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p.play(t)
		})
	}
}

func (p rfm) play(t *testing.T) {
	s := open(t, p.born)
	s.do("PUT", "/rfm", obj{"window_days": p.window, "recency": p.recency, "frequency": p.frequency, "money": p.money})
	n, key := 0, s.openKey()
	pay := func(member obj, no, paid string, yuan int, status string, version int) {
		s.order(key, obj{"platform": "jd", "order_no": no, "version": version, "member": member, "status": status, "paid_at": paid, "amount_fen": yuan * 100})
	}
	people, members := []*phone.Person{}, []obj{}
	for i := range p.buyers {
		m := s.person(fmt.Sprint("买家", i))
		s.act(m, "follow", nil)
		s.register(m, fmt.Sprint("买家", i))
		people, members = append(people, m), append(members, s.ref(m))
	}
	s.set(p.today)
	for i, b := range p.buyers {
		for j, day := range b.orders {
			n++
			no, paid := fmt.Sprint("R", n), at(day+" 20:00:00").Format(time.RFC3339)
			pay(members[i], no, paid, b.yuan, "paid", 1)
			if j >= len(b.orders)-b.refunded {
				pay(members[i], no, paid, b.yuan, "refunded", 2)
			}
		}
	}
	names := func(m *phone.Person) (out []string) {
		for _, tag := range s.facts(m).Tags {
			out = append(out, tag.Name)
		}
		return out
	}
	for i, b := range p.buyers {
		require.ElementsMatch(t, b.tags, names(people[i]), "buyer %d", i)
		r := s.facts(people[i]).RFM
		require.Subset(t, append(b.tags, ""), []string{r.Recency, r.Frequency, r.Money}, "of the person's page")
		require.Equal(t, slices.Contains(b.tags, p.recency[0].Name), r.Recency == p.recency[0].Name)
	}

	// Somebody comes back: at once, not at the next night, and with one tag of each dimension.
	s.set(p.back)
	pay(members[p.returns], "BACK", at(p.back).Format(time.RFC3339), 1, "paid", 1)
	got := names(people[p.returns])
	require.Contains(t, got, p.backTo)
	for _, b := range p.recency {
		if b.Name != p.backTo {
			require.NotContains(t, got, b.Name)
		}
	}
	var matrix struct{ Items []struct{ Members int } }
	s.read("/rfm/matrix", &matrix)
	total, buyers := 0, 0
	for _, c := range matrix.Items {
		total += c.Members
	}
	for _, b := range p.buyers {
		if len(b.orders) > b.refunded {
			buyers++
		}
	}
	require.Equal(t, buyers, total, "everybody with an order that counts is in one cell")
	var moves struct{ Items []struct{ Members int } }
	s.read("/rfm/moves?week="+p.back[:10], &moves)
	require.NotEmpty(t, moves.Items)
	require.NotContains(t, s.remarkable(), "level=ERROR")
}

// ref is how other systems name a person who follows.
func (s *siyu) ref(m *phone.Person) obj {
	s.t.Helper()
	i := s.facts(m).Identities[0]
	return obj{"account": i.Account, "openid": i.OpenID}
}
