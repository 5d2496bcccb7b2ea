package console

import (
	"fmt"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/follower"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

type followersView struct {
	Frame
	Rows    []syncLine
	Running bool
	May     bool // start one
	Form    *Form
}

type syncLine struct {
	follower.Progress
	Minutes int64  // left, rounded up
	Problem string // in words
}

func (con *Console) followers(c *gin.Context) error {
	return con.showFollowers(c, http.StatusOK, newForm(nil))
}

func (con *Console) showFollowers(c *gin.Context, status int, f *Form) error {
	rows, err := con.app.Followers.List(c.Request.Context(), con.app.Accounts)
	if err != nil {
		return err
	}
	v := followersView{Frame: con.frame(c, "followers"), Form: f, May: web.Allow(c.Request.Context(), operator.Settings) == nil}
	v.Here = root + "/followers"
	for _, p := range rows {
		line := syncLine{Progress: p, Minutes: int64((p.Left + time.Minute - 1) / time.Minute)}
		if p.Problem != "" {
			key := "console.follower_problem." + p.Problem
			if !templates.Has(key) {
				key = "console.follower_problem.other"
			}
			line.Problem = con.t(c, key)
		}
		v.Running = v.Running || p.State == model.SyncRunning
		v.Rows = append(v.Rows, line)
	}
	web.Page(c, status, "console/followers", v)
	return nil
}

func (con *Console) syncFollowers(c *gin.Context) error {
	f, err := readForm(c)
	if err != nil {
		return err
	}
	return con.write(c, f, change{
		action: "followers.sync",
		of: func(answer any) operator.Change {
			s, _ := answer.(model.FollowerSync)
			return operator.Change{Object: "account:" + s.Account, After: map[string]any{"state": s.State, "cursor": s.Cursor, "seen": s.Seen}}
		},
		do: func() (string, error) {
			_, err := con.app.Followers.Start(c.Request.Context(), f.Get("account"))
			if err != nil {
				err = fmt.Errorf("console: %w", err)
			}
			return done(root+"/followers", "sync_started"), err
		},
		again: func(status int, f *Form) error { return con.showFollowers(c, status, f) },
	})
}
