package reward_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/coupon"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/reward"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

func TestCoupons(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	define := func(code string, stock *int64) int64 {
		c, err := w.Coupons.Save(t.Context(), coupon.Definition{Coupon: model.Coupon{
			Code: code, Name: code, Kind: model.CouponCashOff, OffFen: 100, ValidDays: 30, Enabled: true, Stock: stock,
		}})
		require.NoError(t, err)
		return c.ID
	}
	three := int64(3)
	many, few := define("many", nil), define("few", &three)
	r := w.Rule("visit", "behavior.visit", fmt.Sprintf(`{"grants":[{"kind":"coupon","coupon_id":"%d"},{"kind":"coupon","coupon_id":"%d","count":2}]}`, many, few))
	require.Contains(t, r.Sentence, "「few」×2")
	alice := w.Joined("alice")
	tried, err := w.Rewards.Try(t.Context(), reward.Trial{MemberID: alice, Kind: "behavior.visit"})
	require.NoError(t, err)
	require.Equal(t, []reward.TracedLine{{CouponID: many, Count: 1, Name: "many", Multiplier: "1"}, {CouponID: few, Count: 2, Name: "few", Multiplier: "1"}}, tried.Rules[0].Lines)
	require.Equal(t, []event.Grant{{Coupon: "many", Amount: 1, RuleID: r.ID, Rule: "visit"}, {Coupon: "few", Amount: 2, RuleID: r.ID, Rule: "visit"}}, visited(w, alice, "a"))
	gone := visited(w, alice, "b")
	require.EqualValues(t, 1, gone[0].Amount)
	require.EqualValues(t, 1, gone[1].Amount, "the last of three")
	require.Equal(t, "OUT_OF_STOCK", gone[1].Note)
	require.EqualValues(t, 5, w.Count(&model.MemberCoupon{}, "member_id = ? AND source = ?", alice, model.CouponByRule))
	visited(w, alice, "b")
	require.EqualValues(t, 5, w.Count(&model.MemberCoupon{}), "the same act again")

	for _, spec := range []reward.Spec{{Kind: reward.Coupon}, {Kind: reward.Coupon, CouponID: 99}, {Kind: reward.Coupon, CouponID: many, Count: 11}, {Kind: reward.Coupon, CouponID: many, Account: "points"}} {
		_, err := w.Rewards.Save(t.Context(), reward.Input{Code: "bad", Name: "bad", Trigger: "behavior.visit", Definition: reward.Definition{Grants: []reward.Spec{spec}}}, templates.Chinese)
		require.Equal(t, errs.Invalid, errs.CodeOf(err))
	}
}

// visited records the act "visit" and returns what it earned.
func visited(w *apptest.World, id int64, key string) []event.Grant {
	w.T.Helper()
	r, err := w.Events.Record(w.T.Context(), "shop", event.Behavior{MemberID: id, Action: "visit", Key: key, OccurredAt: w.Now()}, w.LockMember)
	require.NoError(w.T, err)
	return r.Grants
}
