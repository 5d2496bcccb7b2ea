package webhook_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/broadcast"
	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/config"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/app/webhook"
	"github.com/siyu-scrm/siyu/model"
)

// shop is a system of the brand's that is told of events. It answers what answer says.
type shop struct {
	*httptest.Server
	mu     sync.Mutex
	calls  []call
	answer func(n int, w http.ResponseWriter) // n: calls before this one
}

type call struct {
	header http.Header
	body   string
}

func newShop(t *testing.T) *shop {
	s := &shop{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		n := len(s.calls)
		s.calls = append(s.calls, call{r.Header, string(body)})
		answer := s.answer
		s.mu.Unlock()
		if answer != nil {
			answer(n, w)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *shop) got() []call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls
}

func (s *shop) answers(f func(n int, w http.ResponseWriter)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = f
}

func status(code int) func(int, http.ResponseWriter) {
	return func(_ int, w http.ResponseWriter) { w.WriteHeader(code) }
}

// signed reports whether the secret is one of those that signed the call.
func (c call) signed(t *testing.T, secret string) bool {
	t.Helper()
	raw, ok := strings.CutPrefix(secret, "whsec_")
	require.True(t, ok)
	key, err := base64.StdEncoding.DecodeString(raw)
	require.NoError(t, err)
	mac := hmac.New(sha256.New, key)
	_, _ = fmt.Fprintf(mac, "%s.%s.%s", c.header.Get("webhook-id"), c.header.Get("webhook-timestamp"), c.body)
	want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	for _, one := range strings.Split(c.header.Get("webhook-signature"), " ") {
		if one == want {
			return true
		}
	}
	return false
}

func private(c *config.Config) { c.Webhook.AllowPrivate = true }

func endpoint(t *testing.T, w *apptest.World, url string, kinds ...string) *webhook.Made {
	t.Helper()
	m, err := w.Webhooks.Create(t.Context(), "operator:1", webhook.Input{URL: url, Kinds: kinds})
	require.NoError(t, err)
	return m
}

func deliveries(t *testing.T, w *apptest.World, id int64) []model.WebhookDelivery {
	t.Helper()
	rows, err := w.Webhooks.Deliveries(t.Context(), webhook.Query{EndpointID: id, Limit: 100})
	require.NoError(t, err)
	return rows
}

func TestDelivery(t *testing.T) {
	t.Parallel()
	t.Run("AnEventIsToldOnceSignedWithItsFactsAndGrants", func(t *testing.T) {
		t.Parallel()
		w, s := apptest.New(t, private), newShop(t)
		w.Rule("talk", "behavior.talk", apptest.Earns(3, ""))
		alice := w.Joined("alice")
		made := endpoint(t, w, s.URL, "behavior.*")
		other := endpoint(t, w, s.URL+"/orders", "member.followed")
		require.NoError(t, w.Behave(alice, "talk", "1", w.Now()))
		require.Empty(t, s.got(), "nothing is called in the transaction")
		w.Settle()
		w.Settle()
		require.Len(t, s.got(), 1)
		got := s.got()[0]
		require.True(t, got.signed(t, made.Secret))
		require.False(t, got.signed(t, other.Secret))
		require.Equal(t, "application/json", got.header.Get("Content-Type"))

		var p struct {
			Type, Timestamp string
			Data            struct {
				EventID string `json:"event_id"`
				Member  struct {
					No     string
					Joined bool
				}
				Facts  map[string]any
				Grants []map[string]any
			}
		}
		require.NoError(t, json.Unmarshal([]byte(got.body), &p))
		m, err := w.Members.Get(t.Context(), alice)
		require.NoError(t, err)
		require.Equal(t, "behavior.talk", p.Type)
		require.Equal(t, "2026-11-23T09:00:00+08:00", p.Timestamp)
		require.Equal(t, m.No, p.Data.Member.No)
		require.True(t, p.Data.Member.Joined)
		require.Equal(t, "evt_"+p.Data.EventID, got.header.Get("webhook-id"))
		require.Len(t, p.Data.Grants, 1)
		require.EqualValues(t, 3, p.Data.Grants[0]["amount"])
		require.Equal(t, "talk", p.Data.Grants[0]["rule"])
		require.NotContains(t, got.body, "openid")
		d := deliveries(t, w, made.ID)
		require.Equal(t, model.WebhookDone, d[0].State)
		require.Empty(t, deliveries(t, w, other.ID))
	})
	t.Run("AnErasureIsToldByTheMemberNumberAlone", func(t *testing.T) {
		t.Parallel()
		w, s := apptest.New(t, private), newShop(t)
		w.Rule("all", "behavior.talk", apptest.Earns(3, ""))
		alice := w.Joined("alice")
		m, err := w.Members.Get(t.Context(), alice)
		require.NoError(t, err)
		endpoint(t, w, s.URL, model.EventErased)
		require.NoError(t, w.Members.Erase(t.Context(), alice))
		require.Error(t, w.Members.Erase(t.Context(), alice), "he is erased already")
		w.Settle()
		require.Len(t, s.got(), 1)
		var p webhook.Payload
		require.NoError(t, json.Unmarshal([]byte(s.got()[0].body), &p))
		require.Equal(t, model.EventErased, p.Type)
		require.Equal(t, m.No, p.Data.Member.No)
		require.JSONEq(t, "{}", string(p.Data.Facts))
		require.NotContains(t, s.got()[0].body, "alice")
	})
	t.Run("ARepeatIsNotToldAgain", func(t *testing.T) {
		t.Parallel()
		w, s := apptest.New(t, private), newShop(t)
		alice := w.Joined("alice")
		made := endpoint(t, w, s.URL)
		require.NoError(t, w.Behave(alice, "talk", "1", w.Now()))
		require.NoError(t, w.Behave(alice, "talk", "1", w.Now()), "a repeat of the fact")
		require.Len(t, deliveries(t, w, made.ID), 1)
	})
	t.Run("WithoutEndpointsThereIsNothing", func(t *testing.T) {
		t.Parallel()
		w, s := apptest.New(t, private), newShop(t)
		alice := w.Joined("alice")
		made := endpoint(t, w, s.URL)
		require.NoError(t, w.Webhooks.Delete(t.Context(), "operator:1", made.ID))
		require.NoError(t, w.Behave(alice, "talk", "1", w.Now()))
		w.Settle()
		require.Empty(t, s.got())
		require.Zero(t, w.Count(&model.WebhookDelivery{}))
	})
	t.Run("ManyWorkersMakeEachCallOnce", func(t *testing.T) {
		t.Parallel()
		w, s := apptest.New(t, private), newShop(t)
		alice := w.Joined("alice")
		endpoint(t, w, s.URL, "behavior.*")
		for i := range 20 {
			require.NoError(t, w.Behave(alice, "talk", fmt.Sprint(i), w.Now()))
		}
		var wg sync.WaitGroup
		for range 6 {
			wg.Go(func() {
				for {
					did, err := w.Webhooks.Work(context.WithoutCancel(t.Context()))
					if err != nil {
						t.Error(err)
					}
					if !did {
						return
					}
				}
			})
		}
		wg.Wait()
		w.Settle()
		ids := map[string]bool{}
		for _, c := range s.got() {
			ids[c.header.Get("webhook-id")] = true
		}
		require.Len(t, ids, 20)
		require.Len(t, s.got(), 20)
	})
}

func TestRetry(t *testing.T) {
	t.Parallel()
	t.Run("AFailureComesAgainByTheScheduleUntilItIsTaken", func(t *testing.T) {
		t.Parallel()
		w, s := apptest.New(t, private), newShop(t)
		alice := w.Joined("alice")
		made := endpoint(t, w, s.URL, "behavior.*")
		s.answers(func(n int, w http.ResponseWriter) {
			if n < 3 {
				w.WriteHeader(http.StatusInternalServerError)
				_, _ = io.WriteString(w, strings.Repeat("x", 5000))
			}
		})
		require.NoError(t, w.Behave(alice, "talk", "1", w.Now()))
		w.Settle()
		require.Len(t, s.got(), 1)
		w.Advance(4 * time.Second)
		require.Len(t, s.got(), 1)
		w.Advance(2 * time.Second)
		require.Len(t, s.got(), 2)
		w.Advance(4 * time.Minute)
		require.Len(t, s.got(), 2)
		w.Advance(time.Hour)
		require.Len(t, s.got(), 4)
		require.Equal(t, s.got()[0].header.Get("webhook-id"), s.got()[3].header.Get("webhook-id"))
		require.True(t, s.got()[3].signed(t, made.Secret))
		v, err := w.Webhooks.Delivery(t.Context(), deliveries(t, w, made.ID)[0].ID)
		require.NoError(t, err)
		require.Equal(t, model.WebhookDone, v.State)
		require.Len(t, v.Attempts, 4)
		require.Equal(t, 500, v.Attempts[0].Status)
		require.Len(t, v.Attempts[0].Excerpt, 1000)
		require.Equal(t, 200, v.Attempts[3].Status)
		require.JSONEq(t, s.got()[3].body, string(v.Body))
	})
	t.Run("RetryAfterIsHeeded", func(t *testing.T) {
		t.Parallel()
		w, s := apptest.New(t, private), newShop(t)
		alice := w.Joined("alice")
		endpoint(t, w, s.URL, "behavior.*")
		s.answers(func(n int, w http.ResponseWriter) {
			if n == 0 {
				w.Header().Set("Retry-After", "600")
				w.WriteHeader(http.StatusTooManyRequests)
			}
		})
		require.NoError(t, w.Behave(alice, "talk", "1", w.Now()))
		w.Advance(9 * time.Minute)
		require.Len(t, s.got(), 1)
		w.Advance(2 * time.Minute)
		require.Len(t, s.got(), 2)
	})
	t.Run("AfterThreeDaysItIsGivenUpAndAnEndpointThatTookNothingIsOff", func(t *testing.T) {
		t.Parallel()
		w, s := apptest.New(t, private), newShop(t)
		alice := w.Joined("alice")
		made := endpoint(t, w, s.URL, "behavior.*")
		s.answers(status(http.StatusInternalServerError))
		require.NoError(t, w.Behave(alice, "talk", "1", w.Now()))
		w.Advance(48 * time.Hour)
		require.NoError(t, w.Behave(alice, "talk", "2", w.Now()))
		w.Advance(48 * time.Hour)
		d := deliveries(t, w, made.ID)
		require.Equal(t, model.WebhookFailed, d[1].State)
		require.Equal(t, 10, d[1].Attempts)
		e, err := w.Webhooks.Get(t.Context(), made.ID)
		require.NoError(t, err)
		require.Equal(t, []string{model.WebhookOff, model.WebhookAtFault}, []string{e.State, e.Reason})
		calls := len(s.got())
		require.NoError(t, w.Behave(alice, "talk", "3", w.Now()))
		w.Advance(96 * time.Hour)
		require.Len(t, s.got(), calls, "it is called no more")
		require.Len(t, deliveries(t, w, made.ID), 2, "and told of nothing new")
		require.Equal(t, model.WebhookFailed, deliveries(t, w, made.ID)[0].State)
	})
	t.Run("OneThatTakesOthersStaysOn", func(t *testing.T) {
		t.Parallel()
		w, s := apptest.New(t, private), newShop(t)
		alice := w.Joined("alice")
		made := endpoint(t, w, s.URL, "behavior.*")
		s.answers(status(http.StatusInternalServerError))
		require.NoError(t, w.Behave(alice, "talk", "1", w.Now()))
		w.Settle()
		s.answers(nil)
		require.NoError(t, w.Behave(alice, "talk", "2", w.Now()))
		w.Settle()
		s.answers(status(http.StatusInternalServerError))
		w.Advance(96 * time.Hour)
		d := deliveries(t, w, made.ID)
		require.Equal(t, []string{model.WebhookDone, model.WebhookFailed}, []string{d[0].State, d[1].State})
		e, err := w.Webhooks.Get(t.Context(), made.ID)
		require.NoError(t, err)
		require.Equal(t, model.WebhookActive, e.State)
	})
	t.Run("410EndsTheEndpoint", func(t *testing.T) {
		t.Parallel()
		w, s := apptest.New(t, private), newShop(t)
		alice := w.Joined("alice")
		made := endpoint(t, w, s.URL)
		s.answers(status(http.StatusGone))
		require.NoError(t, w.Behave(alice, "talk", "1", w.Now()))
		require.NoError(t, w.Behave(alice, "talk", "2", w.Now()))
		w.Settle()
		require.Len(t, s.got(), 1)
		e, err := w.Webhooks.Get(t.Context(), made.ID)
		require.NoError(t, err)
		require.Equal(t, []string{model.WebhookOff, model.WebhookGone}, []string{e.State, e.Reason})
		for _, d := range deliveries(t, w, made.ID) {
			require.Equal(t, model.WebhookFailed, d.State)
		}
	})
	t.Run("AKilledCallIsMadeAgainUnderItsID", func(t *testing.T) {
		t.Parallel()
		w, s := apptest.New(t, private), newShop(t)
		alice := w.Joined("alice")
		made := endpoint(t, w, s.URL)
		require.NoError(t, w.Behave(alice, "talk", "1", w.Now()))
		w.Tx(func(_ context.Context, tx *gorm.DB) error { // claimed by a process that died
			return tx.Model(&model.WebhookDelivery{}).Where("1 = 1").Updates(map[string]any{"attempts": 1, "lease_till": clock.Real().Add(time.Minute)}).Error
		})
		w.Settle()
		require.Empty(t, s.got(), "while the lease holds")
		w.Tx(func(_ context.Context, tx *gorm.DB) error {
			return tx.Model(&model.WebhookDelivery{}).Where("1 = 1").Update("lease_till", clock.Real().Add(-time.Second)).Error
		})
		w.Settle()
		require.Len(t, s.got(), 1)
		require.Equal(t, model.WebhookDone, deliveries(t, w, made.ID)[0].State)
	})
}

func TestGuardedCalls(t *testing.T) {
	t.Parallel()
	t.Run("APrivateAddressIsRefusedWhenSaved", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		for _, url := range []string{
			"https://127.0.0.1/", "https://localhost:8443/", "https://10.0.0.1/", "https://[::1]/", "https://[::ffff:192.168.0.1]/", "https://169.254.169.254/latest",
			"https://100.100.100.200/", "ftp://example.com/", "https://", "https://u:p@example.com/", "https://93.184.216.34/#x", "//93.184.216.34", "nonsense",
			"https://93.184.216.34/" + strings.Repeat("x", 500),
		} {
			_, err := w.Webhooks.Create(t.Context(), "operator:1", webhook.Input{URL: url})
			require.Equal(t, errs.Invalid, errs.CodeOf(err), url)
		}
		_, err := w.Webhooks.Create(t.Context(), "operator:1", webhook.Input{URL: "https://93.184.216.34/", Kinds: []string{"no.such"}})
		require.Equal(t, errs.Invalid, errs.CodeOf(err))
		require.Zero(t, w.Count(&model.WebhookEndpoint{}))
	})
	t.Run("ANameThatComesToLeadThereIsRefusedWhenDialed", func(t *testing.T) {
		t.Parallel()
		w, s := apptest.New(t), newShop(t)
		alice := w.Joined("alice")
		made := endpoint(t, w, "https://93.184.216.34/")
		w.Tx(func(_ context.Context, tx *gorm.DB) error { // as if the name server said so now
			return tx.Model(&model.WebhookEndpoint{}).Where("id = ?", made.ID).Update("url", strings.Replace(s.URL, "127.0.0.1", "localhost", 1)).Error
		})
		require.NoError(t, w.Behave(alice, "talk", "1", w.Now()))
		w.Settle()
		require.Empty(t, s.got())
		v, err := w.Webhooks.Delivery(t.Context(), deliveries(t, w, made.ID)[0].ID)
		require.NoError(t, err)
		require.Contains(t, v.Attempts[0].Error, "not public")
	})
	t.Run("AListedAddressIsCalledAndARedirectIsNotFollowed", func(t *testing.T) {
		t.Parallel()
		w, s := apptest.New(t, func(c *config.Config) { c.Webhook.Allow = []string{"127.0.0.1", "::1"} }), newShop(t)
		alice := w.Joined("alice")
		made := endpoint(t, w, s.URL)
		s.answers(func(_ int, w http.ResponseWriter) {
			w.Header().Set("Location", s.URL+"/elsewhere")
			w.WriteHeader(http.StatusTemporaryRedirect)
		})
		require.NoError(t, w.Behave(alice, "talk", "1", w.Now()))
		w.Settle()
		require.Len(t, s.got(), 1)
		require.Equal(t, "HTTP 307", deliveries(t, w, made.ID)[0].Error)
	})
}

