package handler_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/wechat/sandbox/phone"
	"github.com/siyu-scrm/siyu/handler/web"
)

// as calls the member API as a person.
func (w *world) as(p *phone.Person, method, path string, body any, headers ...string) answer {
	w.t.Helper()
	return w.send(method, "/api/v1"+path, p.Token, body, headers...)
}

func (w *world) loginCode(p *phone.Person) string {
	w.t.Helper()
	var out struct{ Code string }
	require.NoError(w.t, w.Call(w.t.Context(), "POST", "/sandbox/api/users/"+p.ID+"/login", "", object{"account": "mp"}, &out))
	return out.Code
}

func TestSession(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.id("/rules", object{"code": "register", "name": "注册", "trigger": "member.registered", "definition": object{
		"grants": []object{{"kind": "fixed", "account": "points", "amount": 50}},
	}})
	p := w.Person("alice")
	code := w.loginCode(p)

	login := w.send("POST", "/api/v1/login", "", object{"code": code})
	require.Equal(t, 200, login.Status, login.Raw)
	require.Nil(t, login.Body["member"])
	require.Contains(t, login.Body, "member", "null, not absent")
	require.Equal(t, []any{"phone"}, login.Body["missing"])
	require.Equal(t, "2026-11-23T09:00:00+08:00", login.Body["server_time"])
	require.Equal(t, "2026-11-30T09:00:00+08:00", login.Body["expires_at"])
	p.Token, _ = login.Body["token"].(string)
	require.Equal(t, "code", w.refused(w.send("POST", "/api/v1/login", "", object{"code": code}), 400, "INVALID")["field"], "a code is used up")

	// Who has not registered may look, and not take part.
	for _, path := range []string{"/me", "/points", "/points/entries", "/checkins", "/quizzes", "/home"} {
		require.Equal(t, 200, w.as(p, "GET", path, nil).Status, path)
	}
	require.Equal(t, false, w.as(p, "GET", "/me", nil).Body["registered"])
	require.Equal(t, 200, w.as(p, "PUT", "/profile", object{"nickname": "小林"}).Status)
	require.Equal(t, 200, w.as(p, "PUT", "/preferences", object{"location": true}).Status)
	w.refused(w.as(p, "POST", "/checkins", nil), 403, "NOT_MEMBER")

	first := w.as(p, "POST", "/register", object{"gender": "female", "birthday": "2000-02-29", "privacy_version": "1"}, "Idempotency-Key", "r1")
	require.Equal(t, 201, first.Status, first.Raw)
	grants, _ := first.Body["grants"].([]any)
	require.Len(t, grants, 1)
	require.Equal(t, "+50 积分", grants[0].(object)["text"])
	member, _ := first.Body["member"].(object)
	require.Equal(t, "小林", member["nickname"])
	require.Equal(t, "2000-02-29", member["birthday"])

	again := w.as(p, "POST", "/register", object{"gender": "female", "birthday": "2000-02-29", "privacy_version": "1"}, "Idempotency-Key", "r1")
	require.Equal(t, 201, again.Status, "a repeat gets the first answer")
	require.JSONEq(t, first.Raw, again.Raw)
	w.refused(w.as(p, "POST", "/register", object{"gender": "male"}, "Idempotency-Key", "r1"), 409, "CONFLICT")
	second := w.as(p, "POST", "/register", nil)
	require.Equal(t, 200, second.Status)
	require.Empty(t, second.Body["grants"])

	known := w.send("POST", "/api/v1/login", "", object{"account": "mp", "code": w.loginCode(p)})
	require.Equal(t, member["id"], known.Body["member"].(object)["id"])

	w.Advance(web.TokenTTL - time.Second)
	require.Equal(t, 200, w.as(p, "GET", "/me", nil).Status)
	w.Advance(time.Second)
	w.refused(w.as(p, "GET", "/me", nil), 401, "TOKEN_EXPIRED")
}

func TestRegisteringWithAPhone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.Person("alice")
	_, err := p.Login(t.Context())
	require.NoError(t, err)
	var code struct{ Code string }
	require.NoError(t, w.Call(t.Context(), "POST", "/sandbox/api/users/"+p.ID+"/phone", "", object{"account": "mp", "number": "13800000000"}, &code))
	body := object{"phone_code": code.Code}
	first := w.as(p, "POST", "/register", body, "Idempotency-Key", "k")
	require.Equal(t, 201, first.Status, first.Raw)
	require.Equal(t, "138****0000", first.Body["member"].(object)["phone"])
	require.Empty(t, first.Body["missing"])
	require.Equal(t, 201, w.as(p, "POST", "/register", body, "Idempotency-Key", "k").Status, "the repeat does not use the code again")

	require.Len(t, w.admin(200, "GET", "/members?search=13800000000", nil).items(), 1, "found by the whole number")
	require.NotContains(t, w.admin(200, "GET", "/members", nil).Raw, "13800000000")
}

