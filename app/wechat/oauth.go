package wechat

import (
	"context"
	"net/url"
	"strings"

	"github.com/silenceper/wechat/v2/officialaccount/oauth"

	"github.com/siyu-scrm/siyu/app/errs"
)

// hostOpen is where browsers go; siyu itself calls nothing there.
const hostOpen = "open.weixin.qq.com"

// AuthorizeURL is where a page inside WeChat sends its reader to say who he is, without asking him (scope snsapi_base): WeChat leads him
// back to the address with a code and with state, letters and digits. The account is a verified service account whose page-authorization
// domain is that of the address.
func (c *Client) AuthorizeURL(account, back, state string) (string, error) {
	h, err := c.holder(account, KindOA)
	if err != nil {
		return "", err
	}
	to, err := oauth.NewOauth(oaContext(h, "")).GetRedirectURL(back, "snsapi_base", state)
	if base := c.wire.bases[hostOpen]; err == nil && base != nil {
		u, err := url.Parse(to)
		if err != nil {
			return "", err
		}
		u.Scheme, u.Host, u.Path = base.Scheme, base.Host, strings.TrimSuffix(base.Path, "/")+u.Path
		return u.String(), nil
	}
	return to, err
}

// Reader is who came back from there; UnionID is there only where WeChat tells it.
type Reader struct {
	OpenID, UnionID string
}

// ReaderOf exchanges the code, which is valid once and for five minutes. A used or expired one is errs.Invalid ("wechat.code_invalid"), and
// so is that of a snapshot page, whose openid is nobody's (FACTS 3.4).
func (c *Client) ReaderOf(ctx context.Context, account, code string) (r Reader, err error) {
	if !codeRule.MatchString(code) {
		return r, errs.Field("code", "wechat.code_invalid")
	}
	h, err := c.holder(account, KindOA)
	if err != nil {
		return r, err
	}
	var snapshot bool
	err = c.library(ctx, h, func(id credential) error {
		got, err := oauth.NewOauth(oaContext(h, id)).GetUserAccessTokenContext(ctx, code)
		r, snapshot = Reader{got.OpenID, got.UnionID}, got.IsSnapShotUser != 0
		return err
	})
	switch {
	case err != nil:
		return Reader{}, err
	case snapshot:
		return Reader{}, errs.Field("code", "wechat.code_invalid")
	case !isOpenID(r.OpenID):
		return Reader{}, notUnderstood("/sns/oauth2/access_token")
	}
	return r, nil
}
