package console

import (
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/ledger"
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
		for raw, shape := range map[string]string{
			`{"leaf":"event.text","contains_any":["敏感肌","敏感"],"excludes":["不敏感"]}`:              shapeWords,
			`{"leaf":"event.text","contains_any":["草莓"]}`:                                       shapeWords,
			`{"leaf":"did","event":"checkin.done","op":"gte","count":15,"window":"30d"}`:        shapeCount,
			`{"leaf":"did","event":"checkin.done","op":"lte","count":15,"window":"30d"}`:        shapeJSON,
			`{"leaf":"did","event":"checkin.done","op":"gte","count":15,"window":"48h"}`:        shapeJSON,
			`{"all":[{"leaf":"event.text","contains_any":["草莓"]},{"leaf":"tag","tag_id":"1"}]}`: shapeJSON,
		} {
			v := url.Values{}
			writeFact(v, []byte(raw))
			require.Equal(t, shape, v.Get("shape"), raw)
			got, err := readFact(newForm(v))
			require.NoError(t, err)
			require.JSONEq(t, raw, string(got))
		}
	})
}

func TestRules(t *testing.T) {
	t.Parallel()
	fixed := func(account string, n int64) reward.Spec {
		return reward.Spec{Kind: reward.Fixed, Account: account, Amount: n}
	}
	streak := reward.Spec{Kind: reward.Streak, Account: "points", Table: []reward.Step{{Days: 7, Amount: 20}, {Days: 30, Amount: 100}}}
	t.Run("TheFormSaysOneOfEachKind", func(t *testing.T) {
		t.Parallel()
		v := url.Values{}
		require.True(t, writeGrants(v, []reward.Spec{
			fixed("points", 5), fixed("growth", 1), streak, {Kind: reward.PerUnit, Account: "points", Field: "count", Amount: 2}, {Kind: reward.Tag, TagID: 4},
		}))
		require.Equal(t, []string{"7", "30"}, v["step_days"])
	})
	t.Run("TwoOfAKindStayJSON", func(t *testing.T) {
		t.Parallel()
		require.False(t, writeGrants(url.Values{}, []reward.Spec{fixed("points", 5), fixed("points", 6)}))
		require.False(t, writeGrants(url.Values{}, []reward.Spec{streak, streak}))
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
		"quiz": {"off", "coming", "open", "closed"}, "channel": channelNames, "rank": {"0", "1", "2"},
		"expiry": ledger.Expiries, "convert_mode": {model.ConvertConsume, model.ConvertKeep},
		"grant_state": {model.GrantWaiting, model.GrantApproved, model.GrantRejected},
		"cause":       {model.CauseManual, model.CauseRule, model.CauseChannel, model.CauseQuiz, model.CauseReward},
		"done":        {"saved", "adjusted", "started", "paused", "resumed", "cancelled", "replayed", "requested"},
		"title":       {"login", "member", "account", "autotag", "rule", "quiz", "channel", "broadcast", "run"},
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
