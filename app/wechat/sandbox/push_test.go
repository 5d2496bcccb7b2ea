package sandbox

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPush(t *testing.T) {
	t.Parallel()
	t.Run("AFollowByQRCarriesSceneAndTicket", func(t *testing.T) { // 14
		t.Parallel()
		w := newWorld(t, Options{})
		p := w.s.NewPerson("a", "")
		out := w.control(200, "/users/"+p.ID+"/follow", map[string]any{"account": "oa", "scene": "poster"})
		require.Equal(t, "ok", out["push"].(map[string]any)["status"])
		m := w.open(w.siyu.got()[0])
		require.Equal(t, "subscribe", m["Event"])
		require.Equal(t, "qrscene_poster", m["EventKey"])
		require.NotEmpty(t, m["Ticket"])
		require.Equal(t, p.OpenIDs["oa"], m["FromUserName"])
		require.Equal(t, w.account("oa").OriginalID, m["ToUserName"])
		require.Equal(t, fmt.Sprint(start.Unix()), m["CreateTime"])
		w.control(200, "/users/"+p.ID+"/scan", map[string]any{"account": "oa", "scene": "poster"})
		m = w.open(w.siyu.got()[1])
		require.Equal(t, "SCAN", m["Event"])
		require.Equal(t, "poster", m["EventKey"])
		w.control(409, "/users/"+p.ID+"/follow", map[string]any{"account": "oa"})
	})
	t.Run("ASealedReplyIsWhatThePersonSees", func(t *testing.T) { // 17
		t.Parallel()
		w := newWorld(t, Options{})
		p := w.fan("a")
		w.siyu.answer(func(_ int, r received, out http.ResponseWriter) {
			_, _ = io.WriteString(out, w.sealReply(r, "签到成功 +5"))
		})
		out := w.control(200, "/users/"+p.ID+"/click", map[string]any{"account": "oa", "key": "CHECKIN"})
		seen := out["seen"].([]any)
		require.Len(t, seen, 1)
		require.Equal(t, "签到成功 +5", seen[0].(map[string]any)["content"])
		require.Equal(t, ChannelReply, seen[0].(map[string]any)["channel"])
	})
	t.Run("WhatIsNotAGoodAnswerIsTriedThreeTimes", func(t *testing.T) { // 16
		t.Parallel()
		bad := map[string]func(w *world, r received, out http.ResponseWriter){
			"a status": func(_ *world, _ received, out http.ResponseWriter) { out.WriteHeader(500) },
			"garbage":  func(_ *world, _ received, out http.ResponseWriter) { _, _ = io.WriteString(out, "oops") },
			"unsealed": func(_ *world, _ received, out http.ResponseWriter) {
				_, _ = io.WriteString(out, "<xml><Content>x</Content></xml>")
			},
			"wrong key": func(w *world, r received, out http.ResponseWriter) {
				_, _ = io.WriteString(out, strings.Replace(w.sealReply(r, "x"), "<TimeStamp>5", "<TimeStamp>6", 1))
			},
			"not swapped": func(w *world, r received, out http.ResponseWriter) {
				r.query.Set("openid", "somebody else")
				_, _ = io.WriteString(out, w.sealReply(r, "x"))
			},
			"silence": func(_ *world, _ received, out http.ResponseWriter) { panic(http.ErrAbortHandler) },
		}
		for name, reply := range bad {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, Options{})
				p := w.fan("a")
				w.siyu.answer(func(_ int, r received, out http.ResponseWriter) { reply(w, r, out) })
				out := w.control(200, "/users/"+p.ID+"/text", map[string]any{"account": "oa", "content": "签到"})
				require.Equal(t, PushFailed, out["push"].(map[string]any)["status"])
				require.Len(t, out["push"].(map[string]any)["attempts"], 3)
				require.Equal(t, ChannelSystem, out["seen"].([]any)[0].(map[string]any)["channel"])
				got := w.siyu.got()[1:]
				require.Len(t, got, 3)
				require.Equal(t, got[0].raw, got[2].raw, "the same message each time")
				w.open(got[2])
			})
		}
	})
	t.Run("AnAnswerAfterTheTimeoutCountsForNothing", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, Options{PushTimeout: 50 * time.Millisecond})
		p := w.fan("a")
		gate := make(chan struct{})
		w.siyu.answer(func(n int, _ received, out http.ResponseWriter) {
			if n == 2 { // the first of this text
				<-gate
			}
			_, _ = io.WriteString(out, "success")
		})
		out := w.control(200, "/users/"+p.ID+"/text", map[string]any{"content": "x"})
		close(gate)
		require.Equal(t, PushOK, out["push"].(map[string]any)["status"])
		require.Len(t, out["push"].(map[string]any)["attempts"], 2)
	})
	t.Run("EqualEventsNeverShareASecond", func(t *testing.T) { // 7
		t.Parallel()
		w := newWorld(t, Options{})
		p := w.fan("a")
		for _, key := range []string{"A", "A", "B"} {
			w.control(200, "/users/"+p.ID+"/click", map[string]any{"key": key})
		}
		var at []string
		for _, r := range w.siyu.got()[1:] {
			at = append(at, w.open(r)["CreateTime"])
		}
		require.Equal(t, []string{fmt.Sprint(start.Unix()), fmt.Sprint(start.Unix() + 1), fmt.Sprint(start.Unix() + 1)}, at)
	})
	t.Run("MessagesHaveGrowingIDs", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, Options{})
		p := w.fan("a")
		w.control(200, "/users/"+p.ID+"/text", map[string]any{"content": "一]]>&<"})
		w.control(200, "/users/"+p.ID+"/text", map[string]any{"content": "二", "menu_id": "101"})
		first, second := w.open(w.siyu.got()[1]), w.open(w.siyu.got()[2])
		require.Equal(t, "一]]>&<", first["Content"])
		require.Less(t, first["MsgId"], second["MsgId"])
		require.Equal(t, "101", second["bizmsgmenuid"])
	})
	t.Run("ALocationIsTold", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, Options{})
		p := w.fan("a")
		w.control(200, "/users/"+p.ID+"/location", map[string]any{"lat": 23.137466, "lng": 113.352425})
		m := w.open(w.siyu.got()[1])
		require.Equal(t, "23.137466", m["Latitude"])
		require.Equal(t, "113.352425", m["Longitude"])
	})
	t.Run("PushesWaitForACallback", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, Options{})
		w.s.SetCallbackBase("")
		p := w.s.NewPerson("a", "")
		out := w.control(200, "/users/"+p.ID+"/accept", map[string]any{"template": "TPL_CHECKIN"})
		require.Equal(t, PushNoCallback, out["push"].(map[string]any)["status"])
		d := map[string]any{"thing1": map[string]any{"value": "签"}, "thing2": map[string]any{"value": "到"}, "time3": map[string]any{"value": "10:00"}}
		require.Zero(t, errcode(w.call("mp", "/cgi-bin/message/subscribe/send", map[string]any{"touser": p.OpenIDs["mp"], "template_id": "TPL_CHECKIN", "data": d})))
		w.advance(0)
		require.Empty(t, w.siyu.got())
		w.control(200, "/accounts", map[string]any{"callback_base": w.siyu.srv.URL})
		w.advance(0)
		require.Equal(t, "subscribe_msg_sent_event", w.open(w.siyu.got()[0])["Event"])
	})
}

