package admin

import (
	"context"
	"fmt"
	"net/http"

	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/quiz"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

// Quiz is a question with a window.
type Quiz struct {
	ID web.ID `json:"id"`
	QuizBody
	Orders    int64    `json:"orders" doc:"With a member, that it brought: by the live session that it links to, or of source quiz:<id>"`
	CreatedAt web.Time `json:"created_at"`
}

// QuizBody is a quiz as an operator writes it.
type QuizBody struct {
	Question    string       `json:"question" minLength:"1" maxLength:"500" example:"猜猜它的主要有效成分是?"`
	Options     []QuizOption `json:"options" doc:"2 to 26, exactly one of them right; they are fixed once somebody answered."`
	OpensAt     web.Time     `json:"opens_at"`
	ClosesAt    web.Time     `json:"closes_at" example:"2026-11-23T20:00:00+08:00"`
	Attempts    int          `json:"attempts,omitempty" minimum:"1" maximum:"10" default:"1" doc:"Tries a member has until he is right"`
	Explanation string       `json:"explanation,omitempty" maxLength:"500"`
	Link        string       `json:"link,omitempty" maxLength:"512"`
	Enabled     *bool        `json:"enabled,omitempty" doc:"true if absent"`
}

// QuizOption is one answer.
type QuizOption struct {
	Letter  string     `json:"letter,omitempty" maxLength:"1" example:"A" doc:"Given by the order"`
	Text    string     `json:"text" minLength:"1" maxLength:"100" example:"莓果复合物"`
	Correct bool       `json:"correct,omitempty" example:"true"`
	TagID   OptionalID `json:"tag_id,omitempty" doc:"The tag that who chooses it gets"`
}

type quizIn struct{ Body QuizBody }

type quizPut struct {
	ID   web.ID `path:"id"`
	Body QuizBody
}

func quizView(v quiz.View) Quiz {
	q := Quiz{ID: web.IDOf(v.ID), CreatedAt: web.At(v.CreatedAt), QuizBody: QuizBody{
		Question: v.Question, Options: make([]QuizOption, len(v.Options)), OpensAt: web.At(v.OpensAt), ClosesAt: web.At(v.ClosesAt),
		Attempts: v.Attempts, Explanation: v.Explanation, Link: v.Link, Enabled: &v.Enabled,
	}}
	for i, o := range v.Options {
		q.Options[i] = QuizOption{Letter: o.Letter, Text: o.Text, Correct: o.Correct, TagID: optionalID(o.TagID)}
	}
	return q
}

func quizOf(id int64, b QuizBody) (quiz.View, error) {
	v := quiz.View{Quiz: model.Quiz{
		ID: id, Question: b.Question, OpensAt: b.OpensAt.Time, ClosesAt: b.ClosesAt.Time, Attempts: b.Attempts, Explanation: b.Explanation,
		Link: b.Link, Enabled: on(b.Enabled),
	}}
	if _, err := instant("opens_at", &b.OpensAt); err != nil {
		return v, err
	}
	if _, err := instant("closes_at", &b.ClosesAt); err != nil {
		return v, err
	}
	for i, o := range b.Options {
		tagID, err := ref(fmt.Sprintf("options[%d].tag_id", i), o.TagID)
		if err != nil {
			return v, err
		}
		v.Options = append(v.Options, model.QuizOption{Text: o.Text, Correct: o.Correct, TagID: tagID})
	}
	return v, nil
}

func (h *handler) quizzes(api *web.API) {
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/quizzes", "The last hundred quizzes, newest window first"), h.getQuizzes)
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/quizzes/{id}", "One quiz", http.StatusNotFound), h.getQuiz)
	body := map[string]any{
		"question": "猜猜它的主要有效成分是?", "opens_at": "2026-11-24T12:00:00+08:00", "closes_at": "2026-11-24T20:00:00+08:00",
		"options":     []any{map[string]any{"text": "莓果复合物", "correct": true}, map[string]any{"text": "天然果油"}},
		"explanation": "莓果复合物帮助双唇锁水。",
	}
	web.Write(api, example(post(operator.ProgrammeWrite, "/quizzes", "Make a quiz"), body), h.postQuiz)
	web.Write(api, example(op(operator.ProgrammeWrite, http.MethodPut, "/quizzes/{id}", "Change a quiz", http.StatusNotFound, http.StatusConflict), body), h.putQuiz)
}

func (h *handler) getQuizzes(ctx context.Context, _ *web.None) (*web.Out[web.List[Quiz]], error) {
	rows, err := h.Quizzes.List(ctx, 100)
	if err != nil {
		return nil, err
	}
	out := listed(rows, quizView)
	return out, h.quizOrders(ctx, out.Body.Items)
}

// quizOrders fills in how many orders each quiz brought.
func (h *handler) quizOrders(ctx context.Context, list []Quiz) error {
	ids := make([]int64, len(list))
	for i, q := range list {
		ids[i] = q.ID.Int()
	}
	n, err := h.Orders.QuizBackflow(ctx, ids...)
	for i := range list {
		list[i].Orders = n[ids[i]]
	}
	return err
}

func (h *handler) getQuiz(ctx context.Context, in *byID) (*web.Out[Quiz], error) {
	v, err := h.Quizzes.Get(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	list := []Quiz{quizView(*v)}
	if err := h.quizOrders(ctx, list); err != nil {
		return nil, err
	}
	return &web.Out[Quiz]{Body: list[0]}, nil
}

func (h *handler) postQuiz(ctx context.Context, in *quizIn) (*web.Out[Quiz], error) {
	return h.saveQuiz(ctx, "quiz.create", 0, nil, in.Body)
}

func (h *handler) putQuiz(ctx context.Context, in *quizPut) (*web.Out[Quiz], error) {
	old, err := h.getQuiz(ctx, &byID{ID: in.ID})
	if err != nil {
		return nil, err
	}
	return h.saveQuiz(ctx, "quiz.update", in.ID.Int(), old.Body, in.Body)
}

func (h *handler) saveQuiz(ctx context.Context, action string, id int64, before any, b QuizBody) (*web.Out[Quiz], error) {
	v, err := quizOf(id, b)
	if err != nil {
		return nil, err
	}
	ctx = audited(ctx, h, action, before, func(v quiz.View) (string, any) { return object("quiz", v.ID), quizView(v) })
	saved, err := h.Quizzes.Save(ctx, v)
	if err != nil {
		return nil, err
	}
	return &web.Out[Quiz]{Body: quizView(*saved)}, nil
}
