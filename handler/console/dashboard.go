package console

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/app/recall"
	"github.com/siyu-scrm/siyu/app/reminder"
	"github.com/siyu-scrm/siyu/app/report"
	"github.com/siyu-scrm/siyu/app/sop"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

// soonLines is how much of what is sent soon the board shows.
const soonLines = 8

type dashboardView struct {
	Frame
	Board  report.Board
	Tiles  []dayTile
	Alerts []alert
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

// dayTile is a number of today, with the one of yesterday, the days before, and the list behind it.
type dayTile struct {
	Name             string // locale key
	To               string // "" = who looks may not see it
	Today, Yesterday int64
	Spark            spark
}

// spark is a row of bars, one for each day.
type spark struct {
	Label string
	Width int
	Bars  []bar
}

type bar struct{ X, Y, Height int }

// Of a spark.
const (
	sparkHeight = 24
	sparkStep   = 8 // from bar to bar
)

// alert is a number of things that wait for somebody.
type alert struct {
	Name string // locale key
	To   string
	N    int64
}

func (con *Console) sparkOf(c *gin.Context, values []int64) spark {
	most, words := int64(1), make([]string, len(values))
	for i, n := range values {
		most, words[i] = max(most, n), strconv.FormatInt(n, 10)
	}
	s := spark{Width: sparkStep * len(values), Label: templates.T(web.Lang(c.Request.Context()), "console.board.days", map[string]any{
		"n": len(values), "list": strings.Join(words, ", "),
	})}
	for i, n := range values {
		height := max(1, int(max(n, 0)*sparkHeight/most))
		s.Bars = append(s.Bars, bar{sparkStep * i, sparkHeight - height, height})
	}
	return s
}

// dayTiles are the numbers of people, and the points issued and spent.
func (con *Console) dayTiles(c *gin.Context, f Frame, b *report.Board) ([]dayTile, error) {
	first, today := b.Days[0].Day, b.Today().Day
	points, err := con.app.Book.Liability(c.Request.Context(), first, today, model.AccountPoints)
	if err != nil {
		return nil, err
	}
	flows := make([]ledger.Flow, len(b.Days))
	for _, l := range points.Lines {
		of := &flows[l.Day.Sub(first)]
		of.Issued, of.Spent = of.Issued+l.Issued, of.Spent+l.Spent
	}
	var tiles []dayTile
	for _, what := range []struct {
		name, to string
		of       func(i int) int64
	}{
		{report.DidRegister, "", func(i int) int64 { return b.Days[i].Registered }},
		{report.DidFollow, "", func(i int) int64 { return b.Days[i].Followed }},
		{report.DidUnfollow, "", func(i int) int64 { return b.Days[i].Unfollowed }},
		{report.DidAct, "", func(i int) int64 { return b.Days[i].Active }},
		{report.DidSign, "", func(i int) int64 { return b.Days[i].Checkins }},
		{"issued", "/liability", func(i int) int64 { return flows[i].Issued }},
		{"spent", "/liability", func(i int) int64 { return flows[i].Spent }},
	} {
		values := make([]int64, len(b.Days))
		for i := range values {
			values[i] = what.of(i)
		}
		t := dayTile{
			Name: "console.board." + what.name, Today: values[len(values)-1], Yesterday: values[len(values)-2],
			To: fmt.Sprintf("%s/members?did=%s&day=%s", root, what.name, today), Spark: con.sparkOf(c, values),
		}
		if what.to != "" {
			t.To = root + what.to
		} else if !f.May(string(operator.MembersRead)) {
			t.To = ""
		}
		tiles = append(tiles, t)
	}
	return tiles, nil
}

// alerts are what waits for somebody, where there is any.
func (con *Console) alerts(c *gin.Context, f Frame, b *report.Board) (out []alert, err error) {
	waits, err := con.report.Waits(c.Request.Context())
	if err != nil {
		return nil, err
	}
	for _, a := range []struct {
		alert
		right operator.Right
	}{
		{alert{"console.board.failed", "/pushes?state=failed", b.FailedPushes}, operator.Settings},
		{alert{"console.board.parked", "#parked", b.ParkedOutbox}, operator.ProgrammeRead},
		{alert{"console.board.jobs_failed", "/jobs", waits.FailedJobs}, con.needs[root+"/jobs"]},
		{alert{"console.board.risks", "/risks", waits.Risks}, con.needs[root+"/risks"]},
		{alert{"console.board.grants", "/grants", waits.Grants}, con.needs[root+"/grants"]},
	} {
		if a.N == 0 {
			continue
		}
		if !strings.HasPrefix(a.To, "#") {
			a.To = root + a.To
		}
		if !f.May(string(a.right)) {
			a.To = ""
		}
		out = append(out, a.alert)
	}
	return out, nil
}

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
	if v.Tiles, err = con.dayTiles(c, v.Frame, &board); err != nil {
		return err
	}
	if v.Alerts, err = con.alerts(c, v.Frame, &board); err != nil {
		return err
	}
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
	if source, ok := strings.CutSuffix(r.Source, reach.TestSuffix); ok {
		of := *r
		of.Source = source
		return con.t(c, "console.test_send") + " · " + con.runName(c, &of, broadcasts)
	}
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
