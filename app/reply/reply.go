// Package reply owns what the brand answers at the official account: to a follow, to a keyword, to a button of the menu, to anything
// else. WeChat takes one passive answer (text, picture, article, or the hand-over to human service); what stands behind it follows
// as customer messages, in order, each at most once.
package reply

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/media"
	"github.com/siyu-scrm/siyu/model"
)

// Allowances are the customer messages that a person's acts opened.
type Allowances interface {
	UseAllowanceTx(tx *gorm.DB, identityID int64) (ok bool, err error)
}

// Links are tracked links, which a text names as {{radar:7}}.
type Links interface {
	// CheckTx refuses, at the field, links that are not there and texts that grow longer than limit bytes with them.
	CheckTx(tx *gorm.DB, field, text string, limit int) error
	// FillTx writes them for one member; address: nothing but the address fits. Those that are not there are left out.
	FillTx(tx *gorm.DB, text string, memberID int64, address bool) (string, error)
}

// Deps are what the service stands on.
type Deps struct {
	DB         *db.DB
	Clock      clock.Clock
	Media      *media.Service
	WeChat     WeChat
	Allowances Allowances
	MPAppID    string // of the mini-program that cards open; "" sends none
	Links      Links  // nil: texts have none
}

// Service is the use cases of replies.
type Service struct {
	Deps
	rules db.Cached[[]*Rule] // the enabled ones, in their order
}

// New returns the service.
func New(d Deps) *Service { return &Service{Deps: d} }

// Rule is a reply as operators write it.
type Rule struct {
	model.Reply
	Words    []string  `json:"words"`
	Messages []Message `json:"messages"`
}

// Limits of a rule: what WeChat's own console allows, and what the window of each act lets follow (FACTS 3.3).
const (
	maxName   = 60 // characters
	maxWords  = 30
	maxWord   = 30  // characters
	maxKey    = 128 // bytes, of a menu button
	maxRandom = 10
	maxRules  = 200
)

// behind is how many customer messages may follow the passive reply, and for how long they may be sent.
var behind = map[string]struct {
	n    int
	span time.Duration
}{
	model.ReplyFollow: {3, time.Minute}, model.ReplyClick: {3, time.Minute}, model.ReplyKeyword: {5, 48 * time.Hour}, model.ReplyDefault: {5, 48 * time.Hour},
}

// revision names the set of replies that processes cache.
const revision = "replies"

// inForce returns the enabled rules, reloaded where another process changed them.
func (s *Service) inForce(tx *gorm.DB) ([]*Rule, error) { return s.rules.Get(tx, revision, load) }

func load(tx *gorm.DB) ([]*Rule, error) {
	rules, err := list(tx.Where("enabled = ?", true))
	if err != nil {
		return nil, err
	}
	for _, r := range rules {
		for i, w := range r.Words {
			if r.Trigger == model.ReplyKeyword {
				r.Words[i] = fold(w)
			}
		}
	}
	return rules, nil
}

func list(tx *gorm.DB) ([]*Rule, error) {
	var rows []model.Reply
	if err := tx.Order("position, id").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("reply: list: %w", err)
	}
	rules := make([]*Rule, len(rows))
	for i, row := range rows {
		var err error
		if rules[i], err = read(row); err != nil {
			return nil, err
		}
	}
	return rules, nil
}

func read(row model.Reply) (*Rule, error) {
	r := &Rule{Reply: row}
	if err := errors.Join(row.Words.Into(&r.Words), row.Messages.Into(&r.Messages)); err != nil {
		return nil, fmt.Errorf("reply: %d: %w", row.ID, err)
	}
	return r, nil
}

// List lists all replies in the order in which they are asked.
func (s *Service) List(ctx context.Context) ([]*Rule, error) { return list(s.DB.Reader(ctx)) }

// Get reads one.
func (s *Service) Get(ctx context.Context, id int64) (*Rule, error) {
	return get(s.DB.Reader(ctx), id)
}

func get(tx *gorm.DB, id int64) (*Rule, error) {
	row, err := db.ByID[model.Reply](tx, id, "reply.not_found")
	if err != nil {
		return nil, err
	}
	return read(*row)
}

// check refuses what could not be sent, naming the limit.
func (r *Rule) check() error {
	r.Name = strings.TrimSpace(r.Name)
	window, ok := behind[r.Trigger]
	switch n := utf8.RuneCountInString(r.Name); {
	case !ok:
		return errs.Field("trigger", "reply.trigger")
	case n == 0 || n > maxName || !utf8.ValidString(r.Name):
		return errs.Field("name", "reply.name", "limit", maxName)
	case r.Mode != model.ReplyAll && r.Mode != model.ReplyRandom:
		return errs.Field("mode", "reply.mode")
	case len(r.Messages) == 0:
		return errs.Field("messages", "reply.empty")
	case r.Mode == model.ReplyRandom && len(r.Messages) > maxRandom:
		return errs.Field("messages", "reply.too_many_random", "limit", maxRandom)
	}
	if err := r.checkWords(); err != nil {
		return err
	}
	cards := 0
	handOver := 0
	for i := range r.Messages {
		m := &r.Messages[i]
		m.Trim()
		if err := m.Check(fmt.Sprintf("messages[%d]", i)); err != nil {
			return err
		}
		switch m.Kind {
		case Card:
			cards++
		case HandOver:
			handOver++
		}
	}
	most := window.n // behind the passive one
	if cards < len(r.Messages) {
		most++
	}
	switch {
	case r.Mode == model.ReplyAll && len(r.Messages) > most:
		return errs.Field("messages", "reply.too_many", "limit", most)
	case r.Mode == model.ReplyAll && (cards > 1 || handOver > 1):
		return errs.Field("messages", "reply.once")
	}
	return nil
}

