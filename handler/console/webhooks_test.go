package console_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/config"
)

func TestWebhooks(t *testing.T) {
	t.Parallel()
	w, b := signedIn(t, func(c *config.Config) { c.Webhook.Allow = []string{"127.0.0.1"} })
	shop := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	t.Cleanup(shop.Close)
	b.page("/console/webhooks")
	b.page("/console/webhooks/new")
	require.Contains(t, b.refused("/console/webhooks/new", "url", "https://10.0.0.1/", "kinds", "checkin.done"), "非公网地址")
	form := []string{"_key", "once", "url", shop.URL, "kinds", "checkin.done", "kinds", "behavior.*", "kinds", "alert.raised"}
	made := b.post("/console/webhooks/new", form...)
	require.Equal(t, http.StatusOK, made.StatusCode, made.body)
	secret := secretOnce.FindStringSubmatch(made.body)[1]
	require.Equal(t, secret, secretOnce.FindStringSubmatch(b.post("/console/webhooks/new", form...).body)[1], "a reload makes nothing new")
	page := b.page("/console/webhooks/1")
	require.NotContains(t, page, secret)
	require.Regexp(t, `value="checkin.done" checked`, page)
	require.Regexp(t, `value="alert.raised" checked`, page)
	require.NotEqual(t, secret, secretOnce.FindStringSubmatch(b.post("/console/webhooks/1/secret").body)[1])

	require.NoError(t, w.Behave(w.Joined("alice"), "talk", "1", w.Now()))
	w.Settle()
	require.Contains(t, b.page("/console/webhooks/1?state=pending"), "HTTP 418")
	require.Contains(t, b.page("/console/webhook-deliveries/1"), `"behavior.talk"`)
	b.refused("/console/webhook-deliveries/1/replay")
	b.refused("/console/webhooks/1/replay", "from", "2026-11-23T00:00")
	b.done("/console/webhooks/1/replay", "from", "2026-11-23T00:00", "to", "2026-11-24T00:00", "all", "on")
	b.done("/console/webhooks/1", "url", shop.URL, "off", "on")
	require.Contains(t, b.page("/console/webhooks"), "人工停用")
	b.refused("/console/webhooks/1/replay", "from", "2026-11-23T00:00", "to", "2026-11-24T00:00")
	require.Equal(t, "/console/webhooks?done=deleted", b.done("/console/webhooks/1/delete"))
	require.Equal(t, http.StatusNotFound, b.get("/console/webhooks/1").StatusCode)
	require.Contains(t, b.page("/console/audit?action=webhook"), "webhook.rotate")
	require.NotContains(t, b.page("/console/audit?action=webhook"), secret)
}
