// Package handler is the routing table: everything that siyu answers over HTTP.
package handler

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/siyu-scrm/siyu/app"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/report"
	"github.com/siyu-scrm/siyu/app/wechat/sandbox"
	"github.com/siyu-scrm/siyu/handler/admin"
	"github.com/siyu-scrm/siyu/handler/callback"
	"github.com/siyu-scrm/siyu/handler/console"
	"github.com/siyu-scrm/siyu/handler/member"
	"github.com/siyu-scrm/siyu/handler/open"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/templates"
)

// FollowerPath is where a sandbox in another process finds this one's follower.
const FollowerPath = "/sandbox/follower"

// Options is what the doors need beside the app. The zero value serves.
type Options struct {
	Version  string
	Log      *slog.Logger         // nil: the default one
	Metrics  *prometheus.Registry // nil: a new one
	Follower sandbox.Follower     // what follows the clock of a sandbox in another process
}

// New is all of siyu's HTTP: /healthz /readyz /metrics /openapi.json /docs /static, /wechat/{account}, /api/v1, /admin/v1, /open/v1,
// /console and, in sandbox mode, /sandbox.
func New(a *app.App, o Options) (http.Handler, error) {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Metrics == nil {
		o.Metrics = prometheus.NewRegistry()
	}
	if err := o.Metrics.Register(figures{a.DB, report.New(a.DB, a.Clock, a.Zone)}); err != nil {
		return nil, fmt.Errorf("handler: metrics: %w", err)
	}
	web.UseZone(a.Zone)
	templates.UseZone(a.Zone.Location())
	s, err := web.New(web.Options{
		Version: o.Version, Log: o.Log, Metrics: o.Metrics, BodyLimit: a.Config.API.BodyLimit, Proxies: a.Config.Server.Proxies,
		AllowedOrigins: origins(a),
		Ready: func(ctx context.Context) error {
			_, err := db.Revision(a.DB.Reader(ctx), "ready")
			return err
		},
	})
	if err != nil {
		return nil, err
	}
	callback.Routes(s, a.Inbox)
	member.Routes(s, a)
	admin.Routes(s, a)
	open.Routes(s, a)
	console.Mount(s, a)
	simulation(s, a, o.Follower)
	return s, nil
}

// origins are those of browser pages that may call the member API: the phone of a sandbox in another process is one.
func origins(a *app.App) []string {
	all := slices.Clone(a.Config.API.AllowedOrigins)
	if url := a.Config.Sandbox.URL; a.Config.SandboxOn() && url != "" {
		all = append(all, strings.TrimSuffix(url, "/"))
	}
	return all
}

// simulation mounts the sandbox's page and control API, or the follower that a sandbox in another process calls.
func simulation(s *web.Server, a *app.App, f sandbox.Follower) {
	switch sim := a.Simulation; {
	case sim == nil:
	case sim.Embedded != nil:
		control := gin.WrapH(sim.Embedded.ControlHandler())
		s.Engine.Any("/sandbox", control)
		s.Engine.Any("/sandbox/*path", control)
	case f != nil:
		s.Engine.Any(FollowerPath+"/*path", gin.WrapH(sandbox.RemoteHandler(f, sim.Clock())))
	}
}
