package console

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

// sendCapsView is how many messages one person gets at most, and when none.
type sendCapsView struct {
	Frame
	Rows               []model.ReachCap
	Builtin            *model.ReachCap // holds while there are no rows
	QuietFrom, QuietTo string
	Form               *Form
	ID                 int64 // that is changed
	Channels           []string
	Classes, Pers      []string
}

func (con *Console) sendCaps(c *gin.Context) error {
	return con.showSendCaps(c, http.StatusOK, 0, newForm(url.Values{"class": {model.ClassMarketing}, "per": {model.PerWeek}, "limit": {"3"}}))
}

// sendCap is the page with one of the caps in its form.
func (con *Console) sendCap(c *gin.Context) error {
	id, err := idOf(c, false)
	if err != nil {
		return err
	}
	row, err := con.app.Reach.Cap(c.Request.Context(), id)
	if err != nil {
		return err
	}
	return con.showSendCaps(c, http.StatusOK, id, newForm(url.Values{
		"class": {row.Class}, "channel": {row.Channel}, "per": {row.Per}, "hours": {some(int64(row.Hours))}, "limit": {fmt.Sprint(row.Limit)},
	}))
}

func (con *Console) showSendCaps(c *gin.Context, status int, id int64, f *Form) error {
	rows, builtin, err := con.app.Reach.Caps(c.Request.Context())
	if err != nil {
		return err
	}
	v := sendCapsView{
		Frame: con.frame(c, "caps"), Rows: rows, Form: f, ID: id, Channels: append([]string{""}, reach.Channels...),
		QuietFrom: con.app.Config.Reach.QuietFrom, QuietTo: con.app.Config.Reach.QuietTo,
		Classes: []string{model.ClassMarketing, model.ClassService, model.ClassAll}, Pers: []string{model.PerHours, model.PerDay, model.PerWeek, model.PerMonth},
	}
	if len(rows) == 0 {
		v.Builtin = &builtin
	}
	web.Page(c, status, "console/caps", v)
	return nil
}

func (con *Console) saveSendCap(c *gin.Context) error {
	return save(con, c, saving[model.ReachCap]{
		kind:  "cap",
		get:   func(id int64) (any, error) { return con.app.Reach.Cap(c.Request.Context(), id) },
		facts: func(row model.ReachCap) (int64, any) { return row.ID, row },
		do: func(f *Form, id int64) (string, error) {
			r := &reader{f: f}
			row := model.ReachCap{ID: id, Class: f.Get("class"), Channel: f.Get("channel"), Per: f.Get("per"), Limit: small(r.number("limit"))}
			if row.Per == model.PerHours {
				row.Hours = small(r.number("hours"))
			}
			if r.err != nil {
				return "", r.err
			}
			_, err := con.app.Reach.SaveCap(c.Request.Context(), row)
			return done(root+"/caps", "saved"), err
		},
		again: func(status int, id int64, f *Form) error { return con.showSendCaps(c, status, id, f) },
	})
}

func (con *Console) deleteSendCap(c *gin.Context) error {
	return con.remove(c, removing{
		kind: "cap", list: "/caps",
		old:   func(ctx context.Context, id int64) (any, error) { return con.app.Reach.Cap(ctx, id) },
		do:    con.app.Reach.DeleteCap,
		again: func(status int, _ int64, f *Form) error { return con.showSendCaps(c, status, 0, f) },
	})
}
