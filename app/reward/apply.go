package reward

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/coupon"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/tag"
	"github.com/siyu-scrm/siyu/model"
)

// matched is a version of a rule whose condition holds for the event.
type matched struct {
	rule *rule
	v    *version
}

// beyondDay reports whether a cap counts over more than a day.
func (m matched) beyondDay() bool {
	return len(m.v.def.CapSets) > 0 || m.v.def.Budget != nil || slices.ContainsFunc(m.v.def.Caps, func(c Cap) bool { return c.Period != Day })
}

// Follow is the event follower: it decides what every rule gives for the event and writes it.
// Value goes to registered members only; what a follower does before he registers earns nothing, and who registers again after his erasure
// gets nothing for it (PLAYBOOKS H21).
func (s *Service) Follow(ctx context.Context, tx *gorm.DB, ev *model.Event) ([]event.Grant, error) {
	if again, err := registersAgain(ev); err != nil || again {
		return nil, err
	}
	p, err := s.inForce(tx)
	if err != nil {
		return nil, err
	}
	hits, err := s.match(ctx, tx, p, ev)
	if err != nil || len(hits) == 0 {
		return nil, err
	}
	if joined, err := joined(tx, ev); err != nil || !joined {
		return nil, err
	}
	return s.grantTx(ctx, tx, p, ev, hits, "")
}

// grantTx decides what the hits give for the event and writes it. The keys of the lines end in suffix.
func (s *Service) grantTx(ctx context.Context, tx *gorm.DB, p *programme, ev *model.Event, hits []matched, suffix string) ([]event.Grant, error) {
	if err := s.lockBudgets(tx, ev, hits); err != nil {
		return nil, err
	}
	sit, err := s.situation(tx, p, ev, hits)
	if err != nil {
		return nil, err
	}
	var w written
	outs := decide(sit)
	for _, o := range outs {
		for i := range o.lines {
			if err := s.write(ctx, tx, &w, ev, o.hit, &o.lines[i], suffix); err != nil {
				return nil, err
			}
		}
		if err := s.store(tx, ev, o.hit, sit.used, o.uses); err != nil {
			return nil, err
		}
	}
	if err := s.celebrate(tx, sit, outs); err != nil {
		return nil, err
	}
	if len(w.rows) > 0 {
		if err := tx.Create(w.rows).Error; err != nil {
			return nil, fmt.Errorf("reward: what an order earned: %w", err)
		}
	}
	return w.post(ctx, tx, s.book)
}

