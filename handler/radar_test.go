package handler_test

import (
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/wechat/sandbox/phone"
	"github.com/siyu-scrm/siyu/model"
)

var cake = object{"name": "新品蛋糕", "kind": "new-product", "url": "https://example.com/cake?a=1"}

// radar is an operator's day with radar links.
func (w *world) radar() {
	w.t.Helper()
	id := w.id("/radar-links", cake)
	got := w.admin(200, "GET", "/radar-links/"+id, nil).Body
	require.EqualValues(w.t, 180, got["high_seconds"])
	require.EqualValues(w.t, 2, got["high_forwards"])
	require.EqualValues(w.t, 10, got["medium_seconds"])
	require.EqualValues(w.t, 48, got["low_hours"])
	require.NotEqual(w.t, got["high_tag_id"], got["low_tag_id"])
	got = w.admin(200, "PUT", "/radar-links/"+id, object{"name": "新品", "target": "page", "url": "pages/cake", "high_seconds": 60}).Body
	require.Equal(w.t, "page", got["target"])
	w.refused(w.admin(400, "POST", "/radar-links", object{"name": "x", "url": "javascript:alert(1)"}), 400, "INVALID")
	w.refused(w.admin(400, "POST", "/radar-links", object{"name": "x", "url": "https://example.com", "high_tag_id": "999"}), 400, "INVALID")
	require.Len(w.t, w.admin(200, "GET", "/radar-links", nil).items(), 1)
	require.Empty(w.t, w.admin(200, "GET", "/radar-links/"+id+"/sends", nil).items())
	require.Empty(w.t, w.admin(200, "GET", "/radar-links/"+id+"/tree", nil).items())
	for _, of := range []string{"delivered", "unopened", "opened", "forwarders", "visitors", "high", "medium", "low"} {
		require.Empty(w.t, w.admin(200, "GET", "/radar-links/"+id+"/people?of="+of, nil).items())
	}
	w.refused(w.admin(404, "GET", "/radar-links/99/people", nil), 404, "NOT_FOUND")
	w.refused(w.admin(404, "GET", "/radar-links/99/tree", nil), 404, "NOT_FOUND")
	text := func(s string) object {
		return object{"name": "x", "message": object{"text": s, "channels": []string{"customer"}}}
	}
	w.admin(204, "DELETE", "/broadcasts/"+w.id("/broadcasts", text("看 {{radar:"+id+"}}")), nil)
	w.refused(w.admin(400, "POST", "/broadcasts", text("看 {{radar:99}}")), 400, "INVALID")
	w.refused(w.admin(400, "POST", "/broadcasts", text("看 {{radar:x}}")), 400, "INVALID")
	w.refused(w.admin(400, "POST", "/broadcasts", text(strings.Repeat("好", 590)+strings.Repeat("{{radar:"+id+"}}", 2))), 400, "INVALID")
	for _, trigger := range []string{"radar.forwarded", "radar.graded"} {
		w.refused(w.admin(400, "POST", "/rules", object{"code": "r", "name": "r", "trigger": trigger, "definition": object{
			"grants": []object{{"kind": "fixed", "account": "points", "amount": 2}},
		}}), 400, "INVALID")
	}
}

// sentTo is the token that a message carries.
func (w *world) sentTo(id string, memberID int64) (token string) {
	w.t.Helper()
	text := "{{radar:" + id + "}}"
	w.Tx(func(_ context.Context, tx *gorm.DB) error {
		f, err := w.Radar.FillerTx(tx, "text", text)
		if err == nil {
			token = f.Token(text, 7, memberID)
		}
		return err
	})
	return token
}

