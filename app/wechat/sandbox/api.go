package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/siyu-scrm/siyu/app/clock"
)

// call is one API request while it is answered.
type call struct {
	s     *Sandbox
	r     *http.Request
	path  string
	query url.Values
	body  []byte
	acct  *account
	now   time.Time
	rid   string
}

// answer is what goes back. WeChat always says 200 (FACTS §3.0), except where it serves pages.
type answer struct {
	status int
	typ    string
	body   []byte
	code   int    // errcode
	to     string // of a redirect
}

// endpoint is one path of WeChat's API.
type endpoint struct {
	run    func(c *call) answer
	post   bool
	open   bool // without access_token
	day    int  // calls a day and a minute before scaling; 0 is no limit
	minute int
	forMP  bool // only mini-programs
	forOA  bool // only official accounts
}

var jsonOK = []byte(`{"errcode":0,"errmsg":"ok"}`)

func (c *call) ok() answer { return answer{200, "application/json; encoding=utf-8", jsonOK, 0, ""} }

// give answers v, which mostly carries no errcode.
func (c *call) give(v any) answer {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return c.fail(-1)
	}
	return answer{200, "application/json; encoding=utf-8", bytes.TrimSuffix(b.Bytes(), []byte("\n")), 0, ""}
}

// okWith is errcode 0 and more fields.
func (c *call) okWith(pairs ...any) answer {
	m := map[string]any{"errcode": 0, "errmsg": "ok"}
	for i := 0; i+1 < len(pairs); i += 2 {
		m[pairs[i].(string)] = pairs[i+1]
	}
	return c.give(m)
}

// fail answers an errcode with its message and a rid, and more fields.
func (c *call) fail(code int, pairs ...any) answer {
	return c.failWith(code, message(code), pairs...)
}

func (c *call) failWith(code int, msg string, pairs ...any) answer {
	m := map[string]any{"errcode": code, "errmsg": msg + " rid: " + c.rid}
	for i := 0; i+1 < len(pairs); i += 2 {
		m[pairs[i].(string)] = pairs[i+1]
	}
	a := c.give(m)
	a.code = code
	return a
}

// escapesUnicode reports whether JSON holds a \uXXXX. A backslash of the text itself stands as two.
func escapesUnicode(body []byte) bool {
	for i := 0; i+1 < len(body); i++ {
		if body[i] == '\\' {
			if body[i+1] == 'u' {
				return true
			}
			i++ // whatever it escapes
		}
	}
	return false
}

// read decodes the body; a failed answer and false if it is not what WeChat takes.
func (c *call) read(out any) (answer, bool) {
	if escapesUnicode(c.body) {
		return c.fail(40033), false
	}
	if err := json.Unmarshal(c.body, out); err != nil {
		return c.fail(47001), false
	}
	return answer{}, true
}

const maxAPIBody = 24 << 20

// serveAPI answers one request to any of WeChat's hosts. X-Sim-Host may name the host; paths do not overlap, so it is not needed.
func (s *Sandbox) serveAPI(w http.ResponseWriter, r *http.Request) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxAPIBody))
	if err != nil {
		http.Error(w, "413 Request Entity Too Large", http.StatusRequestEntityTooLarge)
		return
	}
	f := s.takeFault(r.URL.Path)
	if f != nil && !f.before(r) {
		s.logCall(r, raw, answer{}, f, "")
		hangUp(w)
		return
	}
	var a answer
	switch {
	case f != nil && f.Kind == FaultHTTP500:
		a = answer{f.status(), "text/html", []byte("<html><head><title>502 Bad Gateway</title></head><body>upstream error</body></html>"), 0, ""}
		s.logCall(r, raw, a, f, "")
	default:
		a = s.dispatch(r, raw, f)
	}
	if f != nil && f.Kind == FaultTimeoutAfter {
		select {
		case <-r.Context().Done():
		case <-s.ctx.Done():
		case <-clock.After(f.wait(60 * time.Second)):
		}
		hangUp(w)
		return
	}
	body := a.body
	if f != nil && f.Kind == FaultTruncated {
		body = body[:len(body)/2]
	}
	w.Header().Set("Content-Type", a.typ)
	if a.to != "" {
		w.Header().Set("Location", a.to)
	}
	w.WriteHeader(a.status)
	if _, err := w.Write(body); err != nil && !errors.Is(err, net.ErrClosed) {
		s.log.Debug("sandbox: answer", "error", err)
	}
}

