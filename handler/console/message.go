package console

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/radar"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/app/reply"
	"github.com/siyu-scrm/siyu/model"
)

// A form may hold several messages: at is how the names of the controls of one begin, such as "s3." of a step and "" of a broadcast's own.
// Behind it they are called as in the message: text, channel, sms.text, notice.data.0.name.

// fallbackNames are the variables of a text.
var fallbackNames = []string{"nickname", "points", "no"}

// maxFields is how many fields a template may have.
const maxFields = 20

// messageView is what the form of a message offers.
type messageView struct {
	Channels []string
	OAs, MPs []choice // to choose the sender from, where there are several
	Links    []choice // variables of radar links
	Pages    []choice // of the mini-program, as the radar links have them
	Tracked  []choice // with the link's token
	Limits   map[string]int
	Kinds    []string // of customer messages
	Pictures []choice
}

// customerKinds are what a customer message can be; "" is the text.
var customerKinds = []string{"", reply.Image, reply.News, reply.Card, reach.Menu}

func (con *Console) messageView(c *gin.Context, channels ...string) (v messageView, err error) {
	v = messageView{Channels: channels, OAs: con.senders(model.KindOA), MPs: con.senders(model.KindMP), Limits: reach.FieldLimits(), Kinds: customerKinds}
	pictures, err := con.app.Media.List(c.Request.Context())
	if err != nil {
		return v, err
	}
	for _, p := range pictures {
		v.Pictures = append(v.Pictures, choice{strconv.FormatInt(p.ID, 10), p.Name})
	}
	links, err := con.app.Radar.List(c.Request.Context(), 100)
	for _, l := range links {
		variable := fmt.Sprintf("{{%s%d}}", radar.Variable, l.ID)
		v.Links = append(v.Links, choice{variable, l.Name})
		if l.Target == model.RadarPage {
			v.Pages = append(v.Pages, choice{l.URL, l.Name})
			join := "?"
			if strings.Contains(l.URL, "?") {
				join = "&"
			}
			v.Tracked = append(v.Tracked, choice{l.URL + join + "radar=" + variable, l.Name})
		}
	}
	return v, err
}

// senders are the accounts of a kind; none where there is no choice.
func (con *Console) senders(kind string) (out []choice) {
	for _, a := range con.app.Accounts {
		if a.Kind == kind {
			out = append(out, choice{a.Name, a.Name})
		}
	}
	if len(out) < 2 {
		return nil
	}
	return out
}

// Ranks number the channels that can be chosen.
func (v messageView) Ranks() []rowAt {
	out := make([]rowAt, len(v.Channels))
	for i := range out {
		out[i] = rowAt{i, i + 1}
	}
	return out
}

// Fallbacks are the variables that a person may have no value for.
func (messageView) Fallbacks() []string { return fallbackNames }

// Stands reports that something stands in for a missing value.
func (messageView) Stands(f *Form, at string) bool {
	return slices.ContainsFunc(fallbackNames, func(name string) bool { return f.Get(at+"."+name) != "" })
}

// Offers reports whether one of the channels can be chosen.
func (v messageView) Offers(channels ...string) bool {
	return slices.ContainsFunc(channels, func(c string) bool { return slices.Contains(v.Channels, c) })
}

// Nth numbers the rows of what a form repeats.
func (messageView) Nth(i int) int { return i + 1 }

// Fields number the rows of the fields of a template.
func (messageView) Fields(f *Form, at string) []int {
	return filled(f, at+"data.%d.name", 3, maxFields)
}

// writeMessage fills the controls of a message.
func writeMessage(v url.Values, at string, m reach.Message) {
	set := func(name, value string) { v.Set(at+name, value) }
	set("text", m.Text)
	set("account", m.Account)
	v[at+"channel"] = m.Channels
	for name, word := range m.Fallbacks {
		set("fallback."+name, word)
	}
	if r := m.Customer; r != nil {
		for name, value := range map[string]string{
			"kind": r.Kind, "image_id": some(r.ImageID), "title": r.Title, "description": r.Description, "url": r.URL, "path": r.Path, "head": r.Head,
			"choices": strings.Join(r.Choices, "\n"), "tail": r.Tail,
		} {
			set("customer."+name, value)
		}
	}
	if s := m.Subscribe; s != nil {
		set("subscribe.account", s.Account)
		writeTemplate(v, at+reach.Subscribe, &reach.TemplateContent{TemplateID: s.TemplateID, Page: s.Page, Data: s.Data})
	}
	writeTemplate(v, at+reach.Template, m.Template)
	writeTemplate(v, at+reach.Notice, m.Notice)
	writePhone(v, at+reach.SMS, m.SMS)
	writePhone(v, at+reach.Call, m.Call)
	if m.Inbox != nil {
		set("inbox.title", m.Inbox.Title)
		set("inbox.page", m.Inbox.Page)
	}
}

func writeTemplate(v url.Values, at string, t *reach.TemplateContent) {
	if t == nil {
		return
	}
	v.Set(at+".template_id", t.TemplateID)
	v.Set(at+".url", t.URL)
	v.Set(at+".page", t.Page)
	for i, name := range slices.Sorted(maps.Keys(t.Data)) {
		v.Set(fmt.Sprintf("%s.data.%d.name", at, i), name)
		v.Set(fmt.Sprintf("%s.data.%d.value", at, i), t.Data[name])
	}
}

