package member

import (
	"context"
	"net/http"

	"github.com/siyu-scrm/siyu/app/content"
	"github.com/siyu-scrm/siyu/handler/web"
)

// Article is something to read.
type Article struct {
	ID         web.ID `json:"id"`
	Title      string `json:"title" example:"换季护肤三步"`
	URL        string `json:"url" example:"https://mp.weixin.qq.com/s/abc"`
	MinSeconds int    `json:"min_seconds" example:"15" doc:"That a reading takes at least to count"`
	Times      int    `json:"times" doc:"That I read it; 0: not yet"`
	Reading    bool   `json:"reading" doc:"true: I began and have not finished"`
}

type articleList struct {
	web.Stamped
	web.List[Article]
}

type reading struct {
	web.Stamped
	ArticleID  web.ID   `json:"article_id"`
	MinSeconds int      `json:"min_seconds" example:"15"`
	StartedAt  web.Time `json:"started_at"`
	Times      int      `json:"times"`
}

type finishIn struct {
	ID   web.ID `path:"id"`
	Body struct {
		Seconds *int64 `json:"seconds,omitempty" example:"40" doc:"What the page measured; more than the server's clock says is cut"`
	}
}

type finished struct {
	web.Stamped
	ArticleID web.ID  `json:"article_id"`
	Seconds   int64   `json:"seconds" example:"38" doc:"Counted"`
	Times     int     `json:"times" example:"1"`
	Grants    []Grant `json:"grants"`
}

// Live is a live session.
type Live struct {
	ID         web.ID   `json:"id"`
	Title      string   `json:"title" example:"周二晚八点直播"`
	URL        string   `json:"url"`
	OpensAt    web.Time `json:"opens_at"`
	ClosesAt   web.Time `json:"closes_at"`
	MinSeconds int      `json:"min_seconds" example:"600" doc:"Watched in all, it counts once"`
	Seconds    int64    `json:"seconds" doc:"That I watched"`
	Reached    bool     `json:"reached"`
}

type liveList struct {
	web.Stamped
	web.List[Live]
}

type watched struct {
	web.Stamped
	SessionID  web.ID  `json:"session_id"`
	Seconds    int64   `json:"seconds" example:"90" doc:"That I watched, on all devices together"`
	MinSeconds int     `json:"min_seconds" example:"600"`
	Reached    bool    `json:"reached"`
	Grants     []Grant `json:"grants"`
}

type pathID struct {
	ID web.ID `path:"id"`
}

// listed is how many articles or sessions a member sees.
const listed = 100

func (h *handler) content(api *web.API) {
	web.Read(api, op(http.MethodGet, "/articles", "What there is to read, the newest first"), h.getArticles)
	o := op(http.MethodPost, "/articles/{id}/start", "I begin to read", http.StatusForbidden, http.StatusNotFound)
	o.Description = "A reading that began less than half an hour ago goes on: tabs of one article share it."
	web.Write(api, o, h.startReading)
	o = op(http.MethodPost, "/articles/{id}/finish", "I have read", http.StatusForbidden, http.StatusNotFound, http.StatusConflict)
	o.Description = "Counts the time since the start by the server's clock, once however many tabs were open. 409 THRESHOLD_NOT_MET with short_by while it is too short: the reading goes on."
	web.Write(api, o, h.finishReading)
	web.Read(api, op(http.MethodGet, "/lives", "Live sessions that are open or will be"), h.getLives)
	o = op(http.MethodPost, "/lives/{id}/heartbeats", "I am watching", http.StatusForbidden, http.StatusNotFound, http.StatusConflict)
	o.Description = "Send it at the beginning, every 30 seconds and at the end. Time counts from one to the next if no more than 90 seconds lie between."
	web.Write(api, o, h.heartbeat)
}

func (h *handler) getArticles(ctx context.Context, _ *web.None) (*web.Out[articleList], error) {
	rows, err := h.Content.ToRead(ctx, web.MemberID(ctx), listed)
	if err != nil {
		return nil, err
	}
	out := articleList{Stamped: web.Stamp(h.Clock), List: web.List[Article]{Items: make([]Article, len(rows))}}
	for i, a := range rows {
		out.Items[i] = Article{ID: web.IDOf(a.ID), Title: a.Title, URL: a.URL, MinSeconds: a.MinSeconds, Times: a.Times, Reading: a.Reading}
	}
	return &web.Out[articleList]{Body: out}, nil
}

func (h *handler) startReading(ctx context.Context, in *pathID) (*web.Out[reading], error) {
	r, err := h.Content.Start(ctx, web.MemberID(ctx), in.ID.Int())
	if err != nil {
		return nil, err
	}
	return &web.Out[reading]{Body: reading{
		Stamped: web.Stamp(h.Clock), ArticleID: web.IDOf(r.ArticleID), MinSeconds: r.MinSeconds, StartedAt: web.At(r.StartedAt), Times: r.Times,
	}}, nil
}

func (h *handler) finishReading(ctx context.Context, in *finishIn) (*web.Out[finished], error) {
	r, err := h.Content.Finish(ctx, web.MemberID(ctx), in.ID.Int(), in.Body.Seconds)
	if err != nil {
		return nil, err
	}
	return &web.Out[finished]{Body: finished{
		Stamped: web.Stamp(h.Clock), ArticleID: web.IDOf(r.ArticleID), Seconds: r.Seconds, Times: r.Times, Grants: grants(ctx, r.Grants),
	}}, nil
}

func (h *handler) getLives(ctx context.Context, _ *web.None) (*web.Out[liveList], error) {
	rows, err := h.Content.ToWatch(ctx, web.MemberID(ctx), listed)
	if err != nil {
		return nil, err
	}
	out := liveList{Stamped: web.Stamp(h.Clock), List: web.List[Live]{Items: make([]Live, len(rows))}}
	for i, l := range rows {
		out.Items[i] = live(l)
	}
	return &web.Out[liveList]{Body: out}, nil
}

func live(l content.ToWatch) Live {
	return Live{
		ID: web.IDOf(l.ID), Title: l.Title, URL: l.URL, OpensAt: web.At(l.OpensAt), ClosesAt: web.At(l.ClosesAt), MinSeconds: l.MinSeconds,
		Seconds: l.Seconds, Reached: l.Reached,
	}
}

func (h *handler) heartbeat(ctx context.Context, in *pathID) (*web.Out[watched], error) {
	r, err := h.Content.Heartbeat(ctx, web.MemberID(ctx), in.ID.Int())
	if err != nil {
		return nil, err
	}
	return &web.Out[watched]{Body: watched{
		Stamped: web.Stamp(h.Clock), SessionID: web.IDOf(r.SessionID), Seconds: r.Seconds, MinSeconds: r.MinSeconds, Reached: r.Reached, Grants: grants(ctx, r.Grants),
	}}, nil
}
