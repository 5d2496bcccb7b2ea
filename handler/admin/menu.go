package admin

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/siyu-scrm/siyu/app/menu"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

// Menus are the menus of an official account.
type Menus struct {
	Account     string    `json:"account" example:"oa"`
	Menus       []Menu    `json:"menus" doc:"The one for everyone first, then in the order in which they are asked"`
	Changed     bool      `json:"changed" doc:"What stands here is not what was published"`
	PublishedAt *web.Time `json:"published_at"`
	Error       string    `json:"error" doc:"Why the last publication failed"`
}

// Menu is the menu for everyone, or for who holds a tag.
type Menu struct {
	TagID    web.ID       `json:"tag_id" doc:"0: for everyone"`
	Tag      string       `json:"tag" doc:"Its group and name"`
	Position int          `json:"position"`
	Buttons  []MenuButton `json:"buttons"`
}

// MenuButton is a button of the first level, in WeChat's own form.
type MenuButton struct {
	MenuSub
	Sub []MenuSub `json:"sub_button,omitempty" doc:"Up to 5; the button that opens them has no type"`
}

// MenuSub is a button that does something.
type MenuSub struct {
	Name      string `json:"name" minLength:"1" maxLength:"60" example:"签到" doc:"At most 16 bytes, of the second level 60"`
	Type      string `json:"type,omitempty" maxLength:"32" example:"click" doc:"click, view, miniprogram, or another of WeChat's"`
	Key       string `json:"key,omitempty" maxLength:"128" example:"CHECKIN" doc:"click: CHECKIN checks in; any other is answered by the reply to it"`
	URL       string `json:"url,omitempty" doc:"view, and miniprogram for old phones: at most 1024 bytes"`
	AppID     string `json:"appid,omitempty" maxLength:"64" doc:"miniprogram: the brand's first one if absent"`
	PagePath  string `json:"pagepath,omitempty" maxLength:"1024" doc:"miniprogram"`
	MediaID   string `json:"media_id,omitempty" maxLength:"128" doc:"media_id: a permanent material of WeChat's"`
	ArticleID string `json:"article_id,omitempty" maxLength:"128"`
}

func (s MenuSub) button() menu.Button {
	return menu.Button{
		Name: s.Name, Type: s.Type, Key: s.Key, URL: s.URL, AppID: s.AppID, PagePath: s.PagePath, MediaID: s.MediaID, ArticleID: s.ArticleID,
	}
}

func menuSub(b menu.Button) MenuSub {
	return MenuSub{b.Name, b.Type, b.Key, b.URL, b.AppID, b.PagePath, b.MediaID, b.ArticleID}
}

func menuButtons(list []menu.Button) []MenuButton {
	out := make([]MenuButton, len(list))
	for i, b := range list {
		out[i].MenuSub = menuSub(b)
		for _, s := range b.Sub {
			out[i].Sub = append(out[i].Sub, menuSub(s))
		}
	}
	return out
}

func menusView(v menu.View) Menus {
	out := Menus{Account: v.Account, Menus: []Menu{}, Changed: v.Changed, PublishedAt: web.AtPtr(v.State.PublishedAt), Error: v.State.Error}
	for _, m := range v.Menus {
		out.Menus = append(out.Menus, Menu{web.IDOf(m.TagID), m.Tag, m.Position, menuButtons(m.Buttons)})
	}
	return out
}

type menuIn struct {
	Account string `query:"account" maxLength:"32" doc:"The official account; the first one if absent."`
}

type menuPut struct {
	menuIn
	Body struct {
		TagID    OptionalID   `json:"tag_id,omitempty" doc:"The menu for who holds the tag; for everyone if absent"`
		Position int          `json:"position,omitempty" minimum:"-1000" maximum:"1000" doc:"Of those whose tag a person holds, the lowest shows"`
		Buttons  []MenuButton `json:"buttons" doc:"1 to 3"`
	}
}

type menuTag struct {
	menuIn
	ID web.ID `path:"id" doc:"The tag"`
}

type menuPreview struct {
	menuIn
	MemberID web.ID `query:"member_id" required:"true" example:"1"`
}

// MenuPreview is what one member sees.
type MenuPreview struct {
	Next []MenuButton    `json:"next" doc:"Once what stands here is published"`
	Now  json.RawMessage `json:"now" doc:"What WeChat shows him now, in WeChat's own words; null for who does not follow"`
}

// ImportedThing is what became of one thing of WeChat's console.
type ImportedThing struct {
	What  string `json:"what" enum:"menu,button,follow,default,keyword,click"`
	Name  string `json:"name"`
	State string `json:"state" enum:"made,known,lost" doc:"known: siyu has one of that name, which is left alone"`
	Why   string `json:"why" doc:"Of what is lost"`
}

