package playbook_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/wechat/sandbox/phone"
)

// chatTag is the practice of P01-B: a word in a message sets a tag, and the tag gets a broadcast.
type chatTag struct {
	group, tag     string
	words, exclude []string
	named          string   // who has told his name, and is tagged
	hits           []string // tagged, the last of them leaves
	misses         []string
	fallback       string
	chat, leave    string
	push, again    string
}

// chatTagHand is how the operator of P01-B works: over the API or by clicking.
type chatTagHand interface {
	tag(p chatTag)                             // the tag and its rule
	write(p chatTag) (audience, reachable int) // the broadcast, and what its preview says
	send(id string)
	again(id string) // a moment later
}

var chatTags = map[string]chatTag{
	"SensitiveSkin": {
		group: "肤质", tag: "敏感肌", words: []string{"敏感肌"}, exclude: []string{"不是敏感肌", "非敏感肌"}, named: "小安",
		hits: []string{"我是敏感肌能用吗", "敏感肌", "朋友是敏感肌"}, misses: []string{"我不是敏感肌", "你好"}, fallback: "亲",
		chat: "2026-11-24 11:00:00", leave: "2026-11-24 12:00:00", push: "2026-11-24 15:00:00", again: "2026-11-24 15:01:00",
	},
	"Cats": {
		group: "宠物", tag: "养猫", words: []string{"猫", "cat"}, exclude: []string{"没养猫", "熊猫"}, named: "阿喵",
		hits: []string{"我家猫挑食", "My CAT is hungry", "猫砂有吗", "两只猫", "猫"}, misses: []string{"我没养猫", "熊猫好可爱", "有狗粮吗"}, fallback: "铲屎官",
		chat: "2027-01-31 20:00:00", leave: "2027-01-31 20:30:00", push: "2027-02-01 08:00:00", again: "2027-02-01 08:00:59",
	},
}

func TestP01BChatTag(t *testing.T) {
	t.Parallel()
	for name, p := range chatTags {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p.play(t, func(s *siyu) chatTagHand { return chatTagCalls{s} })
		})
	}
}

// chatTagCalls is the operator who works over the API.
type chatTagCalls struct{ s *siyu }

func (o chatTagCalls) tag(p chatTag) {
	o.s.autoTag(o.s.tag(p.group, p.tag), "聊天提到"+p.tag, says(p.words, p.exclude...))
}

func (o chatTagCalls) write(p chatTag) (audience, reachable int) {
	in := obj{
		"name": p.tag + "新品", "condition": holds(o.s.tagID(p.tag)),
		"message": obj{"text": "{{nickname}}," + p.tag + "可用的新品到了", "channels": []string{"customer"}, "fallbacks": obj{"nickname": p.fallback}},
	}
	preview := o.s.do("POST", "/broadcasts/preview", in)
	o.s.broadcast(in)
	return int(preview["audience"].(float64)), int(preview["reachable"].(float64))
}

func (o chatTagCalls) send(id string) { o.s.fire(id, obj{}) }

func (o chatTagCalls) again(id string) {
	refused := o.s.refused("POST", "/broadcasts/"+id+"/run", obj{})
	require.Equal(o.s.t, "DUPLICATE", refused.Code)
	require.Equal(o.s.t, 409, refused.Status)
	require.NotEmpty(o.s.t, refused.Message)
}

func (p chatTag) play(t *testing.T, hand func(*siyu) chatTagHand) {
	s := open(t, p.chat)
	operator := hand(s)
	operator.tag(p)

	// 1: what they write.
	come := func(text string) *phone.Person {
		m := s.person("")
		s.act(m, "follow", nil)
		require.Empty(t, s.text(m, text), "the tag is silent")
		return m
	}
	var tagged, others []*phone.Person
	for _, text := range p.hits {
		tagged = append(tagged, come(text))
	}
	for _, text := range p.misses {
		others = append(others, come(text))
	}
	for _, m := range tagged {
		require.Equal(t, []string{p.group + ":" + p.tag}, s.facts(m).tags())
	}
	for _, m := range others {
		require.Empty(t, s.facts(m).tags())
	}
	require.Equal(t, len(p.hits), s.holders(s.tagID(p.tag)))
	s.register(tagged[0], p.named)

	// 2: one leaves.
	s.set(p.leave)
	gone := tagged[len(tagged)-1]
	s.act(gone, "unfollow", nil)

	// 3: the preview says what the run then does.
	s.set(p.push)
	audience, reachable := operator.write(p)
	require.Equal(t, [2]int{len(p.hits), len(p.hits) - 1}, [2]int{audience, reachable})
	id := s.named("/broadcasts", p.tag+"新品")
	operator.send(id)
	s.advance("0s")
	run := s.run(s.runs(id)[0].ID)
	require.Equal(t, counts{Audience: len(p.hits), Accepted: len(p.hits) - 1, Suppressed: 1}, run.Counts)
	require.Equal(t, reasons{"UNSUBSCRIBED": 1}, run.reasons())
	for i, m := range tagged[:len(tagged)-1] {
		name := p.fallback
		if i == 0 {
			name = p.named
		}
		got := s.inbox(m, "custom")
		require.Len(t, got, 1)
		require.Equal(t, name+","+p.tag+"可用的新品到了", got[0].Content)
	}
	require.Empty(t, s.inbox(gone, "custom"))
	skipped := s.deliveriesOf(s.facts(gone).ID)
	require.Len(t, skipped, 1)
	require.Equal(t, "UNSUBSCRIBED", skipped[0].Reason, "the person's page says why")

	// 4: a double click.
	s.set(p.again)
	sent := len(s.receipts())
	operator.again(id)
	s.advance("0s")
	require.Len(t, s.receipts(), sent)
	require.Len(t, s.runs(id), 1)
	require.NotContains(t, s.remarkable(), "level=ERROR")
}

// deliveriesOf is what was sent to a person, and why other things were not.
func (s *siyu) deliveriesOf(id string) []delivery {
	s.t.Helper()
	var out struct{ Items []delivery }
	s.read("/members/"+id+"/deliveries", &out)
	return out.Items
}
