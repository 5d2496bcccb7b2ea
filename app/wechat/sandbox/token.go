package sandbox

import (
	"net"
	"slices"
	"time"

	"github.com/siyu-scrm/siyu/model"
)

// Times of tokens (FACTS §3.1, §6.3).
const (
	tokenLife    = 7200 * time.Second
	tokenOverlap = 300 * time.Second // a plain token outlives its successor's birth, a stable one is renewed so long before its end
	forcePause   = 30 * time.Second
	forceDaily   = 20
	tokenDaily   = 2000
)

type token struct {
	text    string
	until   time.Time // after it: 42001
	deadAt  time.Time // zero, or when a newer token killed it: 40001
	revoked bool
}

type forcedRefreshes struct {
	last time.Time
	day  dayCount
}

func (c *call) newToken(a *account) *token {
	t := &token{text: "85_" + randomText(133, alnum), until: c.now.Add(tokenLife)}
	for text, old := range a.tokens {
		if c.now.After(old.until.Add(24 * time.Hour)) {
			delete(a.tokens, text)
		}
	}
	a.tokens[t.text] = t
	return t
}

// credentials finds the account of an appid and secret, or says what is wrong.
func (c *call) credentials(appid, secret string) (*account, int) {
	switch {
	case appid == "":
		return nil, 41002
	case secret == "":
		return nil, 41004
	}
	a := c.s.accountByAppID(appid)
	if a == nil {
		return nil, 40013
	}
	c.acct = a
	if !sameText(a.Secret, secret) {
		return nil, 40125
	}
	return a, 0
}

func (c *call) addressAllowed(a *account) bool {
	if len(a.IPWhitelist) == 0 {
		return true
	}
	host, _, err := net.SplitHostPort(c.r.RemoteAddr)
	return err == nil && slices.Contains(a.IPWhitelist, host)
}

func (c *call) addressRefused() answer {
	host, _, _ := net.SplitHostPort(c.r.RemoteAddr)
	return c.failWith(40164, "invalid ip "+host+" ipv6 ::ffff:"+host+", not in whitelist")
}

func plainToken(c *call) answer {
	if c.query.Get("grant_type") != "client_credential" {
		return c.fail(40002)
	}
	a, code := c.credentials(c.query.Get("appid"), c.query.Get("secret"))
	if code != 0 {
		return c.fail(code)
	}
	if !c.addressAllowed(a) {
		return c.addressRefused()
	}
	if code := c.count(endpoint{day: tokenDaily}); code != 0 {
		return c.fail(code)
	}
	if a.plain != nil {
		a.plain.deadAt = c.now.Add(tokenOverlap)
	}
	a.plain = c.newToken(a)
	return c.give(map[string]any{"access_token": a.plain.text, "expires_in": int(tokenLife.Seconds())})
}

func stableToken(c *call) answer {
	var in struct {
		GrantType string `json:"grant_type"`
		AppID     string `json:"appid"`
		Secret    string `json:"secret"`
		Force     bool   `json:"force_refresh"`
	}
	if a, ok := c.read(&in); !ok {
		return a
	}
	if in.GrantType != "client_credential" {
		return c.fail(40002)
	}
	a, code := c.credentials(in.AppID, in.Secret)
	if code != 0 {
		return c.fail(code)
	}
	if !c.addressAllowed(a) {
		return c.addressRefused()
	}
	if code := c.count(endpoint{day: 500_000, minute: 10_000}); code != 0 {
		return c.fail(code)
	}
	old := a.stable
	alive := old != nil && !old.revoked && old.until.Sub(c.now) > tokenOverlap
	switch {
	case in.Force && old != nil && c.now.Sub(a.forced.last) >= forcePause:
		if a.forced.day.on(dayOf(c.now)) >= c.s.scaled(forceDaily) {
			return c.fail(45009)
		}
		a.forced.day.add(dayOf(c.now))
		a.forced.last = c.now
		old.revoked = true
		a.stable = c.newToken(a)
	case !alive:
		a.stable = c.newToken(a)
	}
	left := int(a.stable.until.Sub(c.now).Seconds())
	return c.give(map[string]any{"access_token": a.stable.text, "expires_in": left})
}

// tokenForm reports whether text looks like a token at all: by hand, since every call passes here.
func tokenForm(text string) bool {
	if len(text) < 20 || len(text) > 512 {
		return false
	}
	for _, c := range []byte(text) {
		if c != '_' && c != '-' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

// authorize finds the account of the call's access_token; 0, or an errcode.
func (c *call) authorize() int {
	text := c.query.Get("access_token")
	switch {
	case text == "":
		return 41001
	case !tokenForm(text):
		return 40014
	}
	for _, a := range c.s.accounts {
		t := a.tokens[text]
		if t == nil {
			continue
		}
		switch {
		case t.revoked, !t.deadAt.IsZero() && !c.now.Before(t.deadAt):
			return 40001
		case !c.now.Before(t.until):
			return 42001
		}
		c.acct = a
		return 0
	}
	return 40001
}

// revoke kills a token, as WeChat sometimes does.
func (s *Sandbox) revoke(text string) {
	for _, a := range s.accounts {
		if t := a.tokens[text]; t != nil {
			t.revoked = true
		}
	}
}

// dayCount and monthCount count within one calendar day or month of Beijing.
type dayCount struct {
	day model.Day
	n   int
}

func (d dayCount) on(day model.Day) int {
	if d.day != day {
		return 0
	}
	return d.n
}

func (d *dayCount) add(day model.Day) { d.n, d.day = d.on(day)+1, day }

type monthCount struct {
	month uint16
	n     int
}

func (m monthCount) in(month uint16) int {
	if m.month != month {
		return 0
	}
	return m.n
}

func (m *monthCount) add(month uint16) { m.n, m.month = m.in(month)+1, month }

type minuteCount struct {
	minute int64
	n      int
}

func (m minuteCount) in(minute int64) int {
	if m.minute != minute {
		return 0
	}
	return m.n
}

func (m *minuteCount) add(minute int64) { m.n, m.minute = m.in(minute)+1, minute }
