package sop_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/sop"
)

// Each number of a report opens as many rows as it says, page by page.
func TestANumberOpensItsList(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.enabled(`{"name":"新人","entry":{"event":"member.registered"},"exit":[{"event":"checkin.done"}],"goal":{"event":"order.paid","days":3},"steps":[
		{"key":"hello","send":{"class":"service","message":` + says("hi") + `}},
		{"key":"d2","when":{"day":2,"time":"10:00"},"send":{"class":"service","message":` + says("again") + `}}]}`)
	w.Set("2026-11-28 12:00:00")
	_, buys := w.member("buys")
	_, late := w.member("late")
	_, leaves := w.member("leaves")
	_, deaf := w.Member("accepts nothing")
	w.Settle()
	w.order(buys, "A1", 100)
	w.checkin(leaves)
	w.Set("2026-12-04 12:00:00")
	w.order(late, "A2", 100)
	w.Settle()
	_, stands := w.member("stands")
	w.Settle()

	r, err := w.SOPs.Report(t.Context(), p.ID)
	require.NoError(t, err)
	for outcome, c := range map[string]struct {
		n   int64
		who []int64
	}{
		"entered": {r.Entered, []int64{buys, late, leaves, deaf, stands}}, "running": {r.Running, []int64{stands}}, "sent": {r.Reached, []int64{buys, late, leaves, stands}},
		"goal": {r.Goal, []int64{buys}}, "done": {r.Done, []int64{buys, late, deaf}}, "exited": {r.Exited, []int64{leaves}}, "opened": {r.Opened, nil},
		"skipped": {2, []int64{deaf, leaves}},
	} {
		require.EqualValues(t, len(c.who), c.n, outcome)
		who := sop.Who{Outcome: outcome}
		var got []int64
		for last := int64(0); ; {
			rows, err := w.SOPs.Members(t.Context(), p.ID, who, last, 2)
			require.NoError(t, err)
			for _, row := range rows {
				got = append(got, row.MemberID)
				last = row.EnrolmentID
			}
			if len(rows) < 2 {
				break
			}
		}
		require.ElementsMatch(t, c.who, got, outcome)
		set, err := w.SOPs.People(t.Context(), p.ID, who)
		require.NoError(t, err)
		require.EqualValues(t, len(c.who), set.GetCardinality(), outcome)
	}
	sum := map[string]int64{}
	for _, s := range r.Skipped {
		sum[s.Reason] = s.Count
		rows, err := w.SOPs.Members(t.Context(), p.ID, sop.Who{Outcome: "skipped", Reason: s.Reason}, 0, 9)
		require.NoError(t, err)
		require.Len(t, rows, int(s.Count), s.Reason)
	}
	require.Equal(t, map[string]int64{"EXITED": 1, "NO_QUOTA": 1}, sum)
	rows, err := w.SOPs.Members(t.Context(), p.ID, sop.Who{Step: "d2", Outcome: sop.Reached}, 0, 9)
	require.NoError(t, err)
	require.Len(t, rows, int(r.Steps[1].Goal))
	_, err = w.SOPs.People(t.Context(), p.ID, sop.Who{Outcome: "nothing"})
	require.Equal(t, errs.NotFound, errs.CodeOf(err))
}
