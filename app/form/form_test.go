package form_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/coupon"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/form"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/tag"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

func options(texts ...string) (out []model.FormOption) {
	for _, t := range texts {
		out = append(out, model.FormOption{Text: t})
	}
	return out
}

func ask(kind, text string, q model.FormQuestion, texts ...string) form.Question {
	q.Kind, q.Text = kind, text
	return form.Question{FormQuestion: q, Options: options(texts...)}
}

// The questions of survey, by their place.
const (
	skin = iota
	likes
	mark
	wish
	words
)

// survey has a question of each kind, and is open 2026-11-24 12:00 to 20:00.
func survey(w *apptest.World) form.View {
	v := form.View{
		Form: model.Form{Title: "冬季调研", Enabled: true, Editable: true, Shown: true, OpensAt: w.At("2026-11-24 12:00:00"), ClosesAt: w.At("2026-11-24 20:00:00")},
		Questions: []form.Question{
			ask(model.QuestionSingle, "肤质?", model.FormQuestion{Required: true}, "油皮", "干皮", "中性"),
			ask(model.QuestionMulti, "喜欢哪些味道?", model.FormQuestion{Min: 1, Max: 2}, "草莓", "柠檬", "薄荷"),
			ask(model.QuestionRating, "满意吗?", model.FormQuestion{Max: 5}),
			ask(model.QuestionRanking, "最想要哪项福利?", model.FormQuestion{}, "附属品", "特殊活动", "旅游"),
			ask(model.QuestionText, "还想说什么?", model.FormQuestion{Max: 10}),
		},
	}
	v.Questions[skin].Options[0].TagID = w.Tag(tag.Preference, "油皮")
	v.Questions[skin].Options[1].TagID = w.Tag(tag.Preference, "干皮")
	v.Questions[likes].Options[0].TagID = w.Tag(tag.Preference, "喜欢草莓味")
	v.Questions[wish].Options[2].TagID = w.Tag(tag.Preference, "爱旅游")
	return v
}

func save(w *apptest.World, v form.View) *form.View {
	w.T.Helper()
	saved, err := w.Forms.Save(w.T.Context(), v)
	require.NoError(w.T, err)
	return saved
}

// setUp is a world with the survey and the rule that pays for answering it, at noon of its day.
func setUp(t *testing.T, change ...func(w *apptest.World, v *form.View)) (*apptest.World, *form.View) {
	t.Helper()
	w := apptest.New(t)
	w.Rule("survey", model.EventForm, apptest.Earns(30, ""))
	v := survey(w)
	for _, c := range change {
		c(w, &v)
	}
	saved := save(w, v)
	w.Set("2026-11-24 12:00:00")
	return w, saved
}

// reply chooses options of a question by their places.
func reply(v *form.View, question int, places ...int) form.Reply {
	r := form.Reply{QuestionID: v.Questions[question].ID}
	for _, p := range places {
		r.Options = append(r.Options, v.Questions[question].Options[p].ID)
	}
	return r
}

func rate(v *form.View, n int) form.Reply {
	return form.Reply{QuestionID: v.Questions[mark].ID, Rating: n}
}

func write(v *form.View, text string) form.Reply {
	return form.Reply{QuestionID: v.Questions[words].ID, Text: text}
}

func submit(w *apptest.World, id int64, v *form.View, replies ...form.Reply) *form.Submitted {
	w.T.Helper()
	out, err := w.Forms.Submit(w.T.Context(), id, v.ID, replies, w.Now())
	require.NoError(w.T, err)
	return out
}

// refused is what a refusal says.
func refused(t testing.TB, code errs.Code, err error) map[string]any {
	t.Helper()
	var e *errs.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, code, e.Code, "%v", e)
	return e.Args
}

func results(w *apptest.World, v *form.View, by form.Split) *form.Results {
	w.T.Helper()
	r, err := w.Forms.Results(w.T.Context(), v.ID, by, templates.Chinese)
	require.NoError(w.T, err)
	return r
}

// counts are how often each option or mark was chosen, by its text.
func counts(t form.Tally) map[string]int64 {
	out := map[string]int64{}
	for _, c := range t.Counts {
		if c.N > 0 {
			out[c.Text] = c.N
		}
	}
	return out
}

