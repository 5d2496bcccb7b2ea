package admin

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"

	"rsc.io/qr"

	"github.com/siyu-scrm/siyu/app/channel"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/reply"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

// Channel is a QR code and what came by it.
type Channel struct {
	ID        web.ID     `json:"id"`
	Code      string     `json:"code" example:"poster" doc:"The scene"`
	Name      string     `json:"name" example:"门店海报"`
	Welcome   string     `json:"welcome"`
	CardTitle string     `json:"card_title"`
	CardPath  string     `json:"card_path"`
	CardImage OptionalID `json:"card_image_id"`
	ImageID   OptionalID `json:"image_id"`
	Article   *Article   `json:"article" doc:"null: none"`
	TagID     web.ID     `json:"tag_id" doc:"0: none"`
	Visits
	CreatedAt web.Time `json:"created_at"`
}

// Visits counts what came by a channel.
type Visits struct {
	New        int64 `json:"new" doc:"Followed for the first time"`
	Returning  int64 `json:"returning" doc:"Followed again"`
	Scans      int64 `json:"scans" doc:"Scanned as followers"`
	Registered int64 `json:"registered" doc:"Registered, by first touch"`
}

// ChannelDay is what came by a channel on a day.
type ChannelDay struct {
	Day string `json:"day" example:"2026-11-23"`
	Visits
}

func channelView(c channel.View) Channel {
	return Channel{
		ID: web.IDOf(c.ID), Code: c.Code, Name: c.Name, Welcome: c.Welcome, CardTitle: c.CardTitle, CardPath: c.CardPath, TagID: web.IDOf(c.TagID),
		CardImage: optionalID(c.CardImage), ImageID: optionalID(c.ImageID), Article: articleView(c.ChannelCode),
		Visits: Visits(c.Visits), CreatedAt: web.At(c.CreatedAt),
	}
}

// ChannelBody is a channel as an operator writes it.
type ChannelBody struct {
	Code      string     `json:"code,omitempty" maxLength:"64" example:"tram" doc:"Required for a new one; it stays, since it is printed."`
	Name      string     `json:"name" minLength:"1" maxLength:"64" example:"电车广告"`
	Welcome   string     `json:"welcome,omitempty" maxLength:"600" example:"欢迎!" doc:"The answer to who comes by it; the default welcome if absent."`
	CardTitle string     `json:"card_title,omitempty" maxLength:"64" doc:"Of the mini-program card that follows"`
	CardPath  string     `json:"card_path,omitempty" maxLength:"255" doc:"Of the mini-program card that follows"`
	CardImage OptionalID `json:"card_image_id,omitempty" doc:"The card's picture, of the library; siyu has one if absent"`
	ImageID   OptionalID `json:"image_id,omitempty" doc:"A picture of the library that comes with the welcome"`
	Article   *Article   `json:"article,omitempty" doc:"An article that comes with the welcome"`
	TagID     OptionalID `json:"tag_id,omitempty" doc:"The tag that who comes by it gets"`
}

// Article is a card with a link.
type Article struct {
	Title       string     `json:"title" maxLength:"64" example:"会员权益一览"`
	Description string     `json:"description,omitempty" maxLength:"120"`
	URL         string     `json:"url" maxLength:"1024" example:"https://mp.weixin.qq.com/s/abc"`
	ImageID     OptionalID `json:"image_id,omitempty" doc:"A picture of the library"`
	PicURL      string     `json:"pic_url,omitempty" maxLength:"1024"`
}

func articleView(c model.ChannelCode) *Article {
	var m reply.Message
	if len(c.Article) == 0 || c.Article.Into(&m) != nil {
		return nil
	}
	return &Article{m.Title, m.Description, m.URL, optionalID(m.ImageID), m.PicURL}
}

func articleOf(a *Article) (model.JSON, error) {
	if a == nil {
		return nil, nil
	}
	m, err := messageOf("article", Message{Kind: reply.News, Title: a.Title, Description: a.Description, URL: a.URL, PicURL: a.PicURL, ImageID: a.ImageID})
	if err != nil {
		return nil, err
	}
	m.Trim()
	return model.ToJSON(m), nil
}

type channelIn struct{ Body ChannelBody }

type channelPut struct {
	ID   web.ID `path:"id"`
	Body ChannelBody
}

type channelDaysIn struct {
	ID web.ID `path:"id"`
	Period
}

type qrIn struct {
	ID      web.ID `path:"id"`
	Account string `query:"account" maxLength:"32" doc:"The official account; the first one if absent."`
}

