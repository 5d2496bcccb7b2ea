package admin

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/app/sop"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

// SOPBody is a SOP as an operator writes it.
type SOPBody struct {
	Name    string       `json:"name" minLength:"1" maxLength:"64" example:"新会员"`
	Class   string       `json:"class,omitempty" enum:"marketing,service" default:"marketing" doc:"Of its messages; a step may have its own"`
	Entry   SOPEntry     `json:"entry"`
	Reentry *SOPReentry  `json:"reentry,omitempty" doc:"Never, if absent. Nobody is in a SOP twice at once"`
	Exit    []SOPTrigger `json:"exit,omitempty" maxItems:"10" doc:"Any of them takes a member out. His next message is shown as skipped with EXITED, and that is the end"`
	Goal    *SOPGoal     `json:"goal,omitempty"`
	Steps   []SOPStep    `json:"steps" minItems:"1" maxItems:"30"`
}

// SOPEntry is how members come in. Exactly one of event, cron and at is given.
type SOPEntry struct {
	Event     string    `json:"event,omitempty" maxLength:"64" example:"member.registered" doc:"One of GET /admin/v1/events/kinds, or behavior.<action>"`
	Cron      string    `json:"cron,omitempty" maxLength:"64" example:"0 10 1 * *" doc:"minute hour day month weekday, in the programme's zone: who meets the condition then and is not in it"`
	At        *web.Time `json:"at,omitempty" doc:"Once: who meets the condition then"`
	Condition Condition `json:"condition,omitempty" doc:"That of an event may ask about the event"`
}

// SOPReentry says whether who was in a SOP may come in again.
type SOPReentry struct {
	Mode string `json:"mode,omitempty" enum:"never,after,always" example:"after"`
	Days int    `json:"days,omitempty" minimum:"0" maximum:"3650" example:"30" doc:"after: so many calendar days since the last entry"`
}

// SOPTrigger is an event that fits a condition, or without an event a condition that comes to hold.
type SOPTrigger struct {
	Event     string    `json:"event,omitempty" maxLength:"64" example:"order.paid"`
	Condition Condition `json:"condition,omitempty"`
}

// SOPGoal is what a SOP is for.
type SOPGoal struct {
	SOPTrigger
	Days int `json:"days,omitempty" minimum:"0" maximum:"3650" example:"7" doc:"A step is credited with it for so many times 24 hours; 7 if absent"`
}

// SOPStep does one thing: exactly one of send, branch and wait is given.
type SOPStep struct {
	Key       string     `json:"key" pattern:"^[a-z0-9_-]{1,32}$" example:"day3"`
	When      *SOPWhen   `json:"when,omitempty" doc:"As soon as it is reached, if absent. A message whose time is over then is passed as missed"`
	Send      *SOPSend   `json:"send,omitempty"`
	Branch    *SOPBranch `json:"branch,omitempty"`
	Wait      *SOPWait   `json:"wait,omitempty"`
	Next      string     `json:"next,omitempty" maxLength:"32" doc:"Key of a later step, or end; the following one if empty"`
	Otherwise string     `json:"otherwise,omitempty" maxLength:"32" doc:"Likewise: where the condition of a branch does not hold, or a wait is over"`
}

// SOPWhen is the time of a step: exactly one of day, after, at and cron.
type SOPWhen struct {
	Day   *int      `json:"day,omitempty" minimum:"0" maximum:"3650" example:"3" doc:"Calendar days since the day of entry, at time"`
	Time  string    `json:"time,omitempty" maxLength:"5" example:"10:00"`
	After string    `json:"after,omitempty" maxLength:"16" example:"48h" doc:"Since the step before"`
	At    *web.Time `json:"at,omitempty"`
	Cron  string    `json:"cron,omitempty" maxLength:"64" doc:"Its next firing"`
}