func TestSubmit(t *testing.T) {
	t.Parallel()

	t.Run("AnAnswerIsPaidTaggedAndKept", func(t *testing.T) {
		t.Parallel()
		w, v := setUp(t)
		alice := w.Joined("alice")
		out := submit(w, alice, v, reply(v, skin, 0), reply(v, likes, 0, 2), rate(v, 4), reply(v, wish, 2, 0), write(v, " 好  "))
		require.False(t, out.Edited)
		require.EqualValues(t, 30, out.Grants[0].Amount)
		require.EqualValues(t, 30, w.Points(alice))
		require.ElementsMatch(t, []string{"油皮", "喜欢草莓味", "爱旅游"}, w.Held(alice), "of a ranking the first place sets its tag")
		held, err := w.Tags.Of(t.Context(), alice)
		require.NoError(t, err)
		require.Equal(t, model.CauseForm, held[0].Cause)
		require.Equal(t, v.ID, held[0].CauseID)
		require.Equal(t, out.Answer.EventID, held[0].EventID)
		mine, err := w.Forms.For(t.Context(), alice, v.ID)
		require.NoError(t, err)
		for question, want := range []string{"油皮", "草莓; 薄荷", "4", "旅游 > 附属品", "好"} {
			require.Equal(t, want, v.Questions[question].Says(mine.Answer))
		}
		require.EqualValues(t, 8*3600, mine.SecondsLeft)
		var ev model.Event
		require.NoError(t, w.DB.Reader(t.Context()).Take(&ev, out.Answer.EventID).Error)
		require.JSONEq(t, fmt.Sprintf(`{"form_id":"%d","title":"冬季调研","options":["%d","%d","%d","%d"]}`, v.ID, v.Questions[skin].Options[0].ID,
			v.Questions[likes].Options[0].ID, v.Questions[likes].Options[2].ID, v.Questions[wish].Options[2].ID), string(ev.Data), "no words of the member")
		w.Indexed()
	})

	t.Run("TheWindowIsHalfOpen", func(t *testing.T) {
		t.Parallel()
		w, v := setUp(t)
		alice := w.Joined("alice")
		at := func(at time.Time) error {
			_, err := w.Forms.Submit(t.Context(), alice, v.ID, []form.Reply{reply(v, skin, 0)}, at)
			return err
		}
		require.Equal(t, v.OpensAt, refused(t, errs.WindowClosed, at(v.OpensAt.Add(-time.Microsecond)))["opens_at"].(time.Time).UTC())
		require.Equal(t, v.ClosesAt, refused(t, errs.WindowClosed, at(v.ClosesAt))["closed_at"].(time.Time).UTC())
		w.Set("2026-11-24 19:59:59")
		require.NoError(t, at(v.ClosesAt.Add(-time.Microsecond)))
		refused(t, errs.WindowClosed, at(v.ClosesAt)) // nor is an answer changed then
		w.Set("2026-11-24 20:00:00")
		open, err := w.Forms.Open(t.Context(), alice)
		require.NoError(t, err)
		require.Empty(t, open)
		mine, err := w.Forms.For(t.Context(), alice, v.ID)
		require.NoError(t, err, "his own answer he can still see")
		require.NotNil(t, mine.Answer)
		_, err = w.Forms.For(t.Context(), w.Joined("bob"), v.ID)
		refused(t, errs.WindowClosed, err)
	})

	t.Run("WhoMayNotIsRefused", func(t *testing.T) {
		t.Parallel()
		w, v := setUp(t, func(w *apptest.World, v *form.View) {
			v.Condition = model.JSON(fmt.Sprintf(`{"leaf":"tag","tag_id":"%d"}`, w.Tag(tag.Preference, "受邀")))
		})
		alice, bob, guest := w.Joined("alice"), w.Joined("bob"), w.Touched("oa", "guest")
		require.NoError(t, w.Tags.SetManual(t.Context(), alice, w.Tag(tag.Preference, "受邀"), 1, true, ""))
		try := func(id, formID int64) error {
			_, err := w.Forms.Submit(t.Context(), id, formID, []form.Reply{reply(v, skin, 0)}, w.Now())
			return err
		}
		refused(t, errs.NotFound, try(alice, 999))
		refused(t, errs.NotMember, try(guest, v.ID))
		refused(t, errs.Forbidden, try(bob, v.ID))
		open, err := w.Forms.Open(t.Context(), bob)
		require.NoError(t, err)
		require.Empty(t, open)
		open, err = w.Forms.Open(t.Context(), alice)
		require.NoError(t, err)
		require.Len(t, open, 1)
		require.NoError(t, try(alice, v.ID))
		require.NoError(t, w.Tags.SetManual(t.Context(), alice, w.Tag(tag.Preference, "受邀"), 1, false, ""))
		require.NoError(t, try(alice, v.ID), "who has answered may change that, whatever he is now")
		v.Enabled = false
		save(w, *v)
		refused(t, errs.NotFound, try(alice, v.ID))
		_, err = w.Forms.For(t.Context(), alice, v.ID)
		refused(t, errs.NotFound, err)
		require.EqualValues(t, 1, w.Count(&model.FormAnswer{}))
	})

	t.Run("BadRepliesNameTheQuestion", func(t *testing.T) {
		t.Parallel()
		w, v := setUp(t)
		alice := w.Joined("alice")
		ok := reply(v, skin, 0)
		for name, c := range map[string]struct {
			field    string
			question int
			replies  []form.Reply
		}{
			"RequiredIsMissing":    {"answers", skin, nil},
			"RequiredIsEmpty":      {"answers", skin, []form.Reply{{QuestionID: v.Questions[skin].ID}}},
			"TwoOfOne":             {"answers[0].options", skin, []form.Reply{reply(v, skin, 0, 1)}},
			"TooMany":              {"answers[1].options", likes, []form.Reply{ok, reply(v, likes, 0, 1, 2)}},
			"TheSameTwice":         {"answers[1].options[1]", likes, []form.Reply{ok, reply(v, likes, 0, 0)}},
			"AnothersOption":       {"answers[1].options[0]", likes, []form.Reply{ok, {QuestionID: v.Questions[likes].ID, Options: ok.Options}}},
			"NoSuchOption":         {"answers[0].options[0]", skin, []form.Reply{{QuestionID: v.Questions[skin].ID, Options: []int64{-1}}}},
			"RankedTwice":          {"answers[1].options[1]", wish, []form.Reply{ok, reply(v, wish, 1, 1)}},
			"MarkTooHigh":          {"answers[1].rating", mark, []form.Reply{ok, rate(v, 6)}},
			"MarkTooLow":           {"answers[1].rating", mark, []form.Reply{ok, rate(v, -1)}},
			"TooManyWords":         {"answers[1].text", words, []form.Reply{ok, write(v, strings.Repeat("字", 11))}},
			"WordsForAChoice":      {"answers[0].text", skin, []form.Reply{{QuestionID: v.Questions[skin].ID, Options: ok.Options, Text: "x"}}},
			"AMarkForAChoice":      {"answers[0].rating", skin, []form.Reply{{QuestionID: v.Questions[skin].ID, Options: ok.Options, Rating: 1}}},
			"AChoiceForAMark":      {"answers[1].options", mark, []form.Reply{ok, {QuestionID: v.Questions[mark].ID, Options: ok.Options}}},
			"AnsweredTwice":        {"answers[1].question_id", skin, []form.Reply{ok, ok}},
			"AQuestionThatIsNotIt": {"answers[1].question_id", -1, []form.Reply{ok, {QuestionID: 999}}},
		} {
			_, err := w.Forms.Submit(t.Context(), alice, v.ID, c.replies, w.Now())
			args := refused(t, errs.Invalid, err)
			require.Equal(t, c.field, args["field"], name)
			if c.question >= 0 {
				require.Equal(t, fmt.Sprint(v.Questions[c.question].ID), args["question_id"], name)
				require.Equal(t, v.Questions[c.question].Text, args["question"], name)
				require.Equal(t, c.question+1, args["n"], name)
			}
		}
		require.Zero(t, w.Count(&model.FormAnswer{})+w.Count(&model.FormChoice{})+w.Points(alice))
		require.Empty(t, w.Held(alice))
		submit(w, alice, v, ok, write(v, strings.Repeat("字", 10)), rate(v, 0), reply(v, likes))
		require.EqualValues(t, 2, w.Count(&model.FormChoice{}), "what is empty is no answer")
	})

	t.Run("TwentyAtOnceCountOnce", func(t *testing.T) {
		t.Parallel()
		for _, editable := range []bool{false, true} {
			w, v := setUp(t, func(_ *apptest.World, v *form.View) {
				v.Editable, v.Prize, v.Points = editable, model.PrizePoints, 7
			})
			alice := w.Joined("alice")
			var wg sync.WaitGroup
			for i := range 20 {
				wg.Go(func() {
					_, err := w.Forms.Submit(context.Background(), alice, v.ID, []form.Reply{reply(v, skin, i%2), reply(v, likes, 0)}, w.Now())
					if err != nil && (editable || errs.CodeOf(err) != errs.AlreadyAnswered) {
						t.Errorf("Submit: %v", err)
					}
				})
			}
			wg.Wait()
			require.EqualValues(t, 37, w.Points(alice))
			require.EqualValues(t, 1, w.Count(&model.FormAnswer{}))
			require.EqualValues(t, 2, w.Count(&model.FormChoice{}))
			require.EqualValues(t, 1, w.Count(&model.Event{}, "kind = ?", model.EventForm))
			require.Len(t, w.Held(alice), 2, "one of the skins, and the strawberry")
			require.EqualValues(t, 1, results(w, v, form.Split{}).Total.Tallies[skin].Answers)
			w.Verified()
			w.Indexed()
		}
	})
}

