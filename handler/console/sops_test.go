package console_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/sop"
	"github.com/siyu-scrm/siyu/model"
)

// A step is sent to a named member to try it, and his page says that it was a test. What is refused loses nothing of the form beside it.
func TestSOPTestSend(t *testing.T) {
	t.Parallel()
	w, b := signedIn(t)
	m := following(w)
	path := where(b.done("/console/sops/new", "name", "新人", "steps", "1", "entry", "event", "entry.event", model.EventRegistered, "reentry", "never",
		"s0.key", "hello", "s0.kind", "send", "s0.class", "service", "s0.text", "你好", "s0.channel", "customer"))
	page := b.refused(path+"/test", "members", "M404", "step", "hello")
	require.Regexp(t, `name="members"[^>]*value="M404"[^>]*aria-invalid="true"`, page)
	require.Contains(t, page, `name="s0.key"`)
	b.refused(path+"/test", "members", m.No, "step", "x")
	run := b.page(where(b.done(path+"/test", "members", m.No, "step", "hello")))
	require.Contains(t, run, `href="`+path+`"`)
	w.Settle()
	require.Contains(t, b.page(fmt.Sprint("/console/members/", m.ID)), "测试发送 · ")
	require.Len(t, lines(w, "sop.test"), 1)
}

// The form shows each message as its reader sees it, and rehearses what stands in it for a named member; nothing is saved.
func TestSOPLook(t *testing.T) {
	t.Parallel()
	w, b := signedIn(t)
	m := following(w)
	form := []string{
		"name", "新人", "steps", "2", "entry", "event", "entry.event", model.EventRegistered, "reentry", "always",
		"s0.key", "hello", "s0.kind", "send", "s0.class", "service", "s0.text", "{{nickname}}你好", "s0.fallback.nickname", "朋友", "s0.channel", "customer",
		"s1.key", "week", "s1.kind", "send", "s1.when", "day", "s1.day", "7", "s1.time", "10:00", "s1.text", "一周 {{radar:9}}", "s1.channel", "sms",
	}
	look := func(pairs ...string) string { return b.post("/console/sops/new/look", append(form, pairs...)...).body }
	page := look()
	require.Equal(t, 2, strings.Count(page, `<div class="phone">`))
	require.Contains(t, page, "<p>小林你好</p>")
	require.Contains(t, page, "【siyu】一周 https://… 拒收请回复T", "as it is sent")
	form[len(form)-3] = "一周"
	page = look("try.no", m.No)
	require.Contains(t, page, "小林 会收到")
	require.Regexp(t, `<code>hello</code>\s*<br><span class="badge delivery-accepted">`, page)
	require.Regexp(t, `<code>week</code>\s*<br><span class="badge delivery-suppressed">`, page)
	require.NotRegexp(t, `<code>week</code>\s*<br>`, look("try.no", m.No, "try.to", string(w.Zone.DayOf(w.Now()))), "the days are those named")
	for _, wrong := range [][]string{{"try.no", "M404"}, {"try.no", m.No, "try.from", "x"}, {"try.no", m.No, "try.to", "2020-01-01"}, {"try.no", m.No, "s0.key", ""}} {
		page := b.post("/console/sops/new/look", append(wrong, form...)...)
		require.Equal(t, http.StatusOK, page.StatusCode)
		if wrong[len(wrong)-2] != "s0.key" {
			require.Regexp(t, `id="look"[^>]*><h2>[^<]*</h2>\s*<p class="notice warn">`, page.body, wrong)
		}
	}
	require.Zero(t, w.Count(&model.SOP{}))
}

