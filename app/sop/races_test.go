package sop_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app"
	"github.com/siyu-scrm/siyu/app/audience"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/sop"
	"github.com/siyu-scrm/siyu/model"
)

// process is another siyu on the same database.
func (w *world) process() *app.App {
	a := app.New(w.Deps)
	a.Seal()
	return a
}

func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	t.Run("DecideAboutAnEnrolmentOnce", func(t *testing.T) {
		t.Parallel()
		const n = 12
		w := newWorld(t)
		p := w.enabled(`{"name":"两步","class":"service","entry":{"cron":"0 10 * * *","condition":{"leaf":"member","field":"joined","value":true}},"steps":[
			{"key":"a","send":{"message":` + says("a") + `,"grants":{"amount":5}}},
			{"key":"fork","branch":{"condition":{"leaf":"account","account":"points","op":"gte","value":5}},"otherwise":"end"},
			{"key":"b","when":{"after":"1h"},"send":{"message":` + says("b") + `,"grants":{"amount":3}}}]}`)
		var ids []int64
		for i := range n {
			_, id := w.member(fmt.Sprint("m", i))
			ids = append(ids, id)
		}
		w.Settle()
		services := []*sop.Service{w.SOPs, w.process().SOPs, w.process().SOPs}
		for _, at := range []string{"2026-11-23 10:00:00", "2026-11-23 11:00:00"} {
			w.Jump(at)
			var wg sync.WaitGroup
			failed := make([]error, len(services))
			for i, s := range services {
				wg.Go(func() {
					for idle := 0; idle < 3; { // another may have been quicker with this piece
						did, err := s.Work(t.Context())
						if err != nil {
							failed[i] = err
							return
						}
						if idle++; did {
							idle = 0
						}
					}
				})
			}
			wg.Wait()
			for _, err := range failed {
				require.NoError(t, err)
			}
			w.Settle()
		}
		for _, id := range ids {
			require.EqualValues(t, 8, w.Points(id))
			require.Equal(t, []string{"a: run", "fork: yes", "b: run"}, sorted(w.passes(id), "a"))
			require.Equal(t, []string{"11-23 10:00 a: accepted", "11-23 11:00 b: accepted"}, w.lines(p.ID, id))
			require.Len(t, w.enrolments(id), 1)
		}
		require.EqualValues(t, 2, w.Count(&model.SOPFiring{}, "kind = ? AND step IN ('a', 'b')", model.FiringStep), "one firing of each message")
		w.Verified()
	})

	t.Run("LetAMemberInOnce", func(t *testing.T) {
		t.Parallel()
		for mode, want := range map[string]int{"never": 1, "always": 1} { // he runs: nobody is in a SOP twice at once
			w := newWorld(t)
			p := w.enabled(`{"name":"进","class":"service","entry":{"event":"behavior.visit"},"reentry":{"mode":"` + mode + `"},"steps":[
				{"key":"a","when":{"day":1,"time":"10:00"},"send":{"message":` + says("a") + `,"grants":{"amount":5}}}]}`)
			_, id := w.member("N")
			w.Settle()
			apps := []*app.App{w.App, w.process()}
			var wg sync.WaitGroup
			failed := make([]error, 8)
			for i := range failed {
				wg.Go(func() {
					b := event.Behavior{MemberID: id, Action: "visit", Key: fmt.Sprint("k", i), OccurredAt: w.Now()}
					_, failed[i] = apps[i%2].Events.Record(t.Context(), "test", b, w.LockMember)
				})
			}
			wg.Wait()
			for _, err := range failed {
				require.NoError(t, err)
			}
			require.Len(t, w.enrolments(id), want)
			w.Set("2026-11-24 12:00:00")
			require.Equal(t, []string{"11-24 10:00 a: accepted"}, w.lines(p.ID, id))
			require.EqualValues(t, 5, w.Points(id))
		}
	})
}

