package member

import (
	"context"
	"crypto/rand"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/radar"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

type openRadarIn struct {
	Body struct {
		Token   string `json:"token" minLength:"1" maxLength:"100" example:"cwEBAWx1bVd4Y0pGdnhQRQ" doc:"The parameter radar of the page, as a message or who forwarded it gave it"`
		Visitor string `json:"visitor,omitempty" maxLength:"100" doc:"What an earlier opening answered, of who is not logged in"`
	}
}

type radarView struct {
	web.Stamped
	View    string  `json:"view" doc:"Goes on with this opening. Whoever holds it does so in the name of who opened."`
	Visitor string  `json:"visitor,omitempty" doc:"To be kept and sent again, also with the login: what the visitor did becomes the member's."`
	Name    string  `json:"name" example:"新品蛋糕"`
	Target  string  `json:"target" enum:"article,page" example:"article"`
	URL     string  `json:"url" doc:"The article's address or the page's path, with the view as its parameter radar"`
	Seconds int64   `json:"seconds" doc:"Counted for this opening"`
	Beat    int64   `json:"beat" doc:"The last heartbeat that counted"`
	Grants  []Grant `json:"grants"`
}

type beatIn struct {
	View string `path:"view" maxLength:"100"`
	Body struct {
		Beat    int64 `json:"beat" minimum:"1" example:"1" doc:"1, 2, 3 … of this opening: one that comes again, or after a later one, counts nothing."`
		Seconds int64 `json:"seconds" minimum:"0" example:"10" doc:"That the page was looked at since the heartbeat before; more than passed by the server's clock is cut."`
	}
}

type viewIn struct {
	View string `path:"view" maxLength:"100"`
}

type forwarded struct {
	web.Stamped
	Token    string `json:"token"`
	URL      string `json:"url" doc:"To share as a link"`
	Path     string `json:"path,omitempty" doc:"To share as a page of the mini-program"`
	Forwards int64  `json:"forwards" doc:"Of this opening"`
}

func (h *handler) radar(api *web.API) {
	o := op(http.MethodPost, "/radar/views", "I open a radar link", http.StatusNotFound, http.StatusTooManyRequests)
	o.Description = "Counts an opening. Works without a login: who is not known is a visitor of him whose link he opened, until he logs in. A page that was opened through " +
		radar.Route + "{token} has its view already, as its parameter radar."
	o.Security = web.Optional("member")
	web.Write(api, o, h.viewRadar)
	o = op(http.MethodPost, "/radar/views/{view}/heartbeats", "I am looking at it", http.StatusNotFound)
	o.Description = "Send it every 10 seconds or so, and at the end. Time counts by the server's clock, at most 30 minutes for one heartbeat, and of several openings of one person once."
	o.Security = web.Optional("member")
	web.Write(api, o, h.beatRadar)
	o = op(http.MethodPost, "/radar/views/{view}/forwards", "I forward it", http.StatusNotFound, http.StatusConflict)
	o.Description = "Makes the link to hand on: who opens it is a visitor of mine. Forwarding is never rewarded."
	o.Security = web.Optional("member")
	web.Write(api, o, h.forwardRadar)
}

func (h *handler) radarState(ctx context.Context, s *radar.State, err error) (*web.Out[radarView], error) {
	if err != nil {
		return nil, err
	}
	return &web.Out[radarView]{Body: radarView{
		Stamped: web.Stamp(h.Clock), View: s.View, Visitor: s.Visitor, Name: s.Name, Target: s.Target, URL: s.URL, Seconds: s.Seconds, Beat: s.Beat, Grants: grants(ctx, s.Grants),
	}}, nil
}

func (h *handler) viewRadar(ctx context.Context, in *openRadarIn) (*web.Out[radarView], error) {
	s, err := h.Radar.Open(ctx, in.Body.Token, radar.Viewer{MemberID: web.MemberID(ctx), Visitor: in.Body.Visitor}, 0)
	return h.radarState(ctx, s, err)
}

func (h *handler) beatRadar(ctx context.Context, in *beatIn) (*web.Out[radarView], error) {
	s, err := h.Radar.Beat(ctx, in.View, radar.Viewer{MemberID: web.MemberID(ctx)}, in.Body.Beat, in.Body.Seconds)
	return h.radarState(ctx, s, err)
}

func (h *handler) forwardRadar(ctx context.Context, in *viewIn) (*web.Out[forwarded], error) {
	f, err := h.Radar.Forward(ctx, in.View, radar.Viewer{MemberID: web.MemberID(ctx)})
	if err != nil {
		return nil, err
	}
	return &web.Out[forwarded]{Body: forwarded{Stamped: web.Stamp(h.Clock), Token: f.Token, URL: f.URL, Path: f.Path, Forwards: f.Forwards}}, nil
}

// visitorCookie keeps who a browser is until its holder is known.
const visitorCookie = "siyu_visitor"

// reloaded is within which time a browser that opens the same again has only loaded it anew.
const reloaded = 5 * time.Second

type radarPage struct{ Name string }

// openRadar is the address that messages carry: it counts the opening and leads to the article. To a page of the mini-program only the
// mini-program leads, and it counts.
func (h *handler) openRadar(c *gin.Context) {
	ctx, token := c.Request.Context(), c.Param("token")
	l, err := h.Radar.Target(ctx, token)
	if err != nil {
		web.Fail(c, err)
		return
	}
	if l.Target == model.RadarPage {
		web.Page(c, http.StatusOK, "radar", radarPage{l.Name})
		return
	}
	who, away, err := h.reader(c, token)
	if err != nil {
		web.Fail(c, err)
		return
	}
	if away != "" {
		c.Redirect(http.StatusFound, away)
		return
	}
	s, err := h.Radar.Open(ctx, token, who, reloaded)
	if errs.CodeOf(err) == errs.RateLimited { // he reads it, uncounted
		c.Redirect(http.StatusFound, l.URL)
		return
	}
	if err != nil {
		web.Fail(c, err)
		return
	}
	if s.Visitor != "" && s.Visitor != who.Visitor {
		h.keep(c, visitorCookie, s.Visitor, 365*24*3600)
	}
	c.Redirect(http.StatusFound, s.URL)
}

// nonceCookie binds what WeChat says of a reader to the browser that asked.
const nonceCookie = "siyu_reader"

// reader is who opens an address in a browser. Inside WeChat he is sent away to be asked, once: back with an answer, or without a good one, he
// reads on.
func (h *handler) reader(c *gin.Context, token string) (who radar.Viewer, away string, err error) {
	ctx := c.Request.Context()
	visitor, _ := c.Cookie(visitorCookie)
	if c.Query("state") != "" {
		nonce, _ := c.Cookie(nonceCookie)
		h.keep(c, nonceCookie, "", -1)
		return h.Radar.Answered(ctx, token, nonce, visitor, c.Query("code"), c.Query("state")), "", nil
	}
	if strings.Contains(c.Request.UserAgent(), "MicroMessenger") {
		nonce := rand.Text()
		if away, err = h.Radar.Ask(ctx, token, nonce, visitor); away != "" {
			h.keep(c, nonceCookie, nonce, 600)
		}
	}
	return radar.Viewer{Visitor: visitor}, away, err
}

// keep sets a cookie of the addresses that messages carry.
func (h *handler) keep(c *gin.Context, name, value string, seconds int) {
	c.SetSameSite(http.SameSiteLaxMode)
	c.SetCookie(name, value, seconds, radar.Route, "", strings.HasPrefix(h.Config.Server.PublicURL, "https://"), true)
}
