package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTokens(t *testing.T) {
	t.Parallel()
	t.Run("StableTokenStaysWithDecreasingLife", func(t *testing.T) { // FACTS §6.4 21
		t.Parallel()
		w := newWorld(t, Options{})
		first := w.stable("oa", false)
		require.Equal(t, "7200", first["expires_in"].(json.Number).String())
		w.advance(1000 * time.Second)
		again := w.stable("oa", false)
		require.Equal(t, first["access_token"], again["access_token"])
		require.Equal(t, "6200", again["expires_in"].(json.Number).String())
		w.advance(5900 * time.Second) // 300 s before the end
		require.NotEqual(t, first["access_token"], w.stable("oa", false)["access_token"])
	})
	t.Run("ForcedRefreshKillsAtOnceButNotTwiceIn30Seconds", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, Options{})
		first := w.token("oa")
		second := w.stable("oa", true)["access_token"].(string)
		require.NotEqual(t, first, second)
		require.Equal(t, 40001, errcode(w.fetch("/cgi-bin/tags/get?access_token="+first)))
		w.advance(29 * time.Second)
		require.Equal(t, second, w.stable("oa", true)["access_token"])
		w.advance(time.Second)
		require.NotEqual(t, second, w.stable("oa", true)["access_token"])
	})
	t.Run("PlainTokenDies300SecondsAfterTheNext", func(t *testing.T) { // 22
		t.Parallel()
		w := newWorld(t, Options{})
		first := w.plain("oa")["access_token"].(string)
		second := w.plain("oa")["access_token"].(string)
		require.NotEqual(t, first, second)
		w.advance(299 * time.Second)
		require.Zero(t, errcode(w.fetch("/cgi-bin/tags/get?access_token="+first)))
		w.advance(time.Second)
		require.Equal(t, 40001, errcode(w.fetch("/cgi-bin/tags/get?access_token="+first)))
		require.Zero(t, errcode(w.fetch("/cgi-bin/tags/get?access_token="+second)))
		require.Zero(t, errcode(w.get("oa", "/cgi-bin/tags/get")), "the stable token is of another space")
	})
	t.Run("WrongOnesAreToldApart", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, Options{})
		a := w.account("oa")
		require.Equal(t, 41001, errcode(w.fetch("/cgi-bin/tags/get")))
		require.Equal(t, 40014, errcode(w.fetch("/cgi-bin/tags/get?access_token=x")))
		require.Equal(t, 40001, errcode(w.fetch("/cgi-bin/tags/get?access_token="+strings.Repeat("x", 100))))
		require.Equal(t, 40125, errcode(w.fetch("/cgi-bin/token?grant_type=client_credential&appid="+a.AppID+"&secret=no")))
		require.Equal(t, 40013, errcode(w.fetch("/cgi-bin/token?grant_type=client_credential&appid=wx0&secret=no")))
		require.Equal(t, 40002, errcode(w.fetch("/cgi-bin/token?appid="+a.AppID+"&secret="+a.Secret)))
		tok := w.token("oa")
		w.advance(2 * time.Hour)
		m := w.fetch("/cgi-bin/tags/get?access_token=" + tok)
		require.Equal(t, 42001, errcode(m))
		require.Regexp(t, fmt.Sprintf(`rid: %08x-[0-9a-f]{8}-[0-9a-f]{8}$`, w.s.Clock().Now().Unix()), m["errmsg"])
	})
	t.Run("UnknownPathsAreRefusedAndCounted", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, Options{})
		require.Equal(t, 40066, errcode(w.get("oa", "/cgi-bin/nothing")))
		res := w.fetch("/sandbox/api/calls?path=/cgi-bin/nothing")
		require.Equal(t, "1", res["unknown"].(json.Number).String())
		require.Len(t, res["items"], 1)
		require.NotContains(t, fmt.Sprint(res["items"]), w.token("oa"), "no token in the log")
	})
}

