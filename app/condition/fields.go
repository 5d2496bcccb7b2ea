package condition

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/siyu-scrm/siyu/app/errs"
)

// field is one member of a JSON object: encoding/json alone would hide repeated keys, and match keys in any case.
type field struct {
	name  string
	value json.RawMessage // compact
}

// fieldsOf reads an object in its order. A refusal names the field relative to the object.
func fieldsOf(raw json.RawMessage) ([]field, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if open, err := dec.Token(); err != nil || open != json.Delim('{') {
		return nil, errs.Field("", "condition.not_an_object")
	}
	var fields []field
	seen := map[string]bool{}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, errs.Field("", "condition.malformed")
		}
		var f field
		f.name, _ = key.(string)
		if err := dec.Decode(&f.value); err != nil {
			return nil, errs.Field("", "condition.malformed")
		}
		if seen[f.name] {
			return nil, errs.Field(f.name, "condition.repeated_key", "key", f.name)
		}
		seen[f.name] = true
		var flat bytes.Buffer
		if err := json.Compact(&flat, f.value); err != nil {
			return nil, errs.Field(f.name, "condition.malformed")
		}
		f.value = flat.Bytes()
		fields = append(fields, f)
	}
	return fields, nil
}

// joinFields appends the fields and the closing brace to head, which ends in "{" or in "," after an earlier member.
func joinFields(head []byte, fields []field) []byte {
	for i, f := range fields {
		if i > 0 {
			head = append(head, ',')
		}
		name, _ := json.Marshal(f.name) // a string cannot fail
		head = append(append(append(head, name...), ':'), f.value...)
	}
	return append(bytes.TrimSuffix(head, []byte(",")), '}')
}

// object is args, or the empty object for none.
func object(args json.RawMessage) json.RawMessage {
	if len(bytes.TrimSpace(args)) == 0 {
		return json.RawMessage("{}")
	}
	return args
}

// ID reads the id in an arg of a leaf: a text, as all ids in JSON. One that is none is refused with errs.Field.
func ID(arg, text string) (int64, error) {
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id <= 0 {
		return 0, errs.Field(arg, "condition.arg_required")
	}
	return id, nil
}

// DecodeArgs reads the args of a leaf into a struct strictly. An unknown field or a wrong type is refused with errs.Field.
// What is required is the leaf's to check: errs.Field("tag_id", "condition.arg_required").
func DecodeArgs(args json.RawMessage, into any) error {
	dec := json.NewDecoder(bytes.NewReader(object(args)))
	dec.DisallowUnknownFields()
	err := dec.Decode(into)
	if err == nil {
		return nil
	}
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return errs.Field(wrong.Field, "condition.arg_type", "want", wrong.Type.String())
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		name = strings.Trim(name, `"`)
		return errs.Field(name, "condition.arg_unknown", "key", name)
	}
	return errs.Field("", "condition.malformed")
}