func TestCheckinsAndPoints(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	body := rule("checkin", 5)
	body["definition"].(object)["grants"] = []object{
		{"kind": "fixed", "account": "points", "amount": 5}, {"kind": "streak", "account": "points", "table": []object{{"days": 7, "amount": 20}}},
	}
	w.id("/rules", body)
	alice, _ := w.Member("alice")
	bob, _ := w.Member("bob")

	a := w.as(alice, "POST", "/checkins", nil)
	require.Equal(t, 201, a.Status, a.Raw)
	require.EqualValues(t, 1, a.Body["streak"])
	require.Equal(t, []any{"2026-11-23"}, a.Body["calendar"].(object)["days"])
	require.Equal(t, object{"days": 6.0, "amount": 20.0}, a.Body["next"])
	require.Len(t, a.Body["tomorrow"], 1)
	details := w.refused(w.as(alice, "POST", "/checkins", nil), 409, "ALREADY_CHECKED_IN")
	require.Equal(t, "2026-11-24T00:00:00+08:00", details["opens_at"])

	points := w.as(alice, "GET", "/points", nil).Body
	require.EqualValues(t, 5, points["balance"])
	require.Len(t, points["accounts"], 3)
	entries := w.as(alice, "GET", "/points/entries?account=points", nil).items()
	require.Len(t, entries, 1)
	require.Equal(t, "签到", entries[0]["reason"])
	require.Equal(t, "checkin", entries[0]["rule"].(object)["name"])
	require.Empty(t, w.as(bob, "GET", "/points/entries", nil).items(), "another's lines are not his")
	month := w.as(alice, "GET", "/checkins?month=2026-11", nil).Body
	require.Equal(t, true, month["done"])
	require.Equal(t, "month", w.refused(w.as(alice, "GET", "/checkins?month=2026-13", nil), 400, "INVALID")["field"])

	for range 3 {
		w.Advance(24 * time.Hour)
		require.Equal(t, 201, w.as(alice, "POST", "/checkins", nil).Status)
	}
	first := w.as(alice, "GET", "/points/entries?limit=3", nil)
	require.Len(t, first.items(), 3)
	rest := w.as(alice, "GET", "/points/entries?limit=3&cursor="+first.Body["next_cursor"].(string), nil)
	require.Len(t, rest.items(), 1)
	require.NotContains(t, rest.Body, "next_cursor")
	require.EqualValues(t, 20, w.as(alice, "GET", "/home", nil).Body["balance"])
	w.Verified()
}

func TestQuizzes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.id("/quizzes", object{
		"question": "?", "opens_at": "2026-11-23T09:00:00+08:00", "closes_at": "2026-11-23T10:00:00+08:00", "explanation": "because",
		"options": []object{{"text": "莓果复合物", "correct": true}, {"text": "天然果油"}},
	})
	alice, _ := w.Member("alice")
	open := w.as(alice, "GET", "/quizzes", nil)
	require.NotContains(t, open.Raw, "correct", "what is right is not told before the answer")
	require.EqualValues(t, 3600, open.items()[0]["seconds_left"])
	require.EqualValues(t, 1, open.items()[0]["tries_left"])
	require.Equal(t, "answer", w.refused(w.as(alice, "POST", "/quizzes/"+id+"/answers", object{"answer": "C"}), 400, "INVALID")["field"])
	a := w.as(alice, "POST", "/quizzes/"+id+"/answers", object{"answer": " ａ "})
	require.Equal(t, 201, a.Status, a.Raw)
	require.Equal(t, true, a.Body["correct"])
	require.Equal(t, "because", a.Body["explanation"])
	w.refused(w.as(alice, "POST", "/quizzes/"+id+"/answers", object{"answer": "A"}), 409, "ALREADY_ANSWERED")
	require.Equal(t, "A", w.as(alice, "GET", "/quizzes", nil).items()[0]["answered"].(object)["letter"])
	w.refused(w.as(alice, "POST", "/quizzes/999/answers", object{"answer": "A"}), 404, "NOT_FOUND")
	w.Advance(time.Hour)
	bob, _ := w.Member("bob")
	w.refused(w.as(bob, "POST", "/quizzes/"+id+"/answers", object{"answer": "A"}), 409, "QUIZ_CLOSED")
	require.Empty(t, w.as(bob, "GET", "/quizzes", nil).items())
}

