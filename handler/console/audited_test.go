package console_test

import (
	"cmp"
	"html"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/order"
	"github.com/siyu-scrm/siyu/handler/console"
	"github.com/siyu-scrm/siyu/model"
)

// typed is what has to be typed for a form to be accepted, by its route.
type typed map[string]url.Values

func newTyped() typed {
	return typed{
		"POST /console/audiences/:id":        {"name": {"x"}},
		"POST /console/audiences/:id/freeze": {"frozen_name": {"y"}},
		"POST /console/broadcasts/:id":       {"name": {"x"}, "text": {"x"}, "channel": {"customer"}},
		"POST /console/conversions":          {"from": {"growth"}, "to": {"points"}, "units": {"10"}, "amount": {"1"}, "mode": {"keep"}},
		"POST /console/grants/:id":           {"do": {"approve"}},
		"POST /console/members/:id/undo":     {"memo": {"x"}},
		"POST /console/keys":                 {"name": {"x"}, "scopes": {"open"}},
		"POST /console/members/:id/points":   {"amount": {"5"}, "memo": {"x"}},
		"POST /console/operators":            {"login": {"berta"}},
		"POST /console/quizzes/week":         {"d0.question": {"x"}, "d0.option": {"yes", "no"}, "d0.correct": {"0"}},
		"POST /console/reminders/:id":        {"name": {"x"}, "text": {"x"}, "channel": {"customer"}},
		"POST /console/sops/:id/turn":        {"do": {"enable"}},
		"POST /console/sops/:id":             {"name": {"x"}, "s0.text": {"x"}},
		"POST /console/replies/:id":          {"name": {"x"}, "kind": {"text"}, "text": {"x"}, "words": {"x"}},
		"POST /console/rules/sets/:id":       {"name": {"x"}, "code": {"x"}, "limit": {"5"}},
		"POST /console/segments/layers/:id":  {"name": {"x"}, "fact.0.leaf": {"member.joined"}, "fact.0.member.joined.value": {"true"}},
		"POST /console/tags":                 {"name": {"x"}},
		"POST /console/tags/groups":          {"name": {"x"}},
		"POST /console/tags/merge":           {"from": {"9"}, "into": {"8"}},
		"POST /console/tasks/:id":            {"code": {"x"}, "title_zh": {"x"}},
		"POST /console/webhooks/:id":         {"url": {"https://shop.example.com/siyu"}},
	}
}

// What the demo brand does not offer on a page. Like all others they go through write, which takes the line with it.
var elsewhere = []string{
	"POST /console/media", "POST /console/media/:id/delete", "POST /console/orders/imports", "POST /console/customers/imports", "POST /console/audiences/imports", // a file
	"POST /console/customers/:id/delete", "POST /console/recalls/new", "POST /console/recalls/:id/run", "POST /console/segments/layers",
	"POST /console/members/:id/phone", "POST /console/members/:id/unmerge", "POST /console/members/:id/erase",
	"POST /console/runs/:id/cancel", "POST /console/runs/:id/pause", "POST /console/runs/:id/retry", "POST /console/runs/:id/results/audience", "POST /console/sops/:id/people/audience", "POST /console/sops/:id/results/audience", "POST /console/pushes/:id/replay", "POST /console/risks/:id/done",
	"POST /console/webhook-deliveries/:id/replay", "POST /console/webhooks/:id/replay",
	"POST /console/works/:id/cancel", "POST /console/works/:id/retry",
	"POST /console/audiences/:id/look", "POST /console/autotags/:id/look", "POST /console/sops/:id/shift", "POST /console/sops/:id/look", // they change nothing
	"POST /console/menu/:id/delete", "POST /console/start", "POST /console/password", "POST /console/totp", "POST /console/operators/:id/totp", "POST /console/members/:id/tags",
}

// Every form of the console that changes something leaves a line in the audit log: each is found on its page and sent as a browser would,
// then those on the pages of what came of it.
func TestEveryWriteIsAudited(t *testing.T) {
	t.Parallel()
	w, b := as(t, operator.RoleOwner, demo)
	require.Empty(t, everyForm(w, b, func(string) bool { return true }))
}

// everyForm sends every form of the console whose route is wanted, so that there is one of everything. It returns the routes that no page has
// or that were refused, each with why.
func everyForm(w *apptest.World, b *browser, wanted func(route string) bool) (left map[string]string) {
	w.T.Helper()
	fill := newTyped()
	_, alice := w.Member("alice")
	anOrder(w, alice, fill)
	aLargeGrant(w, alice)
	maps.Copy(fill, perks(w, alice))
	b.post("/console/operators", "login", "anna", "role", "support")
	left = map[string]string{}
	for route := range console.Needs() {
		if strings.HasPrefix(route, "POST ") && !slices.Contains(elsewhere, route) && wanted(route) {
			left[route] = "is on no page"
		}
	}
	order := slices.SortedFunc(maps.Keys(left), func(a, b string) int { return cmp.Or(rank(a)-rank(b), strings.Compare(a, b)) })
	for range 2 {
		found := &crawler{t: b.t, browser: b, role: operator.RoleOwner, seen: map[string]int{}, forms: map[string][]posted{}}
		found.visit("/console")
		for _, route := range order {
			if left[route] != "" {
				fill.send(w, b, route, found.forms[route], left)
			}
		}
	}
	return left
}