func TestOneAnswerOfEachMember(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	w.Tx(func(_ context.Context, tx *gorm.DB) error {
		for n, a := range []model.FormAnswer{{FormID: 1, MemberID: 1}, {FormID: 1, MemberID: 2}, {FormID: 2, MemberID: 1}} {
			a.At = w.Now()
			require.NoError(t, tx.Create(&a).Error, n)
		}
		require.ErrorIs(t, tx.Create(&model.FormAnswer{FormID: 1, MemberID: 1, At: w.Now()}).Error, gorm.ErrDuplicatedKey)
		for n, c := range []model.FormChoice{{AnswerID: 1, QuestionID: 1, OptionID: 1}, {AnswerID: 1, QuestionID: 1, OptionID: 2}, {AnswerID: 2, QuestionID: 1, OptionID: 1}, {AnswerID: 1, QuestionID: 2}} {
			require.NoError(t, tx.Create(&c).Error, n)
		}
		require.ErrorIs(t, tx.Create(&model.FormChoice{AnswerID: 1, QuestionID: 2}).Error, gorm.ErrDuplicatedKey)
		return member.ChangedTx(tx, 1, 2)
	})
}

func TestEdit(t *testing.T) {
	t.Parallel()

	t.Run("MovesTagsAndResultsAndEarnsNothing", func(t *testing.T) {
		t.Parallel()
		w, v := setUp(t, func(_ *apptest.World, v *form.View) { v.Prize, v.Points = model.PrizePoints, 5 })
		oily := v.Questions[skin].Options[0]
		w.AutoTag(w.Tag(tag.Value, "油皮人"), fmt.Sprintf(`{"leaf":"form","form_id":"%d","option_id":"%d"}`, v.ID, oily.ID))
		w.AutoTag(w.Tag(tag.Value, "答过"), fmt.Sprintf(`{"leaf":"form","form_id":"%d"}`, v.ID))
		alice := w.Joined("alice")
		submit(w, alice, v, reply(v, skin, 0), reply(v, likes, 0), rate(v, 2), write(v, "一"))
		require.ElementsMatch(t, []string{"油皮", "喜欢草莓味", "油皮人", "答过"}, w.Held(alice))
		w.Advance(time.Hour)
		out := submit(w, alice, v, reply(v, skin, 1), reply(v, likes, 0, 1), rate(v, 5))
		require.True(t, out.Edited)
		require.Empty(t, out.Grants)
		require.EqualValues(t, 35, w.Points(alice))
		require.ElementsMatch(t, []string{"干皮", "喜欢草莓味", "答过"}, w.Held(alice))
		r := results(w, v, form.Split{}).Total
		require.EqualValues(t, 1, r.Answers)
		require.Equal(t, map[string]int64{"干皮": 1}, counts(r.Tallies[skin]))
		require.InDelta(t, 5, r.Tallies[mark].Mean, 1e-9)
		require.Zero(t, r.Tallies[words].Answers)
		submit(w, alice, v, reply(v, skin, 2)) // whose option sets no tag
		require.ElementsMatch(t, []string{"答过"}, w.Held(alice))
		mine, err := w.Forms.For(t.Context(), alice, v.ID)
		require.NoError(t, err)
		require.Equal(t, 2, mine.Answer.Edits)
		require.Equal(t, w.Now(), mine.Answer.EditedAt.UTC())
		w.Verified()
		w.Indexed()
	})

	t.Run("IsRefusedWhereTheFormSaysSo", func(t *testing.T) {
		t.Parallel()
		w, v := setUp(t, func(_ *apptest.World, v *form.View) { v.Editable = false })
		alice := w.Joined("alice")
		submit(w, alice, v, reply(v, skin, 0))
		_, err := w.Forms.Submit(t.Context(), alice, v.ID, []form.Reply{reply(v, skin, 1)}, w.Now())
		refused(t, errs.AlreadyAnswered, err)
		require.Equal(t, []string{"油皮"}, w.Held(alice))
	})

	t.Run("NoRuleCanNameIt", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		tree, err := w.Conditions.Parse([]byte(`{"leaf":"did","event":"form.edited","op":"gte","count":1}`))
		require.NoError(t, err)
		require.Equal(t, errs.Invalid, errs.CodeOf(w.Conditions.Check(t.Context(), w.DB.Reader(t.Context()), tree)))
	})

	t.Run("ATagByHandOutlastsIt", func(t *testing.T) {
		t.Parallel()
		w, v := setUp(t)
		alice := w.Joined("alice")
		submit(w, alice, v, reply(v, skin, 0))
		require.NoError(t, w.Tags.SetManual(t.Context(), alice, w.Tag(tag.Preference, "油皮"), 1, true, ""))
		submit(w, alice, v, reply(v, skin, 1))
		require.ElementsMatch(t, []string{"油皮", "干皮"}, w.Held(alice))
	})
}

