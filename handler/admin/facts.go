package admin

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/siyu-scrm/siyu/app/customer"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/app/tag"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

// Identity is an openid of the person.
type Identity struct {
	Account        string     `json:"account" example:"oa"`
	Kind           string     `json:"kind" example:"oa"`
	OpenID         string     `json:"openid"`
	UnionID        string     `json:"unionid"`
	Subscribed     bool       `json:"subscribed"`
	SubscribedAt   *web.Time  `json:"subscribed_at"`
	UnsubscribedAt *web.Time  `json:"unsubscribed_at"`
	Scene          string     `json:"scene" doc:"How he came to follow"`
	Accepted       []Accepted `json:"accepted" doc:"Subscribe messages that he accepted and did not get yet"`
}

// Accepted counts acceptances of one template.
type Accepted struct {
	TemplateID string `json:"template_id"`
	Count      int    `json:"count"`
}

// HeldTag is a tag of the person with everything that gives it.
type HeldTag struct {
	ID     web.ID  `json:"id"`
	Group  string  `json:"group" example:"渠道"`
	Name   string  `json:"name" example:"门店海报"`
	Causes []Cause `json:"causes"`
}

// Cause is what gives a tag.
type Cause struct {
	Cause   string   `json:"cause" example:"channel" doc:"manual, rule, channel, quiz, form, reward or import"`
	CauseID web.ID   `json:"cause_id" doc:"The rule, channel, quiz, form or point rule"`
	EventID web.ID   `json:"event_id" doc:"0: none"`
	At      web.Time `json:"at"`

	Version  int             `json:"version" doc:"Of the rule that sets tags by itself; 0: none did"`
	Evidence json.RawMessage `json:"evidence" doc:"What the rule saw: a list of leaves and values"`
	Until    *web.Time       `json:"until" doc:"When time alone ends what a lasting rule set; null: it does not"`
}

// TagChange is one line of the history of his tags.
type TagChange struct {
	TagID   web.ID   `json:"tag_id"`
	Set     bool     `json:"set"`
	Cause   string   `json:"cause"`
	CauseID web.ID   `json:"cause_id"`
	EventID web.ID   `json:"event_id"`
	Reason  string   `json:"reason"`
	At      web.Time `json:"at"`
}

// Quota is a count against a limit.
type Quota struct {
	Used  int `json:"used"`
	Limit int `json:"limit"`
}

// Streak is where his check-ins stand.
type Streak struct {
	Today  bool `json:"today"`
	Streak int  `json:"streak"`
}

// Facts is everything that an operator asks about a person.
type Facts struct {
	Member
	Follower    bool         `json:"follower" doc:"Follows an official account now"`
	Identities  []Identity   `json:"identities"`
	Accounts    []Holding    `json:"accounts"`
	Tags        []HeldTag    `json:"tags"`
	TagHistory  []TagChange  `json:"tag_history" doc:"The last 20 changes"`
	Merged      []MergedAway `json:"merged" doc:"Who was merged into him and can be parted again"`
	Orders      []Platform   `json:"orders" doc:"What he bought, platform by platform"`
	Checkin     Streak       `json:"checkin"`
	MonthlyMass Quota        `json:"monthly_mass" doc:"Mass sends that he got this month"`

	PrivacyRead string           `json:"privacy_read" doc:"Version of the privacy text that he accepted last"`
	Tier        *Standing        `json:"tier" doc:"null: the programme has no tiers"`
	RFM         RFMOf            `json:"rfm"`
	Entries     []Entry          `json:"entries" doc:"The last 20 lines of his ledger: GET …/entries has all"`
	Coupons     []Given          `json:"coupons" doc:"The last 20: GET …/coupons has all"`
	Events      []Event          `json:"events" doc:"What he did last, 20: GET …/events has all"`
	Deliveries  []MemberDelivery `json:"deliveries" doc:"The last 20 messages to him, and why he did not get some: GET …/deliveries has all"`
	Risks       []Risk           `json:"risks" doc:"The last 20: GET /admin/v1/risks has all"`
	Past        []Customer       `json:"past" doc:"What was known of him before he appeared"`
}

// Standing is where a person stands in the tiers.
type Standing struct {
	Tier     string    `json:"tier" example:"黄金" doc:"Empty: below every tier"`
	TierID   web.ID    `json:"tier_id"`
	Since    *web.Time `json:"since"`
	Account  string    `json:"account" example:"growth" doc:"What counts"`
	Value    int64     `json:"value" example:"2880"`
	Next     string    `json:"next" example:"白金" doc:"Empty: there is no higher one"`
	Gap      int64     `json:"gap" example:"120" doc:"What is missing to the next"`
	ReviewAt *web.Time `json:"review_at" doc:"When it is looked at whether the tier is kept; null: never"`
	KeepGap  int64     `json:"keep_gap" doc:"What is missing to keep it then"`
	Held     *TierHold `json:"held" doc:"What an operator set by hand; null: nothing"`
}

