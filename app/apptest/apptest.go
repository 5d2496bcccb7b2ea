// Package apptest runs the whole of siyu for a test: an empty database of its own, a sandbox WeChat with a frozen
// clock, and the HTTP doors. For tests only.
package apptest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app"
	"github.com/siyu-scrm/siyu/app/automation"
	"github.com/siyu-scrm/siyu/app/config"
	"github.com/siyu-scrm/siyu/app/db/dbtest"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/wechat/sandbox"
	"github.com/siyu-scrm/siyu/app/wechat/sandbox/phone"
	"github.com/siyu-scrm/siyu/handler"
	"github.com/siyu-scrm/siyu/job"
	"github.com/siyu-scrm/siyu/model"
)

// Start is what the clock of a World says at first: Monday, 09:00 in Shanghai.
var Start = time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC)

// World is a running siyu.
type World struct {
	*app.App
	*phone.Server
	T       testing.TB
	Sandbox *sandbox.Sandbox
	Runner  *automation.Runner
	Handler http.Handler
	Admin   string // token of the admin API
}

// New starts an empty programme: no demo brand, clock frozen at Start. set changes the settings.
func New(t testing.TB, set ...func(*config.Config)) *World {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	place := dbtest.Prepared(t)
	cfg, err := config.Load(os.DevNull, nil, func(c *config.Config) {
		c.DataDir, c.Sandbox.Demo = t.TempDir(), false
		c.Database.Driver, c.Database.DSN = place.Driver, config.Secret(place.DSN+place.Path)
		for _, f := range set {
			f(c)
		}
	})
	require.NoError(t, err)
	a, err := app.Open(ctx, cfg, func(o *sandbox.Options) { o.Dir, o.Start, o.Frozen, o.PushTimeout = "", Start, true, time.Minute })
	require.NoError(t, err)
	a.Inbox.Slow = time.Minute // a loaded machine is no slow siyu
	w := &World{App: a, T: t, Sandbox: a.Simulation.Embedded}
	w.Runner, err = automation.NewRunner(a.DB, a.Clock, a.Zone, a.Owner, job.Schedule(a))
	require.NoError(t, err)
	require.NoError(t, w.Runner.Prepare(ctx))
	h, err := handler.New(a, handler.Options{Version: "test", Follower: w.Runner})
	require.NoError(t, err)
	w.Handler = h
	server := httptest.NewServer(h)
	w.Server = phone.New(server.URL)
	w.Sandbox.Follow(w.Runner)
	w.Sandbox.SetCallbackBase(server.URL)
	key, err := a.Operators.CreateKey(ctx, operator.Caller{Name: "test", Rights: operator.AllRights()}, "test", []string{operator.ScopeAdmin})
	require.NoError(t, err)
	w.Admin = key.Token
	w.Indexed()
	t.Cleanup(func() {
		server.Close()
		w.HTTP.CloseIdleConnections()
		if a.DB.Reader(ctx).Exec("SELECT 1").Error == nil { // else the test closed it
			w.Indexed()
		}
		require.NoError(t, a.Close())
	})
	return w
}

// Person is somebody new with a phone.
func (w *World) Person(name string) *phone.Person {
	w.T.Helper()
	p, err := w.Server.Person(w.T.Context(), name, "")
	require.NoError(w.T, err)
	return p
}

// Member is somebody new who opened the mini-program and registered; it returns his id too.
func (w *World) Member(name string) (*phone.Person, int64) {
	w.T.Helper()
	p := w.Person(name)
	_, err := p.Login(w.T.Context())
	require.NoError(w.T, err)
	var out struct {
		Member struct {
			ID int64 `json:"id,string"`
		} `json:"member"`
	}
	require.NoError(w.T, p.API(w.T.Context(), "POST", "/register", map[string]any{"nickname": name}, &out))
	return p, out.Member.ID
}

// Act does something at the official account and returns the texts that the person saw in answer.
func (w *World) Act(p *phone.Person, what string, in map[string]any) []string {
	w.T.Helper()
	seen, err := p.Act(w.T.Context(), what, in)
	require.NoError(w.T, err)
	texts := make([]string, 0, len(seen.Seen))
	for _, m := range seen.Seen {
		texts = append(texts, m.Content)
	}
	return texts
}

// Advance moves the clock and runs what falls due.
func (w *World) Advance(d time.Duration) {
	w.T.Helper()
	require.NoError(w.T, w.Sandbox.Advance(w.T.Context(), d))
}

// Set moves the clock to an instant, written in Shanghai's time as "2026-11-24 10:00:00".
func (w *World) Set(at string) {
	w.T.Helper()
	t, err := time.ParseInLocation(time.DateTime, at, w.Zone.Location())
	require.NoError(w.T, err)
	require.NoError(w.T, w.Sandbox.SetClock(w.T.Context(), t))
}

// Points is what a member can spend.
func (w *World) Points(memberID int64) int64 {
	w.T.Helper()
	views, err := w.Book.Balances(w.T.Context(), memberID)
	require.NoError(w.T, err)
	for _, v := range views {
		if v.Account == model.AccountPoints {
			return v.Available
		}
	}
	return 0
}

// Verified proves the ledger and the counters of the caps.
func (w *World) Verified() {
	w.T.Helper()
	_, err := w.Verify(w.T.Context(), func(m ledger.Mismatch) { w.T.Errorf("ledger: %v", m) })
	require.NoError(w.T, err)
}

// Indexed proves that the sets of members in memory, which follow the changes that siyu notes, are what stands in the tables.
func (w *World) Indexed() {
	w.T.Helper()
	off, err := w.Audience.Audit(context.WithoutCancel(w.T.Context()))
	require.NoError(w.T, err)
	require.Empty(w.T, off, "rows of members changed without member.ChangedTx")
}

// Run does in the background what falls due, as a serving siyu does, until the test ends. Without it only moves of the
// clock do so.
func (w *World) Run() {
	ctx, stop := context.WithCancel(context.WithoutCancel(w.T.Context()))
	done := make(chan error, 1)
	go func() { done <- w.Runner.Start(ctx) }()
	w.T.Cleanup(func() {
		stop()
		require.NoError(w.T, <-done)
	})
}
