package sop_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/broadcast"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/app/sop"
	"github.com/siyu-scrm/siyu/app/wechat/sandbox/phone"
	"github.com/siyu-scrm/siyu/model"
)

// said is a rehearsal as lines.
func (w *world) said(rows []sop.Rehearsed) []string {
	out := []string{}
	for _, r := range rows {
		what := r.State + " " + r.Channel
		if r.Reason != "" {
			what = r.Reason + "/" + r.Detail
		}
		out = append(out, w.Zone.In(r.At).Format("01-02 15:04 ")+r.Name+" "+r.Step+": "+what)
	}
	return out
}

// What a rehearsal says at the beginning is what then happens (DESIGN P8).
func TestARehearsalIsWhatHappens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	people := map[int64]*phone.Person{}
	var ids []int64
	join := func(name string, follow, accept bool, points int64) {
		p := w.Person(name)
		if follow {
			w.Act(p, "follow", nil)
		}
		w.Advance(0)
		_, err := p.Login(t.Context())
		require.NoError(t, err)
		require.NoError(t, p.API(t.Context(), "POST", "/register", map[string]any{"nickname": name}, nil))
		if accept {
			_, err := p.Act(t.Context(), "accept", map[string]any{"account": "mp", "template": template, "times": 2})
			require.NoError(t, err)
		}
		id := w.MemberOf(p, "mp").ID
		if points > 0 {
			w.give(id, points)
		}
		ids, people[id] = append(ids, id), p
	}
	both := `{"text":"hi","channels":["mass","subscribe"],"subscribe":{"template_id":"` + template + `","data":{"thing1":"a","thing2":"b","time3":"2026-11-25 10:00"}}}`
	w.enabled(`{"name":"按天","entry":{"event":"member.registered"},"exit":[{"condition":{"leaf":"member","field":"joined_days","op":"gte","value":8}}],"steps":[
		{"key":"d1","when":{"day":1,"time":"10:00"},"send":{"message":` + both + `}},
		{"key":"night","when":{"after":"12h30m"},"send":{"message":` + both + `,"condition":{"leaf":"account","account":"points","op":"gte","value":100}}},
		{"key":"fork","branch":{"condition":{"leaf":"account","account":"points","op":"gte","value":150}},"next":"d3","otherwise":"wait"},
		{"key":"d3","when":{"day":3,"time":"10:00"},"send":{"message":` + both + `}},
		{"key":"wait","wait":{"event":"checkin.done","timeout":"20h"}},
		{"key":"d5","when":{"day":5,"time":"09:00"},"send":{"class":"service","message":` + both + `}},
		{"key":"d9","when":{"day":9,"time":"09:00"},"send":{"message":` + both + `}}]}`)
	w.enabled(`{"name":"周二","entry":{"cron":"0 10 * * 2","condition":{"leaf":"account","account":"points","op":"gte","value":100}},"reentry":{"mode":"after","days":10},"steps":[
		{"key":"a","send":{"message":` + both + `}},{"key":"b","when":{"cron":"0 8 * * 6"},"send":{"message":` + both + `}}]}`)
	_, err := w.Broadcasts.Save(t.Context(), broadcast.Input{
		Name: "每周四", Cron: "0 10 * * 4", Condition: condition.Is("member", map[string]any{"field": "joined", "value": true}),
		Message: reach.Message{Text: "四", Channels: []string{reach.Mass}},
	})
	require.NoError(t, err)
	for i := range 6 {
		join(fmt.Sprint("p", i), i%2 == 0, i%3 != 2, int64(i)*60)
	}
	w.Set("2026-11-23 21:00:00")
	join("late", true, true, 200)
	w.Act(people[ids[0]], "unfollow", nil)
	w.Settle()
	from, to := w.At("2026-11-23 00:00:00"), w.At("2026-12-12 00:00:00")
	foreseen := map[int64][]string{}
	tables := w.Tables()
	for _, id := range ids {
		rows, err := w.SOPs.Rehearse(t.Context(), id, from, to)
		require.NoError(t, err)
		foreseen[id] = w.said(rows)
		require.NotEmpty(t, rows)
	}
	require.Equal(t, tables, w.Tables(), "a rehearsal writes nothing")
	w.Set("2026-12-12 00:00:00")
	reasons := map[string]bool{}
	for _, id := range ids {
		rows, err := w.SOPs.Rehearse(t.Context(), id, from, to)
		require.NoError(t, err)
		for _, r := range rows {
			require.True(t, r.Past)
			reasons[r.Reason+r.Channel] = true
		}
		require.Equal(t, w.said(rows), foreseen[id], "member %d", id)
	}
	for _, why := range []string{"mass", "subscribe", reach.FreqCap, reach.Condition, reach.Exited, reach.NoQuota, reach.Unsubscribed} {
		require.True(t, reasons[why], why)
	}
}

