package console_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/form"
	"github.com/siyu-scrm/siyu/app/tag"
	"github.com/siyu-scrm/siyu/model"
)

func TestForms(t *testing.T) {
	t.Parallel()
	w, b := signedIn(t)
	oily := fmt.Sprint(w.Tag(tag.Preference, "油皮"))
	typed := func(more ...string) []string {
		return append([]string{
			"title", "冬季调研", "opens_at", "2026-11-23T09:00", "closes_at", "2026-11-30T00:00", "enabled", "on", "editable", "on", "shape", "tags", "match", "all",
			"prize", "points", "points", "30", "stock", "2", "coupon_id", "",
			"q.0.text", "肤质?", "q.0.kind", "single", "q.0.max", "", "q.0.option", "油", "q.0.option", "干", "q.0.option", "", "q.0.option_tag", oily,
			"q.1.text", "满意?", "q.1.kind", "rating", "q.1.max", "5", "q.1.required", "on",
			"q.2.text", "", "q.2.kind", "single",
		}, more...)
	}
	require.Contains(t, b.page("/console/forms/new"), "再加题目或选项")
	for _, bad := range [][3]string{
		{"title", "", "title"},
		{"closes_at", "2026-11-23T09:00", "closes_at"},
		{"closes_at", "", "closes_at"},
		{"q.0.text", "", "q.0.text"},
		{"q.0.max", "9", "q.0.max"},
		{"q.0.max", "x", "q.0.max"},
		{"q.0.kind", "date", "q.0.kind"},
		{"q.1.max", "99", "q.1.max"},
		{"points", "0", "points"},
		{"points", "viel", "points"},
		{"stock", "-1", "stock"},
		{"prize", "car", "prize"},
		{"prize", "coupon", "coupon_id"},
		{"q.0.option_tag", "99", "q.0.option"},
	} {
		in := with(typed(), bad[0], bad[1])
		if bad[0] == "q.0.text" {
			in = with(in, "q.1.text", "")
		}
		require.Regexp(t, `name="`+bad[2]+`"[^>]*aria-invalid`, b.refused("/console/forms/new", in...), "%v", bad)
	}
	require.Zero(t, w.Count(&model.Form{}))

	more := b.post("/console/forms/new", typed("more", "on")...)
	require.Equal(t, http.StatusOK, more.StatusCode)
	require.Contains(t, more.body, `name="q.2.text"`)
	require.Contains(t, more.body, `value="冬季调研"`)
	require.Zero(t, w.Count(&model.Form{}), "more lines save nothing")

	require.Equal(t, "/console/forms/1?done=saved", b.done("/console/forms/new", typed()...))
	v, err := w.Forms.Get(t.Context(), 1)
	require.NoError(t, err)
	require.Len(t, v.Questions, 2)
	require.Equal(t, oily, fmt.Sprint(v.Questions[0].Options[0].TagID))
	require.True(t, v.Questions[1].Required)
	page := b.page("/console/forms/1")
	require.Contains(t, page, `value="肤质?"`)
	require.Contains(t, page, fmt.Sprintf(`name="q.0.option_id" value="%d"`, v.Questions[0].Options[1].ID))
	require.Contains(t, b.page("/console/forms"), "进行中")

	// Places, a question that goes, and options that keep their ids.
	kept := typed("q.0.id", fmt.Sprint(v.Questions[0].ID), "q.0.option_id", fmt.Sprint(v.Questions[0].Options[0].ID), "q.0.option_id", fmt.Sprint(v.Questions[0].Options[1].ID),
		"q.0.place", "2", "q.1.place", "1", "q.1.id", fmt.Sprint(v.Questions[1].ID))
	b.done("/console/forms/1", kept...)
	moved, err := w.Forms.Get(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, []int64{v.Questions[1].ID, v.Questions[0].ID}, []int64{moved.Questions[0].ID, moved.Questions[1].ID})
	require.Equal(t, v.Questions[0].Options[1].ID, moved.Questions[1].Options[1].ID)
	b.done("/console/forms/1", append(kept, "q.1.gone", "on")...)
	v, err = w.Forms.Get(t.Context(), 1)
	require.NoError(t, err)
	require.Len(t, v.Questions, 1)

	_, alice := w.Member("alice")
	_, err = w.Forms.Submit(t.Context(), alice, 1, []form.Reply{{QuestionID: v.Questions[0].ID, Options: []int64{v.Questions[0].Options[0].ID}}}, w.Now())
	require.NoError(t, err)
	require.Contains(t, b.page("/console/forms/1"), "已有人填写")
	b.done("/console/forms/1", with(kept, "title", "改名")...)
	again, err := w.Forms.Get(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, "改名", again.Title)
	require.Equal(t, v.Questions, again.Questions, "what is fixed stays, whatever comes")
	require.Contains(t, b.refused("/console/forms/1", with(kept, "stock", "0")...), "奖品已发出 1 份")

	results := b.page("/console/forms/1/results?split=tag-" + oily)
	for _, want := range []string{"100.0%", "1 · 100.0%", `value="100"`, "其他"} {
		require.Contains(t, results, want)
	}
	require.Contains(t, b.page("/console/forms/1/results?split=tag-99"), "不拆分")
	require.Contains(t, b.page(fmt.Sprintf("/console/members/%d", alice)), `href="/console/forms/1">改名`, "why he holds the tag")
	file := b.get("/console/forms/1/export")
	require.Contains(t, file.body, "alice,,2026-11-23 09:00:00,,油\n")
	require.Len(t, lines(w, "form.export"), 1)
	require.Len(t, lines(w, "form.save"), 4)
	require.Equal(t, http.StatusNotFound, b.get("/console/forms/99").StatusCode)
	require.Equal(t, http.StatusNotFound, b.get("/console/forms/99/results").StatusCode)
}

