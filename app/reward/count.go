package reward

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/risk"
	"github.com/siyu-scrm/siyu/model"
)

// usedBy reads the counters that bind the hits. The member's lock is held, so nobody else changes his; a budget is locked before.
func usedBy(tx *gorm.DB, s *situation) (map[use]int64, error) {
	used := map[use]int64{}
	ids := map[scope][]int64{}
	for _, h := range s.hits {
		for _, l := range s.limits(h) {
			if !slices.Contains(ids[l.key.of], l.key.id) {
				ids[l.key.of] = append(ids[l.key.of], l.key.id)
			}
		}
	}
	if len(ids[ofRule])+len(ids[ofSet]) > 0 {
		q := tx.Where("member_id = ?", s.ev.MemberID)
		switch rules, sets := ids[ofRule], ids[ofSet]; {
		case len(sets) == 0:
			q = q.Where("rule_id IN ? AND set_id = 0", rules)
		case len(rules) == 0:
			q = q.Where("rule_id = 0 AND set_id IN ?", sets)
		default:
			q = q.Where("rule_id IN ? OR set_id IN ?", rules, sets)
		}
		var rows []model.RuleUse
		if err := q.Find(&rows).Error; err != nil {
			return nil, fmt.Errorf("reward: caps: %w", err)
		}
		for _, r := range rows {
			used[useOf(r)] = r.Used
		}
	}
	if len(ids[ofBudget]) > 0 {
		var rows []model.RuleBudget
		if err := tx.Where("rule_id IN ?", ids[ofBudget]).Find(&rows).Error; err != nil {
			return nil, fmt.Errorf("reward: budgets: %w", err)
		}
		for _, r := range rows {
			used[use{ofBudget, r.RuleID, r.Period, r.Account}] = r.Used
		}
	}
	return used, nil
}

// useOf is the key of a counter.
func useOf(r model.RuleUse) use {
	if r.SetID != 0 {
		return use{ofSet, r.SetID, r.Period, r.Account}
	}
	return use{ofRule, r.RuleID, r.Period, r.Account}
}

// row is the counter of a member.
func (k use) row(member, used int64) model.RuleUse {
	r := model.RuleUse{MemberID: member, Period: k.period, Account: k.account, Used: used}
	if k.of == ofSet {
		r.SetID = k.id
	} else {
		r.RuleID = k.id
	}
	return r
}

// counted finds the row of a counter.
func counted(tx *gorm.DB, r model.RuleUse) *gorm.DB {
	return tx.Model(&model.RuleUse{}).Where("rule_id = ? AND set_id = ? AND member_id = ? AND period = ? AND account = ?", r.RuleID, r.SetID, r.MemberID, r.Period, r.Account)
}

// store adds to the counters and remembers them in used.
func (s *Service) store(tx *gorm.DB, ev *model.Event, h matched, used, uses map[use]int64) error {
	for k, n := range uses {
		if n == 0 {
			continue
		}
		old, known := used[k]
		used[k] = old + n
		if k.of == ofBudget {
			if err := s.spend(tx, ev, h, k, old, n); err != nil {
				return err
			}
			continue
		}
		row := k.row(ev.MemberID, n)
		if !known {
			if dup, err := db.Insert(tx, &row); err != nil || dup {
				return fmt.Errorf("reward: count cap of %s %d (duplicate: %t): %w", k.of, k.id, dup, err)
			}
			continue
		}
		if err := counted(tx, row).Update("used", gorm.Expr("used + ?", n)).Error; err != nil {
			return fmt.Errorf("reward: count cap: %w", err)
		}
	}
	return nil
}

// budgetAlert is the part of a budget, in per cent, at which operators hear of it.
const budgetAlert = 80

// spend takes n from the budget, of which old is used: never more than there is. Who crosses the alert tells the risk list.
func (s *Service) spend(tx *gorm.DB, ev *model.Event, h matched, k use, old, n int64) error {
	most := h.v.def.Budget.Amount
	res := tx.Exec("UPDATE rule_budgets SET used = used + ? WHERE rule_id = ? AND period = ? AND account = ? AND used + ? <= ?", n, k.id, k.period, k.account, n, most)
	if res.Error != nil || res.RowsAffected != 1 {
		return fmt.Errorf("reward: budget of rule %d: %d rows: %w", k.id, res.RowsAffected, res.Error)
	}
	alert := (most*budgetAlert + 99) / 100
	if old >= alert || old+n < alert {
		return nil
	}
	return risk.AddTx(tx, model.Risk{
		Kind: model.RiskBudget, Subject: fmt.Sprintf("rule:%d:%s:%d", k.id, k.period, most), At: ev.OccurredAt,
		Data: model.ToJSON(map[string]any{"rule": h.rule.name, "rule_id": fmt.Sprint(h.rule.id), "account": k.account, "used": old + n, "budget": most}),
	})
}

// lockBudgets makes this transaction the only one that decides about the budgets of the hits, and makes their rows.
func (s *Service) lockBudgets(tx *gorm.DB, ev *model.Event, hits []matched) error {
	var keys []model.RuleBudget
	for _, h := range hits {
		if b := h.v.def.Budget; b != nil {
			keys = append(keys, model.RuleBudget{RuleID: h.rule.id, Period: b.Period.Key(s.zone, ev.OccurredAt), Account: b.Account})
		}
	}
	slices.SortFunc(keys, func(a, b model.RuleBudget) int { return cmp.Compare(a.RuleID, b.RuleID) })
	for _, k := range keys {
		if err := lockBudget(tx, k); err != nil {
			return fmt.Errorf("reward: budget of rule %d: %w", k.RuleID, err)
		}
	}
	return nil
}

func lockBudget(tx *gorm.DB, k model.RuleBudget) error {
	for range 2 {
		res := tx.Exec("UPDATE rule_budgets SET seq = seq + 1 WHERE rule_id = ? AND period = ? AND account = ?", k.RuleID, k.Period, k.Account)
		if res.Error != nil || res.RowsAffected > 0 {
			return res.Error
		}
		row := k
		if dup, err := db.Insert(tx, &row); err != nil || !dup {
			return err
		}
	}
	return nil
}

// Spent is what a budget has given in the period that contains now.
type Spent struct {
	Budget
	Used int64
}

// Alert reports that it is nearly used up.
func (s Spent) Alert() bool { return s.Used*100 >= s.Amount*budgetAlert }

// spent reads what the budget of a rule has given.
func (s *Service) spent(tx *gorm.DB, rule int64, b *Budget, now time.Time) (*Spent, error) {
	if b == nil {
		return nil, nil
	}
	var rows []model.RuleBudget
	err := tx.Where("rule_id = ? AND period = ? AND account = ?", rule, b.Period.Key(s.zone, now), b.Account).Find(&rows).Error
	out := &Spent{Budget: *b}
	for _, r := range rows {
		out.Used = r.Used
	}
	return out, err
}
