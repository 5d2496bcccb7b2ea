package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/config"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/db/dbtest"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/handler/web"
)

var start = time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC)

// toy is a small API on the real layer.
type toy struct {
	t      *testing.T
	server *web.Server
	clock  *clock.Movable
	tokens *web.Tokens
	ready  error
	runs   int
	mu     sync.Mutex
	log    bytes.Buffer
}

func (w *toy) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.Write(b)
}

func (w *toy) logged() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.log.String()
}

type getItem struct {
	ID web.ID `path:"id"`
}

type item struct {
	web.Stamped
	ID     web.ID   `json:"id"`
	Name   string   `json:"name"`
	Opens  web.Time `json:"opens"`
	Member web.ID   `json:"member"`
	Runs   int      `json:"runs"`
}

type putItem struct {
	ID   web.ID `path:"id"`
	Body struct {
		Name  string    `json:"name" minLength:"1" maxLength:"10" example:"tea"`
		Price int       `json:"price,omitempty" minimum:"0"`
		Opens *web.Time `json:"opens,omitempty"`
		Lines []struct {
			N int `json:"n"`
		} `json:"lines,omitempty"`
	}
}

func newToy(t *testing.T) *toy {
	t.Helper()
	w := &toy{t: t, clock: clock.NewFrozen(start)}
	w.tokens = web.NewTokens(config.NewBox([32]byte{1}), w.clock)
	var err error
	w.server, err = web.New(web.Options{
		Version: "test", Log: slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug})), Metrics: prometheus.NewRegistry(), BodyLimit: 1024,
		Ready: func(context.Context) error { return w.ready }, AllowedOrigins: []string{"https://h5.example.com"},
	})
	require.NoError(t, err)
	d := dbtest.Open(t)
	api := w.server.API("/api/v1", "member", "What a member does.", web.MemberAuth(w.tokens, func(_ context.Context, id int64, version int) (int64, error) {
		if version != 1 {
			return 0, errs.New(errs.TokenExpired, "web.token_expired")
		}
		return id, nil
	}))
	web.Read(api, huma.Operation{Method: http.MethodGet, Path: "/items/{id}", Summary: "One item"}, func(ctx context.Context, in *getItem) (*web.Out[item], error) {
		switch in.ID.Int() {
		case 1:
			return &web.Out[item]{Body: item{Stamped: web.Stamp(w.clock), ID: in.ID, Opens: web.At(start), Member: web.IDOf(web.MemberID(ctx))}}, nil
		case 2:
			panic("boom: secret-internals")
		case 3:
			return nil, errors.New("secret-internals")
		case 4:
			return nil, errs.New(errs.RateLimited, "operator.login_too_often", "retry_after", 7)
		case 5:
			return nil, errs.New(errs.WindowClosed, "web.invalid", "field", "x", "opens_at", start)
		}
		return nil, errs.New(errs.NotFound, "web.not_found")
	})
	web.Write(api, huma.Operation{Method: http.MethodPut, Path: "/items/{id}", DefaultStatus: http.StatusCreated}, func(ctx context.Context, in *putItem) (*web.Out[item], error) {
		out, err := db.Do(ctx, d, func(context.Context, *gorm.DB) (item, error) {
			w.runs++
			return item{ID: in.ID, Name: in.Body.Name, Runs: w.runs}, nil
		})
		return &web.Out[item]{Body: out}, err
	})
	web.Write(api, huma.Operation{Method: http.MethodPost, Path: "/bare", Security: web.Public}, func(ctx context.Context, _ *web.None) (*web.Out[string], error) {
		return &web.Out[string]{Body: web.Actor(ctx)}, nil
	})
	web.Read(api, huma.Operation{Method: http.MethodGet, Path: "/list", Security: web.Public}, func(_ context.Context, in *struct{ web.Paging }) (*web.Out[web.List[int]], error) {
		after := 0
		if _, err := in.Position(&after); err != nil {
			return nil, err
		}
		var rows []int
		for i := after + 1; i <= 5; i++ {
			rows = append(rows, i)
		}
		return &web.Out[web.List[int]]{Body: web.ListOf(rows, in.Limit, func(n int) int { return n }, func(n int) []any { return []any{n} })}, nil
	})
	page := w.server.Engine.Group("/console", web.ConsoleSecurity())
	page.POST("/form", func(c *gin.Context) { c.String(http.StatusOK, "done") })
	return w
}

