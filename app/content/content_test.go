package content_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/content"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/model"
)

// firstRead gives 2 points for the first reading of each article.
func firstRead(w *apptest.World) {
	w.Rule("article", model.EventArticle, `{"condition":{"leaf":"event.field","field":"first","op":"eq","value":true},"grants":[{"kind":"fixed","account":"points","amount":2}]}`)
}

func article(w *apptest.World, title string, seconds int) int64 {
	w.T.Helper()
	a, err := w.Content.SaveArticle(w.T.Context(), model.Article{Title: title, URL: "https://example.com/" + title, MinSeconds: seconds, Enabled: true})
	require.NoError(w.T, err)
	return a.ID
}

func begin(w *apptest.World, who, article int64) {
	w.T.Helper()
	_, err := w.Content.Start(w.T.Context(), who, article)
	require.NoError(w.T, err)
}

// finish is Finish of somebody who says n seconds; below zero he says nothing.
func finish(w *apptest.World, who, article, n int64) (*content.Read, error) {
	var claimed *int64
	if n >= 0 {
		claimed = &n
	}
	return w.Content.Finish(context.WithoutCancel(w.T.Context()), who, article, claimed)
}

// refused is what a refusal says.
func refused(t *testing.T, err error, code errs.Code) map[string]any {
	t.Helper()
	var e *errs.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, code, e.Code)
	return e.Args
}

func TestRead(t *testing.T) {
	t.Parallel()

	t.Run("TheFirstReadingOfEachCounts", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		firstRead(w)
		a, b, alice := article(w, "a", 15), article(w, "b", 15), w.Joined("alice")
		refused(t, mustFail(finish(w, alice, a, -1)), errs.Conflict)
		begin(w, alice, a)
		w.Advance(14*time.Second + 999*time.Millisecond)
		require.EqualValues(t, 1, refused(t, mustFail(finish(w, alice, a, 3600)), errs.ThresholdNotMet)["short_by"], "a lying client is cut")
		w.Advance(time.Millisecond)
		r, err := finish(w, alice, a, 3600)
		require.NoError(t, err)
		require.EqualValues(t, 15, r.Seconds)
		require.EqualValues(t, 2, w.Points(alice))
		begin(w, alice, a)
		w.Advance(time.Minute)
		r, err = finish(w, alice, a, 40)
		require.NoError(t, err)
		require.EqualValues(t, 40, r.Seconds, "he knows better that he was away")
		require.Equal(t, 2, r.Times)
		require.EqualValues(t, 2, w.Points(alice), "only the first reading pays")
		begin(w, alice, b)
		w.Advance(15 * time.Second)
		_, err = finish(w, alice, b, -1)
		require.NoError(t, err)
		require.EqualValues(t, 4, w.Points(alice))
		v, err := w.Content.Article(t.Context(), a)
		require.NoError(t, err)
		require.Equal(t, []int64{1, 2}, []int64{v.Readers, v.Reads})
	})

	t.Run("ManyTabsDoNotMultiply", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		w.Rule("article", model.EventArticle, `{"grants":[{"kind":"per_unit","account":"points","amount":1,"field":"minutes"}]}`)
		alice := w.Joined("alice")
		var ids []int64
		for i := range 10 {
			ids = append(ids, article(w, fmt.Sprint(i), 15))
			begin(w, alice, ids[i])
		}
		w.Advance(10 * time.Minute)
		var wg sync.WaitGroup
		for _, id := range ids {
			wg.Go(func() {
				if _, err := finish(w, alice, id, 600); err != nil && errs.CodeOf(err) != errs.ThresholdNotMet {
					t.Errorf("Finish: %v", err)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 10, w.Points(alice), "ten minutes are ten minutes")
		w.Verified()
	})

	t.Run("FinishedTwentyTimesAtOnceItCountsOnce", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		firstRead(w)
		a, alice := article(w, "a", 15), w.Joined("alice")
		begin(w, alice, a)
		w.Advance(20 * time.Second)
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if _, err := finish(w, alice, a, -1); err != nil && errs.CodeOf(err) != errs.Conflict {
					t.Errorf("Finish: %v", err)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 2, w.Points(alice))
		require.EqualValues(t, 1, w.Count(&model.Event{}, "kind = ?", model.EventArticle))
	})

	t.Run("TheDayIsFullAfterTwoHours", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		a, alice := article(w, "a", 15), w.Joined("alice")
		var sum int64
		for range 4 {
			begin(w, alice, a)
			w.Advance(45 * time.Minute)
			r, err := finish(w, alice, a, -1)
			require.NoError(t, err)
			require.EqualValues(t, 1800, r.Seconds, "half an hour of one reading")
			sum += r.Seconds
		}
		require.EqualValues(t, 7200, sum)
		begin(w, alice, a)
		w.Advance(time.Minute)
		require.NotNil(t, refused(t, mustFail(finish(w, alice, a, -1)), errs.LimitReached)["opens_at"])
		w.Set("2026-11-24 00:00:00")
		begin(w, alice, a)
		w.Advance(time.Minute)
		_, err := finish(w, alice, a, -1)
		require.NoError(t, err)
	})

	t.Run("WhoMayNotIsRefused", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		a, alice := article(w, "a", 15), w.Joined("alice")
		_, err := w.Content.Start(t.Context(), w.Touched("oa", "bob"), a)
		refused(t, err, errs.NotMember)
		_, err = w.Content.Start(t.Context(), alice, 99)
		refused(t, err, errs.NotFound)
		_, err = w.Content.SaveArticle(t.Context(), model.Article{ID: a, Title: "a", URL: "x", MinSeconds: 1})
		require.NoError(t, err)
		_, err = w.Content.Start(t.Context(), alice, a)
		refused(t, err, errs.NotFound)
		require.Zero(t, w.Count(&model.ArticleRead{}))
	})
}

