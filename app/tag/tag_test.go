package tag_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/tag"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

const often = `{"leaf":"did","event":"checkin.done","op":"gte","count":15,"window":"30d"}`

func set(w *apptest.World, memberID, tagID int64, c tag.Cause) (fresh bool) {
	w.T.Helper()
	w.Tx(func(ctx context.Context, tx *gorm.DB) (err error) {
		if err := member.LockTx(tx, memberID); err != nil {
			return err
		}
		fresh, err = w.Tags.SetTx(ctx, tx, memberID, tagID, c, w.Now())
		return err
	})
	return fresh
}

func unset(w *apptest.World, memberID, tagID int64, c tag.Cause) (gone bool) {
	w.T.Helper()
	w.Tx(func(ctx context.Context, tx *gorm.DB) (err error) {
		if err := member.LockTx(tx, memberID); err != nil {
			return err
		}
		gone, err = w.Tags.UnsetTx(ctx, tx, memberID, tagID, c, w.Now())
		return err
	})
	return gone
}

// group makes an exclusive group with tags a and b.
func group(w *apptest.World) (a, b int64) {
	w.T.Helper()
	g, err := w.Tags.CreateGroup(w.T.Context(), model.TagGroup{Name: "只能有一个标签的标签组", Exclusive: true})
	require.NoError(w.T, err)
	ids := make([]int64, 2)
	for i, name := range []string{"a", "b"} {
		t, err := w.Tags.Create(w.T.Context(), g.ID, name)
		require.NoError(w.T, err)
		ids[i] = t.ID
	}
	return ids[0], ids[1]
}

// say is a text message of the member.
func say(w *apptest.World, memberID int64, text string) {
	w.T.Helper()
	w.Tx(func(ctx context.Context, tx *gorm.DB) error {
		if _, err := w.Members.ActTx(tx, memberID, w.Now(), false); err != nil {
			return err
		}
		n := 0
		if err := tx.Raw("SELECT COUNT(*) FROM events").Scan(&n).Error; err != nil {
			return err
		}
		_, err := w.Events.RecordTx(ctx, tx, &model.Event{
			MemberID: memberID, Kind: model.EventMessage, Source: "test", Key: fmt.Sprint("say", n), OccurredAt: w.Now(),
			Data: model.ToJSON(map[string]any{"type": "text", "content": text}),
		})
		return err
	})
}

