package reach_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/model"
)

func TestPace(t *testing.T) {
	t.Parallel()
	var at []time.Time
	var mu sync.Mutex
	w := newWorld(t, func(o *reach.Options) { o.Rates, o.InFlight = map[string]int{reach.Customer: 100}, 64 })
	w.wx.answer = func(call) error {
		mu.Lock()
		defer mu.Unlock()
		at = append(at, clock.Real())
		return nil
	}
	run := w.start(customer, w.people(60, who{oa: true, window: 1}))
	w.settle(run)
	require.EqualValues(t, 60, w.exact(run).Accepted)
	for i, from := range at {
		n := 0
		for _, x := range at[i:] {
			if x.Sub(from) < 100*time.Millisecond {
				n++
			}
		}
		require.LessOrEqual(t, n, 20, "100 a second are ten in a tenth of one, and what a late goroutine makes up for")
	}
	require.GreaterOrEqual(t, at[59].Sub(at[0]), 500*time.Millisecond)
	other := w.startClass(model.ClassService, mass, w.people(2, who{oa: true}))
	w.settle(other)
	require.EqualValues(t, 2, w.exact(other).Accepted, "another channel has its own pace")
}

func TestDayCalls(t *testing.T) {
	t.Parallel()
	t.Run("NoMoreThanTheDaysQuotaInAllProcessesTogether", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, func(o *reach.Options) { o.DayCalls = map[string]int64{reach.Customer: 25} })
		run := w.start(customer, w.people(60, who{oa: true, window: 1}))
		var wg sync.WaitGroup
		for range 4 {
			s := w.engine()
			wg.Go(func() {
				for {
					did, err := s.Work(t.Context())
					if err != nil {
						t.Errorf("Work: %v", err)
					}
					if !did || err != nil {
						return
					}
				}
			})
		}
		wg.Wait()
		w.settle(run)
		require.Len(t, w.wx.calls, 25)
		c := w.exact(run)
		require.EqualValues(t, 25, c.Accepted)
		require.EqualValues(t, 35, c.Deferred)
		require.False(t, w.run(run).Paused, "a quota is no failure")
		left, counted, err := w.CallsLeft(t.Context(), reach.Customer, "oa")
		require.NoError(t, err)
		require.True(t, counted)
		require.Zero(t, left)
		due, _, err := w.Due(t.Context())
		require.NoError(t, err)
		require.Equal(t, noon.Add(12*time.Hour), due, "until midnight")
		w.clock.Set(noon.Add(21 * time.Hour))
		w.settle(run)
		require.EqualValues(t, 50, w.exact(run).Accepted)
	})
	t.Run("AMassSendWaitsForTomorrow", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, func(o *reach.Options) { o.MassMax, o.DayCalls = 10, map[string]int64{reach.Mass: 2} })
		run := w.start(mass, w.people(30, who{oa: true}))
		w.settle(run)
		require.Equal(t, []int{10, 10}, w.wx.sizes())
		f, err := w.Forecast(t.Context(), model.ClassMarketing, mass, set(w.people(5, who{oa: true})))
		require.NoError(t, err)
		require.EqualValues(t, 0, f.Left[reach.Mass])
		w.clock.Set(noon.Add(21 * time.Hour))
		w.settle(run)
		require.EqualValues(t, 30, w.exact(run).Accepted)
	})
}

func TestOutlook(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *reach.Options) {
		o.Rates, o.Prices, o.MassMax = map[string]int{reach.Customer: 2}, map[string]int64{reach.Customer: 3, reach.Mass: 1}, 5
		o.DayCalls = map[string]int64{reach.Customer: 500}
	})
	writers, followers := w.people(8, who{oa: true, window: 1}), w.people(11, who{oa: true})
	m := reach.Message{Text: "x", Channels: []string{reach.Customer, reach.Mass}}
	used := w.startClass(model.ClassService, mass, followers[:4])
	w.settle(used)
	f, err := w.Forecast(t.Context(), model.ClassMarketing, m, set(writers, followers))
	require.NoError(t, err)
	require.Equal(t, map[string]int64{reach.Customer: 8, reach.Mass: 11}, f.Channels)
	require.Equal(t, map[int]int64{4: 15, 3: 4}, f.MassLeft)
	require.EqualValues(t, 8*3+11, f.CostFen)
	require.InDelta(t, 8.0/2+3, f.Seconds, 1e-9, "8 at 2 a second, 3 mass sends at one")
	require.Equal(t, map[string]int64{reach.Customer: 500}, f.Left)
	require.Nil(t, f.Until)
	w.clock.Set(noon.Add(11 * time.Hour))
	f, err = w.Forecast(t.Context(), model.ClassMarketing, m, set(writers))
	require.NoError(t, err)
	require.EqualValues(t, 8, f.Deferred)
	require.Equal(t, noon.Add(20*time.Hour), *f.Until)
	require.EqualValues(t, 24, f.CostFen)
}
