package mall

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/coupon"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/model"
)

// source numbers the events and lines by the row of the redemption.
const source = "mall"

// Redeemed is what a redemption answers.
type Redeemed struct {
	model.Redemption
	Item    model.MallItem
	Balance int64 // of the account, afterwards
	Coupon  *coupon.Held
	Grants  []event.Grant
}

// Redeem exchanges points for an item. It refuses, in this order, with errs.NotFound, errs.WindowClosed (opens_at), errs.TierTooLow,
// errs.ThresholdNotMet, errs.LimitReached (limit, opens_at), errs.OutOfStock, errs.PointsDebt and errs.Insufficient (short_by); then nothing
// has changed.
func (s *Service) Redeem(ctx context.Context, memberID, itemID int64, at time.Time) (*Redeemed, error) {
	out, err := db.Do(ctx, s.db, func(ctx context.Context, tx *gorm.DB) (r Redeemed, err error) {
		memberID, err := s.members.ActTx(tx, memberID, at, true)
		if err != nil {
			return r, err
		}
		i, err := get(tx, itemID)
		if err != nil {
			return r, err
		}
		if !i.Enabled {
			return r, errs.New(errs.NotFound, "mall.not_found")
		}
		if err := s.open(ctx, tx, i, memberID, at); err != nil {
			return r, err
		}
		return s.redeemTx(ctx, tx, i, memberID, at)
	})
	return &out, err
}

// open refuses outside the window, and who does not meet the terms. tx may be a reader.
func (s *Service) open(ctx context.Context, tx *gorm.DB, i *Item, memberID int64, at time.Time) error {
	if i.MonthDay > 0 {
		if opens, _ := s.window(&i.MallItem, at); at.Before(opens) {
			return errs.New(errs.WindowClosed, "coupon.not_open", "opens_at", s.zone.In(opens))
		}
	}
	return s.coupons.Meet(ctx, tx, &i.Terms, memberID, at)
}

// had is how many of the item the member has in the period, and his last number.
type had struct{ N, Last int64 }

func (s *Service) hadOf(tx *gorm.DB, i *model.MallItem, memberID int64, at time.Time) (h had, err error) {
	err = tx.Model(&model.Redemption{}).Select("COUNT(*) AS n, COALESCE(MAX(seq), 0) AS last").
		Where("member_id = ? AND item_id = ? AND period = ? AND seq > 0", memberID, i.ID, s.period(i, at)).Scan(&h).Error
	return h, err
}

// within refuses who has had as many as one gets.
func (s *Service) within(i *model.MallItem, h had, at time.Time) error {
	if i.PerMember == 0 || h.N < int64(i.PerMember) {
		return nil
	}
	e := errs.New(errs.LimitReached, "mall.limit", "limit", i.PerMember)
	if i.MonthDay > 0 {
		_, closes := s.window(i, at)
		opens, _ := s.window(i, closes)
		e.Args["opens_at"] = s.zone.In(opens)
	}
	return e
}

func (s *Service) redeemTx(ctx context.Context, tx *gorm.DB, i *Item, memberID int64, at time.Time) (r Redeemed, err error) {
	h, err := s.hadOf(tx, &i.MallItem, memberID, at)
	if err != nil {
		return r, fmt.Errorf("mall: count: %w", err)
	}
	if err := s.within(&i.MallItem, h, at); err != nil {
		return r, err
	}
	res := tx.Exec("UPDATE mall_items SET taken = taken + 1 WHERE id = ? AND (stock IS NULL OR taken < stock)", i.ID)
	if res.Error != nil {
		return r, fmt.Errorf("mall: stock: %w", res.Error)
	}
	if res.RowsAffected == 0 {
		return r, errs.New(errs.OutOfStock, "mall.out_of_stock")
	}
	row := model.Redemption{
		ItemID: i.ID, MemberID: memberID, Period: s.period(&i.MallItem, at), Seq: h.Last + 1, State: model.RedemptionOpen, Account: i.Account, Price: i.Price, At: at,
	}
	if err := tx.Create(&row).Error; err != nil {
		return r, fmt.Errorf("mall: redeem %d by member %d, who must be locked: %w", i.ID, memberID, err)
	}
	r.Item = i.MallItem
	if err := s.pay(ctx, tx, &row, &r); err != nil {
		return r, err
	}
	if i.CouponID != 0 {
		given, err := s.coupons.IssueTx(ctx, tx, memberID, i.CouponID, coupon.Cause{Source: model.CouponByMall, ID: row.ID}, at)
		if err != nil {
			return r, err
		}
		c, err := coupon.Get(tx, i.CouponID)
		if err != nil {
			return r, err
		}
		row.MemberCouponID, r.Coupon = given.ID, &coupon.Held{MemberCoupon: *given, Coupon: c.Coupon}
	}
	if err := tx.Save(&row).Error; err != nil {
		return r, fmt.Errorf("mall: redeem: %w", err)
	}
	r.Redemption = row
	r.Grants, err = s.record(ctx, tx, model.EventRedeemed, &row, &i.MallItem, at)
	return r, err
}

