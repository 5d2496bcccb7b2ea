package handler_test

import "github.com/stretchr/testify/require"

// coupons defines a coupon, gives it to a member and takes it back.
func (w *world) coupons(memberID int64) {
	w.t.Helper()
	body := object{"code": "newcomer-20", "name": "满148减20", "kind": "cash_off", "threshold_fen": 14800, "off_fen": 2000, "stock": 2, "valid_days": 30}
	id := w.id("/coupons", body)
	w.refused(w.admin(409, "POST", "/coupons", body), 409, "CONFLICT")
	body["name"] = "新人券"
	require.Equal(w.t, "新人券", w.admin(200, "PUT", "/coupons/"+id, body).Body["name"])

	at := "/members/" + str(memberID) + "/coupons"
	given := w.admin(201, "POST", at, object{"coupon_id": id, "reason": "sorry"})
	require.Equal(w.t, "usable", given.Body["state"])
	require.Equal(w.t, "2026-12-23T00:00:00+08:00", given.Body["expires_at"], "the day of the gift is the first of 30")
	require.Regexp(w.t, "^….{4}$", given.Body["code"], "the code is as good as the coupon")
	kind := w.admin(200, "GET", "/coupons/"+id, nil).Body
	require.Equal(w.t, []any{1.0, 1.0}, []any{kind["issued"], kind["left"]})
	require.Len(w.t, w.admin(200, "GET", "/coupons", nil).items(), 1)
	got := w.admin(200, "GET", "/coupons/"+id+"/given", nil).items()
	require.Len(w.t, got, 1)
	require.Equal(w.t, []any{str(memberID), "operator", "sorry"}, []any{got[0]["member_id"], got[0]["source"], got[0]["memo"]})
	require.Equal(w.t, got, w.admin(200, "GET", at, nil).items())

	held, _ := given.Body["id"].(string)
	back := object{"reason": "by mistake"}
	require.Equal(w.t, "revoked", w.admin(200, "POST", "/member-coupons/"+held+"/revoke", back).Body["state"])
	w.refused(w.send("POST", "/admin/v1/member-coupons/"+held+"/revoke", w.Admin, object{"reason": "again"}), 409, "CONFLICT")
	require.Equal(w.t, "by mistake", w.admin(200, "GET", at, nil).items()[0]["memo"])
	require.EqualValues(w.t, 2, w.admin(200, "GET", "/coupons/"+id, nil).Body["left"])
	w.refused(w.admin(404, "GET", "/coupons/999/given", nil), 404, "NOT_FOUND")
}
