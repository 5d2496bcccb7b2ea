package playbook_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// carrier is a brand's own sender of SMS, which takes whatever comes and knows no message again: twice would be twice.
type carrier struct {
	*httptest.Server
	mu   sync.Mutex
	keys map[string][]string // by number
}

func newCarrier(t *testing.T) *carrier {
	c := &carrier{keys: map[string][]string{}}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			Data struct{ To, Text, Key string }
		}
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.Data.Text == "" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.keys[in.Data.To] = append(c.keys[in.Data.To], in.Data.Key)
		_, _ = fmt.Fprintf(w, `{"id":"m%s"}`, in.Data.To)
	}))
	t.Cleanup(c.Close)
	return c
}

// Every place at which a process can die around an SMS, which nobody takes back and no carrier need know again: no number twice, and everybody
// has received it or is shown as unknown, who are no more than the calls in flight.
func TestKillSMS(t *testing.T) {
	t.Parallel()
	const n, inFlight = 20, 4
	for _, point := range []string{
		"freezing", "after_lease", "deciding", "deciding:2", "after_attempting_commit", "after_attempting_commit:3", "mid_calls", "mid_calls:2", "before_outcome_commit",
		"before_outcome_commit:2", "after_outcome_commit:2", "advanced", "finishing",
	} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			sms := newCarrier(t)
			p, _ := apart(t, "2026-11-25 15:00:00", fmt.Sprint("SIYU_REACH_IN_FLIGHT=", inFlight), "SIYU_REACH_WORKERS=2",
				"SIYU_SMS_PROVIDER=webhook", "SIYU_SMS_BRAND=siyu", "SIYU_SMS_URL="+sms.URL, "SIYU_SMS_SECRET=whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODk=", "SIYU_WEBHOOK_ALLOW_PRIVATE=true")
			a := p.serve(t, "", "SIYU_CRASH_AT="+point)
			numbers := map[string]string{} // by member
			var mu sync.Mutex
			require.NoError(t, each(n, 4, func(i int) error {
				m, err := a.Person(t.Context(), fmt.Sprint("p", i), "")
				if err == nil {
					_, err = m.Login(t.Context())
				}
				if err == nil {
					err = m.API(t.Context(), "POST", "/register", obj{}, nil)
				}
				number := fmt.Sprintf("1390000%04d", i)
				var code struct{ Code string }
				if err == nil {
					err = a.Call(t.Context(), "POST", "/sandbox/api/users/"+m.ID+"/phone", "", obj{"account": "mp", "number": number}, &code)
				}
				if err == nil {
					err = m.API(t.Context(), "POST", "/phone", obj{"code": code.Code}, nil)
				}
				if err == nil {
					err = m.API(t.Context(), "PUT", "/preferences", obj{"sms": true}, nil)
				}
				var me struct{ Member struct{ No string } }
				if err == nil {
					err = m.API(t.Context(), "GET", "/me", nil, &me)
				}
				var found struct{ Items []struct{ ID string } }
				if err == nil {
					err = a.Call(t.Context(), "GET", "/admin/v1/members?search="+me.Member.No, a.admin, nil, &found)
				}
				if err == nil && len(found.Items) != 1 {
					err = fmt.Errorf("member %q is found %d times", me.Member.No, len(found.Items))
				}
				if err == nil {
					mu.Lock()
					numbers[found.Items[0].ID] = number
					mu.Unlock()
				}
				return err
			}))
			id := a.broadcast(obj{"name": "召回", "condition": joined, "message": obj{"channels": []string{"sms"}, "sms": obj{"text": "满300减100"}}})
			w := a.watch(id)
			_ = a.Call(t.Context(), "POST", "/admin/v1/broadcasts/"+id+"/run", a.admin, obj{"confirm": n}, nil) // it may die before it answers
			until(t, "the process kills itself", a.ended)

			b := p.serve(t, a.url)
			_ = b.Call(t.Context(), "POST", "/admin/v1/broadcasts/"+id+"/run", b.admin, obj{"confirm": n}, nil)
			run := b.finish(id)
			w.held(t)
			unknown := 0
			rows := b.deliveries(run.ID)
			require.Len(t, rows, n)
			sms.mu.Lock()
			defer sms.mu.Unlock()
			for _, d := range rows {
				got := sms.keys[numbers[d.MemberID]]
				switch d.State {
				case "accepted":
					require.Len(t, got, 1, "%+v", d)
				case "unknown":
					unknown++
					require.LessOrEqual(t, len(got), 1, "%+v", d)
				default:
					require.Fail(t, "neither sent nor unknown", "%d messages: %+v", len(got), d)
				}
			}
			require.LessOrEqual(t, unknown, inFlight)
			require.Equal(t, counts{Audience: n, Accepted: n - unknown, Unknown: unknown}, run.Counts)
			b.done()
		})
	}
}
