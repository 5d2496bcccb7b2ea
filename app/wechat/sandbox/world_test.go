package sandbox

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// start is a Monday, 09:00 in Shanghai.
var start = time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC)

// world is a sandbox behind HTTP and a siyu that answers as told.
type world struct {
	t    *testing.T
	s    *Sandbox
	api  *httptest.Server
	siyu *siyu
	toks map[string]string
}

// siyu is the other end of the pushes: it opens them with the sandbox's keys and answers with reply.
type siyu struct {
	mu     sync.Mutex
	srv    *httptest.Server
	pushes []received
	reply  func(n int, r received, w http.ResponseWriter) // n counts from 1; nil answers success
}

type received struct {
	account string
	query   url.Values
	header  http.Header
	raw     string
}

func newWorld(t *testing.T, opts Options) *world {
	t.Helper()
	w := &world{t: t, siyu: &siyu{}, toks: map[string]string{}}
	w.siyu.srv = httptest.NewServer(http.HandlerFunc(w.siyu.serve))
	t.Cleanup(w.siyu.srv.Close)
	if opts.Start.IsZero() {
		opts.Start = start
	}
	opts.Frozen = true
	opts.CallbackBase = w.siyu.srv.URL
	s, err := Open(opts)
	require.NoError(t, err)
	w.s = s
	w.api = httptest.NewServer(s.Handler())
	t.Cleanup(func() {
		w.api.Close()
		if s.ctx.Err() == nil {
			require.NoError(t, s.Close())
		}
	})
	return w
}

func (f *siyu) serve(w http.ResponseWriter, r *http.Request) {
	raw, _ := io.ReadAll(r.Body)
	got := received{r.URL.Path[len("/wechat/"):], r.URL.Query(), r.Header.Clone(), string(raw)}
	f.mu.Lock()
	f.pushes = append(f.pushes, got)
	n, reply := len(f.pushes), f.reply
	f.mu.Unlock()
	if reply == nil {
		_, _ = io.WriteString(w, "success")
		return
	}
	reply(n, got, w)
}

func (f *siyu) answer(reply func(n int, r received, w http.ResponseWriter)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reply = reply
}

func (f *siyu) got() []received {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]received(nil), f.pushes...)
}

func (w *world) account(name string) Account {
	for _, a := range w.s.Accounts() {
		if a.Name == name {
			return a
		}
	}
	w.t.Fatalf("no account %s", name)
	return Account{}
}

// open is a push of safe mode, opened and checked as siyu would.
func (w *world) open(r received) map[string]string {
	w.t.Helper()
	a := w.account(r.account)
	b, err := newBox(a.Token, a.EncodingAESKey, a.AppID)
	require.NoError(w.t, err)
	var sealed sealedReply
	require.NoError(w.t, parseBody([]byte(r.raw), &sealed))
	require.Equal(w.t, "aes", r.query.Get("encrypt_type"))
	require.Equal(w.t, sign(a.Token, r.query.Get("timestamp"), r.query.Get("nonce")), r.query.Get("signature"))
	plain, err := b.open(r.query.Get("msg_signature"), r.query.Get("timestamp"), r.query.Get("nonce"), sealed.Encrypt)
	require.NoError(w.t, err)
	return flat(w.t, plain)
}

// flat is the leaves of a message by name.
func flat(t *testing.T, plain []byte) map[string]string {
	t.Helper()
	out := map[string]string{}
	if plain[0] == '{' {
		var m map[string]any
		dec := json.NewDecoder(bytes.NewReader(plain))
		dec.UseNumber()
		require.NoError(t, dec.Decode(&m))
		var walk func(m map[string]any)
		walk = func(m map[string]any) {
			for k, v := range m {
				if sub, ok := v.(map[string]any); ok {
					walk(sub)
					continue
				}
				out[k] = fmt.Sprint(v)
			}
		}
		walk(m)
		return out
	}
	dec := xml.NewDecoder(bytes.NewReader(plain))
	name := ""
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return out
		}
		require.NoError(t, err)
		switch v := tok.(type) {
		case xml.StartElement:
			name = v.Name.Local
		case xml.CharData:
			out[name] += string(v)
		case xml.EndElement:
			name = ""
		}
	}
}

