package handler_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// followersBefore takes over those who followed before siyu.
func (w *world) followersBefore() {
	w.t.Helper()
	_, err := w.Sandbox.FollowersBefore("oa", 120, "")
	require.NoError(w.t, err)
	started := w.admin(201, "POST", "/followers/syncs", object{})
	require.Equal(w.t, []any{"oa", "running"}, []any{started.Body["account"], started.Body["status"]})
	w.refused(w.admin(409, "POST", "/followers/syncs", object{"account": "oa"}), 409, "CONFLICT")
	w.refused(w.admin(404, "POST", "/followers/syncs", object{"account": "nobody"}), 404, "NOT_FOUND")
	require.Equal(w.t, "account", w.refused(w.admin(400, "POST", "/followers/syncs", object{"account": "mp"}), 400, "INVALID")["field"])
	w.Advance(0)
	list := w.admin(200, "GET", "/followers/syncs", nil).items()
	require.Len(w.t, list, 1)
	require.Equal(w.t, []any{"oa", "done", float64(120), "bound"}, []any{list[0]["account"], list[0]["status"], list[0]["taken"], list[0]["binding"]})
	require.Equal(w.t, "running", w.admin(201, "POST", "/followers/syncs", object{"account": "oa"}).Body["status"], "again")
}

func TestLinkCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	require.Equal(t, 401, w.send("POST", "/api/v1/link-codes", "", object{}).Status)
	p, _ := w.Member("alice")
	made := w.as(p, "POST", "/link-codes", nil)
	require.Equal(t, 201, made.Status, made.Raw)
	require.Regexp(t, "^BD[2-9A-Z]{6}$", made.Body["code"])
	require.Equal(t, "2026-11-23T09:10:00+08:00", made.Body["expires_at"])
}
