package sandbox

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// passive is the answer to a push: what the person sees at once.
type passive struct {
	ToUserName   string
	FromUserName string
	CreateTime   text
	MsgType      string
	Content      string
	Image        struct{ MediaId string }                                                //nolint:revive // as it stands in the message.
	Voice        struct{ MediaId string }                                                //nolint:revive // as it stands in the message.
	Video        struct{ MediaId, Title, Description string }                            //nolint:revive // as it stands in the message.
	Music        struct{ Title, Description, MusicUrl, HQMusicUrl, ThumbMediaId string } //nolint:revive // as it stands in the message.
	Articles     struct {
		Item []struct{ Title, Description, PicUrl, Url string } `xml:"item"` //nolint:revive // as it stands in the message.
	}
}

// text is a JSON string or number.
type text string

// UnmarshalJSON takes both.
func (t *text) UnmarshalJSON(raw []byte) error {
	if len(raw) > 0 && raw[0] == '"' {
		return json.Unmarshal(raw, (*string)(t))
	}
	*t = text(raw)
	return nil
}

type sealedReply struct {
	Encrypt      string
	MsgSignature string
	TimeStamp    text
	Nonce        string
}

// parseBody reads XML or JSON by its first byte.
func parseBody(raw []byte, out any) error {
	raw = bytes.TrimSpace(bytes.TrimPrefix(raw, []byte("\ufeff")))
	switch {
	case bytes.HasPrefix(raw, []byte("<")):
		return xml.Unmarshal(raw, out)
	case bytes.HasPrefix(raw, []byte("{")):
		return json.Unmarshal(raw, out)
	}
	return errors.New("the reply is neither empty, nor success, nor a message")
}

// readReply takes a reply apart as WeChat does; nil without an error is "nothing to show".
func (e *envelope) readReply(raw []byte) (*passive, string, error) {
	trimmed := strings.TrimSpace(string(raw))
	if trimmed == "" || trimmed == "success" {
		return nil, string(raw), nil
	}
	plain := raw
	if e.account.Mode != "plain" {
		var sealed sealedReply
		err := parseBody(raw, &sealed)
		switch {
		case err != nil:
			return nil, string(raw), err
		case sealed.Encrypt != "":
			if plain, err = e.box.open(sealed.MsgSignature, string(sealed.TimeStamp), sealed.Nonce, sealed.Encrypt); err != nil {
				return nil, string(raw), fmt.Errorf("the reply cannot be opened: %w", err)
			}
		case e.account.Mode == "safe":
			return nil, string(raw), errors.New("the reply is not encrypted, and the account is in safe mode")
		}
	}
	var p passive
	if err := parseBody(plain, &p); err != nil {
		return nil, string(plain), err
	}
	if p.ToUserName != e.openid || p.FromUserName != e.account.OriginalID {
		return nil, string(plain), errors.New("ToUserName and FromUserName of the reply are not those of the push, swapped")
	}
	if _, err := strconv.ParseInt(strings.TrimSpace(string(p.CreateTime)), 10, 64); err != nil {
		return nil, string(plain), errors.New("CreateTime of the reply is not a number")
	}
	if _, ok := p.show(); !ok {
		return nil, string(plain), fmt.Errorf("the reply has the unknown MsgType %q, or nothing in it", p.MsgType)
	}
	if e.account.Kind == KindMiniProgram && p.MsgType != "transfer_customer_service" {
		return nil, string(plain), errors.New("a mini-program may only answer success or transfer_customer_service")
	}
	return &p, string(plain), nil
}

// show is the reply as a line of text; false if there is nothing to show for its type.
func (p *passive) show() (string, bool) {
	switch p.MsgType {
	case "text":
		return p.Content, p.Content != ""
	case "image":
		return "[图片]", p.Image.MediaId != ""
	case "voice":
		return "[语音]", p.Voice.MediaId != ""
	case "video":
		return "[视频] " + p.Video.Title, p.Video.MediaId != ""
	case "music":
		return "[音乐] " + p.Music.Title, true
	case "news":
		if len(p.Articles.Item) == 0 {
			return "", false
		}
		var b strings.Builder
		for _, a := range p.Articles.Item {
			fmt.Fprintf(&b, "[图文] %s\n%s\n%s\n", a.Title, a.Description, a.Url)
		}
		return strings.TrimSpace(b.String()), true
	case "transfer_customer_service":
		return "", true
	}
	return "", false
}

func (s *Sandbox) receiveReply(ev *pushEvent, p *passive) {
	if p == nil || ev.person == 0 || p.MsgType == "transfer_customer_service" {
		return
	}
	line, _ := p.show()
	b := body{channel: ChannelReply, typ: p.MsgType, content: line}
	switch p.MsgType {
	case "news":
		b.data = toData(p.Articles.Item)
	case "image":
		b.data = toData(map[string]string{"media_id": p.Image.MediaId})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.MsgType == "image" && !ev.acct.holdsMedia(p.Image.MediaId, s.clk.Now()) {
		return // WeChat drops a reply whose picture it does not know
	}
	s.deliver(ev.acct, []int64{ev.person}, b, s.clk.Now())
}
