package wechat

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/silenceper/wechat/v2/util"
)

// The library sends everything through one process-global http.Client, mostly without a context, and prints whole URLs into its
// errors. So it never gets a real token or secret: each use of it is a numbered call, the number stands where the token would, and
// the global client's transport finds the Client, account and context again by that number. Requests without one are refused.
// Its objects are made per call, which costs an allocation and avoids its unlocked lazy getters.

var (
	libraryOnce  sync.Once
	libraryLast  atomic.Int64
	libraryCalls sync.Map // "call-17" → *libraryCall
)

type libraryCall struct {
	ctx    context.Context //nolint:containedctx // the library has no other way to carry it
	client *Client
	holder *holder
	path   string
	err    error // what our transport said; the library flattens some errors into text
}

func useLibrary() {
	libraryOnce.Do(func() {
		util.DefaultHTTPClient = &http.Client{
			Transport:     libraryTransport{},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	})
}

// library runs one use of the library. id takes the place of the access token or of the secret.
func (c *Client) library(ctx context.Context, h *holder, use func(id credential) error) error {
	id := "call-" + strconv.FormatInt(libraryLast.Add(1), 10)
	lc := &libraryCall{ctx: ctx, client: c, holder: h}
	libraryCalls.Store(id, lc)
	defer libraryCalls.Delete(id)
	err := use(credential(id))
	if lc.err != nil {
		return lc.err
	}
	if err != nil {
		return notUnderstood(lc.path)
	}
	return nil
}

func notUnderstood(path string) error {
	return &TransportError{Path: path, Detail: "answer not understood", Reached: true}
}

// credential is the number of a call, as the library's access token handle.
type credential string

func (c credential) GetAccessToken() (string, error) { return string(c), nil }

func (c credential) GetAccessTokenContext(context.Context) (string, error) { return string(c), nil }

type libraryTransport struct{}

// RoundTrip makes the exchange of a numbered call. It returns an error although there was an answer when that holds an errcode:
// http.Client passes it on, and library finds it in the call.
func (libraryTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	query := req.URL.Query()
	bySecret := query.Has("secret")
	id := query.Get("access_token")
	if bySecret {
		id = query.Get("secret")
	}
	found, ok := libraryCalls.Load(id)
	if !ok {
		return nil, errors.New("wechat: a request outside any call: refused")
	}
	lc, _ := found.(*libraryCall)
	query.Del("access_token")
	query.Del("secret")
	lc.path = req.URL.Path
	r := request{method: req.Method, host: req.URL.Host, path: req.URL.Path, query: query}
	if req.Body != nil {
		body, err := io.ReadAll(req.Body)
		_ = req.Body.Close()
		if err != nil {
			return nil, err
		}
		r.body = body
	}
	answer, err := lc.make(r, bySecret)
	if err != nil {
		lc.err = err
		return nil, err
	}
	return &http.Response{
		StatusCode: http.StatusOK, Status: "200 OK", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: req,
		Header: http.Header{"Content-Type": {"application/json"}}, ContentLength: int64(len(answer)), Body: io.NopCloser(bytes.NewReader(answer)),
	}, nil
}

func (lc *libraryCall) make(r request, bySecret bool) ([]byte, error) {
	if !bySecret {
		return lc.client.call(lc.ctx, lc.holder, r)
	}
	r.secrets = map[string][]string{"secret": {lc.holder.Secret}}
	return lc.client.wire.do(lc.ctx, r)
}
