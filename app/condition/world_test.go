package condition_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"gorm.io/gorm"
	"pgregory.net/rapid"

	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/errs"
)

// start is the first minute of a world; everything in it happens at whole minutes, so that coincidences are common.
var start = time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC)

const (
	people  = 8
	horizon = 60 // minutes
)

func minute(n int) time.Time { return start.Add(time.Duration(n) * time.Minute) }

// world is what the synthetic leaves read, in memory.
type world struct {
	fixed   [4][]uint32                // fact → who has it, for ever
	toggles [4][people + 1][]time.Time // fact → member → instants at which it turns
	events  [3][people + 1][]time.Time // kind → member → when he did it
	handed  []*roaring.Bitmap          // what Members answered, shared like an owner's cache
	before  []*roaring.Bitmap          // copies of it
}

func drawWorld(t *rapid.T) *world {
	w := &world{}
	moments := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) time.Time {
		return minute(rapid.IntRange(0, horizon).Draw(t, "minute"))
	}), 0, 5)
	for i := range w.fixed {
		w.fixed[i] = rapid.SliceOfDistinct(rapid.Uint32Range(1, people+3), rapid.ID[uint32]).Draw(t, "fixed")
		for m := 1; m <= people; m++ {
			w.toggles[i][m] = moments.Draw(t, "toggles")
			slices.SortFunc(w.toggles[i][m], time.Time.Compare)
		}
	}
	for i := range w.events {
		for m := 1; m <= people; m++ {
			w.events[i][m] = moments.Draw(t, "events")
		}
	}
	return w
}

type worldArgs struct {
	N      int          `json:"n"`
	Op     condition.Op `json:"op"`
	Count  int          `json:"count"`
	Window int          `json:"window"` // minutes
}

// naive is the reference: each fact by its definition at one instant, with no thought of flips.
func (w *world) naive(t condition.Tree, m int, at time.Time) bool {
	var a worldArgs
	if t.Leaf != "" {
		_ = json.Unmarshal(t.Args, &a)
	}
	all := func(kids []condition.Tree, want bool) bool {
		for _, kid := range kids {
			if w.naive(kid, m, at) != want {
				return false
			}
		}
		return true
	}
	switch {
	case t.Leaf == "fixed":
		return slices.Contains(w.fixed[a.N], uint32(m))
	case t.Leaf == "turning":
		holds := false
		for _, turn := range w.toggles[a.N][m] {
			if !turn.After(at) {
				holds = !holds
			}
		}
		return holds
	case t.Leaf == "counted":
		return naiveCount(w.events[a.N][m], a.Op, a.Count, time.Duration(a.Window)*time.Minute, at)
	case t.Not != nil:
		return !w.naive(*t.Not, m, at)
	case t.Any != nil:
		return !all(t.Any, false)
	}
	return all(t.All, true)
}

func naiveCount(times []time.Time, op condition.Op, n int, window time.Duration, at time.Time) bool {
	count := 0
	for _, t := range times {
		if !t.After(at) && (window == 0 || at.Sub(t) < window) {
			count++
		}
	}
	return op == condition.Gte && count >= n || op == condition.Lte && count <= n || op == condition.Eq && count == n
}

// registry knows the world's facts as leaves.
func (w *world) registry() *condition.Registry {
	r := condition.New()
	for name, eval := range map[string]func(worldArgs, int, time.Time) condition.Verdict{
		"fixed": func(a worldArgs, m int, _ time.Time) condition.Verdict {
			return condition.Verdict{Holds: slices.Contains(w.fixed[a.N], uint32(m))}
		},
		"turning": func(a worldArgs, m int, at time.Time) condition.Verdict {
			turns := w.toggles[a.N][m]
			past := len(turns)
			if i := slices.IndexFunc(turns, func(t time.Time) bool { return t.After(at) }); i >= 0 {
				past = i
			}
			v := condition.Verdict{Holds: past%2 == 1}
			for i := past; i < len(turns); i++ { // two turns at one instant are none
				if i+1 == len(turns) || turns[i+1].After(turns[i]) {
					if (i-past)%2 == 0 {
						v.FlipsAt = turns[i]
						break
					}
				}
			}
			return v
		},
		"counted": func(a worldArgs, m int, at time.Time) condition.Verdict {
			return condition.CountWindow(w.events[a.N][m], a.Op, a.Count, time.Duration(a.Window)*time.Minute, at)
		},
	} {
		r.Register(w.leaf(name, eval))
	}
	r.Seal()
	return r
}

