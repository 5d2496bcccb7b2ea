package wechat

import (
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"time"
)

// maxReplyText is the bytes of text that WeChat shows of a passive reply.
const maxReplyText = 2048

// Reply is a passive reply: at most one of its kinds. The zero Reply says "success" and shows the person nothing.
type Reply struct {
	Text     string
	ImageID  string // a media id
	Article  *Article
	Transfer bool   // hand the person over to customer service …
	To       string // … to this account of it, or to anyone
}

// Article is one card of a news reply; WeChat shows only one.
type Article struct{ Title, Description, PicURL, URL string }

// Seal writes the HTTP answer to a push: in the push's own format, encrypted if the push was. A mini-program can only be answered with
// nothing or with Transfer. p may be nil for the zero Reply.
func Seal(acc Account, p *Push, r Reply, now time.Time) (contentType string, body []byte, err error) {
	random := make([]byte, randomLen)
	if _, err := rand.Read(random); err != nil {
		return "", nil, fmt.Errorf("wechat: random: %w", err)
	}
	nonce, err := rand.Int(rand.Reader, big.NewInt(1_000_000_000))
	if err != nil {
		return "", nil, fmt.Errorf("wechat: random: %w", err)
	}
	return seal(acc, p, r, now, nonce.String(), random)
}

func seal(acc Account, p *Push, r Reply, now time.Time, nonce string, random []byte) (string, []byte, error) {
	if r == (Reply{}) {
		return "text/plain; charset=utf-8", []byte("success"), nil
	}
	if p == nil {
		return "", nil, errors.New("wechat: a reply needs the push that it answers")
	}
	if acc.Kind == KindMP && !r.Transfer {
		return "", nil, errors.New("wechat: a mini-program can only hand over to customer service; send a message instead")
	}
	contentType, write := "application/xml; charset=utf-8", replyXML
	if p.Format == FormatJSON {
		contentType, write = "application/json; charset=utf-8", replyJSON
	}
	plain := write(p, r, now)
	if !p.Safe {
		return contentType, plain, nil
	}
	crypt, err := NewCrypt(acc.Token, acc.EncodingAESKey, acc.AppID)
	if err != nil {
		return "", nil, fmt.Errorf("wechat: account %s: %w", acc.Name, err)
	}
	secret, err := crypt.Encrypt(random, plain)
	if err != nil {
		return "", nil, err
	}
	return contentType, envelope(crypt, p.Format, secret, strconv.FormatInt(now.Unix(), 10), nonce), nil
}

func envelope(c *Crypt, format, secret, timestamp, nonce string) []byte {
	sign := c.Signature(timestamp, nonce, secret)
	if format == FormatJSON {
		return fmt.Appendf(nil, `{"Encrypt":"%s","MsgSignature":"%s","TimeStamp":%s,"Nonce":"%s"}`, secret, sign, timestamp, nonce)
	}
	return fmt.Appendf(nil, "<xml><Encrypt><![CDATA[%s]]></Encrypt><MsgSignature><![CDATA[%s]]></MsgSignature>"+
		"<TimeStamp>%s</TimeStamp><Nonce><![CDATA[%s]]></Nonce></xml>", secret, sign, timestamp, nonce)
}

func (r Reply) msgType() string {
	switch {
	case r.Transfer:
		return "transfer_customer_service"
	case r.Article != nil:
		return "news"
	case r.ImageID != "":
		return "image"
	}
	return "text"
}

func replyXML(p *Push, r Reply, now time.Time) []byte {
	b := make([]byte, 0, 512)
	field := func(name, value string) {
		b = append(append(append(b, '<'), name...), '>')
		b = appendCDATA(b, value)
		b = append(append(append(b, "</"...), name...), '>')
	}
	b = append(b, "<xml>"...)
	field("ToUserName", p.FromUserName)
	field("FromUserName", p.ToUserName)
	b = fmt.Appendf(b, "<CreateTime>%d</CreateTime>", now.Unix())
	field("MsgType", r.msgType())
	switch r.msgType() {
	case "text":
		field("Content", clip(clean(r.Text), maxReplyText))
	case "image":
		b = append(b, "<Image>"...)
		field("MediaId", r.ImageID)
		b = append(b, "</Image>"...)
	case "news":
		b = append(b, "<ArticleCount>1</ArticleCount><Articles><item>"...)
		field("Title", r.Article.Title)
		field("Description", r.Article.Description)
		field("PicUrl", r.Article.PicURL)
		field("Url", r.Article.URL)
		b = append(b, "</item></Articles>"...)
	default:
		if r.To != "" {
			b = append(b, "<TransInfo>"...)
			field("KfAccount", r.To)
			b = append(b, "</TransInfo>"...)
		}
	}
	return append(b, "</xml>"...)
}

func replyJSON(p *Push, r Reply, now time.Time) []byte {
	b := make([]byte, 0, 512)
	field := func(before, name, value string) {
		b = append(append(append(append(b, before...), '"'), name...), '"', ':')
		b = appendJSON(b, value)
	}
	field("{", "ToUserName", p.FromUserName)
	field(",", "FromUserName", p.ToUserName)
	b = fmt.Appendf(b, `,"CreateTime":%d`, now.Unix())
	field(",", "MsgType", r.msgType())
	switch r.msgType() {
	case "text":
		field(",", "Content", clip(clean(r.Text), maxReplyText))
	case "image":
		field(`,"Image":{`, "MediaId", r.ImageID)
		b = append(b, '}')
	case "news":
		field(`,"ArticleCount":1,"Articles":[{`, "Title", r.Article.Title)
		field(",", "Description", r.Article.Description)
		field(",", "PicUrl", r.Article.PicURL)
		field(",", "Url", r.Article.URL)
		b = append(b, "}]"...)
	default:
		if r.To != "" {
			field(`,"TransInfo":{`, "KfAccount", r.To)
			b = append(b, '}')
		}
	}
	return append(b, '}')
}
