package console

import (
	"fmt"
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/audience"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/tag"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

type autoTagsView struct {
	Frame
	Rows []autoTagLine
}

type autoTagLine struct {
	tag.SavedRule
	Tag string
}

func (con *Console) autoTags(c *gin.Context) error {
	rows, err := con.app.Tags.ListRules(c.Request.Context(), web.Lang(c.Request.Context()))
	if err != nil {
		return err
	}
	groups, err := con.tagGroups(c)
	if err != nil {
		return err
	}
	v := autoTagsView{Frame: con.frame(c, "autotags")}
	for _, r := range rows {
		v.Rows = append(v.Rows, autoTagLine{r, tagName(groups, r.TagID)})
	}
	web.Page(c, http.StatusOK, "console/autotags", v)
	return nil
}

// tagName is "group:tag"; "" for a tag that is not there.
func tagName(groups []tagGroup, id int64) string {
	for _, g := range groups {
		for _, t := range g.Tags {
			if t.ID == id {
				return g.Name + ":" + t.Name
			}
		}
	}
	return ""
}

type autoTagView struct {
	Frame
	ID     int64 // 0: a new one
	Form   *Form
	Tags   []tagGroup
	Events []choice
	Facts  factsView
	Look   *audience.Hits // nil: nobody asked, or it was refused
}

// choice is an option of a select.
type choice struct{ Value, Label string }

func (con *Console) autoTag(c *gin.Context) error {
	id, err := idOf(c, true)
	if err != nil {
		return err
	}
	values := url.Values{"enabled": {"on"}, "tag": {c.Query("tag")}, "facts": {anyGroup}}
	if id != 0 {
		row, err := con.findAutoTag(c, id)
		if err != nil {
			return err
		}
		values = url.Values{"name": {row.Name}, "tag": {fmt.Sprint(row.TagID)}}
		if row.Enabled {
			values.Set("enabled", "on")
		}
		con.writeFact(values, row.Condition)
	} else {
		con.writeFact(values, nil)
	}
	return con.showAutoTag(c, http.StatusOK, id, newForm(values))
}

func (con *Console) findAutoTag(c *gin.Context, id int64) (*tag.SavedRule, error) {
	rows, err := con.app.Tags.ListRules(c.Request.Context(), web.Lang(c.Request.Context()))
	if err != nil {
		return nil, err
	}
	for i := range rows {
		if rows[i].ID == id {
			return &rows[i], nil
		}
	}
	return nil, errs.New(errs.NotFound, "tag.rule_not_found")
}

// showAutoTag is the page with the form as it was typed, and how many it would tag: but for a new rule of which nothing was typed yet.
func (con *Console) showAutoTag(c *gin.Context, status int, id int64, f *Form) (err error) {
	v := autoTagView{Frame: con.frame(c, "autotag"), ID: id, Form: f, Events: con.eventChoices(c)}
	v.Here = root + "/autotags/new"
	if id != 0 {
		v.Here = fmt.Sprintf("%s/autotags/%d", root, id)
	}
	if v.Tags, err = con.tagGroups(c); err != nil {
		return err
	}
	if v.Facts, err = con.factsOf(c, f); err != nil {
		return err
	}
	if f.Error == "" && (id != 0 || c.Request.Method == http.MethodPost) {
		if v.Look, err = con.hits(c, f); err != nil {
			return err
		}
	}
	web.Page(c, status, "console/autotag", v)
	return nil
}

// hits counts whom the rule in the form would tag; what is wrong with it stands in the form then.
func (con *Console) hits(c *gin.Context, f *Form) (*audience.Hits, error) {
	t, err := con.readFact(f)
	var n audience.Hits
	if err == nil {
		n, err = con.app.Audience.Hits(c.Request.Context(), t)
	}
	if e := asRefusal(err); e != nil {
		f.refuse(c, e)
		return nil, nil
	}
	return &n, err
}

// lookAutoTag is the page with what is typed, counted and not saved.
func (con *Console) lookAutoTag(c *gin.Context) error {
	f, id, err := typedIn(c)
	if err != nil {
		return err
	}
	return con.showAutoTag(c, http.StatusOK, id, f)
}

func (con *Console) saveAutoTag(c *gin.Context) error {
	return save(con, c, saving[tag.SavedRule]{
		kind: "auto_tag",
		get: func(id int64) (any, error) {
			old, err := con.findAutoTag(c, id)
			if err != nil {
				return nil, err
			}
			return autoTagFacts(old.AutoTag), nil
		},
		facts: func(r tag.SavedRule) (int64, any) { return r.ID, autoTagFacts(r.AutoTag) },
		do: func(f *Form, id int64) (string, error) {
			tagID, err := f.Number("tag")
			if err != nil {
				return "", err
			}
			t, err := con.readFact(f)
			if err != nil {
				return "", err
			}
			_, err = con.app.Tags.SaveRule(c.Request.Context(), tag.Rule{
				ID: id, TagID: tagID, Name: f.Get("name"), Enabled: f.On("enabled"), Condition: model.ToJSON(t),
			}, web.Lang(c.Request.Context()))
			return done(root+"/autotags", "saved"), err
		},
		again: func(status int, id int64, f *Form) error { return con.showAutoTag(c, status, id, f) },
	})
}

func autoTagFacts(r model.AutoTag) map[string]any {
	return map[string]any{"name": r.Name, "tag_id": fmt.Sprint(r.TagID), "enabled": r.Enabled, "condition": r.Condition}
}