func TestPushModes(t *testing.T) {
	t.Parallel()
	text := func(t *testing.T, change map[string]any) (*world, received) {
		w := newWorld(t, Options{})
		change["account"] = "mp"
		w.control(200, "/accounts", change)
		p := w.s.NewPerson("a", "")
		w.control(200, "/users/"+p.ID+"/text", map[string]any{"account": "mp", "content": "你好"})
		return w, w.siyu.got()[0]
	}
	t.Run("PlainIsNotEncrypted", func(t *testing.T) {
		t.Parallel()
		_, r := text(t, map[string]any{"mode": "plain"})
		require.Equal(t, "你好", flat(t, []byte(r.raw))["Content"])
		require.Empty(t, r.query.Get("encrypt_type"))
		require.NotEmpty(t, r.query.Get("signature"))
		require.NotEmpty(t, r.query.Get("openid"))
		require.Equal(t, "application/json", r.header.Get("Content-Type"))
	})
	t.Run("CompatibleHasBoth", func(t *testing.T) {
		t.Parallel()
		w, r := text(t, map[string]any{"mode": "compat", "format": "xml"})
		require.Equal(t, "你好", flat(t, []byte(r.raw))["Content"])
		require.Equal(t, "你好", w.open(r)["Content"])
		require.Equal(t, "text/xml", r.header.Get("Content-Type"))
	})
	t.Run("OddFormsCanBeAskedFor", func(t *testing.T) { // 12
		t.Parallel()
		_, r := text(t, map[string]any{"mode": "plain", "bom": true, "string_numbers": true, "json_as_textxml": true})
		require.True(t, strings.HasPrefix(r.raw, "\ufeff{"))
		require.Contains(t, r.raw, fmt.Sprintf(`"CreateTime":"%d"`, start.Unix()))
		require.Equal(t, "text/xml", r.header.Get("Content-Type"))
	})
	t.Run("DuplicatesAreTheSameBytes", func(t *testing.T) { // 6
		t.Parallel()
		w, r := text(t, map[string]any{"duplicates": 2})
		got := w.siyu.got()
		require.Len(t, got, 3)
		require.Equal(t, r.raw, got[2].raw)
		require.Equal(t, r.query, got[2].query)
		w.control(200, "/pushes/1/replay", nil)
		require.Equal(t, r.raw, w.siyu.got()[3].raw)
		w.control(404, "/pushes/99/replay", nil)
	})
}