// SOPSend is a message, with what it gives.
type SOPSend struct {
	Message   reach.Message `json:"message"`
	Class     string        `json:"class,omitempty" enum:"marketing,service," doc:"That of the SOP, if empty"`
	Condition Condition     `json:"condition,omitempty" doc:"For whom it does not hold, the step is skipped as CONDITION"`
	Grants    *SOPGrants    `json:"grants,omitempty"`
}

// SOPGrants are what a step gives each member once, whether its message reaches him or not.
type SOPGrants struct {
	Account  string     `json:"account,omitempty" maxLength:"32" example:"points" doc:"points if absent"`
	Amount   int64      `json:"amount,omitempty" minimum:"0" example:"50"`
	Memo     string     `json:"memo,omitempty" maxLength:"255"`
	CouponID OptionalID `json:"coupon_id,omitempty"`
}

// SOPBranch goes to next where its condition holds, else to otherwise.
type SOPBranch struct {
	Condition Condition `json:"condition"`
}

// SOPWait goes to next when the event happens, and to otherwise after the time-out.
type SOPWait struct {
	Event     string    `json:"event" maxLength:"64" example:"checkin.done"`
	Condition Condition `json:"condition,omitempty"`
	Timeout   string    `json:"timeout" maxLength:"16" example:"72h"`
}

// SOPSave is a SOP with what becomes of those who are in it.
type SOPSave struct {
	SOPBody
	Running string `json:"running,omitempty" enum:"stay,move" default:"stay" doc:"Those who are in it stay on their version, or move to the step of this one that has the same key; whoever has none there is out"`
}

type sopIn struct{ Body SOPBody }

type sopPut struct {
	ID   web.ID `path:"id"`
	Body SOPSave
}

// SOP is a plan of steps per member.
type SOP struct {
	ID         web.ID          `json:"id"`
	Name       string          `json:"name" example:"新会员"`
	State      string          `json:"state" enum:"draft,active,paused,ended"`
	Version    int             `json:"version" doc:"By which members enter"`
	Definition json.RawMessage `json:"definition" doc:"As it was written"`
	NextAt     *web.Time       `json:"next_at" doc:"When the clock lets members in next"`
	CreatedAt  web.Time        `json:"created_at"`
	UpdatedAt  web.Time        `json:"updated_at"`
}

func (h *handler) sops(api *web.API) {
	h.sopFacts(api)
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/sops", "SOPs, newest first"), h.getSOPs)
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/sops/{id}", "One SOP", http.StatusNotFound), h.getSOP)
	o := post(operator.BroadcastsSend, "/sops", "Make a SOP, as a draft")
	o.Description = "A SOP leads each member through its steps: messages with what they give, branches, and waits for something to happen. Nobody is in it before it is enabled."
	web.Write(api, example(o, sopExample()), h.postSOP)
	o = op(operator.BroadcastsSend, http.MethodPut, "/sops/{id}", "Change a SOP: the next version", http.StatusNotFound, http.StatusConflict)
	web.Write(api, example(o, sopExample()), h.putSOP)
	web.Write(api, op(operator.BroadcastsSend, http.MethodDelete, "/sops/{id}", "Delete a draft", http.StatusNotFound, http.StatusConflict), h.deleteSOP)
	o = post(operator.BroadcastsSend, "/sops/{id}/test", "Send the message of a step to named members to try it", http.StatusNotFound)
	o.Description = "As a service of the operator, marked as a test: no cap counts it, no quiet hours hold it, nobody passes the step by it and nothing is given. " +
		"What would go out as a mass send goes as a customer message."
	web.Write(api, example(o, map[string]any{"step": "hello", "members": []string{"1"}}), h.testSOP)
	for _, t := range []struct{ path, about string }{
		{"enable", "Begin: members enter from now on"},
		{"pause", "Let nobody in and send nothing"},
		{"resume", "Go on; what fell due in the pause is missed"},
		{"end", "End it for good: whoever is in it is out"},
	} {
		web.Write(api, op(operator.BroadcastsSend, http.MethodPost, "/sops/{id}/"+t.path, t.about, http.StatusNotFound, http.StatusConflict), h.turnSOP(t.path))
	}
}

