package handler_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/config"
)

// An operator's whole day by the admin API: every one of its routes answers well at least once.
func TestAdmin(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *config.Config) { c.Webhook.AllowPrivate = true })
	tagID := w.tagsByHand()
	channelID := w.channels(tagID)
	ruleID := w.rules()
	w.quizzes(tagID)
	w.replies()

	alice, aliceID := w.Member("alice")
	w.Act(alice, "scan", object{"scene": "tram"})
	w.Advance(0)
	require.Equal(t, 201, w.as(alice, "POST", "/checkins", nil).Status)
	w.oneMember(aliceID, tagID, ruleID, channelID)
	w.community(alice)
	w.content()
	w.radar()
	w.broadcasts(aliceID, tagID)
	w.sops()
	w.menus(aliceID, tagID)
	w.rest()
	w.followersBefore()
	w.taskEntries(ruleID)
	w.admin(200, "GET", "/checkins/settings", nil)
	w.admin(200, "PUT", "/checkins/settings", object{"makeup_limit": 3, "makeup_reach": 7, "makeup_price": 10})
	w.people()
	w.tellings(aliceID)
	w.audiences(aliceID)
	_, bobID := w.Member("bob of the orders")
	w.orders(alice, bobID)
	w.accounts(aliceID)
	w.phones(aliceID)
	w.recalls()
	carol, carolID := w.Member("carol")
	w.explained(aliceID, carolID)
	w.capSets()
	w.works()
	w.tiers(carolID)
	w.coupons(carolID)
	w.mall(carol, carolID)
	w.forms(tagID)

	for _, o := range w.operations() {
		if key := o.method + " " + o.path; strings.HasPrefix(o.path, "/admin/v1/") && key != "POST /admin/v1/inbox/{id}/replay" {
			require.True(t, w.seen[key], "%s has no happy path here", key)
		}
	}
	w.Verified()
}

// ladders are RFM, the value pyramid, and tags that are tidied up.
func (w *world) ladders(tagID, group string) {
	w.refused(w.admin(404, "GET", "/rfm", nil), 404, "NOT_FOUND")
	bands := object{
		"window_days": 365, "recency": []object{{"name": "near", "from": 0}, {"name": "far", "from": 31}},
		"frequency": []object{{"name": "once", "from": 1}}, "money": []object{{"name": "little", "from": 0}},
	}
	w.admin(200, "PUT", "/rfm", bands)
	require.EqualValues(w.t, 365, w.admin(200, "GET", "/rfm", nil).Body["window_days"])
	bands["recency"] = []object{{"name": "near", "from": 0}, {"name": "far", "from": 0}}
	w.refused(w.admin(400, "PUT", "/rfm", bands), 400, "INVALID")
	require.Empty(w.t, w.admin(200, "GET", "/rfm/matrix", nil).items())
	require.Empty(w.t, w.admin(200, "GET", "/rfm/moves?week=2026-11-23", nil).items())
	w.refused(w.admin(400, "GET", "/rfm/moves?week=soon", nil), 400, "INVALID")
	layers := object{"layers": []object{{"name": "all", "condition": object{"leaf": "member", "field": "joined_days", "op": "gte", "value": 50000}}}}
	w.admin(200, "PUT", "/pyramid", layers)
	require.Len(w.t, w.admin(200, "GET", "/pyramid", nil).items(), 1)
	w.admin(200, "GET", "/pyramid/flow", nil)
	twin := w.id("/tags", object{"group_id": group, "name": "敏 感肌"})
	require.Len(w.t, w.admin(200, "GET", "/tags/hygiene", nil).Body["duplicates"], 1)
	w.refused(w.admin(400, "POST", "/tags/"+twin+"/merge", object{"into": twin}), 400, "INVALID")
	require.Equal(w.t, "tag.merge", w.admin(201, "POST", "/tags/"+twin+"/merge", object{"into": tagID}).Body["kind"])
	w.Advance(0)
	w.refused(w.admin(404, "POST", "/tags/"+twin+"/merge", object{"into": tagID}), 404, "NOT_FOUND")
}

