package ledger

import (
	"context"
	"crypto/rand"
	"fmt"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/model"
)

// ReasonConversion is the reason of the lines of a conversion.
const ReasonConversion = "conversion"

// maxRate bounds both sides of a conversion's rate.
const maxRate = 1_000_000

// Conversions are the rules, by their accounts.
func (b *Book) Conversions(ctx context.Context) (rows []model.ConversionRule, err error) {
	if err := b.db.Reader(ctx).Order("from_account, to_account").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("ledger: conversions: %w", err)
	}
	return rows, nil
}

// SaveConversion sets how r.FromAccount is converted into r.ToAccount.
func (b *Book) SaveConversion(ctx context.Context, r model.ConversionRule) (*model.ConversionRule, error) {
	switch {
	case r.FromAccount == r.ToAccount:
		return nil, errs.Field("to", "ledger.convert_same")
	case r.Units < 1 || r.Units > maxRate:
		return nil, errs.Field("units", "ledger.convert_rate", "limit", maxRate)
	case r.Amount < 1 || r.Amount > maxRate:
		return nil, errs.Field("amount", "ledger.convert_rate", "limit", maxRate)
	case r.Mode != model.ConvertConsume && r.Mode != model.ConvertKeep:
		return nil, errs.Field("mode", "ledger.convert_mode")
	}
	saved, err := db.Do(ctx, b.db, func(_ context.Context, tx *gorm.DB) (model.ConversionRule, error) {
		row := r
		if err := db.Bump(tx, "conversions"); err != nil { // of two at once the second waits
			return row, err
		}
		if _, err := b.accounts(tx, []string{r.FromAccount, r.ToAccount}); err != nil {
			return row, err
		}
		var old model.ConversionRule
		err := tx.Where("from_account = ? AND to_account = ?", r.FromAccount, r.ToAccount).Limit(1).Find(&old).Error
		if err != nil {
			return row, fmt.Errorf("ledger: save conversion: %w", err)
		}
		row.ID, row.UpdatedAt = old.ID, micro(b.clock.Now())
		return row, tx.Save(&row).Error
	})
	return &saved, err
}

// Convertible is a conversion that is open to a member, and how much of his it takes.
type Convertible struct {
	model.ConversionRule
	Max int64 // units that he can convert now, whole batches
}

// Convertible lists the conversions that are enabled, with what the member can convert.
func (b *Book) Convertible(ctx context.Context, memberID int64) (out []Convertible, err error) {
	rules, err := b.Conversions(ctx)
	if err != nil {
		return nil, err
	}
	r := b.db.Reader(ctx)
	for _, rule := range rules {
		if !rule.Enabled {
			continue
		}
		p, err := newPage(r, b.clock.Now(), []int64{memberID}, rule.FromAccount)
		if err == nil {
			err = p.settle()
		}
		if err != nil {
			return nil, err
		}
		units, err := convertible(r, p.sheet(memberID, rule.FromAccount))
		if err != nil {
			return nil, err
		}
		out = append(out, Convertible{rule, units / rule.Units * rule.Units})
	}
	return out, nil
}

// convertible is how many units of the account were not converted yet and are there.
func convertible(tx *gorm.DB, s *sheet) (int64, error) {
	var done int64
	err := tx.Model(&model.Conversion{}).Where("member_id = ? AND from_account = ?", s.MemberID, s.Account).
		Select("COALESCE(SUM(units), 0)").Scan(&done).Error
	if err != nil {
		return 0, fmt.Errorf("ledger: what member %d converted: %w", s.MemberID, err)
	}
	return max(0, min(s.Available, s.Lifetime-done)), nil
}

// Convert asks for units of one account to become another.
type Convert struct {
	MemberID int64
	From, To string
	Units    int64 // whole batches of the rule; 0 = as many as there are
}

