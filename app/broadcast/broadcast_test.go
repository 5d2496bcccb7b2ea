package broadcast_test

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

	"github.com/siyu-scrm/siyu/app/audience"
	"github.com/siyu-scrm/siyu/app/broadcast"
	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/db/dbtest"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/reach"
	wx "github.com/siyu-scrm/siyu/app/wechat"
	"github.com/siyu-scrm/siyu/model"
)

// wednesday is 2026-11-25 09:00 in Shanghai.
var wednesday = time.Date(2026, 11, 25, 1, 0, 0, 0, time.UTC)

type wechat struct {
	reach.Sender // what broadcasts here never send

	mu   sync.Mutex
	sent map[string]int
}

func (w *wechat) SendText(_ context.Context, _, openid, _ string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent[openid]++
	return nil
}

func (w *wechat) SendTemplate(context.Context, string, string, wx.TemplateMessage) (string, error) {
	return "", nil
}

func (w *wechat) SendNotice(context.Context, string, string, wx.TemplateMessage) error { return nil }

func (w *wechat) SendSubscribe(context.Context, string, string, string, string, map[string]string) (string, error) {
	return "1", nil
}

func (w *wechat) SendMass(context.Context, string, []string, string, string) (string, error) {
	return "1", nil
}

type world struct {
	*broadcast.Service
	t     *testing.T
	db    *db.DB
	clock *clock.Movable
	reach *reach.Service
	wx    *wechat
	reg   *condition.Registry
}

// newWorld has members 1 to n, who may get customer messages; member 3 unsubscribed.
func newWorld(t *testing.T, n int64) *world {
	w := &world{t: t, db: dbtest.Open(t), clock: clock.NewFrozen(wednesday), wx: &wechat{sent: map[string]int{}}, reg: condition.New()}
	w.reg.Register(condition.Leaf{
		Name: "upto",
		Check: func(_ context.Context, _ *gorm.DB, args json.RawMessage) error {
			var a struct{ N int }
			if err := json.Unmarshal(args, &a); err != nil || a.N < 0 {
				return errs.Field("n", "condition.bad")
			}
			return nil
		},
		Eval: func(context.Context, *gorm.DB, *condition.Subject, json.RawMessage) (condition.Verdict, error) {
			return condition.Verdict{}, nil
		},
		Members: func(_ context.Context, _ *gorm.DB, _ time.Time, universe *roaring.Bitmap, args json.RawMessage) (*roaring.Bitmap, error) {
			var a struct{ N int }
			err := json.Unmarshal(args, &a)
			found := roaring.New()
			found.AddRange(0, uint64(a.N)+1)
			return roaring.And(found, universe), err
		},
		Sentence: func(context.Context, *gorm.DB, string, json.RawMessage) (string, error) { return "前几名", nil },
	})
	w.reg.Seal()
	w.Service = w.process()
	require.NoError(t, w.db.Tx(t.Context(), func(_ context.Context, tx *gorm.DB) error {
		for id := int64(1); id <= n; id++ {
			for _, row := range []any{
				&model.Member{ID: id, No: fmt.Sprint(id), CreatedAt: wednesday, ActiveAt: wednesday},
				&model.Identity{ID: id, MemberID: id, Account: "oa", OpenID: fmt.Sprint("o", id), Kind: model.KindOA, Subscribed: id != 3, CreatedAt: wednesday},
				&model.Allowance{IdentityID: id, Kind: reach.ByMessage, Remaining: 5, ExpiresAt: wednesday.AddDate(1, 0, 0)},
			} {
				if err := tx.Create(row).Error; err != nil {
					return err
				}
			}
		}
		return nil
	}))
	return w
}

// process is another siyu on the same database.
func (w *world) process() *broadcast.Service {
	w.reach = reach.New(w.db, w.clock, clock.Shanghai, w.wx, reach.DefaultOptions())
	return broadcast.New(w.db, w.clock, clock.Shanghai, w.reg, audience.New(w.db, w.clock, clock.Shanghai, w.reg, nil, nil), w.reach)
}

func (w *world) input() broadcast.Input {
	return broadcast.Input{
		Name: "周三", Condition: condition.Is("upto", map[string]any{"n": 3}), Message: reach.Message{Text: "hi", Channels: []string{reach.Customer}},
	}
}

func (w *world) save(change func(*broadcast.Input)) *model.Broadcast {
	w.t.Helper()
	in := w.input()
	if change != nil {
		change(&in)
	}
	b, err := w.Save(w.t.Context(), in)
	require.NoError(w.t, err)
	return b
}

