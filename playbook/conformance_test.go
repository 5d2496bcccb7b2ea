package playbook_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/wechat/sandbox/phone"
)

// The conformance cases of FACTS §6.4 that show from outside. Their numbers stand in the names.

func TestConformanceVerify(t *testing.T) {
	t.Parallel()
	s := open(t, "2026-11-23 09:00:00")
	s.control("POST", "/accounts", obj{"account": "oa", "token": "AAAAA"}, nil)
	address := s.URL + "/wechat/oa?timestamp=1714036504&nonce=1514711492&echostr=4375120948345356249&signature="
	const right = "f464b24fc39322e44b38aa78f5edd27bd1441696"

	// 1
	code, body := status(t, "GET", address+right, "", nil)
	require.Equal(t, 200, code)
	require.Equal(t, "4375120948345356249", body)

	// 2
	for name, url := range map[string]string{
		"OneDigit":  address + "f464b24fc39322e44b38aa78f5edd27bd1441697",
		"None":      address,
		"NoAccount": strings.Replace(address, "/oa", "/nobody", 1) + right,
		"NotItsOwn": strings.Replace(address, "/oa", "/mp", 1) + right,
		"NoEcho":    strings.Replace(address, "4375120948345356249", "", 1) + right,
		"Markup":    strings.Replace(address, "4375120948345356249", "%3Cscript%3E", 1) + right,
	} {
		code, body := status(t, "GET", url, "", nil)
		require.Truef(t, code >= 400 && code < 500, "%s: %d", name, code)
		require.NotContains(t, body, "4375120948345356249", name)
		require.NotContains(t, body, "<script>", name)
	}
}

// 6, 7: a message counts once under its MsgId, an event under its person, second, name and key.
func TestConformanceRepeats(t *testing.T) {
	t.Parallel()
	s := open(t, "2026-11-23 09:00:00")
	s.checkinRule(5, 7, 20)
	m := s.come()
	s.advance("0s")
	oa, me := s.account("oa"), s.openid(m.ID, "oa")
	id := s.facts(m).ID
	text := s.xml(oa, me, s.now(), "MsgType", "text", "Content", "签到", "MsgId", "23456789012345678")
	answers := make([]string, 9)
	require.NoError(t, each(9, 9, func(i int) error {
		l := s.seal(oa, text, s.now().Add(time.Duration(i)*time.Second)) // the address differs between attempts, the message does not
		code, answer := s.post(l)
		if code != 200 {
			return fmt.Errorf("%d %s", code, answer)
		}
		answers[i] = answer
		return nil
	}))
	require.EqualValues(t, 5, s.balance(m))
	require.Equal(t, 1, count(s.did(id), "checkin.done"))
	for _, a := range answers {
		require.Contains(t, a, "<Encrypt>", "each attempt is answered with the reply")
	}
	var inbox struct {
		Items []struct {
			Kind, State string
			Attempts    int
		}
	}
	s.read("/inbox", &inbox)
	require.Equal(t, "text", inbox.Items[0].Kind)
	require.Equal(t, "done", inbox.Items[0].State)
	require.Equal(t, 1, inbox.Items[0].Attempts, "it ran once")
	require.NotEqual(t, "text", inbox.Items[1].Kind, "it is kept once")

	click := func(key string) string {
		return s.xml(oa, me, s.now(), "MsgType", "event", "Event", "CLICK", "EventKey", key)
	}
	for range 3 {
		s.deliver(oa, click("A"))
	}
	require.Equal(t, 1, count(s.did(id), "menu.clicked"))
	s.deliver(oa, click("B"))
	s.deliver(oa, s.xml(oa, me, s.now(), "MsgType", "event", "Event", "VIEW", "EventKey", "https://example.com"))
	require.Equal(t, 2, count(s.did(id), "menu.clicked"), "two events in one second are two")

	s.control("POST", "/accounts", obj{"account": "oa", "duplicates": 3}, nil)
	s.advance("24h")
	s.text(m, "签到")
	require.EqualValues(t, 10, s.balance(m))
	require.Equal(t, 2, count(s.did(id), "checkin.done"))
}