func TestCauses(t *testing.T) {
	t.Parallel()
	manual, rule, quiz := tag.Cause{Kind: model.CauseManual, ID: 1}, tag.Cause{Kind: model.CauseRule, ID: 1}, tag.Cause{Kind: model.CauseQuiz, ID: 1}

	t.Run("TheTagStaysWhileAnyCauseStands", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		alice, x := w.Joined("alice"), w.Tag(tag.Value, "x")
		require.True(t, set(w, alice, x, rule))
		require.False(t, set(w, alice, x, rule))
		require.False(t, set(w, alice, x, quiz))
		require.False(t, unset(w, alice, x, rule))
		require.Equal(t, []string{"x"}, w.Held(alice))
		require.True(t, unset(w, alice, x, quiz))
		require.False(t, unset(w, alice, x, quiz))
		require.Empty(t, w.Held(alice))
		history, err := w.Tags.History(t.Context(), alice, 10)
		require.NoError(t, err)
		require.Len(t, history, 2, "set once, lost once")
		require.EqualValues(t, 2, w.Count(&model.Event{}, "kind = ?", model.EventTag))
	})

	t.Run("AHandIsNeverUndoneByARule", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		alice, x := w.Joined("alice"), w.Tag(tag.Value, "x")
		require.NoError(t, w.Tags.SetManual(t.Context(), alice, x, 1, true, "knows her"))
		w.AutoTag(x, `{"leaf":"did","event":"checkin.done","op":"gte","count":1,"window":"1d"}`)
		_, err := w.Checkins.CheckIn(t.Context(), alice, "api", w.Now())
		require.NoError(t, err)
		w.Advance(48 * time.Hour)
		require.Equal(t, []string{"x"}, w.Held(alice))
		require.NoError(t, w.Tags.SetManual(t.Context(), alice, x, 2, false, "no more"), "another operator may take it")
		require.Empty(t, w.Held(alice))
	})

	t.Run("AnExclusiveGroupReplacesAtomically", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		alice := w.Joined("alice")
		a, b := group(w)
		require.True(t, set(w, alice, a, rule))
		require.False(t, set(w, alice, a, quiz))
		require.True(t, set(w, alice, b, rule))
		require.Equal(t, []string{"b"}, w.Held(alice), "every cause of the sibling went")
		require.True(t, set(w, alice, a, manual))
		require.Equal(t, []string{"a"}, w.Held(alice))
		require.False(t, set(w, alice, b, rule), "a hand keeps its siblings away")
		require.Equal(t, []string{"a"}, w.Held(alice))
		require.True(t, set(w, alice, b, manual), "but not another hand")
		require.Equal(t, []string{"b"}, w.Held(alice))
	})

	t.Run("AtOnceOneTagOfAnExclusiveGroupIsLeft", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		alice := w.Joined("alice")
		a, b := group(w)
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() { set(w, alice, []int64{a, b}[i%2], quiz) })
		}
		wg.Wait()
		require.Len(t, w.Held(alice), 1)
	})

	t.Run("ARuleIsHeardAgainWhenTheHandThatKeptItAwayIsGone", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		alice := w.Joined("alice")
		a, b := group(w)
		require.NoError(t, w.Tags.SetManual(t.Context(), alice, a, 1, true, ""))
		w.AutoTag(b, `{"leaf":"member","field":"joined","value":true}`)
		require.Equal(t, []string{"a"}, w.Held(alice))
		require.NoError(t, w.Tags.SetManual(t.Context(), alice, a, 1, false, ""))
		require.Equal(t, []string{"b"}, w.Held(alice))
	})

	t.Run("ATagByHandReachesTheSurvivorOfAMerge", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		alice, other, x := w.Joined("alice"), w.Touched("oa", "o"), w.Tag(tag.Value, "x")
		_, err := w.Members.Merge(t.Context(), alice, other, "test")
		require.NoError(t, err)
		require.NoError(t, w.Tags.SetManual(t.Context(), other, x, 1, true, ""))
		require.Equal(t, []string{"x"}, w.Held(alice))
	})

	t.Run("BadInputIsRefused", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		alice, x := w.Joined("alice"), w.Tag(tag.Value, "x")
		require.Equal(t, errs.NotFound, errs.CodeOf(w.Tags.SetManual(t.Context(), alice, 999, 1, true, "")))
		require.Equal(t, errs.NotFound, errs.CodeOf(w.Tags.SetManual(t.Context(), 999, x, 1, true, "")))
		require.Equal(t, errs.Invalid, errs.CodeOf(w.Tags.SetManual(t.Context(), alice, x, 1, true, strings.Repeat("长", 256))))
		require.NoError(t, w.Tags.SetManual(t.Context(), alice, x, 1, true, strings.Repeat("长", 255)))
		groups, err := w.Tags.Groups(t.Context())
		require.NoError(t, err)
		require.Len(t, groups, 6, "the six dimensions of a first start")
		_, err = w.Tags.Create(t.Context(), groups[0].ID, " ")
		require.Equal(t, errs.Invalid, errs.CodeOf(err))
		_, err = w.Tags.Create(t.Context(), 999, "y")
		require.Equal(t, errs.Invalid, errs.CodeOf(err))
		for _, want := range []errs.Code{"", errs.Conflict} {
			_, err = w.Tags.Create(t.Context(), groups[0].ID, "y")
			require.Equal(t, want, errs.CodeOf(err))
		}
		_, err = w.Tags.CreateGroup(t.Context(), model.TagGroup{Name: "again", Code: groups[0].Code})
		require.Equal(t, errs.Conflict, errs.CodeOf(err))
	})
}

