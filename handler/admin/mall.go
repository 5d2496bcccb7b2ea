package admin

import (
	"context"
	"net/http"

	"github.com/siyu-scrm/siyu/app/mall"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

// MallItem is something that points are exchanged for.
type MallItem struct {
	ID web.ID `json:"id"`
	MallItemBody
	Taken     int64    `json:"taken" doc:"Redeemed and not cancelled"`
	Left      *int64   `json:"left" doc:"Of the stock; null: unlimited"`
	CreatedAt web.Time `json:"created_at"`
	UpdatedAt web.Time `json:"updated_at"`
}

// MallItemBody is an item as an operator writes it.
type MallItemBody struct {
	Code      string     `json:"code,omitempty" maxLength:"64" example:"tea" doc:"Required for a new one; it stays."`
	Name      string     `json:"name" minLength:"1" maxLength:"32" example:"春茶一盒"`
	Text      string     `json:"text,omitempty" maxLength:"500"`
	Picture   string     `json:"picture,omitempty" maxLength:"512" example:"https://img.example.com/tea.png"`
	Kind      string     `json:"kind" enum:"goods,coupon" example:"goods"`
	CouponID  OptionalID `json:"coupon_id,omitempty" doc:"coupon: which it gives"`
	Account   string     `json:"account,omitempty" maxLength:"32" example:"points" doc:"points if absent"`
	Price     int64      `json:"price" minimum:"0" example:"120"`
	Stock     *int64     `json:"stock,omitempty" minimum:"0" doc:"How many there ever are, with those that are taken; unlimited if absent. To refill it, raise it."`
	PerMember int        `json:"per_member,omitempty" minimum:"0" maximum:"1000" example:"1" doc:"In each monthly window, or in a lifetime where there is none; 0: no limit"`
	MonthDay  int        `json:"month_day,omitempty" minimum:"0" maximum:"31" example:"20" doc:"Open from this day of each month to its end, the last day where a month is shorter; 0: always"`
	MonthTime string     `json:"month_time,omitempty" maxLength:"5" example:"10:00" doc:"Of that day; midnight if absent"`
	Terms     Terms      `json:"terms,omitempty"`
	Position  int        `json:"position,omitempty" minimum:"-1000" maximum:"1000" doc:"The lowest first"`
	Enabled   *bool      `json:"enabled,omitempty" doc:"true if absent"`
}

type mallIn struct{ Body MallItemBody }

type mallPut struct {
	ID   web.ID `path:"id"`
	Body MallItemBody
}

type redemptionsIn struct {
	web.Paging
	MemberID OptionalID `query:"member_id"`
	ItemID   OptionalID `query:"item_id"`
	State    string     `query:"state" enum:"open,fulfilled,cancelled"`
}

// Redemption is what a member exchanged points for.
type Redemption struct {
	ID       web.ID    `json:"id"`
	ItemID   web.ID    `json:"item_id"`
	Item     string    `json:"item" example:"春茶一盒"`
	MemberID web.ID    `json:"member_id"`
	State    string    `json:"state" enum:"open,fulfilled,cancelled" example:"open"`
	Account  string    `json:"account" example:"points"`
	Price    int64     `json:"price" example:"120"`
	EntryID  web.ID    `json:"entry_id" doc:"The line that paid; 0: none"`
	At       web.Time  `json:"at"`
	EndedAt  *web.Time `json:"ended_at"`
}

func (h *handler) mall(api *web.API) {
	body := map[string]any{"code": "tea", "name": "春茶一盒", "kind": "goods", "account": "points", "price": 120, "stock": 50, "per_member": 1}
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/mall", "The items of the mall"), h.getMall)
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/mall/{id}", "One item", http.StatusNotFound), h.getMallItem)
	web.Write(api, example(post(operator.ProgrammeWrite, "/mall", "Make an item", http.StatusConflict), body), h.postMallItem)
	web.Write(api, example(op(operator.ProgrammeWrite, http.MethodPut, "/mall/{id}", "Change an item", http.StatusNotFound), body), h.putMallItem)
	web.Read(api, op(operator.MembersRead, http.MethodGet, "/redemptions", "What members exchanged, newest first"), h.getRedemptions)
	o := op(operator.MembersWrite, http.MethodPost, "/redemptions/{id}/cancel", "Undo one that was not fulfilled", http.StatusNotFound, http.StatusConflict)
	o.Description = "The points go back to their lots, the thing to the stock; its coupon, which must be unused, is revoked."
	web.Write(api, o, h.cancelRedemption)
	web.Write(api, op(operator.MembersWrite, http.MethodPost, "/redemptions/{id}/fulfil", "Note that it was handed over", http.StatusNotFound, http.StatusConflict), h.fulfilRedemption)
}

func mallView(i mall.Item) MallItem {
	return MallItem{ID: web.IDOf(i.ID), Taken: i.Taken, Left: i.Left(), CreatedAt: web.At(i.CreatedAt), UpdatedAt: web.At(i.UpdatedAt), MallItemBody: MallItemBody{
		Code: i.Code, Name: i.Name, Text: i.Text, Picture: i.Picture, Kind: i.Kind, CouponID: optionalID(i.CouponID), Account: i.Account, Price: i.Price, Stock: i.Stock,
		PerMember: i.PerMember, MonthDay: i.MonthDay, MonthTime: i.MonthTime, Terms: termsView(i.Terms), Position: i.Position, Enabled: &i.Enabled,
	}}
}

func (h *handler) mallOf(id int64, b MallItemBody) (i mall.Item, err error) {
	i.MallItem = model.MallItem{
		ID: id, Code: b.Code, Name: b.Name, Text: b.Text, Picture: b.Picture, Kind: b.Kind, Account: or(b.Account, model.AccountPoints), Price: b.Price, Stock: b.Stock,
		PerMember: b.PerMember, MonthDay: b.MonthDay, MonthTime: b.MonthTime, Position: b.Position, Enabled: on(b.Enabled),
	}
	if i.CouponID, err = ref("coupon_id", b.CouponID); err != nil {
		return i, err
	}
	i.Terms, err = h.termsOf(b.Terms)
	return i, err
}

func (h *handler) getMall(ctx context.Context, _ *web.None) (*web.Out[web.List[MallItem]], error) {
	rows, err := h.Mall.List(ctx)
	return listed(rows, mallView), err
}

func (h *handler) getMallItem(ctx context.Context, in *byID) (*web.Out[MallItem], error) {
	i, err := h.Mall.Get(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	return &web.Out[MallItem]{Body: mallView(*i)}, nil
}

func (h *handler) postMallItem(ctx context.Context, in *mallIn) (*web.Out[MallItem], error) {
	return h.saveMallItem(ctx, "mall.create", 0, nil, in.Body)
}

func (h *handler) putMallItem(ctx context.Context, in *mallPut) (*web.Out[MallItem], error) {
	old, err := h.getMallItem(ctx, &byID{ID: in.ID})
	if err != nil {
		return nil, err
	}
	return h.saveMallItem(ctx, "mall.update", in.ID.Int(), old.Body, in.Body)
}

func (h *handler) saveMallItem(ctx context.Context, action string, id int64, before any, b MallItemBody) (*web.Out[MallItem], error) {
	i, err := h.mallOf(id, b)
	if err != nil {
		return nil, err
	}
	ctx = audited(ctx, h, action, before, func(i mall.Item) (string, any) { return object("mall", i.ID), mallView(i) })
	saved, err := h.Mall.Save(ctx, i)
	if err != nil {
		return nil, err
	}
	return &web.Out[MallItem]{Body: mallView(*saved)}, nil
}

func redemptionView(r mall.Redeemed) Redemption {
	return Redemption{
		ID: web.IDOf(r.ID), ItemID: web.IDOf(r.ItemID), Item: r.Item.Name, MemberID: web.IDOf(r.MemberID), State: r.State, Account: r.Account, Price: r.Price,
		EntryID: web.IDOf(r.EntryID), At: web.At(r.At), EndedAt: web.AtPtr(r.EndedAt),
	}
}

func (h *handler) getRedemptions(ctx context.Context, in *redemptionsIn) (*web.Out[web.List[Redemption]], error) {
	q := mall.Query{State: in.State, Limit: in.Limit + 1}
	var err error
	if q.Before, err = after(in.Paging); err != nil {
		return nil, err
	}
	if q.MemberID, err = ref("member_id", in.MemberID); err != nil {
		return nil, err
	}
	if q.ItemID, err = ref("item_id", in.ItemID); err != nil {
		return nil, err
	}
	rows, err := h.Mall.Redemptions(ctx, q)
	return &web.Out[web.List[Redemption]]{Body: web.ListOf(rows, in.Limit, redemptionView, func(r mall.Redeemed) []any { return []any{r.ID} })}, err
}

func (h *handler) cancelRedemption(ctx context.Context, in *byID) (*web.Out[Redemption], error) {
	return h.endRedemption(ctx, "redemption.cancel", func(ctx context.Context) (*mall.Redeemed, error) { return h.Mall.Cancel(ctx, 0, in.ID.Int()) })
}

func (h *handler) fulfilRedemption(ctx context.Context, in *byID) (*web.Out[Redemption], error) {
	return h.endRedemption(ctx, "redemption.fulfil", func(ctx context.Context) (*mall.Redeemed, error) { return h.Mall.Fulfil(ctx, in.ID.Int()) })
}

func (h *handler) endRedemption(ctx context.Context, action string, do func(context.Context) (*mall.Redeemed, error)) (*web.Out[Redemption], error) {
	ctx = audited(ctx, h, action, map[string]any{"state": model.RedemptionOpen}, func(r mall.Redeemed) (string, any) { return object("redemption", r.ID), redemptionView(r) })
	r, err := do(ctx)
	if err != nil {
		return nil, err
	}
	return &web.Out[Redemption]{Body: redemptionView(*r)}, nil
}
