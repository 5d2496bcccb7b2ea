package console_test

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/config"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/radar"
	"github.com/siyu-scrm/siyu/handler/console"
	"github.com/siyu-scrm/siyu/job"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

// browser is an operator's browser. It follows no redirect.
type browser struct {
	t      *testing.T
	base   string
	client *http.Client
}

type answer struct {
	*http.Response
	body string
}

func newBrowser(t *testing.T, w *apptest.World) *browser {
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	b := &browser{t: t, base: w.URL, client: &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	t.Cleanup(b.client.CloseIdleConnections)
	return b
}

func (b *browser) do(method, path string, form url.Values, headers ...string) answer {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.base+path, strings.NewReader(form.Encode()))
	require.NoError(b.t, err)
	req.Header.Set("Accept", "text/html")
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", b.base)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := b.client.Do(req)
	require.NoError(b.t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(b.t, err)
	return answer{res, html.UnescapeString(string(body))}
}

func (b *browser) get(path string) answer {
	b.t.Helper()
	return b.do(http.MethodGet, path, nil)
}

// page gets a page that must be there.
func (b *browser) page(path string) string {
	b.t.Helper()
	res := b.get(path)
	require.Equal(b.t, http.StatusOK, res.StatusCode, "%s: %s", path, res.body)
	return res.body
}

// post fills in a form.
func (b *browser) post(path string, pairs ...string) answer {
	b.t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	return b.do(http.MethodPost, path, form)
}

// done posts a form that must be accepted, and returns where it leads.
func (b *browser) done(path string, pairs ...string) string {
	b.t.Helper()
	res := b.post(path, pairs...)
	require.Equal(b.t, http.StatusSeeOther, res.StatusCode, "%s: %s", path, res.body)
	return res.Header.Get("Location")
}

// refused posts a form that must come back with what was typed.
func (b *browser) refused(path string, pairs ...string) string {
	b.t.Helper()
	res := b.post(path, pairs...)
	require.GreaterOrEqual(b.t, res.StatusCode, 400, "%s leads to %s", path, res.Header.Get("Location"))
	require.Less(b.t, res.StatusCode, 500, res.body)
	require.Contains(b.t, res.body, `role="alert"`)
	return res.body
}

// signedIn is an operator at work.
func signedIn(t *testing.T, set ...func(*config.Config)) (*apptest.World, *browser) {
	w := apptest.New(t, set...)
	password, err := w.Operators.EnsureDemo(t.Context())
	require.NoError(t, err)
	b := newBrowser(t, w)
	require.Equal(t, "/console", b.done("/console/login", "login", "demo", "password", password))
	return w, b
}

func demo(c *config.Config) { c.Sandbox.Demo = true }

func TestLogin(t *testing.T) {
	t.Parallel()
	t.Run("AWrongPasswordIsRefusedAndTheLoginStays", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		_, err := w.Operators.EnsureDemo(t.Context())
		require.NoError(t, err)
		b := newBrowser(t, w)
		res := b.post("/console/login", "login", "demo", "password", "hunter22", "next", "/console/tags")
		require.Equal(t, http.StatusUnauthorized, res.StatusCode)
		require.Contains(t, res.body, "用户名或密码不正确")
		require.Contains(t, res.body, `value="demo"`)
		require.Contains(t, res.body, `value="/console/tags"`)
		require.NotContains(t, res.body, "hunter22")
		for range 5 {
			res = b.post("/console/login", "login", "demo", "password", "hunter22")
		}
		require.Equal(t, http.StatusTooManyRequests, res.StatusCode)
		require.Regexp(t, `^[1-9][0-9]?$`, res.Header.Get("Retry-After"))
	})
	t.Run("OpensASessionWhoseCookieScriptsCannotReadAndLogoutEndsIt", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		password, err := w.Operators.EnsureDemo(t.Context())
		require.NoError(t, err)
		b := newBrowser(t, w)
		require.Equal(t, "/console/login?next=%2Fconsole%2Fmembers%3Fq%3Da", b.get("/console/members?q=a").Header.Get("Location"))
		res := b.post("/console/login", "login", "demo", "password", password, "next", "/console/members?q=a")
		require.Equal(t, "/console/members?q=a", res.Header.Get("Location"))
		require.Len(t, res.Cookies(), 1)
		c := res.Cookies()[0]
		require.Equal(t, []any{"siyu_session", true, http.SameSiteLaxMode, "/", false}, []any{c.Name, c.HttpOnly, c.SameSite, c.Path, c.Secure})
		require.Contains(t, b.page("/console"), "demo")
		b.done("/console/logout")
		require.Equal(t, http.StatusSeeOther, b.get("/console").StatusCode)
		stolen := newBrowser(t, w)
		require.Equal(t, http.StatusSeeOther, stolen.do(http.MethodGet, "/console", nil, "Cookie", c.Name+"="+c.Value).StatusCode)
	})
	t.Run("BehindTLSTheCookieBelongsToTheHostAlone", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		password, err := w.Operators.EnsureDemo(t.Context())
		require.NoError(t, err)
		res := newBrowser(t, w).do(http.MethodPost, "/console/login", url.Values{"login": {"demo"}, "password": {password}}, "X-Forwarded-Proto", "https")
		require.Equal(t, http.StatusSeeOther, res.StatusCode)
		c := res.Cookies()[0]
		require.Equal(t, []any{"__Host-siyu", true, true, "/", ""}, []any{c.Name, c.Secure, c.HttpOnly, c.Path, c.Domain})
	})
	t.Run("NobodyGetsInWithout", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		b := newBrowser(t, w)
		for _, p := range pages {
			require.Equal(t, http.StatusSeeOther, b.get(p).StatusCode, p)
		}
		for _, p := range []string{"/console/tags", "/console/members/1/points", "/console/rules/new", "/console/broadcasts/1/run", "/console/pushes/1/replay"} {
			require.Equal(t, "/console/login", b.done(p, "name", "x"), p)
		}
		require.Equal(t, http.StatusUnauthorized, b.get("/console/runs/1/live.json").StatusCode)
	})
}

