package wechat_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/silenceper/wechat/v2/util"
	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/wechat"
)

const (
	secret = "SECRETsecretSECRETsecret"
	openid = "oABCDEFabcdef0123456789-_xyz"
)

// server is a WeChat of one test: it answers by path, and gives tokens T1, T2, … of which those in dead are refused.
type server struct {
	*httptest.Server
	t       testing.TB
	answers sync.Map // path → func(w, r, body) or string
	mu      sync.Mutex
	calls   []string // path, or path + "!" for a forced token
	bodies  map[string]string
	queries map[string]string
	issued  int
	dead    map[string]bool
}

func newServer(t testing.TB) *server {
	s := &server{t: t, bodies: map[string]string{}, queries: map[string]string{}, dead: map[string]bool{}}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *server) answer(path, body string) { s.answers.Store(path, body) }

func (s *server) handle(path string, f func(w http.ResponseWriter, r *http.Request, body string)) {
	s.answers.Store(path, f)
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, _ := io.ReadAll(r.Body)
	body := string(raw)
	if r.URL.Path == "/cgi-bin/stable_token" {
		_, _ = io.WriteString(w, s.stable(body))
		return
	}
	s.mu.Lock()
	s.calls = append(s.calls, r.URL.Path)
	s.bodies[r.URL.Path], s.queries[r.URL.Path] = body, r.URL.RawQuery
	token := r.URL.Query().Get("access_token")
	dead := s.dead[token]
	s.mu.Unlock()
	if dead {
		_, _ = fmt.Fprintf(w, `{"errcode":40001,"errmsg":"invalid credential, access_token %s is invalid rid: 6a3ba761-6ef7535a-33c60a10"}`, token)
		return
	}
	switch a, _ := s.answers.Load(r.URL.Path); f := a.(type) {
	case func(http.ResponseWriter, *http.Request, string):
		f(w, r, body)
	case string:
		_, _ = io.WriteString(w, f)
	default:
		_, _ = io.WriteString(w, `{"errcode":0,"errmsg":"ok"}`)
	}
}

// stable gives the newest token; a new one if forced, or at first.
func (s *server) stable(body string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	force := strings.Contains(body, `"force_refresh":true`)
	if force || s.issued == 0 {
		s.issued++
	}
	s.calls = append(s.calls, "/cgi-bin/stable_token"+map[bool]string{true: "!"}[force])
	return fmt.Sprintf(`{"access_token":"TOKEN-%d","expires_in":7200}`, s.issued)
}

func (s *server) count(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, c := range s.calls {
		if c == path {
			n++
		}
	}
	return n
}

func (s *server) options() wechat.Options {
	return wechat.Options{
		Accounts: []wechat.Account{
			{Name: "oa", Kind: wechat.KindOA, AppID: "wxoa", Secret: secret},
			{Name: "mp", Kind: wechat.KindMP, AppID: "wxmp", Secret: secret},
		},
		Hosts: map[string]string{"api.weixin.qq.com": s.URL, "mp.weixin.qq.com": s.URL},
		Clock: clock.NewFrozen(time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)),
	}
}

func (s *server) client(change ...func(*wechat.Options)) *wechat.Client {
	s.t.Helper()
	o := s.options()
	for _, f := range change {
		f(&o)
	}
	c, err := wechat.NewClient(o)
	require.NoError(s.t, err)
	s.t.Cleanup(c.Close)
	return c
}

// holding is a store that holds the token for wxoa.
func holding(t testing.TB, token string) func(*wechat.Options) {
	return func(o *wechat.Options) {
		o.Tokens = wechat.MemoryTokens()
		require.NoError(t, o.Tokens.Put(t.Context(), "wxoa", token, time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)))
	}
}

