//go:build browser

package handler_test

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/apptest"
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

	b := newTab(t)
	row := func(n int, control, value string) chromedp.Action[chromedp.Void] {
		return chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`(() => {
			const c = document.querySelector('[name="fact.%d.%s"]');
			c.value = %q;
			c.dispatchEvent(new Event("input", { bubbles: true }));
		})()`, n, control, value))
	}
	counted := func(n string) chromedp.Action[chromedp.Void] {
		return chromedp.Poll[chromedp.Void](fmt.Sprintf(`document.querySelector("#look [data-look-count]")?.textContent === %q`, n))
	}
	b.do(chromedp.Navigate(w.URL+"/console"), visible(`#password`),
		chromedp.SendKeys(chromedp.CSS(`#login`), "demo"), chromedp.SendKeys(chromedp.CSS(`#password`), password), click(`form button.primary`),
		visible(`a[href="/console/audiences"]`))
	b.do(click(`a[href="/console/audiences"]`), visible(`a[href="/console/audiences/new"]`), click(`a[href="/console/audiences/new"]`), visible(`#name`))
	b.do(row(0, "leaf", "member.joined"), row(0, "member.joined.value", "true"), counted("3"))
	b.do(row(1, "leaf", "tag"), row(1, "tag.tag_id", fmt.Sprint(tagID)), counted("2"))
	require.Contains(t, b.text(`#look`), "小雨")
	require.NotContains(t, b.text(`#look`), "芊芊")
	b.picture("console-audience")
	list, err := w.Audience.List(t.Context(), 0, 10)
	require.NoError(t, err)
	require.Empty(t, list, "typing saves nothing")
	b.do(chromedp.SendKeys(chromedp.CSS(`#name`), "唇膜会员"), click(`form.card button.primary`), visible(`.notice.good`), counted("2"))
	require.Contains(t, b.text(`main`), "唇膜会员")

	b.do(chromedp.Navigate(w.URL+"/console/broadcasts/new"), click(`input[name=shape][value=audience]`), visible(`#audience`))
	require.Contains(t, b.text(`#audience`), "唇膜会员")
	b.picture("console-broadcast-audience")
}
