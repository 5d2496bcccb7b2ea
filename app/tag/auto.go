package tag

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/model"
)

// revision names the set of auto-tag rules that processes cache.
const revision = "auto_tags"

// rule is an enabled auto-tag rule, ready to be evaluated.
type rule struct {
	model.AutoTag
	tree     condition.Tree
	triggers []string
	reads    []int64 // tags that the condition asks about
	onEvent  bool    // set when an event matches, and kept; else held while the condition holds
}

// ruleCache holds the enabled rules as of a revision.
type ruleCache struct {
	mu       sync.Mutex
	revision int64
	loaded   bool
	rules    []*rule
}

// enabled returns the rules in force, reloading them where another process changed them.
func (s *Service) enabled(tx *gorm.DB) ([]*rule, error) {
	rev, err := db.Revision(tx, revision)
	if err != nil {
		return nil, fmt.Errorf("tag: revision: %w", err)
	}
	s.rules.mu.Lock()
	defer s.rules.mu.Unlock()
	if s.rules.loaded && s.rules.revision == rev {
		return s.rules.rules, nil
	}
	var rows []model.AutoTag
	if err := tx.Where("enabled = ?", true).Order("id").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("tag: rules: %w", err)
	}
	rules := make([]*rule, 0, len(rows))
	for _, row := range rows {
		tree, err := s.conditions.Parse(row.Condition)
		if err != nil {
			return nil, fmt.Errorf("tag: rule %d: %w", row.ID, err)
		}
		rules = append(rules, &rule{AutoTag: row, tree: tree, triggers: s.conditions.Triggers(tree), reads: reads(tree), onEvent: s.conditions.EventScoped(tree)})
	}
	s.rules.rules, s.rules.revision, s.rules.loaded = rules, rev, true
	return rules, nil
}

// triggeredBy also knows the events that make somebody new known: a lasting rule may hold for him from the start. A lasting rule
// on tags is asked again when one of these changed, not any other: else two rules of an exclusive group would displace each other forever.
func (r *rule) triggeredBy(ev *model.Event) bool {
	if ev.Kind == model.EventTag && !r.onEvent {
		return slices.Contains(r.reads, changedTag(ev))
	}
	fresh := !r.onEvent && (ev.Kind == model.EventFollowed || ev.Kind == model.EventRegistered)
	return fresh || slices.Contains(r.triggers, ev.Kind) || slices.Contains(r.triggers, condition.AnyEvent)
}

