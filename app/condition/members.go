package condition

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/errs"
)

// AnyEvent is the trigger of a leaf that every event may change.
const AnyEvent = "*"

// Members are those of universe for whom the tree holds at the instant; the bitmap is the caller's own.
// A tree with a leaf that needs an event is refused with errs.Field ("condition.event_scoped").
func (r *Registry) Members(ctx context.Context, tx *gorm.DB, at time.Time, universe *roaring.Bitmap, t Tree) (*roaring.Bitmap, error) {
	return r.search(ctx, tx, at, universe, t, nil)
}

func (r *Registry) search(ctx context.Context, tx *gorm.DB, at time.Time, universe *roaring.Bitmap, t Tree, sets Sets) (*roaring.Bitmap, error) {
	err := t.walk(root, func(path string, leaf Tree) error {
		if r.leaves[leaf.Leaf].EventScoped {
			return errs.Field(path+".leaf", "condition.event_scoped", "leaf", leaf.Leaf)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return search{r, ctx, tx, at, universe, sets}.members(universe, t)
}

// search is one walk of Members.
type search struct {
	r        *Registry
	ctx      context.Context // lives as long as one call
	tx       *gorm.DB
	at       time.Time
	universe *roaring.Bitmap
	sets     Sets // nil: every leaf is asked itself
}

// members never changes within, which may be the caller's or a partial result, nor what a leaf returned; its answer is the caller's own.
func (s search) members(within *roaring.Bitmap, t Tree) (*roaring.Bitmap, error) {
	switch {
	case t.Leaf != "":
		found, err := s.leaf(within, t)
		if err != nil {
			err = fmt.Errorf("condition: members of leaf %q: %w", t.Leaf, err)
		}
		return found, err
	case t.Not != nil:
		found, err := s.members(within, *t.Not)
		if err != nil {
			return nil, err
		}
		return roaring.AndNot(within, found), nil
	case t.Any != nil:
		return s.anyOf(within, t.Any)
	case len(t.All) == 0:
		return within.Clone(), nil
	}
	found := within
	for _, kid := range t.All {
		var err error
		if found, err = s.members(found, kid); err != nil {
			return nil, err
		}
	}
	return found, nil
}

func (s search) leaf(within *roaring.Bitmap, t Tree) (*roaring.Bitmap, error) {
	l, err := s.r.leaf(t.Leaf)
	if err != nil {
		return nil, err
	}
	args := object(t.Args)
	switch {
	case s.sets != nil && l.Index != nil:
		keys, but, err := l.Index.Keys(s.ctx, s.tx, args)
		if errors.Is(err, ErrNotIndexed) {
			return s.kept(within, l, args)
		}
		if err != nil {
			return nil, err
		}
		found := s.sets.Among(within, l.Name, keys)
		if but {
			found = roaring.AndNot(within, found)
		}
		return found, nil
	case s.sets != nil:
		return s.kept(within, l, args)
	}
	found, err := l.Members(s.ctx, s.tx, s.at, within, args)
	if err != nil {
		return nil, err
	}
	return roaring.And(within, found), nil
}

// kept is a leaf that no set in memory answers.
func (s search) kept(within *roaring.Bitmap, l Leaf, args json.RawMessage) (*roaring.Bitmap, error) {
	found, err := s.sets.Kept(l.Name, args, func() (*roaring.Bitmap, error) { return l.Members(s.ctx, s.tx, s.at, s.universe, args) })
	if err != nil {
		return nil, err
	}
	return roaring.And(within, found), nil
}

func (s search) anyOf(within *roaring.Bitmap, kids []Tree) (*roaring.Bitmap, error) {
	found := roaring.New()
	for i, kid := range kids {
		more, err := s.members(within, kid)
		switch {
		case err != nil:
			return nil, err
		case i == 0:
			found = more
		default:
			found.Or(more)
		}
	}
	return found, nil
}

// Triggers are the kinds of events after which the tree's verdict may change, sorted; AnyEvent stands alone.
func (r *Registry) Triggers(t Tree) []string {
	var kinds []string
	r.each(t, func(l Leaf, leaf Tree) {
		if l.Triggers != nil {
			kinds = append(kinds, l.Triggers(object(leaf.Args))...)
		}
	})
	if slices.Contains(kinds, AnyEvent) {
		return []string{AnyEvent}
	}
	slices.Sort(kinds)
	return slices.Compact(kinds)
}

// EventScoped reports whether the tree needs the event at hand. What such a tree once granted must not be taken back because
// a later event does not match: a chat tag stays.
func (r *Registry) EventScoped(t Tree) bool {
	scoped := false
	r.each(t, func(l Leaf, _ Tree) { scoped = scoped || l.EventScoped })
	return scoped
}

// Leaves are the names of the leaves in the tree, sorted, each once.
func (r *Registry) Leaves(t Tree) []string {
	var names []string
	r.each(t, func(_ Leaf, leaf Tree) { names = append(names, leaf.Leaf) })
	slices.Sort(names)
	return slices.Compact(names)
}

func (r *Registry) each(t Tree, visit func(Leaf, Tree)) {
	_ = t.walk(root, func(_ string, leaf Tree) error { // visit cannot fail
		visit(r.leaves[leaf.Leaf], leaf)
		return nil
	})
}

// Still is the Moves of a leaf whose verdict only new facts change.
func Still(context.Context, *gorm.DB, time.Time, *roaring.Bitmap, json.RawMessage) (*roaring.Bitmap, error) {
	return roaring.New(), nil
}

// Moves are the members of the universe for whom time alone may change the tree's verdict after the instant; who is not among them keeps it until
// there are new facts.
func (r *Registry) Moves(ctx context.Context, tx *gorm.DB, at time.Time, universe *roaring.Bitmap, t Tree) (*roaring.Bitmap, error) {
	out := roaring.New()
	err := t.walk(root, func(_ string, leaf Tree) error {
		l, err := r.leaf(leaf.Leaf)
		if err != nil {
			return err
		}
		if l.Moves == nil {
			out.Or(universe)
			return nil
		}
		found, err := l.Moves(ctx, tx, at, universe, object(leaf.Args))
		if err == nil {
			out.Or(found)
		}
		return err
	})
	out.And(universe)
	return out, err
}

// IDs are the members of the subjects.
func IDs(subjects []*Subject) []int64 {
	ids := make([]int64, len(subjects))
	for i, s := range subjects {
		ids[i] = s.MemberID
	}
	return ids
}

// Warm reads at once, into the caches of the subjects, what Eval of the tree would read for each of them. They are asked about at one instant,
// without an event.
func (r *Registry) Warm(ctx context.Context, tx *gorm.DB, t Tree, subjects []*Subject) error {
	return t.walk(root, func(_ string, leaf Tree) error {
		l, err := r.leaf(leaf.Leaf)
		if err != nil || l.Warm == nil || len(subjects) == 0 {
			return err
		}
		return l.Warm(ctx, tx, subjects, object(leaf.Args))
	})
}
