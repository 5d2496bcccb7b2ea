package doctor

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/siyu-scrm/siyu/app/wechat"
)

// callback asks siyu what WeChat asks when its console is given the address, rightly and wrongly signed.
func (e *examination) callback(ctx context.Context) {
	const name = "callback"
	if e.Public == "" {
		e.say(name, Note, "not looked at: set server.public_url to the address that WeChat's console calls, such as https://siyu.example.com")
		return
	}
	address := strings.TrimSuffix(e.Public, "/") + "/wechat/" + e.account.Name
	u, err := url.Parse(address)
	if err != nil {
		e.say(name, Wrong, "server.public_url is no address")
		return
	}
	if p := u.Port(); !e.Sandbox && p != "" && p != "80" && p != "443" {
		e.say(name, Wrong, "WeChat calls the ports 80 and 443 only: server.public_url has %s", p)
		return
	}
	echo := rand.Text()
	status, body, err := e.ask(ctx, address, echo, e.account.Token)
	switch {
	case err != nil:
		e.say(name, Wrong, "%s cannot be reached: %v. Is siyu serving, and does the proxy pass /wechat/ on?", address, err)
		return
	case status >= 300 && status < 400:
		e.say(name, Wrong, "%s redirects (HTTP %d), which WeChat does not follow", address, status)
		return
	case status == http.StatusUnauthorized:
		e.say(name, Wrong, "%s refuses the token of these settings: the siyu that serves there was started with another one", address)
		return
	case status == http.StatusNotFound:
		e.say(name, Wrong, "%s is not found: the siyu there has no account %q, or the proxy does not pass /wechat/ on", address, e.account.Name)
		return
	case status != http.StatusOK || body != echo:
		e.say(name, Wrong, "%s answers HTTP %d and not the echo: something else than siyu is there, such as a login or an error page", address, status)
		return
	}
	status, body, err = e.ask(ctx, address, echo, e.account.Token+"x")
	if err != nil || status == http.StatusOK && body == echo {
		e.say(name, Wrong, "%s answers a forged signature: something else than siyu is there", address)
		return
	}
	e.say(name, OK, "%s answers, and refuses a wrong signature. It is what WeChat's console must be given, in mode %s", address, e.mode())
}

func (e *examination) mode() string {
	switch {
	case e.account.Mode != "":
		return e.account.Mode
	case e.account.EncodingAESKey != "":
		return wechat.ModeSafe
	}
	return wechat.ModePlain
}

// ask is one question of WeChat's console. The error names no URL: that holds the signature.
func (e *examination) ask(ctx context.Context, address, echo, token string) (status int, body string, err error) {
	stamp, nonce := strconv.FormatInt(e.Clock.Now().Unix(), 10), rand.Text()[:10]
	q := url.Values{"signature": {wechat.Signature(token, stamp, nonce)}, "timestamp": {stamp}, "nonce": {nonce}, "echostr": {echo}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"?"+q.Encode(), nil)
	if err != nil {
		return 0, "", errors.New("no address")
	}
	res, err := e.HTTP.Do(req)
	if err != nil {
		var named *url.Error
		if errors.As(err, &named) {
			err = named.Err
		}
		return 0, "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, 4<<10))
	return res.StatusCode, string(b), err
}
