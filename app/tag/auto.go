package tag

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
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
	tree    condition.Tree
	reads   []int64 // tags that the condition asks about
	group   int64   // of its tag
	onEvent bool    // set when an event matches, and kept; else held while the condition holds
}

// unit is what is evaluated together: a rule, or those of a ladder in their order, of which the first that holds sets its tag.
type unit struct {
	rules    []*rule
	triggers []string
}

func (u *unit) first() *rule  { return u.rules[0] }
func (u *unit) onEvent() bool { return u.first().onEvent }

func (u *unit) gives(tagID int64) bool {
	return slices.ContainsFunc(u.rules, func(r *rule) bool { return r.TagID == tagID })
}

func (u *unit) reads(tagID int64) bool {
	return slices.ContainsFunc(u.rules, func(r *rule) bool { return slices.Contains(r.reads, tagID) })
}

// ruleCache holds the enabled rules as of a revision, and which of them an event concerns. What it holds does not change.
type ruleCache struct {
	mu       sync.Mutex
	revision int64
	loaded   bool
	rules    *ruleSet
}

type ruleSet struct {
	units  []*unit
	mu     sync.Mutex
	byKind map[string][]*unit // filled when a kind is first seen
}

// of finds the unit of a rule; nil for one that is not enabled.
func (l *ruleSet) of(ruleID int64) *unit {
	for _, u := range l.units {
		if slices.ContainsFunc(u.rules, func(r *rule) bool { return r.ID == ruleID }) {
			return u
		}
	}
	return nil
}

// rule finds an enabled rule; nil for none.
func (l *ruleSet) rule(id int64) *rule {
	if u := l.of(id); u != nil {
		return u.rules[slices.IndexFunc(u.rules, func(r *rule) bool { return r.ID == id })]
	}
	return nil
}

// maxKinds bounds the kinds that are remembered: other systems name theirs.
const maxKinds = 1000

// triggered are the units that the event may change.
func (l *ruleSet) triggered(ev *model.Event) []*unit {
	l.mu.Lock()
	defer l.mu.Unlock()
	list, known := l.byKind[ev.Kind]
	if !known {
		for _, u := range l.units {
			if u.hears(ev.Kind) {
				list = append(list, u)
			}
		}
		if len(l.byKind) >= maxKinds {
			clear(l.byKind)
		}
		l.byKind[ev.Kind] = list
	}
	if ev.Kind != model.EventTag {
		return list
	}
	tags := changedTags(ev)
	return slices.DeleteFunc(slices.Clone(list), func(u *unit) bool { return !u.onEvent() && !slices.ContainsFunc(tags, u.reads) })
}

// hears also knows the events that make somebody new known: a lasting rule may hold for him from the start. A lasting rule
// on tags is asked again when one of these changed, not any other: else two rules of an exclusive group would displace each other forever.
func (u *unit) hears(kind string) bool {
	if kind == model.EventTag && !u.onEvent() {
		return true // triggered looks which tag it is
	}
	fresh := !u.onEvent() && (kind == model.EventFollowed || kind == model.EventRegistered)
	behavior := strings.HasPrefix(kind, model.EventBehavior+".") && slices.Contains(u.triggers, event.AnyBehavior)
	return fresh || behavior || slices.Contains(u.triggers, kind) || slices.Contains(u.triggers, condition.AnyEvent)
}

// enabled returns the rules in force, reloading them where another process changed them.
func (s *Service) enabled(tx *gorm.DB) (*ruleSet, error) {
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
	if err := tx.Where("enabled = ?", true).Order("position, id").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("tag: rules: %w", err)
	}
	groups, err := groupsOf(tx)
	if err != nil {
		return nil, err
	}
	set, ladders := &ruleSet{byKind: map[string][]*unit{}}, map[string]*unit{}
	for _, row := range rows {
		tree, err := s.conditions.Parse(row.Condition)
		if err != nil {
			return nil, fmt.Errorf("tag: rule %d: %w", row.ID, err)
		}
		u := ladders[row.Owner]
		if u == nil {
			u = &unit{}
			set.units = append(set.units, u)
		}
		if row.Owner != "" {
			ladders[row.Owner] = u
		}
		u.rules = append(u.rules, &rule{AutoTag: row, tree: tree, reads: reads(tree), group: groups[row.TagID], onEvent: s.conditions.EventScoped(tree)})
		u.triggers = append(u.triggers, s.conditions.Triggers(tree)...)
	}
	slices.SortStableFunc(set.units, func(a, b *unit) int { return cmp.Compare(a.first().ID, b.first().ID) })
	s.rules.rules, s.rules.revision, s.rules.loaded = set, rev, true
	return set, nil
}

