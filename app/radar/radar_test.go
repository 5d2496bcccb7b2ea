package radar_test

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/broadcast"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/radar"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/app/reply"
	"github.com/siyu-scrm/siyu/app/reward"
	"github.com/siyu-scrm/siyu/model"
)

// world has one link, of PLAYBOOKS P01-D.
type world struct {
	*apptest.World
	link *model.RadarLink
}

func newWorld(t testing.TB) *world {
	w := &world{World: apptest.New(t)}
	w.link = w.save(cake())
	return w
}

func cake() model.RadarLink {
	return model.RadarLink{
		Name: "新品蛋糕", Kind: "new-product", Target: model.RadarArticle, URL: "https://mp.weixin.qq.com/s/cake#top",
		HighSeconds: 180, HighForwards: 2, MediumSeconds: 10, LowHours: 48,
	}
}

func (w *world) save(l model.RadarLink) *model.RadarLink {
	w.T.Helper()
	out, err := w.Radar.Save(w.T.Context(), l)
	require.NoError(w.T, err)
	return out
}

// sent is the token that a message of a run carries to a member.
func (w *world) sent(runID, memberID int64) (token string) {
	w.T.Helper()
	w.Tx(func(_ context.Context, tx *gorm.DB) error {
		f, err := w.Radar.FillerTx(tx, "text", w.says())
		if err == nil {
			token = f.Token(w.says(), runID, memberID)
		}
		return err
	})
	return token
}

func (w *world) says() string { return "{{ radar:" + string(rune('0'+w.link.ID)) + " }}" }

// deliver notes that a run delivered the link.
func (w *world) deliver(runID int64, members ...int64) {
	w.T.Helper()
	w.Tx(func(_ context.Context, tx *gorm.DB) error {
		return w.Radar.DeliveredTx(tx, runID, []int64{w.link.ID}, members, w.Now())
	})
}

func (w *world) open(token string, who radar.Viewer) *radar.State {
	w.T.Helper()
	s, err := w.Radar.Open(w.T.Context(), token, who, 0)
	require.NoError(w.T, err)
	return s
}

func (w *world) beat(view string, n, seconds int64) *radar.State {
	w.T.Helper()
	s, err := w.Radar.Beat(w.T.Context(), view, radar.Viewer{}, n, seconds)
	require.NoError(w.T, err)
	return s
}

func (w *world) forward(view string) *radar.Forwarded {
	w.T.Helper()
	f, err := w.Radar.Forward(w.T.Context(), view, radar.Viewer{})
	require.NoError(w.T, err)
	return f
}

// of is what a member did with the link in all.
func (w *world) of(memberID int64) (r model.RadarReader) {
	w.T.Helper()
	require.NoError(w.T, w.DB.Reader(w.T.Context()).Where("link_id = ? AND member_id = ?", w.link.ID, memberID).Limit(1).Find(&r).Error)
	return r
}

func (w *world) figures() radar.Figures {
	w.T.Helper()
	v, err := w.Radar.Get(w.T.Context(), w.link.ID)
	require.NoError(w.T, err)
	return v.Figures
}

func login(id int64) radar.Viewer { return radar.Viewer{MemberID: id} }

