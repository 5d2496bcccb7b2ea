package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/clock"
)

// diary is a follower with appointments. It writes down when it was settled with something due.
type diary struct {
	mu    sync.Mutex
	clk   clock.Clock
	dates []time.Time
	kept  []string
	stuck bool
	fail  error
	hook  func(now time.Time)
}

func (d *diary) Due(_ context.Context, after, until time.Time) (time.Time, bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stuck {
		return after, true, nil
	}
	for _, t := range d.dates {
		if t.After(after) && !t.After(until) {
			return t, true, nil
		}
	}
	return time.Time{}, false, nil
}

func (d *diary) Settle(_ context.Context, now time.Time) error {
	if d.hook != nil {
		d.hook(now)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(d.dates) > 0 && !d.dates[0].After(now) {
		d.kept = append(d.kept, fmt.Sprintf("%s at %s", clock.Shanghai.In(d.dates[0]).Format("01-02 15:04"), clock.Shanghai.In(d.clk.Now()).Format("01-02 15:04")))
		d.dates = d.dates[1:]
	}
	return d.fail
}

func TestClock(t *testing.T) {
	t.Parallel()
	t.Run("StopsAtEverythingDueInOrder", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, Options{})
		d := &diary{clk: w.s.Clock(), dates: []time.Time{start, start.Add(time.Hour), start.Add(25 * time.Hour), start.Add(48 * time.Hour)}}
		w.s.Follow(d)
		w.advance(24 * time.Hour)
		require.Equal(t, []string{"11-23 09:00 at 11-23 09:00", "11-23 10:00 at 11-23 10:00"}, d.kept)
		out := w.control(200, "/clock", map[string]any{"now": "2026-11-25T09:00:00+08:00"})
		require.Equal(t, "2026-11-25T09:00:00+08:00", out["now"])
		require.Equal(t, "frozen", out["mode"])
		require.Equal(t, []string{"11-24 10:00 at 11-24 10:00", "11-25 09:00 at 11-25 09:00"}, d.kept[2:])
	})
	t.Run("DoesNotRunBackwards", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, Options{})
		w.control(409, "/clock", map[string]any{"now": "2026-11-23T08:59:59+08:00"})
		w.control(409, "/clock", map[string]any{"advance": "-1s"})
		w.control(400, "/clock", map[string]any{"advance": "tomorrow"})
		w.control(400, "/clock", map[string]any{})
		require.Equal(t, start, w.s.Clock().Now())
	})
	t.Run("TicksWhenAskedAndFreezesWhenSet", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, Options{})
		require.Equal(t, "ticking", w.control(200, "/clock", map[string]any{"tick": true})["mode"])
		require.False(t, w.s.Clock().Frozen())
		require.Equal(t, "frozen", w.control(200, "/clock", map[string]any{"advance": "0s"})["mode"])
	})
	t.Run("NamesWhatDoesNotSettle", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, Options{})
		d := &diary{clk: w.s.Clock(), fail: errors.New("outbox: 3 rows left")}
		unfollow := w.s.Follow(d)
		out := w.control(500, "/clock", map[string]any{"advance": "1h"})["error"].(map[string]any)
		require.Equal(t, "NOT_SETTLED", out["code"])
		require.Contains(t, out["message"], "outbox: 3 rows left")
		unfollow()
		stuck := &diary{clk: w.s.Clock(), stuck: true}
		w.s.Follow(stuck)
		err := w.s.Advance(t.Context(), time.Hour)
		require.ErrorIs(t, err, ErrNotSettled)
		require.ErrorContains(t, err, "stays due")
	})
	t.Run("RequestsGoOnMeanwhile", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, Options{})
		d := &diary{clk: w.s.Clock()}
		d.hook = func(time.Time) { // in the middle of a move
			p := w.s.NewPerson("a", "")
			w.control(200, "/users/"+p.ID+"/follow", map[string]any{"account": "oa"})
			require.Zero(t, w.custom(p))
		}
		w.s.Follow(d)
		w.advance(0)
		require.Len(t, w.s.Receipts(0, 10), 1)
	})
	t.Run("WhatAFollowerSendsIsResolvedInTheSameMove", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, Options{})
		_, err := w.s.Bulk(2, "p", "oa")
		require.NoError(t, err)
		d := &diary{clk: w.s.Clock()}
		sent := false
		d.hook = func(time.Time) {
			if !sent {
				sent = true
				require.Zero(t, errcode(w.massTo([]string{w.s.accounts[0].openid(1), w.s.accounts[0].openid(2)}, "a")))
			}
		}
		w.s.Follow(d)
		w.advance(0)
		require.Equal(t, "MASSSENDJOBFINISH", w.open(w.siyu.got()[0])["Event"])
	})
}

func TestRemote(t *testing.T) {
	t.Parallel()
	w := newWorld(t, Options{})
	r, err := Connect(t.Context(), w.api.URL)
	require.NoError(t, err)
	require.Equal(t, w.s.Accounts(), r.Accounts())
	w.control(200, "/accounts", map[string]any{"account": "oa", "mode": "plain"})
	require.Equal(t, w.s.Accounts(), r.Accounts(), "also as it was changed since")
	require.True(t, r.Clock().Frozen())
	require.Equal(t, start, r.Clock().Now())

	d := &diary{clk: r.Clock(), dates: []time.Time{start.Add(time.Hour)}}
	other := httptest.NewServer(RemoteHandler(d, r.Clock()))
	t.Cleanup(other.Close)
	require.NoError(t, r.Follow(t.Context(), other.URL+"/sandbox/follower"))
	require.NoError(t, r.Follow(t.Context(), other.URL+"/sandbox/follower"))
	require.Len(t, w.s.followed(), 1, "the same address replaces itself")

	w.advance(2 * time.Hour)
	require.Equal(t, []string{"11-23 10:00 at 11-23 10:00"}, d.kept, "the remote clock stood at the hour")
	require.Equal(t, start.Add(2*time.Hour), r.Clock().Now())

	require.NoError(t, w.s.Tick(t.Context()))
	require.False(t, r.Clock().Frozen())
	w.advance(time.Minute)
	require.True(t, r.Clock().Frozen())
	require.Equal(t, w.s.Clock().Now(), r.Clock().Now())

	d.mu.Lock()
	d.fail = errors.New("deliveries: 7 left")
	d.mu.Unlock()
	require.ErrorContains(t, w.s.Advance(t.Context(), 0), "deliveries: 7 left")

	other.Close()
	require.NoError(t, w.s.Advance(t.Context(), time.Hour), "a process that has ended is dropped")
	require.Empty(t, w.s.followed())
	require.Error(t, r.Follow(t.Context(), other.URL))

	require.NoError(t, r.SetCallbackBase(t.Context(), "http://127.0.0.1:1"))
	require.Equal(t, "http://127.0.0.1:1/wechat/oa", w.account("oa").CallbackURL)
}
