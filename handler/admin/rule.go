package admin

import (
	"context"
	"net/http"

	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/reward"
	"github.com/siyu-scrm/siyu/handler/web"
)

// Definition is what a rule grants, to whom and how often.
type Definition struct {
	Condition Condition `json:"condition,omitempty"`
	Grants    []Grant   `json:"grants" doc:"1 to 20"`
	Caps      []Cap     `json:"caps,omitempty"`
	From      *web.Time `json:"from,omitempty" doc:"The rule counts for what happens in [from, until)."`
	Until     *web.Time `json:"until,omitempty"`
	Priority  int       `json:"priority,omitempty" minimum:"-1000" maximum:"1000" doc:"The highest first"`
}

// Grant is one thing that a rule gives.
type Grant struct {
	Kind    string     `json:"kind" enum:"fixed,per_unit,streak,tag" example:"fixed"`
	Account string     `json:"account,omitempty" maxLength:"32" example:"points" doc:"For every kind but tag"`
	Amount  int64      `json:"amount,omitempty" example:"5" doc:"fixed: as it is; per_unit: per unit of field"`
	Field   string     `json:"field,omitempty" maxLength:"64" doc:"per_unit: the field of the event's data that is counted"`
	Table   []Step     `json:"table,omitempty" doc:"streak: what each length of the streak earns"`
	Cycle   int        `json:"cycle,omitempty" minimum:"0" maximum:"366" example:"7" doc:"streak: the table starts over after so many days; 0: never"`
	TagID   OptionalID `json:"tag_id,omitempty" doc:"tag: which"`
}

// Step is one line of a streak table: reaching so many days earns the amount.
type Step struct {
	Days   int   `json:"days" example:"7"`
	Amount int64 `json:"amount" example:"20"`
}

// Cap limits what one member gets by the rule in a period: so many times, or so much in an account.
type Cap struct {
	Period  string `json:"period" enum:"day,week,month,lifetime" example:"day"`
	Times   int64  `json:"times,omitempty" example:"1"`
	Account string `json:"account,omitempty" maxLength:"32"`
	Amount  int64  `json:"amount,omitempty"`
}

// Rule turns an event into grants.
type Rule struct {
	ID          web.ID     `json:"id"`
	Code        string     `json:"code" example:"checkin"`
	Name        string     `json:"name" example:"每日签到"`
	Enabled     bool       `json:"enabled"`
	Version     int        `json:"version"`
	Trigger     string     `json:"trigger" example:"checkin.done"`
	TriggerName string     `json:"trigger_name" example:"签到"`
	Definition  Definition `json:"definition"`
	Sentence    string     `json:"sentence"`
	CreatedAt   web.Time   `json:"created_at"`
	UpdatedAt   web.Time   `json:"updated_at"`
}

// RuleBody is a rule as an operator writes it.
type RuleBody struct {
	Code       string     `json:"code,omitempty" maxLength:"64" example:"evening-checkin" doc:"Required for a new rule; it stays."`
	Name       string     `json:"name" minLength:"1" maxLength:"64" example:"晚间签到"`
	Enabled    *bool      `json:"enabled,omitempty" doc:"true if absent"`
	Trigger    string     `json:"trigger" maxLength:"64" example:"checkin.done" doc:"See /admin/v1/events/kinds; behavior.<action> for what other systems push."`
	Definition Definition `json:"definition"`
}

type ruleIn struct{ Body RuleBody }

type rulePut struct {
	ID   web.ID `path:"id"`
	Body RuleBody
}

func ruleView(lang string, r reward.Rule) Rule {
	v := Rule{
		ID: web.IDOf(r.ID), Code: r.Code, Name: r.Name, Enabled: r.Enabled, Version: r.Version, Trigger: r.Trigger,
		TriggerName: event.KindName(lang, r.Trigger), Sentence: r.Sentence, CreatedAt: web.At(r.CreatedAt), UpdatedAt: web.At(r.UpdatedAt),
		Definition: Definition{
			Condition: conditionOf(r.Definition.Condition), Grants: make([]Grant, len(r.Definition.Grants)), From: web.AtPtr(r.Definition.From),
			Until: web.AtPtr(r.Definition.Until), Priority: r.Definition.Priority,
		},
	}
	for i, g := range r.Definition.Grants {
		v.Definition.Grants[i] = Grant{Kind: string(g.Kind), Account: g.Account, Amount: g.Amount, Field: g.Field, Cycle: g.Cycle, TagID: optionalID(g.TagID)}
		for _, s := range g.Table {
			v.Definition.Grants[i].Table = append(v.Definition.Grants[i].Table, Step(s))
		}
	}
	for _, c := range r.Definition.Caps {
		v.Definition.Caps = append(v.Definition.Caps, Cap{string(c.Period), c.Times, c.Account, c.Amount})
	}
	return v
}

