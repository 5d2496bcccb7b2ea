package console

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

// sendCapsView is how many messages one person gets at most, and when none.
type sendCapsView struct {
	Frame
	Rows          []model.ReachCap
	Builtin       *model.ReachCap // holds while there are no rows
	Settings      *Form
	Changes       []auditLine // of the settings
	Form          *Form
	ID            int64 // that is changed
	Channels      []string
	Classes, Pers []string
}

func (con *Console) sendCaps(c *gin.Context) error {
	return con.showSendCaps(c, http.StatusOK, 0, newCap(), nil)
}

// newCap is the form of another cap.
func newCap() *Form {
	return newForm(url.Values{"class": {model.ClassMarketing}, "per": {model.PerWeek}, "limit": {"3"}})
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
	}), nil)
}

// showSendCaps is the page with the form f of a cap, and settings: nil are those that hold.
func (con *Console) showSendCaps(c *gin.Context, status int, id int64, f, settings *Form) error {
	rows, builtin, err := con.app.Reach.Caps(c.Request.Context())
	if err != nil {
		return err
	}
	v := sendCapsView{
		Frame: con.frame(c, "caps"), Rows: rows, Form: f, ID: id, Channels: append([]string{""}, reach.Channels...),
		Settings: settings, Classes: []string{model.ClassMarketing, model.ClassService, model.ClassAll}, Pers: []string{model.PerHours, model.PerDay, model.PerWeek, model.PerMonth},
	}
	if len(rows) == 0 {
		v.Builtin = &builtin
	}
	if settings == nil {
		set, err := con.app.Reach.Settings(c.Request.Context())
		if err != nil {
			return err
		}
		v.Settings = newForm(url.Values{
			"quiet_from": {set.QuietFrom}, "quiet_to": {set.QuietTo}, "stop_percent": {fmt.Sprint(set.StopPercent)}, "stop_calls": {fmt.Sprint(set.StopCalls)},
		})
	}
	if v.Changes, err = con.changesOf(c, v.Frame, "reach:settings"); err != nil {
		return err
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
		again: func(status int, id int64, f *Form) error { return con.showSendCaps(c, status, id, f, nil) },
	})
}

func (con *Console) deleteSendCap(c *gin.Context) error {
	return con.remove(c, removing{
		kind: "cap", list: "/caps",
		old:   func(ctx context.Context, id int64) (any, error) { return con.app.Reach.Cap(ctx, id) },
		do:    con.app.Reach.DeleteCap,
		again: func(status int, _ int64, f *Form) error { return con.showSendCaps(c, status, 0, f, nil) },
	})
}

// saveSendSettings changes the quiet hours, and when a run pauses itself.
func (con *Console) saveSendSettings(c *gin.Context) error {
	f, err := readForm(c)
	if err != nil {
		return err
	}
	before, err := con.app.Reach.Settings(c.Request.Context())
	if err != nil {
		return err
	}
	return con.write(c, f, change{
		action: "reach.settings",
		of: func(answer any) operator.Change {
			return operator.Change{Object: "reach:settings", Before: before, After: answer}
		},
		do: func() (string, error) {
			r := &reader{f: f}
			in := model.ReachSettings{QuietFrom: f.Get("quiet_from"), QuietTo: f.Get("quiet_to"), StopPercent: r.number("stop_percent"), StopCalls: r.number("stop_calls")}
			if r.err != nil {
				return "", r.err
			}
			_, err := con.app.Reach.SaveSettings(c.Request.Context(), in)
			return done(root+"/caps", "saved"), err
		},
		again: func(status int, f *Form) error { return con.showSendCaps(c, status, 0, newCap(), f) },
	})
}
