package tier_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/coupon"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/tier"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

// settings that most tests use.
var settings = model.TierSettings{Account: "growth", Basis: "lifetime", Downgrade: model.TierImmediate, ReviewDays: 30, NoticeDays: 7}

// ladder makes the tiers by their thresholds, named V1, V2 …, and gives their ids.
func ladder(w *apptest.World, set model.TierSettings, tiers ...tier.Tier) []int64 {
	w.T.Helper()
	for i := range tiers {
		if tiers[i].Name == "" {
			tiers[i].Name = fmt.Sprint("V", i+1)
		}
	}
	saved, err := w.Tiers.Save(w.T.Context(), tier.Input{Settings: set, Tiers: tiers}, "test")
	require.NoError(w.T, err)
	w.Settle()
	ids := make([]int64, len(saved.Ladder.Tiers))
	for i, t := range saved.Ladder.Tiers {
		ids[i] = t.ID
	}
	return ids
}

func at(threshold int64, gifts ...tier.Gift) tier.Tier {
	return tier.Tier{Threshold: threshold, Gifts: gifts}
}

// grow changes somebody's growth as an event would, and returns what the event's chain granted.
func grow(w *apptest.World, id, amount int64) []event.Grant {
	w.T.Helper()
	var grants []event.Grant
	w.Tx(func(ctx context.Context, tx *gorm.DB) error {
		if err := member.LockTx(tx, id); err != nil {
			return err
		}
		p := ledger.Posting{MemberID: id, Account: "growth", Amount: amount, Reason: "test", Key: fmt.Sprint(w.Count(&model.Entry{}), id), AllowDebt: true}
		if amount < 0 {
			p.Kind = model.EntryReverse
		}
		_, err := w.Book.PostTx(ctx, tx, p)
		return err
	})
	return grants
}

// paid records an order of so much, with an event of its own.
func paid(w *apptest.World, id int64, fen int64, at time.Time) []event.Grant {
	w.T.Helper()
	var grants []event.Grant
	w.Tx(func(ctx context.Context, tx *gorm.DB) (err error) {
		if err := member.LockTx(tx, id); err != nil {
			return err
		}
		var n int64
		if err := tx.Model(&model.Event{}).Count(&n).Error; err != nil {
			return err
		}
		grants, err = w.Events.RecordTx(ctx, tx, &model.Event{
			MemberID: id, Kind: model.EventOrderPaid, Source: "test", Key: fmt.Sprint(n), OccurredAt: at, Joined: true,
			Data: model.ToJSON(map[string]any{"order_id": fmt.Sprint(n), "amount_fen": fen}),
		})
		return err
	})
	return grants
}

func name(w *apptest.World, id int64) string {
	w.T.Helper()
	v, err := w.Tiers.Of(w.T.Context(), id)
	require.NoError(w.T, err)
	if v == nil || v.Tier == nil {
		return ""
	}
	return v.Tier.Name
}

func newCoupon(w *apptest.World, code string, stock *int64) int64 {
	w.T.Helper()
	c, err := w.Coupons.Save(w.T.Context(), coupon.Definition{Coupon: model.Coupon{Code: code, Name: code, Kind: model.CouponFreeItem, ValidDays: 30, Enabled: true, Stock: stock}})
	require.NoError(w.T, err)
	return c.ID
}

func held(w *apptest.World, id int64, state string) (names []string) {
	w.T.Helper()
	all, err := w.Coupons.Of(w.T.Context(), id, 0, 50)
	require.NoError(w.T, err)
	for _, h := range all {
		if h.StateAt(w.Now()) == state {
			names = append(names, h.Coupon.Name)
		}
	}
	return names
}

