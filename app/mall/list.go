package mall

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/model"
)

// Offer is an item as a member sees it.
type Offer struct {
	Item
	Mine     int64       // how many he has in the window, or in his life
	OpensAt  *time.Time  // the next opening; nil: open, or none
	ClosesAt *time.Time  // of the window that is open; nil: none
	Why      *errs.Error // the refusal that he would meet; nil: he can redeem it
}

// Offers are the items that the member can redeem, and those that he cannot yet, with the reason. Those meant for others, by a condition, and
// those that are over are not there.
func (s *Service) Offers(ctx context.Context, memberID int64, at time.Time) ([]Offer, error) {
	return s.offers(ctx, s.db.Reader(ctx), memberID, at, nil)
}

// Affordable is how many items a member could redeem now with so many points. tx may be a reader.
func (s *Service) Affordable(ctx context.Context, tx *gorm.DB, memberID, balance int64) (n int, err error) {
	offers, err := s.offers(ctx, tx, memberID, s.clock.Now(), &balance)
	for _, o := range offers {
		if o.Why == nil && o.Account == model.AccountPoints {
			n++
		}
	}
	return n, err
}

func (s *Service) offers(ctx context.Context, tx *gorm.DB, memberID int64, at time.Time, points *int64) ([]Offer, error) {
	all, err := items(tx)
	if err != nil {
		return nil, err
	}
	var out []Offer
	held := map[string]int64{}
	if points != nil {
		held[model.AccountPoints] = *points
	}
	for _, i := range all {
		if !i.Enabled || i.Terms.Until != nil && !at.Before(*i.Terms.Until) {
			continue
		}
		if _, known := held[i.Account]; !known {
			if held[i.Account], _, err = s.book.HeldTx(ctx, tx, memberID, i.Account); err != nil {
				return nil, err
			}
		}
		o, err := s.offer(ctx, tx, i, memberID, at, held[i.Account])
		if err != nil {
			return nil, err
		}
		if o.Why == nil || o.Why.Code != errs.Forbidden {
			out = append(out, *o)
		}
	}
	return out, nil
}

func (s *Service) offer(ctx context.Context, tx *gorm.DB, i Item, memberID int64, at time.Time, balance int64) (*Offer, error) {
	o := &Offer{Item: i, ClosesAt: i.Terms.Until}
	if i.MonthDay > 0 {
		if opens, closes := s.window(&i.MallItem, at); at.Before(opens) {
			o.OpensAt = &opens
		} else if o.ClosesAt == nil || closes.Before(*o.ClosesAt) {
			o.ClosesAt = &closes
		}
	}
	if i.Terms.From != nil && at.Before(*i.Terms.From) {
		o.OpensAt = i.Terms.From
	}
	h, err := s.hadOf(tx, &i.MallItem, memberID, at)
	if err != nil {
		return nil, err
	}
	o.Mine = h.N
	err = s.open(ctx, tx, &i, memberID, at)
	if err == nil {
		err = s.within(&i.MallItem, h, at)
	}
	if err == nil && i.Left() != nil && *i.Left() == 0 {
		err = errs.New(errs.OutOfStock, "mall.out_of_stock")
	}
	if err == nil && i.Price > 0 {
		err = ledger.Covers(i.Account, balance, i.Price)
	}
	if err != nil && !errors.As(err, &o.Why) {
		return nil, err
	}
	return o, nil
}

// Query filters redemptions: a member's, an item's, or all.
type Query struct {
	MemberID, ItemID int64
	State            string
	Before           int64
	Limit            int
}

// Redemptions lists them, the newest first.
func (s *Service) Redemptions(ctx context.Context, q Query) ([]Redeemed, error) {
	tx := s.db.Reader(ctx).Model(&model.Redemption{})
	for column, id := range map[string]int64{"member_id": q.MemberID, "item_id": q.ItemID} {
		if id != 0 {
			tx = tx.Where(column+" = ?", id)
		}
	}
	if q.State != "" {
		tx = tx.Where("state = ?", q.State)
	}
	if q.Before > 0 {
		tx = tx.Where("id < ?", q.Before)
	}
	var rows []model.Redemption
	if err := tx.Order("id DESC").Limit(q.Limit).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("mall: redemptions: %w", err)
	}
	all, err := s.List(ctx)
	if err != nil {
		return nil, err
	}
	byID := make(map[int64]model.MallItem, len(all))
	for _, i := range all {
		byID[i.ID] = i.MallItem
	}
	out := make([]Redeemed, len(rows))
	for n, r := range rows {
		out[n] = Redeemed{Redemption: r, Item: byID[r.ItemID]}
	}
	return out, nil
}

// Part says what a merge does: redemptions unite, numbered on after the winner's; what was redeemed stays redeemed.
func (s *Service) Part() member.Part {
	return member.Part{
		Name: "mall",
		Tables: []member.Table{{
			Row: &model.Redemption{}, Erase: member.Keep,
			Export: []string{"(SELECT name FROM mall_items WHERE id = item_id) AS item", "state", "account", "price", "at", "ended_at"},
		}},
		Merge: func(_ context.Context, tx *gorm.DB, m member.MergeOf) error {
			var rows []model.Redemption
			if err := tx.Where("member_id = ?", m.Loser).Order("id").Find(&rows).Error; err != nil {
				return err
			}
			for _, r := range rows {
				if r.MemberID = m.Winner; r.Seq > 0 {
					var last int64
					err := tx.Model(&model.Redemption{}).Select("COALESCE(MAX(seq), 0)").
						Where("member_id = ? AND item_id = ? AND period = ? AND seq > 0", m.Winner, r.ItemID, r.Period).Scan(&last).Error
					if err != nil {
						return err
					}
					r.Seq = last + 1
				}
				if err := tx.Save(&r).Error; err != nil {
					return err
				}
			}
			return nil
		},
	}
}
