package handler_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHome(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rule := w.id("/rules", object{"code": "register", "name": "注册会员", "trigger": "member.registered", "definition": object{
		"grants": []object{{"kind": "fixed", "account": "points", "amount": 50}},
	}})
	w.id("/rules", object{"code": "three", "name": "三次", "trigger": "task.claimed", "definition": object{
		"condition": object{"leaf": "event.field", "field": "task", "op": "eq", "value": "hello"}, "grants": []object{{"kind": "fixed", "account": "points", "amount": 7}},
	}})
	w.id("/tasks", object{"code": "register", "rule_id": rule, "title_zh": "入会", "title_en": "Join", "link": "pages/join", "position": 1})
	goal := w.id("/tasks", object{"code": "hello", "title_zh": "签到一次", "counts": "checkin.done", "goal": 1, "period": "day", "claimed": true})
	w.id("/broadcasts", object{"name": "b", "cron": "0 10 * * *", "message": object{
		"channels": []string{"subscribe"}, "subscribe": object{"template_id": "TPL_ACTIVITY", "data": object{"thing1": "x"}},
	}})

	p := w.Person("alice")
	_, err := p.Login(t.Context())
	require.NoError(t, err)
	guest := w.as(p, "GET", "/home", nil).Body
	require.Nil(t, guest["member"])
	require.Equal(t, "open", task(guest, "register")["state"])
	require.Equal(t, []any{object{"account": "mp", "template_id": "TPL_ACTIVITY", "accepted": 0.0, "needed": 1.0, "next_at": "2026-11-23T10:00:00+08:00"}}, guest["subscribe"])
	w.refused(w.as(p, "POST", "/tasks/"+goal+"/claims", nil), 403, "NOT_MEMBER")

	require.NoError(t, p.API(t.Context(), "POST", "/register", object{}, nil))
	home := w.as(p, "GET", "/home", nil).Body
	require.EqualValues(t, 50, home["balance"])
	require.Nil(t, home["next_tier"])
	require.Contains(t, home, "next_tier", "null, not absent")
	require.Nil(t, home["expiring"], "they live a year")
	done := task(home, "register")
	require.Equal(t, "done", done["state"])
	require.Equal(t, "once", done["repeats"])
	require.EqualValues(t, 0, done["left_today"])
	require.Equal(t, "入会", done["title"])
	require.Equal(t, "pages/join", done["link"])
	require.Equal(t, "+50 积分", done["gains"].([]any)[0].(object)["text"])
	require.Equal(t, "Join", task(w.as(p, "GET", "/tasks", nil, "Accept-Language", "en").Body, "register")["title"])
	items, _ := home["unread"].(object)["items"].([]any)
	require.Len(t, items, 1)
	require.Equal(t, "注册会员", items[0].(object)["reason"])
	id, _ := items[0].(object)["id"].(string)
	read := w.as(p, "POST", "/grants/read", object{"up_to": id})
	require.Equal(t, 200, read.Status, read.Raw)
	require.Empty(t, read.Body["unread"].(object)["items"])
	require.Empty(t, w.as(p, "GET", "/home", nil).Body["unread"].(object)["items"])

	require.EqualValues(t, 1, w.refused(w.as(p, "POST", "/tasks/"+goal+"/claims", nil), 409, "THRESHOLD_NOT_MET")["short_by"])
	require.Equal(t, 201, w.as(p, "POST", "/checkins", nil).Status)
	require.Equal(t, "claimable", task(w.as(p, "GET", "/home", nil).Body, "hello")["state"])
	first := w.as(p, "POST", "/tasks/"+goal+"/claims", nil, "Idempotency-Key", "c1")
	require.Equal(t, 201, first.Status, first.Raw)
	require.JSONEq(t, first.Raw, w.as(p, "POST", "/tasks/"+goal+"/claims", nil, "Idempotency-Key", "c1").Raw)
	require.Equal(t, "2026-11-24T00:00:00+08:00", w.refused(w.as(p, "POST", "/tasks/"+goal+"/claims", nil), 409, "LIMIT_REACHED")["opens_at"])
	require.EqualValues(t, 57, w.as(p, "GET", "/points", nil).Body["balance"])

	bob, _ := w.Member("bob")
	w.refused(w.as(bob, "POST", "/grants/read", object{"up_to": id}), 404, "NOT_FOUND")
	for _, bad := range []any{object{}, object{"up_to": 7}, object{"up_to": "x"}} {
		w.refused(w.as(bob, "POST", "/grants/read", bad), 400, "INVALID")
	}

	// Accepted as often as is needed, a template is not worth asking for; who wants no marketing is not asked.
	require.NoError(t, w.Call(t.Context(), "POST", "/sandbox/api/users/"+p.ID+"/accept", "", object{"account": "mp", "template": "TPL_ACTIVITY", "times": 1}, nil))
	w.Advance(0)
	require.Empty(t, w.as(p, "GET", "/home", nil).Body["subscribe"])
	require.Len(t, w.as(bob, "GET", "/home", nil).Body["subscribe"], 1)
	require.Equal(t, 200, w.as(bob, "PUT", "/preferences", object{"marketing": false}).Status)
	require.Empty(t, w.as(bob, "GET", "/home", nil).Body["subscribe"])

	w.Set("2027-11-10 09:00:00")
	_, err = p.Login(t.Context())
	require.NoError(t, err)
	expiring, _ := w.as(p, "GET", "/home", nil).Body["expiring"].(object)
	require.Equal(t, object{"amount": 57.0, "at": "2027-11-24T00:00:00+08:00"}, expiring)
}

