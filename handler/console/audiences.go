package console

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/audience"
	"github.com/siyu-scrm/siyu/app/broadcast"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/sheet"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

type audiencesView struct {
	Frame
	Form     *Form // of a list to upload
	Imports  []sheet.Imported
	Running  bool
	Rows     []audienceLine
	Next     string
	Chosen   []string // to be compared
	Compared []choice // id and name
	Overlap  *audience.Overlap
	Error    string // why they were not compared
}

type audienceLine struct {
	model.Audience
	Who string
}

// audiences is the list; with several ids in the query, how many people those have in common.
func (con *Console) audiences(c *gin.Context) error {
	return con.showAudiences(c, http.StatusOK, newForm(nil))
}

func (con *Console) showAudiences(c *gin.Context, status int, f *Form) (err error) {
	ctx := c.Request.Context()
	v := audiencesView{Frame: con.frame(c, "audiences"), Form: f, Chosen: c.QueryArray("id")}
	if v.Imports, v.Running, err = con.lastImports(c, audience.List); err != nil {
		return err
	}
	rows, err := con.app.Audience.List(ctx, after(c), perPage+1)
	if err != nil {
		return err
	}
	if len(rows) > perPage {
		rows = rows[:perPage]
		v.Next = nextPage(c, rows[perPage-1].ID)
	}
	for _, a := range rows {
		line, err := con.audienceLine(c, a)
		if err != nil {
			return err
		}
		v.Rows = append(v.Rows, line)
	}
	if len(v.Chosen) > 0 {
		if err := con.compare(c, &v); err != nil {
			return err
		}
	}
	web.Page(c, status, "console/audiences", v)
	return nil
}

// saveList takes a list of people, of which an audience is made.
func (con *Console) saveList(c *gin.Context) error {
	return con.takeFile(c, audience.List, func(f *Form, name string, data []byte) (string, error) {
		_, err := con.app.Audience.Upload(c.Request.Context(), f.Get("audience"), name, data, web.Actor(c.Request.Context()))
		return done(root+"/audiences", "import_started"), err
	}, con.showAudiences)
}

func (con *Console) compare(c *gin.Context, v *audiencesView) error {
	ctx := c.Request.Context()
	ids := make([]int64, len(v.Chosen))
	for i, s := range v.Chosen {
		ids[i], _ = strconv.ParseInt(s, 10, 64) // 0 is not found
	}
	var err error
	if v.Overlap, err = con.app.Audience.Overlap(ctx, ids); errs.CodeOf(err) == errs.Invalid {
		f := newForm(nil)
		f.refuse(c, asRefusal(err))
		v.Error = f.Error
		return nil
	}
	for i := 0; i < len(ids) && err == nil; i++ {
		var a *model.Audience
		if a, err = con.app.Audience.Get(ctx, ids[i]); err == nil {
			v.Compared = append(v.Compared, choice{v.Chosen[i], a.Name})
		}
	}
	return err
}

func (con *Console) audienceLine(c *gin.Context, a model.Audience) (line audienceLine, err error) {
	line.Audience = a
	line.Who, err = con.app.Audience.Who(c.Request.Context(), web.Lang(c.Request.Context()), &a)
	return line, err
}

type audienceView struct {
	Frame
	ID    int64
	Form  *Form
	Saved *audienceLine // nil: a new one
	Facts factsView
	Uses  []audience.Use
	Look  *audienceLook // nil: nobody asked, or it was refused
}

// audienceLook is who meets the condition now.
type audienceLook struct {
	*broadcast.Look
	Skipped []reasonLine
}

// audience is the form of an audience.
func (con *Console) audience(c *gin.Context) error {
	id, err := idOf(c, true)
	if err != nil {
		return err
	}
	values := url.Values{"facts": {anyGroup}}
	for i, id := range c.QueryArray("tag") { // a page that shows who holds these
		con.writeFactRow(values, factAt("", i), 1, condition.Is("tag", map[string]any{"tag_id": id}))
	}
	if id != 0 {
		a, err := con.app.Audience.Get(c.Request.Context(), id)
		if err != nil {
			return err
		}
		if values, err = con.writeAudience(a); err != nil {
			return err
		}
	}
	return con.showAudience(c, http.StatusOK, id, newForm(values))
}

func (con *Console) writeAudience(a *model.Audience) (url.Values, error) {
	t, err := con.app.Conditions.Parse(a.Condition)
	v := url.Values{"name": {a.Name}}
	con.writeFacts(v, "", t)
	return v, err
}

// showAudience is the page with the form as it was typed. Who meets the condition is counted where the caller may see people and
// nothing is wrong with it.
func (con *Console) showAudience(c *gin.Context, status int, id int64, f *Form) (err error) {
	ctx := c.Request.Context()
	v := audienceView{Frame: con.frame(c, "audience"), ID: id, Form: f}
	v.Here = root + "/audiences/new"
	if id != 0 {
		v.Here = fmt.Sprintf("%s/audiences/%d", root, id)
		a, err := con.app.Audience.Get(ctx, id)
		if err != nil {
			return err
		}
		line, err := con.audienceLine(c, *a)
		if err != nil {
			return err
		}
		v.Saved = &line
		if v.Uses, err = con.app.Audience.Uses(ctx, id); err != nil {
			return err
		}
	}
	if v.Facts, err = con.factsOf(c, f); err != nil {
		return err
	}
	if f.Error == "" && v.May(string(operator.MembersRead)) {
		if v.Look, err = con.lookAt(c, v.Saved, f); err != nil {
			return err
		}
	}
	web.Page(c, status, "console/audience", v)
	return nil
}

