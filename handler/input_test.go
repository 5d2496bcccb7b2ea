package handler_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What is wrong with the input is named, for each class of routes; and nothing changes.
func TestBadInput(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	alice, aliceID := w.Member("alice")
	tagID := w.id("/tags", object{"group_id": "1", "name": "x"})
	quizID := w.id("/quizzes", object{
		"question": "?", "opens_at": "2026-11-23T09:00:00+08:00", "closes_at": "2026-11-23T10:00:00+08:00",
		"options": []object{{"text": "a", "correct": true}, {"text": "b"}},
	})
	formOf := func(changed string) string {
		return `{"title":"t","opens_at":"2026-11-23T09:00:00+08:00","closes_at":"2026-11-23T10:00:00+08:00",` + changed + `}`
	}
	formID := w.id("/forms", formOf(`"questions":[{"kind":"rating","text":"?","required":true}]`))
	broadcast := func(changed string) string {
		return `{"name":"n","message":{"text":"t","channels":["customer"]},` + changed + `}`
	}
	grants := func(g string) string {
		return `{"code":"c","name":"n","trigger":"checkin.done","definition":{"grants":[` + g + `]}}`
	}
	member := "/members/" + str(aliceID)
	audits := len(w.admin(200, "GET", "/audits?limit=100", nil).items())

	for _, c := range []struct{ name, method, path, body, code, field string }{
		// Each class of routes: malformed, unknown field, wrong type.
		{"LoginMalformed", "POST", "/api/v1/login", `{"code":`, "MALFORMED", ""},
		{"LoginUnknownField", "POST", "/api/v1/login", `{"code":"x","colour":1}`, "INVALID", "colour"},
		{"LoginWithoutCode", "POST", "/api/v1/login", `{}`, "INVALID", "code"},
		{"LoginForeignCode", "POST", "/api/v1/login", `{"code":"nonsense"}`, "INVALID", "code"},
		{"LoginCodeThatRewritesAQuery", "POST", "/api/v1/login", `{"code":"a&appid=b"}`, "INVALID", "code"},
		{"LoginAtAnUnknownAccount", "POST", "/api/v1/login", `{"code":"x","account":"none"}`, "INVALID", "account"},
		{"LoginAtAnOfficialAccount", "POST", "/api/v1/login", `{"code":"x","account":"oa"}`, "INVALID", "account"},
		{"RegisterWrongType", "POST", "/api/v1/register", `{"nickname":7}`, "INVALID", "nickname"},
		{"RegisterNoSuchDay", "POST", "/api/v1/register", `{"birthday":"2026-02-30"}`, "INVALID", "birthday"},
		{"ProfileUnknownGender", "PUT", "/api/v1/profile", `{"gender":"x"}`, "INVALID", "gender"},
		{"ProfileFutureBirthday", "PUT", "/api/v1/profile", `{"birthday":"2027-01-01"}`, "INVALID", "birthday"},
		{"ProfileLongName", "PUT", "/api/v1/profile", `{"nickname":"` + strings.Repeat("长", 33) + `"}`, "INVALID", "nickname"},
		{"ProfileLongAddress", "PUT", "/api/v1/profile", `{"address":"` + strings.Repeat("长", 101) + `"}`, "INVALID", "address"},
		{"PhoneForeignCode", "POST", "/api/v1/phone", `{"code":"nonsense"}`, "INVALID", "code"},
		{"PreferencesWrongType", "PUT", "/api/v1/preferences", `{"marketing":"no"}`, "INVALID", "marketing"},
		{"CheckinWithABody", "POST", "/api/v1/checkins", `{"day":"2026-11-22"}`, "INVALID", "day"},
		{"AnswerNoOption", "POST", "/api/v1/quizzes/" + quizID + "/answers", `{"answer":"Z"}`, "INVALID", "answer"},
		{"AnswerAtNoID", "POST", "/api/v1/quizzes/x/answers", `{"answer":"A"}`, "INVALID", "id"},
		{"FormReplyOfNoQuestion", "POST", "/api/v1/forms/" + formID + "/answers", `{"answers":[{"question_id":"999","rating":1}]}`, "INVALID", "answers[0].question_id"},
		{"FormReplyOfNoID", "POST", "/api/v1/forms/" + formID + "/answers", `{"answers":[{"question_id":"x"}]}`, "INVALID", "answers[0].question_id"},
		{"FormReplyMissing", "POST", "/api/v1/forms/" + formID + "/answers", `{"answers":[]}`, "INVALID", "answers"},
		{"FormWithoutAnswers", "POST", "/api/v1/forms/" + formID + "/answers", `{}`, "INVALID", "answers"},
		{"FormNobodyKnows", "POST", "/api/v1/forms/999/answers", `{"answers":[]}`, "NOT_FOUND", ""},
		{"FormResultsNotShown", "GET", "/api/v1/forms/" + formID + "/results", ``, "NOT_FOUND", ""},
		{"EntriesOfNoCursor", "GET", "/api/v1/points/entries?cursor=x", ``, "INVALID", "cursor"},
		{"EntriesTooMany", "GET", "/api/v1/points/entries?limit=1000", ``, "INVALID", "limit"},

		{"RuleMalformed", "POST", "/admin/v1/rules", `x`, "MALFORMED", ""},
		{"RuleUnknownField", "POST", "/admin/v1/rules", `{"colour":1,` + grants(`{"kind":"fixed","account":"points","amount":5}`)[1:], "INVALID", "colour"},
		{"RuleWithoutGrants", "POST", "/admin/v1/rules", grants(``), "INVALID", "definition.grants"},
		{"RuleNegativeGrant", "POST", "/admin/v1/rules", grants(`{"kind":"fixed","account":"points","amount":-5}`), "INVALID", "definition.grants[0].amount"},
		{"RuleAbsurdGrant", "POST", "/admin/v1/rules", grants(`{"kind":"fixed","account":"points","amount":9000000000000000000}`), "INVALID", "definition.grants[0].amount"},
		{"RuleBeyondInt64", "POST", "/admin/v1/rules", grants(`{"kind":"fixed","account":"points","amount":1e30}`), "INVALID", "definition.grants.amount"},
		{"RuleUnknownAccount", "POST", "/admin/v1/rules", grants(`{"kind":"fixed","account":"gold","amount":5}`), "INVALID", "definition.grants[0].account"},
		{"RuleUnknownTag", "POST", "/admin/v1/rules", grants(`{"kind":"tag","tag_id":"999"}`), "INVALID", "definition.grants[0].tag_id"},
		{"RuleUnknownTrigger", "POST", "/admin/v1/rules", strings.Replace(grants(`{"kind":"fixed","account":"points","amount":5}`), "checkin.done", "x", 1), "INVALID", "trigger"},
		{"RuleUnknownLeaf", "POST", "/admin/v1/rules", strings.Replace(grants(`{"kind":"fixed","account":"points","amount":5}`), `"grants"`, `"condition":{"leaf":"x"},"grants"`, 1), "INVALID", "definition.condition.leaf"},
		{"RuleAbsurdTime", "POST", "/admin/v1/rules", strings.Replace(grants(`{"kind":"fixed","account":"points","amount":5}`), `"grants"`, `"from":"0001-01-01T00:00:00Z","grants"`, 1), "INVALID", "definition.from"},
		{"AutoTagOfNoTag", "POST", "/admin/v1/auto-tags", `{"tag_id":"999","name":"n","condition":{"leaf":"member","field":"joined","value":true}}`, "INVALID", "tag_id"},
		{"AutoTagForEverybody", "POST", "/admin/v1/auto-tags", `{"tag_id":"` + tagID + `","name":"n","condition":{}}`, "INVALID", "condition"},
		{"AutoTagOnATagThatIsNot", "POST", "/admin/v1/auto-tags", `{"tag_id":"` + tagID + `","name":"n","condition":{"leaf":"tag","tag_id":"999"}}`, "INVALID", "condition.tag_id"},
		{"TagInNoGroup", "POST", "/admin/v1/tags", `{"group_id":"999","name":"n"}`, "INVALID", "group_id"},
		{"ChannelWithASpace", "POST", "/admin/v1/channels", `{"code":"a b","name":"n"}`, "INVALID", "code"},
		{"ChannelAbsurdTag", "POST", "/admin/v1/channels", `{"code":"a","name":"n","tag_id":"9999999999999999999"}`, "INVALID", "tag_id"},
		{"ChannelHalfACard", "POST", "/admin/v1/channels", `{"code":"a","name":"n","card_title":"t"}`, "INVALID", "card_path"},
		{"QuizThatNeverOpens", "POST", "/admin/v1/quizzes", `{"question":"?","opens_at":"2026-11-23T10:00:00+08:00","closes_at":"2026-11-23T10:00:00+08:00","options":[{"text":"a","correct":true},{"text":"b"}]}`, "INVALID", "closes_at"},
		{"QuizAbsurdTime", "POST", "/admin/v1/quizzes", `{"question":"?","opens_at":"0001-01-01T00:00:00Z","closes_at":"2026-11-23T10:00:00+08:00","options":[{"text":"a","correct":true},{"text":"b"}]}`, "INVALID", "opens_at"},
		{"FormWithoutQuestions", "POST", "/admin/v1/forms", formOf(`"questions":[]`), "INVALID", "questions"},
		{"FormOfAnUnknownKind", "POST", "/admin/v1/forms", formOf(`"questions":[{"kind":"date","text":"?"}]`), "INVALID", "questions[0].kind"},
		{"FormOfOneOption", "POST", "/admin/v1/forms", formOf(`"questions":[{"kind":"single","text":"?","options":[{"text":"a"}]}]`), "INVALID", "questions[0].options"},
		{"FormTagThatIsNot", "POST", "/admin/v1/forms", formOf(`"questions":[{"kind":"single","text":"?","options":[{"text":"a"},{"text":"b","tag_id":"999"}]}]`), "INVALID", "questions[0].options[1].tag_id"},
		{"FormTagOfNoID", "POST", "/admin/v1/forms", formOf(`"questions":[{"kind":"single","text":"?","options":[{"text":"a"},{"text":"b","tag_id":"x"}]}]`), "INVALID", "questions[0].options[1].tag_id"},
		{"FormForNoTag", "POST", "/admin/v1/forms", formOf(`"condition":{"leaf":"tag","tag_id":"999"},"questions":[{"kind":"rating","text":"?"}]`), "INVALID", "condition.tag_id"},
		{"FormPrizeOfNoCoupon", "POST", "/admin/v1/forms", formOf(`"prize":"coupon","coupon_id":"999","questions":[{"kind":"rating","text":"?"}]`), "INVALID", "coupon_id"},
		{"FormStockOfNothing", "POST", "/admin/v1/forms", formOf(`"stock":5,"questions":[{"kind":"rating","text":"?"}]`), "INVALID", "stock"},
		{"FormSplitByAge", "GET", "/admin/v1/forms/" + formID + "/results?by=age", ``, "INVALID", "by"},
		{"FormSplitByNoTag", "GET", "/admin/v1/forms/" + formID + "/results?by=tag&id=999", ``, "INVALID", "id"},
		{"FormWordsOfAMark", "GET", "/admin/v1/forms/" + formID + "/words?question_id=1", ``, "INVALID", "question_id"},
		{"QuizTwoRight", "POST", "/admin/v1/quizzes", `{"question":"?","opens_at":"2026-11-23T09:00:00+08:00","closes_at":"2026-11-23T10:00:00+08:00","options":[{"text":"a","correct":true},{"text":"b","correct":true}]}`, "INVALID", "options"},
		{"QuizTagThatIsNot", "POST", "/admin/v1/quizzes", `{"question":"?","opens_at":"2026-11-23T09:00:00+08:00","closes_at":"2026-11-23T10:00:00+08:00","options":[{"text":"a","correct":true},{"text":"b","tag_id":"999"}]}`, "INVALID", "options[1].tag_id"},
		{"BroadcastNeverFires", "POST", "/admin/v1/broadcasts", broadcast(`"cron":"0 0 30 2 *"`), "INVALID", "cron"},
		{"BroadcastNoCron", "POST", "/admin/v1/broadcasts", broadcast(`"cron":"tomorrow"`), "INVALID", "cron"},
		{"BroadcastInThePast", "POST", "/admin/v1/broadcasts", broadcast(`"at":"2026-11-22T09:00:00+08:00"`), "INVALID", "at"},
		{"BroadcastOnATagThatIsNot", "POST", "/admin/v1/broadcasts", broadcast(`"condition":{"leaf":"tag","tag_id":"999"}`), "INVALID", "condition.tag_id"},
		{"BroadcastOnAnEvent", "POST", "/admin/v1/broadcasts", broadcast(`"condition":{"leaf":"event.text","contains_any":["x"]}`), "INVALID", "condition"},
		{"BroadcastUnknownVariable", "POST", "/admin/v1/broadcasts", `{"name":"n","message":{"text":"{{phone}}","channels":["customer"]}}`, "INVALID", "message.text"},
		{"BroadcastUnknownChannel", "POST", "/admin/v1/broadcasts", `{"name":"n","message":{"text":"t","channels":["fax"]}}`, "INVALID", "message.channels"},
		{"PreviewToo", "POST", "/admin/v1/broadcasts/preview", broadcast(`"condition":{"leaf":"tag","tag_id":"999"}`), "INVALID", "condition.tag_id"},
		{"ConditionRepeatsAKey", "POST", "/admin/v1/conditions/check", `{"condition":{"leaf":"tag","leaf":"tag"}}`, "INVALID", "condition.leaf"},
		{"ConditionWrongType", "POST", "/admin/v1/conditions/check", `{"condition":[]}`, "INVALID", "condition"},
		{"CountOnAnEvent", "POST", "/admin/v1/audience/count", `{"condition":{"leaf":"event.text","contains_any":["x"]}}`, "INVALID", "condition.leaf"},
		{"AdjustNothing", "POST", "/admin/v1" + member + "/adjustments", `{"account":"points","amount":0,"memo":"m"}`, "INVALID", "amount"},
		{"AdjustAbsurdly", "POST", "/admin/v1" + member + "/adjustments", `{"account":"points","amount":1000001,"memo":"m"}`, "INVALID", "amount"},
		{"AdjustAFraction", "POST", "/admin/v1" + member + "/adjustments", `{"account":"points","amount":1.5,"memo":"m"}`, "INVALID", "amount"},
		{"AdjustWithoutAReason", "POST", "/admin/v1" + member + "/adjustments", `{"account":"points","amount":5}`, "INVALID", "memo"},
		{"AdjustNoAccount", "POST", "/admin/v1" + member + "/adjustments", `{"account":"gold","amount":5,"memo":"m"}`, "INVALID", "account"},
		{"AdjustNobody", "POST", "/admin/v1/members/999/adjustments", `{"account":"points","amount":5,"memo":"m"}`, "NOT_FOUND", ""},
		{"AdjustAbsurdTime", "POST", "/admin/v1" + member + "/adjustments", `{"account":"points","amount":5,"memo":"m","expires_at":"9999-01-01T00:00:00Z"}`, "INVALID", "expires_at"},
		{"MergeWithNobody", "POST", "/admin/v1" + member + "/merge", `{"other_id":"999"}`, "NOT_FOUND", ""},
		{"WebhookToAPrivateAddress", "POST", "/admin/v1/webhooks", `{"url":"https://10.0.0.1/hook"}`, "INVALID", "url"},
		{"WebhookToOurselves", "POST", "/admin/v1/webhooks", `{"url":"https://localhost:8080/hook"}`, "INVALID", "url"},
		{"WebhookWithAPassword", "POST", "/admin/v1/webhooks", `{"url":"https://u:p@93.184.216.34/"}`, "INVALID", "url"},
		{"WebhookOfNoKind", "POST", "/admin/v1/webhooks", `{"url":"https://93.184.216.34/","kinds":["checkin.done","x"]}`, "INVALID", "kinds[1]"},
		{"WebhookReplayBackwards", "POST", "/admin/v1/webhooks/1/replay", `{"from":"2026-11-24T00:00:00Z","to":"2026-11-23T00:00:00Z"}`, "INVALID", "to"},
		{"OperatorOfNoRole", "POST", "/admin/v1/operators", `{"login":"ab","role":"root"}`, "INVALID", "role"},
		{"OperatorWithAnOddLogin", "POST", "/admin/v1/operators", `{"login":"A b","role":"owner"}`, "INVALID", "login"},
		{"KeyOfAnotherScope", "POST", "/admin/v1/api-keys", `{"name":"n","scopes":["root"]}`, "INVALID", "scopes"},
		{"MembersUnknownParameter", "GET", "/admin/v1/members?sort=no", ``, "INVALID", "sort"},
		{"MembersOfNoCursor", "GET", "/admin/v1/members?cursor=x", ``, "INVALID", "cursor"},
		{"InboxUnknownState", "GET", "/admin/v1/inbox?state=x", ``, "INVALID", "state"},
		{"OverlongID", "GET", "/admin/v1/rules/99999999999999999999", ``, "INVALID", "id"},
		{"NoID", "GET", "/admin/v1/rules/9999999999999999999", ``, "NOT_FOUND", ""},
		{"RunNobodyKnows", "GET", "/admin/v1/runs/999", ``, "NOT_FOUND", ""},
		{"OpenUnknownField", "POST", "/open/v1/behaviors", `{"member":{"no":"1"},"action":"a","key":"k","colour":1}`, "INVALID", "colour"},
		{"OpenMalformed", "POST", "/open/v1/behaviors", `[`, "MALFORMED", ""},
	} {
		token := w.Admin
		if strings.HasPrefix(c.path, "/api/v1") {
			token = alice.Token
		}
		var body any
		if c.body != "" {
			body = c.body
		}
		status := 400
		if c.code == "NOT_FOUND" {
			status = 404
		}
		a := w.send(c.method, c.path, token, body)
		require.Equal(t, status, a.Status, "%s: %s", c.name, a.Raw)
		if details := w.refused(a, status, c.code); c.field != "" {
			require.Equal(t, c.field, details["field"], "%s: %s", c.name, a.Raw)
		}
	}
	require.Len(t, w.admin(200, "GET", "/audits?limit=100", nil).items(), audits, "a refusal changes nothing")
	require.Empty(t, w.admin(200, "GET", "/rules", nil).items())
	require.Zero(t, w.Points(aliceID))
}
