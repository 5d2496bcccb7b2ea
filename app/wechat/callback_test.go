package wechat_test

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/wechat"
)

const (
	pushToken = "AAAAA"
	appID     = "wxba5fad812f8e6fb9"
	stamp     = "1714112445"
)

var aesKey = strings.Repeat("A", 43)

func account(mode string) wechat.Account {
	acc := wechat.Account{Name: "oa", Kind: wechat.KindOA, AppID: appID, Secret: "s", Token: pushToken, Mode: mode}
	if mode != wechat.ModePlain {
		acc.EncodingAESKey = aesKey
	}
	return acc
}

// signed is the query of a readable push.
func signed() url.Values {
	return url.Values{"timestamp": {stamp}, "nonce": {"7"}, "openid": {"o1"}, "signature": {wechat.Signature(pushToken, stamp, "7")}}
}

// sealed is an encrypted push of plain, beside which around holds readable fields.
func sealed(t *testing.T, plain, around string) (url.Values, []byte) {
	t.Helper()
	c, err := wechat.NewCrypt(pushToken, aesKey, appID)
	require.NoError(t, err)
	text, err := c.Encrypt([]byte("0123456789abcdef"), []byte(plain))
	require.NoError(t, err)
	q := signed()
	q.Set("encrypt_type", "aes")
	q.Set("msg_signature", c.Signature(stamp, "7", text))
	return q, []byte("<xml>" + around + "<ToUserName>gh</ToUserName><Encrypt><![CDATA[" + text + "]]></Encrypt></xml>")
}

func open(t *testing.T, body string) *wechat.Push {
	t.Helper()
	p, err := wechat.Open(account(wechat.ModePlain), signed(), []byte(body), at(stamp))
	require.NoError(t, err)
	return p
}

func event(fields string) string {
	return "<xml><ToUserName>gh</ToUserName><FromUserName><![CDATA[o1]]></FromUserName><CreateTime>1714112440</CreateTime>" +
		"<MsgType><![CDATA[event]]></MsgType>" + fields + "</xml>"
}

