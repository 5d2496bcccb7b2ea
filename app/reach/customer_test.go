package reach_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/broadcast"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/reach"
	"github.com/siyu-scrm/siyu/app/wechat/sandbox/phone"
	"github.com/siyu-scrm/siyu/model"
)

// rich is a message by the channel customer alone.
func rich(c reach.CustomerContent) reach.Message {
	return reach.Message{Channels: []string{reach.Customer}, Customer: &c, Fallbacks: map[string]string{"nickname": "您"}}
}

// writer is a member who follows and wrote just now.
func (w *brandly) writer(name string) (*phone.Person, int64) {
	w.T.Helper()
	p, _ := w.Member(name)
	w.Act(p, "follow", map[string]any{"account": "oa"})
	w.Act(p, "text", map[string]any{"account": "oa", "content": "hello"})
	w.Settle()
	return p, w.MemberOf(p, "oa").ID
}

func (w *brandly) picture() int64 {
	w.T.Helper()
	m, err := w.Media.Save(w.T.Context(), "海报", []byte("\x89PNG\r\n\x1a\n a picture"))
	require.NoError(w.T, err)
	return m.ID
}

// last is the newest message that a person has.
func (w *brandly) last(p *phone.Person) string {
	w.T.Helper()
	inbox, err := w.Sandbox.Inbox(p.ID)
	require.NoError(w.T, err)
	return inbox[len(inbox)-1].Content
}

func (w *brandly) fault(path, kind string, code int) {
	w.T.Helper()
	require.NoError(w.T, w.Call(w.T.Context(), "POST", "/sandbox/api/faults", "", map[string]any{"path": path, "kind": kind, "errcode": code, "times": 1}, nil))
}

func (w *brandly) calls(path string) int {
	w.T.Helper()
	var out struct{ Counts map[string]int }
	require.NoError(w.T, w.Call(w.T.Context(), "GET", "/sandbox/api/calls", "", nil, &out))
	return out.Counts[path]
}

const mediaUpload = "/cgi-bin/media/upload"

