package app_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// tiers is the table of DESIGN §2 and CONTRIBUTING: a package imports only packages of the tiers before its own.
var tiers = [][]string{
	{"model", "templates", "app/errs"},
	{"app/clock", "app/outward"},
	{"app/config", "app/db", "app/wechat/sandbox"},
	{"app/condition", "app/wechat", "app/carrier", "app/operator", "app/wechat/sandbox/phone", "app/db/dbtest"},
	{"app/event", "app/media", "app/work"},
	{"app/member", "app/sheet"},
	{"app/ledger", "app/tag", "app/risk", "app/consent"},
	{"app/coupon", "app/deduction"},
	{"app/reward", "app/reply"},
	{"app/tier", "app/plan", "app/wallet", "app/channel", "app/follower", "app/link", "app/menu"},
	{"app/benefit", "app/customer"},
	{"app/price"},
	{"app/checkin", "app/quiz", "app/community", "app/content", "app/order", "app/form", "app/radar", "app/mall", "app/lottery", "app/referral"},
	{"app/task", "app/audience"},
	{"app/reach"},
	{"app/broadcast", "app/recall", "app/reminder", "app/gift"},
	{"app/sop", "app/inbox", "app/automation", "app/report", "app/webhook", "app/doctor"},
	{"app"},
	{"handler/web", "job"},
	{"handler/member", "handler/admin", "handler/open", "handler/callback", "handler/console"},
	{"handler"},
	{"app/apptest", "app/apptest/browser"},
	{"cmd/siyu", "playbook"},
}

// edges are libraries that stay at the edge: who may import each.
var edges = map[string][]string{
	"github.com/gin-gonic/gin":            {"handler", "app/wechat/sandbox", "cmd/siyu"},
	"github.com/robfig/cron":              {"app/clock", "app/outward"},
	"github.com/silenceper/wechat":        {"app/wechat"},
	"gorm.io/gorm":                        {"app", "handler/admin", "cmd/siyu"},
	"github.com/danielgtaylor/huma":       {"handler"},
	"github.com/prometheus":               {"handler", "cmd/siyu"},
	"github.com/golang-jwt/jwt":           {"handler/web", "cmd/siyu"}, // cmd/siyu: the floors of its benches
	"github.com/pressly/goose":            {"app/db"},
	"github.com/goccy/go-yaml":            {"app/config"},
	"golang.org/x/crypto":                 {"app/operator"},
	"github.com/go-sql-driver/mysql":      {"app/db", "cmd/siyu"},
	"github.com/stretchr/testify":         {"app/apptest", "app/db/dbtest"},
	"github.com/chromedp/chromedp":        {"app/apptest/browser"},
	"pgregory.net/rapid":                  {},
	"github.com/xuri/excelize":            {"app/sheet"},
	"golang.org/x/text":                   {"app/sheet"},
	"github.com/RoaringBitmap/roaring/v2": {"app", "cmd/siyu"},
}

const module = "github.com/siyu-scrm/siyu/"

// imports maps each package of the tree to what its files, tests excepted, import.
func imports(t *testing.T) map[string][]string {
	t.Helper()
	root := ".."
	out := map[string][]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && (strings.HasPrefix(d.Name(), ".") && path != root || d.Name() == "testdata" || d.Name() == "data") {
			if err == nil {
				err = fs.SkipDir
			}
			return err
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		if strings.HasSuffix(path, "_test.go") && strings.HasSuffix(f.Name.Name, "_test") {
			return nil // external tests may import anything
		}
		dir, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		dir = filepath.ToSlash(dir)
		isTest := strings.HasSuffix(path, "_test.go")
		for _, i := range f.Imports {
			p, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			if !isTest || strings.HasPrefix(p, module) {
				out[dir] = append(out[dir], p)
			}
		}
		if _, ok := out[dir]; !ok {
			out[dir] = nil
		}
		return nil
	})
	require.NoError(t, err)
	return out
}

func tierOf(pkg string) int {
	return slices.IndexFunc(tiers, func(t []string) bool { return slices.Contains(t, pkg) })
}

func TestTiers(t *testing.T) {
	t.Parallel()
	all := imports(t)
	require.Greater(t, len(all), 15, "the walk found the tree")
	for pkg, list := range all {
		tier := tierOf(pkg)
		if tier < 0 {
			t.Errorf("%s is in no tier: add it to the table here and in CONTRIBUTING", pkg)
			continue
		}
		for _, i := range list {
			own, ok := strings.CutPrefix(i, module)
			if ok && tierOf(own) >= tier {
				t.Errorf("%s (tier %d) imports %s (tier %d)", pkg, tier, own, tierOf(own))
			}
		}
	}
}

func TestLibrariesStayAtTheEdge(t *testing.T) {
	t.Parallel()
	for pkg, list := range imports(t) {
		for _, i := range list {
			for lib, users := range edges {
				if i != lib && !strings.HasPrefix(i, lib+"/") {
					continue
				}
				if !slices.ContainsFunc(users, func(u string) bool { return pkg == u || strings.HasPrefix(pkg, u+"/") }) {
					t.Errorf("%s imports %s, which is for %v", pkg, i, users)
				}
			}
		}
	}
}
