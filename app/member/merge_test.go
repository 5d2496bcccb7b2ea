package member_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/quiz"
	"github.com/siyu-scrm/siyu/app/tag"
	"github.com/siyu-scrm/siyu/model"
)

// lives are two members with rows everywhere; first registered an hour before second.
type lives struct {
	*apptest.World
	first, second int64
	quiz          *quiz.View
}

func newLives(t *testing.T) *lives {
	t.Helper()
	w := &lives{World: apptest.New(t)}
	w.Rule("register", model.EventRegistered, apptest.Earns(50, ""))
	w.Rule("pack", model.EventRegistered, apptest.Earns(7, `[{"period":"lifetime","times":1}]`))
	w.Rule("checkin", model.EventCheckin, apptest.Earns(5, `[{"period":"day","times":1}]`))
	w.Rule("quiz", model.EventQuiz, `{"condition":{"leaf":"event.field","field":"correct","op":"eq","value":true},
		"grants":[{"kind":"fixed","account":"points","amount":10},{"kind":"fixed","account":"growth","amount":2}]}`)
	w.first = w.Joined("first")
	w.Advance(time.Hour)
	w.second = w.Joined("second")
	var err error
	w.quiz, err = w.Quizzes.Save(t.Context(), quiz.View{
		Quiz:    model.Quiz{Question: "?", OpensAt: apptest.Start, ClosesAt: apptest.Start.AddDate(0, 1, 0), Attempts: 1, Enabled: true},
		Options: []model.QuizOption{{Text: "right", Correct: true}, {Text: "wrong"}},
	})
	require.NoError(t, err)
	return w
}

func (w *lives) checkIn(id int64, day string) {
	w.T.Helper()
	if now := w.At(day + " 12:00:00"); now.After(w.Now()) {
		w.Set(day + " 12:00:00")
	}
	_, err := w.Checkins.CheckIn(w.T.Context(), id, "api", w.Now())
	require.NoError(w.T, err)
}

func (w *lives) answer(id int64, answer string) {
	w.T.Helper()
	_, err := w.Quizzes.Answer(w.T.Context(), id, w.quiz.ID, answer, w.Now())
	require.NoError(w.T, err)
}

func (w *lives) merge(a, b int64) int64 {
	w.T.Helper()
	m, err := w.Members.Merge(w.T.Context(), a, b, "test")
	require.NoError(w.T, err)
	w.Verified()
	return m.ID
}

