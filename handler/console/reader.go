package console

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/coupon"
	"github.com/siyu-scrm/siyu/app/errs"
)

// reader reads the controls of a form one after another; the first that cannot be read stays in err, and the rest is not read.
type reader struct {
	f    *Form
	zone clock.Zone
	err  error
}

// read takes the answer of one reading.
func read[T any](r *reader, how func() (T, error)) (v T) {
	if r.err == nil {
		v, r.err = how()
	}
	return v
}

// number is a whole number that has to be there.
func (r *reader) number(name string) int64 {
	return read(r, func() (int64, error) { return r.f.Number(name) })
}

// count is a whole number; 0 for an empty field.
func (r *reader) count(name string) int64 {
	if r.f.Get(name) == "" {
		return 0
	}
	return r.number(name)
}

// limit is a whole number; nil for an empty field.
func (r *reader) limit(name string) *int64 {
	if r.f.Get(name) == "" {
		return nil
	}
	n := r.number(name)
	return &n
}

// time is a moment of the programme's zone; nil for an empty field.
func (r *reader) time(name string) *time.Time {
	return read(r, func() (*time.Time, error) { return r.f.Time(name, r.zone) })
}

var amount = regexp.MustCompile(`^[0-9]{1,7}(\.[0-9]{1,2})?$`)

// maxYuan is a million.
const maxYuan = 100_000_000

// yuan is an amount of money, in fen; 0 for an empty field.
func (r *reader) yuan(name string) int64 {
	return read(r, func() (int64, error) { return readYuan(name, r.f.Get(name)) })
}

func readYuan(name, s string) (int64, error) {
	s = strings.TrimPrefix(strings.ReplaceAll(s, ",", ""), "¥")
	if s == "" {
		return 0, nil
	}
	whole, rest, _ := strings.Cut(s, ".")
	fen, err := strconv.ParseInt(whole+(rest + "00")[:2], 10, 64)
	if err != nil || !amount.MatchString(s) || fen > maxYuan {
		return 0, errs.Field(name, "console.yuan")
	}
	return fen, nil
}

// yuan writes fen as people type them; "" for none.
func yuan(fen int64) string {
	if fen == 0 {
		return ""
	}
	return strings.TrimSuffix(coupon.Yuan(fen), ".00")
}

// some writes a number; "" for 0, which an empty field means.
func some(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

// limited writes a number; "" for none.
func limited(n *int64) string {
	if n == nil {
		return ""
	}
	return strconv.FormatInt(*n, 10)
}
