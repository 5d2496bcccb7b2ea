package playbook_test

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/wechat"
)

// snapshot is everything that a push could change, as the operator sees it.
func (s *siyu) snapshot() string {
	s.t.Helper()
	var members, inbox struct{ Items []obj }
	s.read("/members?limit=100", &members)
	s.read("/inbox?limit=100", &inbox)
	var b strings.Builder
	fmt.Fprintln(&b, len(inbox.Items), "pushes")
	for _, m := range members.Items {
		id := m["id"].(string)
		f := s.factsOf(id)
		fmt.Fprintln(&b, m, f.tags(), f.Accounts, f.Identities, f.Checkin, s.did(id))
	}
	var channels, tags struct{ Items []obj }
	s.read("/channels", &channels)
	s.read("/tags", &tags)
	fmt.Fprintln(&b, channels.Items, tags.Items, len(s.receipts()))
	return b.String()
}

// What is not WeChat's word changes nothing (DESIGN P9; FACTS §6.4 cases 2, 4, 5, 9, 11).
func TestForgedPushesChangeNothing(t *testing.T) {
	t.Parallel()
	s := open(t, "2026-11-23 09:00:00")
	s.checkinRule(5, 7, 20)
	s.autoTag(s.tag("肤质", "敏感肌"), "聊天", says([]string{"敏感肌"}))
	m := s.come()
	s.advance("0s")
	oa, mp := s.account("oa"), s.account("mp")
	me := s.openid(m.ID, "oa")
	checkIn := s.xml(oa, me, s.now(), "MsgType", "text", "Content", "签到", "MsgId", "700001")
	follow := s.xml(oa, "oNobodyKnowsThisOne0000000001", s.now(), "MsgType", "event", "Event", "subscribe", "EventKey", "qrscene_poster")
	plain := func(body string) *letter {
		l := &letter{account: oa, body: body, query: url.Values{"timestamp": {strconv.FormatInt(s.now().Unix(), 10)}, "nonce": {"99"}}}
		l.query.Set("signature", wechat.Signature(oa.Token, l.query.Get("timestamp"), "99"))
		return l
	}
	sealed := func(change func(*letter)) *letter {
		l := s.seal(oa, checkIn, s.now())
		change(l)
		return l
	}
	query := func(name, value string) *letter { return sealed(func(l *letter) { l.query.Set(name, value) }) }
	secretOf := func(l *letter) string {
		_, rest, _ := strings.Cut(l.body, "<Encrypt><![CDATA[")
		secret, _, _ := strings.Cut(rest, "]]>")
		return secret
	}
	flipped := func(at int) *letter {
		return sealed(func(l *letter) {
			secret := []byte(secretOf(l))
			if secret[at]++; secret[at] == 'z'+1 || secret[at] == 'Z'+1 || secret[at] == '9'+1 {
				secret[at] = 'A'
			}
			l.body = strings.Replace(l.body, secretOf(l), string(secret), 1)
		})
	}
	stolen := mp
	stolen.Token, stolen.EncodingAESKey, stolen.Name, stolen.OriginalID = oa.Token, oa.EncodingAESKey, oa.Name, oa.OriginalID

	before := s.snapshot()
	for name, l := range map[string]*letter{
		"NoParameters":           {account: oa, body: checkIn, query: url.Values{}},
		"WrongMsgSignature":      query("msg_signature", strings.Repeat("a", 40)),
		"NoMsgSignature":         sealed(func(l *letter) { l.query.Del("msg_signature") }),
		"EmptyMsgSignature":      query("msg_signature", ""),
		"AnotherTimestamp":       query("timestamp", strconv.FormatInt(s.now().Unix()+1, 10)),
		"AnotherNonce":           query("nonce", "1"),
		"TimestampOfNoNumber":    query("timestamp", "soon"),
		"FlippedBitAtTheStart":   flipped(0),
		"FlippedBitInTheMiddle":  flipped(100),
		"AnotherAccountsAppID":   s.seal(stolen, checkIn, s.now()),
		"TooOld":                 s.seal(oa, checkIn, s.now().Add(-10*time.Minute-time.Second)),
		"TooFarAhead":            s.seal(oa, checkIn, s.now().Add(10*time.Minute+time.Second)),
		"Downgraded":             plain(checkIn),
		"DowngradedFollow":       plain(follow),
		"DowngradedWithAES":      sealed(func(l *letter) { l.body = checkIn }),
		"CompatWithTwoTexts":     sealed(func(l *letter) { l.query.Del("encrypt_type") }),
		"Truncated":              sealed(func(l *letter) { l.body = l.body[:len(l.body)/2] }),
		"TruncatedInside":        s.seal(oa, checkIn[:len(checkIn)/2], s.now()),
		"Oversized":              sealed(func(l *letter) { l.body += strings.Repeat(" ", 300<<10) }),
		"Empty":                  sealed(func(l *letter) { l.body = "" }),
		"EmptyInside":            s.seal(oa, "", s.now()),
		"NoXML":                  sealed(func(l *letter) { l.body = "hello" }),
		"NoXMLInside":            s.seal(oa, "hello", s.now()),
		"Binary":                 sealed(func(l *letter) { l.body = "\x00\x01\xff" }),
		"Deep":                   s.seal(oa, strings.Repeat("<a>", 5000), s.now()),
		"Entities":               s.seal(oa, `<!DOCTYPE x [<!ENTITY a "签到">]>`+strings.Replace(checkIn, "签到", "&a;", 1), s.now()),
		"UnknownAccount":         sealed(func(l *letter) { l.account.Name = "nobody" }),
		"TheMiniProgramsAddress": sealed(func(l *letter) { l.account.Name = "mp" }),
	} {
		code, answer := s.post(l)
		require.Truef(t, code >= 400 && code < 500, "%s: %d %s", name, code, answer)
	}
	s.advance("0s")
	require.Equal(t, before, s.snapshot())

	// The same words from WeChat count.
	s.deliver(oa, checkIn)
	require.EqualValues(t, 5, s.balance(m))

	// A push that was true is no longer true ten minutes later.
	s.text(m, "你好")
	old := s.lastPush("text")
	require.Equal(t, 200, s.replay(old.ID))
	s.advance("10m")
	require.Equal(t, 200, s.replay(old.ID), "to the second")
	s.advance("1s")
	before = s.snapshot()
	require.Equal(t, 403, s.replay(old.ID))
	require.Equal(t, before, s.snapshot())
	require.Contains(t, s.logged(), "callback.replayed", "one log line with the reason")
	for _, secret := range []string{oa.Token, oa.EncodingAESKey, mp.EncodingAESKey} {
		require.NotContains(t, s.logged(), secret)
	}
}
