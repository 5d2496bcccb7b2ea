package playbook_test

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/wechat/sandbox/phone"
)

// The edges of PLAYBOOKS §3 that the main job has.

// An older unsubscribe that arrives after a newer subscribe does not flip the state, nor the other way round.
func TestEdgePushesOutOfOrder(t *testing.T) {
	t.Parallel()
	s := open(t, "2026-11-23 09:05:00")
	oa, m := s.account("oa"), s.person("")
	me := s.openid(m.ID, "oa")
	push := func(event, instant string) {
		s.deliver(oa, s.xml(oa, me, at(instant), "MsgType", "event", "Event", event, "EventKey", ""))
	}
	s.deliver(oa, s.xml(oa, me, at("2026-11-23 09:00:11"), "MsgType", "text", "Content", "早", "MsgId", "1"))
	push("subscribe", "2026-11-23 09:00:10")
	require.True(t, s.facts(m).Follower, "the message came before the follow")
	push("unsubscribe", "2026-11-23 09:00:05")
	require.True(t, s.facts(m).Follower)
	push("unsubscribe", "2026-11-23 09:01:00")
	require.False(t, s.facts(m).Follower)
	push("subscribe", "2026-11-23 09:00:30")
	require.False(t, s.facts(m).Follower)
	push("subscribe", "2026-11-23 09:02:00")
	require.True(t, s.facts(m).Follower)
	require.Len(t, s.found(m), 1)
}

// The moment at which the member acted decides the day, in the programme's zone, also when the message comes later and the server stands
// elsewhere.
func TestEdgeOfTheDay(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ midnight, zone string }{{"2026-11-25", "America/Los_Angeles"}, {"2027-01-01", "UTC"}, {"2028-02-29", "Asia/Tokyo"}} {
		t.Run(c.midnight, func(t *testing.T) {
			t.Parallel()
			begin := at(c.midnight + " 00:00:00")
			s := open(t, begin.Add(-time.Hour).Format(time.DateTime), "TZ="+c.zone)
			s.checkinRule(5, 2, 20)
			first, second := s.come(), s.come()
			oa := s.account("oa")
			late := func(m *phone.Person, id string, when time.Time) {
				s.deliver(oa, s.xml(oa, s.openid(m.ID, "oa"), when, "MsgType", "text", "Content", "签到", "MsgId", id))
			}
			days := func(m *phone.Person) (all []string) {
				for _, month := range []string{begin.Add(-time.Second).Format("2006-01"), begin.Format("2006-01")} {
					var out struct{ Days []string }
					require.NoError(t, m.API(t.Context(), "GET", "/checkins?month="+month, nil, &out))
					if len(all) == 0 || month != begin.Add(-time.Second).Format("2006-01") {
						all = append(all, out.Days...)
					}
					if begin.Day() != 1 {
						break
					}
				}
				return all
			}
			s.set(begin.Add(3 * time.Minute).Format(time.DateTime))

			late(first, "11", begin.Add(-time.Second)) // written a second before midnight
			require.Equal(t, []string{begin.AddDate(0, 0, -1).Format(time.DateOnly)}, days(first))
			require.EqualValues(t, 5, s.balance(first))
			s.text(first, "签到")
			require.EqualValues(t, 5+5+20, s.balance(first), "two days in a row")
			require.Equal(t, 2, s.facts(first).Checkin.Streak)

			s.text(second, "签到") // today first, then yesterday arrives
			require.EqualValues(t, 5, s.balance(second))
			late(second, "12", begin.Add(-time.Second))
			require.Equal(t, 2, s.facts(second).Checkin.Streak, "a late day mends the streak")
			require.EqualValues(t, 5+5+20, s.balance(second), "and what it earns")
			late(second, "13", begin)
			require.EqualValues(t, 5+5+20, s.balance(second), "midnight itself is the new day")
			require.Len(t, days(second), 2)
		})
	}
}

