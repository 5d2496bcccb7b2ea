package member

import (
	"context"
	"net/http"

	"github.com/siyu-scrm/siyu/app"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

type home struct {
	web.Stamped
	Member   *Member   `json:"member" doc:"null until the person has registered"`
	Missing  []string  `json:"missing" example:"[\"phone\"]"`
	Privacy  Privacy   `json:"privacy"`
	Balance  int64     `json:"balance" example:"105" doc:"Of points"`
	Expiring *Expiring `json:"expiring" doc:"Of the points, what expires within 30 days; null: nothing"`
	Accounts []Account `json:"accounts"`
	Tier     *Tier     `json:"tier" doc:"null: none yet"`
	NextTier *NextTier `json:"next_tier" doc:"The next tier and the gap to it; null: the programme has no tiers, or there is no higher one"`
	Tasks    []Task    `json:"tasks" doc:"Every way to earn, as GET /tasks"`
	Checkin  Calendar  `json:"checkin"`
	Quizzes  []Quiz    `json:"quizzes" doc:"Open now, with the seconds that are left"`
	Forms    []Form    `json:"forms" doc:"Open now, as GET /forms"`
	Unread   unread    `json:"unread" doc:"What was granted since POST /grants/read"`
	Asks     []Ask     `json:"subscribe" doc:"Templates worth asking for now with wx.requestSubscribeMessage, that of the first message to come first; WeChat takes three at a time."`
}

// Expiring is what expires soon.
type Expiring struct {
	Amount int64    `json:"amount" example:"40"`
	At     web.Time `json:"at" doc:"The first instant"`
}

// Ask is a subscribe template worth asking for.
type Ask struct {
	Account    string    `json:"account" example:"mp"`
	TemplateID string    `json:"template_id" example:"TPL_ACTIVITY"`
	Accepted   int       `json:"accepted" example:"0" doc:"Messages that he has accepted and not got yet"`
	Needed     int       `json:"needed" example:"1" doc:"Messages that are to come"`
	NextAt     *web.Time `json:"next_at" doc:"When the first would go; null: not fixed"`
}

func (h *handler) home(api *web.API) {
	web.Read(api, op(http.MethodGet, "/home", "Everything for the first page, in one call"), h.getHome)
}

func (h *handler) getHome(ctx context.Context, _ *web.None) (*web.Out[home], error) {
	m, err := h.Members.Get(ctx, web.MemberID(ctx))
	if err != nil {
		return nil, err
	}
	out := &home{Stamped: web.Stamp(h.Clock)}
	for _, part := range []func(context.Context, *model.Member, *home) error{h.homeMember, h.homePoints, h.homeToday, h.homeNews} {
		if err := part(ctx, m, out); err != nil {
			return nil, err
		}
	}
	return &web.Out[home]{Body: *out}, nil
}

func (h *handler) homeMember(ctx context.Context, m *model.Member, out *home) (err error) {
	if m.Joined() {
		v := h.view(m)
		out.Member = &v
	}
	out.Privacy = h.privacyOf(m)
	out.Missing, err = h.missing(ctx, m)
	return err
}

func (h *handler) homePoints(ctx context.Context, m *model.Member, out *home) error {
	views, err := h.Book.Balances(ctx, m.ID)
	if err != nil {
		return err
	}
	out.Balance, out.Accounts, out.Expiring = balance(views), accounts(ctx, views), expiring(views)
	v, err := h.Tiers.Of(ctx, m.ID)
	if out.NextTier = nextTier(v); v != nil {
		out.Tier = tierView(v.Tier)
	}
	return err
}

func expiring(views []ledger.View) *Expiring {
	for _, v := range views {
		if v.Account == model.AccountPoints && v.NextExpiry != nil {
			return &Expiring{Amount: v.ExpiringSoon, At: web.At(*v.NextExpiry)}
		}
	}
	return nil
}

// homeToday is what there is to do.
func (h *handler) homeToday(ctx context.Context, m *model.Member, out *home) error {
	items, err := h.Tasks.List(ctx, web.Lang(ctx), m.ID)
	if err != nil {
		return err
	}
	c, err := h.Checkins.Month(ctx, m.ID, "")
	if err != nil {
		return err
	}
	open, err := h.Quizzes.Open(ctx, m.ID)
	if err != nil {
		return err
	}
	asked, err := h.Forms.Open(ctx, m.ID)
	if err != nil {
		return err
	}
	out.Tasks, out.Checkin, out.Quizzes, out.Forms = tasks(ctx, items), calendar(ctx, c), quizzes(open), forms(asked)
	return nil
}

// homeNews is what happened, and what to ask.
func (h *handler) homeNews(ctx context.Context, m *model.Member, out *home) error {
	u, err := h.unread(ctx)
	if err != nil {
		return err
	}
	asks, err := h.WorthAsking(ctx, m)
	if err != nil {
		return err
	}
	out.Unread, out.Asks = *u, asksOf(asks)
	return nil
}

func asksOf(all []app.Ask) []Ask {
	shown := make([]Ask, len(all))
	for i, a := range all {
		shown[i] = Ask{Account: a.Account, TemplateID: a.TemplateID, Accepted: a.Accepted, Needed: a.Needed, NextAt: web.AtPtr(a.NextAt)}
	}
	return shown
}
