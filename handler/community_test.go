package handler_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/wechat/sandbox/phone"
)

// community is an operator's day with the groups; alice takes part.
func (w *world) community(alice *phone.Person) {
	w.t.Helper()
	made := w.admin(201, "POST", "/groups", object{"name": "一群"})
	id, _ := made.Body["id"].(string)
	require.Len(w.t, made.Body["bind_code"], 26)
	w.refused(w.admin(409, "POST", "/groups", object{"name": "一群"}), 409, "CONFLICT")
	require.Equal(w.t, "妆群", w.admin(200, "PUT", "/groups/"+id, object{"name": "妆群"}).Body["name"])
	days := object{"days": []object{{"day": "2026-11-23", "topic": "护肤", "word": "草莓好吃"}, {"day": "2026-11-24"}}}
	require.Len(w.t, w.admin(200, "PUT", "/groups/"+id+"/days", days).items(), 2)
	require.Equal(w.t, "days[0].day", w.refused(w.admin(400, "PUT", "/groups/"+id+"/days", object{"days": []object{{"day": "soon"}}}), 400, "INVALID")["field"])
	planned := w.admin(200, "GET", "/groups/"+id+"/days?days=3", nil).items()
	require.Equal(w.t, []any{"草莓好吃", false, true}, []any{planned[0]["word"], planned[0]["generated"], planned[2]["generated"]})
	require.Equal(w.t, 200, w.as(alice, "POST", "/groups/word", object{"word": "草莓好吃"}).Status)
	require.Equal(w.t, "word", w.admin(200, "GET", "/groups/"+id+"/members", nil).items()[0]["via"])
	require.EqualValues(w.t, 1, w.admin(200, "GET", "/groups/"+id+"/ranking?day=2026-11-23", nil).items()[0]["score"])
	require.EqualValues(w.t, 1, w.admin(200, "GET", "/groups/"+id, nil).Body["members"])
	require.Len(w.t, w.admin(200, "GET", "/groups", nil).items(), 1)
}

// entered is what wx.getGroupEnterInfo gives a person in a chat.
func (w *world) entered(p *phone.Person, chat string) object {
	w.t.Helper()
	out := object{}
	require.NoError(w.t, w.Call(w.t.Context(), "POST", "/sandbox/api/users/"+p.ID+"/group", "", object{"group": chat}, &out))
	return out
}

func TestGroups(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.id("/rules", object{"code": "group", "name": "社群互动", "trigger": "community.interacted", "definition": object{
		"grants": []object{{"kind": "fixed", "account": "points", "amount": 3}}, "caps": []object{{"period": "day", "times": 1}},
	}})
	made := w.admin(201, "POST", "/groups", object{"name": "一群"}).Body
	id, _ := made["id"].(string)
	alice, _ := w.Member("alice")
	bob, _ := w.Member("bob")
	carol, _ := w.Member("carol")
	require.Empty(t, w.as(alice, "GET", "/groups", nil).items())
	w.refused(w.as(alice, "GET", "/groups/"+id+"/ranking", nil), 404, "NOT_FOUND")

	proof := w.entered(alice, "妆一")
	w.refused(w.as(alice, "POST", "/groups/enter", proof), 404, "NOT_FOUND")
	proof["bind"] = made["bind_code"]
	first := w.as(alice, "POST", "/groups/enter", proof, "Idempotency-Key", "e")
	require.Equal(t, 200, first.Status, first.Raw)
	require.Equal(t, "+3 积分", first.Body["grants"].([]any)[0].(object)["text"])
	require.JSONEq(t, first.Raw, w.as(alice, "POST", "/groups/enter", proof, "Idempotency-Key", "e").Raw)
	require.Equal(t, false, w.as(alice, "POST", "/groups/enter", w.entered(alice, "妆一")).Body["new"])
	require.Equal(t, "encrypted_data", w.refused(w.as(bob, "POST", "/groups/enter", w.entered(alice, "妆一")), 400, "INVALID")["field"], "sealed for alice")
	for _, p := range []*phone.Person{bob, carol} {
		require.Equal(t, 200, w.as(p, "POST", "/groups/enter", w.entered(p, "妆一")).Status)
	}

	for left := 4; left >= 0; left-- {
		require.EqualValues(t, left, w.refused(w.as(bob, "POST", "/groups/word", object{"word": "NO SUCH"}), 409, "WRONG_WORD")["left"])
	}
	word := w.admin(200, "GET", "/groups/"+id, nil).Body["today"].(object)["word"]
	require.EqualValues(t, 15*3600+1, w.refused(w.as(bob, "POST", "/groups/word", object{"word": word}), 429, "RATE_LIMITED")["retry_after"])
	require.Equal(t, true, w.as(carol, "POST", "/groups/word", object{"word": word}).Body["new"])
	mine := w.as(carol, "GET", "/groups", nil).items()[0]
	require.Equal(t, []any{"enter", "word"}, mine["done"])

	var lines []string
	cursor := ""
	for {
		page := w.as(alice, "GET", "/groups/"+id+"/ranking?limit=1"+cursor, nil)
		require.Equal(t, 200, page.Status, page.Raw)
		require.EqualValues(t, 2, page.Body["me"].(object)["place"], "on every page")
		for _, r := range page.items() {
			lines = append(lines, fmt.Sprint(r["place"], r["nickname"], r["score"], r["me"]))
			require.Len(t, r["no"], 8, "the number is hidden but for its end")
		}
		next, ok := page.Body["next_cursor"].(string)
		if !ok {
			break
		}
		cursor = "&cursor=" + next
	}
	require.Equal(t, []string{"1carol2 false", "2alice1 true", "3bob1 false"}, lines)
	w.refused(w.as(alice, "GET", "/groups/"+id+"/ranking?cursor=x", nil), 400, "INVALID")
	w.refused(w.as(alice, "GET", "/groups/"+id+"/ranking?by=looks", nil), 400, "INVALID")
	w.Verified()
}