func TestPrize(t *testing.T) {
	t.Parallel()

	for name, want := range map[string]map[string]int{"Points": {model.PrizeGiven: 3, model.PrizeGone: 9}, "Coupons": {model.PrizeGiven: 3, model.PrizeGone: 9}, "CouponsWithFewerOfTheirOwn": {model.PrizeGiven: 2, model.PrizeGone: 10}} {
		t.Run("TheStockIsNeverExceeded/"+name, func(t *testing.T) {
			t.Parallel()
			w, v := setUp(t, func(w *apptest.World, v *form.View) {
				stock := int64(3)
				v.Prize, v.Points, v.Stock = model.PrizePoints, 7, &stock
				if name == "Points" {
					return
				}
				own := int64(100)
				if name != "Coupons" {
					own = 2
				}
				v.Prize, v.Points, v.CouponID = model.PrizeCoupon, 0, newCoupon(w, &own, 0)
			})
			var ids []int64
			for i := range 12 {
				ids = append(ids, w.Joined(fmt.Sprint("m", i)))
			}
			var mu sync.Mutex
			got := map[string]int{}
			var wg sync.WaitGroup
			for _, id := range ids {
				wg.Go(func() {
					out, err := w.Forms.Submit(context.Background(), id, v.ID, []form.Reply{reply(v, skin, 0)}, w.Now())
					if err != nil {
						t.Errorf("Submit: %v", err)
						return
					}
					mu.Lock()
					defer mu.Unlock()
					got[out.Answer.Prize]++
				})
			}
			wg.Wait()
			require.Equal(t, want, got)
			require.EqualValues(t, 12, results(w, v, form.Split{}).Total.Answers, "an answer without a prize counts too")
			saved, err := w.Forms.Get(t.Context(), v.ID)
			require.NoError(t, err)
			require.EqualValues(t, want[model.PrizeGiven], saved.Taken)
			var points int64
			for _, id := range ids {
				points += w.Points(id) - 30
			}
			require.EqualValues(t, want[model.PrizeGiven], points/7+w.Count(&model.MemberCoupon{}, "source = ? AND source_id = ?", model.CouponByForm, v.ID))
			w.Verified()
			for _, by := range []string{"+", "-"} {
				require.NoError(t, w.DB.Tx(t.Context(), func(_ context.Context, tx *gorm.DB) error {
					return tx.Exec("UPDATE forms SET taken = taken " + by + " 1").Error
				}))
				var wrong []string
				_, err := w.Verify(t.Context(), func(m ledger.Mismatch) { wrong = append(wrong, m.Table+"."+m.Column) })
				require.NoError(t, err)
				require.Equal(t, map[string][]string{"+": {"forms.taken"}, "-": nil}[by], wrong, "a counter that somebody changed by hand")
			}
		})
	}

	t.Run("WhoHasTheCouponAlreadyIsTold", func(t *testing.T) {
		t.Parallel()
		w, v := setUp(t, func(w *apptest.World, v *form.View) {
			one := int64(1)
			v.Prize, v.CouponID, v.Stock = model.PrizeCoupon, newCoupon(w, nil, 1), &one
		})
		alice, bob := w.Joined("alice"), w.Joined("bob")
		_, err := w.Coupons.Give(t.Context(), alice, v.CouponID, "x")
		require.NoError(t, err)
		require.Equal(t, model.PrizeLimit, submit(w, alice, v, reply(v, skin, 0)).Answer.Prize)
		out := submit(w, bob, v, reply(v, skin, 0))
		require.Equal(t, model.PrizeGiven, out.Answer.Prize, "it is there for the next")
		require.Equal(t, "茶", out.Coupon.Coupon.Name)
		require.Equal(t, "茶", out.Grants[1].Coupon)
	})

	t.Run("ARefilledStockIsForWhoComesThen", func(t *testing.T) {
		t.Parallel()
		none, one := int64(0), int64(1)
		w, v := setUp(t, func(_ *apptest.World, v *form.View) { v.Prize, v.Points, v.Stock = model.PrizePoints, 7, &none })
		alice, bob := w.Joined("alice"), w.Joined("bob")
		require.Equal(t, model.PrizeGone, submit(w, alice, v, reply(v, skin, 0)).Answer.Prize)
		v.Stock = &one
		v = save(w, *v)
		submit(w, alice, v, reply(v, skin, 1))
		require.EqualValues(t, 30, w.Points(alice))
		require.Equal(t, model.PrizeGiven, submit(w, bob, v, reply(v, skin, 0)).Answer.Prize)
		v.Stock = &none
		_, err := w.Forms.Save(t.Context(), *v)
		require.Equal(t, "stock", refused(t, errs.Invalid, err)["field"])
	})
}