// Convert converts by the operator's rule. A unit that was ever earned converts once, also where the balance is kept. Not a rule, or one that
// is off: errs.NotFound; units that are no whole batch: errs.Invalid, with batch; more than there are: errs.Insufficient, with balance
// and short_by.
func (b *Book) Convert(ctx context.Context, c Convert) (*model.Conversion, error) {
	key := "convert:" + rand.Text()
	return db.Do(ctx, b.db, func(ctx context.Context, tx *gorm.DB) (*model.Conversion, error) {
		if err := member.LockTx(tx, c.MemberID); err != nil {
			return nil, err
		}
		var rule model.ConversionRule
		err := tx.Where("from_account = ? AND to_account = ? AND enabled = ?", c.From, c.To, true).Limit(1).Find(&rule).Error
		if err != nil {
			return nil, fmt.Errorf("ledger: conversion: %w", err)
		}
		if rule.ID == 0 {
			return nil, errs.New(errs.NotFound, "ledger.convert_unknown")
		}
		p, err := newPage(tx, b.clock.Now(), []int64{c.MemberID}, c.From, c.To)
		if err == nil {
			err = p.settle()
		}
		if err != nil {
			return nil, err
		}
		from := p.sheet(c.MemberID, c.From)
		if err := p.lots(from, p.sheet(c.MemberID, c.To)); err != nil {
			return nil, err
		}
		units, err := batches(tx, from, &rule, c.Units)
		if err != nil {
			return nil, err
		}
		row := &model.Conversion{
			MemberID: c.MemberID, FromAccount: c.From, ToAccount: c.To, Units: units, Amount: units / rule.Units * rule.Amount,
			Mode: rule.Mode, At: p.now,
		}
		return row, b.convert(ctx, p, row, key)
	})
}

// batches is how many units are converted.
func batches(tx *gorm.DB, s *sheet, rule *model.ConversionRule, want int64) (int64, error) {
	there, err := convertible(tx, s)
	if err != nil {
		return 0, err
	}
	if want == 0 {
		want = max(rule.Units, there/rule.Units*rule.Units)
	}
	switch {
	case want < 0 || want%rule.Units != 0 || want/rule.Units > maxValue/rule.Amount:
		return 0, errs.Field("units", "ledger.convert_batch", "batch", rule.Units)
	case want > there:
		return 0, errs.New(errs.Insufficient, "ledger.insufficient", "account", s.Account, "balance", there, "short_by", want-there)
	}
	return want, nil
}

// convert writes the lines of a conversion and its row.
func (b *Book) convert(ctx context.Context, p *page, c *model.Conversion, key string) error {
	policies, err := b.accounts(p.tx, []string{c.FromAccount, c.ToAccount})
	if err != nil {
		return err
	}
	from, to := p.sheet(c.MemberID, c.FromAccount), p.sheet(c.MemberID, c.ToAccount)
	e := model.Entry{
		Bucket: model.BucketAvailable, Kind: model.EntryConvert, Delta: -c.Units, Reason: ReasonConversion, OccurredAt: c.At, Key: key + ":out",
		Hash: conversionHash(c, c.MemberID),
	}
	if c.Mode == model.ConvertConsume {
		if _, err := b.act(p, from, policies[c.FromAccount], e, from.take(c.Units, 0)); err != nil {
			return err
		}
	}
	e.Kind, e.Delta, e.Lifetime, e.Key = model.EntryEarn, c.Amount, c.Amount, key+":in"
	in, err := b.act(p, to, policies[c.ToAccount], e, nil, to.make(b.earned(policies[c.ToAccount], c.At), to.afterDebt(e))...)
	if err != nil {
		return err
	}
	if err := p.finish(); err != nil {
		return err
	}
	c.EntryID = in.entry.ID
	if err := p.tx.Create(c).Error; err != nil {
		return fmt.Errorf("ledger: conversion: %w", err)
	}
	return b.tell(ctx, p.tx, p)
}

// conversionHash covers what a conversion keeps.
func conversionHash(c *model.Conversion, memberID int64) string {
	return digest(fmt.Appendf(nil, "convert\x00%d\x00%q\x00%q\x00%d\x00%d\x00%s\x00%d",
		memberID, c.FromAccount, c.ToAccount, c.Units, c.Amount, c.Mode, c.At.UnixMicro()))
}
