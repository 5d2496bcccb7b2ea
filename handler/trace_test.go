package handler_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// named finds the rule of a trace by its name.
func named(t *testing.T, a answer, name string) object {
	t.Helper()
	rules, _ := a.Body["rules"].([]any)
	for _, r := range rules {
		if r.(object)["rule"] == name {
			return r.(object)
		}
	}
	require.Fail(t, "no such rule", "%s: %s", name, a.Raw)
	return nil
}

// explained asks why somebody earned what he did, and what a draft would give to another.
func (w *world) explained(earned, other int64) {
	w.t.Helper()
	var checkin string
	for _, e := range w.admin(200, "GET", "/members/"+str(earned)+"/events?limit=100", nil).items() {
		if e["kind"] == "checkin.done" {
			checkin, _ = e["id"].(string)
		}
	}
	why := w.admin(200, "GET", "/events/"+checkin+"/explain", nil)
	require.Equal(w.t, str(earned), why.Body["member_id"])
	require.Equal(w.t, true, named(w.t, why, "每日签到")["applies"])
	line := why.Body["lines"].([]any)[0].(object)
	require.Equal(w.t, []any{"points", 5.0}, []any{line["account"], line["delta"]})
	w.refused(w.admin(404, "GET", "/events/999999/explain", nil), 404, "NOT_FOUND")

	had := w.Points(other)
	tried := w.admin(200, "POST", "/rules/try", object{"member_id": str(other), "kind": "checkin.done", "draft": rule("tried", 7)})
	draft := named(w.t, tried, "tried")
	require.EqualValues(w.t, 7, draft["lines"].([]any)[0].(object)["want"])
	require.EqualValues(w.t, 1, draft["caps"].([]any)[0].(object)["left"])
	require.Empty(w.t, tried.Body["lines"], "nothing was written")
	require.Equal(w.t, had, w.Points(other))
	unregistered := object{"member_id": "999", "kind": "checkin.done"}
	w.refused(w.admin(404, "POST", "/rules/try", unregistered), 404, "NOT_FOUND")

	require.Equal(w.t, "max", w.admin(200, "GET", "/rules/setting", nil).Body["combine"])
	w.admin(200, "PUT", "/rules/setting", object{"combine": "add", "max_factor": 3})
	set := w.admin(200, "GET", "/rules/setting", nil).Body
	require.Equal(w.t, []any{"add", 3.0}, []any{set["combine"], set["max_factor"]})
}

func (w *world) capSets() {
	w.t.Helper()
	body := object{"code": "daily", "name": "每日合计", "period": "day", "times": 10}
	id := w.id("/cap-sets", body)
	w.refused(w.admin(409, "POST", "/cap-sets", body), 409, "CONFLICT")
	body["times"] = 5
	require.EqualValues(w.t, 5, w.admin(200, "PUT", "/cap-sets/"+id, body).Body["times"])
	shared := rule("shared", 1)
	shared["definition"].(object)["cap_sets"] = []string{"daily"}
	w.id("/rules", shared)
	set := w.admin(200, "GET", "/cap-sets/"+id, nil).Body
	require.Equal(w.t, []any{"shared"}, set["rules"])
	require.EqualValues(w.t, 5, set["times"])
	require.Len(w.t, w.admin(200, "GET", "/cap-sets", nil).items(), 1)
	w.refused(w.admin(404, "GET", "/cap-sets/999", nil), 404, "NOT_FOUND")
	w.refused(w.admin(409, "DELETE", "/cap-sets/"+id, nil), 409, "CONFLICT")
	unused := w.id("/cap-sets", object{"code": "unused", "name": "没有人用", "period": "week", "times": 1})
	w.admin(204, "DELETE", "/cap-sets/"+unused, nil)
	w.refused(w.admin(404, "GET", "/cap-sets/"+unused, nil), 404, "NOT_FOUND")
}
