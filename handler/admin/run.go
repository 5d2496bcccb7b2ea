package admin

import (
	"context"
	"net/http"
	"time"

	"github.com/siyu-scrm/siyu/app/broadcast"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

// Run is one firing of a broadcast, with its people by state.
type Run struct {
	ID        web.ID       `json:"id"`
	Source    string       `json:"source" example:"broadcast"`
	SourceID  web.ID       `json:"source_id"`
	Slot      string       `json:"slot" example:"2026-11-25T10:00:00+08:00" doc:"The firing: a time of the cron line, once, missed or manual:<minute>"`
	State     string       `json:"state" example:"done" doc:"sending, massing, cancelling, done, cancelled or missed"`
	Paused    bool         `json:"paused"`
	PausedFor string       `json:"paused_for" example:"23/60 48001 api unauthorized" doc:"The run paused itself: so many of its last calls failed, and WeChat's last answer. Empty: an operator did."`
	Class     string       `json:"class" example:"marketing"`
	Variant   string       `json:"variant" example:"B" doc:"Which content, where several are tried: each is a run"`
	HeldOut   int64        `json:"held_out" doc:"Of the firing, who is held back. They are in no run: those who met the condition are the audiences of its runs and they."`
	Until     *web.Time    `json:"until" doc:"Nobody is sent to from then on"`
	Counts    reach.Counts `json:"counts" doc:"audience = the sum of all others, at every moment"`
	CreatedAt web.Time     `json:"created_at"`
	DoneAt    *web.Time    `json:"done_at"`
}

// RunFacts is a run with why people were skipped and what WeChat says of its mass sends.
type RunFacts struct {
	Run
	Reasons []reach.Reason `json:"reasons"`
	Mass    []MassBatch    `json:"mass"`
}

// MassBatch is one mass send of a run.
type MassBatch struct {
	No       int64       `json:"no"`
	State    string      `json:"state" example:"accepted"`
	Size     int64       `json:"size"`
	MsgID    string      `json:"msg_id"`
	Detail   string      `json:"detail" doc:"WeChat's code and words"`
	CalledAt *web.Time   `json:"called_at"`
	Report   *MassReport `json:"report" doc:"null until WeChat has reported"`
}

// MassReport is WeChat's own report on a mass send.
type MassReport struct {
	Status   string   `json:"status" example:"send success"`
	Total    int64    `json:"total"`
	Filtered int64    `json:"filtered"`
	Sent     int64    `json:"sent"`
	Errors   int64    `json:"errors"`
	At       web.Time `json:"at"`
}

// Delivery is one message to one person.
type Delivery struct {
	RunID    web.ID    `json:"run_id"`
	Seq      int64     `json:"seq"`
	MemberID web.ID    `json:"member_id"`
	State    string    `json:"state" example:"accepted" doc:"pending, attempting, accepted, rejected, unknown, suppressed, deferred or cancelled"`
	Channel  string    `json:"channel" example:"customer"`
	Reason   string    `json:"reason" example:"UNSUBSCRIBED" doc:"Why not, or why not yet"`
	Detail   string    `json:"detail" example:"window_closed"`
	MsgID    string    `json:"msg_id"`
	DueAt    *web.Time `json:"due_at" doc:"Deferred until"`
	At       *web.Time `json:"at" doc:"The last change"`
}

type runsIn struct {
	ID web.ID `path:"id"`
	web.Paging
}

type deliveriesIn struct {
	ID web.ID `path:"id"`
	web.Paging
	State   string `query:"state" enum:"pending,attempting,accepted,rejected,unknown,suppressed,deferred,cancelled"`
	Reason  string `query:"reason" maxLength:"16" doc:"UNSUBSCRIBED, OPTED_OUT, NO_CONSENT, FREQ_CAP, QUIET_HOURS, NO_QUOTA, CONDITION, EXITED, DUPLICATE, INVALID_TARGET"`
	Detail  string `query:"detail" maxLength:"128"`
	Channel string `query:"channel" enum:"customer,mass,subscribe,template,notice,sms,call,inbox,webhook"`
}

func (h *handler) runs(api *web.API) {
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/broadcasts/{id}/runs", "The runs of a broadcast, newest first", http.StatusNotFound), h.getRuns)
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/runs/{id}", "One run: people by state, why some were skipped, WeChat's own totals", http.StatusNotFound), h.getRun)
	web.Read(api, op(operator.MembersRead, http.MethodGet, "/runs/{id}/deliveries", "The people of a run", http.StatusNotFound), h.getDeliveries)
	web.Write(api, op(operator.BroadcastsSend, http.MethodPost, "/runs/{id}/cancel", "Send to nobody who was not sent to yet", http.StatusNotFound), h.cancelRun)
	web.Write(api, op(operator.BroadcastsSend, http.MethodPost, "/runs/{id}/pause", "Send nothing until it is resumed", http.StatusNotFound), h.pauseRun)
	web.Write(api, op(operator.BroadcastsSend, http.MethodPost, "/runs/{id}/resume", "Go on where it was", http.StatusNotFound), h.resumeRun)
	o := op(operator.BroadcastsSend, http.MethodPost, "/runs/{id}/retry", "Try the rejected again", http.StatusNotFound, http.StatusConflict)
	o.Description = "Those whom WeChat rejected for what may have passed, such as the account, are sent to again; nobody who was accepted or is unknown is. A paused run goes on."
	web.Write(api, o, h.retryRun)
	h.results(api)
}

// runRow is the row alone, as the audit log keeps it.
func runRow(r *model.Run) Run {
	return Run{
		ID: web.IDOf(r.ID), Source: r.Source, SourceID: web.IDOf(r.SourceID), Slot: slot(r.Slot), State: r.State, Paused: r.Paused, PausedFor: r.PausedFor, Class: r.Class, Variant: r.Variant, HeldOut: r.Held, Until: web.AtPtr(r.Until),
		Counts: reach.Counts{Audience: r.Audience}, CreatedAt: web.At(r.CreatedAt), DoneAt: web.AtPtr(r.DoneAt),
	}
}

func (h *handler) run(ctx context.Context, r *model.Run) (v Run, err error) {
	v = runRow(r)
	v.Counts, err = h.Reach.Counts(ctx, r.ID)
	return v, err
}

func (h *handler) getRuns(ctx context.Context, in *runsIn) (*web.Out[web.List[Run]], error) {
	b, err := h.Broadcasts.Get(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	before, err := after(in.Paging)
	if err != nil {
		return nil, err
	}
	rows, err := h.Reach.Runs(ctx, broadcast.Source, b.ID, before, in.Limit+1)
	if err != nil {
		return nil, err
	}
	list := web.ListOf(rows, in.Limit, func(r model.Run) Run {
		v, e := h.run(ctx, &r)
		if e != nil {
			err = e
		}
		return v
	}, func(r model.Run) []any { return []any{r.ID} })
	return &web.Out[web.List[Run]]{Body: list}, err
}

func (h *handler) getRun(ctx context.Context, in *byID) (*web.Out[RunFacts], error) {
	r, err := h.Reach.Run(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	var out RunFacts
	if out.Run, err = h.run(ctx, r); err != nil {
		return nil, err
	}
	if out.Reasons, err = h.Reach.Reasons(ctx, r.ID); err != nil {
		return nil, err
	}
	if out.Reasons == nil {
		out.Reasons = []reach.Reason{}
	}
	batches, err := h.Reach.Batches(ctx, r.ID)
	out.Mass = make([]MassBatch, len(batches))
	for i, b := range batches {
		out.Mass[i] = massBatch(b)
	}
	return &web.Out[RunFacts]{Body: out}, err
}

func massBatch(b reach.MassBatch) MassBatch {
	v := MassBatch{No: b.No, State: b.State, Size: b.Size, MsgID: b.MsgID, Detail: b.Detail, CalledAt: web.AtPtr(b.CalledAt)}
	if r := b.Report; r != nil {
		v.Report = &MassReport{r.Status, r.Total, r.Filtered, r.Sent, r.Errors, web.At(r.FinishedAt)}
	}
	return v
}

func delivery(d model.Delivery) Delivery {
	return Delivery{
		RunID: web.IDOf(d.RunID), Seq: d.Seq, MemberID: web.IDOf(d.MemberID), State: d.State, Channel: d.Channel, Reason: d.Reason, Detail: d.Detail,
		MsgID: d.MsgID, DueAt: web.AtPtr(d.DueAt), At: web.AtPtr(d.At),
	}
}

func (h *handler) getDeliveries(ctx context.Context, in *deliveriesIn) (*web.Out[web.List[Delivery]], error) {
	r, err := h.Reach.Run(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	var last int64
	ok, err := in.Position(&last)
	if err != nil {
		return nil, err
	}
	if ok {
		last++
	}
	f := reach.Filter{State: in.State, Reason: in.Reason, Detail: in.Detail, Channel: in.Channel}
	rows, err := h.Reach.Deliveries(ctx, r.ID, f, last, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return &web.Out[web.List[Delivery]]{Body: web.ListOf(rows, in.Limit, delivery, func(d model.Delivery) []any { return []any{d.Seq} })}, nil
}

func (h *handler) cancelRun(ctx context.Context, in *byID) (*web.Out[Run], error) {
	return h.turnRun(ctx, in, "run.cancel", h.Reach.Cancel)
}

func (h *handler) pauseRun(ctx context.Context, in *byID) (*web.Out[Run], error) {
	return h.turnRun(ctx, in, "run.pause", func(ctx context.Context, id int64) error { return h.Reach.Pause(ctx, id, true) })
}

func (h *handler) resumeRun(ctx context.Context, in *byID) (*web.Out[Run], error) {
	return h.turnRun(ctx, in, "run.resume", func(ctx context.Context, id int64) error { return h.Reach.Pause(ctx, id, false) })
}

func (h *handler) retryRun(ctx context.Context, in *byID) (*web.Out[Run], error) {
	return h.turnRun(ctx, in, "run.retry", h.Reach.Retry)
}

func (h *handler) turnRun(ctx context.Context, in *byID, action string, turn func(context.Context, int64) error) (*web.Out[Run], error) {
	old, err := h.Reach.Run(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	saved := audited(ctx, h, action, runRow(old), func(r model.Run) (string, any) { return object("run", r.ID), runRow(&r) })
	if err := turn(saved, old.ID); err != nil {
		return nil, err
	}
	r, err := h.Reach.Run(ctx, old.ID)
	if err != nil {
		return nil, err
	}
	v, err := h.run(ctx, r)
	return &web.Out[Run]{Body: v}, err
}

// slot says a firing of a cron line as every other time of an answer is said; the other slots are words.
func slot(stored string) string {
	at, err := time.Parse(time.RFC3339, stored)
	if err != nil {
		return stored
	}
	return web.At(at).Text()
}