func mustFail(_ *content.Read, err error) error { return err }

func session(w *apptest.World, from, to string, seconds int) int64 {
	w.T.Helper()
	l, err := w.Content.SaveLive(w.T.Context(), model.LiveSession{Title: "live", OpensAt: w.At(from), ClosesAt: w.At(to), MinSeconds: seconds, Enabled: true})
	require.NoError(w.T, err)
	return l.ID
}

func TestHeartbeat(t *testing.T) {
	t.Parallel()

	t.Run("TimeIsTheServersAndOfTwoDevicesOnce", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		w.Rule("live", model.EventLive, apptest.Earns(10, ""))
		l, alice := session(w, "2026-11-23 20:00:00", "2026-11-23 22:00:00", 600), w.Joined("alice")
		beat := func() (*content.Watched, error) {
			return w.Content.Heartbeat(context.WithoutCancel(t.Context()), alice, l)
		}
		_, err := beat()
		require.NotNil(t, refused(t, err, errs.WindowClosed)["opens_at"])
		w.Set("2026-11-23 20:00:00")
		for range 20 { // half a minute apart, of two devices at once
			var wg sync.WaitGroup
			for range 2 {
				wg.Go(func() {
					if _, err := beat(); err != nil {
						t.Errorf("Heartbeat: %v", err)
					}
				})
			}
			wg.Wait()
			w.Advance(30 * time.Second)
		}
		require.Zero(t, w.Points(alice), "nine and a half minutes")
		r, err := beat()
		require.NoError(t, err)
		require.EqualValues(t, 600, r.Seconds)
		require.True(t, r.Reached)
		require.EqualValues(t, 10, r.Grants[0].Amount)
		w.Advance(91 * time.Second) // he was away
		r, err = beat()
		require.NoError(t, err)
		require.EqualValues(t, 600, r.Seconds)
		w.Advance(90 * time.Second)
		r, err = beat()
		require.NoError(t, err)
		require.EqualValues(t, 690, r.Seconds)
		w.Set("2026-11-23 21:59:30")
		_, err = beat()
		require.NoError(t, err)
		w.Set("2026-11-23 22:00:10")
		r, err = beat()
		require.NoError(t, err, "the last heartbeat comes after the end")
		require.EqualValues(t, 720, r.Seconds, "and counts until then")
		w.Set("2026-11-23 22:01:30")
		_, err = beat()
		refused(t, err, errs.WindowClosed)
		require.EqualValues(t, 10, w.Points(alice))
		v, err := w.Content.Live(t.Context(), l)
		require.NoError(t, err)
		require.Equal(t, []int64{1, 1}, []int64{v.Viewers, v.Reached})
		w.Verified()
	})

	t.Run("ReachedByTwentyAtOnceItPaysOnce", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		w.Rule("live", model.EventLive, apptest.Earns(10, ""))
		l, alice := session(w, "2026-11-23 09:00:00", "2026-11-23 22:00:00", 60), w.Joined("alice")
		_, err := w.Content.Heartbeat(t.Context(), alice, l)
		require.NoError(t, err)
		w.Advance(time.Minute)
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				if i%2 == 0 {
					_, err := w.Content.Heartbeat(context.Background(), alice, l)
					if err != nil {
						t.Errorf("Heartbeat: %v", err)
					}
					return
				}
				if err := push(w, alice, l, content.Leave, fmt.Sprint(i), w.Now(), ""); err != nil {
					t.Errorf("push: %v", err)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 10, w.Points(alice))
		w.Verified()
	})
}

