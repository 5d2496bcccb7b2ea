package task_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/form"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/quiz"
	"github.com/siyu-scrm/siyu/app/reward"
	"github.com/siyu-scrm/siyu/app/tag"
	"github.com/siyu-scrm/siyu/app/task"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

// list is the member's list by title.
func list(w *apptest.World, id int64) map[string]task.Item {
	w.T.Helper()
	items, err := w.Tasks.List(w.T.Context(), templates.Chinese, id)
	require.NoError(w.T, err)
	out := map[string]task.Item{}
	for _, i := range items {
		out[i.Title] = i
	}
	require.Len(w.T, out, len(items), "no title twice")
	return out
}

func left(i task.Item) any {
	if i.Left == nil {
		return nil
	}
	return *i.Left
}

func save(w *apptest.World, t model.Task) *model.Task {
	w.T.Helper()
	t.Enabled = true
	saved, err := w.Tasks.Save(w.T.Context(), t)
	require.NoError(w.T, err)
	return saved
}

// off switches a rule off, or on.
func turn(w *apptest.World, r *reward.Rule, on bool) {
	w.T.Helper()
	_, err := w.Rewards.Save(w.T.Context(), reward.Input{ID: r.ID, Name: r.Name, Enabled: on, Trigger: r.Trigger, Definition: r.Definition}, templates.Chinese)
	require.NoError(w.T, err)
}

const once, daily = `[{"period":"lifetime","times":1}]`, `[{"period":"day","times":1}]`

