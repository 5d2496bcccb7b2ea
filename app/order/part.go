package order

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/model"
)

// ofOrders is the condition on what belongs to a member's orders.
const ofOrders = "order_id IN (SELECT id FROM orders WHERE member_id IN @ids)"

// Part says that a survivor has the orders and claims of both. An erasure keeps orders under the member number, without phone; claims that
// wait end, and the number typed goes with those that got no order.
func (s *Service) Part() member.Part {
	return member.Part{
		Name: "order",
		Merge: func(_ context.Context, tx *gorm.DB, m member.MergeOf) error {
			if err := member.Move(tx, "orders", m); err != nil {
				return err
			}
			return member.Move(tx, "order_claims", m)
		},
		Erase: s.eraseClaims,
		Tables: []member.Table{
			{
				Row: &model.Order{}, Undo: member.Return, Erase: member.Blank(map[string]any{"phone_index": "", "phone_tail": ""}),
				Export: []string{"platform", "no", "amount_fen", "shipping_fen", "refunded_fen", "paid_at", "phone_tail"},
			},
			{
				Row: &model.OrderItem{}, By: ofOrders, Undo: member.Own, Erase: member.Keep,
				Export: []string{"(SELECT no FROM orders WHERE id = order_id) AS order_no", "sku", "product", "category", "quantity", "amount_fen"},
			},
			{
				Row: &model.OrderRefund{}, By: ofOrders, Undo: member.Own, Erase: member.Keep,
				Export: []string{"(SELECT no FROM orders WHERE id = order_id) AS order_no", "refund_no", "amount_fen", "refunded_at"},
			},
			{
				// A number that he typed is his word, until it is that of an order that he got.
				Row: &model.OrderClaim{}, Undo: member.Return, Erase: member.Blank(map[string]any{
					"phone_tail": "", "no": gorm.Expr("CASE WHEN state = ? THEN no ELSE '' END", model.ClaimDone),
					"order_id": gorm.Expr("CASE WHEN state = ? THEN order_id ELSE 0 END", model.ClaimDone),
				}),
				Export: []string{"platform", "no", "state", "reason", "phone_tail", "at", "ended_at"},
			},
		},
	}
}

func (s *Service) eraseClaims(_ context.Context, tx *gorm.DB, m *model.Member) error {
	var waiting []int64
	err := tx.Model(&model.OrderClaim{}).Where("member_id = ? AND state = ?", m.ID, model.ClaimPending).Pluck("id", &waiting).Error
	if err != nil || len(waiting) == 0 {
		return err
	}
	if err := tx.Model(&model.Order{}).Where("claim_id IN ? AND member_id = 0", waiting).Update("claim_id", 0).Error; err != nil {
		return fmt.Errorf("order: erase: %w", err)
	}
	return tx.Model(&model.OrderClaim{}).Where("id IN ?", waiting).Updates(map[string]any{"state": model.ClaimLapsed, "ended_at": s.clock.Now()}).Error
}
