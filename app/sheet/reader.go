package sheet

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/xuri/excelize/v2"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/templates"
)

// Reader reads one line of a file by the names of its columns. What is wrong is kept: Err is the first of it.
type Reader struct {
	at    map[string]int
	cells []string
	zone  clock.Zone
	err   error
}

// head says which column stands where.
func (k *Kind) head(cells []string) (map[string]int, error) {
	at := map[string]int{}
	for i, c := range cells {
		if i == maxColumns {
			break
		}
		c = strings.TrimSpace(c)
		for name, others := range k.Columns {
			if _, seen := at[name]; !seen && (strings.EqualFold(c, name) || slices.Contains(others, c)) {
				at[name] = i
			}
		}
	}
	for _, name := range k.Required {
		if _, ok := at[name]; !ok {
			return nil, errs.Field("data", "sheet.column", "column", name)
		}
	}
	return at, nil
}

// Err is the first thing that was wrong.
func (r *Reader) Err() error { return r.err }

// Fail says that a column is wrong.
func (r *Reader) Fail(column, key string, facts ...any) {
	if r.err == nil {
		r.err = errs.Field(column, key, facts...)
	}
}

// Text is what stands in a column; "" for nothing, or if there is no such column.
func (r *Reader) Text(column string) string {
	if i, ok := r.at[column]; ok && i < len(r.cells) {
		return strings.TrimSpace(r.cells[i])
	}
	return ""
}

var yuan = regexp.MustCompile(`^[0-9]{1,9}(\.[0-9]{1,2})?$`)

// Fen reads an amount of yuan; nil for none.
func (r *Reader) Fen(column string) *int64 {
	s := strings.ReplaceAll(strings.TrimLeft(r.Text(column), "¥￥"), ",", "")
	if s == "" {
		return nil
	}
	if !yuan.MatchString(s) {
		r.Fail(column, "sheet.yuan")
		return nil
	}
	whole, part, _ := strings.Cut(s, ".")
	n, _ := strconv.ParseInt(whole+(part + "00")[:2], 10, 64) // has at most eleven digits
	return &n
}

// Number reads a whole number; none where nothing stands.
func (r *Reader) Number(column string, none int64) int64 {
	s := r.Text(column)
	if s == "" {
		return none
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		r.Fail(column, "sheet.whole")
	}
	return n
}

// Time reads a moment of the programme's zone, as people, machines and Excel write it; nil for none.
func (r *Reader) Time(column string) *time.Time {
	s := r.Text(column)
	if s == "" {
		return nil
	}
	for _, layout := range []string{time.DateTime, "2006/1/2 15:04:05", "2006-01-02 15:04", "2006/1/2 15:04", time.RFC3339, time.DateOnly, "2006/1/2"} {
		if t, err := time.ParseInLocation(layout, s, r.zone.Location()); err == nil {
			t = t.UTC()
			return &t
		}
	}
	if days, err := strconv.ParseFloat(s, 64); err == nil && days > 0 && days < 100_000 {
		if t, err := excelize.ExcelDateToTime(days, false); err == nil {
			t = time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, r.zone.Location()).UTC()
			return &t
		}
	}
	r.Fail(column, "sheet.moment")
	return nil
}

// OneOf reads one of the values, each also by its Chinese name in the locale files; what is none of them is given back as it stands.
func (r *Reader) OneOf(column, prefix string, values []string) string {
	s := r.Text(column)
	for _, v := range values {
		if s == v || s == templates.T(templates.Chinese, prefix+v, nil) {
			return v
		}
	}
	return s
}
