package wechat_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/wechat"
)

func TestLogin(t *testing.T) {
	t.Parallel()
	t.Run("CodeBecomesSession", func(t *testing.T) {
		t.Parallel()
		s := newServer(t)
		s.answer("/sns/jscode2session", `{"openid":"`+openid+`","session_key":"K==","unionid":"U"}`)
		got, err := s.client().Code2Session(t.Context(), "mp", "good-code_1")
		require.NoError(t, err)
		require.Equal(t, wechat.Session{OpenID: openid, UnionID: "U", SessionKey: "K=="}, got)
		for _, part := range []string{"appid=wxmp", "secret=" + secret, "js_code=good-code_1", "grant_type=authorization_code"} {
			require.Contains(t, s.queries["/sns/jscode2session"], part)
		}
		require.NotContains(t, s.queries["/sns/jscode2session"], "call-")
		require.Zero(t, s.count("/cgi-bin/stable_token"))
	})
	t.Run("UsedCodeIsTheCallersMistake", func(t *testing.T) {
		t.Parallel()
		s := newServer(t)
		for _, code := range []int{40163, 40029} {
			s.answer("/sns/jscode2session", fmt.Sprintf(`{"errcode":%d,"errmsg":"code been used, rid: 6a3ba761-6ef7535a-33c60a10"}`, code))
			_, err := s.client().Code2Session(t.Context(), "mp", "used")
			require.Equal(t, errs.Invalid, errs.CodeOf(err))
			require.Equal(t, code, wechat.CodeOf(err))
			s.answer("/wxa/business/getuserphonenumber", fmt.Sprintf(`{"errcode":%d,"errmsg":"x"}`, code))
			_, err = s.client().PhoneNumber(t.Context(), "mp", "used")
			require.Equal(t, errs.Invalid, errs.CodeOf(err))
		}
	})
	t.Run("WhatIsNoCodeIsNeverSent", func(t *testing.T) {
		t.Parallel()
		s := newServer(t)
		c := s.client()
		for _, code := range []string{"", "a&appid=x", "good&appid=EVIL&secret=x#", "a b", "é", strings.Repeat("a", 129)} {
			_, err := c.Code2Session(t.Context(), "mp", code)
			require.Equal(t, errs.Invalid, errs.CodeOf(err))
			_, err = c.PhoneNumber(t.Context(), "mp", code)
			require.Equal(t, errs.Invalid, errs.CodeOf(err))
		}
		require.Empty(t, s.calls)
	})
	t.Run("PhoneNumberOfThisAppOnly", func(t *testing.T) {
		t.Parallel()
		s := newServer(t)
		phone := `{"errcode":0,"errmsg":"ok","phone_info":{"phoneNumber":"13800138000","purePhoneNumber":"13800138000","countryCode":"86","watermark":{"timestamp":1,"appid":"%s"}}}`
		s.answer("/wxa/business/getuserphonenumber", fmt.Sprintf(phone, "wxmp"))
		number, err := s.client().PhoneNumber(t.Context(), "mp", "c0de")
		require.NoError(t, err)
		require.Equal(t, "13800138000", number)
		require.JSONEq(t, `{"code":"c0de"}`, s.bodies["/wxa/business/getuserphonenumber"])
		require.Equal(t, "access_token=TOKEN-1", s.queries["/wxa/business/getuserphonenumber"])
		s.answer("/wxa/business/getuserphonenumber", fmt.Sprintf(phone, "wxother"))
		_, err = s.client().PhoneNumber(t.Context(), "mp", "c0de")
		require.Error(t, err)
	})
	t.Run("WrongAccountIsRefusedHere", func(t *testing.T) {
		t.Parallel()
		s := newServer(t)
		_, err := s.client().Code2Session(t.Context(), "nobody", "c")
		require.Equal(t, errs.NotFound, errs.CodeOf(err))
		_, err = s.client().Code2Session(t.Context(), "oa", "c")
		require.Equal(t, wechat.ClassConfig, wechat.ClassOf(err))
		require.Empty(t, s.calls)
	})
}