func (h *handler) sopFacts(api *web.API) {
	o := op(operator.MembersRead, http.MethodPost, "/sops/preview", "What a SOP says in words, when it fires, who would enter now and whom its first message would reach")
	web.Read(api, example(o, sopExample()), h.previewSOP)
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/sops/templates", "SOPs to begin with: those of the value pyramid where there is one"), h.getSOPTemplates)
	web.Read(api, op(operator.MembersRead, http.MethodGet, "/sops/clashes", "Days on which the next steps of several SOPs are due for a member"), h.getSOPClashes)
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/sops/{id}/report", "What each step has sent, skipped, given and led to", http.StatusNotFound), h.getSOPReport)
	o = op(operator.MembersRead, http.MethodGet, "/sops/{id}/steps/{step}/members", "Who stands behind a number of a step's report", http.StatusNotFound)
	web.Read(api, o, h.getSOPMembers)
	web.Read(api, op(operator.MembersRead, http.MethodGet, "/sops/{id}/members", "Who stands behind a number of a SOP's report", http.StatusNotFound), h.getSOPPeople)
	o = post(operator.ProgrammeWrite, "/sops/{id}/audience", "Keep the people behind a number as a frozen audience", http.StatusNotFound, http.StatusConflict)
	web.Write(api, example(o, map[string]any{"name": "触达未下单", "outcome": "sent"}), h.postSOPAudience)
	web.Read(api, op(operator.MembersRead, http.MethodGet, "/members/{id}/sops", "The ways of a member through SOPs, newest first", http.StatusNotFound), h.getMemberSOPs)
	o = op(operator.MembersRead, http.MethodGet, "/members/{id}/rehearsal", "What a member would receive between two days of all SOPs and broadcasts, if nothing else happened", http.StatusNotFound)
	o.Description = "By the decisions of the live send, with caps, quotas and quiet hours. What lies behind is what he has received. Not foreseen is what siyu itself changes " +
		"meanwhile: tags that time takes away, and what steps give."
	web.Read(api, o, h.getRehearsal)
}

func sopExample() map[string]any {
	message := func(text string) map[string]any {
		return map[string]any{"text": text, "channels": []string{"customer", "mass"}}
	}
	return map[string]any{
		"name": "新会员", "entry": map[string]any{"event": "member.registered"}, "exit": []any{map[string]any{"event": "order.paid"}},
		"goal": map[string]any{"event": "order.paid", "days": 7},
		"steps": []any{
			map[string]any{"key": "hello", "send": map[string]any{"class": "service", "message": message("欢迎加入,首购有礼。"), "grants": map[string]any{"amount": 50}}},
			map[string]any{"key": "day3", "when": map[string]any{"day": 3, "time": "10:00"}, "send": map[string]any{"message": message("首购优惠还在等您。")}},
		},
	}
}

// sopOf reads a definition back: the body has its shape.
func sopOf(b SOPBody) (d sop.Definition, err error) {
	text, err := json.Marshal(b)
	if err == nil {
		err = json.Unmarshal(text, &d)
	}
	return d, err
}

// sopRow is a SOP as the audit log keeps it too.
func (h *handler) sopRow(ctx context.Context, row *model.SOP) (SOP, error) {
	d, err := h.SOPs.Version(ctx, row, 0)
	if err != nil {
		return SOP{}, err
	}
	return sopView(row, d), nil
}

func sopView(row *model.SOP, d *sop.Definition) SOP {
	out := SOP{
		ID: web.IDOf(row.ID), Name: row.Name, State: row.State, Version: row.Version, NextAt: web.AtPtr(row.NextAt),
		CreatedAt: web.At(row.CreatedAt), UpdatedAt: web.At(row.UpdatedAt),
	}
	if d != nil {
		out.Definition = raw(model.ToJSON(d))
	}
	return out
}

