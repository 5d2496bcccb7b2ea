package community_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/community"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/wechat"
	"github.com/siyu-scrm/siyu/app/wechat/sandbox/phone"
	"github.com/siyu-scrm/siyu/model"
)

// daily gives 3 points once a day.
func daily(w *apptest.World) {
	w.Rule("group", model.EventGroup, apptest.Earns(3, `[{"period":"day","times":1}]`))
}

func group(w *apptest.World, name string) *model.CommunityGroup {
	w.T.Helper()
	g, err := w.Groups.Save(w.T.Context(), community.Input{Name: name, Enabled: true})
	require.NoError(w.T, err)
	return g
}

// plan sets the word of a day of the group.
func plan(w *apptest.World, g *model.CommunityGroup, day model.Day, word string) {
	w.T.Helper()
	_, err := w.Groups.SetPlans(w.T.Context(), g.ID, []community.Plan{{Day: day, Topic: "护肤", Word: word}})
	require.NoError(w.T, err)
}

func today(w *apptest.World) model.Day { return w.Zone.DayOf(w.Now()) }

// word is the word of a group today.
func word(w *apptest.World, g *model.CommunityGroup) string {
	w.T.Helper()
	v, err := w.Groups.Get(w.T.Context(), g.ID)
	require.NoError(w.T, err)
	return v.Today.Word
}

// opened is what wx.getGroupEnterInfo gives a person who opens the mini-program from a chat.
func opened(w *apptest.World, p *phone.Person, chat string) community.Proof {
	w.T.Helper()
	var out struct {
		EncryptedData string `json:"encrypted_data"`
		IV            string
	}
	require.NoError(w.T, w.Call(w.T.Context(), "POST", "/sandbox/api/users/"+p.ID+"/group", "", map[string]string{"group": chat}, &out))
	return community.Proof{EncryptedData: out.EncryptedData, IV: out.IV}
}

func mp(w *apptest.World) wechat.Account {
	a, ok := w.Account("mp")
	require.True(w.T, ok)
	return a
}

func enter(w *apptest.World, id int64, p community.Proof) (*community.Interacted, error) {
	return w.Groups.Enter(context.WithoutCancel(w.T.Context()), id, mp(w), p)
}

