package menu_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/menu"
	"github.com/siyu-scrm/siyu/app/tag"
	"github.com/siyu-scrm/siyu/app/wechat/sandbox/phone"
	"github.com/siyu-scrm/siyu/model"
)

func click(name string) menu.Button {
	return menu.Button{Name: name, Type: menu.TypeClick, Key: "K_" + name}
}

func save(w *apptest.World, m menu.Menu) *menu.View {
	w.T.Helper()
	v, err := w.Menus.Save(w.T.Context(), "oa", m)
	require.NoError(w.T, err)
	return v
}

func publish(w *apptest.World) {
	w.T.Helper()
	v, err := w.Menus.Publish(w.T.Context(), "oa")
	require.NoError(w.T, err)
	require.False(w.T, v.Changed)
	w.Settle()
}

// shown is the name of the first button that the person's phone shows.
func shown(w *apptest.World, p *phone.Person) string {
	w.T.Helper()
	var out struct{ Button []menu.Button }
	require.NoError(w.T, w.Call(w.T.Context(), "GET", "/sandbox/api/menu?account=oa&user="+p.ID, "", nil, &out))
	if len(out.Button) == 0 {
		return ""
	}
	return out.Button[0].Name
}

func follower(w *apptest.World, name string) (*phone.Person, int64) {
	w.T.Helper()
	p := w.Person(name)
	w.Act(p, "follow", nil)
	w.Settle()
	return p, w.MemberOf(p, "oa").ID
}

func hold(w *apptest.World, memberID, tagID int64, set bool) {
	w.T.Helper()
	require.NoError(w.T, w.Tags.SetManual(w.T.Context(), memberID, tagID, 1, set, "test"))
	w.Settle()
}

