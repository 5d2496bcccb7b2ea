package playbook_test

import (
	"fmt"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/wechat/sandbox/phone"
)

// openKey is an API key of another system of the brand.
func (s *siyu) openKey() string {
	s.t.Helper()
	token, _ := s.do("POST", "/api-keys", obj{"name": "another system", "scopes": []string{"open.behaviors.write", "open.orders.write"}})["token"].(string)
	require.NotEmpty(s.t, token)
	return token
}

// pushed is the answer to a behaviour.
type behaved struct {
	New    bool
	Grants []grant
}

// behave pushes what a person did elsewhere, as another system would.
func (s *siyu) behave(key string, p *phone.Person, action, number, instant string, data obj) behaved {
	s.t.Helper()
	var out behaved
	require.NoError(s.t, s.Call(s.ctx(), "POST", "/open/v1/behaviors", key, obj{
		"member": obj{"account": "oa", "openid": s.openid(p.ID, "oa")}, "action": action, "key": number, "occurred_at": at(instant).Format(time.RFC3339), "data": data,
	}, &out))
	return out
}

// chat is a WeChat group that the brand runs, with the systems around it.
type chat struct {
	s       *siyu
	id, key string
	name    string
}

// community makes the group and binds it by a first proof, of somebody of the brand.
func (p liveShop) community(s *siyu) *chat {
	s.t.Helper()
	made := s.do("POST", "/groups", obj{"name": "宠粉一群"})
	c := &chat{s: s, id: made["id"].(string), key: s.openKey(), name: "宠粉一群"}
	staff := s.come()
	require.Equal(s.t, "NOT_FOUND", refusal(s.t, staff.API(s.ctx(), "POST", "/groups/enter", c.opened(staff, c.name), nil)).Code)
	proof := c.opened(staff, c.name)
	proof["bind"] = made["bind_code"]
	require.NoError(s.t, staff.API(s.ctx(), "POST", "/groups/enter", proof, nil))
	require.Equal(s.t, p.welcome+p.group, s.balance(staff))
	return c
}

// opened is what wx.getGroupEnterInfo gives a person who opens the mini-program from a chat.
func (c *chat) opened(p *phone.Person, name string) obj {
	c.s.t.Helper()
	out := obj{}
	c.s.control("POST", "/users/"+p.ID+"/group", obj{"group": name}, &out)
	require.Len(c.s.t, out, 2)
	return out
}

// word is the word of the day, which stands in the group alone.
func (c *chat) word() string {
	c.s.t.Helper()
	return c.s.do("GET", "/groups/"+c.id, nil)["today"].(obj)["word"].(string)
}

// talk is the interaction of the n-th day, each day proved in another way; whatever else he does that day earns nothing more.
func (c *chat) talk(m *phone.Person, n int) {
	s := c.s
	s.t.Helper()
	before := s.balance(m)
	forger := s.come()
	theirs := s.balance(forger)
	enter := func() {
		require.NoError(s.t, m.API(s.ctx(), "POST", "/groups/enter", c.opened(m, c.name), nil))
	}
	word := func() { require.NoError(s.t, m.API(s.ctx(), "POST", "/groups/word", obj{"word": c.word()}, nil)) }
	push := func() {
		number := fmt.Sprint("talk-", n)
		now := s.now().In(shanghai).Format(time.DateTime)
		require.True(s.t, s.behave(c.key, m, "group.talk", number, now, obj{"group": c.name}).New)
		require.False(s.t, s.behave(c.key, m, "group.talk", number, now, obj{"group": c.name}).New)
	}
	said := func() { require.NotEmpty(s.t, s.text(m, " "+c.word()+" ")) }
	proofs := []func(){enter, word, said, push}
	for i := range proofs {
		proofs[(n+i)%len(proofs)]()
		if i == 0 {
			before = s.balance(m)
		}
	}
	require.Equal(s.t, before, s.balance(m), "the first proof of the day pays, whichever it is")

	// Who was not there has none of the proofs.
	require.Equal(s.t, "INVALID", refusal(s.t, forger.API(s.ctx(), "POST", "/groups/enter", c.opened(m, c.name), nil)).Code)
	require.Equal(s.t, "NOT_FOUND", refusal(s.t, forger.API(s.ctx(), "POST", "/groups/enter", c.opened(forger, "自己的群"), nil)).Code)
	require.Equal(s.t, "WRONG_WORD", refusal(s.t, forger.API(s.ctx(), "POST", "/groups/word", obj{"word": "草莓草莓"}, nil)).Code)
	require.Equal(s.t, "UNAUTHORIZED", refusal(s.t, s.Call(s.ctx(), "POST", "/open/v1/behaviors", forger.Token, obj{}, nil)).Code)
	require.Equal(s.t, theirs, s.balance(forger))
}

