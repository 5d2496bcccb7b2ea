package admin

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/siyu-scrm/siyu/app/broadcast"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

// BroadcastBody is a broadcast as an operator writes it. At most one of cron and at is given; with neither it is sent by hand.
type BroadcastBody struct {
	Name      string        `json:"name" minLength:"1" maxLength:"64" example:"每周三会员日"`
	Class     string        `json:"class,omitempty" enum:"marketing,service" default:"marketing" doc:"marketing obeys opt-out, the daily cap and quiet hours."`
	Condition Condition     `json:"condition,omitempty" doc:"Whom; everybody if absent"`
	Message   reach.Message `json:"message"`
	Cron      string        `json:"cron,omitempty" maxLength:"64" example:"0 10 * * 3" doc:"minute hour day month weekday, in the programme's zone"`
	At        *web.Time     `json:"at,omitempty" doc:"Once, then"`
}

type broadcastIn struct{ Body BroadcastBody }

type broadcastPut struct {
	ID   web.ID `path:"id"`
	Body BroadcastBody
}

// Broadcast is a message to whoever meets a condition.
type Broadcast struct {
	ID        web.ID          `json:"id"`
	Name      string          `json:"name" example:"每周三会员日"`
	Class     string          `json:"class" example:"marketing"`
	Condition Condition       `json:"condition"`
	Message   json.RawMessage `json:"message"`
	Cron      string          `json:"cron" example:"0 10 * * 3"`
	At        *web.Time       `json:"at"`
	State     string          `json:"state" example:"active" doc:"active, paused or done"`
	Who       string          `json:"who" doc:"The condition in words"`
	When      string          `json:"when" example:"每周三 10:00" doc:"The schedule in words"`
	Next      []web.Time      `json:"next" doc:"The next five firings"`
	CreatedAt web.Time        `json:"created_at"`
	UpdatedAt web.Time        `json:"updated_at"`
	LastRun   *Run            `json:"last_run,omitempty"`
}

// Person is somebody of a sample.
type Person struct {
	ID       web.ID `json:"id"`
	No       string `json:"no"`
	Nickname string `json:"nickname"`
}

// Preview is what a broadcast would do now, by the decisions of the live send.
type Preview struct {
	Audience  int64            `json:"audience" example:"3"`
	Reachable int64            `json:"reachable" example:"2" doc:"Deferred ones too"`
	Deferred  int64            `json:"deferred" doc:"Of the reachable, those who wait, as in quiet hours"`
	Channels  map[string]int64 `json:"channels" doc:"Of the reachable"`
	Skipped   []reach.Reason   `json:"skipped" doc:"Why others are not reachable"`
	Everybody bool             `json:"everybody" doc:"true: running it by hand has to be confirmed with the audience's number"`
	Who       string           `json:"who"`
	When      string           `json:"when"`
	Sample    []Person         `json:"sample" doc:"At most twelve"`
}

type runIn struct {
	ID   web.ID `path:"id"`
	Body struct {
		Confirm *int64 `json:"confirm,omitempty" minimum:"0" example:"3" doc:"The audience's number, for a broadcast to everybody"`
	}
}

