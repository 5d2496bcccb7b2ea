package playbook_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/wechat/sandbox/phone"
)

// memberDay is the practice of P10: one push a week to all members, by mass send.
type memberDay struct {
	cron     string
	normal   int // members who can be reached
	before   string
	push     string // the first firing
	again    string // the operator tries a second one that day
	next     string // a week later
	rest     []string
	fifth    string // the fifth firing of one month
	newcomer string // when everybody comes
}

func TestP10MemberDay(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]memberDay{
		"EveryWednesdayAtTen": {
			cron: "0 10 * * 3", normal: 3, newcomer: "2026-11-23 12:00:00", before: "2026-11-25 09:59:59", push: "2026-11-25 10:00:00", again: "2026-11-25 15:00:00",
			next: "2026-12-02 10:00:00", rest: []string{"2026-12-09 10:00:00", "2026-12-16 10:00:00", "2026-12-23 10:00:00"}, fifth: "2026-12-30 10:00:00",
		},
		"EveryFridayEvening": {
			cron: "30 18 * * 5", normal: 5, newcomer: "2026-12-23 08:00:00", before: "2026-12-25 18:29:59", push: "2026-12-25 18:30:00", again: "2026-12-25 21:59:00",
			next: "2027-01-01 18:30:00", rest: []string{"2027-01-08 18:30:00", "2027-01-15 18:30:00", "2027-01-22 18:30:00"}, fifth: "2027-01-29 18:30:00",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p.play(t)
		})
	}
}

func (p memberDay) play(t *testing.T) {
	s := open(t, p.newcomer)
	var members []*phone.Person
	for range p.normal + 2 {
		m := s.person("")
		s.act(m, "follow", nil)
		s.register(m, "")
		members = append(members, m)
	}
	normal, left, optedOut := members[:p.normal], members[p.normal], members[p.normal+1]
	s.act(left, "unfollow", nil)
	require.NotEmpty(t, s.text(optedOut, "退订"))

	const text = "会员日:新品三明治 9 折,冰皮月饼 19.90。"
	id := s.broadcast(obj{"name": "会员日", "cron": p.cron, "condition": joined, "message": obj{"text": text, "channels": []string{"mass"}}})
	require.Equal(t, at(p.push), s.nextRuns(id)[0], "saving it answers with the next firings")
	require.Equal(t, at(p.next), s.nextRuns(id)[1])

	s.set(p.before)
	require.Empty(t, s.runs(id))

	// 4: sent 3; m4 UNSUBSCRIBED, m5 OPTED_OUT.
	s.set(p.push)
	runs := s.runs(id)
	require.Len(t, runs, 1)
	require.Equal(t, counts{Audience: p.normal + 2, Accepted: p.normal, Suppressed: 2}, runs[0].Counts)
	require.Equal(t, reasons{"UNSUBSCRIBED": 1, "OPTED_OUT": 1}, s.run(runs[0].ID).reasons())
	for _, m := range normal {
		got := s.inbox(m, "mass")
		require.Len(t, got, 1)
		require.Equal(t, text, got[0].Content)
		require.True(t, at(p.push).Equal(got[0].Time), "%v", got[0].Time)
	}
	require.Empty(t, s.inbox(left, "mass"))
	require.Empty(t, s.inbox(optedOut, "mass"))

	// 5: 不会过分推送.
	s.set(p.again)
	second := s.broadcast(obj{"name": "再来一次", "condition": joined, "message": obj{"text": "还没来?", "channels": []string{"mass"}}})
	refused := s.refused("POST", "/broadcasts/"+second+"/run", obj{})
	require.Equal(t, "CONFLICT", refused.Code, "sending to everybody asks for their number")
	require.EqualValues(t, p.normal+2, refused.Details["audience"])
	run := s.send(second, p.normal+2)
	require.Equal(t, counts{Audience: p.normal + 2, Suppressed: p.normal + 2}, run.Counts)
	require.Equal(t, reasons{"FREQ_CAP": p.normal, "UNSUBSCRIBED": 1, "OPTED_OUT": 1}, run.reasons())
	for _, m := range normal {
		require.Len(t, s.inbox(m, "mass"), 1)
	}

	// 7: next week, once.
	s.set(p.next)
	require.Len(t, s.runs(id), 2)
	for i, instant := range p.rest {
		s.set(instant)
		require.Len(t, s.runs(id), 3+i)
	}
	for _, m := range normal {
		require.Len(t, s.inbox(m, "mass"), 2+len(p.rest), "one a week")
	}

	// 7b: four mass sends were received this month.
	calls := len(s.calls(massPath))
	s.set(p.fifth)
	runs = s.runs(id)
	require.Len(t, runs, 3+len(p.rest))
	require.Equal(t, counts{Audience: p.normal + 2, Suppressed: p.normal + 2}, runs[0].Counts)
	require.Equal(t, reasons{"NO_QUOTA/monthly_used": p.normal, "UNSUBSCRIBED": 1, "OPTED_OUT": 1}, s.run(runs[0].ID).reasons())
	require.Len(t, s.calls(massPath), calls, "a call that would reach nobody is not made")
}
