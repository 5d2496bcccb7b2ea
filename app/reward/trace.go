package reward

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/coupon"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/tag"
	"github.com/siyu-scrm/siyu/model"
)

// Traced is what the rules say of an event, and why.
type Traced struct {
	Event  model.Event
	Joined bool // a member at the time: nobody else earns
	Rules  []TracedRule
	Lines  []model.Entry // that were written, and what was taken back of them; of an event that happened
}

// TracedRule is what one rule says of an event.
type TracedRule struct {
	RuleID     int64
	Rule       string // its name
	Version    int
	Not        string // why it does not apply; "" = it does
	Multiplier bool
	Condition  condition.Trace
	Lines      []TracedLine
	Caps       []TracedCap
}

// Why a rule does not apply to an event.
const (
	NotThere     = "not_yet"    // it did not exist
	NotEnabled   = "disabled"   // it was switched off
	NotTrigger   = "trigger"    // it is about other events
	NotInWindow  = "window"     // outside from and until
	NotHolding   = "condition"  // its condition does not hold
	NotExclusive = "exclusive"  // another of its group applies
	NotMember    = "not_member" // he was no member
)

// TracedLine is one grant as it was decided.
type TracedLine struct {
	Account     string
	TagID       int64
	CouponID    int64
	Count       int64  // of coupons, as long as the stock and the member's own limit last; of an event that happened, those really given
	Name        string // of the tag or the coupon
	Base, Bonus int64  // after the caps
	Want        int64  // before them
	Multiplier  string
	Capped      bool // the multiplier, by the programme's bound
	Factors     []Factor
	Note        string
	ActivatesAt *time.Time
}

// TracedCap is a cap with what it leaves before the event; of one that happened, what it leaves now.
type TracedCap struct {
	Scope, Period, Account string
	Limit, Used            int64
}

// Left is the room.
func (c TracedCap) Left() int64 { return max(0, c.Limit-c.Used) }

// Trial is an event that has not happened, with a rule that was not saved.
type Trial struct {
	MemberID int64
	Kind     string
	Data     model.JSON
	At       time.Time // zero = now
	Draft    *Input    // nil: the rules as they are; with an ID it stands for that rule
}

// Try says what the rules would give if the event happened: it calls the same decide as the live run, and writes nothing.
func (s *Service) Try(ctx context.Context, t Trial) (*Traced, error) {
	if t.At.IsZero() {
		t.At = s.clock.Now()
	}
	if !event.Known(t.Kind) {
		return nil, errs.Field("kind", "event.unknown_kind", "kind", t.Kind)
	}
	if t.Data == nil {
		t.Data = model.JSON("{}")
	}
	tx := s.db.Reader(ctx)
	m, err := member.Get(tx, t.MemberID)
	if err != nil {
		return nil, err
	}
	p, err := s.inForce(tx)
	if err != nil {
		return nil, err
	}
	if t.Draft != nil {
		if p, err = s.drafted(ctx, tx, p, t.Draft); err != nil {
			return nil, err
		}
	}
	return s.trace(ctx, tx, p, &model.Event{MemberID: m.ID, Kind: t.Kind, OccurredAt: t.At, Data: t.Data}, 0)
}

// drafted is the programme as if the draft had always been in force.
func (s *Service) drafted(ctx context.Context, tx *gorm.DB, p *programme, in *Input) (*programme, error) {
	if err := s.checkInput(in); err != nil {
		return nil, err
	}
	if err := s.checkTx(ctx, tx, &in.Definition); err != nil {
		return nil, err
	}
	id := in.ID
	if id == 0 {
		id = math.MaxInt64 // it would be the last
	}
	r := &rule{id: id, code: in.Code, name: in.Name}
	v := model.PointRuleVersion{RuleID: id, Enabled: in.Enabled, Trigger: in.Trigger}
	for _, old := range p.rules {
		if old.id == id {
			r.code, v.Version = old.code, old.versions[0].Version
		}
	}
	v.Version++
	r.versions = []version{{v, in.Definition}}
	q := *p
	q.rules = append(slices.DeleteFunc(slices.Clone(p.rules), func(r *rule) bool { return r.id == id }), r)
	q.index()
	return &q, nil
}