func (w *world) tagsByHand() (tagID string) {
	require.Len(w.t, w.admin(200, "GET", "/tag-groups", nil).items(), 6)
	group := w.id("/tag-groups", object{"code": "skin", "name": "肤质", "exclusive": true})
	w.refused(w.admin(409, "POST", "/tag-groups", object{"code": "skin", "name": "x"}), 409, "CONFLICT")
	tagID = w.id("/tags", object{"group_id": group, "name": "敏感肌"})
	require.Contains(w.t, w.admin(200, "GET", "/tags", nil).Raw, `"group":"肤质","name":"敏感肌","holders":0`)

	body := object{"tag_id": tagID, "name": "敏感肌", "condition": object{"leaf": "event.text", "contains_any": []string{"敏感肌"}, "excludes": []string{"不是敏感肌"}}}
	made := w.admin(201, "POST", "/auto-tags", body)
	require.Equal(w.t, true, made.Body["on_event"])
	require.Contains(w.t, made.Body["sentence"], "敏感肌")
	body["enabled"] = false
	id, _ := made.Body["id"].(string)
	require.Equal(w.t, false, w.admin(200, "PUT", "/auto-tags/"+id, body).Body["enabled"])
	w.refused(w.admin(404, "PUT", "/auto-tags/999", body), 404, "NOT_FOUND")
	require.Len(w.t, w.admin(200, "GET", "/auto-tags", nil).items(), 1)
	require.EqualValues(w.t, 0, w.admin(200, "POST", "/auto-tags/preview", object{"condition": object{"leaf": "tag", "tag_id": tagID}}).Body["members"])
	w.refused(w.admin(400, "POST", "/auto-tags/preview", object{"condition": object{"leaf": "orders", "measure": "days", "op": "gte", "value": 1, "window": "7d"}}), 400, "INVALID")
	w.ladders(tagID, group)
	return tagID
}

func (w *world) channels(tagID string) (id string) {
	id = w.id("/channels", object{"code": "tram", "name": "电车", "welcome": "hi", "tag_id": tagID})
	changed := w.admin(200, "PUT", "/channels/"+id, object{"name": "电车广告", "welcome": "你好", "tag_id": tagID})
	require.Equal(w.t, "tram", changed.Body["code"], "the scene is printed: it stays")
	qr := w.admin(200, "GET", "/channels/"+id+"/qrcode", nil).Body
	require.NotEmpty(w.t, qr["url"])
	require.True(w.t, strings.HasPrefix(qr["png"].(string), "data:image/png;base64,iVBOR"))
	w.refused(w.admin(404, "GET", "/channels/999/qrcode", nil), 404, "NOT_FOUND")
	require.Len(w.t, w.admin(200, "GET", "/channels/"+id+"/days?from=2026-11-01&to=2026-11-30", nil).items(), 30)
	w.refused(w.admin(404, "GET", "/channels/999/days", nil), 404, "NOT_FOUND")
	w.refused(w.send("GET", "/admin/v1/channels/"+id+"/days?from=2020-01-01", w.Admin, nil), 400, "INVALID")
	return id
}

func (w *world) rules() (id string) {
	body := rule("checkin", 5)
	id = w.id("/rules", body)
	got := w.admin(200, "GET", "/rules/"+id, nil).Body
	require.Equal(w.t, "签到", got["trigger_name"])
	require.NotEmpty(w.t, got["sentence"])
	body["name"] = "每日签到"
	require.EqualValues(w.t, 2, w.admin(200, "PUT", "/rules/"+id, body).Body["version"])
	rules := w.admin(200, "GET", "/rules", nil).items()
	require.Equal(w.t, "每日签到", rules[len(rules)-1]["name"])
	w.refused(w.admin(409, "POST", "/rules", body), 409, "CONFLICT")
	return id
}

func (w *world) quizzes(tagID string) {
	body := object{
		"question": "?", "opens_at": "2026-11-23T12:00:00+08:00", "closes_at": "2026-11-23T20:00:00+08:00",
		"options": []object{{"text": "a", "correct": true, "tag_id": tagID}, {"text": "b"}},
	}
	id := w.id("/quizzes", body)
	body["attempts"] = 2
	require.EqualValues(w.t, 2, w.admin(200, "PUT", "/quizzes/"+id, body).Body["attempts"])
	require.Equal(w.t, tagID, w.admin(200, "GET", "/quizzes/"+id, nil).Body["options"].([]any)[0].(object)["tag_id"])
	require.Len(w.t, w.admin(200, "GET", "/quizzes", nil).items(), 1)
}

