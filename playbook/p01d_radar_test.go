package playbook_test

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/wechat/sandbox/phone"
)

// radarLink is the practice of P01-D: one article sent to A, B and C, and how interested each shows himself to be.
type radarLink struct {
	name                   string
	high, forwards, medium int // seconds, forwards, seconds
	low                    int // hours
	begin, sent            string
	c                      string // when C opens it
	cBeats, every          int    // heartbeats, and the seconds between
	cForwards              []int  // after which of them he forwards
	cHigh                  string // when he is graded high
	b                      string
	bSeconds               int
	friend, known          string // D opens C's forward, and logs in
	again, lie             string // C opens it again, and his client claims an hour
	lied                   int    // seconds that count
	late                   string // A opens it after the job
	aSeconds               int
}

func TestP01DRadar(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]radarLink{
		"NewCake": {
			name: "新品蛋糕", high: 180, forwards: 2, medium: 10, low: 48, begin: "2026-11-23 09:00:00", sent: "2026-11-24 10:00:00",
			c: "2026-11-24 10:05:00", cBeats: 24, every: 10, cForwards: []int{19, 20}, cHigh: "2026-11-24 10:08:00", b: "2026-11-24 11:00:00", bSeconds: 12,
			friend: "2026-11-24 11:30:00", known: "2026-11-24 11:45:00", again: "2026-11-24 12:00:00", lie: "2026-11-24 12:00:10", lied: 10,
			late: "2026-11-27 09:00:00", aSeconds: 200,
		},
		"OtherNumbers": {
			name: "春茶上市", high: 600, forwards: 3, medium: 25, low: 24, begin: "2027-02-27 20:00:00", sent: "2027-02-28 21:30:00",
			c: "2027-02-28 23:59:00", cBeats: 9, every: 30, cForwards: []int{1, 2, 4}, cHigh: "2027-03-01 00:01:00", b: "2027-03-01 08:00:00", bSeconds: 599,
			friend: "2027-03-01 08:30:00", known: "2027-03-01 09:00:00", again: "2027-03-01 10:00:00", lie: "2027-03-01 10:00:07", lied: 7,
			late: "2027-03-01 21:30:01", aSeconds: 600,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p.play(t)
		})
	}
}

// radarFigures is what the operator reads of a link.
type radarFigures struct{ Delivered, Opened, Opens, Seconds, Forwards, Visitors, Known, High, Medium, Low, None int }

func (s *siyu) radar(id string) (f radarFigures) {
	s.t.Helper()
	s.read("/radar-links/"+id, &f)
	return f
}

// radarPerson is somebody behind a number.
type radarPerson struct {
	Member                   string `json:"member_id"`
	From                     string `json:"from_name"`
	Name, Grade              string
	Opens, Seconds, Forwards int
}

func (s *siyu) radarPeople(id, of string) []radarPerson {
	s.t.Helper()
	var out struct{ Items []radarPerson }
	s.read("/radar-links/"+id+"/people?of="+of, &out)
	return out.Items
}

// intent is the tag of the grade that the person holds.
func (s *siyu) intent(p *phone.Person) string {
	s.t.Helper()
	var held []string
	for _, tag := range s.facts(p).tags() {
		if grade, ok := strings.CutPrefix(tag, "意向:"); ok {
			held = append(held, grade)
		}
	}
	require.LessOrEqual(s.t, len(held), 1, "the group is exclusive")
	return strings.Join(held, "")
}

var radarToken = regexp.MustCompile(`/r/([A-Za-z0-9_-]+)`)

// radarSent is the token that the last message to the person carries.
func (s *siyu) radarSent(p *phone.Person) string {
	s.t.Helper()
	got := s.inbox(p, "custom")
	require.NotEmpty(s.t, got)
	found := radarToken.FindStringSubmatch(got[len(got)-1].Content)
	require.NotNil(s.t, found, got[len(got)-1].Content)
	return found[1]
}

type radarView struct {
	View, Visitor string
	Seconds       int
}

// view opens a link in the mini-program.
func (s *siyu) view(p *phone.Person, token string) (v radarView) {
	s.t.Helper()
	require.NoError(s.t, p.API(s.ctx(), "POST", "/radar/views", obj{"token": token}, &v))
	return v
}

func (s *siyu) beat(p *phone.Person, v radarView, n, seconds int) int {
	s.t.Helper()
	require.NoError(s.t, p.API(s.ctx(), "POST", "/radar/views/"+v.View+"/heartbeats", obj{"beat": n, "seconds": seconds}, &v))
	return v.Seconds
}

// after is a moment some seconds later.
func after(instant string, seconds int) string {
	return at(instant).Add(time.Duration(seconds) * time.Second).Format(time.DateTime)
}

