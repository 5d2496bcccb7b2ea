//go:build browser

package handler_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/apptest/browser"
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

	b := browser.Console(t, w.URL, password)
	b.Do(browser.Visible(`a[href="/console/followers"]`), browser.Click(`a[href="/console/followers"]`), browser.Visible(`#syncs button`), browser.Click(`#syncs button`), browser.Visible(`.sync-done`))
	b.Picture("console-followers")
	require.Contains(t, b.Text(`#syncs`), "3000")
	require.Contains(t, b.Text(`#syncs`), "open.weixin.qq.com")
}
