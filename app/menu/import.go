package menu

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/db"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/reply"
	"github.com/siyu-scrm/siyu/model"
)

// Imported is what became of one thing that the brand had in WeChat's console.
type Imported struct {
	What  string         `json:"what"` // menu | button | follow | default | keyword
	Name  string         `json:"name"`
	State string         `json:"state"`         // made | known | lost
	Key   string         `json:"key,omitempty"` // why it is lost: the key of a sentence, with its facts
	Args  map[string]any `json:"args,omitempty"`
}

// States of an import.
const (
	Made  = "made"
	Known = "known" // siyu has one of that name already: it is left alone
	Lost  = "lost"  // cannot be had by the API; Key says why
)

// Import takes over the menu and the auto-replies of an account as WeChat has them now: connecting a server switched them off. The menu
// becomes the menu for everyone here, to be looked at and published; what cannot be taken over is named. It may be repeated.
func (s *Service) Import(ctx context.Context, account string) ([]Imported, error) {
	if err := s.known(account); err != nil {
		return nil, err
	}
	var menu consoleMenu
	var auto consoleReplies
	raw, err := s.WeChat.CurrentMenu(ctx, account)
	if err == nil {
		err = json.Unmarshal(raw, &menu)
	}
	if err != nil {
		return nil, err
	}
	if raw, err = s.WeChat.CurrentReplies(ctx, account); err == nil {
		err = json.Unmarshal(raw, &auto)
	}
	if err != nil {
		return nil, err
	}
	im := &importer{}
	buttons := im.menu(menu)
	im.autoReplies(auto)
	return db.Do(ctx, s.DB, func(_ context.Context, tx *gorm.DB) ([]Imported, error) {
		return s.keep(tx, account, buttons, *im)
	})
}

// importer collects what siyu makes of the answers.
type importer struct {
	rules []reply.Rule
	done  []Imported
}

func (im *importer) lose(what, name, key string) {
	im.done = append(im.done, Imported{What: what, Name: name, State: Lost, Key: key})
}

// keep writes the menu and the replies in one transaction.
func (s *Service) keep(tx *gorm.DB, account string, buttons []Button, im importer) ([]Imported, error) {
	out := append([]Imported{}, im.done...)
	if len(buttons) > 0 {
		what := Imported{What: "menu", State: Made}
		for i := range buttons {
			s.fill(&buttons[i])
		}
		err := check(buttons)
		if err == nil {
			_, err = s.saveTx(tx, account, Menu{Buttons: buttons})
		}
		if what, err = lost(what, err); err != nil {
			return nil, err
		}
		out = append(out, what)
	}
	for _, r := range im.rules {
		what := Imported{What: r.Trigger, Name: r.Name, State: Known}
		made, err := s.Replies.AddTx(tx, r)
		if made {
			what.State = Made
		}
		if what, err = lost(what, err); err != nil {
			return nil, err
		}
		out = append(out, what)
	}
	return out, remember(tx, account, out)
}

// remember keeps what became of the import, for the page of the menu.
func remember(tx *gorm.DB, account string, list []Imported) error {
	row := model.MenuState{Account: account, Published: model.JSON("null"), Imported: model.ToJSON(list), LeaseTill: clock.Real()}
	dup, err := db.Insert(tx, &row)
	if dup {
		err = tx.Model(&model.MenuState{}).Where("account = ?", account).Update("imported", row.Imported).Error
	}
	if err != nil {
		return fmt.Errorf("menu: import: %w", err)
	}
	return nil
}

// lost turns a refusal into the reason why a thing was not taken over.
func lost(what Imported, err error) (Imported, error) {
	var e *errs.Error
	if errors.As(err, &e) {
		what.State, what.Key, what.Args = Lost, e.Key, e.Args
		return what, nil
	}
	return what, err
}

// consoleMenu is the answer of get_current_selfmenu_info.
type consoleMenu struct {
	Open int `json:"is_menu_open"`
	Info struct {
		Buttons []consoleButton `json:"button"`
	} `json:"selfmenu_info"`
}

type consoleButton struct {
	Button
	Value string      `json:"value"`
	News  consoleNews `json:"news_info"`
	Sub   struct {
		List []consoleButton `json:"list"`
	} `json:"sub_button"`
}

type consoleNews struct {
	List []struct {
		Title   string `json:"title"`
		Digest  string `json:"digest"`
		Cover   string `json:"cover_url"`
		Content string `json:"content_url"`
	} `json:"list"`
}

func (im *importer) menu(m consoleMenu) []Button {
	if m.Open == 0 {
		return nil
	}
	return im.buttons(m.Info.Buttons, "")
}

