package member

import (
	"bytes"
	"context"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

// Privacy is the privacy text that holds now, and the one that the person accepted.
type Privacy struct {
	Version  string `json:"version" example:"2" doc:"The version that holds now"`
	Accepted string `json:"accepted" example:"1" doc:"The version that the person accepted last, or empty"`
	Outdated bool   `json:"outdated" doc:"true: show him the text again and send privacy_version to PUT /preferences, or with the registration"`
}

func (h *handler) privacyOf(m *model.Member) Privacy {
	return Privacy{Version: h.Config.PrivacyVersion, Accepted: m.PrivacyRead, Outdated: m.PrivacyRead != h.Config.PrivacyVersion}
}

type exported struct {
	ContentType        string `header:"Content-Type"`
	ContentDisposition string `header:"Content-Disposition"`
	Body               []byte
}

// Loss is something that ends with the erasure.
type Loss struct {
	What   string `json:"what" enum:"account,streak,membership,history" example:"account"`
	Code   string `json:"code,omitempty" example:"points" doc:"Of an account"`
	Amount int64  `json:"amount,omitempty" example:"105"`
	Text   string `json:"text" example:"105 积分" doc:"Ready to show"`
}

type eraseIn struct {
	Confirmation string `query:"confirmation" maxLength:"64" doc:"What the first call answered; it holds for fifteen minutes."`
}

type eraseOut struct {
	web.Stamped
	Erased       bool      `json:"erased"`
	Losses       []Loss    `json:"losses" doc:"What will be lost, or was"`
	Confirmation string    `json:"confirmation,omitempty" doc:"Send it back to go through with it"`
	ExpiresAt    *web.Time `json:"expires_at,omitempty" doc:"Of the confirmation"`
}

func (h *handler) privacy(api *web.API) {
	o := op(http.MethodGet, "/me/export", "Everything that is kept of me")
	o.Description = "One JSON document: exported_at, phone, and tables, each with its rows. What a member holds is his own; nothing in it is masked."
	o.Responses = map[string]*huma.Response{"200": {Description: "The document", Content: map[string]*huma.MediaType{"application/json": {
		Schema: &huma.Schema{Type: huma.TypeObject},
	}}}}
	web.Read(api, o, h.getExport)

	o = op(http.MethodDelete, "/me", "Forget me", http.StatusConflict)
	o.Description = "Without confirmation it changes nothing and answers what will be lost, with a confirmation; with that it erases the person: " +
		"names, numbers, openids, texts and positions go, what he held is void, his tokens end. Who logs in again is a new person, but no newcomer."
	web.Write(api, o, h.deleteMe)
}

func (h *handler) getExport(ctx context.Context, _ *web.None) (*exported, error) {
	m, err := h.Members.Get(ctx, web.MemberID(ctx))
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := h.Members.Export(ctx, m.ID, &b); err != nil {
		return nil, err
	}
	return &exported{
		ContentType: "application/json", ContentDisposition: fmt.Sprintf(`attachment; filename="member-%s.json"`, m.No), Body: b.Bytes(),
	}, nil
}

func (h *handler) deleteMe(ctx context.Context, in *eraseIn) (*web.Out[eraseOut], error) {
	m, err := h.Members.Get(ctx, web.MemberID(ctx))
	if err != nil {
		return nil, err
	}
	out := eraseOut{Stamped: web.Stamp(h.Clock)}
	if out.Losses, err = h.losses(ctx, m); err != nil {
		return nil, err
	}
	if in.Confirmation == "" {
		c := h.Members.Confirmation(m)
		out.Confirmation, out.ExpiresAt = c.Word, web.AtPtr(&c.ExpiresAt)
		return &web.Out[eraseOut]{Body: out}, nil
	}
	if !h.Members.Confirmed(m, in.Confirmation) {
		return nil, errs.New(errs.Conflict, "member.confirmation")
	}
	out.Erased = true
	return &web.Out[eraseOut]{Body: out}, h.Members.Erase(ctx, m.ID)
}

func (h *handler) losses(ctx context.Context, m *model.Member) ([]Loss, error) {
	t := func(key string, args map[string]any) string { return templates.T(web.Lang(ctx), key, args) }
	views, err := h.Book.Balances(ctx, m.ID)
	if err != nil {
		return nil, err
	}
	all := []Loss{}
	for _, v := range views {
		if n := v.Available + v.Pending; n > 0 {
			all = append(all, Loss{What: "account", Code: v.Account, Amount: n, Text: fmt.Sprintf("%d %s", n, ledger.NameOf(web.Lang(ctx), v.Account, v.Name))})
		}
	}
	c, err := h.Checkins.Month(ctx, m.ID, "")
	if err != nil {
		return nil, err
	}
	if c.Streak > 0 {
		all = append(all, Loss{What: "streak", Amount: int64(c.Streak), Text: t("handlers.loss.streak", map[string]any{"n": c.Streak})})
	}
	if m.Joined() {
		all = append(all, Loss{What: "membership", Text: t("handlers.loss.membership", map[string]any{"no": m.No})})
	}
	return append(all, Loss{What: "history", Text: t("handlers.loss.history", nil)}), nil
}
