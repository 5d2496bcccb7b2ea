package wechat

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"

	"github.com/siyu-scrm/siyu/app/errs"
)

// Sends are our own JSON: the library's take no context and flatten errcodes into text. Read their errors with OutcomeOf: WeChat
// dedupes none of them, so that an Unknown one must not be repeated.

const pathCustom = "/cgi-bin/message/custom/send"

// Card is a mini-program card. It needs the media id of a picture.
type Card struct{ Title, AppID, Path, ThumbMediaID string }

// SendText sends a customer message, inside the window that the person's last action opened.
func (c *Client) SendText(ctx context.Context, account, openid, text string) error {
	if text == "" {
		return errs.Field("text", "wechat.field_invalid")
	}
	b := appendJSON([]byte(`"text","text":{"content":`), text)
	return c.custom(ctx, account, openid, append(b, '}'))
}

// SendMiniProgramCard sends a customer message that opens a mini-program.
func (c *Client) SendMiniProgramCard(ctx context.Context, account, openid string, card Card) error {
	if card.Title == "" || card.AppID == "" || card.Path == "" {
		return errs.Field("card", "wechat.field_invalid")
	}
	b := appendFields([]byte(`"miniprogrampage","miniprogrampage":{`),
		"title", card.Title, "appid", card.AppID, "pagepath", card.Path, "thumb_media_id", card.ThumbMediaID)
	return c.custom(ctx, account, openid, append(b, '}'))
}

// MessageMenu is a message with choices. Who taps one sends its text, with its number from 1 (FACTS §2.2, bizmsgmenuid).
type MessageMenu struct {
	Head    string
	Choices []string
	Tail    string
}

// SendMenu sends a customer message with choices.
func (c *Client) SendMenu(ctx context.Context, account, openid string, m MessageMenu) error {
	if len(m.Choices) == 0 {
		return errs.Field("choices", "wechat.field_invalid")
	}
	b := appendFields([]byte(`"msgmenu","msgmenu":{`), "head_content", m.Head)
	b = append(b, `,"list":[`...)
	for i, choice := range m.Choices {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendFields(append(b, '{'), "id", strconv.Itoa(i+1), "content", choice), '}')
	}
	b = appendFields(append(b, "],"...), "tail_content", m.Tail)
	return c.custom(ctx, account, openid, append(b, '}'))
}

// SendNews sends a customer message with one article, from an official account.
func (c *Client) SendNews(ctx context.Context, account, openid string, a Article) error {
	if a.Title == "" || a.URL == "" {
		return errs.Field("article", "wechat.field_invalid")
	}
	if _, err := c.holder(account, KindOA); err != nil {
		return err
	}
	b := appendFields([]byte(`"news","news":{"articles":[{`), "title", a.Title, "description", a.Description, "url", a.URL, "picurl", a.PicURL)
	return c.custom(ctx, account, openid, append(b, "}]}"...))
}

// custom sends a customer message; rest is the JSON from the value of msgtype to the end of its content.
func (c *Client) custom(ctx context.Context, account, openid string, rest []byte) error {
	h, err := c.holder(account)
	if err != nil {
		return err
	}
	if err := checkOpenID(openid); err != nil {
		return err
	}
	b := make([]byte, 0, len(rest)+len(openid)+32)
	b = append(append(append(b, `{"touser":"`...), openid...), `","msgtype":`...)
	_, err = c.post(ctx, h, pathCustom, append(append(b, rest...), '}'))
	return err
}

// SendSubscribe sends a subscribe message: a mini-program's, which uses up one acceptance, or an official account's subscribe
// notice, for which WeChat gives no msgID. data maps a template's fields (thing1, date2, …) to their values.
func (c *Client) SendSubscribe(
	ctx context.Context, account, openid, templateID, page string, data map[string]string,
) (msgID string, err error) {
	h, err := c.holder(account)
	if err != nil {
		return "", err
	}
	if err := checkOpenID(openid); err != nil {
		return "", err
	}
	if templateID == "" {
		return "", errs.Field("template_id", "wechat.field_invalid")
	}
	path := "/cgi-bin/message/subscribe/send"
	b := appendFields([]byte{'{'}, "touser", openid, "template_id", templateID)
	if page != "" {
		b = appendJSON(append(b, `,"page":`...), page)
	}
	if h.Kind == KindMP {
		b = append(b, `,"miniprogram_state":"formal","lang":"zh_CN"`...)
	} else {
		path = "/cgi-bin/message/subscribe/bizsend"
	}
	body, err := c.post(ctx, h, path, appendData(b, data))
	if err != nil {
		return "", err
	}
	return numberIn(body, "msgid"), nil
}

// TemplateMessage is a template message of an official account: about what a follower did, never marketing. It opens the mini-program's page if
// it names one, else the web page, else nothing.
type TemplateMessage struct {
	TemplateID, URL string
	AppID, Page     string // of the mini-program
	Data            map[string]string
	Key             string // client_msg_id
}

// SendTemplate sends a template message; its result comes as TEMPLATESENDJOBFINISH.
func (c *Client) SendTemplate(ctx context.Context, account, openid string, m TemplateMessage) (msgID string, err error) {
	body, err := c.template(ctx, account, openid, "/cgi-bin/message/template/send", "url", m)
	if err != nil {
		return "", err
	}
	return numberIn(body, "msgid"), nil
}

// SendNotice sends a subscribe notice of an official account, which uses up one acceptance. WeChat gives it no id.
func (c *Client) SendNotice(ctx context.Context, account, openid string, m TemplateMessage) error {
	m.Key = ""
	_, err := c.template(ctx, account, openid, "/cgi-bin/message/subscribe/bizsend", "page", m)
	return err
}

// template sends by a template; the web page that it opens stands in a field of its own name.
func (c *Client) template(ctx context.Context, account, openid, path, url string, m TemplateMessage) ([]byte, error) {
	h, err := c.holder(account, KindOA)
	if err != nil {
		return nil, err
	}
	if err := checkOpenID(openid); err != nil {
		return nil, err
	}
	if m.TemplateID == "" {
		return nil, errs.Field("template_id", "wechat.field_invalid")
	}
	b := appendFields([]byte{'{'}, "touser", openid, "template_id", m.TemplateID)
	if m.URL != "" {
		b = append(b, ',')
		b = appendFields(b, url, m.URL)
	}
	if m.Page != "" && m.AppID != "" {
		b = append(appendFields(append(b, `,"miniprogram":{`...), "appid", m.AppID, "pagepath", m.Page), '}')
	}
	if m.Key != "" {
		b = appendJSON(append(b, `,"client_msg_id":`...), m.Key)
	}
	return c.post(ctx, h, path, appendData(b, m.Data))
}

// appendData appends the fields of a template and the end of the message.
func appendData(b []byte, data map[string]string) []byte {
	b = append(b, `,"data":{`...)
	for i, name := range slices.Sorted(maps.Keys(data)) {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendJSON(append(appendJSON(b, name), `:{"value":`...), data[name])
		b = append(b, '}')
	}
	return append(b, "}}"...)
}

// appendFields appends "name":"value" pairs.
func appendFields(b []byte, pairs ...string) []byte {
	for i := 0; i+1 < len(pairs); i += 2 {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendJSON(append(appendJSON(b, pairs[i]), ':'), pairs[i+1])
	}
	return b
}

// numberIn is a 64-bit id in an answer, digit by digit; "" without one.
func numberIn(body []byte, name string) string {
	var answer map[string]json.RawMessage
	var id json.Number
	if json.Unmarshal(body, &answer) != nil || json.Unmarshal(answer[name], &id) != nil {
		return ""
	}
	return id.String()
}
