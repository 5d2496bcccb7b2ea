package reward_test

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"pgregory.net/rapid"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/reward"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

// perYuan is a rule that gives a point and a growth per yuan; more is added to its definition.
func perYuan(more string) string {
	return `{"grants":[{"kind":"per_yuan","account":"points","amount":1},{"kind":"per_yuan","account":"growth","amount":1}]` + more + `}`
}

func times(factor, more string) string {
	return fmt.Sprintf(`{"grants":[{"kind":"multiply","account":"points","factor":%s}]%s}`, factor, more)
}

func orderData(no string, fen int64) model.JSON {
	return model.ToJSON(map[string]any{"order_id": no, "platform": "own_mall", "order_no": no, "amount_fen": fen, "quantity": 2})
}

// order records an order of a member.
func order(w *apptest.World, kind string, memberID int64, no string, fen int64, at time.Time) (id int64, grants []event.Grant) {
	w.T.Helper()
	w.Tx(func(ctx context.Context, tx *gorm.DB) (err error) {
		if err = member.LockTx(tx, memberID); err != nil {
			return err
		}
		ev := &model.Event{MemberID: memberID, Kind: kind, Source: "order", Key: no, OccurredAt: at, Data: orderData(no, fen)}
		grants, err = w.Events.RecordTx(ctx, tx, ev)
		id = ev.ID
		return err
	})
	return id, grants
}

// adjust brings an order to a new amount; 0 = nothing remains.
func adjust(w *apptest.World, memberID, id int64, fen int64, key string) (grants []event.Grant) {
	w.T.Helper()
	w.Tx(func(ctx context.Context, tx *gorm.DB) (err error) {
		if err = member.LockTx(tx, memberID); err != nil {
			return err
		}
		a := reward.Adjustment{EventID: id, Key: key, Reason: "order.refund", At: w.Now()}
		if fen > 0 {
			a.Data = orderData("x", fen)
		}
		grants, err = w.Rewards.AdjustTx(ctx, tx, a)
		return err
	})
	return grants
}

func fieldOf(err error) any {
	var e *errs.Error
	if errors.As(err, &e) {
		return e.Args["field"]
	}
	return nil
}

func amounts(grants []event.Grant) (out []int64) {
	for _, g := range grants {
		out = append(out, g.Amount)
	}
	return out
}

func growth(w *apptest.World, id int64) int64 { return balance(w, id, model.AccountGrowth) }

func balance(w *apptest.World, id int64, account string) int64 {
	w.T.Helper()
	views, err := w.Book.Balances(w.T.Context(), id)
	require.NoError(w.T, err)
	for _, v := range views {
		if v.Account == account {
			return v.Available
		}
	}
	return 0
}