func TestForms(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	form := w.admin(201, "POST", "/forms", object{
		"title": "调研", "opens_at": "2026-11-23T09:00:00+08:00", "closes_at": "2026-11-23T10:00:00+08:00", "editable": true, "show_results": true,
		"prize": "points", "points": 30, "stock": 1,
		"questions": []object{{"kind": "multi", "text": "味道?", "required": true, "options": []object{{"text": "草莓"}, {"text": "柠檬"}}}, {"kind": "rating", "text": "满意?"}, {"kind": "text", "text": "还有?"}},
	}).Body
	id := form["id"].(string)
	alice, _ := w.Member("alice")
	home := w.as(alice, "GET", "/home", nil).Body["forms"].([]any)
	require.Equal(t, w.as(alice, "GET", "/forms", nil).items()[0], home[0])
	require.EqualValues(t, 3600, home[0].(object)["seconds_left"])
	page := w.as(alice, "GET", "/forms/"+id, nil).Body
	require.Nil(t, page["answer"])
	require.Equal(t, object{"kind": "points", "text": "+30 积分", "left": 1.0}, page["prize"])
	question := func(i int) object { return page["questions"].([]any)[i].(object) }
	lemon := question(0)["options"].([]any)[1].(object)["id"]
	replies := func(mark int) object {
		return object{"answers": []object{{"question_id": question(0)["id"], "options": []any{lemon}}, {"question_id": question(1)["id"], "rating": mark}, {"question_id": question(2)["id"], "text": "好"}}}
	}
	details := w.refused(w.as(alice, "POST", "/forms/"+id+"/answers", replies(6)), 400, "INVALID")
	require.Equal(t, []any{"answers[1].rating", question(1)["id"], "满意?"}, []any{details["field"], details["question_id"], details["question"]})
	first := w.as(alice, "POST", "/forms/"+id+"/answers", replies(4), "Idempotency-Key", "k")
	require.Equal(t, 201, first.Status, first.Raw)
	require.Equal(t, "奖品已发放", first.Body["answer"].(object)["says"])
	require.Equal(t, "+30 积分", first.Body["grants"].([]any)[0].(object)["text"])
	require.JSONEq(t, first.Raw, w.as(alice, "POST", "/forms/"+id+"/answers", replies(4), "Idempotency-Key", "k").Raw)
	w.refused(w.as(alice, "POST", "/forms/"+id+"/answers", replies(5), "Idempotency-Key", "k"), 409, "CONFLICT")
	edited := w.as(alice, "POST", "/forms/"+id+"/answers", replies(5)).Body
	require.Equal(t, true, edited["edited"])
	require.Empty(t, edited["grants"])
	page = w.as(alice, "GET", "/forms/"+id, nil).Body
	require.Equal(t, replies(5)["answers"].([]object)[1]["question_id"], page["answer"].(object)["answers"].([]any)[1].(object)["question_id"])
	require.Equal(t, []any{object{"question_id": question(0)["id"], "options": []any{lemon}}, object{"question_id": question(1)["id"], "rating": 5.0}, object{"question_id": question(2)["id"], "text": "好"}}, page["answer"].(object)["answers"])
	results := w.as(alice, "GET", "/forms/"+id+"/results", nil)
	require.EqualValues(t, 5, results.Body["questions"].([]any)[1].(object)["mean"])
	require.NotContains(t, results.Raw, "好", "nobody reads what others wrote")

	bob, _ := w.Member("bob")
	w.refused(w.as(bob, "GET", "/forms/"+id+"/results", nil), 403, "FORBIDDEN")
	gone := w.as(bob, "POST", "/forms/"+id+"/answers", replies(1)).Body
	require.Equal(t, []any{"gone", "奖品已发完,感谢您的填写"}, []any{gone["answer"].(object)["prize"], gone["answer"].(object)["says"]})
	guest := w.Person("guest")
	_, err := guest.Login(t.Context())
	require.NoError(t, err)
	w.refused(w.as(guest, "POST", "/forms/"+id+"/answers", replies(1)), 403, "NOT_MEMBER")
	w.Advance(time.Hour)
	require.Equal(t, "2026-11-23T10:00:00+08:00", w.refused(w.as(bob, "POST", "/forms/"+id+"/answers", replies(1)), 409, "WINDOW_CLOSED")["closed_at"])
	require.Equal(t, 200, w.as(bob, "GET", "/forms/"+id, nil).Status)
	require.Empty(t, w.as(bob, "GET", "/forms", nil).items())
}

func TestTokensOfBothLeadToTheSurvivor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	alice, aliceID := w.Member("alice")
	bob, bobID := w.Member("bob")
	w.admin(200, "POST", "/members/"+str(bobID)+"/merge", object{"other_id": str(aliceID)})
	for _, p := range []*phone.Person{alice, bob} {
		require.Equal(t, str(aliceID), w.as(p, "GET", "/me", nil).Body["member"].(object)["id"])
	}
	require.Equal(t, 201, w.as(bob, "POST", "/checkins", nil).Status)
	w.refused(w.as(alice, "POST", "/checkins", nil), 409, "ALREADY_CHECKED_IN")
}

func TestARaisedTokenVersionEndsAllTokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	alice, id := w.Member("alice")
	require.NoError(t, w.DB.Tx(t.Context(), func(_ context.Context, tx *gorm.DB) error {
		return tx.Exec("UPDATE members SET token_version = token_version + 1 WHERE id = ?", id).Error
	}))
	w.refused(w.as(alice, "GET", "/me", nil), 401, "TOKEN_EXPIRED")
	_, err := alice.Login(t.Context())
	require.NoError(t, err)
	require.Equal(t, 200, w.as(alice, "GET", "/me", nil).Status)
}
