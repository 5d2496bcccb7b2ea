package condition

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"gorm.io/gorm"
)

// Trace is why a tree held or not: a node per node that was looked at.
type Trace struct {
	Op       string          `json:"op,omitempty"` // all | any | not; empty for a leaf and for the empty tree
	Leaf     string          `json:"leaf,omitempty"`
	Args     json.RawMessage `json:"args,omitempty"`
	Holds    bool            `json:"holds"`
	Saw      any             `json:"saw,omitempty"`
	FlipsAt  time.Time       `json:"flips_at,omitzero"`
	Children []Trace         `json:"children,omitempty"`
}

// Eval says whether the tree holds for one member at one instant, and until when time alone leaves that so. It stops at the
// first child that decides; what it did not look at is not in the trace.
func (r *Registry) Eval(ctx context.Context, tx *gorm.DB, s *Subject, t Tree) (Verdict, Trace, error) {
	return r.run(ctx, tx, s, t, false)
}

// Explain is Eval that looks at every node, for an operator who asks why. Holds is the same; FlipsAt may be later.
func (r *Registry) Explain(ctx context.Context, tx *gorm.DB, s *Subject, t Tree) (Verdict, Trace, error) {
	return r.run(ctx, tx, s, t, true)
}

func (r *Registry) run(ctx context.Context, tx *gorm.DB, s *Subject, t Tree, full bool) (Verdict, Trace, error) {
	if s.Cache == nil {
		s.Cache = map[string]any{}
	}
	e := evaluation{r, ctx, tx, s, full}
	trace, err := e.node(t)
	return Verdict{Holds: trace.Holds, FlipsAt: trace.FlipsAt, Saw: trace.Saw}, trace, err
}

// evaluation is one walk of Eval or Explain.
type evaluation struct {
	r    *Registry
	ctx  context.Context // lives as long as one call
	tx   *gorm.DB
	s    *Subject
	full bool
}

func (e evaluation) node(t Tree) (Trace, error) {
	switch {
	case t.Leaf != "":
		return e.leaf(t)
	case t.Not != nil:
		kid, err := e.node(*t.Not)
		return Trace{Op: "not", Holds: !kid.Holds, FlipsAt: kid.FlipsAt, Children: []Trace{kid}}, err
	case t.Any != nil:
		return e.list("any", t.Any, true)
	case len(t.All) > 0:
		return e.list("all", t.All, false)
	}
	return Trace{Holds: true}, nil
}

// list combines children of which one with the value decisive decides: false for all, true for any.
// Undecided, the list changes when the first child flips. Decided, it cannot change before every deciding child has flipped.
func (e evaluation) list(op string, kids []Tree, decisive bool) (Trace, error) {
	tr := Trace{Op: op, Holds: !decisive}
	for _, t := range kids {
		kid, err := e.node(t)
		if err != nil {
			return tr, err
		}
		tr.Children = append(tr.Children, kid)
		decided := tr.Holds == decisive
		switch {
		case kid.Holds == decisive && decided:
			tr.FlipsAt = later(tr.FlipsAt, kid.FlipsAt)
		case kid.Holds == decisive:
			tr.Holds, tr.FlipsAt = decisive, kid.FlipsAt
		case !decided:
			tr.FlipsAt = sooner(tr.FlipsAt, kid.FlipsAt)
		}
		if tr.Holds == decisive && !e.full {
			break
		}
	}
	return tr, nil
}

func (e evaluation) leaf(t Tree) (Trace, error) {
	tr := Trace{Leaf: t.Leaf, Args: t.Args}
	l, err := e.r.leaf(t.Leaf)
	if err != nil {
		return tr, err
	}
	if l.EventScoped && e.s.Event == nil {
		return tr, nil
	}
	v, err := l.Eval(e.ctx, e.tx, e.s, object(t.Args))
	if err != nil {
		return tr, fmt.Errorf("condition: leaf %q for member %d: %w", t.Leaf, e.s.MemberID, err)
	}
	if !v.FlipsAt.IsZero() && !v.FlipsAt.After(e.s.At) {
		return tr, fmt.Errorf("condition: leaf %q says at %s that it flips at %s: would be asked again for ever", t.Leaf, e.s.At, v.FlipsAt)
	}
	tr.Holds, tr.FlipsAt, tr.Saw = v.Holds, v.FlipsAt, v.Saw
	return tr, nil
}

// sooner is the earlier instant, where zero is never.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// later is the later instant, where zero is never.
func later(a, b time.Time) time.Time {
	if a.IsZero() || b.IsZero() {
		return time.Time{}
	}
	if b.After(a) {
		return b
	}
	return a
}
