package sandbox

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"regexp"
	"strconv"
	"time"
)

// What an action opens for customer messages (FACTS §3.3).
const (
	textGrant  = 5
	textWindow = 48 * time.Hour
	actGrant   = 3
	actWindow  = time.Minute
)

// Seen is what an action brought: what the person saw in answer, and how the push went.
type Seen struct {
	Seen []Message  `json:"seen"`
	Push PushResult `json:"push"`
}

// act changes state under the lock, then pushes what begin returns, then tells what the person saw.
func (s *Sandbox) act(ctx context.Context, id, accountName string, begin func(n int64, p *person, a *account) (*pushEvent, error)) (Seen, error) {
	s.mu.Lock()
	n, p, err := s.find(id)
	if err != nil {
		s.mu.Unlock()
		return Seen{}, err
	}
	a := s.account(accountName)
	if a == nil {
		s.mu.Unlock()
		return Seen{}, refuse(404, "NOT_FOUND", "there is no account %q", accountName)
	}
	ev, err := begin(n, p, a)
	since := len(s.receipts)
	s.mu.Unlock()
	if err != nil {
		return Seen{}, err
	}
	out := Seen{Push: PushResult{Attempts: []Attempt{}}}
	if ev != nil {
		out.Push = s.push(ctx, ev)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out.Seen = s.inbox(p, since)
	return out, nil
}

func needFollower(p *person, a *account) error {
	if a.Kind == KindMiniProgram {
		return refuse(400, "INVALID", "account: %q is a mini-program, not an official account", a.Name)
	}
	if !p.follows(a) {
		return refuse(409, "NOT_FOLLOWING", "the person does not follow %q", a.Name)
	}
	return nil
}

// followAccount makes the person follow the account, by a QR scene unless scene is empty.
func (s *Sandbox) followAccount(ctx context.Context, id, name, scene string) (Seen, error) {
	return s.act(ctx, id, name, func(n int64, p *person, a *account) (*pushEvent, error) {
		if a.Kind == KindMiniProgram {
			return nil, refuse(400, "INVALID", "account: %q is a mini-program: nobody follows it", name)
		}
		if p.follows(a) {
			return nil, refuse(409, "ALREADY_FOLLOWING", "the person follows %q already", name)
		}
		return s.subscribe(n, p, a, scene), nil
	})
}

func (s *Sandbox) subscribe(n int64, p *person, a *account, scene string) *pushEvent {
	r, now := p.with(a), s.clk.Now()
	r.subscribed, r.since = true, now.Unix()
	a.followers++
	r.grantMessages(actGrant, actWindow, now)
	var rest []field
	m := r.extra()
	m.Scene, m.Source = scene, "ADD_SCENE_SEARCH"
	if scene == "" {
		rest = []field{{"EventKey", ""}}
	} else {
		m.Source = "ADD_SCENE_QR_CODE"
		rest = []field{{"EventKey", "qrscene_" + scene}, {"Ticket", s.ticketOf(a, scene)}}
	}
	s.saveRelation(n, r)
	ev := s.event(a, n, "subscribe", scene, rest...)
	ev.told = true
	return ev
}

// ticketOf is the newest code that carries the scene; a poster of somebody else's making has one that we never saw.
func (s *Sandbox) ticketOf(a *account, scene string) string {
	for _, t := range s.tickets {
		if t.Account == a.Name && t.Scene == scene {
			return t.Ticket
		}
	}
	t := &ticket{Account: a.Name, Scene: scene}
	s.addTicket(t)
	return t.Ticket
}

// unfollow ends the following, with its tags and allowances.
func (s *Sandbox) unfollow(ctx context.Context, id, name string) (Seen, error) {
	return s.act(ctx, id, name, func(n int64, p *person, a *account) (*pushEvent, error) {
		if err := needFollower(p, a); err != nil {
			return nil, err
		}
		r := p.with(a)
		r.subscribed = false
		a.followers--
		m := r.extra()
		for _, t := range m.Tags {
			a.tagCount[t]--
		}
		m.Grants, m.Tags, m.Remark = nil, nil, ""
		s.saveRelation(n, r)
		return s.event(a, n, "unsubscribe", "", field{"EventKey", ""}), nil
	})
}

// scan is a QR code in front of the camera. Who does not follow yet follows by it.
func (s *Sandbox) scan(ctx context.Context, id, name, scene, ticketText string) (Seen, error) {
	return s.act(ctx, id, name, func(n int64, p *person, a *account) (*pushEvent, error) {
		if a.Kind == KindMiniProgram {
			return nil, refuse(400, "INVALID", "account: %q is a mini-program: its codes open it, log in instead", name)
		}
		if ticketText != "" {
			t := s.tickets[ticketText]
			if t == nil || t.Account != a.Name {
				return nil, refuse(404, "NOT_FOUND", "there is no such ticket")
			}
			if t.Until != 0 && t.Until <= s.clk.Now().Unix() {
				return nil, refuse(410, "EXPIRED", "the QR code has expired")
			}
			scene = t.Scene
		}
		if scene == "" {
			return nil, refuse(400, "INVALID", "scene: give a scene or a ticket")
		}
		if !p.follows(a) {
			return s.subscribe(n, p, a, scene), nil
		}
		r := p.with(a)
		r.grantMessages(actGrant, actWindow, s.clk.Now())
		s.saveRelation(n, r)
		ev := s.event(a, n, "SCAN", scene, field{"EventKey", scene}, field{"Ticket", s.ticketOf(a, scene)})
		ev.told = true
		return ev, nil
	})
}

// text is a message that the person writes; menuID is that of a tapped msgmenu item, or empty.
func (s *Sandbox) text(ctx context.Context, id, name, content, menuID string) (Seen, error) {
	return s.act(ctx, id, name, func(n int64, p *person, a *account) (*pushEvent, error) {
		if content == "" || len(content) > 20_000 {
			return nil, refuse(400, "INVALID", "content: 1 to 20,000 bytes")
		}
		if a.Kind != KindMiniProgram {
			if err := needFollower(p, a); err != nil {
				return nil, err
			}
		}
		r := p.with(a)
		var rest []field
		if menuID != "" { // the rule of menu clicks, not that of messages
			rest = []field{{"bizmsgmenuid", menuID}}
			r.grantMessages(actGrant, actWindow, s.clk.Now())
		} else {
			r.grantMessages(textGrant, textWindow, s.clk.Now())
		}
		s.saveRelation(n, r)
		return s.textMessage(a, n, content, rest...), nil
	})
}

// click is a tap on a menu button of type click.
func (s *Sandbox) click(ctx context.Context, id, name, key string) (Seen, error) {
	return s.act(ctx, id, name, func(n int64, p *person, a *account) (*pushEvent, error) {
		if key == "" || len(key) > menuKeyMax {
			return nil, refuse(400, "INVALID", "key: 1 to %d bytes", menuKeyMax)
		}
		if err := needFollower(p, a); err != nil {
			return nil, err
		}
		r := p.with(a)
		r.grantMessages(actGrant, actWindow, s.clk.Now())
		s.saveRelation(n, r)
		ev := s.event(a, n, "CLICK", key, field{"EventKey", key})
		ev.told = true
		return ev, nil
	})
}

// location is what the phone reports when the chat is opened.
func (s *Sandbox) location(ctx context.Context, id, name string, lat, lng float64) (Seen, error) {
	return s.act(ctx, id, name, func(n int64, p *person, a *account) (*pushEvent, error) {
		if lat < -90 || lat > 90 || lng < -180 || lng > 180 {
			return nil, refuse(400, "INVALID", "lat, lng: not on this planet")
		}
		if err := needFollower(p, a); err != nil {
			return nil, err
		}
		f := func(v float64) number { return number(strconv.FormatFloat(v, 'f', 6, 64)) }
		return s.event(a, n, "LOCATION", string(f(lat)+f(lng)),
			field{"Latitude", f(lat)}, field{"Longitude", f(lng)}, field{"Precision", number("119.385040")}), nil
	})
}

// popup is the answer to the question whether a template may be sent: accept adds times acceptances, one question each.
func (s *Sandbox) popup(ctx context.Context, id, name, template string, accept bool, times int, settings bool) (Seen, error) {
	if times == 0 {
		times = 1
	}
	if times < 0 || times > 100 {
		return Seen{}, refuse(400, "INVALID", "times: 1 to 100")
	}
	all := Seen{Seen: []Message{}}
	for range times {
		one, err := s.act(ctx, id, name, func(n int64, p *person, a *account) (*pushEvent, error) {
			t := a.template(template, "subscribe")
			if t == nil {
				return nil, refuse(404, "NOT_FOUND", "template: %q has no subscribe template %q", name, template)
			}
			r := p.with(a)
			r.extra().answer(t, accept)
			s.saveRelation(n, r)
			return s.popupEvent(a, n, template, accept, settings), nil
		})
		if err != nil {
			return all, err
		}
		all.Seen, all.Push = append(all.Seen, one.Seen...), one.Push
	}
	return all, nil
}

func (m *more) answer(t *Template, accept bool) {
	if m.Accepts == nil {
		m.Accepts = map[string]int{}
	}
	if m.Always == nil {
		m.Always = map[string]bool{}
	}
	switch {
	case !accept:
		delete(m.Accepts, t.ID)
		delete(m.Always, t.ID)
	case t.Type == 3:
		m.Always[t.ID] = true
	default:
		m.Accepts[t.ID]++
	}
}

func (s *Sandbox) popupEvent(a *account, n int64, template string, accept, settings bool) *pushEvent {
	status := "accept"
	if !accept {
		status = "reject"
	}
	item := []field{{"TemplateId", template}, {"SubscribeStatusString", status}}
	if settings { // switched off in the settings: only refusals are told
		return s.event(a, n, "subscribe_msg_change_event", template, field{"List", list{"SubscribeMsgChangeEvent", [][]field{item}}})
	}
	item = append(item, field{"PopupScene", int64(0)})
	return s.event(a, n, "subscribe_msg_popup_event", template+status, field{"List", list{"SubscribeMsgPopupEvent", [][]field{item}}})
}

// login is wx.login on the phone: a code for the mini-program's server.
func (s *Sandbox) login(id, name string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, p, a, err := s.onMini(id, name)
	if err != nil {
		return "", err
	}
	r := p.with(a)
	r.extra().UsedAt = s.clk.Now().Unix()
	s.saveRelation(n, r)
	return s.newCode(&code{kind: "login", acct: a, person: n}), nil
}

func (s *Sandbox) onMini(id, name string) (int64, *person, *account, error) {
	n, p, err := s.find(id)
	if err != nil {
		return 0, nil, nil, err
	}
	a := s.account(name)
	if a == nil || a.Kind != KindMiniProgram {
		return 0, nil, nil, refuse(400, "INVALID", "account: %q is no mini-program", name)
	}
	return n, p, a, nil
}

var phoneForm = regexp.MustCompile(`^1\d{10}$`)

// Phone is the phone-number button: a code, and the same sealed with the session key if the person has logged in.
type Phone struct {
	Code          string `json:"code"`
	EncryptedData string `json:"encrypted_data,omitempty"`
	IV            string `json:"iv,omitempty"`
}

func (s *Sandbox) phoneButton(id, name, numberText string) (Phone, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, p, a, err := s.onMini(id, name)
	if err != nil {
		return Phone{}, err
	}
	if numberText != "" {
		if !phoneForm.MatchString(numberText) {
			return Phone{}, refuse(400, "INVALID", "number: eleven digits that begin with 1")
		}
		p.phone = numberText
		s.savePerson(n)
	}
	r, now := p.with(a), s.clk.Now()
	r.extra().UsedAt = now.Unix()
	out := Phone{Code: s.newCode(&code{kind: "phone", acct: a, person: n, number: s.phone(n)})}
	if r.more.sessionKey == "" {
		return out, nil
	}
	var iv [16]byte
	rand.Read(iv[:])
	plain, err := json.Marshal(phoneInfo(a, s.phone(n), now))
	if err != nil {
		return Phone{}, err
	}
	out.IV = base64.StdEncoding.EncodeToString(iv[:])
	out.EncryptedData, err = sealData(r.more.sessionKey, out.IV, plain)
	return out, err
}

// block sets whether the account has blacklisted the person and whether he refuses its messages.
func (s *Sandbox) block(id, name string, blacklisted, rejecting bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, p, err := s.find(id)
	if err != nil {
		return err
	}
	a := s.account(name)
	if a == nil {
		return refuse(404, "NOT_FOUND", "there is no account %q", name)
	}
	r := p.with(a)
	r.blocked, r.rejecting = blacklisted, rejecting
	s.saveRelation(n, r)
	return nil
}

// enter opens the mini-program's customer session: two messages within a minute.
func (s *Sandbox) enter(ctx context.Context, id, name, from string) (Seen, error) {
	return s.act(ctx, id, name, func(n int64, p *person, a *account) (*pushEvent, error) {
		if a.Kind != KindMiniProgram {
			return nil, refuse(400, "INVALID", "account: %q is no mini-program", name)
		}
		r := p.with(a)
		r.grantMessages(2, actWindow, s.clk.Now())
		s.saveRelation(n, r)
		return s.event(a, n, "user_enter_tempsession", from, field{"SessionFrom", from}), nil
	})
}

// pay opens unlimited customer messages for two days.
func (s *Sandbox) pay(id, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, p, err := s.find(id)
	if err != nil {
		return err
	}
	a := s.account(name)
	if a == nil || a.Kind != KindService {
		return refuse(400, "INVALID", "account: %q is no service account", name)
	}
	r := p.with(a)
	r.grantMessages(-1, textWindow, s.clk.Now())
	s.saveRelation(n, r)
	return nil
}
