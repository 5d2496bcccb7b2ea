package reach

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"golang.org/x/sync/errgroup"
)

// Forecast is what a send would do now: the same decisions as the live one, without its writes (DESIGN P8).
type Forecast struct {
	Audience  int64            `json:"audience"`
	Reachable int64            `json:"reachable"` // deferred ones too
	Deferred  int64            `json:"deferred"`  // of Reachable, those who wait, as in quiet hours
	Channels  map[string]int64 `json:"channels"`  // of Reachable
	Skipped   []Reason         `json:"skipped"`

	Until    *time.Time       `json:"-"` // when the last of Deferred wait no more
	MassLeft map[int]int64    `json:"-"` // mass sends of the month that followers have left → how many of them
	Left     map[string]int64 `json:"-"` // of Channels: calls of today that are left, where they are counted
	CostFen  int64            `json:"-"` // by the prices of the settings
	Seconds  float64          `json:"-"` // how long it takes, by the settings and the fastest of the last runs; 0: nobody knows
}

// Add joins what another run would do.
func (f *Forecast) Add(g Forecast) {
	f.Audience, f.Reachable, f.Deferred = f.Audience+g.Audience, f.Reachable+g.Reachable, f.Deferred+g.Deferred
	if f.Channels == nil {
		f.Channels = map[string]int64{}
	}
	for channel, n := range g.Channels {
		f.Channels[channel] += n
	}
	f.Skipped = JoinReasons(f.Skipped, g.Skipped)
	if g.Until != nil && (f.Until == nil || g.Until.After(*f.Until)) {
		f.Until = g.Until
	}
	if f.MassLeft == nil {
		f.MassLeft = map[int]int64{}
	}
	for k, n := range g.MassLeft {
		f.MassLeft[k] += n
	}
	if f.Left == nil {
		f.Left = map[string]int64{}
	}
	maps.Copy(f.Left, g.Left)
	f.CostFen, f.Seconds = f.CostFen+g.CostFen, f.Seconds+g.Seconds
}

const forecastChunk = 1250

// Forecast decides about all members now. It reads and writes nothing down.
func (s *Service) Forecast(ctx context.Context, class string, m Message, members *roaring.Bitmap) (Forecast, error) {
	return s.ForecastRun(ctx, RunSpec{Class: class, Message: m, Members: members})
}