// celebrate notes that a rule granted because of the member's birthday: a birthday leaf stands in its condition, or in that of a multiplier.
func (s *Service) celebrate(tx *gorm.DB, sit *situation, outs []outcome) error {
	use := func(v *version) error {
		for _, raw := range v.def.Condition.ArgsOf("birthday") {
			if err := member.UseBirthdayTx(tx, s.zone, sit.ev.MemberID, sit.ev.OccurredAt, raw); err != nil {
				return err
			}
		}
		return nil
	}
	for _, o := range outs {
		for i := range o.lines {
			l := &o.lines[i]
			if l.base+l.bonus > 0 || l.spec.thing() {
				if err := use(o.hit.v); err != nil {
					return err
				}
			}
			for _, f := range l.boost.factors {
				at := slices.IndexFunc(sit.hits, func(h matched) bool { return h.rule.id == f.RuleID })
				if l.bonus == 0 || f.Not != "" || at < 0 {
					continue
				}
				if err := use(sit.hits[at].v); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// situation reads what decide needs.
func (s *Service) situation(tx *gorm.DB, p *programme, ev *model.Event, hits []matched) (*situation, error) {
	sit := s.unused(p, ev, hits)
	var err error
	sit.used, err = usedBy(tx, sit)
	return sit, err
}

// unused is the situation in which no cap has counted anything.
func (s *Service) unused(p *programme, ev *model.Event, hits []matched) *situation {
	return &situation{ev: ev, data: condition.DataFields(ev.Data), hits: hits, sets: p.sets, setting: p.combineAt(ev.OccurredAt), zone: s.zone}
}

// written is what an event earned, on its way into the books.
type written struct {
	grants   []event.Grant
	postings []ledger.Posting
	posted   []int // index in grants of each posting
	rows     []model.RuleGrant
}

func (w *written) add(g event.Grant, p ledger.Posting) {
	if g.Amount > 0 {
		w.postings, w.posted = append(w.postings, p), append(w.posted, len(w.grants))
	}
	w.grants = append(w.grants, g)
}

func (w *written) post(ctx context.Context, tx *gorm.DB, book *ledger.Book) ([]event.Grant, error) {
	entries, err := book.PostAllTx(ctx, tx, w.postings)
	if err != nil {
		return nil, err
	}
	for i := range entries {
		w.grants[w.posted[i]].Balance = entries[i].Balance
	}
	return w.grants, nil
}

// write adds a line: its base and, where something multiplied it, its bonus.
func (s *Service) write(ctx context.Context, tx *gorm.DB, w *written, ev *model.Event, h matched, l *line, suffix string) error {
	if l.spec.Kind == Tag {
		name, err := s.giveTag(ctx, tx, ev, h.rule, l.spec.TagID)
		if name != "" {
			w.add(event.Grant{Tag: name, RuleID: h.rule.id, Rule: h.rule.name}, ledger.Posting{})
		}
		return err
	}
	if l.spec.Kind == Coupon {
		return s.giveCoupons(ctx, tx, w, ev, h.rule, l.spec, suffix)
	}
	if ev.Order() {
		w.rows = append(w.rows, kept(ev, h, l))
	}
	for _, g := range l.grants(h) {
		w.add(g, posting(ev, h, l, g, suffix))
	}
	return nil
}

// grants are the lines as whoever recorded the event sees them.
func (l *line) grants(h matched) (out []event.Grant) {
	for _, part := range []struct {
		amount, want int64
		bonus        bool
	}{{l.base, l.wantBase, l.spec.Kind == Streak}, {l.bonus, l.wantBonus, true}} {
		if part.want == 0 {
			continue
		}
		g := event.Grant{Account: l.spec.Account, Amount: part.amount, RuleID: h.rule.id, Rule: h.rule.name, Bonus: part.bonus}
		if part.amount < part.want {
			g.Note = l.note
		}
		out = append(out, g)
	}
	return out
}

// kept is what a refund of the order needs to know of the line.
func kept(ev *model.Event, h matched, l *line) model.RuleGrant {
	return model.RuleGrant{
		EventID: ev.ID, RuleID: h.rule.id, GrantIndex: l.index, RuleVersion: h.v.Version, Account: l.spec.Account, Multiplier: l.boost.text(),
		Factors: model.ToJSON(l.boost.factors), Room: l.room, Granted: l.base + l.bonus, Peak: l.base + l.bonus, Base: l.base, Bonus: l.bonus,
	}
}

// lineKey is the key of a line of the ledger.
func lineKey(event, rule int64, index int, multiplied bool) string {
	key := fmt.Sprintf("event:%d:rule:%d:%d", event, rule, index)
	if multiplied {
		key += ":bonus"
	}
	return key
}

func posting(ev *model.Event, h matched, l *line, g event.Grant, suffix string) ledger.Posting {
	return ledger.Posting{
		MemberID: ev.MemberID, Account: l.spec.Account, Amount: g.Amount, Kind: model.EntryEarn, Reason: "rule." + ev.Kind, Note: g.Note,
		RuleID: h.rule.id, RuleVersion: h.v.Version, Bonus: g.Bonus, EventID: ev.ID, OccurredAt: ev.OccurredAt,
		ActivatesAt: l.spec.activates(ev.OccurredAt), Key: lineKey(ev.ID, h.rule.id, l.index, g.Bonus && l.spec.Kind != Streak) + suffix,
	}
}

// activates is when what is earned at t becomes usable; nil = at once.
func (s *Spec) activates(t time.Time) *time.Time {
	if s.DelayDays == 0 {
		return nil
	}
	at := t.Add(time.Duration(s.DelayDays) * 24 * time.Hour)
	return &at
}

// registersAgain reports the registration of one who was a member before his erasure.
func registersAgain(ev *model.Event) (bool, error) {
	if ev.Kind != model.EventRegistered {
		return false, nil
	}
	data := struct {
		Newcomer bool `json:"newcomer"`
	}{true}
	err := ev.Data.Into(&data)
	return !data.Newcomer, err
}

// joined reports whether the member had registered by the time of the event.
func joined(tx *gorm.DB, ev *model.Event) (bool, error) {
	if ev.Joined {
		return true, nil
	}
	var m model.Member
	err := tx.Select("joined_at").Take(&m, ev.MemberID).Error
	return m.JoinedAt != nil && !ev.OccurredAt.Before(m.JoinedAt.Truncate(time.Second)), err // WeChat's times have whole seconds
}

// match finds the rules that the event concerns and whose condition holds, the highest priority first, then the lowest id.
func (s *Service) match(ctx context.Context, tx *gorm.DB, p *programme, ev *model.Event) ([]matched, error) {
	var hits []matched
	subject := &condition.Subject{MemberID: ev.MemberID, At: ev.OccurredAt, Event: ev, Cache: map[string]any{}}
	for h := range p.concerned(ev) {
		verdict, _, err := s.conditions.Eval(ctx, tx, subject, h.v.def.Condition)
		if err != nil {
			return nil, fmt.Errorf("reward: rule %d: %w", h.rule.id, err)
		}
		if verdict.Holds {
			hits = append(hits, h)
		}
	}
	slices.SortFunc(hits, byPriority)
	return hits, nil
}

func byPriority(a, b matched) int {
	return cmp.Or(cmp.Compare(b.v.def.Priority, a.v.def.Priority), cmp.Compare(a.rule.id, b.rule.id))
}

// giveCoupons gives the coupons of a grant. What cannot be given – the stock is gone, the member has had enough – is shown with the reason, and
// stops nothing. suffix is of an event that is asked again: it gave them the first time.
func (s *Service) giveCoupons(ctx context.Context, tx *gorm.DB, w *written, ev *model.Event, r *rule, spec *Spec, suffix string) error {
	if suffix != "" {
		return nil
	}
	c, err := coupon.Get(tx, spec.CouponID)
	if err != nil {
		return err
	}
	g := event.Grant{Coupon: c.Name, RuleID: r.id, Rule: r.name}
	for range max(spec.Count, 1) {
		_, err := s.coupons.IssueTx(ctx, tx, ev.MemberID, c.ID, coupon.Cause{Source: model.CouponByRule, ID: r.id, EventID: ev.ID}, s.clock.Now())
		if code := errs.CodeOf(err); code != "" {
			g.Note = string(code)
			break
		}
		if err != nil {
			return err
		}
		g.Amount++
	}
	w.grants = append(w.grants, g) // an amount of coupons, which is no line of the ledger
	return nil
}

func (s *Service) giveTag(ctx context.Context, tx *gorm.DB, ev *model.Event, r *rule, tagID int64) (string, error) {
	set, err := s.tags.SetTx(ctx, tx, ev.MemberID, tagID, tag.Cause{Kind: model.CauseReward, ID: r.id, EventID: ev.ID, Reason: r.name}, ev.OccurredAt)
	if err != nil || !set {
		return "", err
	}
	return tag.Name(tx, tagID)
}

// ForecastTx says what the rules would give for an event that has not happened, and the next step in points that
// the streak in it has yet to reach. It writes nothing.
func (s *Service) ForecastTx(ctx context.Context, tx *gorm.DB, ev *model.Event) ([]event.Grant, *Step, error) {
	p, err := s.inForce(tx)
	if err != nil {
		return nil, nil, err
	}
	hits, err := s.match(ctx, tx, p, ev)
	if err != nil || len(hits) == 0 {
		return nil, nil, err
	}
	sit := s.unused(p, ev, hits) // of a day to come nothing is used yet
	if slices.ContainsFunc(hits, matched.beyondDay) {
		if sit, err = s.situation(tx, p, ev, hits); err != nil {
			return nil, nil, err
		}
	}
	var grants []event.Grant
	var next *Step
	for _, o := range decide(sit) {
		for i := range o.lines {
			grants = append(grants, o.lines[i].grants(o.hit)...)
		}
		for _, g := range o.hit.v.def.Grants {
			if step := nextStep(g, number(sit.data, "streak")); step != nil && (next == nil || step.Days < next.Days) {
				next = step
			}
		}
	}
	return grants, next, nil
}
