package channel_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/channel"
	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/reply"
	"github.com/siyu-scrm/siyu/app/tag"
	"github.com/siyu-scrm/siyu/app/wechat/sandbox"
	"github.com/siyu-scrm/siyu/app/wechat/sandbox/phone"
	"github.com/siyu-scrm/siyu/model"
)

// counts are new, returning, scans and registered of a code.
func counts(w *apptest.World, code string) [4]int64 {
	v := view(w, code)
	return [4]int64{v.New, v.Returning, v.Scans, v.Registered}
}

func view(w *apptest.World, code string) channel.View {
	w.T.Helper()
	list, err := w.Channels.List(w.T.Context())
	require.NoError(w.T, err)
	for _, v := range list {
		if v.Code == code {
			return v
		}
	}
	require.Fail(w.T, "no code "+code)
	return channel.View{}
}

func cards(w *apptest.World, p *phone.Person) (n int) {
	w.T.Helper()
	inbox, err := p.Inbox(w.T.Context())
	require.NoError(w.T, err)
	for _, m := range inbox {
		if m.Channel == sandbox.ChannelCustom {
			n++
		}
	}
	return n
}

func register(w *apptest.World, p *phone.Person) {
	w.T.Helper()
	_, err := p.Login(w.T.Context())
	require.NoError(w.T, err)
	require.NoError(w.T, p.API(w.T.Context(), "POST", "/register", map[string]any{}, nil))
}

// TestChannelCode follows PLAYBOOKS P01-A.
func TestChannelCode(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	w.Rule("register", model.EventRegistered, apptest.Earns(50, ""))
	two := 2
	_, err := w.Sandbox.ChangeAccount(sandbox.AccountChange{Account: "oa", Duplicates: &two})
	require.NoError(t, err)
	p := w.Person("M1")

	welcome := w.Act(p, "follow", map[string]any{"scene": "poster"})
	require.Equal(t, []string{view(w, "poster").Welcome}, welcome[:1])
	w.Settle()
	m := w.MemberOf(p, "oa")
	require.False(t, m.Joined())
	require.Equal(t, []string{"门店海报"}, w.Held(m.ID))
	require.Equal(t, view(w, "poster").ID, m.FirstChannel)
	require.Equal(t, m.FirstChannel, m.LastChannel)
	require.Zero(t, w.Points(m.ID))
	require.Equal(t, 1, cards(w, p), "the card follows as a customer message")
	require.EqualValues(t, 1, w.Count(&model.Identity{}))
	require.EqualValues(t, 1, w.Count(&model.Outbox{}))
	require.EqualValues(t, 1, w.Count(&model.TagChange{}))

	w.Advance(10 * time.Minute)
	register(w, p)
	m = w.MemberOf(p, "mp")
	require.True(t, m.Joined())
	require.Equal(t, []string{"门店海报"}, w.Held(m.ID))
	require.EqualValues(t, 50, w.Points(m.ID))

	w.Set("2026-11-24 10:00:00")
	require.Equal(t, view(w, "old").Welcome, w.Act(p, "scan", map[string]any{"scene": "old"})[0])
	w.Settle()
	require.Equal(t, []string{"老客", "门店海报"}, w.Held(m.ID))
	m = w.MemberOf(p, "oa")
	require.Equal(t, view(w, "poster").ID, m.FirstChannel)
	require.Equal(t, view(w, "old").ID, m.LastChannel)
	require.Equal(t, 2, cards(w, p))

	w.Set("2026-11-24 12:00:00")
	poster := view(w, "poster").ChannelCode
	poster.Welcome, poster.Code = "new words", "changed"
	saved, err := w.Channels.Save(t.Context(), poster)
	require.NoError(t, err)
	require.Equal(t, "poster", saved.Code, "it is printed")
	q := w.Person("M2")
	require.Equal(t, "new words", w.Act(q, "follow", map[string]any{"scene": "poster"})[0])

	w.Set("2026-11-25 08:00:00")
	w.Act(p, "unfollow", nil)
	w.Set("2026-11-25 09:00:00")
	require.Equal(t, view(w, "tweet").Welcome, w.Act(p, "follow", map[string]any{"scene": "tweet"})[0])
	w.Settle()
	require.Equal(t, []string{"公众号推文", "老客", "门店海报"}, w.Held(m.ID))
	register(w, p)
	require.EqualValues(t, 50, w.Points(m.ID), "no second time")

	require.Equal(t, [4]int64{2, 0, 0, 1}, counts(w, "poster"))
	require.Equal(t, [4]int64{0, 0, 1, 0}, counts(w, "old"))
	require.Equal(t, [4]int64{0, 1, 0, 0}, counts(w, "tweet"))
}

