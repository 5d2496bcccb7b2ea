package admin

import (
	"context"
	"fmt"
	"net/http"

	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/app/recall"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

// Recall is a campaign that brings back the customers of a file.
type Recall struct {
	ID        web.ID              `json:"id"`
	Name      string              `json:"name" example:"老客召回"`
	ImportID  web.ID              `json:"import_id"`
	SMS       reach.PhoneContent  `json:"sms"`
	Call      *reach.PhoneContent `json:"call" doc:"null: nobody is called"`
	CallAfter int                 `json:"call_after_days" doc:"Days after the SMS"`
	Days      int                 `json:"days" example:"7" doc:"Who comes within them was recalled"`
	TagID     web.ID              `json:"tag_id" doc:"What he gets"`
	State     string              `json:"state" enum:"draft,starting,started"`
	StartedAt *web.Time           `json:"started_at" doc:"The window begins"`
	EndsAt    *web.Time           `json:"ends_at" doc:"It ends before this instant"`
	CallAt    *web.Time           `json:"call_at" doc:"null: no calls are to come"`
	CreatedAt web.Time            `json:"created_at"`
}

// RecallFigures is a recall with what came of it.
type RecallFigures struct {
	Recall
	Lines    int64        `json:"lines" example:"300" doc:"Of the file: reached, pending and all skipped together"`
	Reached  int64        `json:"reached" example:"273" doc:"People who got the SMS or the call"`
	Pending  int64        `json:"pending" doc:"Who may get it yet"`
	Calls    int64        `json:"calls" doc:"People called"`
	Recalled int64        `json:"recalled" example:"91" doc:"Of the reached, who followed or registered with the number within the window, each once"`
	Followed int64        `json:"followed" doc:"Of the recalled, who followed first"`
	Rate     string       `json:"rate" example:"33.33" doc:"Recalled of reached, in percent"`
	Skipped  []RecallSkip `json:"skipped"`
}

// RecallSkip is how many got nothing for a reason.
type RecallSkip struct {
	Reason string `json:"reason" example:"OPTED_OUT" doc:"DUPLICATE: the number stood in the file before; INVALID_TARGET: it is none; CONDITION: he is a member already"`
	Count  int64  `json:"count" example:"9"`
}

// RecallSkipped is one who got nothing.
type RecallSkipped struct {
	Line   int64  `json:"line" doc:"Of the file, its head being 1"`
	Phone  string `json:"phone" example:"138****0001"`
	Reason string `json:"reason" example:"NO_CONSENT"`
	Detail string `json:"detail"`
}

type skippedIn struct {
	ID web.ID `path:"id"`
	web.Paging
	Reason string `query:"reason" maxLength:"32" doc:"Of this reason only"`
}

// Recalled is one who came back.
type Recalled struct {
	MemberID web.ID   `json:"member_id"`
	CameAt   web.Time `json:"came_at"`
	CameBy   string   `json:"came_by" enum:"registered,followed"`
}

type recallIn struct {
	Body struct {
		Name      string              `json:"name" minLength:"1" maxLength:"64"`
		ImportID  web.ID              `json:"import_id" doc:"A file of customers: POST /admin/v1/customers/imports"`
		Days      int                 `json:"days,omitempty" minimum:"1" maximum:"90" default:"7"`
		SMS       reach.PhoneContent  `json:"sms"`
		Call      *reach.PhoneContent `json:"call,omitempty"`
		CallAfter int                 `json:"call_after_days,omitempty" minimum:"0" maximum:"89" doc:"Days after the SMS, at least one; with call"`
	}
}

func recallView(r *model.Recall) Recall {
	v := Recall{
		ID: web.IDOf(r.ID), Name: r.Name, ImportID: web.IDOf(r.ImportID), CallAfter: r.CallAfter, Days: r.Days, TagID: web.IDOf(r.TagID), State: r.State,
		StartedAt: web.AtPtr(r.StartedAt), EndsAt: web.AtPtr(r.EndsAt), CallAt: web.AtPtr(r.CallAt), CreatedAt: web.At(r.CreatedAt),
	}
	_ = r.SMS.Into(&v.SMS) // was written by Save, as was the next
	_ = r.Call.Into(&v.Call)
	return v
}

func (h *handler) recalls(api *web.API) {
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/recalls", "Recalls, newest first"), h.getRecalls)
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/recalls/{id}", "One recall with its figures", http.StatusNotFound), h.getRecall)
	o := post(operator.BroadcastsSend, "/recalls", "Prepare to bring back the customers of a file, by SMS and a later call", http.StatusNotFound)
	o.Description = "Each customer of the file who consents gets the SMS once the recall is run, and the call some days later if he did not come. Who follows or registers with his number within the " +
		"days gets the tag 渠道:老客召回 and counts once."
	web.Write(api, example(o, map[string]any{"name": "老客召回", "import_id": "1", "days": 7, "sms": map[string]any{"text": "好久不见,回来领见面礼"}}), h.postRecall)
	web.Write(api, example(post(operator.BroadcastsSend, "/recalls/{id}/run", "Send it now", http.StatusNotFound, http.StatusConflict), map[string]any{}), h.runRecall)
	o = op(operator.MembersRead, http.MethodGet, "/recalls/{id}/skipped", "Who got nothing, and why", http.StatusNotFound)
	o.Description = "The first page begins with the lines of the file that name nobody."
	web.Read(api, o, h.getRecallSkipped)
	web.Read(api, op(operator.MembersRead, http.MethodGet, "/recalls/{id}/recalled", "Who came back", http.StatusNotFound), h.getRecalled)
}

func (h *handler) getRecalls(ctx context.Context, in *struct{ web.Paging }) (*web.Out[web.List[Recall]], error) {
	before, err := after(in.Paging)
	if err != nil {
		return nil, err
	}
	rows, err := h.Recalls.List(ctx, before, in.Limit+1)
	if err != nil {
		return nil, err
	}
	list := web.ListOf(rows, in.Limit, func(r model.Recall) Recall { return recallView(&r) }, func(r model.Recall) []any { return []any{r.ID} })
	return &web.Out[web.List[Recall]]{Body: list}, nil
}

func (h *handler) getRecall(ctx context.Context, in *byID) (*web.Out[RecallFigures], error) {
	r, err := h.Recalls.Get(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	f, err := h.Recalls.Figures(ctx, r)
	if err != nil {
		return nil, err
	}
	v := RecallFigures{
		Recall: recallView(r), Lines: f.Lines, Reached: f.Reached, Pending: f.Pending, Calls: f.Calls, Recalled: f.Recalled, Followed: f.Followed,
		Rate: fmt.Sprintf("%d.%02d", f.Rate()/100, f.Rate()%100), Skipped: make([]RecallSkip, len(f.Skipped)),
	}
	for i, s := range f.Skipped {
		v.Skipped[i] = RecallSkip(s)
	}
	return &web.Out[RecallFigures]{Body: v}, nil
}

func (h *handler) postRecall(ctx context.Context, in *recallIn) (*web.Out[Recall], error) {
	b := in.Body
	ctx = audited(ctx, h, "recall.create", nil, func(r model.Recall) (string, any) { return object("recall", r.ID), recallView(&r) })
	r, err := h.Recalls.Save(ctx, recall.Input{Name: b.Name, ImportID: b.ImportID.Int(), Days: b.Days, SMS: b.SMS, Call: b.Call, CallAfter: b.CallAfter})
	if err != nil {
		return nil, err
	}
	return &web.Out[Recall]{Body: recallView(r)}, nil
}

func (h *handler) runRecall(ctx context.Context, in *struct {
	ID   web.ID   `path:"id"`
	Body struct{} `required:"false"`
},
) (*web.Out[Recall], error) {
	old, err := h.Recalls.Get(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	ctx = audited(ctx, h, "recall.run", recallView(old), func(r model.Recall) (string, any) { return object("recall", r.ID), recallView(&r) })
	r, err := h.Recalls.Run(ctx, old.ID, web.Actor(ctx))
	if err != nil {
		return nil, err
	}
	return &web.Out[Recall]{Body: recallView(r)}, nil
}

func (h *handler) getRecallSkipped(ctx context.Context, in *skippedIn) (*web.Out[web.List[RecallSkipped]], error) {
	r, err := h.Recalls.Get(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	var at int64
	if _, err := in.Position(&at); err != nil {
		return nil, err
	}
	rows, next, err := h.Recalls.Skipped(ctx, r, in.Reason, at, in.Limit)
	if err != nil {
		return nil, err
	}
	out := web.List[RecallSkipped]{Items: make([]RecallSkipped, len(rows))}
	for i, s := range rows {
		out.Items[i] = RecallSkipped(s)
	}
	if next > 0 {
		out.Next = web.NextCursor(next)
	}
	return &web.Out[web.List[RecallSkipped]]{Body: out}, nil
}

func (h *handler) getRecalled(ctx context.Context, in *pageOf) (*web.Out[web.List[Recalled]], error) {
	r, err := h.Recalls.Get(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	at, err := after(in.Paging)
	if err != nil {
		return nil, err
	}
	rows, err := h.Recalls.Came(ctx, r.ID, at, in.Limit+1)
	if err != nil {
		return nil, err
	}
	view := func(p model.RecallPerson) Recalled {
		return Recalled{web.IDOf(p.MemberID), web.At(*p.CameAt), p.CameBy}
	}
	return &web.Out[web.List[Recalled]]{Body: web.ListOf(rows, in.Limit, view, func(p model.RecallPerson) []any { return []any{p.MemberID} })}, nil
}
