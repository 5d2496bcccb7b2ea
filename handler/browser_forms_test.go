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
	"github.com/siyu-scrm/siyu/app/form"
	"github.com/siyu-scrm/siyu/model"
)

// TestBrowserForms is an operator who writes a form, with another question and a fifth option, and looks at what came of it.
func TestBrowserForms(t *testing.T) {
	t.Parallel()
	w := apptest.New(t, func(c *config.Config) { c.Sandbox.Demo = true })
	password, err := w.Operators.EnsureDemo(t.Context())
	require.NoError(t, err)
	b := browser.Console(t, w.URL, password)
	fill := func(selector, text string) browser.Step {
		return chromedp.SetValue(chromedp.CSS(selector), text)
	}
	b.Do(browser.Visible(`a[href="/console/forms"]`), chromedp.Navigate(w.URL+"/console/forms/new"), browser.Visible(`#title`),
		fill(`#title`, "您想要的福利"), fill(`[name="q.0.text"]`, "最想要哪项福利?"), fill(`[name="q.0.kind"]`, "ranking"))
	for i, o := range []string{"附属品", "特殊活动", "旅游", "保险"} {
		b.Do(fill(fmt.Sprintf(`.option:nth-of-type(%d) [name="q.0.option"]`, i+1), o))
	}
	b.Do(browser.Click(`button[name="more"]`), browser.Visible(`[name="q.1.text"]`), browser.Visible(`.option:nth-of-type(5) [name="q.0.option"]`),
		fill(`.option:nth-of-type(5) [name="q.0.option"]`, "课程"), fill(`[name="q.1.text"]`, "满意吗?"), fill(`[name="q.1.kind"]`, "rating"),
		fill(`#prize`, model.PrizePoints), fill(`#points`, "30"))
	b.Picture("console-form")
	b.Do(browser.Click(`button.primary`), browser.Visible(`a[href="/console/forms/1/results"]`))
	v, err := w.Forms.Get(t.Context(), 1)
	require.NoError(t, err)
	require.Len(t, v.Questions, 2)
	require.Len(t, v.Questions[0].Options, 5)

	for i, order := range [][]int{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}} {
		r := form.Reply{QuestionID: v.Questions[0].ID}
		for _, o := range order {
			r.Options = append(r.Options, v.Questions[0].Options[o].ID)
		}
		_, err := w.Forms.Submit(t.Context(), w.Joined(fmt.Sprint("m", i)), 1, []form.Reply{r, {QuestionID: v.Questions[1].ID, Rating: 3 + i%3}}, w.Now())
		require.NoError(t, err)
	}
	b.Do(chromedp.Navigate(w.URL+"/console/forms/1/results?split=tier"), browser.Visible(`main progress`))
	b.Picture("console-form-results")
	require.Contains(t, b.Text(`main table tbody tr:first-child`), "附属品")
	require.Contains(t, b.Text(`main`), "平均 4.00 分")
}
