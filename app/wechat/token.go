package wechat

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// TokenStore keeps access tokens where every process finds them. A store that fails costs only an extra call to WeChat: in
// stable mode all processes are given the same token anyway.
type TokenStore interface {
	// Get returns "" without an error when there is none.
	Get(ctx context.Context, appid string) (token string, expires time.Time, err error)
	// Put replaces the token of an appid.
	Put(ctx context.Context, appid, token string, expires time.Time) error
}

// MemoryTokens is a TokenStore for one process.
func MemoryTokens() TokenStore { return &memoryTokens{rows: map[string]accessToken{}} }

type memoryTokens struct {
	mu   sync.Mutex
	rows map[string]accessToken
}

func (m *memoryTokens) Get(_ context.Context, appid string) (string, time.Time, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	row := m.rows[appid]
	return row.text, row.until, nil
}

func (m *memoryTokens) Put(_ context.Context, appid, token string, expires time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rows[appid] = accessToken{token, expires}
	return nil
}

type accessToken struct {
	text  string
	until time.Time // use it before this instant of app time
}

// tokenState is one account's token and the one fetch of it that may be under way.
type tokenState struct {
	mu      sync.Mutex
	current accessToken
	fetch   *fetch
	forced  time.Time // app time of the last forced refresh: WeChat allows 20 a day, 30 s apart
}

type fetch struct {
	done chan struct{}
	err  error
}

const (
	forceGap    = time.Minute
	fetchBudget = 20 * time.Second
)

// token returns a usable token that is not stale (one that WeChat has just refused; "" for none). However many callers ask,
// one fetch runs; it outlives the caller who started it.
func (c *Client) token(ctx context.Context, h *holder, stale string) (string, error) {
	for range 3 {
		h.mu.Lock()
		if t := h.current; t.text != "" && t.text != stale && c.clock.Now().Before(t.until) {
			h.mu.Unlock()
			return t.text, nil
		}
		f := h.fetch
		if f == nil {
			f = &fetch{done: make(chan struct{})}
			h.fetch = f
			go c.runFetch(context.WithoutCancel(ctx), h, f, stale)
		}
		h.mu.Unlock()
		select {
		case <-f.done:
		case <-ctx.Done():
			return "", &TokenError{ctx.Err()}
		}
		if f.err != nil {
			return "", &TokenError{f.err}
		}
	}
	return "", &TokenError{errors.New("every token that WeChat gave was refused")}
}

func (c *Client) runFetch(ctx context.Context, h *holder, f *fetch, stale string) {
	ctx, cancel := context.WithTimeout(ctx, fetchBudget)
	defer cancel()
	t, err := c.findToken(ctx, h, stale)
	h.mu.Lock()
	defer h.mu.Unlock()
	if err == nil {
		h.current = t
	}
	f.err, h.fetch = err, nil
	close(f.done)
}

// findToken looks into the store, then asks WeChat, and forces a new token only when WeChat insists on the dead one.
func (c *Client) findToken(ctx context.Context, h *holder, stale string) (accessToken, error) {
	if text, until, err := c.tokens.Get(ctx, h.AppID); err == nil && text != "" && text != stale && c.clock.Now().Before(until) {
		return accessToken{text, until}, nil
	}
	t, err := c.stableToken(ctx, h, false)
	if err == nil && t.text == stale {
		if now := c.clock.Now(); !h.forced.IsZero() && now.Sub(h.forced) < forceGap {
			return accessToken{}, errors.New("the token is refused and was renewed less than a minute ago")
		}
		h.forced = c.clock.Now() // only the one fetch reads and writes it
		t, err = c.stableToken(ctx, h, true)
	}
	if err != nil {
		return accessToken{}, err
	}
	_ = c.tokens.Put(ctx, h.AppID, t.text, t.until) // see TokenStore
	return t, nil
}

// stableToken asks WeChat. The token is used until shortly before its end, when WeChat has a new one ready (FACTS 3.1).
func (c *Client) stableToken(ctx context.Context, h *holder, force bool) (accessToken, error) {
	b := append([]byte(`{"grant_type":"client_credential","appid":`), appendJSON(nil, h.AppID)...)
	b = append(appendJSON(append(b, `,"secret":`...), h.Secret), `,"force_refresh":`...)
	if force {
		b = append(b, "true}"...)
	} else {
		b = append(b, "false}"...)
	}
	asked := c.clock.Now()
	r := request{method: http.MethodPost, host: hostAPI, path: "/cgi-bin/stable_token", body: b}
	answer, err := c.wire.do(ctx, r)
	if err != nil {
		return accessToken{}, hideSecret(err, h.Secret)
	}
	var got struct {
		Token   string `json:"access_token"`
		Expires int64  `json:"expires_in"`
	}
	if json.Unmarshal(answer, &got) != nil || got.Token == "" || got.Expires <= 0 {
		return accessToken{}, &TransportError{Path: r.path, Detail: "answer holds no token", Reached: true}
	}
	life := time.Duration(min(got.Expires, 7200)) * time.Second
	return accessToken{got.Token, asked.Add(max(life-2*time.Minute, life/2))}, nil
}

// hideSecret removes the secret, should WeChat or a proxy have repeated it.
func hideSecret(err error, secret string) error {
	secrets := url.Values{"secret": {secret}}
	switch e := err.(type) { //nolint:errorlint // wire.do returns these bare
	case *APIError:
		e.Msg = conceal(e.Msg, secrets)
	case *TransportError:
		e.Detail = conceal(e.Detail, secrets)
	}
	return err
}

// call makes an exchange with the account's token. A token that WeChat refuses is renewed once, and the exchange repeated once:
// WeChat has done nothing for the first.
func (c *Client) call(ctx context.Context, h *holder, r request) ([]byte, error) {
	stale := ""
	for {
		token, err := c.token(ctx, h, stale)
		if err != nil {
			return nil, err
		}
		r.secrets = url.Values{"access_token": {token}}
		body, err := c.wire.do(ctx, r)
		api, refused := err.(*APIError) //nolint:errorlint // wire.do returns it bare
		if !refused || stale != "" || api.Class() != ClassTokenDead {
			return body, err
		}
		stale = token
	}
}

// post is call with a JSON body.
func (c *Client) post(ctx context.Context, h *holder, path string, body []byte) ([]byte, error) {
	return c.call(ctx, h, request{method: http.MethodPost, host: hostAPI, path: path, body: body})
}
