package sandbox

import (
	"bytes"
	"encoding/json"
	"strings"
)

// button is one entry of the menu.
type button struct {
	Type  string   `json:"type"`
	Name  string   `json:"name"`
	Key   string   `json:"key"`
	URL   string   `json:"url"`
	AppID string   `json:"appid"`
	Path  string   `json:"pagepath"`
	Media string   `json:"media_id"`
	Artic string   `json:"article_id"`
	Sub   []button `json:"sub_button"`
}

const (
	menuNameMax    = 16
	menuSubNameMax = 60
	menuKeyMax     = 128
	menuURLMax     = 1024
)

// check is WeChat's errcode for a button, or 0.
func (b button) check(sub bool) int {
	nameMax, nameCode := menuNameMax, 40018
	if sub {
		nameMax, nameCode = menuSubNameMax, 40025
	}
	if b.Name == "" || len(b.Name) > nameMax {
		return nameCode
	}
	if len(b.Sub) > 0 {
		if sub || len(b.Sub) > 5 {
			return 40023
		}
		for _, s := range b.Sub {
			if code := s.check(true); code != 0 {
				return code
			}
		}
		return 0
	}
	switch b.Type {
	case "click", "scancode_push", "scancode_waitmsg", "pic_sysphoto", "pic_photo_or_album", "pic_weixin", "location_select":
		if b.Key == "" || len(b.Key) > menuKeyMax {
			return 40019
		}
	case "view", "miniprogram":
		if b.URL == "" || len(b.URL) > menuURLMax {
			return 40020
		}
		if !strings.HasPrefix(b.URL, "http://") && !strings.HasPrefix(b.URL, "https://") {
			if sub {
				return 40054
			}
			return 40055
		}
		if b.Type == "miniprogram" && (b.AppID == "" || b.Path == "") {
			return 40013
		}
	case "media_id", "article_id", "article_view_limited":
		if b.Media == "" && b.Artic == "" {
			return 40007
		}
	default:
		return 40015
	}
	return 0
}

func menuCreate(c *call) answer {
	var in struct {
		Button []button `json:"button"`
	}
	if a, ok := c.read(&in); !ok {
		return a
	}
	if len(in.Button) < 1 || len(in.Button) > 3 {
		return c.fail(40016)
	}
	for _, b := range in.Button {
		if code := b.check(false); code != 0 {
			return c.fail(code)
		}
	}
	var compact bytes.Buffer
	if err := json.Compact(&compact, c.body); err != nil {
		return c.fail(47001)
	}
	c.acct.saved.Menu = compact.String()
	c.s.saveAccount(c.acct)
	return c.ok()
}

func menuGet(c *call) answer {
	if c.acct.saved.Menu == "" {
		return c.fail(46003)
	}
	return c.give(map[string]any{"menu": json.RawMessage(c.acct.saved.Menu)})
}

func menuDelete(c *call) answer {
	c.acct.saved.Menu = ""
	c.s.saveAccount(c.acct)
	return c.ok()
}
