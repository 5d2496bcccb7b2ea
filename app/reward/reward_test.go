package reward_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/reward"
	"github.com/siyu-scrm/siyu/app/tag"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

const visit = "behavior.visit"

func record(w *apptest.World, memberID int64, key string, at time.Time, data string) *event.Recorded {
	w.T.Helper()
	r, err := w.Events.Record(w.T.Context(), "shop", event.Behavior{MemberID: memberID, Action: "visit", Key: key, OccurredAt: at, Data: model.JSON(data)}, w.LockMember)
	require.NoError(w.T, err)
	return r
}

func TestCaps(t *testing.T) {
	t.Parallel()

	for name, caps := range map[string]string{
		"ByTimes": `[{"period":"day","times":3}]`, "ByAmount": `[{"period":"day","account":"points","amount":15}]`,
		"ByTimesOfALifetime": `[{"period":"lifetime","times":3}]`,
	} {
		t.Run("TwentyAtOnceAgainstACapOfThreeGiveThree/"+name, func(t *testing.T) { // DESIGN P3
			t.Parallel()
			w := apptest.New(t)
			alice, bob := w.Joined("alice"), w.Joined("bob")
			w.Rule("visit", visit, apptest.Earns(5, caps))
			var wg sync.WaitGroup
			for i := range 20 {
				for _, id := range []int64{alice, bob} {
					wg.Go(func() {
						if err := w.Behave(id, "visit", fmt.Sprint(id, "/", i), apptest.Start); err != nil {
							t.Errorf("Behave: %v", err)
						}
					})
				}
			}
			wg.Wait()
			require.EqualValues(t, 15, w.Points(alice))
			require.EqualValues(t, 15, w.Points(bob), "each has his own")
			w.Verified()
		})
	}

	t.Run("TheLineSaysWhatCutIt", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		alice := w.Joined("alice")
		w.Rule("visit", visit, apptest.Earns(5, `[{"period":"day","account":"points","amount":7}]`))
		require.Empty(t, record(w, alice, "1", w.Now(), "{}").Grants[0].Note)
		second := record(w, alice, "2", w.Now(), "{}").Grants[0]
		require.EqualValues(t, 2, second.Amount)
		require.EqualValues(t, 7, second.Balance)
		require.Equal(t, "DAILY_CAP", second.Note)
		third := record(w, alice, "3", w.Now(), "{}").Grants[0]
		require.Zero(t, third.Amount)
		require.Equal(t, "DAILY_CAP", third.Note)
		lines, _, err := w.Book.Entries(t.Context(), alice, "points", "", 10)
		require.NoError(t, err)
		require.Len(t, lines, 2, "nothing is no line")
		require.Equal(t, "DAILY_CAP", lines[0].Note)
	})

	t.Run("ALateEventCountsOnItsOwnDay", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		alice := w.Joined("alice")
		w.Rule("visit", visit, apptest.Earns(5, `[{"period":"day","times":1}]`))
		w.Set("2026-11-24 00:00:01")
		require.EqualValues(t, 5, record(w, alice, "1", w.Now(), "{}").Grants[0].Amount)
		require.EqualValues(t, 5, record(w, alice, "2", w.At("2026-11-23 23:59:59"), "{}").Grants[0].Amount)
		require.Zero(t, record(w, alice, "3", w.At("2026-11-23 12:00:00"), "{}").Grants[0].Amount)
	})
}

