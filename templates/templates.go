// Package templates holds every sentence and page that people see: the locale files, the HTML pages and their static files.
// It knows no other package of siyu.
package templates

import (
	"embed"
	"io/fs"
	"strings"
)

// The languages of siyu; the first is the default.
const (
	Chinese = "zh-CN"
	English = "en"
)

// Languages lists them.
func Languages() []string { return []string{Chinese, English} }

//go:embed locale page partial layout static
var files embed.FS

// Static holds the files that the browser loads from /static/.
func Static() fs.FS {
	sub, err := fs.Sub(files, "static")
	if err != nil {
		panic(err) // the folder is embedded: cannot fail
	}
	return sub
}

// Lang is the language for a caller with this Accept-Language: the first of siyu's that he lists, else Chinese.
// Weights are not read: browsers list languages in order.
func Lang(acceptLanguage string) string {
	for part := range strings.SplitSeq(acceptLanguage, ",") {
		tag, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(part)), ";")
		switch base, _, _ := strings.Cut(tag, "-"); base {
		case "zh":
			return Chinese
		case "en":
			return English
		}
	}
	return Chinese
}