// 12: what real pushes look like.
func TestConformanceShapes(t *testing.T) {
	t.Parallel()
	s := open(t, "2026-11-23 09:00:00")
	tag := s.tag("肤质", "敏感肌")
	s.autoTag(tag, "聊天", says([]string{"敏感肌"}))
	n := 0
	for _, mode := range []string{"plain", "compat", "safe"} {
		for _, shape := range []obj{
			{"format": "xml", "bom": false},
			{"format": "xml", "bom": true},
			{"format": "json", "bom": false},
			{"format": "json", "bom": true, "string_numbers": true, "json_as_textxml": true},
		} {
			change := obj{"account": "oa", "mode": mode, "string_numbers": false, "json_as_textxml": false}
			for k, v := range shape {
				change[k] = v
			}
			s.control("POST", "/accounts", change, nil)
			m := s.person("")
			seen, err := m.Act(t.Context(), "follow", obj{"scene": "poster"})
			require.NoError(t, err)
			require.Equal(t, "ok", seen.Push.Status, "%v: %+v", change, seen.Push)
			require.Len(t, seen.Push.Attempts, 1, "%v", change)
			require.NotEmpty(t, seen.Seen, "%v: the welcome can be read", change) // 17: the sandbox decrypts and checks it
			require.Equal(t, "reply", seen.Seen[0].Channel)
			require.Empty(t, s.text(m, "敏感肌"), "%v", change)
			push := s.lastPush("text") // 18: nothing to say is success or nothing, never an empty letter
			require.Contains(t, []string{"", "success"}, push.Attempts[0].Reply, "%v", change)
			n++
			require.Equal(t, n, s.holders(tag), "%v", change)
		}
	}
	require.Equal(t, n, s.channel("poster").New)
}

// 13: acceptances of subscribe messages, in the shapes in which they come.
func TestConformanceAcceptances(t *testing.T) {
	t.Parallel()
	s := open(t, "2026-11-23 09:00:00")
	mp := s.account("mp")
	p := s.person("")
	s.act(p, "follow", nil) // siyu knows him by the official account, and by the unionid in the mini-program
	id, _ := s.register(p, "")
	s.advance("0s")
	me := s.openid(p.ID, "mp")
	accepted := func() map[string]int {
		out := map[string]int{}
		for _, i := range s.factsOf(id).Identities {
			for _, a := range i.Accepted {
				out[a.TemplateID] += a.Count
			}
		}
		return out
	}
	item := func(template, status string) string {
		return fmt.Sprintf(`{"TemplateId":%q,"SubscribeStatusString":%q,"PopupScene":"0"}`, template, status)
	}
	at := s.now().Unix()
	popup := func(list string) string {
		at++
		return fmt.Sprintf(`{"ToUserName":%q,"FromUserName":%q,"CreateTime":"%d","MsgType":"event","Event":"subscribe_msg_popup_event","List":%s}`, mp.OriginalID, me, at, list)
	}
	s.deliver(mp, popup(item("TPL_ACTIVITY", "accept")))
	require.Equal(t, map[string]int{"TPL_ACTIVITY": 1}, accepted(), "one object")
	s.deliver(mp, popup("["+item("TPL_ACTIVITY", "accept")+"]"))
	require.Equal(t, map[string]int{"TPL_ACTIVITY": 2}, accepted(), "an array")
	again := popup("[" + item("TPL_ACTIVITY", "accept") + "," + item("TPL_CHECKIN", "accept") + "]")
	s.deliver(mp, again)
	s.deliver(mp, again)
	require.Equal(t, map[string]int{"TPL_ACTIVITY": 3, "TPL_CHECKIN": 1}, accepted(), "two, once")
	s.deliver(mp, popup(item("TPL_ACTIVITY", "reject")))
	require.Equal(t, 1, accepted()["TPL_CHECKIN"])
	require.Zero(t, accepted()["TPL_ACTIVITY"], "a refusal leaves none")

	list := "<List><TemplateId>TPL_CHECKIN</TemplateId><SubscribeStatusString>accept</SubscribeStatusString><PopupScene>2</PopupScene></List>" +
		"<List><TemplateId>TPL_ACTIVITY</TemplateId><SubscribeStatusString>accept</SubscribeStatusString><PopupScene>2</PopupScene></List>"
	s.deliver(mp, s.xml(mp, me, s.now().Add(time.Minute), "MsgType", "event", "Event", "subscribe_msg_popup_event", "SubscribeMsgPopupEvent", list))
	require.Equal(t, map[string]int{"TPL_ACTIVITY": 1, "TPL_CHECKIN": 2}, accepted(), "two lists in XML")
}