func TestAnotherOriginChangesNothing(t *testing.T) {
	t.Parallel()
	w, b := signedIn(t)
	form := url.Values{"group_id": {"1"}, "name": {"强加的"}}
	for _, headers := range [][]string{
		{"Origin", "https://evil.example"}, {"Origin", "null"}, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"},
	} {
		require.Equal(t, http.StatusForbidden, b.do(http.MethodPost, "/console/tags", form, headers...).StatusCode, "%v", headers)
	}
	tags, err := w.Tags.List(t.Context())
	require.NoError(t, err)
	for _, tag := range tags {
		require.NotEqual(t, "强加的", tag.Name)
	}
	require.Equal(t, http.StatusForbidden, b.do(http.MethodPost, "/console/login", url.Values{"login": {"x"}}, "Origin", "https://evil.example").StatusCode)
}

// pages are all pages of the demo brand; {member} and {run} are filled in.
var pages = []string{
	"/console", "/console/start", "/console/members", "/console/members?q=1&tag=1&joined=yes", "/console/members?did=registered&day=2026-11-23&columns=1&column=points&column=joined", "/console/members/{member}", "/console/tags", "/console/tags/hygiene", "/console/segments", "/console/totp", "/console/segments/rfm", "/console/segments/layers/new", "/console/segments/layers/2", "/console/audiences/new?tag=1&tag=2", "/console/autotags",
	"/console/autotags/new", "/console/autotags/1", "/console/autotags/2", "/console/rules", "/console/rules/new", "/console/rules/1", "/console/rules/2",
	"/console/quizzes", "/console/quizzes/new", "/console/quizzes/1", "/console/quizzes/week", "/console/forms", "/console/forms/new", "/console/forms/1", "/console/forms/1/results", "/console/forms/1/results?split=tier", "/console/groups", "/console/groups/new",
	"/console/groups/1", "/console/groups/1?period=week", "/console/articles", "/console/articles/new", "/console/articles/1", "/console/lives/new", "/console/lives/1", "/console/radars", "/console/radars/new", "/console/radars/1", "/console/radars/1?of=visitors", "/console/followers", "/console/channels", "/console/channels/new", "/console/channels/1", "/console/channels/1/poster", "/console/customers", "/console/recalls", "/console/recalls/new", "/console/caps", "/console/calendar", "/console/sops", "/console/sops/new", "/console/sops/new?template=important",
	"/console/broadcasts", "/console/broadcasts/new", "/console/broadcasts/1", "/console/broadcasts/1/edit", "/console/runs/{run}", "/console/runs/{run}/results", "/console/runs/{run}/results?group=all&what=sent",
	"/console/tiers", "/console/tiers?event=checkin.done&times=30", "/console/tiers/edit", "/console/coupons", "/console/coupons/new", "/console/coupons/1", "/console/coupons/till",
	"/console/mall", "/console/mall/new", "/console/mall/1", "/console/mall/redemptions", "/console/gifts", "/console/gifts/new", "/console/gifts/1", "/console/gifts/2",
	"/console/runs/{run}?state=suppressed&reason=UNSUBSCRIBED", "/console/pushes", "/console/pushes?state=done", "/console/audit",
}

var (
	inline = regexp.MustCompile(`(?i)<script>|<style|\sstyle=|\son[a-z]+="|href="javascript:|src="(https?:)?//|href="https?://`)
	rawKey = regexp.MustCompile(`[^/]console\.[a-z][a-z_.]+|&lt;no value|<no value>|%!`)
)