func (w *world) runs(id int64) []model.Run {
	w.t.Helper()
	runs, err := w.reach.Runs(w.t.Context(), broadcast.Source, id, 0, 100)
	require.NoError(w.t, err)
	return runs
}

// due fires and sends what is due now.
func (w *world) due() int {
	w.t.Helper()
	n, err := w.RunDue(w.t.Context(), w.clock.Now())
	require.NoError(w.t, err)
	for {
		did, err := w.reach.Work(w.t.Context())
		require.NoError(w.t, err)
		if !did {
			return n
		}
	}
}

func TestSave(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 5)
	past, future := wednesday.Add(-time.Second), wednesday.Add(time.Hour)
	for _, c := range []struct {
		name, field string
		change      func(*broadcast.Input)
	}{
		{"NoName", "name", func(in *broadcast.Input) { in.Name = " " }},
		{"AnUnknownClass", "class", func(in *broadcast.Input) { in.Class = "spam" }},
		{"ATimeThatIsOver", "at", func(in *broadcast.Input) { in.At = &past }},
		{"ATimeAndACronLine", "at", func(in *broadcast.Input) { in.At, in.Cron = &future, "0 10 * * 3" }},
		{"ACronLineThatNeverFires", "cron", func(in *broadcast.Input) { in.Cron = "0 0 31 2 *" }},
		{"ACronLineOfSixFields", "cron", func(in *broadcast.Input) { in.Cron = "0 0 10 * * 3" }},
		{"AZoneInTheCronLine", "cron", func(in *broadcast.Input) { in.Cron = "TZ=UTC 0 10 * * 3" }},
		{"AnUnknownLeaf", "condition.leaf", func(in *broadcast.Input) { in.Condition = condition.Is("nothing", nil) }},
		{"AWrongArgument", "condition.n", func(in *broadcast.Input) { in.Condition = condition.Is("upto", map[string]any{"n": -1}) }},
		{"AConditionOnAnEvent", "condition", func(in *broadcast.Input) {
			in.Condition = condition.Is("event.text", map[string]any{"contains_any": []string{"x"}})
		}},
		{"AVariableWithoutAFallback", "message.text", func(in *broadcast.Input) { in.Message.Text = "{{nickname}}" }},
		{"AVariableInAMassSend", "message.text", func(in *broadcast.Input) {
			in.Message = reach.Message{Text: "{{nickname}}", Channels: []string{reach.Mass}, Fallbacks: map[string]string{"nickname": "x"}}
		}},
	} {
		t.Run(c.name+"IsRefused", func(t *testing.T) {
			t.Parallel()
			in := w.input()
			c.change(&in)
			_, err := w.Save(t.Context(), in)
			var e *errs.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, errs.Invalid, e.Code)
			require.Equal(t, c.field, e.Args["field"], e.Error())
		})
	}
	t.Run("ItIsReadBackWithTheNextFiveRuns", func(t *testing.T) {
		t.Parallel()
		b := w.save(func(in *broadcast.Input) { in.Cron = "0 10 * * 3" })
		v, err := w.View(t.Context(), "zh-CN", b)
		require.NoError(t, err)
		require.Equal(t, "前几名", v.Who)
		require.Equal(t, "每周三 10:00 发送", v.When)
		require.Len(t, v.Next, 5)
		for i, at := range v.Next {
			require.Equal(t, wednesday.Add(time.Hour).AddDate(0, 0, 7*i), at)
		}
	})
	t.Run("SchedulesReadAsSentences", func(t *testing.T) {
		t.Parallel()
		for cron, want := range map[string]string{
			"30 9 * * *": "Sent every day at 09:30", "5 * * * *": "Sent every hour at minute 5", "0 8 1 * *": "Sent every month on day 1 at 08:00",
			"0 8 * * 1-5": "Sent Monday to Friday at 08:00", "0 8 * * sun": "Sent every Sunday at 08:00", "*/5 8 * 3 *": "Sent by the cron line */5 8 * 3 *",
			"": "Sent by hand",
		} {
			p, err := w.Preview(t.Context(), "en", broadcast.Input{Name: "x", Cron: cron, Message: w.input().Message})
			require.NoError(t, err)
			require.Equal(t, want, p.When)
		}
	})
}

