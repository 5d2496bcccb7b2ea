package console

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/media"
	"github.com/siyu-scrm/siyu/app/reply"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

type repliesView struct {
	Frame
	Rows []*reply.Rule
}

func (con *Console) replies(c *gin.Context) error {
	rows, err := con.app.Replies.List(c.Request.Context())
	if err != nil {
		return err
	}
	web.Page(c, http.StatusOK, "console/replies", repliesView{con.frame(c, "replies"), rows})
	return nil
}

type replyView struct {
	Frame
	ID       int64
	Form     *Form
	Triggers []string
	Kinds    []string
	Slots    []int
	Pictures []media.View
}

func (con *Console) reply(c *gin.Context) error {
	id, err := idOf(c, true)
	if err != nil {
		return err
	}
	values := url.Values{"enabled": {"on"}, "trigger": {model.ReplyKeyword}, "kind": {reply.Text}}
	if key := c.Query("key"); key != "" { // from the menu: what a button says
		values.Set("trigger", model.ReplyClick)
		values.Set("words", key)
	}
	if id != 0 {
		r, err := con.app.Replies.Get(c.Request.Context(), id)
		if err != nil {
			return err
		}
		values = writeReply(r)
	}
	return con.showReply(c, http.StatusOK, id, newForm(values))
}

func (con *Console) showReply(c *gin.Context, status int, id int64, f *Form) (err error) {
	v := replyView{
		Frame: con.frame(c, "reply"), ID: id, Form: f, Slots: rows(f, "kind", 2),
		Triggers: []string{model.ReplyKeyword, model.ReplyFollow, model.ReplyClick, model.ReplyDefault},
		Kinds:    []string{reply.Text, reply.Image, reply.News, reply.Card, reply.HandOver},
	}
	if v.Pictures, err = con.app.Media.List(c.Request.Context()); err != nil {
		return err
	}
	web.Page(c, status, "console/reply", v)
	return nil
}

// writeReply fills the form: each message has one value of every control, in its place.
func writeReply(r *reply.Rule) url.Values {
	v := url.Values{
		"name": {r.Name}, "trigger": {r.Trigger}, "match": {r.Match}, "mode": {r.Mode}, "words": {strings.Join(r.Words, "\n")},
		"position": {strconv.Itoa(r.Position)},
	}
	if r.Enabled {
		v.Set("enabled", "on")
	}
	for _, m := range r.Messages {
		image := ""
		if m.ImageID != 0 {
			image = strconv.FormatInt(m.ImageID, 10)
		}
		for name, value := range map[string]string{
			"kind": m.Kind, "text": m.Text, "image": image, "title": m.Title, "description": m.Description, "url": m.URL, "pic_url": m.PicURL,
			"path": m.Path, "agent": m.Agent, "material": m.Material,
		} {
			v.Add(name, value)
		}
	}
	return v
}

// readReply reads the form; a message whose kind is empty is none.
func readReply(f *Form, id int64) (reply.Rule, error) {
	r := reply.Rule{Words: lines(f.Get("words"))}
	r.ID, r.Name, r.Trigger, r.Match, r.Mode, r.Enabled = id, f.Get("name"), f.Get("trigger"), f.Get("match"), f.Get("mode"), f.On("enabled")
	if f.Get("position") != "" {
		n, err := f.Number("position")
		if err != nil || n < -1000 || n > 1000 {
			return r, errs.Field("position", "console.number")
		}
		r.Position = int(n)
	}
	for i, kind := range f.Values["kind"] {
		if kind == "" {
			continue
		}
		m := reply.Message{
			Kind: kind, Text: f.At("text", i), Title: f.At("title", i), Description: f.At("description", i), URL: f.At("url", i),
			PicURL: f.At("pic_url", i), Path: f.At("path", i), Agent: f.At("agent", i), Material: f.At("material", i),
		}
		if image := f.At("image", i); image != "" {
			var err error
			if m.ImageID, err = number("image", image); err != nil {
				return r, err
			}
		}
		r.Messages = append(r.Messages, only(m))
	}
	return r, nil
}

// only keeps the fields that the kind reads: the others may stand filled in behind it.
func only(m reply.Message) reply.Message {
	switch m.Kind {
	case reply.Text:
		return reply.Message{Kind: m.Kind, Text: m.Text}
	case reply.Image:
		return reply.Message{Kind: m.Kind, ImageID: m.ImageID, Material: m.Material}
	case reply.News:
		return reply.Message{Kind: m.Kind, Title: m.Title, Description: m.Description, URL: m.URL, PicURL: m.PicURL, ImageID: m.ImageID}
	case reply.Card:
		return reply.Message{Kind: m.Kind, Title: m.Title, Path: m.Path, ImageID: m.ImageID}
	case reply.HandOver:
		return reply.Message{Kind: m.Kind, Agent: m.Agent}
	}
	return m
}

func (con *Console) saveReply(c *gin.Context) error {
	return save(con, c, saving[reply.Rule]{
		kind: "reply",
		get: func(id int64) (any, error) {
			old, err := con.app.Replies.Get(c.Request.Context(), id)
			if err != nil {
				return nil, err
			}
			return replyFacts(*old), nil
		},
		facts: func(r reply.Rule) (int64, any) { return r.ID, replyFacts(r) },
		do: func(f *Form, id int64) (string, error) {
			r, err := readReply(f, id)
			if err != nil {
				return "", err
			}
			_, err = con.app.Replies.Save(c.Request.Context(), r)
			return done(root+"/replies", "saved"), err
		},
		again: func(status int, id int64, f *Form) error { return con.showReply(c, status, id, f) },
	})
}

func replyFacts(r reply.Rule) map[string]any {
	return map[string]any{
		"name": r.Name, "trigger": r.Trigger, "match": r.Match, "words": r.Words, "mode": r.Mode, "messages": r.Messages, "position": r.Position, "enabled": r.Enabled,
	}
}

func (con *Console) deleteReply(c *gin.Context) error {
	return con.remove(c, removing{
		kind: "reply", list: "/replies",
		old: func(ctx context.Context, id int64) (any, error) {
			old, err := con.app.Replies.Get(ctx, id)
			if err != nil {
				return nil, err
			}
			return replyFacts(*old), nil
		},
		do:    con.app.Replies.Delete,
		again: func(status int, id int64, f *Form) error { return con.showReply(c, status, id, f) },
	})
}
