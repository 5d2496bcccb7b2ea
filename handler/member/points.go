package member

import (
	"context"
	"net/http"
	"strings"

	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

// Account is what the member holds in one account.
type Account struct {
	Account      string    `json:"account" example:"points"`
	Name         string    `json:"name" example:"积分"`
	Spendable    bool      `json:"spendable"`
	Balance      int64     `json:"balance" example:"105" doc:"Usable now; below zero it is a debt."`
	Pending      int64     `json:"pending" doc:"Earned and not usable yet"`
	Lifetime     int64     `json:"lifetime" example:"105" doc:"Ever earned and not taken back"`
	ExpiringSoon int64     `json:"expiring_soon" doc:"Of the balance, what expires within 30 days"`
	NextExpiry   *web.Time `json:"next_expiry" doc:"The first instant of that"`
}

type points struct {
	web.Stamped
	Balance  int64     `json:"balance" example:"105" doc:"Of points"`
	Accounts []Account `json:"accounts"`
}

type entriesIn struct {
	web.Paging
	Account string `query:"account" maxLength:"32" example:"points" doc:"All accounts if absent"`
}

// Entry is one line of the ledger.
type Entry struct {
	ID           web.ID   `json:"id"`
	Account      string   `json:"account" example:"points"`
	Bucket       string   `json:"bucket" example:"available" doc:"available, or pending for what is not usable yet"`
	Delta        int64    `json:"delta" example:"5"`
	BalanceAfter int64    `json:"balance_after" example:"105" doc:"Of the bucket"`
	Kind         string   `json:"kind" example:"earn" doc:"earn, spend, expire, activate, reverse, merge_in, merge_out"`
	Reason       string   `json:"reason" example:"签到" doc:"Why, ready to show"`
	Note         string   `json:"note,omitempty" example:"DAILY_CAP" doc:"What cut the amount"`
	Bonus        bool     `json:"bonus"`
	Rule         *Rule    `json:"rule"`
	OccurredAt   web.Time `json:"occurred_at"`
}

type entries struct {
	web.Stamped
	web.List[Entry]
}

func (h *handler) points(api *web.API) {
	web.Read(api, op(http.MethodGet, "/points", "What I hold, in every account"), h.getPoints)
	web.Read(api, op(http.MethodGet, "/points/entries", "The lines of my ledger, newest first"), h.getEntries)
}

func (h *handler) getPoints(ctx context.Context, _ *web.None) (*web.Out[points], error) {
	views, err := h.Book.Balances(ctx, web.MemberID(ctx))
	if err != nil {
		return nil, err
	}
	return &web.Out[points]{Body: points{Stamped: web.Stamp(h.Clock), Balance: balance(views), Accounts: accounts(ctx, views)}}, nil
}

func balance(views []ledger.View) int64 {
	for _, v := range views {
		if v.Account == model.AccountPoints {
			return v.Available
		}
	}
	return 0
}

func accounts(ctx context.Context, views []ledger.View) []Account {
	shown := make([]Account, len(views))
	for i, v := range views {
		shown[i] = Account{
			Account: v.Account, Name: ledger.NameOf(web.Lang(ctx), v.Account, v.Name), Spendable: v.Spendable, Balance: v.Available,
			Pending: v.Pending, Lifetime: v.Lifetime, ExpiringSoon: v.ExpiringSoon, NextExpiry: web.AtPtr(v.NextExpiry),
		}
	}
	return shown
}

func (h *handler) getEntries(ctx context.Context, in *entriesIn) (*web.Out[entries], error) {
	rows, next, err := h.Book.Entries(ctx, web.MemberID(ctx), in.Account, in.Cursor, in.Limit)
	if err != nil {
		return nil, err
	}
	names, err := h.Rewards.Names(ctx)
	if err != nil {
		return nil, err
	}
	out := entries{Stamped: web.Stamp(h.Clock), List: web.List[Entry]{Items: make([]Entry, len(rows)), Next: next}}
	for i := range rows {
		out.Items[i] = entry(web.Lang(ctx), &rows[i], names)
	}
	return &web.Out[entries]{Body: out}, nil
}

func entry(lang string, e *model.Entry, names map[int64]string) Entry {
	v := Entry{
		ID: web.IDOf(e.ID), Account: e.Account, Bucket: e.Bucket, Delta: e.Delta, BalanceAfter: e.Balance, Kind: e.Kind,
		Reason: reason(lang, e.Reason), Note: e.Note, Bonus: e.Bonus, OccurredAt: web.At(e.OccurredAt),
	}
	if e.RuleID != 0 {
		v.Rule = &Rule{ID: web.IDOf(e.RuleID), Name: names[e.RuleID]}
	}
	return v
}

// reason says the reason code of a line: what a rule rewarded, or another cause.
func reason(lang, code string) string {
	if kind, ok := strings.CutPrefix(code, "rule."); ok {
		return event.KindName(lang, kind)
	}
	if key := "handlers.reason." + code; templates.Has(key) {
		return templates.T(lang, key, nil)
	}
	return code
}
