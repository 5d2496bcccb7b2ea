package console

import (
	"fmt"
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/community"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

type groupsView struct {
	Frame
	Rows []community.View
}

func (con *Console) groups(c *gin.Context) error {
	rows, err := con.app.Groups.List(c.Request.Context())
	if err != nil {
		return err
	}
	web.Page(c, http.StatusOK, "console/groups", groupsView{con.frame(c, "groups"), rows})
	return nil
}

type groupView struct {
	Frame
	ID        int64
	Form      *Form           // of the group
	Saved     *community.View // nil: a new one
	Plan      *Form           // of the days to come
	Days      []community.Plan
	Period    string
	Ranking   []community.Rank
	MorePeers int
}

const (
	planned = 7  // days that the sheet shows
	best    = 20 // lines of the ranking
)

func (con *Console) group(c *gin.Context) error {
	id, err := idOf(c, true)
	if err != nil {
		return err
	}
	values := url.Values{"enabled": {"on"}}
	if id != 0 {
		g, err := con.app.Groups.Get(c.Request.Context(), id)
		if err != nil {
			return err
		}
		values = url.Values{"name": {g.Name}}
		if g.OpenGID != nil {
			values.Set("opengid", *g.OpenGID)
		}
		if g.Enabled {
			values.Set("enabled", "on")
		}
	}
	return con.showGroup(c, http.StatusOK, id, newForm(values), nil)
}

func (con *Console) showGroup(c *gin.Context, status int, id int64, f, plan *Form) (err error) {
	ctx := c.Request.Context()
	v := groupView{Frame: con.frame(c, "group"), ID: id, Form: f, Plan: plan, Period: "day"}
	if c.Query("period") == "week" {
		v.Period = "week"
	}
	if id != 0 {
		if v.Saved, err = con.app.Groups.Get(ctx, id); err != nil {
			return err
		}
		if v.Days, err = con.app.Groups.Plans(ctx, id, "", planned); err != nil {
			return err
		}
		if v.Plan == nil {
			v.Plan = newForm(nil)
			v.Plan.Values = planValues(v.Days)
		}
		if v.Ranking, err = con.app.Groups.Ranking(ctx, community.Question{GroupID: id, Period: v.Period}); err != nil {
			return err
		}
		v.MorePeers = max(0, len(v.Ranking)-best)
		v.Ranking = v.Ranking[:min(best, len(v.Ranking))]
	}
	web.Page(c, status, "console/group", v)
	return nil
}

func planValues(days []community.Plan) url.Values {
	values := url.Values{}
	for _, d := range days {
		values.Add("topic", d.Topic)
		if d.Generated {
			values.Add("word", "")
		} else {
			values.Add("word", d.Word)
		}
	}
	return values
}

func (con *Console) saveGroup(c *gin.Context) error {
	return save(con, c, saving[model.CommunityGroup]{
		kind: "group",
		get: func(id int64) (any, error) {
			g, err := con.app.Groups.Get(c.Request.Context(), id)
			if err != nil {
				return nil, err
			}
			return g.CommunityGroup, nil
		},
		facts: func(g model.CommunityGroup) (int64, any) { return g.ID, g },
		do: func(f *Form, id int64) (string, error) {
			g, err := con.app.Groups.Save(c.Request.Context(), community.Input{ID: id, Name: f.Get("name"), OpenGID: f.Get("opengid"), Enabled: f.On("enabled")})
			if err != nil {
				return "", err
			}
			return done(fmt.Sprintf("%s/groups/%d", root, g.ID), "saved"), nil
		},
		again: func(status int, id int64, f *Form) error { return con.showGroup(c, status, id, f, nil) },
	})
}

// planGroup saves the sheet of the days to come.
func (con *Console) planGroup(c *gin.Context) error {
	f, id, err := postedTo(c)
	if err != nil {
		return err
	}
	var days []community.Plan
	for i, day := range f.Values["day"] {
		days = append(days, community.Plan{Day: model.Day(day), Topic: f.At("topic", i), Word: f.At("word", i)})
	}
	before, err := con.app.Groups.Planned(c.Request.Context(), id, days)
	if err != nil {
		return err
	}
	return con.write(c, f, change{
		action: "group.plan",
		of: func(answer any) operator.Change {
			return operator.Change{Object: fmt.Sprintf("group:%d", id), Before: before, After: answer}
		},
		do: func() (string, error) {
			_, err := con.app.Groups.SetPlans(c.Request.Context(), id, days)
			return done(fmt.Sprintf("%s/groups/%d", root, id), "saved"), err
		},
		again: func(status int, f *Form) error {
			g, err := con.app.Groups.Get(c.Request.Context(), id)
			if err != nil {
				return err
			}
			values := url.Values{"name": {g.Name}, "enabled": {"on"}}
			if g.OpenGID != nil {
				values.Set("opengid", *g.OpenGID)
			}
			return con.showGroup(c, status, id, newForm(values), f)
		},
	})
}
