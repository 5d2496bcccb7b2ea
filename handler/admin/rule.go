package admin

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/reward"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

// Definition is what a rule grants, to whom and how often.
type Definition struct {
	Condition Condition `json:"condition,omitempty"`
	Grants    []Grant   `json:"grants" doc:"1 to 20"`
	Caps      []Cap     `json:"caps,omitempty"`
	From      *web.Time `json:"from,omitempty" doc:"The rule counts for what happens in [from, until)."`
	Until     *web.Time `json:"until,omitempty"`
	Priority  int       `json:"priority,omitempty" minimum:"-1000" maximum:"1000" doc:"The highest first"`
	Exclusive string    `json:"exclusive,omitempty" maxLength:"64" doc:"Of the rules that match and have this name only the first by priority applies."`
	CapSets   []string  `json:"cap_sets,omitempty" doc:"Codes of the cap sets that the rule shares with others"`
	Budget    *Budget   `json:"budget,omitempty"`
}

// Budget limits what all members together get by the rule in one account.
type Budget struct {
	Account string `json:"account" maxLength:"32" example:"points"`
	Amount  int64  `json:"amount" example:"100000"`
	Period  string `json:"period" enum:"month,lifetime" example:"month"`
}

// Bracket is one line of a table: what is counted reaches from, and earns the amount.
type Bracket struct {
	From   int64 `json:"from" example:"10000"`
	Amount int64 `json:"amount" example:"10"`
}

// Grant is one thing that a rule gives, or how it multiplies what others give.
type Grant struct {
	Kind      string      `json:"kind" enum:"fixed,per_unit,per_yuan,bracket,streak,tag,coupon,multiply" example:"fixed"`
	Account   string      `json:"account,omitempty" maxLength:"32" example:"points" doc:"For every kind but tag and coupon"`
	Amount    int64       `json:"amount,omitempty" example:"5" doc:"fixed: as it is; per_unit: per unit of field; per_yuan: per so many yuan"`
	Field     string      `json:"field,omitempty" maxLength:"64" doc:"per_unit, per_yuan: the field of the event's data that is counted; of per_yuan in fen, amount_fen if absent"`
	Per       int64       `json:"per,omitempty" minimum:"0" example:"1" doc:"per_yuan: how many yuan earn the amount; 0: one"`
	Brackets  []Bracket   `json:"brackets,omitempty" doc:"bracket: the last one that field (amount_fen if absent) reaches counts"`
	Table     []Step      `json:"table,omitempty" doc:"streak: what each length of the streak earns"`
	Cycle     int         `json:"cycle,omitempty" minimum:"0" maximum:"366" example:"7" doc:"streak: the table starts over after so many days; 0: never"`
	TagID     OptionalID  `json:"tag_id,omitempty" doc:"tag: which"`
	CouponID  OptionalID  `json:"coupon_id,omitempty" doc:"coupon: which"`
	Count     int64       `json:"count,omitempty" minimum:"0" maximum:"10" doc:"coupon: how many; one if absent"`
	Factor    web.Decimal `json:"factor,omitempty" doc:"multiply: above 1, at most 1000, at most 4 decimals; it multiplies what rules grant in the account. On orders it touches only what is proportional."`
	Rules     []string    `json:"rules,omitempty" doc:"multiply: codes of the rules whose grants it touches; absent: all"`
	DelayDays int         `json:"activate_after_days,omitempty" minimum:"0" maximum:"366" doc:"What is earned is pending for so many times 24 hours."`
}

// Step is one line of a streak table: reaching so many days earns the amount.
type Step struct {
	Days   int   `json:"days" example:"7"`
	Amount int64 `json:"amount" example:"20"`
}

