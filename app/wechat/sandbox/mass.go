package sandbox

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strconv"
	"time"
)

// Limits of mass sends (FACTS §3.3).
const (
	massLeast       = 2
	massMost        = 10_000
	massPerMonth    = 4 // per follower
	toAllPerMonth   = 4
	clientMsgIDMax  = 64
	clientMsgIDKeep = 24 * time.Hour
	clientMsgIDWait = time.Minute
)

// massJob is one accepted mass send.
type massJob struct {
	ID       int64   `json:"id"`
	Account  string  `json:"account"`
	ClientID string  `json:"client_id"` // clientmsgid, or the digest that stands for it
	At       int64   `json:"at"`        // unix microseconds
	State    string  `json:"state"`     // SENDING, SEND_SUCCESS, SEND_FAIL, DELETE
	People   []int64 `json:"people,omitempty"`
	Type     string  `json:"type"`
	Content  string  `json:"content"`
	Data     string  `json:"data,omitempty"`
	ToAll    bool    `json:"to_all,omitempty"`
	Status   string  `json:"status,omitempty"` // of the event
	Total    int64   `json:"total"`
	Filter   int64   `json:"filter"`
	Sent     int64   `json:"sent"`
}

type massInput struct {
	ToUser []string `json:"touser"`
	Filter *struct {
		ToAll bool  `json:"is_to_all"`
		TagID int32 `json:"tag_id"`
	} `json:"filter"`
	massContent
	ClientMsgID string `json:"clientmsgid"`
}

type massContent struct {
	MsgType string          `json:"msgtype"`
	Text    *textPart       `json:"text"`
	MpNews  json.RawMessage `json:"mpnews"`
	Voice   json.RawMessage `json:"voice"`
	Image   json.RawMessage `json:"image"`
	Images  json.RawMessage `json:"images"`
	Video   json.RawMessage `json:"mpvideo"`
	Card    json.RawMessage `json:"wxcard"`
}

// show is the message of a mass send; or an errcode.
func (m *massContent) show(a *account, now time.Time) (content, data string, code int) {
	if m.MsgType == "text" {
		switch {
		case m.Text == nil || m.Text.Content == "":
			return "", "", 44004
		case len(m.Text.Content) > customTextMax:
			return "", "", 45002
		}
		return m.Text.Content, "", 0
	}
	part := map[string]json.RawMessage{"mpnews": m.MpNews, "voice": m.Voice, "image": m.Image, "images": m.Images, "mpvideo": m.Video, "wxcard": m.Card}
	label := map[string]string{"mpnews": "[图文]", "voice": "[语音]", "image": "[图片]", "images": "[图片]", "mpvideo": "[视频]", "wxcard": "[卡券]"}
	if m.MsgType == "image" && len(m.Image) == 0 {
		part["image"] = m.Images // the documentation calls the type image and its field images
	}
	raw, known := part[m.MsgType]
	switch {
	case !known:
		return "", "", 40004
	case len(raw) == 0:
		return "", "", 44004
	}
	var ref struct {
		MediaID  string   `json:"media_id"`
		MediaIDs []string `json:"media_ids"`
	}
	if err := json.Unmarshal(raw, &ref); err != nil {
		return "", "", 47001
	}
	if ref.MediaID != "" {
		ref.MediaIDs = append(ref.MediaIDs, ref.MediaID)
	}
	if m.MsgType != "wxcard" && (len(ref.MediaIDs) == 0 || slices.ContainsFunc(ref.MediaIDs, func(id string) bool { return !a.holdsMedia(id, now) })) {
		return "", "", 40007
	}
	return label[m.MsgType], string(raw), 0
}

