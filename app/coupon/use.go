package coupon

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// Held is a member's coupon with what it is.
type Held struct {
	model.MemberCoupon
	Coupon model.Coupon `gorm:"-"`
}

// Use says which coupon, and where.
type Use struct {
	Code     string
	MemberID int64  // whose it must be; 0 = whoever holds it
	Store    string // where
	OrderNo  string // with which order
}

// maxLock bounds how long an unpaid order may set a coupon aside.
const maxLock = 24 * time.Hour

// Verify uses a coupon at the till, exactly once: errs.CouponUsed (used_at), errs.CouponExpired (expired_at), errs.WindowClosed (opens_at)
// before its first day, errs.NotStackable (coupon, code) where the order has another of his, errs.Conflict while another order holds this one.
// A revoked one, a foreign one and one that is none are errs.NotFound.
func (s *Service) Verify(ctx context.Context, u Use, at time.Time) (*Held, error) {
	return s.change(ctx, &u, at, func(ctx context.Context, tx *gorm.DB, h *Held) error {
		if err := s.usable(tx, h, u, at); err != nil {
			return err
		}
		err := h.swap(tx, model.CouponUsable, map[string]any{
			"state": model.CouponUsed, "used_at": at, "store": u.Store, "order_no": u.OrderNo, "uses": h.Uses + 1, "locked_till": nil,
		})
		if err != nil {
			return err
		}
		_, err = s.record(ctx, tx, model.EventCouponUsed, fmt.Sprintf("use:%d:%d", h.ID, h.Uses), h, at)
		return err
	})
}

// Lock sets a coupon aside for an unpaid order: only that order can use it until then. It is released by itself, or by Return.
func (s *Service) Lock(ctx context.Context, u Use, until, at time.Time) (*Held, error) {
	if model.OrderNo(u.OrderNo) == "" {
		return nil, errs.Field("order_no", "coupon.lock_order")
	}
	if !until.After(at) || until.After(at.Add(maxLock)) {
		return nil, errs.Field("until", "coupon.lock_until", "hours", int(maxLock.Hours()))
	}
	return s.change(ctx, &u, at, func(_ context.Context, tx *gorm.DB, h *Held) error {
		if err := s.usable(tx, h, u, at); err != nil {
			return err
		}
		if h.LockedTill != nil && h.LockedTill.Equal(until) && h.OrderNo == u.OrderNo && h.Store == u.Store {
			return nil // the same again, which MariaDB counts as no row changed
		}
		return h.swap(tx, model.CouponUsable, map[string]any{"locked_till": until, "order_no": u.OrderNo, "store": u.Store})
	})
}

// Return gives back a coupon whose use was cancelled, or that an order had set aside, with its original expiry: once that has passed it is
// errs.CouponExpired and nothing changes. One that is free is errs.Conflict, as is one used with another order than the one named.
func (s *Service) Return(ctx context.Context, u Use, at time.Time) (*Held, error) {
	return s.change(ctx, &u, at, func(ctx context.Context, tx *gorm.DB, h *Held) error {
		locked := h.StateAt(at) == model.CouponLocked
		if h.State != model.CouponUsed && !locked || u.OrderNo != "" && h.OrderNo != u.OrderNo {
			return errs.New(errs.Conflict, "coupon.not_used")
		}
		if h.ExpiresAt != nil && !at.Before(*h.ExpiresAt) {
			return errs.New(errs.CouponExpired, "coupon.expired", "expired_at", s.zone.In(*h.ExpiresAt))
		}
		err := h.swap(tx, h.State, map[string]any{"state": model.CouponUsable, "used_at": nil, "store": "", "order_no": "", "locked_till": nil})
		if err != nil || locked {
			return err
		}
		_, err = s.record(ctx, tx, model.EventCouponBack, fmt.Sprintf("return:%d:%d", h.ID, h.Uses), h, at)
		return err
	})
}

// Look reads a coupon by its code.
func (s *Service) Look(ctx context.Context, code string) (*Held, error) {
	return byCode(s.db.Reader(ctx), clean(code))
}

