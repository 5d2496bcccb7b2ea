package audience_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/app/tier"
	"github.com/siyu-scrm/siyu/model"
)

// ladder makes three tiers by growth.
func ladder(t *testing.T, w *apptest.World) []condition.Tree {
	t.Helper()
	saved, err := w.Tiers.Save(t.Context(), tier.Input{
		Settings: model.TierSettings{Account: "growth", Basis: "lifetime", Downgrade: model.TierImmediate, ReviewDays: 30, NoticeDays: 7},
		Tiers:    []tier.Tier{{Name: "V1"}, {Name: "V2", Threshold: 100}, {Name: "V3", Threshold: 500}},
	}, "test")
	require.NoError(t, err)
	w.Settle()
	var leaves []condition.Tree
	for _, v := range saved.Ladder.Tiers {
		id := fmt.Sprint(v.ID)
		leaves = append(leaves, condition.Is("tier", map[string]any{"at_least": id}), condition.Is("tier", map[string]any{"in": []string{id}}))
	}
	return leaves
}

// grow gives somebody growth.
func grow(t *testing.T, w *apptest.World, id, amount int64) {
	t.Helper()
	_, err := w.Book.Grant(t.Context(), ledger.Manual{MemberID: id, Account: "growth", Amount: amount, Memo: "test", Actor: "test"})
	require.NoError(t, err)
}

// notFoundAtMost: who was erased is not found.
func notFoundAtMost(t *testing.T, err error) {
	t.Helper()
	if errs.CodeOf(err) != errs.NotFound {
		require.NoError(t, err)
	}
}