func (w *world) forms(tagID string) {
	body := object{
		"title": "调研", "opens_at": "2026-11-23T09:00:00+08:00", "closes_at": "2026-11-23T20:00:00+08:00", "prize": "points", "points": 3, "stock": 1,
		"questions": []object{
			{"kind": "single", "text": "肤质?", "options": []object{{"text": "油", "tag_id": tagID}, {"text": "干"}}}, {"kind": "text", "text": "还有?"},
		},
	}
	id := w.id("/forms", body)
	form := w.admin(200, "GET", "/forms/"+id, nil).Body
	question := form["questions"].([]any)[0].(object)
	require.Equal(w.t, tagID, question["options"].([]any)[0].(object)["tag_id"])
	body["questions"].([]object)[0]["id"] = question["id"]
	require.Equal(w.t, question["id"], w.admin(200, "PUT", "/forms/"+id, body).Body["questions"].([]any)[0].(object)["id"])
	form = w.admin(200, "GET", "/forms", nil).items()[0]
	words := form["questions"].([]any)[1].(object)["id"].(string)
	dora, doraID := w.Member("=dora")
	require.Equal(w.t, 201, w.as(dora, "POST", "/forms/"+id+"/answers", object{"answers": []object{{"question_id": words, "text": "好"}}}).Status)
	require.EqualValues(w.t, 3, w.Points(doraID))
	form = w.admin(200, "GET", "/forms/"+id, nil).Body
	require.Equal(w.t, []any{1.0, 1.0, 0.0, true}, []any{form["answers"], form["taken"], form["left"], form["fixed"]})
	require.EqualValues(w.t, 1, w.admin(200, "GET", "/forms/"+id+"/results?by=tag&id="+tagID, nil).Body["segments"].([]any)[1].(object)["answers"])
	require.Equal(w.t, "好", w.admin(200, "GET", "/forms/"+id+"/words?question_id="+words, nil).items()[0]["text"])
	require.Contains(w.t, w.admin(200, "GET", "/forms/"+id+"/export", nil).Raw, "'=dora,,2026-11-23 09:01:00,,,好\n")
	require.Equal(w.t, "form.export", w.lastAudit().Action)
}

func (w *world) oneMember(id int64, tagID, ruleID, channelID string) {
	w.t.Helper()
	at := "/members/" + str(id)
	facts := w.admin(200, "GET", at, nil).Body
	require.Equal(w.t, true, facts["follower"])
	require.Equal(w.t, channelID, facts["first_channel"])
	require.Len(w.t, facts["identities"], 2)
	held := facts["tags"].([]any)[0].(object)
	require.Equal(w.t, "channel", held["causes"].([]any)[0].(object)["cause"])
	require.Equal(w.t, true, facts["checkin"].(object)["today"])
	for list, path := range map[string]string{"entries": "/entries", "events": "/events", "deliveries": "/deliveries", "coupons": "/coupons"} {
		require.Equal(w.t, w.admin(200, "GET", at+path, nil).Body["items"], facts[list], "one call has the first page of each")
	}
	require.Len(w.t, facts["entries"], 1)
	require.Empty(w.t, facts["risks"])
	require.Empty(w.t, facts["past"])
	require.Equal(w.t, object{"recency": "", "frequency": "", "money": "", "pyramid": ""}, facts["rfm"])

	entry := w.admin(200, "GET", at+"/entries", nil).items()[0]
	require.Equal(w.t, ruleID, entry["rule_id"])
	require.Equal(w.t, "每日签到", entry["rule"])
	events := w.admin(200, "GET", at+"/events?limit=2", nil)
	require.Len(w.t, events.items(), 2)
	require.NotEmpty(w.t, w.admin(200, "GET", at+"/events?limit=2&cursor="+events.Body["next_cursor"].(string), nil).items())

	body := object{"account": "points", "amount": 100, "memo": "a gift"}
	given := w.admin(201, "POST", at+"/adjustments", body, "Idempotency-Key", "gift")
	require.JSONEq(w.t, given.Raw, w.admin(201, "POST", at+"/adjustments", body, "Idempotency-Key", "gift").Raw)
	require.EqualValues(w.t, 105, w.Points(id), "given once")
	require.Equal(w.t, "a gift", given.Body["memo"])
	w.admin(201, "POST", at+"/adjustments", object{"account": "points", "amount": -5, "memo": "taken back"})
	short := w.refused(w.admin(409, "POST", at+"/adjustments", object{"account": "points", "amount": -500, "memo": "too much"}), 409, "INSUFFICIENT_POINTS")
	require.EqualValues(w.t, 400, short["short_by"])

	w.admin(200, "PUT", at+"/tags/"+tagID, object{"reason": "said so"})
	gone := w.admin(200, "DELETE", at+"/tags/"+tagID+"?reason=mistake", nil).Body
	require.Len(w.t, gone["tags"], 1, "the channel's cause stands")
	w.refused(w.admin(404, "PUT", at+"/tags/999", nil), 404, "NOT_FOUND")

	_, other := w.Member("alice on her second phone")
	merged := w.admin(200, "POST", at+"/merge", object{"other_id": str(other)})
	require.Equal(w.t, str(id), merged.Body["id"])
	require.Equal(w.t, str(id), w.admin(200, "GET", "/members/"+str(other), nil).Body["id"], "the other id answers the survivor")
	require.Equal(w.t, "other_id", w.refused(w.admin(400, "POST", at+"/merge", object{"other_id": str(id)}), 400, "INVALID")["field"])

	w.privacy(at, str(other))

	for _, path := range []string{"", "?search=ali", "?tag_id=" + tagID, "?joined=true"} {
		require.Len(w.t, w.admin(200, "GET", "/members"+path, nil).items(), 1, path)
	}
	require.Empty(w.t, w.admin(200, "GET", "/members?joined=false", nil).items())
}