func TestUsers(t *testing.T) {
	t.Parallel()
	t.Run("InfoOfFollowerAndStranger", func(t *testing.T) {
		t.Parallel()
		s := newServer(t)
		s.answer("/cgi-bin/user/info", `{"subscribe":1,"openid":"`+openid+`","language":"zh_CN","subscribe_time":1382694957,"unionid":"U","remark":"",
			"nickname":"","sex":0,"headimgurl":"","groupid":0,"tagid_list":[128,2],"subscribe_scene":"ADD_SCENE_QR_CODE","qr_scene":0,"qr_scene_str":"poster"}`)
		c := s.client()
		info, err := c.UserInfo(t.Context(), "oa", openid)
		require.NoError(t, err)
		require.Equal(t, wechat.UserInfo{
			OpenID: openid, UnionID: "U", Subscribe: true, SubscribeTime: time.Unix(1382694957, 0).UTC(), Scene: "ADD_SCENE_QR_CODE", QRScene: "poster",
		}, info)
		s.answer("/cgi-bin/user/info", `{"subscribe":0,"openid":"`+openid+`"}`)
		info, err = c.UserInfo(t.Context(), "oa", openid)
		require.NoError(t, err)
		require.Equal(t, wechat.UserInfo{OpenID: openid}, info)
	})
	t.Run("WhatIsNoOpenIDIsNeverSent", func(t *testing.T) {
		t.Parallel()
		s := newServer(t)
		c := s.client()
		for _, id := range []string{"", "o1", "o1&access_token=x", `o12345","x":"`, strings.Repeat("o", 65)} {
			_, err := c.UserInfo(t.Context(), "oa", id)
			require.Equal(t, wechat.ClassRecipient, wechat.ClassOf(err))
			require.Equal(t, wechat.ClassRecipient, wechat.ClassOf(c.SendText(t.Context(), "oa", id, "hi")))
			_, err = c.SendSubscribe(t.Context(), "mp", id, "t", "", nil)
			require.Equal(t, wechat.Rejected, wechat.OutcomeOf(err))
			_, err = c.SendMass(t.Context(), "oa", []string{openid, id}, "hi", "c1")
			require.Equal(t, wechat.ClassRecipient, wechat.ClassOf(err))
		}
		require.Empty(t, s.calls)
	})
	t.Run("FollowersEndWithTheEmptyPage", func(t *testing.T) {
		t.Parallel()
		s := newServer(t)
		s.answer("/cgi-bin/user/get", `{"total":25001,"count":0,"next_openid":""}`) // total is a lie; there is no data
		page, err := s.client().FollowersAfter(t.Context(), "oa", openid)
		require.NoError(t, err)
		require.Equal(t, wechat.FollowerPage{Total: 25_001}, page)
	})
	t.Run("WhatIsNoOpenIDInAListIsNotUnderstood", func(t *testing.T) {
		t.Parallel()
		s := newServer(t)
		s.answer("/cgi-bin/user/get", `{"total":1,"count":1,"data":{"openid":["o\",\"x"]},"next_openid":"o"}`)
		_, err := s.client().FollowersAfter(t.Context(), "oa", "")
		require.Error(t, err)
		s.answer("/cgi-bin/user/info/batchget", `{"user_info_list":[{"subscribe":1,"openid":"'; DROP"}]}`)
		_, err = s.client().UserInfos(t.Context(), "oa", []string{openid})
		require.Error(t, err)
		_, err = s.client().UserInfos(t.Context(), "oa", []string{`o12345","x":"`})
		require.Equal(t, wechat.ClassRecipient, wechat.ClassOf(err))
	})
}