func TestMultipliers(t *testing.T) {
	t.Parallel()

	t.Run("TheTotalIsFlooredOnceAndTheBonusIsTheDifference", func(t *testing.T) { // PLAYBOOKS H5, P11
		t.Parallel()
		w := apptest.New(t)
		alice := w.Joined("alice")
		w.Rule("order", reward.AnyOrder, perYuan(""))
		w.Rule("double", model.EventOrderPaid, times("2", ""))
		_, grants := order(w, model.EventOrderPaid, alice, "1", 15990, w.Now())
		require.Equal(t, []int64{159, 160, 159}, amounts(grants), "319 points, growth as it is")
		require.False(t, grants[0].Bonus)
		require.True(t, grants[1].Bonus)
		_, grants = order(w, model.EventOrderClaimed, alice, "2", 15990, w.Now())
		require.Equal(t, []int64{159, 159}, amounts(grants), "a multiplier of payments leaves claims")
		require.EqualValues(t, 319+159, w.Points(alice))
		require.EqualValues(t, 318, growth(w, alice))
		w.Verified()
	})

	t.Run("ItsWindowIsHalfOpenAndLateOrdersUseThatOfTheirTime", func(t *testing.T) { // PLAYBOOKS H7, P03 #3, #10, #11
		t.Parallel()
		w := apptest.New(t)
		alice := w.Joined("alice")
		w.Rule("order", reward.AnyOrder, perYuan(""))
		w.Rule("triple", model.EventOrderClaimed, times("3", `,"from":"2026-11-23T00:00:00+08:00","until":"2026-11-30T00:00:00+08:00"`))
		w.Set("2026-12-01 00:00:00")
		for _, c := range []struct {
			at    string
			fen   int64
			grant []int64
		}{
			{"2026-11-23 21:00:00", 26850, []int64{268, 537, 268}},
			{"2026-11-29 23:59:59", 10000, []int64{100, 200, 100}},
			{"2026-11-30 00:00:00", 10000, []int64{100, 100}},
		} {
			_, grants := order(w, model.EventOrderClaimed, alice, c.at, c.fen, w.At(c.at))
			require.Equal(t, c.grant, amounts(grants), c.at)
		}
	})

	t.Run("OnOrdersTheyTouchOnlyWhatIsProportionalElsewhereFixedAmountsToo", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		alice := w.Joined("alice")
		w.Rule("first", model.EventOrderPaid, apptest.Earns(100, ""))
		w.Rule("pieces", model.EventOrderPaid, `{"grants":[{"kind":"per_unit","account":"points","amount":3,"field":"quantity"}]}`)
		w.Rule("quiz", "behavior.quiz", apptest.Earns(5, ""))
		w.Rule("other", "behavior.quiz", apptest.Earns(7, ""))
		w.Rule("streak", "behavior.quiz", `{"grants":[{"kind":"streak","account":"points","table":[{"days":7,"amount":20}]}]}`)
		w.Rule("half", reward.AnyEvent, times("1.5", ""))
		w.Rule("only", "behavior.quiz", times("9", `,"priority":-1`))
		_, grants := order(w, model.EventOrderPaid, alice, "1", 100, w.Now())
		require.Equal(t, []int64{100, 6, 3}, amounts(grants))
		_, err := w.Rewards.SaveSetting(t.Context(), model.CombineMax, "2")
		require.NoError(t, err)
		r, err := w.Events.Record(t.Context(), "test", event.Behavior{MemberID: alice, Action: "quiz", Key: "1", OccurredAt: w.Now(), Data: model.JSON(`{"streak":7}`)}, w.LockMember)
		require.NoError(t, err)
		require.Equal(t, []int64{5, 5, 7, 7, 20}, amounts(r.Grants), "×9 is bounded by ×2; what a streak reached is not multiplied")
		w.Verified()
	})

	t.Run("ItMayBeMeantForSomeRules", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		alice := w.Joined("alice")
		w.Rule("a", "behavior.quiz", apptest.Earns(5, ""))
		w.Rule("b", "behavior.quiz", apptest.Earns(7, ""))
		r := w.Rule("only-b", "behavior.quiz", `{"grants":[{"kind":"multiply","account":"points","factor":2,"rules":["b"]}]}`)
		require.Contains(t, r.Sentence, "b 的积分 ×2")
		require.NoError(t, w.Behave(alice, "quiz", "1", w.Now()))
		require.EqualValues(t, 5+14, w.Points(alice))
	})

	t.Run("SeveralCombineByTheSettingOfTheTime", func(t *testing.T) { // PLAYBOOKS H6
		t.Parallel()
		w := apptest.New(t)
		alice := w.Joined("alice")
		w.Rule("order", model.EventOrderPaid, `{"grants":[{"kind":"per_yuan","account":"points","amount":1}]}`)
		for i, f := range []string{"1.5", "3", "1.2", "3"} {
			w.Rule(fmt.Sprint("m", i), model.EventOrderPaid, times(f, ""))
		}
		at := w.Now()
		for i, c := range []struct {
			combine, most string
			points        int64
		}{
			{"max", "", 300}, {"add", "", 570}, {"multiply", "", 1620}, {"multiply", "10.5", 1050}, {"max", "2.25", 225},
		} {
			w.Advance(time.Minute)
			_, err := w.Rewards.SaveSetting(t.Context(), c.combine, c.most)
			require.NoError(t, err)
			before := w.Points(alice)
			order(w, model.EventOrderPaid, alice, fmt.Sprint(i), 10000, w.Now())
			require.Equal(t, c.points, w.Points(alice)-before, c)
		}
		before := w.Points(alice)
		order(w, model.EventOrderPaid, alice, "late", 10000, at)
		require.EqualValues(t, 300, w.Points(alice)-before, "paid before the first change")
	})

	t.Run("AFactorIsNeverAFloat", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		alice := w.Joined("alice")
		w.Rule("order", model.EventOrderPaid, `{"grants":[{"kind":"per_yuan","account":"points","amount":1}]}`)
		w.Rule("m", model.EventOrderPaid, times("1.15", "")) // 1.15 × 100 is 114.99999999999999 in floats
		order(w, model.EventOrderPaid, alice, "1", 10000, w.Now())
		require.EqualValues(t, 115, w.Points(alice))
		order(w, model.EventOrderPaid, alice, "2", 10_000_000_000, w.Now()) // the largest order
		require.EqualValues(t, 115+115_000_000, w.Points(alice))
	})

	t.Run("WhatCannotBeMeantIsRefused", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		for i, c := range []struct{ grants, field string }{
			{`{"kind":"multiply","account":"points","factor":1}`, "grants[0].factor"},
			{`{"kind":"multiply","account":"points","factor":0.5}`, "grants[0].factor"},
			{`{"kind":"multiply","account":"points","factor":1000.01}`, "grants[0].factor"},
			{`{"kind":"multiply","account":"points","factor":1.00001}`, "grants[0].factor"},
			{`{"kind":"multiply","account":"points","factor":1e2}`, "grants[0].factor"},
			{`{"kind":"multiply","account":"points"}`, "grants[0].factor"},
			{`{"kind":"multiply","account":"gold","factor":2}`, "grants[0].account"},
			{`{"kind":"multiply","account":"points","factor":2,"rules":["nobody"]}`, "grants[0].rules"},
			{`{"kind":"multiply","account":"points","factor":2},{"kind":"fixed","account":"points","amount":5}`, "grants[0].kind"},
			{`{"kind":"fixed","account":"points","amount":5,"factor":2}`, "grants[0].factor"},
			{`{"kind":"per_yuan","account":"points","amount":0}`, "grants[0].amount"},
			{`{"kind":"per_yuan","account":"points","amount":1,"per":-1}`, "grants[0].per"},
			{`{"kind":"fixed","account":"points","amount":1,"activate_after_days":400}`, "grants[0].activate_after_days"},
		} {
			var d reward.Definition
			require.NoError(t, model.JSON(`{"grants":[`+c.grants+`]}`).Into(&d))
			_, err := w.Rewards.Save(t.Context(), reward.Input{Code: fmt.Sprint("r", i), Name: "r", Trigger: model.EventOrderPaid, Definition: d}, templates.Chinese)
			require.Equal(t, errs.Invalid, errs.CodeOf(err), c.grants)
			require.Equal(t, c.field, fieldOf(err), c.grants)
		}
	})
}

