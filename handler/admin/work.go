package admin

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

// Work is a long job: how far it is and what came of it.
type Work struct {
	ID        web.ID          `json:"id"`
	Kind      string          `json:"kind" example:"order.import"`
	KindName  string          `json:"kind_name" example:"导入订单"`
	State     string          `json:"state" enum:"running,done,failed,cancelled" doc:"A failed one goes on where it stopped when it is started again."`
	Done      int64           `json:"done" doc:"Of total"`
	Total     int64           `json:"total" doc:"0: not known"`
	Args      json.RawMessage `json:"args" doc:"What was asked for"`
	Result    json.RawMessage `json:"result" doc:"What came of it so far"`
	Error     string          `json:"error" doc:"Of the last failure, empty since the last success"`
	Actor     string          `json:"actor" example:"operator:1"`
	StartedAt web.Time        `json:"started_at"`
	EndedAt   *web.Time       `json:"ended_at"`
}

func workView(lang string, w model.Work) Work {
	return Work{
		ID: web.IDOf(w.ID), Kind: w.Kind, KindName: templates.T(lang, "work.kind."+w.Kind, nil), State: w.State, Done: w.Done, Total: w.Total,
		Args: json.RawMessage(w.Args), Result: json.RawMessage(w.Result), Error: w.Error, Actor: w.Actor,
		StartedAt: web.At(w.StartedAt), EndedAt: web.AtPtr(w.EndedAt),
	}
}

type worksIn struct {
	web.Paging
	Kind string `query:"kind" maxLength:"32" doc:"All kinds if absent"`
}

func (h *handler) works(api *web.API) {
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/works", "Long jobs, newest first"), h.getWorks)
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/works/{id}", "One long job: how far it is, and its result", http.StatusNotFound), h.getWork)
	o := op(operator.ProgrammeWrite, http.MethodPost, "/works/{id}/cancel", "End a long job", http.StatusNotFound, http.StatusConflict)
	o.Description = "What it did stays. 409 if it has ended."
	web.Write(api, o, h.cancelWork)
	o = op(operator.ProgrammeWrite, http.MethodPost, "/works/{id}/retry", "Let a failed job go on where it stopped", http.StatusNotFound, http.StatusConflict)
	web.Write(api, o, h.retryWork)
}

func (h *handler) getWorks(ctx context.Context, in *worksIn) (*web.Out[web.List[Work]], error) {
	before, err := after(in.Paging)
	if err != nil {
		return nil, err
	}
	rows, err := h.Works.List(ctx, in.Kind, before, in.Limit+1)
	if err != nil {
		return nil, err
	}
	next := ""
	if len(rows) > in.Limit {
		rows = rows[:in.Limit]
		next = web.NextCursor(rows[in.Limit-1].ID)
	}
	out := listed(rows, func(w model.Work) Work { return workView(web.Lang(ctx), w) })
	out.Body.Next = next
	return out, nil
}

func (h *handler) getWork(ctx context.Context, in *byID) (*web.Out[Work], error) {
	w, err := h.Works.Get(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	return &web.Out[Work]{Body: workView(web.Lang(ctx), *w)}, nil
}

func (h *handler) cancelWork(ctx context.Context, in *byID) (*web.Out[Work], error) {
	return h.changeWork(ctx, "work.cancel", in, h.Works.Cancel)
}

func (h *handler) retryWork(ctx context.Context, in *byID) (*web.Out[Work], error) {
	return h.changeWork(ctx, "work.retry", in, h.Works.Retry)
}

func (h *handler) changeWork(ctx context.Context, action string, in *byID, do func(context.Context, int64) (*model.Work, error)) (*web.Out[Work], error) {
	old, err := h.getWork(ctx, in)
	if err != nil {
		return nil, err
	}
	lang := web.Lang(ctx)
	ctx = audited(ctx, h, action, old.Body, func(w model.Work) (string, any) { return object("work", w.ID), workView(lang, w) })
	w, err := do(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	return &web.Out[Work]{Body: workView(lang, *w)}, nil
}