// QRCode is the picture of a channel.
type QRCode struct {
	Ticket string `json:"ticket"`
	URL    string `json:"url" doc:"What the code says"`
	Image  string `json:"image" doc:"WeChat's picture of it"`
	PNG    string `json:"png" doc:"Our picture of it, as a data: URL"`
}

func (h *handler) channels(api *web.API) {
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/channels", "Channel codes with what came by them"), h.getChannels)
	body := map[string]any{"code": "tram", "name": "电车广告", "welcome": "欢迎!打开小程序注册,新会员立得积分。"}
	web.Write(api, example(post(operator.ProgrammeWrite, "/channels", "Make a channel code", http.StatusConflict), body), h.postChannel)
	body = map[string]any{"name": "门店海报", "welcome": "欢迎从门店来!"}
	o := op(operator.ProgrammeWrite, http.MethodPut, "/channels/{id}", "Change a channel code: the picture stays", http.StatusNotFound)
	web.Write(api, example(o, body), h.putChannel)
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/channels/{id}/days", "What came by a channel, day by day", http.StatusNotFound), h.getChannelDays)
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/channels/{id}/qrcode", "The QR code, asked of WeChat", http.StatusNotFound, http.StatusUnprocessableEntity,
		http.StatusServiceUnavailable), h.getQRCode)
}

func (h *handler) getChannels(ctx context.Context, _ *web.None) (*web.Out[web.List[Channel]], error) {
	rows, err := h.Channels.List(ctx)
	return listed(rows, channelView), err
}

func (h *handler) postChannel(ctx context.Context, in *channelIn) (*web.Out[Channel], error) {
	return h.saveChannel(ctx, "channel.create", channel.View{}, in.Body)
}

func (h *handler) putChannel(ctx context.Context, in *channelPut) (*web.Out[Channel], error) {
	old, err := h.Channels.Get(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	return h.saveChannel(ctx, "channel.update", *old, in.Body)
}

func (h *handler) saveChannel(ctx context.Context, action string, old channel.View, b ChannelBody) (*web.Out[Channel], error) {
	tagID, err := ref("tag_id", b.TagID)
	if err != nil {
		return nil, err
	}
	cardImage, err := ref("card_image_id", b.CardImage)
	if err != nil {
		return nil, err
	}
	image, err := ref("image_id", b.ImageID)
	if err != nil {
		return nil, err
	}
	article, err := articleOf(b.Article)
	if err != nil {
		return nil, err
	}
	view := func(c model.ChannelCode) Channel {
		v := old // its counts
		v.ChannelCode = c
		return channelView(v)
	}
	var before any
	if old.ID != 0 {
		before = channelView(old)
	}
	ctx = audited(ctx, h, action, before, func(c model.ChannelCode) (string, any) { return object("channel", c.ID), view(c) })
	c, err := h.Channels.Save(ctx, model.ChannelCode{
		ID: old.ID, Code: b.Code, Name: b.Name, Welcome: b.Welcome, CardTitle: b.CardTitle, CardPath: b.CardPath, TagID: tagID,
		CardImage: cardImage, ImageID: image, Article: article,
	})
	if err != nil {
		return nil, err
	}
	return &web.Out[Channel]{Body: view(*c)}, nil
}

func (h *handler) getChannelDays(ctx context.Context, in *channelDaysIn) (*web.Out[web.List[ChannelDay]], error) {
	from, to, err := h.days(in.Period)
	if err != nil {
		return nil, err
	}
	if _, err := h.Channels.Get(ctx, in.ID.Int()); err != nil {
		return nil, err
	}
	rows, err := h.Channels.Days(ctx, h.Zone, in.ID.Int(), from, to)
	return listed(rows, func(d channel.DayVisits) ChannelDay { return ChannelDay{string(d.Day), Visits(d.Visits)} }), err
}

func (h *handler) getQRCode(ctx context.Context, in *qrIn) (*web.Out[QRCode], error) {
	c, err := h.Channels.Get(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	t, err := h.WeChat.QRCode(ctx, h.accountNamed(in.Account, model.KindOA), c.Code, true)
	if err != nil {
		return nil, err
	}
	code, err := qr.Encode(t.URL, qr.M)
	if err != nil {
		return nil, fmt.Errorf("admin: QR code of channel %d: %w", c.ID, err)
	}
	png := "data:image/png;base64," + base64.StdEncoding.EncodeToString(code.PNG())
	return &web.Out[QRCode]{Body: QRCode{t.Ticket, t.URL, t.Image, png}}, nil
}