// dispatch does the work of one call under the lock, and logs it.
func (s *Sandbox) dispatch(r *http.Request, raw []byte, f *fault) answer {
	now := s.clk.Now()
	c := &call{
		s: s, r: r, path: r.URL.Path, query: r.URL.Query(), body: raw, now: now,
		rid: fmt.Sprintf("%08x-%s-%s", now.Unix(), randomText(8, hexes), randomText(8, hexes)),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := c.answer(f)
	name := ""
	if c.acct != nil {
		name = c.acct.Name
	}
	s.calls.add(&callRecord{r, raw, a, f, name, c.rid, now})
	return a
}

func (s *Sandbox) logCall(r *http.Request, raw []byte, a answer, f *fault, account string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls.add(&callRecord{r, raw, a, f, account, "", s.clk.Now()})
}

func (c *call) answer(f *fault) answer {
	e, known := endpoints[c.path]
	if !known {
		c.s.calls.unknown++
		return c.fail(40066)
	}
	if e.post && c.r.Method != http.MethodPost {
		return c.fail(43002)
	}
	if !e.post && c.r.Method != http.MethodGet {
		return c.fail(43001)
	}
	if !e.open {
		if f != nil && f.Kind == FaultRevokeToken {
			c.s.revoke(c.query.Get("access_token"))
		}
		if code := c.authorize(); code != 0 {
			return c.fail(code)
		}
		if (e.forMP && c.acct.Kind != KindMiniProgram) || (e.forOA && c.acct.Kind == KindMiniProgram) {
			return c.fail(48001)
		}
		if code := c.count(e); code != 0 {
			return c.fail(code)
		}
	}
	if f != nil && f.Kind == FaultErrcode {
		return c.fail(f.Errcode)
	}
	return e.run(c)
}

// message is the text of an errcode as WeChat words it.
func message(code int) string {
	if m, ok := messages[code]; ok {
		return m
	}
	return "system error"
}

var messages = map[int]string{
	-1:    "system error",
	40001: "invalid credential, access_token is invalid or not latest, could get access_token by getStableAccessToken, more details at https://mmbizurl.cn/s/JtxxFh33r",
	40002: "invalid grant_type",
	40003: "invalid openid",
	40004: "invalid media type",
	40005: "invalid file type",
	40006: "invalid meida size",
	40007: "invalid media_id",
	40009: "invalid image size",
	40013: "invalid appid",
	40014: "invalid access_token",
	40015: "invalid menu type",
	40016: "invalid button size",
	40018: "invalid button name size",
	40019: "invalid button key size",
	40020: "invalid button url size",
	40023: "invalid sub button size",
	40025: "invalid sub button name size",
	40029: "invalid code",
	40031: "invalid openid list",
	40032: "invalid openid list size",
	40033: "invalid charset. please check your request, if include \\uxxxx will create fail!",
	40037: "invalid template_id",
	40053: "invalid action info",
	40054: "invalid sub button url domain",
	40055: "invalid button url domain",
	40059: "invalid msg id",
	40066: "invalid url",
	40125: "invalid appsecret, view more at http://t.cn/RAEkdVq",
	40129: "invalid scene",
	40163: "code been used",
	40164: "invalid ip, not in whitelist",
	40169: "invalid length for scene, or the data is not json string",
	41001: "access_token missing",
	41002: "appid missing",
	41004: "appsecret missing",
	41005: "media data missing",
	41008: "missing code",
	41030: "invalid page",
	42001: "access_token expired",
	43001: "require GET method",
	43002: "require POST method",
	43004: "require subscribe",
	43019: "require remove blacklist",
	43101: "user refuse to accept the msg",
	44002: "empty post data",
	44004: "empty content",
	45002: "content size out of limit",
	45008: "article size out of limit",
	45009: "reach max api daily quota limit",
	45011: "api minute-quota reach limit, must slower, retry next minute",
	45015: "response out of time limit or subscription is canceled",
	45028: "has no masssend quota",
	45047: "out of response count limit",
	45056: "too many tags now, pls delete tags first",
	45057: "can't modify tag with more than 100000 fans",
	45058: "can't modify sys tag",
	45059: "can not tag more than 20 tags to one fan",
	45065: "clientmsgid exist",
	45066: "same clientmsgid retry too fast",
	45067: "clientmsgid size out of limit",
	45083: "speed must be between 0 and 4",
	45084: "speed not set yet",
	45157: "invalid tag name",
	45158: "tag name too long",
	45159: "invalid tag id",
	46003: "menu no exist",
	47001: "data format error",
	47003: "argument invalid!",
	48001: "api unauthorized",
	48002: "user block receive message",
	48006: "forbid to clear quota because of reaching the limit",
	48008: "no permission for this msgtype",
	49003: "not match openid with appid",
	61010: "code is expired",
	65301: "there is no such conditional menu",
	65302: "there is no such user",
	65303: "there is no selfmenu, please create selfmenu first",
	65304: "match rule empty",
	65305: "personality menu count limit",
	76001: "rid not found",
	76021: "cgi_path not found",
	76022: "sns api is not supported",
	87014: "risky content",
}

// sendsNothing answers a call that has no effect here but must succeed.
func sendsNothing(c *call) answer { return c.ok() }

func ipList(c *call) answer { return c.give(map[string]any{"ip_list": []string{"127.0.0.1"}}) }

func scrub(s string) string { return strings.ToValidUTF8(s, "�") }