// Follow is the event follower: it re-evaluates the rules that the event may change, for its member.
func (s *Service) Follow(ctx context.Context, tx *gorm.DB, ev *model.Event) ([]event.Grant, error) {
	rules, err := s.enabled(tx)
	if err != nil {
		return nil, err
	}
	now := s.clock.Now()
	subject := &condition.Subject{MemberID: ev.MemberID, At: now, Event: ev, Cache: map[string]any{}}
	for _, r := range rules {
		if !r.triggeredBy(ev) {
			continue
		}
		if err := s.apply(ctx, tx, r, subject); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// apply evaluates one rule for one member, sets or removes its tag, and keeps the instant at which time alone
// changes the verdict.
func (s *Service) apply(ctx context.Context, tx *gorm.DB, r *rule, sub *condition.Subject) error {
	v, _, err := s.conditions.Eval(ctx, tx, sub, r.tree)
	if err != nil {
		return fmt.Errorf("tag: rule %d: %w", r.ID, err)
	}
	c := Cause{Kind: model.CauseRule, ID: r.ID, Reason: r.Name}
	if sub.Event != nil {
		c.EventID = sub.Event.ID
	}
	if r.onEvent {
		if v.Holds {
			_, err = s.SetTx(ctx, tx, sub.MemberID, r.TagID, c, sub.At)
		}
		return err
	}
	held, flips, err := standing(tx, r, sub.MemberID)
	if err != nil {
		return err
	}
	switch {
	case v.Holds && !held:
		_, err = s.SetTx(ctx, tx, sub.MemberID, r.TagID, c, sub.At)
	case !v.Holds && held:
		_, err = s.UnsetTx(ctx, tx, sub.MemberID, r.TagID, c, sub.At)
	}
	if err != nil || v.FlipsAt.IsZero() && !flips {
		return err
	}
	return s.keepFlip(tx, r.ID, sub.MemberID, v.FlipsAt)
}

// standing is what a lasting rule has done for a member so far: whether its tag is held because of it, and whether an
// instant is kept at which its verdict flips.
func standing(tx *gorm.DB, r *rule, memberID int64) (held, flips bool, err error) {
	var found []string
	err = tx.Raw("SELECT 'held' FROM tag_holds WHERE tag_id = ? AND member_id = ? AND cause = ? AND cause_id = ?"+
		" UNION ALL SELECT 'flips' FROM tag_flips WHERE auto_tag_id = ? AND member_id = ?",
		r.TagID, memberID, model.CauseRule, r.ID, r.ID, memberID).Scan(&found).Error
	if err != nil {
		return false, false, fmt.Errorf("tag: rule %d: %w", r.ID, err)
	}
	return slices.Contains(found, "held"), slices.Contains(found, "flips"), nil
}

func (s *Service) keepFlip(tx *gorm.DB, ruleID, memberID int64, at time.Time) error {
	if at.IsZero() {
		return tx.Where("auto_tag_id = ? AND member_id = ?", ruleID, memberID).Delete(&model.TagFlip{}).Error
	}
	dup, err := db.Insert(tx, &model.TagFlip{AutoTagID: ruleID, MemberID: memberID, At: at})
	if err != nil || !dup {
		return err
	}
	return tx.Model(&model.TagFlip{}).Where("auto_tag_id = ? AND member_id = ?", ruleID, memberID).Update("at", at).Error
}

// reviewAll re-evaluates every lasting rule for a member, as after a merge.
func (s *Service) reviewAll(ctx context.Context, tx *gorm.DB, memberID int64, at time.Time) error {
	rules, err := s.enabled(tx)
	if err != nil {
		return err
	}
	for _, r := range rules {
		if r.onEvent {
			continue
		}
		if err := s.apply(ctx, tx, r, &condition.Subject{MemberID: memberID, At: at, Cache: map[string]any{}}); err != nil {
			return err
		}
	}
	return nil
}

// flipChunk is how many members one transaction re-evaluates.
const flipChunk = 50

// Due is the earliest instant at which time alone changes a tag; false if there is none.
func (s *Service) Due(ctx context.Context) (time.Time, bool, error) {
	var f model.TagFlip
	res := s.db.Reader(ctx).Order("at").Limit(1).Find(&f)
	return f.At, res.RowsAffected > 0, res.Error
}

// RunDue re-evaluates members whose verdict time has changed; it returns how many.
func (s *Service) RunDue(ctx context.Context, now time.Time) (int, error) {
	var due []model.TagFlip
	err := s.db.Reader(ctx).Where("at <= ?", now).Order("at").Limit(flipChunk).Find(&due).Error
	if err != nil || len(due) == 0 {
		return 0, err
	}
	err = s.db.BulkTx(ctx, func(ctx context.Context, tx *gorm.DB) error { return s.flip(ctx, tx, due, now) })
	return len(due), err
}

func (s *Service) flip(ctx context.Context, tx *gorm.DB, due []model.TagFlip, now time.Time) error {
	ids := make([]int64, len(due))
	for i, f := range due {
		ids[i] = f.MemberID
	}
	if err := member.LockTx(tx, ids...); err != nil {
		return err
	}
	rules, err := s.enabled(tx)
	if err != nil {
		return err
	}
	for _, f := range due {
		var n int64 // under the lock: another process may have been here, or the member was merged
		err := tx.Model(&model.TagFlip{}).Where("auto_tag_id = ? AND member_id = ? AND at <= ?", f.AutoTagID, f.MemberID, now).Count(&n).Error
		if err != nil {
			return fmt.Errorf("tag: flip: %w", err)
		}
		if n == 0 {
			continue
		}
		i := slices.IndexFunc(rules, func(r *rule) bool { return r.ID == f.AutoTagID })
		if i < 0 || rules[i].onEvent { // disabled or made another since
			if err := s.keepFlip(tx, f.AutoTagID, f.MemberID, time.Time{}); err != nil {
				return err
			}
			continue
		}
		sub := &condition.Subject{MemberID: f.MemberID, At: now, Cache: map[string]any{}}
		if err := s.apply(ctx, tx, rules[i], sub); err != nil {
			return err
		}
	}
	return nil
}

// Rule is what an operator writes.
type Rule struct {
	ID        int64 // 0: a new one
	TagID     int64
	Name      string
	Enabled   bool
	Condition []byte
}

// SavedRule is a rule as it reads back.
type SavedRule struct {
	model.AutoTag
	Sentence string `json:"sentence"`
	OnEvent  bool   `json:"on_event"`
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
		if err := s.conditions.Check(ctx, tx, tree); err != nil {
			return SavedRule{}, err
		}
		if _, err := Get(tx, in.TagID); err != nil {
			return SavedRule{}, errs.AtField(err, "tag_id")
		}
		now, after := s.clock.Now(), int64(reviewed)
		if in.Enabled && !s.conditions.EventScoped(tree) {
			after = 0
		}
		row := model.AutoTag{
			ID: in.ID, TagID: in.TagID, Name: in.Name, Enabled: in.Enabled, Condition: model.ToJSON(tree),
			ReviewAfter: after, CreatedAt: now, UpdatedAt: now,
		}
		if err := s.storeRule(tx, &row); err != nil {
			return SavedRule{}, err
		}
		if err := s.checkChain(tx, &row, tree); err != nil {
			return SavedRule{}, err
		}
		sentence, err := s.conditions.Sentence(ctx, tx, lang, tree)
		return SavedRule{row, sentence, s.conditions.EventScoped(tree)}, err
	})
	return &out, err
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
	if old.TagID != row.TagID {
		return errs.Field("tag_id", "tag.rule_tag_fixed")
	}
	row.CreatedAt = old.CreatedAt
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
		out = append(out, SavedRule{row, sentence, s.conditions.EventScoped(tree)})
	}
	return out, nil
}
