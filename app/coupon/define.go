package coupon

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// Bounds of a definition.
const (
	maxFen      = 100_000_000 // a million yuan
	maxStock    = 1_000_000_000
	maxDays     = 3650
	maxTargets  = 200
	maxQuantity = 1000
	maxText     = 200
	maxPerHead  = 1000
)

var code = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]{0,63}$`)

// Save makes a coupon (ID 0) or changes one; its code stays, and its face too once one was given out.
func (s *Service) Save(ctx context.Context, in Definition) (*Definition, error) {
	if err := check(&in.Coupon); err != nil {
		return nil, err
	}
	out, err := db.Do(ctx, s.db, func(ctx context.Context, tx *gorm.DB) (Definition, error) { return s.saveTx(ctx, tx, in) })
	return &out, err
}

func (s *Service) saveTx(ctx context.Context, tx *gorm.DB, in Definition) (Definition, error) {
	if err := s.CheckTerms(ctx, tx, &in.Terms); err != nil {
		return in, err
	}
	row := in.Coupon
	row.Terms = model.ToJSON(in.Terms)
	row.CreatedAt, row.UpdatedAt, row.Issued = s.clock.Now(), s.clock.Now(), 0
	if row.ID == 0 {
		dup, err := db.Insert(tx, &row)
		if dup {
			return in, errs.New(errs.Conflict, "coupon.code_taken", "field", "code")
		}
		if err != nil {
			return in, fmt.Errorf("coupon: save: %w", err)
		}
		d, err := read(row)
		return *d, err
	}
	// Nobody is given one meanwhile: issuing changes this row too.
	if err := tx.Exec("UPDATE coupons SET updated_at = ? WHERE id = ?", row.UpdatedAt, row.ID).Error; err != nil {
		return in, fmt.Errorf("coupon: save: %w", err)
	}
	old, err := Get(tx, row.ID)
	if err != nil {
		return in, err
	}
	row.Code, row.CreatedAt, row.Issued = old.Code, old.CreatedAt, old.Issued
	if row.Issued > 0 && face(&row) != face(&old.Coupon) {
		return in, errs.New(errs.Conflict, "coupon.face_given", "issued", row.Issued)
	}
	if row.Stock != nil && *row.Stock < row.Issued {
		return in, errs.Field("stock", "coupon.stock_given", "issued", row.Issued)
	}
	if err := tx.Save(&row).Error; err != nil {
		return in, fmt.Errorf("coupon: save: %w", err)
	}
	d, err := read(row)
	return *d, err
}

// face is what a holder was promised, in one comparable value.
func face(c *model.Coupon) string {
	return fmt.Sprint(c.Kind, c.ThresholdFen, c.OffFen, c.PercentOff, c.PayFen, c.Quantity, c.Stackable, string(c.Products), string(c.Categories))
}

// check completes the coupon and refuses what can never be meant.
func check(c *model.Coupon) error {
	c.Name, c.Text = strings.TrimSpace(c.Name), strings.TrimSpace(c.Text)
	if c.Quantity == 0 {
		c.Quantity = 1
	}
	switch {
	case c.ID == 0 && !code.MatchString(c.Code):
		return errs.Field("code", "coupon.code")
	case c.Name == "" || utf8.RuneCountInString(c.Name) > 32:
		return errs.Field("name", "coupon.name", "limit", 32)
	case utf8.RuneCountInString(c.Text) > maxText:
		return errs.Field("text", "coupon.text", "limit", maxText)
	case c.Stock != nil && (*c.Stock < 0 || *c.Stock > maxStock):
		return errs.Field("stock", "coupon.number", "limit", maxStock)
	case c.PerMember < 0 || c.PerMember > maxPerHead:
		return errs.Field("per_member", "coupon.number", "limit", maxPerHead)
	case c.ValidDays < 0 || c.ValidDays > maxDays:
		return errs.Field("valid_days", "coupon.number", "limit", maxDays)
	case c.UsableFrom != nil && c.UsableUntil != nil && !c.UsableFrom.Before(*c.UsableUntil):
		return errs.Field("usable_until", "coupon.until")
	}
	for field, list := range map[string]*model.JSON{"products": &c.Products, "categories": &c.Categories} {
		if err := checkTargets(field, list); err != nil {
			return err
		}
	}
	return checkFace(c)
}

func checkTargets(field string, list *model.JSON) error {
	words := []string{}
	if err := list.Into(&words); err != nil || len(words) > maxTargets {
		return errs.Field(field, "coupon.targets", "limit", maxTargets)
	}
	for i, w := range words {
		if words[i] = strings.TrimSpace(w); words[i] == "" || utf8.RuneCountInString(w) > 64 {
			return errs.Field(field, "coupon.targets", "limit", maxTargets)
		}
	}
	slices.Sort(words)
	*list = model.ToJSON(slices.Compact(words))
	return nil
}

// checkFace holds that exactly the fields of the kind are set.
func checkFace(c *model.Coupon) error {
	if !slices.Contains(Kinds, c.Kind) {
		return errs.Field("kind", "coupon.kind")
	}
	for _, f := range []struct {
		name     string
		value    int64
		min, max int64
		kinds    []string // that have the field; another kind leaves it at 0
	}{
		{"threshold_fen", c.ThresholdFen, 0, maxFen, []string{model.CouponCashOff, model.CouponDiscount, model.CouponSecondHalf, model.CouponShipping, model.CouponExchange, model.CouponFreeItem}},
		{"off_fen", c.OffFen, 1, maxFen, []string{model.CouponCashOff}},
		{"percent_off", int64(c.PercentOff), 1, 99, []string{model.CouponDiscount}},
		{"pay_fen", c.PayFen, 0, maxFen, []string{model.CouponExchange}},
		{"quantity", int64(c.Quantity), 1, maxQuantity, []string{model.CouponExchange, model.CouponFreeItem}},
	} {
		lo, hi := f.min, f.max
		if !slices.Contains(f.kinds, c.Kind) {
			lo, hi = 0, 0
			if f.name == "quantity" {
				lo, hi = 1, 1
			}
			if f.name == "off_fen" && c.Kind == model.CouponShipping {
				hi = maxFen
			}
		}
		if f.value < lo || f.value > hi {
			return errs.Field(f.name, "coupon.face", "kind", c.Kind, "from", lo, "limit", hi)
		}
	}
	return nil
}

// Kinds are all kinds of coupons.
var Kinds = []string{
	model.CouponCashOff, model.CouponDiscount, model.CouponExchange, model.CouponFreeItem, model.CouponSecondHalf, model.CouponShipping,
}