// A SOP from its template to a member's page, by forms alone.
func TestSOPs(t *testing.T) {
	t.Parallel()
	w, s := signedIn(t)
	send := func(path string, form url.Values) string {
		var pairs []string
		for name, list := range form {
			pairs = append(pairs, name, list[0])
		}
		return s.post(path, pairs...).body
	}
	require.Contains(t, s.page("/console/sops"), "template=new")
	require.Contains(t, s.page("/console/sops/new?template=new"), "day7")
	form := url.Values{
		"name": {"新人"}, "steps": {"2"}, "entry": {"event"}, "entry.event": {model.EventRegistered}, "reentry": {"never"}, "exit.0.event": {model.EventOrderPaid},
		"s0.key": {"hello"}, "s0.kind": {"send"}, "s0.class": {"service"}, "s0.text": {"你好"}, "s0.channel": {"customer"}, "s0.grants.amount": {"5"}, "s0.grants.account": {"points"},
		"s1.key": {"week"}, "s1.kind": {"send"}, "s1.when": {"day"}, "s1.day": {"7"}, "s1.time": {"10:00"}, "s1.text": {"一周"}, "s1.channel": {"customer"},
		"s1.fact.0.leaf": {"orders.count"}, "s1.fact.0.orders.count.op": {"eq"}, "s1.fact.0.orders.count.value": {"0"},
	}
	form.Set("do", "up:1")
	moved := send("/console/sops/new/shift", form)
	require.Less(t, strings.Index(moved, `value="week"`), strings.Index(moved, `value="hello"`))
	require.Zero(t, w.Count(&model.SOP{}), "moving a step saves nothing")
	form.Del("do")
	send("/console/sops/new", form)
	var row model.SOP
	require.NoError(t, w.DB.Reader(t.Context()).Take(&row).Error)
	path := fmt.Sprint("/console/sops/", row.ID)
	send(path+"/turn", url.Values{"do": {"enable"}})
	_, id := w.Member("alice")
	w.Settle()
	require.EqualValues(t, 5, w.Points(id))
	require.Contains(t, s.page(path), "没有关注 1")
	require.Contains(t, s.page(fmt.Sprint("/console/members/", id)), path)
	for list, behind := range map[string]bool{
		"outcome=entered": true, "outcome=running": true, "outcome=skipped&reason=UNSUBSCRIBED": true, "outcome=skipped&reason=FREQ_CAP": false, "outcome=sent": false,
		"outcome=opened": false, "outcome=goal": false, "outcome=done": false, "outcome=exited": false,
		"step=hello": true, "step=hello&reason=UNSUBSCRIBED": true, "step=hello&outcome=granted": true, "step=hello&state=accepted": false, "step=week&outcome=standing": true, "step=week": false,
	} {
		require.Equal(t, behind, strings.Contains(s.page(path+"/people?"+list), fmt.Sprintf(`href="/console/members/%d"`, id)), list)
	}
	keep := []string{"step", "", "outcome", "skipped", "reason", "UNSUBSCRIBED", "name"}
	s.refused(path+"/people/audience", append(keep, "")...)
	require.Contains(t, s.page(where(s.done(path+"/people/audience", append(keep, "没关注的")...))), "没关注的")
	var kept model.Audience
	require.NoError(t, w.DB.Reader(t.Context()).Take(&kept).Error)
	require.EqualValues(t, 1, kept.Count)
	require.Contains(t, s.page(path), `href="`+path+`/results"`)
	for list, behind := range map[string]bool{
		"group=all&what=skipped": true, "group=all&what=skipped&step=hello": true, "group=all&what=people&step=week": false, "group=all&what=sent": false, "group=all&what=coupons": false,
	} {
		page := s.page(path + "/results?days=3&" + list)
		require.Equal(t, behind, strings.Contains(page, fmt.Sprintf(`href="/console/members/%d"`, id)), list)
		require.Regexp(t, `<option( selected)?>week</option>`, page)
	}
	keep = []string{"group", "all", "what", "skipped", "step", "hello", "days", "3", "name"}
	s.refused(path+"/results/audience", append(keep, "")...)
	require.Contains(t, s.page(where(s.done(path+"/results/audience", append(keep, "第一步没收到")...))), "第一步没收到")
	for control, value := range map[string]string{
		"s1.day": "x", "s1.time": "10 o'clock", "s1.text": "", "s0.grants.amount": "-1", "s1.key": "hello", "s1.next": "nowhere", "exit.0.event": "no.such", "s1.fact.0.orders.count.value": "x",
	} {
		was := form.Get(control)
		form.Set(control, value)
		require.Regexp(t, `name="`+regexp.QuoteMeta(control)+`"[^>]*aria-invalid="true"`, send(path, form), control)
		form.Set(control, was)
	}
}

