package wechat_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/wechat"
	"github.com/siyu-scrm/siyu/app/wechat/sandbox"
)

// world is a sandbox, a Client of its accounts, and a callback that keeps every push and answers by reply.
type world struct {
	t      *testing.T
	box    *sandbox.Sandbox
	url    string
	client *wechat.Client
	reply  func(*wechat.Push) wechat.Reply

	mu     sync.Mutex
	pushes []*wechat.Push
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, reply: func(*wechat.Push) wechat.Reply { return wechat.Reply{} }}
	back := httptest.NewServer(http.HandlerFunc(w.callback))
	box, err := sandbox.Open(sandbox.Options{Frozen: true, Start: time.Date(2026, 11, 23, 1, 0, 0, 0, time.UTC), CallbackBase: back.URL})
	require.NoError(t, err)
	front := httptest.NewServer(box.Handler())
	w.box, w.url = box, front.URL
	o := wechat.Options{Hosts: map[string]string{"api.weixin.qq.com": front.URL, "mp.weixin.qq.com": front.URL}, Clock: box.Clock()}
	for _, name := range []string{"oa", "mp"} {
		o.Accounts = append(o.Accounts, w.account(name))
	}
	w.client, err = wechat.NewClient(o)
	require.NoError(t, err)
	t.Cleanup(func() {
		w.client.Close()
		_ = box.Close()
		front.Close()
		back.Close()
	})
	return w
}

// account is the sandbox's account, as siyu would configure it.
func (w *world) account(name string) wechat.Account {
	for _, a := range w.box.Accounts() {
		if a.Name != name {
			continue
		}
		acc := wechat.Account{
			Name: a.Name, Kind: wechat.KindOA, AppID: a.AppID, Secret: a.Secret, Token: a.Token, EncodingAESKey: a.EncodingAESKey,
			OriginalID: a.OriginalID, Mode: a.Mode,
		}
		if a.Kind == sandbox.KindMiniProgram {
			acc.Kind = wechat.KindMP
		}
		return acc
	}
	w.t.Fatalf("no account %s", name)
	return wechat.Account{}
}

func (w *world) callback(rw http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	acc := w.account(r.URL.Path[len("/wechat/"):])
	now := w.box.Clock().Now()
	p, err := wechat.Open(acc, r.URL.Query(), body, now)
	if err != nil {
		w.t.Errorf("push refused: %s", wechat.Reason(err))
		http.Error(rw, "", http.StatusForbidden)
		return
	}
	w.mu.Lock()
	w.pushes = append(w.pushes, p)
	w.mu.Unlock()
	ct, out, err := wechat.Seal(acc, p, w.reply(p), now)
	if err != nil {
		w.t.Error(err)
	}
	rw.Header().Set("Content-Type", ct)
	_, _ = rw.Write(out)
}

func (w *world) post(path, body string) map[string]any {
	w.t.Helper()
	res, err := http.Post(w.url+"/sandbox/api"+path, "application/json", bytes.NewReader([]byte(body))) //nolint:noctx // a test
	require.NoError(w.t, err)
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	require.NoError(w.t, err)
	require.Less(w.t, res.StatusCode, 300, "%s: %s", path, raw)
	out := map[string]any{}
	_ = json.Unmarshal(raw, &out)
	return out
}

// follower is a new person who follows the official account, and his openid there.
func (w *world) follower(scene string) (id, openid string) {
	w.t.Helper()
	id = w.box.NewPerson("Alice", "").ID
	w.post("/users/"+id+"/follow", fmt.Sprintf(`{"account":"oa","scene":%q}`, scene))
	w.mu.Lock()
	defer w.mu.Unlock()
	return id, w.pushes[len(w.pushes)-1].Person()
}

func (w *world) inbox(id string) []string {
	w.t.Helper()
	list, err := w.box.Inbox(id)
	require.NoError(w.t, err)
	var texts []string
	for _, m := range list {
		texts = append(texts, m.Content)
	}
	return texts
}

func (w *world) count(path string) int {
	_, counts := w.box.Calls(sandbox.CallFilter{})
	return counts[path]
}

