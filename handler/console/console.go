// Package console is the operator's pages under /console: server-rendered, without inline script, post/redirect/get.
// Handlers read a form, call one use case and show its answer; what a use case refuses stands beside the form with what was typed.
package console

import (
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app"
	"github.com/siyu-scrm/siyu/app/report"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

// root is where the console lives.
const root = "/console"

// Console is the pages over an app.
type Console struct {
	app    *app.App
	report *report.Service
	qr     tickets
}

// page is a handler whose error is answered as a page.
type page func(*gin.Context) error

// Mount registers the console's routes.
func Mount(s *web.Server, a *app.App) {
	con := &Console{app: a, report: report.New(a.DB, a.Clock, a.Zone)}
	open := s.Engine.Group(root, web.ConsoleSecurity(), chosenLanguage)
	open.GET("/login", answer(con.loginPage))
	open.POST("/login", answer(con.login))
	open.POST("/logout", answer(con.logout))
	open.POST("/lang", answer(con.setLanguage))

	in := open.Group("", con.signedIn)
	for _, r := range con.routes() {
		in.Handle(r.method, r.path, answer(r.page))
	}
}

type route struct {
	method, path string
	page         page
}

func (con *Console) routes() []route {
	const get, post = http.MethodGet, http.MethodPost
	return []route{
		{get, "", con.dashboard},
		{get, "/members", con.members},
		{get, "/members/:id", con.member},
		{post, "/members/:id/points", con.adjust},
		{post, "/members/:id/tags", con.setTag},
		{get, "/tags", con.tags},
		{post, "/tags", con.createTag},
		{post, "/tags/groups", con.createGroup},
		{get, "/autotags", con.autoTags},
		{get, "/autotags/:id", con.autoTag},
		{post, "/autotags/:id", con.saveAutoTag},
		{get, "/rules", con.rules},
		{get, "/rules/:id", con.rule},
		{post, "/rules/:id", con.saveRule},
		{get, "/quizzes", con.quizzes},
		{get, "/quizzes/:id", con.quiz},
		{post, "/quizzes/:id", con.saveQuiz},
		{get, "/channels", con.channels},
		{get, "/channels/:id", con.channel},
		{post, "/channels/:id", con.saveChannel},
		{get, "/channels/:id/qr.png", con.channelQR},
		{get, "/broadcasts", con.broadcasts},
		{get, "/broadcasts/new", con.editBroadcast},
		{get, "/broadcasts/:id", con.broadcast},
		{post, "/broadcasts/:id", con.saveBroadcast},
		{get, "/broadcasts/:id/edit", con.editBroadcast},
		{post, "/broadcasts/:id/run", con.runBroadcast},
		{post, "/broadcasts/:id/pause", con.pauseBroadcast},
		{get, "/runs/:id", con.run},
		{get, "/runs/:id/live.json", con.runLive},
		{post, "/runs/:id/pause", con.pauseRun},
		{post, "/runs/:id/cancel", con.cancelRun},
		{get, "/pushes", con.pushes},
		{post, "/pushes/:id/replay", con.replayPush},
		{get, "/audit", con.audit},
	}
}

func answer(p page) gin.HandlerFunc {
	return func(c *gin.Context) {
		if err := p(c); err != nil {
			web.Fail(c, err)
		}
	}
}

// menu is the navigation: the key of each entry and its path below the root.
var menu = []struct{ key, path string }{
	{"dashboard", ""},
	{"members", "/members"},
	{"tags", "/tags"},
	{"autotags", "/autotags"},
	{"rules", "/rules"},
	{"quizzes", "/quizzes"},
	{"channels", "/channels"},
	{"broadcasts", "/broadcasts"},
	{"pushes", "/pushes"},
	{"audit", "/audit"},
}

// entry is the menu entry that a path belongs to; the pages of runs belong to the broadcasts.
func entry(path string) string {
	path = strings.TrimPrefix(path, root)
	if strings.HasPrefix(path, "/runs/") {
		return "broadcasts"
	}
	for _, m := range menu[1:] {
		if path == m.path || strings.HasPrefix(path, m.path+"/") {
			return m.key
		}
	}
	return "dashboard"
}

// operatorOf is who is signed in.
func operatorOf(c *gin.Context) *model.Operator {
	op, _ := c.Value(operatorKey).(*model.Operator)
	return op
}
