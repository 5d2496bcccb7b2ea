package form

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/tag"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

// Split says by what results are parted: everybody counts in the tier that he is in now, and with the tags that he holds now.
type Split struct {
	By string // one of Splits
	ID int64  // of the tag, or of the group of tags
}

// Splits are the ways to part results: not at all, by tiers, by who holds a tag and who does not, by the tags of a group.
var Splits = []string{"", SplitTier, SplitTag, SplitGroup}

// The ways to part results.
const (
	SplitTier  = "tier"
	SplitTag   = "tag"
	SplitGroup = "tag_group"
)

// Results are what all answers come to.
type Results struct {
	View
	Total    Segment
	Segments []Segment // of a split; who holds several tags of a group counts in each
}

// Segment is the answers of some members.
type Segment struct {
	Name    string  `json:"name" example:"V2" doc:"Of a split: the tier or the tag"`
	Answers int64   `json:"answers" example:"3"`
	Tallies []Tally `json:"questions"` // in their order
}

// Tally is what the answers to a question come to.
type Tally struct {
	QuestionID int64   `json:"question_id,string"`
	Kind       string  `json:"kind" example:"ranking"`
	Text       string  `json:"text" example:"最想要哪项福利?"`
	Answers    int64   `json:"answers" example:"3" doc:"Who answered the question"`
	Mean       float64 `json:"mean" example:"4.33" doc:"rating: of the marks"`
	Counts     []Count `json:"counts" doc:"Of options and marks in their order, of a ranking by score; none of texts"`
}

// Count is how often an option was chosen, or a mark given.
type Count struct {
	OptionID int64   `json:"option_id,string" doc:"0: a mark"`
	Text     string  `json:"text" example:"附属品"`
	N        int64   `json:"n" example:"3" doc:"How many chose it; of a ranking, how many gave it a place"`
	Share    float64 `json:"share" example:"0.75" doc:"Of those who answered the question"`
	Score    int64   `json:"score" example:"5" doc:"ranking: of n options n-1 for each first place, n-2 for each second … 0 for the last and for one that is left out"`
	Place    int     `json:"place" example:"1" doc:"ranking: by score; equal scores share it"`
}

// Results reads them.
func (s *Service) Results(ctx context.Context, id int64, by Split, lang string) (*Results, error) {
	tx := s.DB.Reader(ctx)
	v, err := get(tx, id)
	if err != nil {
		return nil, err
	}
	out := &Results{View: *v}
	if out.Total, err = segment(tx, v, "", func(q *gorm.DB) *gorm.DB { return q }); err != nil {
		return nil, err
	}
	parts, err := s.parts(ctx, tx, by, lang)
	if err != nil {
		return nil, err
	}
	for _, p := range parts {
		some, err := segment(tx, v, p.name, p.of)
		if err != nil {
			return nil, err
		}
		out.Segments = append(out.Segments, some)
	}
	return out, nil
}

// Shown are the results as the operator shows them to members: to who has answered.
func (s *Service) Shown(ctx context.Context, memberID, id int64, lang string) (*Results, error) {
	v, err := s.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	if !v.Enabled || !v.Shown {
		return nil, errs.New(errs.NotFound, "form.not_shown")
	}
	a, err := answerOf(s.DB.Reader(ctx), id, memberID)
	if err != nil {
		return nil, err
	}
	if a == nil {
		return nil, errs.New(errs.Forbidden, "form.answer_first")
	}
	return s.Results(ctx, id, Split{}, lang)
}

// part is some members, as a restriction of a query of answers "a".
type part struct {
	name string
	of   func(*gorm.DB) *gorm.DB
}

func in(sql string, args ...any) func(*gorm.DB) *gorm.DB {
	return func(q *gorm.DB) *gorm.DB { return q.Where("a.member_id "+sql, args...) }
}

func (s *Service) parts(ctx context.Context, tx *gorm.DB, by Split, lang string) (parts []part, err error) {
	const tier, tags = "(SELECT member_id FROM member_tiers WHERE open = ? AND tier_id IN ?)", "(SELECT member_id FROM tag_holds WHERE tag_id IN ?)"
	none := templates.T(lang, "form.split_none", nil)
	var ids []int64
	switch by.By {
	case "":
	case SplitTier:
		l, err := s.Tiers.Ladder(ctx)
		if err != nil {
			return nil, err
		}
		for _, t := range l.Tiers {
			ids = append(ids, t.ID)
			parts = append(parts, part{t.Name, in("IN "+tier, true, []int64{t.ID})})
		}
		parts = append(parts, part{none, in("NOT IN "+tier, true, append(ids, -1))})
	case SplitTag:
		name, err := tag.Name(tx, by.ID)
		if err != nil {
			return nil, errs.AtField(err, "id")
		}
		parts = []part{{name, in("IN "+tags, []int64{by.ID})}, {none, in("NOT IN "+tags, []int64{by.ID})}}
	case SplitGroup:
		var rows []model.Tag
		if err := tx.Where("group_id = ?", by.ID).Order("id").Find(&rows).Error; err != nil {
			return nil, fmt.Errorf("form: split: %w", err)
		}
		if len(rows) == 0 {
			return nil, errs.Field("id", "tag.group_not_found")
		}
		for _, t := range rows {
			ids = append(ids, t.ID)
			parts = append(parts, part{t.Name, in("IN "+tags, []int64{t.ID})})
		}
		parts = append(parts, part{none, in("NOT IN "+tags, ids)})
	default:
		return nil, errs.Field("by", "form.split")
	}
	return parts, nil
}

