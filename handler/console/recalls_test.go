package console_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/customer"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/model"
)

// A recall from its file to its figures and lists, by forms alone.
func TestRecalls(t *testing.T) {
	t.Parallel()
	w, b := signedIn(t)
	in, err := w.Customers.Import(t.Context(), "old.csv", []byte("phone,consent\n13877770001,yes\n13877770002,\n13877770001,yes\nnone,yes\n"), customer.Options{}, "test")
	require.NoError(t, err)
	w.Settle()
	require.Contains(t, b.page("/console/recalls/new"), "old.csv")
	form := []string{"name", "老客", "import_id", fmt.Sprint(in.ID), "days", "3", "sms.text", "回来吧"}
	for field, wrong := range map[string]string{"name": "", "days": "91", "sms.text": "", "import_id": "999"} {
		require.Regexp(t, `name="`+field+`"[^>]*aria-invalid="true"`, b.refused("/console/recalls/new", with(form, field, wrong)...), field)
	}
	require.Regexp(t, `name="call_after"[^>]*aria-invalid="true"`, b.refused("/console/recalls/new", append(form, "call.text", "您好", "call_after", "3")...))
	path := where(b.done("/console/recalls/new", append(form, "call.text", "您好", "call_after", "1")...))
	require.Contains(t, b.page(path), "发给 4 行")
	b.done(path + "/run")
	w.Settle()
	page := b.page(path)
	require.Contains(t, page, "0.00 %")
	require.NotContains(t, page, path+"/run", "it is run once")
	require.Equal(t, http.StatusConflict, b.do(http.MethodPost, path+"/run", nil).StatusCode)
	lost := b.page(path + "/people?of=skipped")
	require.Equal(t, 3, strings.Count(lost, `<td class="num">`), "a number twice, none, and one without consent")
	for _, reason := range []string{reach.Duplicate, reach.InvalidTarget, reach.NoConsent} {
		require.Contains(t, page, path+"/people?of=skipped&reason="+reason)
		some := b.page(path + "/people?of=skipped&reason=" + reason)
		require.Equal(t, 1, strings.Count(some, `<td class="num">`), reason)
	}
	require.NotContains(t, lost, "13877770002", "numbers are masked")
	require.Contains(t, b.page(path+"/people"), `class="empty"`)
	require.Len(t, lines(w, "recall.create"), 1)
	require.Len(t, lines(w, "recall.run"), 1)
}

// Caps are written, changed and ended in the console; the line of the settings holds while there is none.
func TestSendCaps(t *testing.T) {
	t.Parallel()
	w, b := signedIn(t)
	require.Contains(t, b.page("/console/caps"), "配置里的默认值")
	form := []string{"class", "marketing", "channel", "sms", "per", "hours", "hours", "48", "limit", "2"}
	for field, wrong := range map[string]string{"hours": "745", "limit": "-1", "class": "x", "channel": "pigeon", "per": "year"} {
		require.Regexp(t, `name="`+field+`"[^>]*aria-invalid="true"`, b.refused("/console/caps/new", with(form, field, wrong)...), field)
	}
	b.done("/console/caps/new", form...)
	var row model.ReachCap
	require.NoError(t, w.DB.Reader(t.Context()).Take(&row).Error)
	require.Equal(t, []any{"marketing", "sms", "hours", 48, 2}, []any{row.Class, row.Channel, row.Per, row.Hours, row.Limit})
	path := fmt.Sprint("/console/caps/", row.ID)
	require.NotContains(t, b.page(path), "配置里的默认值")
	require.Regexp(t, `name="hours"[^>]*value="48"`, b.page(path))
	b.done(path, with(form, "per", "week")...)
	require.NoError(t, w.DB.Reader(t.Context()).Take(&row, row.ID).Error)
	require.Equal(t, []any{"week", 0}, []any{row.Per, row.Hours})
	b.done(path + "/delete")
	require.Zero(t, w.Count(&model.ReachCap{}))
	require.Len(t, lines(w, "cap.save"), 2)
	require.Len(t, lines(w, "cap.delete"), 1)
}

// The quiet hours and the automatic stop are changed beside the caps; what was typed wrong stays, and the change is on record.
func TestSendSettings(t *testing.T) {
	t.Parallel()
	w, b := signedIn(t)
	require.Regexp(t, `name="quiet_from"[^>]*value="22:00"`, b.page("/console/caps"))
	form := []string{"quiet_from", "21:30", "quiet_to", "24:00", "stop_percent", "10", "stop_calls", "30"}
	for field, wrong := range map[string]string{"quiet_from": "25:00", "quiet_to": "21:30", "stop_percent": "", "stop_calls": "x"} {
		page := b.refused("/console/caps/settings", with(form, field, wrong)...)
		require.Regexp(t, `name="`+field+`" [^>]*value="`+wrong+`"[^>]*aria-invalid="true"`, page)
	}
	b.done("/console/caps/settings", form...)
	page := b.page("/console/caps")
	require.Regexp(t, `name="quiet_to"[^>]*value="24:00"`, page)
	require.Contains(t, page, "修改记录")
	require.Len(t, lines(w, "reach.settings"), 1)
	set, err := w.Reach.Settings(t.Context())
	require.NoError(t, err)
	require.Equal(t, []any{"21:30", "24:00", int64(10), int64(30)}, []any{set.QuietFrom, set.QuietTo, set.StopPercent, set.StopCalls})
	b.done("/console/caps/settings", with(with(form, "quiet_from", ""), "quiet_to", "")...)
}

// A test send goes to those whom the operator names, and says that it is one.
func TestTestSend(t *testing.T) {
	t.Parallel()
	w, b := signedIn(t)
	m := following(w)
	path := where(b.done("/console/broadcasts/new", "name", "上新", "class", "marketing", "shape", "tags", "match", "all", "text", "新品", "channel", "customer", "when", "hand", "v0.share", "40", "v0.channel", "customer", "v0.text", "老品"))
	require.Regexp(t, `name="members"[^>]*aria-invalid="true"`, b.refused(path+"/test", "members", "M404"))
	require.Regexp(t, `name="members"[^>]*aria-invalid="true"`, b.refused(path+"/test", "members", " , "))
	b.done(path+"/test", "members", m.No+", ", "variant", "B")
	w.Settle()
	var d model.Delivery
	require.NoError(t, w.DB.Reader(t.Context()).Take(&d, "member_id = ?", m.ID).Error)
	require.Equal(t, model.DeliveryAccepted, d.State)
	require.Len(t, lines(w, "broadcast.test"), 1)
}
