package sop_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/sop"
	"github.com/siyu-scrm/siyu/model"
)

// newcomers is the first SOP of P27: entered by registering, left by an order.
var newcomers = `{"name":"新会员","entry":{"event":"member.registered"},"exit":[{"event":"order.paid"}],"goal":{"event":"order.paid","days":7},"steps":[
	{"key":"hello","send":{"class":"service","message":` + says("首购优惠") + `,"grants":{"amount":50}}},
	{"key":"d3","when":{"day":3,"time":"10:00"},"send":{"message":` + says("三天") + `,"condition":{"leaf":"orders","measure":"count","op":"eq","value":0}}},
	{"key":"d7","when":{"day":7,"time":"10:00"},"send":{"message":` + says("七天") + `}}]}`

func TestSteps(t *testing.T) {
	t.Parallel()
	t.Run("AreSentOnTheirDays", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		p := w.enabled(newcomers)
		w.Set("2026-11-28 12:00:00")
		_, n1 := w.member("N1")
		w.Settle()
		require.Equal(t, []string{"11-28 12:00 hello: accepted"}, w.lines(p.ID, n1))
		require.EqualValues(t, 50, w.Points(n1))
		w.Set("2026-11-30 22:30:00")
		_, n2 := w.member("N2")
		w.Settle()
		require.Equal(t, []string{"11-30 22:30 hello: accepted"}, w.lines(p.ID, n2), "service messages know no quiet hours")
		w.Set("2026-12-10 00:00:00")
		require.Equal(t, []string{"11-28 12:00 hello: accepted", "12-01 10:00 d3: accepted", "12-05 10:00 d7: accepted"}, w.lines(p.ID, n1))
		require.Equal(t, []string{"11-30 22:30 hello: accepted", "12-03 10:00 d3: accepted", "12-07 10:00 d7: accepted"}, w.lines(p.ID, n2))
		require.EqualValues(t, 50, w.Points(n1), "once")
		e := w.enrolments(n1)
		require.Len(t, e, 1)
		require.Equal(t, model.EnrolmentEnded, e[0].State)
		require.Equal(t, model.EnrolmentDone, e[0].Reason)
		w.Verified()
	})
	t.Run("WhoLeavesIsShownOnceAtHisNextStep", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		p := w.enabled(newcomers)
		w.Set("2026-11-28 12:00:00")
		_, id := w.member("N1")
		w.Set("2026-12-02 15:00:00")
		w.order(id, "A1", 9900)
		require.Equal(t, model.EnrolmentLeaving, w.enrolments(id)[0].State)
		w.Set("2026-12-05 09:59:59")
		require.Len(t, w.lines(p.ID, id), 2)
		w.Set("2026-12-31 00:00:00")
		require.Equal(t, []string{"11-28 12:00 hello: accepted", "12-01 10:00 d3: accepted", "12-05 10:00 d7: EXITED"}, w.lines(p.ID, id))
		e := w.enrolments(id)[0]
		require.Equal(t, model.EnrolmentEnded, e.State)
		require.Equal(t, model.EnrolmentExited, e.Reason)
		require.NotNil(t, e.GoalAt)
	})
	t.Run("AStepWhoseTimeIsOverIsNotSentLate", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		p := w.enabled(`{"name":"早安","entry":{"event":"member.registered"},"steps":[
			{"key":"a","when":{"day":0,"time":"10:00"},"send":{"message":` + says("a") + `}},
			{"key":"b","when":{"after":"2h"},"send":{"message":` + says("b") + `}}]}`)
		w.Set("2026-11-24 12:00:00")
		_, late := w.member("late")
		w.Set("2026-11-25 10:00:00")
		_, just := w.member("just")
		w.Set("2026-11-26 00:00:00")
		require.Equal(t, []string{"11-24 14:00 b: accepted"}, w.lines(p.ID, late))
		require.Equal(t, []string{"a: missed", "b: run"}, w.passes(late))
		require.Equal(t, []string{"11-25 10:00 a: accepted", "11-25 12:00 b: FREQ_CAP"}, w.lines(p.ID, just))
	})
	t.Run("ABranchAndAWaitLeadOn", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		p := w.enabled(`{"name":"分支","entry":{"event":"member.registered"},"steps":[
			{"key":"wait","wait":{"event":"checkin.done","timeout":"24h"},"next":"rich","otherwise":"nudge"},
			{"key":"nudge","send":{"message":` + says("nudge") + `},"next":"end"},
			{"key":"rich","branch":{"condition":{"leaf":"account","account":"points","op":"gte","value":10}},"next":"thanks","otherwise":"end"},
			{"key":"thanks","when":{"after":"1h"},"send":{"message":` + says("thanks") + `}}]}`)
		_, idle := w.member("idle")
		_, poor := w.member("poor")
		_, rich := w.member("rich")
		w.give(rich, 10)
		w.Set("2026-11-23 12:00:00")
		w.checkin(poor)
		w.checkin(rich)
		w.Set("2026-11-26 00:00:00")
		require.Equal(t, []string{"wait: timeout", "nudge: run"}, sorted(w.passes(idle), "wait"))
		require.Equal(t, []string{"11-24 09:00 nudge: accepted"}, w.lines(p.ID, idle))
		require.Equal(t, []string{"wait: happened", "rich: no"}, sorted(w.passes(poor), "wait"))
		require.Empty(t, w.lines(p.ID, poor))
		require.Equal(t, []string{"11-23 13:00 thanks: accepted"}, w.lines(p.ID, rich))
	})
	t.Run("ByTheClockWhoMeetsTheConditionAndIsNotInIt", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		_, rich := w.member("rich")
		_, poor := w.member("poor")
		w.give(rich, 100)
		for _, mode := range []string{`"never"`, `"always"`, `"after","days":14`} {
			name, _, _ := strings.Cut(mode, ",")
			w.enabled(`{"name":` + name + `,"class":"service","entry":{"cron":"0 10 * * 1","condition":{"leaf":"account","account":"points","op":"gte","value":100}},
				"reentry":{"mode":` + mode + `},"steps":[{"key":"a","send":{"message":` + says("a") + `}},{"key":"b","when":{"day":3,"time":"11:00"},"send":{"message":` + says("b") + `}}]}`)
		}
		w.Set("2026-12-15 00:00:00") // Mondays: 11-23, 11-30, 12-07, 12-14
		require.Empty(t, w.enrolments(poor))
		n := map[int64]int{}
		for _, e := range w.enrolments(rich) {
			n[e.SOPID]++
		}
		require.Equal(t, map[int64]int{1: 1, 2: 4, 3: 2}, n)
		require.Equal(t, []string{"11-23 10:00 a: accepted", "11-26 11:00 b: accepted"}, w.lines(1, rich))
	})
}

