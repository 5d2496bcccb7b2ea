package admin

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/tag"
	"github.com/siyu-scrm/siyu/handler/web"
)

// Band is one band of a dimension of RFM.
type Band struct {
	Name string `json:"name" minLength:"1" maxLength:"32" example:"低频客户"`
	From int64  `json:"from" minimum:"0" maximum:"1000000000000" example:"31" doc:"From so many days, orders or fen up to the next band"`
}

// RFM is how recency, frequency and money are cut into bands.
type RFM struct {
	WindowDays int    `json:"window_days" minimum:"1" maximum:"3660" example:"365" doc:"Of frequency and money"`
	Recency    []Band `json:"recency" minItems:"1" maxItems:"10" nullable:"false" doc:"By calendar days since the last paid order; the first from 0"`
	Frequency  []Band `json:"frequency" minItems:"1" maxItems:"10" nullable:"false" doc:"By orders; the first from 1"`
	Money      []Band `json:"money" minItems:"1" maxItems:"10" nullable:"false" doc:"By fen paid, net of refunds; the first from 0"`
}

func bandsOf(in []tag.Band) []Band {
	out := make([]Band, len(in))
	for i, b := range in {
		out[i] = Band(b)
	}
	return out
}

func bandsIn(in []Band) []tag.Band {
	out := make([]tag.Band, len(in))
	for i, b := range in {
		out[i] = tag.Band(b)
	}
	return out
}

func rfmView(r tag.RFM) RFM {
	return RFM{r.WindowDays, bandsOf(r.Recency), bandsOf(r.Frequency), bandsOf(r.Money)}
}

type rfmIn struct{ Body RFM }

// Cell is a place in the RFM matrix.
type Cell struct {
	Recency   string `json:"recency" example:"常购客户"`
	Frequency string `json:"frequency" example:"复购用户"`
	Money     string `json:"money" example:"中"`
}

// CellCount is how many members are in a cell.
type CellCount struct {
	Cell
	Members int64 `json:"members" example:"42"`
}

// CellMove is how many members went from one cell to another in a week.
type CellMove struct {
	From    Cell  `json:"from"`
	To      Cell  `json:"to"`
	Members int64 `json:"members" example:"3"`
}

// Layer is one layer of the value pyramid.
type Layer struct {
	Name      string    `json:"name" example:"付费"`
	Condition Condition `json:"condition"`
	Sentence  string    `json:"sentence"`
	TagID     web.ID    `json:"tag_id"`
	Holders   int64     `json:"holders" example:"42"`
}

func layer(l tag.Layer) Layer {
	return Layer{l.Name, Condition(l.Condition), l.Sentence, web.IDOf(l.TagID), l.Holders}
}

// LayerBody is a layer as an operator writes it.
type LayerBody struct {
	Name      string    `json:"name" minLength:"1" maxLength:"32" example:"付费"`
	Condition Condition `json:"condition"`
}

type pyramidIn struct {
	Body struct {
		Layers []LayerBody `json:"layers" minItems:"1" maxItems:"10" nullable:"false" doc:"From the top: a member is in the first that holds"`
	}
}

// LayerFlow is how many members went from one layer to another.
type LayerFlow struct {
	From    string `json:"from" example:"活跃" doc:"Empty: from none"`
	To      string `json:"to" example:"付费"`
	Members int64  `json:"members" example:"3"`
}

type weekIn struct {
	Week string `query:"week" maxLength:"10" example:"2026-12-07" doc:"A day of the week; this week if absent"`
}

// of is the week, from Monday, that contains the day.
func (w weekIn) of(h *handler) (from, to time.Time, err error) {
	day, err := dayOf("week", w.Week)
	if err != nil {
		return from, to, err
	}
	if day == "" {
		day = h.Zone.DayOf(h.Clock.Now())
	}
	monday := day.Add(-(int(day.Time().Weekday()) + 6) % 7)
	return h.Zone.Start(monday), h.Zone.Start(monday.Add(7)), nil
}