// Who is no member yet is invited, and loses nothing of the day.
func TestEdgeCheckInBeforeRegistering(t *testing.T) {
	t.Parallel()
	s := open(t, "2026-11-23 09:00:00")
	s.checkinRule(5, 7, 20)
	m := s.person("")
	s.act(m, "follow", nil)
	require.NotEmpty(t, s.text(m, "签到"))
	s.register(m, "")
	require.Zero(t, s.balance(m))
	s.advance("1m")
	require.Contains(t, s.text(m, "签到"), "5")
	require.EqualValues(t, 5, s.balance(m))
}

// Twenty at once are one (DESIGN P2, P3).
func TestEdgeAtOnce(t *testing.T) {
	t.Parallel()
	s := open(t, "2026-11-23 12:00:00")
	p := liveShop{monday: "2026-11-23", welcome: 1, checkin: 5, days: 7, streak: 20, quiz: 10, article: 2, live: 10, group: 3, opens: "12:00:00", closes: "20:00:00", options: []string{"甲", "乙"}}
	operator := liveShopCalls{s}
	operator.rules(p)
	operator.tag("偏好", "答过")
	operator.quizzes(p, []int{0}, "答过")
	quiz := p.quizOn(s, 0)
	m := s.come()
	var done, refused atomic.Int64
	for _, c := range []struct {
		path string
		in   any
		text string
	}{{"/checkins", nil, "签到"}, {"/quizzes/" + quiz + "/answers", obj{"answer": "A"}, "A"}} {
		done.Store(0)
		refused.Store(0)
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = m.Act(s.ctx(), "text", obj{"content": c.text}) })
		require.NoError(t, each(20, 20, func(int) error {
			err := m.API(s.ctx(), "POST", c.path, c.in, nil)
			var r *phone.Refusal
			switch {
			case err == nil:
				done.Add(1)
			case errors.As(err, &r) && r.Status == http.StatusConflict:
				refused.Add(1)
			default:
				return err
			}
			return nil
		}))
		wg.Wait()
		require.LessOrEqual(t, done.Load(), int64(1))
		require.EqualValues(t, 20, done.Load()+refused.Load())
	}
	require.EqualValues(t, 1+5+10, s.balance(m))

	// The same key is the same request: every answer is the first one.
	s.advance("24h")
	answers := make([]checkin, 20)
	require.NoError(t, each(20, 20, func(i int) error {
		return m.API(s.ctx(), "POST", "/checkins", nil, &answers[i], "Idempotency-Key", "tap")
	}))
	for _, a := range answers {
		require.Equal(t, answers[0], a)
	}
	require.EqualValues(t, 1+5+10+5, s.balance(m))
}

// A rule counts as it was when the member acted.
func TestEdgeRuleChange(t *testing.T) {
	t.Parallel()
	s := open(t, "2026-11-23 09:00:00")
	definition := func(n int64) obj { return obj{"grants": []obj{gives("points", n)}} }
	id := s.rule("checkin", "checkin.done", definition(5))
	early, late := s.come(), s.come()
	s.set("2026-11-23 10:00:00")
	s.do("PUT", "/rules/"+id, obj{"name": "checkin", "trigger": "checkin.done", "definition": definition(9)})
	s.set("2026-11-23 10:05:00")
	oa := s.account("oa")
	s.deliver(oa, s.xml(oa, s.openid(early.ID, "oa"), at("2026-11-23 09:59:59"), "MsgType", "text", "Content", "签到", "MsgId", "1"))
	s.deliver(oa, s.xml(oa, s.openid(late.ID, "oa"), at("2026-11-23 10:00:00"), "MsgType", "text", "Content", "签到", "MsgId", "2"))
	require.EqualValues(t, 5, s.balance(early))
	require.EqualValues(t, 9, s.balance(late))
}