func TestKeywords(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	x := w.Tag(tag.Attribute, "敏感肌")
	r := w.AutoTag(x, `{"leaf":"event.text","contains_any":["敏感肌"],"excludes":["不是敏感肌","非敏感肌"]}`)
	require.True(t, r.OnEvent)
	for text, want := range map[string][]string{
		"我是敏感肌能用吗": {"敏感肌"}, "敏感肌": {"敏感肌"}, "朋友是敏感肌": {"敏感肌"}, "我不是敏感肌": {}, "你好": {}, // PLAYBOOKS P01-B
	} {
		who := w.Joined(text)
		say(w, who, text)
		require.Equal(t, want, w.Held(who), text)
		say(w, who, "我不是敏感肌")
		w.Settle()
		require.Equal(t, want, w.Held(who), "a chat tag stays")
	}
	who := w.Joined("why")
	say(w, who, "敏感肌")
	held, err := w.Tags.Of(t.Context(), who)
	require.NoError(t, err)
	require.Equal(t, model.CauseRule, held[0].Cause)
	require.Equal(t, r.ID, held[0].CauseID)
	require.NotZero(t, held[0].EventID)
	require.Equal(t, w.Now(), held[0].At)
}

func TestCountedBehaviour(t *testing.T) {
	t.Parallel()
	// fifteen is check-ins at 09:00 daily from 11-23 to 12-07.
	fifteen := func(t *testing.T, w *apptest.World) int64 {
		alice := w.Joined("alice")
		for i := range 15 {
			w.Jump(apptest.Start.AddDate(0, 0, i).In(w.Zone.Location()).Format(time.DateTime))
			require.Empty(t, w.Held(alice))
			_, err := w.Checkins.CheckIn(t.Context(), alice, "api", w.Now())
			require.NoError(t, err)
		}
		require.Equal(t, model.Day("2026-12-07"), w.Zone.DayOf(w.Now()))
		return alice
	}

	t.Run("SetWhenItHoldsAndGoneAtTheInstant", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		w.AutoTag(w.Tag(tag.Value, "常签到用户"), often)
		alice := fifteen(t, w)
		require.Equal(t, []string{"常签到用户"}, w.Held(alice), "with the fifteenth, at once")
		events := w.Count(&model.Event{}, "kind = ?", model.EventTag)
		w.Set("2026-12-22 23:59:59")
		require.Equal(t, []string{"常签到用户"}, w.Held(alice))
		w.Set("2026-12-23 08:59:59")
		require.Equal(t, []string{"常签到用户"}, w.Held(alice))
		require.Equal(t, events, w.Count(&model.Event{}, "kind = ?", model.EventTag), "nothing happened meanwhile")
		w.Set("2026-12-23 09:00:00")
		require.Empty(t, w.Held(alice))
		history, err := w.Tags.History(t.Context(), alice, 1)
		require.NoError(t, err)
		require.Equal(t, w.Now(), history[0].At)
		_, due, err := w.Tags.Due(t.Context())
		require.NoError(t, err)
		require.False(t, due, "no instant is left")
	})

	t.Run("GoneAlsoIfNobodyRanAtTheInstant", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		w.AutoTag(w.Tag(tag.Value, "常签到用户"), often)
		alice := fifteen(t, w)
		w.Jump("2026-12-25 00:00:00") // nothing runs: siyu is down
		require.Equal(t, []string{"常签到用户"}, w.Held(alice))
		w.Settle()
		require.Empty(t, w.Held(alice))
	})

	t.Run("ARuleSavedLaterAppliesToWhoIsThere", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		alice, bob := fifteen(t, w), w.Joined("bob")
		w.AutoTag(w.Tag(tag.Value, "常签到用户"), often)
		require.Equal(t, []string{"常签到用户"}, w.Held(alice))
		require.Empty(t, w.Held(bob))
		w.Set("2026-12-23 09:00:00")
		require.Empty(t, w.Held(alice))
	})

	t.Run("ADisabledRuleLeavesWhatItSetUntilItIsEnabledAgain", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		x := w.Tag(tag.Value, "常签到用户")
		r := w.AutoTag(x, often)
		alice := fifteen(t, w)
		save := func(enabled bool) {
			_, err := w.Tags.SaveRule(t.Context(), tag.Rule{ID: r.ID, TagID: x, Name: "r", Enabled: enabled, Condition: []byte(often)}, templates.English)
			require.NoError(t, err)
			w.Settle()
		}
		save(false)
		w.Set("2026-12-24 00:00:00")
		require.Equal(t, []string{"常签到用户"}, w.Held(alice))
		save(true)
		require.Empty(t, w.Held(alice))
	})

	t.Run("AChangedConditionIsAppliedToEverybody", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		x := w.Tag(tag.Value, "x")
		r := w.AutoTag(x, often)
		alice := fifteen(t, w)
		_, err := w.Tags.SaveRule(t.Context(), tag.Rule{ID: r.ID, TagID: x, Name: "r", Enabled: true, Condition: []byte(strings.Replace(often, "15", "16", 1))}, templates.English)
		require.NoError(t, err)
		w.Settle()
		require.Empty(t, w.Held(alice))
	})

	t.Run("HoldsFromTheStartForWhoIsNew", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		w.AutoTag(w.Tag(tag.Value, "quiet"), `{"leaf":"did","event":"checkin.done","op":"eq","count":0,"window":"30d"}`)
		alice := w.Joined("alice")
		require.Equal(t, []string{"quiet"}, w.Held(alice))
		_, err := w.Checkins.CheckIn(t.Context(), alice, "api", w.Now())
		require.NoError(t, err)
		require.Empty(t, w.Held(alice))
		w.Advance(30 * 24 * time.Hour)
		require.Equal(t, []string{"quiet"}, w.Held(alice))
	})

	t.Run("ARuleOnATagFollowsIt", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		x, y := w.Tag(tag.Value, "x"), w.Tag(tag.Value, "y")
		w.AutoTag(y, fmt.Sprintf(`{"leaf":"tag","tag_id":"%d"}`, x))
		alice := w.Joined("alice")
		require.NoError(t, w.Tags.SetManual(t.Context(), alice, x, 1, true, ""))
		require.Equal(t, []string{"x", "y"}, w.Held(alice))
		require.NoError(t, w.Tags.SetManual(t.Context(), alice, x, 1, false, ""))
		require.Empty(t, w.Held(alice))
	})

	t.Run("TwoRulesOfAnExclusiveGroupThatBothHoldDoNotChaseEachOther", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		x, y := w.Tag(tag.Value, "x"), w.Tag(tag.Value, "y")
		a, b := group(w)
		w.AutoTag(a, fmt.Sprintf(`{"leaf":"tag","tag_id":"%d"}`, x))
		w.AutoTag(b, fmt.Sprintf(`{"leaf":"tag","tag_id":"%d"}`, y))
		alice := w.Joined("alice")
		require.NoError(t, w.Tags.SetManual(t.Context(), alice, x, 1, true, ""))
		require.NoError(t, w.Tags.SetManual(t.Context(), alice, y, 1, true, ""))
		require.ElementsMatch(t, []string{"x", "y", "b"}, w.Held(alice), "the later one stands")
	})

	t.Run("EventsAtOnceAreAllCounted", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		w.AutoTag(w.Tag(tag.Value, "x"), `{"leaf":"did","event":"behavior.share","op":"gte","count":10,"window":"1d"}`)
		alice := w.Joined("alice")
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() {
				if err := w.Behave(alice, "share", fmt.Sprint(i), apptest.Start); err != nil {
					t.Errorf("Behave: %v", err)
				}
			})
		}
		wg.Wait()
		require.Equal(t, []string{"x"}, w.Held(alice))
	})

	t.Run("ASavedRuleReachesEverybodyOnceThoughManyWorkAndSomeDie", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		var people []int64
		for i := range 120 {
			people = append(people, w.Joined(fmt.Sprint("m", i)))
		}
		x := w.Tag(tag.Value, "x")
		rule, err := w.Tags.SaveRule(t.Context(), tag.Rule{
			TagID: x, Name: "r", Enabled: true, Condition: []byte(`{"leaf":"member","field":"joined","value":true}`),
		}, templates.Chinese)
		require.NoError(t, err)
		_, due, err := w.Tags.ReviewDue(t.Context())
		require.NoError(t, err)
		require.True(t, due)
		n, err := w.Tags.Review(t.Context(), w.Now())
		require.NoError(t, err)
		require.Positive(t, n)
		require.EqualValues(t, n, w.Count(&model.TagHold{}, "tag_id = ?", x))
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for n := 1; n > 0; {
					var err error
					if n, err = w.Tags.Review(context.Background(), w.Now()); err != nil {
						t.Errorf("Review: %v", err)
						return
					}
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, len(people), w.Count(&model.TagHold{}, "tag_id = ?", x))
		require.EqualValues(t, len(people), w.Count(&model.TagChange{}, "is_set = ?", true))
		_, due, err = w.Tags.ReviewDue(t.Context())
		require.NoError(t, err)
		require.False(t, due)

		_, err = w.Tags.SaveRule(t.Context(), tag.Rule{
			ID: rule.ID, TagID: x, Name: "r", Enabled: true, Condition: []byte(`{"leaf":"member","field":"joined","value":false}`),
		}, templates.Chinese)
		require.NoError(t, err)
		w.Settle()
		require.Zero(t, w.Count(&model.TagHold{}, "tag_id = ?", x), "saved anew, it is applied to all anew")
	})

	t.Run("TwoProcessesRunAFlipOnce", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		w.AutoTag(w.Tag(tag.Value, "x"), `{"leaf":"did","event":"behavior.share","op":"gte","count":1,"window":"1d"}`)
		for i := range 20 {
			require.NoError(t, w.Behave(w.Joined(fmt.Sprint("m", i)), "share", fmt.Sprint(i), apptest.Start))
		}
		w.Sandbox.Clock().Set(apptest.Start.Add(25 * time.Hour))
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				if _, err := w.Tags.RunDue(context.Background(), w.Now()); err != nil {
					t.Errorf("RunDue: %v", err)
				}
			})
		}
		wg.Wait()
		require.Zero(t, w.Count(&model.TagHold{}))
		require.EqualValues(t, 20, w.Count(&model.TagChange{}, "is_set = ?", false))
	})
}