func TestEveryPageShowsItsDataInBothLanguages(t *testing.T) {
	t.Parallel()
	w, b := signedIn(t, demo)
	p, id := w.Member("小林")
	w.Member("别人")
	w.Act(p, "follow", map[string]any{"account": "oa", "scene": "poster"})
	w.Advance(0)
	w.Act(p, "text", map[string]any{"account": "oa", "content": "签到"})
	w.Act(p, "text", map[string]any{"account": "oa", "content": "我是敏感肌"})
	w.Advance(0)
	perks(w, id)
	b.done(fmt.Sprintf("/console/members/%d/points", id), "account", "points", "amount", "7", "memo", "补偿")
	run := b.done("/console/broadcasts/1/run")
	w.Advance(0)
	fill := strings.NewReplacer("{member}", fmt.Sprint(id), "{run}", strings.TrimPrefix(strings.Split(run, "?")[0], "/console/runs/"))
	for lang, word := range map[string]string{"zh-CN": "退出", "en": "Sign out"} {
		require.Equal(t, "/console/tags", b.done("/console/lang", "lang", lang, "next", "/console/tags"))
		for _, path := range pages {
			res := b.get(fill.Replace(path))
			require.Equal(t, http.StatusOK, res.StatusCode, "%s: %s", path, res.body)
			require.Contains(t, res.body, `<html lang="`+lang+`">`)
			require.Contains(t, res.body, word, path)
			require.Empty(t, rawKey.FindString(res.body), "%s shows a key", path)
			require.Empty(t, inline.FindString(res.body), "%s has something inline or from outside", path)
			require.Contains(t, res.Header.Get("Content-Security-Policy"), "script-src 'self'")
			require.NotContains(t, res.Header.Get("Content-Security-Policy"), "unsafe")
		}
	}
	b.done("/console/lang", "lang", "zh-CN")
	facts := b.page(fill.Replace("/console/members/{member}"))
	for _, want := range []string{
		"小林", "敏感肌", "门店海报", "聊天提到敏感肌", "每日签到", "连续第 7 天另得积分 +20", "补偿", "— demo", "签到", "已关注", `href="/console/rules/2"`, "每周三会员日",
	} {
		require.Contains(t, facts, want)
	}
	require.Contains(t, b.page("/console"), "每周三会员日")
	require.Contains(t, b.page("/console"), "今明两天没有安排")
	require.Equal(t, 5, strings.Count(b.page("/console/calendar"), `href="/console/broadcasts/1"`), "five Wednesdays")
	require.Contains(t, b.page("/console/members?q=小林"), fmt.Sprintf("/console/members/%d", id))
	require.Contains(t, b.page("/console/members?columns=1&column=points"), "<th class=\"num\">积分</th>")
	again := b.page("/console/members?did=registered&day=x")
	require.Contains(t, again, "<th class=\"num\">积分</th>", "the browser remembers")
	require.NotContains(t, again, "<th>标签</th>")
	require.NotContains(t, b.page("/console/members?q=nobody"), fmt.Sprintf("/console/members/%d\"", id))
	w.Set("2026-11-24 09:00:00")
	require.Contains(t, b.page("/console"), `<time datetime="2026-11-25">2026-11-25 10:00</time> <a href="/console/broadcasts/1">`, "what the clock sends tomorrow")
}

func TestTags(t *testing.T) {
	t.Parallel()
	w, b := signedIn(t)
	require.Equal(t, "/console/tags?done=saved", b.done("/console/tags", "group_id", "1", "name", "油皮", "_key", "one"))
	require.Contains(t, b.page("/console/tags?done=saved"), "已保存。")
	require.Equal(t, "/console/tags?done=saved", b.done("/console/tags", "group_id", "1", "name", "油皮", "_key", "one"), "a double click does nothing twice")
	body := b.refused("/console/tags", "group_id", "1", "name", "油皮")
	require.Contains(t, body, "该组已有同名标签")
	require.Contains(t, body, `value="油皮"`)
	b.done("/console/tags/groups", "name", "肤质", "exclusive", "on")
	require.Contains(t, b.page("/console/tags"), "肤质")
	tags, err := w.Tags.List(t.Context())
	require.NoError(t, err)
	id := fmt.Sprint(tags[len(tags)-1].ID)
	for _, tag := range tags {
		if tag.Name == "油皮" {
			id = fmt.Sprint(tag.ID)
		}
	}
	_, member := w.Member("阿青")
	path := fmt.Sprintf("/console/members/%d", member)
	b.done(path+"/tags", "tag", id, "reason", "门店说的")
	facts := b.page(path)
	require.Contains(t, facts, "油皮")
	require.Contains(t, facts, "门店说的")
	b.done(path+"/tags", "tag", id, "do", "remove")
	held, err := w.Tags.Of(t.Context(), member)
	require.NoError(t, err)
	require.Empty(t, held)
	require.Contains(t, b.refused(path+"/tags", "tag", "", "reason", "忘了选"), `value="忘了选"`)
	log := b.page("/console/audit")
	for _, want := range []string{"tag.create", "tag_group.create", "tag.set", "tag.remove", "demo", fmt.Sprintf("member:%d", member)} {
		require.Contains(t, log, want)
	}
}

func TestAdjustment(t *testing.T) {
	t.Parallel()
	w, b := signedIn(t)
	_, member := w.Member("阿青")
	path := fmt.Sprintf("/console/members/%d", member)
	for range 2 {
		require.Equal(t, path+"?done=adjusted", b.done(path+"/points", "account", "points", "amount", "100", "memo", "活动补发", "_key", "k1"))
	}
	require.EqualValues(t, 100, w.Points(member), "the same filling-in posts once")
	require.Contains(t, b.refused(path+"/points", "account", "points", "amount", "100", "memo", "别的原因", "_key", "k1"), "别的原因")
	body := b.refused(path+"/points", "account", "points", "amount", "-500", "memo", "扣回")
	require.Contains(t, body, "还差 400")
	require.Contains(t, body, `value="-500"`)
	require.Contains(t, body, `value="扣回"`)
	require.Contains(t, b.refused(path+"/points", "account", "points", "amount", "many", "memo", "x"), "此项须填整数")
	require.Contains(t, b.refused(path+"/points", "account", "points", "amount", "5", "memo", ""), "请填写调整原因")
	b.done(path+"/points", "account", "points", "amount", "-500", "memo", "扣回", "debt", "on")
	require.EqualValues(t, -400, w.Points(member))
	audits, err := w.Operators.Audits(t.Context(), operator.AuditQuery{Limit: 10})
	require.NoError(t, err)
	audits = slices.DeleteFunc(audits, func(a model.Audit) bool { return a.Actor != "operator:1" })
	require.Len(t, audits, 2, "what was refused or repeated left no line")
	require.Equal(t, "points.adjust", audits[0].Action)
	require.JSONEq(t, `{"account":"points","balance":100}`, string(audits[0].Before))
	require.Contains(t, string(audits[0].After), `"memo":"扣回"`)
	w.Verified()
}

