package sandbox

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// button is one entry of the menu.
type button struct {
	Type  string   `json:"type,omitempty"`
	Name  string   `json:"name"`
	Key   string   `json:"key,omitempty"`
	URL   string   `json:"url,omitempty"`
	AppID string   `json:"appid,omitempty"`
	Path  string   `json:"pagepath,omitempty"`
	Media string   `json:"media_id,omitempty"`
	Artic string   `json:"article_id,omitempty"`
	Sub   []button `json:"sub_button,omitempty"`
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

// readMenu reads and checks the buttons of a menu; the menu is the body without spaces.
func (c *call) readMenu(in any, list *[]button) (string, answer, bool) {
	if a, ok := c.read(in); !ok {
		return "", a, false
	}
	if len(*list) < 1 || len(*list) > 3 {
		return "", c.fail(40016), false
	}
	for _, b := range *list {
		if code := b.check(false); code != 0 {
			return "", c.fail(code), false
		}
	}
	raw, err := json.Marshal(*list)
	if err != nil {
		return "", c.fail(47001), false
	}
	return string(raw), answer{}, true
}

func menuCreate(c *call) answer {
	var in struct {
		Button []button `json:"button"`
	}
	raw, a, ok := c.readMenu(&in, &in.Button)
	if !ok {
		return a
	}
	c.acct.saved.Menu = `{"button":` + raw + `}`
	c.s.saveAccount(c.acct)
	return c.ok()
}

// personalMenu is a menu for who carries a tag.
type personalMenu struct {
	ID     int64           `json:"id"`
	Tag    int32           `json:"tag"`
	Button json.RawMessage `json:"button"`
}

// personalMenusMax is how many of them an account has; WeChat does not say.
const personalMenusMax = 100

func menuAddConditional(c *call) answer {
	var in struct {
		Button []button `json:"button"`
		Rule   *struct {
			Tag      text `json:"tag_id"`
			Platform text `json:"client_platform_type"`
		} `json:"matchrule"`
	}
	raw, a, ok := c.readMenu(&in, &in.Button)
	if !ok {
		return a
	}
	switch {
	case c.acct.saved.Menu == "":
		return c.fail(65303)
	case in.Rule == nil || in.Rule.Tag == "" && in.Rule.Platform == "":
		return c.fail(65304)
	case len(c.acct.saved.Personal) >= personalMenusMax:
		return c.fail(65305)
	}
	tagID, err := strconv.ParseInt(string(in.Rule.Tag), 10, 32)
	if err != nil || tagID != 2 && c.acct.tag(int32(tagID)) == nil {
		return c.fail(45159)
	}
	c.acct.saved.NextMenu++
	m := personalMenu{200_000_000 + c.acct.saved.NextMenu, int32(tagID), json.RawMessage(raw)}
	c.acct.saved.Personal = append(c.acct.saved.Personal, m)
	c.s.saveAccount(c.acct)
	return c.give(map[string]any{"menuid": strconv.FormatInt(m.ID, 10)})
}

func menuDeleteConditional(c *call) answer {
	var in struct {
		ID text `json:"menuid"`
	}
	if a, ok := c.read(&in); !ok {
		return a
	}
	before := len(c.acct.saved.Personal)
	c.acct.saved.Personal = slices.DeleteFunc(c.acct.saved.Personal, func(m personalMenu) bool { return strconv.FormatInt(m.ID, 10) == string(in.ID) })
	if len(c.acct.saved.Personal) == before {
		return c.fail(65301)
	}
	c.s.saveAccount(c.acct)
	return c.ok()
}

// menuOf is what a person sees: of the personal menus that fit him the newest, else the one for everyone; "" without any.
func (a *account) menuOf(r *relation) string {
	for _, m := range slices.Backward(a.saved.Personal) {
		if r != nil && hasTag(m.Tag)(r) {
			return `{"button":` + string(m.Button) + `}`
		}
	}
	return a.saved.Menu
}

func menuTryMatch(c *call) answer {
	var in struct {
		User string `json:"user_id"`
	}
	if a, ok := c.read(&in); !ok {
		return a
	}
	_, p := c.s.personOf(c.acct, in.User)
	if p == nil || !p.follows(c.acct) {
		return c.fail(65302)
	}
	if c.acct.saved.Menu == "" {
		return c.fail(65303)
	}
	return c.give(json.RawMessage(c.acct.menuOf(p.relation(c.acct))))
}

func menuGet(c *call) answer {
	if c.acct.saved.Menu == "" {
		return c.fail(46003)
	}
	out := map[string]any{"menu": json.RawMessage(c.acct.saved.Menu)}
	var personal []map[string]any
	for _, m := range slices.Backward(c.acct.saved.Personal) {
		personal = append(personal, map[string]any{"button": m.Button, "matchrule": map[string]any{"tag_id": m.Tag, "group_id": m.Tag}, "menuid": m.ID})
	}
	if personal != nil {
		out["conditionalmenu"] = personal
	}
	return c.give(out)
}

func menuDelete(c *call) answer {
	c.acct.saved.Menu, c.acct.saved.Personal = "", nil
	c.s.saveAccount(c.acct)
	return c.ok()
}

// selfMenu is the menu that is open: made by the API, or in WeChat's own console before a server was connected.
func selfMenu(c *call) answer {
	switch {
	case c.acct.saved.Menu != "":
		var m struct {
			Button []map[string]any `json:"button"`
		}
		if json.Unmarshal([]byte(c.acct.saved.Menu), &m) != nil {
			return c.fail(-1)
		}
		for _, b := range m.Button {
			if sub, ok := b["sub_button"].([]any); ok {
				b["sub_button"] = map[string]any{"list": sub}
			}
		}
		return c.give(map[string]any{"is_menu_open": 1, "selfmenu_info": map[string]any{"button": m.Button}})
	case c.acct.saved.ConsoleMenu != "":
		return c.give(json.RawMessage(c.acct.saved.ConsoleMenu))
	}
	return c.give(map[string]any{"is_menu_open": 0})
}

// autoReply is what was set up in WeChat's own console.
func autoReply(c *call) answer {
	if c.acct.saved.AutoReply == "" {
		return c.give(map[string]any{"is_add_friend_reply_open": 0, "is_autoreply_open": 0})
	}
	return c.give(json.RawMessage(c.acct.saved.AutoReply))
}

// consoleInput is what the brand had in WeChat's own console: the answers of get_current_selfmenu_info and get_current_autoreply_info.
type consoleInput struct {
	Account   string          `json:"account"`
	Menu      json.RawMessage `json:"menu"`
	AutoReply json.RawMessage `json:"autoreply"`
}

// setConsole seeds what WeChat's own console had; what is absent stays.
func (s *Sandbox) setConsole(in consoleInput) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.account(orElse(in.Account, "oa"))
	if a == nil {
		return refuse(404, "NOT_FOUND", "there is no account %q", in.Account)
	}
	for _, part := range []struct {
		raw json.RawMessage
		to  *string
	}{{in.Menu, &a.saved.ConsoleMenu}, {in.AutoReply, &a.saved.AutoReply}} {
		if len(part.raw) > 0 {
			*part.to = string(part.raw)
		}
	}
	s.saveAccount(a)
	return nil
}

func (s *Sandbox) routeMenu(mux *http.ServeMux) {
	mux.Handle("POST /sandbox/api/console", serve(200, func(_ context.Context, _ *http.Request, in consoleInput) (any, error) {
		return none{}, s.setConsole(in)
	}))
	mux.Handle("GET /sandbox/api/menu", serve(200, func(_ context.Context, r *http.Request, _ none) (any, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		a := s.account(orElse(r.URL.Query().Get("account"), "oa"))
		if a == nil {
			return nil, refuse(404, "NOT_FOUND", "there is no such account")
		}
		var rel *relation
		if id := r.URL.Query().Get("user"); id != "" {
			_, p, err := s.find(id)
			if err != nil {
				return nil, err
			}
			rel = p.relation(a)
		}
		menu := a.menuOf(rel)
		if menu == "" {
			return map[string]any{"button": []any{}}, nil
		}
		return json.RawMessage(menu), nil
	}))
}
