package handler_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/wechat"
)

// What WeChat sends is proved by app/inbox and the sandbox; here: what the door answers.
func TestCallback(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.Person("alice")
	var seen struct{ Push struct{ Status string } }
	require.NoError(t, w.Call(t.Context(), "POST", "/sandbox/api/users/"+p.ID+"/follow", "", object{"account": "oa"}, &seen))
	require.Equal(t, "ok", seen.Push.Status)
	before := len(w.admin(200, "GET", "/inbox", nil).items())
	require.Equal(t, 1, before)

	signed := "?signature=00&timestamp=1795395600&nonce=1"
	for name, c := range map[string]struct {
		method, path, body string
		status             int
	}{
		"Forged":         {"POST", "/wechat/oa" + signed, "<xml></xml>", 401},
		"Unsigned":       {"POST", "/wechat/oa", "<xml></xml>", 401},
		"Empty":          {"POST", "/wechat/oa" + signed, "", 0},
		"UnknownAccount": {"POST", "/wechat/none" + signed, "<xml></xml>", 404},
		"Oversized":      {"POST", "/wechat/oa" + signed, strings.Repeat("x", 300<<10), 413},
		"EchoForged":     {"GET", "/wechat/oa" + signed + "&echostr=hello", "", 401},
		"EchoUnknown":    {"GET", "/wechat/none" + signed + "&echostr=hello", "", 404},
	} {
		a := w.send(c.method, c.path, "", c.body, "Content-Type", "text/xml")
		if c.status == 0 {
			require.GreaterOrEqual(t, a.Status, 400, name)
			require.Less(t, a.Status, 500, name)
		} else {
			require.Equal(t, c.status, a.Status, "%s: %s", name, a.Raw)
		}
		require.Less(t, len(a.Raw), 40, "%s tells a stranger nothing: %s", name, a.Raw)
	}
	require.Len(t, w.admin(200, "GET", "/inbox", nil).items(), before, "nothing was stored")

	acc, ok := w.Account("oa")
	require.True(t, ok)
	echo := w.send("GET", "/wechat/oa?timestamp=1795395600&nonce=1&echostr=hello&signature="+wechat.Signature(acc.Token, "1795395600", "1"), "", nil)
	require.Equal(t, 200, echo.Status)
	require.Equal(t, "hello", echo.Raw)
}
