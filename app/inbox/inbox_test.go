package inbox_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/event"
	"github.com/siyu-scrm/siyu/app/inbox"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/tag"
	"github.com/siyu-scrm/siyu/app/wechat"
	"github.com/siyu-scrm/siyu/model"
)

// sealed is an encrypted push of body to the account, signed now.
func sealed(w *apptest.World, account, body string) (url.Values, []byte) {
	w.T.Helper()
	acc, ok := w.Account(account)
	require.True(w.T, ok)
	c, err := wechat.NewCrypt(acc.Token, acc.EncodingAESKey, acc.AppID)
	require.NoError(w.T, err)
	secret, err := c.Encrypt([]byte("0123456789abcdef"), []byte(body))
	require.NoError(w.T, err)
	stamp := fmt.Sprint(w.Now().Unix())
	q := url.Values{
		"timestamp": {stamp}, "nonce": {"7"}, "signature": {wechat.Signature(acc.Token, stamp, "7")},
		"encrypt_type": {"aes"}, "msg_signature": {c.Signature(stamp, "7", secret)},
	}
	return q, fmt.Appendf(nil, "<xml><ToUserName>%s</ToUserName><Encrypt><![CDATA[%s]]></Encrypt></xml>", acc.OriginalID, secret)
}

func receive(w *apptest.World, account, body string) *inbox.Answer {
	w.T.Helper()
	q, b := sealed(w, account, body)
	a, err := w.Inbox.Receive(context.WithoutCancel(w.T.Context()), account, q, b)
	require.NoError(w.T, err)
	return a
}

// message is a text to the official account, said at second s after the start.
func message(w *apptest.World, openID, content string, s int) string {
	acc, _ := w.Account("oa")
	return fmt.Sprintf("<xml><ToUserName>%s</ToUserName><FromUserName>%s</FromUserName><CreateTime>%d</CreateTime><MsgType>text</MsgType><Content>%s</Content><MsgId>%d</MsgId></xml>",
		acc.OriginalID, openID, apptest.Start.Unix()+int64(s), content, 1000+s)
}

func pushEvent(w *apptest.World, openID, name, key string, s int) string {
	acc, _ := w.Account("oa")
	return fmt.Sprintf("<xml><ToUserName>%s</ToUserName><FromUserName>%s</FromUserName><CreateTime>%d</CreateTime><MsgType>event</MsgType><Event>%s</Event><EventKey>%s</EventKey></xml>",
		acc.OriginalID, openID, apptest.Start.Unix()+int64(s), name, key)
}

func onlyRow(w *apptest.World) model.Inbox {
	w.T.Helper()
	var rows []model.Inbox
	require.NoError(w.T, w.DB.Reader(w.T.Context()).Find(&rows).Error)
	require.Len(w.T, rows, 1)
	return rows[0]
}

// rows counts the rows of every table.
func rows(w *apptest.World) map[string]int64 {
	w.T.Helper()
	counts := map[string]int64{}
	for _, m := range model.All() {
		counts[fmt.Sprintf("%T", m)] = w.Count(m)
	}
	return counts
}

