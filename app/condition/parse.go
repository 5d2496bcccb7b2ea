package condition

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/errs"
)

// root is how paths in refusals begin: condition.all[1].tag_id. At changes it.
const root = "condition"

// Parse reads a tree strictly: one key per node, no unknown or repeated keys, known leaves, at most MaxDepth deep and MaxNodes
// nodes. Only the whole tree may be empty. A refusal is errs.Field with the path, which begins with "condition".
func (r *Registry) Parse(raw []byte) (Tree, error) {
	t, err := parse(raw)
	if err != nil {
		return Tree{}, err
	}
	err = t.walk(root, func(path string, leaf Tree) error {
		if _, ok := r.leaves[leaf.Leaf]; !ok {
			return errs.Field(path+".leaf", "condition.unknown_leaf", "leaf", leaf.Leaf)
		}
		return nil
	})
	if err != nil {
		return Tree{}, err
	}
	return t, nil
}

// Check refuses what Parse refuses and what a leaf refuses: args that are wrong or name what does not exist.
func (r *Registry) Check(ctx context.Context, tx *gorm.DB, t Tree) error {
	raw, err := json.Marshal(t)
	if err != nil {
		return err
	}
	if t, err = r.Parse(raw); err != nil {
		return err
	}
	return t.walk(root, func(path string, leaf Tree) error {
		return under(path, r.leaves[leaf.Leaf].Check(ctx, tx, leaf.Args))
	})
}

// At gives the paths in a refusal of Parse or Check another beginning than "condition": At("steps[2].exit", err).
func At(field string, err error) error {
	return repath(err, func(path string) string {
		rest, ok := strings.CutPrefix(path, root)
		if !ok {
			return path
		}
		return field + rest
	})
}

// under puts the path of a leaf before the field that the leaf refused.
func under(path string, err error) error {
	return repath(err, func(field string) string {
		if field == "" {
			return path
		}
		return path + "." + field
	})
}

func repath(err error, change func(string) string) error {
	var e *errs.Error
	if !errors.As(err, &e) || e.Code != errs.Invalid {
		return err
	}
	field, _ := e.Args["field"].(string)
	moved := &errs.Error{Code: e.Code, Key: e.Key, Args: maps.Clone(e.Args)}
	if moved.Args == nil {
		moved.Args = map[string]any{}
	}
	moved.Args["field"] = change(field)
	return moved
}

// parser reads one tree and counts its nodes.
type parser struct{ nodes int }

func parse(raw []byte) (Tree, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || string(raw) == "null" {
		return Tree{}, nil
	}
	if !json.Valid(raw) {
		return Tree{}, errs.Field(root, "condition.malformed")
	}
	fields, err := fieldsOf(raw)
	if err == nil && (len(fields) == 0 || len(fields) == 1 && fields[0].name == "all" && string(fields[0].value) == "[]") {
		return Tree{}, nil
	}
	return new(parser).node(raw, root, 1)
}

func (p *parser) node(raw json.RawMessage, path string, depth int) (Tree, error) {
	if p.nodes++; p.nodes > MaxNodes {
		return Tree{}, errs.Field(path, "condition.too_many", "limit", MaxNodes)
	}
	if depth > MaxDepth {
		return Tree{}, errs.Field(path, "condition.too_deep", "limit", MaxDepth)
	}
	fields, err := fieldsOf(raw)
	if err != nil {
		return Tree{}, under(path, err)
	}
	kind, err := kindOf(fields, path)
	if err != nil {
		return Tree{}, err
	}
	if kind == "leaf" {
		return leafOf(fields, path)
	}
	value := fields[0].value
	if kind == "not" {
		kid, err := p.node(value, path+".not", depth+1)
		if err != nil {
			return Tree{}, err
		}
		return Tree{Not: &kid}, nil
	}
	kids, err := p.list(value, path+"."+kind, depth+1)
	if err != nil {
		return Tree{}, err
	}
	if kind == "any" {
		return Tree{Any: kids}, nil
	}
	return Tree{All: kids}, nil
}

func (p *parser) list(raw json.RawMessage, path string, depth int) ([]Tree, error) {
	var items []json.RawMessage
	if err := json.Unmarshal(raw, &items); err != nil || string(raw) == "null" {
		return nil, errs.Field(path, "condition.not_a_list")
	}
	if len(items) == 0 {
		return nil, errs.Field(path, "condition.empty")
	}
	kids := make([]Tree, 0, min(len(items), MaxNodes))
	for i, item := range items {
		kid, err := p.node(item, fmt.Sprintf("%s[%d]", path, i), depth)
		if err != nil {
			return nil, err
		}
		kids = append(kids, kid)
	}
	return kids, nil
}

// kindOf finds the one key that says what a node is. Beside "leaf" stand its args, which cannot be named like another kind.
func kindOf(fields []field, path string) (string, error) {
	kind, unknown := "", ""
	for _, f := range fields {
		switch f.name {
		case "all", "any", "not", "leaf":
			if kind != "" {
				return "", errs.Field(path, "condition.one_key")
			}
			kind = f.name
		default:
			unknown = f.name
		}
	}
	switch {
	case kind == "leaf":
		return kind, nil
	case unknown != "":
		return "", errs.Field(path+"."+unknown, "condition.unknown_key", "key", unknown)
	case kind == "":
		return "", errs.Field(path, "condition.empty")
	}
	return kind, nil
}

func leafOf(fields []field, path string) (Tree, error) {
	var t Tree
	var args []field
	for _, f := range fields {
		if f.name != "leaf" {
			args = append(args, f)
			continue
		}
		if err := json.Unmarshal(f.value, &t.Leaf); err != nil || t.Leaf == "" {
			return Tree{}, errs.Field(path+".leaf", "condition.leaf_name")
		}
	}
	t.Args = joinFields([]byte("{"), args)
	return t, nil
}
