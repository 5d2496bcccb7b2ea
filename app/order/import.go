package order

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/sheet"
	"github.com/siyu-scrm/siyu/model"
)

// Import is the kind of files of orders: each line is one order or one refund. The same file again does nothing twice.
const Import = "order.import"

// maxLines bounds a file.
const maxLines = 100_000

// Sheet is what the lines of a file of orders say and do.
func (s *Service) Sheet() sheet.Kind {
	return sheet.Kind{
		Name: Import, Columns: columns, Required: []string{"platform", "order_no"}, MaxLines: maxLines,
		Label: func(r *sheet.Reader) []string { return []string{r.Text("platform"), r.Text("order_no")} },
		Read: func(r *sheet.Reader) (any, error) {
			p, err := push(r)
			if err == nil {
				err = s.clean(&p)
			}
			return p, err
		},
		Open: s.land,
	}
}

// land pushes lines, in one transaction with one look at what is there.
func (s *Service) land(_ context.Context, tx *gorm.DB, b *sheet.Batch) (sheet.Land, error) {
	set, err := settings(tx)
	if err != nil {
		return nil, err
	}
	pushes, k, err := open(tx, b)
	return func(ctx context.Context, tx *gorm.DB, i int) (string, error) {
		p := pushes[i]
		if p.MemberNo != "" && p.MemberID == 0 {
			return "", errs.New(errs.NotFound, "member.not_found", "field", "member_no")
		}
		out, err := s.pushTx(ctx, tx, p, set, k)
		switch {
		case out.New:
			return model.LineNew, err
		case out.Applied:
			return model.LineChanged, err
		}
		return model.LineSame, err
	}, err
}

// open reads what is to be pushed, which of it is there, and the members that it names, whom it locks.
func open(tx *gorm.DB, b *sheet.Batch) ([]Push, known, error) {
	pushes := make([]Push, len(b.Lines))
	k := known{locks: locks{}, absent: map[string]bool{}}
	var nos []string
	var platforms, orders []string
	for i, l := range b.Lines {
		if err := l.Body.Into(&pushes[i]); err != nil {
			return nil, k, err
		}
		if l.State == model.LinePending {
			platforms, orders = append(platforms, pushes[i].Platform), append(orders, pushes[i].No)
			k.absent[orderKey(pushes[i].Platform, pushes[i].No)] = true
		}
		if no := pushes[i].MemberNo; no != "" {
			nos = append(nos, no)
		}
	}
	var err error
	if len(nos) > 0 {
		err = k.buyers(tx, pushes, nos)
	}
	if err != nil || len(orders) == 0 {
		return pushes, k, err
	}
	var there []model.Order
	if err := tx.Select("platform", "no").Where("platform IN ? AND no IN ?", slices.Compact(platforms), orders).Find(&there).Error; err != nil {
		return nil, k, fmt.Errorf("order: open: %w", err)
	}
	for _, o := range there {
		delete(k.absent, orderKey(o.Platform, o.No))
	}
	return pushes, k, nil
}

// buyers knows the members with the numbers, and locks them.
func (k *known) buyers(tx *gorm.DB, pushes []Push, nos []string) error {
	var rows []model.Member
	if err := tx.Select("id", "no").Where("no IN ?", nos).Find(&rows).Error; err != nil {
		return fmt.Errorf("order: members: %w", err)
	}
	ids, of := []int64{}, map[string]int64{}
	for _, m := range rows {
		of[m.No] = m.ID
		ids = append(ids, m.ID)
	}
	for i := range pushes {
		pushes[i].MemberID = of[pushes[i].MemberNo]
	}
	if err := k.take(tx, ids...); err != nil {
		return err
	}
	k.members = map[int64]buyer{}
	var locked []model.Member
	var watched []int64
	err := errors.Join(
		tx.Select("id", "joined_at").Where("id IN ? AND merged_into IS NULL", ids).Find(&locked).Error,
		tx.Model(&model.LiveView{}).Distinct("member_id").Where("member_id IN ? AND seconds > 0", ids).Pluck("member_id", &watched).Error)
	for _, m := range locked {
		k.members[m.ID] = buyer{m.JoinedAt, slices.Contains(watched, m.ID)}
	}
	return err
}
