package coupon_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/coupon"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/order"
	"github.com/siyu-scrm/siyu/model"
)

// define makes a coupon for claims: 20 yuan off, 30 days, changed by the JSON.
func define(w *apptest.World, in string) *coupon.Definition {
	w.T.Helper()
	d := coupon.Definition{Coupon: model.Coupon{Code: "c", Name: "c", Kind: model.CouponCashOff, OffFen: 2000, ValidDays: 30, Claimable: true, Enabled: true}}
	require.NoError(w.T, json.Unmarshal([]byte(in), &d))
	saved, err := w.Coupons.Save(w.T.Context(), d)
	require.NoError(w.T, err)
	return saved
}

func claim(w *apptest.World, id int64, c *coupon.Definition) *coupon.Held {
	w.T.Helper()
	r, err := w.Coupons.Claim(w.T.Context(), id, c.ID, w.Now())
	require.NoError(w.T, err)
	return &r.Held
}

// refused says which refusal err is, and its facts.
func refused(t testing.TB, code errs.Code, err error) map[string]any {
	t.Helper()
	var e *errs.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, code, e.Code)
	return e.Args
}

func left(w *apptest.World, c *coupon.Definition) int64 {
	d, err := w.Coupons.Get(w.T.Context(), c.ID)
	require.NoError(w.T, err)
	return *d.Left()
}

