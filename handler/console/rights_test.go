package console_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/handler/console"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

// as makes the user demo one of the role, who has signed in.
func as(t *testing.T, role operator.Role) (*apptest.World, *browser) {
	w, b := signedIn(t)
	w.Tx(func(_ context.Context, tx *gorm.DB) error {
		return tx.Model(&model.Operator{}).Where("login = ?", operator.DemoLogin).Update("role", role).Error
	})
	return w, b
}

// Every route of the console that the engine knows, as every role.
func TestRights(t *testing.T) {
	t.Parallel()
	needs := console.Needs()
	free := []string{"GET /console/login", "POST /console/login", "POST /console/logout", "POST /console/lang"}
	for _, role := range operator.Roles {
		t.Run(string(role), func(t *testing.T) {
			t.Parallel()
			w, b := as(t, role)
			menu := b.page("/console")
			for _, r := range w.Handler.(*web.Server).Engine.Routes() {
				route := r.Method + " " + r.Path
				if !strings.HasPrefix(r.Path, "/console") || slices.Contains(free, route) {
					continue
				}
				need, ok := needs[route]
				require.True(t, ok && operator.AllRights().Has(need), "%s does not say which right it needs", route)
				res := b.do(r.Method, strings.ReplaceAll(r.Path, ":id", "999"), nil)
				require.Equal(t, role.Rights().Has(need), res.StatusCode != http.StatusForbidden, "%s: %d", route, res.StatusCode)
				require.Less(t, res.StatusCode, 500, route)
				if r.Method == http.MethodGet && !role.Rights().Has(need) {
					require.NotContains(t, menu, `href="`+r.Path+`"`)
				}
				stranger := newBrowser(t, w).do(r.Method, r.Path, nil)
				require.NotEqual(t, http.StatusOK, stranger.StatusCode, route)
			}
		})
	}
}