func TestPushesThatChangeNothing(t *testing.T) { // DESIGN P9
	t.Parallel()
	w := apptest.New(t)
	w.Rule("checkin", model.EventCheckin, apptest.Earns(5, ""))
	w.Act(w.Person("somebody"), "follow", nil)
	acc, ok := w.Account("oa")
	require.True(t, ok)
	good, body := sealed(w, "oa", message(w, "o1", "签到", 0))
	before := rows(w)
	with := func(key, value string) url.Values {
		q := url.Values{}
		for k, v := range good {
			q[k] = v
		}
		if value == "" {
			q.Del(key)
		} else {
			q.Set(key, value)
		}
		return q
	}
	mp, _ := sealed(w, "mp", message(w, "o1", "签到", 0))
	for name, c := range map[string]struct {
		account string
		query   url.Values
		body    []byte
	}{
		"UnknownAccount":   {"nobody", good, body},
		"OtherAccount":     {"mp", good, body},
		"SignedForAnother": {"oa", mp, body},
		"NoSignature":      {"oa", with("msg_signature", ""), body},
		"WrongSignature":   {"oa", with("msg_signature", strings.Repeat("0", 40)), body},
		"OtherNonce":       {"oa", with("nonce", "8"), body},
		"Downgraded":       {"oa", with("encrypt_type", ""), []byte(message(w, "o1", "签到", 0))},
		"ReadableBody":     {"oa", good, []byte(message(w, "o1", "签到", 0))},
		"OneBitFlipped":    {"oa", good, bytes.Replace(body, []byte("<Encrypt><![CDATA["), []byte("<Encrypt><![CDATA[A"), 1)},
		"Truncated":        {"oa", good, body[:len(body)/2]},
		"Empty":            {"oa", good, nil},
		"NotXML":           {"oa", good, []byte("hello")},
		"TooLarge":         {"oa", good, append(bytes.Clone(body), bytes.Repeat([]byte(" "), 300<<10)...)},
		"OldTimestamp": {"oa", func() url.Values {
			stamp := fmt.Sprint(w.Now().Add(-11 * time.Minute).Unix())
			c, err := wechat.NewCrypt(acc.Token, acc.EncodingAESKey, acc.AppID)
			require.NoError(t, err)
			secret := string(regexp.MustCompile(`CDATA\[([^]]*)`).FindSubmatch(body)[1])
			q := with("timestamp", stamp)
			q.Set("signature", wechat.Signature(acc.Token, stamp, "7"))
			q.Set("msg_signature", c.Signature(stamp, "7", secret))
			return q
		}(), body},
	} {
		_, err := w.Inbox.Receive(t.Context(), c.account, c.query, c.body)
		require.NotEmpty(t, errs.CodeOf(err), name)
		require.Equal(t, before, rows(w), name)
	}
	_, err := w.Inbox.Receive(t.Context(), "oa", good, body)
	require.NoError(t, err, "the same push, as it was, is good")
	after := rows(w)
	_, err = w.Inbox.Receive(t.Context(), "oa", good, body)
	require.NoError(t, err, "a retry is answered")
	require.Equal(t, after, rows(w), "and changes nothing")
	w.Sandbox.Clock().Set(w.Now().Add(11 * time.Minute))
	_, err = w.Inbox.Receive(t.Context(), "oa", good, body)
	require.Equal(t, errs.Forbidden, errs.CodeOf(err), "a replay is refused")
	require.Equal(t, after, rows(w))
}

func TestPushesAtOnce(t *testing.T) {
	t.Parallel()

	t.Run("OnePushTwentyTimesIsOneEffectAndOneAnswer", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		w.Rule("checkin", model.EventCheckin, apptest.Earns(5, ""))
		id := w.Touched("oa", "o1")
		_, err := w.Members.Register(t.Context(), id, member.Profile{}, "1")
		require.NoError(t, err)
		q, body := sealed(w, "oa", message(w, "o1", "签到", 0))
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				a, err := w.Inbox.Receive(context.Background(), "oa", q, body)
				if err != nil {
					t.Errorf("Receive: %v", err)
					return
				}
				if !bytes.Contains(a.Body, []byte("<Encrypt>")) {
					t.Errorf("a retry reads the first answer, not %q", a.Body)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 5, w.Points(id))
		require.EqualValues(t, 1, w.Count(&model.Event{}, "kind = ?", model.EventMessage))
		row := onlyRow(w)
		require.Equal(t, model.InboxDone, row.State)
		require.Equal(t, 1, row.Attempts)
	})

	t.Run("FirstContactByTwoPushesIsOnePerson", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() { receive(w, "oa", message(w, "o1", "hello", i)) })
		}
		wg.Go(func() { receive(w, "oa", pushEvent(w, "o1", "subscribe", "", 0)) })
		wg.Wait()
		require.EqualValues(t, 1, w.Count(&model.Member{}))
		require.EqualValues(t, 11, w.Count(&model.Inbox{}, "state = ?", model.InboxDone))
	})

	t.Run("TwoEventsInOneSecondAreTwo", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		receive(w, "oa", pushEvent(w, "o1", "CLICK", "A", 0))
		receive(w, "oa", pushEvent(w, "o1", "CLICK", "B", 0))
		require.EqualValues(t, 2, w.Count(&model.Event{}, "kind = ?", model.EventMenu))
	})
}