func TestPointRules(t *testing.T) {
	t.Parallel()
	w, b := signedIn(t)
	form := func(name, points string) []string {
		return []string{
			"name", name, "code", "sign", "trigger", "checkin.done", "enabled", "on", "shape", "form", "facts", "any",
			"grant.0.kind", "fixed", "grant.0.account", "points", "grant.0.amount", points, "grant.1.kind", "fixed", "grant.1.account", "growth", "grant.1.amount", "1",
			"grant.3.kind", "streak", "grant.3.account", "points", "grant.3.days", "3", "grant.3.more", "20", "grant.3.days", "", "grant.3.more", "",
			"cap.0.period", "day", "cap.0.account", "", "cap.0.limit", "1", "from", "2026-11-01T00:00", "until", "",
		}
	}
	body := b.refused("/console/rules/new", form("每日打卡", "-5")...)
	require.Contains(t, body, "数额须在 1 到")
	for _, kept := range []string{`value="每日打卡"`, `value="-5"`, `value="20"`, `value="2026-11-01T00:00"`} {
		require.Contains(t, body, kept)
	}
	require.Regexp(t, `name="grant.0.amount"[^>]*aria-invalid`, body)
	require.NotRegexp(t, `name="grant.1.amount"[^>]*aria-invalid`, body)
	require.NotContains(t, body, "<code>grant", "the control is marked: its path says nothing more")
	require.Equal(t, 5, strings.Count(body, `name="grant.3.days"`), "a refused form does not grow")
	require.Equal(t, "/console/rules?done=saved", b.done("/console/rules/new", form("每日打卡", "5")...))
	list := b.page("/console/rules")
	require.Contains(t, list, "签到:积分 +5 和 成长值 +1 和 连续第 3 天另得积分 +20;每人每天最多 1 次;从 2026-11-01 00:00 起")
	b.done("/console/rules/1", form("每日打卡", "6")...)
	edit := b.page("/console/rules/1")
	require.Contains(t, edit, `value="6"`)
	require.Regexp(t, `(?s)v2</td>.*demo.*v1</td>.*demo.*积分 \+5`, edit, "its versions, with who made them")
	require.Contains(t, b.page("/console/rules"), "v2")
	p, member := w.Member("阿青")
	w.Act(p, "follow", map[string]any{"account": "oa"})
	w.Advance(0) // the unionid is asked: both identities are one person
	w.Act(p, "text", map[string]any{"account": "oa", "content": "签到"})
	require.EqualValues(t, 6, w.Points(member))
	require.Regexp(t, `本月发放\s*<b>成长值 \+1</b>\s*<b>积分 \+6</b>`, b.page("/console/rules"))
	body = b.refused("/console/rules/1", append(form("每日打卡", "6"), "fact.0.leaf", "tag", "fact.0.tag.tag_id", "999")...)
	require.Contains(t, body, "没有编号为 999 的标签")
	require.Regexp(t, `name="fact.0.tag.tag_id"[^>]*aria-invalid`, body)
	counted := b.refused("/console/rules/1", append(form("每日打卡", "0"), "fact.0.leaf", "did", "fact.0.did.event", "quiz.gone", "fact.0.did.op", "gte", "fact.0.did.count", "15")...)
	require.Regexp(t, `<input[^>]*name="fact.0.did.count" value="15"`, counted, "what was typed can be typed over")
	require.Contains(t, counted, `<option value="quiz.gone" selected>`, "what is not offered any more is kept")
	for field, pairs := range map[string][]string{
		"grant.4.factor": {"grant.4.kind", "multiply", "grant.4.account", "points", "grant.4.factor", "1"}, "grant.4.coupon": {"grant.4.kind", "coupon"},
		"grant.4.from": {"grant.4.kind", "bracket", "grant.4.account", "points"}, "grant.4.delay": {"grant.4.kind", "fixed", "grant.4.account", "points", "grant.4.amount", "1", "grant.4.delay", "999"},
		"budget_amount": {"budget_account", "points", "budget_period", "month", "budget_amount", "-1"}, "exclusive": {"exclusive", "Ä"}, "cap.1.limit": {"cap.1.period", "week", "cap.1.limit", "x"},
	} {
		require.Regexp(t, `name="`+field+`"[^>]*aria-invalid`, b.refused("/console/rules/1", append(form("每日打卡", "6"), pairs...)...), field)
	}
	require.Contains(t, b.refused("/console/rules/1", "name", "x", "trigger", "checkin.done", "shape", "json", "definition", `{"grant":1}`), "不认识的字段")
	b.done("/console/rules/1", "name", "x", "trigger", "checkin.done", "shape", "json", "definition",
		`{"grants":[{"kind":"fixed","account":"points","amount":1}],"until":"2027-01-01T00:00:00.5Z"}`)
	require.Regexp(t, `value="json" checked`, b.page("/console/rules/1"), "what the form cannot say is edited as JSON")
}

