package handler_test

import (
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/model"
)

// audiences are saved, looked at, compared, frozen, taken out and deleted.
func (w *world) audiences(aliceID int64) {
	w.t.Helper()
	joined := object{"leaf": "member", "field": "joined", "value": true}
	id := w.id("/audiences", object{"name": "会员", "condition": joined})
	body := object{"name": "全部会员", "condition": joined}
	require.Equal(w.t, "是会员", w.admin(200, "PUT", "/audiences/"+id, body).Body["who"])
	rest := w.id("/audiences", object{"name": "其他", "condition": object{"not": object{"leaf": "audience", "audience_id": id}}})
	got := w.admin(200, "GET", "/audiences/"+id, nil).Body
	members := got["count"]
	require.NotZero(w.t, members)
	require.Equal(w.t, []any{object{"kind": "audience", "id": rest, "name": "其他"}}, got["used_by"])
	require.Len(w.t, w.admin(200, "GET", "/audiences", nil).items(), 2)

	seen := w.admin(200, "POST", "/audience/look", object{"condition": joined}).Body
	require.Equal(w.t, members, seen["count"])
	require.NotEmpty(w.t, seen["sample"])
	reachable := seen["reachable"].(object)
	require.Equal(w.t, members, reachable["audience"])
	require.Zero(w.t, reachable["sampled"])
	sum := reachable["reachable"].(float64)
	for _, s := range reachable["skipped"].([]any) {
		sum += s.(object)["count"].(float64)
	}
	require.EqualValues(w.t, members, int64(sum))

	why := w.admin(200, "POST", "/audience/why", object{"condition": object{"all": []object{joined, {"leaf": "audience", "audience_id": rest}}}, "member_id": str(aliceID)}).Body
	require.Equal(w.t, false, why["holds"])
	require.Equal(w.t, "是会员", why["children"].([]any)[0].(object)["says"])

	frozen := w.admin(201, "POST", "/audiences/"+id+"/freeze", object{"name": "会员 11.23"}).Body
	require.Equal(w.t, members, frozen["count"])
	require.NotNil(w.t, frozen["frozen_at"])
	both := w.admin(200, "POST", "/audience/overlap", object{"ids": []any{id, frozen["id"], rest}}).Body
	require.Equal(w.t, members, both["pairs"].([]any)[0].([]any)[1])
	require.EqualValues(w.t, 0, both["every"])

	csv := w.admin(200, "GET", "/audiences/"+frozen["id"].(string)+"/export", nil).Raw
	require.Len(w.t, strings.Split(strings.TrimSpace(csv), "\n"), int(members.(float64))+1)
	require.EqualValues(w.t, 1, w.Count(&model.Audit{}, "action = ?", "audience.export"))

	require.Equal(w.t, "其他", w.refused(w.admin(409, "DELETE", "/audiences/"+id, nil), 409, "CONFLICT")["name"])
	w.admin(204, "DELETE", "/audiences/"+rest, nil)
	w.admin(204, "DELETE", "/audiences/"+id, nil)
	w.refused(w.admin(404, "GET", "/audiences/"+id, nil), 404, "NOT_FOUND")
}
