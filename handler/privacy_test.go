package handler_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/config"
	"github.com/siyu-scrm/siyu/app/wechat/sandbox/phone"
	"github.com/siyu-scrm/siyu/model"
)

type losses struct {
	Erased       bool
	Confirmation string
	Losses       []struct{ What, Code, Text string }
}

// refused holds an answer of a person's phone to a status and a code.
func refused(t *testing.T, err error, status int, code string) {
	t.Helper()
	var r *phone.Refusal
	require.ErrorAs(t, err, &r)
	require.Equal(t, status, r.Status)
	require.Equal(t, code, r.Code)
}

// phone gives the number of a person's phone.
func (w *world) phone(p *phone.Person, number string) {
	w.t.Helper()
	var code struct{ Code string }
	require.NoError(w.t, w.Call(w.t.Context(), "POST", "/sandbox/api/users/"+p.ID+"/phone", "", object{"account": "mp", "number": number}, &code))
	require.NoError(w.t, p.API(w.t.Context(), "POST", "/phone", object{"code": code.Code}, nil))
}

func TestPrivacy(t *testing.T) {
	t.Parallel()

	t.Run("DeletionListsWhatIsLostThenAsksThenErases", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		w.Rule("checkin", model.EventCheckin, apptest.Earns(5, ""))
		p, id := w.Member("leaver")
		other, _ := w.Member("other")
		require.NoError(t, p.API(t.Context(), "POST", "/checkins", map[string]any{}, nil))
		var first losses
		require.NoError(t, p.API(t.Context(), "DELETE", "/me", nil, &first))
		require.False(t, first.Erased)
		texts := []string{}
		for _, l := range first.Losses {
			texts = append(texts, l.What+" "+l.Text)
		}
		m, err := w.Members.Get(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, []string{"account 5 积分", "streak 连续签到 1 天", "membership 会员身份(会员号 " + m.No + ")", "history 签到、答题、互动等全部记录"}, texts)
		require.NoError(t, p.API(t.Context(), "GET", "/me", nil, nil), "nothing has changed")

		confirm := "/me?confirmation=" + url.QueryEscape(first.Confirmation)
		for _, forged := range []string{"x", first.Confirmation + "0", "99999999999-" + first.Confirmation[11:]} {
			refused(t, p.API(t.Context(), "DELETE", "/me?confirmation="+url.QueryEscape(forged), nil, nil), 409, "CONFLICT")
		}
		refused(t, other.API(t.Context(), "DELETE", confirm, nil, nil), 409, "CONFLICT")

		var last losses
		require.NoError(t, p.API(t.Context(), "DELETE", confirm, nil, &last))
		require.True(t, last.Erased)
		require.Equal(t, first.Losses, last.Losses)
		refused(t, p.API(t.Context(), "GET", "/me", nil, nil), 401, "TOKEN_EXPIRED")
		require.NoError(t, other.API(t.Context(), "GET", "/me", nil, nil))

		back, err := p.Login(t.Context())
		require.NoError(t, err)
		require.Nil(t, back, "he is a new person, who has not registered")
		w.Verified()
	})

	t.Run("AConfirmationHoldsAQuarterOfAnHour", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		p, _ := w.Member("slow")
		var first losses
		require.NoError(t, p.API(t.Context(), "DELETE", "/me", nil, &first))
		w.Advance(15 * time.Minute)
		refused(t, p.API(t.Context(), "DELETE", "/me?confirmation="+url.QueryEscape(first.Confirmation), nil, nil), 409, "CONFLICT")
	})

	t.Run("TheExportIsADocumentToKeep", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		p, _ := w.Member("keeper")
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.URL+"/api/v1/me/export", nil)
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer "+p.Token)
		res, err := w.HTTP.Do(req)
		require.NoError(t, err)
		defer res.Body.Close()
		require.Equal(t, "application/json", res.Header.Get("Content-Type"))
		require.Contains(t, res.Header.Get("Content-Disposition"), "attachment")
		var d struct {
			Tables map[string][]map[string]any
		}
		require.NoError(t, json.NewDecoder(res.Body).Decode(&d))
		require.Equal(t, "keeper", d.Tables["members"][0]["nickname"])
	})

	t.Run("APhoneNumberIsMaskedAndItsUnmaskingIsAudited", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		p, id := w.Member("caller")
		w.phone(p, "13612345678")
		at := "/members/" + str(id)
		for _, path := range []string{"/members", at, at + "/events", at + "/entries", "/audits"} {
			require.NotContains(t, w.admin(200, "GET", path, nil).Raw, "13612345678", path)
		}
		w.refused(w.admin(400, "POST", at+"/phone/reveal", object{"reason": ""}), 400, "INVALID")
		for range 2 {
			got := w.admin(200, "POST", at+"/phone/reveal", object{"reason": "courier"}, "Idempotency-Key", "once")
			require.Equal(t, "13612345678", got.Body["phone"])
		}
		line := w.admin(200, "GET", "/audits", nil).items()[0]
		require.Equal(t, "member.phone.reveal", line["action"])
		require.Equal(t, "member:"+str(id), line["object"])
		require.Equal(t, "courier", line["after"].(object)["reason"])
		require.EqualValues(t, 1, w.Count(&model.Audit{}, "action = ?", "member.phone.reveal"))
		require.Zero(t, w.Count(&model.IdempotencyKey{}, "answer LIKE ?", "%13612345678%"))
		require.Zero(t, w.Count(&model.Member{}, "phone_sealed LIKE ?", "%13612345678%"))
	})

	t.Run("AnAddressIsSeenByHimselfAndInTheExportOnly", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		p, id := w.Member("resident")
		require.Equal(t, 200, w.as(p, "PUT", "/profile", object{"address": " 和平路七号 "}).Status)
		require.Equal(t, "和平路七号", w.as(p, "GET", "/me", nil).Body["member"].(object)["address"])
		at := "/members/" + str(id)
		for _, path := range []string{"/members", at, at + "/events", "/audits"} {
			require.NotContains(t, w.admin(200, "GET", path, nil).Raw, "和平路", path)
		}
		require.Equal(t, "和平路七号", w.admin(200, "GET", at+"/export", nil).Body["address"])
		require.Zero(t, w.Count(&model.IdempotencyKey{}, "answer LIKE ?", "%和平路%"))
		require.Zero(t, w.Count(&model.Member{}, "address_sealed LIKE ?", "%和平路%"))
		require.Equal(t, 200, w.as(p, "PUT", "/profile", object{"address": ""}).Status)
		require.Empty(t, w.as(p, "GET", "/me", nil).Body["member"].(object)["address"])
	})

	t.Run("ANewerPrivacyTextIsSaid", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t, func(c *config.Config) { c.PrivacyVersion = "2" })
		p := w.Person("reader")
		_, err := p.Login(t.Context())
		require.NoError(t, err)
		require.NoError(t, p.API(t.Context(), "POST", "/register", map[string]any{"privacy_version": "1"}, nil))
		type privacy struct {
			Privacy struct {
				Version, Accepted string
				Outdated          bool
			}
		}
		outdated := func(p *phone.Person, path string) bool {
			t.Helper()
			var out privacy
			require.NoError(t, p.API(t.Context(), "GET", path, nil, &out))
			require.Equal(t, "2", out.Privacy.Version)
			return out.Privacy.Outdated
		}
		require.True(t, outdated(p, "/home"))
		require.True(t, outdated(p, "/me"))
		require.NoError(t, p.API(t.Context(), "PUT", "/preferences", map[string]any{"privacy_version": "2"}, nil))
		require.False(t, outdated(p, "/home"))
	})
}
