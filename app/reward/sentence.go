package reward

import (
	"context"
	"strings"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/event"
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
	account := func(code string) string {
		if name := templates.T(lang, "account."+code, nil); name != "account."+code {
			return name
		}
		for _, a := range names {
			if a.Code == code {
				return a.Name
			}
		}
		return code
	}
	var parts []string
	for _, g := range d.Grants {
		switch g.Kind {
		case Tag:
			name, err := tag.Name(tx, g.TagID)
			if err != nil {
				return "", err
			}
			parts = append(parts, templates.T(lang, "rule.grant.tag", map[string]any{"tag": name}))
		case Streak:
			for _, step := range g.Table {
				parts = append(parts, templates.T(lang, "rule.grant.streak", map[string]any{"days": step.Days, "account": account(g.Account), "amount": step.Amount}))
			}
			if g.Cycle > 0 {
				parts = append(parts, templates.T(lang, "rule.grant.cycle", map[string]any{"days": g.Cycle}))
			}
		default:
			parts = append(parts, templates.T(lang, "rule.grant."+string(g.Kind), map[string]any{"account": account(g.Account), "amount": g.Amount, "field": g.Field}))
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
	if d.From != nil {
		out = append(out, templates.T(lang, "rule.from", map[string]any{"at": s.zone.In(*d.From)}))
	}
	if d.Until != nil {
		out = append(out, templates.T(lang, "rule.until", map[string]any{"at": s.zone.In(*d.Until)}))
	}
	return strings.Join(out, templates.T(lang, "rule.sep", nil)), nil
}