// Cap limits what one member gets by the rule in a period: so many times, or so much in an account.
type Cap struct {
	Period  string `json:"period" enum:"day,week,month,year,lifetime" example:"day"`
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
	Spent       *int64     `json:"spent,omitempty" doc:"What the budget has given in its period"`
	Alert       bool       `json:"alert,omitempty" doc:"The budget is used up to 80 %"`
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
			Until: web.AtPtr(r.Definition.Until), Priority: r.Definition.Priority, Exclusive: r.Definition.Exclusive, CapSets: r.Definition.CapSets,
		},
	}
	if b := r.Definition.Budget; b != nil {
		v.Definition.Budget = &Budget{b.Account, b.Amount, string(b.Period)}
	}
	if r.Spent != nil {
		v.Spent, v.Alert = &r.Spent.Used, r.Spent.Alert()
	}
	for i, g := range r.Definition.Grants {
		v.Definition.Grants[i] = Grant{
			Kind: string(g.Kind), Account: g.Account, Amount: g.Amount, Field: g.Field, Per: g.Per, Cycle: g.Cycle, TagID: optionalID(g.TagID), CouponID: optionalID(g.CouponID), Count: g.Count,
			Factor: web.Decimal(g.Factor), Rules: g.Rules, DelayDays: g.DelayDays,
		}
		for _, b := range g.Brackets {
			v.Definition.Grants[i].Brackets = append(v.Definition.Grants[i].Brackets, Bracket(b))
		}
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
	out := reward.Definition{Priority: d.Priority, Exclusive: d.Exclusive, CapSets: d.CapSets}
	if b := d.Budget; b != nil {
		out.Budget = &reward.Budget{Account: b.Account, Amount: b.Amount, Period: reward.Period(b.Period)}
	}
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
		spec := reward.Spec{
			Kind: reward.Kind(g.Kind), Account: g.Account, Amount: g.Amount, Field: g.Field, Per: g.Per, Cycle: g.Cycle, TagID: web.ID(g.TagID).Int(), CouponID: web.ID(g.CouponID).Int(), Count: g.Count,
			Factor: json.Number(g.Factor), Rules: g.Rules, DelayDays: g.DelayDays,
		}
		for _, b := range g.Brackets {
			spec.Brackets = append(spec.Brackets, reward.Bracket(b))
		}
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
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/rules/setting", "How multipliers combine"), h.getRewardSetting)
	o = op(operator.ProgrammeWrite, http.MethodPut, "/rules/setting", "Change how multipliers combine")
	o.Description = "From now on; what happened before keeps the setting of its time. max: the highest; add: 1 + the sum of what each adds; multiply: the product."
	web.Write(api, o, h.putRewardSetting)
	h.capSets(api)
	h.traces(api)
	h.backtests(api)
}

// RewardSetting says how multipliers that are in force at the same time combine.
type RewardSetting struct {
	Combine   string      `json:"combine" enum:"max,add,multiply" example:"max"`
	MaxFactor web.Decimal `json:"max_factor,omitempty" doc:"No more than this in all; absent: no bound"`
}

type rewardSettingIn struct{ Body RewardSetting }

func rewardSetting(r model.RewardSetting) RewardSetting {
	return RewardSetting{r.Combine, web.Decimal(r.MaxFactor)}
}

func (h *handler) getRewardSetting(ctx context.Context, _ *web.None) (*web.Out[RewardSetting], error) {
	r, err := h.Rewards.Setting(ctx)
	if err != nil {
		return nil, err
	}
	return &web.Out[RewardSetting]{Body: rewardSetting(*r)}, nil
}

func (h *handler) putRewardSetting(ctx context.Context, in *rewardSettingIn) (*web.Out[RewardSetting], error) {
	old, err := h.Rewards.Setting(ctx)
	if err != nil {
		return nil, err
	}
	ctx = audited(ctx, h, "rule.setting", rewardSetting(*old), func(r model.RewardSetting) (string, any) { return "rule:setting", rewardSetting(r) })
	r, err := h.Rewards.SaveSetting(ctx, in.Body.Combine, string(in.Body.MaxFactor))
	if err != nil {
		return nil, err
	}
	return &web.Out[RewardSetting]{Body: rewardSetting(*r)}, nil
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

// definitionFields are those that a refusal names below definition.
var definitionFields = []string{"condition", "grants", "caps", "from", "until", "exclusive", "cap_sets", "budget"}

func (h *handler) saveRule(ctx context.Context, action string, id int64, before any, b RuleBody) (*web.Out[Rule], error) {
	d, err := h.definition(b.Definition)
	if err != nil {
		return nil, below("definition", err, definitionFields...)
	}
	lang := web.Lang(ctx)
	ctx = audited(ctx, h, action, before, func(r reward.Rule) (string, any) { return object("rule", r.ID), ruleView(lang, r) })
	r, err := h.Rewards.Save(ctx, reward.Input{ID: id, Code: b.Code, Name: b.Name, Enabled: on(b.Enabled), Trigger: b.Trigger, Definition: d}, lang)
	if err != nil {
		return nil, below("definition", err, definitionFields...)
	}
	return &web.Out[Rule]{Body: ruleView(lang, *r)}, nil
}