func TestClaim(t *testing.T) {
	t.Parallel()

	t.Run("TheDayOfTheClaimIsDayOne", func(t *testing.T) { // PLAYBOOKS H14, P02 #6
		t.Parallel()
		w := apptest.New(t)
		c := define(w, `{"Stock":1000,"PerMember":1}`)
		w.Set("2026-11-24 09:00:00")
		first := claim(w, w.Joined("alice"), c)
		require.Equal(t, w.At("2026-12-24 00:00:00"), first.ExpiresAt.UTC())
		w.Set("2026-11-24 23:59:59")
		require.Equal(t, w.At("2026-12-24 00:00:00"), claim(w, w.Joined("bob"), c).ExpiresAt.UTC())
		require.EqualValues(t, 998, left(w, c))
		short := define(w, `{"Code":"day","ValidDays":1}`)
		require.Equal(t, w.At("2026-11-25 00:00:00"), claim(w, w.Joined("carol"), short).ExpiresAt.UTC())
	})

	t.Run("TwentyMembersAtOnceGetThreeOfThree", func(t *testing.T) { // DESIGN P3
		t.Parallel()
		w := apptest.New(t)
		c := define(w, `{"Stock":3,"PerMember":1}`)
		ids := make([]int64, 20)
		for i := range ids {
			ids[i] = w.Joined(fmt.Sprint("m", i))
		}
		var ok, gone atomic.Int32
		var wg sync.WaitGroup
		for _, id := range ids {
			wg.Go(func() {
				switch _, err := w.Coupons.Claim(t.Context(), id, c.ID, apptest.Start); errs.CodeOf(err) {
				case "":
					ok.Add(1)
				case errs.OutOfStock:
					gone.Add(1)
				default:
					t.Errorf("Claim: %v", err)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 3, ok.Load())
		require.EqualValues(t, 17, gone.Load())
		require.EqualValues(t, 3, w.Count(&model.MemberCoupon{}))
		require.Zero(t, left(w, c))
	})

	t.Run("OneMemberTwentyTimesAtOnceGetsTwoOfTwo", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		alice, c := w.Joined("alice"), define(w, `{"Stock":100,"PerMember":2}`)
		var ok atomic.Int32
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				_, err := w.Coupons.Claim(t.Context(), alice, c.ID, apptest.Start)
				if err == nil {
					ok.Add(1)
				} else if errs.CodeOf(err) != errs.LimitReached {
					t.Errorf("Claim: %v", err)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 2, ok.Load())
		require.EqualValues(t, 98, left(w, c))
		require.EqualValues(t, 2, w.Count(&model.Event{}, "kind = ?", model.EventCoupon))
	})

	t.Run("TheIndexForbidsTheSameNumberTwiceAndAllowsTheNext", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		row := *claim(w, w.Joined("alice"), define(w, `{}`))
		w.Tx(func(_ context.Context, tx *gorm.DB) error {
			same := row.MemberCoupon
			same.ID, same.Code = 0, "another"
			dup, err := db.Insert(tx, &same)
			require.True(t, dup)
			next := row.MemberCoupon
			next.ID, next.Code, next.Seq = 0, "another", 2
			dup2, err2 := db.Insert(tx, &next)
			require.False(t, dup2)
			other := row.MemberCoupon
			other.ID, other.Seq = 0, 3
			dup3, err3 := db.Insert(tx, &other)
			require.True(t, dup3, "a code is one coupon's")
			return errors.Join(err, err2, err3)
		})
	})

	t.Run("TermsSayWhatIsMissing", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		alice := w.Joined("alice")
		w.Rule("visit", "behavior.visit", `{"grants":[{"kind":"fixed","account":"growth","amount":999}]}`)
		require.NoError(t, w.Behave(alice, "visit", "1", w.Now()))
		growth := define(w, `{"Code":"growth","terms":{"account":{"account":"growth","basis":"lifetime","at_least":1000}}}`)
		_, err := w.Coupons.Claim(t.Context(), alice, growth.ID, w.Now())
		require.EqualValues(t, 1, refused(t, errs.ThresholdNotMet, err)["short_by"]) // P38 #1
		later := define(w, `{"Code":"later","terms":{"from":"2026-11-24T10:00:00+08:00","until":"2026-11-25T00:00:00+08:00"}}`)
		_, err = w.Coupons.Claim(t.Context(), alice, later.ID, w.Now())
		require.Equal(t, w.At("2026-11-24 10:00:00"), refused(t, errs.WindowClosed, err)["opens_at"].(time.Time).UTC())
		picked := define(w, `{"Code":"picked","terms":{"condition":{"leaf":"member","field":"gender","value":"female"}}}`)
		_, err = w.Coupons.Claim(t.Context(), alice, picked.ID, w.Now())
		refused(t, errs.Forbidden, err)
		hidden := define(w, `{"Code":"hidden","Claimable":false}`)
		_, err = w.Coupons.Claim(t.Context(), alice, hidden.ID, w.Now())
		refused(t, errs.NotFound, err)

		offers, err := w.Coupons.Offers(t.Context(), alice, w.Now())
		require.NoError(t, err)
		require.Len(t, offers, 2, "neither what is meant for others nor what is only given")
		require.Equal(t, errs.ThresholdNotMet, offers[0].Why.Code)
		require.Equal(t, errs.WindowClosed, offers[1].Why.Code)

		require.NoError(t, w.Behave(alice, "visit", "2", w.Now()))
		claim(w, alice, growth)
		w.Set("2026-11-25 00:00:00")
		_, err = w.Coupons.Claim(t.Context(), alice, later.ID, w.Now())
		refused(t, errs.WindowClosed, err)
		require.EqualValues(t, 1, w.Count(&model.MemberCoupon{}), "a refusal changes nothing")
	})

	t.Run("OrdersQualifyAndARefundTakesItBack", func(t *testing.T) { // P02 #3 to #5, #11
		t.Parallel()
		w := apptest.New(t)
		alice := w.Joined("alice")
		single := define(w, `{"Code":"single","terms":{"order":{"basis":"single","fen":3980}}}`)
		sum := define(w, `{"Code":"sum","terms":{"order":{"basis":"cumulative","fen":3980}}}`)
		push := func(no string, fen, refund int64) {
			at := w.Now()
			p := order.Push{Platform: "store", No: no, Status: model.OrderPaid, MemberID: alice, PaidAt: &at, AmountFen: &fen}
			if refund > 0 {
				p.Status, p.Refunds = model.OrderPartialRefund, []order.Refund{{No: no + "r", AmountFen: refund, RefundedAt: at}}
			}
			_, err := w.Orders.Push(t.Context(), p)
			require.NoError(t, err)
		}
		short := func(c *coupon.Definition) any {
			_, err := w.Coupons.Claim(t.Context(), alice, c.ID, w.Now())
			return refused(t, errs.ThresholdNotMet, err)["short_by"]
		}
		require.EqualValues(t, 3980, short(single))
		push("1", 3979, 0)
		require.EqualValues(t, 3980, short(single), "another order of so much")
		require.EqualValues(t, 1, short(sum))
		push("2", 3980, 0)
		unused, used := claim(w, alice, single), claim(w, alice, sum)
		again := claim(w, alice, single)
		_, err := w.Coupons.Verify(t.Context(), coupon.Use{Code: again.Code}, w.Now())
		require.NoError(t, err)
		push("2", 3980, 1)
		now, err := w.Coupons.Look(t.Context(), unused.Code)
		require.NoError(t, err)
		require.Equal(t, model.CouponRevoked, now.State, "39.79 qualifies for none")
		require.EqualValues(t, 1, w.Count(&model.Risk{}, "kind = ?", model.RiskBenefitUsed))
		_, err = w.Coupons.Verify(t.Context(), coupon.Use{Code: used.Code}, w.Now())
		require.NoError(t, err, "the sum is still enough")
	})

	t.Run("AnOrderThatIsAnothersTakesBackWhatItsFormerOwnerClaimed", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		one := define(w, `{"Stock":9,"terms":{"order":{"basis":"single","fen":5000}}}`)
		two := define(w, `{"Code":"c2","terms":{"order":{"basis":"cumulative","fen":6000}}}`)
		less := define(w, `{"Code":"c3","terms":{"order":{"basis":"single","fen":1000}}}`)
		alice, bob := w.Joined("alice"), w.Joined("bob")
		at := w.Now()
		var first *order.Pushed
		for no, fen := range map[string]int64{"T1": 5000, "T2": 1000} {
			out, err := w.Orders.Push(t.Context(), order.Push{Platform: "jd", No: no, Status: model.OrderPaid, MemberID: alice, PaidAt: &at, AmountFen: &fen})
			require.NoError(t, err)
			if no == "T1" {
				first = out
			}
		}
		a, b, c := claim(w, alice, one), claim(w, alice, two), claim(w, alice, less)
		_, err := w.Coupons.Verify(t.Context(), coupon.Use{Code: b.Code}, w.Now())
		require.NoError(t, err)
		_, err = w.Orders.Assign(t.Context(), first.Order.ID, bob)
		require.NoError(t, err)
		for h, want := range map[*coupon.Held]string{a: model.CouponRevoked, b: model.CouponUsed, c: model.CouponUsable} {
			now, err := w.Coupons.Look(t.Context(), h.Code)
			require.NoError(t, err)
			require.Equal(t, want, now.StateAt(w.Now()))
		}
		require.EqualValues(t, 1, w.Count(&model.Risk{}, "kind = ? AND member_id = ?", model.RiskBenefitUsed, alice), "what was used stands on the list of risks")
		require.EqualValues(t, 9, left(w, one))
		claim(w, bob, one)
	})

	t.Run("WhoHasNotRegisteredGetsNone", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		c := define(w, `{"Stock":1}`)
		_, err := w.Coupons.Claim(t.Context(), w.Touched("oa", "bob"), c.ID, w.Now())
		refused(t, errs.NotMember, err)
		require.EqualValues(t, 1, left(w, c))
	})
}

