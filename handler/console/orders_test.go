package console_test

import (
	"fmt"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/order"
	"github.com/siyu-scrm/siyu/model"
)

// An operator looks at an order, gives it to whose it is, and changes how orders are claimed.
func TestOrders(t *testing.T) {
	t.Parallel()
	w, b := signedIn(t)
	w.Rule("yuan", model.EventOrderPaid, `{"grants":[{"kind":"per_yuan","account":"points","amount":1}]}`)
	from, to := w.Joined("from"), w.Joined("to")
	fen, at := int64(12300), w.Now()
	p, err := w.Orders.Push(t.Context(), order.Push{
		Platform: "douyin", No: "DY1", Status: model.OrderPaid, MemberID: from, AmountFen: &fen, PaidAt: &at, Items: []order.Item{{Product: "唇膜", Quantity: 1, AmountFen: fen}},
		Refunds: []order.Refund{{No: "R1", AmountFen: 300, RefundedAt: at.Add(-time.Minute)}},
	})
	require.NoError(t, err)
	page := "/console/orders/" + fmt.Sprint(p.Order.ID)
	require.Contains(t, b.page("/console/orders?no=dy1"), "DY1")
	for _, what := range []string{"唇膜", "¥120.00", "R1", "+120"} {
		require.Contains(t, b.page(page), what)
	}
	require.Contains(t, b.page("/console/members/"+fmt.Sprint(from)), "抖音")

	assign := func(no string) int {
		return b.do(http.MethodPost, page+"/assign", url.Values{"no": {no}, "reason": {"his"}}).StatusCode
	}
	require.Equal(t, http.StatusBadRequest, assign("nobody"))
	m, err := w.Members.Get(t.Context(), to)
	require.NoError(t, err)
	require.Equal(t, http.StatusSeeOther, assign(m.No))
	require.Zero(t, w.Points(from))
	require.EqualValues(t, 120, w.Points(to))

	form := url.Values{"claim_days": {"30"}, "pending_days": {"7"}, "wrong_limit": {"3"}, "pending_limit": {"2"}, "platforms": {"jd", "store"}}
	require.Equal(t, http.StatusSeeOther, b.do(http.MethodPost, "/console/orders/claims", form).StatusCode)
	s, err := w.Orders.Settings(t.Context())
	require.NoError(t, err)
	require.Equal(t, `30 ["jd","store"]`, fmt.Sprint(int64(s.ClaimDays))+" "+string(s.Platforms))
	form.Set("claim_days", "0")
	require.Equal(t, http.StatusBadRequest, b.do(http.MethodPost, "/console/orders/claims", form).StatusCode)
	require.NotEmpty(t, b.page("/console/orders/imports"))
}
