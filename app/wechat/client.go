package wechat

import (
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/errs"
)

// The hosts that a Client may call. There are no others, with or without a map.
const (
	hostAPI = "api.weixin.qq.com"
	hostMP  = "mp.weixin.qq.com"
)

// Options configure a Client.
type Options struct {
	Accounts []Account
	// Hosts maps WeChat's hosts to base URLs of a sandbox. Empty means the real ones. Otherwise a host that is not in it is refused:
	// nothing leaks to the real WeChat from a sandbox.
	Hosts   map[string]string
	Tokens  TokenStore    // shared by all processes that serve the same accounts; nil means MemoryTokens
	Clock   clock.Clock   // for the expiry of tokens; nil means the machine's
	Timeout time.Duration // of one HTTP exchange; 0 means 10 s
	// OnCall sees every exchange: its path, WeChat's errcode (0 for success), an HTTP status that is not 200, or
	// CallNotSent or CallUnanswered; and how long it took.
	OnCall func(path string, code int, d time.Duration)
}

// Codes for OnCall, outside WeChat's range.
const (
	CallNotSent    = -1000
	CallUnanswered = -1001
)

// Client calls WeChat for several accounts. Safe for concurrent use; make one per process.
//
// Errors of its methods are *APIError, *TransportError, *TokenError or an *errs.Error for what was refused before the call.
// ClassOf and OutcomeOf read them; none prints a token, a secret or a URL.
type Client struct {
	wire     *wire
	tokens   TokenStore
	clock    clock.Clock
	accounts map[string]*holder
}

// holder is an account with its token.
type holder struct {
	Account
	tokenState
}

// NewClient checks the accounts and hosts. It makes no call.
func NewClient(o Options) (*Client, error) {
	w, err := newWire(o)
	if err != nil {
		return nil, err
	}
	c := &Client{wire: w, tokens: o.Tokens, clock: o.Clock, accounts: map[string]*holder{}}
	if c.tokens == nil {
		c.tokens = MemoryTokens()
	}
	if c.clock == nil {
		c.clock = clock.System{}
	}
	appids := map[string]bool{}
	for _, acc := range o.Accounts {
		if err := acc.Check(); err != nil {
			return nil, err
		}
		if c.accounts[acc.Name] != nil || appids[acc.AppID] {
			return nil, fmt.Errorf("wechat: account %s: its name or appid is configured twice", acc.Name)
		}
		c.accounts[acc.Name], appids[acc.AppID] = &holder{Account: acc}, true
	}
	useLibrary()
	return c, nil
}

// Close drops idle connections.
func (c *Client) Close() { c.wire.transport.CloseIdleConnections() }

// Account is the configuration of an account; false if there is none of that name.
func (c *Client) Account(name string) (Account, bool) {
	h, ok := c.accounts[name]
	if !ok {
		return Account{}, false
	}
	return h.Account, true
}

func (c *Client) holder(name string, kinds ...string) (*holder, error) {
	h, ok := c.accounts[name]
	if !ok {
		return nil, errs.New(errs.NotFound, "wechat.account_unknown", "account", name)
	}
	for _, kind := range kinds {
		if h.Kind != kind {
			return nil, errs.New(errs.Invalid, "wechat.kind_wrong", "account", name)
		}
	}
	return h, nil
}

func checkOpenID(openid string) error {
	if !isOpenID(openid) {
		return errs.Field("openid", "wechat.openid_invalid")
	}
	return nil
}

// baseURLs checks the host map.
func baseURLs(hosts map[string]string) (map[string]*url.URL, error) {
	if len(hosts) == 0 {
		return map[string]*url.URL{
			hostAPI: {Scheme: "https", Host: hostAPI},
			hostMP:  {Scheme: "https", Host: hostMP},
		}, nil
	}
	bases := map[string]*url.URL{}
	for host, base := range hosts {
		if host != hostAPI && host != hostMP && host != hostOpen {
			return nil, fmt.Errorf("wechat: host map: %q is not one of WeChat's hosts", host)
		}
		u, err := url.Parse(base)
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || u.RawQuery != "" || u.User != nil {
			return nil, errors.New("wechat: host map: the base of " + host + " must be an http or https URL")
		}
		bases[host] = u
	}
	return bases, nil
}
