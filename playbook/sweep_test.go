package playbook_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// receipt is one message that one person received.
type receipt struct {
	User    string
	Channel string
	Type    string
	Time    time.Time
	Content string
}

// receipts are all messages that reached anybody.
func (s *siyu) receipts() []receipt {
	s.t.Helper()
	var out struct{ Items []receipt }
	s.control("GET", "/receipts?limit=100000", nil, &out)
	return out.Items
}

// marketing reports whether it is: what siyu sends by itself is a card or one of the broadcasts, which are marketing unless the test says
// service.
func (r receipt) marketing() bool {
	switch r.Channel {
	case "custom":
		return r.Type == "text" && !strings.Contains(r.Content, serviceMark)
	case "mass", "subscribe":
		return !strings.Contains(r.Content, serviceMark)
	}
	return false
}

// serviceMark stands in the text of broadcasts that are no marketing.
const serviceMark = "[service]"

// call is one call that siyu made to WeChat.
type call struct {
	Path    string
	Body    string
	Status  int
	Errcode int
	Answer  string
	Fault   string
}

// calls are those of a path to WeChat; all if it is empty.
func (s *siyu) calls(path string) []call {
	s.t.Helper()
	var out struct{ Items []call }
	q := "/calls?limit=10000"
	if path != "" {
		q += "&path=" + path
	}
	s.control("GET", q, nil, &out)
	return out.Items
}

const (
	customPath    = "/cgi-bin/message/custom/send"
	massPath      = "/cgi-bin/message/mass/send"
	subscribePath = "/cgi-bin/message/subscribe/send"
)

// sweep checks everything that anybody received against the rules: no marketing in quiet hours, one a day per person, four mass sends a
// month, and no call that WeChat must refuse.
func sweep(t testing.TB, s *siyu) {
	t.Helper()
	perDay, perMonth := map[string]int{}, map[string]int{}
	for _, r := range s.receipts() {
		when := r.Time.In(shanghai)
		if r.Channel == "mass" {
			perMonth[r.User+when.Format(" 2006-01")]++
		}
		if !r.marketing() {
			continue
		}
		if h := when.Hour(); h >= 22 || h < 8 {
			t.Errorf("marketing in quiet hours: %+v", r)
		}
		perDay[r.User+when.Format(" 2006-01-02")]++
	}
	for who, n := range perDay {
		if n > s.dailyCap() {
			t.Errorf("%d marketing messages in one day: person and day %s", n, who)
		}
	}
	for who, n := range perMonth {
		if n > 4 {
			t.Errorf("%d mass sends in one month: person and month %s", n, who)
		}
	}
	for _, c := range s.calls("") {
		blind := c.Errcode == 45015 || c.Errcode == 45047 || c.Errcode == 43101 || c.Errcode == 45028
		if blind && c.Fault == "" {
			t.Errorf("a call that had to fail: %+v", c)
		}
	}
	var all struct{ Unknown int }
	s.control("GET", "/calls?limit=1", nil, &all)
	require.Zero(t, all.Unknown, "calls to paths that WeChat does not have")
}

// dailyCap is the setting of the place.
func (s *siyu) dailyCap() int {
	n := 1
	for _, e := range s.place.env {
		if v, ok := strings.CutPrefix(e, "SIYU_REACH_DAILY_CAP="); ok {
			fmt.Sscan(v, &n)
		}
	}
	return n
}