// privacy parts other from the member at at, merges him again, reads all that is kept, and forgets him.
func (w *world) privacy(at, other string) {
	w.t.Helper()
	away := w.admin(200, "GET", at, nil).Body["merged"].([]any)
	require.Len(w.t, away, 2, "the follower whom his unionid joined, and the second phone")
	require.Equal(w.t, other, away[0].(object)["id"])
	require.Equal(w.t, other, w.admin(200, "POST", "/members/"+other+"/unmerge", nil).Body["id"])
	w.refused(w.admin(404, "POST", "/members/"+other+"/unmerge", nil), 404, "NOT_FOUND")
	require.Len(w.t, w.admin(200, "GET", "/members?joined=true", nil).items(), 2)
	w.admin(200, "POST", at+"/merge", object{"other_id": other})

	require.Contains(w.t, w.admin(200, "GET", at+"/export", nil).Body, "tables")
	w.refused(w.admin(404, "POST", at+"/phone/reveal", object{"reason": "courier"}), 404, "NOT_FOUND")

	p, third := w.Member("third")
	path := "/members/" + str(third)
	w.phone(p, "13612345678")
	require.Equal(w.t, "13612345678", w.admin(200, "POST", path+"/phone/reveal", object{"reason": "courier"}).Body["phone"])
	require.Equal(w.t, "no", w.refused(w.admin(409, "POST", path+"/erase", object{"no": "1", "reason": "asked"}), 409, "CONFLICT")["field"])
	no := w.admin(200, "GET", path, nil).Body["no"]
	w.admin(200, "POST", path+"/erase", object{"no": no, "reason": "asked"})
	w.refused(w.admin(404, "POST", path+"/erase", object{"no": no, "reason": "asked"}), 404, "NOT_FOUND")
	gone := w.admin(200, "GET", path, nil).Body
	require.Empty(w.t, gone["nickname"])
	require.NotNil(w.t, gone["erased_at"])
}