func TestQuota(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{})
	path := "/cgi-bin/message/custom/typing"
	w.control(200, "/quotas", map[string]any{"account": "oa", "path": path, "day": 3, "minute": 2})
	call := func() int { return errcode(w.call("oa", path, map[string]any{})) }
	require.Zero(t, call())
	require.Zero(t, call())
	require.Equal(t, 45011, call())
	w.advance(59 * time.Second)
	require.Equal(t, 45011, call(), "the minute is the clock's: 09:00")
	w.advance(time.Second)
	require.Zero(t, call())
	require.Equal(t, 45009, call())
	q := w.call("oa", "/cgi-bin/openapi/quota/get", map[string]any{"cgi_path": path})
	require.Equal(t, "map[daily_limit:3 remain:0 used:3]", fmt.Sprint(q["quota"]))
	for range 10 {
		require.Zero(t, errcode(w.call("oa", "/cgi-bin/clear_quota", map[string]any{"appid": w.account("oa").AppID})))
	}
	require.Equal(t, 48006, errcode(w.call("oa", "/cgi-bin/clear_quota", map[string]any{"appid": w.account("oa").AppID})))
	require.Zero(t, call())
	require.Equal(t, 76021, errcode(w.call("oa", "/cgi-bin/openapi/quota/get", map[string]any{"cgi_path": "/x"})))
}

func TestCustomMessages(t *testing.T) { // 23, 15
	t.Parallel()
	t.Run("ATextOpensFiveFor48Hours", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, Options{})
		p := w.fan("a")
		w.advance(2 * time.Minute) // what following opened is over
		require.Equal(t, 45015, w.custom(p))
		w.control(200, "/users/"+p.ID+"/text", map[string]any{"account": "oa", "content": "hi"})
		for range 5 {
			require.Zero(t, w.custom(p))
		}
		require.Equal(t, 45047, w.custom(p))
		w.advance(48 * time.Hour)
		w.toks = map[string]string{}
		require.Equal(t, 45015, w.custom(p))
		inbox, err := w.s.Inbox(p.ID)
		require.NoError(t, err)
		require.Len(t, inbox, 5)
		require.Equal(t, "你好", inbox[0].Content)
		require.Equal(t, ChannelCustom, inbox[0].Channel)
		require.Equal(t, "2026-11-23T09:02:00+08:00", inbox[0].Time)
	})
	t.Run("FollowingOpensThreeForAMinute", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, Options{})
		p := w.fan("a")
		require.Zero(t, w.custom(p))
		w.advance(59 * time.Second)
		require.Zero(t, w.custom(p))
		w.advance(2 * time.Second)
		require.Equal(t, 45015, w.custom(p))
	})
	t.Run("UnfollowingClosesEverything", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, Options{})
		p := w.fan("a")
		w.control(200, "/users/"+p.ID+"/text", map[string]any{"content": "hi"})
		w.control(200, "/users/"+p.ID+"/unfollow", map[string]any{"account": "oa"})
		require.Equal(t, 45015, w.custom(p))
	})
	t.Run("WrongMessagesAreRefused", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, Options{})
		p := w.fan("a")
		send := func(m map[string]any) int { return errcode(w.call("oa", "/cgi-bin/message/custom/send", m)) }
		to := p.OpenIDs["oa"]
		require.Equal(t, 40003, send(map[string]any{"touser": "oNobody", "msgtype": "text", "text": map[string]string{"content": "x"}}))
		require.Equal(t, 44004, send(map[string]any{"touser": to, "msgtype": "text"}))
		require.Equal(t, 45002, send(map[string]any{"touser": to, "msgtype": "text", "text": map[string]string{"content": strings.Repeat("x", 2049)}}))
		require.Equal(t, 40007, send(map[string]any{"touser": to, "msgtype": "image", "image": map[string]string{"media_id": "none"}}))
		require.Equal(t, 40004, send(map[string]any{"touser": to, "msgtype": "smell"}))
		require.Equal(t, 40033, send(map[string]any{"touser": to, "msgtype": "text", "text": map[string]string{"content": "\u2028"}}))
		require.Zero(t, send(map[string]any{"touser": to, "msgtype": "text", "text": map[string]string{"content": `C:\users\u00e9`}}), "a backslash that the person wrote")
		w.control(200, "/users/"+p.ID+"/block", map[string]any{"account": "oa", "rejecting": true})
		require.Equal(t, 48002, w.custom(p))
		w.control(200, "/users/"+p.ID+"/block", map[string]any{"account": "oa", "blacklisted": true})
		require.Equal(t, 43019, w.custom(p))
	})
}

