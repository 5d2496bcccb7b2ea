package console

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/siyu-scrm/siyu/app/coupon"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/tag"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

type segmentsView struct {
	Frame
	Form   *Form
	Set    bool // bands are saved
	Heat   heat
	Moves  []tag.CellMove
	Saved  bool // the layers are saved, not only proposed
	Layers []layerRow
	Flow   []tag.Move
	Monday time.Time
}

type layerRow struct {
	No int // from the top, from 1
	tag.Layer
}

// heat is the matrix of RFM: a row for each band of recency, a column for each of frequency.
type heat struct {
	Columns []tag.View
	Rows    []heatRow
}

type heatRow struct {
	Band  tag.View
	Cells []heatCell // as Columns
}

type heatCell struct {
	Members int64
	Share   int // 0 to 5 parts of the fullest cell
	To      string
	Money   []heatPart
}

type heatPart struct {
	Name, To string
	Members  int64
}

func (con *Console) segments(c *gin.Context) error {
	return con.showSegments(c, http.StatusOK, newForm(nil))
}

func (con *Console) showSegments(c *gin.Context, status int, f *Form) (err error) {
	ctx := c.Request.Context()
	v := segmentsView{Frame: con.frame(c, "segments"), Form: f}
	v.Here = root + "/segments"
	today := con.app.Zone.DayOf(con.app.Clock.Now())
	monday := today.Add(-(int(today.Time().Weekday()) + 6) % 7)
	v.Monday = con.app.Zone.Start(monday)
	set, err := con.app.Tags.RFM(ctx)
	if err != nil {
		return err
	}
	v.Set = set != nil
	if v.Heat, err = con.heat(c); err != nil {
		return err
	}
	if v.Moves, err = con.app.Tags.CellMoves(ctx, v.Monday, con.app.Zone.Start(monday.Add(7))); err != nil {
		return err
	}
	list, saved, err := con.layers(c)
	if err != nil {
		return err
	}
	v.Saved = saved
	for i, l := range list {
		v.Layers = append(v.Layers, layerRow{i + 1, l})
	}
	if v.Flow, err = con.app.Tags.Flow(ctx, v.Monday, con.app.Zone.Start(monday.Add(7))); err != nil {
		return err
	}
	web.Page(c, status, "console/segments", v)
	return nil
}

// heat counts the cells; each leads to an audience of those in it.
func (con *Console) heat(c *gin.Context) (h heat, err error) {
	counts, err := con.app.Tags.Matrix(c.Request.Context())
	if err != nil || len(counts) == 0 {
		return h, err
	}
	groups, err := con.tagGroups(c)
	if err != nil {
		return h, err
	}
	in := map[tag.Cell]int64{}
	for _, n := range counts {
		in[n.Cell] = n.Members
	}
	bands := map[string][]tag.View{}
	for _, g := range groups {
		bands[g.Code] = g.Tags
	}
	to := func(tags ...tag.View) string {
		q := url.Values{}
		for _, t := range tags {
			q.Add("tag", strconv.FormatInt(t.ID, 10))
		}
		return root + "/audiences/new?" + q.Encode()
	}
	h.Columns = bands[tag.Frequency]
	most := int64(1)
	for _, r := range bands[tag.Recency] {
		row := heatRow{Band: r}
		for _, f := range h.Columns {
			cell := heatCell{To: to(r, f)}
			for _, m := range bands[tag.Money] {
				if n := in[tag.Cell{Recency: r.Name, Frequency: f.Name, Money: m.Name}]; n > 0 {
					cell.Money = append(cell.Money, heatPart{m.Name, to(r, f, m), n})
					cell.Members += n
				}
			}
			most = max(most, cell.Members)
			row.Cells = append(row.Cells, cell)
		}
		h.Rows = append(h.Rows, row)
	}
	for _, row := range h.Rows {
		for i := range row.Cells {
			row.Cells[i].Share = int((5*row.Cells[i].Members + most - 1) / most)
		}
	}
	return h, nil
}

// bandRow are the controls of a band, of whose dimension the field is.
type bandRow struct{ From, Name string }

type rfmView struct {
	Frame
	Form       *Form
	Dimensions []bandDimension
}

type bandDimension struct {
	Field string
	Rows  []bandRow
}

// bandFields are the dimensions in their order; money is typed in yuan.
var bandFields = []string{"recency", "frequency", "money"}

