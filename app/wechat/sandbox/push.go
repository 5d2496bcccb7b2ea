package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// attempts is how often WeChat tries to deliver a push (FACTS §2.4).
const attempts = 3

// pushEvent is one push before it is written in the account's mode and format.
type pushEvent struct {
	acct   *account
	person int64 // 0: no person in particular
	fields []field
	event  string // for the log: Event, or MsgType
	told   bool   // the person is told when the account does not answer
}

// PushResult is how a push went.
type PushResult struct {
	ID       int       `json:"id"` // in the log of pushes; 0 when nothing was pushed
	Status   string    `json:"status"`
	Attempts []Attempt `json:"attempts"`
}

// The states of a push.
const (
	PushOK         = "ok"
	PushFailed     = "failed"      // no attempt was answered well
	PushNoCallback = "no_callback" // nobody said where siyu is
)

// Attempt is one HTTP request of a push.
type Attempt struct {
	Time   string `json:"time"`
	Status int    `json:"status"`
	Reply  string `json:"reply"`           // as it came
	Plain  string `json:"plain,omitempty"` // decrypted
	Error  string `json:"error,omitempty"`
}

// PushRecord is a push in the log.
type PushRecord struct {
	PushResult
	Account     string `json:"account"`
	Event       string `json:"event"`
	OpenID      string `json:"openid"`
	User        string `json:"user,omitempty"`
	Time        string `json:"time"`
	Body        string `json:"body"` // before encryption
	URL         string `json:"url"`  // of the last attempt
	Wire        string `json:"wire"` // as it was sent
	ContentType string `json:"content_type"`
}

// pushLog keeps the newest pushes.
type pushLog struct {
	first int // id of items[0]
	items []*PushRecord
}

const pushLogSize = 5000

func (l *pushLog) add(r *PushRecord) {
	if l.first == 0 {
		l.first = 1
	}
	if len(l.items) >= 2*pushLogSize {
		l.items = slices.Clone(l.items[pushLogSize:])
		l.first += pushLogSize
	}
	l.items = append(l.items, r)
	r.ID = l.first + len(l.items) - 1
}

// event begins the fields of an event push. Call with mu held.
func (s *Sandbox) event(a *account, id int64, name, key string, rest ...field) *pushEvent {
	at := s.clk.Now().Unix()
	from := a.prefix + "AdminAdminAdminAdminAd" // results of jobs come from an administrator
	if id > 0 {
		from = a.openid(id)
		at = s.who(id).with(a).extra().stamp(at, name+"\x00"+key)
	}
	fields := []field{{"ToUserName", a.OriginalID}, {"FromUserName", from}, {"CreateTime", at}, {"MsgType", "event"}, {"Event", name}}
	return &pushEvent{acct: a, person: id, fields: append(fields, rest...), event: name}
}

// stamp is the CreateTime of an event. Nobody does the same thing twice within a second, and WeChat's receivers take that for a retry:
// while the clock stands still the second of two equal events is moved one second on.
func (m *more) stamp(at int64, key string) int64 {
	at = max(at, m.second)
	if at == m.second && slices.Contains(m.stamps, key) {
		at++
	}
	if at != m.second {
		m.second, m.stamps = at, nil
	}
	m.stamps = append(m.stamps, key)
	return at
}

// textMessage begins the fields of a message that a person writes. Call with mu held.
func (s *Sandbox) textMessage(a *account, id int64, content string, rest ...field) *pushEvent {
	at := max(s.clk.Now().Unix(), s.who(id).with(a).extra().second)
	fields := []field{
		{"ToUserName", a.OriginalID},
		{"FromUserName", a.openid(id)},
		{"CreateTime", at},
		{"MsgType", "text"},
		{"Content", content},
		{"MsgId", s.nextMsgID()},
	}
	return &pushEvent{acct: a, person: id, fields: append(fields, rest...), event: "text", told: true}
}

// envelope is what a push looks like for one account at one moment.
type envelope struct {
	account Account
	url     string
	box     *box
	openid  string
	body    string // plain
	wire    string
	encrypt string
}

func (s *Sandbox) wrap(ev *pushEvent) (*envelope, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.settings(ev.acct)
	e := &envelope{account: a, url: a.CallbackURL}
	if ev.person > 0 {
		e.openid = ev.acct.openid(ev.person)
	}
	b, err := newBox(a.Token, a.EncodingAESKey, a.AppID)
	if err != nil {
		return nil, err
	}
	e.box = b
	write := toXML
	if a.Format == "json" {
		write = func(f []field) string { return toJSON(f, a.StringNumbers) }
	}
	e.body = write(ev.fields)
	switch a.Mode {
	case "plain":
		e.wire = e.body
	case "compat":
		e.encrypt = b.seal([]byte(e.body), nil)
		e.wire = write(append(slices.Clone(ev.fields), field{"Encrypt", e.encrypt}))
	default:
		e.encrypt = b.seal([]byte(e.body), nil)
		e.wire = write([]field{{"ToUserName", a.OriginalID}, {"Encrypt", e.encrypt}})
	}
	if a.BOM {
		e.wire = "\ufeff" + e.wire
	}
	return e, nil
}

