package reply_test

import (
	"context"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/media"
	"github.com/siyu-scrm/siyu/app/reply"
	"github.com/siyu-scrm/siyu/app/wechat"
	"github.com/siyu-scrm/siyu/app/wechat/sandbox"
	"github.com/siyu-scrm/siyu/app/wechat/sandbox/phone"
	"github.com/siyu-scrm/siyu/model"
)

const png = "\x89PNG\r\n\x1a\n a picture"

func picture(w *apptest.World, name string) int64 {
	w.T.Helper()
	m, err := w.Media.Save(w.T.Context(), name, []byte(png+name))
	require.NoError(w.T, err)
	return m.ID
}

func text(s string) reply.Message { return reply.Message{Kind: reply.Text, Text: s} }

var card = reply.Message{Kind: reply.Card, Title: "打开小程序", Path: "pages/index/index"}

func keyword(match string, words []string, messages ...reply.Message) reply.Rule {
	r := reply.Rule{Words: words, Messages: messages}
	r.Name, r.Trigger, r.Match, r.Mode, r.Enabled = "rule", model.ReplyKeyword, match, model.ReplyAll, true
	return r
}

func always(trigger string, messages ...reply.Message) reply.Rule {
	r := reply.Rule{Messages: messages}
	r.Name, r.Trigger, r.Mode, r.Enabled = trigger, trigger, model.ReplyAll, true
	return r
}

func save(w *apptest.World, r reply.Rule) *reply.Rule {
	w.T.Helper()
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

func write(w *apptest.World, p *phone.Person, content string) []string {
	w.T.Helper()
	return w.Act(p, "text", map[string]any{"content": content})
}

// customs are the customer messages that the person received, each as "type content".
func customs(w *apptest.World, p *phone.Person) (got []string) {
	w.T.Helper()
	inbox, err := p.Inbox(w.T.Context())
	require.NoError(w.T, err)
	for _, m := range inbox {
		if m.Channel == sandbox.ChannelCustom {
			got = append(got, m.Type+" "+strings.Split(m.Content, "\n")[0])
		}
	}
	return got
}

func sends(w *apptest.World) (rows []model.ReplySend) {
	w.T.Helper()
	require.NoError(w.T, w.DB.Reader(w.T.Context()).Order("id").Find(&rows).Error)
	return rows
}

func TestKeyword(t *testing.T) {
	t.Parallel()

	t.Run("AnExactOneGoesBeforeOneThatIsContainedAndBothBeforeTheDefault", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		save(w, always(model.ReplyDefault, text("anything else")))
		save(w, keyword(model.MatchContains, []string{"发票", "Invoice"}, text("contained")))
		save(w, keyword(model.MatchExact, []string{"开发票"}, text("exact")))
		p := follower(w)
		require.Equal(t, []string{"exact"}, write(w, p, " 开发票 "))
		require.Equal(t, []string{"contained"}, write(w, p, "怎么开发票?"))
		require.Equal(t, []string{"contained"}, write(w, p, "my INVOICE please"))
		require.Equal(t, []string{"anything else"}, write(w, p, "hello"))
	})

	t.Run("OfTwoThatFitTheLowerPositionAnswersAndOneThatIsOffDoesNot", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		save(w, keyword(model.MatchExact, []string{"hours"}, text("first made")))
		r := keyword(model.MatchExact, []string{"hours"}, text("lower"))
		r.Position = -1
		lower := save(w, r)
		p := follower(w)
		require.Equal(t, []string{"lower"}, write(w, p, "hours"))
		lower.Enabled = false
		save(w, *lower)
		require.Equal(t, []string{"first made"}, write(w, p, "hours"))
	})

	t.Run("SiyusOwnWordsComeFirst", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		save(w, keyword(model.MatchContains, []string{"签", "退"}, text("keyword")))
		p := follower(w)
		for _, said := range []string{"签到", "退订"} {
			require.NotEqual(t, []string{"keyword"}, write(w, p, said))
		}
		require.Equal(t, []string{"keyword"}, write(w, p, "怎么签到"))
	})

	t.Run("WithoutAReplyNothingIsSaid", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		p := follower(w)
		require.Empty(t, write(w, p, "hello"))
	})

	t.Run("SeveralAnswersFollowInOrderEachOnce", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		save(w, keyword(model.MatchExact, []string{"all"}, text("one"), text("two"),
			reply.Message{Kind: reply.News, Title: "three", URL: "https://example.com/3"}, card, text("five")))
		p := follower(w)
		require.Equal(t, []string{"one"}, write(w, p, "all"))
		w.Settle()
		require.Equal(t, []string{"text two", "news [图文] three", "miniprogrampage [小程序] 打开小程序", "text five"}, customs(w, p))
		w.Advance(time.Hour)
		require.Len(t, customs(w, p), 4)
		require.Equal(t, model.ReplyDone, sends(w)[0].State)
	})

	t.Run("ARandomOneIsOneOfThemAndTheSameAtARetry", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		two := 2
		_, err := w.Sandbox.ChangeAccount(sandbox.AccountChange{Account: "oa", Duplicates: &two})
		require.NoError(t, err)
		r := keyword(model.MatchExact, []string{"luck"}, text("a"), text("b"), text("c"))
		r.Mode = model.ReplyRandom
		save(w, r)
		p := follower(w)
		seen := map[string]bool{}
		for range 40 {
			got := write(w, p, "luck")
			require.Len(t, got, 1)
			seen[got[0]] = true
		}
		require.Len(t, seen, 3)
		w.Settle()
		require.Empty(t, customs(w, p))
	})
}

