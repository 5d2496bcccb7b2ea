package console

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

type auditView struct {
	Frame
	Rows   []auditLine
	Next   string
	Actors map[string]string
	Query  func(name string) string
}

type auditLine struct {
	model.Audit
	By, Was, Now string
}

func (con *Console) audit(c *gin.Context) error {
	ctx := c.Request.Context()
	q := operator.AuditQuery{Actor: c.Query("actor"), Object: c.Query("object"), Action: c.Query("action"), Before: after(c), Limit: perPage + 1}
	f := newForm(c.Request.URL.Query())
	if from, err := f.Time("from", con.app.Zone); err == nil && from != nil { // what is no time filters nothing
		q.From = *from
	}
	if to, err := f.Time("to", con.app.Zone); err == nil && to != nil {
		q.To = *to
	}
	list, err := con.app.Operators.Audits(ctx, q)
	if err != nil {
		return err
	}
	names, err := con.report.Actors(ctx)
	if err != nil {
		return err
	}
	v := auditView{Frame: con.frame(c, "audit"), Actors: names, Query: c.Query}
	if len(list) > perPage {
		list = list[:perPage]
		v.Next = nextPage(c, list[perPage-1].ID)
	}
	v.Rows = auditLines(list, names)
	web.Page(c, http.StatusOK, "console/audit", v)
	return nil
}

func auditLines(list []model.Audit, names map[string]string) (lines []auditLine) {
	for _, a := range list {
		line := auditLine{Audit: a, By: names[a.Actor], Was: shown(a.Before), Now: shown(a.After)}
		if line.By == "" {
			line.By = a.Actor
		}
		lines = append(lines, line)
	}
	return lines
}

// changesOf are the latest changes of a setting, for the page of the setting; nobody without the right sees any.
func (con *Console) changesOf(c *gin.Context, f Frame, object string) ([]auditLine, error) {
	if !f.May(string(operator.AuditRead)) {
		return nil, nil
	}
	list, err := con.app.Operators.Audits(c.Request.Context(), operator.AuditQuery{Object: object, Limit: 20})
	if err != nil {
		return nil, err
	}
	names, err := con.report.Actors(c.Request.Context())
	return auditLines(list, names), err
}

func shown(j model.JSON) string {
	if len(j) == 0 || string(j) == "null" {
		return ""
	}
	return pretty(j)
}

// note writes a line of the audit log by itself, for what has no transaction of its own.
func (con *Console) note(c *gin.Context, action, object string, before, after any) error {
	return con.app.Operators.Audit(c.Request.Context(), web.Actor(c.Request.Context()), action, object, before, after)
}