func TestOrderOfPushes(t *testing.T) {
	t.Parallel()
	type fact struct {
		name string
		s    int
	}
	facts := []fact{{"subscribe", 0}, {"unsubscribe", 10}, {"subscribe", 20}}
	for name, order := range map[string][]int{"AsTheyWere": {0, 1, 2}, "Backwards": {2, 1, 0}, "LeavingLast": {0, 2, 1}, "ComingBackFirst": {2, 0, 1}, "LeavingFirst": {1, 0, 2}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := apptest.New(t)
			w.Advance(time.Minute)
			for _, i := range order {
				receive(w, "oa", pushEvent(w, "o1", facts[i].name, "", facts[i].s))
			}
			var id model.Identity
			require.NoError(t, w.DB.Reader(t.Context()).Take(&id).Error)
			require.True(t, id.Subscribed, "the newest push says so")
			require.Equal(t, apptest.Start.Add(20*time.Second), *id.StateAt)
			require.EqualValues(t, 2, w.Count(&model.Event{}, "kind = ?", model.EventFollowed))
			require.EqualValues(t, 1, w.Count(&model.Event{}, "kind = ?", model.EventUnfollowed))
		})
	}
}

func TestKept(t *testing.T) {
	t.Parallel()

	t.Run("EverySampleIsUnderstoodOrKept", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		files, err := filepath.Glob("../wechat/testdata/events/*")
		require.NoError(t, err)
		require.Greater(t, len(files), 40)
		to := regexp.MustCompile(`(<ToUserName><!\[CDATA\[|"ToUserName":\s*")[^]"]*`)
		states := map[string]int{}
		for _, account := range []string{"oa", "mp"} {
			acc, _ := w.Account(account)
			for _, f := range files {
				raw, err := os.ReadFile(f)
				require.NoError(t, err)
				q, b := sealed(w, account, to.ReplaceAllString(string(raw), "${1}"+acc.OriginalID))
				before := w.Count(&model.Inbox{})
				a, err := w.Inbox.Receive(t.Context(), account, q, b)
				if err != nil { // a body without ToUserName cannot be for this account
					require.NotContains(t, string(raw), "ToUserName", f)
					continue
				}
				require.NotNil(t, a)
				if w.Count(&model.Inbox{}) == before {
					continue // the same push in the other format
				}
				var row model.Inbox
				require.NoError(t, w.DB.Reader(t.Context()).Last(&row).Error)
				require.NotEqual(t, model.InboxFailed, row.State, "%s: %s", f, row.Error)
				states[row.State]++
			}
		}
		require.Greater(t, states[model.InboxDone], 20)
		require.Greater(t, states[model.InboxUnknown], 20)
	})

	t.Run("WhatNobodyKnowsIsKeptAndAnswered", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		for i, body := range []string{
			pushEvent(w, "o1", "future_event", "", 0), strings.Replace(message(w, "o1", "x", 1), "<MsgType>text", "<MsgType>hologram", 1),
			strings.Replace(message(w, "", "no sender", 2), "1002", "9", 1), pushEvent(w, strings.Repeat("o", 200), "subscribe", "", 3),
			pushEvent(w, "o1", strings.Repeat("很长", 40), "", 4), strings.Replace(pushEvent(w, "o2", "subscribe", "", 5), "CreateTime", "When", 2),
		} {
			a := receive(w, "oa", body)
			require.Equal(t, "success", string(a.Body), i)
		}
		require.EqualValues(t, 6, w.Count(&model.Inbox{}, "state = ?", model.InboxUnknown))
		require.Zero(t, w.Count(&model.Member{}))
	})

	t.Run("ALongSceneIsNoBug", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		receive(w, "oa", pushEvent(w, "o1", "subscribe", "qrscene_"+strings.Repeat("s", 64), 0))
		require.Equal(t, model.InboxDone, onlyRow(w).State)
	})

	t.Run("APlaceIsNotKeptWithoutConsent", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		p, id := w.Member("alice")
		w.Act(p, "follow", nil)
		w.Settle()
		w.Act(p, "location", map[string]any{"lat": 31.2304, "lng": 121.4737})
		require.Zero(t, w.Count(&model.Position{}))
		require.Zero(t, w.Count(&model.Inbox{}, "raw LIKE ?", "%31.23%"), "nor in the push")
		yes := true
		_, err := w.Members.Update(t.Context(), id, member.Profile{LocationConsent: &yes})
		require.NoError(t, err)
		w.Advance(time.Second)
		w.Act(p, "location", map[string]any{"lat": 31.2304, "lng": 121.4737})
		require.EqualValues(t, 1, w.Count(&model.Position{}))
		w.Act(p, "unfollow", nil)
		require.Zero(t, w.Count(&model.Position{}), "PLAYBOOKS H21")
	})

	t.Run("BodiesAreForgottenAfterTheRetentionAndKeysAreNot", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		receive(w, "oa", message(w, "o1", "secret", 0))
		w.Advance(31 * 24 * time.Hour)
		row := onlyRow(w)
		require.Nil(t, row.Raw)
		receive(w, "oa", message(w, "o1", "secret", 0)) // signed anew
		require.EqualValues(t, 1, w.Count(&model.Event{}, "kind = ?", model.EventMessage))
	})
}