func (h *handler) menus(api *web.API) {
	const missing, conflict, refused, away = http.StatusNotFound, http.StatusConflict, http.StatusUnprocessableEntity, http.StatusServiceUnavailable
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/menus", "The menus of an official account, as they stand here", missing), h.getMenus)
	o := op(operator.ProgrammeWrite, http.MethodPut, "/menus", "Make or change the menu for everyone, or for who holds a tag", missing, conflict)
	o.Description = "Followers see it when it is published. What WeChat would refuse is refused here, naming the limit."
	body := map[string]any{"buttons": []any{
		map[string]any{"name": "签到", "type": "click", "key": "CHECKIN"},
		map[string]any{"name": "会员", "sub_button": []any{map[string]any{"name": "官网", "type": "view", "url": "https://example.com"}}},
	}}
	web.Write(api, example(o, body), h.putMenu)
	web.Write(api, op(operator.ProgrammeWrite, http.MethodDelete, "/menus/{id}", "Take the menu for a tag away", missing, conflict), h.deleteMenu)
	web.Read(api, op(operator.MembersRead, http.MethodGet, "/menus/preview", "What one member sees, now and once it is published", missing, refused, away), h.getMenuPreview)
	web.Write(api, op(operator.ProgrammeWrite, http.MethodPost, "/menus/publish", "Show followers what stands here", missing, conflict, refused, away), h.publishMenu)
	o = op(operator.ProgrammeWrite, http.MethodPost, "/menus/import", "Take over the menu and the auto-replies of WeChat's own console", missing, refused, away)
	o.Description = "Connecting a server switches them off. The menu replaces the one for everyone here, to be looked at and published; replies are made unless one of the name exists."
	web.Write(api, o, h.importMenu)
}

func (h *handler) getMenus(ctx context.Context, in *menuIn) (*web.Out[Menus], error) {
	v, err := h.Menus.Get(ctx, h.accountNamed(in.Account, model.KindOA))
	if err != nil {
		return nil, err
	}
	return &web.Out[Menus]{Body: menusView(*v)}, nil
}

func (h *handler) putMenu(ctx context.Context, in *menuPut) (*web.Out[Menus], error) {
	account := h.accountNamed(in.Account, model.KindOA)
	tagID, err := ref("tag_id", in.Body.TagID)
	if err != nil {
		return nil, err
	}
	buttons := make([]menu.Button, len(in.Body.Buttons))
	for i, b := range in.Body.Buttons {
		buttons[i] = b.button()
		for _, s := range b.Sub {
			buttons[i].Sub = append(buttons[i].Sub, s.button())
		}
	}
	if ctx, err = h.menuAudited(ctx, account, "menu.update"); err != nil {
		return nil, err
	}
	v, err := h.Menus.Save(ctx, account, menu.Menu{TagID: tagID, Position: in.Body.Position, Buttons: buttons})
	if err != nil {
		return nil, err
	}
	return &web.Out[Menus]{Body: menusView(*v)}, nil
}

// menuAudited is audited for what answers the menus of an account.
func (h *handler) menuAudited(ctx context.Context, account, action string) (context.Context, error) {
	old, err := h.Menus.Get(ctx, account)
	if err != nil {
		return nil, err
	}
	return audited(ctx, h, action, menusView(*old), func(v menu.View) (string, any) { return "menu:" + account, menusView(v) }), nil
}

func (h *handler) deleteMenu(ctx context.Context, in *menuTag) (*web.None, error) {
	account := h.accountNamed(in.Account, model.KindOA)
	old, err := h.Menus.Get(ctx, account)
	if err != nil {
		return nil, err
	}
	ctx = audited(ctx, h, "menu.delete", menusView(*old), func(int64) (string, any) { return "menu:" + account, nil })
	return nil, h.Menus.Delete(ctx, account, in.ID.Int())
}

func (h *handler) getMenuPreview(ctx context.Context, in *menuPreview) (*web.Out[MenuPreview], error) {
	next, now, err := h.Menus.Preview(ctx, h.accountNamed(in.Account, model.KindOA), in.MemberID.Int())
	if err != nil {
		return nil, err
	}
	return &web.Out[MenuPreview]{Body: MenuPreview{menuButtons(next), now}}, nil
}

func (h *handler) publishMenu(ctx context.Context, in *menuIn) (*web.Out[Menus], error) {
	account := h.accountNamed(in.Account, model.KindOA)
	ctx, err := h.menuAudited(ctx, account, "menu.publish")
	if err != nil {
		return nil, err
	}
	v, err := h.Menus.Publish(ctx, account)
	if err != nil {
		return nil, err
	}
	return &web.Out[Menus]{Body: menusView(*v)}, nil
}

func (h *handler) importMenu(ctx context.Context, in *menuIn) (*web.Out[web.List[ImportedThing]], error) {
	account := h.accountNamed(in.Account, model.KindOA)
	old, err := h.Menus.Get(ctx, account)
	if err != nil {
		return nil, err
	}
	lang := web.Lang(ctx)
	view := func(i menu.Imported) ImportedThing {
		why := ""
		if i.Key != "" {
			why = templates.T(lang, i.Key, i.Args)
		}
		return ImportedThing{i.What, i.Name, i.State, why}
	}
	ctx = audited(ctx, h, "menu.import", menusView(*old), func(list []menu.Imported) (string, any) {
		return "menu:" + account, listed(list, view).Body
	})
	rows, err := h.Menus.Import(ctx, account)
	return listed(rows, view), err
}
