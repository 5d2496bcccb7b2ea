package reach_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/consent"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/operator"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/app/wechat/sandbox/phone"
	"github.com/siyu-scrm/siyu/model"
)

// brandly is siyu with people in it.
type brandly struct {
	*apptest.World
	runs int
}

func newBrand(t *testing.T) *brandly { return &brandly{World: apptest.New(t)} }

// with is a member with the number.
func (w *brandly) with(name, number string) (*phone.Person, int64) {
	w.T.Helper()
	p, id := w.Member(name)
	var code struct{ Code string }
	require.NoError(w.T, w.Call(w.T.Context(), "POST", "/sandbox/api/users/"+p.ID+"/phone", "", map[string]any{"account": "mp", "number": number}, &code))
	require.NoError(w.T, p.API(w.T.Context(), "POST", "/phone", map[string]any{"code": code.Code}, nil))
	return p, id
}

func (w *brandly) says(id int64, kind string, yes bool) {
	w.T.Helper()
	w.Tx(func(_ context.Context, tx *gorm.DB) error {
		if err := member.LockTx(tx, id); err != nil {
			return err
		}
		return w.Consents.PutTx(tx, model.Consent{MemberID: id, Kind: kind, Given: yes, Source: consent.Member, At: w.Now()})
	})
}

// spec is a run of a message to people.
func (w *brandly) spec(class string, m reach.Message, ids ...int64) reach.RunSpec {
	w.runs++
	set := roaring.New()
	for _, id := range ids {
		set.Add(uint32(id)) //nolint:gosec // ids fit 32 bits
	}
	return reach.RunSpec{Source: "test", SourceID: 1, Slot: fmt.Sprint(w.runs), Class: class, Message: m, Members: set}
}

func (w *brandly) start(class string, m reach.Message, ids ...int64) (run *model.Run, err error) {
	s := w.spec(class, m, ids...)
	err = w.DB.Tx(context.WithoutCancel(w.T.Context()), func(ctx context.Context, tx *gorm.DB) (err error) {
		run, err = w.Reach.StartTx(ctx, tx, s)
		return err
	})
	return run, err
}

// send runs a message to its end and returns what became of each person: "accepted sms", "suppressed NO_CONSENT".
func (w *brandly) send(class string, m reach.Message, ids ...int64) map[int64]string {
	w.T.Helper()
	forecast, err := w.Reach.Forecast(w.T.Context(), class, m, w.spec(class, m, ids...).Members)
	require.NoError(w.T, err)
	run, err := w.start(class, m, ids...)
	require.NoError(w.T, err)
	w.Settle()
	return w.ends(run, forecast)
}

func (w *brandly) ends(run *model.Run, forecast reach.Forecast) map[int64]string {
	w.T.Helper()
	rows, err := w.Reach.Deliveries(w.T.Context(), run.ID, reach.Filter{}, 0, 500)
	require.NoError(w.T, err)
	got := map[int64]string{}
	reached := int64(0)
	for _, d := range rows {
		got[d.MemberID] = strings.TrimSpace(d.State + " " + d.Channel + d.Reason + " " + d.Detail)
		if d.State != model.DeliverySuppressed {
			reached++
		}
	}
	require.Equal(w.T, forecast.Reachable, reached, "what the forecast said")
	c, err := w.Reach.Counts(w.T.Context(), run.ID)
	require.NoError(w.T, err)
	require.Equal(w.T, c.Audience, c.Sum())
	return got
}