// Every template is shown and saved as it is, by what a browser sends for the untouched form.
func TestSOPFormSaysWhatTheTemplateSays(t *testing.T) {
	t.Parallel()
	w, b := signedIn(t)
	templates, err := w.SOPTemplates(t.Context(), "zh-CN")
	require.NoError(t, err)
	templates = append(templates, sop.Template{Code: "", Definition: everyPart(t)})
	for _, tpl := range templates {
		path := "/console/sops/new?template=" + tpl.Code
		if tpl.Code == "" {
			row, err := w.SOPs.Save(t.Context(), sop.Input{Definition: tpl.Definition})
			require.NoError(t, err)
			path = fmt.Sprint("/console/sops/", row.ID)
		}
		page := b.page(path)
		require.NotContains(t, page, `option value="json" selected`, tpl.Code)
		to, _, _ := strings.Cut(path, "?")
		res := b.do(http.MethodPost, to, fields(page[strings.Index(page, `<form class="card form"`):]))
		require.Equal(t, http.StatusSeeOther, res.StatusCode, "%s: %s", tpl.Code, first(alert, res.body))
		var row model.SOP
		require.NoError(t, w.DB.Reader(t.Context()).Order("id DESC").Take(&row).Error)
		got, err := w.SOPs.Version(t.Context(), &row, 0)
		require.NoError(t, err)
		want := model.ToJSON(tpl.Definition)
		require.JSONEq(t, plain(string(want)), plain(string(model.ToJSON(got))), tpl.Code)
	}
}

// plain leaves out what is the default.
func plain(s string) string {
	return strings.NewReplacer(`"reentry":{"mode":"never"},`, "", `,"account":"points"`, "", `"account":"points",`, "").Replace(s)
}

// everyPart is a SOP that has each part that there is.
func everyPart(t *testing.T) (d sop.Definition) {
	t.Helper()
	_, message := everyChannel("")
	require.NoError(t, json.Unmarshal([]byte(`{"name":"全部","class":"service","entry":{"cron":"0 10 1 * *","condition":{"any":[{"leaf":"member","field":"joined","value":true},{"not":{"leaf":"inactive","op":"gte","days":30}}]}},
		"reentry":{"mode":"after","days":30},"exit":[{"event":"order.paid","condition":{"leaf":"event.field","field":"amount_fen","op":"gte","value":100}},{"condition":{"leaf":"member","field":"follower","value":false}}],
		"goal":{"event":"order.paid","days":3},"steps":[
		{"key":"a","when":{"after":"2h"},"next":"c","send":{"message":{"channels":[]},"condition":{"leaf":"member","field":"follower","value":true},"grants":{"account":"growth","amount":7,"memo":"谢谢"}}},
		{"key":"b","branch":{"condition":{"leaf":"did","event":"checkin.done","op":"gte","count":3,"window":"7d"}},"when":{"cron":"0 9 * * 1"},"next":"d","otherwise":"end"},
		{"key":"c","wait":{"event":"checkin.done","timeout":"72h"},"otherwise":"d"},
		{"key":"d","when":{"at":"2027-01-01T10:00:00Z"},"send":{"class":"marketing","message":{"channels":["customer"],"text":"再见"}}}]}`), &d))
	d.Steps[0].Send.Message = message
	return d
}
