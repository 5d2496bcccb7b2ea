package tag

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/siyu-scrm/siyu/app/condition"
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

// ruleSet holds the enabled rules as of a revision, and which of them an event concerns.
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
func (s *Service) enabled(tx *gorm.DB) (*ruleSet, error) { return s.rules.Get(tx, revision, s.load) }

func (s *Service) load(tx *gorm.DB) (*ruleSet, error) {
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

// apply evaluates a unit for members at one instant, sets or removes its tags, and keeps the instant at which time alone changes the verdict.
func (s *Service) apply(ctx context.Context, tx *gorm.DB, u *unit, subjects ...*condition.Subject) error {
	now := make([]*standing, len(subjects))
	if !u.onEvent() { // what an event gave stays
		var err error
		if now, err = standingOf(tx, subjects); err != nil {
			return err
		}
	}
	var list []edit
	var flips []model.TagFlip
	for i, sub := range subjects {
		v, err := s.ask(ctx, tx, u, sub)
		if err != nil {
			return err
		}
		var held []hold
		var until time.Time
		if now[i] != nil {
			held, until = now[i].of(u), now[i].flips[u.first().ID]
		}
		n := len(list)
		if v.winner != nil && !slices.ContainsFunc(held, v.gave) {
			list = append(list, edit{sub.MemberID, v.winner.TagID, true, v.winner.cause(sub, &v.saw)})
		}
		for _, h := range held {
			if v.gave(h) {
				continue
			}
			c := Cause{Kind: model.CauseRule, ID: h.CauseID}
			if i := slices.IndexFunc(u.rules, func(r *rule) bool { return r.ID == h.CauseID }); i >= 0 {
				c = u.rules[i].cause(sub, nil)
			}
			list = append(list, edit{sub.MemberID, h.TagID, false, c}) // gone already where the winner replaced it
		}
		if len(list) > n {
			delete(sub.Cache, standingKey)
		}
		// asked again at the sooner instant is soon enough
		if now[i] != nil && !v.flips.Equal(until) && (!until.After(sub.At) || !v.flips.After(until)) {
			now[i].flips[u.first().ID] = v.flips
			flips = append(flips, model.TagFlip{AutoTagID: u.first().ID, MemberID: sub.MemberID, At: v.flips})
		}
	}
	if _, err := s.editTx(ctx, tx, list, subjects[0].At); err != nil {
		return err
	}
	return keepFlips(tx, flips)
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

// standingOf reads what rules have done for the members of the subjects; all units that an event concerns share it until one of them changes a tag.
func standingOf(tx *gorm.DB, subjects []*condition.Subject) ([]*standing, error) {
	out := make([]*standing, len(subjects))
	var unknown []int64
	for i, sub := range subjects {
		known, ok := sub.Cache[standingKey].(*standing)
		if out[i] = known; !ok {
			unknown = append(unknown, sub.MemberID)
		}
	}
	if len(unknown) == 0 {
		return out, nil
	}
	all, err := standingsOf(tx, unknown)
	if err != nil {
		return nil, err
	}
	for i, sub := range subjects {
		if out[i] == nil {
			out[i] = all[sub.MemberID]
			sub.Cache[standingKey] = out[i]
		}
	}
	return out, nil
}

// standingsOf reads what rules have done for each of the members.
func standingsOf(tx *gorm.DB, ids []int64) (map[int64]*standing, error) {
	all := make(map[int64]*standing, len(ids))
	for _, id := range ids {
		all[id] = &standing{flips: map[int64]time.Time{}}
	}
	var held []struct{ MemberID, TagID, CauseID, GroupID int64 }
	// A left join begins with the members: MariaDB else begins with all tags, each for all members.
	err := tx.Table("tag_holds AS h").Joins("LEFT JOIN tags AS t ON t.id = h.tag_id").Select("h.member_id, h.tag_id, h.cause_id, t.group_id").
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

// keepFlips stores the instants of one unit; no instant is none.
func keepFlips(tx *gorm.DB, flips []model.TagFlip) error {
	var none []int64
	var rows []model.TagFlip
	for _, f := range flips {
		if f.At.IsZero() {
			none = append(none, f.MemberID)
		} else {
			rows = append(rows, f)
		}
	}
	if len(none) > 0 {
		if err := tx.Where("auto_tag_id = ? AND member_id IN ?", flips[0].AutoTagID, none).Delete(&model.TagFlip{}).Error; err != nil {
			return fmt.Errorf("tag: flips: %w", err)
		}
	}
	if len(rows) > 0 {
		if err := tx.Clauses(clause.OnConflict{UpdateAll: true}).CreateInBatches(rows, editRows).Error; err != nil {
			return fmt.Errorf("tag: flips: %w", err)
		}
	}
	return nil
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
	of := map[int64][]int64{}
	for _, f := range due {
		of[f.AutoTagID] = append(of[f.AutoTagID], f.MemberID)
	}
	for _, rule := range slices.Sorted(maps.Keys(of)) {
		var still []int64 // under the lock: another process may have been here, or the member was merged
		err := tx.Model(&model.TagFlip{}).Where("auto_tag_id = ? AND member_id IN ? AND at <= ?", rule, of[rule], now).Order("member_id").Pluck("member_id", &still).Error
		if err != nil {
			return fmt.Errorf("tag: flip: %w", err)
		}
		if len(still) == 0 {
			continue
		}
		u := rules.of(rule)
		if u == nil || u.onEvent() || u.first().ID != rule { // disabled or made another since
			if err := tx.Where("auto_tag_id = ? AND member_id IN ?", rule, still).Delete(&model.TagFlip{}).Error; err != nil {
				return fmt.Errorf("tag: flip: %w", err)
			}
			continue
		}
		if err := s.applyWarm(ctx, tx, u, still, now); err != nil {
			return err
		}
	}
	return nil
}