// change cleans what was typed, locks the holder of the coupon, reads it and does something with it.
func (s *Service) change(ctx context.Context, u *Use, at time.Time, do func(context.Context, *gorm.DB, *Held) error) (*Held, error) {
	u.Code, u.OrderNo = clean(u.Code), model.OrderNo(u.OrderNo)
	for field, v := range map[string]string{"store": u.Store, "order_no": u.OrderNo} {
		if utf8.RuneCountInString(v) > 64 {
			return nil, errs.Field(field, "coupon.text", "limit", 64)
		}
	}
	out, err := db.Do(ctx, s.db, func(ctx context.Context, tx *gorm.DB) (Held, error) {
		h, err := byCode(tx, u.Code)
		if err != nil {
			return Held{}, err
		}
		if _, err := s.members.SeenTx(tx, h.MemberID, at); err != nil {
			return Held{}, err
		}
		if h, err = byCode(tx, u.Code); err != nil { // a merge may have moved it meanwhile
			return Held{}, err
		}
		if u.MemberID != 0 && u.MemberID != h.MemberID || h.State == model.CouponRevoked {
			return Held{}, errs.New(errs.NotFound, "coupon.code_unknown")
		}
		return *h, do(ctx, tx, h)
	})
	if err != nil {
		return nil, err
	}
	return &out, nil
}

// clean reads a code as people type it.
func clean(code string) string {
	return strings.ToUpper(strings.NewReplacer(" ", "", "-", "").Replace(strings.TrimSpace(code)))
}

func byCode(tx *gorm.DB, code string) (*Held, error) {
	var row model.MemberCoupon
	if err := tx.Where("code = ?", code).Take(&row).Error; errors.Is(err, gorm.ErrRecordNotFound) {
		return nil, errs.New(errs.NotFound, "coupon.code_unknown")
	} else if err != nil {
		return nil, fmt.Errorf("coupon: find: %w", err)
	}
	c, err := Get(tx, row.CouponID)
	if err != nil {
		return nil, err
	}
	return &Held{MemberCoupon: row, Coupon: c.Coupon}, nil
}

// usable refuses what the order cannot use now.
func (s *Service) usable(tx *gorm.DB, h *Held, u Use, at time.Time) error {
	switch h.StateAt(at) {
	case model.CouponUsed:
		return errs.New(errs.CouponUsed, "coupon.used", "used_at", s.zone.In(*h.UsedAt))
	case model.CouponExpired:
		return errs.New(errs.CouponExpired, "coupon.expired", "expired_at", s.zone.In(*h.ExpiresAt))
	case model.CouponLocked:
		if h.OrderNo != u.OrderNo {
			return errs.New(errs.Conflict, "coupon.locked", "until", s.zone.In(*h.LockedTill))
		}
	}
	if h.UsableFrom != nil && at.Before(*h.UsableFrom) {
		return errs.New(errs.WindowClosed, "coupon.not_yet", "opens_at", s.zone.In(*h.UsableFrom))
	}
	return s.stackable(tx, h, u, at)
}

// stackable refuses a second coupon of the same member for one order (PLAYBOOKS H14): one that was used with it, or that it has set aside.
// A coupon that is stackable goes beside any other. Stores may number their orders alike; one that is not named may be any.
func (s *Service) stackable(tx *gorm.DB, h *Held, u Use, at time.Time) error {
	if u.OrderNo == "" || h.Coupon.Stackable {
		return nil
	}
	var rows []model.MemberCoupon
	err := tx.Where("member_id = ? AND order_no = ? AND id <> ?", h.MemberID, u.OrderNo, h.ID).
		Where("? = '' OR store IN ('', ?)", u.Store, u.Store).Order("id").Find(&rows).Error
	if err != nil {
		return fmt.Errorf("coupon: of order: %w", err)
	}
	for _, row := range rows {
		if state := row.StateAt(at); state != model.CouponUsed && state != model.CouponLocked {
			continue
		}
		other, err := Get(tx, row.CouponID)
		if err != nil {
			return err
		}
		if !other.Stackable {
			return errs.New(errs.NotStackable, "coupon.not_stackable", "order_no", u.OrderNo, "coupon", other.Name, "code", row.Code)
		}
	}
	return nil
}

// swap changes the row, if it is still in the state and use that was seen, and reads it again.
func (h *Held) swap(tx *gorm.DB, from string, to map[string]any) error {
	res := tx.Model(&model.MemberCoupon{}).Where("id = ? AND state = ? AND uses = ?", h.ID, from, h.Uses).Updates(to)
	if res.Error != nil {
		return fmt.Errorf("coupon: change %d: %w", h.ID, res.Error)
	}
	if res.RowsAffected == 0 {
		return errs.New(errs.Conflict, "coupon.changed")
	}
	var now model.MemberCoupon
	err := tx.Take(&now, h.ID).Error
	h.MemberCoupon = now
	return err
}
