package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/siyu-scrm/siyu/app/audience"
	"github.com/siyu-scrm/siyu/app/condition"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

// AudienceBody is an audience as an operator writes it.
type AudienceBody struct {
	Name      string    `json:"name" minLength:"1" maxLength:"64" example:"高价值会员"`
	Condition Condition `json:"condition,omitempty" doc:"Whom; everybody if absent. {\"leaf\":\"audience\",\"audience_id\":\"1\"} is another audience: combine and exclude with all, any and not"`
}

// Audience is a group of people with a name.
type Audience struct {
	ID        web.ID         `json:"id"`
	Name      string         `json:"name" example:"高价值会员"`
	Condition Condition      `json:"condition" doc:"Of a frozen one: what it was frozen from"`
	Who       string         `json:"who" doc:"The condition in words"`
	FrozenAt  *web.Time      `json:"frozen_at" doc:"Since then it holds exactly those who met the condition then, or stood on the list; null: those who meet it now"`
	List      bool           `json:"list" doc:"Made of a file; until frozen_at is there the file is still being read and nothing can use the audience"`
	Count     *int64         `json:"count,omitempty" doc:"Of one audience: how many are in it now. Of a frozen one as it was frozen"`
	UsedBy    []audience.Use `json:"used_by,omitempty" doc:"What names it: as long as something does it is not deleted"`
	Actor     string         `json:"actor" example:"operator:1"`
	CreatedAt web.Time       `json:"created_at"`
	UpdatedAt web.Time       `json:"updated_at"`
}

type audienceIn struct{ Body AudienceBody }

type audiencePut struct {
	ID   web.ID `path:"id"`
	Body AudienceBody
}

type freezeIn struct {
	ID   web.ID `path:"id"`
	Body struct {
		Name string `json:"name" minLength:"1" maxLength:"64" example:"高价值会员 2026-11-11"`
	}
}

type overlapIn struct {
	Body struct {
		IDs []web.ID `json:"ids" minItems:"2" maxItems:"8"`
	}
}

// Overlap is how many people audiences have in common now.
type Overlap struct {
	Counts []int64   `json:"counts" doc:"Of each, in the order asked"`
	Pairs  [][]int64 `json:"pairs" doc:"Of each two"`
	Every  int64     `json:"every" doc:"In all of them"`
	Some   int64     `json:"some" doc:"In at least one"`
}

type lookIn struct {
	Body struct {
		Condition Condition `json:"condition"`
		Channels  []string  `json:"channels,omitempty" enum:"customer,mass" doc:"By what a message would be sent, in this order; both if absent"`
	}
}

// Looked is an audience with what an operator wants to know before he uses it.
type Looked struct {
	Count     int64    `json:"count" example:"42"`
	Everybody int64    `json:"everybody" example:"1000" doc:"How many people there are"`
	Who       string   `json:"who"`
	Sample    []Person `json:"sample" doc:"At most twelve"`
	Reachable struct {
		reach.Forecast
		Sampled int64 `json:"sampled" doc:"0: everybody was asked about; else the numbers are scaled up from so many, spread over the audience"`
	} `json:"reachable" doc:"Of a marketing message sent now, by the decisions of the live send"`
}

type whyIn struct {
	Body struct {
		Condition Condition `json:"condition"`
		MemberID  web.ID    `json:"member_id"`
	}
}

// Reason is a part of a condition with what it saw of somebody.
type Reason struct {
	Op       string          `json:"op,omitempty" doc:"all, any or not; absent of a leaf"`
	Leaf     string          `json:"leaf,omitempty" example:"tag"`
	Args     json.RawMessage `json:"args,omitempty"`
	Says     string          `json:"says,omitempty" doc:"The leaf in words"`
	Holds    bool            `json:"holds"`
	Saw      any             `json:"saw,omitempty"`
	FlipsAt  *web.Time       `json:"flips_at,omitempty" doc:"When time alone changes it"`
	Children []Reason        `json:"children,omitempty"`
}