func TestSave(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list, err := w.Tags.List(t.Context())
	require.NoError(t, err)
	names := map[int64]string{}
	for _, tag := range list {
		names[tag.ID] = tag.Group + ":" + tag.Name
	}
	require.Equal(t, []string{"意向:高", "意向:中", "意向:低"}, []string{names[w.link.HighTag], names[w.link.MediumTag], names[w.link.LowTag]})
	other := w.save(cake())
	require.Equal(t, w.link.HighTag, other.HighTag, "made once")
	loose := w.Tag("preference", "爱看")
	for field, change := range map[string]func(l *model.RadarLink){
		"name":           func(l *model.RadarLink) { l.Name = " " },
		"kind":           func(l *model.RadarLink) { l.Kind = strings.Repeat("k", 33) },
		"target":         func(l *model.RadarLink) { l.Target = "app" },
		"url":            func(l *model.RadarLink) { l.URL = "javascript:alert(1)" },
		"url ":           func(l *model.RadarLink) { l.Target, l.URL = model.RadarPage, "/pages/x" },
		"url  ":          func(l *model.RadarLink) { l.Target, l.URL = model.RadarPage, `pages/x?a="><b` },
		"high_seconds":   func(l *model.RadarLink) { l.HighSeconds = 0 },
		"medium_seconds": func(l *model.RadarLink) { l.MediumSeconds = 180 },
		"high_forwards":  func(l *model.RadarLink) { l.HighForwards = -1 },
		"low_hours":      func(l *model.RadarLink) { l.LowHours = 721 },
		"high_tag_id":    func(l *model.RadarLink) { l.HighTag = 999 },
		"medium_tag_id":  func(l *model.RadarLink) { l.MediumTag = loose },
		"high_tag_id ":   func(l *model.RadarLink) { l.MediumTag = l.HighTag },
	} {
		l := *w.link
		change(&l)
		_, err := w.Radar.Save(t.Context(), l)
		require.Equal(t, errs.Invalid, errs.CodeOf(err), field)
		var e *errs.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, strings.TrimSpace(field), e.Args["field"])
	}
	_, err = w.Radar.Save(t.Context(), model.RadarLink{ID: 99, Name: "x", Target: "page", URL: "pages/x?a=1", HighSeconds: 2, MediumSeconds: 1, HighForwards: 1, LowHours: 1})
	require.Equal(t, errs.NotFound, errs.CodeOf(err))
}

