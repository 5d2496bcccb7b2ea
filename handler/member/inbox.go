package member

import (
	"context"
	"net/http"

	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

// Kept is a message that was kept for me.
type Kept struct {
	ID     web.ID    `json:"id"`
	Title  string    `json:"title" example:"会员日"`
	Text   string    `json:"text" example:"今天是会员日。"`
	Page   string    `json:"page" doc:"Page that it opens, or empty"`
	At     web.Time  `json:"at"`
	ReadAt *web.Time `json:"read_at" doc:"null: not read yet"`
}

func kept(m model.InboxMessage) Kept {
	return Kept{web.IDOf(m.ID), m.Title, m.Text, m.Page, web.At(m.At), web.AtPtr(m.ReadAt)}
}

type inboxOut struct {
	web.Stamped
	web.List[Kept]
	Unread int64 `json:"unread" example:"1" doc:"Of all"`
}

type keptID struct {
	ID web.ID `path:"id"`
}

func (h *handler) inbox(api *web.API) {
	web.Read(api, op(http.MethodGet, "/inbox", "Messages kept for me, newest first"), h.getInbox)
	web.Write(api, op(http.MethodPost, "/inbox/{id}/read", "I read a message", http.StatusNotFound), h.postInboxRead)
}

func (h *handler) getInbox(ctx context.Context, in *struct{ web.Paging }) (*web.Out[inboxOut], error) {
	var before int64
	if _, err := in.Position(&before); err != nil {
		return nil, err
	}
	m, err := h.Members.Get(ctx, web.MemberID(ctx))
	if err != nil {
		return nil, err
	}
	rows, unread, err := h.Reach.Inbox(ctx, m.ID, before, in.Limit+1)
	if err != nil {
		return nil, err
	}
	list := web.ListOf(rows, in.Limit, kept, func(m model.InboxMessage) []any { return []any{m.ID} })
	return &web.Out[inboxOut]{Body: inboxOut{web.Stamp(h.Clock), list, unread}}, nil
}

func (h *handler) postInboxRead(ctx context.Context, in *keptID) (*web.Out[Kept], error) {
	m, err := h.Members.Get(ctx, web.MemberID(ctx))
	if err != nil {
		return nil, err
	}
	row, err := h.Reach.ReadInbox(ctx, m.ID, in.ID.Int())
	if err != nil {
		return nil, err
	}
	return &web.Out[Kept]{Body: kept(*row)}, nil
}
