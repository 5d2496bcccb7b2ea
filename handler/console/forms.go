package console

import (
	"bytes"
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/form"
	"github.com/siyu-scrm/siyu/app/report"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

type formsView struct {
	Frame
	Rows []formLine
	Next string
}

type formLine struct {
	form.Line
	Phase string // coming | open | closed | off
	Who   string // is asked
}

func (con *Console) forms(c *gin.Context) error {
	v := formsView{Frame: con.frame(c, "forms")}
	rows, err := con.app.Forms.List(c.Request.Context(), after(c), perPage+1)
	if err != nil {
		return err
	}
	if len(rows) > perPage {
		rows = rows[:perPage]
		v.Next = nextPage(c, rows[perPage-1].ID)
	}
	for _, r := range rows {
		line := formLine{Line: r, Phase: r.Phase(v.Now)}
		if line.Who, err = con.asked(c, r.Condition); err != nil {
			return err
		}
		v.Rows = append(v.Rows, line)
	}
	web.Page(c, http.StatusOK, "console/forms", v)
	return nil
}

// asked says whom a form asks; "" = every member.
func (con *Console) asked(c *gin.Context, raw model.JSON) (string, error) {
	t, err := con.app.Conditions.Parse(raw)
	if err != nil || t.Empty() {
		return "", err
	}
	ctx := c.Request.Context()
	return con.app.Conditions.Sentence(ctx, con.app.DB.Reader(ctx), web.Lang(ctx), t)
}

type formView struct {
	Frame
	ID        int64
	Form      *Form
	Saved     *formLine // nil: a new one
	Blocks    []block   // of questions
	Kinds     []string
	Prizes    []string
	Coupons   []choice
	Tags      []tagGroup
	Audiences []choice
	Leaves    []string
}

// block is the controls of one question.
type block struct {
	At      string // what their names begin with
	Place   int    // from 1
	Options []int  // rows
}

const (
	moreField = "more" // the button that asks for more rows: nothing is saved
	spareRows = 4      // options that a question offers at least
)

// controlsOf is what the names of a question's controls begin with.
func controlsOf(i int) string { return fmt.Sprintf("q.%d.", i) }

// blocks are those of the questions that are filled in, and one more.
func blocks(f *Form) (out []block) {
	last := -1
	for name := range f.Values {
		rest, ok := strings.CutPrefix(name, "q.")
		at, field, _ := strings.Cut(rest, ".")
		if i, err := strconv.Atoi(at); ok && err == nil && field == "text" && i < maxBlocks && f.Get(name) != "" {
			last = max(last, i)
		}
	}
	for i := range min(last+2, maxBlocks) {
		at := controlsOf(i)
		out = append(out, block{At: at, Place: i + 1, Options: rows(f, at+"option", spareRows)})
	}
	return out
}

// maxBlocks is how many questions a form may have.
const maxBlocks = 50

func (con *Console) form(c *gin.Context) error {
	id, err := idOf(c, true)
	if err != nil {
		return err
	}
	day := con.app.Zone.DayOf(con.app.Clock.Now())
	opens, closes := con.app.Zone.Start(day), con.app.Zone.Start(day.Add(7))
	values := url.Values{
		"enabled": {"on"}, "opens_at": {written(&opens, con.app.Zone)}, "closes_at": {written(&closes, con.app.Zone)}, "shape": {shapeTags}, "match": {"all"},
		"q.0.kind": {model.QuestionSingle},
	}
	if id != 0 {
		v, err := con.app.Forms.Get(c.Request.Context(), id)
		if err != nil {
			return err
		}
		values = con.writeForm(v)
	}
	return con.showForm(c, http.StatusOK, id, newForm(values))
}

func (con *Console) writeForm(v *form.View) url.Values {
	out := url.Values{
		"title": {v.Title}, "text": {v.Text}, "opens_at": {written(&v.OpensAt, con.app.Zone)}, "closes_at": {written(&v.ClosesAt, con.app.Zone)},
		"prize": {v.Prize}, "coupon_id": {some(v.CouponID)}, "points": {some(v.Points)}, "stock": {limited(v.Stock)},
	}
	for name, on := range map[string]bool{"enabled": v.Enabled, "editable": v.Editable, "shown": v.Shown} {
		if on {
			out.Set(name, "on")
		}
	}
	writeCrowd(out, v.Condition)
	for i, q := range v.Questions {
		at := controlsOf(i)
		out.Set(at+"id", some(q.ID))
		out.Set(at+"kind", q.Kind)
		out.Set(at+"text", q.Text)
		out.Set(at+"min", some(int64(q.Min)))
		out.Set(at+"max", some(int64(q.Max)))
		if q.Required {
			out.Set(at+"required", "on")
		}
		for _, o := range q.Options {
			out.Add(at+"option", o.Text)
			out.Add(at+"option_id", some(o.ID))
			out.Add(at+"option_tag", some(o.TagID))
		}
	}
	return out
}

func (con *Console) showForm(c *gin.Context, status int, id int64, f *Form) (err error) {
	v := formView{Frame: con.frame(c, "form"), ID: id, Form: f, Blocks: blocks(f), Kinds: form.Kinds, Prizes: form.Prizes, Leaves: con.app.Conditions.Names()}
	if v.Coupons, err = con.couponChoices(c); err != nil {
		return err
	}
	if v.Tags, err = con.tagGroups(c); err != nil {
		return err
	}
	if v.Audiences, err = con.audienceChoices(c); err != nil {
		return err
	}
	if id != 0 {
		line, err := con.app.Forms.Line(c.Request.Context(), id)
		if err != nil {
			return err
		}
		v.Saved = &formLine{Line: *line, Phase: line.Phase(v.Now)}
		if v.Saved.Who, err = con.asked(c, line.Condition); err != nil {
			return err
		}
	}
	web.Page(c, status, "console/form", v)
	return nil
}

func (con *Console) saveForm(c *gin.Context) error {
	if f, err := readForm(c); err == nil && f.On(moreField) {
		id, err := idOf(c, true)
		if err != nil {
			return err
		}
		return con.showForm(c, http.StatusOK, id, f)
	}
	return save(con, c, saving[form.View]{
		kind:  "form",
		get:   func(id int64) (any, error) { return con.app.Forms.Get(c.Request.Context(), id) },
		facts: func(v form.View) (int64, any) { return v.ID, v },
		do: func(f *Form, id int64) (string, error) {
			v, err := con.readForm(c, f, id)
			if err != nil {
				return "", err
			}
			saved, err := con.app.Forms.Save(c.Request.Context(), v)
			if err != nil {
				return "", err
			}
			return done(fmt.Sprintf("%s/forms/%d", root, saved.ID), "saved"), nil
		},
		again: func(status int, id int64, f *Form) error { return con.showForm(c, status, id, f) },
	})
}

func (con *Console) readForm(c *gin.Context, f *Form, id int64) (v form.View, err error) {
	r := &reader{f: f, zone: con.app.Zone}
	v.Form = model.Form{
		ID: id, Title: f.Get("title"), Text: f.Get("text"), Editable: f.On("editable"), Shown: f.On("shown"), Enabled: f.On("enabled"), Prize: f.Get("prize"), Stock: r.limit("stock"),
	}
	if opens, closes := r.time("opens_at"), r.time("closes_at"); r.err == nil {
		for name, t := range map[string]bool{"opens_at": opens == nil, "closes_at": closes == nil} {
			if t {
				return v, errs.Field(name, "console.required")
			}
		}
		v.OpensAt, v.ClosesAt = *opens, *closes
	}
	switch v.Prize {
	case model.PrizeCoupon:
		v.CouponID = r.count("coupon_id")
	case model.PrizePoints:
		v.Points = r.count("points")
	default:
		v.Stock = nil
	}
	if r.err != nil {
		return v, r.err
	}
	raw, err := readCrowd(f)
	if err != nil {
		return v, err
	}
	t, err := con.app.Conditions.Parse(raw)
	if err != nil {
		return v, err
	}
	v.Condition = model.ToJSON(t)
	if id != 0 {
		old, err := con.app.Forms.Get(c.Request.Context(), id)
		if err != nil {
			return v, err
		}
		if old.Answered { // they are fixed, and not on the page
			v.Questions = old.Questions
			return v, nil
		}
	}
	v.Questions, err = readQuestions(f, r)
	return v, err
}

// readQuestions reads the blocks in the order of their places, but for those that are empty or to be removed.
func readQuestions(f *Form, r *reader) (out []form.Question, err error) {
	type placed struct {
		form.Question
		place int64
		at    string
	}
	var all []placed
	for _, b := range blocks(f) {
		if f.Get(b.At+"text") == "" || f.On(b.At+"gone") {
			continue
		}
		q := placed{at: b.At, place: cmp.Or(r.count(b.At+"place"), int64(b.Place)), Question: form.Question{FormQuestion: model.FormQuestion{
			ID: r.count(b.At + "id"), Kind: f.Get(b.At + "kind"), Text: f.Get(b.At + "text"), Required: f.On(b.At + "required"),
			Min: int(r.count(b.At + "min")), Max: int(r.count(b.At + "max")),
		}}}
		if q.Choice() {
			if q.Options, err = readOptions(f, b.At); err != nil {
				return nil, err
			}
		}
		all = append(all, q)
	}
	slices.SortStableFunc(all, func(a, b placed) int { return cmp.Compare(a.place, b.place) })
	for i, q := range all {
		path := fmt.Sprintf("questions[%d]", i)
		f.from(path, q.at+"text")
		f.from(path+".options", q.at+"option")
		for _, field := range []string{"kind", "min", "max"} {
			f.from(path+"."+field, q.at+field)
		}
		out = append(out, q.Question)
	}
	f.from("questions", controlsOf(0)+"text")
	return out, r.err
}

func readOptions(f *Form, at string) (out []model.FormOption, err error) {
	for i, text := range f.Values[at+"option"] {
		o := model.FormOption{Text: strings.TrimSpace(text)}
		if o.Text == "" {
			continue
		}
		for field, into := range map[string]*int64{"option_id": &o.ID, "option_tag": &o.TagID} {
			if s := f.At(at+field, i); s != "" {
				if *into, err = number(at+field, s); err != nil {
					return nil, err
				}
			}
		}
		out = append(out, o)
	}
	return out, nil
}

type resultsView struct {
	Frame
	ID        int64
	Saved     *formLine
	Split     string
	Groups    []tagGroup
	Parts     []form.Segment // of the split
	Questions []resultQuestion
}

// resultQuestion is what the answers to a question come to, beside the same of each part.
type resultQuestion struct {
	form.Tally
	Means []string // of the parts
	Rows  []resultRow
	Words []resultWords // newest first
	Next  string        // address of the next page of them
}

type resultRow struct {
	form.Count
	Percent string
	Bar     int64    // 0 to 100
	Cells   []string // of the parts
}

type resultWords struct {
	form.Words
	Who report.Person
}

// shownWords is how many texts of a question a page shows.
const shownWords = 20

func (con *Console) formResults(c *gin.Context) error {
	id, err := idOf(c, false)
	if err != nil {
		return err
	}
	ctx := c.Request.Context()
	v := resultsView{Frame: con.frame(c, "form_results"), ID: id, Split: c.Query("split")}
	var by form.Split
	var of string
	by.By, of, _ = strings.Cut(v.Split, "-")
	by.ID, _ = strconv.ParseInt(of, 10, 64) // what is no id names nothing
	r, err := con.app.Forms.Results(ctx, id, by, web.Lang(ctx))
	if errs.CodeOf(err) == errs.Invalid { // of an old link
		v.Split = ""
		r, err = con.app.Forms.Results(ctx, id, form.Split{}, web.Lang(ctx))
	}
	if err != nil {
		return err
	}
	v.Saved = &formLine{Line: form.Line{View: r.View, Answers: r.Total.Answers}, Phase: r.Phase(v.Now)}
	v.Parts = r.Segments
	if v.Groups, err = con.tagGroups(c); err != nil {
		return err
	}
	for i, t := range r.Total.Tallies {
		q := resultQuestion{Tally: t}
		for _, p := range r.Segments {
			q.Means = append(q.Means, mean(p.Tallies[i]))
		}
		for _, n := range t.Counts {
			q.Rows = append(q.Rows, rowOf(n, i, r))
		}
		if t.Kind == model.QuestionText && v.May("members.read") {
			if err = con.words(c, &v, &q); err != nil {
				return err
			}
		}
		v.Questions = append(v.Questions, q)
	}
	web.Page(c, http.StatusOK, "console/form_results", v)
	return nil
}

func mean(t form.Tally) string {
	if t.Answers == 0 {
		return "—"
	}
	return strconv.FormatFloat(t.Mean, 'f', 2, 64)
}

// Average is the mean mark.
func (q resultQuestion) Average() string { return mean(q.Tally) }

func percent(share float64) string { return strconv.FormatFloat(100*share, 'f', 1, 64) + "%" }

// rowOf is an option's count of everybody and in each part. The bar of a ranking is its score, beside the best that there could be.
func rowOf(n form.Count, question int, r *form.Results) resultRow {
	t := r.Total.Tallies[question]
	ranking := t.Kind == model.QuestionRanking
	row := resultRow{Count: n, Percent: percent(n.Share), Bar: int64(100 * n.Share)}
	if best := t.Answers * int64(len(t.Counts)-1); ranking && best > 0 {
		row.Bar = 100 * n.Score / best
	}
	for _, p := range r.Segments {
		counts := p.Tallies[question].Counts
		at := slices.IndexFunc(counts, func(o form.Count) bool { return o.OptionID == n.OptionID && o.Text == n.Text })
		cell := fmt.Sprintf("%d · %s", counts[at].N, percent(counts[at].Share))
		if ranking {
			cell = fmt.Sprintf("#%d · %d", counts[at].Place, counts[at].Score)
		}
		row.Cells = append(row.Cells, cell)
	}
	return row
}

// words fills in what was written to a question: of the one that the address names the page that it asks for.
func (con *Console) words(c *gin.Context, v *resultsView, q *resultQuestion) error {
	var before int64
	if c.Query("question") == strconv.FormatInt(q.QuestionID, 10) {
		before = after(c)
	}
	list, err := con.app.Forms.Words(c.Request.Context(), v.ID, q.QuestionID, before, shownWords+1)
	if err != nil {
		return err
	}
	if len(list) > shownWords {
		list = list[:shownWords]
		q.Next = fmt.Sprintf("%s/forms/%d/results?split=%s&question=%d&after=%d#question-%d", root, v.ID, url.QueryEscape(v.Split), q.QuestionID, list[shownWords-1].ID, q.QuestionID)
	}
	ids := make([]int64, len(list))
	for i, w := range list {
		ids[i] = w.MemberID
	}
	people, err := con.report.People(c.Request.Context(), ids)
	for _, w := range list {
		q.Words = append(q.Words, resultWords{w, people[w.MemberID]})
	}
	return err
}

// exportForm is every answer, as CSV.
func (con *Console) exportForm(c *gin.Context) error {
	ctx := c.Request.Context()
	id, err := idOf(c, false)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	n, err := con.app.Forms.Export(ctx, id, web.Lang(ctx), con.app.Members.Phone, &b)
	if err != nil {
		return err
	}
	if err := con.app.Operators.Note(ctx, web.Actor(ctx), "form.export", fmt.Sprintf("form:%d", id), nil, map[string]any{"answers": n}); err != nil {
		return err
	}
	c.Header("Content-Disposition", fmt.Sprintf(`attachment; filename="form-%d.csv"`, id))
	c.Data(http.StatusOK, "text/csv; charset=utf-8", b.Bytes())
	return nil
}

// offeredForms is how many forms a condition offers, the newest.
const offeredForms = 50

// formChoices are the forms that a condition may name, and their options.
func (con *Console) formChoices(c *gin.Context) (forms, options []choice, err error) {
	rows, err := con.app.Forms.List(c.Request.Context(), 0, offeredForms)
	forms, options = []choice{}, []choice{}
	for _, r := range rows {
		forms = append(forms, choice{strconv.FormatInt(r.ID, 10), r.Title})
		for _, q := range r.Questions {
			for _, o := range q.Options {
				options = append(options, choice{strconv.FormatInt(o.ID, 10), r.Title + " · " + q.Text + " · " + o.Text})
			}
		}
	}
	return forms, options, err
}
