package db_test

import (
	"context"
	"os"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/db/dbtest"
	"github.com/siyu-scrm/siyu/app/errs"
)

func TestTooSlow(t *testing.T) {
	t.Parallel()
	t.Run("TheNextStatementFails", func(t *testing.T) {
		t.Parallel()
		d := dbtest.Open(t)
		err := d.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
			require.NoError(t, put("a")(ctx, tx))
			db.Expire(tx)
			return put("b")(ctx, tx)
		})
		require.Equal(t, errs.New(errs.Unavailable, "db.too_slow"), err)
		require.Zero(t, count(t, d))
	})
	t.Run("NothingIsKeptEvenIfNoStatementFollows", func(t *testing.T) {
		t.Parallel()
		d := dbtest.Open(t)
		err := d.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
			require.NoError(t, put("a")(ctx, tx))
			db.Expire(tx)
			return nil
		})
		require.Equal(t, errs.New(errs.Unavailable, "db.too_slow"), err)
		require.Zero(t, count(t, d))
		require.NoError(t, d.Tx(t.Context(), put("c")))
	})
}

// onMySQL is a database for what SQLite cannot do: closures that conflict, connections that break.
func onMySQL(t *testing.T) *db.DB {
	if os.Getenv(dbtest.EnvMySQL) == "" {
		t.Skip("needs " + dbtest.EnvMySQL)
	}
	t.Parallel()
	return dbtest.Open(t)
}

func TestRetry(t *testing.T) {
	t.Parallel()
	crossing := func(t *testing.T, swallow bool) {
		d := onMySQL(t)
		for _, name := range []string{"a", "b"} {
			require.NoError(t, d.Tx(t.Context(), put(name)))
		}
		var met, wg sync.WaitGroup // both hold their first row before either asks for its second
		met.Add(2)
		for _, names := range [][]string{{"a", "b"}, {"b", "a"}} {
			first := true
			wg.Go(func() {
				err := d.Tx(t.Context(), func(_ context.Context, tx *gorm.DB) error {
					if err := db.Bump(tx, names[0]); err != nil {
						return err
					}
					if first {
						first = false
						met.Done()
						met.Wait()
					}
					if err := db.Bump(tx, names[1]); err != nil && !swallow {
						return err
					}
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for _, name := range []string{"a", "b"} {
			n, err := db.Revision(d.Reader(t.Context()), name)
			require.NoError(t, err)
			require.EqualValues(t, 2, n)
		}
		require.EqualValues(t, 1, d.Stats().Retries)
	}
	t.Run("ADeadlockRunsTheClosureAgain", func(t *testing.T) { crossing(t, false) })
	t.Run("ADeadlockThatTheClosureHidesDoesToo", func(t *testing.T) { crossing(t, true) })

	// kill breaks the connection of the closure's first run, then goes on with rest.
	kill := func(t *testing.T, d *db.DB, runs *int, rest db.Func) error {
		return d.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
			if err := put("a")(ctx, tx); err != nil {
				return err
			}
			if *runs++; *runs == 1 {
				var id int64
				require.NoError(t, tx.Raw("SELECT CONNECTION_ID()").Scan(&id).Error)
				require.NoError(t, d.Reader(t.Context()).Exec("KILL ?", id).Error)
			}
			return rest(ctx, tx)
		})
	}
	t.Run("AConnectionLostBeforeTheCommitRunsItAgain", func(t *testing.T) {
		d, runs := onMySQL(t), 0
		require.NoError(t, kill(t, d, &runs, put("b")))
		require.Equal(t, 2, runs)
		require.EqualValues(t, 2, count(t, d))
	})
	t.Run("AConnectionLostInTheCommitIsUnknownAndNotRepeated", func(t *testing.T) {
		d, runs := onMySQL(t), 0
		err := kill(t, d, &runs, func(context.Context, *gorm.DB) error { return nil })
		require.Equal(t, errs.OutcomeUnknown, errs.CodeOf(err))
		require.Equal(t, 1, runs)
	})
	t.Run("WhatAlwaysConflictsIsGivenUp", func(t *testing.T) {
		d, runs := onMySQL(t), 0
		err := d.Tx(t.Context(), func(_ context.Context, tx *gorm.DB) error {
			runs++
			return tx.Exec("SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213").Error
		})
		require.Equal(t, errs.Unavailable, errs.CodeOf(err))
		require.Equal(t, 20, runs)
	})
}
