package playbook_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/wechat/sandbox/phone"
)

// earning is the practice of P37 in what concerns the task list, with numbers.
type earning struct {
	register, birthday, checkin, survey, store, goal int64
	days                                             int // of check-ins that the goal counts
}

// taskEntry is one line of the task list.
type taskEntry struct {
	ID, Code, Title, Link, State, Repeats string
	Left                                  *int64 `json:"left_today"`
}

func (s *siyu) tasks(p *phone.Person) map[string]taskEntry {
	s.t.Helper()
	var out struct{ Tasks []taskEntry }
	require.NoError(s.t, p.API(s.ctx(), "GET", "/home", nil, &out))
	all := map[string]taskEntry{}
	for _, e := range out.Tasks {
		all[e.Title] = e
	}
	return all
}

func TestP37TaskList(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]earning{
		"TheBrand":     {register: 50, birthday: 20, checkin: 5, survey: 30, store: 10, goal: 15, days: 2},
		"AnotherBrand": {register: 8, birthday: 3, checkin: 2, survey: 11, store: 7, goal: 9, days: 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p.run(t)
		})
	}
}

func (p earning) run(t *testing.T) {
	s := open(t, "2026-11-23 09:00:00")
	once := []obj{{"period": "lifetime", "times": 1}}
	s.rule("register", "member.registered", obj{"grants": []obj{gives("points", p.register)}})
	s.rule("birthday", "profile.birthday", obj{"grants": []obj{gives("points", p.birthday)}})
	checkin := s.rule("checkin", "checkin.done", obj{"grants": []obj{gives("points", p.checkin)}})
	s.rule("survey", "behavior.survey", obj{"grants": []obj{gives("points", p.survey)}, "caps": once})
	s.rule("store", "behavior.store", obj{"grants": []obj{gives("points", p.store)}, "caps": []obj{{"period": "day", "times": 1}}})
	s.rule("goal", "task.claimed", obj{"condition": obj{"leaf": "event.field", "field": "task", "op": "eq", "value": "days"}, "grants": []obj{gives("points", p.goal)}})
	dressed := obj{"code": "checkin", "rule_id": checkin, "title_zh": "天天签到", "link": "pages/checkin/index"}
	dress := s.create("/tasks", dressed)
	goal := s.create("/tasks", obj{"code": "days", "title_zh": "连签有礼", "counts": "checkin.done", "goal": p.days, "period": "lifetime", "claimed": true})

	m := s.come()
	tasks := s.tasks(m)
	require.Equal(t, "done", tasks["register"].State)
	require.Equal(t, "once", tasks["register"].Repeats)
	for _, title := range []string{"birthday", "天天签到", "survey", "store", "连签有礼"} {
		require.Equal(t, "open", tasks[title].State, title)
		require.EqualValues(t, 1, *tasks[title].Left, title)
	}
	require.Equal(t, "pages/checkin/index", tasks["天天签到"].Link)
	require.Equal(t, p.register, s.balance(m))

	require.NoError(t, m.API(t.Context(), "PUT", "/profile", obj{"birthday": "1998-11-30"}, nil))
	require.NoError(t, m.API(t.Context(), "POST", "/checkins", nil, nil))
	total := p.register + p.birthday + p.checkin
	require.Equal(t, total, s.balance(m))
	tasks = s.tasks(m)
	require.Equal(t, "done", tasks["birthday"].State)
	require.Equal(t, "done", tasks["天天签到"].State)
	require.Zero(t, *tasks["天天签到"].Left)
	require.Equal(t, "THRESHOLD_NOT_MET", refusal(t, m.API(t.Context(), "POST", "/tasks/"+goal+"/claims", nil, nil)).Code)

	for n := 1; n < p.days; n++ {
		s.advance("24h")
		require.Equal(t, "open", s.tasks(m)["天天签到"].State, "another day")
		require.NoError(t, m.API(t.Context(), "POST", "/checkins", nil, nil))
		total += p.checkin
	}
	require.Equal(t, "claimable", s.tasks(m)["连签有礼"].State)
	require.NoError(t, m.API(t.Context(), "POST", "/tasks/"+goal+"/claims", nil, nil))
	require.Equal(t, "LIMIT_REACHED", refusal(t, m.API(t.Context(), "POST", "/tasks/"+goal+"/claims", nil, nil)).Code)
	total += p.goal
	require.Equal(t, total, s.balance(m))

	// Switched off, a task is gone with the next call; its rule goes on until it is switched off too.
	dressed["enabled"] = false
	s.do("PUT", "/tasks/"+dress, dressed)
	require.NotContains(t, s.tasks(m), "天天签到")
	s.advance("24h")
	require.NoError(t, m.API(t.Context(), "POST", "/checkins", nil, nil))
	require.Equal(t, total+p.checkin, s.balance(m))
}
