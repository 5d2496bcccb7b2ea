package handler_test

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/wechat/sandbox/phone"
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
