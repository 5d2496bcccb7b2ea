package handler_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// An operator adds an account, sets what points pay and what converts, and a member and a shop use it, all over HTTP.
func TestAccountsOverHTTP(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made := w.admin(201, "POST", "/accounts", object{
		"code": "nights", "name": "房晚", "expiry": object{"kind": "next_year_end"}, "shortage": "clamp", "manual_limit": 50, "position": 9,
	}).Body
	require.Equal(t, "clamp", made["shortage"])
	require.Equal(t, "next_year_end", made["expiry"].(object)["kind"])
	w.refused(w.send("POST", "/admin/v1/accounts", w.Admin, object{"code": "nights", "name": "x", "expiry": object{"kind": "never"}}), 409, "CONFLICT")
	w.refused(w.send("POST", "/admin/v1/accounts", w.Admin, object{"code": "rooms", "name": "x", "expiry": object{"kind": "days"}}), 400, "INVALID")
	w.refused(w.send("PUT", "/admin/v1/accounts/rooms", w.Admin, object{"name": "x", "expiry": object{"kind": "never"}}), 404, "NOT_FOUND")
	w.admin(200, "PUT", "/accounts/points", object{
		"spendable": true, "expiry": object{"kind": "sliding_months", "count": 6}, "grace_days": 3, "shortage": "debt", "manual_limit": 1000,
	})
	require.Equal(t, "account.change", w.lastAudit().Action)
	require.Contains(t, string(w.lastAudit().Before), `"manual_limit":0`)
	require.Contains(t, string(w.lastAudit().After), `"manual_limit":1000`)

	alice, id := w.Member("alice")
	line := w.admin(201, "POST", "/members/"+str(id)+"/adjustments", object{"account": "points", "amount": 381, "memo": "x"}).Body
	require.Nil(t, line["request"])
	waits := w.admin(202, "POST", "/members/"+str(id)+"/adjustments", object{"account": "points", "amount": 1001, "memo": "too much"}).Body["request"].(object)
	require.Equal(t, "waiting", waits["state"])
	require.EqualValues(t, 381, w.Points(id))
	approve := "/admin/v1/grants/" + waits["id"].(string) + "/approve"
	w.refused(w.send("POST", approve, w.Admin, nil), 403, "FORBIDDEN")
	second := w.key("second", "admin")
	done := w.send("POST", approve, second, nil)
	require.Equal(t, 200, done.Status, done.Raw)
	require.EqualValues(t, 1382, w.Points(id))
	w.refused(w.send("POST", approve, second, nil), 409, "CONFLICT")
	undone := w.admin(201, "POST", "/entries/"+done.Body["entry_id"].(string)+"/undo", object{"memo": "a mistake"}).Body
	require.EqualValues(t, -1001, undone["delta"])
	w.refused(w.send("POST", "/admin/v1/entries/"+done.Body["entry_id"].(string)+"/undo", w.Admin, object{"memo": "again"}), 409, "CONFLICT")

	w.admin(200, "PUT", "/deduction", object{"enabled": true, "points": 100, "fen": 100, "max_percent": 50, "hold_minutes": 30})
	quote := w.send("GET", "/api/v1/deduction?amount_fen=6000", alice.Token, nil)
	require.Equal(t, 200, quote.Status, quote.Raw)
	require.EqualValues(t, 300, quote.Body["points"])
	no := w.admin(200, "GET", "/members/"+str(id), nil).Body["no"]
	order := func(key string, fen, points int64) answer {
		return w.send("POST", "/open/v1/holds", w.Admin, object{"member": object{"no": no}, "key": key, "order": "A1", "amount_fen": fen, "points": points})
	}
	require.EqualValues(t, 200, w.refused(order("k0", 500, 300), 409, "DEDUCTION_LIMIT")["limit"])
	require.EqualValues(t, 19, w.refused(order("k0", 6000, 400), 409, "INSUFFICIENT_POINTS")["short_by"])
	held := order("k1", 6000, 100)
	require.Equal(t, 201, held.Status, held.Raw)
	require.Equal(t, held.Body["id"], order("k1", 6000, 100).Body["id"])
	require.EqualValues(t, 281, w.Points(id))
	path := "/open/v1/holds/" + held.Body["id"].(string)
	require.Equal(t, "committed", w.send("POST", path+"/commit", w.Admin, nil).Body["state"])
	w.refused(w.send("POST", path+"/release", w.Admin, nil), 409, "CONFLICT")
	later := order("k2", 6000, 100)
	w.Advance(30 * time.Minute)
	require.Equal(t, "released", w.send("GET", "/open/v1/holds/"+later.Body["id"].(string), w.Admin, nil).Body["state"])
	require.EqualValues(t, 281, w.Points(id))

	w.admin(200, "PUT", "/conversions", object{"from": "growth", "to": "points", "units": 10, "amount": 1, "mode": "keep", "enabled": true})
	w.admin(201, "POST", "/members/"+str(id)+"/adjustments", object{"account": "growth", "amount": 105, "memo": "x"})
	offers := w.send("GET", "/api/v1/conversions", alice.Token, nil).Body["items"].([]any)
	require.EqualValues(t, 100, offers[0].(object)["max"])
	turned := w.send("POST", "/api/v1/conversions", alice.Token, object{"from": "growth", "to": "points"}, "Idempotency-Key", "c1")
	require.Equal(t, 201, turned.Status, turned.Raw)
	require.EqualValues(t, 10, turned.Body["amount"])
	require.Equal(t, 201, w.send("POST", "/api/v1/conversions", alice.Token, object{"from": "growth", "to": "points"}, "Idempotency-Key", "c1").Status)
	require.EqualValues(t, 291, w.Points(id), "a repeat converts nothing")
	w.refused(w.send("POST", "/api/v1/conversions", alice.Token, object{"from": "growth", "to": "points"}), 409, "INSUFFICIENT_POINTS")
	w.refused(w.send("POST", "/api/v1/conversions", alice.Token, object{"from": "nights", "to": "points"}), 404, "NOT_FOUND")

	report := w.admin(200, "GET", "/liability?account=points", nil).Body["accounts"].([]any)[0].(object)
	require.EqualValues(t, 291, report["outstanding"])
	require.EqualValues(t, 100, report["spent"])
	require.EqualValues(t, 1001, report["reversed"])
	w.refused(w.send("GET", "/admin/v1/liability?from=2020-01-01", w.Admin, nil), 400, "INVALID")
	rule := w.send("POST", "/admin/v1/conditions/preview", w.Admin, object{"condition": object{"leaf": "account", "account": "growth", "basis": "lifetime", "op": "gte", "value": 105}})
	require.NotEqual(t, 500, rule.Status)
	w.Verified()
}