func TestSMS(t *testing.T) {
	t.Parallel()

	t.Run("NobodyGetsOneWithoutHisConsent", func(t *testing.T) {
		t.Parallel()
		for _, class := range []string{model.ClassMarketing, model.ClassService} {
			w := newBrand(t)
			_, yes := w.with("yes", "13900000001")
			_, silent := w.with("silent", "13900000002")
			_, no := w.with("no", "13900000003")
			_, call := w.with("call", "13900000004")
			_, nowhere := w.Member("nowhere")
			w.says(yes, consent.SMS, true)
			w.says(no, consent.SMS, false)
			w.says(call, consent.Call, true)
			got := w.send(class, reach.Message{Text: "{{nickname}},新品到了", Fallbacks: map[string]string{"nickname": "您好"}, Channels: []string{reach.SMS}}, yes, silent, no, call, nowhere)
			require.Equal(t, map[int64]string{
				yes: "accepted sms", silent: "suppressed NO_CONSENT", no: "suppressed OPTED_OUT", call: "suppressed NO_CONSENT", nowhere: "suppressed INVALID_TARGET",
			}, got, class)
			sent := w.Sandbox.PhoneMessages("")
			require.Len(t, sent, 1)
			require.Equal(t, "13900000001", sent[0].To)
			text := "【siyu】yes,新品到了"
			if class == model.ClassMarketing {
				text += " 拒收请回复T"
			}
			require.Equal(t, text, sent[0].Text)
		}
	})

	t.Run("MarketingObeysItsCapQuietHoursAndOptOut", func(t *testing.T) {
		t.Parallel()
		w := newBrand(t)
		p, id := w.with("a", "13900000001")
		w.says(id, consent.SMS, true)
		w.says(id, consent.Call, true)
		m := reach.Message{Text: "x", Channels: []string{reach.SMS, reach.Call}}
		require.Equal(t, "accepted sms", w.send(model.ClassMarketing, m, id)[id])
		require.Equal(t, "suppressed FREQ_CAP", w.send(model.ClassMarketing, m, id)[id])
		w.says(id, consent.SMS, false)
		w.Set("2026-11-24 23:00:00")
		require.Equal(t, "deferred QUIET_HOURS", w.send(model.ClassMarketing, m, id)[id])
		w.Set("2026-11-25 08:00:00")
		sent := w.Sandbox.PhoneMessages("")
		require.Len(t, sent, 2)
		require.Equal(t, []string{"call", "x"}, []string{sent[1].Kind, sent[1].Text})
		require.NoError(t, p.API(t.Context(), "PUT", "/preferences", map[string]any{"marketing": false}, nil))
		w.Advance(24 * time.Hour)
		require.Equal(t, "suppressed OPTED_OUT", w.send(model.ClassMarketing, m, id)[id])
		require.Equal(t, "accepted call", w.send(model.ClassService, m, id)[id])
	})

	t.Run("AReplyTEndsItForGood", func(t *testing.T) {
		t.Parallel()
		w := newBrand(t)
		p, id := w.with("a", "13900000001")
		_, same := w.with("b", "13900000001")
		w.says(id, consent.SMS, true)
		w.says(same, consent.SMS, true)
		m := reach.Message{Text: "x", Channels: []string{reach.SMS}}
		w.send(model.ClassMarketing, m, id)
		sent := w.Sandbox.PhoneMessages("")
		key, err := w.Operators.CreateKey(t.Context(), operator.Caller{Name: "test", Rights: operator.AllRights()}, "sms", []string{string(operator.OpenSMS)})
		require.NoError(t, err)
		report := func(in map[string]any) (status int) {
			var out struct{ Status int }
			in["api_key"] = key.Token
			require.NoError(t, w.Call(t.Context(), "POST", "/sandbox/api/sms/"+sent[0].ID+"/report", "", in, &out))
			return out.Status
		}
		require.Equal(t, 200, report(map[string]any{"kind": "reply", "text": "好的,T恤有吗"}))
		require.EqualValues(t, 2, w.Count(&model.Consent{}))
		require.Equal(t, 200, report(map[string]any{"kind": "reply", "text": " ｔ。"}))
		require.Equal(t, 200, report(map[string]any{"kind": "reply", "text": "T"}))
		require.EqualValues(t, 4, w.Count(&model.Consent{}), "one word of each who has the number")
		w.Advance(24 * time.Hour)
		_, err = w.Consents.Put(t.Context(), id, consent.SMS, true, "he said so")
		require.Equal(t, errs.Conflict, errs.CodeOf(err))
		got := w.send(model.ClassMarketing, m, id, same)
		require.Equal(t, map[int64]string{id: "suppressed OPTED_OUT", same: "suppressed OPTED_OUT"}, got)
		require.NoError(t, p.API(t.Context(), "PUT", "/preferences", map[string]any{"sms": true}, nil))
		require.Equal(t, "accepted sms", w.send(model.ClassMarketing, m, id)[id], "he himself may")

		sent = w.Sandbox.PhoneMessages("")
		for range 2 {
			sent[0] = sent[len(sent)-1]
			require.Equal(t, 200, report(map[string]any{"kind": "failed", "detail": "UNDELIV"}))
		}
		rows, err := w.Reach.OfMember(t.Context(), id, 0, 1)
		require.NoError(t, err)
		require.Equal(t, []string{model.DeliveryRejected, "UNDELIV"}, []string{rows[0].State, rows[0].Detail})
	})

	t.Run("AStrangersReplyIsRemembered", func(t *testing.T) {
		t.Parallel()
		w := newBrand(t)
		n, err := w.Reach.Reported(t.Context(), w.Members, w.Consents, []reach.Report{{Channel: "sms", Kind: "reply", Phone: "+86 139-0000-0009", Text: "TD", At: w.Now()}})
		require.NoError(t, err)
		require.Equal(t, 1, n)
		_, id := w.with("late", "13900000009")
		require.Equal(t, "suppressed OPTED_OUT", w.send(model.ClassMarketing, reach.Message{Text: "x", Channels: []string{reach.SMS}}, id)[id])
	})

	t.Run("WhatCannotBeSentIsRefused", func(t *testing.T) {
		t.Parallel()
		w := newBrand(t)
		check := func(class string, m reach.Message) string {
			var key string
			w.Tx(func(_ context.Context, tx *gorm.DB) error {
				var e *errs.Error
				if errors.As(w.Reach.CheckTx(tx, class, m), &e) {
					key = e.Key
				}
				return nil
			})
			return key
		}
		sms := func(text string) reach.Message {
			return reach.Message{Channels: []string{reach.SMS}, SMS: &reach.PhoneContent{Text: text}}
		}
		frame := len([]rune("【siyu】" + " 拒收请回复T"))
		require.Empty(t, check(model.ClassMarketing, sms(strings.Repeat("好", 500-frame))))
		require.Equal(t, "reach.long_phone", check(model.ClassMarketing, sms(strings.Repeat("好", 501-frame))))
		require.Empty(t, check(model.ClassService, sms(strings.Repeat("好", 501-frame))))
		require.Empty(t, check(model.ClassMarketing, sms("【siyu】好 拒收请回复T")))
		require.Equal(t, "reach.sms_brand", check(model.ClassMarketing, sms("【别家】好")))
		require.Equal(t, "reach.empty_text", check(model.ClassMarketing, sms("")))
		require.Equal(t, "reach.no_fallback", check(model.ClassMarketing, sms("{{nickname}}")))
		template := reach.Message{Channels: []string{reach.Customer, reach.Template}, Text: "x", Template: &reach.TemplateContent{TemplateID: "T", Data: map[string]string{"thing1": "x"}}}
		require.Equal(t, "reach.template_marketing", check(model.ClassMarketing, template))
		require.Empty(t, check(model.ClassService, template))
		template.Template.Data["thing1"] = strings.Repeat("好", 21)
		require.Equal(t, "reach.field_value", check(model.ClassService, template))
	})
}