func TestCapSets(t *testing.T) {
	t.Parallel()
	w, b := signedIn(t)
	form := []string{"name", "互动合计", "code", "talk", "period", "day", "account", "", "limit", "0"}
	require.Regexp(t, `name="limit"[^>]*aria-invalid`, b.refused("/console/rules/sets/new", form...))
	form[9] = "2"
	b.done("/console/rules/sets/new", form...)
	b.done("/console/rules/sets/new", "name", "另一个", "code", "other", "period", "week", "account", "points", "limit", "50")
	list := b.page("/console/rules/sets")
	require.Contains(t, list, "每人每天最多 2 次")
	require.Contains(t, list, "每人每周最多 50 积分")
	form[5] = "week"
	require.Regexp(t, `name="period"[^>]*aria-invalid`, b.refused("/console/rules/sets/1", form...), "what is counted stays")
	form[5], form[9] = "day", "3"
	b.done("/console/rules/sets/1", form...)
	rule := []string{
		"name", "签到", "code", "sign", "trigger", "checkin.done", "enabled", "on", "shape", "form", "grant.0.kind", "fixed", "grant.0.account", "points", "grant.0.amount", "5", "cap_sets", "talk",
	}
	b.done("/console/rules/new", rule...)
	require.Contains(t, b.page("/console/rules/sets"), "签到")
	require.Regexp(t, `value="talk" checked`, b.page("/console/rules/1"))
	require.Contains(t, b.refused("/console/rules/sets/1/delete"), "规则「签到」")
	b.done("/console/rules/1", rule[:len(rule)-2]...)
	require.Contains(t, b.refused("/console/rules/sets/1/delete"), "规则「签到」", "an earlier version names it")
	require.Equal(t, "/console/rules/sets?done=deleted", b.done("/console/rules/sets/2/delete"))
	require.NotContains(t, b.page("/console/rules/sets"), "另一个")
	require.Equal(t, http.StatusNotFound, b.get("/console/rules/sets/2").StatusCode)

	require.Regexp(t, `name="max_factor"[^>]*aria-invalid`, b.refused("/console/rules/setting", "combine", "add", "max_factor", "0.5"))
	b.done("/console/rules/setting", "combine", "add", "max_factor", "3")
	require.Regexp(t, `(?s)<td>demo</td><td><pre>[^<]*max[^<]*</pre></td><td><pre>[^<]*add`, b.page("/console/rules/sets"), "who, before and after")
	require.Regexp(t, `value="add" selected`, b.page("/console/rules/sets"))
	s, err := w.Rewards.Setting(t.Context())
	require.NoError(t, err)
	require.Equal(t, "3", s.MaxFactor)
	log := b.page("/console/audit")
	for _, want := range []string{"cap_set.save", "cap_set.delete", "rule.setting", `"max_factor": "3"`} {
		require.Contains(t, log, want)
	}
}

func TestBacktest(t *testing.T) {
	t.Parallel()
	w, b := signedIn(t)
	p, member := w.Member("阿青")
	w.Act(p, "follow", map[string]any{"account": "oa"})
	w.Advance(0)
	w.Act(p, "text", map[string]any{"account": "oa", "content": "签到"})
	w.Advance(time.Hour)
	draft := []string{
		"name", "翻一番", "code", "twice", "trigger", "checkin.done", "shape", "form", "grant.0.kind", "fixed", "grant.0.account", "points", "grant.0.amount", "7", "days", "0", "fen_per_point", "2",
	}
	require.Regexp(t, `name="days"[^>]*aria-invalid`, b.refused("/console/rules/new/backtest", draft...))
	draft[15] = "30"
	page := b.done("/console/rules/new/backtest", draft...)
	require.Contains(t, b.page(page), "data-refresh", "it shows its progress")
	w.Advance(time.Second)
	got := b.page(page)
	require.NotContains(t, got, "data-refresh")
	for _, want := range []string{"<b>7</b>", "¥0.14", "阿青", fmt.Sprintf("/console/members/%d", member), "2026-11-2"} {
		require.Contains(t, got, want)
	}
	require.EqualValues(t, 0, w.Count(&model.PointRule{}), "nothing was saved")
	require.Contains(t, b.page("/console/works"), page)
	require.Contains(t, b.page("/console/audit"), "rule.backtest")
	require.Equal(t, http.StatusNotFound, b.get("/console/rules/backtests/99").StatusCode)
}

