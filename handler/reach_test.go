package handler_test

import (
	"encoding/base64"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// phones is what may reach members at their phone numbers.
func (w *world) phones(memberID int64) {
	path := fmt.Sprintf("/members/%d/consents", memberID)
	w.refused(w.admin(400, "POST", path, object{"kind": "sms", "given": true}), 400, "INVALID")
	c := w.admin(201, "POST", path, object{"kind": "sms", "given": true, "evidence": "form 17"})
	require.Equal(w.t, "admin", c.Body["source"])
	r := w.admin(200, "GET", fmt.Sprintf("/members/%d/reach", memberID), nil).Body
	require.Len(w.t, r["consents"], 1)
	require.Len(w.t, r["ledger"], 1)
	require.EqualValues(w.t, 4, r["monthly_mass"].(object)["limit"])
}

func aliceMessage(w *world) string {
	alice, _ := w.Member("alice")
	id := w.id("/broadcasts", object{"name": "b", "condition": object{"leaf": "member", "field": "joined", "value": true}, "message": object{"text": "x", "channels": []string{"inbox"}}})
	n := w.admin(409, "POST", "/broadcasts/"+id+"/run", object{}).Body["error"].(object)["details"].(object)["audience"]
	w.admin(201, "POST", "/broadcasts/"+id+"/run", object{"confirm": n})
	w.Settle()
	items := w.as(alice, "GET", "/inbox", nil).items()
	require.Len(w.t, items, 1)
	name, _ := items[0]["id"].(string)
	return name
}

// recalls is bringing back past customers.
func (w *world) recalls() {
	file := base64.StdEncoding.EncodeToString([]byte("phone,consent\n13877770001,yes\n13877770002,\n13877770001,yes\nnone,yes\n"))
	in, _ := w.admin(201, "POST", "/customers/imports", object{"name": "old.csv", "data": file}).Body["id"].(string)
	w.Settle()
	body := object{"name": "r", "import_id": in, "days": 3, "sms": object{"text": "回来吧"}}
	id := w.id("/recalls", body)
	body["import_id"] = "999"
	w.refused(w.admin(404, "POST", "/recalls", body), 404, "NOT_FOUND")
	body["import_id"], body["call"] = in, object{"text": "回来吧"}
	w.refused(w.admin(400, "POST", "/recalls", body), 400, "INVALID") // the day of the call is missing
	w.admin(201, "POST", "/recalls/"+id+"/run", nil)
	w.refused(w.admin(409, "POST", "/recalls/"+id+"/run", nil), 409, "DUPLICATE")
	w.Settle()
	require.Len(w.t, w.admin(200, "GET", "/recalls", nil).items(), 1)
	f := w.admin(200, "GET", "/recalls/"+id, nil).Body
	require.EqualValues(w.t, 4, f["lines"])
	require.EqualValues(w.t, 1, f["reached"])
	require.Len(w.t, w.admin(200, "GET", "/recalls/"+id+"/skipped", nil).items(), 3)
	require.Len(w.t, w.admin(200, "GET", "/recalls/"+id+"/skipped?reason=DUPLICATE", nil).items(), 1)
	require.Empty(w.t, w.admin(200, "GET", "/recalls/"+id+"/recalled", nil).items())
}

// Whatever saves a message refuses an account that is not there, or that is of the other kind, at its path.
func TestSenders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	message := func(oa, mp string) object {
		return object{"text": "你好", "account": oa, "channels": []string{"customer", "subscribe"}, "subscribe": object{
			"account": mp, "template_id": "TPL_ACTIVITY", "data": object{"thing1": "a", "thing2": "b", "time3": "2026-11-25 10:00"},
		}}
	}
	for name, form := range map[string]struct {
		path, at string
		body     func(m object) object
	}{
		"broadcast": {"/broadcasts", "", func(m object) object { return object{"name": "x", "message": m} }},
		"trial": {"/broadcasts", "trial.variants[0].", func(m object) object {
			return object{"name": "x", "message": message("", ""), "trial": object{"variants": []object{{"share": 50, "message": m}}}}
		}},
		"reminder": {"/reminders", "", func(m object) object {
			return object{"name": "x", "kind": "spend", "cron": "0 10 * * *", "account": "points", "at_least": 1, "message": m}
		}},
		"SOP": {"/sops", "steps[0].send.", func(m object) object {
			return object{"name": "x", "entry": object{"event": "checkin.done"}, "steps": []object{{"key": "a", "send": object{"message": m}}}}
		}},
	} {
		for at, m := range map[string]object{
			"message.account": message("away", ""), "message.subscribe.account": message("oa", "away"),
		} {
			res := w.admin(400, "POST", form.path, form.body(m))
			w.refused(res, 400, "INVALID")
			require.Equal(t, form.at+at, res.Body["error"].(object)["details"].(object)["field"], "%s: %s", name, res.Raw)
		}
		w.refused(w.admin(400, "POST", form.path, form.body(message("mp", ""))), 400, "INVALID")
		w.refused(w.admin(400, "POST", form.path, form.body(message("", "oa"))), 400, "INVALID")
		w.admin(201, "POST", form.path, form.body(message("oa", "mp")))
	}
}
