package console

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/radar"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

type radarsView struct {
	Frame
	Rows []radar.View
}

// radars lists the tracked links.
func (con *Console) radars(c *gin.Context) error {
	rows, err := con.app.Radar.List(c.Request.Context(), 100)
	if err != nil {
		return err
	}
	web.Page(c, http.StatusOK, "console/radars", radarsView{con.frame(c, "radars"), rows})
	return nil
}

type radarView struct {
	Frame
	ID       int64
	Form     *Form
	Saved    *radar.View // nil: a new one
	Tags     []tagGroup
	Grades   []radarGrade
	Sends    []radar.SendFigures
	Tree     []radarNode
	Of       string // which people are listed
	Groups   []string
	People   []radar.Person
	Next     string
	Variable string // what stands in a text for the link
}

// radarGrade is a line of the table of grades.
type radarGrade struct {
	Grade, Tag string
	Members    int64
}

type radarNode struct {
	radar.Node
	Mark string // how deep it is
}

func (con *Console) radar(c *gin.Context) error {
	id, err := idOf(c, true)
	if err != nil {
		return err
	}
	values := url.Values{"target": {model.RadarArticle}, "high_seconds": {"180"}, "high_forwards": {"2"}, "medium_seconds": {"10"}, "low_hours": {"48"}}
	if id != 0 {
		v, err := con.app.Radar.Get(c.Request.Context(), id)
		if err != nil {
			return err
		}
		number := func(n int64) []string { return []string{strconv.FormatInt(n, 10)} }
		values = url.Values{
			"name": {v.Name}, "kind": {v.Kind}, "target": {v.Target}, "url": {v.URL}, "high_seconds": number(v.HighSeconds), "high_forwards": number(v.HighForwards),
			"medium_seconds": number(v.MediumSeconds), "low_hours": number(int64(v.LowHours)),
			"high_tag_id": number(v.HighTag), "medium_tag_id": number(v.MediumTag), "low_tag_id": number(v.LowTag),
		}
	}
	return con.showRadar(c, http.StatusOK, id, newForm(values))
}

func (con *Console) showRadar(c *gin.Context, status int, id int64, f *Form) (err error) {
	v := radarView{Frame: con.frame(c, "radar"), ID: id, Form: f, Groups: radar.Groups(), Of: radar.Opened}
	if v.Tags, err = con.tagGroups(c); err != nil {
		return err
	}
	if id != 0 {
		if err := con.radarFigures(c, &v); err != nil {
			return err
		}
	}
	web.Page(c, status, "console/radar", v)
	return nil
}

// radarFigures fills in what the page of a link shows beside its form.
func (con *Console) radarFigures(c *gin.Context, v *radarView) (err error) {
	ctx := c.Request.Context()
	if v.Saved, err = con.app.Radar.Get(ctx, v.ID); err != nil {
		return err
	}
	v.Variable = "{{" + radar.Variable + strconv.FormatInt(v.ID, 10) + "}}"
	s := v.Saved
	for _, g := range []radarGrade{{model.RadarHigh, "", s.High}, {model.RadarMedium, "", s.Medium}, {model.RadarLow, "", s.Low}} {
		g.Tag = tagName(v.Tags, s.TagOf(g.Grade))
		v.Grades = append(v.Grades, g)
	}
	if v.Sends, err = con.app.Radar.Sends(ctx, v.ID, perPage); err != nil {
		return err
	}
	tree, err := con.app.Radar.Tree(ctx, v.ID)
	if err != nil {
		return err
	}
	for _, n := range tree {
		mark := ""
		if n.Depth > 0 {
			mark = strings.Repeat("　", n.Depth-1) + "└ "
		}
		v.Tree = append(v.Tree, radarNode{n, mark})
	}
	if of := c.Query("of"); slices.Contains(v.Groups, of) {
		v.Of = of
	}
	if v.People, err = con.app.Radar.People(ctx, v.ID, v.Of, after(c), perPage+1); err != nil {
		return err
	}
	if len(v.People) > perPage {
		v.People = v.People[:perPage]
		v.Next = nextPage(c, v.People[perPage-1].Key) + "#people"
	}
	return nil
}

func (con *Console) saveRadar(c *gin.Context) error {
	return save(con, c, saving[model.RadarLink]{
		kind: "radar",
		get: func(id int64) (any, error) {
			v, err := con.app.Radar.Get(c.Request.Context(), id)
			if err != nil {
				return nil, err
			}
			return v.RadarLink, nil
		},
		facts: func(l model.RadarLink) (int64, any) { return l.ID, l },
		do: func(f *Form, id int64) (string, error) {
			r := &reader{f: f, zone: con.app.Zone}
			l := model.RadarLink{
				ID: id, Name: f.Get("name"), Kind: f.Get("kind"), Target: f.Get("target"), URL: f.Get("url"), HighSeconds: r.number("high_seconds"),
				HighForwards: r.number("high_forwards"), MediumSeconds: r.number("medium_seconds"), LowHours: int(r.number("low_hours")),
			}
			for name, into := range map[string]*int64{"high_tag_id": &l.HighTag, "medium_tag_id": &l.MediumTag, "low_tag_id": &l.LowTag} {
				*into = read(r, func() (int64, error) { return f.ID(name) })
			}
			if r.err != nil {
				return "", r.err
			}
			saved, err := con.app.Radar.Save(c.Request.Context(), l)
			if err != nil {
				return "", err
			}
			return done(root+"/radars/"+strconv.FormatInt(saved.ID, 10), "saved"), nil
		},
		again: func(status int, id int64, f *Form) error { return con.showRadar(c, status, id, f) },
	})
}