func (h *handler) ladders(api *web.API) {
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/rfm", "The bands of recency, frequency and money", http.StatusNotFound), h.getRFM)
	bands := map[string]any{
		"window_days": 365, "recency": []map[string]any{{"name": "常购客户", "from": 0}, {"name": "流失客户", "from": 181}},
		"frequency": []map[string]any{{"name": "尝鲜用户", "from": 1}, {"name": "复购用户", "from": 2}}, "money": []map[string]any{{"name": "低", "from": 0}, {"name": "高", "from": 100000}},
	}
	web.Write(api, example(op(operator.ProgrammeWrite, http.MethodPut, "/rfm", "Change the bands; everybody is evaluated anew"), bands), h.putRFM)
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/rfm/matrix", "How many members are in each cell"), h.getMatrix)
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/rfm/moves", "Who went from one cell to another in a week"), h.getCellMoves)
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/pyramid", "The layers of the value pyramid from the top, with how many are in each"), h.getPyramid)
	layers := []map[string]any{
		{"name": "付费", "condition": map[string]any{"leaf": "orders", "measure": "count", "op": "gte", "value": 1, "window": "365d"}},
		{"name": "普通", "condition": map[string]any{"leaf": "member", "field": "joined", "value": true}},
	}
	o := op(operator.ProgrammeWrite, http.MethodPut, "/pyramid", "Change the layers; everybody is evaluated anew")
	o.Description = "A layer is known by its name: it keeps its tag, and who stays in it sees no change."
	web.Write(api, example(o, map[string]any{"layers": layers}), h.putPyramid)
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/pyramid/flow", "How many went from one layer to another in a week"), h.getFlow)
}

func (h *handler) getRFM(ctx context.Context, _ *web.None) (*web.Out[RFM], error) {
	r, err := h.Tags.RFM(ctx)
	if err == nil && r == nil {
		err = notFound("tag.no_rfm")
	}
	if err != nil {
		return nil, err
	}
	return &web.Out[RFM]{Body: rfmView(*r)}, nil
}

func (h *handler) putRFM(ctx context.Context, in *rfmIn) (*web.Out[RFM], error) {
	old, err := h.Tags.RFM(ctx)
	if err != nil {
		return nil, err
	}
	before := rfmView(tag.RFM{})
	if old != nil {
		before = rfmView(*old)
	}
	ctx = audited(ctx, h, "rfm.update", before, func(r tag.RFM) (string, any) { return "rfm", rfmView(r) })
	b := in.Body
	r, err := h.Tags.SaveRFM(ctx, tag.RFM{WindowDays: b.WindowDays, Recency: bandsIn(b.Recency), Frequency: bandsIn(b.Frequency), Money: bandsIn(b.Money)})
	if err != nil {
		return nil, err
	}
	return &web.Out[RFM]{Body: rfmView(*r)}, nil
}

func (h *handler) getMatrix(ctx context.Context, _ *web.None) (*web.Out[web.List[CellCount]], error) {
	rows, err := h.Tags.Matrix(ctx)
	return listed(rows, func(c tag.Count) CellCount { return CellCount{Cell(c.Cell), c.Members} }), err
}

func (h *handler) getCellMoves(ctx context.Context, in *weekIn) (*web.Out[web.List[CellMove]], error) {
	from, to, err := in.of(h)
	if err != nil {
		return nil, err
	}
	rows, err := h.Tags.CellMoves(ctx, from, to)
	return listed(rows, func(m tag.CellMove) CellMove { return CellMove{Cell(m.From), Cell(m.To), m.Members} }), err
}

func (h *handler) getPyramid(ctx context.Context, _ *web.None) (*web.Out[web.List[Layer]], error) {
	rows, err := h.Tags.PyramidLayers(ctx, web.Lang(ctx))
	return listed(rows, layer), err
}

func (h *handler) putPyramid(ctx context.Context, in *pyramidIn) (*web.Out[web.List[Layer]], error) {
	old, err := h.Tags.PyramidLayers(ctx, web.Lang(ctx))
	if err != nil {
		return nil, err
	}
	steps := make([]tag.Step, len(in.Body.Layers))
	for i, l := range in.Body.Layers {
		tree, err := h.tree(l.Condition)
		if err != nil {
			return nil, condition.At(fmt.Sprintf("layers[%d].condition", i), err)
		}
		steps[i] = tag.Step{Name: l.Name, Condition: tree}
	}
	before := make([]LayerBody, len(old))
	for i, l := range old {
		before[i] = LayerBody{l.Name, Condition(l.Condition)}
	}
	ctx = audited(ctx, h, "pyramid.update", before, func(string) (string, any) { return "pyramid", in.Body.Layers })
	rows, err := h.Tags.SavePyramid(ctx, steps, web.Lang(ctx))
	return listed(rows, layer), err
}

func (h *handler) getFlow(ctx context.Context, in *weekIn) (*web.Out[web.List[LayerFlow]], error) {
	from, to, err := in.of(h)
	if err != nil {
		return nil, err
	}
	rows, err := h.Tags.Flow(ctx, from, to)
	return listed(rows, func(m tag.Move) LayerFlow { return LayerFlow(m) }), err
}
