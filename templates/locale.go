package templates

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	_ "time/tzdata" // the default zone must exist on every machine
)

// sentences is language → key → sentence with {name} placeholders.
var sentences = must(loadSentences(files))

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // the files are embedded and tested: cannot fail
	}
	return v
}

// loadSentences reads locale/<lang>.json.
func loadSentences(fsys fs.FS) (map[string]map[string]string, error) {
	all := map[string]map[string]string{}
	for _, lang := range Languages() {
		b, err := fs.ReadFile(fsys, "locale/"+lang+".json")
		if err != nil {
			return nil, err
		}
		var table map[string]string
		if err := json.Unmarshal(b, &table); err != nil {
			return nil, fmt.Errorf("templates: locale/%s.json: %w", lang, err)
		}
		all[lang] = table
	}
	return all, nil
}

// T is the sentence of key in lang, its {name} placeholders filled from args; a placeholder without an argument stays.
// An unknown language is Chinese; a missing key is shown as itself.
func T(lang, key string, args map[string]any) string {
	table, ok := sentences[lang]
	if !ok {
		table = sentences[Chinese]
	}
	s, ok := table[key]
	if !ok {
		return key
	}
	if len(args) == 0 || !strings.Contains(s, "{") {
		return s
	}
	return fill(s, args)
}

// Has reports whether key has a sentence.
func Has(key string) bool {
	_, ok := sentences[Chinese][key]
	return ok
}

func fill(s string, args map[string]any) string {
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(s, "{")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		name, after, ok := strings.Cut(rest, "}")
		v, known := args[name]
		if !ok || !known {
			b.WriteByte('{')
			s = rest
			continue
		}
		b.WriteString(show(v))
		s = after
	}
}

var zone atomic.Pointer[time.Location]

func init() { UseZone(must(time.LoadLocation("Asia/Shanghai"))) }

// UseZone sets the zone in which sentences and pages show times. The start calls it once, with the programme's zone.
func UseZone(loc *time.Location) { zone.Store(loc) }

// show writes an argument as a person reads it.
func show(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case time.Time:
		return v.In(zone.Load()).Format("2006-01-02 15:04")
	case *time.Time:
		if v == nil {
			return ""
		}
		return show(*v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case []string:
		return strings.Join(v, ", ")
	default:
		return fmt.Sprint(v)
	}
}
