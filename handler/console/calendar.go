package console

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app"
	"github.com/siyu-scrm/siyu/app/broadcast"
	"github.com/siyu-scrm/siyu/app/recall"
	"github.com/siyu-scrm/siyu/app/reminder"
	"github.com/siyu-scrm/siyu/app/sop"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

const (
	calendarWeeks = 5
	calendarLines = 6 // of a day; the others are counted
)

// sendingPages is where what sends is seen.
var sendingPages = map[string]string{broadcast.Source: "/broadcasts/", sop.Source: "/sops/", reminder.Source: "/reminders/", recall.Source: "/recalls/"}

type calendarDay struct {
	Day         model.Day
	Past, Today bool
	Lines       []sendingLine
	More        int
}

type sendingLine struct {
	app.Sending
	To, Clock string
}

type calendarView struct {
	Frame
	Weeks [][]calendarDay
	Any   bool
}

// sendings are what the clock sends on the days of [from, to).
func (con *Console) sendings(c *gin.Context, from, to model.Day) ([]sendingLine, error) {
	sends, err := con.app.Calendar(c.Request.Context(), from, to)
	if err != nil {
		return nil, err
	}
	lines := make([]sendingLine, len(sends))
	for i, s := range sends {
		lines[i] = sendingLine{s, root + sendingPages[s.Source] + string(web.IDOf(s.ID)), s.At.In(con.app.Zone.Location()).Format("15:04")}
	}
	return lines, nil
}

// calendar is this week and the four after it.
func (con *Console) calendar(c *gin.Context) error {
	zone, now := con.app.Zone, con.app.Clock.Now()
	today := zone.DayOf(now)
	monday := today.Add(-(int(today.Time().Weekday()) + 6) % 7)
	sends, err := con.sendings(c, today, monday.Add(7*calendarWeeks))
	if err != nil {
		return err
	}
	v := calendarView{Frame: con.frame(c, "calendar"), Any: len(sends) > 0}
	of := map[model.Day][]sendingLine{}
	for _, s := range sends {
		of[s.Day] = append(of[s.Day], s)
	}
	for week := range calendarWeeks {
		var days []calendarDay
		for i := range 7 {
			day := monday.Add(7*week + i)
			d := calendarDay{Day: day, Past: day < today, Today: day == today, Lines: of[day]}
			if n := len(d.Lines); n > calendarLines {
				d.Lines, d.More = d.Lines[:calendarLines-1], n-calendarLines+1
			}
			days = append(days, d)
		}
		v.Weeks = append(v.Weeks, days)
	}
	web.Page(c, http.StatusOK, "console/calendar", v)
	return nil
}
