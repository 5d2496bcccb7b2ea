package playbook_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// channelCodes is the practice of P01-A: three codes with their own welcome and tag, points for registering and a pack for newcomers.
type channelCodes struct {
	first, second, third code // the one of the newcomer, of a later scan, of the return
	points               int64
	pack                 int64 // growth, with a tag, once
	begin, repeat1       string
	repeat2, register    string
	scan, edit, rescan   string
	leave, back          string
}

// code is one channel code. exists: the sandbox makes it at the first start.
type code struct {
	scene, name, welcome string
	exists               bool
}

func TestP01AChannelCode(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]channelCodes{
		"PosterTweetAndOld": {
			first: code{"poster", "门店海报", "欢迎从海报来", true}, second: code{"old", "老客", "老朋友好", true}, third: code{"tweet", "公众号推文", "推文见", true},
			points: 50, pack: 30, begin: "2026-11-23 09:00:00", repeat1: "2026-11-23 09:00:05", repeat2: "2026-11-23 09:00:10", register: "2026-11-23 09:10:00",
			scan: "2026-11-24 10:00:00", edit: "2026-11-24 12:00:00", rescan: "2026-11-24 12:05:00", leave: "2026-11-25 08:00:00", back: "2026-11-25 09:00:00",
		},
		"OtherCodesAndNumbers": {
			first: code{"metro-7", "地铁七号线", "地铁的朋友你好", false}, second: code{"box", "包裹卡", "谢谢下单", false}, third: code{"live_1", "直播间", "直播间的朋友", false},
			points: 77, pack: 5, begin: "2027-02-28 23:58:00", repeat1: "2027-02-28 23:58:20", repeat2: "2027-02-28 23:59:59", register: "2027-03-01 00:01:00",
			scan: "2027-03-02 00:00:00", edit: "2027-03-02 01:00:00", rescan: "2027-03-02 02:00:00", leave: "2027-03-03 03:00:00", back: "2027-03-03 03:00:01",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p.play(t)
		})
	}
}

// channel is what the operator reads of a code.
type channel struct {
	ID, Code, Name, Welcome           string
	TagID                             string `json:"tag_id"`
	New, Returning, Scans, Registered int
}

// picture is the QR code of a channel, as it hangs on the wall.
func (s *siyu) picture(id string) (ticket string) {
	s.t.Helper()
	var out struct{ Ticket, PNG string }
	s.read("/channels/"+id+"/qrcode", &out)
	require.NotEmpty(s.t, out.PNG)
	return out.Ticket
}

func (s *siyu) channel(scene string) channel {
	s.t.Helper()
	var out struct{ Items []channel }
	s.read("/channels", &out)
	for _, c := range out.Items {
		if c.Code == scene {
			return c
		}
	}
	require.Fail(s.t, "there is no channel", scene)
	return channel{}
}

// put makes the code, or gives the one that is there its welcome.
func (s *siyu) put(c code) {
	s.t.Helper()
	in := obj{"name": c.name, "welcome": c.welcome, "card_title": "打开小程序", "card_path": "pages/index/index"}
	if c.exists {
		old := s.channel(c.scene)
		require.Equal(s.t, c.name, old.Name)
		in["tag_id"] = old.TagID
		s.do("PUT", "/channels/"+old.ID, in)
		return
	}
	in["code"], in["tag_id"] = c.scene, s.tag("渠道", c.name)
	s.do("POST", "/channels", in)
}

