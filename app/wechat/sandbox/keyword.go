package sandbox

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The value rules of typed keywords (FACTS §3.3).
var (
	hourForm   = `([01]?\d|2[0-4]):[0-5]\d(:[0-5]\d)?`
	dateForm   = `\d{4}(年\d{1,2}月\d{1,2}日|[-/.]\d{1,2}[-/.]\d{1,2})`
	momentForm = `(` + dateForm + `\s*)?` + hourForm
	dayForm    = dateForm + `(\s*` + hourForm + `)?`
	keywords   = map[string]*regexp.Regexp{
		"number":           regexp.MustCompile(`^[+-]?\d{1,32}(\.\d+)?$`),
		"letter":           regexp.MustCompile(`^[A-Za-z]{1,32}$`),
		"character_string": regexp.MustCompile(`^[\x20-\x7e]{1,32}$`),
		"time":             regexp.MustCompile(`^` + momentForm + `(\s*~\s*` + momentForm + `)?$`),
		"date":             regexp.MustCompile(`^` + dayForm + `(\s*~\s*` + dayForm + `)?$`),
		"amount":           regexp.MustCompile(`^[¥￥$€£]?\d{1,10}(\.\d+)?元?$`),
		"phone_number":     regexp.MustCompile(`^[0-9+\- ()]{1,17}$`),
	}
)

// validValue applies the rule that the letters of key name; keywords without one (keyword1) take any value.
func validValue(key, v string) bool {
	kind := strings.TrimRight(key, "0123456789")
	if form, ok := keywords[kind]; ok {
		return form.MatchString(v)
	}
	n := utf8.RuneCountInString(v)
	switch kind {
	case "thing":
		return n <= 20
	case "symbol":
		return n <= 5
	case "car_number":
		return n <= 8
	case "name":
		if isHan(v) {
			return n <= 10
		}
		return n <= 20
	case "phrase":
		return n <= 5 && isHan(v)
	case "const":
		return n <= 20
	}
	return true
}

// isHan reports whether v is Chinese characters only.
func isHan(v string) bool {
	return !strings.ContainsFunc(v, func(r rune) bool { return !unicode.Is(unicode.Han, r) })
}
