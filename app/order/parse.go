package order

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/xuri/excelize/v2"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

// columns are the heads of a file, in the order of the documentation; each may also stand in Chinese.
var columns = map[string][]string{
	"platform": {"平台"}, "order_no": {"订单号", "订单编号"}, "status": {"状态", "订单状态"}, "version": {"版本"}, "member_no": {"会员号"},
	"phone": {"手机号"}, "phone_tail": {"手机尾号"}, "paid_at": {"付款时间", "支付时间"}, "amount": {"实付金额", "实付"}, "shipping": {"运费"},
	"sku": {"SKU", "货号"}, "product": {"商品", "商品名称"}, "category": {"类目", "分类"}, "quantity": {"数量"},
	"refund_no": {"退款单号"}, "refund_amount": {"退款金额"}, "refunded_at": {"退款时间"}, "source": {"来源"},
}

// head says which column stands where.
func head(cells []string) (map[string]int, error) {
	at := map[string]int{}
	for i, c := range cells {
		if i == maxColumns {
			break
		}
		c = strings.TrimSpace(c)
		for name, others := range columns {
			if _, seen := at[name]; !seen && (strings.EqualFold(c, name) || slices.Contains(others, c)) {
				at[name] = i
			}
		}
	}
	for _, name := range []string{"platform", "order_no"} {
		if _, ok := at[name]; !ok {
			return nil, errs.Field("data", "order.column", "column", name)
		}
	}
	return at, nil
}

// reader reads one line of a file.
type reader struct {
	at    map[string]int
	cells []string
	zone  clock.Zone
	err   error // the first that was wrong
}

func (r *reader) text(column string) string {
	if i, ok := r.at[column]; ok && i < len(r.cells) {
		return strings.TrimSpace(r.cells[i])
	}
	return ""
}

func (r *reader) fail(column, key string) {
	if r.err == nil {
		r.err = errs.Field(column, key)
	}
}

var yuan = regexp.MustCompile(`^[0-9]{1,9}(\.[0-9]{1,2})?$`)

// fen reads an amount of yuan; nil for none.
func (r *reader) fen(column string) *int64 {
	s := strings.ReplaceAll(strings.TrimLeft(r.text(column), "¥￥"), ",", "")
	if s == "" {
		return nil
	}
	if !yuan.MatchString(s) {
		r.fail(column, "order.yuan")
		return nil
	}
	whole, part, _ := strings.Cut(s, ".")
	n, _ := strconv.ParseInt(whole+(part + "00")[:2], 10, 64) // has at most eleven digits
	return &n
}

func (r *reader) number(column string, none int64) int64 {
	s := r.text(column)
	if s == "" {
		return none
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		r.fail(column, "order.whole")
	}
	return n
}

// time reads a moment of the programme's zone, as people, machines and Excel write it; nil for none.
func (r *reader) time(column string) *time.Time {
	s := r.text(column)
	if s == "" {
		return nil
	}
	for _, layout := range []string{time.DateTime, "2006/1/2 15:04:05", "2006-01-02 15:04", "2006/1/2 15:04", time.RFC3339, time.DateOnly} {
		if t, err := time.ParseInLocation(layout, s, r.zone.Location()); err == nil {
			t = t.UTC()
			return &t
		}
	}
	if days, err := strconv.ParseFloat(s, 64); err == nil && days > 0 && days < 100_000 {
		if t, err := excelize.ExcelDateToTime(days, false); err == nil {
			t = time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, r.zone.Location()).UTC()
			return &t
		}
	}
	r.fail(column, "order.moment")
	return nil
}

// named is the value whose name in the locale files is s, or s.
func named(prefix, s string, values []string) string {
	for _, v := range values {
		if s == v || s == templates.T(templates.Chinese, prefix+v, nil) {
			return v
		}
	}
	return s
}

var statuses = []string{model.OrderPaid, model.OrderPartialRefund, model.OrderRefunded, model.OrderCancelled}

// exponent is a number that a spreadsheet has rounded.
var exponent = regexp.MustCompile(`^[0-9.]+[eE]\+?[0-9]+$`)

// push reads the line.
func (r *reader) push() (Push, error) {
	p := Push{
		Platform: named("order.platform.", r.text("platform"), model.Platforms), No: r.text("order_no"), Status: named("order.status.", r.text("status"), statuses),
		Version: r.number("version", 0), MemberNo: r.text("member_no"), Phone: r.text("phone"), PhoneTail: r.text("phone_tail"),
		PaidAt: r.time("paid_at"), AmountFen: r.fen("amount"), Source: r.text("source"),
	}
	if exponent.MatchString(p.No) {
		r.fail("order_no", "order.exponent")
	}
	if fen := r.fen("shipping"); fen != nil {
		p.ShippingFen = *fen
	}
	if product := r.text("product"); product != "" {
		it := Item{SKU: r.text("sku"), Product: product, Category: r.text("category"), Quantity: r.number("quantity", 1)}
		if p.AmountFen != nil {
			it.AmountFen = *p.AmountFen
		}
		p.Items = []Item{it}
	}
	if no := r.text("refund_no"); no != "" {
		p.Refunds = []Refund{r.refund(no)}
	}
	if p.Status == "" {
		p.Status = model.OrderPaid
		if len(p.Refunds) > 0 {
			p.Status = model.OrderPartialRefund
		}
	}
	return p, r.err
}

func (r *reader) refund(no string) Refund {
	out := Refund{No: no}
	if fen := r.fen("refund_amount"); fen != nil {
		out.AmountFen = *fen
	} else {
		r.fail("refund_amount", "order.required")
	}
	if at := r.time("refunded_at"); at != nil {
		out.RefundedAt = *at
	} else {
		r.fail("refunded_at", "order.required")
	}
	return out
}
