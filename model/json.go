package model

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
)

// JSON is a document that the database keeps as opaque text: what is queried is a column of its own.
type JSON []byte

// ToJSON encodes v; it panics on what JSON cannot hold, which no row of siyu contains.
func ToJSON(v any) JSON {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("model: encode %T: %v", v, err))
	}
	return b
}

// Into decodes the document into v; an empty document leaves v as it is.
func (j JSON) Into(v any) error {
	if len(j) == 0 {
		return nil
	}
	return json.Unmarshal(j, v)
}

// MarshalJSON writes the document as it is.
func (j JSON) MarshalJSON() ([]byte, error) {
	if len(j) == 0 {
		return []byte("null"), nil
	}
	return j, nil
}

// UnmarshalJSON keeps the document as it is.
func (j *JSON) UnmarshalJSON(b []byte) error {
	*j = append((*j)[:0], b...)
	return nil
}

// Value stores text.
func (j JSON) Value() (driver.Value, error) { return string(j), nil }

// Scan reads text.
func (j *JSON) Scan(v any) error {
	switch v := v.(type) {
	case nil:
		*j = nil
	case string:
		*j = JSON(v)
	case []byte:
		*j = append(JSON(nil), v...)
	default:
		return fmt.Errorf("model: a %T is not JSON text", v)
	}
	return nil
}

// GormDataType makes the column text on both databases.
func (JSON) GormDataType() string { return "text" }
