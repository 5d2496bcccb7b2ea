package automation_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/automation"
	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/db/dbtest"
	"github.com/siyu-scrm/siyu/model"
)

var start = time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC) // 09:00 in Shanghai

func TestCronJobs(t *testing.T) {
	t.Parallel()
	t.Run("TwoProcessesFireOnce", func(t *testing.T) {
		t.Parallel()
		d, c := dbtest.Open(t), clock.NewFrozen(start)
		var fired atomic.Int32
		jobs := []automation.Job{{Name: "nightly", Cron: "30 3 * * *", Run: func(context.Context, time.Time) error {
			fired.Add(1)
			return nil
		}}}
		var runners []*automation.Runner
		for _, owner := range []string{"a", "b"} {
			r, err := automation.NewRunner(d, c, clock.Shanghai, owner, jobs)
			require.NoError(t, err)
			require.NoError(t, r.Prepare(t.Context()))
			runners = append(runners, r)
		}
		next, ok, err := runners[0].Due(t.Context(), start, start.AddDate(0, 0, 2))
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, clock.Shanghai.At("2026-11-24", 3, 30), next)
		for day := range 3 {
			require.True(t, c.Set(next.AddDate(0, 0, day)))
			var wg sync.WaitGroup
			for _, r := range runners {
				wg.Go(func() {
					if err := r.Settle(t.Context(), c.Now()); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			require.EqualValues(t, day+1, fired.Load())
		}
	})
	t.Run("DownOverSeveralFiringsItRunsOnce", func(t *testing.T) {
		t.Parallel()
		d, c := dbtest.Open(t), clock.NewFrozen(start)
		fired := 0
		r, err := automation.NewRunner(d, c, clock.Shanghai, "a", []automation.Job{
			{Name: "nightly", Cron: "30 3 * * *", Run: func(context.Context, time.Time) error { fired++; return nil }},
		})
		require.NoError(t, err)
		require.NoError(t, r.Prepare(t.Context()))
		require.True(t, c.Set(start.AddDate(0, 0, 5)))
		require.NoError(t, r.Settle(t.Context(), c.Now()))
		require.Equal(t, 1, fired)
	})
	t.Run("AFailureIsKeptAndTheNextFiringComes", func(t *testing.T) {
		t.Parallel()
		d, c := dbtest.Open(t), clock.NewFrozen(start)
		fail := true
		r, err := automation.NewRunner(d, c, clock.Shanghai, "a", []automation.Job{
			{Name: "nightly", Cron: "30 3 * * *", Run: func(context.Context, time.Time) error {
				if fail {
					return errors.New("no luck")
				}
				return nil
			}},
		})
		require.NoError(t, err)
		require.NoError(t, r.Prepare(t.Context()))
		noted := func() string {
			var row model.Job
			require.NoError(t, d.Reader(t.Context()).Where("name = ?", "nightly").Take(&row).Error)
			return row.Error
		}
		require.True(t, c.Set(start.AddDate(0, 0, 1)))
		require.ErrorContains(t, r.Settle(t.Context(), c.Now()), "nightly")
		require.Equal(t, "no luck", noted())
		fail = false
		require.True(t, c.Set(start.AddDate(0, 0, 2)))
		require.NoError(t, r.Settle(t.Context(), c.Now()))
		require.Empty(t, noted())
	})
	t.Run("KilledInTheMiddleItRunsAgain", func(t *testing.T) {
		t.Parallel()
		d, c := dbtest.Open(t), clock.NewFrozen(start)
		fired := 0
		r, err := automation.NewRunner(d, c, clock.Shanghai, "b", []automation.Job{
			{Name: "nightly", Cron: "30 3 * * *", Run: func(context.Context, time.Time) error { fired++; return nil }},
		})
		require.NoError(t, err)
		require.NoError(t, r.Prepare(t.Context()))
		begun := func(lease time.Time) { // by a process that is not heard of any more
			require.NoError(t, d.Tx(t.Context(), func(_ context.Context, tx *gorm.DB) error {
				return tx.Model(&model.Job{}).Where("name = ?", "nightly").Updates(map[string]any{"state": model.JobRunning, "owner": "a", "lease_till": lease}).Error
			}))
		}
		begun(clock.Real().Add(time.Hour))
		require.NoError(t, r.Settle(t.Context(), c.Now()))
		require.Zero(t, fired, "it may be alive")
		begun(clock.Real().Add(-time.Second))
		require.NoError(t, r.Settle(t.Context(), c.Now()))
		require.Equal(t, 1, fired)
		require.NoError(t, r.Settle(t.Context(), c.Now()))
		require.Equal(t, 1, fired)
	})
	t.Run("WhatCameOfEachIsShown", func(t *testing.T) {
		t.Parallel()
		d, c := dbtest.Open(t), clock.NewFrozen(start)
		waits, fail := true, false
		jobs := []automation.Job{
			{Name: "nightly", Cron: "30 3 * * *", Run: func(context.Context, time.Time) error { return nil }},
			{Name: "work", Work: func(context.Context) (bool, error) {
				if fail {
					return false, errors.New("no luck")
				}
				did := waits
				waits = false
				return did, nil
			}, Due: func(context.Context) (time.Time, bool, error) { return start, waits, nil }},
		}
		r, err := automation.NewRunner(d, c, clock.Shanghai, "a", jobs)
		require.NoError(t, err)
		require.NoError(t, r.Prepare(t.Context()))
		lines := func() (nightly, work automation.Line) {
			list, err := automation.Lines(t.Context(), d, jobs)
			require.NoError(t, err)
			require.Len(t, list, 2)
			return list[0], list[1]
		}
		nightly, work := lines()
		require.Equal(t, clock.Shanghai.At("2026-11-24", 3, 30), nightly.Next.UTC())
		require.Equal(t, start, work.Next.UTC())
		require.Empty(t, nightly.State+work.State)
		require.True(t, c.Set(*nightly.Next))
		require.NoError(t, r.Settle(t.Context(), c.Now()))
		nightly, work = lines()
		require.Equal(t, model.JobDone, nightly.State)
		require.Equal(t, c.Now(), nightly.LastAt.UTC())
		require.Equal(t, clock.Shanghai.At("2026-11-25", 3, 30), nightly.Next.UTC())
		require.Equal(t, model.JobDone, work.State)
		require.Nil(t, work.Next)
		fail = true
		require.Error(t, r.Settle(t.Context(), c.Now()))
		_, work = lines()
		require.Equal(t, model.JobFailed, work.State)
		require.Equal(t, "no luck", work.Error)
	})
	t.Run("ALineThatCannotBeReadStopsTheStart", func(t *testing.T) {
		t.Parallel()
		_, err := automation.NewRunner(nil, clock.System{}, clock.Shanghai, "a", []automation.Job{{Name: "odd", Cron: "soon"}})
		require.ErrorContains(t, err, "odd")
	})
}

func TestSettle(t *testing.T) {
	t.Parallel()
	t.Run("WorkThatMakesWorkIsDoneToTheEnd", func(t *testing.T) {
		t.Parallel()
		first, second, done := 3, 0, 0
		r, err := automation.NewRunner(dbtest.Open(t), clock.NewFrozen(start), clock.Shanghai, "a", []automation.Job{
			{Name: "second", Work: func(context.Context) (bool, error) {
				if second == 0 {
					return false, nil
				}
				second--
				done++
				return true, nil
			}},
			{Name: "first", Work: func(context.Context) (bool, error) {
				if first == 0 {
					return false, nil
				}
				first--
				second += 2
				return true, nil
			}},
		})
		require.NoError(t, err)
		require.NoError(t, r.Settle(t.Context(), start))
		require.Equal(t, 6, done)
	})
	t.Run("APanicIsAnErrorThatNamesTheJob", func(t *testing.T) {
		t.Parallel()
		r, err := automation.NewRunner(dbtest.Open(t), clock.NewFrozen(start), clock.Shanghai, "a", []automation.Job{
			{Name: "broken", Work: func(context.Context) (bool, error) { panic("boom") }},
		})
		require.NoError(t, err)
		require.ErrorContains(t, r.Settle(t.Context(), start), "broken")
	})
}

func TestStartFinishesWhatIsInHand(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	begun, finished := make(chan struct{}), make(chan struct{})
	var once sync.Once
	r, err := automation.NewRunner(dbtest.Open(t), clock.NewFrozen(start), clock.Shanghai, "a", []automation.Job{
		{Name: "slow", Work: func(ctx context.Context) (bool, error) {
			once.Do(func() {
				close(begun)
				<-finished
			})
			return false, ctx.Err()
		}},
	})
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- r.Start(ctx) }()
	<-begun
	stop()
	close(finished)
	require.NoError(t, <-done)
}
