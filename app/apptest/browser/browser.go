// Package browser is a person at a headless Chromium. He finds what he uses by the words that stand on the page, clicks and types; he never
// asks the API. For tests only.
package browser

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// Step is something that is done in a tab.
type Step = chromedp.Action[chromedp.Void]

// patience is how long a step may take.
const patience = 30 * time.Second

//go:embed find.js
var find string

// Tab is a tab of a browser of its own, or a part of its page.
type Tab struct {
	t      testing.TB
	ctx    context.Context //nolint:containedctx // it is the tab
	places []string        // inside which he looks
}

// Open starts a browser on a desk.
func Open(t testing.TB) *Tab {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WindowSize(1280, 1000),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.Flag("accept-lang", "zh-CN"))
	alloc, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(alloc)
	t.Cleanup(cancel)
	require.NoError(t, chromedp.Do(ctx))
	return &Tab{t: t, ctx: ctx}
}

// Console opens the console of the siyu at url as the operator whom a first start makes.
func Console(t testing.TB, url, password string) *Tab {
	t.Helper()
	b := Open(t)
	b.Go(url + "/console")
	b.Write("用户名", "demo")
	b.Write("密码", password)
	b.Press("登录")
	return b
}

// Beside opens the page once more, in a window of its own.
func (b *Tab) Beside() *Tab {
	b.t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithNewWindow(true))
	b.t.Cleanup(cancel)
	require.NoError(b.t, chromedp.Do(ctx))
	beside := &Tab{t: b.t, ctx: ctx}
	beside.Go(ask(b, chromedp.Location()))
	return beside
}

// In is the part of the page under a heading, or under one inside the other.
func (b *Tab) In(places ...string) *Tab {
	return &Tab{b.t, b.ctx, slices.Concat(b.places, places)}
}

// Do does steps, each of which waits for what it needs.
func (b *Tab) Do(steps ...Step) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.Picture("failed-" + strings.ReplaceAll(b.t.Name(), "/", "-"))
		require.NoError(b.t, err, "in %v", b.places)
	}
}

func ask[T any](b *Tab, action chromedp.Action[T]) (out T) {
	b.t.Helper()
	b.Do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) (err error) {
		out, err = chromedp.Run(ctx, action)
		return err
	}))
	return out
}

// Go opens a page by its address.
func (b *Tab) Go(url string) {
	b.t.Helper()
	b.Do(chromedp.Navigate(url))
}

// Menu goes to a page by the menu.
func (b *Tab) Menu(name string) {
	b.t.Helper()
	b.In("菜单").Press(name)
}

// Press clicks a link or a button that leads to a page without a refusal on it.
func (b *Tab) Press(name string) {
	b.t.Helper()
	b.leave(name)
	require.Empty(b.t, b.refusal(), "after %s", name)
}

// Refused clicks a button that is refused, and returns what the page says.
func (b *Tab) Refused(name string) string {
	b.t.Helper()
	b.leave(name)
	why := b.refusal()
	require.NotEmpty(b.t, why, "after %s", name)
	return why
}

// leave clicks and waits for the next page.
func (b *Tab) leave(name string) {
	b.t.Helper()
	at := b.path("button", name)
	b.Do(chromedp.WaitVisible(at), chromedp.Evaluate[chromedp.Void](`document.documentElement.dataset.left = ""`), chromedp.Click(at),
		chromedp.WaitVisible(chromedp.CSS(`html:not([data-left]) body`)), chromedp.Poll[chromedp.Void](`document.readyState === "complete"`))
}

func (b *Tab) refusal() string {
	b.t.Helper()
	return strings.TrimSpace(ask(b, chromedp.Evaluate[string](`document.querySelector("main .notice.bad")?.innerText ?? ""`)))
}