func TestTemplates(t *testing.T) {
	t.Parallel()
	w := newBrand(t)
	p, _ := w.Member("a")
	w.Act(p, "follow", map[string]any{"account": "oa"})
	w.Settle()
	id := w.MemberOf(p, "oa").ID
	_, other := w.Member("not a follower")
	m := reach.Message{
		Channels:  []string{reach.Template},
		Template:  &reach.TemplateContent{TemplateID: "TPL_OA_POINTS", Page: "pages/points", Data: map[string]string{"thing1": "签到", "number2": "{{points}}", "time3": "2026年11月23日 10:00"}},
		Fallbacks: map[string]string{"points": "0"},
	}
	require.Equal(t, map[int64]string{id: "accepted template", other: "suppressed UNSUBSCRIBED"}, w.send(model.ClassService, m, id, other))
	inbox, err := w.Sandbox.Inbox(p.ID)
	require.NoError(t, err)
	require.Contains(t, inbox[len(inbox)-1].Content, "当前积分: 0")

	rows, err := w.Reach.OfMember(t.Context(), id, 0, 1)
	require.NoError(t, err)
	for range 2 {
		w.Tx(func(ctx context.Context, tx *gorm.DB) error {
			return w.Reach.TemplateSentTx(ctx, tx, "oa", rows[0].MsgID, "failed:user block", w.Now())
		})
	}
	rows, err = w.Reach.OfMember(t.Context(), id, 0, 1)
	require.NoError(t, err)
	require.Equal(t, []string{model.DeliveryRejected, "failed:user block"}, []string{rows[0].State, rows[0].Detail})

	notice := reach.Message{
		Channels: []string{reach.Notice},
		Notice:   &reach.TemplateContent{TemplateID: "TPL_OA_ACTIVITY", Data: map[string]string{"thing1": "会员日", "thing2": "全场九折", "time3": "2026年11月23日 10:00"}},
	}
	require.Equal(t, "suppressed NO_QUOTA no_acceptance", w.send(model.ClassMarketing, notice, id)[id])
	require.NoError(t, w.Call(t.Context(), "POST", "/sandbox/api/users/"+p.ID+"/accept", "", map[string]any{"account": "oa", "template": "TPL_OA_ACTIVITY", "times": 3}, nil))
	w.Settle()
	require.Equal(t, "accepted notice", w.send(model.ClassMarketing, notice, id)[id])
	require.Equal(t, "suppressed FREQ_CAP", w.send(model.ClassMarketing, notice, id)[id])
	w.Advance(24 * time.Hour)
	require.Equal(t, "accepted notice", w.send(model.ClassMarketing, notice, id)[id])
	require.EqualValues(t, 1, w.Count(&model.Acceptance{}, "template_id = 'TPL_OA_ACTIVITY' AND accepted_count = 1"))
	ids, err := w.Members.Identities(t.Context(), id)
	require.NoError(t, err)
	for _, i := range ids {
		if i.Kind == model.KindOA {
			w.Tx(func(ctx context.Context, tx *gorm.DB) error {
				return w.Reach.SubscribeSentTx(ctx, tx, &i, "TPL_OA_ACTIVITY", "17", 20002, "fail", w.Now())
			})
		}
	}
	rows, err = w.Reach.OfMember(t.Context(), id, 0, 10)
	require.NoError(t, err)
	require.Equal(t, model.DeliveryRejected, rows[0].State, "the newest notice failed")
	require.Equal(t, model.DeliveryAccepted, rows[2].State, "not the one before")
}

