package member

import (
	"context"
	"net/http"

	"github.com/siyu-scrm/siyu/app/quiz"
	"github.com/siyu-scrm/siyu/handler/web"
)

// Option is one answer to choose.
type Option struct {
	Letter string `json:"letter" example:"A"`
	Text   string `json:"text" example:"莓果复合物"`
}

// Answered is the member's last try.
type Answered struct {
	Letter  string   `json:"letter" example:"A"`
	Correct bool     `json:"correct"`
	At      web.Time `json:"at"`
}

// Quiz is a question that is open now.
type Quiz struct {
	ID          web.ID    `json:"id"`
	Question    string    `json:"question" example:"猜猜它的主要有效成分是?"`
	Options     []Option  `json:"options"`
	OpensAt     web.Time  `json:"opens_at"`
	ClosesAt    web.Time  `json:"closes_at"`
	SecondsLeft int64     `json:"seconds_left" example:"3600"`
	Attempts    int       `json:"attempts" example:"1"`
	TriesLeft   int       `json:"tries_left" example:"1"`
	Answered    *Answered `json:"answered" doc:"null before the first try"`
	Link        string    `json:"link,omitempty"`
}

type quizList struct {
	web.Stamped
	web.List[Quiz]
}

type answerIn struct {
	ID   web.ID `path:"id"`
	Body struct {
		Answer string `json:"answer" minLength:"1" maxLength:"255" example:"A" doc:"The letter of an option, or its whole text"`
	}
}

type answer struct {
	web.Stamped
	QuizID      web.ID  `json:"quiz_id"`
	Question    string  `json:"question"`
	Letter      string  `json:"letter" example:"A" doc:"What was chosen"`
	Correct     bool    `json:"correct"`
	Right       string  `json:"right" example:"A.莓果复合物" doc:"Once he is right or has no try left"`
	Explanation string  `json:"explanation"`
	Link        string  `json:"link,omitempty"`
	TriesLeft   int     `json:"tries_left"`
	Grants      []Grant `json:"grants"`
}

func (h *handler) quizzes(api *web.API) {
	web.Read(api, op(http.MethodGet, "/quizzes", "The quizzes that are open now"), h.getQuizzes)
	o := op(http.MethodPost, "/quizzes/{id}/answers", "Answer a quiz", http.StatusForbidden, http.StatusNotFound, http.StatusConflict)
	o.Description = "409 QUIZ_CLOSED outside its window, 409 ALREADY_ANSWERED after the right answer or the last try, 403 NOT_MEMBER before registration."
	o.DefaultStatus = http.StatusCreated
	web.Write(api, o, h.postAnswer)
}

func (h *handler) getQuizzes(ctx context.Context, _ *web.None) (*web.Out[quizList], error) {
	open, err := h.Quizzes.Open(ctx, web.MemberID(ctx))
	if err != nil {
		return nil, err
	}
	return &web.Out[quizList]{Body: quizList{Stamped: web.Stamp(h.Clock), List: web.List[Quiz]{Items: quizzes(open)}}}, nil
}

func quizzes(open []quiz.Open) []Quiz {
	shown := make([]Quiz, len(open))
	for i, o := range open {
		v := Quiz{
			ID: web.IDOf(o.ID), Question: o.Question, Options: make([]Option, len(o.Options)), OpensAt: web.At(o.OpensAt), ClosesAt: web.At(o.ClosesAt),
			SecondsLeft: o.SecondsLeft, Attempts: o.Attempts, TriesLeft: o.TriesLeft, Link: o.Link,
		}
		for j, option := range o.Options {
			v.Options[j] = Option{Letter: option.Letter, Text: option.Text}
			if o.Answered != nil && o.Answered.OptionID == option.ID {
				v.Answered = &Answered{Letter: option.Letter, Correct: o.Answered.Correct, At: web.At(o.Answered.At)}
			}
		}
		shown[i] = v
	}
	return shown
}

func (h *handler) postAnswer(ctx context.Context, in *answerIn) (*web.Out[answer], error) {
	r, err := h.Quizzes.Answer(ctx, web.MemberID(ctx), in.ID.Int(), in.Body.Answer, h.Clock.Now())
	if err != nil {
		return nil, err
	}
	return &web.Out[answer]{Body: answer{
		Stamped: web.Stamp(h.Clock), QuizID: web.IDOf(r.QuizID), Question: r.Question, Letter: r.Letter, Correct: r.Correct, Right: r.Right,
		Explanation: r.Explanation, Link: r.Link, TriesLeft: r.TriesLeft, Grants: grants(ctx, r.Grants),
	}}, nil
}
