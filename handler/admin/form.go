package admin

import (
	"bytes"
	"context"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/siyu-scrm/siyu/app/form"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

// Form is questions that a member answers once.
type Form struct {
	ID web.ID `json:"id"`
	FormBody
	Fixed     bool     `json:"fixed" doc:"Somebody has answered: the questions and options cannot be changed"`
	Answers   *int64   `json:"answers,omitempty" doc:"How many answered; absent from the answer of a write"`
	Taken     int64    `json:"taken" doc:"Prizes given"`
	Left      *int64   `json:"left" doc:"Of the stock; null: unlimited"`
	CreatedAt web.Time `json:"created_at"`
	UpdatedAt web.Time `json:"updated_at"`
}

// FormBody is a form as an operator writes it.
type FormBody struct {
	Title       string         `json:"title" minLength:"1" maxLength:"100" example:"最想要哪项福利?"`
	Text        string         `json:"text,omitempty" maxLength:"1000"`
	OpensAt     web.Time       `json:"opens_at"`
	ClosesAt    web.Time       `json:"closes_at"`
	Condition   Condition      `json:"condition,omitempty" doc:"Who is asked; every member if absent"`
	Questions   []FormQuestion `json:"questions" doc:"1 to 50. They are fixed once somebody has answered."`
	Editable    bool           `json:"editable,omitempty" doc:"Who answered may change that until it closes: tags and results follow, nothing is earned twice"`
	ShowResults bool           `json:"show_results,omitempty" doc:"Who answered sees the results, without texts"`
	Prize       string         `json:"prize,omitempty" enum:"points,coupon" doc:"What each answer gives, as long as there are some; none if absent. Rules on form.submitted give without a stock"`
	CouponID    OptionalID     `json:"coupon_id,omitempty" doc:"prize coupon: which"`
	Points      int64          `json:"points,omitempty" minimum:"0" maximum:"1000000" doc:"prize points: how many"`
	Stock       *int64         `json:"stock,omitempty" minimum:"0" doc:"How many prizes there ever are, with those that were given; unlimited if absent. To refill it, raise it."`
	Enabled     *bool          `json:"enabled,omitempty" doc:"true if absent"`
}

// FormQuestion is one question.
type FormQuestion struct {
	ID       OptionalID   `json:"id,omitempty" doc:"Of one that is there already, to keep it; a new one if absent"`
	Kind     string       `json:"kind" enum:"single,multi,rating,ranking,text" example:"ranking"`
	Text     string       `json:"text" minLength:"1" maxLength:"200" example:"最想要哪项福利?"`
	Required bool         `json:"required,omitempty"`
	Min      int          `json:"min,omitempty" minimum:"0" maximum:"50" doc:"multi, ranking: how many options at least, of who answers it"`
	Max      int          `json:"max,omitempty" minimum:"0" maximum:"1000" doc:"multi, ranking: how many at most, all if absent; rating: the best mark, 5 if absent; text: characters, 500 if absent"`
	Options  []FormOption `json:"options,omitempty" maxItems:"50" doc:"single, multi, ranking: 2 to 50"`
}

// FormOption is one option.
type FormOption struct {
	ID    OptionalID `json:"id,omitempty" doc:"As of the question"`
	Text  string     `json:"text" minLength:"1" maxLength:"100" example:"附属品"`
	TagID OptionalID `json:"tag_id,omitempty" doc:"The tag that who chooses it gets, of a ranking who puts it first"`
}

type formIn struct{ Body FormBody }

type formPut struct {
	ID   web.ID `path:"id"`
	Body FormBody
}

type resultsIn struct {
	ID   web.ID     `path:"id"`
	By   string     `query:"by" enum:"tier,tag,tag_group" doc:"Also parted: by the tier that everybody is in now, by who holds a tag now and who does not, by the tags of a group"`
	Part OptionalID `query:"id" doc:"Of the tag, or of the group"`
}

// FormResults is what the answers to a form come to.
type FormResults struct {
	ID       web.ID         `json:"id"`
	Title    string         `json:"title" example:"最想要哪项福利?"`
	Total    form.Segment   `json:"total"`
	Segments []form.Segment `json:"segments" doc:"Of a split; who holds several tags of a group counts in each"`
}

type wordsIn struct {
	ID       web.ID `path:"id"`
	Question web.ID `query:"question_id" required:"true"`
	web.Paging
}

// FormWords is what somebody wrote.
type FormWords struct {
	ID       web.ID   `json:"id"`
	MemberID web.ID   `json:"member_id"`
	Text     string   `json:"text"`
	At       web.Time `json:"at"`
}

func (h *handler) forms(api *web.API) {
	body := map[string]any{
		"title": "您想要的福利", "opens_at": "2026-11-24T12:00:00+08:00", "closes_at": "2026-12-01T00:00:00+08:00", "editable": true, "show_results": true,
		"prize": "points", "points": 30, "stock": 500,
		"questions": []any{
			map[string]any{"kind": "ranking", "text": "最想要哪项福利?", "required": true, "options": []any{map[string]any{"text": "附属品"}, map[string]any{"text": "特殊活动"}, map[string]any{"text": "旅游"}}},
			map[string]any{"kind": "rating", "text": "满意吗?", "max": 5},
			map[string]any{"kind": "text", "text": "还想说什么?", "max": 200},
		},
	}
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/forms", "Forms, newest first"), h.getForms)
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/forms/{id}", "One form", http.StatusNotFound), h.getForm)
	web.Write(api, example(post(operator.ProgrammeWrite, "/forms", "Make a form"), body), h.postForm)
	o := op(operator.ProgrammeWrite, http.MethodPut, "/forms/{id}", "Change a form", http.StatusNotFound, http.StatusConflict)
	o.Description = "Questions and options that keep their ids stay what conditions name."
	web.Write(api, example(o, body), h.putForm)
	o = op(operator.ProgrammeRead, http.MethodGet, "/forms/{id}/results", "What the answers come to", http.StatusNotFound)
	o.Description = "Of an answer that was changed the newest counts. A ranking of n options gives n-1 points for a first place, n-2 for a second … 0 for the last and for what is left out."
	web.Read(api, o, h.getFormResults)
	web.Read(api, op(operator.MembersRead, http.MethodGet, "/forms/{id}/words", "What members wrote to a question, newest first", http.StatusNotFound), h.getFormWords)
	o = op(operator.MembersExport, http.MethodGet, "/forms/{id}/export", "Every answer", http.StatusNotFound)
	o.Description = "Number, nickname, masked phone number, when, and a column for each question. Leaves a line in the audit log."
	o.Responses = map[string]*huma.Response{"200": {Description: "CSV in UTF-8 with BOM", Content: map[string]*huma.MediaType{"text/csv": {
		Schema: &huma.Schema{Type: huma.TypeString},
	}}}}
	web.Read(api, o, h.getFormExport)
}

func formView(v form.View) Form {
	f := Form{ID: web.IDOf(v.ID), Fixed: v.Answered, Taken: v.Taken, Left: v.Left(), CreatedAt: web.At(v.CreatedAt), UpdatedAt: web.At(v.UpdatedAt), FormBody: FormBody{
		Title: v.Title, Text: v.Text, OpensAt: web.At(v.OpensAt), ClosesAt: web.At(v.ClosesAt), Condition: Condition(v.Condition), Questions: make([]FormQuestion, len(v.Questions)),
		Editable: v.Editable, ShowResults: v.Shown, Prize: v.Prize, CouponID: optionalID(v.CouponID), Points: v.Points, Stock: v.Stock, Enabled: &v.Enabled,
	}}
	for i, q := range v.Questions {
		f.Questions[i] = FormQuestion{ID: optionalID(q.ID), Kind: q.Kind, Text: q.Text, Required: q.Required, Min: q.Min, Max: q.Max}
		for _, o := range q.Options {
			f.Questions[i].Options = append(f.Questions[i].Options, FormOption{optionalID(o.ID), o.Text, optionalID(o.TagID)})
		}
	}
	return f
}

func formLine(l form.Line) Form {
	f := formView(l.View)
	f.Answers = &l.Answers
	return f
}

func (h *handler) formOf(id int64, b FormBody) (v form.View, err error) {
	v.Form = model.Form{
		ID: id, Title: b.Title, Text: b.Text, OpensAt: b.OpensAt.Time, ClosesAt: b.ClosesAt.Time, Editable: b.Editable, Shown: b.ShowResults,
		Prize: b.Prize, Points: b.Points, Stock: b.Stock, Enabled: on(b.Enabled),
	}
	for _, t := range []struct {
		field string
		at    web.Time
	}{{"opens_at", b.OpensAt}, {"closes_at", b.ClosesAt}} {
		if _, err := instant(t.field, &t.at); err != nil {
			return v, err
		}
	}
	t, err := h.tree(b.Condition)
	if err != nil {
		return v, err
	}
	v.Condition = model.ToJSON(t)
	if v.CouponID, err = ref("coupon_id", b.CouponID); err != nil {
		return v, err
	}
	for i, q := range b.Questions {
		at := fmt.Sprintf("questions[%d]", i)
		question := form.Question{FormQuestion: model.FormQuestion{Kind: q.Kind, Text: q.Text, Required: q.Required, Min: q.Min, Max: q.Max}}
		if question.ID, err = ref(at+".id", q.ID); err != nil {
			return v, err
		}
		for j, o := range q.Options {
			option := model.FormOption{Text: o.Text}
			if option.ID, err = ref(fmt.Sprintf("%s.options[%d].id", at, j), o.ID); err != nil {
				return v, err
			}
			if option.TagID, err = ref(fmt.Sprintf("%s.options[%d].tag_id", at, j), o.TagID); err != nil {
				return v, err
			}
			question.Options = append(question.Options, option)
		}
		v.Questions = append(v.Questions, question)
	}
	return v, nil
}

func (h *handler) getForms(ctx context.Context, in *struct{ web.Paging }) (*web.Out[web.List[Form]], error) {
	before, err := after(in.Paging)
	if err != nil {
		return nil, err
	}
	rows, err := h.Forms.List(ctx, before, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return &web.Out[web.List[Form]]{Body: web.ListOf(rows, in.Limit, formLine, func(l form.Line) []any { return []any{l.ID} })}, nil
}

func (h *handler) getForm(ctx context.Context, in *byID) (*web.Out[Form], error) {
	l, err := h.Forms.Line(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	return &web.Out[Form]{Body: formLine(*l)}, nil
}

func (h *handler) postForm(ctx context.Context, in *formIn) (*web.Out[Form], error) {
	return h.saveForm(ctx, "form.create", 0, nil, in.Body)
}

func (h *handler) putForm(ctx context.Context, in *formPut) (*web.Out[Form], error) {
	old, err := h.Forms.Get(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	return h.saveForm(ctx, "form.update", in.ID.Int(), formView(*old), in.Body)
}

func (h *handler) saveForm(ctx context.Context, action string, id int64, before any, b FormBody) (*web.Out[Form], error) {
	v, err := h.formOf(id, b)
	if err != nil {
		return nil, err
	}
	ctx = audited(ctx, h, action, before, func(v form.View) (string, any) { return object("form", v.ID), formView(v) })
	saved, err := h.Forms.Save(ctx, v)
	if err != nil {
		return nil, err
	}
	return &web.Out[Form]{Body: formView(*saved)}, nil
}

func (h *handler) getFormResults(ctx context.Context, in *resultsIn) (*web.Out[FormResults], error) {
	id, err := ref("id", in.Part)
	if err != nil {
		return nil, err
	}
	r, err := h.Forms.Results(ctx, in.ID.Int(), form.Split{By: in.By, ID: id}, web.Lang(ctx))
	if err != nil {
		return nil, err
	}
	out := FormResults{ID: web.IDOf(r.ID), Title: r.Title, Total: r.Total, Segments: r.Segments}
	if out.Segments == nil {
		out.Segments = []form.Segment{}
	}
	return &web.Out[FormResults]{Body: out}, nil
}

func (h *handler) getFormWords(ctx context.Context, in *wordsIn) (*web.Out[web.List[FormWords]], error) {
	before, err := after(in.Paging)
	if err != nil {
		return nil, err
	}
	rows, err := h.Forms.Words(ctx, in.ID.Int(), in.Question.Int(), before, in.Limit+1)
	if err != nil {
		return nil, err
	}
	view := func(w form.Words) FormWords {
		return FormWords{web.IDOf(w.ID), web.IDOf(w.MemberID), w.Text, web.At(w.At)}
	}
	return &web.Out[web.List[FormWords]]{Body: web.ListOf(rows, in.Limit, view, func(w form.Words) []any { return []any{w.ID} })}, nil
}

func (h *handler) getFormExport(ctx context.Context, in *byID) (*document, error) {
	var b bytes.Buffer
	n, err := h.Forms.Export(ctx, in.ID.Int(), web.Lang(ctx), h.Members.Phone, &b)
	if err != nil {
		return nil, err
	}
	if err := h.audit(ctx, "form.export", object("form", in.ID.Int()), nil, map[string]any{"answers": n}); err != nil {
		return nil, err
	}
	return &document{"text/csv; charset=utf-8", fmt.Sprintf(`attachment; filename="form-%d.csv"`, in.ID.Int()), b.Bytes()}, nil
}