func TestToken(t *testing.T) {
	t.Parallel()
	const send, stable, forced = "/cgi-bin/message/custom/send", "/cgi-bin/stable_token", "/cgi-bin/stable_token!"
	t.Run("IsFetchedOnceAndShared", func(t *testing.T) {
		t.Parallel()
		s := newServer(t)
		store := wechat.MemoryTokens()
		share := func(o *wechat.Options) { o.Tokens = store }
		a, b := s.client(share), s.client(share)
		require.NoError(t, a.SendText(t.Context(), "oa", openid, "hi"))
		require.NoError(t, a.SendText(t.Context(), "oa", openid, "hi"))
		require.NoError(t, b.SendText(t.Context(), "oa", openid, "hi"))
		require.Equal(t, 1, s.count(stable))
		require.Equal(t, "access_token=TOKEN-1", s.queries[send])
	})
	t.Run("RefusedOnceIsRenewedAndTheCallRepeatedOnce", func(t *testing.T) {
		t.Parallel()
		s := newServer(t)
		s.dead["stale"] = true
		require.NoError(t, s.client(holding(t, "stale")).SendText(t.Context(), "oa", openid, "hi"))
		require.Equal(t, []string{send, stable, send}, s.calls)
	})
	t.Run("AHundredAtOnceRenewOnce", func(t *testing.T) {
		t.Parallel()
		s := newServer(t)
		s.dead["stale"] = true
		c := s.client(holding(t, "stale"))
		var wg sync.WaitGroup
		var failed atomic.Int32
		for range 100 {
			wg.Go(func() {
				if c.SendText(t.Context(), "oa", openid, "hi") != nil {
					failed.Add(1)
				}
			})
		}
		wg.Wait()
		require.Zero(t, failed.Load())
		require.Equal(t, 1, s.count(stable))
		require.Zero(t, s.count(forced))
	})
	t.Run("IsForcedOnlyWhenWeChatInsistsOnTheDeadOne", func(t *testing.T) {
		t.Parallel()
		s := newServer(t)
		c := s.client()
		require.NoError(t, c.SendText(t.Context(), "oa", openid, "hi"))
		s.dead["TOKEN-1"] = true
		require.NoError(t, c.SendText(t.Context(), "oa", openid, "hi"))
		require.Equal(t, []string{stable, send, send, stable, forced, send}, s.calls)

		s.mu.Lock()
		s.dead["TOKEN-2"] = true
		s.mu.Unlock()
		err := c.SendText(t.Context(), "oa", openid, "hi") // 20 forced refreshes a day: not again within the minute
		require.Equal(t, wechat.NotSent, wechat.OutcomeOf(err))
		require.Equal(t, 1, s.count(forced))
	})
	t.Run("AnsweredDeadAgainAfterRenewalIsAnError", func(t *testing.T) {
		t.Parallel()
		s := newServer(t)
		s.dead["stale"], s.dead["TOKEN-1"] = true, true
		err := s.client(holding(t, "stale")).SendText(t.Context(), "oa", openid, "hi")
		require.Equal(t, wechat.ClassTokenDead, wechat.ClassOf(err))
		require.Equal(t, wechat.Rejected, wechat.OutcomeOf(err))
		require.Equal(t, 2, s.count(send))
		require.NotContains(t, err.Error(), "TOKEN-1")
		var api *wechat.APIError
		require.ErrorAs(t, err, &api)
		require.Equal(t, "6a3ba761-6ef7535a-33c60a10", api.RID)
	})
	t.Run("EndsWithTheBusinessClock", func(t *testing.T) {
		t.Parallel()
		s := newServer(t)
		o := s.options()
		clk := clock.NewFrozen(time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC))
		o.Clock = clk
		c, err := wechat.NewClient(o)
		require.NoError(t, err)
		for _, step := range []time.Duration{0, 118*time.Minute - time.Second, time.Second} {
			clk.Set(clk.Now().Add(step))
			require.NoError(t, c.SendText(t.Context(), "oa", openid, "hi"))
		}
		require.Equal(t, 2, s.count(stable))
	})
	t.Run("WithoutOneNothingIsSent", func(t *testing.T) {
		t.Parallel()
		for code, class := range map[int]wechat.Class{40125: wechat.ClassConfig, 40001: wechat.ClassConfig, 45009: wechat.ClassDayQuota, -1: wechat.ClassTransient} {
			s := newServer(t)
			bad := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				quoted, _ := json.Marshal("bad " + string(body))
				_, _ = fmt.Fprintf(w, `{"errcode":%d,"errmsg":%s}`, code, quoted)
			}))
			t.Cleanup(bad.Close)
			err := s.client(func(o *wechat.Options) { o.Hosts["api.weixin.qq.com"] = bad.URL }).SendText(t.Context(), "oa", openid, "hi")
			require.Equal(t, wechat.NotSent, wechat.OutcomeOf(err))
			require.Equal(t, class, wechat.ClassOf(err))
			require.NotContains(t, err.Error(), secret)
		}
	})
	t.Run("OneCallersImpatienceIsNotTheOthers", func(t *testing.T) {
		t.Parallel()
		s := newServer(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		c := s.client()
		err := c.SendText(ctx, "oa", openid, "hi")
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, wechat.NotSent, wechat.OutcomeOf(err))
		require.NoError(t, c.SendText(t.Context(), "oa", openid, "hi"))
	})
}