// ForecastRun is what a run would do if it began now.
func (s *Service) ForecastRun(ctx context.Context, spec RunSpec) (Forecast, error) {
	now, m, members := s.clock.Now(), spec.Message, spec.Members
	t, err := s.deciding(s.db.Reader(ctx), &law{Rules: spec.Rules, class: spec.Class, until: spec.Rules.until(now), reserves: spec.Reserves}, &m, now)
	if err != nil {
		return Forecast{}, err
	}
	total := tally{t: t, skipped: map[string]int64{}, channels: map[string]int64{}}
	var mu sync.Mutex
	g, inner := errgroup.WithContext(ctx)
	g.SetLimit(min(4, runtime.GOMAXPROCS(0)))
	for ids := range Chunks(members, forecastChunk) {
		g.Go(func() error {
			all, err := people(inner, s.db.Reader(inner), t, ids, nil)
			if err != nil {
				return err
			}
			part := tally{t: t, skipped: map[string]int64{}, channels: map[string]int64{}}
			for _, p := range all {
				part.count(p, 1)
			}
			mu.Lock()
			defer mu.Unlock()
			total.add(&part)
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return Forecast{}, err
	}
	if total.channels[Mass] == 1 { // one alone takes the next channel
		total.count(total.alone, -1)
		total.alone.noMass = true
		total.count(total.alone, 1)
		maps.DeleteFunc(total.channels, func(_ string, n int64) bool { return n == 0 })
	}
	f := Forecast{
		Audience: int64(members.GetCardinality()), Reachable: total.reachable, Deferred: total.deferred, //nolint:gosec // ids fit 32 bits
		Channels: total.channels, Skipped: listReasons(total.skipped),
		MassLeft: total.left,
	}
	if !total.until.IsZero() {
		f.Until = &total.until
	}
	return f, s.outlook(ctx, t, &f)
}

// estimateOf is for how many people an Estimate decides: of 19 estimates in 20 none is off by more than two in a hundred of the audience.
const estimateOf = 2_500

// Estimate is Forecast by a sample spread over the members, where they are many: sampled is how many were decided about, 0 = all. The
// numbers of a sample are scaled up and add up to the audience.
func (s *Service) Estimate(ctx context.Context, class string, m Message, members *roaring.Bitmap) (f Forecast, sampled int64, err error) {
	total := int64(members.GetCardinality()) //nolint:gosec // ids fit 32 bits
	if total <= estimateOf {
		f, err = s.Forecast(ctx, class, m, members)
		return f, 0, err
	}
	some := roaring.New()
	for i := range int64(estimateOf) {
		id, err := members.Select(uint32(i * total / estimateOf)) //nolint:gosec // below total
		if err != nil {
			return f, 0, fmt.Errorf("reach: estimate: %w", err)
		}
		some.Add(id)
	}
	if f, err = s.Forecast(ctx, class, m, some); err != nil {
		return f, 0, err
	}
	f.Audience, f.Reachable = total, total
	for i := range f.Skipped {
		f.Skipped[i].Count = f.Skipped[i].Count * total / estimateOf
		f.Reachable -= f.Skipped[i].Count
	}
	f.Deferred = f.Deferred * total / estimateOf
	for channel, n := range f.Channels {
		f.Channels[channel] = n * total / estimateOf
	}
	return f, estimateOf, nil
}

// Chunks are the ids of a set, ascending, n at a time.
func Chunks(members *roaring.Bitmap, n int) iter.Seq[[]int64] {
	return func(yield func([]int64) bool) {
		ids := make([]int64, 0, n)
		for it := members.Iterator(); it.HasNext(); {
			if ids = append(ids, int64(it.Next())); len(ids) == n {
				if !yield(ids) {
					return
				}
				ids = make([]int64, 0, n)
			}
		}
		if len(ids) > 0 {
			yield(ids)
		}
	}
}

// tally counts decisions.
type tally struct {
	t                   *terms
	reachable, deferred int64
	channels, skipped   map[string]int64
	alone               *person // somebody for a mass send
	until               time.Time
	left                map[int]int64
}

func (c *tally) count(p *person, n int64) {
	if p.oa.subscribed && slices.Contains(c.t.msg.Channels, Mass) {
		if c.left == nil {
			c.left = map[int]int64{}
		}
		c.left[max(0, c.t.mass-p.month)] += n
	}
	switch v := decide(p, c.t); {
	case !v.until.IsZero():
		if v.until.After(c.until) {
			c.until = v.until
		}
		c.reachable += n
		c.deferred += n
	case v.reason == "":
		c.reachable += n
		if c.channels[v.channel] += n; v.channel == Mass {
			c.alone = p
		}
	case v.detail != "":
		c.skipped[v.reason+"/"+v.detail] += n
	default:
		c.skipped[v.reason] += n
	}
}

func (c *tally) add(part *tally) {
	c.reachable += part.reachable
	c.deferred += part.deferred
	for k, n := range part.channels {
		c.channels[k] += n
	}
	for k, n := range part.skipped {
		c.skipped[k] += n
	}
	for k, n := range part.left {
		if c.left == nil {
			c.left = map[int]int64{}
		}
		c.left[k] += n
	}
	if part.until.After(c.until) {
		c.until = part.until
	}
	if part.alone != nil {
		c.alone = part.alone
	}
}

func sortReasons(list []Reason) {
	slices.SortFunc(list, func(a, b Reason) int {
		return cmp.Or(-cmp.Compare(a.Count, b.Count), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Detail, b.Detail))
	})
}

// JoinReasons adds up two lists.
func JoinReasons(a, b []Reason) []Reason {
	a = slices.Clone(a)
	for _, r := range b {
		i := slices.IndexFunc(a, func(x Reason) bool { return x.Reason == r.Reason && x.Detail == r.Detail })
		if i < 0 {
			a = append(a, r)
		} else {
			a[i].Count += r.Count
		}
	}
	sortReasons(a)
	return a
}