func TestAgainstTheSandbox(t *testing.T) {
	t.Parallel()
	t.Run("PushesAndRepliesInEveryModeAndFormat", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.reply = func(p *wechat.Push) wechat.Reply { return wechat.Reply{Text: "你好 ]]> <b>&" + p.Scene()} }
		for _, mode := range []string{"plain", "compat", "safe"} {
			for _, format := range []string{"xml", "json"} {
				w.post("/accounts", fmt.Sprintf(`{"account":"oa","mode":%q,"format":%q,"bom":true,"string_numbers":true}`, mode, format))
				id, openid := w.follower("poster")
				require.Equal(t, []string{"你好 ]]> <b>&poster"}, w.inbox(id), mode+format)
				require.NotEmpty(t, openid)
				p := w.pushes[len(w.pushes)-1]
				require.Equal(t, format, p.Format)
				require.Equal(t, mode != "plain", p.Safe)
				require.Equal(t, w.box.Clock().Now().Unix(), p.CreateTime.Unix())
			}
		}
	})
	t.Run("TextArrivesAsWritten", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		id, openid := w.follower("")
		text := "积分 <b>&\"\\ 😀\nline"
		require.NoError(t, w.client.SendText(t.Context(), "oa", openid, text+"\x00"))
		require.Equal(t, []string{text}, w.inbox(id))
		require.NoError(t, w.box.Advance(t.Context(), 2*time.Minute))
		err := w.client.SendText(t.Context(), "oa", openid, text)
		require.Equal(t, wechat.ClassWindow, wechat.ClassOf(err))
	})
	t.Run("ADeadTokenIsRenewedOnceByAHundred", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		_, openid := w.follower("")
		_, err := w.client.UserInfo(t.Context(), "oa", openid)
		require.NoError(t, err)
		before := w.count("/cgi-bin/stable_token")
		w.post("/faults", `{"path":"/cgi-bin/user/info","kind":"revoke_token","times":1}`)
		var wg sync.WaitGroup
		var failed atomic.Int32
		for range 100 {
			wg.Go(func() {
				if info, err := w.client.UserInfo(t.Context(), "oa", openid); err != nil || !info.Subscribe {
					failed.Add(1)
				}
			})
		}
		wg.Wait()
		require.Zero(t, failed.Load())
		require.LessOrEqual(t, w.count("/cgi-bin/stable_token")-before, 2) // one renewal: a question, and a forced one if WeChat insists
	})
	t.Run("CodesServeOnce", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		id := w.box.NewPerson("Bob", "").ID
		code, _ := w.post("/users/"+id+"/login", `{"account":"mp"}`)["code"].(string)
		got, err := w.client.Code2Session(t.Context(), "mp", code)
		require.NoError(t, err)
		require.NotEmpty(t, got.UnionID)
		_, err = w.client.Code2Session(t.Context(), "mp", code)
		require.Equal(t, 40163, wechat.CodeOf(err))
		late, _ := w.post("/users/"+id+"/login", `{"account":"mp"}`)["code"].(string)
		phone, _ := w.post("/users/"+id+"/phone", `{"account":"mp","number":"13800138000"}`)["code"].(string)
		_, err = w.client.Code2Session(t.Context(), "mp", phone)
		require.Equal(t, 40029, wechat.CodeOf(err))
		number, err := w.client.PhoneNumber(t.Context(), "mp", phone)
		require.NoError(t, err)
		require.Equal(t, "13800138000", number)
		require.NoError(t, w.box.Advance(t.Context(), 5*time.Minute+time.Second))
		_, err = w.client.Code2Session(t.Context(), "mp", late)
		require.Equal(t, 40029, wechat.CodeOf(err))
	})
	t.Run("AMassSendWhoseAnswerIsLostIsSentOnce", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		alice, one := w.follower("")
		_, two := w.follower("")
		w.post("/faults", `{"path":"/cgi-bin/message/mass/send","kind":"timeout_after","times":1,"ms":1}`)
		send := func() (string, error) {
			return w.client.SendMass(t.Context(), "oa", []string{one, two}, "周末双倍", "c1-1")
		}
		_, err := send()
		require.Equal(t, wechat.Unknown, wechat.OutcomeOf(err))
		_, err = send()
		require.Equal(t, 45066, wechat.CodeOf(err))
		require.NoError(t, w.box.Advance(t.Context(), 61*time.Second))
		id, err := send()
		require.NoError(t, err)
		status, err := w.client.MassStatus(t.Context(), "oa", id)
		require.NoError(t, err)
		require.Equal(t, "SEND_SUCCESS", status)
		require.Equal(t, []string{"周末双倍"}, w.inbox(alice))
		last := w.pushes[len(w.pushes)-1]
		require.Equal(t, []any{"MASSSENDJOBFINISH", id, 2}, []any{last.Event, last.MsgID, last.SentCount})
	})
	t.Run("BrokenAnswersShowNoSecret", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		_, openid := w.follower("")
		acc := w.account("oa")
		for _, kind := range []string{"http_500", "truncated", "reset", "timeout_after"} {
			w.post("/faults", fmt.Sprintf(`{"path":"*","kind":%q,"times":3,"ms":1}`, kind))
			for _, call := range []func() error{
				func() error { return w.client.SendText(t.Context(), "oa", openid, "hi") }, // may stop at the token
				func() error { _, err := w.client.UserInfo(t.Context(), "oa", openid); return err },
				func() error { _, err := w.client.Code2Session(t.Context(), "mp", "code"); return err },
			} {
				err := call()
				require.Error(t, err)
				require.NotContains(t, err.Error(), acc.Secret)
				require.NotContains(t, err.Error(), w.account("mp").Secret)
				require.NotContains(t, err.Error(), "access_token=")
			}
		}
	})
	t.Run("SettingsAndTemplates", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		ticket, err := w.client.QRCode(t.Context(), "oa", "poster", true)
		require.NoError(t, err)
		require.NotEmpty(t, ticket.Ticket)
		require.NoError(t, w.client.CreateMenu(t.Context(), "oa", []byte(`{"button":[{"type":"click","name":"签到","key":"CHECKIN"}]}`)))
		menu, err := w.client.GetMenu(t.Context(), "oa")
		require.NoError(t, err)
		require.Contains(t, string(menu), "CHECKIN")
		_, err = w.client.SubscribeTemplates(t.Context(), "mp")
		require.NoError(t, err)
		_, err = w.box.Bulk(25_000, "fan", "oa")
		require.NoError(t, err)
		pages, fans := 0, 0
		for last := ""; ; pages++ {
			page, err := w.client.FollowersAfter(t.Context(), "oa", last)
			require.NoError(t, err)
			require.EqualValues(t, 25_000, page.Total)
			if len(page.OpenIDs) == 0 {
				break
			}
			fans += len(page.OpenIDs)
			last = page.OpenIDs[len(page.OpenIDs)-1]
			infos, err := w.client.UserInfos(t.Context(), "oa", page.OpenIDs[:wechat.UserBatch])
			require.NoError(t, err)
			require.Len(t, infos, wechat.UserBatch)
			one, err := w.client.UserInfo(t.Context(), "oa", infos[7].OpenID)
			require.NoError(t, err)
			require.Equal(t, one, infos[7])
		}
		require.Equal(t, []int{3, 25_000}, []int{pages, fans})
	})
}