func TestList(t *testing.T) {
	t.Parallel()

	t.Run("EveryRuleStandsInItWithWhatIsLeft", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		w.Rule("register", model.EventRegistered, apptest.Earns(50, ""))
		w.Rule("birthday", model.EventBirthday, apptest.Earns(20, ""))
		w.Rule("checkin", model.EventCheckin, `{"grants":[{"kind":"fixed","account":"points","amount":5},{"kind":"streak","account":"growth","table":[{"days":2,"amount":9}]}]}`)
		w.Rule("survey", "behavior.survey", apptest.Earns(30, once))
		w.Rule("store", "behavior.store", apptest.Earns(10, `[{"period":"day","times":2},{"period":"week","times":3}]`))
		w.Rule("read", "behavior.read", `{"grants":[{"kind":"per_unit","account":"points","amount":2,"field":"pages"}],"caps":[{"period":"day","account":"points","amount":5}]}`)
		w.Rule("visit", "behavior.visit", apptest.Earns(1, ""))
		w.Rule("tagged", model.EventTag, apptest.Earns(1, ""))
		alice := w.Joined("alice")
		got := list(w, alice)
		require.Len(t, got, 7, "a change of tags is nothing to do")
		for title, want := range map[string]struct {
			state, repeats string
			left           any
		}{
			"register": {task.Done, task.Once, int64(0)}, "birthday": {task.Open, task.Once, int64(1)}, "checkin": {task.Open, task.Daily, int64(1)},
			"survey": {task.Open, task.Once, int64(1)}, "store": {task.Open, task.Daily, int64(2)}, "read": {task.Open, task.Unlimited, nil},
			"visit": {task.Open, task.Unlimited, nil},
		} {
			i := got[title]
			require.Equal(t, want.state, i.State, title)
			require.Equal(t, want.repeats, i.Repeats, title)
			require.Equal(t, want.left, left(i), title)
		}
		require.Equal(t, []task.Gain{{Account: "points", Amount: 5}}, got["checkin"].Gains, "the second day gives growth, not the first")
		require.Equal(t, "pages", got["read"].Gains[0].Per)

		day := model.Day("2000-02-29")
		_, err := w.Members.Update(t.Context(), alice, member.Profile{Birthday: &day})
		require.NoError(t, err)
		_, err = w.Checkins.CheckIn(t.Context(), alice, "api", w.Now())
		require.NoError(t, err)
		for i, action := range []string{"survey", "store", "store", "read", "visit"} {
			require.NoError(t, w.Behave(alice, action, fmt.Sprint(i), w.Now()))
		}
		w.Tx(func(ctx context.Context, tx *gorm.DB) error {
			ev := &model.Event{MemberID: alice, Kind: "behavior.read", Source: "test", Key: "r", OccurredAt: w.Now(), Data: model.JSON(`{"pages":9}`)}
			_, err := w.Events.RecordTx(ctx, tx, ev)
			return err
		})
		require.EqualValues(t, 50+20+5+30+20+5+1, w.Points(alice), "of nine pages the cap leaves five points")
		got = list(w, alice)
		for _, title := range []string{"register", "birthday", "checkin", "survey", "store", "read"} {
			require.Equal(t, task.Done, got[title].State, title)
			require.Equal(t, int64(0), left(got[title]), title)
		}
		require.Equal(t, task.Open, got["visit"].State)

		w.Set("2026-11-24 00:00:00")
		got = list(w, alice)
		require.Equal(t, int64(1), left(got["store"]), "of the week")
		require.Equal(t, task.Open, got["read"].State)
		require.Equal(t, []task.Gain{{Account: "points", Amount: 5}, {Account: "growth", Amount: 9}}, got["checkin"].Gains)
		require.Equal(t, task.Done, got["survey"].State, "once is once")
		w.Verified()
	})

	t.Run("WhatIsSwitchedOffIsGoneAtOnce", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		checkin := w.Rule("checkin", model.EventCheckin, apptest.Earns(5, ""))
		survey := w.Rule("survey", "behavior.survey", apptest.Earns(30, once))
		alice := w.Joined("alice")
		entry := save(w, model.Task{Code: "daily", RuleID: checkin.ID, TitleZH: "天天签到", TitleEN: "Every day", Link: "pages/checkin/index"})
		got := list(w, alice)
		require.Len(t, got, 2, "the entry stands for its rule")
		require.Equal(t, "pages/checkin/index", got["天天签到"].Link)
		english, err := w.Tasks.List(t.Context(), templates.English, alice)
		require.NoError(t, err)
		require.Equal(t, "Every day", english[0].Title)

		turn(w, checkin, false)
		require.NotContains(t, list(w, alice), "天天签到")
		turn(w, checkin, true)
		require.Contains(t, list(w, alice), "天天签到")
		entry.Enabled = false
		_, err = w.Tasks.Save(t.Context(), *entry)
		require.NoError(t, err)
		require.Equal(t, []string{"survey"}, keys(list(w, alice)), "neither the entry nor its rule")
		turn(w, survey, false)
		require.Empty(t, list(w, alice))
		require.NoError(t, w.Behave(alice, "survey", "1", w.Now()))
		require.Zero(t, w.Points(alice), "a rule that is off grants nothing, in the same second")
	})

	t.Run("ARuleForOthersIsNotInIt", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		vip := w.Tag(tag.Value, "付费用户")
		w.Rule("gift", "behavior.gift", fmt.Sprintf(`{"condition":{"all":[{"leaf":"tag","tag_id":"%d"},{"leaf":"event.field","field":"x","op":"eq","value":1}]},"grants":[{"kind":"fixed","account":"points","amount":1}]}`, vip))
		w.Rule("not", "behavior.not", fmt.Sprintf(`{"condition":{"not":{"leaf":"tag","tag_id":"%d"}},"grants":[{"kind":"fixed","account":"points","amount":1}]}`, vip))
		w.Rule("often", model.EventCheckin, `{"condition":{"leaf":"did","event":"checkin.done","op":"gte","count":9},"grants":[{"kind":"fixed","account":"points","amount":1}]}`)
		w.Rule("later", "behavior.later", `{"grants":[{"kind":"fixed","account":"points","amount":1}],"from":"2026-11-24T00:00:00+08:00","until":"2026-11-25T00:00:00+08:00"}`)
		alice := w.Joined("alice")
		require.ElementsMatch(t, []string{"not", "often"}, keys(list(w, alice)), "what he can come to by acting is there")
		require.NoError(t, w.Tags.SetManual(t.Context(), alice, vip, 1, true, ""))
		w.Set("2026-11-24 00:00:00")
		require.ElementsMatch(t, []string{"gift", "often", "later"}, keys(list(w, alice)))
		w.Set("2026-11-24 23:59:59")
		require.Contains(t, list(w, alice), "later")
		w.Set("2026-11-25 00:00:00")
		require.NotContains(t, list(w, alice), "later")
	})

	t.Run("QuizzesThatAreOpenAreLeft", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		w.Rule("quiz", model.EventQuiz, apptest.Earns(10, ""))
		alice := w.Joined("alice")
		require.Equal(t, task.Waiting, list(w, alice)["quiz"].State)
		var ids []int64
		for _, q := range []string{"1", "2"} {
			v, err := w.Quizzes.Save(t.Context(), quiz.View{
				Quiz:    model.Quiz{Question: q, OpensAt: w.At("2026-11-23 12:00:00"), ClosesAt: w.At("2026-11-23 20:00:00"), Attempts: 1, Enabled: true},
				Options: []model.QuizOption{{Text: "yes", Correct: true}, {Text: "no"}},
			})
			require.NoError(t, err)
			ids = append(ids, v.ID)
		}
		w.Set("2026-11-23 12:00:00")
		require.Equal(t, int64(2), left(list(w, alice)["quiz"]))
		for n, id := range ids {
			_, err := w.Quizzes.Answer(t.Context(), alice, id, "B", w.Now())
			require.NoError(t, err)
			require.Equal(t, int64(1-n), left(list(w, alice)["quiz"]))
		}
		require.Equal(t, task.Done, list(w, alice)["quiz"].State)
		w.Set("2026-11-23 20:00:00")
		require.Equal(t, task.Waiting, list(w, alice)["quiz"].State)
	})

	t.Run("FormsThatAreOpenAreLeft", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		w.Rule("form", model.EventForm, apptest.Earns(10, ""))
		w.Rule("second", model.EventForm, `{"condition":{"leaf":"event.field","field":"form_id","op":"eq","value":"2"},"grants":[{"kind":"fixed","account":"points","amount":5}]}`)
		alice := w.Joined("alice")
		require.Equal(t, task.Waiting, list(w, alice)["form"].State)
		v, err := w.Forms.Save(t.Context(), form.View{
			Form:      model.Form{Title: "?", OpensAt: w.At("2026-11-23 12:00:00"), ClosesAt: w.At("2026-11-23 20:00:00"), Enabled: true, Editable: true},
			Questions: []form.Question{{FormQuestion: model.FormQuestion{Kind: model.QuestionRating, Text: "?"}}},
		})
		require.NoError(t, err)
		w.Set("2026-11-23 12:00:00")
		require.Equal(t, int64(1), left(list(w, alice)["form"]))
		require.Equal(t, task.Waiting, list(w, alice)["second"].State, "it rewards another form")
		_, err = w.Forms.Submit(t.Context(), alice, v.ID, nil, w.Now())
		require.NoError(t, err)
		require.Equal(t, task.Done, list(w, alice)["form"].State)
		require.Equal(t, task.Waiting, list(w, alice)["second"].State)
		v.ID, v.Questions[0].ID = 0, 0
		second, err := w.Forms.Save(t.Context(), *v)
		require.NoError(t, err)
		require.EqualValues(t, 2, second.ID)
		require.Equal(t, int64(1), left(list(w, alice)["form"]))
		require.Equal(t, int64(1), left(list(w, alice)["second"]))
		_, err = w.Forms.Submit(t.Context(), alice, second.ID, nil, w.Now())
		require.NoError(t, err)
		require.EqualValues(t, 25, w.Points(alice))
		require.Equal(t, task.Done, list(w, alice)["second"].State)
		w.Set("2026-11-23 20:00:00")
		require.Equal(t, task.Waiting, list(w, alice)["form"].State)
	})
}

