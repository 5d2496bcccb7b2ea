package member

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/handler/web"
	"github.com/siyu-scrm/siyu/model"
)

type loginIn struct {
	Body struct {
		Account string `json:"account,omitempty" maxLength:"32" example:"mp" doc:"Name of the mini-program's account; the first one if absent."`
		Code    string `json:"code" minLength:"1" maxLength:"128" example:"0a1b2c3d" doc:"The code of wx.login: valid once, for five minutes."`
		Visitor string `json:"visitor,omitempty" maxLength:"100" doc:"What an opened radar link answered before the login: what that visitor did was he."`
	}
}

type login struct {
	web.Stamped
	Token     string   `json:"token"`
	ExpiresAt web.Time `json:"expires_at"`
	Privacy   Privacy  `json:"privacy"`
	Member    *Member  `json:"member" doc:"null until the person has registered"`
	Missing   []string `json:"missing" example:"[\"phone\"]" doc:"What is not known of the person: phone (ask with the phone-number button), unionid (bind the account to an Open Platform account)."`
}

type registerIn struct {
	Body struct {
		ProfileFields
		Account        string `json:"account,omitempty" maxLength:"32" example:"mp" doc:"The account that phone_code is of; the first mini-program if absent."`
		PhoneCode      string `json:"phone_code,omitempty" maxLength:"128" doc:"The code of the phone-number button."`
		PrivacyVersion string `json:"privacy_version,omitempty" maxLength:"32" example:"1" doc:"Version of the privacy text that the person accepted."`
	}
}

type registered struct {
	Status int
	Body   registration
}

type registration struct {
	web.Stamped
	Member  Member   `json:"member"`
	Grants  []Grant  `json:"grants" doc:"What registering earned; empty for who was a member before."`
	Missing []string `json:"missing" example:"[\"phone\"]"`
}

func (h *handler) session(api *web.API) {
	o := op(http.MethodPost, "/login", "Log in with the code of wx.login", http.StatusUnprocessableEntity, http.StatusServiceUnavailable)
	o.Description = "Makes the person at first contact. member is null until he registers; the token serves before and after. 401 TOKEN_EXPIRED elsewhere means: call this again."
	o.Security = web.Public
	web.Write(api, o, h.login)

	o = op(http.MethodPost, "/register", "Become a member", http.StatusUnprocessableEntity, http.StatusServiceUnavailable)
	o.Description = "201 the first time, with what it earned; 200 and nothing changed for who is a member already. Every field is optional."
	o.DefaultStatus = http.StatusCreated
	o.Responses = map[string]*huma.Response{"200": {Description: "He was a member before"}}
	web.Write(api, o, h.register)

	web.Read(api, op(http.MethodGet, "/me", "Who I am"), h.me)
}

func (h *handler) login(ctx context.Context, in *loginIn) (*web.Out[login], error) {
	account, err := h.mp(in.Body.Account)
	if err != nil {
		return nil, err
	}
	m, err := h.Members.Login(ctx, account, model.KindMP, in.Body.Code)
	if err != nil {
		return nil, err
	}
	if err := h.Radar.Known(ctx, m.ID, in.Body.Visitor); err != nil {
		return nil, err
	}
	token, expires, err := h.tokens.Issue(m.ID, int(m.TokenVersion))
	if err != nil {
		return nil, err
	}
	out := login{Stamped: web.Stamp(h.Clock), Token: token, ExpiresAt: web.At(expires), Privacy: h.privacyOf(m)}
	if m.Joined() {
		v := h.view(m)
		out.Member = &v
	}
	out.Missing, err = h.missing(ctx, m)
	return &web.Out[login]{Body: out}, err
}

func (h *handler) register(ctx context.Context, in *registerIn) (*registered, error) {
	b := in.Body
	account, err := h.mp(b.Account)
	if err != nil {
		return nil, err
	}
	var r *member.Registration
	if id := web.MemberID(ctx); b.PhoneCode == "" {
		r, err = h.Members.Register(ctx, id, b.profile(), b.PrivacyVersion)
	} else {
		r, err = h.Members.RegisterWithPhone(ctx, id, b.profile(), b.PrivacyVersion, account, b.PhoneCode)
	}
	if err != nil {
		return nil, err
	}
	out := &registered{Status: http.StatusOK, Body: registration{Stamped: web.Stamp(h.Clock), Member: h.view(&r.Member), Grants: grants(ctx, r.Grants)}}
	if r.New {
		out.Status = http.StatusCreated
	}
	out.Body.Missing, err = h.missing(ctx, &r.Member)
	return out, err
}

func (h *handler) me(ctx context.Context, _ *web.None) (*web.Out[me], error) {
	m, err := h.Members.Get(ctx, web.MemberID(ctx))
	if err != nil {
		return nil, err
	}
	return h.meOf(ctx, m)
}

// missing names what is not known of the person.
func (h *handler) missing(ctx context.Context, m *model.Member) ([]string, error) {
	missing := []string{}
	if m.PhoneIndex == "" {
		missing = append(missing, "phone")
	}
	ids, err := h.Members.Identities(ctx, m.ID)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		if id.UnionID != "" {
			return missing, nil
		}
	}
	return append(missing, "unionid"), nil
}
