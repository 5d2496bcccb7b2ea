package follower_test

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/siyu-scrm/siyu/app/apptest"
	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/errs"
	"github.com/siyu-scrm/siyu/app/follower"
	"github.com/siyu-scrm/siyu/app/member"
	"github.com/siyu-scrm/siyu/app/wechat"
	"github.com/siyu-scrm/siyu/app/wechat/sandbox"
	"github.com/siyu-scrm/siyu/app/wechat/sandbox/phone"
	"github.com/siyu-scrm/siyu/model"
)

type world struct{ *apptest.World }

func newWorld(t *testing.T) *world { return &world{apptest.New(t)} }

// before makes followers from before; it returns the phones of the first and the last.
func (w *world) before(n int, scene string) (first, last *phone.Person) {
	w.T.Helper()
	id, err := w.Sandbox.FollowersBefore("oa", n, scene)
	require.NoError(w.T, err)
	return w.Known(strconv.FormatInt(id, 10)), w.Known(strconv.FormatInt(id+int64(n)-1, 10))
}

func (w *world) start() {
	w.T.Helper()
	_, err := w.Followers.Start(w.T.Context(), "oa")
	require.NoError(w.T, err)
}

// sync starts and settles.
func (w *world) sync() follower.Progress {
	w.T.Helper()
	w.start()
	w.Settle()
	return w.progress()
}

func (w *world) progress() follower.Progress {
	w.T.Helper()
	list, err := w.Followers.List(w.T.Context(), w.Accounts)
	require.NoError(w.T, err)
	require.Len(w.T, list, 1)
	return list[0]
}

func (w *world) fault(path, kind string, more map[string]any) {
	w.T.Helper()
	in := map[string]any{"path": path, "kind": kind}
	for k, v := range more {
		in[k] = v
	}
	require.NoError(w.T, w.Call(w.T.Context(), "POST", "/sandbox/api/faults", "", in, nil))
}

func (w *world) unbind() {
	w.T.Helper()
	no := false
	_, err := w.Sandbox.ChangeAccount(sandbox.AccountChange{Account: "oa", Bound: &no})
	require.NoError(w.T, err)
}

func (w *world) followers() int64 {
	w.T.Helper()
	return w.Count(&model.Identity{}, "account = 'oa' AND subscribed = ?", true)
}

// between is the WeChat client with something that happens when it has told of followers, before siyu knows.
type between struct {
	follower.WeChat
	once sync.Once
	do   func()
}

func (b *between) UserInfos(ctx context.Context, account string, openids []string) ([]wechat.UserInfo, error) {
	infos, err := b.WeChat.UserInfos(ctx, account, openids)
	b.once.Do(b.do)
	return infos, err
}

// stuck is the WeChat client that tells of the first followers only: then it is no more heard of.
type stuck struct {
	follower.WeChat
	after int
	told  map[string]bool
}

func (s *stuck) FollowersAfter(ctx context.Context, account, openid string) (wechat.FollowerPage, error) {
	p, err := s.WeChat.FollowersAfter(ctx, account, openid)
	s.told = map[string]bool{}
	for _, id := range p.OpenIDs[:s.after] {
		s.told[id] = true
	}
	return p, err
}