// Explain says why an event earned what it did: each leaf of the conditions with the value that it sees, the caps, the multipliers taken and
// not taken, and the lines, coupons and tags that were written. ruleID 0 is every rule that its kind concerns.
func (s *Service) Explain(ctx context.Context, eventID, ruleID int64) (*Traced, error) {
	tx := s.db.Reader(ctx)
	var ev model.Event
	if err := tx.Take(&ev, eventID).Error; errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, errs.New(errs.NotFound, "event.not_found")
	} else if err != nil {
		return nil, fmt.Errorf("reward: explain: %w", err)
	}
	p, err := s.inForce(tx)
	if err != nil {
		return nil, err
	}
	if ruleID != 0 && !slices.ContainsFunc(p.rules, func(r *rule) bool { return r.id == ruleID }) {
		return nil, errs.New(errs.NotFound, "reward.not_found")
	}
	t, err := s.trace(ctx, tx, p, &ev, ruleID)
	if err != nil {
		return nil, err
	}
	earned := tx.Model(&model.Entry{}).Select("id").Where("event_id = ? AND kind = ?", eventID, model.EntryEarn)
	q := tx.Where("event_id = ? OR reverses_id IN (?)", eventID, earned)
	if ruleID != 0 {
		q = q.Where("rule_id = ?", ruleID)
	}
	if err := q.Order("id").Find(&t.Lines).Error; err != nil {
		return nil, fmt.Errorf("reward: explain: %w", err)
	}
	return t, nil
}

