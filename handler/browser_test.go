//go:build browser

package handler_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/config"
)

// tab is a tab of a headless Chromium.
type tab struct {
	t   *testing.T
	ctx context.Context //nolint:containedctx // it is the tab
}

func newTab(t *testing.T) *tab {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WindowSize(1280, 1000),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.Flag("accept-lang", "zh-CN"))
	alloc, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(alloc)
	t.Cleanup(cancel)
	require.NoError(t, chromedp.Do(ctx))
	return &tab{t, ctx}
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 30*time.Second)
	defer cancel()
	require.NoError(b.t, chromedp.Do(ctx, steps...))
}

func (b *tab) text(selector string) string {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 30*time.Second)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Text(chromedp.CSS(selector)))
	require.NoError(b.t, err)
	return text
}

// picture keeps a screenshot where SIYU_TEST_PICTURES names a directory.
func (b *tab) picture(name string) {
	b.t.Helper()
	dir := os.Getenv("SIYU_TEST_PICTURES")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	require.NoError(b.t, err)
	require.NoError(b.t, os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600))
}

func click(selector string) chromedp.Action[chromedp.Void] {
	return chromedp.Click(chromedp.CSS(selector))
}

func visible(selector string) chromedp.Action[chromedp.Void] {
	return chromedp.WaitVisible(chromedp.CSS(selector))
}

// TestBrowserFiveSteps is a newcomer on the phone: he does what the page offers next, and the five steps are ticked.
func TestBrowserFiveSteps(t *testing.T) {
	t.Parallel()
	w := apptest.New(t, func(c *config.Config) { c.Sandbox.Demo = true })
	w.Run()
	b := newTab(t)
	next, done := click(`#steps li.next button`), func(n string) chromedp.Action[chromedp.Void] { return visible(`#steps li:nth-child(` + n + `).done`) }
	b.do(chromedp.Navigate(w.URL+"/sandbox"), next, done("1"))
	b.do(next, visible(`#register`), click(`#register`), done("2"))
	b.do(next, done("3"))
	b.picture("phone-chat")
	require.Contains(t, b.text(`#chat`), "签到成功 +5")
	b.do(click(`[data-tab=mini]`), done("4"), visible(`#entries li:nth-child(2)`))
	b.picture("phone-mini")
	b.do(next, done("5"))
	b.picture("phone-done")
	require.Contains(t, b.text(`#outcome`), "周三会员日")
	w.Verified()
}

// TestBrowserConsole is an operator: he logs in, reads a member's page with the rule behind each line, and follows a
// broadcast to the deliveries of its run.
func TestBrowserConsole(t *testing.T) {
	t.Parallel()
	w := apptest.New(t, func(c *config.Config) { c.Sandbox.Demo = true })
	w.Run()
	password, err := w.Operators.EnsureDemo(t.Context())
	require.NoError(t, err)
	for _, name := range []string{"小雨", "阿杰", "芊芊", "大力"} {
		p, _ := w.Member(name)
		w.Act(p, "follow", map[string]any{"scene": "poster"})
		require.NoError(t, p.API(t.Context(), "POST", "/checkins", nil, nil))
		w.Act(p, "text", map[string]any{"content": "有草莓味吗"})
	}
	w.Set("2026-11-25 10:00:00")

	b := newTab(t)
	b.do(chromedp.Navigate(w.URL+"/console"), visible(`#password`),
		chromedp.SendKeys(chromedp.CSS(`#login`), "demo"), chromedp.SendKeys(chromedp.CSS(`#password`), password), click(`form button.primary`),
		visible(`a[href="/console/members"]`))
	b.picture("console-board")
	b.do(click(`a[href="/console/members"]`), visible(`a[href^="/console/members/"]`), click(`table a[href^="/console/members/"]`), visible(`#balance, main table`))
	b.picture("console-member")
	require.Contains(t, b.text(`main`), "每日签到")
	b.do(chromedp.Navigate(w.URL+"/console/broadcasts"), visible(`a[href^="/console/broadcasts/"]`), click(`table a[href^="/console/broadcasts/1"]`), visible(`a[href^="/console/runs/"]`))
	b.picture("console-broadcast")
	b.do(click(`a[href^="/console/runs/"]`), visible(`main table`))
	b.picture("console-run")
	require.Contains(t, b.text(`main`), "周三会员日")
}