// 14: the prefix of a follow's scene is stripped once, a scan has none.
func TestConformanceScenes(t *testing.T) {
	t.Parallel()
	s := open(t, "2026-11-23 09:00:00")
	s.put(code{"qrscene_x", "怪名字", "怪名字的欢迎", false})
	m := s.person("")
	require.Equal(t, []string{"怪名字的欢迎"}, s.act(m, "follow", obj{"scene": "qrscene_x"}))
	s.advance("1m")
	require.Equal(t, []string{"怪名字的欢迎"}, s.act(m, "scan", obj{"scene": "qrscene_x"}))
	c := s.channel("qrscene_x")
	require.Equal(t, [2]int{1, 1}, [2]int{c.New, c.Scans})
	require.Equal(t, []string{"渠道:怪名字"}, s.facts(m).tags())
}

// 16: a push that is answered after WeChat has given up comes again, and counts once.
func TestConformanceSlow(t *testing.T) {
	t.Parallel()
	p, _ := apart(t, "2026-11-23 09:00:00")
	s := p.serve(t, "")
	s.checkinRule(5, 7, 20)
	m := s.come()
	s.advance("0s")
	require.NoError(t, s.cmd.Process.Signal(syscall.SIGSTOP))
	var wg sync.WaitGroup
	var seen phone.Seen
	var err error
	wg.Go(func() { seen, err = m.Act(context.WithoutCancel(t.Context()), "text", obj{"content": "签到"}) })
	<-clock.After(8 * time.Second) // WeChat hangs up after five seconds, and a loaded machine may begin late
	require.NoError(t, s.cmd.Process.Signal(syscall.SIGCONT))
	wg.Wait()
	require.NoError(t, err)
	require.Equal(t, "ok", seen.Push.Status)
	require.Greater(t, len(seen.Push.Attempts), 1)
	require.EqualValues(t, 5, s.balance(m))
	require.Equal(t, 1, count(s.did(s.facts(m).ID), "checkin.done"))
	s.done()
}

// 19: a dead token is renewed once, and the call made again; 21: by the stable token.
func TestConformanceDeadToken(t *testing.T) {
	t.Parallel()
	s := open(t, "2026-11-23 09:00:00")
	m := s.person("")
	s.act(m, "follow", nil)
	s.text(m, "你好")
	s.advance("0s")
	tokens := len(s.calls("/cgi-bin/stable_token"))
	require.Empty(t, s.calls("/cgi-bin/token"))
	s.control("POST", "/faults", obj{"path": customPath, "kind": "revoke_token", "times": 1}, nil)
	run := s.send(s.broadcast(s.news("一", "customer")), 1)
	require.Equal(t, counts{Audience: 1, Accepted: 1}, run.Counts)
	require.Len(t, s.inbox(m, "custom"), 1)
	require.Len(t, s.calls(customPath), 2)
	require.Len(t, s.calls("/cgi-bin/stable_token"), tokens+1)
}