func (h *handler) audiences(api *web.API) {
	body := map[string]any{"name": "会员", "condition": map[string]any{"leaf": "member", "field": "joined", "value": true}}
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/audiences", "Audiences, newest first"), h.getAudiences)
	web.Read(api, op(operator.ProgrammeRead, http.MethodGet, "/audiences/{id}", "One audience with its count and what uses it", http.StatusNotFound), h.getAudience)
	web.Write(api, example(post(operator.ProgrammeWrite, "/audiences", "Save an audience", http.StatusConflict), body), h.postAudience)
	web.Write(api, example(op(operator.ProgrammeWrite, http.MethodPut, "/audiences/{id}", "Change an audience", http.StatusNotFound, http.StatusConflict), body), h.putAudience)
	web.Write(api, op(operator.ProgrammeWrite, http.MethodDelete, "/audiences/{id}", "Delete an audience that nothing uses", http.StatusNotFound, http.StatusConflict), h.deleteAudience)
	o := post(operator.ProgrammeWrite, "/audiences/{id}/freeze", "Keep those who are in it now as an audience of their own", http.StatusNotFound, http.StatusConflict)
	web.Write(api, o, h.postFreeze)
	o = op(operator.MembersExport, http.MethodGet, "/audiences/{id}/export", "Those who are in it now", http.StatusNotFound, http.StatusConflict)
	o.Description = "Number, nickname, masked phone number, when he joined. Leaves a line in the audit log."
	o.Responses = map[string]*huma.Response{"200": {Description: "CSV in UTF-8 with BOM", Content: map[string]*huma.MediaType{"text/csv": {
		Schema: &huma.Schema{Type: huma.TypeString},
	}}}}
	web.Read(api, o, h.getAudienceExport)
	o = op(operator.ProgrammeRead, http.MethodPost, "/audience/overlap", "How many people several audiences have in common", http.StatusNotFound, http.StatusConflict)
	web.Read(api, example(o, map[string]any{"ids": []string{"1", "2"}}), h.overlap)
	who := map[string]any{"condition": body["condition"]}
	web.Read(api, example(op(operator.MembersRead, http.MethodPost, "/audience/look", "Who meets a condition now: how many, some of them, and how many a message would reach"), who), h.look)
	o = op(operator.MembersRead, http.MethodPost, "/audience/why", "Why somebody meets a condition or not", http.StatusNotFound)
	web.Read(api, example(o, map[string]any{"condition": body["condition"], "member_id": "1"}), h.why)
	h.audienceLists(api)
}

type listIn struct {
	Body struct {
		File
		Audience string `json:"audience" minLength:"1" maxLength:"64" example:"门店老客" doc:"Name of the audience"`
	}
}

func (h *handler) audienceLists(api *web.API) {
	o := post(operator.MembersWrite, "/audiences/imports", "Make an audience of a list of people", http.StatusRequestEntityTooLarge, http.StatusConflict)
	o.Description = "The first line names the one column that counts: openid, unionid, phone or member_no, or their Chinese names; each line below has one person by any of the four. At most 1,000,000 lines. " +
		"Who is not known is reported, and the others are in the audience, which is frozen once the file is read."
	file := exampleFile("list.csv", "phone\n13800000001\n")
	file["audience"] = "门店老客"
	web.Write(api, example(o, file), h.postList)
	h.imports(api, "/audiences", audience.List)
}

func (h *handler) postList(ctx context.Context, in *listIn) (*web.Out[Import], error) {
	data, err := in.Body.bytes()
	if err != nil {
		return nil, err
	}
	i, err := h.Audience.Upload(h.importing(ctx, audience.List), in.Body.Audience, in.Body.Name, data, web.Actor(ctx))
	return h.imported(ctx, i, err)
}

func audienceRow(a *model.Audience) Audience {
	return Audience{
		ID: web.IDOf(a.ID), Name: a.Name, Condition: Condition(a.Condition), FrozenAt: web.AtPtr(a.FrozenAt), List: a.List(), Actor: a.Actor,
		CreatedAt: web.At(a.CreatedAt), UpdatedAt: web.At(a.UpdatedAt),
	}
}

// audience reads an audience back in words.
func (h *handler) audience(ctx context.Context, a *model.Audience) (Audience, error) {
	v := audienceRow(a)
	if a.Frozen() {
		v.Count = &a.Count
	}
	var err error
	v.Who, err = h.Audience.Who(ctx, web.Lang(ctx), a)
	return v, err
}

func (h *handler) getAudiences(ctx context.Context, in *struct{ web.Paging }) (*web.Out[web.List[Audience]], error) {
	before, err := after(in.Paging)
	if err != nil {
		return nil, err
	}
	rows, err := h.Audience.List(ctx, before, in.Limit+1)
	if err != nil {
		return nil, err
	}
	list := web.ListOf(rows, in.Limit, func(a model.Audience) Audience {
		v, e := h.audience(ctx, &a)
		if e != nil {
			err = e
		}
		return v
	}, func(a model.Audience) []any { return []any{a.ID} })
	return &web.Out[web.List[Audience]]{Body: list}, err
}

