package console

import (
	"context"
	"fmt"
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/audience"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/report"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

// resultDays is how long after a firing a page looks, where nothing else is asked for.
const resultDays = 7

type firingView struct {
	Frame
	Of      string // its page
	Name    string // of Of
	Steps   []string
	Step    string // of Steps; "" = all
	Results *report.Results
	Group   string // whose list is open; "" = none
	What    string
	People  []report.Person
	IDs     []int64
	Next    string
	Total   uint64
	Form    *Form
}

// figure is a number of people that opens its list.
type figure struct {
	What string
	N    int64
	Sum  int64 // how much in all; 0 = nothing to say
}

// Figures are those of a group, in the order of the page.
func (firingView) Figures(g report.Result) []figure {
	return []figure{
		{report.DidBelong, g.People, 0},
		{report.DidGet, g.Sent, 0},
		{report.DidSkip, g.Skipped, 0},
		{report.DidOpen, g.Opened, 0},
		{report.DidOrder, g.Ordered, g.Orders},
		{report.DidCheckIn, g.CheckedIn, g.CheckIns},
		{report.DidSpend, g.Spent, g.PointsSpent},
		{report.DidEarn, g.Earned, g.PointsEarned},
		{report.DidCoupon, g.Coupons, g.CouponsIssued},
	}
}

// Heads are the columns.
func (firingView) Heads() []string { return report.Dids }

// Says writes a difference: percentage points of a share, or points per person.
func (firingView) Says(what string, n float64) string {
	if what == report.DidSpend {
		return fmt.Sprintf("%+.2f", n)
	}
	return fmt.Sprintf("%+.1f %%", 100*n)
}

func (con *Console) results(c *gin.Context) error {
	return con.showResults(c, http.StatusOK, newForm(nil), con.resultsOfRun)
}

func (con *Console) sopResults(c *gin.Context) error {
	return con.showResults(c, http.StatusOK, newForm(nil), con.resultsOfSOP)
}

// resultsOf looks for what something brought, as the values of a page ask, and writes into the view whose results these are.
type resultsOf func(ctx context.Context, id int64, get func(string) string, v *firingView) (report.Behind, error)

func (con *Console) resultsOfRun(ctx context.Context, id int64, get func(string) string, v *firingView) (report.Behind, error) {
	v.Of, v.Name = fmt.Sprintf("%s/runs/%d", root, id), fmt.Sprintf("%s #%d", templates.T(web.Lang(ctx), "console.title.run", nil), id)
	return con.report.Firing(ctx, con.app.Reach, id, spanOf(get("days")))
}

func (con *Console) resultsOfSOP(ctx context.Context, id int64, get func(string) string, v *firingView) (report.Behind, error) {
	row, err := con.app.SOPs.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	d, err := con.app.SOPs.Version(ctx, row, 0)
	if err != nil {
		return nil, err
	}
	v.Of, v.Name, v.Step, v.Steps = fmt.Sprintf("%s/sops/%d", root, id), row.Name, get("step"), sending(d)
	return con.report.SOP(con.app.Reach, id, v.Step, spanOf(get("days")))
}

func (con *Console) showResults(c *gin.Context, status int, f *Form, of resultsOf) error {
	ctx := c.Request.Context()
	id, err := idOf(c, false)
	if err != nil {
		return err
	}
	v := firingView{Frame: con.frame(c, "results"), Group: c.Query("group"), What: c.Query("what"), Form: f}
	behind, err := of(ctx, id, c.Query, &v)
	if err != nil {
		return err
	}
	if v.Results, err = behind.Results(ctx); err != nil {
		return err
	}
	if status != http.StatusOK {
		v.Here = v.Of + "/results"
	}
	if v.Group != "" {
		who, err := behind.Who(ctx, v.Group, v.What)
		if err != nil {
			return err
		}
		v.Total = who.GetCardinality()
		if v.IDs = report.After(who, after(c), perPage+1); len(v.IDs) > perPage {
			v.IDs = v.IDs[:perPage]
			v.Next = nextPage(c, v.IDs[perPage-1])
		}
		people, err := con.report.People(ctx, v.IDs)
		if err != nil {
			return err
		}
		for _, id := range v.IDs {
			v.People = append(v.People, people[id])
		}
	}
	web.Page(c, status, "console/results", v)
	return nil
}

func spanOf(s string) int {
	if n, err := strconv.Atoi(s); err == nil {
		return n
	}
	return resultDays
}

// keepResult saves the people behind a figure as an audience.
func (con *Console) keepResult(c *gin.Context) error {
	return con.keepResults(c, "run", con.resultsOfRun)
}

func (con *Console) keepSOPResult(c *gin.Context) error {
	return con.keepResults(c, "sop", con.resultsOfSOP)
}

func (con *Console) keepResults(c *gin.Context, kind string, of resultsOf) error {
	f, id, err := postedTo(c)
	if err != nil {
		return err
	}
	who := func(ctx context.Context) (*audience.Set, error) {
		behind, err := of(ctx, id, f.Get, &firingView{})
		if err != nil {
			return nil, err
		}
		return behind.Who(ctx, f.Get("group"), f.Get("what"))
	}
	return con.keep(c, f, fmt.Sprintf("%s:%d", kind, id), who, func(status int, f *Form) error { return con.showResults(c, status, f, of) })
}

// keep saves the people behind a figure of something as an audience.
func (con *Console) keep(c *gin.Context, f *Form, of string, who func(context.Context) (*audience.Set, error), again func(status int, f *Form) error) error {
	return con.write(c, f, change{
		action: "audience.create",
		of: func(answer any) operator.Change {
			a := answer.(model.Audience)
			return operator.Change{Object: fmt.Sprintf("audience:%d", a.ID), After: map[string]any{"name": a.Name, "count": a.Count, "of": of}}
		},
		do: func() (string, error) {
			ctx := c.Request.Context()
			people, err := who(ctx)
			if err != nil {
				return "", err
			}
			a, err := con.app.Audience.Keep(ctx, f.Get("name"), web.Actor(ctx), people)
			if err != nil {
				return "", err
			}
			return done(fmt.Sprintf("%s/audiences/%d", root, a.ID), "saved"), nil
		},
		again: again,
	})
}
