package member_test

import (
	"context"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/model"
)

// BenchmarkExport is the export of a member with 10,000 entries and as many lots.
func BenchmarkExport(b *testing.B) {
	w := apptest.New(b)
	id := w.Joined("a")
	var ps []ledger.Posting
	for i := range 10_000 {
		ps = append(ps, ledger.Posting{MemberID: id, Account: model.AccountPoints, Amount: 1, Reason: "bench", Key: fmt.Sprintf("bench:%d", i)})
	}
	for some := range slices.Chunk(ps, 500) {
		w.Tx(func(ctx context.Context, tx *gorm.DB) error {
			_, err := w.Book.PostAllTx(ctx, tx, some)
			return err
		})
	}
	for b.Loop() {
		require.NoError(b, w.Members.Export(b.Context(), id, io.Discard))
	}
}
