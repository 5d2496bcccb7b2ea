package member

import (
	"context"
	"net/http"

	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/handler/web"
)

type deductionIn struct {
	AmountFen int64 `query:"amount_fen" required:"true" minimum:"0" example:"6000" doc:"Goods after member price and coupon, without shipping"`
}

type deductionOut struct {
	web.Stamped
	Enabled    bool  `json:"enabled"`
	Balance    int64 `json:"balance" example:"381"`
	Points     int64 `json:"points" example:"300" doc:"Deductible from this order"`
	Fen        int64 `json:"fen" example:"300" doc:"What they pay"`
	MaxPoints  int64 `json:"max_points" example:"3000" doc:"The limit of the order, whatever the balance"`
	UnitPoints int64 `json:"unit_points" example:"100" doc:"So many points"`
	UnitFen    int64 `json:"unit_fen" example:"100" doc:"pay so many fen; whole units only."`
	MaxPercent int   `json:"max_percent" example:"50" doc:"Of the goods"`
}

// Conversion is a way to turn one account into another.
type Conversion struct {
	From   string `json:"from" example:"growth"`
	To     string `json:"to" example:"points"`
	Units  int64  `json:"units" example:"10" doc:"So many of from"`
	Amount int64  `json:"amount" example:"1" doc:"make so many of to; whole batches only."`
	Keeps  bool   `json:"keeps" doc:"true: the balance of from stays; a unit converts once all the same"`
	Max    int64  `json:"max" example:"980" doc:"Units that I can convert now"`
}

type convertIn struct {
	Body struct {
		From  string `json:"from" maxLength:"32" example:"growth"`
		To    string `json:"to" maxLength:"32" example:"points"`
		Units int64  `json:"units,omitempty" minimum:"0" example:"10" doc:"As many as there are if absent"`
	}
}

type converted struct {
	web.Stamped
	From     string    `json:"from" example:"growth"`
	To       string    `json:"to" example:"points"`
	Units    int64     `json:"units" example:"980"`
	Amount   int64     `json:"amount" example:"98"`
	Accounts []Account `json:"accounts" doc:"What I hold now"`
}

func (h *handler) deductions(api *web.API) {
	web.Read(api, op(http.MethodGet, "/deduction", "How many points an order takes, and what they pay"), h.getDeduction)
	web.Read(api, op(http.MethodGet, "/conversions", "What I can convert, and into what"), h.getConversions)
	o := op(http.MethodPost, "/conversions", "Convert: growth into points, say", http.StatusNotFound, http.StatusConflict)
	o.DefaultStatus = http.StatusCreated
	web.Write(api, o, h.postConversion)
}

func (h *handler) getDeduction(ctx context.Context, in *deductionIn) (*web.Out[deductionOut], error) {
	q, err := h.Deduction.Quote(ctx, web.MemberID(ctx), in.AmountFen)
	if err != nil {
		return nil, err
	}
	return &web.Out[deductionOut]{Body: deductionOut{
		Stamped: web.Stamp(h.Clock), Enabled: q.Enabled, Balance: q.Balance, Points: q.Points, Fen: q.Fen, MaxPoints: q.MaxPoints,
		UnitPoints: q.DeductionSettings.Points, UnitFen: q.DeductionSettings.Fen, MaxPercent: q.MaxPercent,
	}}, nil
}

func (h *handler) getConversions(ctx context.Context, _ *web.None) (*web.Out[web.List[Conversion]], error) {
	rows, err := h.Book.Convertible(ctx, web.MemberID(ctx))
	if err != nil {
		return nil, err
	}
	out := web.List[Conversion]{Items: make([]Conversion, len(rows))}
	for i, r := range rows {
		out.Items[i] = Conversion{r.FromAccount, r.ToAccount, r.Units, r.Amount, r.Mode == "keep", r.Max}
	}
	return &web.Out[web.List[Conversion]]{Body: out}, nil
}

func (h *handler) postConversion(ctx context.Context, in *convertIn) (*web.Out[converted], error) {
	c, err := h.Book.Convert(ctx, ledger.Convert{MemberID: web.MemberID(ctx), From: in.Body.From, To: in.Body.To, Units: in.Body.Units})
	if err != nil {
		return nil, err
	}
	views, err := h.Book.Balances(ctx, web.MemberID(ctx))
	if err != nil {
		return nil, err
	}
	return &web.Out[converted]{Body: converted{
		Stamped: web.Stamp(h.Clock), From: c.FromAccount, To: c.ToAccount, Units: c.Units, Amount: c.Amount, Accounts: accounts(ctx, views),
	}}, nil
}