func TestRising(t *testing.T) {
	t.Parallel()

	t.Run("AThresholdIsInclusiveAndCountsAtOnce", func(t *testing.T) { // P22, P38 #2
		t.Parallel()
		w := apptest.New(t)
		ladder(w, settings, at(500), at(2000), at(3000))
		alice := w.Joined("alice")
		require.Empty(t, name(w, alice))
		for _, step := range []struct {
			grow int64
			want string
		}{{499, ""}, {1, "V1"}, {1499, "V1"}, {1, "V2"}, {1001, "V3"}, {-1, "V3"}, {-1, "V2"}, {-1001, "V1"}, {-1499, ""}} {
			grow(w, alice, step.grow)
			require.Equal(t, step.want, name(w, alice), "%+d", step.grow)
		}
		require.EqualValues(t, 3, w.Count(&model.Event{}, "kind = ?", model.EventTierUp))
		require.EqualValues(t, 3, w.Count(&model.Event{}, "kind = ?", model.EventTierDown))
	})

	t.Run("TheGapToTheNext", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		alice := w.Joined("alice")
		v, err := w.Tiers.Of(t.Context(), alice)
		require.NoError(t, err)
		require.Nil(t, v, "a programme without tiers")
		ids := ladder(w, settings, at(0), at(300), at(1000))
		grow(w, alice, 400)
		v, err = w.Tiers.Of(t.Context(), alice)
		require.NoError(t, err)
		require.Equal(t, "V3", v.Next.Name)
		require.EqualValues(t, 600, v.Gap)
		var e *errs.Error
		require.ErrorAs(t, w.Tiers.Reached(t.Context(), w.DB.Reader(t.Context()), alice, ids[2], w.Now()), &e) // P09 #4
		require.Equal(t, errs.TierTooLow, e.Code)
		require.Equal(t, map[string]any{"next_tier": "V3", "short_by": int64(600)}, e.Args)
		require.NoError(t, w.Tiers.Reached(t.Context(), w.DB.Reader(t.Context()), alice, ids[1], w.Now()))
		grow(w, alice, 600)
		v, err = w.Tiers.Of(t.Context(), alice)
		require.NoError(t, err)
		require.Nil(t, v.Next)
	})

	t.Run("TheOrderThatLiftsIsPointedAtTheOldTier", func(t *testing.T) { // H13, P09 #2 and #3
		t.Parallel()
		w := apptest.New(t)
		ids := ladder(w, settings, at(0), at(300))
		w.Rule("growth", model.EventOrderPaid, `{"grants":[{"kind":"per_unit","account":"growth","amount":1,"field":"amount_fen"}]}`)
		w.Rule("old", model.EventOrderPaid, fmt.Sprintf(`{"condition":{"leaf":"tier","in":["%d"]},"grants":[{"kind":"fixed","account":"points","amount":1}]}`, ids[0]))
		w.Rule("new", model.EventOrderPaid, fmt.Sprintf(`{"condition":{"leaf":"tier","at_least":"%d"},"grants":[{"kind":"fixed","account":"points","amount":100}]}`, ids[1]))
		alice := w.Joined("alice")
		first := w.Now()
		paid(w, alice, 300, first)
		require.EqualValues(t, 1, w.Points(alice))
		require.Equal(t, "V2", name(w, alice))
		paid(w, alice, 1, first) // in the same second, and even so after it
		require.EqualValues(t, 101, w.Points(alice))
		w.Advance(time.Hour)
		paid(w, alice, 1, first.Add(-time.Minute)) // arrives late: he was in V1 then
		require.EqualValues(t, 101, w.Points(alice), "he had not joined by then")
		var ev model.Event
		require.NoError(t, w.DB.Reader(t.Context()).Where("kind = ?", model.EventOrderPaid).Order("id").First(&ev).Error)
		then, err := tier.At(w.DB.Reader(t.Context()), alice, ev.OccurredAt, &ev)
		require.NoError(t, err)
		require.Equal(t, ids[0], then, "asked again later, the answer is the same")
	})

	t.Run("AJumpGivesEveryCrossedGiftOnce", func(t *testing.T) { // P04 #5 to #9
		t.Parallel()
		w := apptest.New(t)
		half, free := newCoupon(w, "half", nil), newCoupon(w, "free", nil)
		ladder(w, settings, at(0), at(100), at(300, tier.Gift{CouponID: half}, tier.Gift{Account: "points", Amount: 30}), at(800, tier.Gift{CouponID: free}))
		w.Rule("growth", model.EventOrderPaid, `{"grants":[{"kind":"per_unit","account":"growth","amount":1,"field":"amount_fen"}]}`)
		alice := w.Joined("alice")
		grants := paid(w, alice, 900, w.Now())
		require.ElementsMatch(t, []string{"half", "free"}, held(w, alice, model.CouponUsable))
		require.EqualValues(t, 30, w.Points(alice))
		require.Len(t, grants, 4, "what the tiers gave is shown with what the order earned")
		grow(w, alice, -700)
		require.Equal(t, "V2", name(w, alice))
		require.Len(t, held(w, alice, model.CouponUsable), 2, "nobody refunded an order")
		grow(w, alice, 700)
		require.Len(t, held(w, alice, model.CouponUsable), 2, "once in a lifetime")
		require.EqualValues(t, 30, w.Points(alice))
		w.Verified()
	})

	t.Run("AGiftThatIsGoneDoesNotStopTheRise", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		none := int64(0)
		ladder(w, settings, at(100, tier.Gift{CouponID: newCoupon(w, "gone", &none)}))
		w.Rule("growth", model.EventOrderPaid, `{"grants":[{"kind":"per_unit","account":"growth","amount":1,"field":"amount_fen"}]}`)
		alice := w.Joined("alice")
		grants := paid(w, alice, 100, w.Now())
		require.Equal(t, "V1", name(w, alice))
		require.Equal(t, event.Grant{Coupon: "gone", Note: "OUT_OF_STOCK", Rule: "V1"}, grants[1])
	})

	t.Run("TheLowestTierGivesItsGiftAtRegistration", func(t *testing.T) { // P09 #1
		t.Parallel()
		w := apptest.New(t)
		ladder(w, settings, at(0, tier.Gift{CouponID: newCoupon(w, "hello", nil)}))
		alice := w.Joined("alice")
		require.Equal(t, "V1", name(w, alice))
		require.Equal(t, []string{"hello"}, held(w, alice, model.CouponUsable))
		require.Zero(t, w.Count(&model.Event{}, "kind = ?", model.EventTierUp))
		require.Empty(t, name(w, w.Touched("oa", "follower")))
	})

	t.Run("TwentyChangesAtOnceLeaveOneTier", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		ladder(w, settings, at(5, tier.Gift{Account: "points", Amount: 7}), at(10), at(20))
		alice := w.Joined("alice")
		w.Rule("growth", "behavior.buy", `{"grants":[{"kind":"fixed","account":"growth","amount":1}]}`)
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				if err := w.Behave(alice, "buy", fmt.Sprint(i), apptest.Start); err != nil {
					t.Errorf("Behave: %v", err)
				}
			})
		}
		wg.Wait()
		require.Equal(t, "V3", name(w, alice))
		require.EqualValues(t, 1, w.Count(&model.MemberTier{}, "member_id = ? AND open = ?", alice, true))
		require.EqualValues(t, 3, w.Count(&model.Event{}, "kind = ?", model.EventTierUp))
		require.EqualValues(t, 7, w.Points(alice))
	})

	t.Run("TheIndexForbidsTwoTiersAtOnceAndAllowsAHistory", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		w.Tx(func(_ context.Context, tx *gorm.DB) error {
			yes := true
			for i, open := range []*bool{&yes, nil, nil, &yes} {
				dup, err := db.Insert(tx, &model.MemberTier{MemberID: 1, Open: open, FromAt: w.Now(), Cause: "change"})
				require.NoError(t, err)
				require.Equal(t, i == 3, dup)
			}
			return member.ChangedTx(tx, 1)
		})
	})
}

