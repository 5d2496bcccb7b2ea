package console_test

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/tag"
	"github.com/siyu-scrm/siyu/app/wechat"
	"github.com/siyu-scrm/siyu/model"
)

// upload posts a picture as the page does.
func (b *browser) upload(name, data string) answer {
	b.t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	require.NoError(b.t, w.WriteField("name", name))
	part, err := w.CreateFormFile("file", "poster.png")
	require.NoError(b.t, err)
	_, err = part.Write([]byte(data))
	require.NoError(b.t, err)
	require.NoError(b.t, w.Close())
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.base+"/console/media", &body)
	require.NoError(b.t, err)
	req.Header.Set("Content-Type", w.FormDataContentType())
	req.Header.Set("Accept", "text/html")
	req.Header.Set("Origin", b.base)
	res, err := b.client.Do(req)
	require.NoError(b.t, err)
	defer res.Body.Close()
	return answer{Response: res}
}

const png = "\x89PNG\r\n\x1a\n a picture"

func pictures(w *apptest.World) []string {
	var ids []string
	list, err := w.Media.List(w.T.Context())
	require.NoError(w.T, err)
	for _, m := range list {
		ids = append(ids, fmt.Sprint(m.ID))
	}
	return ids
}

func TestReplies(t *testing.T) {
	t.Parallel()
	w, b := signedIn(t)
	require.Equal(t, http.StatusSeeOther, b.upload("", png).StatusCode)
	require.Contains(t, b.page("/console/media"), "poster", "the file's own name")
	require.Equal(t, http.StatusBadRequest, b.upload("page", "<html>").StatusCode)
	pic := pictures(w)[0]
	require.Equal(t, "image/png", b.get("/console/media/"+pic).Header.Get("Content-Type"))

	form := []string{
		"name", "海报", "trigger", "keyword", "match", "contains", "mode", "all", "words", "海报\n图", "enabled", "on",
		"kind", "image", "text", "", "image", pic, "title", "", "description", "", "url", "", "path", "", "pic_url", "", "agent", "", "material", "",
		"kind", "text", "text", "拿好", "image", "",
		"kind", "", "text", "not sent", "image", "",
	}
	require.Equal(t, "/console/replies?done=saved", b.done("/console/replies/new", form...))
	rules, err := w.Replies.List(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"海报", "图"}, rules[0].Words)
	require.Len(t, rules[0].Messages, 2)
	w.Settle()
	require.Contains(t, b.page("/console/replies"), "拿好")
	require.Contains(t, b.page("/console/media"), fmt.Sprintf(`<a href="/console/replies/%d">海报</a>`, rules[0].ID), "what sends it")
	at := fmt.Sprintf("/console/replies/%d", rules[0].ID)
	require.Contains(t, b.page(at), "拿好")
	require.Contains(t, b.refused(at, "name", "海报", "trigger", "keyword", "match", "exact", "mode", "all", "words", "x", "kind", "text", "text", strings.Repeat("长", 700)), "2048")
	b.refused("/console/media/" + pic + "/delete") // in use
	require.Equal(t, "/console/replies?done=deleted", b.done(at+"/delete"))
	require.Equal(t, "/console/media?done=deleted", b.done("/console/media/"+pic+"/delete"))

	b.upload("封面", png)
	pic = pictures(w)[0]
	b.done("/console/channels/new", "code", "rich", "name", "rich", "welcome", "hi", "card_title", "t", "card_path", "p", "card_image", pic, "image", pic,
		"article_title", "故事", "article_url", "https://example.com", "article_image", pic)
	var c model.ChannelCode
	require.NoError(t, w.DB.Reader(t.Context()).Where("code = ?", "rich").Take(&c).Error)
	require.Equal(t, []string{pic, pic}, []string{fmt.Sprint(c.ImageID), fmt.Sprint(c.CardImage)})
	require.Contains(t, b.page(fmt.Sprintf("/console/channels/%d", c.ID)), "故事")
	require.Contains(t, b.refused("/console/channels/new", "code", "bad", "name", "x", "article_title", "t", "article_url", "nowhere"), "1024")
}

func TestMenu(t *testing.T) {
	t.Parallel()
	w, b := signedIn(t)
	b.page("/console/menu")
	b.refused("/console/menu/publish")
	require.Contains(t, b.refused("/console/menu/all", "name.0.0", "一二三四五六", "type.0.0", "click", "value.0.0", "K"), "16")
	b.refused("/console/menu/all", "name.0.0", "top", "type.0.0", "", "name.0.1", "x", "type.0.1", "view", "value.0.1", "nowhere")
	require.Equal(t, "/console/menu?done=saved", b.done("/console/menu/all",
		"name.0.0", "签到", "type.0.0", "click", "value.0.0", "CHECKIN",
		"name.2.0", "会员", "type.2.0", "", "name.2.1", "中心", "type.2.1", "miniprogram", "value.2.1", "https://a.b", "page.2.1", "pages/index/index",
		"name.2.3", "官网", "type.2.3", "view", "value.2.3", "https://a.b"))
	vip := fmt.Sprint(w.Tag(tag.Value, "VIP"))
	b.refused("/console/menu/new", "name.0.0", "A", "type.0.0", "click", "value.0.0", "K")
	b.done("/console/menu/new", "tag", vip, "position", "1", "name.0.0", "尊享", "type.0.0", "click", "value.0.0", "VIP")
	require.Equal(t, "/console/menu?done=published", b.done("/console/menu/publish"))
	page := b.page("/console/menu")
	for _, said := range []string{"签到", "中心", "官网", "尊享", "key=VIP"} {
		require.Contains(t, page, said)
	}
	p, _ := w.Member("阿青")
	w.Act(p, "follow", map[string]any{"account": "oa"})
	w.Advance(0)
	shown := b.page("/console/menu?member=阿青")
	require.Regexp(t, `(?s)发布之后.*签到.*微信现在显示的.*签到`, shown, "what a member sees")
	require.NotContains(t, shown[strings.Index(shown, "发布之后"):], "尊享", "he has no such tag")
	require.Contains(t, b.page("/console/menu/all"), `value="https://a.b"`)
	require.Contains(t, b.page("/console/menu/"+vip), "尊享")
	b.done("/console/menu/" + vip + "/delete")
	require.NotContains(t, b.page("/console/menu"), "尊享")
	require.Equal(t, "/console/menu?done=imported", b.done("/console/menu/import"))
	b.page("/console/menu?done=imported")
	require.Equal(t, http.StatusNotFound, b.get("/console/menu/"+vip).StatusCode)

	second := w.Accounts[slices.IndexFunc(w.Accounts, func(a wechat.Account) bool { return a.Kind == model.KindOA })]
	second.Name = "oa2"
	w.Accounts = append(w.Accounts, second)
	require.Contains(t, b.page("/console/menu/new"), `action="/console/menu/new?account=oa"`, "with several accounts, the address names one")
	require.Contains(t, b.get("/console/menu?account=oa2").body, "oa2", "it is the one that is asked for")
}
