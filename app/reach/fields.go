package reach

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// rule is what WeChat takes in a field of a subscribe template (FACTS §3.3). Counted in characters.
type rule struct {
	max   int
	allow *regexp.Regexp // nil: anything
}

var (
	digits = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?$`)
	ascii  = regexp.MustCompile(`^[\x20-\x7e]+$`)
	phone  = regexp.MustCompile(`^[0-9+\- ]+$`)
	amount = regexp.MustCompile(`^[^0-9\s]?[0-9]+(\.[0-9]+)?元?$`)
	han    = regexp.MustCompile(`^\p{Han}+$`)
	letter = regexp.MustCompile(`^[A-Za-z]+$`)
)

// The kinds of fields; what stands in none of them (enum, time, date) is WeChat's to judge.
var rules = map[string]rule{
	"thing": {20, nil}, "number": {32, digits}, "letter": {32, letter}, "symbol": {5, nil}, "character_string": {32, ascii},
	"amount": {12, amount}, "phone_number": {17, phone}, "car_number": {8, nil}, "name": {20, nil}, "phrase": {5, han},
}

// FieldLimits are the kinds of fields of templates, and how many characters each takes; thing1 is a field of the kind thing.
func FieldLimits() map[string]int {
	out := make(map[string]int, len(rules))
	for kind, r := range rules {
		out[kind] = r.max
	}
	return out
}

// fieldRule is the rule of a field such as thing1.
func fieldRule(field string) rule {
	if r, ok := rules[strings.TrimRight(field, "0123456789")]; ok {
		return r
	}
	return rule{max: 64}
}

func (r rule) fits(v string) bool {
	return utf8.RuneCountInString(v) <= r.max && (r.allow == nil || r.allow.MatchString(v))
}

// cut shortens a value to what the field takes.
func (r rule) cut(v string) string {
	if utf8.RuneCountInString(v) <= r.max {
		return v
	}
	return string([]rune(v)[:r.max])
}
