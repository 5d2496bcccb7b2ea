package web

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/templates"
)

// Problem is the body of every refusal.
type Problem struct {
	status int
	Body   ProblemBody `json:"error"`
}

// ProblemBody says what happened, how to say it, and the facts.
type ProblemBody struct {
	Code      string         `json:"code" example:"INVALID" doc:"Stable machine code"`
	Message   string         `json:"message" doc:"A sentence fit to show, in the caller's language"`
	Details   map[string]any `json:"details" doc:"The facts that the caller needs next, by code: field, opens_at, short_by, limit, …"`
	RequestID string         `json:"request_id" doc:"To be quoted when asking for help"`
}

// FieldProblem is one wrong field of the input; details.fields lists them all.
type FieldProblem struct {
	Field   string `json:"field"`
	Message string `json:"message"`
	Reason  string `json:"reason"` // for developers, in English
}

// Error is for logs.
func (p *Problem) Error() string { return p.Body.Code + " " + p.Body.Message }

// GetStatus is the HTTP status.
func (p *Problem) GetStatus() int { return p.status }

// refusal is an error with a status of its own.
type refusal struct {
	err    *errs.Error
	status int
}

func (r *refusal) Error() string { return r.err.Error() }
func (r *refusal) Unwrap() error { return r.err }

// problemOf turns an error into the body of its answer. What has no code is logged here, once, and not shown.
func problemOf(ctx context.Context, err error) *Problem {
	var e *errs.Error
	status := Status(err)
	switch {
	case errors.As(err, &e):
		if status >= http.StatusInternalServerError {
			logOf(ctx).WarnContext(ctx, "refused", "error", err)
		}
	case ctx.Err() != nil: // the caller has gone, or his time is over
		e, status = errs.New(errs.Unavailable, "web.unavailable"), http.StatusServiceUnavailable
		logOf(ctx).InfoContext(ctx, "given up", "error", err)
	default:
		e = errs.New(internal, "web.internal")
		logOf(ctx).ErrorContext(ctx, "failed", "error", err)
	}
	var own *refusal
	if errors.As(err, &own) {
		status = own.status
	}
	return &Problem{status: status, Body: ProblemBody{
		Code: string(e.Code), Message: templates.T(Lang(ctx), e.Key, e.Args), Details: details(e.Args), RequestID: RequestID(ctx),
	}}
}

// Why is the refusal that a try would meet.
type Why struct {
	Code    string         `json:"code" example:"THRESHOLD_NOT_MET"`
	Message string         `json:"message" doc:"A sentence fit to show, in the caller's language"`
	Details map[string]any `json:"details" doc:"The facts: short_by (of money in fen), opens_at, limit, next_tier …"`
}

// WhyOf shows a refusal that is no answer; nil stays nil.
func WhyOf(ctx context.Context, e *errs.Error) *Why {
	if e == nil {
		return nil
	}
	return &Why{Code: string(e.Code), Message: templates.T(Lang(ctx), e.Key, e.Args), Details: details(e.Args)}
}

func details(args map[string]any) map[string]any {
	shown := make(map[string]any, len(args))
	for k, v := range args {
		if t, ok := v.(time.Time); ok {
			v = At(t)
		}
		shown[k] = v
	}
	return shown
}

// headers are those that belong to a refusal.
func (p *Problem) headers(set func(name, value string)) {
	switch p.status {
	case http.StatusUnauthorized:
		set("WWW-Authenticate", "Bearer")
	case http.StatusTooManyRequests:
		if after, ok := p.Body.Details["retry_after"].(int); ok {
			set("Retry-After", strconv.Itoa(after))
		}
	}
}

// Fail answers with the error: a page to a browser that opens one, JSON to all others.
func Fail(c *gin.Context, err error) {
	p := problemOf(c.Request.Context(), err)
	p.headers(c.Header)
	if wantsPage(c.Request) {
		Page(c, p.status, "error", map[string]any{"Status": p.status, "Message": p.Body.Message, "RequestID": p.Body.RequestID})
	} else {
		c.JSON(p.status, p)
	}
	c.Abort()
}

func wantsPage(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "text/html") && !isAPI(r.URL.Path) && !strings.HasPrefix(r.URL.Path, "/wechat/")
}

func isAPI(path string) bool {
	for _, prefix := range []string{"/api/", "/admin/", "/open/"} {
		if strings.HasPrefix(path, prefix) {
			return true
		}
	}
	return false
}

// newError takes the place of huma's: its own refusals and the errors of handlers come out in one shape.
func newError(hc huma.Context, status int, msg string, list ...error) huma.StatusError {
	if hc == nil { // only when the schema of errors is made
		return &Problem{status: status}
	}
	p := problemOf(hc.Context(), ofHuma(hc.Context(), status, msg, list))
	p.headers(hc.SetHeader)
	return p
}

func ofHuma(ctx context.Context, status int, msg string, list []error) error {
	var detail *huma.ErrorDetail
	switch {
	case len(list) > 0 && !errors.As(list[0], &detail):
		return list[0] // what the handler returned
	case status == http.StatusUnsupportedMediaType:
		return &refusal{errs.New(errs.Malformed, "web.content_type"), status}
	case status == http.StatusBadRequest:
		return errs.New(errs.Malformed, "web.malformed")
	case detail != nil:
		return invalid(ctx, list)
	}
	return errors.New("web: huma answered " + strconv.Itoa(status) + ": " + msg)
}

// invalid names every wrong field; the first one makes the sentence.
func invalid(ctx context.Context, list []error) error {
	fields := make([]FieldProblem, 0, len(list))
	first := ""
	for _, err := range list {
		var d *huma.ErrorDetail
		if !errors.As(err, &d) {
			continue
		}
		name, key := fieldOf(d)
		if first == "" {
			first = key
		}
		fields = append(fields, FieldProblem{Field: name, Message: templates.T(Lang(ctx), key, map[string]any{"field": name}), Reason: d.Message})
	}
	e := errs.New(errs.Invalid, first, "field", fields[0].Field, "fields", fields)
	return e
}

// fieldOf reads huma's location ("body.items[3].n", "query.limit") and message.
func fieldOf(d *huma.ErrorDetail) (name, key string) {
	place, name, _ := strings.Cut(d.Location, ".")
	if rest, ok := strings.CutPrefix(place, "body"); ok && rest != "" { // body[3].n: the body is an array
		name = strings.TrimSuffix(rest+"."+name, ".")
	}
	if missing, ok := strings.CutPrefix(d.Message, "expected required property "); ok {
		missing = strings.TrimSuffix(missing, " to be present")
		if name != "" {
			missing = name + "." + missing
		}
		return missing, "web.required"
	}
	if _, at, ok := strings.Cut(d.Message, "Go struct field "); ok { // a number beyond its type: Body.definition.amount of type int64
		_, name, _ = strings.Cut(at, ".")
		name, _, _ = strings.Cut(name, " ")
		return name, "web.invalid"
	}
	if name == "" {
		name = "body"
	}
	switch d.Message {
	case "unexpected property", "unknown query parameter":
		return name, "web.unknown_field"
	case "expected boolean", "expected number", "expected integer", "expected string", "expected array", "expected object", "invalid integer", "invalid boolean", "invalid float":
		return name, "web.wrong_type"
	}
	if strings.HasPrefix(d.Message, "required ") {
		return name, "web.required"
	}
	return name, "web.invalid"
}

func logOf(ctx context.Context) *slog.Logger {
	if r := requestOf(ctx); r.log != nil {
		return r.log
	}
	return slog.Default()
}
