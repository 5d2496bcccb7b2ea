// Package quiz owns questions with a window, their options and what members answered.
package quiz

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/reward"
	"github.com/siyu-scrm/siyu/app/tag"
	"github.com/siyu-scrm/siyu/model"
)

// Service is the use cases of quizzes.
type Service struct {
	db      *db.DB
	clock   clock.Clock
	events  *event.Log
	members *member.Service
	tags    *tag.Service
	rewards *reward.Service

	quizzes db.Cached[[]View]
}

// New returns the service.
func New(d *db.DB, c clock.Clock, events *event.Log, members *member.Service, tags *tag.Service, rewards *reward.Service) *Service {
	return &Service{db: d, clock: c, events: events, members: members, tags: tags, rewards: rewards}
}

// View is a quiz with its options.
type View struct {
	model.Quiz
	Options []model.QuizOption `json:"options"`
}

// option finds the option of a letter, of a whole text, or of both as they are shown: "A", "莓果复合物", "A.莓果复合物".
func (v *View) option(answer string) *model.QuizOption {
	answer = normal(answer)
	for i := range v.Options {
		o := &v.Options[i]
		text := normal(o.Text)
		if answer == o.Letter || answer == text {
			return o
		}
		if rest, ok := strings.CutPrefix(answer, o.Letter); ok && rest != text && normal(strings.TrimLeft(rest, stops)) == text {
			return o
		}
	}
	return nil
}

// correct is the right option.
func (v *View) correct() *model.QuizOption {
	for i := range v.Options {
		if v.Options[i].Correct {
			return &v.Options[i]
		}
	}
	return nil
}

// stops may follow a letter or end a sentence.
const stops = ".。、"

// normal makes answers comparable: full-width to half-width, upper case, no space around and no stop at the end.
func normal(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r >= '！' && r <= '～':
			return r - 0xFEE0
		case r == '　':
			return ' '
		}
		return r
	}, s)
	return strings.ToUpper(strings.TrimSpace(strings.TrimRight(strings.TrimSpace(s), stops)))
}

// Save makes a quiz (ID 0) or changes one. The options of a quiz that somebody answered are fixed.
func (s *Service) Save(ctx context.Context, in View) (*View, error) {
	if err := check(&in); err != nil {
		return nil, err
	}
	out, err := db.Do(ctx, s.db, func(_ context.Context, tx *gorm.DB) (View, error) {
		v, err := s.saveTx(tx, in)
		if err != nil {
			return v, err
		}
		return v, db.Bump(tx, revision)
	})
	return &out, err
}

// SaveAll makes or changes several, all or none. Of the third a refusal names the fields as quizzes[2].question.
func (s *Service) SaveAll(ctx context.Context, in []View) ([]View, error) {
	at := func(i int) string { return fmt.Sprintf("quizzes[%d]", i) }
	for i := range in {
		if err := check(&in[i]); err != nil {
			return nil, errs.Under(err, at(i))
		}
	}
	return db.Do(ctx, s.db, func(_ context.Context, tx *gorm.DB) ([]View, error) {
		out := make([]View, len(in))
		for i := range in {
			v, err := s.saveTx(tx, in[i])
			if err != nil {
				return nil, errs.Under(err, at(i))
			}
			out[i] = v
		}
		return out, db.Bump(tx, revision)
	})
}