// segment counts the answers of some members.
func segment(tx *gorm.DB, v *View, name string, of func(*gorm.DB) *gorm.DB) (Segment, error) {
	seg := Segment{Name: name}
	var lines []struct {
		QuestionID, OptionID int64
		Value                int
		N                    int64
	}
	var people []struct{ QuestionID, N int64 }
	choices := func() *gorm.DB {
		return of(tx.Table("form_answers a").Joins("JOIN form_choices c ON c.answer_id = a.id").Where("a.form_id = ?", v.ID))
	}
	err := errors.Join(
		of(tx.Table("form_answers a").Where("a.form_id = ?", v.ID)).Count(&seg.Answers).Error,
		choices().Select("c.question_id, c.option_id, c.value, COUNT(*) AS n").Group("c.question_id, c.option_id, c.value").Scan(&lines).Error,
		choices().Select("c.question_id, COUNT(DISTINCT c.answer_id) AS n").Group("c.question_id").Scan(&people).Error,
	)
	if err != nil {
		return seg, fmt.Errorf("form: results: %w", err)
	}
	at := map[int64]*Tally{}
	seg.Tallies = make([]Tally, len(v.Questions))
	for i := range v.Questions {
		seg.Tallies[i] = blank(&v.Questions[i])
		at[v.Questions[i].ID] = &seg.Tallies[i]
	}
	for _, p := range people {
		at[p.QuestionID].Answers = p.N
	}
	for _, l := range lines {
		at[l.QuestionID].add(l.OptionID, l.Value, l.N)
	}
	for i := range seg.Tallies {
		seg.Tallies[i].finish()
	}
	return seg, nil
}

// blank is a tally of no answers.
func blank(q *Question) Tally {
	t := Tally{QuestionID: q.ID, Kind: q.Kind, Text: q.Text, Counts: []Count{}}
	for _, o := range q.Options {
		t.Counts = append(t.Counts, Count{OptionID: o.ID, Text: o.Text})
	}
	if q.Kind == model.QuestionRating {
		for mark := 1; mark <= q.Max; mark++ {
			t.Counts = append(t.Counts, Count{Text: strconv.Itoa(mark)})
		}
	}
	return t
}

func (t *Tally) add(optionID int64, value int, n int64) {
	switch t.Kind {
	case model.QuestionText:
	case model.QuestionRating:
		t.Counts[value-1].N += n
		t.Mean += float64(value) * float64(n)
	default:
		i := slices.IndexFunc(t.Counts, func(c Count) bool { return c.OptionID == optionID })
		t.Counts[i].N += n
		if t.Kind == model.QuestionRanking {
			t.Counts[i].Score += n * int64(len(t.Counts)-value)
		}
	}
}

// finish makes shares, means and places of sums.
func (t *Tally) finish() {
	if t.Answers > 0 {
		t.Mean /= float64(t.Answers)
		for i := range t.Counts {
			t.Counts[i].Share = float64(t.Counts[i].N) / float64(t.Answers)
		}
	}
	if t.Kind != model.QuestionRanking {
		return
	}
	slices.SortStableFunc(t.Counts, func(a, b Count) int { return cmp.Compare(b.Score, a.Score) })
	for i := range t.Counts {
		if t.Counts[i].Place = i + 1; i > 0 && t.Counts[i].Score == t.Counts[i-1].Score {
			t.Counts[i].Place = t.Counts[i-1].Place
		}
	}
}

// Words is what a member wrote.
type Words struct {
	ID       int64 // of the line
	MemberID int64
	Text     string
	At       time.Time
}

// Words lists what members wrote to a question, newest first; before is the id of the last line of the page before, 0 = the first page.
func (s *Service) Words(ctx context.Context, formID, questionID, before int64, limit int) (list []Words, err error) {
	tx := s.DB.Reader(ctx)
	v, err := get(tx, formID)
	if err != nil {
		return nil, err
	}
	if q := v.question(questionID); q == nil || q.Kind != model.QuestionText {
		return nil, errs.Field("question_id", "form.no_question")
	}
	q := tx.Table("form_choices c").Select("c.id, a.member_id, c.text, COALESCE(a.edited_at, a.at) AS at").Joins("JOIN form_answers a ON a.id = c.answer_id").
		Where("c.question_id = ? AND c.text <> ''", questionID)
	if before > 0 {
		q = q.Where("c.id < ?", before)
	}
	if err := q.Order("c.id DESC").Limit(limit).Scan(&list).Error; err != nil {
		return nil, fmt.Errorf("form: words: %w", err)
	}
	return list, nil
}
