package order

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/RoaringBitmap/roaring/v2"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

// What the leaf "orders" measures. An order of which nothing remains does not count (PLAYBOOKS P01-C).
const (
	measureCount  = "count"  // how many
	measureAmount = "amount" // what was paid for them, net of refunds, in fen
	measureDays   = "days"   // calendar days since the last one was paid: holds for nobody without one
)

// item says which lines of an order count: those that fit every field that is given.
type item struct {
	Product  string `json:"product,omitempty"` // part of its name
	Category string `json:"category,omitempty"`
	SKU      string `json:"sku,omitempty"`
}

func (i item) check() error {
	for field, s := range map[string]string{"product": i.Product, "category": i.Category, "sku": i.SKU} {
		if utf8.RuneCountInString(s) > 64 {
			return errs.Field(field, "condition.arg_word", "limit", 64)
		}
	}
	return nil
}

// where is the condition on order_items; "" where any line fits.
func (i item) where() (sql string, args []any) {
	for _, f := range []struct{ sql, value string }{{"INSTR(product, ?) > 0", i.Product}, {"category = ?", i.Category}, {"sku = ?", i.SKU}} {
		if f.value != "" {
			sql, args = sql+" AND "+f.sql, append(args, f.value)
		}
	}
	return sql, args
}

// sentence is what an operator reads; "" where any line fits.
func (i item) sentence(lang string) (s string) {
	for _, f := range []struct{ name, value string }{{"product", i.Product}, {"category", i.Category}, {"sku", i.SKU}} {
		if f.value != "" {
			s += templates.T(lang, "condition.orders."+f.name, map[string]any{"value": f.value})
		}
	}
	return s
}

// counting are the orders of members of which something remains, with a line that fits.
func (i item) counting(tx *gorm.DB) *gorm.DB {
	q := tx.Model(&model.Order{}).Where("orders.member_id > 0 AND paid_at IS NOT NULL AND ended = '' AND refunded_fen < amount_fen")
	if sql, args := i.where(); sql != "" {
		q = q.Where("EXISTS (SELECT 1 FROM order_items WHERE order_id = orders.id"+sql+")", args...)
	}
	return q
}

// ordersArgs is {"measure":"count","op":"gte","value":2,"window":"365d","category":"serum"}.
type ordersArgs struct {
	Measure string       `json:"measure"`
	Op      condition.Op `json:"op"`
	Value   int64        `json:"value"`
	Window  string       `json:"window,omitempty"` // rolling and exact; "" = ever
	item

	window time.Duration
}

const maxOrdersValue = 1_000_000_000_000

func readOrders(raw json.RawMessage) (a ordersArgs, err error) {
	if err = condition.DecodeArgs(raw, &a); err != nil {
		return a, err
	}
	if err := condition.CheckCount(a.Op); err != nil {
		return a, err
	}
	switch {
	case !slices.Contains([]string{measureCount, measureAmount, measureDays}, a.Measure):
		return a, errs.Field("measure", "condition.orders.measure")
	case a.Measure == measureDays && a.Window != "":
		return a, errs.Field("window", "condition.orders.no_window")
	case a.Measure == measureAmount && a.item != (item{}):
		return a, errs.Field("measure", "condition.orders.amount_of_items")
	case a.Measure == measureDays:
		err = condition.CheckDays(a.Op, "value", a.Value)
	case a.Value < 0 || a.Value > maxOrdersValue:
		err = errs.Field("value", "condition.orders.value", "limit", int64(maxOrdersValue))
	}
	if err == nil {
		a.window, err = condition.ParseWindow(a.Window)
	}
	if err == nil {
		err = a.check()
	}
	return a, err
}

var orderTriggers = []string{model.EventOrderPaid, model.EventOrderClaimed, model.EventOrderRefunded, model.EventOrderCorrected}

