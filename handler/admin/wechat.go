package admin

import (
	"context"
	"net/http"

	"github.com/siyu-scrm/siyu/app/inbox"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/wechat"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

// Account is a WeChat account, without its secrets.
type Account struct {
	Name     string `json:"name" example:"oa"`
	Kind     string `json:"kind" example:"oa" doc:"oa or mp"`
	AppID    string `json:"appid"`
	Callback string `json:"callback" example:"/wechat/oa" doc:"The path of its callback URL"`
	Mode     string `json:"mode" example:"safe" doc:"plain, compat or safe; empty: by the key"`
}

// Template is a subscribe-message template.
type Template struct {
	ID       string          `json:"id"`
	Title    string          `json:"title"`
	Content  string          `json:"content"`
	Example  string          `json:"example"`
	LongTerm bool            `json:"long_term" doc:"One acceptance serves for many sends"`
	Fields   []TemplateField `json:"fields"`
}

// TemplateField is a value to fill in.
type TemplateField struct {
	Name  string `json:"name" example:"thing1"`
	Label string `json:"label" example:"活动名称"`
}

type templatesIn struct {
	Account string `query:"account" maxLength:"32" doc:"The mini-program; the first one if absent."`
}

// Push is one push of WeChat, as it came in.
type Push struct {
	ID         web.ID   `json:"id"`
	Account    string   `json:"account" example:"oa"`
	Kind       string   `json:"kind" example:"event.subscribe"`
	OpenID     string   `json:"openid"`
	State      string   `json:"state" example:"done"`
	Error      string   `json:"error" doc:"Of a failed one; the refusal of a refused one"`
	Attempts   int      `json:"attempts"`
	OccurredAt web.Time `json:"occurred_at"`
	ReceivedAt web.Time `json:"received_at"`
}

type inboxIn struct {
	web.Paging
	State string `query:"state" enum:"pending,done,refused,unknown,failed"`
}

func (h *handler) wechat(api *web.API) {
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/wechat/accounts", "The accounts of the settings"), h.getWeChatAccounts)
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/wechat/templates", "The subscribe-message templates of a mini-program", http.StatusUnprocessableEntity,
		http.StatusServiceUnavailable), h.getTemplates)
	web.Read(api, op(operator.Settings, http.MethodGet, "/inbox", "The pushes that came in, newest first"), h.getInbox)
	web.Write(api, op(operator.Settings, http.MethodPost, "/inbox/{id}/replay", "Run a push again that failed", http.StatusNotFound, http.StatusConflict), h.replayPush)
}

func (h *handler) getWeChatAccounts(context.Context, *web.None) (*web.Out[web.List[Account]], error) {
	return listed(h.Accounts, func(a wechat.Account) Account {
		if now, ok := h.Account(a.Name); ok {
			a = now
		}
		return Account{a.Name, a.Kind, a.AppID, "/wechat/" + a.Name, a.Mode}
	}), nil
}

func (h *handler) getTemplates(ctx context.Context, in *templatesIn) (*web.Out[web.List[Template]], error) {
	rows, err := h.WeChat.SubscribeTemplates(ctx, h.accountNamed(in.Account, model.KindMP))
	return listed(rows, func(t wechat.Template) Template {
		v := Template{t.ID, t.Title, t.Content, t.Example, t.LongTerm, make([]TemplateField, len(t.Fields))}
		for i, f := range t.Fields {
			v.Fields[i] = TemplateField(f)
		}
		return v
	}), err
}

func push(p model.Inbox) Push {
	return Push{web.IDOf(p.ID), p.Account, p.Kind, p.OpenID, p.State, p.Error, p.Attempts, web.At(p.OccurredAt), web.At(p.ReceivedAt)}
}

func (h *handler) getInbox(ctx context.Context, in *inboxIn) (*web.Out[web.List[Push]], error) {
	before, err := after(in.Paging)
	if err != nil {
		return nil, err
	}
	rows, err := h.Inbox.List(ctx, inbox.Query{State: in.State, AfterID: before, Limit: in.Limit + 1})
	if err != nil {
		return nil, err
	}
	return &web.Out[web.List[Push]]{Body: web.ListOf(rows, in.Limit, push, func(p model.Inbox) []any { return []any{p.ID} })}, nil
}

func (h *handler) replayPush(ctx context.Context, in *byID) (*web.Out[Push], error) {
	p, err := h.Inbox.Replay(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	v := push(*p)
	return &web.Out[Push]{Body: v}, h.audit(ctx, "inbox.replay", object("inbox", p.ID), map[string]any{"state": model.InboxFailed}, v)
}