func TestSaveRule(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	x := w.Tag(tag.Value, "x")
	for name, c := range map[string]struct{ in, field string }{
		"NoCondition":     {`{}`, "condition"},
		"UnknownLeaf":     {`{"leaf":"weather"}`, "condition.leaf"},
		"UnknownField":    {`{"leaf":"tag","tag_id":"1","colour":"red"}`, "condition.colour"},
		"MissingTag":      {`{"leaf":"tag","tag_id":"999"}`, "condition.tag_id"},
		"UnknownEvent":    {`{"leaf":"did","event":"moon.landing","op":"gte","count":1}`, "condition.event"},
		"BareBehavior":    {`{"leaf":"did","event":"behavior","op":"gte","count":1}`, "condition.event"},
		"NegativeCount":   {`{"leaf":"did","event":"checkin.done","op":"gte","count":-1}`, "condition.count"},
		"WindowOfNoUnit":  {`{"leaf":"did","event":"checkin.done","op":"gte","count":1,"window":"30"}`, "condition.window"},
		"MissingChannel":  {`{"leaf":"member","field":"channel","value":"nowhere"}`, "condition.value"},
		"BadMemberField":  {`{"leaf":"member","field":"iq","value":1}`, "condition.field"},
		"JoinedIsNotText": {`{"leaf":"member","field":"joined","value":"yes"}`, "condition.value"},
	} {
		_, err := w.Tags.SaveRule(t.Context(), tag.Rule{TagID: x, Name: "r", Enabled: true, Condition: []byte(c.in)}, templates.English)
		var e *errs.Error
		require.ErrorAs(t, err, &e, name)
		require.Equal(t, errs.Invalid, e.Code, name)
		require.Equal(t, c.field, e.Args["field"], name)
	}
	_, err := w.Tags.SaveRule(t.Context(), tag.Rule{TagID: 999, Name: "r", Condition: []byte(often)}, templates.English)
	require.Equal(t, errs.Invalid, errs.CodeOf(err))
	_, err = w.Tags.SaveRule(t.Context(), tag.Rule{ID: 999, TagID: x, Name: "r", Condition: []byte(often)}, templates.English)
	require.Equal(t, errs.NotFound, errs.CodeOf(err))
	require.Zero(t, w.Count(&model.AutoTag{}))

	for lang, sentence := range map[string]string{
		templates.Chinese: "最近 30 天签到至少 15 次", templates.English: "checks in at least 15 times in the last 30 days",
	} {
		r, err := w.Tags.SaveRule(t.Context(), tag.Rule{TagID: x, Name: "r", Condition: []byte(often)}, lang)
		require.NoError(t, err)
		require.Equal(t, sentence, r.Sentence)
		require.False(t, r.OnEvent)
	}
}

