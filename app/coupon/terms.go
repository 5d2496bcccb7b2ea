package coupon

import (
	"context"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/ledger"
)

// Terms say who may have a thing, and when. Every part is optional; all that are given must hold.
type Terms struct {
	From      *time.Time     `json:"from,omitempty"` // in [From, Until)
	Until     *time.Time     `json:"until,omitempty"`
	Order     *OrderTerm     `json:"order,omitempty"`
	Account   *AccountTerm   `json:"account,omitempty"`
	TierID    int64          `json:"tier_id,string,omitempty"` // this tier or a higher one
	Condition condition.Tree `json:"condition"`
}

// OrderTerm asks for what was paid, net of refunds.
type OrderTerm struct {
	Basis string `json:"basis"` // single: one order of so much; cumulative: all together
	Fen   int64  `json:"fen"`
}

// AccountTerm asks for an amount in an account.
type AccountTerm struct {
	Account string `json:"account"`
	Basis   string `json:"basis"` // available: usable now; lifetime: ever earned
	AtLeast int64  `json:"at_least"`
}

// The bases of terms.
const (
	Single     = "single"
	Cumulative = "cumulative"
	Available  = "available"
	Lifetime   = "lifetime"
)

// CheckTerms refuses terms that can never be meant, or name what is not there.
func (s *Service) CheckTerms(ctx context.Context, tx *gorm.DB, t *Terms) error {
	if t.From != nil && t.Until != nil && !t.From.Before(*t.Until) {
		return errs.Field("terms.until", "coupon.until")
	}
	if o := t.Order; o != nil {
		if o.Basis != Single && o.Basis != Cumulative {
			return errs.Field("terms.order.basis", "coupon.basis", "want", Single+", "+Cumulative)
		}
		if o.Fen <= 0 || o.Fen > maxFen {
			return errs.Field("terms.order.fen", "coupon.number", "limit", maxFen)
		}
	}
	if a := t.Account; a != nil {
		if a.Basis != Available && a.Basis != Lifetime {
			return errs.Field("terms.account.basis", "coupon.basis", "want", Available+", "+Lifetime)
		}
		if a.AtLeast <= 0 || a.AtLeast > maxStock {
			return errs.Field("terms.account.at_least", "coupon.number", "limit", maxStock)
		}
		if _, err := ledger.Account(tx, a.Account); err != nil {
			return errs.AtField(err, "terms.account.account")
		}
	}
	if t.TierID != 0 {
		if err := s.TierReached(ctx, tx, 0, t.TierID, s.clock.Now()); errs.CodeOf(err) == errs.NotFound {
			return errs.Field("terms.tier_id", "tier.not_found")
		} else if errs.CodeOf(err) == "" && err != nil {
			return err
		}
	}
	return condition.At("terms.condition", s.conditions.Check(ctx, tx, t.Condition))
}

// Meet refuses a member who does not meet the terms at the moment, with what is missing: errs.WindowClosed (opens_at), errs.TierTooLow
// (next_tier, short_by), errs.ThresholdNotMet (short_by, of money in fen) or, for a condition that does not hold, errs.Forbidden.
// tx may be a reader.
func (s *Service) Meet(ctx context.Context, tx *gorm.DB, t *Terms, memberID int64, at time.Time) error {
	switch {
	case t.From != nil && at.Before(*t.From):
		return errs.New(errs.WindowClosed, "coupon.not_open", "opens_at", s.zone.In(*t.From))
	case t.Until != nil && !at.Before(*t.Until):
		return errs.New(errs.WindowClosed, "coupon.closed", "closed_at", s.zone.In(*t.Until))
	}
	if t.TierID != 0 {
		if err := s.TierReached(ctx, tx, memberID, t.TierID, at); err != nil {
			return err
		}
	}
	if err := s.meetAccount(ctx, tx, t.Account, memberID); err != nil {
		return err
	}
	if err := s.meetOrder(ctx, tx, t.Order, memberID); err != nil {
		return err
	}
	if t.Condition.Empty() {
		return nil
	}
	v, _, err := s.conditions.Eval(ctx, tx, &condition.Subject{MemberID: memberID, At: at, Cache: map[string]any{}}, t.Condition)
	if err == nil && !v.Holds {
		err = errs.New(errs.Forbidden, "coupon.not_for_you")
	}
	return err
}

func (s *Service) meetAccount(ctx context.Context, tx *gorm.DB, a *AccountTerm, memberID int64) error {
	if a == nil {
		return nil
	}
	available, lifetime, err := s.book.HeldTx(ctx, tx, memberID, a.Account)
	if err != nil {
		return err
	}
	have, key := available, "coupon.short_available"
	if a.Basis == Lifetime {
		have, key = lifetime, "coupon.short_lifetime"
	}
	if have < a.AtLeast {
		return errs.New(errs.ThresholdNotMet, key, "account", a.Account, "at_least", a.AtLeast, "have", have, "short_by", a.AtLeast-have)
	}
	return nil
}

// meetOrder: short of one order of so much, another of so much is missing; short of a sum, the rest of it.
func (s *Service) meetOrder(ctx context.Context, tx *gorm.DB, o *OrderTerm, memberID int64) error {
	if o == nil {
		return nil
	}
	largest, total, err := s.Paid(ctx, tx, memberID, 0)
	if err != nil || o.met(largest, total) {
		return err
	}
	if o.Basis == Single {
		return errs.New(errs.ThresholdNotMet, "coupon.short_order", "yuan", Yuan(o.Fen), "have", largest, "short_by", o.Fen)
	}
	return errs.New(errs.ThresholdNotMet, "coupon.short_total", "yuan", Yuan(o.Fen-total), "have", total, "short_by", o.Fen-total)
}
