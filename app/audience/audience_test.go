package audience_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/audience"
	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/db/dbtest"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/model"
)

func TestAudience(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t)
	at := time.Date(2026, 11, 24, 4, 0, 0, 0, time.UTC)
	reg := condition.New()
	reg.Seal()
	s := audience.New(d, clock.NewFrozen(at), clock.Shanghai, reg, nil, nil)
	require.NoError(t, d.Tx(t.Context(), func(_ context.Context, tx *gorm.DB) error {
		for id := int64(1); id <= 30; id++ {
			m := model.Member{ID: id, No: fmt.Sprint(id), CreatedAt: at, ActiveAt: at}
			if id > 28 {
				into := int64(1)
				m.MergedInto = &into
			}
			if err := tx.Create(&m).Error; err != nil {
				return err
			}
		}
		return nil
	}))
	t.Run("EverybodyIsWhoWasNotMerged", func(t *testing.T) {
		t.Parallel()
		n, err := s.Count(t.Context(), condition.Tree{})
		require.NoError(t, err)
		require.EqualValues(t, 28, n)
	})
	t.Run("APartIsAPart", func(t *testing.T) {
		t.Parallel()
		some := condition.Is("random", map[string]any{"percent": 50, "salt": "a"})
		found, everybody, err := s.Members(t.Context(), d.Reader(t.Context()), at, some)
		require.NoError(t, err)
		require.EqualValues(t, 28, everybody)
		require.LessOrEqual(t, found.GetCardinality(), uint64(28))
		n, err := s.Count(t.Context(), some)
		require.NoError(t, err)
		require.EqualValues(t, found.GetCardinality(), n)
	})
	t.Run("AnUnknownLeafIsRefused", func(t *testing.T) {
		t.Parallel()
		_, err := s.Count(t.Context(), condition.Is("nothing", nil))
		require.Equal(t, errs.Invalid, errs.CodeOf(err))
	})
	t.Run("ASampleIsSpreadOverTheSet", func(t *testing.T) {
		t.Parallel()
		all, _, err := s.Now(t.Context(), condition.Tree{})
		require.NoError(t, err)
		rows, err := s.Sample(t.Context(), all, 4)
		require.NoError(t, err)
		ids := []int64{rows[0].ID, rows[1].ID, rows[2].ID, rows[3].ID}
		require.Equal(t, []int64{1, 8, 15, 22}, ids)
		all.Clear()
		rows, err = s.Sample(t.Context(), all, 12)
		require.NoError(t, err)
		require.Empty(t, rows)
	})
}

// Before anybody is there, what was done in a window is asked too; then who came is counted.
func TestNobodyIsThereYet(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	did := condition.Is("did", map[string]any{"event": model.EventCheckin, "op": condition.Gte, "count": 1, "window": "30d"})
	n, err := w.Audience.Count(t.Context(), did)
	require.NoError(t, err)
	require.Zero(t, n)
	sizes, err := w.Audience.Sizes(t.Context(), "tag")
	require.NoError(t, err)
	require.Empty(t, sizes)
	p, id := w.Member("小林")
	require.NoError(t, p.API(t.Context(), "POST", "/checkins", nil, nil))
	first, second := w.Tag("preference", "一"), w.Tag("preference", "二")
	for _, tag := range []int64{first, second} {
		require.NoError(t, w.Tags.SetManual(t.Context(), id, tag, 1, true, ""))
	}
	n, err = w.Audience.Count(t.Context(), did)
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
	sizes, err = w.Audience.Sizes(t.Context(), "tag")
	require.NoError(t, err)
	require.Equal(t, map[int64]int64{first: 1, second: 1}, sizes)
	for above, want := range map[int]map[int64]int64{1: {id: 2}, 2: {}} {
		many, err := w.Audience.Crowded(t.Context(), "tag", above)
		require.NoError(t, err)
		require.Equal(t, want, many)
	}
}
