//go:build browser

package handler_test

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/apptest/browser"
	"github.com/siyu-scrm/siyu/app/config"
)

// TestBrowserAudience is an operator who builds an audience: it is counted while he types, nothing is sent before he saves, and what he
// saved can be chosen for a broadcast.
func TestBrowserAudience(t *testing.T) {
	t.Parallel()
	w := apptest.New(t, func(c *config.Config) { c.Sandbox.Demo = true })
	w.Run()
	password, err := w.Operators.EnsureDemo(t.Context())
	require.NoError(t, err)
	tagID := w.Tag("preference", "唇膜")
	for i, name := range []string{"小雨", "阿杰", "芊芊"} {
		_, id := w.Member(name)
		if i < 2 {
			require.NoError(t, w.Tags.SetManual(t.Context(), id, tagID, 1, true, ""))
		}
	}

	b := browser.Console(t, w.URL, password)
	row := func(n int, control, value string) browser.Step {
		return chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`(() => {
			const c = document.querySelector('[name="fact.%d.%s"]');
			c.value = %q;
			c.dispatchEvent(new Event("input", { bubbles: true }));
		})()`, n, control, value))
	}
	counted := func(n string) browser.Step {
		return chromedp.Poll[chromedp.Void](fmt.Sprintf(`document.querySelector("#look [data-look-count]")?.textContent === %q`, n))
	}
	b.Do(browser.Visible(`a[href="/console/audiences"]`))
	b.Do(browser.Click(`a[href="/console/audiences"]`), browser.Visible(`a[href="/console/audiences/new"]`), browser.Click(`a[href="/console/audiences/new"]`), browser.Visible(`#name`))
	b.Do(row(0, "leaf", "member.joined"), row(0, "member.joined.value", "true"), counted("3"))
	b.Do(row(1, "leaf", "tag"), row(1, "tag.tag_id", fmt.Sprint(tagID)), counted("2"))
	require.Contains(t, b.Text(`#look`), "小雨")
	require.NotContains(t, b.Text(`#look`), "芊芊")
	b.Picture("console-audience")
	list, err := w.Audience.List(t.Context(), 0, 10)
	require.NoError(t, err)
	require.Empty(t, list, "typing saves nothing")
	b.Do(chromedp.SendKeys(chromedp.CSS(`#name`), "唇膜会员"), browser.Click(`form.card button.primary`), browser.Visible(`.notice.good`), counted("2"))
	require.Contains(t, b.Text(`main`), "唇膜会员")

	b.Do(chromedp.Navigate(w.URL+"/console/broadcasts/new"), browser.Click(`input[name=shape][value=audience]`), browser.Visible(`#audience`))
	require.Contains(t, b.Text(`#audience`), "唇膜会员")
	b.Picture("console-broadcast-audience")
}
