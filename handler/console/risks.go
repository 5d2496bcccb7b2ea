package console

import (
	"fmt"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/risk"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

type risksView struct {
	Frame
	Kind  string
	Done  bool
	Kinds []string
	Rows  []riskLine
	Next  string
	Form  *Form
}

type riskLine struct {
	model.Risk
	Facts string
}

func (con *Console) risks(c *gin.Context) error { return con.showRisks(c, http.StatusOK, newForm(nil)) }

func (con *Console) showRisks(c *gin.Context, status int, f *Form) error {
	v := risksView{Frame: con.frame(c, "risks"), Kind: c.Query("kind"), Done: c.Query("looked") != "", Kinds: model.RiskKinds, Form: f}
	rows, err := con.app.Risks.List(c.Request.Context(), risk.Query{Kind: v.Kind, Done: &v.Done, Before: after(c), Limit: perPage + 1})
	if err != nil {
		return err
	}
	if len(rows) > perPage {
		rows = rows[:perPage]
		v.Next = nextPage(c, rows[perPage-1].ID)
	}
	for _, r := range rows {
		v.Rows = append(v.Rows, riskLine{r, shown(r.Data)})
	}
	web.Page(c, status, "console/risks", v)
	return nil
}

func (con *Console) riskDone(c *gin.Context) error {
	f, id, err := postedTo(c)
	if err != nil {
		return err
	}
	return con.write(c, f, change{
		action: "risk.done",
		of: func(answer any) operator.Change {
			r, _ := answer.(model.Risk)
			return operator.Change{Object: fmt.Sprintf("risk:%d", id), Before: map[string]any{"done_at": nil}, After: map[string]any{"done_at": r.DoneAt}}
		},
		do: func() (string, error) {
			_, err := con.app.Risks.Done(c.Request.Context(), id)
			return done(root+"/risks", "saved"), err
		},
		again: func(status int, f *Form) error { return con.showRisks(c, status, f) },
	})
}
