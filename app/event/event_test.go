package event_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/model"
)

func record(w *apptest.World, b event.Behavior) (*event.Recorded, error) {
	return w.Events.Record(context.WithoutCancel(w.T.Context()), "shop", b, w.LockMember)
}

func TestRecord(t *testing.T) {
	t.Parallel()

	t.Run("SameKeyCreditsOnce", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		alice := w.Joined("alice")
		w.Rule("shared", "behavior.visit", apptest.Earns(5, ""))
		b := event.Behavior{MemberID: alice, Action: "visit", Key: "1", OccurredAt: w.Now(), Data: model.JSON(`{"page":"a"}`)}
		first, err := record(w, b)
		require.NoError(t, err)
		require.True(t, first.New)
		require.EqualValues(t, 5, first.Grants[0].Amount)
		again, err := record(w, b)
		require.NoError(t, err)
		require.Equal(t, &event.Recorded{EventID: first.EventID}, again)
		require.EqualValues(t, 5, w.Points(alice))
	})

	t.Run("SameKeyWithOtherInputIsAConflict", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		alice, bob := w.Joined("alice"), w.Joined("bob")
		b := event.Behavior{MemberID: alice, Action: "visit", Key: "1", OccurredAt: w.Now(), Data: model.JSON(`{"page":"a"}`)}
		_, err := record(w, b)
		require.NoError(t, err)
		for _, change := range []func(*event.Behavior){
			func(b *event.Behavior) { b.MemberID = bob },
			func(b *event.Behavior) { b.Action = "like" },
			func(b *event.Behavior) { b.OccurredAt = b.OccurredAt.Add(-time.Second) },
			func(b *event.Behavior) { b.Data = model.JSON(`{"page":"b"}`) },
		} {
			other := b
			change(&other)
			_, err := record(w, other)
			require.Equal(t, errs.Conflict, errs.CodeOf(err))
		}
		require.EqualValues(t, 1, w.Count(&model.Event{}, "source = ?", "shop"))
	})

	t.Run("AKeyOfAnotherSourceIsAnotherFact", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		alice := w.Joined("alice")
		b := event.Behavior{MemberID: alice, Action: "visit", Key: "1", OccurredAt: w.Now()}
		for _, source := range []string{"shop", "till"} {
			r, err := w.Events.Record(t.Context(), source, b, w.LockMember)
			require.NoError(t, err)
			require.True(t, r.New)
		}
	})

	t.Run("TwentyAtOnceCreditOnce", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		alice := w.Joined("alice")
		w.Rule("shared", "behavior.visit", apptest.Earns(5, ""))
		var fresh atomic.Int32
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				r, err := record(w, event.Behavior{MemberID: alice, Action: "visit", Key: "1", OccurredAt: apptest.Start})
				if err != nil {
					t.Errorf("Record: %v", err)
				} else if r.New {
					fresh.Add(1)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 1, fresh.Load())
		require.EqualValues(t, 5, w.Points(alice))
		w.Verified()
	})

	t.Run("ARepeatAfterAMergeIsStillARepeat", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		alice := w.Joined("alice")
		w.Advance(time.Minute)
		other := w.Joined("other")
		b := event.Behavior{MemberID: other, Action: "visit", Key: "1", OccurredAt: w.Now()}
		first, err := record(w, b)
		require.NoError(t, err)
		m, err := w.Members.Merge(t.Context(), alice, other, "test")
		require.NoError(t, err)
		require.Equal(t, alice, m.ID)
		again, err := record(w, b)
		require.NoError(t, err)
		require.Equal(t, &event.Recorded{EventID: first.EventID}, again)
	})

	t.Run("MoreThanFiveMinutesAheadIsRefused", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		alice := w.Joined("alice")
		require.NoError(t, w.Behave(alice, "visit", "1", apptest.Start.Add(5*time.Minute)))
		err := w.Behave(alice, "visit", "2", apptest.Start.Add(5*time.Minute+time.Microsecond))
		require.Equal(t, errs.Invalid, errs.CodeOf(err))
		require.EqualValues(t, 1, w.Count(&model.Event{}, "source = ?", "test"))
	})

	t.Run("BadActionsAndKeysAreRefused", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		alice := w.Joined("alice")
		for _, action := range []string{"", "Share", "a b", "分享", "abcdefghijklmnopqrstuvwx"} {
			require.Equal(t, errs.Invalid, errs.CodeOf(w.Behave(alice, action, "1", apptest.Start)), action)
			require.False(t, event.Known("behavior."+action), action)
		}
		require.Equal(t, errs.Invalid, errs.CodeOf(w.Behave(alice, "visit", "", apptest.Start)))
		require.Equal(t, errs.NotFound, errs.CodeOf(w.Behave(999, "visit", "1", apptest.Start)))
		require.True(t, event.Known("behavior.visit"))
	})
}

