package db_test

import (
	"context"
	"errors"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/db/dbtest"
	"github.com/siyu-scrm/siyu/app/errs"
)

// queue holds the writer's baton while closures line up behind it in a known order.
type queue struct {
	t       *testing.T
	d       *db.DB
	release chan struct{}
	wg      sync.WaitGroup
	before  db.Stats
}

// openSQLite opens a database whose groups take closures however slow the machine is.
func openSQLite(t *testing.T) *db.DB {
	d := dbtest.OpenConfig(t, db.Config{Driver: db.SQLite, Path: filepath.Join(t.TempDir(), "siyu.db")})
	require.NoError(t, d.Migrate(t.Context()))
	d.SetAge(time.Hour)
	return d
}

// hold runs a closure that writes "held" and lasts until run.
func hold(t *testing.T, d *db.DB) *queue {
	q := &queue{t: t, d: d, release: make(chan struct{}), before: d.Stats()}
	started := make(chan struct{})
	var once sync.Once
	q.wg.Go(func() {
		if err := d.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
			once.Do(func() { close(started) })
			<-q.release
			return put("held")(ctx, tx)
		}); err != nil && errs.CodeOf(err) != errs.OutcomeUnknown {
			t.Error(err)
		}
	})
	<-started
	return q
}

// add queues f, which calls Tx or BulkTx once.
func (q *queue) add(f func()) {
	n := q.d.Stats().Waiting
	q.wg.Go(f)
	for q.d.Stats().Waiting == n {
		runtime.Gosched()
	}
}

// tx queues fn and returns where its error will be.
func (q *queue) tx(fn db.Func) *error {
	err := new(error)
	q.add(func() { *err = q.d.Tx(q.t.Context(), fn) })
	return err
}

// run lets the queue go, waits for all of it, and returns what the counters counted.
func (q *queue) run() db.Stats {
	close(q.release)
	q.wg.Wait()
	after := q.d.Stats()
	return db.Stats{
		Groups:    after.Groups - q.before.Groups,
		Retries:   after.Retries - q.before.Retries,
		Discarded: after.Discarded - q.before.Discarded,
	}
}