func (p radarLink) play(t *testing.T) {
	s := open(t, p.begin, "SIYU_SERVER_PUBLIC_URL=https://go.example")
	link := s.create("/radar-links", obj{
		"name": p.name, "kind": "new-product", "url": "https://mp.weixin.qq.com/s/cake",
		"high_seconds": p.high, "high_forwards": p.forwards, "medium_seconds": p.medium, "low_hours": p.low,
	})
	crowd := s.tag("偏好", "甜品")
	people := map[string]*phone.Person{}
	for _, name := range []string{"A", "B", "C"} {
		m, _ := s.member(obj{"nickname": name})
		s.do("PUT", "/members/"+s.facts(m).ID+"/tags/"+crowd, obj{})
		people[name] = m
	}
	a, b, c := people["A"], people["B"], people["C"]

	// 1: it is sent to three.
	s.set(after(p.sent, -60))
	for _, m := range people {
		s.text(m, "你好")
	}
	s.set(p.sent)
	run := s.send(s.broadcast(obj{"name": p.name, "condition": holds(crowd), "message": obj{"text": "看看 {{radar:" + link + "}}", "channels": []string{"customer"}}}), 3)
	require.Equal(t, counts{Audience: 3, Accepted: 3}, run.Counts)
	require.Equal(t, radarFigures{Delivered: 3}, s.radar(link))
	require.Len(t, s.radarPeople(link, "unopened"), 3)
	require.NotEqual(t, s.radarSent(a), s.radarSent(b), "each has his own")

	// 2: C looks, heartbeat by heartbeat, and forwards.
	s.set(p.c)
	v := s.view(c, s.radarSent(c))
	var forwarded struct{ URL, Token string }
	for n := 1; n <= p.cBeats; n++ {
		s.set(after(p.c, n*p.every))
		require.Equal(t, n*p.every, s.beat(c, v, n, p.every))
		require.Equal(t, n*p.every, s.beat(c, v, n, 3600), "once more the same")
		for _, k := range p.cForwards {
			if k == n {
				require.NoError(t, c.API(t.Context(), "POST", "/radar/views/"+v.View+"/forwards", nil, &forwarded))
			}
		}
		require.Equal(t, !s.now().Before(at(p.cHigh)), s.intent(c) == "高", "at %s", s.now())
	}
	looked := p.cBeats * p.every
	require.Equal(t, radarFigures{Delivered: 3, Opened: 1, Opens: 1, Seconds: looked, Forwards: len(p.cForwards), High: 1}, s.radar(link))

	// 3: B looks for a moment.
	s.set(p.b)
	v = s.view(b, s.radarSent(b))
	s.set(after(p.b, p.bSeconds))
	s.beat(b, v, 1, p.bSeconds)
	require.Equal(t, "中", s.intent(b))

	// 4: a friend of C, whom nobody knows.
	s.set(p.friend)
	found := radarToken.FindStringSubmatch(forwarded.URL)
	require.NotNil(t, found)
	require.Equal(t, forwarded.Token, found[1])
	to := s.browse("/r/" + found[1])
	require.True(t, strings.HasPrefix(to, "https://mp.weixin.qq.com/s/cake?radar="), to)
	require.Equal(t, 404, s.statusOf("/r/"+found[1][:len(found[1])-1]))
	f := s.radar(link)
	require.Equal(t, [2]int{1, 0}, [2]int{f.Visitors, f.Known})
	visitor := s.radarPeople(link, "visitors")
	require.Equal(t, []radarPerson{{From: "C", Opens: 1}}, visitor, "anonymous, and C's")
	var tree struct {
		Items []struct {
			Name            string
			Depth, Visitors int
		}
	}
	s.read("/radar-links/"+link+"/tree", &tree)
	require.Len(t, tree.Items, 1+len(p.cForwards))
	require.Equal(t, 1, tree.Items[len(tree.Items)-1].Visitors)
	require.Equal(t, 1, tree.Items[len(tree.Items)-1].Depth)
	_, view, _ := strings.Cut(to, "radar=")
	require.NoError(t, s.Call(t.Context(), "POST", "/api/v1/radar/views/"+view+"/heartbeats", "", obj{"beat": 1, "seconds": 0}, &v))
	s.set(p.known)
	d := s.person("D")
	s.loginAs(d, v.Visitor)
	var registered struct{ Member struct{ ID string } }
	require.NoError(t, d.API(t.Context(), "POST", "/register", obj{"nickname": "D"}, &registered))
	dID := registered.Member.ID
	f = s.radar(link)
	require.Equal(t, [2]int{1, 1}, [2]int{f.Visitors, f.Known}, "he logged in")
	require.Equal(t, dID, s.radarPeople(link, "visitors")[0].Member)

	// 5: a lie.
	s.set(p.again)
	v = s.view(c, s.radarSent(c))
	s.set(p.lie)
	require.Equal(t, p.lied, s.beat(c, v, 1, 3600))
	for _, who := range s.radarPeople(link, "opened") {
		if who.Name == "C" {
			require.Equal(t, radarPerson{Member: s.facts(c).ID, Name: "C", Grade: "high", Opens: 2, Seconds: looked + p.lied, Forwards: len(p.cForwards)}, who)
		}
	}

	// 6: the job, to the second.
	due := after(p.sent, p.low*3600)
	s.set(after(due, -1))
	require.Empty(t, s.intent(a))
	s.set(due)
	require.Equal(t, []string{"低", "中", "高"}, []string{s.intent(a), s.intent(b), s.intent(c)})
	require.Empty(t, s.factsOf(dID).tags(), "nothing was sent to him, and he only looked in")
	f = s.radar(link)
	require.Equal(t, [4]int{1, 1, 1, 1}, [4]int{f.High, f.Medium, f.Low, f.None})

	// 7: A opens it after all.
	s.set(p.late)
	_, err := a.Login(t.Context())
	require.NoError(t, err)
	v = s.view(a, s.radarSent(a))
	s.set(after(p.late, p.aSeconds))
	s.beat(a, v, 1, p.aSeconds)
	require.Equal(t, "高", s.intent(a))
	f = s.radar(link)
	require.Equal(t, radarFigures{
		Delivered: 3, Opened: 4, Opens: 5, Seconds: looked + p.lied + p.bSeconds + p.aSeconds, Forwards: len(p.cForwards), Visitors: 1, Known: 1,
		High: 2, Medium: 1, None: 1,
	}, f)
	require.NotContains(t, s.remarkable(), "level=ERROR")
}