func TestWord(t *testing.T) {
	t.Parallel()

	t.Run("CountsOnceADayHoweverItIsWritten", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		daily(w)
		g := group(w, "一群")
		plan(w, g, today(w), "Fresh草莓")
		alice := w.Joined("alice")
		for i, text := range []string{"  ｆresh草莓 ", "FRESH草莓"} {
			r, err := w.Groups.Word(t.Context(), alice, text, w.Now())
			require.NoError(t, err)
			require.Equal(t, i == 0, r.New)
			require.Equal(t, g.ID, r.GroupID)
		}
		require.EqualValues(t, 3, w.Points(alice))
		require.EqualValues(t, 1, w.Count(&model.GroupMember{}))
	})

	t.Run("OfTwentyAtOnceOneCounts", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		w.Rule("group", model.EventGroup, apptest.Earns(3, ""))
		g := group(w, "一群")
		alice, said := w.Joined("alice"), word(w, g)
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if _, err := w.Groups.Word(context.Background(), alice, said, w.Now()); err != nil {
					t.Errorf("Word: %v", err)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 3, w.Points(alice))
		require.EqualValues(t, 1, w.Count(&model.Interaction{}))
		w.Verified()
	})

	t.Run("FiveWrongOnesADayAndNoMore", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		daily(w)
		g := group(w, "一群")
		alice, bob := w.Joined("alice"), w.Joined("bob")
		var mu sync.Mutex
		codes := map[errs.Code]int{}
		var wg sync.WaitGroup
		for i := range 15 {
			wg.Go(func() {
				_, err := w.Groups.Word(context.Background(), alice, fmt.Sprint("GUESS", i), w.Now())
				mu.Lock()
				defer mu.Unlock()
				codes[errs.CodeOf(err)]++
			})
		}
		wg.Wait()
		require.Equal(t, map[errs.Code]int{errs.WrongWord: 5, errs.RateLimited: 10}, codes)
		_, err := w.Groups.Word(t.Context(), alice, word(w, g), w.Now())
		var e *errs.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, errs.RateLimited, e.Code, "the right one comes too late")
		require.Equal(t, 15*3600+1, e.Args["retry_after"], "until midnight in Shanghai")
		require.Zero(t, w.Points(alice))
		_, err = w.Groups.Word(t.Context(), bob, word(w, g), w.Now())
		require.NoError(t, err, "it is his own limit")
		w.Set("2026-11-24 00:00:00")
		_, err = w.Groups.Word(t.Context(), alice, word(w, g), w.Now())
		require.NoError(t, err)
		require.EqualValues(t, 3, w.Points(alice))
	})

	t.Run("TheMomentDecidesTheDay", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		daily(w)
		g := group(w, "一群")
		plan(w, g, "2026-11-23", "今日暗号")
		plan(w, g, "2026-11-24", "明日暗号")
		alice := w.Joined("alice")
		w.Set("2026-11-24 00:03:00")
		last := w.At("2026-11-24 00:00:00").Add(-time.Microsecond)
		for _, c := range []struct {
			word string
			at   time.Time
			ok   bool
		}{{"明日暗号", last, false}, {"今日暗号", last, true}, {"今日暗号", w.Now(), false}, {"明日暗号", w.Now(), true}} {
			_, err := w.Groups.Word(t.Context(), alice, c.word, c.at)
			require.Equal(t, c.ok, err == nil, "%s at %s: %v", c.word, c.at, err)
		}
		require.EqualValues(t, 6, w.Points(alice))
	})

	t.Run("EachGroupHasItsOwn", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		daily(w)
		one, two := group(w, "一群"), group(w, "二群")
		require.NotEqual(t, word(w, one), word(w, two))
		require.Regexp(t, "^[A-Z][A-Z2-9]{5}$", word(w, one))
		alice := w.Joined("alice")
		for _, g := range []*model.CommunityGroup{two, one} {
			r, err := w.Groups.Word(t.Context(), alice, word(w, g), w.Now())
			require.NoError(t, err)
			require.Equal(t, g.Name, r.Group)
		}
		require.EqualValues(t, 2, w.Count(&model.Interaction{}), "both count")
		require.EqualValues(t, 3, w.Points(alice), "the rule gives once a day")
		_, err := w.Groups.Save(t.Context(), community.Input{ID: one.ID, Name: one.Name})
		require.NoError(t, err)
		_, err = w.Groups.Word(t.Context(), w.Joined("bob"), word(w, one), w.Now())
		require.Equal(t, errs.WrongWord, errs.CodeOf(err), "of a group that is switched off there is none")
		_, err = w.Groups.Word(t.Context(), w.Touched("oa", "carol"), word(w, two), w.Now())
		require.Equal(t, errs.NotMember, errs.CodeOf(err))
	})
}

func TestWordInTheChat(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	daily(w)
	g := group(w, "一群")
	plan(w, g, today(w), "草莓好吃")
	p, id := w.Member("alice")
	w.Act(p, "follow", nil)
	w.Settle() // the unionid makes one person of the two
	require.Contains(t, w.Act(p, "text", map[string]any{"content": " 草莓好吃"})[0], "+3")
	require.Contains(t, w.Act(p, "text", map[string]any{"content": "口令:草莓好吃"})[0], "已经说过")
	require.EqualValues(t, 3, w.Points(id))
	require.Empty(t, w.Act(p, "text", map[string]any{"content": "草莓真的好吃"}), "the whole message must match")
	require.Zero(t, w.Count(&model.GroupGuess{}), "what is not called a word is no guess")
	for left := 4; left >= 0; left-- {
		require.Contains(t, w.Act(p, "text", map[string]any{"content": "口令 香蕉好吃"})[0], fmt.Sprintf("%d 次", left))
	}
	require.Contains(t, w.Act(p, "text", map[string]any{"content": "口令 香蕉好吃"})[0], "明天再来")
	require.EqualValues(t, 1, w.Count(&model.GroupGuess{}, "wrong = 5"))

	other, otherID := w.Member("bob") // whoever tries word after word in the chat is not heard any more
	w.Act(other, "follow", nil)
	w.Settle()
	for i := range 30 {
		w.Act(other, "text", map[string]any{"content": fmt.Sprint("猜一个词", i)})
	}
	require.Empty(t, w.Act(other, "text", map[string]any{"content": "草莓好吃"}))
	require.Zero(t, w.Points(otherID))
	require.NotEmpty(t, w.Act(other, "text", map[string]any{"content": "口令 草莓好吃"}))
	require.EqualValues(t, 3, w.Points(otherID))

	stranger := w.Person("carol")
	w.Act(stranger, "follow", nil)
	require.NotEmpty(t, w.Act(stranger, "text", map[string]any{"content": "草莓好吃"}), "he is told to register")
	require.EqualValues(t, 2, w.Count(&model.Interaction{}))
}