func TestChainsOfRules(t *testing.T) {
	t.Parallel()
	save := func(w *apptest.World, sets int64, condition string, enabled bool) error {
		_, err := w.Tags.SaveRule(w.T.Context(), tag.Rule{TagID: sets, Name: "r", Enabled: enabled, Condition: []byte(condition)}, templates.English)
		return err
	}
	on := func(id int64) string { return fmt.Sprintf(`{"leaf":"tag","tag_id":"%d"}`, id) }
	off := func(id int64) string { return `{"not":` + on(id) + `}` }

	t.Run("ARuleThatWaitsForItselfIsRefused", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		x, y, z := w.Tag(tag.Value, "x"), w.Tag(tag.Value, "y"), w.Tag(tag.Value, "z")
		require.Equal(t, errs.Invalid, errs.CodeOf(save(w, x, on(x), true)))
		require.Equal(t, errs.Invalid, errs.CodeOf(save(w, x, off(x), true)))
		require.Equal(t, errs.Invalid, errs.CodeOf(save(w, x, `{"leaf":"did","event":"tag.changed","op":"gte","count":1,"window":"1d"}`, true)))
		require.NoError(t, save(w, x, off(y), true))
		require.NoError(t, save(w, y, on(z), true))
		require.Equal(t, errs.Invalid, errs.CodeOf(save(w, z, on(x), true)))
		require.NoError(t, save(w, z, on(x), false), "a disabled rule harms nobody")
		require.EqualValues(t, 3, w.Count(&model.AutoTag{}), "nothing refused was kept")
		w.Joined("alice")
	})

	t.Run("TheLongestChainRunsAndALongerOneIsRefused", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		ids := make([]int64, 8)
		for i := range ids {
			ids[i] = w.Tag(tag.Value, fmt.Sprint("t", i))
		}
		for i := range 6 {
			require.NoError(t, save(w, ids[i+1], on(ids[i]), true))
		}
		require.Equal(t, errs.Invalid, errs.CodeOf(save(w, ids[7], on(ids[6]), true)))
		w.AutoTag(ids[0], `{"leaf":"event.text","contains_any":["go"]}`)
		alice := w.Joined("alice")
		say(w, alice, "go")
		require.Len(t, w.Held(alice), 7)
	})
}