func TestVerify(t *testing.T) {
	t.Parallel()
	query := url.Values{
		"timestamp": {"1714036504"}, "nonce": {"1514711492"}, "echostr": {"4375120948345356249"},
		"signature": {"f464b24fc39322e44b38aa78f5edd27bd1441696"},
	}
	t.Run("EchoesVerbatim", func(t *testing.T) {
		t.Parallel()
		echo, err := wechat.Verify(account(wechat.ModeSafe), query)
		require.NoError(t, err)
		require.Equal(t, "4375120948345356249", echo)
	})
	t.Run("RefusesAWrongDigitAnAccountWithoutTokenAndAScript", func(t *testing.T) {
		t.Parallel()
		wrong := url.Values{"timestamp": query["timestamp"], "nonce": query["nonce"], "echostr": query["echostr"]}
		wrong.Set("signature", "f464b24fc39322e44b38aa78f5edd27bd1441697")
		_, err := wechat.Verify(account(wechat.ModeSafe), wrong)
		require.Equal(t, errs.Unauthorized, errs.CodeOf(err))

		open := account(wechat.ModeSafe)
		open.Token = ""
		wrong.Set("signature", wechat.Signature("", "1714036504", "1514711492"))
		_, err = wechat.Verify(open, wrong)
		require.Equal(t, "callback.account", wechat.Reason(err))

		wrong.Set("signature", query.Get("signature"))
		wrong.Set("echostr", "<script>")
		_, err = wechat.Verify(account(wechat.ModeSafe), wrong)
		require.Equal(t, errs.Malformed, errs.CodeOf(err))
	})
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	safe := vectors[vector](t, "msg_crypto.json")[0]
	require.Equal(t, "mp-doc-safe-push-json", safe.Name)
	follow := event("<Event>subscribe</Event>")
	now := at(stamp)

	refused := func(t *testing.T, reason string, acc wechat.Account, q url.Values, body []byte, now time.Time) {
		t.Helper()
		p, err := wechat.Open(acc, q, body, now)
		require.Nil(t, p)
		require.Equal(t, reason, wechat.Reason(err))
	}
	t.Run("NothingOfTheOfficialPush", func(t *testing.T) {
		t.Parallel()
		p, err := wechat.Open(safe.account(), safe.query(), safe.body(), now)
		require.NoError(t, err)
		require.Equal(t, "debug_demo", p.Event)
		require.Equal(t, "o9AgO5Kd5ggOC-bXrbNODIiE3bGY", p.Person())
		require.Equal(t, int64(1714112445), p.CreateTime.Unix())
		require.Equal(t, wechat.FormatJSON, p.Format)
	})
	t.Run("AWrongOrAbsentMsgSignature", func(t *testing.T) {
		t.Parallel()
		q := safe.query()
		q.Set("signature", safe.Signature) // right, and worth nothing
		q.Set("msg_signature", strings.Repeat("0", 40))
		refused(t, "callback.signature", safe.account(), q, safe.body(), now)
		q.Del("msg_signature")
		refused(t, "callback.downgraded", safe.account(), q, safe.body(), now)
	})
	t.Run("AReadablePushToAnAccountThatEncrypts", func(t *testing.T) {
		t.Parallel()
		for _, mode := range []string{wechat.ModeSafe, wechat.ModeCompat, ""} {
			acc := account(mode)
			acc.EncodingAESKey = aesKey
			refused(t, "callback.downgraded", acc, signed(), []byte(follow), now)
		}
	})
	t.Run("AnEncryptedPushToAnAccountWithoutKey", func(t *testing.T) {
		t.Parallel()
		q, body := sealed(t, follow, "")
		refused(t, "callback.encrypted", account(wechat.ModePlain), q, body, now)
		keyed := account(wechat.ModePlain)
		keyed.EncodingAESKey = aesKey
		p, err := wechat.Open(keyed, q, body, now)
		require.NoError(t, err)
		require.Equal(t, "subscribe", p.Event)
	})
	t.Run("EverythingOfAnAccountWithoutToken", func(t *testing.T) {
		t.Parallel()
		acc := account(wechat.ModePlain)
		acc.Token = ""
		q := signed()
		q.Set("signature", wechat.Signature("", stamp, "7"))
		refused(t, "callback.account", acc, q, []byte(follow), now)
		acc = account(wechat.ModeSafe)
		acc.Token = ""
		q, body := sealed(t, follow, "")
		refused(t, "callback.account", acc, q, body, now)
		acc = account(wechat.ModeSafe)
		acc.EncodingAESKey = ""
		refused(t, "callback.account", acc, q, body, now)
		acc.Mode = "other"
		refused(t, "callback.account", acc, q, body, now)
	})
	t.Run("TheCiphertextOfAnotherApp", func(t *testing.T) {
		t.Parallel()
		acc := account(wechat.ModeSafe)
		acc.AppID = "wx0000000000000000"
		q, body := sealed(t, follow, "")
		refused(t, "callback.decrypt: meant for another appid", acc, q, body, now)
	})
	t.Run("ATimestampOlderOrNewerThanTenMinutes", func(t *testing.T) {
		t.Parallel()
		q, body := sealed(t, follow, "")
		for _, off := range []time.Duration{-601 * time.Second, 601 * time.Second, 9 * 365 * 24 * time.Hour} {
			refused(t, "callback.replayed", account(wechat.ModeSafe), q, body, now.Add(off))
			refused(t, "callback.replayed", account(wechat.ModePlain), signed(), []byte(follow), now.Add(off))
		}
		for _, off := range []time.Duration{-600 * time.Second, 600 * time.Second} {
			_, err := wechat.Open(account(wechat.ModeSafe), q, body, now.Add(off))
			require.NoError(t, err)
		}
		odd := url.Values{"timestamp": {"now"}, "nonce": {"7"}, "signature": {wechat.Signature(pushToken, "now", "7")}}
		refused(t, "callback.replayed", account(wechat.ModePlain), odd, []byte(follow), now)
	})
	t.Run("APushForAnotherOriginalID", func(t *testing.T) {
		t.Parallel()
		acc := account(wechat.ModePlain)
		acc.OriginalID = "gh_other"
		refused(t, "callback.wrong_account", acc, signed(), []byte(follow), now)
	})
	t.Run("BodiesThatAreTooLargeTooDeepOrNotAPush", func(t *testing.T) {
		t.Parallel()
		acc := account(wechat.ModePlain)
		refused(t, "callback.too_large", acc, signed(), make([]byte, 256<<10+1), now)
		for _, body := range []string{
			"", " \n", "hello", "[]", "<xml>", "<xml></other>", "</xml>", "<xml/><xml/>", "<xml/>tail", "{", "{}{}", `{"a":}`, "null",
			`<!DOCTYPE x [<!ENTITY a "b">]><xml><Content>&a;</Content></xml>`, "<xml><Content>&a;</Content></xml>",
			`<?xml version="1.0" encoding="gbk"?><xml/>`, "<xml><?php evil ?></xml>",
			strings.Repeat("<a>", 17) + strings.Repeat("</a>", 17), strings.Repeat(`{"a":`, 17) + "1" + strings.Repeat("}", 17),
			"<xml>" + strings.Repeat("<a/>", 9000) + "</xml>", `{"a":[` + strings.Repeat("1,", 9000) + "1]}",
		} {
			_, err := wechat.Open(acc, signed(), []byte(body), now)
			require.Equal(t, errs.Malformed, errs.CodeOf(err), "%.40q", body)
		}
	})
}

