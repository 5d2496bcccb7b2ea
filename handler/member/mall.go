package member

import (
	"context"
	"net/http"

	"github.com/siyu-scrm/siyu/app/mall"
	"github.com/siyu-scrm/siyu/handler/web"
)

// MallItem is something to exchange points for.
type MallItem struct {
	ID        web.ID    `json:"id"`
	Code      string    `json:"code" example:"tea"`
	Name      string    `json:"name" example:"春茶一盒"`
	Text      string    `json:"text,omitempty"`
	Picture   string    `json:"picture,omitempty"`
	Kind      string    `json:"kind" enum:"goods,coupon" example:"goods"`
	Account   string    `json:"account" example:"points"`
	Price     int64     `json:"price" example:"120"`
	Left      *int64    `json:"left" doc:"null: no limit"`
	PerMember int       `json:"per_member" doc:"In a window, or in a lifetime; 0: no limit"`
	Mine      int64     `json:"mine" doc:"How many I have of that"`
	OpensAt   *web.Time `json:"opens_at" doc:"It is closed until then; null: it is open"`
	ClosesAt  *web.Time `json:"closes_at" doc:"null: it does not"`
	CanRedeem bool      `json:"can_redeem"`
	Why       *web.Why  `json:"why" doc:"What is missing; null: it can be redeemed"`
}

// Redemption is what points were exchanged for.
type Redemption struct {
	ID      web.ID    `json:"id"`
	ItemID  web.ID    `json:"item_id"`
	Name    string    `json:"name" example:"春茶一盒"`
	State   string    `json:"state" enum:"open,fulfilled,cancelled" example:"open" doc:"open: it can be cancelled"`
	Account string    `json:"account" example:"points"`
	Price   int64     `json:"price" example:"120"`
	At      web.Time  `json:"at"`
	EndedAt *web.Time `json:"ended_at"`
}

type mallList struct {
	web.Stamped
	web.List[MallItem]
}

type redemptionList struct {
	web.Stamped
	web.List[Redemption]
}

type redeemed struct {
	web.Stamped
	Redemption Redemption      `json:"redemption"`
	Balance    int64           `json:"balance" example:"1300" doc:"Of the account, afterwards"`
	Coupon     *web.HeldCoupon `json:"coupon" doc:"null: it gave none"`
	Grants     []Grant         `json:"grants" doc:"What redeeming earned"`
}

func (h *handler) mall(api *web.API) {
	web.Read(api, op(http.MethodGet, "/mall", "What points are exchanged for, and what I miss for it"), h.getMall)
	o := op(http.MethodPost, "/mall/{id}/redemptions", "Exchange points", http.StatusForbidden, http.StatusNotFound, http.StatusConflict)
	o.Description = "409 WINDOW_CLOSED (details: opens_at), TIER_TOO_LOW (next_tier, short_by), THRESHOLD_NOT_MET (short_by), LIMIT_REACHED (limit, opens_at), OUT_OF_STOCK, " +
		"POINTS_DEBT, INSUFFICIENT_POINTS (short_by); nothing has changed then."
	o.DefaultStatus = http.StatusCreated
	web.Write(api, o, h.postRedemption)
	web.Read(api, op(http.MethodGet, "/redemptions", "What I exchanged, newest first"), h.getRedemptions)
	web.Write(api, op(http.MethodPost, "/redemptions/{id}/cancel", "Undo an exchange that was not fulfilled", http.StatusForbidden, http.StatusNotFound, http.StatusConflict), h.cancelRedemption)
}

func (h *handler) getMall(ctx context.Context, _ *web.None) (*web.Out[mallList], error) {
	offers, err := h.Mall.Offers(ctx, web.MemberID(ctx), h.Clock.Now())
	if err != nil {
		return nil, err
	}
	out := mallList{Stamped: web.Stamp(h.Clock), List: web.List[MallItem]{Items: make([]MallItem, len(offers))}}
	for i, o := range offers {
		out.Items[i] = MallItem{
			ID: web.IDOf(o.ID), Code: o.Code, Name: o.Name, Text: o.Text, Picture: o.Picture, Kind: o.Kind, Account: o.Account, Price: o.Price, Left: o.Left(),
			PerMember: o.PerMember, Mine: o.Mine, OpensAt: web.AtPtr(o.OpensAt), ClosesAt: web.AtPtr(o.ClosesAt), CanRedeem: o.Why == nil, Why: web.WhyOf(ctx, o.Why),
		}
	}
	return &web.Out[mallList]{Body: out}, nil
}

func redemption(r *mall.Redeemed) Redemption {
	return Redemption{
		ID: web.IDOf(r.ID), ItemID: web.IDOf(r.ItemID), Name: r.Item.Name, State: r.State, Account: r.Account, Price: r.Price, At: web.At(r.At), EndedAt: web.AtPtr(r.EndedAt),
	}
}

func (h *handler) redeemedOut(ctx context.Context, r *mall.Redeemed, err error) (*web.Out[redeemed], error) {
	if err != nil {
		return nil, err
	}
	out := redeemed{Stamped: web.Stamp(h.Clock), Redemption: redemption(r), Balance: r.Balance, Grants: grants(ctx, r.Grants)}
	if r.Coupon != nil {
		v := web.HeldOf(web.Lang(ctx), r.Coupon, web.At(h.Clock.Now()))
		out.Coupon = &v
	}
	return &web.Out[redeemed]{Body: out}, nil
}

func (h *handler) postRedemption(ctx context.Context, in *claimIn) (*web.Out[redeemed], error) {
	r, err := h.Mall.Redeem(ctx, web.MemberID(ctx), in.ID.Int(), h.Clock.Now())
	return h.redeemedOut(ctx, r, err)
}

func (h *handler) cancelRedemption(ctx context.Context, in *claimIn) (*web.Out[redeemed], error) {
	r, err := h.Mall.Cancel(ctx, web.MemberID(ctx), in.ID.Int())
	return h.redeemedOut(ctx, r, err)
}

type redemptionsIn struct{ web.Paging }

func (h *handler) getRedemptions(ctx context.Context, in *redemptionsIn) (*web.Out[redemptionList], error) {
	var before int64
	if _, err := in.Position(&before); err != nil {
		return nil, err
	}
	rows, err := h.Mall.Redemptions(ctx, mall.Query{MemberID: web.MemberID(ctx), Before: before, Limit: in.Limit + 1})
	list := web.ListOf(rows, in.Limit, func(r mall.Redeemed) Redemption { return redemption(&r) }, func(r mall.Redeemed) []any { return []any{r.ID} })
	return &web.Out[redemptionList]{Body: redemptionList{Stamped: web.Stamp(h.Clock), List: list}}, err
}
