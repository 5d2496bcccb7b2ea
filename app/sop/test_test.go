package sop_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/app/sop"
	"github.com/siyu-scrm/siyu/model"
)

func TestTestSend(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.enabled(`{"name":"新人","entry":{"event":"member.registered"},"steps":[
		{"key":"d3","when":{"day":3,"time":"10:00"},"send":{"message":{"text":"第三天","channels":["customer","mass"]},"grants":{"amount":9}}},
		{"key":"wait","wait":{"event":"checkin.done","timeout":"24h"}}]}`)
	w.Set("2026-11-28 23:30:00")
	who, id := w.member("N1")
	w.Act(who, "follow", map[string]any{"account": "oa"})
	w.Settle()
	before := w.enrolments(id)
	require.Len(t, before, 1)
	for range 2 {
		_, err := w.SOPs.Test(t.Context(), p.ID, "d3", []int64{id})
		require.NoError(t, err)
		w.Settle()
	}
	require.Equal(t, before, w.enrolments(id), "he stands where he stood")
	require.Empty(t, w.passes(id))
	require.Zero(t, w.Points(id), "nothing is given")
	require.Zero(t, w.Count(&model.ReachUse{}), "no cap counts it")
	runs, err := w.Reach.Runs(t.Context(), sop.SourceTest, p.ID, 0, 9)
	require.NoError(t, err)
	require.Len(t, runs, 2)
	for _, r := range runs {
		counts, err := w.Reach.Counts(t.Context(), r.ID)
		require.NoError(t, err)
		require.EqualValues(t, 1, counts.Accepted, "also in quiet hours")
		var m reach.Message
		require.NoError(t, r.Message.Into(&m))
		require.Equal(t, reach.TestMark+"第三天", m.Text)
		require.Equal(t, []string{reach.Customer}, m.Channels)
	}
	report, err := w.SOPs.Report(t.Context(), p.ID)
	require.NoError(t, err)
	require.Zero(t, report.Reached)
	require.Zero(t, report.Steps[0].Counts.Audience)
	w.Set("2026-11-30 12:00:00")
	w.Act(who, "text", map[string]any{"account": "oa", "content": "在吗"})
	w.Set("2026-12-01 11:00:00")
	require.Equal(t, []string{"12-01 10:00 d3: accepted"}, w.lines(p.ID, id), "the real one comes")

	for _, step := range []string{"", "wait", "gone"} {
		_, err := w.SOPs.Test(t.Context(), p.ID, step, []int64{id})
		require.Equal(t, errs.Invalid, errs.CodeOf(err), step)
	}
	for _, ids := range [][]int64{nil, make([]int64, 21)} {
		_, err := w.SOPs.Test(t.Context(), p.ID, "d3", ids)
		require.Equal(t, errs.Invalid, errs.CodeOf(err))
	}
	_, err = w.SOPs.Test(t.Context(), 999, "d3", []int64{id})
	require.Equal(t, errs.NotFound, errs.CodeOf(err))
}
