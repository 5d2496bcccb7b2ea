package handler_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/model"
)

func TestDoors(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, path := range []string{"/healthz", "/readyz", "/metrics", "/openapi.json", "/docs", "/console/login", "/sandbox", "/sandbox/api/accounts"} {
		require.Equal(t, http.StatusOK, w.send("GET", path, "", nil).Status, path)
	}
	require.Equal(t, http.StatusNotFound, w.send("GET", "/nowhere", "", nil).Status)
	for _, own := range []string{"siyu_db_transactions_total", `siyu_outbox_rows{state="parked"} 0`, `siyu_inbox_rows{state="failed"} 0`} {
		require.Contains(t, w.send("GET", "/metrics", "", nil).Raw, own)
	}
	require.Contains(t, w.send("GET", "/metrics", "", nil).Raw, `siyu_http_requests_total{method="GET",route="/healthz",status="200"} 1`)
}

// Without its database siyu lives, is not ready, and takes no push: WeChat comes again.
func TestWithoutADatabase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.Person("alice")
	require.NoError(t, w.DB.Close())
	require.Equal(t, http.StatusOK, w.send("GET", "/healthz", "", nil).Status)
	require.Equal(t, http.StatusServiceUnavailable, w.send("GET", "/readyz", "", nil).Status)
	var seen struct {
		Push struct{ Attempts []struct{ Status int } }
	}
	require.NoError(t, w.Call(t.Context(), "POST", "/sandbox/api/users/"+p.ID+"/follow", "", object{"account": "oa"}, &seen))
	require.NotEmpty(t, seen.Push.Attempts)
	for _, a := range seen.Push.Attempts {
		require.Equal(t, http.StatusServiceUnavailable, a.Status)
	}
}

func TestAFailedPushIsReplayed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	now := w.App.Clock.Now()
	row := model.Inbox{
		Account: "oa", Key: "k", Kind: "text", OpenID: "oFailed0000000000000000000001", State: model.InboxFailed, Reply: model.JSON("{}"), LeaseTill: clock.Real(),
		OccurredAt: now, ReceivedAt: now, Error: "a bug",
		Raw: []byte(`<xml><ToUserName>gh</ToUserName><FromUserName>oFailed0000000000000000000001</FromUserName><CreateTime>1795395600</CreateTime>` +
			`<MsgType>text</MsgType><Content>你好</Content><MsgId>1</MsgId></xml>`),
	}
	require.NoError(t, w.DB.Tx(t.Context(), func(_ context.Context, tx *gorm.DB) error { return tx.Create(&row).Error }))
	require.Len(t, w.admin(200, "GET", "/inbox?state=failed", nil).items(), 1)
	require.Equal(t, "done", w.admin(200, "POST", "/inbox/"+str(row.ID)+"/replay", nil).Body["state"])
	require.Equal(t, "inbox.replay", w.admin(200, "GET", "/audits", nil).items()[0]["action"])
	w.refused(w.admin(409, "POST", "/inbox/"+str(row.ID)+"/replay", nil), 409, "CONFLICT")
	w.refused(w.admin(404, "POST", "/inbox/999/replay", nil), 404, "NOT_FOUND")
}
