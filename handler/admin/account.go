package admin

import (
	"context"
	"net/http"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/ledger"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

// Expiry is when what is earned in an account expires: at the end of a day, in the programme's zone.
type Expiry struct {
	Kind  string `json:"kind" enum:"never,days,months,month_end,quarter_end,year_end,next_year_end,date,sliding_days,sliding_months" example:"months" doc:"days, months: from earning; the _end kinds: with the period of earning, or with the year after it; date: with the day on, what is earned later with that day of a later year; sliding: counted again from every earning and spending in the account"`
	Count int    `json:"count,omitempty" minimum:"0" example:"12" doc:"For days, months and the sliding kinds: at most 3650 days or 120 months"`
	On    string `json:"on,omitempty" doc:"For date, as 2026-12-31: the last day on which it is usable"`
}

// LedgerAccount is an account that members hold.
type LedgerAccount struct {
	Code        string `json:"code" example:"points"`
	Name        string `json:"name" example:"积分"`
	Spendable   bool   `json:"spendable" doc:"false: it only qualifies"`
	Expiry      Expiry `json:"expiry"`
	GraceDays   int    `json:"grace_days" doc:"Life of what comes back to a lot that has expired"`
	Shortage    string `json:"shortage" enum:"debt,clamp" doc:"What taking back more than there is does: below zero, or to zero"`
	ManualLimit int64  `json:"manual_limit" doc:"A grant by hand above it waits for a second operator; 0: none does"`
	Position    int    `json:"position"`
}

// AccountBody is an account as an operator writes it.
type AccountBody struct {
	Name        string `json:"name,omitempty" maxLength:"64" example:"里程" doc:"Required but for points, growth and experience"`
	Spendable   bool   `json:"spendable,omitempty"`
	Expiry      Expiry `json:"expiry"`
	GraceDays   int    `json:"grace_days,omitempty" minimum:"0" maximum:"365"`
	Shortage    string `json:"shortage,omitempty" enum:"debt,clamp" doc:"debt if absent"`
	ManualLimit int64  `json:"manual_limit,omitempty" minimum:"0" maximum:"1000000"`
	Position    int    `json:"position,omitempty" minimum:"0" maximum:"1000"`
}

type accountIn struct {
	Body struct {
		Code string `json:"code" maxLength:"32" example:"miles" doc:"Lower case letters, digits and _; it stays."`
		AccountBody
	}
}

type accountPut struct {
	Code string `path:"code"`
	Body AccountBody
}

func (h *handler) accounts(api *web.API) {
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/accounts", "The accounts that members hold"), h.getAccounts)
	o := post(operator.Settings, "/accounts", "Add an account: miles, nights …", http.StatusConflict)
	web.Write(api, example(o, map[string]any{"code": "miles", "name": "里程", "spendable": true, "expiry": map[string]any{"kind": "sliding_months", "count": 18}}), h.postAccount)
	o = op(operator.Settings, http.MethodPut, "/accounts/{code}", "Change an account: its expiry counts for what is earned from then on", http.StatusNotFound)
	web.Write(api, example(o, map[string]any{"spendable": true, "expiry": map[string]any{"kind": "months", "count": 12}, "grace_days": 7, "manual_limit": 10000}), h.putAccount)
	web.Read(api, op(operator.MembersRead, http.MethodGet, "/grants", "Grants by hand above an account's limit, newest first: those that wait for a second operator"), h.getRequests)
	for path, approve := range map[string]bool{"/grants/{id}/approve": true, "/grants/{id}/reject": false} {
		summary := map[bool]string{true: "Approve a grant of another operator: it is written at once", false: "Reject a grant of another operator"}[approve]
		web.Write(api, op(operator.PointsGrant, http.MethodPost, path, summary, http.StatusNotFound, http.StatusConflict), h.decide(approve))
	}
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/liability", "What the programme owes: issued, spent, expired, reversed and outstanding, by day, account and rule"), h.getLiability)
	o = post(operator.PointsGrant, "/entries/{id}/undo", "Undo a line that was written by hand: the opposite line, once", http.StatusNotFound, http.StatusConflict)
	web.Write(api, o, h.postUndo)
}

func (b AccountBody) account(code string) model.Account {
	return model.Account{
		Code: code, Name: b.Name, Spendable: b.Spendable, Expiry: b.Expiry.Kind, ExpiryCount: b.Expiry.Count, ExpiryOn: model.Day(b.Expiry.On),
		GraceDays: b.GraceDays, Debt: b.Shortage != "clamp", ManualLimit: b.ManualLimit, Position: b.Position,
	}
}

func accountView(lang string, a model.Account) LedgerAccount {
	v := LedgerAccount{
		Code: a.Code, Name: ledger.NameOf(lang, a.Code, a.Name), Spendable: a.Spendable, Expiry: Expiry{a.Expiry, a.ExpiryCount, string(a.ExpiryOn)},
		GraceDays: a.GraceDays, Shortage: "clamp", ManualLimit: a.ManualLimit, Position: a.Position,
	}
	if a.Debt {
		v.Shortage = "debt"
	}
	return v
}

func (h *handler) getAccounts(ctx context.Context, _ *web.None) (*web.Out[web.List[LedgerAccount]], error) {
	rows, err := h.Book.Accounts(ctx)
	if err != nil {
		return nil, err
	}
	out := web.List[LedgerAccount]{Items: make([]LedgerAccount, len(rows))}
	for i, a := range rows {
		out.Items[i] = accountView(web.Lang(ctx), a)
	}
	return &web.Out[web.List[LedgerAccount]]{Body: out}, nil
}

func (h *handler) postAccount(ctx context.Context, in *accountIn) (*web.Out[LedgerAccount], error) {
	lang := web.Lang(ctx)
	ctx = audited(ctx, h, "account.create", nil, func(a model.Account) (string, any) { return "account:" + a.Code, accountView(lang, a) })
	a, err := h.Book.AddAccount(ctx, in.Body.account(in.Body.Code))
	if err != nil {
		return nil, err
	}
	return &web.Out[LedgerAccount]{Body: accountView(lang, *a)}, nil
}

func (h *handler) putAccount(ctx context.Context, in *accountPut) (*web.Out[LedgerAccount], error) {
	lang := web.Lang(ctx)
	old, err := h.Book.Account(ctx, in.Code)
	if err != nil {
		return nil, err
	}
	ctx = audited(ctx, h, "account.change", accountView(lang, *old), func(a model.Account) (string, any) { return "account:" + a.Code, accountView(lang, a) })
	a, err := h.Book.SaveAccount(ctx, in.Body.account(in.Code))
	if err != nil {
		return nil, err
	}
	return &web.Out[LedgerAccount]{Body: accountView(lang, *a)}, nil
}

// GrantRequest is a grant by hand that waits, or waited, for a second operator.
type GrantRequest struct {
	ID          web.ID    `json:"id"`
	MemberID    web.ID    `json:"member_id"`
	Account     string    `json:"account" example:"points"`
	Amount      int64     `json:"amount" example:"50000"`
	Memo        string    `json:"memo"`
	ExpiresAt   *web.Time `json:"expires_at"`
	State       string    `json:"state" enum:"waiting,approved,rejected"`
	RequestedBy string    `json:"requested_by" example:"operator:1"`
	RequestedAt web.Time  `json:"requested_at"`
	DecidedBy   string    `json:"decided_by"`
	DecidedAt   *web.Time `json:"decided_at"`
	EntryID     web.ID    `json:"entry_id" doc:"Of the line, once approved; 0: none"`
}

func grantRequest(r model.GrantRequest) GrantRequest {
	return GrantRequest{
		ID: web.IDOf(r.ID), MemberID: web.IDOf(r.MemberID), Account: r.Account, Amount: r.Amount, Memo: r.Memo, ExpiresAt: web.AtPtr(r.ExpiresAt),
		State: r.State, RequestedBy: r.RequestedBy, RequestedAt: web.At(r.RequestedAt), DecidedBy: r.DecidedBy, DecidedAt: web.AtPtr(r.DecidedAt),
		EntryID: web.IDOf(r.EntryID),
	}
}

type requestsIn struct {
	web.Paging
	All bool `query:"all" doc:"Decided ones too"`
}

func (h *handler) getRequests(ctx context.Context, in *requestsIn) (*web.Out[web.List[GrantRequest]], error) {
	var before int64
	if _, err := in.Position(&before); err != nil {
		return nil, err
	}
	rows, err := h.Book.Requests(ctx, in.All, before, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return &web.Out[web.List[GrantRequest]]{Body: web.ListOf(rows, in.Limit, grantRequest, func(r model.GrantRequest) []any { return []any{r.ID} })}, nil
}

func (h *handler) decide(approve bool) func(context.Context, *byID) (*web.Out[GrantRequest], error) {
	action := map[bool]string{true: "grant.approve", false: "grant.reject"}[approve]
	return func(ctx context.Context, in *byID) (*web.Out[GrantRequest], error) {
		old, err := h.Book.Request(ctx, in.ID.Int())
		if err != nil {
			return nil, err
		}
		ctx = audited(ctx, h, action, grantRequest(*old), func(r *model.GrantRequest) (string, any) { return object("member", r.MemberID), grantRequest(*r) })
		r, err := h.Book.Decide(ctx, old.ID, approve, web.Actor(ctx))
		if err != nil {
			return nil, err
		}
		return &web.Out[GrantRequest]{Body: grantRequest(*r)}, nil
	}
}

type undoIn struct {
	ID   web.ID `path:"id"`
	Body struct {
		Memo string `json:"memo" minLength:"1" maxLength:"255" example:"given to the wrong member"`
	}
}

func (h *handler) postUndo(ctx context.Context, in *undoIn) (*web.Out[Entry], error) {
	if in.ID.Int() == 0 {
		return nil, errs.New(errs.NotFound, "ledger.entry_unknown")
	}
	lang := web.Lang(ctx)
	ctx = audited(ctx, h, "member.adjust_undo", nil, func(e *model.Entry) (string, any) { return object("member", e.MemberID), entry(lang, e, nil) })
	e, err := h.Book.Undo(ctx, ledger.Undo{EntryID: in.ID.Int(), Memo: in.Body.Memo, Actor: web.Actor(ctx)})
	if err != nil {
		return nil, err
	}
	return &web.Out[Entry]{Body: entry(lang, e, nil)}, nil
}