func newCoupon(w *apptest.World, stock *int64, perMember int) int64 {
	w.T.Helper()
	c, err := w.Coupons.Save(w.T.Context(), coupon.Definition{Coupon: model.Coupon{
		Code: "tea", Name: "茶", Kind: model.CouponFreeItem, ValidDays: 30, Stock: stock, PerMember: perMember, Enabled: true,
	}})
	require.NoError(w.T, err)
	return c.ID
}

func TestResults(t *testing.T) {
	t.Parallel()
	w, v := setUp(t)
	ids := map[string]int64{}
	for name, replies := range map[string][]form.Reply{
		"a": {reply(v, skin, 0), reply(v, likes, 0, 1), rate(v, 5), reply(v, wish, 0, 1, 2), write(v, "甲")},
		"b": {reply(v, skin, 0), reply(v, likes, 0), rate(v, 4), reply(v, wish, 0, 2, 1)},
		"c": {reply(v, skin, 1), rate(v, 4), reply(v, wish, 1, 0, 2), write(v, "=乙")},
		"d": {reply(v, skin, 2), reply(v, wish, 2)},
	} {
		ids[name] = w.Joined(name)
		submit(w, ids[name], v, replies...)
	}

	t.Run("OfEverybody", func(t *testing.T) {
		t.Parallel()
		r := results(w, v, form.Split{})
		require.EqualValues(t, 4, r.Total.Answers)
		require.Empty(t, r.Segments)
		tallies := r.Total.Tallies
		require.Equal(t, map[string]int64{"油皮": 2, "干皮": 1, "中性": 1}, counts(tallies[skin]))
		require.InDelta(t, .5, tallies[skin].Counts[0].Share, 1e-9)
		require.EqualValues(t, 2, tallies[likes].Answers)
		require.Equal(t, map[string]int64{"草莓": 2, "柠檬": 1}, counts(tallies[likes]))
		require.InDelta(t, 1, tallies[likes].Counts[0].Share, 1e-9, "of those who answered the question")
		require.Equal(t, map[string]int64{"5": 1, "4": 2}, counts(tallies[mark]))
		require.Len(t, tallies[mark].Counts, 5)
		require.InDelta(t, 13./3, tallies[mark].Mean, 1e-9)
		require.EqualValues(t, 2, tallies[words].Answers)
		var ranked []string
		for _, c := range tallies[wish].Counts {
			ranked = append(ranked, fmt.Sprintf("%d %s %d/%d", c.Place, c.Text, c.Score, c.N))
		}
		require.Equal(t, []string{"1 附属品 5/3", "2 特殊活动 3/3", "2 旅游 3/4"}, ranked, "2 1 0, and what is left out has 0")
	})

	t.Run("SplitByTag", func(t *testing.T) {
		t.Parallel()
		r := results(w, v, form.Split{By: form.SplitTag, ID: w.Tag(tag.Preference, "油皮")})
		require.Equal(t, []string{"偏好:油皮", "其他"}, []string{r.Segments[0].Name, r.Segments[1].Name})
		require.EqualValues(t, 2, r.Segments[0].Answers)
		require.Equal(t, map[string]int64{"5": 1, "4": 1}, counts(r.Segments[0].Tallies[mark]))
		require.Equal(t, map[string]int64{"4": 1}, counts(r.Segments[1].Tallies[mark]))
		_, err := w.Forms.Results(t.Context(), v.ID, form.Split{By: form.SplitTag, ID: 999}, templates.Chinese)
		require.Equal(t, "id", refused(t, errs.Invalid, err)["field"])
		_, err = w.Forms.Results(t.Context(), v.ID, form.Split{By: "age"}, templates.Chinese)
		require.Equal(t, "by", refused(t, errs.Invalid, err)["field"])
	})

	t.Run("ToldToWhoAnswered", func(t *testing.T) {
		t.Parallel()
		r, err := w.Forms.Shown(t.Context(), ids["a"], v.ID, templates.Chinese)
		require.NoError(t, err)
		require.EqualValues(t, 4, r.Total.Answers)
		_, err = w.Forms.Shown(t.Context(), w.Joined("e"), v.ID, templates.Chinese)
		refused(t, errs.Forbidden, err)
	})

	t.Run("WordsAndTheFile", func(t *testing.T) {
		t.Parallel()
		list, err := w.Forms.Words(t.Context(), v.ID, v.Questions[words].ID, 0, 10)
		require.NoError(t, err)
		require.Len(t, list, 2)
		next, err := w.Forms.Words(t.Context(), v.ID, v.Questions[words].ID, list[0].ID, 10)
		require.NoError(t, err)
		require.Equal(t, list[1:], next)
		_, err = w.Forms.Words(t.Context(), v.ID, v.Questions[skin].ID, 0, 10)
		refused(t, errs.Invalid, err)
		var b strings.Builder
		n, err := w.Forms.Export(t.Context(), v.ID, templates.Chinese, w.Members.Phone, &b)
		require.NoError(t, err)
		require.EqualValues(t, 4, n)
		require.True(t, strings.HasPrefix(b.String(), "\ufeff会员号,昵称,手机号,填写时间,修改时间,肤质?,喜欢哪些味道?,满意吗?,最想要哪项福利?,还想说什么?\n"), b.String())
		require.Contains(t, b.String(), "2026-11-24 12:00:00,,油皮,草莓; 柠檬,5,附属品 > 特殊活动 > 旅游,甲\n")
		require.Contains(t, b.String(), ",'=乙\n", "no formula")
	})
}

