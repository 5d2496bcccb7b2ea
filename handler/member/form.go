package member

import (
	"context"
	"net/http"

	"github.com/siyu-scrm/siyu/app/form"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

// Form is a form that is open now.
type Form struct {
	ID          web.ID   `json:"id"`
	Title       string   `json:"title" example:"最想要哪项福利?"`
	Text        string   `json:"text"`
	OpensAt     web.Time `json:"opens_at"`
	ClosesAt    web.Time `json:"closes_at"`
	SecondsLeft int64    `json:"seconds_left" example:"3600"`
	Answered    bool     `json:"answered"`
	Editable    bool     `json:"editable" doc:"The answer can be changed until it closes"`
	Results     bool     `json:"results" doc:"Who has answered sees the results"`
}

// FormOption is one option.
type FormOption struct {
	ID   web.ID `json:"id"`
	Text string `json:"text" example:"附属品"`
}

// FormQuestion is one question.
type FormQuestion struct {
	ID       web.ID       `json:"id"`
	Kind     string       `json:"kind" enum:"single,multi,rating,ranking,text" example:"ranking"`
	Text     string       `json:"text" example:"最想要哪项福利?"`
	Required bool         `json:"required"`
	Min      int          `json:"min" doc:"multi, ranking: how many options at least, of who answers it"`
	Max      int          `json:"max" doc:"multi, ranking: at most, 0 = all; rating: the best mark, from 1; text: characters"`
	Options  []FormOption `json:"options"`
}

// FormReply is what is answered to one question.
type FormReply struct {
	QuestionID web.ID   `json:"question_id"`
	Options    []web.ID `json:"options,omitempty" maxItems:"50" doc:"single, multi, ranking: the options, of a ranking from the first place"`
	Rating     int      `json:"rating,omitempty" minimum:"0" maximum:"10" doc:"rating: the mark, from 1"`
	Text       string   `json:"text,omitempty" maxLength:"1000" doc:"text: the words"`
}

// FormAnswer is my answer.
type FormAnswer struct {
	At       web.Time    `json:"at"`
	EditedAt *web.Time   `json:"edited_at"`
	Answers  []FormReply `json:"answers"`
	Prize    string      `json:"prize" enum:",given,gone,limit" doc:"What became of the prize; gone: none was left, limit: I have as many of the coupon as one gets; empty: there was none"`
	Says     string      `json:"says" example:"奖品已发完,感谢您的填写" doc:"The same, ready to show"`
}

// Prize is what answering gives, beside what rules give.
type Prize struct {
	Kind string `json:"kind" enum:"points,coupon" example:"points"`
	Text string `json:"text" example:"+30 积分"`
	Left *int64 `json:"left" doc:"null: enough for everybody"`
}

type formList struct {
	web.Stamped
	web.List[Form]
}

type formPage struct {
	web.Stamped
	Form
	Questions []FormQuestion `json:"questions"`
	Prize     *Prize         `json:"prize" doc:"null: none"`
	Answer    *FormAnswer    `json:"answer" doc:"null: I have not answered"`
}

type submitIn struct {
	ID   web.ID `path:"id"`
	Body struct {
		Answers []FormReply `json:"answers" maxItems:"50"`
	}
}

type submitted struct {
	web.Stamped
	FormID web.ID     `json:"form_id"`
	Edited bool       `json:"edited" doc:"It took the place of an earlier answer: nothing is earned again"`
	Answer FormAnswer `json:"answer"`
	Grants []Grant    `json:"grants"`
}

type formResults struct {
	web.Stamped
	Answers   int64        `json:"answers" example:"3"`
	Questions []form.Tally `json:"questions"`
}

type formIn struct {
	ID web.ID `path:"id"`
}

func (h *handler) forms(api *web.API) {
	web.Read(api, op(http.MethodGet, "/forms", "The forms that are open now and ask me"), h.getForms)
	o := op(http.MethodGet, "/forms/{id}", "One form, and my answer", http.StatusForbidden, http.StatusNotFound, http.StatusConflict)
	o.Description = "Who has answered sees it after it closed too; else 409 WINDOW_CLOSED outside its window, with opens_at or closed_at."
	web.Read(api, o, h.getForm)
	o = op(http.MethodPost, "/forms/{id}/answers", "Answer a form, or change my answer", http.StatusForbidden, http.StatusNotFound, http.StatusConflict)
	o.Description = "409 WINDOW_CLOSED outside its window, 409 ALREADY_ANSWERED where the form allows no change, 403 FORBIDDEN for who is not asked. 400 names the question: question_id, question, n."
	o.DefaultStatus = http.StatusCreated
	web.Write(api, o, h.postForm)
	web.Read(api, op(http.MethodGet, "/forms/{id}/results", "What all answers come to, where the operator shows it to who has answered", http.StatusForbidden, http.StatusNotFound), h.getFormResults)
}

func (h *handler) getForms(ctx context.Context, _ *web.None) (*web.Out[formList], error) {
	open, err := h.Forms.Open(ctx, web.MemberID(ctx))
	if err != nil {
		return nil, err
	}
	return &web.Out[formList]{Body: formList{Stamped: web.Stamp(h.Clock), List: web.List[Form]{Items: forms(open)}}}, nil
}

func forms(open []form.Mine) []Form {
	shown := make([]Form, len(open))
	for i := range open {
		shown[i] = formView(&open[i])
	}
	return shown
}

func formView(m *form.Mine) Form {
	return Form{
		ID: web.IDOf(m.ID), Title: m.Title, Text: m.Text, OpensAt: web.At(m.OpensAt), ClosesAt: web.At(m.ClosesAt), SecondsLeft: m.SecondsLeft,
		Answered: m.Answer != nil, Editable: m.Editable, Results: m.Shown,
	}
}

func (h *handler) getForm(ctx context.Context, in *formIn) (*web.Out[formPage], error) {
	m, err := h.Forms.For(ctx, web.MemberID(ctx), in.ID.Int())
	if err != nil {
		return nil, err
	}
	out := formPage{Stamped: web.Stamp(h.Clock), Form: formView(m), Questions: make([]FormQuestion, len(m.Questions))}
	for i, q := range m.Questions {
		v := FormQuestion{ID: web.IDOf(q.ID), Kind: q.Kind, Text: q.Text, Required: q.Required, Min: q.Min, Max: q.Max, Options: make([]FormOption, len(q.Options))}
		for j, o := range q.Options {
			v.Options[j] = FormOption{web.IDOf(o.ID), o.Text}
		}
		out.Questions[i] = v
	}
	if m.Answer != nil {
		v := answerView(ctx, m.Answer)
		out.Answer = &v
	}
	out.Prize, err = h.prize(ctx, &m.Form)
	return &web.Out[formPage]{Body: out}, err
}

func (h *handler) prize(ctx context.Context, f *model.Form) (*Prize, error) {
	switch f.Prize {
	case model.PrizePoints:
		return &Prize{Kind: f.Prize, Left: f.Left(), Text: grantText("", f.Points, ledger.NameOf(web.Lang(ctx), model.AccountPoints, ""))}, nil
	case model.PrizeCoupon:
		c, err := h.Coupons.Get(ctx, f.CouponID)
		if err != nil {
			return nil, err
		}
		return &Prize{Kind: f.Prize, Left: f.Left(), Text: grantText(c.Name, 1, "")}, nil
	}
	return nil, nil
}

// answerView joins the lines of each question.
func answerView(ctx context.Context, a *form.Answer) FormAnswer {
	v := FormAnswer{At: web.At(a.At), EditedAt: web.AtPtr(a.EditedAt), Answers: []FormReply{}, Prize: a.Prize}
	if a.Prize != "" {
		v.Says = templates.T(web.Lang(ctx), "form.prize_"+a.Prize, nil)
	}
	seen := map[int64]bool{}
	for _, c := range a.Choices {
		if seen[c.QuestionID] {
			continue
		}
		seen[c.QuestionID] = true
		r := FormReply{QuestionID: web.IDOf(c.QuestionID), Text: c.Text}
		if c.OptionID == 0 {
			r.Rating = c.Value
		}
		for _, line := range a.Of(c.QuestionID) {
			if line.OptionID != 0 {
				r.Options = append(r.Options, web.IDOf(line.OptionID))
			}
		}
		v.Answers = append(v.Answers, r)
	}
	return v
}

func (h *handler) postForm(ctx context.Context, in *submitIn) (*web.Out[submitted], error) {
	replies := make([]form.Reply, len(in.Body.Answers))
	for i, a := range in.Body.Answers {
		replies[i] = form.Reply{QuestionID: a.QuestionID.Int(), Rating: a.Rating, Text: a.Text}
		for _, id := range a.Options {
			replies[i].Options = append(replies[i].Options, id.Int())
		}
	}
	r, err := h.Forms.Submit(ctx, web.MemberID(ctx), in.ID.Int(), replies, h.Clock.Now())
	if err != nil {
		return nil, err
	}
	return &web.Out[submitted]{Body: submitted{
		Stamped: web.Stamp(h.Clock), FormID: web.IDOf(r.Form.ID), Edited: r.Edited, Answer: answerView(ctx, &r.Answer), Grants: grants(ctx, r.Grants),
	}}, nil
}

func (h *handler) getFormResults(ctx context.Context, in *formIn) (*web.Out[formResults], error) {
	r, err := h.Forms.Shown(ctx, web.MemberID(ctx), in.ID.Int(), web.Lang(ctx))
	if err != nil {
		return nil, err
	}
	return &web.Out[formResults]{Body: formResults{Stamped: web.Stamp(h.Clock), Answers: r.Total.Answers, Questions: r.Total.Tallies}}, nil
}