func TestBeats(t *testing.T) {
	t.Parallel()

	t.Run("NeverMoreThanTheWallTime", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		alice := w.Joined("alice")
		s := w.open(w.sent(1, alice), login(alice))
		w.Advance(10 * time.Second)
		require.EqualValues(t, 10, w.beat(s.View, 1, 3600).Seconds)
		require.EqualValues(t, 10, w.beat(s.View, 2, 3600).Seconds, "at once again")
		w.Advance(10 * time.Second)
		require.EqualValues(t, 14, w.beat(s.View, 3, 4).Seconds, "what he says can make them fewer")
		w.Advance(time.Second)
		require.EqualValues(t, 15, w.beat(s.View, 4, 7).Seconds, "what was not claimed then is lost")
		w.Advance(time.Hour)
		require.EqualValues(t, 15+1800, w.beat(s.View, 5, 1<<60).Seconds)
		require.EqualValues(t, 1815, w.of(alice).Seconds)
	})

	t.Run("PartsOfASecondAreKept", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		alice := w.Joined("alice")
		s := w.open(w.sent(1, alice), login(alice))
		for n := range int64(10) {
			w.Advance(1500 * time.Millisecond)
			s = w.beat(s.View, n+1, 2)
		}
		require.EqualValues(t, 15, s.Seconds)
	})

	t.Run("AgainAndOutOfOrderCountNothing", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		alice := w.Joined("alice")
		s := w.open(w.sent(1, alice), login(alice))
		w.Advance(10 * time.Second)
		w.beat(s.View, 5, 10)
		w.Advance(10 * time.Second)
		for _, n := range []int64{5, 4, 1} {
			require.EqualValues(t, 10, w.beat(s.View, n, 10).Seconds)
		}
		require.EqualValues(t, 20, w.beat(s.View, 6, 10).Seconds)
	})

	t.Run("NegativeAndForgedAreRefused", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		alice, bob := w.Joined("alice"), w.Joined("bob")
		token := w.sent(1, alice)
		s := w.open(token, login(alice))
		_, err := w.Radar.Beat(t.Context(), s.View, radar.Viewer{}, 1, -1)
		require.Equal(t, errs.Invalid, errs.CodeOf(err))
		_, err = w.Radar.Beat(t.Context(), s.View, radar.Viewer{}, 0, 1)
		require.Equal(t, errs.Invalid, errs.CodeOf(err))
		_, err = w.Radar.Beat(t.Context(), s.View, login(bob), 1, 1)
		require.Equal(t, errs.NotFound, errs.CodeOf(err), "it is not his")
		for _, forged := range []string{"", "x", token, token[:len(token)-1], strings.ToUpper(s.View), s.View + "A", s.View[:10] + "A" + s.View[11:], strings.Repeat("A", 101)} {
			if forged != token {
				_, err = w.Radar.Open(t.Context(), forged, radar.Viewer{}, 0)
				require.Equal(t, errs.NotFound, errs.CodeOf(err), forged)
				_, err = w.Radar.Target(t.Context(), forged)
				require.Equal(t, errs.NotFound, errs.CodeOf(err), forged)
			}
			_, err = w.Radar.Beat(t.Context(), forged, radar.Viewer{}, 1, 1)
			require.Equal(t, errs.NotFound, errs.CodeOf(err), forged)
			_, err = w.Radar.Forward(t.Context(), forged, radar.Viewer{})
			require.Equal(t, errs.NotFound, errs.CodeOf(err), forged)
		}
		_, err = w.Radar.Open(t.Context(), s.View, radar.Viewer{}, 0)
		require.Equal(t, errs.NotFound, errs.CodeOf(err), "one kind of token is no other")
		require.EqualValues(t, 1, w.Count(&model.RadarView{}))
		require.Zero(t, w.Count(&model.RadarVisitor{}))
	})

	t.Run("OfSeveralOpeningsASecondCountsOnce", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		alice := w.Joined("alice")
		a, b := w.open(w.sent(1, alice), login(alice)), w.open(w.sent(2, alice), login(alice))
		for n := range int64(6) {
			w.Advance(10 * time.Second)
			w.beat(a.View, n+1, 10)
			w.beat(b.View, n+1, 10)
		}
		require.EqualValues(t, 60, w.of(alice).Seconds)
	})

	t.Run("TwentyAtOnceOfTwoProcesses", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		other := radar.New(w.Radar.Deps) // shares nothing but the database
		alice := w.Joined("alice")
		views := []string{w.open(w.sent(1, alice), login(alice)).View, w.open(w.sent(1, alice), login(alice)).View}
		w.Advance(100 * time.Second)
		var wg sync.WaitGroup
		for n := range 20 {
			wg.Go(func() {
				s := []*radar.Service{w.Radar, other}[n%2]
				if _, err := s.Beat(context.WithoutCancel(t.Context()), views[n/2%2], radar.Viewer{}, int64(n+1), 100); err != nil {
					t.Errorf("Beat: %v", err)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 100, w.of(alice).Seconds)
		require.EqualValues(t, 100, w.figures().Seconds)
		require.Equal(t, []string{"中"}, w.Held(alice))
	})
}

func TestGrades(t *testing.T) {
	t.Parallel()

	t.Run("HighAtTheSecondForwardOrTheSecondThatReachesIt", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		alice, bob := w.Joined("alice"), w.Joined("bob")
		a, b := w.open(w.sent(1, alice), login(alice)), w.open(w.sent(1, bob), login(bob))
		w.forward(a.View)
		require.Empty(t, w.Held(alice))
		w.forward(a.View)
		require.Equal(t, []string{"高"}, w.Held(alice))
		for n := range int64(18) {
			require.NotContains(t, w.Held(bob), "高")
			w.Advance(10 * time.Second)
			w.beat(b.View, n+1, 10)
		}
		require.Equal(t, []string{"高"}, w.Held(bob))
		require.EqualValues(t, 3, w.Count(&model.Event{}, "kind = ?", model.EventRadarGraded), "a medium and two high")
		w.beat(b.View, 99, 1)
		require.EqualValues(t, 3, w.Count(&model.Event{}, "kind = ?", model.EventRadarGraded))
		held, err := w.Tags.Of(t.Context(), bob)
		require.NoError(t, err)
		require.Equal(t, model.CauseRadar, held[0].Cause)
		require.Equal(t, w.link.ID, held[0].CauseID)
	})

	t.Run("ARuleMadeStricterLowersNobody", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		alice := w.Joined("alice")
		s := w.open(w.sent(1, alice), login(alice))
		w.forward(s.View)
		w.forward(s.View)
		l := *w.link
		l.HighForwards = 9
		w.save(l)
		w.Advance(20 * time.Second)
		w.beat(s.View, 1, 20)
		require.Equal(t, model.RadarHigh, w.of(alice).Grade)
		require.Equal(t, []string{"高"}, w.Held(alice))
		require.EqualValues(t, 1, w.Count(&model.Event{}, "kind = ?", model.EventRadarGraded))
	})

	t.Run("ALowerGradeOfAnotherLinkDoesNotReplaceAHigherOne", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		alice := w.Joined("alice")
		s := w.open(w.sent(1, alice), login(alice))
		w.forward(s.View)
		w.forward(s.View)
		w.link = w.save(cake())
		w.deliver(2, alice)
		w.Advance(48 * time.Hour)
		require.Equal(t, model.RadarLow, w.of(alice).Grade)
		require.Equal(t, []string{"高"}, w.Held(alice))
	})

	t.Run("LowAtItsInstantOnceAndOnlyUnopened", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		alice, bob, carol := w.Joined("alice"), w.Joined("bob"), w.Joined("carol")
		w.deliver(1, alice, bob, carol)
		w.open(w.sent(1, bob), login(bob))
		w.Advance(48*time.Hour - time.Second)
		require.Empty(t, w.Held(alice))
		w.open(w.sent(1, carol), login(carol))
		w.Advance(time.Second)
		require.Equal(t, []string{"低"}, w.Held(alice))
		require.Empty(t, w.Held(bob))
		require.Empty(t, w.Held(carol))
		n := w.Count(&model.Event{})
		w.Settle()
		require.Equal(t, n, w.Count(&model.Event{}))
		s := w.open(w.sent(1, alice), login(alice))
		w.Advance(10 * time.Second)
		w.beat(s.View, 1, 10)
		require.Equal(t, []string{"中"}, w.Held(alice))
		require.Equal(t, radar.Figures{Delivered: 3, Opened: 3, Opens: 3, Seconds: 10, Medium: 1, None: 2}, w.figures())
	})

	t.Run("TwoProcessesGiveItOnce", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		var all []int64
		for _, name := range strings.Split("abcdefgh", "") {
			all = append(all, w.Joined(name))
		}
		w.deliver(1, all...)
		w.Jump("2026-11-25 09:00:00")
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				s := radar.New(w.Radar.Deps)
				if _, err := s.RunDue(context.WithoutCancel(t.Context()), w.Now()); err != nil {
					t.Errorf("RunDue: %v", err)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 8, w.Count(&model.Event{}, "kind = ?", model.EventRadarGraded))
		require.EqualValues(t, 8, w.figures().Low)
		_, due, err := w.Radar.Due(t.Context())
		require.NoError(t, err)
		require.False(t, due)
	})
}