// answered is the last passive reply, decrypted.
func answered(w *apptest.World) string {
	pushes := w.Sandbox.Pushes(0)
	tries := pushes[len(pushes)-1].Attempts
	return tries[len(tries)-1].Plain
}

func TestHandOver(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	save(w, keyword(model.MatchExact, []string{"人工"}, text("请稍候"), reply.Message{Kind: reply.HandOver, Agent: "kf2001@brand"}))
	p := follower(w)
	require.Empty(t, write(w, p, "人工"), "the hand-over itself shows nothing")
	require.Contains(t, answered(w), "transfer_customer_service")
	require.Contains(t, answered(w), "kf2001@brand")
	w.Settle()
	require.Equal(t, []string{"text 请稍候"}, customs(w, p), "the words follow, since WeChat takes one passive reply")

	save(w, always(model.ReplyDefault, reply.Message{Kind: reply.HandOver}))
	write(w, p, "anything")
	require.Contains(t, answered(w), "transfer_customer_service")
}

func TestFollow(t *testing.T) {
	t.Parallel()

	t.Run("TheGeneralReplyAnswersWhoComesWithoutAChannelOrByOneWithoutAWelcome", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		save(w, always(model.ReplyFollow, text("welcome to the brand"), card))
		_, err := w.Channels.Save(t.Context(), model.ChannelCode{Code: "bare", Name: "bare"})
		require.NoError(t, err)
		for _, scene := range []string{"", "bare"} {
			p := w.Person(scene)
			require.Equal(t, []string{"welcome to the brand"}, w.Act(p, "follow", map[string]any{"scene": scene}))
			w.Settle()
			require.Len(t, customs(w, p), 1)
		}
		p := w.Person("poster")
		require.NotEqual(t, []string{"welcome to the brand"}, w.Act(p, "follow", map[string]any{"scene": "poster"})[:1])
	})

	t.Run("AChannelSaysItsWordsThenItsArticlePictureAndCard", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		c := model.ChannelCode{Code: "rich", Name: "rich", Welcome: "hello", CardTitle: "card", CardPath: "p/i", ImageID: picture(w, "i")}
		c.CardImage = picture(w, "c")
		c.Article = model.ToJSON(reply.Message{Title: "article", URL: "https://example.com", ImageID: picture(w, "a")})
		_, err := w.Channels.Save(t.Context(), c)
		require.NoError(t, err)
		p := w.Person("alice")
		require.Equal(t, []string{"hello"}, w.Act(p, "follow", map[string]any{"scene": "rich"}))
		w.Settle()
		require.Equal(t, []string{"news [图文] article", "image [图片]", "miniprogrampage [小程序] card"}, customs(w, p))
	})

	t.Run("WhoLeavesAgainGetsNothingMore", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		save(w, always(model.ReplyFollow, text("welcome"), text("more")))
		p := w.Person("alice")
		w.Act(p, "follow", nil)
		w.Act(p, "unfollow", nil)
		w.Settle()
		require.Empty(t, customs(w, p))
		require.Equal(t, model.ReplyDropped, sends(w)[0].State)
	})
}

func TestClick(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	r := always(model.ReplyClick, text("about us"))
	r.Words = []string{"ABOUT"}
	save(w, r)
	p := follower(w)
	require.Equal(t, []string{"about us"}, w.Act(p, "click", map[string]any{"key": "ABOUT"}))
	require.Empty(t, w.Act(p, "click", map[string]any{"key": "about"}), "keys are compared as they are")
	require.NotEqual(t, []string{"about us"}, w.Act(p, "click", map[string]any{"key": "CHECKIN"}))
}

