package console

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app"
	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/app/reward"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

func TestConditions(t *testing.T) {
	t.Parallel()
	t.Run("TheFormOfACrowdReadsBackWhatItWrites", func(t *testing.T) {
		t.Parallel()
		for _, w := range []crowd{
			{},
			{Joined: true},
			{Tags: []string{"3"}},
			{Tags: []string{"3", "4"}},
			{Tags: []string{"3", "4"}, Any: true},
			{Tags: []string{"3", "4"}, Any: true, Without: []string{"9", "8"}, Joined: true, Follower: true},
			{Without: []string{"9"}},
		} {
			got, ok := crowdOf(model.ToJSON(w.tree()))
			require.True(t, ok, "%+v", w)
			require.Equal(t, w, got)
		}
	})
	t.Run("WhatTheFormOfACrowdCannotSayStaysJSON", func(t *testing.T) {
		t.Parallel()
		for _, raw := range []string{
			`{"leaf":"did","event":"checkin.done","op":"gte","count":1,"window":""}`, `{"leaf":"member","field":"joined","value":false}`,
			`{"any":[{"leaf":"tag","tag_id":"1"},{"leaf":"random","percent":5}]}`, `{"not":{"any":[{"leaf":"tag","tag_id":"1"}]}}`,
			`{"all":[{"any":[{"leaf":"tag","tag_id":"1"},{"leaf":"tag","tag_id":"2"}]},{"any":[{"leaf":"tag","tag_id":"3"},{"leaf":"tag","tag_id":"4"}]}]}`,
			`{"all":[{"any":[{"leaf":"tag","tag_id":"1"},{"leaf":"tag","tag_id":"2"}]},{"leaf":"tag","tag_id":"3"}]}`,
			`{"all":[{"leaf":"tag","tag_id":"3"},{"any":[{"leaf":"tag","tag_id":"1"},{"leaf":"tag","tag_id":"2"}]}]}`,
		} {
			_, ok := crowdOf([]byte(raw))
			require.False(t, ok, raw)
			v := url.Values{}
			writeCrowd(v, []byte(raw))
			got, err := readCrowd(newForm(v))
			require.NoError(t, err)
			require.JSONEq(t, raw, string(got))
		}
	})
	t.Run("TheFormOfAnAutoTagReadsBackWhatItWrites", func(t *testing.T) {
		t.Parallel()
		con := &Console{}
		for raw, shape := range map[string]string{
			`{"leaf":"event.text","contains_any":["敏感肌","敏感"],"excludes":["不敏感"]}`:              shapeWords,
			`{"leaf":"event.text","contains_any":["草莓"]}`:                                       shapeWords,
			`{"leaf":"did","event":"checkin.done","op":"gte","count":15,"window":"30d"}`:        shapeCount,
			`{"leaf":"did","event":"checkin.done","op":"lte","count":15,"window":"30d"}`:        shapeForm,
			`{"leaf":"did","event":"checkin.done","op":"gte","count":15,"window":"48h"}`:        shapeForm,
			`{"all":[{"leaf":"event.text","contains_any":["草莓"]},{"leaf":"tag","tag_id":"1"}]}`: shapeForm,
		} {
			v := url.Values{}
			con.writeFact(v, []byte(raw))
			require.Equal(t, shape, v.Get("shape"), raw)
			got, err := con.readFact(newForm(v))
			require.NoError(t, err)
			require.JSONEq(t, raw, string(model.ToJSON(got)))
		}
	})
}

