package wechat

import (
	"context"

	"github.com/silenceper/wechat/v2/miniprogram/auth"
	mpconfig "github.com/silenceper/wechat/v2/miniprogram/config"
	mpcontext "github.com/silenceper/wechat/v2/miniprogram/context"

	"github.com/siyu-scrm/siyu/app/errs"
)

// Session is who logged in to a mini-program. SessionKey is a secret: it opens encryptedData.
type Session struct {
	OpenID, UnionID, SessionKey string
}

// Code2Session exchanges the code of wx.login, which is valid once and for five minutes. A used or expired one is errs.Invalid
// ("wechat.code_invalid"), like one that is no code at all: that is never sent.
func (c *Client) Code2Session(ctx context.Context, account, code string) (Session, error) {
	h, err := c.login(account, code)
	if err != nil {
		return Session{}, err
	}
	var s Session
	err = c.library(ctx, h, func(id credential) error {
		got, err := auth.NewAuth(mpContext(h, id)).Code2SessionContext(ctx, code)
		s = Session{got.OpenID, got.UnionID, got.SessionKey}
		return err
	})
	if err != nil {
		return Session{}, err
	}
	if !isOpenID(s.OpenID) {
		return Session{}, notUnderstood("/sns/jscode2session")
	}
	return s, nil
}

// PhoneNumber exchanges the code of the phone-number button, which is not the code of wx.login, for the number: bare for mainland
// China, with its country code for others. Its errors are those of Code2Session.
func (c *Client) PhoneNumber(ctx context.Context, account, code string) (string, error) {
	h, err := c.login(account, code)
	if err != nil {
		return "", err
	}
	var number string
	err = c.library(ctx, h, func(id credential) error {
		got, err := auth.NewAuth(mpContext(h, id)).GetPhoneNumberContext(ctx, code)
		if err != nil {
			return err
		}
		if mark := got.PhoneInfo.WaterMark.AppID; mark == "" || mark == h.AppID {
			number = got.PhoneInfo.PhoneNumber
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	if number == "" {
		return "", notUnderstood("/wxa/business/getuserphonenumber")
	}
	return number, nil
}

// login checks before the call: the library puts a code into the URL as it is, where it could rewrite the query (FACTS 1.11).
func (c *Client) login(account, code string) (*holder, error) {
	if !codeRule.MatchString(code) {
		return nil, errs.Field("code", "wechat.code_invalid")
	}
	return c.holder(account, KindMP)
}

// mpContext is the library's account. Where it wants a secret it gets the number of the call.
func mpContext(h *holder, id credential) *mpcontext.Context {
	return &mpcontext.Context{
		Config:                   &mpconfig.Config{AppID: h.AppID, AppSecret: string(id)},
		AccessTokenContextHandle: id,
	}
}
