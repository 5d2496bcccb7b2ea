package db_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/db/dbtest"
	"github.com/siyu-scrm/siyu/model"
)

func TestCached(t *testing.T) {
	t.Parallel()
	// count is what is cached here: how many rows there are, which are named after nothing else.
	rows := func(tx *gorm.DB) (n int64, err error) {
		return n, tx.Model(&model.Revision{}).Where("name LIKE ?", "row-%").Count(&n).Error
	}
	add := func(name string) db.Func {
		return func(_ context.Context, tx *gorm.DB) error {
			if _, err := db.Insert(tx, &model.Revision{Name: "row-" + name}); err != nil {
				return err
			}
			return db.Bump(tx, "rows")
		}
	}
	t.Run("IsReadAgainWhenItsRevisionMoved", func(t *testing.T) {
		t.Parallel()
		d := dbtest.Open(t)
		var c db.Cached[int64]
		loads := 0
		get := func() int64 {
			n, err := c.Get(d.Reader(t.Context()), "rows", func(tx *gorm.DB) (int64, error) { loads++; return rows(tx) })
			require.NoError(t, err)
			return n
		}
		require.Zero(t, get())
		require.NoError(t, d.Tx(t.Context(), add("a")))
		require.EqualValues(t, 1, get())
		require.EqualValues(t, 1, get())
		require.Equal(t, 2, loads)
	})
	t.Run("WhoLoadsHoldsNobodyUp", func(t *testing.T) { // on MySQL each waiter would keep a connection, until the one who loads gets none
		t.Parallel()
		d := dbtest.Open(t)
		var c db.Cached[int64]
		begun, end, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		var first atomic.Bool
		load := func(tx *gorm.DB) (int64, error) {
			if first.CompareAndSwap(false, true) {
				close(begun)
				<-end
			}
			return rows(tx)
		}
		go func() {
			_, err := c.Get(d.Reader(t.Context()), "rows", load)
			done <- err
		}()
		<-begun
		require.NoError(t, d.Tx(t.Context(), func(_ context.Context, tx *gorm.DB) error {
			_, err := c.Get(tx, "rows", load)
			return err
		}))
		require.NoError(t, d.Tx(t.Context(), add("a")))
		n, err := c.Get(d.Reader(t.Context()), "rows", load)
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
		close(end)
		require.NoError(t, <-done)
		n, err = c.Get(d.Reader(t.Context()), "rows", load)
		require.NoError(t, err)
		require.EqualValues(t, 1, n, "the one who was slow does not bring back what was")
	})
	t.Run("WhatIsUndoneIsNotShared", func(t *testing.T) {
		t.Parallel()
		d := dbtest.Open(t)
		var c db.Cached[int64]
		get := func(tx *gorm.DB) int64 {
			n, err := c.Get(tx, "rows", rows)
			require.NoError(t, err)
			return n
		}
		undone := errors.New("undone")
		require.ErrorIs(t, d.Tx(t.Context(), func(ctx context.Context, tx *gorm.DB) error {
			for _, name := range []string{"a", "b"} {
				require.NoError(t, add(name)(ctx, tx))
			}
			require.EqualValues(t, 2, get(tx), "its own change is seen")
			return undone
		}), undone)
		require.NoError(t, d.Tx(t.Context(), add("c")))
		require.NoError(t, d.Tx(t.Context(), add("d"))) // the same revision again, of something else
		require.NoError(t, d.Tx(t.Context(), func(_ context.Context, tx *gorm.DB) error {
			return tx.Delete(&model.Revision{}, "name = ?", "row-c").Error
		}))
		require.EqualValues(t, 1, get(d.Reader(t.Context())))
	})
}

func TestFixed(t *testing.T) {
	t.Parallel()
	var f db.Fixed[string]
	loads := 0
	get := func(id int64, value string) string {
		got, err := f.Get(id, 2, func() (string, error) { loads++; return value, nil })
		require.NoError(t, err)
		return got
	}
	require.Equal(t, "a", get(1, "a"))
	require.Equal(t, "a", get(1, "other"))
	require.Equal(t, "b", get(2, "b"))
	require.Equal(t, 2, loads)
	require.Equal(t, "c", get(3, "c"), "beyond the most that are kept")
	require.Equal(t, "new", get(1, "new"))
	_, err := f.Get(9, 2, func() (string, error) { return "", errors.New("no") })
	require.Error(t, err)
	require.Equal(t, "d", get(9, "d"), "an error is not kept")
}