func TestMerge(t *testing.T) {
	t.Parallel()
	for mode, points := range map[string]int64{"never": 50, "always": 100} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			p := w.enabled(`{"name":"欢迎","class":"service","entry":{"event":"member.registered"},"reentry":{"mode":"` + mode + `"},"steps":[
				{"key":"a","send":{"message":` + says("a") + `,"grants":{"amount":50}}},
				{"key":"b","when":{"day":3,"time":"10:00"},"send":{"message":` + says("b") + `,"grants":{"amount":7}}}]}`)
			_, first := w.member("first")
			w.Set("2026-11-24 12:00:00")
			_, second := w.member("second")
			w.Settle()
			require.EqualValues(t, 50, w.Points(first))
			require.EqualValues(t, 50, w.Points(second))
			m, err := w.Members.Merge(t.Context(), first, second, "test")
			require.NoError(t, err)
			require.Equal(t, points, w.Points(m.ID), "what a SOP gives a member once he keeps once")
			w.Set("2026-12-10 00:00:00")
			require.Equal(t, points+7, w.Points(m.ID), "one of the two goes on")
			var reasons []string
			for _, e := range w.enrolments(m.ID) {
				reasons = append(reasons, e.Reason)
			}
			require.Equal(t, []string{model.EnrolmentDone, model.EnrolmentMerged}, reasons)
			require.Len(t, w.lines(p.ID, first), 2)
			w.Verified()
		})
	}
	t.Run("AnUndoGivesItAgain", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.enabled(`{"name":"欢迎","class":"service","entry":{"event":"member.registered"},"steps":[{"key":"a","send":{"message":` + says("a") + `,"grants":{"amount":50}}}]}`)
		_, first := w.member("first")
		_, second := w.member("second")
		w.Settle()
		m, err := w.Members.Merge(t.Context(), first, second, "test")
		require.NoError(t, err)
		require.EqualValues(t, 50, w.Points(m.ID))
		_, err = w.Members.UndoMerge(t.Context(), first+second-m.ID)
		require.NoError(t, err)
		require.EqualValues(t, 50, w.Points(first))
		require.EqualValues(t, 50, w.Points(second))
		_, err = w.Members.Merge(t.Context(), first, second, "again")
		require.NoError(t, err)
		w.Verified()
	})
	t.Run("TheOneThatIsFurtherGoesOn", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		p := w.enabled(`{"name":"等","class":"service","entry":{"event":"member.registered"},"steps":[
			{"key":"wait","wait":{"event":"checkin.done","timeout":"240h"},"otherwise":"end"},
			{"key":"b","send":{"message":` + says("b") + `,"grants":{"amount":7}}},
			{"key":"c","when":{"after":"1h"},"send":{"message":` + says("c") + `}}]}`)
		_, first := w.member("first")
		w.Advance(time.Hour)
		_, second := w.member("second")
		w.checkin(second)
		w.Settle()
		m, err := w.Members.Merge(t.Context(), first, second, "test")
		require.NoError(t, err)
		w.Advance(30 * time.Hour)
		w.checkin(m.ID)
		w.Set("2026-12-10 00:00:00")
		require.Len(t, append(w.lines(p.ID, first), w.lines(p.ID, second)...), 2, "b and c once")
		var gifts int64
		require.NoError(t, w.DB.Reader(t.Context()).Model(&model.Entry{}).Where("reason = ?", sop.Reason).Count(&gifts).Error)
		require.EqualValues(t, 1, gifts)
	})
}

func TestWhatWaitsIsNotSentAfterTheExit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.enabled(`{"name":"夜","entry":{"event":"member.registered"},"exit":[{"event":"order.paid"}],"steps":[{"key":"a","send":{"message":` + says("a") + `}}]}`)
	w.Set("2026-11-24 22:30:00")
	_, leaves := w.member("leaves")
	_, stays := w.member("stays")
	w.Settle()
	require.Equal(t, []string{"11-24 22:30 a: QUIET_HOURS"}, w.lines(p.ID, leaves))
	w.Set("2026-11-24 23:00:00")
	w.order(leaves, "A1", 9900)
	w.Set("2026-11-25 09:00:00")
	require.Equal(t, []string{"11-25 08:00 a: EXITED"}, w.lines(p.ID, leaves))
	require.Equal(t, []string{"11-25 08:00 a: accepted"}, w.lines(p.ID, stays))
}

// down lets siyu be down until the moment.
func (w *world) down(at string) {
	w.T.Helper()
	w.Jump(at)
	w.Settle()
}

