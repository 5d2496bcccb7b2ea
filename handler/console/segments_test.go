package console_test

import (
	"fmt"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/order"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

func TestSegments(t *testing.T) {
	t.Parallel()
	t.Run("BandsAreRowsAndACellOpensTheAudienceOfIts", func(t *testing.T) {
		t.Parallel()
		w, b := signedIn(t)
		form := []string{
			"window_days", "90", "recency.0.from", "0", "recency.0.name", "近", "recency.2.from", "15", "recency.2.name", "远",
			"frequency.0.from", "1", "frequency.0.name", "一次", "frequency.1.from", "3", "frequency.1.name", "多次", "money.0.from", "0", "money.0.name", "少", "money.1.from", "99.50", "money.1.name", "多",
		}
		for field, value := range map[string]string{"recency.2.from": "0", "recency.2.name": "近", "money.1.from": "1.234", "frequency.0.from": "2", "window_days": "0"} {
			require.Regexp(t, `name="`+regexp.QuoteMeta(field)+`"[^>]*aria-invalid`, b.refused("/console/segments/rfm", with(form, field, value)...), field)
		}
		b.done("/console/segments/rfm", form...)
		require.Contains(t, b.page("/console/segments/rfm"), `value="99.50"`)
		alice := w.Joined("alice")
		w.Joined("bob")
		for i, fen := range []int64{4000, 5950, 1} {
			at := w.Now()
			_, err := w.Orders.Push(t.Context(), order.Push{Platform: "taobao", No: fmt.Sprint("T", i), Status: model.OrderPaid, AmountFen: &fen, PaidAt: &at, MemberID: alice})
			require.NoError(t, err)
		}
		w.Settle()
		page := b.page("/console/segments")
		cell := regexp.MustCompile(`heat-5"><a href="([^"]+)"><b>1</b></a><br><a href="[^"]+"><small>多 1</small>`).FindStringSubmatch(page)
		require.NotNil(t, cell, page)
		require.Len(t, regexp.MustCompile(`<td class="heat-0">`).FindAllString(page, -1), 3)
		require.Contains(t, b.page(regexp.MustCompile("&amp;").ReplaceAllString(cell[1], "&")), `<b data-look-count>1</b>`)
	})
	t.Run("ALayerIsChangedMovedAddedAndTakenAway", func(t *testing.T) {
		t.Parallel()
		w, b := signedIn(t)
		names := func() (out []string) {
			layers, err := w.Tags.PyramidLayers(t.Context(), templates.English)
			require.NoError(t, err)
			for _, l := range layers {
				out = append(out, l.Name)
			}
			return out
		}
		require.Contains(t, b.page("/console/segments"), "启用这些分层")
		require.Empty(t, names())
		b.done("/console/segments/layers")
		require.Equal(t, []string{"粉丝", "付费", "活跃", "新激活", "普通"}, names())
		require.Contains(t, b.page("/console/segments/layers/2"), `value="付费"`)
		layer := []string{"name", "贵宾", "place", "1", "facts", "any", "fact.0.leaf", "orders.count", "fact.0.orders.count.op", "gte", "fact.0.orders.count.value", "9"}
		require.Regexp(t, `name="name"[^>]*aria-invalid`, b.refused("/console/segments/layers/new", with(layer, "name", "活跃")...))
		require.Regexp(t, `name="fact.0.orders.count.value"[^>]*aria-invalid`, b.refused("/console/segments/layers/new", with(layer, "fact.0.orders.count.value", "-1")...))
		b.done("/console/segments/layers/new", layer...)
		require.Equal(t, []string{"贵宾", "粉丝", "付费", "活跃", "新激活", "普通"}, names())
		b.done("/console/segments/layers/1", with(layer, "place", "6")...)
		require.Equal(t, []string{"粉丝", "付费", "活跃", "新激活", "普通", "贵宾"}, names())
		b.done("/console/segments/layers/3/delete")
		require.Equal(t, []string{"粉丝", "付费", "新激活", "普通", "贵宾"}, names())
		require.Equal(t, 404, b.post("/console/segments/layers/6", layer...).StatusCode)
		require.Contains(t, string(lines(w, "pyramid.update")[0].Before), "活跃")
	})
}