func TestVisits(t *testing.T) {
	t.Parallel()

	t.Run("ARegistrationCountsAlsoWhereTheUnionIDIsLearnedLater", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		p := w.Person("alice")
		w.Act(p, "follow", map[string]any{"scene": "poster"})
		register(w, p) // the outbox has not asked yet: two persons
		require.Equal(t, [4]int64{1, 0, 0, 0}, counts(w, "poster"))
		w.Settle()
		require.Equal(t, [4]int64{1, 0, 0, 1}, counts(w, "poster"))
		require.Equal(t, view(w, "poster").ID, w.MemberOf(p, "mp").FirstChannel)
	})

	t.Run("TwoRegistrationsOfOnePersonCountOnce", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		var ids []int64
		for _, name := range []string{"a", "b"} {
			p := w.Person(name)
			w.Act(p, "follow", map[string]any{"scene": "poster"})
			w.Settle()
			register(w, p)
			ids = append(ids, w.MemberOf(p, "mp").ID)
		}
		require.Equal(t, [4]int64{2, 0, 0, 2}, counts(w, "poster"))
		_, err := w.Members.Merge(t.Context(), ids[0], ids[1], "test")
		require.NoError(t, err)
		require.Equal(t, [4]int64{2, 0, 0, 1}, counts(w, "poster"))
	})

	t.Run("AnUnknownSceneIsAFollowAllTheSame", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		p := w.Person("alice")
		require.Len(t, w.Act(p, "follow", map[string]any{"scene": "somebody_elses"}), 1)
		w.Settle()
		require.Zero(t, w.MemberOf(p, "oa").FirstChannel)
		require.Zero(t, cards(w, p))
		w.Act(p, "scan", map[string]any{"scene": "poster"})
		require.Equal(t, view(w, "poster").ID, w.MemberOf(p, "oa").FirstChannel)
	})

	t.Run("TheCardComesWithinTheMinuteOrNotAtAll", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		p := w.Person("alice")
		w.Act(p, "follow", map[string]any{"scene": "poster"})
		w.Sandbox.Clock().Set(apptest.Start.Add(61 * time.Second)) // siyu was down for a minute
		w.Settle()
		require.Zero(t, cards(w, p), "no blind call that must fail")
		require.EqualValues(t, 1, w.Count(&model.Outbox{}, "state = ?", model.OutboxDone))
	})

	t.Run("ACardWhoseEndIsUnknownIsNotSentAgain", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		p := w.Person("alice")
		require.NoError(t, w.Call(t.Context(), "POST", "/sandbox/api/faults", "", map[string]any{"path": "/cgi-bin/message/custom/send", "kind": "reset", "times": 1}, nil))
		w.Act(p, "follow", map[string]any{"scene": "poster"})
		w.Advance(time.Hour)
		require.LessOrEqual(t, cards(w, p), 1)
		var calls struct{ Items []struct{ Path string } }
		require.NoError(t, w.Call(t.Context(), "GET", "/sandbox/api/calls", "", nil, &calls))
		n := 0
		for _, c := range calls.Items {
			if strings.Contains(c.Path, "custom/send") {
				n++
			}
		}
		require.Equal(t, 1, n)
		require.EqualValues(t, 1, w.Count(&model.Outbox{}, "state = ?", model.OutboxDone))
	})
}