func (p channelCodes) play(t *testing.T) {
	s := open(t, p.begin)
	for _, c := range []code{p.first, p.second, p.third} {
		s.put(c)
	}
	s.registerRule(p.points)
	pack := s.tag("价值", "已领新人礼包")
	s.rule("newcomer", "member.registered", obj{
		"grants": []obj{gives("growth", p.pack), {"kind": "tag", "tag_id": pack}}, "caps": []obj{{"period": "lifetime", "times": 1}},
	})

	// 1: the welcome of the code at once, the card after it.
	m := s.person("小林")
	seen, err := m.Act(t.Context(), "follow", obj{"scene": p.first.scene})
	require.NoError(t, err)
	require.Equal(t, "ok", seen.Push.Status)
	require.NotEmpty(t, seen.Seen)
	require.Equal(t, "reply", seen.Seen[0].Channel)
	require.Equal(t, p.first.welcome, seen.Seen[0].Content)
	s.advance("0s")
	cards := s.inbox(m, "custom")
	require.Len(t, cards, 1)
	require.Equal(t, "miniprogrampage", cards[0].Type)
	f := s.facts(m)
	first, second, third := s.channel(p.first.scene), s.channel(p.second.scene), s.channel(p.third.scene)
	require.True(t, f.Follower)
	require.Nil(t, f.JoinedAt)
	require.Equal(t, []string{"渠道:" + p.first.name}, f.tags())
	require.Equal(t, first.ID, f.FirstChannel)
	require.Equal(t, first.ID, f.LastChannel)
	require.Zero(t, f.holding("points"), "he is no member")
	before := s.did(f.ID)
	require.Equal(t, 1, count(before, "member.followed"))

	// 2: WeChat repeats itself.
	push := s.lastPush("subscribe")
	for _, again := range []string{p.repeat1, p.repeat2} {
		s.set(again)
		require.Equal(t, 200, s.replay(push.ID))
	}
	s.advance("0s")
	require.Len(t, s.found(m), 1)
	require.Equal(t, before, s.did(f.ID))
	require.Len(t, s.facts(m).TagHistory, 1)
	require.Len(t, s.inbox(m, "custom"), 1, "the card is sent once")
	require.Equal(t, 1, s.channel(p.first.scene).New)

	// 3: he becomes a member.
	s.set(p.register)
	id, earned := s.register(m, "小林")
	require.Equal(t, f.ID, id, "follower and member are one person")
	require.Equal(t, p.points, earned)
	require.Equal(t, p.points, s.balance(m))
	f = s.facts(m)
	require.ElementsMatch(t, []string{"渠道:" + p.first.name, "价值:已领新人礼包"}, f.tags())
	require.Equal(t, p.pack, f.holding("growth"))
	require.True(t, at(p.register).Equal(*f.JoinedAt))

	// 4: another code later.
	s.set(p.scan)
	require.Equal(t, []string{p.second.welcome}, s.act(m, "scan", obj{"scene": p.second.scene}))
	f = s.facts(m)
	require.Contains(t, f.tags(), "渠道:"+p.second.name)
	require.Contains(t, f.tags(), "渠道:"+p.first.name, "the group is not exclusive")
	require.Equal(t, first.ID, f.FirstChannel)
	require.Equal(t, second.ID, f.LastChannel)
	require.Equal(t, p.pack, f.holding("growth"), "no second pack")

	// 5: a new text behind the same picture.
	s.set(p.edit)
	edited := p.first
	edited.exists, edited.welcome = true, p.first.welcome+",全新改版"
	picture := s.picture(first.ID)
	s.put(edited)
	s.set(p.rescan)
	require.Equal(t, []string{edited.welcome}, s.act(m, "scan", obj{"ticket": picture}))

	// 6: he leaves and comes back by the third code.
	s.set(p.leave)
	s.act(m, "unfollow", nil)
	require.False(t, s.facts(m).Follower)
	s.set(p.back)
	require.Equal(t, p.third.welcome, s.act(m, "follow", obj{"scene": p.third.scene})[0])
	s.advance("0s")
	f = s.facts(m)
	require.True(t, f.Follower)
	require.Contains(t, f.tags(), "渠道:"+p.third.name)
	require.Equal(t, third.ID, f.LastChannel)
	require.Equal(t, first.ID, f.FirstChannel)
	require.NoError(t, m.API(t.Context(), "POST", "/register", obj{}, nil))
	require.Equal(t, p.points, s.balance(m), "registering again earns nothing")
	require.Equal(t, p.pack, s.facts(m).holding("growth"))

	// 7: the report.
	first, second, third = s.channel(p.first.scene), s.channel(p.second.scene), s.channel(p.third.scene)
	require.Equal(t, [4]int{1, 0, 1, 1}, [4]int{first.New, first.Returning, first.Scans, first.Registered})
	require.Equal(t, [4]int{0, 0, 1, 0}, [4]int{second.New, second.Returning, second.Scans, second.Registered})
	require.Equal(t, [4]int{0, 1, 0, 0}, [4]int{third.New, third.Returning, third.Scans, third.Registered})
	require.NotContains(t, s.remarkable(), "level=ERROR")
}

// holding is what the person has in an account.
func (f *facts) holding(account string) int64 {
	for _, a := range f.Accounts {
		if a.Account == account {
			return a.Balance
		}
	}
	return 0
}
