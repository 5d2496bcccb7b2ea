package playbook_test

import (
	"fmt"
	"net/url"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/wechat/sandbox/phone"
)

// joined is the condition of being a member.
var joined = obj{"leaf": "member", "field": "joined", "value": true}

// follower is the condition of following the official account.
var follower = obj{"leaf": "member", "field": "follower", "value": true}

func holds(tagID string) obj { return obj{"leaf": "tag", "tag_id": tagID} }

func says(words []string, excludes ...string) obj {
	o := obj{"leaf": "event.text", "contains_any": words}
	if len(excludes) > 0 {
		o["excludes"] = excludes
	}
	return o
}

func gives(account string, amount int64) obj {
	return obj{"kind": "fixed", "account": account, "amount": amount}
}

func (s *siyu) create(path string, in any) string {
	s.t.Helper()
	id, ok := s.do("POST", path, in)["id"].(string)
	require.True(s.t, ok, "ids are strings")
	return id
}

// tagGroup is the id of a group: one of a first start by its name, or a new one.
func (s *siyu) tagGroup(name string) string {
	s.t.Helper()
	var out struct{ Items []struct{ ID, Name string } }
	s.read("/tag-groups", &out)
	for _, g := range out.Items {
		if g.Name == name {
			return g.ID
		}
	}
	return s.create("/tag-groups", obj{"name": name})
}

// tag makes a tag.
func (s *siyu) tag(group, name string) string {
	s.t.Helper()
	return s.create("/tags", obj{"group_id": s.tagGroup(group), "name": name})
}

// tagID is the id of a tag by its name.
func (s *siyu) tagID(name string) string {
	s.t.Helper()
	return s.named("/tags", name)
}

// named is the id of what a list of the admin API has by the name.
func (s *siyu) named(path, name string) string {
	s.t.Helper()
	var out struct{ Items []struct{ ID, Name string } }
	s.read(path, &out)
	for _, i := range out.Items {
		if i.Name == name {
			return i.ID
		}
	}
	require.Fail(s.t, "there is none", "%s of %s among %+v", name, path, out.Items)
	return ""
}

// autoTag makes a rule that sets a tag.
func (s *siyu) autoTag(tagID, name string, condition obj) string {
	s.t.Helper()
	return s.create("/auto-tags", obj{"tag_id": tagID, "name": name, "condition": condition})
}

// rule makes a point rule.
func (s *siyu) rule(code, trigger string, definition obj) string {
	s.t.Helper()
	return s.create("/rules", obj{"code": code, "name": code, "trigger": trigger, "definition": definition})
}

// registerRule gives points once for registering.
func (s *siyu) registerRule(amount int64) {
	s.t.Helper()
	s.rule("register", "member.registered", obj{"grants": []obj{gives("points", amount)}, "caps": []obj{{"period": "lifetime", "times": 1}}})
}

// checkinRule gives points for a check-in, and more for so many days in a row.
func (s *siyu) checkinRule(amount int64, days int, more int64) {
	s.t.Helper()
	s.rule("checkin", "checkin.done", obj{
		"grants": []obj{gives("points", amount), {"kind": "streak", "account": "points", "table": []obj{{"days": days, "amount": more}}}},
		"caps":   []obj{{"period": "day", "times": 1}},
	})
}

// holders is how many hold the tag.
func (s *siyu) holders(tagID string) int {
	s.t.Helper()
	var out struct {
		Items []struct {
			ID      string
			Holders int
		}
	}
	s.read("/tags", &out)
	for _, t := range out.Items {
		if t.ID == tagID {
			return t.Holders
		}
	}
	require.Fail(s.t, "there is no tag", tagID)
	return 0
}

// facts is what an operator sees of a person.
type facts struct {
	ID           string
	Nickname     string
	JoinedAt     *time.Time `json:"joined_at"`
	FirstChannel string     `json:"first_channel"`
	LastChannel  string     `json:"last_channel"`
	Follower     bool
	RFM          struct{ Recency, Frequency, Money string }
	Identities   []struct {
		Account, OpenID, UnionID, Scene string
		Subscribed                      bool
		Accepted                        []struct {
			TemplateID string `json:"template_id"`
			Count      int
		}
	}
	Accounts []struct {
		Account string
		Balance int64
	}
	Tags []struct {
		ID, Group, Name string
		Causes          []struct{ Cause string }
	}
	TagHistory []struct {
		TagID string `json:"tag_id"`
		Set   bool
		Cause string
	} `json:"tag_history"`
	Checkin struct {
		Today  bool
		Streak int
	}
}

// tags are the names that the person holds, with their groups.
func (f *facts) tags() (names []string) {
	for _, t := range f.Tags {
		names = append(names, t.Group+":"+t.Name)
	}
	return names
}

// found are the people whose openid at the official account is that of the phone's owner.
func (s *siyu) found(p *phone.Person) []facts {
	s.t.Helper()
	var out struct{ Items []facts }
	s.read("/members?search="+url.QueryEscape(s.openid(p.ID, "oa")), &out)
	return out.Items
}

