package admin

import (
	"context"
	"net/http"

	"github.com/siyu-scrm/siyu/app/audience"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

// Member is a person: a follower, a registered member, or both.
type Member struct {
	ID           web.ID    `json:"id"`
	No           string    `json:"no" example:"1234567890"`
	Nickname     string    `json:"nickname" example:"小林"`
	Gender       string    `json:"gender"`
	Birthday     string    `json:"birthday" example:"2000-02-29"`
	Phone        string    `json:"phone" example:"138****0000" doc:"Masked"`
	JoinedAt     *web.Time `json:"joined_at" doc:"null: not registered"`
	OptedOutAt   *web.Time `json:"opted_out_at" doc:"No marketing messages since then"`
	ErasedAt     *web.Time `json:"erased_at" doc:"Nothing is kept of who he was since then"`
	Location     bool      `json:"location" doc:"Positions may be kept"`
	FirstChannel web.ID    `json:"first_channel" doc:"0: none"`
	LastChannel  web.ID    `json:"last_channel" doc:"0: none"`
	CreatedAt    web.Time  `json:"created_at"`
	ActiveAt     web.Time  `json:"active_at" doc:"The last thing that he did"`
}

func (h *handler) member(m *model.Member) Member {
	return Member{
		ID: web.IDOf(m.ID), No: m.No, Nickname: m.Nickname, Gender: m.Gender, Birthday: string(m.Birthday), Phone: h.Members.Phone(m),
		JoinedAt: web.AtPtr(m.JoinedAt), OptedOutAt: web.AtPtr(m.OptedOutAt), ErasedAt: web.AtPtr(m.ErasedAt), Location: m.LocationOK, FirstChannel: web.IDOf(m.FirstChannel),
		LastChannel: web.IDOf(m.LastChannel), CreatedAt: web.At(m.CreatedAt), ActiveAt: web.At(m.ActiveAt),
	}
}

type membersIn struct {
	web.Paging
	Search string     `query:"search" maxLength:"64" doc:"Number, beginning of the nickname, openid or, in full, phone number"`
	TagID  OptionalID `query:"tag_id" doc:"Who holds the tag"`
	Joined string     `query:"joined" enum:"true,false" doc:"Registered or not"`
}

type mergeIn struct {
	ID   web.ID `path:"id"`
	Body struct {
		OtherID web.ID `json:"other_id"`
		Reason  string `json:"reason,omitempty" maxLength:"64" example:"same person, two phones"`
	}
}

func (h *handler) members(api *web.API) {
	web.Read(api, op(operator.MembersRead, http.MethodGet, "/members", "People, newest first"), h.getMembers)
	o := op(operator.MembersRead, http.MethodGet, "/members/{id}", "One page of facts about a person", http.StatusNotFound)
	o.Description = "The id of a member who was merged away answers the survivor."
	web.Read(api, o, h.getMember)
	web.Read(api, op(operator.MembersRead, http.MethodGet, "/members/{id}/entries", "His ledger, newest first, with the rule behind each line", http.StatusNotFound), h.getEntries)
	web.Read(api, op(operator.MembersRead, http.MethodGet, "/members/{id}/events", "What he did, newest first", http.StatusNotFound), h.getEvents)
	web.Read(api, op(operator.MembersRead, http.MethodGet, "/members/{id}/deliveries", "What was sent to him, and why other things were not", http.StatusNotFound), h.getMemberDeliveries)
	o = post(operator.PointsGrant, "/members/{id}/adjustments", "Give or take by hand: above the account's manual_limit it waits for a second operator (202)", http.StatusNotFound, http.StatusConflict)
	web.Write(api, example(o, map[string]any{"account": "points", "amount": 100, "memo": "apology for a late parcel"}), h.postAdjustment)
	web.Write(api, op(operator.MembersWrite, http.MethodPut, "/members/{id}/tags/{tag_id}", "Give a tag by hand: no rule takes it", http.StatusNotFound), h.putMemberTag)
	web.Write(api, op(operator.MembersWrite, http.MethodDelete, "/members/{id}/tags/{tag_id}", "Take a tag that was given by hand", http.StatusNotFound), h.deleteMemberTag)
	o = op(operator.MembersWrite, http.MethodPost, "/members/{id}/merge", "Make one person of two", http.StatusNotFound)
	o.Description = "The one who registered first stays; everything of the other goes to him, and tokens of both lead to him. The answer is the survivor."
	web.Write(api, example(o, map[string]any{"other_id": "2", "reason": "same person, two phones"}), h.postMerge)
	h.privacy(api)
	h.consents(api)
	h.accounts(api)
	h.deductions(api)
}

func (h *handler) getMembers(ctx context.Context, in *membersIn) (*web.Out[web.List[Member]], error) {
	before, err := after(in.Paging)
	if err != nil {
		return nil, err
	}
	q := audience.Wanted{Search: in.Search, AfterID: before, Limit: in.Limit + 1}
	if q.TagID, err = ref("tag_id", in.TagID); err != nil {
		return nil, err
	}
	if in.Joined != "" {
		joined := in.Joined == "true"
		q.Joined = &joined
	}
	rows, _, err := h.Audience.People(ctx, q)
	if err != nil {
		return nil, err
	}
	list := web.ListOf(rows, in.Limit, func(m model.Member) Member { return h.member(&m) }, func(m model.Member) []any { return []any{m.ID} })
	return &web.Out[web.List[Member]]{Body: list}, nil
}

// numbered is a person in the audit log: what says who he is would outlive his erasure there.
type numbered struct {
	ID web.ID `json:"id"`
	No string `json:"no"`
}

func (h *handler) postMerge(ctx context.Context, in *mergeIn) (*web.Out[Member], error) {
	a, err := h.Members.Get(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	b, err := h.Members.Get(ctx, in.Body.OtherID.Int())
	if err != nil {
		return nil, err
	}
	reason := in.Body.Reason
	if reason == "" {
		reason = "manual"
	}
	before := []numbered{{web.IDOf(a.ID), a.No}, {web.IDOf(b.ID), b.No}}
	ctx = audited(ctx, h, "member.merge", before, func(id int64) (string, any) { return object("member", id), map[string]any{"id": web.IDOf(id)} })
	m, err := h.Members.Merge(ctx, a.ID, b.ID, reason)
	if err != nil {
		return nil, err
	}
	return &web.Out[Member]{Body: h.member(m)}, nil
}
