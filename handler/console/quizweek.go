package console

import (
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/quiz"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

// sheetDays is how many days a sheet of quizzes has.
const sheetDays = 7

type quizWeekView struct {
	Frame
	Form *Form
	Tags []tagGroup
	Days []quizDay
}

// quizDay is a day of the sheet, with the quizzes that open on it already.
type quizDay struct {
	At      string // how the names of its controls begin
	Day     model.Day
	Weekday int
	Known   []quizLine
	Options []quizOption
	Open    bool // the question is looked at
}

func quizDayAt(i int) string { return fmt.Sprintf("d%d.", i) }

// quizWeek is a sheet from a day on; without one it goes on where the last quiz was.
func (con *Console) quizWeek(c *gin.Context) error {
	from, err := model.ParseDay(c.Query("from"))
	if err != nil {
		from = con.app.Zone.DayOf(con.app.Clock.Now())
		last, err := con.app.Quizzes.List(c.Request.Context(), 1)
		if err != nil {
			return err
		}
		if len(last) > 0 {
			from = max(from, con.app.Zone.DayOf(last[0].OpensAt).Add(1))
		}
	}
	return con.showQuizWeek(c, http.StatusOK, newForm(url.Values{"from": {string(from)}, "opens": {"12:00"}, "closes": {"20:00"}, "attempts": {"1"}}))
}

func (con *Console) showQuizWeek(c *gin.Context, status int, f *Form) (err error) {
	v := quizWeekView{Frame: con.frame(c, "quizweek"), Form: f}
	if v.Tags, err = con.tagGroups(c); err != nil {
		return err
	}
	known, err := con.app.Quizzes.List(c.Request.Context(), 200)
	if err != nil {
		return err
	}
	from, err := model.ParseDay(f.Get("from"))
	if err != nil {
		from = con.app.Zone.DayOf(v.Now)
	}
	for i := range sheetDays {
		at := quizDayAt(i)
		d := quizDay{At: at, Day: from.Add(i), Options: quizOptions(f, at)}
		d.Weekday = (int(d.Day.Time().Weekday())+6)%7 + 1
		for _, q := range known {
			if con.app.Zone.DayOf(q.OpensAt) == d.Day {
				d.Known = append(d.Known, quizLine{View: q, Phase: phase(&q.Quiz, v.Now)})
			}
		}
		d.Open = len(d.Known) == 0 || f.typed(at)
		v.Days = append(v.Days, d)
	}
	web.Page(c, status, "console/quizweek", v)
	return nil
}

// typed reports whether something was written about the day whose controls begin with at.
func (f *Form) typed(at string) bool {
	for _, name := range []string{"question", "option", "explanation"} {
		for i := range f.Values[at+name] {
			if f.At(at+name, i) != "" {
				return true
			}
		}
	}
	return false
}

func (con *Console) saveQuizWeek(c *gin.Context) error {
	f, err := readForm(c)
	if err != nil {
		return err
	}
	return con.write(c, f, change{
		action: "quiz.week",
		of: func(answer any) operator.Change {
			return operator.Change{Object: "quizzes:" + f.Get("from"), After: answer}
		},
		do: func() (string, error) {
			week, err := con.readQuizWeek(f)
			if err != nil {
				return "", err
			}
			_, err = con.app.Quizzes.SaveAll(c.Request.Context(), week)
			return done(root+"/quizzes", "saved"), err
		},
		again: func(status int, f *Form) error { return con.showQuizWeek(c, status, f) },
	})
}

// readQuizWeek reads the days on which something is written. What closes no later than it opens closes on the next day.
func (con *Console) readQuizWeek(f *Form) (week []quiz.View, err error) {
	from, err := model.ParseDay(f.Get("from"))
	if err != nil {
		return nil, errs.Field("from", "console.time")
	}
	hours := map[string]time.Time{}
	for _, name := range []string{"opens", "closes"} {
		if hours[name], err = time.Parse("15:04", f.Get(name)); err != nil {
			return nil, errs.Field(name, "console.time")
		}
	}
	attempts, err := f.Number("attempts")
	if err != nil {
		return nil, err
	}
	opens, closes := hours["opens"], hours["closes"]
	last := 0
	if !opens.Before(closes) {
		last = 1
	}
	for i := range sheetDays {
		at, path := quizDayAt(i), fmt.Sprintf("quizzes[%d].", len(week))
		if !f.typed(at) {
			continue
		}
		for field, control := range map[string]string{"opens_at": "opens", "closes_at": "closes", "attempts": "attempts", "link": "link"} {
			f.from(path+field, control)
		}
		q, err := readQuestion(f, at, path)
		if err != nil {
			return nil, err
		}
		day := from.Add(i)
		q.Link, q.Attempts, q.Enabled = f.Get("link"), int(attempts), true
		q.OpensAt, q.ClosesAt = con.app.Zone.At(day, opens.Hour(), opens.Minute()), con.app.Zone.At(day.Add(last), closes.Hour(), closes.Minute())
		week = append(week, *q)
	}
	if len(week) == 0 {
		return nil, errs.Field(quizDayAt(0)+"question", "console.quiz_week_none")
	}
	return week, nil
}
