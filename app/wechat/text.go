package wechat

import (
	"strings"
	"unicode/utf8"
)

// legal reports whether a rune may stand in XML 1.0, in JSON without a \u escape (which WeChat refuses with 40033), and in a message.
func legal(r rune) bool {
	switch {
	case r == '\n' || r == '\t':
		return true
	case r < 0x20 || r == 0x7f || r == 0x2028 || r == 0x2029 || r == 0xfffe || r == 0xffff:
		return false
	}
	return true
}

// clean makes a text safe to send: line ends become \n; other control characters and invalid UTF-8 are dropped.
func clean(s string) string {
	ok := true
	for i, r := range s {
		if !legal(r) || (r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD")) {
			ok = false
			break
		}
	}
	if ok {
		return s
	}
	s = strings.ReplaceAll(strings.ToValidUTF8(s, ""), "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\r' || r == 0x2028 || r == 0x2029:
			return '\n'
		case !legal(r):
			return -1
		}
		return r
	}, s)
}

// clip shortens s to at most limit bytes, on a character's boundary.
func clip(s string, limit int) string {
	const mark = "…"
	if len(s) <= limit {
		return s
	}
	end := limit - len(mark)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + mark
}

// appendJSON appends s as a JSON string: cleaned, nothing escaped but what must be, and never as \u.
func appendJSON(b []byte, s string) []byte {
	s = clean(s)
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

// appendCDATA appends s as XML character data that cannot be left from inside.
func appendCDATA(b []byte, s string) []byte {
	b = append(b, "<![CDATA["...)
	b = append(b, strings.ReplaceAll(clean(s), "]]>", "]]]]><![CDATA[>")...)
	return append(b, "]]>"...)
}