func TestRefund(t *testing.T) { // P04 #7 and #8
	t.Parallel()
	w := apptest.New(t)
	a, b := newCoupon(w, "a", nil), newCoupon(w, "b", nil)
	ladder(w, settings, at(100, tier.Gift{CouponID: a}), at(200, tier.Gift{CouponID: b}))
	w.Rule("growth", "behavior.buy", `{"grants":[{"kind":"per_unit","account":"growth","amount":1,"field":"n"}]}`)
	alice := w.Joined("alice")
	grow(w, alice, 250)
	refund := func(amount int64) {
		w.Tx(func(ctx context.Context, tx *gorm.DB) error {
			if err := member.LockTx(tx, alice); err != nil {
				return err
			}
			_, err := w.Book.PostTx(ctx, tx, ledger.Posting{
				MemberID: alice, Account: "growth", Amount: -amount, Kind: model.EntryReverse, Reason: "refund", AllowDebt: true,
				EventID: 1, Key: fmt.Sprint("refund", w.Count(&model.Entry{})),
			})
			return err
		})
	}
	all, err := w.Coupons.Of(t.Context(), alice, 0, 10)
	require.NoError(t, err)
	for _, h := range all {
		if h.Coupon.Name == "a" {
			_, err = w.Coupons.Verify(t.Context(), coupon.Use{Code: h.Code}, w.Now())
			require.NoError(t, err)
		}
	}
	refund(200)
	require.Empty(t, name(w, alice))
	require.Equal(t, []string{"b"}, held(w, alice, model.CouponRevoked), "what was not used goes back")
	require.EqualValues(t, 1, w.Count(&model.Risk{}, "kind = ? AND member_id = ?", model.RiskBenefitUsed, alice))
	grow(w, alice, 200)
	require.Equal(t, "V2", name(w, alice))
	require.Equal(t, []string{"b"}, held(w, alice, model.CouponUsable), "the first was revoked unused, so there is another; the used one stays the only one")
}

