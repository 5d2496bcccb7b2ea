// Package consent is the ledger of who may be written to and called at his phone number: each word of it with its source and time. Nobody is
// reached there without one (PLAYBOOKS H16).
package consent

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/model"
)

// Kinds of consent.
const (
	SMS  = "sms"
	Call = "call"
)

// Kinds are all of them.
var Kinds = []string{SMS, Call}

// Sources of a word.
const (
	Import = "import" // a file of customers
	Member = "member" // the member himself, in the mini-program
	Admin  = "admin"  // an operator, for him
	Reply  = "reply"  // his answer to a message
)

// own reports whether the person himself said it.
func own(c *model.Consent) bool { return c.Source == Member || c.Source == Reply }

// maxEvidence is in characters.
const maxEvidence = 200

// Service is the use cases of the ledger.
type Service struct {
	db      *db.DB
	clock   clock.Clock
	members *member.Service
}

// New returns the service.
func New(d *db.DB, c clock.Clock, members *member.Service) *Service {
	return &Service{db: d, clock: c, members: members}
}

// states are what lines of one member come to, by kind: the latest word, but what he took back himself only he gives again.
func states(lines []model.Consent) map[string]model.Consent {
	slices.SortStableFunc(lines, func(a, b model.Consent) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID)) })
	now := map[string]model.Consent{}
	for _, l := range lines {
		if old, ok := now[l.Kind]; ok && own(&old) && !old.Given && !own(&l) {
			continue
		}
		now[l.Kind] = l
	}
	return now
}

// States are the latest words of members, by kind. Who said nothing of a kind is absent there.
func States(tx *gorm.DB, ids []int64) (map[int64]map[string]model.Consent, error) {
	var rows []model.Consent
	if err := tx.Where("member_id IN ?", ids).Order("id").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("consent: states: %w", err)
	}
	lines := map[int64][]model.Consent{}
	for _, r := range rows {
		lines[r.MemberID] = append(lines[r.MemberID], r)
	}
	out := make(map[int64]map[string]model.Consent, len(lines))
	for id, of := range lines {
		out[id] = states(of)
	}
	return out, nil
}

// PutTx adds a word to the ledger. The caller holds the member's lock. A word that was added before, or that says again what its source said
// last, adds nothing: a report may come twice.
func (s *Service) PutTx(tx *gorm.DB, c model.Consent) error {
	c.At = c.At.UTC().Truncate(time.Microsecond)
	var lines []model.Consent
	if err := tx.Where("member_id = ? AND kind = ?", c.MemberID, c.Kind).Find(&lines).Error; err != nil {
		return fmt.Errorf("consent: %w", err)
	}
	now, known := states(lines)[c.Kind]
	if known && now.Given == c.Given && now.Source == c.Source || slices.ContainsFunc(lines, func(l model.Consent) bool {
		return l.Given == c.Given && l.Source == c.Source && l.At.Equal(c.At)
	}) {
		return nil
	}
	c.Evidence = model.Cut(c.Evidence, 255)
	if err := tx.Create(&c).Error; err != nil {
		return fmt.Errorf("consent: put: %w", err)
	}
	return nil
}

// Put adds what an operator was told by a member. Nobody but the member himself gives again what he took back: errs.Conflict.
func (s *Service) Put(ctx context.Context, memberID int64, kind string, given bool, evidence string) (*model.Consent, error) {
	if !slices.Contains(Kinds, kind) {
		return nil, errs.Field("kind", "consent.kind")
	}
	if n := len([]rune(evidence)); n > maxEvidence || given && n == 0 {
		return nil, errs.Field("evidence", "consent.evidence", "limit", maxEvidence)
	}
	c, err := db.Do(ctx, s.db, func(_ context.Context, tx *gorm.DB) (model.Consent, error) {
		m, err := member.SurvivorTx(tx, memberID)
		if err != nil {
			return model.Consent{}, err
		}
		c := model.Consent{MemberID: m.ID, Kind: kind, Given: given, Source: Admin, Evidence: evidence, At: s.clock.Now()}
		if err := s.PutTx(tx, c); err != nil {
			return c, err
		}
		all, err := States(tx, []int64{m.ID})
		if now := all[m.ID][kind]; err == nil && now.Given != given {
			err = errs.New(errs.Conflict, "consent.own")
		}
		return all[m.ID][kind], err
	})
	return &c, err
}

// Said is the ctx for a use case that answers a model.Member: what he says of kinds is added in its transaction.
func (s *Service) Said(ctx context.Context, kinds map[string]*bool) context.Context {
	return db.Also(ctx, func(tx *gorm.DB, answer any) error {
		m, ok := answer.(model.Member)
		if !ok {
			return fmt.Errorf("consent: %T is no member", answer)
		}
		for _, kind := range Kinds {
			if given := kinds[kind]; given != nil {
				if err := s.PutTx(tx, model.Consent{MemberID: m.ID, Kind: kind, Given: *given, Source: Member, At: s.clock.Now()}); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// Of is a member's ledger, newest first, and what it comes to by kind.
func (s *Service) Of(ctx context.Context, memberID int64) (lines []model.Consent, now map[string]model.Consent, err error) {
	if err = s.db.Reader(ctx).Where("member_id = ?", memberID).Find(&lines).Error; err != nil {
		return nil, nil, fmt.Errorf("consent: of: %w", err)
	}
	now = states(lines)
	slices.Reverse(lines)
	return lines, now, nil
}

// Part says that a person's words follow him.
func (s *Service) Part() member.Part {
	return member.Part{
		Name: "consent",
		Tables: []member.Table{{
			Row: &model.Consent{}, Undo: member.Return, Export: []string{"kind", "given", "source", "evidence", "at"}, Erase: member.Delete,
		}},
		Merge: func(_ context.Context, tx *gorm.DB, m member.MergeOf) error { return member.Move(tx, "consents", m) },
	}
}