// What follows a passive reply is sent at most once, and never outside the window.
// deadly is a WeChat whose caller is killed once it took the message.
type deadly struct{ reply.WeChat }

// UploadImage kills whoever calls it, before anything is uploaded.
func (deadly) UploadImage(context.Context, string, string, []byte) (string, error) {
	runtime.Goexit()
	return "", nil
}

// UploadPicture does too.
func (deadly) UploadPicture(context.Context, string, string, []byte) (string, error) {
	runtime.Goexit()
	return "", nil
}

func (d deadly) SendText(ctx context.Context, account, openid, text string) error {
	_ = d.WeChat.SendText(ctx, account, openid, text)
	runtime.Goexit()
	return nil
}

// busy is a WeChat that takes nothing now.
type busy struct{ reply.WeChat }

func (busy) SendText(context.Context, string, string, string) error {
	return &wechat.APIError{Code: -1}
}

// work lets a worker with that WeChat do one piece of work; he may die over it.
func work(w *apptest.World, with reply.WeChat) {
	w.T.Helper()
	library := media.New(w.DB, w.App.Clock, deadly{}, []string{"oa"})
	s := reply.New(reply.Deps{DB: w.DB, Clock: w.App.Clock, Media: library, WeChat: with, Allowances: w.Reach})
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = s.Work(context.WithoutCancel(w.T.Context())) })
	wg.Wait()
}

// leave lets the lease of who died run out, and the next attempt fall due.
func leave(w *apptest.World) {
	w.T.Helper()
	past := w.At("2026-11-01 00:00:00")
	w.Tx(func(_ context.Context, tx *gorm.DB) error {
		return tx.Model(&model.ReplySend{}).Where("id > 0").Updates(map[string]any{"lease_till": past, "due_at": past}).Error
	})
}