func TestUse(t *testing.T) {
	t.Parallel()

	t.Run("TwentyTillsAtOnceUseItOnce", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		h := claim(w, w.Joined("alice"), define(w, `{}`))
		var ok, used atomic.Int32
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				_, err := w.Coupons.Verify(t.Context(), coupon.Use{Code: h.Code, OrderNo: fmt.Sprint(i)}, apptest.Start)
				switch errs.CodeOf(err) {
				case "":
					ok.Add(1)
				case errs.CouponUsed:
					used.Add(1)
				default:
					t.Errorf("Verify: %v", err)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 1, ok.Load())
		require.EqualValues(t, 19, used.Load())
		require.EqualValues(t, 1, w.Count(&model.Event{}, "kind = ?", model.EventCouponUsed))
	})

	t.Run("TheLastSecondCounts", func(t *testing.T) { // P02 #9, #10
		t.Parallel()
		w := apptest.New(t)
		w.Set("2026-11-24 09:00:00")
		c := define(w, `{}`)
		a, b := claim(w, w.Joined("alice"), c), claim(w, w.Joined("bob"), c)
		w.Set("2026-12-23 23:59:59")
		used, err := w.Coupons.Verify(t.Context(), coupon.Use{Code: " " + a.Code[:4] + "-" + a.Code[4:], Store: "sh-01"}, w.Now())
		require.NoError(t, err)
		require.Equal(t, model.CouponUsed, used.State)
		require.Equal(t, "sh-01", used.Store)
		w.Set("2026-12-24 00:00:00")
		_, err = w.Coupons.Verify(t.Context(), coupon.Use{Code: a.Code}, w.Now())
		refused(t, errs.CouponUsed, err)
		_, err = w.Coupons.Verify(t.Context(), coupon.Use{Code: b.Code}, w.Now())
		refused(t, errs.CouponExpired, err)
		_, err = w.Coupons.Verify(t.Context(), coupon.Use{Code: "NONE"}, w.Now())
		refused(t, errs.NotFound, err)
	})

	t.Run("NobodyUsesAnothersCoupon", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		alice, bob := w.Joined("alice"), w.Joined("bob")
		h := claim(w, alice, define(w, `{}`))
		_, err := w.Coupons.Verify(t.Context(), coupon.Use{Code: h.Code, MemberID: bob}, w.Now())
		refused(t, errs.NotFound, err)
		_, err = w.Coupons.Verify(t.Context(), coupon.Use{Code: h.Code, MemberID: alice}, w.Now())
		require.NoError(t, err)
	})

	t.Run("AReturnKeepsTheOriginalExpiry", func(t *testing.T) { // H15, P14 #9
		t.Parallel()
		w := apptest.New(t)
		c := define(w, `{}`)
		h := claim(w, w.Joined("alice"), c)
		u := coupon.Use{Code: h.Code, OrderNo: "1"}
		_, err := w.Coupons.Return(t.Context(), u, w.Now())
		refused(t, errs.Conflict, err)
		for range 2 {
			_, err = w.Coupons.Verify(t.Context(), u, w.Now())
			require.NoError(t, err)
			_, err = w.Coupons.Return(t.Context(), coupon.Use{Code: h.Code, OrderNo: "2"}, w.Now())
			refused(t, errs.Conflict, err)
			back, err := w.Coupons.Return(t.Context(), u, w.Now())
			require.NoError(t, err)
			require.Equal(t, model.CouponUsable, back.StateAt(w.Now()))
			require.Equal(t, h.ExpiresAt.UTC(), back.ExpiresAt.UTC())
		}
		_, err = w.Coupons.Verify(t.Context(), u, w.Now())
		require.NoError(t, err)
		w.Jump("2026-12-23 00:00:00")
		_, err = w.Coupons.Return(t.Context(), u, w.Now())
		refused(t, errs.CouponExpired, err)
		now, err := w.Coupons.Look(t.Context(), h.Code)
		require.NoError(t, err)
		require.Equal(t, model.CouponUsed, now.State)
	})

	t.Run("AnUnpaidOrderHoldsItForAWhile", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		h := claim(w, w.Joined("alice"), define(w, `{}`))
		mine, other := coupon.Use{Code: h.Code, OrderNo: "1"}, coupon.Use{Code: h.Code, OrderNo: "2"}
		until := w.Now().Add(30 * time.Minute)
		locked, err := w.Coupons.Lock(t.Context(), mine, until, w.Now())
		require.NoError(t, err)
		require.Equal(t, model.CouponLocked, locked.StateAt(w.Now()))
		_, err = w.Coupons.Verify(t.Context(), other, w.Now())
		require.Equal(t, until, refused(t, errs.Conflict, err)["until"].(time.Time).UTC())
		_, err = w.Coupons.Lock(t.Context(), other, until, w.Now())
		refused(t, errs.Conflict, err)
		_, err = w.Coupons.Return(t.Context(), mine, w.Now())
		require.NoError(t, err)
		_, err = w.Coupons.Lock(t.Context(), other, until, w.Now())
		require.NoError(t, err)
		w.Advance(30 * time.Minute)
		_, err = w.Coupons.Verify(t.Context(), mine, w.Now())
		require.NoError(t, err, "the lock is over by itself")
		_, err = w.Coupons.Lock(t.Context(), mine, w.Now().Add(25*time.Hour), w.Now())
		refused(t, errs.Invalid, err)
	})

	t.Run("OneOrderTakesOne", func(t *testing.T) { // H14, P14 #4
		t.Parallel()
		w := apptest.New(t)
		alice, bob := w.Joined("alice"), w.Joined("bob")
		c1, c2, free := define(w, `{"Code":"c1","Name":"满148减20"}`), define(w, `{"Code":"c2"}`), define(w, `{"Code":"ship","Kind":"shipping","Stackable":true}`)
		first, second, third := claim(w, alice, c1), claim(w, alice, c2), claim(w, alice, c2)
		use := func(h *coupon.Held, store, no string) error {
			_, err := w.Coupons.Verify(t.Context(), coupon.Use{Code: h.Code, Store: store, OrderNo: no}, w.Now())
			return err
		}
		require.NoError(t, use(first, "sh-01", "T1"))
		why := refused(t, errs.NotStackable, use(second, "sh-01", " ｔ1"))
		require.Equal(t, map[string]any{"order_no": "T1", "coupon": "满148减20", "code": first.Code}, why)
		refused(t, errs.NotStackable, use(second, "", "T1"))
		now, err := w.Coupons.Look(t.Context(), second.Code)
		require.NoError(t, err)
		require.Equal(t, model.CouponUsable, now.StateAt(w.Now()), "a refusal changes nothing")
		require.NoError(t, use(claim(w, alice, free), "sh-01", "T1"), "what is stackable goes beside another")
		require.NoError(t, use(claim(w, bob, c2), "sh-01", "T1"), "another member's order")
		require.NoError(t, use(third, "sh-02", "T1"), "another store's order of that number")

		_, err = w.Coupons.Return(t.Context(), coupon.Use{Code: first.Code, OrderNo: "t1"}, w.Now())
		require.NoError(t, err)
		require.NoError(t, use(second, "sh-01", "T1"), "the order is free again, but for what is stackable")

		a, b := claim(w, alice, c1), claim(w, alice, c2)
		require.NoError(t, use(a, "sh-01", ""))
		require.NoError(t, use(b, "sh-01", ""), "without a number there is no order that would take one")
	})

	t.Run("AnOrderThatHasSetOneAsideTakesNoOther", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		alice, c := w.Joined("alice"), define(w, `{}`)
		first, second := claim(w, alice, c), claim(w, alice, c)
		until := w.Now().Add(30 * time.Minute)
		mine, other := coupon.Use{Code: first.Code, Store: "sh-01", OrderNo: "T1"}, coupon.Use{Code: second.Code, Store: "sh-01", OrderNo: "T1"}
		_, err := w.Coupons.Lock(t.Context(), mine, until, w.Now())
		require.NoError(t, err)
		_, err = w.Coupons.Lock(t.Context(), mine, until, w.Now())
		require.NoError(t, err, "the same again is no second one")
		_, err = w.Coupons.Lock(t.Context(), other, until, w.Now())
		refused(t, errs.NotStackable, err)
		_, err = w.Coupons.Verify(t.Context(), other, w.Now())
		refused(t, errs.NotStackable, err)
		w.Advance(30 * time.Minute)
		_, err = w.Coupons.Verify(t.Context(), other, w.Now())
		require.NoError(t, err, "the lock is over by itself")
		_, err = w.Coupons.Verify(t.Context(), mine, w.Now())
		refused(t, errs.NotStackable, err)
	})

	t.Run("OfTwentyAtOnceAnOrderTakesOne", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		alice, c := w.Joined("alice"), define(w, `{}`)
		held := make([]*coupon.Held, 20)
		for i := range held {
			held[i] = claim(w, alice, c)
		}
		var ok, refusals atomic.Int32
		var wg sync.WaitGroup
		for _, h := range held {
			wg.Go(func() {
				switch _, err := w.Coupons.Verify(t.Context(), coupon.Use{Code: h.Code, OrderNo: "T1"}, apptest.Start); errs.CodeOf(err) {
				case "":
					ok.Add(1)
				case errs.NotStackable:
					refusals.Add(1)
				default:
					t.Errorf("Verify: %v", err)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 1, ok.Load())
		require.EqualValues(t, 19, refusals.Load())
		require.EqualValues(t, 1, w.Count(&model.MemberCoupon{}, "state = ?", model.CouponUsed))
	})
}

func TestByHand(t *testing.T) {
	t.Parallel()

	t.Run("WhatIsTakenBackGoesToTheStockAndNoLongerCounts", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		alice, c := w.Joined("alice"), define(w, `{"Stock":2,"PerMember":1,"Claimable":false}`)
		h, err := w.Coupons.Give(t.Context(), alice, c.ID, "sorry")
		require.NoError(t, err)
		_, err = w.Coupons.Give(t.Context(), alice, c.ID, "sorry")
		require.EqualValues(t, 1, refused(t, errs.LimitReached, err)["limit"])
		_, err = w.Coupons.Revoke(t.Context(), h.ID, "")
		refused(t, errs.Invalid, err)
		_, err = w.Coupons.Revoke(t.Context(), h.ID, "mistake")
		require.NoError(t, err)
		_, err = w.Coupons.Revoke(t.Context(), h.ID, "mistake")
		refused(t, errs.Conflict, err)
		require.EqualValues(t, 2, left(w, c))
		_, err = w.Coupons.Verify(t.Context(), coupon.Use{Code: h.Code}, w.Now())
		refused(t, errs.NotFound, err)
		h, err = w.Coupons.Give(t.Context(), alice, c.ID, "again")
		require.NoError(t, err)
		_, err = w.Coupons.Verify(t.Context(), coupon.Use{Code: h.Code}, w.Now())
		require.NoError(t, err)
		_, err = w.Coupons.Revoke(t.Context(), h.ID, "mistake")
		refused(t, errs.CouponUsed, err)
	})

	t.Run("WhatWasPromisedStays", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		c := define(w, `{"Stock":5}`)
		claim(w, w.Joined("alice"), c)
		change := *c
		change.OffFen = 100
		_, err := w.Coupons.Save(t.Context(), change)
		refused(t, errs.Conflict, err)
		change = *c
		none := int64(0)
		change.Stock = &none
		_, err = w.Coupons.Save(t.Context(), change)
		require.EqualValues(t, 1, refused(t, errs.Invalid, err)["issued"])
		ten := int64(10)
		change.Stock, change.Name = &ten, "new name"
		_, err = w.Coupons.Save(t.Context(), change)
		require.NoError(t, err)
		require.EqualValues(t, 9, left(w, c), "what was given out meanwhile is not given again")
	})

	t.Run("AFaceMustFitItsKind", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		for in, field := range map[string]string{
			`{"Kind":"cash_off","OffFen":0}`:                                        "off_fen",
			`{"Kind":"discount","OffFen":0}`:                                        "percent_off",
			`{"Kind":"discount","OffFen":0,"PercentOff":100}`:                       "percent_off",
			`{"Kind":"discount","OffFen":5,"PercentOff":5}`:                         "off_fen",
			`{"Kind":"exchange","OffFen":0,"Quantity":-1}`:                          "quantity",
			`{"Kind":"cash_off","OffFen":1,"Quantity":2}`:                           "quantity",
			`{"Kind":"gift","OffFen":0}`:                                            "kind",
			`{"Code":"No!"}`:                                                        "code",
			`{"Name":" "}`:                                                          "name",
			`{"terms":{"order":{"basis":"x","fen":1}}}`:                             "terms.order.basis",
			`{"terms":{"account":{"account":"x","basis":"lifetime","at_least":1}}}`: "terms.account.account",
			`{"terms":{"tier_id":"7"}}`:                                             "terms.tier_id",
			`{"terms":{"condition":{"leaf":"tag","tag_id":"7"}}}`:                   "terms.condition.tag_id",
		} {
			d := coupon.Definition{Coupon: model.Coupon{Code: "c", Name: "c", Kind: model.CouponCashOff, OffFen: 2000}}
			require.NoError(t, json.Unmarshal([]byte(in), &d))
			_, err := w.Coupons.Save(t.Context(), d)
			require.Equal(t, field, refused(t, errs.Invalid, err)["field"], in)
		}
		for _, in := range []string{
			`{"Code":"a","Kind":"shipping","OffFen":0}`, `{"Code":"b","Kind":"shipping","OffFen":500}`, `{"Code":"d","Kind":"exchange","OffFen":0,"PayFen":990,"Quantity":2}`,
			`{"Code":"e","Kind":"free_item","OffFen":0}`, `{"Code":"f","Kind":"second_half_price","OffFen":0}`, `{"Code":"g","Kind":"discount","OffFen":0,"PercentOff":5,"ThresholdFen":1}`,
		} {
			define(w, in)
		}
	})
}

