package web

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humagin"
	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/operator"
)

// API registers operations under one prefix, with one tag and one kind of credential. All share one OpenAPI document.
type API struct {
	server *Server
	prefix string
	tag    string
	auth   Auth
}

// API opens a part of the document: prefix "/api/v1", tag "member", what the tag is about, and who may call.
func (s *Server) API(prefix, tag, about string, auth Auth) *API {
	doc := s.huma.OpenAPI()
	doc.Tags = append(doc.Tags, &huma.Tag{Name: tag, Description: about})
	if auth.Scheme != "" {
		doc.Components.SecuritySchemes[auth.Scheme] = &huma.SecurityScheme{Type: "http", Scheme: "bearer", Description: auth.About}
	}
	return &API{server: s, prefix: prefix, tag: tag, auth: auth}
}

// Public as the Security of an operation lets it be called without a credential.
var Public = []map[string][]string{}

// Optional is the Security of an operation that knows the caller if he gives a credential of the scheme, and serves him else too.
func Optional(scheme string) []map[string][]string { return []map[string][]string{{}, {scheme: {}}} }

// Out is an answer with a body.
type Out[T any] struct{ Body T }

// None is the input of an operation that takes nothing, and the output of one that answers nothing.
type None struct{}

// Read registers an operation that changes nothing. op.Path is below the prefix; op.OperationID, Tags and Security are filled in.
// fn may return an errs.Error as it is.
func Read[I, O any](a *API, op huma.Operation, fn func(context.Context, *I) (*O, error)) {
	huma.Register(a.server.huma, a.complete(op), fn)
}

// Write registers an operation that changes something. It takes the header Idempotency-Key, which reaches db.Do in the ctx;
// a use case that writes with db.Tx instead does not repeat its answer.
func Write[I, O any](a *API, op huma.Operation, fn func(context.Context, *I) (*O, error)) {
	op = a.complete(op)
	most, least := keyLimit, 1
	op.Parameters = append(op.Parameters, &huma.Param{
		Name: keyHeader, In: "header", Example: "",
		Description: "A value that you make once per action and repeat when you retry: the repeat gets the first answer.",
		Schema:      &huma.Schema{Type: huma.TypeString, MinLength: &least, MaxLength: &most},
	})
	op.Middlewares = append(op.Middlewares, a.idempotent)
	huma.Register(a.server.huma, op, fn)
}

func (a *API) complete(op huma.Operation) huma.Operation {
	op.Path = a.prefix + op.Path
	if op.OperationID == "" {
		op.OperationID = strings.Trim(notWord.ReplaceAllString(strings.ToLower(op.Method)+op.Path, "-"), "-")
	}
	op.Tags = []string{a.tag}
	op.MaxBodyBytes = -1    // bounded by the engine
	op.BodyReadTimeout = -1 // bounded by readBody
	if op.Security == nil && a.auth.Scheme != "" {
		op.Security = []map[string][]string{{a.auth.Scheme: {}}}
	}
	if _, ok := rightOf(&op); !ok && a.auth.Scheme == keyScheme {
		panic("web: " + op.Method + " " + op.Path + " does not say which right it needs")
	}
	op.Middlewares = slices.Concat(huma.Middlewares{a.authenticate, a.readBody}, op.Middlewares)
	return op
}

// rightOf is the right that an operation asks for.
func rightOf(op *huma.Operation) (r operator.Right, ok bool) {
	if len(op.Security) != 1 || len(op.Security[0][keyScheme]) != 1 {
		return "", false
	}
	return operator.Right(op.Security[0][keyScheme][0]), true
}

var notWord = regexp.MustCompile(`[^a-z0-9]+`)

