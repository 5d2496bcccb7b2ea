package db_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/db/dbtest"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

// put inserts a revision row: the smallest write there is.
func put(name string) db.Func {
	return func(_ context.Context, tx *gorm.DB) error { return tx.Create(&model.Revision{Name: name}).Error }
}

func count(t testing.TB, d *db.DB) (n int64) {
	require.NoError(t, d.Reader(t.Context()).Model(&model.Revision{}).Count(&n).Error)
	return n
}

func TestTx(t *testing.T) {
	t.Parallel()
	t.Run("WhatItWroteIsReadAfterwards", func(t *testing.T) {
		t.Parallel()
		d := dbtest.Open(t)
		require.NoError(t, d.Tx(t.Context(), put("a")))
		require.NoError(t, d.BulkTx(t.Context(), put("b")))
		require.EqualValues(t, 2, count(t, d))
	})
	t.Run("AnErrorUndoesAll", func(t *testing.T) {
		t.Parallel()
		d, refusal := dbtest.Open(t), errs.New(errs.LimitReached, "x")
		err := d.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
			require.NoError(t, put("a")(ctx, tx))
			return refusal
		})
		require.Equal(t, refusal, err)
		require.Zero(t, count(t, d))
	})
	t.Run("APanicUndoesAllAndGoesOn", func(t *testing.T) {
		t.Parallel()
		d := dbtest.Open(t)
		require.PanicsWithValue(t, "bug", func() {
			_ = d.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
				require.NoError(t, put("a")(ctx, tx))
				panic("bug")
			})
		})
		require.NoError(t, d.Tx(t.Context(), put("b")))
		require.EqualValues(t, 1, count(t, d))
	})
	t.Run("AnExitOfTheGoroutineUndoesAll", func(t *testing.T) {
		t.Parallel()
		d, gone := dbtest.Open(t), make(chan struct{})
		go func() {
			defer close(gone)
			_ = d.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
				_ = put("a")(ctx, tx)
				runtime.Goexit() // what t.FailNow does
				return nil
			})
		}()
		<-gone
		require.NoError(t, d.Tx(t.Context(), put("b")))
		require.EqualValues(t, 1, count(t, d))
	})
	t.Run("NestingIsAnErrorAtOnce", func(t *testing.T) {
		t.Parallel()
		d := dbtest.Open(t)
		err := d.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
			require.ErrorContains(t, d.Tx(ctx, put("a")), "inside a transaction")
			require.ErrorContains(t, d.BulkTx(ctx, put("a")), "inside a transaction")
			require.ErrorContains(t, d.Reader(ctx).First(&model.Revision{}).Error, "inside a transaction")
			_, err := db.Do(ctx, d, func(context.Context, *gorm.DB) (int, error) { return 1, nil })
			require.ErrorContains(t, err, "inside a transaction")
			require.ErrorContains(t, d.Migrate(ctx), "inside a transaction")
			return nil
		})
		require.NoError(t, err)
	})
	t.Run("CancellingInsideChangesNothing", func(t *testing.T) {
		t.Parallel()
		d := dbtest.Open(t)
		outer, cancel := context.WithCancel(t.Context())
		require.NoError(t, d.Tx(outer, func(ctx context.Context, tx *gorm.DB) error {
			cancel()
			require.NoError(t, ctx.Err())
			require.NoError(t, put("a")(ctx, tx))
			return put("b")(ctx, tx.WithContext(outer)) // even where a closure brings the cancelled one in
		}))
		require.EqualValues(t, 2, count(t, d))
		require.ErrorIs(t, d.Tx(outer, put("c")), context.Canceled)
	})
	t.Run("TxIsDeadAfterTheEnd", func(t *testing.T) {
		t.Parallel()
		d := dbtest.Open(t)
		var kept *gorm.DB
		require.NoError(t, d.Tx(t.Context(), func(_ context.Context, tx *gorm.DB) error { kept = tx; return nil }))
		require.ErrorContains(t, put("a")(t.Context(), kept), "after its transaction ended")
		require.Error(t, kept.Raw("SELECT 1").Row().Err())
	})
	t.Run("AClosureCannotEndItself", func(t *testing.T) {
		t.Parallel()
		d := dbtest.Open(t)
		for _, q := range []string{"COMMIT", " rollback ;", "BEGIN", "START TRANSACTION", "END"} {
			err := d.Tx(t.Context(), func(_ context.Context, tx *gorm.DB) error { return tx.Exec(q).Error })
			require.ErrorContains(t, err, "must not begin, commit or roll back", q)
		}
	})
	t.Run("TransactionInsideIsASavepoint", func(t *testing.T) {
		t.Parallel()
		d := dbtest.Open(t)
		require.NoError(t, d.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
			require.NoError(t, put("a")(ctx, tx))
			require.Error(t, tx.Transaction(func(tx *gorm.DB) error {
				require.NoError(t, put("b")(ctx, tx))
				return errors.New("no")
			}))
			require.Panics(t, func() {
				_ = tx.Transaction(func(tx *gorm.DB) error {
					require.NoError(t, put("c")(ctx, tx))
					panic("bug")
				})
			})
			return tx.Transaction(func(tx *gorm.DB) error { return put("d")(ctx, tx) })
		}))
		require.EqualValues(t, 2, count(t, d))
	})
	t.Run("ConcurrentIncrementsAllCount", func(t *testing.T) {
		t.Parallel()
		d := dbtest.Open(t)
		const goroutines, each = 16, 10
		var wg sync.WaitGroup
		for range goroutines {
			wg.Go(func() {
				for range each {
					if err := d.Tx(t.Context(), func(_ context.Context, tx *gorm.DB) error { return db.Bump(tx, "n") }); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		n, err := db.Revision(d.Reader(t.Context()), "n")
		require.NoError(t, err)
		require.EqualValues(t, goroutines*each, n)
	})
	t.Run("CloseWaitsForTheOneInFlight", func(t *testing.T) {
		t.Parallel()
		d := dbtest.Open(t)
		started, closed, done := make(chan struct{}), make(chan error, 1), make(chan error, 1)
		var ended atomic.Bool
		go func() {
			done <- d.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
				close(started)
				clock.Sleep(ctx, 20*time.Millisecond)
				ended.Store(true)
				return put("a")(ctx, tx)
			})
		}()
		<-started
		go func() { closed <- d.Close() }()
		require.NoError(t, <-closed)
		require.True(t, ended.Load())
		require.NoError(t, <-done)
		require.Equal(t, errs.Unavailable, errs.CodeOf(d.Tx(t.Context(), put("b"))))
	})
}

func TestInsert(t *testing.T) {
	t.Parallel()
	t.Run("ADuplicateLeavesTheTransactionUsable", func(t *testing.T) {
		t.Parallel()
		d := dbtest.Open(t)
		require.NoError(t, d.Tx(t.Context(), func(_ context.Context, tx *gorm.DB) error {
			for i, want := range []bool{false, true, false} {
				dup, err := db.Insert(tx, &model.Revision{Name: []string{"a", "a", "b"}[i]})
				require.NoError(t, err)
				require.Equal(t, want, dup)
			}
			return nil
		}))
		require.EqualValues(t, 2, count(t, d))
	})
	t.Run("NamesThatDifferByCaseAreTwo", func(t *testing.T) {
		t.Parallel()
		d := dbtest.Open(t)
		require.NoError(t, d.Tx(t.Context(), put("oAbc")))
		require.NoError(t, d.Tx(t.Context(), put("oabc")))
	})
}

func TestTimes(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t)
	zone := time.FixedZone("elsewhere", 8*3600)
	at := []time.Time{
		{}, // kept as a zero time by both databases
		time.Date(2026, 11, 23, 0, 0, 0, 0, zone),
		time.Date(2026, 11, 23, 0, 0, 0, 999, zone), // truncated to the microsecond, never rounded
		time.Date(2026, 11, 23, 0, 0, 0, 120_000_000, zone),
		time.Date(2026, 11, 23, 0, 0, 0, 123_456_999, zone),
	}
	for i, a := range at {
		require.NoError(t, d.Tx(t.Context(), func(_ context.Context, tx *gorm.DB) error {
			return tx.Create(&model.Session{TokenHash: string(rune('a' + i)), ExpiresAt: a}).Error
		}))
	}
	find := func(tx *gorm.DB) (keys []time.Time) {
		require.NoError(t, tx.Model(&model.Session{}).Order("token_hash").Pluck("expires_at", &keys).Error)
		return keys
	}
	r := d.Reader(t.Context())
	got := find(r)
	require.Len(t, got, len(at))
	for i, a := range at {
		require.Equal(t, a.UTC().Truncate(time.Microsecond), got[i])
	}
	require.Len(t, find(r.Where("expires_at >= ? AND expires_at < ?", at[1].UTC(), at[3].UTC())), 2)
	require.Len(t, find(r.Where("expires_at = ?", at[4])), 1)
	require.Len(t, find(r.Where("expires_at > ?", at[3])), 1)
	require.Len(t, find(r.Where("expires_at <= ?", &at[3])), 4)
}