// Write puts a text into a control instead of what stands there. Moments are written as 2026-11-24T12:00.
func (b *Tab) Write(label, text string) {
	b.t.Helper()
	at := b.path("control", label)
	typed := ask(b, chromedp.QueryAfter(at, func(ctx context.Context, _ *chromedp.Target, _ []*chromedp.Node) (bool, error) {
		return chromedp.Run(ctx, chromedp.Evaluate[bool](fmt.Sprintf(`((control, text) => {
			control.focus();
			if (!["date", "datetime-local", "time"].includes(control.type)) { control.select(); return true; }
			control.value = text; // what the keys do there depends on the machine's language
			for (const event of ["input", "change"]) control.dispatchEvent(new Event(event, { bubbles: true }));
			return false;
		})(%s, %s)`, at, quoted(text))))
	}, chromedp.NodeVisible))
	if typed && text == "" {
		text = "\b"
	}
	if typed {
		b.Do(chromedp.SendKeys(at, text))
	}
}

// Choose picks from a list by the words of the choices.
func (b *Tab) Choose(label string, choices ...string) {
	b.t.Helper()
	at := b.path("control", label)
	b.Do(chromedp.WaitVisible(at), chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`((list, choices) => {
		const text = (option) => option.textContent.replace(/\s+/g, " ").trim();
		for (const choice of choices)
			if (![...list.options].some((o) => text(o) === choice)) throw new Error(choice + " is none of " + [...list.options].map(text).join(" | "));
		for (const option of list.options) option.selected = choices.includes(text(option));
		for (const event of ["input", "change"]) list.dispatchEvent(new Event(event, { bubbles: true }));
	})(%s, %s)`, at, quoted(choices))))
}

// Tick sets a box, or picks one of several by its words.
func (b *Tab) Tick(label string) {
	b.t.Helper()
	at := b.path("control", label)
	if !ask(b, chromedp.JavascriptAttribute[bool](at, "checked")) {
		b.Do(chromedp.Click(at))
	}
}

// Unfold opens what is folded.
func (b *Tab) Unfold(summary string) {
	b.t.Helper()
	at := b.path("button", summary)
	b.Do(chromedp.WaitVisible(at))
	if !ask(b, chromedp.Evaluate[bool](string(at)+".parentElement.open")) {
		b.Do(chromedp.Click(at))
	}
}

// Sees waits until the page says something.
func (b *Tab) Sees(text string) {
	b.t.Helper()
	b.Do(chromedp.Poll[chromedp.Void](`document.querySelector("main").innerText.includes(` + quoted(text) + `)`))
}

// Figure is the number of a tile.
func (b *Tab) Figure(name string) int {
	b.t.Helper()
	at := b.path("figure", name)
	b.Do(chromedp.WaitVisible(at))
	return ask(b, chromedp.Evaluate[int](`Number(`+string(at)+`.querySelector("b").textContent)`))
}

// Text is what an element says.
func (b *Tab) Text(selector string) string {
	b.t.Helper()
	return ask(b, chromedp.Text(chromedp.CSS(selector)))
}

// Picture keeps a picture of the whole page where SIYU_TEST_PICTURES names a directory.
func (b *Tab) Picture(name string) {
	b.t.Helper()
	dir := os.Getenv("SIYU_TEST_PICTURES")
	if dir == "" {
		return
	}
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	require.NoError(b.t, err)
	require.NoError(b.t, os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600))
}

// Desk is a picture of what a screen of the size shows.
func (b *Tab) Desk(width, height int64) (png []byte) {
	b.t.Helper()
	b.Do(chromedp.EmulateViewport(width, height), chromedp.Evaluate[chromedp.Void](`document.activeElement.blur(); scrollTo(0, 0)`))
	return ask(b, chromedp.CaptureScreenshot())
}

// path is the expression that finds what a person calls so.
func (b *Tab) path(kind, name string) chromedp.JSPath {
	return chromedp.JSPath("(" + strings.TrimSpace(find) + ")(" + quoted(append([]string{}, b.places...)) + ", " + quoted(kind) + ", " + quoted(name) + ")")
}

// quoted is a value as JavaScript writes it.
func quoted(v any) string {
	out, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(out)
}

// Click clicks an element by its selector, where it has no words.
func Click(selector string) Step { return chromedp.Click(chromedp.CSS(selector)) }

// Visible waits for an element.
func Visible(selector string) Step { return chromedp.WaitVisible(chromedp.CSS(selector)) }
