package playbook_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/siyu-scrm/siyu/app/clock"
	"github.com/siyu-scrm/siyu/app/wechat/sandbox/phone"
)

// The words of the broadcast that is killed: those of official-account messages, and those of the subscribe message.
const (
	killText  = "周三会员日到了"
	killThing = "周三会员日"
)

// killMessage goes to everybody by the first channel that is open to him.
var killMessage = obj{
	"text": killText, "channels": []string{"customer", "subscribe", "mass"},
	"subscribe": obj{"template_id": "TPL_ACTIVITY", "page": "pages/index/index", "data": obj{"thing1": killThing, "thing2": "九折", "time3": "2026-11-25 10:00"}},
}

// crowd is followers of whom a third each can be reached by one channel.
type crowd struct {
	people []*phone.Person
	ids    map[string]string // member → person
}

// gather makes n followers.
func gather(s *siyu, n int) *crowd {
	s.t.Helper()
	ctx := s.t.Context()
	c := &crowd{people: make([]*phone.Person, n), ids: map[string]string{}}
	err := each(n, 4, func(i int) (err error) { // few: WeChat gives up a push that waits behind too many others on a slow disk
		p, err := s.Person(ctx, fmt.Sprintf("p%d", i), "")
		if err != nil {
			return err
		}
		c.people[i] = p
		if _, err := p.Act(ctx, "follow", nil); err != nil {
			return err
		}
		switch i % 3 {
		case 0:
			_, err = p.Act(ctx, "text", obj{"content": "你好"})
		case 1:
			if _, err = p.Login(ctx); err == nil {
				_, err = p.Act(ctx, "accept", obj{"account": "mp", "template": "TPL_ACTIVITY"})
			}
		}
		return err
	})
	require.NoError(s.t, err)
	s.advance("2m") // the minute that a follow opens is over
	var mu sync.Mutex
	err = each(n, 16, func(i int) error {
		var who struct{ OpenIDs map[string]string }
		if err := s.Call(ctx, "GET", "/sandbox/api/users/"+c.people[i].ID, "", nil, &who); err != nil {
			return err
		}
		var found struct{ Items []struct{ ID string } }
		if err := s.Call(ctx, "GET", "/admin/v1/members?search="+who.OpenIDs["oa"], s.admin, nil, &found); err != nil {
			return err
		}
		if len(found.Items) != 1 {
			return fmt.Errorf("person %s is %d members", c.people[i].ID, len(found.Items))
		}
		mu.Lock()
		defer mu.Unlock()
		c.ids[found.Items[0].ID] = c.people[i].ID
		return nil
	})
	require.NoError(s.t, err)
	require.Len(s.t, c.ids, n)
	return c
}

// watch reads the counts of a broadcast's runs as fast as it can until stopped, and remembers a sum that did not hold.
type watch struct {
	stop   context.CancelFunc
	done   sync.WaitGroup
	reads  atomic.Int64
	broken atomic.Value
}

func (s *siyu) watch(broadcastID string) *watch {
	ctx, stop := context.WithCancel(context.Background())
	w := &watch{stop: stop}
	w.done.Go(func() {
		for ctx.Err() == nil {
			var out struct{ Items []sending }
			if err := s.Call(ctx, "GET", "/admin/v1/broadcasts/"+broadcastID+"/runs", s.admin, nil, &out); err != nil {
				clock.Sleep(ctx, 5*time.Millisecond) // killed, or not up yet
				continue
			}
			for _, r := range out.Items {
				w.reads.Add(1)
				if r.Counts.sum() != r.Counts.Audience {
					w.broken.Store(fmt.Sprintf("%+v", r.Counts))
				}
			}
		}
	})
	return w
}

func (w *watch) held(t testing.TB) {
	t.Helper()
	w.stop()
	w.done.Wait()
	require.Nil(t, w.broken.Load(), "the sum did not hold")
	require.Positive(t, w.reads.Load())
}

