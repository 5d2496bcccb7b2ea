package broadcast_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/broadcast"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/model"
)

// upto is a broadcast to members 1 to n.
func (w *world) upto(n int, change func(*broadcast.Input)) *model.Broadcast {
	w.t.Helper()
	in := w.input()
	in.Condition = condition.Is("upto", map[string]any{"n": n})
	change(&in)
	b, err := w.Save(w.t.Context(), in)
	require.NoError(w.t, err)
	return b
}

// work sends all that is due.
func (w *world) work() {
	w.t.Helper()
	_, err := w.RunDue(w.t.Context(), w.clock.Now())
	require.NoError(w.t, err)
	for did := true; did; {
		did, err = w.reach.Work(w.t.Context())
		require.NoError(w.t, err)
	}
}

// outcome is what the newest run of a broadcast did, by reason.
func (w *world) outcome(b *model.Broadcast) string {
	w.t.Helper()
	runs, err := w.reach.Runs(w.t.Context(), broadcast.Source, b.ID, 0, 1)
	require.NoError(w.t, err)
	require.NotEmpty(w.t, runs)
	c, err := w.reach.Counts(w.t.Context(), runs[0].ID)
	require.NoError(w.t, err)
	out := fmt.Sprint("sent ", c.Accepted)
	reasons, err := w.reach.Reasons(w.t.Context(), runs[0].ID)
	require.NoError(w.t, err)
	for _, r := range reasons {
		out += fmt.Sprintf(", %s %s %d", r.Reason, r.Detail, r.Count)
	}
	return out
}

func TestPriority(t *testing.T) {
	t.Parallel()
	three, four := wednesday.Add(6*time.Hour), wednesday.Add(7*time.Hour)
	later := func(p int) func(*broadcast.Input) {
		return func(in *broadcast.Input) { in.At, in.Rules.Priority = &three, p }
	}
	t.Run("AMoreImportantOneLaterTheSameDayHoldsThePlaceOfItsPeople", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, 8)
		big := w.upto(5, later(5))
		small := w.upto(8, func(in *broadcast.Input) { in.Rules.Priority = 4 })
		in := w.input()
		in.ID, in.Condition, in.Rules.Priority = small.ID, condition.Is("upto", map[string]any{"n": 8}), 4
		p, err := w.Preview(t.Context(), "en", in)
		require.NoError(t, err)
		require.EqualValues(t, 3, p.Reachable)
		n := int64(8)
		_, err = w.RunNow(t.Context(), small.ID, &n)
		require.NoError(t, err)
		w.work()
		require.Equal(t, fmt.Sprintf("sent 3, FREQ_CAP reserved:%d 4, UNSUBSCRIBED  1", big.ID), w.outcome(small), "the preview said so")
		require.EqualValues(t, 4, p.Skipped[0].Count)
		w.clock.Set(three)
		w.work()
		require.Equal(t, "sent 4, UNSUBSCRIBED  1", w.outcome(big))
	})
	t.Run("AtTheSameMomentToo", func(t *testing.T) {
		t.Parallel()
		for _, order := range [][2]int{{7, 2}, {2, 7}} {
			w := newWorld(t, 5)
			a, b := w.upto(5, later(order[0])), w.upto(5, later(order[1]))
			w.clock.Set(three)
			w.work()
			high, low := a, b
			if order[0] < order[1] {
				high, low = b, a
			}
			require.Equal(t, "sent 4, UNSUBSCRIBED  1", w.outcome(high))
			require.Contains(t, w.outcome(low), "sent 0, FREQ_CAP", "whichever was worked on first")
		}
	})
	t.Run("NotAnEqualOneNorAPausedOneNorAServiceNorTomorrows", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, 5)
		tomorrow := three.Add(24 * time.Hour)
		w.upto(5, later(3))
		paused := w.upto(5, later(9))
		_, err := w.Pause(t.Context(), paused.ID)
		require.NoError(t, err)
		w.upto(5, func(in *broadcast.Input) { in.At, in.Class, in.Rules.Priority = &four, model.ClassService, 9 })
		w.upto(5, func(in *broadcast.Input) { in.At, in.Rules.Priority = &tomorrow, 9 })
		small := w.upto(4, func(in *broadcast.Input) { in.Rules.Priority = 3 })
		_, err = w.RunNow(t.Context(), small.ID, nil)
		require.NoError(t, err)
		w.work()
		require.Equal(t, "sent 3, UNSUBSCRIBED  1", w.outcome(small))
	})
}

func TestTrial(t *testing.T) {
	t.Parallel()
	const n = 300
	w := newWorld(t, n)
	trial := broadcast.Trial{Holdout: 20, Variants: []broadcast.Variant{
		{Share: 40, Message: reach.Message{Text: "b", Channels: []string{reach.Customer}}},
		{Share: 20, Message: reach.Message{Text: "c", Channels: []string{reach.Customer}}},
	}}
	b := w.upto(n, func(in *broadcast.Input) { in.Trial, in.Cron = trial, "0 10 * * *" })
	in := w.input()
	in.ID, in.Trial, in.Condition = b.ID, trial, condition.Is("upto", map[string]any{"n": n})
	p, err := w.Preview(t.Context(), "en", in)
	require.NoError(t, err)
	require.True(t, p.Everybody)
	require.EqualValues(t, n, p.Matched)
	require.Equal(t, p.Matched, p.Audience+p.Held)

	groups := func() map[int64]string {
		runs, err := w.reach.Runs(t.Context(), broadcast.Source, b.ID, 0, 3)
		require.NoError(t, err)
		who, sent := map[int64]string{}, int64(0)
		for i := range runs {
			require.NoError(t, w.db.Tx(t.Context(), func(_ context.Context, tx *gorm.DB) error {
				members, held, err := w.reach.MembersOf(tx, &runs[i])
				for _, id := range members.ToArray() {
					who[int64(id)] += runs[i].Variant
				}
				for _, id := range held.ToArray() {
					who[int64(id)] += "held"
				}
				return err
			}))
			c, err := w.reach.Counts(t.Context(), runs[i].ID)
			require.NoError(t, err)
			require.Equal(t, c.Audience, c.Sum())
			sent += c.Accepted
		}
		require.Len(t, who, n, "those of the runs and the held back are all who met the condition")
		count := map[string]int{}
		for _, g := range who {
			count[g]++
		}
		require.Len(t, count, 4, "each in one group: %v", count)
		require.EqualValues(t, p.Held, count["held"])
		require.Equal(t, p.Reachable, sent)
		return who
	}
	w.clock.Set(wednesday.Add(time.Hour))
	w.work()
	first := groups()
	require.Len(t, w.wx.sent, int(p.Reachable), "the held back get nothing")
	w.clock.Set(wednesday.Add(25 * time.Hour))
	w.work()
	require.Equal(t, first, groups(), "the same at every firing")

	again, err := w.RunDue(t.Context(), w.clock.Now())
	require.NoError(t, err)
	require.Zero(t, again)

	for field, bad := range map[string]broadcast.Trial{
		"holdout": {Holdout: 51}, "share": {Variants: []broadcast.Variant{{Share: 100}}},
		"variants": {Variants: []broadcast.Variant{trial.Variants[0], trial.Variants[0], trial.Variants[1]}},
		"message":  {Variants: []broadcast.Variant{{Share: 10}}},
	} {
		in.Trial = bad
		_, err := w.Save(t.Context(), in)
		require.Equal(t, errs.Invalid, errs.CodeOf(err), field)
	}
}
