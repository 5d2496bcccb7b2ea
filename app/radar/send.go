package radar

import (
	"fmt"
	"html"
	"math"
	"regexp"
	"slices"
	"strconv"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// Variable is what stands in a text for a link: {{radar:7}}.
const Variable = "radar:"

var placeholder = regexp.MustCompile(`\{\{\s*` + Variable + `([0-9]{1,18})\s*\}\}`)

var variable = regexp.MustCompile(`^` + Variable + `[0-9]{1,18}$`)

// IsVariable reports whether a variable of a text stands for a link.
func IsVariable(name string) bool { return variable.MatchString(name) }

// Named are the links that a text names, each once.
func Named(text string) (ids []int64) {
	for _, m := range placeholder.FindAllStringSubmatch(text, -1) {
		if id, err := strconv.ParseInt(m[1], 10, 64); err == nil && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// Filler writes the links of texts for one person.
type Filler struct {
	s     *Service
	links map[int64]*model.RadarLink
}

// FillerTx reads the links that a text names; one that is not there is errs.Invalid at the field, and so is any where siyu does not know
// under which address people reach it.
func (s *Service) FillerTx(tx *gorm.DB, field, text string) (*Filler, error) {
	f := &Filler{s, map[int64]*model.RadarLink{}}
	for _, id := range Named(text) {
		l, err := link(tx, id)
		if err != nil {
			return nil, errs.AtField(err, field)
		}
		f.links[id] = l
	}
	if len(f.links) > 0 && s.Base == "" {
		return nil, errs.Field(field, "radar.no_base")
	}
	return f, nil
}

// Text writes the links into a text: an address that is the member's own, and to a page a link that opens the mini-program.
func (f *Filler) Text(text string, runID, memberID int64) string {
	return f.fill(text, runID, memberID, func(l *model.RadarLink, token string) string {
		address := f.s.Base + Route + token
		if l.Target != model.RadarPage || f.s.MPAppID == "" {
			return address
		}
		return fmt.Sprintf(`<a href="%s" data-miniprogram-appid="%s" data-miniprogram-path="%s">%s</a>`,
			address, f.s.MPAppID, html.EscapeString(with(l.URL, token)), html.EscapeString(l.Name))
	})
}

// Address writes only addresses: for what is an address as a whole.
func (f *Filler) Address(text string, runID, memberID int64) string {
	return f.fill(text, runID, memberID, func(_ *model.RadarLink, token string) string { return f.s.Base + Route + token })
}

// Token writes only the tokens: for the path of a page.
func (f *Filler) Token(text string, runID, memberID int64) string {
	return f.fill(text, runID, memberID, func(_ *model.RadarLink, token string) string { return token })
}

func (f *Filler) fill(text string, runID, memberID int64, write func(l *model.RadarLink, token string) string) string {
	if f == nil || len(f.links) == 0 {
		return text
	}
	return placeholder.ReplaceAllStringFunc(text, func(found string) string {
		l := f.links[Named(found)[0]]
		if l == nil {
			return found
		}
		return write(l, f.s.token(sentToken, l.ID, runID, memberID))
	})
}

// CheckTx refuses, at the field, links that are not there and a text that grows longer than limit bytes with them.
func (s *Service) CheckTx(tx *gorm.DB, field, text string, limit int) error {
	f, err := s.FillerTx(tx, field, text)
	if err == nil && len(f.Longest(text)) > limit {
		err = errs.Field(field, "radar.long", "limit", limit)
	}
	return err
}

// FillTx writes the links of a text for one member, outside any run; address: only their addresses. Those that are not there are left out.
func (s *Service) FillTx(tx *gorm.DB, text string, memberID int64, address bool) (string, error) {
	f := &Filler{s, map[int64]*model.RadarLink{}}
	for _, id := range Named(text) {
		l, err := link(tx, id)
		if err != nil && errs.CodeOf(err) != errs.NotFound {
			return "", err
		}
		if err == nil && s.Base != "" {
			f.links[id] = l
			if address {
				l.Target = model.RadarArticle
			}
		}
	}
	return placeholder.ReplaceAllString(f.Text(text, 0, memberID), ""), nil
}

// Longest is the text with the longest links that it can get.
func (f *Filler) Longest(text string) string { return f.Text(text, math.MaxInt64, math.MaxInt64) }

// DeliveredTx notes that a run delivered links to members: in the transaction that says so of its deliveries.
func (s *Service) DeliveredTx(tx *gorm.DB, runID int64, ids, members []int64, at time.Time) error {
	for _, id := range ids {
		l, err := link(tx, id)
		if err != nil {
			return err
		}
		due := at.Add(time.Duration(l.LowHours) * time.Hour)
		rows := make([]model.RadarSend, len(members))
		for i, m := range members {
			rows[i] = model.RadarSend{LinkID: id, RunID: runID, MemberID: m, At: at, DueAt: &due}
		}
		for some := range slices.Chunk(rows, 200) {
			dup, err := db.Insert(tx, &some)
			for i := 0; dup && err == nil && i < len(some); i++ { // somebody was merged meanwhile: the others
				_, err = db.Insert(tx, &some[i])
			}
			if err != nil {
				return fmt.Errorf("radar: delivered: %w", err)
			}
		}
	}
	return nil
}

// NotDeliveredTx takes back what a run delivered: WeChat said later that it had not.
func (s *Service) NotDeliveredTx(tx *gorm.DB, runID, memberID int64) error {
	return tx.Where("run_id = ? AND member_id = ?", runID, memberID).Delete(&model.RadarSend{}).Error
}