// finish lets a run that was interrupted come to its end: the lease of the dead process runs out in real time, the retry of a mass
// send waits in app time.
func (s *siyu) finish(broadcastID string) sending {
	s.t.Helper()
	var run sending
	until(s.t, "the run ends", func() bool {
		runs := s.runs(broadcastID)
		require.Len(s.t, runs, 1)
		run = runs[0]
		if run.State != "done" {
			s.advance("30s")
			clock.Sleep(s.t.Context(), 200*time.Millisecond)
		}
		return run.State == "done"
	})
	return run
}

// settled checks the promise: nobody twice, everybody received or shown as unknown, unknown no more than the calls in flight at each kill.
func (c *crowd) settled(s *siyu, run sending, inFlight int) {
	t := s.t
	t.Helper()
	got := map[string]int{}
	for _, r := range s.receipts() {
		if r.Channel != "reply" && (strings.Contains(r.Content, killText) || strings.Contains(r.Content, killThing)) {
			got[r.User]++
		}
	}
	unknown := 0
	rows := s.deliveries(run.ID)
	require.Len(t, rows, len(c.people))
	for _, d := range rows {
		user := c.ids[d.MemberID]
		require.NotEmpty(t, user)
		switch d.State {
		case "accepted":
			require.Equal(t, 1, got[user], "person %s: %+v", user, d)
		case "unknown":
			unknown++
			require.LessOrEqual(t, got[user], 1, "person %s: %+v", user, d)
			require.NotEqual(t, "mass", d.Channel, "WeChat knows a mass send again: %+v", d)
		default:
			require.Fail(t, "neither sent nor unknown", "person %s, %d messages: %+v", user, got[user], d)
		}
	}
	require.LessOrEqual(t, unknown, inFlight)
	require.Equal(t, counts{Audience: len(c.people), Accepted: len(c.people) - unknown, Unknown: unknown}, run.Counts)
}

// Every place at which a process can die between deciding and knowing what came of it (DESIGN P5).
func TestKillAtEveryPoint(t *testing.T) {
	t.Parallel()
	for _, point := range []string{
		"freezing", "after_lease", "deciding", "deciding:2", "after_attempting_commit", "after_attempting_commit:3", "mid_calls", "mid_calls:2", "before_outcome_commit", "before_outcome_commit:2",
		"after_outcome_commit:2", "mass_reserved", "mass_before_call", "mass_after_call", "mass_mid_outcome",
		"advanced", "finishing", "advanced:2",
	} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			p, _ := apart(t, "2026-11-25 15:00:00", "SIYU_REACH_IN_FLIGHT=8", "SIYU_REACH_WORKERS=2")
			a := p.serve(t, "", "SIYU_CRASH_AT="+point)
			c := gather(a, 30)
			id := a.broadcast(obj{"name": "会员日", "condition": follower, "message": killMessage})
			w := a.watch(id)
			_ = a.Call(t.Context(), "POST", "/admin/v1/broadcasts/"+id+"/run", a.admin, obj{"confirm": 30}, nil) // it may die before it answers
			until(t, "the process kills itself", a.ended)

			b := p.serve(t, a.url)
			_ = b.Call(t.Context(), "POST", "/admin/v1/broadcasts/"+id+"/run", b.admin, obj{"confirm": 30}, nil) // a duplicate, but where it died while freezing
			run := b.finish(id)
			w.held(t)
			c.settled(b, run, 8)
			b.done()
		})
	}
}

// Killed twice at any moment of a broadcast to 400.
func TestKillAtAnyMoment(t *testing.T) {
	t.Parallel()
	p, _ := apart(t, "2026-11-25 15:00:00", "SIYU_REACH_IN_FLIGHT=16", "SIYU_REACH_WORKERS=2")
	s := p.serve(t, "")
	c := gather(s, 400)
	s.control("POST", "/faults", obj{"path": "/cgi-bin/message/*", "kind": "latency", "times": -1, "ms": 20}, nil)
	before := len(s.receipts())
	id := s.broadcast(obj{"name": "会员日", "condition": follower, "message": killMessage})
	w := s.watch(id)
	s.fire(id, obj{"confirm": 400})
	for range 2 {
		after := before + 1 + rand.IntN(100)
		t.Logf("kill after %d receipts", after)
		until(t, "some have received", func() bool { return len(s.receipts()) >= after || s.runs(id)[0].State == "done" })
		before = after
		s.kill()
		s = p.serve(t, s.url)
	}
	run := s.finish(id)
	w.held(t)
	c.settled(s, run, 2*16)
	s.done()
}

