package admin

import (
	"context"
	"encoding/json"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/app/sop"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

// SOPPreview is what a SOP would do.
type SOPPreview struct {
	Sentences map[string][]string `json:"sentences" doc:"By language: who enters and leaves, what it is for, and each step"`
	Next      []web.Time          `json:"next" doc:"The next five firings of an entry by the clock"`
	Known     bool                `json:"known" doc:"false: who would enter depends on an event"`
	Count     int64               `json:"count" doc:"Who meets the condition of the entry now"`
	Sample    []Person            `json:"sample" doc:"At most twelve"`
	Forecast  *reach.Forecast     `json:"forecast" doc:"Of the first message to them, sent now"`
}

// SOPReport is what a SOP has done.
type SOPReport struct {
	Entered int64           `json:"entered" doc:"Times that somebody came in"`
	Running int64           `json:"running"`
	Reached int64           `json:"reached" doc:"Times that somebody came in and something was sent to him"`
	Goal    int64           `json:"goal" doc:"Of reached, those who got to the goal within its days"`
	Opened  int64           `json:"opened" doc:"Times that somebody came in and opened a radar link of a message"`
	Done    int64           `json:"done" doc:"Times that somebody came to the end"`
	Exited  int64           `json:"exited" doc:"Times that a way out took somebody out"`
	Skipped []reach.Reason  `json:"skipped" doc:"Times that somebody came in and was not sent something"`
	Steps   []SOPStepReport `json:"steps"`
}

// SOPStepReport is what a step has done: GET /sops/{id}/steps/{step}/members lists who stands behind each number.
type SOPStepReport struct {
	Key      string           `json:"key"`
	Standing int64            `json:"standing" doc:"Who stand at it (outcome=standing)"`
	Passed   int64            `json:"passed" doc:"Who have it behind them"`
	Outcomes map[string]int64 `json:"outcomes" doc:"Of passed: run (handed to the send), condition, exited, missed, yes, no, happened, timeout"`
	Counts   reach.Counts     `json:"counts" doc:"Of its message; audience = the sum of all others"`
	Skipped  []reach.Reason   `json:"skipped"`
	Goal     int64            `json:"goal" doc:"Of the accepted, those who got to the goal within its days"`
	Granted  int64            `json:"granted" doc:"Who got something (outcome=granted)"`
	Amount   int64            `json:"amount" doc:"What they got in the account"`
	Coupons  int64            `json:"coupons"`
}

// SOPMember is a member at a step.
type SOPMember struct {
	EnrolmentID web.ID     `json:"enrolment_id"`
	MemberID    web.ID     `json:"member_id"`
	Outcome     string     `json:"outcome" example:"run"`
	State       string     `json:"state" doc:"Of the delivery"`
	Channel     string     `json:"channel"`
	Reason      string     `json:"reason" example:"EXITED"`
	Detail      string     `json:"detail"`
	Account     string     `json:"account"`
	Granted     int64      `json:"granted"`
	CouponID    OptionalID `json:"member_coupon_id"`
	At          web.Time   `json:"at"`
	GoalAt      *web.Time  `json:"goal_at"`
}

// MemberSOP is one way of a member through a SOP.
type MemberSOP struct {
	ID        web.ID          `json:"id"`
	SOPID     web.ID          `json:"sop_id"`
	Name      string          `json:"name"`
	No        int             `json:"no" doc:"His first entry is 1"`
	Version   int             `json:"version"`
	State     string          `json:"state" enum:"running,leaving,ended" doc:"leaving: he has left, and his next step will show it"`
	Reason    string          `json:"reason" example:"exited" doc:"done, exited, merged, cut or erased"`
	Step      string          `json:"step" doc:"Where he stands, or stood last"`
	DueAt     *web.Time       `json:"due_at"`
	EnteredAt web.Time        `json:"entered_at"`
	EndedAt   *web.Time       `json:"ended_at"`
	GoalAt    *web.Time       `json:"goal_at"`
	Passed    []MemberSOPStep `json:"passed"`
}

// MemberSOPStep is a step behind a member.
type MemberSOPStep struct {
	Step string `json:"step"`
	SOPMember
}

// Rehearsed is a message that a member got, would get, or would not.
type Rehearsed struct {
	At       web.Time `json:"at"`
	Source   string   `json:"source" enum:"sop,broadcast"`
	SourceID web.ID   `json:"source_id"`
	Name     string   `json:"name"`
	Step     string   `json:"step"`
	State    string   `json:"state" example:"accepted" doc:"accepted: he would get it; suppressed: not, for reason; of the past any state of a delivery"`
	Channel  string   `json:"channel"`
	Reason   string   `json:"reason" example:"FREQ_CAP"`
	Detail   string   `json:"detail"`
	Past     bool     `json:"past" doc:"true: this is what came of it"`
	Clash    bool     `json:"clash" doc:"On a day on which another SOP would send to him too"`
}

// SOPTemplate is a SOP to begin with.
type SOPTemplate struct {
	Code       string          `json:"code" example:"new"`
	Name       string          `json:"name"`
	Definition json.RawMessage `json:"definition" doc:"The body of POST /sops"`
	Sentences  []string        `json:"sentences"`
}

// SOPClash is a member whose next steps of several SOPs are due on one day.
type SOPClash struct {
	Day      model.Day `json:"day"`
	MemberID web.ID    `json:"member_id"`
	SOPs     []web.ID  `json:"sop_ids"`
}

func (h *handler) previewSOP(ctx context.Context, in *sopIn) (*web.Out[SOPPreview], error) {
	d, err := sopOf(in.Body)
	if err != nil {
		return nil, err
	}
	p, err := h.SOPs.Preview(ctx, d)
	if err != nil {
		return nil, err
	}
	out := SOPPreview{Sentences: map[string][]string{}, Next: []web.Time{}, Known: p.Known, Count: p.Count, Sample: make([]Person, len(p.Sample)), Forecast: p.Forecast}
	for _, lang := range templates.Languages() {
		if out.Sentences[lang], err = h.SOPs.Sentences(ctx, lang, &d); err != nil {
			return nil, err
		}
	}
	for _, t := range p.Next {
		out.Next = append(out.Next, web.At(t))
	}
	for i, m := range p.Sample {
		out.Sample[i] = Person{web.IDOf(m.ID), m.No, m.Nickname}
	}
	return &web.Out[SOPPreview]{Body: out}, nil
}

func (h *handler) getSOPReport(ctx context.Context, in *byID) (*web.Out[SOPReport], error) {
	r, err := h.SOPs.Report(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	out := SOPReport{Entered: r.Entered, Running: r.Running, Reached: r.Reached, Goal: r.Goal, Opened: r.Opened, Done: r.Done, Exited: r.Exited, Skipped: r.Skipped, Steps: make([]SOPStepReport, len(r.Steps))}
	for i, st := range r.Steps {
		out.Steps[i] = SOPStepReport(st)
	}
	return &web.Out[SOPReport]{Body: out}, nil
}

type sopMembersIn struct {
	ID   web.ID `path:"id"`
	Step string `path:"step" maxLength:"32"`
	web.Paging
	Outcome string `query:"outcome" enum:"standing,granted,goal,run,condition,exited,missed,yes,no,happened,timeout"`
	State   string `query:"state" enum:"pending,attempting,accepted,rejected,unknown,suppressed,deferred,cancelled"`
	Reason  string `query:"reason" maxLength:"16"`
}

func sopMember(s sop.Stood) SOPMember {
	return SOPMember{
		EnrolmentID: web.IDOf(s.EnrolmentID), MemberID: web.IDOf(s.MemberID), Outcome: s.Outcome, State: s.State, Channel: s.Channel, Reason: s.Reason, Detail: s.Detail,
		Account: s.Account, Granted: s.Granted, CouponID: optionalID(s.Coupon), At: web.At(s.At), GoalAt: web.AtPtr(s.GoalAt),
	}
}

func (h *handler) getSOPMembers(ctx context.Context, in *sopMembersIn) (*web.Out[web.List[SOPMember]], error) {
	before, err := after(in.Paging)
	if err != nil {
		return nil, err
	}
	rows, err := h.SOPs.Members(ctx, in.ID.Int(), sop.Who{Step: in.Step, Outcome: in.Outcome, State: in.State, Reason: in.Reason}, before, in.Limit+1)
	if err != nil {
		return nil, err
	}
	list := web.ListOf(rows, in.Limit, sopMember, func(s sop.Stood) []any { return []any{s.EnrolmentID} })
	return &web.Out[web.List[SOPMember]]{Body: list}, nil
}

type sopPeopleIn struct {
	ID web.ID `path:"id"`
	web.Paging
	Outcome string `query:"outcome" required:"true" enum:"entered,running,sent,skipped,opened,goal,done,exited"`
	Reason  string `query:"reason" maxLength:"16" doc:"Of skipped"`
}

func (h *handler) getSOPPeople(ctx context.Context, in *sopPeopleIn) (*web.Out[web.List[SOPMember]], error) {
	return h.getSOPMembers(ctx, &sopMembersIn{ID: in.ID, Paging: in.Paging, Outcome: in.Outcome, Reason: in.Reason})
}

type sopAudienceIn struct {
	ID   web.ID `path:"id"`
	Body struct {
		Name    string `json:"name" minLength:"1" maxLength:"64"`
		Step    string `json:"step,omitempty" maxLength:"32" doc:"As of its list of members; absent: of the SOP's"`
		Outcome string `json:"outcome,omitempty" maxLength:"12" example:"sent"`
		State   string `json:"state,omitempty" maxLength:"12"`
		Reason  string `json:"reason,omitempty" maxLength:"16"`
	}
}

func (h *handler) postSOPAudience(ctx context.Context, in *sopAudienceIn) (*web.Out[Audience], error) {
	b := in.Body
	who, err := h.SOPs.People(ctx, in.ID.Int(), sop.Who{Step: b.Step, Outcome: b.Outcome, State: b.State, Reason: b.Reason})
	if err != nil {
		return nil, err
	}
	return h.keep(ctx, b.Name, who)
}

func (h *handler) getMemberSOPs(ctx context.Context, in *byID) (*web.Out[web.List[MemberSOP]], error) {
	m, err := member.Get(h.DB.Reader(ctx), in.ID.Int())
	if err != nil {
		return nil, err
	}
	ways, err := h.SOPs.Of(ctx, m.ID)
	if err != nil {
		return nil, err
	}
	return listed(ways, func(w sop.Way) MemberSOP {
		v := MemberSOP{
			ID: web.IDOf(w.ID), SOPID: web.IDOf(w.SOPID), Name: w.Name, No: w.No, Version: w.Version, State: w.State, Reason: w.Reason, Step: w.Step, DueAt: web.AtPtr(w.DueAt),
			EnteredAt: web.At(w.EnteredAt), EndedAt: web.AtPtr(w.EndedAt), GoalAt: web.AtPtr(w.GoalAt), Passed: []MemberSOPStep{},
		}
		for i, p := range w.Passes {
			p.MemberID = m.ID
			v.Passed = append(v.Passed, MemberSOPStep{w.Steps[i], sopMember(p)})
		}
		return v
	}), nil
}

type rehearsalIn struct {
	ID   web.ID    `path:"id"`
	From model.Day `query:"from" required:"true" pattern:"^[0-9]{4}-[0-9]{2}-[0-9]{2}$" example:"2026-11-28"`
	To   model.Day `query:"to" required:"true" pattern:"^[0-9]{4}-[0-9]{2}-[0-9]{2}$" example:"2026-12-07" doc:"The last day"`
}

func (h *handler) getRehearsal(ctx context.Context, in *rehearsalIn) (*web.Out[web.List[Rehearsed]], error) {
	from, to, err := days(in.From, in.To)
	if err != nil {
		return nil, err
	}
	m, err := member.Get(h.DB.Reader(ctx), in.ID.Int())
	if err != nil {
		return nil, err
	}
	rows, err := h.SOPs.Rehearse(ctx, m.ID, h.Zone.Start(from), h.Zone.End(to))
	if err != nil {
		return nil, err
	}
	return listed(rows, func(r sop.Rehearsed) Rehearsed {
		return Rehearsed{
			At: web.At(r.At), Source: r.Source, SourceID: web.IDOf(r.SourceID), Name: r.Name, Step: r.Step, State: r.State, Channel: r.Channel, Reason: r.Reason, Detail: r.Detail,
			Past: r.Past, Clash: r.Clash,
		}
	}), nil
}

// days reads two days of an address.
func days(from, to model.Day) (a, b model.Day, err error) {
	if a, err = model.ParseDay(string(from)); err != nil {
		return a, b, errs.Field("from", "web.invalid")
	}
	if b, err = model.ParseDay(string(to)); err != nil {
		return a, b, errs.Field("to", "web.invalid")
	}
	return a, b, nil
}

func (h *handler) getSOPClashes(ctx context.Context, in *struct {
	From model.Day `query:"from" required:"true" pattern:"^[0-9]{4}-[0-9]{2}-[0-9]{2}$" example:"2026-11-28"`
	To   model.Day `query:"to" required:"true" pattern:"^[0-9]{4}-[0-9]{2}-[0-9]{2}$" example:"2026-12-07" doc:"The last day"`
},
) (*web.Out[web.List[SOPClash]], error) {
	from, to, err := days(in.From, in.To)
	if err != nil {
		return nil, err
	}
	rows, err := h.SOPs.Clashes(ctx, from, to.Add(1))
	if err != nil {
		return nil, err
	}
	return listed(rows, func(c sop.Clash) SOPClash {
		v := SOPClash{Day: c.Day, MemberID: web.IDOf(c.MemberID), SOPs: make([]web.ID, len(c.SOPs))}
		for i, id := range c.SOPs {
			v.SOPs[i] = web.IDOf(id)
		}
		return v
	}), nil
}

func (h *handler) getSOPTemplates(ctx context.Context, _ *web.None) (*web.Out[web.List[SOPTemplate]], error) {
	lang := web.Lang(ctx)
	all, err := h.SOPTemplates(ctx, lang)
	if err != nil {
		return nil, err
	}
	list := make([]SOPTemplate, len(all))
	for i, t := range all {
		list[i] = SOPTemplate{Code: t.Code, Name: t.Definition.Name, Definition: raw(model.ToJSON(t.Definition))}
		if list[i].Sentences, err = h.SOPs.Sentences(ctx, lang, &t.Definition); err != nil {
			return nil, err
		}
	}
	return listed(list, func(t SOPTemplate) SOPTemplate { return t }), nil
}