// A tag for so many acts within a rolling window goes at the instant at which there are no longer so many (P01-F, 常签到用户).
func TestEdgeCountedTag(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		times, days int
		begin, last string
		gone        string
	}{
		{15, 30, "2026-11-23 10:00:00", "2026-12-07 10:00:00", "2026-12-23 10:00:00"},
		{3, 7, "2027-02-26 23:59:59", "2027-02-28 23:59:59", "2027-03-05 23:59:59"},
	} {
		t.Run(fmt.Sprintf("%dIn%dDays", c.times, c.days), func(t *testing.T) {
			t.Parallel()
			s := open(t, c.begin)
			tag := s.tag("价值", "常签到用户")
			s.autoTag(tag, "常签到", obj{"leaf": "did", "event": "checkin.done", "op": "gte", "count": c.times, "window": fmt.Sprintf("%dd", c.days)})
			byHand := s.come()
			m := s.come()
			s.do("PUT", "/members/"+s.facts(byHand).ID+"/tags/"+tag, obj{"reason": "熟客"})
			for day := range c.times {
				s.set(at(c.begin).AddDate(0, 0, day).Format(time.DateTime))
				require.Equal(t, 1, s.holders(tag), "day %d", day)
				require.NotEmpty(t, s.text(m, "签到"))
			}
			require.Equal(t, c.last, at(c.begin).AddDate(0, 0, c.times-1).Format(time.DateTime))
			require.Equal(t, 2, s.holders(tag), "at the act")
			s.set(at(c.gone).Add(-time.Second).Format(time.DateTime))
			require.Equal(t, 2, s.holders(tag))
			s.set(c.gone)
			require.Equal(t, 1, s.holders(tag), "a tag given by hand stays")
			require.Empty(t, s.facts(m).tags())
			require.Len(t, s.facts(m).TagHistory, 2)
		})
	}
}

// Quiet hours are half-open; what falls into them waits for their end, and is then one of the day.
func TestEdgeQuietHours(t *testing.T) {
	t.Parallel()
	s := open(t, "2026-11-23 21:00:00")
	m := s.person("")
	s.act(m, "follow", nil)
	s.text(m, "你好")
	s.set("2026-11-23 21:59:59")
	require.Equal(t, 1, s.send(s.broadcast(s.news("赶上了", "customer")), 1).Counts.Accepted)
	s.set("2026-11-23 22:00:00")
	night := s.send(s.broadcast(s.news("夜里", "customer")), 1)
	require.Equal(t, counts{Audience: 1, Deferred: 1}, night.Counts)
	service := s.news(serviceMark+"您的积分到账", "customer")
	service["class"] = "service"
	require.Equal(t, 1, s.send(s.broadcast(service), 1).Counts.Accepted, "service knows no night")
	s.set("2026-11-24 07:59:59")
	require.Len(t, s.inbox(m, "custom"), 2)
	dawn := s.send(s.broadcast(s.news("清晨", "customer")), 1)
	require.Equal(t, counts{Audience: 1, Deferred: 1}, dawn.Counts)
	s.set("2026-11-24 08:00:00")
	require.Equal(t, 1, s.run(night.ID).Counts.Accepted)
	require.Equal(t, reasons{"FREQ_CAP": 1}, s.run(dawn.ID).reasons())
	got := s.inbox(m, "custom")
	require.Len(t, got, 3)
	require.True(t, at("2026-11-24 08:00:00").Equal(got[2].Time))
}

// A person alone in a mass send takes the next channel (H16).
func TestEdgeAloneInAMassSend(t *testing.T) {
	t.Parallel()
	s := open(t, "2026-11-23 09:00:00")
	m := s.come()
	s.advance("2m")
	run := s.send(s.broadcast(s.news("只有一个人", "mass", "subscribe")), 1)
	require.Equal(t, reasons{"NO_QUOTA/mass_minimum": 1}, run.reasons())
	s.act(m, "accept", obj{"account": "mp", "template": "TPL_ACTIVITY"})
	run = s.send(s.broadcast(s.news("还是一个人", "mass", "subscribe")), 1)
	require.Equal(t, counts{Audience: 1, Accepted: 1}, run.Counts)
	require.Len(t, s.inbox(m, "subscribe"), 1)
	require.Empty(t, s.calls(massPath))
}

