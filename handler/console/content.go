package console

import (
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/content"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

type articlesView struct {
	Frame
	Articles []content.ArticleView
	Lives    []liveLine
}

type liveLine struct {
	content.LiveView
	Phase  string // as of a quiz
	Orders int64  // that it brought
}

// articles lists what members read and watch.
func (con *Console) articles(c *gin.Context) (err error) {
	v := articlesView{Frame: con.frame(c, "articles")}
	if v.Articles, err = con.app.Content.Articles(c.Request.Context(), 100); err != nil {
		return err
	}
	lives, err := con.app.Content.Lives(c.Request.Context(), 100)
	if err != nil {
		return err
	}
	ids := make([]int64, len(lives))
	for i, l := range lives {
		ids[i] = l.ID
	}
	brought, err := con.app.Orders.LiveBackflow(c.Request.Context(), ids...)
	if err != nil {
		return err
	}
	for _, l := range lives {
		window := model.Quiz{Enabled: l.Enabled, OpensAt: l.OpensAt, ClosesAt: l.ClosesAt}
		v.Lives = append(v.Lives, liveLine{l, phase(&window, v.Now), brought[l.ID]})
	}
	web.Page(c, http.StatusOK, "console/articles", v)
	return nil
}

type contentView struct {
	Frame
	ID   int64
	Form *Form
}

func (con *Console) article(c *gin.Context) error {
	id, err := idOf(c, true)
	if err != nil {
		return err
	}
	values := url.Values{"enabled": {"on"}, "min_seconds": {"15"}}
	if id != 0 {
		a, err := con.app.Content.Article(c.Request.Context(), id)
		if err != nil {
			return err
		}
		values = contentValues(a.Title, a.URL, a.MinSeconds, a.Enabled)
	}
	return con.showContent(c, "article", http.StatusOK, id, newForm(values))
}

func contentValues(title, link string, seconds int, enabled bool) url.Values {
	v := url.Values{"title": {title}, "url": {link}, "min_seconds": {fmt.Sprint(seconds)}}
	if enabled {
		v.Set("enabled", "on")
	}
	return v
}

func (con *Console) showContent(c *gin.Context, kind string, status int, id int64, f *Form) error {
	web.Page(c, status, "console/"+kind, contentView{con.frame(c, kind), id, f})
	return nil
}

func (con *Console) saveArticle(c *gin.Context) error {
	return save(con, c, saving[model.Article]{
		kind: "article",
		get: func(id int64) (any, error) {
			a, err := con.app.Content.Article(c.Request.Context(), id)
			if err != nil {
				return nil, err
			}
			return a.Article, nil
		},
		facts: func(a model.Article) (int64, any) { return a.ID, a },
		do: func(f *Form, id int64) (string, error) {
			seconds, err := f.Number("min_seconds")
			if err != nil {
				return "", err
			}
			_, err = con.app.Content.SaveArticle(c.Request.Context(), model.Article{
				ID: id, Title: f.Get("title"), URL: f.Get("url"), MinSeconds: int(seconds), Enabled: f.On("enabled"),
			})
			return done(root+"/articles", "saved"), err
		},
		again: func(status int, id int64, f *Form) error { return con.showContent(c, "article", status, id, f) },
	})
}

func (con *Console) live(c *gin.Context) error {
	id, err := idOf(c, true)
	if err != nil {
		return err
	}
	day := con.app.Zone.DayOf(con.app.Clock.Now())
	opens, closes := con.app.Zone.At(day, 20, 0), con.app.Zone.At(day, 22, 0)
	values := url.Values{"enabled": {"on"}, "min_seconds": {"600"}}
	if id != 0 {
		l, err := con.app.Content.Live(c.Request.Context(), id)
		if err != nil {
			return err
		}
		values, opens, closes = contentValues(l.Title, l.URL, l.MinSeconds, l.Enabled), l.OpensAt, l.ClosesAt
	}
	values.Set("opens_at", written(&opens, con.app.Zone))
	values.Set("closes_at", written(&closes, con.app.Zone))
	return con.showContent(c, "live", http.StatusOK, id, newForm(values))
}

func (con *Console) saveLive(c *gin.Context) error {
	return save(con, c, saving[model.LiveSession]{
		kind: "live",
		get: func(id int64) (any, error) {
			l, err := con.app.Content.Live(c.Request.Context(), id)
			if err != nil {
				return nil, err
			}
			return l.LiveSession, nil
		},
		facts: func(l model.LiveSession) (int64, any) { return l.ID, l },
		do: func(f *Form, id int64) (string, error) {
			l := model.LiveSession{ID: id, Title: f.Get("title"), URL: f.Get("url"), Enabled: f.On("enabled")}
			seconds, err := f.Number("min_seconds")
			if err != nil {
				return "", err
			}
			l.MinSeconds = int(seconds)
			for field, into := range map[string]*time.Time{"opens_at": &l.OpensAt, "closes_at": &l.ClosesAt} {
				t, err := f.Time(field, con.app.Zone)
				switch {
				case err != nil:
					return "", err
				case t == nil:
					return "", errs.Field(field, "console.required")
				}
				*into = *t
			}
			_, err = con.app.Content.SaveLive(c.Request.Context(), l)
			return done(root+"/articles", "saved"), err
		},
		again: func(status int, id int64, f *Form) error { return con.showContent(c, "live", status, id, f) },
	})
}