// Orders is the leaf "orders": how many orders of a member count, what he paid for them, or how long ago the last one was.
func Orders(z clock.Zone) condition.Leaf {
	args := condition.Remember(readOrders)
	return condition.Leaf{
		Name: "orders", ByActing: true,
		Check: func(_ context.Context, _ *gorm.DB, raw json.RawMessage) error { _, err := readOrders(raw); return err },
		Eval: func(_ context.Context, tx *gorm.DB, s *condition.Subject, raw json.RawMessage) (condition.Verdict, error) {
			a, err := args(raw)
			if err != nil {
				return condition.Verdict{}, err
			}
			list, err := a.of(tx, s)
			if err != nil {
				return condition.Verdict{}, err
			}
			if a.Measure != measureDays {
				return condition.SumWindow(list, a.Op, a.Value, a.window, s.At), nil
			}
			return lastOf(list, s.At, func(last condition.Amount) condition.Verdict {
				return condition.DaysSince(z, z.DayOf(last.At), a.Op, a.Value, s.At)
			}), nil
		},
		Members: func(_ context.Context, tx *gorm.DB, at time.Time, universe *roaring.Bitmap, raw json.RawMessage) (*roaring.Bitmap, error) {
			a, err := args(raw)
			if err != nil {
				return nil, err
			}
			if a.Measure != measureDays {
				return a.sums(tx, at, universe)
			}
			since := func(from time.Time) (*roaring.Bitmap, error) {
				return condition.Bitmap(a.counting(tx).Where("paid_at >= ? AND paid_at <= ?", from, at).Distinct("orders.member_id"))
			}
			return condition.LastSince(z, a.Op, a.Value, at, func() (*roaring.Bitmap, error) { return since(time.Unix(0, 0)) }, since)
		},
		Moves: func(_ context.Context, tx *gorm.DB, at time.Time, _ *roaring.Bitmap, raw json.RawMessage) (*roaring.Bitmap, error) {
			a, err := args(raw)
			if err != nil {
				return nil, err
			}
			from := at.Add(-a.window)
			if a.Measure == measureDays { // who bought longer ago stays beyond the number for ever
				from = z.Start(z.DayOf(at).Add(int(-a.Value - 1)))
			}
			return condition.Bitmap(a.counting(tx).Where("paid_at > ?", from).Distinct("orders.member_id"))
		},
		Sentence: func(_ context.Context, _ *gorm.DB, lang string, raw json.RawMessage) (string, error) {
			a, err := args(raw)
			key, value := "condition.orders."+a.Measure, fmt.Sprint(a.Value)
			if a.Window != "" {
				key += "_window"
			}
			if a.Measure == measureAmount {
				value = fmt.Sprintf("%d.%02d", a.Value/100, a.Value%100)
			}
			return templates.T(lang, key, map[string]any{
				"items": a.sentence(lang), "op": templates.T(lang, "condition.op."+string(a.Op), nil), "value": value, "window": condition.WindowName(lang, a.Window),
			}), err
		},
		Warm: func(_ context.Context, tx *gorm.DB, subjects []*condition.Subject, raw json.RawMessage) error {
			a, err := args(raw)
			if err != nil {
				return err
			}
			return a.warm(tx, subjects)
		},
		Triggers: func(json.RawMessage) []string { return orderTriggers },
	}
}

func (i item) key() string { return "orders " + i.Product + "\x00" + i.Category + "\x00" + i.SKU }

// warm reads the orders that count of each subject into its cache, where leaves with the same item find them.
func (i item) warm(tx *gorm.DB, subjects []*condition.Subject) error {
	var rows []model.Order
	err := i.counting(tx).Select("member_id", "paid_at", "amount_fen", "refunded_fen").Where("orders.member_id IN ?", condition.IDs(subjects)).Find(&rows).Error
	if err != nil {
		return fmt.Errorf("order: leaf: %w", err)
	}
	of := map[int64][]model.Order{}
	for _, o := range rows {
		of[o.MemberID] = append(of[o.MemberID], o)
	}
	for _, s := range subjects {
		s.Cache[i.key()] = of[s.MemberID]
	}
	return nil
}

// of are the member's orders that count, each with how much.
func (a ordersArgs) of(tx *gorm.DB, s *condition.Subject) ([]condition.Amount, error) {
	if _, ok := s.Cache[a.key()]; !ok {
		if err := a.warm(tx, []*condition.Subject{s}); err != nil {
			return nil, err
		}
	}
	rows := s.Cache[a.key()].([]model.Order)
	list := make([]condition.Amount, len(rows))
	for i, o := range rows {
		list[i] = condition.Amount{At: *o.PaidAt, N: 1}
		if a.Measure == measureAmount {
			list[i].N = o.Net()
		}
	}
	return list, nil
}

// lastOf is the verdict on the last of what is there at the instant; none: it does not hold. What comes later changes it then.
func lastOf(list []condition.Amount, at time.Time, verdict func(last condition.Amount) condition.Verdict) (v condition.Verdict) {
	var last, next condition.Amount
	for _, a := range list {
		switch {
		case a.At.After(at) && (next.At.IsZero() || a.At.Before(next.At)):
			next = a
		case !a.At.After(at) && a.At.After(last.At):
			last = a
		}
	}
	if !last.At.IsZero() {
		v = verdict(last)
	}
	if !next.At.IsZero() && (v.FlipsAt.IsZero() || next.At.Before(v.FlipsAt)) {
		v.FlipsAt = next.At
	}
	return v
}

func (a ordersArgs) sums(tx *gorm.DB, at time.Time, universe *roaring.Bitmap) (*roaring.Bitmap, error) {
	what := "COUNT(*)"
	if a.Measure == measureAmount {
		what = "SUM(amount_fen - refunded_fen)"
	}
	q := a.counting(tx).Select("orders.member_id, "+what).Where("paid_at <= ?", at)
	if a.window > 0 {
		q = q.Where("paid_at > ?", at.Add(-a.window))
	}
	rows, err := q.Group("orders.member_id").Rows()
	if err != nil {
		return nil, fmt.Errorf("order: leaf: %w", err)
	}
	defer rows.Close()
	out := roaring.New()
	if a.Op.Holds(0, a.Value) {
		out.Or(universe)
	}
	for rows.Next() {
		var id uint32
		var n int64
		if err := rows.Scan(&id, &n); err != nil {
			return nil, fmt.Errorf("order: leaf: %w", err)
		}
		if a.Op.Holds(n, a.Value) {
			out.Add(id)
		} else {
			out.Remove(id)
		}
	}
	return out, rows.Err()
}