func (w *world) broadcasts(memberID int64, tagID string) {
	w.t.Helper()
	c := object{"leaf": "tag", "tag_id": tagID}
	require.Equal(w.t, []any{"tag"}, w.admin(200, "POST", "/conditions/check", object{"condition": c}).Body["leaves"])
	require.EqualValues(w.t, 1, w.admin(200, "POST", "/audience/count", object{"condition": c}).Body["count"])
	body := object{
		"name": "敏感肌新品", "condition": object{"all": []object{c, {"leaf": "member", "field": "joined", "value": true}}},
		"message": object{"text": "{{nickname}},新品来了", "fallbacks": object{"nickname": "您好"}, "channels": []string{"customer"}},
	}
	p := w.admin(200, "POST", "/broadcasts/preview", body).Body
	require.EqualValues(w.t, 1, p["audience"])
	require.EqualValues(w.t, 1, p["reachable"])
	require.NotEmpty(w.t, p["who"])
	require.Len(w.t, p["sample"], 1)

	id := w.id("/broadcasts", body)
	body["message"].(object)["customer"] = object{"kind": "menu", "head": "{{nickname}},新品来了", "choices": []string{"想看", "不想"}}
	saved := w.admin(200, "PUT", "/broadcasts/"+id, body).Body
	require.Equal(w.t, []any{"想看", "不想"}, saved["message"].(object)["customer"].(object)["choices"])
	body["message"].(object)["customer"] = object{"kind": "image", "image_id": "17"}
	w.refused(w.admin(400, "PUT", "/broadcasts/"+id, body), 400, "INVALID")
	delete(body["message"].(object), "customer")
	body["cron"] = "0 10 * * 3"
	saved = w.admin(200, "PUT", "/broadcasts/"+id, body).Body
	require.Equal(w.t, []any{
		"2026-11-25T10:00:00+08:00", "2026-12-02T10:00:00+08:00", "2026-12-09T10:00:00+08:00", "2026-12-16T10:00:00+08:00", "2026-12-23T10:00:00+08:00",
	}, saved["next"])
	require.NotEmpty(w.t, saved["when"])
	require.Equal(w.t, "paused", w.admin(200, "POST", "/broadcasts/"+id+"/pause", nil).Body["state"])
	w.refused(w.admin(409, "POST", "/broadcasts/"+id+"/run", object{}), 409, "CONFLICT")
	require.Equal(w.t, "active", w.admin(200, "POST", "/broadcasts/"+id+"/resume", nil).Body["state"])

	details := w.refused(w.admin(409, "POST", "/broadcasts/"+id+"/run", object{}), 409, "CONFLICT")
	require.EqualValues(w.t, 1, details["audience"], "it is everybody: to be confirmed")
	run, _ := w.admin(201, "POST", "/broadcasts/"+id+"/run", object{"confirm": 1}).Body["id"].(string)
	w.refused(w.admin(409, "POST", "/broadcasts/"+id+"/run", object{"confirm": 1}), 409, "DUPLICATE")
	require.NoError(w.t, w.Call(w.t.Context(), "POST", "/sandbox/api/faults", "",
		object{"path": "/cgi-bin/message/custom/send", "kind": "errcode", "errcode": 48001, "times": 1}, nil))
	w.Advance(0)
	require.Contains(w.t, w.admin(200, "GET", "/runs/"+run, nil).Body["paused_for"], "1/1 48001")
	require.Equal(w.t, false, w.admin(200, "POST", "/runs/"+run+"/retry", nil).Body["paused"])
	w.Advance(0)
	counts := w.admin(200, "GET", "/runs/"+run, nil).Body["counts"].(object)
	require.EqualValues(w.t, 1, counts["audience"])
	require.EqualValues(w.t, 1, counts["accepted"])
	require.Len(w.t, w.admin(200, "GET", "/runs/"+run+"/deliveries?state=accepted", nil).items(), 1)
	require.Empty(w.t, w.admin(200, "GET", "/runs/"+run+"/deliveries?state=suppressed&reason=UNSUBSCRIBED", nil).items())
	w.admin(200, "POST", "/runs/"+run+"/cancel", nil)
	w.admin(200, "POST", "/runs/"+run+"/pause", nil)
	w.admin(200, "POST", "/runs/"+run+"/resume", nil)
	w.refused(w.admin(409, "POST", "/runs/"+run+"/retry", nil), 409, "CONFLICT")
	require.Equal(w.t, "done", w.admin(200, "GET", "/runs/"+run, nil).Body["state"], "a finished run stays as it is")
	require.Len(w.t, w.admin(200, "GET", "/broadcasts/"+id+"/runs", nil).items(), 1)
	require.Equal(w.t, run, w.admin(200, "GET", "/broadcasts/"+id, nil).Body["last_run"].(object)["id"])
	require.Len(w.t, w.admin(200, "GET", "/broadcasts", nil).items(), 1)
	sent := w.admin(200, "GET", "/members/"+str(memberID)+"/deliveries", nil).items()
	require.Equal(w.t, "{{nickname}},新品来了", sent[0]["text"])

	require.Equal(w.t, "marketing 1/day", w.admin(200, "GET", "/caps", nil).items()[0]["name"])
	limit := object{"class": "marketing", "per": "hours", "hours": 72, "limit": 2}
	capID := w.id("/caps", limit)
	limit["limit"] = 3
	require.Equal(w.t, "marketing 3/72h", w.admin(200, "PUT", "/caps/"+capID, limit).Body["name"])
	require.Len(w.t, w.admin(200, "GET", "/caps", nil).items(), 1)
	w.admin(204, "DELETE", "/caps/"+capID, nil)
	rules := w.admin(200, "GET", "/caps/settings", nil).Body
	require.Equal(w.t, []any{"22:00", "08:00"}, []any{rules["quiet_from"], rules["quiet_to"]})
	rules["quiet_to"] = "22:00"
	w.admin(400, "PUT", "/caps/settings", rules)
	rules["quiet_to"] = "24:00"
	require.Equal(w.t, "24:00", w.admin(200, "PUT", "/caps/settings", rules).Body["quiet_to"])

	require.EqualValues(w.t, 1, w.admin(201, "POST", "/broadcasts/"+id+"/test", object{"members": []string{str(memberID)}}).Body["counts"].(object)["audience"])

	group := w.admin(200, "GET", "/runs/"+run+"/results?days=3", nil).Body["groups"].([]any)[0].(object)
	require.EqualValues(w.t, 1, group["people"])
	require.EqualValues(w.t, 1, group["sent"])
	require.Len(w.t, w.admin(200, "GET", "/runs/"+run+"/results/members?what=sent", nil).items(), 1)
	require.Empty(w.t, w.admin(200, "GET", "/runs/"+run+"/results/members?what=opened", nil).items())
	kept := w.admin(201, "POST", "/runs/"+run+"/results/audience", object{"name": "收到的人", "what": "sent"}).Body
	require.EqualValues(w.t, 1, kept["count"])
	w.admin(204, "DELETE", "/audiences/"+kept["id"].(string), nil)

	delete(body, "cron")
	w.admin(204, "DELETE", "/broadcasts/"+w.id("/broadcasts", body), nil)
	w.refused(w.admin(409, "DELETE", "/broadcasts/"+id, nil), 409, "CONFLICT")
}