// Follow is the event follower: it re-evaluates the rules that the event may change, for its member.
func (s *Service) Follow(ctx context.Context, tx *gorm.DB, ev *model.Event) ([]event.Grant, error) {
	rules, err := s.enabled(tx)
	if err != nil {
		return nil, err
	}
	units := rules.triggered(ev)
	if len(units) == 0 {
		return nil, nil
	}
	subject := &condition.Subject{MemberID: ev.MemberID, At: s.clock.Now(), Event: ev, Cache: map[string]any{}}
	for _, u := range units {
		if err := s.apply(ctx, tx, u, subject); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// cause is the rule as the cause of a tag. trace says what it saw; nil where it did not hold.
func (r *rule) cause(sub *condition.Subject, trace *condition.Trace) Cause {
	c := Cause{Kind: model.CauseRule, ID: r.ID, Reason: r.Name, Version: r.Version}
	if sub.Event != nil {
		c.EventID = sub.Event.ID
	}
	if trace != nil {
		c.Evidence = evidence(*trace)
	}
	return c
}

// apply evaluates a unit for one member, sets or removes its tags, and keeps the instant at which time alone changes the verdict.
func (s *Service) apply(ctx context.Context, tx *gorm.DB, u *unit, sub *condition.Subject) error {
	if u.onEvent() {
		v, trace, err := s.conditions.Eval(ctx, tx, sub, u.first().tree)
		if err != nil || !v.Holds {
			return wrapRule(u.first(), err)
		}
		_, err = s.SetTx(ctx, tx, sub.MemberID, u.first().TagID, u.first().cause(sub, &trace), sub.At)
		return err
	}
	v, err := s.ask(ctx, tx, u, sub)
	if err != nil {
		return err
	}
	now, err := standingOf(tx, sub)
	if err != nil {
		return err
	}
	held, until := now.of(u), now.flips[u.first().ID]
	if v.winner != nil && !slices.ContainsFunc(held, v.gave) {
		delete(sub.Cache, standingKey)
		if _, err := s.SetTx(ctx, tx, sub.MemberID, v.winner.TagID, v.winner.cause(sub, &v.saw), sub.At); err != nil {
			return err
		}
	}
	for _, h := range held {
		if v.gave(h) {
			continue
		}
		c := Cause{Kind: model.CauseRule, ID: h.CauseID}
		if i := slices.IndexFunc(u.rules, func(r *rule) bool { return r.ID == h.CauseID }); i >= 0 {
			c = u.rules[i].cause(sub, nil)
		}
		delete(sub.Cache, standingKey)
		if _, err := s.UnsetTx(ctx, tx, sub.MemberID, h.TagID, c, sub.At); err != nil { // gone already where the winner replaced it
			return err
		}
	}
	if v.flips.Equal(until) || until.After(sub.At) && !v.flips.IsZero() && v.flips.After(until) { // asked again at the sooner instant: that is soon enough
		return nil
	}
	now.flips[u.first().ID] = v.flips
	return s.keepFlip(tx, u.first().ID, sub.MemberID, v.flips)
}

// verdict is what a lasting unit says of a member: the rule that gives its tag (nil: none), what it saw, and when time alone changes it.
type verdict struct {
	winner *rule
	saw    condition.Trace
	flips  time.Time
}

// gave reports whether the hold is the one that the verdict gives.
func (v verdict) gave(h hold) bool {
	return v.winner != nil && h.CauseID == v.winner.ID && h.TagID == v.winner.TagID
}

// stands reports whether what the unit gave is as the verdict says.
func (v verdict) stands(held []hold) bool {
	if v.winner == nil {
		return len(held) == 0
	}
	return len(held) == 1 && v.gave(held[0])
}

// ask evaluates a lasting unit for one member.
func (s *Service) ask(ctx context.Context, tx *gorm.DB, u *unit, sub *condition.Subject) (out verdict, err error) {
	for _, r := range u.rules {
		v, trace, err := s.conditions.Eval(ctx, tx, sub, r.tree)
		if err != nil {
			return out, wrapRule(r, err)
		}
		if !v.FlipsAt.IsZero() && (out.flips.IsZero() || v.FlipsAt.Before(out.flips)) {
			out.flips = v.FlipsAt
		}
		if v.Holds {
			out.winner, out.saw = r, trace
			break
		}
	}
	return out, nil
}

func wrapRule(r *rule, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("tag: rule %d: %w", r.ID, err)
}

// hold is a tag that a member holds because of a rule.
type hold struct{ TagID, CauseID, GroupID int64 }

// standing is what rules have done for a member so far: what is held because of them, and the instants at which they are asked again.
type standing struct {
	held  []hold
	flips map[int64]time.Time // by the first rule of a unit
}

const standingKey = "tag standing"

// standingOf reads what rules have done for the member of the subject; all units that an event concerns share it until one of them changes a tag.
func standingOf(tx *gorm.DB, sub *condition.Subject) (*standing, error) {
	if known, ok := sub.Cache[standingKey].(*standing); ok {
		return known, nil
	}
	all, err := standingsOf(tx, []int64{sub.MemberID})
	if err != nil {
		return nil, err
	}
	sub.Cache[standingKey] = all[sub.MemberID]
	return all[sub.MemberID], nil
}

// standingsOf reads what rules have done for each of the members.
func standingsOf(tx *gorm.DB, ids []int64) (map[int64]*standing, error) {
	all := make(map[int64]*standing, len(ids))
	for _, id := range ids {
		all[id] = &standing{flips: map[int64]time.Time{}}
	}
	var held []struct{ MemberID, TagID, CauseID, GroupID int64 }
	err := tx.Table("tag_holds AS h").Joins("JOIN tags AS t ON t.id = h.tag_id").Select("h.member_id, h.tag_id, h.cause_id, t.group_id").
		Where("h.member_id IN ? AND h.cause = ?", ids, model.CauseRule).Scan(&held).Error
	if err != nil {
		return nil, fmt.Errorf("tag: standing: %w", err)
	}
	for _, h := range held {
		all[h.MemberID].held = append(all[h.MemberID].held, hold{h.TagID, h.CauseID, h.GroupID})
	}
	var flips []model.TagFlip
	if err := tx.Where("member_id IN ?", ids).Find(&flips).Error; err != nil {
		return nil, fmt.Errorf("tag: standing: %w", err)
	}
	for _, f := range flips {
		all[f.MemberID].flips[f.AutoTagID] = f.At
	}
	return all, nil
}

// of is what a unit gave: a rule its tag; a ladder all that rules set in its group, also those that are no steps any more.
func (n *standing) of(u *unit) (held []hold) {
	r := u.first()
	for _, h := range n.held {
		if r.Owner == "" && h.TagID == r.TagID && h.CauseID == r.ID || r.Owner != "" && h.GroupID == r.group {
			held = append(held, h)
		}
	}
	return held
}

// groupsOf are the groups of all tags.
func groupsOf(tx *gorm.DB) (map[int64]int64, error) {
	var tags []model.Tag
	if err := tx.Select("id", "group_id").Find(&tags).Error; err != nil {
		return nil, fmt.Errorf("tag: groups: %w", err)
	}
	groups := map[int64]int64{}
	for _, t := range tags {
		groups[t.ID] = t.GroupID
	}
	return groups, nil
}

// maxEvidence bounds what is kept of what a rule saw.
const maxEvidence = 1000

// evidence is what the leaves saw that made the rule hold: no chat text, no phone.
func evidence(t condition.Trace) model.JSON {
	type saw struct {
		Leaf string `json:"leaf"`
		Saw  any    `json:"saw,omitempty"`
	}
	list := []saw{}
	var walk func(condition.Trace)
	walk = func(t condition.Trace) {
		if t.Leaf != "" {
			list = append(list, saw{t.Leaf, t.Saw})
		}
		for _, kid := range t.Children {
			walk(kid)
		}
	}
	walk(t)
	for len(list) > 0 {
		if b := model.ToJSON(list); len(b) <= maxEvidence {
			return b
		}
		list = list[:len(list)-1]
	}
	return model.JSON("[]")
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
	for _, u := range rules.units {
		if u.onEvent() {
			continue
		}
		if err := s.apply(ctx, tx, u, &condition.Subject{MemberID: memberID, At: at, Cache: map[string]any{}}); err != nil {
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
		u := rules.of(f.AutoTagID)
		if u == nil || u.onEvent() || u.first().ID != f.AutoTagID { // disabled or made another since
			if err := s.keepFlip(tx, f.AutoTagID, f.MemberID, time.Time{}); err != nil {
				return err
			}
			continue
		}
		sub := &condition.Subject{MemberID: f.MemberID, At: now, Cache: map[string]any{}}
		if err := s.apply(ctx, tx, u, sub); err != nil {
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

	owner    string // the ladder whose step it is
	position int
}

// SavedRule is a rule as it reads back.
type SavedRule struct {
	model.AutoTag
	Sentence string `json:"sentence"`
	OnEvent  bool   `json:"on_event"`
	Seen     int64  `json:"seen"` // members of Total to whom it has been applied since it was saved; both 0: to all
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
	out, upTo := make([]SavedRule, 0, len(rows)), map[int64]int64{0: 0} // members up to an id
	seen := func(id int64) (n int64, err error) {
		n, ok := upTo[id]
		if !ok {
			err = tx.Model(&model.Member{}).Where("merged_into IS NULL AND erased_at IS NULL AND id <= ?", id).Count(&n).Error
			upTo[id] = n
		}
		return n, err
	}
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
			if r.Total, err = seen(math.MaxInt64); err == nil {
				r.Seen, err = seen(row.ReviewAfter)
			}
			if err != nil {
				return nil, fmt.Errorf("tag: rules: %w", err)
			}
		}
		out = append(out, r)
	}
	return out, nil
}