func TestRadar(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.id("/rules", object{"code": "look", "name": "看新品", "trigger": "radar.viewed", "definition": object{
		"grants": []object{{"kind": "fixed", "account": "points", "amount": 2}}, "caps": []object{{"period": "day", "times": 1}},
	}})
	link := w.id("/radar-links", cake)
	alice, id := w.Member("alice")
	bob, _ := w.Member("bob")
	token := w.sentTo(link, id)

	w.refused(w.as(alice, "POST", "/radar/views", object{"token": "forged"}), 404, "NOT_FOUND")
	open := w.as(alice, "POST", "/radar/views", object{"token": token}, "Idempotency-Key", "o")
	require.Equal(t, 200, open.Status, open.Raw)
	require.Equal(t, "+2 积分", open.Body["grants"].([]any)[0].(object)["text"])
	require.JSONEq(t, open.Raw, w.as(alice, "POST", "/radar/views", object{"token": token}, "Idempotency-Key", "o").Raw)
	view := "/radar/views/" + open.Body["view"].(string)
	w.refused(w.as(alice, "POST", view+"/heartbeats", object{"beat": 1, "seconds": -1}), 400, "INVALID")
	w.refused(w.as(alice, "POST", view+"/heartbeats", object{"beat": 0, "seconds": 1}), 400, "INVALID")
	w.refused(w.as(bob, "POST", view+"/heartbeats", object{"beat": 1, "seconds": 1}), 404, "NOT_FOUND")
	w.refused(w.as(bob, "POST", view+"/forwards", nil), 404, "NOT_FOUND")
	w.Advance(12 * time.Second)
	require.EqualValues(t, 12, w.as(alice, "POST", view+"/heartbeats", object{"beat": 1, "seconds": 3600}).Body["seconds"])
	fwd := w.as(alice, "POST", view+"/forwards", nil, "Idempotency-Key", "f")
	require.JSONEq(t, fwd.Raw, w.as(alice, "POST", view+"/forwards", nil, "Idempotency-Key", "f").Raw)
	require.EqualValues(t, 1, fwd.Body["forwards"])

	// A friend, in a browser that nobody knows.
	address, err := url.Parse(fwd.Body["url"].(string))
	require.NoError(t, err)
	browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	var cookie string
	visit := func(path string) *http.Response {
		req, err := http.NewRequestWithContext(t.Context(), "GET", w.URL+path, nil)
		require.NoError(t, err)
		if cookie != "" {
			req.Header.Set("Cookie", cookie)
		}
		res, err := browser.Do(req)
		require.NoError(t, err)
		t.Cleanup(func() { _ = res.Body.Close() })
		return res
	}
	res := visit(address.Path)
	require.Equal(t, http.StatusFound, res.StatusCode)
	to := res.Header.Get("Location")
	require.True(t, strings.HasPrefix(to, "https://example.com/cake?a=1&radar="), to)
	set := res.Cookies()
	require.Len(t, set, 1)
	require.True(t, set[0].HttpOnly)
	cookie = set[0].Name + "=" + set[0].Value
	require.Equal(t, to, visit(address.Path).Header.Get("Location"), "loaded anew")
	require.Equal(t, http.StatusNotFound, visit("/r/forged").StatusCode)
	_, his, _ := strings.Cut(to, "radar=")
	w.Advance(5 * time.Second)
	anon := w.send("POST", "/api/v1/radar/views/"+his+"/heartbeats", "", object{"beat": 1, "seconds": 5})
	require.EqualValues(t, 5, anon.Body["seconds"], anon.Raw)
	w.refused(w.send("POST", "/api/v1/radar/views/"+his+"/heartbeats", "nonsense", object{"beat": 2, "seconds": 5}), 401, "UNAUTHORIZED")
	got := w.admin(200, "GET", "/radar-links/"+link, nil).Body
	require.EqualValues(t, 1, got["visitors"])
	require.EqualValues(t, 0, got["known"])

	// He logs in.
	dave := w.Person("dave")
	code, err := loginCode(w, dave)
	require.NoError(t, err)
	w.send("POST", "/api/v1/login", "", object{"code": code, "visitor": anon.Body["visitor"]})
	got = w.admin(200, "GET", "/radar-links/"+link, nil).Body
	require.EqualValues(t, 1, got["known"])
	require.EqualValues(t, 2, got["opened"])
	people := w.admin(200, "GET", "/radar-links/"+link+"/people?of=visitors", nil).items()
	require.Equal(t, "alice", people[0]["from_name"])
	require.Len(t, w.admin(200, "GET", "/radar-links/"+link+"/tree", nil).items(), 2)

	// A page of the mini-program is opened there.
	page := w.id("/radar-links", object{"name": "新品页", "target": "page", "url": "pages/new"})
	token = w.sentTo(page, id)
	res = visit("/r/" + token)
	require.Equal(t, http.StatusOK, res.StatusCode)
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Contains(t, string(body), "新品页")
	require.EqualValues(t, 0, w.admin(200, "GET", "/radar-links/"+page, nil).Body["opens"])
	open = w.as(alice, "POST", "/radar/views", object{"token": token})
	require.True(t, strings.HasPrefix(open.Body["url"].(string), "pages/new?radar="))
	w.Verified()
}

func loginCode(w *world, p *phone.Person) (string, error) {
	var out struct{ Code string }
	err := w.Call(w.t.Context(), "POST", "/sandbox/api/users/"+p.ID+"/login", "", object{"account": "mp"}, &out)
	return out.Code, err
}

// leads is where an answer leads, with siyu where it listens.
func (w *world) leads(res *http.Response) *url.URL {
	w.t.Helper()
	to, err := res.Location()
	require.NoError(w.t, err)
	if strings.HasPrefix(to.Path, "/r/") {
		here, err := url.Parse(w.URL)
		require.NoError(w.t, err)
		to.Host = here.Host
	}
	return to
}

