package handler_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/handler/admin"
	"github.com/siyu-scrm/siyu/model"
)

// Every route that OpenAPI names, with every kind of credential and as every role. A route of the admin and the open API names the right
// that it asks for; what is denied changes nothing.
func TestRoles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	alice, _ := w.Member("alice")
	tokens := map[string]string{"nobody": "", "nonsense": "x", "member": alice.Token, "open": w.key("open", "open"), "admin": w.Admin}
	rights := map[string]operator.Rights{"open": {operator.OpenBehaviors, operator.OpenMembers, operator.OpenCoupons, operator.OpenOrders, operator.OpenHolds, operator.OpenSMS}, "admin": operator.AllRights()}
	for _, r := range operator.AllRights() {
		if r != operator.Self {
			name := "key of " + string(r)
			tokens[name], rights[name] = w.key(name, string(r)), operator.Rights{r}
		}
	}
	for _, role := range operator.Roles {
		name := "role " + string(role)
		tokens[name], rights[name] = w.key(name, scopes(role)...), role.Rights()
	}
	before := w.rows()
	for _, let := range []bool{false, true} { // first what is refused
		for _, o := range w.operations() {
			need := o.right(t)
			for who, token := range tokens {
				held, isKey := rights[who]
				want := expected(o.path, who, isKey, held.Has(need))
				if let != (want == 0) {
					continue
				}
				a := w.send(o.method, strings.NewReplacer("{id}", "999", "{tag_id}", "999").Replace(o.path), token, nil)
				switch want {
				case 401:
					w.refused(a, 401, "UNAUTHORIZED")
				case 403:
					require.Equal(t, string(need), w.refused(a, 403, "FORBIDDEN")["right"], "%s %s as %s", o.method, o.path, who)
				default:
					require.NotContains(t, []int{401, 403, 405, 500, 503}, a.Status, "%s %s as %s: %s", o.method, o.path, who, a.Raw)
				}
			}
		}
		if !let {
			require.Equal(t, before, w.rows(), "what is refused changes nothing")
		}
	}
}

// expected is the status of a call that is not let in; 0 for one that is.
func expected(path, who string, isKey, holds bool) int {
	switch member := strings.HasPrefix(path, "/api/v1"); {
	case strings.HasPrefix(path, "/api/v1/radar/") && who == "nobody": // a visitor; a credential that is none of ours is refused there too
		return 0
	case path == "/api/v1/login", member && who == "member", !member && isKey && holds:
		return 0
	case !member && isKey:
		return 403
	default:
		return 401
	}
}

// right is the one right that an operation of the admin or the open API asks for.
func (o operation) right(t *testing.T) operator.Right {
	t.Helper()
	if strings.HasPrefix(o.path, "/api/v1") {
		return ""
	}
	security, _ := o.spec["security"].([]any)
	require.Len(t, security, 1, o.path)
	list, _ := security[0].(map[string]any)["key"].([]any)
	require.Len(t, list, 1, "%s %s does not say which right it needs", o.method, o.path)
	right, _ := list[0].(string)
	require.True(t, operator.AllRights().Has(operator.Right(right)), right)
	require.Equal(t, strings.HasPrefix(o.path, "/open/"), strings.HasPrefix(right, "open."), o.path)
	return operator.Right(right)
}

// key makes an API key.
func (w *world) key(name string, scopes ...string) string {
	w.t.Helper()
	token, _ := w.admin(201, "POST", "/api-keys", object{"name": name, "scopes": scopes}).Body["token"].(string)
	return token
}

// scopes are the rights of a role, for a key.
func scopes(role operator.Role) (list []string) {
	for _, r := range role.Rights() {
		if r != operator.Self {
			list = append(list, string(r))
		}
	}
	return list
}

// rows counts the rows of every table.
func (w *world) rows() map[string]int64 {
	w.t.Helper()
	n := map[string]int64{}
	for _, m := range model.All() {
		n[fmt.Sprintf("%T", m)] = w.Count(m)
	}
	return n
}

func TestADeletedKeyOpensNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	made := w.admin(201, "POST", "/api-keys", object{"name": "till", "scopes": []string{"admin"}})
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
		if media == nil || strings.HasSuffix(o.path, "/login") || strings.HasSuffix(o.path, "/phone") || strings.HasSuffix(o.path, "/groups/enter") { // what they bring comes from WeChat
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

// Who has only the document can write any condition.
func TestEveryLeafIsDocumented(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	doc := admin.Condition(nil).Schema(nil).Description
	for _, leaf := range w.Conditions.Names() {
		require.Contains(t, doc, `{"leaf":"`+leaf+`"`)
	}
}