// authenticate knows the caller before anything of his input is looked at.
func (a *API) authenticate(hc huma.Context, next func(huma.Context)) {
	if a.auth.Check == nil || len(hc.Operation().Security) == 0 {
		next(hc)
		return
	}
	if hc.Header("Authorization") == "" && len(hc.Operation().Security[0]) == 0 {
		next(hc)
		return
	}
	scheme, token, _ := strings.Cut(hc.Header("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		a.fail(hc, errs.New(errs.Unauthorized, "web.unauthorized"))
		return
	}
	if err := a.auth.Check(hc.Context(), strings.TrimSpace(token)); err != nil {
		a.fail(hc, err)
		return
	}
	if right, ok := rightOf(hc.Operation()); ok {
		if err := Allow(hc.Context(), right); err != nil {
			a.fail(hc, err)
			return
		}
	}
	next(hc)
}

func (a *API) fail(hc huma.Context, err error) {
	_ = huma.WriteErr(a.server.huma, hc, http.StatusInternalServerError, "", err) // the caller has gone: nobody to tell
}

const bodyTime = 10 * time.Second

// readBody reads the body once, bounded in size and time. An empty one is {}, so that missing fields are named; a body that the
// operation does not read is refused.
func (a *API) readBody(hc huma.Context, next func(huma.Context)) {
	c := humagin.Unwrap(hc)
	body, err := readAll(c)
	if err == nil && hc.Operation().RequestBody == nil {
		err = nothingIn(body)
	}
	if err != nil {
		a.fail(hc, err)
		return
	}
	if len(body) == 0 && hc.Operation().RequestBody != nil {
		body = []byte("{}")
	}
	c.Request.Body = io.NopCloser(bytes.NewReader(body))
	next(hc)
}

func readAll(c *gin.Context) ([]byte, error) {
	if c.Request.Body == nil || c.Request.ContentLength == 0 {
		return nil, nil
	}
	control := http.NewResponseController(c.Writer)
	_ = control.SetReadDeadline(clock.Real().Add(bodyTime)) // a recorder in tests has none
	body, err := io.ReadAll(c.Request.Body)
	_ = control.SetReadDeadline(time.Time{})
	var big *http.MaxBytesError
	switch {
	case errors.As(err, &big):
		return nil, errs.New(errs.TooLarge, "web.too_large", "limit", big.Limit)
	case err != nil: // cut off, or too slow
		return nil, errs.New(errs.Malformed, "web.malformed")
	}
	return body, nil
}

func nothingIn(body []byte) error {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil {
		return errs.New(errs.Malformed, "web.malformed")
	}
	for name := range fields {
		return errs.Field(name, "web.unknown_field")
	}
	return nil
}

const (
	keyHeader = "Idempotency-Key"
	keyLimit  = 128
)

// idempotent puts the caller's key into the ctx. What must be the same at a repeat is the address and the body.
func (a *API) idempotent(hc huma.Context, next func(huma.Context)) {
	c := humagin.Unwrap(hc)
	values := c.Request.Header.Values(keyHeader)
	if len(values) == 0 {
		next(hc)
		return
	}
	key := values[0]
	if key == "" || len(key) > keyLimit || strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		a.fail(hc, errs.Field(keyHeader, "web.key_format", "limit", keyLimit))
		return
	}
	body, err := io.ReadAll(c.Request.Body)
	if err != nil {
		a.fail(hc, err)
		return
	}
	c.Request.Body = io.NopCloser(bytes.NewReader(body))
	c.Request = c.Request.WithContext(db.WithKey(c.Request.Context(), db.Key{
		Principal: Actor(hc.Context()),
		Route:     hc.Operation().Method + " " + hc.Operation().Path,
		Key:       key,
		Hash:      sha256.Sum256(fmt.Appendf(nil, "%s\n%s", c.Request.URL.RequestURI(), body)),
	}))
	next(hc)
}

// document is the empty OpenAPI document with siyu's settings: JSON only, unknown fields and parameters refused.
func document(version string) huma.Config {
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info:    &huma.Info{Title: "siyu", Version: version, Description: "Refusals have one shape: error.code is stable, error.message is fit to show, error.details hold the facts. Every write takes Idempotency-Key."},
			Servers: []*huma.Server{{URL: "/"}},
			Components: &huma.Components{
				Schemas:         huma.NewMapRegistry("#/components/schemas/", schemaNames()),
				SecuritySchemes: map[string]*huma.SecurityScheme{},
			},
		},
		Formats:                      map[string]huma.Format{"application/json": huma.DefaultJSONFormat},
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
	}
}

// schemaNames gives every type a name of its own: types of handler/member, admin and open carry the area, and what still has the name
// of another type (or none, inside another) gets a number.
func schemaNames() func(reflect.Type, string) string {
	var mu sync.Mutex
	names, taken := map[reflect.Type]string{}, map[string]bool{}
	return func(t reflect.Type, hint string) string {
		for t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		mu.Lock()
		defer mu.Unlock()
		if name, ok := names[t]; ok {
			return name
		}
		base := huma.DefaultSchemaNamer(t, hint)
		switch area := path.Base(t.PkgPath()); area {
		case "member", "admin", "open":
			base = strings.ToUpper(area[:1]) + area[1:] + base
		}
		name := base
		for n := 2; taken[name]; n++ {
			name = base + strconv.Itoa(n)
		}
		names[t], taken[name] = name, true
		return name
	}
}