// What members wrote comes a page at a time, each question by itself, and nothing is left out or shown twice.
func TestFormTexts(t *testing.T) {
	t.Parallel()
	w, b := signedIn(t)
	v, err := w.Forms.Save(t.Context(), form.View{
		Form:      model.Form{Title: "说说看", OpensAt: w.Now(), ClosesAt: w.Now().Add(time.Hour), Enabled: true, Condition: model.JSON("{}")},
		Questions: []form.Question{{FormQuestion: model.FormQuestion{Kind: model.QuestionText, Text: "喜欢什么?"}}, {FormQuestion: model.FormQuestion{Kind: model.QuestionText, Text: "缺什么?"}}},
	})
	require.NoError(t, err)
	for i := range 45 {
		_, err := w.Forms.Submit(t.Context(), w.Joined(fmt.Sprint("m", i)), v.ID, []form.Reply{
			{QuestionID: v.Questions[0].ID, Text: fmt.Sprintf("爱%02d!", i)}, {QuestionID: v.Questions[1].ID, Text: fmt.Sprintf("缺%02d!", i)},
		}, w.Now())
		require.NoError(t, err)
	}
	next := regexp.MustCompile(`href="([^"]*question=` + fmt.Sprint(v.Questions[0].ID) + `&after=[^"]*)" rel="next"`)
	var loved []string
	for at := fmt.Sprintf("/console/forms/%d/results", v.ID); at != ""; {
		page := b.page(at)
		loved = append(loved, regexp.MustCompile(`爱\d\d!`).FindAllString(page, -1)...)
		require.Len(t, regexp.MustCompile(`缺\d\d!`).FindAllString(page, -1), 20, "the other question stays on its first page")
		at = ""
		if found := next.FindStringSubmatch(page); found != nil {
			at, _, _ = strings.Cut(found[1], "#")
		}
	}
	require.Len(t, loved, 45)
	require.Equal(t, "爱44!", loved[0])
	require.Equal(t, "爱00!", loved[44])
}