func TestEnter(t *testing.T) {
	t.Parallel()

	t.Run("TheFirstProofWithTheCodeBindsTheGroup", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		daily(w)
		g := group(w, "一群")
		require.NotEmpty(t, g.BindCode)
		alice, aliceID := w.Member("alice")
		bob, bobID := w.Member("bob")
		_, err := enter(w, aliceID, opened(w, alice, "妆一"))
		require.Equal(t, errs.NotFound, errs.CodeOf(err), "without the code anybody could bring a group of his own")
		p := opened(w, alice, "妆一")
		p.Bind = "WRONG"
		_, err = enter(w, aliceID, p)
		require.Equal(t, errs.NotFound, errs.CodeOf(err))
		p.Bind = g.BindCode
		r, err := enter(w, aliceID, p)
		require.NoError(t, err)
		require.True(t, r.New)
		require.EqualValues(t, 3, w.Points(aliceID))

		p = opened(w, bob, "别的群")
		p.Bind = g.BindCode
		_, err = enter(w, bobID, p)
		require.Equal(t, errs.NotFound, errs.CodeOf(err), "a code binds once")
		r, err = enter(w, bobID, opened(w, bob, "妆一"))
		require.NoError(t, err)
		require.Equal(t, g.ID, r.GroupID)
		v, err := w.Groups.Get(t.Context(), g.ID)
		require.NoError(t, err)
		require.EqualValues(t, 2, v.Members)
		require.Empty(t, v.BindCode)
		require.NotNil(t, v.BoundAt)
	})

	t.Run("OfTwoGroupsThatAreBoundAtOnceOneGetsTheChat", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		var wg sync.WaitGroup
		for i := range 4 {
			g := group(w, fmt.Sprint(i))
			p, id := w.Member(fmt.Sprint("m", i))
			proof := opened(w, p, "妆一")
			proof.Bind = g.BindCode
			wg.Go(func() {
				if _, err := enter(w, id, proof); err != nil && errs.CodeOf(err) != errs.Conflict {
					t.Errorf("Enter: %v", err)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 1, w.Count(&model.CommunityGroup{}, "opengid IS NOT NULL"))
	})

	t.Run("TenAtOnceCountOnce", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		w.Rule("group", model.EventGroup, apptest.Earns(3, ""))
		g := group(w, "一群")
		p, id := w.Member("alice")
		proof := opened(w, p, "妆一")
		proof.Bind = g.BindCode
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if _, err := enter(w, id, proof); err != nil {
					t.Errorf("Enter: %v", err)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 3, w.Points(id))
		w.Verified()
	})

	t.Run("AForgerLacksTheKey", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		daily(w)
		g := group(w, "一群")
		alice, aliceID := w.Member("alice")
		_, bobID := w.Member("bob")
		proof := opened(w, alice, "妆一")
		proof.Bind = g.BindCode
		_, err := enter(w, aliceID, proof)
		require.NoError(t, err)
		for name, p := range map[string]community.Proof{
			"AnothersProof": opened(w, alice, "妆一"),
			"Empty":         {},
			"NotBase64":     {EncryptedData: "*", IV: proof.IV},
			"HalfABlock":    {EncryptedData: "AAAA", IV: proof.IV},
			"NoVector":      {EncryptedData: proof.EncryptedData},
			"Long":          {EncryptedData: strings.Repeat("A", 1<<20), IV: proof.IV},
		} {
			_, err := enter(w, bobID, p)
			require.Equal(t, errs.Invalid, errs.CodeOf(err), name)
		}
		_, err = enter(w, w.Joined("never logged in"), proof)
		require.Equal(t, errs.Invalid, errs.CodeOf(err))
		require.Zero(t, w.Points(bobID))

		kept := opened(w, alice, "妆一") // for the days to come
		w.Advance(10*time.Minute + time.Second)
		_, err = enter(w, aliceID, kept)
		require.Equal(t, errs.Invalid, errs.CodeOf(err), "a proof is of its moment")
		w.Set("2026-11-24 09:00:00")
		_, err = enter(w, aliceID, kept)
		require.Equal(t, errs.Invalid, errs.CodeOf(err))
		r, err := enter(w, aliceID, opened(w, alice, "妆一"))
		require.NoError(t, err)
		require.True(t, r.New)
		require.EqualValues(t, 6, w.Points(aliceID))
	})

	t.Run("BeforeHeRegistersNothingCounts", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		g := group(w, "一群")
		p := w.Person("alice")
		_, err := p.Login(t.Context())
		require.NoError(t, err)
		proof := opened(w, p, "妆一")
		proof.Bind = g.BindCode
		_, err = enter(w, w.MemberOf(p, "mp").ID, proof)
		require.Equal(t, errs.NotMember, errs.CodeOf(err))
		require.Zero(t, w.Count(&model.CommunityGroup{}, "opengid IS NOT NULL"), "a refusal changes nothing")
	})
}

