package console

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/quiz"
	"github.com/siyu-scrm/siyu/app/report"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

type quizzesView struct {
	Frame
	Rows []quizLine
}

type quizLine struct {
	quiz.View
	Score  report.Score
	Phase  string // coming | open | closed | off
	Orders int64  // that it brought
}

func (con *Console) quizzes(c *gin.Context) error {
	ctx := c.Request.Context()
	rows, err := con.app.Quizzes.List(ctx, 200)
	if err != nil {
		return err
	}
	ids := make([]int64, len(rows))
	for i, q := range rows {
		ids[i] = q.ID
	}
	scores, err := con.report.Scores(ctx, ids)
	if err != nil {
		return err
	}
	brought, err := con.app.Orders.QuizBackflow(ctx, ids...)
	if err != nil {
		return err
	}
	v := quizzesView{Frame: con.frame(c, "quizzes")}
	for _, q := range rows {
		v.Rows = append(v.Rows, quizLine{q, scores[q.ID], phase(&q.Quiz, v.Now), brought[q.ID]})
	}
	web.Page(c, http.StatusOK, "console/quizzes", v)
	return nil
}

func phase(q *model.Quiz, now time.Time) string {
	switch {
	case !q.Enabled:
		return "off"
	case now.Before(q.OpensAt):
		return "coming"
	case now.Before(q.ClosesAt):
		return "open"
	}
	return "closed"
}

type quizView struct {
	Frame
	ID      int64
	Form    *Form
	Score   report.Score
	Tags    []tagGroup
	Options []quizOption
}

// quizOption is a row of the options of a question.
type quizOption struct {
	I      int
	Letter string
}

// quizOptions are the rows of the question whose controls begin with at.
func quizOptions(f *Form, at string) (out []quizOption) {
	for _, i := range rows(f, at+"option", 4) {
		out = append(out, quizOption{i, string(rune('A' + i))})
	}
	return out
}

func (con *Console) quiz(c *gin.Context) error {
	id, err := idOf(c, true)
	if err != nil {
		return err
	}
	day := con.app.Zone.DayOf(con.app.Clock.Now())
	opens, closes := con.app.Zone.Start(day), con.app.Zone.Start(day.Add(7))
	values := url.Values{
		"enabled": {"on"}, "attempts": {"1"}, "correct": {"0"}, "opens_at": {written(&opens, con.app.Zone)}, "closes_at": {written(&closes, con.app.Zone)},
	}
	if id != 0 {
		q, err := con.app.Quizzes.Get(c.Request.Context(), id)
		if err != nil {
			return err
		}
		values = con.writeQuiz(q)
	}
	return con.showQuiz(c, http.StatusOK, id, newForm(values))
}

func (con *Console) writeQuiz(q *quiz.View) url.Values {
	v := url.Values{
		"question": {q.Question}, "opens_at": {written(&q.OpensAt, con.app.Zone)}, "closes_at": {written(&q.ClosesAt, con.app.Zone)},
		"attempts": {fmt.Sprint(q.Attempts)}, "explanation": {q.Explanation}, "link": {q.Link},
	}
	if q.Enabled {
		v.Set("enabled", "on")
	}
	for i, o := range q.Options {
		v.Add("option", o.Text)
		v.Add("option_tag", fmt.Sprint(o.TagID))
		if o.Correct {
			v.Set("correct", strconv.Itoa(i))
		}
	}
	return v
}

func (con *Console) showQuiz(c *gin.Context, status int, id int64, f *Form) (err error) {
	v := quizView{Frame: con.frame(c, "quiz"), ID: id, Form: f, Options: quizOptions(f, "")}
	if v.Tags, err = con.tagGroups(c); err != nil {
		return err
	}
	scores, err := con.report.Scores(c.Request.Context(), []int64{id})
	if err != nil {
		return err
	}
	v.Score = scores[id]
	web.Page(c, status, "console/quiz", v)
	return nil
}

func (con *Console) saveQuiz(c *gin.Context) error {
	return save(con, c, saving[quiz.View]{
		kind:  "quiz",
		get:   func(id int64) (any, error) { return con.app.Quizzes.Get(c.Request.Context(), id) },
		facts: func(q quiz.View) (int64, any) { return q.ID, q },
		do: func(f *Form, id int64) (string, error) {
			q, err := con.readQuiz(f)
			if err != nil {
				return "", err
			}
			q.ID = id
			_, err = con.app.Quizzes.Save(c.Request.Context(), *q)
			return done(root+"/quizzes", "saved"), err
		},
		again: func(status int, id int64, f *Form) error { return con.showQuiz(c, status, id, f) },
	})
}

func (con *Console) readQuiz(f *Form) (*quiz.View, error) {
	q, err := readQuestion(f, "", "")
	if err != nil {
		return nil, err
	}
	q.Link, q.Enabled = f.Get("link"), f.On("enabled")
	attempts, err := f.Number("attempts")
	if err != nil {
		return nil, err
	}
	q.Attempts = int(attempts)
	for field, into := range map[string]*time.Time{"opens_at": &q.OpensAt, "closes_at": &q.ClosesAt} {
		t, err := f.Time(field, con.app.Zone)
		switch {
		case err != nil:
			return nil, err
		case t == nil:
			return nil, errs.Field(field, "console.required")
		}
		*into = *t
	}
	return q, nil
}

// readQuestion reads what is asked, from the controls that begin with at; path is where the use case has it.
func readQuestion(f *Form, at, path string) (*quiz.View, error) {
	q := &quiz.View{Quiz: model.Quiz{Question: f.Get(at + "question"), Explanation: f.Get(at + "explanation")}}
	for _, name := range []string{"question", "explanation"} {
		f.from(path+name, at+name)
	}
	f.from(path+"options", at+"option")
	for i, text := range f.Values[at+"option"] {
		if strings.TrimSpace(text) == "" {
			continue
		}
		f.from(fmt.Sprintf("%soptions[%d]", path, len(q.Options)), fmt.Sprintf("%soption[%d]", at, i))
		o := model.QuizOption{Text: strings.TrimSpace(text), Correct: f.Get(at+"correct") == strconv.Itoa(i)}
		if s := f.At(at+"option_tag", i); s != "" {
			var err error
			if o.TagID, err = number(at+"option_tag", s); err != nil {
				return nil, err
			}
		}
		q.Options = append(q.Options, o)
	}
	return q, nil
}