func TestOpenReads(t *testing.T) {
	t.Parallel()
	t.Run("OnlyTheEncryptedPartInCompatMode", func(t *testing.T) {
		t.Parallel()
		q, body := sealed(t, event("<Event>subscribe</Event>"), "<FromUserName>victim</FromUserName><Event>unsubscribe</Event>")
		p, err := wechat.Open(account(wechat.ModeCompat), q, body, at(stamp))
		require.NoError(t, err)
		require.Equal(t, "o1", p.FromUserName)
		require.Equal(t, "subscribe", p.Event)
	})
	t.Run("NumbersAsStringsAndRubbishAfterABOM", func(t *testing.T) {
		t.Parallel()
		p := open(t, "\xef\xbb\xbf"+`{"ToUserName":"gh_006a8127e19b","FromUserName":"oRkox63FK_5Y0Ora-ZLIAi_a5wBU","CreateTime":"1758783896",
			"MsgType":"event","Event":"MASSSENDJOBFINISH","MsgID":"1000000338","Status":"send success","TotalCount":"296","FilterCount":"295",
			"SentCount":"294","ErrorCount":"1","CopyrightCheckResult":"\n\n\n","ArticleUrlResult":"\n\n"}`)
		require.Equal(t, []int{296, 295, 294, 1}, []int{p.TotalCount, p.FilterCount, p.SentCount, p.ErrorCount})
		require.Equal(t, int64(1758783896), p.CreateTime.Unix())
		require.Equal(t, "oa/MASSSENDJOBFINISH/1000000338", p.Key())
	})
	t.Run("MsgIDsToTheLastOfSixtyFourBits", func(t *testing.T) {
		t.Parallel()
		p := open(t, `{"FromUserName":"o1","MsgType":"text","Content":"hi","MsgId":1988810812324364291,"CreateTime":1}`)
		require.Equal(t, "1988810812324364291", p.MsgID)
		require.Equal(t, "oa/msg/1988810812324364291", p.Key())
	})
	t.Run("ListsHoweverTheyAreWritten", func(t *testing.T) {
		t.Parallel()
		one := `{"TemplateId":"t1","SubscribeStatusString":"accept","PopupScene":"0"}`
		two := `{"TemplateId":"t2","SubscribeStatusString":"reject","PopupScene":2}`
		want := []wechat.SubscribeResult{{TemplateID: "t1", Status: "accept", Scene: "0"}, {TemplateID: "t2", Status: "reject", Scene: "2"}}
		head := `{"FromUserName":"o1","MsgType":"event","Event":"subscribe_msg_popup_event","CreateTime":1714112440,`
		require.Equal(t, want[:1], open(t, head+`"List":`+one+`}`).Subscriptions)
		require.Equal(t, want, open(t, head+`"List":[`+one+`,`+two+`]}`).Subscriptions)
		require.Equal(t, want, open(t, head+`"SubscribeMsgPopupEvent":{"List":[`+one+`,`+two+`]}}`).Subscriptions)
		require.Empty(t, open(t, head+`"List":"\n"}`).Subscriptions)
		p := open(t, event(`<Event>subscribe_msg_popup_event</Event><SubscribeMsgPopupEvent><List><TemplateId>t1</TemplateId>`+
			`<SubscribeStatusString>accept</SubscribeStatusString><PopupScene>0</PopupScene></List><List><TemplateId>t2</TemplateId>`+
			`<SubscribeStatusString>reject</SubscribeStatusString><PopupScene>2</PopupScene></List></SubscribeMsgPopupEvent>`))
		require.Equal(t, want, p.Subscriptions)
		sent := open(t, event(`<Event>subscribe_msg_sent_event</Event><SubscribeMsgSentEvent><List><TemplateId>t1</TemplateId>`+
			`<MsgID>1700827132819554304</MsgID><ErrorCode>20</ErrorCode><ErrorStatus>no</ErrorStatus></List></SubscribeMsgSentEvent>`))
		require.Equal(t, []wechat.SubscribeResult{{TemplateID: "t1", MsgID: "1700827132819554304", ErrorCode: 20, ErrorStatus: "no"}}, sent.Subscriptions)
	})
	t.Run("TheSameSceneFromFollowAndScan", func(t *testing.T) {
		t.Parallel()
		follow := open(t, event("<Event>subscribe</Event><EventKey>qrscene_poster</EventKey><Ticket>T</Ticket>"))
		scan := open(t, event("<Event>SCAN</Event><EventKey>poster</EventKey><Ticket>T</Ticket>"))
		require.Equal(t, "poster", follow.Scene())
		require.Equal(t, "poster", scan.Scene())
		require.Equal(t, "qrscene_x", open(t, event("<Event>subscribe</Event><EventKey>qrscene_qrscene_x</EventKey>")).Scene())
		require.Equal(t, "qrscene_x", open(t, event("<Event>SCAN</Event><EventKey>qrscene_x</EventKey>")).Scene())
		require.Empty(t, open(t, event("<Event>subscribe</Event><EventKey></EventKey>")).Scene())
		require.Empty(t, open(t, event("<Event>CLICK</Event><EventKey>poster</EventKey>")).Scene())
	})
	t.Run("TextsWithControlCharactersAndBrokenUTF8", func(t *testing.T) {
		t.Parallel()
		p := open(t, "<xml><MsgType>text</MsgType><Content><![CDATA[a\x01b\xffc😀\r\nd]]></Content><bizmsgmenuid>101</bizmsgmenuid><MsgId>1</MsgId></xml>")
		require.Equal(t, "a b\uFFFDc😀\nd", p.Content)
		require.Equal(t, "101", p.MenuID)
		require.Equal(t, "a b", open(t, "{\"MsgType\":\"text\",\"Content\":\"a\x01b\"}").Content)
	})
	t.Run("PlacesAndNoNonsenseNumbers", func(t *testing.T) {
		t.Parallel()
		p := open(t, event("<Event>LOCATION</Event><Latitude>23.137466</Latitude><Longitude>113.352425</Longitude><Precision>NaN</Precision>"))
		require.InDelta(t, 23.137466, p.Lat, 1e-9)
		require.InDelta(t, 113.352425, p.Lng, 1e-9)
		require.Zero(t, p.Precision)
		require.True(t, open(t, `{"CreateTime":99999999999999}`).CreateTime.IsZero())
	})
	t.Run("WhomAnAuthorisationEventConcerns", func(t *testing.T) {
		t.Parallel()
		p := open(t, event("<Event>user_authorization_revoke</Event><OpenID>o9</OpenID><RevokeInfo>8</RevokeInfo>"))
		require.Equal(t, "o9", p.Person())
		require.Equal(t, "8", p.RevokeInfo)
		require.Equal(t, "o9", open(t, event("<Event>user_info_modified</Event><openid>o9</openid>")).Person())
		require.Equal(t, "o1", open(t, event("<Event>CLICK</Event><OpenID>o9</OpenID>")).Person())
	})
	t.Run("EverySampleOfTheDocumentation", func(t *testing.T) {
		t.Parallel()
		files, err := filepath.Glob("testdata/events/*")
		require.NoError(t, err)
		require.Greater(t, len(files), 50)
		keys := map[string]string{}
		for _, file := range files {
			body, err := os.ReadFile(file)
			require.NoError(t, err)
			p, err := wechat.Open(account(wechat.ModePlain), signed(), body, at(stamp))
			require.NoError(t, err, file)
			require.Equal(t, filepath.Ext(file), "."+p.Format)
			if name := filepath.Base(file); strings.HasPrefix(name, "Mp") {
				require.NotEmpty(t, p.MsgType, file)
				require.NotEmpty(t, p.FromUserName, file)
				require.False(t, p.CreateTime.IsZero(), file)
				if strings.Contains(name, "Subscribe") && strings.Contains(name, "Msg") {
					require.NotEmpty(t, p.Subscriptions, file)
				}
			}
			require.LessOrEqual(t, len(p.Key()), 120)
			keys[p.Key()] = file
		}
	})
}