// task is the task with the code in an answer with tasks or items.
func task(body map[string]any, code string) object {
	list, _ := body["tasks"].([]any)
	if list == nil {
		list, _ = body["items"].([]any)
	}
	for _, v := range list {
		if o, _ := v.(object); o["code"] == code {
			return o
		}
	}
	return nil
}

// taskEntries are what operators write into the task list.
func (w *world) taskEntries(ruleID string) {
	w.t.Helper()
	id := w.id("/tasks", object{"code": "daily", "rule_id": ruleID, "title_zh": "天天签到", "link": "pages/checkin/index"})
	require.Equal(w.t, "天天签到", w.admin(200, "GET", "/tasks/"+id, nil).Body["title_zh"])
	changed := w.admin(200, "PUT", "/tasks/"+id, object{"title_zh": "签到", "enabled": false})
	require.Equal(w.t, "daily", changed.Body["code"])
	require.Equal(w.t, false, w.admin(200, "GET", "/tasks", nil).items()[0]["enabled"])
	require.Equal(w.t, "link", w.refused(w.send("POST", "/admin/v1/tasks", w.Admin, object{"code": "x", "title_zh": "x", "link": "javascript:x"}), 400, "INVALID")["field"])
	w.admin(204, "DELETE", "/tasks/"+id, nil)
	w.refused(w.admin(404, "GET", "/tasks/"+id, nil), 404, "NOT_FOUND")

	body := object{
		"kind": "streak", "name": "签到提醒", "days": 3, "cron": "0 20 * * *",
		"message": object{"channels": []string{"subscribe"}, "subscribe": object{"template_id": "TPL_ACTIVITY", "data": object{"thing1": "今天还没签到"}}},
	}
	reminder := w.id("/reminders", body)
	require.Equal(w.t, "2026-11-23T20:00:00+08:00", w.admin(200, "GET", "/reminders/"+reminder, nil).Body["next_at"])
	w.admin(200, "PUT", "/reminders/"+reminder, body)
	body["cron"] = "0 23 * * *"
	require.Equal(w.t, "cron", w.refused(w.send("PUT", "/admin/v1/reminders/"+reminder, w.Admin, body), 400, "INVALID")["field"])
	body["cron"], body["message"].(object)["subscribe"].(object)["account"] = "0 20 * * *", "oa"
	require.Equal(w.t, "message.subscribe.account", w.refused(w.send("POST", "/admin/v1/reminders", w.Admin, body), 400, "INVALID")["field"])
	require.Equal(w.t, "streak", w.admin(200, "GET", "/reminders", nil).items()[0]["kind"])
	w.admin(204, "DELETE", "/reminders/"+reminder, nil)

	benefit := object{"name": "月礼", "amount": 100, "cron": "0 9 1 * *", "condition": object{"leaf": "member", "field": "joined", "value": true}}
	sure := w.refused(w.send("POST", "/admin/v1/gifts", w.Admin, benefit), 409, "CONFLICT")["audience"]
	benefit["confirm"] = sure
	id = w.id("/gifts", benefit)
	benefit["enabled"] = false
	require.Nil(w.t, w.admin(200, "PUT", "/gifts/"+id, benefit).Body["next_at"])
	require.Equal(w.t, "月礼", w.admin(200, "GET", "/gifts/"+id, nil).Body["name"])
	require.Len(w.t, w.admin(200, "GET", "/gifts", nil).items(), 1)
}
