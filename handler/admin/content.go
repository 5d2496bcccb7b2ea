package admin

import (
	"context"
	"net/http"

	"github.com/siyu-scrm/siyu/app/content"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

// ContentArticle is something to read.
type ContentArticle struct {
	ID web.ID `json:"id"`
	ArticleBody
	Readers   int64    `json:"readers" doc:"Whose reading counted"`
	Reads     int64    `json:"reads"`
	CreatedAt web.Time `json:"created_at"`
}

// ArticleBody is an article as an operator writes it.
type ArticleBody struct {
	Title      string `json:"title" minLength:"1" maxLength:"200" example:"换季护肤三步"`
	URL        string `json:"url" minLength:"1" maxLength:"512" example:"https://mp.weixin.qq.com/s/abc"`
	MinSeconds int    `json:"min_seconds,omitempty" minimum:"1" maximum:"14400" default:"15" doc:"That a reading takes at least to count"`
	Enabled    *bool  `json:"enabled,omitempty" doc:"true if absent"`
}

// Live is a live session.
type Live struct {
	ID web.ID `json:"id"`
	LiveBody
	Viewers   int64    `json:"viewers"`
	Reached   int64    `json:"reached" doc:"Who watched long enough"`
	Orders    int64    `json:"orders" doc:"With a member, that it brought: paid while he watched, or of source live:<id>"`
	CreatedAt web.Time `json:"created_at"`
}

// LiveBody is a session as an operator writes it.
type LiveBody struct {
	Title      string   `json:"title" minLength:"1" maxLength:"200" example:"周二晚八点直播"`
	URL        string   `json:"url,omitempty" maxLength:"512"`
	OpensAt    web.Time `json:"opens_at" example:"2026-11-24T20:00:00+08:00"`
	ClosesAt   web.Time `json:"closes_at" example:"2026-11-24T22:00:00+08:00"`
	MinSeconds int      `json:"min_seconds,omitempty" minimum:"1" maximum:"14400" default:"600" doc:"Watched in all, live.watched happens once"`
	Enabled    *bool    `json:"enabled,omitempty" doc:"true if absent"`
}

type articleIn struct{ Body ArticleBody }

type articlePut struct {
	ID   web.ID `path:"id"`
	Body ArticleBody
}

type liveIn struct{ Body LiveBody }

type livePut struct {
	ID   web.ID `path:"id"`
	Body LiveBody
}

func (h *handler) content(api *web.API) {
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/articles", "The last hundred articles, newest first"), h.getArticles)
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/articles/{id}", "One article", http.StatusNotFound), h.getArticle)
	web.Write(api, post(operator.ProgrammeWrite, "/articles", "Make an article"), h.postArticle)
	web.Write(api, op(operator.ProgrammeWrite, http.MethodPut, "/articles/{id}", "Change an article", http.StatusNotFound), h.putArticle)
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/lives", "The last hundred live sessions, newest window first"), h.getLives)
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/lives/{id}", "One live session", http.StatusNotFound), h.getLive)
	web.Write(api, post(operator.ProgrammeWrite, "/lives", "Make a live session"), h.postLive)
	web.Write(api, op(operator.ProgrammeWrite, http.MethodPut, "/lives/{id}", "Change a live session", http.StatusNotFound), h.putLive)
}

func contentArticleView(v content.ArticleView) ContentArticle {
	return ContentArticle{
		ID: web.IDOf(v.ID), ArticleBody: ArticleBody{Title: v.Title, URL: v.URL, MinSeconds: v.MinSeconds, Enabled: &v.Enabled},
		Readers: v.Readers, Reads: v.Reads, CreatedAt: web.At(v.CreatedAt),
	}
}

func liveView(v content.LiveView) Live {
	return Live{
		ID: web.IDOf(v.ID), Viewers: v.Viewers, Reached: v.Reached, CreatedAt: web.At(v.CreatedAt),
		LiveBody: LiveBody{Title: v.Title, URL: v.URL, OpensAt: web.At(v.OpensAt), ClosesAt: web.At(v.ClosesAt), MinSeconds: v.MinSeconds, Enabled: &v.Enabled},
	}
}

func (h *handler) getArticles(ctx context.Context, _ *web.None) (*web.Out[web.List[ContentArticle]], error) {
	rows, err := h.Content.Articles(ctx, 100)
	return listed(rows, contentArticleView), err
}

func (h *handler) getArticle(ctx context.Context, in *byID) (*web.Out[ContentArticle], error) {
	v, err := h.Content.Article(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	return &web.Out[ContentArticle]{Body: contentArticleView(*v)}, nil
}

func (h *handler) postArticle(ctx context.Context, in *articleIn) (*web.Out[ContentArticle], error) {
	return h.saveArticle(ctx, "article.create", 0, nil, in.Body)
}

func (h *handler) putArticle(ctx context.Context, in *articlePut) (*web.Out[ContentArticle], error) {
	old, err := h.getArticle(ctx, &byID{ID: in.ID})
	if err != nil {
		return nil, err
	}
	return h.saveArticle(ctx, "article.update", in.ID.Int(), old.Body, in.Body)
}

func (h *handler) saveArticle(ctx context.Context, action string, id int64, before any, b ArticleBody) (*web.Out[ContentArticle], error) {
	ctx = audited(ctx, h, action, before, func(a model.Article) (string, any) {
		return object("article", a.ID), contentArticleView(content.ArticleView{Article: a})
	})
	a, err := h.Content.SaveArticle(ctx, model.Article{ID: id, Title: b.Title, URL: b.URL, MinSeconds: b.MinSeconds, Enabled: on(b.Enabled)})
	if err != nil {
		return nil, err
	}
	return h.getArticle(ctx, &byID{ID: web.IDOf(a.ID)})
}

func (h *handler) getLives(ctx context.Context, _ *web.None) (*web.Out[web.List[Live]], error) {
	rows, err := h.Content.Lives(ctx, 100)
	if err != nil {
		return nil, err
	}
	out := listed(rows, liveView)
	return out, h.liveOrders(ctx, out.Body.Items)
}

// liveOrders fills in how many orders each session brought.
func (h *handler) liveOrders(ctx context.Context, list []Live) error {
	ids := make([]int64, len(list))
	for i, l := range list {
		ids[i] = l.ID.Int()
	}
	n, err := h.Orders.LiveBackflow(ctx, ids...)
	for i := range list {
		list[i].Orders = n[ids[i]]
	}
	return err
}

func (h *handler) getLive(ctx context.Context, in *byID) (*web.Out[Live], error) {
	v, err := h.Content.Live(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	list := []Live{liveView(*v)}
	if err := h.liveOrders(ctx, list); err != nil {
		return nil, err
	}
	return &web.Out[Live]{Body: list[0]}, nil
}

func (h *handler) postLive(ctx context.Context, in *liveIn) (*web.Out[Live], error) {
	return h.saveLive(ctx, "live.create", 0, nil, in.Body)
}

func (h *handler) putLive(ctx context.Context, in *livePut) (*web.Out[Live], error) {
	old, err := h.getLive(ctx, &byID{ID: in.ID})
	if err != nil {
		return nil, err
	}
	return h.saveLive(ctx, "live.update", in.ID.Int(), old.Body, in.Body)
}

func (h *handler) saveLive(ctx context.Context, action string, id int64, before any, b LiveBody) (*web.Out[Live], error) {
	for field, t := range map[string]*web.Time{"opens_at": &b.OpensAt, "closes_at": &b.ClosesAt} {
		if _, err := instant(field, t); err != nil {
			return nil, err
		}
	}
	ctx = audited(ctx, h, action, before, func(l model.LiveSession) (string, any) {
		return object("live", l.ID), liveView(content.LiveView{LiveSession: l})
	})
	l, err := h.Content.SaveLive(ctx, model.LiveSession{
		ID: id, Title: b.Title, URL: b.URL, OpensAt: b.OpensAt.Time, ClosesAt: b.ClosesAt.Time, MinSeconds: b.MinSeconds, Enabled: on(b.Enabled),
	})
	if err != nil {
		return nil, err
	}
	return h.getLive(ctx, &byID{ID: web.IDOf(l.ID)})
}