func TestKey(t *testing.T) {
	t.Parallel()
	key := func(fields string) string { return open(t, event(fields)).Key() }
	t.Run("ARetryHasTheSame", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, key("<Event>CLICK</Event><EventKey>a</EventKey>"), key("<Event>CLICK</Event>\n<EventKey><![CDATA[a]]></EventKey>"))
		require.Equal(t,
			key("<Event>subscribe_msg_popup_event</Event><List><TemplateId>1</TemplateId></List><List><TemplateId>2</TemplateId></List>"),
			key("<Event>subscribe_msg_popup_event</Event><List><TemplateId>2</TemplateId></List><List><TemplateId>1</TemplateId></List>"))
	})
	t.Run("TwoEventsInOneSecondDiffer", func(t *testing.T) {
		t.Parallel()
		seen := map[string]bool{}
		list := []string{
			"<Event>CLICK</Event><EventKey>a</EventKey>", "<Event>CLICK</Event><EventKey>b</EventKey>", "<Event>VIEW</Event><EventKey>a</EventKey>",
			"<Event>CLICKa</Event>", "<Event>subscribe_msg_popup_event</Event><List><TemplateId>1</TemplateId></List>",
			"<Event>subscribe_msg_popup_event</Event><List><TemplateId>2</TemplateId></List>",
			"<Event>user_authorization_revoke</Event><OpenID>o8</OpenID>", "<Event>user_authorization_revoke</Event><OpenID>o9</OpenID>",
		}
		for _, fields := range list {
			seen[key(fields)] = true
		}
		require.Len(t, seen, len(list))
	})
}

