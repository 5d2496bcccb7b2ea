package member

import (
	"context"
	"net/http"

	"github.com/siyu-scrm/siyu/app/tier"
	"github.com/siyu-scrm/siyu/handler/web"
)

// Tier is a tier of the programme.
type Tier struct {
	ID        web.ID `json:"id"`
	Name      string `json:"name" example:"黄金"`
	Threshold int64  `json:"threshold" example:"1000"`
}

// NextTier is the tier above the member's.
type NextTier struct {
	ID        web.ID `json:"id"`
	Name      string `json:"name" example:"白金"`
	Threshold int64  `json:"threshold" example:"3000"`
	Gap       int64  `json:"gap" example:"120" doc:"What is missing"`
}

type tierOut struct {
	web.Stamped
	Account  string    `json:"account,omitempty" example:"growth" doc:"What counts; absent: the programme has no tiers"`
	Value    int64     `json:"value" example:"2880"`
	Tier     *Tier     `json:"tier" doc:"null: none yet"`
	Since    *web.Time `json:"since"`
	Next     *NextTier `json:"next_tier" doc:"null: there is no higher one"`
	ReviewAt *web.Time `json:"review_at" doc:"When it is looked at whether the tier is kept; null: never"`
	KeepGap  int64     `json:"keep_gap" doc:"What is missing to keep it then"`
	Tiers    []Tier    `json:"tiers" doc:"All of them, the lowest first"`
}

func (h *handler) tiers(api *web.API) {
	web.Read(api, op(http.MethodGet, "/tier", "My tier and the gap to the next"), h.getTier)
}

func (h *handler) getTier(ctx context.Context, _ *web.None) (*web.Out[tierOut], error) {
	out := tierOut{Stamped: web.Stamp(h.Clock), Tiers: []Tier{}}
	v, err := h.Tiers.Of(ctx, web.MemberID(ctx))
	if err != nil || v == nil {
		return &web.Out[tierOut]{Body: out}, err
	}
	l, err := h.Tiers.Ladder(ctx)
	if err != nil {
		return nil, err
	}
	for i := range l.Tiers {
		out.Tiers = append(out.Tiers, *tierView(&l.Tiers[i]))
	}
	out.Account, out.Value, out.Tier, out.Since, out.Next = v.Account, v.Value, tierView(v.Tier), web.AtPtr(v.Since), nextTier(v)
	out.ReviewAt, out.KeepGap = web.AtPtr(v.ReviewAt), v.Short
	return &web.Out[tierOut]{Body: out}, nil
}

func tierView(t *tier.Tier) *Tier {
	if t == nil {
		return nil
	}
	return &Tier{web.IDOf(t.ID), t.Name, t.Threshold}
}

func nextTier(v *tier.View) *NextTier {
	if v == nil || v.Next == nil {
		return nil
	}
	return &NextTier{web.IDOf(v.Next.ID), v.Next.Name, v.Next.Threshold, v.Gap}
}