func (s *stuck) UserInfos(ctx context.Context, account string, openids []string) ([]wechat.UserInfo, error) {
	if !s.told[openids[0]] {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return s.WeChat.UserInfos(ctx, account, openids)
}

// small is the WeChat client with short pages.
type small struct{ follower.WeChat }

func (s small) FollowersAfter(ctx context.Context, account, openid string) (wechat.FollowerPage, error) {
	p, err := s.WeChat.FollowersAfter(ctx, account, openid)
	p.OpenIDs = p.OpenIDs[:min(250, len(p.OpenIDs))]
	return p, err
}

// killedAfter works until so many are taken over, and is then heard of no more; it still holds the lease.
func (w *world) killedAfter(n int64) {
	w.T.Helper()
	ctx, kill := context.WithCancel(w.T.Context())
	dying := follower.New(w.DB, w.Clock(), w.Members, &stuck{WeChat: w.WeChat, after: int(n)})
	done := make(chan error, 1)
	go func() {
		_, err := dying.Work(ctx, "dying")
		done <- err
	}()
	require.Eventually(w.T, func() bool { return w.progress().Seen == n }, time.Minute, time.Millisecond)
	w.Tx(func(_ context.Context, tx *gorm.DB) error { // what it still wants to write comes too late
		return tx.Model(&model.FollowerSync{}).Where("account = 'oa'").Update("version", gorm.Expr("version + 1")).Error
	})
	kill()
	require.NoError(w.T, <-done)
}

// expire ends all leases.
func (w *world) expire() {
	w.T.Helper()
	w.Tx(func(_ context.Context, tx *gorm.DB) error {
		return tx.Model(&model.FollowerSync{}).Where("account = 'oa'").Update("lease_till", clock.Real().Add(-time.Second)).Error
	})
}

// during synchronises, with something that happens meanwhile.
func (w *world) during(do func()) {
	w.T.Helper()
	s := follower.New(w.DB, w.Clock(), w.Members, &between{WeChat: w.WeChat, do: do})
	w.start()
	for {
		did, err := s.Work(w.T.Context(), "me")
		require.NoError(w.T, err)
		if !did {
			return
		}
	}
}

func (w *world) Clock() clock.Clock { return w.App.Clock }

func TestSync(t *testing.T) {
	t.Parallel()
	t.Run("TakesOverWithoutWelcomePointsOrNewcomers", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.Rule("follow", model.EventFollowed, apptest.Earns(50, ""))
		_, err := w.Channels.Save(t.Context(), model.ChannelCode{Code: "fair", Name: "展会", Welcome: "你好"})
		require.NoError(t, err)
		first, last := w.before(250, "fair")
		p := w.sync()
		require.Equal(t, model.SyncDone, p.State)
		require.Equal(t, [6]int64{250, 250, 250, 0, 0, 250}, [6]int64{p.Total, p.Seen, p.Taken, p.Known, p.Gone, p.Unions})
		require.EqualValues(t, 250, w.followers())
		require.Zero(t, w.Count(&model.Event{})+w.Count(&model.Entry{})+w.Count(&model.ChannelVisit{})+w.Count(&model.Outbox{}))
		inbox, err := last.Inbox(t.Context())
		require.NoError(t, err)
		require.Empty(t, inbox)

		tree, err := w.Conditions.Parse([]byte(`{"leaf":"member","field":"follower","value":true}`))
		require.NoError(t, err)
		reachable, err := w.Audience.Count(t.Context(), tree)
		require.NoError(t, err)
		require.EqualValues(t, 250, reachable, "conditions find them")

		m := w.MemberOf(first, "oa")
		require.Zero(t, m.FirstChannel)
		require.Equal(t, "fair", w.identity(first).SubscribeScene)
		w.Act(first, "unfollow", nil)
		texts := w.Act(first, "follow", map[string]any{"scene": "fair"})
		require.Equal(t, []string{"你好"}, texts)
		views, err := w.Channels.List(t.Context())
		require.NoError(t, err)
		code := views[len(views)-1]
		require.Equal(t, []any{"fair", int64(0), int64(1)}, []any{code.Code, code.New, code.Returning}, "who comes back is no newcomer")
	})
	t.Run("UnionIDsMeetTheMembersOfTheMiniProgram", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		first, last := w.before(120, "")
		w.register(first)
		known := w.MemberOf(first, "mp")
		require.True(t, known.Joined())
		p := w.sync()
		require.Equal(t, []int64{120, 1}, []int64{p.Taken, p.Linked})
		require.Equal(t, known.ID, w.MemberOf(first, "oa").ID)
		require.Zero(t, w.Count(&model.Merge{}), "nobody had to be merged")

		stranger := w.MemberOf(last, "oa")
		w.register(last)
		require.Equal(t, stranger.ID, w.MemberOf(last, "mp").ID, "a login later finds the follower")
		require.EqualValues(t, 120, w.Count(&model.Member{}, "merged_into IS NULL"))
	})
	t.Run("TwoPhonesOfOnePersonAreOneMember", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		for _, name := range []string{"phone", "tablet"} {
			p, err := w.Server.Person(t.Context(), name, "o6_same")
			require.NoError(t, err)
			w.unheard(func() { w.Act(p, "follow", nil) })
		}
		p := w.sync()
		require.EqualValues(t, 2, p.Taken)
		require.EqualValues(t, 1, w.Count(&model.Member{}))
		require.EqualValues(t, 1, w.Count(&model.Union{}))
	})
	t.Run("WithoutABindingNoUnionIDIsKnown", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.unbind()
		w.before(30, "")
		p := w.sync()
		require.Equal(t, []int64{30, 0}, []int64{p.Taken, p.Unions})
		require.Equal(t, member.Unbound, p.Binding)
	})
	t.Run("OnceBoundASecondRunLinks", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.unbind()
		first, _ := w.before(30, "")
		w.register(first)
		w.sync()
		require.NotEqual(t, w.MemberOf(first, "mp").ID, w.MemberOf(first, "oa").ID)
		yes := true
		_, err := w.Sandbox.ChangeAccount(sandbox.AccountChange{Account: "oa", Bound: &yes})
		require.NoError(t, err)
		p := w.sync()
		require.Equal(t, []int64{30, 0, 30, 1, 30}, []int64{p.Seen, p.Taken, p.Known, p.Linked, p.Unions})
		require.Equal(t, w.MemberOf(first, "mp").ID, w.MemberOf(first, "oa").ID)
		require.Equal(t, []any{model.SyncDone, member.Bound}, []any{p.Status, p.Binding})
	})
	t.Run("ARunAgainChangesNothing", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		first, _ := w.before(210, "")
		w.sync()
		was := w.identity(first)
		p := w.sync()
		require.Equal(t, []int64{210, 0, 210}, []int64{p.Seen, p.Taken, p.Known})
		require.Equal(t, was, w.identity(first))
		require.EqualValues(t, 210, w.Count(&model.Member{}))
	})
}

