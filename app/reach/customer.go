package reach

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"unicode/utf8"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/media"
	"github.com/siyu-scrm/siyu/app/radar"
	"github.com/siyu-scrm/siyu/app/reply"
	"github.com/siyu-scrm/siyu/app/wechat"
	"github.com/siyu-scrm/siyu/model"
)

// Menu is the kind of customer message that offers choices; the others are those of replies.
const Menu = "menu"

// CustomerContent is a customer message that is not text.
type CustomerContent struct {
	Kind        string   `json:"kind" enum:"image,news,card,menu" doc:"image: a picture; news: one article; card: a page of the mini-program; menu: choices to tap."`
	ImageID     int64    `json:"image_id,string,omitempty" doc:"Of the library of pictures: the image, the picture of an article or of a card. siyu uploads it anew before WeChat forgets it."`
	Title       string   `json:"title,omitempty" doc:"news, card: 1 to 64 characters, with variables."`
	Description string   `json:"description,omitempty" doc:"news: at most 120 characters, with variables."`
	URL         string   `json:"url,omitempty" doc:"news: the web page, or a radar link such as {{radar:7}} alone."`
	Path        string   `json:"path,omitempty" doc:"card: the page; {{radar:7}} in it is the token of a radar link."`
	Head        string   `json:"head,omitempty" doc:"menu: what stands above the choices, with variables; at most 600 characters."`
	Choices     []string `json:"choices,omitempty" maxItems:"10" doc:"menu: 1 to 10 of at most 64 characters. Who taps one says its text: keywords answer it and conditions see it."`
	Tail        string   `json:"tail,omitempty" doc:"menu: what stands below them."`
}

const (
	maxChoices = 10
	maxChoice  = 64 // characters
)

// rich is the customer message that is not text; nil for text.
func (m *Message) rich() *CustomerContent {
	if m.has(Customer) {
		return m.Customer
	}
	return nil
}

// ref is its picture.
func (c *CustomerContent) ref() media.Ref {
	r := media.Ref{Field: "message.customer.image_id", ID: c.ImageID, Form: model.MediaTemporary}
	if c.Kind == reply.News {
		r.Form = model.MediaURL
	}
	return r
}

// pictured reports whether a call needs WeChat's name of a picture. A card without one shows that of all cards.
func (c *CustomerContent) pictured() bool { return c.ImageID > 0 || c.Kind == reply.Card }

func (m *Message) validateCustomer(own []string) error {
	const at = "message.customer"
	c := m.rich()
	if c == nil {
		return nil
	}
	if c.Kind == Menu {
		if err := c.validateMenu(at); err != nil {
			return err
		}
	} else {
		if c.Kind == reply.Text || c.Kind == reply.HandOver {
			return errs.Field(at+".kind", "reach.customer_kind")
		}
		as := reply.Message{Kind: c.Kind, ImageID: c.ImageID, Title: c.Title, Description: c.Description, URL: c.URL, Path: c.Path}
		if err := as.Check(at); err != nil {
			return err
		}
	}
	for _, name := range variables(c.Path) {
		if !radar.IsVariable(name) {
			return errs.Field(at+".path", "reach.page_variable")
		}
	}
	for field, s := range map[string]string{".title": c.Title, ".description": c.Description, ".head": c.Head, ".tail": c.Tail} {
		if err := m.validateVariables(at+field, s, own); err != nil {
			return err
		}
	}
	return nil
}

func (c *CustomerContent) validateMenu(at string) error {
	if len(c.Choices) == 0 || len(c.Choices) > maxChoices {
		return errs.Field(at+".choices", "reach.choices", "limit", maxChoices)
	}
	seen := map[string]bool{}
	for i, s := range c.Choices {
		field := fmt.Sprintf("%s.choices[%d]", at, i)
		switch {
		case strings.TrimSpace(s) == "" || utf8.RuneCountInString(s) > maxChoice || strings.Contains(s, "{{") || !isText(s) || strings.ContainsAny(s, "\r\n"):
			return errs.Field(field, "reach.choice", "limit", maxChoice)
		case seen[s]:
			return errs.Field(field, "reach.choice_twice")
		}
		seen[s] = true
	}
	if c.size() > maxBytes || utf8.RuneCountInString(c.Head) > maxChars || utf8.RuneCountInString(c.Tail) > maxChars {
		return errs.Field(at+".head", "reach.long_text", "limit", maxChars)
	}
	return nil
}

// size is how long a menu is, in bytes.
func (c *CustomerContent) size() int {
	return len(c.Head) + len(c.Tail) + len(strings.Join(c.Choices, ""))
}