// news is a broadcast to the followers.
func (s *siyu) news(text string, channels ...string) obj {
	return obj{"name": "news " + text, "condition": follower, "message": obj{
		"text": text, "channels": channels,
		"subscribe": obj{"template_id": "TPL_ACTIVITY", "data": obj{"thing1": text, "thing2": "九折", "time3": "2026-11-25 10:00"}},
	}}
}

// 15, 23: the allowance of customer messages: five for a message within 48 hours, three for a follow within a minute, none for who has left.
func TestConformanceCustomerWindow(t *testing.T) {
	t.Parallel()
	s := open(t, "2026-11-23 09:00:00", "SIYU_REACH_DAILY_CAP=100")
	m := s.person("")
	s.act(m, "follow", nil)
	n := 0
	send := func(want counts, why reasons) {
		t.Helper()
		n++
		want.Audience = 1
		before := len(s.calls(customPath))
		run := s.send(s.broadcast(s.news(fmt.Sprint(n), "customer")), 1)
		require.Equal(t, want, run.Counts, "message %d", n)
		require.Equal(t, why, run.reasons(), "message %d", n)
		require.Len(t, s.calls(customPath), before+want.Accepted, "no blind call")
	}
	sent, closed := counts{Accepted: 1}, counts{Suppressed: 1}
	shut := reasons{"NO_QUOTA/window_closed": 1}
	send(sent, reasons{})
	send(sent, reasons{})
	s.advance("61s")
	send(closed, shut)
	s.text(m, "你好")
	for range 5 {
		send(sent, reasons{})
	}
	send(closed, shut)
	s.set("2026-11-23 12:00:00")
	s.text(m, "还在吗")
	s.set("2026-11-25 11:59:59")
	send(sent, reasons{})
	s.set("2026-11-25 12:00:00")
	send(closed, shut)

	s.text(m, "再见")
	id := s.broadcast(s.news("last", "customer"))
	all := obj{"name": "all", "message": obj{"text": "all", "channels": []string{"customer"}}}
	s.act(m, "unfollow", nil)
	run := s.send(s.broadcast(all), 1)
	require.Equal(t, reasons{"UNSUBSCRIBED": 1}, run.reasons())
	require.Equal(t, counts{}, s.send(id).Counts, "he is in no audience of followers")
	s.act(m, "follow", nil)
	s.advance("61s")
	send(closed, shut) // the message before he left opens nothing
}

// 25: a mass send whose answer is lost is repeated under its clientmsgid and sent once.
func TestConformanceMassAnswerLost(t *testing.T) {
	t.Parallel()
	s := open(t, "2026-11-23 09:00:00")
	people := []*phone.Person{s.person(""), s.person(""), s.person("")}
	for _, m := range people {
		s.act(m, "follow", nil)
	}
	s.control("POST", "/faults", obj{"path": massPath, "kind": "timeout_after", "times": 1, "ms": 100}, nil)
	run := s.send(s.broadcast(s.news("一次", "mass")), 3)
	require.Equal(t, 3, run.Counts.Pending, "not known yet: %+v", run.Counts)
	s.advance("2m")
	run = s.run(run.ID)
	require.Equal(t, counts{Audience: 3, Accepted: 3}, run.Counts)
	calls := s.calls(massPath)
	require.Len(t, calls, 2)
	require.Equal(t, 45065, calls[1].Errcode)
	require.Equal(t, calls[0].Body, calls[1].Body, "the same list under the same id")
	require.Len(t, run.Mass, 1)
	require.Contains(t, calls[1].Answer, run.Mass[0].MsgID)
	for _, m := range people {
		require.Len(t, s.inbox(m, "mass"), 1)
	}
}