func TestKept(t *testing.T) {
	t.Parallel()
	w := newBrand(t)
	p, id := w.Member("a")
	stranger := w.Touched("mp", "o-stranger")
	m := reach.Message{Text: "{{nickname}},会员日", Fallbacks: map[string]string{"nickname": "您好"}, Channels: []string{reach.InApp}, Inbox: &reach.InboxContent{Title: "会员日", Page: "pages/day"}}
	require.Equal(t, map[int64]string{id: "accepted inbox", stranger: "suppressed INVALID_TARGET"}, w.send(model.ClassMarketing, m, id, stranger))
	require.Equal(t, "suppressed FREQ_CAP", w.send(model.ClassMarketing, m, id)[id])
	var box struct {
		Unread int64
		Items  []struct {
			ID, Title, Text, Page string
			ReadAt                *string `json:"read_at"`
		}
	}
	require.NoError(t, p.API(t.Context(), "GET", "/inbox", nil, &box))
	require.EqualValues(t, 1, box.Unread)
	require.Len(t, box.Items, 1)
	require.Equal(t, []string{"会员日", "a,会员日", "pages/day"}, []string{box.Items[0].Title, box.Items[0].Text, box.Items[0].Page})
	for range 2 {
		require.NoError(t, p.API(t.Context(), "POST", "/inbox/"+box.Items[0].ID+"/read", map[string]any{}, nil))
	}
	require.NoError(t, p.API(t.Context(), "GET", "/inbox", nil, &box))
	require.EqualValues(t, 0, box.Unread)
	require.NotNil(t, box.Items[0].ReadAt)
	other, _ := w.Member("b")
	require.Error(t, other.API(t.Context(), "POST", "/inbox/"+box.Items[0].ID+"/read", map[string]any{}, nil))

	w.Advance(24 * time.Hour)
	require.Equal(t, "accepted webhook", w.send(model.ClassMarketing, reach.Message{Text: "tell him", Channels: []string{reach.Event}}, id)[id])
	var ev model.Event
	require.NoError(t, w.DB.Reader(t.Context()).Where("kind = ?", model.EventSend).Take(&ev).Error)
	require.Equal(t, id, ev.MemberID)
	require.Contains(t, string(ev.Data), "tell him")
}

func TestQuota(t *testing.T) {
	t.Parallel()
	w := newBrand(t)
	p, _ := w.Member("a")
	w.Act(p, "follow", map[string]any{"account": "oa"})
	w.Settle()
	id := w.MemberOf(p, "oa").ID
	for account, template := range map[string]string{"oa": "TPL_OA_ACTIVITY", "mp": "TPL_CHECKIN"} {
		require.NoError(t, w.Call(t.Context(), "POST", "/sandbox/api/users/"+p.ID+"/accept", "", map[string]any{"account": account, "template": template, "times": 2}, nil))
	}
	w.Settle()
	w.Act(p, "text", map[string]any{"account": "oa", "content": "你好"})
	q, err := w.Reach.Quota(t.Context(), id)
	require.NoError(t, err)
	require.Len(t, q.Windows, 2)
	require.Equal(t, []any{reach.ByFollow, 3, reach.ByMessage, 5}, []any{q.Windows[0].Kind, q.Windows[0].Remaining, q.Windows[1].Kind, q.Windows[1].Remaining})
	require.Equal(t, []any{"mp", 2, "oa", 2}, []any{q.Accepted[0].Account, q.Accepted[0].Count, q.Accepted[1].Account, q.Accepted[1].Count})
	require.Equal(t, []int{0, 4}, []int{q.MassUsed, q.MassLimit})
	w.Advance(time.Minute)
	q, err = w.Reach.Quota(t.Context(), id)
	require.NoError(t, err)
	require.Len(t, q.Windows, 1, "what is over is gone")
}
