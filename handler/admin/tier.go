package admin

import (
	"context"
	"net/http"

	"github.com/siyu-scrm/siyu/app/coupon"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/tier"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

// TiersBody is all tiers and how they are reached and lost.
type TiersBody struct {
	Account    string `json:"account" maxLength:"32" example:"growth" doc:"What is counted"`
	Basis      string `json:"basis,omitempty" enum:"lifetime,available," example:"lifetime" doc:"lifetime if absent: ever earned and not taken back; available: usable now"`
	Downgrade  string `json:"downgrade,omitempty" enum:"immediate,review," example:"immediate" doc:"immediate if absent; review: a tier is kept until its review"`
	ReviewDays int    `json:"review_days,omitempty" minimum:"0" maximum:"3650" example:"365" doc:"365 if absent: the review is at midnight so many days after the upgrade, and again each time that the tier is kept"`
	NoticeDays int    `json:"notice_days,omitempty" minimum:"0" maximum:"3650" example:"30" doc:"So many days before a review who would fall is told: the event tier.review_soon"`
	Tiers      []Tier `json:"tiers" maxItems:"30" doc:"One that is absent is removed; it stays in the history."`
}

// Tier is one of them.
type Tier struct {
	ID        OptionalID `json:"id,omitempty" doc:"Absent for a new one"`
	Name      string     `json:"name" minLength:"1" maxLength:"16" example:"黄金"`
	Threshold int64      `json:"threshold" minimum:"0" example:"1000" doc:"Reached with exactly so much. 0: everybody who registered"`
	Gifts     []TierGift `json:"gifts,omitempty" maxItems:"10" doc:"For who reaches it, each once in a lifetime. Known by their place: add new ones at the end."`
}

// TierGift is an amount in an account, or a coupon.
type TierGift struct {
	Account  string     `json:"account,omitempty" maxLength:"32" example:"points"`
	Amount   int64      `json:"amount,omitempty" minimum:"0" example:"100"`
	CouponID OptionalID `json:"coupon_id,omitempty"`
}

// SavedTiers are the tiers, and the work that looks at every member again.
type SavedTiers struct {
	TiersBody
	WorkID web.ID `json:"work_id" doc:"See /admin/v1/works/{id}: its result holds up and down."`
}

// TierPreview is what saving would change.
type TierPreview struct {
	Up    int64       `json:"up" example:"23"`
	Down  int64       `json:"down" example:"4"`
	Same  int64       `json:"same"`
	Below int64       `json:"below" doc:"In no tier afterwards"`
	Tiers []TierCount `json:"tiers" doc:"Members in each afterwards"`
}

// TierCount is how many are in a tier.
type TierCount struct {
	Name    string `json:"name" example:"黄金"`
	Members int64  `json:"members"`
}

type tiersIn struct{ Body TiersBody }

// TierActs is what somebody does every month.
type TierActs struct {
	Acts []TierAct `json:"acts" minItems:"1" maxItems:"20"`
}

// TierAct is one act.
type TierAct struct {
	Event string         `json:"event" maxLength:"32" example:"checkin.done" doc:"See /admin/v1/events/kinds"`
	Times int64          `json:"times" minimum:"1" maximum:"10000" example:"30" doc:"A month"`
	Data  map[string]any `json:"data,omitempty" doc:"What the rules read of the event: amount_fen of an order"`
}

type simulateIn struct{ Body TierActs }

// TierPace is how fast somebody rises.
type TierPace struct {
	PerMonth int64       `json:"per_month" example:"330"`
	Tiers    []TierReach `json:"tiers"`
}

// TierReach is when a tier is reached.
type TierReach struct {
	Name  string `json:"name" example:"黄金"`
	Month *int64 `json:"month" example:"4" doc:"Counted from 1; 0: at once; null: never"`
}

// Stretch is a line of the history of a member's tiers.
type Stretch struct {
	TierID   web.ID    `json:"tier_id" doc:"0: below every tier"`
	Tier     string    `json:"tier" example:"黄金"`
	From     web.Time  `json:"from"`
	Until    *web.Time `json:"until" doc:"null: now"`
	Cause    string    `json:"cause" example:"change" doc:"joined, change, review, settings, operator"`
	EventID  web.ID    `json:"event_id" doc:"0: none"`
	ReviewAt *web.Time `json:"review_at"`
}

// TierHold is a tier that an operator set by hand.
type TierHold struct {
	TierID  web.ID    `json:"tier_id"`
	Tier    string    `json:"tier" example:"二星"`
	Until   *web.Time `json:"until" doc:"It ends by itself; null: it stays until an operator ends it."`
	Reason  string    `json:"reason" example:"天猫 V3"`
	Actor   string    `json:"actor" example:"operator:1" doc:"Who set it"`
	At      web.Time  `json:"at"`
	EndedAt *web.Time `json:"ended_at" doc:"null: it counts"`
	EndedBy string    `json:"ended_by,omitempty" doc:"Who ended it or set another; absent where it ended by itself"`
}

type tierHoldIn struct {
	ID   web.ID `path:"id"`
	Body struct {
		TierID web.ID    `json:"tier_id"`
		Until  *web.Time `json:"until,omitempty" doc:"Absent: until an operator ends it"`
		Reason string    `json:"reason" minLength:"1" maxLength:"100" example:"天猫 V3"`
	}
}

func (h *handler) tiers(api *web.API) {
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/tiers", "The tiers, the lowest first, and how they are reached and lost"), h.getTiers)
	body := map[string]any{"account": "growth", "tiers": []any{
		map[string]any{"name": "黄金", "threshold": 1000, "gifts": []any{map[string]any{"account": "points", "amount": 100}}}, map[string]any{"name": "白金", "threshold": 3000},
	}}
	o := op(operator.ProgrammeWrite, http.MethodPut, "/tiers", "Change the tiers, and look at every member again")
	o.Description = "They count at once for whatever happens from now on; a work looks at everybody else. Who rises gets the gifts."
	web.Write(api, example(o, body), h.putTiers)
	o = op(operator.ProgrammeRead, http.MethodPost, "/tiers/preview", "How many would rise and fall")
	o.Description = "By the balances as they are written. Nothing is saved."
	web.Read(api, example(o, body), h.previewTiers)
	o = op(operator.ProgrammeRead, http.MethodPost, "/tiers/simulate", "In which month each tier is reached")
	o.Description = "By the rules as they are, for somebody new who does the acts every month. Each act is asked once, by itself: caps over several acts are not counted."
	web.Read(api, example(o, map[string]any{"acts": []any{map[string]any{"event": "checkin.done", "times": 30}}}), h.simulateTiers)
	web.Read(api, op(operator.MembersRead, http.MethodGet, "/members/{id}/tiers", "His tiers, newest first", http.StatusNotFound), h.getMemberTiers)
	o = op(operator.PointsGrant, http.MethodPut, "/members/{id}/tier", "Set his tier by hand", http.StatusNotFound)
	o.Description = "Until it ends he is in it or in a higher one, whatever he earned; his value stays. He rises at once, with the gifts of what he crosses. " +
		"It replaces what was set before. Who has not registered begins there."
	web.Write(api, example(o, map[string]any{"tier_id": "1", "reason": "天猫 V3", "until": "2027-11-23T00:00:00+08:00"}), h.putMemberTier)
	o = op(operator.PointsGrant, http.MethodDelete, "/members/{id}/tier", "End what was set by hand", http.StatusNotFound, http.StatusConflict)
	o.Description = "He goes where his value belongs."
	web.Write(api, o, h.deleteMemberTier)
	web.Read(api, op(operator.MembersRead, http.MethodGet, "/members/{id}/tier-holds", "What was set by hand, newest first", http.StatusNotFound), h.getTierHolds)
}

func tiersView(l *tier.Ladder) TiersBody {
	set := l.Settings
	v := TiersBody{Account: set.Account, Basis: set.Basis, Downgrade: set.Downgrade, ReviewDays: set.ReviewDays, NoticeDays: set.NoticeDays, Tiers: make([]Tier, len(l.Tiers))}
	for i, t := range l.Tiers {
		v.Tiers[i] = Tier{ID: optionalID(t.ID), Name: t.Name, Threshold: t.Threshold}
		for _, g := range t.Gifts {
			v.Tiers[i].Gifts = append(v.Tiers[i].Gifts, TierGift{g.Account, g.Amount, optionalID(g.CouponID)})
		}
	}
	return v
}

func tiersOf(b TiersBody) (in tier.Input, err error) {
	in.Settings = model.TierSettings{
		Account: b.Account, Basis: or(b.Basis, coupon.Lifetime), Downgrade: or(b.Downgrade, model.TierImmediate), ReviewDays: or(b.ReviewDays, 365), NoticeDays: b.NoticeDays,
	}
	for _, t := range b.Tiers {
		row := tier.Tier{Name: t.Name, Threshold: t.Threshold}
		if row.ID, err = ref("tiers", t.ID); err != nil {
			return in, err
		}
		for _, g := range t.Gifts {
			gift := tier.Gift{Account: g.Account, Amount: g.Amount}
			if gift.CouponID, err = ref("tiers", g.CouponID); err != nil {
				return in, err
			}
			row.Gifts = append(row.Gifts, gift)
		}
		in.Tiers = append(in.Tiers, row)
	}
	return in, nil
}

// or is v, or what it means where it is absent.
func or[T comparable](v, absent T) T {
	var none T
	if v == none {
		return absent
	}
	return v
}

func (h *handler) getTiers(ctx context.Context, _ *web.None) (*web.Out[TiersBody], error) {
	l, err := h.Tiers.Ladder(ctx)
	if err != nil {
		return nil, err
	}
	return &web.Out[TiersBody]{Body: tiersView(l)}, nil
}

func (h *handler) putTiers(ctx context.Context, in *tiersIn) (*web.Out[SavedTiers], error) {
	wanted, err := tiersOf(in.Body)
	if err != nil {
		return nil, err
	}
	before, err := h.getTiers(ctx, nil)
	if err != nil {
		return nil, err
	}
	ctx = audited(ctx, h, "tiers.update", before.Body, func(s tier.Saved) (string, any) { return "tiers", tiersView(&s.Ladder) })
	saved, err := h.Tiers.Save(ctx, wanted, web.Actor(ctx))
	if err != nil {
		return nil, err
	}
	return &web.Out[SavedTiers]{Body: SavedTiers{TiersBody: tiersView(&saved.Ladder), WorkID: web.IDOf(saved.Work.ID)}}, nil
}

func (h *handler) previewTiers(ctx context.Context, in *tiersIn) (*web.Out[TierPreview], error) {
	wanted, err := tiersOf(in.Body)
	if err != nil {
		return nil, err
	}
	p, err := h.Tiers.Preview(ctx, wanted)
	if err != nil {
		return nil, err
	}
	out := TierPreview{Up: p.Up, Down: p.Down, Same: p.Same, Below: p.Below, Tiers: make([]TierCount, len(p.Tiers))}
	for i, t := range p.Tiers {
		out.Tiers[i] = TierCount{t.Name, p.Members[i]}
	}
	return &web.Out[TierPreview]{Body: out}, nil
}

func (h *handler) simulateTiers(ctx context.Context, in *simulateIn) (*web.Out[TierPace], error) {
	acts := make([]tier.Act, len(in.Body.Acts))
	for i, a := range in.Body.Acts {
		acts[i] = tier.Act{Kind: a.Event, Times: a.Times}
		if a.Data != nil {
			acts[i].Data = model.ToJSON(a.Data)
		}
	}
	p, err := h.Tiers.Simulate(ctx, acts)
	if err != nil {
		return nil, err
	}
	out := TierPace{PerMonth: p.PerMonth, Tiers: make([]TierReach, len(p.Tiers))}
	for i, r := range p.Tiers {
		if out.Tiers[i].Name = r.Tier.Name; r.Month >= 0 {
			out.Tiers[i].Month = &p.Tiers[i].Month
		}
	}
	return &web.Out[TierPace]{Body: out}, nil
}

func (h *handler) getMemberTiers(ctx context.Context, in *byID) (*web.Out[web.List[Stretch]], error) {
	m, err := h.Members.Get(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	rows, err := h.Tiers.History(ctx, m.ID)
	return listed(rows, func(r tier.Stretch) Stretch {
		return Stretch{
			TierID: web.IDOf(r.TierID), Tier: r.Name, From: web.At(r.FromAt), Until: web.AtPtr(r.UntilAt), Cause: r.Cause, EventID: web.IDOf(r.EventID), ReviewAt: web.AtPtr(r.ReviewAt),
		}
	}), err
}

func tierHold(h tier.Held) TierHold {
	return TierHold{
		TierID: web.IDOf(h.TierID), Tier: h.Name, Until: web.AtPtr(h.UntilAt), Reason: h.Reason, Actor: h.Actor, At: web.At(h.At),
		EndedAt: web.AtPtr(h.EndedAt), EndedBy: h.EndedBy,
	}
}

// tierNow is where the member is, and what is set by hand, as the audit log says it.
func (h *handler) tierNow(ctx context.Context, id int64) (any, error) {
	now := map[string]any{"tier": nil, "held": nil}
	v, err := h.Tiers.Of(ctx, id)
	if err != nil || v == nil {
		return now, err
	}
	if v.Tier != nil {
		now["tier"] = v.Tier.Name
	}
	if v.Held != nil {
		now["held"] = tierHold(*v.Held)
	}
	return now, nil
}

func (h *handler) putMemberTier(ctx context.Context, in *tierHoldIn) (*web.Out[TierHold], error) {
	m, err := h.Members.Get(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	until, err := instant("until", in.Body.Until)
	if err != nil {
		return nil, err
	}
	before, err := h.tierNow(ctx, m.ID)
	if err != nil {
		return nil, err
	}
	ctx = audited(ctx, h, "tier.set", before, func(t tier.Held) (string, any) { return object("member", t.MemberID), tierHold(t) })
	t, err := h.Tiers.Set(ctx, m.ID, tier.Hold{TierID: in.Body.TierID.Int(), Until: until, Reason: in.Body.Reason, Actor: web.Actor(ctx)})
	if err != nil {
		return nil, err
	}
	return &web.Out[TierHold]{Body: tierHold(*t)}, nil
}

func (h *handler) deleteMemberTier(ctx context.Context, in *byID) (*web.Out[TierHold], error) {
	m, err := h.Members.Get(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	before, err := h.tierNow(ctx, m.ID)
	if err != nil {
		return nil, err
	}
	ctx = audited(ctx, h, "tier.end", before, func(t tier.Held) (string, any) { return object("member", t.MemberID), tierHold(t) })
	t, err := h.Tiers.End(ctx, m.ID, web.Actor(ctx))
	if err != nil {
		return nil, err
	}
	return &web.Out[TierHold]{Body: tierHold(*t)}, nil
}

func (h *handler) getTierHolds(ctx context.Context, in *byID) (*web.Out[web.List[TierHold]], error) {
	m, err := h.Members.Get(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	rows, err := h.Tiers.Holds(ctx, m.ID)
	return listed(rows, tierHold), err
}
