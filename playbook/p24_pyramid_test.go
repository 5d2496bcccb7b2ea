package playbook_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/wechat/sandbox/phone"
)

// pyramid is the practice of P24: five layers, and a member who climbs and falls.
type pyramid struct {
	fresh      int // calendar days since joining
	active, of int // active days of the last ones
	fan        int // orders in a year
	names      [5]string
	join       string
	still, old string   // the last second as new; the first as not new
	visits     []string // of the active days after the first, at the last he is active
	buys       []string // the first makes him pay, the last of fan a fan
	refund     string   // of two orders
	stays      string   // an active day when the orders are over
	over       string
	flow       string // a day of the week of the first order
}

func TestP24Pyramid(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]pyramid{
		"AsSet": {
			fresh: 7, active: 4, of: 30, fan: 5, names: [5]string{"新激活", "普通", "活跃", "付费", "粉丝"}, join: "2026-11-23 09:00:00",
			still: "2026-11-30 23:59:59", old: "2026-12-01 02:00:00", visits: []string{"2026-12-02 10:00:00", "2026-12-03 10:00:00", "2026-12-04 10:00:00"},
			buys:   []string{"2026-12-10 12:00:00", "2026-12-20 12:00:00", "2027-01-15 12:00:00", "2027-02-01 12:00:00", "2027-02-28 12:00:00"},
			refund: "2027-03-02 09:00:00", stays: "2028-02-24 09:00:00", over: "2028-03-01 09:00:00", flow: "2026-12-13",
		},
		"OtherNumbers": {
			fresh: 3, active: 2, of: 10, fan: 3, names: [5]string{"新", "常", "动", "买", "迷"}, join: "2027-01-30 22:00:00",
			still: "2027-02-02 23:59:59", old: "2027-02-03 00:00:00", visits: []string{"2027-02-03 10:00:00"},
			buys:   []string{"2027-02-07 23:59:59", "2027-02-08 00:00:00", "2027-02-09 12:00:00"},
			refund: "2027-02-10 09:00:00", stays: "2028-02-06 12:00:00", over: "2028-02-09 12:00:01", flow: "2027-02-01",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p.play(t)
		})
	}
}

func (p pyramid) play(t *testing.T) {
	s := open(t, p.join)
	key := s.openKey()
	orders := func(n int) obj {
		return obj{"leaf": "orders", "measure": "count", "op": "gte", "value": n, "window": "365d"}
	}
	joined := func(op string, n int) obj {
		return obj{"leaf": "member", "field": "joined_days", "op": op, "value": n}
	}
	fresh, common, active, pays, fan := p.names[0], p.names[1], p.names[2], p.names[3], p.names[4]
	s.do("PUT", "/pyramid", obj{"layers": []obj{
		{"name": fan, "condition": orders(p.fan)},
		{"name": pays, "condition": orders(1)},
		{"name": active, "condition": obj{"all": []obj{joined("gte", 0), {"leaf": "active_days", "op": "gte", "count": p.active, "days": p.of}}}},
		{"name": fresh, "condition": joined("lte", p.fresh)},
		{"name": common, "condition": joined("gte", p.fresh+1)},
	}})
	m := s.person("塔")
	s.act(m, "follow", nil)
	s.register(m, "塔")
	id, ref := s.facts(m).ID, s.ref(m)
	moves := 1
	in := func(layer string, moved bool) {
		t.Helper()
		require.Equal(t, []string{"价值金字塔:" + layer}, s.facts(m).tags())
		if moved {
			moves++
		}
		require.Equal(t, moves, count(s.did(id), "tag.changed"), "each transition is one event")
	}
	visit := func(m *phone.Person, at string) {
		s.set(at)
		_, err := m.Login(s.ctx())
		require.NoError(t, err)
		require.NoError(t, m.API(s.ctx(), "POST", "/checkins", obj{}, nil))
	}
	pay := func(no int, at, status string, version int) {
		s.order(key, obj{
			"platform": "jd", "order_no": fmt.Sprint("P", no), "version": version, "member": ref, "status": status, "paid_at": at, "amount_fen": 9900,
		})
	}
	stamp := func(s string) string { return at(s).Format(time.RFC3339) }

	in(fresh, false)
	s.set(p.still)
	in(fresh, false)
	s.set(p.old)
	in(common, true)
	for i, day := range p.visits {
		in(common, false)
		visit(m, day)
		if i == len(p.visits)-1 {
			in(active, true)
		}
	}
	for i, day := range p.buys {
		s.set(day)
		pay(i, stamp(day), "paid", 1)
		switch i {
		case 0:
			in(pays, true)
		case p.fan - 1:
			in(fan, true)
		default:
			in(pays, false)
		}
	}
	s.set(p.refund)
	pay(0, stamp(p.buys[0]), "refunded", 2)
	in(pays, true)
	pay(1, stamp(p.buys[1]), "refunded", 2)
	in(pays, false)

	// A year later: active again, and the last order ceases to count.
	day := at(p.stays)
	for range p.active {
		visit(m, day.Format(time.DateTime))
		day = day.AddDate(0, 0, 1)
	}
	s.set(p.over)
	in(active, true)

	var flow struct {
		Items []struct {
			From, To string
			Members  int
		}
	}
	s.read("/pyramid/flow?week="+p.flow, &flow)
	found := 0
	for _, f := range flow.Items {
		if f.From == active && f.To == pays {
			found += f.Members
		}
	}
	require.Equal(t, 1, found, "%v", flow.Items)
	require.NotContains(t, s.remarkable(), "level=ERROR")
}
