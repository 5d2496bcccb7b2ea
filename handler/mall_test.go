package handler_test

import (
	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/wechat/sandbox/phone"
)

// mall offers a thing that a member takes twice: one is handed over, the other is undone.
func (w *world) mall(p *phone.Person, memberID int64) {
	w.t.Helper()
	body := object{"code": "tea", "name": "春茶", "kind": "goods", "price": 120, "stock": 1}
	id := w.id("/mall", body)
	w.refused(w.admin(409, "POST", "/mall", body), 409, "CONFLICT")
	body["stock"] = 2
	require.EqualValues(w.t, 2, w.admin(200, "PUT", "/mall/"+id, body).Body["left"])
	require.Len(w.t, w.admin(200, "GET", "/mall", nil).items(), 1)

	w.admin(201, "POST", "/members/"+str(memberID)+"/adjustments", object{"account": "points", "amount": 300, "memo": "x"})
	had := w.Points(memberID)
	redeem := func() string {
		a := w.as(p, "POST", "/mall/"+id+"/redemptions", nil)
		require.Equal(w.t, 201, a.Status, a.Raw)
		made, _ := a.Body["redemption"].(object)["id"].(string)
		return made
	}
	kept, undone := redeem(), redeem()
	require.EqualValues(w.t, 240, had-w.Points(memberID))
	require.EqualValues(w.t, 0, w.admin(200, "GET", "/mall/"+id, nil).Body["left"])
	require.Equal(w.t, "fulfilled", w.admin(200, "POST", "/redemptions/"+kept+"/fulfil", nil).Body["state"])
	w.refused(w.admin(409, "POST", "/redemptions/"+kept+"/cancel", nil), 409, "CONFLICT")
	require.Equal(w.t, "cancelled", w.admin(200, "POST", "/redemptions/"+undone+"/cancel", nil).Body["state"])
	require.EqualValues(w.t, 120, had-w.Points(memberID), "the points of the other are back")
	require.EqualValues(w.t, 1, w.admin(200, "GET", "/mall/"+id, nil).Body["left"])

	of := "/redemptions?item_id=" + id + "&member_id=" + str(memberID)
	require.Len(w.t, w.admin(200, "GET", of, nil).items(), 2)
	list := w.admin(200, "GET", of+"&state=fulfilled", nil).items()
	require.Len(w.t, list, 1)
	require.Equal(w.t, kept, list[0]["id"])
	w.refused(w.admin(404, "GET", "/mall/999", nil), 404, "NOT_FOUND")
}
