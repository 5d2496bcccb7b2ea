package console

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/report"
	"github.com/siyu-scrm/siyu/app/reward"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

// startBacktest runs what stands in the form of a rule over the events of the last days, as a long job. Nothing is granted.
func (con *Console) startBacktest(c *gin.Context) error {
	f, id, err := typedIn(c)
	if err != nil {
		return err
	}
	if id != 0 {
		if _, err := con.app.Rewards.Get(c.Request.Context(), id, web.Lang(c.Request.Context())); err != nil {
			return err
		}
	}
	return con.write(c, f, change{
		action: "rule.backtest",
		of: func(answer any) operator.Change {
			w := answer.(model.Work)
			return operator.Change{Object: fmt.Sprintf("work:%d", w.ID), After: map[string]any{"kind": w.Kind, "args": w.Args}}
		},
		do: func() (string, error) {
			in, err := con.readInput(f, id)
			if err != nil {
				return "", err
			}
			in.Enabled = true
			b := reward.Backtest{Draft: in}
			days, err := f.Number("days")
			if err != nil {
				return "", err
			}
			if b.Days = int(days); f.Get("fen_per_point") != "" {
				if b.FenPerPoint, err = f.Number("fen_per_point"); err != nil {
					return "", err
				}
			}
			w, err := con.app.Rewards.StartBacktest(c.Request.Context(), b, web.Actor(c.Request.Context()))
			if err != nil {
				return "", err
			}
			return fmt.Sprintf("%s/rules/backtests/%d", root, w.ID), nil
		},
		again: func(status int, f *Form) error { return con.showRule(c, status, id, f) },
	})
}

type backtestView struct {
	Frame
	Work     *model.Work
	Asked    reward.Backtest
	Kind     string // of the events
	Result   reward.Backtested
	Account  string
	Days     []dayBar
	Top      []topEarner
	Form     *Form
	MayClick bool // the members behind the earners
}

type dayBar struct {
	Day    string
	Amount int64
	Part   int64 // of the largest, in per cent
}

type topEarner struct {
	reward.Earner
	report.Person
}

// backtest is how far a backtest is and what came of it.
func (con *Console) backtest(c *gin.Context) error {
	id, err := idOf(c, false)
	if err != nil {
		return err
	}
	ctx := c.Request.Context()
	v := backtestView{Frame: con.frame(c, "backtest"), Form: newForm(nil)}
	if v.Work, err = con.app.Works.Get(ctx, id); err != nil {
		return err
	}
	if v.Work.Kind != reward.KindBacktest {
		return errs.New(errs.NotFound, "work.not_found")
	}
	for _, err := range []error{v.Work.Args.Into(&v.Asked), v.Work.Result.Into(&v.Result)} {
		if err != nil {
			return fmt.Errorf("console: backtest: %w", err)
		}
	}
	labels, err := con.accountLabels(c)
	if err != nil {
		return err
	}
	v.Kind, v.Account = event.KindName(web.Lang(ctx), v.Asked.Draft.Trigger), labels[cmp.Or(v.Result.Account, model.AccountPoints)]
	var most int64 = 1
	for _, n := range v.Result.Days {
		most = max(most, n)
	}
	for _, day := range slices.Sorted(maps.Keys(v.Result.Days)) {
		n := v.Result.Days[day]
		v.Days = append(v.Days, dayBar{day, n, n * 100 / most})
	}
	ids := make([]int64, len(v.Result.Top))
	for i, e := range v.Result.Top {
		ids[i] = e.MemberID
	}
	people := map[int64]report.Person{}
	if v.MayClick = v.May(string(operator.MembersRead)); v.MayClick {
		if people, err = con.report.People(ctx, ids); err != nil {
			return err
		}
	}
	for _, e := range v.Result.Top {
		v.Top = append(v.Top, topEarner{e, people[e.MemberID]})
	}
	web.Page(c, http.StatusOK, "console/backtest", v)
	return nil
}