func TestPushesMeanwhile(t *testing.T) {
	t.Parallel()
	t.Run("WhoLeavesStaysGone", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		first, _ := w.before(10, "")
		w.during(func() { w.Act(first, "unfollow", nil) })
		id := w.identity(first)
		require.False(t, id.Subscribed)
		require.NotNil(t, id.SubscribedAt, "he is no newcomer when he returns")
		require.EqualValues(t, 9, w.followers())
		w.sync()
		require.False(t, w.identity(first).Subscribed)
	})
	t.Run("WhoLeftAndCameBackKeepsTheLaterFollow", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		first, _ := w.before(10, "")
		w.during(func() {
			w.Act(first, "unfollow", nil)
			w.Act(first, "follow", map[string]any{"scene": "poster"})
		})
		id := w.identity(first)
		require.True(t, id.Subscribed)
		require.Equal(t, []any{"poster", w.Now()}, []any{id.SubscribeScene, *id.SubscribedAt})
	})
	t.Run("WhoWroteBeforeIsAFollowerNow", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		first, _ := w.before(3, "")
		w.Act(first, "text", map[string]any{"content": "在吗"})
		require.False(t, w.identity(first).Subscribed)
		p := w.sync()
		require.Equal(t, []int64{2, 1}, []int64{p.Taken, p.Known})
		require.True(t, w.identity(first).Subscribed)
	})
	t.Run("WhoFollowsJustNowIsStillANewcomerWhenHisPushComes", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.before(3, "")
		p := w.Person("晚到")
		w.unheard(func() { w.Act(p, "follow", nil) })
		w.sync()
		id := w.identity(p)
		require.True(t, id.Subscribed)
		w.Tx(func(_ context.Context, tx *gorm.DB) error {
			f, err := w.Members.FollowTx(tx, &id, "poster", w.Now())
			require.Equal(t, member.Follow{New: true}, f)
			return err
		})
	})
	t.Run("WhoIsMadeByAPushMeanwhileIsOnePerson", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		first, last := w.before(150, "")
		w.during(func() {
			w.Act(first, "text", map[string]any{"content": "在吗"})
			w.register(last)
		})
		require.EqualValues(t, 150, w.Count(&model.Member{}, "merged_into IS NULL"))
		require.EqualValues(t, 150, w.followers())
		require.Equal(t, w.MemberOf(last, "mp").ID, w.MemberOf(last, "oa").ID)
	})
}

