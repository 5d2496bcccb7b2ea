package member

import (
	"context"
	"net/http"

	"github.com/siyu-scrm/siyu/app/consent"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

// Member is the person as he sees himself.
type Member struct {
	ID        web.ID    `json:"id"`
	No        string    `json:"no" example:"1234567890" doc:"Member number"`
	JoinedAt  *web.Time `json:"joined_at" doc:"null until he registers"`
	Nickname  string    `json:"nickname" example:"小林"`
	Gender    string    `json:"gender" example:"female" doc:"male, female or empty"`
	Birthday  string    `json:"birthday" example:"2000-02-29" doc:"A day, or empty"`
	Address   string    `json:"address" example:"上海市黄浦区人民大道1号" doc:"As he wrote it, or empty: nobody else sees it"`
	Phone     string    `json:"phone" example:"138****0000" doc:"Masked, or empty"`
	Marketing bool      `json:"marketing" doc:"false: no marketing messages"`
	Location  bool      `json:"location" doc:"true: positions may be kept"`
}

func (h *handler) view(m *model.Member) Member {
	return Member{
		ID: web.IDOf(m.ID), No: m.No, JoinedAt: web.AtPtr(m.JoinedAt), Nickname: m.Nickname, Gender: m.Gender, Birthday: string(m.Birthday),
		Address: h.Members.Address(m), Phone: h.Members.Phone(m), Marketing: m.OptedOutAt == nil, Location: m.LocationOK,
	}
}

type me struct {
	web.Stamped
	Registered bool     `json:"registered"`
	Privacy    Privacy  `json:"privacy"`
	Member     Member   `json:"member"`
	Missing    []string `json:"missing" example:"[\"phone\"]"`
	Consents   Consents `json:"consents"`
}

// Consents are whether he may be reached at his phone number.
type Consents struct {
	SMS   bool `json:"sms" doc:"By SMS"`
	Calls bool `json:"calls" doc:"By calls"`
}

func (h *handler) meOf(ctx context.Context, m *model.Member) (*web.Out[me], error) {
	missing, err := h.missing(ctx, m)
	if err != nil {
		return nil, err
	}
	_, said, err := h.Consents.Of(ctx, m.ID)
	return &web.Out[me]{Body: me{
		Stamped: web.Stamp(h.Clock), Registered: m.Joined(), Privacy: h.privacyOf(m), Member: h.view(m), Missing: missing,
		Consents: Consents{said[consent.SMS].Given, said[consent.Call].Given},
	}}, err
}

// ProfileFields are what a person may say about himself; an absent field stays as it is.
type ProfileFields struct {
	Nickname *string `json:"nickname,omitempty" maxLength:"64" example:"小林"`
	Gender   *string `json:"gender,omitempty" enum:"male,female," example:"female"`
	Birthday *string `json:"birthday,omitempty" format:"date" example:"2000-02-29" doc:"Can be changed once in 365 days."`
	Address  *string `json:"address,omitempty" maxLength:"200" example:"上海市黄浦区人民大道1号" doc:"At most 100 characters; kept encrypted"`
}

func (f ProfileFields) profile() member.Profile {
	return member.Profile{Nickname: f.Nickname, Gender: f.Gender, Birthday: (*model.Day)(f.Birthday), Address: f.Address}
}

type profileIn struct{ Body ProfileFields }

type phoneIn struct {
	Body struct {
		Account string `json:"account,omitempty" maxLength:"32" example:"mp" doc:"The first mini-program if absent."`
		Code    string `json:"code" minLength:"1" maxLength:"128" example:"0a1b2c3d" doc:"The code of the phone-number button, not that of wx.login."`
	}
}

type preferencesIn struct {
	Body struct {
		Marketing *bool `json:"marketing,omitempty" example:"true" doc:"false: no marketing messages"`
		Location  *bool `json:"location,omitempty" example:"false" doc:"true: positions may be kept; false forgets the one that is kept"`

		SMS   *bool `json:"sms,omitempty" example:"true" doc:"true: I want to hear of things by SMS; false: never"`
		Calls *bool `json:"calls,omitempty" example:"false" doc:"The same of calls"`

		PrivacyVersion *string `json:"privacy_version,omitempty" minLength:"1" maxLength:"32" example:"1" doc:"Version of the privacy text that the person accepted now."`
	}
}

func (h *handler) profile(api *web.API) {
	web.Write(api, op(http.MethodPut, "/profile", "Change what I say about myself", http.StatusConflict), h.putProfile)
	web.Write(api, op(http.MethodPost, "/phone", "Give my phone number", http.StatusUnprocessableEntity, http.StatusServiceUnavailable), h.postPhone)
	web.Write(api, op(http.MethodPut, "/preferences", "Say what may be sent to me and kept of me"), h.putPreferences)
}

func (h *handler) putProfile(ctx context.Context, in *profileIn) (*web.Out[me], error) {
	return h.update(ctx, in.Body.profile())
}

func (h *handler) putPreferences(ctx context.Context, in *preferencesIn) (*web.Out[me], error) {
	if in.Body.SMS != nil || in.Body.Calls != nil {
		ctx = h.Consents.Said(ctx, map[string]*bool{consent.SMS: in.Body.SMS, consent.Call: in.Body.Calls})
	}
	return h.update(ctx, member.Profile{Marketing: in.Body.Marketing, LocationConsent: in.Body.Location, PrivacyRead: in.Body.PrivacyVersion})
}

func (h *handler) update(ctx context.Context, p member.Profile) (*web.Out[me], error) {
	m, err := h.Members.Update(ctx, web.MemberID(ctx), p)
	if err != nil {
		return nil, err
	}
	return h.meOf(ctx, m)
}

func (h *handler) postPhone(ctx context.Context, in *phoneIn) (*web.Out[me], error) {
	account, err := h.mp(in.Body.Account)
	if err != nil {
		return nil, err
	}
	m, err := h.Members.SetPhone(ctx, web.MemberID(ctx), account, in.Body.Code)
	if err != nil {
		return nil, err
	}
	return h.meOf(ctx, m)
}