func TestPreview(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 5)
	in := w.input()
	p, err := w.Preview(t.Context(), "zh-CN", in)
	require.NoError(t, err)
	require.EqualValues(t, 3, p.Audience)
	require.EqualValues(t, 2, p.Reachable)
	require.Equal(t, []reach.Reason{{Reason: "UNSUBSCRIBED", Count: 1}}, p.Skipped)
	require.Len(t, p.Sample, 3)
	require.False(t, p.Everybody)
	b := w.save(nil)
	run, err := w.RunNow(t.Context(), b.ID, nil)
	require.NoError(t, err)
	w.due()
	c, err := w.reach.Counts(t.Context(), run.ID)
	require.NoError(t, err)
	require.Equal(t, p.Reachable, c.Accepted)
	reasons, err := w.reach.Reasons(t.Context(), run.ID)
	require.NoError(t, err)
	require.Equal(t, p.Skipped, reasons)
}

func TestByHand(t *testing.T) {
	t.Parallel()
	t.Run("AOneOffIsSentOnce", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, 5)
		at := wednesday.Add(time.Hour)
		b := w.save(func(in *broadcast.Input) { in.At = &at })
		_, err := w.RunNow(t.Context(), b.ID, nil)
		require.NoError(t, err)
		w.clock.Set(wednesday.Add(time.Minute))
		_, err = w.RunNow(t.Context(), b.ID, nil)
		require.Equal(t, errs.Duplicate, errs.CodeOf(err))
		w.clock.Set(at)
		require.Zero(t, w.due())
		require.Len(t, w.runs(b.ID), 1)
		require.Equal(t, map[string]int{"o1": 1, "o2": 1}, w.wx.sent)
		_, err = w.Save(t.Context(), broadcast.Input{ID: b.ID, Name: "x", Message: w.input().Message})
		require.Equal(t, errs.Conflict, errs.CodeOf(err))
		require.Equal(t, errs.Conflict, errs.CodeOf(w.Delete(t.Context(), b.ID)))
	})
	t.Run("ADoubleClickIsOneRun", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, 5)
		b := w.save(func(in *broadcast.Input) { in.Cron = "0 10 * * 3" })
		other := w.process()
		var mu sync.Mutex
		got := map[errs.Code]int{}
		var wg sync.WaitGroup
		for i := range 6 {
			s := w.Service
			if i%2 == 0 {
				s = other
			}
			wg.Go(func() {
				_, err := s.RunNow(t.Context(), b.ID, nil)
				mu.Lock()
				defer mu.Unlock()
				got[errs.CodeOf(err)]++
			})
		}
		wg.Wait()
		require.Equal(t, map[errs.Code]int{"": 1, errs.Duplicate: 5}, got)
		w.clock.Set(wednesday.Add(time.Minute))
		_, err := w.RunNow(t.Context(), b.ID, nil)
		require.NoError(t, err, "a minute later it is meant")
	})
	t.Run("EverybodyIsConfirmedWithTheirNumber", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, 5)
		b := w.save(func(in *broadcast.Input) { in.Condition = condition.Tree{} })
		wrong, right := int64(4), int64(5)
		for _, confirm := range []*int64{nil, &wrong} {
			_, err := w.RunNow(t.Context(), b.ID, confirm)
			var e *errs.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, "broadcast.confirm", e.Key)
			require.EqualValues(t, 5, e.Args["audience"])
		}
		require.Empty(t, w.runs(b.ID))
		run, err := w.RunNow(t.Context(), b.ID, &right)
		require.NoError(t, err)
		require.EqualValues(t, 5, run.Audience)
	})
	t.Run("AnUnknownOneIsNotFound", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, 1)
		_, err := w.RunNow(t.Context(), 99, nil)
		require.Equal(t, errs.NotFound, errs.CodeOf(err))
		_, err = w.Get(t.Context(), 99)
		require.Equal(t, errs.NotFound, errs.CodeOf(err))
	})
}