// browse opens an address in a browser that nobody knows, and returns where it leads.
func (s *siyu) browse(path string) string {
	s.t.Helper()
	res := s.get(path)
	require.Equal(s.t, http.StatusFound, res.StatusCode)
	return res.Header.Get("Location")
}

func (s *siyu) statusOf(path string) int {
	s.t.Helper()
	return s.get(path).StatusCode
}

func (s *siyu) get(path string) *http.Response {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.ctx(), "GET", s.url+path, nil)
	require.NoError(s.t, err)
	browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := browser.Do(req)
	require.NoError(s.t, err)
	require.NoError(s.t, res.Body.Close())
	return res
}

// loginAs opens the mini-program with what the browser kept.
func (s *siyu) loginAs(p *phone.Person, visitor string) {
	s.t.Helper()
	var code struct{ Code string }
	s.control("POST", "/users/"+p.ID+"/login", obj{"account": "mp"}, &code)
	var out struct{ Token string }
	require.NoError(s.t, s.Call(s.ctx(), "POST", "/api/v1/login", "", obj{"account": "mp", "code": code.Code, "visitor": visitor}, &out))
	p.Token = out.Token
}

// TestP01FNewProducts is the row 关注新品 of P01-F: who opened so many radar links of a kind in so many days has the tag, from the last of
// them until the first is too long ago.
func TestP01FNewProducts(t *testing.T) {
	t.Parallel()
	for name, p := range map[string]struct {
		kind      string
		opens, in int
		begin     string
		at        []string // openings of links of the kind
		gone      string
	}{
		"AsSet":        {"new-product", 2, 30, "2026-11-23 09:00:00", []string{"2026-11-24 10:00:00", "2026-12-01 20:00:00"}, "2026-12-24 10:00:00"},
		"OtherNumbers": {"夏季", 3, 7, "2027-05-31 21:00:00", []string{"2027-06-01 00:00:01", "2027-06-03 12:00:00", "2027-06-07 23:59:59"}, "2027-06-08 00:00:01"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, p.begin)
			s.autoTag(s.tag("偏好", "关注新品"), "关注新品", obj{
				"leaf": "did", "event": "radar.viewed", "field": "kind", "value": p.kind, "op": "gte", "count": p.opens, "window": fmt.Sprint(p.in, "d"),
			})
			m, _ := s.member(obj{"nickname": "小林"})
			text := ""
			for i, kind := range append(slices.Repeat([]string{p.kind}, len(p.at)), p.kind+"-old") {
				id := s.create("/radar-links", obj{"name": fmt.Sprint("新品", i), "kind": kind, "url": "https://example.com", "low_hours": 720})
				text += "{{radar:" + id + "}} "
			}
			s.text(m, "你好")
			s.send(s.broadcast(obj{
				"name": "看", "condition": obj{"leaf": "member", "field": "joined", "value": true}, "message": obj{"text": text, "channels": []string{"customer"}},
			}), 1)
			var tokens []string
			for _, found := range radarToken.FindAllStringSubmatch(s.inbox(m, "custom")[0].Content, -1) {
				tokens = append(tokens, found[1])
			}
			require.Len(t, tokens, len(p.at)+1)
			other := tokens[len(p.at)]
			for i, instant := range p.at {
				require.Empty(t, s.facts(m).tags())
				s.set(instant)
				_, err := m.Login(t.Context())
				require.NoError(t, err)
				s.view(m, other)
				require.Empty(t, s.facts(m).tags())
				s.view(m, tokens[i])
			}
			require.Equal(t, []string{"偏好:关注新品"}, s.facts(m).tags(), "with the last of them")
			s.set(after(p.gone, -1))
			require.Equal(t, []string{"偏好:关注新品"}, s.facts(m).tags())
			s.set(p.gone)
			require.Empty(t, s.facts(m).tags())
		})
	}
}