func (w *world) massTo(openids []string, id string) map[string]any {
	return w.call("oa", "/cgi-bin/message/mass/send", map[string]any{
		"touser": openids, "msgtype": "text", "text": map[string]string{"content": "大家好 " + id}, "clientmsgid": id,
	})
}

func TestMass(t *testing.T) {
	t.Parallel()
	bulk := func(t *testing.T, n int) (*world, []string) {
		w := newWorld(t, Options{})
		first, err := w.s.Bulk(n, "p", "oa")
		require.NoError(t, err)
		require.EqualValues(t, 1, first)
		var openids []string
		for i := range n {
			openids = append(openids, w.s.accounts[0].openid(int64(i+1)))
		}
		return w, openids
	}
	t.Run("TakesTwoToTenThousand", func(t *testing.T) { // 24
		t.Parallel()
		w, all := bulk(t, 10_001)
		require.Equal(t, 40032, errcode(w.massTo(all[:1], "a")))
		require.Equal(t, 40032, errcode(w.massTo(all, "a")))
		require.Zero(t, errcode(w.massTo(all[:10_000], "a")))
		require.Equal(t, 40003, errcode(w.massTo([]string{all[0], "oWrong"}, "b")))
		w.advance(0)
		require.Len(t, w.s.Receipts(0, 20_000), 10_000)
	})
	t.Run("AnIDIsTakenOnceADay", func(t *testing.T) { // 25, 26
		t.Parallel()
		w, all := bulk(t, 3)
		w.control(201, "/faults", map[string]any{"path": "/cgi-bin/message/mass/send", "kind": "timeout_after", "ms": 1})
		_, err := http.Post(w.api.URL+"/cgi-bin/message/mass/send?access_token="+w.token("oa"), "application/json",
			strings.NewReader(`{"touser":["`+all[0]+`","`+all[1]+`"],"msgtype":"text","text":{"content":"大家好 x"},"clientmsgid":"x"}`))
		require.Error(t, err)
		require.Equal(t, 45066, errcode(w.massTo(all[:2], "x")))
		w.advance(time.Minute)
		again := w.massTo(all[:2], "x")
		require.Equal(t, 45065, errcode(again))
		got := w.call("oa", "/cgi-bin/message/mass/get", map[string]any{"msg_id": again["msg_id"].(json.Number).String()})
		require.Equal(t, "SEND_SUCCESS", got["msg_status"])
		require.Equal(t, 45067, errcode(w.massTo(all[:2], strings.Repeat("x", 65))))
		require.Len(t, w.s.Receipts(0, 100), 2)
		w.advance(24 * time.Hour)
		w.toks = map[string]string{}
		require.Zero(t, errcode(w.massTo(all[:2], "x")))
	})
	t.Run("TheFifthInAMonthDoesNotReachTheFan", func(t *testing.T) { // 27
		t.Parallel()
		w, all := bulk(t, 3)
		for i := range 4 {
			require.Zero(t, errcode(w.massTo(all[:2], fmt.Sprint(i))))
		}
		w.advance(0)
		require.Zero(t, errcode(w.massTo(all, "five")))
		w.advance(0)
		inbox, err := w.s.Inbox("1")
		require.NoError(t, err)
		require.Len(t, inbox, 4)
		inbox, err = w.s.Inbox("3")
		require.NoError(t, err)
		require.Len(t, inbox, 1)
		last := w.open(w.siyu.got()[4])
		require.Equal(t, "MASSSENDJOBFINISH", last["Event"])
		require.Equal(t, "send success", last["Status"])
		require.Equal(t, "3", last["TotalCount"])
		require.Equal(t, "1", last["FilterCount"])
		require.Equal(t, "1", last["SentCount"])
		require.NoError(t, w.s.SetClock(t.Context(), time.Date(2026, 11, 30, 16, 0, 0, 0, time.UTC)))
		w.toks = map[string]string{}
		require.Zero(t, errcode(w.massTo(all, "december")))
		w.advance(0)
		inbox, err = w.s.Inbox("1")
		require.NoError(t, err)
		require.Len(t, inbox, 5)
	})
	t.Run("ToAllGoesOnceADay", func(t *testing.T) { // 28
		t.Parallel()
		w, all := bulk(t, 3)
		toAll := func(n string) int {
			return errcode(w.call("oa", "/cgi-bin/message/mass/sendall", map[string]any{
				"filter": map[string]any{"is_to_all": true}, "msgtype": "text", "text": map[string]string{"content": n}, "clientmsgid": n,
			}))
		}
		require.Zero(t, toAll("a"))
		require.Equal(t, 45028, toAll("b"))
		w.control(200, "/accounts", map[string]any{"account": "oa", "kind": "subscription"})
		w.advance(24 * time.Hour)
		w.toks = map[string]string{}
		require.Zero(t, toAll("c"))
		require.Equal(t, 45028, toAll("d"))
		require.Equal(t, 48001, errcode(w.massTo(all, "e")), "by openid is for service accounts")
	})
	t.Run("TheVerdictIsTold", func(t *testing.T) { // 29
		t.Parallel()
		w, all := bulk(t, 2)
		w.control(200, "/accounts", map[string]any{"account": "oa", "mass_verdict": "err(20001)"})
		require.Zero(t, errcode(w.massTo(all, "a")))
		w.advance(0)
		require.Equal(t, "err(20001)", w.open(w.siyu.got()[0])["Status"])
		require.Empty(t, w.s.Receipts(0, 10))
	})
	t.Run("RunsAfterTheDelay", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, Options{ResultDelay: 10 * time.Minute})
		_, err := w.s.Bulk(2, "p", "oa")
		require.NoError(t, err)
		m := w.massTo([]string{w.s.accounts[0].openid(1), w.s.accounts[0].openid(2)}, "a")
		require.Zero(t, errcode(m))
		w.advance(10*time.Minute - time.Second)
		require.Equal(t, "SENDING", w.call("oa", "/cgi-bin/message/mass/get", map[string]any{"msg_id": m["msg_id"]})["msg_status"])
		w.advance(time.Hour)
		require.Equal(t, "SEND_SUCCESS", w.call("oa", "/cgi-bin/message/mass/get", map[string]any{"msg_id": m["msg_id"]})["msg_status"])
		require.Equal(t, "2026-11-23T09:10:00+08:00", w.s.Receipts(0, 1)[0].Time)
	})
}

