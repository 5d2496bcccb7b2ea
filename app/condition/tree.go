package condition

import (
	"encoding/json"
	"fmt"
	"slices"
)

// Bounds of one tree.
const (
	MaxDepth = 8
	MaxNodes = 100
)

// Tree is one condition: {"all":[…]}, {"any":[…]}, {"not":{…}} or {"leaf":"tag","tag_id":"12"}, where the fields beside
// leaf are its Args, a JSON object. The empty tree, {} or null, holds for everybody.
type Tree struct {
	All, Any []Tree
	Not      *Tree
	Leaf     string
	Args     json.RawMessage
}

// Is is the tree of one leaf. It panics if args cannot be a JSON object.
func Is(leaf string, args map[string]any) Tree {
	if args == nil {
		args = map[string]any{}
	}
	raw, err := json.Marshal(args)
	if err != nil {
		panic(fmt.Sprintf("condition: args of %q: %v", leaf, err))
	}
	return Tree{Leaf: leaf, Args: raw}
}

// And holds where every tree holds. Empty trees drop out, so that the result is as flat as can be.
func And(trees ...Tree) Tree {
	kids := slices.DeleteFunc(slices.Clone(trees), Tree.Empty)
	switch len(kids) {
	case 0:
		return Tree{}
	case 1:
		return kids[0]
	}
	return Tree{All: kids}
}

// Empty reports whether the tree holds for everybody because it says nothing.
func (t Tree) Empty() bool {
	return len(t.All) == 0 && t.Any == nil && t.Not == nil && t.Leaf == ""
}

// MarshalJSON writes the form that Parse reads.
func (t Tree) MarshalJSON() ([]byte, error) {
	switch {
	case t.Leaf != "":
		return t.marshalLeaf()
	case t.Not != nil:
		return json.Marshal(map[string]*Tree{"not": t.Not})
	case t.Any != nil:
		return json.Marshal(map[string][]Tree{"any": t.Any})
	case len(t.All) > 0:
		return json.Marshal(map[string][]Tree{"all": t.All})
	}
	return []byte("{}"), nil
}

func (t Tree) marshalLeaf() ([]byte, error) {
	name, err := json.Marshal(t.Leaf)
	if err != nil {
		return nil, err
	}
	fields, err := fieldsOf(object(t.Args))
	if err != nil {
		return nil, fmt.Errorf("condition: args of leaf %q: %w", t.Leaf, err)
	}
	return append([]byte(`{"leaf":`), joinFields(append(name, ','), fields)...), nil
}

// UnmarshalJSON reads what Parse reads, but does not know which leaves exist.
func (t *Tree) UnmarshalJSON(raw []byte) error {
	parsed, err := parse(raw)
	if err != nil {
		return err
	}
	*t = parsed
	return nil
}

// ArgsOf are the args of every leaf of that name, from left to right.
func (t Tree) ArgsOf(name string) []json.RawMessage {
	var out []json.RawMessage
	_ = t.walk("", func(_ string, leaf Tree) error {
		if leaf.Leaf == name {
			out = append(out, object(leaf.Args))
		}
		return nil
	})
	return out
}

// walk visits the leaves from left to right with their paths.
func (t Tree) walk(path string, visit func(path string, leaf Tree) error) error {
	if t.Leaf != "" {
		return visit(path, t)
	}
	if t.Not != nil {
		return t.Not.walk(path+".not", visit)
	}
	name, kids := "all", t.All
	if t.Any != nil {
		name, kids = "any", t.Any
	}
	for i, kid := range kids {
		if err := kid.walk(fmt.Sprintf("%s.%s[%d]", path, name, i), visit); err != nil {
			return err
		}
	}
	return nil
}