// facts reads the page of a person whom siyu knows by his openid.
func (s *siyu) facts(p *phone.Person) *facts {
	s.t.Helper()
	list := s.found(p)
	require.Len(s.t, list, 1)
	return s.factsOf(list[0].ID)
}

func (s *siyu) factsOf(id string) *facts {
	s.t.Helper()
	f := &facts{}
	s.read("/members/"+id, f)
	return f
}

// did are the kinds of events of a person, newest first.
func (s *siyu) did(id string) (kinds []string) {
	s.t.Helper()
	var out struct{ Items []struct{ Kind string } }
	s.read("/members/"+id+"/events?limit=100", &out)
	for _, e := range out.Items {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

// count is how often a word is in a list.
func count(list []string, word string) (n int) {
	for _, w := range list {
		if w == word {
			n++
		}
	}
	return n
}

// entry is one line of a ledger.
type entry struct {
	Account      string
	Delta        int64
	BalanceAfter int64 `json:"balance_after"`
	Kind         string
	Bonus        bool
	Note         string
	OccurredAt   time.Time `json:"occurred_at"`
}

// ledger is the person's own view of his lines in points, oldest first.
func (s *siyu) ledger(p *phone.Person) []entry {
	s.t.Helper()
	var out struct{ Items []entry }
	require.NoError(s.t, p.API(s.ctx(), "GET", "/points/entries?account=points&limit=100", nil, &out))
	for i, j := 0, len(out.Items)-1; i < j; i, j = i+1, j-1 {
		out.Items[i], out.Items[j] = out.Items[j], out.Items[i]
	}
	return out.Items
}

// broadcast makes a broadcast.
func (s *siyu) broadcast(in obj) string {
	s.t.Helper()
	return s.create("/broadcasts", in)
}

// nextRuns are the next firings of a broadcast, as the operator reads them.
func (s *siyu) nextRuns(id string) (next []time.Time) {
	s.t.Helper()
	var out struct{ Next []time.Time }
	s.read("/broadcasts/"+id, &out)
	for _, n := range out.Next {
		next = append(next, n.In(shanghai))
	}
	return next
}

// counts are the people of a run by state.
type counts struct {
	Audience, Pending, Deferred, Accepted, Rejected, Unknown, Suppressed, Cancelled int
}

// sum is what Audience must be.
func (c counts) sum() int {
	return c.Pending + c.Deferred + c.Accepted + c.Rejected + c.Unknown + c.Suppressed + c.Cancelled
}

// reasons are the numbers of those not sent to, by reason and detail.
type reasons map[string]int

// sending is one run of a broadcast.
type sending struct {
	ID      string
	State   string
	Slot    string
	Counts  counts
	Reasons []struct {
		Reason, Detail string
		Count          int
	}
	Mass []struct {
		State  string
		Size   int
		MsgID  string `json:"msg_id"`
		Detail string
		Report *struct {
			Status                        string
			Total, Filtered, Sent, Errors int
		}
	}
}

// reasons are why people of the run were skipped.
func (r sending) reasons() reasons {
	out := reasons{}
	for _, x := range r.Reasons {
		key := x.Reason
		if x.Detail != "" {
			key += "/" + x.Detail
		}
		out[key] += x.Count
	}
	return out
}

// run reads one run with its reasons and WeChat's own report.
func (s *siyu) run(id string) sending {
	s.t.Helper()
	var r sending
	s.read("/runs/"+id, &r)
	require.Equal(s.t, r.Counts.Audience, r.Counts.sum(), "the sum holds")
	return r
}

// runs are the runs of a broadcast, newest first.
func (s *siyu) runs(broadcastID string) []sending {
	s.t.Helper()
	var out struct{ Items []sending }
	s.read("/broadcasts/"+broadcastID+"/runs", &out)
	for _, r := range out.Items {
		require.Equal(s.t, r.Counts.Audience, r.Counts.sum(), "the sum holds")
	}
	return out.Items
}

// fire runs a broadcast by hand and returns the run's id.
func (s *siyu) fire(broadcastID string, in obj) string {
	s.t.Helper()
	return s.create("/broadcasts/"+broadcastID+"/run", in)
}

// send runs a broadcast by hand, settles, and returns the run. One to everybody is confirmed with their number.
func (s *siyu) send(broadcastID string, confirm ...int) sending {
	s.t.Helper()
	in := obj{}
	if len(confirm) > 0 {
		in["confirm"] = confirm[0]
	}
	id := s.fire(broadcastID, in)
	s.advance("0s")
	return s.run(id)
}

// delivery is one message to one person.
type delivery struct {
	MemberID string `json:"member_id"`
	State    string
	Channel  string
	Reason   string
	Detail   string
	MsgID    string `json:"msg_id"`
}

// deliveries are the rows of a run.
func (s *siyu) deliveries(runID string) (all []delivery) {
	s.t.Helper()
	for cursor := ""; ; {
		var out struct {
			Items []delivery
			Next  string `json:"next_cursor"`
		}
		s.read(fmt.Sprintf("/runs/%s/deliveries?limit=100&cursor=%s", runID, url.QueryEscape(cursor)), &out)
		all = append(all, out.Items...)
		if cursor = out.Next; cursor == "" {
			return all
		}
	}
}