// accounts calls every route of the ledger's own settings and reports once.
func (w *world) accounts(id int64) {
	w.admin(201, "POST", "/accounts", object{"code": "miles", "name": "里程", "expiry": object{"kind": "sliding_days", "count": 90}, "manual_limit": 5})
	w.admin(200, "PUT", "/accounts/miles", object{"name": "里程", "spendable": true, "expiry": object{"kind": "year_end"}, "manual_limit": 5})
	require.Contains(w.t, w.admin(200, "GET", "/accounts", nil).Raw, `"year_end"`)
	second := w.key("second", "admin")
	for _, end := range []string{"approve", "reject"} {
		asked := w.send("POST", "/admin/v1/members/"+str(id)+"/adjustments", second, object{"account": "miles", "amount": 6, "memo": "x"})
		require.Equal(w.t, 202, asked.Status, asked.Raw)
		decided := w.admin(200, "POST", "/grants/"+asked.Body["request"].(object)["id"].(string)+"/"+end, nil).Body
		if end == "approve" {
			w.admin(201, "POST", "/entries/"+decided["entry_id"].(string)+"/undo", object{"memo": "x"})
		}
	}
	require.Len(w.t, w.admin(200, "GET", "/grants?all=true", nil).items(), 2)
	w.admin(200, "PUT", "/deduction", object{"enabled": true, "points": 100, "fen": 100, "max_percent": 50, "hold_minutes": 30})
	w.admin(200, "GET", "/deduction", nil)
	w.admin(200, "PUT", "/conversions", object{"from": "growth", "to": "points", "units": 10, "amount": 1, "mode": "keep", "enabled": true})
	w.admin(200, "GET", "/conversions", nil)
	w.admin(200, "GET", "/liability", nil)
}