func TestSecrets(t *testing.T) {
	t.Parallel()
	w, s := apptest.New(t, private), newShop(t)
	alice := w.Joined("alice")
	made := endpoint(t, w, s.URL)
	rotated, err := w.Webhooks.Rotate(t.Context(), "operator:1", made.ID)
	require.NoError(t, err)
	require.NotEqual(t, made.Secret, rotated.Secret)
	require.NoError(t, w.Behave(alice, "talk", "1", w.Now()))
	w.Settle()
	require.True(t, s.got()[0].signed(t, made.Secret), "for a day both sign")
	require.True(t, s.got()[0].signed(t, rotated.Secret))
	w.Advance(25 * time.Hour)
	require.NoError(t, w.Behave(alice, "talk", "2", w.Now()))
	w.Settle()
	require.False(t, s.got()[1].signed(t, made.Secret))
	require.True(t, s.got()[1].signed(t, rotated.Secret))
	var rows []model.WebhookEndpoint
	var log []model.Audit
	require.NoError(t, w.DB.Reader(t.Context()).Find(&rows).Error)
	require.NoError(t, w.DB.Reader(t.Context()).Find(&log).Error)
	kept := fmt.Sprint(rows, log)
	require.NotContains(t, kept, strings.TrimPrefix(rotated.Secret, "whsec_"))
	require.NotContains(t, string(model.ToJSON(log)), rows[0].Secret)
}

