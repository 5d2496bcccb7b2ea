package broadcast

import "math"

// Interval is an estimate with its 95 % confidence interval. TooFew: the numbers are too small to say anything; the others are 0 then.
type Interval struct {
	Estimate float64 `json:"estimate"`
	Low      float64 `json:"low"`
	High     float64 `json:"high"`
	TooFew   bool    `json:"too_few"`
}

// z is the 97.5 % point of the normal distribution.
const z = 1.959963984540054

// fewest is from how many people in each group on something is said.
const fewest = 30

// Proportions is the difference of two shares, hits of n: Newcombe's hybrid score interval (Statistics in Medicine 17, 1998, method 10),
// which holds its 95 % also near 0 and 1.
func Proportions(hits1, n1, hits2, n2 int64) Interval {
	if n1 < fewest || n2 < fewest {
		return Interval{TooFew: true}
	}
	p1, l1, u1 := wilson(hits1, n1)
	p2, l2, u2 := wilson(hits2, n2)
	d := p1 - p2
	return Interval{Estimate: d, Low: d - math.Hypot(p1-l1, u2-p2), High: d + math.Hypot(u1-p1, p2-l2)}
}

// wilson is a share with its score interval.
func wilson(hits, n int64) (p, low, high float64) {
	m := float64(n)
	p = float64(hits) / m
	middle := (p + z*z/(2*m)) / (1 + z*z/m)
	half := z / (1 + z*z/m) * math.Sqrt(p*(1-p)/m+z*z/(4*m*m))
	return p, max(0, middle-half), min(1, middle+half)
}

// Sums is what a mean is made of: n values, their sum and the sum of their squares.
type Sums struct {
	N            int64
	Sum, Squares float64
}

// Mean of the values; 0 of none.
func (s Sums) Mean() float64 {
	if s.N == 0 {
		return 0
	}
	return s.Sum / float64(s.N)
}

// variance of the mean.
func (s Sums) variance() float64 {
	m := s.Mean()
	return max(0, s.Squares-float64(s.N)*m*m) / float64(s.N-1) / float64(s.N)
}

// Means is the difference of two means, with Welch's variance and the normal distribution, which fewest people are enough for where the
// values are not too uneven.
func Means(a, b Sums) Interval {
	if a.N < fewest || b.N < fewest {
		return Interval{TooFew: true}
	}
	d, half := a.Mean()-b.Mean(), z*math.Sqrt(a.variance()+b.variance())
	return Interval{Estimate: d, Low: d - half, High: d + half}
}