func TestFollowing(t *testing.T) {
	t.Parallel()
	fault := func(w *apptest.World, path, kind string, times int) {
		w.T.Helper()
		require.NoError(w.T, w.Call(w.T.Context(), "POST", "/sandbox/api/faults", "", map[string]any{"path": path, "kind": kind, "times": times}, nil))
	}
	const custom = "/cgi-bin/message/custom/send"

	t.Run("AnEndThatIsUnknownIsNotTriedAgainAndTheNextMessageGoesOut", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		save(w, keyword(model.MatchExact, []string{"x"}, text("1"), text("2"), text("3")))
		p := follower(w)
		fault(w, custom, "reset", 1)
		write(w, p, "x")
		w.Advance(time.Hour)
		got := customs(w, p)
		require.Contains(t, got, "text 3")
		require.LessOrEqual(t, len(got), 2)
		require.Equal(t, model.ReplyDone, sends(w)[0].State)
		require.Equal(t, "unknown", sends(w)[0].Detail)
	})

	t.Run("ABusyWeChatIsAskedAgainWithinTheWindow", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		save(w, keyword(model.MatchExact, []string{"x"}, text("1"), text("2")))
		p := follower(w)
		require.NoError(t, w.Call(t.Context(), "POST", "/sandbox/api/faults", "", map[string]any{"path": custom, "kind": "errcode", "errcode": -1, "times": 2}, nil))
		write(w, p, "x")
		w.Advance(time.Minute)
		require.Equal(t, []string{"text 2"}, customs(w, p))
	})

	t.Run("TheWindowIsNotOverdrawn", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		r := always(model.ReplyClick, text("1"), text("2"), text("3"), text("4"))
		r.Words = []string{"K"}
		save(w, r)
		p := follower(w)
		w.Advance(2 * time.Minute) // the window of the follow is closed
		w.Act(p, "click", map[string]any{"key": "K"})
		w.Act(p, "click", map[string]any{"key": "K"}) // a newer click opens three, not six
		w.Settle()
		require.Len(t, customs(w, p), 3)
		require.Equal(t, []string{model.ReplyDone, model.ReplyDropped}, []string{sends(w)[0].State, sends(w)[1].State})
		var calls struct{ Items []struct{ Errcode int } }
		require.NoError(t, w.Call(t.Context(), "GET", "/sandbox/api/calls?path="+custom, "", nil, &calls))
		for _, c := range calls.Items {
			require.Zero(t, c.Errcode, "no blind call that must fail")
		}
	})

	t.Run("WhatAWorkerDiedOverIsNotSentAgain", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		save(w, keyword(model.MatchExact, []string{"x"}, text("1"), text("2"), text("3")))
		p := follower(w)
		write(w, p, "x")
		w.Tx(func(_ context.Context, tx *gorm.DB) error { // as a worker leaves it that was killed in the call
			return tx.Model(&model.ReplySend{}).Where("id > 0").Updates(map[string]any{"calling": true, "paid": true}).Error
		})
		w.Settle()
		require.Equal(t, []string{"text 3"}, customs(w, p))
	})

	t.Run("ASecondDeathAtTheNextMessageSendsNothingTwiceEither", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		save(w, keyword(model.MatchExact, []string{"x"}, text("1"), text("2"), text("3"), text("4")))
		p := follower(w)
		write(w, p, "x")
		for range 2 { // over 2, then over 3: WeChat took both
			work(w, deadly{w.WeChat})
			leave(w)
		}
		w.Settle()
		require.Equal(t, []string{"text 2", "text 3", "text 4"}, customs(w, p))
		require.Equal(t, []string{model.ReplyDone, "unknown"}, []string{sends(w)[0].State, sends(w)[0].Detail})
	})

	t.Run("ADeathAtTheSecondAttemptDoesNotSendTheMessageAgain", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		save(w, keyword(model.MatchExact, []string{"x"}, text("1"), text("2"), text("3")))
		p := follower(w)
		write(w, p, "x")
		work(w, busy{w.WeChat})
		require.Equal(t, 1, sends(w)[0].Attempts)
		leave(w)
		work(w, deadly{w.WeChat})
		leave(w)
		w.Settle()
		require.Equal(t, []string{"text 2", "text 3"}, customs(w, p))
	})

	t.Run("AMessageIsPaidOnceHoweverOftenItIsTriedAndWhoeverDies", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		r := always(model.ReplyClick, text("1"), text("2"), text("3"), text("4"))
		r.Words = []string{"K"}
		save(w, r)
		p := follower(w)
		w.Advance(2 * time.Minute) // the window of the follow is closed; a click opens three
		w.Act(p, "click", map[string]any{"key": "K"})
		work(w, busy{w.WeChat})
		leave(w)
		work(w, deadly{w.WeChat}) // over 2
		leave(w)
		w.Settle()
		require.Equal(t, []string{"text 2", "text 3", "text 4"}, customs(w, p))
		w.Tx(func(_ context.Context, tx *gorm.DB) error {
			more, err := w.Reach.UseAllowanceTx(tx, sends(w)[0].IdentityID)
			require.False(t, more, "three were paid for")
			return err
		})
	})

	t.Run("WhoDiesBeforeTheNextCallLosesNothing", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		save(w, keyword(model.MatchExact, []string{"x"}, text("1"), text("2"), reply.Message{Kind: reply.Image, ImageID: picture(w, "i")}, text("4")))
		p := follower(w)
		write(w, p, "x")
		w.Tx(func(_ context.Context, tx *gorm.DB) error {
			return tx.Where("media_id > 0").Delete(&model.MediaCopy{}).Error
		}) // made before the answer
		for range 2 { // over 2, then over the upload that the picture needs
			work(w, deadly{w.WeChat})
			leave(w)
		}
		require.Equal(t, []string{"text 2"}, customs(w, p))
		w.Settle()
		require.Equal(t, []string{"text 2", "image [图片]", "text 4"}, customs(w, p))
	})

	t.Run("TwoWorkersSendEachOnce", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		save(w, keyword(model.MatchExact, []string{"x"}, text("1"), text("2"), text("3"), text("4")))
		var people []*phone.Person
		for range 5 {
			p := follower(w)
			write(w, p, "x")
			people = append(people, p)
		}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for {
					did, err := w.Replies.Work(context.WithoutCancel(t.Context()))
					if err != nil {
						t.Error(err)
					}
					if !did || err != nil {
						return
					}
				}
			})
		}
		wg.Wait()
		w.Settle()
		for _, p := range people {
			require.Equal(t, []string{"text 2", "text 3", "text 4"}, customs(w, p))
		}
	})
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	w := apptest.New(t)
	long := strings.Repeat("长", 700) // 2100 bytes
	news := func(m reply.Message) reply.Message {
		m.Kind = reply.News
		return m
	}
	for name, c := range map[string]struct {
		field string
		limit any
		rule  reply.Rule
	}{
		"TextOver2048Bytes":     {"messages[0].text", 2048, keyword("exact", []string{"a"}, text(long))},
		"EmptyText":             {"messages[0].text", 2048, keyword("exact", []string{"a"}, text(" "))},
		"TitleOver64":           {"messages[0].title", 64, keyword("exact", []string{"a"}, news(reply.Message{Title: strings.Repeat("长", 65), URL: "https://a.b"}))},
		"DescriptionOver120":    {"messages[0].description", 120, keyword("exact", []string{"a"}, news(reply.Message{Title: "t", Description: strings.Repeat("长", 121), URL: "https://a.b"}))},
		"ALinkThatIsNone":       {"messages[0].url", 1024, keyword("exact", []string{"a"}, news(reply.Message{Title: "t", URL: "javascript:alert(1)"}))},
		"ALinkOver1024Bytes":    {"messages[0].url", 1024, keyword("exact", []string{"a"}, news(reply.Message{Title: "t", URL: "https://a.b/" + long}))},
		"CardPath":              {"messages[0].path", 255, keyword("exact", []string{"a"}, reply.Message{Kind: reply.Card, Title: "t", Path: "/p"})},
		"NoPicture":             {"messages[0].image_id", nil, keyword("exact", []string{"a"}, reply.Message{Kind: reply.Image})},
		"APictureThatIsNotHere": {"messages[0].image_id", nil, keyword("exact", []string{"a"}, reply.Message{Kind: reply.Image, ImageID: 999})},
		"UnknownKind":           {"messages[0].kind", nil, keyword("exact", []string{"a"}, reply.Message{Kind: "voice"})},
		"Agent":                 {"messages[0].agent", nil, keyword("exact", []string{"a"}, reply.Message{Kind: reply.HandOver, Agent: "x y"})},
		"ControlCharacters":     {"messages[0]", nil, keyword("exact", []string{"a"}, text("a\x00b"))},
		"ALinkThatIsNotHere":    {"messages[0].text", nil, keyword("exact", []string{"a"}, text("看 {{radar:99}}"))},
		"AnArticleOfNoLink":     {"messages[0].url", nil, keyword("exact", []string{"a"}, news(reply.Message{Title: "t", URL: "{{radar:99}}"}))},
		"ALinkByAName":          {"messages[0].text", nil, keyword("exact", []string{"a"}, text("看 {{radar:新品}}"))},
		"AnUnknownVariable":     {"messages[1].text", nil, keyword("exact", []string{"a"}, text("好"), text("{{nickname}} 好"))},
		"OpenBraces":            {"messages[0].text", nil, keyword("exact", []string{"a"}, text("看 {{radar:7"))},
		"ALinkInATitle":         {"messages[0].title", nil, keyword("exact", []string{"a"}, news(reply.Message{Title: "{{radar:7}}", URL: "https://a.b"}))},
		"SevenToAMessage":       {"messages", 6, keyword("exact", []string{"a"}, text("1"), text("2"), text("3"), text("4"), text("5"), text("6"), text("7"))},
		"FiveToAFollow":         {"messages", 4, always(model.ReplyFollow, text("1"), text("2"), text("3"), text("4"), text("5"))},
		"TwoCards":              {"messages", nil, keyword("exact", []string{"a"}, card, card)},
		"NoMessages":            {"messages", nil, keyword("exact", []string{"a"})},
		"NoWords":               {"words", 30, keyword("exact", []string{" "}, text("1"))},
		"WordOver30":            {"words", 30, keyword("exact", []string{strings.Repeat("长", 31)}, text("1"))},
		"NameOver60": {"name", 60, func() reply.Rule {
			r := always(model.ReplyDefault, text("1"))
			r.Name = strings.Repeat("长", 61)
			return r
		}()},
		"Match":   {"match", nil, keyword("fuzzy", []string{"a"}, text("1"))},
		"Trigger": {"trigger", nil, always("silence", text("1"))},
	} {
		_, err := w.Replies.Save(t.Context(), c.rule)
		var e *errs.Error
		require.ErrorAs(t, err, &e, name)
		require.Equal(t, c.field, e.Args["field"], name)
		require.Equal(t, c.limit, e.Args["limit"], name)
	}
	require.EqualValues(t, 0, w.Count(&model.Reply{}), "a refusal changes nothing")
	require.EqualValues(t, 0, w.Count(&model.MediaUse{}))
	require.Equal(t, errs.NotFound, errs.CodeOf(w.Replies.Delete(t.Context(), 99)))
	r := keyword("exact", []string{"a"}, text("1"))
	r.ID = 99
	_, err := w.Replies.Save(t.Context(), r)
	require.Equal(t, errs.NotFound, errs.CodeOf(err))
}