func TestReview(t *testing.T) {
	t.Parallel()
	set := settings
	set.Downgrade = model.TierReview

	t.Run("WhoFellKeepsHisTierUntilTheReview", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		ladder(w, set, at(0), at(100), at(200))
		alice := w.Joined("alice")
		grow(w, alice, 250)
		v, err := w.Tiers.Of(t.Context(), alice)
		require.NoError(t, err)
		require.Equal(t, w.At("2026-12-23 00:00:00"), v.ReviewAt.UTC(), "30 days after the day of the upgrade")
		grow(w, alice, -100)
		require.Equal(t, "V3", name(w, alice))
		w.Set("2026-12-15 23:59:59")
		require.Zero(t, w.Count(&model.Event{}, "kind = ?", model.EventTierSoon))
		w.Set("2026-12-16 00:00:00")
		require.EqualValues(t, 1, w.Count(&model.Event{}, "kind = ?", model.EventTierSoon), "told 7 days before")
		w.Set("2026-12-22 23:59:59")
		require.Equal(t, "V3", name(w, alice))
		require.EqualValues(t, 1, w.Count(&model.Event{}, "kind = ?", model.EventTierSoon), "once")
		w.Set("2026-12-23 00:00:00")
		require.Equal(t, "V2", name(w, alice))
		grow(w, alice, 40)
		require.Equal(t, "V2", name(w, alice), "190")
	})

	t.Run("WhoMeetsItKeepsItForAnotherPeriodAndIsNotTold", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		ladder(w, set, at(0), at(100))
		alice := w.Joined("alice")
		grow(w, alice, 150)
		grow(w, alice, -50)
		w.Set("2026-12-23 00:00:00")
		v, err := w.Tiers.Of(t.Context(), alice)
		require.NoError(t, err)
		require.Equal(t, "V2", v.Tier.Name)
		require.Equal(t, w.At("2027-01-22 00:00:00"), v.ReviewAt.UTC())
		require.Zero(t, w.Count(&model.Event{}, "kind = ?", model.EventTierSoon))
		grow(w, alice, -1)
		require.Equal(t, "V2", name(w, alice), "the closed period is not opened again")
		w.Set("2027-01-22 00:00:00")
		require.Equal(t, "V1", name(w, alice))
		history, err := w.Tiers.History(t.Context(), alice)
		require.NoError(t, err)
		require.Len(t, history, 3)
		require.Equal(t, model.TierByReview, history[0].Cause)
	})
}