// RFMOf is where a person stands in the ladders of his orders, and in the value pyramid: names of tags, empty for none.
type RFMOf struct {
	Recency   string `json:"recency" example:"常购客户"`
	Frequency string `json:"frequency" example:"复购用户"`
	Money     string `json:"money"`
	Pyramid   string `json:"pyramid"`
}

const factsHistory = 20

func (h *handler) getMember(ctx context.Context, in *byID) (*web.Out[Facts], error) {
	m, err := h.Members.Get(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	f := Facts{Member: h.member(m), PrivacyRead: m.PrivacyRead}
	for _, part := range []func(context.Context, *Facts, int64) error{
		h.identitiesOf, h.holdingsOf, h.tagsOf, h.habitsOf, h.mergesOf, h.boughtOf, h.tierOf, h.lastOf, h.pastOf,
	} {
		if err := part(ctx, &f, m.ID); err != nil {
			return nil, err
		}
	}
	return &web.Out[Facts]{Body: f}, nil
}

func (h *handler) tierOf(ctx context.Context, f *Facts, id int64) error {
	v, err := h.Tiers.Of(ctx, id)
	if err != nil || v == nil {
		return err
	}
	s := &Standing{Since: web.AtPtr(v.Since), Account: v.Account, Value: v.Value, Gap: v.Gap, ReviewAt: web.AtPtr(v.ReviewAt), KeepGap: v.Short}
	if v.Tier != nil {
		s.Tier, s.TierID = v.Tier.Name, web.IDOf(v.Tier.ID)
	}
	if v.Next != nil {
		s.Next = v.Next.Name
	}
	if v.Held != nil {
		held := tierHold(*v.Held)
		s.Held = &held
	}
	f.Tier = s
	return nil
}

// lastOf is the first page of each list about him.
func (h *handler) lastOf(ctx context.Context, f *Facts, id int64) error {
	page := pageOf{f.ID, web.Paging{Limit: factsHistory}}
	return errors.Join(
		first(&f.Entries)(h.getEntries(ctx, &entriesIn{ID: page.ID, Paging: page.Paging})),
		first(&f.Coupons)(h.getMemberCoupons(ctx, &page)),
		first(&f.Events)(h.getEvents(ctx, &page)),
		first(&f.Deliveries)(h.getMemberDeliveries(ctx, &page)),
		first(&f.Risks)(h.getRisks(ctx, &risksIn{Paging: page.Paging, MemberID: OptionalID(f.ID)})),
	)
}

// first takes the rows of a page.
func first[T any](to *[]T) func(*web.Out[web.List[T]], error) error {
	return func(out *web.Out[web.List[T]], err error) error {
		if err == nil {
			*to = out.Body.Items
		}
		return err
	}
}

func (h *handler) pastOf(ctx context.Context, f *Facts, id int64) error {
	rows, err := h.Customers.List(ctx, customer.Query{MemberID: id, Limit: factsHistory})
	f.Past = make([]Customer, len(rows))
	for i, r := range rows {
		f.Past[i] = h.customerView(r)
	}
	return err
}

// Platform is what he bought on one platform.
type Platform struct {
	Platform string   `json:"platform" example:"douyin"`
	Orders   int64    `json:"orders" example:"3"`
	NetFen   int64    `json:"net_fen" example:"56700" doc:"Still paid, of all of them"`
	LastID   web.ID   `json:"last_id" doc:"The newest order"`
	LastAt   web.Time `json:"last_at"`
}

func (h *handler) boughtOf(ctx context.Context, f *Facts, id int64) error {
	list, err := h.Orders.ByPlatform(ctx, id)
	f.Orders = make([]Platform, len(list))
	for i, p := range list {
		f.Orders[i] = Platform{p.Platform, p.Orders, p.NetFen, web.IDOf(p.Last.ID), web.At(*p.Last.PaidAt)}
	}
	return err
}

func (h *handler) identitiesOf(ctx context.Context, f *Facts, id int64) error {
	rows, err := h.Members.Identities(ctx, id)
	if err != nil {
		return err
	}
	f.Identities = make([]Identity, len(rows))
	for i, r := range rows {
		accepted, err := h.Reach.Acceptances(ctx, r.ID)
		if err != nil {
			return err
		}
		f.Follower = f.Follower || r.Subscribed
		f.Identities[i] = identity(r, accepted)
	}
	return nil
}

func identity(r model.Identity, accepted []model.Acceptance) Identity {
	v := Identity{
		Account: r.Account, Kind: r.Kind, OpenID: r.OpenID, UnionID: r.UnionID, Subscribed: r.Subscribed, SubscribedAt: web.AtPtr(r.SubscribedAt),
		UnsubscribedAt: web.AtPtr(r.UnsubscribedAt), Scene: r.SubscribeScene, Accepted: make([]Accepted, len(accepted)),
	}
	for i, a := range accepted {
		v.Accepted[i] = Accepted{a.TemplateID, a.Count}
	}
	return v
}

func (h *handler) holdingsOf(ctx context.Context, f *Facts, id int64) error {
	views, err := h.Book.Balances(ctx, id)
	f.Accounts = holdings(ctx, views)
	return err
}

func (h *handler) tagsOf(ctx context.Context, f *Facts, id int64) error {
	held, err := h.Tags.Of(ctx, id)
	if err != nil {
		return err
	}
	f.Tags = heldTags(held)
	for code, name := range map[string]*string{tag.Recency: &f.RFM.Recency, tag.Frequency: &f.RFM.Frequency, tag.Money: &f.RFM.Money, tag.Pyramid: &f.RFM.Pyramid} {
		if i := slices.IndexFunc(held, func(t tag.Held) bool { return t.Code == code }); i >= 0 {
			*name = held[i].Name
		}
	}
	changes, err := h.Tags.History(ctx, id, factsHistory)
	f.TagHistory = make([]TagChange, len(changes))
	for i, c := range changes {
		f.TagHistory[i] = TagChange{web.IDOf(c.TagID), c.Set, c.Cause, web.IDOf(c.CauseID), web.IDOf(c.EventID), c.Reason, web.At(c.At)}
	}
	return err
}

// heldTags joins the causes of each tag; they come ordered by tag.
func heldTags(held []tag.Held) []HeldTag {
	out := []HeldTag{}
	for _, t := range held {
		id := web.IDOf(t.TagID)
		if n := len(out); n == 0 || out[n-1].ID != id {
			out = append(out, HeldTag{ID: id, Group: t.Group, Name: t.Name})
		}
		last := &out[len(out)-1]
		c := Cause{
			Cause: t.Cause, CauseID: web.IDOf(t.CauseID), EventID: web.IDOf(t.EventID), At: web.At(t.At), Version: t.Version, Evidence: json.RawMessage("[]"),
		}
		if len(t.Evidence) > 0 {
			c.Evidence = json.RawMessage(t.Evidence)
		}
		if !t.Until.IsZero() {
			until := web.At(t.Until)
			c.Until = &until
		}
		last.Causes = append(last.Causes, c)
	}
	return out
}

func (h *handler) habitsOf(ctx context.Context, f *Facts, id int64) error {
	month, err := h.Checkins.Month(ctx, id, "")
	if err != nil {
		return err
	}
	f.Checkin = Streak{month.Done, month.Streak}
	f.MonthlyMass.Used, f.MonthlyMass.Limit, err = h.Reach.MonthlyMass(ctx, id)
	return err
}

type pageOf struct {
	ID web.ID `path:"id"`
	web.Paging
}

// Event is something that a person did.
type Event struct {
	ID         web.ID          `json:"id"`
	Kind       string          `json:"kind" example:"checkin.done"`
	Name       string          `json:"name" example:"签到"`
	Source     string          `json:"source" example:"checkin"`
	Key        string          `json:"key"`
	Data       json.RawMessage `json:"data"`
	OccurredAt web.Time        `json:"occurred_at"`
	RecordedAt web.Time        `json:"recorded_at"`
}

func (h *handler) getEvents(ctx context.Context, in *pageOf) (*web.Out[web.List[Event]], error) {
	m, err := h.Members.Get(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	before, err := after(in.Paging)
	if err != nil {
		return nil, err
	}
	rows, err := h.Events.Of(ctx, m.ID, before, in.Limit+1)
	if err != nil {
		return nil, err
	}
	view := func(e model.Event) Event {
		return Event{web.IDOf(e.ID), e.Kind, event.KindName(web.Lang(ctx), e.Kind), e.Source, e.Key, raw(e.Data), web.At(e.OccurredAt), web.At(e.RecordedAt)}
	}
	return &web.Out[web.List[Event]]{Body: web.ListOf(rows, in.Limit, view, func(e model.Event) []any { return []any{e.ID} })}, nil
}

// raw is a stored document for JSON.
func raw(j model.JSON) json.RawMessage {
	if len(j) == 0 {
		return json.RawMessage("null")
	}
	return json.RawMessage(j)
}

// MemberDelivery is a message to a person, sent or not.
type MemberDelivery struct {
	Delivery
	Source   string   `json:"source" example:"broadcast"`
	SourceID web.ID   `json:"source_id"`
	Class    string   `json:"class" example:"marketing"`
	Text     string   `json:"text" doc:"As written, before variables"`
	RunAt    web.Time `json:"run_at"`
}

func (h *handler) getMemberDeliveries(ctx context.Context, in *pageOf) (*web.Out[web.List[MemberDelivery]], error) {
	m, err := h.Members.Get(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	before, err := after(in.Paging)
	if err != nil {
		return nil, err
	}
	rows, err := h.Reach.OfMember(ctx, m.ID, before, in.Limit+1)
	if err != nil {
		return nil, err
	}
	list := web.ListOf(rows, in.Limit, memberDelivery, func(s reach.Sent) []any { return []any{s.RunID} })
	return &web.Out[web.List[MemberDelivery]]{Body: list}, nil
}

func memberDelivery(s reach.Sent) MemberDelivery {
	var m reach.Message
	_ = s.Run.Message.Into(&m) // a message that cannot be read shows no text
	return MemberDelivery{delivery(s.Delivery), s.Run.Source, web.IDOf(s.Run.SourceID), s.Run.Class, m.Text, web.At(s.Run.CreatedAt)}
}
