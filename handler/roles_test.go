package handler_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every route that OpenAPI names, with every kind of credential.
func TestRoles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	alice, _ := w.Member("alice")
	openKey, _ := w.admin(201, "POST", "/api-keys", object{"name": "shop", "scope": "open"}).Body["token"].(string)
	tokens := map[string]string{"nobody": "", "nonsense": "x", "member": alice.Token, "open": openKey, "admin": w.Admin}
	want := map[string]map[string]int{ // area → who → status; 0: let in
		"/api/v1":   {"nobody": 401, "nonsense": 401, "member": 0, "open": 401, "admin": 401},
		"/admin/v1": {"nobody": 401, "nonsense": 401, "member": 401, "open": 403, "admin": 0},
		"/open/v1":  {"nobody": 401, "nonsense": 401, "member": 401, "open": 0, "admin": 0},
	}
	for _, o := range w.operations() {
		area := o.path[:strings.Index(o.path[1:], "/v1")+len("/v1")+1]
		path := strings.NewReplacer("{id}", "999", "{tag_id}", "999").Replace(o.path)
		for who, token := range tokens {
			a := w.send(o.method, path, token, nil)
			switch status := want[area][who]; {
			case o.path == "/api/v1/login":
				w.refused(a, 400, "INVALID")
			case status == 401:
				w.refused(a, 401, "UNAUTHORIZED")
			case status == 403:
				w.refused(a, 403, "FORBIDDEN")
			default:
				require.NotContains(t, []int{401, 403, 405, 500, 503}, a.Status, "%s %s as %s: %s", o.method, o.path, who, a.Raw)
			}
		}
	}
}

func TestADeletedKeyOpensNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made := w.admin(201, "POST", "/api-keys", object{"name": "till", "scope": "admin"})
	token, _ := made.Body["token"].(string)
	require.Equal(t, 200, w.send("GET", "/admin/v1/rules", token, nil).Status)
	require.NotContains(t, w.admin(200, "GET", "/api-keys", nil).Raw, token)
	w.admin(204, "DELETE", "/api-keys/"+made.Body["id"].(string), nil)
	w.refused(w.send("GET", "/admin/v1/rules", token, nil), 401, "UNAUTHORIZED")
}

// What stands in the document as an example must be readable as it stands: nothing of it may be malformed.
func TestExamplesOfTheDocument(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	alice, _ := w.Member("alice")
	w.Member("bob")
	w.admin(201, "POST", "/tags", object{"group_id": "1", "name": "海报"})
	doc := w.send("GET", "/openapi.json", "", nil).Body
	for _, o := range w.operations() {
		media := dig(o.spec, "requestBody", "content", "application/json")
		if media == nil || strings.HasSuffix(o.path, "/login") || strings.HasSuffix(o.path, "/phone") { // their codes come from WeChat
			continue
		}
		body := media["example"]
		if body == nil {
			body = sample(doc, media["schema"].(map[string]any), 0)
		}
		token := w.Admin
		if strings.HasPrefix(o.path, "/api/v1") {
			token = alice.Token
		}
		a := w.send(o.method, strings.NewReplacer("{id}", "1", "{tag_id}", "1").Replace(o.path), token, body)
		require.NotContains(t, []int{400, 401, 403, 405, 415, 500, 503}, a.Status, "%s %s %v: %s", o.method, o.path, body, a.Raw)
	}
}

func dig(v map[string]any, path ...string) map[string]any {
	for _, p := range path {
		v, _ = v[p].(map[string]any)
	}
	return v
}

// sample makes a value of a schema as the page /docs does.
func sample(doc, schema map[string]any, depth int) any {
	if ref, ok := schema["$ref"].(string); ok {
		schema = dig(doc, strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
	}
	if e, ok := schema["examples"].([]any); ok && len(e) > 0 {
		return e[0]
	}
	if d, ok := schema["default"]; ok {
		return d
	}
	if e, ok := schema["enum"].([]any); ok {
		return e[0]
	}
	kind, ok := schema["type"].(string)
	if list, is := schema["type"].([]any); is {
		kind, ok = list[0].(string), true
	}
	if !ok || depth > 6 {
		return nil
	}
	switch kind {
	case "object":
		return sampleObject(doc, schema, depth)
	case "array":
		return []any{sample(doc, schema["items"].(map[string]any), depth+1)}
	case "integer", "number":
		return 1
	case "boolean":
		return false
	default:
		return ""
	}
}

func sampleObject(doc, schema map[string]any, depth int) any {
	out := map[string]any{}
	required, _ := schema["required"].([]any)
	props, _ := schema["properties"].(map[string]any)
	for name, p := range props {
		prop, _ := p.(map[string]any)
		inner := prop
		if ref, ok := prop["$ref"].(string); ok {
			inner = dig(doc, strings.Split(strings.TrimPrefix(ref, "#/"), "/")...)
		}
		needed := false
		for _, r := range required {
			needed = needed || r == name
		}
		if e, _ := inner["examples"].([]any); needed || len(e) > 0 {
			out[name] = sample(doc, prop, depth+1)
		}
	}
	return out
}
