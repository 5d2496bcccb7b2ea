package console

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

// shownWorks is how many long jobs the page shows.
const shownWorks = 50

type worksView struct {
	Frame
	Rows    []model.Work
	Running bool
	May     bool // cancel one, start it again
	Form    *Form
}

func (con *Console) works(c *gin.Context) error { return con.showWorks(c, http.StatusOK, newForm(nil)) }

func (con *Console) showWorks(c *gin.Context, status int, f *Form) error {
	rows, err := con.app.Works.List(c.Request.Context(), "", 0, shownWorks)
	if err != nil {
		return err
	}
	v := worksView{Frame: con.frame(c, "works"), Rows: rows, Form: f, May: web.Allow(c.Request.Context(), operator.ProgrammeWrite) == nil}
	v.Here = root + "/works"
	for _, w := range rows {
		v.Running = v.Running || w.State == model.WorkRunning
	}
	web.Page(c, status, "console/works", v)
	return nil
}

func (con *Console) cancelWork(c *gin.Context) error {
	return con.changeWork(c, "work.cancel", con.app.Works.Cancel)
}

func (con *Console) retryWork(c *gin.Context) error {
	return con.changeWork(c, "work.retry", con.app.Works.Retry)
}

func (con *Console) changeWork(c *gin.Context, action string, do func(context.Context, int64) (*model.Work, error)) error {
	f, id, err := postedTo(c)
	if err != nil {
		return err
	}
	return con.write(c, f, change{
		action: action,
		of: func(answer any) operator.Change {
			w, _ := answer.(model.Work)
			return operator.Change{Object: "work:" + string(web.IDOf(w.ID)), After: map[string]any{"kind": w.Kind, "state": w.State, "done": w.Done}}
		},
		do: func() (string, error) {
			_, err := do(c.Request.Context(), id)
			return done(root+"/works", "saved"), err
		},
		again: func(status int, f *Form) error { return con.showWorks(c, status, f) },
	})
}