func push(w *apptest.World, who, session int64, action, key string, at time.Time, visit string) error {
	data := map[string]any{"session": fmt.Sprint(session)}
	if visit != "" {
		data["visit"] = visit
	}
	_, err := w.Events.Record(context.WithoutCancel(w.T.Context()), "open",
		event.Behavior{MemberID: who, Action: action, Key: key, OccurredAt: at, Data: model.ToJSON(data)}, w.LockMember)
	return err
}

func TestPush(t *testing.T) {
	t.Parallel()
	type mark struct{ at, action, visit string }
	seconds := func(t *testing.T, marks []mark) int64 {
		w := apptest.New(t)
		l, alice := session(w, "2026-11-23 20:00:00", "2026-11-23 22:00:00", 14400), w.Joined("alice")
		w.Set("2026-11-23 23:30:00")
		for i, m := range marks {
			require.NoError(t, push(w, alice, l, m.action, fmt.Sprint(i), w.At("2026-11-23 "+m.at), m.visit))
		}
		var v model.LiveView
		require.NoError(t, w.DB.Reader(t.Context()).Where("member_id = ?", alice).Take(&v).Error)
		return v.Seconds
	}
	const in, out = content.Enter, content.Leave
	for name, c := range map[string]struct {
		want  int64
		marks []mark
	}{
		"TwoVisitsAddUp":             {600, []mark{{"20:00:00", in, ""}, {"20:09:59", out, ""}, {"20:30:00", in, ""}, {"20:30:01", out, ""}}},
		"TheWindowCuts":              {2 * 3600, []mark{{"19:00:00", in, ""}, {"23:00:00", out, ""}}},
		"AReplayAfterwardsIsNothing": {0, []mark{{"22:00:00", in, ""}, {"23:00:00", out, ""}}},
		"WhoNeverLeftDoesNotCount":   {60, []mark{{"20:00:00", in, ""}, {"20:10:00", in, ""}, {"20:11:00", out, ""}}},
		"StillThere":                 {0, []mark{{"20:00:00", in, ""}}},
		"TwoDevicesAtOnce":           {900, []mark{{"20:00:00", in, "a"}, {"20:05:00", in, "b"}, {"20:10:00", out, "a"}, {"20:15:00", out, "b"}}},
		"TheEndCameFirst":            {600, []mark{{"20:10:00", out, "a"}, {"20:00:00", in, "a"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, seconds(t, c.marks))
			rand.Shuffle(len(c.marks), func(i, j int) { c.marks[i], c.marks[j] = c.marks[j], c.marks[i] })
			require.LessOrEqual(t, seconds(t, c.marks), int64(2*3600), "never more than the window")
		})
	}
	t.Run("WhatNamesNothingIsOnlyRecorded", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		w.Rule("live", model.EventLive, apptest.Earns(10, ""))
		l := session(w, "2026-11-23 09:00:00", "2026-11-23 22:00:00", 60)
		stranger := w.Touched("oa", "bob")
		w.Advance(time.Hour)
		require.NoError(t, push(w, stranger, 99, in, "1", apptest.Start, ""))
		require.Zero(t, w.Count(&model.LiveVisit{}))
		require.NoError(t, push(w, stranger, l, in, "2", apptest.Start, ""))
		require.NoError(t, push(w, stranger, l, out, "3", w.Now().Add(-time.Minute), ""))
		require.Zero(t, w.Count(&model.Event{}, "kind = ?", model.EventLive), "he has not registered")
		require.NoError(t, push(w, stranger, l, in, "4", w.Now().Add(-time.Minute), ""))
		require.NoError(t, push(w, stranger, l, out, "5", w.Now().Add(4*time.Minute), ""), "clocks may differ")
		require.EqualValues(t, 1, w.Count(&model.LiveView{}, "seconds = 3600"), "no second of the future counts")
	})
}

