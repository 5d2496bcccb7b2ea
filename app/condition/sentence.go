package condition

import (
	"context"
	"fmt"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/templates"
)

// Sentence says the tree to an operator: "A 或 (B 且 非 C)".
func (r *Registry) Sentence(ctx context.Context, tx *gorm.DB, lang string, t Tree) (string, error) {
	switch {
	case t.Leaf != "":
		l, err := r.leaf(t.Leaf)
		if err != nil {
			return "", err
		}
		clause, err := l.Sentence(ctx, tx, lang, object(t.Args))
		if err != nil {
			return "", fmt.Errorf("condition: sentence of leaf %q: %w", t.Leaf, err)
		}
		return clause, nil
	case t.Not != nil:
		clause, err := r.clause(ctx, tx, lang, *t.Not, "not")
		return templates.T(lang, "condition.not", nil) + " " + clause, err
	case t.Any != nil:
		return r.join(ctx, tx, lang, t.Any, "or")
	case len(t.All) > 0:
		return r.join(ctx, tx, lang, t.All, "and")
	}
	return templates.T(lang, "condition.everybody", nil), nil
}

func (r *Registry) join(ctx context.Context, tx *gorm.DB, lang string, kids []Tree, word string) (string, error) {
	within := word
	if len(kids) == 1 {
		within = "" // nothing beside it: no brackets
	}
	sentence := ""
	for i, kid := range kids {
		clause, err := r.clause(ctx, tx, lang, kid, within)
		if err != nil {
			return "", err
		}
		if i > 0 {
			sentence += " " + templates.T(lang, "condition."+word, nil) + " "
		}
		sentence += clause
	}
	return sentence, nil
}

// clause brackets a child that joins several clauses by another word than the node around it.
func (r *Registry) clause(ctx context.Context, tx *gorm.DB, lang string, t Tree, within string) (string, error) {
	clause, err := r.Sentence(ctx, tx, lang, t)
	if word := t.word(); word != "" && within != "" && word != within {
		clause = "(" + clause + ")"
	}
	return clause, err
}

// word is what joins the clauses of the tree's sentence: and, or; empty where nothing is joined.
func (t Tree) word() string {
	switch {
	case len(t.Any) > 1:
		return "or"
	case len(t.All) > 1:
		return "and"
	case len(t.Any) == 1:
		return t.Any[0].word()
	case len(t.All) == 1:
		return t.All[0].word()
	}
	return ""
}