func TestPublish(t *testing.T) {
	t.Parallel()

	t.Run("FollowersSeeWhatWasPublishedNotWhatIsEdited", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		p, id := follower(w, "alice")
		require.True(t, save(w, menu.Menu{Buttons: []menu.Button{click("A")}}).Changed)
		require.Empty(t, shown(w, p))
		publish(w)
		require.Equal(t, "A", shown(w, p))
		require.True(t, save(w, menu.Menu{Buttons: []menu.Button{click("B")}}).Changed)
		require.Equal(t, "A", shown(w, p))
		next, now, err := w.Menus.Preview(t.Context(), "oa", id)
		require.NoError(t, err)
		require.Equal(t, "B", next[0].Name)
		require.Contains(t, string(now), `"A"`)
		publish(w)
		require.Equal(t, "B", shown(w, p))
	})

	t.Run("WhoHoldsTheTagSeesItsMenuAndTheLowestPositionGoesFirst", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		vip, tea := w.Tag(tag.Value, "VIP"), w.Tag(tag.Preference, "茶")
		p, id := follower(w, "alice")
		q, other := follower(w, "bob")
		hold(w, id, vip, true) // before there is a menu for it
		save(w, menu.Menu{Buttons: []menu.Button{click("all")}})
		save(w, menu.Menu{TagID: vip, Position: 1, Buttons: []menu.Button{click("vip")}})
		save(w, menu.Menu{TagID: tea, Position: 2, Buttons: []menu.Button{click("tea")}})
		publish(w)
		require.Equal(t, "vip", shown(w, p))
		require.Equal(t, "all", shown(w, q))
		hold(w, other, tea, true)
		require.Equal(t, "tea", shown(w, q))
		hold(w, other, vip, true)
		require.Equal(t, "vip", shown(w, q))
		hold(w, other, vip, false)
		require.Equal(t, "tea", shown(w, q))
		next, _, err := w.Menus.Preview(t.Context(), "oa", other)
		require.NoError(t, err)
		require.Equal(t, "tea", next[0].Name)

		w.Act(q, "unfollow", nil)
		w.Act(q, "follow", nil)
		w.Settle()
		require.Equal(t, "tea", shown(w, q), "WeChat forgets the tags of who leaves; siyu tells them again")

		require.NoError(t, w.Menus.Delete(t.Context(), "oa", tea))
		publish(w)
		require.Equal(t, "all", shown(w, q))
		require.EqualValues(t, 1, w.Count(&model.TagMirror{}), "WeChat's tag is given back: an account has a hundred")
		require.Zero(t, w.Count(&model.TagMirrorWork{}))
	})

	t.Run("AMergeBringsTheTagsOfTheMiniProgram", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		vip := w.Tag(tag.Value, "VIP")
		save(w, menu.Menu{Buttons: []menu.Button{click("all")}})
		save(w, menu.Menu{TagID: vip, Buttons: []menu.Button{click("vip")}})
		publish(w)
		p, id := follower(w, "alice")
		_, member := w.Member("alice on her second phone")
		hold(w, member, vip, true)
		require.Equal(t, "all", shown(w, p))
		_, err := w.Members.Merge(t.Context(), id, member, "test")
		require.NoError(t, err)
		w.Settle()
		require.Equal(t, "vip", shown(w, p))
	})

	t.Run("OneThatDiedHalfWayIsMadeWholeByTheNext", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		vip := w.Tag(tag.Value, "VIP")
		p, id := follower(w, "alice")
		hold(w, id, vip, true)
		save(w, menu.Menu{Buttons: []menu.Button{click("all")}})
		save(w, menu.Menu{TagID: vip, Buttons: []menu.Button{click("vip")}})
		for _, path := range []string{"tags/create", "menu/create", "menu/get", "menu/addconditional"} {
			require.NoError(t, w.Call(t.Context(), "POST", "/sandbox/api/faults", "", map[string]any{"path": "/cgi-bin/" + path, "kind": "http_500", "times": 1}, nil))
			_, err := w.Menus.Publish(t.Context(), "oa")
			require.Equal(t, errs.Unavailable, errs.CodeOf(err), path)
			v, err := w.Menus.Get(t.Context(), "oa")
			require.NoError(t, err)
			require.NotEmpty(t, v.State.Error)
			require.True(t, v.Changed)
		}
		publish(w)
		publish(w)
		require.Equal(t, "vip", shown(w, p))
		raw, err := w.WeChat.GetMenu(t.Context(), "oa")
		require.NoError(t, err)
		require.Equal(t, 1, strings.Count(string(raw), `"matchrule"`), "no doubles")
	})

	t.Run("TwoAtOnceAreOneAfterTheOther", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		save(w, menu.Menu{Buttons: []menu.Button{click("all")}})
		var mu sync.Mutex
		codes := map[errs.Code]int{}
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() {
				_, err := w.Menus.Publish(t.Context(), "oa")
				mu.Lock()
				defer mu.Unlock()
				codes[errs.CodeOf(err)]++
			})
		}
		wg.Wait()
		require.GreaterOrEqual(t, codes[""], 1)
		require.Equal(t, 6, codes[""]+codes[errs.Conflict], "%v", codes)
	})

	t.Run("WithoutAMenuForEveryoneThereIsNothingToPublish", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		save(w, menu.Menu{TagID: w.Tag(tag.Value, "VIP"), Buttons: []menu.Button{click("vip")}})
		_, err := w.Menus.Publish(t.Context(), "oa")
		require.Equal(t, errs.Conflict, errs.CodeOf(err))
		_, err = w.Menus.Publish(t.Context(), "mp")
		require.Equal(t, errs.NotFound, errs.CodeOf(err))
	})
}

