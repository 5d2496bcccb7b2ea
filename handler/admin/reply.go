package admin

import (
	"context"
	"fmt"
	"net/http"

	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/reply"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

// Message is one message of a reply. Each kind reads its own fields.
type Message struct {
	Kind        string     `json:"kind" enum:"text,image,news,card,service" example:"text" doc:"news: one article; card: of the mini-program, as a customer message; service: hand over to human service"`
	Text        string     `json:"text,omitempty" example:"营业时间:10:00-22:00" doc:"text: at most 2048 bytes"`
	ImageID     OptionalID `json:"image_id,omitempty" doc:"image, news, card: a picture of the library"`
	Title       string     `json:"title,omitempty" doc:"news, card: at most 64 characters"`
	Description string     `json:"description,omitempty" doc:"news: at most 120 characters"`
	URL         string     `json:"url,omitempty" doc:"news: at most 1024 bytes"`
	PicURL      string     `json:"pic_url,omitempty" doc:"news: the address of a picture, where it has none of the library"`
	Path        string     `json:"path,omitempty" doc:"card: the page"`
	Agent       string     `json:"agent,omitempty" doc:"service: the customer-service account; anyone if absent"`
}

// Reply is what the brand answers at the official account.
type Reply struct {
	ID        web.ID    `json:"id"`
	Name      string    `json:"name"`
	Trigger   string    `json:"trigger"`
	Match     string    `json:"match"`
	Words     []string  `json:"words"`
	Mode      string    `json:"mode"`
	Messages  []Message `json:"messages"`
	Position  int       `json:"position"`
	Enabled   bool      `json:"enabled"`
	CreatedAt web.Time  `json:"created_at"`
	UpdatedAt web.Time  `json:"updated_at"`
}

// ReplyBody is a reply as an operator writes it.
type ReplyBody struct {
	Name     string    `json:"name" minLength:"1" maxLength:"60" example:"营业时间"`
	Trigger  string    `json:"trigger" enum:"follow,keyword,click,default" example:"keyword" doc:"follow: who comes without a channel that has its own welcome; click: a button of the menu; default: any message that nothing else answers"`
	Match    string    `json:"match,omitempty" enum:"exact,contains" doc:"keyword: exact if absent"`
	Words    []string  `json:"words,omitempty" doc:"keyword: up to 30 of at most 30 characters; click: the keys of the buttons, at most 128 bytes"`
	Mode     string    `json:"mode,omitempty" enum:"all,random" doc:"Of several messages all (if absent), or one at random"`
	Messages []Message `json:"messages" doc:"The first that WeChat takes is the passive reply; the others follow as customer messages"`
	Position int       `json:"position,omitempty" minimum:"-1000" maximum:"1000" doc:"Of several replies that fit, the lowest position answers; an exact keyword goes first"`
	Enabled  *bool     `json:"enabled,omitempty" doc:"true if absent"`
}

type replyIn struct{ Body ReplyBody }

type replyPut struct {
	ID   web.ID `path:"id"`
	Body ReplyBody
}

func replyView(r reply.Rule) Reply {
	v := Reply{
		ID: web.IDOf(r.ID), Name: r.Name, Trigger: r.Trigger, Match: r.Match, Words: append([]string{}, r.Words...), Mode: r.Mode,
		Messages: make([]Message, len(r.Messages)), Position: r.Position, Enabled: r.Enabled, CreatedAt: web.At(r.CreatedAt), UpdatedAt: web.At(r.UpdatedAt),
	}
	for i, m := range r.Messages {
		v.Messages[i] = messageView(m)
	}
	return v
}

func messageView(m reply.Message) Message {
	return Message{
		Kind: m.Kind, Text: m.Text, ImageID: optionalID(m.ImageID), Title: m.Title, Description: m.Description, URL: m.URL, PicURL: m.PicURL,
		Path: m.Path, Agent: m.Agent,
	}
}

func messageOf(field string, m Message) (reply.Message, error) {
	image, err := ref(field+".image_id", m.ImageID)
	return reply.Message{
		Kind: m.Kind, Text: m.Text, ImageID: image, Title: m.Title, Description: m.Description, URL: m.URL, PicURL: m.PicURL, Path: m.Path, Agent: m.Agent,
	}, err
}

func (h *handler) replies(api *web.API) {
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/replies", "What the brand answers, in the order in which it is asked"), h.getReplies)
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/replies/{id}", "One reply", http.StatusNotFound), h.getReply)
	body := map[string]any{
		"name": "营业时间", "trigger": "keyword", "match": "contains", "words": []string{"营业时间", "几点开门"},
		"messages": []any{map[string]any{"kind": "text", "text": "每天 10:00-22:00,节假日照常。"}},
	}
	o := post(operator.ProgrammeWrite, "/replies", "Make a reply", http.StatusConflict)
	o.Description = "siyu's own words (签到, 退订, a quiz answer) come first, then keywords, then the default reply. What WeChat would refuse is refused here, naming the limit."
	web.Write(api, example(o, body), h.postReply)
	web.Write(api, example(op(operator.ProgrammeWrite, http.MethodPut, "/replies/{id}", "Change a reply", http.StatusNotFound), body), h.putReply)
	web.Write(api, op(operator.ProgrammeWrite, http.MethodDelete, "/replies/{id}", "Take a reply away", http.StatusNotFound), h.deleteReply)
}

func (h *handler) getReplies(ctx context.Context, _ *web.None) (*web.Out[web.List[Reply]], error) {
	rows, err := h.Replies.List(ctx)
	return listed(rows, func(r *reply.Rule) Reply { return replyView(*r) }), err
}

func (h *handler) getReply(ctx context.Context, in *byID) (*web.Out[Reply], error) {
	r, err := h.Replies.Get(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	return &web.Out[Reply]{Body: replyView(*r)}, nil
}

func (h *handler) postReply(ctx context.Context, in *replyIn) (*web.Out[Reply], error) {
	return h.saveReply(ctx, "reply.create", 0, nil, in.Body)
}

func (h *handler) putReply(ctx context.Context, in *replyPut) (*web.Out[Reply], error) {
	old, err := h.Replies.Get(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	return h.saveReply(ctx, "reply.update", old.ID, replyView(*old), in.Body)
}

func (h *handler) saveReply(ctx context.Context, action string, id int64, before any, b ReplyBody) (*web.Out[Reply], error) {
	in := reply.Rule{Words: b.Words}
	in.ID, in.Name, in.Trigger, in.Match, in.Mode, in.Position, in.Enabled = id, b.Name, b.Trigger, b.Match, b.Mode, b.Position, on(b.Enabled)
	if in.Match == "" {
		in.Match = model.MatchExact
	}
	if in.Mode == "" {
		in.Mode = model.ReplyAll
	}
	for i, m := range b.Messages {
		message, err := messageOf(fmt.Sprintf("messages[%d]", i), m)
		if err != nil {
			return nil, err
		}
		in.Messages = append(in.Messages, message)
	}
	ctx = audited(ctx, h, action, before, func(r reply.Rule) (string, any) { return object("reply", r.ID), replyView(r) })
	r, err := h.Replies.Save(ctx, in)
	if err != nil {
		return nil, err
	}
	return &web.Out[Reply]{Body: replyView(*r)}, nil
}

func (h *handler) deleteReply(ctx context.Context, in *byID) (*web.None, error) {
	old, err := h.Replies.Get(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	ctx = audited(ctx, h, "reply.delete", replyView(*old), func(id int64) (string, any) { return object("reply", id), nil })
	return nil, h.Replies.Delete(ctx, old.ID)
}