func TestMissed(t *testing.T) {
	t.Parallel()
	alerts := func(w *world) int64 { return w.Count(&model.Risk{}, "kind = ?", model.RiskRunMissed) }
	for _, late := range []time.Duration{sop.CatchUp, sop.CatchUp + time.Second} {
		t.Run(fmt.Sprint("AStep", late), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			p := w.enabled(newcomers)
			_, id := w.member("N")
			w.Settle()
			w.down(w.Zone.In(w.At("2026-11-26 10:00:00").Add(late)).Format("2006-01-02 15:04:05"))
			if late == sop.CatchUp {
				require.Equal(t, []string{"11-23 09:00 hello: accepted", "11-26 11:00 d3: accepted"}, w.lines(p.ID, id))
				require.Zero(t, alerts(w))
				return
			}
			require.Len(t, w.lines(p.ID, id), 1)
			require.Equal(t, []string{"hello: run", "d3: missed"}, sorted(w.passes(id), "hello"))
			require.EqualValues(t, 1, alerts(w))
			require.EqualValues(t, 1, w.Count(&model.Run{}, "state = ?", model.RunMissed))
			w.Set("2026-12-15 00:00:00")
			require.Equal(t, []string{"11-23 09:00 hello: accepted", "11-30 10:00 d7: accepted"}, w.lines(p.ID, id), "the next step is not missed")
			require.EqualValues(t, 1, alerts(w))
		})
		t.Run(fmt.Sprint("AnEntryByTheClock", late), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.enabled(`{"name":"周三","class":"service","entry":{"cron":"0 10 * * 3","condition":{"leaf":"member","field":"joined","value":true}},"steps":[{"key":"a","send":{"message":` + says("a") + `}}]}`)
			_, id := w.member("N")
			w.Settle()
			w.down(w.Zone.In(w.At("2026-11-25 10:00:00").Add(late)).Format("2006-01-02 15:04:05"))
			in := late == sop.CatchUp
			require.Equal(t, in, len(w.enrolments(id)) == 1)
			require.Equal(t, in, alerts(w) == 0)
			w.Set("2026-12-02 12:00:00")
			require.Len(t, w.enrolments(id), 1, "the next one lets him in")
		})
	}
	t.Run("WhatAnOperatorPausedIsNoAlert", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		p := w.enabled(newcomers)
		_, id := w.member("N")
		w.Settle()
		_, err := w.SOPs.Pause(t.Context(), p.ID)
		require.NoError(t, err)
		w.Set("2026-11-26 15:00:00")
		_, err = w.SOPs.Resume(t.Context(), p.ID)
		require.NoError(t, err)
		w.Settle()
		require.Contains(t, w.passes(id), "d3: missed")
		require.Zero(t, alerts(w))
	})
}

func TestAnAudienceInUseStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	saved, err := w.Audience.Save(t.Context(), audience.Input{Name: "会员", Condition: condition.Is("member", map[string]any{"field": "joined", "value": true})})
	require.NoError(t, err)
	leaf := fmt.Sprintf(`{"leaf":"audience","audience_id":"%d"}`, saved.ID)
	five := w.enabled(`{"name":"a","entry":{"cron":"0 10 * * *","condition":` + leaf + `},"steps":[{"key":"a","send":{"message":` + says("a") + `}},{"key":"b","when":{"day":30,"time":"10:00"},"send":{"message":` + says("b") + `}}]}`)
	require.Equal(t, errs.Conflict, errs.CodeOf(w.Audience.Delete(t.Context(), saved.ID)))
	_, id := w.member("N")
	w.Set("2026-11-23 12:00:00")
	require.Len(t, w.enrolments(id), 1)
	d := w.definition(`{"name":"a","entry":{"cron":"0 10 * * *"},"steps":[{"key":"a","send":{"message":` + says("a") + `}}]}`)
	_, err = w.SOPs.Save(t.Context(), sop.Input{ID: five.ID, Definition: d})
	require.NoError(t, err)
	require.Equal(t, errs.Conflict, errs.CodeOf(w.Audience.Delete(t.Context(), saved.ID)), "somebody still runs by the version that asks for it")
	_, err = w.SOPs.Stop(t.Context(), five.ID)
	require.NoError(t, err)
	require.NoError(t, w.Audience.Delete(t.Context(), saved.ID))
}