// pay spends the price; a free item costs no line.
func (s *Service) pay(ctx context.Context, tx *gorm.DB, row *model.Redemption, r *Redeemed) (err error) {
	if row.Price == 0 {
		r.Balance, _, err = s.book.HeldTx(ctx, tx, row.MemberID, row.Account)
		return err
	}
	e, err := s.book.PostTx(ctx, tx, ledger.Posting{
		MemberID: row.MemberID, Account: row.Account, Amount: -row.Price, Reason: "mall.redeem", Memo: r.Item.Name, OccurredAt: row.At, Key: fmt.Sprint("mall:", row.ID),
	})
	if err == nil {
		row.EntryID, r.Balance = e.ID, e.Balance
	}
	return err
}

func (s *Service) record(ctx context.Context, tx *gorm.DB, kind string, row *model.Redemption, i *model.MallItem, at time.Time) ([]event.Grant, error) {
	return s.events.RecordTx(ctx, tx, &model.Event{
		MemberID: row.MemberID, Kind: kind, Source: source, Key: fmt.Sprint(kind, ":", row.ID), OccurredAt: at, Joined: true,
		Data: model.ToJSON(map[string]any{
			"redemption_id": fmt.Sprint(row.ID), "item_id": fmt.Sprint(i.ID), "item": i.Code, "name": i.Name, "kind": i.Kind, "account": row.Account, "price": row.Price,
		}),
	})
}

// Cancel undoes a redemption that was not fulfilled: the points go back to their lots, the thing to the stock, and its coupon, which must be
// unused, is revoked. memberID 0 is an operator; another member's is errs.NotFound.
func (s *Service) Cancel(ctx context.Context, memberID, id int64) (*Redeemed, error) {
	return s.end(ctx, memberID, id, func(ctx context.Context, tx *gorm.DB, r *Redeemed, at time.Time) error {
		if r.MemberCouponID != 0 {
			revoked, err := s.coupons.RevokeTx(tx, &model.MemberCoupon{ID: r.MemberCouponID, CouponID: r.Item.CouponID}, "cancelled", at)
			if err == nil && !revoked {
				err = errs.New(errs.Conflict, "mall.coupon_used")
			}
			if err != nil {
				return err
			}
		}
		if r.EntryID != 0 {
			e, err := s.book.ReverseTx(ctx, tx, r.EntryID, fmt.Sprint("mall:cancel:", r.ID), "mall.cancel", at, false)
			if err != nil {
				return err
			}
			r.Balance = e.Balance
		}
		if err := tx.Exec("UPDATE mall_items SET taken = taken - 1 WHERE id = ?", r.ItemID).Error; err != nil {
			return err
		}
		r.State, r.Seq = model.RedemptionCancelled, -r.ID
		_, err := s.record(ctx, tx, model.EventUnredeemed, &r.Redemption, &r.Item, at)
		return err
	})
}

// Fulfil notes that a thing was handed over: it can be cancelled no more.
func (s *Service) Fulfil(ctx context.Context, id int64) (*Redeemed, error) {
	return s.end(ctx, 0, id, func(_ context.Context, _ *gorm.DB, r *Redeemed, _ time.Time) error {
		r.State = model.RedemptionFulfilled
		return nil
	})
}

// end ends an open redemption, with its member locked.
func (s *Service) end(ctx context.Context, memberID, id int64, do func(context.Context, *gorm.DB, *Redeemed, time.Time) error) (*Redeemed, error) {
	out, err := db.Do(ctx, s.db, func(ctx context.Context, tx *gorm.DB) (r Redeemed, err error) {
		now, memberID := s.clock.Now(), memberID
		if memberID != 0 {
			memberID, err = s.members.ActTx(tx, memberID, now, true)
		} else if err = find(tx, id, &r.Redemption); err == nil {
			err = member.LockTx(tx, r.MemberID)
		}
		if err != nil {
			return r, err
		}
		r.Redemption = model.Redemption{}
		if err := find(tx, id, &r.Redemption); err != nil {
			return r, err
		}
		if memberID != 0 && r.MemberID != memberID {
			return r, errs.New(errs.NotFound, "mall.redemption_unknown")
		}
		if r.State != model.RedemptionOpen {
			return r, errs.New(errs.Conflict, "mall.ended", "state", r.State)
		}
		i, err := get(tx, r.ItemID)
		if err != nil {
			return r, err
		}
		r.Item = i.MallItem
		if err := do(ctx, tx, &r, now); err != nil {
			return r, err
		}
		r.EndedAt = &now
		return r, tx.Save(&r.Redemption).Error
	})
	return &out, err
}

func find(tx *gorm.DB, id int64, row *model.Redemption) error {
	err := tx.Take(row, id).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		err = errs.New(errs.NotFound, "mall.redemption_unknown")
	}
	return err
}