func TestAutoTags(t *testing.T) {
	t.Parallel()
	w, b := signedIn(t)
	b.done("/console/tags", "group_id", "1", "name", "敏感肌")
	tags, err := w.Tags.List(t.Context())
	require.NoError(t, err)
	id := fmt.Sprint(tags[0].ID)
	for _, tag := range tags {
		if tag.Name == "敏感肌" {
			id = fmt.Sprint(tag.ID)
		}
	}
	body := b.refused("/console/autotags/new", "name", "聊到敏感", "tag", id, "enabled", "on", "shape", "words", "words", " ", "excludes", "不是敏感肌")
	require.Contains(t, body, "此项必填")
	require.Contains(t, body, "不是敏感肌")
	b.done("/console/autotags/new", "name", "聊到敏感", "tag", id, "enabled", "on", "shape", "words", "words", "敏感肌\r\n敏感皮\r\n", "excludes", "不是敏感肌")
	require.Contains(t, b.page("/console/autotags"), "消息包含 「敏感肌」")
	p, member := w.Member("阿青")
	w.Act(p, "follow", map[string]any{"account": "oa"})
	w.Advance(0) // the unionid is asked: both identities are one person
	w.Act(p, "text", map[string]any{"account": "oa", "content": "我不是敏感肌"})
	require.NotContains(t, b.page(fmt.Sprintf("/console/members/%d", member)), "聊到敏感")
	w.Act(p, "text", map[string]any{"account": "oa", "content": "我是敏感皮"})
	require.Contains(t, b.page(fmt.Sprintf("/console/members/%d", member)), "聊到敏感")
	b.done("/console/autotags/1", "name", "常来", "tag", id, "enabled", "on", "shape", "count", "event", "checkin.done", "count", "2", "days", "30")
	edit := b.page("/console/autotags/1")
	require.Regexp(t, `value="count" checked`, edit)
	require.Contains(t, b.refused("/console/autotags/1", "name", "常来", "tag", id, "shape", "form", "fact.0.leaf", "json", "fact.0.json", "{"), "不是正确的条件 JSON")
	b.done("/console/autotags/1", "name", "常来", "tag", id, "shape", "form", "facts", "any",
		"fact.0.leaf", "member.joined", "fact.0.member.joined.value", "true", "fact.0.group", "1",
		"fact.1.leaf", "member.follower", "fact.1.member.follower.value", "true", "fact.1.group", "1")
	require.Regexp(t, `value="form" checked`, b.page("/console/autotags/1"), "what the short forms cannot say stands in the rows")
}

// Before a rule is saved the form says how many it would tag: of single events those of today, else the members now. Nothing is lost or
// written by it.
func TestAutoTagHits(t *testing.T) {
	t.Parallel()
	w, b := signedIn(t)
	look := func(to string, pairs ...string) string {
		res := b.post(to+"/look", pairs...)
		require.Equal(t, http.StatusOK, res.StatusCode, res.body)
		return res.body
	}
	words := []string{"name", "聊到敏感", "tag", "1", "shape", "words", "words", "敏感肌"}
	require.NotContains(t, b.page("/console/autotags/new"), "data-look-count", "nothing was typed yet")
	for _, say := range []string{"我是敏感肌", "还是敏感肌"} {
		for _, name := range []string{"阿青", "小白"} {
			p, _ := w.Member(name)
			w.Act(p, "follow", map[string]any{"account": "oa"})
			w.Act(p, "text", map[string]any{"account": "oa", "content": say})
		}
	}
	n := w.Count(&model.AutoTag{})
	body := look("/console/autotags/new", words...)
	require.Contains(t, body, `<b data-look-count>4</b><span>今天到现在</span>`, "each person once")
	require.Contains(t, body, `value="聊到敏感"`)
	require.Contains(t, body, "敏感肌</textarea>")
	require.Contains(t, look("/console/autotags/new", "shape", "form", "facts", "any", "fact.0.leaf", "member.follower", "fact.0.member.follower.value", "true"), `<b data-look-count>4</b><span>位会员,现在</span>`)
	require.Contains(t, look("/console/autotags/new", "shape", "words"), "此项必填")
	require.Contains(t, look("/console/autotags/new", "shape", "count", "event", "checkin.done", "count", "0", "days", "9999"), `class="notice warn"`)
	require.Equal(t, n, w.Count(&model.AutoTag{}))
	b.done("/console/autotags/new", words...)
	w.Advance(24 * time.Hour)
	require.Contains(t, b.page(fmt.Sprintf("/console/autotags/%d", n+1)), `<b data-look-count>0</b><span>今天到现在</span>`, "a new day")
}

func TestQuizzes(t *testing.T) {
	t.Parallel()
	w, b := signedIn(t)
	form := []string{
		"question", "1+1=?", "opens_at", "2026-11-23T09:00", "closes_at", "2026-11-24T09:00", "attempts", "1", "enabled", "on",
		"option", "二", "option_tag", "0", "option", "三", "option_tag", "0", "option", "", "option_tag", "",
	}
	body := b.refused("/console/quizzes/new", form...)
	require.Contains(t, body, "有且只有一个正确选项")
	require.Contains(t, body, `value="三"`)
	b.done("/console/quizzes/new", append(form, "correct", "0")...)
	q, err := w.Quizzes.Get(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, "2026-11-23T01:00:00Z", q.OpensAt.UTC().Format("2006-01-02T15:04:05Z"), "the form speaks the programme's zone")
	require.Contains(t, b.page("/console/quizzes/1"), `value="2026-11-23T09:00"`)
	require.Contains(t, b.page("/console/quizzes"), "进行中")
	require.Equal(t, http.StatusNotFound, b.get("/console/quizzes/99").StatusCode)
}

