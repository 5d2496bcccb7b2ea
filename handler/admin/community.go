package admin

import (
	"context"
	"net/http"

	"github.com/siyu-scrm/siyu/app/community"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

// Group is a WeChat group that the brand runs.
type Group struct {
	ID web.ID `json:"id"`
	GroupBody
	BindCode  string    `json:"bind_code" doc:"While no opengid is known: share the mini-program's page into the group with ?bind=<code>. The first member who opens it there and sends the proof to /api/v1/groups/enter binds the group."`
	BoundAt   *web.Time `json:"bound_at"`
	Members   int64     `json:"members" doc:"Who proved to be in it"`
	Today     GroupDay  `json:"today"`
	CreatedAt web.Time  `json:"created_at"`
}

// GroupBody is a group as an operator writes it.
type GroupBody struct {
	Name    string `json:"name" minLength:"1" maxLength:"64" example:"美妆一群" doc:"Its own: pushes may name the group by it."`
	OpenGID string `json:"opengid,omitempty" maxLength:"64" doc:"WeChat's id of the group for the mini-program; empty: bound by the first proof that brings the bind code"`
	Enabled *bool  `json:"enabled,omitempty" doc:"true if absent"`
}

// GroupDay is a day of a group.
type GroupDay struct {
	Day       string `json:"day" example:"2026-11-24"`
	Topic     string `json:"topic" example:"今天聊聊换季护肤"`
	Word      string `json:"word" example:"草莓好吃" doc:"What members type to prove that they read the group, in any letter case"`
	Generated bool   `json:"generated" doc:"true: nobody set a word, this is siyu's own"`
}

// GroupPlan is a day as an operator plans it.
type GroupPlan struct {
	Day   string `json:"day" example:"2026-11-24" doc:"Today or later"`
	Topic string `json:"topic,omitempty" maxLength:"200" example:"今天聊聊换季护肤"`
	Word  string `json:"word,omitempty" maxLength:"64" example:"草莓好吃" doc:"4 to 16 characters without spaces, no other group's of that day; absent: siyu's own"`
}

// GroupRank is a line of a ranking.
type GroupRank struct {
	Place    int    `json:"place"`
	MemberID web.ID `json:"member_id"`
	No       string `json:"no"`
	Nickname string `json:"nickname"`
	Score    int64  `json:"score"`
}

// GroupMember is somebody who proved to be in a group.
type GroupMember struct {
	MemberID web.ID   `json:"member_id"`
	No       string   `json:"no"`
	Nickname string   `json:"nickname"`
	Via      string   `json:"via" enum:"enter,word,push" doc:"His first proof"`
	JoinedAt web.Time `json:"joined_at"`
}

type groupIn struct{ Body GroupBody }

type groupPut struct {
	ID   web.ID `path:"id"`
	Body GroupBody
}

type daysIn struct {
	ID   web.ID `path:"id"`
	From string `query:"from" maxLength:"10" example:"2026-11-24" doc:"Today if absent"`
	Days int    `query:"days" minimum:"1" maximum:"92" default:"14"`
}

type daysPut struct {
	ID   web.ID `path:"id"`
	Body struct {
		Days []GroupPlan `json:"days" minItems:"1" maxItems:"92"`
	}
}

type groupMembersIn struct {
	ID web.ID `path:"id"`
	web.Paging
}

type groupRankingIn struct {
	ID     web.ID `path:"id"`
	Period string `query:"period" enum:"day,week" default:"day"`
	By     string `query:"by" enum:"interactions,points" default:"interactions"`
	Day    string `query:"day" maxLength:"10" doc:"A day of the period; today if absent"`
	web.Paging
}

func (h *handler) community(api *web.API) {
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/groups", "Every group"), h.getGroups)
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/groups/{id}", "One group", http.StatusNotFound), h.getGroup)
	body := map[string]any{"name": "美妆一群"}
	web.Write(api, example(post(operator.ProgrammeWrite, "/groups", "Make a group", http.StatusConflict), body), h.postGroup)
	web.Write(api, example(op(operator.ProgrammeWrite, http.MethodPut, "/groups/{id}", "Change a group", http.StatusNotFound, http.StatusConflict), body), h.putGroup)
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/groups/{id}/days", "Topic and word of each day", http.StatusNotFound), h.getDays)
	web.Write(api, example(op(operator.ProgrammeWrite, http.MethodPut, "/groups/{id}/days", "Plan days: all or none", http.StatusNotFound, http.StatusConflict),
		map[string]any{"days": []any{map[string]any{"day": string(h.Zone.DayOf(h.Clock.Now()).Add(1)), "topic": "今天聊聊换季护肤", "word": "草莓好吃"}}}), h.putDays)
	web.Read(api, op(operator.MembersRead, http.MethodGet, "/groups/{id}/members", "Who proved to be in a group", http.StatusNotFound), h.getGroupMembers)
	web.Read(api, op(operator.MembersRead, http.MethodGet, "/groups/{id}/ranking", "The ranking of a day or week", http.StatusNotFound), h.getGroupRanking)
}

func groupView(v community.View) Group {
	g := Group{
		ID: web.IDOf(v.ID), GroupBody: GroupBody{Name: v.Name, Enabled: &v.Enabled}, BindCode: v.BindCode, BoundAt: web.AtPtr(v.BoundAt),
		Members: v.Members, Today: dayView(v.Today), CreatedAt: web.At(v.CreatedAt),
	}
	if v.OpenGID != nil {
		g.OpenGID = *v.OpenGID
	}
	return g
}

func dayView(p community.Plan) GroupDay {
	return GroupDay{Day: string(p.Day), Topic: p.Topic, Word: p.Word, Generated: p.Generated}
}

func (h *handler) getGroups(ctx context.Context, _ *web.None) (*web.Out[web.List[Group]], error) {
	rows, err := h.Groups.List(ctx)
	return listed(rows, groupView), err
}

func (h *handler) getGroup(ctx context.Context, in *byID) (*web.Out[Group], error) {
	v, err := h.Groups.Get(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	return &web.Out[Group]{Body: groupView(*v)}, nil
}

func (h *handler) postGroup(ctx context.Context, in *groupIn) (*web.Out[Group], error) {
	return h.saveGroup(ctx, "group.create", 0, nil, in.Body)
}

func (h *handler) putGroup(ctx context.Context, in *groupPut) (*web.Out[Group], error) {
	old, err := h.getGroup(ctx, &byID{ID: in.ID})
	if err != nil {
		return nil, err
	}
	return h.saveGroup(ctx, "group.update", in.ID.Int(), old.Body, in.Body)
}

func (h *handler) saveGroup(ctx context.Context, action string, id int64, before any, b GroupBody) (*web.Out[Group], error) {
	ctx = audited(ctx, h, action, before, func(g model.CommunityGroup) (string, any) {
		return object("group", g.ID), groupView(community.View{CommunityGroup: g})
	})
	g, err := h.Groups.Save(ctx, community.Input{ID: id, Name: b.Name, OpenGID: b.OpenGID, Enabled: on(b.Enabled)})
	if err != nil {
		return nil, err
	}
	return h.getGroup(ctx, &byID{ID: web.IDOf(g.ID)})
}

// dayOf reads a day that may be absent.
func dayOf(field, s string) (model.Day, error) {
	if s == "" {
		return "", nil
	}
	d, err := model.ParseDay(s)
	if err != nil || d < "2000-01-01" || d > "2199-12-31" {
		return "", errs.Field(field, "handlers.day")
	}
	return d, nil
}

func (h *handler) getDays(ctx context.Context, in *daysIn) (*web.Out[web.List[GroupDay]], error) {
	from, err := dayOf("from", in.From)
	if err != nil {
		return nil, err
	}
	days, err := h.Groups.Plans(ctx, in.ID.Int(), from, in.Days)
	if err != nil {
		return nil, err
	}
	return listed(days, dayView), nil
}

func (h *handler) putDays(ctx context.Context, in *daysPut) (*web.Out[web.List[GroupDay]], error) {
	days := make([]community.Plan, len(in.Body.Days))
	for i, d := range in.Body.Days {
		days[i] = community.Plan{Day: model.Day(d.Day), Topic: d.Topic, Word: d.Word}
	}
	before, err := h.Groups.Planned(ctx, in.ID.Int(), days)
	if err != nil {
		return nil, err
	}
	ctx = audited(ctx, h, "group.plan", before, func(p []community.Plan) (string, any) { return object("group", in.ID.Int()), p })
	out, err := h.Groups.SetPlans(ctx, in.ID.Int(), days)
	if err != nil {
		return nil, err
	}
	return listed(out, dayView), nil
}

func (h *handler) getGroupMembers(ctx context.Context, in *groupMembersIn) (*web.Out[web.List[GroupMember]], error) {
	after, err := after(in.Paging)
	if err != nil {
		return nil, err
	}
	rows, err := h.Groups.Members(ctx, in.ID.Int(), after, in.Limit+1)
	if err != nil {
		return nil, err
	}
	return &web.Out[web.List[GroupMember]]{Body: web.ListOf(rows, in.Limit, func(m community.Member) GroupMember {
		return GroupMember{MemberID: web.IDOf(m.MemberID), No: m.No, Nickname: m.Nickname, Via: m.Via, JoinedAt: web.At(m.JoinedAt)}
	}, func(m community.Member) []any { return []any{m.MemberID} })}, nil
}

func (h *handler) getGroupRanking(ctx context.Context, in *groupRankingIn) (*web.Out[web.List[GroupRank]], error) {
	day, err := dayOf("day", in.Day)
	if err != nil {
		return nil, err
	}
	var shown community.Rank
	more, err := in.Position(&shown.Score, &shown.Latest)
	if err != nil {
		return nil, err
	}
	rows, err := h.Groups.Ranking(ctx, community.Question{GroupID: in.ID.Int(), Period: in.Period, By: in.By, Day: day})
	if err != nil {
		return nil, err
	}
	if more {
		rows = community.Behind(rows, shown)
	}
	return &web.Out[web.List[GroupRank]]{Body: web.ListOf(rows, in.Limit, func(r community.Rank) GroupRank {
		return GroupRank{Place: r.Place, MemberID: web.IDOf(r.MemberID), No: r.No, Nickname: r.Nickname, Score: r.Score}
	}, func(r community.Rank) []any { return []any{r.Score, r.Latest} })}, nil
}
