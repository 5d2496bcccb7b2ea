package form

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/siyu-scrm/siyu/app/sheet"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

// exported is how many answers are read at once.
const exported = 500

// Export writes every answer as CSV in UTF-8 with BOM: number, nickname, phone, when it was given and changed, and a column for each question.
// phone masks a number. Of who was erased there is only what he chose.
func (s *Service) Export(ctx context.Context, id int64, lang string, phone func(*model.Member) string, to io.Writer) (int64, error) {
	tx := s.DB.Reader(ctx)
	v, err := get(tx, id)
	if err != nil {
		return 0, err
	}
	if _, err := io.WriteString(to, "\ufeff"); err != nil {
		return 0, err
	}
	w := csv.NewWriter(to)
	head := strings.Split(templates.T(lang, "form.export_head", nil), ",")
	for _, q := range v.Questions {
		head = append(head, sheet.Plain(q.Text))
	}
	_ = w.Write(head) // Error tells
	n := int64(0)
	for last := int64(0); ; {
		var answers []model.FormAnswer
		if err := tx.Where("form_id = ? AND id > ?", id, last).Order("id").Limit(exported).Find(&answers).Error; err != nil {
			return n, fmt.Errorf("form: export: %w", err)
		}
		if len(answers) == 0 {
			w.Flush()
			return n, w.Error()
		}
		members, lines, err := s.with(ctx, answers)
		if err != nil {
			return n, err
		}
		for _, a := range answers {
			_ = w.Write(s.row(v, &Answer{a, lines[a.ID]}, members[a.MemberID], phone))
			last = a.ID
			n++
		}
	}
}

// with reads whose the answers are, and their lines.
func (s *Service) with(ctx context.Context, answers []model.FormAnswer) (map[int64]*model.Member, map[int64][]model.FormChoice, error) {
	ids, people := make([]int64, len(answers)), make([]int64, len(answers))
	for i, a := range answers {
		ids[i], people[i] = a.ID, a.MemberID
	}
	var members []model.Member
	if err := s.DB.Reader(ctx).Where("id IN ? AND erased_at IS NULL", people).Find(&members).Error; err != nil {
		return nil, nil, fmt.Errorf("form: export: %w", err)
	}
	var choices []model.FormChoice
	if err := s.DB.Reader(ctx).Where("answer_id IN ?", ids).Order("id").Find(&choices).Error; err != nil {
		return nil, nil, fmt.Errorf("form: export: %w", err)
	}
	byID, lines := map[int64]*model.Member{}, map[int64][]model.FormChoice{}
	for i := range members {
		byID[members[i].ID] = &members[i]
	}
	for _, c := range choices {
		lines[c.AnswerID] = append(lines[c.AnswerID], c)
	}
	return byID, lines, nil
}

func (s *Service) row(v *View, a *Answer, m *model.Member, phone func(*model.Member) string) []string {
	when := func(t *time.Time) string {
		if t == nil {
			return ""
		}
		return s.Zone.In(*t).Format("2006-01-02 15:04:05")
	}
	cells := []string{"", "", "", when(&a.At), when(a.EditedAt)}
	if m != nil {
		cells[0], cells[1], cells[2] = sheet.Plain(m.No), sheet.Plain(m.Nickname), phone(m)
	}
	for i := range v.Questions {
		cells = append(cells, sheet.Plain(v.Questions[i].Says(a)))
	}
	return cells
}

// Says is what an answer says to the question, in a line: of a ranking from the first place.
func (q *Question) Says(a *Answer) string {
	var words []string
	for _, c := range a.Of(q.ID) {
		switch q.Kind {
		case model.QuestionText:
			words = append(words, c.Text)
		case model.QuestionRating:
			words = append(words, strconv.Itoa(c.Value))
		default:
			if o := q.option(c.OptionID); o != nil {
				words = append(words, o.Text)
			}
		}
	}
	if q.Kind == model.QuestionRanking {
		return strings.Join(words, " > ")
	}
	return strings.Join(words, "; ")
}
