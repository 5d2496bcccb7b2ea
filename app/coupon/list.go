package coupon

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

// soon is how far ahead an expiry is shown as near.
const soon = 7 * 24 * time.Hour

// ExpiresSoon reports a usable coupon whose last week has begun.
func (h *Held) ExpiresSoon(at time.Time) bool {
	return h.StateAt(at) == model.CouponUsable && h.ExpiresAt != nil && !h.ExpiresAt.After(at.Add(soon))
}

// Offer is a coupon that members claim, and why this one cannot now.
type Offer struct {
	Definition
	Mine int         // how many of it he has had
	Why  *errs.Error // nil: he can claim it
}

// Offers are the coupons that the member may claim now or on some terms that he has yet to meet. Those meant for others, by a condition, and
// those that are over are not there.
func (s *Service) Offers(ctx context.Context, memberID int64, at time.Time) ([]Offer, error) {
	tx := s.db.Reader(ctx)
	var rows []model.Coupon
	if err := tx.Where("enabled = ? AND claimable = ?", true, true).Order("position, id").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("coupon: offers: %w", err)
	}
	had, err := hadOf(tx, memberID)
	if err != nil {
		return nil, err
	}
	var out []Offer
	for _, row := range rows {
		d, err := read(row)
		if err != nil {
			return nil, err
		}
		if d.Terms.Until != nil && !at.Before(*d.Terms.Until) || row.UsableUntil != nil && !at.Before(*row.UsableUntil) {
			continue
		}
		o := Offer{Definition: *d, Mine: had[row.ID]}
		if o.Why, err = s.why(ctx, tx, &o, memberID, at); err != nil {
			return nil, err
		}
		if o.Why == nil || o.Why.Code != errs.Forbidden {
			out = append(out, o)
		}
	}
	return out, nil
}

// why is the refusal that a claim would meet.
func (s *Service) why(ctx context.Context, tx *gorm.DB, o *Offer, memberID int64, at time.Time) (*errs.Error, error) {
	err := s.Meet(ctx, tx, &o.Terms, memberID, at)
	var refusal *errs.Error
	switch {
	case errors.As(err, &refusal):
		return refusal, nil
	case err != nil:
		return nil, err
	case o.PerMember > 0 && o.Mine >= o.PerMember:
		return errs.New(errs.LimitReached, "coupon.limit", "limit", o.PerMember), nil
	case o.Left() != nil && *o.Left() == 0:
		return errs.New(errs.OutOfStock, "coupon.out_of_stock"), nil
	}
	return nil, nil
}

// hadOf counts what a member had of each coupon, without what was revoked.
func hadOf(tx *gorm.DB, memberID int64) (map[int64]int, error) {
	var rows []struct {
		CouponID int64
		N        int
	}
	err := tx.Model(&model.MemberCoupon{}).Select("coupon_id, COUNT(*) AS n").Where("member_id = ? AND seq > 0", memberID).Group("coupon_id").Scan(&rows).Error
	had := map[int64]int{}
	for _, r := range rows {
		had[r.CouponID] = r.N
	}
	return had, err
}

// Of are the coupons of a member, the newest first: at most limit, with ids below beforeID (0 = from the newest).
func (s *Service) Of(ctx context.Context, memberID, beforeID int64, limit int) ([]Held, error) {
	return s.held(ctx, s.db.Reader(ctx).Where("member_id = ?", memberID), beforeID, limit)
}

// Given are those of one coupon.
func (s *Service) Given(ctx context.Context, couponID, beforeID int64, limit int) ([]Held, error) {
	return s.held(ctx, s.db.Reader(ctx).Where("coupon_id = ?", couponID), beforeID, limit)
}

// Usable are those that the member can use now, the soonest to expire first.
func (s *Service) Usable(ctx context.Context, memberID int64, at time.Time) ([]Held, error) {
	q := s.db.Reader(ctx).Where("member_id = ? AND state = ? AND (expires_at IS NULL OR expires_at > ?)", memberID, model.CouponUsable, at).
		Order("expires_at IS NULL, expires_at")
	return s.held(ctx, q, 0, 200)
}

func (s *Service) held(ctx context.Context, q *gorm.DB, beforeID int64, limit int) ([]Held, error) {
	if beforeID > 0 {
		q = q.Where("id < ?", beforeID)
	}
	var rows []model.MemberCoupon
	if err := q.Order("id DESC").Limit(limit).Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("coupon: held: %w", err)
	}
	ids := make([]int64, len(rows))
	for i, r := range rows {
		ids[i] = r.CouponID
	}
	var kinds []model.Coupon
	if err := s.db.Reader(ctx).Where("id IN ?", ids).Find(&kinds).Error; err != nil {
		return nil, fmt.Errorf("coupon: held: %w", err)
	}
	byID := make(map[int64]model.Coupon, len(kinds))
	for _, c := range kinds {
		byID[c.ID] = c
	}
	out := make([]Held, len(rows))
	for i, r := range rows {
		out[i] = Held{MemberCoupon: r, Coupon: byID[r.CouponID]}
	}
	return out, nil
}

// Tally is what became of the coupons of a kind that were given out.
type Tally struct{ Used, Expired int64 }

// Tallies counts them by the id of the kind; expired are those that nobody used.
func (s *Service) Tallies(ctx context.Context, at time.Time) (map[int64]Tally, error) {
	var rows []struct {
		CouponID int64
		Tally
	}
	err := s.db.Reader(ctx).Model(&model.MemberCoupon{}).
		Select("coupon_id, SUM(CASE WHEN state = ? THEN 1 ELSE 0 END) AS used, SUM(CASE WHEN state = ? AND expires_at <= ? THEN 1 ELSE 0 END) AS expired",
			model.CouponUsed, model.CouponUsable, at).
		Group("coupon_id").Scan(&rows).Error
	if err != nil {
		return nil, fmt.Errorf("coupon: tallies: %w", err)
	}
	out := map[int64]Tally{}
	for _, r := range rows {
		out[r.CouponID] = r.Tally
	}
	return out, nil
}

// Yuan writes fen as people read them: 3980 is "39.80".
func Yuan(fen int64) string { return fmt.Sprintf("%d.%02d", fen/100, fen%100) }

// Face says what a coupon is worth: 满 ¥148.00 减 ¥20.00.
func Face(lang string, c *model.Coupon) string {
	rate := fmt.Sprint(c.PercentOff) // 5 % off is 9.5折: each language counts its own way
	if lang == templates.Chinese {
		rate = strings.TrimSuffix(fmt.Sprintf("%.1f", float64(100-c.PercentOff)/10), ".0")
	}
	key, args := "coupon.face."+c.Kind, map[string]any{"off": Yuan(c.OffFen), "pay": Yuan(c.PayFen), "n": c.Quantity, "rate": rate}
	switch {
	case c.Kind == model.CouponShipping && c.OffFen == 0:
		key += "_free"
	case c.Kind == model.CouponExchange && c.PayFen == 0:
		key = "coupon.face." + model.CouponFreeItem
	}
	face := templates.T(lang, key, args)
	if c.ThresholdFen > 0 {
		return templates.T(lang, "coupon.face.over", map[string]any{"threshold": Yuan(c.ThresholdFen), "face": face})
	}
	return face
}
