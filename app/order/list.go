package order

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/model"
)

// Query filters the list of orders.
type Query struct {
	Platform string
	No       string // in full, as anybody writes it
	MemberID int64
	Owned    *bool
	Before   int64 // keyset: ids below it, newest first; 0 = from the newest
	Limit    int
}

// List reads one page of orders, newest first. Those of which nothing is told but a claim are left out.
func (s *Service) List(ctx context.Context, q Query) ([]model.Order, error) {
	tx := s.db.Reader(ctx).Where("paid_at IS NOT NULL OR refunded_fen > 0 OR ended <> ''").Order("id DESC").Limit(min(max(q.Limit, 1), 200))
	if q.Platform != "" {
		tx = tx.Where("platform = ?", q.Platform)
	}
	if q.No != "" {
		no, err := Number("order_no", q.No)
		if err != nil {
			return nil, err
		}
		tx = tx.Where("no = ?", no)
	}
	if q.MemberID != 0 {
		tx = tx.Where("member_id = ?", q.MemberID)
	}
	if q.Owned != nil {
		tx = tx.Where("member_id <> 0 = ?", *q.Owned)
	}
	if q.Before > 0 {
		tx = tx.Where("id < ?", q.Before)
	}
	var rows []model.Order
	if err := tx.Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("order: list: %w", err)
	}
	return rows, nil
}

func get(tx *gorm.DB, id int64) (*model.Order, error) {
	return db.ByID[model.Order](tx, id, "order.not_found")
}

// Whole is an order with everything that belongs to it.
type Whole struct {
	model.Order
	Items   []model.OrderItem
	Refunds []model.OrderRefund
	Claims  []model.OrderClaim
	Events  []model.Event // about it, oldest first, of former owners too
	Entries []model.Entry // what they gave and took back
}

// Get reads one order.
func (s *Service) Get(ctx context.Context, id int64) (*Whole, error) {
	tx := s.db.Reader(ctx)
	o, err := get(tx, id)
	if err != nil {
		return nil, err
	}
	w := &Whole{Order: *o}
	var ids []int64
	for _, read := range []func() error{
		func() error { return tx.Where("order_id = ?", id).Order("line").Find(&w.Items).Error },
		func() error {
			return tx.Where("order_id = ?", id).Order("refunded_at, refund_no").Find(&w.Refunds).Error
		},
		func() error { return tx.Where("order_id = ?", id).Order("id").Find(&w.Claims).Error },
		func() error {
			err := tx.Where("source = ? AND `key` LIKE ?", source, fmt.Sprintf("%d:%%", id)).Order("id").Find(&w.Events).Error
			for _, e := range w.Events {
				ids = append(ids, e.ID)
			}
			return err
		},
		func() error { return tx.Where("event_id IN ?", ids).Order("id").Find(&w.Entries).Error },
	} {
		if err := read(); err != nil {
			return nil, fmt.Errorf("order: read %d: %w", id, err)
		}
	}
	return w, nil
}

// ClaimQuery filters the list of claims.
type ClaimQuery struct {
	MemberID int64
	State    string
	Before   int64 // keyset: ids below it, newest first; 0 = from the newest
	Limit    int
}

// Claims reads one page of claims, newest first.
func (s *Service) Claims(ctx context.Context, q ClaimQuery) ([]model.OrderClaim, error) {
	tx := s.db.Reader(ctx).Order("id DESC").Limit(min(max(q.Limit, 1), 200))
	if q.MemberID != 0 {
		tx = tx.Where("member_id = ?", q.MemberID)
	}
	if q.State != "" {
		tx = tx.Where("state = ?", q.State)
	}
	if q.Before > 0 {
		tx = tx.Where("id < ?", q.Before)
	}
	var rows []model.OrderClaim
	if err := tx.Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("order: claims: %w", err)
	}
	return rows, nil
}

// OnPlatform is what a member bought on one platform.
type OnPlatform struct {
	Platform string
	Orders   int64
	NetFen   int64
	Last     *model.Order
}

// ByPlatform sums up the orders of a member, platform by platform (PLAYBOOKS P38).
func (s *Service) ByPlatform(ctx context.Context, memberID int64) ([]OnPlatform, error) {
	var rows []model.Order
	err := s.db.Reader(ctx).Where("member_id = ? AND paid_at IS NOT NULL", memberID).Order("platform, paid_at").Find(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("order: by platform: %w", err)
	}
	out := []OnPlatform{}
	for i, o := range rows {
		if len(out) == 0 || out[len(out)-1].Platform != o.Platform {
			out = append(out, OnPlatform{Platform: o.Platform})
		}
		p := &out[len(out)-1]
		p.Orders, p.NetFen, p.Last = p.Orders+1, p.NetFen+o.Net(), &rows[i]
	}
	return out, nil
}