const moneyField = "money"

// maxBands is how many bands a form offers.
const maxBands = 20

func bandControls(field string, i int) bandRow {
	return bandRow{fmt.Sprintf("%s.%d.from", field, i), fmt.Sprintf("%s.%d.name", field, i)}
}

func bandsOf(in *tag.RFM, field string) *[]tag.Band {
	return map[string]*[]tag.Band{"recency": &in.Recency, "frequency": &in.Frequency, moneyField: &in.Money}[field]
}

// rfm is the form of the bands, as they are saved or as they could be at first.
func (con *Console) rfm(c *gin.Context) error {
	set, err := con.app.Tags.RFM(c.Request.Context())
	if err != nil {
		return err
	}
	if set == nil {
		first := tag.DefaultRFM()
		set = &first
	}
	values := url.Values{"window_days": {fmt.Sprint(set.WindowDays)}}
	for _, field := range bandFields {
		for i, b := range *bandsOf(set, field) {
			at := bandControls(field, i)
			from := strconv.FormatInt(b.From, 10)
			if field == moneyField {
				from = strings.TrimSuffix(coupon.Yuan(b.From), ".00")
			}
			values.Set(at.From, from)
			values.Set(at.Name, b.Name)
		}
	}
	return con.showRFM(c, http.StatusOK, newForm(values))
}

func (con *Console) showRFM(c *gin.Context, status int, f *Form) error {
	v := rfmView{Frame: con.frame(c, "rfm"), Form: f}
	v.Here = root + "/segments/rfm"
	for _, field := range bandFields {
		d := bandDimension{Field: field}
		last := 0
		for i := range maxBands {
			if at := bandControls(field, i); f.Get(at.From) != "" || f.Get(at.Name) != "" {
				last = i + 1
			}
		}
		for i := range min(last+2, maxBands) {
			d.Rows = append(d.Rows, bandControls(field, i))
		}
		v.Dimensions = append(v.Dimensions, d)
	}
	web.Page(c, status, "console/rfm", v)
	return nil
}

func readBands(f *Form, field string) (out []tag.Band, err error) {
	for i := range maxBands {
		at := bandControls(field, i)
		if f.Get(at.From) == "" && f.Get(at.Name) == "" {
			continue
		}
		b := tag.Band{Name: f.Get(at.Name)}
		if field == moneyField {
			b.From, err = readYuan(at.From, f.Get(at.From))
		} else {
			b.From, err = f.Number(at.From)
		}
		if err != nil {
			return nil, err
		}
		path := fmt.Sprintf("%s[%d]", field, len(out))
		f.from(path+".from", at.From)
		f.from(path+".name", at.Name)
		out = append(out, b)
	}
	return out, nil
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
			for _, field := range bandFields {
				if *bandsOf(&in, field), err = readBands(f, field); err != nil {
					return "", err
				}
			}
			_, err = con.app.Tags.SaveRFM(c.Request.Context(), in)
			return done(root+"/segments", "saved"), err
		},
		again: func(status int, f *Form) error { return con.showRFM(c, status, f) },
	})
}

// layers are those of the pyramid from the top, as they are saved or as they could be at first.
func (con *Console) layers(c *gin.Context) (list []tag.Layer, saved bool, err error) {
	ctx := c.Request.Context()
	if list, err = con.app.Tags.PyramidLayers(ctx, web.Lang(ctx)); err != nil || len(list) > 0 {
		return list, true, err
	}
	for _, s := range tag.DefaultPyramid() {
		l := tag.Layer{Name: s.Name, Condition: model.ToJSON(s.Condition)}
		if l.Sentence, err = con.app.Conditions.Sentence(ctx, con.app.DB.Reader(ctx), web.Lang(ctx), s.Condition); err != nil {
			return nil, false, err
		}
		list = append(list, l)
	}
	return list, false, nil
}

var layerPath = regexp.MustCompile(`^layers\[\d+\]\.`)

type layerView struct {
	Frame
	No     int // from the top, from 1; 0: a new one
	Form   *Form
	Places []choice
	Facts  factsView
}

// layerNo is the layer that the path names, 0 for a new one.
func layerNo(c *gin.Context, layers []tag.Layer) (int, error) {
	id, err := idOf(c, true)
	if err == nil && id > int64(len(layers)) {
		err = errs.New(errs.NotFound, "web.not_found")
	}
	return int(id), err
}

