// Package member is the member API under /api/v1: what the mini-program calls for the person who holds it.
package member

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/siyu-scrm/siyu/app"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/radar"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

// handler holds what the operations need.
type handler struct {
	*app.App
	tokens *web.Tokens
}

// Routes registers the member API.
func Routes(s *web.Server, a *app.App) {
	h := &handler{App: a, tokens: web.NewTokens(a.Box, a.Clock)}
	api := s.API("/api/v1", "member", "What the mini-program calls for the person who holds it. Log in with the code of wx.login, "+
		"send the token as a bearer token. In the sandbox POST /sandbox/api/users/{id}/login makes a code.",
		web.MemberAuth(h.tokens, func(ctx context.Context, id int64, version int) (int64, error) {
			return a.Members.Holder(ctx, id, int64(version))
		}))
	h.session(api)
	h.links(api)
	h.profile(api)
	h.inbox(api)
	h.privacy(api)
	h.points(api)
	h.deductions(api)
	h.checkins(api)
	h.quizzes(api)
	h.forms(api)
	h.groups(api)
	h.tasks(api)
	h.coupons(api)
	h.tiers(api)
	h.mall(api)
	h.content(api)
	h.radar(api)
	s.Engine.GET(radar.Route+":token", h.openRadar)
	h.orders(api)
	h.home(api)
}

// op describes an operation with the refusals that it may answer beside 400 and 401.
func op(method, path, summary string, more ...int) huma.Operation {
	return huma.Operation{Method: method, Path: path, Summary: summary, Errors: append([]int{http.StatusBadRequest, http.StatusUnauthorized}, more...)}
}

// mp is the account that a request means: the one it names, or the first mini-program.
func (h *handler) mp(name string) (string, error) {
	if name != "" {
		a, ok := h.Account(name)
		if !ok {
			return "", errs.Field("account", "wechat.account_unknown", "account", name)
		}
		if a.Kind != model.KindMP {
			return "", errs.Field("account", "wechat.kind_wrong", "account", name)
		}
		return name, nil
	}
	for _, a := range h.Accounts {
		if a.Kind == model.KindMP {
			return a.Name, nil
		}
	}
	return "", errs.Field("account", "wechat.account_unknown", "account", model.KindMP)
}
