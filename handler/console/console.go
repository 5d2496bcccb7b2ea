// Package console is the operator's pages under /console: server-rendered, without inline script, post/redirect/get.
// Handlers read a form, call one use case and show its answer; what a use case refuses stands beside the form with what was typed.
package console

import (
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app"
	"github.com/siyu-scrm/siyu/app/audience"
	"github.com/siyu-scrm/siyu/app/customer"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/order"
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
	needs  map[string]operator.Right // of pages, by their path below the root
}

// page is a handler whose error is answered as a page.
type page func(*gin.Context) error

// Mount registers the console's routes.
func Mount(s *web.Server, a *app.App) {
	con := &Console{app: a, report: report.New(a.DB, a.Clock, a.Zone), needs: map[string]operator.Right{}}
	open := s.Engine.Group(root, web.ConsoleSecurity(), chosenLanguage)
	open.GET("/login", answer(con.loginPage))
	open.POST("/login", answer(con.login))
	open.POST("/logout", answer(con.logout))
	open.POST("/lang", answer(con.setLanguage))

	in := open.Group("", con.signedIn)
	for _, r := range con.routes() {
		in.Handle(r.method, r.path, allowed(r.right), answer(r.page))
		if r.method == http.MethodGet {
			con.needs[r.path] = r.right
		}
	}
}

// route is a page or an action for who holds the right.
type route struct {
	method, path string
	right        operator.Right
	page         page
}

func allowed(r operator.Right) gin.HandlerFunc {
	return func(c *gin.Context) {
		if err := web.Allow(c.Request.Context(), r); err != nil {
			web.Fail(c, err)
		}
	}
}

