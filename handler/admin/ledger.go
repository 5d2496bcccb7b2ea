package admin

import (
	"context"
	"net/http"
	"strings"

	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

// Holding is what a member holds in one account.
type Holding struct {
	Account      string    `json:"account" example:"points"`
	Name         string    `json:"name" example:"积分"`
	Balance      int64     `json:"balance" example:"105" doc:"Usable now; below zero it is a debt."`
	Pending      int64     `json:"pending"`
	Lifetime     int64     `json:"lifetime"`
	ExpiringSoon int64     `json:"expiring_soon" doc:"Within 30 days"`
	NextExpiry   *web.Time `json:"next_expiry"`
}

func holdings(ctx context.Context, views []ledger.View) []Holding {
	out := make([]Holding, len(views))
	for i, v := range views {
		out[i] = Holding{v.Account, ledger.NameOf(web.Lang(ctx), v.Account, v.Name), v.Available, v.Pending, v.Lifetime, v.ExpiringSoon, web.AtPtr(v.NextExpiry)}
	}
	return out
}

// Entry is one line of the ledger.
type Entry struct {
	ID           web.ID   `json:"id"`
	Account      string   `json:"account" example:"points"`
	Bucket       string   `json:"bucket" example:"available"`
	Delta        int64    `json:"delta" example:"5"`
	BalanceAfter int64    `json:"balance_after" example:"105"`
	Kind         string   `json:"kind" example:"earn"`
	ReasonCode   string   `json:"reason_code" example:"rule.checkin.done"`
	Reason       string   `json:"reason" example:"签到"`
	Note         string   `json:"note" example:"DAILY_CAP"`
	Memo         string   `json:"memo" doc:"Of who did it by hand"`
	Actor        string   `json:"actor" example:"operator:1"`
	Bonus        bool     `json:"bonus"`
	RuleID       web.ID   `json:"rule_id" doc:"0: none"`
	RuleVersion  int      `json:"rule_version"`
	Rule         string   `json:"rule" example:"每日签到"`
	EventID      web.ID   `json:"event_id" doc:"0: none"`
	ReversesID   web.ID   `json:"reverses_id" doc:"0: none"`
	OccurredAt   web.Time `json:"occurred_at"`
	RecordedAt   web.Time `json:"recorded_at"`
}

func entry(lang string, e *model.Entry, names map[int64]string) Entry {
	return Entry{
		ID: web.IDOf(e.ID), Account: e.Account, Bucket: e.Bucket, Delta: e.Delta, BalanceAfter: e.Balance, Kind: e.Kind, ReasonCode: e.Reason,
		Reason: reason(lang, e.Reason), Note: e.Note, Memo: e.Memo, Actor: e.Actor, Bonus: e.Bonus, RuleID: web.IDOf(e.RuleID),
		RuleVersion: e.RuleVersion, Rule: names[e.RuleID], EventID: web.IDOf(e.EventID), ReversesID: web.IDOf(e.ReversesID),
		OccurredAt: web.At(e.OccurredAt), RecordedAt: web.At(e.RecordedAt),
	}
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

type entriesIn struct {
	ID web.ID `path:"id"`
	web.Paging
	Account string `query:"account" maxLength:"32" doc:"All accounts if absent"`
}

func (h *handler) getEntries(ctx context.Context, in *entriesIn) (*web.Out[web.List[Entry]], error) {
	m, err := h.Members.Get(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	rows, next, err := h.Book.Entries(ctx, m.ID, in.Account, in.Cursor, in.Limit)
	if err != nil {
		return nil, err
	}
	names, err := h.Rewards.Names(ctx)
	if err != nil {
		return nil, err
	}
	out := web.List[Entry]{Items: make([]Entry, len(rows)), Next: next}
	for i := range rows {
		out.Items[i] = entry(web.Lang(ctx), &rows[i], names)
	}
	return &web.Out[web.List[Entry]]{Body: out}, nil
}

type adjustmentIn struct {
	ID   web.ID `path:"id"`
	Body struct {
		Account   string    `json:"account" minLength:"1" maxLength:"32" example:"points"`
		Amount    int64     `json:"amount" example:"100" doc:"Above 0 gives, below 0 takes; at most a million either way."`
		Memo      string    `json:"memo" minLength:"1" maxLength:"255" example:"apology for a late parcel"`
		ExpiresAt *web.Time `json:"expires_at,omitempty" doc:"Of what is given; by the account's policy if absent."`
		AllowDebt bool      `json:"allow_debt,omitempty" doc:"Take more than there is"`
	}
}

// Adjusted is the line of an adjustment, or the request that waits for a second operator; then the line is empty.
type Adjusted struct {
	Entry
	Request *GrantRequest `json:"request" doc:"null unless the amount is above the account's manual_limit"`
}

type adjusted struct {
	Status int
	Body   Adjusted
}

func (h *handler) postAdjustment(ctx context.Context, in *adjustmentIn) (*adjusted, error) {
	m, err := h.Members.Get(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	b := in.Body
	expires, err := instant("expires_at", b.ExpiresAt)
	if err != nil {
		return nil, err
	}
	lang := web.Lang(ctx)
	ctx = h.Operators.Audited(ctx, web.Actor(ctx), "member.adjust", func(answer any) operator.Change {
		g, _ := answer.(*ledger.Granted)
		if g.Request != nil {
			return operator.Change{Object: object("member", m.ID), Before: map[string]any{"account": b.Account}, After: grantRequest(*g.Request)}
		}
		return operator.Change{
			Object: object("member", m.ID), Before: map[string]any{"account": g.Account, "balance": g.Balance - g.Delta}, After: entry(lang, g.Entry, nil),
		}
	})
	g, err := h.Book.Grant(ctx, ledger.Manual{
		MemberID: m.ID, Account: b.Account, Amount: b.Amount, Memo: b.Memo, Actor: web.Actor(ctx), ExpiresAt: expires, AllowDebt: b.AllowDebt,
	})
	if err != nil {
		return nil, err
	}
	if g.Request != nil {
		r := grantRequest(*g.Request)
		return &adjusted{http.StatusAccepted, Adjusted{Entry: Entry{Account: b.Account}, Request: &r}}, nil
	}
	return &adjusted{http.StatusCreated, Adjusted{Entry: entry(lang, g.Entry, nil)}}, nil
}

// Verified is what re-deriving the ledger from its entries saw.
type Verified struct {
	Members    int64                   `json:"members"`
	Entries    int64                   `json:"entries"`
	Lots       int64                   `json:"lots"`
	Accounts   map[string]AccountTotal `json:"accounts"`
	Mismatches int64                   `json:"mismatches" doc:"0: every row follows from the entries"`
	First      []string                `json:"first" doc:"The first hundred mismatches"`
}

// AccountTotal is one account over all members: issued - spent - expired - reversed = available + held.
type AccountTotal struct {
	Issued    int64 `json:"issued"`
	Spent     int64 `json:"spent"`
	Expired   int64 `json:"expired"`
	Reversed  int64 `json:"reversed"`
	Available int64 `json:"available"`
	Pending   int64 `json:"pending"`
	Held      int64 `json:"held"`
	InLots    int64 `json:"in_lots"`
	Debt      int64 `json:"debt"`
}

const shownMismatches = 100

func (h *handler) verify(api *web.API) {
	web.Read(api, op(operator.Settings, http.MethodGet, "/verify", "Prove the ledger: re-derive every row from the entries"), h.getVerify)
}

func (h *handler) getVerify(ctx context.Context, _ *web.None) (*web.Out[Verified], error) {
	out := Verified{First: []string{}, Accounts: map[string]AccountTotal{}}
	t, err := h.Verify(ctx, func(m ledger.Mismatch) {
		if len(out.First) < shownMismatches {
			out.First = append(out.First, m.String())
		}
	})
	if err != nil {
		return nil, err
	}
	out.Members, out.Entries, out.Lots, out.Mismatches = t.Members, t.Entries, t.Lots, t.Mismatches
	for code, a := range t.Accounts {
		out.Accounts[code] = AccountTotal(a)
	}
	return &web.Out[Verified]{Body: out}, nil
}
