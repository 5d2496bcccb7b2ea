package broadcast_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/broadcast"
)

func TestGroup(t *testing.T) {
	t.Parallel()
	const n = 100_000
	trial := broadcast.Trial{Holdout: 10, Salt: "s", Variants: []broadcast.Variant{{Share: 30}, {Share: 20}}}
	other := broadcast.Trial{Holdout: 10, Salt: "t"}
	var held, both int
	groups := make([]int, 3)
	for id := int64(1); id <= n; id++ {
		back, v := trial.Group(id)
		again, w := trial.Group(id)
		require.Equal(t, back, again)
		require.Equal(t, v, w)
		if back {
			held++
			if second, _ := other.Group(id); second {
				both++
			}
			continue
		}
		groups[v]++
	}
	near := func(want float64, got int) {
		t.Helper()
		require.InDelta(t, want, got, 5*math.Sqrt(want), "five standard deviations")
	}
	near(0.1*n, held)
	near(0.01*n, both)
	near(0.9*0.5*n, groups[0])
	near(0.9*0.3*n, groups[1])
	near(0.9*0.2*n, groups[2])

	wider := trial
	wider.Holdout = 20
	for id := int64(1); id <= 1000; id++ {
		if back, _ := trial.Group(id); back {
			also, _ := wider.Group(id)
			require.True(t, also, "a larger share holds back the same people and more")
		}
	}
}

func TestIntervals(t *testing.T) {
	t.Parallel()
	// The first is an example of Newcombe 1998 (table II, method 10), the others are worked by hand.
	for _, c := range []struct {
		a, m, b, n     int64
		low, high, est float64
	}{
		{56, 70, 48, 80, 0.0524, 0.3339, 0.2},
		{9, 30, 3, 30, -0.0054, 0.3903, 0.2},
		{0, 30, 0, 30, -0.1135, 0.1135, 0},
	} {
		got := broadcast.Proportions(c.a, c.m, c.b, c.n)
		require.False(t, got.TooFew)
		require.InDelta(t, c.est, got.Estimate, 1e-9)
		require.InDelta(t, c.low, got.Low, 5e-5, "%+v", c)
		require.InDelta(t, c.high, got.High, 5e-5, "%+v", c)
	}
	require.Equal(t, broadcast.Interval{TooFew: true}, broadcast.Proportions(9, 29, 3, 1000))
	require.Equal(t, broadcast.Interval{TooFew: true}, broadcast.Means(broadcast.Sums{N: 1000, Sum: 5}, broadcast.Sums{N: 29}))

	// 1…100 against 1…50: means 50.5 and 25.5, variances 841.667 and 212.5, standard error √(8.41667 + 4.25) = 3.5590.
	sums := func(n int) (s broadcast.Sums) {
		for i := 1; i <= n; i++ {
			s.N, s.Sum, s.Squares = s.N+1, s.Sum+float64(i), s.Squares+float64(i*i)
		}
		return s
	}
	got := broadcast.Means(sums(100), sums(50))
	require.InDelta(t, 25, got.Estimate, 1e-9)
	require.InDelta(t, 25-6.9756, got.Low, 1e-3)
	require.InDelta(t, 25+6.9756, got.High, 1e-3)
}