// 29: what WeChat reports on a mass send.
func TestConformanceMassReport(t *testing.T) {
	t.Parallel()
	s := open(t, "2026-11-23 09:00:00", "SIYU_REACH_DAILY_CAP=100")
	for range 3 {
		s.act(s.person(""), "follow", nil)
	}
	for i, c := range []struct{ format, verdict, want string }{
		{"xml", "", "send success"}, {"json", "", "send success"}, {"xml", "err(20001)", "err(20001)"}, {"json", "err(30003)", "err(30003)"},
	} {
		s.control("POST", "/accounts", obj{"account": "oa", "format": c.format, "mass_verdict": c.verdict}, nil)
		id := s.send(s.broadcast(s.news(fmt.Sprint(i), "mass")), 3).ID
		s.advance("10m")
		run := s.run(id)
		require.Equal(t, counts{Audience: 3, Accepted: 3}, run.Counts, "%v", c)
		require.Len(t, run.Mass, 1)
		require.NotNil(t, run.Mass[0].Report, "%v", c)
		require.Equal(t, c.want, run.Mass[0].Report.Status)
		if c.verdict == "" {
			require.Equal(t, [4]int{3, 3, 3, 0}, [4]int{run.Mass[0].Report.Total, run.Mass[0].Report.Filtered, run.Mass[0].Report.Sent, run.Mass[0].Report.Errors})
		}
	}
	real := `{"ToUserName":"","FromUserName":"oRkox63FK_5Y0Ora-ZLIAi_a5wBU","CreateTime":"1758783896","MsgType":"event","Event":"MASSSENDJOBFINISH","MsgID":"1000000338",` +
		`"Status":"send success","TotalCount":"296","FilterCount":"295","SentCount":"295","ErrorCount":"0","CopyrightCheckResult":"\n\n\n","ArticleUrlResult":"\n\n"}`
	oa := s.account("oa")
	s.deliver(oa, strings.Replace(real, `"ToUserName":""`, fmt.Sprintf(`"ToUserName":%q`, oa.OriginalID), 1))
	var inbox struct {
		Items []struct{ Kind, State string }
	}
	s.read("/inbox", &inbox)
	require.Equal(t, "event.MASSSENDJOBFINISH", inbox.Items[0].Kind)
	require.Equal(t, "done", inbox.Items[0].State, "a real push about somebody else's job")
}

// 31: a subscribe message for each acceptance, and no call without one; WeChat's id is kept to the last digit.
func TestConformanceSubscribeMessages(t *testing.T) {
	t.Parallel()
	s := open(t, "2026-11-23 09:00:00", "SIYU_REACH_DAILY_CAP=100")
	m := s.come()
	s.act(m, "accept", obj{"account": "mp", "template": "TPL_ACTIVITY", "times": 2})
	s.advance("0s")
	for i, want := range []counts{{Audience: 1, Accepted: 1}, {Audience: 1, Accepted: 1}, {Audience: 1, Suppressed: 1}} {
		run := s.send(s.broadcast(s.news(fmt.Sprint("第", i), "subscribe")), 1)
		require.Equal(t, want, run.Counts)
		calls := s.calls(subscribePath)
		row := s.deliveries(run.ID)[0]
		if want.Suppressed > 0 {
			require.Len(t, calls, 2)
			require.Equal(t, "no_acceptance", row.Detail)
			continue
		}
		require.Len(t, calls, i+1)
		var answer struct {
			MsgID json.Number `json:"msgid"`
		}
		require.NoError(t, json.Unmarshal([]byte(calls[i].Answer), &answer))
		require.Equal(t, answer.MsgID.String(), row.MsgID)
	}
	require.Len(t, s.inbox(m, "subscribe"), 2)
}

