// Package open is the open API under /open/v1: what the brand's other systems push and ask.
package open

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/siyu-scrm/siyu/app"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/handler/web"
)

type handler struct{ *app.App }

// Routes registers the open API.
func Routes(s *web.Server, a *app.App) {
	h := &handler{a}
	api := s.API("/open/v1", "open", "What the brand's other systems push and ask, with an API key of scope open, or of single rights.",
		web.KeyAuth(a.Operators))
	h.behaviors(api)
	h.members(api)
	h.holds(api)
	h.orders(api)
	h.coupons(api)
	h.reports(api)
}

// op describes an operation with the right that it asks for and the refusals that it may answer.
func op(right operator.Right, method, path, summary string, more ...int) huma.Operation {
	return huma.Operation{
		Method: method, Path: path, Summary: summary, Security: web.Needs(right),
		Errors: append([]int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden}, more...),
	}
}

// Ref names a person in exactly one way.
type Ref struct {
	No      string `json:"no,omitempty" maxLength:"32" example:"1234567890" doc:"Member number"`
	UnionID string `json:"unionid,omitempty" maxLength:"64"`
	Account string `json:"account,omitempty" maxLength:"32" doc:"Name of the account that openid is of"`
	OpenID  string `json:"openid,omitempty" maxLength:"64"`
}

func (r Ref) ref() member.Ref {
	return member.Ref{No: r.No, UnionID: r.UnionID, Account: r.Account, OpenID: r.OpenID}
}
