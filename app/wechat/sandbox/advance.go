package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/siyu-scrm/siyu/app/clock"
)

// Follower is a process whose business follows the sandbox's clock.
type Follower interface {
	// Due is the earliest instant in (after, until] at which something falls due; false if there is none.
	Due(ctx context.Context, after, until time.Time) (time.Time, bool, error)
	// Settle does everything that is due at now, until nothing is left.
	Settle(ctx context.Context, now time.Time) error
}

// modeFollower is a follower with a clock of its own, which must be told when the clock ticks again.
type modeFollower interface {
	setClock(ctx context.Context, now time.Time, ticking bool) error
}

type following struct {
	name string
	f    Follower
}

// Follow makes f follow the clock until unfollow is called.
func (s *Sandbox) Follow(f Follower) (unfollow func()) {
	fo := &following{"the embedding process", f}
	s.followersMu.Lock()
	s.followers = append(s.followers, fo)
	s.followersMu.Unlock()
	return func() { s.drop(fo) }
}

func (s *Sandbox) drop(fo *following) {
	s.followersMu.Lock()
	defer s.followersMu.Unlock()
	s.followers = slices.DeleteFunc(s.followers, func(x *following) bool { return x == fo })
}

func (s *Sandbox) followed() []*following {
	s.followersMu.Lock()
	defer s.followersMu.Unlock()
	return slices.Clone(s.followers)
}

// roundsAtOneInstant is how often one instant may be settled before it counts as endless.
const roundsAtOneInstant = 1000

// Errors of moving the clock.
var (
	// ErrBackwards is the refusal to set the clock to the past.
	ErrBackwards = errors.New("sandbox: the clock does not run backwards")
	// ErrNotSettled is wrapped by every error that names what did not come to rest.
	ErrNotSettled = errors.New("not settled")
)

// Tick lets the clock run with the machine's from where it stands.
func (s *Sandbox) Tick(ctx context.Context) error {
	s.clockMu.Lock()
	defer s.clockMu.Unlock()
	s.clk.Tick()
	s.saveClock()
	var err error
	for _, fo := range s.followed() {
		if m, ok := fo.f.(modeFollower); ok {
			err = errors.Join(err, s.blame(fo, m.setClock(ctx, s.clk.Now(), true)))
		}
	}
	return err
}

// Advance freezes the clock and moves it by d, through every instant at which something falls due, in order. 0 settles.
func (s *Sandbox) Advance(ctx context.Context, d time.Duration) error {
	if d < 0 {
		return ErrBackwards
	}
	s.clockMu.Lock()
	defer s.clockMu.Unlock()
	s.freeze()
	return s.moveTo(ctx, s.clk.Now().Add(d))
}

// SetClock freezes the clock and moves it to t like Advance. The past is ErrBackwards.
func (s *Sandbox) SetClock(ctx context.Context, t time.Time) error {
	s.clockMu.Lock()
	defer s.clockMu.Unlock()
	t = t.UTC().Truncate(time.Microsecond)
	if t.Before(s.clk.Now()) {
		return ErrBackwards
	}
	s.freeze()
	if t.Before(s.clk.Now()) { // it ticked past t meanwhile
		t = s.clk.Now()
	}
	return s.moveTo(ctx, t)
}

func (s *Sandbox) freeze() { freezeAt(s.clk, s.clk.Now()) }

// freezeAt stops a clock at t, or where it stands if that is already later.
func freezeAt(clk *clock.Movable, t time.Time) {
	for !clk.Set(t) {
		if clk.Frozen() {
			return
		}
		t = clk.Now()
	}
}

func (s *Sandbox) moveTo(ctx context.Context, target time.Time) error {
	defer func() {
		s.saveClock()
		if err := s.store.flush(); err != nil {
			s.log.Error("sandbox: keep state", "error", err)
		}
	}()
	now, rounds := s.clk.Now(), 0
	if err := s.settle(ctx, now); err != nil {
		return err
	}
	for {
		t, who, err := s.earliest(ctx, now, target)
		if err != nil {
			return err
		}
		if who == "" {
			break
		}
		if t.After(now) {
			now, rounds = t, 0
		} else if rounds++; rounds > roundsAtOneInstant {
			return fmt.Errorf("%w: %s stays due at %s after %d rounds", ErrNotSettled, who, showTime(now), rounds)
		}
		s.setClock(now)
		if err := s.settle(ctx, now); err != nil {
			return err
		}
	}
	if target.After(now) {
		s.setClock(target)
		return s.settle(ctx, target)
	}
	return nil
}

// setClock keeps every step, so that a kill in the middle of a move does not send time backwards.
func (s *Sandbox) setClock(t time.Time) {
	s.clk.Set(t)
	s.saveClock()
}

// earliest is what is due first in (after, until], and who has it due; who is empty if nothing is.
func (s *Sandbox) earliest(ctx context.Context, after, until time.Time) (t time.Time, who string, err error) {
	take := func(due time.Time, name string) {
		if !due.After(until) && (who == "" || due.Before(t)) {
			t, who = due, name
		}
	}
	if due, ok := s.nextTask(); ok {
		take(due, "WeChat's own tasks")
	}
	for _, fo := range s.followed() {
		due, ok, err := fo.f.Due(ctx, after, until)
		if err := s.blame(fo, err); err != nil {
			return t, who, err
		}
		if ok && err == nil {
			take(due.UTC().Truncate(time.Microsecond), fo.name)
		}
	}
	return t, who, nil
}

// settle runs our tasks and every follower at now, until none of our tasks is due.
func (s *Sandbox) settle(ctx context.Context, now time.Time) error {
	for range roundsAtOneInstant {
		s.pump()
		for _, fo := range s.followed() {
			if err := s.blame(fo, fo.f.Settle(ctx, now)); err != nil {
				return err
			}
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("%w: %w", ErrNotSettled, err)
		}
		if due, ok := s.nextTask(); !ok || due.After(now) {
			s.pump() // waits for a task that the loop beside us has taken
			if due, ok := s.nextTask(); !ok || due.After(now) {
				return nil
			}
		}
	}
	return fmt.Errorf("%w: WeChat's own tasks stay due at %s", ErrNotSettled, showTime(now))
}

// blame names the follower in err. One that cannot be reached any more is dropped instead: its process has ended.
func (s *Sandbox) blame(fo *following, err error) error {
	if err == nil {
		return nil
	}
	var gone *net.OpError
	if _, remote := fo.f.(modeFollower); remote && errors.As(err, &gone) {
		s.log.Warn("sandbox: follower dropped", "follower", fo.name, "error", err)
		s.drop(fo)
		return nil
	}
	return fmt.Errorf("%w: %s: %w", ErrNotSettled, fo.name, err)
}
