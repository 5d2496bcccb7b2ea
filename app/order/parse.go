package order

import (
	"regexp"

	"github.com/siyu-scrm/siyu/app/sheet"
	"github.com/siyu-scrm/siyu/model"
)

// columns are the heads of a file, in the order of the documentation; each may also stand in Chinese.
var columns = map[string][]string{
	"platform": {"平台"}, "order_no": {"订单号", "订单编号"}, "status": {"状态", "订单状态"}, "version": {"版本"}, "member_no": {"会员号"},
	"phone": {"手机号"}, "phone_tail": {"手机尾号"}, "paid_at": {"付款时间", "支付时间"}, "amount": {"实付金额", "实付"}, "shipping": {"运费"},
	"sku": {"SKU", "货号"}, "product": {"商品", "商品名称"}, "category": {"类目", "分类"}, "quantity": {"数量"},
	"refund_no": {"退款单号"}, "refund_amount": {"退款金额"}, "refunded_at": {"退款时间"}, "source": {"来源"},
}

var statuses = []string{model.OrderPaid, model.OrderPartialRefund, model.OrderRefunded, model.OrderCancelled}

// exponent is a number that a spreadsheet has rounded.
var exponent = regexp.MustCompile(`^[0-9.]+[eE]\+?[0-9]+$`)

// push reads the line.
func push(r *sheet.Reader) (Push, error) {
	p := Push{
		Platform: r.OneOf("platform", "order.platform.", model.Platforms), No: r.Text("order_no"), Status: r.OneOf("status", "order.status.", statuses),
		Version: r.Number("version", 0), MemberNo: r.Text("member_no"), Phone: r.Text("phone"), PhoneTail: r.Text("phone_tail"),
		PaidAt: r.Time("paid_at"), AmountFen: r.Fen("amount"), Source: r.Text("source"),
	}
	if exponent.MatchString(p.No) {
		r.Fail("order_no", "order.exponent")
	}
	if fen := r.Fen("shipping"); fen != nil {
		p.ShippingFen = *fen
	}
	if product := r.Text("product"); product != "" {
		it := Item{SKU: r.Text("sku"), Product: product, Category: r.Text("category"), Quantity: r.Number("quantity", 1)}
		if p.AmountFen != nil {
			it.AmountFen = *p.AmountFen
		}
		p.Items = []Item{it}
	}
	if no := r.Text("refund_no"); no != "" {
		p.Refunds = []Refund{refund(r, no)}
	}
	if p.Status == "" {
		p.Status = model.OrderPaid
		if len(p.Refunds) > 0 {
			p.Status = model.OrderPartialRefund
		}
	}
	return p, r.Err()
}

func refund(r *sheet.Reader, no string) Refund {
	out := Refund{No: no}
	if fen := r.Fen("refund_amount"); fen != nil {
		out.AmountFen = *fen
	} else {
		r.Fail("refund_amount", "order.required")
	}
	if at := r.Time("refunded_at"); at != nil {
		out.RefundedAt = *at
	} else {
		r.Fail("refunded_at", "order.required")
	}
	return out
}
