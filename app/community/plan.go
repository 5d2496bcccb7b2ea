package community

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// Plan is a day of a group: what is talked about, and the word that proves who read it.
type Plan struct {
	Day       model.Day
	Topic     string
	Word      string
	Generated bool // nobody set the word: it is siyu's own
}

const (
	maxAhead   = 92 // days that can be planned at once
	minWord    = 4  // characters: what is shorter is guessed
	maxWord    = 16
	maxTopic   = 200
	letters    = "ABCDEFGHJKLMNPQRSTUVWXYZ"
	characters = letters + "23456789" // 32; none that looks like another
)

// normal makes words comparable: full-width to half-width, upper case, no space around.
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
	return strings.ToUpper(strings.TrimSpace(s))
}

// wordLike reports whether a normal text can be a word at all.
func wordLike(s string) bool {
	n := utf8.RuneCountInString(s)
	return n >= minWord && n <= maxWord && !strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) })
}

// generated is the word of a day that nobody set: six characters that follow from the secret key, so that nothing has to make them.
func (s *Service) generated(groupID int64, day model.Day) string {
	sum, err := hex.DecodeString(s.box.BlindIndex("group word", fmt.Sprint(groupID, " ", day)))
	if err != nil {
		panic(err) // hex digits
	}
	word := []byte{letters[int(sum[0])%len(letters)]}
	for _, b := range sum[1:6] {
		word = append(word, characters[int(b)%len(characters)])
	}
	return string(word)
}

// Plans lists n days of a group from a day on.
func (s *Service) Plans(ctx context.Context, groupID int64, from model.Day, n int) ([]Plan, error) {
	tx := s.db.Reader(ctx)
	if _, err := get(tx, groupID); err != nil {
		return nil, err
	}
	if from == "" {
		from = s.today()
	}
	return s.plans(tx, groupID, from, min(max(n, 1), maxAhead))
}

func (s *Service) plans(tx *gorm.DB, groupID int64, from model.Day, n int) ([]Plan, error) {
	var rows []model.GroupDay
	if err := tx.Where("group_id = ? AND day >= ? AND day < ?", groupID, from, from.Add(n)).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("community: plans: %w", err)
	}
	plans := make([]Plan, n)
	for i := range plans {
		day := from.Add(i)
		plans[i] = Plan{Day: day, Word: s.generated(groupID, day), Generated: true}
	}
	for _, r := range rows {
		p := &plans[r.Day.Sub(from)]
		p.Topic = r.Topic
		if r.Word != nil {
			p.Word, p.Generated = *r.Word, false
		}
	}
	return plans, nil
}

// Planned are days of a group as they are now.
func (s *Service) Planned(ctx context.Context, groupID int64, days []Plan) ([]Plan, error) {
	now := make([]Plan, 0, len(days))
	for _, d := range days {
		p, err := s.plans(s.db.Reader(ctx), groupID, d.Day, 1)
		if err != nil {
			return nil, err
		}
		now = append(now, p[0])
	}
	return now, nil
}

// SetPlans writes days of a group, today or later; an empty Word takes the generated one. All or none are written.
func (s *Service) SetPlans(ctx context.Context, groupID int64, days []Plan) ([]Plan, error) {
	today := s.today()
	if len(days) == 0 || len(days) > maxAhead {
		return nil, errs.Field("days", "community.days", "limit", maxAhead)
	}
	for i := range days {
		if err := days[i].check(i, today); err != nil {
			return nil, err
		}
	}
	return db.Do(ctx, s.db, func(_ context.Context, tx *gorm.DB) ([]Plan, error) {
		out, err := s.setPlansTx(tx, groupID, days)
		if err != nil {
			return nil, err
		}
		return out, db.Bump(tx, revision)
	})
}

func (p *Plan) check(i int, today model.Day) error {
	at := fmt.Sprintf("days[%d].", i)
	p.Topic, p.Word = strings.TrimSpace(p.Topic), normal(p.Word)
	switch {
	case p.Day < today || p.Day > today.Add(366):
		return errs.Field(at+"day", "community.day", "today", today)
	case utf8.RuneCountInString(p.Topic) > maxTopic:
		return errs.Field(at+"topic", "community.topic", "limit", maxTopic)
	case p.Word != "" && !wordLike(p.Word):
		return errs.Field(at+"word", "community.word", "min", minWord, "limit", maxWord)
	}
	return nil
}

func (s *Service) setPlansTx(tx *gorm.DB, groupID int64, days []Plan) ([]Plan, error) {
	if _, err := get(tx, groupID); err != nil {
		return nil, err
	}
	out := make([]Plan, len(days))
	for i, p := range days {
		row := model.GroupDay{GroupID: groupID, Day: p.Day, Topic: p.Topic}
		out[i] = p
		if p.Word == "" || p.Word == s.generated(groupID, p.Day) {
			out[i].Word, out[i].Generated = s.generated(groupID, p.Day), true
		} else {
			row.Word = &p.Word
		}
		if err := tx.Where("group_id = ? AND day = ?", groupID, p.Day).Delete(&model.GroupDay{}).Error; err != nil {
			return nil, fmt.Errorf("community: plan: %w", err)
		}
		if row.Topic == "" && row.Word == nil {
			continue
		}
		dup, err := db.Insert(tx, &row)
		if dup {
			return nil, errs.New(errs.Conflict, "community.word_taken", "field", fmt.Sprintf("days[%d].word", i), "day", p.Day)
		}
		if err != nil {
			return nil, fmt.Errorf("community: plan: %w", err)
		}
	}
	return out, nil
}