func TestLeaf(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	ids := ladder(w, settings, at(0), at(100), at(200))
	alice, bob, carol := w.Joined("alice"), w.Joined("bob"), w.Joined("carol")
	for id, n := range map[int64]int64{bob: 100, carol: 300} {
		grow(w, id, n)
	}
	before := w.Now()
	w.Advance(time.Hour)
	grow(w, bob, 100)
	for _, c := range []struct {
		leaf string
		when time.Time
		want []uint32
	}{
		{fmt.Sprintf(`{"leaf":"tier","at_least":"%d"}`, ids[1]), w.Now(), []uint32{uint32(bob), uint32(carol)}},
		{fmt.Sprintf(`{"leaf":"tier","at_least":"%d"}`, ids[2]), w.Now(), []uint32{uint32(bob), uint32(carol)}},
		{fmt.Sprintf(`{"leaf":"tier","at_least":"%d"}`, ids[2]), before, []uint32{uint32(carol)}},
		{fmt.Sprintf(`{"leaf":"tier","in":["%d","%d"]}`, ids[0], ids[1]), before, []uint32{uint32(alice), uint32(bob)}},
		{fmt.Sprintf(`{"not":{"leaf":"tier","in":["%d"]}}`, ids[0]), w.Now(), []uint32{uint32(bob), uint32(carol)}},
	} {
		tree, err := w.Conditions.Parse([]byte(c.leaf))
		require.NoError(t, err)
		tx := w.DB.Reader(t.Context())
		require.NoError(t, w.Conditions.Check(t.Context(), tx, tree))
		all := roaring.BitmapOf(uint32(alice), uint32(bob), uint32(carol))
		got, err := w.Conditions.Members(t.Context(), tx, c.when, all, tree)
		require.NoError(t, err)
		got = roaring.And(got, all)
		require.Equal(t, c.want, got.ToArray(), c.leaf)
		for _, id := range all.ToArray() { // the two readings agree
			v, _, err := w.Conditions.Eval(t.Context(), tx, &condition.Subject{MemberID: int64(id), At: c.when}, tree)
			require.NoError(t, err)
			require.Equal(t, got.Contains(id), v.Holds)
		}
		sentence, err := w.Conditions.Sentence(t.Context(), tx, templates.Chinese, tree)
		require.NoError(t, err)
		require.Contains(t, sentence, "「V")
	}
	for _, bad := range []string{`{"leaf":"tier"}`, `{"leaf":"tier","at_least":"999999"}`, `{"leaf":"tier","at_least":"1","in":["1"]}`, `{"leaf":"tier","in":["x"]}`} {
		tree, err := w.Conditions.Parse([]byte(bad))
		require.NoError(t, err)
		require.Equal(t, errs.Invalid, errs.CodeOf(w.Conditions.Check(t.Context(), w.DB.Reader(t.Context()), tree)), bad)
	}
}

func TestSave(t *testing.T) {
	t.Parallel()

	t.Run("ThePreviewSaysWhatSavingDoes", func(t *testing.T) { // DESIGN P8
		t.Parallel()
		w := apptest.New(t)
		ids := ladder(w, settings, at(100), at(200))
		people := make([]int64, 60)
		for i := range people {
			people[i] = w.Joined(fmt.Sprint("m", i))
			grow(w, people[i], int64(10*i+1))
		}
		in := tier.Input{Settings: settings, Tiers: []tier.Tier{{ID: ids[0], Name: "V1", Threshold: 50}, {ID: ids[1], Name: "V2", Threshold: 300}, {Name: "V3", Threshold: 560}}}
		p, err := w.Tiers.Preview(t.Context(), in)
		require.NoError(t, err)
		p.Tiers = nil
		require.Equal(t, tier.Preview{Up: 9, Down: 10, Same: 41, Members: []int64{25, 26, 4}, Below: 5}, *p)
		saved, err := w.Tiers.Save(t.Context(), in, "test")
		require.NoError(t, err)
		w.Settle()
		done, err := w.Works.Get(t.Context(), saved.Work.ID)
		require.NoError(t, err)
		require.Equal(t, model.WorkDone, done.State)
		var result struct{ Up, Down int64 }
		require.NoError(t, json.Unmarshal(done.Result, &result))
		require.Equal(t, p.Up, result.Up)
		require.Equal(t, p.Down, result.Down)
		after, err := w.Tiers.Preview(t.Context(), tier.Input{Settings: settings, Tiers: saved.Ladder.Tiers})
		require.NoError(t, err)
		require.Zero(t, after.Up+after.Down)
		require.Equal(t, p.Members, after.Members)
	})

	t.Run("ARemovedTierStaysInTheHistory", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		ids := ladder(w, settings, at(100), at(200))
		alice := w.Joined("alice")
		grow(w, alice, 250)
		_, err := w.Tiers.Save(t.Context(), tier.Input{Settings: settings, Tiers: []tier.Tier{{ID: ids[0], Name: "V1", Threshold: 100}}}, "test")
		require.NoError(t, err)
		w.Settle()
		require.Equal(t, "V1", name(w, alice))
		history, err := w.Tiers.History(t.Context(), alice)
		require.NoError(t, err)
		require.Equal(t, "V2", history[1].Name)
	})

	t.Run("WhatCannotBeMeantIsRefused", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		for field, change := range map[string]func(*tier.Input){
			"account":                     func(in *tier.Input) { in.Settings.Account = "gold" },
			"basis":                       func(in *tier.Input) { in.Settings.Basis = "x" },
			"downgrade":                   func(in *tier.Input) { in.Settings.Downgrade = "x" },
			"review_days":                 func(in *tier.Input) { in.Settings.ReviewDays = 0 },
			"notice_days":                 func(in *tier.Input) { in.Settings.NoticeDays = 30 },
			"tiers[1].threshold":          func(in *tier.Input) { in.Tiers[1].Threshold = in.Tiers[0].Threshold },
			"tiers[0].threshold":          func(in *tier.Input) { in.Tiers[0].Threshold = -1 },
			"tiers[0].name":               func(in *tier.Input) { in.Tiers[0].Name = " " },
			"tiers[0].id":                 func(in *tier.Input) { in.Tiers[0].ID = 99 },
			"tiers[0].gifts[0]":           func(in *tier.Input) { in.Tiers[0].Gifts = []tier.Gift{{Account: "growth", Amount: 5}} },
			"tiers[0].gifts[0].coupon_id": func(in *tier.Input) { in.Tiers[0].Gifts = []tier.Gift{{CouponID: 99}} },
		} {
			in := tier.Input{Settings: settings, Tiers: []tier.Tier{{Name: "a", Threshold: 1}, {Name: "b", Threshold: 2}}}
			change(&in)
			_, err := w.Tiers.Save(t.Context(), in, "test")
			var e *errs.Error
			require.ErrorAs(t, err, &e, field)
			require.Equal(t, field, e.Args["field"])
		}
	})
}

