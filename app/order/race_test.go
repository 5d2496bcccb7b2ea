package order_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// An order that comes while its member is merged into another is the survivor's, whichever is first.
func TestPushDuringAMerge(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	perYuan(w)
	ctx := context.WithoutCancel(t.Context())
	for i := range 20 {
		loser, winner := w.Touched("oa", fmt.Sprint("loser", i)), w.Joined(fmt.Sprint("winner", i))
		no := fmt.Sprint("M-", i)
		if i%2 == 1 { // an operator's decision
			push(w, paid(w, no, 1000, 0))
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := w.Members.Merge(ctx, loser, winner, "one person")
			require.NoError(t, err)
		})
		wg.Go(func() {
			if i%2 == 0 {
				_, err := w.Orders.Push(ctx, paid(w, no, 1000, loser))
				require.NoError(t, err)
				return
			}
			var o model.Order
			require.NoError(t, w.DB.Reader(ctx).Where("no = ?", no).Take(&o).Error)
			_, err := w.Orders.Assign(ctx, o.ID, loser)
			if err != nil { // he was nobody's yet
				refused(t, errs.NotMember, err)
			}
		})
		wg.Wait()
	}
	merged := w.DB.Reader(ctx).Model(&model.Member{}).Select("id").Where("merged_into IS NOT NULL")
	require.Zero(t, w.Count(&model.Order{}, "member_id IN (?)", merged))
	require.Zero(t, w.Count(&model.Event{}, "member_id IN (?)", merged))
	w.Verified()
}
