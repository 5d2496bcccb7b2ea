package ledger

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// Expiries are the kinds of expiry that an account can have.
var Expiries = []string{
	model.ExpiryNever, model.ExpiryDays, model.ExpiryMonths, model.ExpiryMonthEnd, model.ExpiryQuarterEnd, model.ExpiryYearEnd,
	model.ExpiryNextYearEnd, model.ExpiryDate, model.ExpirySlidingDays, model.ExpirySlidingMonths,
}

const (
	maxDays   = 3650 // of an expiry
	maxMonths = 120
	maxGrace  = 365
)

var accountCode = regexp.MustCompile(`^[a-z][a-z0-9_]{0,31}$`)

// Account is the account; errs.NotFound if there is none.
func (b *Book) Account(ctx context.Context, code string) (*model.Account, error) {
	return Account(b.db.Reader(ctx), code)
}

// Account reads an account by tx; errs.NotFound ("ledger.account_unknown").
func Account(tx *gorm.DB, code string) (*model.Account, error) {
	var a model.Account
	err := tx.Take(&a, "code = ?", code).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, errs.New(errs.NotFound, "ledger.account_unknown", "account", code)
	}
	if err != nil {
		return nil, fmt.Errorf("ledger: account %s: %w", code, err)
	}
	return &a, nil
}

// AddAccount adds an account under a code of its own; one that is taken is errs.Conflict.
func (b *Book) AddAccount(ctx context.Context, a model.Account) (*model.Account, error) {
	return b.saveAccount(ctx, a, func(tx *gorm.DB, a *model.Account) error {
		dup, err := db.Insert(tx, a)
		if err == nil && dup {
			err = errs.New(errs.Conflict, "ledger.account_taken", "account", a.Code)
		}
		return err
	})
}

// SaveAccount changes an account. Its expiry counts for what is earned from then on; lots that are there keep theirs.
func (b *Book) SaveAccount(ctx context.Context, a model.Account) (*model.Account, error) {
	return b.saveAccount(ctx, a, func(tx *gorm.DB, a *model.Account) error {
		old, err := Account(tx, a.Code)
		if err != nil {
			return err
		}
		a.Slides = a.Slides || old.Slides
		return tx.Save(a).Error
	})
}

func (b *Book) saveAccount(ctx context.Context, a model.Account, write func(*gorm.DB, *model.Account) error) (*model.Account, error) {
	a.Name = strings.TrimSpace(a.Name)
	if err := b.checkAccount(&a); err != nil {
		return nil, err
	}
	saved, err := db.Do(ctx, b.db, func(_ context.Context, tx *gorm.DB) (model.Account, error) {
		row := a
		if err := write(tx, &row); err != nil {
			return row, err
		}
		return row, db.Bump(tx, revision)
	})
	return &saved, err
}

// checkAccount completes an account and refuses what cannot be one.
func (b *Book) checkAccount(a *model.Account) error {
	builtIn := slices.Contains([]string{model.AccountPoints, model.AccountGrowth, model.AccountExperience}, a.Code)
	switch n := utf8.RuneCountInString(a.Name); {
	case !accountCode.MatchString(a.Code):
		return errs.Field("code", "ledger.account_code")
	case n > 64 || n == 0 && !builtIn:
		return errs.Field("name", "ledger.account_name", "limit", 64)
	case a.GraceDays < 0 || a.GraceDays > maxGrace:
		return errs.Field("grace_days", "ledger.days", "limit", maxGrace)
	case a.ManualLimit < 0 || a.ManualLimit > maxManual:
		return errs.Field("manual_limit", "ledger.manual_amount", "limit", maxManual)
	}
	if err := checkExpiry(a); err != nil {
		return err
	}
	if a.Expiry == model.ExpiryDate && a.ExpiryOn < b.zone.DayOf(b.clock.Now()) {
		return errs.Field("expiry.on", "ledger.expiry_past")
	}
	a.Slides = a.Expiry == model.ExpirySlidingDays || a.Expiry == model.ExpirySlidingMonths
	return nil
}

// checkExpiry refuses an expiry that says nothing, and forgets what its kind does not use.
func checkExpiry(a *model.Account) error {
	if !slices.Contains(Expiries, a.Expiry) {
		return errs.Field("expiry.kind", "ledger.expiry_kind", "want", strings.Join(Expiries, ", "))
	}
	limit := 0
	switch a.Expiry {
	case model.ExpiryDays, model.ExpirySlidingDays:
		limit = maxDays
	case model.ExpiryMonths, model.ExpirySlidingMonths:
		limit = maxMonths
	}
	if limit > 0 && (a.ExpiryCount < 1 || a.ExpiryCount > limit) {
		return errs.Field("expiry.count", "ledger.expiry_count", "limit", limit)
	}
	if limit == 0 {
		a.ExpiryCount = 0
	}
	if a.Expiry != model.ExpiryDate {
		a.ExpiryOn = ""
	} else if day, err := model.ParseDay(string(a.ExpiryOn)); err != nil || day.Time().Year() < 2000 || day.Time().Year() > 2199 {
		return errs.Field("expiry.on", "ledger.expiry_on")
	}
	return nil
}