func TestWhoEarns(t *testing.T) {
	t.Parallel()

	t.Run("OnlyMembersAndOnlySinceTheyAre", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		w.Rule("visit", visit, apptest.Earns(5, ""))
		bob := w.Touched("oa", "bob")
		require.Empty(t, record(w, bob, "1", w.Now(), "{}").Grants)
		w.Advance(time.Hour)
		alice := w.Joined("alice")
		require.Empty(t, record(w, alice, "2", w.Now().Add(-time.Second), "{}").Grants)
		require.Len(t, record(w, alice, "3", w.Now(), "{}").Grants, 1)
		require.EqualValues(t, 5, w.Points(alice))
		require.Zero(t, w.Points(bob))
	})

	t.Run("SeveralAccountsAndATag", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		alice, x := w.Joined("alice"), w.Tag(tag.Value, "x")
		w.Rule("visit", visit, fmt.Sprintf(`{"grants":[{"kind":"fixed","account":"points","amount":5},{"kind":"fixed","account":"growth","amount":1},
			{"kind":"per_unit","account":"experience","amount":2,"field":"minutes"},{"kind":"tag","tag_id":"%d"}]}`, x))
		grants := record(w, alice, "1", w.Now(), `{"minutes":10}`).Grants
		require.Len(t, grants, 4)
		require.Equal(t, "价值:x", grants[3].Tag)
		views, err := w.Book.Balances(t.Context(), alice)
		require.NoError(t, err)
		got := map[string]int64{}
		for _, v := range views {
			got[v.Account] = v.Available
		}
		require.Equal(t, map[string]int64{"points": 5, "growth": 1, "experience": 20}, got)
		require.Equal(t, []string{"x"}, w.Held(alice))
		require.Len(t, record(w, alice, "2", w.Now(), `{"minutes":0}`).Grants, 2, "no second tag, nothing for no minutes")
		w.Verified()
	})

	t.Run("TheConditionIsAskedAtTheMomentOfTheAct", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		alice := w.Joined("alice")
		w.Rule("third", visit, `{"condition":{"leaf":"did","event":"behavior.visit","op":"eq","count":3,"window":"1d"},"grants":[{"kind":"fixed","account":"points","amount":5}]}`)
		for i := range 4 {
			w.Advance(time.Second)
			record(w, alice, fmt.Sprint(i), w.Now(), "{}")
		}
		require.EqualValues(t, 5, w.Points(alice), "the third one")
	})

	t.Run("HigherPriorityComesFirst", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		alice := w.Joined("alice")
		w.Rule("low", visit, `{"priority":1,"grants":[{"kind":"fixed","account":"points","amount":1}]}`)
		w.Rule("high", visit, `{"priority":2,"grants":[{"kind":"fixed","account":"points","amount":2}]}`)
		grants := record(w, alice, "1", w.Now(), "{}").Grants
		require.Equal(t, "high", grants[0].Rule)
		require.Equal(t, "low", grants[1].Rule)
	})
}

