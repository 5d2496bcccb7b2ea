package playbook_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/wechat/sandbox/phone"
)

// liveRoom is the practice of P35, as far as it concerns what members watch.
type liveRoom struct {
	day           string
	opens, closes string
	enough        int // seconds
	earns         int64
	visits        [2][2]string // from, to
	first         int          // seconds after the first visit
	replay        [2]string    // after the session has closed
}

func TestP35(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]liveRoom{
		"LiveAndContentBackflow": {
			day: "2026-11-24", opens: "20:00:00", closes: "22:00:00", enough: 600, earns: 10,
			visits: [2][2]string{{"20:00:00", "20:09:59"}, {"20:30:00", "20:30:01"}}, first: 599, replay: [2]string{"23:00:00", "23:30:00"},
		},
		"AnotherEvening": {
			day: "2027-02-28", opens: "18:30:00", closes: "19:15:00", enough: 1200, earns: 25,
			visits: [2][2]string{{"18:00:00", "18:49:00"}, {"19:14:00", "19:30:00"}}, first: 19 * 60, replay: [2]string{"20:00:00", "22:00:00"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p.play(t)
		})
	}
}

func (p liveRoom) play(t *testing.T) {
	at := func(clock string) string { return p.day + " " + clock }
	stamp := func(clock string) string { return moment(at(clock)).Format(time.RFC3339) }
	s := open(t, p.day+" 09:00:00")
	s.rule("live", "live.watched", obj{"grants": []obj{gives("points", p.earns)}})
	id := s.create("/lives", obj{"title": "草莓专场", "opens_at": stamp(p.opens), "closes_at": stamp(p.closes), "min_seconds": p.enough})
	m, key := s.come(), s.openKey()
	tell := func(action, number, clock string) behaved {
		return s.behave(key, m, action, number, at(clock), obj{"session": id, "room": "抖音"})
	}
	seconds := func() int {
		var out struct{ Items []struct{ Seconds int } }
		require.NoError(t, m.API(t.Context(), "GET", "/lives", nil, &out))
		require.Len(t, out.Items, 1)
		return out.Items[0].Seconds
	}

	s.set(at(p.visits[0][1]))
	tell("live.enter", "1", p.visits[0][0])
	require.Empty(t, tell("live.leave", "2", p.visits[0][1]).Grants)
	require.Equal(t, p.first, seconds())
	require.Zero(t, s.balance(m))

	s.set(at(p.visits[1][0]))
	tell("live.enter", "3", p.visits[1][0])
	before := seconds()
	s.set(at(p.visits[1][1]))
	require.Equal(t, p.first, before)
	require.Equal(t, p.earns, points(tell("live.leave", "4", p.visits[1][1]).Grants))
	require.Equal(t, p.earns, s.balance(m))

	s.set(at(p.replay[0]))
	for number, visit := range map[string][2]string{"1": {"live.enter", p.visits[0][0]}, "2": {"live.leave", p.visits[0][1]}, "4": {"live.leave", p.visits[1][1]}} {
		require.False(t, tell(visit[0], number, visit[1]).New, "the same number again changes nothing")
	}
	require.Equal(t, 409, refusal(t, s.Call(t.Context(), "POST", "/open/v1/behaviors", key, obj{
		"member": obj{"account": "oa", "openid": s.openid(m.ID, "oa")}, "action": "live.enter", "key": "1", "data": obj{"session": "9"},
	}, nil)).Status)
	tell("live.enter", "5", p.replay[0])
	s.set(at(p.replay[1]))
	require.Empty(t, tell("live.leave", "6", p.replay[1]).Grants, "the recording is no live session")
	require.Equal(t, p.earns, s.balance(m))
	require.EqualValues(t, 1, s.do("GET", "/lives/"+id, nil)["reached"])

	p.backflow(s, m, key, id)

	late := s.come() // who watches the recording only
	s.behave(key, late, "live.enter", "7", at(p.replay[0]), obj{"session": id})
	s.behave(key, late, "live.leave", "8", at(p.replay[1]), obj{"session": id})
	require.Zero(t, s.balance(late))
	require.Equal(t, 1, count(s.did(s.facts(m).ID), "live.watched"))
}

// moment reads an instant written in Shanghai's time.
func moment(s string) time.Time { return at(s) }

// backflow: an order that was made while he watched and is claimed later came from the session; those of others, or of another hour, did not.
func (p liveRoom) backflow(s *siyu, m *phone.Person, key, id string) {
	s.t.Helper()
	stranger := s.come()
	opens, closes := at(p.day+" "+p.opens), at(p.day+" "+p.closes)
	for no, paidAt := range map[string]time.Time{"IN": opens, "LAST": closes.Add(-time.Second), "BEFORE": opens.Add(-time.Second), "AFTER": closes, "OTHERS": opens} {
		s.order(key, obj{"platform": "douyin", "order_no": no, "status": "paid", "amount_fen": 9900, "paid_at": paidAt.Format(time.RFC3339)})
		who := m
		if no == "OTHERS" {
			who = stranger
		}
		require.NoError(s.t, who.API(s.ctx(), "POST", "/orders/claims", obj{"platform": "douyin", "order_no": no}, nil))
	}
	require.EqualValues(s.t, 2, s.do("GET", "/lives/"+id, nil)["orders"])
	s.order(key, obj{"platform": "douyin", "order_no": "TOLD", "status": "paid", "amount_fen": 100, "paid_at": closes.Format(time.RFC3339), "source": "live:" + id})
	require.EqualValues(s.t, 2, s.do("GET", "/lives/"+id, nil)["orders"], "nobody's yet")
	require.NoError(s.t, stranger.API(s.ctx(), "POST", "/orders/claims", obj{"platform": "douyin", "order_no": "TOLD"}, nil))
	require.EqualValues(s.t, 3, s.do("GET", "/lives/"+id, nil)["orders"])
}
