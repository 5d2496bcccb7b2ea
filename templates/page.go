package templates

import (
	"bytes"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"strings"
	"sync"
	"time"
)

// bases are the layouts and partials of each language; pages is what was parsed of them so far, by page and language: all pages at once would
// be some tens of megabytes.
var (
	bases = map[string]func() (*template.Template, error){}
	pages sync.Map // pageKey → func() (*template.Template, error)
)

func init() {
	for _, lang := range Languages() {
		bases[lang] = sync.OnceValues(func() (*template.Template, error) { return parseBase(files, lang) })
	}
}

type pageKey struct{ name, lang string }

// parseBase reads what every page may use. Templates are named by their path without .html: "layout/plain", "partial/error".
func parseBase(fsys fs.FS, lang string) (*template.Template, error) {
	base := template.New("").Funcs(funcs(lang)).Option("missingkey=error")
	for _, dir := range []string{"layout", "partial"} {
		if err := parseDir(fsys, dir, func(name, text string) error {
			_, err := base.New(name).Parse(text)
			return err
		}); err != nil {
			return nil, err
		}
	}
	return base, nil
}

// page is a page in its own set, so that every page may define "content".
func page(name, lang string) (*template.Template, error) {
	base := bases[lang]
	if base == nil {
		return page(name, Chinese)
	}
	once, _ := pages.LoadOrStore(pageKey{name, lang}, sync.OnceValues(func() (*template.Template, error) {
		text, err := files.ReadFile("page/" + name + ".html")
		if err != nil {
			return nil, fmt.Errorf("templates: no page %q", name)
		}
		set, err := base()
		if err == nil {
			set, err = set.Clone()
		}
		if err == nil {
			set, err = set.New("page/" + name).Parse(string(text))
		}
		if err != nil {
			return nil, fmt.Errorf("templates: page %s: %w", name, err)
		}
		return set, nil
	}))
	return once.(func() (*template.Template, error))()
}

func parseDir(fsys fs.FS, dir string, parse func(name, text string) error) error {
	return fs.WalkDir(fsys, dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".html") {
			return err
		}
		b, err := fs.ReadFile(fsys, path)
		if err != nil {
			return err
		}
		if err := parse(strings.TrimSuffix(path, ".html"), string(b)); err != nil {
			return fmt.Errorf("templates: %s: %w", path, err)
		}
		return nil
	})
}

// Page writes the page (its path below page/, without .html) in lang. A page that fails writes nothing.
func Page(w io.Writer, name, lang string, data any) error {
	set, err := page(name, lang)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := set.Execute(&b, data); err != nil {
		return fmt.Errorf("templates: page %s: %w", name, err)
	}
	_, err = b.WriteTo(w)
	return err
}

// funcs are the functions of pages:
//
//	{{t "key" "name" value …}}   the sentence, its placeholders filled
//	{{lang}}                     the language of the page
//	{{money .Fen}}               ¥12.34
//	{{time .At}} {{date .At}}    in the programme's zone; "" for the zero time and nil
//	{{dict "key" value …}}       several values for one partial
func funcs(lang string) template.FuncMap {
	return template.FuncMap{
		"t": func(key string, pairs ...any) (string, error) {
			args, err := dict(pairs...)
			return T(lang, key, args), err
		},
		"lang":  func() string { return lang },
		"money": Money,
		"time":  func(t any) string { return stamp(t, "2006-01-02 15:04:05") },
		"date":  func(t any) string { return stamp(t, "2006-01-02") },
		"dict":  dict,
	}
}

func dict(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, fmt.Errorf("templates: a name without a value in %v", pairs)
	}
	m := make(map[string]any, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		m[fmt.Sprint(pairs[i])] = pairs[i+1]
	}
	return m, nil
}

// Money writes fen as yuan.
func Money(fen int64) string {
	sign := ""
	if fen < 0 {
		sign, fen = "-", -fen
	}
	return fmt.Sprintf("%s¥%d.%02d", sign, fen/100, fen%100)
}

func stamp(v any, layout string) string {
	t, ok := v.(time.Time)
	if p, isPtr := v.(*time.Time); isPtr && p != nil {
		t, ok = *p, true
	}
	if !ok || t.IsZero() {
		return ""
	}
	return t.In(zone.Load()).Format(layout)
}
