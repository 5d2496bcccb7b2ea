package wechat

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/siyu-scrm/siyu/app/clock"
)

const (
	defaultTimeout = 10 * time.Second
	maxAnswer      = 8 << 20 // a page of 10,000 openids is about 300 KB
)

// wire makes single HTTP exchanges: no redirects, no retries, mapped hosts only.
type wire struct {
	transport *http.Transport
	bases     map[string]*url.URL
	timeout   time.Duration
	onCall    func(path string, code int, d time.Duration)
}

// request is one exchange. query holds no token and no secret; what must not be shown stands in secrets.
type request struct {
	method, host, path string
	query              url.Values
	body               []byte
	contentType        string     // of the body; empty means JSON
	secrets            url.Values // added to the query; scrubbed from every error
}

func newWire(o Options) (*wire, error) {
	bases, err := baseURLs(o.Hosts)
	if err != nil {
		return nil, err
	}
	var proxy func(*http.Request) (*url.URL, error)
	if len(o.Hosts) == 0 { // a sandbox is called directly
		proxy = http.ProxyFromEnvironment
	}
	dialer := &net.Dialer{Timeout: 3 * time.Second, KeepAlive: 30 * time.Second}
	w := &wire{bases: bases, timeout: o.Timeout, onCall: o.OnCall, transport: &http.Transport{
		Proxy:                 proxy,
		DialContext:           dialer.DialContext,
		TLSHandshakeTimeout:   3 * time.Second,
		MaxIdleConns:          512,
		MaxIdleConnsPerHost:   256,
		IdleConnTimeout:       30 * time.Second, // shorter than WeChat's, so that a send rarely meets a closing connection
		DisableCompression:    true,
		ExpectContinueTimeout: time.Second,
	}}
	if w.timeout <= 0 {
		w.timeout = defaultTimeout
	}
	return w, nil
}

// do makes one exchange and returns the body of a successful answer. An answer with an errcode is an *APIError.
func (w *wire) do(ctx context.Context, r request) ([]byte, error) {
	start := clock.Real()
	body, err := w.exchange(ctx, r)
	if err == nil {
		err = refusal(r, body)
	}
	if w.onCall != nil {
		w.onCall(r.path, callCode(err), clock.Real().Sub(start))
	}
	if err != nil {
		return nil, err
	}
	return body, nil
}

func callCode(err error) int {
	switch e := err.(type) { //nolint:errorlint // do returns these bare
	case *APIError:
		return e.Code
	case *TransportError:
		if e.Status != 0 {
			return e.Status
		}
		if !e.Reached {
			return CallNotSent
		}
		return CallUnanswered
	}
	return 0
}

func (w *wire) exchange(ctx context.Context, r request) ([]byte, error) {
	target, ok := w.target(r)
	if !ok {
		return nil, &TransportError{Path: r.path, Detail: "host not mapped: refused", config: true}
	}
	ctx, cancel := context.WithTimeout(ctx, w.timeout)
	defer cancel()
	var reached atomic.Bool // a connection was had: from here on bytes may have left
	trace := &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { reached.Store(true) }}
	failed := func(err error) error {
		return &TransportError{
			Path: r.path, Detail: conceal(phrase(ctx, err, reached.Load()), r.secrets), Reached: reached.Load(), cause: err,
		}
	}
	// The transport is used bare: a Client would follow redirects and put the URL, with its token, into errors.
	answer, err := w.transport.RoundTrip(newHTTP(httptrace.WithClientTrace(ctx, trace), r, target))
	if err != nil {
		return nil, failed(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	switch {
	case answer.StatusCode != http.StatusOK:
		return nil, &TransportError{Path: r.path, Status: answer.StatusCode, Reached: true}
	case err != nil:
		return nil, failed(err)
	case len(body) > maxAnswer:
		return nil, &TransportError{Path: r.path, Detail: "answer too large", Reached: true}
	}
	return body, nil
}

// target is where the request goes; false for a host outside the map. The library has a bug that asks for an empty host (FACTS 1.12).
func (w *wire) target(r request) (*url.URL, bool) {
	base, ok := w.bases[r.host]
	if !ok || !strings.HasPrefix(r.path, "/") {
		return nil, false
	}
	query := r.secrets.Encode()
	if len(r.query) > 0 {
		query = strings.TrimPrefix(query+"&"+r.query.Encode(), "&")
	}
	return &url.URL{Scheme: base.Scheme, Host: base.Host, Path: strings.TrimSuffix(base.Path, "/") + r.path, RawQuery: query}, true
}

func newHTTP(ctx context.Context, r request, target *url.URL) *http.Request {
	req := &http.Request{
		Method: r.method, URL: target, Host: target.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Accept": {"application/json"}},
	}
	if r.method == http.MethodPost {
		req.Header["Content-Type"] = []string{cmp.Or(r.contentType, "application/json; charset=utf-8")}
		req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(r.body)), int64(len(r.body))
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(r.body)), nil }
	}
	return req.WithContext(ctx)
}

var ridRule = regexp.MustCompile(`\s*,?\s*rid: ?([0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8})`)

// refusal is the errcode of an answer; nil for success. All our paths answer JSON: anything else is a broken answer.
func refusal(r request, body []byte) error {
	if string(body) == `{"errcode":0,"errmsg":"ok"}` { // most sends
		return nil
	}
	var e struct {
		Code json.Number `json:"errcode"`
		Msg  string      `json:"errmsg"`
	}
	if json.Unmarshal(body, &e) != nil {
		return &TransportError{Path: r.path, Detail: "answer is not JSON", Reached: true}
	}
	if e.Code == "" || e.Code == "0" {
		return nil
	}
	code, err := e.Code.Int64()
	if err != nil {
		return &TransportError{Path: r.path, Detail: "answer has no readable errcode", Reached: true}
	}
	api := &APIError{Path: r.path, Code: int(code), Msg: clip(clean(conceal(e.Msg, r.secrets)), 512), body: body}
	if at := ridRule.FindStringSubmatchIndex(api.Msg); at != nil {
		api.RID, api.Msg = api.Msg[at[2]:at[3]], strings.TrimSpace(api.Msg[:at[0]]+api.Msg[at[1]:])
	}
	return api
}

// phrase says what went wrong. Only the error of a connection that was never had is quoted: a later one may quote the request.
func phrase(ctx context.Context, err error, reached bool) string {
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return "timed out"
	case ctx.Err() != nil:
		return "cancelled"
	case !reached:
		return err.Error()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "connection closed before the whole answer"
	case errors.Is(err, syscall.ECONNRESET):
		return "connection reset"
	}
	return "connection broken"
}

func conceal(s string, secrets url.Values) string {
	for _, values := range secrets {
		for _, secret := range values {
			if len(secret) >= 4 {
				s = strings.ReplaceAll(s, secret, "***")
				s = strings.ReplaceAll(s, url.QueryEscape(secret), "***")
			}
		}
	}
	return s
}
