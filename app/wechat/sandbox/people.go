package sandbox

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// person is somebody with a phone. Kept small: there may be a million.
type person struct {
	name  string
	union string // empty: derived from the id
	phone string // empty: derived from the id
	last  int32  // newest receipt + 1
	rels  []*relation
}

// relation is what one account and one person are to each other.
type relation struct {
	acct       uint8
	subscribed bool
	blocked    bool // on the account's blacklist: 43019
	rejecting  bool // the person refuses messages: 48002
	massCount  uint8
	massMonth  uint16 // year × 12 + month
	since      int64  // of following, unix seconds
	more       *more
}

// more is the part of a relation that few people have. It is kept as JSON.
type more struct {
	Remark  string          `json:"remark,omitempty"`
	Scene   string          `json:"scene,omitempty"` // the QR scene that brought him
	Source  string          `json:"source,omitempty"`
	Tags    []int32         `json:"tags,omitempty"`
	Grants  []grant         `json:"grants,omitempty"`
	Accepts map[string]int  `json:"accepts,omitempty"` // template → sends accepted
	Always  map[string]bool `json:"always,omitempty"`  // long-term templates accepted
	UsedAt  int64           `json:"used_at,omitempty"` // last use of the mini-program, unix seconds

	sessionKey string
	logins     minuteCount
	second     int64 // of the newest event's CreateTime
	stamps     []string
}

// grant is an allowance of customer messages that an action opened (FACTS §3.3). Left < 0 is unlimited.
type grant struct {
	Left  int   `json:"n"`
	Until int64 `json:"t"` // unix microseconds, exclusive
}

func (r *relation) extra() *more {
	if r.more == nil {
		r.more = &more{}
	}
	return r.more
}

func (p *person) relation(a *account) *relation {
	for _, r := range p.rels {
		if r.acct == a.index {
			return r
		}
	}
	return nil
}

// with is the relation, made if there was none.
func (p *person) with(a *account) *relation {
	if r := p.relation(a); r != nil {
		return r
	}
	r := &relation{acct: a.index}
	p.rels = append(p.rels, r)
	return r
}

func (p *person) follows(a *account) bool {
	r := p.relation(a)
	return r != nil && r.subscribed
}

// unionID is given, or derived like an openid.
func (s *Sandbox) unionID(id int64) string {
	if u := s.look(id).union; u != "" {
		return u
	}
	sum := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("union"+s.seed), uint64(id))) //nolint:gosec // ids are positive.
	return "o6_" + base64.RawURLEncoding.EncodeToString(sum[:])[:25]
}

func (s *Sandbox) phone(id int64) string {
	if n := s.look(id).phone; n != "" {
		return n
	}
	return fmt.Sprintf("139%08d", id)
}

func (r *relation) inMonth(month uint16) uint8 {
	if r.massMonth != month {
		return 0
	}
	return r.massCount
}

func (r *relation) countMass(month uint16) {
	r.massCount, r.massMonth = r.inMonth(month)+1, month
}

// Person is one person as the control API tells of him.
type Person struct {
	ID        string            `json:"id"`
	Name      string            `json:"name"`
	UnionID   string            `json:"unionid"`
	Phone     string            `json:"phone"`
	OpenIDs   map[string]string `json:"openids"`   // by account
	Following []string          `json:"following"` // names of accounts
	Accepted  map[string]int    `json:"accepted"`  // template → sends left
}

func (s *Sandbox) personView(id int64) Person {
	p := s.look(id)
	v := Person{
		ID: strconv.FormatInt(id, 10), Name: p.name, UnionID: s.unionID(id), Phone: s.phone(id),
		OpenIDs: map[string]string{}, Following: []string{}, Accepted: map[string]int{},
	}
	for _, a := range s.accounts {
		v.OpenIDs[a.Name] = a.openid(id)
		r := p.relation(a)
		if r == nil {
			continue
		}
		if r.subscribed {
			v.Following = append(v.Following, a.Name)
		}
		if r.more != nil {
			for t, n := range r.more.Accepts {
				v.Accepted[t] += n
			}
		}
	}
	return v
}

// NewPerson is somebody new. An empty unionID is made up; a given one may belong to a second phone of the same person.
func (s *Sandbox) NewPerson(name, unionID string) Person {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.people = append(s.people, &person{name: name, union: unionID})
	id := int64(len(s.people))
	s.savePerson(id)
	return s.personView(id)
}

// Person tells of one person; ok is false if there is none.
func (s *Sandbox) Person(id string) (v Person, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, _, err := s.find(id)
	if err != nil {
		return Person{}, false
	}
	return s.personView(n), true
}

// find is the person of the control API's id.
func (s *Sandbox) find(id string) (int64, *person, error) {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil || n < 1 || n > int64(len(s.people)) {
		return 0, nil, refuse(404, "NOT_FOUND", "there is no person %q", id)
	}
	return n, s.who(n), nil
}

// grantMessages opens an allowance of n customer messages for d.
func (r *relation) grantMessages(n int, d time.Duration, now time.Time) {
	m := r.extra()
	m.Grants = slices.DeleteFunc(m.Grants, func(g grant) bool { return g.Until <= now.UnixMicro() })
	m.Grants = append(m.Grants, grant{n, now.Add(d).UnixMicro()})
	slices.SortStableFunc(m.Grants, func(a, b grant) int { return int(a.Until - b.Until) })
}

// spendMessage takes one message from the grant that ends first; 0, or WeChat's error code.
func (r *relation) spendMessage(now time.Time) int {
	if r == nil || r.more == nil {
		return 45015
	}
	open := false
	for i := range r.more.Grants {
		g := &r.more.Grants[i]
		if g.Until <= now.UnixMicro() {
			continue
		}
		open = true
		if g.Left != 0 {
			if g.Left > 0 {
				g.Left--
			}
			return 0
		}
	}
	if open {
		return 45047
	}
	return 45015
}