// filled is the content for a person, cut to what WeChat takes.
func (m *Message) filled(c *CustomerContent, p *person, k links, runID int64) *CustomerContent {
	out := *c
	out.Title, out.Description = m.within(c.Title, p, reply.MaxTitle), m.within(c.Description, p, reply.MaxDescription)
	out.Head, out.Tail = m.fill(c.Head, p), m.fill(c.Tail, p)
	if over := out.size() - maxBytes; over > 0 {
		out.Head = cut(out.Head, max(0, len(out.Head)-over))
	}
	out.URL, out.Path = k.customer.Address(c.URL, runID, p.who), k.customer.Token(c.Path, runID, p.who)
	return &out
}

func (m *Message) within(s string, p *person, limit int) string {
	if s = m.fill(s, p); utf8.RuneCountInString(s) > limit {
		return string([]rune(s)[:limit])
	}
	return s
}

// short is what the content says in one line, for lists.
func (c *CustomerContent) short() string {
	switch c.Kind {
	case Menu:
		return strings.Join(append([]string{c.Head}, c.Choices...), " ▸ ")
	case reply.Image:
		return "[图片]"
	}
	return c.Title
}

// Say is what a message says, in one line.
func (m *Message) Say() string {
	if c := m.rich(); c != nil && m.Text == "" {
		return c.short()
	}
	return m.Text
}

// UseTx notes which pictures a source ("sop", 3) sends with these messages, and with those of its runs that are not over: they stay in
// the library and are uploaded anew. One that is not there is refused.
func (s *Service) UseTx(tx *gorm.DB, source string, id int64, messages ...Message) error {
	if s.o.Media == nil {
		return nil
	}
	var runs []model.JSON
	err := tx.Model(&model.Run{}).Where("source = ? AND source_id = ? AND state IN ?", source, id, []string{model.RunSending, model.RunMassing}).
		Pluck("message", &runs).Error
	if err != nil {
		return fmt.Errorf("reach: pictures: %w", err)
	}
	for _, raw := range runs {
		var m Message
		if err := raw.Into(&m); err != nil {
			return fmt.Errorf("reach: pictures: %w", err)
		}
		messages = append(messages, m)
	}
	var refs []media.Ref
	for _, m := range messages {
		if c := m.rich(); c != nil && c.ImageID > 0 {
			refs = append(refs, c.ref())
		}
	}
	return s.o.Media.UseTx(tx, fmt.Sprintf("%s:%d", source, id), refs)
}

// picture is WeChat's name of the picture of a batch's customer messages, asked for once.
type picture struct {
	s       *Service
	account string
	c       *CustomerContent
	mu      sync.Mutex
	value   string
	err     error
}

// copy is the name; one that WeChat did not know is not given again.
func (p *picture) copy(ctx context.Context, dead string) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil || p.value != "" && p.value != dead {
		return p.value, p.err
	}
	if dead != "" {
		if p.err = p.s.o.Media.Dead(ctx, p.account, dead); p.err != nil {
			return "", p.err
		}
	}
	p.value, p.err = p.s.o.Media.Copy(ctx, p.account, p.c.ImageID, p.c.ref().Form)
	return p.value, p.err
}

// errNoPicture is a picture that could not be uploaded: no message was sent.
type errNoPicture struct{ error }

func (e errNoPicture) Unwrap() error { return e.error }

// sendRich makes the call of a customer message that is not text. WeChat's "no such media" says that nothing was sent: it gets a fresh copy.
func (s *Service) sendRich(ctx context.Context, p *picture, i *item) error {
	c, id := i.rich, ""
	for again := range 2 {
		if c.pictured() {
			var err error
			if id, err = p.copy(ctx, id); err != nil {
				return errNoPicture{err}
			}
		}
		err := s.sendOne(ctx, i, c, id)
		if again == 1 || !c.pictured() || wechat.CodeOf(err) != noSuchMedia {
			return err
		}
	}
	return nil
}

const noSuchMedia = 40007

func (s *Service) sendOne(ctx context.Context, i *item, c *CustomerContent, picture string) error {
	switch c.Kind {
	case reply.Image:
		return s.sender.SendImage(ctx, i.account, i.to.openid, picture)
	case reply.News:
		return s.sender.SendNews(ctx, i.account, i.to.openid, wechat.Article{Title: c.Title, Description: c.Description, URL: c.URL, PicURL: picture})
	case reply.Card:
		return s.sender.SendMiniProgramCard(ctx, i.account, i.to.openid, wechat.Card{Title: c.Title, AppID: s.o.MPAppID, Path: c.Path, ThumbMediaID: picture})
	}
	return s.sender.SendMenu(ctx, i.account, i.to.openid, wechat.MessageMenu{Head: c.Head, Choices: c.Choices, Tail: c.Tail})
}
