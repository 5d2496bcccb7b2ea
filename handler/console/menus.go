package console

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/errs"
	wxmenu "github.com/siyu-scrm/siyu/app/menu"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

type menusView struct {
	Frame
	menuPlace
	Form   *Form
	Saved  *wxmenu.View
	Last   []imported // of the last import
	Search string
	Who    *model.Member // whose menu is shown; nil: nobody's
	Screen []screen
}

// screen is a menu as it stands below a chat.
type screen struct {
	Title   string
	Buttons []wxmenu.Button
}

// menuPlace is the account whose menus a page shows; Query keeps it in addresses where there are several.
type menuPlace struct {
	Account  string
	Accounts []string
	Query    string
}

// menuOf is the account that the page is about: the first, if it names none.
func (con *Console) menuOf(c *gin.Context) menuPlace {
	p := menuPlace{Account: con.officialAccount()}
	for _, a := range con.app.Accounts {
		if a.Kind != model.KindOA {
			continue
		}
		if p.Accounts = append(p.Accounts, a.Name); a.Name == c.Query("account") {
			p.Account = a.Name
		}
	}
	if len(p.Accounts) > 1 {
		p.Query = "?" + url.Values{"account": {p.Account}}.Encode()
	}
	return p
}

// done is the address of the menus of the account, which says what was done.
func (p menuPlace) done(what string) string {
	if p.Query == "" {
		return done(root+"/menu", what)
	}
	return root + "/menu" + p.Query + "&done=" + what
}

// imported is what became of one thing of WeChat's console.
type imported struct {
	wxmenu.Imported
	Why string
}

func (con *Console) menus(c *gin.Context) error { return con.showMenus(c, http.StatusOK, newForm(nil)) }

func (con *Console) showMenus(c *gin.Context, status int, f *Form) error {
	v := menusView{Frame: con.frame(c, "menu"), menuPlace: con.menuOf(c), Form: f, Search: c.Query("member")}
	v.Here = root + "/menu" + v.Query
	saved, err := con.app.Menus.Get(c.Request.Context(), v.Account)
	if err != nil {
		return err
	}
	v.Saved = saved
	var last []wxmenu.Imported
	if err := saved.State.Imported.Into(&last); err != nil {
		return fmt.Errorf("console: last import: %w", err)
	}
	for _, i := range last {
		why := ""
		if i.Key != "" {
			why = templates.T(web.Lang(c.Request.Context()), i.Key, i.Args)
		}
		v.Last = append(v.Last, imported{i, why})
	}
	if v.Search != "" && v.May(string(operator.MembersRead)) {
		if err := con.previewMenu(c, &v); err != nil {
			return err
		}
	}
	web.Page(c, status, "console/menu", v)
	return nil
}

// previewMenu fills in what one member sees: once the menus are published, and now.
func (con *Console) previewMenu(c *gin.Context, v *menusView) (err error) {
	if v.Who, err = con.someone(c, v.Search); err != nil || v.Who == nil {
		return err
	}
	next, raw, err := con.app.Menus.Preview(c.Request.Context(), v.Account, v.Who.ID)
	var e *errs.Error
	if errors.As(err, &e) { // WeChat does not answer
		v.Form.refuse(c, e)
		return nil
	}
	if err != nil {
		return err
	}
	v.Screen = []screen{{con.t(c, "console.menu_next"), next}}
	var now struct{ Button []wxmenu.Button }
	if raw != nil && json.Unmarshal(raw, &now) == nil {
		v.Screen = append(v.Screen, screen{con.t(c, "console.menu_now"), now.Button})
	}
	return nil
}

type menuForm struct {
	Frame
	menuPlace
	TagID int64 // 0: for everyone
	New   bool  // for a tag that is still to be chosen
	Form  *Form
	Tags  []tagGroup
	Tops  [wxmenu.MaxTop]int
	Rows  [wxmenu.MaxSub + 1]int // the button itself, then those below it
	Types []string
}

// menuTag reads which menu the path means: "all", "new", or the id of a tag.
func menuTag(c *gin.Context) (tagID int64, isNew bool, err error) {
	switch p := c.Param("id"); p {
	case "all":
		return 0, false, nil
	case "new":
		return 0, true, nil
	}
	tagID, err = idOf(c, false)
	return tagID, false, err
}

func (con *Console) menu(c *gin.Context) error {
	tagID, isNew, err := menuTag(c)
	if err != nil {
		return err
	}
	values := url.Values{}
	v, err := con.app.Menus.Get(c.Request.Context(), con.menuOf(c).Account)
	if err != nil {
		return err
	}
	found := tagID == 0
	for _, m := range v.Menus {
		if m.TagID == tagID && !isNew {
			values, found = writeMenu(m), true
		}
	}
	if !found {
		return errs.New(errs.NotFound, "menu.not_found")
	}
	return con.showMenu(c, http.StatusOK, newForm(values))
}

func (con *Console) showMenu(c *gin.Context, status int, f *Form) (err error) {
	v := menuForm{Frame: con.frame(c, "menu"), menuPlace: con.menuOf(c), Form: f, Types: []string{wxmenu.TypeClick, wxmenu.TypeView, wxmenu.TypeMiniProgram}}
	if v.TagID, v.New, err = menuTag(c); err != nil {
		return err
	}
	for i := range v.Tops {
		v.Tops[i] = i
	}
	for i := range v.Rows {
		v.Rows[i] = i
	}
	if v.Tags, err = con.tagGroups(c); err != nil {
		return err
	}
	web.Page(c, status, "console/menu_form", v)
	return nil
}

