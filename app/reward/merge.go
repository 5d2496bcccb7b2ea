package reward

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/model"
)

// Part says what a merge does with the counters of caps: they add up. What a person gets once – for registering, or by a rule that gives
// so many times in a lifetime – and both got is taken back from the loser, down to zero and no further. It runs after the events were
// moved, and before the ledger's Part, while the loser still has his own lots.
func (s *Service) Part() member.Part {
	return member.Part{
		Name:   "reward",
		Tables: []member.Table{{Row: &model.RuleUse{}, Counters: []string{"used"}, Hidden: "counters of caps, which follow from the entries", Erase: member.Keep}},
		Undo:   s.giveAgain,
		Merge: func(ctx context.Context, tx *gorm.DB, m member.MergeOf) error {
			if err := s.registeredTwice(ctx, tx, m); err != nil {
				return err
			}
			p, err := s.inForce(tx)
			if err != nil {
				return err
			}
			var uses []model.RuleUse
			if err := tx.Where("member_id = ?", m.Loser).Find(&uses).Error; err != nil {
				return err
			}
			for _, u := range uses {
				if err := s.mergeUse(ctx, tx, m, p.rules, u); err != nil {
					return err
				}
			}
			return tx.Where("member_id = ?", m.Loser).Delete(&model.RuleUse{}).Error
		},
	}
}

// registeredTwice takes back what the later registrations of one person earned.
func (s *Service) registeredTwice(ctx context.Context, tx *gorm.DB, m member.MergeOf) error {
	var events []int64
	err := tx.Model(&model.Event{}).Where("member_id = ? AND kind = ?", m.Winner, model.EventRegistered).Order("occurred_at, id").Pluck("id", &events).Error
	if err != nil || len(events) < 2 {
		return err
	}
	return s.TakeBackTx(ctx, tx, m, events[1:])
}

func (s *Service) mergeUse(ctx context.Context, tx *gorm.DB, m member.MergeOf, rules []*rule, u model.RuleUse) error {
	var have []model.RuleUse
	row := u
	row.MemberID = m.Winner
	if err := counted(tx, row).Find(&have).Error; err != nil {
		return err
	}
	if len(have) == 0 {
		_, err := db.Insert(tx, &row)
		return err
	}
	sum := have[0].Used + u.Used
	if limit := lifetimeTimes(rules, u); limit > 0 && sum > limit {
		if err := s.takeBackLast(ctx, tx, m, u.RuleID, sum-limit); err != nil {
			return err
		}
		sum = limit
	}
	return counted(tx, row).Update("used", sum).Error
}

// lifetimeTimes is how often the rule gives in a lifetime; 0 where u counts something else.
func lifetimeTimes(rules []*rule, u model.RuleUse) int64 {
	if u.SetID != 0 || u.Account != "" || u.Period != string(Lifetime) {
		return 0
	}
	for _, r := range rules {
		if r.id != u.RuleID {
			continue
		}
		for _, c := range r.versions[0].def.Caps {
			if c.Period == Lifetime && c.Times > 0 {
				return c.Times
			}
		}
	}
	return 0
}

// takeBackLast reverses what the rule gave the loser, and those who were merged into him before, for the last n events.
func (s *Service) takeBackLast(ctx context.Context, tx *gorm.DB, m member.MergeOf, ruleID, n int64) error {
	ids, err := withMerged(tx, m.Loser)
	if err != nil {
		return err
	}
	var events []int64
	err = unreversed(tx).Where("member_id IN ? AND rule_id = ?", ids, ruleID).Group("event_id").Order("event_id DESC").Limit(int(n)).Pluck("event_id", &events).Error
	if err != nil {
		return err
	}
	return s.takeBack(ctx, tx, m, unreversed(tx).Where("member_id IN ? AND rule_id = ? AND event_id IN ?", ids, ruleID, events))
}

// TakeBackTx reverses everything that events earned which a merge shows to be duplicates: down to zero and no further.
func (s *Service) TakeBackTx(ctx context.Context, tx *gorm.DB, m member.MergeOf, events []int64) error {
	if len(events) == 0 {
		return nil
	}
	return s.takeBack(ctx, tx, m, unreversed(tx).Where("event_id IN ?", events))
}

// unreversed are the earnings of which something stands.
func unreversed(tx *gorm.DB) *gorm.DB {
	return tx.Model(&model.Entry{}).Where("kind = ? AND delta + COALESCE((SELECT SUM(r.delta - r.shortfall) FROM entries r WHERE r.reverses_id = entries.id), 0) > 0", model.EntryEarn)
}

func (s *Service) takeBack(ctx context.Context, tx *gorm.DB, m member.MergeOf, earnings *gorm.DB) error {
	var ids []int64
	if err := earnings.Order("id").Pluck("id", &ids).Error; err != nil {
		return err
	}
	for _, id := range ids {
		if _, err := s.book.ReverseTx(ctx, tx, id, fmt.Sprintf("merge:%d:%d", m.Loser, id), "merge.duplicate", m.At, true); err != nil {
			return err
		}
	}
	return nil
}

// giveAgain undoes what a merge reversed as a duplicate. The lines name no rule: its counters never went down.
func (s *Service) giveAgain(ctx context.Context, tx *gorm.DB, m member.MergeOf) error {
	var reversed []model.Entry
	err := tx.Where("member_id IN ? AND kind = ? AND occurred_at = ? AND `key` LIKE ?", []int64{m.Loser, m.Winner}, model.EntryReverse,
		m.At.Truncate(time.Microsecond), fmt.Sprintf("merge:%d:%%", m.Loser)).Order("id").Find(&reversed).Error
	if err != nil {
		return err
	}
	for _, r := range reversed {
		if err := s.giveOneAgain(ctx, tx, r); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) giveOneAgain(ctx context.Context, tx *gorm.DB, r model.Entry) error {
	if r.Delta == 0 {
		return nil
	}
	p := ledger.Posting{
		MemberID: r.MemberID, Account: r.Account, Amount: -r.Delta, Reason: "unmerge", EventID: r.EventID, AllowDebt: true,
		Key: fmt.Sprint("unmerge:again:", r.ID),
	}
	var lots []model.Lot
	if err := tx.Where("entry_id = ?", r.ReversesID).Limit(1).Find(&lots).Error; err != nil {
		return err
	}
	if p.Amount > 0 && len(lots) > 0 {
		p.ActivatesAt, p.ExpiresAt = lots[0].ActivatesAt, lots[0].ExpiresAt
	}
	_, err := s.book.PostTx(ctx, tx, p)
	return err
}

// withMerged is the member and everybody who was merged into him, one after the other: their entries stayed with them.
func withMerged(tx *gorm.DB, id int64) ([]int64, error) {
	all := []int64{id}
	for next := all; len(next) > 0; all = append(all, next...) {
		var found []int64
		if err := tx.Model(&model.Merge{}).Where("winner_id IN ?", next).Pluck("loser_id", &found).Error; err != nil {
			return nil, err
		}
		next = found
	}
	return all, nil
}