// definition reads what an operator wrote.
func (h *handler) definition(d Definition) (reward.Definition, error) {
	out := reward.Definition{Priority: d.Priority}
	var err error
	if out.Condition, err = h.tree(d.Condition); err != nil {
		return out, err
	}
	if out.From, err = instant("from", d.From); err != nil {
		return out, err
	}
	if out.Until, err = instant("until", d.Until); err != nil {
		return out, err
	}
	for _, g := range d.Grants {
		spec := reward.Spec{Kind: reward.Kind(g.Kind), Account: g.Account, Amount: g.Amount, Field: g.Field, Cycle: g.Cycle, TagID: web.ID(g.TagID).Int()}
		for _, s := range g.Table {
			spec.Table = append(spec.Table, reward.Step(s))
		}
		out.Grants = append(out.Grants, spec)
	}
	for _, c := range d.Caps {
		out.Caps = append(out.Caps, reward.Cap{Period: reward.Period(c.Period), Times: c.Times, Account: c.Account, Amount: c.Amount})
	}
	return out, nil
}

func (h *handler) rules(api *web.API) {
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/rules", "The rules, each in words"), h.getRules)
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/rules/{id}", "One rule", http.StatusNotFound), h.getRule)
	body := map[string]any{
		"code": "evening-checkin", "name": "晚间签到", "trigger": "checkin.done",
		"definition": map[string]any{
			"condition": map[string]any{"leaf": "member", "field": "joined", "value": true},
			"grants":    []any{map[string]any{"kind": "fixed", "account": "points", "amount": 5}},
			"caps":      []any{map[string]any{"period": "day", "times": 1}},
		},
	}
	web.Write(api, example(post(operator.ProgrammeWrite, "/rules", "Make a rule", http.StatusConflict), body), h.postRule)
	o := op(operator.ProgrammeWrite, http.MethodPut, "/rules/{id}", "Make a new version of a rule", http.StatusNotFound, http.StatusConflict)
	o.Description = "What happened before keeps the version of its time. enabled: false turns the rule off."
	web.Write(api, example(o, body), h.putRule)
}

func (h *handler) getRules(ctx context.Context, _ *web.None) (*web.Out[web.List[Rule]], error) {
	rows, err := h.Rewards.List(ctx, web.Lang(ctx))
	return listed(rows, func(r reward.Rule) Rule { return ruleView(web.Lang(ctx), r) }), err
}

func (h *handler) getRule(ctx context.Context, in *byID) (*web.Out[Rule], error) {
	r, err := h.Rewards.Get(ctx, in.ID.Int(), web.Lang(ctx))
	if err != nil {
		return nil, err
	}
	return &web.Out[Rule]{Body: ruleView(web.Lang(ctx), *r)}, nil
}

func (h *handler) postRule(ctx context.Context, in *ruleIn) (*web.Out[Rule], error) {
	return h.saveRule(ctx, "rule.create", 0, nil, in.Body)
}

func (h *handler) putRule(ctx context.Context, in *rulePut) (*web.Out[Rule], error) {
	old, err := h.getRule(ctx, &byID{ID: in.ID})
	if err != nil {
		return nil, err
	}
	return h.saveRule(ctx, "rule.update", in.ID.Int(), old.Body, in.Body)
}

func (h *handler) saveRule(ctx context.Context, action string, id int64, before any, b RuleBody) (*web.Out[Rule], error) {
	own := []string{"condition", "grants", "caps", "from", "until"}
	d, err := h.definition(b.Definition)
	if err != nil {
		return nil, below("definition", err, own...)
	}
	lang := web.Lang(ctx)
	ctx = audited(ctx, h, action, before, func(r reward.Rule) (string, any) { return object("rule", r.ID), ruleView(lang, r) })
	r, err := h.Rewards.Save(ctx, reward.Input{ID: id, Code: b.Code, Name: b.Name, Enabled: on(b.Enabled), Trigger: b.Trigger, Definition: d}, lang)
	if err != nil {
		return nil, below("definition", err, own...)
	}
	return &web.Out[Rule]{Body: ruleView(lang, *r)}, nil
}