func massSend(c *call) answer {
	if c.acct.Kind != KindService {
		return c.fail(48001)
	}
	var in massInput
	if a, ok := c.read(&in); !ok {
		return a
	}
	if len(in.ToUser) < massLeast || len(in.ToUser) > massMost {
		return c.fail(40032)
	}
	seen := make(map[int64]bool, len(in.ToUser))
	people := make([]int64, 0, len(in.ToUser))
	for _, o := range in.ToUser {
		id, p := c.s.personOf(c.acct, o)
		if p == nil {
			return c.fail(40003)
		}
		if !seen[id] {
			seen[id] = true
			people = append(people, id)
		}
	}
	return c.submit(&in, people)
}

func massSendAll(c *call) answer {
	var in massInput
	if a, ok := c.read(&in); !ok {
		return a
	}
	if in.Filter == nil {
		return c.fail(47001)
	}
	want := func(*relation) bool { return true }
	if !in.Filter.ToAll {
		if in.Filter.TagID != 2 && c.acct.tag(in.Filter.TagID) == nil {
			return c.fail(45159)
		}
		want = hasTag(in.Filter.TagID)
	}
	var people []int64
	for i := range c.s.people {
		if r := c.s.look(int64(i + 1)).relation(c.acct); r != nil && r.subscribed && want(r) {
			people = append(people, int64(i+1))
		}
	}
	return c.submit(&in, people)
}

// submit accepts a job, unless it is one that is known or one too many.
func (c *call) submit(in *massInput, people []int64) answer {
	content, data, code := in.show(c.acct, c.now)
	if code != 0 {
		return c.fail(code)
	}
	if len(in.ClientMsgID) > clientMsgIDMax {
		return c.fail(45067)
	}
	key := in.ClientMsgID
	if key == "" {
		sum := sha256.Sum256(c.body)
		key = "digest:" + hex.EncodeToString(sum[:])
	}
	for _, j := range c.s.mass {
		if age := c.now.Sub(time.UnixMicro(j.At)); j.Account == c.acct.Name && j.ClientID == key && age < clientMsgIDKeep {
			if age < clientMsgIDWait {
				return c.fail(45066)
			}
			return c.fail(45065, "msg_id", j.ID)
		}
	}
	toAll := in.Filter != nil && in.Filter.ToAll
	if !c.mayMass(toAll) {
		return c.fail(45028)
	}
	j := &massJob{
		ID: 1_000_000_001 + int64(len(c.s.mass)), Account: c.acct.Name, ClientID: key, At: c.now.UnixMicro(), State: "SENDING",
		People: people, Type: in.MsgType, Content: content, Data: data, ToAll: toAll,
	}
	c.s.mass[j.ID] = j
	c.s.store.append(&record{Kind: "mass", Mass: j})
	c.s.schedule(&task{At: c.now.Add(c.s.opts.ResultDelay).UnixMicro(), Kind: taskMass, Account: c.acct.Name, MsgID: j.ID})
	out := map[string]any{"errcode": 0, "errmsg": "send job submission success", "msg_id": j.ID}
	if in.MsgType == "mpnews" {
		out["msg_data_id"] = j.ID + 1_000_000_000
	}
	return c.give(out)
}

// mayMass counts one mass send of the account, if its kind still allows one.
func (c *call) mayMass(toAll bool) bool {
	a, day, month := c.acct, dayOf(c.now), monthOf(c.now)
	if a.Kind == KindSubscription && a.massDay.on(day) >= 1 {
		return false
	}
	if toAll && a.Kind == KindService && (a.toAllDay.on(day) >= 1 || a.toAll.in(month) >= toAllPerMonth) {
		return false
	}
	a.massDay.add(day)
	if toAll {
		a.toAllDay.add(day)
		a.toAll.add(month)
	}
	return true
}

