package playbook_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// P24: one SOP per layer with its aim. Whoever moves leaves that of the old layer, and comes into that of the new one, but not again within
// so many days.
func TestP24SOPs(t *testing.T) {
	t.Parallel()
	s := open(t, "2026-11-23 09:00:00")
	key := s.openKey()
	year := func(n int) obj {
		return obj{"leaf": "orders", "measure": "count", "op": "gte", "value": n, "window": "365d"}
	}
	s.do("PUT", "/pyramid", obj{"layers": []obj{
		{"name": "付费", "condition": year(1)},
		{"name": "新激活", "condition": obj{"leaf": "member", "field": "joined_days", "op": "lte", "value": 7}},
		{"name": "普通", "condition": obj{"leaf": "member", "field": "joined_days", "op": "gte", "value": 8}},
	}})
	var layers struct {
		Items []struct {
			Code, Name string
			Definition obj
		}
	}
	s.read("/sops/templates", &layers)
	sops := map[string]string{}
	for _, l := range layers.Items {
		if strings.HasPrefix(l.Code, "layer") {
			sops[l.Name] = s.enabled(l.Definition)
		}
	}
	require.Len(t, sops, 3)
	m := s.person("塔")
	s.act(m, "follow", nil)
	id, _ := s.register(m, "塔")
	type way struct{ Name, State, Reason string }
	ways := func() (list []way) {
		var out struct{ Items []way }
		s.read("/members/"+id+"/sops", &out)
		return out.Items
	}
	s.advance("0s")
	require.Equal(t, []way{{"金字塔:新激活", "running", ""}}, ways())
	s.set("2026-12-01 02:00:00") // day 8
	require.Equal(t, []way{{"金字塔:普通", "running", ""}, {"金字塔:新激活", "ended", "done"}}, ways())
	s.set("2026-12-03 12:00:00")
	pay := func(status string, version int) {
		s.order(key, obj{"platform": "jd", "order_no": "P", "version": version, "member": s.ref(m), "status": status, "paid_at": "2026-12-03T12:00:00+08:00", "amount_fen": 9900})
	}
	pay("paid", 1)
	require.Equal(t, []way{{"金字塔:付费", "running", ""}, {"金字塔:普通", "leaving", "exited"}, {"金字塔:新激活", "ended", "done"}}, ways())
	s.set("2026-12-20 12:00:00")
	pay("refunded", 2) // 普通 again, within 30 days
	require.Len(t, ways(), 3, "its SOP does not start again")
	require.Equal(t, way{"金字塔:普通", "ended", "exited"}, ways()[1])
	require.NotContains(t, s.remarkable(), "level=ERROR")
}

// A SOP of every year: once for each member and year, also over 29 February.
func TestAYearlySOP(t *testing.T) {
	t.Parallel()
	s := open(t, "2026-11-23 09:00:00")
	m := s.person("老友")
	_, err := m.Login(s.ctx())
	require.NoError(t, err)
	id, _ := s.register(m, "老友")
	_, err = m.Act(s.ctx(), "accept", obj{"account": "mp", "template": "TPL_ACTIVITY", "times": 10})
	require.NoError(t, err)
	yearly := s.enabled(obj{"name": "周年", "entry": obj{"cron": "0 10 29 2 *", "condition": joined}, "reentry": obj{"mode": "after", "days": 300}, "steps": []obj{
		{"key": "a", "send": obj{"message": obj{"channels": []string{"subscribe"}, "subscribe": obj{
			"template_id": "TPL_ACTIVITY", "data": obj{"thing1": "周年", "thing2": "礼", "time3": "2028-02-29 10:00"},
		}}}},
	}})
	s.set("2028-03-01 00:00:00")
	require.Equal(t, []string{"02-29 10:00 周年 a: subscribe"}, s.rehearsal(id, "2028-02-01", "2028-03-01"))
	require.Equal(t, 1, s.report(yearly).Entered)
	refused := s.refused("POST", "/sops", obj{"name": "never", "entry": obj{"cron": "0 10 31 2 *"}, "steps": []obj{{"key": "a", "branch": obj{"condition": joined}}}})
	require.Equal(t, "entry.cron", fmt.Sprint(refused.Details["field"]))
}
