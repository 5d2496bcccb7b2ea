// Package ledger keeps what members hold: accounts (points, growth, experience and others), lots with their own
// expiry, and entries that are never edited, only answered by opposite ones.
//
// A lot is usable at t if it is activated (activates_at ≤ t) and not expired (t < expires_at). What falls due is written as
// lines before anything else is decided, so that the books hold at every instant, whether or not a job has run.
//
// Callers hold the member's lock. Within a member the accounts are taken by code, ascending.
package ledger

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// maxValue bounds every amount and every balance: no sum overflows, and JavaScript reads it exactly.
const maxValue = 1_000_000_000_000_000

// The policies of points at first start.
const (
	pointsExpiryMonths = 12
	graceDays          = 7
)

// Book is the ledger.
type Book struct {
	db    *db.DB
	clock clock.Clock
	zone  clock.Zone

	policies  db.Cached[map[string]model.Account]
	followers []func(ctx context.Context, tx *gorm.DB, changes []Change) error
}

// revision names the set of accounts that processes cache.
const revision = "accounts"

// New returns the ledger.
func New(d *db.DB, c clock.Clock, z clock.Zone) *Book { return &Book{db: d, clock: c, zone: z} }

// EnsureAccounts makes the accounts of a first start; those that are there stay as the operator left them.
func (b *Book) EnsureAccounts(ctx context.Context) error {
	return b.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error {
		for _, a := range []model.Account{
			{Code: model.AccountPoints, Spendable: true, Debt: true, Expiry: model.ExpiryMonths, ExpiryCount: pointsExpiryMonths, GraceDays: graceDays, Position: 1},
			{Code: model.AccountGrowth, Expiry: model.ExpiryNever, Debt: true, GraceDays: graceDays, Position: 2},
			{Code: model.AccountExperience, Expiry: model.ExpiryNever, Debt: true, GraceDays: graceDays, Position: 3},
		} {
			dup, err := db.Insert(tx, &a)
			if err == nil && !dup {
				err = db.Bump(tx, revision)
			}
			if err != nil {
				return fmt.Errorf("ledger: account %s: %w", a.Code, err)
			}
		}
		return nil
	})
}

// Accounts lists the accounts in the operator's order.
func (b *Book) Accounts(ctx context.Context) ([]model.Account, error) {
	var rows []model.Account
	if err := b.db.Reader(ctx).Order("position, code").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("ledger: accounts: %w", err)
	}
	return rows, nil
}

// accounts are the policies in force; one of codes that is no account is refused.
func (b *Book) accounts(tx *gorm.DB, codes []string) (map[string]model.Account, error) {
	found, err := b.policies.Get(tx, revision, func(tx *gorm.DB) (map[string]model.Account, error) {
		var rows []model.Account
		err := tx.Find(&rows).Error
		all := make(map[string]model.Account, len(rows))
		for _, a := range rows {
			all[a.Code] = a
		}
		return all, err
	})
	if err != nil {
		return nil, fmt.Errorf("ledger: accounts: %w", err)
	}
	for _, c := range codes {
		if _, ok := found[c]; !ok {
			return nil, errs.Field("account", "ledger.account_unknown", "account", c)
		}
	}
	return found, nil
}

// micro is t as the databases keep it.
func micro(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

func microPtr(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	m := micro(*t)
	return &m
}