func (con *Console) routes() []route {
	const get, post = http.MethodGet, http.MethodPost
	return []route{
		{get, "", operator.ProgrammeRead, con.dashboard},
		{get, "/start", operator.ProgrammeRead, con.start},
		{post, "/start", operator.ProgrammeWrite, con.begin},
		{get, "/members", operator.MembersRead, con.members},
		{get, "/members/:id", operator.MembersRead, con.member},
		{post, "/members/:id/points", operator.PointsGrant, con.adjust},
		{post, "/members/:id/undo", operator.PointsGrant, con.undoAdjust},
		{post, "/members/:id/tags", operator.MembersWrite, con.setTag},
		{post, "/members/:id/tier", operator.PointsGrant, con.setTier},
		{post, "/members/:id/coupons", operator.PointsGrant, con.giveMember},
		{post, "/members/:id/coupons/revoke", operator.PointsGrant, con.revokeOfMember},
		{post, "/members/:id/phone", operator.PhoneReveal, con.reveal},
		{post, "/members/:id/unmerge", operator.MembersWrite, con.unmerge},
		{post, "/members/:id/erase", operator.MembersWrite, con.erase},
		{get, "/tags", operator.ProgrammeRead, con.tags},
		{post, "/tags", operator.ProgrammeWrite, con.createTag},
		{post, "/tags/groups", operator.ProgrammeWrite, con.createGroup},
		{get, "/tags/hygiene", operator.ProgrammeRead, con.hygiene},
		{post, "/tags/merge", operator.ProgrammeWrite, con.mergeTags},
		{get, "/segments", operator.ProgrammeRead, con.segments},
		{get, "/segments/rfm", operator.ProgrammeRead, con.rfm},
		{post, "/segments/rfm", operator.ProgrammeWrite, con.saveRFM},
		{post, "/segments/layers", operator.ProgrammeWrite, con.startLayers},
		{get, "/segments/layers/:id", operator.ProgrammeRead, con.layer},
		{post, "/segments/layers/:id", operator.ProgrammeWrite, con.saveLayer},
		{post, "/segments/layers/:id/delete", operator.ProgrammeWrite, con.deleteLayer},
		{get, "/autotags", operator.ProgrammeRead, con.autoTags},
		{get, "/autotags/:id", operator.ProgrammeRead, con.autoTag},
		{post, "/autotags/:id", operator.ProgrammeWrite, con.saveAutoTag},
		{post, "/autotags/:id/look", operator.ProgrammeRead, con.lookAutoTag},
		{get, "/events/:id/why", operator.MembersRead, con.why},
		{get, "/try", operator.MembersRead, con.try},
		{get, "/rules", operator.ProgrammeRead, con.rules},
		{get, "/rules/:id", operator.ProgrammeRead, con.rule},
		{post, "/rules/:id", operator.ProgrammeWrite, con.saveRule},
		{post, "/rules/:id/backtest", operator.ProgrammeWrite, con.startBacktest},
		{get, "/rules/backtests/:id", operator.ProgrammeRead, con.backtest},
		{get, "/rules/sets", operator.ProgrammeRead, con.capSets},
		{get, "/rules/sets/:id", operator.ProgrammeRead, con.capSet},
		{post, "/rules/sets/:id", operator.ProgrammeWrite, con.saveCapSet},
		{post, "/rules/sets/:id/delete", operator.ProgrammeWrite, con.deleteCapSet},
		{post, "/rules/setting", operator.ProgrammeWrite, con.saveSetting},
		{get, "/tiers", operator.ProgrammeRead, con.tiers},
		{get, "/tiers/edit", operator.ProgrammeRead, con.ladder},
		{post, "/tiers", operator.ProgrammeWrite, con.saveLadder},
		{get, "/coupons", operator.ProgrammeRead, con.coupons},
		{get, "/coupons/till", operator.MembersWrite, con.till},
		{post, "/coupons/till", operator.MembersWrite, con.useCoupon},
		{get, "/coupons/:id", operator.ProgrammeRead, con.coupon},
		{post, "/coupons/:id", operator.ProgrammeWrite, con.saveCoupon},
		{post, "/coupons/:id/give", operator.PointsGrant, con.giveCoupon},
		{post, "/coupons/:id/revoke", operator.PointsGrant, con.revokeCoupon},
		{post, "/coupons/:id/return", operator.MembersWrite, con.returnCoupon},
		{get, "/mall", operator.ProgrammeRead, con.mall},
		{get, "/mall/redemptions", operator.MembersRead, con.redemptions},
		{post, "/mall/redemptions/:id/fulfil", operator.MembersWrite, con.fulfilRedemption},
		{post, "/mall/redemptions/:id/cancel", operator.MembersWrite, con.cancelRedemption},
		{get, "/mall/:id", operator.ProgrammeRead, con.item},
		{post, "/mall/:id", operator.ProgrammeWrite, con.saveItem},
		{get, "/gifts", operator.ProgrammeRead, con.gifts},
		{get, "/gifts/:id", operator.ProgrammeRead, con.gift},
		{post, "/gifts/:id", operator.PointsGrant, con.saveGift},
		{get, "/accounts", operator.ProgrammeRead, con.accounts},
		{get, "/accounts/:id", operator.ProgrammeRead, con.account},
		{post, "/accounts/:id", operator.Settings, con.saveAccount},
		{post, "/conversions", operator.Settings, con.saveConversion},
		{post, "/deduction", operator.Settings, con.saveDeduction},
		{get, "/grants", operator.MembersRead, con.grants},
		{post, "/grants/:id", operator.PointsGrant, con.decideGrant},
		{get, "/liability", operator.ProgrammeRead, con.liability},
		{get, "/quizzes", operator.ProgrammeRead, con.quizzes},
		{get, "/quizzes/week", operator.ProgrammeRead, con.quizWeek},
		{post, "/quizzes/week", operator.ProgrammeWrite, con.saveQuizWeek},
		{get, "/quizzes/:id", operator.ProgrammeRead, con.quiz},
		{post, "/quizzes/:id", operator.ProgrammeWrite, con.saveQuiz},
		{get, "/forms", operator.ProgrammeRead, con.forms},
		{get, "/forms/:id", operator.ProgrammeRead, con.form},
		{post, "/forms/:id", operator.ProgrammeWrite, con.saveForm},
		{get, "/forms/:id/results", operator.ProgrammeRead, con.formResults},
		{get, "/forms/:id/export", operator.MembersExport, con.exportForm},
		{get, "/tasks", operator.ProgrammeRead, con.tasks},
		{get, "/tasks/:id", operator.ProgrammeRead, con.task},
		{post, "/tasks/:id", operator.ProgrammeWrite, con.saveTask},
		{post, "/tasks/:id/delete", operator.ProgrammeWrite, con.deleteTask},
		{get, "/checkins", operator.ProgrammeRead, con.checkins},
		{post, "/checkins", operator.ProgrammeWrite, con.saveCheckins},
		{get, "/reminders", operator.ProgrammeRead, con.reminders},
		{get, "/reminders/:id", operator.ProgrammeRead, con.reminder},
		{post, "/reminders/:id", operator.BroadcastsSend, con.saveReminder},
		{post, "/reminders/:id/delete", operator.BroadcastsSend, con.deleteReminder},
		{get, "/calendar", operator.ProgrammeRead, con.calendar},
		{get, "/sops", operator.ProgrammeRead, con.sops},
		{get, "/sops/:id", operator.ProgrammeRead, con.sop},
		{post, "/sops/:id", operator.BroadcastsSend, con.saveSOP},
		{post, "/sops/:id/shift", operator.BroadcastsSend, con.shiftSOP},
		{post, "/sops/:id/turn", operator.BroadcastsSend, con.turnSOP},
		{get, "/groups", operator.ProgrammeRead, con.groups},
		{get, "/groups/:id", operator.ProgrammeRead, con.group},
		{post, "/groups/:id", operator.ProgrammeWrite, con.saveGroup},
		{post, "/groups/:id/days", operator.ProgrammeWrite, con.planGroup},
		{get, "/articles", operator.ProgrammeRead, con.articles},
		{get, "/articles/:id", operator.ProgrammeRead, con.article},
		{post, "/articles/:id", operator.ProgrammeWrite, con.saveArticle},
		{get, "/radars", operator.ProgrammeRead, con.radars},
		{get, "/radars/:id", operator.MembersRead, con.radar},
		{post, "/radars/:id", operator.ProgrammeWrite, con.saveRadar},
		{get, "/lives/:id", operator.ProgrammeRead, con.live},
		{post, "/lives/:id", operator.ProgrammeWrite, con.saveLive},
		{get, "/channels", operator.ProgrammeRead, con.channels},
		{get, "/channels/:id", operator.ProgrammeRead, con.channel},
		{post, "/channels/:id", operator.ProgrammeWrite, con.saveChannel},
		{get, "/channels/:id/qr.png", operator.ProgrammeRead, con.channelQR},
		{get, "/channels/:id/poster", operator.ProgrammeRead, con.channelPoster},
		{get, "/followers", operator.ProgrammeRead, con.followers},
		{post, "/followers", operator.Settings, con.syncFollowers},
		{get, "/menu", operator.ProgrammeRead, con.menus},
		{get, "/menu/:id", operator.ProgrammeRead, con.menu},
		{post, "/menu/:id", operator.ProgrammeWrite, con.saveMenu},
		{post, "/menu/publish", operator.ProgrammeWrite, con.menuDeed("menu.publish", "published", con.publishMenu)},
		{post, "/menu/import", operator.ProgrammeWrite, con.menuDeed("menu.import", "imported", con.importMenu)},
		{post, "/menu/:id/delete", operator.ProgrammeWrite, con.menuDeed("menu.delete", "deleted", con.deleteMenu)},
		{get, "/replies", operator.ProgrammeRead, con.replies},
		{get, "/replies/:id", operator.ProgrammeRead, con.reply},
		{post, "/replies/:id", operator.ProgrammeWrite, con.saveReply},
		{post, "/replies/:id/delete", operator.ProgrammeWrite, con.deleteReply},
		{get, "/media", operator.ProgrammeRead, con.media},
		{post, "/media", operator.ProgrammeWrite, con.saveMedia},
		{get, "/media/:id", operator.ProgrammeRead, con.picture},
		{post, "/media/:id/delete", operator.ProgrammeWrite, con.deleteMedia},
		{get, "/audiences", operator.ProgrammeRead, con.audiences},
		{post, "/audiences/imports", operator.MembersWrite, con.saveList},
		{get, "/audiences/imports/:id/report", operator.MembersRead, con.importReport(audience.List)},
		{get, "/audiences/:id", operator.ProgrammeRead, con.audience},
		{post, "/audiences/:id", operator.ProgrammeWrite, con.saveAudience},
		{post, "/audiences/:id/look", operator.MembersRead, con.lookAudience},
		{post, "/audiences/:id/freeze", operator.ProgrammeWrite, con.freezeAudience},
		{post, "/audiences/:id/delete", operator.ProgrammeWrite, con.deleteAudience},
		{get, "/audiences/:id/export", operator.MembersExport, con.exportAudience},
		{get, "/broadcasts", operator.ProgrammeRead, con.broadcasts},
		{get, "/broadcasts/new", operator.ProgrammeRead, con.editBroadcast},
		{get, "/broadcasts/:id", operator.ProgrammeRead, con.broadcast},
		{post, "/broadcasts/:id", operator.BroadcastsSend, con.saveBroadcast},
		{get, "/broadcasts/:id/edit", operator.ProgrammeRead, con.editBroadcast},
		{post, "/broadcasts/:id/run", operator.BroadcastsSend, con.runBroadcast},
		{post, "/broadcasts/:id/pause", operator.BroadcastsSend, con.pauseBroadcast},
		{get, "/runs/:id", operator.MembersRead, con.run},
		{get, "/runs/:id/live.json", operator.MembersRead, con.runLive},
		{post, "/runs/:id/pause", operator.BroadcastsSend, con.pauseRun},
		{post, "/runs/:id/cancel", operator.BroadcastsSend, con.cancelRun},
		{get, "/runs/:id/results", operator.MembersRead, con.results},
		{post, "/runs/:id/results/audience", operator.ProgrammeWrite, con.keepResult},
		{post, "/runs/:id/retry", operator.BroadcastsSend, con.retryRun},
		{get, "/recalls", operator.ProgrammeRead, con.recalls},
		{get, "/recalls/:id", operator.ProgrammeRead, con.recall},
		{post, "/recalls/new", operator.BroadcastsSend, con.saveRecall},
		{post, "/recalls/:id/run", operator.BroadcastsSend, con.runRecall},
		{get, "/recalls/:id/people", operator.MembersRead, con.recallPeople},
		{get, "/caps", operator.ProgrammeRead, con.sendCaps},
		{get, "/caps/:id", operator.ProgrammeRead, con.sendCap},
		{post, "/caps/:id", operator.BroadcastsSend, con.saveSendCap},
		{post, "/caps/settings", operator.BroadcastsSend, con.saveSendSettings},
		{post, "/caps/:id/delete", operator.BroadcastsSend, con.deleteSendCap},
		{post, "/broadcasts/:id/test", operator.BroadcastsSend, con.testBroadcast},
		{post, "/sops/:id/look", operator.MembersRead, con.lookSOP},
		{post, "/sops/:id/test", operator.BroadcastsSend, con.testSOP},
		{get, "/sops/:id/results", operator.MembersRead, con.sopResults},
		{post, "/sops/:id/results/audience", operator.ProgrammeWrite, con.keepSOPResult},
		{get, "/sops/:id/people", operator.MembersRead, con.sopPeople},
		{post, "/sops/:id/people/audience", operator.ProgrammeWrite, con.keepSOPPeople},
		{get, "/works", operator.ProgrammeRead, con.works},
		{get, "/jobs", operator.ProgrammeRead, con.jobs},
		{post, "/works/:id/cancel", operator.ProgrammeWrite, con.cancelWork},
		{post, "/works/:id/retry", operator.ProgrammeWrite, con.retryWork},
		{get, "/pushes", operator.Settings, con.pushes},
		{post, "/pushes/:id/replay", operator.Settings, con.replayPush},
		{get, "/orders", operator.MembersRead, con.orders},
		{get, "/orders/claims", operator.MembersRead, con.claims},
		{post, "/orders/claims", operator.ProgrammeWrite, con.saveClaims},
		{get, "/orders/imports", operator.MembersRead, con.imports},
		{post, "/orders/imports", operator.MembersWrite, con.saveImport},
		{get, "/orders/imports/:id/report", operator.MembersRead, con.importReport(order.Import)},
		{get, "/customers", operator.MembersRead, con.customers},
		{post, "/customers/imports", operator.MembersWrite, con.saveCustomers},
		{post, "/customers/:id/delete", operator.MembersWrite, con.forgetCustomer},
		{get, "/customers/imports/:id/report", operator.MembersRead, con.importReport(customer.Import)},
		{get, "/orders/:id", operator.MembersRead, con.order},
		{post, "/orders/:id/assign", operator.PointsGrant, con.assignOrder},
		{get, "/risks", operator.MembersRead, con.risks},
		{post, "/risks/:id/done", operator.MembersWrite, con.riskDone},
		{get, "/audit", operator.AuditRead, con.audit},
		{get, "/webhooks", operator.Settings, con.webhooks},
		{get, "/webhooks/:id", operator.Settings, con.webhook},
		{post, "/webhooks/:id", operator.Settings, con.saveWebhook},
		{post, "/webhooks/:id/secret", operator.Settings, con.rotateWebhook},
		{post, "/webhooks/:id/delete", operator.Settings, con.deleteWebhook},
		{post, "/webhooks/:id/replay", operator.Settings, con.replayWebhook},
		{get, "/webhook-deliveries/:id", operator.Settings, con.webhookDelivery},
		{post, "/webhook-deliveries/:id/replay", operator.Settings, con.replayWebhookDelivery},
		{get, "/operators", operator.Operators, con.operators},
		{post, "/operators", operator.Operators, con.createOperator},
		{post, "/operators/:id", operator.Operators, con.changeOperator},
		{post, "/operators/:id/password", operator.Operators, con.resetPassword},
		{get, "/keys", operator.Operators, con.keys},
		{post, "/keys", operator.Operators, con.createKey},
		{post, "/keys/:id/delete", operator.Operators, con.deleteKey},
		{get, "/totp", operator.Self, con.totp},
		{post, "/totp", operator.Self, con.changeTOTP},
		{post, "/operators/:id/totp", operator.Operators, con.resetTOTP},
		{get, "/password", operator.Self, con.password},
		{post, "/password", operator.Self, con.changePassword},
	}
}