func (im *importer) buttons(list []consoleButton, above string) []Button {
	var out []Button
	for i, b := range list {
		place := fmt.Sprintf("%s%d", above, i+1)
		if len(b.Sub.List) > 0 {
			if sub := im.buttons(b.Sub.List, place+"_"); len(sub) > 0 {
				out = append(out, Button{Name: b.Name, Sub: sub})
			}
			continue
		}
		if made, ok := im.button(b, place); ok {
			out = append(out, made)
		}
	}
	return out
}

// button turns what only WeChat's console can make into what the API knows: a text becomes a reply to the button's key.
func (im *importer) button(b consoleButton, place string) (Button, bool) {
	switch b.Type {
	case "text":
		key := "MENU_" + place
		im.rule(b.Name, model.ReplyClick, "", []string{key}, model.ReplyAll, true, []reply.Message{{Kind: reply.Text, Text: b.Value}})
		return Button{Name: b.Name, Type: TypeClick, Key: key}, true
	case "img", "voice":
		return Button{Name: b.Name, Type: "media_id", MediaID: b.Value}, true
	case "video":
		return Button{Name: b.Name, Type: TypeView, URL: b.Value}, true
	case "news":
		if len(b.News.List) == 0 {
			im.lose("button", b.Name, "menu.lost_kind")
			return Button{}, false
		}
		return Button{Name: b.Name, Type: TypeView, URL: b.News.List[0].Content}, true
	}
	b.Button.Sub = nil
	return b.Button, true
}

// consoleReplies is the answer of get_current_autoreply_info.
type consoleReplies struct {
	FollowOpen int           `json:"is_add_friend_reply_open"`
	Open       int           `json:"is_autoreply_open"`
	Follow     *consoleReply `json:"add_friend_autoreply_info"`
	Default    *consoleReply `json:"message_default_autoreply_info"`
	Keywords   struct {
		List []struct {
			Name    string           `json:"rule_name"`
			Mode    string           `json:"reply_mode"`
			Words   []consoleKeyword `json:"keyword_list_info"`
			Answers []consoleReply   `json:"reply_list_info"`
		} `json:"list"`
	} `json:"keyword_autoreply_info"`
}

type consoleKeyword struct {
	Match   string `json:"match_mode"`
	Content string `json:"content"`
}

type consoleReply struct {
	Type    string      `json:"type"`
	Content string      `json:"content"`
	News    consoleNews `json:"news_info"`
}

func (im *importer) autoReplies(a consoleReplies) {
	if a.Follow != nil {
		im.rule("被关注回复", model.ReplyFollow, "", nil, model.ReplyAll, a.FollowOpen != 0, im.messages("follow", "", []consoleReply{*a.Follow}))
	}
	if a.Default != nil {
		im.rule("收到消息回复", model.ReplyDefault, "", nil, model.ReplyAll, a.Open != 0, im.messages("default", "", []consoleReply{*a.Default}))
	}
	for _, k := range a.Keywords.List {
		mode := model.ReplyAll
		if k.Mode == "random_one" {
			mode = model.ReplyRandom
		}
		messages := im.messages("keyword", k.Name, k.Answers)
		for _, m := range []struct{ theirs, ours, note string }{{"equal", model.MatchExact, ""}, {"contain", model.MatchContains, " (半匹配)"}} {
			var words []string
			for _, w := range k.Words {
				if w.Match == m.theirs {
					words = append(words, w.Content)
				}
			}
			if len(words) > 0 {
				im.rule(k.Name+m.note, model.ReplyKeyword, m.ours, words, mode, a.Open != 0, messages)
			}
		}
	}
}

func (im *importer) rule(name, trigger, match string, words []string, mode string, enabled bool, messages []reply.Message) {
	if len(messages) == 0 {
		return // its messages are named as lost
	}
	r := reply.Rule{Words: words, Messages: messages}
	r.Name, r.Trigger, r.Match, r.Mode, r.Enabled = name, trigger, match, mode, enabled
	im.rules = append(im.rules, r)
}

func (im *importer) messages(what, name string, list []consoleReply) (out []reply.Message) {
	for _, c := range list {
		switch {
		case c.Type == "text":
			out = append(out, reply.Message{Kind: reply.Text, Text: c.Content})
		case c.Type == "img":
			out = append(out, reply.Message{Kind: reply.Image, Material: c.Content})
		case c.Type == "news" && len(c.News.List) > 0:
			n := c.News.List[0]
			out = append(out, reply.Message{Kind: reply.News, Title: n.Title, Description: model.Cut(n.Digest, 300), URL: n.Content, PicURL: n.Cover})
		default:
			im.lose(what, name+" ("+c.Type+")", "menu.lost_kind")
		}
	}
	return out
}
