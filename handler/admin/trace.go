package admin

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/reward"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

// Trial is an event that has not happened.
type Trial struct {
	MemberID web.ID         `json:"member_id"`
	Kind     string         `json:"kind,omitempty" maxLength:"64" example:"order.paid" doc:"order.paid if absent"`
	Data     map[string]any `json:"data,omitempty" doc:"As other systems push it, or as an event holds it"`
	Amount   int64          `json:"amount_fen,omitempty" minimum:"0" example:"15990" doc:"Of an order: short for data"`
	At       *web.Time      `json:"at,omitempty" doc:"When it happens; now if absent"`
	Draft    *Draft         `json:"draft,omitempty" doc:"A rule that was not saved"`
}

// Draft is a rule that was not saved; with an id it stands for that rule.
type Draft struct {
	ID OptionalID `json:"id,omitempty"`
	RuleBody
}

// Traced is what the rules say of an event, and why.
type Traced struct {
	MemberID   web.ID       `json:"member_id"`
	Kind       string       `json:"kind" example:"order.paid"`
	OccurredAt web.Time     `json:"occurred_at"`
	Joined     bool         `json:"joined" doc:"false: he was no member then, and nobody else earns"`
	Rules      []TracedRule `json:"rules"`
	Lines      []Entry      `json:"lines" doc:"The ledger lines that were written for it, and what was taken back of them"`
}

// TracedRule is what one rule says of an event.
type TracedRule struct {
	RuleID     web.ID        `json:"rule_id"`
	Rule       string        `json:"rule" example:"消费积分"`
	Version    int           `json:"version"`
	Applies    bool          `json:"applies"`
	Not        string        `json:"not,omitempty" example:"condition" doc:"Why it does not apply: trigger, disabled, window, condition, exclusive, not_member, not_yet"`
	NotText    string        `json:"not_text,omitempty" example:"条件不成立"`
	Multiplier bool          `json:"multiplier"`
	Conditions []TracedLeaf  `json:"conditions" doc:"Each leaf of its condition with the value that it saw"`
	Lines      []TracedGrant `json:"lines" doc:"What it gives"`
	Caps       []TracedCap   `json:"caps"`
}

// TracedLeaf is one fact of a condition.
type TracedLeaf struct {
	Leaf  string          `json:"leaf" example:"event.field"`
	Args  json.RawMessage `json:"args,omitempty"`
	Holds bool            `json:"holds"`
	Saw   any             `json:"saw,omitempty"`
}

// TracedGrant is one line as it was decided.
type TracedGrant struct {
	Account     string             `json:"account,omitempty" example:"points"`
	TagID       OptionalID         `json:"tag_id,omitempty"`
	CouponID    OptionalID         `json:"coupon_id,omitempty"`
	Count       int64              `json:"count,omitempty" doc:"Of coupons, as long as the stock and the member's own limit last; of an event that happened, those really given, absent if none"`
	Name        string             `json:"name,omitempty" example:"满100减20" doc:"Of the tag or the coupon"`
	Base        int64              `json:"base" example:"159"`
	Bonus       int64              `json:"bonus" example:"160"`
	Want        int64              `json:"want" doc:"Before the caps"`
	Multiplier  string             `json:"multiplier" example:"2"`
	Capped      bool               `json:"capped" doc:"The multiplier, by the bound of the programme"`
	Multipliers []TracedMultiplier `json:"multipliers"`
	Note        string             `json:"note,omitempty" example:"DAILY_CAP"`
	ActivatesAt *web.Time          `json:"activates_at,omitempty"`
}

// TracedMultiplier is a multiplier in force, taken or not.
type TracedMultiplier struct {
	RuleID  web.ID      `json:"rule_id"`
	Rule    string      `json:"rule"`
	Factor  web.Decimal `json:"factor"`
	Taken   bool        `json:"taken"`
	Not     string      `json:"not,omitempty" example:"lower" doc:"Why not: lower, tie, other_rules, fixed"`
	NotText string      `json:"not_text,omitempty"`
}

// TracedCap is a cap: of a trial as it is before the event, of an event that happened as it is now.
type TracedCap struct {
	Scope   string `json:"scope" enum:"rule,set,budget"`
	Period  string `json:"period" example:"2026-11-23"`
	Account string `json:"account" doc:"Empty: it counts times"`
	Limit   int64  `json:"limit"`
	Used    int64  `json:"used"`
	Left    int64  `json:"left"`
}