func TestResultsByTagsOfAGroup(t *testing.T) {
	t.Parallel()
	w, v := setUp(t)
	group, err := w.Tags.CreateGroup(t.Context(), model.TagGroup{Name: "城市"})
	require.NoError(t, err)
	who := map[string]int64{}
	for _, name := range []string{"上海", "北京", "无"} {
		who[name] = w.Joined(name)
		if name != "无" {
			city, err := w.Tags.Create(t.Context(), group.ID, name)
			require.NoError(t, err)
			require.NoError(t, w.Tags.SetManual(t.Context(), who[name], city.ID, 1, true, ""))
		}
		submit(w, who[name], v, reply(v, skin, 0), rate(v, len(who)))
	}
	r := results(w, v, form.Split{By: form.SplitGroup, ID: group.ID})
	var got []string
	for _, s := range r.Segments {
		got = append(got, fmt.Sprint(s.Name, s.Answers, s.Tallies[mark].Mean))
	}
	require.Equal(t, []string{"上海1 1", "北京1 2", "其他1 3"}, got)
	_, err = w.Forms.Results(t.Context(), v.ID, form.Split{By: form.SplitGroup, ID: 999}, templates.Chinese)
	refused(t, errs.Invalid, err)
}

func TestLeaf(t *testing.T) {
	t.Parallel()
	w, v := setUp(t)
	alice, bob, carol := w.Joined("alice"), w.Joined("bob"), w.Joined("carol")
	submit(w, alice, v, reply(v, skin, 0), reply(v, wish, 1, 0))
	submit(w, bob, v, reply(v, skin, 1), reply(v, wish, 0, 1))
	all := roaring.BitmapOf(uint32(alice), uint32(bob), uint32(carol))
	option := func(question, place int) string {
		return fmt.Sprintf(`{"leaf":"form","form_id":"%d","option_id":"%d"}`, v.ID, v.Questions[question].Options[place].ID)
	}
	for _, c := range []struct {
		leaf, says string
		want       []uint32
	}{
		{fmt.Sprintf(`{"leaf":"form","form_id":"%d"}`, v.ID), "填写了表单「冬季调研」", []uint32{uint32(alice), uint32(bob)}},
		{option(skin, 0), "在表单「冬季调研」中选了「油皮」", []uint32{uint32(alice)}},
		{fmt.Sprintf(`{"leaf":"form","option_id":"%d"}`, v.Questions[skin].Options[1].ID), "在表单「冬季调研」中选了「干皮」", []uint32{uint32(bob)}},
		{option(skin, 2), "在表单「冬季调研」中选了「中性」", []uint32{}},
		{option(wish, 1), "在表单「冬季调研」中选了「特殊活动」", []uint32{uint32(alice)}}, // whom it stands first with
	} {
		tree, err := w.Conditions.Parse([]byte(c.leaf))
		require.NoError(t, err)
		tx := w.DB.Reader(t.Context())
		require.NoError(t, w.Conditions.Check(t.Context(), tx, tree))
		got, err := w.Conditions.Members(t.Context(), tx, w.Now(), all, tree)
		require.NoError(t, err)
		require.Equal(t, c.want, got.ToArray(), c.leaf)
		counted, err := w.Audience.Count(t.Context(), tree)
		require.NoError(t, err)
		require.EqualValues(t, len(c.want), counted, "from memory")
		for _, id := range all.ToArray() {
			verdict, _, err := w.Conditions.Eval(t.Context(), tx, &condition.Subject{MemberID: int64(id), At: w.Now()}, tree)
			require.NoError(t, err)
			require.Equal(t, got.Contains(id), verdict.Holds)
		}
		says, err := w.Conditions.Sentence(t.Context(), tx, templates.Chinese, tree)
		require.NoError(t, err)
		require.Equal(t, c.says, says)
	}
	for bad, field := range map[string]string{
		`{"leaf":"form"}`: "form_id", `{"leaf":"form","form_id":"999"}`: "form_id", `{"leaf":"form","form_id":"x"}`: "form_id", `{"leaf":"form","option_id":"999"}`: "option_id",
		fmt.Sprintf(`{"leaf":"form","form_id":"%d","option_id":"999"}`, v.ID): "option_id",
	} {
		tree, err := w.Conditions.Parse([]byte(bad))
		require.NoError(t, err)
		require.Equal(t, "condition."+field, refused(t, errs.Invalid, w.Conditions.Check(t.Context(), w.DB.Reader(t.Context()), tree))["field"], bad)
	}
	w.Indexed()

	// What stands in memory follows an answer and a change that set no tag.
	lemon, mint := v.Questions[likes].Options[1].ID, v.Questions[likes].Options[2].ID
	count := func(option int64) int64 {
		n, err := w.Audience.Count(t.Context(), condition.Is("form", map[string]any{"option_id": fmt.Sprint(option)}))
		require.NoError(t, err)
		return n
	}
	submit(w, carol, v, reply(v, skin, 2), reply(v, likes, 1))
	require.Equal(t, []int64{1, 0}, []int64{count(lemon), count(mint)})
	submit(w, carol, v, reply(v, skin, 2), reply(v, likes, 2))
	require.Equal(t, []int64{0, 1}, []int64{count(lemon), count(mint)})
	w.Indexed()
}