// layer is the form of one layer.
func (con *Console) layer(c *gin.Context) error {
	layers, _, err := con.layers(c)
	if err != nil {
		return err
	}
	n, err := layerNo(c, layers)
	if err != nil {
		return err
	}
	values := url.Values{"facts": {anyGroup}, "place": {strconv.Itoa(cmp.Or(n, len(layers)+1))}}
	if n > 0 {
		tree, err := con.app.Conditions.Parse(layers[n-1].Condition)
		if err != nil {
			return err
		}
		values.Set("name", layers[n-1].Name)
		con.writeFacts(values, "", tree)
	}
	return con.showLayer(c, http.StatusOK, n, len(layers), newForm(values))
}

func (con *Console) showLayer(c *gin.Context, status, n, count int, f *Form) (err error) {
	v := layerView{Frame: con.frame(c, "layer"), No: n, Form: f}
	v.Here = root + "/segments/layers/" + cmp.Or(strings.TrimPrefix(strconv.Itoa(n), "0"), "new")
	if n == 0 {
		count++
	}
	for i := range count {
		s := strconv.Itoa(i + 1)
		v.Places = append(v.Places, choice{s, s})
	}
	if v.Facts, err = con.factsOf(c, f); err != nil {
		return err
	}
	web.Page(c, status, "console/layer", v)
	return nil
}

// saveLayer changes or adds one layer.
func (con *Console) saveLayer(c *gin.Context) error {
	return con.changeLayers(c, func(f *Form, n int, steps []tag.Step) ([]tag.Step, error) {
		place, err := f.Number("place")
		if err != nil {
			return nil, err
		}
		tree, err := con.readFacts(f, "", "condition")
		if err != nil {
			return nil, err
		}
		if n > 0 {
			steps = slices.Delete(steps, n-1, n)
		}
		at := int(min(max(place-1, 0), int64(len(steps))))
		return slices.Insert(steps, at, tag.Step{Name: f.Get("name"), Condition: tree}), nil
	})
}

// deleteLayer takes a layer away.
func (con *Console) deleteLayer(c *gin.Context) error {
	return con.changeLayers(c, func(_ *Form, n int, steps []tag.Step) ([]tag.Step, error) {
		if n > 0 {
			steps = slices.Delete(steps, n-1, n)
		}
		return steps, nil
	})
}

// startLayers saves the layers that are proposed.
func (con *Console) startLayers(c *gin.Context) error {
	return con.changeLayers(c, func(_ *Form, _ int, steps []tag.Step) ([]tag.Step, error) { return steps, nil })
}

// changeLayers saves what to makes of the layers.
func (con *Console) changeLayers(c *gin.Context, to func(f *Form, n int, steps []tag.Step) ([]tag.Step, error)) error {
	f, err := readForm(c)
	if err != nil {
		return err
	}
	before, _, err := con.layers(c)
	if err != nil {
		return err
	}
	n, err := layerNo(c, before)
	if err != nil {
		return err
	}
	var after []tag.Step
	return con.write(c, f, change{
		action: "pyramid.update",
		of: func(any) operator.Change {
			return operator.Change{Object: "pyramid", Before: map[string]any{"layers": before}, After: map[string]any{"layers": after}}
		},
		do: func() (string, error) {
			ctx := c.Request.Context()
			var steps []tag.Step
			for _, l := range before {
				tree, err := con.app.Conditions.Parse(l.Condition)
				if err != nil {
					return "", err
				}
				steps = append(steps, tag.Step{Name: l.Name, Condition: tree})
			}
			if after, err = to(f, n, steps); err != nil {
				return "", err
			}
			_, err := con.app.Tags.SavePyramid(ctx, after, web.Lang(ctx))
			if e := asRefusal(err); e != nil { // the form knows its own layer only
				if path, ok := e.Args["field"].(string); ok {
					e.Args["field"] = layerPath.ReplaceAllString(path, "")
				}
			}
			return done(root+"/segments", "saved"), err
		},
		again: func(status int, f *Form) error {
			if c.Param("id") == "" || f.Get("facts") == "" {
				return con.showSegments(c, status, f)
			}
			return con.showLayer(c, status, n, len(before), f)
		},
	})
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
