package admin

import (
	"context"
	"maps"
	"slices"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

// Period is the days of a report.
type Period struct {
	From string `query:"from" maxLength:"10" example:"2026-11-01" doc:"A day; 29 days before to if absent"`
	To   string `query:"to" maxLength:"10" example:"2026-11-30" doc:"A day; today if absent. At most 366 days"`
}

type liabilityIn struct {
	Period
	Account string `query:"account" maxLength:"32" doc:"All accounts if absent"`
}

// Flow is what changed of an account: issued - spent - expired - reversed.
type Flow struct {
	Issued      int64 `json:"issued" example:"1200"`
	Spent       int64 `json:"spent" example:"300" doc:"Less what came back; what is held counts once it is committed"`
	Expired     int64 `json:"expired"`
	Reversed    int64 `json:"reversed" doc:"Earnings taken back"`
	Outstanding int64 `json:"outstanding" example:"900" doc:"Afterwards, with what is held; pending amounts are not owed yet"`
}

// LiabilityAccount is an account over the days.
type LiabilityAccount struct {
	Account string `json:"account" example:"points"`
	Opening int64  `json:"opening" doc:"Outstanding before the first day"`
	Flow
}

// LiabilityLine is the part of a day that stems from a rule.
type LiabilityLine struct {
	Day     string `json:"day" example:"2026-11-23"`
	Account string `json:"account" example:"points"`
	RuleID  web.ID `json:"rule_id" doc:"What was spent or expired counts for the rule that granted it; 0: no rule, and debt"`
	Rule    string `json:"rule" example:"每日签到"`
	Flow
}

type liabilityOut struct {
	From     string             `json:"from"`
	To       string             `json:"to"`
	Accounts []LiabilityAccount `json:"accounts"`
	Items    []LiabilityLine    `json:"items" doc:"By day, account and rule; a day without a change has none"`
}

func (h *handler) getLiability(ctx context.Context, in *liabilityIn) (*web.Out[liabilityOut], error) {
	from, to, err := h.days(in.Period)
	if err != nil {
		return nil, err
	}
	report, err := h.Book.Liability(ctx, from, to, in.Account)
	if err != nil {
		return nil, err
	}
	names, err := h.Rewards.Names(ctx)
	if err != nil {
		return nil, err
	}
	out := liabilityOut{From: string(from), To: string(to), Accounts: []LiabilityAccount{}, Items: make([]LiabilityLine, len(report.Lines))}
	for _, code := range slices.Sorted(maps.Keys(report.Totals)) {
		out.Accounts = append(out.Accounts, LiabilityAccount{code, report.Opening[code], flow(report.Totals[code])})
	}
	for i, l := range report.Lines {
		out.Items[i] = LiabilityLine{string(l.Day), l.Account, web.IDOf(l.RuleID), names[l.RuleID], flow(l.Flow)}
	}
	return &web.Out[liabilityOut]{Body: out}, nil
}

func flow(f ledger.Flow) Flow { return Flow(f) }

// days are those that are asked for.
func (h *handler) days(in Period) (from, to model.Day, err error) {
	to = h.Zone.DayOf(h.Clock.Now())
	if in.To != "" {
		if to, err = model.ParseDay(in.To); err != nil {
			return "", "", errs.Field("to", "ledger.expiry_on")
		}
	}
	from = to.Add(-29)
	if in.From != "" {
		if from, err = model.ParseDay(in.From); err != nil {
			return "", "", errs.Field("from", "ledger.expiry_on")
		}
	}
	return from, to, nil
}
