package db_test

import (
	"context"
	"crypto/sha256"
	"errors"
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
)

type answer struct {
	N  int64
	At time.Time
}

func key(principal, name, body string) db.Key {
	return db.Key{Principal: principal, Route: "POST /x", Key: name, Hash: sha256.Sum256([]byte(body))}
}

// bump is a use case: its answer differs each time that it really runs.
func bump(ctx context.Context, d *db.DB) (answer, error) {
	return db.Do(ctx, d, func(_ context.Context, tx *gorm.DB) (a answer, err error) {
		if err = db.Bump(tx, "n"); err != nil {
			return a, err
		}
		a.N, err = db.Revision(tx, "n")
		a.At = clock.Real()
		return a, err
	})
}

func TestDo(t *testing.T) {
	t.Parallel()
	t.Run("ARepeatGetsTheFirstAnswer", func(t *testing.T) {
		t.Parallel()
		d := dbtest.Open(t)
		first, err := bump(db.WithKey(t.Context(), key("member:1", "k", "body")), d)
		require.NoError(t, err)
		again, err := bump(db.WithKey(t.Context(), key("member:1", "k", "body")), d)
		require.NoError(t, err)
		require.Equal(t, first, again)
		for _, k := range []db.Key{key("member:2", "k", "body"), key("member:1", "K", "body")} {
			other, err := bump(db.WithKey(t.Context(), k), d)
			require.NoError(t, err)
			require.NotEqual(t, first.N, other.N)
		}
	})
	t.Run("WithoutAKeyItRunsEachTime", func(t *testing.T) {
		t.Parallel()
		d := dbtest.Open(t)
		for want := int64(1); want < 3; want++ {
			got, err := bump(t.Context(), d)
			require.NoError(t, err)
			require.Equal(t, want, got.N)
		}
	})
	t.Run("AnotherBodyUnderTheKeyIsAConflict", func(t *testing.T) {
		t.Parallel()
		d := dbtest.Open(t)
		_, err := bump(db.WithKey(t.Context(), key("member:1", "k", "body")), d)
		require.NoError(t, err)
		other := db.WithKey(t.Context(), key("member:1", "k", "other"))
		_, _, err = db.Done[answer](other, d)
		require.Equal(t, errs.New(errs.Conflict, "idempotency.reused"), err)
		_, err = bump(other, d)
		require.Equal(t, errs.New(errs.Conflict, "idempotency.reused"), err)
		n, err := db.Revision(d.Reader(t.Context()), "n")
		require.NoError(t, err)
		require.EqualValues(t, 1, n)
	})
	t.Run("ARefusalIsNotStored", func(t *testing.T) {
		t.Parallel()
		d := dbtest.Open(t)
		_, err := db.Do(db.WithKey(t.Context(), key("member:1", "k", "body")), d, func(context.Context, *gorm.DB) (answer, error) {
			return answer{N: 9}, errors.New("no")
		})
		require.ErrorContains(t, err, "no")
		got, err := bump(db.WithKey(t.Context(), key("member:1", "k", "body")), d)
		require.NoError(t, err)
		require.EqualValues(t, 1, got.N)
	})
	t.Run("TheSecondDoOfARequestRunsPlain", func(t *testing.T) {
		t.Parallel()
		d := dbtest.Open(t)
		ctx := db.WithKey(t.Context(), key("member:1", "k", "body"))
		for want := int64(1); want < 3; want++ {
			got, err := bump(ctx, d)
			require.NoError(t, err)
			require.Equal(t, want, got.N)
		}
	})
	t.Run("DoneSaysWhatIsStored", func(t *testing.T) {
		t.Parallel()
		d := dbtest.Open(t)
		_, done, err := db.Done[answer](t.Context(), d)
		require.NoError(t, err)
		require.False(t, done)
		ctx := db.WithKey(t.Context(), key("member:1", "k", "body"))
		_, done, err = db.Done[answer](ctx, d)
		require.NoError(t, err)
		require.False(t, done)
		first, err := bump(ctx, d)
		require.NoError(t, err)
		again, done, err := db.Done[answer](db.WithKey(t.Context(), key("member:1", "k", "body")), d)
		require.NoError(t, err)
		require.True(t, done)
		require.Equal(t, first, again)
	})
	t.Run("TwentyAtOnceRunOnce", func(t *testing.T) {
		t.Parallel()
		d := dbtest.Open(t)
		var sum atomic.Int64
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				got, err := bump(db.WithKey(t.Context(), key("member:1", "k", "body")), d)
				if err != nil {
					t.Error(err)
				}
				sum.Add(got.N)
			})
		}
		wg.Wait()
		require.EqualValues(t, 20, sum.Load())
	})
	t.Run("ATooLongKeyIsRefused", func(t *testing.T) {
		t.Parallel()
		_, err := bump(db.WithKey(t.Context(), key("member:1", string(make([]byte, 129)), "body")), dbtest.Open(t))
		require.Equal(t, errs.Invalid, errs.CodeOf(err))
	})
	t.Run("PurgedKeysRunAgain", func(t *testing.T) {
		t.Parallel()
		d := dbtest.Open(t)
		for _, name := range []string{"a", "b", "c"} {
			_, err := bump(db.WithKey(t.Context(), key("member:1", name, "body")), d)
			require.NoError(t, err)
		}
		n, err := d.PurgeKeys(t.Context(), clock.Real().Add(-time.Hour), 10)
		require.NoError(t, err)
		require.Zero(t, n)
		n, err = d.PurgeKeys(t.Context(), clock.Real().Add(time.Second), 2)
		require.NoError(t, err)
		require.EqualValues(t, 2, n)
	})
}