// lookAt counts who meets the condition in the form, or who is in the frozen audience; what is wrong with it stands in the form then.
func (con *Console) lookAt(c *gin.Context, saved *audienceLine, f *Form) (*audienceLook, error) {
	ctx := c.Request.Context()
	t, err := con.readFacts(f, "", "condition")
	if saved != nil && (saved.Frozen() || saved.List()) {
		t, err = audience.Leaf(saved.ID), nil
	}
	var l *broadcast.Look
	if err == nil {
		l, err = con.app.Broadcasts.Look(ctx, web.Lang(ctx), t, nil)
	}
	if e := asRefusal(err); e != nil {
		f.refuse(c, e)
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &audienceLook{l, con.reasonLines(c, l.Skipped)}, nil
}

// lookAudience is the page with what is typed, counted and not saved.
func (con *Console) lookAudience(c *gin.Context) error {
	f, id, err := typedIn(c)
	if err != nil {
		return err
	}
	return con.showAudience(c, http.StatusOK, id, f)
}

func (con *Console) saveAudience(c *gin.Context) error {
	return save(con, c, saving[model.Audience]{
		kind:  "audience",
		get:   func(id int64) (any, error) { return con.app.Audience.Get(c.Request.Context(), id) },
		facts: func(a model.Audience) (int64, any) { return a.ID, a },
		do: func(f *Form, id int64) (string, error) {
			t, err := con.readFacts(f, "", "condition")
			if err != nil {
				return "", err
			}
			ctx := c.Request.Context()
			a, err := con.app.Audience.Save(ctx, audience.Input{ID: id, Name: f.Get("name"), Condition: t, Actor: web.Actor(ctx)})
			if err != nil {
				return "", err
			}
			return done(fmt.Sprintf("%s/audiences/%d", root, a.ID), "saved"), nil
		},
		again: func(status int, id int64, f *Form) error { return con.showAudience(c, status, id, f) },
	})
}

func (con *Console) freezeAudience(c *gin.Context) error {
	f, id, err := postedTo(c)
	if err != nil {
		return err
	}
	old, err := con.app.Audience.Get(c.Request.Context(), id)
	if err != nil {
		return err
	}
	return con.write(c, f, change{
		action: "audience.freeze",
		of: func(answer any) operator.Change {
			a, _ := answer.(model.Audience)
			return operator.Change{Object: fmt.Sprintf("audience:%d", a.ID), After: a}
		},
		do: func() (string, error) {
			ctx := c.Request.Context()
			a, err := con.app.Audience.Freeze(ctx, id, f.Get("frozen_name"), web.Actor(ctx))
			if err != nil {
				return "", err
			}
			return done(fmt.Sprintf("%s/audiences/%d", root, a.ID), "saved"), nil
		},
		again: func(status int, f *Form) error { return con.againAudience(c, status, old, f) },
	})
}

// againAudience is the page of an audience with the refusal of another form than its own.
func (con *Console) againAudience(c *gin.Context, status int, a *model.Audience, f *Form) error {
	values, err := con.writeAudience(a)
	if err != nil {
		return err
	}
	values.Set("frozen_name", f.Get("frozen_name"))
	return con.showAudience(c, status, a.ID, refused(values, f))
}

func (con *Console) deleteAudience(c *gin.Context) error {
	var old *model.Audience
	return con.remove(c, removing{
		kind: "audience", list: "/audiences",
		old: func(ctx context.Context, id int64) (_ any, err error) {
			old, err = con.app.Audience.Get(ctx, id)
			return old, err
		},
		do:    con.app.Audience.Delete,
		again: func(status int, _ int64, f *Form) error { return con.againAudience(c, status, old, f) },
	})
}

// exportAudience is who is in the audience now, as CSV.
func (con *Console) exportAudience(c *gin.Context) error {
	ctx := c.Request.Context()
	id, err := idOf(c, false)
	if err != nil {
		return err
	}
	if _, err := con.app.Audience.Get(ctx, id); err != nil {
		return err
	}
	var b bytes.Buffer
	n, err := con.app.Audience.Export(ctx, audience.Leaf(id), web.Lang(ctx), con.app.Members.Phone, &b)
	if err != nil {
		return err
	}
	if err := con.app.Operators.Note(ctx, web.Actor(ctx), "audience.export", fmt.Sprintf("audience:%d", id), nil, map[string]any{"people": n}); err != nil {
		return err
	}
	c.Header("Content-Disposition", fmt.Sprintf(`attachment; filename="audience-%d.csv"`, id))
	c.Data(http.StatusOK, "text/csv; charset=utf-8", b.Bytes())
	return nil
}

// audienceChoices are the audiences that a condition may name.
func (con *Console) audienceChoices(c *gin.Context) ([]choice, error) {
	rows, err := con.app.Audience.List(c.Request.Context(), 0, maxChoices)
	out := make([]choice, len(rows))
	for i, a := range rows {
		out[i] = choice{strconv.FormatInt(a.ID, 10), a.Name}
	}
	return out, err
}

// maxChoices is how many audiences a form offers, the newest.
const maxChoices = 500