func (h *handler) broadcasts(api *web.API) {
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/broadcasts", "Broadcasts, newest first"), h.getBroadcasts)
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/broadcasts/{id}", "One broadcast with the live counts of its last run", http.StatusNotFound), h.getBroadcast)
	body := map[string]any{
		"name": "每周三会员日", "cron": "0 10 * * 3", "condition": map[string]any{"leaf": "member", "field": "joined", "value": true},
		"message": map[string]any{"text": "{{nickname}},今天是会员日。", "fallbacks": map[string]any{"nickname": "您好"}, "channels": []string{"customer"}},
	}
	o := post(operator.BroadcastsSend, "/broadcasts", "Make a broadcast")
	o.Description = "The answer says whom and when in words, with the next five runs."
	web.Write(api, example(o, body), h.postBroadcast)
	o = op(operator.BroadcastsSend, http.MethodPut, "/broadcasts/{id}", "Change a broadcast", http.StatusNotFound, http.StatusConflict)
	web.Write(api, example(o, body), h.putBroadcast)
	o = op(operator.BroadcastsSend, http.MethodDelete, "/broadcasts/{id}", "Delete a broadcast that was never sent", http.StatusNotFound, http.StatusConflict)
	web.Write(api, o, h.deleteBroadcast)
	web.Write(api, op(operator.BroadcastsSend, http.MethodPost, "/broadcasts/{id}/pause", "Send nothing until it is resumed", http.StatusNotFound, http.StatusConflict), h.pauseBroadcast)
	o = op(operator.BroadcastsSend, http.MethodPost, "/broadcasts/{id}/resume", "Go on with the next firing", http.StatusNotFound, http.StatusConflict)
	web.Write(api, o, h.resumeBroadcast)
	web.Read(api, example(op(operator.MembersRead, http.MethodPost, "/broadcasts/preview", "Whom it would reach now, and why not others"), body), h.previewBroadcast)
	o = post(operator.BroadcastsSend, "/broadcasts/{id}/run", "Send it now", http.StatusNotFound, http.StatusConflict)
	o.Description = "409 DUPLICATE for a one-off that was sent, and a second time within a minute; 409 CONFLICT with the audience in details where everybody has to be confirmed."
	web.Write(api, example(o, map[string]any{}), h.runBroadcast)
	h.runs(api)
}

func (h *handler) input(id int64, b BroadcastBody) (in broadcast.Input, err error) {
	in = broadcast.Input{ID: id, Name: b.Name, Class: b.Class, Message: b.Message, Cron: b.Cron}
	if in.At, err = instant("at", b.At); err != nil {
		return in, err
	}
	in.Condition, err = h.tree(b.Condition)
	return in, err
}

// broadcast reads a broadcast back in words.
func (h *handler) broadcast(ctx context.Context, b *model.Broadcast) (Broadcast, error) {
	v, err := h.Broadcasts.View(ctx, web.Lang(ctx), b)
	if err != nil {
		return Broadcast{}, err
	}
	out := broadcastRow(b)
	out.Who, out.When = v.Who, v.When
	for _, t := range v.Next {
		out.Next = append(out.Next, web.At(t))
	}
	return out, nil
}

// broadcastRow is the row alone, as the audit log keeps it.
func broadcastRow(b *model.Broadcast) Broadcast {
	return Broadcast{
		ID: web.IDOf(b.ID), Name: b.Name, Class: b.Class, Condition: Condition(b.Condition), Message: raw(b.Message), Cron: b.Cron, At: web.AtPtr(b.At),
		State: b.State, Next: []web.Time{}, CreatedAt: web.At(b.CreatedAt), UpdatedAt: web.At(b.UpdatedAt),
	}
}

func (h *handler) getBroadcasts(ctx context.Context, in *struct{ web.Paging }) (*web.Out[web.List[Broadcast]], error) {
	before, err := after(in.Paging)
	if err != nil {
		return nil, err
	}
	rows, err := h.Broadcasts.List(ctx, before, in.Limit+1)
	if err != nil {
		return nil, err
	}
	list := web.ListOf(rows, in.Limit, func(b model.Broadcast) Broadcast {
		v, e := h.broadcast(ctx, &b)
		if e != nil {
			err = e
		}
		return v
	}, func(b model.Broadcast) []any { return []any{b.ID} })
	return &web.Out[web.List[Broadcast]]{Body: list}, err
}

