package quiz_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/quiz"
	"github.com/siyu-scrm/siyu/app/tag"
	"github.com/siyu-scrm/siyu/model"
)

// lips is the quiz of PLAYBOOKS P03, open 2026-11-24 12:00 to 20:00.
func lips(w *apptest.World) quiz.View {
	return quiz.View{
		Quiz: model.Quiz{
			Question: "今天直播间会上架一款草莓味的兰芝保湿修护唇膜,猜猜它的主要有效成分是?", Attempts: 1, Enabled: true, Explanation: "锁水", Link: "https://live.example/1",
			OpensAt: w.At("2026-11-24 12:00:00"), ClosesAt: w.At("2026-11-24 20:00:00"),
		},
		Options: []model.QuizOption{{Text: "莓果复合物", Correct: true, TagID: w.Tag(tag.Preference, "喜欢草莓味")}, {Text: "天然果油"}},
	}
}

func save(w *apptest.World, v quiz.View) *quiz.View {
	w.T.Helper()
	saved, err := w.Quizzes.Save(w.T.Context(), v)
	require.NoError(w.T, err)
	return saved
}

// setUp is a world with the quiz and the rule that pays a right answer, at noon of its day.
func setUp(t *testing.T) (*apptest.World, *quiz.View) {
	t.Helper()
	w := apptest.New(t)
	w.Rule("quiz", model.EventQuiz, `{"condition":{"leaf":"event.field","field":"correct","op":"eq","value":true},"grants":[{"kind":"fixed","account":"points","amount":10}]}`)
	v := save(w, lips(w))
	return w, v
}

// text is a chat message of the member at an instant; "" as code where it is no answer.
func text(w *apptest.World, id int64, content string, at time.Time) (r *quiz.Result, ok bool, err error) {
	err = w.DB.Tx(context.Background(), func(ctx context.Context, tx *gorm.DB) error {
		r, ok, err = w.Quizzes.TextTx(ctx, tx, id, content, at)
		return err
	})
	return r, ok, err
}