func TestPush(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	daily(w)
	one, two := group(w, "一群"), group(w, fmt.Sprint(1<<40)) // a name that could be an id
	alice := w.Joined("alice")
	talk := func(key string, data map[string]any) *event.Recorded {
		r, err := w.Events.Record(t.Context(), "open", event.Behavior{MemberID: alice, Action: "group.talk", Key: key, OccurredAt: w.Now(), Data: model.ToJSON(data)}, w.LockMember)
		require.NoError(t, err)
		return r
	}
	require.EqualValues(t, 3, talk("1", map[string]any{"group": "一群"}).Grants[0].Amount)
	require.False(t, talk("1", map[string]any{"group": "一群"}).New)
	require.EqualValues(t, 1, w.Count(&model.Interaction{}))
	talk("2", map[string]any{"group": fmt.Sprint(one.ID)})
	talk("3", map[string]any{"group": one.ID})
	talk("4", map[string]any{"group": two.Name})
	talk("5", map[string]any{"group": "没有的群"})
	talk("6", nil)
	require.EqualValues(t, 3, w.Count(&model.Interaction{}, "group_id = ?", one.ID), "every push counts")
	require.EqualValues(t, 1, w.Count(&model.Interaction{}, "group_id = ?", two.ID))
	require.EqualValues(t, 3, w.Points(alice), "the rule gives once a day")

	stranger := w.Touched("oa", "bob")
	_, err := w.Events.Record(t.Context(), "open", event.Behavior{MemberID: stranger, Action: "group.talk", Key: "7", Data: model.JSON(`{"group":"一群"}`)}, w.LockMember)
	require.NoError(t, err)
	require.EqualValues(t, 1, w.Count(&model.GroupMember{}, "group_id = ?", one.ID))
	w.Verified()
}

