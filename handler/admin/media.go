package admin

import (
	"context"
	"encoding/base64"
	"net/http"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/media"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

// Media is a picture of the library.
type Media struct {
	ID        web.ID      `json:"id"`
	Name      string      `json:"name" example:"新品海报"`
	Type      string      `json:"type" example:"png" doc:"jpg, png, gif or bmp"`
	Size      int64       `json:"size" doc:"In bytes"`
	Uses      []string    `json:"uses" doc:"What sends it: reply:3, channel:1"`
	Copies    []MediaCopy `json:"copies" doc:"What WeChat holds of it"`
	CreatedAt web.Time    `json:"created_at"`
}

// MediaCopy is what one account of WeChat holds of a picture.
type MediaCopy struct {
	Account    string    `json:"account" example:"oa"`
	Form       string    `json:"form" example:"media" doc:"media: for messages, dies after three days and is uploaded anew before; url: for articles"`
	UploadedAt *web.Time `json:"uploaded_at"`
	DiesAt     *web.Time `json:"dies_at"`
	Error      string    `json:"error" doc:"Why the last upload failed"`
}

func mediaView(v media.View) Media {
	out := Media{
		ID: web.IDOf(v.ID), Name: v.Name, Type: v.Type, Size: v.Size, Uses: append([]string{}, v.Uses...), Copies: []MediaCopy{}, CreatedAt: web.At(v.CreatedAt),
	}
	for _, c := range v.Copies {
		out.Copies = append(out.Copies, MediaCopy{c.Account, c.Form, web.AtPtr(c.UploadedAt), web.AtPtr(c.DiesAt), c.Error})
	}
	return out
}

type mediaIn struct {
	Body struct {
		Name string `json:"name" minLength:"1" maxLength:"64" example:"新品海报"`
		Data string `json:"data" doc:"The file in base64: JPG, PNG, GIF or BMP, at most 10 MiB"`
	}
}

// onePixel is a picture that the example of the document can send.
const onePixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

func (h *handler) media(api *web.API) {
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/media", "The library of pictures"), h.getMedia)
	o := post(operator.ProgrammeWrite, "/media", "Keep a picture", http.StatusRequestEntityTooLarge)
	o.Description = "WeChat forgets an upload after three days; siyu keeps the picture and uploads it anew. The same bytes again answer the picture that is there."
	web.Write(api, example(o, map[string]any{"name": "新品海报", "data": onePixel}), h.postMedia)
	web.Write(api, op(operator.ProgrammeWrite, http.MethodDelete, "/media/{id}", "Take a picture out of the library", http.StatusNotFound,
		http.StatusConflict), h.deleteMedia)
}

func (h *handler) getMedia(ctx context.Context, _ *web.None) (*web.Out[web.List[Media]], error) {
	rows, err := h.Media.List(ctx)
	return listed(rows, mediaView), err
}

func (h *handler) postMedia(ctx context.Context, in *mediaIn) (*web.Out[Media], error) {
	data, err := base64.StdEncoding.DecodeString(in.Body.Data)
	if err != nil {
		return nil, errs.Field("data", "media.base64")
	}
	view := func(m model.Media) Media { return mediaView(media.View{Media: m}) }
	ctx = audited(ctx, h, "media.create", nil, func(m model.Media) (string, any) { return object("media", m.ID), view(m) })
	m, err := h.Media.Save(ctx, in.Body.Name, data)
	if err != nil {
		return nil, err
	}
	return &web.Out[Media]{Body: view(*m)}, nil
}

func (h *handler) deleteMedia(ctx context.Context, in *byID) (*web.None, error) {
	old, err := h.Media.Get(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	ctx = audited(ctx, h, "media.delete", mediaView(media.View{Media: *old}), func(id int64) (string, any) { return object("media", id), nil })
	return nil, h.Media.Delete(ctx, in.ID.Int())
}
