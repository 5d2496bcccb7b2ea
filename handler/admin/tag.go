package admin

import (
	"context"
	"net/http"
	"slices"

	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/tag"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

// TagGroup is one dimension of tags.
type TagGroup struct {
	ID        web.ID `json:"id"`
	Code      string `json:"code" example:"preference"`
	Name      string `json:"name" example:"偏好"`
	Exclusive bool   `json:"exclusive" doc:"A member holds at most one tag of the group"`
	Position  int    `json:"position"`
}

func tagGroup(g model.TagGroup) TagGroup {
	return TagGroup{web.IDOf(g.ID), g.Code, g.Name, g.Exclusive, g.Position}
}

type tagGroupIn struct {
	Body struct {
		Code      string `json:"code,omitempty" maxLength:"32" example:"skin" doc:"The name if absent"`
		Name      string `json:"name" minLength:"1" maxLength:"32" example:"肤质"`
		Exclusive bool   `json:"exclusive,omitempty"`
		Position  int    `json:"position,omitempty" minimum:"0" maximum:"1000"`
	}
}

// Tag is a label that members hold.
type Tag struct {
	ID        web.ID   `json:"id"`
	GroupID   web.ID   `json:"group_id"`
	Group     string   `json:"group,omitempty" example:"偏好"`
	Name      string   `json:"name" example:"喜欢草莓味"`
	Holders   int64    `json:"holders" example:"42"`
	CreatedAt web.Time `json:"created_at"`
}

func tagView(t model.Tag) Tag {
	return Tag{ID: web.IDOf(t.ID), GroupID: web.IDOf(t.GroupID), Name: t.Name, CreatedAt: web.At(t.CreatedAt)}
}

type tagIn struct {
	Body struct {
		GroupID web.ID `json:"group_id"`
		Name    string `json:"name" minLength:"1" maxLength:"32" example:"敏感肌"`
	}
}

// AutoTag is a rule that sets a tag: when an event matches (it stays then), or while a condition holds.
type AutoTag struct {
	ID        web.ID    `json:"id"`
	TagID     web.ID    `json:"tag_id"`
	Name      string    `json:"name" example:"30 天内签到至少 15 次"`
	Enabled   bool      `json:"enabled"`
	Condition Condition `json:"condition"`
	Sentence  string    `json:"sentence"`
	OnEvent   bool      `json:"on_event" doc:"true: set when an event matches, and kept"`
	Version   int       `json:"version" example:"1"`
	Ladder    string    `json:"ladder" example:"" doc:"rfm_recency, rfm_frequency, rfm_money, pyramid: it is changed there; empty: here"`
	Seen      int64     `json:"seen" doc:"Members of total to whom it has been applied since it was saved; both 0: to all"`
	Total     int64     `json:"total"`
	CreatedAt web.Time  `json:"created_at"`
	UpdatedAt web.Time  `json:"updated_at"`
}

func autoTag(r tag.SavedRule) AutoTag {
	return AutoTag{
		ID: web.IDOf(r.ID), TagID: web.IDOf(r.TagID), Name: r.Name, Enabled: r.Enabled, Condition: Condition(r.Condition), Sentence: r.Sentence,
		OnEvent: r.OnEvent, Version: r.Version, Ladder: r.Owner, Seen: r.Seen, Total: r.Total, CreatedAt: web.At(r.CreatedAt), UpdatedAt: web.At(r.UpdatedAt),
	}
}

// AutoTagBody is a rule as an operator writes it.
type AutoTagBody struct {
	TagID     web.ID    `json:"tag_id"`
	Name      string    `json:"name" minLength:"1" maxLength:"64" example:"聊天提到草莓"`
	Enabled   *bool     `json:"enabled,omitempty" doc:"true if absent"`
	Condition Condition `json:"condition"`
}

type autoTagIn struct{ Body AutoTagBody }

type autoTagPut struct {
	ID   web.ID `path:"id"`
	Body AutoTagBody
}

type memberTagIn struct {
	ID    web.ID `path:"id"`
	TagID web.ID `path:"tag_id"`
	Body  struct {
		Reason string `json:"reason,omitempty" maxLength:"255" example:"said so on the phone"`
	}
}

type memberTagOut struct {
	ID    web.ID `path:"id"`
	TagID web.ID `path:"tag_id"`
	Why   string `query:"reason" maxLength:"255"`
}

func (h *handler) tags(api *web.API) {
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/tag-groups", "Tag groups in their order"), h.getTagGroups)
	web.Write(api, post(operator.ProgrammeWrite, "/tag-groups", "Make a tag group", http.StatusConflict), h.postTagGroup)
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/tags", "All tags with how many hold each"), h.getTags)
	web.Write(api, post(operator.ProgrammeWrite, "/tags", "Make a tag", http.StatusConflict), h.postTag)
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/auto-tags", "The rules that set tags by themselves"), h.getAutoTags)
	body := map[string]any{"tag_id": "1", "name": "聊天提到海报", "condition": map[string]any{"leaf": "event.text", "contains_any": []string{"海报"}}}
	web.Write(api, example(post(operator.ProgrammeWrite, "/auto-tags", "Make a rule that sets a tag"), body), h.postAutoTag)
	web.Read(api, op(operator.ProgrammeRead, http.MethodPost, "/auto-tags/preview", "How many a rule would tag: members now, or of a rule on single events those of today"), h.previewAutoTag)
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/tags/hygiene", "Tags to tidy up: dead ones, duplicates, members with too many"), h.getHygiene)
	web.Write(api, example(post(operator.ProgrammeWrite, "/tags/{id}/merge", "Merge a tag into another, in the background", http.StatusNotFound, http.StatusConflict),
		map[string]any{"into": "2"}), h.mergeTag)
	o := op(operator.ProgrammeWrite, http.MethodPut, "/auto-tags/{id}", "Change a rule that sets a tag", http.StatusNotFound)
	o.Description = "It keeps its tag."
	web.Write(api, example(o, body), h.putAutoTag)
}

func (h *handler) getTagGroups(ctx context.Context, _ *web.None) (*web.Out[web.List[TagGroup]], error) {
	rows, err := h.Tags.Groups(ctx)
	return listed(rows, tagGroup), err
}

// listed shows all rows of a short list.
func listed[R, T any](rows []R, view func(R) T) *web.Out[web.List[T]] {
	out := web.List[T]{Items: make([]T, len(rows))}
	for i, r := range rows {
		out.Items[i] = view(r)
	}
	return &web.Out[web.List[T]]{Body: out}
}

func (h *handler) postTagGroup(ctx context.Context, in *tagGroupIn) (*web.Out[TagGroup], error) {
	b := in.Body
	ctx = audited(ctx, h, "tag_group.create", nil, func(g model.TagGroup) (string, any) { return object("tag_group", g.ID), tagGroup(g) })
	g, err := h.Tags.CreateGroup(ctx, model.TagGroup{Code: b.Code, Name: b.Name, Exclusive: b.Exclusive, Position: b.Position})
	if err != nil {
		return nil, err
	}
	return &web.Out[TagGroup]{Body: tagGroup(*g)}, nil
}

func (h *handler) getTags(ctx context.Context, _ *web.None) (*web.Out[web.List[Tag]], error) {
	rows, err := h.Tags.List(ctx)
	return listed(rows, func(t tag.View) Tag {
		v := tagView(t.Tag)
		v.Group, v.Holders = t.Group, t.Holders
		return v
	}), err
}

func (h *handler) postTag(ctx context.Context, in *tagIn) (*web.Out[Tag], error) {
	ctx = audited(ctx, h, "tag.create", nil, func(t model.Tag) (string, any) { return object("tag", t.ID), tagView(t) })
	t, err := h.Tags.Create(ctx, in.Body.GroupID.Int(), in.Body.Name)
	if err != nil {
		return nil, err
	}
	return &web.Out[Tag]{Body: tagView(*t)}, nil
}

func (h *handler) getAutoTags(ctx context.Context, _ *web.None) (*web.Out[web.List[AutoTag]], error) {
	rows, err := h.Tags.ListRules(ctx, web.Lang(ctx))
	return listed(rows, autoTag), err
}

func (h *handler) postAutoTag(ctx context.Context, in *autoTagIn) (*web.Out[AutoTag], error) {
	return h.saveAutoTag(ctx, "auto_tag.create", 0, nil, in.Body)
}

func (h *handler) putAutoTag(ctx context.Context, in *autoTagPut) (*web.Out[AutoTag], error) {
	rows, err := h.Tags.ListRules(ctx, web.Lang(ctx))
	if err != nil {
		return nil, err
	}
	var before any
	for _, r := range rows {
		if r.ID == in.ID.Int() {
			before = autoTag(r)
		}
	}
	if before == nil {
		return nil, notFound("tag.rule_not_found")
	}
	return h.saveAutoTag(ctx, "auto_tag.update", in.ID.Int(), before, in.Body)
}

func (h *handler) saveAutoTag(ctx context.Context, action string, id int64, before any, b AutoTagBody) (*web.Out[AutoTag], error) {
	ctx = audited(ctx, h, action, before, func(r tag.SavedRule) (string, any) { return object("auto_tag", r.ID), autoTag(r) })
	r, err := h.Tags.SaveRule(ctx, tag.Rule{ID: id, TagID: b.TagID.Int(), Name: b.Name, Enabled: on(b.Enabled), Condition: b.Condition}, web.Lang(ctx))
	if err != nil {
		return nil, err
	}
	return &web.Out[AutoTag]{Body: autoTag(*r)}, nil
}

func (h *handler) putMemberTag(ctx context.Context, in *memberTagIn) (*web.Out[Facts], error) {
	return h.setTag(ctx, "member.tag", in.ID, in.TagID, true, in.Body.Reason)
}

func (h *handler) deleteMemberTag(ctx context.Context, in *memberTagOut) (*web.Out[Facts], error) {
	return h.setTag(ctx, "member.untag", in.ID, in.TagID, false, in.Why)
}

// setTag gives or takes a tag by hand; who did it stands in the audit log.
func (h *handler) setTag(ctx context.Context, action string, id, tagID web.ID, set bool, why string) (*web.Out[Facts], error) {
	m, err := h.Members.Get(ctx, id.Int())
	if err != nil {
		return nil, err
	}
	held, err := h.Tags.Of(ctx, m.ID)
	if err != nil {
		return nil, err
	}
	had := slices.ContainsFunc(held, func(t tag.Held) bool { return t.TagID == tagID.Int() && t.Cause == model.CauseManual })
	before := map[string]any{"tag_id": tagID, "by_hand": had}
	change := map[string]any{"tag_id": tagID, "by_hand": set, "reason": why}
	saved := audited(ctx, h, action, before, func(bool) (string, any) { return object("member", m.ID), change })
	if err := h.Tags.SetManual(saved, m.ID, tagID.Int(), 0, set, why); err != nil {
		return nil, err
	}
	return h.getMember(ctx, &byID{ID: web.IDOf(m.ID)})
}

// Hits is how many a rule would tag.
type Hits struct {
	Members int64 `json:"members" example:"42"`
	OnEvent bool  `json:"on_event" doc:"true: those of today's events"`
	Partly  bool  `json:"partly" doc:"true: today has more events than were looked at"`
}

func (h *handler) previewAutoTag(ctx context.Context, in *conditionIn) (*web.Out[Hits], error) {
	t, err := h.tree(in.Body.Condition)
	if err != nil {
		return nil, err
	}
	found, err := h.Audience.Hits(ctx, t)
	return &web.Out[Hits]{Body: Hits(found)}, err
}

// Crowded is a member with many tags.
type Crowded struct {
	MemberID web.ID `json:"member_id"`
	Tags     int64  `json:"tags" example:"31"`
}

// Hygiene is what should be tidied up.
type Hygiene struct {
	Dead       []Tag     `json:"dead" doc:"Held by nobody for 90 days"`
	Duplicates [][]Tag   `json:"duplicates" doc:"Of one name, but for case and spaces"`
	Crowded    []Crowded `json:"crowded" doc:"Members with more than 30 tags, the most first; at most 100"`
	CrowdedAll int64     `json:"crowded_all" doc:"How many there are"`
}

func (h *handler) getHygiene(ctx context.Context, _ *web.None) (*web.Out[Hygiene], error) {
	r, err := h.Tags.Hygiene(ctx)
	if err != nil {
		return nil, err
	}
	out := Hygiene{Dead: tagViews(r.Dead), Duplicates: make([][]Tag, len(r.Duplicates)), Crowded: make([]Crowded, len(r.Crowded)), CrowdedAll: r.CrowdedAll}
	for i, same := range r.Duplicates {
		out.Duplicates[i] = tagViews(same)
	}
	for i, c := range r.Crowded {
		out.Crowded[i] = Crowded{web.IDOf(c.MemberID), c.Tags}
	}
	return &web.Out[Hygiene]{Body: out}, nil
}

func tagViews(rows []tag.View) []Tag {
	out := make([]Tag, len(rows))
	for i, t := range rows {
		out[i] = tagView(t.Tag)
		out[i].Group, out[i].Holders = t.Group, t.Holders
	}
	return out
}

type mergeTagIn struct {
	ID   web.ID `path:"id"`
	Body struct {
		Into web.ID `json:"into" doc:"The tag that remains"`
	}
}

func (h *handler) mergeTag(ctx context.Context, in *mergeTagIn) (*web.Out[Work], error) {
	before := map[string]any{"tag_id": in.ID}
	ctx = audited(ctx, h, "tag.merge", before, func(w model.Work) (string, any) {
		return object("tag", in.ID.Int()), map[string]any{"into": in.Body.Into, "work_id": web.IDOf(w.ID)}
	})
	w, err := h.Tags.Merge(ctx, in.ID.Int(), in.Body.Into.Int(), web.Actor(ctx))
	if err != nil {
		return nil, err
	}
	return &web.Out[Work]{Body: workView(web.Lang(ctx), *w)}, nil
}
