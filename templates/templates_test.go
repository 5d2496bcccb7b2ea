package templates

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	placeholder = regexp.MustCompile(`\{([a-z_]+)\}`)
	tCall       = regexp.MustCompile(`[{( ]t "([^"]+)"`)
)

func TestLocale(t *testing.T) {
	t.Parallel()
	t.Run("BothLanguagesHaveTheSameKeysAndPlaceholders", func(t *testing.T) {
		t.Parallel()
		for _, pair := range [][2]string{{Chinese, English}, {English, Chinese}} {
			for key, sentence := range sentences[pair[0]] {
				other, ok := sentences[pair[1]][key]
				require.True(t, ok, "%s has no %q", pair[1], key)
				require.NotEmpty(t, sentence, "%s of %s is empty", key, pair[0])
				require.Equal(t, placeholders(sentence), placeholders(other), "placeholders of %q", key)
			}
		}
	})
	t.Run("EveryKeyOfTheSourceHasASentence", func(t *testing.T) {
		t.Parallel()
		for key, at := range keysInSource(t) {
			require.True(t, Has(key), "%s uses %q, which is in no locale file", at, key)
		}
	})
	t.Run("EveryKeyOfThePagesHasASentence", func(t *testing.T) {
		t.Parallel()
		require.NoError(t, fs.WalkDir(files, ".", func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".html") {
				return err
			}
			b, err := fs.ReadFile(files, path)
			for _, m := range tCall.FindAllStringSubmatch(string(b), -1) {
				require.True(t, Has(m[1]), "%s uses %q, which is in no locale file", path, m[1])
			}
			return err
		}))
	})
}

func placeholders(s string) []string {
	names := placeholder.FindAllString(s, -1)
	slices.Sort(names)
	return slices.Compact(names)
}

// keysInSource finds the literal keys of errs.New, errs.Field and templates.T; value: where.
func keysInSource(t *testing.T) map[string]string {
	t.Helper()
	keys := map[string]string{}
	require.NoError(t, filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != ".." {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, src, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) < 2 {
				return true
			}
			if fun, ok := call.Fun.(*ast.SelectorExpr); ok && namesKey(fun) {
				if lit, ok := call.Args[1].(*ast.BasicLit); ok && lit.Kind == token.STRING {
					key, _ := strconv.Unquote(lit.Value)
					keys[key] = set.Position(lit.Pos()).String()
				}
			}
			return true
		})
		return nil
	}))
	return keys
}

func namesKey(fun *ast.SelectorExpr) bool {
	pkg, ok := fun.X.(*ast.Ident)
	return ok && (pkg.Name == "errs" && (fun.Sel.Name == "New" || fun.Sel.Name == "Field") || pkg.Name == "templates" && fun.Sel.Name == "T")
}

func TestT(t *testing.T) {
	t.Parallel()
	t.Run("FillsPlaceholdersAndKeepsUnknownOnes", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, "满 5 分,还差 {more}", fill("满 {n} 分,还差 {more}", map[string]any{"n": 5}))
		require.Equal(t, "a { b", fill("a { b", map[string]any{"n": 5}))
	})
	t.Run("ShowsTimesInTheProgrammesZone", func(t *testing.T) {
		t.Parallel()
		at := time.Date(2026, 11, 22, 16, 30, 0, 0, time.UTC)
		require.Equal(t, "开 2026-11-23 00:30", fill("开 {at}", map[string]any{"at": at}))
	})
	t.Run("ShowsAMissingKeyAsItself", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, "no.such", T(Chinese, "no.such", nil))
		require.Equal(t, T(Chinese, "web.internal", nil), T("fr", "web.internal", nil))
	})
}

func TestLang(t *testing.T) {
	t.Parallel()
	for accept, want := range map[string]string{
		"": Chinese, "zh": Chinese, "en-GB,en;q=0.9": English, "fr, en;q=0.5": English, "zh-TW,en": Chinese, "EN": English, "fr": Chinese,
	} {
		require.Equal(t, want, Lang(accept), accept)
	}
}

// TestEveryPageParses reads them all: they are parsed when they are first asked for.
func TestEveryPageParses(t *testing.T) {
	t.Parallel()
	n := 0
	require.NoError(t, parseDir(files, "page", func(name, _ string) error {
		for _, lang := range Languages() {
			if _, err := page(strings.TrimPrefix(name, "page/"), lang); err != nil {
				return err
			}
			n++
		}
		return nil
	}))
	require.Greater(t, n, 50)
}

func TestPage(t *testing.T) {
	t.Parallel()
	t.Run("IsWrittenInTheLanguageAndEscapes", func(t *testing.T) {
		t.Parallel()
		var b strings.Builder
		require.NoError(t, Page(&b, "error", English, map[string]any{"Status": 404, "Message": "<b>no</b>", "RequestID": "r1"}))
		require.Contains(t, b.String(), `<html lang="en">`)
		require.Contains(t, b.String(), "&lt;b&gt;no")
		require.Contains(t, b.String(), "Request id")
	})
	t.Run("ThatFailsWritesNothing", func(t *testing.T) {
		t.Parallel()
		var b strings.Builder
		require.Error(t, Page(&b, "error", English, map[string]any{}))
		require.Error(t, Page(&b, "nosuch", English, nil))
		require.Empty(t, b.String())
	})
	t.Run("WritesMoneyInYuan", func(t *testing.T) {
		t.Parallel()
		require.Equal(t, "¥28.41", Money(2841))
		require.Equal(t, "-¥0.05", Money(-5))
	})
}