func TestVersions(t *testing.T) {
	t.Parallel()

	t.Run("TheVersionAtTheTimeOfTheActDecides", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		alice := w.Joined("alice")
		r := w.Rule("visit", visit, apptest.Earns(5, ""))
		in := reward.Input{ID: r.ID, Name: "visit", Enabled: true, Trigger: visit, Definition: r.Definition}
		in.Definition.Grants = []reward.Spec{{Kind: reward.Fixed, Account: "points", Amount: 8}}
		w.Advance(time.Hour)
		changed := w.Now()
		v2, err := w.Rewards.Save(t.Context(), in, templates.Chinese)
		require.NoError(t, err)
		require.Equal(t, 2, v2.Version)
		w.Advance(time.Hour)
		in.Enabled = false
		_, err = w.Rewards.Save(t.Context(), in, templates.Chinese)
		require.NoError(t, err)

		require.Empty(t, record(w, alice, "now", w.Now(), "{}").Grants, "disabled")
		require.EqualValues(t, 8, record(w, alice, "late", changed, "{}").Grants[0].Amount, "from the very second")
		require.EqualValues(t, 5, record(w, alice, "later", changed.Add(-time.Second), "{}").Grants[0].Amount)
		lines, _, err := w.Book.Entries(t.Context(), alice, "points", "", 10)
		require.NoError(t, err)
		require.Equal(t, []int{1, 2}, []int{lines[0].RuleVersion, lines[1].RuleVersion})
		old, err := w.Rewards.Version(t.Context(), r.ID, 1, templates.Chinese)
		require.NoError(t, err)
		require.EqualValues(t, 5, old.Definition.Grants[0].Amount)
	})

	t.Run("ARuleDoesNotReachBehindItsBirth", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		alice := w.Joined("alice")
		w.Advance(time.Hour)
		w.Rule("visit", visit, apptest.Earns(5, ""))
		require.Empty(t, record(w, alice, "1", w.Now().Add(-time.Second), "{}").Grants)
	})

	t.Run("SavesAndEventsAtOnceDoNotMeetAHalfRule", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		alice := w.Joined("alice")
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() {
				in := reward.Input{Code: fmt.Sprint("r", i), Name: "r", Enabled: true, Trigger: visit}
				in.Definition.Grants = []reward.Spec{{Kind: reward.Fixed, Account: "points", Amount: 1}}
				if _, err := w.Rewards.Save(t.Context(), in, templates.Chinese); err != nil {
					t.Errorf("Save: %v", err)
				}
			})
			wg.Go(func() {
				if err := w.Behave(alice, "visit", fmt.Sprint(i), apptest.Start); err != nil {
					t.Errorf("Behave: %v", err)
				}
			})
		}
		wg.Wait()
		require.Len(t, record(w, alice, "last", w.Now(), "{}").Grants, 10, "no stale rules")
	})

	t.Run("TwoWhoSaveAtOnceDoNotOverwriteEachOther", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		r := w.Rule("visit", visit, apptest.Earns(5, ""))
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() {
				_, err := w.Rewards.Save(t.Context(), reward.Input{ID: r.ID, Name: "n", Enabled: true, Trigger: visit, Definition: r.Definition}, templates.Chinese)
				if code := errs.CodeOf(err); err != nil && code != errs.Conflict {
					t.Errorf("Save: %v", err)
				}
			})
		}
		wg.Wait()
		now, err := w.Rewards.Get(t.Context(), r.ID, templates.Chinese)
		require.NoError(t, err)
		require.EqualValues(t, now.Version, w.Count(&model.PointRuleVersion{}))
	})
}