func keys(m map[string]task.Item) []string {
	out := []string{}
	for k := range m {
		out = append(out, k)
	}
	return out
}

// weekly is a task of three check-ins a week that a rule rewards with 40.
func weekly(w *apptest.World) (*model.Task, *reward.Rule) {
	w.T.Helper()
	rule := w.Rule("three", model.EventTask, `{"condition":{"leaf":"event.field","field":"task","op":"eq","value":"three"},"grants":[{"kind":"fixed","account":"points","amount":40}]}`)
	return save(w, model.Task{Code: "three", RuleID: rule.ID, TitleZH: "三天", Counts: model.EventCheckin, Goal: 3, Period: "week", Claimed: true}), rule
}

func (c claims) refused(id int64) *errs.Error {
	c.w.T.Helper()
	_, err := c.w.Tasks.Claim(c.w.T.Context(), c.member, id, c.w.Now())
	var e *errs.Error
	require.ErrorAs(c.w.T, err, &e)
	return e
}

type claims struct {
	w      *apptest.World
	member int64
}

func (c claims) checkIn(days ...string) {
	c.w.T.Helper()
	for _, d := range days {
		c.w.Jump("2026-" + d + " 10:00:00")
		_, err := c.w.Checkins.CheckIn(c.w.T.Context(), c.member, "api", c.w.Now())
		require.NoError(c.w.T, err)
	}
}