// To who has left no call is made; coming back brings neither the missed message nor a second gift.
func TestEdgeUnsubscribedMember(t *testing.T) {
	t.Parallel()
	s := open(t, "2026-11-23 09:00:00")
	s.registerRule(50)
	stays, leaves, reachable, fourth := s.come(), s.come(), s.come(), s.come()
	s.act(reachable, "accept", obj{"account": "mp", "template": "TPL_ACTIVITY"})
	in := s.news("会员日", "mass", "subscribe")
	in["condition"], in["cron"] = joined, "0 10 * * 3"
	id := s.broadcast(in)
	s.set("2026-11-24 12:00:00")
	s.act(leaves, "unfollow", nil)
	s.act(reachable, "unfollow", nil)
	s.set("2026-11-25 10:00:00")
	run := s.run(s.runs(id)[0].ID)
	require.Equal(t, counts{Audience: 4, Accepted: 3, Suppressed: 1}, run.Counts)
	require.Equal(t, reasons{"UNSUBSCRIBED": 1}, run.reasons())
	require.Len(t, s.inbox(reachable, "subscribe"), 1, "the channel that is still allowed")
	require.NotContains(t, fmt.Sprint(s.calls(massPath)), s.openid(leaves.ID, "oa"), "no call is made")
	require.Equal(t, "UNSUBSCRIBED", s.deliveriesOf(s.facts(leaves).ID)[0].Reason)

	s.set("2026-11-25 11:00:00")
	s.act(leaves, "follow", nil)
	s.set("2026-11-26 11:00:00")
	require.Empty(t, s.inbox(leaves, "mass"), "the missed one is not sent late")
	require.EqualValues(t, 50, s.balance(leaves))
	s.set("2026-12-02 10:00:00")
	require.Len(t, s.inbox(leaves, "mass"), 1)
	require.Len(t, s.inbox(stays, "mass"), 2)
	require.Len(t, s.inbox(fourth, "mass"), 2)
}

// The scheduler: the programme's zone, a short downtime is caught up, a long one is missed and said, a pause is not made up for.
func TestEdgeScheduler(t *testing.T) {
	t.Parallel()
	p, _ := apart(t, "2026-11-24 09:00:00", "TZ=America/Los_Angeles")
	s := p.serve(t, "")
	people := []*phone.Person{s.come(), s.come()}
	in := s.news("会员日", "mass")
	in["cron"] = "0 10 * * 3"
	id := s.broadcast(in)
	require.Equal(t, "2026-11-25 10:00:00", s.nextRuns(id)[0].Format(time.DateTime))
	got := func(n int) {
		t.Helper()
		for _, m := range people {
			require.Len(t, s.inbox(m, "mass"), n)
		}
	}
	down := func(until string) {
		t.Helper()
		s.stop()
		s.set(until)
		s = p.serve(t, s.URL)
		s.advance("0s")
	}

	down("2026-11-25 10:45:00")
	got(1)
	require.Len(t, s.runs(id), 1)

	down("2026-12-02 11:30:00")
	got(1)
	runs := s.runs(id)
	require.Len(t, runs, 2)
	require.Equal(t, "missed", runs[0].State)
	require.Contains(t, s.logged(), "missed")

	s.do("POST", "/broadcasts/"+id+"/pause", obj{})
	s.set("2026-12-09 10:00:00")
	got(1)
	s.set("2026-12-09 10:01:00")
	s.do("POST", "/broadcasts/"+id+"/resume", obj{})
	s.advance("2h")
	got(1)
	require.Len(t, s.runs(id), 2, "the pause is not made up for")
	s.set("2026-12-16 10:00:00")
	got(2)

	for _, cron := range []string{"0 10 30 2 *", "0 10 31 4,6,9,11 *", "61 * * * *", "0 0 10 * * 3", "every wednesday", "* * *"} {
		bad := s.news("never", "mass")
		bad["cron"] = cron
		r := s.refused("POST", "/broadcasts", bad)
		require.True(t, r.Status >= 400 && r.Status < 500, "%s: %v", cron, r)
		require.Equal(t, "cron", r.Details["field"], cron)
		require.NotEmpty(t, r.Message)
	}
	s.done()
}

