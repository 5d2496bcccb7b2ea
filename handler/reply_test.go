package handler_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const onePixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

// replies are the happy paths of the library and of what the brand answers.
func (w *world) replies() {
	w.t.Helper()
	pic := w.id("/media", object{"name": "海报", "data": onePixel})
	require.Equal(w.t, pic, w.id("/media", object{"name": "again", "data": onePixel}), "the same picture is kept once")
	spare := w.id("/media", object{"name": "spare", "data": strings.TrimSuffix(onePixel, "==") + "AA"})
	w.admin(204, "DELETE", "/media/"+spare, nil)
	w.refused(w.admin(404, "DELETE", "/media/"+spare, nil), 404, "NOT_FOUND")

	body := object{"name": "海报", "trigger": "keyword", "words": []string{"海报"}, "messages": []object{{"kind": "image", "image_id": pic}, {"kind": "text", "text": "拿好"}}}
	id := w.id("/replies", body)
	body["match"] = "contains"
	require.Equal(w.t, "contains", w.admin(200, "PUT", "/replies/"+id, body).Body["match"])
	require.Equal(w.t, "海报", w.admin(200, "GET", "/replies/"+id, nil).Body["name"])
	require.Len(w.t, w.admin(200, "GET", "/replies", nil).items(), 1)
	w.refused(w.admin(409, "DELETE", "/media/"+pic, nil), 409, "CONFLICT")
	w.Advance(0)
	copies := w.admin(200, "GET", "/media", nil).items()[0]["copies"].([]any)
	require.NotEmpty(w.t, copies[0].(object)["dies_at"])
	long := object{"name": "x", "trigger": "default", "messages": []object{{"kind": "text", "text": strings.Repeat("长", 700)}}}
	refusal := w.refused(w.admin(400, "POST", "/replies", long), 400, "INVALID")
	require.Equal(w.t, "messages[0].text", refusal["field"])
	require.EqualValues(w.t, 2048, refusal["limit"])
	w.admin(204, "DELETE", "/replies/"+id, nil)
	w.refused(w.admin(404, "GET", "/replies/"+id, nil), 404, "NOT_FOUND")
}

// menus are the happy paths of the menu.
func (w *world) menus(memberID int64, tagID string) {
	w.t.Helper()
	body := object{"buttons": []object{{"name": "签到", "type": "click", "key": "CHECKIN"}, {"name": "会员", "sub_button": []object{{"name": "官网", "type": "view", "url": "https://a.b"}}}}}
	require.Equal(w.t, true, w.admin(200, "PUT", "/menus", body).Body["changed"])
	body["tag_id"] = tagID
	require.Len(w.t, w.admin(200, "PUT", "/menus", body).Body["menus"], 2)
	require.Equal(w.t, false, w.admin(200, "POST", "/menus/publish", nil).Body["changed"])
	preview := w.admin(200, "GET", "/menus/preview?member_id="+str(memberID), nil).Body
	require.Equal(w.t, "签到", preview["next"].([]any)[0].(object)["name"])
	require.NotEmpty(w.t, preview["now"].(object)["button"])
	w.admin(204, "DELETE", "/menus/"+tagID, nil)
	require.Equal(w.t, true, w.admin(200, "GET", "/menus", nil).Body["changed"])
	require.Equal(w.t, "made", w.admin(200, "POST", "/menus/import", nil).items()[0]["state"])
	body["buttons"] = []object{{"name": "一二三四五六", "type": "click", "key": "K"}}
	refusal := w.refused(w.admin(400, "PUT", "/menus", body), 400, "INVALID")
	require.Equal(w.t, "buttons[0].name", refusal["field"])
	require.EqualValues(w.t, 16, refusal["limit"])
	w.refused(w.admin(404, "GET", "/menus?account=other", nil), 404, "NOT_FOUND")
}

func TestBigPictures(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.refused(w.admin(413, "POST", "/media", object{"name": "x", "data": strings.Repeat("A", 15<<20)}), 413, "TOO_LARGE")
	w.refused(w.admin(413, "POST", "/replies", object{"name": strings.Repeat("A", 2<<20)}), 413, "TOO_LARGE")
	big := "/9j/" + strings.Repeat("A", (10<<20)/3*4+4)
	require.EqualValues(t, 10<<20, w.refused(w.admin(400, "POST", "/media", object{"name": "x", "data": big}), 400, "INVALID")["limit"])
	w.id("/media", object{"name": "x", "data": big[:8<<20]})
}
