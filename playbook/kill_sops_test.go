package playbook_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/clock"
)

// Every place at which a process can die between a step that falls due and everybody having passed it: nobody gets anything twice, and
// nobody is lost (DESIGN P5).
func TestKillASOP(t *testing.T) {
	t.Parallel()
	const n = 20
	for _, point := range []string{
		"sop_before_freeze", "sop_after_freeze", "sop_moved", "sop_moved:2", "sop_moved:3", "sop_before_done", "sop_after_done", "sop_before_freeze:2", "sop_after_freeze:2",
	} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			p, _ := apart(t, "2026-11-25 09:00:00", "SIYU_REACH_IN_FLIGHT=8", "SIYU_REACH_WORKERS=2")
			a := p.serve(t, "", "SIYU_CRASH_AT="+point)
			people := make([]string, n)
			require.NoError(t, each(n, 4, func(i int) error {
				m, err := a.Person(t.Context(), fmt.Sprint("p", i), "")
				if err == nil {
					_, err = m.Login(t.Context())
				}
				if err == nil {
					err = m.API(t.Context(), "POST", "/register", obj{}, nil)
				}
				if err == nil {
					_, err = m.Act(t.Context(), "accept", obj{"account": "mp", "template": "TPL_ACTIVITY", "times": 5})
				}
				people[i] = m.ID
				return err
			}))
			message := func(what string) obj {
				return obj{"channels": []string{"subscribe"}, "subscribe": obj{"template_id": "TPL_ACTIVITY", "data": obj{"thing1": what, "thing2": "礼", "time3": "2026-11-25 10:00"}}}
			}
			id := a.enabled(obj{"name": "早安", "class": "service", "entry": obj{"cron": "0 10 25 11 *", "condition": joined}, "steps": []obj{
				{"key": "a", "send": obj{"message": message("第一步" + serviceMark), "grants": obj{"amount": 7}}},
				{"key": "fork", "branch": obj{"condition": obj{"leaf": "account", "account": "points", "op": "gte", "value": 7}}, "otherwise": "end"},
				{"key": "b", "when": obj{"after": "30m"}, "send": obj{"message": message("第二步" + serviceMark)}},
			}})
			_, _ = a.Clock(t.Context(), obj{"now": "2026-11-25T10:40:00+08:00"}) // it dies before it answers
			until(t, "the process kills itself", a.ended)

			b := p.serve(t, a.url)
			var r sopReport
			until(t, "everybody is through", func() bool {
				b.set("2026-11-25 10:40:00")
				b.advance("0s")
				r = b.report(id)
				open := 0
				for _, st := range r.Steps {
					open += st.Counts.Pending + st.Counts.Deferred
				}
				if r.Running > 0 || open > 0 || r.Entered < n {
					clock.Sleep(t.Context(), 200*time.Millisecond)
					return false
				}
				return true
			})
			require.Equal(t, n, r.Entered)
			require.Equal(t, 7*n, r.Steps[0].Amount)
			got := map[string]int{}
			for _, m := range b.receipts() {
				for _, text := range []string{"第一步", "第二步"} {
					if strings.Contains(m.Content, text) {
						got[m.User+text]++
					}
				}
			}
			for _, who := range people {
				require.Equal(t, 1, got[who+"第一步"], who)
				require.Equal(t, 1, got[who+"第二步"], who)
			}
			b.done()
		})
	}
}