func TestSchedule(t *testing.T) {
	t.Parallel()
	weekly := func(in *broadcast.Input) { in.Cron = "0 10 * * 3" }
	t.Run("TwoProcessesFireOnce", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, 5)
		b := w.save(weekly)
		other := w.process()
		for week := range 3 {
			at := wednesday.Add(time.Hour).AddDate(0, 0, 7*week)
			due, ok, err := w.Due(t.Context())
			require.NoError(t, err)
			require.True(t, ok)
			require.Equal(t, at, due)
			w.clock.Set(at.Add(-time.Microsecond))
			require.Zero(t, w.due())
			w.clock.Set(at)
			var wg sync.WaitGroup
			for _, s := range []*broadcast.Service{w.Service, other, w.Service} {
				wg.Go(func() {
					if _, err := s.RunDue(t.Context(), at); err != nil {
						t.Errorf("RunDue: %v", err)
					}
				})
			}
			wg.Wait()
			w.due()
			require.Len(t, w.runs(b.ID), week+1)
		}
		require.Equal(t, map[string]int{"o1": 3, "o2": 3}, w.wx.sent)
	})
	t.Run("AOneOffFiresAtItsTime", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, 5)
		at := wednesday.Add(time.Hour)
		b := w.save(func(in *broadcast.Input) { in.At = &at })
		w.clock.Set(at)
		require.Equal(t, 1, w.due())
		require.Zero(t, w.due())
		_, err := w.RunNow(t.Context(), b.ID, nil)
		require.Equal(t, errs.Duplicate, errs.CodeOf(err))
		require.Equal(t, map[string]int{"o1": 1, "o2": 1}, w.wx.sent)
		_, ok, err := w.Due(t.Context())
		require.NoError(t, err)
		require.False(t, ok)
	})
	t.Run("LateWithinTheLimitIsSentLaterIsMissed", func(t *testing.T) {
		t.Parallel()
		for late, want := range map[time.Duration]string{
			broadcast.CatchUp: model.RunSending, broadcast.CatchUp + time.Microsecond: model.RunMissed,
		} {
			w := newWorld(t, 5)
			b := w.save(weekly)
			w.clock.Set(wednesday.Add(time.Hour + late))
			n, err := w.RunDue(t.Context(), w.clock.Now())
			require.NoError(t, err)
			require.Equal(t, 1, n)
			runs := w.runs(b.ID)
			require.Len(t, runs, 1)
			require.Equal(t, want, runs[0].State)
			require.Equal(t, "2026-11-25T02:00:00Z", runs[0].Slot)
			var alerts []model.Risk
			require.NoError(t, w.db.Reader(t.Context()).Find(&alerts).Error)
			require.Len(t, alerts, map[string]int{model.RunMissed: 1}[want], "operators hear of what was missed")
			again, err := w.Get(t.Context(), b.ID)
			require.NoError(t, err)
			require.Equal(t, wednesday.Add(time.Hour).AddDate(0, 0, 7), again.NextAt.UTC())
		}
	})
	t.Run("AMissedOneOffCanBeSentByHand", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, 5)
		at := wednesday.Add(time.Hour)
		b := w.save(func(in *broadcast.Input) { in.At = &at })
		w.clock.Set(at.Add(2 * time.Hour))
		require.Equal(t, 1, w.due())
		require.Zero(t, w.due())
		require.Equal(t, model.RunMissed, w.runs(b.ID)[0].State)
		_, err := w.RunNow(t.Context(), b.ID, nil)
		require.NoError(t, err)
	})
	t.Run("OfManyFiringsInADowntimeTheLastIsSent", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, 5)
		b := w.save(func(in *broadcast.Input) { in.Cron = "*/10 * * * *" })
		w.clock.Set(wednesday.Add(31 * time.Minute))
		require.Equal(t, 1, w.due())
		states := map[string]int{}
		for _, run := range w.runs(b.ID) {
			states[run.State]++
		}
		require.Equal(t, map[string]int{model.RunDone: 1, model.RunMissed: 2}, states)
	})
	t.Run("APauseSendsNothingAndIsNotReplayed", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, 5)
		b := w.save(weekly)
		_, err := w.Pause(t.Context(), b.ID)
		require.NoError(t, err)
		w.clock.Set(wednesday.Add(time.Hour))
		require.Zero(t, w.due())
		_, err = w.RunNow(t.Context(), b.ID, nil)
		require.Equal(t, errs.Conflict, errs.CodeOf(err))
		w.clock.Set(wednesday.Add(time.Hour + time.Minute))
		_, err = w.Resume(t.Context(), b.ID)
		require.NoError(t, err)
		require.Zero(t, w.due())
		require.Empty(t, w.runs(b.ID))
		w.clock.Set(wednesday.Add(time.Hour).AddDate(0, 0, 7))
		require.Equal(t, 1, w.due())
		require.Len(t, w.runs(b.ID), 1)
	})
	t.Run("APauseStopsTheRunOnItsWay", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, 5)
		b := w.save(weekly)
		_, err := w.RunNow(t.Context(), b.ID, nil)
		require.NoError(t, err)
		_, err = w.Pause(t.Context(), b.ID)
		require.NoError(t, err)
		w.due()
		require.Empty(t, w.wx.sent)
		_, err = w.Resume(t.Context(), b.ID)
		require.NoError(t, err)
		w.due()
		require.Equal(t, map[string]int{"o1": 1, "o2": 1}, w.wx.sent)
	})
}
