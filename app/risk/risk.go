// Package risk is the list of what operators should look at: claims of other people's orders, refunds after the points were spent.
package risk

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/model"
)

// Service is the use cases of the list.
type Service struct {
	db    *db.DB
	clock clock.Clock
}

// New returns the service.
func New(d *db.DB, c clock.Clock) *Service { return &Service{db: d, clock: c} }

// AddTx puts a risk on the list. The same kind, subject and member again changes nothing.
func AddTx(tx *gorm.DB, r model.Risk) error {
	if r.Data == nil {
		r.Data = model.JSON("{}")
	}
	if _, err := db.Insert(tx, &r); err != nil {
		return fmt.Errorf("risk: add %s: %w", r.Kind, err)
	}
	return nil
}

// Query filters the list.
type Query struct {
	Kind     string
	MemberID int64
	Done     *bool
	Before   int64 // keyset: ids below it, newest first; 0 = from the newest
	Limit    int
}

// List reads one page, newest first.
func (s *Service) List(ctx context.Context, q Query) ([]model.Risk, error) {
	tx := s.db.Reader(ctx).Order("id DESC").Limit(min(max(q.Limit, 1), 200))
	if q.Kind != "" {
		tx = tx.Where("kind = ?", q.Kind)
	}
	if q.MemberID != 0 {
		tx = tx.Where("member_id = ?", q.MemberID)
	}
	if q.Done != nil {
		tx = tx.Where("done_at IS NOT NULL = ?", *q.Done)
	}
	if q.Before > 0 {
		tx = tx.Where("id < ?", q.Before)
	}
	var rows []model.Risk
	if err := tx.Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("risk: list: %w", err)
	}
	return rows, nil
}

// Done notes that an operator looked at a risk; a second time changes nothing.
func (s *Service) Done(ctx context.Context, id int64) (*model.Risk, error) {
	out, err := db.Do(ctx, s.db, func(_ context.Context, tx *gorm.DB) (r model.Risk, err error) {
		err = tx.Model(&r).Where("id = ? AND done_at IS NULL", id).Update("done_at", s.clock.Now()).Error
		if err == nil {
			err = tx.Take(&r, id).Error
		}
		if errors.Is(err, gorm.ErrRecordNotFound) {
			err = errs.New(errs.NotFound, "risk.not_found")
		}
		return r, err
	})
	return &out, err
}

// Part says that a survivor has the risks of both, each once. An erasure keeps that there was one.
func (s *Service) Part() member.Part {
	return member.Part{
		Name: "risk",
		Merge: func(_ context.Context, tx *gorm.DB, m member.MergeOf) error {
			var both []int64
			err := tx.Table("risks AS l").Joins("JOIN risks AS w ON w.kind = l.kind AND w.subject = l.subject").
				Where("l.member_id = ? AND w.member_id = ?", m.Loser, m.Winner).Pluck("l.id", &both).Error
			if err == nil && len(both) > 0 {
				err = tx.Delete(&model.Risk{}, both).Error
			}
			if err != nil {
				return fmt.Errorf("risk: merge: %w", err)
			}
			return member.Move(tx, "risks", m)
		},
		Tables: []member.Table{{
			Row: &model.Risk{}, Export: []string{"kind", "at", "done_at"}, Erase: member.Blank(map[string]any{"data": model.JSON("{}")}),
		}},
	}
}