func TestVisitors(t *testing.T) {
	t.Parallel()

	t.Run("TheTreeAndWhoBecomesKnown", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		carol, dave := w.Joined("carol"), w.Joined("dave")
		c := w.open(w.sent(1, carol), login(carol))
		d := w.open(w.forward(c.View).Token, radar.Viewer{}) // D, whom nobody knows
		require.NotEmpty(t, d.Visitor)
		w.Advance(12 * time.Second)
		w.beat(d.View, 1, 12)
		e := w.open(w.forward(d.View).Token, radar.Viewer{}) // a friend of D
		require.NotEqual(t, d.Visitor, e.Visitor)
		require.Equal(t, radar.Figures{Opened: 1, Opens: 3, Seconds: 12, Forwards: 2, Visitors: 2, None: 1}, w.figures())
		require.Zero(t, w.Count(&model.Event{}, "member_id = ?  AND source = 'radar'", dave))

		opened := w.Now()
		w.Advance(time.Hour)
		require.NoError(t, w.Radar.Known(t.Context(), dave, d.Visitor))
		require.NoError(t, w.Radar.Known(t.Context(), dave, d.Visitor), "again")
		require.NoError(t, w.Radar.Known(t.Context(), carol, d.Visitor), "he is known: nobody takes him")
		require.NoError(t, w.Radar.Known(t.Context(), carol, "forged"))
		r := w.of(dave)
		require.Equal(t, [3]int64{1, 12, 1}, [3]int64{r.Opens, r.Seconds, r.Forwards})
		require.Equal(t, []string{"中"}, w.Held(dave))
		var ev model.Event
		require.NoError(t, w.DB.Reader(t.Context()).Where("kind = ? AND member_id = ?", model.EventRadarViewed, dave).Take(&ev).Error)
		require.Equal(t, opened.Add(-12*time.Second), ev.OccurredAt.UTC(), "when he did it")
		require.Equal(t, radar.Figures{Opened: 2, Opens: 3, Seconds: 12, Forwards: 2, Visitors: 2, Known: 1, None: 1, Medium: 1}, w.figures())

		tree, err := w.Radar.Tree(t.Context(), w.link.ID)
		require.NoError(t, err)
		require.Len(t, tree, 3)
		for i, want := range []struct {
			name     string
			depth    int
			visitors int64
		}{{"carol", 0, 0}, {"carol", 1, 1}, {"dave", 2, 1}} {
			require.Equal(t, want.name, tree[i].Name)
			require.Equal(t, want.depth, tree[i].Depth)
			require.Equal(t, want.visitors, tree[i].Visitors)
		}
		people, err := w.Radar.People(t.Context(), w.link.ID, radar.Visitors, 0, 10)
		require.NoError(t, err)
		require.Len(t, people, 2)
		require.Equal(t, "dave", people[0].Name)
		require.Equal(t, "carol", people[0].FromName)
		require.Equal(t, carol, people[0].FromMember)
		require.Equal(t, dave, people[1].FromMember)
		require.Zero(t, people[1].MemberID)
	})

	t.Run("TheFirstBrowserIsTheAddressees", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		alice := w.Joined("alice")
		token := w.sent(1, alice)
		mine := w.open(token, radar.Viewer{})
		friend := w.open(token, radar.Viewer{})
		w.open(token, radar.Viewer{Visitor: mine.Visitor})
		w.open(token, radar.Viewer{Visitor: friend.Visitor})
		require.EqualValues(t, 2, w.of(alice).Opens)
		require.Equal(t, radar.Figures{Opened: 1, Opens: 4, Visitors: 1, None: 1}, w.figures())
		again, err := w.Radar.Open(t.Context(), token, radar.Viewer{Visitor: friend.Visitor}, 5*time.Second)
		require.NoError(t, err)
		require.EqualValues(t, 4, w.Count(&model.RadarView{}), "loaded anew")
		w.Advance(5 * time.Second)
		_, err = w.Radar.Open(t.Context(), token, radar.Viewer{Visitor: again.Visitor}, 5*time.Second)
		require.NoError(t, err)
		require.EqualValues(t, 5, w.Count(&model.RadarView{}))
	})

	t.Run("LoggedInWithTheVisitorHeIsKnownAtOnce", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		alice, dave := w.Joined("alice"), w.Joined("dave")
		token := w.forward(w.open(w.sent(1, alice), login(alice)).View).Token
		anon := w.open(token, radar.Viewer{})
		w.open(token, radar.Viewer{MemberID: dave, Visitor: anon.Visitor})
		require.EqualValues(t, 2, w.of(dave).Opens)
		w.open(token, radar.Viewer{Visitor: anon.Visitor})
		require.EqualValues(t, 3, w.of(dave).Opens, "his browser is known now")
		require.EqualValues(t, 1, w.figures().Visitors)
	})

	t.Run("AHeartbeatWhileHeLogsIn", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		alice, dave := w.Joined("alice"), w.Joined("dave")
		d := w.open(w.forward(w.open(w.sent(1, alice), login(alice)).View).Token, radar.Viewer{})
		w.Advance(40 * time.Second)
		var wg sync.WaitGroup
		for n := range 8 {
			wg.Go(func() {
				ctx := context.WithoutCancel(t.Context())
				if n == 3 {
					if err := w.Radar.Known(ctx, dave, d.Visitor); err != nil {
						t.Errorf("Known: %v", err)
					}
				} else if _, err := w.Radar.Beat(ctx, d.View, radar.Viewer{}, int64(n+1), 40); err != nil {
					t.Errorf("Beat: %v", err)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 40, w.of(dave).Seconds, "not one lost, not one twice")
	})

	t.Run("TooManyWhoSayNothingAreNotCounted", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		alice := w.Joined("alice")
		token := w.forward(w.open(w.sent(1, alice), login(alice)).View).Token
		var share model.RadarShare
		require.NoError(t, w.DB.Reader(t.Context()).Where("parent_id > 0").Take(&share).Error)
		rows := make([]model.RadarView, 600)
		for i := range rows {
			rows[i] = model.RadarView{LinkID: w.link.ID, ShareID: share.ID, VisitorID: 1000, OpenedAt: w.Now()}
		}
		w.Tx(func(_ context.Context, tx *gorm.DB) error { return tx.CreateInBatches(rows, 200).Error })
		_, err := w.Radar.Open(t.Context(), token, radar.Viewer{}, 0)
		require.Equal(t, errs.RateLimited, errs.CodeOf(err))
		w.open(token, login(alice))
		w.Advance(time.Minute)
		w.open(token, radar.Viewer{})
	})

	t.Run("AnOpeningForwardsAHundredTimesAtMost", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		alice := w.Joined("alice")
		s := w.open(w.sent(1, alice), login(alice))
		for range 100 {
			w.forward(s.View)
		}
		_, err := w.Radar.Forward(t.Context(), s.View, radar.Viewer{})
		require.Equal(t, errs.LimitReached, errs.CodeOf(err))
	})
}

