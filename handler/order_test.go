package handler_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/wechat/sandbox/phone"
)

func orderOf(no, fen string, more object) object {
	o := object{"platform": "douyin", "order_no": no, "status": "paid", "paid_at": "2026-11-23T09:00:00+08:00", "phone_tail": "1234"}
	if fen != "" {
		o["amount_fen"] = json.RawMessage(fen)
	}
	for k, v := range more {
		o[k] = v
	}
	return o
}

// orders walks through the admin API of orders and risks.
func (w *world) orders(alice *phone.Person, bobID int64) {
	w.t.Helper()
	made := w.send("POST", "/open/v1/orders", w.Admin, orderOf("ad1", "5000", object{
		"items": []object{{"product": "唇膜", "category": "美妆", "quantity": 2, "amount_fen": 5000}}, "refunds": []object{{"refund_no": "r1", "amount_fen": 100, "refunded_at": "2026-11-23T09:00:00+08:00"}},
	}))
	require.Equal(w.t, 201, made.Status, made.Raw)
	require.Equal(w.t, "AD1", made.Body["order_no"])
	require.Equal(w.t, "partial_refund", made.Body["status"])
	w.refused(w.as(alice, "POST", "/orders/claims", object{"platform": "douyin", "order_no": "ad1", "phone_tail": "4321"}), 409, "ORDER_MISMATCH")
	claimed := w.as(alice, "POST", "/orders/claims", object{"platform": "douyin", "order_no": "ａｄ1", "phone_tail": "1234"})
	require.Equal(w.t, 200, claimed.Status, claimed.Raw)
	require.Equal(w.t, "DONE", claimed.Body["state"])
	require.Len(w.t, w.as(alice, "GET", "/orders", nil).items(), 1)
	require.Len(w.t, w.as(alice, "GET", "/orders/claims", nil).items(), 2)

	list := w.admin(200, "GET", "/orders?platform=douyin&order_no=ad1&owned=true", nil).items()
	require.Len(w.t, list, 1)
	id, _ := list[0]["id"].(string)
	facts := w.admin(200, "GET", "/orders/"+id, nil)
	require.Contains(w.t, facts.Raw, `"kind":"order.claimed"`)
	require.Contains(w.t, facts.Raw, `"product":"唇膜"`)
	require.Len(w.t, w.admin(200, "GET", "/orders/claims?state=done", nil).items(), 1)
	moved := w.admin(200, "POST", "/orders/"+id+"/assign", object{"member_id": str(bobID), "reason": "his"})
	require.Equal(w.t, str(bobID), moved.Body["member_id"])
	w.refused(w.admin(404, "GET", "/orders/999", nil), 404, "NOT_FOUND")
	settings := w.admin(200, "GET", "/orders/settings", nil).Body
	settings["claim_days"] = 30
	require.EqualValues(w.t, 30, w.admin(200, "PUT", "/orders/settings", settings).Body["claim_days"])

	w.imports()
	w.refused(w.as(alice, "POST", "/orders/claims", object{"platform": "douyin", "order_no": "ad1", "phone_tail": "1234"}), 409, "ORDER_ALREADY_CLAIMED")
	risks := w.admin(200, "GET", "/risks?done=false&kind=order.claim_taken", nil).items()
	require.Len(w.t, risks, 1)
	riskID, _ := risks[0]["id"].(string)
	require.NotNil(w.t, w.admin(200, "POST", "/risks/"+riskID+"/done", nil).Body["done_at"])
}

func TestOrders(t *testing.T) {
	t.Parallel()

	t.Run("TellWhichFieldIsWrong", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		for field, more := range map[string]object{
			"amount_fen":           {"amount_fen": -1},
			"paid_at":              {"paid_at": "2026-11-23T09:05:01+08:00"},
			"platform":             {"platform": "ebay"},
			"status":               {"status": "lost"},
			"refunds[0].refund_no": {"refunds": []object{{"refund_no": "　", "amount_fen": 1, "refunded_at": "2026-11-23T09:00:00+08:00"}}},
		} {
			a := w.send("POST", "/open/v1/orders", w.Admin, orderOf("x", "100", more))
			require.Contains(t, a.Raw, field)
			w.refused(a, 400, "INVALID")
		}
		for _, amount := range []string{"1.5", "1e400", "99999999999999999999", `"12"`} {
			a := w.send("POST", "/open/v1/orders", w.Admin, orderOf("x", amount, nil))
			require.Equal(t, 400, a.Status, a.Raw)
		}
		w.refused(w.send("POST", "/open/v1/orders", w.Admin, orderOf("x", "100", object{"member": object{"no": "nobody"}})), 404, "NOT_FOUND")
	})

	t.Run("WaitUntilTheyAreTold", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		alice, _ := w.Member("alice")
		body := object{"platform": "douyin", "order_no": "later"}
		for range 2 {
			a := w.as(alice, "POST", "/orders/claims", body)
			require.Equal(t, 202, a.Status, a.Raw)
			require.Equal(t, "PENDING", a.Body["state"])
			require.Equal(t, "订单尚未同步,同步后自动到账", a.Body["message"])
		}
		require.Empty(t, w.as(alice, "GET", "/orders", nil).items())
		w.send("POST", "/open/v1/orders", w.Admin, object{"platform": "douyin", "order_no": "LATER", "status": "paid", "paid_at": "2026-11-23T09:00:00+08:00", "amount_fen": 100})
		require.Equal(t, "DONE", w.as(alice, "GET", "/orders/claims", nil).items()[0]["state"])
		require.Len(t, w.as(alice, "GET", "/orders", nil).items(), 1)
	})
}

