package reward

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/ledger"
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
	return slices.ContainsFunc(m.v.def.Caps, func(c Cap) bool { return c.Period != Day })
}

// Follow is the event follower: it decides what every rule gives for the event and writes it.
// Value goes to registered members only; what a follower does before he registers earns nothing, and who registers again after his erasure
// gets nothing for it (PLAYBOOKS H21).
func (s *Service) Follow(ctx context.Context, tx *gorm.DB, ev *model.Event) ([]event.Grant, error) {
	if again, err := registersAgain(ev); err != nil || again {
		return nil, err
	}
	rules, err := s.inForce(tx)
	if err != nil {
		return nil, err
	}
	hits, err := s.match(ctx, tx, rules, ev)
	if err != nil || len(hits) == 0 {
		return nil, err
	}
	if joined, err := joined(tx, ev); err != nil || !joined {
		return nil, err
	}
	used, err := usedBy(tx, ev.MemberID, hits)
	if err != nil {
		return nil, err
	}
	var grants []event.Grant
	var postings []ledger.Posting
	var posted []int // index in grants of each posting
	for _, h := range hits {
		out := decide(h.rule.id, &h.v.def, ev, used, s.zone)
		for _, l := range out.lines {
			g := event.Grant{Account: l.spec.Account, Amount: l.amount, RuleID: h.rule.id, Rule: h.rule.name, Bonus: l.spec.Kind == Streak, Note: l.note}
			if l.spec.Kind == Tag {
				if g.Tag, err = s.giveTag(ctx, tx, ev, h.rule, l.spec.TagID); err != nil {
					return nil, err
				}
				if g.Tag == "" {
					continue
				}
			} else if l.amount > 0 {
				postings = append(postings, posting(ev, h, l))
				posted = append(posted, len(grants))
			}
			grants = append(grants, g)
		}
		if err := s.store(tx, ev.MemberID, used, out.uses); err != nil {
			return nil, err
		}
	}
	entries, err := s.book.PostAllTx(ctx, tx, postings)
	if err != nil {
		return nil, err
	}
	for i := range entries {
		grants[posted[i]].Balance = entries[i].Balance
	}
	return grants, nil
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

func (s *Service) match(ctx context.Context, tx *gorm.DB, rules []*rule, ev *model.Event) ([]matched, error) {
	var hits []matched
	subject := &condition.Subject{MemberID: ev.MemberID, At: ev.OccurredAt, Event: ev, Cache: map[string]any{}}
	for _, r := range rules {
		v := r.at(ev.OccurredAt)
		if v == nil || !v.Enabled || v.Trigger != ev.Kind {
			continue
		}
		verdict, _, err := s.conditions.Eval(ctx, tx, subject, v.def.Condition)
		if err != nil {
			return nil, fmt.Errorf("reward: rule %d: %w", r.id, err)
		}
		if verdict.Holds {
			hits = append(hits, matched{r, v})
		}
	}
	return hits, nil
}

func posting(ev *model.Event, h matched, l line) ledger.Posting {
	return ledger.Posting{
		MemberID: ev.MemberID, Account: l.spec.Account, Amount: l.amount, Kind: model.EntryEarn, Reason: "rule." + ev.Kind, Note: l.note,
		RuleID: h.rule.id, RuleVersion: h.v.Version, Bonus: l.spec.Kind == Streak, EventID: ev.ID, OccurredAt: ev.OccurredAt,
		Key: fmt.Sprintf("event:%d:rule:%d:%d", ev.ID, h.rule.id, l.index),
	}
}

func (s *Service) giveTag(ctx context.Context, tx *gorm.DB, ev *model.Event, r *rule, tagID int64) (string, error) {
	set, err := s.tags.SetTx(ctx, tx, ev.MemberID, tagID, tag.Cause{Kind: model.CauseReward, ID: r.id, EventID: ev.ID, Reason: r.name}, ev.OccurredAt)
	if err != nil || !set {
		return "", err
	}
	return tag.Name(tx, tagID)
}

// usedBy reads the counters of the capped rules among hits. The member's lock is held, so nobody else changes them.
func usedBy(tx *gorm.DB, memberID int64, hits []matched) (map[use]int64, error) {
	used := map[use]int64{}
	var ids []int64
	for _, h := range hits {
		if len(h.v.def.Caps) > 0 {
			ids = append(ids, h.rule.id)
		}
	}
	if len(ids) == 0 {
		return used, nil
	}
	var rows []model.RuleUse
	if err := tx.Where("rule_id IN ? AND member_id = ?", ids, memberID).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("reward: caps: %w", err)
	}
	for _, r := range rows {
		used[use{r.RuleID, r.Period, r.Account}] = r.Used
	}
	return used, nil
}

// store adds to the counters and remembers them in used, for the rules that follow.
func (s *Service) store(tx *gorm.DB, memberID int64, used, uses map[use]int64) error {
	for k, n := range uses {
		if n == 0 {
			continue
		}
		if _, ok := used[k]; !ok {
			row := model.RuleUse{RuleID: k.rule, MemberID: memberID, Period: k.period, Account: k.account, Used: n}
			if dup, err := db.Insert(tx, &row); err != nil || dup {
				return fmt.Errorf("reward: count cap of rule %d (duplicate: %t): %w", k.rule, dup, err)
			}
			used[k] = n
			continue
		}
		err := tx.Model(&model.RuleUse{}).Where("rule_id = ? AND member_id = ? AND period = ? AND account = ?", k.rule, memberID, k.period, k.account).
			Update("used", gorm.Expr("used + ?", n)).Error
		if err != nil {
			return fmt.Errorf("reward: count cap: %w", err)
		}
		used[k] += n
	}
	return nil
}

// ForecastTx says what the rules would give for an event that has not happened, and the next step in points that
// the streak in it has yet to reach. It writes nothing.
func (s *Service) ForecastTx(ctx context.Context, tx *gorm.DB, ev *model.Event) ([]event.Grant, *Step, error) {
	rules, err := s.inForce(tx)
	if err != nil {
		return nil, nil, err
	}
	hits, err := s.match(ctx, tx, rules, ev)
	if err != nil || len(hits) == 0 {
		return nil, nil, err
	}
	used := map[use]int64{} // of a day to come nothing is used yet
	if slices.ContainsFunc(hits, matched.beyondDay) {
		if used, err = usedBy(tx, ev.MemberID, hits); err != nil {
			return nil, nil, err
		}
	}
	var grants []event.Grant
	var next *Step
	for _, h := range hits {
		for _, l := range decide(h.rule.id, &h.v.def, ev, used, s.zone).lines {
			if l.spec.Kind != Tag {
				grants = append(grants, event.Grant{Account: l.spec.Account, Amount: l.amount, RuleID: h.rule.id, Rule: h.rule.name, Bonus: l.spec.Kind == Streak, Note: l.note})
			}
		}
		for _, g := range h.v.def.Grants {
			if step := nextStep(g, number(ev, "streak")); step != nil && (next == nil || step.Days < next.Days) {
				next = step
			}
		}
	}
	return grants, next, nil
}
