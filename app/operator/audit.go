package operator

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/model"
)

// Note is AuditTx in a transaction of its own: for what somebody saw, and for changes that have no answer.
func (s *Service) Note(ctx context.Context, actor, action, object string, before, after any) error {
	return s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error { return s.AuditTx(tx, actor, action, object, before, after) })
}

// AuditTx records a change in the transaction that makes it. actor is "operator:2" or "key:5", action "tag.create", object "tag:7";
// before and after are what changed (nil: nothing there), without secrets.
func (s *Service) AuditTx(tx *gorm.DB, actor, action, object string, before, after any) error {
	row := &model.Audit{Actor: actor, Action: action, Object: object, Before: model.ToJSON(before), After: model.ToJSON(after), At: s.clock.Now()}
	if err := tx.Create(row).Error; err != nil {
		return fmt.Errorf("operator: audit %s: %w", action, err)
	}
	return nil
}

// Change is what an operator changed, for the audit log.
type Change struct {
	Object        string // tag:7
	Before, After any    // nil: nothing there; without secrets
}

// Audited returns ctx with an audit line for the use case that is called next (its db.Do): both are kept, or neither. of says what was
// changed, given what the use case answered.
func (s *Service) Audited(ctx context.Context, actor, action string, of func(answer any) Change) context.Context {
	return db.Also(ctx, func(tx *gorm.DB, answer any) error {
		c := of(answer)
		return s.AuditTx(tx, actor, action, c.Object, c.Before, c.After)
	})
}

// Audit records a change that has no transaction to join.
func (s *Service) Audit(ctx context.Context, actor, action, object string, before, after any) error {
	return s.db.Tx(ctx, func(_ context.Context, tx *gorm.DB) error { return s.AuditTx(tx, actor, action, object, before, after) })
}

// AuditQuery chooses changes; zero fields choose nothing away.
type AuditQuery struct {
	Actor    string    // operator:2
	Object   string    // rule:7, or the kind alone: rule
	Action   string    // rule.update, or its beginning: rule
	From, To time.Time // half open
	Before   int64     // an id: only those before it
	Limit    int
}

// Audits lists changes, newest first.
func (s *Service) Audits(ctx context.Context, a AuditQuery) (rows []model.Audit, err error) {
	q := s.db.Reader(ctx).Order("id DESC").Limit(a.Limit)
	if a.Before > 0 {
		q = q.Where("id < ?", a.Before)
	}
	if a.Actor != "" {
		q = q.Where("actor = ?", a.Actor)
	}
	if a.Object != "" {
		q = q.Where("(object = ? OR object >= ? AND object < ?)", a.Object, a.Object+":", a.Object+";") // ; comes after :
	}
	if a.Action != "" {
		q = q.Where("(action = ? OR action >= ? AND action < ?)", a.Action, a.Action+".", a.Action+"/") // / comes after .
	}
	if !a.From.IsZero() {
		q = q.Where("at >= ?", a.From)
	}
	if !a.To.IsZero() {
		q = q.Where("at < ?", a.To)
	}
	if err := q.Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("operator: list changes: %w", err)
	}
	return rows, nil
}
