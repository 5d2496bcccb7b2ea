package condition

import (
	"context"

	"gorm.io/gorm"
)

// Open reports whether the tree can hold for the member once he does something: it is false only where facts that no act of his
// changes say so. Leaves that need an event, and those ByActing, are taken for unknown; but for fields of the event that the subject
// has, if he has one: what is known of an act before it is done.
func (r *Registry) Open(ctx context.Context, tx *gorm.DB, s *Subject, t Tree) (bool, error) {
	if s.Cache == nil {
		s.Cache = map[string]any{}
	}
	a, err := evaluation{r, ctx, tx, s, false}.open(t)
	return a != no, err
}

// answer of an unfinished question.
type answer int

const (
	unknown answer = iota
	yes
	no
)

func (a answer) not() answer { return map[answer]answer{yes: no, no: yes}[a] }

func (e evaluation) open(t Tree) (answer, error) {
	switch {
	case t.Leaf != "":
		return e.openLeaf(t)
	case t.Not != nil:
		a, err := e.open(*t.Not)
		return a.not(), err
	case t.Any != nil:
		return e.openList(t.Any, yes)
	}
	return e.openList(t.All, no)
}

// openList is decided by the first child that says decisive, and unknown while one is.
func (e evaluation) openList(kids []Tree, decisive answer) (answer, error) {
	all := decisive.not()
	for _, t := range kids {
		a, err := e.open(t)
		if err != nil || a == decisive {
			return a, err
		}
		if a == unknown {
			all = unknown
		}
	}
	return all, nil
}

func (e evaluation) openLeaf(t Tree) (answer, error) {
	l, err := e.r.leaf(t.Leaf)
	if err != nil || l.ByActing || l.EventScoped && !e.told(t) {
		return unknown, err
	}
	tr, err := e.leaf(t)
	if err == nil && tr.Holds {
		return yes, nil
	}
	return no, err
}

// told reports whether the leaf asks about a field that the event at hand has.
func (e evaluation) told(t Tree) bool {
	if e.s.Event == nil || t.Leaf != fieldLeaf {
		return false
	}
	a, err := readField(t.Args)
	_, has := e.s.Data()[a.Field]
	return err == nil && has
}
