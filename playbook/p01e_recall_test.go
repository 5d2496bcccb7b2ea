package playbook_test

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/wechat/sandbox/phone"
)

// oldCustomers is the practice of P01-E: a file of old customers, an SMS and a later call, and how many come back.
type oldCustomers struct {
	lines, twice, invalid, out, silent int // of the file; silent: it says nothing of their consent
	days, callAfter                    int
	level                              string
	begin, run, last, over             string
	bySMS, byCall, follow              int // who register before the call, after it, and of bySMS those who follow first and register later
	rate                               string
}

func TestP01ERecall(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]oldCustomers{
		"TheBrandsNumbers": {
			lines: 300, twice: 12, invalid: 6, out: 9, days: 7, callAfter: 2, level: "天猫V3", begin: "2026-12-01 09:00:00", run: "2026-12-01 10:00:00",
			last: "2026-12-08 09:59:59", over: "2026-12-08 10:00:00", bySMS: 60, byCall: 31, follow: 3, rate: "33.33",
		},
		"OtherNumbers": {
			lines: 47, twice: 4, invalid: 3, out: 2, silent: 5, days: 3, callAfter: 1, level: "京东PLUS", begin: "2027-02-26 08:00:00", run: "2027-02-26 20:30:00",
			last: "2027-03-01 20:29:59", over: "2027-03-01 20:30:00", bySMS: 4, byCall: 3, follow: 1, rate: "21.21",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p.play(t)
		})
	}
}

// recallFigures is what the operator reads of a recall.
type recallFigures struct {
	Lines, Reached, Pending, Calls, Recalled, Followed int
	Rate                                               string
	Skipped                                            []struct {
		Reason string
		Count  int
	}
}

// phoneSMS is what a number got.
type phoneSMS struct{ ID, Kind, To, Text string }