func (w *world) rest() {
	w.t.Helper()
	require.NotEmpty(w.t, w.admin(200, "GET", "/events/kinds", nil).items())
	require.Len(w.t, w.admin(200, "GET", "/accounts", nil).items(), 3)
	accounts := w.admin(200, "GET", "/wechat/accounts", nil)
	require.Len(w.t, accounts.items(), 2)
	acc, _ := w.Account("oa")
	for _, secret := range []string{acc.Secret, acc.Token, acc.EncodingAESKey} {
		require.NotContains(w.t, accounts.Raw, secret)
	}
	require.NotEmpty(w.t, w.admin(200, "GET", "/wechat/templates", nil).items())
	pushes := w.admin(200, "GET", "/inbox?state=done", nil).items()
	require.NotEmpty(w.t, pushes)
	id, _ := pushes[0]["id"].(string)
	w.refused(w.admin(409, "POST", "/inbox/"+id+"/replay", nil), 409, "CONFLICT")
	require.NotEmpty(w.t, w.admin(200, "GET", "/channels", nil).items())
	require.EqualValues(w.t, 0, w.admin(200, "GET", "/verify", nil).Body["mismatches"])
	key := w.id("/api-keys", object{"name": "shop", "scopes": []string{"open"}})
	require.NotEmpty(w.t, w.admin(200, "GET", "/api-keys", nil).items())
	w.admin(204, "DELETE", "/api-keys/"+key, nil)
}

