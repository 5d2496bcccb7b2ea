package sandbox

import (
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{})
	load := func(t *testing.T, path string) string {
		res, err := http.Get(w.api.URL + path)
		require.NoError(t, err)
		defer res.Body.Close()
		require.Equal(t, 200, res.StatusCode, path)
		require.Equal(t, pagePolicy, res.Header.Get("Content-Security-Policy"))
		raw, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		return string(raw)
	}
	html := load(t, "/sandbox")
	words := load(t, "/sandbox/static/words.js")
	files := html + words
	for _, m := range regexp.MustCompile(`(?:src|href)="(/sandbox/static/[^"]+)"`).FindAllStringSubmatch(html, -1) {
		files += load(t, m[1])
	}
	t.Run("RunsUnderAStrictPolicy", func(t *testing.T) {
		t.Parallel()
		require.NotRegexp(t, `<script>|<style|\sstyle=|\son[a-z]+="|javascript:`, html)
		require.NotRegexp(t, `https?://`, files, "no other host")
		require.NotContains(t, files, "innerHTML")
	})
	t.Run("SaysEverythingInBothLanguages", func(t *testing.T) {
		t.Parallel()
		keys := func(block string) []string {
			var out []string
			for _, m := range regexp.MustCompile(`(?:, |\n\s+)(\w+): '`).FindAllStringSubmatch(block, -1) {
				out = append(out, m[1])
			}
			slices.Sort(out)
			return out
		}
		zh, en, ok := strings.Cut(words, "en: {")
		require.True(t, ok)
		require.Equal(t, keys(zh), keys(en))
		require.NotEmpty(t, keys(en))
		for _, m := range regexp.MustCompile(`data-[tp]="(\w+)"|\bt\('(\w+)'\)`).FindAllStringSubmatch(files, -1) {
			require.Contains(t, keys(en), m[1]+m[2])
		}
	})
	t.Run("OtherSitesCannotAct", func(t *testing.T) {
		t.Parallel()
		req, err := http.NewRequest(http.MethodPost, w.api.URL+"/sandbox/api/users", strings.NewReader(`{}`))
		require.NoError(t, err)
		req.Header.Set("Sec-Fetch-Site", "cross-site")
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, http.StatusForbidden, res.StatusCode)
	})
}
