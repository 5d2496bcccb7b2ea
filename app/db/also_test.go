package db_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/db/dbtest"
)

func TestAlso(t *testing.T) {
	t.Parallel()
	revision := func(d *db.DB, name string) int64 {
		n, err := db.Revision(d.Reader(t.Context()), name)
		require.NoError(t, err)
		return n
	}
	t.Run("IsKeptWithTheUseCaseAndSeesItsAnswer", func(t *testing.T) {
		t.Parallel()
		d := dbtest.Open(t)
		var saw any
		ctx := db.Also(t.Context(), func(tx *gorm.DB, answer any) error {
			saw = answer
			return db.Bump(tx, "also")
		})
		first, err := bump(ctx, d)
		require.NoError(t, err)
		require.Equal(t, first, saw)
		_, err = bump(ctx, d)
		require.NoError(t, err)
		require.EqualValues(t, 1, revision(d, "also"), "only the first Do of a request")
	})
	t.Run("UndoesTheUseCaseWhenItFails", func(t *testing.T) {
		t.Parallel()
		d := dbtest.Open(t)
		_, err := bump(db.Also(t.Context(), func(*gorm.DB, any) error { return errors.New("no") }), d)
		require.Error(t, err)
		require.Zero(t, revision(d, "n"))
	})
	t.Run("IsNotRunAgainByARepeat", func(t *testing.T) {
		t.Parallel()
		d := dbtest.Open(t)
		for range 2 {
			ctx := db.Also(db.WithKey(t.Context(), key("operator:1", "k", "body")), func(tx *gorm.DB, _ any) error { return db.Bump(tx, "also") })
			_, err := bump(ctx, d)
			require.NoError(t, err)
		}
		require.EqualValues(t, 1, revision(d, "also"))
	})
}
