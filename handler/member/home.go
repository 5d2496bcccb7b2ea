package member

import (
	"context"
	"net/http"

	"github.com/siyu-scrm/siyu/handler/web"
)

type home struct {
	web.Stamped
	Member   *Member   `json:"member" doc:"null until the person has registered"`
	Missing  []string  `json:"missing" example:"[\"phone\"]"`
	Privacy  Privacy   `json:"privacy"`
	Balance  int64     `json:"balance" example:"105" doc:"Of points"`
	Accounts []Account `json:"accounts"`
	Checkin  Calendar  `json:"checkin"`
	Quizzes  []Quiz    `json:"quizzes" doc:"Open now"`
}

func (h *handler) home(api *web.API) {
	web.Read(api, op(http.MethodGet, "/home", "Everything for the first page, in one call"), h.getHome)
}

func (h *handler) getHome(ctx context.Context, _ *web.None) (*web.Out[home], error) {
	id := web.MemberID(ctx)
	m, err := h.Members.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	missing, err := h.missing(ctx, m)
	if err != nil {
		return nil, err
	}
	views, err := h.Book.Balances(ctx, id)
	if err != nil {
		return nil, err
	}
	c, err := h.Checkins.Month(ctx, id, "")
	if err != nil {
		return nil, err
	}
	open, err := h.Quizzes.Open(ctx, id)
	if err != nil {
		return nil, err
	}
	out := home{
		Stamped: web.Stamp(h.Clock), Missing: missing, Privacy: h.privacyOf(m), Balance: balance(views), Accounts: accounts(ctx, views), Checkin: calendar(ctx, c), Quizzes: quizzes(open),
	}
	if m.Joined() {
		v := h.view(m)
		out.Member = &v
	}
	return &web.Out[home]{Body: out}, nil
}