func TestMerge(t *testing.T) {
	t.Parallel()

	t.Run("TheOneWhoRegisteredFirstSurvivesWhicheverWayRound", func(t *testing.T) {
		t.Parallel()
		w := newLives(t)
		require.Equal(t, w.first, w.merge(w.second, w.first))
		follower := w.Touched("oa", "older")
		member := w.Joined("younger")
		require.Equal(t, member, w.merge(follower, member), "a member before a follower, though older")
	})

	t.Run("PointsTagsAndStreaksUniteAndOnceOnlyGrantsStayOnce", func(t *testing.T) {
		t.Parallel()
		w := newLives(t)
		a, b := w.Tag(tag.Preference, "a"), w.Tag(tag.Preference, "b")
		require.NoError(t, w.Tags.SetManual(t.Context(), w.first, a, 1, true, ""))
		require.NoError(t, w.Tags.SetManual(t.Context(), w.second, b, 1, true, ""))
		w.checkIn(w.first, "2026-11-24")
		w.checkIn(w.second, "2026-11-24")
		w.checkIn(w.second, "2026-11-25")
		w.checkIn(w.first, "2026-11-26")
		require.EqualValues(t, 67, w.Points(w.first))
		require.EqualValues(t, 67, w.Points(w.second))
		var before []model.Lot
		require.NoError(t, w.DB.Reader(t.Context()).Where("member_id = ? AND account = ?", w.second, "points").Order("id").Find(&before).Error)

		w.merge(w.first, w.second)
		require.EqualValues(t, 67+67-50-7-5, w.Points(w.first), "registering pays a person once, capped or not, and so does a day")
		require.Zero(t, w.Points(w.second))
		require.Equal(t, []string{"a", "b"}, w.Held(w.first))

		month, err := w.Checkins.Month(t.Context(), w.first, "2026-11")
		require.NoError(t, err)
		require.Equal(t, []model.Day{"2026-11-24", "2026-11-25", "2026-11-26"}, month.Days)
		require.Equal(t, 3, month.Streak)

		var moved []model.Lot
		require.NoError(t, w.DB.Reader(t.Context()).Where("member_id = ? AND account = ? AND origin_id > 0", w.first, "points").Order("id").Find(&moved).Error)
		require.Len(t, moved, 1, "the check-in that only he has")
		for _, l := range moved {
			i := slices.IndexFunc(before, func(o model.Lot) bool { return o.ID == l.OriginID })
			require.GreaterOrEqual(t, i, 0)
			require.Equal(t, before[i].ExpiresAt, l.ExpiresAt)
			require.Equal(t, before[i].EarnedAt, l.EarnedAt)
		}
	})

	t.Run("WhatWasSpentOfAOnceOnlyGrantIsNotADebt", func(t *testing.T) {
		t.Parallel()
		w := newLives(t)
		for _, id := range []int64{w.first, w.second} {
			w.Tx(func(ctx context.Context, tx *gorm.DB) error {
				_, err := w.Book.PostTx(ctx, tx, ledger.Posting{MemberID: id, Account: "points", Amount: -50, Reason: "test", Key: "spend:" + string(rune('a'+id))})
				return err
			})
		}
		w.merge(w.first, w.second)
		require.EqualValues(t, 7, w.Points(w.first), "7 of the winner; the loser's 7 are taken back and no more")
	})

	t.Run("AQuizIsAnsweredOnce", func(t *testing.T) {
		t.Parallel()
		for name, c := range map[string]struct {
			first, second string
			points        int64
			right         bool
		}{
			"BothRight": {"A", "A", 57 + 10, true}, "WinnerRight": {"A", "B", 57 + 10, true},
			"LoserRight": {"B", "A", 57 + 10, true}, "BothWrong": {"B", "B", 57, false}, "LoserAlone": {"", "A", 57 + 10, true},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				w := newLives(t)
				if c.first != "" {
					w.answer(w.first, c.first)
				}
				w.answer(w.second, c.second)
				w.merge(w.first, w.second)
				require.Equal(t, c.points, w.Points(w.first))
				var rows []model.QuizAnswer
				require.NoError(t, w.DB.Reader(t.Context()).Find(&rows).Error)
				require.Len(t, rows, 1)
				require.Equal(t, w.first, rows[0].MemberID)
				require.Equal(t, c.right, rows[0].Correct)
				_, err := w.Quizzes.Answer(t.Context(), w.second, w.quiz.ID, "A", w.Now())
				require.Equal(t, errs.AlreadyAnswered, errs.CodeOf(err))
			})
		}
	})

	t.Run("OfThreeOnceOnlyGrantsOneStays", func(t *testing.T) {
		t.Parallel()
		w := newLives(t)
		w.Rule("once", "behavior.visit", apptest.Earns(100, `[{"period":"lifetime","times":1}]`))
		follower := w.Joined("third") // joins last: loses to second, then that one to first
		for i, id := range []int64{follower, w.first} {
			require.NoError(t, w.Behave(id, "visit", string(rune('a'+i)), w.Now()))
		}
		w.merge(w.second, follower)
		require.EqualValues(t, 57+100, w.Points(w.second))
		w.merge(w.first, w.second)
		require.EqualValues(t, 57+100, w.Points(w.first), "the grant of the third, which came by two merges, is taken back")
	})

	t.Run("CapsCountBothHalvesAndAnUndoGivesEachHisOwn", func(t *testing.T) {
		t.Parallel()
		w := newLives(t)
		w.Rule("once", "behavior.visit", apptest.Earns(100, `[{"period":"lifetime","times":1}]`))
		w.Rule("daily", "behavior.vote", apptest.Earns(10, `[{"period":"day","times":3}]`))
		w.Rule("amount", "behavior.read", apptest.Earns(4, `[{"period":"lifetime","account":"points","amount":10}]`))
		n := 0
		act := func(id int64, kind string) int64 {
			t.Helper()
			before := w.Points(id)
			n++
			require.NoError(t, w.Behave(id, kind, fmt.Sprint(n), w.Now()))
			return w.Points(id) - before
		}
		require.EqualValues(t, 100, act(w.first, "visit"))
		for _, id := range []int64{w.first, w.second} {
			require.EqualValues(t, 10, act(id, "vote"))
			require.EqualValues(t, 4, act(id, "read"))
		}
		require.EqualValues(t, 10, act(w.second, "vote"))
		first, second := w.Points(w.first), w.Points(w.second)
		w.merge(w.first, w.second)
		require.Equal(t, first+second-57, w.Points(w.first), "nothing but registering was paid twice")
		require.Zero(t, act(w.first, "visit"), "a person once")
		require.Zero(t, act(w.first, "vote"), "three of the day are had")
		require.EqualValues(t, 2, act(w.first, "read"), "what is left of 10 after 4 and 4")
		require.Zero(t, act(w.first, "read"))

		w.undo(w.second)
		require.Equal(t, []int64{first + 2, second}, []int64{w.Points(w.first), w.Points(w.second)})
		require.EqualValues(t, 100, act(w.second, "visit"), "he never had it")
		require.Zero(t, act(w.first, "visit"))
		require.EqualValues(t, 10, act(w.second, "vote"))
		require.Zero(t, act(w.second, "vote"))
		require.EqualValues(t, 6, act(w.second, "read")+act(w.second, "read"))
		require.EqualValues(t, 4, act(w.first, "read")+act(w.first, "read"), "10 less his 4 and the 2 since")
	})

	t.Run("AgainOrAtOnceItIsOneMerge", func(t *testing.T) {
		t.Parallel()
		w := newLives(t)
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				a, b := w.first, w.second
				if i%2 == 0 {
					a, b = b, a
				}
				if m, err := w.Members.Merge(context.Background(), a, b, "test"); err != nil || m.ID != w.first {
					t.Errorf("Merge: %v %v", m, err)
				}
			})
		}
		wg.Wait()
		require.Equal(t, w.first, w.merge(w.second, w.first))
		require.EqualValues(t, 1, w.Count(&model.Merge{}))
		require.EqualValues(t, 57, w.Points(w.first))
	})

	t.Run("DeedsAtOnceWithTheMergeAreTheSurvivors", func(t *testing.T) {
		t.Parallel()
		w := newLives(t)
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := w.Members.Merge(context.Background(), w.first, w.second, "test"); err != nil {
				t.Errorf("Merge: %v", err)
			}
		})
		for range 4 {
			for _, id := range []int64{w.first, w.second} {
				wg.Go(func() {
					_, err := w.Checkins.CheckIn(context.Background(), id, "api", w.Now())
					if code := errs.CodeOf(err); err != nil && code != errs.AlreadyCheckedIn {
						t.Errorf("CheckIn: %v", err)
					}
				})
			}
		}
		wg.Wait()
		require.EqualValues(t, 1, w.Count(&model.Checkin{}))
		require.EqualValues(t, 1, w.Count(&model.Checkin{}, "member_id = ?", w.first))
		w.Verified()
	})

	t.Run("BothTokensLeadToTheSurvivor", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		p, first := w.Member("first")
		w.Advance(time.Minute)
		q, second := w.Member("second")
		_, err := w.Members.Merge(t.Context(), first, second, "test")
		require.NoError(t, err)
		require.NoError(t, p.API(t.Context(), "POST", "/checkins", map[string]any{}, nil))
		err = q.API(t.Context(), "POST", "/checkins", map[string]any{}, nil)
		require.ErrorContains(t, err, "ALREADY_CHECKED_IN")
	})

	t.Run("TheSurvivorTakesWhatHeLacks", func(t *testing.T) {
		t.Parallel()
		w := newLives(t)
		_, err := w.Members.Update(t.Context(), w.second, member.Profile{
			Birthday: ptr(model.Day("2000-01-01")), Gender: ptr("female"), Marketing: ptr(false), LocationConsent: ptr(true),
		})
		require.NoError(t, err)
		_, err = w.Members.Update(t.Context(), w.second, member.Profile{Birthday: ptr(model.Day("2000-01-03"))})
		require.NoError(t, err, "telling it for the first time is no change")
		w.Tx(func(_ context.Context, tx *gorm.DB) error { return w.Members.LocateTx(tx, w.second, 31, 121, w.Now()) })
		w.merge(w.first, w.second)
		m, err := w.Members.Get(t.Context(), w.second)
		require.NoError(t, err)
		require.Equal(t, w.first, m.ID)
		require.Equal(t, "first", m.Nickname)
		require.Equal(t, model.Day("2000-01-03"), m.Birthday)
		require.Equal(t, "female", m.Gender)
		require.NotNil(t, m.OptedOutAt, "a wish not to be written to holds for the person")
		require.Zero(t, w.Count(&model.Position{}), "the survivor never let positions be kept")
		_, err = w.Members.Update(t.Context(), w.first, member.Profile{Birthday: ptr(model.Day("2000-01-02"))})
		require.Equal(t, errs.LimitReached, errs.CodeOf(err), "the 365 days came along")
	})

	t.Run("HimselfIsRefused", func(t *testing.T) {
		t.Parallel()
		w := newLives(t)
		_, err := w.Members.Merge(t.Context(), w.first, w.first, "test")
		require.Equal(t, errs.Invalid, errs.CodeOf(err))
		_, err = w.Members.Merge(t.Context(), w.first, 999, "test")
		require.Equal(t, errs.NotFound, errs.CodeOf(err))
	})
}