func TestRanking(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	daily(w)
	g := group(w, "一群")
	ids := map[string]int64{}
	n := 0
	talk := func(who string, times int) {
		if ids[who] == 0 {
			ids[who] = w.Joined(who)
		}
		for range times {
			n++
			_, err := w.Events.Record(t.Context(), "open", event.Behavior{MemberID: ids[who], Action: "group.talk", Key: fmt.Sprint(n), OccurredAt: w.Now(), Data: model.JSON(`{"group":"一群"}`)}, w.LockMember)
			require.NoError(t, err)
		}
	}
	names := func(q community.Question) (out []string) {
		q.GroupID = g.ID
		rows, err := w.Groups.Ranking(t.Context(), q)
		require.NoError(t, err)
		for i, r := range rows {
			require.Equal(t, i+1, r.Place)
			out = append(out, fmt.Sprint(r.Nickname, r.Score))
		}
		return out
	}
	talk("carol", 1)
	talk("alice", 2)
	talk("bob", 2)
	talk("carol", 1)
	require.Equal(t, []string{"alice2", "bob2", "carol2"}, names(community.Question{}), "of equals the first to get there")
	require.Equal(t, []string{"carol3", "alice3", "bob3"}, names(community.Question{By: "points"}))

	w.Set("2026-11-29 23:59:59") // Sunday
	talk("bob", 1)
	require.Equal(t, []string{"bob1"}, names(community.Question{}))
	require.Equal(t, []string{"bob3", "alice2", "carol2"}, names(community.Question{Period: "week"}))
	require.Equal(t, []string{"bob6", "carol3", "alice3"}, names(community.Question{Period: "week", By: "points"}))
	w.Set("2026-11-30 00:00:00")
	require.Empty(t, names(community.Question{Period: "week"}), "weeks begin on Monday")
	require.Equal(t, []string{"alice2", "bob2", "carol2"}, names(community.Question{Day: "2026-11-23"}))

	rows, err := w.Groups.Ranking(t.Context(), community.Question{GroupID: g.ID, Period: "week", Day: "2026-11-27"})
	require.NoError(t, err)
	require.Equal(t, rows[2:], community.Behind(rows, rows[1]))
	require.Empty(t, community.Behind(rows, rows[2]))
	for _, q := range []community.Question{{GroupID: 99}, {GroupID: g.ID, By: "looks"}, {GroupID: g.ID, Period: "year"}} {
		_, err := w.Groups.Ranking(t.Context(), q)
		require.NotEmpty(t, errs.CodeOf(err))
	}
}

func TestPlans(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	one, two := group(w, "一群"), group(w, "二群")
	set := func(g *model.CommunityGroup, days ...community.Plan) error {
		_, err := w.Groups.SetPlans(t.Context(), g.ID, days)
		return err
	}
	require.NoError(t, set(one, community.Plan{Day: "2026-11-23", Topic: " 护肤 "}, community.Plan{Day: "2026-11-24", Word: "草莓好吃"}))
	plans, err := w.Groups.Plans(t.Context(), one.ID, "", 3)
	require.NoError(t, err)
	require.Equal(t, "护肤", plans[0].Topic)
	require.True(t, plans[0].Generated)
	require.Equal(t, "草莓好吃", plans[1].Word)
	require.False(t, plans[1].Generated)
	require.Len(t, plans, 3)

	require.Equal(t, errs.Conflict, errs.CodeOf(set(two, community.Plan{Day: "2026-11-25", Topic: "x"}, community.Plan{Day: "2026-11-24", Word: "草莓好吃"})))
	require.Zero(t, w.Count(&model.GroupDay{}, "group_id = ?", two.ID), "all or none")
	require.NoError(t, set(two, community.Plan{Day: "2026-11-25", Word: "草莓好吃"}), "another day may have it")
	require.NoError(t, set(one, community.Plan{Day: "2026-11-24"}), "taken back")
	require.NoError(t, set(two, community.Plan{Day: "2026-11-24", Word: "草莓好吃"}))
	for field, p := range map[string]community.Plan{
		"days[0].day":   {Day: "2026-11-22"},
		"days[0].word":  {Day: "2026-11-23", Word: "草莓"},
		"days[0].topic": {Day: "2026-11-23", Topic: strings.Repeat("话", 201)},
	} {
		var e *errs.Error
		require.ErrorAs(t, set(one, p), &e, field)
		require.Equal(t, field, e.Args["field"])
	}
	for _, bad := range []string{"a b c d", "多多多多多多多多多多多多多多多多多", "abc\x00def"} {
		require.Equal(t, errs.Invalid, errs.CodeOf(set(one, community.Plan{Day: "2026-11-23", Word: bad})), bad)
	}
	require.Equal(t, errs.Invalid, errs.CodeOf(set(one)))
	require.Equal(t, errs.NotFound, errs.CodeOf(set(&model.CommunityGroup{ID: 99}, community.Plan{Day: "2026-11-23"})))
}

