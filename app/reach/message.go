package reach

import (
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
)

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
	Channels  []string          `json:"channels" doc:"customer, mass, subscribe: the preferred one first."`
	Account   string            `json:"account,omitempty" doc:"Official account that sends; the default one if empty."`
	Subscribe *SubscribeContent `json:"subscribe,omitempty"`
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
	if slices.Contains(variables(m.Text), name) {
		return true
	}
	if m.Subscribe != nil {
		for _, v := range m.Subscribe.Data {
			if slices.Contains(variables(v), name) {
				return true
			}
		}
	}
	return false
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

// text is the text for a person, cut to what WeChat takes.
func (m *Message) text(p *person, k links, runID int64) string {
	return cut(m.fill(k.text.Text(m.Text, runID, p.who), p), maxBytes)
}

// data are the subscribe fields for a person, cut to what WeChat takes.
func (m *Message) data(p *person) map[string]string {
	out := make(map[string]string, len(m.Subscribe.Data))
	for k, v := range m.Subscribe.Data {
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
