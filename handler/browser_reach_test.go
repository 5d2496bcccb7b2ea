//go:build browser

package handler_test

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/apptest/browser"
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

	b := browser.Console(t, w.URL, password)
	choose := func(selector, value string) browser.Step { // as a person does: what hangs on it hears of it
		return chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`(() => {
			const c = document.querySelector(%q);
			c.value = %q;
			if (c.value !== %[2]q) throw new Error("no such choice: " + %[2]q);
			c.dispatchEvent(new Event("change", { bubbles: true }));
		})()`, selector, value))
	}
	write := func(selector, text string) browser.Step {
		return chromedp.SendKeys(chromedp.CSS(selector), text)
	}

	// The push of every Wednesday: by customer message, else as a mass send.
	b.Do(browser.Click(`a[href="/console/broadcasts"]`), browser.Visible(`a[href="/console/broadcasts/new"]`), browser.Click(`a[href="/console/broadcasts/new"]`), browser.Visible(`#name`))
	b.Do(write(`#name`, "会员日推送"), write(`#text`, "今天是会员日,三明治九折,"), choose(`[name="channel"]:nth-of-type(1)`, "customer"), browser.Visible(`[data-channel=customer]`))
	b.Do(choose(`[data-insert=text]`, "{{nickname}}"), browser.Click(`details:has([name="fallback.nickname"]) > summary`), write(`[name="fallback.nickname"]`, "您好"))
	b.Do(choose(`.rank:nth-of-type(2) select`, ""), browser.Click(`input[name=when][value=cron]`), browser.Visible(`#cron`), write(`#cron`, "0 10 * * 3"))
	b.Picture("console-broadcast-form")
	b.Do(browser.Click(`.actions button.primary`), browser.Visible(`form[action$="/test"]`))
	require.Contains(t, b.Text(`main`), "每周三 10:00")

	// The newcomers' SOP: a welcome with points at once, and an offer on the third day to who has not ordered.
	b.Do(chromedp.Navigate(w.URL+"/console/sops/new"), browser.Visible(`#name`), write(`#name`, "新会员"), choose(`[id="entry.event"]`, "member.registered"))
	b.Do(browser.Click(`details:has([name="exit.0.event"]) > summary`), choose(`[name="exit.0.event"]`, "order.paid"))
	b.Do(choose(`[name="s0.class"]`, "service"), choose(`.rank:nth-of-type(1) select`, "inbox"), choose(`.rank:nth-of-type(2) select`, ""), browser.Visible(`[name="s0.inbox.title"]`),
		write(`[name="s0.text"]`, "欢迎加入"), write(`[name="s0.inbox.title"]`, "首购优惠"))
	b.Do(browser.Click(`details:has([name="s0.grants.amount"]) > summary`), write(`[name="s0.grants.amount"]`, "50"), browser.Click(`button[name=do][value=send]`), browser.Visible(`[name="s1.key"]`))
	b.Do(choose(`[name="s1.when"]`, "day"), browser.Visible(`[name="s1.day"]`), write(`[name="s1.day"]`, "3"), choose(`[name="s1.time"]`, "10:00"))
	b.Do(choose(`#step2 .rank:nth-of-type(1) select`, "inbox"), choose(`#step2 .rank:nth-of-type(2) select`, ""), write(`[name="s1.text"]`, "首购优惠还在等您"))
	b.Do(browser.Click(`#step2 > details:has(.fact) > summary`), choose(`[name="s1.fact.0.leaf"]`, "orders.count"), choose(`[name="s1.fact.0.orders.count.op"]`, "eq"), browser.Visible(`[name="s1.fact.0.orders.count.value"]`),
		write(`[name="s1.fact.0.orders.count.value"]`, "0"))
	b.Picture("console-sop-form")
	b.Do(browser.Click(`.actions button.primary`), browser.Visible(`button[value=enable]`), browser.Click(`button[value=enable]`), browser.Visible(`button[value=pause]`))

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

	b.Do(chromedp.Navigate(w.URL+"/console/sops/1"), browser.Visible(`a[href*="/people"]`), browser.Click(`a[href*="step=step2"][href$="state=accepted"]`), browser.Visible(`a[href^="/console/members/"]`))
	require.Contains(t, b.Text(`main table`), "n1")
	b.Picture("console-sop-people")
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