func TestMerge(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	alice := w.Joined("alice")
	w.Advance(time.Minute)
	other := w.Joined("other")
	w.deliver(1, alice, other)
	token, his := w.sent(1, alice), w.sent(1, other)
	a, o := w.open(token, login(alice)), w.open(his, login(other))
	w.Advance(100 * time.Second)
	w.beat(a.View, 1, 100)
	w.beat(o.View, 1, 90)
	w.forward(o.View)
	_, err := w.Members.Merge(t.Context(), alice, other, "test")
	require.NoError(t, err)
	require.Equal(t, radar.Figures{Delivered: 1, Opened: 1, Opens: 2, Seconds: 190, Forwards: 1, Medium: 1}, w.figures())
	require.EqualValues(t, 190, w.of(alice).Seconds)
	require.Equal(t, []string{"中"}, w.Held(alice))
	w.Advance(time.Second)
	w.beat(o.View, 2, 1)
	require.Equal(t, []string{"高"}, w.Held(alice), "with the next thing that he does")
	w.open(his, radar.Viewer{})
	require.EqualValues(t, 3, w.of(alice).Opens, "what was sent to the other is his")
	_, err = w.Members.UndoMerge(t.Context(), other)
	require.NoError(t, err)
	require.EqualValues(t, 90, w.of(other).Seconds)
	require.EqualValues(t, 101, w.of(alice).Seconds, "what came since stays with the survivor")

	require.NoError(t, w.Members.Erase(t.Context(), other))
	w.open(his, radar.Viewer{})
	require.EqualValues(t, 1, w.figures().Visitors, "his link leads on; who opens it is nobody's guess")
}