// follow adds a follower for the events of one kind.
func follow(w *apptest.World, kind string, f event.Follower) {
	w.Events.Follow(func(ctx context.Context, tx *gorm.DB, ev *model.Event) ([]event.Grant, error) {
		if ev.Kind != kind {
			return nil, nil
		}
		return f(ctx, tx, ev)
	})
}

// child records an event that ev caused.
func child(ctx context.Context, w *apptest.World, tx *gorm.DB, ev *model.Event, key string) error {
	_, err := w.Events.RecordTx(ctx, tx, &model.Event{MemberID: ev.MemberID, Kind: ev.Kind, Source: ev.Source, Key: key, OccurredAt: ev.OccurredAt})
	return err
}

func TestChain(t *testing.T) {
	t.Parallel()

	t.Run("AnEventWaitsUntilEveryFollowerHasSeenTheOneBefore", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		alice := w.Joined("alice")
		var seen []string
		follow(w, "behavior.visit", func(ctx context.Context, tx *gorm.DB, ev *model.Event) ([]event.Grant, error) {
			seen = append(seen, "first "+ev.Key)
			if ev.Key != "1" {
				return []event.Grant{{Note: ev.Key}}, nil
			}
			return nil, errors.Join(child(ctx, w, tx, ev, "1.1"), child(ctx, w, tx, ev, "1.2"))
		})
		follow(w, "behavior.visit", func(_ context.Context, _ *gorm.DB, ev *model.Event) ([]event.Grant, error) {
			seen = append(seen, "second "+ev.Key)
			return nil, nil
		})
		r, err := record(w, event.Behavior{MemberID: alice, Action: "visit", Key: "1", OccurredAt: apptest.Start})
		require.NoError(t, err)
		require.Equal(t, []string{"first 1", "second 1", "first 1.1", "second 1.1", "first 1.2", "second 1.2"}, seen)
		require.Equal(t, []event.Grant{{Note: "1.1"}, {Note: "1.2"}}, r.Grants, "what the caused events earned comes back too")
	})

	for depth, fits := range map[int]bool{8: true, 9: false} {
		t.Run(fmt.Sprintf("AChainOf%dEventsDeepIsKept=%t", depth, fits), func(t *testing.T) {
			t.Parallel()
			w := apptest.New(t)
			alice := w.Joined("alice")
			follow(w, "behavior.visit", func(ctx context.Context, tx *gorm.DB, ev *model.Event) ([]event.Grant, error) {
				if len(ev.Key) > depth {
					return nil, nil
				}
				return nil, child(ctx, w, tx, ev, ev.Key+"x")
			})
			_, err := record(w, event.Behavior{MemberID: alice, Action: "visit", Key: "x", OccurredAt: apptest.Start})
			if fits {
				require.NoError(t, err)
				require.EqualValues(t, depth+1, w.Count(&model.Event{}, "source = ?", "shop"))
				return
			}
			require.Error(t, err)
			require.Empty(t, errs.CodeOf(err), "a mistake of the programme, not of the caller")
			require.Zero(t, w.Count(&model.Event{}, "source = ?", "shop"), "nothing half-done")
		})
	}
}

// later is a handler that notes what it was given and fails where told.
type later struct {
	mu   sync.Mutex
	seen []string
	fail func(t event.Task) error
}