func TestClaim(t *testing.T) {
	t.Parallel()

	t.Run("AReachedGoalIsClaimedOnceAPeriod", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		three, _ := weekly(w)
		w.Rule("other", model.EventTask, `{"condition":{"leaf":"event.field","field":"task","op":"eq","value":"other"},"grants":[{"kind":"fixed","account":"points","amount":1000}]}`)
		c := claims{w, w.Joined("alice")}
		c.checkIn("11-23", "11-25") // Monday, Wednesday
		require.Equal(t, task.Progress{Done: 2, Goal: 3}, *list(w, c.member)["三天"].Progress)
		e := c.refused(three.ID)
		require.Equal(t, errs.ThresholdNotMet, e.Code)
		require.EqualValues(t, 1, e.Args["short_by"])
		c.checkIn("11-29") // Sunday
		require.Equal(t, task.Claimable, list(w, c.member)["三天"].State)
		r, err := w.Tasks.Claim(t.Context(), c.member, three.ID, w.Now())
		require.NoError(t, err)
		require.EqualValues(t, 40, r.Grants[0].Amount)
		require.Equal(t, task.Done, list(w, c.member)["三天"].State)
		again := c.refused(three.ID)
		require.Equal(t, errs.LimitReached, again.Code)
		w.Jump("2026-11-30 00:00:00") // Monday: another week
		require.Equal(t, task.Progress{Goal: 3}, *list(w, c.member)["三天"].Progress)
		require.Equal(t, errs.ThresholdNotMet, c.refused(three.ID).Code)
		c.checkIn("11-30", "12-01", "12-02")
		_, err = w.Tasks.Claim(t.Context(), c.member, three.ID, w.Now())
		require.NoError(t, err)
		require.EqualValues(t, 80, w.Points(c.member))
		w.Verified()
	})

	t.Run("TwentyAtOncePayOnce", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		three, _ := weekly(w)
		c := claims{w, w.Joined("alice")}
		c.checkIn("11-23", "11-24", "11-25")
		var ok atomic.Int32
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				switch _, err := w.Tasks.Claim(t.Context(), c.member, three.ID, w.Now()); {
				case err == nil:
					ok.Add(1)
				case errs.CodeOf(err) != errs.LimitReached:
					t.Errorf("Claim: %v", err)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 1, ok.Load())
		require.EqualValues(t, 40, w.Points(c.member))
		require.EqualValues(t, 1, w.Count(&model.TaskClaim{}))
	})

	t.Run("WhatIsOffCannotBeClaimed", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		three, rule := weekly(w)
		c := claims{w, w.Joined("alice")}
		c.checkIn("11-23", "11-24", "11-25")
		turn(w, rule, false)
		require.Equal(t, errs.NotFound, c.refused(three.ID).Code, "its rule is off: the tap would be lost")
		turn(w, rule, true)
		three.Enabled = false
		_, err := w.Tasks.Save(t.Context(), *three)
		require.NoError(t, err)
		require.Equal(t, errs.NotFound, c.refused(three.ID).Code)
		require.Equal(t, errs.NotFound, c.refused(999).Code)
		plain := save(w, model.Task{Code: "plain", TitleEN: "Look around"})
		require.Equal(t, errs.NotFound, c.refused(plain.ID).Code)
		require.Equal(t, errs.NotMember, claims{w, w.Touched("mp", "guest")}.refused(three.ID).Code)
		require.Zero(t, w.Points(c.member))
	})

	t.Run("SwitchedOffAmongManyClaimsNothingIsGrantedAfterwards", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		rule := w.Rule("survey", "behavior.survey", apptest.Earns(1, ""))
		alice := w.Joined("alice")
		var switched atomic.Bool
		var late atomic.Int64 // pushed after the switch was answered
		var wg sync.WaitGroup
		for n := range 8 {
			wg.Go(func() {
				for i := range 10 {
					after := switched.Load()
					r, err := w.Events.Record(context.WithoutCancel(t.Context()), "test", behavior(alice, fmt.Sprintf("%d-%d", n, i)), w.LockMember)
					if err != nil {
						t.Errorf("Record: %v", err)
					} else if after {
						late.Add(int64(len(r.Grants)))
					}
				}
			})
		}
		wg.Go(func() {
			turn(w, rule, false)
			switched.Store(true)
		})
		wg.Wait()
		require.Zero(t, late.Load())
		w.Verified()
	})

	t.Run("AMergeTakesBackASecondClaim", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		three, _ := weekly(w)
		alice, twin := claims{w, w.Joined("alice")}, claims{w, w.Joined("twin")}
		for _, day := range []string{"11-23", "11-24", "11-25"} {
			alice.checkIn(day)
			_, err := w.Checkins.CheckIn(t.Context(), twin.member, "api", w.Now())
			require.NoError(t, err)
		}
		for _, c := range []claims{alice, twin} {
			_, err := w.Tasks.Claim(t.Context(), c.member, three.ID, w.Now())
			require.NoError(t, err)
		}
		require.NoError(t, w.Tasks.MarkRead(t.Context(), twin.member, 2))
		w.Tx(func(ctx context.Context, tx *gorm.DB) error {
			_, err := w.Members.MergeTx(ctx, tx, alice.member, twin.member, "test")
			return err
		})
		require.EqualValues(t, 40, w.Points(alice.member))
		require.EqualValues(t, 1, w.Count(&model.TaskClaim{}))
		require.Zero(t, w.Count(&model.GrantRead{}))
		w.Verified()
	})
}