func (w *toy) token() string {
	token, _, err := w.tokens.Issue(7, 1)
	require.NoError(w.t, err)
	return token
}

// call sends a request; headers are "Name: value".
func (w *toy) call(method, path, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(w.t.Context(), method, path, strings.NewReader(body))
	if strings.HasPrefix(path, "/api/v1/items") {
		r.Header.Set("Authorization", "Bearer "+w.token())
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	rec := httptest.NewRecorder()
	w.server.ServeHTTP(rec, r)
	return rec
}

type problem struct {
	Error struct {
		Code      string         `json:"code"`
		Message   string         `json:"message"`
		Details   map[string]any `json:"details"`
		RequestID string         `json:"request_id"`
	} `json:"error"`
}

func (w *toy) refused(rec *httptest.ResponseRecorder, status int, code string) problem {
	w.t.Helper()
	var p problem
	require.Equal(w.t, status, rec.Code, rec.Body.String())
	require.NoError(w.t, json.Unmarshal(rec.Body.Bytes(), &p), rec.Body.String())
	require.Equal(w.t, code, p.Error.Code, rec.Body.String())
	require.NotEmpty(w.t, p.Error.Message)
	require.NotContains(w.t, p.Error.Message, "{")
	require.NotContains(w.t, rec.Body.String(), "secret-internals")
	require.Equal(w.t, rec.Header().Get("X-Request-Id"), p.Error.RequestID)
	require.True(w.t, strings.HasPrefix(rec.Header().Get("Content-Type"), "application/json"))
	return p
}

func TestInput(t *testing.T) {
	t.Parallel()
	w := newToy(t)
	for _, c := range []struct{ name, body, code, field string }{
		{"AnUnknownFieldIsNamed", `{"name":"a","colour":"red"}`, "INVALID", "colour"},
		{"AFieldInAnotherCaseIsUnknown", `{"name":"a","Price":1}`, "INVALID", "Price"},
		{"AWrongTypeIsNamed", `{"name":"a","price":"1"}`, "INVALID", "price"},
		{"AFractionIsNoInteger", `{"name":"a","price":1.5}`, "INVALID", "price"},
		{"ANegativeAmountIsNamed", `{"name":"a","price":-1}`, "INVALID", "price"},
		{"AMissingFieldIsNamed", `{}`, "INVALID", "name"},
		{"AnEmptyBodyNamesWhatIsMissing", ``, "INVALID", "name"},
		{"ANestedFieldIsNamedByItsPath", `{"name":"a","lines":[{"n":1},{"n":"x"}]}`, "INVALID", "lines[1].n"},
		{"AMissingNestedFieldToo", `{"name":"a","lines":[{}]}`, "INVALID", "lines[0].n"},
		{"AnAbsurdTimeIsNamed", `{"name":"a","opens":"tomorrow"}`, "INVALID", "opens"},
		{"AnAbsurdNumberIsNamed", `{"name":"a","price":1e400}`, "MALFORMED", ""},
		{"ALongTextIsNamed", `{"name":"` + strings.Repeat("a", 11) + `"}`, "INVALID", "name"},
		{"MalformedJSONIsRefused", `{"name":`, "MALFORMED", ""},
		{"TwoDocumentsAreRefused", `{"name":"a"}{"name":"b"}`, "MALFORMED", ""},
		{"AnArrayIsNoObject", `[]`, "INVALID", "body"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := (&toy{t: t, server: w.server, tokens: w.tokens}).put(c.body)
			require.Equal(t, c.code, p.Error.Code)
			if c.field != "" {
				require.Equal(t, c.field, p.Error.Details["field"])
				require.NotEmpty(t, p.Error.Details["fields"])
			}
		})
	}
	require.Zero(t, w.runs)
}

func (w *toy) put(body string) problem {
	rec := w.call(http.MethodPut, "/api/v1/items/1", body)
	var p problem
	require.Equal(w.t, http.StatusBadRequest, rec.Code, rec.Body.String())
	require.NoError(w.t, json.Unmarshal(rec.Body.Bytes(), &p))
	return p
}

