package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/tag"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

type segmentsView struct {
	Frame
	RFM     *Form
	Set     bool // bands are saved
	Matrix  []tag.Count
	Moves   []tag.CellMove
	Pyramid *Form
	Layers  []tag.Layer
	Flow    []tag.Move
	Monday  time.Time
}

func (con *Console) segments(c *gin.Context) error {
	rfm, pyramid, err := con.segmentForms(c)
	if err != nil {
		return err
	}
	return con.showSegments(c, http.StatusOK, rfm, pyramid)
}

// segmentForms are the forms as they are saved, or as they could be at first.
func (con *Console) segmentForms(c *gin.Context) (rfm, pyramid *Form, err error) {
	ctx := c.Request.Context()
	set, err := con.app.Tags.RFM(ctx)
	if err != nil {
		return nil, nil, err
	}
	if set == nil {
		first := tag.DefaultRFM()
		set = &first
	}
	layers, err := con.app.Tags.PyramidLayers(ctx, web.Lang(ctx))
	if err != nil {
		return nil, nil, err
	}
	if len(layers) == 0 {
		for _, s := range tag.DefaultPyramid() {
			layers = append(layers, tag.Layer{Name: s.Name, Condition: model.ToJSON(s.Condition)})
		}
	}
	values := url.Values{"window_days": {fmt.Sprint(set.WindowDays)}, "recency": {bandLines(set.Recency, 1)}, "frequency": {bandLines(set.Frequency, 1)}, "money": {bandLines(set.Money, 100)}}
	steps := url.Values{}
	for _, l := range layers {
		steps.Add("name", l.Name)
		steps.Add("condition", string(l.Condition))
	}
	return newForm(values), newForm(steps), nil
}

// bandLines is one line for each band: "31 低频客户". Money is written in yuan.
func bandLines(bands []tag.Band, unit int64) string {
	lines := make([]string, len(bands))
	for i, b := range bands {
		lines[i] = strconv.FormatFloat(float64(b.From)/float64(unit), 'f', -1, 64) + " " + b.Name
	}
	return strings.Join(lines, "\n")
}

func readBands(f *Form, field string, unit float64) (out []tag.Band, err error) {
	for line := range strings.Lines(f.Get(field)) {
		from, name, ok := strings.Cut(strings.TrimSpace(line), " ")
		if from == "" {
			continue
		}
		n, err := strconv.ParseFloat(from, 64)
		if err != nil || !ok || n < 0 || n > 1e10 || n*unit != float64(int64(n*unit)) {
			return nil, errs.Field(field, "console.bands", "line", line)
		}
		out = append(out, tag.Band{Name: strings.TrimSpace(name), From: int64(n * unit)})
	}
	return out, nil
}

func (con *Console) showSegments(c *gin.Context, status int, rfm, pyramid *Form) (err error) {
	ctx := c.Request.Context()
	v := segmentsView{Frame: con.frame(c, "segments"), RFM: rfm, Pyramid: pyramid}
	v.Here = root + "/segments"
	today := con.app.Zone.DayOf(con.app.Clock.Now())
	monday := today.Add(-(int(today.Time().Weekday()) + 6) % 7)
	v.Monday = con.app.Zone.Start(monday)
	set, err := con.app.Tags.RFM(ctx)
	if err != nil {
		return err
	}
	v.Set = set != nil
	if v.Matrix, err = con.app.Tags.Matrix(ctx); err != nil {
		return err
	}
	if v.Moves, err = con.app.Tags.CellMoves(ctx, v.Monday, con.app.Zone.Start(monday.Add(7))); err != nil {
		return err
	}
	if v.Layers, err = con.app.Tags.PyramidLayers(ctx, web.Lang(ctx)); err != nil {
		return err
	}
	if v.Flow, err = con.app.Tags.Flow(ctx, v.Monday, con.app.Zone.Start(monday.Add(7))); err != nil {
		return err
	}
	web.Page(c, status, "console/segments", v)
	return nil
}

