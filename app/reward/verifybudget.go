package reward

import (
	"context"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/model"
)

// verifyBudgets holds the counters of the budgets to what the walk over the members found. The walk is not one instant: where they
// differ, the entries of that budget are added up again together with its counter.
func verifyBudgets(ctx context.Context, d *db.DB, z clock.Zone, found map[use]int64, report func(ledger.Mismatch)) error {
	var rows []model.RuleBudget
	if err := d.Reader(ctx).Find(&rows).Error; err != nil {
		return err
	}
	used := map[use]int64{}
	for _, r := range rows {
		k := use{ofBudget, r.RuleID, r.Period, r.Account}
		used[k] = r.Used
		found[k] += 0
	}
	for k, want := range found {
		if want == used[k] {
			continue
		}
		err := d.Snapshot(ctx, func(tx *gorm.DB) error { return verifyBudget(tx, z, k, report) })
		if err != nil {
			return err
		}
	}
	return nil
}

func verifyBudget(tx *gorm.DB, z clock.Zone, k use, report func(ledger.Mismatch)) error {
	v := &verifier{tx: tx, zone: z, budgets: map[use]int64{}, found: map[counter]*tally{}}
	if err := v.definitions(); err != nil {
		return err
	}
	var entries []model.Entry
	err := tx.Where("rule_id = ? AND account = ? AND kind = ?", k.id, k.account, model.EntryEarn).FindInBatches(&entries, 1000, func(*gorm.DB, int) error {
		for i := range entries {
			if !strings.Contains(entries[i].Key, adjusted) {
				v.add(0, &entries[i])
			}
		}
		v.found = map[counter]*tally{}
		return nil
	}).Error
	if err != nil {
		return err
	}
	var grown []struct {
		model.RuleGrant
		OccurredAt time.Time
	}
	err = tx.Model(&model.RuleGrant{}).Select("rule_grants.*, events.occurred_at").Joins("JOIN events ON events.id = rule_grants.event_id").
		Where("rule_grants.rule_id = ? AND rule_grants.peak > rule_grants.granted", k.id).Find(&grown).Error
	for _, r := range grown {
		v.add(0, &model.Entry{Account: r.Account, Delta: r.Peak - r.Granted, RuleID: r.RuleID, RuleVersion: r.RuleVersion, OccurredAt: r.OccurredAt})
	}
	if err != nil {
		return err
	}
	var row model.RuleBudget
	err = tx.Where("rule_id = ? AND period = ? AND account = ?", k.id, k.period, k.account).Limit(1).Find(&row).Error
	if want := v.budgets[k]; err == nil && want != row.Used {
		report(ledger.Mismatch{
			Table: "rule_budgets", Column: "used of " + k.period, ID: k.id, Account: k.account, Want: fmt.Sprint(want), Got: fmt.Sprint(row.Used),
		})
	}
	return err
}
