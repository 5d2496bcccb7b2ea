package console_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/broadcast"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/model"
)

// everyChannel is a message that has something of its own for each channel, as a form sends it and as it is stored.
func everyChannel(at string) (url.Values, reach.Message) {
	fields := map[string]string{"thing1": "新品", "amount2": "¥9.90"}
	m := reach.Message{
		Text: "您好\n新品来了", Fallbacks: map[string]string{"nickname": "朋友"}, Channels: reach.Channels,
		Subscribe: &reach.SubscribeContent{TemplateID: "T1", Page: "pages/a", Data: fields},
		Template:  &reach.TemplateContent{TemplateID: "T2", URL: "https://example.com/a", Data: fields},
		Notice:    &reach.TemplateContent{TemplateID: "T3", Page: "pages/b", Data: map[string]string{"thing1": "{{nickname}}"}},
		SMS:       &reach.PhoneContent{Text: "短信", Template: "1001", Params: []string{"一", "{{nickname}}"}},
		Call:      &reach.PhoneContent{Text: "外呼"},
		Inbox:     &reach.InboxContent{Title: "标题", Page: "pages/c"},
		Customer:  &reach.CustomerContent{Kind: reach.Menu, Head: "喜欢哪种?", Choices: []string{"甜", "咸"}, Tail: "谢谢"},
	}
	form := url.Values{}
	for name, value := range map[string]string{
		"text": "您好\r\n新品来了", "fallback.nickname": "朋友",
		"subscribe.template_id": "T1", "subscribe.page": "pages/a", "subscribe.data.0.name": "thing1", "subscribe.data.0.value": "新品", "subscribe.data.2.name": "amount2", "subscribe.data.2.value": "¥9.90",
		"template.template_id": "T2", "template.url": "https://example.com/a", "template.data.0.name": "thing1", "template.data.0.value": "新品", "template.data.1.name": "amount2", "template.data.1.value": "¥9.90",
		"notice.template_id": "T3", "notice.page": "pages/b", "notice.data.5.name": "thing1", "notice.data.5.value": "{{nickname}}",
		"sms.text": "短信", "sms.template": "1001", "sms.params": "一\r\n{{nickname}}", "call.text": "外呼", "inbox.title": "标题", "inbox.page": "pages/c",
		"customer.kind": "menu", "customer.head": "喜欢哪种?", "customer.choices": "甜\r\n咸", "customer.tail": "谢谢", "customer.title": "of another kind",
	} {
		form.Set(at+name, value)
	}
	form[at+"channel"] = append(append([]string{}, reach.Channels...), "")
	return form, m
}

// What is typed is what is stored; what is shown and saved again stays the same; what is wrong is said beside its control.
func TestMessageForm(t *testing.T) {
	t.Parallel()
	w, b := signedIn(t)
	form, want := everyChannel("")
	other, _ := everyChannel("v1.")
	for name, list := range other {
		form[name] = list
	}
	for name, value := range map[string]string{"name": "上新", "class": "service", "shape": "tags", "when": "hand", "v1.share": "30"} {
		form.Set(name, value)
	}
	stored := func() (m reach.Message, trial broadcast.Trial) {
		var row model.Broadcast
		require.NoError(t, w.DB.Reader(t.Context()).Take(&row).Error)
		require.NoError(t, json.Unmarshal(row.Message, &m))
		require.NoError(t, row.Trial.Into(&trial))
		return m, trial
	}
	res := b.do(http.MethodPost, "/console/broadcasts/new", form)
	require.Equal(t, http.StatusSeeOther, res.StatusCode, res.body)
	path := strings.Split(res.Header.Get("Location"), "?")[0]
	got, trial := stored()
	require.Equal(t, want, got)
	require.Equal(t, []broadcast.Variant{{Share: 30, Message: want}}, trial.Variants)

	again := fields(forms.FindString(b.page(path + "/edit")[strings.Index(b.page(path+"/edit"), `<form class="card form"`):]))
	require.Equal(t, http.StatusSeeOther, b.do(http.MethodPost, path, again).StatusCode)
	got, trial = stored()
	require.Equal(t, want, got, "shown and saved again")
	require.Equal(t, want, trial.Variants[0].Message)

	for _, c := range []struct{ control, value, at, says string }{
		{"subscribe.data.2.value", "九块九", "subscribe.data.2.value", "amount2"},
		{"subscribe.data.2.name", "", "subscribe.data.2.name", "字段名"},
		{"template.data.1.name", "thing1", "template.data.1.name", "字段名"},
		{"notice.page", "/pages/b", "notice.page", "斜杠"},
		{"template.url", "example.com", "template.url", "http"},
		{"sms.text", strings.Repeat("长", 501), "sms.text", "500"},
		{"call.text", "{{points}}", "call.text", "替代文字"},
		{"inbox.title", strings.Repeat("长", 65), "inbox.title", "64"},
		{"text", strings.Repeat("长", 601), "text", "600"},
		{"customer.choices", "甜\n甜", "customer.choices", "重复"},
		{"customer.kind", "news", "customer.url", ""},
		{"customer.kind", "voice", "customer.kind", ""},
		{"v1.notice.data.5.value", "{{points}}", "v1.notice.data.5.value", "替代文字"},
		{"v1.inbox.page", "/x", "v1.inbox.page", "斜杠"},
		{"v1.share", "100", "v1.share", "99"},
	} {
		wrong := url.Values{}
		for name, list := range form {
			wrong[name] = list
		}
		wrong.Set(c.control, c.value)
		res := b.do(http.MethodPost, path, wrong)
		require.Equal(t, http.StatusBadRequest, res.StatusCode, c.control)
		require.Regexp(t, fmt.Sprintf(`name="%s"[^>]*aria-invalid="true"`, c.at), res.body)
		require.Regexp(t, fmt.Sprintf(`class="wrong" id="%s-wrong">[^<]*%s`, c.at, c.says), res.body)
	}
	got, _ = stored()
	require.Equal(t, want, got, "a refusal changes nothing")

	require.Equal(t, http.StatusSeeOther, b.upload("", png).StatusCode)
	for kind, want := range map[string]*reach.CustomerContent{
		"news":  {Kind: "news", ImageID: 1, Title: "新品", Description: "来看", URL: "https://example.com/a"},
		"card":  {Kind: "card", ImageID: 1, Title: "新品", Path: "pages/a"},
		"image": {Kind: "image", ImageID: 1},
		"":      nil,
	} {
		for name, value := range map[string]string{"kind": kind, "image_id": "1", "title": "新品", "description": "来看", "url": "https://example.com/a", "path": "pages/a"} {
			form.Set("customer."+name, value)
		}
		res := b.do(http.MethodPost, path, form)
		require.Equal(t, http.StatusSeeOther, res.StatusCode, res.body)
		got, _ := stored()
		require.Equal(t, want, got.Customer, kind)
		if kind == "image" {
			require.Contains(t, b.page("/console/media"), `<a href="/console/broadcasts/1">群发 1</a>`)
		}
	}

	form["channel"] = []string{"sms"}
	form.Set("sms.text", "")
	form.Set("insert", "{{no}}")
	form.Set("fallback.no", "—")
	require.Equal(t, http.StatusSeeOther, b.do(http.MethodPost, path, form).StatusCode)
	got, _ = stored()
	require.Nil(t, got.Template, "what no chosen channel uses is left")
	require.Equal(t, "您好\n新品来了 {{no}}", got.Text, "without a script, what is chosen to insert stands behind the text")
}
