package console_test

import (
	"context"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/config"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/handler/console"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

// as makes the user demo one of the role, who has signed in.
func as(t *testing.T, role operator.Role, set ...func(*config.Config)) (*apptest.World, *browser) {
	w, b := signedIn(t, set...)
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

// What a page offers, the operator may do: no link and no button leads to a refusal.
func TestPagesOfferWhatTheRoleMay(t *testing.T) {
	t.Parallel()
	for _, role := range []operator.Role{operator.RoleOwner, operator.RoleOperator, operator.RoleAnalyst, operator.RoleSupport} {
		t.Run(string(role), func(t *testing.T) {
			t.Parallel()
			w, b := as(t, role, demo)
			perks(w, w.Joined("alice"))
			crawl := &crawler{t: t, browser: b, role: role, seen: map[string]int{}}
			crawl.visit("/console")
			require.Greater(t, len(crawl.seen), 10)
		})
	}
}

// crawler opens every page that others lead to, a few of each kind.
type crawler struct {
	*browser
	t    *testing.T
	role operator.Role
	seen map[string]int

	forms map[string][]posted // by route, if wanted
}

var (
	links = regexp.MustCompile(`href="(/console[^"#]*)"`)
	forms = regexp.MustCompile(`(?s)<form([^>]*)>(.*?)</form>`)
	goal  = regexp.MustCompile(`action="([^"]+)"`)
	other = regexp.MustCompile(`formaction="([^"#]+)`)
	ids   = regexp.MustCompile(`/(\d+|new|all|points|growth|experience)(/|$)`) // of accounts their codes
)

func (c *crawler) visit(path string) {
	route := "GET " + ids.ReplaceAllString(path, "/:id$2")
	if c.seen[path] > 0 || strings.HasSuffix(path, ".png") {
		return
	}
	c.seen[path]++
	if c.seen[route]++; c.seen[route] > 3 && path != route[4:] {
		return
	}
	page := c.page(path)
	for _, f := range forms.FindAllStringSubmatch(page, -1) {
		to := goal.FindStringSubmatch(f[1])
		if !strings.Contains(f[1], `method="post"`) || !strings.Contains(f[2], "<button") || len(to) < 2 {
			continue
		}
		for _, to := range append(other.FindAllStringSubmatch(f[2], -1), to) {
			route := c.may(path, "POST", to[1])
			if c.forms != nil {
				c.forms[route] = append(c.forms[route], posted{to[1], fields(f[2])})
			}
		}
	}
	for _, l := range links.FindAllStringSubmatch(page, -1) {
		to, _, _ := strings.Cut(l[1], "?")
		method := http.MethodGet
		if strings.HasSuffix(to, "/new") || strings.HasSuffix(to, "/edit") {
			method = http.MethodPost // what for else
		}
		if c.may(path, method, to); to != path {
			c.visit(to)
		}
	}
}

// may fails where the role may not do what the page offers.
func (c *crawler) may(page, method, to string) (route string) {
	c.t.Helper()
	needs := console.Needs()
	to = strings.TrimSuffix(to, "/edit")
	route = method + " " + ids.ReplaceAllString(to, "/:id$2")
	for _, r := range []string{method + " " + to, method + " " + strings.TrimSuffix(to, "/new")} {
		if _, ok := needs[route]; !ok {
			route = r
		}
	}
	need, ok := needs[route]
	require.True(c.t, ok || strings.HasSuffix(to, "/logout") || strings.HasSuffix(to, "/lang"), "%s leads to %s %s, which is no page", page, method, to)
	require.True(c.t, !ok || c.role.Rights().Has(need), "%s offers %s %s, which needs %s", page, method, to, need)
	return route
}
