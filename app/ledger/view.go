package ledger

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/model"
)

// soon is how far ahead a view looks for expiries.
const soon = 30 * 24 * time.Hour

// View is what a member holds in one account at a moment.
type View struct {
	Account      string
	Name         string // the operator's own; empty: the locale key account.<code>
	Spendable    bool
	Available    int64 // usable now; below zero: debt
	Pending      int64
	Lifetime     int64
	ExpiringSoon int64      // of what is usable, within 30 days
	NextExpiry   *time.Time // the first instant of that; nil = none
}

type viewRow struct {
	model.Balance
	LotID          *int64
	LotRemaining   int64
	LotActive      bool
	LotActivatesAt *time.Time
	LotExpiresAt   *time.Time
}

// One statement, so that the lots fit the balances.
const viewSQL = `SELECT b.*, l.id AS lot_id, COALESCE(l.remaining, 0) AS lot_remaining, COALESCE(l.active, 0) AS lot_active,
 l.activates_at AS lot_activates_at, l.expires_at AS lot_expires_at
FROM balances b LEFT JOIN lots l ON l.member_id = b.member_id AND l.account = b.account AND l.open = ?
 AND (l.expires_at <= ? OR (l.active = ? AND l.activates_at <= ?))
WHERE b.member_id = ?`

// Balances is what the member holds now, in every account, in the operator's order. What fell due and is not written yet counts as
// written: a lot past its instant is never shown as available.
func (b *Book) Balances(ctx context.Context, memberID int64) ([]View, error) {
	all, err := b.Accounts(ctx)
	if err != nil {
		return nil, err
	}
	now := b.clock.Now()
	var rows []viewRow
	err = b.db.Reader(ctx).Raw(viewSQL, true, now.Add(soon), false, now, memberID).Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("ledger: balances of member %d: %w", memberID, err)
	}
	p := &page{now: now, sheets: map[owner]*sheet{}}
	for _, r := range rows {
		k := owner{memberID, r.Account}
		if p.sheets[k] == nil {
			p.sheets[k] = &sheet{Balance: r.Balance, loaded: true}
		}
		if r.LotID != nil {
			p.sheets[k].hold(model.Lot{
				ID: *r.LotID, Open: true, Remaining: r.LotRemaining, Active: r.LotActive, ActivatesAt: r.LotActivatesAt, ExpiresAt: r.LotExpiresAt,
			})
		}
	}
	if err := p.settle(); err != nil {
		return nil, err
	}
	views := make([]View, len(all))
	for i, a := range all {
		views[i] = p.sheet(memberID, a.Code).view(a, now.Add(soon))
	}
	return views, nil
}

func (s *sheet) view(a model.Account, until time.Time) View {
	v := View{
		Account: a.Code, Name: a.Name, Spendable: a.Spendable,
		Available: s.Available, Pending: s.Pending, Lifetime: s.Lifetime,
	}
	for _, l := range s.lots {
		if l.Open && l.Active && l.ExpiresAt != nil && !l.ExpiresAt.After(until) {
			v.ExpiringSoon += l.Remaining
			if v.NextExpiry == nil || l.ExpiresAt.Before(*v.NextExpiry) {
				v.NextExpiry = l.ExpiresAt
			}
		}
	}
	return v
}

// Entries is a page of the member's lines, newest first, in one account or, with "", in all of them. next is the cursor of
// the page after it, empty at the end. Lines that are due and not written yet are written first.
func (b *Book) Entries(ctx context.Context, memberID int64, account, cursor string, limit int) (rows []model.Entry, next string, err error) {
	if limit < 1 || limit > 100 {
		return nil, "", errs.Field("limit", "ledger.limit", "limit", 100)
	}
	if err := b.settleNow(ctx, memberID); err != nil {
		return nil, "", err
	}
	by := "id"
	q := b.db.Reader(ctx).Where("member_id = ?", memberID)
	if account != "" {
		by = "seq" // counts within the account, and has the index
		q = q.Where("account = ?", account)
	}
	if cursor != "" {
		n, err := strconv.ParseInt(cursor, 10, 64)
		if err != nil || n <= 0 {
			return nil, "", errs.Field("cursor", "ledger.cursor")
		}
		q = q.Where(by+" < ?", n)
	}
	if err := q.Order(by + " DESC").Limit(limit + 1).Find(&rows).Error; err != nil {
		return nil, "", fmt.Errorf("ledger: entries of member %d: %w", memberID, err)
	}
	if len(rows) <= limit {
		return rows, "", nil
	}
	rows = rows[:limit]
	last := rows[limit-1].ID
	if account != "" {
		last = rows[limit-1].Seq
	}
	return rows, strconv.FormatInt(last, 10), nil
}

// settleNow writes the member's due lines, if there are any.
func (b *Book) settleNow(ctx context.Context, memberID int64) error {
	var due int64
	err := b.db.Reader(ctx).Model(&model.Balance{}).Where("member_id = ? AND next_due_at <= ?", memberID, b.clock.Now()).Count(&due).Error
	if err != nil {
		return fmt.Errorf("ledger: due of member %d: %w", memberID, err)
	}
	if due == 0 {
		return nil
	}
	return b.db.Tx(ctx, func(ctx context.Context, tx *gorm.DB) error {
		if err := member.LockTx(tx, memberID); err != nil {
			return err
		}
		return b.SettleTx(ctx, tx, memberID, b.clock.Now())
	})
}

// HeldTx is what a member can spend now in an account, and what he ever earned in it. What fell due and is not written yet counts as written,
// in memory only: tx may be a reader.
func (b *Book) HeldTx(_ context.Context, tx *gorm.DB, memberID int64, account string) (available, lifetime int64, err error) {
	p, err := newPage(tx, b.clock.Now(), []int64{memberID}, account)
	if err != nil {
		return 0, 0, err
	}
	if err := p.settle(); err != nil {
		return 0, 0, err
	}
	s := p.sheet(memberID, account)
	return s.Available, s.Lifetime, nil
}