// people are the console users.
func (w *world) people() {
	w.t.Helper()
	made := w.admin(201, "POST", "/operators", object{"login": "xiaomei", "role": "operator"})
	id, _ := made.Body["id"].(string)
	require.NotEmpty(w.t, made.Body["password"])
	require.NotContains(w.t, w.admin(200, "GET", "/operators", nil).Raw, made.Body["password"])
	require.Equal(w.t, "analyst", w.admin(200, "PUT", "/operators/"+id, object{"role": "analyst"}).Body["role"])
	require.NotNil(w.t, w.admin(200, "PUT", "/operators/"+id, object{"disabled": true}).Body["disabled_at"])
	w.refused(w.admin(409, "POST", "/operators", object{"login": "xiaomei", "role": "operator"}), 409, "CONFLICT")
	require.Equal(w.t, false, w.admin(200, "POST", "/operators/"+id+"/two-step/reset", nil).Body["two_step"])
	require.NotEqual(w.t, made.Body["password"], w.admin(200, "POST", "/operators/"+id+"/password", nil).Body["password"])
	w.refused(w.admin(404, "PUT", "/operators/999", object{"role": "owner"}), 404, "NOT_FOUND")

	list := w.admin(200, "GET", "/audits?action=operator&object=operator:"+id+"&limit=2", nil)
	require.Len(w.t, list.items(), 2)
	require.Equal(w.t, "operator.reset_password", list.items()[0]["action"])
	next, _ := list.Body["next_cursor"].(string)
	require.Len(w.t, w.admin(200, "GET", "/audits?action=operator&object=operator:"+id+"&limit=2&cursor="+next, nil).items(), 2)
	require.Empty(w.t, w.admin(200, "GET", "/audits?actor=operator:999", nil).items())
	require.Empty(w.t, w.admin(200, "GET", "/audits?to=2026-01-01T00:00:00Z", nil).items())
}

// tellings are the webhooks.
func (w *world) tellings(memberID int64) {
	w.t.Helper()
	told := make(chan string, 10)
	shop := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { told <- r.Header.Get("webhook-id") }))
	w.t.Cleanup(shop.Close)
	made := w.admin(201, "POST", "/webhooks", object{"url": shop.URL, "kinds": []string{"behavior.*"}})
	id, _ := made.Body["id"].(string)
	secret, _ := made.Body["secret"].(string)
	require.Regexp(w.t, `^whsec_[A-Za-z0-9+/]{43}=$`, secret)
	require.NotContains(w.t, w.admin(200, "GET", "/webhooks", nil).Raw, secret)
	require.NotEqual(w.t, secret, w.admin(200, "POST", "/webhooks/"+id+"/secret", nil).Body["secret"])
	require.NoError(w.t, w.Behave(memberID, "talk", "told", w.Now()))
	w.Advance(0)
	require.Len(w.t, told, 1)
	d := w.admin(200, "GET", "/webhooks/"+id+"/deliveries?state=done&kind=behavior.talk", nil).items()
	require.Len(w.t, d, 1)
	deliveryID, _ := d[0]["id"].(string)
	story := w.admin(200, "GET", "/webhook-deliveries/"+deliveryID, nil)
	require.Len(w.t, story.Body["log"], 1)
	require.Equal(w.t, "behavior.talk", story.Body["body"].(object)["type"])
	w.admin(200, "POST", "/webhook-deliveries/"+deliveryID+"/replay", nil)
	w.refused(w.admin(409, "POST", "/webhook-deliveries/"+deliveryID+"/replay", nil), 409, "CONFLICT")
	w.Advance(0)
	require.Len(w.t, told, 2)
	span := object{"from": "2026-11-23T00:00:00+08:00", "to": "2099-11-24T00:00:00+08:00", "state": "all"}
	require.EqualValues(w.t, 1, w.admin(200, "POST", "/webhooks/"+id+"/replay", span).Body["count"])
	require.Equal(w.t, "off", w.admin(200, "PUT", "/webhooks/"+id, object{"url": shop.URL, "off": true}).Body["state"])
	w.refused(w.admin(409, "POST", "/webhooks/"+id+"/replay", span), 409, "CONFLICT")
	w.admin(204, "DELETE", "/webhooks/"+id, nil)
	for _, path := range []string{"/webhooks/999/deliveries", "/webhook-deliveries/999"} {
		w.refused(w.admin(404, "GET", path, nil), 404, "NOT_FOUND")
	}
}
