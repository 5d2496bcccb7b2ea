package reply

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/wechat"
	"github.com/siyu-scrm/siyu/model"
)

// Ask is what a person did.
type Ask struct {
	Identity *model.Identity
	Key      string // of the push: picks one of several answers, the same at a retry
	Text     string // of a message, or the key of the button
	At       time.Time
}

// AnswerTx answers by the first reply that fits; ok is false where none does. The triggers are asked in turn: a keyword before the default.
func (s *Service) AnswerTx(tx *gorm.DB, a Ask, triggers ...string) (answer wechat.Reply, ok bool, err error) {
	rules, err := s.inForce(tx)
	if err != nil {
		return wechat.Reply{}, false, err
	}
	r := find(rules, a.Text, triggers)
	if r == nil {
		return wechat.Reply{}, false, nil
	}
	answer, err = s.SayTx(tx, a, r.Trigger, Owner(r.ID), pick(r, a.Key))
	return answer, true, err
}

// find is the rule that answers a text: an exact keyword before one that is contained.
func find(rules []*Rule, text string, triggers []string) *Rule {
	folded := fold(text)
	for _, trigger := range triggers {
		for _, match := range []string{model.MatchExact, model.MatchContains} {
			for _, r := range rules {
				if r.Trigger == trigger && r.Match == match && r.fits(text, folded) {
					return r
				}
			}
		}
	}
	return nil
}

func (r *Rule) fits(text, folded string) bool {
	switch {
	case r.Trigger == model.ReplyClick:
		return slices.Contains(r.Words, text)
	case r.Trigger != model.ReplyKeyword:
		return true
	case r.Match == model.MatchExact:
		return slices.Contains(r.Words, folded)
	}
	return slices.ContainsFunc(r.Words, func(w string) bool { return strings.Contains(folded, w) })
}

// pick is what a rule says this time.
func pick(r *Rule, key string) []Message {
	if r.Mode != model.ReplyRandom {
		return r.Messages
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(key)) // never fails
	n := int(h.Sum32()>>4) % len(r.Messages)
	return r.Messages[n : n+1]
}

// SayTx makes the passive reply of a list of messages and keeps the others to follow. The passive one is the hand-over, else the first
// that WeChat takes now: a picture without a live copy there follows too, when it is uploaded.
func (s *Service) SayTx(tx *gorm.DB, a Ask, trigger, source string, list []Message) (wechat.Reply, error) {
	at, answer, err := s.passive(tx, a.Identity, list)
	if err != nil {
		return answer, err
	}
	rest := make([]Message, 0, len(list))
	for i, m := range list {
		if i != at && m.Kind != HandOver && (m.Kind != Card || s.MPAppID != "") {
			rest = append(rest, m)
		}
	}
	if len(rest) == 0 {
		return answer, nil
	}
	now := s.Clock.Now()
	err = tx.Create(&model.ReplySend{
		IdentityID: a.Identity.ID, Source: source, Messages: model.ToJSON(rest), State: model.ReplyPending,
		DueAt: now, Until: a.At.Add(behind[trigger].span), LeaseTill: clock.Real(), CreatedAt: now,
	}).Error
	if err != nil {
		return answer, fmt.Errorf("reply: keep what follows: %w", err)
	}
	return answer, nil
}

// passive is the message that can be the answer now, and its place; -1 if none can.
func (s *Service) passive(tx *gorm.DB, to *model.Identity, list []Message) (int, wechat.Reply, error) {
	for i, m := range list {
		if m.Kind == HandOver {
			return i, wechat.Reply{Transfer: true, To: m.Agent}, nil
		}
	}
	for i, m := range list {
		m, err := s.linked(tx, m, to.MemberID)
		if err != nil {
			return i, wechat.Reply{}, err
		}
		switch m.Kind {
		case Text:
			return i, wechat.Reply{Text: m.Text}, nil
		case Image:
			if m.ImageID == 0 {
				return i, wechat.Reply{ImageID: m.Material}, nil
			}
			id, err := s.Media.CopyTx(tx, to.Account, m.ImageID, model.MediaTemporary)
			if err != nil || id != "" {
				return i, wechat.Reply{ImageID: id}, err
			}
		case News:
			pic := m.PicURL
			if m.ImageID > 0 {
				var err error
				if pic, err = s.Media.CopyTx(tx, to.Account, m.ImageID, model.MediaURL); err != nil {
					return i, wechat.Reply{}, err
				}
				if pic == "" {
					continue
				}
			}
			return i, wechat.Reply{Article: &wechat.Article{Title: m.Title, Description: m.Description, PicURL: pic, URL: m.URL}}, nil
		}
	}
	return -1, wechat.Reply{}, nil
}