func (h *handler) getBroadcast(ctx context.Context, in *byID) (*web.Out[Broadcast], error) {
	b, err := h.Broadcasts.Get(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	v, err := h.broadcast(ctx, b)
	if err != nil {
		return nil, err
	}
	last, err := h.Reach.Runs(ctx, broadcast.Source, b.ID, 0, 1)
	if err != nil || len(last) == 0 {
		return &web.Out[Broadcast]{Body: v}, err
	}
	run, err := h.run(ctx, &last[0])
	v.LastRun = &run
	return &web.Out[Broadcast]{Body: v}, err
}

func (h *handler) postBroadcast(ctx context.Context, in *broadcastIn) (*web.Out[Broadcast], error) {
	return h.saveBroadcast(ctx, "broadcast.create", 0, nil, in.Body)
}

func (h *handler) putBroadcast(ctx context.Context, in *broadcastPut) (*web.Out[Broadcast], error) {
	old, err := h.Broadcasts.Get(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	return h.saveBroadcast(ctx, "broadcast.update", old.ID, broadcastRow(old), in.Body)
}

func (h *handler) saveBroadcast(ctx context.Context, action string, id int64, before any, b BroadcastBody) (*web.Out[Broadcast], error) {
	in, err := h.input(id, b)
	if err != nil {
		return nil, err
	}
	return h.answer(ctx, func(ctx context.Context) (*model.Broadcast, error) { return h.Broadcasts.Save(ctx, in) }, action, before)
}

// answer runs a use case that answers a broadcast, with its audit line, and shows it in words.
func (h *handler) answer(
	ctx context.Context, do func(context.Context) (*model.Broadcast, error), action string, before any,
) (*web.Out[Broadcast], error) {
	b, err := do(audited(ctx, h, action, before, func(b model.Broadcast) (string, any) { return object("broadcast", b.ID), broadcastRow(&b) }))
	if err != nil {
		return nil, err
	}
	v, err := h.broadcast(ctx, b)
	return &web.Out[Broadcast]{Body: v}, err
}

func (h *handler) pauseBroadcast(ctx context.Context, in *byID) (*web.Out[Broadcast], error) {
	return h.turn(ctx, in.ID.Int(), "broadcast.pause", h.Broadcasts.Pause)
}

func (h *handler) resumeBroadcast(ctx context.Context, in *byID) (*web.Out[Broadcast], error) {
	return h.turn(ctx, in.ID.Int(), "broadcast.resume", h.Broadcasts.Resume)
}

func (h *handler) turn(
	ctx context.Context, id int64, action string, turn func(context.Context, int64) (*model.Broadcast, error),
) (*web.Out[Broadcast], error) {
	old, err := h.Broadcasts.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	return h.answer(ctx, func(ctx context.Context) (*model.Broadcast, error) { return turn(ctx, id) }, action, broadcastRow(old))
}

func (h *handler) deleteBroadcast(ctx context.Context, in *byID) (*web.None, error) {
	old, err := h.Broadcasts.Get(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	ctx = audited(ctx, h, "broadcast.delete", broadcastRow(old), func(struct{}) (string, any) { return object("broadcast", old.ID), nil })
	return nil, h.Broadcasts.Delete(ctx, old.ID)
}

func (h *handler) previewBroadcast(ctx context.Context, in *broadcastIn) (*web.Out[Preview], error) {
	input, err := h.input(0, in.Body)
	if err != nil {
		return nil, err
	}
	p, err := h.Broadcasts.Preview(ctx, web.Lang(ctx), input)
	if err != nil {
		return nil, err
	}
	return &web.Out[Preview]{Body: preview(p)}, nil
}

func preview(p *broadcast.Preview) Preview {
	v := Preview{
		Audience: p.Audience, Reachable: p.Reachable, Deferred: p.Deferred, Channels: p.Channels, Skipped: p.Skipped, Everybody: p.Everybody,
		Who: p.Who, When: p.When, Sample: make([]Person, len(p.Sample)),
	}
	if v.Channels == nil {
		v.Channels = map[string]int64{}
	}
	if v.Skipped == nil {
		v.Skipped = []reach.Reason{}
	}
	for i, m := range p.Sample {
		v.Sample[i] = Person{web.IDOf(m.ID), m.No, m.Nickname}
	}
	return v
}

func (h *handler) runBroadcast(ctx context.Context, in *runIn) (*web.Out[Run], error) {
	changed := audited(ctx, h, "broadcast.run", nil, func(r model.Run) (string, any) { return object("run", r.ID), runRow(&r) })
	r, err := h.Broadcasts.RunNow(changed, in.ID.Int(), in.Body.Confirm)
	if err != nil {
		return nil, err
	}
	v, err := h.run(ctx, r)
	return &web.Out[Run]{Body: v}, err
}