func (con *Console) saveRFM(c *gin.Context) error {
	f, err := readForm(c)
	if err != nil {
		return err
	}
	before, err := con.app.Tags.RFM(c.Request.Context())
	if err != nil {
		return err
	}
	if before == nil {
		before = &tag.RFM{}
	}
	return con.write(c, f, change{
		action: "rfm.update",
		of:     func(answer any) operator.Change { return operator.Change{Object: "rfm", Before: before, After: answer} },
		do: func() (string, error) {
			in := tag.RFM{}
			days, err := f.Number("window_days")
			if err != nil {
				return "", err
			}
			in.WindowDays = int(days)
			for _, d := range []struct {
				field string
				unit  float64
				into  *[]tag.Band
			}{{"recency", 1, &in.Recency}, {"frequency", 1, &in.Frequency}, {"money", 100, &in.Money}} {
				if *d.into, err = readBands(f, d.field, d.unit); err != nil {
					return "", err
				}
			}
			_, err = con.app.Tags.SaveRFM(c.Request.Context(), in)
			return done(root+"/segments", "saved"), err
		},
		again: func(status int, f *Form) error {
			_, pyramid, err := con.segmentForms(c)
			if err != nil {
				return err
			}
			return con.showSegments(c, status, f, pyramid)
		},
	})
}

func (con *Console) savePyramid(c *gin.Context) error {
	f, err := readForm(c)
	if err != nil {
		return err
	}
	ctx := c.Request.Context()
	before, err := con.app.Tags.PyramidLayers(ctx, web.Lang(ctx))
	if err != nil {
		return err
	}
	return con.write(c, f, change{
		action: "pyramid.update",
		of: func(any) operator.Change {
			return operator.Change{Object: "pyramid", Before: before, After: map[string]any{"names": f.Values["name"], "conditions": f.Values["condition"]}}
		},
		do: func() (string, error) {
			var steps []tag.Step
			for i, name := range f.Values["name"] {
				raw := f.At("condition", i)
				if strings.TrimSpace(name) == "" && strings.TrimSpace(raw) == "" {
					continue
				}
				if !json.Valid([]byte(raw)) {
					return "", errs.Field("condition", "condition.malformed")
				}
				tree, err := con.app.Conditions.Parse([]byte(raw))
				if err != nil {
					return "", condition.At("condition", err)
				}
				steps = append(steps, tag.Step{Name: name, Condition: tree})
			}
			ctx := c.Request.Context()
			_, err := con.app.Tags.SavePyramid(ctx, steps, web.Lang(ctx))
			return done(root+"/segments", "saved"), err
		},
		again: func(status int, f *Form) error {
			rfm, _, err := con.segmentForms(c)
			if err != nil {
				return err
			}
			return con.showSegments(c, status, rfm, f)
		},
	})
}

// Steps are the layers of the form, and an empty one.
func (v segmentsView) Steps() (rows []struct{ Name, Condition string }) {
	for i, name := range v.Pyramid.Values["name"] {
		rows = append(rows, struct{ Name, Condition string }{name, v.Pyramid.At("condition", i)})
	}
	return append(rows, struct{ Name, Condition string }{})
}

type hygieneView struct {
	Frame
	*tag.Hygiene
	Groups []tagGroup
	Form   *Form
}

func (con *Console) hygiene(c *gin.Context) error {
	return con.showHygiene(c, http.StatusOK, newForm(url.Values{"from": {c.Query("from")}}))
}

func (con *Console) showHygiene(c *gin.Context, status int, f *Form) (err error) {
	v := hygieneView{Frame: con.frame(c, "hygiene"), Form: f}
	v.Here = root + "/tags/hygiene"
	if v.Hygiene, err = con.app.Tags.Hygiene(c.Request.Context()); err != nil {
		return err
	}
	if v.Groups, err = con.tagGroups(c); err != nil {
		return err
	}
	web.Page(c, status, "console/hygiene", v)
	return nil
}

func (con *Console) mergeTags(c *gin.Context) error {
	f, err := readForm(c)
	if err != nil {
		return err
	}
	return con.write(c, f, change{
		action: "tag.merge",
		of: func(answer any) operator.Change {
			w := answer.(model.Work)
			return operator.Change{Object: "tag:" + f.Get("from"), Before: map[string]any{"tag_id": f.Get("from")}, After: map[string]any{"into": f.Get("into"), "work_id": fmt.Sprint(w.ID)}}
		},
		do: func() (string, error) {
			from, err := f.Number("from")
			if err != nil {
				return "", err
			}
			into, err := f.Number("into")
			if err != nil {
				return "", err
			}
			_, err = con.app.Tags.Merge(c.Request.Context(), from, into, fmt.Sprint("operator:", operatorOf(c).ID))
			return done(root+"/works", "saved"), err
		},
		again: func(status int, f *Form) error { return con.showHygiene(c, status, f) },
	})
}