func (p oldCustomers) play(t *testing.T) {
	s := open(t, p.begin)
	two := s.tiers(nil, obj{"name": "一星", "threshold": 0}, obj{"name": "二星", "threshold": 1000})["二星"]

	good := p.lines - p.twice - p.invalid
	number := func(i int) string { return fmt.Sprintf("138%08d", i) }
	var file strings.Builder
	file.WriteString("手机号,等级,营销同意\n")
	for i := range good {
		consent := "是"
		switch {
		case i >= good-p.out:
			consent = "否"
		case i >= good-p.out-p.silent:
			consent = ""
		}
		fmt.Fprintf(&file, "%s,%s,%s\n", number(i), p.level, consent)
	}
	for i := range p.twice {
		fmt.Fprintf(&file, "+86 %s,%s,是\n", number(i), p.level)
	}
	for i := range p.invalid {
		fmt.Fprintf(&file, "120%08d,%s,是\n", i, p.level)
	}
	in := s.do("POST", "/customers/imports", obj{"name": "old.csv", "data": base64.StdEncoding.EncodeToString([]byte(file.String())), "levels": obj{p.level: two}})
	s.advance("0s")
	recall := s.do("POST", "/recalls", obj{
		"name": "老客召回", "import_id": in["id"], "days": p.days, "sms": obj{"text": "好久不见,回来领见面礼"}, "call": obj{"text": "您好,好久不见"}, "call_after_days": p.callAfter,
	})
	path := "/recalls/" + recall["id"].(string)

	// 1: everybody who may be reached is, the others are listed with reasons
	s.set(p.run)
	s.do("POST", path+"/run", obj{})
	require.Equal(t, 409, s.refused("POST", path+"/run", obj{}).Status)
	s.advance("0s")
	reached := good - p.out - p.silent
	f := p.figures(t, s, path)
	require.Equal(t, reached, f.Reached)
	require.Zero(t, f.Recalled)
	var sent struct{ Items []phoneSMS }
	s.control("GET", "/sms", nil, &sent)
	require.Len(t, sent.Items, reached)
	got := map[string]bool{}
	for _, m := range sent.Items {
		require.True(t, strings.HasPrefix(m.Text, "【siyu】"), m.Text)
		require.True(t, strings.HasSuffix(m.Text, "拒收请回复T"), m.Text)
		require.False(t, got[m.To], "nobody twice")
		got[m.To] = true
	}
	skipped := map[string]int{}
	for page := ""; ; {
		var list struct {
			Items []struct{ Reason string }
			Next  string `json:"next_cursor"`
		}
		s.read(path+"/skipped?limit=5"+page, &list)
		for _, one := range list.Items {
			skipped[one.Reason]++
		}
		if list.Next == "" {
			break
		}
		page = "&cursor=" + list.Next
	}
	want := map[string]int{"DUPLICATE": p.twice, "INVALID_TARGET": p.invalid, "OPTED_OUT": p.out}
	if p.silent > 0 {
		want["NO_CONSENT"] = p.silent
	}
	require.Equal(t, want, skipped)

	// 2 and 4: who comes counts once, whether by the SMS, the call or both
	var people []*phone.Person
	come := func(i int) *phone.Person {
		who := s.person(fmt.Sprint("old", i))
		s.register(who, "")
		p.tell(s, who, number(i))
		people = append(people, who)
		return who
	}
	for i := range p.bySMS - p.follow {
		come(i)
	}
	early := make([]*phone.Person, p.follow)
	for i := range early { // they follow now, and tell their numbers when all is over
		early[i] = s.person(fmt.Sprint("follower", i))
		s.act(early[i], "follow", obj{"account": "oa"})
	}
	s.advance(fmt.Sprintf("%dh", 24*p.callAfter))
	f = p.figures(t, s, path)
	require.Equal(t, p.bySMS-p.follow, f.Recalled)
	require.Equal(t, reached-(p.bySMS-p.follow), f.Calls, "who came is not called")
	s.set(p.last)
	for i := range p.byCall {
		come(p.bySMS + i)
	}

	// 3: the window is over
	s.set(p.over)
	come(p.bySMS + p.byCall)
	for i, who := range early {
		s.register(who, "")
		p.tell(s, who, number(p.bySMS-p.follow+i))
	}
	f = p.figures(t, s, path)
	require.Equal(t, p.bySMS+p.byCall, f.Recalled)
	require.Equal(t, p.follow, f.Followed)
	require.Equal(t, p.rate, f.Rate)
	var tagged struct {
		Items []struct{ Joined string }
	}
	s.read("/members?limit=100&tag_id="+recall["tag_id"].(string), &tagged)
	require.Len(t, tagged.Items, p.bySMS+p.byCall)

	// 5: he enters at the level of the file, which says so, and his growth is what it was
	var me struct{ Tier struct{ Name string } }
	require.NoError(t, people[p.bySMS-p.follow+p.byCall-1].API(s.ctx(), "GET", "/tier", nil, &me))
	require.Equal(t, "二星", me.Tier.Name)

	// 6: a T to the SMS is for good
	key := s.do("POST", "/api-keys", obj{"name": "sms", "scopes": []string{"open.sms.reports"}})
	last := number(reached - 1) // who never came: who did is left out as a member, before his consent is asked
	refuser := sent.Items[slices.IndexFunc(sent.Items, func(m phoneSMS) bool { return m.To == last })]
	for range 2 {
		s.control("POST", "/sms/"+refuser.ID+"/report", obj{"api_key": key["token"], "kind": "reply", "text": "T"}, nil)
	}
	s.advance("24h")
	in = s.do("POST", "/customers/imports", obj{"name": "again.csv", "data": base64.StdEncoding.EncodeToString([]byte("手机号,营销同意\n" + refuser.To + ",是\n"))})
	s.advance("0s")
	again := s.do("POST", "/recalls", obj{"name": "again", "import_id": in["id"], "days": 1, "sms": obj{"text": "再见"}})
	s.do("POST", "/recalls/"+again["id"].(string)+"/run", obj{})
	s.advance("0s")
	f = p.figures(t, s, "/recalls/"+again["id"].(string))
	require.Zero(t, f.Reached)
	require.Equal(t, "OPTED_OUT", f.Skipped[0].Reason)
}

// figures reads a recall; its sum closes.
func (p oldCustomers) figures(t *testing.T, s *siyu, path string) (f recallFigures) {
	s.read(path, &f)
	sum := f.Reached + f.Pending
	for _, one := range f.Skipped {
		sum += one.Count
	}
	require.Equal(t, f.Lines, sum)
	return f
}

// tell gives the person's number to the mini-program.
func (p oldCustomers) tell(s *siyu, who *phone.Person, number string) {
	var code struct{ Code string }
	s.control("POST", "/users/"+who.ID+"/phone", obj{"account": "mp", "number": number}, &code)
	require.NoError(s.t, who.API(s.ctx(), "POST", "/phone", obj{"code": code.Code}, nil))
}
