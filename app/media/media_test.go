package media_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/media"
	"github.com/siyu-scrm/siyu/app/reply"
	"github.com/siyu-scrm/siyu/app/wechat/sandbox/phone"
	"github.com/siyu-scrm/siyu/model"
)

const png = "\x89PNG\r\n\x1a\n a picture"

func picture(w *apptest.World, data string) int64 {
	w.T.Helper()
	m, err := w.Media.Save(w.T.Context(), "海报", []byte(data))
	require.NoError(w.T, err)
	return m.ID
}

func says(w *apptest.World, messages ...reply.Message) *reply.Rule {
	w.T.Helper()
	r := reply.Rule{Words: []string{"pic"}, Messages: messages}
	r.Name, r.Trigger, r.Match, r.Mode, r.Enabled = "pic", model.ReplyKeyword, model.MatchExact, model.ReplyAll, true
	out, err := w.Replies.Save(w.T.Context(), r)
	require.NoError(w.T, err)
	return out
}

func follower(w *apptest.World) *phone.Person {
	p := w.Person("alice")
	w.Act(p, "follow", nil)
	w.Settle()
	return p
}

func calls(w *apptest.World, path string) int {
	w.T.Helper()
	var out struct{ Counts map[string]int }
	require.NoError(w.T, w.Call(w.T.Context(), "GET", "/sandbox/api/calls", "", nil, &out))
	return out.Counts[path]
}

const upload, uploadURL = "/cgi-bin/media/upload", "/cgi-bin/media/uploadimg"

// A picture of a reply is there on any day, although WeChat forgets every upload after three.
func TestPicturesOutliveThreeDays(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	says(w, reply.Message{Kind: reply.Image, ImageID: picture(w, png)})
	p := follower(w)
	for day := range 12 {
		require.Equal(t, []string{"[图片]"}, w.Act(p, "text", map[string]any{"content": "pic"}), "day %d", day)
		w.Advance(24 * time.Hour)
	}
	require.Equal(t, 7, calls(w, upload), "every two days, not at every reply")
}

func TestCopies(t *testing.T) {
	t.Parallel()

	t.Run("WithoutALiveCopyThePictureFollowsAsACustomerMessage", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		p := follower(w)
		says(w, reply.Message{Kind: reply.Image, ImageID: picture(w, png)}, reply.Message{Kind: reply.Text, Text: "words"})
		require.Equal(t, []string{"words"}, w.Act(p, "text", map[string]any{"content": "pic"})[:1])
		w.Settle()
		require.Equal(t, 1, calls(w, "/cgi-bin/message/custom/send"))
		require.Equal(t, 1, calls(w, upload))
	})

	t.Run("APictureThatDiedEarlyIsUploadedAgainAndSentOnce", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		p := follower(w)
		says(w, reply.Message{Kind: reply.Text, Text: "words"}, reply.Message{Kind: reply.Image, ImageID: picture(w, png)})
		w.Settle()
		w.Tx(func(_ context.Context, tx *gorm.DB) error {
			return tx.Model(&model.MediaCopy{}).Where("media_id > 0").Update("value", "forgotten").Error
		})
		w.Act(p, "text", map[string]any{"content": "pic"})
		w.Settle()
		inbox, err := p.Inbox(t.Context())
		require.NoError(t, err)
		require.Equal(t, "image", inbox[len(inbox)-1].Type)
		require.Equal(t, 2, calls(w, upload))
	})

	t.Run("AFailedUploadIsTriedAgainLaterAndLater", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		require.NoError(t, w.Call(t.Context(), "POST", "/sandbox/api/faults", "", map[string]any{"path": upload, "kind": "http_500", "times": 3}, nil))
		says(w, reply.Message{Kind: reply.Image, ImageID: picture(w, png)})
		w.Settle()
		require.Equal(t, 1, calls(w, upload))
		w.Advance(6 * time.Minute)
		require.Equal(t, 3, calls(w, upload), "after a minute, after three")
		w.Advance(10 * time.Minute)
		require.Equal(t, 4, calls(w, upload))
		list, err := w.Media.List(t.Context())
		require.NoError(t, err)
		require.Empty(t, list[0].Copies[0].Error)
	})

	t.Run("WhatNothingUsesAnyMoreIsNotUploadedAgain", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		r := says(w, reply.Message{Kind: reply.Image, ImageID: picture(w, png)})
		w.Settle()
		require.Equal(t, errs.Conflict, errs.CodeOf(w.Media.Delete(t.Context(), r.Messages[0].ImageID)), "it is in use")
		require.NoError(t, w.Replies.Delete(t.Context(), r.ID))
		w.Advance(10 * 24 * time.Hour)
		require.Equal(t, 1, calls(w, upload))
		require.Zero(t, w.Count(&model.MediaCopy{}))
		require.NoError(t, w.Media.Delete(t.Context(), r.Messages[0].ImageID))
	})

	t.Run("AnArticlesPictureGetsAnAddressForGood", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		p := follower(w)
		says(w, reply.Message{Kind: reply.News, Title: "t", URL: "https://a.b", ImageID: picture(w, png)})
		w.Advance(10 * 24 * time.Hour)
		require.Equal(t, []string{"[图文] t\n\nhttps://a.b"}, w.Act(p, "text", map[string]any{"content": "pic"}))
		inbox, err := p.Inbox(t.Context())
		require.NoError(t, err)
		require.Contains(t, string(inbox[len(inbox)-1].Data), "mmbiz.qpic.cn")
		require.Equal(t, 1, calls(w, uploadURL))
	})
}

func TestSave(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	first := picture(w, png)
	require.Equal(t, first, picture(w, png), "the same picture is kept once")
	require.NotEqual(t, first, picture(w, png+"2"))
	for field, c := range map[string]struct {
		name string
		data []byte
	}{
		"name":           {strings.Repeat("长", 65), []byte(png)},
		"data too big":   {"big", append([]byte(png), bytes.Repeat([]byte{0}, media.MaxBytes)...)},
		"data of a page": {"page", []byte("<html>")},
		"data of none":   {"none", nil},
	} {
		_, err := w.Media.Save(t.Context(), c.name, c.data)
		var e *errs.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, strings.Fields(field)[0], e.Args["field"])
	}
	gif := picture(w, "GIF89a")
	r := reply.Rule{Words: []string{"a"}, Messages: []reply.Message{{Kind: reply.News, Title: "t", URL: "https://a.b", ImageID: gif}}}
	r.Name, r.Trigger, r.Match, r.Mode = "a", model.ReplyKeyword, model.MatchExact, model.ReplyAll
	_, err := w.Replies.Save(t.Context(), r)
	var e *errs.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, "media.article", e.Key, "an article takes JPG and PNG up to 1 MiB")
}
