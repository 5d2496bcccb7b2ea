package console

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/audience"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/reward"
	"github.com/siyu-scrm/siyu/app/task"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

type tasksView struct {
	Frame
	Rows     []taskLine
	Bare     []choice // rules without an entry: they stand in the list by themselves
	Search   string
	Who      *model.Member
	Preview  []task.Item
	NotFound bool
}

type taskLine struct {
	model.Task
	Rule  string
	State string // on | off | coming | closed
}

// tasks is the list of entries, and beside it the list as one member sees it.
func (con *Console) tasks(c *gin.Context) (err error) {
	ctx := c.Request.Context()
	v := tasksView{Frame: con.frame(c, "tasks"), Search: c.Query("member")}
	written, err := con.app.Tasks.Entries(ctx)
	if err != nil {
		return err
	}
	rules, err := con.ruleChoices(c)
	if err != nil {
		return err
	}
	named := map[string]string{}
	for _, r := range rules {
		named[r.Value] = r.Label
	}
	dressed := map[string]bool{}
	for _, t := range written {
		id := strconv.FormatInt(t.RuleID, 10)
		dressed[id] = true
		v.Rows = append(v.Rows, taskLine{t, named[id], taskState(&t, v)})
	}
	for _, r := range rules {
		if !dressed[r.Value] {
			v.Bare = append(v.Bare, r)
		}
	}
	if v.Search != "" && v.May(string(operator.MembersRead)) {
		if v.Who, err = con.someone(c, v.Search); err != nil {
			return err
		}
		if v.NotFound = v.Who == nil; !v.NotFound {
			if v.Preview, err = con.app.Tasks.List(ctx, web.Lang(ctx), v.Who.ID); err != nil {
				return err
			}
		}
	}
	web.Page(c, http.StatusOK, "console/tasks", v)
	return nil
}

func taskState(t *model.Task, v tasksView) string {
	switch {
	case !t.Enabled:
		return "off"
	case t.StartsAt != nil && v.Now.Before(*t.StartsAt):
		return "coming"
	case t.EndsAt != nil && !v.Now.Before(*t.EndsAt):
		return "closed"
	}
	return "open"
}

// someone is the first member that a search finds; nil if there is none.
func (con *Console) someone(c *gin.Context, search string) (*model.Member, error) {
	found, _, err := con.app.Audience.People(c.Request.Context(), audience.Wanted{Search: search, Limit: 1})
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &found[0], nil
}

// ruleChoices are the rules that are switched on.
func (con *Console) ruleChoices(c *gin.Context) (out []choice, err error) {
	rules, err := con.app.Rewards.List(c.Request.Context(), web.Lang(c.Request.Context()))
	for _, r := range rules {
		if r.Enabled {
			out = append(out, choice{strconv.FormatInt(r.ID, 10), r.Name})
		}
	}
	return out, err
}

type taskView struct {
	Frame
	ID      int64
	Form    *Form
	Rules   []choice
	Events  []choice
	Periods []reward.Period
}

func (con *Console) task(c *gin.Context) error {
	id, err := idOf(c, true)
	if err != nil {
		return err
	}
	values := url.Values{"enabled": {"on"}, "rule_id": {c.Query("rule")}}
	if id != 0 {
		t, err := con.app.Tasks.Get(c.Request.Context(), id)
		if err != nil {
			return err
		}
		values = con.writeTask(t)
	}
	return con.showTask(c, http.StatusOK, id, newForm(values))
}

func (con *Console) writeTask(t *model.Task) url.Values {
	v := url.Values{
		"code": {t.Code}, "title_zh": {t.TitleZH}, "title_en": {t.TitleEN}, "text_zh": {t.TextZH}, "text_en": {t.TextEN}, "icon": {t.Icon}, "link": {t.Link},
		"counts": {t.Counts}, "period": {t.Period}, "position": {strconv.Itoa(t.Position)},
		"starts_at": {written(t.StartsAt, con.app.Zone)}, "ends_at": {written(t.EndsAt, con.app.Zone)},
	}
	for field, n := range map[string]int64{"rule_id": t.RuleID, "goal": t.Goal} {
		if n != 0 {
			v.Set(field, strconv.FormatInt(n, 10))
		}
	}
	for field, on := range map[string]bool{"enabled": t.Enabled, "claimed": t.Claimed} {
		if on {
			v.Set(field, "on")
		}
	}
	return v
}

func (con *Console) showTask(c *gin.Context, status int, id int64, f *Form) (err error) {
	v := taskView{Frame: con.frame(c, "task"), ID: id, Form: f, Events: con.eventChoices(c), Periods: reward.Periods}
	if v.Rules, err = con.ruleChoices(c); err != nil {
		return err
	}
	web.Page(c, status, "console/task", v)
	return nil
}

func (con *Console) readTask(f *Form, id int64) (t model.Task, err error) {
	t = model.Task{
		ID: id, Code: f.Get("code"), TitleZH: f.Get("title_zh"), TitleEN: f.Get("title_en"), TextZH: f.Get("text_zh"), TextEN: f.Get("text_en"),
		Icon: f.Get("icon"), Link: f.Get("link"), Enabled: f.On("enabled"),
	}
	if t.RuleID, err = f.ID("rule_id"); err != nil {
		return t, err
	}
	if f.Get("goal") != "" {
		t.Counts, t.Period, t.Claimed = f.Get("counts"), f.Get("period"), f.On("claimed")
		if t.Goal, err = f.Number("goal"); err != nil {
			return t, err
		}
	}
	if f.Get("position") != "" {
		n, err := f.Number("position")
		if err != nil || n < -1000 || n > 1000 {
			return t, errs.Field("position", "console.number")
		}
		t.Position = int(n)
	}
	if t.StartsAt, err = f.Time("starts_at", con.app.Zone); err != nil {
		return t, err
	}
	t.EndsAt, err = f.Time("ends_at", con.app.Zone)
	return t, err
}

func (con *Console) saveTask(c *gin.Context) error {
	return save(con, c, saving[model.Task]{
		kind:  "task",
		get:   func(id int64) (any, error) { return con.app.Tasks.Get(c.Request.Context(), id) },
		facts: func(t model.Task) (int64, any) { return t.ID, t },
		do: func(f *Form, id int64) (string, error) {
			t, err := con.readTask(f, id)
			if err != nil {
				return "", err
			}
			_, err = con.app.Tasks.Save(c.Request.Context(), t)
			return done(root+"/tasks", "saved"), err
		},
		again: func(status int, id int64, f *Form) error { return con.showTask(c, status, id, f) },
	})
}

func (con *Console) deleteTask(c *gin.Context) error {
	var old *model.Task
	return con.remove(c, removing{
		kind: "task", list: "/tasks",
		old: func(ctx context.Context, id int64) (_ any, err error) {
			old, err = con.app.Tasks.Get(ctx, id)
			return old, err
		},
		do: func(ctx context.Context, id int64) error {
			_, err := con.app.Tasks.Delete(ctx, id)
			return err
		},
		again: func(status int, id int64, f *Form) error {
			return con.showTask(c, status, id, refused(con.writeTask(old), f))
		},
	})
}
