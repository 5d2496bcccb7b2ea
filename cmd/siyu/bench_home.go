package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app"
	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/config"
	"github.com/siyu-scrm/siyu/handler"
	"github.com/siyu-scrm/siyu/handler/web"
)

// homeWorkers ask at once: a home page is judged by how long one member waits, not by how many can queue.
const homeWorkers = 2

// benchHome: members spread over a large programme open their home page through HTTP. There is no floor: what counts is
// that the time does not grow with the number of members.
func benchHome(ctx context.Context, cfg *config.Config, o benchOptions, out io.Writer) (err error) {
	cfg.Sandbox.Demo = true
	a, err := openBench(ctx, cfg, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	fmt.Fprintf(out, "members  %d, each with an openid, points, a line and a check-in\n", o.recipients)
	first, err := benchMembers(ctx, a, o.recipients)
	if err != nil {
		return err
	}
	if err := benchLives(ctx, a, first, o.recipients); err != nil {
		return err
	}
	h, err := handler.New(a, handler.Options{Version: version})
	if err != nil {
		return err
	}
	base, stop, err := listen(h)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	took := make([]time.Duration, o.requests)
	tokens, client := web.NewTokens(a.Box, a.Clock), benchClient(homeWorkers)
	_, err = load(0, o.requests, homeWorkers, func(i int) error {
		token, _, err := tokens.Issue(first+int64(i)*7919%int64(o.recipients), 0)
		if err != nil {
			return err
		}
		start := clock.Real()
		err = get(client, base+"/api/v1/home", token)
		took[i] = clock.Real().Sub(start)
		return err
	})
	if err != nil {
		return fmt.Errorf("bench home: %w", err)
	}
	slices.Sort(took)
	at := func(share float64) float64 {
		return float64(took[int(share*float64(len(took)-1))].Microseconds()) / 1000
	}
	fmt.Fprintf(out, "bench home db=%s members=%d requests=%d p50=%.2fms p99=%.2fms max=%.2fms rss=%dMiB\n",
		a.DB.Dialect(), o.recipients, o.requests, at(0.5), at(0.99), at(1), peakMiB())
	return nil
}

// benchLives gives each member what a home page reads, in pieces.
func benchLives(ctx context.Context, a *app.App, first int64, n int) error {
	now := a.Clock.Now()
	day := a.Zone.DayOf(now).Add(-1)
	const piece = 20_000
	for from := first; from < first+int64(n); from += piece {
		to := min(from+piece, first+int64(n))
		err := a.DB.BulkTx(ctx, func(_ context.Context, tx *gorm.DB) error {
			for _, q := range []struct {
				sql  string
				args []any
			}{
				{"INSERT INTO identities (member_id, account, open_id, kind, union_id, subscribed, subscribe_scene, session_sealed, created_at) SELECT id, 'mp', no, 'mp', '', ?, '', '', ? FROM members WHERE id >= ? AND id < ?", []any{false, now}},
				{"INSERT INTO balances (member_id, account, seq, available, pending, held, lifetime) SELECT id, 'points', 1, 5, 0, 0, 5 FROM members WHERE id >= ? AND id < ?", nil},
				{"INSERT INTO checkins (member_id, day, streak, at, via) SELECT id, ?, 1, ?, 'api' FROM members WHERE id >= ? AND id < ?", []any{day, now}},
				{"INSERT INTO entries (member_id, account, seq, bucket, delta, balance, lifetime, kind, reason, occurred_at, recorded_at, `key`, hash, seal) SELECT id, 'points', 1, 'available', 5, 5, 5, 'earn', 'rule.checkin.done', ?, ?, no, '', '' FROM members WHERE id >= ? AND id < ?", []any{now, now}},
			} {
				if err := tx.Exec(q.sql, append(q.args, from, to)...).Error; err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// get sends one request and wants 200.
func get(c *http.Client, url, token string) error {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := c.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %d %s", url, res.StatusCode, answer)
	}
	return err
}
