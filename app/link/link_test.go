package link_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/link"
	"github.com/siyu-scrm/siyu/app/wechat/sandbox"
	"github.com/siyu-scrm/siyu/app/wechat/sandbox/phone"
	"github.com/siyu-scrm/siyu/model"
	"github.com/siyu-scrm/siyu/templates"
)

type world struct{ *apptest.World }

// newWorld has accounts that are not bound to an Open Platform account.
func newWorld(t *testing.T) *world {
	w := &world{apptest.New(t)}
	no := false
	for _, a := range []string{"oa", "mp"} {
		_, err := w.Sandbox.ChangeAccount(sandbox.AccountChange{Account: a, Bound: &no})
		require.NoError(t, err)
	}
	return w
}

// both is somebody who follows the official account and is a member in the mini-program, unknown to be one.
func (w *world) both(name string) *phone.Person {
	w.T.Helper()
	p := w.Person(name)
	w.Act(p, "follow", nil)
	_, err := p.Login(w.T.Context())
	require.NoError(w.T, err)
	require.NoError(w.T, p.API(w.T.Context(), "POST", "/register", map[string]any{"nickname": name}, nil))
	require.NotEqual(w.T, w.MemberOf(p, "oa").ID, w.MemberOf(p, "mp").ID)
	return p
}

type code struct {
	Code      string    `json:"code"`
	ExpiresAt time.Time `json:"expires_at"`
}

func (w *world) code(p *phone.Person) code {
	w.T.Helper()
	var c code
	require.NoError(w.T, p.API(w.T.Context(), "POST", "/link-codes", nil, &c))
	return c
}

func (w *world) types(p *phone.Person, text string) string {
	w.T.Helper()
	return strings.Join(w.Act(p, "text", map[string]any{"content": text}), "\n")
}

func (w *world) one(p *phone.Person) bool {
	w.T.Helper()
	return w.MemberOf(p, "oa").ID == w.MemberOf(p, "mp").ID
}

func say(key string) string { return templates.T(templates.Chinese, key, nil) }

func TestLink(t *testing.T) {
	t.Parallel()
	t.Run("WhoTypesTheCodeIsTheMember", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.Rule("in", model.EventRegistered, apptest.Earns(50, ""))
		p := w.both("小林")
		c := w.code(p)
		require.Equal(t, w.Now().Add(10*time.Minute), c.ExpiresAt.UTC())
		require.Equal(t, say("reply.linked"), w.types(p, c.Code))
		require.True(t, w.one(p))
		require.EqualValues(t, 50, w.Points(w.MemberOf(p, "oa").ID))
		require.Equal(t, say("link.wrong"), w.types(p, c.Code), "once")
		w.Verified()
	})
	t.Run("ItIsReadHoweverItIsTyped", func(t *testing.T) {
		t.Parallel()
		for _, write := range []func(string) string{
			strings.ToLower,
			func(c string) string { return "绑定 " + c },
			func(c string) string { return "  " + c[:2] + "-" + c[2:5] + " " + c[5:] + "\n" },
			func(c string) string {
				return strings.Map(func(r rune) rune { return r + 0xfee0 }, c)
			},
		} {
			got, ok := link.Typed(write("BD7K4M9Q"))
			require.True(t, ok)
			require.Equal(t, "BD7K4M9Q", got)
		}
		for _, text := range []string{"", "签到", "BD", "BD7K4M9", "BD7K4M9QQ", "BDABCDEF", "BD7K4M9O", "绑定", strings.Repeat("绑", 100)} {
			_, ok := link.Typed(text)
			require.False(t, ok, text)
		}
	})
	t.Run("ItEndsAfterTenMinutesAndWithTheNextOne", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		p := w.both("小林")
		first, second := w.code(p), w.code(p)
		require.Equal(t, say("link.wrong"), w.types(p, first.Code))
		w.Advance(10 * time.Minute)
		require.Equal(t, say("link.wrong"), w.types(p, second.Code))
		require.False(t, w.one(p))
		third := w.code(p)
		w.Advance(10*time.Minute - time.Second)
		require.Equal(t, say("reply.linked"), w.types(p, third.Code))
	})
	t.Run("ItIsStoredHashedAndARepeatGetsItAgain", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		p := w.both("小林")
		var a, b code
		require.NoError(t, p.API(t.Context(), "POST", "/link-codes", nil, &a, "Idempotency-Key", "k"))
		require.NoError(t, p.API(t.Context(), "POST", "/link-codes", nil, &b, "Idempotency-Key", "k"))
		require.Equal(t, a, b)
		require.EqualValues(t, 1, w.Count(&model.LinkCode{}, "issued = 1"))
		require.Zero(t, w.Count(&model.LinkCode{}, "hash LIKE ?", "%"+a.Code+"%"))
		require.Zero(t, w.Count(&model.IdempotencyKey{}, "answer LIKE ?", "%"+a.Code+"%"))
	})
	t.Run("GuessingIsBounded", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		p := w.both("小林")
		c := w.code(p)
		for range 5 {
			require.Equal(t, say("link.wrong"), w.types(p, "BD222222"))
		}
		require.Contains(t, w.types(p, c.Code), " 10 ", "even the right one must wait, and he is told how long")
		require.False(t, w.one(p))
		w.Advance(10 * time.Minute)
		require.Equal(t, say("reply.linked"), w.types(p, w.code(p).Code))
	})
	t.Run("AskingIsBounded", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		p := w.both("小林")
		for range 5 {
			w.code(p)
		}
		err := p.API(t.Context(), "POST", "/link-codes", nil, nil)
		var r *phone.Refusal
		require.ErrorAs(t, err, &r)
		require.Equal(t, []any{429, string(errs.RateLimited)}, []any{r.Status, r.Code})
		require.EqualValues(t, 600, r.Details["retry_after"])
		w.Advance(10 * time.Minute)
		w.code(p)
	})
	t.Run("SurelyDifferentPeopleStayApart", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		p, q := w.both("小林"), w.both("小王")
		require.Equal(t, say("reply.linked"), w.types(p, w.code(p).Code))
		require.Equal(t, say("link.others"), w.types(q, w.code(p).Code), "p has an account of his own there")
		require.Equal(t, say("reply.linked"), w.types(p, w.code(p).Code), "he is that already")
		require.False(t, w.one(q))
	})
	t.Run("ACodeOfWhoWasMergedSinceLeadsToTheSurvivor", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		other := w.Joined("elsewhere") // joined first: he survives
		p := w.both("小林")
		c := w.code(p)
		_, err := w.Members.Merge(t.Context(), w.MemberOf(p, "mp").ID, other, "test")
		require.NoError(t, err)
		require.Equal(t, say("reply.linked"), w.types(p, c.Code))
		require.True(t, w.one(p))
	})
	t.Run("OfTwoWhoTypeItAtOnceOneWins", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		owner, thief := w.both("小林"), w.both("小王")
		c := w.code(owner)
		var all sync.WaitGroup
		for _, p := range []*phone.Person{owner, thief} {
			all.Go(func() { _, _ = p.Act(t.Context(), "text", map[string]any{"content": c.Code}) })
		}
		all.Wait()
		require.EqualValues(t, 1, w.Count(&model.Merge{}))
	})
}