func TestInputElsewhere(t *testing.T) {
	t.Parallel()
	w := newToy(t)
	p := w.refused(w.call(http.MethodGet, "/api/v1/items/abc", ""), 400, "INVALID")
	require.Equal(t, "id", p.Error.Details["field"])
	p = w.refused(w.call(http.MethodGet, "/api/v1/items/1?x=1", ""), 400, "INVALID")
	require.Equal(t, "x", p.Error.Details["field"])
	p = w.refused(w.call(http.MethodGet, "/api/v1/list?limit=0", ""), 400, "INVALID")
	require.Equal(t, "limit", p.Error.Details["field"])
	p = w.refused(w.call(http.MethodGet, "/api/v1/list?cursor=xx", ""), 400, "INVALID")
	require.Equal(t, "cursor", p.Error.Details["field"])
	p = w.refused(w.call(http.MethodPost, "/api/v1/bare", `{"x":1}`), 400, "INVALID")
	require.Equal(t, "x", p.Error.Details["field"])
	w.refused(w.call(http.MethodPost, "/api/v1/bare", `x`), 400, "MALFORMED")
	require.Equal(t, 200, w.call(http.MethodPost, "/api/v1/bare", `{}`).Code)
	w.refused(w.call(http.MethodPut, "/api/v1/items/1", `name=a`, "Content-Type: application/x-www-form-urlencoded"), 415, "MALFORMED")
	w.refused(w.call(http.MethodGet, "/api/v1/items/99999999999999999999", ""), 400, "INVALID")
	w.refused(w.call(http.MethodGet, "/api/v1/items/9999999999999999999", ""), 404, "NOT_FOUND")

	p = w.refused(w.call(http.MethodPut, "/api/v1/items/1", `{"name":"`+strings.Repeat("a", 2000)+`"}`), 413, "TOO_LARGE")
	require.InEpsilon(t, 1024, p.Error.Details["limit"], 0.1)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPut, "/api/v1/items/1", io.MultiReader(strings.NewReader(strings.Repeat("a", 2000))))
	r.ContentLength = -1
	r.Header.Set("Authorization", "Bearer "+w.token())
	rec := httptest.NewRecorder()
	w.server.ServeHTTP(rec, r)
	w.refused(rec, 413, "TOO_LARGE")
}

func TestCredentials(t *testing.T) {
	t.Parallel()
	w := newToy(t)
	get := func(authorization string) *httptest.ResponseRecorder {
		return w.call(http.MethodGet, "/api/v1/items/1", "", "Authorization: "+authorization)
	}
	for _, wrong := range []string{"", "Bearer", "Bearer x", "Basic " + w.token(), "Bearer " + w.token() + "x", "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiI3IiwidmVyIjoxLCJleHAiOjQxMDI0NDQ4MDB9."} {
		rec := get(wrong)
		w.refused(rec, 401, "UNAUTHORIZED")
		require.Equal(t, "Bearer", rec.Header().Get("WWW-Authenticate"))
	}
	foreign, _, err := web.NewTokens(config.NewBox([32]byte{2}), w.clock).Issue(7, 1)
	require.NoError(t, err)
	w.refused(get("Bearer "+foreign), 401, "UNAUTHORIZED")
	revoked, _, err := w.tokens.Issue(7, 2)
	require.NoError(t, err)
	w.refused(get("Bearer "+revoked), 401, "TOKEN_EXPIRED")

	token := w.token()
	rec := get("bearer " + token)
	require.Equal(t, 200, rec.Code)
	require.JSONEq(t, `{"server_time":"2026-11-23T09:00:00+08:00","id":"1","name":"","opens":"2026-11-23T09:00:00+08:00","member":"7","runs":0}`, rec.Body.String())
	require.Contains(t, w.logged(), "actor=member:7")
	require.NotContains(t, w.logged(), token)
	require.True(t, w.clock.Set(start.Add(web.TokenTTL-time.Second)))
	require.Equal(t, 200, get("Bearer "+token).Code)
	require.True(t, w.clock.Set(start.Add(web.TokenTTL)))
	w.refused(get("Bearer "+token), 401, "TOKEN_EXPIRED")
	require.Equal(t, 400, w.call(http.MethodPost, "/api/v1/bare", `{"x":1}`).Code, "a public route asks for no token")
	require.Equal(t, 401, w.call(http.MethodPut, "/api/v1/items/1", `{"x":1}`, "Authorization: x").Code, "strangers learn nothing of the input")
}