// finishMass delivers a job to everyone whom the rules still allow, and says so.
func (s *Sandbox) finishMass(a *account, t *task) *pushEvent {
	j := s.mass[t.MsgID]
	if j == nil {
		return nil
	}
	if j.State == "SENDING" {
		s.runMass(a, j)
	}
	if j.Status == "" {
		return nil // deleted before it ran
	}
	none := []field{{"Count", int64(0)}, {"ResultList", ""}, {"CheckState", int64(0)}}
	return s.event(a, 0, "MASSSENDJOBFINISH", "",
		field{"MsgID", j.ID}, field{"Status", j.Status}, field{"TotalCount", j.Total}, field{"FilterCount", j.Filter},
		field{"SentCount", j.Sent}, field{"ErrorCount", j.Filter - j.Sent},
		field{"CopyrightCheckResult", none}, field{"ArticleUrlResult", none[:2]})
}

func (s *Sandbox) runMass(a *account, j *massJob) {
	now := s.clk.Now()
	month := monthOf(now)
	j.Total = int64(len(j.People))
	j.Status, j.State = "send success", "SEND_SUCCESS"
	if a.MassVerdict != "" {
		j.Status, j.State = a.MassVerdict, "SEND_FAIL"
	} else {
		var reached []int64
		for _, id := range j.People {
			r := s.who(id).relation(a)
			if r == nil || !r.subscribed || r.blocked || r.rejecting || (a.Kind == KindService && r.inMonth(month) >= massPerMonth) {
				continue
			}
			reached = append(reached, id)
		}
		j.Filter, j.Sent = int64(len(reached)), int64(len(reached))
		s.deliver(a, reached, body{ChannelMass, j.Type, j.Content, j.Data}, now)
	}
	j.People = nil
	s.store.append(&record{Kind: "mass", Mass: j})
}

type msgIDInput struct {
	MsgID text `json:"msg_id"`
}

// job finds the mass job that the body names; it must be the account's.
func (c *call) job() (*massJob, answer, bool) {
	var in msgIDInput
	if a, ok := c.read(&in); !ok {
		return nil, a, false
	}
	id, err := strconv.ParseInt(string(in.MsgID), 10, 64)
	j := c.s.mass[id]
	if err != nil || j == nil || j.Account != c.acct.Name {
		return nil, c.fail(40059), false
	}
	return j, answer{}, true
}

func massGet(c *call) answer {
	j, a, ok := c.job()
	if !ok {
		return a
	}
	return c.give(map[string]any{"msg_id": j.ID, "msg_status": j.State})
}

func massDelete(c *call) answer {
	j, a, ok := c.job()
	if !ok {
		return a
	}
	if j.Type != "mpnews" && j.Type != "mpvideo" {
		return c.fail(48008)
	}
	j.State = "DELETE"
	c.s.store.append(&record{Kind: "mass", Mass: j})
	return c.ok()
}

func massPreview(c *call) answer {
	var in struct {
		ToUser string `json:"touser"`
		massContent
	}
	if a, ok := c.read(&in); !ok {
		return a
	}
	id, p := c.s.personOf(c.acct, in.ToUser)
	if p == nil {
		return c.fail(40003)
	}
	if !p.follows(c.acct) {
		return c.fail(43004)
	}
	content, data, code := in.show(c.acct, c.now)
	if code != 0 {
		return c.fail(code)
	}
	c.s.deliver(c.acct, []int64{id}, body{ChannelPreview, in.MsgType, content, data}, c.now)
	return c.give(map[string]any{"errcode": 0, "errmsg": "preview success", "msg_id": c.s.nextMsgID()})
}

// massSpeeds are in ten thousand a minute.
var massSpeeds = []int{80, 60, 45, 30, 10}

func speedGet(c *call) answer {
	n := c.acct.saved.Speed
	return c.give(map[string]any{"speed": n, "realspeed": massSpeeds[n]})
}

func speedSet(c *call) answer {
	var in struct {
		Speed int `json:"speed"`
	}
	if a, ok := c.read(&in); !ok {
		return a
	}
	if in.Speed < 0 || in.Speed >= len(massSpeeds) {
		return c.fail(45083)
	}
	c.acct.saved.Speed = in.Speed
	c.s.saveAccount(c.acct)
	return c.ok()
}