func TestSave(t *testing.T) {
	t.Parallel()

	t.Run("BadInputIsRefused", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		five := int64(5)
		for name, c := range map[string]struct {
			field  string
			change func(v *form.View)
		}{
			"NoTitle":           {"title", func(v *form.View) { v.Title = " " }},
			"EndlessText":       {"text", func(v *form.View) { v.Text = strings.Repeat("x", 1001) }},
			"NeverOpen":         {"closes_at", func(v *form.View) { v.ClosesAt = v.OpensAt }},
			"NoQuestion":        {"questions", func(v *form.View) { v.Questions = nil }},
			"QuestionWithout":   {"questions[0].text", func(v *form.View) { v.Questions[0].Text = "" }},
			"UnknownKind":       {"questions[0].kind", func(v *form.View) { v.Questions[0].Kind = "date" }},
			"OneOption":         {"questions[0].options", func(v *form.View) { v.Questions[0].Options = v.Questions[0].Options[:1] }},
			"TwinOptions":       {"questions[0].options[1].text", func(v *form.View) { v.Questions[0].Options[1].Text = " 油皮" }},
			"OptionsOfAMark":    {"questions[2].options", func(v *form.View) { v.Questions[2].Options = options("a", "b") }},
			"MarksWithoutEnd":   {"questions[2].max", func(v *form.View) { v.Questions[2].Max = 11 }},
			"MoreThanThereAre":  {"questions[1].max", func(v *form.View) { v.Questions[1].Max = 4 }},
			"MinAboveMax":       {"questions[1].min", func(v *form.View) { v.Questions[1].Min = 3 }},
			"LimitOfOne":        {"questions[0].max", func(v *form.View) { v.Questions[0].Max = 2 }},
			"MissingTag":        {"questions[0].options[0].tag_id", func(v *form.View) { v.Questions[0].Options[0].TagID = 999 }},
			"AnothersQuestion":  {"questions[0].id", func(v *form.View) { v.Questions[0].ID = 999 }},
			"AnothersOption":    {"questions[0].options[0].id", func(v *form.View) { v.Questions[0].Options[0].ID = 999 }},
			"UnknownPrize":      {"prize", func(v *form.View) { v.Prize = "car" }},
			"CouponOfNothing":   {"coupon_id", func(v *form.View) { v.Prize = model.PrizeCoupon }},
			"CouponThatIsNot":   {"coupon_id", func(v *form.View) { v.Prize, v.CouponID = model.PrizeCoupon, 999 }},
			"NoPoints":          {"points", func(v *form.View) { v.Prize = model.PrizePoints }},
			"PointsWithoutThem": {"points", func(v *form.View) { v.Points = 1 }},
			"StockOfNothing":    {"stock", func(v *form.View) { v.Stock = &five }},
			"ConditionOnEvents": {"condition", func(v *form.View) { v.Condition = model.JSON(`{"leaf":"event.text","contains_any":["x"]}`) }},
			"ConditionOnNoTag":  {"condition.tag_id", func(v *form.View) { v.Condition = model.JSON(`{"leaf":"tag","tag_id":"999"}`) }},
		} {
			v := survey(w)
			c.change(&v)
			_, err := w.Forms.Save(t.Context(), v)
			require.Equal(t, c.field, refused(t, errs.Invalid, err)["field"], name)
		}
		require.Zero(t, w.Count(&model.Form{})+w.Count(&model.FormQuestion{})+w.Count(&model.FormOption{}))
		v := survey(w)
		v.ID = 999
		_, err := w.Forms.Save(t.Context(), v)
		refused(t, errs.NotFound, err)
	})

	t.Run("WhatKeepsItsIdStaysItself", func(t *testing.T) {
		t.Parallel()
		w, v := setUp(t)
		first, dry := v.Questions[skin].ID, v.Questions[skin].Options[1]
		changed := *v
		changed.Questions = []form.Question{v.Questions[words], v.Questions[skin], ask(model.QuestionRating, "新", model.FormQuestion{})}
		changed.Questions[1].Options = append(options("新肤质"), v.Questions[skin].Options[1], v.Questions[skin].Options[0])
		saved := save(w, changed)
		require.Equal(t, first, saved.Questions[1].ID)
		require.Equal(t, dry.ID, saved.Questions[1].Options[1].ID)
		require.Equal(t, "干皮", saved.Questions[1].Options[1].Text)
		again, err := w.Forms.Get(t.Context(), v.ID)
		require.NoError(t, err)
		require.Equal(t, saved.Questions, again.Questions)
		require.EqualValues(t, 3, w.Count(&model.FormQuestion{}))
		require.EqualValues(t, 3, w.Count(&model.FormOption{}))
		saved.Questions = append(saved.Questions, saved.Questions[0])
		_, err = w.Forms.Save(t.Context(), *saved)
		require.Equal(t, "questions[3].id", refused(t, errs.Invalid, err)["field"])
	})

	t.Run("TheQuestionsAreFixedOnceSomebodyAnswered", func(t *testing.T) {
		t.Parallel()
		w, v := setUp(t)
		submit(w, w.Joined("alice"), v, reply(v, skin, 0))
		changed := *v
		changed.Questions = v.Questions[:4]
		_, err := w.Forms.Save(t.Context(), changed)
		refused(t, errs.Conflict, err)
		v.Title, v.ClosesAt = "别的", v.ClosesAt.Add(time.Hour)
		saved := save(w, *v)
		require.Equal(t, v.Questions, saved.Questions, "all else may change")
		require.True(t, saved.Answered)
	})

	t.Run("AnAnswerAndAChangeAtOnceFitTogether", func(t *testing.T) {
		t.Parallel()
		w, v := setUp(t)
		alice := w.Joined("alice")
		changed := *v
		changed.Questions = []form.Question{ask(model.QuestionSingle, "新", model.FormQuestion{}, "是", "否")}
		var wg sync.WaitGroup
		var saving, answering error
		wg.Go(func() { _, saving = w.Forms.Save(context.Background(), changed) })
		wg.Go(func() {
			_, answering = w.Forms.Submit(context.Background(), alice, v.ID, []form.Reply{reply(v, skin, 0)}, w.Now())
		})
		wg.Wait()
		require.True(t, errs.CodeOf(saving) == errs.Conflict && answering == nil || saving == nil && errs.CodeOf(answering) == errs.Invalid, "%v, %v", saving, answering)
		require.Zero(t, w.Count(&model.FormChoice{}, "option_id NOT IN (SELECT id FROM form_options)"))
	})
}

