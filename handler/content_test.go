package handler_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// content is an operator's day with articles and live sessions.
func (w *world) content() {
	w.t.Helper()
	id := w.id("/articles", object{"title": "护肤", "url": "https://example.com/a"})
	require.Equal(w.t, false, w.admin(200, "PUT", "/articles/"+id, object{"title": "护肤", "url": "https://example.com/a", "enabled": false}).Body["enabled"])
	require.EqualValues(w.t, 15, w.admin(200, "GET", "/articles/"+id, nil).Body["min_seconds"])
	require.Len(w.t, w.admin(200, "GET", "/articles", nil).items(), 1)
	w.refused(w.admin(400, "POST", "/articles", object{"title": "x", "url": "javascript:alert(1)"}), 400, "INVALID")
	live := object{"title": "直播", "opens_at": "2026-11-23T20:00:00+08:00", "closes_at": "2026-11-23T22:00:00+08:00"}
	id = w.id("/lives", live)
	live["min_seconds"] = 60
	require.EqualValues(w.t, 60, w.admin(200, "PUT", "/lives/"+id, live).Body["min_seconds"])
	require.EqualValues(w.t, 0, w.admin(200, "GET", "/lives/"+id, nil).Body["viewers"])
	require.Len(w.t, w.admin(200, "GET", "/lives", nil).items(), 1)
	live["closes_at"] = live["opens_at"]
	w.refused(w.admin(400, "POST", "/lives", live), 400, "INVALID")
}

func TestContent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.id("/rules", object{"code": "article", "name": "读文章", "trigger": "article.read", "definition": object{
		"grants": []object{{"kind": "fixed", "account": "points", "amount": 2}},
	}})
	article := w.id("/articles", object{"title": "护肤", "url": "https://example.com/a"})
	live := w.id("/lives", object{"title": "直播", "opens_at": "2026-11-23T09:00:00+08:00", "closes_at": "2026-11-23T22:00:00+08:00", "min_seconds": 60})
	alice, _ := w.Member("alice")

	w.refused(w.as(alice, "POST", "/articles/"+article+"/finish", object{}), 409, "CONFLICT")
	started := w.as(alice, "POST", "/articles/"+article+"/start", nil)
	require.Equal(t, "2026-11-23T09:00:00+08:00", started.Body["started_at"], started.Raw)
	require.Equal(t, true, w.as(alice, "GET", "/articles", nil).items()[0]["reading"])
	w.refused(w.as(alice, "POST", "/articles/"+article+"/finish", object{"seconds": -5}), 409, "THRESHOLD_NOT_MET")
	w.Advance(20 * time.Second)
	done := w.as(alice, "POST", "/articles/"+article+"/finish", object{"seconds": 1 << 60}, "Idempotency-Key", "f")
	require.EqualValues(t, 20, done.Body["seconds"], done.Raw)
	require.Equal(t, "+2 积分", done.Body["grants"].([]any)[0].(object)["text"])
	require.JSONEq(t, done.Raw, w.as(alice, "POST", "/articles/"+article+"/finish", object{"seconds": 1 << 60}, "Idempotency-Key", "f").Raw)
	require.EqualValues(t, 1, w.as(alice, "GET", "/articles", nil).items()[0]["times"])
	w.refused(w.as(alice, "POST", "/articles/99/start", nil), 404, "NOT_FOUND")

	require.EqualValues(t, 0, w.as(alice, "POST", "/lives/"+live+"/heartbeats", nil).Body["seconds"])
	w.Advance(time.Minute)
	require.Equal(t, true, w.as(alice, "POST", "/lives/"+live+"/heartbeats", nil).Body["reached"])
	require.EqualValues(t, 60, w.as(alice, "GET", "/lives", nil).items()[0]["seconds"])
	w.refused(w.as(alice, "POST", "/lives/99/heartbeats", nil), 404, "NOT_FOUND")
	w.Verified()
}