// runningLowArgs is {"product":"serum","cycle_days":60,"ahead_days":10}.
type runningLowArgs struct {
	item
	CycleDays int64 `json:"cycle_days"` // how long one lasts
	AheadDays int64 `json:"ahead_days"` // before it is used up
}

func readRunningLow(raw json.RawMessage) (a runningLowArgs, err error) {
	if err = condition.DecodeArgs(raw, &a); err != nil {
		return a, err
	}
	switch {
	case a.item == item{}:
		return a, errs.Field("product", "condition.arg_required")
	case a.CycleDays < 1 || a.CycleDays > 3660:
		return a, errs.Field("cycle_days", "condition.arg_days", "limit", 3660)
	case a.AheadDays < 0 || a.AheadDays >= a.CycleDays:
		return a, errs.Field("ahead_days", "condition.arg_days", "limit", a.CycleDays-1)
	}
	return a, a.check()
}

// bought are the purchases of what fits: when, and how many; of the members whom q asks about.
func (a runningLowArgs) bought(tx *gorm.DB, visit func(id uint32, at time.Time, quantity int64), where string, args ...any) error {
	sql, of := a.where()
	q := tx.Model(&model.Order{}).Joins("JOIN order_items ON order_items.order_id = orders.id"+sql, of...).
		Where("orders.member_id > 0 AND paid_at IS NOT NULL AND ended = '' AND refunded_fen < orders.amount_fen").Where(where, args...)
	rows, err := q.Select("orders.member_id, paid_at, quantity").Order("paid_at, orders.id").Rows()
	if err != nil {
		return fmt.Errorf("order: running low: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id uint32
		var at time.Time
		var n int64
		if err := rows.Scan(&id, &at, &n); err != nil {
			return fmt.Errorf("order: running low: %w", err)
		}
		visit(id, at, n)
	}
	return rows.Err()
}

// days is after how many calendar days a purchase runs low.
func (a runningLowArgs) days(quantity int64) int64 {
	return a.CycleDays*min(quantity, 1000) - a.AheadDays
}

// joined adds what was bought at one instant.
func joined(list []condition.Amount, at time.Time, n int64) []condition.Amount {
	if last := len(list) - 1; last >= 0 && list[last].At.Equal(at) {
		list[last].N += n
		return list
	}
	return append(list, condition.Amount{At: at, N: n})
}

// RunningLow is the leaf "running_low": what the member bought last of a product is nearly used up (PLAYBOOKS P01-F).
func RunningLow(z clock.Zone) condition.Leaf {
	args := condition.Remember(readRunningLow)
	return condition.Leaf{
		Name: "running_low",
		Check: func(_ context.Context, _ *gorm.DB, raw json.RawMessage) error {
			_, err := readRunningLow(raw)
			return err
		},
		Eval: func(_ context.Context, tx *gorm.DB, s *condition.Subject, raw json.RawMessage) (condition.Verdict, error) {
			a, err := args(raw)
			if err != nil {
				return condition.Verdict{}, err
			}
			var list []condition.Amount
			err = a.bought(tx, func(_ uint32, at time.Time, n int64) { list = joined(list, at, n) }, "orders.member_id = ?", s.MemberID)
			return lastOf(list, s.At, func(last condition.Amount) condition.Verdict {
				return condition.DaysSince(z, z.DayOf(last.At), condition.Gte, a.days(last.N), s.At)
			}), err
		},
		Members: func(_ context.Context, tx *gorm.DB, at time.Time, _ *roaring.Bitmap, raw json.RawMessage) (*roaring.Bitmap, error) {
			a, err := args(raw)
			if err != nil {
				return nil, err
			}
			last := map[uint32]condition.Amount{}
			err = a.bought(tx, func(id uint32, at time.Time, n int64) {
				if l := last[id]; l.At.Equal(at) {
					n += l.N
				}
				last[id] = condition.Amount{At: at, N: n}
			}, "paid_at <= ?", at)
			out, today := roaring.New(), z.DayOf(at)
			for id, l := range last {
				if int64(today.Sub(z.DayOf(l.At))) >= a.days(l.N) {
					out.Add(id)
				}
			}
			return out, err
		},
		Moves: func(_ context.Context, tx *gorm.DB, _ time.Time, _ *roaring.Bitmap, raw json.RawMessage) (*roaring.Bitmap, error) {
			a, err := args(raw)
			if err != nil {
				return nil, err
			}
			return condition.Bitmap(a.counting(tx).Distinct("orders.member_id"))
		},
		Sentence: func(_ context.Context, _ *gorm.DB, lang string, raw json.RawMessage) (string, error) {
			a, err := args(raw)
			return templates.T(lang, "condition.running_low", map[string]any{"items": a.sentence(lang), "cycle": a.CycleDays, "ahead": a.AheadDays}), err
		},
		Triggers: func(json.RawMessage) []string { return orderTriggers },
	}
}
