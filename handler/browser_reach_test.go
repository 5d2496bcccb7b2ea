//go:build browser

package handler_test

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/config"
	"github.com/siyu-scrm/siyu/app/wechat/sandbox/phone"
)

// TestBrowserReach is an operator who makes the member day's push of P10 and the newcomers' SOP of P27 by clicking and typing alone. Then the
// days go by, and members look at what they got.
func TestBrowserReach(t *testing.T) {
	t.Parallel()
	w := apptest.New(t, func(c *config.Config) { c.Sandbox.Demo, c.Reach.DailyCap = true, 1 })
	w.Set("2026-11-23 09:00:00")
	password, err := w.Operators.EnsureDemo(t.Context())
	require.NoError(t, err)
	m1, _ := w.Member("m1")
	w.Act(m1, "follow", map[string]any{"account": "oa"})
	away, _ := w.Member("m4") // does not follow
	w.Settle()

	b := newTab(t)
	choose := func(selector, value string) chromedp.Action[chromedp.Void] { // as a person does: what hangs on it hears of it
		return chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`(() => {
			const c = document.querySelector(%q);
			c.value = %q;
			if (c.value !== %[2]q) throw new Error("no such choice: " + %[2]q);
			c.dispatchEvent(new Event("change", { bubbles: true }));
		})()`, selector, value))
	}
	write := func(selector, text string) chromedp.Action[chromedp.Void] {
		return chromedp.SendKeys(chromedp.CSS(selector), text)
	}
	b.do(chromedp.Navigate(w.URL+"/console"), visible(`#password`), write(`#login`, "demo"), write(`#password`, password), click(`form button.primary`),
		visible(`a[href="/console/broadcasts"]`))

	// The push of every Wednesday: by customer message, else as a mass send.
	b.do(click(`a[href="/console/broadcasts"]`), visible(`a[href="/console/broadcasts/new"]`), click(`a[href="/console/broadcasts/new"]`), visible(`#name`))
	b.do(write(`#name`, "会员日推送"), write(`#text`, "今天是会员日,三明治九折,"), choose(`[name="channel"]:nth-of-type(1)`, "customer"), visible(`[data-channel=customer]`))
	b.do(choose(`[data-insert=text]`, "{{nickname}}"), click(`details:has([name="fallback.nickname"]) > summary`), write(`[name="fallback.nickname"]`, "您好"))
	b.do(choose(`.rank:nth-of-type(2) select`, ""), click(`input[name=when][value=cron]`), visible(`#cron`), write(`#cron`, "0 10 * * 3"))
	b.picture("console-broadcast-form")
	b.do(click(`.actions button.primary`), visible(`form[action$="/test"]`))
	require.Contains(t, b.text(`main`), "每周三 10:00")

	// The newcomers' SOP: a welcome with points at once, and an offer on the third day to who has not ordered.
	b.do(chromedp.Navigate(w.URL+"/console/sops/new"), visible(`#name`), write(`#name`, "新会员"), choose(`[id="entry.event"]`, "member.registered"))
	b.do(click(`details:has([name="exit.0.event"]) > summary`), choose(`[name="exit.0.event"]`, "order.paid"))
	b.do(choose(`[name="s0.class"]`, "service"), choose(`.rank:nth-of-type(1) select`, "inbox"), choose(`.rank:nth-of-type(2) select`, ""), visible(`[name="s0.inbox.title"]`),
		write(`[name="s0.text"]`, "欢迎加入"), write(`[name="s0.inbox.title"]`, "首购优惠"))
	b.do(click(`details:has([name="s0.grants.amount"]) > summary`), write(`[name="s0.grants.amount"]`, "50"), click(`button[name=do][value=send]`), visible(`[name="s1.key"]`))
	b.do(choose(`[name="s1.when"]`, "day"), visible(`[name="s1.day"]`), write(`[name="s1.day"]`, "3"), choose(`[name="s1.time"]`, "10:00"))
	b.do(choose(`#step2 .rank:nth-of-type(1) select`, "inbox"), choose(`#step2 .rank:nth-of-type(2) select`, ""), write(`[name="s1.text"]`, "首购优惠还在等您"))
	b.do(click(`#step2 > details:has(.fact) > summary`), choose(`[name="s1.fact.0.leaf"]`, "orders.count"), choose(`[name="s1.fact.0.orders.count.op"]`, "eq"), visible(`[name="s1.fact.0.orders.count.value"]`),
		write(`[name="s1.fact.0.orders.count.value"]`, "0"))
	b.picture("console-sop-form")
	b.do(click(`.actions button.primary`), visible(`button[value=enable]`), click(`button[value=enable]`), visible(`button[value=pause]`))

	n1, id := w.Member("n1")
	w.Settle()
	before := w.Points(id)
	require.GreaterOrEqual(t, before, int64(50))
	require.Equal(t, []string{"首购优惠: 欢迎加入"}, kept(w, n1))
	w.Set("2026-11-25 09:59:59")
	w.Act(m1, "text", map[string]any{"account": "oa", "content": "在吗"}) // opens the window of customer messages
	w.Set("2026-11-25 10:00:00")
	w.Settle()
	require.Contains(t, told(w, m1), "今天是会员日,三明治九折,m1")
	require.NotContains(t, told(w, away), "会员日")
	w.Set("2026-11-26 09:59:59")
	w.Settle()
	require.Len(t, kept(w, n1), 1)
	w.Set("2026-11-26 10:00:00")
	w.Settle()
	require.Equal(t, []string{": 首购优惠还在等您", "首购优惠: 欢迎加入"}, kept(w, n1))
	require.Empty(t, kept(w, m1), "who had registered before is not in it")

	b.do(chromedp.Navigate(w.URL+"/console/sops/1"), visible(`a[href*="/people"]`), click(`a[href*="step=step2"][href$="state=accepted"]`), visible(`a[href^="/console/members/"]`))
	require.Contains(t, b.text(`main table`), "n1")
	b.picture("console-sop-people")
	w.Verified()
}

// kept is what a member finds in the inbox of the mini-program, the newest first.
func kept(w *apptest.World, p *phone.Person) (out []string) {
	w.T.Helper()
	var list struct {
		Items []struct{ Title, Text string }
	}
	require.NoError(w.T, p.API(w.T.Context(), "GET", "/inbox", nil, &list))
	for _, i := range list.Items {
		out = append(out, i.Title+": "+i.Text)
	}
	return out
}

// told is all that came to his phone.
func told(w *apptest.World, p *phone.Person) string {
	w.T.Helper()
	var list any
	require.NoError(w.T, w.Call(w.T.Context(), "GET", "/sandbox/api/users/"+p.ID+"/inbox", "", nil, &list))
	return fmt.Sprint(list)
}
