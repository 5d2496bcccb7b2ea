package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/broadcast"
	"github.com/siyu-scrm/siyu/app/channel"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/media"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/reminder"
	"github.com/siyu-scrm/siyu/app/reply"
	"github.com/siyu-scrm/siyu/app/sop"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

type mediaView struct {
	Frame
	Rows []media.View
	Form *Form

	users map[string]pictureUser
	kinds map[string]string // of what else sends pictures
}

// pictureUser is what sends a picture.
type pictureUser struct{ Name, URL string }

// Users are what sends the picture, by name.
func (v mediaView) Users(p media.View) (out []pictureUser) {
	for _, owner := range p.Uses {
		u, ok := v.users[owner]
		if !ok { // a broadcast, a SOP or a reminder
			kind, id, _ := strings.Cut(owner, ":")
			u = pictureUser{v.kinds[kind] + " " + id, fmt.Sprintf("%s/%ss/%s", root, kind, id)}
		}
		out = append(out, u)
	}
	return out
}

// pictureUsers are the replies and channels, by the name under which they use pictures.
func (con *Console) pictureUsers(c *gin.Context) (map[string]pictureUser, error) {
	ctx := c.Request.Context()
	out := map[string]pictureUser{media.CardOwner: {Name: con.t(c, "console.message_kind.card")}}
	replies, err := con.app.Replies.List(ctx)
	if err != nil {
		return nil, err
	}
	for _, r := range replies {
		out[reply.Owner(r.ID)] = pictureUser{r.Name, fmt.Sprintf("%s/replies/%d", root, r.ID)}
	}
	channels, err := con.app.Channels.List(ctx)
	for _, ch := range channels {
		out[channel.Owner(ch.ID)] = pictureUser{ch.Name, fmt.Sprintf("%s/channels/%d", root, ch.ID)}
	}
	return out, err
}

func (con *Console) media(c *gin.Context) error { return con.showMedia(c, http.StatusOK, newForm(nil)) }

func (con *Console) showMedia(c *gin.Context, status int, f *Form) (err error) {
	v := mediaView{Frame: con.frame(c, "media"), Form: f}
	v.Here = root + "/media"
	if v.Rows, err = con.app.Media.List(c.Request.Context()); err != nil {
		return err
	}
	if v.users, err = con.pictureUsers(c); err != nil {
		return err
	}
	v.kinds = map[string]string{}
	for _, kind := range []string{broadcast.Source, sop.Source, reminder.Source} {
		v.kinds[kind] = con.t(c, "console.used_kind."+kind)
	}
	web.Page(c, status, "console/media", v)
	return nil
}

// saveMedia takes an upload. The file is part of what the form's key stands for, so its size joins the form.
func (con *Console) saveMedia(c *gin.Context) error {
	if err := parseUpload(c); err != nil {
		return err
	}
	f, err := readForm(c)
	if err != nil {
		return err
	}
	name, data, err := upload(c)
	if err != nil {
		return err
	}
	if f.Get("name") == "" {
		f.Set("name", name)
	}
	f.Set("size", fmt.Sprint(len(data)))
	return con.write(c, f, change{
		action: "media.create",
		of: func(answer any) operator.Change {
			m, _ := answer.(model.Media)
			return operator.Change{Object: fmt.Sprintf("media:%d", m.ID), After: map[string]any{"name": m.Name, "type": m.Type, "size": m.Size}}
		},
		do: func() (string, error) {
			_, err := con.app.Media.Save(c.Request.Context(), f.Get("name"), data)
			return done(root+"/media", "saved"), err
		},
		again: func(status int, f *Form) error { return con.showMedia(c, status, f) },
	})
}

// parseUpload reads a form with a file.
func parseUpload(c *gin.Context) error {
	err := c.Request.ParseMultipartForm(16 << 20)
	var big *http.MaxBytesError
	switch {
	case errors.As(err, &big):
		return errs.New(errs.TooLarge, "web.too_large", "limit", big.Limit)
	case err != nil:
		return errs.New(errs.Malformed, "web.malformed")
	}
	return nil
}

// upload is the file of the form, and its name without what stands behind the dot; none is an empty one.
func upload(c *gin.Context) (name string, data []byte, err error) {
	file, err := c.FormFile("file")
	if err != nil {
		return "", nil, nil
	}
	opened, err := file.Open()
	if err != nil {
		return "", nil, fmt.Errorf("console: upload: %w", err)
	}
	defer opened.Close()
	if data, err = io.ReadAll(opened); err != nil {
		return "", nil, fmt.Errorf("console: upload: %w", err)
	}
	name, _, _ = strings.Cut(file.Filename, ".")
	return name, data, nil
}

// picture is the picture itself, for the pages that show it.
func (con *Console) picture(c *gin.Context) error {
	id, err := idOf(c, false)
	if err != nil {
		return err
	}
	m, err := con.app.Media.Get(c.Request.Context(), id)
	if err != nil {
		return err
	}
	c.Header("Cache-Control", "private, max-age=86400")
	c.Data(http.StatusOK, map[string]string{"jpg": "image/jpeg", "png": "image/png", "gif": "image/gif", "bmp": "image/bmp"}[m.Type], m.Data)
	return nil
}

func (con *Console) deleteMedia(c *gin.Context) error {
	return con.remove(c, removing{
		kind: "media", list: "/media",
		old: func(ctx context.Context, id int64) (any, error) {
			old, err := con.app.Media.Get(ctx, id)
			if err != nil {
				return nil, err
			}
			return map[string]any{"name": old.Name, "type": old.Type, "size": old.Size}, nil
		},
		do:    con.app.Media.Delete,
		again: func(status int, _ int64, f *Form) error { return con.showMedia(c, status, f) },
	})
}