func TestABug(t *testing.T) {
	t.Parallel()
	for name, bug := range map[string]func() error{
		"Error": func() error { return errors.New("no such column") },
		"Panic": func() error { panic("nil map") },
	} {
		t.Run(name+"LeavesNothingHalfDoneAndIsReplayedOnce", func(t *testing.T) {
			t.Parallel()
			w := apptest.New(t)
			broken := true
			w.Events.Follow(func(_ context.Context, tx *gorm.DB, ev *model.Event) ([]event.Grant, error) {
				if broken && ev.Kind == model.EventCheckin {
					return nil, bug()
				}
				return nil, nil
			})
			w.Rule("checkin", model.EventCheckin, apptest.Earns(5, ""))
			id := w.Touched("oa", "o1")
			_, err := w.Members.Register(t.Context(), id, member.Profile{}, "1")
			require.NoError(t, err)
			before := rows(w)
			a := receive(w, "oa", message(w, "o1", "签到", 0))
			require.Equal(t, "success", string(a.Body))
			row := onlyRow(w)
			require.Equal(t, model.InboxFailed, row.State)
			require.NotEmpty(t, row.Error)
			before["*model.Inbox"]++
			require.Equal(t, before, rows(w))

			_, err = w.Inbox.Replay(t.Context(), row.ID)
			require.NoError(t, err)
			require.Equal(t, model.InboxFailed, onlyRow(w).State, "still broken")
			broken = false
			w.Advance(48 * time.Hour)
			replayed, err := w.Inbox.Replay(t.Context(), row.ID)
			require.NoError(t, err)
			require.Equal(t, model.InboxDone, replayed.State)
			require.Equal(t, 3, replayed.Attempts)
			require.EqualValues(t, 5, w.Points(id))
			month, err := w.Checkins.Month(t.Context(), id, "2026-11")
			require.NoError(t, err)
			require.Equal(t, []model.Day{"2026-11-23"}, month.Days, "the day on which he wrote")
			_, err = w.Inbox.Replay(t.Context(), row.ID)
			require.Equal(t, errs.Conflict, errs.CodeOf(err))
			_, err = w.Inbox.Replay(t.Context(), 999)
			require.Equal(t, errs.NotFound, errs.CodeOf(err))
		})
	}

	t.Run("ReplayedByTenAtOnceItRunsOnce", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		broken := true
		w.Events.Follow(func(context.Context, *gorm.DB, *model.Event) ([]event.Grant, error) {
			if broken {
				return nil, errors.New("bug")
			}
			return nil, nil
		})
		receive(w, "oa", message(w, "o1", "hello", 0))
		row := onlyRow(w)
		broken = false
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if _, err := w.Inbox.Replay(context.Background(), row.ID); err != nil && errs.CodeOf(err) != errs.Conflict {
					t.Errorf("Replay: %v", err)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 1, w.Count(&model.Event{}))
		require.Equal(t, 2, onlyRow(w).Attempts)
	})
}