func TestTrouble(t *testing.T) {
	t.Parallel()
	t.Run("ADayQuotaWaitsForMidnightAndGoesOn", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.before(1000, "")
		w.start()
		w.killedAfter(300)
		w.fault("/cgi-bin/user/info/batchget", "errcode", map[string]any{"errcode": 45009, "times": -1})
		w.expire()
		w.Settle()
		p := w.progress()
		require.Equal(t, []any{model.SyncRunning, "waiting", "day_quota", int64(300)}, []any{p.State, p.Status, p.Problem, p.Seen})
		require.Equal(t, w.At("2026-11-24 00:00:00"), p.RetryAt)
		require.NotZero(t, p.Left)
		require.NoError(t, w.Call(t.Context(), "DELETE", "/sandbox/api/faults", "", nil, nil))
		w.Set("2026-11-24 00:00:00")
		p = w.progress()
		require.Equal(t, []any{model.SyncDone, "", int64(1000), int64(1000)}, []any{p.State, p.Problem, p.Seen, p.Taken})
		require.EqualValues(t, 1000, w.followers())
	})
	t.Run("WhatMayPassIsTriedAgainByItself", func(t *testing.T) {
		t.Parallel()
		for kind, more := range map[string]map[string]any{
			"http_500": nil, "reset": nil, "truncated": nil, "errcode": {"errcode": -1}, "revoke_token": nil,
		} {
			w := newWorld(t)
			w.before(300, "")
			w.fault("/cgi-bin/user/info/batchget", kind, more)
			w.fault("/cgi-bin/user/get", kind, more)
			w.sync()
			w.Advance(2 * time.Minute)
			p := w.progress()
			require.Equal(t, []any{model.SyncDone, int64(300)}, []any{p.State, p.Taken}, kind)
			require.EqualValues(t, 300, w.Count(&model.Member{}))
		}
	})
	t.Run("WhatOnlyAnOperatorMendsStopsItUntilHeStartsItAgain", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.before(300, "")
		w.fault("/cgi-bin/user/info/batchget", "errcode", map[string]any{"errcode": 48001, "skip": 1, "times": 2})
		p := w.sync()
		require.Equal(t, []any{model.SyncFailed, "config"}, []any{p.State, p.Problem})
		require.Contains(t, p.Error, "48001")
		w.Advance(24 * time.Hour)
		require.Equal(t, model.SyncFailed, w.progress().State)
		require.NoError(t, w.Call(t.Context(), "DELETE", "/sandbox/api/faults", "", nil, nil)) // one of two may be left: it stopped at the first
		p = w.sync()
		require.Equal(t, []any{model.SyncDone, int64(300), int64(300), ""}, []any{p.State, p.Seen, p.Taken, p.Error})
	})
	t.Run("OneWhomWeChatNoLongerKnowsIsLeftOut", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.before(5, "")
		w.fault("/cgi-bin/user/info/batchget", "errcode", map[string]any{"errcode": 40003, "times": 1})
		p := w.sync()
		require.Equal(t, []any{model.SyncDone, int64(5)}, []any{p.State, p.Taken}, "asked again in halves")
	})
	t.Run("ACursorThatLeftStartsTheListAgain", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.before(300, "")
		w.start()
		w.killedAfter(200)
		w.expire()
		w.fault("/cgi-bin/user/get", "errcode", map[string]any{"errcode": 40003})
		w.Settle()
		p := w.progress()
		require.Equal(t, []any{model.SyncDone, int64(300), int64(100), int64(200)}, []any{p.State, p.Seen, p.Taken, p.Known})
	})
}

