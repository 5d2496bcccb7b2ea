package console

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/app/recall"
	"github.com/siyu-scrm/siyu/app/reminder"
	"github.com/siyu-scrm/siyu/app/report"
	"github.com/siyu-scrm/siyu/app/sop"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

// soonLines is how much of what is sent soon the board shows.
const soonLines = 8

type dashboardView struct {
	Frame
	Board  report.Board
	Runs   []runLine
	Soon   []sendingLine // today and tomorrow
	More   int
	Parked []report.Parked
	Bare   bool // there is no rule: nothing earns points
}

// runLine is a run in a list.
type runLine struct {
	model.Run
	Name   string // of the broadcast
	Counts reach.Counts
}

// Waiting is how many people nothing was decided about yet, or put off.
func (l runLine) Waiting() int64 { return l.Counts.Pending + l.Counts.Deferred }

func (con *Console) dashboard(c *gin.Context) error {
	ctx := c.Request.Context()
	board, err := con.report.Board(ctx, con.app.Audience.Count)
	if err != nil {
		return err
	}
	runs, err := con.app.Reach.Runs(ctx, "", 0, 0, 8)
	if err != nil {
		return err
	}
	v := dashboardView{Frame: con.frame(c, "dashboard"), Board: board}
	if v.Runs, err = con.runLines(c, runs); err != nil {
		return err
	}
	today := con.app.Zone.DayOf(con.app.Clock.Now())
	if v.Soon, err = con.sendings(c, today, today.Add(2)); err != nil {
		return err
	}
	if n := len(v.Soon); n > soonLines {
		v.Soon, v.More = v.Soon[:soonLines], n-soonLines
	}
	rules, err := con.app.Rewards.List(ctx, web.Lang(ctx))
	if err != nil {
		return err
	}
	v.Bare = len(rules) == 0
	if board.ParkedOutbox > 0 {
		if v.Parked, err = con.report.Parked(ctx, 20); err != nil {
			return err
		}
	}
	web.Page(c, http.StatusOK, "console/dashboard", v)
	return nil
}

// runLines adds the counts and the names of the broadcasts.
func (con *Console) runLines(c *gin.Context, runs []model.Run) ([]runLine, error) {
	ctx := c.Request.Context()
	ids := make([]int64, len(runs))
	for i, r := range runs {
		ids[i] = r.SourceID
	}
	names, err := con.report.BroadcastNames(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := make([]runLine, len(runs))
	for i, r := range runs {
		counts, err := con.app.Reach.Counts(ctx, r.ID)
		if err != nil {
			return nil, err
		}
		out[i] = runLine{Run: r, Name: con.runName(c, &r, names), Counts: counts}
	}
	return out, nil
}

// runName is what a run was sent for.
func (con *Console) runName(c *gin.Context, r *model.Run, broadcasts map[int64]string) string {
	if r.Source == reminder.Source {
		return con.t(c, "console.reminder")
	}
	if r.Source == sop.Source {
		return con.t(c, "console.title.sop")
	}
	if r.Source == recall.Source {
		return con.t(c, "console.cause.recall")
	}
	return broadcasts[r.SourceID]
}