func TestSubscribeMessages(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{})
	p := w.s.NewPerson("a", "")
	data := func(thing string) map[string]any {
		return map[string]any{"thing1": map[string]any{"value": thing}, "thing2": map[string]any{"value": "来"}, "time3": map[string]any{"value": "2026年11月25日 10:00"}}
	}
	send := func(d map[string]any) map[string]any {
		return w.call("mp", "/cgi-bin/message/subscribe/send", map[string]any{"touser": p.OpenIDs["mp"], "template_id": "TPL_ACTIVITY", "page": "pages/index", "data": d})
	}
	require.Equal(t, 43101, errcode(send(data("活动"))))
	w.control(200, "/users/"+p.ID+"/accept", map[string]any{"account": "mp", "template": "TPL_ACTIVITY", "times": 2})
	long := send(data(strings.Repeat("长", 21))) // 32
	require.Equal(t, 47003, errcode(long))
	require.Contains(t, long["errmsg"], "data.thing1.value invalid")
	empty := send(data(""))
	require.Equal(t, 47003, errcode(empty))
	require.Contains(t, empty["errmsg"], "data.thing1.value is emtpy")
	one, two := send(data("活动")), send(data(strings.Repeat("长", 20))) // 31
	require.Zero(t, errcode(one))
	require.Zero(t, errcode(two))
	require.Greater(t, len(one["msgid"].(json.Number).String()), 16, "beyond what a float keeps")
	require.NotEqual(t, one["msgid"], two["msgid"])
	require.Equal(t, 43101, errcode(send(data("活动"))))
	w.advance(0)
	var popups, results int
	times := map[string]bool{}
	for _, r := range w.siyu.got() {
		m := w.open(r)
		switch m["Event"] {
		case "subscribe_msg_popup_event":
			popups++
			times[m["CreateTime"]] = true
			require.Equal(t, "accept", m["SubscribeStatusString"])
		case "subscribe_msg_sent_event":
			results++
			require.Equal(t, "0", m["ErrorCode"])
			require.Equal(t, "TPL_ACTIVITY", m["TemplateId"])
		}
	}
	require.Equal(t, 2, popups)
	require.Len(t, times, 2, "two questions cannot be answered in one second: a receiver takes that for a retry")
	require.Equal(t, 2, results)
	w.control(200, "/users/"+p.ID+"/accept", map[string]any{"account": "mp", "template": "TPL_ACTIVITY"})
	w.control(200, "/users/"+p.ID+"/reject", map[string]any{"account": "mp", "template": "TPL_ACTIVITY", "settings": true})
	require.Equal(t, 43101, errcode(send(data("活动"))))
	got := w.siyu.got()
	require.Equal(t, "subscribe_msg_change_event", w.open(got[len(got)-1])["Event"])
}