// The rows of a rule lose nothing: what they cannot say stands as JSON.
func TestRules(t *testing.T) {
	t.Parallel()
	con := &Console{app: &app.App{Deps: app.Deps{Zone: clock.Shanghai}}}
	from := time.Date(2026, 11, 25, 2, 0, 0, 0, time.UTC)
	fine := from.Add(time.Millisecond)
	kinds := []reward.Spec{
		{Kind: reward.Fixed, Account: "points", Amount: 5, DelayDays: 7},
		{Kind: reward.Fixed, Account: "points", Amount: 6},
		{Kind: reward.PerUnit, Account: "growth", Field: "count", Amount: 2},
		{Kind: reward.PerYuan, Account: "points", Amount: 1, Per: 10, DelayDays: 15},
		{Kind: reward.PerYuan, Account: "points", Amount: 1, Field: "net_fen"},
		{Kind: reward.ByBracket, Account: "points", Brackets: []reward.Bracket{{From: 10000, Amount: 10}, {From: 20000, Amount: 30}}},
		{Kind: reward.Streak, Account: "points", Table: []reward.Step{{Days: 7, Amount: 20}, {Days: 30, Amount: 100}}, Cycle: 30},
		{Kind: reward.Streak, Account: "points", Table: []reward.Step{{Days: 7, Amount: 20}}},
		{Kind: reward.Tag, TagID: 4},
		{Kind: reward.Coupon, CouponID: 9, Count: 2},
		{Kind: reward.Coupon, CouponID: 8},
	}
	whole := reward.Definition{
		Condition: condition.Is("member", map[string]any{"field": "joined", "value": true}), Grants: kinds,
		Caps:     []reward.Cap{{Period: reward.Week, Times: 3}, {Period: reward.Lifetime, Account: "points", Amount: 100}, {Period: reward.Month, Account: "growth", Amount: 7}},
		Priority: -3, Exclusive: "order", CapSets: []string{"b", "a"}, Budget: &reward.Budget{Account: "points", Amount: 1000, Period: reward.Month}, From: &from, Until: &fine,
	}
	there := func(d reward.Definition) url.Values {
		v := con.writeRule(&reward.Rule{Definition: d})
		got, err := con.readRule(newForm(v))
		require.NoError(t, err)
		require.JSONEq(t, string(model.ToJSON(d)), string(model.ToJSON(got)))
		return v
	}
	t.Run("TheFormSaysEveryDefinition", func(t *testing.T) {
		t.Parallel()
		d := whole
		d.Until = nil
		multiplier := reward.Definition{Grants: []reward.Spec{{Kind: reward.Multiply, Account: "points", Factor: "1.5", Rules: []string{"b", "a"}}}}
		for _, d := range []reward.Definition{d, multiplier, {Grants: kinds[:1]}} {
			require.Equal(t, shapeForm, there(d).Get("shape"))
		}
	})
	t.Run("WhatTheFormCannotSayStaysJSON", func(t *testing.T) {
		t.Parallel()
		require.NotEqual(t, shapeForm, there(whole).Get("shape"), "a part of a second")
	})
	t.Run("EveryKindIsInTheForm", func(t *testing.T) {
		t.Parallel()
		require.ElementsMatch(t, reward.Kinds, slices.Collect(maps.Keys(grantFields)))
	})
}

