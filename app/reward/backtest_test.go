package reward_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/reward"
	"github.com/siyu-scrm/siyu/model"
)

// A backtest of the rule that was in force gives what the rule gave.
func TestBacktest(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	const definition = `{"grants":[{"kind":"per_unit","account":"points","amount":2,"field":"n"}],"caps":[{"period":"day","account":"points","amount":30}],"budget":{"account":"points","amount":700,"period":"lifetime"}}`
	rule := w.Rule("visit", visit, definition)
	var members []int64
	for i := range 12 {
		members = append(members, w.Joined(fmt.Sprint("m", i)))
	}
	for day := range 3 {
		for i, id := range members {
			for n := range 2 {
				record(w, id, fmt.Sprint(day, "/", i, "/", n), w.Now(), fmt.Sprintf(`{"n":%d}`, i))
			}
		}
		w.Advance(24 * time.Hour)
	}
	var total, most int64
	for _, id := range members {
		total, most = total+w.Points(id), max(most, w.Points(id))
	}
	run := func(in reward.Input, days int) (r reward.Backtested) {
		row, err := w.Rewards.StartBacktest(t.Context(), reward.Backtest{Draft: in, Days: days, FenPerPoint: 2}, "test")
		require.NoError(t, err)
		w.Settle()
		done, err := w.Works.Get(t.Context(), row.ID)
		require.NoError(t, err)
		require.Equal(t, model.WorkDone, done.State, done.Error)
		require.EqualValues(t, 12, done.Done)
		require.NoError(t, done.Result.Into(&r))
		return r
	}
	got := run(reward.Input{ID: rule.ID, Name: "visit", Enabled: true, Trigger: visit, Definition: rule.Definition}, 30)
	require.Equal(t, total, got.Amount)
	require.Equal(t, 2*total, got.CostFen)
	require.EqualValues(t, 11, got.Members, "one did nothing that counts")
	require.Len(t, got.Top, 10)
	require.Equal(t, most, got.Top[0].Amount)
	require.Len(t, got.Days, 3)
	require.Less(t, run(reward.Input{ID: rule.ID, Name: "visit", Enabled: true, Trigger: visit, Definition: rule.Definition}, 1).Amount, total, "fewer days")

	var d reward.Definition
	require.NoError(t, model.JSON(times("1.5", "")).Into(&d))
	multiplied := run(reward.Input{Code: "more", Name: "more", Enabled: true, Trigger: visit, Definition: d}, 30)
	require.Positive(t, multiplied.Amount, "what a multiplier adds to the rules that there are")
	require.Equal(t, total, func() (n int64) {
		for _, id := range members {
			n += w.Points(id)
		}
		return n
	}(), "nothing is written")
	_, err := w.Rewards.StartBacktest(t.Context(), reward.Backtest{Draft: reward.Input{Name: "x", Trigger: visit, Definition: d}, Days: 400}, "test")
	require.Equal(t, "days", fieldOf(err))
}