// The tags of siyu that menus ask for are WeChat's too, whatever happens on the way.
func TestMirror(t *testing.T) {
	t.Parallel()

	t.Run("MoreThanOneBatchAndWhoLeftMeanwhileIsLeftOut", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		vip := w.Tag(tag.Value, "VIP")
		var people []*phone.Person
		for i := range 60 {
			p, id := follower(w, fmt.Sprint(i))
			hold(w, id, vip, true)
			people = append(people, p)
		}
		save(w, menu.Menu{Buttons: []menu.Button{click("all")}})
		save(w, menu.Menu{TagID: vip, Buttons: []menu.Button{click("vip")}})
		require.NoError(t, w.Call(t.Context(), "POST", "/sandbox/api/faults", "", map[string]any{"path": "/cgi-bin/tags/members/batchtagging", "kind": "errcode", "errcode": 40003, "times": 1}, nil))
		publish(w)
		for _, p := range people {
			require.Equal(t, "vip", shown(w, p))
		}
	})

	t.Run("AnOutageIsWaitedFor", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		vip := w.Tag(tag.Value, "VIP")
		p, id := follower(w, "alice")
		save(w, menu.Menu{Buttons: []menu.Button{click("all")}})
		save(w, menu.Menu{TagID: vip, Buttons: []menu.Button{click("vip")}})
		publish(w)
		require.NoError(t, w.Call(t.Context(), "POST", "/sandbox/api/faults", "", map[string]any{"path": "/cgi-bin/tags/members/batchtagging", "kind": "http_500", "times": 2}, nil))
		hold(w, id, vip, true)
		require.Equal(t, "all", shown(w, p))
		w.Advance(2 * time.Minute)
		require.Equal(t, "vip", shown(w, p))
	})

	t.Run("TwoWorkersEndWithTheLastWord", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		vip := w.Tag(tag.Value, "VIP")
		p, id := follower(w, "alice")
		save(w, menu.Menu{Buttons: []menu.Button{click("all")}})
		save(w, menu.Menu{TagID: vip, Buttons: []menu.Button{click("vip")}})
		publish(w)
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				for range 20 {
					if _, err := w.Menus.Work(t.Context()); err != nil {
						t.Error(err)
					}
				}
			})
		}
		for i := range 9 {
			require.NoError(t, w.Tags.SetManual(t.Context(), id, vip, 1, i%2 == 0, "test"))
		}
		wg.Wait()
		w.Settle()
		require.Equal(t, "vip", shown(w, p))
	})
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	with := func(change func(b *menu.Button)) []menu.Button {
		b := click("A")
		change(&b)
		return []menu.Button{b}
	}
	below := func(n int, change func(b *menu.Button)) []menu.Button {
		sub := make([]menu.Button, n)
		for i := range sub {
			sub[i] = click("S")
			change(&sub[i])
		}
		return []menu.Button{{Name: "top", Sub: sub}}
	}
	none := func(*menu.Button) {}
	for name, c := range map[string]struct {
		field   string
		limit   any
		buttons []menu.Button
	}{
		"NoButtons":         {"buttons", 3, nil},
		"FourButtons":       {"buttons", 3, []menu.Button{click("1"), click("2"), click("3"), click("4")}},
		"SixBelow":          {"buttons[0].sub_button", 5, below(6, none)},
		"ThreeLevels":       {"buttons[0].sub_button[0].sub_button", nil, below(1, func(b *menu.Button) { b.Sub = []menu.Button{click("x")} })},
		"NameOver16Bytes":   {"buttons[0].name", 16, with(func(b *menu.Button) { b.Name = strings.Repeat("长", 6) })},
		"SubNameOver60":     {"buttons[0].sub_button[0].name", 60, below(1, func(b *menu.Button) { b.Name = strings.Repeat("长", 21) })},
		"NoName":            {"buttons[0].name", 16, with(func(b *menu.Button) { b.Name = " " })},
		"KeyOver128Bytes":   {"buttons[0].key", 128, with(func(b *menu.Button) { b.Key = strings.Repeat("k", 129) })},
		"URLOver1024Bytes":  {"buttons[0].url", 1024, with(func(b *menu.Button) { b.Type, b.URL = menu.TypeView, "https://a.b/"+strings.Repeat("u", 1024) })},
		"NotALink":          {"buttons[0].url", 1024, with(func(b *menu.Button) { b.Type, b.URL = menu.TypeView, "javascript:1" })},
		"MiniWithoutAPage":  {"buttons[0].pagepath", nil, with(func(b *menu.Button) { b.Type, b.URL = menu.TypeMiniProgram, "https://a.b" })},
		"UnknownType":       {"buttons[0].type", nil, with(func(b *menu.Button) { b.Type = "dance" })},
		"MediaWithoutAnID":  {"buttons[0].media_id", nil, with(func(b *menu.Button) { b.Type = "media_id" })},
		"ControlCharacters": {"buttons[0]", nil, with(func(b *menu.Button) { b.Key = "a\x00" })},
	} {
		_, err := w.Menus.Save(t.Context(), "oa", menu.Menu{Buttons: c.buttons})
		var e *errs.Error
		require.ErrorAs(t, err, &e, name)
		require.Equal(t, c.field, e.Args["field"], name)
		require.Equal(t, c.limit, e.Args["limit"], name)
	}
	_, err := w.Menus.Save(t.Context(), "oa", menu.Menu{TagID: 99, Buttons: []menu.Button{click("A")}})
	require.Equal(t, errs.Invalid, errs.CodeOf(err))
	require.Zero(t, w.Count(&model.Menu{}))
	save(w, menu.Menu{Buttons: below(5, func(b *menu.Button) { b.Name = strings.Repeat("长", 20) })}) // what is allowed at most
	publish(w)
	require.Equal(t, errs.Conflict, errs.CodeOf(w.Menus.Delete(t.Context(), "oa", 0)))
	require.Equal(t, errs.NotFound, errs.CodeOf(w.Menus.Delete(t.Context(), "oa", 5)))
}