func TestMerge(t *testing.T) {
	t.Parallel()

	t.Run("BothAnsweredAndOneCounts", func(t *testing.T) {
		t.Parallel()
		for _, kind := range []string{model.PrizePoints, model.PrizeCoupon} {
			w, v := setUp(t, func(w *apptest.World, v *form.View) {
				if v.Prize = kind; kind == model.PrizePoints {
					v.Points = 7
				} else {
					v.CouponID = newCoupon(w, nil, 0)
				}
			})
			alice, again := w.Joined("alice"), w.Joined("again")
			submit(w, alice, v, reply(v, skin, 0), write(v, "甲"))
			submit(w, again, v, reply(v, skin, 1), reply(v, likes, 0), write(v, "乙"))
			points := w.Points(alice)
			state := func() (a []model.FormAnswer, c []model.FormChoice, m []model.MemberCoupon) {
				tx := w.DB.Reader(t.Context())
				require.NoError(t, errors.Join(tx.Order("id").Find(&a).Error, tx.Order("id").Find(&c).Error, tx.Order("id").Find(&m).Error))
				return a, c, m
			}
			answers, choices, coupons := state()

			_, err := w.Members.Merge(t.Context(), alice, again, "same")
			require.NoError(t, err)
			require.EqualValues(t, 1, results(w, v, form.Split{}).Total.Answers)
			require.Equal(t, map[string]int64{"油皮": 1}, counts(results(w, v, form.Split{}).Total.Tallies[skin]))
			require.Equal(t, points, w.Points(alice))
			require.Equal(t, w.Count(&model.MemberCoupon{})/2, w.Count(&model.MemberCoupon{}, "state = ?", model.CouponUsable))
			require.Equal(t, []string{"油皮"}, w.Held(alice), "what the answer that went had set goes with it")
			_, err = w.Forms.Submit(t.Context(), again, v.ID, []form.Reply{reply(v, skin, 2)}, w.Now())
			require.NoError(t, err)
			require.Empty(t, w.Held(alice))
			submit(w, alice, v, reply(v, skin, 0), write(v, "甲"))
			w.Verified()
			w.Indexed()

			_, err = w.Members.UndoMerge(t.Context(), again)
			require.NoError(t, err)
			answers2, choices2, coupons2 := state()
			require.Equal(t, coupons, coupons2)
			require.Equal(t, points, w.Points(again))
			require.Equal(t, points, w.Points(alice))
			require.ElementsMatch(t, []string{"干皮", "喜欢草莓味"}, w.Held(again))
			require.Equal(t, answers[1], answers2[1])
			require.Equal(t, choices[2:], choices2[:3], "the lines of the other; those of the survivor he wrote anew")
			w.Verified()
			w.Indexed()
		}
	})

	t.Run("OneAnsweredAndHeIsTheSame", func(t *testing.T) {
		t.Parallel()
		w, v := setUp(t)
		alice, again := w.Joined("alice"), w.Joined("again")
		submit(w, again, v, reply(v, skin, 1))
		_, err := w.Members.Merge(t.Context(), alice, again, "same")
		require.NoError(t, err)
		require.EqualValues(t, 30, w.Points(alice))
		require.Equal(t, []string{"干皮"}, w.Held(alice))
		require.True(t, submit(w, alice, v, reply(v, skin, 0)).Edited)
		require.Equal(t, []string{"油皮"}, w.Held(alice))
		w.Indexed()
	})
}

func TestErase(t *testing.T) {
	t.Parallel()
	w, v := setUp(t)
	alice := w.Joined("alice")
	submit(w, alice, v, reply(v, skin, 0), write(v, "我叫王小明"))
	var b strings.Builder
	require.NoError(t, w.Members.Export(t.Context(), alice, &b))
	for _, want := range []string{"我叫王小明", "冬季调研", `"chosen": "油皮"`} {
		require.Contains(t, strings.ReplaceAll(b.String(), `":"`, `": "`), want)
	}
	require.NoError(t, w.Members.Erase(t.Context(), alice))
	r := results(w, v, form.Split{}).Total
	require.EqualValues(t, 1, r.Answers)
	require.Equal(t, map[string]int64{"油皮": 1}, counts(r.Tallies[skin]))
	require.Zero(t, w.Count(&model.FormChoice{}, "text <> ''"))
	b.Reset()
	_, err := w.Forms.Export(t.Context(), v.ID, templates.Chinese, w.Members.Phone, &b)
	require.NoError(t, err)
	require.Contains(t, b.String(), "\n,,,2026-11-24 12:00:00,,油皮,,,,\n")
}
