package handler_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// theirs makes what the id in a path of the member API names, as alice's alone, and returns it. nil is what is everybody's, such as a quiz
// that is open to all. A new path with an id has to stand here.
var theirs = map[string]func(w *world) string{
	"GET /api/v1/groups/{id}/ranking":            aliceGroup,
	"POST /api/v1/articles/{id}/start":           nil,
	"POST /api/v1/articles/{id}/finish":          nil,
	"POST /api/v1/lives/{id}/heartbeats":         nil,
	"POST /api/v1/quizzes/{id}/answers":          nil,
	"GET /api/v1/forms/{id}":                     nil,
	"POST /api/v1/forms/{id}/answers":            nil,
	"GET /api/v1/forms/{id}/results":             nil,
	"POST /api/v1/radar/views/{view}/heartbeats": nil, // whoever holds its token; see TestRadar for who is somebody else
	"POST /api/v1/radar/views/{view}/forwards":   nil,
	"POST /api/v1/tasks/{id}/claims":             nil,
	"POST /api/v1/mall/{id}/redemptions":         nil,
	"POST /api/v1/redemptions/{id}/cancel":       aliceRedemption,
	"POST /api/v1/inbox/{id}/read":               aliceMessage,
}

func aliceRedemption(w *world) string {
	item := w.id("/mall", object{"code": "tea", "name": "春茶", "kind": "goods", "price": 0})
	alice, _ := w.Member("alice")
	a := w.as(alice, "POST", "/mall/"+item+"/redemptions", nil)
	require.Equal(w.t, 201, a.Status, a.Raw)
	id, _ := a.Body["redemption"].(object)["id"].(string)
	return id
}

func aliceGroup(w *world) string {
	id := w.id("/groups", object{"name": "一群"})
	w.admin(200, "PUT", "/groups/"+id+"/days", object{"days": []object{{"day": "2026-11-23", "topic": "草莓", "word": "草莓好吃"}}})
	alice, _ := w.Member("alice")
	require.Equal(w.t, 200, w.as(alice, "POST", "/groups/word", object{"word": "草莓好吃"}).Status)
	require.Equal(w.t, 200, w.as(alice, "GET", "/groups/"+id+"/ranking", nil).Status)
	return id
}

// P10: what is another's is as if it were not there.
func TestAnothersThingsAreNotThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	bob, _ := w.Member("bob")
	for _, o := range w.operations() {
		if !strings.HasPrefix(o.path, "/api/v1") || !strings.Contains(o.path, "{") {
			continue
		}
		route := o.method + " " + o.path
		mine, known := theirs[route]
		require.True(t, known, "%s: whose is the thing that its id names?", route)
		if mine == nil {
			continue
		}
		id, before := mine(w), w.rows()
		a := w.send(o.method, strings.ReplaceAll(o.path, "{id}", id), bob.Token, nil)
		w.refused(a, 404, "NOT_FOUND")
		none := w.send(o.method, strings.ReplaceAll(o.path, "{id}", "9007199254740993"), bob.Token, nil)
		require.Equal(t, none.Body["error"].(object)["message"], a.Body["error"].(object)["message"], "it does not even say that there is one")
		require.Equal(t, before, w.rows())
	}
}