// sealReply is a passive text reply in safe mode.
func (w *world) sealReply(r received, content string) string {
	a := w.account(r.account)
	b, err := newBox(a.Token, a.EncodingAESKey, a.AppID)
	require.NoError(w.t, err)
	plain := fmt.Sprintf("<xml><ToUserName><![CDATA[%s]]></ToUserName><FromUserName><![CDATA[%s]]></FromUserName><CreateTime>1</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[%s]]></Content></xml>",
		r.query.Get("openid"), a.OriginalID, content)
	enc := b.seal([]byte(plain), nil)
	return fmt.Sprintf("<xml><Encrypt><![CDATA[%s]]></Encrypt><MsgSignature><![CDATA[%s]]></MsgSignature><TimeStamp>5</TimeStamp><Nonce><![CDATA[n]]></Nonce></xml>",
		enc, sign(a.Token, "5", "n", enc))
}

// token fetches a stable token once per account.
func (w *world) token(name string) string {
	if w.toks[name] == "" {
		w.toks[name] = w.stable(name, false)["access_token"].(string)
	}
	return w.toks[name]
}

func (w *world) stable(name string, force bool) map[string]any {
	a := w.account(name)
	return w.postRaw("/cgi-bin/stable_token", map[string]any{"grant_type": "client_credential", "appid": a.AppID, "secret": a.Secret, "force_refresh": force})
}

func (w *world) plain(name string) map[string]any {
	a := w.account(name)
	return w.fetch("/cgi-bin/token?grant_type=client_credential&appid=" + a.AppID + "&secret=" + a.Secret)
}

func (w *world) fetch(path string) map[string]any {
	w.t.Helper()
	res, err := http.Get(w.api.URL + path)
	require.NoError(w.t, err)
	return w.body(res)
}

func (w *world) body(res *http.Response) map[string]any {
	w.t.Helper()
	defer res.Body.Close()
	dec := json.NewDecoder(res.Body)
	dec.UseNumber()
	var out map[string]any
	require.NoError(w.t, dec.Decode(&out))
	return out
}

func (w *world) postRaw(path string, body any) map[string]any {
	w.t.Helper()
	var raw bytes.Buffer
	enc := json.NewEncoder(&raw)
	enc.SetEscapeHTML(false)
	require.NoError(w.t, enc.Encode(body))
	res, err := http.Post(w.api.URL+path, "application/json", &raw)
	require.NoError(w.t, err)
	return w.body(res)
}

// call posts to the API as the account.
func (w *world) call(name, path string, body any) map[string]any {
	w.t.Helper()
	return w.postRaw(path+"?access_token="+w.token(name), body)
}

func (w *world) get(name, path string) map[string]any {
	w.t.Helper()
	return w.fetch(path + "?access_token=" + w.token(name))
}

func errcode(m map[string]any) int {
	n, ok := m["errcode"].(json.Number)
	if !ok {
		return 0
	}
	v, _ := strconv.Atoi(n.String())
	return v
}

// control posts to the control API and requires the status.
func (w *world) control(status int, path string, body any) map[string]any {
	w.t.Helper()
	raw, err := json.Marshal(body)
	require.NoError(w.t, err)
	res, err := http.Post(w.api.URL+"/sandbox/api"+path, "application/json", bytes.NewReader(raw))
	require.NoError(w.t, err)
	require.Equal(w.t, status, res.StatusCode, path)
	return w.body(res)
}

// fan is a new person who follows oa.
func (w *world) fan(name string) Person {
	w.t.Helper()
	p := w.s.NewPerson(name, "")
	w.control(200, "/users/"+p.ID+"/follow", map[string]any{"account": "oa"})
	return p
}

func (w *world) custom(p Person) int {
	w.t.Helper()
	return errcode(w.call("oa", "/cgi-bin/message/custom/send", map[string]any{"touser": p.OpenIDs["oa"], "msgtype": "text", "text": map[string]string{"content": "你好"}}))
}

func (w *world) advance(d time.Duration) {
	w.t.Helper()
	require.NoError(w.t, w.s.Advance(w.t.Context(), d))
}