func TestReplay(t *testing.T) {
	t.Parallel()
	w, s := apptest.New(t, private), newShop(t)
	alice := w.Joined("alice")
	made := endpoint(t, w, s.URL, "behavior.*")
	require.NoError(t, w.Behave(alice, "talk", "1", w.Now()))
	_, err := w.Webhooks.Replay(t.Context(), "operator:1", deliveries(t, w, made.ID)[0].ID)
	require.Equal(t, errs.Conflict, errs.CodeOf(err), "it waits anyway")
	w.Settle()
	d, err := w.Webhooks.Replay(t.Context(), "operator:1", deliveries(t, w, made.ID)[0].ID)
	require.NoError(t, err)
	require.Equal(t, model.WebhookPending, d.State)
	w.Settle()
	require.Len(t, s.got(), 2)
	require.Equal(t, s.got()[0].header.Get("webhook-id"), s.got()[1].header.Get("webhook-id"))
	require.Equal(t, s.got()[0].body, s.got()[1].body)

	s.answers(status(http.StatusBadRequest))
	w.Advance(time.Minute)
	require.NoError(t, w.Behave(alice, "talk", "2", w.Now()))
	w.Advance(96 * time.Hour)
	s.answers(nil)
	calls := len(s.got())
	_, err = w.Webhooks.ReplayRange(t.Context(), "operator:1", made.ID, webhook.Range{From: apptest.Start, To: w.Now()})
	require.Equal(t, errs.Conflict, errs.CodeOf(err), "the endpoint is off by now")
	_, err = w.Webhooks.Change(t.Context(), "operator:1", made.ID, webhook.Input{URL: s.URL, Kinds: []string{"behavior.*"}})
	require.NoError(t, err)
	r, err := w.Webhooks.ReplayRange(t.Context(), "operator:1", made.ID, webhook.Range{From: apptest.Start, To: w.Now()})
	require.NoError(t, err)
	require.Equal(t, webhook.Replayed{Count: 1}, r)
	w.Settle()
	require.Len(t, s.got(), calls+1)
	r, err = w.Webhooks.ReplayRange(t.Context(), "operator:1", made.ID, webhook.Range{From: apptest.Start, To: w.Now(), All: true})
	require.NoError(t, err)
	require.Equal(t, webhook.Replayed{Count: 2}, r)
	r, err = w.Webhooks.ReplayRange(t.Context(), "operator:1", made.ID, webhook.Range{From: w.Now(), To: w.Now().Add(1), All: true})
	require.NoError(t, err)
	require.Zero(t, r.Count)
	_, err = w.Webhooks.ReplayRange(t.Context(), "operator:1", made.ID, webhook.Range{From: w.Now(), To: w.Now()})
	require.Equal(t, errs.Invalid, errs.CodeOf(err))
	w.Settle()

	n, err := w.Webhooks.Forget(t.Context(), w.Now().Add(1), 1)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	n, err = w.Webhooks.Forget(t.Context(), w.Now().Add(1), 10)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Zero(t, w.Count(&model.WebhookAttempt{}))
}