// tracedView shows a trace.
func tracedView(lang string, t *reward.Traced) Traced {
	v := Traced{MemberID: web.IDOf(t.Event.MemberID), Kind: t.Event.Kind, OccurredAt: web.At(t.Event.OccurredAt), Joined: t.Joined, Rules: []TracedRule{}, Lines: []Entry{}}
	names := map[int64]string{}
	for _, r := range t.Rules {
		names[r.RuleID] = r.Rule
		x := TracedRule{
			RuleID: web.IDOf(r.RuleID), Rule: r.Rule, Version: r.Version, Applies: r.Not == "", Not: r.Not, NotText: notText(lang, r.Not), Multiplier: r.Multiplier,
			Conditions: leaves([]TracedLeaf{}, r.Condition), Lines: []TracedGrant{}, Caps: []TracedCap{},
		}
		for _, l := range r.Lines {
			x.Lines = append(x.Lines, tracedGrant(lang, l))
		}
		for _, c := range r.Caps {
			x.Caps = append(x.Caps, TracedCap{c.Scope, c.Period, c.Account, c.Limit, c.Used, c.Left()})
		}
		v.Rules = append(v.Rules, x)
	}
	for i := range t.Lines {
		v.Lines = append(v.Lines, entry(lang, &t.Lines[i], names))
	}
	return v
}

func tracedGrant(lang string, l reward.TracedLine) TracedGrant {
	g := TracedGrant{
		Account: l.Account, TagID: optionalID(l.TagID), CouponID: optionalID(l.CouponID), Count: l.Count, Name: l.Name, Base: l.Base, Bonus: l.Bonus, Want: l.Want, Multiplier: l.Multiplier, Capped: l.Capped,
		Multipliers: []TracedMultiplier{}, Note: l.Note, ActivatesAt: web.AtPtr(l.ActivatesAt),
	}
	for _, f := range l.Factors {
		g.Multipliers = append(g.Multipliers, TracedMultiplier{web.IDOf(f.RuleID), f.Rule, web.Decimal(f.Factor), f.Not == "", f.Not, notText(lang, f.Not)})
	}
	return g
}

// notText says why not.
func notText(lang, not string) string {
	if not == "" {
		return ""
	}
	return templates.T(lang, "rule.not."+not, nil)
}

// leaves are the facts of a condition, from left to right.
func leaves(out []TracedLeaf, t condition.Trace) []TracedLeaf {
	if t.Leaf != "" {
		out = append(out, TracedLeaf{t.Leaf, t.Args, t.Holds, t.Saw})
	}
	for _, kid := range t.Children {
		out = leaves(out, kid)
	}
	return out
}

type trialIn struct{ Body Trial }

type explainIn struct {
	ID   web.ID `path:"id"`
	Rule web.ID `query:"rule" doc:"One rule; absent: every rule on its kind"`
}

func (h *handler) traces(api *web.API) {
	o := op(operator.MembersRead, http.MethodPost, "/rules/try", "Say what the rules would give", http.StatusNotFound)
	o.Description = "Nothing is written. It decides as the live run does: what it says is what then happens."
	web.Read(api, o, h.tryRules)
	o = op(operator.MembersRead, http.MethodGet, "/events/{id}/explain", "Say why an event earned what it did", http.StatusNotFound)
	o.Description = "Leaves and caps show what they see now; the ledger lines, coupons and tags are those that were written."
	web.Read(api, o, h.explainEvent)
}

func (h *handler) tryRules(ctx context.Context, in *trialIn) (*web.Out[Traced], error) {
	t, err := h.trial(in.Body)
	if err != nil {
		return nil, err
	}
	out, err := h.Rewards.Try(ctx, t)
	if err != nil {
		if t.Draft != nil {
			err = below("draft.definition", err, definitionFields...)
		}
		return nil, err
	}
	return &web.Out[Traced]{Body: tracedView(web.Lang(ctx), out)}, nil
}

func (h *handler) trial(b Trial) (reward.Trial, error) {
	t := reward.Trial{MemberID: b.MemberID.Int(), Kind: b.Kind}
	if t.Kind == "" {
		t.Kind = model.EventOrderPaid
	}
	if b.Data == nil {
		b.Data = map[string]any{}
	}
	if b.Amount > 0 {
		b.Data[model.OrderAmount] = b.Amount
	}
	t.Data = model.ToJSON(b.Data)
	at, err := instant("at", b.At)
	if err != nil {
		return t, err
	}
	if at != nil {
		t.At = at.Truncate(time.Microsecond)
	}
	if d := b.Draft; d != nil {
		def, err := h.definition(d.Definition)
		if err != nil {
			return t, below("draft.definition", err, definitionFields...)
		}
		t.Draft = &reward.Input{ID: web.ID(d.ID).Int(), Code: d.Code, Name: d.Name, Enabled: on(d.Enabled), Trigger: d.Trigger, Definition: def}
	}
	return t, nil
}

func (h *handler) explainEvent(ctx context.Context, in *explainIn) (*web.Out[Traced], error) {
	t, err := h.Rewards.Explain(ctx, in.ID.Int(), in.Rule.Int())
	if err != nil {
		return nil, err
	}
	return &web.Out[Traced]{Body: tracedView(web.Lang(ctx), t)}, nil
}