func answer(p page) gin.HandlerFunc {
	return func(c *gin.Context) {
		if err := p(c); err != nil {
			web.Fail(c, err)
		}
	}
}

// menu is the navigation: the key of each entry and its path below the root. Who may not see the page does not see the entry.
var menu = []struct{ group, key, path string }{
	{"", "dashboard", ""},
	{"people", "members", "/members"},
	{"people", "customers", "/customers"},
	{"people", "orders", "/orders"},
	{"people", "tags", "/tags"},
	{"people", "autotags", "/autotags"},
	{"people", "audiences", "/audiences"},
	{"people", "segments", "/segments"},
	{"points", "rules", "/rules"},
	{"points", "tasks", "/tasks"},
	{"points", "checkins", "/checkins"},
	{"points", "tiers", "/tiers"},
	{"points", "coupons", "/coupons"},
	{"points", "mall", "/mall"},
	{"points", "gifts", "/gifts"},
	{"points", "accounts", "/accounts"},
	{"points", "grants", "/grants"},
	{"points", "liability", "/liability"},
	{"content", "quizzes", "/quizzes"},
	{"content", "forms", "/forms"},
	{"content", "groups", "/groups"},
	{"content", "articles", "/articles"},
	{"content", "radars", "/radars"},
	{"reach", "calendar", "/calendar"},
	{"reach", "broadcasts", "/broadcasts"},
	{"reach", "sops", "/sops"},
	{"reach", "reminders", "/reminders"},
	{"reach", "recalls", "/recalls"},
	{"reach", "caps", "/caps"},
	{"reach", "channels", "/channels"},
	{"reach", "followers", "/followers"},
	{"reach", "menu", "/menu"},
	{"reach", "replies", "/replies"},
	{"reach", "media", "/media"},
	{"system", "works", "/works"},
	{"system", "jobs", "/jobs"},
	{"system", "risks", "/risks"},
	{"system", "pushes", "/pushes"},
	{"system", "webhooks", "/webhooks"},
	{"system", "audit", "/audit"},
	{"system", "operators", "/operators"},
	{"system", "keys", "/keys"},
}

// entry is the menu entry that a path belongs to; the pages of runs belong to the broadcasts, those of live sessions
// to the articles.
func entry(path string) string {
	path = strings.TrimPrefix(path, root)
	if strings.HasPrefix(path, "/runs/") {
		return "broadcasts"
	}
	path = strings.Replace(path, "/webhook-deliveries/", "/webhooks/", 1)
	if strings.HasPrefix(path, "/lives/") {
		return "articles"
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