func TestPushesThatShareATransaction(t *testing.T) {
	t.Parallel()
	// all sends pushes that come while others are at work.
	all := func(t *testing.T, w *apptest.World, pushes ...string) {
		t.Helper()
		release := w.Inbox.Hold(len(pushes))
		var wg sync.WaitGroup
		for _, body := range pushes {
			q, b := sealed(w, "oa", body)
			wg.Go(func() {
				if _, err := w.Inbox.Receive(context.Background(), "oa", q, b); err != nil {
					t.Errorf("Receive: %v", err)
				}
			})
		}
		release()
		wg.Wait()
	}
	state := func(w *apptest.World, state string) int64 { return w.Count(&model.Inbox{}, "state = ?", state) }

	t.Run("EachIsStoredAndRunOnce", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		w.Rule("checkin", model.EventCheckin, apptest.Earns(5, ""))
		var pushes []string
		for i := range 40 { // ten people, four texts each, among them one check-in
			text := "hello"
			if i%4 == 1 {
				text = "签到"
			}
			pushes = append(pushes, message(w, fmt.Sprint("o", i/4), text, i))
		}
		before := w.DB.Stats().Transactions
		all(t, w, pushes...)
		after := w.DB.Stats().Transactions
		require.Less(t, after-before, int64(10), "transactions")
		require.EqualValues(t, 40, w.Count(&model.Inbox{}))
		require.EqualValues(t, 40, w.Count(&model.Event{}, "kind = ?", model.EventMessage))
		require.EqualValues(t, 10, w.Count(&model.Member{}))
		require.EqualValues(t, 10, state(w, model.InboxRefused), "nobody has registered")
		require.EqualValues(t, 30, state(w, model.InboxDone))
	})

	t.Run("ABugInOneIsOfNoConcernToTheOthers", func(t *testing.T) {
		t.Parallel()
		for name, bug := range map[string]func() error{
			"Error": func() error { return errors.New("no such column") }, "Panic": func() error { panic("nil map") },
		} {
			w := apptest.New(t)
			w.Events.Follow(func(_ context.Context, _ *gorm.DB, ev *model.Event) ([]event.Grant, error) {
				if strings.Contains(string(ev.Data), "boom") {
					return nil, bug()
				}
				return nil, nil
			})
			var pushes []string
			for i := range 16 {
				text := "hello"
				if i == 7 {
					text = "boom"
				}
				pushes = append(pushes, message(w, fmt.Sprint("o", i), text, i))
			}
			all(t, w, pushes...)
			require.EqualValues(t, 15, state(w, model.InboxDone), name)
			require.EqualValues(t, 1, state(w, model.InboxFailed), name)
			require.EqualValues(t, 15, w.Count(&model.Event{}, "kind = ?", model.EventMessage), name)
			require.EqualValues(t, 15, w.Count(&model.Member{}), name)
		}
	})

	t.Run("ARetryBesideTheFirstIsAnsweredLikeIt", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		same := message(w, "o1", "hello", 0)
		all(t, w, same, message(w, "o2", "hello", 1), same, same)
		require.EqualValues(t, 2, w.Count(&model.Inbox{}))
		require.EqualValues(t, 2, w.Count(&model.Event{}, "kind = ?", model.EventMessage))
	})

	t.Run("WhoGivesUpWaitingIsStoredForLater", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		w.Inbox.Slow = time.Millisecond
		release := w.Inbox.Hold(0)
		receive(w, "oa", message(w, "o1", "hello", 0))
		release()
		require.EqualValues(t, 1, state(w, model.InboxPending))
		w.Settle()
		require.EqualValues(t, 1, state(w, model.InboxDone))
	})
}

