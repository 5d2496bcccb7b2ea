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
	"github.com/siyu-scrm/siyu/app/sheet"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

// Import is a file that was imported.
type Import struct {
	ID        web.ID   `json:"id"`
	WorkID    web.ID   `json:"work_id" doc:"The long job: POST /admin/v1/works/{id}/cancel ends it"`
	Name      string   `json:"name" example:"11月订单.csv"`
	State     string   `json:"state" enum:"running,done,failed,cancelled"`
	Lines     int64    `json:"lines"`
	Done      int64    `json:"done" doc:"Lines so far"`
	New       int64    `json:"new" doc:"Things that were not known"`
	Changed   int64    `json:"changed"`
	Same      int64    `json:"same" doc:"Lines that told nothing new"`
	Failed    int64    `json:"failed" doc:"Lines that were refused: GET …/report says why"`
	Actor     string   `json:"actor" example:"operator:1"`
	CreatedAt web.Time `json:"created_at"`
}

func importView(i sheet.Imported) Import {
	return Import{
		ID: web.IDOf(i.ID), WorkID: web.IDOf(i.WorkID), Name: i.Name, State: i.State, Lines: i.Lines, Done: i.Done, New: i.Result.New, Changed: i.Result.Changed,
		Same: i.Result.Same, Failed: i.Result.Failed, Actor: i.Actor, CreatedAt: web.At(i.CreatedAt),
	}
}

// File is a file to import.
type File struct {
	Name string `json:"name" minLength:"1" maxLength:"200" example:"11月.csv"`
	Data string `json:"data" doc:"The file in base64: CSV in UTF-8 or GB18030, or XLSX"`
}

func (f *File) bytes() ([]byte, error) {
	data, err := base64.StdEncoding.DecodeString(f.Data)
	if err != nil {
		return nil, errs.Field("data", "media.base64")
	}
	return data, nil
}

// exampleFile is a file for the document.
func exampleFile(name, csv string) map[string]any {
	return map[string]any{"name": name, "data": base64.StdEncoding.EncodeToString([]byte(csv))}
}

// imports are the routes of a kind of files, below a path, but for the one that takes a file.
func (h *handler) imports(api *web.API, path, kind string) {
	of := &imports{h, kind}
	web.Read(api, op(operator.MembersRead, http.MethodGet, path+"/imports", "Imported files, newest first"), of.list)
	web.Read(api, op(operator.MembersRead, http.MethodGet, path+"/imports/{id}", "One imported file", http.StatusNotFound), of.get)
	o := op(operator.MembersRead, http.MethodGet, path+"/imports/{id}/report", "What became of each line", http.StatusNotFound)
	o.Responses = map[string]*huma.Response{"200": {Description: "CSV in UTF-8 with BOM", Content: map[string]*huma.MediaType{"text/csv": {
		Schema: &huma.Schema{Type: huma.TypeString},
	}}}}
	web.Read(api, o, of.report)
}

// importing has the audit line of an import written.
func (h *handler) importing(ctx context.Context, kind string) context.Context {
	return audited(ctx, h, kind, nil, func(i model.Import) (string, any) {
		return object("import", i.ID), map[string]any{"name": i.Name, "lines": i.Lines, "bad": i.Bad}
	})
}

// imported answers with a file that is being imported.
func (h *handler) imported(ctx context.Context, i *model.Import, err error) (*web.Out[Import], error) {
	if err != nil {
		return nil, err
	}
	return (&imports{h, i.Kind}).get(ctx, &byID{ID: web.IDOf(i.ID)})
}

type imports struct {
	*handler
	kind string
}

func (h *imports) list(ctx context.Context, in *struct{ web.Paging }) (*web.Out[web.List[Import]], error) {
	before, err := after(in.Paging)
	if err != nil {
		return nil, err
	}
	rows, err := h.Sheets.List(ctx, h.kind, before, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return &web.Out[web.List[Import]]{Body: web.ListOf(rows, in.Limit, importView, func(i sheet.Imported) []any { return []any{i.ID} })}, nil
}

func (h *imports) get(ctx context.Context, in *byID) (*web.Out[Import], error) {
	i, err := h.Sheets.Get(ctx, h.kind, in.ID.Int())
	if err != nil {
		return nil, err
	}
	return &web.Out[Import]{Body: importView(*i)}, nil
}

func (h *imports) report(ctx context.Context, in *byID) (*document, error) {
	i, err := h.Sheets.Get(ctx, h.kind, in.ID.Int())
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := h.Sheets.Report(ctx, i, web.Lang(ctx), &b); err != nil {
		return nil, err
	}
	return &document{"text/csv; charset=utf-8", fmt.Sprintf(`attachment; filename="import-%d.csv"`, i.ID), b.Bytes()}, nil
}

type orderFileIn struct{ Body File }

func (h *handler) orderImports(api *web.API) {
	o := post(operator.MembersWrite, "/orders/imports", "Import a file of orders", http.StatusRequestEntityTooLarge)
	o.Description = "The first line names the columns: platform, order_no, status, version, member_no, phone, phone_tail, paid_at, amount, shipping, sku, product, category, quantity, " +
		"refund_no, refund_amount, refunded_at, source; or their Chinese names. Amounts are in yuan, moments in the programme's zone. One line is one order or one refund; at most 100,000 lines. " +
		"A bad line is reported and the others land; the same file again does nothing twice."
	web.Write(api, example(o, exampleFile("orders.csv", "platform,order_no,status,paid_at,amount\nown_mall,OM20261123002,paid,2026-11-23 09:00:00,99.00\n")), h.postOrders)
	h.imports(api, "/orders", order.Import)
}

func (h *handler) postOrders(ctx context.Context, in *orderFileIn) (*web.Out[Import], error) {
	data, err := in.Body.bytes()
	if err != nil {
		return nil, err
	}
	i, err := h.Sheets.Import(h.importing(ctx, order.Import), order.Import, in.Body.Name, data, nil, web.Actor(ctx))
	return h.imported(ctx, i, err)
}
