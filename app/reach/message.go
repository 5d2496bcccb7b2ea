package reach

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Channels to a person.
const (
	Customer  = "customer"  // a customer message of the official account, within an allowance
	Mass      = "mass"      // a mass send of the official account: one text for all
	Subscribe = "subscribe" // a mini-program subscribe message, accepted beforehand
	Template  = "template"  // a template message of the official account, to a follower: never marketing
	Notice    = "notice"    // a subscribe notice of the official account, accepted beforehand
	SMS       = "sms"       // to his phone number, with his consent
	Call      = "call"      // an AI call to it, with his consent
	InApp     = "inbox"     // kept for the mini-program: to members
	Event     = "webhook"   // an event for the brand's other systems, which reach him themselves
)

// Channels are all of them.
var Channels = []string{Customer, Mass, Subscribe, Template, Notice, SMS, Call, InApp, Event}

// Variables of texts.
const (
	varNickname = "nickname"
	varPoints   = "points"
	varNo       = "no" // member number
)

// Message is what is said, and by which channels, the preferred one first.
type Message struct {
	Text      string            `json:"text,omitempty" doc:"Text of customer and mass messages. Customer messages may use {{nickname}}, {{points}}, {{no}} and, for a radar link of the member's own, {{radar:7}} with its id, those of reminders what their kind knows too."`
	Fallbacks map[string]string `json:"fallbacks,omitempty" doc:"What stands in for a variable that the person has no value for."`
	Channels  []string          `json:"channels" doc:"customer, mass, subscribe, template, notice, sms, call, inbox, webhook: the preferred one first. template is for service messages alone."`
	Customer  *CustomerContent  `json:"customer,omitempty" doc:"The customer message, where it is more than text."`
	Account   string            `json:"account,omitempty" doc:"Official account that sends; the default one if empty."`
	Subscribe *SubscribeContent `json:"subscribe,omitempty"`
	Template  *TemplateContent  `json:"template,omitempty" doc:"Of a template message, and of a subscribe notice in notice."`
	Notice    *TemplateContent  `json:"notice,omitempty"`
	SMS       *PhoneContent     `json:"sms,omitempty" doc:"Absent: text. The brand's name before it, and for marketing the line on how to opt out behind it, are added where they are missing."`
	Call      *PhoneContent     `json:"call,omitempty" doc:"Absent: text."`
	Inbox     *InboxContent     `json:"inbox,omitempty"`
}

// PhoneContent is what an SMS or a call says.
type PhoneContent struct {
	Text     string   `json:"text,omitempty" doc:"Variables as in text."`
	Template string   `json:"template,omitempty" doc:"The provider's template, where it sends nothing else; text is then what it says."`
	Params   []string `json:"params,omitempty" doc:"Values of the template, in its order; with variables."`
}

// TemplateContent is what a template message or a subscribe notice of the official account carries.
type TemplateContent struct {
	TemplateID string            `json:"template_id"`
	URL        string            `json:"url,omitempty" doc:"Web page that it opens."`
	Page       string            `json:"page,omitempty" doc:"Page of the mini-program that it opens."`
	Data       map[string]string `json:"data" doc:"Field of the template to its value, with variables."`
}

// InboxContent is what stands with a message kept for the mini-program.
type InboxContent struct {
	Title string `json:"title,omitempty"`
	Page  string `json:"page,omitempty" doc:"Page of the mini-program that it opens."`
}

func (m *Message) has(channel string) bool { return slices.Contains(m.Channels, channel) }

// body is the text of a channel, as written.
func (m *Message) body(channel string) string {
	switch {
	case channel == SMS && m.SMS != nil && m.SMS.Text != "":
		return m.SMS.Text
	case channel == Call && m.Call != nil && m.Call.Text != "":
		return m.Call.Text
	}
	return m.Text
}

// content is the template of a channel with its fields.
func (m *Message) content(channel string) *TemplateContent {
	switch channel {
	case Subscribe:
		if c := m.Subscribe; c != nil {
			return &TemplateContent{TemplateID: c.TemplateID, Page: c.Page, Data: c.Data}
		}
	case Template:
		return m.Template
	case Notice:
		return m.Notice
	}
	return nil
}

// phone is what the provider gets beside the text.
func (m *Message) phone(channel string) PhoneContent {
	switch {
	case channel == SMS && m.SMS != nil:
		return *m.SMS
	case channel == Call && m.Call != nil:
		return *m.Call
	}
	return PhoneContent{}
}

// SubscribeContent is what a subscribe message carries.
type SubscribeContent struct {
	Account    string            `json:"account,omitempty" doc:"Mini-program that sends; the default one if empty."`
	TemplateID string            `json:"template_id"`
	Page       string            `json:"page,omitempty" doc:"Page of the mini-program; {{radar:7}} in it is the token of a radar link, as in pages/article?radar={{radar:7}}."`
	Data       map[string]string `json:"data" doc:"Field of the template, such as thing1, to its value."`
}

var variable = regexp.MustCompile(`\{\{\s*([^{}]*?)\s*\}\}`)

// variables are the names used in s, each once.
func variables(s string) []string {
	var names []string
	for _, m := range variable.FindAllStringSubmatch(s, -1) {
		if !slices.Contains(names, m[1]) {
			names = append(names, m[1])
		}
	}
	return names
}

// Uses reports whether the message has the variable anywhere.
func (m *Message) Uses(name string) bool {
	texts := []string{m.Text, m.body(SMS), m.body(Call)}
	if c := m.rich(); c != nil {
		texts = append(texts, c.Title, c.Description, c.Head, c.Tail)
	}
	for _, channel := range []string{Subscribe, Template, Notice} {
		if c := m.content(channel); c != nil {
			texts = slices.AppendSeq(texts, maps.Values(c.Data))
		}
	}
	texts = append(append(texts, m.phone(SMS).Params...), m.phone(Call).Params...)
	return slices.ContainsFunc(texts, func(s string) bool { return slices.Contains(variables(s), name) })
}

// fill puts a person's values into s. A value is never read for variables again.
func (m *Message) fill(s string, p *person) string {
	if !strings.Contains(s, "{{") {
		return s
	}
	return variable.ReplaceAllStringFunc(s, func(found string) string {
		name := variable.FindStringSubmatch(found)[1]
		if v := strings.TrimSpace(p.value(name)); v != "" {
			return v
		}
		return m.Fallbacks[name]
	})
}

func (p *person) value(name string) string {
	switch name {
	case varNickname:
		return p.nickname
	case varNo:
		return p.no
	case varPoints:
		if p.points != nil {
			return strconv.FormatInt(*p.points, 10)
		}
	default:
		return p.values[name]
	}
	return ""
}

// text is the text of a channel for a person, with his links.
func (m *Message) text(channel string, p *person, k links, runID int64) string {
	body, filler := m.body(channel), k.text
	if body != m.Text {
		filler = k.phone[channel]
	}
	return m.fill(filler.Text(body, runID, p.who), p)
}

// data are the fields of a template for a person, cut to what WeChat takes.
func (m *Message) data(c *TemplateContent, p *person) map[string]string {
	out := make(map[string]string, len(c.Data))
	for k, v := range c.Data {
		out[k] = v
		if strings.Contains(v, "{{") {
			out[k] = fieldRule(k).cut(m.fill(v, p))
		}
	}
	return out
}

// cut shortens s to n bytes without breaking a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