func TestPause(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.enabled(newcomers)
	_, id := w.member("N1") // 11-23
	w.Settle()
	_, err := w.SOPs.Pause(t.Context(), p.ID)
	require.NoError(t, err)
	w.Set("2026-11-26 10:30:00")
	_, late := w.member("in the pause")
	_, err = w.SOPs.Resume(t.Context(), p.ID)
	require.NoError(t, err)
	w.Set("2026-12-15 00:00:00")
	require.Equal(t, []string{"11-23 09:00 hello: accepted", "11-30 10:00 d7: accepted"}, w.lines(p.ID, id), "what fell due in the pause is not sent")
	require.Equal(t, []string{"hello: run", "d3: missed", "d7: run"}, sorted(w.passes(id), "hello"))
	require.Empty(t, w.enrolments(late))
}

func TestVersions(t *testing.T) {
	t.Parallel()
	for _, move := range []bool{false, true} {
		w := newWorld(t)
		p := w.enabled(newcomers)
		_, id := w.member("N1")
		w.Settle()
		d := w.definition(newcomers)
		five := 5
		d.Steps[1].When.Day = &five
		d.Steps = d.Steps[:2]
		_, err := w.SOPs.Save(t.Context(), sop.Input{ID: p.ID, Definition: d, Move: move})
		require.NoError(t, err)
		w.Set("2026-12-15 00:00:00")
		if move {
			require.Equal(t, []string{"11-23 09:00 hello: accepted", "11-28 10:00 d3: accepted"}, w.lines(p.ID, id))
		} else {
			require.Equal(t, []string{"11-23 09:00 hello: accepted", "11-26 10:00 d3: accepted", "11-30 10:00 d7: accepted"}, w.lines(p.ID, id))
		}
	}
}
