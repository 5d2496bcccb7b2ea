package admin

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/order"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

// OrderImport is a file of orders.
type OrderImport struct {
	ID        web.ID   `json:"id"`
	WorkID    web.ID   `json:"work_id" doc:"The long job: POST /admin/v1/works/{id}/cancel ends it"`
	Name      string   `json:"name" example:"11月订单.csv"`
	State     string   `json:"state" enum:"running,done,failed,cancelled"`
	Lines     int64    `json:"lines"`
	Done      int64    `json:"done" doc:"Lines so far"`
	New       int64    `json:"new" doc:"Orders that were not known"`
	Changed   int64    `json:"changed"`
	Same      int64    `json:"same" doc:"Lines that told nothing new"`
	Failed    int64    `json:"failed" doc:"Lines that were refused: GET …/report says why"`
	Actor     string   `json:"actor" example:"operator:1"`
	CreatedAt web.Time `json:"created_at"`
}

func orderImport(i order.Imported) OrderImport {
	return OrderImport{
		ID: web.IDOf(i.ID), WorkID: web.IDOf(i.WorkID), Name: i.Name, State: i.State, Lines: i.Lines, Done: i.Done, New: i.Result.New, Changed: i.Result.Changed,
		Same: i.Result.Same, Failed: i.Result.Failed, Actor: i.Actor, CreatedAt: web.At(i.CreatedAt),
	}
}

type importIn struct {
	Body struct {
		Name string `json:"name" minLength:"1" maxLength:"200" example:"11月订单.csv"`
		Data string `json:"data" doc:"The file in base64: CSV in UTF-8 or GB18030, or XLSX; at most 100,000 lines"`
	}
}

func (h *handler) orderImports(api *web.API) {
	o := post(operator.MembersWrite, "/orders/imports", "Import a file of orders", http.StatusRequestEntityTooLarge)
	o.Description = "The first line names the columns: platform, order_no, status, version, member_no, phone, phone_tail, paid_at, amount, shipping, sku, product, category, quantity, " +
		"refund_no, refund_amount, refunded_at, source; or their Chinese names. Amounts are in yuan, moments in the programme's zone. One line is one order or one refund. " +
		"A bad line is reported and the others land; the same file again does nothing twice."
	csv := "platform,order_no,status,paid_at,amount\nown_mall,OM20261123002,paid,2026-11-23 09:00:00,99.00\n"
	web.Write(api, example(o, map[string]any{"name": "orders.csv", "data": base64.StdEncoding.EncodeToString([]byte(csv))}), h.postImport)
	web.Read(api, op(operator.MembersRead, http.MethodGet, "/orders/imports", "Imported files, newest first"), h.getImports)
	web.Read(api, op(operator.MembersRead, http.MethodGet, "/orders/imports/{id}", "One imported file", http.StatusNotFound), h.getImport)
	o = op(operator.MembersRead, http.MethodGet, "/orders/imports/{id}/report", "What became of each line", http.StatusNotFound)
	o.Responses = map[string]*huma.Response{"200": {Description: "CSV in UTF-8 with BOM", Content: map[string]*huma.MediaType{"text/csv": {
		Schema: &huma.Schema{Type: huma.TypeString},
	}}}}
	web.Read(api, o, h.getImportReport)
}

func (h *handler) postImport(ctx context.Context, in *importIn) (*web.Out[OrderImport], error) {
	data, err := base64.StdEncoding.DecodeString(in.Body.Data)
	if err != nil {
		return nil, errs.Field("data", "media.base64")
	}
	ctx = audited(ctx, h, "order.import", nil, func(i model.OrderImport) (string, any) {
		return object("order_import", i.ID), map[string]any{"name": i.Name, "lines": i.Lines, "bad": i.Bad}
	})
	i, err := h.Orders.Import(ctx, in.Body.Name, data, web.Actor(ctx))
	if err != nil {
		return nil, err
	}
	return h.getImport(ctx, &byID{ID: web.IDOf(i.ID)})
}

func (h *handler) getImports(ctx context.Context, in *struct{ web.Paging }) (*web.Out[web.List[OrderImport]], error) {
	before, err := after(in.Paging)
	if err != nil {
		return nil, err
	}
	rows, err := h.Orders.Imports(ctx, before, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return &web.Out[web.List[OrderImport]]{Body: web.ListOf(rows, in.Limit, orderImport, func(i order.Imported) []any { return []any{i.ID} })}, nil
}

func (h *handler) getImport(ctx context.Context, in *byID) (*web.Out[OrderImport], error) {
	i, err := h.Orders.ImportOf(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	return &web.Out[OrderImport]{Body: orderImport(*i)}, nil
}

func (h *handler) getImportReport(ctx context.Context, in *byID) (*document, error) {
	i, err := h.Orders.ImportOf(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := h.Orders.Report(ctx, i.ID, web.Lang(ctx), &b); err != nil {
		return nil, err
	}
	return &document{"text/csv; charset=utf-8", fmt.Sprintf(`attachment; filename="import-%d.csv"`, i.ID), b.Bytes()}, nil
}