func TestTransport(t *testing.T) {
	t.Parallel()
	const send = "/cgi-bin/message/custom/send"
	// quiet checks what every failure must keep to itself.
	quiet := func(t *testing.T, err error) {
		t.Helper()
		require.Error(t, err)
		for _, text := range []string{err.Error(), fmt.Sprintf("%v %+v", err, errors.Unwrap(err))} {
			for _, hidden := range []string{secret, "TOKEN-512", "access_token", "http://"} {
				require.NotContains(t, text, hidden)
			}
		}
	}
	t.Run("UnansweredIsUnknownUnreachedIsNotSent", func(t *testing.T) {
		t.Parallel()
		breaks := map[string]func(w http.ResponseWriter, r *http.Request, _ string){
			"502 with HTML": func(w http.ResponseWriter, r *http.Request, _ string) {
				w.WriteHeader(http.StatusBadGateway)
				_, _ = io.WriteString(w, "<html>"+r.URL.String())
			},
			"truncated": func(w http.ResponseWriter, _ *http.Request, _ string) { _, _ = io.WriteString(w, `{"errcode":0,"err`) },
			"cut short": func(w http.ResponseWriter, _ *http.Request, _ string) {
				w.Header().Set("Content-Length", "100")
				_, _ = io.WriteString(w, `{"errcode":0`)
			},
			"reset": func(w http.ResponseWriter, _ *http.Request, _ string) {
				conn, _, err := http.NewResponseController(w).Hijack()
				if err == nil {
					_ = conn.(*net.TCPConn).SetLinger(0)
					_ = conn.Close()
				}
			},
			"no HTTP": func(w http.ResponseWriter, r *http.Request, _ string) {
				conn, _, err := http.NewResponseController(w).Hijack()
				if err == nil {
					_, _ = io.WriteString(conn, "WHAT "+r.URL.String()+"\r\n\r\n")
					_ = conn.Close()
				}
			},
		}
		for name, f := range breaks {
			s := newServer(t)
			c := s.client(holding(t, "TOKEN-512"))
			s.handle(send, f)
			err := c.SendText(t.Context(), "oa", openid, "hi")
			quiet(t, err)
			require.Equal(t, wechat.Unknown, wechat.OutcomeOf(err), name)
			require.Equal(t, wechat.ClassAmbiguous, wechat.ClassOf(err), name)
			require.Equal(t, errs.Unavailable, errs.CodeOf(err), name)
			s.handle("/sns/jscode2session", f)
			_, err = c.Code2Session(t.Context(), "mp", "code")
			quiet(t, err)
			s.handle("/cgi-bin/user/info", f)
			_, err = c.UserInfo(t.Context(), "oa", openid)
			quiet(t, err)
			require.Equal(t, wechat.Unknown, wechat.OutcomeOf(err), name)
		}
		s := newServer(t)
		c := s.client(holding(t, "TOKEN-512"))
		s.Close()
		err := c.SendText(t.Context(), "oa", openid, "hi")
		quiet(t, err)
		require.Equal(t, wechat.NotSent, wechat.OutcomeOf(err))
		require.Equal(t, wechat.ClassNotSent, wechat.ClassOf(err))
	})
	t.Run("ACallGivenUpAfterItLeftIsUnknown", func(t *testing.T) {
		t.Parallel()
		s := newServer(t)
		ctx, cancel := context.WithCancel(t.Context())
		s.handle(send, func(_ http.ResponseWriter, r *http.Request, _ string) {
			cancel()
			<-r.Context().Done()
		})
		err := s.client(holding(t, "TOKEN-512")).SendText(ctx, "oa", openid, "hi")
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, wechat.Unknown, wechat.OutcomeOf(err))
	})
	t.Run("RedirectsAreNotFollowed", func(t *testing.T) {
		t.Parallel()
		s := newServer(t)
		s.handle(send, func(w http.ResponseWriter, r *http.Request, _ string) {
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		})
		err := s.client(holding(t, "TOKEN-512")).SendText(t.Context(), "oa", openid, "hi")
		quiet(t, err)
		require.Equal(t, wechat.Rejected, wechat.OutcomeOf(err))
		require.Zero(t, s.count("/elsewhere"))
	})
	t.Run("HostsOutsideTheMapAreRefused", func(t *testing.T) {
		t.Parallel()
		s := newServer(t)
		c := s.client(func(o *wechat.Options) { delete(o.Hosts, "api.weixin.qq.com") })
		err := c.SendText(t.Context(), "oa", openid, "hi")
		require.Equal(t, wechat.ClassConfig, wechat.ClassOf(err))
		_, err = c.Code2Session(t.Context(), "mp", "code")
		require.Equal(t, wechat.ClassConfig, wechat.ClassOf(err))
		require.Empty(t, s.calls)
		for _, hosts := range []map[string]string{
			{"evil.example": s.URL}, {"": s.URL}, {"api.weixin.qq.com": ""}, {"api.weixin.qq.com": "ftp://x"}, {"api.weixin.qq.com": "/path"},
		} {
			_, err := wechat.NewClient(wechat.Options{Hosts: hosts})
			require.Error(t, err)
		}
	})
	t.Run("TheLibraryCannotCallOnItsOwn", func(t *testing.T) {
		t.Parallel()
		newServer(t).client()
		for _, u := range []string{"?access_token=x", "https://api.weixin.qq.com/cgi-bin/user/get?access_token=TOKEN-1", "https://example.com/?secret=x"} {
			_, err := util.HTTPGet(u)
			require.ErrorContains(t, err, "refused")
		}
	})
	t.Run("ManyClientsInOneProcessKeepApart", func(t *testing.T) {
		t.Parallel()
		var wg sync.WaitGroup
		for i := range 20 {
			s := newServer(t)
			c := s.client()
			id := fmt.Sprintf("o-user-%d", i)
			s.answer("/cgi-bin/user/info", `{"subscribe":1,"openid":"`+id+`","unionid":"u`+strconv.Itoa(i)+`"}`)
			for range 5 {
				wg.Go(func() {
					info, err := c.UserInfo(t.Context(), "oa", id)
					if err != nil || info.UnionID != "u"+strconv.Itoa(i) {
						t.Errorf("client %d got %+v, %v", i, info, err)
					}
				})
			}
		}
		wg.Wait()
	})
	t.Run("EveryExchangeIsReported", func(t *testing.T) {
		t.Parallel()
		s := newServer(t)
		var mu sync.Mutex
		var seen []string
		c := s.client(func(o *wechat.Options) {
			o.OnCall = func(path string, code int, d time.Duration) {
				mu.Lock()
				defer mu.Unlock()
				seen = append(seen, path+" "+strconv.Itoa(code))
				if d < 0 {
					t.Error("negative duration")
				}
			}
		})
		s.answer(send, `{"errcode":45015,"errmsg":"response out of time limit"}`)
		require.Equal(t, wechat.ClassWindow, wechat.ClassOf(c.SendText(t.Context(), "oa", openid, "hi")))
		s.handle(send, func(w http.ResponseWriter, _ *http.Request, _ string) { w.WriteHeader(http.StatusServiceUnavailable) })
		require.Error(t, c.SendText(t.Context(), "oa", openid, "hi"))
		c.Close() // no idle connection is left that could be mistaken for an answering server
		s.Close()
		require.Error(t, c.SendText(t.Context(), "oa", openid, "hi"))
		require.Equal(t, []string{"/cgi-bin/stable_token 0", send + " 45015", send + " 503", send + " -1000"}, seen)
	})
}

