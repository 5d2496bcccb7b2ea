package console_test

import (
	"fmt"
	"net/http"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/model"
)

var secretOnce = regexp.MustCompile(`<code class="secret">([^<]+)</code>`)

func TestOperators(t *testing.T) {
	t.Parallel()
	w, b := signedIn(t)
	b.refused("/console/operators", "login", "Not A Login", "role", "support")
	b.refused("/console/operators", "login", "demo", "role", "support")
	form := []string{"_key", "once", "login", "xiaomei", "role", "support"}
	made := b.post("/console/operators", form...)
	require.Equal(t, http.StatusOK, made.StatusCode, made.body)
	password := secretOnce.FindStringSubmatch(made.body)[1]
	require.Equal(t, password, secretOnce.FindStringSubmatch(b.post("/console/operators", form...).body)[1], "a reload makes nobody new")
	require.NotContains(t, b.page("/console/operators"), password)
	var she model.Operator // MySQL gives a refused insert an id, too
	require.NoError(t, w.DB.Reader(t.Context()).Where("login = ?", "xiaomei").Take(&she).Error)
	herPage := fmt.Sprintf("/console/operators/%d", she.ID)

	hers := newBrowser(t, w)
	require.Equal(t, "/console", hers.done("/console/login", "login", "xiaomei", "password", password))
	require.Equal(t, "/console/password", hers.get("/console/members").Header.Get("Location"), "first she chooses her own")
	require.Equal(t, "/console/password", hers.done("/console/tags", "name", "x"))
	page := hers.refused("/console/password", "old", "wrong-secret", "password", "correct horse battery")
	require.NotContains(t, page, "wrong-secret")
	hers.refused("/console/password", "old", password, "password", "short")
	require.Contains(t, hers.page(hers.done("/console/password", "old", password, "password", "correct horse battery")), `role="status"`)
	require.NotContains(t, hers.page("/console/members"), `href="/console/operators"`)
	require.Equal(t, http.StatusForbidden, hers.get("/console/operators").StatusCode)
	require.Equal(t, http.StatusForbidden, hers.post(herPage, "role", "owner").StatusCode, "nobody raises himself")

	b.done(herPage, "role", "analyst")
	require.Equal(t, http.StatusSeeOther, hers.get("/console/members").StatusCode, "another role signs her out")
	b.refused("/console/operators/1", "role", "analyst")
	b.refused("/console/operators/1", "do", "disable")
	b.done(herPage, "do", "disable")
	require.Contains(t, hers.refused("/console/login", "login", "xiaomei", "password", "correct horse battery"), "用户名或密码不正确")
	b.done(herPage, "do", "enable")
	require.NotEmpty(t, secretOnce.FindStringSubmatch(b.post(herPage+"/password").body))
	require.Equal(t, http.StatusNotFound, b.post("/console/operators/99", "do", "disable").StatusCode)
	require.Contains(t, b.page("/console/audit?object=operator&actor=operator:1"), "operator.reset_password")
	require.NotContains(t, b.page("/console/audit?object=operator&actor="+fmt.Sprint("operator:", she.ID)), "operator.reset_password")
	require.Contains(t, b.page("/console/audit?from=2026-11-23T00:00&to=nonsense"), "operator.create")
	require.NotContains(t, b.page("/console/audit?from=2026-11-24T00:00"), "operator.create")
}

func TestAPIKeys(t *testing.T) {
	t.Parallel()
	w, b := signedIn(t)
	b.refused("/console/keys", "name", "shop")
	b.refused("/console/keys", "name", "shop", "scopes", "root")
	made := b.post("/console/keys", "name", "shop", "scopes", "open.members.read", "scopes", "members.read")
	require.Equal(t, http.StatusOK, made.StatusCode, made.body)
	token := secretOnce.FindStringSubmatch(made.body)[1]
	caller, err := w.Operators.Key(t.Context(), token)
	require.NoError(t, err)
	require.Equal(t, operator.Rights{operator.MembersRead, operator.OpenMembers}, caller.Rights)
	require.NotContains(t, b.page("/console/keys"), token)
	b.done("/console/keys/2/delete")
	_, err = w.Operators.Key(t.Context(), token)
	require.Error(t, err)
	require.Equal(t, http.StatusNotFound, b.post("/console/keys/2/delete").StatusCode)
}