// gone is where nobody reads any more.
type gone struct{ *httptest.ResponseRecorder }

func (gone) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestFailures(t *testing.T) {
	t.Parallel()
	w := newToy(t)
	t.Run("APanicIsA500AndTheServerLives", func(t *testing.T) {
		w.refused(w.call(http.MethodGet, "/api/v1/items/2", "", "X-Request-Id: panic-id-1"), 500, "INTERNAL")
		require.Contains(t, w.logged(), "boom: secret-internals")
		require.Regexp(t, `msg=panic .*request_id=panic-id-1`, w.logged())
		require.Equal(t, 200, w.call(http.MethodGet, "/api/v1/items/1", "").Code)
	})
	t.Run("AnUnknownErrorIsLoggedOnceAndNotShown", func(t *testing.T) {
		w.refused(w.call(http.MethodGet, "/api/v1/items/3", "", "X-Request-Id: error-id-1"), 500, "INTERNAL")
		require.Equal(t, 1, strings.Count(w.logged(), "error=secret-internals"))
		require.Regexp(t, `error=secret-internals.* request_id=error-id-1`, w.logged())
	})
	t.Run("ARateLimitSaysWhenToComeBack", func(t *testing.T) {
		require.Equal(t, "7", w.call(http.MethodGet, "/api/v1/items/4", "").Header().Get("Retry-After"))
	})
	t.Run("TimesInDetailsAreInTheProgrammesZone", func(t *testing.T) {
		p := w.refused(w.call(http.MethodGet, "/api/v1/items/5", ""), 409, "WINDOW_CLOSED")
		require.Equal(t, "2026-11-23T09:00:00+08:00", p.Error.Details["opens_at"])
	})
	t.Run("UnknownAddressesAndMethodsHaveTheShape", func(t *testing.T) {
		w.refused(w.call(http.MethodGet, "/nowhere", ""), 404, "NOT_FOUND")
		w.refused(w.call(http.MethodGet, "/api/v1/items/6", ""), 404, "NOT_FOUND")
		w.refused(w.call(http.MethodDelete, "/api/v1/items/1", ""), 405, "INVALID")
	})
	t.Run("AReaderWhoLeftIsNoPanic", func(t *testing.T) {
		was := w.logged()
		req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/docs", nil)
		w.server.ServeHTTP(gone{httptest.NewRecorder()}, req)
		require.NotContains(t, w.logged()[len(was):], "panic")
	})
	t.Run("ABrowserGetsAPage", func(t *testing.T) {
		rec := w.call(http.MethodGet, "/nowhere", "", "Accept: text/html", "Accept-Language: en")
		require.Equal(t, 404, rec.Code)
		require.Contains(t, rec.Body.String(), "There is nothing at this address.")
		require.Equal(t, web.CSP, rec.Header().Get("Content-Security-Policy"))
		w.refused(w.call(http.MethodGet, "/api/v1/nowhere", "", "Accept: text/html"), 404, "NOT_FOUND")
	})
}

func TestLanguages(t *testing.T) {
	t.Parallel()
	w := newToy(t)
	for accept, want := range map[string]string{"": "您访问的地址不存在。", "en-US,en": "There is nothing at this address.", "zh-CN": "您访问的地址不存在。"} {
		p := w.refused(w.call(http.MethodGet, "/nowhere", "", "Accept-Language: "+accept), 404, "NOT_FOUND")
		require.Equal(t, want, p.Error.Message)
	}
	p := w.refused(w.call(http.MethodPut, "/api/v1/items/1", `{}`, "Accept-Language: en"), 400, "INVALID")
	require.Equal(t, `"name" is missing.`, p.Error.Message)
}

