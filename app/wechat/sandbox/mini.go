package sandbox

import (
	"crypto/rand"
	"encoding/base64"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	codeLife       = 5 * time.Minute
	loginsAMinute  = 100 // per user
	msgCheckWindow = 2 * time.Hour
	msgCheckMax    = 2500
)

// code is what a phone hands to a mini-program: for a login or for a phone number. Good once.
type code struct {
	kind   string // login, phone or web
	acct   *account
	person int64
	number string
	until  time.Time
	used   bool
}

func (s *Sandbox) newCode(k *code) string {
	now := s.clk.Now()
	if len(s.codes) > 10_000 {
		for t, old := range s.codes {
			if now.After(old.until.Add(time.Hour)) {
				delete(s.codes, t)
			}
		}
	}
	k.until = now.Add(codeLife)
	t := randomText(32, alnum)
	if k.kind == "phone" {
		t = randomText(64, hexes)
	}
	s.codes[t] = k
	return t
}

func jscode2session(c *call) answer {
	if c.query.Get("grant_type") != "authorization_code" {
		return c.fail(40002)
	}
	a, errcode := c.credentials(c.query.Get("appid"), c.query.Get("secret"))
	if errcode != 0 {
		return c.fail(errcode)
	}
	if a.Kind != KindMiniProgram {
		return c.fail(48001)
	}
	k := c.s.codes[c.query.Get("js_code")]
	switch {
	case c.query.Get("js_code") == "":
		return c.fail(41008)
	case k == nil || k.kind != "login" || k.acct != a:
		return c.fail(40029)
	case k.used:
		return c.fail(40163)
	case !c.now.Before(k.until):
		return c.fail(40029)
	}
	m := c.s.who(k.person).with(a).extra()
	minute := c.now.Unix() / 60
	if m.logins.in(minute) >= c.s.scaled(loginsAMinute) {
		return c.fail(45011)
	}
	m.logins.add(minute)
	k.used = true
	var key [16]byte
	rand.Read(key[:])
	m.sessionKey = base64.StdEncoding.EncodeToString(key[:])
	out := map[string]any{"openid": a.openid(k.person), "session_key": m.sessionKey}
	if a.Bound {
		out["unionid"] = c.s.unionID(k.person)
	}
	return c.give(out)
}

func phoneNumber(c *call) answer {
	var in struct {
		Code string `json:"code"`
	}
	if a, ok := c.read(&in); !ok {
		return a
	}
	k := c.s.codes[in.Code]
	switch {
	case k == nil || k.kind != "phone" || k.used || !c.now.Before(k.until):
		return c.fail(40029)
	case k.acct != c.acct:
		return c.fail(40013)
	}
	k.used = true
	return c.okWith("phone_info", phoneInfo(c.acct, k.number, c.now))
}

func phoneInfo(a *account, number string, now time.Time) map[string]any {
	return map[string]any{
		"phoneNumber": number, "purePhoneNumber": number, "countryCode": "86",
		"watermark": map[string]any{"timestamp": now.Unix(), "appid": a.AppID},
	}
}

// riskyWords stand for WeChat's judgement, with the label of each.
var riskyWords = map[string]int{"赌博": 20006, "色情": 20002, "诈骗": 20008, "加微信返利": 10001, "傻逼": 20003, "毒品": 20006}

func msgSecCheck(c *call) answer {
	var in struct {
		Content string `json:"content"`
		Version int    `json:"version"`
		Scene   int    `json:"scene"`
		OpenID  string `json:"openid"`
		Title   string `json:"title"`
		Name    string `json:"nickname"`
	}
	if a, ok := c.read(&in); !ok {
		return a
	}
	label := 100
	for w, l := range riskyWords {
		if strings.Contains(in.Content+in.Title+in.Name, w) {
			label = l
		}
	}
	if in.Version != 2 {
		if label != 100 {
			return c.fail(87014)
		}
		return c.ok()
	}
	if in.Content == "" {
		return c.fail(44004)
	}
	if utf8.RuneCountInString(in.Content) > msgCheckMax {
		return c.fail(45002)
	}
	if in.Scene < 1 || in.Scene > 4 {
		return c.fail(47001)
	}
	_, p := c.s.personOf(c.acct, in.OpenID)
	if p == nil {
		return c.fail(40003)
	}
	r := p.relation(c.acct)
	if r == nil || r.more == nil || c.now.Sub(time.Unix(r.more.UsedAt, 0)) > msgCheckWindow {
		return c.fail(61010)
	}
	suggest := "pass"
	if label != 100 {
		suggest = "risky"
	}
	return c.okWith("result", map[string]any{"suggest": suggest, "label": label},
		"detail", []map[string]any{{"strategy": "content_model", "errcode": 0, "suggest": suggest, "label": label, "prob": 90}},
		"trace_id", c.rid)
}
