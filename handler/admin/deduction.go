package admin

import (
	"context"
	"net/http"

	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

// Deduction says what points pay in an order.
type Deduction struct {
	Enabled     bool  `json:"enabled"`
	Points      int64 `json:"points" minimum:"1" maximum:"1000000" example:"100" doc:"So many points"`
	Fen         int64 `json:"fen" minimum:"1" maximum:"1000000" example:"100" doc:"pay so many fen; whole units only."`
	MaxPercent  int   `json:"max_percent" minimum:"1" maximum:"100" example:"50" doc:"Of the goods, at most"`
	HoldMinutes int   `json:"hold_minutes" minimum:"1" maximum:"10080" example:"30" doc:"How long an unpaid order keeps its points"`
}

type deductionIn struct{ Body Deduction }

// ConversionRule says how an account is converted into another.
type ConversionRule struct {
	From    string `json:"from" minLength:"1" maxLength:"32" example:"growth"`
	To      string `json:"to" minLength:"1" maxLength:"32" example:"points"`
	Units   int64  `json:"units" minimum:"1" maximum:"1000000" example:"10" doc:"So many of from"`
	Amount  int64  `json:"amount" minimum:"1" maximum:"1000000" example:"1" doc:"make so many of to; whole batches only."`
	Mode    string `json:"mode" enum:"consume,keep" example:"keep" doc:"consume: the units leave the balance, not the lifetime; keep: they stay. In both a unit converts once."`
	Enabled bool   `json:"enabled" example:"true"`
}

type conversionIn struct{ Body ConversionRule }

func (h *handler) deductions(api *web.API) {
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/deduction", "What points pay in an order"), h.getDeduction)
	web.Write(api, op(operator.Settings, http.MethodPut, "/deduction", "Change what points pay in an order"), h.putDeduction)
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/conversions", "How accounts are converted into others"), h.getConversions)
	web.Write(api, op(operator.Settings, http.MethodPut, "/conversions", "Set how one account is converted into another"), h.putConversion)
}

func deductionView(s *model.DeductionSettings) Deduction {
	return Deduction{s.Enabled, s.Points, s.Fen, s.MaxPercent, s.HoldMinutes}
}

func (h *handler) getDeduction(ctx context.Context, _ *web.None) (*web.Out[Deduction], error) {
	s, err := h.Deduction.Settings(ctx)
	if err != nil {
		return nil, err
	}
	return &web.Out[Deduction]{Body: deductionView(s)}, nil
}

func (h *handler) putDeduction(ctx context.Context, in *deductionIn) (*web.Out[Deduction], error) {
	old, err := h.Deduction.Settings(ctx)
	if err != nil {
		return nil, err
	}
	b := in.Body
	ctx = audited(ctx, h, "deduction.settings", deductionView(old), func(s model.DeductionSettings) (string, any) { return "deduction:settings", deductionView(&s) })
	s, err := h.Deduction.Save(ctx, model.DeductionSettings{Enabled: b.Enabled, Points: b.Points, Fen: b.Fen, MaxPercent: b.MaxPercent, HoldMinutes: b.HoldMinutes})
	if err != nil {
		return nil, err
	}
	return &web.Out[Deduction]{Body: deductionView(s)}, nil
}

func conversionView(r model.ConversionRule) ConversionRule {
	return ConversionRule{r.FromAccount, r.ToAccount, r.Units, r.Amount, r.Mode, r.Enabled}
}

func (h *handler) getConversions(ctx context.Context, _ *web.None) (*web.Out[web.List[ConversionRule]], error) {
	rows, err := h.Book.Conversions(ctx)
	if err != nil {
		return nil, err
	}
	out := web.List[ConversionRule]{Items: make([]ConversionRule, len(rows))}
	for i, r := range rows {
		out.Items[i] = conversionView(r)
	}
	return &web.Out[web.List[ConversionRule]]{Body: out}, nil
}

func (h *handler) putConversion(ctx context.Context, in *conversionIn) (*web.Out[ConversionRule], error) {
	b := in.Body
	rules, err := h.Book.Conversions(ctx)
	if err != nil {
		return nil, err
	}
	before := ConversionRule{From: b.From, To: b.To}
	for _, r := range rules {
		if r.FromAccount == b.From && r.ToAccount == b.To {
			before = conversionView(r)
		}
	}
	ctx = audited(ctx, h, "conversion.save", before, func(r model.ConversionRule) (string, any) { return object("conversion", r.ID), conversionView(r) })
	r, err := h.Book.SaveConversion(ctx, model.ConversionRule{FromAccount: b.From, ToAccount: b.To, Units: b.Units, Amount: b.Amount, Mode: b.Mode, Enabled: b.Enabled})
	if err != nil {
		return nil, err
	}
	return &web.Out[ConversionRule]{Body: conversionView(*r)}, nil
}