func TestReplies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	rule := reply.Rule{
		Reply: model.Reply{Name: "新品", Trigger: model.ReplyKeyword, Match: model.MatchExact, Mode: model.ReplyAll, Enabled: true}, Words: []string{"新品"},
		Messages: []reply.Message{
			{Kind: reply.Text, Text: "看看 " + w.says()}, {Kind: reply.News, Title: "新品", URL: w.says()}, {Kind: reply.Text, Text: "再看看 " + w.says()},
		},
	}
	for at, change := range map[string]func(m []reply.Message){
		"messages[0].text": func(m []reply.Message) { m[0].Text = "{{radar:99}}" },
		"messages[1].url":  func(m []reply.Message) { m[1].URL = "{{radar:99}}" },
		"messages[2].text": func(m []reply.Message) { m[2].Text = strings.Repeat("a", 2010) + w.says() },
	} {
		bad := rule
		bad.Messages = slices.Clone(rule.Messages)
		change(bad.Messages)
		_, err := w.Replies.Save(t.Context(), bad)
		var e *errs.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, at, e.Args["field"])
	}
	_, err := w.Replies.Save(t.Context(), rule)
	require.NoError(t, err)
	found := regexp.MustCompile(`http://[^/]+/r/([A-Za-z0-9_-]+)`)
	tokens := map[string]bool{}
	for _, name := range []string{"a", "b"} {
		p := w.Person(name)
		w.Act(p, "follow", nil)
		seen := w.Act(p, "text", map[string]any{"content": "新品"})
		w.Advance(0)
		inbox, err := p.Inbox(t.Context())
		require.NoError(t, err)
		n := 0
		for _, m := range inbox {
			if link := found.FindStringSubmatch(m.Content); link != nil {
				n++
				tokens[link[1]] = true
			}
			require.NotContains(t, m.Content, "{{")
		}
		require.Regexp(t, found, seen[0])
		require.GreaterOrEqual(t, n, 2)
	}
	require.Len(t, tokens, 2, "each his own")
}