// What could not be meant is refused with a sentence when it is saved, and changes nothing.
func TestEdgeOperatorMistakes(t *testing.T) {
	t.Parallel()
	s := open(t, "2026-11-23 09:00:00")
	fine := obj{"grants": []obj{gives("points", 5)}}
	s.rule("fine", "checkin.done", fine)
	for name, c := range map[string]struct {
		path string
		in   obj
	}{
		"NegativeGrant":       {"/rules", obj{"code": "a", "name": "a", "trigger": "checkin.done", "definition": obj{"grants": []obj{gives("points", -5)}}}},
		"AbsurdGrant":         {"/rules", obj{"code": "a", "name": "a", "trigger": "checkin.done", "definition": obj{"grants": []obj{gives("points", 1<<60)}}}},
		"UnknownAccount":      {"/rules", obj{"code": "a", "name": "a", "trigger": "checkin.done", "definition": obj{"grants": []obj{gives("gold", 5)}}}},
		"UnknownTrigger":      {"/rules", obj{"code": "a", "name": "a", "trigger": "moon.full", "definition": fine}},
		"UnknownField":        {"/rules", obj{"code": "a", "name": "a", "trigger": "checkin.done", "definition": fine, "surprise": 1}},
		"WrongType":           {"/rules", obj{"code": 7, "name": "a", "trigger": "checkin.done", "definition": fine}},
		"TagThatIsNone":       {"/broadcasts", obj{"name": "a", "condition": holds("999999"), "message": obj{"text": "a", "channels": []string{"customer"}}}},
		"UnknownLeaf":         {"/broadcasts", obj{"name": "a", "condition": obj{"leaf": "astrology"}, "message": obj{"text": "a", "channels": []string{"customer"}}}},
		"ConditionOnAnEvent":  {"/broadcasts", obj{"name": "a", "condition": says([]string{"x"}), "message": obj{"text": "a", "channels": []string{"customer"}}}},
		"VariableInAMassSend": {"/broadcasts", obj{"name": "a", "message": obj{"text": "{{nickname}}", "channels": []string{"mass"}, "fallbacks": obj{"nickname": "x"}}}},
		"NoFallback":          {"/broadcasts", obj{"name": "a", "message": obj{"text": "{{nickname}}", "channels": []string{"customer"}}}},
		"NoChannel":           {"/broadcasts", obj{"name": "a", "message": obj{"text": "a", "channels": []string{}}}},
		"TimeThatIsOver":      {"/broadcasts", obj{"name": "a", "at": "2026-11-22T09:00:00+08:00", "message": obj{"text": "a", "channels": []string{"mass"}}}},
		"QuizThatEndsFirst": {"/quizzes", obj{"question": "?", "opens_at": "2026-11-24T12:00:00+08:00", "closes_at": "2026-11-24T11:00:00+08:00", "options": []obj{
			{"text": "a", "correct": true}, {"text": "b"},
		}}},
		"QuizWithoutAnswer": {"/quizzes", obj{"question": "?", "opens_at": "2026-11-24T12:00:00+08:00", "closes_at": "2026-11-24T13:00:00+08:00", "options": []obj{
			{"text": "a"}, {"text": "b"},
		}}},
		"CodeTakenTwice": {"/rules", obj{"code": "fine", "name": "a", "trigger": "checkin.done", "definition": fine}},
	} {
		r := s.refused("POST", c.path, c.in)
		require.Truef(t, r.Status >= 400 && r.Status < 500, "%s: %v", name, r)
		require.NotEmpty(t, r.Code, name)
		require.NotEmpty(t, r.Message, name)
		require.NotContains(t, r.Message, "handlers.", name)
	}
	var rules, broadcasts, quizzes struct{ Items []obj }
	s.read("/rules", &rules)
	s.read("/broadcasts", &broadcasts)
	s.read("/quizzes", &quizzes)
	require.Equal(t, [3]int{1, 0, 0}, [3]int{len(rules.Items), len(broadcasts.Items), len(quizzes.Items)})

	// Doors are closed to who has no key for them.
	m := s.come()
	for name, c := range map[string]struct{ path, token string }{
		"NoToken": {"/admin/v1/rules", ""}, "MembersToken": {"/admin/v1/rules", m.Token}, "AdminAsMember": {"/api/v1/points", s.admin},
		"Garbage": {"/api/v1/points", "x.y.z"}, "CutToken": {"/api/v1/points", m.Token[:len(m.Token)-2]},
	} {
		r := refusal(t, s.Call(t.Context(), "GET", c.path, c.token, nil, nil))
		require.Equal(t, 401, r.Status, name)
	}
}

