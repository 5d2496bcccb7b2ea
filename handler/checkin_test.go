package handler_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMakeUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.id("/rules", object{"code": "checkin", "name": "签到", "trigger": "checkin.done", "definition": object{
		"grants": []object{
			{"kind": "fixed", "account": "points", "amount": 8},
			{"kind": "streak", "account": "points", "table": []object{{"days": 3, "amount": 9}}, "cycle": 3},
		},
	}})
	require.JSONEq(t, `{"makeup_limit":0,"makeup_reach":0,"makeup_price":0}`, w.admin(200, "GET", "/checkins/settings", nil).Raw)
	alice, _ := w.Member("alice")
	require.Equal(t, 201, w.as(alice, "POST", "/checkins", nil).Status)
	w.Set("2026-11-25 09:00:00")
	require.Nil(t, w.as(alice, "GET", "/checkins", nil).Body["makeup"])
	w.refused(w.as(alice, "POST", "/checkins/makeup", object{"day": "2026-11-24"}), 409, "MAKEUP_LIMIT")

	require.Equal(t, "makeup_reach", w.refused(w.send("PUT", "/admin/v1/checkins/settings", w.Admin, object{"makeup_limit": 1, "makeup_reach": 0, "makeup_price": 5}), 400, "INVALID")["field"])
	w.admin(200, "PUT", "/checkins/settings", object{"makeup_limit": 1, "makeup_reach": 7, "makeup_price": 5})
	audit := w.admin(200, "GET", "/audits", nil).items()[0]
	require.Equal(t, "checkin.settings", audit["action"])
	makeup, _ := w.as(alice, "GET", "/checkins", nil).Body["makeup"].(object)
	require.Equal(t, []any{object{"day": "2026-11-24", "can": true, "price": 5.0}}, makeup["missed"])
	require.Equal(t, "2026-12-01T00:00:00+08:00", makeup["opens_at"])

	first := w.as(alice, "POST", "/checkins/makeup", object{"day": "2026-11-24"}, "Idempotency-Key", "m1")
	require.Equal(t, 201, first.Status, first.Raw)
	require.EqualValues(t, 2, first.Body["streak"])
	again := w.as(alice, "POST", "/checkins/makeup", object{"day": "2026-11-24"}, "Idempotency-Key", "m1")
	require.Equal(t, first.Body["price"], again.Body["price"])
	require.EqualValues(t, 3, w.as(alice, "GET", "/points", nil).Body["balance"], "paid once")
	w.refused(w.as(alice, "POST", "/checkins/makeup", object{"day": "2026-11-24"}), 409, "ALREADY_CHECKED_IN")
	w.refused(w.as(alice, "POST", "/checkins/makeup", object{"day": "2026-11-22"}), 409, "WINDOW_CLOSED")
	for _, bad := range []any{object{"day": "2026-02-30"}, object{"day": 7}, object{}, object{"day": "2026-11-25"}, object{"day": "2026-11-24", "price": 0}} {
		w.refused(w.as(alice, "POST", "/checkins/makeup", bad), 400, "INVALID")
	}
	require.EqualValues(t, 3+8+9, func() any {
		require.Equal(t, 201, w.as(alice, "POST", "/checkins", nil).Status)
		return w.as(alice, "GET", "/points", nil).Body["balance"]
	}())
	w.Set("2026-11-27 09:00:00")
	makeup, _ = w.as(alice, "GET", "/checkins", nil).Body["makeup"].(object)
	missed, _ := makeup["missed"].([]any)
	require.Equal(t, "MAKEUP_LIMIT", missed[0].(object)["code"])
	require.Equal(t, "本月 1 次补签已用完", missed[0].(object)["message"])
	lines := w.as(alice, "GET", "/points/entries", nil).items()
	require.Equal(t, "补签", lines[2]["reason"])
}