// imports walks through the admin API of files of orders and of long jobs.
func (w *world) imports() {
	w.t.Helper()
	file := "platform,order_no,paid_at,amount\njd,F1,2026-11-23 09:00:00,12.34\njd,F2,2026-11-23 09:00:00,abc\n"
	body := object{"name": "f.csv", "data": base64.StdEncoding.EncodeToString([]byte(file))}
	made := w.admin(201, "POST", "/orders/imports", body).Body
	id, _ := made["id"].(string)
	job, _ := made["work_id"].(string)
	require.Equal(w.t, "running", made["state"])
	w.Advance(0)
	done := w.admin(200, "GET", "/orders/imports/"+id, nil).Body
	require.Equal(w.t, []any{"done", 1.0, 1.0}, []any{done["state"], done["new"], done["failed"]})
	require.Len(w.t, w.admin(200, "GET", "/orders/imports", nil).items(), 1)
	require.Contains(w.t, w.admin(200, "GET", "/orders/imports/"+id+"/report", nil).Raw, "3,jd,F2,失败,amount,")
	w.refused(w.admin(404, "GET", "/orders/imports/999", nil), 404, "NOT_FOUND")
	w.refused(w.admin(400, "POST", "/orders/imports", object{"name": "f", "data": "!"}), 400, "INVALID")

	body["data"] = base64.StdEncoding.EncodeToString([]byte("phone,name\n13812345678,张三\n123,李四\n"))
	made = w.admin(201, "POST", "/customers/imports", body).Body
	id, _ = made["id"].(string)
	w.Advance(0)
	done = w.admin(200, "GET", "/customers/imports/"+id, nil).Body
	require.Equal(w.t, []any{"done", 1.0, 1.0}, []any{done["state"], done["new"], done["failed"]})
	require.Len(w.t, w.admin(200, "GET", "/customers/imports", nil).items(), 1)
	require.Contains(w.t, w.admin(200, "GET", "/customers/imports/"+id+"/report", nil).Raw, "2,138****5678,新增,")
	w.refused(w.admin(404, "GET", "/orders/imports/"+id, nil), 404, "NOT_FOUND")
	body["levels"] = object{"V3": "999"}
	w.refused(w.admin(400, "POST", "/customers/imports", body), 400, "INVALID")
	one := w.admin(200, "GET", "/customers?matched=no", nil).items()[0]
	require.Equal(w.t, []any{"138****5678", "张三"}, []any{one["phone"], one["name"]})
	require.Empty(w.t, w.admin(200, "GET", "/customers?matched=yes", nil).items())
	w.admin(204, "DELETE", "/customers/"+one["id"].(string), nil)
	w.refused(w.admin(404, "DELETE", "/customers/"+one["id"].(string), nil), 404, "NOT_FOUND")
	require.Equal(w.t, "done", w.admin(200, "GET", "/works/"+job, nil).Body["state"])

	body = object{"name": "f.csv", "data": base64.StdEncoding.EncodeToString([]byte("openid\nnobody\n")), "audience": "名单"}
	id, _ = w.admin(201, "POST", "/audiences/imports", body).Body["id"].(string)
	list := w.admin(200, "GET", "/audiences", nil).items()[0]
	require.Equal(w.t, []any{"名单", true, nil}, []any{list["name"], list["list"], list["frozen_at"]})
	w.Advance(0)
	require.EqualValues(w.t, 1, w.admin(200, "GET", "/audiences/imports/"+id, nil).Body["failed"])
	require.Len(w.t, w.admin(200, "GET", "/audiences/imports", nil).items(), 1)
	require.Contains(w.t, w.admin(200, "GET", "/audiences/imports/"+id+"/report", nil).Raw, "2,***,失败,openid,")
	list = w.admin(200, "GET", "/audiences/"+list["id"].(string), nil).Body
	require.Equal(w.t, []any{0.0, "上传名单中的人"}, []any{list["count"], list["who"]})
	w.refused(w.admin(409, "POST", "/audiences/imports", body), 409, "CONFLICT")

	body["data"] = strings.Repeat("!", 2<<20) // more than another request may have
	for _, path := range []string{"/orders/imports", "/customers/imports", "/audiences/imports"} {
		w.refused(w.admin(400, "POST", path, body), 400, "INVALID")
	}
}
