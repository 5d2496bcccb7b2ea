package reply

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/media"
	"github.com/siyu-scrm/siyu/model"
)

// Kinds of messages.
const (
	Text     = "text"
	Image    = "image"
	News     = "news"    // one article
	Card     = "card"    // a mini-program card: never a passive reply
	HandOver = "service" // hands the person over to human service: always the passive reply
)

// Message is one message of an answer. Each kind reads its own fields.
type Message struct {
	Kind        string `json:"kind"`
	Text        string `json:"text,omitempty"`
	ImageID     int64  `json:"image_id,string,omitempty"` // of the library: the image, the picture of an article or of a card
	Title       string `json:"title,omitempty"`
	Description string `json:"description,omitempty"`
	URL         string `json:"url,omitempty"`
	PicURL      string `json:"pic_url,omitempty"`  // of an article whose picture is elsewhere
	Material    string `json:"material,omitempty"` // an image that WeChat keeps for good, by its media id, as the import finds them
	Path        string `json:"path,omitempty"`     // of a card
	Agent       string `json:"agent,omitempty"`    // the customer-service account; "" = anyone
}

// WeChat's limits (FACTS 2.4, 3.3). Those of titles and descriptions are what WeChat shows of them.
const (
	maxText        = 2048 // bytes
	MaxTitle       = 64   // characters
	MaxDescription = 120  // characters
	maxURL         = 1024 // bytes
	maxPath        = 255  // characters
)

var materialRule = regexp.MustCompile(`^[0-9A-Za-z_-]{1,128}$`)

var agentRule = regexp.MustCompile(`^[0-9A-Za-z_]{1,32}@[0-9A-Za-z_-]{1,32}$`)

// Check refuses what WeChat would, naming the limit; field is the path of the message in the input.
func (m *Message) Check(field string) error {
	for _, s := range []string{m.Text, m.Title, m.Description, m.URL, m.PicURL, m.Path} {
		if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' && r != '\r' }) {
			return errs.Field(field, "reply.not_text")
		}
	}
	switch m.Kind {
	case Text:
		if strings.TrimSpace(m.Text) == "" || len(m.Text) > maxText {
			return errs.Field(field+".text", "reply.text", "limit", maxText)
		}
	case Image:
		if m.ImageID <= 0 && !materialRule.MatchString(m.Material) {
			return errs.Field(field+".image_id", "reply.image")
		}
	case News:
		return m.checkArticle(field)
	case Card:
		if err := m.checkTitle(field); err != nil {
			return err
		}
		if m.Path == "" || strings.HasPrefix(m.Path, "/") || utf8.RuneCountInString(m.Path) > maxPath {
			return errs.Field(field+".path", "reply.path", "limit", maxPath)
		}
	case HandOver:
		if m.Agent != "" && !agentRule.MatchString(m.Agent) {
			return errs.Field(field+".agent", "reply.agent")
		}
	default:
		return errs.Field(field+".kind", "reply.kind")
	}
	return nil
}

// linkRule is a tracked link as the address of an article.
var linkRule = regexp.MustCompile(`^\{\{\s*radar:[0-9]{1,18}\s*\}\}$`)

var (
	linksOf  = regexp.MustCompile(`\{\{\s*radar:[0-9]{1,18}\s*\}\}`)
	variable = regexp.MustCompile(`\{\{[^{}]*\}\}|\{\{|\}\}`)
)

// CheckTx refuses what nothing stands for: tracked links that are not there, and anything else in double braces. links may be nil: there
// are none. at is the path, in the input, of a part of the message: text, url, title, description or path.
func (m *Message) CheckTx(tx *gorm.DB, links Links, at func(part string) string) error {
	text, address := m.Text, m.URL
	if links != nil { // the only variables, and only there
		text, address = linksOf.ReplaceAllString(text, ""), linksOf.ReplaceAllString(address, "")
	}
	for _, in := range [][2]string{{"text", text}, {"url", address}, {"title", m.Title}, {"description", m.Description}, {"path", m.Path}} {
		if found := variable.FindString(in[1]); found != "" {
			return errs.Field(at(in[0]), "reply.variable", "variable", found, "known", "{{radar:7}}")
		}
	}
	if links == nil {
		return nil
	}
	err := links.CheckTx(tx, at("text"), m.Text, maxText)
	if err == nil && m.Kind == News {
		err = links.CheckTx(tx, at("url"), m.URL, maxURL)
	}
	return err
}

// linked is the message with the links of one member.
func (s *Service) linked(tx *gorm.DB, m Message, memberID int64) (Message, error) {
	if s.Links == nil || !strings.Contains(m.Text+m.URL, "{{") {
		return m, nil
	}
	var err error
	if m.Text, err = s.Links.FillTx(tx, m.Text, memberID, false); err == nil && m.Kind == News {
		m.URL, err = s.Links.FillTx(tx, m.URL, memberID, true)
	}
	return m, err
}

func (m *Message) checkTitle(field string) error {
	if m.Title == "" || utf8.RuneCountInString(m.Title) > MaxTitle {
		return errs.Field(field+".title", "reply.title", "limit", MaxTitle)
	}
	return nil
}

func (m *Message) checkArticle(field string) error {
	if err := m.checkTitle(field); err != nil {
		return err
	}
	switch {
	case utf8.RuneCountInString(m.Description) > MaxDescription:
		return errs.Field(field+".description", "reply.description", "limit", MaxDescription)
	case !WebURL(m.URL) && !linkRule.MatchString(m.URL):
		return errs.Field(field+".url", "reply.url", "limit", maxURL)
	case m.PicURL != "" && !WebURL(m.PicURL):
		return errs.Field(field+".pic_url", "reply.url", "limit", maxURL)
	}
	return nil
}

// WebURL reports whether s is an http or https address that WeChat takes.
func WebURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && len(s) <= maxURL
}

// Trim takes away spaces around what people type.
func (m *Message) Trim() {
	m.Text = strings.TrimSpace(m.Text)
	for _, s := range []*string{&m.Title, &m.Description, &m.URL, &m.PicURL, &m.Path, &m.Agent} {
		*s = strings.TrimSpace(*s)
	}
}

// Refs are the pictures of messages, for media.UseTx.
func Refs(list []Message, field string) []media.Ref {
	var refs []media.Ref
	for i, m := range list {
		form := model.MediaTemporary
		if m.Kind == News {
			form = model.MediaURL
		}
		if m.ImageID > 0 {
			refs = append(refs, media.Ref{Field: fmt.Sprintf("%s[%d].image_id", field, i), ID: m.ImageID, Form: form})
		}
	}
	return refs
}