// 33, 34: codes of login and phone.
func TestConformanceCodes(t *testing.T) {
	t.Parallel()
	s := open(t, "2026-11-23 09:00:00")
	m := s.person("")
	code := func(deed string) string {
		var out struct{ Code string }
		s.control("POST", "/users/"+m.ID+"/"+deed, obj{"account": "mp"}, &out)
		return out.Code
	}
	login := func(code string) error {
		return s.Call(t.Context(), "POST", "/api/v1/login", "", obj{"account": "mp", "code": code}, nil)
	}
	bad := func(err error) {
		t.Helper()
		r := refusal(t, err)
		require.Truef(t, r.Status >= 400 && r.Status < 500, "%v", r)
		require.NotEmpty(t, r.Message)
	}
	once := code("login")
	require.NoError(t, login(once))
	bad(login(once))
	late := code("login")
	s.advance("5m1s")
	bad(login(late))
	calls := len(s.calls("/sns/jscode2session"))
	for _, c := range []string{"a&appid=x", "a b", "a#b", "%26", "../x", strings.Repeat("x", 200)} {
		bad(login(c))
	}
	require.Len(t, s.calls("/sns/jscode2session"), calls, "no request is sent for what cannot be a code")
	require.NoError(t, login(code("login")))

	_, err := m.Login(t.Context())
	require.NoError(t, err)
	phone := func(code string) error { return m.API(t.Context(), "POST", "/phone", obj{"code": code}, nil) }
	once = code("phone")
	require.NoError(t, phone(once))
	bad(phone(once))
	bad(phone(code("login")))
	bad(login(code("phone")))
	bad(phone("a&appid=x"))
}

// 36: after 45011 the path rests until the next minute; 45009: until midnight.
func TestConformanceLimits(t *testing.T) {
	t.Parallel()
	s := open(t, "2026-11-23 09:00:30")
	m := s.person("")
	s.act(m, "follow", nil)
	s.text(m, "你好")
	s.control("POST", "/faults", obj{"path": customPath, "kind": "errcode", "errcode": 45011, "times": 1}, nil)
	run := s.send(s.broadcast(s.news("慢", "customer")), 1)
	require.Equal(t, counts{Audience: 1, Deferred: 1}, run.Counts)
	s.set("2026-11-23 09:00:59")
	require.Len(t, s.calls(customPath), 1)
	s.set("2026-11-23 09:01:00")
	require.Len(t, s.calls(customPath), 2)
	require.Equal(t, counts{Audience: 1, Accepted: 1}, s.run(run.ID).Counts)
	require.Len(t, s.inbox(m, "custom"), 1)

	other := s.person("")
	s.act(other, "follow", nil)
	s.text(other, "你好")
	s.control("POST", "/faults", obj{"path": customPath, "kind": "errcode", "errcode": 45009, "times": 1}, nil)
	run = s.send(s.broadcast(s.news("满", "customer")), 2)
	require.Equal(t, 1, run.Counts.Deferred)
	s.set("2026-11-23 23:59:59")
	require.Len(t, s.calls(customPath), 3, "the day's calls are used up")
	s.set("2026-11-24 08:00:00") // nor by night
	require.Len(t, s.calls(customPath), 4)
	require.Len(t, s.inbox(other, "custom"), 1)
}

// 39: WeChat tells no nicknames any more, and takes nobody's name away.
func TestConformanceNames(t *testing.T) {
	t.Parallel()
	s := open(t, "2026-11-23 09:00:00")
	m := s.person("WeChat's own name")
	s.register(m, "小林")
	s.act(m, "follow", nil)
	s.advance("0s")
	require.NotEmpty(t, s.calls("/cgi-bin/user/info"))
	require.Equal(t, "小林", s.facts(m).Nickname)
}

