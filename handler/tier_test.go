package handler_test

import "github.com/stretchr/testify/require"

// tiers asks what a ladder would change, sets it up, and sees a member on it.
func (w *world) tiers(id int64) {
	w.t.Helper()
	w.admin(201, "POST", "/members/"+str(id)+"/adjustments", object{"account": "growth", "amount": 105, "memo": "x"})
	had := w.Points(id)
	body := object{"account": "growth", "tiers": []object{
		{"name": "黄金", "threshold": 100, "gifts": []object{{"account": "points", "amount": 10}}}, {"name": "白金", "threshold": 300},
	}}
	preview := w.admin(200, "POST", "/tiers/preview", body).Body
	require.Equal(w.t, []any{1.0, 0.0}, []any{preview["up"], preview["down"]})
	require.Equal(w.t, []any{object{"name": "黄金", "members": 1.0}, object{"name": "白金", "members": 0.0}}, preview["tiers"])
	require.Empty(w.t, w.admin(200, "GET", "/tiers", nil).Body["tiers"], "a preview saves nothing")

	work, _ := w.admin(200, "PUT", "/tiers", body).Body["work_id"].(string)
	w.Advance(0)
	require.EqualValues(w.t, 1, w.admin(200, "GET", "/works/"+work, nil).Body["result"].(object)["up"], "as the preview said")
	tiers := w.admin(200, "GET", "/tiers", nil).Body["tiers"].([]any)
	require.Len(w.t, tiers, 2)
	now := w.admin(200, "GET", "/members/"+str(id)+"/tiers", nil).items()[0]
	require.Equal(w.t, []any{"黄金", tiers[0].(object)["id"], "settings", nil}, []any{now["tier"], now["tier_id"], now["cause"], now["until"]})
	require.EqualValues(w.t, 10, w.Points(id)-had, "the gift of the tier")
	w.refused(w.admin(404, "GET", "/members/999/tiers", nil), 404, "NOT_FOUND")

	at := "/members/" + str(id) + "/tier"
	set := w.admin(200, "PUT", at, object{"tier_id": tiers[1].(object)["id"], "reason": "天猫 V3", "until": "2027-01-01T00:00:00+08:00"}).Body
	require.Equal(w.t, []any{"白金", "天猫 V3", nil}, []any{set["tier"], set["reason"], set["ended_at"]})
	require.Equal(w.t, set, w.admin(200, "GET", at+"-holds", nil).items()[0])
	require.Equal(w.t, []any{"白金", "operator"}, tierNow(w, id))
	require.NotNil(w.t, w.admin(200, "DELETE", at, nil).Body["ended_at"])
	require.Equal(w.t, []any{"黄金", "operator"}, tierNow(w, id))
	w.refused(w.admin(409, "DELETE", at, nil), 409, "CONFLICT")

	w.id("/rules", object{"code": "grow", "name": "成长", "trigger": "checkin.done", "definition": object{
		"grants": []object{{"kind": "fixed", "account": "growth", "amount": 10}},
	}})
	pace := w.admin(200, "POST", "/tiers/simulate", object{"acts": []object{{"event": "checkin.done", "times": 10}}}).Body
	require.EqualValues(w.t, 100, pace["per_month"])
	require.Equal(w.t, []any{object{"name": "黄金", "month": 1.0}, object{"name": "白金", "month": 3.0}}, pace["tiers"])
}

func tierNow(w *world, id int64) []any {
	w.t.Helper()
	now := w.admin(200, "GET", "/members/"+str(id)+"/tiers", nil).items()[0]
	return []any{now["tier"], now["cause"]}
}
