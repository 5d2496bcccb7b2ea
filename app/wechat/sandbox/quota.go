package sandbox

import (
	"time"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/model"
)

// usage counts the calls of one path.
type usage struct {
	day    dayCount
	minute minuteCount
}

// limit overrides the limits of one path of one account. 0 leaves WeChat's own.
type limit struct {
	Day    int `json:"day"`
	Minute int `json:"minute"`
}

func dayOf(t time.Time) model.Day { return clock.Shanghai.DayOf(t) }

func (s *Sandbox) scaled(n int) int {
	if n == 0 {
		return 0
	}
	return max(1, int(float64(n)*s.opts.QuotaScale))
}

// limits of a path for an account; 0 is none.
func (s *Sandbox) limits(a *account, path string, e endpoint) limit {
	own := a.saved.Limits[path]
	out := limit{s.scaled(e.day), s.scaled(e.minute)}
	if own.Day != 0 {
		out.Day = own.Day
	}
	if own.Minute != 0 {
		out.Minute = own.Minute
	}
	return out
}

func (a *account) usage(path string) *usage {
	u := a.quota[path]
	if u == nil {
		u = &usage{}
		a.quota[path] = u
	}
	return u
}

// count takes one call from the quotas of the day and the minute; 0, or an errcode.
func (c *call) count(e endpoint) int {
	l := c.s.limits(c.acct, c.path, e)
	if l.Day == 0 && l.Minute == 0 {
		return 0
	}
	u, day, minute := c.acct.usage(c.path), dayOf(c.now), c.now.Unix()/60
	if l.Day > 0 && u.day.on(day) >= l.Day {
		return 45009
	}
	if l.Minute > 0 && u.minute.in(minute) >= l.Minute {
		return 45011
	}
	u.day.add(day)
	u.minute.add(minute)
	return 0
}

// unlimited is what quota/get says of a path without a limit.
const unlimited = 100_000_000

func getQuota(c *call) answer {
	var in struct {
		Path string `json:"cgi_path"`
	}
	if a, ok := c.read(&in); !ok {
		return a
	}
	e, known := endpoints[in.Path]
	if !known {
		return c.fail(76021)
	}
	if e.open && in.Path != "/cgi-bin/token" && in.Path != "/cgi-bin/stable_token" {
		return c.fail(76022)
	}
	if in.Path == "/cgi-bin/token" {
		e.day = tokenDaily
	}
	l := c.s.limits(c.acct, in.Path, e)
	if l.Day == 0 {
		l.Day = unlimited
	}
	u := c.acct.usage(in.Path)
	used := u.day.on(dayOf(c.now))
	out := []any{"quota", map[string]int{"daily_limit": l.Day, "used": used, "remain": max(0, l.Day-used)}}
	if l.Minute > 0 {
		out = append(out, "rate_limit", map[string]int{"call_count": l.Minute, "refresh_second": 60})
	}
	return c.okWith(out...)
}

// clearsMonthly is how often an account may clear its quotas in a month.
const clearsMonthly = 10

func clearQuota(c *call) answer {
	var in struct {
		AppID string `json:"appid"`
	}
	if a, ok := c.read(&in); !ok {
		return a
	}
	if in.AppID != c.acct.AppID {
		return c.fail(40013)
	}
	return c.clearAll()
}

func clearQuotaBySecret(c *call) answer {
	appid, secret := c.query.Get("appid"), c.query.Get("appsecret")
	if appid == "" {
		appid, secret = c.r.PostFormValue("appid"), c.r.PostFormValue("appsecret")
	}
	if _, code := c.credentials(appid, secret); code != 0 {
		return c.fail(code)
	}
	return c.clearAll()
}

func (c *call) clearAll() answer {
	month := monthOf(c.now)
	if c.acct.clears.in(month) >= clearsMonthly {
		return c.fail(48006)
	}
	c.acct.clears.add(month)
	clear(c.acct.quota)
	return c.ok()
}

func getRid(c *call) answer {
	var in struct {
		Rid string `json:"rid"`
	}
	if a, ok := c.read(&in); !ok {
		return a
	}
	r := c.s.calls.byRid(in.Rid)
	if r == nil || r.account != c.acct.Name || c.now.Sub(r.at) > 7*24*time.Hour {
		return c.fail(76001)
	}
	return c.okWith("request", map[string]any{
		"invoke_time": r.at.Unix(), "cost_in_ms": 1, "request_url": r.r.URL.RawQuery, "request_body": scrub(string(r.raw)),
		"response_body": string(r.answer.body), "client_ip": r.r.RemoteAddr,
	})
}

// SetLimit overrides the limits of one path of one account, by the names of the control API.
func (s *Sandbox) SetLimit(name, path string, day, minute int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.account(name)
	if a == nil {
		return refuse(404, "NOT_FOUND", "there is no account %q", name)
	}
	if _, known := endpoints[path]; !known {
		return refuse(400, "INVALID", "path: %q is no path of the API", path)
	}
	if day < 0 || minute < 0 {
		return refuse(400, "INVALID", "day, minute: not below zero; 0 is WeChat's own limit")
	}
	if a.saved.Limits == nil {
		a.saved.Limits = map[string]limit{}
	}
	a.saved.Limits[path] = limit{day, minute}
	s.saveAccount(a)
	return nil
}