// scheme is what a link may begin with to be more than a path.
var scheme = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9+.-]*):`)

// foreignScheme reports a link that a page must not follow, such as javascript:. A page of the mini-program has no scheme.
func foreignScheme(link string) bool {
	m := scheme.FindStringSubmatch(link)
	return strings.ContainsFunc(link, unicode.IsControl) || m != nil && !slices.Contains([]string{"http", "https", "weixin"}, strings.ToLower(m[1]))
}

func check(v *View) error {
	v.Question, v.Link = strings.TrimSpace(v.Question), strings.TrimSpace(v.Link)
	switch {
	case v.Question == "" || utf8.RuneCountInString(v.Question) > 500:
		return errs.Field("question", "quiz.question", "limit", 500)
	case !v.OpensAt.Before(v.ClosesAt):
		return errs.Field("closes_at", "quiz.closes_at")
	case v.Attempts < 1 || v.Attempts > 10:
		return errs.Field("attempts", "quiz.attempts", "limit", 10)
	case utf8.RuneCountInString(v.Explanation) > 500:
		return errs.Field("explanation", "quiz.explanation", "limit", 500)
	case utf8.RuneCountInString(v.Link) > 512:
		return errs.Field("link", "quiz.link", "limit", 512)
	case foreignScheme(v.Link):
		return errs.Field("link", "quiz.link_scheme")
	case len(v.Options) < 2 || len(v.Options) > 26:
		return errs.Field("options", "quiz.options", "limit", 26)
	}
	right, seen := 0, map[string]bool{}
	for i := range v.Options {
		o := &v.Options[i]
		o.Letter, o.Text = string(rune('A'+i)), strings.TrimSpace(o.Text)
		text := normal(o.Text)
		if text == "" || utf8.RuneCountInString(o.Text) > 100 || seen[text] || len(text) == 1 && text != o.Letter && text >= "A" && text <= "Z" {
			return errs.Field(fmt.Sprintf("options[%d].text", i), "quiz.option", "limit", 100)
		}
		seen[text] = true
		if o.Correct {
			right++
		}
	}
	if right != 1 {
		return errs.Field("options", "quiz.one_right")
	}
	return nil
}

func (s *Service) saveTx(tx *gorm.DB, in View) (View, error) {
	for i, o := range in.Options {
		if o.TagID == 0 {
			continue
		}
		if _, err := tag.Get(tx, o.TagID); err != nil {
			return in, errs.AtField(err, fmt.Sprintf("options[%d].tag_id", i))
		}
	}
	q := in.Quiz
	if q.ID == 0 {
		q.CreatedAt = s.clock.Now()
		if err := tx.Create(&q).Error; err != nil {
			return in, fmt.Errorf("quiz: save: %w", err)
		}
		return writeOptions(tx, q, in.Options)
	}
	old, err := get(tx, q.ID)
	if err != nil {
		return in, err
	}
	q.CreatedAt = old.CreatedAt
	var answers int64
	if err := tx.Model(&model.QuizAnswer{}).Where("quiz_id = ?", q.ID).Count(&answers).Error; err != nil {
		return in, fmt.Errorf("quiz: save: %w", err)
	}
	if answers > 0 && !sameOptions(old.Options, in.Options) {
		return in, errs.New(errs.Conflict, "quiz.answered", "field", "options")
	}
	if err := tx.Save(&q).Error; err != nil {
		return in, fmt.Errorf("quiz: save: %w", err)
	}
	if answers > 0 {
		return View{q, old.Options}, nil
	}
	if err := tx.Where("quiz_id = ?", q.ID).Delete(&model.QuizOption{}).Error; err != nil {
		return in, fmt.Errorf("quiz: save: %w", err)
	}
	return writeOptions(tx, q, in.Options)
}

func writeOptions(tx *gorm.DB, q model.Quiz, options []model.QuizOption) (View, error) {
	rows := make([]model.QuizOption, len(options))
	for i, o := range options {
		o.ID, o.QuizID = 0, q.ID
		rows[i] = o
	}
	if err := tx.Create(&rows).Error; err != nil {
		return View{}, fmt.Errorf("quiz: options: %w", err)
	}
	return View{q, rows}, nil
}

func sameOptions(a, b []model.QuizOption) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Text != b[i].Text || a[i].Correct != b[i].Correct || a[i].TagID != b[i].TagID {
			return false
		}
	}
	return true
}

func get(tx *gorm.DB, id int64) (*View, error) {
	var v View
	if err := tx.Take(&v.Quiz, id).Error; errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, errs.New(errs.NotFound, "quiz.not_found")
	} else if err != nil {
		return nil, fmt.Errorf("quiz: read: %w", err)
	}
	return &v, tx.Where("quiz_id = ?", id).Order("letter").Find(&v.Options).Error
}

// Get reads one quiz.
func (s *Service) Get(ctx context.Context, id int64) (*View, error) { return get(s.db.Reader(ctx), id) }

// List lists the last quizzes, newest window first.
func (s *Service) List(ctx context.Context, limit int) ([]View, error) {
	var rows []model.Quiz
	tx := s.db.Reader(ctx)
	if err := tx.Order("opens_at DESC, id DESC").Limit(limit).Find(&rows).Error; err != nil {
		return nil, err
	}
	return withOptions(tx, rows)
}

func withOptions(tx *gorm.DB, rows []model.Quiz) ([]View, error) {
	views := make([]View, len(rows))
	ids := make([]int64, len(rows))
	for i, q := range rows {
		views[i].Quiz, ids[i] = q, q.ID
	}
	var options []model.QuizOption
	if err := tx.Where("quiz_id IN ?", ids).Order("quiz_id, letter").Find(&options).Error; err != nil {
		return nil, err
	}
	for _, o := range options {
		for i := range views {
			if views[i].ID == o.QuizID {
				views[i].Options = append(views[i].Options, o)
			}
		}
	}
	return views, nil
}

// revision names the set of quizzes that processes cache.
const revision = "quizzes"

// kept is how long a closed quiz stays in the cache: a push may come late.
const kept = 8 * 24 * time.Hour

// recent are the enabled quizzes that are open, will be, or closed not long before they were read.
func (s *Service) recent(tx *gorm.DB) ([]View, error) { return s.quizzes.Get(tx, revision, s.load) }

func (s *Service) load(tx *gorm.DB) ([]View, error) {
	var rows []model.Quiz
	if err := tx.Where("enabled = ? AND closes_at > ?", true, s.clock.Now().Add(-kept)).Order("opens_at, id").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("quiz: recent: %w", err)
	}
	views, err := withOptions(tx, rows)
	if err != nil {
		return nil, fmt.Errorf("quiz: recent: %w", err)
	}
	return views, nil
}

// openAt lists the quizzes whose window contains at, and with closed those that closed within that time before.
func (s *Service) openAt(tx *gorm.DB, at time.Time, closed time.Duration) ([]View, error) {
	all, err := s.recent(tx)
	if err != nil {
		return nil, err
	}
	var open []View
	for _, v := range all {
		if !v.OpensAt.After(at) && v.ClosesAt.After(at.Add(-closed)) {
			open = append(open, v)
		}
	}
	return open, nil
}