func TestChannels(t *testing.T) {
	t.Parallel()
	w, b := signedIn(t)
	require.Contains(t, b.refused("/console/channels/new", "name", "地铁", "code", "地铁", "welcome", "欢迎上车"), "欢迎上车")
	b.done("/console/channels/new", "name", "地铁", "code", "metro", "welcome", "欢迎上车")
	views, err := w.Channels.List(t.Context())
	require.NoError(t, err)
	path := fmt.Sprintf("/console/channels/%d", views[len(views)-1].ID)
	b.done(path, "name", "地铁", "welcome", "换了欢迎语")
	p := w.Person("路人")
	require.Equal(t, []string{"换了欢迎语"}, w.Act(p, "follow", map[string]any{"account": "oa", "scene": "metro"}))
	require.Contains(t, b.page(path), path+"/qr.png")
	res := b.get(path + "/qr.png")
	require.Equal(t, "image/png", res.Header.Get("Content-Type"))
	require.Contains(t, b.get(path+"/qr.png?download=1").Header.Get("Content-Disposition"), "channel-metro.png")
}

func TestBroadcasts(t *testing.T) {
	t.Parallel()
	w, b := signedIn(t)
	for _, name := range []string{"甲", "乙"} {
		p, _ := w.Member(name)
		w.Act(p, "follow", map[string]any{"account": "oa"})
	}
	w.Member("丙") // does not follow
	w.Advance(0)
	form := func(pairs ...string) []string {
		return append([]string{
			"name", "上新", "class", "marketing", "shape", "tags", "match", "all", "text", "您好 {{nickname}}", "channel", "customer", "channel", "", "channel", "",
		}, pairs...)
	}
	body := b.refused("/console/broadcasts/new", form("when", "hand")...)
	require.Contains(t, body, "需要替代文字")
	require.Contains(t, body, "您好 {{nickname}}")
	require.Regexp(t, `<textarea id="text"[^>]*aria-invalid`, body)
	body = b.refused("/console/broadcasts/new", form("fallback.nickname", "朋友", "when", "cron", "cron", "0 10 31 2 *")...)
	require.Contains(t, body, `value="0 10 31 2 *"`)
	body = b.refused("/console/broadcasts/new", form("fallback.nickname", "朋友", "when", "once", "at", "2026-01-01T00:00")...)
	require.Contains(t, body, `value="2026-01-01T00:00"`)

	path := strings.TrimSuffix(b.done("/console/broadcasts/new", form("fallback.nickname", "朋友", "when", "cron", "cron", "0 10 * * 3")...), "?done=saved")
	preview := b.page(path)
	for _, want := range []string{"2026-11-25 10:00:00", "2026-12-23 10:00:00", "每周三 10:00", "所有人", "没有关注", "输入人数 3"} {
		require.Contains(t, preview, want)
	}
	require.Contains(t, b.page(path+"/edit"), "您好 {{nickname}}")

	b.done(path+"/pause", "do", "pause")
	require.Contains(t, b.refused(path+"/run", "confirm", "3"), "暂停")
	b.done(path+"/pause", "do", "resume")
	require.Contains(t, b.refused(path+"/run"), "3")
	require.Contains(t, b.refused(path+"/run", "confirm", "2"), `value="2"`)
	run := strings.Split(b.done(path+"/run", "confirm", "3"), "?")[0]
	require.Contains(t, b.page(run), `data-poll="`+run+`/live.json"`)
	b.done(run+"/pause", "do", "pause")
	require.Contains(t, b.page(run), "已暂停")
	b.done(run+"/pause", "do", "resume")
	w.Advance(0)

	var live struct {
		State   string
		Over    bool
		Counts  map[string]int64
		Reasons []struct {
			Label string
			Count int64
		}
	}
	require.NoError(t, json.Unmarshal([]byte(b.page(run+"/live.json")), &live))
	require.Equal(t, model.RunDone, live.State)
	require.True(t, live.Over)
	require.EqualValues(t, 3, live.Counts["audience"])
	require.EqualValues(t, 2, live.Counts["accepted"])
	require.EqualValues(t, 1, live.Counts["suppressed"])
	require.Equal(t, "没有关注", live.Reasons[0].Label)
	require.NotContains(t, b.page(run), "data-poll")
	skipped := b.page(run + "?state=suppressed")
	require.Contains(t, skipped, "丙")
	require.NotContains(t, skipped, ">甲<")
	log := b.page("/console/audit")
	for _, want := range []string{"broadcast.save", "broadcast.run", "broadcast.paused", "broadcast.resumed", "run.paused"} {
		require.Contains(t, log, want)
	}
}

func TestPushes(t *testing.T) {
	t.Parallel()
	w, b := signedIn(t)
	p := w.Person("路人")
	w.Act(p, "follow", map[string]any{"account": "oa"})
	require.Contains(t, b.refused("/console/pushes/1/replay"), "只有失败的才能重放")
	var row model.Inbox
	require.NoError(t, w.DB.Reader(t.Context()).Take(&row, 1).Error)
	other := row.OpenID[:20] + "AnotherX"
	row.Raw = []byte(strings.ReplaceAll(string(row.Raw), row.OpenID, other))
	row.ID, row.Key, row.OpenID, row.State, row.Error, row.LeaseTill = 0, "another", other, model.InboxFailed, "a bug", clock.Real()
	require.NoError(t, w.DB.Tx(t.Context(), func(_ context.Context, tx *gorm.DB) error { return tx.Create(&row).Error }))
	list := b.page("/console/pushes?state=failed")
	require.Contains(t, list, "a bug")
	require.Contains(t, b.page("/console"), "/console/pushes?state=failed")
	require.Equal(t, "/console/pushes?done=replayed", b.done(fmt.Sprintf("/console/pushes/%d/replay", row.ID)))
	require.NotContains(t, b.page("/console/pushes?state=failed"), "a bug")
	require.Contains(t, b.page("/console/audit"), "inbox.replay")
}

