package console

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/customer"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/app/recall"
	"github.com/siyu-scrm/siyu/app/report"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

type recallsView struct {
	Frame
	Rows []model.Recall
	Next string
}

func (con *Console) recalls(c *gin.Context) (err error) {
	v := recallsView{Frame: con.frame(c, "recalls")}
	if v.Rows, err = con.app.Recalls.List(c.Request.Context(), after(c), perPage+1); err != nil {
		return err
	}
	if len(v.Rows) > perPage {
		v.Rows = v.Rows[:perPage]
		v.Next = nextPage(c, v.Rows[perPage-1].ID)
	}
	web.Page(c, http.StatusOK, "console/recalls", v)
	return nil
}

type recallView struct {
	Frame
	Saved   *model.Recall // nil: a new one
	Form    *Form
	Imports []choice
	SMS     reach.PhoneContent
	Call    *reach.PhoneContent
	Figures *recall.Figures
	Rate    string
	Skipped []reasonLine
}

func (con *Console) recall(c *gin.Context) error {
	return con.showRecall(c, http.StatusOK, newForm(url.Values{"days": {"7"}}))
}

func (con *Console) showRecall(c *gin.Context, status int, f *Form) error {
	ctx := c.Request.Context()
	id, err := idOf(c, true)
	if err != nil {
		return err
	}
	v := recallView{Frame: con.frame(c, "recall"), Form: f}
	if id == 0 {
		rows, err := con.app.Sheets.List(ctx, customer.Import, 0, perPage)
		if err != nil {
			return err
		}
		for _, i := range rows {
			v.Imports = append(v.Imports, choice{strconv.FormatInt(i.ID, 10), fmt.Sprintf("%s · %d · %s", i.Name, i.Lines, con.app.Zone.In(i.CreatedAt).Format("2006-01-02 15:04"))})
		}
		web.Page(c, status, "console/recall_form", v)
		return nil
	}
	if v.Saved, err = con.app.Recalls.Get(ctx, id); err != nil {
		return err
	}
	v.Title, v.Here = v.Saved.Name, fmt.Sprintf("%s/recalls/%d", root, id)
	if err := v.Saved.SMS.Into(&v.SMS); err != nil {
		return err
	}
	if err := v.Saved.Call.Into(&v.Call); err != nil {
		return err
	}
	if v.Figures, err = con.app.Recalls.Figures(ctx, v.Saved); err != nil {
		return err
	}
	v.Rate = fmt.Sprintf("%d.%02d", v.Figures.Rate()/100, v.Figures.Rate()%100)
	for _, s := range v.Figures.Skipped {
		v.Skipped = append(v.Skipped, reasonLine{reach.Reason{Reason: s.Reason, Count: s.Count}, con.reasonName(c, s.Reason, "")})
	}
	web.Page(c, status, "console/recall", v)
	return nil
}

func (con *Console) readRecall(f *Form) (in recall.Input, err error) {
	r := &reader{f: f}
	in = recall.Input{Name: f.Get("name"), ImportID: r.count("import_id"), Days: small(r.number("days"))}
	f.from("call_after_days", "call_after")
	f.from("message.text", "sms.text")
	if p := f.phone("sms", "message.sms"); p != nil {
		in.SMS = *p
	}
	if in.Call = f.phone("call", "message.call"); in.Call != nil {
		in.CallAfter = small(r.number("call_after"))
	}
	return in, r.err
}

func (con *Console) saveRecall(c *gin.Context) error {
	f, err := readForm(c)
	if err != nil {
		return err
	}
	return con.write(c, f, change{
		action: "recall.create",
		of: func(answer any) operator.Change {
			r := answer.(model.Recall)
			return operator.Change{Object: fmt.Sprintf("recall:%d", r.ID), After: r}
		},
		do: func() (string, error) {
			in, err := con.readRecall(f)
			if err != nil {
				return "", err
			}
			r, err := con.app.Recalls.Save(c.Request.Context(), in)
			if err != nil {
				return "", errs.AtField(err, "import_id")
			}
			return done(fmt.Sprintf("%s/recalls/%d", root, r.ID), "saved"), nil
		},
		again: func(status int, f *Form) error { return con.showRecall(c, status, f) },
	})
}

func (con *Console) runRecall(c *gin.Context) error {
	f, id, err := postedTo(c)
	if err != nil {
		return err
	}
	old, err := con.app.Recalls.Get(c.Request.Context(), id)
	if err != nil {
		return err
	}
	return con.write(c, f, change{
		action: "recall.run",
		of: func(answer any) operator.Change {
			return operator.Change{Object: fmt.Sprintf("recall:%d", id), Before: map[string]any{"state": old.State}, After: map[string]any{"state": answer.(model.Recall).State}}
		},
		do: func() (string, error) {
			ctx := c.Request.Context()
			_, err := con.app.Recalls.Run(ctx, id, web.Actor(ctx))
			return done(fmt.Sprintf("%s/recalls/%d", root, id), "started"), err
		},
		again: func(status int, f *Form) error { return con.showRecall(c, status, f) },
	})
}

// recallPeopleView lists who came back, or the lines of the file that got nothing.
type recallPeopleView struct {
	Frame
	Saved   *model.Recall
	Came    []model.RecallPerson
	People  map[int64]report.Person
	Skipped []skippedLine
	Lost    bool // the second
	Next    string
}

type skippedLine struct {
	recall.Skipped
	Label string
}

func (con *Console) recallPeople(c *gin.Context) error {
	ctx := c.Request.Context()
	id, err := idOf(c, false)
	if err != nil {
		return err
	}
	v := recallPeopleView{Frame: con.frame(c, "recall"), Lost: c.Query("of") == "skipped"}
	if v.Saved, err = con.app.Recalls.Get(ctx, id); err != nil {
		return err
	}
	if v.Lost {
		rows, next, err := con.app.Recalls.Skipped(ctx, v.Saved, c.Query("reason"), after(c), perPage)
		if err != nil {
			return err
		}
		for _, s := range rows {
			v.Skipped = append(v.Skipped, skippedLine{s, con.reasonName(c, s.Reason, s.Detail)})
		}
		if next > 0 {
			v.Next = nextPage(c, next)
		}
		web.Page(c, http.StatusOK, "console/recall_people", v)
		return nil
	}
	if v.Came, err = con.app.Recalls.Came(ctx, id, after(c), perPage+1); err != nil {
		return err
	}
	if len(v.Came) > perPage {
		v.Came = v.Came[:perPage]
		v.Next = nextPage(c, v.Came[perPage-1].MemberID)
	}
	ids := make([]int64, len(v.Came))
	for i, p := range v.Came {
		ids[i] = p.MemberID
	}
	if v.People, err = con.report.People(ctx, ids); err != nil {
		return err
	}
	web.Page(c, http.StatusOK, "console/recall_people", v)
	return nil
}