func TestSend(t *testing.T) {
	t.Parallel()
	const custom = "/cgi-bin/message/custom/send"
	t.Run("TextArrivesAsWrittenWithoutEscapes", func(t *testing.T) {
		t.Parallel()
		s := newServer(t)
		text := "积分<b>&</b> 😀 \"quoted\" \\ back\nline\ttab"
		require.NoError(t, s.client().SendText(t.Context(), "oa", openid, text+"\u2028x\x07\x00\xff"))
		require.NotContains(t, s.bodies[custom], `\u`)
		var got struct {
			ToUser, MsgType string
			Text            struct{ Content string }
		}
		require.NoError(t, json.Unmarshal([]byte(s.bodies[custom]), &got))
		require.Equal(t, text+"\nx", got.Text.Content)
		require.Equal(t, []string{openid, "text"}, []string{got.ToUser, got.MsgType})
	})
	t.Run("CardAndNewsHaveTheirShape", func(t *testing.T) {
		t.Parallel()
		s := newServer(t)
		c := s.client()
		require.NoError(t, c.SendMiniProgramCard(t.Context(), "oa", openid, wechat.Card{Title: "t", AppID: "wxmp", Path: "p?a=1&b", ThumbMediaID: "m"}))
		require.JSONEq(t, `{"touser":"`+openid+`","msgtype":"miniprogrampage","miniprogrampage":{"title":"t","appid":"wxmp","pagepath":"p?a=1&b","thumb_media_id":"m"}}`, s.bodies[custom])
		require.NoError(t, c.SendNews(t.Context(), "oa", openid, wechat.Article{Title: "t", Description: "d", URL: "u", PicURL: "p"}))
		require.JSONEq(t, `{"touser":"`+openid+`","msgtype":"news","news":{"articles":[{"title":"t","description":"d","url":"u","picurl":"p"}]}}`, s.bodies[custom])
		require.Equal(t, wechat.ClassContent, wechat.ClassOf(c.SendText(t.Context(), "oa", openid, "")))
	})
	t.Run("SubscribeMessageKeepsEveryDigitOfItsID", func(t *testing.T) {
		t.Parallel()
		s := newServer(t)
		const path = "/cgi-bin/message/subscribe/send"
		s.answer(path, `{"errcode":0,"errmsg":"ok","msgid":1988810812324364291}`)
		id, err := s.client().SendSubscribe(t.Context(), "mp", openid, "tmpl", "pages/a?x=1", map[string]string{"thing1": "签到", "date2": "2026年11月22日"})
		require.NoError(t, err)
		require.Equal(t, "1988810812324364291", id)
		require.JSONEq(t, `{"touser":"`+openid+`","template_id":"tmpl","page":"pages/a?x=1","miniprogram_state":"formal","lang":"zh_CN",
			"data":{"thing1":{"value":"签到"},"date2":{"value":"2026年11月22日"}}}`, s.bodies[path])
		s.answer(path, `{"errcode":43101,"errmsg":"user refuse to accept the msg"}`)
		_, err = s.client().SendSubscribe(t.Context(), "mp", openid, "tmpl", "", nil)
		require.Equal(t, wechat.ClassRecipient, wechat.ClassOf(err))
		id, err = s.client().SendSubscribe(t.Context(), "oa", openid, "tmpl", "", nil)
		require.NoError(t, err)
		require.Empty(t, id)
		require.JSONEq(t, `{"touser":"`+openid+`","template_id":"tmpl","data":{}}`, s.bodies["/cgi-bin/message/subscribe/bizsend"])
	})
	t.Run("MassSendRepeatedUnderItsIDIsSentOnce", func(t *testing.T) {
		t.Parallel()
		s := newServer(t)
		const path = "/cgi-bin/message/mass/send"
		s.handle(path, func(w http.ResponseWriter, _ *http.Request, _ string) {
			conn, _, err := http.NewResponseController(w).Hijack() // accepted, and the answer lost
			if err == nil {
				_ = conn.Close()
			}
		})
		c := s.client()
		_, err := c.SendMass(t.Context(), "oa", []string{openid, openid + "2"}, "hi", "c7-1")
		require.Equal(t, wechat.Unknown, wechat.OutcomeOf(err))
		s.answer(path, `{"errcode":45065,"errmsg":"clientmsgid exist","msg_id":3147494522}`)
		id, err := c.SendMass(t.Context(), "oa", []string{openid, openid + "2"}, "hi", "c7-1")
		require.NoError(t, err)
		require.Equal(t, "3147494522", id)
		require.JSONEq(t, `{"touser":["`+openid+`","`+openid+`2"],"msgtype":"text","text":{"content":"hi"},"clientmsgid":"c7-1"}`, s.bodies[path])
		s.answer(path, `{"errcode":45066,"errmsg":"retry too soon"}`)
		_, err = c.SendMass(t.Context(), "oa", []string{openid, openid + "2"}, "hi", "c7-1")
		require.Equal(t, wechat.ClassTransient, wechat.ClassOf(err))
		s.answer("/cgi-bin/message/mass/get", `{"msg_id":3147494522,"msg_status":"SEND_SUCCESS"}`)
		status, err := c.MassStatus(t.Context(), "oa", id)
		require.NoError(t, err)
		require.Equal(t, "SEND_SUCCESS", status)
	})
	t.Run("MassSendOutOfBoundsIsRefusedHere", func(t *testing.T) {
		t.Parallel()
		s := newServer(t)
		c := s.client()
		many := make([]string, 10_001)
		for i := range many {
			many[i] = openid
		}
		for _, bad := range []struct {
			ids      []string
			text, id string
		}{{many[:1], "hi", "c"}, {many, "hi", "c"}, {many[:2], "", "c"}, {many[:2], "hi", ""}, {many[:2], "hi", strings.Repeat("c", 65)}} {
			_, err := c.SendMass(t.Context(), "oa", bad.ids, bad.text, bad.id)
			require.Equal(t, errs.Invalid, errs.CodeOf(err))
		}
		_, err := c.SendMass(t.Context(), "mp", many[:2], "hi", "c")
		require.Equal(t, wechat.ClassConfig, wechat.ClassOf(err))
		require.Empty(t, s.calls)
	})
}

