package work_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/db/dbtest"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/work"
	"github.com/siyu-scrm/siyu/model"
)

// world is the works of one process; more processes share its database.
type world struct {
	*work.Service
	db    *db.DB
	clock *clock.Movable
	t     *testing.T
}

func newWorld(t *testing.T) *world {
	d, c := dbtest.Open(t), clock.NewFrozen(time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC))
	return &world{work.New(d, c), d, c, t}
}

// counting registers a kind that writes one revision per step: effects that a repeat would double.
func (w *world) counting(s *work.Service, each func(n int64) error) {
	s.Register("count", func(ctx context.Context, row *model.Work) (bool, error) {
		n := row.Done + 1
		if err := each(n); err != nil {
			return false, err
		}
		err := w.db.BulkTx(ctx, func(_ context.Context, tx *gorm.DB) error {
			if err := tx.Create(&model.Revision{Name: "step" + strconv.FormatInt(n, 10), N: 1}).Error; err != nil {
				return err
			}
			return s.ProgressTx(tx, row, map[string]any{"n": n}, n, map[string]any{"sum": n})
		})
		return n == row.Total, err
	})
}

func (w *world) start(total int64) *model.Work {
	w.t.Helper()
	var row *model.Work
	require.NoError(w.t, w.db.Tx(w.t.Context(), func(_ context.Context, tx *gorm.DB) (err error) {
		row, err = w.StartTx(tx, "count", nil, total, "operator:1")
		return err
	}))
	return row
}

func (w *world) get(id int64) *model.Work {
	w.t.Helper()
	row, err := w.Get(w.t.Context(), id)
	require.NoError(w.t, err)
	return row
}

func (w *world) steps() (n int64) {
	w.t.Helper()
	require.NoError(w.t, w.db.Reader(w.t.Context()).Model(&model.Revision{}).Where("name LIKE 'step%'").Count(&n).Error)
	return n
}

func never(int64) error { return nil }

func TestWork(t *testing.T) {
	t.Parallel()
	t.Run("ItRunsToItsEndAndSaysWhatCameOfIt", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.counting(w.Service, never)
		id := w.start(3).ID
		did, err := w.Work(t.Context())
		require.NoError(t, err)
		require.True(t, did)
		row := w.get(id)
		require.Equal(t, model.WorkDone, row.State)
		require.EqualValues(t, 3, row.Done)
		require.JSONEq(t, `{"sum":3}`, string(row.Result))
		require.NotNil(t, row.EndedAt)
		did, err = w.Work(t.Context())
		require.NoError(t, err)
		require.False(t, did, "nothing is left")
	})
	t.Run("ProcessesShareTheWorkAndNoStepIsDoneTwice", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		id := w.start2(40)
		var group sync.WaitGroup
		for range 4 {
			other := work.New(w.db, w.clock)
			w.counting(other, never)
			group.Go(func() {
				for w.get(id).State == model.WorkRunning {
					if _, err := other.Work(t.Context()); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		group.Wait()
		require.EqualValues(t, 40, w.steps())
	})
	t.Run("WhoLostItWritesNothing", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		var id int64
		w.counting(w.Service, func(n int64) error {
			if n == 2 { // another process takes it over while this one is slow
				return w.db.Tx(t.Context(), func(_ context.Context, tx *gorm.DB) error {
					return tx.Model(&model.Work{}).Where("id = ?", id).Updates(map[string]any{"claim": "other", "version": gorm.Expr("version + 1")}).Error
				})
			}
			return nil
		})
		id = w.start(3).ID
		did, err := w.Work(t.Context())
		require.NoError(t, err)
		require.True(t, did)
		require.EqualValues(t, 1, w.steps())
		require.EqualValues(t, 1, w.get(id).Done)
		require.Equal(t, "other", w.get(id).Claim)
	})
	t.Run("CancelStopsItAndKeepsWhatItDid", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		var id int64
		w.counting(w.Service, func(n int64) error {
			if n == 3 {
				_, err := w.Cancel(t.Context(), id)
				return err
			}
			return nil
		})
		id = w.start(9).ID
		_, err := w.Work(t.Context())
		require.NoError(t, err)
		require.Equal(t, model.WorkCancelled, w.get(id).State)
		require.EqualValues(t, 2, w.steps())
		_, err = w.Cancel(t.Context(), id)
		require.Equal(t, errs.Conflict, errs.CodeOf(err))
		_, err = w.Cancel(t.Context(), id+1)
		require.Equal(t, errs.NotFound, errs.CodeOf(err))
	})
	t.Run("AFailureIsTriedAgainLaterAndEndsItAfterFive", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		broken := errors.New("the disk is full")
		w.counting(w.Service, func(n int64) error {
			if n == 2 {
				return broken
			}
			return nil
		})
		id := w.start(3).ID
		for i := range 5 {
			require.Equal(t, model.WorkRunning, w.get(id).State, i)
			_, err := w.Work(t.Context())
			require.ErrorIs(t, err, broken)
			did, err := w.Work(t.Context())
			require.NoError(t, err)
			require.False(t, did, "not before its time")
			w.clock.Set(w.clock.Now().Add(2 * time.Minute))
		}
		row := w.get(id)
		require.Equal(t, model.WorkFailed, row.State)
		require.Equal(t, "the disk is full", row.Error)
		broken = nil
		_, err := w.Retry(t.Context(), id)
		require.NoError(t, err)
		_, err = w.Work(t.Context())
		require.NoError(t, err)
		require.Equal(t, model.WorkDone, w.get(id).State)
		require.EqualValues(t, 3, w.steps(), "it went on where it stopped")
	})
	t.Run("ARefusalEndsItAtOnce", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.counting(w.Service, func(int64) error { return errs.New(errs.Conflict, "work.state", "state", "x") })
		id := w.start(3).ID
		_, err := w.Work(t.Context())
		require.Error(t, err)
		require.Equal(t, model.WorkFailed, w.get(id).State)
	})
	t.Run("AStopIsNoFailure", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		ctx, stop := context.WithCancel(t.Context())
		w.counting(w.Service, func(n int64) error {
			if n == 2 {
				stop()
				return ctx.Err()
			}
			return nil
		})
		id := w.start(3).ID
		_, err := w.Work(ctx)
		require.NoError(t, err)
		row := w.get(id)
		require.Equal(t, model.WorkRunning, row.State)
		require.Zero(t, row.Failures)
		due, ok, err := w.Due(t.Context())
		require.NoError(t, err)
		require.True(t, ok)
		require.False(t, due.After(w.clock.Now()), "the next process goes on at once")
	})
}

// start2 starts a work for services that are not this one.
func (w *world) start2(total int64) int64 {
	w.t.Helper()
	w.counting(w.Service, never)
	return w.start(total).ID
}
