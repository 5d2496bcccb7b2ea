//go:build browser

package handler_test

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/wechat/sandbox"
)

// TestBrowserFollowers is an operator who takes over the followers from before, and sees how far it is without asking again.
func TestBrowserFollowers(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	w.Run()
	_, err := w.Sandbox.FollowersBefore("oa", 3000, "")
	require.NoError(t, err)
	no := false
	_, err = w.Sandbox.ChangeAccount(sandbox.AccountChange{Account: "oa", Bound: &no})
	require.NoError(t, err)
	password, err := w.Operators.EnsureDemo(t.Context())
	require.NoError(t, err)

	b := newTab(t)
	b.do(chromedp.Navigate(w.URL+"/console"), visible(`#password`),
		chromedp.SendKeys(chromedp.CSS(`#login`), "demo"), chromedp.SendKeys(chromedp.CSS(`#password`), password), click(`form button.primary`),
		visible(`a[href="/console/followers"]`), click(`a[href="/console/followers"]`), visible(`#syncs button`), click(`#syncs button`), visible(`.sync-done`))
	b.picture("console-followers")
	require.Contains(t, b.text(`#syncs`), "3000")
	require.Contains(t, b.text(`#syncs`), "open.weixin.qq.com")
}