func TestRequestIDs(t *testing.T) {
	t.Parallel()
	w := newToy(t)
	require.Equal(t, "given-id_1.x", w.call(http.MethodGet, "/healthz", "", "X-Request-Id: given-id_1.x").Header().Get("X-Request-Id"))
	for _, bad := range []string{"", "short", "with space", "long" + strings.Repeat("x", 64), "new\x01line"} {
		id := w.call(http.MethodGet, "/healthz", "", "X-Request-Id: "+bad).Header().Get("X-Request-Id")
		require.NotEqual(t, bad, id)
		require.NotEmpty(t, id)
	}
	w.call(http.MethodGet, "/api/v1/list?cursor=hidden-in-query", "", "X-Request-Id: in-the-log")
	require.Contains(t, w.logged(), "request_id=in-the-log")
	require.NotContains(t, w.logged(), "hidden-in-query")
}

func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	put := func(w *toy, path, body, key string) *httptest.ResponseRecorder {
		return w.call(http.MethodPut, path, body, "Idempotency-Key: "+key)
	}
	t.Run("ARepeatGetsTheFirstAnswer", func(t *testing.T) {
		t.Parallel()
		w := newToy(t)
		first := put(w, "/api/v1/items/1", `{"name":"tea"}`, "k1")
		require.Equal(t, 201, first.Code)
		again := put(w, "/api/v1/items/1", `{"name":"tea"}`, "k1")
		require.Equal(t, 201, again.Code)
		require.Equal(t, first.Body.String(), again.Body.String())
		require.Equal(t, 1, w.runs)
	})
	t.Run("AnotherBodyOrAddressUnderTheKeyIsAConflict", func(t *testing.T) {
		t.Parallel()
		w := newToy(t)
		require.Equal(t, 201, put(w, "/api/v1/items/1", `{"name":"tea"}`, "k1").Code)
		w.refused(put(w, "/api/v1/items/1", `{"name":"milk"}`, "k1"), 409, "CONFLICT")
		w.refused(put(w, "/api/v1/items/2", `{"name":"tea"}`, "k1"), 409, "CONFLICT")
		require.Equal(t, 1, w.runs)
	})
	t.Run("WithoutAKeyEachRuns", func(t *testing.T) {
		t.Parallel()
		w := newToy(t)
		for range 2 {
			require.Equal(t, 201, w.call(http.MethodPut, "/api/v1/items/1", `{"name":"tea"}`).Code)
		}
		require.Equal(t, 2, w.runs)
	})
	t.Run("AKeyOfOneMemberIsNotAnothers", func(t *testing.T) {
		t.Parallel()
		w := newToy(t)
		require.Equal(t, 201, put(w, "/api/v1/items/1", `{"name":"tea"}`, "k1").Code)
		other, _, err := w.tokens.Issue(8, 1)
		require.NoError(t, err)
		require.Equal(t, 201, w.call(http.MethodPut, "/api/v1/items/1", `{"name":"tea"}`, "Idempotency-Key: k1", "Authorization: Bearer "+other).Code)
		require.Equal(t, 2, w.runs)
	})
	t.Run("AnUnfitKeyIsNamed", func(t *testing.T) {
		t.Parallel()
		w := newToy(t)
		for _, key := range []string{"", "a b", "键", strings.Repeat("k", 129)} {
			p := w.refused(put(w, "/api/v1/items/1", `{"name":"tea"}`, key), 400, "INVALID")
			require.Equal(t, "Idempotency-Key", p.Error.Details["field"])
		}
		require.Equal(t, 201, put(w, "/api/v1/items/1", `{"name":"tea"}`, strings.Repeat("k", 128)).Code)
	})
}

func TestLists(t *testing.T) {
	t.Parallel()
	w := newToy(t)
	var seen []int
	next := ""
	for range 3 {
		var page web.List[int]
		require.NoError(t, json.Unmarshal(w.call(http.MethodGet, "/api/v1/list?limit=2&cursor="+next, "").Body.Bytes(), &page))
		seen, next = append(seen, page.Items...), page.Next
	}
	require.Equal(t, []int{1, 2, 3, 4, 5}, seen)
	require.Empty(t, next)
}