// Four processes on one database: a firing is sent once, also when two of them die in the middle. SQLite has one process at a time, and
// the second says so.
func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	p, _ := apart(t, "2026-11-25 08:00:00", "SIYU_REACH_IN_FLIGHT=16", "SIYU_REACH_WORKERS=2")
	a := p.serve(t, "")
	if !onMySQL() {
		cmd := exec.Command(binary, "serve", "--addr", "127.0.0.1:0", "--data", p.dir)
		cmd.Dir, cmd.Env = p.dir, append(environ(), p.env...)
		out, err := cmd.CombinedOutput()
		require.Error(t, err)
		require.NotContains(t, string(out), "panic")
		require.Contains(t, string(out), "another", "%s", out)
		return
	}
	b := p.serve(t, "")
	more := []*siyu{p.serve(t, ""), p.serve(t, "")} // four in all
	c := gather(a, 150)
	b.control("POST", "/faults", obj{"path": "/cgi-bin/message/*", "kind": "latency", "times": -1, "ms": 20}, nil)
	before := len(b.receipts())
	id := a.broadcast(obj{"name": "会员日", "cron": "0 10 * * 3", "condition": follower, "message": killMessage})
	b.set("2026-11-25 09:59:58")
	w := b.watch(id)
	_, err := b.Clock(t.Context(), obj{"tick": true})
	require.NoError(t, err)
	until(t, "some have received", func() bool { return len(b.receipts()) > before+20 })
	a.kill()
	until(t, "more have received", func() bool { return len(b.receipts()) > before+60 || b.runs(id)[0].State == "done" })
	more[0].kill()
	run := b.finish(id)
	w.held(t)
	c.settled(b, run, 2*16)
	more[1].done()
	b.done()
}

// WeChat takes messages and does not answer, again and again: they are unknown and never sent again, the others are sent once, and a mass
// send is found to have been taken. The process dies in between.
func TestTimeoutsAndAKill(t *testing.T) {
	t.Parallel()
	p, _ := apart(t, "2026-11-25 15:00:00", "SIYU_REACH_IN_FLIGHT=8", "SIYU_REACH_WORKERS=2")
	s := p.serve(t, "", "SIYU_CRASH_AT=before_outcome_commit:2")
	c := gather(s, 60)
	const lost = 5
	for _, path := range []string{customPath, massPath} {
		s.control("POST", "/faults", obj{"path": path, "kind": "timeout_after", "times": map[string]int{customPath: lost, massPath: 1}[path], "ms": 100}, nil)
	}
	id := s.broadcast(obj{"name": "会员日", "condition": follower, "message": killMessage})
	w := s.watch(id)
	_ = s.Call(t.Context(), "POST", "/admin/v1/broadcasts/"+id+"/run", s.admin, obj{"confirm": 60}, nil)
	until(t, "the process kills itself", s.ended)
	b := p.serve(t, s.url)
	run := b.finish(id)
	w.held(t)
	c.settled(b, run, 8+lost)
	b.done()
}