// 40: whatever breaks on the way, no secret is in the log.
func TestConformanceBrokenAnswers(t *testing.T) {
	t.Parallel()
	s := open(t, "2026-11-23 09:00:00")
	oa, mp := s.account("oa"), s.account("mp")
	m := s.person("")
	s.act(m, "follow", nil)
	s.text(m, "你好")
	s.advance("0s")
	for _, kind := range []obj{{"kind": "http_500", "status": 502}, {"kind": "truncated"}, {"kind": "reset"}, {"kind": "errcode", "errcode": -1}} {
		for _, path := range []string{"/sns/jscode2session", "/cgi-bin/user/info", "/cgi-bin/stable_token", customPath} {
			kind["path"], kind["times"] = path, 2
			s.control("POST", "/faults", kind, nil)
		}
		_, err := m.Login(t.Context())
		if err != nil {
			r := refusal(t, err)
			require.NotContains(t, r.Error(), mp.Secret)
		}
		p := s.person("")
		s.act(p, "follow", nil)
		s.advance("0s")
	}
	s.control("DELETE", "/faults", nil, nil)
	run := s.send(s.broadcast(s.news("好了", "customer")), 5)
	require.Zero(t, run.Counts.Unknown)
	log := s.logged()
	for _, secret := range []string{oa.Secret, mp.Secret, oa.Token, oa.EncodingAESKey, s.admin} {
		require.NotContains(t, log, secret)
	}
	for _, c := range s.calls("/cgi-bin/stable_token") {
		var answer struct {
			Token string `json:"access_token"`
		}
		if json.Unmarshal([]byte(c.Answer), &answer) == nil && answer.Token != "" {
			require.NotContains(t, log, answer.Token)
		}
	}
	require.Contains(t, log, "level=")
}

// 41: any text arrives as it was written. What JSON could carry only as an escape, which WeChat refuses, is taken out or made a line end.
func TestConformanceText(t *testing.T) {
	t.Parallel()
	s := open(t, "2026-11-23 09:00:00", "SIYU_REACH_DAILY_CAP=100")
	m := s.person("")
	s.act(m, "follow", nil)
	for text, want := range map[string]string{
		"a<b>&\"c\"'d' https://example.com/?a=1&b=2": "", "😀👨‍👩‍👧 emoji": "", "行\n行\t制表": "", "]]> CDATA": "", "{ not json }": "",
		"分隔\u2028符": "分隔\n符",
	} {
		if want == "" {
			want = text
		}
		s.text(m, text)
		s.advance("1s")
		run := s.send(s.broadcast(s.news(text, "customer")), 1)
		require.Equal(t, counts{Audience: 1, Accepted: 1}, run.Counts, "%q", text)
		got := s.inbox(m, "custom")
		require.Equal(t, want, got[len(got)-1].Content)
		calls := s.calls(customPath)
		require.NotContains(t, calls[len(calls)-1].Body, `\u`, "WeChat refuses the escape")
		var events struct{ Items []struct{ Data obj } }
		s.read("/members/"+s.facts(m).ID+"/events", &events)
		if want == text {
			require.Equal(t, text, events.Items[0].Data["content"], "and so it comes in")
		}
	}
	r := s.refused("POST", "/broadcasts", s.news("控\u0007制", "customer"))
	require.Equal(t, "message.text", r.Details["field"], "what no message may hold is refused when it is saved")
}

// A message whose answer is lost may have been sent: it is shown as unknown and never sent again by itself.
func TestConformanceAnswerLost(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ channel, path, receipt string }{{"customer", customPath, "custom"}, {"subscribe", subscribePath, "subscribe"}} {
		t.Run(c.channel, func(t *testing.T) {
			t.Parallel()
			s := open(t, "2026-11-23 09:00:00")
			people := []*phone.Person{s.come(), s.come(), s.come()}
			for _, m := range people {
				s.text(m, "你好")
				s.act(m, "accept", obj{"account": "mp", "template": "TPL_ACTIVITY"})
			}
			s.control("POST", "/faults", obj{"path": c.path, "kind": "timeout_after", "times": 1, "ms": 100}, nil)
			run := s.send(s.broadcast(s.news("一次", c.channel)), 3)
			want := counts{Audience: 3, Accepted: 2, Unknown: 1}
			require.Equal(t, want, run.Counts)
			s.advance("24h")
			require.Equal(t, want, s.run(run.ID).Counts)
			require.Len(t, s.calls(c.path), 3)
			for _, m := range people {
				require.Len(t, s.inbox(m, c.receipt), 1)
			}
		})
	}
}
