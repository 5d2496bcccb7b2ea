package ledger

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/model"
)

// Part says what a merge does with the ledger.
func (b *Book) Part() member.Part {
	return member.Part{
		Name: "ledger", // what anybody ever held stays, under his number
		Tables: []member.Table{
			{Row: &model.Balance{}, Undo: member.Own, Export: []string{"account", "available", "pending", "held", "lifetime"}, Erase: member.Keep},
			{Row: &model.Lot{}, Undo: member.Own, Export: []string{"account", "amount", "remaining", "activates_at", "expires_at", "earned_at"}, Erase: member.Keep},
			{Row: &model.Hold{}, Undo: member.Own, Export: []string{"account", "amount", "state", "until", "ref"}, Erase: member.Keep},
			{Row: &model.GrantRequest{}, Undo: member.Own, Export: []string{"account", "amount", "memo", "state", "requested_at"}, Erase: member.Blank(map[string]any{"memo": ""})},
			{Row: &model.Conversion{}, Undo: member.Return, Export: []string{"from_account", "to_account", "units", "amount", "at"}, Erase: member.Keep},
			{
				Row: &model.Entry{}, Undo: member.Own, Erase: member.Rewrite(unsay),
				Export: []string{"account", "bucket", "delta", "balance", "kind", "reason", "note", "memo", "occurred_at", "recorded_at"},
			},
		},
		Merge: func(ctx context.Context, tx *gorm.DB, m member.MergeOf) error {
			err := tx.Model(&model.Conversion{}).Where("member_id = ?", m.Loser).UpdateColumn("member_id", m.Winner).Error
			if err != nil {
				return fmt.Errorf("ledger: merge conversions: %w", err)
			}
			return b.MergeTx(ctx, tx, m.Loser, m.Winner, m.At)
		},
		Undo: func(ctx context.Context, tx *gorm.DB, m member.MergeOf) error {
			return b.UnmergeTx(ctx, tx, m.Loser, m.Winner, m.At)
		},
		Erase: func(ctx context.Context, tx *gorm.DB, m *model.Member) error { return b.VoidTx(ctx, tx, m.ID) },
	}
}

// unsay takes the operators' words, which may name the person, from the lines and seals these anew.
func unsay(tx, rows *gorm.DB) error {
	var said []model.Entry
	if err := rows.Where("memo <> ''").Find(&said).Error; err != nil {
		return err
	}
	for _, e := range said {
		var made []*model.Lot
		var moves []model.LotMove
		if err := tx.Where("entry_id = ?", e.ID).Order("id").Find(&made).Error; err != nil {
			return err
		}
		if err := tx.Where("entry_id = ?", e.ID).Order("lot_id").Find(&moves).Error; err != nil {
			return err
		}
		e.Memo = ""
		if err := tx.Model(&e).UpdateColumns(map[string]any{"memo": "", "seal": seal(&e, made, moves)}).Error; err != nil {
			return err
		}
	}
	return nil
}

// PointsOf is the points that members can spend now; who never had any is absent. What fell due and is not written
// yet counts as written, in memory only.
func (b *Book) PointsOf(_ context.Context, tx *gorm.DB, ids []int64) (map[int64]int64, error) {
	p, err := newPage(tx, b.clock.Now(), ids, model.AccountPoints)
	if err != nil {
		return nil, err
	}
	if err := p.settle(); err != nil {
		return nil, err
	}
	points := make(map[int64]int64, len(p.sheets))
	for k, s := range p.sheets {
		points[k.member] = s.Available
	}
	return points, nil
}