func TestGroupCommit(t *testing.T) {
	t.Parallel()
	t.Run("ThoseWhoWaitShareACommit", func(t *testing.T) {
		t.Parallel()
		d := openSQLite(t)
		q := hold(t, d)
		for i := range 40 {
			q.tx(put(strconv.Itoa(i)))
		}
		require.EqualValues(t, 1, q.run().Groups)
		require.EqualValues(t, 41, count(t, d))
	})
	t.Run("AnOldGroupTakesNoMore", func(t *testing.T) {
		t.Parallel()
		d := openSQLite(t)
		d.SetAge(-1)
		q := hold(t, d)
		q.tx(put("a"))
		q.tx(put("b"))
		require.EqualValues(t, 3, q.run().Groups)
		require.EqualValues(t, 3, count(t, d))
	})
	t.Run("AGroupIsBounded", func(t *testing.T) {
		t.Parallel()
		d := openSQLite(t)
		q := hold(t, d)
		for i := range db.MaxGroup {
			q.tx(put(strconv.Itoa(i)))
		}
		require.EqualValues(t, 2, q.run().Groups)
		require.EqualValues(t, db.MaxGroup+1, count(t, d))
	})
	t.Run("ARefusalUndoesOnlyItself", func(t *testing.T) {
		t.Parallel()
		d, no := openSQLite(t), errors.New("no")
		q := hold(t, d)
		first := q.tx(put("a"))
		second := q.tx(func(ctx context.Context, tx *gorm.DB) error { return errors.Join(put("b")(ctx, tx), no) })
		third := q.tx(put("c"))
		require.Zero(t, q.run().Retries)
		require.NoError(t, *first)
		require.ErrorIs(t, *second, no)
		require.NoError(t, *third)
		require.EqualValues(t, 3, count(t, d))
	})
	t.Run("APanicUndoesOnlyItself", func(t *testing.T) {
		t.Parallel()
		d := openSQLite(t)
		q := hold(t, d)
		first := q.tx(put("a"))
		var recovered any
		q.add(func() {
			defer func() { recovered = recover() }()
			_ = d.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
				_ = put("b")(ctx, tx)
				panic("bug")
			})
		})
		third := q.tx(put("c"))
		require.Zero(t, q.run().Retries)
		require.Equal(t, "bug", recovered)
		require.NoError(t, errors.Join(*first, *third))
		require.EqualValues(t, 3, count(t, d))
	})
	t.Run("NobodyIsAnsweredBeforeTheCommit", func(t *testing.T) {
		t.Parallel()
		d := openSQLite(t)
		q := hold(t, d)
		answered := make(chan struct{}, 1)
		q.add(func() {
			_ = d.Tx(t.Context(), put("a"))
			answered <- struct{}{}
		})
		early := false
		last := q.tx(func(context.Context, *gorm.DB) error {
			select {
			case <-answered:
				early = count(t, d) == 0 // another connection does not see it
			default:
			}
			return nil
		})
		q.run()
		require.NoError(t, *last)
		require.False(t, early)
	})
	for name, sabotage := range map[string]string{
		"AnInterruptedTransactionRunsEachAgainAlone": "ROLLBACK", // SQLite does it by itself on a full disk, an interrupt, …
		"ALostSavepointRunsEachAgainAlone":           "RELEASE s",
		"ACommitThatIsNotOursRunsEachAgainAlone":     "COMMIT",
	} {
		for _, refuse := range []bool{false, true} { // RELEASE fails, ROLLBACK TO fails
			t.Run(name+"/refuse="+strconv.FormatBool(refuse), func(t *testing.T) {
				t.Parallel()
				d, no := openSQLite(t), errors.New("no")
				q := hold(t, d)
				first := q.tx(put("a"))
				runs := 0
				second := q.tx(func(ctx context.Context, tx *gorm.DB) error {
					if runs++; runs == 1 {
						_ = d.Raw(sabotage)
					}
					if err := put("b")(ctx, tx); err != nil || !refuse {
						return err
					}
					return no
				})
				third := q.tx(put("c"))
				stats := q.run()
				require.EqualValues(t, 1, stats.Discarded)
				require.GreaterOrEqual(t, stats.Retries, int64(1))
				require.Equal(t, 2, runs)
				require.NoError(t, errors.Join(*first, *third))
				if refuse {
					require.ErrorIs(t, *second, no)
					require.EqualValues(t, 3, count(t, d))
				} else {
					require.NoError(t, *second)
					require.EqualValues(t, 4, count(t, d))
				}
			})
		}
	}
	t.Run("WhatFailsAloneIsAnError", func(t *testing.T) {
		t.Parallel()
		d := openSQLite(t)
		err := d.Tx(t.Context(), func(context.Context, *gorm.DB) error { return d.Raw("RELEASE s") })
		require.ErrorContains(t, err, "the transaction is lost")
		require.NoError(t, d.Tx(t.Context(), put("a")))
		require.EqualValues(t, 1, count(t, d))
	})
	t.Run("AFailedCommitFailsAll", func(t *testing.T) {
		t.Parallel()
		d := openSQLite(t)
		require.NoError(t, d.Tx(t.Context(), func(_ context.Context, tx *gorm.DB) error {
			return tx.Exec("CREATE TABLE child (parent text REFERENCES revisions(name) DEFERRABLE INITIALLY DEFERRED)").Error
		}))
		q := hold(t, d)
		first := q.tx(put("a"))
		second := q.tx(func(_ context.Context, tx *gorm.DB) error {
			return tx.Exec("INSERT INTO child VALUES ('nobody')").Error
		})
		refused := q.tx(func(context.Context, *gorm.DB) error { return errors.New("decided by rows that were never kept") })
		q.run()
		for _, err := range []error{*first, *second, *refused} {
			require.Equal(t, errs.OutcomeUnknown, errs.CodeOf(err))
		}
		require.Zero(t, count(t, d))
		require.NoError(t, d.Tx(t.Context(), put("b")))
	})
	t.Run("InteractiveGoesBeforeBulk", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, []string{"interactive", "interactive", "bulk", "bulk"}, order(t, false))
	})
	t.Run("BulkIsNotStarved", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, []string{"bulk", "interactive", "interactive", "bulk"}, order(t, true))
	})
	t.Run("WhoLeavesTheQueueDoesNotRun", func(t *testing.T) {
		t.Parallel()
		d := openSQLite(t)
		q := hold(t, d)
		ctx, cancel := context.WithCancel(t.Context())
		left := make(chan error, 1)
		q.add(func() { left <- d.Tx(ctx, put("a")) })
		later := q.tx(put("b"))
		cancel()
		require.ErrorIs(t, <-left, context.Canceled)
		q.run()
		require.NoError(t, *later)
		require.EqualValues(t, 2, count(t, d))
	})
}

// order is in which order two bulk closures and two later interactive ones run.
func order(t *testing.T, passed bool) (ran []string) {
	d := openSQLite(t)
	q := hold(t, d)
	note := func(name string) db.Func {
		return func(context.Context, *gorm.DB) error { ran = append(ran, name); return nil }
	}
	for range 2 {
		q.add(func() { _ = d.BulkTx(t.Context(), note("bulk")) })
	}
	for range 2 {
		q.tx(note("interactive"))
	}
	if passed {
		d.PassBulk()
	}
	q.run()
	return ran
}

func TestOneProcessPerFile(t *testing.T) {
	t.Parallel()
	cfg := db.Config{Driver: db.SQLite, Path: filepath.Join(t.TempDir(), "siyu.db")}
	d, err := db.Open(t.Context(), cfg)
	require.NoError(t, err)
	_, err = db.Open(t.Context(), cfg)
	require.ErrorContains(t, err, cfg.Path+".lock")
	require.NoError(t, d.Close())
	d, err = db.Open(t.Context(), cfg)
	require.NoError(t, err)
	require.NoError(t, d.Close())
}

func TestReaderDoesNotWrite(t *testing.T) {
	t.Parallel()
	d := openSQLite(t)
	require.ErrorContains(t, put("a")(t.Context(), d.Reader(t.Context())), "readonly")
}
