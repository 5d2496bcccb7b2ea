// Package web is what all HTTP handlers share: the engine with its middlewares, one table from errors to statuses, the JSON shape of
// refusals, registration of operations with their OpenAPI description, authentication and the types that JSON needs.
package web

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"sync"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/templates"
)

func init() {
	gin.SetMode(gin.ReleaseMode)
	huma.ValidateStrictCasing = true // "Price" is not "price"
	huma.NewErrorWithContext = newError
	huma.NewError = func(status int, msg string, list ...error) huma.StatusError {
		return newError(nil, status, msg, list...)
	}
}

// Options is what a Server needs.
type Options struct {
	Version        string
	Log            *slog.Logger
	Metrics        *prometheus.Registry
	Ready          func(context.Context) error // nil error: ready to serve
	AllowedOrigins []string                    // of browser pages elsewhere that may call /api/v1
	BodyLimit      int64                       // bytes of a request
	Proxies        []string                    // whose X-Forwarded-For is believed
}

// Server is the engine and the one OpenAPI document of everything registered on it.
type Server struct {
	Engine *gin.Engine // for routes that are no API: the console, callbacks, the sandbox
	huma   huma.API
	opt    Options
	log    *slog.Logger
}

// New makes a Server with the routes that every siyu has: /healthz /readyz /metrics /openapi.json /docs /static.
func New(o Options) (*Server, error) {
	s := &Server{Engine: gin.New(), opt: o, log: slog.New(LogHandler(o.Log.Handler()))}
	if err := s.Engine.SetTrustedProxies(o.Proxies); err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	s.Engine.HandleMethodNotAllowed = true
	s.Engine.RedirectTrailingSlash = false
	m, err := newMetrics(o.Metrics)
	if err != nil {
		return nil, err
	}
	s.Engine.Use(s.begin, m.measure, s.logAccess, s.recover, s.secure, s.crossOrigin, s.boundBody)
	s.Engine.NoRoute(func(c *gin.Context) { Fail(c, errs.New(errs.NotFound, "web.not_found")) })
	s.Engine.NoMethod(func(c *gin.Context) {
		Fail(c, &refusal{errs.New(errs.Invalid, "web.method"), http.StatusMethodNotAllowed})
	})
	s.huma = humagin.New(s.Engine, document(o.Version))
	s.system()
	return s, nil
}

// ServeHTTP serves.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.Engine.ServeHTTP(w, r) }

func (s *Server) system() {
	s.Engine.GET("/healthz", func(c *gin.Context) { c.JSON(http.StatusOK, gin.H{"status": "ok"}) })
	s.Engine.GET("/readyz", func(c *gin.Context) {
		if err := s.opt.Ready(c.Request.Context()); err != nil {
			s.log.WarnContext(c.Request.Context(), "not ready", "error", err)
			Fail(c, errs.New(errs.Unavailable, "web.unavailable"))
			return
		}
		c.JSON(http.StatusOK, gin.H{"status": "ok"})
	})
	s.Engine.GET("/metrics", gin.WrapH(promhttp.HandlerFor(s.opt.Metrics, promhttp.HandlerOpts{})))
	spec := sync.OnceValues(func() ([]byte, error) { return json.Marshal(s.huma.OpenAPI()) })
	s.Engine.GET("/openapi.json", func(c *gin.Context) {
		b, err := spec()
		if err != nil {
			Fail(c, err)
			return
		}
		c.Data(http.StatusOK, "application/json", b)
	})
	s.Engine.GET("/docs", func(c *gin.Context) {
		c.Header("Content-Security-Policy", CSP)
		Page(c, http.StatusOK, "docs", nil)
	})
	files := http.StripPrefix("/static/", http.FileServerFS(templates.Static()))
	s.Engine.GET("/static/*path", func(c *gin.Context) {
		c.Header("Cache-Control", "public, max-age=300")
		files.ServeHTTP(c.Writer, c.Request)
	})
}

// Page answers with a page of templates in the caller's language.
func Page(c *gin.Context, status int, name string, data any) {
	c.Header("Content-Type", "text/html; charset=utf-8")
	c.Status(status)
	if err := templates.Page(c.Writer, name, Lang(c.Request.Context()), data); err != nil && !c.Writer.Written() {
		panic(err) // the recovering middleware answers; once something is written, the reader has left
	}
}