// inside is the browser of WeChat on somebody's phone, which knows whose it is; it stops where siyu leads him out.
func (w *world) inside(user string) func(path string) *url.URL {
	jar, err := cookiejar.New(nil)
	require.NoError(w.t, err)
	browser := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return func(path string) *url.URL {
		w.t.Helper()
		to, err := url.Parse(path)
		require.NoError(w.t, err)
		if to.Host == "" {
			to, err = url.Parse(w.URL + path)
			require.NoError(w.t, err)
		}
		for range 4 {
			req, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, to.String(), nil)
			require.NoError(w.t, err)
			req.Header.Set("User-Agent", "Mozilla/5.0 (iPhone) MicroMessenger/8.0.50")
			req.Header.Set("X-Sandbox-User", user)
			res, err := browser.Do(req)
			require.NoError(w.t, err)
			require.NoError(w.t, res.Body.Close())
			require.Equal(w.t, http.StatusFound, res.StatusCode, to)
			to = w.leads(res)
			if to.Host == "example.com" {
				return to
			}
		}
		require.Fail(w.t, "led in a circle", to)
		return nil
	}
}

// Who opens a link inside WeChat is known by his openid at once: the addressee, and another member to whom he passed it. Nobody is taken for
// another by a code or a state that is not his, and whoever cannot be known reads on as a visitor.
func TestRadarInsideWeChat(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	link := w.id("/radar-links", cake)
	alice, id := w.Member("alice")
	bob, bobs := w.Member("bob")
	eve := w.Person("eve") // does not follow
	for _, p := range []*phone.Person{alice, bob} {
		w.Act(p, "follow", nil)
	}
	w.Advance(0)
	figures := func() [3]any {
		got := w.admin(200, "GET", "/radar-links/"+link, nil).Body
		return [3]any{got["opened"], got["visitors"], got["known"]}
	}
	opened := func() int64 { return w.Count(&model.RadarView{}, "member_id = ?", bobs) }
	path := "/r/" + w.sentTo(link, id)
	w.inside(eve.ID)(path)
	require.Equal(t, [3]any{0.0, 1.0, 0.0}, figures(), "she is not the addressee, although she came first")
	w.inside(bob.ID)(path)
	require.Equal(t, [3]any{1.0, 2.0, 1.0}, figures(), "another member, known by his openid")
	hers := w.inside(alice.ID)
	hers(path)
	hers(path)
	require.Equal(t, [3]any{2.0, 2.0, 1.0}, figures())

	// Bob's answer in eve's browser, an answer made up, a code that was used and one that WeChat does not answer for.
	browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	ask := func(user, from string, cookies ...*http.Cookie) *http.Response {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, from, nil)
		require.NoError(t, err)
		req.Header.Set("User-Agent", "MicroMessenger")
		req.Header.Set("X-Sandbox-User", user)
		for _, c := range cookies {
			req.AddCookie(c)
		}
		res, err := browser.Do(req)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		return res
	}
	away := ask(bob.ID, w.URL+path)
	require.Contains(t, away.Header.Get("Location"), "/connect/oauth2/authorize?")
	require.Len(t, away.Cookies(), 1)
	require.True(t, away.Cookies()[0].HttpOnly)
	back := w.leads(ask(bob.ID, away.Header.Get("Location")))
	other := ask(eve.ID, w.URL+path)
	for what, try := range map[string]func() *http.Response{
		"no cookie":        func() *http.Response { return ask(eve.ID, back.String()) },
		"another's cookie": func() *http.Response { return ask(eve.ID, back.String(), other.Cookies()...) },
		"no code":          func() *http.Response { return ask(eve.ID, w.URL+path+"?state=1&code=x", other.Cookies()...) },
		"a code that rewrites the call": func() *http.Response {
			q := back.Query()
			q.Set("code", "x&appid=y")
			return ask(bob.ID, w.URL+path+"?"+q.Encode(), away.Cookies()...)
		},
	} {
		w.Advance(10 * time.Second)
		require.Equal(t, "example.com", w.leads(try()).Host, what)
		require.EqualValues(t, 1, opened(), "%s: nobody is taken for bob", what)
	}
	for _, why := range []string{"his own answer", "a code that was used: he reads on"} {
		w.Advance(10 * time.Second)
		require.Equal(t, "example.com", w.leads(ask(bob.ID, back.String(), away.Cookies()...)).Host)
		require.EqualValues(t, 2, opened(), why)
	}
	require.NotContains(t, ask(bob.ID, w.URL+path+"?state=1").Header.Get("Location"), "authorize", "asked once")
}
