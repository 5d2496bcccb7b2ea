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