func TestPointsAfterTheReturnWindow(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	alice := w.Joined("alice")
	r := w.Rule("order", model.EventOrderPaid, `{"grants":[{"kind":"per_yuan","account":"points","amount":1,"activate_after_days":7}]}`)
	require.Contains(t, r.Sentence, "7 天后到账")
	id, _ := order(w, model.EventOrderPaid, alice, "1", 10000, w.Now())
	require.Zero(t, w.Points(alice))
	adjust(w, alice, id, 4000, "1")
	require.Zero(t, w.Points(alice), "pending points are cancelled, never debited")
	w.Advance(7*24*time.Hour - time.Second)
	require.Zero(t, w.Points(alice))
	w.Advance(time.Second)
	require.EqualValues(t, 40, w.Points(alice))
	w.Verified()
}

func TestAdjust(t *testing.T) {
	t.Parallel()

	t.Run("APartialRefundTakesBackWhatIsTooMuch", func(t *testing.T) { // PLAYBOOKS P03 #8: 268.50 at ×3, 68.50 refunded
		t.Parallel()
		w := apptest.New(t)
		alice := w.Joined("alice")
		w.Rule("order", model.EventOrderClaimed, perYuan(""))
		w.Rule("first", model.EventOrderClaimed, apptest.Earns(50, ""))
		triple := w.Rule("triple", model.EventOrderClaimed, times("3", ""))
		id, _ := order(w, model.EventOrderClaimed, alice, "1", 26850, w.Now())
		require.EqualValues(t, 855, w.Points(alice))
		w.Advance(time.Hour) // the multiplier and the rate change: the grant's own count
		_, err := w.Rewards.Save(t.Context(), reward.Input{ID: triple.ID, Name: "off", Trigger: triple.Trigger, Definition: triple.Definition}, templates.Chinese)
		require.NoError(t, err)
		grants := adjust(w, alice, id, 20000, "order:1:2")
		require.Equal(t, []int64{-68, -137, -68}, amounts(grants))
		require.EqualValues(t, 650, w.Points(alice))
		require.EqualValues(t, 200, growth(w, alice))
		require.Empty(t, adjust(w, alice, id, 20000, "order:1:2"), "a repeat")
		grants = adjust(w, alice, id, 0, "order:1:3")
		require.Equal(t, []int64{-200, -400, -200, -50}, amounts(grants), "a fixed amount goes when nothing remains")
		require.Zero(t, w.Points(alice))
		w.Verified()
	})

	t.Run("AChangeThatMakesTheConditionFailTakesAll", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		alice := w.Joined("alice")
		w.Rule("over", model.EventOrderPaid, `{"condition":{"all":[{"leaf":"event.field","field":"amount_fen","op":"gte","value":50000},{"leaf":"did","event":"order.paid","op":"eq","count":1}]},
			"grants":[{"kind":"fixed","account":"points","amount":50}]}`)
		id, _ := order(w, model.EventOrderPaid, alice, "1", 60000, w.Now())
		require.EqualValues(t, 50, w.Points(alice))
		adjust(w, alice, id, 50000, "a")
		require.EqualValues(t, 50, w.Points(alice))
		adjust(w, alice, id, 49999, "b")
		require.Zero(t, w.Points(alice))
		adjust(w, alice, id, 55000, "c")
		require.EqualValues(t, 50, w.Points(alice))
		w.Verified()
	})

	t.Run("CapsDoNotReopenAndAnUpwardCorrectionStaysInTheRoom", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		alice := w.Joined("alice")
		w.Rule("order", model.EventOrderPaid, `{"grants":[{"kind":"per_yuan","account":"points","amount":1}],"caps":[{"period":"day","account":"points","amount":100}]}`)
		first, _ := order(w, model.EventOrderPaid, alice, "1", 6000, w.Now())
		adjust(w, alice, first, 2000, "a")
		second, grants := order(w, model.EventOrderPaid, alice, "2", 9000, w.Now())
		require.Equal(t, []int64{40}, amounts(grants), "60 stay counted")
		require.Equal(t, "DAILY_CAP", grants[0].Note)
		adjust(w, alice, second, 4500, "b")
		require.EqualValues(t, 60, w.Points(alice), "45 yuan are worth more than the room of 40")
		adjust(w, alice, second, 3000, "c")
		require.EqualValues(t, 50, w.Points(alice))
		adjust(w, alice, first, 9000, "d")
		require.EqualValues(t, 90, w.Points(alice), "up to the 60 that were counted, and no further: the day is full")
		w.Verified()
		w.Advance(24 * time.Hour)
		third, _ := order(w, model.EventOrderPaid, alice, "3", 1000, w.Now())
		adjust(w, alice, third, 5000, "e")
		w.Verified()
		_, grants = order(w, model.EventOrderPaid, alice, "4", 9000, w.Now())
		require.Equal(t, []int64{50}, amounts(grants), "what a correction granted counts")
		w.Verified()
	})

	t.Run("WhatComesBackAfterARefundWasCountedBefore", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		alice := w.Joined("alice")
		w.Rule("order", model.EventOrderPaid, `{"grants":[{"kind":"per_yuan","account":"points","amount":1}],"caps":[{"period":"day","account":"points","amount":100}]}`)
		id, _ := order(w, model.EventOrderPaid, alice, "1", 5000, w.Now())
		adjust(w, alice, id, 2000, "a")
		adjust(w, alice, id, 5000, "b")
		require.EqualValues(t, 50, w.Points(alice))
		adjust(w, alice, id, 6000, "c")
		require.EqualValues(t, 60, w.Points(alice), "of the correction only what goes beyond the 50 is counted")
		_, grants := order(w, model.EventOrderPaid, alice, "2", 9000, w.Now())
		require.Equal(t, []int64{40}, amounts(grants), "the day has room for all but the 60")
		w.Verified()
	})

	t.Run("WhatWasSpentIsDebtOrARisk", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		alice := w.Joined("alice")
		w.Rule("order", model.EventOrderPaid, perYuan(""))
		spend := func() {
			_, err := w.Book.Grant(t.Context(), ledger.Manual{MemberID: alice, Account: "points", Amount: -80, Memo: "spent", Actor: "test"})
			require.NoError(t, err)
		}
		id, _ := order(w, model.EventOrderPaid, alice, "1", 10000, w.Now())
		spend()
		adjust(w, alice, id, 0, "a")
		require.EqualValues(t, -80, w.Points(alice))
		id, _ = order(w, model.EventOrderPaid, alice, "2", 18000, w.Now())
		require.EqualValues(t, 100, w.Points(alice), "later earnings repay debt first")
		w.Tx(func(_ context.Context, tx *gorm.DB) error {
			if err := tx.Exec("UPDATE accounts SET debt = ? WHERE code = 'points'", false).Error; err != nil {
				return err
			}
			return db.Bump(tx, "accounts")
		})
		spend()
		grants := adjust(w, alice, id, 5000, "b")
		require.EqualValues(t, -20, grants[0].Amount)
		require.Equal(t, ledger.NoteClamped, grants[0].Note)
		require.Zero(t, w.Points(alice))
		require.EqualValues(t, 1, w.Count(&model.Risk{}, "member_id = ? AND kind = ?", alice, model.RiskShortfall))
		adjust(w, alice, id, 0, "c")
		w.Verified()
	})

	t.Run("TwentyRefundsAtOnceTakeItBackOnce", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		alice := w.Joined("alice")
		w.Rule("order", model.EventOrderPaid, perYuan(""))
		id, _ := order(w, model.EventOrderPaid, alice, "1", 10000, w.Now())
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() { adjust(w, alice, id, 5000, fmt.Sprint("r", i)) })
		}
		wg.Wait()
		require.EqualValues(t, 50, w.Points(alice))
		w.Verified()
	})
}

