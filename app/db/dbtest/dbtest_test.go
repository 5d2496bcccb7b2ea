package dbtest_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/db/dbtest"
	"github.com/siyu-scrm/siyu/model"
)

func TestOpen(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"EachTestHasItsOwn", "EmptyDatabase", "WithEveryTable"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := dbtest.Open(t)
			for _, m := range model.All() {
				var n int64
				require.NoError(t, d.Reader(t.Context()).Model(m).Count(&n).Error, "%T", m)
				require.Zero(t, n, "%T", m)
			}
			require.NoError(t, d.Tx(t.Context(), func(_ context.Context, tx *gorm.DB) error {
				return tx.Create(&model.Revision{Name: "x"}).Error
			}))
			require.NoError(t, d.Migrate(t.Context())) // knows that it is up to date
		})
	}
}
