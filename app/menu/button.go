package menu

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/reply"
)

// Button is one button, in WeChat's own form. One with Sub opens them and has no type.
type Button struct {
	Name      string   `json:"name"`
	Type      string   `json:"type,omitempty"`
	Key       string   `json:"key,omitempty"`
	URL       string   `json:"url,omitempty"`
	AppID     string   `json:"appid,omitempty"`
	PagePath  string   `json:"pagepath,omitempty"`
	MediaID   string   `json:"media_id,omitempty"`
	ArticleID string   `json:"article_id,omitempty"`
	Sub       []Button `json:"sub_button,omitempty"`
}

// Types of buttons that siyu's console offers; WeChat has more, which are kept as they were imported.
const (
	TypeClick       = "click"
	TypeView        = "view"
	TypeMiniProgram = "miniprogram"
)

// WeChat's limits (FACTS 3.5).
const (
	MaxTop     = 3
	MaxSub     = 5
	maxName    = 16   // bytes, of a button of the first level
	maxSubName = 60   // bytes
	maxKey     = 128  // bytes
	maxURL     = 1024 // bytes
)

// check refuses what WeChat would, naming the limit.
func check(list []Button) error {
	if len(list) < 1 || len(list) > MaxTop {
		return errs.Field("buttons", "menu.buttons", "limit", MaxTop)
	}
	for i := range list {
		b, field := &list[i], fmt.Sprintf("buttons[%d]", i)
		if err := b.checkName(field, maxName); err != nil {
			return err
		}
		if len(b.Sub) == 0 {
			if err := b.checkDeed(field); err != nil {
				return err
			}
			continue
		}
		if len(b.Sub) > MaxSub {
			return errs.Field(field+".sub_button", "menu.sub", "limit", MaxSub)
		}
		*b = Button{Name: b.Name, Sub: b.Sub}
		for j := range b.Sub {
			s, field := &b.Sub[j], fmt.Sprintf("%s.sub_button[%d]", field, j)
			if err := s.checkName(field, maxSubName); err != nil {
				return err
			}
			if len(s.Sub) > 0 {
				return errs.Field(field+".sub_button", "menu.levels")
			}
			if err := s.checkDeed(field); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *Button) checkName(field string, limit int) error {
	b.Name = strings.TrimSpace(b.Name)
	if b.Name == "" || len(b.Name) > limit || !utf8.ValidString(b.Name) || strings.ContainsFunc(b.Name, unicode.IsControl) {
		return errs.Field(field+".name", "menu.name", "limit", limit)
	}
	return nil
}

// checkDeed checks what the button does.
func (b *Button) checkDeed(field string) error {
	for _, s := range []*string{&b.Key, &b.URL, &b.AppID, &b.PagePath, &b.MediaID, &b.ArticleID} {
		*s = strings.TrimSpace(*s)
		if !utf8.ValidString(*s) || strings.ContainsFunc(*s, unicode.IsControl) {
			return errs.Field(field, "reply.not_text")
		}
	}
	switch b.Type {
	case TypeClick, "scancode_push", "scancode_waitmsg", "pic_sysphoto", "pic_photo_or_album", "pic_weixin", "location_select":
		if b.Key == "" || len(b.Key) > maxKey {
			return errs.Field(field+".key", "menu.key", "limit", maxKey)
		}
	case TypeView, TypeMiniProgram:
		if !reply.WebURL(b.URL) {
			return errs.Field(field+".url", "menu.url", "limit", maxURL)
		}
		if b.Type == TypeMiniProgram && (b.AppID == "" || b.PagePath == "" || len(b.AppID) > 64 || len(b.PagePath) > maxURL) {
			return errs.Field(field+".pagepath", "menu.page")
		}
	case "media_id":
		if b.MediaID == "" || len(b.MediaID) > maxKey {
			return errs.Field(field+".media_id", "menu.media")
		}
	case "article_id", "article_view_limited":
		if b.ArticleID == "" || len(b.ArticleID) > maxKey {
			return errs.Field(field+".article_id", "menu.media")
		}
	default:
		return errs.Field(field+".type", "menu.type")
	}
	return nil
}