func (h *handler) getSOPs(ctx context.Context, in *struct{ web.Paging }) (*web.Out[web.List[SOP]], error) {
	before, err := after(in.Paging)
	if err != nil {
		return nil, err
	}
	rows, err := h.SOPs.List(ctx, before, in.Limit+1)
	if err != nil {
		return nil, err
	}
	list := web.ListOf(rows, in.Limit, func(row model.SOP) SOP {
		v, e := h.sopRow(ctx, &row)
		if e != nil {
			err = e
		}
		return v
	}, func(row model.SOP) []any { return []any{row.ID} })
	return &web.Out[web.List[SOP]]{Body: list}, err
}

func (h *handler) getSOP(ctx context.Context, in *byID) (*web.Out[SOP], error) {
	row, err := h.SOPs.Get(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	v, err := h.sopRow(ctx, row)
	return &web.Out[SOP]{Body: v}, err
}

func (h *handler) postSOP(ctx context.Context, in *sopIn) (*web.Out[SOP], error) {
	return h.saveSOP(ctx, "sop.create", 0, nil, in.Body, false)
}

func (h *handler) putSOP(ctx context.Context, in *sopPut) (*web.Out[SOP], error) {
	old, err := h.getSOP(ctx, &byID{ID: in.ID})
	if err != nil {
		return nil, err
	}
	return h.saveSOP(ctx, "sop.update", in.ID.Int(), old.Body, in.Body.SOPBody, in.Body.Running == "move")
}

func (h *handler) saveSOP(ctx context.Context, action string, id int64, before any, b SOPBody, move bool) (*web.Out[SOP], error) {
	d, err := sopOf(b)
	if err != nil {
		return nil, err
	}
	changed := audited(ctx, h, action, before, func(row model.SOP) (string, any) { return object("sop", row.ID), sopView(&row, &d) })
	row, err := h.SOPs.Save(changed, sop.Input{ID: id, Definition: d, Move: move, Actor: web.Actor(ctx)})
	if err != nil {
		return nil, err
	}
	v, err := h.sopRow(ctx, row)
	return &web.Out[SOP]{Body: v}, err
}

type sopTestIn struct {
	ID   web.ID `path:"id"`
	Body struct {
		Step    string   `json:"step" maxLength:"32" doc:"Key of a step that sends, as it is saved"`
		Members []web.ID `json:"members" minItems:"1" maxItems:"20"`
	}
}

func (h *handler) testSOP(ctx context.Context, in *sopTestIn) (*web.Out[Run], error) {
	return h.test(ctx, "sop", in.ID, "step", in.Body.Step, in.Body.Members, h.SOPs.Test)
}

func (h *handler) turnSOP(to string) func(context.Context, *byID) (*web.Out[SOP], error) {
	do := map[string]func(context.Context, int64) (*model.SOP, error){
		"enable": h.SOPs.Enable, "pause": h.SOPs.Pause, "resume": h.SOPs.Resume, "end": h.SOPs.Stop,
	}[to]
	return func(ctx context.Context, in *byID) (*web.Out[SOP], error) {
		old, err := h.SOPs.Get(ctx, in.ID.Int())
		if err != nil {
			return nil, err
		}
		changed := audited(ctx, h, "sop."+to, sopView(old, nil), func(row model.SOP) (string, any) { return object("sop", row.ID), sopView(&row, nil) })
		row, err := do(changed, old.ID)
		if err != nil {
			return nil, err
		}
		v, err := h.sopRow(ctx, row)
		return &web.Out[SOP]{Body: v}, err
	}
}

func (h *handler) deleteSOP(ctx context.Context, in *byID) (*web.None, error) {
	old, err := h.getSOP(ctx, in)
	if err != nil {
		return nil, err
	}
	ctx = audited(ctx, h, "sop.delete", old.Body, func(struct{}) (string, any) { return object("sop", in.ID.Int()), nil })
	return nil, h.SOPs.Delete(ctx, in.ID.Int())
}