// trace asks every rule of the programme, or one, about an event.
func (s *Service) trace(ctx context.Context, tx *gorm.DB, p *programme, ev *model.Event, only int64) (*Traced, error) {
	t := &Traced{Event: *ev}
	var err error
	if t.Joined, err = joined(tx, ev); err != nil {
		return nil, err
	}
	if again, err := registersAgain(ev); err != nil || again {
		t.Joined = false
	}
	subject := &condition.Subject{MemberID: ev.MemberID, At: ev.OccurredAt, Event: ev, Cache: map[string]any{}}
	var hits []matched
	for _, r := range p.rules {
		x := TracedRule{RuleID: r.id, Rule: r.name}
		v := r.at(ev.OccurredAt)
		if x.Not = outside(v, ev); v != nil {
			x.Version, x.Multiplier = v.Version, v.def.multiplier() != nil
		}
		if x.Not == "" {
			verdict, trace, err := s.conditions.Explain(ctx, tx, subject, v.def.Condition)
			if err != nil {
				return nil, fmt.Errorf("reward: rule %d: %w", r.id, err)
			}
			x.Condition = trace
			switch {
			case !verdict.Holds:
				x.Not = NotHolding
			case !t.Joined:
				x.Not = NotMember
			default:
				hits = append(hits, matched{r, v})
			}
		}
		if only == r.id || only == 0 && (v == nil || x.Not != NotTrigger) && x.Not != NotThere {
			t.Rules = append(t.Rules, x)
		}
	}
	slices.SortFunc(hits, byPriority)
	sit, err := s.situation(tx, p, ev, hits)
	if err != nil {
		return nil, err
	}
	outs := decide(sit)
	if err := newTags(tx, ev.MemberID, outs); err != nil {
		return nil, err
	}
	gave, err := things(tx, ev)
	if err != nil {
		return nil, err
	}
	for i := range t.Rules {
		if t.Rules[i].fill(sit, outs); ev.ID != 0 {
			t.Rules[i].happened(gave)
		}
		if err := nameThings(tx, t.Rules[i].Lines); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// nameThings names the tags and coupons.
func nameThings(tx *gorm.DB, lines []TracedLine) (err error) {
	for i := range lines {
		switch l := &lines[i]; {
		case l.TagID != 0:
			l.Name, err = tag.Name(tx, l.TagID)
		case l.CouponID != 0:
			var c *coupon.Definition
			if c, err = coupon.Get(tx, l.CouponID); err == nil {
				l.Name = c.Name
			}
		}
		if err != nil {
			return fmt.Errorf("reward: trace: %w", err)
		}
	}
	return nil
}

// outside says why the version does not concern the event; "" = it does.
func outside(v *version, ev *model.Event) string {
	switch {
	case v == nil:
		return NotThere
	case v.Trigger != ev.Kind && v.Trigger != AnyEvent && (v.Trigger != AnyOrder || !ev.Order()):
		return NotTrigger
	case !v.Enabled:
		return NotEnabled
	case !inWindow(&v.def, ev.OccurredAt):
		return NotInWindow
	}
	return ""
}

// fill adds what was decided.
func (x *TracedRule) fill(sit *situation, outs []outcome) {
	if slices.ContainsFunc(sit.beaten, func(h matched) bool { return h.rule.id == x.RuleID }) {
		x.Not = NotExclusive
	}
	for _, o := range outs {
		if o.hit.rule.id != x.RuleID {
			continue
		}
		for i := range o.lines {
			l := &o.lines[i]
			count := int64(0)
			if l.spec.Kind == Coupon {
				count = max(l.spec.Count, 1)
			}
			x.Lines = append(x.Lines, TracedLine{
				Account: l.spec.Account, TagID: l.spec.TagID, CouponID: l.spec.CouponID, Count: count, Base: l.base, Bonus: l.bonus, Want: l.want(), Multiplier: l.boost.text(), Capped: l.boost.capped,
				Factors: l.boost.factors, Note: l.note, ActivatesAt: l.spec.activates(sit.ev.OccurredAt),
			})
		}
		for _, c := range sit.limits(o.hit) {
			x.Caps = append(x.Caps, TracedCap{string(c.key.of), c.key.period, c.key.account, c.most, sit.used[c.key]})
		}
	}
}

// gift is a coupon or a tag that a rule gave.
type gift struct {
	RuleID, CouponID, TagID, Count int64
}

// things are the coupons and tags that the rules really gave for the event; none of one that has not happened.
func things(tx *gorm.DB, ev *model.Event) (out []gift, err error) {
	if ev.ID == 0 {
		return nil, nil
	}
	err = tx.Model(&model.MemberCoupon{}).Select("source_id AS rule_id, coupon_id, COUNT(*) AS count").
		Where("member_id = ? AND event_id = ? AND source = ?", ev.MemberID, ev.ID, model.CouponByRule).
		Group("source_id, coupon_id").Order("MIN(id)").Scan(&out).Error
	if err != nil {
		return nil, fmt.Errorf("reward: trace: %w", err)
	}
	var tags []gift
	err = tx.Model(&model.TagChange{}).Select("cause_id AS rule_id, tag_id").
		Where("member_id = ? AND event_id = ? AND cause = ? AND is_set", ev.MemberID, ev.ID, model.CauseReward).Order("id").Scan(&tags).Error
	if err != nil {
		return nil, fmt.Errorf("reward: trace: %w", err)
	}
	return append(out, tags...), nil
}

// happened puts the coupons and tags that the rule really gave in the place of those that it would give now; a coupon of which none was
// given stays, with a count of 0.
func (x *TracedRule) happened(gave []gift) {
	gave = slices.DeleteFunc(slices.Clone(gave), func(g gift) bool { return g.RuleID != x.RuleID })
	x.Lines = slices.DeleteFunc(x.Lines, func(l TracedLine) bool {
		return l.TagID != 0 || l.CouponID != 0 && slices.ContainsFunc(gave, func(g gift) bool { return g.CouponID == l.CouponID })
	})
	for i := range x.Lines {
		x.Lines[i].Count = 0
	}
	for _, g := range gave {
		x.Lines = append(x.Lines, TracedLine{CouponID: g.CouponID, TagID: g.TagID, Count: g.Count, Multiplier: "1"})
	}
}

// newTags leaves the tags that the live run would give: those that the member has not, each once.
func newTags(tx *gorm.DB, memberID int64, outs []outcome) error {
	var held []int64
	for i := range outs {
		for _, l := range outs[i].lines {
			if l.spec.Kind == Tag {
				held = append(held, l.spec.TagID)
			}
		}
	}
	if len(held) == 0 {
		return nil
	}
	if err := tx.Model(&model.TagHold{}).Where("tag_id IN ? AND member_id = ?", held, memberID).Pluck("tag_id", &held).Error; err != nil {
		return fmt.Errorf("reward: trace: %w", err)
	}
	for i := range outs {
		outs[i].lines = slices.DeleteFunc(outs[i].lines, func(l line) bool {
			if l.spec.Kind != Tag {
				return false
			}
			known := slices.Contains(held, l.spec.TagID)
			held = append(held, l.spec.TagID)
			return known
		})
	}
	return nil
}
