package admin

import (
	"context"
	"net/http"

	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/reward"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

// CapSetBody is a cap over several rules: each rule names in its definition the sets that it belongs to.
type CapSetBody struct {
	Code    string `json:"code,omitempty" maxLength:"64" example:"interaction-daily" doc:"Required for a new one; it stays."`
	Name    string `json:"name" minLength:"1" maxLength:"64" example:"互动每日合计"`
	Period  string `json:"period" enum:"day,week,month,year,lifetime" example:"day" doc:"Stays"`
	Times   int64  `json:"times,omitempty" example:"10" doc:"Grants of all its rules together; or account and amount"`
	Account string `json:"account,omitempty" maxLength:"32"`
	Amount  int64  `json:"amount,omitempty"`
}

// CapSet is a cap over several rules, with the rules.
type CapSet struct {
	ID web.ID `json:"id"`
	CapSetBody
	Rules     []string `json:"rules" doc:"Names of the rules in it"`
	UpdatedAt web.Time `json:"updated_at"`
}

type capSetIn struct{ Body CapSetBody }

type capSetPut struct {
	ID   web.ID `path:"id"`
	Body CapSetBody
}

func capSetView(s reward.CapSet) CapSet {
	v := CapSet{ID: web.IDOf(s.ID), CapSetBody: CapSetBody{s.Code, s.Name, s.Period, s.Times, s.Account, s.Amount}, Rules: s.Rules, UpdatedAt: web.At(s.UpdatedAt)}
	if v.Rules == nil {
		v.Rules = []string{}
	}
	return v
}

func (h *handler) capSets(api *web.API) {
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/cap-sets", "The caps that several rules share"), h.getCapSets)
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/cap-sets/{id}", "One cap set", http.StatusNotFound), h.getCapSet)
	body := map[string]any{"code": "interaction-daily", "name": "互动每日合计", "period": "day", "times": 10}
	web.Write(api, example(post(operator.ProgrammeWrite, "/cap-sets", "Make a cap set", http.StatusConflict), body), h.postCapSet)
	o := op(operator.ProgrammeWrite, http.MethodPut, "/cap-sets/{id}", "Change the name or the limit of a cap set", http.StatusNotFound)
	web.Write(api, example(o, body), h.putCapSet)
	web.Write(api, op(operator.ProgrammeWrite, http.MethodDelete, "/cap-sets/{id}", "Delete a cap set that no version of a rule names",
		http.StatusNotFound, http.StatusConflict), h.deleteCapSet)
}

func (h *handler) getCapSets(ctx context.Context, _ *web.None) (*web.Out[web.List[CapSet]], error) {
	rows, err := h.Rewards.CapSets(ctx)
	return listed(rows, capSetView), err
}

func (h *handler) getCapSet(ctx context.Context, in *byID) (*web.Out[CapSet], error) {
	s, err := h.Rewards.CapSet(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	return &web.Out[CapSet]{Body: capSetView(*s)}, nil
}

func (h *handler) deleteCapSet(ctx context.Context, in *byID) (*web.None, error) {
	old, err := h.getCapSet(ctx, in)
	if err != nil {
		return nil, err
	}
	ctx = audited(ctx, h, "cap_set.delete", old.Body, func(model.CapSet) (string, any) { return object("cap_set", in.ID.Int()), nil })
	return nil, h.Rewards.DeleteCapSet(ctx, in.ID.Int())
}

func (h *handler) postCapSet(ctx context.Context, in *capSetIn) (*web.Out[CapSet], error) {
	return h.saveCapSet(ctx, "cap_set.create", 0, nil, in.Body)
}

func (h *handler) putCapSet(ctx context.Context, in *capSetPut) (*web.Out[CapSet], error) {
	old, err := h.getCapSet(ctx, &byID{ID: in.ID})
	if err != nil {
		return nil, err
	}
	return h.saveCapSet(ctx, "cap_set.update", in.ID.Int(), old.Body, in.Body)
}

func (h *handler) saveCapSet(ctx context.Context, action string, id int64, before any, b CapSetBody) (*web.Out[CapSet], error) {
	ctx = audited(ctx, h, action, before, func(s model.CapSet) (string, any) {
		return object("cap_set", s.ID), capSetView(reward.CapSet{CapSet: s})
	})
	s, err := h.Rewards.SaveCapSet(ctx, model.CapSet{ID: id, Code: b.Code, Name: b.Name, Period: b.Period, Times: b.Times, Account: b.Account, Amount: b.Amount})
	if err != nil {
		return nil, err
	}
	return &web.Out[CapSet]{Body: capSetView(reward.CapSet{CapSet: *s})}, nil
}
