package handler_test

import (
	"fmt"

	"github.com/stretchr/testify/require"
)

// sops makes a SOP, enables it and looks at it from all sides.
func (w *world) sops() {
	w.t.Helper()
	message := object{"text": "hi", "channels": []string{"customer"}}
	body := object{
		"name": "新会员", "entry": object{"event": "member.registered"}, "exit": []object{{"event": "order.paid"}}, "goal": object{"event": "order.paid", "days": 3},
		"steps": []object{
			{"key": "hello", "send": object{"class": "service", "message": message, "grants": object{"amount": 5}}},
			{"key": "day3", "when": object{"day": 3, "time": "10:00"}, "send": object{"message": message, "condition": object{"leaf": "member", "field": "joined", "value": true}}},
		},
	}
	id := w.id("/sops", body)
	path := "/sops/" + id
	require.Equal(w.t, "draft", w.admin(200, "GET", path, nil).Body["state"])
	body["running"] = "move"
	require.EqualValues(w.t, 2, w.admin(200, "PUT", path, body).Body["version"])
	require.Equal(w.t, "active", w.admin(200, "POST", path+"/enable", nil).Body["state"])
	w.refused(w.admin(409, "DELETE", path, nil), 409, "CONFLICT")
	require.Equal(w.t, "paused", w.admin(200, "POST", path+"/pause", nil).Body["state"])
	require.Equal(w.t, "active", w.admin(200, "POST", path+"/resume", nil).Body["state"])
	require.Len(w.t, w.admin(200, "GET", "/sops", nil).items(), 1)

	_, id2 := w.Member("in the SOP")
	w.Settle()
	test := object{"step": "hello", "members": []string{fmt.Sprint(id2)}}
	require.Equal(w.t, "sop_test", w.admin(201, "POST", path+"/test", test).Body["source"])
	test["step"] = "gone"
	w.refused(w.admin(400, "POST", path+"/test", test), 400, "INVALID")
	delete(body, "running")
	p := w.admin(200, "POST", "/sops/preview", body).Body
	require.NotEmpty(w.t, p["sentences"])
	require.NotNil(w.t, p["forecast"])
	report := w.admin(200, "GET", path+"/report", nil).Body
	require.EqualValues(w.t, 1, report["entered"])
	require.Len(w.t, w.admin(200, "GET", path+"/members?outcome=entered", nil).items(), 1)
	kept := w.admin(201, "POST", path+"/audience", object{"name": "进来的", "outcome": "entered"}).Body
	require.EqualValues(w.t, 1, kept["count"])
	w.admin(204, "DELETE", "/audiences/"+fmt.Sprint(kept["id"]), nil)
	w.refused(w.admin(404, "POST", path+"/audience", object{"name": "x", "outcome": "none"}), 404, "NOT_FOUND")
	group := w.admin(200, "GET", path+"/results?days=3", nil).Body["groups"].([]any)[0].(object)
	require.Equal(w.t, []any{1.0, 0.0, 1.0, 1.0}, []any{group["people"], group["sent"], group["skipped"], float64(len(group["reasons"].([]any)))})
	require.Len(w.t, w.admin(200, "GET", path+"/results/members?what=skipped&step=hello", nil).items(), 1)
	require.Empty(w.t, w.admin(200, "GET", path+"/results/members?what=skipped&step=day3", nil).items())
	kept = w.admin(201, "POST", path+"/results/audience", object{"name": "没收到的", "what": "skipped", "days": 3}).Body
	require.EqualValues(w.t, 1, kept["count"])
	w.admin(204, "DELETE", "/audiences/"+fmt.Sprint(kept["id"]), nil)
	w.refused(w.admin(404, "GET", "/sops/999/results", nil), 404, "NOT_FOUND")
	steps0, _ := report["steps"].([]any)
	hello, _ := steps0[0].(map[string]any)
	require.EqualValues(w.t, 5, hello["amount"])
	for _, outcome := range []string{"", "?outcome=granted", "?outcome=run&state=suppressed"} {
		require.Len(w.t, w.admin(200, "GET", path+"/steps/hello/members"+outcome, nil).items(), 1, outcome)
	}
	require.Len(w.t, w.admin(200, "GET", path+"/steps/day3/members?outcome=standing", nil).items(), 1)
	w.refused(w.admin(404, "GET", path+"/steps/none/members", nil), 404, "NOT_FOUND")
	ways := w.admin(200, "GET", "/members/"+fmt.Sprint(id2)+"/sops", nil).items()
	require.Equal(w.t, "running", ways[0]["state"])
	day := w.Zone.DayOf(w.Now())
	ahead := w.admin(200, "GET", "/members/"+fmt.Sprint(id2)+"/rehearsal?from="+string(day)+"&to="+string(day.Add(7)), nil).items()
	require.Len(w.t, ahead, 2)
	w.refused(w.admin(400, "GET", "/members/"+fmt.Sprint(id2)+"/rehearsal?from=2026-02-30&to=2026-03-01", nil), 400, "INVALID")
	require.Empty(w.t, w.admin(200, "GET", "/sops/clashes?from="+string(day)+"&to="+string(day.Add(7)), nil).items())
	for _, t := range w.admin(200, "GET", "/sops/templates", nil).items() {
		w.admin(204, "DELETE", "/sops/"+w.id("/sops", t["definition"]), nil)
	}

	require.Equal(w.t, "ended", w.admin(200, "POST", path+"/end", nil).Body["state"])
	w.refused(w.admin(409, "POST", path+"/enable", nil), 409, "CONFLICT")
	w.admin(204, "DELETE", "/sops/"+w.id("/sops", body), nil)

	steps, _ := body["steps"].([]object)
	steps[1]["next"] = "hello"
	require.Equal(w.t, "steps[1].next", w.refused(w.admin(400, "POST", "/sops", body), 400, "INVALID")["field"])
	steps[1]["next"] = "end"
	steps[1]["send"] = object{"message": object{"text": "{{nickname}}", "channels": []string{"mass"}}}
	require.Equal(w.t, "steps[1].send.message.text", w.refused(w.admin(400, "POST", "/sops", body), 400, "INVALID")["field"])
	steps[1]["send"] = object{"message": message, "condition": object{"all": []object{{"leaf": "tag", "tag_id": "999"}}}}
	require.Equal(w.t, "steps[1].send.condition.all[0].tag_id", w.refused(w.admin(400, "POST", "/sops", body), 400, "INVALID")["field"])
}