func TestSettings(t *testing.T) {
	t.Parallel()
	t.Run("QRCodes", func(t *testing.T) {
		t.Parallel()
		s := newServer(t)
		const path = "/cgi-bin/qrcode/create"
		s.answer(path, `{"ticket":"gQ H4=","expire_seconds":2592000,"url":"http://weixin.qq.com/q/k"}`)
		ticket, err := s.client().QRCode(t.Context(), "oa", "poster", false)
		require.NoError(t, err)
		require.Equal(t, wechat.Ticket{Ticket: "gQ H4=", URL: "http://weixin.qq.com/q/k", Image: s.URL + "/cgi-bin/showqrcode?ticket=gQ+H4%3D"}, ticket)
		require.JSONEq(t, `{"expire_seconds":2592000,"action_name":"QR_STR_SCENE","action_info":{"scene":{"scene_str":"poster"}}}`, s.bodies[path])
		_, err = s.client().QRCode(t.Context(), "oa", "poster", true)
		require.NoError(t, err)
		require.JSONEq(t, `{"action_name":"QR_LIMIT_STR_SCENE","action_info":{"scene":{"scene_str":"poster"}}}`, s.bodies[path])
		s.answer(path, `{"errcode":45009,"errmsg":"reach max api daily quota limit"}`)
		_, err = s.client().QRCode(t.Context(), "oa", "poster", true)
		require.Equal(t, wechat.ClassDayQuota, wechat.ClassOf(err))
		for _, scene := range []string{"", strings.Repeat("s", 65), "a\u2028"} {
			_, err = s.client().QRCode(t.Context(), "oa", scene, false)
			require.Equal(t, errs.Invalid, errs.CodeOf(err))
		}
	})
	t.Run("MenusGoOutWithoutEscapes", func(t *testing.T) {
		t.Parallel()
		s := newServer(t)
		c := s.client()
		require.NoError(t, c.CreateMenu(t.Context(), "oa", []byte(`{"button":[{"type":"click","name":"\u7b7e\u5230\u2028<1>","key":"CHECKIN"}]}`)))
		require.JSONEq(t, `{"button":[{"type":"click","name":"签到\n<1>","key":"CHECKIN"}]}`, s.bodies["/cgi-bin/menu/create"])
		require.NotContains(t, s.bodies["/cgi-bin/menu/create"], `\u`)
		require.Equal(t, errs.Invalid, errs.CodeOf(c.CreateMenu(t.Context(), "oa", []byte(`[]`))))
		s.answer("/cgi-bin/menu/create", `{"errcode":40018,"errmsg":"invalid button name size"}`)
		require.Equal(t, 40018, wechat.CodeOf(c.CreateMenu(t.Context(), "oa", []byte(`{"button":[]}`))))
		s.answer("/cgi-bin/menu/get", `{"menu":{"button":[]}}`)
		menu, err := c.GetMenu(t.Context(), "oa")
		require.NoError(t, err)
		require.JSONEq(t, `{"menu":{"button":[]}}`, string(menu))
	})
	t.Run("TemplatesNameTheirFields", func(t *testing.T) {
		t.Parallel()
		s := newServer(t)
		s.answer("/wxaapi/newtmpl/gettemplate", `{"errcode":0,"errmsg":"ok","data":[{"priTmplId":"t1","title":"签到提醒",
			"content":"活动名称:{{thing1.DATA}}\n日期：{{date2.DATA}}\n","example":"活动名称:签到","type":2}]}`)
		list, err := s.client().SubscribeTemplates(t.Context(), "mp")
		require.NoError(t, err)
		require.Equal(t, []wechat.Template{{
			ID: "t1", Title: "签到提醒", Content: "活动名称:{{thing1.DATA}}\n日期：{{date2.DATA}}\n", Example: "活动名称:签到",
			Fields: []wechat.TemplateField{{Name: "thing1", Label: "活动名称"}, {Name: "date2", Label: "日期"}},
		}}, list)
	})
	t.Run("AccountsAreChecked", func(t *testing.T) {
		t.Parallel()
		good := wechat.Account{Name: "oa", Kind: wechat.KindOA, AppID: "wx1"}
		for _, change := range []func(*wechat.Account){
			func(a *wechat.Account) { a.Name = "A B" }, func(a *wechat.Account) { a.Kind = "work" }, func(a *wechat.Account) { a.AppID = "" },
			func(a *wechat.Account) { a.Mode = "other" }, func(a *wechat.Account) { a.Mode = wechat.ModeSafe },
			func(a *wechat.Account) { a.EncodingAESKey = "short" },
		} {
			bad := good
			change(&bad)
			require.Error(t, bad.Check())
			_, err := wechat.NewClient(wechat.Options{Accounts: []wechat.Account{bad}})
			require.Error(t, err)
		}
		_, err := wechat.NewClient(wechat.Options{Accounts: []wechat.Account{good, good}})
		require.Error(t, err)
		c, err := wechat.NewClient(wechat.Options{Accounts: []wechat.Account{good}})
		require.NoError(t, err)
		got, ok := c.Account("oa")
		require.True(t, ok)
		require.Equal(t, good, got)
		_, ok = c.Account("mp")
		require.False(t, ok)
	})
}