// Two members who turn out to be one person: one survives with everything, both tokens lead to him, what is given once was given once.
func TestEdgeMerge(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name                  string
		once, daily, streak   int64
		secondRegistersSooner bool
	}{{"TheFirstSurvives", 50, 5, 20, false}, {"TheOtherSurvives", 8, 3, 7, true}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p, _ := apart(t, "2026-11-23 09:00:00")
			s := p.serve(t, "")
			s.registerRule(c.once)
			s.checkinRule(c.daily, 3, c.streak)
			tag := s.tag("价值", "熟客")
			s.control("POST", "/accounts", obj{"account": "mp2", "kind": "mp", "bound": false}, nil)
			s.stop() // accounts are read at the start
			s = p.serve(t, s.URL)

			// One person, two mini-programs, of which only one tells the unionid.
			one := s.person("")
			other := *one
			login := func(account string) string {
				var code struct{ Code string }
				s.control("POST", "/users/"+one.ID+"/login", obj{"account": account}, &code)
				var out struct{ Token string }
				require.NoError(t, s.Call(t.Context(), "POST", "/api/v1/login", "", obj{"account": account, "code": code.Code}, &out))
				return out.Token
			}
			one.Token, other.Token = login("mp"), login("mp2")
			register := func(p *phone.Person) string {
				var out struct{ Member struct{ ID string } }
				require.NoError(t, p.API(t.Context(), "POST", "/register", obj{}, &out))
				s.advance("1m")
				return out.Member.ID
			}
			var a, b string
			if c.secondRegistersSooner {
				b, a = register(&other), register(one)
			} else {
				a, b = register(one), register(&other)
			}
			require.NotEqual(t, a, b)
			s.do("PUT", "/members/"+b+"/tags/"+tag, obj{})
			check := func(p *phone.Person, day string) {
				s.set(day)
				require.NoError(t, p.API(t.Context(), "POST", "/checkins", nil, nil))
			}
			check(one, "2026-11-24 10:00:00")
			check(&other, "2026-11-25 10:00:00")
			require.NoError(t, one.API(t.Context(), "POST", "/checkins", nil, nil)) // both on one day
			check(&other, "2026-11-26 10:00:00")
			require.Equal(t, c.once+2*c.daily, s.balance(one))
			require.Equal(t, c.once+2*c.daily, s.balance(&other))

			// The second is bound to the Open Platform account, and he opens it again, in many windows at once.
			s.control("POST", "/accounts", obj{"account": "mp2", "bound": true}, nil)
			require.NoError(t, each(5, 5, func(int) error {
				var code struct{ Code string }
				if err := s.Call(s.ctx(), "POST", "/sandbox/api/users/"+one.ID+"/login", "", obj{"account": "mp2"}, &code); err != nil {
					return err
				}
				return s.Call(s.ctx(), "POST", "/api/v1/login", "", obj{"account": "mp2", "code": code.Code}, nil)
			}))

			survivor := a
			if c.secondRegistersSooner {
				survivor = b
			}
			for _, id := range []string{a, b} {
				require.Equal(t, survivor, s.factsOf(id).ID, "the number that was given up leads to the survivor")
			}
			for _, p := range []*phone.Person{one, &other} {
				var me struct{ Member struct{ ID string } }
				require.NoError(t, p.API(t.Context(), "GET", "/me", nil, &me))
				require.Equal(t, survivor, me.Member.ID)
			}
			f := s.factsOf(survivor)
			require.Equal(t, []string{"价值:熟客"}, f.tags())
			require.Equal(t, 3, f.Checkin.Streak, "streaks are counted anew")
			want := c.once + 3*c.daily // registering once, three days
			require.Contains(t, []int64{want, want + c.streak}, s.balance(one))
			require.Equal(t, s.balance(one), s.balance(&other))
			var month struct{ Days []string }
			require.NoError(t, one.API(t.Context(), "GET", "/checkins?month=2026-11", nil, &month))
			require.Equal(t, []string{"2026-11-24", "2026-11-25", "2026-11-26"}, month.Days)
			require.Equal(t, "ALREADY_CHECKED_IN", refusal(t, other.API(t.Context(), "POST", "/checkins", nil, nil)).Code)
			require.NotContains(t, s.remarkable(), "level=ERROR")
			s.done()
		})
	}
}
