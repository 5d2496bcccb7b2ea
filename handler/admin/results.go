package admin

import (
	"context"
	"net/http"

	"github.com/siyu-scrm/siyu/app/audience"
	"github.com/siyu-scrm/siyu/app/broadcast"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/app/report"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

// FiringResults are what a firing brought, within the days after it.
type FiringResults struct {
	Days   int       `json:"days"`
	From   *web.Time `json:"from,omitempty" doc:"Of a firing"`
	To     *web.Time `json:"to,omitempty" doc:"Of a firing"`
	Over   bool      `json:"over" doc:"The days are over: nothing is added any more"`
	Groups []Result  `json:"groups" doc:"all: everybody who was to be sent to; A, B, C: each content, where several are tried; held: the held back"`
	Lifts  []Lift    `json:"lifts" doc:"How much more a group did than the held back, and B and C than A"`
}

// Result is one group. Each figure of people opens its list: /runs/{id}/results/members.
type Result struct {
	Group         string         `json:"group" example:"all"`
	People        int64          `json:"people"`
	Sent          int64          `json:"sent"`
	Skipped       int64          `json:"skipped"`
	Reasons       []reach.Reason `json:"reasons" doc:"Of skipped"`
	Opened        int64          `json:"opened" doc:"A radar link of the message"`
	Ordered       int64          `json:"ordered"`
	Orders        int64          `json:"orders"`
	CheckedIn     int64          `json:"checked_in"`
	CheckIns      int64          `json:"checkins"`
	Spent         int64          `json:"spent" doc:"People who spent points"`
	PointsSpent   int64          `json:"points_spent"`
	Earned        int64          `json:"earned" doc:"People who earned points"`
	PointsEarned  int64          `json:"points_earned"`
	Coupons       int64          `json:"coupons" doc:"People who got coupons"`
	CouponsIssued int64          `json:"coupons_issued"`
	CostFen       int64          `json:"cost_fen"`
}

// Lift compares two groups by what they were to get: who was skipped counts in his group.
type Lift struct {
	What    string `json:"what" example:"ordered" doc:"ordered, checked_in: difference of the shares of people; spent: of points per person"`
	Group   string `json:"group" example:"all"`
	Against string `json:"against" example:"held"`
	broadcast.Interval
}

type firingIn struct {
	ID   web.ID `path:"id"`
	Days int    `query:"days" minimum:"1" maximum:"90" default:"7" doc:"After the firing"`
}

type resultMembersIn struct {
	ID   web.ID `path:"id"`
	Days int    `query:"days" minimum:"1" maximum:"90" default:"7" doc:"After the firing"`
	web.Paging
	Group string `query:"group" default:"all" enum:"all,A,B,C,held"`
	What  string `query:"what" default:"people" enum:"people,sent,skipped,opened,ordered,checked_in,spent,earned,coupons"`
}

type resultAudienceIn struct {
	ID   web.ID `path:"id"`
	Body struct {
		Name  string `json:"name" minLength:"1" maxLength:"64" example:"收到没下单"`
		Group string `json:"group,omitempty" default:"all" enum:"all,A,B,C,held"`
		What  string `json:"what,omitempty" default:"people" enum:"people,sent,skipped,opened,ordered,checked_in,spent,earned,coupons"`
		Days  int    `json:"days,omitempty" minimum:"1" maximum:"90" default:"7"`
	}
}

type sopResultsIn struct {
	ID   web.ID `path:"id"`
	Days int    `query:"days" minimum:"1" maximum:"90" default:"7" doc:"After each message"`
	Step string `query:"step" maxLength:"32" doc:"Of what this step sent; absent: of all"`
}

type sopResultMembersIn struct {
	ID   web.ID `path:"id"`
	Days int    `query:"days" minimum:"1" maximum:"90" default:"7" doc:"After each message"`
	web.Paging
	Step string `query:"step" maxLength:"32" doc:"Of what this step sent; absent: of all"`
	What string `query:"what" default:"people" enum:"people,sent,skipped,opened,ordered,checked_in,spent,earned,coupons"`
}

type sopResultAudienceIn struct {
	ID   web.ID `path:"id"`
	Body struct {
		Name string `json:"name" minLength:"1" maxLength:"64" example:"收到且下单"`
		Step string `json:"step,omitempty" maxLength:"32"`
		What string `json:"what,omitempty" default:"people" enum:"people,sent,skipped,opened,ordered,checked_in,spent,earned,coupons"`
		Days int    `json:"days,omitempty" minimum:"1" maximum:"90" default:"7"`
	}
}

func (h *handler) results(api *web.API) {
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/runs/{id}/results", "What the firing of a run brought", http.StatusNotFound), h.getResults)
	web.Read(api, op(operator.MembersRead, http.MethodGet, "/runs/{id}/results/members", "The people behind a figure", http.StatusNotFound), h.getResultMembers)
	o := post(operator.ProgrammeWrite, "/runs/{id}/results/audience", "Keep the people behind a figure as a frozen audience", http.StatusNotFound, http.StatusConflict)
	web.Write(api, example(o, map[string]any{"name": "收到没下单", "what": "sent"}), h.postResultAudience)

	o = op(operator.ProgrammeRead, http.MethodGet, "/sops/{id}/results", "What people did within days after a message of a SOP", http.StatusNotFound)
	o.Description = "One group, all. A person counts once, who did it within the days after any message that was accepted; each order and the like counts once."
	web.Read(api, o, h.getSOPResults)
	web.Read(api, op(operator.MembersRead, http.MethodGet, "/sops/{id}/results/members", "The people behind a figure", http.StatusNotFound), h.getSOPResultMembers)
	o = post(operator.ProgrammeWrite, "/sops/{id}/results/audience", "Keep the people behind a figure as a frozen audience", http.StatusNotFound, http.StatusConflict)
	web.Write(api, example(o, map[string]any{"name": "收到且下单", "what": "ordered"}), h.postSOPResultAudience)
}

func (h *handler) firing(ctx context.Context, id web.ID, days int) (report.Behind, error) {
	return report.New(h.DB, h.Clock, h.Zone).Firing(ctx, h.Reach, id.Int(), days)
}

func (h *handler) sopResults(ctx context.Context, id web.ID, step string, days int) (report.Behind, error) {
	if _, err := h.SOPs.Get(ctx, id.Int()); err != nil {
		return nil, err
	}
	return report.New(h.DB, h.Clock, h.Zone).SOP(h.Reach, id.Int(), step, days)
}

func (h *handler) getResults(ctx context.Context, in *firingIn) (*web.Out[FiringResults], error) {
	f, err := h.firing(ctx, in.ID, in.Days)
	if err != nil {
		return nil, err
	}
	return resultsOf(ctx, f)
}

func (h *handler) getSOPResults(ctx context.Context, in *sopResultsIn) (*web.Out[FiringResults], error) {
	p, err := h.sopResults(ctx, in.ID, in.Step, in.Days)
	if err != nil {
		return nil, err
	}
	return resultsOf(ctx, p)
}

func resultsOf(ctx context.Context, f report.Behind) (*web.Out[FiringResults], error) {
	r, err := f.Results(ctx)
	if err != nil {
		return nil, err
	}
	v := FiringResults{Days: r.Days, Over: r.Over, Groups: make([]Result, len(r.Groups)), Lifts: make([]Lift, len(r.Lifts))}
	if !r.From.IsZero() {
		v.From, v.To = web.AtPtr(&r.From), web.AtPtr(&r.To)
	}
	for i, g := range r.Groups {
		v.Groups[i] = Result{
			Group: g.Group, People: g.People, Sent: g.Sent, Skipped: g.Skipped, Reasons: g.Reasons, Opened: g.Opened, Ordered: g.Ordered, Orders: g.Orders,
			CheckedIn: g.CheckedIn, CheckIns: g.CheckIns, Spent: g.Spent, PointsSpent: g.PointsSpent, Earned: g.Earned, PointsEarned: g.PointsEarned,
			Coupons: g.Coupons, CouponsIssued: g.CouponsIssued, CostFen: g.CostFen,
		}
		if v.Groups[i].Reasons == nil {
			v.Groups[i].Reasons = []reach.Reason{}
		}
	}
	for i, l := range r.Lifts {
		v.Lifts[i] = Lift{What: l.What, Group: l.Group, Against: l.Against, Interval: l.Interval}
	}
	return &web.Out[FiringResults]{Body: v}, nil
}

func (h *handler) getResultMembers(ctx context.Context, in *resultMembersIn) (*web.Out[web.List[Person]], error) {
	f, err := h.firing(ctx, in.ID, in.Days)
	if err != nil {
		return nil, err
	}
	return h.resultMembers(ctx, f, in.Group, in.What, in.Paging)
}

func (h *handler) getSOPResultMembers(ctx context.Context, in *sopResultMembersIn) (*web.Out[web.List[Person]], error) {
	p, err := h.sopResults(ctx, in.ID, in.Step, in.Days)
	if err != nil {
		return nil, err
	}
	return h.resultMembers(ctx, p, report.GroupAll, in.What, in.Paging)
}

func (h *handler) resultMembers(ctx context.Context, f report.Behind, group, what string, in web.Paging) (*web.Out[web.List[Person]], error) {
	who, err := f.Who(ctx, group, what)
	if err != nil {
		return nil, err
	}
	var last int64
	if _, err := in.Position(&last); err != nil {
		return nil, err
	}
	ids := report.After(who, last, in.Limit+1)
	people, err := report.New(h.DB, h.Clock, h.Zone).People(ctx, ids)
	if err != nil {
		return nil, err
	}
	list := web.ListOf(ids, in.Limit, func(id int64) Person { return Person{web.IDOf(id), people[id].No, people[id].Nickname} }, func(id int64) []any { return []any{id} })
	return &web.Out[web.List[Person]]{Body: list}, nil
}

func (h *handler) postResultAudience(ctx context.Context, in *resultAudienceIn) (*web.Out[Audience], error) {
	f, err := h.firing(ctx, in.ID, in.Body.Days)
	if err != nil {
		return nil, err
	}
	who, err := f.Who(ctx, in.Body.Group, in.Body.What)
	if err != nil {
		return nil, err
	}
	return h.keep(ctx, in.Body.Name, who)
}

func (h *handler) postSOPResultAudience(ctx context.Context, in *sopResultAudienceIn) (*web.Out[Audience], error) {
	p, err := h.sopResults(ctx, in.ID, in.Body.Step, in.Body.Days)
	if err != nil {
		return nil, err
	}
	who, err := p.Who(ctx, report.GroupAll, in.Body.What)
	if err != nil {
		return nil, err
	}
	return h.keep(ctx, in.Body.Name, who)
}

// keep saves people as a frozen audience.
func (h *handler) keep(ctx context.Context, name string, who *audience.Set) (*web.Out[Audience], error) {
	ctx = audited(ctx, h, "audience.create", nil, func(a model.Audience) (string, any) { return object("audience", a.ID), audienceRow(&a) })
	a, err := h.Audience.Keep(ctx, name, web.Actor(ctx), who)
	if err != nil {
		return nil, err
	}
	v, err := h.audience(ctx, a)
	return &web.Out[Audience]{Body: v}, err
}
