package broadcast_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/model"
)

func TestLook(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 5)
	l, err := w.Look(t.Context(), "zh-CN", condition.Is("upto", map[string]any{"n": 3}), []string{reach.Customer})
	require.NoError(t, err)
	require.EqualValues(t, 5, l.Everybody)
	require.EqualValues(t, 3, l.Audience)
	require.EqualValues(t, 2, l.Reachable)
	require.Zero(t, l.Sampled)
	require.Equal(t, []reach.Reason{{Reason: "UNSUBSCRIBED", Count: 1}}, l.Skipped)
	require.Len(t, l.Sample, 3)
	require.Equal(t, "前几名", l.Who)

	const many = 30_000
	people := make([]model.Member, 0, many)
	for id := int64(6); id <= many; id++ {
		people = append(people, model.Member{ID: id, No: fmt.Sprint(id), CreatedAt: wednesday, ActiveAt: wednesday})
	}
	require.NoError(t, w.db.Tx(t.Context(), func(_ context.Context, tx *gorm.DB) error { return tx.CreateInBatches(people, 500).Error }))
	w.Service = w.process() // its sets are read anew
	l, err = w.Look(t.Context(), "zh-CN", condition.Tree{}, nil)
	require.NoError(t, err)
	require.EqualValues(t, many, l.Audience)
	require.EqualValues(t, 2_500, l.Sampled)
	sum := l.Reachable
	for _, s := range l.Skipped {
		sum += s.Count
	}
	require.EqualValues(t, many, sum)
	require.Less(t, l.Reachable, int64(30), "the few of the first ones who are reached, scaled up")
}