func TestGradesSurviveAKill(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var all []int64
	for _, name := range strings.Split("abcdef", "") {
		all = append(all, w.Joined(name))
	}
	w.deliver(1, all...)
	n := 0
	w.Events.Follow(func(_ context.Context, _ *gorm.DB, ev *model.Event) ([]event.Grant, error) {
		if ev.Kind == model.EventRadarGraded {
			if n++; n == 4 {
				return nil, errors.New("killed")
			}
		}
		return nil, nil
	})
	w.Jump("2026-11-25 09:00:00")
	_, err := w.Radar.RunDue(t.Context(), w.Now())
	require.ErrorContains(t, err, "killed")
	require.Zero(t, w.figures().Low, "none of the transaction")
	require.Zero(t, w.Count(&model.TagHold{}))
	at, due, err := w.Radar.Due(t.Context())
	require.NoError(t, err)
	require.True(t, due)
	require.Equal(t, w.Now(), at.UTC())
	w.Settle()
	require.EqualValues(t, 6, w.figures().Low)
	require.EqualValues(t, 6, w.Count(&model.Event{}, "kind = ?", model.EventRadarGraded))
	require.EqualValues(t, 6, w.Count(&model.TagHold{}))
}

func TestATagOfAGradeIsNotMergedAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, err := w.Tags.Merge(t.Context(), w.link.LowTag, w.Tag("preference", "x"), "test")
	require.Equal(t, errs.Conflict, errs.CodeOf(err))
}

func TestForwardsAreNotRewarded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, in := range []reward.Input{
		{Code: "f", Name: "f", Trigger: model.EventRadarForwarded},
		{Code: "g", Name: "g", Trigger: model.EventRadarGraded},
		{Code: "c", Name: "c", Trigger: model.EventCheckin, Definition: reward.Definition{
			Condition: condition.Is("did", map[string]any{"event": model.EventRadarForwarded, "op": "gte", "count": 1}),
		}},
	} {
		in.Enabled = true
		require.NoError(t, json.Unmarshal([]byte(`{"grants":[{"kind":"fixed","account":"points","amount":1}]}`), &in.Definition))
		_, err := w.Rewards.Save(t.Context(), in, "en")
		require.Equal(t, errs.Invalid, errs.CodeOf(err), in.Code)
	}
}

// A subscribe message carries the token in the path of its page, and is taken back when WeChat reports that it failed.
func TestSubscribeMessages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p, id := w.Member("alice")
	w.Act(p, "accept", map[string]any{"account": "mp", "template": "TPL_ACTIVITY", "times": 1})
	m := reach.Message{Channels: []string{reach.Subscribe}, Subscribe: &reach.SubscribeContent{
		TemplateID: "TPL_ACTIVITY", Page: "pages/cake?radar=" + w.says(), Data: map[string]string{"thing1": "新品", "thing2": "来看看", "time3": "2026-11-24 03:00"},
	}}
	for page, key := range map[string]string{"pages/x?a={{nickname}}": "reach.page_variable", "pages/x?a={{radar:99}}": "radar.no_link"} {
		bad := m
		c := *m.Subscribe
		c.Page, bad.Subscribe = page, &c
		var e *errs.Error
		_, err := w.Broadcasts.Save(t.Context(), broadcast.Input{Name: "x", Message: bad})
		require.ErrorAs(t, err, &e)
		require.Equal(t, key, e.Key)
		require.Equal(t, "message.subscribe.page", e.Args["field"])
	}
	b, err := w.Broadcasts.Save(t.Context(), broadcast.Input{Name: "x", Message: m})
	require.NoError(t, err)
	one := int64(1)
	run, err := w.Broadcasts.RunNow(t.Context(), b.ID, &one)
	require.NoError(t, err)
	w.Advance(0)
	inbox, err := p.Inbox(t.Context())
	require.NoError(t, err)
	require.Len(t, inbox, 1)
	require.Contains(t, string(inbox[0].Data), w.sent(run.ID, id))
	require.EqualValues(t, 1, w.figures().Delivered)
	var d model.Delivery
	require.NoError(t, w.DB.Reader(t.Context()).Where("run_id = ?", run.ID).Take(&d).Error)
	w.Tx(func(ctx context.Context, tx *gorm.DB) error {
		return w.Reach.SubscribeSentTx(ctx, tx, &model.Identity{Account: "mp", Kind: model.KindMP}, "t", d.MsgID, 1, "failed", w.Now())
	})
	require.Zero(t, w.figures().Delivered)
}
