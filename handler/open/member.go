package open

import (
	"context"
	"net/http"

	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/handler/web"
)

type byIn struct {
	No      string `query:"no" maxLength:"32" example:"1234567890"`
	UnionID string `query:"unionid" maxLength:"64"`
	Account string `query:"account" maxLength:"32"`
	OpenID  string `query:"openid" maxLength:"64"`
}

// Member is what other systems may know of a person.
type Member struct {
	ID       web.ID     `json:"id"`
	No       string     `json:"no" example:"1234567890"`
	JoinedAt *web.Time  `json:"joined_at" doc:"null: not registered"`
	Nickname string     `json:"nickname"`
	OptedOut bool       `json:"opted_out" doc:"true: no marketing messages"`
	Balances []Balances `json:"balances"`
}

// Balances is what he holds in one account.
type Balances struct {
	Account string `json:"account" example:"points"`
	Balance int64  `json:"balance" example:"105"`
}

func (h *handler) members(api *web.API) {
	o := op(operator.OpenMembers, http.MethodGet, "/members/by", "Find a person by number, unionid, or openid and account", http.StatusNotFound)
	web.Read(api, o, h.getMember)
}

func (h *handler) getMember(ctx context.Context, in *byIn) (*web.Out[Member], error) {
	m, err := h.Members.Find(ctx, member.Ref{No: in.No, UnionID: in.UnionID, Account: in.Account, OpenID: in.OpenID})
	if err != nil {
		return nil, err
	}
	views, err := h.Book.Balances(ctx, m.ID)
	if err != nil {
		return nil, err
	}
	out := Member{ID: web.IDOf(m.ID), No: m.No, JoinedAt: web.AtPtr(m.JoinedAt), Nickname: m.Nickname, OptedOut: m.OptedOutAt != nil, Balances: make([]Balances, len(views))}
	for i, v := range views {
		out.Balances[i] = Balances{Account: v.Account, Balance: v.Available}
	}
	return &web.Out[Member]{Body: out}, nil
}