func TestBrowsersElsewhere(t *testing.T) {
	t.Parallel()
	w := newToy(t)
	t.Run("AnAllowedOriginMayCallTheMemberAPI", func(t *testing.T) {
		t.Parallel()
		rec := w.call(http.MethodOptions, "/api/v1/items/1", "", "Origin: https://h5.example.com", "Access-Control-Request-Method: PUT")
		require.Equal(t, 204, rec.Code)
		require.Equal(t, "https://h5.example.com", rec.Header().Get("Access-Control-Allow-Origin"))
		require.Contains(t, rec.Header().Get("Access-Control-Allow-Headers"), "Idempotency-Key")
		rec = w.call(http.MethodGet, "/api/v1/items/1", "", "Origin: https://h5.example.com")
		require.Equal(t, "https://h5.example.com", rec.Header().Get("Access-Control-Allow-Origin"))
	})
	t.Run("OthersMayNotAndNothingElseIsOpen", func(t *testing.T) {
		t.Parallel()
		for _, c := range [][2]string{{"/api/v1/items/1", "https://evil.example.com"}, {"/healthz", "https://h5.example.com"}} {
			rec := w.call(http.MethodGet, c[0], "", "Origin: "+c[1])
			require.Empty(t, rec.Header().Get("Access-Control-Allow-Origin"))
		}
	})
	t.Run("AFormFromAnotherOriginChangesNothing", func(t *testing.T) {
		t.Parallel()
		w.refused(w.call(http.MethodPost, "/console/form", "", "Sec-Fetch-Site: cross-site"), 403, "FORBIDDEN")
		w.refused(w.call(http.MethodPost, "/console/form", "", "Origin: https://evil.example.com"), 403, "FORBIDDEN")
		rec := w.call(http.MethodPost, "/console/form", "", "Sec-Fetch-Site: same-origin")
		require.Equal(t, 200, rec.Code)
		require.Equal(t, web.CSP, rec.Header().Get("Content-Security-Policy"))
	})
}

func TestSystemRoutes(t *testing.T) {
	t.Parallel()
	w := newToy(t)
	require.Equal(t, 200, w.call(http.MethodGet, "/healthz", "").Code)
	require.Equal(t, 200, w.call(http.MethodGet, "/readyz", "").Code)
	w.ready = errors.New("secret-internals")
	w.refused(w.call(http.MethodGet, "/readyz", ""), 503, "UNAVAILABLE")
	w.call(http.MethodGet, "/api/v1/items/1", "")
	w.call(http.MethodGet, "/made-up-by-the-caller", "")
	shown := w.call(http.MethodGet, "/metrics", "").Body.String()
	require.Contains(t, shown, `siyu_http_requests_total{method="GET",route="/api/v1/items/:id",status="200"} 1`)
	require.NotContains(t, shown, "made-up")
}

func TestDocument(t *testing.T) {
	t.Parallel()
	w := newToy(t)
	var doc struct {
		OpenAPI string
		Paths   map[string]map[string]struct {
			OperationID string
			Tags        []string
			Security    []map[string][]string
			Parameters  []struct{ Name string }
		}
		Components struct{ SecuritySchemes map[string]any }
	}
	rec := w.call(http.MethodGet, "/openapi.json", "")
	require.NoError(t, json.Unmarshal(rec.Body.Bytes(), &doc))
	require.Equal(t, "3.1.0", doc.OpenAPI)
	put := doc.Paths["/api/v1/items/{id}"]["put"]
	require.Equal(t, "put-api-v1-items-id", put.OperationID)
	require.Equal(t, []string{"member"}, put.Tags)
	require.Contains(t, put.Security[0], "member")
	require.Contains(t, put.Parameters, struct{ Name string }{"Idempotency-Key"})
	require.Empty(t, doc.Paths["/api/v1/bare"]["post"].Security)
	require.Contains(t, doc.Components.SecuritySchemes, "member")
	require.Contains(t, rec.Body.String(), `"Problem"`)

	page := w.call(http.MethodGet, "/docs", "", "Accept-Language: en")
	require.Equal(t, 200, page.Code)
	require.Contains(t, page.Header().Get("Content-Security-Policy"), "default-src 'none'")
	for _, outside := range []string{"http://", "https://", "<style", "onclick", "style="} {
		require.NotContains(t, page.Body.String(), outside)
	}
	script := w.call(http.MethodGet, "/static/docs.js", "")
	require.Equal(t, 200, script.Code)
	require.Contains(t, script.Header().Get("Content-Type"), "javascript")
	w.refused(w.call(http.MethodPost, "/static/docs.js", ""), 405, "INVALID")
}
