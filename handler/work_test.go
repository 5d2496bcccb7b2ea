package handler_test

import (
	"context"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/model"
)

// works runs a draft over the past to its end, ends another before it, and lets a third that failed go on.
func (w *world) works() {
	w.t.Helper()
	w.Advance(time.Minute) // what happened just now is past
	start := func() string {
		body := object{"draft": rule("double", 10), "days": 30, "fen_per_point": 2}
		made := w.admin(201, "POST", "/rules/backtest", body).Body
		require.Equal(w.t, "running", made["state"])
		id, _ := made["id"].(string)
		return id
	}
	done, cancelled, failed := start(), start(), start()
	require.Equal(w.t, "cancelled", w.admin(200, "POST", "/works/"+cancelled+"/cancel", nil).Body["state"])
	w.refused(w.admin(409, "POST", "/works/"+cancelled+"/cancel", nil), 409, "CONFLICT")
	w.Tx(func(_ context.Context, tx *gorm.DB) error { // as five failures in a row leave it
		return tx.Model(&model.Work{}).Where("id = ?", failed).Updates(map[string]any{"state": model.WorkFailed, "failures": 5, "error": "x"}).Error
	})
	w.Advance(0)

	for _, j := range w.admin(200, "GET", "/jobs", nil).items() {
		if j["name"] == "works" {
			require.Equal(w.t, []any{"继续长任务", "", "done", ""}, []any{j["does"], j["cron"], j["state"], j["error"]})
		}
	}
	ended := w.admin(200, "GET", "/works/"+done, nil).Body
	require.Equal(w.t, "done", ended["state"])
	result := ended["result"].(object)
	require.Equal(w.t, []any{1.0, 10.0, 20.0}, []any{result["members"], result["amount"], result["cost_fen"]}, "one check-in by one member")
	require.Equal(w.t, "failed", w.admin(200, "GET", "/works/"+failed, nil).Body["state"], "it waits to be started again")
	w.refused(w.admin(409, "POST", "/works/"+done+"/retry", nil), 409, "CONFLICT")
	require.Equal(w.t, "running", w.admin(200, "POST", "/works/"+failed+"/retry", nil).Body["state"])
	w.Advance(0)
	again := w.admin(200, "GET", "/works/"+failed, nil).Body
	require.Equal(w.t, "done", again["state"])
	require.Equal(w.t, ended["result"], again["result"])

	page := w.admin(200, "GET", "/works?kind=reward.backtest&limit=2", nil)
	require.Equal(w.t, failed, page.items()[0]["id"], "newest first")
	next, _ := page.Body["next_cursor"].(string)
	rest := w.admin(200, "GET", "/works?kind=reward.backtest&limit=2&cursor="+next, nil).items()
	require.Len(w.t, rest, 1)
	require.Equal(w.t, done, rest[0]["id"])
	w.refused(w.admin(404, "GET", "/works/999", nil), 404, "NOT_FOUND")
}