func TestSave(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	g := group(w, "一群")
	for want, in := range map[errs.Code][]community.Input{
		errs.Invalid:  {{Name: " "}, {Name: strings.Repeat("x", 65)}, {Name: "x", OpenGID: "with space"}},
		errs.Conflict: {{Name: "一群"}},
		errs.NotFound: {{ID: 99, Name: "x"}},
	} {
		for _, i := range in {
			_, err := w.Groups.Save(t.Context(), i)
			require.Equal(t, want, errs.CodeOf(err), "%+v", i)
		}
	}
	code := g.BindCode
	g, err := w.Groups.Save(t.Context(), community.Input{ID: g.ID, Name: "妆群", Enabled: true})
	require.NoError(t, err)
	require.Equal(t, code, g.BindCode, "a new name asks for no new code")
	g, err = w.Groups.Save(t.Context(), community.Input{ID: g.ID, Name: "妆群", OpenGID: "tGabc", Enabled: true})
	require.NoError(t, err)
	require.Empty(t, g.BindCode)
	_, err = w.Groups.Save(t.Context(), community.Input{Name: "二群", OpenGID: "tGabc"})
	require.Equal(t, errs.Conflict, errs.CodeOf(err), "a chat is one group")
	g, err = w.Groups.Save(t.Context(), community.Input{ID: g.ID, Name: "妆群", Enabled: true})
	require.NoError(t, err)
	require.Nil(t, g.OpenGID)
	require.NotEqual(t, code, g.BindCode)
	group(w, "三群") // several may wait for their opengid
}

func TestMerge(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	w.Rule("group", model.EventGroup, apptest.Earns(3, ""))
	one, two := group(w, "一群"), group(w, "二群")
	alice, bob := w.Joined("alice"), w.Joined("bob")
	for _, c := range []struct {
		id int64
		g  *model.CommunityGroup
	}{{alice, one}, {bob, one}, {bob, two}} {
		_, err := w.Groups.Word(t.Context(), c.id, word(w, c.g), w.Now())
		require.NoError(t, err)
	}
	for _, id := range []int64{alice, bob, bob} {
		_, err := w.Groups.Word(t.Context(), id, "WRONG", w.Now())
		require.Equal(t, errs.WrongWord, errs.CodeOf(err))
	}
	w.Tx(func(ctx context.Context, tx *gorm.DB) error {
		_, err := w.Members.MergeTx(ctx, tx, alice, bob, "test")
		return err
	})
	require.EqualValues(t, 6, w.Points(alice), "the word of one group counts once")
	require.EqualValues(t, 2, w.Count(&model.Interaction{}, "member_id = ?", alice))
	require.EqualValues(t, 2, w.Count(&model.GroupMember{}, "member_id = ?", alice))
	require.EqualValues(t, 1, w.Count(&model.GroupGuess{}, "member_id = ? AND wrong = 3", alice))
	for _, row := range []any{&model.Interaction{}, &model.GroupMember{}, &model.GroupGuess{}} {
		require.Zero(t, w.Count(row, "member_id = ?", bob))
	}
	w.Verified()
}

// What comes from the phone may be anything: it is refused or opens, and never stops the server.
func FuzzEnter(f *testing.F) {
	w := apptest.New(f)
	g := group(w, "一群")
	p, id := w.Member("alice")
	good, account := opened(w, p, "妆一"), mp(w)
	f.Add(good.EncryptedData, good.IV, g.BindCode)
	f.Add("", "", "")
	f.Add("AAAA", good.IV, "")
	f.Add(good.EncryptedData[:len(good.EncryptedData)-4], good.IV, "x")
	f.Fuzz(func(t *testing.T, data, iv, bind string) {
		body, err := json.Marshal(map[string]string{"encrypted_data": data, "iv": iv, "bind": bind})
		require.NoError(t, err)
		var refused *phone.Refusal
		err = p.API(context.Background(), "POST", "/groups/enter", json.RawMessage(body), nil)
		if err != nil {
			require.ErrorAs(t, err, &refused)
			require.Less(t, refused.Status, 500, "%s", body)
		}
		_, err = w.Groups.Enter(context.Background(), id, account, community.Proof{EncryptedData: data, IV: iv, Bind: bind})
		require.True(t, err == nil || errs.CodeOf(err) != "", "%v", err)
	})
}