func (h *handler) getAudience(ctx context.Context, in *byID) (*web.Out[Audience], error) {
	a, err := h.Audience.Get(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	v, err := h.audience(ctx, a)
	if err != nil {
		return nil, err
	}
	if v.UsedBy, err = h.Audience.Uses(ctx, a.ID); err != nil {
		return nil, err
	}
	if !a.Frozen() && !a.List() {
		n, err := h.Audience.Count(ctx, audience.Leaf(a.ID))
		if err != nil {
			return nil, err
		}
		v.Count = &n
	}
	return &web.Out[Audience]{Body: v}, nil
}

func (h *handler) postAudience(ctx context.Context, in *audienceIn) (*web.Out[Audience], error) {
	return h.saveAudience(ctx, "audience.create", 0, nil, in.Body)
}

func (h *handler) putAudience(ctx context.Context, in *audiencePut) (*web.Out[Audience], error) {
	old, err := h.Audience.Get(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	return h.saveAudience(ctx, "audience.update", old.ID, audienceRow(old), in.Body)
}

func (h *handler) saveAudience(ctx context.Context, action string, id int64, before any, b AudienceBody) (*web.Out[Audience], error) {
	t, err := h.tree(b.Condition)
	if err != nil {
		return nil, err
	}
	return h.answerAudience(ctx, action, before, func(ctx context.Context) (*model.Audience, error) {
		return h.Audience.Save(ctx, audience.Input{ID: id, Name: b.Name, Condition: t, Actor: web.Actor(ctx)})
	})
}

func (h *handler) answerAudience(ctx context.Context, action string, before any, do func(context.Context) (*model.Audience, error)) (*web.Out[Audience], error) {
	a, err := do(audited(ctx, h, action, before, func(a model.Audience) (string, any) { return object("audience", a.ID), audienceRow(&a) }))
	if err != nil {
		return nil, err
	}
	v, err := h.audience(ctx, a)
	return &web.Out[Audience]{Body: v}, err
}

func (h *handler) deleteAudience(ctx context.Context, in *byID) (*web.None, error) {
	old, err := h.Audience.Get(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	ctx = audited(ctx, h, "audience.delete", audienceRow(old), func(struct{}) (string, any) { return object("audience", old.ID), nil })
	return nil, h.Audience.Delete(ctx, old.ID)
}

func (h *handler) postFreeze(ctx context.Context, in *freezeIn) (*web.Out[Audience], error) {
	return h.answerAudience(ctx, "audience.freeze", nil, func(ctx context.Context) (*model.Audience, error) {
		return h.Audience.Freeze(ctx, in.ID.Int(), in.Body.Name, web.Actor(ctx))
	})
}

func (h *handler) getAudienceExport(ctx context.Context, in *byID) (*document, error) {
	a, err := h.Audience.Get(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	n, err := h.Audience.Export(ctx, audience.Leaf(a.ID), web.Lang(ctx), h.Members.Phone, &b)
	if err != nil {
		return nil, err
	}
	if err := h.audit(ctx, "audience.export", object("audience", a.ID), nil, map[string]any{"people": n}); err != nil {
		return nil, err
	}
	return &document{"text/csv; charset=utf-8", fmt.Sprintf(`attachment; filename="audience-%d.csv"`, a.ID), b.Bytes()}, nil
}

func (h *handler) overlap(ctx context.Context, in *overlapIn) (*web.Out[Overlap], error) {
	ids := make([]int64, len(in.Body.IDs))
	for i, id := range in.Body.IDs {
		ids[i] = id.Int()
	}
	o, err := h.Audience.Overlap(ctx, ids)
	if err != nil {
		return nil, err
	}
	return &web.Out[Overlap]{Body: Overlap(*o)}, nil
}

func (h *handler) look(ctx context.Context, in *lookIn) (*web.Out[Looked], error) {
	t, err := h.tree(in.Body.Condition)
	if err != nil {
		return nil, err
	}
	seen, err := h.Broadcasts.Look(ctx, web.Lang(ctx), t, in.Body.Channels)
	if err != nil {
		return nil, err
	}
	v := Looked{Count: seen.Audience, Everybody: seen.Everybody, Who: seen.Who, Sample: make([]Person, len(seen.Sample))}
	for i, m := range seen.Sample {
		v.Sample[i] = Person{web.IDOf(m.ID), m.No, m.Nickname}
	}
	v.Reachable.Forecast, v.Reachable.Sampled = seen.Forecast, seen.Sampled
	if v.Reachable.Skipped == nil {
		v.Reachable.Skipped = []reach.Reason{}
	}
	return &web.Out[Looked]{Body: v}, nil
}

func (h *handler) why(ctx context.Context, in *whyIn) (*web.Out[Reason], error) {
	t, err := h.tree(in.Body.Condition)
	if err != nil {
		return nil, err
	}
	m, err := h.Members.Get(ctx, in.Body.MemberID.Int())
	if err != nil {
		return nil, err
	}
	_, trace, err := h.Audience.Why(ctx, t, m.ID, h.Clock.Now())
	if err != nil {
		return nil, err
	}
	v, err := h.reason(ctx, trace)
	return &web.Out[Reason]{Body: v}, err
}

func (h *handler) reason(ctx context.Context, t condition.Trace) (v Reason, err error) {
	v = Reason{Op: t.Op, Leaf: t.Leaf, Args: t.Args, Holds: t.Holds, Saw: t.Saw}
	if !t.FlipsAt.IsZero() {
		v.FlipsAt = web.AtPtr(&t.FlipsAt)
	}
	if t.Leaf != "" {
		v.Says, err = h.Conditions.Sentence(ctx, h.DB.Reader(ctx), web.Lang(ctx), condition.Tree{Leaf: t.Leaf, Args: t.Args})
	}
	for i := 0; i < len(t.Children) && err == nil; i++ {
		var kid Reason
		kid, err = h.reason(ctx, t.Children[i])
		v.Children = append(v.Children, kid)
	}
	return v, err
}
