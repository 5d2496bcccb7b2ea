package reach

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/radar"
	"github.com/siyu-scrm/siyu/app/reply"
	"github.com/siyu-scrm/siyu/model"
)

// Bounds of a text (FACTS §3.3).
const (
	maxChars = 600
	maxBytes = 2048
)

// Validate refuses, as errs.Field with a path below "message", what could not be sent. own are variables that the source of the run
// always has a value for: they need no fallback.
func Validate(class string, m Message, own ...string) error {
	if len(m.Channels) == 0 {
		return errs.Field("message.channels", "reach.no_channel")
	}
	for i, c := range m.Channels {
		switch {
		case !slices.Contains(Channels, c):
			return errs.Field("message.channels", "reach.unknown_channel", "channel", c)
		case slices.Contains(m.Channels[:i], c):
			return errs.Field("message.channels", "reach.channel_twice", "channel", c)
		case c == Template && class == model.ClassMarketing:
			return errs.Field("message.channels", "reach.template_marketing")
		}
	}
	for name, v := range m.Fallbacks {
		if !known(name) {
			return unknown("message.fallbacks", name, nil)
		}
		if strings.Contains(v, "{{") || utf8.RuneCountInString(v) > 32 {
			return errs.Field("message.fallbacks", "reach.bad_fallback", "variable", name)
		}
	}
	if err := m.validateText(own); err != nil {
		return err
	}
	for _, check := range []func([]string) error{m.validateCustomer, m.validateSubscribe, m.validateTemplates, m.validatePhone, m.validateInbox} {
		if err := check(own); err != nil {
			return err
		}
	}
	return nil
}

// common are the variables that every message may use.
var common = []string{varNickname, varPoints, varNo}

func known(name string) bool { return slices.Contains(common, name) }

func unknown(field, name string, own []string) error {
	return errs.Field(field, "reach.unknown_variable", "variable", name, "known", strings.Join(slices.Concat(common, own), ", "))
}

func (m *Message) validateText(own []string) error {
	needed := m.has(Mass) || m.has(InApp) || m.has(Event) || m.has(Customer) && m.Customer == nil
	switch {
	case needed && strings.TrimSpace(m.Text) == "":
		return errs.Field("message.text", "reach.empty_text")
	case utf8.RuneCountInString(m.Text) > maxChars || len(m.Text) > maxBytes:
		return errs.Field("message.text", "reach.long_text", "limit", maxChars)
	case slices.Contains(m.Channels, Mass) && strings.Contains(m.Text, "{{"):
		return errs.Field("message.text", "reach.mass_variable")
	}
	return m.validateVariables("message.text", m.Text, own)
}

func isText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' && r != '\r' })
}

func (m *Message) validateVariables(field, s string, own []string) error {
	if !isText(s) {
		return errs.Field(field, "reach.not_text")
	}
	for _, name := range variables(s) {
		if slices.Contains(own, name) || (field == "message.text" || field == "message.sms.text") && radar.IsVariable(name) {
			continue
		}
		if !known(name) {
			return unknown(field, name, own)
		}
		if strings.TrimSpace(m.Fallbacks[name]) == "" {
			return errs.Field(field, "reach.no_fallback", "variable", name)
		}
	}
	if rest := variable.ReplaceAllString(s, ""); strings.Contains(rest, "{{") || strings.Contains(rest, "}}") {
		return errs.Field(field, "reach.open_braces")
	}
	return nil
}

var (
	templateRule = regexp.MustCompile(`^[0-9A-Za-z_-]{1,64}$`)
	nameRule     = regexp.MustCompile(`^[a-z_]+[0-9]*$`)
)

func (m *Message) validateSubscribe(own []string) error {
	const at = "message.subscribe"
	if !slices.Contains(m.Channels, Subscribe) {
		return nil
	}
	c := m.content(Subscribe)
	if c != nil && strings.Contains(c.Page, "{{") && slices.ContainsFunc(variables(c.Page), func(name string) bool { return !radar.IsVariable(name) }) {
		return errs.Field(at+".page", "reach.page_variable")
	}
	return m.validateContent(at, c, own)
}

