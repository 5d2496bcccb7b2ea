package web

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/errs"
)

// ID is a row's id in JSON and in addresses: a string of digits, because JavaScript loses integers above 2^53.
type ID string

// IDOf is the ID of a row.
func IDOf(id int64) ID { return ID(strconv.FormatInt(id, 10)) }

// Int is the row's id; 0, which no row has, for what is none.
func (id ID) Int() int64 {
	n, err := strconv.ParseInt(string(id), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// Schema implements huma.SchemaProvider.
func (ID) Schema(huma.Registry) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString, Pattern: "^[0-9]{1,19}$", Examples: []any{"1"}}
	s.PrecomputeMessages()
	return s
}

// Decimal is a number in JSON that is kept as it is written: no float touches it. "" is none.
type Decimal string

// MarshalJSON writes the number.
func (d Decimal) MarshalJSON() ([]byte, error) { return json.Marshal(json.Number(d)) }

// UnmarshalJSON reads a number.
func (d *Decimal) UnmarshalJSON(b []byte) error { return json.Unmarshal(b, (*json.Number)(d)) }

// Schema implements huma.SchemaProvider.
func (Decimal) Schema(huma.Registry) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeNumber, Examples: []any{1.5}}
	s.PrecomputeMessages()
	return s
}

var zone atomic.Pointer[time.Location]

func init() { zone.Store(clock.Shanghai.Location()) }

// UseZone sets the zone in which JSON shows times. The start calls it once, with the programme's zone.
func UseZone(z clock.Zone) { zone.Store(z.Location()) }

// Time is an instant in JSON: RFC 3339, in the programme's zone when written, in any when read.
type Time struct{ time.Time }

// At is t for JSON.
func At(t time.Time) Time { return Time{t} }

// AtPtr is t for JSON; nil stays nil.
func AtPtr(t *time.Time) *Time {
	if t == nil {
		return nil
	}
	return &Time{*t}
}

// MarshalJSON writes the programme's zone.
func (t Time) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	return json.Marshal(t.In(zone.Load()))
}

// Text is how JSON shows the instant, for strings that hold more than times.
func (t Time) Text() string { return t.In(zone.Load()).Format(time.RFC3339) }

// Schema implements huma.SchemaProvider.
func (Time) Schema(huma.Registry) *huma.Schema {
	s := &huma.Schema{Type: huma.TypeString, Format: "date-time", Examples: []any{"2026-11-23T09:00:00+08:00"}}
	s.PrecomputeMessages()
	return s
}

// Stamped in the body of a member's answer tells the server's time, so that countdowns do not trust the phone.
type Stamped struct {
	ServerTime Time `json:"server_time" doc:"The time of the answer"`
}

// Stamp is Stamped now.
func Stamp(c clock.Clock) Stamped { return Stamped{At(c.Now())} }

// Paging in the input of a list takes cursor and limit.
type Paging struct {
	Cursor string `query:"cursor" maxLength:"512" doc:"next_cursor of the page before"`
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"20" doc:"Rows of a page"`
}

// Position reads the cursor into the keys that NextCursor wrote; ok is false on the first page.
func (p Paging) Position(keys ...any) (ok bool, err error) {
	if p.Cursor == "" {
		return false, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(p.Cursor)
	var parts []json.RawMessage
	if err == nil {
		err = json.Unmarshal(raw, &parts)
	}
	if err != nil || len(parts) != len(keys) {
		return false, errs.Field("cursor", "web.cursor")
	}
	for i, part := range parts {
		if json.Unmarshal(part, keys[i]) != nil {
			return false, errs.Field("cursor", "web.cursor")
		}
	}
	return true, nil
}

// NextCursor makes the cursor behind a row from the keys by which the list is ordered.
func NextCursor(keys ...any) string {
	b, err := json.Marshal(keys)
	if err != nil {
		panic(err) // keys are numbers, strings and times
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// List is a page of rows; next_cursor is absent on the last one.
type List[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next_cursor,omitempty" doc:"The cursor of the next page"`
}

// ListOf makes a page: rows holds up to limit+1 of them, view shows one, keys name its position.
func ListOf[R, T any](rows []R, limit int, view func(R) T, keys func(R) []any) List[T] {
	out := List[T]{Items: make([]T, 0, min(len(rows), limit))}
	for i, row := range rows {
		if i == limit {
			out.Next = NextCursor(keys(rows[i-1])...)
			break
		}
		out.Items = append(out.Items, view(row))
	}
	return out
}
