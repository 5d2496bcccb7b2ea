package tag

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// Rule is what an operator writes.
type Rule struct {
	ID        int64 // 0: a new one
	TagID     int64
	Name      string
	Enabled   bool
	Condition []byte

	owner    string // the ladder whose step it is
	position int
}

// SavedRule is a rule as it reads back.
type SavedRule struct {
	model.AutoTag
	Sentence string `json:"sentence"`
	OnEvent  bool   `json:"on_event"`
	Seen     int64  `json:"seen"` // how far through the ids of members, of Total, it has been applied since it was saved; both 0: to all
	Total    int64  `json:"total"`
}

// SaveRule makes or changes a rule. A lasting rule is then evaluated for every member in the background. What a rule set
// before it was disabled stays; enabled again, it is evaluated for everybody anew.
func (s *Service) SaveRule(ctx context.Context, in Rule, lang string) (*SavedRule, error) {
	in.Name = strings.TrimSpace(in.Name)
	if n := utf8.RuneCountInString(in.Name); n == 0 || n > 64 {
		return nil, errs.Field("name", "tag.rule_name", "limit", 64)
	}
	tree, err := s.conditions.Parse(in.Condition)
	if err != nil {
		return nil, err
	}
	if tree.Empty() {
		return nil, errs.Field("condition", "tag.rule_for_all")
	}
	out, err := db.Do(ctx, s.db, func(ctx context.Context, tx *gorm.DB) (SavedRule, error) {
		row, err := s.saveRuleTx(ctx, tx, in, tree)
		if err != nil {
			return SavedRule{}, err
		}
		sentence, err := s.conditions.Sentence(ctx, tx, lang, tree)
		return SavedRule{AutoTag: *row, Sentence: sentence, OnEvent: s.conditions.EventScoped(tree)}, err
	})
	return &out, err
}

// saveRuleTx is SaveRule in the caller's transaction.
func (s *Service) saveRuleTx(ctx context.Context, tx *gorm.DB, in Rule, tree condition.Tree) (*model.AutoTag, error) {
	if err := s.conditions.Check(ctx, tx, tree); err != nil {
		return nil, err
	}
	if _, err := Get(tx, in.TagID); err != nil {
		return nil, errs.AtField(err, "tag_id")
	}
	now, after := s.clock.Now(), int64(reviewed)
	if in.Enabled && !s.conditions.EventScoped(tree) {
		after = 0
	}
	row := model.AutoTag{
		ID: in.ID, TagID: in.TagID, Name: in.Name, Enabled: in.Enabled, Condition: model.ToJSON(tree), Version: 1,
		Owner: in.owner, Position: in.position, ReviewAfter: after, CreatedAt: now, UpdatedAt: now,
	}
	if err := s.storeRule(tx, &row); err != nil {
		return nil, err
	}
	return &row, s.checkChain(tx, &row, tree)
}

func (s *Service) storeRule(tx *gorm.DB, row *model.AutoTag) error {
	if row.ID == 0 {
		if err := tx.Create(row).Error; err != nil {
			return fmt.Errorf("tag: rule: %w", err)
		}
		return db.Bump(tx, revision)
	}
	var old model.AutoTag
	err := tx.Take(&old, row.ID).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return errs.New(errs.NotFound, "tag.rule_not_found")
	}
	if err != nil {
		return fmt.Errorf("tag: rule: %w", err)
	}
	if old.Owner != row.Owner {
		return errs.New(errs.Conflict, "tag.rule_owned", "ladder", old.Owner)
	}
	if old.TagID != row.TagID {
		return errs.Field("tag_id", "tag.rule_tag_fixed")
	}
	row.CreatedAt, row.Version = old.CreatedAt, old.Version+1
	if err := tx.Save(row).Error; err != nil {
		return fmt.Errorf("tag: rule: %w", err)
	}
	return db.Bump(tx, revision)
}

// ListRules lists the rules with their sentences.
func (s *Service) ListRules(ctx context.Context, lang string) ([]SavedRule, error) {
	tx := s.db.Reader(ctx)
	var rows []model.AutoTag
	if err := tx.Order("id").Find(&rows).Error; err != nil {
		return nil, err
	}
	var last int64
	if err := tx.Model(&model.Member{}).Select("COALESCE(MAX(id), 0)").Scan(&last).Error; err != nil {
		return nil, fmt.Errorf("tag: rules: %w", err)
	}
	out := make([]SavedRule, 0, len(rows))
	for _, row := range rows {
		tree, err := s.conditions.Parse(row.Condition)
		if err != nil {
			return nil, fmt.Errorf("tag: rule %d: %w", row.ID, err)
		}
		sentence, err := s.conditions.Sentence(ctx, tx, lang, tree)
		if err != nil {
			return nil, err
		}
		r := SavedRule{AutoTag: row, Sentence: sentence, OnEvent: s.conditions.EventScoped(tree)}
		if row.ReviewAfter != reviewed {
			r.Seen, r.Total = min(row.ReviewAfter, last), last
		}
		out = append(out, r)
	}
	return out, nil
}