func TestSave(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	for field, change := range map[string]func(c *model.ChannelCode){
		"code":      func(c *model.ChannelCode) { c.Code = "no spaces" },
		"name":      func(c *model.ChannelCode) { c.Name = "" },
		"welcome":   func(c *model.ChannelCode) { c.Welcome = strings.Repeat("长", 601) },
		"card_path": func(c *model.ChannelCode) { c.CardTitle = "only a title" },
		"tag_id":    func(c *model.ChannelCode) { c.TagID = 999 },
	} {
		c := model.ChannelCode{Code: "shop", Name: "shop"}
		change(&c)
		_, err := w.Channels.Save(t.Context(), c)
		var e *errs.Error
		require.ErrorAs(t, err, &e, field)
		require.Equal(t, field, e.Args["field"])
	}
	for field, c := range map[string]model.ChannelCode{ // what nothing stands for would be sent as it stands
		"welcome":     {Code: "shop", Name: "shop", Welcome: "看 {{radar:99}}"},
		"article.url": {Code: "shop", Name: "shop", Article: model.ToJSON(reply.Message{Title: "t", URL: "{{radar:99}}"})},
		"card_title":  {Code: "shop", Name: "shop", CardTitle: "{{nickname}}", CardPath: "p"},
	} {
		_, err := w.Channels.Save(t.Context(), c)
		var e *errs.Error
		require.ErrorAs(t, err, &e, field)
		require.Equal(t, field, e.Args["field"])
	}
	_, err := w.Channels.Save(t.Context(), model.ChannelCode{Code: "shop", Name: "shop", CardTitle: strings.Repeat("长", 65), CardPath: "p"})
	require.Equal(t, errs.Invalid, errs.CodeOf(err))
	for _, want := range []errs.Code{"", errs.Conflict} {
		_, err = w.Channels.Save(t.Context(), model.ChannelCode{Code: "shop", Name: "shop", TagID: w.Tag(tag.Channel, "shop")})
		require.Equal(t, want, errs.CodeOf(err))
	}
	_, err = w.Channels.Save(t.Context(), model.ChannelCode{ID: 999, Name: "shop"})
	require.Equal(t, errs.NotFound, errs.CodeOf(err))
}

// TestDays holds the figures of each day against a code's visits, on both sides of midnight in the programme's zone.
func TestDays(t *testing.T) {
	t.Parallel()
	w := apptest.New(t) // starts on 2026-11-23 at 09:00 in Shanghai
	a, b := w.Person("a"), w.Person("b")
	w.Act(a, "follow", map[string]any{"scene": "poster"})
	w.Settle()
	register(w, a)
	w.Advance(15*time.Hour - time.Second) // the last second of the day
	w.Act(b, "follow", map[string]any{"scene": "poster"})
	w.Settle()
	w.Advance(time.Second)
	w.Act(b, "scan", map[string]any{"scene": "poster"})
	w.Act(a, "unfollow", nil)
	w.Settle()
	w.Act(a, "follow", map[string]any{"scene": "poster"})
	w.Settle()
	code := view(w, "poster")
	days, err := w.Channels.Days(t.Context(), clock.Shanghai, code.ID, "2026-11-22", "2026-11-24")
	require.NoError(t, err)
	require.Equal(t, []channel.DayVisits{
		{Day: "2026-11-22"},
		{Day: "2026-11-23", Visits: channel.Visits{New: 2, Registered: 1}},
		{Day: "2026-11-24", Visits: channel.Visits{Returning: 1, Scans: 1}},
	}, days)
	require.Equal(t, channel.Visits{New: 2, Returning: 1, Scans: 1, Registered: 1}, code.Visits)
	for _, to := range []model.Day{"2026-11-21", "2027-11-24"} {
		_, err = w.Channels.Days(t.Context(), clock.Shanghai, code.ID, "2026-11-22", to)
		require.Equal(t, errs.Invalid, errs.CodeOf(err))
	}
}