// writeMenu fills the form: control.2.3 is the third button below the second one, control.2.0 that one itself.
func writeMenu(m wxmenu.Menu) url.Values {
	v := url.Values{"position": {strconv.Itoa(m.Position)}, "tag": {strconv.FormatInt(m.TagID, 10)}}
	put := func(i, j int, b wxmenu.Button) {
		place := fmt.Sprintf(".%d.%d", i, j)
		v.Set("name"+place, b.Name)
		v.Set("type"+place, b.Type)
		v.Set("page"+place, b.PagePath)
		v.Set("appid"+place, b.AppID)
		switch b.Type {
		case wxmenu.TypeView, wxmenu.TypeMiniProgram:
			v.Set("value"+place, b.URL)
		case "media_id":
			v.Set("value"+place, b.MediaID)
		case "article_id", "article_view_limited":
			v.Set("value"+place, b.ArticleID)
		default:
			v.Set("value"+place, b.Key)
		}
	}
	for i, b := range m.Buttons {
		put(i, 0, b)
		for j, s := range b.Sub {
			put(i, j+1, s)
		}
	}
	return v
}

// readMenu reads the form; a button without anything in it is none.
func readMenu(f *Form) []wxmenu.Button {
	var list []wxmenu.Button
	for i := range wxmenu.MaxTop {
		top, filled := readButton(f, i, 0)
		at := fmt.Sprintf("buttons[%d]", len(list))
		from(f, at, i, 0)
		for j := 1; j <= wxmenu.MaxSub; j++ {
			if s, ok := readButton(f, i, j); ok {
				from(f, fmt.Sprintf("%s.sub_button[%d]", at, len(top.Sub)), i, j)
				top.Sub, filled = append(top.Sub, s), true
			}
		}
		if filled {
			list = append(list, top)
		}
	}
	return list
}

// from says which controls a button was read from, so that a refusal stands beside them.
func from(f *Form, path string, i, j int) {
	place := fmt.Sprintf(".%d.%d", i, j)
	for _, c := range [][2]string{{"name", "name"}, {"type", "type"}, {"key", "value"}, {"url", "value"}, {"media_id", "value"}, {"article_id", "value"}, {"pagepath", "page"}} {
		f.from(path+"."+c[0], c[1]+place)
	}
}

func readButton(f *Form, i, j int) (b wxmenu.Button, filled bool) {
	place := fmt.Sprintf(".%d.%d", i, j)
	b = wxmenu.Button{Name: f.Get("name" + place), Type: f.Get("type" + place)}
	value, page := f.Get("value"+place), f.Get("page"+place)
	switch b.Type {
	case wxmenu.TypeView:
		b.URL = value
	case wxmenu.TypeMiniProgram:
		b.URL, b.PagePath, b.AppID = value, page, f.Get("appid"+place)
	case "media_id":
		b.MediaID = value
	case "article_id", "article_view_limited":
		b.ArticleID = value
	default:
		b.Key = value
	}
	return b, strings.TrimSpace(b.Name+value+page) != ""
}

// menuChange is a change whose answer is the menus of the account.
func (con *Console) menuChange(c *gin.Context, action string, do func() (string, error), again func(int, *Form) error) (change, error) {
	old, err := con.app.Menus.Get(c.Request.Context(), con.menuOf(c).Account)
	if err != nil {
		return change{}, err
	}
	return change{
		action: action, do: do, again: again,
		of: func(answer any) operator.Change {
			out := operator.Change{Object: "menu:" + old.Account, Before: old.Menus}
			switch a := answer.(type) {
			case wxmenu.View:
				out.After = a.Menus
			case []wxmenu.Imported:
				out.After = a
			}
			return out
		},
	}, nil
}

func (con *Console) saveMenu(c *gin.Context) error {
	tagID, isNew, err := menuTag(c)
	if err != nil {
		return err
	}
	f, err := readForm(c)
	if err != nil {
		return err
	}
	w, err := con.menuChange(c, "menu.update", func() (string, error) {
		m := wxmenu.Menu{TagID: tagID, Buttons: readMenu(f)}
		if isNew {
			if m.TagID, err = f.ID("tag"); err != nil || m.TagID == 0 {
				return "", errs.Field("tag", "console.required")
			}
		}
		if f.Get("position") != "" {
			n, err := f.Number("position")
			if err != nil || n < -1000 || n > 1000 {
				return "", errs.Field("position", "console.number")
			}
			m.Position = int(n)
		}
		at := con.menuOf(c)
		_, err := con.app.Menus.Save(c.Request.Context(), at.Account, m)
		return at.done("saved"), err
	}, func(status int, f *Form) error { return con.showMenu(c, status, f) })
	if err != nil {
		return err
	}
	return con.write(c, f, w)
}

// menuDeed is a button of the menu's page.
func (con *Console) menuDeed(action, said string, do func(c *gin.Context, account string) error) page {
	return func(c *gin.Context) error {
		f, err := readForm(c)
		if err != nil {
			return err
		}
		w, err := con.menuChange(c, action, func() (string, error) {
			at := con.menuOf(c)
			return at.done(said), do(c, at.Account)
		}, func(status int, f *Form) error { return con.showMenus(c, status, f) })
		if err != nil {
			return err
		}
		return con.write(c, f, w)
	}
}

func (con *Console) publishMenu(c *gin.Context, account string) error {
	_, err := con.app.Menus.Publish(c.Request.Context(), account)
	return err
}

func (con *Console) importMenu(c *gin.Context, account string) error {
	_, err := con.app.Menus.Import(c.Request.Context(), account)
	return err
}

func (con *Console) deleteMenu(c *gin.Context, account string) error {
	tagID, err := idOf(c, false)
	if err != nil {
		return err
	}
	return con.app.Menus.Delete(c.Request.Context(), account, tagID)
}