func writePhone(v url.Values, at string, p *reach.PhoneContent) {
	if p == nil {
		return
	}
	v.Set(at+".text", p.Text)
	v.Set(at+".template", p.Template)
	v.Set(at+".params", strings.Join(p.Params, "\n"))
}

// readMessage reads the controls of a message: what belongs to a channel that is not chosen is left. path is where the use case has it.
func (con *Console) readMessage(f *Form, at, path string) (m reach.Message, err error) {
	m.Channels = slices.DeleteFunc(slices.Clone(f.Values[at+"channel"]), func(c string) bool { return c == "" })
	chosen := func(channels ...string) bool {
		return slices.ContainsFunc(channels, func(c string) bool { return slices.Contains(m.Channels, c) })
	}
	f.from(path+".channels", at+"channel")
	f.from(path+".text", at+"text")
	f.from(path+".fallbacks", at+"fallback")
	if insert := f.Get(at + "insert"); insert != "" { // where no script has put it at the cursor
		f.Set(at+"text", strings.TrimSpace(f.Get(at+"text")+" "+insert))
		f.Del(at + "insert")
	}
	if len(m.Channels) == 0 || chosen(reach.Customer, reach.Mass, reach.SMS, reach.Call, reach.InApp, reach.Event) {
		m.Text = f.long(at + "text")
	}
	for _, name := range fallbackNames {
		if word := f.Get(at + "fallback." + name); word != "" {
			if m.Fallbacks == nil {
				m.Fallbacks = map[string]string{}
			}
			m.Fallbacks[name] = word
		}
	}
	f.from(path+".account", at+"account")
	f.from(path+".subscribe.account", at+"subscribe.account")
	m.Account = f.Get(at + "account")
	if chosen(reach.Customer) {
		if m.Customer, err = f.customer(at+reach.Customer, path+"."+reach.Customer); err != nil {
			return m, err
		}
	}
	templates := map[string]*reach.TemplateContent{}
	for _, c := range []string{reach.Subscribe, reach.Template, reach.Notice} {
		if chosen(c) {
			if templates[c], err = f.template(at+c, path+"."+c); err != nil {
				return m, err
			}
		}
	}
	m.Template, m.Notice = templates[reach.Template], templates[reach.Notice]
	if t := templates[reach.Subscribe]; t != nil {
		m.Subscribe = &reach.SubscribeContent{Account: f.Get(at + "subscribe.account"), TemplateID: t.TemplateID, Page: t.Page, Data: t.Data}
	}
	if chosen(reach.SMS) {
		m.SMS = f.phone(at+reach.SMS, path+"."+reach.SMS)
	}
	if chosen(reach.Call) {
		m.Call = f.phone(at+reach.Call, path+"."+reach.Call)
	}
	if title, page := f.Get(at+"inbox.title"), f.Get(at+"inbox.page"); chosen(reach.InApp) && title+page != "" {
		f.from(path+".inbox.title", at+"inbox.title")
		f.from(path+".inbox.page", at+"inbox.page")
		m.Inbox = &reach.InboxContent{Title: title, Page: page}
	}
	return m, nil
}

// long is a text of several lines.
func (f *Form) long(name string) string {
	return strings.ReplaceAll(f.Get(name), "\r\n", "\n")
}

// customer reads a customer message; nil for one of text. What does not belong to its kind is left.
func (f *Form) customer(at, path string) (*reach.CustomerContent, error) {
	get := func(name string) string {
		f.from(path+"."+name, at+"."+name)
		return f.long(at + "." + name)
	}
	m := &reach.CustomerContent{Kind: get("kind")}
	switch m.Kind {
	case "":
		return nil, nil
	case reply.News:
		m.Title, m.Description, m.URL = get("title"), get("description"), get("url")
	case reply.Card:
		m.Title, m.Path = get("title"), get("path")
	case reach.Menu:
		m.Head, m.Choices, m.Tail = get("head"), lines(get("choices")), get("tail")
		return m, nil
	}
	f.from(path+".image_id", at+".image_id")
	var err error
	m.ImageID, err = f.ID(at + ".image_id")
	return m, err
}

// template reads a template with its fields.
func (f *Form) template(at, path string) (*reach.TemplateContent, error) {
	t := &reach.TemplateContent{TemplateID: f.Get(at + ".template_id"), URL: f.Get(at + ".url"), Page: f.Get(at + ".page"), Data: map[string]string{}}
	for _, name := range []string{"template_id", "url", "page"} {
		f.from(path+"."+name, at+"."+name)
	}
	f.from(path, at+".template_id")
	f.from(path+".data", at+".data.0.name")
	for i := range maxFields {
		row := at + ".data." + strconv.Itoa(i)
		name, value := f.Get(row+".name"), f.Get(row+".value")
		_, twice := t.Data[name]
		switch {
		case name == "" && value == "":
			continue
		case name == "" || twice:
			return nil, errs.Field(row+".name", "console.field_name")
		}
		t.Data[name] = value
		f.from(path+".data."+name, row+".value")
	}
	return t, nil
}

// phone reads what goes to a number; nil for what is as the text says.
func (f *Form) phone(at, path string) *reach.PhoneContent {
	p := &reach.PhoneContent{Text: f.long(at + ".text"), Template: f.Get(at + ".template"), Params: lines(f.Get(at + ".params"))}
	for _, name := range []string{"text", "template", "params"} {
		f.from(path+"."+name, at+"."+name)
	}
	if p.Text+p.Template == "" && p.Params == nil {
		return nil
	}
	return p
}
