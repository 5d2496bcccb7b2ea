package order

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// Bounds of what is pushed.
const (
	maxFen      = 10_000_000_000 // a hundred million yuan
	maxQuantity = 1_000_000
	maxParts    = 200 // items, and refunds, of one push
	ahead       = 5 * time.Minute
)

// clean normalises the push and refuses what no order can be; the refusal names the field.
func (s *Service) clean(p *Push) (err error) {
	if !slices.Contains(model.Platforms, p.Platform) {
		return errs.Field("platform", "order.platform", "platforms", strings.Join(model.Platforms, ", "))
	}
	if p.No, err = Number("order_no", p.No); err != nil {
		return err
	}
	if p.Version < 0 {
		return errs.Field("version", "order.version_negative")
	}
	if err := p.checkStatus(); err != nil {
		return err
	}
	now := s.clock.Now()
	if p.PaidAt != nil {
		if err := checkTime("paid_at", *p.PaidAt, now); err != nil {
			return err
		}
	}
	if p.AmountFen != nil {
		if err := checkFen("amount_fen", *p.AmountFen, 0); err != nil {
			return err
		}
	}
	if err := checkFen("shipping_fen", p.ShippingFen, 0); err != nil {
		return err
	}
	if err := p.checkItems(); err != nil {
		return err
	}
	if err := p.checkRefunds(now); err != nil {
		return err
	}
	return s.cleanPhone(p)
}

func (p *Push) checkStatus() error {
	switch p.Status {
	case model.OrderPaid:
		if p.AmountFen == nil {
			return errs.Field("amount_fen", "order.required")
		}
		if p.PaidAt == nil {
			return errs.Field("paid_at", "order.required")
		}
	case model.OrderPartialRefund:
		if len(p.Refunds) == 0 {
			return errs.Field("refunds", "order.required")
		}
	case model.OrderRefunded, model.OrderCancelled:
	default:
		return errs.Field("status", "order.status")
	}
	if (p.AmountFen == nil) != (p.PaidAt == nil) {
		return errs.Field("amount_fen", "order.both")
	}
	return nil
}

func (p *Push) checkItems() error {
	if len(p.Items) > maxParts {
		return errs.Field("items", "order.parts", "limit", maxParts)
	}
	p.Items = slices.Clone(p.Items) // the caller's stay as he wrote them
	for i := range p.Items {
		it, at := &p.Items[i], fmt.Sprintf("items[%d].", i)
		it.SKU, it.Product, it.Category = strings.TrimSpace(it.SKU), strings.TrimSpace(it.Product), strings.TrimSpace(it.Category)
		switch {
		case it.Product == "" || utf8.RuneCountInString(it.Product) > 200:
			return errs.Field(at+"product", "order.text", "limit", 200)
		case utf8.RuneCountInString(it.SKU) > 64:
			return errs.Field(at+"sku", "order.text", "limit", 64)
		case utf8.RuneCountInString(it.Category) > 64:
			return errs.Field(at+"category", "order.text", "limit", 64)
		case it.Quantity < 1 || it.Quantity > maxQuantity:
			return errs.Field(at+"quantity", "order.quantity", "limit", maxQuantity)
		}
		if err := checkFen(at+"amount_fen", it.AmountFen, 0); err != nil {
			return err
		}
	}
	return nil
}

func (p *Push) checkRefunds(now time.Time) (err error) {
	if len(p.Refunds) > maxParts {
		return errs.Field("refunds", "order.parts", "limit", maxParts)
	}
	p.Refunds = slices.Clone(p.Refunds)
	for i := range p.Refunds {
		r, at := &p.Refunds[i], fmt.Sprintf("refunds[%d].", i)
		if r.No, err = Number(at+"refund_no", r.No); err != nil {
			return err
		}
		if err := checkFen(at+"amount_fen", r.AmountFen, 1); err != nil {
			return err
		}
		if err := checkTime(at+"refunded_at", r.RefundedAt, now); err != nil {
			return err
		}
	}
	return nil
}

// cleanPhone keeps of the number its blind index and its tail.
func (s *Service) cleanPhone(p *Push) error {
	if p.Phone != "" {
		if p.PhoneIndex, p.PhoneTail = s.members.PhoneKeys(p.Phone); p.PhoneIndex == "" {
			return errs.Field("phone", "order.phone")
		}
		p.Phone = ""
	}
	if p.PhoneTail != "" && !isTail(p.PhoneTail) {
		return errs.Field("phone_tail", "order.tail")
	}
	if utf8.RuneCountInString(p.Source) > 64 {
		return errs.Field("source", "order.text", "limit", 64)
	}
	return nil
}

func isTail(s string) bool {
	return len(s) == 4 && strings.Trim(s, "0123456789") == ""
}

func checkFen(field string, n, least int64) error {
	if n < least || n > maxFen {
		return errs.Field(field, "order.amount", "least", least, "limit", int64(maxFen))
	}
	return nil
}

func checkTime(field string, t, now time.Time) error {
	if y := t.UTC().Year(); y < 2000 || y > 2199 {
		return errs.Field(field, "handlers.time")
	}
	if t.After(now.Add(ahead)) {
		return errs.Field(field, "order.future", "now", now)
	}
	return nil
}
