package web

import (
	"context"
	"crypto/rand"
	"log/slog"
	"regexp"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/templates"
)

// request is what the handlers of one request know of it. The access log reads the caller after them.
type request struct {
	id, lang string
	caller   operator.Caller // Name "member:7", "key:5", "operator:2"; "" while nobody is known. Members have no rights
	member   int64
	log      *slog.Logger
}

type requestKey struct{}

var nobody = &request{lang: templates.Chinese}

func requestOf(ctx context.Context) *request {
	if r, ok := ctx.Value(requestKey{}).(*request); ok {
		return r
	}
	return nobody
}

// RequestID is the id of the request, as in X-Request-Id of the answer; "" outside a request.
func RequestID(ctx context.Context) string { return requestOf(ctx).id }

// Lang is the caller's language, by Accept-Language.
func Lang(ctx context.Context) string { return requestOf(ctx).lang }

// Actor is who calls: "member:7", "key:5" or "operator:2"; "anonymous" before a login.
func Actor(ctx context.Context) string {
	if name := requestOf(ctx).caller.Name; name != "" {
		return name
	}
	return "anonymous"
}

// MemberID is the signed-in member; 0 on routes that need none.
func MemberID(ctx context.Context) int64 { return requestOf(ctx).member }

// Caller is who calls, with his rights.
func Caller(ctx context.Context) operator.Caller { return requestOf(ctx).caller }

// SetCaller says who calls. The console's login uses it; the APIs have done it already.
func SetCaller(ctx context.Context, c operator.Caller) {
	if r := requestOf(ctx); r != nobody {
		r.caller = c
	}
}

// Allow refuses a caller without the right with errs.Forbidden, naming it.
func Allow(ctx context.Context, r operator.Right) error {
	if Caller(ctx).May(r) {
		return nil
	}
	return errs.New(errs.Forbidden, "web.forbidden", "right", string(r))
}

// SetLang overrules Accept-Language: the console lets the user choose.
func SetLang(ctx context.Context, lang string) {
	if r := requestOf(ctx); r != nobody {
		r.lang = templates.Lang(lang)
	}
}

var saneID = regexp.MustCompile(`^[A-Za-z0-9._-]{8,64}$`)

// begin gives the request its id and language.
func (s *Server) begin(c *gin.Context) {
	id := c.GetHeader("X-Request-Id")
	if !saneID.MatchString(id) {
		id = rand.Text()
	}
	r := &request{id: id, lang: templates.Lang(c.GetHeader("Accept-Language")), log: s.log}
	c.Request = c.Request.WithContext(context.WithValue(c.Request.Context(), requestKey{}, r))
	c.Header("X-Request-Id", id)
	c.Next()
}

// LogHandler adds the request id to every line that is logged with the ctx of a request.
func LogHandler(next slog.Handler) slog.Handler {
	if _, ok := next.(logHandler); ok {
		return next
	}
	return logHandler{next}
}

type logHandler struct{ slog.Handler }

// Handle implements slog.Handler.
func (h logHandler) Handle(ctx context.Context, r slog.Record) error {
	if id := RequestID(ctx); id != "" {
		r.AddAttrs(slog.String("request_id", id))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h logHandler) WithAttrs(a []slog.Attr) slog.Handler { return logHandler{h.Handler.WithAttrs(a)} }

// WithGroup implements slog.Handler.
func (h logHandler) WithGroup(name string) slog.Handler { return logHandler{h.Handler.WithGroup(name)} }