// Killed while many check in: whoever was answered has his points, and whoever asks again gets the first answer (DESIGN P2, P3).
func TestKillDuringCheckins(t *testing.T) {
	t.Parallel()
	const n = 60
	p, _ := apart(t, "2026-11-25 09:00:00")
	s := p.serve(t, "")
	s.checkinRule(5, 7, 20)
	ctx := t.Context()
	people := make([]*phone.Person, n)
	require.NoError(t, each(n, 16, func(i int) (err error) {
		if people[i], err = s.Person(ctx, "", ""); err != nil {
			return err
		}
		if _, err = people[i].Login(ctx); err != nil {
			return err
		}
		return people[i].API(ctx, "POST", "/register", obj{}, nil)
	}))

	answered := make([]bool, n)
	var answers atomic.Int64
	enough := int64(1 + rand.IntN(n/2))
	checkIn := func(i int) error {
		return people[i].API(ctx, "POST", "/checkins", nil, nil, "Idempotency-Key", fmt.Sprintf("day-1-%d", i))
	}
	err := each(n, 8, func(i int) error {
		err := checkIn(i)
		if err == nil {
			answered[i] = true
			if answers.Add(1) == enough {
				_ = s.cmd.Process.Kill()
			}
		}
		var r *phone.Refusal
		if errors.As(err, &r) {
			return err // a killed process refuses nothing: it does not answer
		}
		return nil
	})
	require.NoError(t, err)
	<-s.gone
	require.GreaterOrEqual(t, answers.Load(), enough)

	s = p.serve(t, s.url)
	require.NoError(t, each(n, 8, func(i int) error {
		var out struct{ Balance int64 }
		if err := people[i].API(ctx, "GET", "/points", nil, &out); err != nil {
			return err
		}
		if answered[i] && out.Balance != 5 {
			return fmt.Errorf("person %d was answered and has %d", i, out.Balance)
		}
		if err := checkIn(i); err != nil { // the same key: the first answer
			return fmt.Errorf("person %d: %w", i, err)
		}
		var r *phone.Refusal
		if err := people[i].API(ctx, "POST", "/checkins", nil, nil); !errors.As(err, &r) || r.Status != http.StatusConflict {
			return fmt.Errorf("person %d, another key: %w", i, err)
		}
		err := people[i].API(ctx, "GET", "/points", nil, &out)
		if err == nil && out.Balance != 5 {
			err = fmt.Errorf("person %d has %d", i, out.Balance)
		}
		return err
	}))
	s.done()
}

// Killed while pushes come in: WeChat delivers them again, more than once, and each counts once.
func TestKillDuringCallbacks(t *testing.T) {
	t.Parallel()
	const n = 60
	p, _ := apart(t, "2026-11-25 09:00:00")
	s := p.serve(t, "")
	s.checkinRule(5, 7, 20)
	ctx := t.Context()
	people := make([]*phone.Person, n)
	require.NoError(t, each(n, 16, func(i int) (err error) {
		if people[i], err = s.Person(ctx, "", ""); err != nil {
			return err
		}
		if _, err = people[i].Act(ctx, "follow", nil); err != nil {
			return err
		}
		if _, err = people[i].Login(ctx); err != nil {
			return err
		}
		return people[i].API(ctx, "POST", "/register", obj{}, nil)
	}))
	s.advance("0s")
	first := len(s.pushes())

	var done atomic.Int64
	enough := int64(1 + rand.IntN(n/2))
	require.NoError(t, each(n, 8, func(i int) error {
		if done.Add(1) == enough {
			_ = s.cmd.Process.Kill()
		}
		_, err := people[i].Act(ctx, "text", obj{"content": "签到"})
		return err
	}))
	<-s.gone
	s = p.serve(t, s.url)
	pushes := s.pushes()[first:]
	require.Len(t, pushes, n)
	var lost atomic.Int64
	for _, push := range pushes {
		if push.Status != "ok" {
			lost.Add(1)
		}
	}
	t.Logf("%d of %d pushes were not answered", lost.Load(), n)
	for range 2 {
		require.NoError(t, each(n, 8, func(i int) error {
			var out struct{ Status int }
			err := s.Call(ctx, "POST", fmt.Sprintf("/sandbox/api/pushes/%d/replay", pushes[i].ID), "", nil, &out)
			if err == nil && out.Status != http.StatusOK {
				err = fmt.Errorf("push %d: %d", i, out.Status)
			}
			return err
		}))
	}
	s.advance("0s")
	for _, m := range people {
		require.EqualValues(t, 5, s.balance(m))
		require.Equal(t, 1, count(s.did(s.facts(m).ID), "checkin.done"))
		require.Equal(t, 1, count(s.did(s.facts(m).ID), "message.received"))
	}
	s.done()
}
