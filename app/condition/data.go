package condition

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
)

// DataFields are the top-level fields of an event's Data; none if it is no object.
func DataFields(data []byte) map[string]any {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var fields map[string]any
	if err := dec.Decode(&fields); err != nil {
		return nil
	}
	return fields
}

// Matches reports whether a field of an event's Data compares with the values that the operator wrote: one value, or several for In.
// Values are scalars. Equality goes by what is written, so that the id 12 equals "12", as ids are strings in the API.
// A list in Data equals what it contains. Ne is the opposite of Eq, so it holds where the field is missing. Gte and Lte
// compare numbers only.
func Matches(saw any, op Op, values []any) bool {
	if op == Ne {
		return !Matches(saw, Eq, values)
	}
	if list, ok := saw.([]any); ok && (op == Eq || op == In) {
		return slices.ContainsFunc(list, func(item any) bool {
			_, nested := item.([]any)
			return !nested && Matches(item, op, values)
		})
	}
	return slices.ContainsFunc(values, func(value any) bool {
		switch op {
		case Eq, In:
			a, okA := textOf(saw)
			b, okB := textOf(value)
			return okA && okB && a == b
		case Gte, Lte:
			c, ok := compareNumbers(saw, value)
			return ok && (op == Gte && c >= 0 || op == Lte && c <= 0)
		}
		return false
	})
}

// Scalars reads an operator's value: one string, number or boolean, or a list of them.
func Scalars(raw json.RawMessage) (values []any, list, ok bool) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, false, false
	}
	values, list = v.([]any)
	if !list {
		values = []any{v}
	}
	for _, v := range values {
		if _, ok := textOf(v); !ok {
			return nil, list, false
		}
	}
	return values, list, true
}

// textOf is how a scalar is written; numbers in one form, so that 1.0 is 1.
func textOf(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case json.Number:
		if _, err := v.Int64(); err == nil {
			return v.String(), true
		}
		f, err := v.Float64()
		return strconv.FormatFloat(f, 'f', -1, 64), err == nil
	}
	return "", false
}

// compareNumbers compares exactly where both are integers.
func compareNumbers(a, b any) (int, bool) {
	x, okX := a.(json.Number)
	y, okY := b.(json.Number)
	if !okX || !okY {
		return 0, false
	}
	i, errI := x.Int64()
	j, errJ := y.Int64()
	if errI == nil && errJ == nil {
		return cmp.Compare(i, j), true
	}
	f, errF := x.Float64()
	g, errG := y.Float64()
	return cmp.Compare(f, g), errF == nil && errG == nil
}