func TestMergeOfTags(t *testing.T) {
	t.Parallel()

	t.Run("IsNoNews", func(t *testing.T) {
		t.Parallel()
		w := newLives(t)
		w.Rule("tagged", model.EventTag, apptest.Earns(3, ""))
		require.NoError(t, w.Tags.SetManual(t.Context(), w.second, w.Tag(tag.Preference, "a"), 1, true, ""))
		require.EqualValues(t, 57+3, w.Points(w.second))
		w.merge(w.first, w.second)
		require.EqualValues(t, 57+3, w.Points(w.first), "what the tag earned it earned once")
	})

	t.Run("InAnExclusiveGroupTheHandThenTheLaterWins", func(t *testing.T) {
		t.Parallel()
		w := newLives(t)
		g, err := w.Tags.CreateGroup(t.Context(), model.TagGroup{Name: "肤质", Code: "skin", Exclusive: true})
		require.NoError(t, err)
		dry, err := w.Tags.Create(t.Context(), g.ID, "干")
		require.NoError(t, err)
		oily, err := w.Tags.Create(t.Context(), g.ID, "油")
		require.NoError(t, err)
		set := func(id, tagID int64, kind string, at time.Time) {
			w.Tx(func(ctx context.Context, tx *gorm.DB) error {
				if err := member.LockTx(tx, id); err != nil {
					return err
				}
				_, err := w.Tags.SetTx(ctx, tx, id, tagID, tag.Cause{Kind: kind, ID: 1}, at)
				return err
			})
		}
		set(w.first, dry.ID, model.CauseQuiz, w.Now())
		set(w.second, oily.ID, model.CauseQuiz, w.Now().Add(-time.Minute))
		w.merge(w.first, w.second)
		require.Equal(t, []string{"干"}, w.Held(w.first), "the winner's is later")

		third := w.Joined("third")
		set(third, oily.ID, model.CauseManual, w.Now().Add(-time.Minute))
		w.merge(w.first, third)
		require.Equal(t, []string{"油"}, w.Held(w.first), "a hand before a quiz")
	})

	t.Run("RulesAreHeardForThePersonAsHeIsNow", func(t *testing.T) {
		t.Parallel()
		w := newLives(t)
		w.AutoTag(w.Tag(tag.Value, "often"), `{"leaf":"did","event":"checkin.done","op":"gte","count":2,"window":"30d"}`)
		w.AutoTag(w.Tag(tag.Attribute, "woman"), `{"leaf":"member","field":"gender","value":"female"}`)
		_, err := w.Members.Update(t.Context(), w.second, member.Profile{Gender: ptr("female")})
		require.NoError(t, err)
		w.checkIn(w.first, "2026-11-24")
		w.checkIn(w.second, "2026-11-25")
		require.Empty(t, w.Held(w.first))
		w.merge(w.first, w.second)
		require.Equal(t, []string{"often", "woman"}, w.Held(w.first))
	})
}