func TestTemplateMessages(t *testing.T) { // 30
	t.Parallel()
	send := func(w *world, p Person, tpl, id string) map[string]any {
		return w.call("oa", "/cgi-bin/message/template/send", map[string]any{
			"touser": p.OpenIDs["oa"], "template_id": tpl, "client_msg_id": id,
			"data": map[string]any{"thing1": map[string]any{"value": "签到"}, "number2": map[string]any{"value": 5}, "time3": map[string]any{"value": "10:00"}},
		})
	}
	t.Run("GoesToFollowersOnly", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, Options{})
		p := w.s.NewPerson("a", "")
		require.Equal(t, 43004, errcode(send(w, p, "TPL_OA_POINTS", "")))
		p = w.fan("b")
		require.Equal(t, 40037, errcode(send(w, p, "none", "")))
		first := send(w, p, "TPL_OA_POINTS", "x")
		require.Zero(t, errcode(first))
		require.Equal(t, first["msgid"], send(w, p, "TPL_OA_POINTS", "x")["msgid"])
		w.advance(0)
		got := w.siyu.got()
		m := w.open(got[len(got)-1])
		require.Equal(t, "TEMPLATESENDJOBFINISH", m["Event"])
		require.Equal(t, "success", m["Status"])
		require.Equal(t, first["msgid"].(json.Number).String(), m["MsgID"])
	})
	t.Run("FailsForWhoLeftMeanwhile", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, Options{ResultDelay: time.Minute})
		p := w.fan("a")
		require.Zero(t, errcode(send(w, p, "TPL_OA_POINTS", "")))
		w.control(200, "/users/"+p.ID+"/unfollow", map[string]any{})
		w.advance(time.Minute)
		got := w.siyu.got()
		require.Equal(t, "failed:user block", w.open(got[len(got)-1])["Status"])
		require.Empty(t, w.s.Receipts(0, 10))
	})
}

