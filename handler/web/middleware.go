package web

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/errs"
)

// CSP is the policy of all pages: nothing from elsewhere, nothing inline.
const CSP = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// logAccess writes one line per request: the route, never the query, which may hold secrets.
func (s *Server) logAccess(c *gin.Context) {
	start := clock.Real()
	c.Next()
	level := slog.LevelInfo
	switch path := c.FullPath(); {
	case path == "/healthz" || path == "/readyz" || path == "/metrics" || path == "/static/*path":
		level = slog.LevelDebug
	case c.Writer.Status() >= http.StatusInternalServerError:
		level = slog.LevelError
	}
	ctx := c.Request.Context()
	s.log.LogAttrs(ctx, level, "request", slog.String("method", c.Request.Method), slog.String("path", c.Request.URL.Path),
		slog.Int("status", c.Writer.Status()), slog.Int("bytes", max(0, c.Writer.Size())), slog.Duration("took", clock.Real().Sub(start)),
		slog.String("actor", Actor(ctx)), slog.String("ip", c.ClientIP()))
}

// recover turns a panic into a 500 without internals, and logs it with its stack.
func (s *Server) recover(c *gin.Context) {
	defer func() {
		r := recover()
		if r == nil {
			return
		}
		if err, ok := r.(error); ok && errors.Is(err, http.ErrAbortHandler) {
			panic(r)
		}
		ctx := c.Request.Context()
		s.log.ErrorContext(ctx, "panic", "panic", fmt.Sprint(r), "stack", string(debug.Stack()))
		if !c.Writer.Written() {
			Fail(c, errs.New(internal, "web.internal"))
		}
		c.Abort()
	}()
	c.Next()
}

// secure sets the headers of every answer. Pages overrule the policy with CSP.
func (s *Server) secure(c *gin.Context) {
	h := c.Writer.Header()
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Cache-Control", "no-store")
	if wantsPage(c.Request) {
		h.Set("Content-Security-Policy", CSP)
	}
	c.Next()
}

// crossOrigin answers the browsers of allowed origins, on the member API only.
func (s *Server) crossOrigin(c *gin.Context) {
	origin := c.GetHeader("Origin")
	if !strings.HasPrefix(c.Request.URL.Path, "/api/v1/") || origin == "" {
		return
	}
	c.Writer.Header().Add("Vary", "Origin")
	if !slices.Contains(s.opt.AllowedOrigins, origin) {
		return
	}
	c.Header("Access-Control-Allow-Origin", origin)
	c.Header("Access-Control-Expose-Headers", "X-Request-Id, Retry-After")
	if c.Request.Method == http.MethodOptions && c.GetHeader("Access-Control-Request-Method") != "" {
		c.Header("Access-Control-Allow-Methods", "GET, POST, PUT, PATCH, DELETE")
		c.Header("Access-Control-Allow-Headers", "Authorization, Content-Type, Accept-Language, Idempotency-Key, X-Request-Id")
		c.Header("Access-Control-Max-Age", "600")
		c.AbortWithStatus(http.StatusNoContent)
	}
}

// pictureLimit is a picture of WeChat's 10 MiB in base64, with its name.
const pictureLimit = 14 << 20

// tableLimit is a file of a million customers in base64.
const tableLimit = 128 << 20

// boundBody refuses bodies over the limit: at once when announced, else when read. WeChat's pushes have a bound of their own.
func (s *Server) boundBody(c *gin.Context) {
	if strings.HasPrefix(c.Request.URL.Path, "/wechat/") {
		return
	}
	limit, path := s.opt.BodyLimit, c.Request.URL.Path
	switch {
	case path == "/admin/v1/media" || path == "/console/media":
		limit = max(limit, pictureLimit)
	case strings.HasSuffix(path, "/imports"):
		limit = max(limit, tableLimit)
	}
	if c.Request.ContentLength > limit {
		Fail(c, errs.New(errs.TooLarge, "web.too_large", "limit", limit))
		return
	}
	c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, limit)
}

// ConsoleSecurity guards pages with forms: no request from another origin changes anything, and nothing foreign runs on the page.
func ConsoleSecurity() gin.HandlerFunc {
	guard := http.NewCrossOriginProtection()
	return func(c *gin.Context) {
		c.Header("Content-Security-Policy", CSP)
		if err := guard.Check(c.Request); err != nil {
			Fail(c, errs.New(errs.Forbidden, "web.cross_origin"))
		}
	}
}
