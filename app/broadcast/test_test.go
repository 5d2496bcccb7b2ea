package broadcast_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/broadcast"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/model"
)

func TestTestSend(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 5)
	b := w.upto(5, func(in *broadcast.Input) {
		in.Message.Channels = []string{reach.Mass}
		in.Trial.Variants = []broadcast.Variant{{Share: 50, Message: reach.Message{Text: "b", Channels: []string{reach.Customer}}}}
	})
	w.clock.Set(wednesday.Add(14 * time.Hour)) // 23:00
	for _, variant := range []string{"", "B"} {
		_, err := w.Test(t.Context(), b.ID, variant, []int64{1, 2})
		require.NoError(t, err)
		w.work()
	}
	require.Equal(t, map[string]int{"o1": 2, "o2": 2}, w.wx.sent, "only the named, also in quiet hours, twice")
	var uses []model.ReachUse
	require.NoError(t, w.db.Reader(t.Context()).Find(&uses).Error)
	require.Empty(t, uses, "no cap counts it")
	runs, err := w.reach.Runs(t.Context(), broadcast.SourceTest, b.ID, 0, 9)
	require.NoError(t, err)
	require.Len(t, runs, 2)
	var m reach.Message
	require.NoError(t, runs[0].Message.Into(&m))
	require.Equal(t, reach.TestMark+"b", m.Text)
	require.Empty(t, w.runs(b.ID), "it is none of the broadcast's sends")

	for field, who := range map[string][]int64{"nobody": nil, "many": make([]int64, 21)} {
		_, err := w.Test(t.Context(), b.ID, "", who)
		require.Equal(t, errs.Invalid, errs.CodeOf(err), field)
	}
	_, err = w.Test(t.Context(), b.ID, "C", []int64{1})
	require.Equal(t, errs.Invalid, errs.CodeOf(err))
	_, err = w.Test(t.Context(), b.ID, "", []int64{99})
	require.Equal(t, errs.NotFound, errs.CodeOf(err))
}