func (r *Rule) checkWords() error {
	var words []string
	for _, w := range r.Words {
		if w = strings.TrimSpace(w); w != "" && !slices.Contains(words, w) {
			words = append(words, w)
		}
	}
	r.Words = words
	switch r.Trigger {
	case model.ReplyKeyword:
		if r.Match != model.MatchExact && r.Match != model.MatchContains {
			return errs.Field("match", "reply.match")
		}
		if len(words) == 0 || len(words) > maxWords {
			return errs.Field("words", "reply.words", "limit", maxWords)
		}
		for _, w := range words {
			if utf8.RuneCountInString(w) > maxWord || !utf8.ValidString(w) {
				return errs.Field("words", "reply.keyword", "limit", maxWord, "word", model.Cut(w, 60))
			}
		}
	case model.ReplyClick:
		r.Match = model.MatchExact
		if len(words) == 0 || len(words) > maxWords {
			return errs.Field("words", "reply.words", "limit", maxWords)
		}
		for _, w := range words {
			if len(w) > maxKey || !utf8.ValidString(w) {
				return errs.Field("words", "reply.key", "limit", maxKey)
			}
		}
	default:
		r.Match, r.Words = model.MatchExact, nil
	}
	return nil
}

// AddTx makes a reply in the caller's transaction, unless there is one of its name and trigger; made reports which.
func (s *Service) AddTx(tx *gorm.DB, r Rule) (made bool, err error) {
	if err := r.check(); err != nil {
		return false, err
	}
	var n int64
	if err := tx.Model(&model.Reply{}).Where("name = ? AND `trigger` = ?", r.Name, r.Trigger).Count(&n).Error; err != nil || n > 0 {
		return false, err
	}
	_, err = s.saveTx(tx, r)
	return err == nil, err
}

// Save makes a reply (ID 0) or changes one.
func (s *Service) Save(ctx context.Context, in Rule) (*Rule, error) {
	in.Words, in.Messages = slices.Clone(in.Words), slices.Clone(in.Messages)
	if err := in.check(); err != nil {
		return nil, err
	}
	out, err := db.Do(ctx, s.DB, func(_ context.Context, tx *gorm.DB) (Rule, error) { return s.saveTx(tx, in) })
	return &out, err
}

func (s *Service) saveTx(tx *gorm.DB, r Rule) (Rule, error) {
	now := s.Clock.Now()
	r.CreatedAt, r.UpdatedAt = now, now
	r.Reply.Words, r.Reply.Messages = model.ToJSON(append([]string{}, r.Words...)), model.ToJSON(r.Messages)
	if r.ID != 0 {
		old, err := get(tx, r.ID)
		if err != nil {
			return r, err
		}
		r.CreatedAt = old.CreatedAt
	} else {
		var n int64
		if err := tx.Model(&model.Reply{}).Count(&n).Error; err != nil {
			return r, err
		}
		if n >= maxRules {
			return r, errs.New(errs.Conflict, "reply.too_many_rules", "limit", maxRules)
		}
	}
	for i, m := range r.Messages {
		if err := m.CheckTx(tx, s.Links, func(part string) string { return fmt.Sprintf("messages[%d].%s", i, part) }); err != nil {
			return r, err
		}
	}
	if err := tx.Save(&r.Reply).Error; err != nil {
		return r, fmt.Errorf("reply: save: %w", err)
	}
	if err := s.Media.UseTx(tx, Owner(r.ID), Refs(r.Messages, "messages")); err != nil {
		return r, err
	}
	return r, db.Bump(tx, revision)
}

// Owner is the name under which a reply uses pictures.
func Owner(id int64) string { return fmt.Sprintf("reply:%d", id) }

// Delete takes a reply away.
func (s *Service) Delete(ctx context.Context, id int64) error {
	_, err := db.Do(ctx, s.DB, func(_ context.Context, tx *gorm.DB) (int64, error) {
		res := tx.Delete(&model.Reply{}, id)
		if res.Error == nil && res.RowsAffected == 0 {
			return id, errs.New(errs.NotFound, "reply.not_found")
		}
		if res.Error != nil {
			return id, res.Error
		}
		if err := s.Media.UseTx(tx, Owner(id), nil); err != nil {
			return id, err
		}
		return id, db.Bump(tx, revision)
	})
	return err
}

// fold is a text as keywords are compared: without spaces around it, small letters.
func fold(s string) string { return strings.ToLower(strings.TrimSpace(s)) }