func TestMerge(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	alice, again := w.Joined("alice"), w.Joined("again")
	one := define(w, `{"Code":"one","PerMember":1,"Stock":10}`)
	many := define(w, `{"Code":"many"}`)
	first, twice := claim(w, alice, one), claim(w, again, one)
	claim(w, alice, many)
	moved := claim(w, again, many)
	_, err := w.Members.Merge(t.Context(), alice, again, "same")
	require.NoError(t, err)
	now, err := w.Coupons.Of(t.Context(), alice, 0, 10)
	require.NoError(t, err)
	require.Len(t, now, 4, "they unite")
	_, err = w.Coupons.Verify(t.Context(), coupon.Use{Code: twice.Code}, w.Now())
	refused(t, errs.NotFound, err)
	for _, h := range []*coupon.Held{first, moved} {
		_, err = w.Coupons.Verify(t.Context(), coupon.Use{Code: h.Code, MemberID: alice}, w.Now())
		require.NoError(t, err)
	}
	_, err = w.Members.UndoMerge(t.Context(), again)
	require.NoError(t, err)
	back, err := w.Coupons.Verify(t.Context(), coupon.Use{Code: twice.Code, MemberID: again}, w.Now())
	require.NoError(t, err, "what the merge took is there again")
	require.Equal(t, model.CouponUsed, back.State)
}

func TestErasure(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	alice := w.Joined("alice")
	h := claim(w, alice, define(w, `{"Stock":1}`))
	w.Tx(func(ctx context.Context, tx *gorm.DB) error {
		require.NoError(t, member.LockTx(tx, alice))
		_, err := w.Members.EraseTx(ctx, tx, alice)
		return err
	})
	_, err := w.Coupons.Verify(t.Context(), coupon.Use{Code: h.Code}, w.Now())
	refused(t, errs.NotFound, err)
}