func TestSlow(t *testing.T) {
	t.Parallel()

	t.Run("APushThatTakesTooLongIsStoredAloneAndRunLaterOnce", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		w.Inbox.Slow = 30 * time.Millisecond
		slow := true
		w.Events.Follow(func(_ context.Context, _ *gorm.DB, ev *model.Event) ([]event.Grant, error) {
			if slow {
				<-clock.After(2 * w.Inbox.Slow)
			}
			return nil, nil
		})
		x := w.Tag(tag.Value, "x")
		w.AutoTag(x, `{"leaf":"event.text","contains_any":["hello"]}`)
		a := receive(w, "oa", message(w, "o1", "hello", 0))
		require.Equal(t, "success", string(a.Body))
		require.Equal(t, model.InboxPending, onlyRow(w).State)
		require.Zero(t, w.Count(&model.Event{}))
		receive(w, "oa", message(w, "o1", "hello", 0))
		require.Equal(t, model.InboxPending, onlyRow(w).State, "a retry finds the row")
		require.EqualValues(t, 1, w.Count(&model.Inbox{}, "state = ?", model.InboxPending), "it waits to be run")
		slow = false
		w.Advance(time.Hour)
		require.Equal(t, model.InboxDone, onlyRow(w).State)
		require.EqualValues(t, 1, w.Count(&model.Event{}, "kind = ?", model.EventMessage))
		id := w.Touched("oa", "o1")
		require.Equal(t, []string{"x"}, w.Held(id))
		var ev model.Event
		require.NoError(t, w.DB.Reader(t.Context()).Where("kind = ?", model.EventMessage).Take(&ev).Error)
		require.Equal(t, apptest.Start, ev.OccurredAt, "when he wrote, not when it ran")
	})

	t.Run("NothingIsAnsweredWhileTheDatabaseIsBusy", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		w.Inbox.Slow = 20 * time.Millisecond
		id := w.Touched("oa", "o1")
		held, release := make(chan struct{}), make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := w.DB.Tx(context.Background(), func(_ context.Context, tx *gorm.DB) error {
				err := member.LockTx(tx, id)
				close(held)
				<-release
				return err
			}); err != nil {
				t.Errorf("Tx: %v", err)
			}
		})
		<-held
		q, body := sealed(w, "oa", message(w, "o1", "hello", 0))
		answered := make(chan error, 1)
		wg.Go(func() {
			_, err := w.Inbox.Receive(context.Background(), "oa", q, body)
			answered <- err
		})
		<-clock.After(3 * w.Inbox.Slow)
		require.Empty(t, answered, "no answer before a commit that holds the row")
		close(release)
		require.NoError(t, <-answered)
		wg.Wait()
		require.EqualValues(t, 1, w.Count(&model.Inbox{}))
		w.Settle()
		require.Equal(t, model.InboxDone, onlyRow(w).State)
		require.EqualValues(t, 1, w.Count(&model.Event{}))
	})

	t.Run("TwoWorkersRunAPendingPushOnce", func(t *testing.T) {
		t.Parallel()
		w := apptest.New(t)
		w.Inbox.Slow = -1 // everything is too slow
		for s := range 8 {
			receive(w, "oa", message(w, "o1", "hello", s))
		}
		require.EqualValues(t, 8, w.Count(&model.Inbox{}, "state = ?", model.InboxPending))
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				for w.Count(&model.Inbox{}, "state = ?", model.InboxPending) > 0 {
					if _, err := w.Inbox.Work(context.Background(), fmt.Sprint(i)); err != nil {
						t.Errorf("Work: %v", err)
						return
					}
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 8, w.Count(&model.Event{}))
		require.EqualValues(t, 8, w.Count(&model.Inbox{}, "attempts = 1"))
	})
}
