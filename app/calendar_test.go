package app_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app"
	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/config"
	"github.com/siyu-scrm/siyu/app/customer"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/app/recall"
	"github.com/siyu-scrm/siyu/app/sop"
	"github.com/siyu-scrm/siyu/model"
)

// What the calendar says of five weeks is what they send.
func TestCalendar(t *testing.T) {
	t.Parallel()
	w := apptest.New(t, func(c *config.Config) { c.Sandbox.Demo = true }) // a broadcast on Wednesdays
	ctx := t.Context()
	w.Member("alice")
	sends := func(text string, channels ...string) reach.Message {
		return reach.Message{Text: text, Channels: channels}
	}
	hello := sends("一周了", reach.Customer, reach.InApp)
	plan, err := w.SOPs.Save(ctx, sop.Input{Actor: "test", Definition: sop.Definition{
		Name: "新人", Entry: sop.Entry{Event: model.EventRegistered},
		Steps: []sop.Step{{Key: "week", When: &sop.When{Day: ptr(7), Time: "10:00"}, Send: &sop.Send{Class: model.ClassMarketing, Message: hello}}},
	}})
	require.NoError(t, err)
	_, err = w.SOPs.Enable(ctx, plan.ID)
	require.NoError(t, err)
	w.Member("bob")
	w.Member("carol")
	in, err := w.Customers.Import(ctx, "old.csv", []byte("phone,consent\n13877770001,yes\n"), customer.Options{}, "test")
	require.NoError(t, err)
	w.Settle()
	back, err := w.Recalls.Save(ctx, recall.Input{
		Name: "老客", ImportID: in.ID, Days: 10, SMS: reach.PhoneContent{Text: "回来吧"}, Call: &reach.PhoneContent{Text: "您好"}, CallAfter: 3,
	})
	require.NoError(t, err)
	_, err = w.Recalls.Run(ctx, back.ID, "test")
	require.NoError(t, err)
	w.Settle()
	_, err = w.Reminders.Save(ctx, model.Reminder{Kind: model.ReminderExpiring, Name: "快到期", Enabled: true, Cron: "30 9 1,15 * *", Days: 30, Account: model.AccountPoints, Condition: model.JSON("{}")},
		sends("{{expiring}} 分即将到期", reach.Customer))
	require.NoError(t, err)

	today := w.Zone.DayOf(w.Now())
	until := today.Add(35)
	said, err := w.Calendar(ctx, today, until)
	require.NoError(t, err)
	planned := map[string]bool{}
	reminders := 0
	for i, s := range said {
		require.Equal(t, w.Zone.DayOf(s.At), s.Day)
		require.True(t, i == 0 || !s.At.Before(said[i-1].At), "in order")
		if s.Source == "reminder" { // it makes a run only where something ends
			reminders++
			continue
		}
		planned[fmt.Sprintln(s.Source, s.ID, s.At.In(w.Zone.Location()).Format(time.DateTime))] = true
		if s.Source == sop.Source {
			require.EqualValues(t, 2, s.People)
		}
	}
	require.Equal(t, 2, reminders, "the 1st and the 15th")
	require.NotEmpty(t, planned)

	began := w.Now()
	for day := today.Add(1); day <= until; day = day.Add(1) {
		w.Set(string(day) + " 00:00:00")
	}
	var runs []model.Run
	require.NoError(t, w.DB.Reader(ctx).Where("created_at > ?", began).Find(&runs).Error)
	sent := map[string]bool{}
	for _, r := range runs {
		id := r.SourceID
		if r.Source == sop.Source { // its runs name a firing
			var f model.SOPFiring
			require.NoError(t, w.DB.Reader(ctx).Take(&f, id).Error)
			id = f.SOPID
		}
		sent[fmt.Sprintln(r.Source, id, r.CreatedAt.In(w.Zone.Location()).Format(time.DateTime))] = true
	}
	require.Equal(t, planned, sent)
	none, err := w.Calendar(ctx, today, today)
	require.NoError(t, err)
	require.Equal(t, []app.Sending{}, none)
}

func ptr[T any](v T) *T { return &v }