func (w *world) leaf(name string, eval func(worldArgs, int, time.Time) condition.Verdict) condition.Leaf {
	return condition.Leaf{
		Name: name,
		Check: func(_ context.Context, _ *gorm.DB, raw json.RawMessage) error {
			var a worldArgs
			if err := condition.DecodeArgs(raw, &a); err != nil {
				return err
			}
			if a.N > 3 {
				return errs.Field("n", "world.missing")
			}
			return nil
		},
		Eval: func(_ context.Context, _ *gorm.DB, s *condition.Subject, raw json.RawMessage) (condition.Verdict, error) {
			var a worldArgs
			err := condition.DecodeArgs(raw, &a)
			return eval(a, int(s.MemberID), s.At), err
		},
		Members: func(_ context.Context, _ *gorm.DB, at time.Time, _ *roaring.Bitmap, raw json.RawMessage) (*roaring.Bitmap, error) {
			var a worldArgs
			err := condition.DecodeArgs(raw, &a)
			found := roaring.BitmapOf(people+1, people+2) // outside the universe: must not come back
			for m := 1; m <= people; m++ {
				if eval(a, m, at).Holds {
					found.Add(uint32(m))
				}
			}
			w.handed, w.before = append(w.handed, found), append(w.before, found.Clone())
			return found, err
		},
		Sentence: func(_ context.Context, _ *gorm.DB, _ string, raw json.RawMessage) (string, error) {
			var a worldArgs
			err := condition.DecodeArgs(raw, &a)
			return fmt.Sprintf("%s%d", name, a.N), err
		},
		Triggers: func(raw json.RawMessage) []string {
			var a worldArgs
			_ = json.Unmarshal(raw, &a)
			return []string{fmt.Sprintf("%s.%d", name, a.N)}
		},
	}
}

// drawTree draws a tree over the world's leaves that Parse would accept.
func drawTree(t *rapid.T, depth int) condition.Tree {
	kind := rapid.SampledFrom([]string{"all", "any", "not", "all", "any", "fixed", "turning", "counted"}).Draw(t, "kind")
	if depth >= 4 && (kind == "all" || kind == "any" || kind == "not") {
		kind = "turning"
	}
	kids := func() []condition.Tree {
		out := make([]condition.Tree, rapid.IntRange(1, 3).Draw(t, "kids"))
		for i := range out {
			out[i] = drawTree(t, depth+1)
		}
		return out
	}
	switch kind {
	case "all":
		return condition.Tree{All: kids()}
	case "any":
		return condition.Tree{Any: kids()}
	case "not":
		kid := drawTree(t, depth+1)
		return condition.Tree{Not: &kid}
	case "counted":
		return condition.Is("counted", map[string]any{
			"n":      rapid.IntRange(0, 2).Draw(t, "n"),
			"op":     rapid.SampledFrom([]condition.Op{condition.Gte, condition.Lte, condition.Eq}).Draw(t, "op"),
			"count":  rapid.IntRange(0, 4).Draw(t, "count"),
			"window": rapid.SampledFrom([]int{0, 1, 5, 20}).Draw(t, "window"),
		})
	}
	return condition.Is(kind, map[string]any{"n": rapid.IntRange(0, 3).Draw(t, "n")})
}
