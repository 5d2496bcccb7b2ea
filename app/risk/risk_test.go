package risk_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/risk"
	"github.com/siyu-scrm/siyu/model"
)

func add(w *apptest.World, kind, subject string, memberID int64) {
	w.T.Helper()
	w.Tx(func(_ context.Context, tx *gorm.DB) error {
		return risk.AddTx(tx, model.Risk{Kind: kind, Subject: subject, MemberID: memberID, At: w.Now()})
	})
}

func list(w *apptest.World, q risk.Query) (subjects []string) {
	w.T.Helper()
	q.Limit = 50
	rows, err := w.Risks.List(w.T.Context(), q)
	require.NoError(w.T, err)
	for _, r := range rows {
		subjects = append(subjects, r.Subject)
	}
	return subjects
}

func TestRisks(t *testing.T) {
	t.Parallel()

	t.Run("StandInTheListOnce", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		a, b := w.Joined("a"), w.Joined("b")
		add(w, model.RiskClaimTaken, "order:1", a)
		add(w, model.RiskClaimTaken, "order:1", a)
		add(w, model.RiskClaimTaken, "order:2", a)
		add(w, model.RiskClaimTaken, "order:1", b)
		add(w, model.RiskOverRefund, "order:1", a)
		require.Equal(t, []string{"order:1", "order:1", "order:2", "order:1"}, list(w, risk.Query{}))
		require.Equal(t, []string{"order:1", "order:2", "order:1"}, list(w, risk.Query{MemberID: a}))
		require.Equal(t, []string{"order:1"}, list(w, risk.Query{MemberID: a, Kind: model.RiskOverRefund}))
	})

	t.Run("LookedAtOneStandsWithTheDone", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		add(w, model.RiskShortfall, "entry:1", 0)
		rows, err := w.Risks.List(t.Context(), risk.Query{Limit: 1})
		require.NoError(t, err)
		done, err := w.Risks.Done(t.Context(), rows[0].ID)
		require.NoError(t, err)
		w.Advance(1)
		again, err := w.Risks.Done(t.Context(), rows[0].ID)
		require.NoError(t, err)
		require.Equal(t, done, again)
		yes, no := true, false
		require.Len(t, list(w, risk.Query{Done: &yes}), 1)
		require.Empty(t, list(w, risk.Query{Done: &no}))
		_, err = w.Risks.Done(t.Context(), rows[0].ID+1)
		require.Equal(t, errs.NotFound, errs.CodeOf(err))
	})

	t.Run("OfTwoWhoAreOneAreUnited", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		a, b := w.Joined("a"), w.Joined("b")
		add(w, model.RiskClaimTaken, "order:1", a)
		add(w, model.RiskClaimTaken, "order:1", b)
		add(w, model.RiskClaimTaken, "order:2", b)
		_, err := w.Members.Merge(t.Context(), a, b, "test")
		require.NoError(t, err)
		require.Equal(t, []string{"order:2", "order:1"}, list(w, risk.Query{MemberID: a}))
		_, err = w.Members.UndoMerge(t.Context(), b)
		require.NoError(t, err)
		require.Equal(t, []string{"order:1"}, list(w, risk.Query{MemberID: a}))
		require.ElementsMatch(t, []string{"order:1", "order:2"}, list(w, risk.Query{MemberID: b}))
	})
}