// Several partial refunds and corrections leave exactly what the last amount alone would have earned.
func TestAdjustIsFOfWhatRemains(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	n := 0
	rapid.Check(t, func(r *rapid.T) {
		n++
		action := fmt.Sprint("m", n)
		alice := w.Joined(action)
		rate, per := rapid.Int64Range(1, 7).Draw(r, "rate"), rapid.Int64Range(1, 3).Draw(r, "per")
		factor := rapid.SampledFrom([]string{"", "1.5", "1.15", "3", "2.3333"}).Draw(r, "factor")
		only := fmt.Sprintf(`"condition":{"leaf":"event.field","field":"order_no","op":"eq","value":%q},`, action)
		w.Rule("r"+action, model.EventOrderPaid, fmt.Sprintf(`{%s"grants":[{"kind":"per_yuan","account":"points","amount":%d,"per":%d}]}`, only, rate, per))
		by := big.NewRat(1, 1)
		if factor != "" {
			w.Rule("x"+action, model.EventOrderPaid, "{"+only+times(factor, "")[1:])
			by, _ = by.SetString(factor)
		}
		f := func(fen int64) int64 {
			v := new(big.Rat).Mul(big.NewRat(fen*rate, 100*per), by)
			return new(big.Int).Quo(v.Num(), v.Denom()).Int64()
		}
		fen := rapid.Int64Range(1, 100_000).Draw(r, "fen")
		id, _ := order(w, model.EventOrderPaid, alice, action, fen, w.Now())
		require.Equal(t, f(fen), w.Points(alice))
		for i, to := range rapid.SliceOfN(rapid.Int64Range(1, 100_000), 0, 6).Draw(r, "changes") {
			w.Tx(func(ctx context.Context, tx *gorm.DB) error {
				if err := member.LockTx(tx, alice); err != nil {
					return err
				}
				_, err := w.Rewards.AdjustTx(ctx, tx, reward.Adjustment{EventID: id, Data: orderData(action, to), Key: fmt.Sprint(i), Reason: "order.refund", At: w.Now()})
				return err
			})
			require.Equal(t, f(to), w.Points(alice), to)
		}
		adjust(w, alice, id, 0, "all")
		require.Zero(t, w.Points(alice))
	})
	w.Verified()
}
