package reminder_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/order"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/app/wechat/sandbox/phone"
	"github.com/siyu-scrm/siyu/model"
)

func TestEventReminder(t *testing.T) {
	t.Parallel()
	text := func(s string) reach.Message {
		return reach.Message{Text: s, Channels: []string{reach.Customer}, Fallbacks: map[string]string{"points": "0"}}
	}
	told := func(w *apptest.World, p *phone.Person) []string {
		w.T.Helper()
		w.Advance(0)
		return texts(w, p)
	}
	push := func(w *apptest.World, no string, fen, member int64, at time.Time) {
		w.T.Helper()
		_, err := w.Orders.Push(context.WithoutCancel(w.T.Context()), order.Push{Platform: "jd", No: no, Status: model.OrderPaid, MemberID: member, PaidAt: &at, AmountFen: &fen})
		require.NoError(w.T, err)
	}
	bought := func(condition string) model.Reminder {
		return model.Reminder{Kind: model.ReminderEvent, Name: "买了", Enabled: true, Event: model.EventOrderPaid, Condition: model.JSON(condition)}
	}

	t.Run("TellsWhoDidItOnceWithWhatItGave", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		w.Rule("yuan", model.EventOrderPaid, `{"grants":[{"kind":"per_yuan","account":"points","amount":3}]}`)
		r := save(w, bought(`{"leaf":"orders","measure":"amount","op":"gte","value":5000}`), text("订单 {{order_no}} 得 {{earned}} 分,共 {{points}} 分"))
		require.Equal(t, model.ClassService, w.Reminders.Class(r.Kind))
		require.Nil(t, r.NextAt)
		alice, a := w.Member("alice")
		w.Act(alice, "follow", nil)
		w.Act(alice, "text", map[string]any{"content": "hi"})
		bob, _ := w.Member("bob")
		w.Act(bob, "follow", nil)
		w.Act(bob, "text", map[string]any{"content": "hi"})
		push(w, "A1", 3999, a, w.Now()) // less than the condition asks for
		require.Empty(t, told(w, alice))
		push(w, "A2", 1001, a, w.Now())
		push(w, "A2", 1001, a, w.Now())
		require.Equal(t, []string{"订单 A2 得 30 分,共 149 分"}, told(w, alice))
		require.Empty(t, told(w, bob))
		push(w, "A3", 100, a, w.Now().Add(-8*24*time.Hour)) // history
		push(w, "A4", 200, a, w.Now().Add(-6*24*time.Hour))
		require.Equal(t, []string{"订单 A2 得 30 分,共 149 分", "订单 A4 得 0 分,共 149 分"}, told(w, alice))
	})

	t.Run("WhatIsSwitchedOffOrGoneTellsNobody", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		alice, a := w.Member("alice")
		w.Act(alice, "follow", nil)
		w.Act(alice, "text", map[string]any{"content": "hi"})
		r := save(w, bought(""), text("{{order_no}}"))
		r.Enabled = false
		save(w, *r, text("{{order_no}}"))
		push(w, "B1", 100, a, w.Now())
		r.Enabled = true
		save(w, *r, text("{{order_no}}"))
		push(w, "B2", 100, a, w.Now())
		require.Equal(t, []string{"B2"}, told(w, alice))
		require.NoError(t, w.Reminders.Delete(t.Context(), r.ID))
		push(w, "B3", 100, a, w.Now())
		require.Equal(t, []string{"B2"}, told(w, alice))
	})

	t.Run("IsUndoneWithItsEvent", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		_, a := w.Member("alice")
		save(w, bought(""), text("{{order_no}}"))
		fen := int64(-1)
		at := w.Now()
		_, err := w.Orders.Push(t.Context(), order.Push{Platform: "jd", No: "C", Status: model.OrderPaid, MemberID: a, PaidAt: &at, AmountFen: &fen})
		require.Error(t, err)
		require.Zero(t, w.Count(&model.Run{}))
	})

	t.Run("RefusesWhatCanNeverBe", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		for i, c := range []struct {
			change func(*model.Reminder)
			m      reach.Message
			field  string
		}{
			{func(r *model.Reminder) { r.Event = "order.lost" }, text("x"), "event"},
			{func(r *model.Reminder) { r.Event = "" }, text("x"), "event"},
			{func(r *model.Reminder) { r.Condition = model.JSON(`{"leaf":"tag","tag_id":"9"}`) }, text("x"), "condition.tag_id"},
			{func(*model.Reminder) {}, text("{{deduct}}"), "message.text"},
			{func(*model.Reminder) {}, reach.Message{Text: "x", Channels: []string{reach.Mass}}, "message.channels"},
		} {
			r := bought("")
			c.change(&r)
			_, err := w.Reminders.Save(t.Context(), r, c.m)
			var e *errs.Error
			require.ErrorAs(t, err, &e, fmt.Sprint(i))
			require.Equal(t, c.field, e.Args["field"], "%d: %v", i, e)
		}
	})
}
