package handler_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBehaviors(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.id("/rules", object{"code": "talk", "name": "社群互动", "trigger": "behavior.group.talk", "definition": object{
		"grants": []object{{"kind": "fixed", "account": "points", "amount": 3}}, "caps": []object{{"period": "day", "times": 1}},
	}})
	_, id := w.Member("alice")
	no, _ := w.admin(200, "GET", "/members/"+str(id), nil).Body["no"].(string)
	push := func(body object, headers ...string) answer {
		return w.send("POST", "/open/v1/behaviors", w.Admin, body, headers...)
	}
	body := func(changed object) object {
		b := object{"member": object{"no": no}, "action": "group.talk", "key": "t-1", "data": object{"group": "g", "n": 1}}
		for k, v := range changed {
			b[k] = v
		}
		return b
	}

	first := push(body(nil))
	require.Equal(t, 201, first.Status, first.Raw)
	require.Equal(t, true, first.Body["new"])
	require.EqualValues(t, 3, first.Body["grants"].([]any)[0].(object)["amount"])
	again := push(body(nil))
	require.Equal(t, 200, again.Status, again.Raw)
	require.Equal(t, first.Body["event_id"], again.Body["event_id"])
	require.Equal(t, 200, w.send("POST", "/open/v1/behaviors", w.Admin, `{"key":"t-1","action":"group.talk","member":{"no":"`+no+`"},"data":{"n":1,"group":"g"}}`).Status,
		"the order of fields is no difference")
	w.refused(push(body(object{"data": object{"group": "h"}})), 409, "CONFLICT")
	require.EqualValues(t, 3, w.Points(id))

	keyed := push(body(object{"key": "t-2"}), "Idempotency-Key", "k")
	require.Equal(t, 201, keyed.Status)
	require.JSONEq(t, keyed.Raw, push(body(object{"key": "t-2"}), "Idempotency-Key", "k").Raw)

	for field, changed := range map[string]object{
		"member":        {"member": object{}},
		"action":        {"action": "Group Talk"},
		"key":           {"key": ""},
		"occurred_at":   {"occurred_at": "2026-11-24T09:00:00+08:00"},
		"data":          {"data": []int{1}},
		"member.colour": {"member": object{"colour": "red"}},
	} {
		require.Equal(t, field, w.refused(push(body(changed)), 400, "INVALID")["field"])
	}
	require.Equal(t, "occurred_at", w.refused(push(body(object{"occurred_at": "0001-01-01T00:00:00Z"})), 400, "INVALID")["field"])
	require.Equal(t, "member", w.refused(push(body(object{"member": object{"no": no, "unionid": "u"}})), 400, "INVALID")["field"])
	w.refused(push(body(object{"member": object{"no": "0"}})), 404, "NOT_FOUND")

	by := w.send("GET", "/open/v1/members/by?no="+no, w.Admin, nil)
	require.Equal(t, str(id), by.Body["id"])
	identity := w.admin(200, "GET", "/members/"+str(id), nil).Body["identities"].([]any)[0].(object)
	require.Equal(t, str(id), w.send("GET", "/open/v1/members/by?account=mp&openid="+identity["openid"].(string), w.Admin, nil).Body["id"])
	require.Equal(t, str(id), w.send("GET", "/open/v1/members/by?unionid="+identity["unionid"].(string), w.Admin, nil).Body["id"])
	w.refused(w.send("GET", "/open/v1/members/by?openid=x", w.Admin, nil), 400, "INVALID")
}