func TestCustomerMessages(t *testing.T) {
	t.Parallel()

	t.Run("EachKindArrivesWithThePersonsOwnValues", func(t *testing.T) {
		t.Parallel()
		w := newBrand(t)
		p, id := w.writer("小艾")
		image := w.picture()
		for _, c := range []struct {
			content reach.CustomerContent
			want    string
		}{
			{reach.CustomerContent{Kind: "image", ImageID: image}, "[图片]"},
			{reach.CustomerContent{Kind: "news", Title: "{{nickname}},会员日", Description: "九折", URL: "https://example.com/day", ImageID: image}, "[图文] 小艾,会员日\n九折\nhttps://example.com/day"},
			{reach.CustomerContent{Kind: "card", Title: "给{{nickname}}的券", Path: "pages/coupons?from=day"}, "[小程序] 给小艾的券\npages/coupons?from=day"},
			{reach.CustomerContent{Kind: reach.Menu, Head: "{{nickname}}满意吗?", Choices: []string{"满意", "不满意"}, Tail: "谢谢"}, "小艾满意吗?\n▸ 满意\n▸ 不满意\n谢谢"},
		} {
			require.Equal(t, "accepted customer", w.send(model.ClassService, rich(c.content), id)[id], c.content.Kind)
			require.Equal(t, c.want, w.last(p))
		}
	})

	t.Run("WhatStandsBehindItIsTextForTheOtherChannels", func(t *testing.T) {
		t.Parallel()
		w := newBrand(t)
		_, id := w.writer("a")
		_, silent := w.Member("silent")
		m := rich(reach.CustomerContent{Kind: "news", Title: "会员日", URL: "https://example.com"})
		m.Channels, m.Text = []string{reach.Customer, reach.InApp}, "会员日开始了"
		got := w.send(model.ClassService, m, id, silent)
		require.Equal(t, "accepted inbox", got[silent])
		require.Equal(t, "accepted customer", got[id])
	})

	t.Run("ATappedChoiceIsItsTextAndGivesWhatATapOfTheMenuGives", func(t *testing.T) {
		t.Parallel()
		w := newBrand(t)
		p, id := w.writer("a")
		require.Equal(t, "accepted customer", w.send(model.ClassService, rich(reach.CustomerContent{Kind: reach.Menu, Head: "?", Choices: []string{"签到", "不"}}), id)[id])
		w.Advance(72 * time.Hour)
		require.Contains(t, strings.Join(w.Act(p, "text", map[string]any{"account": "oa", "content": "签到", "menu_id": "1"}), ""), "签到")
		w.Settle()
		require.EqualValues(t, 0, w.Count(&model.Allowance{}, "kind = ? AND remaining > 0 AND expires_at > ?", reach.ByMessage, w.Now()))
		require.EqualValues(t, 1, w.Count(&model.Allowance{}, "kind = ? AND expires_at > ?", reach.ByMenu, w.Now()))
	})

	t.Run("APictureThatABroadcastSendsStaysAndIsUploadedAnew", func(t *testing.T) {
		t.Parallel()
		w := newBrand(t)
		p, id := w.writer("a")
		image := w.picture()
		in := broadcast.Input{Name: "day", Class: model.ClassService, Message: rich(reach.CustomerContent{Kind: "image", ImageID: image}), Cron: "0 12 * * *"}
		b, err := w.Broadcasts.Save(t.Context(), in)
		require.NoError(t, err)
		require.Equal(t, errs.Conflict, errs.CodeOf(w.Media.Delete(t.Context(), image)))
		for range 8 { // WeChat forgets an upload after three days
			w.Act(p, "text", map[string]any{"account": "oa", "content": "hello"})
			w.Advance(24 * time.Hour)
			rows, err := w.Reach.OfMember(t.Context(), id, 0, 1)
			require.NoError(t, err)
			require.Equal(t, model.DeliveryAccepted, rows[0].State)
		}
		in.ID, in.Message = b.ID, reach.Message{Channels: []string{reach.Customer}, Text: "words"}
		_, err = w.Broadcasts.Save(t.Context(), in)
		require.NoError(t, err)
		require.NoError(t, w.Media.Delete(t.Context(), image))
		in.Message = rich(reach.CustomerContent{Kind: "image", ImageID: image})
		_, err = w.Broadcasts.Save(t.Context(), in)
		require.Equal(t, errs.Invalid, errs.CodeOf(err), "a picture that is gone cannot be sent")
	})

	t.Run("APictureThatWeChatForgotIsUploadedAndTheMessageSentOnce", func(t *testing.T) {
		t.Parallel()
		w := newBrand(t)
		p, id := w.writer("a")
		m := rich(reach.CustomerContent{Kind: "image", ImageID: w.picture()})
		require.Equal(t, "accepted customer", w.send(model.ClassService, m, id)[id])
		w.fault("/cgi-bin/message/custom/send", "errcode", 40007)
		require.Equal(t, "accepted customer", w.send(model.ClassService, m, id)[id])
		require.Equal(t, 2, w.calls(mediaUpload))
		inbox, err := w.Sandbox.Inbox(p.ID)
		require.NoError(t, err)
		n := 0
		for _, x := range inbox {
			if x.Content == "[图片]" {
				n++
			}
		}
		require.Equal(t, 2, n)
	})

	t.Run("AnUploadThatFailsSendsNothingAndIsTriedAgain", func(t *testing.T) {
		t.Parallel()
		w := newBrand(t)
		p, id := w.writer("a")
		w.fault(mediaUpload, "reset", 0)
		m := rich(reach.CustomerContent{Kind: "image", ImageID: w.picture()})
		run, err := w.start(model.ClassService, m, id)
		require.NoError(t, err)
		w.Settle()
		rows, err := w.Reach.Deliveries(t.Context(), run.ID, reach.Filter{}, 0, 1)
		require.NoError(t, err)
		require.Equal(t, model.DeliveryDeferred, rows[0].State, "an upload whose end is unknown has sent nobody anything")
		w.Advance(time.Minute)
		rows, err = w.Reach.Deliveries(t.Context(), run.ID, reach.Filter{}, 0, 1)
		require.NoError(t, err)
		require.Equal(t, model.DeliveryAccepted, rows[0].State)
		require.Equal(t, "[图片]", w.last(p))
	})

	t.Run("WhatWeChatWouldRefuseIsRefusedWhenItIsSaved", func(t *testing.T) {
		t.Parallel()
		w := newBrand(t)
		image := w.picture()
		many := strings.Split(strings.Repeat("好 ", 11), " ")
		for i := range many {
			many[i] += strings.Repeat("!", i)
		}
		for _, c := range []struct {
			content reach.CustomerContent
			want    string
		}{
			{reach.CustomerContent{Kind: "text"}, "reach.customer_kind"},
			{reach.CustomerContent{Kind: "service"}, "reach.customer_kind"},
			{reach.CustomerContent{Kind: "film"}, "reply.kind"},
			{reach.CustomerContent{Kind: "image"}, "reply.image"},
			{reach.CustomerContent{Kind: "news", URL: "https://example.com"}, "reply.title"},
			{reach.CustomerContent{Kind: "news", Title: strings.Repeat("好", 65), URL: "https://example.com"}, "reply.title"},
			{reach.CustomerContent{Kind: "news", Title: "好", URL: "javascript:1"}, "reply.url"},
			{reach.CustomerContent{Kind: "news", Title: "好", Description: strings.Repeat("好", 121), URL: "https://example.com"}, "reply.description"},
			{reach.CustomerContent{Kind: "news", Title: "{{points}}", URL: "https://example.com"}, "reach.no_fallback"},
			{reach.CustomerContent{Kind: "card", Title: "好", Path: "/pages/x"}, "reply.path"},
			{reach.CustomerContent{Kind: "card", Title: "好", Path: "pages/{{nickname}}"}, "reach.page_variable"},
			{reach.CustomerContent{Kind: reach.Menu}, "reach.choices"},
			{reach.CustomerContent{Kind: reach.Menu, Choices: many[:11]}, "reach.choices"},
			{reach.CustomerContent{Kind: reach.Menu, Choices: []string{"a", "a"}}, "reach.choice_twice"},
			{reach.CustomerContent{Kind: reach.Menu, Choices: []string{"a", " "}}, "reach.choice"},
			{reach.CustomerContent{Kind: reach.Menu, Choices: []string{strings.Repeat("好", 65)}}, "reach.choice"},
			{reach.CustomerContent{Kind: reach.Menu, Head: strings.Repeat("好", 601), Choices: []string{"a"}}, "reach.long_text"},
			{reach.CustomerContent{Kind: reach.Menu, Head: "{{nobody}}", Choices: []string{"a"}}, "reach.unknown_variable"},
			{reach.CustomerContent{Kind: "news", Title: "好", URL: "{{radar:7}}"}, "radar.no_link"},
			{reach.CustomerContent{Kind: "image", ImageID: image}, ""},
			{reach.CustomerContent{Kind: reach.Menu, Choices: many[:10]}, ""},
		} {
			var e *errs.Error
			err := w.DB.Tx(t.Context(), func(_ context.Context, tx *gorm.DB) error {
				return w.Reach.CheckTx(tx, model.ClassMarketing, rich(c.content))
			})
			if c.want == "" {
				require.NoError(t, err)
				continue
			}
			require.ErrorAs(t, err, &e, c.want)
			require.Equal(t, c.want, e.Key)
		}
	})
}