func (l *later) register(w *apptest.World) {
	w.Events.Later("behavior.visit", func(_ context.Context, task event.Task) (func(context.Context, *gorm.DB) error, error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		note := task.Event.Key
		if task.Died {
			note += " died"
		}
		l.seen = append(l.seen, note)
		if l.fail != nil {
			return nil, l.fail(task)
		}
		return nil, nil
	})
}

func (l *later) taken() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := l.seen
	l.seen = nil
	return out
}

func work(w *apptest.World) bool {
	w.T.Helper()
	did, err := w.Events.Work(w.T.Context(), "me")
	require.NoError(w.T, err)
	return did
}

func TestOutbox(t *testing.T) {
	t.Parallel()
	setUp := func(t *testing.T, l *later) (*apptest.World, int64, int64) {
		w := apptest.New(t)
		l.register(w)
		return w, w.Joined("alice"), w.Joined("bob")
	}

	t.Run("RunsInOrderPerMember", func(t *testing.T) {
		t.Parallel()
		l := &later{}
		w, alice, _ := setUp(t, l)
		for _, key := range []string{"1", "2", "3"} {
			require.NoError(t, w.Behave(alice, "visit", key, apptest.Start))
		}
		for work(w) {
		}
		require.Equal(t, []string{"1", "2", "3"}, l.taken())
		require.EqualValues(t, 3, w.Count(&model.Outbox{}, "state = ?", model.OutboxDone))
	})

	t.Run("AFailureIsTriedAgainLaterAndHoldsUpOnlyItsMember", func(t *testing.T) {
		t.Parallel()
		broken := true
		l := &later{fail: func(task event.Task) error {
			if broken && task.Event.Key == "a1" {
				return errors.New("no network")
			}
			return nil
		}}
		w, alice, bob := setUp(t, l)
		require.NoError(t, w.Behave(alice, "visit", "a1", apptest.Start))
		require.NoError(t, w.Behave(alice, "visit", "a2", apptest.Start))
		require.NoError(t, w.Behave(bob, "visit", "b1", apptest.Start))
		w.Settle()
		require.Equal(t, []string{"a1", "b1"}, l.taken())
		due, ok, err := w.Events.Due(t.Context())
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, apptest.Start.Add(2*time.Second), due, "what waits behind it does not count")
		broken = false
		w.Advance(2*time.Second - time.Microsecond)
		require.Empty(t, l.taken())
		w.Advance(time.Microsecond)
		require.Equal(t, []string{"a1", "a2"}, l.taken(), "a failure that was told is not a death")
	})

	t.Run("IsParkedAfterEightFailuresAndOthersGoOn", func(t *testing.T) {
		t.Parallel()
		l := &later{fail: func(task event.Task) error {
			if task.Event.Key == "1" {
				panic("poison")
			}
			return nil
		}}
		w, alice, _ := setUp(t, l)
		require.NoError(t, w.Behave(alice, "visit", "1", apptest.Start))
		require.NoError(t, w.Behave(alice, "visit", "2", apptest.Start))
		w.Advance(time.Hour)
		require.Equal(t, append(slices.Repeat([]string{"1"}, 8), "2"), l.taken())
		var row model.Outbox
		require.NoError(t, w.DB.Reader(t.Context()).Where("state = ?", model.OutboxParked).Take(&row).Error)
		require.Equal(t, "panic: poison", row.Error)
	})

	t.Run("AnOutageOfADayIsOutlasted", func(t *testing.T) {
		t.Parallel()
		broken := true
		l := &later{fail: func(event.Task) error {
			if broken {
				return fmt.Errorf("called: %w", errs.New(errs.Unavailable, "wechat.unavailable"))
			}
			return nil
		}}
		w, alice, _ := setUp(t, l)
		require.NoError(t, w.Behave(alice, "visit", "1", apptest.Start))
		w.Advance(24 * time.Hour)
		require.Less(t, len(l.taken()), 40, "it does not hammer")
		broken = false
		w.Advance(time.Hour)
		require.Equal(t, []string{"1"}, l.taken(), "an hour later at most")
		broken = true
		require.NoError(t, w.Behave(alice, "visit", "2", w.Now()))
		w.Advance(5 * 24 * time.Hour)
		require.EqualValues(t, 1, w.Count(&model.Outbox{}, "state = ?", model.OutboxParked), "nor does it last forever")
	})

	die := func(t *testing.T, w *apptest.World) {
		t.Helper()
		w.Tx(func(_ context.Context, tx *gorm.DB) error { // a claim whose worker died, and whose lease is over
			return tx.Exec("UPDATE outboxes SET attempts = attempts + 1, owner = 'dead' WHERE state = ?", model.OutboxPending).Error
		})
	}

	t.Run("WhoTakesOverFromADeadWorkerIsToldSoUntilTheEnd", func(t *testing.T) {
		t.Parallel()
		broken := true
		l := &later{fail: func(event.Task) error {
			if broken {
				return errors.New("no network")
			}
			return nil
		}}
		w, alice, _ := setUp(t, l)
		require.NoError(t, w.Behave(alice, "visit", "1", apptest.Start))
		die(t, w)
		w.Settle()
		broken = false
		w.Advance(time.Hour)
		require.Equal(t, []string{"1 died", "1 died"}, l.taken(), "a failure after the death does not make the first attempt known")
	})

	t.Run("ARowThatKillsEveryWorkerIsParked", func(t *testing.T) {
		t.Parallel()
		l := &later{}
		w, alice, _ := setUp(t, l)
		require.NoError(t, w.Behave(alice, "visit", "1", apptest.Start))
		for range 8 {
			die(t, w)
		}
		w.Settle()
		require.Empty(t, l.taken())
		require.EqualValues(t, 1, w.Count(&model.Outbox{}, "state = ?", model.OutboxParked))
	})

	t.Run("AnEffectThatFailsDoesNotRepeatTheCalls", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		alice := w.Joined("alice")
		var seen []bool
		w.Events.Later("behavior.visit", func(_ context.Context, task event.Task) (func(context.Context, *gorm.DB) error, error) {
			seen = append(seen, task.Died)
			return func(context.Context, *gorm.DB) error {
				if !task.Died {
					return errors.New("no database")
				}
				return nil
			}, nil
		})
		require.NoError(t, w.Behave(alice, "visit", "1", apptest.Start))
		w.Advance(time.Minute)
		require.Equal(t, []bool{false, true}, seen)
		require.EqualValues(t, 1, w.Count(&model.Outbox{}, "state = ?", model.OutboxDone))
	})

	t.Run("TheEffectIsKeptWithTheMarkOrNotAtAll", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		alice := w.Joined("alice")
		tries := 0
		w.Events.Later("behavior.visit", func(context.Context, event.Task) (func(context.Context, *gorm.DB) error, error) {
			return func(ctx context.Context, tx *gorm.DB) error {
				if tries++; tries == 1 {
					return errors.Join(child(ctx, w, tx, &model.Event{MemberID: alice, Kind: "behavior.like", Source: "half", OccurredAt: apptest.Start}, "1"), errors.New("late"))
				}
				return nil
			}, nil
		})
		require.NoError(t, w.Behave(alice, "visit", "1", apptest.Start))
		w.Advance(time.Minute)
		require.Zero(t, w.Count(&model.Event{}, "source = ?", "half"))
		require.Equal(t, 2, tries)
	})

	t.Run("TwoWorkersNeverRunOneRow", func(t *testing.T) {
		t.Parallel()
		l := &later{}
		w, alice, bob := setUp(t, l)
		for i := range 15 {
			require.NoError(t, w.Behave(alice, "visit", fmt.Sprint("a", i), apptest.Start))
			require.NoError(t, w.Behave(bob, "visit", fmt.Sprint("b", i), apptest.Start))
		}
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				for w.Count(&model.Outbox{}, "state = ?", model.OutboxPending) > 0 {
					if _, err := w.Events.Work(t.Context(), fmt.Sprint("worker", i)); err != nil {
						t.Errorf("Work: %v", err)
						return
					}
				}
			})
		}
		wg.Wait()
		seen := l.taken()
		require.Len(t, seen, 30)
		for _, who := range []string{"a", "b"} {
			next := 0
			for _, key := range seen {
				if key[:1] == who {
					require.Equal(t, fmt.Sprint(who, next), key)
					next++
				}
			}
		}
	})
}