func TestSave(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	for field, definitions := range map[string][]string{
		"grants":                {`{}`, `{"grants":[]}`},
		"grants[0].amount":      {apptest.Earns(0, ""), apptest.Earns(-5, ""), apptest.Earns(1_000_001, "")},
		"grants[0].account":     {`{"grants":[{"kind":"fixed","account":"gold","amount":5}]}`, `{"grants":[{"kind":"fixed","amount":5}]}`},
		"grants[0].kind":        {`{"grants":[{"kind":"surprise","account":"points","amount":5}]}`, `{"grants":[{"account":"points","amount":5}]}`},
		"grants[0].field":       {`{"grants":[{"kind":"per_unit","account":"points","amount":5}]}`, `{"grants":[{"kind":"fixed","account":"points","amount":5,"field":"n"}]}`},
		"grants[0].table":       {`{"grants":[{"kind":"streak","account":"points"}]}`},
		"grants[0].table[0]":    {`{"grants":[{"kind":"streak","account":"points","table":[{"days":0,"amount":5}]}]}`, `{"grants":[{"kind":"streak","account":"points","table":[{"days":7,"amount":-5}]}]}`},
		"grants[0].table[1]":    {`{"grants":[{"kind":"streak","account":"points","table":[{"days":7,"amount":5},{"days":7,"amount":9}]}]}`},
		"grants[0].tag_id":      {`{"grants":[{"kind":"tag","tag_id":"999"}]}`, `{"grants":[{"kind":"tag"}]}`},
		"caps[0].period":        {apptest.Earns(5, `[{"period":"hour","times":1}]`)},
		"caps[0]":               {apptest.Earns(5, `[{"period":"day"}]`), apptest.Earns(5, `[{"period":"day","times":-1}]`), apptest.Earns(5, `[{"period":"day","times":1,"account":"points","amount":5}]`)},
		"caps[0].account":       {apptest.Earns(5, `[{"period":"day","account":"gold","amount":5}]`), apptest.Earns(5, `[{"period":"day","account":"points","amount":-5}]`)},
		"until":                 {`{"from":"2026-11-30T00:00:00+08:00","until":"2026-11-30T00:00:00+08:00","grants":[{"kind":"fixed","account":"points","amount":5}]}`},
		"condition.tag_id":      {`{"condition":{"leaf":"tag","tag_id":"999"},"grants":[{"kind":"fixed","account":"points","amount":5}]}`},
		"condition.all[0].leaf": {`{"condition":{"all":[{"leaf":"weather"}]},"grants":[{"kind":"fixed","account":"points","amount":5}]}`},
	} {
		for _, d := range definitions {
			in := reward.Input{Code: "r", Name: "r", Enabled: true, Trigger: visit}
			require.NoError(t, json.Unmarshal([]byte(d), &in.Definition), d)
			_, err := w.Rewards.Save(t.Context(), in, templates.Chinese)
			var e *errs.Error
			require.ErrorAs(t, err, &e, d)
			require.Equal(t, errs.Invalid, e.Code, d)
			require.Equal(t, field, e.Args["field"], d)
		}
	}
	good := reward.Input{Code: "r", Name: "r", Enabled: true, Trigger: visit, Definition: reward.Definition{Grants: []reward.Spec{{Kind: reward.Fixed, Account: "points", Amount: 5}}}}
	for field, change := range map[string]func(*reward.Input){
		"trigger": func(in *reward.Input) { in.Trigger = "moon.landing" },
		"code":    func(in *reward.Input) { in.Code = "Not OK" },
		"name":    func(in *reward.Input) { in.Name = " " },
		"grants[1].kind": func(in *reward.Input) { // a rule on tags that sets a tag could wait for itself
			in.Trigger = model.EventTag
			in.Definition.Grants = append(slices.Clone(in.Definition.Grants), reward.Spec{Kind: reward.Tag, TagID: w.Tag("value", "x")})
		},
	} {
		in := good
		change(&in)
		_, err := w.Rewards.Save(t.Context(), in, templates.Chinese)
		var e *errs.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, field, e.Args["field"])
	}
	require.Zero(t, w.Count(&model.PointRule{}), "nothing refused was kept")
	for _, want := range []errs.Code{"", errs.Conflict} {
		_, err := w.Rewards.Save(t.Context(), good, templates.Chinese)
		require.Equal(t, want, errs.CodeOf(err))
	}
	good.ID = 999
	_, err := w.Rewards.Save(t.Context(), good, templates.Chinese)
	require.Equal(t, errs.NotFound, errs.CodeOf(err))
}

func TestSentence(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	x := w.Tag(tag.Value, "x")
	r := w.Rule("checkin", model.EventCheckin, fmt.Sprintf(`{"condition":{"leaf":"tag","tag_id":"%d"},"grants":[{"kind":"fixed","account":"points","amount":5},
		{"kind":"streak","account":"points","table":[{"days":7,"amount":20}]},{"kind":"tag","tag_id":"%d"}],
		"caps":[{"period":"day","times":1},{"period":"month","account":"points","amount":100}],"until":"2026-12-01T00:00:00+08:00"}`, x, x))
	require.Equal(t, "签到:积分 +5 和 连续第 7 天另得积分 +20 和 标签「价值:x」;条件:持有标签「价值:x」;每人每天最多 1 次;每人每月最多 100 积分;到 2026-12-01 00:00 止(不含)", r.Sentence)
	english, err := w.Rewards.Get(t.Context(), r.ID, templates.English)
	require.NoError(t, err)
	for _, part := range []string{"checks in", "5", "day 7", "20", "价值:x", "2026-12-01 00:00"} {
		require.Contains(t, english.Sentence, part)
	}
	require.NotContains(t, english.Sentence, "{")
}