func TestCodes(t *testing.T) {
	t.Parallel()
	session := func(w *world, code string) map[string]any {
		a := w.account("mp")
		q := url.Values{"appid": {a.AppID}, "secret": {a.Secret}, "js_code": {code}, "grant_type": {"authorization_code"}}
		return w.fetch("/sns/jscode2session?" + q.Encode())
	}
	t.Run("ALoginIsGoodOnceForFiveMinutes", func(t *testing.T) { // 33
		t.Parallel()
		w := newWorld(t, Options{})
		p := w.s.NewPerson("a", "")
		c := w.control(200, "/users/"+p.ID+"/login", map[string]any{"account": "mp"})["code"].(string)
		m := session(w, c)
		require.Equal(t, p.OpenIDs["mp"], m["openid"])
		require.Equal(t, p.UnionID, m["unionid"])
		require.NotEmpty(t, m["session_key"])
		require.Equal(t, 40163, errcode(session(w, c)))
		c = w.control(200, "/users/"+p.ID+"/login", map[string]any{"account": "mp"})["code"].(string)
		w.advance(5 * time.Minute)
		require.Equal(t, 40029, errcode(session(w, c)))
		require.Equal(t, 40029, errcode(session(w, "never")))
	})
	t.Run("WithoutOpenPlatformNoUnionID", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, Options{})
		w.control(200, "/accounts", map[string]any{"account": "mp", "bound": false})
		p := w.s.NewPerson("a", "")
		require.NotContains(t, session(w, w.control(200, "/users/"+p.ID+"/login", map[string]any{})["code"].(string)), "unionid")
	})
	t.Run("APhoneCodeIsGoodOnceAndForItsAppAlone", func(t *testing.T) { // 34
		t.Parallel()
		w := newWorld(t, Options{})
		w.control(200, "/accounts", map[string]any{"account": "mp2", "kind": "mp"})
		p := w.s.NewPerson("a", "")
		c := w.control(200, "/users/"+p.ID+"/phone", map[string]any{"account": "mp", "number": "13800138000"})["code"].(string)
		get := func(name, c string) map[string]any {
			return w.call(name, "/wxa/business/getuserphonenumber", map[string]any{"code": c})
		}
		require.Equal(t, 40013, errcode(get("mp2", c)))
		m := get("mp", c)
		require.Equal(t, "13800138000", m["phone_info"].(map[string]any)["purePhoneNumber"])
		require.Equal(t, "86", m["phone_info"].(map[string]any)["countryCode"])
		require.Equal(t, 40029, errcode(get("mp", c)))
		login := w.control(200, "/users/"+p.ID+"/login", map[string]any{"account": "mp"})["code"].(string)
		require.Equal(t, 40029, errcode(get("mp", login)), "a login code is no phone code")
	})
}

func TestUsersAndTags(t *testing.T) {
	t.Parallel()
	t.Run("AFollowerHasNoNameForTheAccount", func(t *testing.T) { // 39
		t.Parallel()
		w := newWorld(t, Options{})
		p := w.s.NewPerson("小红", "")
		info := func() map[string]any {
			return w.fetch("/cgi-bin/user/info?access_token=" + w.token("oa") + "&openid=" + p.OpenIDs["oa"])
		}
		require.Equal(t, "0", info()["subscribe"].(json.Number).String())
		w.control(200, "/users/"+p.ID+"/scan", map[string]any{"scene": "poster"})
		m := info()
		require.Empty(t, m["nickname"])
		require.Equal(t, "poster", m["qr_scene_str"])
		require.Equal(t, "ADD_SCENE_QR_CODE", m["subscribe_scene"])
		require.Equal(t, p.UnionID, m["unionid"])
	})
	t.Run("FollowersAreListedInPages", func(t *testing.T) { // 38
		t.Parallel()
		w := newWorld(t, Options{})
		_, err := w.s.Bulk(25_000, "p", "oa")
		require.NoError(t, err)
		next, sizes := "", []int{}
		for {
			m := w.fetch("/cgi-bin/user/get?access_token=" + w.token("oa") + "&next_openid=" + next)
			require.Equal(t, "25000", m["total"].(json.Number).String())
			data, ok := m["data"].(map[string]any)
			if !ok {
				break
			}
			sizes = append(sizes, len(data["openid"].([]any)))
			next = m["next_openid"].(string)
		}
		require.Equal(t, []int{10_000, 10_000, 5000}, sizes)
	})
	t.Run("FiftyAtOnceAndTwentyEach", func(t *testing.T) { // 37
		t.Parallel()
		w := newWorld(t, Options{})
		_, err := w.s.Bulk(51, "p", "oa")
		require.NoError(t, err)
		var all []string
		for i := range 51 {
			all = append(all, w.s.accounts[0].openid(int64(i+1)))
		}
		tagging := func(list []string, id any) int {
			return errcode(w.call("oa", "/cgi-bin/tags/members/batchtagging", map[string]any{"openid_list": list, "tagid": id}))
		}
		for i := range 21 {
			m := w.call("oa", "/cgi-bin/tags/create", map[string]any{"tag": map[string]any{"name": fmt.Sprint("t", i)}})
			id := m["tag"].(map[string]any)["id"]
			want := 0
			if i == 20 {
				want = 45059
			}
			require.Equal(t, want, tagging(all[:50], id))
			require.Equal(t, 40032, tagging(all, id))
		}
		require.Equal(t, 45157, errcode(w.call("oa", "/cgi-bin/tags/create", map[string]any{"tag": map[string]any{"name": "t1"}})))
		fans := w.call("oa", "/cgi-bin/user/tag/get", map[string]any{"tagid": 100})
		require.Equal(t, "50", fans["count"].(json.Number).String())
		require.Zero(t, errcode(w.call("oa", "/cgi-bin/tags/delete", map[string]any{"tag": map[string]any{"id": 100}})))
		require.Len(t, w.call("oa", "/cgi-bin/tags/getidlist", map[string]any{"openid": all[0]})["tagid_list"], 19)
		require.Equal(t, 49003, tagging([]string{w.s.accounts[1].openid(1)}, 101))
	})
}