func TestGroups(t *testing.T) {
	t.Parallel()
	w, b := signedIn(t)
	require.Contains(t, b.refused("/console/groups/new", "name", " "), "群名必填")
	b.done("/console/groups/new", "name", "一群", "enabled", "on")
	page := b.page("/console/groups/1")
	g, err := w.Groups.Get(t.Context(), 1)
	require.NoError(t, err)
	require.Contains(t, page, "?bind="+g.BindCode)
	require.Contains(t, page, `placeholder="`+g.Today.Word+`"`)
	days := []string{"day", "2026-11-23", "topic", "护肤", "word", "草莓好吃", "day", "2026-11-24", "topic", "", "word", ""}
	b.done("/console/groups/1/days", days...)
	require.Contains(t, b.page("/console/groups"), "草莓好吃")
	days[5] = "短"
	body := b.refused("/console/groups/1/days", days...)
	require.Contains(t, body, `value="短"`)
	require.Contains(t, body, "口令须有 4 到 16 个字")
	_, err = w.Groups.Word(t.Context(), w.Joined("小林"), "草莓好吃", w.Now())
	require.NoError(t, err)
	require.Contains(t, b.page("/console/groups/1?period=week"), "小林")
	require.Equal(t, http.StatusNotFound, b.get("/console/groups/99").StatusCode)
}

func TestArticlesAndLives(t *testing.T) {
	t.Parallel()
	_, b := signedIn(t)
	require.Contains(t, b.refused("/console/articles/new", "title", "护肤", "url", "javascript:alert(1)", "min_seconds", "15"), "链接须以")
	b.done("/console/articles/new", "title", "护肤", "url", "https://example.com/a", "min_seconds", "15", "enabled", "on")
	form := []string{"title", "草莓专场", "min_seconds", "600", "enabled", "on", "opens_at", "2026-11-23T20:00", "closes_at", "2026-11-23T20:00"}
	require.Contains(t, b.refused("/console/lives/new", form...), "结束时间须晚于开始时间")
	form[9] = "2026-11-23T22:00"
	b.done("/console/lives/new", form...)
	require.Contains(t, b.page("/console/lives/1"), `value="2026-11-23T22:00"`)
	list := b.page("/console/articles")
	for _, part := range []string{"护肤", "草莓专场", "未开始"} {
		require.Contains(t, list, part)
	}
	require.Equal(t, http.StatusNotFound, b.get("/console/articles/99").StatusCode)
}

func TestRadars(t *testing.T) {
	t.Parallel()
	w, b := signedIn(t)
	form := []string{"name", "新品蛋糕", "kind", "new-product", "target", "article", "url", "javascript:alert(1)", "high_seconds", "180", "high_forwards", "2", "medium_seconds", "10", "low_hours", "48"}
	require.Contains(t, b.refused("/console/radars/new", form...), "文章链接")
	form[7] = "https://example.com/cake"
	b.done("/console/radars/new", form...)
	page := b.page("/console/radars/1")
	for _, part := range []string{"{{radar:1}}", "停留至少 180 秒,或转发至少 2 次", "送达后 48 小时未打开", "高"} {
		require.Contains(t, page, part)
	}
	require.Contains(t, b.page("/console/radars"), "新品蛋糕")
	alice := w.Joined("爱丽丝")
	var token string
	w.Tx(func(_ context.Context, tx *gorm.DB) error {
		f, err := w.Radar.FillerTx(tx, "text", "{{radar:1}}")
		require.NoError(t, err)
		token = f.Token("{{radar:1}}", 1, alice)
		return err
	})
	s, err := w.Radar.Open(t.Context(), token, radar.Viewer{MemberID: alice}, 0)
	require.NoError(t, err)
	for range 2 {
		f, err := w.Radar.Forward(t.Context(), s.View, radar.Viewer{})
		require.NoError(t, err)
		_, err = w.Radar.Open(t.Context(), f.Token, radar.Viewer{}, 0)
		require.NoError(t, err)
	}
	require.Regexp(t, `└ <a href="/console/members/\d+">爱丽丝</a>`, b.page("/console/radars/1"))
	require.Contains(t, b.page("/console/radars/1?of=high"), "爱丽丝")
	require.Contains(t, b.page("/console/radars/1?of=visitors"), "访客 2")
	require.Contains(t, b.page("/console/members/"+strconv.FormatInt(alice, 10)), "雷达")
	form[9] = "5"
	require.Contains(t, b.refused("/console/radars/1", form...), "少于高意向")
	require.Equal(t, http.StatusNotFound, b.get("/console/radars/99").StatusCode)
}

// An operator builds any condition without JSON.
func TestEveryLeafHasItsRow(t *testing.T) {
	t.Parallel()
	require.Subset(t, console.FactLeaves(), apptest.New(t).Conditions.Names())
}

// What siyu does by itself is said in words.
func TestEveryJobHasItsWords(t *testing.T) {
	t.Parallel()
	for _, j := range job.Schedule(apptest.New(t).App) {
		require.True(t, templates.Has("job."+j.Name), j.Name)
	}
}
