//go:build browser

package handler_test

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/apptest/browser"
	"github.com/siyu-scrm/siyu/app/config"
)

// TestBrowserFiveSteps is a newcomer on the phone: he does what the page offers next, and the five steps are ticked.
func TestBrowserFiveSteps(t *testing.T) {
	t.Parallel()
	w := apptest.New(t, func(c *config.Config) { c.Sandbox.Demo = true })
	w.Run()
	b := browser.Open(t)
	next, done := browser.Click(`#steps li.next button`), func(n string) browser.Step { return browser.Visible(`#steps li:nth-child(` + n + `).done`) }
	b.Do(chromedp.Navigate(w.URL+"/sandbox"), next, done("1"))
	b.Do(next, browser.Visible(`#register`), browser.Click(`#register`), done("2"))
	b.Do(next, done("3"))
	b.Picture("phone-chat")
	require.Contains(t, b.Text(`#chat`), "签到成功 +5")
	b.Do(browser.Click(`[data-tab=mini]`), done("4"), browser.Visible(`#entries li:nth-child(2)`))
	b.Picture("phone-mini")
	b.Do(next, done("5"))
	b.Picture("phone-done")
	require.Contains(t, b.Text(`#outcome`), "周三会员日")
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

	b := browser.Console(t, w.URL, password)
	b.Do(browser.Visible(`a[href="/console/members"]`))
	b.Picture("console-board")
	b.Do(browser.Click(`a[href="/console/members"]`), browser.Visible(`a[href^="/console/members/"]`), browser.Click(`table a[href^="/console/members/"]`), browser.Visible(`#balance, main table`))
	b.Picture("console-member")
	require.Contains(t, b.Text(`main`), "每日签到")
	b.Do(chromedp.Navigate(w.URL+"/console/broadcasts"), browser.Visible(`a[href^="/console/broadcasts/"]`), browser.Click(`table a[href^="/console/broadcasts/1"]`), browser.Visible(`a[href^="/console/runs/"]`))
	b.Picture("console-broadcast")
	b.Do(browser.Click(`a[href^="/console/runs/"]`), browser.Visible(`main table`))
	b.Picture("console-run")
	require.Contains(t, b.Text(`main`), "周三会员日")
}
