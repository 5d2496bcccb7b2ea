package ledger

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// request keeps an adjustment until a second operator decides.
func (b *Book) request(tx *gorm.DB, m Manual) (*Granted, error) {
	if err := lockAlive(tx, m.MemberID); err != nil {
		return nil, err
	}
	r := &model.GrantRequest{
		MemberID: m.MemberID, Account: m.Account, Amount: m.Amount, Memo: m.Memo, ExpiresAt: microPtr(m.ExpiresAt), State: model.GrantWaiting,
		RequestedBy: m.Actor, RequestedAt: micro(b.clock.Now()),
	}
	if err := tx.Create(r).Error; err != nil {
		return nil, fmt.Errorf("ledger: request of a grant: %w", err)
	}
	return &Granted{Request: r}, nil
}

// Requests are the grants that wait for a second operator, or all of them, newest first; before is the id that the page ends before, 0 = none.
func (b *Book) Requests(ctx context.Context, all bool, before int64, limit int) (rows []model.GrantRequest, err error) {
	q := b.db.Reader(ctx).Order("id DESC").Limit(limit)
	if !all {
		q = q.Where("state = ?", model.GrantWaiting)
	}
	if before > 0 {
		q = q.Where("id < ?", before)
	}
	if err := q.Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("ledger: requests: %w", err)
	}
	return rows, nil
}

// Request is the request of a grant; errs.NotFound if there is none.
func (b *Book) Request(ctx context.Context, id int64) (*model.GrantRequest, error) {
	var r model.GrantRequest
	err := b.db.Reader(ctx).Take(&r, id).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, errs.New(errs.NotFound, "ledger.request_unknown")
	}
	return &r, err
}

// Decide approves or rejects a grant that waits: an approved one is written at once. Who asked for it is refused (errs.Forbidden), a
// request that is decided already too (errs.Conflict, with state); of two who decide at once one does.
func (b *Book) Decide(ctx context.Context, id int64, approve bool, actor string) (*model.GrantRequest, error) {
	asked, err := b.Request(ctx, id)
	if err != nil {
		return nil, err
	}
	if asked.RequestedBy == actor {
		return nil, errs.New(errs.Forbidden, "ledger.second_operator")
	}
	return db.Do(ctx, b.db, func(ctx context.Context, tx *gorm.DB) (*model.GrantRequest, error) {
		r, now := *asked, micro(b.clock.Now())
		r.State, r.DecidedBy, r.DecidedAt = model.GrantRejected, actor, &now
		if approve {
			r.State = model.GrantApproved
		}
		res := tx.Exec("UPDATE grant_requests SET state = ?, decided_by = ?, decided_at = ? WHERE id = ? AND state = ?",
			r.State, r.DecidedBy, r.DecidedAt, id, model.GrantWaiting)
		switch {
		case res.Error != nil:
			return nil, fmt.Errorf("ledger: decide request %d: %w", id, res.Error)
		case res.RowsAffected == 0:
			var now model.GrantRequest
			if err := tx.Take(&now, id).Error; err != nil {
				return nil, fmt.Errorf("ledger: request %d: %w", id, err)
			}
			return nil, errs.New(errs.Conflict, "ledger.request_decided", "state", now.State)
		case !approve:
			return &r, nil
		}
		m := Manual{MemberID: r.MemberID, Account: r.Account, Amount: r.Amount, Memo: r.Memo, Actor: r.RequestedBy, ExpiresAt: r.ExpiresAt}
		if m.ExpiresAt != nil && !m.ExpiresAt.After(now) {
			return nil, errs.Field("expires_at", "ledger.never_usable")
		}
		e, err := b.grantTx(ctx, tx, m, requestKey(id))
		if err != nil {
			return nil, err
		}
		r.EntryID = e.ID
		return &r, tx.Model(&model.GrantRequest{}).Where("id = ?", id).UpdateColumn("entry_id", e.ID).Error
	})
}
