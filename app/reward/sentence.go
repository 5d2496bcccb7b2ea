package reward

import (
	"context"
	"fmt"
	"strings"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/coupon"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/app/tag"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

// sentence says a rule as an operator reads it.
func (s *Service) sentence(ctx context.Context, tx *gorm.DB, lang, trigger string, d *Definition) (string, error) {
	var names []model.Account
	if err := tx.Find(&names).Error; err != nil {
		return "", err
	}
	own := map[string]string{}
	for _, a := range names {
		own[a.Code] = a.Name
	}
	account := func(code string) string { return ledger.NameOf(lang, code, own[code]) }
	var parts []string
	for _, g := range d.Grants {
		switch g.Kind {
		case Tag:
			name, err := tag.Name(tx, g.TagID)
			if err != nil {
				return "", err
			}
			parts = append(parts, templates.T(lang, "rule.grant.tag", map[string]any{"tag": name}))
		case Coupon:
			c, err := coupon.Get(tx, g.CouponID)
			if err != nil {
				return "", err
			}
			parts = append(parts, templates.T(lang, "rule.grant.coupon", map[string]any{"coupon": c.Name, "n": max(g.Count, 1)}))
		case Streak:
			for _, step := range g.Table {
				parts = append(parts, templates.T(lang, "rule.grant.streak", map[string]any{"days": step.Days, "account": account(g.Account), "amount": step.Amount}))
			}
			if g.Cycle > 0 {
				parts = append(parts, templates.T(lang, "rule.grant.cycle", map[string]any{"days": g.Cycle}))
			}
		case ByBracket:
			for _, b := range g.Brackets {
				from := map[string]any{"from": b.From, "field": g.counts(), "account": account(g.Account), "amount": b.Amount}
				key := "rule.grant.bracket"
				if g.counts() == model.OrderAmount {
					key, from["from"] = "rule.grant.bracket_yuan", fen(b.From)
				}
				parts = append(parts, templates.T(lang, key, from))
			}
		case Multiply:
			rules, err := ruleNames(tx, g.Rules)
			if err != nil {
				return "", err
			}
			key := "rule.grant.multiply"
			if len(rules) > 0 {
				key += "_rules"
			}
			list := strings.Join(rules, templates.T(lang, "rule.and", nil))
			parts = append(parts, templates.T(lang, key, map[string]any{"account": account(g.Account), "factor": g.Factor.String(), "rules": list}))
		default:
			parts = append(parts, templates.T(lang, "rule.grant."+string(g.Kind), map[string]any{
				"account": account(g.Account), "amount": g.Amount, "field": g.Field, "per": max(g.Per, 1),
			}))
		}
		if g.DelayDays > 0 {
			parts[len(parts)-1] += templates.T(lang, "rule.paren", map[string]any{"text": templates.T(lang, "rule.delay", map[string]any{"days": g.DelayDays})})
		}
	}
	out := []string{templates.T(lang, "rule.when", map[string]any{"event": event.KindName(lang, trigger), "grants": strings.Join(parts, templates.T(lang, "rule.and", nil))})}
	if !d.Condition.Empty() {
		c, err := s.conditions.Sentence(ctx, tx, lang, d.Condition)
		if err != nil {
			return "", err
		}
		out = append(out, templates.T(lang, "rule.if", map[string]any{"condition": c}))
	}
	for _, c := range d.Caps {
		period := templates.T(lang, "period."+string(c.Period), nil)
		if c.Times > 0 {
			out = append(out, templates.T(lang, "rule.cap.times", map[string]any{"period": period, "n": c.Times}))
		} else {
			out = append(out, templates.T(lang, "rule.cap.amount", map[string]any{"period": period, "n": c.Amount, "account": account(c.Account)}))
		}
	}
	for _, code := range d.CapSets {
		text, err := setSentence(tx, lang, code, account)
		if err != nil {
			return "", err
		}
		out = append(out, text)
	}
	if b := d.Budget; b != nil {
		out = append(out, templates.T(lang, "rule.budget."+string(b.Period), map[string]any{"n": b.Amount, "account": account(b.Account)}))
	}
	if d.Exclusive != "" {
		out = append(out, templates.T(lang, "rule.exclusive", map[string]any{"group": d.Exclusive}))
	}
	if d.From != nil {
		out = append(out, templates.T(lang, "rule.from", map[string]any{"at": s.zone.In(*d.From)}))
	}
	if d.Until != nil {
		out = append(out, templates.T(lang, "rule.until", map[string]any{"at": s.zone.In(*d.Until)}))
	}
	return strings.Join(out, templates.T(lang, "rule.sep", nil)), nil
}

// setSentence says the cap that a set shares out.
func setSentence(tx *gorm.DB, lang, code string, account func(string) string) (string, error) {
	var set model.CapSet
	if err := tx.Where("code = ?", code).Take(&set).Error; err != nil {
		return "", err
	}
	args := map[string]any{"name": set.Name, "period": templates.T(lang, "period."+set.Period, nil), "n": set.Times + set.Amount, "account": account(set.Account)}
	if set.Times > 0 {
		return templates.T(lang, "rule.set.times", args), nil
	}
	return templates.T(lang, "rule.set.amount", args), nil
}

// fen is an amount in yuan, as people write it: 398, 39.8.
func fen(n int64) string {
	s := fmt.Sprintf("%d.%02d", n/100, n%100)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

// ruleNames are the names of the rules with the codes.
func ruleNames(tx *gorm.DB, codes []string) (names []string, err error) {
	if len(codes) == 0 {
		return nil, nil
	}
	err = tx.Model(&model.PointRule{}).Where("code IN ?", codes).Order("id").Pluck("name", &names).Error
	return names, err
}
