package handler_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/config"
	"github.com/siyu-scrm/siyu/model"
)

// world is a running siyu, called as its users call it.
type world struct {
	*apptest.World
	t      *testing.T
	writes map[string]bool // the operations that change something, by the same names
	seen   map[string]bool // "GET /admin/v1/rules" of every call that was answered with 2xx
}

func newWorld(t *testing.T, set ...func(*config.Config)) *world {
	t.Helper()
	return &world{World: apptest.New(t, set...), t: t, seen: map[string]bool{}}
}

type answer struct {
	Status int
	Header http.Header
	Raw    string
	Body   map[string]any
}

// send calls with a body that is a string as it stands, or else JSON; nil is none. headers are names, each before its value.
func (w *world) send(method, path, token string, body any, headers ...string) answer {
	w.t.Helper()
	var in io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		in = strings.NewReader(b)
	default:
		raw, err := json.Marshal(b)
		require.NoError(w.t, err)
		in = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.URL+path, in)
	require.NoError(w.t, err)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := w.HTTP.Do(req)
	require.NoError(w.t, err)
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	require.NoError(w.t, err)
	a := answer{Status: res.StatusCode, Header: res.Header, Raw: string(raw)}
	if strings.HasPrefix(res.Header.Get("Content-Type"), "application/json") {
		require.NoError(w.t, json.Unmarshal(raw, &a.Body), string(raw))
	}
	return a
}

// admin calls the admin API and expects the status.
func (w *world) admin(status int, method, path string, body any, headers ...string) answer {
	w.t.Helper()
	route, last := method+" /admin/v1"+pattern(path), w.lastAudit()
	a := w.send(method, "/admin/v1"+path, w.Admin, body, headers...)
	require.Equal(w.t, status, a.Status, "%s %s: %s", method, path, a.Raw)
	if status >= 300 {
		require.Equal(w.t, last.ID, w.lastAudit().ID, "%s was refused", route)
		return a
	}
	w.seen[route] = true
	if len(headers) == 0 {
		w.audited(route, status, last.ID)
	}
	return a
}

// audited sees to it that a change, and nothing else, leaves a line with before and after in the audit log.
func (w *world) audited(route string, status int, last int64) {
	w.t.Helper()
	if w.writes == nil {
		w.writes = map[string]bool{}
		for _, o := range w.operations() {
			params, _ := o.spec["parameters"].([]any)
			for _, p := range params {
				w.writes[o.method+" "+o.path] = w.writes[o.method+" "+o.path] || p.(object)["name"] == "Idempotency-Key"
			}
		}
	}
	line := w.lastAudit()
	switch route {
	case "GET /admin/v1/members/{id}/export", "GET /admin/v1/audiences/{id}/export", "GET /admin/v1/forms/{id}/export", "POST /admin/v1/members/{id}/phone/reveal": // they change nothing; who saw it is kept
		require.Greater(w.t, line.ID, last, route)
		return
	}
	if !w.writes[route] {
		require.Equal(w.t, last, line.ID, "%s changes nothing", route)
		return
	}
	require.Greater(w.t, line.ID, last, "%s leaves no line in the audit log", route)
	require.NotEmpty(w.t, line.Actor)
	require.NotEmpty(w.t, line.Object)
	made := status == http.StatusCreated // what is made was not there before
	if !made {
		require.NotEqual(w.t, "null", string(line.Before), "%s: before", route)
	}
	if !strings.HasPrefix(route, "DELETE ") || strings.Count(route, "{") > 1 {
		require.NotEqual(w.t, "null", string(line.After), "%s: after", route)
	}
}

func (w *world) lastAudit() (a model.Audit) {
	w.t.Helper()
	require.NoError(w.t, w.DB.Reader(w.t.Context()).Order("id DESC").Limit(1).Find(&a).Error)
	return a
}

// pattern is the path as OpenAPI names it: numbers are ids.
func pattern(path string) string {
	path, _, _ = strings.Cut(path, "?")
	if strings.HasPrefix(path, "/accounts/") {
		return "/accounts/{code}"
	}
	parts := strings.Split(path, "/")
	for i, p := range parts {
		if i > 0 && parts[i-1] == "steps" {
			parts[i] = "{step}"
		}
		if p != "" && strings.Trim(p, "0123456789") == "" {
			parts[i] = "{id}"
			if i > 1 && parts[i-1] == "tags" && parts[i-2] == "{id}" {
				parts[i] = "{tag_id}"
			}
		}
	}
	return strings.Join(parts, "/")
}

// refused expects a refusal in the one shape, and returns its details.
func (w *world) refused(a answer, status int, code string) map[string]any {
	w.t.Helper()
	require.Equal(w.t, status, a.Status, a.Raw)
	e, _ := a.Body["error"].(map[string]any)
	require.Equal(w.t, code, e["code"], a.Raw)
	require.NotEmpty(w.t, e["message"], a.Raw)
	require.NotContains(w.t, e["message"], "{", "a placeholder without a value")
	require.NotEmpty(w.t, e["request_id"])
	details, _ := e["details"].(map[string]any)
	return details
}

// id makes something by the admin API and returns its id.
func (w *world) id(path string, body any) string {
	w.t.Helper()
	id, _ := w.admin(201, "POST", path, body).Body["id"].(string)
	require.NotEmpty(w.t, id)
	return id
}

func (a answer) items() []map[string]any {
	list, _ := a.Body["items"].([]any)
	out := make([]map[string]any, len(list))
	for i, v := range list {
		out[i], _ = v.(map[string]any)
	}
	return out
}

// operation is a line of the OpenAPI document.
type operation struct {
	method, path string
	spec         map[string]any
}

// operations reads the document that siyu serves.
func (w *world) operations() []operation {
	w.t.Helper()
	doc := w.send("GET", "/openapi.json", "", nil)
	require.Equal(w.t, 200, doc.Status)
	var all []operation
	for path, methods := range doc.Body["paths"].(map[string]any) {
		for method, spec := range methods.(map[string]any) {
			all = append(all, operation{strings.ToUpper(method), path, spec.(map[string]any)})
		}
	}
	require.Greater(w.t, len(all), 60)
	return all
}

type object = map[string]any

func str(id int64) string { return strconv.FormatInt(id, 10) }

// rule is a body of a rule that gives points for a check-in.
func rule(code string, points int) object {
	return object{"code": code, "name": code, "trigger": "checkin.done", "definition": object{
		"grants": []object{{"kind": "fixed", "account": "points", "amount": points}}, "caps": []object{{"period": "day", "times": 1}},
	}}
}