// The rows of a condition lose nothing either.
func TestFacts(t *testing.T) {
	t.Parallel()
	con := &Console{app: &app.App{Deps: app.Deps{Zone: clock.Shanghai}}}
	read := func(raw string) (url.Values, string) {
		var tree condition.Tree
		require.NoError(t, tree.UnmarshalJSON([]byte(raw)))
		v := url.Values{}
		con.writeFacts(v, "", tree)
		got, err := con.readFacts(newForm(v), "", "condition")
		require.NoError(t, err, raw)
		return v, string(model.ToJSON(got))
	}
	t.Run("RowsSayIt", func(t *testing.T) {
		t.Parallel()
		for _, raw := range []string{
			`{}`, `{"leaf":"tag","tag_id":"1"}`, `{"not":{"leaf":"tag","tag_id":"1"}}`,
			`{"leaf":"did","event":"checkin.done","op":"gte","count":15,"window":"30d"}`, `{"leaf":"did","event":"behavior.x","op":"eq","count":0}`,
			`{"leaf":"did","event":"radar.viewed","op":"gte","count":2,"window":"30d","field":"kind","value":"new-product"}`,
			`{"leaf":"tier","at_least":"3"}`, `{"leaf":"tier","in":["2","1"]}`, `{"leaf":"account","account":"growth","basis":"lifetime","op":"gte","value":1000}`,
			`{"leaf":"member","field":"joined","value":false}`, `{"leaf":"member","field":"channel","value":"12"}`, `{"leaf":"member","field":"gender","value":"male"}`,
			`{"leaf":"birthday","scope":"month","feb29":"mar1"}`,
			`{"leaf":"calendar","weekdays":[3,1],"month_days":[1,-1],"short":"last","dates":["2026-11-11"],"from":"20:00","to":"22:00"}`,
			`{"leaf":"event.field","field":"correct","op":"eq","value":true}`, `{"leaf":"event.field","field":"no","op":"eq","value":"12"}`,
			`{"leaf":"event.field","field":"platform","op":"in","value":["tmall","jd"]}`, `{"leaf":"event.text","contains_any":["a b","c"],"excludes":["d"]}`,
			`{"leaf":"random","percent":12.5,"salt":"a"}`, `{"leaf":"event.text","equals_any":["a"],"account":"oa2"}`, `{"leaf":"group","group_id":"3"}`,
			`{"leaf":"orders","measure":"count","op":"gte","value":2,"window":"365d","category":"精华"}`, `{"leaf":"orders","measure":"amount","op":"lte","value":199950}`,
			`{"leaf":"orders","measure":"days","op":"lte","value":30}`, `{"leaf":"running_low","product":"精华","cycle_days":60,"ahead_days":10}`,
			`{"leaf":"inactive","op":"gte","days":60}`, `{"leaf":"active_days","op":"gte","count":4,"days":30}`,
			`{"leaf":"member","field":"age","op":"gte","value":20}`, `{"leaf":"member","field":"joined_days","op":"lte","value":7}`, `{"leaf":"member","field":"last_channel","value":"old"}`,
			`{"all":[{"leaf":"tag","tag_id":"1"},{"not":{"leaf":"tag","tag_id":"2"}}]}`, `{"any":[{"leaf":"tag","tag_id":"1"},{"leaf":"tag","tag_id":"2"}]}`,
			`{"any":[{"all":[{"leaf":"tag","tag_id":"1"},{"leaf":"tag","tag_id":"2"}]},{"leaf":"tag","tag_id":"3"}]}`,
			`{"all":[{"any":[{"leaf":"tag","tag_id":"1"},{"leaf":"tag","tag_id":"2"}]},{"leaf":"tag","tag_id":"3"},{"any":[{"leaf":"tag","tag_id":"4"},{"leaf":"tag","tag_id":"5"}]}]}`,
		} {
			v, got := read(raw)
			require.JSONEq(t, raw, got)
			for _, list := range v {
				require.NotContains(t, list, factJSON, raw)
			}
		}
	})
	t.Run("TheRestIsARowOfJSON", func(t *testing.T) {
		t.Parallel()
		for _, raw := range []string{
			`{"not":{"any":[{"leaf":"tag","tag_id":"1"},{"leaf":"tag","tag_id":"2"}]}}`, `{"all":[{"leaf":"tag","tag_id":"1"}]}`,
			`{"all":[{"leaf":"tag","tag_id":"1"},{"any":[{"leaf":"unheard","x":1},{"all":[{"leaf":"tag","tag_id":"1"},{"leaf":"tag","tag_id":"2"}]}]}]}`,
			`{"leaf":"event.text","contains_any":["a\nb"]}`, `{"leaf":"tag","tag_id":"1","more":true}`,
		} {
			v, got := read(raw)
			require.JSONEq(t, raw, got)
			require.Contains(t, fmt.Sprint(v), factJSON)
		}
	})
	t.Run("ARefusalNamesTheControl", func(t *testing.T) {
		t.Parallel()
		f := newForm(url.Values{
			"facts": {anyGroup}, "fact.0.leaf": {"tag"}, "fact.0.group": {"1"}, "fact.0.tag.tag_id": {"1"},
			"fact.2.leaf": {"did"}, "fact.2.group": {"7"}, "fact.2.not": {"on"}, "fact.2.did.event": {"x"}, "fact.2.did.op": {"gte"}, "fact.2.did.count": {"3"},
		})
		tree, err := con.readFacts(f, "", "condition")
		require.NoError(t, err)
		require.JSONEq(t, `{"any":[{"leaf":"tag","tag_id":"1"},{"not":{"leaf":"did","event":"x","op":"gte","count":3}}]}`, string(model.ToJSON(tree)))
		require.Equal(t, "fact.2.did.event", f.controlOf("condition.any[1].not.event"))
		require.Equal(t, "fact.0.tag.tag_id", f.controlOf("condition.any[0].tag_id"))
		f.Set("fact.2.did.count", "many")
		_, err = con.readFacts(f, "", "condition")
		var e *errs.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, "fact.2.did.count", e.Args["field"])
	})
}

