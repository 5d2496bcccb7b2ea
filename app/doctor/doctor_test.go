package doctor_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/doctor"
	"github.com/siyu-scrm/siyu/app/wechat"
	"github.com/siyu-scrm/siyu/app/wechat/sandbox"
)

type world struct {
	*apptest.World
	d *doctor.Doctor
}

// newWorld has a follower and the phone of a brand in order, but for its menu.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := apptest.New(t)
	_, err := w.Sandbox.FollowersBefore("oa", 3, "")
	require.NoError(t, err)
	return &world{w, &doctor.Doctor{
		WeChat: w.WeChat, Accounts: w.Accounts, Public: w.URL, Sandbox: true, Clock: w.App.Clock,
		HTTP: &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}}
}

// look examines and returns "✓ oa access" → what it says, and how many were wrong. No secret may be in it.
func (w *world) look() (found map[string]string, wrong int) {
	w.T.Helper()
	found = map[string]string{}
	wrong = w.d.Examine(w.T.Context(), func(c doctor.Check) {
		found[fmt.Sprint(c.Level, " ", c.Account, " ", c.Name)] = c.Says
		for _, a := range w.d.Accounts {
			for _, secret := range []string{a.Secret, a.Token, a.EncodingAESKey, "access_token"} {
				require.NotContains(w.T, c.Says, secret)
			}
		}
	})
	return found, wrong
}

func (w *world) errcode(path string, code int) {
	w.T.Helper()
	require.NoError(w.T, w.Call(w.T.Context(), "POST", "/sandbox/api/faults", "",
		map[string]any{"path": path, "kind": "errcode", "errcode": code, "times": -1}, nil))
}

func (w *world) account(c sandbox.AccountChange) {
	w.T.Helper()
	_, err := w.Sandbox.ChangeAccount(c)
	require.NoError(w.T, err)
}

func ptr[T any](v T) *T { return &v }

func TestDoctor(t *testing.T) {
	t.Parallel()
	t.Run("AHealthyBrand", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		found, wrong := w.look()
		require.Zero(t, wrong, found)
		for _, name := range []string{
			"✓ oa access", "✓ oa IP list", "✓ oa callback", "✓ oa followers", "✓ oa kind", "✓ oa Open Platform", "✓ oa quota", "– oa menu",
			"✓ mp access", "✓ mp callback", "✓ mp kind", "✓ mp templates", "✓ mp quota",
		} {
			require.Contains(t, found, name)
		}
		require.Contains(t, found["✓ oa followers"], "3 followers")
		require.Contains(t, found["✓ oa quota"], "message/mass/send 100 of 100")
	})
	t.Run("AServerThatIsNotInTheWhitelist", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.account(sandbox.AccountChange{Account: "oa", IPWhitelist: &[]string{"8.8.8.8"}})
		found, wrong := w.look()
		require.Equal(t, 1, wrong)
		require.Contains(t, found["✗ oa access"], "127.0.0.1 is not in the IP whitelist")
		require.Contains(t, found, "– oa the rest")
		require.Contains(t, found, "✓ mp access", "the other account is looked at")
	})
	t.Run("AWrongSecretOrAppID", func(t *testing.T) {
		t.Parallel()
		for code, says := range map[int]string{
			40125: "SIYU_WECHAT_OA_SECRET", 40001: "SIYU_WECHAT_OA_SECRET", 40013: "does not know the appid", 40243: "frozen", 89503: "administrator",
			45009: "midnight",
		} {
			w := newWorld(t)
			w.errcode("/cgi-bin/stable_token", code)
			found, wrong := w.look()
			require.Equal(t, 2, wrong)
			require.Contains(t, found["✗ oa access"], says)
		}
	})
	t.Run("WeChatOutOfReach", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		c, err := wechat.NewClient(wechat.Options{Accounts: w.d.Accounts, Hosts: map[string]string{"api.weixin.qq.com": "http://127.0.0.1:1"}})
		require.NoError(t, err)
		w.d.WeChat = c
		found, wrong := w.look()
		require.Equal(t, 2, wrong)
		require.Contains(t, found["✗ oa access"], "api.weixin.qq.com")
	})
	t.Run("AnAccountWithoutTheRights", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.errcode("/cgi-bin/user/get", 48001)
		w.errcode("/cgi-bin/qrcode/create", 48001)
		found, wrong := w.look()
		require.Equal(t, 2, wrong)
		require.Contains(t, found["✗ oa followers"], "认证服务号")
		require.Contains(t, found["✗ oa kind"], "verified service account")
		require.Contains(t, found, "– oa Open Platform")
	})
	t.Run("AKindThatIsNotWhatTheSettingsSay", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.account(sandbox.AccountChange{Account: "mp", Kind: ptr(sandbox.KindService)})
		found, _ := w.look()
		require.Contains(t, found["✗ mp kind"], "of the kind that the settings name")
	})
	t.Run("NotBoundToTheOpenPlatform", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.account(sandbox.AccountChange{Account: "oa", Bound: ptr(false)})
		found, wrong := w.look()
		require.Equal(t, 1, wrong)
		require.Contains(t, found["✗ oa Open Platform"], "open.weixin.qq.com")
		w.d.Accounts = w.d.Accounts[:1]
		found, wrong = w.look()
		require.Zero(t, wrong, "without a mini-program nothing is missing")
		require.Contains(t, found, "– oa Open Platform")
	})
	t.Run("AQuotaThatIsUsedUp", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		require.NoError(t, w.Sandbox.SetLimit("oa", "/cgi-bin/user/info/batchget", 1, 0))
		found, wrong := w.look() // its own look uses the last call
		require.Equal(t, 1, wrong)
		require.Contains(t, found["✗ oa quota"], "user/info/batchget")
		require.Contains(t, found["✓ oa quota"], "message/custom/send")
	})
	t.Run("WhatCannotBeLearnedIsSaid", func(t *testing.T) {
		t.Parallel()
		for path, c := range map[string]struct {
			want, says string
			wrong      int
		}{
			"/cgi-bin/user/get":           {"✗ oa followers", "not read", 1},
			"/cgi-bin/qrcode/create":      {"✗ oa kind", "no QR code could be made", 1},
			"/cgi-bin/menu/get":           {"✗ oa menu", "not read", 1},
			"/cgi-bin/user/info/batchget": {"– oa Open Platform", "not learned", 0},
			"/cgi-bin/openapi/quota/get":  {"– oa quota", "not learned", 0},
		} {
			w := newWorld(t)
			w.errcode(path, -1)
			found, wrong := w.look()
			require.Equal(t, c.wrong, wrong, path)
			require.Contains(t, found[c.want], c.says, path)
		}
		w := newWorld(t)
		w.errcode("/cgi-bin/user/get", -1)
		found, _ := w.look()
		require.Contains(t, found["– oa Open Platform"], "without a follower")
		require.Equal(t, "channel codes can be made", found["✓ oa kind"])
		require.Contains(t, found["– mp Open Platform"], "only at a login")
	})
	t.Run("NoTemplatesAndAPublishedMenu", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.errcode("/wxaapi/newtmpl/gettemplate", -1)
		require.NoError(t, w.d.WeChat.CreateMenu(t.Context(), "oa", []byte(`{"button":[{"type":"click","name":"签到","key":"CHECKIN"}]}`)))
		found, wrong := w.look()
		require.Equal(t, 1, wrong)
		require.Contains(t, found, "✗ mp templates")
		require.Contains(t, found, "✓ oa menu")
	})
}

