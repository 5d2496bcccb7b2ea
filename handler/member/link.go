package member

import (
	"context"
	"net/http"

	"github.com/siyu-scrm/siyu/handler/web"
)

// LinkCode is a code to be typed in the official account.
type LinkCode struct {
	web.Stamped
	Code      string   `json:"code" example:"BD7K4M9Q" doc:"To be sent as a text to the official account; once"`
	ExpiresAt web.Time `json:"expires_at"`
}

func (h *handler) links(api *web.API) {
	o := op(http.MethodPost, "/link-codes", "Ask for a code that links me with the official account", http.StatusTooManyRequests)
	o.Description = "For accounts that are not bound to one Open Platform account, so that WeChat tells no unionid. Show the code: who sends it to the " +
		"official account within ten minutes becomes one member with the caller. A new code ends the one before; 429 RATE_LIMITED with " +
		"retry_after in details after five in ten minutes."
	o.DefaultStatus = http.StatusCreated
	web.Write(api, o, h.postLinkCode)
}

func (h *handler) postLinkCode(ctx context.Context, _ *web.None) (*web.Out[LinkCode], error) {
	issued, err := h.Links.Issue(ctx, web.MemberID(ctx))
	if err != nil {
		return nil, err
	}
	code, err := h.Links.Code(issued)
	return &web.Out[LinkCode]{Body: LinkCode{Stamped: web.Stamp(h.Clock), Code: code, ExpiresAt: web.At(issued.ExpiresAt)}}, err
}