func TestSave(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	for field, a := range map[string]model.Article{
		"title":       {URL: "x", MinSeconds: 1},
		"url":         {Title: "x", MinSeconds: 1},
		"min_seconds": {Title: "x", URL: "x"},
	} {
		_, err := w.Content.SaveArticle(t.Context(), a)
		require.Equal(t, field, refused(t, err, errs.Invalid)["field"])
	}
	for _, url := range []string{"javascript:alert(1)", strings.Repeat("x", 513), "a\x00b"} {
		_, err := w.Content.SaveArticle(t.Context(), model.Article{Title: "x", URL: url, MinSeconds: 1})
		require.Equal(t, "url", refused(t, err, errs.Invalid)["field"])
	}
	_, err := w.Content.SaveLive(t.Context(), model.LiveSession{Title: "x", MinSeconds: 1, OpensAt: w.Now(), ClosesAt: w.Now()})
	require.Equal(t, "closes_at", refused(t, err, errs.Invalid)["field"])
	_, err = w.Content.SaveLive(t.Context(), model.LiveSession{ID: 9, Title: "x", MinSeconds: 1, OpensAt: w.Now(), ClosesAt: w.Now().Add(1)})
	refused(t, err, errs.NotFound)
	_, err = w.Content.SaveArticle(t.Context(), model.Article{ID: 9, Title: "x", URL: "x", MinSeconds: 1})
	refused(t, err, errs.NotFound)
}

func TestMerge(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	firstRead(w)
	w.Rule("live", model.EventLive, apptest.Earns(10, ""))
	both, his, l := article(w, "both", 15), article(w, "his", 15), session(w, "2026-11-23 09:00:00", "2026-11-23 22:00:00", 600)
	alice, bob := w.Joined("alice"), w.Joined("bob")
	for _, c := range []struct{ who, article int64 }{{alice, both}, {bob, both}, {bob, his}} {
		begin(w, c.who, c.article)
		w.Advance(20 * time.Second)
		_, err := finish(w, c.who, c.article, -1)
		require.NoError(t, err)
	}
	from := w.Now()
	w.Advance(20 * time.Minute)
	for i, who := range []int64{alice, bob} { // half of the time both at once
		require.NoError(t, push(w, who, l, content.Enter, fmt.Sprint("in", i), from.Add(time.Duration(i)*5*time.Minute), ""))
		require.NoError(t, push(w, who, l, content.Leave, fmt.Sprint("out", i), from.Add(time.Duration(i+2)*5*time.Minute), ""))
	}
	require.EqualValues(t, 12, w.Points(alice))
	require.EqualValues(t, 14, w.Points(bob))
	w.Tx(func(ctx context.Context, tx *gorm.DB) error {
		_, err := w.Members.MergeTx(ctx, tx, alice, bob, "test")
		return err
	})
	require.EqualValues(t, 2+2+10, w.Points(alice), "an article is read for the first time once, a session watched once")
	require.EqualValues(t, 1, w.Count(&model.LiveView{}, "member_id = ? AND seconds = 900", alice), "of the time at once half counts")
	require.EqualValues(t, 1, w.Count(&model.ArticleRead{}, "member_id = ? AND times = 2", alice))
	for _, row := range []any{&model.ArticleRead{}, &model.LiveView{}, &model.LiveVisit{}, &model.ReadingClock{}} {
		require.Zero(t, w.Count(row, "member_id = ?", bob))
	}
	begin(w, alice, both)
	w.Advance(20 * time.Second)
	_, err := finish(w, alice, both, -1)
	require.NoError(t, err)
	require.EqualValues(t, 14, w.Points(alice))
	w.Verified()
}