func TestCallback(t *testing.T) {
	t.Parallel()
	at := func(h http.HandlerFunc) func(*world) {
		return func(w *world) {
			s := httptest.NewServer(h)
			w.T.Cleanup(s.Close)
			w.d.Public = s.URL
		}
	}
	for name, c := range map[string]struct {
		set   func(*world)
		level doctor.Level
		says  string
	}{
		"NoPublicAddress":    {func(w *world) { w.d.Public = "" }, doctor.Note, "server.public_url"},
		"NobodyThere":        {func(w *world) { w.d.Public = "http://127.0.0.1:1" }, doctor.Wrong, "cannot be reached"},
		"APortThatIsNotWeb":  {func(w *world) { w.d.Public, w.d.Sandbox = "https://siyu.example.com:8443", false }, doctor.Wrong, "80 and 443"},
		"NoAddress":          {func(w *world) { w.d.Public = "https://si yu.example.com" }, doctor.Wrong, "is no address"},
		"AnotherToken":       {func(w *world) { w.d.Accounts[0].Token = "another" }, doctor.Wrong, "refuses the token"},
		"AnotherName":        {func(w *world) { w.d.Accounts[0].Name = "shop" }, doctor.Wrong, "no account"},
		"ARedirect":          {at(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/login", http.StatusFound) }), doctor.Wrong, "redirects"},
		"ALoginPage":         {at(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>login</html>") }), doctor.Wrong, "not the echo"},
		"WhoBelievesAnybody": {at(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.URL.Query().Get("echostr")) }), doctor.Wrong, "forged"},
		"AProxyThatFails":    {at(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }), doctor.Wrong, "HTTP 502"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.d.Accounts = []wechat.Account{w.d.Accounts[0]}
			c.set(w)
			var all []string
			w.d.Examine(t.Context(), func(c doctor.Check) {
				if c.Name == "callback" {
					all = append(all, fmt.Sprint(c.Level, c.Says))
				}
			})
			require.Len(t, all, 1)
			require.True(t, strings.HasPrefix(all[0], string(c.level)), all[0])
			require.Contains(t, all[0], c.says)
			require.NotContains(t, all[0], "signature=")
		})
	}
}