func TestSimulate(t *testing.T) { // P38 #3
	t.Parallel()
	w := apptest.New(t)
	ladder(w, settings, at(1000), at(3000))
	w.Rule("checkin", model.EventCheckin, `{"grants":[{"kind":"fixed","account":"points","amount":5},{"kind":"fixed","account":"growth","amount":1}]}`)
	w.Rule("order", model.EventOrderPaid, `{"grants":[{"kind":"per_unit","account":"growth","amount":1,"field":"yuan"}]}`)
	w.Settle()
	before := w.Tables()
	p, err := w.Tiers.Simulate(t.Context(), []tier.Act{{Kind: model.EventCheckin, Times: 30}, {Kind: model.EventOrderPaid, Times: 1, Data: model.JSON(`{"yuan":300}`)}})
	require.NoError(t, err)
	require.EqualValues(t, 330, p.PerMonth)
	require.EqualValues(t, 4, p.Tiers[0].Month)
	require.EqualValues(t, 10, p.Tiers[1].Month)
	require.Equal(t, before, w.Tables(), "a simulation writes nothing")
	_, err = w.Tiers.Simulate(t.Context(), []tier.Act{{Kind: "nothing", Times: 1}})
	require.Equal(t, errs.Invalid, errs.CodeOf(err))
}

func TestMerge(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	ladder(w, settings, at(100, tier.Gift{Account: "points", Amount: 10}), at(200))
	alice, again := w.Joined("alice"), w.Joined("again")
	grow(w, alice, 120)
	grow(w, again, 110)
	_, err := w.Members.Merge(t.Context(), alice, again, "same")
	require.NoError(t, err)
	require.Equal(t, "V2", name(w, alice), "230 together")
	require.EqualValues(t, 1, w.Count(&model.MemberTier{}, "open = ?", true))
	_, err = w.Members.UndoMerge(t.Context(), again)
	require.NoError(t, err)
	require.Equal(t, "V1", name(w, alice))
	require.Equal(t, "V1", name(w, again))
	grow(w, again, -20)
	grow(w, again, 20)
	require.EqualValues(t, 10, w.Points(again), "the gift is had")

	// The gift that only the other had is had by the one who stays.
	first, second := w.Joined("first"), w.Joined("second")
	grow(w, second, 100)
	require.EqualValues(t, 10, w.Points(second))
	_, err = w.Members.Merge(t.Context(), first, second, "same")
	require.NoError(t, err)
	require.Equal(t, "V1", name(w, first))
	grow(w, first, -50)
	grow(w, first, 50)
	require.EqualValues(t, 10, w.Points(first))
	w.Verified()
}
