package model

import "strings"

// Cut shortens s to the n characters that a column takes; what is no UTF-8 is replaced, since a database may refuse it.
func Cut(s string, n int) string {
	s = strings.ToValidUTF8(s, "�")
	if r := []rune(s); len(r) > n {
		return string(r[:n])
	}
	return s
}

// OrderNo is the number of an order as it is kept (PLAYBOOKS H9): full-width to half-width, without spaces around it, upper case.
func OrderNo(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r >= '！' && r <= '～':
			return r - '！' + '!'
		case r == '\u3000':
			return ' '
		}
		return r
	}, s)
	return strings.ToUpper(strings.TrimSpace(s))
}