func (e *envelope) contentType() string {
	if e.account.Format == "json" && !e.account.JSONAsTextXML {
		return "application/json"
	}
	return "text/xml"
}

// address is the callback URL with the parameters of one attempt, at the app's time.
func (e *envelope) address(now time.Time) string {
	ts, nonce := strconv.FormatInt(now.Unix(), 10), randomText(10, "123456789")
	q := url.Values{"signature": {sign(e.account.Token, ts, nonce)}, "timestamp": {ts}, "nonce": {nonce}}
	if e.openid != "" {
		q.Set("openid", e.openid)
	}
	if e.encrypt != "" {
		q.Set("encrypt_type", "aes")
		q.Set("msg_signature", sign(e.account.Token, ts, nonce, e.encrypt))
	}
	return withQuery(e.url, q)
}

func withQuery(address string, q url.Values) string {
	if strings.Contains(address, "?") {
		return address + "&" + q.Encode()
	}
	return address + "?" + q.Encode()
}

// push delivers ev: up to three attempts, then what the account's duplicates ask for. The answer lands in the person's inbox.
func (s *Sandbox) push(ctx context.Context, ev *pushEvent) PushResult {
	e, err := s.wrap(ev)
	if err != nil {
		return PushResult{Status: PushFailed, Attempts: []Attempt{{Error: err.Error()}}}
	}
	now := s.clk.Now()
	rec := &PushRecord{
		PushResult: PushResult{Status: PushFailed, Attempts: []Attempt{}}, Account: e.account.Name, Event: ev.event, OpenID: e.openid,
		Time: showTime(now), Body: e.body, Wire: e.wire, ContentType: e.contentType(),
	}
	if ev.person > 0 {
		rec.User = strconv.FormatInt(ev.person, 10)
	}
	if e.url == "" {
		rec.Status = PushNoCallback
	} else {
		for range attempts {
			rec.URL = e.address(now)
			att, reply := s.attempt(ctx, e, rec.URL)
			rec.Attempts = append(rec.Attempts, att)
			if att.Error == "" {
				rec.Status = PushOK
				s.receiveReply(ev, reply)
				break
			}
		}
		for range e.account.Duplicates {
			att, _ := s.attempt(ctx, e, rec.URL)
			rec.Attempts = append(rec.Attempts, att)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if rec.Status == PushFailed && ev.told {
		s.deliver(ev.acct, []int64{ev.person}, body{ChannelSystem, "text", "该公众号暂时无法提供服务，请稍后再试", ""}, s.clk.Now())
	}
	s.pushes.add(rec)
	return rec.PushResult
}

// attempt is one request and its answer, read and checked.
func (s *Sandbox) attempt(ctx context.Context, e *envelope, address string) (Attempt, *passive) {
	att := Attempt{Time: showTime(s.clk.Now())}
	fail := func(err error) (Attempt, *passive) {
		att.Error = err.Error()
		return att, nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(e.wire))
	if err != nil {
		return fail(err)
	}
	req.Header.Set("Content-Type", e.contentType())
	req.Header.Set("User-Agent", "Mozilla/4.0")
	res, err := s.client.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return fail(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	att.Status, att.Reply = res.StatusCode, string(raw)
	if err != nil {
		return fail(err)
	}
	if res.StatusCode != http.StatusOK {
		return fail(fmt.Errorf("status %d", res.StatusCode))
	}
	reply, plain, err := e.readReply(raw)
	if plain != string(raw) {
		att.Plain = plain
	}
	if err != nil {
		return fail(err)
	}
	return att, reply
}

// Replay sends a push of the log again, byte for byte as it went out the last time.
func (s *Sandbox) Replay(ctx context.Context, id int) (Attempt, error) {
	s.mu.Lock()
	i := id - s.pushes.first
	if i < 0 || i >= len(s.pushes.items) {
		s.mu.Unlock()
		return Attempt{}, refuse(404, "NOT_FOUND", "there is no push %d in the log", id)
	}
	rec := *s.pushes.items[i]
	a := s.account(rec.Account)
	settings := s.settings(a)
	s.mu.Unlock()
	if rec.URL == "" {
		return Attempt{}, refuse(409, "CONFLICT", "push %d never went out", id)
	}
	b, err := newBox(settings.Token, settings.EncodingAESKey, settings.AppID)
	if err != nil {
		return Attempt{}, err
	}
	settings.Format, settings.JSONAsTextXML = "xml", true
	if rec.ContentType == "application/json" {
		settings.Format, settings.JSONAsTextXML = "json", false
	}
	att, _ := s.attempt(ctx, &envelope{account: settings, box: b, openid: rec.OpenID, wire: rec.Wire}, rec.URL)
	return att, nil
}