// Who was born on 29 February celebrates, and grows older, on the 28th of common years, or on 1 March where the operator says so
// (PLAYBOOKS H20): in the leaf, in the set of all members and in the tag, which changes at that instant and not at a later event.
func TestLeapDay(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	id := w.Joined("leap")
	born := model.Day("2008-02-29")
	_, err := w.Members.Update(t.Context(), id, member.Profile{Birthday: &born})
	require.NoError(t, err)
	trees := map[string]string{
		"birthday": `{"leaf":"birthday","scope":"day"}`, "first of March": `{"leaf":"birthday","scope":"day","feb29":"mar1"}`,
		"19": `{"leaf":"member","field":"age","op":"gte","value":19}`, "20": `{"leaf":"member","field":"age","op":"gte","value":20}`,
	}
	for name, tree := range trees {
		w.AutoTag(w.Tag("preference", name), tree)
	}
	for _, c := range []struct {
		at   string
		held []string
	}{
		{"2027-02-27 23:59:59", []string{}},
		{"2027-02-28 00:00:00", []string{"19", "birthday"}},
		{"2027-02-28 23:59:59", []string{"19", "birthday"}},
		{"2027-03-01 00:00:00", []string{"19", "first of March"}},
		{"2027-03-02 00:00:00", []string{"19"}},
		{"2028-02-28 23:59:59", []string{"19"}},
		{"2028-02-29 00:00:00", []string{"19", "20", "birthday", "first of March"}},
		{"2028-03-01 00:00:00", []string{"19", "20"}},
	} {
		if at := w.At(c.at); at.Sub(w.Now()) > 24*time.Hour {
			w.Jump(at.Add(-time.Hour).In(w.Zone.Location()).Format(time.DateTime)) // nothing falls due on the way
		}
		w.Set(c.at)
		require.Equal(t, c.held, w.Held(id), c.at)
		for name, tree := range trees {
			parsed, err := w.Conditions.Parse([]byte(tree))
			require.NoError(t, err)
			n, err := w.Audience.Count(t.Context(), parsed)
			require.NoError(t, err)
			require.Equal(t, slices.Contains(c.held, name), n == 1, "%s: the set of %s", c.at, name)
		}
	}
}