// What changes with time alone is foreseen: tags that begin and end by their rules, also by way of another tag and in a pyramid, birthdays, lots
// that expire, and what a step gave.
func TestARehearsalForeseesWhatTimeChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	active, silent, deep, kept := w.Tag("preference", "活跃"), w.Tag("preference", "沉默"), w.Tag("preference", "沉默而有分"), w.Tag("preference", "手工")
	w.AutoTag(active, `{"leaf":"inactive","op":"lte","days":2}`)
	w.AutoTag(silent, `{"leaf":"inactive","op":"gte","days":4}`)
	w.AutoTag(deep, fmt.Sprintf(`{"all":[{"leaf":"tag","tag_id":"%d"},{"leaf":"account","account":"points","op":"gte","value":40}]}`, silent))
	w.AutoTag(kept, `{"leaf":"inactive","op":"lte","days":2}`)
	is := func(id int64) string { return fmt.Sprintf(`{"leaf":"tag","tag_id":"%d"}`, id) }
	hi := says("hi")
	send := func(key string, day int, condition, more string) string {
		return fmt.Sprintf(`{"key":"%s","when":{"day":%d,"time":"10:00"},"send":{"class":"service","message":%s,"condition":%s%s}}`, key, day, hi, condition, more)
	}
	rich := `{"leaf":"account","account":"points","op":"gte","value":40}`
	w.enabled(`{"name":"时间","entry":{"event":"member.registered"},"steps":[` +
		send("active", 2, is(active), "") + `,` + send("inactive", 3, is(active), "") + `,` + send("kept", 3, is(kept), "") + `,` +
		send("poor", 3, `{"not":`+rich+`}`, `,"grants":{"amount":30}`) + `,` + send("silent", 5, is(silent), "") + `,` + send("deep", 5, is(deep), "") + `,` +
		send("rich", 5, rich, "") + `]}`)
	w.enabled(`{"name":"沉默的","entry":{"cron":"0 11 * * *","condition":` + is(silent) + `},"exit":[{"condition":{"not":` + is(silent) + `}}],"steps":[{"key":"a","send":{"class":"service","message":` + hi + `}}]}`)
	var ids []int64
	for i, points := range []int64{0, 20, 100} {
		p, id := w.member(fmt.Sprint("p", i))
		w.Act(p, "follow", nil)
		if points > 0 {
			w.give(id, points)
		}
		if i == 1 {
			require.NoError(t, w.Tags.SetManual(t.Context(), id, kept, 1, true, "by hand"))
		}
		ids = append(ids, id)
	}
	w.Settle()
	from, to := w.At("2026-11-23 00:00:00"), w.At("2026-12-01 00:00:00")
	foreseen := map[int64][]string{}
	tables := w.Tables()
	for _, id := range ids {
		rows, err := w.SOPs.Rehearse(t.Context(), id, from, to)
		require.NoError(t, err)
		foreseen[id] = w.said(rows)
	}
	require.Equal(t, tables, w.Tables(), "a rehearsal writes nothing")
	w.Set("2026-12-01 00:00:00")
	for _, id := range ids {
		rows, err := w.SOPs.Rehearse(t.Context(), id, from, to)
		require.NoError(t, err)
		require.Equal(t, w.said(rows), foreseen[id], "member %d", id)
	}
	sent := func(id int64, step string) bool {
		return slices.ContainsFunc(foreseen[id], func(l string) bool { return strings.Contains(l, step+": accepted") })
	}
	for step, want := range map[string][3]bool{
		"active": {true, true, true}, "inactive": {}, "kept": {false, true, false}, "poor": {true, true, false}, "silent": {true, true, true},
		"deep": {false, true, true}, "rich": {false, true, true}, "沉默的 a": {true, true, true},
	} {
		require.Equal(t, want, [3]bool{sent(ids[0], step), sent(ids[1], step), sent(ids[2], step)}, "%s: %v", step, foreseen)
	}
}

// What is rehearsed of a form that is not saved is what happens once it is; the rehearsal itself leaves nothing behind.
func TestADraftIsRehearsedUnsaved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, id := w.member("N1")
	step := func(key string, day int, text string) string {
		return fmt.Sprintf(`{"key":%q,"when":{"day":%d,"time":"10:00"},"send":{"message":%s}}`, key, day, says(text))
	}
	plan := func(steps ...string) string {
		return `{"name":"签到之后","entry":{"event":"checkin.done"},"reentry":{"mode":"always"},"steps":[` + strings.Join(steps, ",") + `]}`
	}
	ask := func(sopID int64, text string) []string {
		rows, err := w.SOPs.RehearseDraft(t.Context(), id, w.Now(), w.Now().AddDate(0, 0, 20), sopID, w.definition(text))
		require.NoError(t, err)
		return w.said(rows)
	}
	first := plan(step("one", 1, "一"), step("two", 3, "二"))
	w.Set("2026-11-28 12:00:00")
	want := ask(0, first)
	require.Equal(t, []string{"11-29 10:00 签到之后 one: accepted subscribe", "12-01 10:00 签到之后 two: accepted subscribe"}, want)
	require.Zero(t, w.Count(&model.SOP{})+w.Count(&model.SOPEnrolment{}))

	p := w.enabled(first)
	w.checkin(id)
	require.Equal(t, want, ask(p.ID, plan(step("late", 9, "九"))), "he is in it, and stays on his version")
	w.Set("2026-12-02 00:00:00")
	require.Equal(t, []string{"11-29 10:00 one: accepted", "12-01 10:00 two: accepted"}, w.lines(p.ID, id))

	changed := plan(step("one", 1, "一"), step("late", 9, "九"))
	want = ask(p.ID, changed)
	require.Equal(t, []string{"12-03 10:00 签到之后 one: accepted subscribe", "12-11 10:00 签到之后 late: accepted subscribe"}, want)
	_, err := w.SOPs.Save(t.Context(), sop.Input{ID: p.ID, Definition: w.definition(changed)})
	require.NoError(t, err)
	w.checkin(id)
	w.Set("2026-12-20 00:00:00")
	require.Equal(t, []string{"12-03 10:00 one: accepted", "12-11 10:00 late: accepted"}, w.lines(p.ID, id)[2:])

	_, err = w.SOPs.RehearseDraft(t.Context(), id, w.Now(), w.Now().AddDate(0, 0, 1), 0, sop.Definition{Name: "x"})
	require.Equal(t, errs.Invalid, errs.CodeOf(err))
}
