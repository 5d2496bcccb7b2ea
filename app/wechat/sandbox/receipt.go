package sandbox

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/siyu-scrm/siyu/app/clock"
)

// The channels by which something reaches a person.
const (
	ChannelReply     = "reply"     // the passive answer to a push
	ChannelCustom    = "custom"    // a customer message
	ChannelMass      = "mass"      // a mass send
	ChannelPreview   = "preview"   // the preview of a mass send
	ChannelTemplate  = "template"  // a template message
	ChannelSubscribe = "subscribe" // a subscribe message or notice
	ChannelSystem    = "system"    // WeChat itself, when the account does not answer
)

// receipt is one message that one person received. They are linked per person, newest first.
type receipt struct {
	person int32
	prev   int32 // the person's receipt before this one + 1
	at     int64 // unix microseconds
	acct   uint8
	body   *body
}

type body struct {
	channel string
	typ     string
	content string
	data    string // JSON
}

// Message is one receipt as it is told.
type Message struct {
	Seq     int             `json:"seq"`
	User    string          `json:"user"`
	Account string          `json:"account"`
	OpenID  string          `json:"openid"`
	Channel string          `json:"channel"`
	Time    string          `json:"time"`
	Type    string          `json:"type"`
	Content string          `json:"content"`
	Data    json.RawMessage `json:"data,omitempty"`
}

// receiptLine is how receipts are kept: one line for all who received the same.
type receiptLine struct {
	At      int64   `json:"t"`
	Account string  `json:"a"`
	Channel string  `json:"c"`
	People  []int64 `json:"u"`
	Type    string  `json:"m"`
	Content string  `json:"x"`
	Data    string  `json:"d,omitempty"`
}

// deliver puts a message into the inbox of each person.
func (s *Sandbox) deliver(a *account, people []int64, b body, now time.Time) {
	if len(people) == 0 {
		return
	}
	s.addReceipts(a, people, b, now.UnixMicro())
	s.store.receipt(&receiptLine{now.UnixMicro(), a.Name, b.channel, people, b.typ, b.content, b.data})
}

func (s *Sandbox) addReceipts(a *account, people []int64, b body, at int64) {
	for _, id := range people {
		p := s.who(id)
		s.receipts = append(s.receipts, receipt{int32(id), p.last, at, a.index, &b}) //nolint:gosec // at most millions.
		p.last = int32(len(s.receipts))                                              //nolint:gosec // at most millions.
		if b.channel == ChannelMass {
			p.with(a).countMass(monthOf(time.UnixMicro(at)))
		}
	}
}

func monthOf(t time.Time) uint16 {
	t = clock.Shanghai.In(t)
	return uint16(t.Year()*12 + int(t.Month())) //nolint:gosec // years are small.
}

func (s *Sandbox) message(i int) Message {
	r := s.receipts[i]
	a := s.accounts[r.acct]
	m := Message{
		Seq: i + 1, User: strconv.Itoa(int(r.person)), Account: a.Name, OpenID: a.openid(int64(r.person)),
		Channel: r.body.channel, Time: showTime(time.UnixMicro(r.at)), Type: r.body.typ, Content: r.body.content,
	}
	if r.body.data != "" {
		m.Data = json.RawMessage(r.body.data)
	}
	return m
}

func showTime(t time.Time) string { return clock.Shanghai.In(t).Format(time.RFC3339Nano) }

// inbox is what a person received after the first `since` receipts of all, oldest first.
func (s *Sandbox) inbox(p *person, since int) []Message {
	var at []int
	for i := int(p.last) - 1; i >= since; i = int(s.receipts[i].prev) - 1 {
		at = append(at, i)
	}
	out := make([]Message, 0, len(at))
	for k := len(at) - 1; k >= 0; k-- {
		out = append(out, s.message(at[k]))
	}
	return out
}

// Inbox is every message the person received, oldest first.
func (s *Sandbox) Inbox(id string) ([]Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, p, err := s.find(id)
	if err != nil {
		return nil, err
	}
	return s.inbox(p, 0), nil
}

// Receipts are the messages after seq, in order, at most limit.
func (s *Sandbox) Receipts(since, limit int) []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []Message{}
	for i := max(since, 0); i < len(s.receipts) && len(out) < limit; i++ {
		out = append(out, s.message(i))
	}
	return out
}