func TestPictures(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{})
	m := w.call("oa", "/cgi-bin/qrcode/create", map[string]any{
		"expire_seconds": 60, "action_name": "QR_STR_SCENE", "action_info": map[string]any{"scene": map[string]any{"scene_str": "poster"}},
	})
	ticket := m["ticket"].(string)
	res, err := http.Get(w.api.URL + "/cgi-bin/showqrcode?ticket=" + url.QueryEscape(ticket))
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, "image/png", res.Header.Get("Content-Type"))
	p := w.s.NewPerson("a", "")
	w.control(200, "/users/"+p.ID+"/scan", map[string]any{"ticket": ticket})
	push := w.open(w.siyu.got()[0])
	require.Equal(t, "qrscene_poster", push["EventKey"])
	require.Equal(t, ticket, push["Ticket"])
	w.advance(time.Minute)
	w.control(410, "/users/"+p.ID+"/scan", map[string]any{"ticket": ticket})

	require.Equal(t, 40169, errcode(w.call("mp", "/wxa/getwxacodeunlimit", map[string]any{"scene": strings.Repeat("x", 33)})))
	res, err = http.Post(w.api.URL+"/wxa/getwxacodeunlimit?access_token="+w.token("mp"), "application/json", strings.NewReader(`{"scene":"a=1","page":"pages/index/index"}`))
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, "image/jpeg", res.Header.Get("Content-Type"))
}

func TestMenu(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{})
	create := func(b ...map[string]any) int {
		return errcode(w.call("oa", "/cgi-bin/menu/create", map[string]any{"button": b}))
	}
	require.Equal(t, 46003, errcode(w.get("oa", "/cgi-bin/menu/get")))
	require.Equal(t, 40018, create(map[string]any{"type": "click", "name": strings.Repeat("长", 6), "key": "K"}))
	require.Equal(t, 40019, create(map[string]any{"type": "click", "name": "签到"}))
	require.Zero(t, create(map[string]any{"type": "click", "name": "签到", "key": "CHECKIN"}))
	require.Contains(t, fmt.Sprint(w.get("oa", "/cgi-bin/menu/get")), "CHECKIN")
}

func TestTextCheck(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{})
	p := w.s.NewPerson("a", "")
	check := func(content string) map[string]any {
		return w.call("mp", "/wxa/msg_sec_check", map[string]any{"content": content, "version": 2, "scene": 2, "openid": p.OpenIDs["mp"]})
	}
	require.Equal(t, 61010, errcode(check("你好")))
	w.control(200, "/users/"+p.ID+"/login", map[string]any{})
	require.Equal(t, "pass", check("你好")["result"].(map[string]any)["suggest"])
	require.Equal(t, "risky", check("一起赌博")["result"].(map[string]any)["suggest"])
}

func TestTheListOfAccountsIsChangedByTheNameItGives(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{})
	w.control(200, "/accounts", map[string]any{"name": "oa", "mode": "plain", "format": "json"})
	require.Equal(t, "plain", w.account("oa").Mode)
	w.control(200, "/accounts", map[string]any{"account": "oa", "mode": "compat"})
	require.Equal(t, "compat", w.account("oa").Mode)
	require.Equal(t, "json", w.account("oa").Format)
	w.control(404, "/accounts", map[string]any{"name": "nobody", "mode": "plain"})
}