func TestTimes(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 25, 2, 0, 0, 0, time.UTC)
	require.Equal(t, "2026-11-25T10:00", written(&at, clock.Shanghai))
	got, err := newForm(url.Values{"at": {"2026-11-25T10:00"}}).Time("at", clock.Shanghai)
	require.NoError(t, err)
	require.Equal(t, at, *got)
	_, err = newForm(url.Values{"at": {"tomorrow"}}).Time("at", clock.Shanghai)
	require.Error(t, err)
}

func TestInside(t *testing.T) {
	t.Parallel()
	for next, want := range map[string]string{
		"/console/members?q=a": "/console/members?q=a", "/console": "/console", "": "/console", "https://evil.example/console": "/console",
		"//evil.example/console": "/console", "/console.evil": "/console", `/console\evil`: "/console", "/admin/v1": "/console", "javascript:alert(1)": "/console",
	} {
		require.Equal(t, want, inside(next), next)
	}
}

// Keys that are made from values must have a sentence for every value.
func TestEveryWordHasASentence(t *testing.T) {
	t.Parallel()
	words := map[string][]string{
		"run_state":       {model.RunSending, model.RunMassing, model.RunCancelling, model.RunDone, model.RunCancelled, model.RunMissed},
		"delivery":        {model.DeliveryPending, model.DeliveryAttempting, model.DeliveryAccepted, model.DeliveryRejected, model.DeliveryUnknown, model.DeliverySuppressed, model.DeliveryDeferred, model.DeliveryCancelled},
		"batch":           {model.BatchFilling, model.BatchReady, model.BatchCalling, model.BatchSettling, model.BatchAccepted, model.BatchRejected, model.BatchUnknown, model.BatchEmpty},
		"broadcast_state": {model.BroadcastActive, model.BroadcastPaused, model.BroadcastDone},
		"push":            {model.InboxPending, model.InboxDone, model.InboxRefused, model.InboxUnknown, model.InboxFailed},
		"entry":           {model.EntryEarn, model.EntrySpend, model.EntryExpire, model.EntryActivate, model.EntryReverse, model.EntryMergeOut, model.EntryMergeIn, model.EntryHold, model.EntryRelease, model.EntryConvert, model.EntryRestore},
		"bucket":          {model.BucketAvailable, model.BucketPending, model.BucketHeld},
		"kind":            {model.KindOA, model.KindMP}, "class": {model.ClassMarketing, model.ClassService}, "gender": {"male", "female"},
		"quiz": {"off", "coming", "open", "closed"}, "channel": reach.Channels, "channel_limit": reach.Channels, "insert": fallbackNames,
		"expiry": ledger.Expiries, "convert_mode": {model.ConvertConsume, model.ConvertKeep},
		"grant_state": {model.GrantWaiting, model.GrantApproved, model.GrantRejected},
		"cause":       {model.CauseManual, model.CauseRule, model.CauseChannel, model.CauseQuiz, model.CauseForm, model.CauseReward},
		"done":        {"saved", "adjusted", "started", "paused", "resumed", "cancelled", "replayed", "requested"},
		"combine":     {model.CombineMax, model.CombineAdd, model.CombineMultiply},
		"title":       {"login", "member", "account", "autotag", "rule", "cap_set", "cap_sets", "backtest", "quiz", "quizweek", "channel", "broadcast", "run"},
	}
	for _, k := range reward.Kinds {
		words["grant_kind"] = append(words["grant_kind"], string(k))
	}
	for _, p := range reward.Periods {
		words["period"] = append(words["period"], string(p))
	}
	list, err := new(Console).facts(nil)
	require.NoError(t, err)
	for _, x := range list {
		words["fact"] = append(words["fact"], x.Key)
		for _, a := range x.Args {
			words["fact_arg"] = append(words["fact_arg"], a.Name)
			for _, ch := range a.Choices {
				if ch.Value != "" {
					words["fact_word"] = append(words["fact_word"], ch.Value)
				}
			}
		}
	}
	for _, m := range menu {
		words["title"] = append(words["title"], m.key)
	}
	for prefix, list := range words {
		for _, word := range list {
			require.True(t, templates.Has("console."+prefix+"."+word), "console.%s.%s", prefix, word)
		}
	}
}
