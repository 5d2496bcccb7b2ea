package admin

import (
	"context"
	"net/http"

	"github.com/siyu-scrm/siyu/app/consent"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

// Consent is one word about being reached at the phone number.
type Consent struct {
	Kind     string   `json:"kind" enum:"sms,call"`
	Given    bool     `json:"given" doc:"false: taken back"`
	Source   string   `json:"source" enum:"import,member,admin,reply" doc:"Who said it: a file, the member himself, an operator for him, his reply to a message"`
	Evidence string   `json:"evidence" example:"import 3, line 17"`
	At       web.Time `json:"at"`
}

func consentOf(c model.Consent) Consent {
	return Consent{c.Kind, c.Given, c.Source, c.Evidence, web.At(c.At)}
}

type consentIn struct {
	ID   web.ID `path:"id"`
	Body struct {
		Kind     string `json:"kind" enum:"sms,call" example:"sms"`
		Given    bool   `json:"given" example:"true"`
		Evidence string `json:"evidence,omitempty" maxLength:"200" example:"signed form no. 17, shop Xujiahui" doc:"How he said it: needed to give one"`
	}
}

// Reach is by what a person may be reached now.
type Reach struct {
	Windows     []Window           `json:"windows" doc:"Customer messages that his actions opened, which ends first first"`
	MonthlyMass Quota              `json:"monthly_mass" doc:"Mass sends that he got this month"`
	Accepted    []TemplateAccepted `json:"accepted" doc:"Messages of templates that he accepted and did not get yet"`
	Consents    []Consent          `json:"consents" doc:"What holds now of SMS and calls; a kind that is absent was never consented to"`
	Ledger      []Consent          `json:"ledger" doc:"Every word of it, newest first"`
	OptedOutAt  *web.Time          `json:"opted_out_at" doc:"No marketing at all since then"`
}

// Window is customer messages that an action opened.
type Window struct {
	Account   string   `json:"account" example:"oa"`
	Kind      string   `json:"kind" enum:"message,menu,follow,scan" doc:"The action"`
	Remaining int      `json:"remaining" example:"5"`
	ExpiresAt web.Time `json:"expires_at"`
}

// TemplateAccepted is how many messages of a template a person accepted.
type TemplateAccepted struct {
	Account    string `json:"account" example:"mp"`
	Kind       string `json:"kind" enum:"mp,oa" doc:"mp: subscribe messages; oa: subscribe notices"`
	TemplateID string `json:"template_id"`
	Count      int    `json:"count" example:"2"`
}

func (h *handler) getReach(ctx context.Context, in *byID) (*web.Out[Reach], error) {
	m, err := h.Members.Get(ctx, in.ID.Int())
	if err != nil {
		return nil, err
	}
	q, err := h.Reach.Quota(ctx, m.ID)
	if err != nil {
		return nil, err
	}
	lines, now, err := h.Consents.Of(ctx, m.ID)
	if err != nil {
		return nil, err
	}
	v := Reach{
		Windows: make([]Window, len(q.Windows)), MonthlyMass: Quota{q.MassUsed, q.MassLimit}, Accepted: make([]TemplateAccepted, len(q.Accepted)),
		Consents: []Consent{}, Ledger: make([]Consent, len(lines)), OptedOutAt: web.AtPtr(m.OptedOutAt),
	}
	for i, w := range q.Windows {
		v.Windows[i] = Window{w.Account, w.Kind, w.Remaining, web.At(w.ExpiresAt)}
	}
	for i, a := range q.Accepted {
		v.Accepted[i] = TemplateAccepted{a.Account, a.Kind, a.TemplateID, a.Count}
	}
	for i, l := range lines {
		v.Ledger[i] = consentOf(l)
	}
	for _, kind := range consent.Kinds {
		if c, ok := now[kind]; ok {
			v.Consents = append(v.Consents, consentOf(c))
		}
	}
	return &web.Out[Reach]{Body: v}, nil
}

func (h *handler) consents(api *web.API) {
	web.Read(api, op(operator.MembersRead, http.MethodGet, "/members/{id}/reach", "By what he may be reached now, and what he said of it", http.StatusNotFound), h.getReach)
	o := post(operator.MembersWrite, "/members/{id}/consents", "Note that a member consents to SMS or calls, or does no more", http.StatusNotFound, http.StatusConflict)
	o.Description = "The ledger of consents is only added to. 409 where the member himself has refused: only he can consent again."
	web.Write(api, o, h.postConsent)
}

func (h *handler) postConsent(ctx context.Context, in *consentIn) (*web.Out[Consent], error) {
	ctx = audited(ctx, h, "member.consent", nil, func(c model.Consent) (string, any) {
		return object("member", c.MemberID), map[string]any{"kind": c.Kind, "given": c.Given}
	})
	c, err := h.Consents.Put(ctx, in.ID.Int(), in.Body.Kind, in.Body.Given, in.Body.Evidence)
	if err != nil {
		return nil, err
	}
	return &web.Out[Consent]{Body: consentOf(*c)}, nil
}