func TestUnread(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	w.Rule("visit", "behavior.visit", apptest.Earns(1, ""))
	alice, bob := w.Joined("alice"), w.Joined("bob")
	for i := range 25 {
		require.NoError(t, w.Behave(alice, "visit", fmt.Sprint(i), w.Now()))
	}
	lines, more, err := w.Tasks.Unread(t.Context(), alice)
	require.NoError(t, err)
	require.Len(t, lines, 20)
	require.True(t, more)
	require.NoError(t, w.Tasks.MarkRead(t.Context(), alice, lines[3].ID))
	require.NoError(t, w.Tasks.MarkRead(t.Context(), alice, lines[19].ID), "an older one changes nothing")
	lines, more, err = w.Tasks.Unread(t.Context(), alice)
	require.NoError(t, err)
	require.Len(t, lines, 3)
	require.False(t, more)
	require.Equal(t, errs.NotFound, errs.CodeOf(w.Tasks.MarkRead(t.Context(), bob, lines[0].ID)), "it is not his")
	none, _, err := w.Tasks.Unread(t.Context(), bob)
	require.NoError(t, err)
	require.Empty(t, none)
}

func TestSave(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	long := make([]rune, 33)
	for i := range long {
		long[i] = '长'
	}
	for field, bad := range map[string]model.Task{
		"code": {Code: "Up", TitleZH: "x"}, "title_zh": {Code: "a"}, "title_en": {Code: "a", TitleEN: string(long)}, "text_zh": {Code: "a", TitleZH: "x", TextZH: "a\x00b"},
		"link": {Code: "a", TitleZH: "x", Link: "javascript:alert(1)"}, "icon": {Code: "a", TitleZH: "x", Icon: "data:x"}, "rule_id": {Code: "a", RuleID: 99},
		"goal": {Code: "a", TitleZH: "x", Counts: model.EventQuiz}, "counts": {Code: "a", TitleZH: "x", Goal: 1, Counts: "nothing", Period: "day"},
		"period": {Code: "a", TitleZH: "x", Goal: 1, Counts: model.EventQuiz, Period: "hour"}, "claimed": {Code: "a", TitleZH: "x", Claimed: true},
		"ends_at": {Code: "a", TitleZH: "x", StartsAt: new(w.Now()), EndsAt: new(w.Now())},
	} {
		_, err := w.Tasks.Save(t.Context(), bad)
		var e *errs.Error
		require.ErrorAs(t, err, &e, field)
		require.Equal(t, field, e.Args["field"])
	}
	made := save(w, model.Task{Code: "a", TitleZH: "x"})
	_, err := w.Tasks.Save(t.Context(), model.Task{Code: "a", TitleZH: "y"})
	require.Equal(t, errs.Conflict, errs.CodeOf(err), "a code is taken once")
	save(w, model.Task{Code: "b", TitleZH: "x"})
	made.Code, made.TitleZH = "c", "z"
	changed, err := w.Tasks.Save(t.Context(), *made)
	require.NoError(t, err)
	require.Equal(t, "a", changed.Code, "a code stays")
	_, err = w.Tasks.Delete(t.Context(), made.ID)
	require.NoError(t, err)
	_, err = w.Tasks.Delete(t.Context(), made.ID)
	require.Equal(t, errs.NotFound, errs.CodeOf(err))
}

func behavior(id int64, key string) event.Behavior {
	return event.Behavior{MemberID: id, Action: "survey", Key: key}
}
