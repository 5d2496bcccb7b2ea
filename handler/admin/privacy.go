package admin

import (
	"bytes"
	"context"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/handler/web"
)

// MergedAway is somebody who was merged into the person, as long as that can be undone.
type MergedAway struct {
	ID        web.ID   `json:"id" doc:"What POST /members/{id}/unmerge takes"`
	No        string   `json:"no" example:"1234567890"`
	Reason    string   `json:"reason" example:"unionid"`
	At        web.Time `json:"at"`
	UndoUntil web.Time `json:"undo_until"`
}

type revealIn struct {
	ID   web.ID `path:"id"`
	Body struct {
		Reason string `json:"reason" minLength:"1" maxLength:"200" example:"courier asks for it" doc:"Stands in the audit log with who and when."`
	}
}

type revealed struct {
	Phone string `json:"phone" example:"13800000000"`
}

type memberEraseIn struct {
	ID   web.ID `path:"id"`
	Body struct {
		No     string `json:"no" minLength:"1" maxLength:"32" example:"1234567890" doc:"His member number, typed in: an erasure cannot be undone."`
		Reason string `json:"reason" minLength:"1" maxLength:"200" example:"asked by letter"`
	}
}

type memberErased struct {
	ID web.ID `json:"id"`
	No string `json:"no" example:"1234567890"`
}

type document struct {
	ContentType        string `header:"Content-Type"`
	ContentDisposition string `header:"Content-Disposition"`
	Body               []byte
}

func (h *handler) privacy(api *web.API) {
	o := op(operator.PhoneReveal, http.MethodPost, "/members/{id}/phone/reveal", "His phone number, unmasked", http.StatusNotFound)
	o.Description = "Leaves a line in the audit log: who, when, why."
	web.Write(api, o, h.postReveal)
	o = op(operator.PhoneReveal, http.MethodGet, "/members/{id}/export", "Everything that is kept of him", http.StatusNotFound)
	o.Description = "The document that GET /api/v1/me/export gives the member. Leaves a line in the audit log."
	o.Responses = map[string]*huma.Response{"200": {Description: "The document", Content: map[string]*huma.MediaType{"application/json": {
		Schema: &huma.Schema{Type: huma.TypeObject},
	}}}}
	web.Read(api, o, h.getExport)
	o = op(operator.MembersWrite, http.MethodPost, "/members/{id}/unmerge", "Part him again from whom he was merged into", http.StatusNotFound, http.StatusConflict)
	o.Description = "id is the one who was merged away. Within 7 days and while nothing was spent; what came since stays with the survivor. The answer is the one who is there again."
	web.Write(api, o, h.postUnmerge)
	o = op(operator.MembersWrite, http.MethodPost, "/members/{id}/erase", "Forget him", http.StatusNotFound, http.StatusConflict)
	o.Description = "What identifies the person goes, what he holds is void; the ledger stays under the member number. It cannot be undone."
	web.Write(api, o, h.postErase)
}

func (h *handler) postReveal(ctx context.Context, in *revealIn) (*web.Out[revealed], error) {
	ctx = audited(ctx, h, "member.phone.reveal", nil, func(id int64) (string, any) {
		return object("member", id), map[string]any{"reason": in.Body.Reason}
	})
	number, err := h.Members.Reveal(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	return &web.Out[revealed]{Body: revealed{number}}, nil
}

func (h *handler) getExport(ctx context.Context, in *byID) (*document, error) {
	m, err := h.Members.Get(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := h.Members.Export(ctx, m.ID, &b); err != nil {
		return nil, err
	}
	if err := h.audit(ctx, "member.export", object("member", m.ID), nil, map[string]any{"bytes": b.Len()}); err != nil {
		return nil, err
	}
	return &document{"application/json", fmt.Sprintf(`attachment; filename="member-%s.json"`, m.No), b.Bytes()}, nil
}

func (h *handler) postUnmerge(ctx context.Context, in *byID) (*web.Out[Member], error) {
	into, err := h.Members.Get(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	before := map[string]any{"merged_into": web.IDOf(into.ID)}
	ctx = audited(ctx, h, "member.unmerge", before, func(id int64) (string, any) { return object("member", id), map[string]any{"merged_into": nil} })
	id, err := h.Members.UndoMerge(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	m, err := h.Members.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	return &web.Out[Member]{Body: h.member(m)}, nil
}

func (h *handler) postErase(ctx context.Context, in *memberEraseIn) (*web.Out[memberErased], error) {
	m, err := h.Members.Get(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	if in.Body.No != m.No {
		return nil, errs.New(errs.Conflict, "member.erase_number", "field", "no")
	}
	ctx = audited(ctx, h, "member.erase", numbered{web.IDOf(m.ID), m.No}, func(e member.Erased) (string, any) {
		return object("member", e.ID), map[string]any{"reason": in.Body.Reason}
	})
	if err := h.Members.Erase(ctx, m.ID); err != nil {
		return nil, err
	}
	return &web.Out[memberErased]{Body: memberErased{web.IDOf(m.ID), m.No}}, nil
}

func (h *handler) mergesOf(ctx context.Context, f *Facts, id int64) error {
	list, err := h.Members.Merges(ctx, id)
	f.Merged = make([]MergedAway, len(list))
	for i, m := range list {
		f.Merged[i] = MergedAway{web.IDOf(m.LoserID), m.No, m.Reason, web.At(m.At), web.At(m.UndoUntil)}
	}
	return err
}