func TestAlerts(t *testing.T) {
	t.Parallel()
	w, s := apptest.New(t, private), newShop(t)
	made := endpoint(t, w, s.URL, model.EventAlert)
	p, _ := w.Member("alice")
	w.Act(p, "follow", map[string]any{"account": "oa"})
	w.Settle()
	require.NoError(t, w.Call(t.Context(), "POST", "/sandbox/api/faults", "", map[string]any{"path": "/cgi-bin/message/custom/send", "kind": "errcode", "errcode": 48001, "times": 1}, nil))
	b, err := w.Broadcasts.Save(t.Context(), broadcast.Input{Name: "day", Class: model.ClassService, Message: reach.Message{Text: "hi", Channels: []string{reach.Customer}}})
	require.NoError(t, err)
	_, err = w.Broadcasts.RunNow(t.Context(), b.ID, nil)
	var big *errs.Error
	if errors.As(err, &big) { // it is everybody: to be confirmed
		n := int64(1)
		_, err = w.Broadcasts.RunNow(t.Context(), b.ID, &n)
	}
	require.NoError(t, err)
	w.Settle()
	require.Len(t, s.got(), 1)
	got := s.got()[0]
	require.True(t, got.signed(t, made.Secret))
	var p2 struct {
		Type string
		Data struct {
			Member map[string]any
			Facts  map[string]any
		}
	}
	require.NoError(t, json.Unmarshal([]byte(got.body), &p2))
	require.Equal(t, model.EventAlert, p2.Type)
	require.Nil(t, p2.Data.Member, "it is nobody's")
	require.Equal(t, model.RiskRunStopped, p2.Data.Facts["kind"])
	require.Contains(t, p2.Data.Facts["answer"], "48001")
	w.Verified()
}
