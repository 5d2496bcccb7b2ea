package report_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/order"
	"github.com/siyu-scrm/siyu/app/report"
	"github.com/siyu-scrm/siyu/app/sop"
	"github.com/siyu-scrm/siyu/model"
)

// Two messages, on 28 November at 12:00 and on 2 December at 10:00; who did what within days after one of them counts once, as does each order.
func TestSOP(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	const says = `{"channels":["subscribe"],"subscribe":{"template_id":"TPL_ACTIVITY","data":{"thing1":"x","thing2":"y","time3":"2026-11-25 10:00"}}}`
	var d sop.Definition
	require.NoError(t, json.Unmarshal([]byte(`{"name":"新人","entry":{"event":"member.registered"},"steps":[{"key":"hello","send":{"class":"service","message":`+says+`}},
		{"key":"again","when":{"day":5,"time":"10:00"},"send":{"class":"service","message":`+says+`}}]}`), &d))
	row, err := w.SOPs.Save(t.Context(), sop.Input{Definition: d})
	require.NoError(t, err)
	_, err = w.SOPs.Enable(t.Context(), row.ID)
	require.NoError(t, err)

	w.Set("2026-11-28 12:00:00")
	id := map[string]int64{}
	for _, name := range []string{"both", "between", "late", "deaf", "quiet"} {
		p, m := w.Member(name)
		id[name] = m
		if name != "deaf" {
			_, err := p.Act(t.Context(), "accept", map[string]any{"account": "mp", "template": "TPL_ACTIVITY", "times": 20})
			require.NoError(t, err)
		}
	}
	w.Settle()
	n := 0
	orders := func(at string, names ...string) {
		w.Set(at)
		for _, name := range names {
			n++
			now, fen := w.Now(), int64(100)
			_, err := w.Orders.Push(t.Context(), order.Push{Platform: "jd", No: fmt.Sprint(n), Status: model.OrderPaid, MemberID: id[name], PaidAt: &now, AmountFen: &fen})
			require.NoError(t, err)
		}
	}
	orders("2026-11-29 12:00:00", "both", "deaf")
	orders("2026-11-30 12:00:00", "between") // two days after the first: neither's
	orders("2026-12-02 11:00:00", "both")
	orders("2026-12-04 09:59:59", "late")
	orders("2026-12-04 11:00:00", "both") // too late
	w.Settle()

	s := report.New(w.DB, w.App.Clock, w.Zone)
	look := func(step string, days int) (report.Result, *report.SOP) {
		p, err := s.SOP(w.Reach, row.ID, step, days)
		require.NoError(t, err)
		r, err := p.Results(t.Context())
		require.NoError(t, err)
		require.Len(t, r.Groups, 1)
		return r.Groups[0], p
	}
	g, p := look("", 2)
	require.Equal(t, []int64{5, 4, 1, 0}, []int64{g.People, g.Sent, g.Skipped, g.Opened})
	require.Equal(t, []int64{2, 3}, []int64{g.Ordered, g.Orders})
	require.Len(t, g.Reasons, 1)
	require.EqualValues(t, 1, g.Reasons[0].Count, "a person counts once, whatever he did not get")
	for what, want := range map[string][]string{
		report.DidBelong: {"both", "between", "late", "deaf", "quiet"}, report.DidGet: {"both", "between", "late", "quiet"}, report.DidSkip: {"deaf"}, report.DidOrder: {"both", "late"},
		report.DidCheckIn: {}, report.DidOpen: {},
	} {
		who, err := p.Who(t.Context(), report.GroupAll, what)
		require.NoError(t, err)
		var ids []int64
		for _, name := range want {
			ids = append(ids, id[name])
		}
		require.ElementsMatch(t, ids, report.After(who, 0, 9), what)
	}
	g, _ = look("", 10) // both messages come before the orders of December: each is one order
	require.Equal(t, []int64{3, 5}, []int64{g.Ordered, g.Orders})
	g, _ = look("hello", 2)
	require.Equal(t, []int64{1, 1}, []int64{g.Ordered, g.Orders})
	g, _ = look("again", 2)
	require.Equal(t, []int64{2, 2}, []int64{g.Ordered, g.Orders})

	_, err = p.Who(t.Context(), report.GroupHeld, report.DidOrder)
	require.Equal(t, errs.Invalid, errs.CodeOf(err))
	_, err = p.Who(t.Context(), report.GroupAll, "x")
	require.Equal(t, errs.Invalid, errs.CodeOf(err))
	_, err = s.SOP(w.Reach, row.ID, "", 91)
	require.Equal(t, errs.Invalid, errs.CodeOf(err))
}
