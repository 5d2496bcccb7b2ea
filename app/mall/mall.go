// Package mall is the catalogue of what points are exchanged for. A redemption is one transaction: limit, stock, points, and the thing – or
// nothing of it.
package mall

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/coupon"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/model"
)

// Service is the use cases of the mall.
type Service struct {
	db      *db.DB
	clock   clock.Clock
	zone    clock.Zone
	events  *event.Log
	members *member.Service
	book    *ledger.Book
	coupons *coupon.Service
}

// New returns the service.
func New(d *db.DB, c clock.Clock, z clock.Zone, events *event.Log, members *member.Service, book *ledger.Book, coupons *coupon.Service) *Service {
	return &Service{db: d, clock: c, zone: z, events: events, members: members, book: book, coupons: coupons}
}

// Item is an item with its document read.
type Item struct {
	model.MallItem
	Terms coupon.Terms `json:"terms"`
}

// Bounds of an item.
const (
	maxPrice = 1_000_000_000
	maxStock = 1_000_000_000
	maxTimes = 1000
)

var (
	code     = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]{0,63}$`)
	hourly   = regexp.MustCompile(`^([01][0-9]|2[0-3]):[0-5][0-9]$`)
	location = regexp.MustCompile(`^https?://[^\s]+$`)
)

// Save makes an item (ID 0) or changes one; its code stays.
func (s *Service) Save(ctx context.Context, in Item) (*Item, error) {
	if err := check(&in.MallItem); err != nil {
		return nil, err
	}
	out, err := db.Do(ctx, s.db, func(ctx context.Context, tx *gorm.DB) (Item, error) { return s.saveTx(ctx, tx, in) })
	return &out, err
}

func (s *Service) saveTx(ctx context.Context, tx *gorm.DB, in Item) (Item, error) {
	if err := checkRefs(tx, &in.MallItem); err != nil {
		return in, err
	}
	if err := s.coupons.CheckTerms(ctx, tx, &in.Terms); err != nil {
		return in, err
	}
	row := in.MallItem
	row.Terms = model.ToJSON(in.Terms)
	row.CreatedAt, row.UpdatedAt, row.Taken = s.clock.Now(), s.clock.Now(), 0
	if row.ID == 0 {
		dup, err := db.Insert(tx, &row)
		if dup {
			return in, errs.New(errs.Conflict, "mall.code_taken", "field", "code")
		}
		in.MallItem = row
		return in, err
	}
	// Nobody redeems meanwhile: that changes this row too.
	if err := tx.Exec("UPDATE mall_items SET updated_at = ? WHERE id = ?", row.UpdatedAt, row.ID).Error; err != nil {
		return in, fmt.Errorf("mall: save: %w", err)
	}
	old, err := get(tx, row.ID)
	if err != nil {
		return in, err
	}
	row.Code, row.CreatedAt, row.Taken = old.Code, old.CreatedAt, old.Taken
	if row.Stock != nil && *row.Stock < row.Taken {
		return in, errs.Field("stock", "mall.stock_taken", "taken", row.Taken)
	}
	in.MallItem = row
	return in, tx.Save(&row).Error
}

func check(i *model.MallItem) error {
	i.Name, i.Text, i.Picture = strings.TrimSpace(i.Name), strings.TrimSpace(i.Text), strings.TrimSpace(i.Picture)
	switch {
	case i.ID == 0 && !code.MatchString(i.Code):
		return errs.Field("code", "coupon.code")
	case i.Name == "" || utf8.RuneCountInString(i.Name) > 32:
		return errs.Field("name", "coupon.name", "limit", 32)
	case utf8.RuneCountInString(i.Text) > 500:
		return errs.Field("text", "coupon.text", "limit", 500)
	case i.Picture != "" && (len(i.Picture) > 512 || !location.MatchString(i.Picture)):
		return errs.Field("picture", "mall.picture")
	case i.Kind != model.MallGoods && i.Kind != model.MallCoupon:
		return errs.Field("kind", "mall.kind")
	case (i.Kind == model.MallCoupon) != (i.CouponID != 0):
		return errs.Field("coupon_id", "mall.coupon")
	case i.Price < 0 || i.Price > maxPrice:
		return errs.Field("price", "coupon.number", "limit", maxPrice)
	case i.Stock != nil && (*i.Stock < 0 || *i.Stock > maxStock):
		return errs.Field("stock", "coupon.number", "limit", maxStock)
	case i.PerMember < 0 || i.PerMember > maxTimes:
		return errs.Field("per_member", "coupon.number", "limit", maxTimes)
	case i.MonthDay < 0 || i.MonthDay > 31:
		return errs.Field("month_day", "coupon.number", "limit", 31)
	case i.MonthTime != "" && (i.MonthDay == 0 || !hourly.MatchString(i.MonthTime)):
		return errs.Field("month_time", "mall.month_time")
	}
	return nil
}

// checkRefs refuses an account that cannot be spent and a coupon that is not there.
func checkRefs(tx *gorm.DB, i *model.MallItem) error {
	a, err := ledger.Account(tx, i.Account)
	if err != nil {
		return errs.AtField(err, "account")
	}
	if !a.Spendable {
		return errs.Field("account", "ledger.not_spendable", "account", i.Account)
	}
	if i.CouponID == 0 {
		return nil
	}
	_, err = coupon.Get(tx, i.CouponID)
	return errs.AtField(err, "coupon_id")
}

func read(row model.MallItem) (*Item, error) {
	i := &Item{MallItem: row}
	if err := row.Terms.Into(&i.Terms); err != nil {
		return nil, fmt.Errorf("mall: terms of %d: %w", row.ID, err)
	}
	return i, nil
}

func get(tx *gorm.DB, id int64) (*Item, error) {
	row, err := db.ByID[model.MallItem](tx, id, "mall.not_found")
	if err != nil {
		return nil, err
	}
	return read(*row)
}

// Get reads one item.
func (s *Service) Get(ctx context.Context, id int64) (*Item, error) { return get(s.db.Reader(ctx), id) }

// List is every item, in the operator's order.
func (s *Service) List(ctx context.Context) ([]Item, error) { return items(s.db.Reader(ctx)) }

func items(tx *gorm.DB) ([]Item, error) {
	var rows []model.MallItem
	if err := tx.Order("position, id").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("mall: list: %w", err)
	}
	out := make([]Item, len(rows))
	for n, row := range rows {
		i, err := read(row)
		if err != nil {
			return nil, err
		}
		out[n] = *i
	}
	return out, nil
}

// lifetime is the period of items without a monthly window.
const lifetime = "lifetime"

// period names the stretch over which the limit per member counts.
func (s *Service) period(i *model.MallItem, at time.Time) string {
	if i.MonthDay == 0 {
		return lifetime
	}
	return s.zone.MonthOf(at)
}

// opens is when the monthly window of the month of t opens, and closes when that month ends.
func (s *Service) window(i *model.MallItem, t time.Time) (opens, closes time.Time) {
	start := s.zone.MonthStart(t)
	closes = s.zone.MonthStart(start.AddDate(0, 0, 40))
	day := s.zone.DayOf(start).Add(i.MonthDay - 1)
	if last := s.zone.DayOf(closes).Add(-1); day > last {
		day = last
	}
	var hour, minute int
	if i.MonthTime != "" {
		_, _ = fmt.Sscanf(i.MonthTime, "%d:%d", &hour, &minute) // was checked
	}
	return s.zone.At(day, hour, minute), closes
}