func TestErrors(t *testing.T) {
	t.Parallel()
	for code, want := range map[int]wechat.Class{
		40014: wechat.ClassTokenDead, -1: wechat.ClassTransient, 45011: wechat.ClassMinuteLimit, 45009: wechat.ClassDayQuota,
		40164: wechat.ClassConfig, 43101: wechat.ClassRecipient, 45047: wechat.ClassWindow, 47003: wechat.ClassContent, 46003: wechat.ClassRefused,
	} {
		err := fmt.Errorf("reach: %w", &wechat.APIError{Path: "/x", Code: code, Msg: "m"})
		require.Equal(t, want, wechat.ClassOf(err), code)
		require.Equal(t, wechat.Rejected, wechat.OutcomeOf(err), code)
		require.Equal(t, code, wechat.CodeOf(err))
	}
	require.Equal(t, wechat.Sent, wechat.OutcomeOf(nil))
	require.Equal(t, errs.WeChatRefused, errs.CodeOf(&wechat.APIError{Code: 45015}))
	require.Equal(t, errs.Unavailable, errs.CodeOf(&wechat.APIError{Code: -1}))
	require.Equal(t, errs.Invalid, errs.CodeOf(&wechat.APIError{Code: 40163}))
}

func BenchmarkSendText(b *testing.B) {
	s := newServer(b)
	c := s.client()
	require.NoError(b, c.SendText(b.Context(), "oa", openid, "hi"))
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"errcode":0,"errmsg":"ok"}`) })
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := c.SendText(b.Context(), "oa", openid, "每日签到，积分翻倍"); err != nil {
				b.Error(err)
			}
		}
	})
}
