package console

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/app/reward"
	"github.com/siyu-scrm/siyu/handler/web"
)

type rulesView struct {
	Frame
	Rows []reward.Rule
}

func (con *Console) rules(c *gin.Context) error {
	rows, err := con.app.Rewards.List(c.Request.Context(), web.Lang(c.Request.Context()))
	if err != nil {
		return err
	}
	web.Page(c, http.StatusOK, "console/rules", rulesView{con.frame(c, "rules"), rows})
	return nil
}

type ruleView struct {
	Frame
	ID       int64
	Form     *Form
	Saved    *reward.Rule // nil: a new one
	Events   []choice
	Accounts []choice
	Tags     []tagGroup
	Leaves   []string
	Periods  []reward.Period
	Steps    []int // rows of the streak table
	Caps     []int // rows of caps
}

func (con *Console) rule(c *gin.Context) error {
	id, err := idOf(c, true)
	if err != nil {
		return err
	}
	values := url.Values{"enabled": {"on"}, "shape": {shapeForm}}
	if id != 0 {
		r, err := con.app.Rewards.Get(c.Request.Context(), id, web.Lang(c.Request.Context()))
		if err != nil {
			return err
		}
		values = con.writeRule(r)
	}
	return con.showRule(c, http.StatusOK, id, newForm(values))
}

func (con *Console) showRule(c *gin.Context, status int, id int64, f *Form) (err error) {
	ctx := c.Request.Context()
	v := ruleView{
		Frame: con.frame(c, "rule"), ID: id, Form: f, Events: con.eventChoices(c), Leaves: con.app.Conditions.Names(),
		Periods: reward.Periods,
		Steps:   rows(f, "step_days", 5), Caps: rows(f, "cap_limit", 3),
	}
	if trigger := f.Get("trigger"); trigger != "" && !known(v.Events, trigger) { // a behaviour of another system
		v.Events = append(v.Events, choice{trigger, event.KindName(web.Lang(ctx), trigger)})
	}
	if id != 0 {
		if v.Saved, err = con.app.Rewards.Get(ctx, id, web.Lang(ctx)); err != nil {
			return err
		}
	}
	if v.Accounts, err = con.accountChoices(c); err != nil {
		return err
	}
	if v.Tags, err = con.tagGroups(c); err != nil {
		return err
	}
	web.Page(c, status, "console/rule", v)
	return nil
}

func (con *Console) accountChoices(c *gin.Context) (out []choice, err error) {
	accounts, err := con.app.Book.Accounts(c.Request.Context())
	for _, a := range accounts {
		out = append(out, choice{a.Code, ledger.NameOf(web.Lang(c.Request.Context()), a.Code, a.Name)})
	}
	return out, err
}

// rows counts the rows that a repeated field shows: up to the last one filled in and one more, at least least.
func rows(f *Form, field string, least int) []int {
	n := least
	for i, v := range f.Values[field] {
		if strings.TrimSpace(v) != "" {
			n = max(n, i+2)
		}
	}
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

func known(choices []choice, value string) bool {
	for _, ch := range choices {
		if ch.Value == value {
			return true
		}
	}
	return false
}

func (con *Console) saveRule(c *gin.Context) error {
	return save(con, c, saving[reward.Rule]{
		kind: "rule",
		get: func(id int64) (any, error) {
			old, err := con.app.Rewards.Get(c.Request.Context(), id, web.Lang(c.Request.Context()))
			if err != nil {
				return nil, err
			}
			return ruleFacts(*old), nil
		},
		facts: func(r reward.Rule) (int64, any) { return r.ID, ruleFacts(r) },
		do: func(f *Form, id int64) (string, error) {
			d, err := con.readRule(f)
			if err != nil {
				return "", err
			}
			_, err = con.app.Rewards.Save(c.Request.Context(), reward.Input{
				ID: id, Code: f.Get("code"), Name: f.Get("name"), Enabled: f.On("enabled"), Trigger: trigger(f), Definition: *d,
			}, web.Lang(c.Request.Context()))
			return done(root+"/rules", "saved"), err
		},
		again: func(status int, id int64, f *Form) error { return con.showRule(c, status, id, f) },
	})
}

// trigger is the event that the form names: a behaviour of another system is typed.
func trigger(f *Form) string {
	if action := f.Get("action"); action != "" {
		return "behavior." + action
	}
	return f.Get("trigger")
}

func ruleFacts(r reward.Rule) map[string]any {
	return map[string]any{"code": r.Code, "name": r.Name, "enabled": r.Enabled, "version": r.Version, "trigger": r.Trigger, "definition": r.Definition}
}
