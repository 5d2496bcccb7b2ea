package admin

import (
	"context"
	"net/http"

	"github.com/siyu-scrm/siyu/app/gift"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

// GiftBody is a gift as an operator writes it.
type GiftBody struct {
	Name      string    `json:"name" minLength:"1" maxLength:"64" example:"双11回馈"`
	Condition Condition `json:"condition,omitempty" doc:"Whom; everybody if absent"`
	Account   string    `json:"account,omitempty" maxLength:"32" example:"points" doc:"points if absent"`
	Amount    int64     `json:"amount" minimum:"1" maximum:"1000000" example:"66" doc:"To each; at most what the account lets one operator give by hand"`
	Memo      string    `json:"memo,omitempty" maxLength:"255" doc:"On each line; the name if absent"`
	Cron      string    `json:"cron,omitempty" maxLength:"64" example:"0 9 1 * *" doc:"A benefit that comes by the clock: minute hour day month weekday, in the programme's zone, at most daily. Absent: a campaign, given once and now"`
	Enabled   *bool     `json:"enabled,omitempty" doc:"Of a benefit; true if absent"`
	Confirm   *int64    `json:"confirm,omitempty" minimum:"0" example:"1" doc:"How many meet the condition now. Without it, or with another number, nothing happens: 409, with the audience in details"`
}

// Gift gives an amount to everybody who meets a condition.
type Gift struct {
	ID        web.ID    `json:"id"`
	Name      string    `json:"name"`
	Condition Condition `json:"condition"`
	Account   string    `json:"account"`
	Amount    int64     `json:"amount"`
	Memo      string    `json:"memo"`
	Cron      string    `json:"cron" doc:"Empty: given once"`
	Enabled   bool      `json:"enabled"`
	NextAt    *web.Time `json:"next_at"`
	Actor     string    `json:"actor" example:"operator:1"`
	CreatedAt web.Time  `json:"created_at"`
	UpdatedAt web.Time  `json:"updated_at"`
	Runs      []GiftRun `json:"runs,omitempty" doc:"The last twenty givings, newest first"`
}

// GiftRun is one giving.
type GiftRun struct {
	ID       web.ID   `json:"id"`
	Slot     string   `json:"slot" example:"once" doc:"The firing, or once"`
	Audience int64    `json:"audience" doc:"For how many it is"`
	WorkID   web.ID   `json:"work_id" doc:"Its progress"`
	At       web.Time `json:"at"`
}

type giftIn struct{ Body GiftBody }

type giftPut struct {
	ID   web.ID `path:"id"`
	Body GiftBody
}

func giftView(g model.Gift) Gift {
	return Gift{
		ID: web.IDOf(g.ID), Name: g.Name, Condition: Condition(g.Condition), Account: g.Account, Amount: g.Amount, Memo: g.Memo, Cron: g.Cron,
		Enabled: g.Enabled, NextAt: web.AtPtr(g.NextAt), Actor: g.Actor, CreatedAt: web.At(g.CreatedAt), UpdatedAt: web.At(g.UpdatedAt),
	}
}

func givenView(g gift.Given) Gift {
	v := giftView(g.Gift)
	if g.Run != nil {
		v.Runs = []GiftRun{giftRun(*g.Run)}
	}
	return v
}

func giftRun(r model.GiftRun) GiftRun {
	return GiftRun{web.IDOf(r.ID), r.Slot, r.Audience, web.IDOf(r.WorkID), web.At(r.CreatedAt)}
}

func (h *handler) gifts(api *web.API) {
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/gifts", "Gifts, newest first"), h.getGifts)
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/gifts/{id}", "One gift with its givings", http.StatusNotFound), h.getGift)
	body := map[string]any{"name": "双11回馈", "amount": 66, "condition": map[string]any{"leaf": "member", "field": "joined", "value": true}, "confirm": 1}
	o := post(operator.PointsGrant, "/gifts", "Give to everybody who meets a condition, once or by the clock", http.StatusConflict)
	o.Description = "Whom it is for is frozen when a giving begins; it runs as a long job and reaches each member once. Firings that nobody was up for are given late."
	web.Write(api, example(o, body), h.postGift)
	o = op(operator.PointsGrant, http.MethodPut, "/gifts/{id}", "Change a benefit, or switch it off", http.StatusNotFound, http.StatusConflict)
	web.Write(api, example(o, map[string]any{"name": "一星月礼", "amount": 100, "cron": "0 9 1 * *", "confirm": 1}), h.putGift)
}

func (h *handler) getGifts(ctx context.Context, in *struct{ web.Paging }) (*web.Out[web.List[Gift]], error) {
	before, err := after(in.Paging)
	if err != nil {
		return nil, err
	}
	rows, err := h.Gifts.List(ctx, before, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return &web.Out[web.List[Gift]]{Body: web.ListOf(rows, in.Limit, giftView, func(g model.Gift) []any { return []any{g.ID} })}, nil
}

func (h *handler) getGift(ctx context.Context, in *byID) (*web.Out[Gift], error) {
	g, err := h.Gifts.Get(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	runs, err := h.Gifts.Runs(ctx, g.ID, 20)
	if err != nil {
		return nil, err
	}
	v := giftView(*g)
	for _, r := range runs {
		v.Runs = append(v.Runs, giftRun(r))
	}
	return &web.Out[Gift]{Body: v}, nil
}

func (h *handler) postGift(ctx context.Context, in *giftIn) (*web.Out[Gift], error) {
	return h.saveGift(ctx, "gift.create", 0, nil, in.Body)
}

func (h *handler) putGift(ctx context.Context, in *giftPut) (*web.Out[Gift], error) {
	old, err := h.Gifts.Get(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	return h.saveGift(ctx, "gift.update", in.ID.Int(), giftView(*old), in.Body)
}

func (h *handler) saveGift(ctx context.Context, action string, id int64, before any, b GiftBody) (*web.Out[Gift], error) {
	t, err := h.tree(b.Condition)
	if err != nil {
		return nil, err
	}
	ctx = audited(ctx, h, action, before, func(g gift.Given) (string, any) { return object("gift", g.ID), givenView(g) })
	g, err := h.Gifts.Save(ctx, gift.Input{
		ID: id, Name: b.Name, Account: b.Account, Amount: b.Amount, Memo: b.Memo, Condition: t, Cron: b.Cron, Enabled: on(b.Enabled), Actor: web.Actor(ctx), Confirm: b.Confirm,
	})
	if err != nil {
		return nil, err
	}
	return &web.Out[Gift]{Body: givenView(*g)}, nil
}
