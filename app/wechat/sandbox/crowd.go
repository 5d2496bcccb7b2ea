package sandbox

import (
	"slices"
	"strconv"
	"time"
)

// bulk is many people at once, as one line of the journal.
type bulk struct {
	Count  int    `json:"count"`
	Prefix string `json:"prefix"`
	Follow string `json:"follow"`
	At     int64  `json:"at"`              // since when they follow, unix seconds
	Every  int64  `json:"every,omitempty"` // seconds between two of them, the first being the earliest
	Scene  string `json:"scene,omitempty"` // the QR scene that brought them
}

// crowd is a bulk with its place. Who in it was never touched has a nil in people: he is made when he is looked at.
type crowd struct {
	bulk
	first int64
	acct  *account // nil: they follow nobody
}

// before is how long ago those began to follow whom nobody saw coming.
const before = 24 * time.Hour

// Bulk makes count people named prefix1, prefix2, … who follow the named account (if any) since a day, without a push. It returns the
// first id.
func (s *Sandbox) Bulk(count int, prefix, follow string) (int64, error) {
	return s.makeCrowd(bulk{Count: count, Prefix: prefix, Follow: follow, At: s.clk.Now().Add(-before).Unix()})
}

// FollowersBefore makes count followers whom the account had before its server was connected: one came each minute, the last a day ago,
// by a QR code if scene is not empty. It returns the first id.
func (s *Sandbox) FollowersBefore(account string, count int, scene string) (int64, error) {
	if account == "" || len(scene) > 64 {
		return 0, refuse(400, "INVALID", "account: name one; scene: at most 64 characters")
	}
	from := s.clk.Now().Add(-before).Unix() - 60*int64(max(count-1, 0))
	return s.makeCrowd(bulk{Count: count, Prefix: "老粉", Follow: account, At: from, Every: 60, Scene: scene})
}

func (s *Sandbox) makeCrowd(b bulk) (int64, error) {
	if b.Count < 1 || b.Count > 2_000_000 {
		return 0, refuse(400, "INVALID", "count: 1 to 2,000,000")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if b.Follow != "" && s.account(b.Follow) == nil {
		return 0, refuse(404, "NOT_FOUND", "there is no account %q", b.Follow)
	}
	first := s.addBulk(b)
	s.store.append(&record{Kind: "bulk", Bulk: &b})
	return first, nil
}

func (s *Sandbox) addBulk(b bulk) int64 {
	c := &crowd{b, int64(len(s.people)) + 1, s.account(b.Follow)}
	s.people = append(s.people, make([]*person, b.Count)...)
	s.crowds = append(s.crowds, c)
	if c.acct != nil {
		c.acct.followers += b.Count
	}
	return c.first
}

// crowdOf is the crowd that a person came with, or nil.
func (s *Sandbox) crowdOf(id int64) *crowd {
	i, ok := slices.BinarySearchFunc(s.crowds, id, func(c *crowd, id int64) int {
		switch {
		case id < c.first:
			return 1
		case id >= c.first+int64(c.Count):
			return -1
		}
		return 0
	})
	if !ok {
		return nil
	}
	return s.crowds[i]
}

// look is a person to look at: changes of what it returns may be lost.
func (s *Sandbox) look(id int64) *person {
	if p := s.people[id-1]; p != nil {
		return p
	}
	c := s.crowdOf(id)
	p := &person{name: c.Prefix + strconv.FormatInt(id-c.first+1, 10)}
	if c.acct != nil {
		r := &relation{acct: c.acct.index, subscribed: true, since: c.At + c.Every*(id-c.first)}
		if c.Scene != "" {
			r.more = &more{Scene: c.Scene, Source: "ADD_SCENE_QR_CODE"}
		}
		p.rels = []*relation{r}
	}
	return p
}

// who is a person to be changed.
func (s *Sandbox) who(id int64) *person {
	if s.people[id-1] == nil {
		s.people[id-1] = s.look(id)
	}
	return s.people[id-1]
}