// before is what a brand had in WeChat's own console.
const before = `{"menu":{"is_menu_open":1,"selfmenu_info":{"button":[
  {"type":"click","name":"签到","key":"CHECKIN"},
  {"name":"服务","sub_button":{"list":[
    {"type":"view","name":"官网","url":"https://example.com"},
    {"type":"text","name":"营业时间","value":"每天 10:00-22:00"},
    {"type":"img","name":"海报","value":"ax5Whs5dsoomJLEppAvftBUuH7CgXCZGFbFJifmbUjnQk"},
    {"type":"news","name":"故事","value":"KQb","news_info":{"list":[{"title":"故事","digest":"d","cover_url":"http://mmbiz.qlogo.cn/c","content_url":"http://mp.weixin.qq.com/s/1"}]}}
  ]}}]}},
 "autoreply":{"is_add_friend_reply_open":1,"is_autoreply_open":1,
  "add_friend_autoreply_info":{"type":"text","content":"Thanks for your attention!"},
  "message_default_autoreply_info":{"type":"text","content":"Hello, this is autoreply!"},
  "keyword_autoreply_info":{"list":[
   {"rule_name":"发票","create_time":1423028166,"reply_mode":"reply_all",
    "keyword_list_info":[{"type":"text","match_mode":"contain","content":"发票"},{"type":"text","match_mode":"equal","content":"抬头"}],
    "reply_list_info":[{"type":"text","content":"发票在小程序里开"},{"type":"news","news_info":{"list":[{"title":"怎么开发票","digest":"d","cover_url":"http://mmbiz.qlogo.cn/c","content_url":"http://mp.weixin.qq.com/s/2"}]}}]},
   {"rule_name":"歌","reply_mode":"random_one","keyword_list_info":[{"type":"text","match_mode":"equal","content":"唱歌"}],
    "reply_list_info":[{"type":"voice","content":"NESsxgHEvAcg3egJTtYj4uG1PTL6iPhratdWKDLAXYE"}]}]}}}`

func TestImport(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	p, _ := follower(w, "alice")
	require.Empty(t, shown(w, p))
	got, err := w.Menus.Import(t.Context(), "oa")
	require.NoError(t, err)
	require.Empty(t, got, "there was nothing")

	var console map[string]any
	require.NoError(t, json.Unmarshal([]byte(before), &console))
	console["account"] = "oa"
	require.NoError(t, w.Call(t.Context(), "POST", "/sandbox/api/console", "", console, nil))
	got, err = w.Menus.Import(t.Context(), "oa")
	require.NoError(t, err)
	states := map[string]string{}
	for _, i := range got {
		states[i.What+" "+i.Name] = i.State
	}
	require.Equal(t, map[string]string{
		"menu ": menu.Made, "click 营业时间": menu.Made, "follow 被关注回复": menu.Made, "default 收到消息回复": menu.Made,
		"keyword 发票": menu.Made, "keyword 发票 (半匹配)": menu.Made, "keyword 歌 (voice)": menu.Lost,
	}, states)

	publish(w)
	require.Equal(t, "签到", shown(w, p))
	v, err := w.Menus.Get(t.Context(), "oa")
	require.NoError(t, err)
	sub := v.Menus[0].Buttons[1].Sub
	require.Equal(t, []string{"view", "click", "media_id", "view"}, []string{sub[0].Type, sub[1].Type, sub[2].Type, sub[3].Type})
	require.Equal(t, []string{"每天 10:00-22:00"}, w.Act(p, "click", map[string]any{"key": sub[1].Key}))
	require.Equal(t, []string{"发票在小程序里开"}, w.Act(p, "text", map[string]any{"content": "我要发票"}))
	require.Equal(t, []string{"发票在小程序里开"}, w.Act(p, "text", map[string]any{"content": "抬头"}))
	require.Equal(t, []string{"Hello, this is autoreply!"}, w.Act(p, "text", map[string]any{"content": "hi"}))
	q := w.Person("bob")
	require.Equal(t, []string{"Thanks for your attention!"}, w.Act(q, "follow", nil))

	again, err := w.Menus.Import(t.Context(), "oa")
	require.NoError(t, err)
	for _, i := range again {
		if i.What != "menu" && i.State != menu.Lost {
			require.Equal(t, menu.Known, i.State, "%v: what is here is left alone", i)
		}
	}
	require.EqualValues(t, 5, w.Count(&model.Reply{}))
}
