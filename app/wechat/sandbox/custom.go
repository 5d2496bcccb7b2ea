package sandbox

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// customTextMax is the length of a text in bytes (FACTS §3.3, uncertain).
const customTextMax = 2048

// customMessage is what message/custom/send takes.
type customMessage struct {
	ToUser  string          `json:"touser"`
	MsgType string          `json:"msgtype"`
	Text    *textPart       `json:"text"`
	Image   json.RawMessage `json:"image"`
	Voice   json.RawMessage `json:"voice"`
	Video   json.RawMessage `json:"video"`
	Music   json.RawMessage `json:"music"`
	News    *struct {
		Articles []struct {
			Title       string `json:"title"`
			Description string `json:"description"`
			URL         string `json:"url"`
			PicURL      string `json:"picurl"`
		} `json:"articles"`
	} `json:"news"`
	MpNews  json.RawMessage `json:"mpnews"`
	Article json.RawMessage `json:"mpnewsarticle"`
	Menu    *struct {
		Head string `json:"head_content"`
		List []struct {
			ID      text   `json:"id"`
			Content string `json:"content"`
		} `json:"list"`
		Tail string `json:"tail_content"`
	} `json:"msgmenu"`
	Card json.RawMessage `json:"wxcard"`
	Link json.RawMessage `json:"link"`
	Page *struct {
		Title string `json:"title"`
		AppID string `json:"appid"`
		Path  string `json:"pagepath"`
		Thumb string `json:"thumb_media_id"`
	} `json:"miniprogrampage"`
}

type textPart struct {
	Content string `json:"content"`
}

func customSend(c *call) answer {
	var in customMessage
	if a, ok := c.read(&in); !ok {
		return a
	}
	id, p := c.s.personOf(c.acct, in.ToUser)
	if p == nil {
		return c.fail(40003)
	}
	b, code := c.customBody(&in)
	if code != 0 {
		return c.fail(code)
	}
	r := p.relation(c.acct)
	switch {
	case r == nil, c.acct.Kind != KindMiniProgram && !r.subscribed:
		return c.fail(45015)
	case r.blocked:
		return c.fail(43019)
	case r.rejecting:
		return c.fail(48002)
	}
	if code := r.spendMessage(c.now); code != 0 {
		return c.fail(code)
	}
	c.s.saveRelation(id, r)
	c.s.deliver(c.acct, []int64{id}, b, c.now)
	return c.ok()
}

// customBody is what the person sees; or an errcode.
func (c *call) customBody(in *customMessage) (body, int) {
	b := body{channel: ChannelCustom, typ: in.MsgType}
	part := func(raw json.RawMessage, label string) (body, int) {
		if len(raw) == 0 {
			return b, 44004
		}
		var m struct {
			MediaID   string `json:"media_id"`
			ArticleID string `json:"article_id"`
			Title     string `json:"title"`
		}
		if err := json.Unmarshal(raw, &m); err != nil {
			return b, 47001
		}
		if m.MediaID == "" && m.ArticleID == "" && in.MsgType != "music" && in.MsgType != "wxcard" && in.MsgType != "link" {
			return b, 40007
		}
		if m.MediaID != "" && !c.acct.holdsMedia(m.MediaID, c.now) {
			return b, 40007
		}
		b.content, b.data = strings.TrimSpace(label+" "+m.Title), string(raw)
		return b, 0
	}
	switch in.MsgType {
	case "text":
		if in.Text == nil || in.Text.Content == "" {
			return b, 44004
		}
		if len(in.Text.Content) > customTextMax {
			return b, 45002
		}
		b.content = in.Text.Content
		return b, 0
	case "image":
		return part(in.Image, "[图片]")
	case "voice":
		return part(in.Voice, "[语音]")
	case "video":
		return part(in.Video, "[视频]")
	case "music":
		return part(in.Music, "[音乐]")
	case "mpnews":
		return part(in.MpNews, "[图文]")
	case "mpnewsarticle":
		return part(in.Article, "[图文]")
	case "wxcard":
		return part(in.Card, "[卡券]")
	case "link":
		return part(in.Link, "[链接]")
	case "news":
		if in.News == nil || len(in.News.Articles) == 0 {
			return b, 44004
		}
		if len(in.News.Articles) > 1 {
			return b, 45008
		}
		n := in.News.Articles[0]
		b.content = fmt.Sprintf("[图文] %s\n%s\n%s", n.Title, n.Description, n.URL)
		b.data = toData(in.News)
		return b, 0
	case "msgmenu":
		if in.Menu == nil || len(in.Menu.List) == 0 {
			return b, 44004
		}
		lines := []string{in.Menu.Head}
		for _, item := range in.Menu.List {
			lines = append(lines, "▸ "+item.Content)
		}
		b.content, b.data = strings.Trim(strings.Join(append(lines, in.Menu.Tail), "\n"), "\n"), toData(in.Menu)
		return b, 0
	case "miniprogrampage":
		if in.Page == nil {
			return b, 44004
		}
		if !c.acct.holdsMedia(in.Page.Thumb, c.now) {
			return b, 40007
		}
		b.content, b.data = fmt.Sprintf("[小程序] %s\n%s", in.Page.Title, in.Page.Path), toData(in.Page)
		return b, 0
	}
	return b, 40004
}

func toData(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(raw)
}

func (a *account) holdsMedia(id string, now time.Time) bool {
	until, ok := a.saved.Media[id]
	return ok && (until == 0 || now.Unix() < until)
}