func TestWorkers(t *testing.T) {
	t.Parallel()
	t.Run("ManyTakeOverEverybodyOnce", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.before(1500, "")
		w.start()
		s := follower.New(w.DB, w.Clock(), w.Members, small{w.WeChat})
		var all sync.WaitGroup
		errs := make(chan error, 4)
		for i := range 4 {
			all.Go(func() {
				for {
					did, err := s.Work(t.Context(), fmt.Sprint("p", i))
					if err != nil || !did && w.progress().State == model.SyncDone {
						errs <- err
						return
					}
					runtime.Gosched()
				}
			})
		}
		all.Wait()
		for range 4 {
			require.NoError(t, <-errs)
		}
		p := w.progress()
		require.Equal(t, []int64{1500, 1500, 0}, []int64{p.Seen, p.Taken, p.Known})
		require.EqualValues(t, 1500, w.Count(&model.Identity{}))
		require.EqualValues(t, 1500, w.Count(&model.Member{}))
	})
	t.Run("AKilledOneIsFollowedByAnotherAtItsCursor", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.before(500, "")
		w.start()
		w.killedAfter(200)
		did, err := w.Followers.Work(t.Context(), "other")
		require.NoError(t, err)
		require.False(t, did, "it is held")
		w.expire()
		w.Settle()
		p := w.progress()
		require.Equal(t, []any{model.SyncDone, int64(500), int64(500), int64(0)}, []any{p.State, p.Seen, p.Taken, p.Known})
		require.EqualValues(t, 500, w.Count(&model.Member{}))
	})
}

func TestStart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	require.Equal(t, []any{"none", member.BindingUnknown}, []any{w.progress().Status, w.progress().Binding})
	_, err := w.Followers.Start(t.Context(), "nobody")
	require.Equal(t, errs.NotFound, errs.CodeOf(err))
	_, err = w.Followers.Start(t.Context(), "mp")
	require.Equal(t, errs.Invalid, errs.CodeOf(err))
	w.start()
	_, err = w.Followers.Start(t.Context(), "oa")
	require.Equal(t, errs.Conflict, errs.CodeOf(err))
	w.Settle()
	require.Equal(t, model.SyncDone, w.progress().State, "an account without followers is done at once")
	w.start()
}

func (w *world) identity(p *phone.Person) model.Identity {
	w.T.Helper()
	who, ok := w.Sandbox.Person(p.ID)
	require.True(w.T, ok)
	var id model.Identity
	require.NoError(w.T, w.DB.Reader(w.T.Context()).Where("account = 'oa' AND open_id = ?", who.OpenIDs["oa"]).Take(&id).Error)
	return id
}

func (w *world) register(p *phone.Person) {
	w.T.Helper()
	_, err := p.Login(w.T.Context())
	require.NoError(w.T, err)
	require.NoError(w.T, p.API(w.T.Context(), "POST", "/register", map[string]any{}, nil))
}

// unheard does something whose pushes do not reach siyu.
func (w *world) unheard(do func()) {
	w.T.Helper()
	w.Sandbox.SetCallbackBase("http://127.0.0.1:1")
	do()
	w.Sandbox.SetCallbackBase(w.URL)
}