// reads is the article of the n-th day: too short, long enough, and once more.
func (p liveShop) reads(s *siyu, m *phone.Person, n int) {
	s.t.Helper()
	id := s.create("/articles", obj{"title": fmt.Sprint("第 ", n+1, " 天"), "url": "https://mp.weixin.qq.com/s/x", "min_seconds": p.reading})
	at := "/articles/" + id
	require.NoError(s.t, m.API(s.ctx(), "POST", at+"/start", nil, nil))
	s.advance(fmt.Sprint(p.reading-1, "s"))
	refused := refusal(s.t, m.API(s.ctx(), "POST", at+"/finish", obj{"seconds": 9999}, nil))
	require.Equal(s.t, "THRESHOLD_NOT_MET", refused.Code)
	require.EqualValues(s.t, 1, refused.Details["short_by"], "a lying client's seconds are cut")
	s.advance("1s")
	for range 2 {
		var out struct {
			Seconds int
			Grants  []grant
		}
		require.NoError(s.t, m.API(s.ctx(), "POST", at+"/finish", obj{"seconds": 9999}, &out))
		require.Equal(s.t, p.reading, out.Seconds)
		require.NoError(s.t, m.API(s.ctx(), "POST", at+"/start", nil, nil))
		s.advance(fmt.Sprint(p.reading, "s"))
	}
}

// watches is the live session of the n-th evening: by the mini-program's heartbeats, of two devices, or told by the live platform.
func (p liveShop) watches(g *chat, m *phone.Person, n int) {
	s := g.s
	s.t.Helper()
	opens := at(p.day(n, "20:00:00"))
	id := s.create("/lives", obj{
		"title": fmt.Sprint("直播 ", n+1), "opens_at": opens.Format(time.RFC3339), "closes_at": opens.Add(2 * time.Hour).Format(time.RFC3339), "min_seconds": p.minutes * 60,
	})
	before := s.balance(m)
	beat := func() (out struct {
		Seconds int
		Reached bool
	},
	) {
		require.NoError(s.t, m.API(s.ctx(), "POST", "/lives/"+id+"/heartbeats", nil, &out))
		return out
	}
	require.Equal(s.t, "WINDOW_CLOSED", refusal(s.t, m.API(s.ctx(), "POST", "/lives/"+id+"/heartbeats", nil, nil)).Code)
	s.set(opens.Format(time.DateTime))
	if n%2 == 1 {
		key, leave := g.key, opens.Add(time.Duration(p.minutes)*time.Minute)
		s.set(leave.Format(time.DateTime))
		s.behave(key, m, "live.enter", id+"-in", opens.Format(time.DateTime), obj{"session": id})
		require.Equal(s.t, p.live, points(s.behave(key, m, "live.leave", id+"-out", leave.Format(time.DateTime), obj{"session": id}).Grants))
		return
	}
	for i := range p.minutes {
		beat()
		require.Equal(s.t, i*60, beat().Seconds, "another device at the same moment")
		require.Equal(s.t, before, s.balance(m))
		s.advance("1m")
	}
	out := beat()
	require.Equal(s.t, p.minutes*60, out.Seconds)
	require.True(s.t, out.Reached)
}
