//go:build browser

package console_test

import (
	"context"
	_ "embed"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/customer"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/handler/console"
	"github.com/siyu-scrm/siyu/templates"
)

// axe is axe-core as published (MPL-2.0, see its first lines). It reaches the page by the debugger, so that the page's policy stays as it is.
//
//go:embed testdata/axe.min.js
var axe string

// Each page is first looked at on a desk in light, with every rule; then on a phone in dark, with those that colour and width can break.
var looks = []struct {
	theme         string
	width, height int64
	rules         string
}{
	{"light", 1280, 1000, `{}`},
	{"dark", 390, 844, `{ runOnly: ["color-contrast", "link-in-text-block", "scrollable-region-focusable", "target-size"] }`},
}

// faults are what axe finds of serious kind or worse, in words.
const faults = `new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))).then(() => axe.run(document, Object.assign({ resultTypes: ["violations"], preload: false }, %s))).then((found) => found.violations
	.filter((v) => v.impact === "serious" || v.impact === "critical")
	.flatMap((v) => v.nodes.map((n) => v.id + " " + n.html.slice(0, 300) + " " + n.failureSummary)))`

// files are the ends of the routes that do not answer with a page.
var files = []string{"/channels/:id/qr.png", "/media/:id", "/runs/:id/live.json", "/export", "/report"}

func isFile(route string) bool {
	return slices.ContainsFunc(files, func(f string) bool { return strings.HasSuffix(route, f) })
}

// TestBrowserEveryPage opens every page of the console in both languages and themes, of an empty programme and of one in which every form was
// sent: the browser has nothing to complain about, and nobody is kept from using it.
func TestBrowserEveryPage(t *testing.T) {
	t.Parallel()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true))
	alloc, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	chromium, cancel := chromedp.NewContext(alloc)
	t.Cleanup(cancel)
	require.NoError(t, chromedp.Do(chromium))

	_, empty := as(t, operator.RoleOwner)
	w, full := as(t, operator.RoleOwner, demo)
	p, _ := w.Member("小林")
	w.Act(p, "follow", map[string]any{"account": "oa", "scene": "poster"})
	w.Settle()
	w.Act(p, "text", map[string]any{"account": "oa", "content": "签到"})
	in, err := w.Customers.Import(t.Context(), "old.csv", []byte("phone,consent\n13877770001,yes\n13877770002,\n"), customer.Options{}, "test")
	require.NoError(t, err)
	w.Settle()
	full.done(where(full.done("/console/recalls/new", "name", "老客", "import_id", fmt.Sprint(in.ID), "days", "3", "sms.text", "回来吧")) + "/run")
	everyForm(w, full, func(route string) bool { return rank(route) == 0 })
	w.Settle()

	pages := map[string][]string{"empty": empty.everyPage(), "full": full.everyPage()}
	found := map[string]bool{}
	for _, path := range slices.Concat(pages["empty"], pages["full"]) { // an empty one leads to its beginning
		found[path], found[ids.ReplaceAllString(path, "/:id$2")] = true, true
	}
	for _, route := range slices.Sorted(maps.Keys(console.Needs())) {
		if path, ok := strings.CutPrefix(route, "GET "); ok && !isFile(path) {
			require.True(t, found[path] || found[strings.Replace(path, "/new", "/:id", 1)], "no page leads to %s", path)
		}
	}
	for kind, b := range map[string]*browser{"empty": empty, "full": full} {
		for _, lang := range templates.Languages() {
			t.Run(kind+" "+lang, func(t *testing.T) {
				t.Parallel()
				b.look(chromium, t, lang, pages[kind])
			})
		}
	}
}

// everyPage is the login and one page of each kind that others lead to.
func (b *browser) everyPage() (paths []string) {
	c := &crawler{t: b.t, browser: b, role: operator.RoleOwner, seen: map[string]int{}}
	c.visit("/console")
	kinds := map[string]bool{}
	paths = []string{"/console/login"}
	for _, path := range slices.Sorted(maps.Keys(c.seen)) {
		kind := ids.ReplaceAllString(path, "/:id$2")
		if strings.HasSuffix(path, "/new") {
			kind = path
		}
		if strings.HasPrefix(path, "/") && !isFile(kind) && !kinds[kind] {
			kinds[kind] = true
			paths = append(paths, path)
		}
	}
	return paths
}

// look opens the pages in a browser that is signed in as b is.
func (b *browser) look(chromium context.Context, t *testing.T, lang string, paths []string) {
	ctx, cancel := chromedp.NewContext(chromium, chromedp.WithNewBrowserContext())
	defer cancel()
	require.NoError(t, chromedp.Do(ctx))
	var mu sync.Mutex
	var said []string
	note := func(s string) { mu.Lock(); defer mu.Unlock(); said = append(said, s) }
	require.NoError(t, chromedp.Listen(ctx, func(ev any) {
		switch ev := ev.(type) {
		case *log.EventEntryAdded: // what the policy forbids and what cannot be loaded, too
			note(fmt.Sprintf("%s: %s %s", ev.Entry.Level, ev.Entry.Text, ev.Entry.URL))
		case *runtime.EventExceptionThrown:
			note(ev.ExceptionDetails.Text)
		case *runtime.EventConsoleAPICalled:
			note("console." + string(ev.Type))
		}
	}))
	at, err := url.Parse(b.base)
	require.NoError(t, err)
	cookies := map[string]string{"siyu_lang": lang}
	for _, c := range b.client.Jar.Cookies(at) {
		cookies[c.Name] = c.Value
	}
	for name, value := range cookies {
		_, err = chromedp.Call(ctx, network.SetCookie, network.SetCookieParams{Name: name, Value: value, URL: b.base})
		require.NoError(t, err)
	}
	for _, path := range paths {
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		for i, l := range looks {
			_, err = chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: l.theme}},
			})
			require.NoError(t, err)
			require.NoError(t, chromedp.Do(ctx, chromedp.EmulateViewport(l.width, l.height)))
			if i == 0 {
				require.NoError(t, chromedp.Do(ctx, chromedp.Navigate(b.base+path), chromedp.Evaluate[chromedp.Void](axe)), path)
			}
			found, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](fmt.Sprintf(faults, l.rules), chromedp.EvalAwaitPromise))
			require.NoError(t, err, path)
			mu.Lock()
			for _, fault := range append(found, said...) {
				t.Errorf("%s in %s: %s", path, l.theme, fault)
			}
			said = nil
			mu.Unlock()
		}
		cancel()
	}
}
