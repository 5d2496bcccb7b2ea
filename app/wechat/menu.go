package wechat

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/silenceper/wechat/v2/officialaccount/basic"
	"github.com/silenceper/wechat/v2/officialaccount/menu"

	"github.com/siyu-scrm/siyu/app/errs"
)

// tempQR is how long a temporary QR code lives: as long as WeChat allows.
const tempQR = 30 * 24 * time.Hour

// Ticket is a QR code.
type Ticket struct {
	Ticket string
	URL    string // what the code says
	Image  string // where its picture is, for anyone
}

// QRCode makes a QR code whose scene (1 to 64 characters) comes back with the follow or scan. Temporary ones live 30 days; of permanent
// ones an account has 100,000.
func (c *Client) QRCode(ctx context.Context, account, scene string, permanent bool) (Ticket, error) {
	h, err := c.holder(account, KindOA)
	if err != nil {
		return Ticket{}, err
	}
	if n := len([]rune(scene)); n < 1 || n > 64 || clean(scene) != scene {
		return Ticket{}, errs.Field("scene", "wechat.field_invalid")
	}
	want := basic.NewTmpQrRequest(tempQR, scene)
	if permanent {
		want = basic.NewLimitQrRequest(scene)
	}
	var t Ticket
	err = c.library(ctx, h, func(id credential) error {
		got, err := basic.NewBasic(oaContext(h, id)).GetQRTicket(want)
		if got == nil || got.Ticket == "" { // the library calls "errmsg":"ok" an error
			return err
		}
		t = Ticket{Ticket: got.Ticket, URL: got.URL, Image: c.wire.picture(got.Ticket)}
		return nil
	})
	if err == nil && t.Ticket == "" {
		err = notUnderstood("/cgi-bin/qrcode/create")
	}
	return t, err
}

func (w *wire) picture(ticket string) string {
	base, ok := w.bases[hostMP]
	if !ok {
		return ""
	}
	return base.JoinPath("/cgi-bin/showqrcode").String() + "?ticket=" + url.QueryEscape(ticket)
}

// CreateMenu replaces the account's menu. menuJSON is WeChat's own form: {"button":[…]}.
func (c *Client) CreateMenu(ctx context.Context, account string, menuJSON []byte) error {
	h, err := c.holder(account, KindOA)
	if err != nil {
		return err
	}
	wire, err := plainJSON(menuJSON)
	if err != nil {
		return errs.Field("menu", "wechat.field_invalid")
	}
	return c.library(ctx, h, func(id credential) error {
		return menu.NewMenu(oaContext(h, id)).SetMenuByJSON(wire)
	})
}

// plainJSON rewrites a JSON object without the \u escapes that WeChat refuses.
func plainJSON(raw []byte) (string, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var tree map[string]any
	if err := d.Decode(&tree); err != nil {
		return "", err
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(cleanTree(tree)); err != nil {
		return "", err
	}
	return out.String(), nil
}

func cleanTree(value any) any {
	switch v := value.(type) {
	case string:
		return clean(v)
	case []any:
		for i := range v {
			v[i] = cleanTree(v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = cleanTree(v[key])
		}
	}
	return value
}

// GetMenu returns the account's menu as WeChat has it: {"menu":{"button":[…]}}. Without a menu it is errcode 46003.
func (c *Client) GetMenu(ctx context.Context, account string) (json.RawMessage, error) {
	h, err := c.holder(account, KindOA)
	if err != nil {
		return nil, err
	}
	return c.call(ctx, h, request{method: http.MethodGet, host: hostAPI, path: "/cgi-bin/menu/get"})
}

// AddConditionalMenu adds a menu for who carries a tag of WeChat's; of several that fit a person the newest shows. It needs a menu for
// everyone, and returns the id that DeleteConditionalMenu takes.
func (c *Client) AddConditionalMenu(ctx context.Context, account string, buttonsJSON []byte, tagID int) (menuID string, err error) {
	var out struct {
		ID json.Number `json:"menuid"`
	}
	in := map[string]any{"button": json.RawMessage(buttonsJSON), "matchrule": map[string]any{"tag_id": strconv.Itoa(tagID)}}
	err = c.oaCall(ctx, account, "/cgi-bin/menu/addconditional", in, &out)
	return out.ID.String(), err
}

// DeleteConditionalMenu takes one away.
func (c *Client) DeleteConditionalMenu(ctx context.Context, account, menuID string) error {
	return c.oaCall(ctx, account, "/cgi-bin/menu/delconditional", map[string]any{"menuid": menuID}, nil)
}

// MenuOf asks which menu a follower sees: {"button":[…]}.
func (c *Client) MenuOf(ctx context.Context, account, openid string) (menu json.RawMessage, err error) {
	if err := checkOpenID(openid); err != nil {
		return nil, err
	}
	err = c.oaCall(ctx, account, "/cgi-bin/menu/trymatch", map[string]any{"user_id": openid}, &menu)
	return menu, err
}

// CurrentMenu is the menu that is open, also one that was made in WeChat's own console.
func (c *Client) CurrentMenu(ctx context.Context, account string) (json.RawMessage, error) {
	return c.oaGet(ctx, account, "/cgi-bin/get_current_selfmenu_info")
}

// CurrentReplies are the auto-replies that were made in WeChat's own console.
func (c *Client) CurrentReplies(ctx context.Context, account string) (json.RawMessage, error) {
	return c.oaGet(ctx, account, "/cgi-bin/get_current_autoreply_info")
}

func (c *Client) oaGet(ctx context.Context, account, path string) (json.RawMessage, error) {
	h, err := c.holder(account, KindOA)
	if err != nil {
		return nil, err
	}
	return c.call(ctx, h, request{method: http.MethodGet, host: hostAPI, path: path})
}

// oaCall posts in to an official account's path and reads the answer into out, unless that is nil.
func (c *Client) oaCall(ctx context.Context, account, path string, in map[string]any, out any) error {
	h, err := c.holder(account, KindOA)
	if err != nil {
		return err
	}
	raw, err := json.Marshal(in)
	if err != nil {
		return errs.Field("menu", "wechat.field_invalid")
	}
	wire, err := plainJSON(raw)
	if err != nil {
		return errs.Field("menu", "wechat.field_invalid")
	}
	body, err := c.post(ctx, h, path, []byte(wire))
	if err != nil || out == nil {
		return err
	}
	if json.Unmarshal(body, out) != nil {
		return notUnderstood(path)
	}
	return nil
}
