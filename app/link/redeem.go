package link

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/model"
)

// RedeemTx makes one person of the one who typed a code at the moment at, whose lock the caller holds, and the one who asked for it. A
// refusal is not an error, so that a wrong code counts against who typed it.
func (s *Service) RedeemTx(ctx context.Context, tx *gorm.DB, memberID int64, code string, at time.Time) (refused *errs.Error, err error) {
	own, err := s.row(tx, memberID, at)
	if err != nil {
		return nil, err
	}
	if own.Wrong >= maxWrong {
		return tooMany("link.wrong_often", own, at), nil
	}
	owner, err := s.use(tx, code, at)
	if err != nil {
		return nil, err
	}
	if owner == 0 {
		own.Wrong++
		return errs.New(errs.Invalid, "link.wrong"), tx.Model(own).Select("window_at", "issued", "wrong").Updates(own).Error
	}
	m, err := member.SurvivorTx(tx, owner)
	if err != nil || m.ID == memberID {
		return nil, err
	}
	if apart, err := others(tx, memberID, m.ID); err != nil || apart {
		return errs.New(errs.Conflict, "link.others"), err
	}
	_, err = s.members.MergeTx(ctx, tx, memberID, m.ID, "link code")
	return nil, err
}

// use takes a code and returns who asked for it; 0 for one that is wrong, used or over.
func (s *Service) use(tx *gorm.DB, code string, at time.Time) (int64, error) {
	hash := s.box.BlindIndex("link", code)
	var row model.LinkCode
	res := tx.Where("hash = ?", hash).Limit(1).Find(&row)
	if res.Error != nil {
		return 0, fmt.Errorf("link: find: %w", res.Error)
	}
	if res.RowsAffected == 0 || !at.Before(row.ExpiresAt) {
		return 0, nil
	}
	res = tx.Model(&model.LinkCode{}).Where("member_id = ? AND hash = ?", row.MemberID, hash).Update("hash", nil)
	if res.Error != nil || res.RowsAffected == 0 { // typed twice at once
		return 0, res.Error
	}
	return row.MemberID, nil
}

// others reports whether two are surely different people: each has a unionid of his own, or an openid at the same account.
func others(tx *gorm.DB, a, b int64) (bool, error) {
	var n int64
	err := tx.Model(&model.Union{}).Where("member_id IN ?", []int64{a, b}).Distinct("member_id").Count(&n).Error
	if err != nil || n > 1 {
		return true, err
	}
	var accounts []string
	err = tx.Model(&model.Identity{}).Where("member_id IN ?", []int64{a, b}).Group("account").
		Having("COUNT(DISTINCT member_id) > 1").Pluck("account", &accounts).Error
	return len(accounts) > 0, err
}
