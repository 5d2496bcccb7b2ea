package sandbox

import (
	"net/http"
	"net/url"
	"regexp"
)

// UserHeader says who holds the phone, by his id: what WeChat's own browser knows of him.
const UserHeader = "X-Sandbox-User"

var stateForm = regexp.MustCompile(`^[0-9A-Za-z]{0,128}$`)

// authorizePage leads who is in WeChat back to the page that asked, with a code (FACTS 3.4, scope snsapi_base: nobody is asked). Any other
// browser sees what WeChat shows it.
func authorizePage(c *call) answer {
	page := func(text string) answer {
		return answer{status: http.StatusOK, typ: "text/html; charset=utf-8", body: []byte("<html><body>" + text + "</body></html>")}
	}
	a, back := c.s.accountByAppID(c.query.Get("appid")), c.query.Get("redirect_uri")
	u, err := url.Parse(back)
	switch {
	case a == nil:
		return page("appid 参数错误")
	case a.Kind != KindService || c.query.Get("scope") != "snsapi_base" || c.query.Get("response_type") != "code":
		return page("scope 参数错误或没有 scope 权限")
	case err != nil || u.Host == "" || !stateForm.MatchString(c.query.Get("state")):
		return page("redirect_uri 参数错误")
	}
	n, _, err := c.s.find(c.r.Header.Get(UserHeader))
	if err != nil {
		return page("请在微信客户端打开链接")
	}
	q := u.Query()
	q.Set("code", c.s.newCode(&code{kind: "web", acct: a, person: n}))
	q.Set("state", c.query.Get("state"))
	u.RawQuery = q.Encode()
	return answer{status: http.StatusFound, typ: "text/html", to: u.String()}
}

// webLogin exchanges such a code.
func webLogin(c *call) answer {
	if c.query.Get("grant_type") != "authorization_code" {
		return c.fail(40002)
	}
	a, errcode := c.credentials(c.query.Get("appid"), c.query.Get("secret"))
	if errcode != 0 {
		return c.fail(errcode)
	}
	k := c.s.codes[c.query.Get("code")]
	switch {
	case c.query.Get("code") == "":
		return c.fail(41008)
	case k == nil || k.kind != "web" || k.acct != a:
		return c.fail(40029)
	case k.used:
		return c.fail(40163)
	case !c.now.Before(k.until):
		return c.fail(40029)
	}
	k.used = true
	return c.give(map[string]any{
		"access_token": randomText(64, alnum), "expires_in": 7200, "refresh_token": randomText(64, alnum), "openid": a.openid(k.person), "scope": "snsapi_base",
	})
}