func TestSeal(t *testing.T) {
	t.Parallel()
	p := open(t, event("<Event>CLICK</Event>"))
	now := time.Unix(1714112500, 0)
	t.Run("NothingIsSuccessInEveryMode", func(t *testing.T) {
		t.Parallel()
		for _, mode := range []string{wechat.ModePlain, wechat.ModeCompat, wechat.ModeSafe} {
			_, body, err := wechat.Seal(account(mode), &wechat.Push{Safe: mode != wechat.ModePlain}, wechat.Reply{}, now)
			require.NoError(t, err)
			require.Equal(t, "success", string(body))
		}
		_, body, err := wechat.Seal(account(wechat.ModeSafe), nil, wechat.Reply{}, now)
		require.NoError(t, err)
		require.Equal(t, "success", string(body))
	})
	t.Run("TextCannotLeaveItsField", func(t *testing.T) {
		t.Parallel()
		text := "a]]><Evil/>&<b>\x00\u2028c😀\xff"
		_, body, err := wechat.Seal(account(wechat.ModePlain), p, wechat.Reply{Text: text}, now)
		require.NoError(t, err)
		var r struct {
			ToUserName, FromUserName, MsgType, Content, Evil string
			CreateTime                                       int64
		}
		require.NoError(t, xml.Unmarshal(body, &r))
		require.Equal(t, "a]]><Evil/>&<b>\nc😀", r.Content)
		require.Equal(t, []string{"o1", "gh", "text"}, []string{r.ToUserName, r.FromUserName, r.MsgType})
		require.Equal(t, now.Unix(), r.CreateTime)

		j := open(t, `{"ToUserName":"gh","FromUserName":"o1","MsgType":"event","Event":"CLICK"}`)
		ct, body, err := wechat.Seal(account(wechat.ModePlain), j, wechat.Reply{Text: text + `"\`}, now)
		require.NoError(t, err)
		require.Contains(t, ct, "json")
		require.NotContains(t, string(body), `\u`)
		require.NoError(t, json.Unmarshal(body, &r))
		require.Equal(t, "a]]><Evil/>&<b>\nc😀\"\\", r.Content)
	})
	t.Run("LongTextIsCutOnACharacter", func(t *testing.T) {
		t.Parallel()
		_, body, err := wechat.Seal(account(wechat.ModePlain), p, wechat.Reply{Text: strings.Repeat("积", 1000)}, now)
		require.NoError(t, err)
		var r struct{ Content string }
		require.NoError(t, xml.Unmarshal(body, &r))
		require.LessOrEqual(t, len(r.Content), 2048)
		require.Equal(t, strings.Repeat("积", 681)+"…", r.Content)
	})
	t.Run("EncryptedAsThePushWas", func(t *testing.T) {
		t.Parallel()
		for _, mode := range []string{wechat.ModeCompat, wechat.ModeSafe} {
			for _, plain := range []string{event("<Event>CLICK</Event>"), `{"ToUserName":"gh","FromUserName":"o1","MsgType":"event"}`} {
				q, raw := sealed(t, plain, "")
				in, err := wechat.Open(account(mode), q, raw, at(stamp))
				require.NoError(t, err)
				_, body, err := wechat.Seal(account(mode), in, wechat.Reply{Text: "好"}, now)
				require.NoError(t, err)
				var e struct {
					Encrypt, MsgSignature, Nonce string
					TimeStamp                    int64
				}
				if in.Format == wechat.FormatJSON {
					require.NoError(t, json.Unmarshal(body, &e))
				} else {
					require.NoError(t, xml.Unmarshal(body, &e))
				}
				c, err := wechat.NewCrypt(pushToken, aesKey, appID)
				require.NoError(t, err)
				require.Equal(t, c.Signature(fmt.Sprint(e.TimeStamp), e.Nonce, e.Encrypt), e.MsgSignature)
				reply, err := c.Decrypt(e.Encrypt)
				require.NoError(t, err)
				require.Contains(t, string(reply), "好")
				require.Contains(t, string(reply), "o1")
			}
		}
	})
	t.Run("EveryKindHasItsShape", func(t *testing.T) {
		t.Parallel()
		for kind, r := range map[string]wechat.Reply{
			"<Image><MediaId><![CDATA[m]]></MediaId></Image>": {ImageID: "m"},
			"<ArticleCount>1</ArticleCount><Articles><item><Title><![CDATA[t]]></Title><Description><![CDATA[d]]></Description>" +
				"<PicUrl><![CDATA[p]]></PicUrl><Url><![CDATA[u]]></Url></item></Articles>": {Article: &wechat.Article{Title: "t", Description: "d", PicURL: "p", URL: "u"}},
			"<MsgType><![CDATA[transfer_customer_service]]></MsgType></xml>":      {Transfer: true},
			"<TransInfo><KfAccount><![CDATA[a@b]]></KfAccount></TransInfo></xml>": {Transfer: true, To: "a@b"},
		} {
			_, body, err := wechat.Seal(account(wechat.ModePlain), p, r, now)
			require.NoError(t, err)
			require.Contains(t, string(body), kind)
			j := *p
			j.Format = wechat.FormatJSON
			_, body, err = wechat.Seal(account(wechat.ModePlain), &j, r, now)
			require.NoError(t, err)
			require.True(t, json.Valid(body), string(body))
		}
	})
	t.Run("AMiniProgramCanOnlyHandOver", func(t *testing.T) {
		t.Parallel()
		mp := account(wechat.ModePlain)
		mp.Kind = wechat.KindMP
		_, _, err := wechat.Seal(mp, p, wechat.Reply{Text: "hi"}, now)
		require.Error(t, err)
		_, _, err = wechat.Seal(mp, p, wechat.Reply{Transfer: true}, now)
		require.NoError(t, err)
	})
}

func FuzzOpen(f *testing.F) {
	files, _ := filepath.Glob("testdata/events/*")
	for _, file := range files {
		body, _ := os.ReadFile(file)
		f.Add(body)
	}
	for _, seed := range []string{"", "<", "{", "<xml><Encrypt>AAAA</Encrypt></xml>", `{"List":[{"TemplateId":1}]}`, "<a>&#x0;</a>", "\xef\xbb\xbf{}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if p, err := wechat.Open(account(wechat.ModePlain), signed(), body, at(stamp)); err == nil {
			if len(p.Key()) > 120 {
				t.Fatalf("key of %d bytes", len(p.Key()))
			}
			_, reply, err := wechat.Seal(account(wechat.ModePlain), p, wechat.Reply{Text: p.Content + "."}, at(stamp))
			if err != nil {
				t.Fatal(err)
			}
			if p.Format == wechat.FormatJSON && !json.Valid(reply) || p.Format == wechat.FormatXML && xml.Unmarshal(reply, new(struct{})) != nil {
				t.Fatalf("unreadable reply %q", reply)
			}
		}
		q := signed()
		q.Set("encrypt_type", "aes")
		q.Set("msg_signature", "0")
		if _, err := wechat.Open(account(wechat.ModeSafe), q, body, at(stamp)); err == nil {
			t.Fatal("a forged push was opened")
		}
		if c, err := wechat.NewCrypt(pushToken, aesKey, appID); err == nil {
			_, _ = c.Decrypt(string(body))
		}
		_, _ = wechat.DecryptData(appID, "tiihtNczf5v6AKRyjwEUhQ==", string(body), "r7BXXKkLb8qrSNn05n0qiA==")
	})
}