// validateContent checks a template with its fields.
func (m *Message) validateContent(at string, c *TemplateContent, own []string) error {
	switch {
	case c == nil:
		return errs.Field(at, "reach.no_subscribe")
	case !templateRule.MatchString(c.TemplateID):
		return errs.Field(at+".template_id", "reach.bad_template")
	case strings.HasPrefix(c.Page, "/") || len(c.Page) > 1024:
		return errs.Field(at+".page", "reach.bad_page")
	case c.URL != "" && !reply.WebURL(c.URL):
		return errs.Field(at+".url", "reach.bad_url")
	case len(c.Data) == 0 || len(c.Data) > 20:
		return errs.Field(at+".data", "reach.no_data")
	}
	for k, v := range c.Data {
		field := at + ".data." + k
		if !nameRule.MatchString(k) {
			return errs.Field(field, "reach.bad_field", "name", k)
		}
		if strings.TrimSpace(v) == "" {
			return errs.Field(field, "reach.empty_field", "name", k)
		}
		if err := m.validateVariables(field, v, own); err != nil {
			return err
		}
		if r := fieldRule(k); !strings.Contains(v, "{{") && !r.fits(v) {
			return errs.Field(field, "reach.field_value", "name", k, "limit", r.max)
		}
	}
	return nil
}

// validateTemplates checks what the official account sends by templates.
func (m *Message) validateTemplates(own []string) error {
	for _, channel := range []string{Template, Notice} {
		if !slices.Contains(m.Channels, channel) {
			continue
		}
		at, c := "message."+channel, m.content(channel)
		if c != nil && strings.Contains(c.Page+c.URL, "{{") {
			return errs.Field(at+".page", "reach.template_page")
		}
		if err := m.validateContent(at, c, own); err != nil {
			return err
		}
	}
	return nil
}

// Bounds of what goes to phone numbers, in characters. An SMS of more than 70 is paid for as several; none is longer than 500 with the
// brand's name and the line on how to opt out (Tencent Cloud's rule for China, and that of its peers).
const (
	smsChars  = 500
	callChars = 500
	params    = 10
)

// validatePhone checks SMS and calls but for what the settings say: see CheckTx.
func (m *Message) validatePhone(own []string) error {
	for channel, limit := range map[string]int{SMS: smsChars, Call: callChars} {
		if !slices.Contains(m.Channels, channel) {
			continue
		}
		field, body, c := "message.text", m.body(channel), m.phone(channel)
		if c.Text != "" {
			field = "message." + channel + ".text"
		}
		switch {
		case strings.TrimSpace(body) == "":
			return errs.Field(field, "reach.empty_text")
		case utf8.RuneCountInString(body) > limit:
			return errs.Field(field, "reach.long_phone", "limit", limit)
		case c.Template != "" && !templateRule.MatchString(c.Template):
			return errs.Field("message."+channel+".template", "reach.bad_template")
		case len(c.Params) > params:
			return errs.Field("message."+channel+".params", "reach.many_params", "limit", params)
		}
		for _, s := range append([]string{body}, c.Params...) {
			if err := m.validateVariables(field, s, own); err != nil {
				return err
			}
		}
	}
	return nil
}

const maxTitle = 64 // characters

func (m *Message) validateInbox(own []string) error {
	if c := m.Inbox; c != nil && slices.Contains(m.Channels, InApp) {
		switch {
		case utf8.RuneCountInString(c.Title) > maxTitle:
			return errs.Field("message.inbox.title", "reach.long_title", "limit", maxTitle)
		case strings.HasPrefix(c.Page, "/") || len(c.Page) > 1024 || strings.Contains(c.Page, "{{"):
			return errs.Field("message.inbox.page", "reach.bad_page")
		}
		return m.validateVariables("message.inbox.title", c.Title, own)
	}
	return nil
}
