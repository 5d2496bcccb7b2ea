package console

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"

	"github.com/gin-gonic/gin"
	"rsc.io/qr"

	"github.com/siyu-scrm/siyu/app/channel"
	"github.com/siyu-scrm/siyu/app/media"
	"github.com/siyu-scrm/siyu/app/reply"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

type channelsView struct {
	Frame
	Rows []channelLine
}

type channelLine struct {
	channel.View
	Tag string
}

func (con *Console) channels(c *gin.Context) error {
	views, err := con.app.Channels.List(c.Request.Context())
	if err != nil {
		return err
	}
	groups, err := con.tagGroups(c)
	if err != nil {
		return err
	}
	v := channelsView{Frame: con.frame(c, "channels")}
	for _, ch := range views {
		v.Rows = append(v.Rows, channelLine{ch, tagName(groups, ch.TagID)})
	}
	web.Page(c, http.StatusOK, "console/channels", v)
	return nil
}

type channelView struct {
	Frame
	ID       int64
	Form     *Form
	Saved    *channel.View // nil: a new one
	Tags     []tagGroup
	Pictures []media.View
	Days     []channel.DayVisits // the last ones on which somebody came by a saved one, latest first
}

// channelDays is how far back the page of a channel looks.
const channelDays = 30

func (con *Console) channel(c *gin.Context) error {
	id, err := idOf(c, true)
	if err != nil {
		return err
	}
	values := url.Values{}
	if id != 0 {
		ch, err := con.app.Channels.Get(c.Request.Context(), id)
		if err != nil {
			return err
		}
		values = url.Values{
			"code": {ch.Code}, "name": {ch.Name}, "welcome": {ch.Welcome}, "card_title": {ch.CardTitle}, "card_path": {ch.CardPath}, "tag": {fmt.Sprint(ch.TagID)},
			"card_image": {fmt.Sprint(ch.CardImage)}, "image": {fmt.Sprint(ch.ImageID)},
		}
		var a reply.Message
		if err := ch.Article.Into(&a); err != nil {
			return fmt.Errorf("console: article of channel %d: %w", id, err)
		}
		for name, value := range map[string]string{
			"article_title": a.Title, "article_description": a.Description, "article_url": a.URL, "article_pic_url": a.PicURL, "article_image": fmt.Sprint(a.ImageID),
		} {
			values.Set(name, value)
		}
	}
	return con.showChannel(c, http.StatusOK, id, newForm(values))
}

func (con *Console) showChannel(c *gin.Context, status int, id int64, f *Form) (err error) {
	v := channelView{Frame: con.frame(c, "channel"), ID: id, Form: f}
	if id != 0 {
		if v.Saved, err = con.app.Channels.Get(c.Request.Context(), id); err != nil {
			return err
		}
		today := con.app.Zone.DayOf(con.app.Clock.Now())
		if v.Days, err = con.app.Channels.Days(c.Request.Context(), con.app.Zone, id, today.Add(1-channelDays), today); err != nil {
			return err
		}
		v.Days = slices.DeleteFunc(v.Days, func(d channel.DayVisits) bool { return d.Visits == channel.Visits{} })
		slices.Reverse(v.Days)
	}
	if v.Tags, err = con.tagGroups(c); err != nil {
		return err
	}
	if v.Pictures, err = con.app.Media.List(c.Request.Context()); err != nil {
		return err
	}
	web.Page(c, status, "console/channel", v)
	return nil
}