func TestAnswer(t *testing.T) {
	t.Parallel()

	t.Run("TheWindowIsHalfOpen", func(t *testing.T) {
		t.Parallel()
		w, v := setUp(t)
		alice, bob := w.Joined("alice"), w.Joined("bob")
		w.Set("2026-11-24 21:00:00")
		_, ok, err := text(w, alice, "A", v.OpensAt.Add(-time.Second))
		require.NoError(t, err)
		require.False(t, ok, "before opening it is a message like any other")
		for _, at := range []time.Time{v.OpensAt.Add(-time.Second), v.ClosesAt} {
			_, err = w.Quizzes.Answer(t.Context(), alice, v.ID, "A", at)
			require.Equal(t, errs.QuizClosed, errs.CodeOf(err))
		}
		_, _, err = text(w, alice, "A", v.ClosesAt)
		require.Equal(t, errs.QuizClosed, errs.CodeOf(err))
		_, ok, err = text(w, alice, "A", v.ClosesAt.Add(24*time.Hour))
		require.NoError(t, err)
		require.False(t, ok, "a day later nobody means the quiz")
		r, ok, err := text(w, alice, " A.", v.OpensAt)
		require.NoError(t, err)
		require.True(t, ok)
		require.EqualValues(t, 10, r.Grants[0].Amount)
		r, err = w.Quizzes.Answer(t.Context(), bob, v.ID, "莓果复合物", v.ClosesAt.Add(-time.Microsecond))
		require.NoError(t, err)
		require.True(t, r.Correct)
	})

	t.Run("RightIsToldPaidAndTagged", func(t *testing.T) {
		t.Parallel()
		w, v := setUp(t)
		alice := w.Joined("alice")
		w.Set("2026-11-24 12:00:00")
		r, err := w.Quizzes.Answer(t.Context(), alice, v.ID, "a", w.Now())
		require.NoError(t, err)
		require.Equal(t, "A", r.Letter)
		require.Equal(t, "A.莓果复合物", r.Right)
		require.Equal(t, "锁水", r.Explanation)
		require.Equal(t, "https://live.example/1", r.Link)
		require.Equal(t, []string{"喜欢草莓味"}, w.Held(alice))
		held, err := w.Tags.Of(t.Context(), alice)
		require.NoError(t, err)
		require.Equal(t, model.CauseQuiz, held[0].Cause)
		require.Equal(t, v.ID, held[0].CauseID)
		_, err = w.Quizzes.Answer(t.Context(), alice, v.ID, "A", w.Now())
		require.Equal(t, errs.AlreadyAnswered, errs.CodeOf(err))
		require.EqualValues(t, 10, w.Points(alice))
	})

	t.Run("WrongHasNoSecondTry", func(t *testing.T) {
		t.Parallel()
		w, v := setUp(t)
		alice := w.Joined("alice")
		w.Set("2026-11-24 12:00:00")
		r, err := w.Quizzes.Answer(t.Context(), alice, v.ID, "B", w.Now())
		require.NoError(t, err)
		require.False(t, r.Correct)
		require.Equal(t, "A.莓果复合物", r.Right)
		require.Empty(t, r.Grants)
		require.Empty(t, w.Held(alice), "the tag is the other option's")
		_, _, err = text(w, alice, "A", w.Now())
		require.Equal(t, errs.AlreadyAnswered, errs.CodeOf(err))
		require.Zero(t, w.Points(alice))
	})

	t.Run("MoreAttemptsKeepTheSecretUntilTheLast", func(t *testing.T) {
		t.Parallel()
		w, v := setUp(t)
		v.Attempts = 3
		save(w, *v)
		alice := w.Joined("alice")
		w.Set("2026-11-24 12:00:00")
		for left := 2; left >= 1; left-- {
			r, err := w.Quizzes.Answer(t.Context(), alice, v.ID, "B", w.Now())
			require.NoError(t, err)
			require.Equal(t, left, r.TriesLeft)
			require.Empty(t, r.Right+r.Explanation)
		}
		open, err := w.Quizzes.Open(t.Context(), alice)
		require.NoError(t, err)
		require.Equal(t, 1, open[0].TriesLeft)
		require.EqualValues(t, 8*3600, open[0].SecondsLeft)
		r, err := w.Quizzes.Answer(t.Context(), alice, v.ID, "A", w.Now())
		require.NoError(t, err)
		require.True(t, r.Correct)
		require.Zero(t, r.TriesLeft)
		require.EqualValues(t, 10, w.Points(alice))
	})

	t.Run("MiniProgramAndChatAtOnceCountOnce", func(t *testing.T) {
		t.Parallel()
		w, v := setUp(t)
		alice := w.Joined("alice")
		w.Set("2026-11-24 12:00:00")
		var right atomic.Int32
		var wg sync.WaitGroup
		for i := range 12 {
			wg.Go(func() {
				var err error
				if i%2 == 0 {
					_, err = w.Quizzes.Answer(context.Background(), alice, v.ID, "A", w.Now())
				} else {
					_, _, err = text(w, alice, "A", w.Now())
				}
				if code := errs.CodeOf(err); err != nil && code != errs.AlreadyAnswered {
					t.Errorf("answer: %v", err)
				} else if err == nil {
					right.Add(1)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 1, right.Load())
		require.EqualValues(t, 10, w.Points(alice))
		require.EqualValues(t, 1, w.Count(&model.QuizAnswer{}))
		w.Verified()
	})

	t.Run("OfTwoOpenQuizzesTheFirstNotAnsweredTakesTheLetter", func(t *testing.T) {
		t.Parallel()
		w, first := setUp(t)
		second := lips(w)
		second.Question, second.OpensAt = "second?", second.OpensAt.Add(time.Hour)
		save(w, second)
		alice := w.Joined("alice")
		w.Set("2026-11-24 13:00:00")
		for _, want := range []string{first.Question, "second?"} {
			r, ok, err := text(w, alice, "A", w.Now())
			require.NoError(t, err)
			require.True(t, ok)
			require.Equal(t, want, r.Question)
		}
		_, _, err := text(w, alice, "A", w.Now())
		require.Equal(t, errs.AlreadyAnswered, errs.CodeOf(err))
		require.EqualValues(t, 20, w.Points(alice))
		open, err := w.Quizzes.Open(t.Context(), alice)
		require.NoError(t, err)
		require.Len(t, open, 2)
	})

	t.Run("AClosedQuizDoesNotHideAnOpenOne", func(t *testing.T) {
		t.Parallel()
		w, _ := setUp(t)
		second := lips(w)
		second.Question, second.OpensAt, second.ClosesAt = "evening?", w.At("2026-11-24 20:00:00"), w.At("2026-11-24 22:00:00")
		save(w, second)
		alice := w.Joined("alice")
		w.Set("2026-11-24 20:00:00")
		r, ok, err := text(w, alice, "A", w.Now())
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, "evening?", r.Question)
	})

	t.Run("WhoMayNotIsRefused", func(t *testing.T) {
		t.Parallel()
		w, v := setUp(t)
		alice, bob := w.Joined("alice"), w.Touched("oa", "bob")
		w.Set("2026-11-24 12:00:00")
		_, err := w.Quizzes.Answer(t.Context(), bob, v.ID, "A", w.Now())
		require.Equal(t, errs.NotMember, errs.CodeOf(err))
		_, err = w.Quizzes.Answer(t.Context(), alice, v.ID, "C", w.Now())
		require.Equal(t, errs.Invalid, errs.CodeOf(err))
		_, err = w.Quizzes.Answer(t.Context(), alice, 999, "A", w.Now())
		require.Equal(t, errs.NotFound, errs.CodeOf(err))
		v.Enabled = false
		save(w, *v)
		_, err = w.Quizzes.Answer(t.Context(), alice, v.ID, "A", w.Now())
		require.Equal(t, errs.NotFound, errs.CodeOf(err))
		_, ok, err := text(w, alice, "A", w.Now())
		require.NoError(t, err)
		require.False(t, ok)
		require.Zero(t, w.Count(&model.QuizAnswer{}))
	})
}

func TestSave(t *testing.T) {
	t.Parallel()

	t.Run("BadInputIsRefused", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		option := func(text string, right bool) model.QuizOption { return model.QuizOption{Text: text, Correct: right} }
		for name, c := range map[string]struct {
			field  string
			change func(v *quiz.View)
		}{
			"NoQuestion":     {"question", func(v *quiz.View) { v.Question = " " }},
			"NeverOpen":      {"closes_at", func(v *quiz.View) { v.ClosesAt = v.OpensAt }},
			"NoAttempt":      {"attempts", func(v *quiz.View) { v.Attempts = 0 }},
			"OneOption":      {"options", func(v *quiz.View) { v.Options = v.Options[:1] }},
			"NothingRight":   {"options", func(v *quiz.View) { v.Options = []model.QuizOption{option("x1", false), option("y1", false)} }},
			"TwoRight":       {"options", func(v *quiz.View) { v.Options = []model.QuizOption{option("x1", true), option("y1", true)} }},
			"Twins":          {"options[1].text", func(v *quiz.View) { v.Options = []model.QuizOption{option("x1", true), option("Ｘ１。", false)} }},
			"OnlyAStop":      {"options[1].text", func(v *quiz.View) { v.Options = []model.QuizOption{option("x1", true), option("。", false)} }},
			"AnothersLetter": {"options[1].text", func(v *quiz.View) { v.Options = []model.QuizOption{option("x1", true), option("a.", false)} }},
			"MissingTag":     {"options[0].tag_id", func(v *quiz.View) { v.Options[0].TagID = 999 }},
			"ScriptAsLink":   {"link", func(v *quiz.View) { v.Link = " JavaScript:alert(1)" }},
			"EndlessLink":    {"link", func(v *quiz.View) { v.Link = strings.Repeat("x", 513) }},
		} {
			v := lips(w)
			c.change(&v)
			_, err := w.Quizzes.Save(t.Context(), v)
			var e *errs.Error
			require.ErrorAs(t, err, &e, name)
			require.Equal(t, errs.Invalid, e.Code, name)
			require.Equal(t, c.field, e.Args["field"], name)
		}
		require.Zero(t, w.Count(&model.Quiz{}))
		v := lips(w)
		v.ID = 999
		_, err := w.Quizzes.Save(t.Context(), v)
		require.Equal(t, errs.NotFound, errs.CodeOf(err))
	})

	t.Run("TheOptionsAreFixedOnceSomebodyAnswered", func(t *testing.T) {
		t.Parallel()
		w, v := setUp(t)
		v.Options[1].Text = "橄榄油"
		v = save(w, *v)
		require.EqualValues(t, 2, w.Count(&model.QuizOption{}), "changed, not added")
		w.Set("2026-11-24 12:00:00")
		_, err := w.Quizzes.Answer(t.Context(), w.Joined("alice"), v.ID, "橄榄油", w.Now())
		require.NoError(t, err)
		changed := *v
		changed.Options = append([]model.QuizOption{}, v.Options...)
		changed.Options[0].Correct, changed.Options[1].Correct = false, true
		_, err = w.Quizzes.Save(t.Context(), changed)
		require.Equal(t, errs.Conflict, errs.CodeOf(err))
		v.ClosesAt = v.ClosesAt.Add(time.Hour)
		require.Equal(t, v.Options, save(w, *v).Options, "all else may change")
	})

	t.Run("TheListIsNewestFirstWithOptions", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		for i := range 3 {
			v := lips(w)
			v.Question, v.OpensAt = fmt.Sprint(i), v.OpensAt.Add(time.Duration(i)*time.Minute)
			save(w, v)
		}
		list, err := w.Quizzes.List(t.Context(), 2)
		require.NoError(t, err)
		require.Len(t, list, 2)
		require.Equal(t, "2", list[0].Question)
		require.Len(t, list[1].Options, 2)
	})
}