// anOrder is one that can be given to another member: to her whose number is typed.
func anOrder(w *apptest.World, owner int64, fill typed) {
	w.T.Helper()
	m, err := w.Members.Get(w.T.Context(), owner)
	require.NoError(w.T, err)
	amount, at := int64(100), w.App.Clock.Now()
	_, err = w.Orders.Push(w.T.Context(), order.Push{Platform: "taobao", No: "T1", Status: model.OrderPaid, AmountFen: &amount, PaidAt: &at})
	require.NoError(w.T, err)
	fill["POST /console/orders/:id/assign"] = url.Values{"no": {m.No}, "reason": {"x"}}
}

// aLargeGrant waits for the operator who is signed in: somebody else asked for it.
func aLargeGrant(w *apptest.World, to int64) {
	w.T.Helper()
	points, err := w.Book.Account(w.T.Context(), model.AccountPoints)
	require.NoError(w.T, err)
	points.ManualLimit = 100
	_, err = w.Book.SaveAccount(w.T.Context(), *points)
	require.NoError(w.T, err)
	_, err = w.Book.Grant(w.T.Context(), ledger.Manual{MemberID: to, Account: model.AccountPoints, Amount: 500, Memo: "x", Actor: "operator:99"})
	require.NoError(w.T, err)
}

// send sends the first form of a route that is accepted. The operator's own row is the first on a page: it comes last.
func (y typed) send(w *apptest.World, b *browser, route string, forms []posted, left map[string]string) {
	w.T.Helper()
	for _, f := range slices.Backward(forms) {
		maps.Copy(f.values, y[route])
		before := w.Count(&model.Audit{})
		res := b.do(http.MethodPost, f.to, f.values)
		if res.StatusCode >= 400 {
			left[route] = res.Status + " " + first(alert, res.body)
			continue
		}
		require.NotContains(w.T, res.Header.Get("Location"), "/login", "%s: signed out", route)
		require.Greater(w.T, w.Count(&model.Audit{}), before, "%s is not in the audit log", route)
		delete(left, route)
		return
	}
}

var alert = regexp.MustCompile(`(?s)role="alert"[^>]*>(.*?)</div>`)

// rank puts off what takes away what other forms need.
func rank(route string) int {
	if strings.Contains(route, "delete") || strings.Contains(route, "pause") || strings.Contains(route, "erase") || strings.Contains(route, "password") || strings.Contains(route, "operators/:id") {
		return 1
	}
	return 0
}

type posted struct {
	to     string
	values url.Values
}

var (
	inputs    = regexp.MustCompile(`<input([^>]*)>`)
	areas     = regexp.MustCompile(`(?s)<textarea[^>]*name="([^"]*)"[^>]*>(.*?)</textarea>`)
	selects   = regexp.MustCompile(`(?s)<select[^>]*name="([^"]*)"[^>]*>(.*?)</select>`)
	options   = regexp.MustCompile(`<option value="([^"]*)"( selected)?`)
	attribute = func(name string) *regexp.Regexp { return regexp.MustCompile(`\b` + name + `="([^"]*)"`) }
	nameAttr  = attribute("name")
	typeAttr  = attribute("type")
	valueAttr = attribute("value")
)

func first(r *regexp.Regexp, s string) string {
	if m := r.FindStringSubmatch(s); m != nil {
		return html.UnescapeString(m[1])
	}
	return ""
}

// fields are what a browser sends for a form that nobody has touched.
func fields(form string) url.Values {
	v := url.Values{}
	for _, m := range inputs.FindAllStringSubmatch(form, -1) {
		name, kind := first(nameAttr, m[1]), first(typeAttr, m[1])
		if name == "" || (kind == "checkbox" || kind == "radio") && !strings.Contains(m[1], " checked") {
			continue
		}
		v.Add(name, first(valueAttr, m[1]))
	}
	for _, m := range areas.FindAllStringSubmatch(form, -1) {
		v.Add(m[1], html.UnescapeString(m[2]))
	}
	for _, m := range selects.FindAllStringSubmatch(form, -1) {
		chosen := ""
		for i, o := range options.FindAllStringSubmatch(m[2], -1) {
			if i == 0 || o[2] != "" {
				chosen = o[1]
			}
		}
		v.Add(m[1], chosen)
	}
	return v
}