func (con *Console) saveChannel(c *gin.Context) error {
	return save(con, c, saving[model.ChannelCode]{
		kind: "channel",
		get: func(id int64) (any, error) {
			old, err := con.app.Channels.Get(c.Request.Context(), id)
			if err != nil {
				return nil, err
			}
			return old.ChannelCode, nil
		},
		facts: func(ch model.ChannelCode) (int64, any) { return ch.ID, ch },
		do: func(f *Form, id int64) (string, error) {
			tagID, err := f.ID("tag")
			if err != nil {
				return "", err
			}
			ch := model.ChannelCode{
				ID: id, Code: f.Get("code"), Name: f.Get("name"), Welcome: f.Get("welcome"), CardTitle: f.Get("card_title"), CardPath: f.Get("card_path"), TagID: tagID,
			}
			if err := readWelcome(f, &ch); err != nil {
				return "", err
			}
			_, err = con.app.Channels.Save(c.Request.Context(), ch)
			return done(root+"/channels", "saved"), err
		},
		again: func(status int, id int64, f *Form) error { return con.showChannel(c, status, id, f) },
	})
}

// readWelcome reads what comes with the words of a welcome.
func readWelcome(f *Form, ch *model.ChannelCode) (err error) {
	if ch.CardImage, err = f.ID("card_image"); err != nil {
		return err
	}
	if ch.ImageID, err = f.ID("image"); err != nil {
		return err
	}
	a := reply.Message{
		Kind: reply.News, Title: f.Get("article_title"), Description: f.Get("article_description"), URL: f.Get("article_url"), PicURL: f.Get("article_pic_url"),
	}
	if a.ImageID, err = f.ID("article_image"); err != nil {
		return err
	}
	for _, c := range []string{"title", "description", "url", "pic_url"} {
		f.from("article."+c, "article_"+c)
	}
	if a.Title+a.URL+a.Description != "" {
		ch.Article = model.ToJSON(a)
	}
	return nil
}

// tickets keeps what the QR codes of channels say. WeChat gives a permanent scene one address for ever, so it is asked once per process.
type tickets struct {
	mu   sync.Mutex
	urls map[string]string
}

// url asks WeChat for the address behind the code of a scene, unless it is known. The lock is not held over the call.
func (t *tickets) url(scene string, ask func() (string, error)) (string, error) {
	t.mu.Lock()
	known, ok := t.urls[scene]
	t.mu.Unlock()
	if ok {
		return known, nil
	}
	u, err := ask()
	if err != nil {
		return "", err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.urls == nil {
		t.urls = map[string]string{}
	}
	t.urls[scene] = u
	return u, nil
}

// channelQR is the picture of a channel's code, big enough to print.
func (con *Console) channelQR(c *gin.Context) error {
	id, err := idOf(c, false)
	if err != nil {
		return err
	}
	ch, err := con.app.Channels.Get(c.Request.Context(), id)
	if err != nil {
		return err
	}
	u, err := con.qr.url(ch.Code, func() (string, error) {
		t, err := con.app.WeChat.QRCode(c.Request.Context(), con.officialAccount(), ch.Code, true)
		return t.URL, err
	})
	if err != nil {
		return err
	}
	code, err := qr.Encode(u, qr.M)
	if err != nil {
		return fmt.Errorf("console: qr of channel %d: %w", id, err)
	}
	code.Scale = 12
	c.Header("Cache-Control", "private, max-age=3600")
	if c.Query("download") != "" {
		c.Header("Content-Disposition", fmt.Sprintf("attachment; filename=%q", "channel-"+ch.Code+".png"))
	}
	c.Data(http.StatusOK, "image/png", code.PNG())
	return nil
}

type posterView struct {
	Frame
	Channel *channel.View
}

// channelPoster is a page to print: the code and words that can be changed on it.
func (con *Console) channelPoster(c *gin.Context) error {
	id, err := idOf(c, false)
	if err != nil {
		return err
	}
	ch, err := con.app.Channels.Get(c.Request.Context(), id)
	if err != nil {
		return err
	}
	web.Page(c, http.StatusOK, "console/poster", posterView{con.frame(c, "poster"), ch})
	return nil
}

// officialAccount is the name of the account that the codes belong to.
func (con *Console) officialAccount() string {
	for _, a := range con.app.Accounts {
		if a.Kind == model.KindOA {
			return a.Name
		}
	}
	return ""
}
