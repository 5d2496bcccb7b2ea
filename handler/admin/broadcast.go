package admin

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/siyu-scrm/siyu/app/broadcast"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

// BroadcastBody is a broadcast as an operator writes it. At most one of cron and at is given; with neither it is sent by hand.
type BroadcastBody struct {
	Name      string          `json:"name" minLength:"1" maxLength:"64" example:"每周三会员日"`
	Class     string          `json:"class,omitempty" enum:"marketing,service" default:"marketing" doc:"marketing obeys opt-out, the daily cap and quiet hours."`
	Condition Condition       `json:"condition,omitempty" doc:"Whom; everybody if absent"`
	Message   reach.Message   `json:"message"`
	Cron      string          `json:"cron,omitempty" maxLength:"64" example:"0 10 * * 3" doc:"minute hour day month weekday, in the programme's zone"`
	At        *web.Time       `json:"at,omitempty" doc:"Once, then"`
	Rules     reach.Rules     `json:"rules,omitempty" doc:"What it obeys beside the house rules"`
	Trial     broadcast.Trial `json:"trial,omitempty" doc:"Who is held back, and other contents that are tried"`
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
	Rules     json.RawMessage `json:"rules"`
	Trial     json.RawMessage `json:"trial"`
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
	Matched   int64            `json:"matched" example:"3" doc:"Who meets the condition: audience and held"`
	Held      int64            `json:"held" doc:"Held back by the trial: they get nothing"`
	Audience  int64            `json:"audience" example:"3"`
	Reachable int64            `json:"reachable" example:"2" doc:"Deferred ones too"`
	Deferred  int64            `json:"deferred" doc:"Of the reachable, those who wait, as in quiet hours"`
	Channels  map[string]int64 `json:"channels" doc:"Of the reachable"`
	Skipped   []reach.Reason   `json:"skipped" doc:"Why others are not reachable"`
	Until     *web.Time        `json:"deferred_until" doc:"When the last of the deferred wait no more"`
	MassLeft  map[string]int64 `json:"mass_left" doc:"Mass sends of the month that followers have left → how many of them"`
	CallsLeft map[string]int64 `json:"calls_left" doc:"Calls of today that WeChat's quota of a channel leaves, where it is counted"`
	CostFen   int64            `json:"cost_fen" doc:"By the prices of the settings"`
	Seconds   float64          `json:"seconds" doc:"How long it takes, by the settings and the last runs; 0: not known yet"`
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
	o = post(operator.BroadcastsSend, "/broadcasts/{id}/test", "Send it to named members to try it", http.StatusNotFound)
	o.Description = "As a service of the operator, marked as a test: no cap counts it and no quiet hours hold it. What would go out as a mass send goes as a customer message."
	web.Write(api, example(o, map[string]any{"members": []string{"1"}}), h.testBroadcast)
	h.runs(api)
	h.caps(api)
}

func (h *handler) input(id int64, b BroadcastBody) (in broadcast.Input, err error) {
	in = broadcast.Input{ID: id, Name: b.Name, Class: b.Class, Message: b.Message, Cron: b.Cron, Rules: b.Rules, Trial: b.Trial}
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
		ID: web.IDOf(b.ID), Name: b.Name, Class: b.Class, Condition: Condition(b.Condition), Message: raw(b.Message), Rules: raw(b.Rules), Trial: raw(b.Trial), Cron: b.Cron, At: web.AtPtr(b.At),
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
		Matched: p.Matched, Held: p.Held, Audience: p.Audience, Reachable: p.Reachable, Deferred: p.Deferred, Channels: p.Channels, Skipped: p.Skipped, Everybody: p.Everybody,
		Who: p.Who, When: p.When, Sample: make([]Person, len(p.Sample)),
	}
	v.Until, v.CostFen, v.Seconds, v.CallsLeft, v.MassLeft = web.AtPtr(p.Until), p.CostFen, p.Seconds, p.Left, map[string]int64{}
	for left, n := range p.MassLeft {
		v.MassLeft[strconv.Itoa(left)] = n
	}
	if v.CallsLeft == nil {
		v.CallsLeft = map[string]int64{}
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

type testIn struct {
	ID   web.ID `path:"id"`
	Body struct {
		Members []web.ID `json:"members" minItems:"1" maxItems:"20"`
		Variant string   `json:"variant,omitempty" enum:"A,B,C" doc:"Which content; A if absent"`
	}
}

func (h *handler) testBroadcast(ctx context.Context, in *testIn) (*web.Out[Run], error) {
	return h.test(ctx, "broadcast", in.ID, "variant", in.Body.Variant, in.Body.Members, h.Broadcasts.Test)
}

// test sends a message of a thing, said by which, to members to try it.
func (h *handler) test(ctx context.Context, kind string, id web.ID, which, value string, members []web.ID,
	send func(ctx context.Context, id int64, value string, members []int64) (*model.Run, error),
) (*web.Out[Run], error) {
	ids := make([]int64, len(members))
	for i, id := range members {
		ids[i] = id.Int()
	}
	changed := audited(ctx, h, kind+".test", nil, func(r model.Run) (string, any) {
		return object(kind, id.Int()), map[string]any{"run_id": web.IDOf(r.ID), which: value, "members": members}
	})
	r, err := send(changed, id.Int(), value, ids)
	if err != nil {
		return nil, err
	}
	v, err := h.run(ctx, r)
	return &web.Out[Run]{Body: v}, err
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
